#include "fx_cc.h"

#include "tcp/cc/bbr_probe.c"

#define MSS 1000

static struct cc cc;
static struct bbr b;
static struct cc_sample s;
static struct bbr_ack a;

/* In this state, with a BDP of a hundred segments and nothing amiss. */
static void in_state(enum bbr_state state)
{
    memset(&b, 0, sizeof(b));
    cc = (struct cc){.cwnd = 200 * MSS, .mss = MSS, .pacing_bps = 1000000};
    s = (struct cc_sample){.now = 100 * NS_PER_S, .delivered_bytes = MSS,
                           .flight = 100 * MSS, .tx_flight = 100 * MSS};
    a = (struct bbr_ack){.s = &s, .rate = 1000000};
    b.min_rtt_ns = 100 * NS_PER_MS;
    b.bw = b.max_bw[0] = 1000000;
    b.bw_lo = BBR_NONE64;
    b.inflight_lo = b.inflight_hi = BBR_NONE32;
    b.up_acked_per_inc = BBR_NONE32;
    b.full_bw_reached = true;
    b.cycle_stamp = s.now;
    b.probe_wait_ns = 2 * NS_PER_S;
    b.probe_rtt_stamp = s.now;
    b.state = (uint8_t)state;
}

static void ack(void)
{
    bbr_update_cycle(&cc, &b, &a);
}

TEST("DOWN lasts until the queue is gone, then CRUISE")
{
    in_state(BBR_DOWN);
    s.flight = 101 * MSS;
    ack();
    EXPECT_EQ(b.state, BBR_DOWN);
    s.flight = 100 * MSS;
    ack();
    EXPECT_EQ(b.state, BBR_CRUISE);
}

TEST("DOWN lasts until there is headroom, where losses have shown a limit")
{
    in_state(BBR_DOWN);
    b.inflight_hi = 110 * MSS;
    s.flight = 94 * MSS;
    ack();
    EXPECT_EQ(b.state, BBR_DOWN);
    s.flight = 93 * MSS;                        /* 85 % of 110 is 93.5 */
    ack();
    EXPECT_EQ(b.state, BBR_CRUISE);
}

TEST("CRUISE and DOWN last for the time that the die said, then REFILL, and nothing slows it")
{
    for (unsigned from = BBR_DOWN; from <= BBR_CRUISE; from++) {
        in_state(from);
        s.flight = 150 * MSS;
        b.bw_lo = 500000;
        b.inflight_lo = 50 * MSS;
        s.now += 2 * NS_PER_S;
        ack();
        EXPECT_EQ(b.state, from);
        s.now++;
        ack();
        EXPECT_EQ(b.state, BBR_REFILL);
        EXPECT(b.bw_lo == BBR_NONE64);
        EXPECT_EQ(b.inflight_lo, BBR_NONE32);
    }
}

TEST("or for as many rounds as the window has segments, 63 at most: Reno gets its turn")
{
    in_state(BBR_CRUISE);
    b.rounds_since_probe = 62;
    ack();
    EXPECT_EQ(b.state, BBR_CRUISE);
    b.rounds_since_probe = 63;
    ack();
    EXPECT_EQ(b.state, BBR_REFILL);
    in_state(BBR_CRUISE);
    cc.cwnd = 20 * MSS;
    b.rounds_since_probe = 19;
    ack();
    EXPECT_EQ(b.state, BBR_CRUISE);
    b.rounds_since_probe = 20;
    ack();
    EXPECT_EQ(b.state, BBR_REFILL);
}

