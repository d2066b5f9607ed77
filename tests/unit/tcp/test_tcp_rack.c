#include "fx_loss.h"

#include "tcp/tcp_rack.c"

static struct tcp_rack *rack(const struct fx_loss *f)
{
    return &f->c->flight->rack;
}

/* ---- lost by time ---- */

TEST("segments sent before a delivered one are lost one reordering window later, to the nanosecond")
{
    COVERS("8985-5 8985-1");
    struct fx_loss *f = fx_loss(.rtt_ms = 40);
    fx_send_segs(f, 3);
    fx_at_ms(f, 40);
    fx_ack(f, 0, 2, 3);
    EXPECT(!fx_is(f, 0, SENT_LOST));            /* perhaps only late: a quarter of a round trip */
    EXPECT_EQ(rack(f)->reo_at, f->start + 50 * NS_PER_MS);
    EXPECT_EQ(wheel_next(&f->fx.env.wheel), rack(f)->reo_at);
    f->fx.env.now = rack(f)->reo_at - 1;
    tcp_rack_on_timer(&f->t, f->c);
    EXPECT(!fx_is(f, 0, SENT_LOST));
    fx_timers_until_ms(f, 50);
    EXPECT(fx_is(f, 0, SENT_LOST) && fx_is(f, 1, SENT_LOST));
    EXPECT_EQ(fx_record(f, 0)->why, WHY_RTX_RACK);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT(f->c->out.want & TCP_WANT_RTX);
    EXPECT_EQ(rack(f)->reo_at, ORIEL_NEVER);
    EXPECT_EQ(tcp_quota(f->c), 1000);           /* something leaves, though no ACK says so */
    fx_loss_free(f);
}

TEST("what arrives within the reordering window is not lost")
{
    COVERS("8985-5 8985-3");
    struct fx_loss *f = fx_loss(.rtt_ms = 40);
    fx_send_segs(f, 3);
    fx_at_ms(f, 40);
    fx_ack(f, 0, 2, 3);
    fx_at_ms(f, 45);
    fx_ack(f, 3, 0, 0);
    EXPECT(rack(f)->reordering_seen);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(rack(f)->reo_at, ORIEL_NEVER);
    fx_loss_free(f);
}

TEST("of segments that left together, those with lower numbers were overtaken")
{
    COVERS("8985-5");
    struct fx_loss *f = fx_loss(.rtt_ms = 40);
    fx_send(f, 10000);                          /* one record */
    fx_at_ms(f, 40);
    fx_ack(f, 0, 4, 7);
    EXPECT(fx_is(f, 3, SENT_LOST));
    EXPECT(!fx_is(f, 7, SENT_LOST));
    fx_loss_free(f);
}

TEST("a segment that left later is not lost by one that left earlier")
{
    COVERS("8985-5");
    struct fx_loss *f = fx_loss(.rtt_ms = 40);
    fx_send_segs(f, 4);
    fx_at_ms(f, 10);
    fx_send_segs(f, 2);
    fx_at_ms(f, 40);
    fx_ack(f, 0, 1, 4);
    EXPECT(fx_is(f, 0, SENT_LOST));
    EXPECT(!fx_is(f, 4, SENT_LOST));
    fx_loss_free(f);
}

TEST("a lost retransmission is found by what left after it")
{
    COVERS("8985-5");
    struct fx_loss *f = fx_loss(.rtt_ms = 40);
    fx_send_segs(f, 5);
    fx_at_ms(f, 40);
    fx_ack(f, 0, 1, 5);
    fx_write(f, 5);
    fx_run(f);                                  /* R0, and then new data as PRR lets */
    EXPECT(fx_is(f, 0, SENT_RESENT));
    fx_at_ms(f, 41);
    struct tcp_sent *fresh = fx_send(f, 1000);
    uint32_t seg = fx_seg(f, fresh->node.key);
    fx_at_ms(f, 81);
    fx_ack(f, 0, seg, seg + 1);
    EXPECT(fx_is(f, 0, SENT_LOST));
    EXPECT(!fx_is(f, 0, SENT_RESENT));
    fx_loss_free(f);
}

