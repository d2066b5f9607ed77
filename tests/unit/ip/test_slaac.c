/* What routers tell, and asking them, through a whole stack. */
#include "fx_stack.h"

#define S  NS_PER_S
#define MS NS_PER_MS

#define KNOWN_IDENTIFIER 0x3759e073002fc452u

/* A host with a link-local address that listens to routers; addresses are not probed. */
static struct fx *listener(void)
{
    return fx_new(.netif = {.ip6 = true, .accept_ra = true, .no_dad = true},
                  .stack = {.memory_bytes = 4u << 20});
}

/* An advertisement of fe80::2, unless the words say otherwise. */
static void in_ra(struct fx *f, const char *words)
{
    fx_in(f, fx_line("ip6 src=fe80::2 dst=ff02::1 / icmp6 ra %s", words));
}

static void in_ra_from(struct fx *f, const char *router, const char *words)
{
    fx_in(f, fx_line("ip6 src=%s dst=ff02::1 / icmp6 ra %s", router, words));
}

static struct ip_if *interface(const struct fx *f)
{
    return ip_if_of(&f->s->ip, (uint16_t)f->nif);
}

static unsigned addresses(const struct fx *f, enum addr_origin origin)
{
    unsigned n = 0;
    LIST_EACH(node, &interface(f)->addrs)
        n += CONTAINER_OF(node, struct ifaddr, node)->origin == origin;
    return n;
}

/* The address made from that prefix (of 64 bits), in any state; NULL. */
static struct ifaddr *formed(const struct fx *f, const char *prefix)
{
    struct oriel_addr p = fx_addr(prefix);
    LIST_EACH(node, &interface(f)->addrs) {
        struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (a->origin == ADDR_AUTO && a->addr.hi == p.hi)
            return a;
    }
    return NULL;
}

/* ---- asking ---- */

TEST("routers are asked three times, four seconds apart, beginning within the first second")
{
    COVERS("4861-14");
    struct fx *f = listener();
    fx_at(f, 100 * S);
    oriel_time first = 0;
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_OUT(f, "icmpv6.type == 133 && ipv6.dst == ff02::2 && eth.dst == 33:33:00:00:00:02");
        EXPECT_FRAME(f,
                     "ipv6.hlim == 255 && why == \"ND_ROUTER_SOLICIT\" && ipv6.src == fe80::/10");
        EXPECT_FRAME(f, "icmpv6.opt.src_linkaddr == 02:00:00:00:00:01");
        first = i == 0 ? f->out_at : first;
        EXPECT(f->out_at == first + i * 4 * S);
    }
    EXPECT(first < S);
    EXPECT_WHY(&f->s->env, WHY_ND_ROUTER_SOLICIT);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("hosts that start together do not ask together")
{
    COVERS("4861-14");
    oriel_time shortest = S, longest = 0;
    for (unsigned i = 1; i <= 40; i++) {
        struct fx *f = fx_new(.netif = {.ip6 = true, .accept_ra = true, .no_dad = true},
                              .stack = {.memory_bytes = 4u << 20, .seed = {(uint8_t)i}});
        fx_at(f, 2 * S);
        EXPECT(fx_out_until(f, "icmpv6.type == 133"));
        shortest = f->out_at < shortest ? f->out_at : shortest;
        longest = f->out_at > longest ? f->out_at : longest;
        fx_free(f);
    }
    EXPECT(shortest < 150 * MS);
    EXPECT(longest > 850 * MS);
}

TEST("an answer ends the asking")
{
    COVERS("4861-14");
    struct fx *f = listener();
    fx_at(f, S);
    EXPECT_OUT(f, "icmpv6.type == 133");
    in_ra(f, "");
    fx_at(f, 100 * S);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a router that will not be a default router does not end it")
{
    COVERS("4861-14");
    struct fx *f = listener();
    fx_at(f, S);
    EXPECT_OUT(f, "icmpv6.type == 133");
    in_ra(f, "lifetime=0");
    fx_at(f, 100 * S);
    EXPECT_OUT(f, "icmpv6.type == 133");
    EXPECT_OUT(f, "icmpv6.type == 133");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("who hears a router before asking asks once all the same")
{
    COVERS("4861-14");
    struct fx *f = listener();
    in_ra(f, "");
    fx_at(f, 100 * S);
    EXPECT_OUT(f, "icmpv6.type == 133");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("nobody is asked before the link-local address is known to be free")
{
    COVERS("4861-14 4862-1");
    struct fx *f = fx_new(.netif = {.ip6 = true, .accept_ra = true});
    fx_at(f, 20 * S);
    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.src == ::");
    oriel_time probed = f->out_at;
    EXPECT_OUT(f, "icmpv6.type == 136 && ipv6.dst == ff02::1");
    EXPECT_OUT(f, "icmpv6.type == 133 && ipv6.src == fe80::/10");
    EXPECT(f->out_at >= probed + S);
    EXPECT(f->out_at < probed + 2 * S);
    fx_free(f);
}

TEST("who has lost its link-local address meanwhile asks without one")
{
    COVERS("4861-14");
    struct fx *f = listener();
    struct oriel_addr a = fx_addr_of(f, f->nif, ADDR_LINK_LOCAL)->addr;
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &a), 0);
    fx_at(f, S);
    EXPECT_OUT(f, "icmpv6.type == 133 && ipv6.src == :: && !icmpv6.opt");
    fx_free(f);
}

TEST("an interface that does not listen asks nobody")
{
    struct fx *f = fx_new(.netif = {.ip6 = true, .no_dad = true});
    fx_at(f, 100 * S);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("routers are asked again when the link comes back")
{
    COVERS("4861-14");
    for (unsigned probed = 0; probed < 2; probed++) {
        struct fx *f = fx_new(.netif = {.ip6 = true, .accept_ra = true, .no_dad = !probed},
                              .stack = {.memory_bytes = 4u << 20});
        fx_at(f, 5 * S);
        in_ra(f, "");
        (void)fx_skip(f);
        EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
        EXPECT_EQ(fx_routes(f, ROUTE_RA), 0);
        fx_at(f, 100 * S);
        EXPECT_QUIET(f);
        EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, true), 0);
        fx_at(f, 200 * S);
        unsigned asked = 0;
        while (fx_out_until(f, "icmpv6.type == 133"))
            asked++;
        EXPECT_EQ(asked, 3);
        EXPECT_EQ(addresses(f, ADDR_LINK_LOCAL), 1);
        fx_free(f);
    }
}

