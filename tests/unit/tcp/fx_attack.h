/*
 * Two connections of one stack to another, and an attacker on the same network who sees everything
 * and can say that he is anybody.
 *
 *     struct fx_attack *f = fx_attack(.no_sack = true);       fields of oriel_tcp_config, of both
 *     fx_forge(f, 0, .seq = n, .flags = TCP_RST);             to b, as if from a's first connection
 *     fx_still_good(f);                                       both connections carry bytes both ways
 *     fx_attack_free(f);                                      and nothing is left behind
 *
 * a is 10.0.0.1, b is 10.0.0.2 and listens on port 80, the attacker's frames come from 02::99.
 */
#ifndef ORIEL_TESTS_TCP_FX_ATTACK_H
#define ORIEL_TESTS_TCP_FX_ATTACK_H

#include "test.h"

#include "lab/world.h"
#include "stack/stack.h"
#include "wire/eth.h"
#include "wire/icmp4.h"
#include "wire/ip4.h"

#define FX_CONNS  2
#define FX_BYTES  60000u        /* that each end writes each time it is asked whether all is well */
#define FX_WORLD  ((size_t)48 << 20)
#define FX_A      0x0a000001u
#define FX_B      0x0a000002u
#define FX_PORT   80

struct fx_end {
    struct node *node;
    oriel_handle h;
    uint64_t written, read, goal;       /* bytes since it opened; goal: of both */
    bool deaf;                  /* does not read on its own */
    int error;
};

struct fx_attack {
    uint8_t *memory;
    struct world w;
    struct node *a, *b;
    struct port *x;             /* the attacker's */
    oriel_handle listener;
    struct fx_end end[FX_CONNS][2];     /* of a, of b */
    /* what was seen to leave a and b since fx_watch */
    uint64_t out_frames, out_bytes, out_rst;
    struct tcp_hdr last;        /* of the last TCP segment that b sent; without options */
    struct tcp_hdr syn_ack;     /* and of the last SYN-ACK */
    uint32_t last_len;
    enum why last_why;
    uint16_t last_ip_id;
    uint64_t dirty_padding;     /* frames whose padding was not zero */
    uint8_t frame[2048];
};

/* ---- bytes ---- */

static inline uint8_t fx_stream_byte(const struct fx_attack *f, const struct fx_end *e, uint64_t at)
{
    uint64_t which = (uint64_t)(e - &f->end[0][0]);
    return (uint8_t)(hash_word(which + 1, at / 8) >> (at % 8 * 8));
}

static inline struct fx_end *fx_other(struct fx_attack *f, struct fx_end *e)
{
    size_t i = (size_t)(e - &f->end[0][0]);
    return &f->end[i / 2][1 - i % 2];
}

static inline void fx_end_read(struct fx_attack *f, struct fx_end *e)
{
    uint8_t data[4096];
    int n;
    while (e->h && !e->deaf &&
           (n = oriel_recv(e->node->stack, e->h, data, sizeof(data), NULL)) != ORIEL_EAGAIN) {
        if (n <= 0) {
            e->error = n < 0 ? n : ORIEL_ENOTCONN;
            return;
        }
        for (int i = 0; i < n; i++, e->read++)
            EXPECT_EQ(data[i], fx_stream_byte(f, fx_other(f, e), e->read));
    }
}

static inline void fx_end_write(struct fx_attack *f, struct fx_end *e)
{
    uint8_t data[4096];
    while (e->h && e->written < e->goal) {
        size_t n = e->goal - e->written < sizeof(data) ? (size_t)(e->goal - e->written)
                                                       : sizeof(data);
        for (size_t i = 0; i < n; i++)
            data[i] = fx_stream_byte(f, e, e->written + i);
        int got = oriel_send(e->node->stack, e->h, data, n, NULL);
        if (got < 0)
            return;
        e->written += (uint64_t)got;
    }
}

/* ---- the world ---- */

