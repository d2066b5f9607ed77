/*
 * Route look-up: random addresses in tables of random prefixes, lengths mixed as in the Internet's
 * own table (IPv4: mostly /24, IPv6: mostly /48 and /32). Every look-up reads the route it found,
 * as a sender does.
 *
 * The tables take turns, repetition by repetition, so that a machine that slows down slows all of
 * them.
 */
#include "bench/bench.h"

#include "base/rng.h"
#include "ip/route.h"

#define LOOKUPS   ((size_t)1 << 20)
#define NIFS      16

struct subject {
    const char *name;
    uint32_t routes;
    bool v6;
    struct route_table table;
    struct oriel_addr *dst;
    struct bench_runs runs;
};

struct share {
    uint8_t len;
    uint8_t percent;
};

static const struct share lens4[] = {
    {8, 1}, {12, 1}, {14, 1}, {16, 3}, {18, 2}, {19, 3}, {20, 5}, {21, 5}, {22, 12}, {23, 9},
    {24, 55}, {28, 1}, {32, 2},
};

static const struct share lens6[] = {
    {20, 1}, {28, 2}, {29, 5}, {32, 17}, {36, 4}, {40, 8}, {44, 7}, {48, 50}, {56, 2}, {64, 4},
};

static volatile uint64_t sink;

static uint8_t draw_len(struct rng *g, const struct share *s)
{
    uint64_t at = rng_below(g, 100);
    while (at >= s->percent)
        at -= (s++)->percent;
    return s->len;
}

/* Unicast, 1.0.0.0 to 223.255.255.255. */
static uint32_t draw_v4(struct rng *g)
{
    return (uint32_t)rng_between(g, 0x01000000, 0xdfffffff);
}

/*
 * Global unicast as it is given out: a few thousand blocks of /32, and random below. Uniform
 * addresses would all miss at the root.
 */
static struct oriel_addr draw_v6(struct rng *g)
{
    uint64_t block = rng_below(g, 8192) * 0x9e3779b97f4a7c15u >> 35;
    return addr_v6((uint64_t)1 << 61 | block << 32 | (rng_u64(g) & 0xffffffff), rng_u64(g));
}

static struct prefix draw_prefix(struct rng *g, bool v6)
{
    if (v6)
        return prefix_of(draw_v6(g), draw_len(g, lens6));
    return prefix_v4(draw_v4(g), draw_len(g, lens4));
}

static void build(struct subject *s, struct rng *g)
{
    size_t bytes = (size_t)s->routes * 256 + ((size_t)2 << 20);
    struct arena a;
    arena_init(&a, bench_memory(bytes), bytes);
    if (!route_table_init(&s->table, &a, s->routes))
        bench_skip("not enough memory");
    for (uint32_t n = 0; n < s->routes;) {
        struct route r = {
            .prefix = draw_prefix(g, s->v6),
            .nif = (uint16_t)(1 + n % NIFS),
        };
        n += route_add(&s->table, &r) == 0;
    }
    s->dst = bench_memory(LOOKUPS * sizeof(*s->dst));
    for (size_t i = 0; i < LOOKUPS; i++)
        s->dst[i] = s->v6 ? draw_v6(g) : addr_v4(draw_v4(g));
}

static double ns_per_lookup(const struct subject *s)
{
    uint64_t sum = 0;
    double start = bench_seconds();
    for (size_t i = 0; i < LOOKUPS; i++) {
        const struct route *r = route_lookup(&s->table, &s->dst[i], 0);
        sum += r ? r->nif : 0;
    }
    double took = bench_seconds() - start;
    sink = sum;
    return took * 1e9 / (double)LOOKUPS;
}

int main(void)
{
    static struct subject subjects[] = {
        {.name = "route.lookup.1k", .routes = 1000},
        {.name = "route.lookup.10k", .routes = 10000},
        {.name = "route.lookup.100k", .routes = 100000},
        {.name = "route.lookup6.100k", .routes = 100000, .v6 = true},
    };
    struct rng g;
    rng_seed(&g, 1, 1);
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
        build(&subjects[i], &g);
    for (int rep = 0; rep < BENCH_REPS; rep++)
        for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
            bench_add(&subjects[i].runs, ns_per_lookup(&subjects[i]));
    for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
        bench_figure(subjects[i].name, &subjects[i].runs, "ns");
    return 0;
}
