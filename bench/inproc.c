/*
 * Two stacks in one process, both ends on one processor: how fast bytes go from one application to
 * the other, and how many instructions a segment, a round trip and a whole connection take.
 *
 *     build/bench/inproc             everything
 *     build/bench/inproc bulk        throughput by window, beside the bound of the same run
 *     build/bench/inproc super       the same with super-segments over a link that vouches
 *     build/bench/inproc ir          instructions, by callgrind (needs valgrind)
 *     build/bench/inproc idle        a connection beside a million idle and a million in TIME-WAIT
 *     build/bench/inproc profile WHAT     where the instructions go; WHAT as under --inside
 *     ... --strict                   exits 1 when a figure falls short
 *     build/bench/inproc --inside segment|super|zero|pingpong|connection|crowd N
 *                                    what callgrind sees
 *
 * MTU 1500, segments of 1460 bytes, no timestamps, checksums on, nothing lost. Bound and stack take
 * turns, repetition by repetition, and the ratio is taken within one; time is what the thread ran.
 * These two make figures that another load on the machine changes little.
 *
 * Instructions are of both ends and of all that happens between the two applications, and of the
 * two applications themselves (a few dozen): nothing is taken off, but for
 * inproc.ir.segment_protocol, which is without the functions that copy and sum
 * (calls_is_payload). A segment is 1460 bytes of payload, with its share of acknowledgements.
 */
#include "bench/pump.h"

#include "bench/bound.h"
#include "bench/calls.h"
#include "bench/crowd.h"

#define MSS         1460u
#define REP_BYTES   ((size_t)512 << 20)
#define SUPER_BYTES 65415u          /* payload of the largest super-segment */

#define GOAL_BULK     0.75
#define GOAL_SUPER    0.80
#define GOAL_SEGMENT  1300
#define GOAL_PROTOCOL 450
#define GOAL_PING     2200
#define GOAL_CONN     7000

static const char *self;

/* ---- throughput ---- */

struct race {
    struct bound bound;
    struct pair pair;
    struct pump pump;
    uint8_t *memory;
    size_t memory_bytes;
};

static void race_make(struct race *r, enum bound_kind kind, size_t window, bool super, bool zero)
{
    size_t len = super ? SUPER_BYTES : MSS, stride = super ? 66048 : 2048;
    struct pair_config c = pump_config(window);
    c.vouches = super;
    c.super = super;
    r->memory_bytes = bound_room(window, len, stride) + 4 * PUMP_APP;
    r->memory = bench_area(r->memory_bytes, true);
    memset(r->memory, 1, r->memory_bytes);
    bound_init(&r->bound, kind, window, len, stride, r->memory, bench_cpu());
    pair_make(&r->pair, &c);
    pump_make(&r->pump, &r->pair, zero, r->bound.from, r->bound.to);
    pump_warm(&r->pump, window);
}

static void race_end(struct race *r)
{
    pair_abort(&r->pair, r->pump.a, r->pump.b);
    pair_end(&r->pair);
    (void)munmap(r->memory, r->memory_bytes);
}

static double pump_gbits(struct pump *t, size_t bytes)
{
    uint64_t was = t->received;
    double start = bench_busy();
    pump_bytes(t, bytes);
    double took = bench_busy() - start;
    return (double)(t->received - was) * 8e-9 / took;
}

/* to_reach 0: reported, no more. */
static void race(const char *name, enum bound_kind kind, size_t window, bool super, bool zero,
                 double to_reach)
{
    static struct race r;
    struct bench_runs ours = {.n = 0}, bound = {.n = 0}, ratio = {.n = 0};
    race_make(&r, kind, window, super, zero);
    for (int rep = 0; rep < BENCH_REPS; rep++) {
        double b = bound_gbits(&r.bound, REP_BYTES);
        double v = pump_gbits(&r.pump, REP_BYTES);
        bench_add(&bound, b);
        bench_add(&ours, v);
        bench_add(&ratio, v / b);
    }
    if (to_reach > 0)
        bench_reach_bound(name, &ours, "Gbit/s", &bound, &ratio, to_reach);
    else
        bench_figure(name, &ours, "Gbit/s");
    race_end(&r);
}

static const struct {
    const char *name;
    size_t window;
} windows[] = {
    {"64k", (size_t)64 << 10},
    {"256k", (size_t)256 << 10},
    {"1m", (size_t)1 << 20},
    {"4m", (size_t)4 << 20},
};

static void bulk(void)
{
    char name[64];
    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        snprintf(name, sizeof(name), "inproc.bulk.%s", windows[i].name);
        race(name, BOUND_SUMMED, windows[i].window, false, false, GOAL_BULK);
    }
    race("inproc.bulk.zero_copy", BOUND_SHARED, (size_t)256 << 10, false, true, 0);
}

static void super(void)
{
    race("inproc.bulk.super", BOUND_COPIED, (size_t)1 << 20, true, false, GOAL_SUPER);
    race("inproc.bulk.super_zero_copy", BOUND_COPIED, (size_t)1 << 20, true, true, 0);
}

/* ---- what callgrind sees ---- */

static void inside_pump(long n, bool super, bool zero)
{
    struct pair x;
    struct pump t;
    size_t window = (size_t)256 << 10;
    struct pair_config c = pump_config(window);
    c.vouches = super;
    c.super = super;
    uint8_t *from = bench_memory(PUMP_APP), *to = bench_memory(PUMP_APP);
    pair_make(&x, &c);
    pump_make(&t, &x, zero, from, to);
    pump_warm(&t, window);
    uint64_t was = t.received;
    CALLS_START();
    pump_bytes(&t, (uint64_t)n * MSS);
    CALLS_STOP();
    printf("segments %.1f frames %" PRIu64 " %" PRIu64 "\n", (double)(t.received - was) / MSS,
           x.frames[0], x.frames[1]);
}

