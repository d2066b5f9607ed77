/*
 * BBR's own contract: its state, and what bbr.c, bbr_model.c and bbr_probe.c ask of each other.
 *
 * bbr.c takes the facts and sets pacing rate and window; bbr_model.c keeps the model of the path,
 * bbr_probe.c the cycle of states that probes it. Rates are bytes a second; "none yet" is the
 * largest number. Sections are those of draft-ietf-ccwg-bbr-06.
 */
#ifndef ORIEL_TCP_CC_BBR_H
#define ORIEL_TCP_CC_BBR_H

#include "tcp/cc/cc.h"

#include "base/compiler.h"

#define BBR_BW_MAX   ((uint64_t)1 << 37)
#define BBR_NONE32   UINT32_MAX
#define BBR_NONE64   UINT64_MAX
#define BBR_MIN_PIPE 4          /* segments */

enum bbr_state {
    BBR_STARTUP,
    BBR_DRAIN,
    BBR_DOWN,                   /* from here to UP: ProbeBW */
    BBR_CRUISE,
    BBR_REFILL,
    BBR_UP,
    BBR_PROBE_RTT,
};

struct bbr_gain {
    uint16_t pacing, cwnd;      /* hundredths (5.6.1) */
};

/* Of which phase of probing the ACKs that arrive now tell. */
enum bbr_acks {
    BBR_ACKS_INIT,
    BBR_ACKS_REFILLING,
    BBR_ACKS_PROBE_STARTING,
    BBR_ACKS_PROBE_FEEDBACK,
    BBR_ACKS_PROBE_STOPPING,
};

struct bbr {
    /* the path */
    uint64_t max_bw[2];         /* this cycle's and the last's */
    uint64_t bw;                /* what is paced by: max_bw, bw_lo at most */
    uint64_t bw_lo, bw_latest;
    uint64_t min_rtt_ns, probe_rtt_min_ns;
    oriel_time min_rtt_stamp, probe_rtt_stamp;
    uint32_t inflight_hi, inflight_lo, inflight_latest;
    uint32_t extra_acked[2];

    /* rounds: from the sending of a segment to its acknowledgement */
    uint64_t round_delivered;   /* the round ends when what was sent after this arrives */
    uint64_t loss_round_delivered;
    uint64_t limited_until;     /* samples of what was sent before this are low on purpose */
    uint32_t round_count, rounds_since_probe, drain_start_round;

    /* measurements under way */
    uint64_t full_bw;
    uint64_t extra_delivered;
    uint64_t delivered;         /* delivered_total of the newest ACK */
    oriel_time extra_start;
    oriel_time cycle_stamp;     /* DOWN began */
    uint64_t probe_wait_ns;
    oriel_time probe_rtt_done;  /* 0: inflight is not low enough yet */
    uint32_t up_acked, up_acked_per_inc;
    uint32_t ce_round_bytes;    /* marked in this round */
    uint32_t initial_cwnd;
    uint32_t prior_cwnd;        /* the last one without a loss, outside ProbeRTT */
    uint32_t dice;

    /* what a loss that was none takes back */
    uint64_t undo_bw_lo;
    uint32_t undo_inflight_lo, undo_inflight_hi;
    uint8_t undo_state;         /* BBR_STARTUP or BBR_UP was left for it; BBR_CRUISE: neither */

    uint8_t state;              /* enum bbr_state */
    uint8_t ack_phase;          /* enum bbr_acks */
    uint8_t full_bw_count;
    uint8_t up_rounds;
    uint8_t losses_in_round;
    uint8_t extra_rounds;
    bool started;
    bool has_seen_rtt;
    bool round_start, loss_round_start;
    bool loss_in_round;
    bool saved;                 /* the undo_ fields are of this recovery */
    bool can_undo;
    bool full_bw_now, full_bw_reached;
    bool is_probe_sample;
    bool probe_too_high, probe_precautionary;
    bool idle_restart;
    bool after_timeout;
    bool probe_rtt_expired, probe_rtt_round_done;
};

