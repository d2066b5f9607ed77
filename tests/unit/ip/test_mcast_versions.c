/* mcast_report.c once more: the older versions of IGMP and MLD. */
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
#define IS_EX "igmp.record_type == 2 && igmp.num_src == 0 && igmp.maddr == " G
#define V2_REPORT "igmp.type == 0x16 && ip.dst == " G " && igmp.maddr == " G
#define V1_REPORT "igmp.type == 0x12 && ip.dst == " G " && igmp.maddr == " G
#define V2_LEAVE  "igmp.type == 0x17 && ip.dst == 224.0.0.2 && igmp.maddr == " G

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

/* ---- version 2 ---- */

/* A version 2 querier was heard, and answered. */
static struct fx *start_v2(void)
{
    struct fx *f = start();
    fx_in(f, FROM4 "query v2 max=100");
    fx_run(f, 15 * NS_PER_S);
    (void)fx_skip(f);
    return f;
}

TEST("to a version 2 querier a join is a report, told twice within ten seconds")
{
    COVERS("2236-2");
    struct fx *f = start_v2();
    unsigned late = 0;
    for (unsigned i = 0; i < 10; i++) {
        EXPECT_EQ(fx_join(f, G, 1), 0);
        EXPECT_OUT(f, V2_REPORT " && why == \"MCAST_REPORT\"");
        EXPECT_QUIET(f);
        late += fx_wait_ms(f, 10000) > 1000;
        EXPECT_OUT(f, V2_REPORT);
        fx_run(f, 12 * NS_PER_S);
        EXPECT_QUIET(f);
        fx_leave(f, G, 1);
        EXPECT_OUT(f, V2_LEAVE " && why == \"MCAST_LEAVE\"");
        fx_in(f, FROM4 "query v2 max=1");
    }
    EXPECT(late > 5);
    stop(f);
}

TEST("a version 2 query is answered for each group within the time it allows")
{
    COVERS("2236-2");
    struct fx *f = start();
    join_quietly(f, G, "ex");
    join_quietly(f, G2, "in 10.9.0.1");
    for (unsigned i = 0; i < 20; i++) {
        fx_in(f, FROM4 "query v2 max=30");
        EXPECT_QUIET(f);
        (void)fx_wait_ms(f, 3000);
        fx_run(f, 3000 * NS_PER_MS);
        EXPECT_OUT(f, "igmp.type == 0x16 && why == \"MCAST_ANSWER\"");
        EXPECT_OUT(f, "igmp.type == 0x16");
        EXPECT_QUIET(f);
    }
    fx_in(f, TO_G "query v2 max=10 group=" G);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, V2_REPORT);
    fx_run(f, 5 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

TEST("a later query shortens a delay that is longer than it allows, and does not prolong one")
{
    COVERS("2236-2");
    struct fx *f = start_v2();
    join_quietly(f, G, "ex");
    for (unsigned i = 0; i < 10; i++) {
        fx_in(f, FROM4 "query v2 max=250");
        fx_in(f, TO_G "query v2 max=1 group=" G);
        fx_in(f, FROM4 "query v2 max=250");
        EXPECT(fx_wait_ms(f, 30000) <= 100);
        EXPECT_OUT(f, V2_REPORT);
        fx_run(f, 30 * NS_PER_S);
        EXPECT_QUIET(f);
    }
    stop(f);
}

TEST("somebody else's report answers for us, and leaving is then for him to say")
{
    COVERS("2236-2");
    struct fx *f = start_v2();
    join_quietly(f, G, "ex");
    fx_in(f, FROM4 "query v2 max=100");
    fx_in(f, TO_G "report-v2 group=" G);
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_leave(f, G, 1);
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, V2_REPORT);
    fx_in(f, TO_G "report-v1 group=" G);     /* the repeat is not needed either */
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_in(f, FROM4 "query v2 max=10");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, V2_REPORT);
    fx_leave(f, G, 1);
    EXPECT_OUT(f, V2_LEAVE);                /* we were the last */
    fx_run(f, 30 * NS_PER_S);
    EXPECT_QUIET(f);
    stop(f);
}

TEST("filters of sources are nothing that version 2 can say")
{
    struct fx *f = start_v2();
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.1"), 0);
    EXPECT_OUT(f, V2_REPORT);
    fx_settle(f);
    EXPECT_EQ(fx_set(f, G, 1, "ex"), 0);
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.3"), 0);
    EXPECT_QUIET(f);
    fx_leave(f, G, 1);
    EXPECT_OUT(f, V2_LEAVE);
    stop(f);
}

