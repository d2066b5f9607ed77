#include "fx_rcv.h"

#include "tcp/tcp_rtt.c"

static void sample_ms(struct fx_rcv *f, uint32_t ms)
{
    tcp_rtt_sample(f->t, f->c, ms * NS_PER_MS);
}

static uint64_t rto_ms(const struct fx_rcv *f)
{
    return tcp_rto(f->t, f->c) / NS_PER_MS;
}

/* ---- RFC 6298 ---- */

TEST("before any sample the timeout is a second")
{
    COVERS("6298-1");
    struct fx_rcv *f = fx_rcv();
    EXPECT_EQ(tcp_rto(f->t, f->c), NS_PER_S);
    EXPECT_EQ(tcp_srtt_ns(f->c), 0);
    fx_rcv_free(f);
}

TEST("the first sample is the smoothed one, and half of it the variance")
{
    COVERS("6298-2 MUST-18");
    struct fx_rcv *f = fx_rcv();
    sample_ms(f, 100);
    EXPECT_EQ(tcp_srtt_ns(f->c), 100 * NS_PER_MS);
    EXPECT_EQ(f->c->rtt.rttvar_us4, 4 * 50000);
    EXPECT_EQ(rto_ms(f), 300);
    fx_rcv_free(f);
}

TEST("later samples move them by an eighth and a quarter, the variance first")
{
    COVERS("6298-3");
    struct row {
        uint32_t ms;
        uint32_t srtt_us8, rttvar_us4;
    };
    /* By hand: RTTVAR' = 3/4 RTTVAR + 1/4 |SRTT - R|, SRTT' = 7/8 SRTT + 1/8 R. */
    static const struct row rows[] = {
        {100, 800000, 200000},
        {140, 840000, 190000},          /* 37.5 + 10 = 47.5 ms; 105 ms */
        {105, 840000, 142500},          /* 35.625 ms; 105 ms */
        {25, 760000, 186875},           /* 26.71875 + 20 = 46.71875 ms; 95 ms */
        {95, 760000, 140157},           /* 35.0390625: a quarter is rounded up by one */
    };
    struct fx_rcv *f = fx_rcv();
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        sample_ms(f, rows[i].ms);
        EXPECT_EQ(f->c->rtt.srtt_us8, rows[i].srtt_us8);
        EXPECT_EQ(f->c->rtt.rttvar_us4, rows[i].rttvar_us4);
    }
    fx_rcv_free(f);
}

TEST("fixed point follows floating point to a few millionths over long runs of any samples")
{
    COVERS("6298-3");
    struct fx_tcp *on = fx_tcp();
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct fx_rcv *f = fx_rcv(.on = on);
        struct rng g;
        double srtt = 0, var = 0;
        rng_seed(&g, seed, 1);
        for (unsigned i = 0; i < 500; i++) {
            uint64_t us = 1 + rng_u64(&g) % (seed % 2 ? 1000 : 3000000);
            double r = (double)us;
            if (i == 0) {
                srtt = r;
                var = r / 2;
            } else {
                var = 0.75 * var + 0.25 * (srtt > r ? srtt - r : r - srtt);
                srtt = 0.875 * srtt + 0.125 * r;
            }
            tcp_rtt_sample(f->t, f->c, us * NS_PER_US);
            double s = f->c->rtt.srtt_us8 / 8.0, v = f->c->rtt.rttvar_us4 / 4.0;
            EXPECT(s - srtt < 2 && srtt - s < 2);
            EXPECT(v - var < 3 && var - v < 3);
        }
        fx_rcv_free(f);
    }
    fx_tcp_free(on);
}

TEST("the timeout has a floor, which is a setting, and a ceiling of a minute at least")
{
    COVERS("6298-4 6298-5");
    struct fx_rcv *f = fx_rcv();
    sample_ms(f, 1);
    EXPECT_EQ(rto_ms(f), 200);
    struct tcp_settings rfc;
    tcp_settings_from(&rfc, &(struct oriel_tcp_config){.personality = ORIEL_AS_RFC});
    f->t->set.rto_min = rfc.rto_min;
    sample_ms(f, 1);
    EXPECT_EQ(rto_ms(f), 1000);
    for (unsigned i = 0; i < 40; i++)
        sample_ms(f, 200000);
    EXPECT_EQ(tcp_rto(f->t, f->c), f->t->set.rto_max);
    EXPECT(f->t->set.rto_max >= 60 * NS_PER_S);
    fx_rcv_free(f);
}

