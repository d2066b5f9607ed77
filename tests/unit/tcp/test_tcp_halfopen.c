#include "fx_tcp.h"

static struct tcp_half *half(struct fx_tcp *f, uint16_t port)
{
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", port);
    return tcp_half_find(&f->tcp, &k, tcp_tuple_hash(&f->tcp, &k));
}

static struct tcp_listener *listener_with(struct fx_tcp *f, const struct tcp_profile *p)
{
    return fx_listen_as(f, NULL, 80, NULL, p);
}

/* ---- what is agreed upon ---- */

TEST("the SYN-ACK answers what was offered, with our number, our window unscaled and our MSS")
{
    COVERS("7323-1 7323-2");
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    fx_syn(f, 4000);
    const struct fx_sent *o = &f->out;
    EXPECT_EQ(o->h.seq.v, tcp_isn(&f->tcp, &k).iss.v);
    EXPECT_EQ(o->h.ack.v, FX_ISS + 1);
    EXPECT_EQ(o->h.wnd, 65535);
    EXPECT_EQ(o->o.mss, 1460);
    EXPECT(o->o.has_wscale && o->o.has_ts && o->o.sack_perm);
    EXPECT_EQ(o->o.wscale, f->tcp.set.wscale);
    EXPECT_EQ(o->o.ts_ecr, 5000);
    EXPECT_EQ(o->o.ts_val, (uint32_t)(f->fx.env.now / NS_PER_MS) + tcp_isn(&f->tcp, &k).ts_off);
    EXPECT_EQ(o->src.lo, k.local_lo);
    EXPECT_EQ(o->dst.lo, k.remote_lo);
    EXPECT_EQ(o->h.src_port, 80);
    EXPECT_EQ(o->h.dst_port, 4000);
    fx_tcp_free(f);
}

TEST("a connection by IPv6 likewise")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    fx_seg(f, .from = "2001:db8::2", .to = "2001:db8::1", .flags = TCP_SYN, .seq = 9);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.o.mss, 1440);
    fx_seg(f, .from = "2001:db8::2", .to = "2001:db8::1", .flags = TCP_ACK, .seq = 10,
           .ack = f->out.h.seq.v + 1);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(c->state, TCP_ESTABLISHED);
    EXPECT_EQ(c->snd.peer_mss, 1220);           /* MUST-15: none was told */
    tcp_abort(&f->tcp, c);
    fx_tcp_free(f);
}

TEST("what one side does not have is not used: every pair of abilities")
{
    COVERS("7323-1");
    for (unsigned mine = 0; mine < 8; mine++)
        for (unsigned theirs = 0; theirs < 8; theirs++) {
            struct fx_tcp *f = fx_tcp(.no_timestamps = !(mine & 1), .no_sack = !(mine & 2),
                                      .window_scale = (mine & 4) ? 5 : -1);
            struct tcp_listener *l = fx_listener(f, 80);
            unsigned both = mine & theirs;
            fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .mss = 1460, .ts = theirs & 1,
                   .ts_val = 5000, .sack = (theirs & 2) != 0, .wscale = (theirs & 4) ? 8 : 0);
            EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
            EXPECT_EQ(f->out.o.has_ts, both & 1);
            EXPECT_EQ(f->out.o.sack_perm, (both & 2) != 0);
            EXPECT_EQ(f->out.o.has_wscale, (both & 4) != 0);
            fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = f->out.h.seq.v + 1, .wnd = 100,
                   .ts = both & 1, .ts_val = 5001);
            struct tcp_conn *c = tcp_accept(&f->tcp, l);
            EXPECT_EQ((c->is & TCP_IS_TS) != 0, both & 1);
            EXPECT_EQ((c->is & TCP_IS_SACK) != 0, (both & 2) != 0);
            EXPECT_EQ(c->snd.wnd, (both & 4) ? 100 << 7 : 100);
            EXPECT_EQ(c->rcv.wscale, (both & 4) ? 5 : 0);
            tcp_abort(&f->tcp, c);
            fx_tcp_free(f);
        }
}

