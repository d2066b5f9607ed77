/*
 * What is lost, and when to ask (RFC 8985, RACK-TLP).
 *
 * RACK goes by time: something that left after r was delivered, and a round trip and some patience
 * (reo_wnd) have passed since r left, so r is lost. That finds lost retransmissions and lost tails of
 * a flight alike, and it waits for what the network merely put out of order. The records under way
 * stand in order of departure, so a look at the first tells whether there is anything to be found.
 * The patience is nothing as long as the network was never seen to reorder and much else was
 * delivered; else a quarter of the least round trip, and more while D-SACKs say that it was too
 * little.
 *
 * A tail loss probe asks when nothing is heard for two round trips, as the loss of the last segments
 * shows by nothing else: new data if there is some, or the last segment again. What comes back says
 * whether the probe repaired a loss, and that is congestion (7.4).
 *
 * Without RACK, or without SACK, which it needs: IsLost of RFC 6675 (4) on what was SACKed, or three
 * duplicates and partial acknowledgements of RFC 6582.
 *
 * Where RACK's deadlines of many records lie apart (6.2 step 5 takes the latest), the timer fires for
 * some of them at a time: looking at all for each acknowledgement would be a peer's to ask for.
 */
#include "tcp/tcp.h"

#define WAITING_MAX    16               /* records looked at for the timer's deadline */
#define REO_PERSIST    16               /* recoveries for which a longer patience stays (6.2 step 4) */
#define REO_MULT_MAX   64               /* the smoothed round trip bounds it long before */
#define MAX_ACK_DELAY  (200 * NS_PER_MS)        /* TLP.max_ack_delay (7.2) */
#define PTO_UNKNOWN    NS_PER_S

void tcp_rack_init(struct tcp_conn *c)
{
    c->flight->rack = (struct tcp_rack){
        .reo_mult = 1,
        .reo_at = ORIEL_NEVER,
        .tlp_at = ORIEL_NEVER,
        .tlp_fresh = true,
    };
}

static struct tcp_sent *of_time(struct list *n)
{
    return CONTAINER_OF(n, struct tcp_sent, by_time);
}

/* ---- the newest delivered, and how patient to be ---- */

/* 6.2 step 4; one round counts once. A probe's D-SACK says nothing of patience: a timer sent it. */
static void on_dsack(struct tcp_conn *c, struct tcp_rack *k, const struct tcp_acked *a)
{
    if (k->has_dsack_round && seq_leq(k->dsack_round, a->ack))
        k->has_dsack_round = false;
    if (!a->has_dsack || k->has_dsack_round)
        return;
    if (k->tlp_out && seq_eq(a->dsack.right, k->tlp_end))
        return;
    k->has_dsack_round = true;
    k->dsack_round = c->snd.nxt;
    if (k->reo_mult < REO_MULT_MAX)
        k->reo_mult++;
    k->reo_persist = REO_PERSIST;
}

void tcp_rack_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a,
                     const struct tcp_delivered *d)
{
    struct tcp_rack *k = &c->flight->rack;
    if (d->has_newest) {
        bool newer = d->newest_sent_at > k->xmit_at ||
                     (d->newest_sent_at == k->xmit_at && seq_lt(k->end_seq, d->newest_end));
        k->rtt_ns = t->env->now - d->newest_sent_at;
        k->tlp_fresh = true;
        if (newer) {
            k->xmit_at = d->newest_sent_at;
            k->end_seq = d->newest_end;
        }
    }
    k->reordering_seen |= d->reordered;
    if (oriel_unlikely(a->has_dsack || k->has_dsack_round))
        on_dsack(c, k, a);
    if (d->sacked_bytes > 0)
        k->tlp_at = ORIEL_NEVER;        /* 7.2: RACK has something to go by */
}

void tcp_rack_on_recovered(struct tcp_conn *c)
{
    struct tcp_rack *k = &c->flight->rack;
    if (k->reo_persist > 0 && --k->reo_persist == 0)
        k->reo_mult = 1;
}

void tcp_rack_on_spurious(struct tcp_conn *c)
{
    c->flight->rack.reordering_seen = true;
}

static uint64_t reo_window(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    bool evident = f->recov.ca >= ORIEL_CA_RECOVERY || f->sent.sacked_segs >= t->set.dupthresh;
    if (!f->rack.reordering_seen && evident)
        return 0;
    uint64_t wnd = (uint64_t)c->rtt.min_us * NS_PER_US * f->rack.reo_mult / 4;
    uint64_t srtt = tcp_srtt_ns(c);
    return wnd < srtt ? wnd : srtt;
}

