#include "fx_cc.h"
#include "fx_link.h"

#define MSS 1460

static struct fx_cc f;

/* ---- names ---- */

TEST("an algorithm is found by its name, and by nothing like it")
{
    EXPECT_EQ(cc_kind_named("newreno", 7), CC_NEWRENO);
    EXPECT_EQ(cc_kind_named("cubic", 5), CC_CUBIC);
    EXPECT_EQ(cc_kind_named("bbr", 3), CC_BBR);
    EXPECT_EQ(cc_kind_named("cubic", 4), -1);
    EXPECT_EQ(cc_kind_named("cubic\0", 6), -1);
    EXPECT_EQ(cc_kind_named("CUBIC", 5), -1);
    EXPECT_EQ(cc_kind_named("", 0), -1);
}

TEST("every algorithm has every function, so that nobody need ask")
{
    for (unsigned kind = 0; kind < CC_N; kind++) {
        const struct cc_ops *ops = cc_ops_of(kind);
        EXPECT_EQ(cc_kind_named(ops->name, strlen(ops->name)), kind);
        EXPECT(ops->init && ops->begin && ops->on_sent && ops->on_ack && ops->on_loss);
        EXPECT(ops->on_rto && ops->on_recovered && ops->on_undo && ops->on_idle);
    }
}

/* ---- windows ---- */

TEST("the initial window is min(10 MSS, max(2 MSS, 14600)) for every MSS")
{
    COVERS("5681-2");
    static const struct {
        uint16_t mss;
        uint32_t iw;
    } row[] = {
        {536, 5360},   {1095, 10950}, {1096, 10960}, {1460, 14600},   {1461, 14600}, {2190, 14600},
        {2191, 14600}, {7300, 14600}, {7301, 14602}, {9000, 2 * 9000}, {1, 10},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        EXPECT_EQ(cc_initial_window(row[i].mss, 0), row[i].iw);
}

TEST("an initial window of other than ten segments scales, and has its bound")
{
    COVERS("5681-2");
    EXPECT_EQ(cc_initial_window(1460, 10), 14600);
    EXPECT_EQ(cc_initial_window(1460, 3), 3 * 1460);
    EXPECT_EQ(cc_initial_window(1460, 1), 1460);        /* after a lost SYN */
    EXPECT_EQ(cc_initial_window(9000, 1), 9000);
    EXPECT_EQ(cc_initial_window(2190, 4), 4 * 1460);
    EXPECT_EQ(cc_initial_window(65535, UINT32_MAX), CC_CWND_MAX);
}

TEST("a smaller segment leaves the windows as many segments, so no burst of small ones follows")
{
    COVERS("5681-14");
    fx_cc_start(&f, CC_CUBIC, 1460, 0);
    f.cc.ssthresh = 20 * 1460;
    f.cc.memo = 30 * 1460;
    cc_set_mss(&f.cc, 730);
    EXPECT_EQ(f.cc.mss, 730);
    EXPECT_EQ(f.cc.cwnd, 10 * 730);
    EXPECT_EQ(f.cc.ssthresh, 20 * 730);
    EXPECT_EQ(f.cc.memo, 30 * 730);
    f.cc.cwnd = 100;
    f.cc.ssthresh = CC_SSTHRESH_NONE;
    cc_set_mss(&f.cc, 536);
    EXPECT_EQ(f.cc.cwnd, 536);                          /* never less than a segment */
    EXPECT_EQ(f.cc.ssthresh, CC_SSTHRESH_NONE);
}

TEST("a larger segment leaves the windows as many bytes")
{
    fx_cc_start(&f, CC_CUBIC, 536, 0);
    f.cc.ssthresh = 20 * 536;
    cc_set_mss(&f.cc, 1460);
    EXPECT_EQ(f.cc.cwnd, 5360);
    EXPECT_EQ(f.cc.ssthresh, 20 * 536);
    cc_set_mss(&f.cc, 9000);
    EXPECT_EQ(f.cc.cwnd, 9000);                         /* less could send nothing */
    EXPECT_EQ(f.cc.ssthresh, 18000);
}

TEST("another algorithm takes the windows over and starts with an empty state")
{
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    fx_cc_lose(&f, 10 * MSS);
    fx_cc_ack(&f, MSS);
    cc_change(&f.cc, CC_CUBIC, f.now);
    EXPECT_EQ(f.cc.kind, CC_CUBIC);
    EXPECT_EQ(f.cc.cwnd, 5 * MSS);
    EXPECT_EQ(f.cc.ssthresh, 5 * MSS);
    struct cc_priv zero = {{0}};
    EXPECT_MEM(&f.priv, &zero, sizeof(zero));
    f.cc.priv = NULL;
    cc_change(&f.cc, CC_NEWRENO, f.now);                /* idle: nothing to clear */
    EXPECT_EQ(f.cc.cwnd, 5 * MSS);
}

/* ---- slow start ---- */

TEST("slow start counts bytes: a segment acknowledged in a thousand parts is one segment")
{
    COVERS("5681-5");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        for (int hystart = 0; hystart < 2; hystart++) {
            fx_cc_start(&f, kind, 1000, 0);
            f.cc.hystart = hystart;
            fx_cc_acks(&f, 1000, 1);
            EXPECT_EQ(f.cc.cwnd, 11000);
        }
    }
}

