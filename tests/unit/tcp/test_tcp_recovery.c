#include "fx_loss.h"

/* ---- three duplicates: RFC 5681 and 6582, without SACK ---- */

TEST("two duplicates let a new segment out each, the third sends the first one again")
{
    COVERS("5681-9 5681-4");
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 0, 0);
    EXPECT(f->c->out.want & TCP_WANT_LIMITED);
    EXPECT_EQ(fx_cwnd(f), 10);
    fx_run(f);
    EXPECT_LOG(f, "N10");
    EXPECT_EQ(fx_ca(f), ORIEL_CA_DISORDER);
    fx_ack(f, 0, 0, 0);
    fx_run(f);
    EXPECT_LOG(f, "N11");
    fx_ack(f, 0, 0, 0);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    EXPECT_EQ(f->why, WHY_RTX_DUPACK);
    test_reason_seen("why", "RTX_DUPACK");
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(fx_ssthresh(f), 5);                  /* without the two of limited transmit */
    fx_loss_free(f);
}

TEST("partial acknowledgements send the next hole again, in one recovery")
{
    COVERS("6582-1");
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 7; i++) {               /* 0, 3 and 6 are lost */
        fx_ack(f, 0, 0, 0);
        fx_run(f);
    }
    fx_clear(f);
    uint32_t reduced = fx_ssthresh(f);
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
    EXPECT_EQ(fx_ssthresh(f), reduced);
    fx_at_ms(f, 400);
    uint32_t all = fx_seg(f, f->c->flight->recov.point);
    fx_ack(f, all, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(fx_cwnd(f), reduced);
    for (int i = 0; i < 5; i++)                 /* of that window: no second time */
        fx_ack(f, all, 0, 0);
    EXPECT(fx_ca(f) != ORIEL_CA_RECOVERY);
    fx_loss_free(f);
}

TEST("duplicates of the new window are judged anew")
{
    COVERS("6582-1");
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
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
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    fx_loss_free(f);
}

/* ---- recovery with SACK ---- */