TEST("a shift above 14 counts as 14, an MSS below the least as that")
{
    COVERS("7323-3 6691-2 S1");
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    static const int shift[] = {0, 1, 13, 14, 15, 16, 100, 255};
    static const uint16_t mss[] = {1, 87, 88, 89, 536, 0xffff};
    for (uint16_t i = 0; i < ARRAY_LEN(shift); i++) {
        fx_seg(f, .flags = TCP_SYN, .port = (uint16_t)(5000 + i), .wscale = shift[i] + 1);
        EXPECT_EQ(half(f, (uint16_t)(5000 + i))->wscale, shift[i] < 14 ? shift[i] : 14);
    }
    for (uint16_t i = 0; i < ARRAY_LEN(mss); i++) {     /* 0xffff: an option that says 0 */
        fx_seg(f, .flags = TCP_SYN, .port = (uint16_t)(6000 + i), .mss = mss[i]);
        EXPECT_EQ(half(f, (uint16_t)(6000 + i))->peer_mss,
                  mss[i] == 0xffff || mss[i] < 88 ? 88 : mss[i]);
    }
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("ECN: asked for by both bits, answered by one, and nothing else is ECN")
{
    COVERS("3168-1");
    static const enum oriel_ecn ways[] = {ORIEL_ECN_OFF, ORIEL_ECN_PASSIVE, ORIEL_ECN_ON};
    for (unsigned w = 0; w < ARRAY_LEN(ways); w++)
        for (uint16_t bits = 0; bits < 4; bits++) {
            struct fx_tcp *f = fx_tcp(.ecn = ways[w]);
            struct tcp_listener *l = fx_listener(f, 80);
            uint16_t flags = (uint16_t)((bits & 1 ? TCP_ECE : 0) | (bits & 2 ? TCP_CWR : 0));
            bool ecn = bits == 3 && ways[w] != ORIEL_ECN_OFF;
            fx_seg(f, .flags = TCP_SYN | flags, .seq = FX_ISS, .mss = 1460);
            EXPECT_SEG(f, TCP_SYN | TCP_ACK | (ecn ? TCP_ECE : 0), WHY_SYN_ACK);
            EXPECT_EQ(f->out.tos & 3, 0);
            fx_ack(f, 4000);
            struct tcp_conn *c = tcp_accept(&f->tcp, l);
            EXPECT_EQ((c->is & TCP_IS_ECN) != 0, ecn);
            tcp_abort(&f->tcp, c);
            fx_tcp_free(f);
        }
}

TEST("accurate ECN: the SYN-ACK tells how the SYN's own mark arrived; the older get the older kind")
{
    static const uint16_t echo[] = {TCP_CWR, TCP_CWR | TCP_ECE, TCP_AE, TCP_AE | TCP_CWR};
    struct fx_tcp *f = fx_tcp(.ecn = ORIEL_ECN_ACCURATE);
    struct tcp_listener *l = fx_listener(f, 80);
    for (uint8_t mark = 0; mark < 4; mark++) {
        fx_seg(f, .flags = TCP_SYN | TCP_AE | TCP_CWR | TCP_ECE, .port = (uint16_t)(4000 + mark),
               .tos = mark, .seq = FX_ISS, .mss = 1460);
        EXPECT_SEG(f, TCP_SYN | TCP_ACK | echo[mark], WHY_SYN_ACK);
    }
    fx_seg(f, .flags = TCP_SYN | TCP_AE | TCP_ECE, .port = 4010, .seq = FX_ISS);   /* some day */
    EXPECT_SEG(f, TCP_SYN | TCP_ACK | TCP_CWR, WHY_SYN_ACK);
    fx_seg(f, .flags = TCP_SYN | TCP_CWR | TCP_ECE, .port = 4011, .seq = FX_ISS);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK | TCP_ECE, WHY_SYN_ACK);
    fx_ack(f, 4011);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(c->is & (TCP_IS_ECN | TCP_IS_ACCECN), TCP_IS_ECN);
    tcp_abort(&f->tcp, c);
    fx_tcp_free(f);
}

