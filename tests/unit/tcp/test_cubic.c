#include "fx_cc.h"

#include "tcp/cc/cubic.c"

#define MSS  1460
#define BETA 0.7
#define C    0.4

static struct fx_cc f;

static double seconds(oriel_time t)
{
    return (double)t / (double)NS_PER_S;
}

/* The mathematics of the reference; small enough not to ask for libm. */

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double distance(double a, double b)
{
    return a > b ? a - b : b - a;
}

static double cube(double x)
{
    return x * x * x;
}

static double root3(double x)
{
    double r = x > 1 ? x : 1;
    for (int i = 0; i < 200 && x > 0; i++)
        r = (2 * r + x / (r * r)) / 3;
    return x > 0 ? r : 0;
}

/* ---- the curve: fixed point against floating ---- */

TEST("the cube root is the largest number whose cube is not above it")
{
    for (uint64_t r = 1; r < OFFSET_MAX; r += r / 7 + 1) {
        EXPECT_EQ(cube_root(r * r * r), r);
        EXPECT_EQ(cube_root(r * r * r - 1), r - 1);
    }
    EXPECT_EQ(cube_root(0), 0);
    EXPECT_EQ(cube_root(INT64_MAX), OFFSET_MAX);
}

TEST("K is cbrt((W_max - cwnd) / C) to half a millisecond, for every window and segment size")
{
    COVERS("9438-1");
    static const uint16_t sizes[] = {64, 536, 1220, 1460, 9000, 65535};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (uint32_t below = 1; below < CC_CWND_MAX; below += below / 5 + 1) {
            double want = root3((double)below / sizes[i] / C);
            double have = k_of(below, sizes[i]) / 4096.0;
            EXPECT(distance(have, want) < 0.0005);
        }
        EXPECT_EQ(k_of(0, sizes[i]), 0);
    }
    EXPECT_EQ(k_of(CC_CWND_MAX, 1), OFFSET_MAX);        /* no such segments: but no overflow */
}

TEST("W_cubic(t) is C (t - K)^3 + W_max to a thousandth and a segment")
{
    COVERS("9438-1");
    static const uint32_t windows[] = {10, 50, 1000, 50000, 700000};
    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        double w_max = windows[i];
        double k = root3(w_max * (1 - BETA) / C);
        struct epoch e = {.mss = MSS, .k_ticks = k_of((uint32_t)(w_max * 0.3 * MSS), MSS)};
        for (double t = 0; t < 3 * k; t += k / 50) {
            double want = C * cube(t - k) + w_max;
            if (want * MSS > CC_CWND_MAX)
                want = (double)CC_CWND_MAX / MSS;
            uint64_t t_ns = (uint64_t)(t * 1e9);
            double have = (double)w_cubic(&e, windows[i] * MSS, t_ns) / MSS;
            EXPECT(distance(have, want) < 0.5 + want / 1000);
        }
    }
}

TEST("W_cubic stays within its bounds after years, and never below nothing")
{
    struct epoch e = {.mss = 65535, .k_ticks = (uint32_t)OFFSET_MAX};
    EXPECT_EQ(w_cubic(&e, 1000, 0), 0);
    EXPECT_EQ(w_cubic(&e, 1000, UINT64_MAX / 16), CC_CWND_MAX);
    EXPECT_EQ(w_cubic(&e, CC_CWND_MAX, UINT64_MAX / 16), CC_CWND_MAX);
}

/* ---- the reference: RFC 9438 in segments and seconds, in floating point ---- */

struct model {
    double cwnd, ssthresh, w_max, k, w_est, prior;
    double epoch, paused;       /* when it began; for how long the window was not full */
    double last;
    double limit;               /* segments that one ACK is worth in slow start (RFC 3465) */
    bool in_epoch;
};

