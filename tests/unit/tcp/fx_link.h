/*
 * An idealised bottleneck: flows of segments share a link with a rate, a delay and a queue that
 * drops from its end. Segments arrive in order, every one is acknowledged by itself, and a loss is
 * known when the next segment of its flow arrives. Recovery takes no time: the window is ssthresh
 * at once, and nothing is sent again, for what a flow sends means nothing.
 */
#ifndef ORIEL_TESTS_TCP_FX_LINK_H
#define ORIEL_TESTS_TCP_FX_LINK_H

#include "test.h"

#include "tcp/cc/cc.h"

#define LINK_FLOWS 2
#define LINK_PKTS  (1u << 17)
#define LINK_MSS   1460

struct link_pkt {
    oriel_time ack_at, sent;
    oriel_time delivered_at, first_sent;        /* of the flow, when it was sent */
    uint64_t delivered;
    uint64_t lost;
    uint64_t end;               /* of its bytes in the flow */
    uint32_t flight;            /* with it */
    uint8_t flow;
    bool dropped, marked, full, app_limited;
};

struct link_flow {
    struct cc cc;
    struct cc_priv priv;
    const struct cc_ops *ops;
    oriel_time start, stop;     /* the application sends between these */
    oriel_time next_send;
    oriel_time delivered_at, first_sent;
    uint64_t delivered, lost, sent, una, recovery_end, app_limited_until;
    uint64_t acked_from;        /* delivered, when somebody began to count */
    uint64_t min_rtt_ns, srtt_ns;
    uint32_t flight, unseen;    /* lost, and not known yet */
    bool in_recovery;
};

struct link {
    uint64_t bps;               /* bytes a second */
    oriel_time delay;           /* both ways, without the queue */
    uint32_t queue_max, mark_above;
    uint32_t loss_in_million;
    oriel_time now, free_at;
    uint32_t dice;
    uint32_t queue_peak;        /* since somebody began to look */
    uint32_t drops;
    unsigned flows;
    struct link_flow flow[LINK_FLOWS];
    uint32_t head, tail;        /* of the ring */
    struct link_pkt pkt[LINK_PKTS];
};

static inline void fx_link_init(struct link *l, uint64_t bps, oriel_time delay, uint32_t queue_max)
{
    memset(l, 0, sizeof(*l));
    l->bps = bps;
    l->delay = delay;
    l->queue_max = queue_max;
    l->mark_above = UINT32_MAX;
    l->now = NS_PER_S;
    l->dice = 2463534242u;
}

static inline struct link_flow *fx_link_flow(struct link *l, enum cc_kind kind, oriel_time start)
{
    struct link_flow *f = &l->flow[l->flows++];
    f->ops = cc_ops_of(kind);
    f->cc.kind = (uint8_t)kind;
    f->cc.mss = LINK_MSS;
    f->cc.cwnd = cc_initial_window(LINK_MSS, 0);
    f->ops->init(&f->cc);
    f->cc.hystart = true;
    f->cc.priv = &f->priv;
    f->start = l->now + start;
    f->stop = ORIEL_NEVER;
    f->next_send = f->start;
    f->ops->begin(&f->cc, f->start);
    return f;
}

static inline uint32_t fx_link_throw(struct link *l)
{
    l->dice ^= l->dice << 13;
    l->dice ^= l->dice >> 17;
    l->dice ^= l->dice << 5;
    return l->dice;
}

static inline uint32_t fx_link_queue(const struct link *l)
{
    return l->free_at > l->now ? (uint32_t)((l->free_at - l->now) * l->bps / NS_PER_S) : 0;
}

/* Departure, or the drop; the order of arrivals is that of departures in either case. */
static inline void fx_link_send(struct link *l, struct link_flow *f)
{
    struct link_pkt *p = &l->pkt[l->tail++ % LINK_PKTS];
    assert_true(l->tail - l->head < LINK_PKTS);
    uint32_t queue = fx_link_queue(l);
    if (f->flight == 0)
        f->first_sent = f->delivered_at = l->now;
    f->flight += LINK_MSS;
    f->sent += LINK_MSS;
    *p = (struct link_pkt){
        .sent = l->now, .delivered_at = f->delivered_at, .first_sent = f->first_sent,
        .delivered = f->delivered, .lost = f->lost, .end = f->sent, .flight = f->flight,
        .flow = (uint8_t)(f - l->flow), .full = f->flight + LINK_MSS > f->cc.cwnd,
        .app_limited = f->app_limited_until > 0,
        .marked = queue > l->mark_above,
        .dropped = queue + LINK_MSS > l->queue_max ||
                   fx_link_throw(l) % 1000000 < l->loss_in_million,
    };
    if (!p->dropped)
        l->free_at = (l->free_at > l->now ? l->free_at : l->now) + LINK_MSS * NS_PER_S / l->bps;
    l->drops += p->dropped;
    queue = fx_link_queue(l);
    if (queue > l->queue_peak)
        l->queue_peak = queue;
    p->ack_at = (l->free_at > l->now ? l->free_at : l->now) + l->delay;
    f->ops->on_sent(&f->cc, l->now, LINK_MSS, f->flight);
    if (f->cc.pacing_bps != CC_UNPACED) {
        oriel_time from = f->next_send > l->now ? f->next_send : l->now;
        f->next_send = from + LINK_MSS * NS_PER_S / f->cc.pacing_bps;
    }
}

