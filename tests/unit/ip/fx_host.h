/*
 * A host and a router with addresses and neighbours, on top of fx_stack.h.
 *
 *     struct fx *f = fx_host();        10.0.0.1/24 and 2001:db8::1/64; .2 of both is known
 *     struct fx *r = fx_router(...);   that, and 10.0.1.1/24 and 2001:db8:1::1/64 on r->nif + 1
 *     oriel_handle h = fx_listen(f, 53);
 *     EXPECT_EQ(fx_recv(f, h), 5);     bytes of the next datagram, or an error
 */
#ifndef ORIEL_TESTS_IP_FX_HOST_H
#define ORIEL_TESTS_IP_FX_HOST_H

#include "fx_stack.h"

#define FX_MAC(last) {0x02, 0, 0, 0, 0, (last)}

/* The station 02:00:00:00:00:`last` has that address, and nobody needs to ask. */
static inline void fx_know(struct fx *f, int nif, const char *addr, uint8_t last)
{
    struct oriel_addr a = fx_addr(addr);
    const uint8_t mac[6] = FX_MAC(last);
    assert_int_equal(oriel_neigh_add(f->s, nif, &a, mac), 0);
}

static inline struct fx *fx_host_of(const struct oriel_config *cfg)
{
    struct fx *f = fx_new(.stack = *cfg, .netif = {.no_dad = true});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_know(f, f->nif, "10.0.0.2", 2);
    fx_know(f, f->nif, "2001:db8::2", 2);
    (void)fx_skip(f);
    return f;
}

#define fx_host_with(...) fx_host_of(&(struct oriel_config){__VA_ARGS__})

static inline struct fx *fx_host(void)
{
    return fx_host_with(.node = 0);
}

/* Two links; it forwards where the configuration says so. */
static inline struct fx *fx_router_of(const struct oriel_config *cfg)
{
    struct fx *f = fx_host_of(cfg);
    int other = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    assert_int_equal(other, f->nif + 1);
    fx_add_addr(f, other, "10.0.1.1/24");
    fx_add_addr(f, other, "2001:db8:1::1/64");
    fx_know(f, other, "10.0.1.2", 0x22);
    fx_know(f, other, "2001:db8:1::2", 0x22);
    (void)fx_skip(f);
    return f;
}

#define fx_router_with(...) fx_router_of(&(struct oriel_config){__VA_ARGS__})

static inline struct fx *fx_router(void)
{
    return fx_router_with(.forward4 = true, .forward6 = true);
}

static inline oriel_handle fx_listen(struct fx *f, uint16_t port)
{
    oriel_handle h;
    assert_int_equal(oriel_udp_open(f->s, ORIEL_DUAL, &h), 0);
    assert_int_equal(oriel_bind(f->s, h, &(struct oriel_endpoint){.port = port}), 0);
    return h;
}

/* A socket whose peer is that one, with a known port of its own. */
static inline oriel_handle fx_connected(struct fx *f, uint16_t port, const char *to,
                                        uint16_t to_port)
{
    oriel_handle h = fx_listen(f, port);
    struct oriel_endpoint remote = {.addr = fx_addr(to), .port = to_port};
    assert_int_equal(oriel_connect(f->s, h, &remote), 0);
    return h;
}

static inline int fx_recv_msg(struct fx *f, oriel_handle h, struct oriel_msg *msg)
{
    static uint8_t buf[65536];
    return oriel_recv(f->s, h, buf, sizeof(buf), msg);
}

static inline int fx_recv(struct fx *f, oriel_handle h)
{
    return fx_recv_msg(f, h, NULL);
}

/* n bytes of no meaning to the connected peer. */
static inline int fx_send_n(struct fx *f, oriel_handle h, size_t n)
{
    static uint8_t buf[65536];
    int sent = oriel_send(f->s, h, buf, n, NULL);
    fx_collect(f);
    return sent;
}

/* Where the network header of the frame in hand begins. */
static inline const uint8_t *fx_l3(const struct fx *f)
{
    const struct netif *n = netif_at(&f->s->link, (uint32_t)f->out_nif);
    return f->frame + (n->kind == NETIF_RAW ? 0 : ETH_HDR_LEN);
}

#endif
