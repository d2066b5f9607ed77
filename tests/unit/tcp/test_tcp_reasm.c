#include "fx_rcv.h"

#include "tcp/tcp_reasm.c"

/* ---- in order ---- */

TEST("what comes in order is handed on as it came, and nothing is copied or acknowledged at once")
{
    struct fx_rcv *f = fx_rcv(.isn = 0xffffffff);
    EXPECT(!fx_rx(f, .at = 0, .len = 100));
    EXPECT_EQ(fx_nxt(f), 100);
    EXPECT_EQ(f->c->rcv.unread, 100);
    EXPECT_EQ(f->c->stat.bytes_in, 100);
    EXPECT_EQ(f->c->rcv.charge, rcv_cost(f->c->rcvq));
    EXPECT(f->c->is & TCP_IS_DIRTY);
    EXPECT_ACK(f, WHY_NONE);
    EXPECT(f->c->timer.delack_at != ORIEL_NEVER);
    fx_read(f, 0, 100);
    EXPECT_EQ(f->c->rcv.charge, 0);
    EXPECT(f->c->rcvq == NULL && f->c->rcvq_last == NULL);
    fx_rcv_free(f);
}

TEST("the second full segment is acknowledged at once, whatever size is full")
{
    COVERS("5681-12 SHLD-19");
    static const uint32_t sizes[] = {536, 1000, 1460, 9000};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        struct fx_rcv *f = fx_rcv();
        fx_rx(f, .at = 0, .len = sizes[i]);
        EXPECT_ACK(f, WHY_NONE);
        fx_rx(f, .at = sizes[i], .len = sizes[i]);
        EXPECT_ACK(f, WHY_ACK_EVERY_2ND);
        fx_rcv_free(f);
    }
}

TEST("small segments are acknowledged when they are as much as two full ones")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 0, .len = 1000);
    fx_acked(f);
    for (uint32_t i = 0; i < 19; i++)
        fx_rx(f, .at = 1000 + i * 100, .len = 100);
    EXPECT_ACK(f, WHY_NONE);
    fx_rx(f, .at = 2900, .len = 100);
    EXPECT_ACK(f, WHY_ACK_EVERY_2ND);
    fx_rcv_free(f);
}

TEST("a super-segment counts as the segments that it is made of")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 0, .len = 1000, .gso = 1000);
    EXPECT_ACK(f, WHY_NONE);
    fx_acked(f);
    fx_rx(f, .at = 1000, .len = 2500, .gso = 1000, .shape = FX_SLICES);
    EXPECT_ACK(f, WHY_ACK_EVERY_2ND);
    EXPECT_EQ(f->c->rcv.mss, 1000);
    fx_rcv_free(f);
}

TEST("while acknowledgements are to be quick each segment is acknowledged, unless it is forbidden")
{
    struct fx_rcv *f = fx_rcv();
    f->c->out.quick = 3;
    fx_rx(f, .at = 0, .len = 10);
    EXPECT_ACK(f, WHY_ACK_QUICK);
    fx_acked(f);
    struct tcp_profile p = *f->c->prof;
    p.quickack_off = true;
    tcp_profile_put(f->t, f->c->prof);
    f->c->prof = tcp_profile_get(f->t, &p);
    fx_rx(f, .at = 10, .len = 10);
    EXPECT_ACK(f, WHY_NONE);
    fx_rcv_free(f);
}

/* ---- out of order ---- */

