/*
 * The short way out, for what request and response consist of: all that was written fits into one
 * segment, nothing is under way, and nothing holds it. What tcp_next_action would say of it, and what
 * tcp_output would do, said and done at once. Whatever is not so goes the long way; a test runs
 * everything with this and without.
 */
#include "tcp/tcp_short.h"

/* Flags of connections whose segments say more than data, acknowledgement, window and time, or wait. */
#define NOT_BARE (TCP_IS_ECN | TCP_IS_ACCECN | TCP_IS_CE | TCP_IS_CWR | TCP_IS_URG_OUT | \
                  TCP_IS_MORE | TCP_IS_SNDBUF_FULL)

/* Is there no more to it than `len` bytes that were written? */
static inline bool is_bare(const struct tcp *t, const struct tcp_conn *c, uint32_t len)
{
    return c->state == TCP_ESTABLISHED && (c->out.want & ~(unsigned)TCP_WANT_ACK) == 0 &&
           c->flight && seq_eq(c->snd.una, c->snd.nxt) && len - 1u < c->snd.mss &&
           len <= c->snd.wnd && !(c->is & NOT_BARE) && !c->out.dsack &&
           c->stat.limit != ORIEL_LIMIT_NAGLE && t->set.fast_path;
}

/* Nothing lost or doubted, out of order, searched for or paced, and the window is not in question. */
static inline bool is_calm(const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    return f->recov.ca == ORIEL_CA_OPEN && f->ooo.tree.n == 0 && f->mtu.high == 0 &&
           f->cc.pacing_bps == CC_UNPACED && c->prof->max_pacing_bps == 0 && !c->prof->cork &&
           f->sent.tree.n == 0 && f->sent.emulated == 0 && f->cc.cwnd >= c->snd.mss;
}

/* Did nothing leave for longer than a timeout (RFC 5681, 4.1)? The long way asks what that means. */
static inline bool was_idle(const struct tcp *t, const struct tcp_conn *c, uint32_t now_ms)
{
    return (uint64_t)(now_ms - c->timer.tx_ms) * NS_PER_MS > tcp_rto(t, c);
}

bool tcp_turn(struct tcp *t, struct tcp_conn *c)
{
    uint32_t len = (uint32_t)seq_diff(c->snd.nxt, c->snd.end);
    uint32_t now_ms = (uint32_t)(t->env->now / NS_PER_MS);
    if (!is_bare(t, c, len) || !is_calm(c) || was_idle(t, c, now_ms) ||
        oriel_unlikely(!pool_has_freed(&t->records)) || !tcp_emit_turn(t, c, len))
        return false;
    short_sent(t, c, len);
    c->timer.rtx_at = ORIEL_NEVER;                      /* it said how long this was held */
    c->snd.nxt = c->snd.end;
    if (oriel_likely(len < c->snd.mss)) {
        c->snd.small = c->snd.nxt;
        stream_close_chunk(&c->flight->sndq);
    }
    c->timer.tx_ms = now_ms;
    short_left(t, c, len);
    tcp_timer_on_sent(t, c);
    tcp_limit_note(t, c, ORIEL_LIMIT_APPLICATION);
    short_dry(c, len);
    return true;
}
