#include "ip/mcast_group.h"

#include "ip/fx_group.h"

#define GROUP4 "239.1.2.3"
#define GROUP6 "ff05::1:3"

/* A filter of sources 10.9.0.N. */
static struct mcast_filter filter_of(bool exclude, const char *numbers)
{
    struct mcast_filter f = {.exclude = exclude};
    for (; *numbers; numbers++)
        f.source[f.n++] = addr_v4(0x0a090000 + (uint32_t)(*numbers - 'a'));
    return f;
}

static uint16_t first_nif(const struct fx *f)
{
    return (uint16_t)f->nif;
}

static int set(struct fx *f, uint32_t member, bool exclude, const char *numbers)
{
    struct oriel_addr g = fx_addr(GROUP4);
    struct mcast_filter filter = filter_of(exclude, numbers);
    return mcast_set(&f->s->ip, first_nif(f), &g, member, &filter);
}

static const struct mcast_group *group_on(struct fx *f, int nif, const char *group)
{
    struct oriel_addr addr = fx_addr(group);
    return mcast_group_find(&f->s->ip, (uint16_t)nif, &addr);
}

/* Would routers have to send what that source says to the group? */
static bool wants(struct fx *f, int nif, const char *group, const char *source)
{
    struct oriel_addr s = fx_addr(source);
    const struct mcast_group *g = group_on(f, nif, group);
    return g && mcast_filter_wants(&g->wanted, &s);
}

/* Is it let in? */
static bool lets_in(struct fx *f, const char *group)
{
    struct oriel_addr addr = fx_addr(group), source = fx_addr("10.0.0.9");
    return mcast_wants(&f->s->ip, first_nif(f), &addr, &source);
}

/* What the members want together, as "ex bc" or "in defg". */
static const char *wanted(struct fx *f)
{
    static char text[MCAST_SOURCES_MAX + 8];
    const struct mcast_group *g = group_on(f, f->nif, GROUP4);
    struct txt t = txt_of(text, sizeof(text));
    if (!g || g->members_n == 0)
        return "nobody";
    txt_s(&t, g->wanted.exclude ? "ex " : "in ");
    for (unsigned i = 0; i < g->wanted.n; i++)
        txt_c(&t, (char)('a' + (addr_to_v4(&g->wanted.source[i]) & 0xff)));
    return text;
}

/* ---- merging ---- */

TEST("filters merge as in the examples of RFC 3376, 3.2")
{
    struct fx *f = fx_new(.reports = true);
    EXPECT_EQ(set(f, 1, true, "abcd"), 0);
    EXPECT_STR(wanted(f), "ex abcd");
    EXPECT_EQ(set(f, 2, true, "bcde"), 0);
    EXPECT_STR(wanted(f), "ex bcd");
    EXPECT_EQ(set(f, 3, false, "def"), 0);
    EXPECT_STR(wanted(f), "ex bc");
    fx_leave(f, GROUP4, 1);
    EXPECT_STR(wanted(f), "ex bc");
    fx_leave(f, GROUP4, 2);
    EXPECT_STR(wanted(f), "in def");
    EXPECT_EQ(set(f, 4, false, "abc"), 0);
    EXPECT_STR(wanted(f), "in abcdef");
    EXPECT_EQ(set(f, 3, false, ""), 0);      /* INCLUDE of nothing is leaving */
    EXPECT_STR(wanted(f), "in abc");
    EXPECT_EQ(set(f, 4, true, ""), 0);
    EXPECT_STR(wanted(f), "ex ");
    fx_leave(f, GROUP4, 4);
    EXPECT_STR(wanted(f), "nobody");
    fx_free(f);
}

/* Random members and filters over six sources, as sets of bits. */
struct model {
    bool joined[4];
    uint32_t lets_in[4];        /* bit 6: any other source */
};

static void change_one(struct fx *f, struct rng *g, struct model *m)
{
    char list[8];
    unsigned n = 0;
    unsigned member = (unsigned)rng_below(g, 4);
    bool exclude = rng_below(g, 2) != 0;
    uint32_t bits = (uint32_t)rng_below(g, 64);
    for (unsigned i = 0; i < 6; i++)
        if (bits & BIT(i))
            list[n++] = (char)('a' + i);
    list[n] = 0;
    EXPECT_EQ(set(f, member + 1, exclude, list), 0);
    m->joined[member] = exclude || n > 0;
    m->lets_in[member] = exclude ? 0x7f & ~bits : bits;
}

