/* What routers say about paths, and how much of it is believed. */
#include "fixture.h"

#include "ip/pmtu.c"

#define TABLE_MAX 8

struct fx {
    struct fx_env base;
    struct pmtu_table t;
};

static void fx_init(struct fx *f)
{
    fx_env_init_sized(&f->base, (size_t)2 << 20, (size_t)1 << 20);
    EXPECT(pmtu_init(&f->t, &f->base.env, &f->base.arena, TABLE_MAX));
}

static void fx_fini(struct fx *f)
{
    uint32_t cursor = 0;
    for (const struct pmtu *e; (e = pmtu_each(&f->t, &cursor)) != NULL; cursor = 0)
        EXPECT(pmtu_forget(&f->t, &(struct oriel_addr){e->dst.hi, e->dst.lo, e->dst.zone}));
    EXPECT_EQ(f->t.pool.live, 0);
    EXPECT_EQ(f->t.map.used, 0);
    EXPECT_EQ(f->base.env.wheel.armed, 0);
    fx_env_fini(&f->base);
}

static struct oriel_addr host4(uint32_t n)
{
    return addr_v4(0xc0000200 + n);
}

static struct oriel_addr host6(uint64_t n)
{
    return addr_v6(0x20010db800000000, n);
}

/* Runs timers up to d from now; how often the table said that paths changed. */
static int pass(struct fx *f, oriel_time d)
{
    int changes = 0;
    fx_pass(&f->base, d);
    for (struct timer *t; (t = fx_timer(&f->base)) != NULL;) {
        EXPECT(t == &f->t.timer);
        EXPECT_EQ(t->kind, TIMER_PMTU);
        changes += pmtu_on_timer(&f->t);
    }
    return changes;
}

TEST("nothing is known of a path nobody complained about")
{
    struct fx f;
    fx_init(&f);
    struct oriel_addr a = host4(1);
    EXPECT_EQ(pmtu_of(&f.t, &a), 0);
    EXPECT(!pmtu_forget(&f.t, &a));
    uint32_t cursor = 0;
    EXPECT(pmtu_each(&f.t, &cursor) == NULL);
    fx_fini(&f);
}

TEST("IPv4: each reported MTU is lowered to, floored or ignored")
{
    COVERS("1191-1");
    static const struct {
        uint32_t mtu, was, holds;
    } matrix[] = {
        {0, 1500, 1492},   {0, 1492, 1006},  {0, 1006, 552},    {0, 65535, 32000},
        {0, 32000, 17914}, {0, 9000, 8166},  {0, 69, 552},      {0, 68, 0},
        {0, 20, 0},        {0, 0, 0},
        {1, 1500, 0},      {67, 1500, 0},    {68, 1500, 552},   {551, 1500, 552},  {552, 1500, 552},
        {553, 1500, 553},  {576, 1500, 576}, {1400, 1500, 1400}, {1499, 1500, 1499},
        {1500, 1500, 0},   {9000, 1500, 0},  {9000, 9001, 9000}, {UINT32_MAX, 1500, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
        struct fx f;
        fx_init(&f);
        struct oriel_addr a = host4(1);
        EXPECT_EQ(pmtu_lower(&f.t, &a, matrix[i].mtu, matrix[i].was), matrix[i].holds);
        EXPECT_EQ(pmtu_of(&f.t, &a), matrix[i].holds);
        fx_fini(&f);
    }
}

TEST("IPv6: a report below 1280 is discarded, and there are no plateaus")
{
    COVERS("8201-1");
    static const struct {
        uint32_t mtu, was, holds;
    } matrix[] = {
        {0, 1500, 0},       {68, 1500, 0},      {1279, 1500, 0}, {1280, 1500, 1280},
        {1400, 1500, 1400}, {9000, 1500, 0},    {1280, 1280, 0}, {1500, 9000, 1500},
    };
    for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
        struct fx f;
        fx_init(&f);
        struct oriel_addr a = host6(1);
        EXPECT_EQ(pmtu_lower(&f.t, &a, matrix[i].mtu, matrix[i].was), matrix[i].holds);
        EXPECT_EQ(pmtu_of(&f.t, &a), matrix[i].holds);
        fx_fini(&f);
    }
}

TEST("a report never raises what is known")
{
    COVERS("1191-1 8201-1");
    struct fx f;
    fx_init(&f);
    struct oriel_addr a = host4(1);
    struct oriel_addr b = host6(1);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 1000, 1500), 1000);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 1400, 1500), 0);
    EXPECT_EQ(pmtu_of(&f.t, &a), 1000);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 0, 1500), 0);
    EXPECT_EQ(pmtu_of(&f.t, &a), 1000);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 900, 1500), 900);
    EXPECT_EQ(pmtu_lower(&f.t, &b, 1300, 1500), 1300);
    EXPECT_EQ(pmtu_lower(&f.t, &b, 1400, 1500), 0);
    EXPECT_EQ(pmtu_of(&f.t, &b), 1300);
    EXPECT_EQ(pmtu_of(&f.t, &a), 900);
    fx_fini(&f);
}

