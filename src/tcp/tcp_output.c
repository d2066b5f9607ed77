/*
 * What to send next, and why.
 *
 * tcp_next_action is a pure function of the connection: it names one thing to send with its reason,
 * or what keeps the connection from sending. Somebody who changes what may be sent only puts the
 * connection on the list of its interface (tcp_ready_to_send); it is asked when the host asks that
 * interface for packets (tcp_take), so one acknowledgement covers a whole batch and rides on data,
 * and sizes are decided with the window as it is then. Connections take turns, a super-segment each.
 *
 * Paced connections stand in a wheel of departures, apart from the timers.
 */
#include "tcp/tcp.h"

/* ---- who may send: lists by interface ---- */

void tcp_list_ready(struct tcp *t, struct tcp_conn *c)
{
    if (oriel_unlikely(c->state == TCP_CLOSED))
        return;
    struct tcp_ready *q = &t->ready[c->nif];
    uint32_t i = tcp_conn_id(t, c), last = q->last;
    c->is |= TCP_IS_READY;
    c->ready_next = TCP_NONE;
    c->ready_prev = last;
    if (last == TCP_NONE)
        q->first = i;
    else
        tcp_conn_at(t, last)->ready_next = i;
    q->last = i;
    q->n++;
}

static inline void off_list(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_ready *q = &t->ready[c->nif];
    if (!(c->is & TCP_IS_READY))
        return;
    c->is &= ~(uint32_t)TCP_IS_READY;
    if (c->ready_prev == TCP_NONE)
        q->first = c->ready_next;
    else
        tcp_conn_at(t, c->ready_prev)->ready_next = c->ready_next;
    if (c->ready_next == TCP_NONE)
        q->last = c->ready_prev;
    else
        tcp_conn_at(t, c->ready_next)->ready_prev = c->ready_prev;
    q->n--;
}

void tcp_not_ready(struct tcp *t, struct tcp_conn *c)
{
    off_list(t, c);
    if (c->is & TCP_IS_PACED) {
        c->is &= ~(uint32_t)TCP_IS_PACED;
        wheel_cancel(&t->departures, &c->flight->pace);
    }
}

void tcp_ack_now(struct tcp *t, struct tcp_conn *c, enum why why)
{
    if (c->out.ack_why == WHY_NONE)
        c->out.ack_why = (uint8_t)why;
    tcp_want(t, c, TCP_WANT_ACK);
}

void tcp_challenge(struct tcp *t, struct tcp_conn *c, enum why why)
{
    uint32_t now_ms = (uint32_t)(t->env->now / NS_PER_MS) | 1;
    if (c->timer.challenge_ms != 0 &&
        (uint64_t)(now_ms - c->timer.challenge_ms) * NS_PER_MS < t->set.challenge_ns)
        return;
    c->timer.challenge_ms = now_ms;
    t->challenges++;
    tcp_ack_now(t, c, why);
}

/* ---- the decision ---- */

static struct tcp_action nothing(enum oriel_tcp_limit limit)
{
    return (struct tcp_action){.act = ACT_NOTHING, .limit = limit};
}

/* May data leave in this state? RFC 9293, 3.10.4: what was written before a CLOSE still goes. */
static bool data_state(const struct tcp_conn *c)
{
    switch ((enum oriel_tcp_state)c->state) {
    case ORIEL_TCP_ESTABLISHED:
    case ORIEL_TCP_FIN_WAIT_1:
    case ORIEL_TCP_CLOSE_WAIT:
    case ORIEL_TCP_CLOSING:
    case ORIEL_TCP_LAST_ACK:
        return true;
    case ORIEL_TCP_SYN_RCVD:    /* RFC 7413, 4.2.2: a server may answer before the handshake ends */
        return (c->is & (TCP_IS_TFO | TCP_IS_PASSIVE)) == (TCP_IS_TFO | TCP_IS_PASSIVE);
    case ORIEL_TCP_CLOSED:
    case ORIEL_TCP_LISTEN:
    case ORIEL_TCP_SYN_SENT:
    case ORIEL_TCP_FIN_WAIT_2:
    case ORIEL_TCP_TIME_WAIT:
    case ORIEL_TCP_STATES:
        break;
    }
    return false;
}

/* RFC 9293, 3.7.4: is small data held because other data is on its way? */
static bool nagle_holds(const struct tcp *t, const struct tcp_conn *c)
{
    if (c->prof->nodelay || !tcp_outstanding(c) || (c->out.want & TCP_WANT_FIN) ||
        c->state == TCP_SYN_RCVD)               /* only the SYN-ACK is out (7413, 4.2.2) */
        return false;
    return !t->set.minshall || seq_lt(c->snd.una, c->snd.small);
}