static_assert(sizeof(struct bbr) <= CC_PRIV_BYTES, "BBR's state has room");

struct bbr_ack {                /* a sample, with what is computed from it once */
    const struct cc_sample *s;
    uint64_t rate;              /* 0: none */
    bool limited;               /* by the application, or on purpose */
};

extern const struct bbr_gain bbr_gains[];

static inline uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint32_t to_window(uint64_t bytes)
{
    return (uint32_t)least(bytes, CC_CWND_MAX);
}

static inline uint32_t percent(uint32_t bytes, unsigned of_hundred)
{
    return (uint32_t)((uint64_t)bytes * of_hundred / 100);
}

static inline uint32_t bbr_min_pipe(const struct cc *cc)
{
    return BBR_MIN_PIPE * (uint32_t)cc->mss;
}

static inline bool bbr_is_probe_bw(const struct bbr *b)
{
    return b->state >= BBR_DOWN && b->state <= BBR_UP;
}

static inline bool bbr_is_probing(const struct bbr *b)
{
    return b->state == BBR_STARTUP || b->state == BBR_REFILL || b->state == BBR_UP;
}

static inline void bbr_start_round(struct bbr *b)
{
    b->round_delivered = b->delivered;
}

/* ---- the model: bbr_model.c ---- */

uint64_t bbr_rate_of(const struct cc_sample *s);        /* 0: no sample */
uint64_t bbr_max_bw(const struct bbr *b);
uint32_t bbr_bdp_times(const struct bbr *b, uint64_t bw, unsigned gain);        /* hundredths */

/* What has to be under way that nobody waits: so much, or what leaves and arrives in one piece. */
uint32_t bbr_quantization(const struct cc *cc, const struct bbr *b, uint64_t inflight);
uint32_t bbr_inflight_of(const struct cc *cc, const struct bbr *b, uint64_t bw);    /* of 1 BDP */
uint32_t bbr_inflight_with_headroom(const struct cc *cc, const struct bbr *b);
uint32_t bbr_target_inflight(const struct cc *cc, const struct bbr *b);

void bbr_reset_full_bw(struct bbr *b, uint64_t baseline);
void bbr_reset_short_term(struct bbr *b);
void bbr_save_cwnd(const struct cc *cc, struct bbr *b);
void bbr_restore_cwnd(struct cc *cc, const struct bbr *b);

/* The first loss of a round; of a recovery: what on_undo goes back to is kept. */
void bbr_note_loss(const struct cc *cc, struct bbr *b);
bool bbr_is_inflight_too_high(const struct bbr *b, const struct cc_sample *s);

/* Steps of 5.2.3. */
void bbr_take_losses(struct cc *cc, struct bbr *b, const struct bbr_ack *a);
void bbr_update_latest(struct bbr *b, const struct bbr_ack *a);
void bbr_update_congestion(const struct cc *cc, struct bbr *b, const struct bbr_ack *a);
void bbr_update_aggregation(const struct cc *cc, struct bbr *b, const struct cc_sample *s);
void bbr_check_full_bw(struct bbr *b, const struct bbr_ack *a);
void bbr_update_min_rtt(struct bbr *b, const struct cc_sample *s);

/* ---- the cycle: bbr_probe.c ---- */

void bbr_start_down(struct bbr *b, oriel_time now);
void bbr_start_refill(struct bbr *b);
uint32_t bbr_probe_rtt_cwnd(const struct cc *cc, const struct bbr *b);
void bbr_check_probe_rtt_done(struct cc *cc, struct bbr *b, oriel_time now);

/* Steps of 5.2.3. */
void bbr_update_cycle(const struct cc *cc, struct bbr *b, const struct bbr_ack *a);
void bbr_check_probe_rtt(struct cc *cc, struct bbr *b, const struct cc_sample *s);

#endif
