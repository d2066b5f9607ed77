#include "fx_tcp.h"

static struct tcp_tuple client(void)
{
    return fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
}

static bool check(struct fx_tcp *f, seq_t cookie, struct tcp_cookie *out)
{
    struct tcp_tuple k = client();
    return tcp_cookie_check(&f->tcp, &k, seq_of(FX_ISS), cookie, false, 0, out);
}

static seq_t make(struct fx_tcp *f, uint16_t mss)
{
    struct tcp_tuple k = client();
    struct tcp_opts o = {.has_mss = true, .mss = mss};
    uint32_t ts;
    return tcp_cookie_make(&f->tcp, &k, seq_of(FX_ISS), &o, false, &ts);
}

/* ---- numbers ---- */

TEST("a known key, tuple and minute give a known cookie")
{
    struct fx_tcp *f = fx_tcp();
    f->tcp.half.cookie_key = (struct siphash_key){.k0 = 0x0706050403020100,
                                                  .k1 = 0x0f0e0d0c0b0a0908};
    EXPECT_EQ(f->fx.env.now, 1000 * NS_PER_S);
    EXPECT_EQ(make(f, 88).v, 0x0e497159);       /* SipHash-2-4, computed elsewhere */
    EXPECT_EQ(make(f, 1460).v, 0x0e497159 ^ 5u << 29);
    fx_tcp_free(f);
}

TEST("every MSS comes back as the largest in the table that it is not below")
{
    COVERS("4987-1");
    static const uint16_t table[] = {88, 536, 1220, 1360, 1440, 1460, 4312, 8960};
    struct fx_tcp *f = fx_tcp();
    struct tcp_cookie c;
    unsigned i = 0;
    for (uint32_t mss = 88; mss <= 65535; mss++) {
        while (i + 1 < ARRAY_LEN(table) && table[i + 1] <= mss)
            i++;
        EXPECT(check(f, make(f, (uint16_t)mss), &c));
        EXPECT_EQ(c.mss, table[i]);
    }
    EXPECT(check(f, make(f, 0), &c));           /* S1: nonsense is the least, not nothing */
    EXPECT_EQ(c.mss, 88);
    fx_tcp_free(f);
}

TEST("without an MSS option the default of the family comes back")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple v4 = client(), v6 = fx_tuple("2001:db8::1", 80, "2001:db8::2", 4000);
    struct tcp_opts none = {0};
    struct tcp_cookie c;
    uint32_t ts;
    seq_t a = tcp_cookie_make(&f->tcp, &v4, seq_of(1), &none, false, &ts);
    EXPECT(tcp_cookie_check(&f->tcp, &v4, seq_of(1), a, false, 0, &c));
    EXPECT_EQ(c.mss, 536);
    seq_t b = tcp_cookie_make(&f->tcp, &v6, seq_of(1), &none, false, &ts);
    EXPECT(tcp_cookie_check(&f->tcp, &v6, seq_of(1), b, false, 0, &c));
    EXPECT_EQ(c.mss, 1220);
    fx_tcp_free(f);
}

TEST("a cookie is good for its period of 64 seconds and the next, and not for longer")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_cookie c;
    fx_tcp_until(f, 64 * 20 * NS_PER_S);        /* a period begins */
    seq_t cookie = make(f, 1460);
    fx_tcp_pass(f, 128 * NS_PER_S - 1);
    (void)make(f, 1460);                        /* others are made meanwhile */
    EXPECT(check(f, cookie, &c));
    EXPECT_EQ(c.mss, 1460);
    fx_tcp_pass(f, 1);
    EXPECT(!check(f, cookie, &c));
    fx_tcp_free(f);
}