static inline void fx_link_take_loss(struct link *l, struct link_flow *f, uint32_t flight)
{
    if (f->in_recovery)
        return;
    f->in_recovery = true;
    f->recovery_end = f->sent;
    f->ops->on_loss(&f->cc, CC_LOSS_FAST, flight, l->now);
    if (!f->ops->own_recovery)
        f->cc.cwnd = f->cc.ssthresh;
}

static inline void fx_link_sample(struct link *l, struct link_flow *f, const struct link_pkt *p,
                                  uint32_t flight_before, uint32_t lost, struct cc_sample *s)
{
    uint64_t rtt = l->now - p->sent;
    f->srtt_ns = f->srtt_ns ? (7 * f->srtt_ns + rtt) / 8 : rtt;
    if (f->min_rtt_ns == 0 || rtt < f->min_rtt_ns)
        f->min_rtt_ns = rtt;
    oriel_time sending = p->sent - p->first_sent;
    oriel_time arriving = l->now - p->delivered_at;
    *s = (struct cc_sample){
        .now = l->now, .acked_bytes = LINK_MSS, .delivered_bytes = LINK_MSS, .lost_bytes = lost,
        .flight_before = flight_before, .flight = f->flight, .rtt_ns = rtt, .srtt_ns = f->srtt_ns,
        .min_rtt_ns = f->min_rtt_ns, .cwnd_limited = p->full, .in_recovery = f->in_recovery,
        .ce_bytes = p->marked ? LINK_MSS : 0,
        .una = seq_of((uint32_t)p->end), .nxt = seq_of((uint32_t)f->sent),
        .delivered_total = f->delivered, .prior_delivered = p->delivered,
        .rate_bytes = f->delivered - p->delivered,
        .interval_ns = sending > arriving ? sending : arriving,
        .tx_flight = p->flight, .tx_lost = (uint32_t)(f->lost - p->lost),
        .app_limited = p->app_limited,
    };
}

static inline void fx_link_arrive(struct link *l, const struct link_pkt *p)
{
    struct link_flow *f = &l->flow[p->flow];
    if (p->dropped) {
        f->unseen += LINK_MSS;
        if (f->unseen == f->flight) {           /* nothing behind it: a timeout tells */
            f->lost += f->unseen;
            f->ops->on_rto(&f->cc, f->flight, true, l->now);
            f->flight = f->unseen = 0;
        }
        return;
    }
    uint32_t before = f->flight;
    uint32_t lost = f->unseen;
    f->unseen = 0;
    f->flight -= LINK_MSS + lost;
    f->lost += lost;
    f->delivered += LINK_MSS;
    f->delivered_at = l->now;
    f->first_sent = p->sent;
    if (f->delivered > f->app_limited_until)
        f->app_limited_until = 0;
    if (lost > 0)
        fx_link_take_loss(l, f, before);
    struct cc_sample s;
    fx_link_sample(l, f, p, before, lost, &s);
    f->ops->on_ack(&f->cc, &s);
    if (f->in_recovery && p->end >= f->recovery_end) {
        f->in_recovery = false;
        f->ops->on_recovered(&f->cc, l->now);
    }
}

static inline oriel_time fx_link_may_send(struct link *l, struct link_flow *f)
{
    if (f->flight + LINK_MSS > f->cc.cwnd)
        return ORIEL_NEVER;
    oriel_time at = f->next_send > l->now ? f->next_send : l->now;
    if (at < f->stop)
        return at;
    f->app_limited_until = f->delivered + f->flight;
    return ORIEL_NEVER;
}

static inline void fx_link_run(struct link *l, oriel_time span)
{
    oriel_time end = l->now + span;
    for (;;) {
        oriel_time at = l->head == l->tail ? ORIEL_NEVER : l->pkt[l->head % LINK_PKTS].ack_at;
        struct link_flow *sender = NULL;
        for (unsigned i = 0; i < l->flows; i++) {
            oriel_time t = fx_link_may_send(l, &l->flow[i]);
            if (t < at) {
                at = t;
                sender = &l->flow[i];
            }
        }
        if (at > end)
            break;
        l->now = at;
        if (sender)
            fx_link_send(l, sender);
        else
            fx_link_arrive(l, &l->pkt[l->head++ % LINK_PKTS]);
    }
    l->now = end;
}

static inline void fx_link_count_from_here(struct link *l)
{
    l->queue_peak = 0;
    l->drops = 0;
    for (unsigned i = 0; i < l->flows; i++)
        l->flow[i].acked_from = l->flow[i].delivered;
}

/* What a flow got since then, in hundredths of the link. */
static inline double fx_link_share(const struct link *l, unsigned flow, oriel_time span)
{
    uint64_t bytes = l->flow[flow].delivered - l->flow[flow].acked_from;
    return (double)bytes * 1e11 / (double)span / (double)l->bps;
}

#endif