static void model_avoid(struct model *m, double segs, double now, double rtt)
{
    if (!m->in_epoch) {
        m->in_epoch = true;
        m->epoch = now;
        m->paused = 0;
        m->w_max = larger(m->w_max, m->cwnd);
        m->k = root3((m->w_max - m->cwnd) / C);
        m->w_est = m->cwnd;
    }
    double alpha = m->w_est < m->prior ? 3 * (1 - BETA) / (1 + BETA) : 1;
    double t = now - m->epoch - m->paused;
    m->w_est += alpha * segs / m->cwnd;
    if (C * cube(t - m->k) + m->w_max < m->w_est) {
        m->cwnd = larger(m->cwnd, m->w_est);
        return;
    }
    double target = C * cube(t + rtt - m->k) + m->w_max;
    target = larger(m->cwnd, smaller(target, 1.5 * m->cwnd));
    m->cwnd += (target - m->cwnd) / m->cwnd * segs;
}

static void model_ack(struct model *m, double segs, double now, double rtt)
{
    if (m->cwnd < m->ssthresh) {
        double room = m->ssthresh - m->cwnd;
        double used = smaller(smaller(segs, m->limit), room);
        m->cwnd += used;
        segs = used < room ? 0 : segs - used;
    } else {
        m->limit = 2;
    }
    if (segs > 0)
        model_avoid(m, segs, now, rtt);
    m->last = now;
}

static void model_loss(struct model *m, double flight)
{
    m->prior = m->cwnd;
    m->w_max = m->cwnd < m->w_max ? m->cwnd * (1 + BETA) / 2 : m->cwnd;
    m->ssthresh = larger(flight * BETA, 2);
    m->cwnd = m->ssthresh;
    m->in_epoch = false;
}

static void model_rto(struct model *m, double flight)
{
    model_loss(m, flight);
    m->w_max = 0;               /* 4.8: K = 0 and W_max = cwnd when avoidance begins */
    m->cwnd = 1;
    m->limit = 1;
}

enum event {
    LOSS,                       /* of a full window */
    LOSS_HALF,                  /* when half a window was under way */
    MARK,
    RTO,
    PAUSE,                      /* a second in which the application has little to send */
    END,
};

struct row {
    unsigned ms;                /* with full windows, before the event */
    enum event event;
};

struct script {
    const char *what;
    uint16_t mss;
    unsigned rtt_ms, ssthresh;
    uint32_t ack_segs;          /* one ACK for so many segments */
    struct row row[12];
};

static const struct script scripts[] = {
    {"wide", 1460, 100, 2000, 1, {{5000, LOSS}, {25000, LOSS}, {4000, LOSS}, {30000, END}}},
    {"wide, delayed ACKs", 1460, 100, 2000, 2, {{5000, LOSS}, {25000, LOSS}, {30000, END}}},
    {"narrow: Reno-friendly", 1460, 20, 20, 1,
     {{2000, LOSS}, {900, LOSS}, {700, LOSS}, {4000, END}}},
    {"losses in a row", 1460, 50, 500, 1,
     {{1000, LOSS}, {60, LOSS}, {60, LOSS}, {60, LOSS_HALF}, {3000, LOSS}, {10000, END}}},
    {"timeouts", 1460, 80, 400, 1,
     {{3000, RTO}, {6000, LOSS}, {4000, RTO}, {9000, LOSS}, {6000, END}}},
    {"pauses", 1460, 100, 1000, 1,
     {{3000, LOSS}, {2000, PAUSE}, {3000, PAUSE}, {6000, PAUSE}, {4000, LOSS}, {5000, END}}},
    {"marks", 536, 30, 100, 1, {{1000, MARK}, {2000, MARK}, {500, MARK}, {9000, END}}},
    {"jumbo", 9000, 200, 300, 1, {{5000, LOSS}, {15000, LOSS}, {15000, END}}},
    {"tiny segments, far", 64, 600, 1500, 4, {{5000, LOSS}, {20000, LOSS}, {20000, END}}},
    {"near", 1460, 1, 60, 2, {{200, LOSS}, {100, LOSS}, {400, RTO}, {600, LOSS}, {500, END}}},
};

