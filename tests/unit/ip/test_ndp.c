/* Neighbour discovery through a whole stack: what is believed, what is answered, who objects. */
#include "fx_stack.h"

#include "wire/ndp.h"

#define S  NS_PER_S
#define MS NS_PER_MS

/* fe80::2 is its default router; redirects are believed. */
static struct fx *host_behind_router(void)
{
    struct fx *f = fx_new(.netif = {.no_dad = true},
                          .stack = {.accept_redirects = true, .memory_bytes = 4u << 20});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_add_route(f, f->nif, "::/0", "fe80::2");
    return f;
}

/* ---- vectors ---- */

/* One good message of each type, as words of a line: IPv6 addresses, then the message. */
struct good {
    uint8_t type;
    uint8_t len_min;
    const char *ip6;
    const char *message;
};

static const struct good good[] = {
    {ICMP6_RS, 8, "src=fe80::2 dst=ff02::2", "rs slla=" FX_PEER},
    {ICMP6_RA, 16, "src=fe80::2 dst=ff02::1", "ra lifetime=0 slla=" FX_PEER},
    {ICMP6_NS, 24, "src=fe80::2 dst=fe80::1", "ns target=fe80::1 slla=" FX_PEER},
    {ICMP6_NA, 24, "src=fe80::2 dst=fe80::1", "na solicited target=fe80::2 tlla=" FX_PEER},
    {ICMP6_REDIRECT, 40, "src=fe80::2 dst=2001:db8::1",
     "redirect target=fe80::3 dest=2001:db8:9::9 tlla=02:00:00:00:00:03"},
};

/* A router that listens to advertisements: takes every type at least as far as its meaning. */
static struct fx *listener(void)
{
    struct fx *f = fx_new(.netif = {.no_dad = true, .accept_ra = true},
                          .stack = {.forward6 = true, .memory_bytes = 4u << 20});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    return f;
}

static void in_good(struct fx *f, const struct good *g, const char *ip6, const char *message)
{
    fx_in(f, fx_line("ip6 %s %s / icmp6 %s %s", g->ip6, ip6, g->message, message));
}

/* An ICMPv6 message byte by byte, sealed, from fe80::2 to fe80::1 and the group of the type. */
static void in_message(struct fx *f, const uint8_t *bytes, size_t n, const struct good *g)
{
    uint8_t frame[1600];
    uint8_t body[1400];
    struct wr m = wr_of(body, sizeof(body));
    struct wr w = wr_of(frame, sizeof(frame));
    bool group = g->type == ICMP6_RS || g->type == ICMP6_RA;
    struct oriel_addr src = fx_addr("fe80::2"), dst = fx_addr("fe80::1");
    if (group)
        dst = g->type == ICMP6_RS ? ADDR_V6_ALL_ROUTERS : ADDR_V6_ALL_NODES;
    wr_bytes(&m, span_of(bytes, n));
    icmp6_seal(&m, &src, &dst);
    struct mac to = group ? addr_multicast_mac(&dst) : netif_at(&f->s->link, 1)->mac;
    struct eth_hdr eth = {.dst = to, .src = {{2, 0, 0, 0, 0, 2}}, .type = ETH_IP6};
    struct ip6_hdr ip6 = {.payload_len = (uint16_t)n, .next = IP_ICMP6, .hop_limit = 255,
                          .src = src, .dst = dst};
    eth_emit(&w, &eth);
    ip6_emit(&w, &ip6);
    wr_bytes(&w, wr_span(&m));
    assert_false(w.bad);
    fx_in_bytes(f, f->nif, frame, wr_len(&w));
}

/* The fixed part of a good message, without options; its length. */
static size_t fixed_part(const struct good *g, uint8_t *out, size_t cap)
{
    struct wr w = wr_of(out, cap);
    struct ndp_msg m = {.type = g->type, .target = fx_addr("fe80::1"), .solicited = true,
                        .dest = fx_addr("2001:db8:9::9")};
    if (g->type == ICMP6_NA)
        m.target = fx_addr("fe80::2");
    ndp_emit(&w, &m);
    assert_false(w.bad);
    assert_int_equal(wr_len(&w), g->len_min);
    return wr_len(&w);
}

#define EACH_GOOD(g) for (const struct good *g = good; g < good + ARRAY_LEN(good); g++)

/* Drops for reasons that say that the message itself is wrong. */
static uint64_t malformed(const struct fx *f)
{
    static const enum drop reasons[] = {DROP_ND_HOP_LIMIT, DROP_ND_CODE,   DROP_ND_SHORT,
                                        DROP_ND_OPTION,    DROP_ND_SOURCE, DROP_ND_TARGET,
                                        DROP_ND_FRAGMENT,  DROP_ICMP_CSUM, DROP_ICMP_SHORT};
    uint64_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        n += fx_drops(f, reasons[i]);
    return n;
}