TEST("in slow start one ACK is worth two segments at most, after a timeout one")
{
    COVERS("5681-5");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        fx_cc_ack(&f, 10 * MSS);
        EXPECT_EQ(f.cc.cwnd, 12 * MSS);
        f.ops->on_rto(&f.cc, 12 * MSS, true, f.now);
        fx_cc_ack(&f, 4 * MSS);
        EXPECT_EQ(f.cc.cwnd, 2 * MSS);
    }
}

TEST("slow start ends exactly at ssthresh, and what is left goes to congestion avoidance")
{
    fx_cc_start(&f, CC_NEWRENO, MSS, 0);
    f.cc.ssthresh = 11 * MSS;
    EXPECT_EQ(cc_slow_start(&f.cc, 2 * MSS, CC_NO_LIMIT), MSS);
    EXPECT_EQ(f.cc.cwnd, 11 * MSS);
    EXPECT(!cc_in_slow_start(&f.cc));
    EXPECT_EQ(cc_slow_start(&f.cc, MSS, CC_NO_LIMIT), MSS);
    EXPECT_EQ(f.cc.cwnd, 11 * MSS);
}

TEST("ssthresh is arbitrarily high until the first loss says otherwise")
{
    COVERS("5681-4");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        for (int i = 0; i < 10; i++)
            fx_cc_round(&f);
        EXPECT_EQ(f.cc.ssthresh, CC_SSTHRESH_NONE);
        EXPECT_EQ(f.cc.cwnd, 10 * MSS << 10);
        f.ops->on_loss(&f.cc, CC_LOSS_FAST, f.cc.cwnd, f.now);
        EXPECT(f.cc.ssthresh < f.cc.cwnd);
    }
}

TEST("a window that was not full does not grow, in slow start or after it")
{
    COVERS("9438-5");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        f.s.cwnd_limited = false;
        fx_cc_acks(&f, 100, MSS);
        EXPECT_EQ(f.cc.cwnd, 10 * MSS);
        f.cc.ssthresh = 5 * MSS;
        for (int i = 0; i < 100; i++)
            fx_cc_round(&f);
        EXPECT_EQ(f.cc.cwnd, 10 * MSS);
    }
}

TEST("an ACK that carries a mark, or comes during recovery, is no reason to grow")
{
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        f.s.ce_bytes = MSS;
        fx_cc_acks(&f, 10, MSS);
        EXPECT_EQ(f.cc.cwnd, 10 * MSS);
        f.s.ce_bytes = 0;
        f.s.in_recovery = true;
        fx_cc_acks(&f, 10, MSS);
        EXPECT_EQ(f.cc.cwnd, 10 * MSS);
        f.s.in_recovery = false;
        fx_cc_ack(&f, MSS);
        EXPECT_EQ(f.cc.cwnd, 11 * MSS);
    }
}

TEST("no window passes its bound, whatever is acknowledged")
{
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, 65535, 0);
        f.cc.cwnd = CC_CWND_MAX - 1;
        fx_cc_acks(&f, 10, 65535);
        EXPECT_EQ(f.cc.cwnd, CC_CWND_MAX);
        f.cc.ssthresh = CC_CWND_MAX / 2;
        for (int i = 0; i < 10; i++) {
            f.now += 100 * NS_PER_S;
            fx_cc_ack(&f, UINT32_MAX);
            EXPECT(f.cc.cwnd <= CC_CWND_MAX);
        }
    }
}

/* ---- reductions ---- */

TEST("a second timeout of one segment leaves ssthresh, and cwnd is one segment")
{
    COVERS("5681-7");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        f.ops->on_rto(&f.cc, 8 * MSS, true, f.now);
        uint32_t ssthresh = f.cc.ssthresh;
        EXPECT(ssthresh >= 4 * MSS && ssthresh < 8 * MSS);
        EXPECT_EQ(f.cc.cwnd, MSS);
        f.ops->on_rto(&f.cc, MSS, false, f.now);
        EXPECT_EQ(f.cc.ssthresh, ssthresh);
        EXPECT_EQ(f.cc.cwnd, MSS);
    }
}