TEST("a link that goes while routers are asked begins anew when it is back")
{
    COVERS("4861-14");
    struct fx *f = listener();
    fx_at(f, S);
    EXPECT_OUT(f, "icmpv6.type == 133");
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
    fx_at(f, 6 * S);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, true), 0);
    fx_at(f, 100 * S);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_OUT(f, "icmpv6.type == 133");
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- parameters ---- */

TEST("what an advertisement leaves out stays as the last one left it")
{
    COVERS("4861-13");
    struct fx *f = listener();
    struct ip_if *i = interface(f);
    EXPECT_EQ(i->reachable_ms, 30000);
    EXPECT_EQ(i->retrans_ms, 1000);
    in_ra(f, "hoplimit=70 reachable=20000 retrans=500 mtu=1400");
    EXPECT_EQ(i->hop_limit, 70);
    EXPECT_EQ(i->reachable_ms, 20000);
    EXPECT_EQ(i->retrans_ms, 500);
    EXPECT_EQ(i->mtu6, 1400);
    in_ra_from(f, "fe80::3", "hoplimit=0 reachable=0 retrans=0");
    EXPECT_EQ(i->hop_limit, 70);
    EXPECT_EQ(i->reachable_ms, 20000);
    EXPECT_EQ(i->retrans_ms, 500);
    EXPECT_EQ(i->mtu6, 1400);
    EXPECT(fx_route(f, "::/0", "fe80::2"));
    EXPECT(fx_route(f, "::/0", "fe80::3"));
    in_ra_from(f, "fe80::3", "hoplimit=64");
    EXPECT_EQ(i->hop_limit, 64);
    EXPECT_EQ(i->reachable_ms, 20000);
    fx_free(f);
}

TEST("the hop limit of the link is that of our packets, and its retransmission time ours")
{
    COVERS("4861-13");
    struct fx *f = listener();
    in_ra(f, "hoplimit=99 retrans=250 prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(fx_send(f, "2001:db8:1::9", "x"), 1);
    fx_run(f, 10 * S);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(fx_out_until(f, "icmpv6.type == 135"));
        EXPECT(f->out_at == i * 250 * MS);
    }
    in_ra(f, "hoplimit=0 slla=" FX_PEER);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:2::9", "x"), 1);
    EXPECT_OUT(f, "udp && ipv6.hlim == 99");
    fx_free(f);
}

TEST("values that would break the link are not believed")
{
    COVERS("S27");
    struct fx *f = listener();
    struct ip_if *i = interface(f);
    for (unsigned hops = 1; hops < 32; hops++)
        in_ra(f, fx_line("hoplimit=%u", hops));
    EXPECT_EQ(i->hop_limit, 0);
    in_ra(f, "hoplimit=0 reachable=1 retrans=1");
    EXPECT_EQ(i->reachable_ms, 10);
    EXPECT_EQ(i->retrans_ms, 10);
    in_ra(f, "hoplimit=0 reachable=0xffffffff retrans=0xffffffff");
    EXPECT_EQ(i->reachable_ms, 3600000);
    EXPECT_EQ(i->retrans_ms, 60000);
    fx_free(f);
}

TEST("an MTU is taken from 1,280 up to the link's own")
{
    COVERS("4861-13");
    struct fx *f = listener();
    static const struct {
        unsigned told, then;
    } rows[] = {{1279, 0}, {0, 0}, {1501, 0}, {0xffffffff, 0}, {1280, 1280}, {1500, 1500},
                {1501, 1500}, {1279, 1500}, {1400, 1400}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        in_ra(f, fx_line("mtu=%u", rows[i].told));
        EXPECT_EQ(interface(f)->mtu6, rows[i].then);
    }
    in_ra(f, "mtu=1280 slla=" FX_PEER " prefix=2001:db8:1::/64,L,A");
    struct ip_path path;
    struct oriel_addr to = fx_addr("2001:db8:9::9");
    EXPECT_EQ(ip_path_find(&f->s->ip, &to, NULL, 0, &path), 0);
    EXPECT_EQ(path.mtu, 1280);
    fx_free(f);
}

