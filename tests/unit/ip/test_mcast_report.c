#include "ip/mcast_group.h"

#include "ip/fx_group.h"

#define G   "239.1.2.3"
#define G2  "239.1.2.4"
#define G6  "ff05::1:3"

#define FROM4 "ip src=10.0.0.254 dst=224.0.0.1 ra / igmp "
#define TO_G  "ip src=10.0.0.77 dst=" G " ra / igmp "
#define FROM6 "ip6 src=fe80::ff dst=ff02::1 hlim=1 / hopopts ra / icmp6 "
#define TO_G6 "ip6 src=fe80::77 dst=" G6 " hlim=1 / hopopts ra / icmp6 "

#define TO_IN "igmp.record_type == 3 && igmp.num_src == 0 && igmp.maddr == " G
#define TO_EX "igmp.record_type == 4 && igmp.num_src == 0 && igmp.maddr == " G
#define IS_EX "igmp.record_type == 2 && igmp.num_src == 0 && igmp.maddr == " G

static const struct oriel_netif_config ether = {
    .kind = ORIEL_NETIF_ETHER,
    .ip6 = true,
    .no_dad = true,
};

/* An interface that has said all that it says by itself. */
static struct fx *start_with(const struct oriel_netif_config *cfg)
{
    struct fx *f = fx_new(.reports = true, .netif = *cfg);
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_settle(f);
    return f;
}

static struct fx *start(void)
{
    return start_with(&ether);
}

/* Nothing that arrived was unwanted. */
static void stop(struct fx *f)
{
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

/* The group and everything that is to be said of it. */
static void join_quietly(struct fx *f, const char *group, const char *filter)
{
    EXPECT_EQ(fx_set(f, group, 1, filter), 0);
    fx_settle(f);
}

/* ---- changes, version 3 ---- */

TEST("a join is told at once and once more within a second")
{
    COVERS("3376-3");
    struct fx *f = start();
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, TO_EX " && why == \"MCAST_REPORT\"");
    EXPECT_QUIET(f);
    EXPECT(fx_wait_ms(f, 1000) > 0);
    EXPECT_OUT(f, TO_EX);
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_join(f, G, 2), 0);          /* the second member changes nothing */
    EXPECT_QUIET(f);
    EXPECT_WHY(&f->s->env, WHY_MCAST_REPORT);
    stop(f);
}

TEST("repeats come at random moments of the interval, all of it")
{
    COVERS("3376-3");
    struct fx *f = start();
    unsigned early = 0, late = 0;
    for (unsigned i = 0; i < 200; i++) {
        EXPECT_EQ(fx_join(f, G, 1), 0);
        (void)fx_skip(f);
        uint64_t ms = fx_wait_ms(f, 1000);
        early += ms <= 250;
        late += ms > 750;
        fx_leave(f, G, 1);
        fx_settle(f);
    }
    EXPECT(early > 25 && early < 75);
    EXPECT(late > 25 && late < 75);
    stop(f);
}

TEST("a change is told as often as the querier's robustness says")
{
    COVERS("3376-3");
    struct fx *f = start();
    for (unsigned qrv = 1; qrv <= 7; qrv++) {
        char query[160];
        struct txt t = txt_of(query, sizeof(query));
        txt_s(&t, FROM4 "query v3 max=1 qrv=");
        txt_u(&t, qrv);
        fx_in(f, query);
        EXPECT_EQ(fx_join(f, G, 1), 0);
        fx_run(f, 30 * NS_PER_S);
        EXPECT_EQ(fx_skip(f), qrv + 1);     /* and the answer to the query */
        fx_leave(f, G, 1);
        fx_run(f, 30 * NS_PER_S);
        EXPECT_EQ(fx_skip(f), qrv);
    }
    fx_in(f, FROM4 "query v3 max=1 qrv=0");  /* more than fits, or not said: the default */
    EXPECT_EQ(fx_join(f, G, 1), 0);
    fx_run(f, 30 * NS_PER_S);
    EXPECT_EQ(fx_skip(f), 3);
    stop(f);
}

