/*
 * Attacks by a peer that speaks TCP well and means no good (docs/attacks.md): who makes us work or hold
 * memory by the way he acknowledges, reads or sends. Each time the connections of others go on.
 */
#include "fx_attack.h"

#ifdef __SANITIZE_ADDRESS__
#define MANY 10000u
#else
#define MANY 100000u
#endif

static const uint8_t syn_opts[] = {TCP_OPT_MSS, 4, 0, 48, TCP_OPT_SACK_PERM, 2, TCP_OPT_WSCALE, 3, 10,
                                   TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_NOP};

/* Whatever there is room for. */
static void write_all(struct fx_attack *f, const struct fx_peer *p)
{
    static const uint8_t data[16384];
    while (p->h && oriel_send(f->b->stack, p->h, data, sizeof(data), NULL) > 0)
        ;
    world_poke(&f->w, f->b);
}

/* Acknowledgements of two segments each, as an honest receiver's. */
static void ack_honestly(struct fx_attack *f, struct fx_peer *p, uint32_t end)
{
    for (unsigned i = 0; seq_lt(seq_of(p->ack), seq_of(end)); i++) {
        p->ack += 176;
        if (seq_lt(seq_of(end), seq_of(p->ack)))
            p->ack = end;
        fx_peer_send(f, p, .flags = TCP_ACK, .seq = p->seq, .ack = p->ack, .wnd = 65535);
        if (i % 64 == 63)
            fx_pass(f, NS_PER_MS);
    }
}

/* The peer acknowledges all until as much is under way. */
static void grow_flight(struct fx_attack *f, struct fx_peer *p, uint32_t bytes)
{
    const struct tcp_conn *c = fx_peer_conn(f, p);
    for (unsigned i = 0; i < 60; i++) {
        write_all(f, p);
        fx_arrive(f);
        if ((uint32_t)seq_diff(c->snd.una, c->snd.nxt) >= bytes)
            return;
        ack_honestly(f, p, c->snd.nxt.v);
        fx_arrive(f);
    }
}

static void sack(struct fx_attack *f, struct fx_peer *p, uint32_t left, uint32_t right)
{
    uint8_t opts[12];
    struct wr w = wr_of(opts, sizeof(opts));
    wr_u8(&w, TCP_OPT_NOP);
    wr_u8(&w, TCP_OPT_NOP);
    wr_u8(&w, TCP_OPT_SACK);
    wr_u8(&w, 10);
    wr_u32(&w, left);
    wr_u32(&w, right);
    fx_peer_send(f, p, .flags = TCP_ACK, .seq = p->seq, .ack = p->ack, .wnd = 65535, .opts = opts,
                 .opts_n = 12);
}

static uint32_t flight_of(const struct tcp_conn *c)
{
    return (uint32_t)seq_diff(c->snd.una, c->snd.nxt);
}

/* b's windows double each round, however the peer's acknowledgements are spread. */
static struct fx_attack *eager_sender(void)
{
    struct fx_attack *f = fx_attack(.congestion = "newreno", .sndbuf = 1 << 20);
    f->b->stack->tcp.set.hystart = false;
    fx_peer_known(f);
    return f;
}

static struct fx_attack *with_flight(struct fx_peer *p, uint32_t bytes)
{
    struct fx_attack *f = eager_sender();
    fx_peer_open(f, p, 3000, syn_opts, sizeof(syn_opts));
    grow_flight(f, p, bytes);
    EXPECT(flight_of(fx_peer_conn(f, p)) >= bytes);
    return f;
}

TEST("a hundred thousand selective acknowledgements of single tiny segments overflow nothing")
{
    COVERS("S8");
    struct fx_peer p;
    struct fx_attack *f = with_flight(&p, 200000);
    const struct tcp_conn *c = fx_peer_conn(f, &p);
    struct rng g;
    rng_seed(&g, 8, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t at = p.ack + (uint32_t)rng_below(&g, flight_of(c) / 88 + 1) * 88;
        sack(f, &p, at, at + 88 * (uint32_t)rng_between(&g, 1, 3));
        if (i % 32 == 0)
            fx_pass(f, NS_PER_MS);
        EXPECT(c->flight->sent.sacked_segs <= flight_of(c) / 88 + 1);
        EXPECT(f->b->stack->tcp.records.live <= f->b->stack->tcp.records.cap);
    }
    fx_still_good(f);
    fx_peer_abort(f, &p);
    fx_attack_free(f);
}

TEST("acknowledging every other byte cuts nothing smaller than a segment")
{
    COVERS("S9");
    struct fx_peer p;
    struct fx_attack *f = with_flight(&p, 100000);
    const struct tcp_conn *c = fx_peer_conn(f, &p);
    uint32_t records = f->b->stack->tcp.records.live;
    for (uint32_t i = 0; i < MANY; i++) {
        sack(f, &p, p.ack + 1 + 2 * i % 90000, p.ack + 2 + 2 * i % 90000);
        if (i % 32 == 0)
            fx_pass(f, NS_PER_MS);
    }
    fx_arrive(f);
    EXPECT_EQ(c->flight->sent.sacked_bytes, 0);
    EXPECT(f->b->stack->tcp.records.live <= records + 64);
    fx_still_good(f);
    fx_peer_abort(f, &p);
    fx_attack_free(f);
}

