#include "ip/fx_host.h"

static int find(struct fx *f, const char *dst, const char *src, int nif, struct ip_path *out)
{
    struct oriel_addr d = fx_addr(dst), s = src ? fx_addr(src) : ADDR_NONE;
    return ip_path_find(&f->s->ip, &d, src ? &s : NULL, (uint16_t)nif, out);
}

static bool is(const struct oriel_addr *a, const char *text)
{
    struct oriel_addr b = fx_addr(text);
    return addr_same_bits(a, &b);
}

TEST("what the mask covers is on the link; the rest goes to a gateway")
{
    COVERS("1122-3.3.1");
    struct fx *f = fx_host();
    struct ip_path p;
    EXPECT_EQ(find(f, "10.0.0.77", NULL, 0, &p), 0);
    EXPECT(is(&p.next_hop, "10.0.0.77") && is(&p.src, "10.0.0.1") && is(&p.dst, "10.0.0.77"));
    EXPECT_EQ(p.nif->index, f->nif);
    EXPECT(p.neigh != NULL && !p.local && !p.group && !p.broadcast);
    EXPECT_EQ(p.mtu, 1500);
    EXPECT_EQ(find(f, "10.0.1.77", NULL, 0, &p), ORIEL_ENETUNREACH);
    fx_add_route(f, f->nif, "0.0.0.0/0", "10.0.0.2");
    EXPECT_EQ(find(f, "10.0.1.77", NULL, 0, &p), 0);
    EXPECT(is(&p.next_hop, "10.0.0.2") && is(&p.src, "10.0.0.1"));
    fx_add_route(f, f->nif, "10.0.1.0/24", "10.0.0.3");
    EXPECT_EQ(find(f, "10.0.1.77", NULL, 0, &p), 0);
    EXPECT(is(&p.next_hop, "10.0.0.3"));
    fx_free(f);
}

TEST("nowhere is no destination, and an interface that is not there leads nowhere")
{
    struct fx *f = fx_host();
    struct ip_path p;
    EXPECT_EQ(find(f, "0.0.0.0", NULL, 0, &p), ORIEL_EINVAL);
    EXPECT_EQ(find(f, "::", NULL, 0, &p), ORIEL_EINVAL);
    EXPECT_EQ(find(f, "10.0.0.2", NULL, 99, &p), ORIEL_ENETUNREACH);
    EXPECT_EQ(find(f, "fe80::1%99", NULL, 0, &p), ORIEL_ENETUNREACH);
    EXPECT_EQ(find(f, "127.0.0.1", NULL, 0, &p), ORIEL_ENETUNREACH);
    EXPECT_EQ(find(f, "::1", NULL, 0, &p), ORIEL_ENETUNREACH);
    fx_free(f);
}

TEST("a path over an interface uses its routes only")
{
    struct fx *f = fx_router();
    struct ip_path p;
    EXPECT_EQ(find(f, "10.0.0.2", NULL, f->nif, &p), 0);
    EXPECT_EQ(find(f, "10.0.0.2", NULL, f->nif + 1, &p), ORIEL_ENETUNREACH);
    fx_add_route(f, f->nif + 1, "0.0.0.0/0", "10.0.1.2");
    EXPECT_EQ(find(f, "10.0.0.2", NULL, f->nif + 1, &p), 0);
    EXPECT(is(&p.next_hop, "10.0.1.2") && is(&p.src, "10.0.1.1"));
    fx_free(f);
}

