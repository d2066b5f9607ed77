#include "fx_cc.h"

#include "tcp/cc/bbr_model.c"

#define MSS 1460

static struct cc cc;
static struct bbr b;
static struct cc_sample s;

static void start(void)
{
    memset(&b, 0, sizeof(b));
    cc = (struct cc){.cwnd = 100 * MSS, .mss = MSS, .ssthresh = CC_SSTHRESH_NONE};
    s = (struct cc_sample){.now = NS_PER_S, .delivered_bytes = MSS, .tx_flight = 100 * MSS};
    b.min_rtt_ns = b.probe_rtt_min_ns = BBR_NONE64;
    b.inflight_hi = BBR_NONE32;
    b.initial_cwnd = 10 * MSS;
    bbr_reset_short_term(&b);
}

/* An ACK with this rate, a round after the last. */
static struct bbr_ack round_of(uint64_t rate)
{
    s.prior_delivered = b.delivered;
    b.delivered += 100 * MSS;
    struct bbr_ack a = {.s = &s, .rate = rate};
    return a;
}

/* ---- numbers ---- */

TEST("a rate is bytes over time, none without an interval, and bounded")
{
    static const struct {
        uint64_t bytes, ns, rate;
    } row[] = {
        {1460, 1000000, 1460000}, {0, 1000, 0},
        {1500000, NS_PER_S, 1500000}, {1, 60 * NS_PER_S, 0},
        {100, 0, 0}, {UINT64_MAX, 1, BBR_BW_MAX},
        {UINT64_MAX, NS_PER_S, UINT32_MAX}, {1 << 30, NS_PER_MS, (uint64_t)1000 << 30},
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        s.rate_bytes = row[i].bytes;
        s.interval_ns = row[i].ns;
        uint64_t want = row[i].rate > BBR_BW_MAX ? BBR_BW_MAX : row[i].rate;
        EXPECT(bbr_rate_of(&s) == want);
    }
}

TEST("bandwidth times delay is right to a millionth, from modems to what no wire carries")
{
    for (uint64_t bw = 100; bw <= BBR_BW_MAX; bw = bw * 3 + 1) {
        for (uint64_t ns = 100; ns < 100 * NS_PER_S; ns = ns * 3 + 1) {
            double want = (double)bw * (double)ns / 1e9;
            double have = (double)bytes_in(bw, ns);
            double error = have > want ? have - want : want - have;
            EXPECT(error <= 2 + want / 1000000);
        }
    }
    bytes_in(BBR_BW_MAX, UINT64_MAX);           /* no overflow that a sanitizer would see */
}

TEST("without a round-trip time the BDP is the initial window")
{
    start();
    EXPECT_EQ(bbr_bdp_times(&b, 1000000, 200), 10 * MSS);
    b.min_rtt_ns = 50 * NS_PER_MS;
    EXPECT_EQ(bbr_bdp_times(&b, 1000000, 200), 100000);
    EXPECT_EQ(bbr_bdp_times(&b, 1000000, 50), 25000);
    EXPECT_EQ(bbr_bdp_times(&b, BBR_BW_MAX, 200), CC_CWND_MAX);
}

TEST("three quanta are under way at least, in UP two segments more")
{
    start();
    cc.pacing_bps = 1000;
    EXPECT_EQ(bbr_quantization(&cc, &b, 0), 6 * MSS);
    cc.pacing_bps = 10000000;
    EXPECT_EQ(bbr_quantization(&cc, &b, 0), 30000);
    cc.pacing_bps = 10000000000;
    EXPECT_EQ(bbr_quantization(&cc, &b, 0), 3 * 65536);
    EXPECT_EQ(bbr_quantization(&cc, &b, 500000), 500000);
    b.state = BBR_UP;
    EXPECT_EQ(bbr_quantization(&cc, &b, 500000), 500000 + 2 * MSS);
}

TEST("15 % of what the path bears is left to others, a segment at least")
{
    start();
    EXPECT_EQ(bbr_inflight_with_headroom(&cc, &b), BBR_NONE32);
    b.inflight_hi = 100 * MSS;
    EXPECT_EQ(bbr_inflight_with_headroom(&cc, &b), 85 * MSS);
    b.inflight_hi = 5 * MSS;
    EXPECT_EQ(bbr_inflight_with_headroom(&cc, &b), 4 * MSS);
    b.inflight_hi = 10;
    EXPECT_EQ(bbr_inflight_with_headroom(&cc, &b), 4 * MSS);
}

/* ---- rounds and filters ---- */

TEST("a round ends with the first segment sent after its beginning")
{
    start();
    b.delivered = 1000;
    bbr_start_round(&b);
    b.delivered = 2000;
    s.prior_delivered = 999;
    update_round(&b, &s);
    EXPECT(!b.round_start);
    s.prior_delivered = 1000;
    update_round(&b, &s);
    EXPECT(b.round_start);
    EXPECT_EQ(b.round_count, 1);
    update_round(&b, &s);
    EXPECT(!b.round_start);
    s.prior_delivered = 2000;
    s.delivered_bytes = 0;                      /* an ACK that delivered nothing ends none */
    update_round(&b, &s);
    EXPECT(!b.round_start);
}

