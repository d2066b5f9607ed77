/*
 * What tracing costs: compiled in and off, and on.
 *
 *     build/bench/trace [--strict]        it makes the other build, without tracing, where it lacks
 *     build/bench/trace --ns              nanoseconds a segment: by what two builds are compared
 *     build/bench/trace --inside segment N
 *
 * trace.off compares this program with the same one built with ORIEL_TRACE=0 (in build-notrace) by
 * instructions a segment, which are the same on every run. trace.off_time compares them by time:
 * the two take turns, and the ratio is taken within a turn; trace.noise is what two turns of one
 * and the same program differ by. What is not beyond that cannot be measured.
 *
 * trace.on is the time of a transfer with all topics on, less that of the same with all off,
 * divided by the events that were written.
 */
#include "bench/pump.h"

#include "bench/calls.h"
#include "stack/stack.h"

#define WINDOW ((size_t)256 << 10)
#define BYTES  ((size_t)32 << 20)     /* of a turn */
#define TURNS  8                      /* of a repetition */
#define MSS    1460
#define OTHER  "build-notrace"

#define GOAL_ON  10.0
#define GOAL_OFF 1.01

struct bulk {
    struct pair x;
    struct pump t;
};

static void bulk_make(struct bulk *b, uint32_t events)
{
    struct pair_config c = pump_config(WINDOW);
    c.trace_events = events;
    pair_make(&b->x, &c);
    pump_make(&b->t, &b->x, false, bench_memory(PUMP_APP), bench_memory(PUMP_APP));
    pump_warm(&b->t, WINDOW);
}

static double bulk_ns(struct bulk *b)
{
    uint64_t was = b->t.received;
    double start = bench_busy();
    pump_bytes(&b->t, BYTES);
    return (bench_busy() - start) * 1e9 * MSS / (double)(b->t.received - was);
}

static uint64_t events_of(const struct bulk *b)
{
    return b->x.s[0]->own_trace.next + b->x.s[1]->own_trace.next;
}

/* ---- on ---- */

/* Nanoseconds of one event: `loud` writes them, `quiet` does the same without. */
static double event_ns(struct bulk *quiet, struct bulk *loud)
{
    uint64_t events = events_of(loud), bytes = loud->t.received;
    double more = 0;
    for (int i = 0; i < TURNS; i++)
        more += bulk_ns(loud) - bulk_ns(quiet);
    double segments = (double)(loud->t.received - bytes) / MSS;
    return more / TURNS * segments / (double)(events_of(loud) - events);
}

static void on(void)
{
    static struct bulk quiet, loud;
    struct bench_runs each = {.n = 0};
    bulk_make(&quiet, 0);
    bulk_make(&loud, 65536);
    for (int i = 0; i < BENCH_REPS; i++)
        bench_add(&each, event_ns(&quiet, &loud));
    bench_reach("trace.on", &each, "ns", BENCH_AT_MOST, GOAL_ON);
}

/* ---- off ---- */

static double ns_of(const char *program)
{
    char line[1024];
    double v = 0;
    snprintf(line, sizeof(line), "%s --ns", program);
    FILE *f = popen(line, "r");
    if (!f || fscanf(f, "%lf", &v) != 1)
        bench_skip("the other build does not run");
    pclose(f);
    return v;
}

static void off_by_time(const char *self, const char *other)
{
    struct bench_runs ratio = {.n = 0}, noise = {.n = 0};
    for (int i = 0; i < BENCH_REPS; i++) {
        double without = ns_of(other), with = ns_of(self), again = ns_of(self);
        bench_add(&ratio, with / without);
        bench_add(&noise, again > with ? again / with : with / again);
    }
    bench_figure("trace.noise", &noise, "x");
    bench_figure("trace.off_time", &ratio, "x");
}

static void off_by_instructions(const char *self, const char *other)
{
    static struct calls with, without;
    const long n = 20000;
    calls_count(&without, other, "segment", n);
    calls_count(&with, self, "segment", n);
    struct bench_runs a = bench_once(without.ir / (double)n), b = bench_once(with.ir / (double)n);
    struct bench_runs ratio = bench_once(with.ir / without.ir);
    bench_figure("trace.ir.without", &a, "instructions");
    bench_figure("trace.ir.off", &b, "instructions");
    bench_reach("trace.off", &ratio, "x", BENCH_AT_MOST, GOAL_OFF);
}

static void off(const char *self)
{
    const char *other = OTHER "/bench/trace";
    if (system("make -s B=" OTHER " CFLAGS=-DORIEL_TRACE=0 " OTHER "/bench/trace >/dev/null") != 0)
        bench_skip("the build without tracing cannot be made from here");
    off_by_instructions(self, other);
    off_by_time(self, other);
}

int main(int argc, char **argv)
{
    static struct bulk b;
    bench_pin();
    if (argc == 4 && strcmp(argv[1], "--inside") == 0) {
        bulk_make(&b, 0);
        CALLS_START();
        pump_bytes(&b.t, strtoull(argv[3], NULL, 10) * MSS);
        CALLS_STOP();
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--ns") == 0) {
        bulk_make(&b, 0);
        double ns = 0;
        for (int i = 0; i < TURNS; i++)
            ns += bulk_ns(&b) / TURNS;
        printf("%.3f\n", ns);
        return 0;
    }
    on();
    off(argv[0]);
    return argc == 2 && strcmp(argv[1], "--strict") == 0 && *bench_short() > 0;
}