TEST("accurate ECN is given up where the SYN-ACK is not answered")
{
    struct fx_tcp *f = fx_tcp(.ecn = ORIEL_ECN_ACCURATE);
    EXPECT(fx_listener(f, 80) != NULL);
    fx_seg(f, .flags = TCP_SYN | TCP_AE | TCP_CWR | TCP_ECE, .seq = FX_ISS);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK | TCP_CWR, WHY_SYN_ACK);
    for (unsigned i = 0; i < 2; i++) {
        fx_tcp_pass(f, NS_PER_S << i);
        EXPECT_SEG(f, TCP_SYN | TCP_ACK | TCP_CWR, WHY_RTX_SYN_ACK);
    }
    fx_tcp_pass(f, 4 * NS_PER_S);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_RTX_SYN_ACK);
    fx_tcp_free(f);
}

/* ---- time ---- */

TEST("the SYN-ACK is sent again after 1, 2, 4, 8 and 16 seconds, then it is given up")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    fx_tcp_pass(f, 777);                        /* not a whole microsecond */
    fx_syn(f, 4000);
    uint32_t iss = f->out.h.seq.v;
    for (unsigned i = 0; i < 5; i++) {
        oriel_time due = f->fx.env.now + (NS_PER_S << i);
        fx_tcp_until(f, due - 1);
        EXPECT_NO_SEG(f);
        while (f->nif->tx.n == 0)
            fx_tcp_until(f, wheel_next(&f->fx.env.wheel));
        EXPECT(f->fx.env.now >= due && f->fx.env.now < due + NS_PER_US);
        EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_RTX_SYN_ACK);
        EXPECT_EQ(f->out.h.seq.v, iss);
    }
    fx_tcp_pass(f, 31 * NS_PER_S);
    EXPECT_EQ(l->half_open, 1);
    fx_tcp_pass(f, NS_PER_S + NS_PER_MS);
    EXPECT_EQ(l->half_open, 0);
    EXPECT_EQ(f->tcp.half.pool.live, 0);
    EXPECT(!timer_armed(&f->tcp.half.timer));
    EXPECT_NO_SEG(f);
    fx_tcp_free(f);
}

TEST("how often is the application's choice, and three minutes by the letter")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    p.syncnt = 2;
    struct tcp_listener *l = listener_with(f, &p);
    fx_syn(f, 4000);
    fx_tcp_pass(f, 7 * NS_PER_S - NS_PER_MS);
    EXPECT_EQ(l->half_open, 1);
    fx_tcp_pass(f, 2 * NS_PER_MS);
    EXPECT_EQ(l->half_open, 0);
    fx_tcp_drain(f);
    fx_tcp_free(f);
    f = fx_tcp(.personality = ORIEL_AS_RFC);
    l = fx_listener(f, 80);
    fx_syn(f, 4000);
    fx_tcp_pass(f, 180 * NS_PER_S);
    EXPECT_EQ(l->half_open, 1);
    fx_tcp_pass(f, 120 * NS_PER_S);
    EXPECT_EQ(l->half_open, 0);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("a thousand half-open connections of all ages are answered each at its own time")
{
    enum { N = 1000 };
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, N, 4, 16);
    EXPECT(fx_listener(f, 80) != NULL);
    static unsigned answers[N];
    static oriel_time began[N], last[N];
    memset(answers, 0, sizeof(answers));
    for (uint16_t i = 0; i < N; i++) {
        fx_syn(f, (uint16_t)(4000 + i));
        began[i] = last[i] = f->fx.env.now;
        fx_tcp_pass(f, 617 * NS_PER_US);
        while (fx_sent_next(f))
            fail();
    }
    oriel_time end = f->fx.env.now + 70 * NS_PER_S;
    while (wheel_next(&f->fx.env.wheel) < end) {
        fx_tcp_until(f, wheel_next(&f->fx.env.wheel));
        while (fx_sent_next(f)) {
            unsigned i = f->out.h.dst_port - 4000u;
            EXPECT(f->fx.env.now - last[i] == NS_PER_S << answers[i]);
            last[i] = f->fx.env.now;
            answers[i]++;
        }
    }
    for (unsigned i = 0; i < N; i++)
        EXPECT(answers[i] == 5 && last[i] - began[i] == 31 * NS_PER_S);
    EXPECT_EQ(f->tcp.half.pool.live, 0);
    fx_tcp_free(f);
}