TEST("the interface takes in what any member wants and nothing else, whatever they change")
{
    struct fx *f = fx_new(.reports = true);
    struct oriel_addr group = fx_addr(GROUP4);
    struct model m = {0};
    for (unsigned i = 0; i < 5000; i++) {
        change_one(f, &f->s->env.rng, &m);
        (void)fx_skip(f);
        uint32_t any = 0;
        for (uint32_t k = 0; k < 4; k++)
            any |= m.joined[k] ? m.lets_in[k] : 0;
        for (unsigned s = 0; s < 7; s++) {
            struct oriel_addr source = addr_v4(0x0a090000 + s);
            const struct mcast_group *g = mcast_group_find(&f->s->ip, first_nif(f), &group);
            EXPECT_EQ(g && mcast_filter_wants(&g->wanted, &source), (any >> s) & 1);
            EXPECT_EQ(mcast_wants(&f->s->ip, first_nif(f), &group, &source), any != 0);
            for (uint32_t k = 0; k < 4; k++)
                EXPECT_EQ(mcast_member_wants(&f->s->ip, first_nif(f), &group, &source, k + 1),
                          m.joined[k] && ((m.lets_in[k] >> s) & 1));
        }
        if (i % 10 == 0)
            fx_run(f, rng_below(&f->s->env.rng, 1500) * NS_PER_MS);
    }
    fx_free(f);
}

TEST("when the last member that excludes goes, lists that are too long together let everybody in")
{
    struct fx *f = fx_new(.reports = true);
    struct oriel_addr group = fx_addr(GROUP4);
    struct mcast_filter many = {.n = MCAST_SOURCES_MAX};
    EXPECT_EQ(fx_join(f, GROUP4, 9), 0);
    for (uint32_t member = 0; member < 2; member++) {
        for (uint32_t i = 0; i < MCAST_SOURCES_MAX; i++)
            many.source[i] = addr_v4(0x0a000000 + member * 0x10000 + i);
        EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, member + 1, &many), 0);
    }
    EXPECT(wants(f, f->nif, GROUP4, "10.77.0.1"));
    fx_leave(f, GROUP4, 9);
    EXPECT(wants(f, f->nif, GROUP4, "10.77.0.1"));
    struct oriel_addr stranger = fx_addr("10.77.0.1");
    EXPECT(!mcast_member_wants(&f->s->ip, first_nif(f), &group, &stranger, 1));
    fx_leave(f, GROUP4, 2);
    EXPECT(!wants(f, f->nif, GROUP4, "10.77.0.1"));
    EXPECT(wants(f, f->nif, GROUP4, "10.0.0.63"));
    fx_free(f);
}

/* ---- joining and leaving ---- */

TEST("the stack's own joins are counted, a socket's are not")
{
    struct fx *f = fx_new(.reports = true);
    EXPECT_EQ(fx_join(f, GROUP4, 0), 0);
    EXPECT_EQ(fx_join(f, GROUP4, 0), 0);
    fx_leave(f, GROUP4, 0);
    EXPECT(wants(f, f->nif, GROUP4, "10.0.0.9"));
    fx_leave(f, GROUP4, 0);
    EXPECT(!wants(f, f->nif, GROUP4, "10.0.0.9"));
    EXPECT_EQ(fx_join(f, GROUP4, 7), 0);
    EXPECT_EQ(fx_join(f, GROUP4, 7), 0);
    fx_leave(f, GROUP4, 7);
    EXPECT(!wants(f, f->nif, GROUP4, "10.0.0.9"));
    fx_leave(f, GROUP4, 7);             /* nothing left to leave */
    fx_free(f);
}

TEST("a membership is of one interface and one group")
{
    struct fx *f = fx_new(.reports = true);
    int b = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_ETHER});
    EXPECT_EQ(fx_join(f, GROUP4, 1), 0);
    EXPECT_EQ(fx_join_on(f, b, GROUP6, 1), 0);
    EXPECT(wants(f, f->nif, GROUP4, "10.0.0.9") && !wants(f, b, GROUP4, "10.0.0.9"));
    EXPECT(wants(f, b, GROUP6, "fe80::9") && !wants(f, f->nif, GROUP6, "fe80::9"));
    EXPECT(!wants(f, f->nif, "239.1.2.4", "10.0.0.9"));
    fx_leave_on(f, b, GROUP4, 1);
    EXPECT(wants(f, f->nif, GROUP4, "10.0.0.9"));
    fx_free(f);
}

TEST("every host hears what is said to all hosts")
{
    struct fx *f = fx_new(.reports = true);
    fx_leave(f, "224.0.0.1", 0);
    EXPECT(lets_in(f, "224.0.0.1"));
    EXPECT(lets_in(f, "ff02::1"));
    EXPECT(lets_in(f, "ff01::1"));
    EXPECT(!lets_in(f, "224.0.0.2"));
    EXPECT(!lets_in(f, "ff02::3"));
    fx_free(f);
}

