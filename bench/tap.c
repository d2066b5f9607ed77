/*
 * Oriel and the kernel over a TAP, both on one processor, beside the bound of any stack there (kernraw.h)
 * in the same run. Needs root; makes network namespaces of its own.
 *
 *     build/bench/tap [tso.rx tso.tx tso.copied.rx tso.copied.tx plain.rx plain.tx ping spin conn conn_100k_idle] [--strict]
 *
 *     tap.tso.rx, tap.tso.tx       Gbit/s from the kernel and to it, super-segments both ways
 *     tap.plain.rx, tap.plain.tx   the same in frames of 1,500 bytes, sums computed
 *     tap.tso.copied.rx, .tx       Oriel's application reads and writes through a buffer of its own
 *     tap.ping                     microseconds for one byte and back
 *     tap.ping.spin                the median of it where each end has a processor and never sleeps
 *     tap.conn                     connections a second, one after the other: a byte each way, closed
 *     tap.conn_100k_idle           the same beside 100,000 connections that do nothing
 */
#include "bench/kernlive.h"
#include "bench/kernraw.h"

#include "base/clock.h"

#define IDLE  100000
#define SPINS 20000

static char tso[] = "tap:t0,host=" KERN_THEM "/24,addr=" KERN_US "/24,mac=02:00:00:00:00:02";
static char plain[] = "tap:t0,host=" KERN_THEM "/24,addr=" KERN_US "/24,mac=02:00:00:00:00:02,plain";

struct figure {
    const char *name;
    char *spec;
    enum kern_what what;
    uint64_t n;
    uint64_t idle;
    const char *unit;
    double reach;               /* of the bound; 0: to be known */
    bool copies;
};

static const struct figure figures[] = {
    {"tso.rx", tso, KERN_SEND, (uint64_t)2 << 30, 0, "Gbit/s", 0.80, false},
    {"tso.tx", tso, KERN_RECV, (uint64_t)2 << 30, 0, "Gbit/s", 0.80, false},
    {"tso.copied.rx", tso, KERN_SEND, (uint64_t)2 << 30, 0, "Gbit/s", 0, true},
    {"tso.copied.tx", tso, KERN_RECV, (uint64_t)2 << 30, 0, "Gbit/s", 0, true},
    {"plain.rx", plain, KERN_SEND, (uint64_t)256 << 20, 0, "Gbit/s", 0.95, false},
    {"plain.tx", plain, KERN_RECV, (uint64_t)96 << 20, 0, "Gbit/s", 0.95, false},
    {"ping", tso, KERN_PING, 20000, 0, "us", 1 / 1.05, false},
    {"conn", tso, KERN_CONN, 6000, 0, "1/s", 0.97, false},
    {"conn_100k_idle", tso, KERN_CONN, 6000, IDLE, "1/s", 0.97, false},
};

static double value(const struct figure *f, double seconds)
{
    if (f->what == KERN_PING)
        return seconds / (double)f->n * 1e6;
    return (double)f->n * (f->what == KERN_CONN ? 1 : 8e-9) / seconds;
}

static void measure(const struct figure *f)
{
    struct kern bound, ours;
    struct bench_runs b = {.n = 0}, r = {.n = 0}, ratio = {.n = 0};
    char name[64];
    live_copies = f->copies;
    kern_start(&bound, raw_serve, f->spec);
    kern_start(&ours, live_serve, f->spec);
    if (f->idle > 0) {
        (void)kern_ask(&bound, KERN_IDLE, f->idle);
        (void)kern_ask(&ours, KERN_IDLE, f->idle);
    }
    for (int i = -1; i < BENCH_REPS; i++) {
        double x = kern_ask(&bound, f->what, f->n), y = kern_ask(&ours, f->what, f->n);
        if (i < 0)
            continue;           /* to become warm */
        bench_add(&b, value(f, x));
        bench_add(&r, value(f, y));
        bench_add(&ratio, x / y);
    }
    kern_stop(&bound);
    kern_stop(&ours);
    snprintf(name, sizeof(name), "tap.%s", f->name);
    bench_bound(name, &b, f->unit);
    if (f->reach == 0)
        bench_figure(name, &r, f->unit);
    else
        bench_reach_bound(name, &r, f->unit, &b, &ratio, f->reach);
}

static void measure_spinning(void)
{
    struct kern ours;
    struct bench_runs r = {.n = 0};
    live_copies = false;
    live_spins = NS_PER_S;
    kern_start(&ours, live_serve, tso);
    live_spins = 0;
    for (int i = -1; i < BENCH_REPS; i++) {
        double took = kern_ask(&ours, KERN_SPIN, SPINS) / SPINS * 1e6;
        if (i >= 0)
            bench_add(&r, took);
    }
    kern_stop(&ours);
    bench_reach("tap.ping.spin", &r, "us", BENCH_AT_MOST, 6);
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        any = any || argv[i][0] != '-';
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return !any;
}

int main(int argc, char **argv)
{
    bool strict = argc > 1 && strcmp(argv[argc - 1], "--strict") == 0;
    kern_begin();
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++)
        if (wanted(figures[i].name, argc, argv))
            measure(&figures[i]);
    if (wanted("spin", argc, argv) && sysconf(_SC_NPROCESSORS_ONLN) > 1)
        measure_spinning();
    return strict && *bench_short() > 0;
}
