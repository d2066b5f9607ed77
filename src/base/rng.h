/*
 * Seeded generator (xoshiro256**) for jitter, impairments and back-off: fast and reproducible, not
 * secret. What must be unpredictable to a peer goes through a keyed hash (siphash.h).
 */
#ifndef ORIEL_BASE_RNG_H
#define ORIEL_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *g, uint64_t seed, uint64_t stream);   /* streams are independent */
uint64_t rng_u64(struct rng *g);
uint64_t rng_below(struct rng *g, uint64_t n);                  /* 0..n-1, unbiased; n > 0 */
uint64_t rng_between(struct rng *g, uint64_t lo, uint64_t hi);  /* both included */

#endif