TEST("version 3 comes back when no version 2 querier was heard for 260 seconds")
{
    COVERS("2236-3");
    struct fx *f = start();
    join_quietly(f, G, "ex");
    fx_in(f, FROM4 "query v2 max=100");      /* robustness 2 times 125 s and 10 s */
    fx_run(f, 259999 * NS_PER_MS);
    EXPECT_OUT(f, V2_REPORT);
    EXPECT_EQ(fx_join(f, G2, 1), 0);
    EXPECT_OUT(f, "igmp.type == 0x16");
    fx_run(f, 1 * NS_PER_MS);
    EXPECT_EQ(fx_join(f, "239.1.2.5", 1), 0);
    EXPECT_OUT(f, "igmp.type == 0x22");
    fx_leave(f, G, 1);
    EXPECT_OUT(f, TO_IN);
    stop(f);
}

TEST("how long an older querier is remembered follows what the newer one said")
{
    struct fx *f = start();
    fx_in(f, FROM4 "query v3 max=10 qrv=3 qqic=60");
    fx_in(f, FROM4 "query v2 max=50");       /* 3 times 60 s and 5 s */
    fx_run(f, 184999 * NS_PER_MS);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, V2_REPORT);
    fx_run(f, 1 * NS_PER_MS);
    EXPECT_EQ(fx_join(f, G2, 1), 0);
    EXPECT_OUT(f, "igmp.type == 0x22");
    stop(f);
}

TEST("a querier is forgotten in time where nobody is in any group as well")
{
    COVERS("2236-3");
    struct fx *f = fx_new(.reports = true);
    fx_in(f, FROM4 "query v2 max=100");
    fx_run(f, 260 * NS_PER_S);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, "igmp.type == 0x22");
    fx_in(f, FROM4 "query v1");
    fx_settle(f);
    fx_leave(f, G, 1);
    fx_run(f, 400 * NS_PER_S);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, "igmp.type == 0x22");
    stop(f);
}

TEST("a version 2 query for one group does not change the version")
{
    COVERS("3376-1");
    struct fx *f = start();
    join_quietly(f, G, "ex");
    fx_in(f, TO_G "query v2 max=10 group=" G);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, IS_EX);
    stop(f);
}

TEST("what is pending is forgotten when the version changes")
{
    struct fx *f = start();
    uint32_t groups = f->s->ip.mcast.groups.live;
    join_quietly(f, G, "ex");
    join_quietly(f, G2, "ex");
    fx_leave(f, G2, 1);                      /* to be repeated */
    EXPECT_EQ(fx_set(f, G, 1, "ex 10.9.0.1"), 0);    /* likewise */
    fx_in(f, FROM4 "query v3 max=100");
    (void)fx_skip(f);
    fx_in(f, FROM4 "query v2 max=255");
    EXPECT_EQ(f->s->ip.mcast.groups.live, groups + 1);
    fx_run(f, 30 * NS_PER_S);
    EXPECT_OUT(f, V2_REPORT);               /* the new querier is answered, and that is all */
    EXPECT_QUIET(f);
    stop(f);
}

TEST("what was forgotten does not come back with the next change")
{
    struct fx *f = start();
    EXPECT_EQ(fx_set(f, G, 1, "ex"), 0);        /* a mode and a source, both to be repeated */
    EXPECT_EQ(fx_set(f, G, 1, "ex 10.9.0.1"), 0);
    fx_in(f, FROM4 "query v2 max=1");
    fx_run(f, 300 * NS_PER_S);
    (void)fx_skip(f);
    EXPECT_EQ(fx_set(f, G, 1, "ex 10.9.0.1 10.9.0.2"), 0);
    EXPECT_OUT(f, "igmp.num_grp_recs == 1 && igmp.record_type == 6 && igmp.num_src == 1 && "
                  "igmp.saddr == 10.9.0.2");
    stop(f);
}

/* ---- version 1 ---- */

TEST("a version 1 querier is spoken to in version 1 for 400 seconds")
{
    COVERS("2236-3");
    struct fx *f = start();
    join_quietly(f, G, "ex");
    fx_in(f, FROM4 "query v1");
    (void)fx_wait_ms(f, 10000);
    EXPECT_OUT(f, V1_REPORT " && why == \"MCAST_ANSWER\"");
    fx_run(f, 12 * NS_PER_S);
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_join(f, G2, 1), 0);
    EXPECT_OUT(f, "igmp.type == 0x12");
    fx_settle(f);
    fx_leave(f, G2, 1);
    EXPECT_QUIET(f);                        /* there is no leave in version 1 */
    stop(f);
}

TEST("after 400 seconds version 1 is over")
{
    COVERS("2236-3");
    struct fx *f = start();
    fx_in(f, FROM4 "query v1");
    fx_run(f, 100 * NS_PER_S);
    fx_in(f, FROM4 "query v2 max=100");      /* the older one decides */
    fx_run(f, 299999 * NS_PER_MS);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, V1_REPORT);
    fx_run(f, 1 * NS_PER_MS);
    fx_leave(f, G, 1);
    EXPECT_OUT(f, TO_IN);                   /* version 2 ran out at 360 s */
    stop(f);
}

