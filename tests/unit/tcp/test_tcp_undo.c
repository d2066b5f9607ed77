#include "fx_loss.h"

/* ---- F-RTO ---- */

TEST("F-RTO with SACK: data that was not sent again arrives, so the timeout was spurious")
{
    COVERS("5682-1");
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_clear(f);
    fx_run(f);
    EXPECT_LOG(f, "R0");
    fx_at_ms(f, 1050);
    fx_ack(f, 2, 0, 0);                         /* 1 was never sent again */
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
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
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
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
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    EXPECT(fx_cwnd(f) <= 3);
    fx_run(f);
    EXPECT_LOG(f, "R1");
    fx_loss_free(f);
}

TEST("F-RTO without SACK needs two acknowledgements that move on")
{
    COVERS("5682-1");
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_clear(f);
    fx_at_ms(f, 1050);
    fx_ack(f, 2, 0, 0);                         /* perhaps a hole was filled */
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    fx_run(f);
    EXPECT_LOG(f, "N10 N11");
    fx_at_ms(f, 1060);
    fx_ack(f, 3, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT(f->c->flight->cc.cwnd >= 10000);
    EXPECT_EQ(fx_pipe(f), 9);
    fx_loss_free(f);
}

TEST("F-RTO without SACK: a duplicate first or second says that the loss was real")
{
    COVERS("5682-1");
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_clear(f);
    fx_ack(f, 0, 0, 0);
    EXPECT_EQ(f->c->flight->recov.frto, FRTO_OFF);
    fx_loss_free(f);
    f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
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
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    EXPECT_EQ(f->log[0], 'R');
    fx_loss_free(f);
}

TEST("an acknowledgement of everything proves nothing: SACKs may have been lost")
{
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_at_ms(f, 1100);
    fx_ack(f, 10, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(fx_ssthresh(f), 5);
    fx_loss_free(f);
}

/* ---- undo ---- */

TEST("Eifel: a timestamp from before the retransmission takes the reduction back")
{
    COVERS("5682-1");
    struct fx_loss *f = fx_flying(10, .ts = true, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 3; i++)
        fx_ack_ts(f, 0, 0, 0, 0);
    fx_run(f);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    fx_at_ms(f, 110);
    fx_ack_ts(f, 4, 0, 0, 0);                   /* the first transmission was only late */
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT(fx_cwnd(f) >= 10);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT(f->c->flight->rack.reordering_seen);
    fx_loss_free(f);
}

TEST("Eifel: the retransmission's own timestamp leaves everything as it is")
{
    struct fx_loss *f = fx_flying(10, .ts = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    f->c->snd.wnd = 1000;
    fx_at_ms(f, 1100);
    fx_ack_ts(f, 1, 0, 0, 1000);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_LOSS);
    fx_loss_free(f);
}

TEST("Eifel: a timeout that was too early is undone by the first acknowledgement")
{
    COVERS("5682-1");
    struct fx_loss *f = fx_flying(10, .ts = true, .rtt_ms = 100);
    fx_at_ms(f, 1000);
    fx_rto(f);
    fx_run(f);
    fx_at_ms(f, 1050);
    fx_ack_ts(f, 1, 0, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT(fx_cwnd(f) >= 10);
    EXPECT_EQ(fx_pipe(f), 9);
    fx_loss_free(f);
}

TEST("D-SACK: everything that was sent again arrived twice, so nothing was lost")
{
    COVERS("2883-2");
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 2, 5);                         /* 0 and 1 are thought lost */
    fx_run(f);
    EXPECT(strstr(f->log, "R0 R1") != NULL || strstr(f->log, "R0") != NULL);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    fx_at_ms(f, 105);
    fx_ack(f, 5, 0, 0);                         /* they were late */
    fx_run(f);
    fx_at_ms(f, 200);
    fx_dsack(f, 5, 0, 1);
    bool both = f->c->flight->recov.undo_resent > 0;
    if (both)
        EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    fx_dsack(f, 5, 1, 2);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT(fx_traced(f, EV_TCP_UNDO));
    fx_loss_free(f);
}

TEST("D-SACK after recovery ended takes the reduction back too, for a round trip")
{
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 0, 1, 4);
    fx_run(f);
    fx_at_ms(f, 101);
    uint32_t all = fx_seg(f, f->c->flight->recov.point);
    fx_ack(f, all, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
    EXPECT_EQ(fx_ssthresh(f), 5);
    fx_run(f);
    fx_at_ms(f, 200);
    fx_dsack(f, all, 0, 1);
    EXPECT_EQ(f->c->flight->cc.ssthresh, CC_SSTHRESH_NONE);
    EXPECT(fx_cwnd(f) >= 10);
    fx_loss_free(f);
}

TEST("a D-SACK of something older, or of less than was sent again, undoes nothing")
{
    struct fx_loss *f = fx_flying(10, .rtt_ms = 100);
    fx_at_ms(f, 100);
    fx_ack(f, 2, 0, 0);
    fx_run(f);
    fx_ack(f, 2, 3, 6);
    fx_run(f);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    fx_dsack(f, 2, 0, 1);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT(f->c->flight->recov.undo_resent > 0);
    fx_loss_free(f);
}