TEST("RACK does not count duplicates: with reordering seen, three are only early news")
{
    COVERS("8985-9 8985-4");
    struct fx_loss *f = fx_loss(.rtt_ms = 40, .cwnd = 20);
    fx_send_segs(f, 20);
    rack(f)->reordering_seen = true;
    fx_at_ms(f, 40);
    for (uint32_t i = 1; i < 10; i++)
        fx_ack(f, 0, i, i + 1);
    EXPECT(!fx_is(f, 0, SENT_LOST));
    EXPECT_EQ(fx_ca(f), ORIEL_CA_DISORDER);
    fx_loss_free(f);
}

TEST("looking for the timer's moment stops after some records, and it fires again for the others")
{
    COVERS("8985-5");
    struct fx_loss *f = fx_loss(.rtt_ms = 100, .cwnd = 200);
    rack(f)->reordering_seen = true;
    for (uint32_t i = 0; i < 100; i++) {
        fx_at_ms(f, i / 10);
        fx_send(f, 1000);
    }
    fx_at_ms(f, 109);
    fx_ack(f, 0, 99, 100);
    EXPECT(rack(f)->reo_at != ORIEL_NEVER);
    EXPECT(rack(f)->reo_at <= f->start + 126 * NS_PER_MS);
    fx_timers_until_ms(f, 126);
    EXPECT(fx_is(f, 19, SENT_LOST));
    EXPECT(!fx_is(f, 20, SENT_LOST));
    fx_timers_until_ms(f, 134);
    EXPECT(fx_is(f, 20, SENT_LOST) && fx_is(f, 98, SENT_LOST));
    EXPECT(!fx_is(f, 99, SENT_LOST));
    fx_loss_free(f);
}

TEST("what RACK takes of a round trip is that of the newest delivered")
{
    COVERS("8985-2");
    struct fx_loss *f = fx_loss(.rtt_ms = 100);
    fx_send_segs(f, 2);
    fx_at_ms(f, 10);
    fx_send_segs(f, 2);
    fx_at_ms(f, 110);
    fx_ack(f, 1, 2, 3);
    EXPECT_EQ(rack(f)->rtt_ns, 100 * NS_PER_MS);
    EXPECT_EQ(rack(f)->xmit_at, f->start + 10 * NS_PER_MS);
    EXPECT_EQ(fx_seg(f, rack(f)->end_seq), 3);
    fx_at_ms(f, 130);
    fx_ack(f, 2, 0, 0);                         /* older: it moves nothing back */
    EXPECT_EQ(rack(f)->xmit_at, f->start + 10 * NS_PER_MS);
    fx_loss_free(f);
}

/* ---- patience ---- */

TEST("the reordering window by what was seen, what is SACKED and what D-SACKs said")
{
    COVERS("8985-4");
    static const struct {
        bool seen;
        uint8_t ca;
        uint32_t sacked, mult, expect_ms;
    } rows[] = {
        {false, ORIEL_CA_OPEN, 0, 1, 25},      {false, ORIEL_CA_DISORDER, 2, 1, 25},
        {false, ORIEL_CA_DISORDER, 3, 1, 0},   {false, ORIEL_CA_RECOVERY, 0, 1, 0},
        {false, ORIEL_CA_LOSS, 0, 4, 0},       {true, ORIEL_CA_DISORDER, 3, 1, 25},
        {true, ORIEL_CA_RECOVERY, 9, 3, 75},   {true, ORIEL_CA_RECOVERY, 9, 20, 150},
    };
    struct fx_loss *f = fx_loss(.rtt_ms = 100);
    f->c->rtt.srtt_us8 = 150000 * 8;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        f->c->flight->recov.ca = rows[i].ca;
        f->c->flight->sent.sacked_segs = rows[i].sacked;
        rack(f)->reordering_seen = rows[i].seen;
        rack(f)->reo_mult = (uint8_t)rows[i].mult;
        EXPECT_EQ(reo_window(&f->t, f->c), rows[i].expect_ms * NS_PER_MS);
    }
    f->c->flight->sent.sacked_segs = 0;
    fx_loss_free(f);
}

