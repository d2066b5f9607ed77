#include "fx_loss.h"

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
    struct fx_loss *f = fx_flying(20, .rtt_ms = 100);
    expect_rows(f, 0, 1, rows, ARRAY_LEN(rows));
    EXPECT_EQ(fx_ca(f), ORIEL_CA_RECOVERY);
    EXPECT_EQ(fx_ssthresh(f), 10);
    fx_at_ms(f, 200);
    fx_ack(f, 22, 0, 0);
    EXPECT_EQ(fx_ca(f), ORIEL_CA_OPEN);
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
    struct fx_loss *f = fx_flying(20, .rtt_ms = 100);
    expect_rows(f, 0, 15, rows, ARRAY_LEN(rows));
    fx_loss_free(f);
}

TEST("PRR sends a segment more for an ACK that moves on and tells of no further loss")
{
    COVERS("9937-2");
    struct fx_loss *f = fx_flying(20, .rtt_ms = 100);
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
    struct fx_loss *f = fx_flying(10, .no_sack = true, .rtt_ms = 100);
    fx_at_ms(f, 100);
    for (int i = 0; i < 100; i++) {
        fx_ack(f, 0, 0, 0);
        fx_run(f);
    }
    EXPECT(f->c->flight->recov.prr_delivered <= f->c->flight->recov.recover_fs);
    EXPECT(f->c->flight->recov.prr_out <= f->c->flight->recov.recover_fs);
    fx_loss_free(f);
}