TEST("each message is taken as it should be sent")
{
    EACH_GOOD(g) {
        struct fx *f = listener();
        in_good(f, g, "", "");
        EXPECT_EQ(malformed(f), 0);
        fx_free(f);
    }
}

TEST("a message with any other hop limit than 255 came from beyond the link")
{
    COVERS("4861-1 S27");
    static const int limits[] = {0, 1, 64, 254};
    EACH_GOOD(g) {
        struct fx *f = listener();
        for (size_t i = 0; i < ARRAY_LEN(limits); i++)
            EXPECT_DROP(f, ND_HOP_LIMIT, in_good(f, g, fx_line("hlim=%d", limits[i]), ""));
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("a message has code 0")
{
    COVERS("4861-1");
    EACH_GOOD(g) {
        struct fx *f = listener();
        EXPECT_DROP(f, ND_CODE, in_good(f, g, "", "code=1"));
        EXPECT_DROP(f, ND_CODE, in_good(f, g, "", "code=255"));
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("a message with a wrong checksum is dropped before anybody looks at it")
{
    COVERS("4861-1");
    EACH_GOOD(g) {
        struct fx *f = listener();
        EXPECT_DROP(f, ICMP_CSUM, in_good(f, g, "", "badcsum"));
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("a message below the minimum length of its type is dropped, and one of exactly that is not")
{
    COVERS("4861-1");
    EACH_GOOD(g) {
        struct fx *f = listener();
        uint8_t bytes[64];
        size_t n = fixed_part(g, bytes, sizeof(bytes));
        for (size_t cut = 4; cut < n; cut++)
            EXPECT_DROP(f, ND_SHORT, in_message(f, bytes, cut, g));
        uint64_t before = malformed(f);
        in_message(f, bytes, n, g);
        EXPECT_EQ(malformed(f), before);
        fx_free(f);
    }
}

TEST("an option of length zero, or beyond the end, condemns the whole message")
{
    COVERS("4861-1 4861-6");
    EACH_GOOD(g) {
        struct fx *f = listener();
        EXPECT_DROP(f, ND_OPTION, in_good(f, g, "", "opt=6300000000000000"));
        EXPECT_DROP(f, ND_OPTION, in_good(f, g, "", "opt=6302000000000000"));
        EXPECT_DROP(f, ND_OPTION, in_good(f, g, "", "opt=63ff000000000000"));
        EXPECT_DROP(f, ND_OPTION, in_good(f, g, "", "opt=63010000"));
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("options that are not known are passed over wherever they stand")
{
    COVERS("4861-6");
    static const char *const orders[] = {
        "opt=6301000000000000 slla=02:00:00:00:00:07",
        "slla=02:00:00:00:00:07 opt=6301000000000000",
        "opt=63020000000000000000000000000000 slla=02:00:00:00:00:07 opt=fd01000000000000",
    };
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct fx *f = fx_host6();
        fx_in(f, fx_line("ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 %s", orders[i]));
        EXPECT_OUT(f, "icmpv6.type == 136 && eth.dst == 02:00:00:00:00:07");
        fx_free(f);
    }
}

/* Independent of the parser: do these options have to be taken (true), or condemn the message? */
static bool options_good(const uint8_t *p, size_t n)
{
    for (unsigned count = 0; n > 0; count++) {
        if (n < 8 || p[1] == 0 || p[1] * 8u > n || count == NDP_OPTIONS_MAX)
            return false;
        if ((p[0] == NDP_OPT_SLLA || p[0] == NDP_OPT_TLLA) && p[1] != 1)
            return false;
        n -= p[1] * 8u;
        p += p[1] * 8u;
    }
    return true;
}

TEST("of twenty thousand random option lists exactly the impossible ones are dropped")
{
    COVERS("4861-6");
    struct fx *f = listener();
    struct rng g;
    unsigned taken = 0;
    rng_seed(&g, FX_SEED, 77);
    for (unsigned round = 0; round < 20000; round++) {
        const struct good *kind = &good[rng_below(&g, ARRAY_LEN(good))];
        uint8_t bytes[512];
        size_t from = fixed_part(kind, bytes, sizeof(bytes)), n = from;
        for (uint64_t left = rng_below(&g, 6); left > 0; left--) {
            static const uint8_t kinds[] = {1, 2, 3, 4, 5, 14, 25, 24, 31, 99, 0, 255};
            size_t units = rng_below(&g, 12) == 0 ? rng_below(&g, 6) : 1 + rng_below(&g, 4);
            size_t told = rng_below(&g, 16) == 0 ? rng_below(&g, 256) : units;
            for (size_t i = 0; i < units * 8; i++)
                bytes[n + i] = (uint8_t)rng_u64(&g);
            bytes[n] = kinds[rng_below(&g, ARRAY_LEN(kinds))];
            bytes[n + 1] = (uint8_t)told;
            if (bytes[n] <= 2 && rng_below(&g, 4))      /* mostly link addresses that are good */
                bytes[n + 1] = (uint8_t)(units = 1);
            n += units * 8;
        }
        bool good_list = options_good(bytes + from, n - from);
        uint64_t before = fx_drops(f, DROP_ND_OPTION);
        in_message(f, bytes, n, kind);
        EXPECT_EQ(fx_drops(f, DROP_ND_OPTION) - before, good_list ? 0 : 1);
        taken += good_list;
        (void)fx_skip(f);
    }
    EXPECT(taken > 5000);
    EXPECT(taken < 19000);
    fx_free(f);
}

TEST("thirty-two options are read, and thirty-three are too many")
{
    COVERS("4861-6");
    struct fx *f = fx_host6();
    char many[2048];
    struct txt t = txt_of(many, sizeof(many));
    for (unsigned i = 0; i < NDP_OPTIONS_MAX - 1; i++)
        txt_s(&t, " opt=6301000000000000");
    fx_in(f, fx_line("ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=" FX_PEER "%s",
                     many));
    EXPECT_OUT(f, "icmpv6.type == 136");
    EXPECT_DROP(
        f, ND_OPTION,
        fx_in(f, fx_line("ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=" FX_PEER
                         "%s opt=6301000000000000",
                         many)));
    fx_free(f);
}

TEST("a message in fragments is ignored, even in a single one")
{
    COVERS("6980-1");
    EACH_GOOD(g) {
        struct fx *f = listener();
        EXPECT_DROP(
            f, ND_FRAGMENT,
            fx_in(f, fx_line("ip6 %s hlim=255 / frag id=7 / icmp6 %s", g->ip6, g->message)));
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("a solicitation put together from two fragments is ignored")
{
    COVERS("6980-1");
    struct fx *f = fx_host6();
    const char *whole = "icmp6 ns target=fe80::1 slla=" FX_PEER " opt=6302000000000000"
                        "0000000000000000";
    fx_in(f, fx_line("ip6 src=fe80::2 dst=fe80::1 hlim=255 / frag id=7 part=0..24 / %s", whole));
    EXPECT_EQ(fx_drops_all(f), 0);
    EXPECT_DROP(
        f, ND_FRAGMENT,
        fx_in(f,
              fx_line("ip6 src=fe80::2 dst=fe80::1 hlim=255 / frag id=7 part=24..48 / %s", whole)));
    EXPECT_QUIET(f);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "none");
    fx_free(f);
}

TEST("a solicitation is about one host, and from nobody only to that host's group")
{
    COVERS("4861-2");
    struct fx *f = fx_host6();
    EXPECT_DROP(f, ND_TARGET, fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=ff02::1"));
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=:: dst=fe80::1 / icmp6 ns target=fe80::1"));
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=:: dst=ff02::1 / icmp6 ns target=fe80::1"));
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=:: dst=ff02::1:ff00:1 / "
                                       "icmp6 ns target=fe80::1 slla=" FX_PEER));
    EXPECT_QUIET(f);
    fx_in(f, "ip6 src=:: dst=ff02::1:ff00:1 / icmp6 ns target=fe80::1");
    EXPECT_OUT(f, "icmpv6.type == 136");
    fx_free(f);
}

TEST("an advertisement is about one host, and to a group it answers nobody")
{
    COVERS("4861-3");
    struct fx *f = fx_host6();
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    EXPECT_DROP(f, ND_TARGET, fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 na target=ff02::2 tlla="
                                       FX_PEER));
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na solicited override "
                                       "target=fe80::2 tlla=" FX_PEER));
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "incomplete");
    fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na override target=fe80::2 tlla=" FX_PEER);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "delay");     /* and the datagram has left */
    fx_free(f);
}

TEST("a router advertisement comes from a link-local address")
{
    COVERS("4861-4");
    struct fx *f = fx_new(.netif = {.no_dad = true, .accept_ra = true});
    fx_add_addr(f, f->nif, "fe80::1/64");
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=2001:db8::2 dst=ff02::1 / icmp6 ra"));
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=:: dst=ff02::1 / icmp6 ra"));
    EXPECT(!fx_route(f, "::/0", "2001:db8::2"));
    fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 ra");
    EXPECT(fx_route(f, "::/0", "fe80::2"));
    fx_free(f);
}

TEST("a host discards solicitations for routers and never advertises itself as one")
{
    COVERS("4861-4");
    struct fx *f = fx_host6();
    uint64_t before = fx_drops_all(f);
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 rs slla=" FX_PEER);
    EXPECT_EQ(fx_drops_all(f), before + 1);
    EXPECT_DROPPED(&f->s->env, DROP_ND_ROLE);
    EXPECT_DROP(f, ND_ROLE, fx_in(f, "ip6 src=:: dst=fe80::1 / icmp6 rs"));
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=:: dst=fe80::1 / icmp6 rs slla=" FX_PEER));
    fx_at(f, 3600 * S);
    EXPECT_QUIET(f);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "none");
    fx_free(f);
}

TEST("a router hands solicitations on to sockets, and learns who asks")
{
    COVERS("4861-16");
    struct fx *f = fx_new(.netif = {.no_dad = true, .ip6 = true}, .stack = {.forward6 = true});
    oriel_handle h;
    uint8_t buf[64];
    struct oriel_msg m;
    fx_run(f, 2 * S);
    (void)fx_skip(f);
    EXPECT_DROP(f, RAW_NO_SOCKET, fx_in(f, "ip6 src=fe80::2 dst=ff02::2 / icmp6 rs"));
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP6, &h), 0);
    fx_in(f, "ip6 src=fe80::2 dst=ff02::2 / icmp6 rs slla=" FX_PEER);
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), &m), 16);
    EXPECT(buf[0] == 133 && m.netif == f->nif && m.ttl == 255);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "stale");
    fx_in(f, "ip6 src=:: dst=ff02::2 / icmp6 rs");
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), &m), 8);
    EXPECT_DROP(f, ND_HOP_LIMIT, fx_in(f, "ip6 src=fe80::2 dst=ff02::2 hlim=64 / icmp6 rs"));
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), &m), ORIEL_EAGAIN);
    fx_free(f);
}