static bool fin_may_follow(const struct tcp_conn *c, uint32_t len)
{
    return (c->out.want & TCP_WANT_FIN) && !(c->is & TCP_IS_FIN_SENT) && len == tcp_unsent(c) &&
           len < tcp_usable(c) && c->state != TCP_SYN_RCVD;
}

/* Of a super-segment, so much as one packet can refer to; a segment is copied where it must be. */
static uint32_t one_packet(const struct tcp_conn *c, seq_t seq, uint32_t len, uint32_t mss)
{
    if (len <= mss)
        return len;
    uint32_t n = stream_fits(&c->flight->sndq, seq, len, mss);
    return n > 0 ? n : mss;
}

static struct tcp_action send_new(const struct tcp_conn *c, uint32_t len, enum why why)
{
    return (struct tcp_action){.act = ACT_NEW, .why = why, .seq = c->snd.nxt, .len = len,
                               .fin = fin_may_follow(c, len)};
}

/*
 * Less than a full segment is left, or fits (RFC 9293, 3.8.6.2.1): all of it and nobody holds it, or
 * half of the largest window ever offered.
 */
static struct tcp_action small(const struct tcp *t, const struct tcp_conn *c, uint32_t len)
{
    bool all = len == tcp_unsent(c);
    bool override = (c->out.want & TCP_WANT_OVERRIDE) != 0;
    bool urgent = (c->is & TCP_IS_URG_OUT) && seq_lt(c->snd.nxt, c->snd_up);
    if (!all && !override && len < c->snd.wnd_max / 2)
        return nothing(ORIEL_LIMIT_PEER_WINDOW);
    if (override)
        return send_new(c, len, WHY_DATA_OVERRIDE);
    if (urgent)
        return send_new(c, len, WHY_URGENT);
    if ((c->prof->cork || (c->is & TCP_IS_MORE)) && !(c->out.want & TCP_WANT_FIN))
        return nothing(ORIEL_LIMIT_CORK);
    if (nagle_holds(t, c))
        return nothing(ORIEL_LIMIT_NAGLE);
    return send_new(c, len, c->stat.limit == ORIEL_LIMIT_NAGLE ? WHY_DATA_NAGLE_DONE : WHY_DATA_NEW);
}

/* As many whole segments as max bytes hold, one at least: by loopback one is larger than any burst. */
static uint32_t whole(uint32_t max, uint32_t mss)
{
    return max < mss ? mss : max / mss * mss;
}

uint64_t tcp_pacing(const struct tcp_conn *c)
{
    uint64_t bps = c->flight->cc.pacing_bps, most = c->prof->max_pacing_bps;
    return most != 0 && (bps == CC_UNPACED || most < bps) ? most : bps;
}

/* Bytes of one burst: a super-segment, or what leaves in a millisecond where it is paced. */
static uint32_t burst(const struct tcp_conn *c, uint32_t mss)
{
    uint32_t max = TCP_GSO_BYTES_MAX;
    uint64_t bps = tcp_pacing(c);
    if (oriel_unlikely(c->is & TCP_IS_URG_OUT))
        return mss;             /* the urgent pointer counts from each segment */
    if (bps != CC_UNPACED && bps / 1024 < max)
        max = bps / 1024 > 2 * (uint64_t)mss ? (uint32_t)(bps / 1024) : 2 * mss;
    return whole(max, mss);
}

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t m = a < b ? a : b;
    return m < c ? m : c;
}

static struct tcp_action new_data(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t unsent = tcp_unsent(c), usable = tcp_usable(c), quota = tcp_quota(c);
    uint32_t mss = tcp_mss_now(c);
    uint32_t full = unsent < mss ? unsent : mss;
    bool limited = (c->out.want & TCP_WANT_LIMITED) != 0;
    if (usable == 0)
        return nothing(ORIEL_LIMIT_PEER_WINDOW);
    if (quota < full && !limited)
        return nothing(ORIEL_LIMIT_CWND);
    if (limited && quota < mss)
        quota = mss;
    uint32_t len = tcp_mtu_probe_len(t, c);
    if (oriel_unlikely(len > 0))
        return len <= quota && len <= usable ? send_new(c, len, WHY_PROBE_MTU)
                                             : nothing(ORIEL_LIMIT_CWND);       /* until it fits */
    len = min3(unsent, usable, quota);
    if (len > burst(c, mss))
        len = burst(c, mss);
    if (len < mss)
        return small(t, c, len);
    uint32_t tail = len % mss;
    if (tail != 0 && small(t, c, tail).act == ACT_NOTHING)
        len -= tail;
    else if (tail != 0 && len < unsent)
        len -= tail;            /* whole segments while there is more */
    len = one_packet(c, c->snd.nxt, len, mss);
    return send_new(c, len, limited ? WHY_DATA_LIMITED : WHY_DATA_NEW);
}

