#include "test.h"

#include "base/rng.h"
#include "base/wheel.h"

#define TICK  ((oriel_time)1 << WHEEL_TICK_SHIFT)
#define MANY  100000
#define SOME  200
#define YEAR  (365 * 24 * 3600 * NS_PER_S)

static struct wheel w;
static struct timer timers[MANY];

static void start_at(oriel_time now)
{
    wheel_init(&w, now);
    for (size_t i = 0; i < MANY; i++)
        timer_init(&timers[i], (uint8_t)i);
}

/* ---- invariants, walked over everything ---- */

static bool in_order(const struct list *l)
{
    const struct timer *last = NULL;
    LIST_EACH(n, (struct list *)(uintptr_t)l) {
        const struct timer *t = CONTAINER_OF(n, struct timer, node);
        if (last && (last->deadline > t->deadline ||
                     (last->deadline == t->deadline && last->order > t->order)))
            return false;
        last = t;
    }
    return true;
}

static uint32_t count_checked(const struct list *l, unsigned level, unsigned slot)
{
    uint32_t count = 0;
    unsigned shift = WHEEL_TICK_SHIFT + 6 * level;
    LIST_EACH(n, (struct list *)(uintptr_t)l) {
        const struct timer *t = CONTAINER_OF(n, struct timer, node);
        EXPECT_EQ(t->level, level);
        EXPECT(t->deadline >= w.next);
        if (level != WHEEL_DUE) {
            EXPECT_EQ(t->slot, slot);
            EXPECT(slot > ((w.now >> shift) & 63));
            EXPECT(t->deadline >> shift >= ((w.now >> shift & ~(oriel_time)63) | slot));
        }
        count++;
    }
    return count;
}

static void check_wheel(void)
{
    uint32_t armed = count_checked(&w.due, WHEEL_DUE, 0);
    EXPECT(in_order(&w.due));
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++) {
            const struct list *l = &w.slot[level][slot];
            EXPECT_EQ((w.busy[level] >> slot) & 1, !list_empty(l));
            armed += count_checked(l, level, slot);
        }
    }
    EXPECT_EQ(w.armed, armed);
    EXPECT(armed > 0 || w.next == ORIEL_NEVER);
}

/* ---- one thing at a time ---- */

TEST("an empty wheel has nothing, ever")
{
    start_at(5);
    EXPECT(wheel_pop(&w, 5) == NULL);
    EXPECT(wheel_next(&w) == ORIEL_NEVER);
    EXPECT(wheel_pop(&w, ORIEL_NEVER) == NULL);
    check_wheel();
}

TEST("a timer fires at its own nanosecond and not one earlier")
{
    static const oriel_time after[] = {
        0, 1, 999, TICK - 1, TICK, TICK + 1, 63 * TICK, 64 * TICK, 65 * TICK + 17, NS_PER_S,
        3600 * NS_PER_S, YEAR, 300 * YEAR,
    };
    for (size_t i = 0; i < ARRAY_LEN(after); i++) {
        oriel_time at = 123456789 + after[i];
        start_at(123456789);
        wheel_arm(&w, &timers[0], at, 7);
        EXPECT(timer_armed(&timers[0]));
        EXPECT(wheel_next(&w) == at);
        if (after[i] > 0)
            EXPECT(wheel_pop_slow(&w, at - 1) == NULL);
        EXPECT(wheel_next(&w) == at);
        EXPECT(wheel_pop(&w, at) == &timers[0]);
        EXPECT(!timer_armed(&timers[0]));
        EXPECT(timers[0].deadline == at);
        EXPECT_EQ(timers[0].cause, 7);
        EXPECT(wheel_pop(&w, at) == NULL);
        EXPECT(wheel_next(&w) == ORIEL_NEVER);
    }
}

TEST("the last moment before never is a moment")
{
    start_at(0);
    wheel_arm(&w, &timers[0], ORIEL_NEVER - 1, 0);
    check_wheel();
    EXPECT(wheel_pop_slow(&w, ORIEL_NEVER - 2) == NULL);
    EXPECT(wheel_next(&w) == ORIEL_NEVER - 1);
    EXPECT(wheel_pop(&w, ORIEL_NEVER - 1) == &timers[0]);
}

TEST("the first moment of all is a moment")
{
    start_at(0);
    wheel_arm(&w, &timers[0], 0, 0);
    EXPECT(wheel_pop(&w, 0) == &timers[0]);
}

TEST("timers for one moment fire in the order in which they were armed")
{
    start_at(0);
    for (size_t i = 0; i < 100; i++)
        wheel_arm(&w, &timers[(i * 37) % 100], 5 * NS_PER_S + 3, 0);
    for (size_t i = 0; i < 100; i++)
        EXPECT(wheel_pop(&w, 6 * NS_PER_S) == &timers[(i * 37) % 100]);
}

