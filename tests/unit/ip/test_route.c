/* The route table against a list that is searched from one end to the other. */
#include "fixture.h"

#include "ip/route.c"

#define ORACLE_MAX 600
#define LARGE      40000u       /* routes: such a table has slots */

struct fx {
    struct fx_env base;
    struct route_table t;
    struct rng g;
};

static void fx_init(struct fx *f, uint32_t routes_max)
{
    fx_env_init(&f->base);
    EXPECT(route_table_init(&f->t, &f->base.arena, routes_max));
    rng_seed(&f->g, FX_SEED, 7);
}

static void fx_fini(struct fx *f)
{
    fx_env_fini(&f->base);
}

static struct prefix prefix_text(const char *text)
{
    struct prefix p;
    assert_true(prefix_parse(span_str(text), &p));
    return p;
}

static struct oriel_addr addr_text(const char *text)
{
    struct oriel_addr a;
    if (strcmp(text, "-") == 0)
        return ADDR_NONE;
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

static int add(struct fx *f, const char *prefix, const char *gateway, uint16_t nif, uint32_t metric)
{
    struct route r = {
        .prefix = prefix_text(prefix),
        .gateway = addr_text(gateway),
        .nif = nif,
        .metric = metric,
    };
    return route_add(&f->t, &r);
}

static int del(struct fx *f, const char *prefix, const char *gateway, uint16_t nif)
{
    struct prefix p = prefix_text(prefix);
    struct oriel_addr a = addr_text(gateway);
    return route_del(&f->t, &p, &a, nif);
}

/* The metric of the route that is found: the tests' name for a route; 0 when there is none. */
static uint32_t find(const struct fx *f, const char *dst, uint16_t nif)
{
    struct oriel_addr a = addr_text(dst);
    const struct route *r = route_lookup(&f->t, &a, nif);
    return r ? r->metric : 0;
}

/* ---- by hand ---- */

TEST("the longest prefix wins, whatever the order they came in")
{
    static const uint32_t order[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const char *const prefix[] = {"0.0.0.0/0", "10.0.0.0/8", "10.1.2.0/24"};
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct fx f;
        fx_init(&f, 16);
        for (size_t k = 0; k < 3; k++)
            EXPECT_EQ(add(&f, prefix[order[i][k]], "-", 1, order[i][k] + 1), 0);
        EXPECT_EQ(find(&f, "10.1.2.3", 0), 3);
        EXPECT_EQ(find(&f, "10.1.3.3", 0), 2);
        EXPECT_EQ(find(&f, "11.1.2.3", 0), 1);
        EXPECT_EQ(find(&f, "2001:db8::1", 0), 0);
        fx_fini(&f);
    }
}

TEST("an empty table has no route for anybody")
{
    struct fx f;
    fx_init(&f, 4);
    EXPECT_EQ(find(&f, "10.0.0.1", 0), 0);
    EXPECT_EQ(find(&f, "::1", 3), 0);
    uint32_t cursor = 0;
    EXPECT(route_each(&f.t, &cursor) == NULL);
    EXPECT_EQ(del(&f, "10.0.0.0/8", "-", 0), ORIEL_ENOENT);
    fx_fini(&f);
}

TEST("the default route of one family is not the default route of the other")
{
    struct fx f;
    fx_init(&f, 4);
    EXPECT_EQ(add(&f, "::/0", "-", 1, 6), 0);
    EXPECT_EQ(find(&f, "192.0.2.1", 0), 0);
    EXPECT_EQ(add(&f, "0.0.0.0/0", "-", 1, 4), 0);
    EXPECT_EQ(find(&f, "192.0.2.1", 0), 4);
    EXPECT_EQ(find(&f, "2001:db8::1", 0), 6);
    EXPECT_EQ(del(&f, "::/0", "-", 1), 0);
    EXPECT_EQ(find(&f, "2001:db8::1", 0), 0);
    EXPECT_EQ(find(&f, "192.0.2.1", 0), 4);
    fx_fini(&f);
}

TEST("host routes of both families match one address only")
{
    struct fx f;
    fx_init(&f, 4);
    EXPECT_EQ(add(&f, "192.0.2.1/32", "-", 1, 4), 0);
    EXPECT_EQ(add(&f, "2001:db8::1/128", "-", 1, 6), 0);
    EXPECT_EQ(find(&f, "192.0.2.1", 0), 4);
    EXPECT_EQ(find(&f, "192.0.2.0", 0), 0);
    EXPECT_EQ(find(&f, "2001:db8::1", 0), 6);
    EXPECT_EQ(find(&f, "2001:db8::", 0), 0);
    fx_fini(&f);
}

TEST("among routes of one prefix the lowest metric is first, then the one that came first")
{
    struct fx f;
    fx_init(&f, 8);
    EXPECT_EQ(add(&f, "0.0.0.0/0", "10.0.0.1", 1, 20), 0);
    EXPECT_EQ(add(&f, "0.0.0.0/0", "10.0.0.2", 2, 10), 0);
    EXPECT_EQ(add(&f, "0.0.0.0/0", "10.0.0.3", 1, 30), 0);
    EXPECT_EQ(add(&f, "0.0.0.0/0", "10.0.0.4", 2, 20), 0);
    static const char *const gateway[] = {"10.0.0.2", "10.0.0.1", "10.0.0.4", "10.0.0.3"};
    struct oriel_addr dst = addr_text("8.8.8.8");
    const struct route *r = route_lookup(&f.t, &dst, 0);
    for (size_t i = 0; i < ARRAY_LEN(gateway); i++, r = route_next(&f.t, r, 0)) {
        struct oriel_addr want = addr_text(gateway[i]);
        assert_non_null(r);
        EXPECT(addr_eq(&r->gateway, &want));
    }
    EXPECT(r == NULL);
    r = route_lookup(&f.t, &dst, 1);
    EXPECT_EQ(r->metric, 20);
    r = route_next(&f.t, r, 1);
    EXPECT_EQ(r->metric, 30);
    EXPECT(route_next(&f.t, r, 1) == NULL);
    fx_fini(&f);
}

TEST("over one interface a shorter prefix is better than none")
{
    struct fx f;
    fx_init(&f, 8);
    EXPECT_EQ(add(&f, "10.1.2.0/24", "-", 1, 24), 0);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "-", 2, 8), 0);
    EXPECT_EQ(add(&f, "0.0.0.0/0", "-", 1, 100), 0);
    EXPECT_EQ(find(&f, "10.1.2.3", 0), 24);
    EXPECT_EQ(find(&f, "10.1.2.3", 1), 24);
    EXPECT_EQ(find(&f, "10.1.2.3", 2), 8);
    EXPECT_EQ(find(&f, "10.2.2.3", 1), 100);
    EXPECT_EQ(find(&f, "10.1.2.3", 3), 0);
    fx_fini(&f);
}

