/*
 * The short way of an acknowledgement.
 *
 * Most acknowledgements find nothing lost, SACKED or sent again, no recovery and no doubt about one,
 * and say nothing but how far the receiver has come. All that they can do is deliver the first
 * records, tell the round trip, and let the window grow; this file does that and nothing else.
 * All others take the long way (tcp_recovery.c). A test takes both and compares.
 */
#include "tcp/tcp_short.h"

static_assert(offsetof(struct tcp_recov, ca) == 0, "eight bytes ...");
static_assert(offsetof(struct tcp_recov, dups) == 6, "... that are zero in peace");
static_assert(ORIEL_CA_OPEN == 0 && FRTO_OFF == 0, "and so are these");

/* Is there nothing that an acknowledgement could change besides? */
static bool is_peaceful(const struct tcp_flight *f)
{
    const struct tcp_scoreboard *s = &f->sent;
    uint64_t odd;
    memcpy(&odd, &f->recov, sizeof(odd));
    odd |= s->sacked_bytes | s->lost_bytes | s->resent_bytes | s->emulated;
    odd |= (uint64_t)f->rack.tlp_out | f->rack.has_dsack_round | f->mtu.probe | f->mtu.suspect;
    return odd == 0;
}

static bool says_no_more(const struct tcp_acked *a)
{
    return (a->sack_n | a->has_dsack | a->ece) == 0 && a->ce_bytes == 0;
}

/* Every field is written: what is not known before is written by the scoreboard. */
static void begin_sample(const struct tcp *t, const struct tcp_conn *c, seq_t ack,
                         struct cc_sample *s)
{
    const struct tcp_flight *f = c->flight;
    s->now = t->env->now;
    s->lost_bytes = s->ce_bytes = 0;
    s->flight_before = f->sent.out_bytes;
    s->min_rtt_ns = (uint64_t)c->rtt.min_us * NS_PER_US;
    s->cwnd_limited = f->recov.has_full;
    s->in_recovery = s->undone = false;
    s->una = ack;
    s->nxt = c->snd.nxt;
}

static bool is_plain(const struct tcp *t, const struct tcp_flight *f, const struct tcp_acked *a)
{
    if (!is_peaceful(f) || !says_no_more(a) || !f->sent.tree.first || !t->set.fast_path)
        return false;
    const struct tcp_sent *first = CONTAINER_OF(f->sent.tree.first, struct tcp_sent, node);
    return seq_lt(first->node.key, a->ack) && first->sent_at >= f->rack.xmit_at;
}

/* Of a record that is the only one: is there nothing that its acknowledgement could change besides? */
static inline bool is_alone(const struct tcp_flight *f, const struct tcp_sent *r)
{
    uint64_t odd;
    memcpy(&odd, &f->recov, sizeof(odd));
    odd |= (r->flags & ~(unsigned)SENT_APP_LIMITED) | f->sent.emulated;
    odd |= (uint64_t)f->rack.tlp_out | f->rack.has_dsack_round | f->mtu.probe | f->mtu.suspect;
    return odd == 0 && r->sent_at >= f->rack.xmit_at;
}

bool tcp_recovery_on_all_acked(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_flight *f = c->flight;
    struct cc_sample s;
    if (oriel_unlikely(!f || f->sent.tree.n != 1))
        return false;
    struct tcp_sent *r = CONTAINER_OF(f->sent.tree.first, struct tcp_sent, node);
    const struct cc_ops *ops = cc_ops_of((enum cc_kind)f->cc.kind);
    uint32_t cwnd = f->cc.cwnd, ssthresh = f->cc.ssthresh;
    if (oriel_unlikely(!is_alone(f, r) || ops->wants_rate))
        return false;
    begin_sample(t, c, c->snd.nxt, &s);
    tcp_rtt_sample(t, c, s.now - r->sent_at);
    short_acked(t, c, r, &s);
    s.srtt_ns = tcp_srtt_ns(c);
    rack_on_plain_ack(&f->rack, s.now, s.rtt_ns, c->snd.nxt);
    c->stat.delivered += oriel_likely(s.acked_bytes <= c->snd.mss)
                             ? 1 : (s.acked_bytes + c->snd.mss - 1) / c->snd.mss;
    ops->on_ack(&f->cc, &s);
    f->recov.has_full = false;
    short_all_acked(t, c);
    if (f->cc.cwnd != cwnd || f->cc.ssthresh != ssthresh)
        TRACE(t->env, EV_TCP_CWND, tcp_conn_id(t, c), f->cc.cwnd, f->cc.ssthresh, 0);
    return true;
}

void tcp_recovery_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a)
{
    struct tcp_flight *f = c->flight;
    if (oriel_unlikely(!f))
        return;
    if (seq_eq(a->ack, c->snd.nxt) && says_no_more(a) && t->set.fast_path &&
        tcp_recovery_on_all_acked(t, c))
        return;
    if (oriel_unlikely(!is_plain(t, f, a))) {
        tcp_recovery_long_way(t, c, a);
        return;
    }
    struct cc_sample s;
    uint32_t cwnd = f->cc.cwnd, ssthresh = f->cc.ssthresh;
    tcp_rtt_sample(t, c, t->env->now - tcp_sent_first(c)->sent_at);
    begin_sample(t, c, a->ack, &s);
    tcp_sent_on_plain_ack(t, c, a->ack, &s);
    s.srtt_ns = tcp_srtt_ns(c);
    rack_on_plain_ack(&f->rack, s.now, s.rtt_ns, a->ack);
    c->stat.delivered += (s.acked_bytes + c->snd.mss - 1) / c->snd.mss;
    cc_ops_of((enum cc_kind)f->cc.kind)->on_ack(&f->cc, &s);
    if (f->recov.has_full && seq_leq(f->recov.full_end, a->ack))
        f->recov.has_full = false;
    if (f->sent.out_bytes > 0)
        tcp_timer_on_progress(t, c);
    else
        tcp_timer_on_all_acked(t, c);
    if (f->cc.cwnd != cwnd || f->cc.ssthresh != ssthresh)
        TRACE(t->env, EV_TCP_CWND, tcp_conn_id(t, c), f->cc.cwnd, f->cc.ssthresh, f->sent.out_bytes);
}