TEST("the waits lie between two and three seconds, spread evenly, and a rerun has the same")
{
    unsigned tenths[10] = {0};
    unsigned odd = 0;
    in_state(BBR_CRUISE);
    for (int i = 0; i < 10000; i++) {
        struct bbr twin = b;
        b.delivered += 12345;
        twin.delivered += 12345;
        pick_probe_wait(&b, s.now);
        pick_probe_wait(&twin, s.now);
        EXPECT_EQ(b.probe_wait_ns, twin.probe_wait_ns);
        EXPECT(b.probe_wait_ns >= 2 * NS_PER_S && b.probe_wait_ns < 3 * NS_PER_S);
        tenths[(b.probe_wait_ns - 2 * NS_PER_S) / (NS_PER_S / 10)]++;
        EXPECT(b.rounds_since_probe <= 1);
        odd += b.rounds_since_probe;
    }
    for (int i = 0; i < 10; i++)
        EXPECT(tenths[i] > 850 && tenths[i] < 1150);
    EXPECT(odd > 4700 && odd < 5300);
}

TEST("connections that differ in what they delivered throw different dice")
{
    in_state(BBR_CRUISE);
    struct bbr other = b;
    other.delivered = 1460;
    pick_probe_wait(&b, s.now);
    pick_probe_wait(&other, s.now);
    EXPECT(b.probe_wait_ns != other.probe_wait_ns);
}

TEST("REFILL lasts a round, then UP")
{
    in_state(BBR_REFILL);
    ack();
    EXPECT_EQ(b.state, BBR_REFILL);
    b.round_start = true;
    ack();
    EXPECT_EQ(b.state, BBR_UP);
    EXPECT(b.is_probe_sample);
    EXPECT_EQ(b.full_bw, 1000000);
    EXPECT_EQ(b.ack_phase, BBR_ACKS_PROBE_STARTING);
}

TEST("UP ends when the bandwidth does not grow; the waiting begins anew")
{
    in_state(BBR_UP);
    b.cycle_stamp = 0;
    b.probe_too_high = true;
    b.inflight_hi = 150 * MSS;
    ack();
    EXPECT_EQ(b.state, BBR_UP);
    b.full_bw_now = true;
    ack();
    EXPECT_EQ(b.state, BBR_DOWN);
    EXPECT(!b.probe_too_high);
    EXPECT(!b.probe_precautionary);
    EXPECT_EQ(b.cycle_stamp, s.now);
    EXPECT_EQ(b.ack_phase, BBR_ACKS_PROBE_STOPPING);
}

TEST("UP goes on while it is the limit that holds the bandwidth down")
{
    in_state(BBR_UP);
    b.inflight_hi = cc.cwnd;
    s.cwnd_limited = true;
    b.full_bw_now = true;
    b.full_bw_count = 3;
    ack();
    EXPECT_EQ(b.state, BBR_UP);
    EXPECT_EQ(b.full_bw_count, 0);
    EXPECT_EQ(b.full_bw, 1000000);
}

TEST("the limit grows by 1, 2, 4, 8 segments in the rounds of UP, while the window is full")
{
    in_state(BBR_REFILL);
    cc.cwnd = b.inflight_hi = 64 * MSS;
    s.tx_flight = 64 * MSS;
    s.flight = 63 * MSS;
    b.round_start = true;
    ack();
    b.round_start = false;
    s.cwnd_limited = true;
    for (uint32_t grow = 1; grow <= 8; grow *= 2) {
        uint32_t before = b.inflight_hi;
        for (uint32_t i = 0; i < 64; i++) {
            cc.cwnd = b.inflight_hi;
            ack();
        }
        EXPECT_EQ(b.inflight_hi, before + grow * MSS);
        cc.cwnd = 64 * MSS;
        raise_slope(&cc, &b);                   /* as at the beginning of a round */
    }
    s.cwnd_limited = false;
    uint32_t before = b.inflight_hi;
    for (uint32_t i = 0; i < 1000; i++)
        ack();
    EXPECT_EQ(b.inflight_hi, before);
}

TEST("what was under way without too many losses raises the limit in any state")
{
    in_state(BBR_CRUISE);
    b.inflight_hi = 90 * MSS;
    s.tx_lost = 3 * MSS;
    ack();
    EXPECT_EQ(b.inflight_hi, 90 * MSS);
    s.tx_lost = 2 * MSS;
    ack();
    EXPECT_EQ(b.inflight_hi, 100 * MSS);
}

