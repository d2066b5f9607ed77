/*
 * Steps of the short ways (tcp_turn.c, tcp_plain.c), in line. Each is what the function of the same part does
 * (its file is named) where nothing is lost, doubted or limited, and nothing is under way but this.
 */
#ifndef ORIEL_TCP_TCP_SHORT_H
#define ORIEL_TCP_TCP_SHORT_H

#include "tcp/tcp.h"

/* ---- tcp_sent.c ---- */

/* tcp_sent_add: nothing is under way. There is a record to be had. */
static inline void short_sent(struct tcp *t, struct tcp_conn *c, uint32_t len)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    struct tcp_sent *r = pool_get_freed(&t->records);
    oriel_time now = t->env->now;
    seqtree_insert(&s->tree, &r->node, c->snd.nxt);
    r->len = len;
    r->flags = s->app_limited != 0 ? SENT_APP_LIMITED : 0;
    r->times = 1;
    r->why = WHY_NONE;
    r->seg = c->snd.mss;
    r->skew = 0;
    r->by_time.next = r->by_time.prev = &s->by_time;
    s->by_time.next = s->by_time.prev = &r->by_time;
    s->out_bytes = len;
    s->first_sent_at = s->delivered_at = now;           /* an interval begins */
    r->sent_at = r->delivered_at = r->first_sent_at = now;
    r->delivered = s->delivered;
    r->tx_flight = len;
    r->tx_lost = (uint32_t)s->lost_total;
}

/* tcp_sent_on_dry: `out` bytes are under way. */
static inline void short_dry(struct tcp_conn *c, uint32_t out)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    if (oriel_likely(out + c->snd.mss <= c->flight->cc.cwnd))
        s->app_limited = s->delivered + out;            /* not 0: something is under way */
}

/* tcp_sent_on_plain_ack: all is acknowledged, r, the only one. The rate is told to who wants it. */
static inline void short_acked(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r,
                               struct cc_sample *out)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    seq_t end = sent_end(r);
    s->delivered += r->len;
    s->delivered_at = out->now;
    out->acked_bytes = out->delivered_bytes = r->len;
    out->flight = 0;
    out->rtt_ns = out->now - r->sent_at;
    s->first_sent_at = r->sent_at;
    s->out_bytes = 0;
    if (s->app_limited != 0 && s->delivered > s->app_limited)
        s->app_limited = 0;
    if (seq_lt(s->fack, end))
        s->fack = end;
    list_init(&s->by_time);
    seqtree_remove(&s->tree, &r->node);
    pool_put(&t->records, r);
}

/* ---- tcp_prr.c ---- */

/* tcp_recovery_on_sent, outside of recovery: `out` bytes are under way, all of them from this time. */
static inline void short_left(struct tcp *t, struct tcp_conn *c, uint32_t out)
{
    struct tcp_flight *f = c->flight;
    const struct cc_ops *ops = cc_ops_of((enum cc_kind)f->cc.kind);
    f->recov.forced = 0;
    if (ops->wants_rate)
        ops->on_sent(&f->cc, t->env->now, out, out);
    if (tcp_window_is_full(f, out, c->snd.mss)) {
        f->recov.has_full = true;
        f->recov.full_end = c->snd.nxt;
    }
}

/* ---- tcp_timer.c ---- */

/* tcp_timer_on_all_acked. */
static inline void short_all_acked(const struct tcp *t, struct tcp_conn *c)
{
    c->rtt.backoff = c->rtt.rtx_n = 0;
    c->timer.since_ms = (uint32_t)(t->env->now / NS_PER_MS);
    c->timer.rtx_at = ORIEL_NEVER;
    c->is &= ~(uint32_t)TCP_IS_R1;
    c->flight->rack.tlp_at = c->flight->rack.reo_at = ORIEL_NEVER;
}

#endif