TEST("a gap is told at once, and at once when it is filled, partly or whole")
{
    COVERS("5681-8 2018-2");
    struct fx_rcv *f = fx_rcv(.isn = 0xfffffc00);
    fx_rx(f, .at = 1000, .len = 500);
    EXPECT_ACK(f, WHY_ACK_OUT_OF_ORDER);
    EXPECT_STR(fx_sack_text(f, 4), "1000-1500");
    EXPECT_EQ(fx_nxt(f), 0);
    EXPECT_EQ(f->c->rcv.unread, 0);
    EXPECT_EQ(f->c->stat.ooo, 1);
    fx_acked(f);
    fx_rx(f, .at = 0, .len = 500);
    EXPECT_ACK(f, WHY_ACK_FILLED);
    EXPECT_EQ(fx_nxt(f), 500);
    EXPECT_STR(fx_sack_text(f, 4), "1000-1500");
    fx_acked(f);
    fx_rx(f, .at = 500, .len = 500);
    EXPECT_ACK(f, WHY_ACK_FILLED);
    EXPECT_EQ(fx_nxt(f), 1500);
    EXPECT_STR(fx_sack_text(f, 4), "");
    fx_read(f, 0, 1500);
    fx_rcv_free(f);
}

TEST("without SACK no block is told, of gaps or of duplicates")
{
    struct fx_rcv *f = fx_rcv(.no_sack = true);
    fx_rx(f, .at = 1000, .len = 500);
    fx_rx(f, .at = 1000, .len = 500);
    EXPECT_EQ(f->c->out.dsack, 0);
    EXPECT_STR(fx_sack_text(f, 4), "");
    fx_rcv_free(f);
}

TEST("the first block is the one that changed last, and the others follow in that order")
{
    COVERS("2018-3 2018-4");
    static const uint32_t order[] = {7, 2, 5, 9, 3, 1};
    struct fx_rcv *f = fx_rcv();
    for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
        fx_rx(f, .at = order[i] * 1000, .len = 400);
        for (unsigned max = 1; max <= 4; max++) {
            struct fx_blocks b = fx_sacks(f, max);
            EXPECT_EQ(b.n, i + 1 < max ? i + 1 : max);
            for (unsigned k = 0; k < b.n; k++)
                EXPECT_EQ(b.left[k], order[i - k] * 1000);
        }
    }
    fx_rx(f, .at = 5400, .len = 100);           /* an older one grows: it is the latest now */
    EXPECT_STR(fx_sack_text(f, 3), "5000-5500 1000-1400 3000-3400");
    fx_rcv_free(f);
}

TEST("ranges that are merged are told once, and others take their places")
{
    struct fx_rcv *f = fx_rcv();
    for (uint32_t i = 1; i <= 5; i++)
        fx_rx(f, .at = i * 1000, .len = 500);
    fx_rx(f, .at = 4500, .len = 500);           /* joins the fourth and the fifth */
    EXPECT_STR(fx_sack_text(f, 4), "4000-5500 3000-3500 2000-2500 1000-1500");
    EXPECT_EQ(f->c->flight->ooo.tree.n, 4);
    fx_rx(f, .at = 1500, .len = 2500);          /* joins all */
    EXPECT_STR(fx_sack_text(f, 4), "2000-2500 1000-5500");      /* and has a part that was here */
    fx_rcv_free(f);
}

TEST("ranges that were delivered leave their places to those that changed before them")
{
    static const uint32_t order[] = {5000, 9000, 7000, 1000, 2000};
    struct fx_rcv *f = fx_rcv();
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        fx_rx(f, .at = order[i], .len = 100);
    fx_rx(f, .at = 0, .len = 3000);             /* the last two go */
    fx_acked(f);
    fx_rx(f, .at = 11000, .len = 100);
    EXPECT_STR(fx_sack_text(f, 4), "11000-11100 7000-7100 9000-9100 5000-5100");
    fx_rcv_free(f);
}

TEST("what is told is what is held: ranges that were delivered are told no more")
{
    COVERS("2018-7");
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 1000, .len = 100);
    fx_rx(f, .at = 2000, .len = 100);
    fx_rx(f, .at = 0, .len = 1000);
    EXPECT_EQ(fx_nxt(f), 1100);
    EXPECT_STR(fx_sack_text(f, 4), "2000-2100");
    fx_rcv_free(f);
}

