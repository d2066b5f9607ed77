/*
 * Memory: an arena that only grows (made once, at creation), and pools of equal objects carved
 * from it.
 *
 * A pool's whole capacity is reserved when it is made, and touched only as it is used: on a hosted
 * system untouched memory costs nothing. Objects have a stable index, so tables can hold 32 bits
 * instead of a pointer. A full pool returns NULL and counts it. Freed objects are poisoned under
 * the address sanitizer; `live` is the leak count.
 */
#ifndef ORIEL_BASE_POOL_H
#define ORIEL_BASE_POOL_H

#include "base/compiler.h"

#include <stdbool.h>

struct arena {
    uint8_t *base;
    size_t used;
    size_t size;
};

void arena_init(struct arena *a, void *memory, size_t size);

/* Zeroed? No: memory as the host gave it. Aligned to 64. NULL when there is no room. */
void *arena_take(struct arena *a, size_t n);
void *arena_take_zeroed(struct arena *a, size_t n);

#define POOL_NONE UINT32_MAX

struct pool {
    uint8_t *base;
    uint8_t *held;      /* a byte an object: 1 while it is handed out, 0 while it is free */
    const char *name;
    uint32_t size;      /* bytes an object, a multiple of 16 */
    uint32_t cap;       /* objects at most */
    uint32_t fresh;     /* objects ever handed out; beyond it memory is untouched */
    uint32_t free_head; /* index of the first free object, or POOL_NONE */
    uint32_t live;
    uint32_t peak;      /* the most that were held at once: `fresh`, as freed ones go out first */
    uint64_t refused;   /* times it was full */
    uint64_t inverse;   /* of the odd part of `size`, modulo 2^64 */
    uint8_t shift;      /* the other part: size is odd << shift */
};

/* False when the arena has no room; the pool then has capacity 0 and is safe to use. */
bool pool_init(struct pool *p, const char *name, struct arena *a, size_t size, uint32_t cap);

void *pool_get_zeroed(struct pool *p);      /* NULL when full */
void *pool_get_fresh(struct pool *p);       /* pool_get where no freed object waits */

/* Is the object of that index handed out at the moment? */
static inline bool pool_is_live(const struct pool *p, uint32_t index)
{
    return index < p->fresh && p->held[index];
}

static inline void *pool_at(const struct pool *p, uint32_t index)
{
    ORIEL_ASSERT(index < p->fresh);
    return p->base + (size_t)index * p->size;
}

/* obj is an object of the pool: its distance is a multiple of the size, so that it can be divided by
 * a multiplication. Of anything else the result is an index of nothing, or of something else. */
static inline uint32_t pool_index(const struct pool *p, const void *obj)
{
    uint64_t off = (uint64_t)((const uint8_t *)obj - p->base);
    uint64_t index = (off >> p->shift) * p->inverse;
    ORIEL_ASSERT(index < p->fresh);
    return (uint32_t)index;
}

/* Is there an object that was used and freed? */
static inline bool pool_has_freed(const struct pool *p)
{
    return oriel_likely(p->free_head < p->fresh);       /* POOL_NONE is beyond all of them */
}

/* That object, its contents undefined. */
static inline void *pool_get_freed(struct pool *p)
{
    uint32_t index = p->free_head;
    void *obj = p->base + (size_t)index * p->size;
    ORIEL_UNPOISON(obj, p->size);
    memcpy(&p->free_head, obj, sizeof(p->free_head));
    ORIEL_ASSERT(!p->held[index]);
    p->held[index] = 1;
    p->live++;
    return obj;
}

/* An object, its contents undefined; NULL when the pool is full. */
static inline void *pool_get(struct pool *p)
{
    return pool_has_freed(p) ? pool_get_freed(p) : pool_get_fresh(p);
}

/* Back to the pool; it must have come from there and must be held. */
static inline void pool_put(struct pool *p, void *obj)
{
    uint32_t index = pool_index(p, obj);
    ORIEL_ASSERT(obj == pool_at(p, index));
    ORIEL_ASSERT(p->held[index]);
    ORIEL_ASSERT(p->live > 0);
    p->held[index] = 0;
    memcpy(obj, &p->free_head, sizeof(p->free_head));
    ORIEL_POISON(obj, p->size);
    p->free_head = index;
    p->live--;
}

#endif