TEST("an interface that was not told to listen ignores router advertisements")
{
    COVERS("4861-4");
    struct fx *f = fx_host6();
    EXPECT_DROP(f, ND_ROLE, fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 ra slla=" FX_PEER
                                     " prefix=2001:db8:7::/64,L,A"));
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 0);
    EXPECT(!fx_addr_of(f, f->nif, ADDR_AUTO));
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "none");
    fx_free(f);
}

/* ---- addresses that may not be on a wire ---- */

TEST("addresses that cannot be a sender's on this link make no neighbour")
{
    COVERS("4291-1");
    struct fx *f = fx_host6();
    const char *message = "icmp6 ns target=fe80::1 slla=" FX_PEER;
    EXPECT_DROP(f, IP6_SOURCE, fx_in(f, fx_line("ip6 src=ff02::2 dst=fe80::1 / %s", message)));
    EXPECT_DROP(f, IP_LOOP, fx_in(f, fx_line("ip6 src=::1 dst=fe80::1 / %s", message)));
    EXPECT_DROP(f, IP_LOOP, fx_in(f, fx_line("ip6 src=fe80::2 dst=::1 / %s", message)));
    EXPECT_DROP(f, IP6_SOURCE, fx_in(f, fx_line("ip6 src=fe80::1 dst=fe80::1 / %s", message)));
    fx_craft(f, f->nif, fx_line("ip6 src=2001:db8::2 dst=fe80::1 / %s", message));
    static const uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 2};
    memcpy(f->frame + ETH_HDR_LEN + 8, mapped, sizeof(mapped));
    EXPECT_DROP(f, IP6_MAPPED, fx_in_bytes(f, f->nif, f->frame, f->frame_n));
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    fx_free(f);
}