TEST("a cookie is for one tuple and one initial number of the peer")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple k = client(), other;
    struct tcp_cookie c;
    seq_t cookie = make(f, 1460);
    EXPECT(!tcp_cookie_check(&f->tcp, &k, seq_of(FX_ISS + 1), cookie, false, 0, &c));
    other = k, other.remote_port++;
    EXPECT(!tcp_cookie_check(&f->tcp, &other, seq_of(FX_ISS), cookie, false, 0, &c));
    other = k, other.local_port++;
    EXPECT(!tcp_cookie_check(&f->tcp, &other, seq_of(FX_ISS), cookie, false, 0, &c));
    other = k, other.remote_lo++;
    EXPECT(!tcp_cookie_check(&f->tcp, &other, seq_of(FX_ISS), cookie, false, 0, &c));
    other = k, other.local_lo++;
    EXPECT(!tcp_cookie_check(&f->tcp, &other, seq_of(FX_ISS), cookie, false, 0, &c));
    f->tcp.half.cookie_key.k1 ^= 1;
    EXPECT(!check(f, cookie, &c));
    fx_tcp_free(f);
}

TEST("of a million guesses not one is a cookie, and each wrong bit of a right one is seen")
{
    COVERS("S23");
    struct fx_tcp *f = fx_tcp();
    struct tcp_cookie c;
    seq_t cookie = make(f, 1460);
    for (unsigned b = 0; b < 29; b++)
        EXPECT(!check(f, seq_of(cookie.v ^ 1u << b), &c));
    for (unsigned b = 29; b < 32; b++)          /* another MSS, as he might have told us himself */
        EXPECT(check(f, seq_of(cookie.v ^ 1u << b), &c));
    unsigned hits = 0;
    for (uint32_t i = 0; i < 1u << 20; i++)     /* 2^-28 each: one seed in 256 would have a hit */
        hits += check(f, seq_of(i * 1021u + 77), &c);
    EXPECT_EQ(hits, 0);
    fx_tcp_free(f);
}

TEST("no cookie is looked at when none was sent lately")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_cookie c;
    seq_t cookie = make(f, 1460);
    f->tcp.half.cookies_until = 0;
    EXPECT(!check(f, cookie, &c));
    fx_tcp_free(f);
}

/* ---- timestamps ---- */

static bool round_trip(struct fx_tcp *f, uint32_t ts, int shift, bool sack, bool ecn,
                       struct tcp_cookie *out, uint32_t *said)
{
    struct tcp_tuple k = client();
    struct tcp_opts o = {.has_mss = true, .mss = 1460, .has_ts = true, .sack_perm = sack,
                         .has_wscale = shift >= 0, .wscale = (uint8_t)shift};
    *said = ts;
    seq_t cookie = tcp_cookie_make(&f->tcp, &k, seq_of(FX_ISS), &o, ecn, said);
    return tcp_cookie_check(&f->tcp, &k, seq_of(FX_ISS), cookie, true, *said, out);
}

TEST("with timestamps every shift, SACK and ECN come back, from a timestamp that is not ahead")
{
    COVERS("4987-1");
    struct fx_tcp *f = fx_tcp();
    for (uint32_t ts = 0xffffff80u; ts != 0x80u; ts++)          /* round the circle */
        for (int shift = -1; shift <= 15; shift++)
            for (unsigned bits = 0; bits < 4; bits++) {
                struct tcp_cookie c;
                uint32_t said;
                EXPECT(round_trip(f, ts, shift, bits & 1, bits & 2, &c, &said));
                EXPECT_EQ(c.wscale, shift < 0 ? 0xff : shift > 14 ? 14 : shift);
                EXPECT_EQ(c.sack, bits & 1);
                EXPECT_EQ(c.ecn, bits >> 1);
                EXPECT(ts - said < 64);
            }
    fx_tcp_free(f);
}

TEST("what we do not offer is not kept: no shift, no SACK")
{
    struct fx_tcp *f = fx_tcp(.window_scale = -1, .no_sack = true);
    struct tcp_cookie c;
    uint32_t said;
    EXPECT(round_trip(f, 12345, 7, true, false, &c, &said));
    EXPECT_EQ(c.wscale, 0xff);
    EXPECT(!c.sack);
    fx_tcp_free(f);
}

/* ---- handshakes ---- */