static inline void fx_on_frame(void *ctx, const struct world_frame *s)
{
    struct fx_attack *f = ctx;
    struct rd r = rd_of(s->bytes);
    struct eth_hdr e;
    struct ip4_hdr h;
    struct tcp_hdr t;
    if (!s->out || !s->port->node->stack || !eth_parse(&r, &e) || e.type != ETH_IP4)
        return;
    f->out_frames++;
    f->out_bytes += s->bytes.n;
    if (!ip4_parse(&r, &h) || h.proto != IP_TCP)
        return;
    for (size_t i = ETH_HDR_LEN + h.total_len; i < s->bytes.n; i++)
        f->dirty_padding += s->bytes.p[i] != 0;
    r = rd_sub(&r, (size_t)h.total_len - h.hdr_len);
    if (!tcp_parse(&r, &t))
        return;
    f->out_rst += (t.flags & TCP_RST) != 0;
    if (s->port->node != f->b)
        return;
    f->last = t;
    f->last.opts = span_of(NULL, 0);
    if (t.flags & TCP_SYN)
        f->syn_ack = f->last;
    f->last_len = (uint32_t)rd_left(&r);
    f->last_ip_id = h.id;
    f->last_why = s->why;
}

static inline void fx_on_step(void *ctx, struct node *n)
{
    struct fx_attack *f = ctx;
    struct oriel_readiness ready[8];
    while (oriel_ready_take(n->stack, ready, 8) > 0)
        ;
    for (unsigned i = 0; i < FX_CONNS; i++)
        for (unsigned k = 0; k < 2; k++) {
            struct fx_end *e = &f->end[i][k];
            if (e->node != n)
                continue;
            fx_end_read(f, e);
            fx_end_write(f, e);
        }
    const struct tcp *t = &n->stack->tcp;
    for (uint32_t i = 0; i < t->conns.fresh && i < 64; i++)
        if (pool_is_live(&t->conns, i) && tcp_check(t, tcp_conn_at(t, i)))
            fail_msg("%s", tcp_check(t, tcp_conn_at(t, i)));
}

static inline void fx_pass(struct fx_attack *f, oriel_time ns)
{
    oriel_time until = f->w.env.now + ns;
    world_run(&f->w, until);
}

static inline struct port *fx_station(struct fx_attack *f, struct node *sw, struct node **n,
                                      const char *name, uint32_t addr,
                                      const struct oriel_tcp_config *cfg)
{
    struct oriel_config c;
    char sw_port[8];
    int err;
    struct oriel_netif_config nc = {.name = "eth0"};
    struct wire_params p = {.delay_ns = NS_PER_MS, .rate_bps = 1000000000};
    oriel_config_init(&c);
    c.tcp = *cfg;
    c.icmp_per_s = 1000;
    *n = world_add_node(&f->w, addr ? NODE_HOST : NODE_PEER, span_str(name), &c, 8u << 20);
    EXPECT(*n != NULL);
    struct port *port = world_add_port(&f->w, *n, &nc, &err);
    snprintf(sw_port, sizeof(sw_port), "p%u", (unsigned)sw->ports_n);
    struct port *at = world_add_port(&f->w, sw, &(struct oriel_netif_config){.name = sw_port}, &err);
    EXPECT(port && at && world_join(&f->w, port, at, &p));
    const struct oriel_addr own = addr_v4(addr);
    if (addr)
        EXPECT_EQ(oriel_addr_add((*n)->stack, port->netif, &own, 120), 0);
    return port;
}

static inline void fx_open(struct fx_attack *f, unsigned i)
{
    const struct oriel_endpoint to = {.addr = addr_v4(FX_B), .port = FX_PORT};
    f->end[i][0].node = f->a;
    f->end[i][1].node = f->b;
    EXPECT_EQ(oriel_tcp_open(f->a->stack, ORIEL_IP4, &f->end[i][0].h), 0);
    EXPECT_EQ(oriel_connect(f->a->stack, f->end[i][0].h, &to), 0);
    world_poke(&f->w, f->a);
    fx_pass(f, 100 * NS_PER_MS);
    EXPECT_EQ(oriel_accept(f->b->stack, f->listener, &f->end[i][1].h, NULL), 0);
}

static inline void fx_still_good(struct fx_attack *f);