/* ---- by time ---- */

/* r left before the newest delivered did. */
static bool is_overtaken(const struct tcp_rack *k, const struct tcp_sent *r)
{
    if (r->sent_at != k->xmit_at)
        return r->sent_at < k->xmit_at;
    return seq_lt(sent_end(r), k->end_seq);
}

/* The loss of a probe of the path's MTU is an answer, not congestion (RFC 4821, 7.6). */
static uint32_t lose(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r, enum why why)
{
    uint32_t counts = (r->flags & SENT_PROBE) ? 0 : r->len;
    tcp_sent_mark_lost(t, c, r, why);
    return counts;
}

/* A round trip takes time, even where the clock does not show it: or what was sent again just now would
 * be lost again with the next acknowledgement, for ever at one moment. */
static uint64_t round_trip(const struct tcp_rack *k)
{
    return k->rtt_ns > NS_PER_US ? k->rtt_ns : NS_PER_US;
}

static uint32_t detect_by_time(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_rack *k = &c->flight->rack;
    struct list *all = &c->flight->sent.by_time;
    struct list *n = list_first(all);
    uint32_t lost = 0;
    k->reo_at = ORIEL_NEVER;
    if (!n || !is_overtaken(k, of_time(n)))
        return 0;
    k->reo_wnd = reo_window(t, c);
    for (unsigned waiting = 0; n && waiting < WAITING_MAX;) {
        struct tcp_sent *r = of_time(n);
        if (!is_overtaken(k, r))
            break;
        oriel_time deadline = r->sent_at + round_trip(k) + k->reo_wnd;
        n = list_next(all, n);
        if (deadline <= t->env->now) {
            lost += lose(t, c, r, WHY_RTX_RACK);
        } else {
            k->reo_at = deadline;
            waiting++;
        }
    }
    return lost;
}

void tcp_rack_on_timer(struct tcp *t, struct tcp_conn *c)
{
    uint32_t lost = detect_by_time(t, c);
    tcp_recovery_on_late(t, c, lost);
}

/* 6.3: what left less than a round trip ago may still be answered. */
bool tcp_rack_is_recent(const struct tcp *t, const struct tcp_conn *c, const struct tcp_sent *r)
{
    const struct tcp_rack *k = &c->flight->rack;
    return k->rtt_ns > 0 && r->sent_at + k->rtt_ns + k->reo_wnd > t->env->now;
}

void tcp_rack_on_congestion(struct tcp_conn *c)
{
    struct tcp_rack *k = &c->flight->rack;
    k->tlp_at = ORIEL_NEVER;
    k->tlp_out = false;
}

/* ---- by duplicates: RFC 5681, 6582 and 6675 ---- */

/* The first segment, unless that is known already. */
static uint32_t lose_first(struct tcp *t, struct tcp_conn *c, enum why why)
{
    struct tcp_sent *r = tcp_sent_first(c);
    if (!r || (r->flags & (SENT_SACKED | SENT_LOST | SENT_RESENT)))
        return 0;
    uint32_t n = (uint32_t)r->seg - r->skew;
    bool only_fin = (r->flags & SENT_FIN) && r->len == n + 1;
    if (n < r->len && !only_fin && !tcp_sent_split(t, c, r, n))
        n = r->len;             /* no record left: all of it then */
    return lose(t, c, r, why);
}

/*
 * IsLost (RFC 6675, 4): so many pieces, or more than so many segments but one, are SACKED above.
 * The sequence number below which that holds; `from` where it does nowhere.
 */
static seq_t lost_below(const struct tcp *t, const struct tcp_conn *c, seq_t from)
{
    uint64_t enough = (uint64_t)(t->set.dupthresh - 1) * c->snd.mss;
    uint64_t bytes = 0;
    uint32_t pieces = 0;
    for (struct seqnode *n = c->flight->sent.sacked.last; n; n = seqtree_prev(n)) {
        bytes += CONTAINER_OF(n, struct tcp_sent, alt)->len;
        if (++pieces >= t->set.dupthresh || bytes > enough)
            return n->key;
    }
    return from;
}