TEST("a link-local address is another one on another link")
{
    COVERS("4291-1");
    struct fx *f = fx_new(.netif = {.no_dad = true});
    int other = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, other, "fe80::b/64");
    EXPECT_DROP(f, IP_NOT_OURS, fx_in_on(f, other, "ip6 src=fe80::2 dst=fe80::1 / "
                                                   "icmp6 ns target=fe80::1 slla=" FX_PEER));
    EXPECT_DROP(f, IP_GROUP, fx_in_on(f, other, "ip6 src=fe80::2 dst=ff02::1:ff00:1 / "
                                                "icmp6 ns target=fe80::1 slla=" FX_PEER));
    EXPECT_DROP(f, ND_NOT_FOR_US, fx_in_on(f, other, "ip6 src=fe80::2 dst=fe80::b / "
                                                     "icmp6 ns target=fe80::1 slla=" FX_PEER));
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    EXPECT_EQ(fx_send(f, "fe80::2%2", "x"), 1);
    EXPECT(fx_out(f) && f->out_nif == f->nif && fx_is(f, "ipv6.src == fe80::1"));
    EXPECT(fx_out(f) && f->out_nif == other && fx_is(f, "ipv6.src == fe80::b"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- answers ---- */

TEST("who asks for one of our addresses is told, and remembered")
{
    COVERS("4861-10");
    struct fx *f = fx_host6();
    fx_in(f, "ip6 src=fe80::2 dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    EXPECT_OUT(f, "icmpv6.type == 136 && ipv6.src == 2001:db8::1 && ipv6.dst == fe80::2");
    EXPECT_FRAME(f, "eth.dst == " FX_PEER " && ipv6.hlim == 255 && icmpv6.checksum.status == 1");
    EXPECT_FRAME(f, "icmpv6.nd.na.target_address == 2001:db8::1 && why == \"ND_ADVERT\"");
    EXPECT_FRAME(f, "icmpv6.nd.na.flag.s == 1 && icmpv6.nd.na.flag.o == 1 && "
                    "icmpv6.nd.na.flag.r == 0");
    EXPECT_FRAME(f, "icmpv6.opt.target_linkaddr == 02:00:00:00:00:01");
    EXPECT_WHY(&f->s->env, WHY_ND_ADVERT);
    EXPECT_QUIET(f);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "stale");
    fx_free(f);
}

TEST("who asks without an address of its own is told with everybody else")
{
    COVERS("4861-10 4861-9");
    struct fx *f = fx_host6();
    fx_in(f, "ip6 src=:: dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1");
    EXPECT_OUT(f, "icmpv6.type == 136 && ipv6.dst == ff02::1 && eth.dst == 33:33:00:00:00:01");
    EXPECT_FRAME(f, "icmpv6.nd.na.flag.s == 0 && icmpv6.nd.na.flag.o == 1");
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    fx_free(f);
}

TEST("who asks without saying where it is has to be found first")
{
    COVERS("4861-10");
    struct fx *f = fx_host6();
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1");
    EXPECT_OUT(f, "icmpv6.type == 135 && icmpv6.nd.ns.target_address == fe80::2");
    EXPECT_QUIET(f);
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 na solicited override target=fe80::2 tlla="
             FX_PEER);
    EXPECT_OUT(f, "icmpv6.type == 136 && ipv6.dst == fe80::2 && icmpv6.nd.na.flag.s == 1");
    EXPECT_FRAME(f, "eth.dst == " FX_PEER);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a router says that it is one")
{
    COVERS("4861-10");
    struct fx *f = listener();
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=" FX_PEER);
    EXPECT_OUT(f, "icmpv6.type == 136 && icmpv6.nd.na.flag.r == 1");
    fx_free(f);
}

TEST("another host of our solicited-node group is not answered for")
{
    struct fx *f = fx_host6();
    EXPECT_DROP(f, ND_NOT_FOR_US, fx_in(f, "ip6 src=fe80::2 dst=ff02::1:ff00:1 / "
                                           "icmp6 ns target=2001:db8:5::1 slla=" FX_PEER));
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    fx_free(f);
}

TEST("the question of a known neighbour changes its address but not what it is")
{
    COVERS("4861-9");
    struct fx *f = fx_host6();
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    fx_in(f,
          "ip6 src=fe80::2 dst=fe80::1 / icmp6 na router solicited target=fe80::2 tlla=" FX_PEER);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "reachable");
    EXPECT(fx_neigh(f, f->nif, "fe80::2")->router);
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=" FX_PEER);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "reachable");
    EXPECT(fx_neigh(f, f->nif, "fe80::2")->router);
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=02:00:00:00:00:77");
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "stale");
    EXPECT_EQ(fx_neigh(f, f->nif, "fe80::2")->mac.b[5], 0x77);
    EXPECT(fx_neigh(f, f->nif, "fe80::2")->router);
    fx_free(f);
}

