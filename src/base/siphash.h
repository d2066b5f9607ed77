/*
 * SipHash-2-4: a keyed hash for what an attacker may see or provoke (identifications, ports,
 * initial sequence numbers, interface identifiers). About 380 instructions a tuple: not for tables.
 */
#ifndef ORIEL_BASE_SIPHASH_H
#define ORIEL_BASE_SIPHASH_H

#include "base/bytes.h"

struct siphash_key {
    uint64_t k0;
    uint64_t k1;
};

uint64_t siphash(const struct siphash_key *key, struct span data);

/* The same over whole words, in little-endian order: siphash_words(k, {a,b}, 2). */
uint64_t siphash_words(const struct siphash_key *key, const uint64_t *words, unsigned n);

/* A key of its own for each use, from the stack's seed (32 bytes) and a label. */
struct siphash_key siphash_derive(const uint8_t seed[32], const char *label);

#endif
