/*
 * Oriel behind a link, for the kernel to talk to: a live world with one host, and an application that
 * answers on the ports of kern.h. Bulk it reads and writes without a copy, in the stack's own memory, as the
 * bounds do, which look at no payload either; or through a buffer of its own (live_copies).
 */
#ifndef ORIEL_BENCH_KERNLIVE_H
#define ORIEL_BENCH_KERNLIVE_H

#include "bench/kern.h"

#include "base/clock.h"
#include "host/live.h"

#define LIVE_CONNS  200000
#define LIVE_WINDOW (4u << 20)
#define LIVE_BUF    (64u << 10)

struct live_end {                       /* a socket, by its slot */
    uint16_t port;
    bool counted;
    uint64_t todo;                      /* KERN_RECV */
};

static bool live_copies;                /* of servers that are started afterwards */
static oriel_time live_spins;

struct live_server {
    struct live *v;
    struct node *n;
    oriel_handle listener[4];
    struct live_end *ends;
    uint8_t *buf;
};

static inline struct live_end *live_end_of(struct live_server *s, oriel_handle h)
{
    return &s->ends[(uint32_t)h];
}

static inline void live_end_close(struct live_server *s, oriel_handle h)
{
    live_end_of(s, h)->port = 0;
    (void)!oriel_close(s->n->stack, h);
}

static inline size_t live_write(struct live_server *s, oriel_handle h, uint64_t most)
{
    if (live_copies) {
        int n = oriel_send(s->n->stack, h, s->buf, most < LIVE_BUF ? (size_t)most : LIVE_BUF, NULL);
        return n > 0 ? (size_t)n : 0;
    }
    struct oriel_room room = oriel_send_window(s->n->stack, h);
    size_t n = most < room.n ? (size_t)most : room.n;
    return n > 0 && oriel_send_commit(s->n->stack, h, n) == 0 ? n : 0;
}

/* As many as were asked for. */
static inline void live_produce(struct live_server *s, oriel_handle h, struct live_end *e)
{
    while (e->todo > 0) {
        size_t n = live_write(s, h, e->todo);
        if (n == 0)
            return;
        e->todo -= n;
    }
    if (e->counted)
        live_end_close(s, h);
}

/* What oriel_recv would say, the bytes looked at where they are. */
static inline int live_swallow(struct live_server *s, oriel_handle h)
{
    struct oriel_bytes v[16];
    size_t n = 0;
    int got = oriel_recv_view(s->n->stack, h, v, 16);
    for (int i = 0; i < got; i++)
        n += v[i].n;
    if (got <= 0)
        return got;
    return oriel_recv_release(s->n->stack, h, n) == 0 ? 1 : ORIEL_EAGAIN;
}

static inline int live_read(struct live_server *s, oriel_handle h, const struct live_end *e)
{
    return e->port == KERN_SEND && !live_copies ? live_swallow(s, h)
                                                : oriel_recv(s->n->stack, h, s->buf, LIVE_BUF, NULL);
}

static inline void live_data(struct live_server *s, oriel_handle h, struct live_end *e, int n)
{
    if (e->port == KERN_RECV && !e->counted && n >= 8) {
        e->counted = true;
        memcpy(&e->todo, s->buf, 8);
    } else if (e->port >= KERN_PING) {
        (void)!oriel_send(s->n->stack, h, s->buf, (size_t)n, NULL);
        if (e->port == KERN_CONN)
            live_end_close(s, h);
    }
}

static inline void live_serve_one(struct live_server *s, oriel_handle h)
{
    struct live_end *e = live_end_of(s, h);
    int n;
    while (e->port && (n = live_read(s, h, e)) > 0) {
        live_data(s, h, e, n);
        if (e->port >= KERN_PING)
            break;                      /* there is no more: who asks waits for the answer */
    }
    if (e->port == KERN_RECV)
        live_produce(s, h, e);
    if (e->port == 0 || n > 0 || n == ORIEL_EAGAIN)
        return;
    if (e->port == KERN_SEND && n == 0)
        (void)!oriel_send(s->n->stack, h, "k", 1, NULL);
    live_end_close(s, h);
}

static inline void live_accept(struct live_server *s, unsigned i)
{
    oriel_handle h;
    while (oriel_accept(s->n->stack, s->listener[i], &h, NULL) == 0) {
        *live_end_of(s, h) = (struct live_end){.port = (uint16_t)(KERN_SEND + i)};
        live_serve_one(s, h);
    }
}

static inline void live_step(void *ctx)
{
    struct live_server *s = ctx;
    struct oriel_readiness r[64];
    unsigned n;
    while ((n = oriel_ready_take(s->n->stack, r, 64)) > 0)
        for (unsigned k = 0; k < n; k++) {
            unsigned i = 0;
            while (i < 4 && r[k].handle != s->listener[i])
                i++;
            if (i < 4)
                live_accept(s, i);
            else if (live_end_of(s, r[k].handle)->port)
                live_serve_one(s, r[k].handle);
        }
}

static inline void live_listen(struct live_server *s)
{
    const struct oriel_listen l = {.backlog = 4096};
    for (unsigned i = 0; i < 4; i++) {
        struct oriel_endpoint at = {.port = (uint16_t)(KERN_SEND + i)};
        if (oriel_tcp_open(s->n->stack, ORIEL_IP4, &s->listener[i]) != 0 ||
            oriel_bind(s->n->stack, s->listener[i], &at) != 0 ||
            oriel_listen(s->n->stack, s->listener[i], &l) != 0)
            bench_skip("no listener");
    }
}

static inline void live_start(struct live_server *s, struct drv *d, const struct drv_spec *spec)
{
    char error[DRV_ERROR_MAX];
    struct oriel_config c;
    struct oriel_netif_config nif = {.name = "eth0", .no_dad = true};
    struct wire_params wire = {.direct = true};
    s->v = live_open(&(struct live_config){.seed = 1, .quiet = true, .memory = (size_t)4 << 30,
                                           .spin = live_spins}, error);
    oriel_config_init(&c);
    c.connections = LIVE_CONNS;
    c.tcp = (struct oriel_tcp_config){.no_timestamps = true, .rcvbuf_max = LIVE_WINDOW, .sndbuf_max = 4u << 20};
    s->n = s->v ? world_add_node(live_world(s->v), NODE_HOST, span_str("me"), &c, (size_t)2 << 30) : NULL;
    if (!s->n)
        bench_skip("not enough memory");
    s->ends = calloc(LIVE_CONNS * 2, sizeof(s->ends[0]));
    s->buf = bench_memory(LIVE_BUF);
    int netif = live_door(s->v, d, s->n, &nif, &wire, error);
    if (netif <= 0 || !live_addrs(s->v, s->n, netif, spec, error))
        bench_skip(error);
    live_listen(s);
    live_app(s->v, s->n, live_step, s);
}

/* The link of that description; where it is the kernel's end of it as well, that is tuned. */
static inline void live_serve_on(const char *text, bool tune)
{
    static struct live_server s;
    struct drv_spec spec;
    char error[DRV_ERROR_MAX];
    struct drv *d = drv_spec_parse(&spec, text, error) ? drv_open(&spec, error) : NULL;
    if (!d) {
        fprintf(stderr, "%s\n", error);
        return;
    }
    live_start(&s, d, &spec);
    if (tune && !kern_tune(d->name))
        return;
    kern_ready();
    for (;;)
        (void)live_turn(s.v, ORIEL_NEVER);
}

/* For kern_start: ctx is a TAP's description. */
static inline void live_serve(void *ctx)
{
    live_serve_on(ctx, true);
}

#endif