TEST("leaving is told twice, then the record is gone")
{
    struct fx *f = start();
    uint32_t groups = f->s->ip.mcast.groups.live;
    join_quietly(f, G, "ex");
    fx_leave(f, G, 1);
    EXPECT_OUT(f, TO_IN " && why == \"MCAST_LEAVE\"");
    EXPECT_WHY(&f->s->env, WHY_MCAST_LEAVE);
    EXPECT_EQ(f->s->ip.mcast.groups.live, groups + 1);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, TO_IN);
    EXPECT_EQ(f->s->ip.mcast.groups.live, groups);
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

TEST("a join while leaving is still being told says that we are back")
{
    struct fx *f = start();
    join_quietly(f, G, "ex");
    fx_leave(f, G, 1);
    EXPECT_OUT(f, TO_IN);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, TO_EX);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, TO_EX);
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

TEST("sources that come and go are allowed and blocked")
{
    COVERS("3376-2 3376-3");
    struct fx *f = start();
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.1 10.9.0.2"), 0);
    EXPECT_OUT(f, "igmp.num_grp_recs == 1 && igmp.record_type == 5 && igmp.num_src == 2");
    fx_settle(f);
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.2 10.9.0.3"), 0);
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_OUT(f, "igmp.num_grp_recs == 2 && igmp.record_type == 5 && "
                          "igmp.record_type == 6 && igmp.saddr == 10.9.0.1 && "
                          "igmp.saddr == 10.9.0.3 && !(igmp.saddr == 10.9.0.2)");
        if (i == 0)
            (void)fx_wait_ms(f, 1000);
    }
    EXPECT_EQ(fx_set(f, G, 1, "ex 10.9.0.2"), 0);
    EXPECT_OUT(f, "igmp.record_type == 4 && igmp.num_src == 1 && igmp.saddr == 10.9.0.2");
    fx_settle(f);
    EXPECT_EQ(fx_set(f, G, 1, "ex 10.9.0.3"), 0);
    EXPECT_OUT(f, "igmp.num_grp_recs == 2 && igmp.record_type == 5 && igmp.record_type == 6");
    fx_settle(f);
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.1"), 0);
    EXPECT_OUT(f, "igmp.record_type == 3 && igmp.num_src == 1 && igmp.saddr == 10.9.0.1");
    fx_settle(f);
    fx_leave(f, G, 1);
    EXPECT_OUT(f, "igmp.record_type == 6 && igmp.saddr == 10.9.0.1 && why == \"MCAST_LEAVE\"");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 6 && igmp.saddr == 10.9.0.1");
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

