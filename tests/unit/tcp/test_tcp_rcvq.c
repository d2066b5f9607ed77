#include "fx_rcv.h"

#include "tcp/tcp_rcvq.c"

/* ---- the window ---- */

/* Bytes that the peer may send beyond what was received. */
static uint32_t promised(const struct fx_rcv *f)
{
    return (uint32_t)seq_diff(f->c->rcv.nxt, f->c->rcv.adv);
}

TEST("the window is what is left of the buffer")
{
    struct fx_rcv *f = fx_rcv(.buf = 20000);
    EXPECT_EQ(fx_acked(f), 20000);
    fx_rx(f, .at = 0, .len = 1460);
    EXPECT_EQ(fx_acked(f), 20000 - 1460);
    fx_read(f, 0, 1460);
    EXPECT_EQ(fx_acked(f), 20000);
    fx_rcv_free(f);
}

TEST("the edge moves by half of the buffer or a full segment, whatever the application reads")
{
    COVERS("MUST-39");
    struct fx_rcv *f = fx_rcv(.buf = 20000, .isn = 0xffffff00);
    for (uint32_t at = 0; at < 20000; at += 1000)
        fx_rx(f, .at = at, .len = 1000);
    EXPECT_EQ(fx_acked(f), 0);
    for (uint32_t at = 0; at < 999; at++) {
        fx_read(f, at, 1);
        EXPECT_EQ(fx_acked(f), 0);              /* not one byte, and one more ... */
    }
    fx_read(f, 999, 1);
    EXPECT_EQ(fx_acked(f), 1000);               /* ... but a segment */
    fx_rcv_free(f);
    f = fx_rcv(.buf = 2048);
    fx_rx(f, .at = 0, .len = 2000);
    fx_rx(f, .at = 2000, .len = 48);
    EXPECT_EQ(fx_acked(f), 0);
    fx_read(f, 0, 1023);
    EXPECT_EQ(fx_acked(f), 0);
    fx_read(f, 1023, 1);
    EXPECT_EQ(fx_acked(f), 1024);               /* the buffer holds less than two of them */
    fx_rcv_free(f);
}

TEST("the edge never goes back, with any shift, whatever comes and is read")
{
    COVERS("SHLD-14 7323-5");
    struct fx_tcp *on = fx_tcp();
    for (uint8_t shift = 0; shift <= 14; shift++) {
        struct fx_rcv *f = fx_rcv(.on = on, .buf = 1 << 20, .window = 65535, .wscale = shift);
        struct rng g;
        uint32_t at = 0, read = 0, unit = 1u << shift;
        rng_seed(&g, shift, 3);
        for (unsigned i = 0; i < 400; i++) {
            uint32_t len = 1 + (uint32_t)(rng_u64(&g) % 1460), n = (uint32_t)(rng_u64(&g) % 2000);
            seq_t edge = f->c->rcv.adv;
            if (len > promised(f))
                len = promised(f);
            if (len > 0)
                fx_rx(f, .at = at, .len = len);
            at += len;
            n = n < at - read ? n : at - read;
            fx_read(f, read, n);
            read += n;
            uint32_t wnd = fx_acked(f);
            EXPECT_EQ(wnd % unit, 0);
            EXPECT(wnd >> shift <= UINT16_MAX);
            EXPECT(seq_leq(edge, f->c->rcv.adv));
            EXPECT(seq_leq(edge, seq_add(f->c->rcv.nxt, wnd)));         /* nor what is told of it */
        }
        fx_rcv_free(f);
    }
    fx_tcp_free(on);
}

TEST("a peer that sends byte by byte into the last unit of a scaled window comes to its end")
{
    struct fx_rcv *f = fx_rcv(.buf = 65536, .window = 65535, .wscale = 14);
    uint32_t at = 0, wnd = 1;
    for (; at < 80000 && promised(f) > 0; at++) {
        fx_rx(f, .at = at, .len = 1);
        wnd = fx_acked(f);
    }
    EXPECT_EQ(wnd, 0);
    EXPECT(f->c->rcv.unread >= 65535);
    EXPECT(f->c->rcv.unread <= 65536 + 65536 / ROUND_UP_SHARE);
    fx_rcv_free(f);
}

