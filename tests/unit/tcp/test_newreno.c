#include "fx_cc.h"

#define MSS 1000

static struct fx_cc f;

/* ---- growth ---- */

TEST("congestion avoidance adds one segment for each window acknowledged, and not before")
{
    COVERS("5681-6");
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    fx_cc_lose(&f, 20 * MSS);
    for (uint32_t segs = 10; segs < 200; segs++) {
        EXPECT_EQ(f.cc.cwnd, segs * MSS);
        fx_cc_acks(&f, segs - 1, MSS);
        EXPECT_EQ(f.cc.cwnd, segs * MSS);
        fx_cc_ack(&f, MSS);
    }
}

TEST("it counts bytes: delayed, divided and late ACKs make the same window")
{
    COVERS("5681-6 5681-5");
    static const uint32_t sizes[] = {1, 7, MSS, 2 * MSS, 5 * MSS};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fx_cc_start(&f, CC_NEWRENO, MSS, 0);
        fx_cc_lose(&f, 20 * MSS);
        for (uint32_t left = 10 * MSS; left > 0;) {
            uint32_t n = left < sizes[i] ? left : sizes[i];
            EXPECT_EQ(f.cc.cwnd, 10 * MSS);
            fx_cc_ack(&f, n);
            left -= n;
        }
        EXPECT_EQ(f.cc.cwnd, 11 * MSS);
    }
}

TEST("an ACK for more than the window is worth one segment all the same")
{
    COVERS("5681-6");
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    fx_cc_lose(&f, 20 * MSS);
    fx_cc_ack(&f, 1000 * MSS);
    EXPECT_EQ(f.cc.cwnd, 11 * MSS);
    fx_cc_ack(&f, 1);
    EXPECT_EQ(f.cc.cwnd, 12 * MSS);             /* what it kept is one window at most */
    fx_cc_ack(&f, MSS);
    EXPECT_EQ(f.cc.cwnd, 12 * MSS);
}

/* ---- reduction ---- */

TEST("a loss halves what is under way, which may be far less than the window")
{
    COVERS("5681-4 5681-10");
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    f.cc.cwnd = 100 * MSS;
    f.ops->on_loss(&f.cc, CC_LOSS_FAST, 30 * MSS, f.now);
    EXPECT_EQ(f.cc.ssthresh, 15 * MSS);
    EXPECT_EQ(f.cc.cwnd, 100 * MSS);            /* the recovery brings it down */
    f.ops->on_loss(&f.cc, CC_LOSS_FAST, 3 * MSS, f.now);
    EXPECT_EQ(f.cc.ssthresh, 2 * MSS);
}

TEST("a timeout halves what is under way and leaves one segment")
{
    COVERS("5681-7");
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    f.cc.cwnd = 100 * MSS;
    f.ops->on_rto(&f.cc, 30 * MSS, true, f.now);
    EXPECT_EQ(f.cc.ssthresh, 15 * MSS);
    EXPECT_EQ(f.cc.cwnd, MSS);
    f.ops->on_rto(&f.cc, MSS, true, f.now);
    EXPECT_EQ(f.cc.ssthresh, 2 * MSS);
}

TEST("losses in two successive windows reduce twice, and so does the loss of what was sent again")
{
    COVERS("5681-13");
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    fx_cc_lose(&f, 40 * MSS);
    fx_cc_lose(&f, 20 * MSS);
    EXPECT_EQ(f.cc.cwnd, 10 * MSS);
    f.ops->on_rto(&f.cc, 10 * MSS, true, f.now);
    EXPECT_EQ(f.cc.ssthresh, 5 * MSS);
}

TEST("marks reduce as a loss does, at once")
{
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    f.cc.cwnd = 40 * MSS;
    f.ops->on_loss(&f.cc, CC_LOSS_ECN, 40 * MSS, f.now);
    EXPECT_EQ(f.cc.ssthresh, 20 * MSS);
    EXPECT_EQ(f.cc.cwnd, 20 * MSS);
}

TEST("a partial ACK changes no window: recovery stays until its end")
{
    COVERS("6582-1");
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    f.ops->on_loss(&f.cc, CC_LOSS_FAST, 20 * MSS, f.now);
    f.cc.cwnd = 12 * MSS;                       /* on its way down */
    f.s.in_recovery = true;
    fx_cc_acks(&f, 8, MSS);
    EXPECT_EQ(f.cc.cwnd, 12 * MSS);
    EXPECT_EQ(f.cc.ssthresh, 10 * MSS);
}

