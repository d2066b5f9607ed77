#include "fx_rcv.h"

#include "tcp/tcp_opt.c"

/* ---- profiles ---- */

TEST("all that are set alike share one profile, and it goes with the last of them")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp), q;
    p.rcvlowat = 5;
    q = p;
    struct tcp_profile *a = tcp_profile_get(&f->tcp, &p), *b = tcp_profile_get(&f->tcp, &q);
    EXPECT(a == b && a->refs == 2);
    q.nodelay = true;
    struct tcp_profile *c = tcp_profile_get(&f->tcp, &q);
    EXPECT(c != a && c->nodelay && !a->nodelay);
    EXPECT(tcp_profile_get(&f->tcp, c) == c);   /* one that is interned is itself */
    EXPECT_EQ(c->refs, 2);
    EXPECT_EQ(f->tcp.profiles.live, 3);
    tcp_profile_put(&f->tcp, c);
    tcp_profile_put(&f->tcp, c);
    EXPECT_EQ(f->tcp.profiles.live, 2);
    tcp_profile_put(&f->tcp, a);
    tcp_profile_put(&f->tcp, b);
    EXPECT_EQ(f->tcp.profiles.live, 1);
    fx_tcp_free(f);
}

TEST("the profile of who sets nothing is there from the start, and stays")
{
    struct fx_tcp *f = fx_tcp();
    const struct tcp_profile p = tcp_profile_default(&f->tcp);
    struct tcp_profile *a = tcp_profile_get(&f->tcp, &p);
    EXPECT(a == f->tcp.plain);
    EXPECT_EQ(a->refs, 2);
    tcp_profile_put(&f->tcp, a);
    EXPECT_EQ(f->tcp.profiles.live, 1);
    fx_tcp_free(f);
}

TEST("profiles that differ in any field are two")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile base = tcp_profile_default(&f->tcp);
    struct tcp_profile *first = tcp_profile_get(&f->tcp, &base);
    /* What is behind refs and next, byte by byte; what makes no difference is a hole. */
    unsigned same = 0;
    for (size_t at = offsetof(struct tcp_profile, sndbuf); at < sizeof(base); at++) {
        struct tcp_profile p = base;
        uint8_t *byte = (uint8_t *)&p + at;
        *byte = at >= offsetof(struct tcp_profile, keepalive) &&
                        at <= offsetof(struct tcp_profile, any_addr) ? !*byte : *byte + 1;
        struct tcp_profile *q = tcp_profile_get(&f->tcp, &p);
        same += q == first;
        tcp_profile_put(&f->tcp, q);
    }
    EXPECT_EQ(same, 4 + 6);                     /* before max_pacing_bps, and at the end */
    tcp_profile_put(&f->tcp, first);
    fx_tcp_free(f);
}

TEST("when all profiles are taken another is refused, and an equal one is not")
{
    COVERS("INV-6");
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile *p[65];
    struct tcp_profile want = tcp_profile_default(&f->tcp);
    unsigned n = 0;
    for (want.rcvlowat = 1; (p[n] = tcp_profile_get(&f->tcp, &want)) != NULL; want.rcvlowat++)
        n++;
    EXPECT_EQ(n, f->tcp.profiles.cap);
    want.rcvlowat = 7;
    EXPECT(tcp_profile_get(&f->tcp, &want) == p[6]);
    EXPECT(tcp_open(&f->tcp, &want, 1) != NULL);
    want.rcvlowat = 1000;
    EXPECT(tcp_open(&f->tcp, &want, 1) == NULL);
    tcp_profile_put(&f->tcp, p[6]);
    while (n > 0)
        tcp_profile_put(&f->tcp, p[--n]);
    fx_tcp_free(f);
}

TEST("defaults are those of the RFCs: no keep-alive, two hours where it is, Nagle on")
{
    COVERS("MUST-25 MUST-28 7413-1");
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    EXPECT(!p.keepalive && p.keepidle_ms >= 7200 * 1000);
    EXPECT(!p.nodelay && p.linger_ms == -1 && p.user_timeout_ms == 0);
    EXPECT(p.fastopen == 0 && !p.fastopen_connect && p.soft_errors);
    fx_tcp_free(f);
}

/* ---- at once ---- */

static void set(struct fx_rcv *f, const struct tcp_profile *p)
{
    struct tcp_profile *was = f->c->prof;
    f->c->prof = tcp_profile_get(f->t, p);
    assert_non_null(f->c->prof);
    tcp_on_profile(f->t, f->c, was);
    tcp_profile_put(f->t, was);
}

#define SET(f, field, value)                                                                       \
    do {                                                                                           \
        struct tcp_profile fx_p = *(f)->c->prof;                                                   \
        fx_p.field = (value);                                                                      \
        set(f, &fx_p);                                                                             \
    } while (0)