TEST("what was promised is promised still when the application makes its buffer smaller")
{
    COVERS("SHLD-14");
    struct fx_rcv *f = fx_rcv(.buf = 65536, .window = 60000);
    struct tcp_profile p = *f->c->prof, *was = f->c->prof;
    p.rcvbuf = 4096;
    f->c->prof = tcp_profile_get(f->t, &p);
    tcp_on_profile(f->t, f->c, was);
    tcp_profile_put(f->t, was);
    EXPECT_EQ(fx_acked(f), 60000);
    for (uint32_t at = 0; at < 60000; at += 1000)
        fx_rx(f, .at = at, .len = 1000);
    EXPECT_EQ(fx_nxt(f), 60000);
    EXPECT_EQ(fx_acked(f), 0);
    fx_read(f, 0, 60000);
    EXPECT_EQ(fx_acked(f), 4096);
    fx_rcv_free(f);
}

TEST("the application's clamp, the field's 16 bits and the memory that is free bound the window")
{
    struct fx_rcv *f = fx_rcv(.buf = 1 << 20, .window = 1000);
    EXPECT_EQ(fx_acked(f), 65535);              /* no scaling was agreed upon */
    fx_rcv_free(f);
    f = fx_rcv(.buf = 1 << 20, .window = 1000, .wscale = 5);
    struct budget *b = &f->f->fx.budget;
    uint64_t max = b->max;
    b->max = b->used + 40000;
    EXPECT_EQ(tcp_window(f->t, f->c), 10000 / 32 * 32);         /* a quarter */
    b->max = b->used;
    EXPECT_EQ(tcp_window(f->t, f->c), 1024);    /* what was promised before, rounded up */
    b->max = max;
    struct tcp_profile p = *f->c->prof;
    p.window_clamp = 5000;
    tcp_profile_put(f->t, f->c->prof);
    f->c->prof = tcp_profile_get(f->t, &p);
    EXPECT_EQ(fx_acked(f), 5000 / 32 * 32);
    fx_rcv_free(f);
}

TEST("a clamp of one segment, or memory for less than that, does not keep the window closed")
{
    COVERS("MUST-39");
    struct fx_rcv *f = fx_rcv(.buf = 1 << 20, .window = 1460, .wscale = 7);
    struct tcp_profile p = *f->c->prof;
    p.window_clamp = 1460;
    tcp_profile_put(f->t, f->c->prof);
    f->c->prof = tcp_profile_get(f->t, &p);
    fx_rx(f, .at = 0, .len = 1460);
    fx_read(f, 0, 1460);
    EXPECT_EQ(fx_acked(f), 1408);               /* 1,460 in units of 128 */
    fx_rcv_free(f);
    f = fx_rcv(.buf = 1 << 20, .window = 65000, .wscale = 7);
    struct budget *b = &f->f->fx.budget;
    f->c->rcv.mss = 60000;                      /* as by loopback */
    for (uint32_t at = 0; at < 65000; at += 1000)
        fx_rx(f, .at = at, .len = 1000);
    fx_read(f, 0, 65000);
    uint64_t max = b->max;
    b->max = b->used + 100000;
    EXPECT_EQ(fx_acked(f), 25000 / 128 * 128);
    b->max = max;
    fx_rcv_free(f);
}

TEST("memory that is taken makes the window smaller, whatever room the buffer has")
{
    struct fx_rcv *f = fx_rcv(.buf = 30000);
    f->c->rcv.adv = f->c->rcv.nxt;
    f->c->rcv.charge = 2 * 30000;
    EXPECT_EQ(tcp_window(f->t, f->c), 15000);
    f->c->rcv.charge = 3 * 30000;
    EXPECT_EQ(tcp_window(f->t, f->c), 0);
    f->c->rcv.charge = 0;
    EXPECT_EQ(tcp_window(f->t, f->c), 30000);
    fx_rcv_free(f);
}

TEST("a handshake that promised more than the buffer makes it so large")
{
    struct fx_rcv *f = fx_rcv(.buf = 4096, .window = 10000);
    EXPECT_EQ(f->c->rcv.buf, 10000);
    fx_rcv_free(f);
}

TEST("the first window is not scaled and not larger than the personality's")
{
    COVERS("7323-2");
    struct fx_rcv *f = fx_rcv(.wscale = 7);
    f->c->state = TCP_SYN_SENT;
    f->c->rcv.nxt = f->c->rcv.adv = seq_of(0);
    EXPECT_EQ(tcp_window(f->t, f->c), 65535);
    f->t->set.wnd_initial_max = 64240;
    EXPECT_EQ(tcp_window(f->t, f->c), 64240);
    f->c->state = TCP_ESTABLISHED;
    fx_rcv_free(f);
}

