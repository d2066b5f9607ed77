/*
 * NewReno (RFC 5681, RFC 6582): the window halves at a loss and grows by a segment a round trip.
 *
 * Only the windows are here. What makes it "New" - staying in recovery until all that was under way
 * at its beginning is acknowledged - is done by the recovery, which brings cwnd to ssthresh.
 */
#include "tcp/cc/cc.h"

#include "base/compiler.h"

struct newreno {
    struct cc_slow slow;
    uint32_t acked_bytes;       /* in congestion avoidance, since cwnd last grew */
};

static_assert(sizeof(struct newreno) <= CC_PRIV_BYTES, "NewReno's state has room");

static struct newreno *newreno_of(struct cc *cc)
{
    ORIEL_ASSERT(cc->priv != NULL);
    return (struct newreno *)(void *)cc->priv->bytes;
}

/* RFC 5681, 3.1: a segment for each window acknowledged, and not more, however late the ACK. */
static void avoid(struct cc *cc, struct newreno *n, uint32_t acked)
{
    uint64_t sum = (uint64_t)n->acked_bytes + acked;
    if (sum >= cc->cwnd) {
        sum -= cc->cwnd;
        if (cc->cwnd <= CC_CWND_MAX - cc->mss)
            cc->cwnd += cc->mss;
    }
    n->acked_bytes = sum < cc->cwnd ? (uint32_t)sum : cc->cwnd;
}

static void on_ack(struct cc *cc, const struct cc_sample *s)
{
    struct newreno *n = newreno_of(cc);
    uint32_t acked = cc_grow(cc, &n->slow, s);
    if (acked > 0)
        avoid(cc, n, acked);
}

/* RFC 5681, 3.1 (4): half of what is under way, not of cwnd, which may be far larger. */
static void on_loss(struct cc *cc, enum cc_loss kind, uint32_t flight, oriel_time now)
{
    (void)now;
    cc_remember(cc);
    cc_reduce(cc, kind, flight / 2);
    newreno_of(cc)->acked_bytes = 0;
}

static void on_rto(struct cc *cc, uint32_t flight, bool first, oriel_time now)
{
    struct newreno *n = newreno_of(cc);
    if (first)
        on_loss(cc, CC_LOSS_FAST, flight, now);
    cc->cwnd = cc->mss;
    n->slow.after_timeout = true;
}

static void on_undo(struct cc *cc, oriel_time now)
{
    (void)now;
    cc_recall(cc);
    newreno_of(cc)->slow.after_timeout = false;
}

const struct cc_ops cc_newreno = {
    .name = "newreno",
    .init = cc_plain_init,
    .begin = cc_plain_begin,
    .on_sent = cc_plain_sent,
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_rto = on_rto,
    .on_recovered = cc_plain_recovered,
    .on_undo = on_undo,
    .on_idle = cc_plain_idle,
};
