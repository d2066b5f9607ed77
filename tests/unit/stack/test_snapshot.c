#include "fx_stack.h"

TEST("the snapshot shows each interface, address, route, neighbour and socket once")
{
    struct fx *f = fx_new();
    int lo = oriel_netif_add(f->s, &(struct oriel_netif_config){.name = "lo",
                                                                .kind = ORIEL_NETIF_LOOPBACK});
    struct oriel_netif_info n;
    struct oriel_addr_info a;
    struct oriel_route_info r;
    struct oriel_neigh_info g;
    struct oriel_socket_info k;
    uint32_t at = 0;
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_route(f, f->nif, "10.9.0.0/16", "10.0.0.2");
    (void)fx_send(f, "10.0.0.2", "x");
    EXPECT(oriel_netif_each(f->s, &at, &n) && n.netif == f->nif && n.up && n.mtu == 1500);
    EXPECT(oriel_netif_each(f->s, &at, &n) && n.netif == lo && strcmp(n.name, "lo") == 0);
    EXPECT(!oriel_netif_each(f->s, &at, &n));
    at = 0;
    EXPECT(oriel_addr_each(f->s, &at, &a) && a.netif == f->nif && a.prefix_len == 120);
    EXPECT_STR(a.state, "preferred");
    EXPECT(oriel_addr_each(f->s, &at, &a) && a.netif == lo);
    EXPECT(oriel_addr_each(f->s, &at, &a) && a.netif == lo);
    EXPECT(!oriel_addr_each(f->s, &at, &a));
    unsigned connected = 0, configured = 0;
    for (at = 0; oriel_route_each(f->s, &at, &r);) {
        connected += strcmp(r.origin, "connected") == 0;
        configured += strcmp(r.origin, "static") == 0;
    }
    EXPECT(connected == 2 && configured == 1);
    at = 0;
    EXPECT(oriel_neigh_each(f->s, &at, &g));
    EXPECT_STR(g.state, "incomplete");
    EXPECT_EQ(g.waiting, 1);
    EXPECT(!oriel_neigh_each(f->s, &at, &g));
    at = 0;
    EXPECT(oriel_socket_each(f->s, &at, &k) && k.out_pkts == 1 && k.local.port != 0);
    EXPECT_STR(k.kind, "udp");
    EXPECT(!oriel_socket_each(f->s, &at, &k));
    fx_free(f);
}

TEST("every reason has a counter with its sentence, and they count")
{
    struct fx *f = fx_new();
    struct oriel_counter_info c;
    unsigned why = 0, drop = 0;
    uint64_t closed = 0;
    COVERS("1122-3.1L");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>99 / \"x\"");
    for (uint32_t at = 0; oriel_counter_each(f->s, &at, &c);) {
        why += strcmp(c.group, "why") == 0;
        drop += strcmp(c.group, "drop") == 0;
        EXPECT(strlen(c.text) > 5);
        if (strcmp(c.name, "UDP_NO_PORT") == 0)
            closed = c.value;
    }
    EXPECT_EQ(why, WHY_N - 1);
    EXPECT_EQ(drop, DROP_N - 1);
    EXPECT_EQ(closed, 1);
    fx_free(f);
}

TEST("every limit says what it is, how much of it is used, and where it came from")
{
    struct fx *f = fx_new();
    struct oriel_limit_info l;
    unsigned rows = 0;
    COVERS("INV-6");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    for (uint32_t at = 0; oriel_limit_each(f->s, &at, &l); rows++) {
        EXPECT(l.value > 0 && l.used <= l.value);
        EXPECT(strlen(l.from) > 5);
        if (strcmp(l.name, "addresses") == 0)
            EXPECT_EQ(l.used, 1);
    }
    EXPECT(rows >= 11);
    fx_free(f);
}

TEST("a reassembly under way, a group and a path MTU are seen")
{
    struct fx *f = fx_new();
    struct oriel_reasm_info r;
    struct oriel_group_info g;
    struct oriel_pmtu_info p;
    uint32_t at = 0;
    unsigned groups = 0;
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 id=5 mf / udp 1>2 len=100 csum=0 / fill 16");
    EXPECT(oriel_reasm_each(f->s, &at, &r) && r.id == 5 && r.held_bytes == 24 && r.total_len == 0);
    EXPECT(!oriel_reasm_each(f->s, &at, &r));
    for (at = 0; oriel_group_each(f->s, &at, &g);)
        groups++;
    EXPECT(groups >= 1);                /* all hosts */
    (void)fx_send(f, "10.0.0.2", "x");
    struct oriel_endpoint e;
    char line[200];
    EXPECT_EQ(oriel_local(f->s, f->udp, &e), 0);
    snprintf(line, sizeof(line), "ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=4 mtu=1200 / "
             "ip src=10.0.0.1 dst=10.0.0.2 df len=1500 / udp %u>9 / \"x\"", e.port);
    fx_in(f, line);
    at = 0;
    EXPECT(oriel_pmtu_each(f->s, &at, &p) && p.mtu == 1200);
    EXPECT(!oriel_pmtu_each(f->s, &at, &p));
    fx_free(f);
}

TEST("name servers that a router told of are shown with their interface and end")
{
    struct fx *f = fx_new(.netif = {.no_dad = true, .ip6 = true, .accept_ra = true});
    struct oriel_dns_info d;
    uint32_t at = 0;
    COVERS("8106-1");
    fx_run(f, NS_PER_S);
    EXPECT(!oriel_dns_each(f->s, &at, &d));
    fx_in(f, "ip6 src=fe80::2 dst=ff02::1 / icmp6 ra dns=fe80::53,fd00::53,lifetime=100");
    at = 0;
    EXPECT(oriel_dns_each(f->s, &at, &d) && d.addr.lo == 0x53 && d.addr.zone == (uint32_t)f->nif);
    EXPECT(d.until == f->s->env.now + 100 * NS_PER_S);
    EXPECT(oriel_dns_each(f->s, &at, &d) && d.netif == f->nif && d.addr.zone == 0);
    EXPECT(!oriel_dns_each(f->s, &at, &d));
    fx_free(f);
}
