#include "fx_cc.h"

#define MSS 1000

static struct hystart h;
static struct cc cc;
static seq_t una;
static uint32_t round_bytes;    /* of a round: what was under way when it began */

static void start(void)
{
    memset(&h, 0, sizeof(h));
    cc = (struct cc){.cwnd = 10 * MSS, .ssthresh = CC_SSTHRESH_NONE, .mss = MSS};
    una = seq_of(UINT32_MAX - 3500);
    round_bytes = 16 * MSS;
}

static uint32_t ack(uint32_t bytes, uint64_t rtt_us)
{
    una = seq_add(una, bytes);
    struct cc_sample s = {
        .acked_bytes = bytes, .rtt_ns = rtt_us * NS_PER_US, .una = una,
        .nxt = seq_add(una, round_bytes),
    };
    return hystart_on_ack(&h, &cc, &s);
}

/* A round of 16 segments whose round-trip times are these; what the last ACK was worth. */
static uint32_t round_of(uint64_t rtt_us)
{
    uint32_t grow = 0;
    for (int i = 0; i < 16; i++)
        grow = ack(MSS, rtt_us);
    return grow;
}

static void first_round(uint64_t rtt_us)
{
    start();
    ack(0, 0);                                  /* the round begins */
    round_of(rtt_us);
}

TEST("round trips that stay as they were leave slow start alone")
{
    first_round(40000);
    for (int i = 0; i < 50; i++)
        EXPECT_EQ(round_of(40000 + (uint64_t)(i % 2) * 4000), MSS);
    EXPECT_EQ(cc.ssthresh, CC_SSTHRESH_NONE);
}

TEST("a round an eighth slower than the last slows growth to a quarter, at its eighth sample")
{
    COVERS("9438-9");
    first_round(40000);
    for (int i = 0; i < 7; i++)
        EXPECT_EQ(ack(MSS, 45000), MSS);
    EXPECT_EQ(ack(MSS, 45000), MSS / 4);
    EXPECT(h.in_css);
    EXPECT_EQ(cc.ssthresh, CC_SSTHRESH_NONE);
}

TEST("the threshold is an eighth of the round trip, but 4 ms at least and 16 ms at most")
{
    static const struct {
        uint64_t before_us, threshold_us;
    } row[] = {{100, 4000}, {32000, 4000}, {40000, 5000}, {100000, 12500}, {128000, 16000},
               {500000, 16000}};
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        first_round(row[i].before_us);
        round_of(row[i].before_us + row[i].threshold_us - 1);
        EXPECT(!h.in_css);
        first_round(row[i].before_us);
        round_of(row[i].before_us + row[i].threshold_us);
        EXPECT(h.in_css);
    }
}

TEST("the least of a round counts, so that single slow round trips mean nothing")
{
    first_round(40000);
    for (int i = 0; i < 8; i++)
        ack(MSS, i == 3 ? 41000 : 90000);
    EXPECT(!h.in_css);
}

TEST("fewer than eight samples judge nothing; ACKs without one are not samples")
{
    first_round(40000);
    for (int i = 0; i < 16; i++)
        EXPECT_EQ(ack(MSS, i < 7 ? 80000 : 0), MSS);
    EXPECT(!h.in_css);
}

TEST("five rounds of conservative growth, the partial first among them, end slow start")
{
    COVERS("9438-9");
    first_round(40000);
    for (int i = 0; i < 4; i++) {
        round_of(60000);
        EXPECT(h.in_css);
        EXPECT_EQ(cc.ssthresh, CC_SSTHRESH_NONE);
    }
    cc.cwnd = 77 * MSS;
    round_of(60000);
    EXPECT_EQ(cc.ssthresh, 77 * MSS);
}

TEST("a round faster than the first conservative one shows that it was jitter")
{
    first_round(40000);
    EXPECT_EQ(round_of(60000), MSS / 4);
    EXPECT_EQ(round_of(60000), MSS / 4);
    EXPECT_EQ(round_of(59000), MSS);
    EXPECT(!h.in_css);
    for (int i = 0; i < 10; i++)
        EXPECT_EQ(round_of(60000), MSS);
    EXPECT_EQ(cc.ssthresh, CC_SSTHRESH_NONE);
}

TEST("a second slowing after a false alarm has five rounds of its own")
{
    first_round(40000);
    for (int i = 0; i < 3; i++)
        round_of(60000);
    round_of(40000);
    for (int i = 0; i < 4; i++)
        round_of(60000);
    EXPECT_EQ(cc.ssthresh, CC_SSTHRESH_NONE);
    round_of(60000);
    EXPECT_EQ(cc.ssthresh, cc.cwnd);
}

TEST("one ACK is worth eight segments at most, unless departures are paced")
{
    start();
    EXPECT_EQ(ack(7 * MSS, 40000), 7 * MSS);
    EXPECT_EQ(ack(20 * MSS, 40000), 8 * MSS);
    cc.pacing_bps = 1000000;
    EXPECT_EQ(ack(20 * MSS, 40000), 20 * MSS);
}

TEST("both window algorithms leave slow start by it, and only the first slow start")
{
    COVERS("9438-9");
    static struct fx_cc f;
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        f.cc.hystart = true;
        for (int i = 0; i < 20 && cc_in_slow_start(&f.cc); i++) {
            f.s.rtt_ns += i < 3 ? 0 : 20 * NS_PER_MS;
            fx_cc_round(&f);
        }
        EXPECT(f.cc.ssthresh <= f.cc.cwnd);
        EXPECT(f.cc.cwnd < 1000 * MSS);
        EXPECT(f.cc.cwnd > 100 * MSS);
        f.ops->on_rto(&f.cc, 400 * MSS, true, f.now);
        uint32_t ssthresh = f.cc.ssthresh;
        for (int i = 0; i < 20 && cc_in_slow_start(&f.cc); i++) {
            f.s.rtt_ns += 20 * NS_PER_MS;
            uint32_t before = f.cc.cwnd;
            fx_cc_round(&f);
            EXPECT(f.cc.cwnd >= 2 * before || f.cc.cwnd >= ssthresh);
        }
        EXPECT_EQ(f.cc.ssthresh, ssthresh);
    }
}

TEST("without it slow start goes on until something is lost")
{
    static struct fx_cc f;
    fx_cc_start(&f, CC_CUBIC, MSS, 0);
    for (int i = 0; i < 10; i++) {
        f.s.rtt_ns += 20 * NS_PER_MS;
        fx_cc_round(&f);
    }
    EXPECT_EQ(f.cc.cwnd, 10 * MSS << 10);
}