TEST("of bytes that come twice the first copy stays, in order and out of it")
{
    COVERS("9293-TCPB");
    for (enum fx_shape s = FX_PLAIN; s < FX_SHAPES; s++) {
        struct fx_rcv *f = fx_rcv(.isn = 0x7fffff00);
        fx_rx(f, .at = 500, .len = 100, .shape = s);
        fx_rx(f, .at = 300, .len = 400, .twist = 0, .shape = s);        /* around it */
        fx_rx(f, .at = 450, .len = 200, .twist = 9, .shape = s);        /* inside */
        fx_rx(f, .at = 650, .len = 50, .twist = 9, .shape = s);
        fx_rx(f, .at = 0, .len = 300, .shape = s);
        fx_rx(f, .at = 100, .len = 600, .twist = 9, .shape = s);
        EXPECT_EQ(fx_nxt(f), 700);
        fx_read(f, 0, 700);
        fx_rcv_free(f);
    }
}

/* ---- duplicates: the cases of RFC 2883, 4 ---- */

/* "4000: 3000-3500 4500-5000": the acknowledgement that would leave now. It leaves. */
static const char *ack_text(struct fx_rcv *f)
{
    static char text[200];
    snprintf(text, sizeof(text), "%u: %s", fx_nxt(f), fx_sack_text(f, 4));
    fx_acked(f);
    return text;
}

static const char *seg(struct fx_rcv *f, uint32_t from, uint32_t to)
{
    fx_rx(f, .at = from, .len = to - from);
    return ack_text(f);
}

TEST("a segment that comes again below the acknowledgement is told as a duplicate")
{
    COVERS("2883-1");
    struct fx_rcv *f = fx_rcv(.isn = 0u - 1000u);
    seg(f, 0, 1000);
    seg(f, 1000, 1500);
    EXPECT_STR(seg(f, 500, 1000), "1500: 500-1000");
    EXPECT_STR(seg(f, 2000, 2500), "1500: 2000-2500");
    EXPECT_STR(seg(f, 500, 1000), "1500: 500-1000 2000-2500");  /* and what is held, behind it */
    EXPECT_EQ(f->f->fx.env.drop_count[DROP_TCP_DUPLICATE], 2);
    fx_rcv_free(f);
}

TEST("a duplicate of what lies out of order is told before the range that contains it")
{
    COVERS("2883-1");
    struct fx_rcv *f = fx_rcv();
    seg(f, 0, 500);
    seg(f, 1000, 1500);
    EXPECT_STR(seg(f, 1500, 2000), "500: 1000-2000");
    EXPECT_STR(seg(f, 3000, 3500), "500: 3000-3500 1000-2000");
    EXPECT_STR(seg(f, 1500, 2000), "500: 1500-2000 1000-2000 3000-3500");
    fx_rcv_free(f);
}

TEST("of a segment that is partly a duplicate that part is told, and the rest is taken")
{
    COVERS("2883-1");
    struct fx_rcv *f = fx_rcv();
    seg(f, 0, 500);
    EXPECT_STR(seg(f, 1000, 1500), "500: 1000-1500");
    EXPECT_STR(seg(f, 500, 1500), "1500: 1000-1500");   /* the gap, and what was behind it */
    EXPECT_STR(seg(f, 500, 2000), "2000: 500-1500");            /* begins with old bytes */
    EXPECT_STR(seg(f, 3000, 4000), "2000: 3000-4000");
    EXPECT_STR(seg(f, 3500, 4500), "2000: 3500-4000 3000-4500");
    EXPECT_STR(seg(f, 2500, 3500), "2000: 3000-3500 2500-4500");
    fx_rcv_free(f);
}

TEST("of two duplicate parts of one segment the first is told")
{
    COVERS("2883-1");
    struct fx_rcv *f = fx_rcv();
    seg(f, 0, 500);
    seg(f, 1000, 1500);
    EXPECT_STR(seg(f, 2000, 2500), "500: 2000-2500 1000-1500");
    EXPECT_STR(seg(f, 500, 2500), "2500: 1000-1500");
    fx_rcv_free(f);
    f = fx_rcv();
    seg(f, 1000, 1500);
    seg(f, 2000, 2500);
    EXPECT_STR(seg(f, 500, 3000), "0: 1000-1500 500-3000");
    fx_rcv_free(f);
}