TEST("timers of one tick fire by their nanoseconds")
{
    start_at(0);
    for (size_t i = 0; i < 100; i++)
        wheel_arm(&w, &timers[i], 10 * TICK + (i * 37) % 100, 0);
    for (size_t i = 0; i < 100; i++) {
        EXPECT(wheel_pop(&w, 10 * TICK + i - 1) == NULL);
        struct timer *t = wheel_pop(&w, 10 * TICK + i);
        EXPECT(t != NULL && t->deadline == 10 * TICK + i);
    }
}

TEST("a deadline in the past fires at once, the longest past first")
{
    start_at(NS_PER_S);
    EXPECT(wheel_pop_slow(&w, 2 * NS_PER_S) == NULL);
    wheel_arm(&w, &timers[0], 2 * NS_PER_S, 0);
    wheel_arm(&w, &timers[1], 5, 0);
    wheel_arm(&w, &timers[2], NS_PER_S, 0);
    check_wheel();
    EXPECT(wheel_pop(&w, 2 * NS_PER_S) == &timers[1]);
    EXPECT(wheel_pop(&w, 2 * NS_PER_S) == &timers[2]);
    EXPECT(wheel_pop(&w, 2 * NS_PER_S) == &timers[0]);
}

TEST("a timer armed while others fire takes its place among them")
{
    start_at(0);
    wheel_arm(&w, &timers[0], 10 * NS_PER_S, 0);
    wheel_arm(&w, &timers[1], 20 * NS_PER_S, 0);
    EXPECT(wheel_pop(&w, 30 * NS_PER_S) == &timers[0]);
    wheel_arm(&w, &timers[2], 15 * NS_PER_S, 0);
    wheel_arm(&w, &timers[3], 1 * NS_PER_S, 0);
    wheel_arm(&w, &timers[4], 30 * NS_PER_S, 0);
    wheel_arm(&w, &timers[0], 31 * NS_PER_S, 0);
    EXPECT(wheel_pop(&w, 30 * NS_PER_S) == &timers[3]);
    EXPECT(wheel_pop(&w, 30 * NS_PER_S) == &timers[2]);
    EXPECT(wheel_pop(&w, 30 * NS_PER_S) == &timers[1]);
    EXPECT(wheel_pop(&w, 30 * NS_PER_S) == &timers[4]);
    EXPECT(wheel_pop(&w, 30 * NS_PER_S) == NULL);
    EXPECT(wheel_next(&w) == 31 * NS_PER_S);
}

TEST("a cancelled timer does not fire, and cancelling twice is nothing")
{
    start_at(0);
    wheel_arm(&w, &timers[0], NS_PER_S, 0);
    wheel_arm(&w, &timers[1], 2 * NS_PER_S, 0);
    wheel_cancel(&w, &timers[0]);
    wheel_cancel(&w, &timers[0]);
    EXPECT(!timer_armed(&timers[0]));
    EXPECT(timers[0].deadline == ORIEL_NEVER);
    EXPECT(wheel_pop_slow(&w, NS_PER_S) == NULL);
    EXPECT(wheel_next(&w) == 2 * NS_PER_S);
    wheel_arm(&w, &timers[1], ORIEL_NEVER, 0);
    EXPECT(!timer_armed(&timers[1]));
    EXPECT(wheel_next(&w) == ORIEL_NEVER);
    EXPECT_EQ(w.armed, 0);
}

TEST("putting a timer off moves nothing until its old place comes up")
{
    start_at(0);
    wheel_arm(&w, &timers[0], NS_PER_S, 1);
    struct timer before = timers[0];
    wheel_arm(&w, &timers[0], 100 * NS_PER_S, 2);
    EXPECT_EQ(timers[0].level, before.level);
    EXPECT_EQ(timers[0].slot, before.slot);
    EXPECT_EQ(timers[0].cause, 2);
    EXPECT(wheel_pop(&w, NS_PER_S) == NULL);
    EXPECT(wheel_next(&w) == 100 * NS_PER_S);
    EXPECT(wheel_pop(&w, 100 * NS_PER_S - 1) == NULL);
    EXPECT(wheel_pop(&w, 100 * NS_PER_S) == &timers[0]);
}

TEST("a timer put off to the moment of another fires after it: order is that of the last arming")
{
    start_at(0);
    wheel_arm(&w, &timers[0], NS_PER_S, 0);
    wheel_arm(&w, &timers[1], 2 * NS_PER_S, 0);
    wheel_arm(&w, &timers[0], 2 * NS_PER_S, 0);
    EXPECT(wheel_pop(&w, 3 * NS_PER_S) == &timers[1]);
    EXPECT(wheel_pop(&w, 3 * NS_PER_S) == &timers[0]);
}