TEST("recovery ends when all that was outstanding at its beginning is acknowledged")
{
    COVERS("6675-4 6675-5");
    struct fx_loss *f = fx_flying(10, .no_rack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (uint32_t i = 1; i < 4; i++) {
        fx_ack(f, 0, i, i + 1);
        fx_run(f);
    }
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT_LOG(f, "N10 N11 R0");
    EXPECT(seq_eq(f->c->flight->recov.point, fx_seq(f, 12)));
    fx_at_ms(f, 200);
    fx_ack(f, 11, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    fx_ack(f, 12, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    fx_loss_free(f);
}

TEST("a lost retransmission is sent again and reduces the window once more")
{
    COVERS("5681-13");
    struct fx_loss *f = fx_flying(20, .rtt_ms = 100);
    for (uint32_t i = 1; i < 4; i++) {
        fx_at_ms(f, 100 + i);
        fx_ack(f, 0, i, i + 1);
        fx_run(f);
    }
    EXPECT_LOG(f, "N20 N21 R0");
    EXPECT_EQ(fx_ssthresh(f), 10);
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
    EXPECT(fx_ssthresh(f) < 10);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    uint32_t twice = fx_ssthresh(f);
    fx_ack(f, 0, 23, 24);
    EXPECT_EQ(fx_ssthresh(f), twice);              /* once a round */
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
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
    fx_timers_until_ms(f, 1000);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    EXPECT_EQ(fx_cwnd(f), 1);
    EXPECT_EQ(fx_ssthresh(f), 5);
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
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    fx_loss_free(f);
}

TEST("segments that waited behind a hole to be acknowledged tell no round trip")
{
    COVERS("6298-6");
    struct fx_loss *f = fx_flying(4, .no_sack = true, .rtt_ms = 100);
    f->c->snd.wnd = 0;
    fx_timers_until_ms(f, 1000);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    uint32_t srtt = f->c->rtt.srtt_us8;
    fx_at_ms(f, 1100);
    fx_ack(f, 4, 0, 0);                         /* 1 to 3 arrived a second ago */
    EXPECT_EQ(f->c->rtt.srtt_us8, srtt);
    fx_loss_free(f);
}

TEST("what a duplicate's arrival or a timeout brings to light tells no round trip")
{
    struct fx_loss *f = fx_flying(10, .ts = true, .rtt_ms = 100);
    uint32_t srtt = f->c->rtt.srtt_us8;
    f->c->snd.wnd = 0;
    fx_at_ms(f, 5000);
    fx_rto(f);
    fx_run(f);
    fx_at_ms(f, 5100);
    fx_ack_ts(f, 0, 5, 6, 0);                   /* 5 arrived long ago */
    EXPECT_EQ(f->c->rtt.srtt_us8, srtt);
    struct tcp_acked a = fx_acked(f, fx_seq(f, 2));
    a.has_ts = a.has_dsack = true;              /* 0 had arrived; its acknowledgement was lost */
    a.ts_ecr = (uint32_t)(f->start / TCP_TS_TICK_NS) + f->c->ts_off;
    a.dsack = (struct tcp_sack){fx_seq(f, 0), fx_seq(f, 1)};
    fx_tell(f, &a);
    EXPECT_EQ(f->c->rtt.srtt_us8, srtt);
    fx_loss_free(f);
}

TEST("after a timeout without SACK, duplicates of what was given up let nothing out")
{
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
    f->c->snd.wnd = 0;
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    for (int i = 0; i < 9; i++) {
        fx_ack(f, 0, 0, 0);
        fx_run(f);
    }
    EXPECT_LOG(f, "");
    fx_loss_free(f);
}

TEST("a second timeout of the same segment leaves ssthresh alone")
{
    COVERS("5681-7");
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    EXPECT_EQ(fx_ssthresh(f), 5);
    fx_at_ms(f, 3000);
    fx_rto(f);
    EXPECT_EQ(fx_ssthresh(f), 5);
    EXPECT_EQ(fx_cwnd(f), 1);
    fx_clear(f);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    fx_loss_free(f);
}

TEST("after a timeout no recovery begins before all of that time is acknowledged")
{
    COVERS("6675-6");
    struct fx_loss *f = fx_flying(10, .no_rack = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    f->c->snd.wnd = 9000;
    fx_run(f);
    fx_at_ms(f, 1100);
    fx_ack(f, 1, 0, 0);
    fx_run(f);
    for (uint32_t i = 3; i < 8; i++)
        fx_ack(f, 1, i, i + 1);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    fx_ack(f, 9, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    fx_ack(f, 10, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
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
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
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
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 1, 3);
    fx_at_ms(f, 1200);
    fx_rto(f);
    EXPECT_EQ(f->c->flight->sent.sacked_bytes, 2000);
    EXPECT(fx_is(f, 0, SENT_LOST) && fx_is(f, 3, SENT_LOST));
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
    struct fx_loss *f = fx_flying(20, .ecn = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    marked(f, 1);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_CWR);
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
    struct fx_loss *f = fx_flying(20, .ecn = true, .rtt_ms = 100);
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
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
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
    struct fx_loss *f = fx_flying(20, .ecn = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    marked(f, 1);
    fx_ack(f, 1, 2, 6);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(fx_ssthresh(f), 10);
    fx_loss_free(f);
}

TEST("a loss tells the peer of a reduction as well, and answers the marks of its round")
{
    COVERS("3168-4");
    struct fx_loss *f = fx_flying(20, .ecn = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 1, 5);
    EXPECT(f->c->is & TCP_IS_CWR);
    fx_run(f);
    uint32_t all = fx_seg(f, f->c->flight->recov.point);
    marked(f, all);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(fx_ssthresh(f), 10);
    fx_loss_free(f);
}

/* ---- what windows grow by ---- */

TEST("duplicates, old acknowledgements and repeated SACKs do not open the window")
{
    COVERS("OPTACK S25");
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
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
        struct fx_loss *f = fx_flying(10, .rtt_ms = 100, .super = super == 1);
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
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
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
    struct fx_loss *f = fx_flying(40, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 40, 0, 0);
    EXPECT(fx_cwnd(f) >= 40);
    fx_at_ms(f, 5000);
    tcp_recovery_on_idle(&f->t, f->c);
    EXPECT_EQ(fx_cwnd(f), 10);
    fx_loss_free(f);
}