TEST("a source is the same with its zone and without")
{
    struct fx *f = fx_new(.reports = true);
    struct oriel_addr group = fx_addr(GROUP6);
    struct mcast_filter one = {.n = 1, .source = {fx_addr("fe80::9%1")}};
    EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, 1, &one), 0);
    EXPECT(wants(f, f->nif, GROUP6, "fe80::9"));
    EXPECT(wants(f, f->nif, GROUP6, "fe80::9%1"));
    EXPECT(!wants(f, f->nif, GROUP6, "fe80::8%1"));
    fx_free(f);
}

TEST("a socket that closes leaves everywhere")
{
    struct fx *f = fx_new(.reports = true);
    int b = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_ETHER});
    EXPECT_EQ(fx_join(f, GROUP4, 5), 0);
    EXPECT_EQ(fx_join(f, "239.1.2.4", 5), 0);
    EXPECT_EQ(fx_join_on(f, b, GROUP6, 5), 0);
    EXPECT_EQ(fx_join_on(f, b, GROUP6, 6), 0);
    EXPECT_EQ(fx_join_on(f, b, GROUP4, 5), 0);
    mcast_leave_all(&f->s->ip, 5);
    EXPECT(!wants(f, b, GROUP4, "10.0.0.9"));
    EXPECT(!wants(f, f->nif, GROUP4, "10.0.0.9"));
    EXPECT(!wants(f, f->nif, "239.1.2.4", "10.0.0.9"));
    EXPECT(wants(f, b, GROUP6, "fe80::9"));
    fx_free(f);
}

/* ---- limits ---- */

TEST("what is not a group, an interface or a list of sources is refused")
{
    struct fx *f = fx_new(.reports = true);
    struct oriel_addr group = fx_addr(GROUP4);
    EXPECT_EQ(fx_join(f, "10.0.0.2", 1), ORIEL_EINVAL);
    EXPECT_EQ(fx_join(f, "fe80::1", 1), ORIEL_EINVAL);
    EXPECT_EQ(fx_join_on(f, 4, GROUP4, 1), ORIEL_EINVAL);
    EXPECT_EQ(fx_join_on(f, 0, GROUP4, 1), ORIEL_EINVAL);
    EXPECT_EQ(fx_join_on(f, 77, GROUP4, 1), ORIEL_EINVAL);
    EXPECT_EQ(set(f, 1, false, "ba"), ORIEL_EINVAL);
    EXPECT_EQ(set(f, 1, false, "aa"), ORIEL_EINVAL);
    static const char *const not_sources[] = {"239.0.0.1", "0.0.0.0", "fe80::1"};
    for (unsigned i = 0; i < ARRAY_LEN(not_sources); i++) {
        struct mcast_filter one = {.n = 1, .source = {fx_addr(not_sources[i])}};
        EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, 1, &one), ORIEL_EINVAL);
    }
    struct mcast_filter long_one = {.n = MCAST_SOURCES_MAX + 1};
    EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, 1, &long_one), ORIEL_EINVAL);
    EXPECT_STR(wanted(f), "nobody");
    fx_free(f);
}

TEST("64 sources fit into a list; one more is an error and changes nothing")
{
    COVERS("3376-4");
    struct fx *f = fx_new(.reports = true);
    struct oriel_addr group = fx_addr(GROUP4);
    struct mcast_filter many = {.n = MCAST_SOURCES_MAX};
    for (uint32_t i = 0; i < MCAST_SOURCES_MAX; i++)
        many.source[i] = addr_v4(0x0a090000 + i);
    EXPECT(MCAST_SOURCES_MAX >= 64);
    EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, 1, &many), 0);
    EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, 2, &many), 0);
    struct mcast_filter one = {.n = 1, .source = {fx_addr("10.10.0.1")}};
    EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, 3, &one), ORIEL_ENOBUFS);
    EXPECT_EQ(mcast_set(&f->s->ip, first_nif(f), &group, 2, &one), ORIEL_ENOBUFS);
    EXPECT(!wants(f, f->nif, GROUP4, "10.10.0.1"));
    EXPECT(wants(f, f->nif, GROUP4, "10.9.0.63"));
    EXPECT_EQ(fx_join(f, GROUP4, 3), 0);        /* all but none needs no list */
    fx_free(f);
}

