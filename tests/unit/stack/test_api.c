#include "fx_stack.h"

TEST("wrong arguments to the calls about interfaces are refused and change nothing")
{
    struct fx *f = fx_new(.no_netif = true);
    struct oriel_netif_config c = {.name = "eth0"};
    struct oriel_netif_info n;
    EXPECT_EQ(oriel_netif_add(f->s, &(struct oriel_netif_config){.name = NULL}), ORIEL_EINVAL);
    EXPECT_EQ(oriel_netif_add(f->s, &(struct oriel_netif_config){.name = ""}), ORIEL_EINVAL);
    EXPECT_EQ(oriel_netif_add(f->s, &(struct oriel_netif_config){.name = "a-name-that-is-too-long"}),
              ORIEL_EINVAL);
    c.mtu = 67;
    EXPECT_EQ(oriel_netif_add(f->s, &c), ORIEL_EINVAL);
    c.mtu = 65536;
    EXPECT_EQ(oriel_netif_add(f->s, &c), ORIEL_EINVAL);
    c.mtu = 0;
    c.kind = (enum oriel_netif_kind)9;
    EXPECT_EQ(oriel_netif_add(f->s, &c), ORIEL_EINVAL);
    c.kind = ORIEL_NETIF_VLAN;
    c.vlan_id = 5;
    EXPECT_EQ(oriel_netif_add(f->s, &c), ORIEL_ENOENT);         /* nothing below it */
    EXPECT(!oriel_netif_each(f->s, &(uint32_t){0}, &n));
    c.kind = ORIEL_NETIF_ETHER;
    EXPECT_EQ(oriel_netif_add(f->s, &c), 1);
    EXPECT_EQ(oriel_netif_add(f->s, &c), ORIEL_EEXIST);
    EXPECT_EQ(oriel_netif_set_up(f->s, 2, true), ORIEL_ENOENT);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, -1, true), ORIEL_ENOENT);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, 1, 10), ORIEL_EINVAL);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, 1, 1400), 0);
    EXPECT_EQ(oriel_netif_rarp(f->s, 5), ORIEL_ENOENT);
    fx_free(f);
}

TEST("a full table of interfaces refuses one more")
{
    struct fx *f = fx_new(.no_netif = true);
    char name[16];
    int last = 1;
    COVERS("INV-6");
    for (int i = 0; last > 0 && i < 1000; i++) {
        snprintf(name, sizeof(name), "e%d", i);
        last = oriel_netif_add(f->s, &(struct oriel_netif_config){.name = name});
    }
    EXPECT_EQ(last, ORIEL_ENOBUFS);
    fx_free(f);
}

TEST("addresses that can be nobody's, and those that are there already, are refused")
{
    static const char *const bad[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255", "240.0.0.1", "::",
                                      "ff02::1"};
    struct fx *f = fx_new();
    struct oriel_addr a;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        a = fx_addr(bad[i]);
        EXPECT_EQ(oriel_addr_add(f->s, f->nif, &a, 128), ORIEL_EINVAL);
    }
    a = fx_addr("10.0.0.1");
    EXPECT_EQ(oriel_addr_add(f->s, f->nif, &a, 24), ORIEL_EINVAL);      /* 24 of 128 bits */
    EXPECT_EQ(oriel_addr_add(f->s, 9, &a, 120), ORIEL_ENOENT);
    EXPECT_EQ(oriel_addr_add(f->s, f->nif, &a, 120), 0);
    EXPECT_EQ(oriel_addr_add(f->s, f->nif, &a, 120), ORIEL_EEXIST);
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &a), 0);
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &a), ORIEL_ENOENT);
    fx_free(f);
}

TEST("routes need a way: a gateway on a link of ours, or an interface")
{
    struct fx *f = fx_new();
    struct oriel_addr dst = fx_addr("10.9.0.0"), gw = fx_addr("10.0.0.2"), far = fx_addr("10.7.0.1");
    struct oriel_addr six = fx_addr("2001:db8::1"), group = fx_addr("224.0.0.5");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_route_add(f->s, &dst, 112, NULL, 0, 0), ORIEL_EINVAL);
    EXPECT_EQ(oriel_route_add(f->s, &dst, 16, &gw, 0, 0), ORIEL_EINVAL);
    EXPECT_EQ(oriel_route_add(f->s, &dst, 112, &six, 0, 0), ORIEL_EINVAL);
    EXPECT_EQ(oriel_route_add(f->s, &dst, 112, &group, 0, 0), ORIEL_EINVAL);
    EXPECT_EQ(oriel_route_add(f->s, &dst, 112, &far, 0, 0), ORIEL_ENETUNREACH);
    EXPECT_EQ(oriel_route_add(f->s, &dst, 112, NULL, 9, 0), ORIEL_ENOENT);
    EXPECT_EQ(oriel_route_add(f->s, &dst, 112, &gw, 0, 5), 0);
    EXPECT_EQ(oriel_route_add(f->s, &dst, 112, &gw, 0, 5), ORIEL_EEXIST);
    EXPECT_EQ(oriel_route_remove(f->s, &dst, 112, &gw, 0), 0);
    EXPECT_EQ(oriel_route_remove(f->s, &dst, 112, &gw, 0), ORIEL_ENOENT);
    fx_free(f);
}

