#include "fx_tcp.h"

static struct tcp_listener *server(struct fx_tcp *f, uint32_t pending)
{
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    p.fastopen = pending;
    p.nodelay = true;
    return fx_listen_as(f, NULL, 80, NULL, &p);
}

static struct span cookie_of(struct fx_tcp *f, const char *peer, uint8_t *buf)
{
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, peer, 4000);
    tcp_tfo_cookie(&f->tcp, &k, buf);
    return span_of(buf, TCP_TFO_COOKIE);
}

/* A SYN with that cookie and n bytes. */
static void tfo_syn(struct fx_tcp *f, uint16_t port, struct span cookie, uint16_t n)
{
    fx_seg(f, .flags = TCP_SYN, .port = port, .seq = FX_ISS, .mss = 1460, .tfo = true,
           .cookie = cookie, .len = n);
}

/* ---- cookies ---- */

TEST("a cookie is eight bytes of a keyed hash of the client's address, whatever its port")
{
    COVERS("7413-2 7413-3");
    struct fx_tcp *f = fx_tcp();
    uint8_t a[8], b[8], want[8];
    struct tcp_tuple other = fx_tuple("10.0.0.1", 80, "10.0.0.2", 9999);
    f->tcp.tfo.key[0] = (struct siphash_key){.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908};
    struct span cookie = cookie_of(f, "10.0.0.2", a);
    struct wr w = wr_of(want, sizeof(want));
    wr_u64(&w, 0x0d458dc8b458b211);             /* SipHash-2-4, computed elsewhere */
    EXPECT_MEM(a, want, 8);
    EXPECT(tcp_tfo_cookie_ok(&f->tcp, &other, cookie));
    (void)cookie_of(f, "10.0.0.3", b);
    EXPECT(memcmp(a, b, 8) != 0);
    fx_tcp_free(f);
}

TEST("a cookie that is not exactly ours is none: every length, every bit")
{
    COVERS("7413-2 7413-3 S40");
    struct fx_tcp *f = fx_tcp();
    uint8_t buf[16] = {0};
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    (void)cookie_of(f, "10.0.0.2", buf);
    for (size_t n = 0; n <= 16; n++)
        EXPECT_EQ(tcp_tfo_cookie_ok(&f->tcp, &k, span_of(buf, n)), n == 8);
    for (unsigned b = 0; b < 64; b++) {
        buf[b / 8] ^= (uint8_t)(1u << b % 8);
        EXPECT(!tcp_tfo_cookie_ok(&f->tcp, &k, span_of(buf, 8)));
        buf[b / 8] ^= (uint8_t)(1u << b % 8);
    }
    fx_tcp_free(f);
}

TEST("the key before the last is still good, the one before that is not")
{
    COVERS("7413-3");
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    uint8_t old[8], now[8];
    struct span cookie = cookie_of(f, "10.0.0.2", old);
    static const uint8_t key1[16] = {1}, key2[16] = {2};
    tcp_tfo_set_key(&f->tcp, key1);
    EXPECT(tcp_tfo_cookie_ok(&f->tcp, &k, cookie));
    (void)cookie_of(f, "10.0.0.2", now);
    EXPECT(memcmp(old, now, 8) != 0);
    tcp_tfo_set_key(&f->tcp, key2);
    EXPECT(!tcp_tfo_cookie_ok(&f->tcp, &k, cookie));
    EXPECT(tcp_tfo_cookie_ok(&f->tcp, &k, span_of(now, 8)));
    fx_tcp_free(f);
}

TEST("a key from the configuration is used, and two stacks that share it agree")
{
    struct fx_tcp *f = fx_tcp(.fastopen_key = {9, 8, 7}), *g = fx_tcp(.fastopen_key = {9, 8, 7});
    uint8_t a[8], b[8];
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    (void)cookie_of(f, "10.0.0.2", a);
    (void)cookie_of(g, "10.0.0.2", b);
    EXPECT_MEM(a, b, 8);
    EXPECT(!f->tcp.tfo.has_old);
    g->tcp.tfo.key[0].k0 ^= 1;
    EXPECT(!tcp_tfo_cookie_ok(&g->tcp, &k, span_of(a, 8)));
    fx_tcp_free(f);
    fx_tcp_free(g);
}

/* ---- server ---- */

TEST("a listener that was not asked to does no fast open")
{
    COVERS("7413-1");
    struct fx_tcp *f = fx_tcp();
    uint8_t buf[8];
    EXPECT(fx_listener(f, 80) != NULL);
    tfo_syn(f, 4000, span_of(NULL, 0), 0);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT(!f->out.o.has_fastopen);
    EXPECT_SEG_DROP(f, TCP_SYN_DATA, tfo_syn(f, 4001, cookie_of(f, "10.0.0.2", buf), 10));
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    fx_tcp_free(f);
}