TEST("a hundred thousand single bytes out of order cost no more than the buffer may")
{
    COVERS("S11");
    struct fx_attack *f = fx_attack();
    struct fx_peer p;
    fx_peer_known(f);
    fx_peer_open(f, &p, 3000, syn_opts, sizeof(syn_opts));
    const struct tcp_conn *c = fx_peer_conn(f, &p);
    struct rng g;
    rng_seed(&g, 11, 0);
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t at = p.seq + 1 + 2 * (uint32_t)rng_below(&g, 30000);
        fx_peer_send(f, &p, .flags = TCP_ACK, .seq = at, .ack = p.ack, .wnd = 65535, .len = 1);
        if (i % 32 == 0)
            fx_pass(f, NS_PER_MS);
    }
    fx_arrive(f);
    EXPECT(c->flight->ooo.tree.n > 30);
    EXPECT(c->flight->ooo.tree.n <= TCP_RANGES_MAX);
    EXPECT(c->flight->ooo.charge <= 3 * (uint64_t)c->rcv.buf);
    EXPECT(fx_drops(f->b, DROP_TCP_REASM_FULL) + fx_drops(f->b, DROP_TCP_NO_SPACE) +
           fx_drops(f->b, DROP_TCP_DUPLICATE) > 1000);
    fx_still_good(f);
    fx_peer_abort(f, &p);
    fx_attack_free(f);
}

/* ---- receivers that cheat (Savage) ---- */

static uint32_t window_after(bool divided, bool doubled)
{
    struct fx_attack *f = eager_sender();
    struct fx_peer p;
    fx_peer_open(f, &p, 3000, syn_opts, sizeof(syn_opts));
    const struct tcp_conn *c = fx_peer_conn(f, &p);
    for (unsigned round = 0; round < 4; round++) {
        write_all(f, &p);
        fx_arrive(f);
        uint32_t end = c->snd.nxt.v;
        if (!divided && !doubled)
            ack_honestly(f, &p, end);
        for (uint32_t at = p.ack; divided && seq_lt(seq_of(at), seq_of(end)); at += 4)
            fx_peer_send(f, &p, .flags = TCP_ACK, .seq = p.seq, .ack = at, .wnd = 65535);
        for (unsigned i = 0; doubled && i < 200; i++)
            fx_peer_send(f, &p, .flags = TCP_ACK, .seq = p.seq, .ack = p.ack, .wnd = 65535);
        p.ack = end;
        fx_peer_send(f, &p, .flags = TCP_ACK, .seq = p.seq, .ack = p.ack, .wnd = 65535);
        fx_arrive(f);
    }
    uint32_t cwnd = c->flight->cc.cwnd;
    fx_still_good(f);
    fx_peer_abort(f, &p);
    fx_attack_free(f);
    return cwnd;
}

TEST("acknowledging in crumbs, or many times over, opens no window wider than honesty does")
{
    COVERS("S25");
    uint32_t honest = window_after(false, false);
    EXPECT(honest > 88 * 20);
    EXPECT(window_after(true, false) <= honest);
    EXPECT(window_after(false, true) <= honest);
}

TEST("acknowledgements of what was not sent yet are worth nothing")
{
    COVERS("S25");
    struct fx_peer p;
    struct fx_attack *f = with_flight(&p, 20000);
    const struct tcp_conn *c = fx_peer_conn(f, &p);
    uint32_t cwnd = c->flight->cc.cwnd, una = c->snd.una.v;
    for (uint32_t i = 1; i < 1000; i++) {
        fx_peer_send(f, &p, .flags = TCP_ACK, .seq = p.seq, .ack = c->snd.nxt.v + i * 88,
                     .wnd = 65535);
        if (i % 50 == 0)
            fx_pass(f, NS_PER_MS);
    }
    EXPECT_EQ(c->snd.una.v, una);
    EXPECT(c->flight->cc.cwnd <= cwnd);
    fx_still_good(f);
    fx_peer_abort(f, &p);
    fx_attack_free(f);
}

/* ---- who never reads ---- */

/* The peer answers every probe of a closed window and never opens it. */
static void stay_shut(struct fx_attack *f, struct fx_peer *p, unsigned n, oriel_time for_ns)
{
    oriel_time end = f->w.env.now + for_ns;
    while (f->w.env.now < end) {
        for (unsigned i = 0; i < n; i++)
            if (fx_peer_conn(f, &p[i]))
                fx_peer_send(f, &p[i], .flags = TCP_ACK, .seq = p[i].seq, .ack = p[i].ack, .wnd = 0);
        fx_pass(f, 10 * NS_PER_S);
    }
}

