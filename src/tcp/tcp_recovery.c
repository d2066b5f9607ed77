/*
 * Recovery: what an acknowledgement means for the connection as a whole.
 *
 *                 SACKs, duplicates            something is lost
 *       OPEN <---------------------> DISORDER ------------------> RECOVERY --+
 *        | ^                                                        | ^      | all that was under way
 *  marks | | a round later                                 timeout  | |      | is acknowledged, or
 *        v |                                                        v |      | it was a mistake
 *        CWR                                      (from any) ----> LOSS -----+--> OPEN
 *
 * Every acknowledgement (but those of which tcp_plain.c knows better) takes one way: scoreboard, round trip, RACK; then what the state makes of it
 * (undo, end of recovery); then what is newly lost (beginning of recovery, reduction); then Proportional
 * Rate Reduction (RFC 9937), congestion control, and what is wanted and when.
 *
 * After a timeout RACK leaves alone what left less than a round trip ago (RFC 8985, 6.3).
 */
#include "tcp/tcp.h"

/* One acknowledgement on its way through. */
struct ack_way {
    const struct tcp_acked *a;
    struct tcp_delivered d;
    uint32_t pipe;              /* before it */
    uint32_t out_bytes;         /* before it */
    uint32_t cwnd, ssthresh;    /* before it */
    uint64_t rtt_ns;            /* newest sample; 0: none */
    uint32_t lost;              /* newly found, of what means congestion */
    bool advanced;
    bool was_held;              /* cwnd was PRR's, or was just reduced by marks */
    bool undone;
    bool restart_rto;
};

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Whole segments of n units, the last one begun. */
static uint32_t segs_in(const struct tcp_conn *c, uint32_t n)
{
    return (n + c->snd.mss - 1) / c->snd.mss;
}

static const struct cc_ops *ops_of(const struct tcp_flight *f)
{
    return cc_ops_of((enum cc_kind)f->cc.kind);
}

static void set_ca(struct tcp *t, struct tcp_conn *c, enum oriel_tcp_ca to)
{
    struct tcp_recov *r = &c->flight->recov;
    if (r->ca == to)
        return;
    TRACE(t->env, EV_TCP_RECOVERY, tcp_conn_id(t, c), r->ca, to, r->point.v);
    r->ca = (uint8_t)to;
}

void tcp_recovery_init(struct tcp_conn *c)
{
    c->flight->recov = (struct tcp_recov){.ca = ORIEL_CA_OPEN, .judged = c->snd.una};
}

unsigned tcp_recovery_state(const struct tcp_conn *c)
{
    return c->flight ? c->flight->recov.ca : ORIEL_CA_OPEN;
}

seq_t tcp_recovery_judged(const struct tcp_conn *c)
{
    return c->flight->recov.judged;
}

void tcp_recovery_on_judged(struct tcp_conn *c, seq_t to)
{
    c->flight->recov.judged = to;
}

/* ---- reductions ---- */

/* RFC 5681, 3.1: FlightSize is what is outstanding, without what limited transmit added. */
static uint32_t flight_size(const struct tcp_flight *f, uint32_t out_bytes)
{
    return smaller(out_bytes, f->cc.cwnd);
}

/* Whatever reduced the window: the peer is told, and marks of this round are answered (RFC 3168, 6.1.2). */
static void note_reduction(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_recov *r = &c->flight->recov;
    r->reduced_at = t->env->now;
    r->has_cwr_end = true;
    r->cwr_end = c->snd.nxt;
    if (c->is & TCP_IS_ECN)
        c->is |= TCP_IS_CWR;
}

/* Something is lost: RFC 6675, 5 (4). Marks of this round have brought the window down already. */
static void enter_recovery(struct tcp *t, struct tcp_conn *c, const struct ack_way *w)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    if (r->ca != ORIEL_CA_CWR) {
        ops_of(f)->on_loss(&f->cc, CC_LOSS_FAST, flight_size(f, w->out_bytes), t->env->now);
        note_reduction(t, c);
        tcp_undo_allow(c, w->a ? w->a->ack : c->snd.una);
    }
    r->point = c->snd.nxt;
    r->has_point = true;
    r->has_partial = r->has_rescued = false;
    tcp_rack_on_congestion(c);
    tcp_prr_start(c, w->d.bytes);
    set_ca(t, c, ORIEL_CA_RECOVERY);
}