/* ---- default routers ---- */

TEST("a router is remembered with its link address, as one that has not been heard to answer")
{
    COVERS("4861-13");
    struct fx *f = listener();
    in_ra(f, "slla=" FX_PEER);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "stale");
    EXPECT(fx_neigh(f, f->nif, "fe80::2")->router);
    in_ra_from(f, "fe80::3", "");                   /* without one: asked for when it is needed */
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::3"), "none");
    const struct route *r = fx_route(f, "::/0", "fe80::3");
    EXPECT(r && r->origin == ROUTE_RA && r->nif == f->nif && r->gateway.zone == (uint32_t)f->nif);
    fx_free(f);
}

TEST("a neighbour that turns out to be a router counts as one, option or not")
{
    COVERS("4861-13");
    struct fx *f = listener();
    const struct ifaddr *us = fx_addr_of(f, f->nif, ADDR_LINK_LOCAL);
    EXPECT(us != NULL);
    EXPECT_EQ(fx_send(f, "fe80::2%1", "x"), 1);
    fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na target=fe80::2 tlla=" FX_PEER);
    EXPECT(!fx_neigh(f, f->nif, "fe80::2")->router);
    in_ra(f, "");
    EXPECT(fx_neigh(f, f->nif, "fe80::2")->router);
    fx_free(f);
}

TEST("a router stays for its lifetime, and every advertisement begins it anew")
{
    COVERS("4861-15");
    struct fx *f = listener();
    in_ra(f, "lifetime=100");
    fx_at(f, 60 * S);
    in_ra(f, "lifetime=100");
    fx_at(f, 160 * S - 1);
    EXPECT(fx_route(f, "::/0", "fe80::2"));
    fx_at(f, 160 * S);
    EXPECT(!fx_route(f, "::/0", "fe80::2"));
    struct ip_path path;
    struct oriel_addr to = fx_addr("2001:db8:9::9");
    EXPECT_EQ(ip_path_find(&f->s->ip, &to, NULL, 0, &path), ORIEL_ENETUNREACH);
    fx_free(f);
}

TEST("a lifetime of zero ends a router at once, and what it said besides is still heard")
{
    COVERS("4861-15");
    struct fx *f = listener();
    in_ra(f, "slla=" FX_PEER);
    in_ra_from(f, "fe80::3", "slla=02:00:00:00:00:03 prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    (void)fx_skip(f);
    in_ra(f, "lifetime=0 hoplimit=77 prefix=2001:db8:2::/64,L");
    EXPECT(!fx_route(f, "::/0", "fe80::2"));
    EXPECT_EQ(interface(f)->hop_limit, 77);
    EXPECT(fx_route(f, "2001:db8:2::/64", NULL));
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:03");
    in_ra_from(f, "fe80::4", "lifetime=0");
    EXPECT(!fx_route(f, "::/0", "fe80::4"));
    fx_free(f);
}

TEST("a router that says it is none any more is given up, and packets take another")
{
    COVERS("4861-15");
    struct fx *f = listener();
    in_ra(f, "slla=" FX_PEER);
    in_ra_from(f, "fe80::3", "slla=02:00:00:00:00:03 prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == " FX_PEER);
    fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na override target=fe80::2 tlla=" FX_PEER);
    EXPECT(!fx_route(f, "::/0", "fe80::2"));
    EXPECT(!slaac_is_router(&f->s->ip, &(struct oriel_addr){.hi = 0xfe80000000000000, .lo = 2},
                            (uint16_t)f->nif));
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:03");
    fx_free(f);
}

TEST("a router that turns out to be none when it is first looked for is given up")
{
    COVERS("4861-15");
    struct fx *f = listener();
    in_ra(f, "prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "icmpv6.type == 135 && icmpv6.nd.ns.target_address == fe80::2");
    in_ra(f, "");                       /* the entry is there now, and learns that it is a router */
    char us[60];
    struct txt t = txt_of(us, sizeof(us));
    txt_addr(&t, &formed(f, "2001:db8:1::")->addr);
    fx_in(f,
          fx_line("ip6 src=fe80::2 dst=%s / icmp6 na solicited target=fe80::2 tlla=" FX_PEER, us));
    EXPECT(!fx_route(f, "::/0", "fe80::2"));
    fx_free(f);
}

TEST("when a router does not answer the other one is used, and it is tried again later")
{
    COVERS("4861-13");
    struct fx *f = listener();
    in_ra(f, "slla=" FX_PEER);
    in_ra_from(f, "fe80::3", "slla=02:00:00:00:00:03 prefix=2001:db8:1::/64,L,A");
    fx_at(f, 20 * S);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    fx_run(f, 8 * S);                               /* delay, three questions, no answer */
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "failed");
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:03");
    EXPECT(fx_route(f, "::/0", "fe80::2"));         /* RFC 4861, 6.3.6: still on the list */
    fx_free(f);
}

TEST("the only router is not lost by being silent for a while")
{
    COVERS("4861-13");
    struct fx *f = listener();
    in_ra(f, "slla=" FX_PEER " prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    fx_run(f, 30 * S);
    (void)fx_skip(f);
    (void)fx_send(f, "2001:db8:9::9", "x");
    EXPECT_OUT(f, "icmpv6.type == 135 && icmpv6.nd.ns.target_address == fe80::2");
    fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 na router override target=fe80::2 tlla=" FX_PEER);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == " FX_PEER);
    fx_free(f);
}

TEST("a flood of routers leaves the first few, and a dead one makes room")
{
    COVERS("4862-6 S27");
    struct fx *f = listener();
    for (unsigned i = 0; i < 5000; i++)
        in_ra_from(f, fx_line("fe80::1:%x", i), "");
    EXPECT_EQ(fx_routes(f, ROUTE_RA), ROUTERS_MAX);
    EXPECT(fx_route(f, "::/0", "fe80::1:0"));
    EXPECT(!fx_route(f, "::/0", "fe80::1:8"));
    EXPECT(ROUTERS_MAX >= 2);
    in_ra_from(f, "fe80::1:0", "prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    fx_run(f, 4 * S);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::1:0"), "failed");
    in_ra_from(f, "fe80::beef", "");
    EXPECT(fx_route(f, "::/0", "fe80::beef"));
    EXPECT(!fx_route(f, "::/0", "fe80::1:0"));
    EXPECT_EQ(fx_routes(f, ROUTE_RA), ROUTERS_MAX + 1);             /* and the prefix */
    fx_free(f);
}

