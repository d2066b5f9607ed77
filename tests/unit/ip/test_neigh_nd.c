/* Neighbours of IPv6 hosts in full: the table of RFC 4861, 7.2.5, the chart of 7.3, and a sweep. */
#include "fx_stack.h"

#define S  NS_PER_S
#define MS NS_PER_MS

/* A router on a link where it is fe80::1 and 2001:db8::1. */
static struct fx *router(void)
{
    struct fx *f = fx_new(.netif = {.no_dad = true},
                          .stack = {.forward6 = true, .memory_bytes = 4u << 20});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    return f;
}

/* ---- resolution ---- */

TEST("a neighbour is asked for three times, a second apart, and then given up")
{
    COVERS("4861-8");
    struct fx *f = fx_host6();
    EXPECT_EQ(fx_send(f, "2001:db8::2", "x"), 1);
    fx_at(f, 10 * S);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.dst == ff02::1:ff00:2 && ipv6.hlim == 255");
        EXPECT_FRAME(f, "ipv6.src == 2001:db8::1 && icmpv6.nd.ns.target_address == 2001:db8::2");
        EXPECT_FRAME(f, "icmpv6.opt.src_linkaddr == 02:00:00:00:00:01 && why == \"ND_SOLICIT\"");
        EXPECT(f->out_at == i * S);
    }
    EXPECT_WHY(&f->s->env, WHY_ND_SOLICIT);
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_drops(f, DROP_NEIGH_FAILED), 1);
    EXPECT_DROPPED(&f->s->env, DROP_NEIGH_FAILED);
    struct oriel_error_info e;
    EXPECT_EQ(oriel_last_error(f->s, f->udp, &e), 0);
    EXPECT_EQ(e.err, ORIEL_EHOSTUNREACH);
    EXPECT(!e.from_net);
    fx_free(f);
}

TEST("who sent what was to be forwarded is told that the address does not answer")
{
    COVERS("4861-8");
    struct fx *f = router();
    int inside = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    fx_add_addr(f, inside, "2001:db8:2::1/64");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    (void)fx_skip(f);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:2::2 / udp 1>2 / \"a\"");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:2::2 / udp 1>2 / \"b\"");
    fx_at(f, 4 * S);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_OUT(f, "icmpv6.type == 135");
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 3 && ipv6.dst == 2001:db8::2");
        EXPECT(f->out_at == 3 * S);
    }
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:2::2 / udp 1>2 / \"c\"");
    EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 3");         /* at once, while it is known */
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a question has a source on the link where it is asked, or is not asked")
{
    struct fx *f = router();
    int inside = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    fx_add_route(f, inside, "2001:db8:2::/64", NULL);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:2::2 / udp 1>2 / \"a\"");
    fx_at(f, 2 * S);
    EXPECT_QUIET(f);
    fx_add_addr(f, inside, "fe80::11/64");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:2::3 / udp 1>2 / \"a\"");
    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.src == fe80::11");   /* not 2001:db8::1 */
    fx_free(f);
}

TEST("packets wait for the answer, the latest eight, and leave in their order")
{
    COVERS("4861-8");
    struct fx *f = fx_host6();
    for (unsigned i = 0; i < NEIGH_QUEUE_MAX + 2; i++)
        EXPECT_EQ(fx_send(f, "2001:db8::2", fx_line("%c", 'a' + (int)i)), 1);
    EXPECT_EQ(fx_drops(f, DROP_NEIGH_QUEUE_FULL), 2);
    EXPECT_DROPPED(&f->s->env, DROP_NEIGH_QUEUE_FULL);
    EXPECT_OUT(f, "icmpv6.type == 135");
    EXPECT_QUIET(f);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 na solicited override "
             "target=2001:db8::2 tlla=" FX_PEER);
    for (unsigned i = 2; i < NEIGH_QUEUE_MAX + 2; i++) {
        EXPECT_OUT(f, "udp && eth.dst == " FX_PEER);
        EXPECT_EQ(f->frame[ETH_HDR_LEN + 40 + 8], 'a' + (int)i);
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- RFC 4861, 7.2.5: the table ---- */

enum tlla { TLLA_NONE, TLLA_SAME, TLLA_OTHER };

static const enum neigh_state states[] = {NEIGH_INCOMPLETE, NEIGH_REACHABLE, NEIGH_STALE,
                                          NEIGH_DELAYED, NEIGH_PROBE};

/* fe80::2 at FX_PEER, not a router, brought there by what happens on a network. */
static struct fx *neighbour_in(enum neigh_state state)
{
    struct fx *f = fx_host6();
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    if (state != NEIGH_INCOMPLETE) {
        fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 na solicited override target=fe80::2 tlla="
                 FX_PEER);
        if (state != NEIGH_REACHABLE)
            fx_run(f, 46 * S);
        if (state == NEIGH_DELAYED || state == NEIGH_PROBE)
            EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
        if (state == NEIGH_PROBE)
            fx_run(f, NEIGH_DELAY);
    }
    EXPECT_EQ(fx_neigh(f, f->nif, "fe80::2")->state, state);
    (void)fx_skip(f);
    return f;
}

