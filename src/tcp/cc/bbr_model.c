/*
 * BBR's model of the path: how fast it delivers (max_bw), how long an empty one takes (min_rtt),
 * how much it delivers beyond that in bursts (extra_acked), and how much of it losses leave usable
 * (draft-ietf-ccwg-bbr-06, 5.5).
 *
 * Where the draft looks at each lost packet, we look at each ACK: what was under way when its
 * newest segment left, and what was lost since. The windowed maxima are kept in two slots: two
 * cycles for max_bw, twice five rounds for extra_acked.
 */
#include "tcp/cc/bbr.h"

#define LOSS_THRESH        2            /* percent */
#define BETA               70           /* percent left, at least, by a round with losses */
#define HEADROOM           15           /* percent of inflight_hi left to others */
#define FULL_BW_ROUNDS     3
#define EXTRA_ACKED_ROUNDS 5
#define MIN_RTT_WINDOW     (10 * NS_PER_S)
#define PROBE_RTT_INTERVAL (5 * NS_PER_S)
#define QUANTUM_MAX        65536

uint64_t bbr_rate_of(const struct cc_sample *s)
{
    if (s->interval_ns == 0)
        return 0;
    return least(least(s->rate_bytes, UINT32_MAX) * NS_PER_S / s->interval_ns, BBR_BW_MAX);
}

static uint64_t bytes_in(uint64_t bw, uint64_t ns)
{
    uint64_t seconds = least(ns / NS_PER_S, 1 << 20);
    uint64_t rest = ns % NS_PER_S;
    if (bw >> 34 == 0)
        return bw * seconds + bw * rest / NS_PER_S;
    return bw * seconds + (bw >> 8) * rest / (NS_PER_S >> 8);   /* it divides: 10^9 has 2^9 in it */
}

/* ---- what the model says ---- */

uint64_t bbr_max_bw(const struct bbr *b)
{
    return most(b->max_bw[0], b->max_bw[1]);
}

uint32_t bbr_bdp_times(const struct bbr *b, uint64_t bw, unsigned gain)
{
    if (b->min_rtt_ns == BBR_NONE64)
        return b->initial_cwnd;
    return to_window(least(bytes_in(bw, b->min_rtt_ns), CC_CWND_MAX) * gain / 100);
}

/* 5.6.3: what leaves at once; three of them are to be under way at least (5.5.8.1). */
uint32_t bbr_quantization(const struct cc *cc, const struct bbr *b, uint64_t inflight)
{
    uint64_t quantum = least(cc->pacing_bps / 1000, QUANTUM_MAX);
    quantum = most(quantum, 2 * (uint64_t)cc->mss);
    inflight = most(inflight, 3 * quantum);
    inflight = most(inflight, bbr_min_pipe(cc));
    if (b->state == BBR_UP)
        inflight += 2 * (uint64_t)cc->mss;
    return to_window(inflight);
}

uint32_t bbr_inflight_of(const struct cc *cc, const struct bbr *b, uint64_t bw)
{
    return bbr_quantization(cc, b, bbr_bdp_times(b, bw, 100));
}

uint32_t bbr_inflight_with_headroom(const struct cc *cc, const struct bbr *b)
{
    if (b->inflight_hi == BBR_NONE32)
        return BBR_NONE32;
    uint64_t headroom = most(cc->mss, percent(b->inflight_hi, HEADROOM));
    uint64_t left = b->inflight_hi > headroom ? b->inflight_hi - headroom : 0;
    return (uint32_t)most(left, bbr_min_pipe(cc));
}

uint32_t bbr_target_inflight(const struct cc *cc, const struct bbr *b)
{
    return (uint32_t)least(bbr_bdp_times(b, b->bw, 100), cc->cwnd);
}

/* ---- starting over, and going back ---- */