TEST("a link address that is a group's or nobody's is as good as none")
{
    static const char *const macs[] = {"33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff",
                                       "00:00:00:00:00:00"};
    for (size_t i = 0; i < ARRAY_LEN(macs); i++) {
        struct fx *f = fx_host6();
        fx_in(f, fx_line("ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1 slla=%s", macs[i]));
        EXPECT_OUT(f, "icmpv6.type == 135 && icmpv6.nd.ns.target_address == fe80::2");
        fx_in(f, fx_line("ip6 src=fe80::2 dst=fe80::1 / icmp6 na solicited target=fe80::2 tlla=%s",
                      macs[i]));
        EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "incomplete");
        fx_free(f);
    }
}

TEST("an advertisement of a host that nobody asked about is not kept")
{
    struct fx *f = fx_host6();
    EXPECT_DROP(f, ND_UNWANTED, fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na override "
                                         "target=fe80::2 tlla=" FX_PEER));
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    fx_free(f);
}

TEST("a link without link addresses is asked nothing, and answers without an option")
{
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW, .no_dad = true});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 ns target=fe80::1");
    EXPECT_OUT(f, "icmpv6.type == 136 && !icmpv6.opt && ipv6.dst == fe80::2");
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    EXPECT_OUT(f, "udp");
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    fx_free(f);
}