TEST("duplicates of several segments that touch are told together, others by the last")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 0, .len = 3000);
    fx_acked(f);
    fx_rx(f, .at = 0, .len = 500);
    fx_rx(f, .at = 500, .len = 500);
    EXPECT_ACK(f, WHY_ACK_DUPLICATE);
    EXPECT_STR(ack_text(f), "3000: 0-1000");
    fx_rx(f, .at = 0, .len = 500);
    fx_rx(f, .at = 2000, .len = 500);
    EXPECT_STR(ack_text(f), "3000: 2000-2500");
    EXPECT_STR(ack_text(f), "3000: ");          /* each is told once */
    fx_rcv_free(f);
}

TEST("an old segment that the sequence check refuses is told as well")
{
    struct fx_rcv *f = fx_rcv(.isn = 0xfffffff0);
    struct tcp_seg g = {.seq = seq_of(0xfffffff0 + 10), .len = 20};
    fx_rx(f, .at = 0, .len = 100);
    tcp_reasm_on_old(f->t, f->c, &g);
    EXPECT_STR(ack_text(f), "100: 10-30");
    g.len = 0;
    tcp_reasm_on_old(f->t, f->c, &g);
    EXPECT_STR(ack_text(f), "100: ");
    fx_rcv_free(f);
}

/* ---- edges ---- */

TEST("what lies beyond the window is not taken, and neither is the FIN behind it")
{
    struct fx_rcv *f = fx_rcv(.isn = 0xffffff00, .buf = 4096, .window = 1000);
    EXPECT(!fx_rx(f, .at = 500, .len = 1000, .fin = true));
    EXPECT_STR(fx_sack_text(f, 4), "500-1000");
    EXPECT(!fx_rx(f, .at = 0, .len = 1200, .fin = true));
    EXPECT_EQ(fx_nxt(f), 1000);
    EXPECT(!fx_rx(f, .at = 1000, .len = 0, .fin = true));       /* it takes a number, too */
    EXPECT_EQ(fx_nxt(f), 1000);
    EXPECT_SEG_DROP(f->f, TCP_NO_SPACE, fx_rx(f, .at = 1000, .len = 10));
    fx_acked(f);
    EXPECT(fx_rx(f, .at = 1000, .len = 0, .fin = true));
    fx_read(f, 0, 1000);
    fx_rcv_free(f);
}

TEST("the FIN is consumed when all before it is here, wherever it comes")
{
    struct fx_rcv *f = fx_rcv(.isn = 0xfffffff5);
    EXPECT(!fx_rx(f, .at = 200, .len = 100, .fin = true));
    EXPECT_ACK(f, WHY_ACK_OUT_OF_ORDER);
    fx_acked(f);
    EXPECT(!fx_rx(f, .at = 0, .len = 100));
    fx_acked(f);
    EXPECT(fx_rx(f, .at = 100, .len = 100));
    EXPECT_ACK(f, WHY_ACK_FIN);
    EXPECT_EQ(fx_nxt(f), 301);
    EXPECT(f->c->is & TCP_IS_FIN_RCVD);
    EXPECT_EQ(f->c->rcv.unread, 300);
    fx_read(f, 0, 300);
    fx_rcv_free(f);
}

TEST("a FIN alone waits for what is missing before it")
{
    struct fx_rcv *f = fx_rcv();
    EXPECT(!fx_rx(f, .at = 10, .len = 0, .fin = true));
    EXPECT(fx_rx(f, .at = 0, .len = 10));
    EXPECT_EQ(fx_nxt(f), 11);
    fx_rcv_free(f);
}