/*
 * RFC 5681, 4.3: a retransmission was lost, or what was sent since the reduction: another loss, in
 * another window, that recovery is now about. It also shows that there was one before.
 */
static void reduce_again(struct tcp *t, struct tcp_conn *c, const struct ack_way *w)
{
    struct tcp_flight *f = c->flight;
    ops_of(f)->on_loss(&f->cc, CC_LOSS_FAST, smaller(w->pipe, f->cc.cwnd), t->env->now);
    note_reduction(t, c);
    f->recov.undo = false;
    f->recov.point = c->snd.nxt;
    if (f->recov.ca == ORIEL_CA_RECOVERY)
        tcp_prr_start(c, w->d.bytes);
    else if (!ops_of(f)->own_recovery)
        f->cc.cwnd = smaller(f->cc.cwnd, f->cc.ssthresh);
}

static void on_lost(struct tcp *t, struct tcp_conn *c, const struct ack_way *w)
{
    const struct tcp_flight *f = c->flight;
    if (f->recov.ca < ORIEL_CA_RECOVERY)
        enter_recovery(t, c, w);
    else if (f->sent.lost_sent_at >= f->recov.reduced_at)
        reduce_again(t, c, w);
}

/* The only trace of a lost tail was that a probe repaired it (RFC 8985, 7.4.2). */
static void on_repaired(struct tcp *t, struct tcp_conn *c, struct ack_way *w)
{
    struct tcp_flight *f = c->flight;
    if (f->recov.ca > ORIEL_CA_DISORDER)
        return;
    ops_of(f)->on_loss(&f->cc, CC_LOSS_FAST, flight_size(f, w->out_bytes), t->env->now);
    note_reduction(t, c);
    f->recov.undo = false;
    w->was_held = true;                 /* and does not grow by this ACK */
    if (!ops_of(f)->own_recovery)
        f->cc.cwnd = smaller(f->cc.cwnd, f->cc.ssthresh);
}

/* RFC 3168, 6.1.2: once a round, unless a loss in it was answered. */
static void on_marks(struct tcp *t, struct tcp_conn *c, struct ack_way *w)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    if (r->ca >= ORIEL_CA_RECOVERY || r->has_cwr_end)
        return;
    w->restart_rto = f->cc.cwnd <= f->cc.mss;   /* no smaller window is there: slower then */
    ops_of(f)->on_loss(&f->cc, CC_LOSS_ECN, flight_size(f, w->out_bytes), t->env->now);
    note_reduction(t, c);
    r->undo = false;
    set_ca(t, c, ORIEL_CA_CWR);
}

/* ---- ends of recovery ---- */

static void end_recovery(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    if (tcp_prr_rules(f))
        f->cc.cwnd = f->cc.ssthresh;          /* RFC 9937, 6.4 */
    r->quota = r->forced = 0;
    r->frto = FRTO_OFF;
    r->undo_end = c->snd.nxt;
    ops_of(f)->on_recovered(&f->cc, t->env->now);
    tcp_rack_on_recovered(c);
    set_ca(t, c, ORIEL_CA_OPEN);
}

/* Nothing was lost. What is still to be sent again is under way. */
static void undo(struct tcp *t, struct tcp_conn *c, struct ack_way *w, enum tcp_undo how)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    bool recovering = r->ca >= ORIEL_CA_RECOVERY;
    ops_of(f)->on_undo(&f->cc, t->env->now);
    w->undone = true;
    r->undo = false;
    if (r->ca == ORIEL_CA_RECOVERY)
        tcp_rack_on_spurious(c);
    if (recovering) {
        tcp_sent_unmark_lost(c);
        r->quota = r->forced = 0;
        r->frto = FRTO_OFF;
        r->has_point = false;
        w->restart_rto = true;          /* RFC 4015, 3.3: what is under way gets its time */
        set_ca(t, c, ORIEL_CA_OPEN);
    }
    TRACE(t->env, EV_TCP_UNDO, tcp_conn_id(t, c), how, f->cc.cwnd);
}

/* ---- what each state makes of an acknowledgement ---- */