/* The SYN of a peer that can everything, or nothing, to a stack that keeps no records. */
static struct tcp_conn *by_cookie(struct fx_tcp *f, struct tcp_listener *l, bool able, uint16_t len)
{
    fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .mss = 1400, .wscale = able ? 8 : 0, .sack = able,
           .ts = able, .ts_val = 5000);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_COOKIE);
    EXPECT_EQ(f->tcp.half.pool.live, 0);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    EXPECT_EQ(f->out.o.has_wscale, able);
    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = f->out.h.seq.v + 1, .len = len,
           .ts = able, .ts_val = 5001, .ts_ecr = f->out.o.ts_val, .wnd = 1000);
    return tcp_accept(&f->tcp, l);
}

TEST("a connection is born from a cookie as from a record: options, numbers, data in the ACK")
{
    COVERS("4987-1");
    struct fx_tcp *f = fx_tcp(.cookies = ORIEL_COOKIES_ALWAYS);
    struct tcp_listener *l = fx_listener(f, 80);
    struct tcp_conn *c = by_cookie(f, l, true, 100);
    EXPECT(c != NULL);
    EXPECT_EQ(c->state, TCP_ESTABLISHED);
    EXPECT_EQ(c->snd.peer_mss, 1360);
    EXPECT_EQ(c->snd_wscale, 7);
    EXPECT_EQ(c->snd.wnd, 1000 << 7);
    EXPECT_EQ(c->rcv.nxt.v, FX_ISS + 101);
    EXPECT_EQ(c->rcv.ts_recent, 5001);
    EXPECT_EQ(c->is & (TCP_IS_TS | TCP_IS_SACK | TCP_IS_WSCALE), TCP_IS_TS | TCP_IS_SACK |
                                                                    TCP_IS_WSCALE);
    EXPECT_EQ(c->ts_off, tcp_isn(&f->tcp, &c->tuple).ts_off);
    EXPECT_EQ(l->cookies_sent, 1);
    tcp_abort(&f->tcp, c);
    fx_tcp_free(f);
}

TEST("a peer without timestamps keeps its MSS and nothing else")
{
    struct fx_tcp *f = fx_tcp(.cookies = ORIEL_COOKIES_ALWAYS);
    struct tcp_listener *l = fx_listener(f, 80);
    struct tcp_conn *c = by_cookie(f, l, false, 0);
    EXPECT(c != NULL);
    EXPECT_EQ(c->snd.peer_mss, 1360);
    EXPECT_EQ(c->is & (TCP_IS_TS | TCP_IS_SACK | TCP_IS_WSCALE | TCP_IS_ECN), 0);
    EXPECT_EQ(c->snd.wnd, 1000);
    tcp_abort(&f->tcp, c);
    fx_tcp_free(f);
}

TEST("an ACK that brings no cookie of ours is reset, and counted as such only while some are out")
{
    COVERS("9293-LISTEN");
    struct fx_tcp *f = fx_tcp(.cookies = ORIEL_COOKIES_ALWAYS);
    EXPECT(fx_listener(f, 80) != NULL);
    EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_seg(f, .flags = TCP_ACK, .seq = 5, .ack = 77));
    EXPECT_SEG(f, TCP_RST, WHY_RST_LISTEN);
    EXPECT_EQ(f->out.h.seq.v, 77);
    fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_COOKIE);
    EXPECT_SEG_DROP(f, TCP_COOKIE, fx_seg(f, .flags = TCP_ACK, .seq = 5, .ack = 77));
    EXPECT_SEG(f, TCP_RST, WHY_RST_LISTEN);
    EXPECT_EQ(f->tcp.conns.live, 0);
    fx_tcp_free(f);
}

TEST("while the accept queue is full a cookie's ACK is dropped, and its cookie stays good")
{
    struct fx_tcp *f = fx_tcp(.cookies = ORIEL_COOKIES_ALWAYS);
    struct tcp_listener *l = fx_listener(f, 80);
    fx_seg(f, .flags = TCP_SYN, .seq = FX_ISS, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_COOKIE);
    uint32_t iss = f->out.h.seq.v;
    tcp_listen_set_backlog(l, 1);
    l->waiting = 1;
    EXPECT_SEG_DROP(f, TCP_ACCEPT_BACKLOG,
                    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = iss + 1));
    EXPECT_NO_SEG(f);
    l->waiting = 0;
    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = iss + 1);
    EXPECT_EQ(l->waiting, 1);
    fx_tcp_free(f);
}

