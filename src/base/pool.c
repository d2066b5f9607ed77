/*
 * Memory: one arena, carved into pools when a stack is made; nothing is asked of the host later.
 *
 * A pool hands out fresh objects in order of index until all were used once, and only then looks
 * at memory it did not use before; freed objects stand in a list, last in first out, whose links
 * lie in the objects themselves. Behind the objects stands a bit for each: is it handed out? A
 * pointer freed twice, or one that is not the start of an object, stops the program in every
 * build. The bits cost one byte for eight objects and are written only as far as objects were used.
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

static uint64_t *live_bits(const struct pool *p, uint32_t index)
{
    uint64_t *bits = (uint64_t *)(void *)(p->base + (size_t)p->cap * p->size);
    return &bits[index / 64];
}

static size_t live_bits_bytes(uint32_t cap)
{
    return ((size_t)cap + 63) / 64 * sizeof(uint64_t);
}

static bool is_live(const struct pool *p, uint32_t index)
{
    return (*live_bits(p, index) >> (index % 64)) & 1;
}

bool pool_is_live(const struct pool *p, uint32_t index)
{
    return index < p->fresh && is_live(p, index);
}

bool pool_init(struct pool *p, const char *name, struct arena *a, size_t size, uint32_t cap)
{
    ORIEL_ASSERT(size > 0);
    ORIEL_ASSERT(size <= UINT32_MAX - (POOL_ALIGN - 1));
    size = (size + POOL_ALIGN - 1) / POOL_ALIGN * POOL_ALIGN;
    *p = (struct pool){.name = name, .size = (uint32_t)size, .free_head = POOL_NONE};
    if (cap > (SIZE_MAX - live_bits_bytes(cap)) / size)
        return false;
    size_t bytes = (size_t)cap * size;
    p->base = arena_take(a, bytes + live_bits_bytes(cap));
    if (!p->base)
        return false;
    p->cap = cap;
    ORIEL_POISON(p->base, bytes);
    return true;
}

/* The next object that was never used. Its word of live bits is written whole at its first bit. */
static uint32_t take_fresh(struct pool *p)
{
    uint32_t index = p->fresh++;
    if (index % 64 == 0)
        *live_bits(p, index) = 0;
    return index;
}

void *pool_get(struct pool *p)
{
    uint32_t index = p->free_head;
    if (index == POOL_NONE && p->fresh == p->cap) {
        p->refused++;
        return NULL;
    }
    bool reuse = index != POOL_NONE;
    if (!reuse)
        index = take_fresh(p);
    void *obj = pool_at(p, index);
    ORIEL_UNPOISON(obj, p->size);
    if (reuse)
        memcpy(&p->free_head, obj, sizeof(p->free_head));
    ORIEL_ASSERT(!is_live(p, index));
    *live_bits(p, index) |= BIT64(index % 64);
    p->live++;
    if (p->live > p->peak)
        p->peak = p->live;
    return obj;
}

void *pool_get_zeroed(struct pool *p)
{
    void *obj = pool_get(p);
    if (obj)
        memset(obj, 0, p->size);
    return obj;
}

void pool_put(struct pool *p, void *obj)
{
    uint32_t index = pool_index(p, obj);
    ORIEL_ASSERT(obj == pool_at(p, index));
    ORIEL_ASSERT(is_live(p, index));
    ORIEL_ASSERT(p->live > 0);
    *live_bits(p, index) &= ~BIT64(index % 64);
    memcpy(obj, &p->free_head, sizeof(p->free_head));
    ORIEL_POISON(obj, p->size);
    p->free_head = index;
    p->live--;
}