TEST("a source is one of our usable addresses, and stays within its scope")
{
    COVERS("1122-3.2.1.3a 1122-3.3.4.2 4291-1");
    struct fx *f = fx_router();
    int lo = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_LOOPBACK});
    struct ip_path p;
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif + 1, "fe80::2/64");
    fx_add_addr(f, f->nif, "169.254.0.1/16");
    EXPECT_EQ(find(f, "10.0.0.2", "10.0.1.1", 0, &p), 0);       /* any of ours (weak host) */
    EXPECT(is(&p.src, "10.0.1.1"));
    EXPECT_EQ(p.nif->index, f->nif);
    EXPECT_EQ(find(f, "10.0.0.2", "10.0.0.9", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "10.0.0.2", "255.255.255.255", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "10.0.0.2", "10.0.0.255", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "10.0.0.2", "224.0.0.1", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "10.0.0.2", "127.0.0.1", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "2001:db8::2", "::1", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "2001:db8::2", "fe80::1", 0, &p), 0);
    EXPECT_EQ(find(f, "2001:db8::2", "fe80::2", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "10.0.1.2", "169.254.0.1", 0, &p), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(find(f, "10.0.0.1", "127.0.0.1", 0, &p), 0);      /* among ourselves */
    EXPECT_EQ(find(f, "::1", "fe80::2", 0, &p), 0);
    EXPECT_EQ(p.nif->index, lo);
    fx_free(f);
}

TEST("to ourselves a path is local, with the destination as source and no limit of a link")
{
    struct fx *f = fx_host();
    struct ip_path p;
    EXPECT_EQ(find(f, "10.0.0.1", NULL, 0, &p), 0);
    EXPECT(p.local && is(&p.src, "10.0.0.1"));
    EXPECT_EQ(p.nif->index, f->nif);                    /* there is no loopback interface */
    EXPECT_EQ(p.mtu, 65535);
    int lo = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_LOOPBACK});
    EXPECT_EQ(find(f, "2001:db8::1", NULL, 0, &p), 0);
    EXPECT(p.local && p.nif->index == lo);
    EXPECT_EQ(find(f, "127.7.7.7", NULL, 0, &p), 0);
    EXPECT(p.local && is(&p.src, "127.7.7.7"));
    fx_free(f);
}

TEST("groups and broadcasts leave by the interface that was named, by route, or by the first link")
{
    COVERS("1122-3.3.6");
    struct fx *f = fx_router();
    struct ip_path p;
    fx_add_addr(f, f->nif + 1, "fe80::2/64");
    EXPECT_EQ(find(f, "224.0.0.251", NULL, 0, &p), 0);
    EXPECT(p.group && p.nif->index == f->nif && is(&p.src, "10.0.0.1"));
    EXPECT_EQ(find(f, "224.0.0.251", NULL, f->nif + 1, &p), 0);
    EXPECT(p.group && p.nif->index == f->nif + 1 && is(&p.src, "10.0.1.1"));
    EXPECT_EQ(find(f, fx_line("ff02::1%%%d", f->nif + 1), NULL, 0, &p), 0);
    EXPECT(p.group && p.nif->index == f->nif + 1 && is(&p.src, "fe80::2"));
    fx_add_route(f, f->nif + 1, "239.0.0.0/8", NULL);
    EXPECT_EQ(find(f, "239.1.2.3", NULL, 0, &p), 0);
    EXPECT_EQ(p.nif->index, f->nif + 1);
    EXPECT_EQ(find(f, "255.255.255.255", NULL, 0, &p), 0);
    EXPECT(p.broadcast && !p.group && p.nif->index == f->nif && p.neigh == NULL);
    EXPECT_EQ(find(f, "10.0.1.255", NULL, 0, &p), 0);
    EXPECT(p.broadcast && p.nif->index == f->nif + 1 && p.neigh == NULL);
    EXPECT_EQ(find(f, "10.0.1.0", NULL, 0, &p), 0);
    EXPECT(p.broadcast);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    EXPECT_EQ(find(f, "224.0.0.251", NULL, 0, &p), 0);          /* the first that works */
    EXPECT_EQ(p.nif->index, f->nif + 1);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif + 1, false), 0);
    EXPECT_EQ(find(f, "224.0.0.251", NULL, 0, &p), ORIEL_ENETUNREACH);
    fx_free(f);
}

TEST("link-local destinations leave by the link that their zone names")
{
    COVERS("4291-1");
    struct fx *f = fx_router();
    struct ip_path p;
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif + 1, "fe80::1/64");
    for (int nif = f->nif; nif <= f->nif + 1; nif++) {
        EXPECT_EQ(find(f, fx_line("fe80::9%%%d", nif), NULL, 0, &p), 0);
        EXPECT_EQ(p.nif->index, nif);
        EXPECT_EQ(p.src.zone, nif);
        EXPECT_EQ(find(f, fx_line("fe80::9%%%d", nif), "fe80::1", 0, &p), 0);
    }
    fx_free(f);
}

