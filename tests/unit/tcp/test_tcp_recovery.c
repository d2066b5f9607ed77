#include "fx_loss.h"

#include "base/rng.h"

static unsigned ca(const struct fx_loss *f)
{
    return tcp_recovery_state(f->c);
}

static uint32_t ssthresh(const struct fx_loss *f)
{
    return f->c->flight->cc.ssthresh / f->mss;
}

/* So many segments leave at 0 ms and there is more to send; the window is just full. */
static struct fx_loss *flying(struct fx_loss_opts o, uint32_t segs)
{
    o.cwnd = segs;
    struct fx_loss *f = fx_loss_new(o);
    fx_write(f, 10 * segs);
    fx_run(f);
    fx_clear(f);
    EXPECT_EQ(fx_pipe(f), segs);
    return f;
}

#define FLYING(segs, ...) flying((struct fx_loss_opts){__VA_ARGS__}, segs)

/* ---- the examples of RFC 9937, 8 ---- */

struct row {
    unsigned cwnd, inflight;    /* before anything is sent */
    const char *sent;
};

static void expect_rows(struct fx_loss *f, uint32_t una, uint32_t first, const struct row *rows,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fx_at_ms(f, 100 + i);
        fx_ack(f, una, first + (uint32_t)i, first + (uint32_t)i + 1);
        EXPECT_EQ(fx_pipe(f), rows[i].inflight);
        EXPECT_EQ(fx_cwnd(f), rows[i].cwnd);
        fx_run(f);
        EXPECT_LOG(f, rows[i].sent);
    }
}

TEST("PRR, one loss of twenty: the reduction is spread over the round trip")
{
    COVERS("9937-1 9937-3 6675-4 6675-5");
    static const struct row rows[] = {
        {20, 19, "N20"}, {20, 19, "N21"}, {19, 18, "R0"},  {18, 18, ""}, {18, 17, "N22"},
        {17, 17, ""},    {17, 16, "N23"}, {16, 16, ""},    {16, 15, "N24"}, {15, 15, ""},
        {15, 14, "N25"}, {14, 14, ""},    {14, 13, "N26"}, {13, 13, ""}, {13, 12, "N27"},
        {12, 12, ""},    {12, 11, "N28"}, {11, 11, ""},
        /* Figure 1 sends here already, where its algorithm says: not at ssthresh, below it. */
        {10, 10, ""},    {10, 9, "N29"},  {10, 9, "N30"},
    };
    struct fx_loss *f = FLYING(20, .rtt_ms = 100);
    expect_rows(f, 0, 1, rows, ARRAY_LEN(rows));
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(ssthresh(f), 10);
    fx_at_ms(f, 200);
    fx_ack(f, 22, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(fx_cwnd(f), 10);
    EXPECT_EQ(fx_pipe(f), 9);
    fx_run(f);
    EXPECT_LOG(f, "N31");
    fx_loss_free(f);
}

TEST("PRR, fifteen losses of twenty: what is sent follows what is delivered")
{
    COVERS("9937-1");
    static const struct row rows[] = {
        {20, 19, "N20"}, {20, 19, "N21"}, {5, 4, "R0"}, {5, 4, "R1"}, {5, 4, "R2"},
    };
    struct fx_loss *f = FLYING(20, .rtt_ms = 100);
    expect_rows(f, 0, 15, rows, ARRAY_LEN(rows));
    fx_loss_free(f);
}

TEST("PRR sends a segment more for an ACK that moves on and tells of no further loss")
{
    COVERS("9937-2");
    struct fx_loss *f = FLYING(20, .rtt_ms = 100);
    for (uint32_t i = 15; i < 20; i++) {
        fx_at_ms(f, 100 + i);
        fx_ack(f, 0, i, i + 1);
        fx_run(f);
    }
    EXPECT_LOG(f, "N20 N21 R0 R1 R2");
    fx_at_ms(f, 215);
    fx_ack(f, 0, 20, 21);                       /* only selectively: one for one */
    EXPECT_EQ(f->c->flight->recov.quota, 1000);
    fx_run(f);
    fx_at_ms(f, 216);
    fx_ack(f, 0, 21, 22);
    fx_run(f);
    EXPECT_LOG(f, "R3 R4");
    fx_at_ms(f, 217);
    fx_ack(f, 1, 0, 0);                         /* safe: two for one */
    EXPECT_EQ(f->c->flight->recov.quota, 2000);
    fx_run(f);
    EXPECT_LOG(f, "R5 R6");
    fx_loss_free(f);
}

TEST("without SACK, duplicates deliver no more than was outstanding")
{
    COVERS("9937-1 OPTACK");
    struct fx_loss *f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 100; i++) {
        fx_ack(f, 0, 0, 0);
        fx_run(f);
    }
    EXPECT(f->c->flight->recov.prr_delivered <= f->c->flight->recov.recover_fs);
    EXPECT(f->c->flight->recov.prr_out <= f->c->flight->recov.recover_fs);
    fx_loss_free(f);
}