TEST("a round with D-SACKs makes the window grow once, and sixteen recoveries without any reset it")
{
    COVERS("8985-4");
    struct fx_loss *f = fx_loss(.rtt_ms = 100, .cwnd = 30);
    fx_send_segs(f, 10);
    fx_at_ms(f, 100);
    fx_dsack(f, 4, 1, 2);
    fx_dsack(f, 5, 2, 3);
    EXPECT_EQ(rack(f)->reo_mult, 2);
    fx_send_segs(f, 5);
    fx_dsack(f, 9, 3, 4);
    EXPECT_EQ(rack(f)->reo_mult, 2);
    fx_dsack(f, 10, 4, 5);                      /* all of that round is acknowledged: another */
    EXPECT_EQ(rack(f)->reo_mult, 3);
    for (int i = 0; i < REO_PERSIST; i++) {
        EXPECT_EQ(rack(f)->reo_mult, 3);
        tcp_rack_on_recovered(f->c);
    }
    EXPECT_EQ(rack(f)->reo_mult, 1);
    tcp_rack_on_recovered(f->c);
    EXPECT_EQ(rack(f)->reo_mult, 1);
    fx_loss_free(f);
}

TEST("D-SACKs without end leave the window bounded")
{
    struct fx_loss *f = fx_loss(.rtt_ms = 100, .cwnd = 2000);
    for (uint32_t i = 0; i < 1000; i++) {
        fx_send_segs(f, 1);
        fx_dsack(f, i + 1, i, i + 1);
    }
    EXPECT_EQ(rack(f)->reo_mult, REO_MULT_MAX);
    EXPECT(reo_window(&f->t, f->c) <= tcp_srtt_ns(f->c));
    fx_loss_free(f);
}

/* ---- without RACK: RFC 6675, IsLost ---- */

static struct fx_loss *by_sack(uint32_t segs)
{
    struct fx_loss *f = fx_loss_new((struct fx_loss_opts){.no_rack = true, .cwnd = 40,
                                                          .rtt_ms = 100});
    fx_send(f, segs * 1000);
    fx_at_ms(f, 100);
    return f;
}

TEST("lost is what has three SACKed pieces above it, or more than two segments of SACKed bytes")
{
    COVERS("6675-1");
    struct fx_loss *f = by_sack(20);
    fx_ack(f, 0, 1, 2);
    fx_ack(f, 0, 3, 4);
    EXPECT(!fx_is(f, 0, SENT_LOST));
    fx_ack(f, 0, 5, 6);                         /* the third piece */
    EXPECT(fx_is(f, 0, SENT_LOST));
    EXPECT(!fx_is(f, 2, SENT_LOST));            /* two above it */
    EXPECT(!fx_is(f, 4, SENT_LOST));
    EXPECT_EQ(fx_record(f, 0)->why, WHY_RTX_DUPACK);
    fx_ack(f, 0, 7, 8);
    EXPECT(fx_is(f, 2, SENT_LOST));
    fx_loss_free(f);

    f = by_sack(20);
    fx_ack(f, 0, 2, 4);
    EXPECT(!fx_is(f, 1, SENT_LOST));            /* two segments, not more */
    fx_ack(f, 0, 4, 5);
    EXPECT(fx_is(f, 0, SENT_LOST) && fx_is(f, 1, SENT_LOST));
    EXPECT(!fx_is(f, 5, SENT_LOST));
    fx_loss_free(f);
}

TEST("three ACKs with news start recovery, though their segments are small")
{
    COVERS("6675-4");
    struct fx_loss *f = fx_loss(.no_rack = true, .cwnd = 20, .rtt_ms = 100);
    for (int i = 0; i < 5; i++)
        fx_send(f, 100);
    fx_at_ms(f, 100);
    for (uint32_t i = 1; i < 4; i++) {
        fx_add_sack(f, seq_of(FX_BASE + 100 * i), seq_of(FX_BASE + 100 * (i + 1)));
        fx_ack(f, 0, 0, 0);
        EXPECT_EQ(fx_ca(f) == ORIEL_CA_RECOVERY, i == 3);
    }
    EXPECT(fx_is(f, 0, SENT_LOST));
    fx_loss_free(f);
}

TEST("what was sent again is not lost by IsLost once more")
{
    COVERS("6675-1");
    struct fx_loss *f = by_sack(20);
    fx_ack(f, 0, 1, 5);
    fx_run(f);
    EXPECT(fx_is(f, 0, SENT_RESENT));
    for (uint32_t i = 5; i < 15; i++)
        fx_ack(f, 0, i, i + 1);
    EXPECT(!fx_is(f, 0, SENT_LOST));
    fx_loss_free(f);
}

