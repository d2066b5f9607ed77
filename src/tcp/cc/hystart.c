/*
 * HyStart++ (RFC 9406): leaving slow start before it overflows the queue.
 *
 * A queue that fills makes round trips longer. Each round (until what was under way at its
 * beginning is acknowledged) has a least round-trip time; when that of this round is an eighth
 * above that of the round before, slow start goes on at a quarter of its speed. Five such rounds
 * and it is over, unless the round-trip time falls below what it was when they began: then it was
 * jitter, and slow start resumes.
 *
 * Rounds go on while the application has little to send, as the samples are good all the same; only
 * growth waits (cc_grow).
 */
#include "tcp/cc/cc.h"

#define N_RTT_SAMPLE       8            /* the constants of RFC 9406, 4.3 */
#define MIN_RTT_THRESH     (4 * NS_PER_MS)
#define MAX_RTT_THRESH     (16 * NS_PER_MS)
#define MIN_RTT_DIVISOR    8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS         5
#define L_UNPACED          8

static uint64_t rtt_thresh(uint64_t rtt_ns)
{
    uint64_t eighth = rtt_ns / MIN_RTT_DIVISOR;
    if (eighth < MIN_RTT_THRESH)
        return MIN_RTT_THRESH;
    return eighth > MAX_RTT_THRESH ? MAX_RTT_THRESH : eighth;
}

static void round_begin(struct hystart *h, seq_t nxt)
{
    h->last_min_rtt_ns = h->min_rtt_ns;
    h->min_rtt_ns = 0;
    h->samples = 0;
    h->window_end = nxt;
    h->started = true;
}

static void take_sample(struct hystart *h, uint64_t rtt_ns)
{
    if (rtt_ns == 0)
        return;
    if (h->min_rtt_ns == 0 || rtt_ns < h->min_rtt_ns)
        h->min_rtt_ns = rtt_ns;
    if (h->samples < N_RTT_SAMPLE)
        h->samples++;
}

/* Into conservative slow start when the round is slower than the last; out when it is faster than
 * the first conservative one. */
static void judge(struct hystart *h)
{
    if (h->samples < N_RTT_SAMPLE)
        return;
    if (h->in_css) {
        if (h->min_rtt_ns < h->base_rtt_ns)
            h->in_css = false;
        return;
    }
    if (h->last_min_rtt_ns == 0)
        return;
    if (h->min_rtt_ns < h->last_min_rtt_ns + rtt_thresh(h->last_min_rtt_ns))
        return;
    h->in_css = true;
    h->css_rounds = 0;
    h->base_rtt_ns = h->min_rtt_ns;
}

static void round_end(struct hystart *h, struct cc *cc, seq_t nxt)
{
    if (h->in_css && ++h->css_rounds >= CSS_ROUNDS)
        cc->ssthresh = cc->cwnd;
    round_begin(h, nxt);
}

uint32_t hystart_on_ack(struct hystart *h, struct cc *cc, const struct cc_sample *s)
{
    if (!h->started)
        round_begin(h, s->nxt);
    take_sample(h, s->rtt_ns);
    judge(h);
    uint64_t grow = s->acked_bytes;
    uint64_t limit = (uint64_t)L_UNPACED * cc->mss;
    if (cc->pacing_bps == CC_UNPACED && grow > limit)
        grow = limit;
    if (h->in_css)
        grow /= CSS_GROWTH_DIVISOR;
    if (seq_leq(h->window_end, s->una))
        round_end(h, cc, s->nxt);
    return (uint32_t)grow;
}
