/* What is kept of redirects that were believed, and for how long. */
#include "fx_stack.h"

#define S NS_PER_S

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

#define REDIRECT "icmp6 redirect target=fe80::3 dest=2001:db8:9::9 tlla=02:00:00:00:00:03"

TEST("after a redirect packets take the better hop, and only those to that host")
{
    COVERS("4861-5");
    struct fx *f = host_behind_router();
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == " FX_PEER);
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / " REDIRECT);
    EXPECT(fx_neigh(f, f->nif, "fe80::3")->router);
    EXPECT_EQ(fx_route(f, "2001:db8:9::9/128", "fe80::3")->gateway.zone, f->nif);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:03");
    EXPECT_EQ(fx_send(f, "2001:db8:9::a", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == " FX_PEER);

    EXPECT_DROP(f, ICMP_REDIRECT,                   /* the first hop is another one now */
                fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 redirect target=fe80::4 "
                         "dest=2001:db8:9::9"));
    fx_in(f, "eth src=02:00:00:00:00:03 dst=02:00:00:00:00:01 / ip6 src=fe80::3 dst=2001:db8::1 / "
             "icmp6 redirect target=fe80::4 dest=2001:db8:9::9 tlla=02:00:00:00:00:04");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:04");
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 1);
    fx_free(f);
}

TEST("a redirect to the destination itself says that it is on the link")
{
    COVERS("4861-5");
    struct fx *f = host_behind_router();
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 redirect target=2001:db8:9::9 "
             "dest=2001:db8:9::9 tlla=02:00:00:00:00:09");
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:09");
    EXPECT(!fx_neigh(f, f->nif, "2001:db8:9::9")->router);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 1);
    fx_run(f, 8 * S);                               /* but it does not answer */
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    fx_free(f);
}

TEST("a redirect to a hop that does not answer is forgotten, and packets take the router again")
{
    COVERS("4861-5");
    struct fx *f = host_behind_router();
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 ns target=2001:db8::1 slla=" FX_PEER);
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / " REDIRECT);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    fx_run(f, 8 * S);                               /* delay, three questions */
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == " FX_PEER);
    fx_free(f);
}

TEST("a redirect is about a host beyond the link, and finds room or is not kept")
{
    COVERS("4861-5 S27");
    struct fx *f = host_behind_router();
    EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 redirect "
                                           "target=fe80::3 dest=fe80::9"));
    EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 redirect "
                                           "target=fe80::1 dest=2001:db8:9::9"));
    EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 redirect "
                                           "target=fe80::3 dest=2001:db8::1"));
    struct oriel_addr a = addr_v6(0x20010db8000a0000, 0);
    while (a.lo++, oriel_route_add(f->s, &a, 128, NULL, f->nif, 0) == 0)
        ;
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / " REDIRECT);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    fx_free(f);
}

TEST("a flood of redirects leaves the latest few")
{
    COVERS("S27");
    struct fx *f = host_behind_router();
    for (unsigned i = 0; i < 1000; i++)
        fx_in(f, fx_line("ip6 src=fe80::2 dst=2001:db8::1 / icmp6 redirect target=fe80::3 "
                      "dest=2001:db8:9::%x tlla=02:00:00:00:00:03", i + 1));
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), REDIRECTS_MAX);
    EXPECT(fx_route(f, "2001:db8:9::3e8/128", "fe80::3"));
    EXPECT(fx_route(f, "2001:db8:9::3c9/128", "fe80::3"));
    EXPECT(!fx_route(f, "2001:db8:9::3c8/128", "fe80::3"));
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    fx_free(f);
}

TEST("a hop that fails takes only its own routes along")
{
    struct fx *f = host_behind_router();
    int other = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    fx_add_addr(f, other, "fe80::b/64");
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / " REDIRECT);
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / icmp6 redirect target=fe80::4 "
             "dest=2001:db8:9::a tlla=02:00:00:00:00:04");
    EXPECT_EQ(fx_send(f, "fe80::3%2", "x"), 1);     /* the same name on another link */
    fx_run(f, 4 * S);
    EXPECT_STR(fx_neigh_state(f, other, "fe80::3"), "failed");
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 2);
    EXPECT_EQ(oriel_netif_set_up(f->s, other, false), 0);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 2);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    fx_run(f, 8 * S);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 1);
    EXPECT(fx_route(f, "2001:db8:9::a/128", "fe80::4"));
    fx_free(f);
}

TEST("a hop that says it is no router any more takes its routes along")
{
    COVERS("4861-15");
    struct fx *f = host_behind_router();
    fx_in(f, "ip6 src=fe80::2 dst=2001:db8::1 / " REDIRECT);
    fx_in(f, "eth src=02:00:00:00:00:03 dst=33:33:00:00:00:01 / ip6 src=fe80::3 dst=ff02::1 / "
             "icmp6 na override target=fe80::3 tlla=02:00:00:00:00:03");
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    fx_free(f);
}

TEST("a route made by hand that says the same is not a redirect's to remove")
{
    struct fx *f = host_behind_router();
    int other = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    fx_add_addr(f, other, "fe80::b/64");
    fx_add_route(f, f->nif, "2001:db8:9::9/128", "fe80::3");
    fx_in(f, "eth src=02:00:00:00:00:03 dst=02:00:00:00:00:01 / ip6 src=fe80::3 "
             "dst=2001:db8::1 / " REDIRECT);
    EXPECT_EQ(fx_drops_all(f), 0);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    EXPECT_EQ(fx_send(f, "2001:db8:9::9", "x"), 1);
    fx_run(f, 8 * S);                               /* nobody answers */
    EXPECT_STR(fx_neigh_state(f, f->nif, "fe80::3"), "failed");
    EXPECT(fx_route(f, "2001:db8:9::9/128", "fe80::3"));
    fx_free(f);
}
