/* SHA-256 (FIPS 180-4), for streams that are too long to be kept. */
#ifndef ORIEL_TESTS_SHA256_H
#define ORIEL_TESTS_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32

struct sha256 {
    uint32_t h[8];
    uint64_t bytes;
    uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t n);
void sha256_end(struct sha256 *s, uint8_t out[SHA256_LEN]);

#endif