TEST("a change before the last one was repeated is merged with it")
{
    COVERS("3376-3");
    struct fx *f = start();
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.1"), 0);
    EXPECT_OUT(f, "igmp.record_type == 5 && igmp.saddr == 10.9.0.1");
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.2"), 0);    /* takes back the first one */
    EXPECT_OUT(f, "igmp.num_grp_recs == 2 && igmp.record_type == 5 && igmp.record_type == 6");
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.2 10.9.0.3"), 0);
    EXPECT_OUT(f, "igmp.saddr == 10.9.0.1 && igmp.saddr == 10.9.0.2 && "
                      "igmp.saddr == 10.9.0.3");
    (void)fx_wait_ms(f, 1000);       /* the older two have been told twice */
    EXPECT_OUT(f, "igmp.num_grp_recs == 1 && igmp.num_src == 1 && igmp.saddr == 10.9.0.3");
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

TEST("while a change of mode is being told, sources are told with it")
{
    COVERS("3376-3");
    struct fx *f = start();
    EXPECT_EQ(fx_set(f, G, 1, "ex"), 0);
    EXPECT_OUT(f, TO_EX);
    EXPECT_EQ(fx_set(f, G, 1, "ex 10.9.0.1"), 0);
    EXPECT_OUT(f, "igmp.record_type == 4 && igmp.saddr == 10.9.0.1");
    (void)fx_wait_ms(f, 1000);       /* the mode has been told twice, the source once */
    EXPECT_OUT(f, "igmp.num_grp_recs == 1 && igmp.record_type == 6 && "
                      "igmp.saddr == 10.9.0.1");
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

/* A filter of 64 sources from 10.FIRST.0.0 on. */
static struct mcast_filter many_sources(bool exclude, uint32_t first)
{
    struct mcast_filter m = {.exclude = exclude, .n = MCAST_SOURCES_MAX};
    for (uint32_t i = 0; i < MCAST_SOURCES_MAX; i++)
        m.source[i] = addr_v4(0x0a000000 + (first << 16) + i);
    return m;
}

TEST("when more sources change than are remembered, the whole state is told")
{
    struct fx *f = start();
    struct oriel_addr g = fx_addr(G);
    struct mcast_filter m = many_sources(false, 1), k = many_sources(false, 2);
    EXPECT_EQ(mcast_set(&f->s->ip, (uint16_t)f->nif, &g, 1, &m), 0);
    EXPECT_OUT(f, "igmp.record_type == 5 && igmp.num_src == 64");
    EXPECT_EQ(mcast_set(&f->s->ip, (uint16_t)f->nif, &g, 1, &k), 0);
    EXPECT_OUT(f, "igmp.num_grp_recs == 1 && igmp.record_type == 3 && igmp.num_src == 64 && "
                      "igmp.saddr == 10.2.0.63 && !(igmp.saddr == 10.1.0.0/16)");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 3 && igmp.num_src == 64");
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

/* ---- queries, version 3 ---- */

TEST("a general query is answered once for all groups within the time it allows")
{
    COVERS("3376-3");
    struct fx *f = start();
    join_quietly(f, G, "ex");
    join_quietly(f, G2, "in 10.9.0.1 10.9.0.2");
    unsigned late = 0;
    for (unsigned i = 0; i < 20; i++) {
        fx_in(f, FROM4 "query v3 max=100");
        EXPECT_QUIET(f);
        uint64_t ms = fx_wait_ms(f, 10000);
        late += ms > 5000;
        EXPECT_OUT(f, "igmp.num_grp_recs == 2 && igmp.record_type == 1 && "
                          "igmp.record_type == 2 && why == \"MCAST_ANSWER\"");
        fx_run(f, 30 * NS_PER_S);
        EXPECT_QUIET(f);
    }
    EXPECT(late > 3 && late < 17);
    EXPECT_WHY(&f->s->env, WHY_MCAST_ANSWER);
    stop(f);
}

TEST("of two general queries the sooner answer serves both")
{
    struct fx *f = start();
    join_quietly(f, G, "ex");
    fx_in(f, FROM4 "query v3 max=1");
    fx_in(f, FROM4 "query v3 max=255");      /* over three thousand seconds */
    EXPECT(fx_wait_ms(f, 4000) <= 100);
    EXPECT_OUT(f, IS_EX);
    fx_in(f, FROM4 "query v3 max=255");
    fx_in(f, FROM4 "query v3 max=1");
    EXPECT(fx_wait_ms(f, 4000) <= 100);
    EXPECT_OUT(f, IS_EX);
    fx_run(f, 4000 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

TEST("a query for a group is answered with that group")
{
    struct fx *f = start();
    join_quietly(f, G, "ex 10.9.0.1");
    join_quietly(f, G2, "ex");
    fx_in(f, TO_G "query v3 max=10 group=" G);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.num_grp_recs == 1 && igmp.record_type == 2 && igmp.maddr == " G
                      " && igmp.saddr == 10.9.0.1 && why == \"MCAST_ANSWER\"");
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, FROM4 "query v3 max=10 group=239.7.7.7"));
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a query for sources is answered with those that are let through")
{
    COVERS("3376-3");
    struct fx *f = start();
    join_quietly(f, G, "in 10.9.0.1 10.9.0.2");
    fx_in(f, TO_G "query v3 max=10 group=" G " sources=10.9.0.2,10.9.0.3");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.num_src == 1 && igmp.saddr == 10.9.0.2");
    fx_in(f, TO_G "query v3 max=10 group=" G " sources=10.9.0.3,10.9.0.4");
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);                        /* none of them: no answer */
    join_quietly(f, G, "ex 10.9.0.3");
    fx_in(f, TO_G "query v3 max=10 group=" G " sources=10.9.0.3,10.9.0.4");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.num_src == 1 && igmp.saddr == 10.9.0.4");
    stop(f);
}

TEST("queries for one group that wait are answered together")
{
    COVERS("3376-3");
    struct fx *f = start();
    join_quietly(f, G, "in 10.9.0.1 10.9.0.2 10.9.0.3");
    fx_in(f, TO_G "query v3 max=100 group=" G " sources=10.9.0.1,10.9.0.2");
    fx_in(f, TO_G "query v3 max=10 group=" G " sources=10.9.0.2,10.9.0.3");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.num_src == 3");
    fx_in(f, TO_G "query v3 max=100 group=" G " sources=10.9.0.1");
    fx_in(f, TO_G "query v3 max=10 group=" G);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.num_src == 3");    /* all of its state */
    fx_in(f, TO_G "query v3 max=10 group=" G);
    fx_in(f, TO_G "query v3 max=10 group=" G " sources=10.9.0.1");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.num_src == 3");
    fx_in(f, TO_G "query v3 max=10 group=" G " sources=10.9.0.1");      /* and begins anew */
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.num_src == 1");
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

/* "10.9.FROM.0,10.9.FROM.1,..." */
static void list_sources(struct txt *t, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct oriel_addr a = addr_v4(0x0a090000 + (from << 8) + i);
        txt_s(t, i ? "," : "");
        txt_addr(t, &a);
    }
}

TEST("a query for more sources than are kept is answered with all of the group's state")
{
    COVERS("3376-2");
    struct fx *f = start();
    char query[4000];
    join_quietly(f, G, "in 10.77.0.1");
    struct txt t = txt_of(query, sizeof(query));
    txt_s(&t, TO_G "query v3 max=10 group=" G " sources=");
    list_sources(&t, 0, MCAST_SOURCES_MAX + 1);
    fx_in(f, query);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.saddr == 10.77.0.1");
    t = txt_of(query, sizeof(query));
    txt_s(&t, TO_G "query v3 max=10 group=" G " sources=");
    list_sources(&t, 0, MCAST_SOURCES_MAX);     /* so many are kept: none of them is wanted */
    fx_in(f, query);
    fx_run(f, 5 * NS_PER_S);
    EXPECT_QUIET(f);
    for (uint32_t from = 0; from < 2; from++) {
        t = txt_of(query, sizeof(query));
        txt_s(&t, TO_G "query v3 max=10 group=" G " sources=");
        list_sources(&t, from, 40);
        fx_in(f, query);
    }
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 1 && igmp.saddr == 10.77.0.1");
    stop(f);
}

TEST("a query for a group adds nothing when the answer to a general one comes before")
{
    struct fx *f = start();
    join_quietly(f, G, "ex");
    fx_in(f, FROM4 "query v3 max=1");
    unsigned answers = 0;
    fx_in(f, TO_G "query v3 max=255 group=" G);
    fx_run(f, 4000 * NS_PER_S);
    answers = fx_skip(f);
    EXPECT_EQ(answers, 1);
    stop(f);
}

TEST("a group that is being left is no part of an answer")
{
    struct fx *f = start();
    for (unsigned i = 0; i < 10; i++) {
        join_quietly(f, G, "ex");
        join_quietly(f, G2, "ex");
        fx_leave(f, G, 1);
        EXPECT_OUT(f, TO_IN);
        fx_in(f, FROM4 "query v3 max=1");
        fx_run(f, 30 * NS_PER_S);
        EXPECT(fx_out_until(f, "why == \"MCAST_ANSWER\""));
        EXPECT_FRAME(f, "igmp.num_grp_recs == 1 && igmp.maddr == " G2);
        (void)fx_skip(f);
    }
    stop(f);
}

TEST("an answer is given by what holds when it is given")
{
    struct fx *f = start();
    join_quietly(f, G, "ex");
    fx_in(f, TO_G "query v3 max=255 group=" G);
    fx_in(f, FROM4 "query v3 max=255");
    fx_leave(f, G, 1);
    EXPECT_OUT(f, TO_IN);
    fx_run(f, 4000 * NS_PER_S);
    EXPECT_OUT(f, TO_IN);                   /* the repeat; nothing to answer with */
    EXPECT_QUIET(f);
    stop(f);
}

/* ---- long reports ---- */

TEST("what does not fit into one report goes into the next, none longer than the link takes")
{
    struct fx *f = start();
    struct mcast_filter m = many_sources(false, 1);
    for (uint32_t i = 0; i < 100; i++) {
        struct oriel_addr g = addr_v4(0xef050000 + i);
        EXPECT_EQ(mcast_set(&f->s->ip, (uint16_t)f->nif, &g, 1, &m), 0);
    }
    fx_settle(f);
    fx_in(f, FROM4 "query v3 max=10");
    (void)fx_wait_ms(f, 1000);
    unsigned frames = 0, records = 0;
    while (fx_out(f)) {
        frames++;
        records += (unsigned)dissection_first(&f->d, F_IGMP_NUM_GRP_RECS)->value.u;
        EXPECT(f->frame_n <= 1514);
        EXPECT_FRAME(f, "igmp.num_src == 64 && igmp.checksum.status == 1");
    }
    EXPECT_EQ(records, 100);
    EXPECT_EQ(frames, 20);
    stop(f);
}

TEST("on a small link a list of sources is split, a list of excluded ones cut off")
{
    struct oriel_netif_config small = {.kind = ORIEL_NETIF_RAW, .mtu = 68};
    struct fx *f = start_with(&small);
    struct oriel_addr g = fx_addr(G);
    struct mcast_filter m = many_sources(false, 1);
    EXPECT_EQ(mcast_set(&f->s->ip, (uint16_t)f->nif, &g, 1, &m), 0);
    unsigned sources = 0;
    while (fx_out(f)) {
        EXPECT(f->frame_n <= 68);
        EXPECT_FRAME(f, "igmp.record_type == 5 && igmp.num_grp_recs == 1");
        sources += (unsigned)dissection_first(&f->d, F_IGMP_NUM_SRC)->value.u;
        EXPECT(fx_is(f, "igmp.saddr == 10.1.0.63") == (sources == 64));
    }
    EXPECT_EQ(sources, 64);
    m.exclude = true;
    EXPECT_EQ(mcast_set(&f->s->ip, (uint16_t)f->nif, &g, 1, &m), 0);
    EXPECT_OUT(f, "frame.len == 68 && igmp.record_type == 4 && igmp.num_src == 7");
    EXPECT_QUIET(f);
    stop(f);
}

TEST("on a link that is too small for IPv6 nothing is reported")
{
    struct oriel_netif_config small = {.kind = ORIEL_NETIF_RAW, .mtu = 68};
    struct fx *f = start_with(&small);
    EXPECT_EQ(fx_join(f, G6, 1), 0);
    EXPECT_QUIET(f);
    stop(f);
}

/* ---- MLD ---- */

TEST("an IPv6 group is reported, answered for and left in version 2 of MLD")
{
    struct fx *f = start();
    EXPECT_EQ(fx_set(f, G6, 1, "in 2001:db8::1 2001:db8::2"), 0);
    EXPECT_OUT(f, "icmpv6.mldr.mar.record_type == 5 && icmpv6.mldr.mar.nb_sources == 2");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "icmpv6.mldr.mar.record_type == 5");
    fx_settle(f);
    fx_in(f, TO_G6 "mld2-query max=1000 group=" G6 " sources=2001:db8::3,2001:db8::2");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "icmpv6.mldr.mar.record_type == 1 && icmpv6.mldr.mar.nb_sources == 1 && "
                      "icmpv6.mldr.mar.source_address == 2001:db8::2");
    fx_leave(f, G6, 1);
    EXPECT_OUT(f, "icmpv6.mldr.mar.record_type == 6 && why == \"MCAST_LEAVE\"");
    fx_settle(f);
    fx_in(f, FROM6 "mld2-query max=1000");
    (void)fx_wait_ms(f, 1000);               /* the solicited-node groups are still there */
    EXPECT_OUT(f, "icmpv6.mldr.mar.record_type == 2 && "
                      "!(icmpv6.mldr.mar.multicast_address == " G6 ")");
    stop(f);
}