static struct tcp_action resend(const struct tcp_conn *c, struct tcp_sent *r, uint32_t max,
                                enum why why)
{
    uint32_t len = r->len;
    uint32_t mss = c->snd.mss;
    if (len > whole(max, mss))
        len = whole(max, mss);
    uint32_t most = (c->is & TCP_IS_URG_OUT) ? mss : whole(TCP_GSO_BYTES_MAX, mss);
    if (len > most)
        len = most;
    len = one_packet(c, r->node.key, len, mss);
    return (struct tcp_action){.act = ACT_RESEND, .why = why, .seq = r->node.key, .len = len,
                               .rec = r};
}

/* RFC 8985, 7.3: new data if there is any and it may be sent, else the last segment again. */
static struct tcp_action tail_probe(const struct tcp_conn *c)
{
    uint32_t unsent = tcp_unsent(c), usable = tcp_usable(c);
    uint32_t len = min3(unsent, usable, c->snd.mss);
    if (len > 0 && (len == unsent || len == c->snd.mss))
        return send_new(c, len, WHY_PROBE_TAIL);
    struct tcp_sent *r = tcp_tlp_record(c);
    if (!r)
        return nothing(ORIEL_LIMIT_APPLICATION);
    uint32_t before = (r->len - 1) / r->seg * r->seg;   /* segments of it before its last one */
    return (struct tcp_action){.act = ACT_RESEND, .why = WHY_PROBE_TAIL, .rec = r,
                               .seq = seq_add(r->node.key, before), .len = r->len - before};
}

static bool is_paced_now(const struct tcp *t, const struct tcp_conn *c)
{
    return c->flight && tcp_pacing(c) != CC_UNPACED &&
           c->flight->depart_at > t->env->now;
}

/* What data there is to send, sent before or not. */
static struct tcp_action data(const struct tcp *t, const struct tcp_conn *c)
{
    if (!c->flight || !data_state(c))
        return nothing(ORIEL_LIMIT_APPLICATION);
    if ((c->out.want & TCP_WANT_TAIL) != 0) {
        struct tcp_action a = tail_probe(c);
        if (a.act != ACT_NOTHING)
            return a;
    }
    if (is_paced_now(t, c) && (tcp_unsent(c) > 0 || (c->out.want & TCP_WANT_RTX)))
        return nothing(ORIEL_LIMIT_PACING);
    if ((c->out.want & TCP_WANT_RTX) != 0) {
        struct tcp_sent *r = tcp_sent_next_lost(c);
        uint32_t quota = tcp_quota(c);
        if (r && (quota >= c->snd.mss || quota >= r->len))
            return resend(c, r, quota, (enum why)r->why);
        if (r)
            return nothing(ORIEL_LIMIT_CWND);
    }
    return tcp_unsent(c) > 0 ? new_data(t, c) : nothing(ORIEL_LIMIT_APPLICATION);
}

static bool fin_due(const struct tcp_conn *c)
{
    return (c->out.want & TCP_WANT_FIN) && !(c->is & TCP_IS_FIN_SENT) && tcp_unsent(c) == 0 &&
           c->state != TCP_SYN_RCVD && data_state(c);
}

static struct tcp_action handshake(const struct tcp_conn *c)
{
    if (c->out.want & TCP_WANT_SYN)
        return (struct tcp_action){.act = ACT_SYN, .why = (enum why)c->out.rtx_why, .seq = c->iss};
    if (c->out.want & TCP_WANT_ACK)
        return (struct tcp_action){.act = ACT_ACK, .why = (enum why)c->out.ack_why,
                                   .seq = c->snd.nxt};
    return nothing(ORIEL_LIMIT_HANDSHAKE);
}