TEST("a timer moved earlier fires earlier, also when it was put off before")
{
    start_at(0);
    wheel_arm(&w, &timers[0], 10 * NS_PER_S, 0);
    wheel_arm(&w, &timers[0], 100 * NS_PER_S, 0);
    wheel_arm(&w, &timers[0], 50 * NS_PER_S, 0);
    EXPECT(wheel_next(&w) <= 50 * NS_PER_S);
    wheel_arm(&w, &timers[0], 3, 0);
    EXPECT(wheel_next(&w) == 3);
    EXPECT(wheel_pop(&w, 3) == &timers[0]);
    EXPECT(wheel_pop(&w, ORIEL_NEVER) == NULL);
}

TEST("after a slow pop gave nothing, the next moment is exact however the slot looks")
{
    start_at(0);
    for (size_t i = 0; i < 1000; i++)           /* one slot of an hour, out of order */
        wheel_arm(&w, &timers[i], 3600 * NS_PER_S + (i * 617) % 1000 * NS_PER_MS, 0);
    EXPECT(wheel_pop_slow(&w, 1) == NULL);
    EXPECT(wheel_next(&w) == 3600 * NS_PER_S);
    for (size_t i = 0; i < 999; i++) {          /* i * 617 = k has one answer below 1000 */
        size_t least = (i * 953) % 1000;
        EXPECT(timers[least].deadline == 3600 * NS_PER_S + i * NS_PER_MS);
        if (i % 2)
            wheel_cancel(&w, &timers[least]);
        else
            wheel_arm(&w, &timers[least], 2 * YEAR, 0);
        EXPECT(wheel_pop_slow(&w, 2 + i) == NULL);
        EXPECT(wheel_next(&w) == 3600 * NS_PER_S + (i + 1) * NS_PER_MS);
    }
    check_wheel();
}

TEST("timers that were put off beyond their slot do not hide an earlier one in the next")
{
    start_at(0);
    for (size_t i = 0; i < 100; i++)            /* out of order, so that the slot gets sorted */
        wheel_arm(&w, &timers[i], 3600 * NS_PER_S + (i * 37) % 100, 0);
    for (size_t i = 0; i < 100; i++)
        wheel_arm(&w, &timers[i], YEAR + i, 0);
    wheel_arm(&w, &timers[100], 20 * 3600 * NS_PER_S, 0);
    EXPECT(wheel_pop_slow(&w, 1) == NULL);
    EXPECT(wheel_next(&w) == 20 * 3600 * NS_PER_S);
    check_wheel();
}

TEST("time going back stops")
{
    start_at(0);
    EXPECT(wheel_pop_slow(&w, 100) == NULL);
    EXPECT_ASSERTS(wheel_pop_slow(&w, 99));
}

/* ---- many ---- */

static void expect_all_in_order(oriel_time now)
{
    oriel_time last = 0;
    uint64_t last_order = 0;
    for (size_t i = 0; i < MANY; i++) {
        struct timer *t = wheel_pop(&w, now);
        EXPECT(t != NULL);
        EXPECT(t->deadline > last || (t->deadline == last && t->order >= last_order));
        last = t->deadline;
        last_order = t->order;
    }
    EXPECT(wheel_pop(&w, now) == NULL);
}

TEST("a hundred thousand timers of one tick, armed in any order, come out in theirs")
{
    static const char *const orders[] = {"rising", "falling", "shuffled", "equal"};
    for (size_t k = 0; k < ARRAY_LEN(orders); k++) {
        start_at(0);
        for (size_t i = 0; i < MANY; i++) {
            size_t place = k == 0 ? i : k == 1 ? MANY - i : k == 2 ? (i * 7919) % MANY : 0;
            wheel_arm(&w, &timers[i], NS_PER_S + place % 60000, 0);
        }
        EXPECT(wheel_pop(&w, NS_PER_S - 1) == NULL);
        EXPECT(wheel_next(&w) == NS_PER_S);
        expect_all_in_order(NS_PER_S + TICK);
    }
}

TEST("a hundred thousand timers over a day are popped one by one, each at its moment")
{
    struct rng dice;
    rng_seed(&dice, 1, 0);
    start_at(77);
    for (size_t i = 0; i < MANY; i++)
        wheel_arm(&w, &timers[i], 77 + rng_below(&dice, 86400 * NS_PER_S), 0);
    check_wheel();
    EXPECT(wheel_pop_slow(&w, 77) == NULL || w.armed == MANY - 1);
    oriel_time last = 0;
    while (w.armed > 0) {
        oriel_time now = wheel_next(&w);
        EXPECT(now >= last);
        struct timer *t = wheel_pop(&w, now);
        EXPECT(t != NULL && t->deadline == now);
        while (wheel_pop(&w, now) != NULL)
            ;
        last = now;
    }
}