/* ---- the reference: windows after each step, as RFC 5681 has them ---- */

enum step {
    ROUND,                      /* every segment of the window is acknowledged by itself */
    HALF,                       /* half the window, two segments an ACK */
    LOSS,                       /* of a full window; recovery ends */
    LOSS_APP,                   /* when only ten segments are under way */
    MARK,
    RTO,
    RTO_AGAIN,
    UNDO,
    IDLE,                       /* restart window: ten segments */
};

static const struct {
    enum step step;
    uint32_t cwnd, ssthresh;    /* bytes; ssthresh 0: none yet */
} script[] = {
    {ROUND, 20000, 0},      {ROUND, 40000, 0},      {LOSS, 20000, 20000},   {ROUND, 21000, 20000},
    {ROUND, 22000, 20000},  {HALF, 22000, 20000},   {HALF, 23000, 20000},   {LOSS, 11500, 11500},
    {ROUND, 11500, 11500},  {RTO, 1000, 5750},      {ROUND, 2000, 5750},    {ROUND, 4000, 5750},
    {ROUND, 5750, 5750},    {ROUND, 6750, 5750},    {ROUND, 7750, 5750},    {RTO, 1000, 3875},
    {RTO_AGAIN, 1000, 3875}, {UNDO, 7750, 5750},     {ROUND, 7750, 5750},    {ROUND, 8750, 5750},
    {ROUND, 9750, 5750},    {ROUND, 10750, 5750},   {MARK, 5375, 5375},     {ROUND, 5375, 5375},
    {ROUND, 6375, 5375},    {ROUND, 7375, 5375},    {ROUND, 8375, 5375},    {ROUND, 9375, 5375},
    {ROUND, 10375, 5375},   {ROUND, 11375, 5375},   {ROUND, 12375, 5375},   {ROUND, 13375, 5375},
    {ROUND, 14375, 5375},   {IDLE, 10000, 10782},   {ROUND, 11782, 10782},  {ROUND, 11782, 10782},
    {ROUND, 12782, 10782},  {ROUND, 13782, 10782},  {LOSS_APP, 5000, 5000}, {ROUND, 6000, 5000},
    {LOSS, 3000, 3000},     {LOSS, 2000, 2000},     {MARK, 1000, 2000},     {ROUND, 2000, 2000},
    {ROUND, 3000, 2000},    {LOSS, 2000, 2000},     {UNDO, 3000, 2000},     {ROUND, 4000, 2000},
};

static void play(enum step step)
{
    switch (step) {
    case ROUND:     fx_cc_round(&f); return;
    case HALF:      fx_cc_acks(&f, f.cc.cwnd / MSS / 4, 2 * MSS);
                    fx_cc_ack(&f, f.cc.cwnd / 2 - f.cc.cwnd / MSS / 4 * 2 * MSS); return;
    case LOSS:      fx_cc_lose(&f, f.cc.cwnd); return;
    case LOSS_APP:  fx_cc_lose(&f, 10 * MSS); return;
    case MARK:      f.ops->on_loss(&f.cc, CC_LOSS_ECN, f.cc.cwnd, f.now); return;
    case RTO:       f.ops->on_rto(&f.cc, f.cc.cwnd, true, f.now); return;
    case RTO_AGAIN: f.ops->on_rto(&f.cc, f.cc.cwnd, false, f.now); return;
    case UNDO:      f.ops->on_undo(&f.cc, f.now); return;
    case IDLE:      f.ops->on_idle(&f.cc, NS_PER_S, 10 * MSS, f.now); return;
    }
}

TEST("the windows are those of RFC 5681 at every step of a script of losses, timeouts and idleness")
{
    COVERS("5681-4 5681-5 5681-6 5681-7 5681-11 5681-13");
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
        play(script[i].step);
        uint32_t ssthresh = script[i].ssthresh ? script[i].ssthresh : CC_SSTHRESH_NONE;
        if (f.cc.cwnd != script[i].cwnd || f.cc.ssthresh != ssthresh)
            print_error("step %zu: cwnd %u, ssthresh %u\n", i, f.cc.cwnd, f.cc.ssthresh);
        EXPECT_EQ(f.cc.cwnd, script[i].cwnd);
        EXPECT_EQ(f.cc.ssthresh, ssthresh);
    }
}