/* ---- window updates ---- */

TEST("a window update is due when the edge may move by two segments and the peer may be waiting")
{
    struct fx_rcv *f = fx_rcv(.buf = 20000);
    for (uint32_t at = 0; at < 20000; at += 1000)
        fx_rx(f, .at = at, .len = 1000);
    fx_acked(f);
    fx_read(f, 0, 1999);
    EXPECT_ACK(f, WHY_NONE);
    fx_read(f, 1999, 1);
    EXPECT_ACK(f, WHY_WINDOW_UPDATE);
    EXPECT_EQ(fx_acked(f), 2000);
    fx_read(f, 2000, 1000);
    EXPECT_ACK(f, WHY_NONE);
    fx_read(f, 3000, 1000);
    EXPECT_ACK(f, WHY_WINDOW_UPDATE);
    EXPECT_EQ(fx_acked(f), 4000);
    fx_read(f, 4000, 2000);
    EXPECT_ACK(f, WHY_NONE);                    /* it has more than half of the new window */
    fx_read(f, 6000, 2000);
    EXPECT_ACK(f, WHY_WINDOW_UPDATE);
    EXPECT_EQ(fx_acked(f), 8000);
    fx_rcv_free(f);
}

TEST("a peer that closed is told of no window")
{
    struct fx_rcv *f = fx_rcv(.buf = 4096);
    fx_rx(f, .at = 0, .len = 4000, .fin = true);
    fx_acked(f);
    fx_read(f, 0, 4000);
    EXPECT_ACK(f, WHY_NONE);
    fx_rcv_free(f);
}

/* ---- the buffer grows ---- */

static uint32_t stream_in(struct fx_rcv *f, uint32_t at, uint32_t n)
{
    for (uint32_t end = at + n; at < end; at += 1000) {
        fx_rx(f, .at = at, .len = 1000);
        fx_read(f, at, 1000);
        fx_acked(f);
    }
    return at;
}

TEST("the buffer becomes twice what was read in a round trip, up to its maximum")
{
    struct fx_rcv *f = fx_rcv(.wscale = 7, .window = 65535);
    uint32_t at = 0, was = f->c->rcv.buf;
    f->c->rtt.srtt_us8 = 8 * 20000;
    at = stream_in(f, at, 50000);
    EXPECT_EQ(f->c->rcv.buf, was);              /* the round is not over */
    fx_tcp_pass(f->f, 20 * NS_PER_MS);
    at = stream_in(f, at, 40000);
    EXPECT_EQ(f->c->rcv.buf, was);              /* 51,000 were read in the first */
    fx_tcp_pass(f->f, 20 * NS_PER_MS);
    at = stream_in(f, at, 100000);
    fx_tcp_pass(f->f, 20 * NS_PER_MS);
    at = stream_in(f, at, 1000);
    EXPECT_EQ(f->c->rcv.buf, 2 * 100000 + TUNE_SLACK_SEGS * 1000);
    for (unsigned i = 0; i < 20; i++) {
        at = stream_in(f, at, f->c->rcv.buf / 1000 * 1000);
        fx_tcp_pass(f->f, 20 * NS_PER_MS);
    }
    EXPECT_EQ(f->c->rcv.buf, f->t->set.rcvbuf_max);
    EXPECT_EQ(f->c->tune.rtt_us, 20000);
    fx_rcv_free(f);
}

TEST("a buffer that the application set, or that memory has no room for, stays as it is")
{
    struct fx_rcv *f = fx_rcv(.buf = 65536, .wscale = 7);
    f->c->rtt.srtt_us8 = 8 * 1000;
    uint32_t at = stream_in(f, 0, 60000);
    fx_tcp_pass(f->f, NS_PER_MS);
    stream_in(f, at, 60000);
    EXPECT_EQ(f->c->rcv.buf, 65536);
    fx_rcv_free(f);
    f = fx_rcv(.wscale = 7);
    uint64_t max = f->f->fx.budget.max;
    f->f->fx.budget.max = f->f->fx.budget.used + 400000;
    f->c->rtt.srtt_us8 = 8 * 1000;
    at = stream_in(f, 0, 90000);
    fx_tcp_pass(f->f, NS_PER_MS);
    stream_in(f, at, 90000);
    EXPECT_EQ(f->c->rcv.buf, f->t->set.rcvbuf);
    f->f->fx.budget.max = max;
    fx_rcv_free(f);
}