struct tcp_action tcp_next_action(const struct tcp *t, const struct tcp_conn *c)
{
    if (c->state == TCP_SYN_SENT || (c->out.want & TCP_WANT_SYN))
        return handshake(c);
    struct tcp_action a = data(t, c);
    if (a.act != ACT_NOTHING)
        return a;
    if (fin_due(c) && tcp_usable(c) > 0)
        return (struct tcp_action){.act = ACT_FIN, .why = WHY_FIN, .seq = c->snd.nxt, .fin = true};
    if (fin_due(c))
        a.limit = ORIEL_LIMIT_PEER_WINDOW;
    if (c->out.want & TCP_WANT_PROBE)
        return (struct tcp_action){.act = ACT_PROBE, .why = (enum why)c->out.rtx_why,
                                   .seq = seq_add(c->snd.una, UINT32_MAX), .limit = a.limit};
    if (c->out.want & TCP_WANT_ACK)
        return (struct tcp_action){.act = ACT_ACK, .why = (enum why)c->out.ack_why,
                                   .seq = c->snd.nxt, .limit = a.limit};
    if (c->state == TCP_SYN_RCVD && a.limit == ORIEL_LIMIT_APPLICATION)
        a.limit = ORIEL_LIMIT_HANDSHAKE;
    return a;
}

/* ---- doing it ---- */

/* The moment of the next departure after len bytes (at most a quarter of a second away). */
static void pace(struct tcp *t, struct tcp_conn *c, uint32_t len)
{
    struct tcp_flight *f = c->flight;
    uint64_t bps = tcp_pacing(c);
    if (bps == CC_UNPACED)
        return;
    uint64_t gap = (uint64_t)len * NS_PER_S / bps;
    oriel_time from = f->depart_at > t->env->now ? f->depart_at : t->env->now;
    f->depart_at = from + (gap < NS_PER_S / 4 ? gap : NS_PER_S / 4);
}

/* PSH where the buffer is emptied (MUST-61). */
static uint16_t push(const struct tcp_conn *c, seq_t seq, uint32_t len)
{
    return len > 0 && seq_eq(seq_add(seq, len), c->snd.end) ? TCP_PSH : 0;
}

static unsigned frames(const struct tcp_conn *c, uint32_t len)
{
    return len <= c->snd.mss ? 1 : (len + c->snd.mss - 1) / c->snd.mss;
}

static bool is_idle_restart(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t now_ms = (uint32_t)(t->env->now / NS_PER_MS);
    return !tcp_outstanding(c) && c->stat.data_out > 0 &&
           (uint64_t)(now_ms - c->timer.tx_ms) * NS_PER_MS > tcp_rto(t, c);
}

static int do_new(struct tcp *t, struct tcp_conn *c, const struct tcp_action *a)
{
    uint8_t flags = a->fin ? SENT_FIN : 0;
    uint32_t units = a->len + (a->fin ? 1 : 0);
    bool probe = a->why == WHY_PROBE_MTU;
    uint16_t seg = probe ? (uint16_t)a->len : (uint16_t)tcp_mss_now(c);
    if (!tcp_sent_add(t, c, units, seg, probe ? flags | SENT_PROBE : flags))
        return ORIEL_ENOBUFS;
    if (!tcp_outstanding(c))
        c->timer.rtx_at = ORIEL_NEVER;          /* it said how long this was held */
    uint16_t out = (uint16_t)(TCP_ACK | push(c, a->seq, a->len) | (a->fin ? TCP_FIN : 0));
    int err = tcp_emit_segment(t, c, a->seq, a->len, out, a->why);
    c->snd.nxt = seq_add(c->snd.nxt, units);
    if (a->fin)
        c->is |= TCP_IS_FIN_SENT;
    if (a->len % c->snd.mss != 0) {
        c->snd.small = c->snd.nxt;
        stream_close_chunk(&c->flight->sndq);
    }
    c->out.want &= (uint8_t)~(TCP_WANT_OVERRIDE | TCP_WANT_LIMITED);
    if (a->why == WHY_PROBE_TAIL) {
        c->out.want &= (uint8_t)~TCP_WANT_TAIL;
        tcp_tlp_on_sent(t, c, false);
    }
    if (probe)
        tcp_mtu_on_probe_sent(c, c->snd.nxt, a->len);
    c->timer.tx_ms = (uint32_t)(t->env->now / NS_PER_MS);
    tcp_recovery_on_sent(t, c, units);
    pace(t, c, a->len);
    tcp_timer_on_sent(t, c);
    return err == ORIEL_ENOBUFS ? 0 : err;      /* as lost on the way: it will be sent again */
}

