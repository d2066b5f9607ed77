/* Advertisements of b, a router, to a, which listens. */
#include "svc/fx_svc.h"

#include "svc/ra.h"

#define RA "icmpv6.type == 134"

struct fx {
    struct fx_svc *net;
    struct ra_sender r;
    struct ra_config cfg;
};

static oriel_time step(void *ctx, oriel_time now)
{
    struct fx *f = ctx;
    return ra_step(&f->r, now);
}

static struct fx *fx_new(void)
{
    const struct oriel_netif_config host = {.name = "eth0", .ip6 = true, .accept_ra = true,
                                            .no_dad = true};
    const struct oriel_netif_config router = {.name = "eth0", .ip6 = true, .no_dad = true};
    struct fx *f = calloc(1, sizeof(*f));
    struct prefix p;
    assert_non_null(f);
    f->net = fx_svc_bare(&host, &router, true);
    assert_true(prefix_parse(span_str("fd00:7::/64"), &p));
    f->cfg = (struct ra_config){.stack = f->net->b->stack, .netif = f->net->pb->netif, .seed = 5,
                                .prefixes_n = 1, .prefixes = {ra_prefix(&p)}, .mtu = 1400,
                                .dns_n = 2,
                                .dns = {fx_svc_ip("fd00:7::53"), fx_svc_ip("fe80::53")}};
    f->net->ctx = f;
    return f;
}

static void begin(struct fx *f)
{
    EXPECT_EQ(ra_start(&f->r, fx_svc_now(f->net), &f->cfg), 0);
    f->net->step = step;
}

static void fx_free(struct fx *f)
{
    ra_stop(&f->r);
    fx_svc_free(f->net);
    free(f);
}

static unsigned dns_of(struct fx *f, struct oriel_dns_info out[4])
{
    unsigned n = 0;
    uint32_t at = 0;
    while (n < 4 && oriel_dns_each(f->net->a->stack, &at, &out[n]))
        n++;
    return n;
}

static bool host_routes(struct fx *f)
{
    struct oriel_route_info r;
    for (uint32_t at = 0; oriel_route_each(f->net->a->stack, &at, &r);)
        if (r.prefix_len == 0 && strcmp(r.origin, "ra") == 0)
            return true;
    return false;
}

TEST("a host gets an address, a default route, an MTU and name servers from what a router says")
{
    struct fx *f = fx_new();
    struct oriel_dns_info dns[4];
    struct oriel_addr_info a;
    bool formed = false;
    COVERS("8106-1");
    begin(f);
    fx_svc_run(f->net, 2 * NS_PER_S);
    for (uint32_t at = 0; oriel_addr_each(f->net->a->stack, &at, &a);)
        formed = formed || a.addr.hi == 0xfd00000700000000;
    EXPECT(formed && host_routes(f));
    EXPECT_EQ(dns_of(f, dns), 2);
    EXPECT(dns[0].addr.lo == 0x53 && dns[0].netif == f->net->pa->netif);
    EXPECT(dns[1].addr.zone == (uint32_t)f->net->pa->netif);    /* link-local: of that link */
    EXPECT(fx_svc_count(f->net, RA " && ipv6.dst == ff02::1 && ipv6.hlim == 255 && "
                        "icmpv6.opt.mtu == 1400 && icmpv6.opt.rdnss.lifetime == 1800 && "
                        "icmpv6.nd.ra.router_lifetime == 1800 && icmpv6.opt.linkaddr == "
                        "02:00:00:00:02:01", NULL) >= 1);
    fx_free(f);
}

TEST("unasked it speaks at random, early at first, then after a third of the interval or more")
{
    struct fx *f = fx_new();
    oriel_time last = 0;
    unsigned n = 0, distinct = 0;
    COVERS("4861-16");
    f->cfg.interval_max = 120 * NS_PER_S;
    begin(f);
    EXPECT_EQ(oriel_netif_set_up(f->net->a->stack, f->net->pa->netif, false), 0);
    fx_svc_forget(f->net);
    fx_svc_run(f->net, 2000 * NS_PER_S);
    for (unsigned i = 0; i < f->net->seen_n; i++) {
        struct fx_seen *s = &f->net->seen[i];
        oriel_time gap = s->time - last;
        if (s->n < 100)
            continue;                   /* a membership report */
        if (n == 1 || n == 2)
            EXPECT(gap >= 3 * NS_PER_S && gap <= 16 * NS_PER_S);
        else if (n > 2)
            EXPECT(gap >= 40 * NS_PER_S && gap <= 120 * NS_PER_S);
        distinct += n > 2 && gap % NS_PER_S != 0;
        last = s->time;
        n++;
    }
    EXPECT(n >= 16 && n <= 50 && distinct >= n - 4);
    EXPECT_EQ(fx_svc_count(f->net, RA, NULL), n);
    fx_free(f);
}