static void compare(const struct script *s, const struct model *m)
{
    double have = (double)f.cc.cwnd / s->mss;
    double error = distance(have, m->cwnd);
    double allowed = larger(m->cwnd / 500, 0.2);
    if (error > allowed)
        print_error("%s: %.3f segments at %.3f s, not %.3f\n", s->what, have, seconds(f.now),
                    m->cwnd);
    EXPECT(error <= allowed);
}

/* Windows go by; their ACKs are spread over the round trip. */
static void run_for(const struct script *s, struct model *m, unsigned ms, bool full)
{
    oriel_time end = f.now + ms * NS_PER_MS;
    f.s.cwnd_limited = full;
    while (f.now < end) {
        uint32_t acks = f.cc.cwnd / s->mss / s->ack_segs + 1;
        for (uint32_t i = 0; i < acks; i++) {
            f.now += f.s.srtt_ns / acks;
            fx_cc_ack(&f, s->ack_segs * s->mss);
            if (full)
                model_ack(m, s->ack_segs, seconds(f.now), s->rtt_ms / 1e3);
            compare(s, m);
        }
    }
    if (!full) {
        m->paused += seconds(f.now) - m->last;
        m->last = seconds(f.now);
    }
}

static void happen(const struct script *s, struct model *m, enum event event)
{
    switch (event) {
    case LOSS:
        fx_cc_lose(&f, f.cc.cwnd);
        model_loss(m, m->cwnd);
        return;
    case LOSS_HALF:
        fx_cc_lose(&f, f.cc.cwnd / 2);
        model_loss(m, m->cwnd / 2);
        return;
    case MARK:
        f.ops->on_loss(&f.cc, CC_LOSS_ECN, f.cc.cwnd, f.now);
        model_loss(m, m->cwnd);
        return;
    case RTO:
        f.ops->on_rto(&f.cc, f.cc.cwnd, true, f.now);
        model_rto(m, m->cwnd);
        return;
    case PAUSE:
        run_for(s, m, 1000, false);
        return;
    case END:
        return;
    }
}

TEST("the window is RFC 9438's to 0.2 % or a fifth of a segment, at every ACK of every script")
{
    COVERS("9438-1 9438-2 9438-3 9438-4 9438-5 9438-7 9438-8");
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
        const struct script *s = &scripts[i];
        fx_cc_start(&f, CC_CUBIC, s->mss, 10);
        f.cc.ssthresh = s->ssthresh * s->mss;
        f.s.srtt_ns = f.s.rtt_ns = s->rtt_ms * NS_PER_MS;
        struct model m = {.cwnd = (double)f.cc.cwnd / s->mss, .ssthresh = s->ssthresh, .limit = 2};
        for (const struct row *r = s->row;; r++) {
            run_for(s, &m, r->ms, true);
            happen(s, &m, r->event);
            compare(s, &m);
            if (r->event == END)
                break;
        }
    }
}

/* ---- one thing at a time ---- */

/* The first avoidance after a loss in a window of so many segments. */
static void after_loss(uint32_t segs)
{
    fx_cc_start(&f, CC_CUBIC, MSS, 10);
    f.cc.cwnd = segs * MSS;
    fx_cc_lose(&f, segs * MSS);
}

TEST("a loss takes three tenths of what is under way, never below two segments")
{
    COVERS("9438-5");
    after_loss(100);
    EXPECT_EQ(f.cc.ssthresh, 70 * MSS);
    f.ops->on_loss(&f.cc, CC_LOSS_FAST, 30 * MSS, f.now);
    EXPECT_EQ(f.cc.ssthresh, 21 * MSS);
    f.ops->on_loss(&f.cc, CC_LOSS_FAST, MSS, f.now);
    EXPECT_EQ(f.cc.ssthresh, 2 * MSS);
    EXPECT_EQ(f.cc.cwnd, 70 * MSS);
    f.ops->on_loss(&f.cc, CC_LOSS_ECN, 2 * MSS, f.now);
    EXPECT_EQ(f.cc.ssthresh, 2 * MSS);
    EXPECT_EQ(f.cc.cwnd, 2 * MSS * 7 / 10);     /* marks may take it lower */
}