TEST("nothing is taken behind the FIN, before it is consumed and after")
{
    struct fx_rcv *f = fx_rcv();
    EXPECT(!fx_rx(f, .at = 100, .len = 0, .fin = true));
    EXPECT_SEG_DROP(f->f, TCP_AFTER_FIN, fx_rx(f, .at = 100, .len = 50));
    fx_rx(f, .at = 50, .len = 100, .fin = true);                /* another place for it: no */
    EXPECT_STR(fx_sack_text(f, 4), "50-100");
    EXPECT(!fx_rx(f, .at = 0, .len = 20, .fin = true));         /* nor this */
    EXPECT_EQ(fx_nxt(f), 20);
    EXPECT(fx_rx(f, .at = 20, .len = 30));
    EXPECT_EQ(fx_nxt(f), 101);
    EXPECT_SEG_DROP(f->f, TCP_AFTER_FIN, fx_rx(f, .at = 101, .len = 50));
    EXPECT(!fx_rx(f, .at = 101, .len = 0, .fin = true));
    EXPECT(!fx_rx(f, .at = 90, .len = 10, .fin = true));        /* again */
    EXPECT_EQ(fx_nxt(f), 101);
    fx_read(f, 0, 100);
    fx_rcv_free(f);
}

TEST("a FIN before what is held already is not believed until it is in order")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 500, .len = 100);
    EXPECT(!fx_rx(f, .at = 100, .len = 0, .fin = true));
    EXPECT(!f->c->flight->ooo.has_fin);
    EXPECT(!fx_rx(f, .at = 0, .len = 100));
    EXPECT(!fx_rx(f, .at = 600, .len = 0, .fin = true));        /* behind all of it */
    EXPECT(f->c->flight->ooo.has_fin);
    EXPECT(fx_rx(f, .at = 100, .len = 400));
    EXPECT_EQ(fx_nxt(f), 601);
    fx_rcv_free(f);
}

TEST("bytes behind the payload, as short frames have them, are not taken for payload")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 50, .len = 10, .pad = 30);
    fx_rx(f, .at = 0, .len = 50, .pad = 7);
    EXPECT_EQ(fx_nxt(f), 60);
    EXPECT_EQ(f->c->rcv.unread, 60);
    fx_read(f, 0, 60);
    fx_rcv_free(f);
}

TEST("a FIN in order ends the stream, and what claims to lie behind it is dropped")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 500, .len = 100);
    EXPECT_SEG_DROP(f->f, TCP_AFTER_FIN, EXPECT(fx_rx(f, .at = 0, .len = 100, .fin = true)));
    EXPECT_EQ(fx_nxt(f), 101);
    EXPECT_EQ(f->c->flight->ooo.tree.n, 0);
    EXPECT_EQ(f->c->flight->ooo.bytes, 0);
    EXPECT_EQ(f->c->flight->ooo.charge, 0);
    fx_rcv_free(f);
}

/* ---- limits ---- */

TEST("a connection has so many gaps and no more, and still takes what is in order")
{
    COVERS("INV-6");
    struct fx_rcv *f = fx_rcv(.buf = 1 << 20, .window = 1 << 20, .wscale = 7);
    const uint32_t max = TCP_RANGES_MAX;
    EXPECT(pool_init(&f->t->ranges, "ranges", &f->f->fx.arena, sizeof(struct tcp_range), 2 * max));
    for (uint32_t i = 0; i < max; i++)
        fx_rx(f, .at = 2 + 2 * i, .len = 1);
    EXPECT_EQ(f->c->flight->ooo.tree.n, max);
    EXPECT_SEG_DROP(f->f, TCP_REASM_FULL, fx_rx(f, .at = 10 * max, .len = 1));
    EXPECT_ACK(f, WHY_ACK_OUT_OF_ORDER);
    fx_rx(f, .at = 3, .len = 1);                /* joins two of them */
    EXPECT_EQ(f->c->flight->ooo.tree.n, max - 1);
    for (uint32_t i = 0; i < 2 * max; i++)
        if (fx_nxt(f) == i)
            fx_rx(f, .at = i, .len = 1);
    EXPECT_EQ(fx_nxt(f), 2 * max + 1);
    fx_read(f, 0, 2 * max + 1);
    fx_rcv_free(f);
}