/* ---- against a plain array ---- */

struct model {
    bool armed[SOME];
    oriel_time deadline[SOME];
    uint64_t order[SOME];
    uint64_t orders;
    oriel_time now;
    struct rng dice;
};

static bool is_earlier(const struct model *m, int a, int b)
{
    return m->deadline[a] != m->deadline[b] ? m->deadline[a] < m->deadline[b]
                                            : m->order[a] < m->order[b];
}

static int model_first(const struct model *m)
{
    int first = -1;
    for (int i = 0; i < SOME; i++)
        if (m->armed[i] && (first < 0 || is_earlier(m, i, first)))
            first = i;
    return first;
}

static void arm_one(struct model *m, int i, oriel_time scale)
{
    oriel_time d = rng_below(&m->dice, scale);
    oriel_time at = time_after(m->now, d);
    uint64_t kind = rng_below(&m->dice, 16);
    if (kind == 0)
        at = m->now > d ? m->now - d : 0;       /* in the past */
    else if (kind == 1)
        at = m->deadline[rng_below(&m->dice, SOME)];    /* the same as another's */
    else if (kind < 6 && m->armed[i])
        at = time_after(m->deadline[i], d / 4); /* put off */
    if (at == ORIEL_NEVER)
        at--;
    wheel_arm(&w, &timers[i], at, 0);
    m->armed[i] = true;
    m->deadline[i] = at;
    m->order[i] = m->orders++;
}

/* Pop all that is due, or only some of it. */
static void run(struct model *m, oriel_time now)
{
    uint64_t limit = rng_below(&m->dice, 8) == 0 ? rng_below(&m->dice, 4) : SOME + 1;
    m->now = now;
    for (uint64_t n = 0; n < limit; n++) {
        int first = model_first(m);
        bool slow = now >= wheel_next(&w);
        struct timer *t = wheel_pop(&w, now);
        if (first < 0 || m->deadline[first] > now) {
            EXPECT(t == NULL);
            if (slow)
                EXPECT(wheel_next(&w) == (first < 0 ? ORIEL_NEVER : m->deadline[first]));
            return;
        }
        EXPECT(t == &timers[first]);
        m->armed[first] = false;
    }
}

static void compare_with_array(oriel_time start, oriel_time scale, oriel_time stride, uint64_t seed)
{
    static struct model m;
    m = (struct model){.now = start};
    rng_seed(&m.dice, seed, 0);
    start_at(start);
    for (int step = 0; step < 100000; step++) {
        int i = (int)rng_below(&m.dice, SOME);
        uint64_t what = rng_below(&m.dice, 10);
        if (what < 5) {
            /* now and then a timer from another world: nanoseconds among years */
            arm_one(&m, i, what == 0 ? (oriel_time)1 << rng_below(&m.dice, 56) : scale);
        } else if (what < 7) {
            wheel_cancel(&w, &timers[i]);
            m.armed[i] = false;
        } else if (what < 9) {
            run(&m, time_after(m.now, rng_below(&m.dice, stride)));
        } else if (wheel_next(&w) != ORIEL_NEVER && wheel_next(&w) > m.now) {
            run(&m, wheel_next(&w) - rng_below(&m.dice, 2));
        }
        int first = model_first(&m);
        EXPECT(wheel_next(&w) <= (first < 0 ? ORIEL_NEVER : m.deadline[first]));
        if (step % 512 == 0)
            check_wheel();
    }
}

TEST("random use matches a plain array: nanoseconds")
{
    compare_with_array(0, 1000, 100, 1);
    compare_with_array(TICK - 500, 5000, 700, 2);
}

TEST("random use matches a plain array: some ticks")
{
    compare_with_array(12345, 100 * TICK, 5 * TICK, 3);
}

TEST("random use matches a plain array: milliseconds to seconds")
{
    compare_with_array(0, 200 * NS_PER_MS, NS_PER_MS, 4);
    compare_with_array(YEAR, 60 * NS_PER_S, 10 * NS_PER_MS, 5);
}

TEST("random use matches a plain array: hours to years")
{
    compare_with_array(0, 2 * 3600 * NS_PER_S, 60 * NS_PER_S, 6);
    compare_with_array(NS_PER_S, YEAR / 100, YEAR / 1000000, 7);
}

TEST("random use matches a plain array: up to the end of time")
{
    compare_with_array(ORIEL_NEVER - YEAR, YEAR / 50, YEAR / 100000, 8);
}