struct verdict {
    enum neigh_state state;
    bool new_mac;
    bool router;
};

/* The section's rules, read from its text and not from the program. */
static struct verdict expected(enum neigh_state was, enum tlla tlla, bool router, bool solicited,
                               bool override)
{
    if (was == NEIGH_INCOMPLETE && tlla == TLLA_NONE)
        return (struct verdict){was, false, false};
    if (was == NEIGH_INCOMPLETE)        /* a packet waits: what is stale is in use at once */
        return (struct verdict){solicited ? NEIGH_REACHABLE : NEIGH_DELAYED, tlla == TLLA_OTHER,
                                router};
    if (tlla == TLLA_OTHER && !override)
        return (struct verdict){was == NEIGH_REACHABLE ? NEIGH_STALE : was, false, false};
    if (solicited)
        return (struct verdict){NEIGH_REACHABLE, tlla == TLLA_OTHER, router};
    if (tlla == TLLA_OTHER)
        return (struct verdict){NEIGH_STALE, true, router};
    return (struct verdict){was, false, router};
}

static void check_row(enum neigh_state was, enum tlla tlla, bool router, bool solicited,
                      bool override)
{
    static const char *const options[] = {"", "tlla=02:00:00:00:00:02", "tlla=02:00:00:00:00:99"};
    struct fx *f = neighbour_in(was);
    struct verdict v = expected(was, tlla, router, solicited, override);
    fx_in(f, fx_line("ip6 src=fe80::2 dst=fe80::1 / icmp6 na target=fe80::2 %s%s%s%s",
                  router ? "router " : "", solicited ? "solicited " : "",
                  override ? "override " : "", options[tlla]));
    const struct neigh *n = fx_neigh(f, f->nif, "fe80::2");
    bool new_mac = n->mac.b[5] == 0x99;
    if (n->state != v.state || (v.state != NEIGH_INCOMPLETE && new_mac != v.new_mac) ||
        n->router != v.router)
        fail_msg("%s, tlla %d, R %d, S %d, O %d: is %s, new address %d, router %d",
                 neigh_state_name(was), tlla, router, solicited, override,
                 neigh_state_name((enum neigh_state)n->state), new_mac, n->router);
    bool sent = fx_out(f) && fx_is(f, "udp");
    EXPECT_EQ(sent, was == NEIGH_INCOMPLETE && tlla != TLLA_NONE);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("an advertisement does to a neighbour exactly what the table of RFC 4861, 7.2.5 says")
{
    COVERS("4861-11 S27");
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        for (unsigned tlla = TLLA_NONE; tlla <= TLLA_OTHER; tlla++)
            for (unsigned flags = 0; flags < 8; flags++)
                check_row(states[i], (enum tlla)tlla, flags & 1, flags & 2, flags & 4);
}

TEST("an entry made by hand is moved by no advertisement")
{
    COVERS("4861-11 S27");
    struct fx *f = fx_host6();
    struct oriel_addr a = fx_addr("fe80::2");
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &a, (const uint8_t[]){2, 0, 0, 0, 0, 0x55}), 0);
    for (unsigned flags = 0; flags < 8; flags++)
        fx_in(f,
              fx_line("ip6 src=fe80::2 dst=fe80::1 / icmp6 na target=fe80::2 %s%s%s tlla=" FX_PEER,
                      flags & 1 ? "router " : "", flags & 2 ? "solicited " : "",
                      flags & 4 ? "override " : ""));
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=" FX_PEER);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "static");
    EXPECT_EQ(fx_neigh(f, f->nif, "fe80::2")->mac.b[5], 0x55);
    fx_free(f);
}

/* ---- RFC 4861, 7.3: reachability ---- */

TEST("a neighbour that answered counts as reachable for 15 to 45 seconds, not always the same")
{
    COVERS("4861-12");
    struct fx *f = fx_host6();
    oriel_time shortest = ORIEL_NEVER, longest = 0;
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    for (unsigned i = 0; i < 200; i++) {
        fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 na solicited override target=fe80::2 tlla="
                 FX_PEER);
        EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "reachable");
        oriel_time from = fx_now(f);
        while (fx_neigh(f, f->nif, "fe80::2")->state == NEIGH_REACHABLE)
            fx_run(f, 100 * MS);
        oriel_time lasted = fx_now(f) - from;
        shortest = lasted < shortest ? lasted : shortest;
        longest = lasted > longest ? lasted : longest;
        EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "stale");
    }
    EXPECT(shortest >= 15 * S && shortest < 18 * S);
    EXPECT(longest > 42 * S && longest <= 45100 * MS);
    fx_free(f);
}

