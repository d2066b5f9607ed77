/*
 * What a timer costs: arming with 1,000 to 1,000,000 others in the wheel (it must be flat), putting
 * one off, and the pop that finds nothing due with a million armed, beside a loop that does
 * nothing.
 *
 * `arm` is arming one timer and cancelling another beside that many others, deadlines at random
 * within two minutes, on a small set of timers that stay in the cache: the wheel's own work. `fill`
 * is arming that many one after the other from an empty wheel, which also pays for touching their
 * memory; `fire` is popping them all, with the cascading and sorting.
 */
#include "bench/bench.h"

#include "base/rng.h"
#include "base/wheel.h"

#define TIMERS_MAX 1000000u
#define HOT        1024u
#define OPS        1000000u
#define LOOPS      100000000u
#define HORIZON    (120 * NS_PER_S)

static struct wheel w;
static struct timer *timers;
static struct timer hot[HOT];
static oriel_time *deadlines;
static volatile oriel_time clock_now;

static double ns_since(double start, double ops)
{
    return (bench_seconds() - start) * 1e9 / ops;
}

static void empty_wheel(uint32_t n)
{
    wheel_init(&w, NS_PER_S);
    for (uint32_t i = 0; i < n; i++)
        timer_init(&timers[i], 0);
    for (uint32_t i = 0; i < HOT; i++)
        timer_init(&hot[i], 0);
}

static double fill(uint32_t n)
{
    double took = 0;
    uint32_t rounds = TIMERS_MAX / n;
    for (uint32_t round = 0; round < rounds; round++) {
        empty_wheel(n);
        double start = bench_seconds();
        for (uint32_t i = 0; i < n; i++)
            wheel_arm(&w, &timers[i], deadlines[i], 0);
        took += ns_since(start, n);
    }
    return took / rounds;
}

static double arm_and_cancel(void)
{
    double start = bench_seconds();
    for (uint32_t i = 0; i < OPS; i++) {
        wheel_arm(&w, &hot[i % HOT], deadlines[i], 0);
        wheel_cancel(&w, &hot[(i + HOT / 2) % HOT]);
    }
    return ns_since(start, OPS);
}

static double put_off(void)
{
    for (uint32_t i = 0; i < HOT; i++)
        wheel_arm(&w, &hot[i], HORIZON, 0);
    double start = bench_seconds();
    for (uint32_t i = 0; i < OPS; i++)
        wheel_arm(&w, &hot[i % HOT], HORIZON + i, 0);
    return ns_since(start, OPS);
}

/* The clock is read from memory in both loops, so that neither can be folded away. */
static double pop_nothing(void)
{
    uint64_t popped = 0;
    double start = bench_seconds();
    for (uint32_t i = 0; i < LOOPS; i++)
        popped += wheel_pop(&w, clock_now) != NULL;
    double took = ns_since(start, LOOPS);
    if (popped != 0)
        bench_skip("a timer fired that should not");
    return took;
}

static double do_nothing(void)
{
    oriel_time sum = 0;
    double start = bench_seconds();
    for (uint32_t i = 0; i < LOOPS; i++)
        sum += clock_now;
    double took = ns_since(start, LOOPS);
    clock_now = sum > 0 ? clock_now : 0;
    return took;
}

/* Fire all of them, in order, as fast as they come. */
static double fire_all(uint32_t n)
{
    double start = bench_seconds();
    uint32_t fired = 0;
    while (wheel_pop(&w, NS_PER_S + HORIZON) != NULL)
        fired++;
    if (fired != n)
        bench_skip("not every timer fired");
    return ns_since(start, n);
}

static void measure(uint32_t n)
{
    struct bench_runs filling = {.n = 0};
    struct bench_runs arming = {.n = 0};
    struct bench_runs firing = {.n = 0};
    for (int rep = 0; rep < BENCH_REPS; rep++) {
        bench_add(&filling, fill(n));
        bench_add(&arming, arm_and_cancel());
        for (uint32_t i = 0; i < HOT; i++)
            wheel_cancel(&w, &hot[i]);
        bench_add(&firing, fire_all(n));
    }
    char name[64];
    snprintf(name, sizeof(name), "wheel.arm.%u", n);
    bench_figure(name, &arming, "ns");
    snprintf(name, sizeof(name), "wheel.fill.%u", n);
    bench_figure(name, &filling, "ns");
    snprintf(name, sizeof(name), "wheel.fire.%u", n);
    bench_figure(name, &firing, "ns");
}

static void measure_pop(void)
{
    struct bench_runs putting = {.n = 0};
    struct bench_runs popping = {.n = 0};
    struct bench_runs nothing = {.n = 0};
    clock_now = NS_PER_S;
    (void)fill(TIMERS_MAX);
    (void)wheel_pop_slow(&w, NS_PER_S);
    for (int rep = 0; rep < BENCH_REPS; rep++) {
        bench_add(&popping, pop_nothing());
        bench_add(&nothing, do_nothing());
    }
    for (int rep = 0; rep < BENCH_REPS; rep++)
        bench_add(&putting, put_off());
    bench_figure("wheel.put_off.1000000", &putting, "ns");
    bench_figure("wheel.pop_none.1000000", &popping, "ns");
    bench_bound("wheel.empty_loop", &nothing, "ns");
}

int main(void)
{
    static const uint32_t counts[] = {1000, 10000, 100000, TIMERS_MAX};
    struct rng dice;
    rng_seed(&dice, 1, 0);
    timers = bench_memory(TIMERS_MAX * sizeof(*timers));
    deadlines = bench_memory(TIMERS_MAX * sizeof(*deadlines));
    for (uint32_t i = 0; i < TIMERS_MAX; i++)
        deadlines[i] = 2 * NS_PER_S + rng_below(&dice, HORIZON - NS_PER_S);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++)
        measure(counts[i]);
    measure_pop();
    free(timers);
    free(deadlines);
    return 0;
}