TEST("after a probe with losses the next only touches the limit, and if that was well it goes on")
{
    in_state(BBR_UP);
    b.probe_too_high = true;
    b.inflight_hi = 120 * MSS;
    s.flight = 119 * MSS;
    ack();
    EXPECT_EQ(b.state, BBR_UP);
    s.flight = 120 * MSS;
    ack();
    EXPECT_EQ(b.state, BBR_DOWN);
    EXPECT(b.probe_precautionary);
    struct bbr touched = b;
    b.round_start = true;                       /* a round without losses: at once again */
    ack();
    EXPECT_EQ(b.state, BBR_REFILL);
    b = touched;
    b.round_start = true;
    b.probe_too_high = true;                    /* and with losses: not */
    ack();
    EXPECT(b.state == BBR_DOWN || b.state == BBR_CRUISE);
}

TEST("a cycle of the bandwidth filter ends a round after UP, unless its samples were limited")
{
    in_state(BBR_CRUISE);
    b.ack_phase = BBR_ACKS_PROBE_STOPPING;
    b.is_probe_sample = true;
    ack();
    EXPECT(b.is_probe_sample);
    b.round_start = true;
    ack();
    EXPECT(!b.is_probe_sample);
    EXPECT_EQ(b.max_bw[0], 0);
    EXPECT_EQ(b.max_bw[1], 1000000);
    in_state(BBR_CRUISE);
    b.ack_phase = BBR_ACKS_PROBE_STOPPING;
    b.round_start = true;
    a.limited = true;
    ack();
    EXPECT_EQ(b.max_bw[0], 1000000);
}

/* ---- ProbeRTT ---- */

static void probe_rtt_ack(void)
{
    bbr_check_probe_rtt(&cc, &b, &s);
}

TEST("ProbeRTT waits for half a BDP, 200 ms and a round, then CRUISE with the window of before")
{
    in_state(BBR_CRUISE);
    b.probe_rtt_expired = true;
    b.bw_lo = 1;
    probe_rtt_ack();
    EXPECT_EQ(b.state, BBR_PROBE_RTT);
    EXPECT_EQ(b.prior_cwnd, 200 * MSS);
    EXPECT_EQ(bbr_probe_rtt_cwnd(&cc, &b), 50 * MSS);
    EXPECT_EQ(b.probe_rtt_done, 0);
    cc.cwnd = 50 * MSS;
    s.flight = 50 * MSS;
    probe_rtt_ack();
    EXPECT_EQ(b.probe_rtt_done, s.now + 200 * NS_PER_MS);
    s.now += 300 * NS_PER_MS;
    probe_rtt_ack();
    EXPECT_EQ(b.state, BBR_PROBE_RTT);          /* no round yet */
    b.round_start = true;
    probe_rtt_ack();
    EXPECT_EQ(b.state, BBR_CRUISE);
    EXPECT_EQ(cc.cwnd, 200 * MSS);
    EXPECT_EQ(b.probe_rtt_stamp, s.now);
    EXPECT(b.bw_lo == BBR_NONE64);
}

TEST("ProbeRTT before the pipe was ever full goes back to Startup")
{
    in_state(BBR_STARTUP);
    b.full_bw_reached = false;
    b.probe_rtt_expired = true;
    s.flight = 10 * MSS;
    probe_rtt_ack();
    s.now += 300 * NS_PER_MS;
    b.round_start = true;
    probe_rtt_ack();
    EXPECT_EQ(b.state, BBR_STARTUP);
}

TEST("samples of what was sent during ProbeRTT are limited, as it sends little on purpose")
{
    in_state(BBR_CRUISE);
    b.delivered = 1000000;
    b.probe_rtt_expired = true;
    s.flight = 60 * MSS;
    probe_rtt_ack();
    EXPECT_EQ(b.limited_until, 1060000);
}

TEST("idleness was a ProbeRTT: none follows it")
{
    in_state(BBR_CRUISE);
    b.probe_rtt_expired = b.idle_restart = true;
    probe_rtt_ack();
    EXPECT_EQ(b.state, BBR_CRUISE);
    EXPECT(!b.idle_restart);
}