TEST("slow reading does not make a buffer grow")
{
    struct fx_rcv *f = fx_rcv(.wscale = 7);
    uint32_t at = 0;
    f->c->rtt.srtt_us8 = 8 * 1000;
    for (unsigned i = 0; i < 100; i++) {
        at = stream_in(f, at, 2000);
        fx_tcp_pass(f->f, 10 * NS_PER_MS);
    }
    EXPECT_EQ(f->c->rcv.buf, f->t->set.rcvbuf);
    fx_rcv_free(f);
}

/* ---- memory ---- */

TEST("one byte a segment, never read, costs a few bytes of memory each and not two thousand")
{
    COVERS("S36");
    for (enum fx_shape s = FX_PLAIN; s < FX_SHAPES; s++) {
        struct fx_rcv *f = fx_rcv(.buf = 30000);
        uint32_t at = 0;
        for (; promised(f) > 0; at++) {
            fx_rx(f, .at = at, .len = 1, .shape = s);
            EXPECT(rcv_memory(f->c) <= 3 * 30000 + 2 * 2304);
            fx_acked(f);
        }
        EXPECT_EQ(at, 30000);
        EXPECT(f->f->fx.budget.used <= 3 * 30000 + 2 * 2304);
        fx_read(f, 0, 30000);
        EXPECT_EQ(f->c->rcv.charge, 0);
        fx_rcv_free(f);
    }
}

TEST("full segments are never copied, however slowly they are read")
{
    struct fx_rcv *f = fx_rcv(.buf = 65536);
    uint32_t n = 0;
    for (uint32_t at = 0; at + 1460 <= 65535; at += 1460, n++)
        fx_rx(f, .at = at, .len = 1460);
    uint32_t pkts = 0;
    for (const struct pkt *p = f->c->rcvq; p; p = p->next, pkts++)
        EXPECT_EQ(pkt_len(p), 1460);
    EXPECT_EQ(pkts, n);
    fx_rcv_free(f);
}

TEST("squeezing fills what is left behind the last bytes, and goes on at the start of a block")
{
    struct fx_rcv *f = fx_rcv();
    struct env *env = &f->f->fx.env;
    struct fx_rx a = {.at = 0, .len = 1500}, b = {.at = 1500, .len = 700};
    struct pkt *p = fx_rx_packet(env, &a), *q = fx_rx_packet(env, &b);
    uint32_t len = 700, room;
    tcp_rcv_strip(p, FX_HDRS);
    tcp_rcv_strip(q, FX_HDRS);
    room = blk_class_bytes[BLK_FRAME] - p->head.off - 1500;
    EXPECT(tcp_rcv_squeeze(env, p, q, &len) == q);
    EXPECT_EQ(len, 700 - room);
    EXPECT_EQ(pkt_len(p), 1500 + room);
    EXPECT_EQ(q->head.off, 0);
    EXPECT_EQ(pkt_len(q), len);
    for (uint32_t i = 0; i < 1500 + room; i++)
        EXPECT_EQ(pkt_data(p)[i], fx_byte(i));
    for (uint32_t i = 0; i < len; i++)
        EXPECT_EQ(pkt_data(q)[i], fx_byte(1500 + room + i));
    pkt_free(p);
    pkt_free(q);
    fx_rcv_free(f);
}

TEST("a block that somebody else looks at is not written to")
{
    struct fx_rcv *f = fx_rcv();
    struct env *env = &f->f->fx.env;
    struct fx_rx a = {.at = 0, .len = 300}, b = {.at = 300, .len = 300};
    struct pkt *p = fx_rx_packet(env, &a), *q = fx_rx_packet(env, &b);
    struct pkt *other = pkt_share(env, p), *another = pkt_share(env, q);
    uint32_t len = 300;
    tcp_rcv_strip(p, FX_HDRS);
    tcp_rcv_strip(q, FX_HDRS);
    struct pkt *made = tcp_rcv_squeeze(env, p, q, &len);
    EXPECT(made != NULL && len == 300 && pkt_len(p) == 300);
    EXPECT(made->head.blk != another->head.blk);
    for (uint32_t i = 0; i < 300; i++)
        EXPECT_EQ(pkt_data(made)[i], fx_byte(300 + i));
    pkt_free(p);
    pkt_free(made);
    pkt_free(other);
    pkt_free(another);
    fx_rcv_free(f);
}

/* ---- reading ---- */

