/*
 * Congestion control: how much may be under way, and how fast it may leave.
 *
 * An algorithm is a table of functions that are told facts; it answers by writing `cwnd`,
 * `ssthresh` and `pacing_bps` of its struct cc, and touches nothing else. It knows nothing of
 * segments, timers or packets, so it can be tested with numbers alone. Everything is in bytes,
 * nanoseconds and bytes a second; fixed point, never floating.
 *
 * Who does what: loss detection and PRR (tcp_rack.c, tcp_recovery.c) decide *that* there was a
 * loss and pace recovery; the algorithm decides what the window is to be: on_loss sets ssthresh,
 * recovery brings cwnd there, on_recovered is told when it ended. (BBR steers cwnd itself:
 * own_recovery.)
 *
 * struct cc lives with the connection. `memo` and the two windows stay while a connection is idle;
 * `priv` is kept in the block that exists only while data is under way and is zero at the start of
 * each busy period (then begin() is called), unless `keeps_priv` is set.
 */
#ifndef ORIEL_TCP_CC_CC_H
#define ORIEL_TCP_CC_CC_H

#include "base/clock.h"
#include "base/compiler.h"
#include "base/seq.h"

#include <stdbool.h>
#include <stddef.h>

#define CC_SSTHRESH_NONE UINT32_MAX     /* RFC 5681, 3.1: arbitrarily high */
#define CC_CWND_MAX      ((uint32_t)1 << 30)
#define CC_PRIV_BYTES    256
#define CC_UNPACED       0              /* pacing_bps: as fast as the window lets */
#define CC_NO_LIMIT      UINT32_MAX     /* of segments that one ACK may be worth */

enum cc_kind {
    CC_NEWRENO,
    CC_CUBIC,
    CC_BBR,
    CC_N
};

struct cc_priv {                /* the algorithm's own; each overlays its struct on it */
    _Alignas(8) uint8_t bytes[CC_PRIV_BYTES];
};

struct cc {
    uint32_t cwnd;              /* bytes that may be under way */
    uint32_t ssthresh;          /* slow start below it */
    uint32_t memo;              /* survives idle periods; CUBIC: W_max in bytes */
    uint32_t undo_cwnd;         /* before the last reduction, for on_undo */
    uint32_t undo_ssthresh;
    uint32_t undo_memo;
    uint64_t pacing_bps;        /* bytes a second; CC_UNPACED */
    uint16_t mss;               /* payload bytes of a full segment now */
    uint8_t kind;               /* enum cc_kind */
    bool hystart;               /* HyStart++ in slow start (RFC 9406) */
    struct cc_priv *priv;       /* NULL while nothing is under way */
};

/* What one acknowledgement (or one batch of them) told. */
struct cc_sample {
    oriel_time now;
    uint32_t acked_bytes;       /* newly acknowledged cumulatively */
    uint32_t delivered_bytes;   /* newly acknowledged or selectively acknowledged */
    uint32_t lost_bytes;        /* newly marked lost */
    uint32_t flight_before;     /* bytes under way before it (pipe) */
    uint32_t flight;            /* and after it */
    uint64_t rtt_ns;            /* newest sample of this ACK; 0: none */
    uint64_t srtt_ns;           /* smoothed; 0: none yet */
    uint64_t min_rtt_ns;        /* least in the window of tcp_rtt.c; 0: none yet */
    uint32_t ce_bytes;          /* of the delivered, marked by the network (by 3168: all or none) */
    bool cwnd_limited;          /* the window was full when the newest delivered data was sent */
    bool in_recovery;           /* PRR has cwnd now; not so after a timeout: slow start has it */
    bool undone;                /* the reduction before was found to be wrong */
    seq_t una, nxt;             /* after it: for rounds */
    /* Delivery rate (draft-ietf-ccwg-bbr, 4.1): interval_ns 0 when there is no sample of it; the
     * others are told whenever something was delivered. */
    uint64_t delivered_total;   /* bytes delivered on this connection so far */
    uint64_t prior_delivered;   /* delivered_total when the newest delivered segment was sent */
    uint64_t rate_bytes;        /* delivered over interval_ns */
    uint64_t interval_ns;
    uint32_t tx_flight;         /* bytes under way when that segment was sent */
    uint32_t tx_lost;           /* bytes lost since then */
    bool app_limited;           /* the sample: the application had no more to send */
};

enum cc_loss {
    CC_LOSS_FAST,               /* recovery begins: RACK or duplicate ACKs */
    CC_LOSS_ECN,                /* the network marked, once a round */
};

