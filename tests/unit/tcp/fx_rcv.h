/*
 * A connection that receives: established, with SACK, nothing else going on. Segments are handed to
 * tcp_reasm_input as tcp_input.c does; the byte with sequence number isn + n is fx_byte(n).
 *
 *     struct fx_rcv *f = fx_rcv(.isn = 0xfffffff0, .buf = 8192);
 *     fx_rx(f, .at = 0, .len = 100);          from the first expected byte on
 *     EXPECT_EQ(fx_nxt(f), 100);
 *     EXPECT_ACK(f, WHY_ACK_QUICK);           an acknowledgement is wanted at once, for that reason
 *     fx_acked(f);                            it left
 *     fx_rcv_free(f);
 */
#ifndef ORIEL_TESTS_TCP_FX_RCV_H
#define ORIEL_TESTS_TCP_FX_RCV_H

#include "fx_tcp.h"

struct fx_rcv_opts {
    struct fx_tcp *on;          /* stands already, and stays; NULL: one of its own */
    uint32_t isn;
    uint32_t buf;               /* RCVBUF; 0: the default, growing */
    uint32_t window;            /* promised in the handshake; 0: 65,535 or buf */
    uint8_t wscale;
    bool no_sack, inline_oob;
};

struct fx_rcv {
    struct fx_tcp *f;
    struct tcp *t;
    struct tcp_conn *c;
    uint32_t isn;
    bool owns;
};

/* How a segment's packet is made. */
enum fx_shape {
    FX_PLAIN,                   /* headers and payload in one block */
    FX_SLICES,                  /* headers in the head, payload in two slices */
    FX_MIXED,                   /* some of the payload in the head */
    FX_JUMBO,                   /* in a block that is far too large */
    FX_SHAPES
};

struct fx_rx {
    uint32_t at;                /* from isn */
    uint32_t len;
    bool fin;
    enum fx_shape shape;
    uint8_t twist;              /* added to every byte: a copy that differs */
    bool urg;
    uint16_t up;                /* urgent pointer */
    uint16_t gso;
    uint32_t pad;               /* bytes behind the payload that do not belong to it (FX_PLAIN) */
};