/* iss: where initial sequence numbers of both begin; 0: anywhere. */
static inline struct fx_attack *fx_attack_make(const struct oriel_tcp_config *cfg, uint32_t iss)
{
    struct fx_attack *f = calloc(1, sizeof(*f));
    struct node *x;
    const struct world_config wc = {.seed = 7, .trace_events = 1024};
    const struct oriel_endpoint at = {.port = FX_PORT};
    assert_non_null(f);
    f->memory = malloc(FX_WORLD);
    assert_non_null(f->memory);
    memset(f->memory, 0xa5, FX_WORLD);
    EXPECT(world_init(&f->w, f->memory, FX_WORLD, &wc));
    f->w.on_frame = fx_on_frame;
    f->w.on_step = fx_on_step;
    f->w.on_frame_ctx = f->w.on_step_ctx = f;
    struct node *sw = world_add_node(&f->w, NODE_SWITCH, span_str("sw"), NULL, 0);
    EXPECT(sw != NULL);
    (void)fx_station(f, sw, &f->a, "a", FX_A, cfg);
    (void)fx_station(f, sw, &f->b, "b", FX_B, cfg);
    f->x = fx_station(f, sw, &x, "x", 0, cfg);
    fx_pass(f, NS_PER_S);
    for (unsigned i = 0; iss != 0 && i < 2; i++) {
        struct tcp *t = &(i ? f->b : f->a)->stack->tcp;
        t->isn_range.from = iss;
        t->isn_range.mask = 0;
    }
    EXPECT_EQ(oriel_tcp_open(f->b->stack, ORIEL_IP4, &f->listener), 0);
    EXPECT_EQ(oriel_bind(f->b->stack, f->listener, &at), 0);
    EXPECT_EQ(oriel_listen(f->b->stack, f->listener, NULL), 0);
    for (unsigned i = 0; i < FX_CONNS; i++)
        fx_open(f, i);
    fx_still_good(f);
    return f;
}

#define fx_attack(...) fx_attack_make(&(struct oriel_tcp_config){__VA_ARGS__}, 0)
#define fx_attack_at(iss, ...) fx_attack_make(&(struct oriel_tcp_config){__VA_ARGS__}, iss)

/* Every end writes and every end reads; nothing that is not theirs comes, and no end has an error. */
static inline void fx_still_good(struct fx_attack *f)
{
    for (unsigned i = 0; i < 2 * FX_CONNS; i++)
        (&f->end[0][0])[i].goal += FX_BYTES;
    for (unsigned i = 0; i < 2 * FX_CONNS; i++)
        (&f->end[0][0])[i].deaf = false;
    world_poke(&f->w, f->a);
    world_poke(&f->w, f->b);
    oriel_time end = f->w.env.now + 300 * NS_PER_S;
    for (bool all = false; !all && f->w.env.now < end;) {
        fx_pass(f, NS_PER_S);
        all = true;
        for (unsigned i = 0; i < 2 * FX_CONNS; i++) {
            struct fx_end *e = &(&f->end[0][0])[i];
            all &= e->read == fx_other(f, e)->goal && e->written == e->goal;
        }
    }
    for (unsigned i = 0; i < 2 * FX_CONNS; i++) {
        struct fx_end *e = &(&f->end[0][0])[i];
        EXPECT_EQ(e->error, 0);
        EXPECT_EQ(e->written, e->goal);
        EXPECT_EQ(e->read, fx_other(f, e)->goal);
    }
}

static inline void fx_attack_free(struct fx_attack *f)
{
    for (unsigned i = 0; i < 2 * FX_CONNS; i++) {
        struct fx_end *e = &(&f->end[0][0])[i];
        if (e->h)
            EXPECT_EQ(oriel_abort(e->node->stack, e->h), 0);
        e->h = 0;
    }
    EXPECT_EQ(oriel_close(f->b->stack, f->listener), 0);
    fx_pass(f, 400 * NS_PER_S);         /* TIME-WAIT, half-open ones, questions to neighbours */
    for (unsigned i = 0; i < 2; i++) {
        const struct tcp *t = &(i ? f->b : f->a)->stack->tcp;
        EXPECT_EQ(t->conns.live, 0);
        EXPECT_EQ(t->flights.live, 0);
        EXPECT_EQ(t->records.live, 0);
        EXPECT_EQ(t->ranges.live, 0);
        EXPECT_EQ(t->half.pool.live, 0);
        EXPECT_EQ(t->tw.pool.live, 0);
        EXPECT_EQ((i ? f->b : f->a)->stack->budget.used, 0);
    }
    world_fini(&f->w);
    struct arena arena;
    arena_init(&arena, f->memory, FX_WORLD);
    free(f->memory);
    free(f);
}