TEST("link-local routes of several links stand side by side; the zone chooses")
{
    struct fx f;
    fx_init(&f, 8);
    EXPECT_EQ(add(&f, "fe80::%1/64", "-", 1, 1), 0);
    EXPECT_EQ(add(&f, "fe80::%2/64", "-", 2, 2), 0);
    EXPECT_EQ(find(&f, "fe80::5%1", 0), 1);
    EXPECT_EQ(find(&f, "fe80::5%2", 0), 2);
    EXPECT_EQ(find(&f, "fe80::5%3", 0), 0);
    EXPECT_EQ(find(&f, "fe80::5", 2), 2);
    struct oriel_addr dst = addr_text("fe80::5%1");
    EXPECT(route_next(&f.t, route_lookup(&f.t, &dst, 0), 0) == NULL);
    EXPECT_EQ(del(&f, "fe80::%2/64", "-", 0), 0);
    EXPECT_EQ(find(&f, "fe80::5%1", 0), 1);
    EXPECT_EQ(find(&f, "fe80::5%2", 0), 0);
    fx_fini(&f);
}

TEST("the same prefix, gateway and interface cannot be added twice")
{
    struct fx f;
    fx_init(&f, 8);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "10.0.0.1", 1, 1), 0);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "10.0.0.1", 1, 9), ORIEL_EEXIST);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "10.0.0.2", 1, 2), 0);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "10.0.0.1", 2, 3), 0);
    EXPECT_EQ(add(&f, "10.0.0.0/9", "10.0.0.1", 1, 4), 0);
    EXPECT_EQ(f.t.routes.live, 4);
    fx_fini(&f);
}

