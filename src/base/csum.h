/*
 * The Internet checksum (RFC 1071): sums, updates (RFC 1624), pseudo-headers.
 *
 * A sum in progress is a uint32_t in the wire's byte order read as big-endian 16-bit words; it is
 * canonical: the same bytes give the same number whatever implementation summed them. A span of
 * odd length is padded with a zero byte; to go on after an odd number of bytes use csum_add_odd.
 *
 * csum_ops is chosen once, at creation, from what the host says the processor has. Up to CSUM_SMALL
 * bytes are summed inline, eight at a time (RFC 1071, 2C), in a `wide` sum: 64 bits in one's
 * complement, big-endian, to which pseudo-headers are added before the one fold.
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

#define CSUM_SMALL 63

/* ---- wide sums ---- */

static inline uint64_t csum_wide_add(uint64_t a, uint64_t b)
{
    return add_with_carry(a, b);
}

/* Its 16 bits. */
static inline uint32_t csum_wide_fold(uint64_t x)
{
    x += (x << 32) | (x >> 32);         /* both halves' sum with its carry, in the upper half */
    uint32_t y = (uint32_t)(x >> 32);
    y += (y << 16) | (y >> 16);
    return y >> 16;
}

/* The value that goes into a checksum field. */
static inline uint16_t csum_wide_finish(uint64_t x)
{
    return (uint16_t)~csum_wide_fold(x);
}

/*
 * Do bytes with their checksum among them amount to ffff? In either byte order. Something in them
 * is not zero, as a version or a protocol is: only then is what ffff divides ffff.
 */
static inline bool csum_wide_good(uint64_t x)
{
    return x % 0xffff == 0;
}

/* Eight bytes in the machine's order: what is summed so is turned round once, at the end. */
static inline uint64_t csum_load(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* The last 0 to 7 bytes, each where it would stand in a word; padded with zeros behind. */
static inline uint64_t csum_tail(const uint8_t *p, size_t n)
{
    uint32_t four = 0;
    uint16_t two = 0, one = 0;
    if (n & 4)
        memcpy(&four, p, 4);
    if (n & 2)
        memcpy(&two, p + (n & 4), 2);
    if (n & 1)
        memcpy(&one, p + (n & 6), 1);
    return (uint64_t)four + two + one;
}

/* Add four words. */
static inline uint64_t csum_wide_four(uint64_t sum, const uint8_t *p)
{
    sum = csum_wide_add(sum, csum_load(p));
    sum = csum_wide_add(sum, csum_load(p + 8));
    sum = csum_wide_add(sum, csum_load(p + 16));
    return csum_wide_add(sum, csum_load(p + 24));
}

/* Sum of at most CSUM_SMALL bytes in the machine's order. The length is taken apart bit by bit. */
static inline uint64_t csum_words(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    if (n & 32) {
        sum = csum_wide_four(sum, p);
        p += 32;
    }
    if (n & 16) {
        sum = csum_wide_add(csum_wide_add(sum, csum_load(p)), csum_load(p + 8));
        p += 16;
    }
    if (n & 8) {
        sum = csum_wide_add(sum, csum_load(p));
        p += 8;
    }
    return oriel_unlikely(n & 7) ? csum_wide_add(sum, csum_tail(p, n)) : sum;
}

static inline uint64_t csum_wide(const uint8_t *p, size_t n)
{
    return ORIEL_BE(64, csum_words(p, n));
}

/* Copy a word and add it. */
static inline uint64_t csum_wide_move(uint64_t sum, uint8_t *to, const uint8_t *from)
{
    uint64_t word = csum_load(from);
    memcpy(to, &word, sizeof(word));
    return csum_wide_add(sum, word);
}

static inline uint64_t csum_wide_move_two(uint64_t sum, uint8_t *to, const uint8_t *from)
{
    sum = csum_wide_move(sum, to, from);
    return csum_wide_move(sum, to + 8, from + 8);
}

/* Copy at most CSUM_SMALL bytes and sum them. */
static inline uint64_t csum_wide_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t sum = 0;
    if (n & 32) {
        sum = csum_wide_move_two(sum, to, from);
        sum = csum_wide_move_two(sum, to + 16, from + 16);
        from += 32;
        to += 32;
    }
    if (n & 16) {
        sum = csum_wide_move_two(sum, to, from);
        from += 16;
        to += 16;
    }
    if (n & 8) {
        sum = csum_wide_move(sum, to, from);
        from += 8;
        to += 8;
    }
    if (oriel_unlikely(n & 7)) {
        sum = csum_wide_add(sum, csum_tail(from, n));
        for (size_t i = 0; i < (n & 7); i++)
            to[i] = from[i];
    }
    return ORIEL_BE(64, sum);
}

/*
 * The pseudo-header of either family (RFC 9293, 3.1; 8200, 8.1) by one rule: the ffff before a
 * mapped IPv4 address is one's complement's other zero, and the high half of it is plain zero.
 */
static inline uint64_t csum_wide_addrs(const struct oriel_addr *src, const struct oriel_addr *dst)
{
    uint64_t low = csum_wide_add(src->lo, dst->lo);
    return csum_wide_add(low, csum_wide_add(src->hi, dst->hi));
}

static inline uint64_t csum_wide_pseudo(const struct oriel_addr *src, const struct oriel_addr *dst,
                                        uint8_t proto, uint32_t len)
{
    return csum_wide_add(csum_wide_addrs(src, dst), (uint64_t)proto + len);
}

/* ---- sums of 32 bits ---- */

/* Sum of a span that is short as a rule. */
static inline uint32_t csum_small(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    for (; oriel_unlikely(n > CSUM_SMALL); n -= 32, p += 32)
        sum = csum_wide_add(sum, csum_wide(p, 32));
    return csum_wide_fold(csum_wide_add(sum, csum_wide(p, n)));
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

/* Sum of the pseudo-header of either family. */
static inline uint32_t csum_pseudo(const struct oriel_addr *src, const struct oriel_addr *dst,
                                   uint8_t proto, uint32_t len)
{
    return csum_wide_fold(csum_wide_pseudo(src, dst, proto, len));
}

/* RFC 1624, equation 3: the checksum field after a 16-bit or 32-bit word of the data changed. */
uint16_t csum_update16(uint16_t csum, uint16_t from, uint16_t to);
uint16_t csum_update32(uint16_t csum, uint32_t from, uint32_t to);

#endif
