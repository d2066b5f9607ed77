/*
 * The Internet checksum (RFC 1071): sums, updates (RFC 1624), pseudo-headers.
 *
 * A sum in progress is a uint32_t in the wire's byte order read as big-endian 16-bit words; it is
 * canonical: the same bytes give the same number whatever implementation summed them. A span of
 * odd length is padded with a zero byte; to go on after an odd number of bytes use csum_add_odd.
 *
 * csum_ops is chosen once, at creation, from what the host says the processor has; below
 * CSUM_SMALL bytes the portable loop is used inline.
 */
#ifndef ORIEL_BASE_CSUM_H
#define ORIEL_BASE_CSUM_H

#include "base/addr.h"

struct csum_ops {
    const char *name;
    uint32_t (*sum)(const uint8_t *p, size_t n);                     /* folded to 16 bits */
    uint32_t (*copy)(uint8_t *to, const uint8_t *from, size_t n);    /* copies and sums */
};

/* ORIEL_CPU_* bits -> the best implementation for them. Never NULL. */
const struct csum_ops *csum_ops_for(uint32_t cpu);
extern const struct csum_ops csum_portable;

/* In csum_x86.c; NULL where the compiler cannot build it. */
const struct csum_ops *csum_x86_ops(uint32_t cpu);

#define CSUM_SMALL 64

/* Portable sum of a short span, not folded. */
static inline uint32_t csum_small(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (; n >= 2; n -= 2, p += 2)
        sum += ((uint32_t)p[0] << 8) | p[1];
    if (n)
        sum += (uint32_t)p[0] << 8;
    return sum;
}

/* Fold to 16 bits, without complementing. */
static inline uint32_t csum_fold(uint32_t sum)
{
    sum = (sum >> 16) + (sum & 0xffff);
    return (sum >> 16) + (sum & 0xffff);
}

static inline uint32_t csum_span(const struct csum_ops *ops, struct span s)
{
    return s.n <= CSUM_SMALL ? csum_small(s.p, s.n) : ops->sum(s.p, s.n);
}

/* Add two sums; the sums of neighbouring spans, the first of even length. */
static inline uint32_t csum_add(uint32_t a, uint32_t b)
{
    return csum_fold(a) + csum_fold(b);
}

/* Add the sum of a span that starts at an odd offset. */
static inline uint32_t csum_add_odd(uint32_t a, uint32_t b)
{
    b = csum_fold(b);
    return csum_fold(a) + (((b & 0xff) << 8) | (b >> 8));
}

/* The value that goes into a checksum field. */
static inline uint16_t csum_finish(uint32_t sum)
{
    return (uint16_t)~csum_fold(sum);
}

/* Sum of the pseudo-header of either family (RFC 9293, 3.1; 8200, 8.1). */
uint32_t csum_pseudo(const struct oriel_addr *src, const struct oriel_addr *dst, uint8_t proto,
                     uint32_t len);

/* RFC 1624, equation 3: the checksum field after a 16-bit or 32-bit word of the data changed. */
uint16_t csum_update16(uint16_t csum, uint16_t from, uint16_t to);
uint16_t csum_update32(uint16_t csum, uint32_t from, uint32_t to);

#endif