/* ---- groups ---- */

static bool wants(const struct fx *f, const char *group)
{
    struct oriel_addr g = fx_addr(group), from = fx_addr("fe80::2");
    return mcast_wants(&f->s->ip, (uint16_t)f->nif, &g, &from);
}

TEST("every address listens to its solicited-node group, and two addresses can share one")
{
    COVERS("4861-7");
    struct fx *f = fx_host6();
    struct oriel_addr first = fx_addr("fe80::1"), second = fx_addr("2001:db8::1");
    EXPECT(wants(f, "ff02::1"));
    EXPECT(wants(f, "ff02::1:ff00:1"));
    EXPECT(!wants(f, "ff02::1:ff00:2"));
    fx_add_addr(f, f->nif, "2001:db8::2/64");
    EXPECT(wants(f, "ff02::1:ff00:2"));
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &first), 0);
    EXPECT(wants(f, "ff02::1:ff00:1"));         /* 2001:db8::1 still does */
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &second), 0);
    EXPECT(!wants(f, "ff02::1:ff00:1"));
    EXPECT(wants(f, "ff02::1"));
    fx_free(f);
}

/* ---- RFC 4862, 5.4: duplicate addresses ---- */

/* 2001:db8::1 is being probed; its question has left, and is in hand. */
static struct fx *probing(void)
{
    struct fx *f = fx_new(.stack = {.memory_bytes = 4u << 20});
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "tentative");
    fx_run(f, S);
    EXPECT(fx_out_until(f, "icmpv6.type == 135"));
    return f;
}

TEST("an address is asked about once, waited for a second, and then used and announced")
{
    COVERS("4862-1");
    struct fx *f = probing();
    oriel_time asked = f->out_at;
    EXPECT(asked < S);
    EXPECT_FRAME(f, "ipv6.src == :: && ipv6.dst == ff02::1:ff00:1 && ipv6.hlim == 255");
    EXPECT_FRAME(f, "icmpv6.nd.ns.target_address == 2001:db8::1 && why == \"ND_PROBE\"");
    EXPECT_FRAME(f, "icmpv6.opt.nonce && !icmpv6.opt.src_linkaddr");
    EXPECT_WHY(&f->s->env, WHY_ND_PROBE);
    fx_at(f, asked + S - 1);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "tentative");
    EXPECT_QUIET(f);
    fx_at(f, asked + S);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "preferred");
    EXPECT_OUT(f, "icmpv6.type == 136 && ipv6.src == 2001:db8::1 && ipv6.dst == ff02::1");
    EXPECT_FRAME(f, "icmpv6.nd.na.flag.s == 0 && icmpv6.nd.na.flag.o == 1 && "
                    "icmpv6.opt.target_linkaddr == 02:00:00:00:00:01 && why == \"ND_ANNOUNCE\"");
    EXPECT_WHY(&f->s->env, WHY_ND_ANNOUNCE);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("membership of the solicited-node group is told before the address is asked about")
{
    COVERS("4862-1");
    struct fx *f = fx_new(.reports = true);
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    EXPECT(wants(f, "ff02::1:ff00:1"));
    fx_run(f, 2 * S);
    bool reported = false;
    while (fx_out(f) && !fx_is(f, "icmpv6.type == 135"))
        reported |= fx_is(f, "icmpv6.type == 143 && "
                             "icmpv6.mldr.mar.multicast_address == ff02::1:ff00:1");
    EXPECT(reported);
    fx_free(f);
}

