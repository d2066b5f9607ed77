/*
 * Timers: a hierarchical timing wheel, 64 slots a level, 65.5 us the finest tick, all of 64-bit
 * time covered. Arming and cancelling are O(1), except into the current tick, whose timers stand
 * sorted; there an arm costs a step for every timer that is due later.
 *
 * Exact: a timer fires at its own nanosecond, in the order (deadline, order of arming), always.
 * The wheel only finds the neighbourhood; the timers of the current tick stand sorted in `due`. A
 * timer armed for a moment that has passed is due at that moment: before what is due later.
 *
 * Lazy re-arm: moving an armed timer later only writes its deadline; the wheel corrects itself when
 * the old slot comes up. Moving it earlier relinks it.
 *
 * No callbacks: the owner pops what is due and acts by `kind` (facts come up).
 */
#ifndef ORIEL_BASE_WHEEL_H
#define ORIEL_BASE_WHEEL_H

#include "base/clock.h"
#include "base/list.h"

#define WHEEL_LEVELS 8
#define WHEEL_SLOTS  64
#define WHEEL_TICK_SHIFT 16     /* 2^16 ns; 16 + 8 * 6 = 64 */
#define WHEEL_DUE    WHEEL_LEVELS       /* not a level: the list of the current tick */

struct timer {
    struct list node;
    oriel_time deadline;
    uint64_t order;     /* order of arming, to break ties */
    uint64_t cause;     /* event that armed it (trace), 0 when none */
    uint8_t kind;       /* the owner's: enum timer_kind of the stack */
    uint8_t level;      /* where it is linked: 0..7, or WHEEL_DUE */
    uint8_t slot;
    bool put_off;       /* its deadline was moved later since it was linked */
};

struct wheel {
    oriel_time now;     /* time up to which it has run */
    oriel_time next;    /* nothing is due before this; a lower bound, ORIEL_NEVER when empty */
    uint64_t order;
    uint32_t armed;
    struct list due;    /* timers of the current tick, sorted */
    uint64_t busy[WHEEL_LEVELS];    /* a bit a slot that is not empty */
    uint64_t jumbled[WHEEL_LEVELS]; /* a bit a slot whose list is perhaps out of order */
    struct list slot[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, oriel_time now);

static inline void timer_init(struct timer *t, uint8_t kind)
{
    *t = (struct timer){.kind = kind, .deadline = ORIEL_NEVER};
}

static inline bool timer_armed(const struct timer *t)
{
    return list_on(&t->node);
}

/* Also moves an armed timer. A deadline in the past fires at once. ORIEL_NEVER cancels. */
void wheel_arm(struct wheel *w, struct timer *t, oriel_time deadline, uint64_t cause);
void wheel_cancel(struct wheel *w, struct timer *t);     /* nothing when it is not armed */

/*
 * The next timer due at or before `now`, unlinked, or NULL. `now` never goes back. Costs one
 * comparison when nothing is due. A timer that fired keeps its deadline until it is armed again.
 */
struct timer *wheel_pop_slow(struct wheel *w, oriel_time now);

static inline struct timer *wheel_pop(struct wheel *w, oriel_time now)
{
    if (oriel_likely(now < w->next))
        return NULL;
    return wheel_pop_slow(w, now);
}

/*
 * A moment not later than the earliest deadline, and exactly it after wheel_pop_slow gave NULL,
 * until something is cancelled or put off.
 */
static inline oriel_time wheel_next(const struct wheel *w)
{
    return w->next;
}

#endif
