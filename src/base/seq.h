/*
 * Sequence numbers: 32 bits, compared round the circle (RFC 9293, 3.4).
 *
 * A struct, so that `a < b` does not compile: it works for two gigabytes and then corrupts a
 * connection.
 */
#ifndef ORIEL_BASE_SEQ_H
#define ORIEL_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t v;
} seq_t;

static inline seq_t seq_of(uint32_t v)
{
    return (seq_t){v};
}

static inline seq_t seq_add(seq_t a, uint32_t n)
{
    return (seq_t){a.v + n};
}

/* How far b is ahead of a; negative when it is behind. */
static inline int32_t seq_diff(seq_t a, seq_t b)
{
    uint32_t d = b.v - a.v;
    return d <= INT32_MAX ? (int32_t)d : -(int32_t)(UINT32_MAX - d) - 1;
}

static inline bool seq_eq(seq_t a, seq_t b)
{
    return a.v == b.v;
}

static inline bool seq_lt(seq_t a, seq_t b)
{
    return seq_diff(a, b) > 0;
}

static inline bool seq_leq(seq_t a, seq_t b)
{
    return seq_diff(a, b) >= 0;
}

#endif
