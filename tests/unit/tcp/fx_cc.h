/*
 * A congestion control that is told facts by hand: one connection, its windows and a clock.
 */
#ifndef ORIEL_TESTS_TCP_FX_CC_H
#define ORIEL_TESTS_TCP_FX_CC_H

#include "test.h"

#include "tcp/cc/cc.h"

struct fx_cc {
    struct cc cc;
    struct cc_priv priv;
    const struct cc_ops *ops;
    struct cc_sample s;         /* what the next ACK tells besides the bytes */
    oriel_time now;
    seq_t una;
};

static inline void fx_cc_start(struct fx_cc *f, enum cc_kind kind, uint16_t mss, unsigned segments)
{
    memset(f, 0, sizeof(*f));
    f->ops = cc_ops_of(kind);
    f->cc.kind = (uint8_t)kind;
    f->cc.mss = mss;
    f->cc.cwnd = cc_initial_window(mss, segments);
    f->now = NS_PER_S;
    f->una = seq_of(UINT32_MAX - 5000);         /* the circle closes early in every test */
    f->ops->init(&f->cc);
    f->cc.priv = &f->priv;
    f->ops->begin(&f->cc, f->now);
    f->s.cwnd_limited = true;
    f->s.srtt_ns = f->s.rtt_ns = f->s.min_rtt_ns = 100 * NS_PER_MS;
}

/* One ACK for so many bytes; a window is under way. */
static inline void fx_cc_ack(struct fx_cc *f, uint32_t bytes)
{
    struct cc_sample s = f->s;
    f->una = seq_add(f->una, bytes);
    s.now = f->now;
    s.acked_bytes = s.delivered_bytes = bytes;
    s.flight_before = s.flight = f->cc.cwnd;
    s.una = f->una;
    s.nxt = seq_add(f->una, f->cc.cwnd);
    f->ops->on_ack(&f->cc, &s);
}

static inline void fx_cc_acks(struct fx_cc *f, unsigned n, uint32_t bytes)
{
    while (n-- > 0)
        fx_cc_ack(f, bytes);
}

/* A round trip: all that the window allowed is acknowledged, segment by segment. */
static inline void fx_cc_round(struct fx_cc *f)
{
    unsigned segs = f->cc.cwnd / f->cc.mss;
    fx_cc_acks(f, segs, f->cc.mss);
    f->now += f->s.srtt_ns;
}

/* A loss when so much is under way, and the recovery, which leaves cwnd at ssthresh. */
static inline void fx_cc_lose(struct fx_cc *f, uint32_t flight)
{
    f->ops->on_loss(&f->cc, CC_LOSS_FAST, flight, f->now);
    f->cc.cwnd = f->cc.ssthresh;
    f->ops->on_recovered(&f->cc, f->now);
}

#endif