TEST("reading gives what is there, peeking leaves it, and looking shows it where it lies")
{
    for (enum fx_shape s = FX_PLAIN; s < FX_SHAPES; s++) {
        struct fx_rcv *f = fx_rcv();
        uint8_t buf[600];
        struct oriel_bytes v[8];
        fx_rx(f, .at = 0, .len = 200, .shape = s);
        fx_rx(f, .at = 200, .len = 300, .shape = s);
        EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 600, true), 500);
        EXPECT_EQ(buf[499], fx_byte(499));
        EXPECT_EQ(f->c->rcv.unread, 500);
        fx_read(f, 0, 150);
        unsigned n = tcp_reasm_view(f->c, v, 8);
        uint32_t at = 150;
        for (unsigned i = 0; i < n; i++)
            for (size_t k = 0; k < v[i].n; k++, at++)
                EXPECT_EQ(((const uint8_t *)v[i].p)[k], fx_byte(at));
        EXPECT_EQ(at, 500);
        EXPECT_EQ(tcp_reasm_view(f->c, v, 1), 1);
        tcp_reasm_skip(f->t, f->c, 100);
        fx_read(f, 250, 250);
        EXPECT_EQ(tcp_reasm_view(f->c, v, 8), 0);
        EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 600, false), 0);
        fx_rcv_free(f);
    }
}

TEST("what was shown stays where it is while more is appended behind it")
{
    struct fx_rcv *f = fx_rcv(.buf = 2048);
    struct oriel_bytes v[1];
    fx_rx(f, .at = 0, .len = 10);
    EXPECT_EQ(tcp_reasm_view(f->c, v, 1), 1);
    for (uint32_t at = 10; at < 500; at++)
        fx_rx(f, .at = at, .len = 1);
    EXPECT_EQ(v[0].n, 10);
    for (uint32_t i = 0; i < 10; i++)
        EXPECT_EQ(((const uint8_t *)v[0].p)[i], fx_byte(i));
    fx_read(f, 0, 500);
    fx_rcv_free(f);
}

TEST("what waits is dropped with its memory when nobody is to read it any more")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 0, .len = 200);
    fx_rx(f, .at = 200, .len = 200);
    tcp_rcvq_drop(f->t, f->c, DROP_SOCK_CLOSED);
    EXPECT_EQ(f->f->fx.env.drop_count[DROP_SOCK_CLOSED], 2);
    EXPECT(f->c->rcv.unread == 0 && f->c->rcv.charge == 0 && f->c->rcvq_last == NULL);
    fx_rcv_free(f);
}

/* ---- urgent data ---- */

static int oob(struct fx_rcv *f, uint8_t *to)
{
    return tcp_recv_oob(f->t, f->c, to, 1, false);
}

TEST("the urgent byte is kept apart, and reading stops once where it stood")
{
    COVERS("MUST-30 MUST-62 MUST-33");
    struct fx_rcv *f = fx_rcv(.isn = 0xfffffff0);
    uint8_t v = 0, buf[100];
    EXPECT_EQ(oob(f, &v), ORIEL_EINVAL);
    fx_rx(f, .at = 0, .len = 50, .urg = true, .up = 20);        /* the 20th byte is urgent */
    EXPECT(f->c->is & TCP_IS_OOB_BYTE);
    EXPECT(!tcp_at_mark(f->c));
    EXPECT_EQ(tcp_recv_oob(f->t, f->c, &v, 1, true), 1);
    EXPECT_EQ(oob(f, &v), 1);
    EXPECT_EQ(v, fx_byte(19));
    EXPECT_EQ(oob(f, &v), ORIEL_EINVAL);
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 100, false), 19);
    EXPECT(tcp_at_mark(f->c));
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 100, false), 30);
    EXPECT_EQ(buf[0], fx_byte(20));
    EXPECT(!tcp_at_mark(f->c));
    EXPECT(!(f->c->is & TCP_IS_URG_IN));
    fx_rcv_free(f);
}

TEST("with OOBINLINE it stays in the stream, and reading stops before it")
{
    struct fx_rcv *f = fx_rcv(.inline_oob = true);
    uint8_t v, buf[100];
    fx_rx(f, .at = 0, .len = 50, .urg = true, .up = 20);
    EXPECT_EQ(oob(f, &v), ORIEL_EINVAL);
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 100, false), 19);
    EXPECT(tcp_at_mark(f->c));
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 100, false), 31);
    EXPECT_EQ(buf[0], fx_byte(19));
    EXPECT(!tcp_at_mark(f->c));
    fx_rcv_free(f);
}