TEST("when the pool of ranges is empty only what touches one is kept")
{
    struct fx_rcv *f = fx_rcv();
    f->t->ranges.cap = 2;
    fx_rx(f, .at = 100, .len = 10);
    fx_rx(f, .at = 200, .len = 10);
    EXPECT_SEG_DROP(f->f, TCP_REASM_FULL, fx_rx(f, .at = 300, .len = 10));
    fx_rx(f, .at = 210, .len = 10);
    EXPECT_STR(fx_sack_text(f, 4), "200-220 100-110");
    fx_rcv_free(f);
}

TEST("data out of order leaves an eighth of the budget alone; data in order does not ask")
{
    COVERS("S36");
    struct fx_rcv *f = fx_rcv();
    struct budget *b = &f->f->fx.budget;
    uint64_t max = b->max, others = 1 << 20;
    fx_rx(f, .at = 5000, .len = 100);
    EXPECT(budget_take(b, others));
    b->max = b->used + b->used / 9;
    EXPECT_SEG_DROP(f->f, TCP_NO_SPACE, fx_rx(f, .at = 9000, .len = 100));
    fx_rx(f, .at = 0, .len = 100);
    EXPECT_EQ(fx_nxt(f), 100);
    b->max = max;
    budget_give(b, others);
    fx_rcv_free(f);
}

TEST("when no flight block is left, data out of order is dropped as if lost, and order goes on")
{
    struct fx_rcv *f = fx_rcv();
    void *held[65];
    unsigned n = 0;
    while ((held[n] = pool_get(&f->t->flights)) != NULL)
        n++;
    EXPECT_SEG_DROP(f->f, TCP_REASM_FULL, fx_rx(f, .at = 100, .len = 100));
    EXPECT_ACK(f, WHY_ACK_OUT_OF_ORDER);
    fx_rx(f, .at = 0, .len = 100);
    fx_rx(f, .at = 0, .len = 100);              /* a duplicate that cannot be told */
    EXPECT_EQ(fx_nxt(f), 100);
    EXPECT_EQ(f->c->out.dsack, 0);
    while (n > 0)
        pool_put(&f->t->flights, held[--n]);
    fx_rcv_free(f);
}

/* ---- any order at all, against a stream of bytes ---- */

#define SPACE 20000u

struct model {
    bool here[SPACE];
    uint8_t byte[SPACE];        /* of the first copy */
    uint32_t nxt, read;
    uint32_t fin;               /* 0: none known */
    bool fin_rcvd;
};

static uint32_t pick(struct rng *g, uint32_t n)
{
    return (uint32_t)(rng_u64(g) % n);
}

/* What the model says of a segment that the window takes from lo to hi. */
static void model_in(struct model *m, const struct fx_rx *x, uint32_t edge)
{
    uint32_t hi = x->at + x->len < edge ? x->at + x->len : edge;
    if (m->fin_rcvd)
        return;
    for (uint32_t i = x->at; i < hi; i++) {
        if (m->here[i])
            continue;
        m->here[i] = true;
        m->byte[i] = (uint8_t)(fx_byte(i) + x->twist);
    }
    while (m->nxt < SPACE && m->here[m->nxt])
        m->nxt++;
}

static uint32_t chain_len(const struct pkt *p)
{
    uint32_t n = 0;
    for (; p; p = p->next)
        n += (uint32_t)pkt_len(p);
    return n;
}

static void check_bytes(const struct fx_rcv *f, const struct model *m, const struct pkt *p,
                        uint32_t skip, uint32_t at)
{
    for (; p; p = p->next, skip = 0) {
        uint8_t buf[9000];
        uint32_t n = (uint32_t)pkt_len(p);
        EXPECT(n > 0 && n <= sizeof(buf));
        pkt_read(p, 0, buf, n);
        for (uint32_t i = skip; i < n; i++, at++)
            if (!m->here[at] || m->byte[at] != buf[i])
                fail_msg("byte %u of %u is wrong", at, f->isn);
    }
}

