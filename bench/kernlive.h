/*
 * Oriel behind a link, for the kernel to talk to: a live world with one host, and an application that
 * answers on the ports of kern.h. It reads and writes as programs do, through buffers of its own.
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

/*
 * As many as were asked for, without a copy: there are bytes in the send buffer's own memory, as a program has
 * that makes them there. (The bound sends what lies in one place, too.)
 */
static inline void live_produce(struct live_server *s, oriel_handle h, struct live_end *e)
{
    while (e->todo > 0) {
        struct oriel_room room = oriel_send_window(s->n->stack, h);
        size_t n = e->todo < room.n ? (size_t)e->todo : room.n;
        if (n == 0 || oriel_send_commit(s->n->stack, h, n) != 0)
            return;
        e->todo -= n;
    }
    if (e->counted)
        live_end_close(s, h);
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
    while (e->port && (n = oriel_recv(s->n->stack, h, s->buf, LIVE_BUF, NULL)) > 0) {
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
    s->v = live_open(&(struct live_config){.seed = 1, .quiet = true, .memory = (size_t)4 << 30}, error);
    oriel_config_init(&c);
    c.connections = LIVE_CONNS;
    c.tcp = (struct oriel_tcp_config){.rcvbuf_max = LIVE_WINDOW, .sndbuf_max = 4u << 20};
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

/* For kern_start: ctx is the link's description. */
static inline void live_serve(void *ctx)
{
    static struct live_server s;
    struct drv_spec spec;
    char error[DRV_ERROR_MAX];
    struct drv *d = drv_spec_parse(&spec, ctx, error) ? drv_open(&spec, error) : NULL;
    if (!d) {
        fprintf(stderr, "%s\n", error);
        return;
    }
    live_start(&s, d, &spec);
    kern_ready(d->name);
    for (;;)
        (void)live_turn(s.v, ORIEL_NEVER);
}

#endif