TEST("marks without end bring cwnd down to one segment, ssthresh to two")
{
    COVERS("9438-6");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        for (int i = 0; i < 20; i++) {
            uint32_t before = f.cc.cwnd;
            f.ops->on_loss(&f.cc, CC_LOSS_ECN, f.cc.cwnd, f.now);
            EXPECT(f.cc.cwnd < before || before == MSS);
        }
        EXPECT_EQ(f.cc.cwnd, MSS);
        EXPECT_EQ(f.cc.ssthresh, 2 * MSS);
    }
}

TEST("a loss or a timeout that was none is taken back whole")
{
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        fx_cc_lose(&f, 10 * MSS);
        struct cc before = f.cc;
        f.ops->on_rto(&f.cc, 5 * MSS, true, f.now);
        f.ops->on_rto(&f.cc, MSS, false, f.now);
        f.ops->on_undo(&f.cc, f.now);
        EXPECT_EQ(f.cc.cwnd, before.cwnd);
        EXPECT_EQ(f.cc.ssthresh, before.ssthresh);
        EXPECT_EQ(f.cc.memo, before.memo);
        fx_cc_lose(&f, 5 * MSS);
        f.ops->on_undo(&f.cc, f.now);
        EXPECT_EQ(f.cc.cwnd, before.cwnd);
        EXPECT_EQ(f.cc.ssthresh, before.ssthresh);
        EXPECT_EQ(f.cc.memo, before.memo);
    }
}

TEST("an undo when nothing was reduced changes nothing, and none ever lowers cwnd")
{
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        f.ops->on_undo(&f.cc, f.now);
        EXPECT_EQ(f.cc.cwnd, 10 * MSS);
        EXPECT_EQ(f.cc.ssthresh, CC_SSTHRESH_NONE);
        fx_cc_lose(&f, 10 * MSS);
        f.cc.cwnd = 100 * MSS;
        f.ops->on_undo(&f.cc, f.now);
        EXPECT_EQ(f.cc.cwnd, 100 * MSS);
    }
}

TEST("after idleness the window is the restart window, and slow start knows where it was")
{
    COVERS("5681-11");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        fx_cc_start(&f, kind, MSS, 0);
        f.cc.cwnd = 100 * MSS;
        f.cc.ssthresh = 20 * MSS;
        f.cc.priv = NULL;
        f.ops->on_idle(&f.cc, 2 * NS_PER_S, 10 * MSS, f.now);
        EXPECT_EQ(f.cc.cwnd, 10 * MSS);
        EXPECT_EQ(f.cc.ssthresh, 75 * MSS);
        f.cc.cwnd = 4 * MSS;
        f.ops->on_idle(&f.cc, 2 * NS_PER_S, 10 * MSS, f.now);
        EXPECT_EQ(f.cc.cwnd, 4 * MSS);                  /* never up */
        EXPECT_EQ(f.cc.ssthresh, 75 * MSS);
    }
}

/* ---- two flows, one link ---- */

static struct link l;

/* What the second of two flows gets of a link of 10 Mbit/s and 20 ms with a queue of one BDP, in
 * hundredths of what both get. */
static double second_share(enum cc_kind first, enum cc_kind second)
{
    fx_link_init(&l, 1250000, 20 * NS_PER_MS, 25000);
    fx_link_flow(&l, first, 0);
    fx_link_flow(&l, second, 3 * NS_PER_S);
    fx_link_run(&l, 60 * NS_PER_S);
    fx_link_count_from_here(&l);
    fx_link_run(&l, 100 * NS_PER_S);
    double a = fx_link_share(&l, 0, 100 * NS_PER_S);
    double b = fx_link_share(&l, 1, 100 * NS_PER_S);
    EXPECT(a + b > 95);                         /* and nothing is left unused */
    return 100 * b / (a + b);
}

TEST("two flows of one kind share a link equally, however late the second came")
{
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        double share = second_share(kind, kind);
        EXPECT(share > 45 && share < 55);
    }
}

TEST("NewReno and CUBIC share a short path: neither gets more than two thirds")
{
    COVERS("9438-3");
    double cubic = second_share(CC_NEWRENO, CC_CUBIC);
    EXPECT(cubic > 40 && cubic < 67);
    double reno = second_share(CC_CUBIC, CC_NEWRENO);
    EXPECT(reno > 33 && reno < 60);
}

TEST("HyStart++ loses less than half of what slow start loses in the queue of a long path")
{
    COVERS("9438-9");
    for (unsigned kind = CC_NEWRENO; kind <= CC_CUBIC; kind++) {
        uint32_t drops[2];
        for (int hystart = 0; hystart < 2; hystart++) {
            fx_link_init(&l, 12500000, 80 * NS_PER_MS, 1000000);        /* a queue of one BDP */
            fx_link_flow(&l, kind, 0)->cc.hystart = hystart;
            fx_link_run(&l, 3 * NS_PER_S);
            drops[hystart] = l.drops;
        }
        EXPECT(drops[0] > 500);
        EXPECT(drops[1] < drops[0] / 2);
    }
}