/* ---- tail loss probes ---- */

TEST("a probe is due after two round trips, later for a lone segment, in a second without a sample")
{
    COVERS("8985-6");
    struct fx_loss *f = fx_loss(.rtt_ms = 100);
    fx_send_segs(f, 2);
    EXPECT_EQ(fx_ms(f, rack(f)->tlp_at), 200);
    fx_loss_free(f);
    f = fx_loss(.rtt_ms = 100);
    fx_send_segs(f, 1);
    EXPECT_EQ(fx_ms(f, rack(f)->tlp_at), 400);  /* the peer may delay its ACK */
    fx_loss_free(f);
    f = fx_loss(.mss = 1000);
    f->t.set.rto_init = 3 * NS_PER_S;
    tcp_rtt_init(&f->t, f->c);
    fx_send_segs(f, 1);
    EXPECT_EQ(fx_ms(f, rack(f)->tlp_at), 1000);
    fx_loss_free(f);
}

TEST("a probe is not due later than the timeout")
{
    COVERS("8985-6");
    struct fx_loss *f = fx_loss(.rtt_ms = 400);
    f->c->timer.rtx_at = f->start + 500 * NS_PER_MS;
    fx_send_segs(f, 2);
    EXPECT_EQ(fx_ms(f, rack(f)->tlp_at), 500);
    fx_loss_free(f);
}

TEST("an acknowledgement puts the probe off; the last one does away with it")
{
    COVERS("8985-6");
    struct fx_loss *f = fx_loss(.rtt_ms = 100);
    fx_send_segs(f, 4);
    fx_at_ms(f, 100);
    fx_ack(f, 2, 0, 0);
    EXPECT_EQ(fx_ms(f, rack(f)->tlp_at), 300);
    fx_ack(f, 4, 0, 0);
    EXPECT_EQ(rack(f)->tlp_at, ORIEL_NEVER);
    fx_loss_free(f);
}

TEST("no probe where something is SACKed, in recovery, without SACK, without RACK")
{
    COVERS("8985-6");
    struct fx_loss *f = fx_loss(.rtt_ms = 100);
    fx_send_segs(f, 6);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 5, 6);
    EXPECT_EQ(rack(f)->tlp_at, ORIEL_NEVER);
    EXPECT_EQ(tcp_tlp_deadline(&f->t, f->c), ORIEL_NEVER);
    fx_timers_until_ms(f, 130);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(tcp_tlp_deadline(&f->t, f->c), ORIEL_NEVER);
    fx_loss_free(f);
    f = fx_loss(.rtt_ms = 100, .no_sack = true);
    fx_send_segs(f, 6);
    EXPECT_EQ(rack(f)->tlp_at, ORIEL_NEVER);
    fx_loss_free(f);
    f = fx_loss(.rtt_ms = 100, .no_rack = true);
    fx_send_segs(f, 6);
    EXPECT_EQ(rack(f)->tlp_at, ORIEL_NEVER);
    fx_loss_free(f);
}

/* The last segment again, as tcp_output.c does it. */
static void probe(struct fx_loss *f)
{
    struct tcp_sent *r = tcp_tlp_record(f->c);
    EXPECT(r != NULL);
    fx_resend(f, r, r->len);
    tcp_tlp_on_sent(&f->t, f->c, true);
}

TEST("one probe at a time, and no other before a round trip was measured")
{
    COVERS("8985-7");
    struct fx_loss *f = fx_loss(.rtt_ms = 100);
    fx_send_segs(f, 3);
    fx_timers_until_ms(f, 200);
    EXPECT(f->c->out.want & TCP_WANT_TAIL);
    EXPECT(tcp_tlp_record(f->c) == fx_record(f, 2));
    probe(f);
    EXPECT_EQ(tcp_tlp_deadline(&f->t, f->c), ORIEL_NEVER);
    fx_at_ms(f, 210);
    fx_dsack(f, 3, 2, 3);                       /* for nothing; and nothing was measured */
    EXPECT(!rack(f)->tlp_out);
    fx_send_segs(f, 2);
    EXPECT(rack(f)->tlp_fresh);                 /* 0 and 1 were: sent once */
    EXPECT(rack(f)->tlp_at != ORIEL_NEVER);
    rack(f)->tlp_fresh = false;
    EXPECT_EQ(tcp_tlp_deadline(&f->t, f->c), ORIEL_NEVER);
    fx_loss_free(f);
}

