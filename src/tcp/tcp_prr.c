/*
 * How much may leave: the congestion window, and in recovery Proportional Rate Reduction (RFC 9937).
 *
 * Recovery brings what is under way down to ssthresh in the course of a round trip: for what is
 * delivered, a share of it leaves again. When losses have brought it below ssthresh already, as much
 * leaves as is delivered, and a segment more for an ACK that shows progress.
 *
 * Bytes serve as segments do in the RFC's examples: the proportional part is rounded up to whole
 * segments, so that the first acknowledgement sends one. Where nothing is under way and nothing would
 * be, a segment leaves all the same: nobody else would wake us but the timeout.
 *
 * DEVIATION(5681-10): duplicates count as delivered data here, with and without SACK, as RFC 9937 has
 * it; cwnd is not inflated by three segments and one more for each further duplicate.
 */
#include "tcp/tcp.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

bool tcp_prr_rules(const struct tcp_flight *f)
{
    return f->recov.ca == ORIEL_CA_RECOVERY &&
           !cc_ops_of((enum cc_kind)f->cc.kind)->own_recovery;
}

uint32_t tcp_quota(const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    const struct tcp_recov *r = &f->recov;
    uint32_t pipe = scoreboard_pipe(&f->sent);
    uint32_t quota = f->cc.cwnd > pipe ? f->cc.cwnd - pipe : 0;
    if (oriel_unlikely(tcp_prr_rules(f)))
        quota = r->quota;
    return quota > r->forced ? quota : r->forced;
}

/* 6.1: RecoverFS is all that may be delivered in this episode, with what this ACK told. */
void tcp_prr_start(struct tcp_conn *c, uint32_t delivered)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    uint32_t known = f->sent.sacked_bytes + f->sent.emulated;
    uint32_t open = f->sent.out_bytes > known ? f->sent.out_bytes - known : 0;
    r->recover_fs = open + delivered > 0 ? open + delivered : 1;
    r->prr_delivered = r->prr_out = r->quota = 0;
}

/* While more is under way than there is to be: a share of what is delivered. */
static uint64_t proportional(const struct tcp_recov *r, uint32_t ssthresh, uint32_t mss)
{
    uint64_t out = ((uint64_t)r->prr_delivered * ssthresh + r->recover_fs - 1) / r->recover_fs;
    out = (out + mss - 1) / mss * mss;
    return out > r->prr_out ? out - r->prr_out : 0;
}

/* PRR-CRB, and PRR-SSRB for a safe ACK. */
static uint64_t bounded(const struct tcp_recov *r, uint32_t delivered, uint32_t more, uint32_t room)
{
    uint32_t behind = r->prr_delivered > r->prr_out ? r->prr_delivered - r->prr_out : 0;
    uint64_t n = (uint64_t)(behind > delivered ? behind : delivered) + more;
    return n < room ? n : room;
}

/* 6.2. */
void tcp_prr_on_ack(struct tcp_conn *c, uint32_t delivered, bool safe)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    uint32_t mss = c->snd.mss;
    uint32_t pipe = scoreboard_pipe(&f->sent);
    uint32_t ssthresh = f->cc.ssthresh;
    if (!(c->is & TCP_IS_SACK))         /* duplicates prove little */
        delivered = smaller(delivered, r->recover_fs - smaller(r->recover_fs, r->prr_delivered));
    r->prr_delivered += delivered;
    uint64_t n = pipe > ssthresh ? proportional(r, ssthresh, mss)
                                 : bounded(r, delivered, safe ? mss : 0, ssthresh - pipe);
    if (n < mss && (r->prr_out == 0 || pipe == 0))
        n = mss;
    r->quota = n < CC_CWND_MAX ? (uint32_t)n : CC_CWND_MAX;
    f->cc.cwnd = pipe + r->quota;
}

/* 6.3, and what else is known when something has left. */
void tcp_recovery_on_sent(struct tcp *t, struct tcp_conn *c, uint32_t len)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    uint32_t pipe = scoreboard_pipe(&f->sent);
    r->forced = 0;
    if (oriel_unlikely(r->ca == ORIEL_CA_RECOVERY)) {
        r->prr_out += len;
        r->quota -= smaller(len, r->quota);
    }
    cc_ops_of((enum cc_kind)f->cc.kind)->on_sent(&f->cc, t->env->now, len, pipe);
    if (tcp_window_is_full(f, pipe, c->snd.mss)) {
        r->has_full = true;
        r->full_end = c->snd.nxt;
    }
}