TEST("the round trip is known from one SYN-ACK, and from one that was sent again it is not")
{
    COVERS("6298-6");
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    fx_syn(f, 4000);
    fx_tcp_pass(f, 80 * NS_PER_MS);
    fx_ack(f, 4000);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(tcp_srtt_ns(c), 80 * NS_PER_MS);
    EXPECT_EQ(c->is & TCP_IS_SYN_LOST, 0);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_syn(f, 4001);
    fx_tcp_pass(f, NS_PER_S);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_RTX_SYN_ACK);
    fx_tcp_pass(f, 80 * NS_PER_MS);
    fx_ack(f, 4001);
    c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(tcp_srtt_ns(c), 0);
    EXPECT(c->is & TCP_IS_SYN_LOST);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

/* ---- SYN-RECEIVED: 3.10.7.4 ---- */

/* A half-open connection of a peer without timestamps; its number is left in *iss. */
static struct fx_tcp *half_open(uint32_t *iss)
{
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    *iss = f->out.h.seq.v;
    return f;
}

TEST("the SYN again is answered again, and the clock of the answer begins anew")
{
    uint32_t iss;
    struct fx_tcp *f = half_open(&iss);
    fx_tcp_pass(f, 900 * NS_PER_MS);
    EXPECT_SEG_DROP(f, TCP_SYN_DUP, fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .mss = 1460));
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK_AGAIN);
    EXPECT_EQ(f->out.h.seq.v, iss);
    fx_tcp_pass(f, 999 * NS_PER_MS);
    EXPECT_NO_SEG(f);
    fx_tcp_pass(f, NS_PER_MS);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_RTX_SYN_ACK);
    fx_tcp_free(f);
}

TEST("a reset of a passive open is heard exactly where the next byte is, and nobody is told")
{
    COVERS("MUST-11 5961-1");
    uint32_t iss;
    struct fx_tcp *f = half_open(&iss);
    EXPECT_SEG_DROP(f, TCP_RST_OUTSIDE, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS));
    EXPECT_SEG_DROP(f, TCP_RST_OUTSIDE, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 1 + 65535));
    EXPECT_NO_SEG(f);
    EXPECT_SEG_DROP(f, TCP_RST_CHALLENGED, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 2));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_CHALLENGE);
    EXPECT_EQ(f->out.h.seq.v, iss + 1);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    EXPECT(half(f, 4000) != NULL);
    EXPECT_SEG_DROP(f, TCP_RST_TAKEN, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 1));
    EXPECT(half(f, 4000) == NULL);
    EXPECT_NO_SEG(f);
    fx_tcp_free(f);
}

TEST("an acknowledgement of anything but our SYN is reset, and the handshake goes on")
{
    uint32_t iss;
    struct fx_tcp *f = half_open(&iss);
    static const int32_t wrong[] = {0, 2, -1000, 1000};
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        EXPECT_SEG_DROP(f, TCP_ACK_UNSENT, fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1,
                                                  .ack = iss + (uint32_t)wrong[i]));
        EXPECT_SEG(f, TCP_RST, WHY_RST_HALF_OPEN);
        EXPECT_EQ(f->out.h.seq.v, iss + (uint32_t)wrong[i]);
    }
    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = iss + 1);
    EXPECT_EQ(f->tcp.table.used, 1);
    fx_tcp_free(f);
}