TEST("a route that somebody removed by hand is not removed twice")
{
    struct fx *f = listener();
    struct oriel_addr any = ADDR_NONE, router = fx_addr("fe80::2%1");
    in_ra(f, "lifetime=10");
    EXPECT(slaac_is_router(&f->s->ip, &router, (uint16_t)f->nif));
    EXPECT_EQ(oriel_route_remove(f->s, &any, 0, &router, f->nif), 0);
    fx_at(f, 10 * S);
    EXPECT(!slaac_is_router(&f->s->ip, &router, (uint16_t)f->nif));
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 0);
    in_ra(f, "lifetime=10");
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 1);
    fx_free(f);
}

TEST("a default route made by hand comes first, and is nobody else's to remove")
{
    struct fx *f = listener();
    fx_add_route(f, f->nif, "::/0", "fe80::2");
    in_ra(f, "lifetime=10");
    in_ra_from(f, "fe80::3", "slla=02:00:00:00:00:03 lifetime=10 prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "icmpv6.type == 135 && icmpv6.nd.ns.target_address == fe80::2");
    fx_at(f, 20 * S);
    EXPECT(fx_route(f, "::/0", "fe80::2"));
    EXPECT(!fx_route(f, "::/0", "fe80::3"));
    fx_free(f);
}

/* ---- prefixes on the link ---- */

TEST("a prefix is on the link for its lifetime")
{
    COVERS("4861-13");
    struct fx *f = listener();
    in_ra(f, "prefix=2001:db8:1::/64,valid=100,preferred=100,L");
    const struct route *r = fx_route(f, "2001:db8:1::/64", NULL);
    EXPECT(r && r->origin == ROUTE_RA && r->nif == f->nif);
    EXPECT_EQ(addresses(f, ADDR_AUTO), 0);
    fx_at(f, 100 * S - 1);
    EXPECT(fx_route(f, "2001:db8:1::/64", NULL));
    fx_at(f, 100 * S);
    EXPECT(!fx_route(f, "2001:db8:1::/64", NULL));

    in_ra(f, "prefix=2001:db8:1::/48,valid=0xffffffff,preferred=0xffffffff,L");
    EXPECT(fx_route(f, "2001:db8:1::/48", NULL));
    in_ra(f, "prefix=2001:db8:1::/48,valid=50,preferred=50");      /* off-link says nothing */
    fx_run(f, 10000000 * S);
    EXPECT(fx_route(f, "2001:db8:1::/48", NULL));
    in_ra(f, "prefix=2001:db8:1::/48,valid=0,preferred=0,L");      /* and this says: no longer */
    EXPECT(!fx_route(f, "2001:db8:1::/48", NULL));
    in_ra(f, "prefix=2001:db8:1::/48,valid=0,preferred=0,L");
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 1);                          /* the router, heard just now */
    fx_free(f);
}

TEST("prefixes that no hosts can have are passed over")
{
    COVERS("4862-3 S27");
    static const char *const bad[] = {
        "fe80::/64", "fe80:0:0:1::/64", "ff05::/64", "::/0", "::/64", "::1/128", "::ffff:0:0:0/80",
    };
    struct fx *f = listener();
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        in_ra(f, fx_line("lifetime=0 prefix=%s,L,A", bad[i]));
    in_ra(f, "lifetime=0 prefix=2001:db8:1::/64,valid=100,preferred=101,L,A");
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 0);
    EXPECT_EQ(addresses(f, ADDR_AUTO), 0);
    fx_free(f);
}

