#include "fx_cc.h"
#include "fx_link.h"

#include "tcp/cc/bbr.c"

#define MSS LINK_MSS

static struct fx_cc f;
static struct link l;
static struct link again;

static struct bbr *state_of(struct cc *cc)
{
    return (struct bbr *)(void *)cc->priv->bytes;
}

static double ratio(uint64_t a, uint64_t b)
{
    return (double)a / (double)b;
}

/* A flow alone on a link, after so long. */
static struct bbr *alone(uint64_t bps, oriel_time delay, double bdps, oriel_time span)
{
    uint64_t bdp = bps * delay / NS_PER_S;
    fx_link_init(&l, bps, delay, (uint32_t)((double)bdp * bdps));
    struct link_flow *flow = fx_link_flow(&l, CC_BBR, 0);
    fx_link_run(&l, span);
    fx_link_count_from_here(&l);
    return state_of(&flow->cc);
}

/* ---- on a link ---- */

TEST("a flow finds the bandwidth within 5 %, and keeps the queue below 1.5 BDP, on every link")
{
    static const uint64_t rates[] = {250000, 1250000, 12500000};
    static const unsigned delays_ms[] = {20, 40, 100};
    static const double buffers[] = {0.5, 1, 2, 8};
    for (size_t i = 0; i < ARRAY_LEN(rates) * ARRAY_LEN(delays_ms) * ARRAY_LEN(buffers); i++) {
        uint64_t bps = rates[i % 3];
        oriel_time delay = delays_ms[i / 3 % 3] * NS_PER_MS;
        if (bps * delay / NS_PER_S < 12 * MSS)
            continue;                           /* so short that the least window is a queue */
        struct bbr *b = alone(bps, delay, buffers[i / 9], 10 * NS_PER_S);
        fx_link_run(&l, 20 * NS_PER_S);
        EXPECT(ratio(bbr_max_bw(b), bps) > 0.95 && ratio(bbr_max_bw(b), bps) < 1.05);
        EXPECT(ratio(b->min_rtt_ns, delay) < 1.25);
        EXPECT(ratio(l.queue_peak, bps * delay / NS_PER_S) < 1.5);
        EXPECT(fx_link_share(&l, 0, 20 * NS_PER_S) > 95);
    }
}

TEST("a queue of half a BDP costs less than a percent of what is sent")
{
    struct bbr *b = alone(12500000, 40 * NS_PER_MS, 0.5, 5 * NS_PER_S);
    fx_link_run(&l, 30 * NS_PER_S);
    EXPECT(l.drops * (uint64_t)MSS < (l.flow[0].delivered - l.flow[0].acked_from) / 100);
    EXPECT(b->inflight_hi != BBR_NONE32);
}

TEST("one loss in a hundred, by chance, leaves most of a long path in use; CUBIC uses a fiftieth")
{
    double share[2];
    for (int bbr = 0; bbr < 2; bbr++) {
        fx_link_init(&l, 12500000, 100 * NS_PER_MS, 1250000);
        l.loss_in_million = 10000;
        fx_link_flow(&l, bbr ? CC_BBR : CC_CUBIC, 0);
        fx_link_run(&l, 5 * NS_PER_S);
        fx_link_count_from_here(&l);
        fx_link_run(&l, 20 * NS_PER_S);
        share[bbr] = fx_link_share(&l, 0, 20 * NS_PER_S);
    }
    EXPECT(share[1] > 75);
    EXPECT(share[0] < 3);
}

TEST("where the network marks, the queue stays short and nothing is lost")
{
    fx_link_init(&l, 1250000, 40 * NS_PER_MS, 100000);
    l.mark_above = 12500;                       /* a quarter of the BDP */
    fx_link_flow(&l, CC_BBR, 0);
    fx_link_run(&l, 10 * NS_PER_S);
    fx_link_count_from_here(&l);
    fx_link_run(&l, 20 * NS_PER_S);
    EXPECT_EQ(l.drops, 0);
    EXPECT(l.queue_peak < 25000);
    EXPECT(fx_link_share(&l, 0, 20 * NS_PER_S) > 90);
}