TEST("keep-alive starts and stops when it is switched, and follows its times")
{
    COVERS("MUST-24 MUST-27");
    struct fx_rcv *f = fx_rcv();
    oriel_time now = f->f->fx.env.now;
    EXPECT(f->c->timer.life_at == ORIEL_NEVER);
    SET(f, keepalive, true);
    EXPECT(f->c->timer.life_at == now + 7200 * NS_PER_S);
    SET(f, keepidle_ms, 60000);
    EXPECT(f->c->timer.life_at == now + 60 * NS_PER_S);
    SET(f, keepalive, false);
    EXPECT(f->c->timer.life_at == ORIEL_NEVER);
    fx_rcv_free(f);
}

TEST("a user timeout moves the moment when a connection is given up, earlier at once")
{
    COVERS("MUST-21");
    struct fx_rcv *f = fx_rcv();
    oriel_time now = f->f->fx.env.now;
    f->c->timer.since_ms = (uint32_t)(now / NS_PER_MS) - 3000;
    f->c->timer.rtx_at = now + 60 * NS_PER_S;
    SET(f, user_timeout_ms, 5000);
    EXPECT(f->c->timer.rtx_at == now + 2 * NS_PER_S);
    SET(f, user_timeout_ms, 90000);
    EXPECT(f->c->timer.rtx_at == now + 2 * NS_PER_S);   /* not later: the timer looks again */
    SET(f, user_timeout_ms, 1000);
    EXPECT(f->c->timer.rtx_at == now);
    fx_rcv_free(f);
}

TEST("switching Nagle or the cork asks again what may leave")
{
    COVERS("MUST-17");
    struct fx_rcv *f = fx_rcv();
    tcp_not_ready(f->t, f->c);
    SET(f, nodelay, true);
    EXPECT(f->c->is & TCP_IS_READY);
    tcp_not_ready(f->t, f->c);
    SET(f, cork, true);
    tcp_not_ready(f->t, f->c);
    SET(f, cork, false);
    EXPECT(f->c->is & TCP_IS_READY);
    tcp_not_ready(f->t, f->c);
    SET(f, tos, 0x20);
    EXPECT(!(f->c->is & TCP_IS_READY));         /* nothing may leave that might not before */
    fx_rcv_free(f);
}

TEST("another congestion control takes over the windows, idle or busy")
{
    struct fx_rcv *f = fx_rcv();
    f->c->cc_idle.cwnd = 50000;
    f->c->cc_idle.ssthresh = 40000;
    f->c->cc_idle.memo = 77;
    SET(f, cc, CC_NEWRENO);
    EXPECT(f->c->cc_idle.cwnd == 50000 && f->c->cc_idle.memo == 0);
    EXPECT(tcp_flight_of(f->t, f->c) != NULL);
    EXPECT(f->c->flight->cc.kind == CC_NEWRENO && f->c->flight->cc.cwnd == 50000);
    SET(f, cc, CC_CUBIC);
    EXPECT(f->c->flight->cc.kind == CC_CUBIC);
    EXPECT(f->c->flight->cc.cwnd == 50000 && f->c->flight->cc.ssthresh == 40000);
    fx_rcv_free(f);
}

TEST("a larger receive buffer is told at once where the peer may wait for it")
{
    struct fx_rcv *f = fx_rcv(.buf = 4096);
    fx_rx(f, .at = 0, .len = 2048);
    fx_rx(f, .at = 2048, .len = 2048);
    EXPECT_EQ(fx_acked(f), 0);
    SET(f, rcvbuf, 65536);
    EXPECT_ACK(f, WHY_WINDOW_UPDATE);
    EXPECT_EQ(fx_acked(f), 65536 - 4096);
    fx_rcv_free(f);
}

TEST("quick acknowledgements: the one that is owed leaves, and so do those to come, or none does")
{
    struct fx_rcv *f = fx_rcv();
    fx_rx(f, .at = 0, .len = 100);
    EXPECT_ACK(f, WHY_NONE);
    tcp_on_quickack(f->t, f->c, true);
    EXPECT_ACK(f, WHY_ACK_QUICK);
    fx_acked(f);
    fx_rx(f, .at = 100, .len = 100);
    EXPECT_ACK(f, WHY_ACK_QUICK);
    fx_acked(f);
    tcp_on_quickack(f->t, f->c, false);
    fx_rx(f, .at = 200, .len = 100);
    EXPECT_ACK(f, WHY_NONE);
    fx_rcv_free(f);
}

TEST("options of a connection that is over change nothing but the options")
{
    struct fx_rcv *f = fx_rcv();
    f->c->state = TCP_CLOSED;
    f->c->is &= ~(uint32_t)TCP_IS_DIRTY;
    SET(f, sndbuf, 100000);
    EXPECT(!(f->c->is & TCP_IS_DIRTY));
    SET(f, keepalive, true);
    SET(f, nodelay, true);
    SET(f, rcvbuf, 100000);
    EXPECT(f->c->timer.life_at == ORIEL_NEVER && !(f->c->is & TCP_IS_READY));
    fx_rcv_free(f);
}