TEST("a route is deleted by prefix, gateway and interface; interface 0 is any")
{
    struct fx f;
    fx_init(&f, 8);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "10.0.0.1", 1, 1), 0);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "10.0.0.1", 2, 2), 0);
    EXPECT_EQ(del(&f, "10.0.0.0/8", "10.0.0.2", 0), ORIEL_ENOENT);
    EXPECT_EQ(del(&f, "10.0.0.0/8", "10.0.0.1", 3), ORIEL_ENOENT);
    EXPECT_EQ(del(&f, "10.0.0.0/9", "10.0.0.1", 1), ORIEL_ENOENT);
    EXPECT_EQ(del(&f, "10.0.0.0/8", "10.0.0.1", 2), 0);
    EXPECT_EQ(find(&f, "10.1.1.1", 0), 1);
    EXPECT_EQ(del(&f, "10.0.0.0/8", "10.0.0.1", 0), 0);
    EXPECT_EQ(del(&f, "10.0.0.0/8", "10.0.0.1", 0), ORIEL_ENOENT);
    EXPECT_EQ(f.t.nodes.live, 0);
    fx_fini(&f);
}

TEST("host bits of a prefix that is added are not part of it")
{
    struct fx f;
    fx_init(&f, 8);
    struct route r = {.prefix = {.addr = addr_v4(0x0a010203), .len = 104}, .metric = 7};
    EXPECT_EQ(route_add(&f.t, &r), 0);
    EXPECT_EQ(find(&f, "10.200.0.1", 0), 7);
    EXPECT_EQ(del(&f, "10.0.0.0/8", "-", 0), 0);
    fx_fini(&f);
}

TEST("a full table refuses, and takes routes again when one has gone")
{
    COVERS("INV-6");
    struct fx f;
    fx_init(&f, 64);
    for (uint32_t i = 0; i < 64; i++) {
        struct route r = {.prefix = prefix_v4(i << 26, 7 + i % 26), .metric = i, .nif = 1};
        r.gateway = addr_v4(i);
        EXPECT_EQ(route_add(&f.t, &r), 0);
    }
    EXPECT_EQ(add(&f, "172.16.0.0/12", "-", 1, 1), ORIEL_ENOBUFS);
    EXPECT_EQ(f.t.routes.refused, 1);
    EXPECT_EQ(f.t.nodes.refused, 0);
    EXPECT_EQ(add(&f, "2001:db8::/32", "-", 1, 1), ORIEL_ENOBUFS);
    EXPECT_EQ(route_drop_nif(&f.t, 2), 0);
    EXPECT_EQ(route_drop_nif(&f.t, 1), 64);
    EXPECT_EQ(f.t.routes.live, 0);
    EXPECT_EQ(f.t.nodes.live, 0);
    EXPECT_EQ(add(&f, "172.16.0.0/12", "-", 1, 1), 0);
    fx_fini(&f);
}

TEST("a walk gives IPv4 first, then by prefix, then by metric")
{
    struct fx f;
    fx_init(&f, 16);
    EXPECT_EQ(add(&f, "2001:db8::/32", "-", 1, 9), 0);
    EXPECT_EQ(add(&f, "::/0", "-", 1, 7), 0);
    EXPECT_EQ(add(&f, "fe80::/10", "-", 1, 10), 0);
    EXPECT_EQ(add(&f, "2001::/16", "-", 1, 8), 0);
    EXPECT_EQ(add(&f, "192.168.0.0/16", "-", 1, 6), 0);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "10.0.0.1", 2, 3), 0);
    EXPECT_EQ(add(&f, "10.0.0.0/8", "-", 1, 2), 0);
    EXPECT_EQ(add(&f, "10.128.0.0/9", "-", 1, 5), 0);
    EXPECT_EQ(add(&f, "10.3.0.0/16", "-", 1, 4), 0);
    EXPECT_EQ(add(&f, "0.0.0.0/0", "-", 1, 1), 0);
    uint32_t cursor = 0;
    for (uint32_t want = 1; want <= 10; want++)
        EXPECT_EQ(route_each(&f.t, &cursor)->metric, want);
    EXPECT(route_each(&f.t, &cursor) == NULL);
    fx_fini(&f);
}