TEST("peers that keep their windows shut hold memory while the application lets them, no longer")
{
    COVERS("S24");
    struct fx_attack *f = fx_attack();
    struct fx_peer p[20];
    fx_peer_known(f);
    for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
        fx_peer_open(f, &p[i], (uint16_t)(3000 + i), syn_opts, sizeof(syn_opts));
        write_all(f, &p[i]);
        fx_arrive(f);
    }
    stay_shut(f, p, ARRAY_LEN(p), 100 * NS_PER_S);
    fx_still_good(f);           /* the memory that they hold is not all there is */
    for (unsigned i = 0; i < ARRAY_LEN(p); i++) {       /* MUST-37: open as long as they answer */
        EXPECT(fx_peer_conn(f, &p[i]) != NULL);
        EXPECT_EQ(oriel_close(f->b->stack, p[i].h), 0);
    }
    stay_shut(f, p, ARRAY_LEN(p), 2000 * NS_PER_S);
    for (unsigned i = 0; i < ARRAY_LEN(p); i++)         /* but nobody is there any more who waits */
        EXPECT(fx_peer_conn(f, &p[i]) == NULL);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("peers that acknowledge our FIN and never send theirs are forgotten")
{
    COVERS("S24");
    struct fx_attack *f = fx_attack();
    struct fx_peer p;
    fx_peer_known(f);
    fx_peer_open(f, &p, 3000, syn_opts, sizeof(syn_opts));
    EXPECT_EQ(oriel_close(f->b->stack, p.h), 0);
    world_poke(&f->w, f->b);
    fx_arrive(f);
    fx_peer_send(f, &p, .flags = TCP_ACK, .seq = p.seq, .ack = p.ack + 1, .wnd = 1000);
    fx_arrive(f);
    EXPECT_EQ(fx_peer_conn(f, &p)->state, TCP_FIN_WAIT_2);
    fx_pass(f, 100 * NS_PER_S);
    EXPECT(fx_peer_conn(f, &p) == NULL);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- replays ---- */

struct kept {
    uint8_t bytes[2048];
    size_t n;
};

static struct kept kept[400];
static unsigned kept_n;

static void keep_frame(void *ctx, const struct world_frame *s)
{
    struct fx_attack *f = ctx;
    fx_on_frame(ctx, s);
    if (s->out && s->port->node == f->a && kept_n < ARRAY_LEN(kept) && s->bytes.n <= 2048) {
        memcpy(kept[kept_n].bytes, s->bytes.p, s->bytes.n);
        kept[kept_n++].n = s->bytes.n;
    }
}

TEST("a whole old connection played again into a new one of the same ports brings no byte")
{
    COVERS("S35");
    struct fx_attack *f = fx_attack(.msl_ms = 100);
    uint16_t port = fx_port(f, 0);
    f->w.on_frame = keep_frame;
    kept_n = 0;
    fx_still_good(f);
    EXPECT(kept_n > 40);
    EXPECT_EQ(oriel_close(f->a->stack, f->end[0][0].h), 0);
    EXPECT_EQ(oriel_close(f->b->stack, f->end[0][1].h), 0);
    world_poke(&f->w, f->a);
    world_poke(&f->w, f->b);
    f->end[0][0].h = f->end[0][1].h = 0;
    fx_pass(f, NS_PER_S);
    f->w.on_frame = fx_on_frame;
    for (unsigned i = 0; i < 2; i++)
        f->end[0][i] = (struct fx_end){.goal = f->end[0][0].goal};
    for (unsigned i = 0; i < 2; i++)
        f->end[0][i].goal = f->end[1][0].goal - f->end[1][0].goal;      /* it begins anew */
    struct oriel_endpoint local = {.port = port};
    const struct oriel_endpoint to = {.addr = addr_v4(FX_B), .port = FX_PORT};
    f->end[0][0].node = f->a;
    f->end[0][1].node = f->b;
    EXPECT_EQ(oriel_tcp_open(f->a->stack, ORIEL_IP4, &f->end[0][0].h), 0);
    EXPECT_EQ(oriel_bind(f->a->stack, f->end[0][0].h, &local), 0);
    EXPECT_EQ(oriel_connect(f->a->stack, f->end[0][0].h, &to), 0);
    world_poke(&f->w, f->a);
    fx_pass(f, 100 * NS_PER_MS);
    EXPECT_EQ(oriel_accept(f->b->stack, f->listener, &f->end[0][1].h, NULL), 0);
    for (unsigned i = 0; i < kept_n; i++) {
        (void)world_send(&f->w, f->x, span_of(kept[i].bytes, kept[i].n));
        if (i % 8 == 0)
            fx_pass(f, NS_PER_MS);
    }
    fx_arrive(f);
    EXPECT_EQ(f->end[0][1].read, 0);
    fx_still_good(f);
    fx_attack_free(f);
}