static int do_resend(struct tcp *t, struct tcp_conn *c, const struct tcp_action *a)
{
    struct tcp_sent *r = a->rec;
    uint32_t before = (uint32_t)seq_diff(r->node.key, a->seq);
    if (before > 0) {
        if (!tcp_sent_split(t, c, r, before))
            return ORIEL_ENOBUFS;
        r = CONTAINER_OF(seqtree_next(&r->node), struct tcp_sent, node);
    } else if (r->len > a->len && !tcp_sent_split(t, c, r, a->len)) {
        return ORIEL_ENOBUFS;
    }
    bool fin = (r->flags & SENT_FIN) != 0;
    uint32_t len = r->len - (fin ? 1 : 0);
    uint16_t out = (uint16_t)(TCP_ACK | push(c, r->node.key, len) | (fin ? TCP_FIN : 0));
    tcp_sent_again(t, c, r);
    c->stat.rtx += frames(c, len);
    c->stat.bytes_rtx += len;
    int err = tcp_emit_segment(t, c, r->node.key, len, out, a->why);
    if (a->why == WHY_PROBE_TAIL) {
        c->out.want &= (uint8_t)~TCP_WANT_TAIL;
        tcp_tlp_on_sent(t, c, true);
    }
    if (!tcp_sent_next_lost(c))
        c->out.want &= (uint8_t)~TCP_WANT_RTX;
    if (r == tcp_sent_first(c) && a->why != WHY_RTX_RTO && a->why != WHY_RTX_RENEGED)
        c->timer.rtx_at = t->env->now + tcp_rto(t, c);      /* RFC 6298, 5: no earlier than that */
    tcp_recovery_on_sent(t, c, r->len);
    pace(t, c, len);
    tcp_timer_on_sent(t, c);
    return err == ORIEL_ENOBUFS ? 0 : err;
}

static int do_syn(struct tcp *t, struct tcp_conn *c, const struct tcp_action *a)
{
    uint16_t flags = tcp_open_syn_flags(t, c);
    uint32_t len = tcp_open_syn_data(t, c);
    if (len > 0 && !tcp_sent_add(t, c, len, c->snd.mss, 0))
        len = 0;                /* or nobody would know its acknowledgement */
    enum why why = len > 0 ? WHY_SYN_FASTOPEN : a->why;
    int err = tcp_emit_segment(t, c, a->seq, len, flags, why);
    c->out.want &= (uint8_t)~TCP_WANT_SYN;
    c->snd.nxt = seq_add(c->snd.nxt, len);
    if (!err)
        tcp_open_on_syn_sent(t, c);
    tcp_timer_on_sent(t, c);
    return err == ORIEL_ENOBUFS ? 0 : err;
}

static int do_probe(struct tcp *t, struct tcp_conn *c, const struct tcp_action *a)
{
    c->out.want &= (uint8_t)~TCP_WANT_PROBE;
    return tcp_emit_segment(t, c, a->seq, 0, TCP_ACK, a->why);
}

static int act(struct tcp *t, struct tcp_conn *c, const struct tcp_action *a)
{
    switch (a->act) {
    case ACT_NEW:
    case ACT_FIN:    return do_new(t, c, a);
    case ACT_RESEND: return do_resend(t, c, a);
    case ACT_SYN:    return do_syn(t, c, a);
    case ACT_PROBE:  return do_probe(t, c, a);
    case ACT_ACK:    return tcp_emit_segment(t, c, a->seq, 0, TCP_ACK, a->why);
    case ACT_NOTHING: break;
    }
    return 0;
}

static void departs_later(struct tcp *t, struct tcp_conn *c)
{
    if (c->is & TCP_IS_PACED)
        return;
    c->is |= TCP_IS_PACED;
    wheel_arm(&t->departures, &c->flight->pace, c->flight->depart_at, t->env->cause);
}

/* Nothing leaves for now: what keeps it, since when, and who will look again. */
static void settle(struct tcp *t, struct tcp_conn *c, enum oriel_tcp_limit limit)
{
    if (limit == ORIEL_LIMIT_APPLICATION && (c->is & TCP_IS_SNDBUF_FULL))
        limit = ORIEL_LIMIT_SEND_BUFFER;
    tcp_limit_note(t, c, limit);
    if (c->flight && tcp_unsent(c) == 0 && limit == ORIEL_LIMIT_APPLICATION)
        tcp_sent_on_dry(c);
    if (limit == ORIEL_LIMIT_PACING)
        departs_later(t, c);
    else if (!tcp_outstanding(c) && limit != ORIEL_LIMIT_APPLICATION)
        tcp_timer_on_held(t, c, limit);
    c->out.want &= (uint8_t)~(TCP_WANT_LIMITED | TCP_WANT_TAIL);
    if (c->flight && !timer_armed(&c->timer.wake))
        tcp_flight_maybe_free(t, c);            /* nobody else will look at it */
}