struct cc_ops {                 /* every function is there */
    const char *name;           /* "cubic", as ORIEL_OPT_CONGESTION names it */
    bool keeps_priv;
    bool own_recovery;          /* cwnd in recovery is the algorithm's, not PRR's */
    bool wants_rate;            /* it looks at delivery rates, and at what leaves (on_sent) */
    /* A connection begins: cwnd is the initial window, mss is set; priv may be NULL. */
    void (*init)(struct cc *cc);
    /* A busy period begins: priv is there and zero (not for keeps_priv after the first time). */
    void (*begin)(struct cc *cc, oriel_time now);
    /* len bytes left, new or again; flight includes them. */
    void (*on_sent)(struct cc *cc, oriel_time now, uint32_t len, uint32_t flight);
    void (*on_ack)(struct cc *cc, const struct cc_sample *s);
    /* flight: bytes under way when it was noticed. Writes ssthresh (and the undo_ fields); for
     * marks cwnd too, which nothing lost need bring down, and which may end at one segment. */
    void (*on_loss)(struct cc *cc, enum cc_loss kind, uint32_t flight, oriel_time now);
    /* RFC 5681, 3.1: cwnd becomes one segment; first: not again for the same segment. */
    void (*on_rto)(struct cc *cc, uint32_t flight, bool first, oriel_time now);
    /* Recovery ended as it should, that from a timeout too; cwnd is what PRR made it. */
    void (*on_recovered)(struct cc *cc, oriel_time now);
    /* The last reduction was wrong (Eifel, D-SACK, F-RTO). */
    void (*on_undo)(struct cc *cc, oriel_time now);
    /* Nothing was sent for idle_ns, longer than the RTO (RFC 5681, 4.1); iw: the restart window;
     * priv may be NULL. */
    void (*on_idle)(struct cc *cc, uint64_t idle_ns, uint32_t iw, oriel_time now);
};

extern const struct cc_ops cc_newreno, cc_cubic, cc_bbr;

extern const struct cc_ops *const cc_table[CC_N];

static inline const struct cc_ops *cc_ops_of(enum cc_kind kind)
{
    ORIEL_ASSERT(kind < CC_N);
    return cc_table[kind];
}

int cc_kind_named(const char *name, size_t n);          /* -1: no such algorithm */

/* Common parts, cc.c. */

/* Initial window (RFC 6928): segments, 0: 10. */
uint32_t cc_initial_window(uint16_t mss, unsigned segments);

/* Another algorithm from now on: windows stay, priv is zeroed, init and begin are called. */
void cc_change(struct cc *cc, enum cc_kind to, oriel_time now);

/* The size of a full segment changed (path MTU). A smaller one: the windows in segments stay
 * (RFC 5681, 3.1); a larger one: the windows in bytes stay (RFC 8899, 3),
 * except that cwnd is a segment at least. */
void cc_set_mss(struct cc *cc, uint16_t mss);

/* Slow start by appropriate byte counting (RFC 3465, L = 2 segments an ACK, 1 after a timeout);
 * what is left over of acked_bytes when ssthresh is reached. */
uint32_t cc_slow_start(struct cc *cc, uint32_t acked_bytes, uint32_t limit_segs);

static inline bool cc_in_slow_start(const struct cc *cc)
{
    return cc->cwnd < cc->ssthresh;
}

/* ---- HyStart++ (RFC 9406): hystart.c ---- */

struct hystart {
    uint64_t last_min_rtt_ns;   /* of the round before; 0: none */
    uint64_t min_rtt_ns;        /* of this round; 0: none */
    uint64_t base_rtt_ns;       /* when conservative slow start began */
    seq_t window_end;           /* the round ends when it is acknowledged */
    uint16_t samples;
    uint8_t css_rounds;
    bool started;
    bool in_css;
};

/* One ACK in slow start; returns bytes to grow by in place of acked_bytes. Sets cc->ssthresh to
 * cwnd when conservative slow start has lasted its rounds. */
uint32_t hystart_on_ack(struct hystart *h, struct cc *cc, const struct cc_sample *s);

/* ---- what NewReno and CUBIC do alike: cc.c ---- */

struct cc_slow {                /* slow start, in their priv */
    struct hystart hystart;
    bool after_timeout;
};

#define CC_L_SLOW_START    2            /* RFC 3465, 2.3 */
#define CC_L_AFTER_TIMEOUT 1            /* the ACKs may cover what arrived long before */

/*
 * Slow start, if it is time for it; the bytes that congestion avoidance may grow by.
 *
 * HyStart++ guards the first slow start only: later ones have an ssthresh that was found by
 * experience (RFC 9406, 4.3).
 */
static inline uint32_t cc_grow(struct cc *cc, struct cc_slow *w, const struct cc_sample *s)
{
    if (s->in_recovery)
        return 0;
    uint32_t acked = s->acked_bytes;
    uint32_t limit = w->after_timeout ? CC_L_AFTER_TIMEOUT : CC_L_SLOW_START;
    if (!cc_in_slow_start(cc)) {
        w->after_timeout = false;
    } else if (cc->hystart && cc->ssthresh == CC_SSTHRESH_NONE) {
        acked = hystart_on_ack(&w->hystart, cc, s);
        limit = CC_NO_LIMIT;
    }
    /* RFC 3168, 6.1.2: an ACK that tells of congestion is no reason to grow. */
    if (!s->cwnd_limited || s->ce_bytes > 0)
        return 0;
    return cc_slow_start(cc, acked, limit);
}

void cc_remember(struct cc *cc);                        /* for cc_recall */
void cc_recall(struct cc *cc);                          /* the windows before the last reduction */
void cc_reduce(struct cc *cc, enum cc_loss kind, uint32_t to);

void cc_plain_init(struct cc *cc);
void cc_plain_begin(struct cc *cc, oriel_time now);
void cc_plain_sent(struct cc *cc, oriel_time now, uint32_t len, uint32_t flight);
void cc_plain_recovered(struct cc *cc, oriel_time now);
void cc_plain_idle(struct cc *cc, uint64_t idle_ns, uint32_t iw, oriel_time now);

#endif
