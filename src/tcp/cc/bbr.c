/*
 * BBR, version 3 (draft-ietf-ccwg-bbr-06; section numbers are its own).
 *
 * Instead of reacting to losses it keeps a model of the path: max_bw, the best delivery rate of
 * the last two probing cycles, and min_rtt, the least round-trip time of the last ten seconds.
 * Their product (BDP) is what the path holds without a queue. Data is paced at about max_bw, and
 * cwnd, two BDP, only bounds what goes wrong.
 *
 *     Startup -> Drain -> DOWN -> CRUISE -> REFILL -> UP -> DOWN ...      (ProbeBW)
 *     any     -> ProbeRTT -> CRUISE, or Startup if the pipe was never full
 *
 * Probing (UP) finds more bandwidth and shows how much the path bears: inflight_hi is where more
 * than 2 % were lost. Losses in other phases lower bw_lo and inflight_lo, which hold until the
 * next REFILL. (The draft calls these inflight_longterm, bw_shortterm, inflight_shortterm.) After
 * a loss the window is ours, not that of PRR: the model has seen the loss already.
 *
 * Marks (ECN) count as losses do, byte for byte: RFC 3168 wants no weaker an answer. The draft
 * leaves ECN open, and a network whose marks mean less would have to say so.
 *
 * This file takes the facts and sets pacing rate and window; bbr_model.c keeps the model,
 * bbr_probe.c the cycle of ProbeBW, and ProbeRTT.
 */
#include "tcp/cc/bbr.h"

#define PACING_MARGIN  1        /* percent below bw (5.6.2) */
#define STARTUP_LOSSES 6        /* ACKs that told of losses, in a round */
#define DRAIN_ROUNDS   3

const struct bbr_gain bbr_gains[] = {
    [BBR_STARTUP] = {277, 200},  [BBR_DRAIN] = {50, 200}, [BBR_DOWN] = {90, 200},
    [BBR_CRUISE] = {100, 200},   [BBR_REFILL] = {100, 200}, [BBR_UP] = {125, 225},
    [BBR_PROBE_RTT] = {100, 50},
};

static struct bbr *bbr_of(struct cc *cc)
{
    ORIEL_ASSERT(cc->priv != NULL);
    return (struct bbr *)(void *)cc->priv->bytes;
}

/* ---- pacing rate and window (5.6) ---- */

/* Never so slow that a segment waits longer than a second: cwnd sees to what is slower. */
static void set_pacing(struct cc *cc, const struct bbr *b, unsigned gain)
{
    if (b->bw == 0)
        return;
    uint64_t rate = most(b->bw * gain * (100 - PACING_MARGIN) / 10000, cc->mss);
    if (b->full_bw_reached || rate > cc->pacing_bps)
        cc->pacing_bps = rate;
}

static void init_pacing(struct cc *cc, const struct bbr *b, uint64_t srtt_ns)
{
    uint64_t rtt = srtt_ns ? srtt_ns : NS_PER_MS;
    uint64_t nominal = least((uint64_t)b->initial_cwnd * NS_PER_S / rtt, BBR_BW_MAX);
    cc->pacing_bps = most(nominal * bbr_gains[BBR_STARTUP].pacing / 100, cc->mss);
}

/* 5.6.4.7, and 5.6.4.5. */
static void bound_cwnd(struct cc *cc, const struct bbr *b)
{
    uint64_t cap = BBR_NONE32;
    if (b->state == BBR_PROBE_RTT || b->state == BBR_CRUISE)
        cap = bbr_inflight_with_headroom(cc, b);
    else if (bbr_is_probe_bw(b))
        cap = b->inflight_hi;
    cap = most(least(cap, b->inflight_lo), bbr_min_pipe(cc));
    if (b->state == BBR_PROBE_RTT)
        cap = least(cap, bbr_probe_rtt_cwnd(cc, b));
    cc->cwnd = (uint32_t)least(cc->cwnd, cap);
}

/* 5.6.4.6: down at once, up by no more than what arrived. */
static void set_cwnd(struct cc *cc, struct bbr *b, const struct cc_sample *s)
{
    uint64_t wanted = (uint64_t)bbr_bdp_times(b, b->bw, bbr_gains[b->state].cwnd) +
                      most(b->extra_acked[0], b->extra_acked[1]);
    uint32_t max_inflight = bbr_quantization(cc, b, wanted);
    uint64_t cwnd = (uint64_t)cc->cwnd + s->delivered_bytes;
    if (b->full_bw_reached)
        cc->cwnd = (uint32_t)least(cwnd, max_inflight);
    else if (cc->cwnd < max_inflight || s->delivered_total < b->initial_cwnd)
        cc->cwnd = to_window(cwnd);
    cc->cwnd = (uint32_t)most(cc->cwnd, bbr_min_pipe(cc));
    bound_cwnd(cc, b);
}

/* ---- Startup and Drain (5.3.1, 5.3.2) ---- */

static void start_drain(struct cc *cc, struct bbr *b)
{
    b->state = BBR_DRAIN;
    b->drain_start_round = b->round_count;
    cc->ssthresh = bbr_inflight_of(cc, b, b->bw);       /* for whoever asks if this is slow start */
}

/* 5.3.1.3. */
static void check_startup_losses(struct bbr *b, const struct cc_sample *s)
{
    bool told = s->in_recovery || b->ce_round_bytes > 0;
    if (b->full_bw_reached || !b->loss_round_start || !told)
        return;
    if (b->losses_in_round < STARTUP_LOSSES || !bbr_is_inflight_too_high(b, s))
        return;
    b->undo_state = BBR_STARTUP;
    b->full_bw_reached = true;
    b->inflight_hi = (uint32_t)most(bbr_bdp_times(b, b->bw, 100), b->inflight_latest);
}