TEST("neighbours that cannot be are refused; static ones stay and can be taken away")
{
    struct fx *f = fx_new();
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 2}, group_mac[6] = {1, 0, 0, 0, 0, 2};
    struct oriel_addr n = fx_addr("10.0.0.2"), group = fx_addr("224.0.0.1");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &group, mac), ORIEL_EINVAL);
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &n, group_mac), ORIEL_EINVAL);
    EXPECT_EQ(oriel_neigh_add(f->s, 9, &n, mac), ORIEL_EINVAL);
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &n, mac), 0);
    fx_run(f, 7200 * NS_PER_S);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "static");
    EXPECT_EQ(oriel_neigh_remove(f->s, f->nif, &n), 0);
    EXPECT_EQ(oriel_neigh_remove(f->s, f->nif, &n), ORIEL_ENOENT);
    fx_free(f);
}

TEST("how long a neighbour is believed can be configured for an interface")
{
    struct fx *f = fx_new(.netif = {.neigh_ms = 2000});
    COVERS("1122-2.3.2.1c");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT(fx_send(f, "10.0.0.2", "x") == 1);
    fx_in(f, "arp op=reply sha=02:00:00:00:00:02 spa=10.0.0.2 tha=02:00:00:00:00:01 tpa=10.0.0.1");
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "reachable");
    fx_run(f, 999 * NS_PER_MS);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "reachable");
    fx_run(f, 2002 * NS_PER_MS);                /* half to one and a half of what was asked for */
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "stale");
    fx_free(f);
}

TEST("packets at the surface: made from bytes, read back, with the reason in words")
{
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW});
    struct pkt *p;
    uint8_t buf[100];
    EXPECT(oriel_pkt_new(f->s, 9, "x", 1) == NULL);
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &f->udp), 0);
    EXPECT_EQ(oriel_send(f->s, f->udp, "hi", 2, &to), 2);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, &p, 1), 1);
    EXPECT_EQ(oriel_pkt_len(p), 30);
    EXPECT_EQ(oriel_pkt_copy(p, buf, 10), 10);
    EXPECT_EQ(oriel_pkt_copy(p, buf, sizeof(buf)), 30);
    EXPECT_MEM(buf + 28, "hi", 2);
    EXPECT_STR(oriel_pkt_why_name(p), "UDP_DATA");
    EXPECT_STR(oriel_pkt_why(p), "the application sent a datagram");
    oriel_pkt_free(p);
    EXPECT_EQ(oriel_netif_take(f->s, 9, &p, 1), 0);
    fx_free(f);
}

TEST("addresses in text, both ways")
{
    struct oriel_addr a;
    uint8_t len;
    char buf[64];
    EXPECT_EQ(oriel_addr_parse("2001:db8::1", &a), 0);
    EXPECT_EQ(oriel_addr_print(&a, buf, sizeof(buf)), 11);
    EXPECT_STR(buf, "2001:db8::1");
    EXPECT_EQ(oriel_addr_print(&a, buf, 5), 11);
    EXPECT_STR(buf, "2001");
    EXPECT_EQ(oriel_addr_parse("10.0.0", &a), ORIEL_EINVAL);
    EXPECT_EQ(oriel_prefix_parse("10.0.0.1/8", &a, &len), 0);
    EXPECT_EQ(len, 104);
    EXPECT_EQ(oriel_prefix_parse("10.0.0.1/33", &a, &len), ORIEL_EINVAL);
}

TEST("a RARP server's table has bounds")
{
    struct fx *f = fx_new();
    struct oriel_addr a = fx_addr("10.0.0.7"), group = fx_addr("224.0.0.1");
    uint8_t mac[6] = {2, 0, 0, 0, 0, 0};
    int err = 0;
    EXPECT_EQ(oriel_rarp_serve(f->s, mac, &group), ORIEL_EINVAL);
    for (unsigned i = 0; i < 20 && !err; i++) {
        mac[5] = (uint8_t)i;
        err = oriel_rarp_serve(f->s, mac, &a);
    }
    EXPECT_EQ(err, ORIEL_ENOBUFS);
    fx_free(f);
}