void bbr_reset_full_bw(struct bbr *b, uint64_t baseline)
{
    b->full_bw = baseline;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

void bbr_reset_short_term(struct bbr *b)
{
    b->bw_lo = BBR_NONE64;
    b->inflight_lo = BBR_NONE32;
}

/* 5.6.4.4: the newest window that neither a loss nor ProbeRTT made. */
void bbr_save_cwnd(const struct cc *cc, struct bbr *b)
{
    bool modulated = b->saved || b->after_timeout || b->state == BBR_PROBE_RTT;
    b->prior_cwnd = modulated ? (uint32_t)most(b->prior_cwnd, cc->cwnd) : cc->cwnd;
}

void bbr_restore_cwnd(struct cc *cc, const struct bbr *b)
{
    cc->cwnd = (uint32_t)most(cc->cwnd, b->prior_cwnd);
}

static void save_state(const struct cc *cc, struct bbr *b)
{
    bbr_save_cwnd(cc, b);
    if (b->saved)
        return;
    b->saved = b->can_undo = true;
    b->undo_state = BBR_CRUISE;
    b->undo_bw_lo = b->bw_lo;
    b->undo_inflight_lo = b->inflight_lo;
    b->undo_inflight_hi = b->inflight_hi;
}

void bbr_note_loss(const struct cc *cc, struct bbr *b)
{
    if (!b->loss_in_round) {
        b->loss_round_delivered = b->delivered;
        save_state(cc, b);
    }
    b->loss_in_round = true;
}

/* ---- losses (5.5.10) ---- */

bool bbr_is_inflight_too_high(const struct bbr *b, const struct cc_sample *s)
{
    uint64_t harmed = (uint64_t)s->tx_lost + b->ce_round_bytes;
    return harmed * 100 > (uint64_t)s->tx_flight * LOSS_THRESH;
}

static void count_losses(const struct cc *cc, struct bbr *b, const struct cc_sample *s)
{
    if (s->lost_bytes == 0 && s->ce_bytes == 0)
        return;
    bbr_note_loss(cc, b);
    if (b->losses_in_round < UINT8_MAX)
        b->losses_in_round++;
    b->ce_round_bytes = to_window((uint64_t)b->ce_round_bytes + s->ce_bytes);
}

/* A timer may have found the losses (RFC 8985, 6.2): the ACK after it need not tell of new ones. */
void bbr_take_losses(struct cc *cc, struct bbr *b, const struct bbr_ack *a)
{
    const struct cc_sample *s = a->s;
    count_losses(cc, b, s);
    if (!b->is_probe_sample || !bbr_is_inflight_too_high(b, s))
        return;
    b->probe_too_high = true;
    b->is_probe_sample = false;                 /* one answer for each probe */
    if (!a->limited)
        b->inflight_hi = (uint32_t)most(to_window(s->tx_flight),
                                        percent(bbr_target_inflight(cc, b), BETA));
    if (b->state == BBR_UP) {
        b->undo_state = BBR_UP;
        bbr_start_down(b, s->now);
    }
}

/* Once a round with losses, when not probing: down to what was delivered, by 30 % at most. */
static void adapt_lower_bounds(const struct cc *cc, struct bbr *b)
{
    if (bbr_is_probing(b) || !b->loss_in_round)
        return;
    if (b->bw_lo == BBR_NONE64)
        b->bw_lo = bbr_max_bw(b);
    if (b->inflight_lo == BBR_NONE32)
        b->inflight_lo = cc->cwnd;
    b->bw_lo = most(b->bw_latest, b->bw_lo * BETA / 100);
    b->inflight_lo = (uint32_t)most(b->inflight_latest, percent(b->inflight_lo, BETA));
}

/* ---- the steps of 5.2.3 that measure ---- */

void bbr_update_latest(struct bbr *b, const struct bbr_ack *a)
{
    b->loss_round_start = false;
    b->bw_latest = most(b->bw_latest, a->rate);
    b->inflight_latest = (uint32_t)most(b->inflight_latest, to_window(a->s->rate_bytes));
    if (a->s->delivered_bytes > 0 && a->s->prior_delivered >= b->loss_round_delivered) {
        b->loss_round_delivered = b->delivered;
        b->loss_round_start = true;
    }
}

static void update_round(struct bbr *b, const struct cc_sample *s)
{
    b->round_start = s->delivered_bytes > 0 && s->prior_delivered >= b->round_delivered;
    if (!b->round_start)
        return;
    bbr_start_round(b);
    b->round_count++;
    b->rounds_since_probe++;
}

void bbr_update_congestion(const struct cc *cc, struct bbr *b, const struct bbr_ack *a)
{
    update_round(b, a->s);
    if (a->rate > 0 && (a->rate >= bbr_max_bw(b) || !a->limited))
        b->max_bw[0] = most(b->max_bw[0], a->rate);
    if (!b->loss_round_start)
        return;
    adapt_lower_bounds(cc, b);
    if (!b->loss_in_round && !a->s->in_recovery)
        b->saved = false;
    b->loss_in_round = false;
}

/* 5.5.9: what arrived beyond what bw would have brought. */
void bbr_update_aggregation(const struct cc *cc, struct bbr *b, const struct cc_sample *s)
{
    if (b->round_start && ++b->extra_rounds >= (b->full_bw_reached ? EXTRA_ACKED_ROUNDS : 1)) {
        b->extra_rounds = 0;
        b->extra_acked[1] = b->extra_acked[0];
        b->extra_acked[0] = 0;
    }
    uint64_t expected = bytes_in(b->bw, s->now - b->extra_start);
    if (b->extra_delivered <= expected) {
        b->extra_delivered = 0;
        b->extra_start = s->now;
        expected = 0;
    }
    b->extra_delivered += s->delivered_bytes;
    uint64_t extra = least(b->extra_delivered - expected, cc->cwnd);
    b->extra_acked[0] = (uint32_t)most(b->extra_acked[0], extra);
}

/* 5.3.1.2: three rounds that were no quarter faster. */
void bbr_check_full_bw(struct bbr *b, const struct bbr_ack *a)
{
    if (b->full_bw_now || !b->round_start || a->limited || a->rate == 0)
        return;
    if (a->rate * 4 >= b->full_bw * 5) {
        bbr_reset_full_bw(b, a->rate);
        return;
    }
    b->full_bw_count++;
    b->full_bw_now = b->full_bw_count >= FULL_BW_ROUNDS;
    b->full_bw_reached = b->full_bw_reached || b->full_bw_now;
}

/* 5.3.4.3: the least of five seconds, which ProbeRTT renews, and of ten. */
void bbr_update_min_rtt(struct bbr *b, const struct cc_sample *s)
{
    b->probe_rtt_expired = s->now > time_after(b->probe_rtt_stamp, PROBE_RTT_INTERVAL);
    if (s->rtt_ns > 0 && (s->rtt_ns < b->probe_rtt_min_ns || b->probe_rtt_expired)) {
        b->probe_rtt_min_ns = s->rtt_ns;
        b->probe_rtt_stamp = s->now;
    }
    bool expired = s->now > time_after(b->min_rtt_stamp, MIN_RTT_WINDOW);
    if (b->probe_rtt_min_ns < b->min_rtt_ns || expired) {
        b->min_rtt_ns = b->probe_rtt_min_ns;
        b->min_rtt_stamp = b->probe_rtt_stamp;
    }
}
