/*
 * BBR's cycle: DOWN leaves room, CRUISE keeps pace, REFILL fills the pipe, UP asks for more
 * (draft-ietf-ccwg-bbr-06, 5.3.3); and ProbeRTT, which empties the queue to see the path without it
 * (5.3.4).
 *
 * A probe is judged a round later than it is sent, so ack_phase follows the ACKs as state follows
 * the sending. How long CRUISE lasts is thrown with a die, that flows may not probe in step.
 */
#include "tcp/cc/bbr.h"

#define UP_ROUNDS_MAX      30
#define RENO_ROUNDS_MAX    63
#define PROBE_WAIT         (2 * NS_PER_S)       /* and up to one more */
#define PROBE_RTT_DURATION (200 * NS_PER_MS)

/* ---- entering states ---- */

/* xorshift, stirred with what differs between connections: flows do not share the die, and a rerun
 * throws it alike. */
static uint32_t throw_die(struct bbr *b, oriel_time now)
{
    uint32_t x = b->dice ^ (uint32_t)b->delivered ^ (uint32_t)(now >> 10);
    x = x ? x : 1;
    for (int i = 0; i < 3; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
    }
    return b->dice = x;
}

/* 5.3.3.8: two to three seconds, or as many rounds as Reno would take to grow by as much. */
static void pick_probe_wait(struct bbr *b, oriel_time now)
{
    uint32_t die = throw_die(b, now);
    b->rounds_since_probe = die & 1;
    b->probe_wait_ns = PROBE_WAIT + (uint64_t)(die >> 12) * NS_PER_S / BIT(20);
}