TEST("reachable, stale, delay, probe, gone: each at its time")
{
    COVERS("4861-12");
    struct fx *f = neighbour_in(NEIGH_STALE);
    fx_run(f, 100 * S);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "stale");     /* what is idle is not asked */
    EXPECT_QUIET(f);

    oriel_time t = fx_now(f);
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == " FX_PEER);                   /* it leaves all the same */
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "delay");
    fx_at(f, t + 5 * S - 1);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "delay");
    EXPECT_QUIET(f);
    fx_at(f, t + 5 * S);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "probe");
    EXPECT_EQ(fx_send(f, "fe80::2%1", "y"), 1);                    /* so does this */
    fx_at(f, t + 8 * S - 1);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "probe");
    fx_at(f, t + 8 * S);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "failed");

    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.dst == fe80::2 && eth.dst == " FX_PEER);
    EXPECT_FRAME(f, "why == \"ND_VERIFY\" && icmpv6.opt.src_linkaddr == 02:00:00:00:00:01");
    EXPECT(f->out_at == t + 5 * S);
    EXPECT_OUT(f, "udp");
    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.dst == fe80::2");
    EXPECT(f->out_at == t + 6 * S);
    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.dst == fe80::2");
    EXPECT(f->out_at == t + 7 * S);
    EXPECT_QUIET(f);
    EXPECT_WHY(&f->s->env, WHY_ND_VERIFY);

    EXPECT_EQ(fx_send(f, "fe80::2%1", "z"), ORIEL_EHOSTUNREACH);   /* known, for a while */
    fx_run(f, NEIGH_FAILED_FOR);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "none");
    EXPECT_EQ(fx_send(f, "fe80::2%1", "z"), 1);
    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.dst == ff02::1:ff00:2");
    fx_free(f);
}

TEST("a neighbour that nobody writes to is forgotten in the end")
{
    struct fx *f = neighbour_in(NEIGH_STALE);
    fx_run(f, NEIGH_STALE_FOR);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "none");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("only an answer to our question, or an upper layer, says that a neighbour is reachable")
{
    COVERS("4861-12");
    static const enum neigh_state in[] = {NEIGH_STALE, NEIGH_DELAYED, NEIGH_PROBE};
    for (size_t i = 0; i < ARRAY_LEN(in); i++) {
        struct fx *f = neighbour_in(in[i]);
        fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=" FX_PEER);
        fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na override target=fe80::2 tlla=" FX_PEER);
        fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 echo-reply id=1 seq=1");
        EXPECT_EQ(fx_neigh(f, f->nif, "fe80::2")->state, in[i]);
        fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 na solicited target=fe80::2");
        EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "reachable");
        fx_free(f);

        f = neighbour_in(in[i]);
        struct ip_path path;
        struct oriel_addr to = fx_addr("fe80::2%1");
        EXPECT_EQ(ip_path_find(&f->s->ip, &to, NULL, 0, &path), 0);
        ip_path_confirm(&f->s->ip, &path);
        EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "reachable");
        fx_free(f);
    }
}

TEST("a path that has gone stale confirms nobody")
{
    struct fx *f = neighbour_in(NEIGH_STALE);
    struct ip_path path;
    struct oriel_addr to = fx_addr("fe80::2%1");
    EXPECT_EQ(ip_path_find(&f->s->ip, &to, NULL, 0, &path), 0);
    fx_add_addr(f, f->nif, "2001:db8:3::1/64");
    ip_path_confirm(&f->s->ip, &path);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "stale");
    fx_free(f);
}

/* ---- a table that somebody wants to fill ---- */

#if defined(__SANITIZE_ADDRESS__)
#define SWEEP 100000u
#else
#define SWEEP 1000000u
#endif

/* A router with 100 known hosts on its second link, 2001:db8:2::/64. */
static struct fx *router_with_hosts(int *inside)
{
    struct fx *f = fx_new(.netif = {.no_dad = true}, .reports = true,
                          .stack = {.forward6 = true, .memory_bytes = 8u << 20});
    *inside = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    fx_add_addr(f, f->nif, "2001:db8:1::1/64");
    fx_add_addr(f, *inside, "fe80::1/64");
    fx_add_addr(f, *inside, "2001:db8:2::1/64");
    for (unsigned i = 0; i < 100; i++)
        fx_in_on(f, *inside, fx_line("eth src=02:00:00:00:00:%02x dst=02:00:00:00:00:11 / "
                                  "ip6 src=2001:db8:2::f:%x dst=2001:db8:2::1 / "
                                  "icmp6 ns target=2001:db8:2::1 slla=02:00:00:00:00:%02x",
                                  i + 0x20, i, i + 0x20));
    (void)fx_skip(f);
    return f;
}