TEST("a prefix that IPv4 addresses are held in is passed over")
{
    COVERS("4291-1 S27");
    struct fx *f = listener();
    in_ra(f, "lifetime=0 opt=030460c0000007080000070800000000"
             "00000000000000000000ffff00000000");
    EXPECT_EQ(fx_drops_all(f), 0);
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 0);
    fx_free(f);
}

TEST("a route to a prefix made by hand is nobody else's to remove")
{
    struct fx *f = listener();
    fx_add_route(f, f->nif, "2001:db8:1::/64", NULL);
    in_ra(f, "prefix=2001:db8:1::/64,valid=100,preferred=100,L");
    fx_at(f, 200 * S);
    EXPECT(fx_route(f, "2001:db8:1::/64", NULL));
    EXPECT_EQ(fx_route(f, "2001:db8:1::/64", NULL)->origin, ROUTE_STATIC);
    fx_free(f);
}

TEST("a prefix that is also an address's stays as long as either says so")
{
    struct fx *f = listener();
    struct oriel_addr a = fx_addr("2001:db8:1::1");
    fx_add_addr(f, f->nif, "2001:db8:1::1/64");
    in_ra(f, "prefix=2001:db8:1::/64,valid=100,preferred=100,L");
    fx_at(f, 200 * S);
    EXPECT(fx_route(f, "2001:db8:1::/64", NULL));                  /* the address's */

    in_ra(f, "prefix=2001:db8:1::/64,valid=100,preferred=100,L");
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &a), 0);
    EXPECT(fx_route(f, "2001:db8:1::/64", NULL));                  /* the router's */
    fx_add_addr(f, f->nif, "2001:db8:1::1/64");
    fx_at(f, 400 * S);
    EXPECT(fx_route(f, "2001:db8:1::/64", NULL));
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &a), 0);
    EXPECT(!fx_route(f, "2001:db8:1::/64", NULL));
    fx_free(f);
}

/* ---- addresses ---- */

TEST("a prefix for autonomous configuration becomes an address of 128 bits, or none")
{
    COVERS("4862-3");
    struct fx *f = listener();
    in_ra(f, "prefix=2001:db8:1::/64,valid=2000,preferred=1000,A");
    struct ifaddr *a = formed(f, "2001:db8:1::");
    EXPECT(a && a->state == ADDR_PREFERRED && a->prefix_len == 64);
    EXPECT(a->preferred_until == FX_START + 1000 * S);
    EXPECT(a->valid_until == FX_START + 2000 * S);
    EXPECT(!fx_route(f, "2001:db8:1::/64", NULL));                 /* on-link is another question */

    in_ra(f, "prefix=2001:db8:2::/63,A prefix=2001:db8:4::/65,A prefix=2001:db8:5::/128,A");
    in_ra(f, "prefix=2001:db8:6::/64,valid=0,preferred=0,A");
    in_ra(f, "prefix=2001:db8:7::/64,L");
    EXPECT_EQ(addresses(f, ADDR_AUTO), 1);
    in_ra(f, "prefix=2001:db8:8::/64,valid=100,preferred=0,A");
    EXPECT_EQ(formed(f, "2001:db8:8::")->state, ADDR_DEPRECATED);
    fx_free(f);
}

TEST("a formed address is probed like any other")
{
    COVERS("4862-1");
    struct fx *f = fx_new(.netif = {.ip6 = true, .accept_ra = true});
    fx_at(f, 5 * S);
    in_ra(f, "prefix=2001:db8:1::/64,valid=0,preferred=0,L,A");
    EXPECT_EQ(addresses(f, ADDR_AUTO), 0);
    in_ra(f, "prefix=2001:db8:1::/64,L,A");
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_TENTATIVE);
    (void)fx_skip(f);
    fx_run(f, 2 * S);
    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.src == :: && "
                  "icmpv6.nd.ns.target_address == 2001:db8:1::/64");
    EXPECT_OUT(f, "icmpv6.type == 136 && ipv6.src == 2001:db8:1::/64");
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_PREFERRED);
    fx_free(f);
}

/* RFC 4862, 5.5.3 (e), from its text. Seconds; 0xffffffff is for ever. */
static uint64_t valid_after(uint64_t remaining, uint64_t told)
{
    if (told > 7200 || told > remaining)
        return told;
    return remaining <= 7200 ? remaining : 7200;
}

TEST("nobody can cut a formed address's life below two hours")
{
    COVERS("4862-4 S27");
    static const uint32_t values[] = {1, 2, 3600, 7199, 7200, 7201, 10000, 86400, 0xffffffff};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        for (size_t k = 0; k <= ARRAY_LEN(values); k++) {
            uint32_t told = k < ARRAY_LEN(values) ? values[k] : 0;
            struct fx *f = listener();
            in_ra(f, fx_line("prefix=2001:db8:1::/64,valid=%u,preferred=1,A", values[i]));
            in_ra(f, fx_line("prefix=2001:db8:1::/64,valid=%u,preferred=%u,A", told, told ? 1 : 0));
            uint64_t v = valid_after(values[i], told);
            oriel_time until = v == 0xffffffff ? ORIEL_NEVER : FX_START + v * S;
            if (formed(f, "2001:db8:1::")->valid_until != until)
                fail_msg("%u left, told %u: not %llu", values[i], told, (unsigned long long)v);
            EXPECT_EQ(addresses(f, ADDR_AUTO), 1);
            fx_free(f);
        }
    }
}