TEST("somebody who has the address, or wants it too, makes it a duplicate")
{
    COVERS("4862-1");
    static const char *const objections[] = {
        "ip6 src=2001:db8::1 dst=ff02::1 / icmp6 na override target=2001:db8::1 tlla=" FX_PEER,
        "ip6 src=fe80::2 dst=ff02::1 / icmp6 na target=2001:db8::1 tlla=" FX_PEER,
        "ip6 src=:: dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1",
        "ip6 src=:: dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1 nonce=010203040506",
    };
    for (size_t i = 0; i < ARRAY_LEN(objections); i++) {
        struct fx *f = probing();
        fx_in(f, objections[i]);
        EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "duplicate");
        fx_run(f, 100 * S);
        EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "duplicate");
        EXPECT_QUIET(f);
        EXPECT_DROP(f, ND_NOT_FOR_US, fx_in(f, "ip6 src=fe80::2 dst=ff02::1:ff00:1 / "
                                               "icmp6 ns target=2001:db8::1 slla=" FX_PEER));
        EXPECT_EQ(fx_send(f, "2001:db8::2", "x"), ORIEL_ENETUNREACH);
        fx_free(f);
    }
}

TEST("somebody who asks before we did is heard as well")
{
    COVERS("4862-1");
    struct fx *f = fx_new(.netif = {.mtu = 1500});
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_in(f, "ip6 src=:: dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1");
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "duplicate");
    fx_run(f, 10 * S);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("our own question that the link plays back is not somebody else's")
{
    COVERS("4862-1");
    struct fx *f = probing();
    uint8_t echo[200];
    size_t n = f->frame_n;
    assert_true(n <= sizeof(echo));
    memcpy(echo, f->frame, n);
    EXPECT_DROP(f, ND_NOT_FOR_US, fx_in_bytes(f, f->nif, echo, n));
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "tentative");
    fx_run(f, 2 * S);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "preferred");
    fx_free(f);
}

TEST("every question about an address carries another nonce")
{
    struct fx *f = probing();
    uint8_t nonce[6];
    memcpy(nonce, f->frame + f->frame_n - 6, 6);
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
        fx_run(f, S);
        EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, true), 0);
        fx_run(f, 3 * S);
        EXPECT(fx_out_until(f, "icmpv6.type == 135 && icmpv6.opt.nonce"));
        EXPECT(memcmp(nonce, f->frame + f->frame_n - 6, 6) != 0);
        memcpy(nonce, f->frame + f->frame_n - 6, 6);
        (void)fx_skip(f);
    }
    fx_free(f);
}

TEST("an address that is being probed is neither answered for nor used")
{
    COVERS("4862-2");
    struct fx *f = probing();
    EXPECT_DROP(f, ND_NOT_FOR_US, fx_in(f, "ip6 src=fe80::2 dst=ff02::1:ff00:1 / "
                                           "icmp6 ns target=2001:db8::1 slla=" FX_PEER));
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / "
                                         "icmp6 ns target=2001:db8::1 slla=" FX_PEER));
    EXPECT_DROP(f, IP_NOT_OURS,
                fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 echo id=1 seq=1"));
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "tentative"); /* a resolver is no rival */
    EXPECT(fx_send(f, "2001:db8::2", "x") < 0);
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    fx_free(f);
}

TEST("an address in use is defended by the answer, and not given up")
{
    COVERS("4862-1 S27");
    struct fx *f = fx_host6();
    fx_in(f, "ip6 src=:: dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1");
    EXPECT_OUT(f, "icmpv6.type == 136 && ipv6.dst == ff02::1");
    EXPECT_DROP(f, ND_UNWANTED, fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na override "
                                         "target=2001:db8::1 tlla=" FX_PEER));
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "preferred");
    EXPECT_STR(fx_neigh_state(f, f->nif, "2001:db8::1"), "none");
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- redirects in ---- */

#define REDIRECT "icmp6 redirect target=fe80::3 dest=2001:db8:9::9 tlla=02:00:00:00:00:03"

TEST("a redirect is refused unless a host was told to believe them")
{
    COVERS("4861-5 S27");
    struct fx *f = fx_host6();
    fx_add_route(f, f->nif, "::/0", "fe80::2");
    EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / " REDIRECT));
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::3"), "none");
    fx_free(f);

    f = fx_new(.netif = {.no_dad = true}, .stack = {.accept_redirects = true, .forward6 = true});
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_add_route(f, f->nif, "::/0", "fe80::2");
    EXPECT_DROP(f, ND_ROLE, fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / " REDIRECT));
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    fx_free(f);
}

TEST("of all forged redirects only that of the first hop, about one host and a router, is believed")
{
    COVERS("4861-5 S27");
    static const char *const from[] = {"fe80::2", "fe80::66", "2001:db8::2"};
    static const char *const about[] = {"2001:db8:9::9", "ff0e::1", "::", "2001:db8::7"};
    static const char *const to[] = {"fe80::3", "2001:db8:9::9", "2001:db8::3"};
    for (unsigned i = 0; i < 3 * 4 * 3 * 2; i++) {
        unsigned s = i % 3, d = i / 3 % 4, t = i / 12 % 3, far = i / 36;
        struct fx *f = host_behind_router();
        fx_in(f, fx_line("ip6 src=%s dst=2001:db8::1 %s / icmp6 redirect target=%s dest=%s",
                         from[s], far ? "hlim=254" : "", to[t], about[d]));
        bool believed = s == 0 && d == 0 && t != 2 && !far;
        EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), believed);
        EXPECT_EQ(fx_drops_all(f), !believed);
        EXPECT_EQ(fx_drops(f, DROP_ND_SOURCE), s == 2 && !far);
        fx_free(f);
    }
}