/* What was done in a round that is over is forgotten; D-SACKs of its retransmissions may still come. */
static void forget_rounds(struct tcp_conn *c, seq_t ack)
{
    struct tcp_recov *r = &c->flight->recov;
    if (r->has_cwr_end && seq_lt(r->cwr_end, ack))
        r->has_cwr_end = false;
    if (r->has_point && r->ca < ORIEL_CA_RECOVERY && seq_lt(r->point, ack))
        r->has_point = false;
    if (r->undo && r->ca < ORIEL_CA_RECOVERY && seq_lt(r->undo_end, ack))
        r->undo = false;
}

static void by_state(struct tcp *t, struct tcp_conn *c, struct ack_way *w)
{
    const struct tcp_flight *f = c->flight;
    const struct tcp_recov *r = &f->recov;
    enum tcp_undo how = tcp_undo_judge(c, w->a, &w->d);
    if (oriel_unlikely(how != UNDO_NOTHING)) {
        undo(t, c, w, how);
        return;
    }
    switch ((enum oriel_tcp_ca)r->ca) {
    case ORIEL_CA_LOSS:
    case ORIEL_CA_RECOVERY:
        if (seq_leq(r->point, w->a->ack))
            end_recovery(t, c);
        break;
    case ORIEL_CA_CWR:                  /* until the CWR flag was acknowledged */
        if (!r->has_cwr_end || f->sent.out_bytes == 0)
            set_ca(t, c, ORIEL_CA_OPEN);
        break;
    case ORIEL_CA_OPEN:
    case ORIEL_CA_DISORDER:
        break;
    }
}

static void open_or_disorder(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    if (f->recov.ca > ORIEL_CA_DISORDER)
        return;
    bool odd = f->sent.sacked_bytes > 0 || f->recov.dups > 0;
    set_ca(t, c, odd ? ORIEL_CA_DISORDER : ORIEL_CA_OPEN);
}

/* ---- pieces of the way ---- */

/* Is it one of those that three make a loss of? With SACK it must tell something (RFC 6675, 2). */
static void count_duplicates(struct tcp *t, struct tcp_conn *c, struct ack_way *w)
{
    struct tcp_recov *r = &c->flight->recov;
    bool sack = (c->is & TCP_IS_SACK) != 0;
    if (w->advanced) {
        r->dups = 0;
        return;
    }
    if (sack ? w->d.sacked_bytes == 0 : !w->a->dup)
        return;
    if (r->dups < UINT16_MAX)
        r->dups++;
    bool of_given_up = r->ca == ORIEL_CA_LOSS && seq_leq(c->snd.nxt, r->point);
    if (!sack && !of_given_up)
        tcp_sent_on_duplicate(t, c, &w->d);
}

/* Did the segments that are told of wait for something else, so that their age is no round trip? A
 * duplicate's arrival tells what an acknowledgement told that was lost; a SACK after a timeout too. */
static bool is_late_news(const struct tcp_conn *c, const struct ack_way *w)
{
    return w->a->has_dsack || (!w->advanced && c->flight->recov.ca == ORIEL_CA_LOSS);
}

/*
 * Karn's rule (RFC 6298, 3): what was sent once, and did not wait to be acknowledged until a hole
 * before it was filled; else by timestamps (RFC 7323, 4), which are coarser. The oldest of an
 * acknowledgement counts for the timeout, since a delayed ACK has made it wait; the newest tells the
 * path's delay, and is what a SACK is sent for.
 */
static void round_trip(struct tcp *t, struct tcp_conn *c, struct ack_way *w)
{
    oriel_time now = t->env->now;
    if (is_late_news(c, w))
        return;
    if (w->d.has_lowest && !w->d.resent_acked) {
        w->rtt_ns = now - w->d.rtt_sent_at;
        tcp_rtt_sample(t, c, w->advanced ? now - w->d.rtt_first_at : w->rtt_ns);
        return;
    }
    if (!w->advanced || !w->a->has_ts || !(c->is & TCP_IS_TS) || w->a->ts_ecr == 0)
        return;
    uint32_t ticks = tcp_ts_now(t, c) - w->a->ts_ecr;
    if (ticks > INT32_MAX)
        return;                 /* from the future */
    w->rtt_ns = (ticks > 0 ? ticks : 1) * TCP_TS_TICK_NS;
    tcp_rtt_sample(t, c, w->rtt_ns);
}