TEST("the preferred lifetime is always the one told last")
{
    COVERS("4862-4");
    struct fx *f = listener();
    in_ra(f, "prefix=2001:db8:1::/64,valid=86400,preferred=86400,A");
    in_ra(f, "prefix=2001:db8:1::/64,valid=86400,preferred=0,A");
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_DEPRECATED);
    in_ra(f, "prefix=2001:db8:1::/64,valid=86400,preferred=50,A");
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_PREFERRED);
    fx_at(f, 50 * S);
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_DEPRECATED);
    fx_free(f);
}

TEST("a deprecated address serves what goes on and not what begins; an invalid one is nobody's")
{
    COVERS("4862-5");
    struct fx *f = listener();
    char old[60];
    in_ra(f, "slla=" FX_PEER " prefix=2001:db8:1::/64,valid=200,preferred=100,L,A");
    struct txt t = txt_of(old, sizeof(old));
    txt_addr(&t, &formed(f, "2001:db8:1::")->addr);
    fx_at(f, 50 * S);
    in_ra(f, "prefix=2001:db8:2::/64,L,A");
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:1:0:1::", "x"), 1);
    EXPECT_OUT(f, "icmpv6.type == 135 && ipv6.src == 2001:db8:1::/64");

    fx_at(f, 101 * S);
    EXPECT_STR(fx_addr_state(f, old), "deprecated");
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "new"), 3);
    EXPECT(fx_out_until(f, "udp && ipv6.src == 2001:db8:2::/64"));
    struct oriel_endpoint to = {.addr = fx_addr("2001:db8:9::9"), .port = 9};
    struct oriel_msg m = {.peer = to, .local = fx_addr(old)};
    EXPECT_EQ(oriel_send(f->s, f->udp, "old", 3, &m), 3);
    EXPECT_OUT(f, "udp && ipv6.src == 2001:db8:1::/64");
    fx_in(f, fx_line("ip6 src=2001:db8:9::9 dst=%s / icmp6 echo id=1 seq=1", old));
    EXPECT_OUT(f, "icmpv6.type == 129 && ipv6.src == 2001:db8:1::/64");

    fx_at(f, 200 * S);
    EXPECT_STR(fx_addr_state(f, old), "none");
    EXPECT_DROP(f, IP_NOT_OURS,
                fx_in(f, fx_line("ip6 src=2001:db8:9::9 dst=%s / icmp6 echo id=1 seq=2", old)));
    EXPECT_EQ(oriel_send(f->s, f->udp, "old", 3, &m), ORIEL_EADDRNOTAVAIL);
    fx_free(f);
}

TEST("a flood of ten thousand prefixes and name servers ends at the tables' ends")
{
    COVERS("4862-6 S27");
    struct fx *f = listener();
    uint32_t routes = f->s->ip.routes.routes.live;
    in_ra(f, "slla=" FX_PEER " prefix=2001:db8:1::/64,L,A dns=2001:db8:1::53");
    for (unsigned i = 0; i < 10000; i++)
        in_ra(f, fx_line("prefix=2001:db9:%x::/64,L,A dns=2001:db8:53::%x", i, i));
    EXPECT_EQ(addresses(f, ADDR_AUTO), AUTO_ADDRS_MAX);
    EXPECT_EQ(fx_routes(f, ROUTE_RA), PREFIXES_MAX + 1);
    EXPECT_EQ(f->s->ip.routes.routes.live, routes + PREFIXES_MAX + 1);
    EXPECT_EQ(f->s->ip.slaac.dns[0].addr.lo, 0x53);
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_PREFERRED);   /* what was first still works */
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && ipv6.src == 2001:db8:1::/64");
    fx_free(f);
}

/* ---- identifiers ---- */

/* A host with that seed, link address and interface name, and its address in 2001:db8:1::/64. */
static struct oriel_addr address_with(uint8_t seed, uint8_t mac, const char *name,
                                      const char *prefix)
{
    struct fx *f = fx_new(.netif = {.ip6 = true, .accept_ra = true, .no_dad = true, .name = name,
                                    .mac = {2, 0, 0, 0, 0, mac}},
                          .stack = {.memory_bytes = 4u << 20, .seed = {seed}});
    in_ra(f, fx_line("prefix=%s/64,L,A", prefix));
    struct oriel_addr a = formed(f, prefix)->addr;
    fx_free(f);
    return a;
}

TEST("an identifier is the same every time, and another one for each prefix, interface and secret")
{
    COVERS("7217-1");
    struct oriel_addr a = address_with(1, 1, "eth0", "2001:db8:1::");
    struct oriel_addr again = address_with(1, 1, "eth0", "2001:db8:1::");
    EXPECT(addr_same_bits(&a, &again));
    EXPECT(a.lo != address_with(1, 1, "eth0", "2001:db8:2::").lo);
    EXPECT(a.lo != address_with(1, 1, "eth1", "2001:db8:1::").lo);
    EXPECT(a.lo != address_with(1, 2, "eth0", "2001:db8:1::").lo);
    EXPECT(a.lo != address_with(2, 1, "eth0", "2001:db8:1::").lo);
}

