/*
 * Open-addressing map from a hash to 32-bit references (pool indices), linear probing, removal by
 * backward shift. The map knows no keys: the caller hashes with a secret seed, walks the
 * candidates and compares.
 *
 *     for (uint32_t at = hmap_first(&m, h); (ref = hmap_next(&m, h, &at)) != HMAP_NONE;)
 *         if (same(pool_at(pool, ref), key)) ...
 *
 * Capacity is fixed at creation; load stays at or below five eighths. A full map refuses. The order of
 * a walk over everything is never used for anything that is seen.
 */
#ifndef ORIEL_BASE_HMAP_H
#define ORIEL_BASE_HMAP_H

#include "base/pool.h"

#define HMAP_NONE UINT32_MAX

struct hmap_slot {
    uint32_t hash;
    uint32_t ref1;      /* ref + 1; 0 when the slot is empty */
};

struct hmap {
    struct hmap_slot *slot;
    uint32_t mask;
    uint32_t used;
    uint32_t max;
};

bool hmap_init(struct hmap *m, struct arena *a, uint32_t max);
bool hmap_put(struct hmap *m, uint32_t hash, uint32_t ref);     /* false when full */
void hmap_del(struct hmap *m, uint32_t hash, uint32_t ref);     /* it must be there */

static inline uint32_t hmap_first(const struct hmap *m, uint32_t hash)
{
    return hash & m->mask;
}

static inline uint32_t hmap_next(const struct hmap *m, uint32_t hash, uint32_t *at)
{
    for (;;) {
        const struct hmap_slot *s = &m->slot[*at];
        if (s->ref1 == 0)
            return HMAP_NONE;
        *at = (*at + 1) & m->mask;
        if (s->hash == hash)
            return s->ref1 - 1;
    }
}

/*
 * Seeded multiply hash of up to a few words: chain it, starting from the seed. (With the seed last,
 * a peer that chooses the words can make them collide before the seed is looked at.)
 */
static inline uint64_t hash_word(uint64_t h, uint64_t v)
{
    return mul_fold(h ^ v, 0x9e3779b97f4a7c15u);
}

static inline uint32_t hash_2(uint64_t seed, uint64_t a, uint64_t b)
{
    uint64_t h = mul_fold(a ^ seed ^ 0xa0761d6478bd642fu, b ^ 0xe7037ed1a0b428dbu ^ (seed >> 7));
    return (uint32_t)(h ^ (h >> 32));
}

static inline uint32_t hash_4(uint64_t seed, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t other = (seed >> 32) | (seed << 32);   /* a peer that knows a factor can zero it */
    uint64_t x = mul_fold(a ^ seed ^ 0xa0761d6478bd642fu, b ^ other ^ 0xe7037ed1a0b428dbu);
    uint64_t y = mul_fold(c ^ seed ^ 0x8ebc6af09c88c6e3u, d ^ other ^ 0x589965cc75374cc3u);
    uint64_t h = mul_fold(x ^ seed, y ^ 0x1d8e4e27c47d124fu);
    return (uint32_t)(h ^ (h >> 32));
}

#endif