TEST("a sweep over a million addresses of a link leaves its known hosts reachable")
{
    COVERS("6583-1 S18");
    int inside;
    struct fx *f = router_with_hosts(&inside);
    const struct neigh_table *t = &f->s->ip.neigh;
    fx_craft(f, f->nif, "ip6 src=2001:db8:1::2 dst=2001:db8:2::1:0:0 / udp 1>2 / \"x\"");
    uint8_t frame[128];
    size_t n = f->frame_n;
    uint64_t asked = f->s->env.why_count[WHY_ND_SOLICIT];
    memcpy(frame, f->frame, n);
    for (uint32_t i = 0; i < SWEEP; i++) {
        uint8_t *at = frame + ETH_HDR_LEN + 24 + 12;
        at[0] = (uint8_t)(i >> 24);
        at[1] = (uint8_t)(i >> 16);
        at[2] = (uint8_t)(i >> 8);
        at[3] = (uint8_t)i;
        fx_in_bytes(f, f->nif, frame, n);
        if (i % 64 == 0) {
            fx_run(f, MS);
            (void)fx_skip(f);
        }
    }
    EXPECT(t->pool.live <= t->pool.cap);
    oriel_time seconds = fx_now(f) / S + 2;
    EXPECT(f->s->env.why_count[WHY_ND_SOLICIT] - asked <= seconds * NEIGH_ASKS_MAX);
    for (unsigned i = 0; i < 100; i++) {
        const struct neigh *h = fx_neigh(f, inside, fx_line("2001:db8:2::f:%x", i));
        if (!h || h->state != NEIGH_STALE)
            fail_msg("host %u was given up for addresses that nobody has", i);
    }
    (void)fx_skip(f);
    fx_in(f, "ip6 src=2001:db8:1::2 dst=2001:db8:2::f:7 / udp 1>2 / \"x\"");
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:27");
    fx_free(f);
}

TEST("during a sweep a host that nobody has written to yet is found all the same")
{
    COVERS("6583-1 S18");
    int inside;
    struct fx *f = router_with_hosts(&inside);
    for (unsigned i = 0; i < 5000; i++) {
        fx_in(f, fx_line("ip6 src=2001:db8:1::2 dst=2001:db8:2::1:%x / udp 1>2 / \"x\"", i));
        if (i % 50 == 0)
            fx_run(f, 100 * MS);
    }
    (void)fx_skip(f);
    fx_in(f, "ip6 src=2001:db8:1::2 dst=2001:db8:2::beef / udp 1>2 / \"x\"");
    EXPECT_OUT(f, "icmpv6.nd.ns.target_address == 2001:db8:2::beef");
    fx_in_on(f, inside, "eth dst=02:00:00:00:00:11 / ip6 src=2001:db8:2::beef dst=2001:db8:2::1 / "
                        "icmp6 na solicited override target=2001:db8:2::beef "
                        "tlla=02:00:00:00:be:ef");
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:be:ef");
    for (unsigned i = 0; i < 5000; i++)
        fx_in(f, fx_line("ip6 src=2001:db8:1::2 dst=2001:db8:2::2:%x / udp 1>2 / \"x\"", i));
    EXPECT_STR(fx_neigh_state(f, inside, "2001:db8:2::beef"), "reachable");
    fx_free(f);
}

TEST("a table full of hosts that answer refuses the next one")
{
    COVERS("6583-1");
    struct fx *f = fx_new(.netif = {.no_dad = true}, .stack = {.memory_bytes = 4u << 20});
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    uint32_t cap = f->s->ip.neigh.pool.cap;
    for (uint32_t i = 0; i < cap; i++) {
        struct oriel_addr a = addr_v6(0x20010db800000000, 0x10000 + i);
        EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &a, (const uint8_t[]){2, 0, 0, 0, 1, 1}), 0);
    }
    EXPECT_EQ(fx_send(f, "2001:db8::2", "x"), ORIEL_ENOBUFS);
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    EXPECT_OUT(f, "icmpv6.type == 136 && eth.dst == " FX_PEER);    /* no entry, but an answer */
    EXPECT_DROP(f, NEIGH_TABLE_FULL,
                fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1"));
    fx_free(f);
}