/* ---- three duplicates: RFC 5681 and 6582, without SACK ---- */

TEST("two duplicates let a new segment out each, the third sends the first one again")
{
    COVERS("5681-9 5681-4");
    struct fx_loss *f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 0, 0);
    EXPECT(f->c->out.want & TCP_WANT_LIMITED);
    EXPECT_EQ(fx_cwnd(f), 10);
    fx_run(f);
    EXPECT_LOG(f, "N10");
    EXPECT_EQ(ca(f), ORIEL_CA_DISORDER);
    fx_ack(f, 0, 0, 0);
    fx_run(f);
    EXPECT_LOG(f, "N11");
    fx_ack(f, 0, 0, 0);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    EXPECT_EQ(f->why, WHY_RTX_DUPACK);
    test_reason_seen("why", "RTX_DUPACK");
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(ssthresh(f), 5);                  /* without the two of limited transmit */
    fx_loss_free(f);
}

TEST("partial acknowledgements send the next hole again, in one recovery")
{
    COVERS("6582-1");
    struct fx_loss *f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 7; i++) {               /* 0, 3 and 6 are lost */
        fx_ack(f, 0, 0, 0);
        fx_run(f);
    }
    fx_clear(f);
    uint32_t reduced = ssthresh(f);
    oriel_time rtx_at = f->c->timer.rtx_at;
    fx_at_ms(f, 200);
    fx_ack(f, 3, 0, 0);
    EXPECT(f->c->timer.rtx_at > rtx_at);        /* the first one restarts the timer ... */
    rtx_at = f->c->timer.rtx_at;
    fx_step(f);
    EXPECT_LOG(f, "R3");
    EXPECT_EQ(f->why, WHY_RTX_PARTIAL);
    test_reason_seen("why", "RTX_PARTIAL");
    fx_at_ms(f, 300);
    fx_ack(f, 6, 0, 0);
    EXPECT(f->c->timer.rtx_at == rtx_at);       /* ... and no other */
    fx_step(f);
    EXPECT_LOG(f, "R6");
    EXPECT_EQ(ssthresh(f), reduced);
    fx_at_ms(f, 400);
    uint32_t all = fx_seg(f, f->c->flight->recov.point);
    fx_ack(f, all, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(fx_cwnd(f), reduced);
    for (int i = 0; i < 5; i++)                 /* of that window: no second time */
        fx_ack(f, all, 0, 0);
    EXPECT(ca(f) != ORIEL_CA_RECOVERY);
    fx_loss_free(f);
}

TEST("duplicates of the new window are judged anew")
{
    COVERS("6582-1");
    struct fx_loss *f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 9; i++) {
        fx_ack(f, 0, 0, 0);
        fx_run(f);
    }
    uint32_t all = fx_seg(f, f->c->flight->recov.point);
    fx_at_ms(f, 200);
    fx_ack(f, all, 0, 0);
    fx_run(f);
    fx_at_ms(f, 300);
    fx_ack(f, all + 1, 0, 0);
    fx_run(f);
    for (int i = 0; i < 3; i++)
        fx_ack(f, all + 1, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    fx_loss_free(f);
}

/* ---- recovery with SACK ---- */

