/*
 * CUBIC (RFC 9438): the window is a cubic function of the time since the last reduction.
 *
 * It comes back fast towards W_max, the window in which the last loss was; lingers there; and
 * leaves it ever faster. Round trips do not enter, so long paths get their share. Where that is
 * slower than Reno would be, it follows an estimate of what Reno would do (the Reno-friendly
 * region).
 *
 * Time is counted in ticks of 2^-12 s: offsets up to 512 s have a cube that fits in 63 bits, and
 * the largest window needs 345 s. Windows are in bytes; W_est and what is left of cwnd's growth
 * have 16 binary places more.
 *
 * An epoch is a stretch of congestion avoidance. W_max lives in cc->memo and outlasts the epoch,
 * which ends with the busy period: the next one starts where this one was on the curve, because K
 * follows from W_max and cwnd alone; only beyond W_max does it begin with a new plateau.
 * cwnd_prior is cc->undo_cwnd or, when that was forgotten, W_max. Time during which the window was
 * not full is left out of t (RFC 9438, 4.2).
 */
#include "tcp/cc/cc.h"

#include "base/compiler.h"

#define TICK_NS_NUM 1953125             /* a tick of 2^-12 s is 1953125 / 8 ns */
#define TICK_NS_DEN 8
#define OFFSET_BITS 21
#define OFFSET_MAX  (((uint64_t)1 << OFFSET_BITS) - 1)
#define PLACES      16

struct epoch {
    uint64_t t_ns;              /* passed with a full window */
    oriel_time last_ns;         /* up to which t_ns was counted */
    uint64_t w_est;             /* what Reno would have; bytes, 16 places */
    uint32_t k_ticks;           /* when the curve is at W_max */
    uint32_t cwnd_prior;        /* before the last reduction */
    uint32_t cwnd_frac;         /* growth of less than a byte, 16 places */
    uint16_t mss;               /* the segment it was computed with; 0: no epoch */
};

struct cubic {
    struct cc_slow slow;
    struct epoch epoch;
    struct epoch undo;          /* the epoch that the last reduction ended */
};

static_assert(sizeof(struct cubic) <= CC_PRIV_BYTES, "CUBIC's state has room");

static struct cubic *cubic_of(struct cc *cc)
{
    ORIEL_ASSERT(cc->priv != NULL);
    return (struct cubic *)(void *)cc->priv->bytes;
}

/* ---- the curve ---- */

/* Bit by bit; x < 2^63. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << (OFFSET_BITS - 1); bit > 0; bit >>= 1) {
        uint64_t r = root | bit;
        if (r * r * r <= x)
            root = r;
    }
    return (uint32_t)root;
}

/* K = cbrt((W_max - cwnd_epoch) / C): C is 0.4 segments a cubic second, which is 2^36 ticks. */
static uint32_t k_of(uint32_t below_bytes, uint16_t mss)
{
    uint64_t x = ((uint64_t)below_bytes * 5 << 24) / mss;       /* 5/2 * 2^25 */
    return x >= (uint64_t)1 << 52 ? (uint32_t)OFFSET_MAX : cube_root(x << 11);
}

/* W_cubic(t) = C * (t - K)^3 + W_max (RFC 9438, 4.2). */
static uint32_t w_cubic(const struct epoch *e, uint32_t w_max, uint64_t t_ns)
{
    uint64_t t = t_ns / TICK_NS_NUM * TICK_NS_DEN + t_ns % TICK_NS_NUM * TICK_NS_DEN / TICK_NS_NUM;
    uint64_t d = t < e->k_ticks ? e->k_ticks - t : t - e->k_ticks;
    if (d > OFFSET_MAX)
        d = OFFSET_MAX;
    uint64_t bytes = ((d * d * d >> 16) * e->mss >> 20) * 2 / 5;
    if (t < e->k_ticks)
        return bytes < w_max ? w_max - (uint32_t)bytes : 0;
    return bytes + w_max < CC_CWND_MAX ? w_max + (uint32_t)bytes : CC_CWND_MAX;
}

/* ---- congestion avoidance ---- */

/*
 * W_max is never below where the epoch begins: after slow start that no loss ended (4.10), and in
 * the first avoidance after a timeout (4.8), K is 0 and W_max the window at the beginning.
 */
static void epoch_begin(struct epoch *e, struct cc *cc, oriel_time now)
{
    if (cc->memo < cc->cwnd)
        cc->memo = cc->cwnd;
    *e = (struct epoch){
        .last_ns = now,
        .w_est = (uint64_t)cc->cwnd << PLACES,
        .k_ticks = k_of(cc->memo - cc->cwnd, cc->mss),
        .cwnd_prior = cc->undo_cwnd ? cc->undo_cwnd : cc->memo,
        .mss = cc->mss,
    };
}