static void check_startup_and_drain(struct cc *cc, struct bbr *b, const struct cc_sample *s)
{
    if (b->state == BBR_STARTUP) {
        check_startup_losses(b, s);
        if (b->full_bw_reached)
            start_drain(cc, b);
    }
    if (b->state == BBR_DRAIN) {
        bool overdue = b->round_count - b->drain_start_round > DRAIN_ROUNDS;
        if (overdue || s->flight <= bbr_inflight_of(cc, b, b->bw))
            bbr_start_down(b, s->now);
    }
    if (b->loss_round_start)
        b->losses_in_round = 0;
    if (b->round_start)
        b->ce_round_bytes = 0;
}

/* ---- facts ---- */

static void on_ack(struct cc *cc, const struct cc_sample *s)
{
    struct bbr *b = bbr_of(cc);
    bool limited = s->app_limited || s->prior_delivered < b->limited_until;
    struct bbr_ack a = {.s = s, .rate = bbr_rate_of(s), .limited = limited};
    b->delivered = s->delivered_total;
    if (s->delivered_bytes > 0)
        b->after_timeout = false;
    if (!b->has_seen_rtt && s->srtt_ns > 0) {
        b->has_seen_rtt = true;
        init_pacing(cc, b, s->srtt_ns);
    }
    bbr_take_losses(cc, b, &a);
    bbr_update_latest(b, &a);
    bbr_update_congestion(cc, b, &a);
    bbr_update_aggregation(cc, b, s);
    bbr_check_full_bw(b, &a);
    check_startup_and_drain(cc, b, s);
    bbr_update_cycle(cc, b, &a);
    bbr_update_min_rtt(b, s);
    bbr_check_probe_rtt(cc, b, s);
    if (b->loss_round_start) {
        b->bw_latest = a.rate;
        b->inflight_latest = to_window(s->rate_bytes);
    }
    b->bw = least(bbr_max_bw(b), b->bw_lo);
    set_pacing(cc, b, bbr_gains[b->state].pacing);
    set_cwnd(cc, b, s);
}

/* 5.4.1: after idleness at the known bandwidth at once, without a burst. */
static void on_sent(struct cc *cc, oriel_time now, uint32_t len, uint32_t flight)
{
    struct bbr *b = bbr_of(cc);
    if (flight > len || b->after_timeout)
        return;
    b->idle_restart = true;
    b->extra_start = now;
    if (bbr_is_probe_bw(b))
        set_pacing(cc, b, 100);
    else if (b->state == BBR_PROBE_RTT)
        bbr_check_probe_rtt_done(cc, b, now);
}

static void on_loss(struct cc *cc, enum cc_loss kind, uint32_t flight, oriel_time now)
{
    (void)kind;
    (void)flight;
    (void)now;
    bbr_note_loss(cc, bbr_of(cc));
}

static void on_rto(struct cc *cc, uint32_t flight, bool first, oriel_time now)
{
    (void)flight;
    (void)now;
    struct bbr *b = bbr_of(cc);
    if (first)
        bbr_note_loss(cc, b);
    b->after_timeout = true;
    cc->cwnd = cc->mss;
}

static void on_recovered(struct cc *cc, oriel_time now)
{
    (void)now;
    struct bbr *b = bbr_of(cc);
    b->saved = false;
    b->after_timeout = false;
    bbr_restore_cwnd(cc, b);
    bound_cwnd(cc, b);
}

/* 5.5.11.2; it may come when recovery is over. */
static void on_undo(struct cc *cc, oriel_time now)
{
    (void)now;
    struct bbr *b = bbr_of(cc);
    if (!b->can_undo)
        return;
    b->can_undo = b->saved = false;
    b->after_timeout = false;
    b->loss_in_round = false;
    bbr_restore_cwnd(cc, b);
    bbr_reset_full_bw(b, 0);
    b->bw_lo = most(b->bw_lo, b->undo_bw_lo);
    b->inflight_lo = (uint32_t)most(b->inflight_lo, b->undo_inflight_lo);
    b->inflight_hi = (uint32_t)most(b->inflight_hi, b->undo_inflight_hi);
    if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
        b->full_bw_reached = false;
        cc->ssthresh = CC_SSTHRESH_NONE;
        if (b->state != BBR_PROBE_RTT)
            b->state = BBR_STARTUP;
    } else if (b->undo_state == BBR_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
        bbr_start_refill(b);
    }
    b->undo_state = BBR_CRUISE;
}

/* Idleness is answered when it ends (on_sent). */
static void on_idle(struct cc *cc, uint64_t idle_ns, uint32_t iw, oriel_time now)
{
    (void)cc;
    (void)idle_ns;
    (void)iw;
    (void)now;
}

/* 5.2.1. */
static void begin(struct cc *cc, oriel_time now)
{
    struct bbr *b = bbr_of(cc);
    if (b->started)
        return;
    b->started = true;
    b->initial_cwnd = cc->cwnd;
    b->min_rtt_ns = b->probe_rtt_min_ns = BBR_NONE64;
    b->min_rtt_stamp = b->probe_rtt_stamp = now;
    b->extra_start = now;
    b->inflight_hi = BBR_NONE32;
    b->up_acked_per_inc = BBR_NONE32;
    b->undo_state = BBR_CRUISE;
    bbr_reset_short_term(b);
    init_pacing(cc, b, 0);
}

const struct cc_ops cc_bbr = {
    .name = "bbr",
    .keeps_priv = true,
    .own_recovery = true,
    .init = cc_plain_init,
    .begin = begin,
    .wants_rate = true,
    .on_sent = on_sent,
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_rto = on_rto,
    .on_recovered = on_recovered,
    .on_undo = on_undo,
    .on_idle = on_idle,
};