TEST("urgent data may be announced before it comes, and comes in any order")
{
    COVERS("MUST-30 MUST-32");
    struct fx_rcv *f = fx_rcv();
    uint8_t v, buf[300];
    fx_rx(f, .at = 0, .len = 10, .urg = true, .up = 200);
    EXPECT(f->c->is & TCP_IS_URG_IN);
    EXPECT_EQ(oob(f, &v), ORIEL_EAGAIN);
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 300, false), 10);
    fx_rx(f, .at = 100, .len = 150, .shape = FX_SLICES);        /* it lies in here */
    EXPECT_EQ(oob(f, &v), ORIEL_EAGAIN);
    fx_rx(f, .at = 10, .len = 90);
    EXPECT_EQ(oob(f, &v), 1);
    EXPECT_EQ(v, fx_byte(199));
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 300, false), 189);
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 300, false), 50);
    fx_rcv_free(f);
}

TEST("the pointer may move again and again, beyond 64 KiB; each time the application is told once")
{
    COVERS("MUST-31 MUST-32");
    struct fx_rcv *f = fx_rcv(.buf = 1 << 18, .window = 1 << 18, .wscale = 3);
    unsigned told = 0;
    for (uint32_t at = 0; at < 120000; at += 1000) {
        f->c->is &= ~(uint32_t)TCP_IS_DIRTY;
        struct tcp_seg g = {.seq = seq_of(at), .urg = 60000, .flags = TCP_URG};
        tcp_urgent_input(f->t, f->c, &g);
        told += (f->c->is & TCP_IS_DIRTY) != 0;
        f->c->is &= ~(uint32_t)TCP_IS_DIRTY;
        tcp_urgent_input(f->t, f->c, &g);       /* the same again */
        EXPECT(!(f->c->is & TCP_IS_DIRTY));
        fx_rx(f, .at = at, .len = 1000);
    }
    EXPECT_EQ(told, 120);
    EXPECT_EQ(f->c->rcv_up.v, 119000 + 60000);
    for (uint32_t at = 120000; at < 180000; at += 1000)
        fx_rx(f, .at = at, .len = 1000);
    uint8_t v;
    EXPECT_EQ(oob(f, &v), 1);
    EXPECT_EQ(v, fx_byte(179000 - 1));
    fx_read(f, 0, 178999);
    EXPECT(tcp_at_mark(f->c));
    fx_read(f, 179000, 1000);
    fx_rcv_free(f);
}

TEST("an urgent byte that nobody asked for makes way for the next one")
{
    struct fx_rcv *f = fx_rcv();
    uint8_t v;
    fx_rx(f, .at = 0, .len = 50, .urg = true, .up = 20);
    fx_rx(f, .at = 50, .len = 10, .urg = true, .up = 30);
    EXPECT_EQ(oob(f, &v), ORIEL_EAGAIN);
    fx_rx(f, .at = 60, .len = 40);
    EXPECT_EQ(oob(f, &v), 1);
    EXPECT_EQ(v, fx_byte(79));
    fx_read(f, 0, 79);                          /* the first one with it, as any other byte */
    fx_rcv_free(f);
}

TEST("a pointer to what was read already is no news")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 0, .len = 100);
    fx_read(f, 0, 100);
    fx_rx(f, .at = 50, .len = 50, .urg = true, .up = 50);
    EXPECT(!(f->c->is & TCP_IS_URG_IN));
    fx_rx(f, .at = 100, .len = 10, .urg = true, .up = 0);
    EXPECT(!(f->c->is & TCP_IS_URG_IN));
    fx_rcv_free(f);
}

TEST("an urgent byte that is all there is leaves nothing to read, and is still the stream's end")
{
    struct fx_rcv *f = fx_rcv();
    uint8_t v, buf[10];
    fx_rx(f, .at = 0, .len = 1, .urg = true, .up = 1, .fin = true);
    EXPECT_EQ(f->c->rcv.unread, 0);
    EXPECT(tcp_at_mark(f->c));
    EXPECT_EQ(tcp_reasm_read(f->t, f->c, buf, 10, false), 0);
    EXPECT_EQ(oob(f, &v), 1);
    EXPECT_EQ(v, fx_byte(0));
    EXPECT_EQ(fx_nxt(f), 2);
    fx_rcv_free(f);
}