TEST("two flows share a link, and CUBIC beside BBR does not starve")
{
    for (int kind = CC_NEWRENO; kind < CC_N; kind++) {
        fx_link_init(&l, 1250000, 40 * NS_PER_MS, 50000);
        fx_link_flow(&l, CC_BBR, 0);
        fx_link_flow(&l, (enum cc_kind)kind, 3 * NS_PER_S);
        fx_link_run(&l, 60 * NS_PER_S);
        fx_link_count_from_here(&l);
        fx_link_run(&l, 100 * NS_PER_S);
        double a = fx_link_share(&l, 0, 100 * NS_PER_S);
        double b = fx_link_share(&l, 1, 100 * NS_PER_S);
        EXPECT(a + b > 95);
        double least_share = kind == CC_BBR ? 45 : 25;
        EXPECT(a > least_share && b > least_share);
    }
}

TEST("four times the bandwidth is found within seconds, and a longer path within ten")
{
    struct bbr *b = alone(1250000, 40 * NS_PER_MS, 4, 10 * NS_PER_S);
    l.bps *= 4;
    fx_link_run(&l, 4 * NS_PER_S);
    EXPECT(ratio(bbr_max_bw(b), l.bps) > 0.95);
    l.delay *= 3;
    fx_link_run(&l, 10 * NS_PER_S);
    EXPECT(ratio(b->min_rtt_ns, l.delay) > 0.95);
    fx_link_count_from_here(&l);
    fx_link_run(&l, 10 * NS_PER_S);
    EXPECT(fx_link_share(&l, 0, 10 * NS_PER_S) > 90);
}

TEST("after idleness it goes on at the bandwidth it knows, without a burst and without ProbeRTT")
{
    struct bbr *b = alone(1250000, 40 * NS_PER_MS, 4, 10 * NS_PER_S);
    l.flow[0].stop = l.now;
    fx_link_run(&l, 20 * NS_PER_S);
    EXPECT_EQ(l.flow[0].flight, 0);
    EXPECT(ratio(bbr_max_bw(b), l.bps) > 0.95); /* silence is no measurement */
    l.flow[0].stop = ORIEL_NEVER;
    fx_link_count_from_here(&l);
    for (int i = 0; i < 80; i++) {              /* two round trips; then it may probe */
        fx_link_run(&l, NS_PER_MS);
        EXPECT(b->state != BBR_PROBE_RTT);
        EXPECT(l.queue_peak < 5 * MSS);         /* a burst would be a BDP or two: 50000, 100000 */
    }
    fx_link_count_from_here(&l);
    fx_link_run(&l, NS_PER_S);
    EXPECT(fx_link_share(&l, 0, NS_PER_S) > 90);
}

TEST("in each state it paces at that state's gain, a hundredth below")
{
    static const double paced[] = {
        [BBR_STARTUP] = 2.7423, [BBR_DRAIN] = 0.495, [BBR_DOWN] = 0.891,    [BBR_CRUISE] = 0.99,
        [BBR_REFILL] = 0.99,    [BBR_UP] = 1.2375,   [BBR_PROBE_RTT] = 0.99,
    };
    unsigned seen = 0;
    struct bbr *b = alone(1250000, 40 * NS_PER_MS, 4, 40 * NS_PER_MS);
    for (int i = 0; i < 8000; i++) {
        fx_link_run(&l, NS_PER_MS);
        double gain = ratio(l.flow[0].cc.pacing_bps, b->bw);
        EXPECT(gain > paced[b->state] - 0.01);
        EXPECT(gain < paced[b->state] + 0.01 || b->state == BBR_STARTUP);       /* never less */
        seen |= BIT(b->state);
    }
    EXPECT_EQ(seen, BIT(BBR_PROBE_RTT + 1) - 1);
}

TEST("the same link and the same start make the same run, to the byte")
{
    alone(1250000, 40 * NS_PER_MS, 0.7, 20 * NS_PER_S);
    again = l;
    alone(1250000, 40 * NS_PER_MS, 0.7, 20 * NS_PER_S);
    EXPECT_MEM(&l.flow[0].priv, &again.flow[0].priv, sizeof(struct cc_priv));
    EXPECT_EQ(l.flow[0].sent, again.flow[0].sent);
}

TEST("ProbeRTT comes every five seconds for a fifth of one, and holds half a BDP")
{
    struct bbr *b = alone(1250000, 100 * NS_PER_MS, 2, 10 * NS_PER_S);
    unsigned in = 0;
    unsigned entered = 0;
    bool was = b->state == BBR_PROBE_RTT;
    for (int i = 0; i < 5000; i++) {
        fx_link_run(&l, 10 * NS_PER_MS);
        bool is = b->state == BBR_PROBE_RTT;
        in += is;
        entered += is && !was;
        was = is;
        if (is && b->probe_rtt_done)
            EXPECT(l.flow[0].flight <= 70000);
    }
    EXPECT(entered >= 8 && entered <= 10);
    EXPECT(in * 10 / entered >= 200 && in * 10 / entered <= 600);
}