/* ---- what is known of a connection (the attacker knows everything) ---- */

static inline struct oriel_tcp_info fx_info(const struct fx_attack *f, unsigned i, bool of_b)
{
    struct oriel_tcp_info o;
    EXPECT_EQ(oriel_tcp_info((of_b ? f->b : f->a)->stack, f->end[i][of_b].h, &o), 0);
    return o;
}

static inline uint16_t fx_port(const struct fx_attack *f, unsigned i)
{
    struct oriel_endpoint e;
    EXPECT_EQ(oriel_local(f->a->stack, f->end[i][0].h, &e), 0);
    return e.port;
}

/* ---- forging ---- */

struct fx_forged {
    uint32_t from, to;          /* addresses; 0: a's to b's */
    uint16_t from_port, to_port;        /* 0: of the connection */
    uint32_t seq, ack;
    uint16_t flags;
    uint16_t wnd;
    uint16_t urg;
    const uint8_t *opts;        /* as they stand */
    uint8_t opts_n;
    uint16_t len;               /* payload: 'x' */
    uint8_t data_offset;        /* words; 0: as it should be */
    uint16_t cut;               /* bytes off the end of the frame */
    int16_t longer;             /* added to IP's total length */
    bool bad_csum;
    bool timestamps;            /* those of the connection, as its owner would send them */
};

static inline void fx_forge_ts(struct fx_attack *f, unsigned i, uint8_t opts[12])
{
    const struct tcp *t = &f->a->stack->tcp;
    struct tcp_conn *c = NULL;
    for (uint32_t k = 0; k < t->conns.fresh; k++)
        if (pool_is_live(&t->conns, k) && tcp_conn_at(t, k)->tuple.local_port == fx_port(f, i))
            c = tcp_conn_at(t, k);
    EXPECT(c != NULL);
    struct wr w = wr_of(opts, 12);
    wr_u8(&w, TCP_OPT_NOP);
    wr_u8(&w, TCP_OPT_NOP);
    wr_u8(&w, TCP_OPT_TS);
    wr_u8(&w, 10);
    wr_u32(&w, tcp_ts_now(t, c));
    wr_u32(&w, c->rcv.ts_recent);
}

/* A TCP segment in an IPv4 packet in a frame to b's (or a's) link address. */
static inline size_t fx_build(struct fx_attack *f, const struct fx_forged *g)
{
    size_t hdr = TCP_HDR_LEN + (g->opts_n + 3u) / 4 * 4, tcp_len = hdr + g->len;
    const struct oriel_addr src = addr_v4(g->from), dst = addr_v4(g->to);
    const struct node *to = g->to == FX_A ? f->a : f->b;
    const struct eth_hdr e = {.dst = to->ports[0].mac, .src = f->x->mac, .type = ETH_IP4};
    const struct ip4_hdr h = {.total_len = (uint16_t)(20 + tcp_len), .df = true, .ttl = 64,
                              .proto = IP_TCP, .src = src, .dst = dst};
    const struct tcp_hdr t = {.src_port = g->from_port, .dst_port = g->to_port,
                              .seq = seq_of(g->seq), .ack = seq_of(g->ack), .flags = g->flags,
                              .wnd = g->wnd, .urg = g->urg, .opts = span_of(g->opts, g->opts_n)};
    struct wr w = wr_of(f->frame, sizeof(f->frame));
    eth_emit(&w, &e);
    size_t ip_at = wr_len(&w);
    ip4_emit(&w, &h);
    size_t at = wr_len(&w);
    tcp_emit(&w, &t);
    memset(f->frame + at + hdr, 'x', g->len);
    if (g->data_offset)
        f->frame[at + 12] = (uint8_t)((f->frame[at + 12] & 0x0f) | g->data_offset << 4);
    uint64_t sum = csum_wide_pseudo(&src, &dst, IP_TCP, (uint32_t)tcp_len);
    sum = csum_wide_add(sum, csum_portable.sum(f->frame + at, tcp_len));
    tcp_patch_csum(f->frame + at, csum_wide_finish(sum) ^ (g->bad_csum ? 1u : 0u));
    if (g->longer) {
        struct ip4_hdr lie = h;
        lie.total_len = (uint16_t)(h.total_len + g->longer);
        struct wr again = wr_of(f->frame + ip_at, 20);
        ip4_emit(&again, &lie);
    }
    size_t n = at + tcp_len - g->cut;
    while (n < ETH_MIN)
        f->frame[n++] = 0;
    return n;
}