TEST("a request brings a cookie, in every SYN-ACK of that handshake")
{
    struct fx_tcp *f = fx_tcp();
    uint8_t buf[8];
    EXPECT(server(f, 8) != NULL);
    tfo_syn(f, 4000, span_of(NULL, 0), 0);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.o.fastopen.n, 8);
    EXPECT_MEM(f->out.o.fastopen.p, cookie_of(f, "10.0.0.2", buf).p, 8);
    fx_tcp_pass(f, NS_PER_S);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_RTX_SYN_ACK);
    EXPECT_EQ(f->out.o.fastopen.n, 8);
    fx_tcp_free(f);
}

TEST("a good cookie: the data is read and the connection accepted before the handshake ends")
{
    struct fx_tcp *f = fx_tcp();
    uint8_t buf[8];
    char text[32];
    struct tcp_listener *l = server(f, 8);
    tfo_syn(f, 4000, cookie_of(f, "10.0.0.2", buf), 10);
    EXPECT_EQ(l->waiting, 1);
    EXPECT_EQ(l->fastopen_pending, 1);
    EXPECT_EQ(f->tcp.half.pool.live, 0);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 11);     /* SYN and data (7413, 4.2.2) */
    uint32_t iss = f->out.h.seq.v;
    EXPECT_NO_SEG(f);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(c->state, TCP_SYN_RCVD);
    EXPECT_EQ(tcp_recv(&f->tcp, c, text, sizeof(text), 0), 10);
    EXPECT_MEM(text, "abcdefghij", 10);
    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 11, .ack = iss + 1);
    EXPECT_EQ(c->state, TCP_ESTABLISHED);
    EXPECT_EQ(l->fastopen_pending, 0);
    EXPECT_EQ(c->listener, TCP_NONE);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("a good cookie without data makes a connection that may answer at once")
{
    struct fx_tcp *f = fx_tcp();
    uint8_t buf[8];
    struct tcp_listener *l = server(f, 8);
    tfo_syn(f, 4000, cookie_of(f, "10.0.0.2", buf), 0);
    EXPECT_EQ(l->waiting, 1);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(tcp_send(&f->tcp, c, span_of("hello", 5), 0), 5);
    EXPECT(fx_sent_next(f));
    EXPECT_EQ(f->out.len, 5);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("a cookie that is not ours: the data is not taken, and the SYN-ACK brings a good one")
{
    COVERS("7413-5");
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = server(f, 8);
    uint8_t buf[8];
    static const uint8_t wrong[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    EXPECT_SEG_DROP(f, TCP_SYN_DATA, tfo_syn(f, 4000, span_of(wrong, 8), 10));
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    EXPECT_MEM(f->out.o.fastopen.p, cookie_of(f, "10.0.0.2", buf).p, 8);
    EXPECT_EQ(l->waiting, 0);
    fx_tcp_free(f);
}

TEST("over the limit it is a handshake as any other, until one of them ends")
{
    COVERS("7413-4 S40");
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = server(f, 2);
    uint8_t buf[8];
    uint32_t iss[2];
    for (uint16_t i = 0; i < 2; i++) {
        tfo_syn(f, (uint16_t)(4000 + i), cookie_of(f, "10.0.0.2", buf), 10);
        EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
        iss[i] = f->out.h.seq.v;
    }
    EXPECT_SEG_DROP(f, TCP_SYN_DATA, tfo_syn(f, 4002, cookie_of(f, "10.0.0.2", buf), 10));
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    EXPECT(!f->out.o.has_fastopen);
    EXPECT_EQ(l->fastopen_pending, 2);
    fx_seg(f, .flags = TCP_ACK, .port = 4000, .seq = FX_ISS + 11, .ack = iss[0] + 1);
    EXPECT_EQ(l->fastopen_pending, 1);
    tfo_syn(f, 4003, cookie_of(f, "10.0.0.2", buf), 10);
    EXPECT_EQ(l->fastopen_pending, 2);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("a reset does not make room for the next one, until a minute has gone by")
{
    COVERS("7413-4 S40");
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = server(f, 1);
    uint8_t buf[8];
    tfo_syn(f, 4000, cookie_of(f, "10.0.0.2", buf), 10);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_SEG_DROP(f, TCP_RST_TAKEN, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 11));
    EXPECT_EQ(l->fastopen_pending, 0);
    EXPECT_EQ(l->fastopen_resets, 1);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(c->error, ORIEL_ECONNRESET);
    tcp_close(&f->tcp, c);
    tfo_syn(f, 4001, cookie_of(f, "10.0.0.2", buf), 10);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    fx_tcp_pass(f, 60 * NS_PER_S);
    fx_tcp_drain(f);
    tfo_syn(f, 4002, cookie_of(f, "10.0.0.2", buf), 10);
    EXPECT_EQ(l->fastopen_pending, 1);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("one that was accepted outlives its listener, and counts for no other")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = server(f, 4);
    uint8_t buf[8];
    tfo_syn(f, 4000, cookie_of(f, "10.0.0.2", buf), 10);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    uint32_t iss = f->out.h.seq.v;
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    tcp_listen_stop(&f->tcp, l);
    EXPECT_EQ(c->listener, TCP_NONE);
    l = server(f, 4);
    l->fastopen_pending = 3;                    /* of its own */
    fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 11, .ack = iss + 1);
    EXPECT_EQ(c->state, TCP_ESTABLISHED);
    EXPECT_EQ(l->fastopen_pending, 3);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("the SYN with its data again is answered again and read once")
{
    COVERS("7413-7");
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = server(f, 4);
    uint8_t buf[8];
    char text[32];
    for (unsigned i = 0; i < 2; i++) {
        tfo_syn(f, 4000, cookie_of(f, "10.0.0.2", buf), 10);
        EXPECT(fx_sent_next(f));
        EXPECT_EQ(f->out.h.flags, TCP_SYN | TCP_ACK);
        EXPECT_EQ(f->out.h.ack.v, FX_ISS + 11);
    }
    EXPECT_EQ(l->waiting, 1);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(tcp_recv(&f->tcp, c, text, sizeof(text), 0), 10);
    EXPECT_EQ(tcp_recv(&f->tcp, c, text, sizeof(text), 0), ORIEL_EAGAIN);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

/* ---- client ---- */

TEST("a cookie and MSS are remembered for their server, and the newest counts")
{
    COVERS("7413-6");
    struct fx_tcp *f = fx_tcp();
    struct oriel_addr a = fx_addr("10.0.0.2"), b = fx_addr("2001:db8::2");
    static const uint8_t one[8] = {1}, two[16] = {2};
    struct span cookie;
    uint16_t mss;
    bool failed;
    EXPECT(!tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed) && !failed);
    tcp_tfo_learn(&f->tcp, &a, span_of(one, 8), 1460);
    EXPECT(tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed) && !failed);
    EXPECT_EQ(cookie.n, 8);
    EXPECT_MEM(cookie.p, one, 8);
    EXPECT_EQ(mss, 1460);
    EXPECT(!tcp_tfo_lookup(&f->tcp, &b, &cookie, &mss, &failed));
    tcp_tfo_learn(&f->tcp, &a, span_of(two, 16), 1400);
    EXPECT(tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed));
    EXPECT_EQ(cookie.n, 16);
    EXPECT_EQ(mss, 1400);
    tcp_tfo_learn(&f->tcp, &a, span_of(two, 2), 1400);          /* no cookie is that short */
    EXPECT(tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed));
    EXPECT_EQ(cookie.n, 16);
    tcp_tfo_learn(&f->tcp, &a, span_of(NULL, 0), 1400);         /* it has none to give any more */
    EXPECT(!tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed) && !failed);
    fx_tcp_free(f);
}