/* ---- one thing at a time ---- */

static uint64_t total;
static uint32_t lost_before;    /* in the round before */

static void start(void)
{
    fx_cc_start(&f, CC_BBR, MSS, 10);
    total = 0;
    lost_before = 0;
    f.s.cwnd_limited = false;
}

/* A round trip at this rate: as much as that is, in ACKs of a segment; the first tell of losses. */
static void round_at(uint64_t bps, uint32_t lost_acks)
{
    uint64_t rtt = f.s.rtt_ns;
    uint32_t n = (uint32_t)(bps * rtt / NS_PER_S / MSS);
    n = n ? n : 1;
    uint64_t began = total;
    for (uint32_t i = 0; i < n; i++) {
        f.now += rtt / n;
        total += MSS;
        struct cc_sample s = f.s;
        s.now = f.now;
        s.acked_bytes = s.delivered_bytes = MSS;
        s.delivered_total = total;
        s.prior_delivered = began;
        s.rate_bytes = bps * rtt / NS_PER_S;
        s.interval_ns = rtt;
        s.tx_flight = n * MSS;
        s.flight = s.flight_before = f.s.flight ? f.s.flight : n * MSS;
        if (i < lost_acks)
            s.lost_bytes = MSS;
        uint32_t lost_since = lost_before > i ? lost_before - i : 0;
        s.tx_lost = (lost_since + (i < lost_acks ? i + 1 : lost_acks)) * MSS;
        f.ops->on_ack(&f.cc, &s);
    }
    lost_before = lost_acks;
}

TEST("it paces from the first segment on, and by the round trip as soon as one is known")
{
    start();
    EXPECT_EQ(f.cc.pacing_bps, 14600ull * 1000 * 277 / 100);
    EXPECT_EQ(f.cc.cwnd, 10 * MSS);
    f.s.app_limited = true;
    round_at(10, 0);
    EXPECT_EQ(f.cc.pacing_bps, 14600ull * 10 * 277 / 100);
}

TEST("Startup paces at 2.77 times what it found, and ends when three rounds found no more")
{
    start();
    struct bbr *b = state_of(&f.cc);
    uint64_t bps = 150000;
    for (int i = 0; i < 6; i++, bps *= 2) {
        round_at(bps, 0);
        EXPECT_EQ(b->state, BBR_STARTUP);
        EXPECT(ratio(f.cc.pacing_bps, bps) > 2.7 && ratio(f.cc.pacing_bps, bps) < 2.8);
    }
    EXPECT_EQ(f.cc.ssthresh, CC_SSTHRESH_NONE);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(b->state, BBR_STARTUP);
        round_at(bps, 0);
    }
    round_at(bps, 0);
    EXPECT(b->full_bw_reached);
    EXPECT(b->state != BBR_STARTUP);
    EXPECT(!cc_in_slow_start(&f.cc));
}

TEST("samples that the application limited never end Startup")
{
    start();
    f.s.app_limited = true;
    for (int i = 0; i < 50; i++)
        round_at(150000, 0);
    EXPECT_EQ(state_of(&f.cc)->state, BBR_STARTUP);
}

TEST("many losses in a round end Startup too, and an undo returns to it")
{
    start();
    struct bbr *b = state_of(&f.cc);
    round_at(1000000, 0);
    round_at(2000000, 0);
    f.s.in_recovery = true;
    f.ops->on_loss(&f.cc, CC_LOSS_FAST, f.cc.cwnd, f.now);
    round_at(4000000, 20);
    round_at(4000000, 20);
    EXPECT(b->full_bw_reached);
    EXPECT(b->inflight_hi != BBR_NONE32);
    EXPECT(b->state != BBR_STARTUP);
    f.ops->on_undo(&f.cc, f.now);
    EXPECT_EQ(b->state, BBR_STARTUP);
    EXPECT(!b->full_bw_reached);
    EXPECT_EQ(b->inflight_hi, BBR_NONE32);
    EXPECT_EQ(f.cc.ssthresh, CC_SSTHRESH_NONE);
}

TEST("Drain ends after three rounds, even if it was wrong about the bandwidth")
{
    start();
    struct bbr *b = state_of(&f.cc);
    for (int i = 0; i < 5; i++)
        round_at(1000000, 0);
    b->state = BBR_DRAIN;
    b->drain_start_round = b->round_count;
    b->bw = b->max_bw[0] = b->max_bw[1] = 100000;
    f.s.flight = 100000;                        /* ten times as much as there should be */
    for (int i = 0; i < 3; i++) {
        round_at(99000, 0);
        EXPECT_EQ(b->state, BBR_DRAIN);
    }
    round_at(99000, 0);
    EXPECT(b->state != BBR_DRAIN);
}

