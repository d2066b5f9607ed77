#include "test.h"

#include "base/clock.h"
#include "lab/wire.h"

static struct wire_params parsed(const char *text)
{
    struct wire_params p = {0};
    struct syntax_error e = {0};
    if (!wire_params_parse(span_str(text), &p, &e))
        fail_msg("%s: column %u, expected %s", text, e.column, e.expected);
    return p;
}

TEST("the text of a wire is read: rates, times, shares and single frames")
{
    struct wire_params p = parsed("loss 2%, delay 40ms±5, rate 10mbit, queue 50, reorder 1%, "
                                  "dup .1%, corrupt .01%, mtu 1420, lose 3, lose 7, hold 2, cut 1%");
    EXPECT_EQ(p.impair.loss, 20000);
    EXPECT_EQ(p.delay_ns, 40 * NS_PER_MS);
    EXPECT_EQ(p.impair.jitter_ns, 5 * NS_PER_MS);
    EXPECT_EQ(p.rate_bps, 10000000);
    EXPECT_EQ(p.queue_pkts, 50);
    EXPECT_EQ(p.impair.reorder, 10000);
    EXPECT_EQ(p.impair.dup, 1000);
    EXPECT_EQ(p.impair.corrupt, 100);
    EXPECT_EQ(p.impair.truncate, 10000);
    EXPECT_EQ(p.mtu, 1420);
    EXPECT(p.impair.lose_n == 2 && p.impair.lose_nth[0] == 3 && p.impair.lose_nth[1] == 7);
    EXPECT(p.impair.hold_n == 1 && p.impair.hold_nth[0] == 2);
    p = parsed("burst 1%/20%");
    EXPECT(p.impair.burst_enter == 10000 && p.impair.burst_leave == 200000 &&
           p.impair.burst_loss == 1000000);
    EXPECT_EQ(parsed("rate 2.5gbit").rate_bps, 2500000000u);
    EXPECT_EQ(parsed("rate 9600bit").rate_bps, 9600);
    EXPECT_EQ(parsed("delay 1.5us").delay_ns, 1500);
    EXPECT_EQ(parsed("loss 0.25").impair.loss, 250000);
    EXPECT_EQ(parsed("").rate_bps, 0);
}

TEST("what cannot be read says where and what was expected, and changes nothing")
{
    static const struct {
        const char *text;
        unsigned column;
    } bad[] = {
        {"loss", 5}, {"loss x", 6}, {"loss 101%", 6}, {"los 2%", 1}, {"delay 5", 7},
        {"delay 5min", 7}, {"rate 10", 6}, {"rate 10mbyte", 6}, {"loss 1%, queue many", 16},
        {"queue 9999", 7}, {"burst 1%", 7}, {"burst x/2%", 7}, {"burst 1%/y", 7}, {"mtu 70000", 5}, {"lose -1", 6},
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct wire_params p = {.queue_pkts = 77}, before = p;
        struct syntax_error e = {0};
        EXPECT(!wire_params_parse(span_str(bad[i].text), &p, &e));
        if (e.column != bad[i].column)
            fail_msg("%s: column %u", bad[i].text, e.column);
        EXPECT(strlen(e.expected) > 3);
        EXPECT_MEM(&p, &before, sizeof(p));
    }
}

TEST("a frame takes its length over the rate, then the delay; the next one waits for it")
{
    struct wire_dir d;
    struct wire_params p = parsed("rate 10mbit delay 5ms");
    wire_dir_init(&d, &p, 1, 1);
    EXPECT_EQ(wire_pass(&d, 0, 1250).arrival, 6 * NS_PER_MS);
    EXPECT_EQ(wire_pass(&d, 0, 1250).arrival, 7 * NS_PER_MS);
    EXPECT_EQ(wire_pass(&d, 10 * NS_PER_MS, 1250).arrival, 16 * NS_PER_MS);
    EXPECT_EQ(d.draws, 0);              /* nothing was left to chance */
}