static inline uint8_t fx_byte(uint32_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

static inline struct fx_rcv *fx_rcv_make(const struct fx_rcv_opts *o)
{
    struct fx_rcv *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->owns = o->on == NULL;
    r->f = o->on ? o->on : fx_tcp();
    r->t = &r->f->tcp;
    struct tcp_profile p = tcp_profile_default(r->t);
    p.rcvbuf = o->buf;
    p.oobinline = o->inline_oob;
    struct tcp_conn *c = r->c = tcp_open(r->t, &p, 1);
    assert_non_null(c);
    r->isn = o->isn;
    c->tuple = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    c->is |= o->no_sack ? 0 : TCP_IS_SACK;
    c->snd.mss = c->snd.peer_mss = 1460;
    c->rcv.nxt = seq_of(o->isn);
    c->rcv.wscale = o->wscale;
    c->out.quick = 0;
    c->state = TCP_ESTABLISHED;
    tcp_rcv_opened(r->t, c, o->window ? o->window : o->buf && o->buf < 65535 ? o->buf : 65535);
    return r;
}

#define fx_rcv(...) fx_rcv_make(&(struct fx_rcv_opts){__VA_ARGS__})

static inline void fx_rcv_free(struct fx_rcv *r)
{
    r->c->sock = 0;
    tcp_end(r->t, r->c, 0);
    EXPECT_EQ(r->t->ranges.live, 0);
    EXPECT_EQ(r->t->flights.live, 0);
    if (r->owns)
        fx_tcp_free(r->f);
    free(r);
}

static inline void fx_fill(uint8_t *to, const struct fx_rx *x, uint32_t from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        to[i] = (uint8_t)(fx_byte(x->at + from + i) + x->twist);
}

#define FX_HDRS 40

/* One slice more, of its own block. */
static inline void fx_slice(struct env *env, struct pkt *p, const struct fx_rx *x, uint32_t from,
                            uint32_t n)
{
    struct blk *b = blk_get(env->mem, n < 480 ? BLK_STREAM_S : n < 4000 ? BLK_STREAM_M
                                                                       : BLK_STREAM_L);
    assert_non_null(b);
    fx_fill(b->bytes + 3, x, from, n);
    p->more[p->more_n++] = (struct slice){.blk = b, .off = 3, .len = n};
}

static inline struct pkt *fx_rx_packet(struct env *env, const struct fx_rx *x)
{
    uint32_t in_head = x->shape == FX_SLICES ? 0 : x->shape == FX_MIXED ? x->len / 3 : x->len;
    size_t room = x->shape == FX_JUMBO ? 9000 : FX_HDRS + in_head + x->pad;
    struct pkt *p = pkt_new(env, 20, room);
    assert_non_null(p);
    fx_fill(pkt_data(p) + FX_HDRS, x, 0, in_head);
    if (x->shape == FX_JUMBO)
        pkt_trim(p, FX_HDRS + in_head);
    uint32_t rest = x->len - in_head;
    if (rest > 1)
        fx_slice(env, p, x, in_head, rest / 2);
    if (rest > 0)
        fx_slice(env, p, x, in_head + (rest > 1 ? rest / 2 : 0), rest > 1 ? rest - rest / 2 : 1);
    p->l4 = 20;
    p->gso_size = x->gso;
    return p;
}

/* True: the FIN was consumed. */
static inline bool fx_rx_in(struct fx_rcv *r, const struct fx_rx *x)
{
    struct tcp_seg g = {.p = fx_rx_packet(&r->f->fx.env, x), .tuple = r->c->tuple,
                        .seq = seq_of(r->isn + x->at), .len = x->len, .data_at = FX_HDRS,
                        .flags = (uint16_t)(TCP_ACK | (x->fin ? TCP_FIN : 0) |
                                            (x->urg ? TCP_URG : 0)),
                        .urg = x->up};
    if (x->urg)
        tcp_urgent_input(r->t, r->c, &g);
    bool fin = tcp_reasm_input(r->t, r->c, &g);
    EXPECT(g.p == NULL);
    return fin;
}

#define fx_rx(r, ...) fx_rx_in(r, &(struct fx_rx){__VA_ARGS__})

static inline uint32_t fx_nxt(const struct fx_rcv *r)
{
    return r->c->rcv.nxt.v - r->isn;
}

/* An acknowledgement left: what tcp_segment.c does then. The window in it. */
static inline uint32_t fx_acked(struct fx_rcv *r)
{
    struct tcp_conn *c = r->c;
    uint32_t wnd = tcp_window(r->t, c);
    seq_t edge = seq_add(c->rcv.nxt, wnd);
    if (seq_lt(c->rcv.adv, edge))
        c->rcv.adv = edge;
    c->rcv.acked = c->rcv.nxt;
    c->rcv.unacked_segs = 0;
    c->out.want &= (uint8_t)~TCP_WANT_ACK;
    c->out.ack_why = WHY_NONE;
    c->out.dsack = 0;
    c->timer.delack_at = ORIEL_NEVER;
    return wnd;
}

static inline enum why fx_ack_why(const struct fx_rcv *r)
{
    return (r->c->out.want & TCP_WANT_ACK) ? (enum why)r->c->out.ack_why : WHY_NONE;
}

#define EXPECT_ACK(r, why_)                                                                        \
    do {                                                                                           \
        if (fx_ack_why(r) != (why_))                                                               \
            fail_msg("not %s but %s", #why_, why_of(fx_ack_why(r))->name);                         \
    } while (0)

/* Reads n bytes, which must be those from `at` on. */
static inline void fx_read(struct fx_rcv *r, uint32_t at, uint32_t n)
{
    static uint8_t buf[1 << 20];
    EXPECT_EQ(tcp_reasm_read(r->t, r->c, buf, n, false), n);
    for (uint32_t i = 0; i < n; i++)
        if (buf[i] != fx_byte(at + i))
            fail_msg("byte %u is %u, not %u", at + i, buf[i], fx_byte(at + i));
}

struct fx_blocks {
    unsigned n;
    uint32_t left[TCP_SACK_MAX], right[TCP_SACK_MAX];
};

static inline struct fx_blocks fx_sacks(const struct fx_rcv *r, unsigned max)
{
    struct tcp_opts o;
    struct fx_blocks b = {0};
    tcp_reasm_sacks(r->c, &o, max);
    b.n = o.sack_n;
    for (unsigned i = 0; i < b.n; i++) {
        b.left[i] = o.sack[i].left.v - r->isn;
        b.right[i] = o.sack[i].right.v - r->isn;
    }
    return b;
}

/* The blocks that an acknowledgement carries, as "1000-1500 3000-3500". */
static inline const char *fx_sack_text(const struct fx_rcv *r, unsigned max)
{
    static char text[160];
    struct fx_blocks b = fx_sacks(r, max);
    size_t n = 0;
    text[0] = 0;
    for (unsigned i = 0; i < b.n; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u-%u", i ? " " : "", b.left[i],
                              b.right[i]);
    return text;
}

#endif
