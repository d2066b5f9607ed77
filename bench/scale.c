/*
 * Ten million ends of connections in one process, and what a segment costs among them.
 *
 *     build/bench/scale [ENDS] [--strict]            10,000,000 unless given: needs 8 GiB or so
 *     build/bench/scale time|ir [ENDS] [--strict]    only that part
 *     build/bench/scale --inside few|ENDS N          what callgrind sees
 *
 * Both ends of each connection are here, in two stacks. A round takes 32 connections at random; on
 * each a byte goes there and one comes back, and the last acknowledgement leaves by its timer (time
 * moves on by 50 ms): three segments in all, each built by one stack and received by the other, in
 * batches. The cost of a segment is the round's divided by 96. It is the same with 100 connections,
 * but everything is in the cache then; with ten million nothing is. Both areas are asked for in
 * huge pages: without them every look-up also misses in the translation of addresses.
 *
 * scale.established counts the ends on which a ping was answered: all of them are tried.
 */
#include "bench/crowd.h"

#include "base/rng.h"
#include "bench/calls.h"

#define ENDS   10000000u
#define FEW    100u             /* connections, to compare with */
#define PORTS  1024u
#define BATCH  32u
#define SEGS   3u               /* of a ping */
#define ROUNDS 4000u

#define GOAL_IR 2.0
#define GOAL_NS 5.0

static uint32_t ends = ENDS;

struct field {
    struct pair x;
    struct crowd all;
    struct rng dice;
};

static void field_make(struct field *f, uint32_t connections)
{
    struct pair_config c = {.connections = connections + 8 * PORTS + 64, .ports = PORTS};
    c.stack_bytes = ((size_t)512 << 20) + (size_t)connections * 1024;
    c.tcp.no_timestamps = true;
    pair_make(&f->x, &c);
    pair_listen(&f->x, 0);
    crowd_open(&f->all, &f->x, connections);
    rng_seed(&f->dice, 1, 0);
}

static void field_free(struct field *f)
{
    crowd_free(&f->all);
    pair_forget(&f->x);
}

static void answer(struct field *f, const uint32_t *who, unsigned n)
{
    uint8_t b;
    for (unsigned i = 0; i < n; i++) {
        if (pair_must(oriel_recv(f->x.s[1], f->all.b[who[i]], &b, 1, NULL), "ping") != 1)
            pair_must(ORIEL_EPIPE, "ping");
        pair_must(oriel_send(f->x.s[1], f->all.b[who[i]], &b, 1, NULL), "answer");
    }
}

/* Pings on those connections; each must be answered. */
static void ping(struct field *f, const uint32_t *who, unsigned n)
{
    uint8_t b = 1;
    for (unsigned i = 0; i < n; i++)
        pair_must(oriel_send(f->x.s[0], f->all.a[who[i]], &b, 1, NULL), "ping");
    (void)pair_move(&f->x, 0);
    answer(f, who, n);
    (void)pair_move(&f->x, 1);
    for (unsigned i = 0; i < n; i++)
        if (pair_must(oriel_recv(f->x.s[0], f->all.a[who[i]], &b, 1, NULL), "answer") != 1)
            pair_must(ORIEL_EPIPE, "answer");
    pair_wait(&f->x, 50 * NS_PER_MS);
    (void)pair_move(&f->x, 0);
}

/* Different ones in a round: two pings on one connection would share segments. */
static void choose(struct field *f, uint32_t *who)
{
    for (unsigned i = 0; i < BATCH; i++) {
        who[i] = (uint32_t)rng_below(&f->dice, f->all.n);
        for (unsigned k = 0; k < i; k++)
            if (who[k] == who[i]) {
                i--;
                break;
            }
    }
}

static void rounds(struct field *f, unsigned n, uint32_t (*who)[BATCH])
{
    for (unsigned i = 0; i < n; i++)
        ping(f, who[i], BATCH);
}

static double ns_of_segment(struct field *f)
{
    static uint32_t who[ROUNDS][BATCH];
    for (unsigned i = 0; i < ROUNDS; i++)
        choose(f, who[i]);
    uint64_t was = f->x.frames[0] + f->x.frames[1];
    double start = bench_busy();
    rounds(f, ROUNDS, who);
    double took = bench_busy() - start;
    uint64_t frames = f->x.frames[0] + f->x.frames[1] - was;
    if (frames != (uint64_t)ROUNDS * BATCH * SEGS)
        fprintf(stderr, "%.3f segments a ping, not %u\n", (double)frames / ROUNDS / BATCH, SEGS);
    return took * 1e9 / (double)frames;
}