TEST("a probe that repaired a loss means congestion; all other answers do not")
{
    COVERS("8985-8");
    static const struct {
        const char *what;
        bool is_rtx, dsack, more, expect_done, expect_reduced;
        int repeat;
    } rows[] = {
        {"acknowledged: either may have arrived", true, false, false, false, false, 0},
        {"D-SACK: both arrived", true, true, false, true, false, 0},
        {"a duplicate: both arrived", true, false, false, true, false, 1},
        {"more is acknowledged: it was repaired", true, false, true, true, true, 0},
        {"new data was the probe", false, false, false, true, false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fx_loss *f = fx_loss(.rtt_ms = 100, .cwnd = 10);
        fx_send_segs(f, 10);
        fx_at_ms(f, 200);
        if (rows[i].is_rtx) {
            probe(f);
        } else {
            fx_send_segs(f, 1);
            tcp_tlp_on_sent(&f->t, f->c, false);
        }
        uint32_t all = fx_seg(f, f->c->snd.nxt);
        if (rows[i].more)
            fx_send_segs(f, 1);
        fx_at_ms(f, 300);
        if (rows[i].dsack)
            fx_dsack(f, all, all - 1, all);
        else
            fx_ack(f, rows[i].more ? all + 1 : all, 0, 0);
        if (rows[i].repeat) {
            struct tcp_acked a = fx_acked(f, fx_seq(f, all));
            a.dup = true;
            fx_tell(f, &a);
        }
        EXPECT_EQ(!rack(f)->tlp_out, rows[i].expect_done);
        bool reduced = f->c->flight->cc.ssthresh != CC_SSTHRESH_NONE;
        EXPECT_EQ(reduced, rows[i].expect_reduced);
        EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
        if (reduced)
            EXPECT_EQ(fx_cwnd(f), 5);
        fx_loss_free(f);
    }
}

TEST("a probe's SACK lets RACK find the lost tail without a timeout")
{
    COVERS("8985-7");
    struct fx_loss *f = fx_loss(.rtt_ms = 100);
    fx_send_segs(f, 5);
    fx_at_ms(f, 100);
    fx_ack(f, 1, 0, 0);                         /* 1 to 4 are lost */
    fx_timers_until_ms(f, 300);
    EXPECT(f->c->out.want & TCP_WANT_TAIL);
    probe(f);
    fx_at_ms(f, 400);
    fx_ack(f, 1, 4, 5);
    fx_timers_until_ms(f, 425);
    EXPECT(fx_is(f, 1, SENT_LOST) && fx_is(f, 3, SENT_LOST));
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(f->c->stat.rtos, 0);
    fx_loss_free(f);
}

/* ---- the loss of a probe of the path's MTU ---- */

TEST("a lost probe of the MTU is sent again and reduces nothing")
{
    struct fx_loss *f = fx_loss(.rtt_ms = 100, .cwnd = 20);
    fx_send_segs(f, 2);
    EXPECT(tcp_sent_add(&f->t, f->c, 1400, 1400, SENT_PROBE) != NULL);
    f->c->snd.nxt = seq_add(f->c->snd.nxt, 1400);
    f->c->snd.end = f->c->snd.nxt;
    uint32_t probe_at = FX_BASE + 2000;
    fx_send_segs(f, 4);
    fx_at_ms(f, 100);
    fx_add_sack(f, seq_of(probe_at + 1400), seq_of(probe_at + 5400));
    fx_ack(f, 2, 0, 0);
    EXPECT(tcp_sent_first(f->c)->flags & SENT_LOST);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT(fx_ca(f) < ORIEL_CA_RECOVERY);
    EXPECT(f->c->out.want & TCP_WANT_RTX);
    fx_resend(f, tcp_sent_first(f->c), 1000);
    EXPECT(!(tcp_sent_first(f->c)->flags & SENT_PROBE));
    fx_loss_free(f);
}