TEST("a queue takes that many frames while the transmitter is busy, and drops the next")
{
    struct wire_dir d;
    struct wire_params p = parsed("rate 10mbit queue 3");
    wire_dir_init(&d, &p, 1, 1);
    for (int i = 0; i < 3; i++)
        EXPECT(!wire_pass(&d, 0, 1250).full);
    EXPECT(wire_pass(&d, 0, 1250).full);
    EXPECT(!wire_pass(&d, 1 * NS_PER_MS, 1250).full);   /* one has left */
    EXPECT(wire_pass(&d, 1 * NS_PER_MS, 1250).full);
    EXPECT_EQ(d.full, 2);
}

TEST("frames that are named by number are lost, damaged, doubled and held, and no others")
{
    struct wire_dir d;
    struct wire_params p = parsed("lose 2 damage 3 double 4 hold 5 delay 2ms");
    wire_dir_init(&d, &p, 1, 1);
    for (unsigned i = 1; i <= 6; i++) {
        struct wire_verdict v = wire_pass(&d, i * NS_PER_MS, 100);
        EXPECT(v.lost == (i == 2) && v.corrupt == (i == 3) && v.dup == (i == 4) &&
               v.held == (i == 5));
        if (!v.lost)
            EXPECT_EQ(v.arrival, (i + 2 + (i == 5 ? 2 : 0)) * NS_PER_MS);
    }
}

TEST("shares come out as they should, draws are numbered, and one seed makes one history")
{
    static const char *const text[] = {"loss 10%", "corrupt 10%", "dup 10%", "reorder 10%", "cut 10%"};
    for (unsigned k = 0; k < ARRAY_LEN(text); k++) {
        struct wire_dir a, b, c;
        struct wire_params p = parsed(text[k]);
        unsigned hits = 0, differ = 0;
        wire_dir_init(&a, &p, 5, 1);
        wire_dir_init(&b, &p, 5, 1);
        wire_dir_init(&c, &p, 6, 1);
        for (unsigned i = 0; i < 20000; i++) {
            struct wire_verdict v = wire_pass(&a, i, 100), w = wire_pass(&b, i, 100);
            struct wire_verdict x = wire_pass(&c, i, 100);
            EXPECT_MEM(&v, &w, sizeof(v));
            hits += v.lost || v.corrupt || v.dup || v.held || v.truncate;
            differ += v.lost != x.lost || v.corrupt != x.corrupt || v.dup != x.dup ||
                      v.held != x.held || v.truncate != x.truncate;
        }
        EXPECT(hits > 1800 && hits < 2200);
        EXPECT(differ > 1000);
        EXPECT(a.draws >= 20000);
    }
}

TEST("bursts lose runs of frames: as many as the model says, and longer runs than single losses make")
{
    struct wire_dir d;
    struct wire_params p = parsed("burst 1%/20%");
    unsigned lost = 0, runs = 0;
    bool before = false;
    wire_dir_init(&d, &p, 3, 1);
    for (unsigned i = 0; i < 100000; i++) {
        bool now = wire_pass(&d, i, 100).lost;
        lost += now;
        runs += now && !before;
        before = now;
    }
    EXPECT(lost > 4000 && lost < 5600);         /* 1/21 of the time in the bad state */
    EXPECT(lost > 4 * runs && lost < 6 * runs); /* runs of five on average */
}

TEST("jitter spreads arrivals over twice its width and keeps their order")
{
    struct wire_dir d;
    struct wire_params p = parsed("delay 40ms jitter 5ms");
    oriel_time last = 0, least = ORIEL_NEVER, most = 0;
    wire_dir_init(&d, &p, 3, 1);
    for (unsigned i = 0; i < 1000; i++) {
        oriel_time sent = i * 100 * NS_PER_MS, t = wire_pass(&d, sent, 100).arrival;
        EXPECT(t >= last);
        last = t;
        least = t - sent < least ? t - sent : least;
        most = t - sent > most ? t - sent : most;
    }
    EXPECT(least >= 35 * NS_PER_MS && least < 36 * NS_PER_MS);
    EXPECT(most <= 45 * NS_PER_MS && most > 44 * NS_PER_MS);
    for (unsigned i = 0; i < 1000; i++) {
        oriel_time t = wire_pass(&d, 1000000 * NS_PER_MS + i, 100).arrival;
        EXPECT(t >= last);
        last = t;
    }
}