/* The struct's invariants, and that it holds what the model holds. */
static void check(const struct fx_rcv *f, const struct model *m)
{
    const struct tcp_conn *c = f->c;
    uint32_t bytes = 0, cost = 0, at = m->nxt;
    EXPECT_EQ(fx_nxt(f), m->nxt);
    EXPECT_EQ(c->rcv.unread, m->nxt - m->read);
    EXPECT_EQ(c->rcv.charge, chain_cost(c->rcvq));
    EXPECT_EQ(chain_len(c->rcvq) - c->rcvq_off, c->rcv.unread);
    check_bytes(f, m, c->rcvq, c->rcvq_off, m->read);
    for (struct seqnode *n = c->flight ? c->flight->ooo.tree.first : NULL; n; n = seqtree_next(n)) {
        const struct tcp_range *r = range_of(n);
        uint32_t from = n->key.v - f->isn, to = r->end.v - f->isn;
        EXPECT(from > at && to > from && seq_leq(r->end, c->rcv.adv));
        EXPECT_EQ(chain_len(r->first), to - from);
        EXPECT(r->last->next == NULL);
        for (uint32_t i = at; i < from; i++)
            EXPECT(!m->here[i]);
        check_bytes(f, m, r->first, 0, from);
        bytes += to - from;
        cost += chain_cost(r->first);
        at = to;
    }
    for (uint32_t i = at; i < SPACE; i++)
        EXPECT(!m->here[i]);
    if (c->flight) {
        EXPECT_EQ(c->flight->ooo.bytes, bytes);
        EXPECT_EQ(c->flight->ooo.charge, cost);
    }
    EXPECT(rcv_memory(c) <= RCV_MEMORY * (uint64_t)c->rcv.buf + 2 * 11000);
}

/* Blocks are ranges, each once, as many as there is room for. */
static void check_sacks(const struct fx_rcv *f, unsigned max)
{
    struct fx_blocks b = fx_sacks(f, max);
    const struct tcp_conn *c = f->c;
    unsigned d = c->out.dsack, all = (c->flight ? c->flight->ooo.tree.n : 0) + d;
    EXPECT_EQ(b.n, all < max ? all : max);
    for (unsigned i = d; i < b.n; i++) {
        const struct tcp_range *r = range_with(&c->flight->ooo, seq_of(f->isn + b.left[i]));
        EXPECT(r && r->node.key.v == f->isn + b.left[i] && r->end.v == f->isn + b.right[i]);
        for (unsigned k = d; k < i; k++)
            EXPECT(b.left[k] != b.left[i]);
    }
}

/* The first block but a duplicate's is the one that holds what just came. */
static void check_first(const struct fx_rcv *f, uint32_t at)
{
    struct fx_blocks b = fx_sacks(f, 2);
    unsigned d = f->c->out.dsack;
    if (b.n > d && range_with(&f->c->flight->ooo, seq_of(f->isn + at)))
        EXPECT(b.left[d] <= at && at < b.right[d]);
}

/* The implementation may refuse what is out of order: then the model never saw it. */
static void forget_refused(const struct fx_rcv *f, struct model *m, const bool before[])
{
    for (uint32_t i = m->nxt; i < SPACE; i++) {
        bool held = f->c->flight && range_with(&f->c->flight->ooo, seq_of(f->isn + i)) != NULL;
        EXPECT(held || !before[i]);             /* what was taken once is never thrown away */
        m->here[i] &= held;
    }
}