TEST("groups and members that do not fit are refused, and fit when others have left")
{
    struct fx *f = fx_make(&(struct fx_opts){.no_netif = true, .reports = true});
    struct mcast *m = &f->s->ip.mcast;
    struct mcast whole = *m;
    static _Alignas(64) uint8_t memory[128 << 10];
    struct arena arena;
    arena_init(&arena, memory, sizeof(memory));
    EXPECT(mcast_init(m, &arena, 4));
    f->nif = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_ETHER});
    EXPECT_EQ(m->groups.live, 2);               /* it is in two groups by itself */
    EXPECT_EQ(fx_join(f, "239.0.0.1", 1), 0);
    EXPECT_EQ(fx_join(f, "239.0.0.2", 1), 0);
    EXPECT_EQ(fx_join(f, "239.0.0.3", 1), ORIEL_ENOBUFS);
    for (uint32_t member = 2; member <= 5; member++)
        EXPECT_EQ(fx_join(f, "239.0.0.1", member), 0);
    EXPECT_EQ(fx_join(f, "239.0.0.2", 14), ORIEL_ENOBUFS);
    EXPECT_EQ(m->members.live, 8);
    fx_leave(f, "239.0.0.2", 1);
    fx_run(f, 2 * NS_PER_S);                    /* the leave is told twice */
    EXPECT_EQ(fx_join(f, "239.0.0.3", 14), 0);
    fx_leave(f, "239.0.0.3", 14);
    fx_run(f, 2 * NS_PER_S);
    EXPECT_EQ(fx_join(f, "239.0.0.1", 14), 0);
    EXPECT_EQ(fx_join(f, "239.0.0.4", 1), ORIEL_ENOBUFS);   /* a group, and no member for it */
    EXPECT_EQ(m->groups.live, 3);
    mcast_if_detach(&f->s->ip, first_nif(f));
    *m = whole;
    fx_free(f);
}

/* ---- showing, going away ---- */

TEST("groups are shown by interface in the order in which they were joined")
{
    struct fx *f = fx_new(.reports = true);
    int b = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_ETHER});
    struct oriel_addr g4 = fx_addr(GROUP4);
    struct mcast_filter abc = filter_of(false, "abc");
    EXPECT_EQ(mcast_set(&f->s->ip, (uint16_t)b, &g4, 1, &abc), 0);
    EXPECT_EQ(fx_join(f, GROUP6, 1), 0);
    EXPECT_EQ(fx_join(f, GROUP6, 2), 0);
    EXPECT_EQ(fx_join(f, "239.9.9.9", 1), 0);
    fx_leave(f, "239.9.9.9", 1);                /* still being told, no longer a group of ours */
    static const char *const want[] = {"1 224.0.0.1", "1 ff02::1", "1 " GROUP6, "2 224.0.0.1",
                                       "2 ff02::1", "2 " GROUP4};
    uint32_t cursor = 0;
    struct mcast_info info;
    for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
        char buf[80];
        struct txt t = txt_of(buf, sizeof(buf));
        EXPECT(mcast_each(&f->s->ip, &cursor, &info));
        txt_u(&t, info.nif);
        txt_c(&t, ' ');
        txt_addr(&t, &info.group);
        EXPECT_STR(buf, want[i]);
        EXPECT_EQ(info.members, i == 2 ? 2 : 1);
        EXPECT_EQ(info.sources, i == 5 ? 3 : 0);
        EXPECT_EQ(info.exclude, i != 5);
    }
    EXPECT(!mcast_each(&f->s->ip, &cursor, &info));
    fx_free(f);
}

TEST("an interface that goes away takes its groups with it and says nothing")
{
    struct fx *f = fx_new(.reports = true);
    EXPECT_EQ(fx_join(f, GROUP4, 1), 0);
    EXPECT_EQ(fx_join(f, GROUP6, 1), 0);
    (void)fx_skip(f);
    mcast_if_detach(&f->s->ip, first_nif(f));
    EXPECT_EQ(f->s->ip.mcast.groups.live, 0);
    EXPECT_EQ(f->s->ip.mcast.members.live, 0);
    EXPECT(!timer_armed(&ip_if_of(&f->s->ip, first_nif(f))->mcast.timer));
    fx_run(f, 20 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("joining and leaving are events")
{
    struct fx *f = fx_new(.reports = true);
    struct oriel_addr group = fx_addr(GROUP4);
    uint64_t before = f->s->env.trace->next;
    EXPECT_EQ(fx_join(f, GROUP4, 1), 0);
    EXPECT_EQ(trace_at(f->s->env.trace, before)->event, EV_MCAST_JOIN);
    before = f->s->env.trace->next;
    EXPECT_EQ(fx_join(f, GROUP4, 2), 0);        /* the second member is no news */
    fx_leave(f, GROUP4, 1);
    EXPECT_EQ(f->s->env.trace->next, before);
    fx_leave(f, GROUP4, 2);
    const struct trace_rec *r = trace_at(f->s->env.trace, before);
    EXPECT_EQ(r->event, EV_MCAST_LEAVE);
    EXPECT_EQ(r->b, group.lo);
    EXPECT_EQ(r->c, f->nif);
    fx_free(f);
}

TEST("a group is let in while it has members, whatever sources they want")
{
    struct fx *f = fx_new(.reports = true);
    EXPECT_EQ(set(f, 1, false, "a"), 0);
    EXPECT(lets_in(f, GROUP4));              /* from a router that asks, for one */
    fx_leave(f, GROUP4, 1);
    EXPECT(!lets_in(f, GROUP4));
    fx_free(f);
}
