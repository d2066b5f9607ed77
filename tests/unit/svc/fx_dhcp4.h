/*
 * A client on a, which has no address, and a server on b, 10.0.0.2/24, that gives out 10.0.0.100 to
 * 10.0.0.109 for ten minutes, and itself as router and name server.
 */
#ifndef ORIEL_TESTS_FX_DHCP4_H
#define ORIEL_TESTS_FX_DHCP4_H

#include "svc/fx_svc.h"

#include "svc/dhcp4_client.h"
#include "svc/dhcp4_server.h"

#define FX_LEASE 600
#define FX_TABLE 8

struct fx_dhcp {
    struct fx_svc *net;
    struct dhcp4_client c;
    struct dhcp4_client_config client;
    struct dhcp4_server v;
    struct dhcp4_server_config server;
    struct dhcp4_binding table[FX_TABLE];
    bool client_on, server_on;
};

static inline oriel_time fx_dhcp_step(void *ctx, oriel_time now)
{
    struct fx_dhcp *f = ctx;
    if (f->server_on)
        dhcp4_server_step(&f->v, now);
    return f->client_on ? dhcp4_client_step(&f->c, now) : ORIEL_NEVER;
}


static inline struct fx_dhcp *fx_dhcp_new(bool probe)
{
    struct fx_dhcp *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    const struct oriel_netif_config na = {.name = "eth0", .probe4 = probe}, nb = {.name = "eth0"};
    f->net = fx_svc_bare(&na, &nb, false);
    fx_svc_addr(f->net->b, f->net->pb->netif, "10.0.0.2/24");
    f->server = (struct dhcp4_server_config){
        .stack = f->net->b->stack, .netif = f->net->pb->netif, .addr = fx_svc_ip("10.0.0.2"),
        .prefix_len = 120, .first = fx_svc_ip("10.0.0.100"), .last = fx_svc_ip("10.0.0.109"),
        .table = f->table, .table_n = FX_TABLE, .seed = {1}, .router = fx_svc_ip("10.0.0.2"),
        .dns = {fx_svc_ip("10.0.0.2")}, .dns_n = 1, .domain = span_str("lan"),
        .lease_s = FX_LEASE};
    f->client = (struct dhcp4_client_config){.stack = f->net->a->stack, .seed = {2},
                                             .netif = f->net->pa->netif,
                                             .mac = f->net->pa->mac};
    f->net->step = fx_dhcp_step;
    f->net->ctx = f;
    return f;
}

static inline void fx_dhcp_serve(struct fx_dhcp *f)
{
    assert_int_equal(dhcp4_server_start(&f->v, &f->server), 0);
    f->server_on = true;
}

static inline void fx_dhcp_silence(struct fx_dhcp *f)
{
    dhcp4_server_stop(&f->v);
    f->server_on = false;
}

static inline void fx_dhcp_ask(struct fx_dhcp *f)
{
    assert_int_equal(dhcp4_client_start(&f->c, fx_svc_now(f->net), &f->client), 0);
    f->client_on = true;
}

/* A client that has its lease; what was said on the way is forgotten. */
static inline struct fx_dhcp *fx_dhcp_bound(void)
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    fx_dhcp_serve(f);
    fx_dhcp_ask(f);
    fx_svc_run(f->net, NS_PER_S);
    assert_int_equal(f->c.state, DHCP4_BOUND);
    fx_svc_forget(f->net);
    return f;
}

static inline void fx_dhcp_free(struct fx_dhcp *f)
{
    if (f->client_on)
        dhcp4_client_stop(&f->c);
    dhcp4_server_stop(&f->v);
    fx_svc_free(f->net);
    free(f);
}

static inline unsigned fx_dhcp_count(struct fx_dhcp *f, const char *filter)
{
    return fx_svc_count(f->net, filter, NULL);
}

/* The address of that text is on a's interface. */
static inline bool fx_dhcp_has(const struct fx_dhcp *f, const char *text)
{
    struct oriel_addr want = fx_svc_ip(text);
    struct oriel_addr_info a;
    for (uint32_t at = 0; oriel_addr_each(f->net->a->stack, &at, &a);)
        if (addr_same_bits(&a.addr, &want))
            return true;
    return false;
}

/* a has a route to that prefix over that gateway (NULL: on the link). */
static inline bool fx_dhcp_routes(const struct fx_dhcp *f, const char *prefix, const char *gateway)
{
    struct prefix p;
    struct oriel_addr via = gateway ? fx_svc_ip(gateway) : ADDR_NONE;
    struct oriel_route_info r;
    assert_true(prefix_parse(span_str(prefix), &p));
    for (uint32_t at = 0; oriel_route_each(f->net->a->stack, &at, &r);)
        if (addr_same_bits(&r.prefix, &p.addr) && r.prefix_len == p.len &&
            addr_same_bits(&r.gateway, &via))
            return true;
    return false;
}

static inline uint32_t fx_dhcp_mtu(const struct fx_dhcp *f)
{
    struct oriel_netif_info n;
    for (uint32_t at = 0; oriel_netif_each(f->net->a->stack, &at, &n);)
        if (n.netif == f->net->pa->netif)
            return n.mtu;
    return 0;
}

/* A message from b's port 67 (or another) to everybody. */
static inline void fx_dhcp_say(struct fx_dhcp *f, const struct dhcp4_msg *m, uint16_t port)
{
    uint8_t buf[1500];
    struct wr w = wr_of(buf, sizeof(buf));
    struct oriel_stack *s = f->net->b->stack;
    struct oriel_msg how = {.peer = {.addr = ADDR_V4_BCAST, .port = 68},
                            .netif = f->net->pb->netif};
    oriel_handle h;
    const struct oriel_endpoint at = {.addr = ADDR_NONE, .port = port};
    dhcp4_emit(&w, m);
    assert_false(w.bad);
    assert_int_equal(oriel_udp_open(s, ORIEL_IP4, &h), 0);
    assert_int_equal(oriel_setopt(s, h, ORIEL_OPT_BROADCAST, 1), 0);
    assert_int_equal(oriel_bind(s, h, &at), 0);
    assert_true(oriel_send(s, h, buf, wr_len(&w), &how) > 0);
    assert_int_equal(oriel_close(s, h), 0);
    fx_svc_run(f->net, 10 * NS_PER_MS);
}

#endif
