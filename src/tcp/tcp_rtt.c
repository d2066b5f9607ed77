/*
 * Round trips and the retransmission timeout (RFC 6298), and timestamps (RFC 7323).
 *
 * SRTT is kept in eighths of a microsecond and RTTVAR in quarters, so that the gains of RFC 6298
 * (1/8 and 1/4) are shifts and nothing is lost to rounding. Whoever calls tcp_rtt_sample has seen
 * to it that the sample is of something sent once, or told by a timestamp (Karn).
 *
 * The floor of the timeout is a setting: RFC 6298, 2.4 says one second, which is far above any
 * round trip that a delayed acknowledgement makes; others use 200 ms, and so do we unless told
 * otherwise.
 */
#include "tcp/tcp.h"

#define SAMPLE_MAX_US   (1u << 28)      /* 268 s: eight of them fit the field */
#define MIN_WINDOW_MS   10000           /* the least round trip is that of the last ten seconds */
#define BACKOFF_MAX     16
#define SYN_LOST_RTO_US 3000000         /* RFC 6298, 5.7 */
#define CLOCK_US        1               /* G: our clock is finer, timers are exact */

void tcp_rtt_init(const struct tcp *t, struct tcp_conn *c)
{
    memset(&c->rtt, 0, sizeof(c->rtt));
    c->rtt.rto_us = (uint32_t)(t->set.rto_init / NS_PER_US);
}

static uint32_t at_most_us(uint64_t us, uint64_t max_ns)
{
    return us > max_ns / NS_PER_US ? (uint32_t)(max_ns / NS_PER_US) : (uint32_t)us;
}

/*
 * What stands on top of SRTT at least. Where the round trip is long and steady RTTVAR goes to
 * nothing, and a timeout a moment behind SRTT would strike whenever a queue grows. Linux has its
 * whole floor there, we half of it; to the letter it is the clock's granularity.
 */
static uint64_t slack_us(const struct tcp *t)
{
    uint64_t floor_us = t->set.rto_min / NS_PER_US;
    switch (t->set.personality) {
    case ORIEL_AS_LINUX:   return floor_us;
    case ORIEL_AS_ORIEL:   return floor_us / 2;
    case ORIEL_AS_RFC:
    case ORIEL_AS_FREEBSD: break;
    }
    return CLOCK_US;
}

/* RFC 6298, 2.2 to 2.5. */
static void set_rto(const struct tcp *t, struct tcp_conn *c)
{
    uint64_t floor_us = t->set.rto_min / NS_PER_US, var = slack_us(t);
    if (c->rtt.rttvar_us4 > var)
        var = c->rtt.rttvar_us4;                /* 4 * RTTVAR */
    uint64_t us = c->rtt.srtt_us8 / 8 + var;
    c->rtt.rto_us = at_most_us(us < floor_us ? floor_us : us, t->set.rto_max);
}

static void smooth(struct tcp_conn *c, uint32_t us)
{
    if (c->rtt.srtt_us8 == 0) {
        c->rtt.srtt_us8 = us * 8;
        c->rtt.rttvar_us4 = us * 2;             /* R/2 */
        return;
    }
    uint32_t r8 = us * 8, s8 = c->rtt.srtt_us8;
    uint32_t off = (r8 > s8 ? r8 - s8 : s8 - r8) / 8;
    /* RTTVAR first: it wants the SRTT from before. */
    c->rtt.rttvar_us4 = c->rtt.rttvar_us4 - c->rtt.rttvar_us4 / 4 + off;
    c->rtt.srtt_us8 = s8 - s8 / 8 + us;
}

/* The least round trip of late, as RACK wants it (RFC 8985, 4): an old one is not believed for
 * ever. */
static void note_least(const struct tcp *t, struct tcp_conn *c, uint32_t us)
{
    uint32_t now_ms = (uint32_t)(t->env->now / NS_PER_MS);
    if (c->rtt.min_us != 0 && us > c->rtt.min_us && now_ms - c->rtt.min_at_ms <= MIN_WINDOW_MS)
        return;
    c->rtt.min_us = us;
    c->rtt.min_at_ms = now_ms;
}

void tcp_rtt_sample(struct tcp *t, struct tcp_conn *c, uint64_t rtt_ns)
{
    uint64_t rounded = (rtt_ns + NS_PER_US / 2) / NS_PER_US;
    uint32_t us = rounded > SAMPLE_MAX_US ? SAMPLE_MAX_US : rounded == 0 ? 1 : (uint32_t)rounded;
    smooth(c, us);
    set_rto(t, c);
    note_least(t, c, us);
    TRACE(t->env, EV_TCP_RTT, tcp_conn_id(t, c), us * NS_PER_US, tcp_srtt_ns(c),
          c->rtt.rto_us * NS_PER_US);
}

/*
 * RFC 6298, 5.7: a SYN that was lost says that the initial timeout was perhaps too short; until the first
 * round trip is known, three seconds.
 */
uint64_t tcp_rto_unknown(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t us = c->rtt.rto_us;
    if ((c->is & TCP_IS_SYN_LOST) && c->state >= TCP_ESTABLISHED && !t->set.linux_syn_rto &&
        us < SYN_LOST_RTO_US)
        us = SYN_LOST_RTO_US;
    uint64_t ns = us * NS_PER_US << c->rtt.backoff;
    return ns > t->set.rto_max ? t->set.rto_max : ns;
}

void tcp_rtt_on_timeout(struct tcp *t, struct tcp_conn *c)
{
    (void)t;
    if (c->rtt.backoff < BACKOFF_MAX)
        c->rtt.backoff++;       /* RFC 6298, 5.5 */
    if (c->rtt.rtx_n < UINT8_MAX)
        c->rtt.rtx_n++;
}

void tcp_rtt_on_progress(struct tcp_conn *c)
{
    c->rtt.backoff = 0;
    c->rtt.rtx_n = 0;
}

/* ---- timestamps ---- */

static uint32_t now_s(const struct tcp *t)
{
    return (uint32_t)(t->env->now / NS_PER_S);
}

uint32_t tcp_ts_now(const struct tcp *t, const struct tcp_conn *c)
{
    return (uint32_t)(t->env->now / TCP_TS_TICK_NS) + c->ts_off;
}

/* RFC 7323, 5.5: after 24 days without a word the peer's clock may have gone half round. */
static bool too_long_ago(const struct tcp *t, const struct tcp_conn *c)
{
    return (uint64_t)(now_s(t) - c->ts_recent_s) * NS_PER_S > TCP_PAWS_IDLE_NS;
}

static bool is_older(uint32_t ts, uint32_t than)
{
    return seq_lt(seq_of(ts), seq_of(than));
}

bool tcp_paws_old(const struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *g)
{
    if (oriel_likely(!g->opts.has_ts || !is_older(g->opts.ts_val, c->rcv.ts_recent)))
        return false;
    if (!(c->is & TCP_IS_TS) || (g->flags & TCP_RST))
        return false;           /* RFC 7323, 5.2: a reset is not judged by its timestamp */
    return !too_long_ago(t, c);
}

/* RFC 7323, 4.3: of what covers the last acknowledged number, so that a delayed acknowledgement
 * echoes the earliest segment, and one of a hole the segment that fills it. */
void tcp_ts_on_segment(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    if (!(c->is & TCP_IS_TS) || !g->opts.has_ts || !seq_leq(g->seq, c->rcv.acked))
        return;
    if (is_older(g->opts.ts_val, c->rcv.ts_recent) && !too_long_ago(t, c))
        return;
    c->rcv.ts_recent = g->opts.ts_val;
    c->ts_recent_s = now_s(t);
}