static void tell_cc(struct tcp *t, struct tcp_conn *c, const struct ack_way *w)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    bool held = w->was_held || r->ca == ORIEL_CA_RECOVERY || r->ca == ORIEL_CA_CWR;
    bool marked = w->a->ece && (c->is & TCP_IS_ECN);
    struct cc_sample s = {
        .now = t->env->now,
        .acked_bytes = w->d.acked_bytes,
        .delivered_bytes = w->d.bytes,
        .lost_bytes = w->lost,
        .flight_before = w->pipe,
        .flight = scoreboard_pipe(&f->sent),
        .rtt_ns = w->rtt_ns,
        .srtt_ns = tcp_srtt_ns(c),
        .min_rtt_ns = (uint64_t)c->rtt.min_us * NS_PER_US,
        .ce_bytes = marked ? w->d.bytes : w->a->ce_bytes,
        .cwnd_limited = r->has_full,
        .in_recovery = held,
        .undone = w->undone,
        .una = w->a->ack,
        .nxt = c->snd.nxt,
        .delivered_total = f->sent.delivered,
    };
    if (w->d.has_newest)
        tcp_sent_rate(c, &w->d, &s);
    ops_of(f)->on_ack(&f->cc, &s);
    if (r->has_full && seq_leq(r->full_end, w->a->ack))
        r->has_full = false;
}

/*
 * RFC 6675, 4, NextSeg (3) and (4), where no RACK finds what is left: nothing is known to be lost,
 * there is nothing new to send, and something may leave. Holes below what was SACKed, then once the
 * very last segment.
 */
static void rescue(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    if (tcp_rack_in_use(t, c) || !(c->is & TCP_IS_SACK) || f->sent.lost.n > 0)
        return;
    if (r->quota < c->snd.mss || (tcp_unsent(c) > 0 && tcp_usable(c) > 0))
        return;
    struct seqnode *n = seqtree_floor(&f->sent.tree, r->judged);
    for (; n && seq_lt(n->key, f->sent.fack); n = seqtree_next(n)) {
        struct tcp_sent *s = CONTAINER_OF(n, struct tcp_sent, node);
        r->judged = sent_end(s);
        if (!(s->flags & (SENT_SACKED | SENT_RESENT))) {
            tcp_sent_mark_lost(t, c, s, WHY_RTX_DUPACK);
            return;
        }
    }
    struct tcp_sent *s = tcp_sent_last(c);
    if (r->has_rescued || !s || (s->flags & (SENT_SACKED | SENT_RESENT)))
        return;
    r->has_rescued = true;
    uint32_t before = (s->len - 1) / s->seg * s->seg;
    if (before > 0 && tcp_sent_split(t, c, s, before))
        s = tcp_sent_after(s);
    tcp_sent_mark_lost(t, c, s, WHY_RTX_DUPACK);
}

static void wants(struct tcp *t, struct tcp_conn *c, const struct ack_way *w)
{
    const struct tcp_flight *f = c->flight;
    if (oriel_unlikely(f->sent.lost.n > 0))
        tcp_want(t, c, TCP_WANT_RTX);
    if (oriel_likely(w->advanced))
        return;
    if (f->recov.ca == ORIEL_CA_DISORDER && f->recov.dups > 0 && f->recov.dups < t->set.dupthresh)
        tcp_want(t, c, TCP_WANT_LIMITED);       /* RFC 3042, 2 */
    else if (w->d.bytes > 0)
        tcp_ready_to_send(t, c);
}

/* RFC 6298, 5.2 and 5.3; RFC 6582, 3.2 step 3: without SACK, only the first partial ACK. */
static void timers(struct tcp *t, struct tcp_conn *c, const struct ack_way *w)
{
    struct tcp_recov *r = &c->flight->recov;
    bool partial = r->ca == ORIEL_CA_RECOVERY && !(c->is & TCP_IS_SACK);
    bool restart = (w->advanced && !(partial && r->has_partial)) || w->restart_rto;
    if (w->advanced)
        r->has_partial = true;
    if (c->flight->sent.out_bytes == 0) {
        if (w->advanced)
            tcp_timer_on_all_acked(t, c);
    } else if (restart) {
        tcp_timer_on_progress(t, c);
    } else {
        tcp_timer_sync(t, c);
    }
}