TEST("paths are told apart by destination alone")
{
    struct fx f;
    fx_init(&f);
    for (uint32_t i = 0; i < TABLE_MAX / 2; i++) {
        struct oriel_addr a = host4(i);
        struct oriel_addr b = host6(i);
        EXPECT_EQ(pmtu_lower(&f.t, &a, 1000 + i, 1500), 1000 + i);
        EXPECT_EQ(pmtu_lower(&f.t, &b, 1300 + i, 1500), 1300 + i);
    }
    for (uint32_t i = 0; i < TABLE_MAX / 2; i++) {
        struct oriel_addr a = host4(i);
        struct oriel_addr b = host6(i);
        EXPECT_EQ(pmtu_of(&f.t, &a), 1000 + i);
        EXPECT_EQ(pmtu_of(&f.t, &b), 1300 + i);
    }
    fx_fini(&f);
}

TEST("a path is forgotten ten minutes after the last report, not earlier")
{
    COVERS("1191-1 8201-1");
    struct fx f;
    fx_init(&f);
    struct oriel_addr a = host4(1);
    struct oriel_addr b = host4(2);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 1400, 1500), 1400);
    EXPECT_EQ(pass(&f, 60 * NS_PER_S), 0);
    EXPECT_EQ(pmtu_lower(&f.t, &b, 1300, 1500), 1300);
    EXPECT_EQ(pass(&f, 60 * NS_PER_S), 0);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 1400, 1500), 1400);     /* again: a's ten minutes begin anew */
    EXPECT_EQ(pass(&f, PMTU_LIFE - 60 * NS_PER_S - 1), 0);
    EXPECT_EQ(pmtu_of(&f.t, &b), 1300);
    EXPECT_EQ(pass(&f, 1), 1);
    EXPECT_EQ(pmtu_of(&f.t, &b), 0);
    EXPECT_EQ(pmtu_of(&f.t, &a), 1400);
    EXPECT_EQ(pass(&f, 60 * NS_PER_S - 1), 0);
    EXPECT_EQ(pmtu_of(&f.t, &a), 1400);
    EXPECT_EQ(pass(&f, 1), 1);
    EXPECT_EQ(pmtu_of(&f.t, &a), 0);
    EXPECT_EQ(pass(&f, 2 * PMTU_LIFE), 0);
    fx_fini(&f);
}

TEST("after it was forgotten a path may be found larger than before")
{
    struct fx f;
    fx_init(&f);
    struct oriel_addr a = host4(1);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 600, 1500), 600);
    EXPECT(pmtu_forget(&f.t, &a));
    EXPECT_EQ(pmtu_of(&f.t, &a), 0);
    EXPECT_EQ(pmtu_lower(&f.t, &a, 1400, 1500), 1400);
    fx_fini(&f);
}

TEST("a full table gives up the path that was reported longest ago")
{
    COVERS("INV-6");
    struct fx f;
    fx_init(&f);
    for (uint32_t i = 0; i < TABLE_MAX; i++) {
        struct oriel_addr a = host4(i);
        EXPECT_EQ(pmtu_lower(&f.t, &a, 1400, 1500), 1400);
        fx_pass(&f.base, NS_PER_S);
    }
    struct oriel_addr first = host4(0);
    struct oriel_addr second = host4(1);
    struct oriel_addr extra = host4(100);
    EXPECT_EQ(pmtu_lower(&f.t, &first, 1300, 1500), 1300);
    EXPECT_EQ(pmtu_lower(&f.t, &extra, 1200, 1500), 1200);
    EXPECT_EQ(pmtu_of(&f.t, &first), 1300);
    EXPECT_EQ(pmtu_of(&f.t, &second), 0);
    EXPECT_EQ(pmtu_of(&f.t, &extra), 1200);
    EXPECT_EQ(f.t.pool.live, TABLE_MAX);
    fx_fini(&f);
}

TEST("ten thousand forged reports cost no more memory than the table has")
{
    COVERS("INV-6 S26");
    struct fx f;
    fx_init(&f);
    for (uint32_t i = 0; i < 10000; i++) {
        struct oriel_addr a = host6(i * 7919u);
        EXPECT_EQ(pmtu_lower(&f.t, &a, 1280, 1500), 1280);
        fx_pass(&f.base, NS_PER_MS);
    }
    EXPECT_EQ(f.t.pool.live, TABLE_MAX);
    uint32_t cursor = 0;
    oriel_time last = 0;
    unsigned n = 0;
    for (const struct pmtu *e; (e = pmtu_each(&f.t, &cursor)) != NULL; last = e->until, n++)
        EXPECT(e->until > last);
    EXPECT_EQ(n, TABLE_MAX);
    fx_fini(&f);
}

TEST("a table of no entries ignores reports")
{
    struct fx_env base;
    struct pmtu_table t;
    fx_env_init(&base);
    EXPECT(pmtu_init(&t, &base.env, &base.arena, 0));
    struct oriel_addr a = host4(1);
    EXPECT_EQ(pmtu_lower(&t, &a, 1400, 1500), 0);
    EXPECT_EQ(pmtu_of(&t, &a), 0);
    EXPECT(!pmtu_init(&t, &base.env, &base.arena, 100000000));
    fx_env_fini(&base);
}
