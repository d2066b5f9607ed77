/*
 * Where bytes go: a file, a socket, a buffer. The core hands them over and does not ask further.
 *
 * put() takes all of the bytes or none of the later ones: after a false the owner of the sink has
 * failed for good, and what is written next may be missing.
 */
#ifndef ORIEL_BASE_SINK_H
#define ORIEL_BASE_SINK_H

#include "base/bytes.h"

struct sink {
    bool (*put)(void *ctx, struct span bytes);
    void *ctx;
};

static inline bool sink_put(const struct sink *s, struct span bytes)
{
    return bytes.n == 0 || s->put(s->ctx, bytes);
}

#endif