TEST("max_bw is the best sample; a limited one counts only if it is better")
{
    start();
    struct bbr_ack a = round_of(1000);
    bbr_update_congestion(&cc, &b, &a);
    a = round_of(600);
    bbr_update_congestion(&cc, &b, &a);
    EXPECT_EQ(bbr_max_bw(&b), 1000);
    b.max_bw[1] = b.max_bw[0];                  /* a cycle later */
    b.max_bw[0] = 0;
    a.limited = true;
    bbr_update_congestion(&cc, &b, &a);
    EXPECT_EQ(b.max_bw[0], 0);
    a.rate = 1200;
    bbr_update_congestion(&cc, &b, &a);
    EXPECT_EQ(bbr_max_bw(&b), 1200);
}

TEST("three rounds that are less than a quarter faster fill the pipe; limited ones say nothing")
{
    start();
    b.round_start = true;
    static const uint64_t rates[] = {1000, 1250, 1600, 1900, 1999};
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        struct bbr_ack a = {.s = &s, .rate = rates[i]};
        bbr_check_full_bw(&b, &a);
        EXPECT(!b.full_bw_reached);
    }
    struct bbr_ack a = {.s = &s, .rate = 1999, .limited = true};
    bbr_check_full_bw(&b, &a);
    EXPECT(!b.full_bw_reached);
    a.limited = false;
    b.round_start = false;
    bbr_check_full_bw(&b, &a);
    EXPECT(!b.full_bw_reached);
    b.round_start = true;
    bbr_check_full_bw(&b, &a);
    EXPECT(b.full_bw_reached && b.full_bw_now);
    bbr_reset_full_bw(&b, 0);
    EXPECT(b.full_bw_reached && !b.full_bw_now);
}

static void rtt_at(oriel_time now, uint64_t ms)
{
    s.now = now;
    s.rtt_ns = ms * NS_PER_MS;
    bbr_update_min_rtt(&b, &s);
}

TEST("min_rtt falls at once, and rises when ten seconds saw nothing as low")
{
    start();
    rtt_at(NS_PER_S, 50);
    rtt_at(2 * NS_PER_S, 40);
    EXPECT_EQ(b.min_rtt_ns, 40 * NS_PER_MS);
    EXPECT(!b.probe_rtt_expired);
    rtt_at(7 * NS_PER_S, 60);
    EXPECT(!b.probe_rtt_expired);
    rtt_at(7 * NS_PER_S + 1, 60);
    EXPECT(b.probe_rtt_expired);                /* five seconds: time for ProbeRTT */
    EXPECT_EQ(b.min_rtt_ns, 40 * NS_PER_MS);
    rtt_at(12 * NS_PER_S, 70);
    EXPECT_EQ(b.min_rtt_ns, 40 * NS_PER_MS);
    rtt_at(12 * NS_PER_S + 1, 70);
    EXPECT_EQ(b.min_rtt_ns, 60 * NS_PER_MS);
}

TEST("an ACK without a round-trip time leaves min_rtt alone, even when it is old")
{
    start();
    rtt_at(NS_PER_S, 50);
    rtt_at(8 * NS_PER_S, 0);
    EXPECT_EQ(b.min_rtt_ns, 50 * NS_PER_MS);
    EXPECT(b.probe_rtt_expired);
}

TEST("what arrives beyond the bandwidth is remembered for ten rounds, never more than the window")
{
    start();
    b.full_bw_reached = true;
    b.bw = 1000000;
    b.extra_start = s.now;
    s.delivered_bytes = 20000;
    bbr_update_aggregation(&cc, &b, &s);
    EXPECT_EQ(b.extra_acked[0], 20000);
    s.now += 10 * NS_PER_MS;                    /* 10000 were expected */
    bbr_update_aggregation(&cc, &b, &s);
    EXPECT_EQ(b.extra_acked[0], 30000);
    s.delivered_bytes = 500000;
    bbr_update_aggregation(&cc, &b, &s);
    EXPECT_EQ(b.extra_acked[0], cc.cwnd);
    s.delivered_bytes = 0;
    b.round_start = true;
    for (int i = 0; i < 9; i++) {
        s.now += NS_PER_S;
        bbr_update_aggregation(&cc, &b, &s);
        EXPECT_EQ(most(b.extra_acked[0], b.extra_acked[1]), cc.cwnd);
    }
    bbr_update_aggregation(&cc, &b, &s);
    EXPECT_EQ(most(b.extra_acked[0], b.extra_acked[1]), 0);
}

/* ---- losses ---- */

TEST("more than 2 % of what was under way is too much, lost or marked")
{
    start();
    s.tx_lost = 2 * MSS;
    EXPECT(!bbr_is_inflight_too_high(&b, &s));
    s.tx_lost = 2 * MSS + 1;
    EXPECT(bbr_is_inflight_too_high(&b, &s));
    s.tx_lost = MSS;
    b.ce_round_bytes = MSS;
    EXPECT(!bbr_is_inflight_too_high(&b, &s));
    b.ce_round_bytes = 2 * MSS;
    EXPECT(bbr_is_inflight_too_high(&b, &s));
}

