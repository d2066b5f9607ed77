/*
 * The fifth step of 3.10.7.4: what a segment acknowledges, and the window that it offers.
 *
 * Here an acknowledgement is judged (RFC 9293; RFC 5961, 5.2) and turned into facts: how far it goes,
 * which selective blocks are believable (2018; a peer can mark only what was sent), whether the first
 * is a duplicate's (2883), whether it is a duplicate acknowledgement (5681, 2), what ECN says. The
 * loss and congestion files take it from there (tcp_recovery_on_ack).
 */
#include "tcp/tcp.h"

/* ---- the window ---- */

/* RFC 9293, 3.10.7.4: not from segments that are older than the one it was taken from last, nor from
 * those that acknowledge less than what is acknowledged. */
static bool window_is_newer(const struct tcp_conn *c, const struct tcp_seg *g)
{
    if (seq_lt(g->ack, c->snd.una))
        return false;
    return seq_lt(c->snd.wl1, g->seq) || (seq_eq(c->snd.wl1, g->seq) && seq_leq(c->snd.wl2, g->ack));
}

/* RFC 7323, 2.2: that of a SYN is not scaled. */
static uint32_t window_of(const struct tcp_conn *c, const struct tcp_seg *g)
{
    return (g->flags & SEG_WAS_SYN) ? g->wnd : g->wnd << c->snd_wscale;
}

/* The window opened: what was held may leave, and asking for it ends. */
static void window_opened(struct tcp *t, struct tcp_conn *c)
{
    if (!tcp_outstanding(c)) {
        c->timer.rtx_at = ORIEL_NEVER;
        tcp_rtt_on_progress(c);
    }
    tcp_ready_to_send(t, c);
}

/* True: it grew. */
static bool update_window(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    if (!window_is_newer(c, g))
        return false;
    uint32_t was = c->snd.wnd;
    c->snd.wnd = window_of(c, g);
    c->snd.wl1 = g->seq;
    c->snd.wl2 = g->ack;
    if (c->snd.wnd > c->snd.wnd_max)
        c->snd.wnd_max = c->snd.wnd;
    if (c->snd.wnd <= was)
        return false;
    if (was == 0)
        c->timer.since_ms = c->timer.rx_ms;     /* until now the peer kept us waiting (SHLD-17) */
    window_opened(t, c);
    return true;
}

/* ---- selective acknowledgements ---- */

static bool is_dsack(const struct tcp_sack *first, const struct tcp_sack *second, seq_t ack)
{
    if (seq_leq(first->right, ack))
        return true;            /* RFC 2883, 4: below the cumulative acknowledgement ... */
    return second && seq_leq(second->left, first->left) && seq_leq(first->right, second->right);
}

static bool believable(const struct tcp_conn *c, const struct tcp_sack *b, seq_t ack)
{
    return seq_lt(b->left, b->right) && seq_lt(ack, b->right) && seq_leq(ack, b->left) &&
           seq_leq(b->right, c->snd.nxt);
}

/* D-SACK of what was sent on this connection once (an old window's worth at most). */
static bool dsack_believable(const struct tcp_conn *c, const struct tcp_sack *b)
{
    return seq_lt(b->left, b->right) && seq_leq(b->right, c->snd.nxt) &&
           seq_diff(b->left, c->snd.nxt) <= (int32_t)(INT32_MAX / 2);
}

static void take_sacks(const struct tcp_conn *c, const struct tcp_seg *g, struct tcp_acked *a)
{
    const struct tcp_opts *o = &g->opts;
    unsigned i = 0;
    if (!(c->is & TCP_IS_SACK))
        return;
    if (o->sack_n > 0 && is_dsack(&o->sack[0], o->sack_n > 1 ? &o->sack[1] : NULL, g->ack)) {
        a->has_dsack = dsack_believable(c, &o->sack[0]);
        a->dsack = o->sack[0];
        i = 1;
    }
    for (; i < o->sack_n; i++)
        if (believable(c, &o->sack[i], g->ack))
            a->sack[a->sack_n++] = o->sack[i];
}

/* ---- acknowledgements ---- */

/* Bytes acknowledged are let go of, and the application may write again. */
static ORIEL_ALWAYS_INLINE void let_go(struct tcp *t, struct tcp_conn *c, seq_t una_was, seq_t ack)
{
    uint32_t n = (uint32_t)seq_diff(una_was, ack);
    c->stat.bytes_acked += n - ((c->is & TCP_IS_FIN_SENT) && seq_eq(ack, c->snd.nxt) ? 1 : 0);
    if (!c->flight)
        return;
    if (oriel_unlikely(!stream_ack_all(&c->flight->sndq, ack)))
        stream_ack(t->env, &c->flight->sndq, seq_lt(ack, c->snd.end) ? ack : c->snd.end);
    if ((c->is & TCP_IS_URG_OUT) && seq_leq(c->snd_up, ack))
        c->is &= ~(uint32_t)TCP_IS_URG_OUT;
    if (oriel_unlikely(c->is & TCP_IS_SNDBUF_FULL) && tcp_room_returned(t, c))
        tcp_mark_dirty(t, c);
}