/* ---- what is never reported ---- */

TEST("groups that are no router's business are never reported")
{
    struct fx *f = start();
    static const char *const groups[] = {"224.0.0.1", "ff02::1", "ff01::1", "ff01::1:5",
                                         "ff00::1:5", "ff10::5"};
    for (unsigned i = 0; i < ARRAY_LEN(groups); i++)
        EXPECT_EQ(fx_join(f, groups[i], 1), 0);
    EXPECT_QUIET(f);
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, FROM4 "query v3 max=10 group=224.0.0.1"));
    fx_in(f, FROM4 "query v3 max=10");
    EXPECT_DROP(f, MLD_UNWANTED, fx_in(f, FROM6 "mld2-query max=1000 group=ff02::1"));
    fx_run(f, 20 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_in(f, FROM4 "query v2 max=10");
    fx_in(f, FROM6 "mld-query max=1000");
    fx_run(f, 20 * NS_PER_S);
    EXPECT_OUT(f, "icmpv6.type == 131 && ipv6.dst == ff02::1:ff00:0/104");
    EXPECT_QUIET(f);
    for (unsigned i = 0; i < ARRAY_LEN(groups); i++)
        fx_leave(f, groups[i], 1);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the loopback interface reports nothing")
{
    struct fx *f = fx_new(.reports = true, .netif = {.kind = ORIEL_NETIF_LOOPBACK});
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_EQ(fx_join(f, G6, 1), 0);
    fx_leave(f, G, 1);
    fx_run(f, 20 * NS_PER_S);
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->link.loop.n, 0);
    stop(f);
}

