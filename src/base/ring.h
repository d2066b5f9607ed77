/*
 * Arithmetic of a power-of-two ring: two counters that only grow. The storage is the owner's.
 * One reader and one writer.
 */
#ifndef ORIEL_BASE_RING_H
#define ORIEL_BASE_RING_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>

struct ring {
    uint64_t head;      /* written so far */
    uint64_t tail;      /* read so far; head - tail are in it */
    uint32_t mask;      /* size - 1 */
};

static inline void ring_init(struct ring *r, uint32_t size)
{
    ORIEL_ASSERT(size > 0 && (size & (size - 1)) == 0);
    *r = (struct ring){.mask = size - 1};
}

static inline uint64_t ring_used(const struct ring *r)
{
    return r->head - r->tail;
}

static inline bool ring_full(const struct ring *r)
{
    return ring_used(r) > r->mask;
}

/* Slot for the next write; the caller has seen that the ring is not full. */
static inline uint32_t ring_push(struct ring *r)
{
    ORIEL_ASSERT(!ring_full(r));
    return (uint32_t)(r->head++ & r->mask);
}

/* Slot of the next read; the caller has seen that the ring is not empty. */
static inline uint32_t ring_pop(struct ring *r)
{
    ORIEL_ASSERT(r->head != r->tail);
    return (uint32_t)(r->tail++ & r->mask);
}

#endif