TEST("an address that is there already, made by hand, is not formed again")
{
    COVERS("4862-3");
    char text[80];
    struct txt t = txt_of(text, sizeof(text));
    struct oriel_addr a = address_with(1, 1, "eth0", "2001:db8:1::");
    txt_addr(&t, &a);
    txt_s(&t, "/64");
    struct fx *f = fx_new(.netif = {.accept_ra = true, .no_dad = true, .name = "eth0"},
                          .stack = {.memory_bytes = 4u << 20, .seed = {1}});
    fx_add_addr(f, f->nif, text);
    in_ra(f, "prefix=2001:db8:1::/64,valid=10,preferred=10,L,A");
    EXPECT_EQ(addresses(f, ADDR_AUTO), 0);
    fx_at(f, 100 * S);
    EXPECT_EQ(addresses(f, ADDR_STATIC), 1);
    fx_free(f);
}

TEST("an identifier is this known one, computed as RFC 7217, 5 says")
{
    COVERS("7217-1");
    struct oriel_addr a = address_with(1, 1, "eth0", "2001:db8:1::");
    uint8_t seed[32] = {1};
    uint8_t in[8 + 16 + 6 + 2] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 'e', 't', 'h', '0'};
    in[24] = 2;
    in[29] = 1;
    struct siphash_key key = siphash_derive(seed, "rfc7217");
    EXPECT(a.lo == siphash(&key, span_of(in, sizeof(in))));
    EXPECT(a.lo == KNOWN_IDENTIFIER);
}

TEST("no identifier tells the link address")
{
    COVERS("7217-1");
    struct fx *f = listener();
    in_ra(f, "prefix=2001:db8:1::/64,L,A");
    LIST_EACH(node, &interface(f)->addrs) {
        const struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        EXPECT((a->addr.lo >> 24 & 0xffff) != 0xfffe);
        EXPECT((a->addr.lo & 0xffffff) != 1);
    }
    fx_free(f);
}

/* Somebody has whatever is asked about, for the next `n` questions; how many there were. */
static unsigned object(struct fx *f, unsigned n)
{
    unsigned asked = 0;
    char target[60];
    for (unsigned i = 0; i < 20; i++) {
        fx_run(f, 900 * MS);
        while (fx_out_until(f, "icmpv6.type == 135 && ipv6.src == ::")) {
            struct txt t = txt_of(target, sizeof(target));
            txt_addr(&t, &dissection_first(&f->d, F_ICMPV6_ND_NS_TARGET_ADDRESS)->value.addr);
            if (asked++ < n)
                fx_in(f, fx_line("ip6 src=fe80::2 dst=ff02::1 / icmp6 na override target=%s tlla="
                              FX_PEER, target));
        }
    }
    return asked;
}

TEST("a link-local address that somebody has is followed by another one, twice")
{
    COVERS("7217-1 4862-1");
    for (unsigned taken = 0; taken <= 3; taken++) {
        struct fx *f = fx_new(.netif = {.ip6 = true}, .stack = {.memory_bytes = 4u << 20});
        const struct netif *n = netif_at(&f->s->link, (uint32_t)f->nif);
        EXPECT_EQ(object(f, taken), taken < 3 ? taken + 1 : 3);
        EXPECT_EQ(addresses(f, ADDR_LINK_LOCAL), 1);
        const struct ifaddr *a = fx_addr_of(f, f->nif, ADDR_LINK_LOCAL);
        EXPECT_EQ(a->state, taken < 3 ? ADDR_PREFERRED : ADDR_DUPLICATE);
        struct oriel_addr last = slaac_link_local(&f->s->ip, n, (uint8_t)(taken < 3 ? taken : 2));
        EXPECT(addr_same_bits(&a->addr, &last));
        fx_free(f);
    }
}

TEST("a formed address that somebody has is followed by another one with the same lifetimes")
{
    COVERS("7217-1 4862-1");
    struct fx *f = fx_new(.netif = {.accept_ra = true}, .stack = {.memory_bytes = 4u << 20});
    in_ra(f, "prefix=2001:db8:1::/64,valid=2000,preferred=1000,A");
    struct oriel_addr first = formed(f, "2001:db8:1::")->addr;
    EXPECT_EQ(object(f, 1), 2);
    const struct ifaddr *a = formed(f, "2001:db8:1::");
    EXPECT_EQ(addresses(f, ADDR_AUTO), 1);
    EXPECT_EQ(a->state, ADDR_PREFERRED);
    EXPECT_EQ(a->dad_counter, 1);
    EXPECT(!addr_same_bits(&a->addr, &first));
    EXPECT(a->preferred_until == FX_START + 1000 * S);
    EXPECT(a->valid_until == FX_START + 2000 * S);
    in_ra(f, "prefix=2001:db8:1::/64,valid=2000,preferred=1000,A");        /* no third one */
    EXPECT_EQ(addresses(f, ADDR_AUTO), 1);
    fx_free(f);
}