TEST("the linux personality has its floor under the variance")
{
    struct fx_rcv *f = fx_rcv();
    f->t->set.personality = ORIEL_AS_LINUX;
    sample_ms(f, 10);
    EXPECT_EQ(rto_ms(f), 210);
    fx_rcv_free(f);
}

TEST("each timeout doubles it up to the ceiling, and progress undoes that")
{
    COVERS("6298-9 6298-5");
    struct fx_rcv *f = fx_rcv();
    for (uint64_t s = 1; s < 120; s *= 2) {
        EXPECT_EQ(tcp_rto(f->t, f->c), s * NS_PER_S);
        tcp_rtt_on_timeout(f->t, f->c);
    }
    for (unsigned i = 0; i < 300; i++) {
        EXPECT_EQ(tcp_rto(f->t, f->c), 120 * NS_PER_S);
        tcp_rtt_on_timeout(f->t, f->c);
    }
    EXPECT_EQ(f->c->rtt.rtx_n, UINT8_MAX);
    tcp_rtt_on_progress(f->c);
    EXPECT_EQ(tcp_rto(f->t, f->c), NS_PER_S);
    fx_rcv_free(f);
}

TEST("after a lost SYN the first data has three seconds, unless a round trip is known")
{
    COVERS("6298-10");
    struct fx_rcv *f = fx_rcv();
    f->c->state = TCP_SYN_SENT;
    f->c->is |= TCP_IS_SYN_LOST;
    tcp_rtt_on_timeout(f->t, f->c);
    EXPECT_EQ(rto_ms(f), 2000);                 /* of the SYN itself: doubled, no more */
    tcp_rtt_on_progress(f->c);
    f->c->state = TCP_ESTABLISHED;
    EXPECT_EQ(rto_ms(f), 3000);
    f->t->set.linux_syn_rto = true;
    EXPECT_EQ(rto_ms(f), 1000);
    f->t->set.linux_syn_rto = false;
    sample_ms(f, 100);
    EXPECT_EQ(rto_ms(f), 300);
    fx_rcv_free(f);
}

TEST("samples that cannot be are bounded")
{
    struct fx_rcv *f = fx_rcv();
    tcp_rtt_sample(f->t, f->c, 0);
    EXPECT_EQ(f->c->rtt.srtt_us8, 8);           /* a microsecond: there is a sample */
    for (unsigned i = 0; i < 50; i++)
        tcp_rtt_sample(f->t, f->c, UINT64_MAX / 2);
    EXPECT(f->c->rtt.srtt_us8 <= 8 * (uint64_t)SAMPLE_MAX_US);
    EXPECT_EQ(tcp_rto(f->t, f->c), f->t->set.rto_max);
    fx_rcv_free(f);
}

TEST("the least round trip is that of the last ten seconds")
{
    COVERS("8985-2");
    struct fx_rcv *f = fx_rcv();
    sample_ms(f, 50);
    fx_tcp_pass(f->f, 5 * NS_PER_S);
    sample_ms(f, 80);
    EXPECT_EQ(f->c->rtt.min_us, 50000);
    sample_ms(f, 40);
    EXPECT_EQ(f->c->rtt.min_us, 40000);
    fx_tcp_pass(f->f, 10 * NS_PER_S);
    sample_ms(f, 90);
    EXPECT_EQ(f->c->rtt.min_us, 40000);
    fx_tcp_pass(f->f, NS_PER_MS);
    sample_ms(f, 90);
    EXPECT_EQ(f->c->rtt.min_us, 90000);
    fx_rcv_free(f);
}

/* ---- RFC 7323 ---- */

static struct tcp_seg with_ts(const struct fx_rcv *f, uint32_t at, uint32_t ts)
{
    return (struct tcp_seg){.seq = seq_of(f->isn + at), .len = 100, .flags = TCP_ACK,
                            .opts = {.has_ts = true, .ts_val = ts}};
}

static struct fx_rcv *fx_ts(uint32_t recent)
{
    struct fx_rcv *f = fx_rcv(.isn = 0xffffff00);
    f->c->is |= TCP_IS_TS;
    f->c->rcv.ts_recent = recent;
    f->c->ts_recent_s = (uint32_t)(f->f->fx.env.now / NS_PER_S);
    return f;
}