/* Everything was sent, and nothing else is wanted: no need to ask for the next action. */
static bool is_done(const struct tcp_conn *c)
{
    const unsigned other = 0xffu & ~(unsigned)(TCP_WANT_LIMITED | TCP_WANT_FIN);
    bool fin = (c->out.want & TCP_WANT_FIN) && !(c->is & TCP_IS_FIN_SENT);
    return (c->out.want & other) == 0 && !fin && tcp_unsent(c) == 0;
}

/*
 * What request and response consist of: all that was written fits into one segment, and nothing holds
 * it. What tcp_next_action would say, said at once.
 */
static inline bool is_simple(const struct tcp *t, const struct tcp_conn *c, struct tcp_action *a)
{
    const struct tcp_flight *f = c->flight;
    uint32_t unsent = (uint32_t)seq_diff(c->snd.nxt, c->snd.end);
    if (c->state != TCP_ESTABLISHED || (c->out.want & ~(unsigned)TCP_WANT_ACK) != 0 || !f ||
        unsent == 0 || unsent > c->snd.mss || f->recov.ca != ORIEL_CA_OPEN ||
        (c->is & (TCP_IS_URG_OUT | TCP_IS_MORE)) || c->prof->cork || c->out.dsack ||
        f->ooo.tree.n > 0 || tcp_pacing(c) != CC_UNPACED || f->mtu.high != 0 ||
        c->stat.limit == ORIEL_LIMIT_NAGLE)
        return false;
    if (unsent > tcp_usable(c) || unsent > tcp_quota(c) ||
        (unsent < c->snd.mss && nagle_holds(t, c)))
        return false;
    *a = (struct tcp_action){.act = ACT_NEW, .why = WHY_DATA_NEW, .seq = c->snd.nxt,
                             .len = unsent};
    return true;
}

unsigned tcp_output(struct tcp *t, struct tcp_conn *c, bool *more)
{
    struct tcp_action a;
    if (!is_simple(t, c, &a))
        a = tcp_next_action(t, c);
    if (a.act == ACT_NEW && is_idle_restart(t, c)) {    /* before it is said how much leaves */
        tcp_recovery_on_idle(t, c);
        a = tcp_next_action(t, c);
    }
    *more = false;
    if (a.act == ACT_NOTHING || a.act == ACT_ACK || a.act == ACT_PROBE) {
        settle(t, c, a.limit);
        if (a.act == ACT_NOTHING)
            return 0;
    }
    int err = act(t, c, &a);
    if (err) {
        tcp_timer_on_stalled(t, c);
        return 0;
    }
    *more = a.act != ACT_ACK && a.act != ACT_PROBE;
    if (*more && is_done(c) && c->state >= TCP_ESTABLISHED) {
        settle(t, c, ORIEL_LIMIT_APPLICATION);
        *more = false;
    }
    return frames(c, a.len);
}

/* ---- when the host asks ---- */

void tcp_on_departures(struct tcp *t)
{
    for (struct timer *d; (d = wheel_pop(&t->departures, t->env->now)) != NULL;) {
        struct tcp_flight *f = CONTAINER_OF(d, struct tcp_flight, pace);
        struct tcp_conn *c = tcp_conn_at(t, f->conn);
        c->is &= ~(uint32_t)TCP_IS_PACED;
        tcp_ready_to_send(t, c);
    }
}

void tcp_take(struct tcp *t, uint16_t nif, unsigned max)
{
    unsigned made = 0;
    const struct tcp_ready *ready = &t->ready[nif];
    while (made < max && ready->first != TCP_NONE) {
        struct tcp_conn *c = tcp_conn_at(t, ready->first);
        bool more;
        off_list(t, c);
        if (tcp_turn(t, c)) {
            made++;
            continue;
        }
        made += tcp_output(t, c, &more);
        if (more)
            tcp_ready_to_send(t, c);
    }
    t->env->cause = 0;
}

void tcp_on_netif_gone(struct tcp *t, uint16_t nif)
{
    for (uint32_t n = t->ready[nif].n; n > 0; n--) {
        struct tcp_conn *c = tcp_conn_at(t, t->ready[nif].first);
        bool more;
        off_list(t, c);
        (void)tcp_output(t, c, &more);
    }
}