/* a asks, as if it had just been plugged in. */
static void solicit(struct fx *f)
{
    uint8_t frame[128];
    struct wr w = wr_of(frame, sizeof(frame));
    struct syntax_error err;
    assert_true(craft(span_str("eth dst=33:33:00:00:00:02 src=02:00:00:00:01:01 / ip6 src=fe80::99 "
                               "dst=ff02::2 hlim=255 / icmp6 rs slla=02:00:00:00:01:01"), &w,
                      &err));
    EXPECT(world_send(&f->net->w, f->net->pa, wr_span(&w)));
}

TEST("who asks is answered within half a second, but not more often than every three")
{
    struct fx *f = fx_new();
    oriel_time at = 0;
    COVERS("4861-16");
    f->cfg.interval_max = 1800 * NS_PER_S;
    begin(f);
    fx_svc_run(f->net, 100 * NS_PER_S);
    fx_svc_forget(f->net);
    oriel_time asked = fx_svc_now(f->net);
    solicit(f);
    fx_svc_run(f->net, NS_PER_S);
    EXPECT_EQ(fx_svc_count(f->net, RA, &at), 1);
    EXPECT(at > asked && at <= asked + 502 * NS_PER_MS);
    fx_svc_forget(f->net);
    for (unsigned i = 0; i < 20; i++) {
        solicit(f);
        fx_svc_run(f->net, 100 * NS_PER_MS);
    }
    EXPECT_EQ(fx_svc_count(f->net, RA, NULL), 0);
    fx_svc_run(f->net, NS_PER_S);
    EXPECT_EQ(fx_svc_count(f->net, RA, &at), 1);        /* all of them have one answer */
    EXPECT(at >= asked + 3 * NS_PER_S && at <= asked + 4500 * NS_PER_MS);
    EXPECT(f->r.asked >= 21);
    fx_free(f);
}

TEST("a router that stops says so: hosts have neither a route nor name servers from it any more")
{
    struct fx *f = fx_new();
    struct oriel_dns_info dns[4];
    COVERS("4861-17 8106-1");
    begin(f);
    fx_svc_run(f->net, 2 * NS_PER_S);
    EXPECT(host_routes(f) && dns_of(f, dns) == 2);
    fx_svc_forget(f->net);
    ra_stop(&f->r);
    fx_svc_run(f->net, 10 * NS_PER_S);
    EXPECT_EQ(fx_svc_count(f->net, RA " && icmpv6.nd.ra.router_lifetime == 0 && "
                           "icmpv6.opt.rdnss.lifetime == 0", NULL), 1);
    EXPECT(!host_routes(f) && dns_of(f, dns) == 0);
    EXPECT_EQ(ra_step(&f->r, fx_svc_now(f->net)), ORIEL_NEVER);
    ra_stop(&f->r);                             /* once is enough */
    fx_free(f);
}

TEST("name servers alone: no route leads over who is not a default router")
{
    struct fx *f = fx_new();
    struct oriel_dns_info dns[4];
    f->cfg.no_default = true;
    begin(f);
    fx_svc_run(f->net, 2 * NS_PER_S);
    EXPECT(!host_routes(f) && dns_of(f, dns) == 2);
    fx_free(f);
}

TEST("without a usable link-local address nothing is said until there is one")
{
    struct fx *f = fx_new();
    struct oriel_addr_info a;
    struct oriel_addr ll = ADDR_NONE;
    for (uint32_t at = 0; oriel_addr_each(f->net->b->stack, &at, &a);)
        if (a.netif == f->net->pb->netif)
            ll = a.addr;
    EXPECT_EQ(oriel_addr_remove(f->net->b->stack, f->net->pb->netif, &ll), 0);
    begin(f);
    fx_svc_run(f->net, 5 * NS_PER_S);
    EXPECT_EQ(fx_svc_count(f->net, RA, NULL), 0);
    EXPECT_EQ(oriel_addr_add(f->net->b->stack, f->net->pb->netif, &ll, 64), 0);
    fx_svc_run(f->net, 2 * NS_PER_S);
    EXPECT(fx_svc_count(f->net, RA, NULL) >= 1);
    fx_free(f);
}