TEST("what is outside the window is answered, what has no ACK is not, another SYN is challenged")
{
    COVERS("5961-2");
    uint32_t iss;
    struct fx_tcp *f = half_open(&iss);
    EXPECT_SEG_DROP(f, TCP_OUTSIDE, fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS, .ack = iss + 1));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_OUTSIDE);
    EXPECT_EQ(f->out.h.seq.v, iss + 1);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    EXPECT_SEG_DROP(f, TCP_OUTSIDE,
                    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1 + 65535, .ack = iss + 1));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_OUTSIDE);
    EXPECT_SEG_DROP(f, TCP_NO_ACK, fx_seg(f, .flags = TCP_PSH, .seq = FX_ISS + 1, .len = 3));
    EXPECT_NO_SEG(f);
    static const uint32_t where[] = {FX_ISS + 1, FX_ISS + 70000, FX_ISS - 1};
    for (unsigned i = 0; i < ARRAY_LEN(where); i++) {
        EXPECT_SEG_DROP(f, TCP_SYN_CHALLENGED, fx_seg(f, .flags = TCP_SYN, .seq = where[i]));
        EXPECT_SEG(f, TCP_ACK, WHY_ACK_CHALLENGE);
    }
    EXPECT_SEG_DROP(f, TCP_SYN_CHALLENGED,
                    fx_seg(f, .flags = TCP_SYN | TCP_ACK, .seq = FX_ISS, .ack = iss + 1));
    EXPECT(half(f, 4000) != NULL);
    fx_tcp_free(f);
}

TEST("a peer that lost its memory gets in: SYN, our ACK, its reset, SYN")
{
    uint32_t iss;
    struct fx_tcp *f = half_open(&iss);
    fx_seg(f, .flags = TCP_SYN, .seq = 4000000000u, .mss = 1460);
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_CHALLENGE);
    fx_seg(f, .flags = TCP_RST, .seq = f->out.h.ack.v);
    fx_seg(f, .flags = TCP_SYN, .seq = 4000000000u, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, 4000000001u);
    fx_tcp_free(f);
}

TEST("timestamps: an old one is answered, a missing one is not, the newest SYN's is echoed")
{
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    fx_syn(f, 4000);
    uint32_t iss = f->out.h.seq.v;
    EXPECT_SEG_DROP(f, TCP_PAWS, fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = iss + 1,
                                        .ts = true, .ts_val = 4999));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_PAWS);
    EXPECT_EQ(f->out.o.ts_ecr, 5000);
    EXPECT_SEG_DROP(f, TCP_NO_TIMESTAMP,
                    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = iss + 1));
    EXPECT_NO_SEG(f);
    fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .ts = true, .ts_val = 6000);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK_AGAIN);
    EXPECT_EQ(f->out.o.ts_ecr, 6000);
    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = iss + 1, .ts = true, .ts_val = 6001);
    EXPECT_EQ(f->tcp.table.used, 1);
    fx_tcp_free(f);
}

TEST("data and FIN in the last ACK of the handshake are taken with it")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    char buf[16];
    fx_syn(f, 4000);
    fx_seg(f, .flags = TCP_ACK | TCP_FIN | TCP_PSH, .seq = FX_ISS + 1, .ack = f->out.h.seq.v + 1,
           .len = 5, .ts = true, .ts_val = 5001);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(c->state, TCP_CLOSE_WAIT);
    EXPECT_EQ(tcp_recv(&f->tcp, c, buf, sizeof(buf), 0), 5);
    EXPECT_MEM(buf, "abcde", 5);
    EXPECT_EQ(tcp_recv(&f->tcp, c, buf, sizeof(buf), 0), 0);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("data in a SYN is not kept: it comes again")
{
    COVERS("7413-5");
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    EXPECT_SEG_DROP(f, TCP_SYN_DATA, fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .len = 100));
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    fx_tcp_free(f);
}