TEST("after a SYN with data was not answered there are none for an hour, then with its cookie")
{
    COVERS("7413-6");
    struct fx_tcp *f = fx_tcp();
    struct oriel_addr a = fx_addr("10.0.0.2");
    static const uint8_t one[8] = {1};
    struct span cookie;
    uint16_t mss;
    bool failed;
    tcp_tfo_learn(&f->tcp, &a, span_of(one, 8), 1460);
    tcp_tfo_failed(&f->tcp, &a);
    EXPECT(!tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed) && failed);
    fx_tcp_pass(f, 3600 * NS_PER_S - 1);
    EXPECT(!tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed) && failed);
    fx_tcp_pass(f, 1);
    EXPECT(tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed) && !failed);
    fx_tcp_free(f);
}

TEST("the cache holds so many servers and no more, and never one's cookie for another")
{
    struct fx_tcp *f = fx_tcp();
    unsigned known = 0;
    for (unsigned i = 0; i < 1000; i++) {
        struct oriel_addr a = addr_v4(0x0a000000 + i);
        uint8_t cookie[8] = {(uint8_t)i, (uint8_t)(i >> 8)};
        tcp_tfo_learn(&f->tcp, &a, span_of(cookie, 8), (uint16_t)(1000 + i));
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct oriel_addr a = addr_v4(0x0a000000 + i);
        struct span cookie;
        uint16_t mss;
        bool failed;
        if (!tcp_tfo_lookup(&f->tcp, &a, &cookie, &mss, &failed))
            continue;
        EXPECT_EQ(mss, 1000 + i);
        EXPECT_EQ(cookie.p[0] | cookie.p[1] << 8, i);
        known++;
    }
    EXPECT(known > 0 && known <= TCP_TFO_CACHE);
    fx_tcp_free(f);
}