TEST("our timestamps tick in milliseconds from an offset of the connection's own")
{
    COVERS("7323-11");
    struct fx_rcv *f = fx_rcv();
    f->c->ts_off = 0xfffffff0;
    uint32_t was = tcp_ts_now(f->t, f->c);
    fx_tcp_pass(f->f, 1500 * NS_PER_US);
    EXPECT_EQ(tcp_ts_now(f->t, f->c) - was, 1);
    fx_tcp_pass(f->f, 20 * NS_PER_S);
    EXPECT_EQ(tcp_ts_now(f->t, f->c) - was, 20001);
    f->c->ts_off += 77;
    EXPECT_EQ(tcp_ts_now(f->t, f->c) - was, 20078);
    fx_rcv_free(f);
}

TEST("a timestamp from the past is one, round the circle; resets are not judged by it")
{
    COVERS("7323-9");
    static const uint32_t recents[] = {1000, 5, 0, 0xffffffff, 0x80000000};
    for (unsigned i = 0; i < ARRAY_LEN(recents); i++) {
        struct fx_rcv *f = fx_ts(recents[i]);
        struct tcp_seg g = with_ts(f, 0, recents[i]);
        EXPECT(!tcp_paws_old(f->t, f->c, &g));
        g.opts.ts_val = recents[i] + 1;
        EXPECT(!tcp_paws_old(f->t, f->c, &g));
        g.opts.ts_val = recents[i] + 0x7fffffff;
        EXPECT(!tcp_paws_old(f->t, f->c, &g));
        g.opts.ts_val = recents[i] - 1;
        EXPECT(tcp_paws_old(f->t, f->c, &g));
        g.opts.ts_val = recents[i] - 0x7fffffff;
        EXPECT(tcp_paws_old(f->t, f->c, &g));
        g.flags |= TCP_RST;
        EXPECT(!tcp_paws_old(f->t, f->c, &g));
        g.flags = TCP_ACK;
        g.opts.has_ts = false;
        EXPECT(!tcp_paws_old(f->t, f->c, &g));
        fx_rcv_free(f);
    }
}

TEST("after 24 days without a segment the old timestamp means nothing")
{
    COVERS("7323-10");
    struct fx_rcv *f = fx_ts(1000000);
    struct tcp_seg g = with_ts(f, 0, 10);
    fx_tcp_pass(f->f, 24 * 86400 * NS_PER_S);
    EXPECT(tcp_paws_old(f->t, f->c, &g));
    fx_tcp_pass(f->f, NS_PER_S);
    EXPECT(!tcp_paws_old(f->t, f->c, &g));
    tcp_ts_on_segment(f->t, f->c, &g);
    EXPECT_EQ(f->c->rcv.ts_recent, 10);
    g.opts.ts_val = 9;
    EXPECT(tcp_paws_old(f->t, f->c, &g));
    fx_rcv_free(f);
}

TEST("the earliest segment that was not acknowledged is echoed, or the one that fills a gap")
{
    COVERS("7323-8");
    struct fx_rcv *f = fx_ts(1);
    struct tcp_seg g = with_ts(f, 0, 2);        /* RFC 7323, 4.3, A */
    tcp_ts_on_segment(f->t, f->c, &g);
    f->c->rcv.nxt = seq_add(f->c->rcv.nxt, 100);
    g = with_ts(f, 100, 3);
    tcp_ts_on_segment(f->t, f->c, &g);
    EXPECT_EQ(f->c->rcv.ts_recent, 2);          /* A was not acknowledged yet */
    f->c->rcv.nxt = seq_add(f->c->rcv.nxt, 100);
    fx_acked(f);
    g = with_ts(f, 300, 5);                     /* B: one is missing */
    tcp_ts_on_segment(f->t, f->c, &g);
    EXPECT_EQ(f->c->rcv.ts_recent, 2);
    g = with_ts(f, 200, 6);
    tcp_ts_on_segment(f->t, f->c, &g);
    EXPECT_EQ(f->c->rcv.ts_recent, 6);
    g = with_ts(f, 0, 4);                       /* an old one does not take it back */
    tcp_ts_on_segment(f->t, f->c, &g);
    EXPECT_EQ(f->c->rcv.ts_recent, 6);
    fx_rcv_free(f);
}

TEST("timestamps that were not agreed upon are not looked at")
{
    COVERS("7323-7");
    struct fx_rcv *f = fx_ts(1000);
    f->c->is &= ~(uint32_t)TCP_IS_TS;
    struct tcp_seg g = with_ts(f, 0, 5);
    EXPECT(!tcp_paws_old(f->t, f->c, &g));
    g.opts.ts_val = 2000;
    tcp_ts_on_segment(f->t, f->c, &g);
    EXPECT_EQ(f->c->rcv.ts_recent, 1000);
    fx_rcv_free(f);
}