TEST("a few losses do not end it")
{
    start();
    struct bbr *b = state_of(&f.cc);
    f.s.in_recovery = true;
    for (uint64_t bps = 1000000; bps < 100000000; bps *= 2)
        round_at(bps, 2);
    EXPECT_EQ(b->state, BBR_STARTUP);
    EXPECT_EQ(b->inflight_hi, BBR_NONE32);
}

TEST("a loss of UP that was none takes the probe up again")
{
    start();
    struct bbr *b = state_of(&f.cc);
    round_at(1000000, 0);
    b->full_bw_reached = true;
    b->state = BBR_UP;
    b->is_probe_sample = true;
    b->inflight_hi = 200 * MSS;
    f.ops->on_loss(&f.cc, CC_LOSS_FAST, f.cc.cwnd, f.now);
    round_at(1000000, 20);
    EXPECT(b->state == BBR_DOWN || b->state == BBR_CRUISE);
    EXPECT(b->inflight_hi < 200 * MSS);
    f.ops->on_recovered(&f.cc, f.now);          /* an undo that comes late */
    f.ops->on_undo(&f.cc, f.now);
    EXPECT_EQ(b->state, BBR_REFILL);
    EXPECT_EQ(b->inflight_hi, 200 * MSS);
    EXPECT(b->bw_lo == BBR_NONE64);
    f.ops->on_undo(&f.cc, f.now);               /* twice is once */
    EXPECT_EQ(b->state, BBR_REFILL);
}

TEST("the first segment after idleness is paced at the bandwidth, whatever the probe was doing")
{
    start();
    struct bbr *b = state_of(&f.cc);
    for (int i = 0; i < 5; i++)
        round_at(1000000, 0);
    b->state = BBR_UP;
    f.cc.pacing_bps = 1250000;
    f.ops->on_sent(&f.cc, f.now, MSS, 2 * MSS);
    EXPECT_EQ(f.cc.pacing_bps, 1250000);        /* something was under way: no idleness */
    f.ops->on_sent(&f.cc, f.now, MSS, MSS);
    EXPECT_EQ(f.cc.pacing_bps, 990000);
    EXPECT(b->idle_restart);
}

TEST("what ProbeRTT slowed on purpose is no measure of the bandwidth")
{
    start();
    struct bbr *b = state_of(&f.cc);
    for (int i = 0; i < 5; i++)
        round_at(1000000, 0);
    b->max_bw[1] = 1000000;
    b->max_bw[0] = 0;
    b->limited_until = total + MSS;
    round_at(500000, 0);
    EXPECT_EQ(b->max_bw[0], 0);
    round_at(500000, 0);
    EXPECT_EQ(b->max_bw[0], 500000);
}

TEST("marks count in the round in which they came")
{
    start();
    struct bbr *b = state_of(&f.cc);
    f.s.ce_bytes = 10;
    round_at(1000000, 0);
    f.s.ce_bytes = 0;
    uint32_t acks = 1000000 / 10 / MSS;
    EXPECT_EQ(b->ce_round_bytes, (acks - 1) * 10);      /* the first ended a round */
    round_at(1000000, 0);
    EXPECT_EQ(b->ce_round_bytes, 0);
}

TEST("a timeout leaves one segment, and the end of recovery brings back what was")
{
    COVERS("5681-7");
    start();
    for (int i = 0; i < 4; i++)
        round_at(1000000, 0);
    uint32_t before = f.cc.cwnd;
    EXPECT(before > 20 * MSS);
    f.ops->on_rto(&f.cc, before, true, f.now);
    EXPECT_EQ(f.cc.cwnd, MSS);
    f.ops->on_rto(&f.cc, MSS, false, f.now);
    f.ops->on_sent(&f.cc, f.now, MSS, MSS);
    EXPECT(!state_of(&f.cc)->idle_restart);     /* that was no idleness */
    round_at(15000, 0);
    EXPECT_EQ(f.cc.cwnd, 4 * MSS);
    f.ops->on_recovered(&f.cc, f.now);
    EXPECT_EQ(f.cc.cwnd, before);
    state_of(&f.cc)->inflight_lo = before / 2;
    f.ops->on_recovered(&f.cc, f.now);          /* but no more than the model bears */
    EXPECT_EQ(f.cc.cwnd, before / 2);
}