TEST("numbers near the end of their space make no difference")
{
    COVERS("S34");
    static const uint32_t starts[] = {0xffffffff, 0xfffffffe, 0x7fffffff, 0x80000000, 0};
    for (unsigned i = 0; i < ARRAY_LEN(starts); i++) {
        struct fx_tcp *f = fx_tcp();
        struct tcp_listener *l = fx_listener(f, 80);
        fx_seg(f, .flags = TCP_SYN, .seq = starts[i], .mss = 1460);
        EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
        EXPECT_EQ(f->out.h.ack.v, starts[i] + 1);
        fx_seg(f, .flags = TCP_ACK, .seq = starts[i] + 1, .ack = f->out.h.seq.v + 1, .len = 3);
        struct tcp_conn *c = tcp_accept(&f->tcp, l);
        EXPECT_EQ(c->rcv.nxt.v, starts[i] + 4);
        tcp_abort(&f->tcp, c);
        fx_tcp_drain(f);
        fx_tcp_free(f);
    }
}

/* ---- DEFER_ACCEPT ---- */

static struct tcp_listener *deferring(struct fx_tcp *f, uint32_t ms)
{
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    p.defer_accept_ms = ms;
    return listener_with(f, &p);
}

TEST("with DEFER_ACCEPT a connection appears with its first data")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f, 10000);
    fx_syn(f, 4000);
    uint32_t iss = f->out.h.seq.v;
    fx_ack(f, 4000);
    EXPECT_EQ(l->waiting, 0);
    fx_tcp_pass(f, 5 * NS_PER_S);
    EXPECT_NO_SEG(f);                           /* it was acknowledged: no need to send it again */
    fx_seg(f, .flags = TCP_ACK | TCP_PSH, .seq = FX_ISS + 1, .ack = iss + 1, .len = 4, .ts = true,
           .ts_val = 5100);
    EXPECT_EQ(l->waiting, 1);
    EXPECT_EQ(l->half_open, 0);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("after that time one more SYN-ACK asks, and its acknowledgement is enough")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f, 3000);
    fx_syn(f, 4000);
    fx_ack(f, 4000);
    fx_tcp_pass(f, 3 * NS_PER_S - NS_PER_MS);
    EXPECT_NO_SEG(f);
    fx_tcp_pass(f, NS_PER_MS);                  /* 1 and 2 seconds have gone by */
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_RTX_SYN_ACK);
    fx_ack(f, 4000);
    EXPECT_EQ(l->waiting, 1);
    fx_tcp_free(f);
}

TEST("one that was acknowledged and then never again ends, however long data was waited for")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f, 600000);
    fx_syn(f, 4000);
    fx_ack(f, 4000);
    fx_tcp_pass(f, 599 * NS_PER_S);
    EXPECT_EQ(l->half_open, 1);
    EXPECT_NO_SEG(f);
    fx_tcp_pass(f, 400 * NS_PER_S);
    EXPECT_EQ(l->half_open, 0);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

/* ---- the table ---- */

TEST("a record is 80 bytes; thousands are found and forgotten in any order")
{
    EXPECT_EQ(sizeof(struct tcp_half), 80);
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 5000, 4, 16);
    struct tcp_listener *l = fx_listener(f, 80);
    for (uint16_t i = 0; i < 5000; i++) {
        fx_seg(f, .flags = TCP_SYN, .port = (uint16_t)(1000 + i), .seq = FX_ISS);
        if (i % 400 == 0)
            fx_tcp_drain(f);
    }
    fx_tcp_drain(f);
    EXPECT_EQ(l->half_open, 5000);
    unsigned seen = 0;
    for (uint32_t cursor = 0; tcp_half_each(&f->tcp, &cursor) != NULL;)
        seen++;
    EXPECT_EQ(seen, 5000);
    for (uint32_t i = 0; i < 5000; i++)
        EXPECT_SEG_DROP(f, TCP_RST_TAKEN,
                        fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 1,
                               .port = (uint16_t)(1000 + i * 2503u % 5000)));
    EXPECT_EQ(l->half_open, 0);
    for (unsigned q = 0; q < TCP_HALF_QUEUES; q++)
        EXPECT(f->tcp.half.queue[q].first == 0 && f->tcp.half.queue[q].last == 0);
    fx_tcp_free(f);
}