static uint32_t detect_by_sack(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    seq_t from = tcp_recovery_judged(c);
    seq_t to = lost_below(t, c, from);
    uint32_t lost = 0;
    struct seqnode *n = seq_lt(from, to) ? seqtree_floor(&f->sent.tree, from) : NULL;
    for (; n && seq_lt(n->key, to); n = seqtree_next(n)) {
        struct tcp_sent *r = CONTAINER_OF(n, struct tcp_sent, node);
        if (!(r->flags & (SENT_SACKED | SENT_LOST | SENT_RESENT)))
            lost += lose(t, c, r, WHY_RTX_DUPACK);
    }
    if (seq_lt(from, to))
        tcp_recovery_on_judged(c, to);
    if (lost == 0 && f->recov.ca < ORIEL_CA_RECOVERY && f->recov.dups >= t->set.dupthresh)
        lost = lose_first(t, c, WHY_RTX_DUPACK);
    return lost;
}

/* RFC 6582, 3.2: the third duplicate, and each partial acknowledgement after it. */
static uint32_t detect_by_duplicates(struct tcp *t, struct tcp_conn *c, const struct tcp_delivered *d)
{
    const struct tcp_recov *r = &c->flight->recov;
    if (r->ca == ORIEL_CA_RECOVERY)
        return d->acked_bytes > 0 ? lose_first(t, c, WHY_RTX_PARTIAL) : 0;
    if (r->ca == ORIEL_CA_LOSS || r->dups < t->set.dupthresh || r->has_point)
        return 0;
    return lose_first(t, c, WHY_RTX_DUPACK);
}

uint32_t tcp_rack_detect(struct tcp *t, struct tcp_conn *c, const struct tcp_delivered *d)
{
    if (oriel_likely(tcp_rack_in_use(t, c)))
        return detect_by_time(t, c);
    return (c->is & TCP_IS_SACK) ? detect_by_sack(t, c) : detect_by_duplicates(t, c, d);
}

/* ---- tail loss probes ---- */

oriel_time tcp_tlp_deadline(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    const struct tcp_rack *k = &f->rack;
    bool calm = f->recov.ca == ORIEL_CA_OPEN || f->recov.ca == ORIEL_CA_CWR;
    uint32_t out = f->sent.out_bytes;
    if (out == 0 || !calm || (f->sent.sacked_bytes | f->sent.lost_bytes) != 0)
        return ORIEL_NEVER;
    if (k->tlp_out || !k->tlp_fresh || !tcp_rack_in_use(t, c))
        return ORIEL_NEVER;
    uint64_t pto = 2 * tcp_srtt_ns(c);
    if (oriel_unlikely(pto == 0))
        pto = PTO_UNKNOWN;
    else if (out <= c->snd.mss)
        pto += MAX_ACK_DELAY;
    oriel_time at = t->env->now + pto;
    return at < c->timer.rtx_at ? at : c->timer.rtx_at;
}

struct tcp_sent *tcp_tlp_record(const struct tcp_conn *c)
{
    struct tcp_sent *r = tcp_sent_last(c);
    return r && !(r->flags & (SENT_SACKED | SENT_LOST)) ? r : NULL;
}

void tcp_tlp_on_sent(struct tcp *t, struct tcp_conn *c, bool resent)
{
    struct tcp_rack *k = &c->flight->rack;
    (void)t;
    k->tlp_out = true;
    k->tlp_is_rtx = resent;
    k->tlp_end = c->snd.nxt;
    k->tlp_fresh = false;
    k->tlp_at = ORIEL_NEVER;
}

/* 7.4.2. An ACK of just the probe may be for the first transmission or for the probe: the next
 * one tells, by a D-SACK, by a duplicate or by acknowledging more. */
enum tcp_tlp_verdict tcp_tlp_on_ack(struct tcp_conn *c, const struct tcp_acked *a,
                                    const struct tcp_delivered *d)
{
    struct tcp_rack *k = &c->flight->rack;
    if (oriel_likely(!k->tlp_out) || seq_lt(a->ack, k->tlp_end))
        return TLP_NOTHING;
    bool repeated = a->has_dsack && seq_eq(a->dsack.right, k->tlp_end);
    bool beyond = seq_lt(k->tlp_end, a->ack);
    bool both_came = a->dup && a->sack_n == 0 && !a->has_dsack && d->bytes == 0;
    if (!k->tlp_is_rtx || repeated || beyond || both_came)
        k->tlp_out = false;
    return k->tlp_is_rtx && beyond && !repeated ? TLP_REPAIRED : TLP_NOTHING;
}