TEST("a full table answers with cookies, or not at all where they are not wanted")
{
    COVERS("4987-1 S23");
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 4, 4, 16);
    struct tcp_listener *l = fx_listener(f, 80);
    for (uint16_t i = 0; i < 4; i++)
        fx_syn(f, (uint16_t)(4000 + i));
    fx_seg(f, .flags = TCP_SYN, .port = 5000, .seq = FX_ISS, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_COOKIE);
    fx_ack(f, 5000);
    EXPECT_EQ(l->waiting, 1);
    f->tcp.set.cookies = ORIEL_COOKIES_NEVER;
    EXPECT_SEG_DROP(f, TCP_SYN_BACKLOG,
                    fx_seg(f, .flags = TCP_SYN, .port = 5001, .seq = FX_ISS, .mss = 1460));
    EXPECT_NO_SEG(f);
    EXPECT_EQ(l->half_open, 4);
    fx_tcp_free(f);
}

TEST("a million forged SYNs take no more than the table, and every honest client gets through")
{
    COVERS("4987-1 S23");
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 1024, 4, 256);
    struct tcp_listener *l = fx_listener(f, 80);
    unsigned honest = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        struct fx_segment forged = {.flags = TCP_SYN, .seq = i * 2654435761u, .mss = 1460,
                                    .port = (uint16_t)(1024 + i % 60000)};
        char from[20];
        snprintf(from, sizeof(from), "10.0.%u.%u", 1 + i / 60000, i % 251 + 1);
        forged.from = from;
        fx_segment_in(f, &forged);
        fx_tcp_drain(f);
        if (i % 10000 == 5000) {
            fx_seg(f, .flags = TCP_SYN, .port = (uint16_t)(2000 + honest), .seq = FX_ISS,
                   .mss = 1460, .wscale = 8, .sack = true, .ts = true, .ts_val = 5000);
            EXPECT(fx_sent_next(f));
            fx_ack(f, (uint16_t)(2000 + honest++));
            struct tcp_conn *c = tcp_accept(&f->tcp, l);
            EXPECT(c && c->state == TCP_ESTABLISHED && c->snd_wscale == 7);
            tcp_abort(&f->tcp, c);
            fx_tcp_drain(f);
        }
        if (i % 1000 == 0)
            fx_tcp_pass(f, NS_PER_MS);
    }
    EXPECT_EQ(honest, 100);
    EXPECT_EQ(f->tcp.half.pool.live, 1024);
    EXPECT_EQ(f->tcp.half.pool.peak, 1024);
    fx_tcp_free(f);
}

TEST("ECN outlives a cookie where the peer has timestamps")
{
    struct fx_tcp *f = fx_tcp(.cookies = ORIEL_COOKIES_ALWAYS, .ecn = ORIEL_ECN_ACCURATE);
    struct tcp_listener *l = fx_listener(f, 80);
    for (unsigned i = 0; i < 2; i++) {          /* accurate feedback does not: the older kind */
        fx_seg(f, .flags = (uint16_t)(TCP_SYN | TCP_ECE | TCP_CWR | (i ? TCP_AE : 0)),
               .seq = FX_ISS, .mss = 1460, .ts = true, .ts_val = 5000);
        EXPECT_SEG(f, TCP_SYN | TCP_ACK | TCP_ECE, WHY_SYN_COOKIE);
        fx_ack(f, 4000);
        struct tcp_conn *c = tcp_accept(&f->tcp, l);
        EXPECT_EQ(c->is & (TCP_IS_ECN | TCP_IS_ACCECN), TCP_IS_ECN);
        tcp_abort(&f->tcp, c);
        fx_tcp_drain(f);
    }
    fx_seg(f, .flags = TCP_SYN | TCP_ECE | TCP_CWR, .seq = FX_ISS, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_COOKIE);   /* nowhere to keep it: not promised */
    fx_tcp_free(f);
}