TEST("after three conflicts a prefix gets no address, until its lifetime is over")
{
    COVERS("7217-1");
    struct fx *f = fx_new(.netif = {.accept_ra = true}, .stack = {.memory_bytes = 4u << 20});
    in_ra(f, "prefix=2001:db8:1::/64,valid=100,preferred=100,A");
    EXPECT_EQ(object(f, 100), 3);
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_DUPLICATE);
    in_ra(f, "prefix=2001:db8:1::/64,valid=100,preferred=100,A");
    EXPECT_EQ(object(f, 0), 0);
    fx_run(f, 100 * S);
    in_ra(f, "prefix=2001:db8:1::/64,valid=100,preferred=100,A");
    EXPECT_EQ(object(f, 0), 1);
    EXPECT_EQ(formed(f, "2001:db8:1::")->state, ADDR_PREFERRED);
    fx_free(f);
}

TEST("a link that comes back is probed with the identifiers that held before")
{
    COVERS("7217-1");
    struct fx *f = fx_new(.netif = {.ip6 = true}, .stack = {.memory_bytes = 4u << 20});
    EXPECT_EQ(object(f, 1), 2);
    struct oriel_addr a = fx_addr_of(f, f->nif, ADDR_LINK_LOCAL)->addr;
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    fx_run(f, S);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, true), 0);
    EXPECT_EQ(object(f, 0), 1);
    EXPECT_EQ(addresses(f, ADDR_LINK_LOCAL), 1);
    EXPECT(addr_same_bits(&fx_addr_of(f, f->nif, ADDR_LINK_LOCAL)->addr, &a));
    fx_free(f);
}

TEST("where every identifier was taken, the link that comes back gets another chance")
{
    struct fx *f = fx_new(.netif = {.ip6 = true}, .stack = {.memory_bytes = 4u << 20});
    EXPECT_EQ(object(f, 3), 3);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    fx_run(f, S);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, true), 0);
    EXPECT_EQ(object(f, 0), 1);
    EXPECT_EQ(fx_addr_of(f, f->nif, ADDR_LINK_LOCAL)->state, ADDR_PREFERRED);
    fx_free(f);
}

TEST("an address made by hand that somebody has stays a duplicate")
{
    struct fx *f = fx_new(.stack = {.memory_bytes = 4u << 20});
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    EXPECT_EQ(object(f, 100), 1);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "duplicate");
    fx_free(f);
}

/* ---- name servers ---- */

static unsigned servers(const struct fx *f)
{
    unsigned n = 0;
    for (unsigned i = 0; i < DNS_SERVERS_MAX; i++)
        n += f->s->ip.slaac.dns[i].nif != 0;
    return n;
}

TEST("name servers are kept for their lifetime")
{
    struct fx *f = listener();
    in_ra(f, "dns=lifetime=100,2001:db8::53,fe80::53");
    EXPECT_EQ(servers(f), 2);
    EXPECT_EQ(f->s->ip.slaac.dns[0].addr.zone, 0);
    EXPECT_EQ(f->s->ip.slaac.dns[1].addr.zone, f->nif);
    in_ra(f, "dns=lifetime=0,fe80::53");
    EXPECT_EQ(servers(f), 1);
    fx_at(f, 50 * S);
    in_ra(f, "dns=lifetime=100,2001:db8::53");
    EXPECT_EQ(servers(f), 1);
    in_ra(f, "dns=ff02::53 dns=::");
    EXPECT_EQ(servers(f), 1);
    fx_at(f, 150 * S - 1);
    EXPECT_EQ(servers(f), 1);
    fx_at(f, 150 * S);
    EXPECT_EQ(servers(f), 0);
    fx_free(f);
}

/* ---- the link goes ---- */

TEST("when the link goes everything that its routers said is forgotten, but the addresses")
{
    struct fx *f = listener();
    int other = fx_netif(f, &(struct oriel_netif_config){.accept_ra = true, .no_dad = true});
    fx_add_addr(f, other, "fe80::b/64");
    fx_in_on(f, other, "ip6 src=fe80::2 dst=ff02::1 / icmp6 ra prefix=2001:db8:b::/64,L "
                       "dns=2001:db8:b::53");
    in_ra(f, "hoplimit=99 reachable=1000 retrans=100 mtu=1300 slla=" FX_PEER
             " prefix=2001:db8:1::/64,L,A dns=2001:db8:1::53");
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 4);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 2);
    EXPECT_EQ(servers(f), 1);
    EXPECT_EQ(interface(f)->hop_limit, 0);
    EXPECT_EQ(interface(f)->mtu6, 0);
    EXPECT_EQ(interface(f)->reachable_ms, 30000);
    EXPECT_EQ(interface(f)->retrans_ms, 1000);
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::2"), "none");
    EXPECT(formed(f, "2001:db8:1::") != NULL);
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), 0);
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 2);
    EXPECT_EQ(oriel_netif_remove(f->s, other), 0);
    EXPECT_EQ(fx_routes(f, ROUTE_RA), 0);
    fx_at(f, 10000 * S);
    fx_free(f);
}