static void note_window(struct tcp *t, struct tcp_conn *c, const struct ack_way *w)
{
    const struct tcp_flight *f = c->flight;
    if (f->cc.cwnd != w->cwnd || f->cc.ssthresh != w->ssthresh)
        TRACE(t->env, EV_TCP_CWND, tcp_conn_id(t, c), f->cc.cwnd, f->cc.ssthresh, tcp_pipe(c));
}

static void note_counts(struct tcp_conn *c, const struct ack_way *w)
{
    uint32_t segs = segs_in(c, w->d.bytes);
    c->stat.delivered += segs;
    if (w->a->ece)
        c->stat.delivered_ce += segs;   /* AccECN's are counted in tcp_ecn.c */
}

/* Loss, marks, and the pace of recovery. */
static void react(struct tcp *t, struct tcp_conn *c, struct ack_way *w, enum tcp_tlp_verdict tlp)
{
    const struct tcp_flight *f = c->flight;
    bool marked = (w->a->ece && (c->is & TCP_IS_ECN)) || w->a->ce_bytes > 0;
    if (w->lost > 0)
        on_lost(t, c, w);
    if (tlp == TLP_REPAIRED)
        on_repaired(t, c, w);
    if (marked)
        on_marks(t, c, w);
    open_or_disorder(t, c);
    if (f->recov.ca != ORIEL_CA_RECOVERY)
        return;
    if (w->d.bytes > 0 && tcp_prr_rules(f))
        tcp_prr_on_ack(c, w->d.bytes, w->advanced && w->lost == 0);
    if (w->advanced && w->lost > 0 && !(c->is & TCP_IS_SACK))
        c->flight->recov.forced = c->snd.mss;   /* RFC 6582, 3.2 step 3: the next hole, now */
    rescue(t, c);
}

/* ---- the way of an acknowledgement ---- */

void tcp_recovery_long_way(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a)
{
    struct tcp_flight *f = c->flight;
    struct ack_way w = {
        .a = a,
        .pipe = scoreboard_pipe(&f->sent),
        .out_bytes = f->sent.out_bytes,
        .cwnd = f->cc.cwnd,
        .ssthresh = f->cc.ssthresh,
        .was_held = f->recov.ca == ORIEL_CA_RECOVERY || f->recov.ca == ORIEL_CA_CWR,
    };
    tcp_sent_on_ack(t, c, a, &w.d);
    w.advanced = w.d.acked_bytes > 0;
    count_duplicates(t, c, &w);
    round_trip(t, c, &w);
    tcp_rack_on_ack(t, c, a, &w.d);
    if (oriel_unlikely(a->has_dsack))
        tcp_undo_on_dsack(c, a);
    enum tcp_tlp_verdict tlp = tcp_tlp_on_ack(c, a, &w.d);
    forget_rounds(c, a->ack);
    by_state(t, c, &w);
    w.lost = tcp_rack_detect(t, c, &w.d);
    react(t, c, &w, tlp);
    if (w.d.bytes > 0 || w.lost > 0 || w.undone) {
        note_counts(c, &w);
        tell_cc(t, c, &w);
    }
    if (oriel_unlikely(f->mtu.probe != 0 || f->mtu.suspect))
        tcp_mtu_on_ack(t, c, &w.d);
    wants(t, c, &w);
    timers(t, c, &w);
    note_window(t, c, &w);
}

void tcp_recovery_on_late(struct tcp *t, struct tcp_conn *c, uint32_t lost)
{
    struct tcp_flight *f = c->flight;
    struct ack_way w = {
        .pipe = scoreboard_pipe(&f->sent) + lost,
        .out_bytes = f->sent.out_bytes,
        .cwnd = f->cc.cwnd,
        .ssthresh = f->cc.ssthresh,
        .lost = lost,
    };
    if (lost > 0)
        on_lost(t, c, &w);
    if (tcp_prr_rules(f))
        tcp_prr_on_ack(c, 0, false);
    if (f->sent.lost.n > 0)
        tcp_want(t, c, TCP_WANT_RTX);
    note_window(t, c, &w);
}

/* ---- other facts ---- */