static void confirm_path(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_path *p = tcp_conn_path(t, c, c->prof->tos);
    if (p)
        ip_path_confirm(t->ip, &p->path);
}

/* What waited for an acknowledgement may leave now. */
static inline void send_on(struct tcp *t, struct tcp_conn *c)
{
    if (tcp_unsent(c) > 0 || (c->out.want & (TCP_WANT_FIN | TCP_WANT_RTX | TCP_WANT_LIMITED)))
        tcp_ready_to_send(t, c);
}

static void tell_recovery(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a)
{
    if (c->flight)
        tcp_recovery_on_ack(t, c, a);
    send_on(t, c);
}

/* snd.una moves. */
static inline void move_una(struct tcp *t, struct tcp_conn *c, seq_t ack)
{
    c->snd.una = ack;
    c->out.dupacks = 0;
    c->out.probes = 0;
    if ((c->timer.rx_ms ^ c->timer.since_ms) >> 10)     /* once a second is often enough */
        confirm_path(t, c);
}

/* New data is acknowledged. */
static void advance(struct tcp *t, struct tcp_conn *c, struct tcp_acked *a)
{
    seq_t was = c->snd.una;
    move_una(t, c, a->ack);
    tell_recovery(t, c, a);
    let_go(t, c, was, a->ack);
}

static void fill(const struct tcp_conn *c, const struct tcp_seg *g, struct tcp_acked *a)
{
    a->ack = g->ack;
    a->una_was = c->snd.una;
    a->sack_n = 0;
    a->has_dsack = a->dup = a->wnd_grew = false;
    a->ece = (c->is & TCP_IS_ECN) && (g->flags & TCP_ECE);
    a->ce_bytes = 0;
    a->has_ts = (c->is & TCP_IS_TS) && g->opts.has_ts;
    a->ts_ecr = g->opts.ts_ecr;
}

/* RFC 5681, 2. */
static bool is_duplicate(const struct tcp_conn *c, const struct tcp_seg *g)
{
    return seq_eq(g->ack, c->snd.una) && tcp_outstanding(c) && g->len == 0 &&
           !(g->flags & (TCP_SYN | TCP_FIN)) && g->wnd << c->snd_wscale == c->snd.wnd;
}

/* An acknowledgement that cannot be: of what was not sent, or from too far back (5961, 5.2). */
static bool check_ack(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!seq_leq(g->ack, c->snd.nxt)) {         /* just half round it is neither behind nor ahead */
        if (!t->set.ack_unsent_silent)
            tcp_challenge(t, c, WHY_ACK_CHALLENGE);
        tcp_seg_drop(t, g, DROP_TCP_ACK_UNSENT);
        return false;
    }
    if (seq_lt(g->ack, c->snd.una) &&
        (uint32_t)seq_diff(g->ack, c->snd.una) > c->snd.wnd_max) {
        if (!t->set.ack_old_silent)
            tcp_challenge(t, c, WHY_ACK_CHALLENGE);
        tcp_seg_drop(t, g, DROP_TCP_ACK_OLD);
        return false;
    }
    return true;
}

bool tcp_ack_input(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    struct tcp_acked a;
    if (!check_ack(t, c, g))
        return false;
    fill(c, g, &a);
    if (g->opts.sack_n > 0)
        take_sacks(c, g, &a);
    if (c->is & TCP_IS_ACCECN)
        a.ce_bytes = tcp_accecn_ce_bytes(c, g);
    a.dup = is_duplicate(c, g);
    a.wnd_grew = update_window(t, c, g);
    if (seq_lt(c->snd.una, g->ack)) {
        advance(t, c, &a);
        return true;
    }
    c->out.probes = 0;
    a.ack = c->snd.una;         /* nothing new; an old one tells nothing of the present */
    if (a.sack_n > 0 || a.has_dsack || a.dup || a.ece || a.ce_bytes)
        tell_recovery(t, c, &a);
    return true;
}

/* A plain segment offers the window that is known; it counts as the one that told it, if it is newer. */
static inline void note_newer(struct tcp_conn *c, const struct tcp_seg *g)
{
    if (oriel_likely(window_is_newer(c, g))) {
        c->snd.wl1 = g->seq;
        c->snd.wl2 = g->ack;
    }
}

void tcp_ack_advance(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    struct tcp_acked a;
    seq_t was = c->snd.una;
    note_newer(c, g);
    move_una(t, c, g->ack);
    if (oriel_likely(seq_eq(g->ack, c->snd.nxt) && tcp_recovery_on_all_acked(t, c))) {
        send_on(t, c);
    } else {
        fill(c, g, &a);
        a.una_was = was;
        tell_recovery(t, c, &a);
    }
    let_go(t, c, was, g->ack);
}

void tcp_ack_told(struct tcp_conn *c, seq_t seq)
{
    if (seq_lt(c->snd.wl1, seq))
        c->snd.wl1 = seq;
}

void tcp_ack_idle(struct tcp_conn *c, const struct tcp_seg *g)
{
    note_newer(c, g);
    c->out.probes = 0;
}