TEST("a loss below W_max lowers W_max further: fast convergence")
{
    COVERS("9438-7");
    after_loss(100);
    EXPECT_EQ(f.cc.memo, 100 * MSS);
    fx_cc_lose(&f, 70 * MSS);
    EXPECT_EQ(f.cc.memo, 70 * MSS * 17 / 20);
    f.cc.cwnd = 90 * MSS;
    fx_cc_lose(&f, 90 * MSS);
    EXPECT_EQ(f.cc.memo, 90 * MSS);
}

TEST("the window does not more than grow by half in a round trip, however late the target")
{
    COVERS("9438-2");
    after_loss(100);
    fx_cc_ack(&f, MSS);
    f.now += 100 * NS_PER_S;                    /* far above W_max */
    uint32_t before = f.cc.cwnd;
    struct fx_cc late = f;
    fx_cc_ack(&f, before);
    EXPECT(f.cc.cwnd > before + before / 2 - MSS);
    EXPECT(f.cc.cwnd <= before + before / 2);
    f = late;
    f.now -= 91 * NS_PER_S + 900 * NS_PER_MS;   /* where the target is 1.8 times the window */
    fx_cc_ack(&f, before);
    EXPECT(f.cc.cwnd > before + before / 2 - MSS);
    EXPECT(f.cc.cwnd <= before + before / 2);
}

TEST("a pause of the application is left out of t")
{
    COVERS("9438-2");
    after_loss(1000);
    fx_cc_ack(&f, MSS);
    f.now += 2 * NS_PER_S;
    fx_cc_ack(&f, MSS);
    struct fx_cc paused = f;
    fx_cc_round(&f);
    uint32_t want = f.cc.cwnd;
    f = paused;
    f.s.cwnd_limited = false;
    for (int i = 0; i < 500; i++) {
        f.now += 100 * NS_PER_MS;
        fx_cc_ack(&f, MSS);
    }
    f.s.cwnd_limited = true;
    EXPECT_EQ(f.cc.cwnd, paused.cc.cwnd);
    fx_cc_round(&f);
    EXPECT_EQ(f.cc.cwnd, want);
}

TEST("a small window grows by 9/17 of a segment a round trip, and by one once it is where it was")
{
    COVERS("9438-3");
    after_loss(20);
    f.s.srtt_ns = NS_PER_MS;                    /* so near that the curve does not move */
    unsigned rounds = 0;
    while (f.cc.cwnd < 20 * MSS) {
        fx_cc_round(&f);
        rounds++;
    }
    EXPECT(rounds >= 10 && rounds <= 13);       /* 6 segments * 17/9 = 11.3 */
    uint32_t before = f.cc.cwnd;
    for (int i = 0; i < 10; i++)
        fx_cc_round(&f);
    EXPECT(f.cc.cwnd >= before + 9 * MSS && f.cc.cwnd <= before + 10 * MSS);
}

TEST("after a timeout the first avoidance starts on a plateau: K is 0 and W_max the window")
{
    COVERS("9438-8");
    fx_cc_start(&f, CC_CUBIC, MSS, 10);
    f.cc.cwnd = 1000 * MSS;
    f.ops->on_rto(&f.cc, 1000 * MSS, true, f.now);
    EXPECT_EQ(f.cc.cwnd, MSS);
    EXPECT_EQ(f.cc.ssthresh, 700 * MSS);
    while (cc_in_slow_start(&f.cc))
        fx_cc_round(&f);
    fx_cc_ack(&f, MSS);
    EXPECT_EQ(f.cc.memo, 700 * MSS);
    EXPECT_EQ(((struct cubic *)(void *)f.priv.bytes)->epoch.k_ticks, 0);
    f.now += 5 * NS_PER_S;
    fx_cc_acks(&f, 7000, MSS);                  /* C * 5.2^3 is 56.2 */
    EXPECT(f.cc.cwnd > 756 * MSS && f.cc.cwnd < 757 * MSS);
}