/* RFC 2018, 8: what was SACKed is not trusted, if the first of it is what was not acknowledged. */
static bool has_reneged(struct tcp_conn *c)
{
    const struct tcp_sent *first = tcp_sent_first(c);
    if (!(first->flags & SENT_SACKED))
        return false;
    tcp_sent_reneged(c);
    return true;
}

static void mark_all_lost(struct tcp *t, struct tcp_conn *c, bool reneged)
{
    bool rack = tcp_rack_in_use(t, c);
    struct tcp_sent *first = tcp_sent_first(c);
    enum why rest = reneged ? WHY_RTX_RENEGED : WHY_RTX_LOSS;
    for (struct tcp_sent *r = first; r; r = tcp_sent_after(r)) {
        bool spared = r != first && rack && !reneged && tcp_rack_is_recent(t, c, r);
        if (!(r->flags & (SENT_SACKED | SENT_LOST)) && !spared)
            tcp_sent_mark_lost(t, c, r, rest);
        if (r->flags & SENT_LOST)
            r->why = (uint8_t)rest;
    }
    first->why = reneged ? WHY_RTX_RENEGED : WHY_RTX_RTO;
}

void tcp_recovery_on_rto(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_flight *f = c->flight;
    struct tcp_recov *r = &f->recov;
    if (f->sent.out_bytes == 0)
        return;
    if (c->state == TCP_SYN_SENT) {             /* the data of a SYN (7413) is judged by its SYN-ACK */
        f->cc.cwnd = f->cc.mss;                 /* RFC 5681, 3.1: a SYN that was lost */
        return;
    }
    seq_t una = tcp_sent_first(c)->node.key;
    bool first = r->ca != ORIEL_CA_LOSS || !seq_eq(r->rto_una, una);
    bool fresh = r->ca < ORIEL_CA_RECOVERY;     /* RFC 5682: not within another recovery */
    uint32_t flight = flight_size(f, f->sent.out_bytes);
    if (tcp_prr_rules(f))
        flight = smaller(f->sent.out_bytes, f->cc.ssthresh);
    bool reneged = has_reneged(c);
    if (first)
        tcp_undo_allow(c, una);
    tcp_sent_no_emulation(c);
    mark_all_lost(t, c, reneged);
    ops_of(f)->on_rto(&f->cc, flight, first, t->env->now);
    note_reduction(t, c);
    r->rto_una = una;
    r->point = c->snd.nxt;
    r->has_point = true;
    r->judged = una;
    r->dups = 0;
    r->quota = 0;
    r->forced = c->snd.mss;
    r->frto = fresh && !reneged ? FRTO_SENT : FRTO_OFF;
    r->undo = r->undo && !reneged;
    r->frto_mark = c->snd.nxt;
    tcp_rack_on_congestion(c);
    set_ca(t, c, ORIEL_CA_LOSS);
    tcp_want(t, c, TCP_WANT_RTX);
    TRACE(t->env, EV_TCP_CWND, tcp_conn_id(t, c), f->cc.cwnd, f->cc.ssthresh, tcp_pipe(c));
}

void tcp_recovery_on_mtu(struct tcp *t, struct tcp_conn *c, uint16_t mss)
{
    struct tcp_flight *f = c->flight;
    if (!f)
        return;
    cc_set_mss(&f->cc, mss);
    for (struct tcp_sent *r = tcp_sent_first(c); r; r = tcp_sent_after(r)) {
        bool too_big = r->seg > mss && r->len > mss;
        if (too_big && !(r->flags & (SENT_SACKED | SENT_LOST)))
            tcp_sent_mark_lost(t, c, r, WHY_RTX_MTU);
    }
    if (f->sent.lost.n > 0)
        tcp_want(t, c, TCP_WANT_RTX);
}

void tcp_recovery_on_idle(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_flight *f = c->flight;
    if (!f)
        return;
    uint32_t idle_ms = (uint32_t)(t->env->now / NS_PER_MS) - c->timer.tx_ms;
    uint32_t iw = cc_initial_window(c->snd.mss, t->set.initial_window);
    ops_of(f)->on_idle(&f->cc, (uint64_t)idle_ms * NS_PER_MS, iw, t->env->now);
    TRACE(t->env, EV_TCP_CWND, tcp_conn_id(t, c), f->cc.cwnd, f->cc.ssthresh, tcp_pipe(c));
}