static struct bench_runs ns_runs(struct field *f)
{
    struct bench_runs r = {.n = 0};
    (void)ns_of_segment(f);
    for (int i = 0; i < BENCH_REPS; i++)
        bench_add(&r, ns_of_segment(f));
    return r;
}

static uint32_t ping_all(struct field *f)
{
    uint32_t who[BATCH];
    for (uint32_t i = 0; i + BATCH <= f->all.n; i += BATCH) {
        for (uint32_t k = 0; k < BATCH; k++)
            who[k] = i + k;
        ping(f, who, BATCH);
    }
    return f->all.n / BATCH * BATCH;
}

static double resident_gib(void)
{
    double pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%*s %lf", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * 4096 / (double)(1u << 30);
}

static void require_memory(void)
{
    double kib = 0;
    char line[256];
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %lf", &kib) == 1)
            break;
    if (f)
        fclose(f);
    if (kib * 1024 < (double)ends * 640 + 1e9)
        bench_skip("not enough free memory for so many connections");
}

static void time_part(void)
{
    static struct field few, many;
    field_make(&few, FEW);
    struct bench_runs a = ns_runs(&few);
    field_free(&few);
    bench_figure("scale.ns.100", &a, "ns");

    double start = bench_busy();
    field_make(&many, ends / 2);
    struct bench_runs open = bench_once((bench_busy() - start) / many.all.n * 1e9);
    bench_figure("scale.ns.open", &open, "ns");
    struct bench_runs b = ns_runs(&many);
    bench_figure("scale.ns.many", &b, "ns");
    struct bench_runs answered = bench_once(2.0 * ping_all(&many));
    struct bench_runs gib = bench_once(resident_gib());
    bench_reach("scale.established", &answered, "ends", BENCH_AT_LEAST, ends);
    bench_figure("scale.resident", &gib, "GiB");
    struct bench_runs ratio = bench_once(bench_median(&b) / bench_median(&a));
    bench_reach("scale.ns_ratio", &ratio, "x", BENCH_AT_MOST, GOAL_NS);
    field_free(&many);
}

static void inside(uint32_t connections, unsigned n)
{
    static struct field f;
    static uint32_t who[ROUNDS][BATCH];
    field_make(&f, connections);
    for (unsigned i = 0; i < n && i < ROUNDS; i++)
        choose(&f, who[i]);
    rounds(&f, n / 2, who);
    CALLS_START();
    rounds(&f, n - n / 2, who + n / 2);
    CALLS_STOP();
}

static void ir_part(const char *self)
{
    static struct calls few, many;
    char what[64];
    const long n = 1000;
    const double segments = (double)(n - n / 2) * BATCH * SEGS;
    calls_count(&few, self, "few", n);
    snprintf(what, sizeof(what), "%u", ends);
    calls_count(&many, self, what, n);
    struct bench_runs a = bench_once(few.ir / segments), b = bench_once(many.ir / segments);
    struct bench_runs ratio = bench_once(many.ir / few.ir);
    bench_figure("scale.ir.100", &a, "instructions");
    bench_figure("scale.ir.many", &b, "instructions");
    bench_reach("scale.ir_ratio", &ratio, "x", BENCH_AT_MOST, GOAL_IR);
}

int main(int argc, char **argv)
{
    bool strict = false, time = true, count = true;
    bench_pin();
    if (argc == 4 && strcmp(argv[1], "--inside") == 0) {
        uint32_t n = (uint32_t)strtoul(argv[2], NULL, 10);
        inside(n ? n / 2 : FEW, (unsigned)strtoul(argv[3], NULL, 10));
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--strict") == 0)
            strict = true;
        else if (strcmp(argv[i], "time") == 0)
            count = false;
        else if (strcmp(argv[i], "ir") == 0)
            time = false;
        else
            ends = (uint32_t)strtoul(argv[i], NULL, 10);
    }
    require_memory();
    if (time)
        time_part();
    if (count)
        ir_part(argv[0]);
    return strict && *bench_short() > 0;
}