TEST("slow start that no loss ended goes over into a plateau where it ended")
{
    COVERS("9438-9");
    fx_cc_start(&f, CC_CUBIC, MSS, 10);
    f.cc.ssthresh = f.cc.cwnd;                  /* as HyStart++ does */
    fx_cc_ack(&f, MSS);
    EXPECT_EQ(f.cc.memo, 10 * MSS);
    EXPECT_EQ(((struct cubic *)(void *)f.priv.bytes)->epoch.k_ticks, 0);
}

TEST("a reduction that is taken back leaves the curve as if there had been none")
{
    COVERS("9438-4");
    for (int timeout = 0; timeout < 2; timeout++) {
        after_loss(1000);
        for (int i = 0; i < 30; i++)
            fx_cc_round(&f);
        struct fx_cc untouched = f;
        if (timeout)
            f.ops->on_rto(&f.cc, f.cc.cwnd, true, f.now);
        else
            fx_cc_lose(&f, f.cc.cwnd);
        f.now += NS_PER_S;
        untouched.now += NS_PER_S;
        f.ops->on_undo(&f.cc, f.now);
        fx_cc_acks(&f, 1000, MSS);
        uint32_t have = f.cc.cwnd;
        f = untouched;
        fx_cc_acks(&f, 1000, MSS);
        EXPECT_EQ(have, f.cc.cwnd);
    }
}

TEST("a busy period that ends on the way to W_max is gone on with by the next")
{
    after_loss(1000);
    uint32_t want = 0;
    for (int i = 0; i < 20; i++)
        fx_cc_round(&f);
    struct fx_cc one = f;
    for (int i = 0; i < 20; i++)
        fx_cc_round(&f);
    want = f.cc.cwnd;
    f = one;
    memset(&f.priv, 0, sizeof(f.priv));         /* all is acknowledged, and more is sent at once */
    f.ops->begin(&f.cc, f.now);
    EXPECT_EQ(f.cc.memo, 1000 * MSS);
    for (int i = 0; i < 20; i++)
        fx_cc_round(&f);
    EXPECT(distance(f.cc.cwnd, want) < want / 100.0);
}

TEST("after idleness the curve starts anew towards the W_max of before")
{
    after_loss(1000);
    fx_cc_round(&f);
    f.cc.cwnd = 700 * MSS;
    f.now += 10 * NS_PER_S;
    f.ops->on_idle(&f.cc, 10 * NS_PER_S, 10 * MSS, f.now);
    EXPECT_EQ(f.cc.cwnd, 10 * MSS);
    EXPECT_EQ(f.cc.memo, 1000 * MSS);
    while (cc_in_slow_start(&f.cc))
        fx_cc_round(&f);
    oriel_time start = f.now;
    while (f.cc.cwnd < 999 * MSS)
        fx_cc_round(&f);
    double k = root3(300 / C);
    EXPECT(distance(seconds(f.now - start), k) < k / 4);
}

TEST("a busy period that has forgotten the window before the loss is no bolder for it")
{
    COVERS("9438-3");
    after_loss(20);
    f.s.srtt_ns = NS_PER_MS;
    f.cc.undo_cwnd = f.cc.undo_ssthresh = 0;
    unsigned rounds = 0;
    while (f.cc.cwnd < 20 * MSS) {
        fx_cc_round(&f);
        rounds++;
    }
    EXPECT(rounds >= 10 && rounds <= 13);
}

TEST("a segment size that changes begins another epoch")
{
    after_loss(100);
    fx_cc_round(&f);
    cc_set_mss(&f.cc, MSS / 2);
    uint32_t before = f.cc.cwnd;
    fx_cc_round(&f);
    EXPECT(f.cc.cwnd >= before && f.cc.cwnd < before + before / 10);
    EXPECT_EQ(((struct cubic *)(void *)f.priv.bytes)->epoch.mss, MSS / 2);
}