static void one_segment(struct fx_rcv *f, struct model *m, struct rng *g)
{
    static bool before[SPACE];
    uint64_t *drop = f->f->fx.env.drop_count;
    uint32_t edge = f->c->rcv.adv.v - f->isn, back = pick(g, 300);
    struct fx_rx x = {.twist = (uint8_t)pick(g, 3), .shape = (enum fx_shape)pick(g, FX_SHAPES)};
    x.at = pick(g, 3) == 0 ? m->nxt : (m->nxt > back ? m->nxt - back : 0) + pick(g, 3000);
    x.len = pick(g, 4) == 0 ? 1 + pick(g, 3) : 1 + pick(g, 900);
    if (x.at >= edge || x.at + x.len > SPACE)
        return;
    uint64_t refused = drop[DROP_TCP_NO_SPACE] + drop[DROP_TCP_REASM_FULL];
    memcpy(before, m->here, sizeof(before));
    fx_rx_in(f, &x);
    model_in(m, &x, edge);
    if (drop[DROP_TCP_NO_SPACE] + drop[DROP_TCP_REASM_FULL] > refused)
        forget_refused(f, m, before);
    else
        check_first(f, x.at);
    check(f, m);
    check_sacks(f, 1 + pick(g, 4));
}

static void one_read(struct fx_rcv *f, struct model *m, struct rng *g)
{
    uint8_t buf[4000];
    uint32_t n = tcp_reasm_read(f->t, f->c, buf, 1 + pick(g, sizeof(buf)), false);
    for (uint32_t i = 0; i < n; i++, m->read++)
        EXPECT_EQ(buf[i], m->byte[m->read]);
}

TEST("whatever comes in whatever order, cut however, is the stream of the first copies")
{
    COVERS("INV-1 MUST-59 INV-3");
    struct fx_tcp *on = fx_tcp();
    for (uint32_t seed = 1; seed <= 400; seed++) {
        static struct model m;
        static const uint32_t isns[] = {0, 0xffffff00, 0x7fffff80, 0xffff8000};
        static const uint32_t bufs[] = {2048, 6000, 65536};
        struct rng g;
        rng_seed(&g, seed, 7);
        struct fx_rcv *f = fx_rcv(.on = on, .isn = isns[seed % 4], .buf = bufs[seed % 3],
                                  .wscale = (uint8_t)(seed % 5));
        memset(&m, 0, sizeof(m));
        for (unsigned i = 0; i < 250; i++) {
            one_segment(f, &m, &g);
            if (pick(&g, 4) == 0)
                one_read(f, &m, &g);
            if (pick(&g, 3) == 0)
                fx_acked(f);
        }
        fx_rcv_free(f);
    }
    fx_tcp_free(on);
}

TEST("what the window promised is taken in order, whatever its sizes, though nobody reads")
{
    COVERS("SHLD-14 7323-5 S36");
    struct fx_tcp *on = fx_tcp();
    for (uint32_t seed = 1; seed <= 120; seed++) {
        static struct model m;
        struct rng g;
        rng_seed(&g, seed, 8);
        struct fx_rcv *f = fx_rcv(.on = on, .isn = 0u - seed * 100, .buf = 12000,
                                  .wscale = (uint8_t)(seed % 4));
        uint32_t size = seed % 2 ? 1 : 1 + pick(&g, 700);
        enum fx_shape shape = (enum fx_shape)(seed % FX_SHAPES);
        memset(&m, 0, sizeof(m));
        while (m.nxt < SPACE - 1000 && fx_nxt(f) < f->c->rcv.adv.v - f->isn) {
            struct fx_rx x = {.at = m.nxt, .len = size, .shape = shape};
            fx_rx_in(f, &x);
            model_in(&m, &x, f->c->rcv.adv.v - f->isn);
            EXPECT_EQ(fx_nxt(f), m.nxt);
            fx_acked(f);
        }
        check(f, &m);
        EXPECT(f->c->rcv.unread >= 11000);
        EXPECT(f->c->rcv.unread <= 12000 + 12000 / 8 + 8);
        fx_rcv_free(f);
    }
    fx_tcp_free(on);
}
