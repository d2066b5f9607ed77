/* Time: nanoseconds, monotonic, given to us; see oriel_time in oriel.h. */
#ifndef ORIEL_BASE_CLOCK_H
#define ORIEL_BASE_CLOCK_H

#include "oriel/oriel.h"

#define NS_PER_US ((oriel_time)1000)
#define NS_PER_MS ((oriel_time)1000000)
#define NS_PER_S  ((oriel_time)1000000000)

/* Sum that stops at ORIEL_NEVER instead of wrapping round. */
static inline oriel_time time_after(oriel_time t, oriel_time d)
{
    return t > ORIEL_NEVER - d ? ORIEL_NEVER : t + d;
}

#endif