/* UP, with a model in which 70 segments are the BDP. */
static void probing(void)
{
    start();
    b.state = BBR_UP;
    b.full_bw_reached = b.is_probe_sample = true;
    b.min_rtt_ns = 100 * NS_PER_MS;
    b.bw = b.max_bw[0] = 700 * MSS;
    s.lost_bytes = MSS;
    s.tx_lost = 5 * MSS;
}

TEST("a probe with too many losses ends, and what was under way is the limit from then on")
{
    probing();
    struct bbr_ack a = {.s = &s};
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.inflight_hi, 100 * MSS);
    EXPECT_EQ(b.state, BBR_DOWN);
    EXPECT(b.probe_too_high);
    b.inflight_hi = 1;
    bbr_take_losses(&cc, &b, &a);               /* one answer for each probe */
    EXPECT_EQ(b.inflight_hi, 1);
}

TEST("losses that a timer found end a probe with the next ACK")
{
    probing();
    s.lost_bytes = 0;
    struct bbr_ack a = {.s = &s};
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.state, BBR_DOWN);
    EXPECT_EQ(b.inflight_hi, 100 * MSS);
    EXPECT(!b.loss_in_round);
}

TEST("the limit never falls by more than 30 % below the BDP, and not at all for a limited sample")
{
    probing();
    s.tx_flight = 20 * MSS;
    struct bbr_ack a = {.s = &s};
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.inflight_hi, 49 * MSS);
    probing();
    a.limited = true;
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.inflight_hi, BBR_NONE32);
    EXPECT_EQ(b.state, BBR_DOWN);
}

TEST("few losses, or losses of what was no probe, leave the limit and the state")
{
    probing();
    s.tx_lost = 2 * MSS;
    struct bbr_ack a = {.s = &s};
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.state, BBR_UP);
    EXPECT_EQ(b.inflight_hi, BBR_NONE32);
    EXPECT(b.loss_in_round);
    s.tx_lost = 50 * MSS;
    b.is_probe_sample = false;
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.state, BBR_UP);
    EXPECT_EQ(b.inflight_hi, BBR_NONE32);
}

TEST("a round without losses ends what an undo would go back to, unless recovery goes on")
{
    for (int recovering = 0; recovering < 2; recovering++) {
        start();
        s.in_recovery = recovering;
        bbr_note_loss(&cc, &b);
        for (int i = 0; i < 3; i++) {
            struct bbr_ack a = round_of(1000);
            bbr_update_latest(&b, &a);
            bbr_update_congestion(&cc, &b, &a);
            EXPECT_EQ(b.saved, recovering || i == 0);
        }
        EXPECT(b.can_undo);
    }
}

TEST("marks end a probe as losses do")
{
    probing();
    s.lost_bytes = s.tx_lost = 0;
    s.ce_bytes = MSS;
    struct bbr_ack a = {.s = &s};
    bbr_take_losses(&cc, &b, &a);
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.state, BBR_UP);
    bbr_take_losses(&cc, &b, &a);
    EXPECT_EQ(b.state, BBR_DOWN);
    EXPECT_EQ(b.inflight_hi, 100 * MSS);
}

TEST("a round with losses lowers bw_lo and inflight_lo to what was delivered, by 30 % at most")
{
    start();
    b.state = BBR_CRUISE;
    b.max_bw[0] = 1000000;
    b.loss_in_round = true;
    b.bw_latest = 900000;
    b.inflight_latest = 90 * MSS;
    adapt_lower_bounds(&cc, &b);
    EXPECT_EQ(b.bw_lo, 900000);
    EXPECT_EQ(b.inflight_lo, 90 * MSS);
    b.bw_latest = 100000;
    b.inflight_latest = 10 * MSS;
    adapt_lower_bounds(&cc, &b);
    EXPECT_EQ(b.bw_lo, 630000);
    EXPECT_EQ(b.inflight_lo, 63 * MSS);
    bbr_reset_short_term(&b);
    b.state = BBR_UP;
    adapt_lower_bounds(&cc, &b);                /* a probe is not slowed by what it causes */
    EXPECT(b.bw_lo == BBR_NONE64);
    b.state = BBR_CRUISE;
    b.loss_in_round = false;
    adapt_lower_bounds(&cc, &b);
    EXPECT(b.bw_lo == BBR_NONE64);
}

TEST("what an undo goes back to is that of the recovery's first loss")
{
    start();
    b.inflight_hi = 80 * MSS;
    bbr_note_loss(&cc, &b);
    EXPECT_EQ(b.prior_cwnd, 100 * MSS);
    cc.cwnd = 50 * MSS;
    b.inflight_hi = 40 * MSS;
    b.loss_in_round = false;                    /* the next round of the same recovery */
    bbr_note_loss(&cc, &b);
    EXPECT_EQ(b.prior_cwnd, 100 * MSS);
    EXPECT_EQ(b.undo_inflight_hi, 80 * MSS);
}