TEST("an arena without room for the table is reported")
{
    struct fx f;
    fx_env_init(&f.base);
    EXPECT(!route_table_init(&f.t, &f.base.arena, 10000000));
    fx_env_fini(&f.base);
}

/* ---- against the oracle ---- */

struct oracle {
    struct route r[ORACLE_MAX];         /* in order of arrival */
    uint32_t n;
};

static bool same_route(const struct route *a, const struct route *b)
{
    return prefix_eq(&a->prefix, &b->prefix) && addr_eq(&a->gateway, &b->gateway) &&
           a->nif == b->nif;
}

static bool family_covers(const struct prefix *p, const struct oriel_addr *a)
{
    bool v4 = addr_is_v4(&p->addr) && p->len >= 96;
    return v4 == addr_is_v4(a) && prefix_has(p, a);
}

/* The best route for a, or NULL. */
static const struct route *oracle_best(const struct oracle *o, const struct oriel_addr *a,
                                       uint16_t nif)
{
    const struct route *best = NULL;
    for (uint32_t i = 0; i < o->n; i++) {
        const struct route *r = &o->r[i];
        if (!family_covers(&r->prefix, a) || (nif != 0 && r->nif != nif))
            continue;
        if (!best || r->prefix.len > best->prefix.len ||
            (r->prefix.len == best->prefix.len && r->metric < best->metric))
            best = r;
    }
    return best;
}

/* Few addresses, so that prefixes nest and collide; bits are set high and low. */
static struct oriel_addr draw_addr(struct rng *g, bool v6)
{
    uint64_t few = rng_below(g, 4) << 30 | rng_below(g, 4) << 15 | rng_below(g, 16);
    if (rng_below(g, 4) == 0)
        few = rng_u64(g);
    if (!v6)
        return addr_v4((uint32_t)few);
    return addr_v6(few << 32 | rng_below(g, 4), rng_below(g, 4) << 62 | rng_below(g, 8));
}

static struct route draw_route(struct rng *g, bool v6)
{
    unsigned len = v6 ? (unsigned)rng_below(g, 129) : 96 + (unsigned)rng_below(g, 33);
    struct prefix p = prefix_of(draw_addr(g, v6), len);
    if (v6 && addr_is_v4(&p.addr) && len >= 96)
        p = prefix_of(addr_v6((uint64_t)1 << 61, 0), 3);
    return (struct route){
        .prefix = p,
        .gateway = addr_v4((uint32_t)rng_below(g, 2)),
        .nif = (uint16_t)rng_between(g, 1, 3),
        .metric = (uint32_t)rng_below(g, 3),
        .origin = (uint8_t)rng_below(g, 4),
    };
}

static void step_add(struct fx *f, struct oracle *o, bool v6)
{
    struct route r = draw_route(&f->g, v6);
    bool there = false;
    for (uint32_t i = 0; i < o->n; i++)
        there = there || same_route(&o->r[i], &r);
    int want = there ? ORIEL_EEXIST : o->n == ORACLE_MAX ? ORIEL_ENOBUFS : 0;
    int got = f->t.routes.cap > ORACLE_MAX && want == ORIEL_ENOBUFS ? want : route_add(&f->t, &r);
    EXPECT_EQ(got, want);
    if (got == 0)
        o->r[o->n++] = r;
}

static void step_del(struct fx *f, struct oracle *o, bool v6)
{
    struct route r = draw_route(&f->g, v6);
    if (o->n > 0 && rng_below(&f->g, 8) != 0)
        r = o->r[rng_below(&f->g, o->n)];
    uint32_t at = 0;
    while (at < o->n && !same_route(&o->r[at], &r))
        at++;
    EXPECT_EQ(route_del(&f->t, &r.prefix, &r.gateway, r.nif), at < o->n ? 0 : ORIEL_ENOENT);
    if (at == o->n)
        return;
    memmove(&o->r[at], &o->r[at + 1], (o->n - at - 1) * sizeof(o->r[0]));
    o->n--;
}