TEST("a first hop that is named by a global address cannot redirect")
{
    COVERS("4861-5 S27");
    struct fx *f = fx_new(.netif = {.no_dad = true}, .stack = {.accept_redirects = true});
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_add_route(f, f->nif, "::/0", "2001:db8::2");
    EXPECT_DROP(f, ND_SOURCE, fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / " REDIRECT));
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    fx_free(f);
}

/* ---- redirects out ---- */

static struct fx *redirecting_router(void)
{
    struct fx *f = fx_new(.netif = {.no_dad = true},
                          .stack = {.forward6 = true, .send_redirects = true, .icmp_per_s = 5});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_add_route(f, f->nif, "2001:db8:9::/64", "fe80::3");
    return f;
}

TEST("a router tells a sender on the same link about its better first hop")
{
    struct fx *f = redirecting_router();
    fx_in(f, "ip6 src=fe80::3 dst=fe80::1 / icmp6 ns target=fe80::1 slla=02:00:00:00:00:03");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    (void)fx_skip(f);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:9::9 / udp 1>2 / \"hello\"");
    EXPECT_OUT(f, "icmpv6.type == 137 && ipv6.src == fe80::1 && ipv6.dst == 2001:db8::2");
    EXPECT_FRAME(f, "ipv6.hlim == 255 && icmpv6.checksum.status == 1 && why == \"ND_REDIRECT\"");
    EXPECT_FRAME(f, "icmpv6.nd.rd.target_address == fe80::3 && "
                    "icmpv6.rd.na.destination_address == 2001:db8:9::9");
    EXPECT_FRAME(f, "icmpv6.opt.target_linkaddr == 02:00:00:00:00:03 && "
                    "icmpv6.opt.redirected_packet");
    EXPECT_WHY(&f->s->env, WHY_ND_REDIRECT);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:03");          /* and it goes on its way */
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::9 / udp 1>2 / fill 1400");
    EXPECT(fx_out_until(f, "icmpv6.type == 137"));
    EXPECT_FRAME(f, "icmpv6.nd.rd.target_address == 2001:db8::9 && ipv6.plen <= 1240");
    EXPECT_FRAME(f, "!icmpv6.opt.target_linkaddr");
    fx_free(f);
}

TEST("redirects are few, and nobody gets one who is not on the link")
{
    struct fx *f = redirecting_router();
    fx_in(f, "ip6 src=2001:db8:77::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    fx_in(f, "ip6 src=2001:db8:77::2 dst=2001:db8:9::9 / udp 1>2 / \"x\"");
    EXPECT(!fx_out_until(f, "icmpv6.type == 137"));
    for (unsigned i = 0; i < 100; i++)
        fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:9::9 / udp 1>2 / \"x\"");
    EXPECT(f->s->env.why_count[WHY_ND_REDIRECT] <= 5);
    fx_free(f);

    f = redirecting_router();                       /* RFC 4861, 8.2: a router by its own name */
    fx_add_route(f, f->nif, "2001:db8:a::/64", "2001:db8::3");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:a::9 / udp 1>2 / \"x\"");
    EXPECT(!fx_out_until(f, "icmpv6.type == 137"));
    fx_free(f);

    f = redirecting_router();                       /* onto another link: there is no better hop */
    int other = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    fx_add_addr(f, other, "2001:db8:b::1/64");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:b::9 / udp 1>2 / \"x\"");
    EXPECT(!fx_out_until(f, "icmpv6.type == 137"));
    fx_free(f);

    f = fx_new(.netif = {.no_dad = true}, .stack = {.forward6 = true});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::9 / udp 1>2 / \"x\"");
    EXPECT(!fx_out_until(f, "icmpv6.type == 137"));                /* only where it was asked for */
    fx_free(f);
}