TEST("a kept path knows when it may be wrong: routes, addresses, interfaces, neighbours change it")
{
    struct fx *f = fx_router();
    struct ip *ip = &f->s->ip;
    struct ip_path p;
    EXPECT_EQ(find(f, "10.0.0.2", NULL, 0, &p), 0);
    EXPECT_EQ(p.gen, ip->gen);
    fx_add_route(f, f->nif, "10.9.0.0/16", "10.0.0.2");
    EXPECT(p.gen != ip->gen);
    EXPECT_EQ(ip_path_renew(ip, &p), 0);
    EXPECT_EQ(p.gen, ip->gen);
    EXPECT_EQ(ip_path_renew(ip, &p), 0);
    fx_add_addr(f, f->nif, "10.0.0.5/24");
    EXPECT(p.gen != ip->gen);
    EXPECT_EQ(ip_path_renew(ip, &p), 0);
    struct oriel_addr a = fx_addr("10.0.0.2");
    EXPECT_EQ(oriel_neigh_remove(f->s, f->nif, &a), 0);
    EXPECT(p.gen != ip->gen);
    EXPECT_EQ(ip_path_renew(ip, &p), 0);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif, 1400), 0);
    EXPECT(p.gen != ip->gen);
    EXPECT_EQ(ip_path_renew(ip, &p), 0);
    EXPECT_EQ(p.mtu, 1400);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    EXPECT_EQ(ip_path_renew(ip, &p), ORIEL_ENETUNREACH);
    fx_free(f);
}

TEST("the MTU of a path is the least of the link's, what routers advertise and what reports said")
{
    COVERS("1191-1 8201-1");
    struct fx *f = fx_host();
    struct ip *ip = &f->s->ip;
    struct ip_path p;
    struct oriel_addr d4 = fx_addr("10.0.0.2"), d6 = fx_addr("2001:db8::2");
    EXPECT_EQ(pmtu_lower(&ip->pmtu, &d4, 1300, 1500), 1300);
    EXPECT_EQ(pmtu_lower(&ip->pmtu, &d6, 1400, 1500), 1400);
    EXPECT_EQ(find(f, "10.0.0.2", NULL, 0, &p), 0);
    EXPECT_EQ(p.mtu, 1300);
    EXPECT_EQ(find(f, "10.0.0.3", NULL, 0, &p), 0);
    EXPECT_EQ(p.mtu, 1500);
    EXPECT_EQ(find(f, "2001:db8::2", NULL, 0, &p), 0);
    EXPECT_EQ(p.mtu, 1400);
    ip_if_of(ip, (uint16_t)f->nif)->mtu6 = 1350;
    EXPECT_EQ(find(f, "2001:db8::2", NULL, 0, &p), 0);
    EXPECT_EQ(p.mtu, 1350);
    EXPECT_EQ(find(f, "10.0.0.3", NULL, 0, &p), 0);
    EXPECT_EQ(p.mtu, 1500);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif, 1280), 0);
    EXPECT_EQ(find(f, "10.0.0.2", NULL, 0, &p), 0);
    EXPECT_EQ(p.mtu, 1280);
    fx_run(f, 601 * NS_PER_S);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif, 1500), 0);
    EXPECT_EQ(find(f, "10.0.0.2", NULL, 0, &p), 0);
    EXPECT_EQ(p.mtu, 1500);
    fx_free(f);
}

TEST("on a link without neighbours a path needs none")
{
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW, .no_dad = true});
    struct ip_path p;
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_route(f, f->nif, "0.0.0.0/0", "10.0.0.2");
    EXPECT_EQ(find(f, "10.0.0.2", NULL, 0, &p), 0);
    EXPECT(p.neigh == NULL);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    EXPECT_OUT(f, "ip.dst == 192.0.2.1");
    EXPECT_QUIET(f);
    fx_free(f);
}