/* 4.3: as Reno would grow, but slower (alpha is 9/17) until the larger beta is made up for. */
static uint32_t reno_window(struct epoch *e, uint32_t cwnd, uint32_t acked)
{
    uint64_t grow = ((uint64_t)e->mss * acked << PLACES) / cwnd;
    bool made_up = e->w_est >> PLACES >= e->cwnd_prior;
    e->w_est += made_up ? grow : grow * 9 / 17;
    if (e->w_est > (uint64_t)CC_CWND_MAX << PLACES)
        e->w_est = (uint64_t)CC_CWND_MAX << PLACES;
    return (uint32_t)(e->w_est >> PLACES);
}

/* 4.4 and 4.5: (target - cwnd) / cwnd for each segment acknowledged. */
static void approach(struct cc *cc, struct epoch *e, uint32_t target, uint32_t acked)
{
    if (target > cc->cwnd + cc->cwnd / 2)
        target = cc->cwnd + cc->cwnd / 2;
    if (target <= cc->cwnd)
        return;
    uint64_t product = (uint64_t)(target - cc->cwnd) * acked;
    uint64_t frac = e->cwnd_frac + (product % cc->cwnd << PLACES) / cc->cwnd;
    uint64_t cwnd = cc->cwnd + product / cc->cwnd + (frac >> PLACES);
    e->cwnd_frac = (uint32_t)frac & (BIT(PLACES) - 1);
    cc->cwnd = cwnd < CC_CWND_MAX ? (uint32_t)cwnd : CC_CWND_MAX;
}

static void avoid(struct cc *cc, struct epoch *e, const struct cc_sample *s, uint32_t acked)
{
    if (acked > cc->cwnd)
        acked = cc->cwnd;
    uint32_t reno = reno_window(e, cc->cwnd, acked);
    if (w_cubic(e, cc->memo, e->t_ns) >= reno)
        approach(cc, e, w_cubic(e, cc->memo, e->t_ns + s->srtt_ns), acked);
    else if (reno > cc->cwnd)
        cc->cwnd = reno;
}

static void on_ack(struct cc *cc, const struct cc_sample *s)
{
    struct cubic *q = cubic_of(cc);
    struct epoch *e = &q->epoch;
    uint32_t acked = cc_grow(cc, &q->slow, s);
    if (s->in_recovery || cc_in_slow_start(cc))
        return;
    if (e->mss != cc->mss)
        epoch_begin(e, cc, s->now);
    if (s->cwnd_limited)
        e->t_ns += s->now - e->last_ns;
    e->last_ns = s->now;
    if (acked > 0)
        avoid(cc, e, s, acked);
}

/* ---- reduction ---- */

static void epoch_end(struct cc *cc, struct cubic *q)
{
    cc_remember(cc);
    q->undo = q->epoch;
    q->epoch.mss = 0;
}

static uint32_t reduced(uint32_t bytes)         /* beta is 0.7 (4.6) */
{
    return (uint32_t)((uint64_t)bytes * 7 / 10);
}

/* 4.7: a window that did not reach W_max again has less room than before; leave it to others. */
static void on_loss(struct cc *cc, enum cc_loss kind, uint32_t flight, oriel_time now)
{
    (void)now;
    epoch_end(cc, cubic_of(cc));
    bool fell_short = cc->cwnd < cc->memo;
    cc->memo = fell_short ? (uint32_t)((uint64_t)cc->cwnd * 17 / 20) : cc->cwnd;
    cc_reduce(cc, kind, reduced(flight));
}

/* 4.8; without a W_max the first epoch afterwards has K = 0. */
static void on_rto(struct cc *cc, uint32_t flight, bool first, oriel_time now)
{
    (void)now;
    struct cubic *q = cubic_of(cc);
    if (first) {
        epoch_end(cc, q);
        cc_reduce(cc, CC_LOSS_FAST, reduced(flight));
    }
    q->epoch.mss = 0;
    q->slow.after_timeout = true;
    cc->memo = 0;
    cc->cwnd = cc->mss;
}

/* 4.9: as if nothing had been; the time in between counts, as the application had no part in it. */
static void on_undo(struct cc *cc, oriel_time now)
{
    (void)now;
    struct cubic *q = cubic_of(cc);
    cc_recall(cc);
    q->epoch = q->undo;
    q->slow.after_timeout = false;
}

static void on_idle(struct cc *cc, uint64_t idle_ns, uint32_t iw, oriel_time now)
{
    if (cc->priv)
        cubic_of(cc)->epoch.mss = 0;
    cc_plain_idle(cc, idle_ns, iw, now);
}

const struct cc_ops cc_cubic = {
    .name = "cubic",
    .init = cc_plain_init,
    .begin = cc_plain_begin,
    .on_sent = cc_plain_sent,
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_rto = on_rto,
    .on_recovered = cc_plain_recovered,
    .on_undo = on_undo,
    .on_idle = on_idle,
};