TEST("losses while cruising slow it down for this cycle only")
{
    start();
    struct bbr *b = state_of(&f.cc);
    round_at(1000000, 0);
    b->full_bw_reached = true;
    b->state = BBR_CRUISE;
    b->cycle_stamp = f.now;
    b->probe_wait_ns = 100 * NS_PER_S;
    uint64_t paced = f.cc.pacing_bps;
    for (int i = 0; i < 3; i++)
        round_at(800000, 2);
    EXPECT(f.cc.pacing_bps < paced);
    EXPECT_EQ(b->bw, 800000);
    EXPECT_EQ(bbr_max_bw(b), 1000000);
    b->probe_wait_ns = 0;
    round_at(800000, 0);
    EXPECT_EQ(b->bw, 1000000);
}

TEST("a second busy period finds the model as the first left it")
{
    start();
    for (int i = 0; i < 10; i++)
        round_at(1000000, 0);
    struct cc_priv before = f.priv;
    f.ops->begin(&f.cc, f.now + NS_PER_S);
    EXPECT_MEM(&f.priv, &before, sizeof(before));
    f.ops->on_idle(&f.cc, NS_PER_S, 10 * MSS, f.now);
    EXPECT_MEM(&f.priv, &before, sizeof(before));
    EXPECT(f.cc.cwnd > 10 * MSS);
    EXPECT(cc_ops_of(CC_BBR)->keeps_priv);
    EXPECT(cc_ops_of(CC_BBR)->own_recovery);
}

/* ---- what nobody would say ---- */

static uint64_t chance;

static uint64_t any(uint64_t below)
{
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    return below ? (chance >> 11) % below : 0;
}

static uint64_t any_size(void)
{
    return any((uint64_t)1 << any(63));
}

static void any_fact(void)
{
    struct cc_sample s = f.s;
    f.now += any_size() % (10 * NS_PER_S);
    total += any((uint64_t)1 << any(32));
    s.now = f.now;
    s.acked_bytes = (uint32_t)any_size();
    s.delivered_bytes = (uint32_t)any_size();
    s.lost_bytes = (uint32_t)any_size();
    s.ce_bytes = any(4) ? 0 : (uint32_t)any_size();
    s.flight = (uint32_t)any_size();
    s.rtt_ns = any_size() % (100 * NS_PER_S);
    s.srtt_ns = any_size() % (100 * NS_PER_S);
    s.delivered_total = total;
    s.prior_delivered = any(total + 1);
    s.rate_bytes = any_size();
    s.interval_ns = any_size();
    s.tx_flight = (uint32_t)any_size();
    s.tx_lost = (uint32_t)any_size();
    s.app_limited = any(4) == 0;
    s.cwnd_limited = any(2);
    s.in_recovery = any(3) == 0;
    s.una = seq_of((uint32_t)any_size());
    s.nxt = seq_of((uint32_t)any_size());
    switch (any(16)) {
    case 0:  f.ops->on_rto(&f.cc, (uint32_t)any_size(), any(2), f.now); return;
    case 1:  f.ops->on_loss(&f.cc, (enum cc_loss)any(2), (uint32_t)any_size(), f.now); return;
    case 2:  f.ops->on_undo(&f.cc, f.now); return;
    case 3:  f.ops->on_recovered(&f.cc, f.now); return;
    case 4:  f.ops->on_idle(&f.cc, any_size(), cc_initial_window(f.cc.mss, 0), f.now); return;
    case 5:  f.ops->on_sent(&f.cc, f.now, MSS, (uint32_t)MSS << any(4)); return;
    case 6:  cc_set_mss(&f.cc, (uint16_t)(64 + any(65000))); return;
    default: f.ops->on_ack(&f.cc, &s); return;
    }
}

TEST("whatever it is told, every algorithm's window stays between a segment and its bound")
{
    for (int kind = 0; kind < CC_N; kind++) {
        for (uint64_t seed = 0; seed < 300; seed++) {
            chance = seed;
            fx_cc_start(&f, (enum cc_kind)kind, MSS, 10);
            f.cc.hystart = seed % 2;
            total = 0;
            for (int i = 0; i < 1000; i++) {
                any_fact();
                EXPECT(f.cc.cwnd >= f.cc.mss && f.cc.cwnd <= CC_CWND_MAX);
                EXPECT((f.cc.pacing_bps != CC_UNPACED) == (kind == CC_BBR));
            }
        }
    }
}