static void reset_congestion(struct bbr *b)
{
    b->loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void bbr_start_down(struct bbr *b, oriel_time now)
{
    reset_congestion(b);
    b->up_acked_per_inc = BBR_NONE32;
    pick_probe_wait(b, now);
    b->cycle_stamp = now;
    b->ack_phase = BBR_ACKS_PROBE_STOPPING;
    bbr_start_round(b);
    b->state = BBR_DOWN;
}

void bbr_start_refill(struct bbr *b)
{
    bbr_reset_short_term(b);
    b->up_rounds = 0;
    b->up_acked = 0;
    b->probe_precautionary = false;
    b->ack_phase = BBR_ACKS_REFILLING;
    bbr_start_round(b);
    b->state = BBR_REFILL;
}

/* 5.3.3.5: inflight_hi grows by 1, 2, 4, ... segments in successive rounds. */
static void raise_slope(const struct cc *cc, struct bbr *b)
{
    uint32_t growth = (uint32_t)1 << b->up_rounds;
    if (b->up_rounds < UP_ROUNDS_MAX)
        b->up_rounds++;
    b->up_acked_per_inc = (uint32_t)most(cc->cwnd / growth, cc->mss);
}

static void start_up(const struct cc *cc, struct bbr *b, uint64_t rate)
{
    b->is_probe_sample = true;
    b->ack_phase = BBR_ACKS_PROBE_STARTING;
    bbr_start_round(b);
    bbr_reset_full_bw(b, rate);
    b->state = BBR_UP;
    raise_slope(cc, b);
}

/* ---- ProbeBW (5.3.3) ---- */

static void probe_inflight_up(const struct cc *cc, struct bbr *b, const struct cc_sample *s)
{
    if (!s->cwnd_limited || cc->cwnd < b->inflight_hi)
        return;
    uint64_t acked = (uint64_t)b->up_acked + s->delivered_bytes;
    uint64_t steps = acked / b->up_acked_per_inc;
    b->up_acked = (uint32_t)(acked % b->up_acked_per_inc);
    b->inflight_hi = to_window(b->inflight_hi + steps * cc->mss);
    if (b->round_start)
        raise_slope(cc, b);
}

/* The end of the ACKs for a probe: another cycle, or at once the next probe (5.3.3.6). */
static bool probe_feedback_ended(struct bbr *b, const struct bbr_ack *a)
{
    b->is_probe_sample = false;
    b->ack_phase = BBR_ACKS_INIT;
    if (!bbr_is_probe_bw(b))
        return false;
    if (!a->limited) {
        b->max_bw[1] = b->max_bw[0];
        b->max_bw[0] = 0;
    }
    if (!b->probe_precautionary || b->probe_too_high)
        return false;
    bbr_start_refill(b);
    return true;
}

/* True when a transition has been decided. */
static bool adapt_long_term(const struct cc *cc, struct bbr *b, const struct bbr_ack *a)
{
    if (b->ack_phase == BBR_ACKS_PROBE_STARTING && b->round_start)
        b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
    if (b->ack_phase == BBR_ACKS_PROBE_STOPPING && b->round_start && probe_feedback_ended(b, a))
        return true;
    if (bbr_is_inflight_too_high(b, a->s) || b->inflight_hi == BBR_NONE32)
        return false;
    b->inflight_hi = (uint32_t)most(b->inflight_hi, to_window(a->s->tx_flight));
    if (b->state == BBR_UP)
        probe_inflight_up(cc, b, a->s);
    return false;
}

static bool is_time_to_probe(const struct cc *cc, const struct bbr *b, oriel_time now)
{
    uint32_t reno_rounds = bbr_target_inflight(cc, b) / cc->mss;
    return now > time_after(b->cycle_stamp, b->probe_wait_ns) ||
           b->rounds_since_probe >= least(reno_rounds, RENO_ROUNDS_MAX);
}

static bool is_time_to_cruise(const struct cc *cc, const struct bbr *b, uint32_t flight)
{
    return flight <= bbr_inflight_with_headroom(cc, b) &&
           flight <= bbr_inflight_of(cc, b, bbr_max_bw(b));
}

static bool is_time_to_go_down(const struct cc *cc, struct bbr *b, const struct bbr_ack *a)
{
    if (b->probe_too_high && a->s->flight >= b->inflight_hi) {
        b->probe_precautionary = true;
        return true;
    }
    if (a->s->cwnd_limited && cc->cwnd >= b->inflight_hi)
        bbr_reset_full_bw(b, a->rate);          /* it is inflight_hi that holds bandwidth down */
    return b->full_bw_now;
}

void bbr_update_cycle(const struct cc *cc, struct bbr *b, const struct bbr_ack *a)
{
    if (!b->full_bw_reached || adapt_long_term(cc, b, a))
        return;
    switch ((enum bbr_state)b->state) {
    case BBR_DOWN:
        if (is_time_to_probe(cc, b, a->s->now))
            bbr_start_refill(b);
        else if (is_time_to_cruise(cc, b, a->s->flight))
            b->state = BBR_CRUISE;
        return;
    case BBR_CRUISE:
        if (is_time_to_probe(cc, b, a->s->now))
            bbr_start_refill(b);
        return;
    case BBR_REFILL:
        if (b->round_start)
            start_up(cc, b, a->rate);
        return;
    case BBR_UP:
        if (is_time_to_go_down(cc, b, a)) {
            b->probe_too_high = false;
            bbr_start_down(b, a->s->now);
        }
        return;
    case BBR_STARTUP:
    case BBR_DRAIN:
    case BBR_PROBE_RTT: return;
    }
}

/* ---- ProbeRTT (5.3.4) ---- */

uint32_t bbr_probe_rtt_cwnd(const struct cc *cc, const struct bbr *b)
{
    return (uint32_t)most(bbr_bdp_times(b, b->bw, bbr_gains[BBR_PROBE_RTT].cwnd), bbr_min_pipe(cc));
}

static void exit_probe_rtt(struct bbr *b, oriel_time now)
{
    bbr_reset_short_term(b);
    b->state = BBR_STARTUP;
    if (!b->full_bw_reached)
        return;
    bbr_start_down(b, now);
    b->state = BBR_CRUISE;
}

void bbr_check_probe_rtt_done(struct cc *cc, struct bbr *b, oriel_time now)
{
    if (b->probe_rtt_done == 0 || now <= b->probe_rtt_done)
        return;
    b->probe_rtt_stamp = now;
    bbr_restore_cwnd(cc, b);
    exit_probe_rtt(b, now);
}

static void in_probe_rtt(struct cc *cc, struct bbr *b, const struct cc_sample *s)
{
    b->limited_until = b->delivered + s->flight;
    if (b->probe_rtt_done == 0) {
        if (s->flight > bbr_probe_rtt_cwnd(cc, b))
            return;
        b->probe_rtt_done = s->now + PROBE_RTT_DURATION;
        b->probe_rtt_round_done = false;
        bbr_start_round(b);
        return;
    }
    if (b->round_start)
        b->probe_rtt_round_done = true;
    if (b->probe_rtt_round_done)
        bbr_check_probe_rtt_done(cc, b, s->now);
}

void bbr_check_probe_rtt(struct cc *cc, struct bbr *b, const struct cc_sample *s)
{
    if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        bbr_save_cwnd(cc, b);
        b->state = BBR_PROBE_RTT;
        b->probe_rtt_done = 0;
        b->ack_phase = BBR_ACKS_PROBE_STOPPING;
        bbr_start_round(b);
    }
    if (b->state == BBR_PROBE_RTT)
        in_probe_rtt(cc, b, s);
    if (s->delivered_bytes > 0)
        b->idle_restart = false;
}
