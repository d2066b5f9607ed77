/*
 * xoshiro256** by Blackman and Vigna, its state filled by splitmix64 so that neighbouring seeds and
 * streams have nothing in common. Numbers below a bound are drawn by masking and rejecting: no bias
 * and no division, and less than two draws on average.
 */
#include "base/rng.h"

#include "base/compiler.h"

static uint64_t rotl(uint64_t x, unsigned n)
{
    return (x << n) | (x >> (64 - n));
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void rng_seed(struct rng *g, uint64_t seed, uint64_t stream)
{
    uint64_t which = splitmix(&stream);
    uint64_t state = splitmix(&seed) ^ rotl(which, 32);
    for (unsigned i = 0; i < ARRAY_LEN(g->s); i++)
        g->s[i] = splitmix(&state);     /* four different numbers: never all zero */
}

uint64_t rng_u64(struct rng *g)
{
    uint64_t *s = g->s;
    uint64_t out = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return out;
}

uint64_t rng_below(struct rng *g, uint64_t n)
{
    ORIEL_ASSERT(n > 0);
    if (n == 1)
        return 0;
    unsigned spare = 63 - bit_highest(n - 1);
    uint64_t v;
    do {
        v = rng_u64(g) >> spare;        /* the high bits are the better ones */
    } while (v >= n);
    return v;
}

uint64_t rng_between(struct rng *g, uint64_t lo, uint64_t hi)
{
    ORIEL_ASSERT(lo <= hi);
    uint64_t span = hi - lo;
    return span == UINT64_MAX ? rng_u64(g) : lo + rng_below(g, span + 1);
}