static void inside_pingpong(long n)
{
    struct pair x;
    struct pump t;
    struct pair_config c = pump_config((size_t)256 << 10);
    uint8_t *from = bench_memory(PUMP_APP), *to = bench_memory(PUMP_APP);
    pair_make(&x, &c);
    pump_make(&t, &x, false, from, to);
    for (int i = 0; i < 1000; i++)
        pair_ping(&x, t.a, t.b);
    CALLS_START();
    for (long i = 0; i < n; i++)
        pair_ping(&x, t.a, t.b);
    CALLS_STOP();
}

/*
 * Connections that come and go. TIME-WAIT is so short, or time passes so fast, that as many leave
 * it as enter it, and what that takes is counted with the rest.
 */
#define CROWD       1000000u
#define CROWD_PORTS 256u

static void inside_connection(long n)
{
    struct pair x;
    struct pair_config c = {.connections = 4096, .ports = CROWD_PORTS,
                            .tcp = {.no_timestamps = true, .msl_ms = 1}};
    pair_make(&x, &c);
    pair_listen(&x, 0);
    for (uint64_t i = 0; i < 1000; i++)
        crowd_visit(&x, i);
    CALLS_START();
    for (uint64_t i = 0; i < (uint64_t)n; i++)
        crowd_visit(&x, i);
    CALLS_STOP();
}

static void inside_crowd(long n)
{
    struct pair x;
    struct crowd all;
    struct pair_config c = {.connections = CROWD + 1024, .ports = CROWD_PORTS,
                            .stack_bytes = (size_t)2 << 30,
                            .tcp = {.no_timestamps = true, .msl_ms = 30000,
                                    .time_wait = CROWD + 65536}};
    pair_make(&x, &c);
    pair_listen(&x, 0);
    crowd_open(&all, &x, CROWD);
    x.tick = 60 * NS_PER_S / CROWD / CROWD_FRAMES;
    for (uint64_t i = 0; i < CROWD + 1000; i++)
        crowd_visit(&x, i);
    fprintf(stderr, "%u idle, %u in TIME-WAIT\n", all.n, crowd_in(&x, 0, ORIEL_TCP_TIME_WAIT));
    CALLS_START();
    for (uint64_t i = 0; i < (uint64_t)n; i++)
        crowd_visit(&x, i);
    CALLS_STOP();
}

static void inside(const char *what, long n)
{
    if (strcmp(what, "segment") == 0)
        inside_pump(n, false, false);
    else if (strcmp(what, "zero") == 0)
        inside_pump(n, false, true);
    else if (strcmp(what, "super") == 0)
        inside_pump(n, true, false);
    else if (strcmp(what, "pingpong") == 0)
        inside_pingpong(n);
    else if (strcmp(what, "connection") == 0)
        inside_connection(n);
    else if (strcmp(what, "crowd") == 0)
        inside_crowd(n);
    else
        bench_skip("nothing of that name");
}

/* ---- instructions ---- */

static void count(const char *name, const char *what, long n, double to_reach)
{
    static struct calls c;
    calls_count(&c, self, what, n);
    struct bench_runs r = bench_once(c.ir / (double)n);
    if (to_reach > 0)
        bench_reach(name, &r, "instructions", BENCH_AT_MOST, to_reach);
    else
        bench_figure(name, &r, "instructions");
}

static void ir(void)
{
    static struct calls c;
    const long n = 20000;
    calls_count(&c, self, "segment", n);
    struct bench_runs all = bench_once(c.ir / (double)n);
    struct bench_runs rest = bench_once((c.ir - calls_payload(&c)) / (double)n);
    bench_reach("inproc.ir.segment", &all, "instructions", BENCH_AT_MOST, GOAL_SEGMENT);
    bench_reach("inproc.ir.segment_protocol", &rest, "instructions", BENCH_AT_MOST, GOAL_PROTOCOL);
    count("inproc.ir.segment_zero_copy", "zero", n, 0);
    count("inproc.ir.pingpong", "pingpong", 5000, GOAL_PING);
    count("inproc.ir.connection", "connection", 2000, GOAL_CONN);
}

static void idle(void)
{
    count("inproc.ir.connection_1m_idle", "crowd", 2000, GOAL_CONN);
}

static void profile(const char *what)
{
    static struct calls c;
    const long n = strcmp(what, "connection") == 0 || strcmp(what, "crowd") == 0 ? 2000 : 20000;
    calls_count(&c, self, what, n);
    printf("%s: %.0f instructions, %.0f without copies and sums\n", what, c.ir / (double)n,
           (c.ir - calls_payload(&c)) / (double)n);
    calls_print(&c, (double)n, 60);
}

int main(int argc, char **argv)
{
    const char *what = "";
    bool strict = false;
    self = argv[0];
    bench_pin();
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--strict") == 0)
            strict = true;
    if (argc > 1 && strcmp(argv[1], "--strict") != 0)
        what = argv[1];
    if (argc == 4 && strcmp(what, "--inside") == 0) {
        inside(argv[2], strtol(argv[3], NULL, 10));
        return 0;
    }
    if (strcmp(what, "profile") == 0) {
        profile(argc > 2 ? argv[2] : "segment");
        return 0;
    }
    bool all = *what == 0;
    if (all || strcmp(what, "bulk") == 0)
        bulk();
    if (all || strcmp(what, "super") == 0)
        super();
    if (all || strcmp(what, "ir") == 0)
        ir();
    if (all || strcmp(what, "idle") == 0)
        idle();
    return strict && *bench_short() > 0;
}