TEST("recovery ends when all that was outstanding at its beginning is acknowledged")
{
    COVERS("6675-4 6675-5");
    struct fx_loss *f = FLYING(10, .no_rack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (uint32_t i = 1; i < 4; i++) {
        fx_ack(f, 0, i, i + 1);
        fx_run(f);
    }
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    EXPECT_LOG(f, "N10 N11 R0");
    EXPECT(seq_eq(f->c->flight->recov.point, fx_seq(f, 12)));
    fx_at_ms(f, 200);
    fx_ack(f, 11, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    fx_ack(f, 12, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    fx_loss_free(f);
}

TEST("a lost retransmission is sent again and reduces the window once more")
{
    COVERS("5681-13");
    struct fx_loss *f = FLYING(20, .rtt_ms = 100);
    for (uint32_t i = 1; i < 4; i++) {
        fx_at_ms(f, 100 + i);
        fx_ack(f, 0, i, i + 1);
        fx_run(f);
    }
    EXPECT_LOG(f, "N20 N21 R0");
    EXPECT_EQ(ssthresh(f), 10);
    for (uint32_t i = 4; i < 20; i++) {
        fx_at_ms(f, 100 + i);
        fx_ack(f, 0, i, i + 1);
        fx_run(f);
    }
    fx_clear(f);
    fx_at_ms(f, 205);                           /* 22 left after R0 did, and arrives */
    fx_ack(f, 0, 22, 23);
    fx_timers_until_ms(f, 235);
    fx_step(f);
    EXPECT_LOG(f, "R0");
    EXPECT_EQ(f->why, WHY_RTX_RACK);
    test_reason_seen("why", "RTX_RACK");
    EXPECT(ssthresh(f) < 10);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    uint32_t twice = ssthresh(f);
    fx_ack(f, 0, 23, 24);
    EXPECT_EQ(ssthresh(f), twice);              /* once a round */
    fx_loss_free(f);
}

TEST("NextSeg: a lost hole, new data, any other hole, and once the last segment")
{
    COVERS("6675-3");
    struct fx_loss *f = fx_loss(.no_rack = true, .cwnd = 12, .rtt_ms = 100);
    fx_write(f, 13);
    fx_run(f);
    EXPECT_LOG(f, "N0 N1 N2 N3 N4 N5 N6 N7 N8 N9 N10 N11");
    fx_at_ms(f, 100);
    fx_ack(f, 0, 3, 7);                         /* 0, 1, 2 are lost: four SACKed above */
    EXPECT(fx_is(f, 0, SENT_LOST) && fx_is(f, 2, SENT_LOST));
    f->c->flight->cc.ssthresh = 40000;          /* as much may leave as is delivered */
    f->c->flight->recov.quota = 4000;
    fx_run(f);
    EXPECT_LOG(f, "R0 R1 R2 N12");              /* rules 1 and 2 */
    fx_ack(f, 0, 8, 9);                         /* 7 is not lost by IsLost */
    fx_run(f);
    EXPECT_LOG(f, "R7");                        /* rule 3 */
    fx_ack(f, 0, 9, 10);
    fx_run(f);
    EXPECT_LOG(f, "R12");                       /* rule 4 */
    fx_ack(f, 0, 10, 11);
    EXPECT_EQ(f->c->flight->recov.quota, 1000);
    fx_run(f);
    EXPECT_LOG(f, "");                          /* once */
    fx_loss_free(f);
}

/* ---- timeouts ---- */

TEST("a timeout sends the first segment again, halves what was in flight, and starts slowly")
{
    COVERS("5681-7 6298-9");
    struct fx_loss *f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_timers_until_ms(f, 1000);
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    EXPECT_EQ(fx_cwnd(f), 1);
    EXPECT_EQ(ssthresh(f), 5);
    EXPECT_EQ(fx_pipe(f), 0);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    EXPECT_EQ(f->why, WHY_RTX_RTO);
    test_reason_seen("why", "RTX_RTO");
    f->c->snd.wnd = 9000;                       /* nothing new may be sent: no F-RTO */
    fx_at_ms(f, 1100);
    fx_ack(f, 1, 0, 0);
    fx_run(f);
    EXPECT_LOG(f, "R1 R2");
    EXPECT_EQ(f->why, WHY_RTX_LOSS);
    test_reason_seen("why", "RTX_LOSS");
    fx_timers_until_ms(f, 2400);                /* the same segment or not: una moved */
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    fx_loss_free(f);
}

TEST("a second timeout of the same segment leaves ssthresh alone")
{
    COVERS("5681-7");
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    EXPECT_EQ(ssthresh(f), 5);
    fx_at_ms(f, 3000);
    fx_rto(f);
    EXPECT_EQ(ssthresh(f), 5);
    EXPECT_EQ(fx_cwnd(f), 1);
    fx_clear(f);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    fx_loss_free(f);
}

TEST("after a timeout no recovery begins before all of that time is acknowledged")
{
    COVERS("6675-6");
    struct fx_loss *f = FLYING(10, .no_rack = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    f->c->snd.wnd = 9000;
    fx_run(f);
    fx_at_ms(f, 1100);
    fx_ack(f, 1, 0, 0);
    fx_run(f);
    for (uint32_t i = 3; i < 8; i++)
        fx_ack(f, 1, i, i + 1);
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    fx_ack(f, 9, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    fx_ack(f, 10, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    fx_loss_free(f);
}

TEST("of a super-segment the timeout sends one segment, and what left just now is spared")
{
    struct fx_loss *f = fx_loss(.cwnd = 20, .super = true, .rtt_ms = 100);
    fx_send(f, 10000);
    fx_at_ms(f, 100);
    fx_ack(f, 1, 0, 0);
    fx_at_ms(f, 950);
    fx_send(f, 3000);
    fx_at_ms(f, 1000);
    fx_rto(f);
    EXPECT(fx_is(f, 1, SENT_LOST) && fx_is(f, 9, SENT_LOST));
    EXPECT(!fx_is(f, 10, SENT_LOST));           /* RFC 8985, 6.3 */
    fx_clear(f);
    fx_run(f);
    EXPECT_LOG(f, "R1");                        /* though more is under way than the window has */
    fx_loss_free(f);
}

TEST("a receiver that threw away what it had SACKed gets all of it again")
{
    COVERS("2018-5 2018-6");
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 1, 2);
    fx_ack(f, 1, 2, 4);                         /* 1 was SACKed: now it is acknowledged; 2, 3 SACKed */
    fx_ack(f, 2, 0, 0);                         /* up to what was SACKed, and not beyond */
    EXPECT(fx_is(f, 2, SENT_SACKED));
    fx_at_ms(f, 1200);
    fx_rto(f);
    EXPECT_EQ(f->c->flight->sent.sacked_bytes, 0);
    fx_clear(f);
    fx_run(f);
    EXPECT_LOG(f, "R2");
    EXPECT_EQ(f->why, WHY_RTX_RENEGED);
    test_reason_seen("why", "RTX_RENEGED");
    fx_at_ms(f, 1300);
    fx_ack(f, 3, 0, 0);
    fx_run(f);
    EXPECT_LOG(f, "R3 R4");
    fx_loss_free(f);
}

TEST("a timeout trusts SACK marks above a first segment that is missing")
{
    COVERS("2018-6");
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 1, 3);
    fx_at_ms(f, 1200);
    fx_rto(f);
    EXPECT_EQ(f->c->flight->sent.sacked_bytes, 2000);
    EXPECT(fx_is(f, 0, SENT_LOST) && fx_is(f, 3, SENT_LOST));
    fx_loss_free(f);
}

/* ---- F-RTO ---- */

TEST("F-RTO with SACK: data that was not sent again arrives, so the timeout was spurious")
{
    COVERS("5682-1");
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_clear(f);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    fx_at_ms(f, 1050);
    fx_ack(f, 2, 0, 0);                         /* 1 was never sent again */
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT(f->c->flight->cc.cwnd >= 10000);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT_EQ(fx_pipe(f), 8);
    EXPECT(fx_traced(f, EV_TCP_UNDO));
    EXPECT_EQ(f->c->rtt.backoff, 0);
    fx_run(f);
    EXPECT_EQ(f->log[0], 'N');                  /* no go-back-N */
    fx_loss_free(f);
}

TEST("F-RTO with SACK: duplicates that tell of new data only say that the loss was real")
{
    COVERS("5682-1");
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_clear(f);
    fx_at_ms(f, 1100);
    fx_ack(f, 1, 0, 0);
    fx_run(f);
    EXPECT_LOG(f, "N10 N11");                   /* step 2 b: two new segments, nothing old */
    fx_at_ms(f, 1200);
    fx_ack(f, 1, 10, 11);
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    EXPECT(fx_cwnd(f) <= 3);
    fx_run(f);
    EXPECT_LOG(f, "R1");
    fx_loss_free(f);
}

TEST("F-RTO without SACK needs two acknowledgements that move on")
{
    COVERS("5682-1");
    struct fx_loss *f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_clear(f);
    fx_at_ms(f, 1050);
    fx_ack(f, 2, 0, 0);                         /* perhaps a hole was filled */
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    fx_run(f);
    EXPECT_LOG(f, "N10 N11");
    fx_at_ms(f, 1060);
    fx_ack(f, 3, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT(f->c->flight->cc.cwnd >= 10000);
    EXPECT_EQ(fx_pipe(f), 9);
    fx_loss_free(f);
}

TEST("F-RTO without SACK: a duplicate first or second says that the loss was real")
{
    COVERS("5682-1");
    struct fx_loss *f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_clear(f);
    fx_ack(f, 0, 0, 0);
    EXPECT_EQ(f->c->flight->recov.frto, FRTO_OFF);
    fx_loss_free(f);
    f = FLYING(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_at_ms(f, 1100);
    fx_ack(f, 1, 0, 0);
    fx_run(f);
    fx_clear(f);
    fx_at_ms(f, 1200);
    fx_ack(f, 1, 0, 0);
    fx_run(f);
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    EXPECT_EQ(f->log[0], 'R');
    fx_loss_free(f);
}

TEST("an acknowledgement of everything proves nothing: SACKs may have been lost")
{
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_at_ms(f, 1100);
    fx_ack(f, 10, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(ssthresh(f), 5);
    fx_loss_free(f);
}

/* ---- undo ---- */

TEST("Eifel: a timestamp from before the retransmission takes the reduction back")
{
    COVERS("5682-1");
    struct fx_loss *f = FLYING(10, .ts = true, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 3; i++)
        fx_ack_ts(f, 0, 0, 0, 0);
    fx_run(f);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    fx_at_ms(f, 110);
    fx_ack_ts(f, 4, 0, 0, 0);                   /* the first transmission was only late */
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT(fx_cwnd(f) >= 10);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT(f->c->flight->rack.reordering_seen);
    fx_loss_free(f);
}

TEST("Eifel: the retransmission's own timestamp leaves everything as it is")
{
    struct fx_loss *f = FLYING(10, .ts = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    f->c->snd.wnd = 1000;
    fx_at_ms(f, 1100);
    fx_ack_ts(f, 1, 0, 0, 1000);
    EXPECT_EQ(ca(f), ORIEL_CA_LOSS);
    fx_loss_free(f);
}

TEST("Eifel: a timeout that was too early is undone by the first acknowledgement")
{
    COVERS("5682-1");
    struct fx_loss *f = FLYING(10, .ts = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_at_ms(f, 1050);
    fx_ack_ts(f, 1, 0, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT(fx_cwnd(f) >= 10);
    EXPECT_EQ(fx_pipe(f), 9);
    fx_loss_free(f);
}

TEST("D-SACK: everything that was sent again arrived twice, so nothing was lost")
{
    COVERS("2883-2");
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 2, 5);                         /* 0 and 1 are thought lost */
    fx_run(f);
    EXPECT(strstr(f->log, "R0 R1") != NULL || strstr(f->log, "R0") != NULL);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    fx_at_ms(f, 105);
    fx_ack(f, 5, 0, 0);                         /* they were late */
    fx_run(f);
    fx_at_ms(f, 200);
    fx_dsack(f, 5, 0, 1);
    bool both = f->c->flight->recov.undo_resent > 0;
    if (both)
        EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    fx_dsack(f, 5, 1, 2);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT(fx_traced(f, EV_TCP_UNDO));
    fx_loss_free(f);
}

TEST("D-SACK after recovery ended takes the reduction back too, for a round trip")
{
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 1, 4);
    fx_run(f);
    fx_at_ms(f, 101);
    uint32_t all = fx_seg(f, f->c->flight->recov.point);
    fx_ack(f, all, 0, 0);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(ssthresh(f), 5);
    fx_run(f);
    fx_at_ms(f, 200);
    fx_dsack(f, all, 0, 1);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT(fx_cwnd(f) >= 10);
    fx_loss_free(f);
}

TEST("a D-SACK of something older, or of less than was sent again, undoes nothing")
{
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 2, 0, 0);
    fx_run(f);
    fx_ack(f, 2, 3, 6);
    fx_run(f);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    fx_dsack(f, 2, 0, 1);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    EXPECT(f->c->flight->recov.undo_resent > 0);
    fx_loss_free(f);
}

/* ---- marks ---- */

static void marked(struct fx_loss *f, uint32_t to)
{
    struct tcp_acked a = fx_acked(f, fx_seq(f, to));
    a.dup = false;
    a.ece = true;
    fx_tell(f, &a);
}

TEST("marks reduce the window once a round, and the peer is told")
{
    COVERS("3168-4");
    struct fx_loss *f = FLYING(20, .ecn = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    marked(f, 1);
    EXPECT_EQ(ca(f), ORIEL_CA_CWR);
    EXPECT(f->c->is & TCP_IS_CWR);
    EXPECT_EQ(fx_cwnd(f), 10);
    f->c->is &= ~(uint32_t)TCP_IS_CWR;
    for (uint32_t i = 2; i <= 20; i++) {
        marked(f, i);
        fx_run(f);
    }
    EXPECT_EQ(fx_cwnd(f), 10);
    EXPECT(!(f->c->is & TCP_IS_CWR));
    fx_at_ms(f, 200);
    marked(f, 21);                              /* of the next round */
    EXPECT_EQ(fx_cwnd(f), 5);
    EXPECT(f->c->is & TCP_IS_CWR);
    fx_loss_free(f);
}

TEST("the window does not grow while it is reduced for marks, and grows after that")
{
    COVERS("3168-4");
    struct fx_loss *f = FLYING(20, .ecn = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    marked(f, 1);
    for (uint32_t i = 2; i <= 20; i++) {
        fx_ack(f, i, 0, 0);
        fx_run(f);
    }
    EXPECT_EQ(fx_cwnd(f), 10);
    fx_at_ms(f, 200);
    uint32_t end = fx_seg(f, f->c->snd.nxt);
    for (uint32_t i = 21; i <= end; i++) {
        fx_ack(f, i, 0, 0);
        fx_run(f);
    }
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    fx_at_ms(f, 300);
    for (uint32_t i = end + 1; i < end + 11; i++) {
        fx_ack(f, i, 0, 0);
        fx_run(f);
    }
    EXPECT(fx_cwnd(f) > 10);
    fx_loss_free(f);
}

TEST("marks in a window of one segment restart the timer")
{
    COVERS("3168-5");
    struct fx_loss *f = fx_loss(.ecn = true, .cwnd = 1, .rtt_ms = 100);
    fx_send_segs(f, 2);
    oriel_time rtx_at = f->c->timer.rtx_at;
    fx_at_ms(f, 100);
    struct tcp_acked a = fx_acked(f, fx_seq(f, 0));
    a.ece = true;
    a.dup = false;
    fx_tell(f, &a);
    EXPECT(f->c->timer.rtx_at > rtx_at);
    EXPECT_EQ(fx_cwnd(f), 1);
    fx_loss_free(f);
}

TEST("a loss in a round whose marks were answered reduces no further")
{
    COVERS("3168-4");
    struct fx_loss *f = FLYING(20, .ecn = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    marked(f, 1);
    fx_ack(f, 1, 2, 6);
    EXPECT_EQ(ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(ssthresh(f), 10);
    fx_loss_free(f);
}

TEST("a loss tells the peer of a reduction as well, and answers the marks of its round")
{
    COVERS("3168-4");
    struct fx_loss *f = FLYING(20, .ecn = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 1, 5);
    EXPECT(f->c->is & TCP_IS_CWR);
    fx_run(f);
    uint32_t all = fx_seg(f, f->c->flight->recov.point);
    marked(f, all);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(ssthresh(f), 10);
    fx_loss_free(f);
}

/* ---- what windows grow by ---- */

TEST("duplicates, old acknowledgements and repeated SACKs do not open the window")
{
    COVERS("OPTACK S25");
    struct fx_loss *f = FLYING(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 50; i++)
        fx_ack(f, 0, 9, 10);
    EXPECT(fx_cwnd(f) <= 10);
    EXPECT_EQ(f->c->flight->sent.delivered, 1000);
    fx_loss_free(f);
}

TEST("a window that was not full does not grow")
{
    struct fx_loss *f = fx_loss(.cwnd = 10, .rtt_ms = 100);
    for (uint32_t i = 0; i < 20; i++) {
        fx_send_segs(f, 2);
        fx_at_ms(f, 100 * (i + 1));
        fx_ack(f, 2 * (i + 1), 0, 0);
    }
    EXPECT_EQ(fx_cwnd(f), 10);
    fx_loss_free(f);
}

TEST("a window that was full grows by what is acknowledged, however it was cut")
{
    COVERS("5681-5");
    for (int super = 0; super < 2; super++) {
        struct fx_loss *f = FLYING(10, .rtt_ms = 100, .super = super == 1);
        fx_at_ms(f, 100);
        for (uint32_t i = 2; i <= 10; i += 2) {
            fx_ack(f, i, 0, 0);
            fx_run(f);
        }
        EXPECT_EQ(fx_cwnd(f), 20);
        fx_loss_free(f);
    }
}

TEST("a smaller MTU: what is too big is sent again, and nobody is blamed")
{
    struct fx_loss *f = fx_loss(.mss = 1000, .cwnd = 10, .rtt_ms = 100);
    fx_send(f, 4000);
    fx_send(f, 500);
    uint32_t cwnd = f->c->flight->cc.cwnd;
    f->c->snd.mss = 600;
    tcp_recovery_on_mtu(&f->t, f->c, 600);
    EXPECT_EQ(ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(tcp_pipe(f->c), 500);
    EXPECT_EQ(f->c->flight->cc.cwnd, cwnd * 6 / 10);
    EXPECT_EQ(f->c->flight->sent.lost_total, 0);
    struct tcp_sent *r = tcp_sent_next_lost(f->c);
    EXPECT_EQ(r->why, WHY_RTX_MTU);
    test_reason_seen("why", "RTX_MTU");
    tcp_sent_again(&f->t, f->c, r);
    EXPECT_EQ(r->seg, 600);
    fx_ack(f, 0, 0, 0);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    fx_loss_free(f);
}

TEST("after silence the window is no more than at the beginning")
{
    COVERS("5681-11");
    struct fx_loss *f = FLYING(40, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 40, 0, 0);
    EXPECT(fx_cwnd(f) >= 40);
    fx_at_ms(f, 5000);
    tcp_recovery_on_idle(&f->t, f->c);
    EXPECT_EQ(fx_cwnd(f), 10);
    fx_loss_free(f);
}

/* ---- a network: loss, reordering, duplicates, lost acknowledgements ---- */

enum { NET_SEGS = 400, NET_MAX = 4096 };

struct flying {
    oriel_time at;
    bool is_ack;
    uint32_t first, n;          /* data: segments */
    struct tcp_acked a;
    uint32_t ts;
};

struct net {
    struct fx_loss *f;
    struct rng dice;
    struct flying q[NET_MAX];
    uint32_t n;
    unsigned loss, reorder, dup, ack_loss;      /* percent */
    bool has[NET_SEGS];
    uint32_t next;              /* the receiver's */
    uint32_t recent;
    uint32_t ts_recent;
    uint64_t sent;
    uint64_t digest;            /* of what left, when, and with which window */
};

static struct net net;

static bool chance(unsigned percent)
{
    return rng_below(&net.dice, 100) < percent;
}

static void launch(const struct flying *p)
{
    EXPECT(net.n < NET_MAX);
    net.q[net.n] = *p;
    net.q[net.n].at = net.f->fx.env.now + 20 * NS_PER_MS + rng_below(&net.dice, NS_PER_MS);
    if (chance(net.reorder))
        net.q[net.n].at += rng_below(&net.dice, 30 * NS_PER_MS);
    net.n++;
}

static void add_to_digest(uint64_t v)
{
    net.digest = (net.digest ^ v) * 0x100000001b3u;
}

static void note_in_digest(void)
{
    const struct tcp_flight *fl = net.f->c->flight;
    for (const char *p = net.f->log; *p; p++)
        add_to_digest((uint64_t)*p);
    add_to_digest(net.f->fx.env.now);
    add_to_digest(fl->cc.cwnd);
    add_to_digest(fl->cc.ssthresh);
    add_to_digest(fl->sent.delivered);
    add_to_digest(fl->rack.rtt_ns);
    add_to_digest(fl->rack.tlp_at);
    add_to_digest(net.f->c->timer.rtx_at);
    add_to_digest(net.f->c->stat.delivered);
}

/* What left just now, by the fixture's log. */
static void launch_log(void)
{
    struct fx_loss *f = net.f;
    char *at = f->log;
    note_in_digest();
    while (*at) {
        uint32_t seg = (uint32_t)strtoul(at + 1, &at, 10);
        struct flying p = {.first = seg, .n = 1, .ts = tcp_ts_now(&f->t, f->c)};
        net.sent++;
        if (!chance(net.loss))
            launch(&p);
        if (chance(net.dup))
            launch(&p);
        if (*at == ' ')
            at++;
    }
    fx_clear(f);
}

static void add_block(struct tcp_acked *a, uint32_t inside)
{
    uint32_t l = inside, r = inside + 1;
    while (l > net.next && net.has[l - 1])
        l--;
    while (r < NET_SEGS && net.has[r])
        r++;
    for (unsigned i = 0; i < a->sack_n; i++)
        if (seq_eq(a->sack[i].left, fx_seq(net.f, l)))
            return;
    a->sack[a->sack_n++] = (struct tcp_sack){fx_seq(net.f, l), fx_seq(net.f, r)};
}

static void receive(const struct flying *p)
{
    struct flying out = {.is_ack = true};
    struct tcp_acked *a = &out.a;
    bool sack = (net.f->c->is & TCP_IS_SACK) != 0;
    if (p->first <= net.next)
        net.ts_recent = p->ts;
    if (net.has[p->first] && sack) {
        a->has_dsack = true;
        a->dsack = (struct tcp_sack){fx_seq(net.f, p->first), fx_seq(net.f, p->first + 1)};
    }
    net.has[p->first] = true;
    net.recent = p->first;
    while (net.next < NET_SEGS && net.has[net.next])
        net.next++;
    a->ack = fx_seq(net.f, net.next);
    a->has_ts = (net.f->c->is & TCP_IS_TS) != 0;
    a->ts_ecr = net.ts_recent;
    if (sack && net.recent > net.next)
        add_block(a, net.recent);
    for (uint32_t i = NET_SEGS; sack && i-- > net.next + 1 && a->sack_n < 3;)
        if (net.has[i])
            add_block(a, i);
    if (!chance(net.ack_loss))
        launch(&out);
}

static void acknowledge(const struct flying *p)
{
    struct tcp_conn *c = net.f->c;
    struct tcp_acked a = p->a;
    if (seq_lt(a.ack, c->snd.una)) {            /* an old one: its SACKs count, as in tcp_ack.c */
        a.ack = c->snd.una;
        unsigned n = 0;
        for (unsigned i = 0; i < a.sack_n; i++)
            if (seq_leq(a.ack, a.sack[i].left))
                a.sack[n++] = a.sack[i];
        a.sack_n = (uint8_t)n;
        if (n == 0 && !a.has_dsack)
            return;
    } else {
        a.dup = seq_eq(a.ack, c->snd.una) && tcp_outstanding(c);
    }
    a.una_was = c->snd.una;
    fx_tell(net.f, &a);
}

static void check_sums(void)
{
    const struct tcp_flight *fl = net.f->c->flight;
    const struct tcp_scoreboard *s = &fl->sent;
    uint32_t out = 0, sacked = 0, lost = 0;
    for (struct tcp_sent *r = tcp_sent_first(net.f->c); r; r = tcp_sent_after(r)) {
        out += r->len;
        sacked += (r->flags & SENT_SACKED) ? r->len : 0;
        lost += (r->flags & SENT_LOST) ? r->len : 0;
    }
    EXPECT_EQ(s->out_bytes, out);
    EXPECT_EQ(s->sacked_bytes, sacked);
    EXPECT_EQ(s->lost_bytes, lost);
    EXPECT_EQ(out, (uint32_t)seq_diff(net.f->c->snd.una, net.f->c->snd.nxt));
    EXPECT(fl->cc.cwnd >= net.f->mss && fl->cc.ssthresh >= 2 * net.f->mss);
    if (out > 0)
        EXPECT(net.f->c->timer.rtx_at != ORIEL_NEVER);
    if (fl->recov.ca == ORIEL_CA_OPEN)
        EXPECT_EQ(sacked, 0);
}

static bool net_event(void)
{
    struct fx_loss *f = net.f;
    uint32_t first = net.n;
    for (uint32_t i = 0; i < net.n; i++)
        if (first == net.n || net.q[i].at < net.q[first].at)
            first = i;
    oriel_time timer = wheel_next(&f->fx.env.wheel);
    if (first == net.n && timer == ORIEL_NEVER)
        return false;
    if (first == net.n || timer < net.q[first].at) {
        f->fx.env.now = timer > f->fx.env.now ? timer : f->fx.env.now;
        fx_wake(f);
        if (f->c->out.want & TCP_WANT_TAIL) {
            struct tcp_sent *r = tcp_tlp_record(f->c);
            f->c->out.want &= (uint8_t)~TCP_WANT_TAIL;
            if (r)
                fx_resend(f, r, r->len);
            if (r)
                tcp_tlp_on_sent(&f->t, f->c, true);
        }
        return true;
    }
    struct flying p = net.q[first];
    net.q[first] = net.q[--net.n];
    f->fx.env.now = p.at;
    if (p.is_ack)
        acknowledge(&p);
    else
        receive(&p);
    return true;
}

static uint64_t transfer(struct fx_loss_opts o, unsigned loss, unsigned reorder, uint64_t seed)
{
    net = (struct net){.f = fx_loss_new(o), .loss = loss, .reorder = reorder, .dup = loss / 3,
                       .ack_loss = loss};
    struct fx_loss *f = net.f;
    rng_seed(&net.dice, seed, 3);
    f->fx.env.trace_mask = 0;
    fx_write(f, NET_SEGS);
    int events = 0;
    while (seq_lt(f->c->snd.una, f->c->snd.end)) {
        fx_run(f);
        launch_log();
        check_sums();
        EXPECT(net_event());
        EXPECT(++events < 100000);
    }
    EXPECT_EQ(net.next, NET_SEGS);
    EXPECT_EQ(f->t.records.live, 0);
    EXPECT(ca(f) == ORIEL_CA_OPEN);
    EXPECT_EQ(tcp_pipe(f->c), 0);
    fx_loss_free(f);
    return net.digest;
}

static struct fx_loss_opts kind_of_sender(uint64_t seed)
{
    return (struct fx_loss_opts){
        .no_sack = seed % 5 == 0,
        .no_rack = seed % 3 == 0,
        .ts = seed % 2 == 0,
        .linux_rto = seed % 7 < 4,
        .super = seed % 4 == 1,
        .cc = seed % 8 < 3 ? CC_CUBIC : seed % 8 == 3 ? CC_BBR : CC_NEWRENO,
    };
}

TEST("through any network everything arrives, and the sums are right at every step")
{
    COVERS("2018-5 6675-2");
    for (uint64_t seed = 0; seed < 60; seed++) {
        static const unsigned losses[] = {0, 1, 5, 20};
        for (size_t l = 0; l < ARRAY_LEN(losses); l++) {
            transfer(kind_of_sender(seed), losses[l], seed % 3 == 1 ? 20 : 0, seed * 10 + l);
        }
    }
}

TEST("the short way of an acknowledgement and the long one come to the same")
{
    for (uint64_t seed = 100; seed < 160; seed++) {
        struct fx_loss_opts o = kind_of_sender(seed);
        unsigned loss = seed % 4 == 0 ? 0 : seed % 4, reorder = seed % 7 == 0 ? 10 : 0;
        uint64_t by_short = transfer(o, loss, reorder, seed);
        o.long_way = true;
        EXPECT_EQ(by_short, transfer(o, loss, reorder, seed));
    }
}
