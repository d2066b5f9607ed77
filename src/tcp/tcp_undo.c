/*
 * Was anything lost at all? A reduction is taken back when it turns out that it was for nothing:
 *
 *   Eifel (RFC 3522)     the acknowledgement carries a timestamp from before the first retransmission
 *   D-SACK (RFC 3708)    everything that was sent again arrived twice
 *   F-RTO (RFC 5682)     after a timeout, what was not sent again is delivered
 *
 * Here is only the judgement; tcp_recovery.c acts on it.
 *
 * In F-RTO's basic form it takes two acknowledgements: the first moves the window, so two new segments
 * leave and nothing old; the second moves it again. With SACK one suffices that delivers data which
 * was not SACKed before the timeout and was not sent again; unless it acknowledges everything, which
 * the retransmission alone would do as well if SACKs had been lost.
 */
#include "tcp/tcp.h"

static uint32_t segs_in(const struct tcp_conn *c, uint32_t n)
{
    return (n + c->snd.mss - 1) / c->snd.mss;
}

/* A retransmission under way already may be D-SACKed too, and its timestamp is not known here. */
void tcp_undo_allow(struct tcp_conn *c, seq_t una)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    r->undo = true;
    r->undo_mark = una;
    r->undo_resent = segs_in(c, f->sent.resent_bytes);
    r->undo_any = r->undo_resent > 0;
    r->undo_by_ts = false;
}

void tcp_undo_on_resent(struct tcp_conn *c, const struct tcp_sent *s)
{
    struct tcp_recov *r = &c->flight->recov;
    if (!r->undo)
        return;
    if (!r->undo_any && (c->is & TCP_IS_TS)) {
        r->undo_by_ts = true;
        r->rtx_ts = s->ts_val;
    }
    r->undo_any = true;
    r->undo_resent += segs_in(c, s->len);
}

/* RFC 2883, 5: segments that arrived twice were sent again for nothing. */
void tcp_undo_on_dsack(struct tcp_conn *c, const struct tcp_acked *a)
{
    struct tcp_recov *r = &c->flight->recov;
    if (c->stat.dsacks < UINT16_MAX)
        c->stat.dsacks++;
    if (!r->undo || !seq_lt(r->undo_mark, a->dsack.right))
        return;
    uint32_t n = segs_in(c, (uint32_t)seq_diff(a->dsack.left, a->dsack.right));
    r->undo_resent -= n < r->undo_resent ? n : r->undo_resent;
}

/* RFC 3522, 3.2: what filled the hole had left before the retransmission did. */
static bool eifel_says(const struct tcp_recov *r, const struct tcp_acked *a,
                       const struct tcp_delivered *d)
{
    return r->undo && r->undo_by_ts && d->acked_bytes > 0 && a->has_ts &&
           (int32_t)(a->ts_ecr - r->rtx_ts) < 0;
}

static bool dsacks_say(const struct tcp_flight *f)
{
    return f->recov.undo && f->recov.undo_any && f->recov.undo_resent == 0 &&
           f->sent.lost_bytes == 0;
}

/* ---- F-RTO (RFC 5682, 2.1 and 3.1) ---- */

static bool may_send_new(const struct tcp_conn *c)
{
    return tcp_unsent(c) >= c->snd.mss && tcp_usable(c) >= c->snd.mss;
}

/* Is it data from before the timeout that was not sent again? */
static bool is_original(const struct tcp_recov *r, const struct tcp_delivered *d)
{
    return d->has_lowest && seq_lt(d->lowest_never_resent, r->frto_mark);
}

/* Step 2. */
static bool frto_first(struct tcp_conn *c, const struct tcp_acked *a, const struct tcp_delivered *d)
{
    struct tcp_recov *r = &c->flight->recov;
    bool sack = (c->is & TCP_IS_SACK) != 0;
    bool advanced = d->acked_bytes > 0;
    if (seq_leq(r->frto_mark, a->ack) || (!advanced && !sack)) {
        r->frto = FRTO_OFF;
        return false;
    }
    if (sack && is_original(r, d))
        return true;
    if (advanced)
        r->frto = may_send_new(c) ? FRTO_NEW_DATA : FRTO_OFF;
    return false;
}

/* Step 3. */
static bool frto_second(struct tcp_conn *c, const struct tcp_acked *a, const struct tcp_delivered *d)
{
    struct tcp_flight *f = c->flight;
    bool sack = (c->is & TCP_IS_SACK) != 0;
    if (sack ? is_original(&f->recov, d) : d->acked_bytes > 0)
        return true;
    if (a->dup || d->sacked_bytes > 0) {
        uint32_t most = 3 * (uint32_t)c->snd.mss;
        f->recov.frto = FRTO_OFF;
        f->cc.cwnd = f->cc.cwnd < most ? f->cc.cwnd : most;
    }
    return false;
}

static bool frto_says(struct tcp_conn *c, const struct tcp_acked *a, const struct tcp_delivered *d)
{
    switch ((enum tcp_frto)c->flight->recov.frto) {
    case FRTO_OFF:
        return false;
    case FRTO_SENT:
        return frto_first(c, a, d);
    case FRTO_NEW_DATA:
        return frto_second(c, a, d);
    }
    return false;
}

enum tcp_undo tcp_undo_judge(struct tcp_conn *c, const struct tcp_acked *a,
                             const struct tcp_delivered *d)
{
    const struct tcp_flight *f = c->flight;
    if (oriel_likely(!f->recov.undo && f->recov.frto == FRTO_OFF))
        return UNDO_NOTHING;
    if (f->recov.ca >= ORIEL_CA_RECOVERY && eifel_says(&f->recov, a, d))
        return UNDO_EIFEL;
    if (frto_says(c, a, d))
        return UNDO_FRTO;
    return dsacks_say(f) ? UNDO_DSACK : UNDO_NOTHING;
}
