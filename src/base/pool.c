/*
 * Memory: one arena, carved into pools when a stack is made; nothing is asked of the host later.
 *
 * A pool hands out fresh objects in order of index until all were used once, and only then looks
 * at memory it did not use before; freed objects stand in a list, last in first out, whose links
 * lie in the objects themselves. Behind the objects stands a byte for each: is it handed out? A
 * pointer freed twice, or one that is not the start of an object, stops the program in every
 * build. The bytes are written only as far as objects were used. (Bits would be an eighth of that,
 * and three instructions more for every packet that comes and goes.)
 */
#include "base/pool.h"

#include <string.h>

#define ARENA_ALIGN 64
#define POOL_ALIGN  16

static_assert(ARENA_ALIGN % POOL_ALIGN == 0, "objects are aligned because their pool is");

void arena_init(struct arena *a, void *memory, size_t size)
{
    ORIEL_ASSERT(memory != NULL || size == 0);
    ORIEL_UNPOISON(memory, size);       /* it may have held another stack before */
    *a = (struct arena){.base = memory, .used = 0, .size = size};
}

void *arena_take(struct arena *a, size_t n)
{
    size_t gap = (size_t)(0 - ((uintptr_t)a->base + a->used)) % ARENA_ALIGN;
    size_t left = a->size - a->used;
    if (left < gap || left - gap < n)
        return NULL;
    void *at = a->base + a->used + gap;
    a->used += gap + n;
    return at;
}

void *arena_take_zeroed(struct arena *a, size_t n)
{
    void *at = arena_take(a, n);
    if (at && n > 0)
        memset(at, 0, n);
    return at;
}

/* ---- pools ---- */

/* x * odd is 1 modulo 2^64: each round doubles the bits that are right, three at first. */
static uint64_t inverse_of(uint64_t odd)
{
    uint64_t x = odd;
    for (int bits = 3; bits < 64; bits *= 2)
        x *= 2 - odd * x;
    return x;
}

bool pool_init(struct pool *p, const char *name, struct arena *a, size_t size, uint32_t cap)
{
    ORIEL_ASSERT(size > 0);
    ORIEL_ASSERT(size <= UINT32_MAX - (POOL_ALIGN - 1));
    size = (size + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
    *p = (struct pool){.name = name, .size = (uint32_t)size, .free_head = POOL_NONE};
    while ((size >> p->shift) % 2 == 0)
        p->shift++;
    p->inverse = inverse_of(size >> p->shift);
    if (cap > (SIZE_MAX - cap) / size)
        return false;
    size_t bytes = (size_t)cap * size;
    p->base = arena_take(a, bytes + cap);
    if (!p->base)
        return false;
    p->held = p->base + bytes;
    p->cap = cap;
    ORIEL_POISON(p->base, bytes);
    return true;
}

void *pool_get_fresh(struct pool *p)
{
    ORIEL_ASSERT(p->free_head == POOL_NONE);
    if (p->fresh == p->cap) {
        p->refused++;
        return NULL;
    }
    uint32_t index = p->fresh++;
    void *obj = pool_at(p, index);
    ORIEL_UNPOISON(obj, p->size);
    p->held[index] = 1;
    p->live++;
    p->peak = p->fresh;
    return obj;
}

void *pool_get_zeroed(struct pool *p)
{
    void *obj = pool_get(p);
    if (obj)
        memset(obj, 0, p->size);
    return obj;
}