static inline void fx_forge_in(struct fx_attack *f, unsigned i, struct fx_forged g)
{
    uint8_t ts[12];
    g.from = g.from ? g.from : FX_A;
    g.to = g.to ? g.to : g.from == FX_A ? FX_B : FX_A;
    bool from_a = g.from == FX_A;
    g.from_port = g.from_port ? g.from_port : from_a ? fx_port(f, i) : FX_PORT;
    g.to_port = g.to_port ? g.to_port : from_a ? FX_PORT : fx_port(f, i);
    if (g.timestamps) {
        fx_forge_ts(f, i, ts);
        g.opts = ts;
        g.opts_n = 12;
    }
    (void)world_send(&f->w, f->x, span_of(f->frame, fx_build(f, &g)));
}

#define fx_forge(f, i, ...) fx_forge_in(f, i, (struct fx_forged){__VA_ARGS__})

/* Whatever was forged arrives, and what follows from it at once. */
static inline void fx_arrive(struct fx_attack *f)
{
    fx_pass(f, 20 * NS_PER_MS);
}

static inline void fx_watch(struct fx_attack *f)
{
    f->out_frames = f->out_bytes = f->out_rst = 0;
}

/* ---- a third connection, whose other end is the attacker's own ---- */

#define FX_X 0x0a000063u        /* 10.0.0.99 */

struct fx_peer {
    uint16_t port;
    uint32_t seq, ack;          /* what it sends next, what it expects */
    oriel_handle h;             /* at b; 0: not accepted */
};

/* b knows its link address already. */
static inline void fx_peer_known(struct fx_attack *f)
{
    const struct oriel_addr x = addr_v4(FX_X);
    EXPECT_EQ(oriel_neigh_add(f->b->stack, f->b->ports[0].netif, &x, f->x->mac.b), 0);
}

#define fx_peer_send(f, p, ...)                                                                    \
    fx_forge_in(f, 0, (struct fx_forged){.from = FX_X, .to = FX_B, .from_port = (p)->port,         \
                                         .to_port = FX_PORT, __VA_ARGS__})

/* SYN, SYN-ACK, ACK; accepted. opts are the SYN's. */
static inline void fx_peer_open(struct fx_attack *f, struct fx_peer *p, uint16_t port,
                                const uint8_t *opts, uint8_t opts_n)
{
    *p = (struct fx_peer){.port = port, .seq = 1000};
    fx_peer_send(f, p, .flags = TCP_SYN, .seq = p->seq++, .wnd = 65535, .opts = opts,
                 .opts_n = opts_n);
    fx_arrive(f);
    EXPECT_EQ(f->syn_ack.dst_port, port);
    p->ack = f->syn_ack.seq.v + 1;
    fx_peer_send(f, p, .flags = TCP_ACK, .seq = p->seq, .ack = p->ack, .wnd = 65535);
    fx_arrive(f);
    EXPECT_EQ(oriel_accept(f->b->stack, f->listener, &p->h, NULL), 0);
}

static inline struct tcp_conn *fx_peer_conn(struct fx_attack *f, const struct fx_peer *p)
{
    const struct tcp *t = &f->b->stack->tcp;
    for (uint32_t k = 0; k < t->conns.fresh; k++)
        if (pool_is_live(&t->conns, k) && tcp_conn_at(t, k)->tuple.remote_port == p->port)
            return tcp_conn_at(t, k);
    return NULL;
}

static inline void fx_peer_abort(struct fx_attack *f, struct fx_peer *p)
{
    if (p->h)
        EXPECT_EQ(oriel_abort(f->b->stack, p->h), 0);
    p->h = 0;
    world_poke(&f->w, f->b);
}

static inline uint64_t fx_drops(const struct node *n, enum drop why)
{
    return n->stack->env.drop_count[why];
}

#endif