TEST("a version 1 query waits up to ten seconds for its answer")
{
    COVERS("2236-3");
    struct fx *f = start();
    join_quietly(f, G, "ex");
    unsigned late = 0;
    for (unsigned i = 0; i < 20; i++) {
        fx_in(f, FROM4 "query v1");
        late += fx_wait_ms(f, 10000) > 5000;
        EXPECT_OUT(f, V1_REPORT);
    }
    EXPECT(late > 3 && late < 17);
    stop(f);
}

/* ---- configured versions ---- */

TEST("a configured version is spoken whatever is heard")
{
    static const char *const filter[] = {"igmp.type == 0x12", "igmp.type == 0x16",
                                         "igmp.type == 0x22"};
    for (uint8_t version = 1; version <= 3; version++) {
        struct oriel_netif_config cfg = {.kind = ORIEL_NETIF_ETHER, .igmp_version = version};
        struct fx *f = start_with(&cfg);
        EXPECT_EQ(fx_join(f, G, 1), 0);
        EXPECT_OUT(f, filter[version - 1]);
        fx_settle(f);
        static const char *const queries[] = {FROM4 "query v1", FROM4 "query v2 max=100",
                                              FROM4 "query v3 max=100"};
        for (unsigned i = 0; i < ARRAY_LEN(queries); i++) {
            fx_in(f, queries[i]);
            (void)fx_wait_ms(f, 10000);
            EXPECT_OUT(f, filter[version - 1]);
            EXPECT_QUIET(f);
        }
        stop(f);
    }
}

TEST("a configured version holds from the first join on, repeats included")
{
    struct fx *f = fx_new(.reports = true, .netif = {.igmp_version = 2});
    (void)fx_skip(f);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, V2_REPORT);
    (void)fx_wait_ms(f, 10000);
    EXPECT_OUT(f, V2_REPORT);
    stop(f);
}

/* ---- MLD ---- */

TEST("to a version 1 querier of MLD: report, suppression, done, and 260 seconds")
{
    struct fx *f = start();
    fx_in(f, FROM6 "mld-query max=10000");
    fx_settle(f);
    EXPECT_EQ(fx_join(f, G6, 1), 0);
    EXPECT_OUT(f, "icmpv6.type == 131 && ipv6.dst == " G6);
    (void)fx_wait_ms(f, 10000);
    EXPECT_OUT(f, "icmpv6.type == 131");
    fx_in(f, TO_G6 "mld-query max=10000 group=" G6);
    fx_in(f, TO_G6 "mld-report group=" G6);
    fx_run(f, 20 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_leave(f, G6, 1);
    EXPECT_QUIET(f);                        /* somebody else reported last */
    EXPECT_EQ(fx_join(f, G6, 1), 0);
    (void)fx_skip(f);
    fx_leave(f, G6, 1);
    EXPECT_OUT(f, "icmpv6.type == 132 && ipv6.dst == ff02::2 && why == \"MCAST_LEAVE\"");
    fx_run(f, 170 * NS_PER_S);
    EXPECT_EQ(fx_join(f, G6, 1), 0);
    EXPECT_OUT(f, "icmpv6.type == 131");
    fx_run(f, 10 * NS_PER_S);
    (void)fx_skip(f);
    fx_leave(f, G6, 1);
    EXPECT_OUT(f, "icmpv6.type == 143");
    stop(f);
}

TEST("a configured version of MLD is spoken whatever is heard")
{
    static const char *const filter[] = {"icmpv6.type == 131", "icmpv6.type == 143"};
    for (uint8_t version = 1; version <= 2; version++) {
        struct oriel_netif_config cfg = {.kind = ORIEL_NETIF_ETHER, .mld_version = version};
        struct fx *f = start_with(&cfg);
        fx_in(f, FROM6 "mld-query max=1000");
        fx_in(f, FROM6 "mld2-query max=1000");
        fx_settle(f);
        EXPECT_EQ(fx_join(f, G6, 1), 0);
        EXPECT_OUT(f, filter[version - 1]);
        stop(f);
    }
}

TEST("the queriers of one family say nothing about the other")
{
    struct fx *f = start();
    fx_in(f, FROM6 "mld-query max=10000");
    fx_settle(f);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, "igmp.type == 0x22");
    fx_in(f, FROM4 "query v1");
    fx_run(f, 300 * NS_PER_S);
    (void)fx_skip(f);
    EXPECT_EQ(fx_join(f, G6, 1), 0);
    EXPECT_OUT(f, "icmpv6.type == 143");
    stop(f);
}
