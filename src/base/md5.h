/*
 * MD5 (RFC 1321), for protocols that prescribe it. It is broken as a hash: nothing of our own uses it.
 *
 *     struct md5 m;
 *     md5_init(&m);
 *     md5_add(&m, bytes);                      as often as there are pieces
 *     md5_end(&m, digest);
 */
#ifndef ORIEL_BASE_MD5_H
#define ORIEL_BASE_MD5_H

#include "base/bytes.h"

#define MD5_LEN 16

struct md5 {
    uint32_t a, b, c, d;
    uint64_t bytes;             /* so far */
    uint8_t block[64];          /* the last bytes % 64 of them */
};

void md5_init(struct md5 *m);
void md5_add(struct md5 *m, struct span s);
void md5_end(struct md5 *m, uint8_t out[MD5_LEN]);

#endif