static void step_lookup(const struct fx *f, struct rng *g, const struct oracle *o, bool v6)
{
    struct oriel_addr a = draw_addr(g, v6);
    if (o->n > 0 && rng_below(g, 2) == 0) {
        a = o->r[rng_below(g, o->n)].prefix.addr;
        a.lo ^= rng_below(g, 4);
    }
    uint16_t nif = (uint16_t)(rng_below(g, 2) * rng_below(g, 4));
    const struct route *want = oracle_best(o, &a, nif);
    const struct route *got = route_lookup(&f->t, &a, nif);
    EXPECT_EQ(got != NULL, want != NULL);
    if (got) {
        EXPECT(same_route(got, want));
        EXPECT_EQ(got->metric, want->metric);
        EXPECT_EQ(got->origin, want->origin);
    }
}

static bool in_order(const struct route *a, const struct route *b)
{
    int by_addr = addr_cmp(&a->prefix.addr, &b->prefix.addr);
    bool v4a = prefix_is_v4(&a->prefix);
    bool v4b = prefix_is_v4(&b->prefix);
    if (v4a != v4b)
        return v4a;
    if (by_addr != 0)
        return by_addr < 0;
    if (a->prefix.len != b->prefix.len)
        return a->prefix.len < b->prefix.len;
    return a->metric <= b->metric;
}

/* The walk gives every route once and in order; forks are fewer than prefixes. */
static void check_walk(const struct fx *f, const struct oracle *o)
{
    uint32_t cursor = 0;
    uint32_t n = 0;
    const struct route *last = NULL;
    for (const struct route *r; (r = route_each(&f->t, &cursor)) != NULL; n++, last = r)
        EXPECT(!last || in_order(last, r));
    EXPECT_EQ(n, o->n);
    EXPECT_EQ(f->t.routes.live, o->n);
    EXPECT(f->t.nodes.live <= 2 * o->n);
}

/* Adds prevail in one half of the time, deletions in the other. */
static void run_oracle(uint32_t routes_max, uint32_t steps)
{
    static struct oracle o;
    struct fx f;
    o.n = 0;
    fx_init(&f, routes_max);
    for (uint32_t i = 0; i < steps; i++) {
        bool v6 = rng_below(&f.g, 2) == 0;
        if (rng_below(&f.g, 3) < (i / 2000 % 2 == 0 ? 2u : 1u))
            step_add(&f, &o, v6);
        else
            step_del(&f, &o, v6);
        for (int k = 0; k < 4; k++)
            step_lookup(&f, &f.g, &o, rng_below(&f.g, 2) == 0);
        if (i % 64 == 0)
            check_walk(&f, &o);
    }
    while (o.n > 0) {
        struct route r = o.r[--o.n];
        EXPECT_EQ(route_del(&f.t, &r.prefix, &r.gateway, r.nif), 0);
    }
    EXPECT_EQ(f.t.routes.live, 0);
    EXPECT_EQ(f.t.nodes.live, 0);
    EXPECT_EQ(f.t.root4, POOL_NONE);
    EXPECT_EQ(f.t.root6, POOL_NONE);
    for (uint32_t i = 0; f.t.slots && i < SLOTS; i++) {
        EXPECT_EQ(f.t.slots[i].below, POOL_NONE);
        EXPECT_EQ(f.t.slots[i].cover, POOL_NONE);
    }
    fx_fini(&f);
}

TEST("a small table agrees with a linear search over 12,000 random changes")
{
    run_oracle(ORACLE_MAX, 12000);
}

TEST("a large table, with its short cut, agrees with a linear search over 12,000 random changes")
{
    run_oracle(LARGE, 12000);
}

TEST("dropping an interface takes its routes and leaves all others findable")
{
    static struct oracle o;
    struct fx f;
    o.n = 0;
    fx_init(&f, ORACLE_MAX);
    for (uint32_t i = 0; i < 2000; i++)
        step_add(&f, &o, i % 2 == 0);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < o.n; i++)
        if (o.r[i].nif != 2)
            o.r[kept++] = o.r[i];
    EXPECT_EQ(route_drop_nif(&f.t, 2), o.n - kept);
    o.n = kept;
    check_walk(&f, &o);
    for (uint32_t i = 0; i < 2000; i++)
        step_lookup(&f, &f.g, &o, i % 2 == 0);
    fx_fini(&f);
}