/* ---- interfaces come and go ---- */

TEST("a link that comes back is told everything again")
{
    struct fx *f = start();
    struct netif *nif = netif_at(&f->s->link, (uint32_t)f->nif);
    join_quietly(f, G, "ex");
    EXPECT(netif_set_up(&f->s->link, nif, true, false));
    EXPECT_EQ(fx_set(f, G2, 1, "in 10.9.0.1"), 0);
    fx_run(f, 20 * NS_PER_S);
    EXPECT_QUIET(f);
    EXPECT(netif_set_up(&f->s->link, nif, true, true));
    mcast_if_up(&f->s->ip, (uint16_t)f->nif);
    unsigned g = 0, g2 = 0;
    fx_run(f, 20 * NS_PER_S);
    while (fx_out(f)) {
        g += fx_is(f, TO_EX);
        g2 += fx_is(f, "igmp.record_type == 5 && igmp.saddr == 10.9.0.1");
    }
    EXPECT_EQ(g, 2);
    EXPECT_EQ(g2, 2);
    stop(f);
}

TEST("a link that comes back after the last member left is told nothing of the group")
{
    struct fx *f = start();
    join_quietly(f, G, "ex");
    struct netif *nif = netif_at(&f->s->link, (uint32_t)f->nif);
    EXPECT(netif_set_up(&f->s->link, nif, false, true));
    fx_leave(f, G, 1);
    EXPECT(netif_set_up(&f->s->link, nif, true, true));
    mcast_if_up(&f->s->ip, (uint16_t)f->nif);
    fx_run(f, 20 * NS_PER_S);
    while (fx_out(f))
        EXPECT_FRAME(f, "!(igmp.maddr == " G ")");
    stop(f);
}

TEST("an interface that is being made reports each group once, then repeats")
{
    struct fx *f = fx_new(.reports = true, .netif = ether);
    unsigned reports = 0;
    while (fx_out(f))
        reports += fx_is(f, "icmpv6.type == 143");
    EXPECT_EQ(reports, 1);                      /* the solicited-node group */
    stop(f);
}
