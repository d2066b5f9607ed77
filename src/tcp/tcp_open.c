/*
 * Opening: SYN-SENT, and SYN-RECEIVED where it is a connection of its own (a simultaneous open, fast
 * open, or a half-open record whose last acknowledgement just came).
 *
 * What is agreed upon in the handshake is written here and nowhere else: window scale, SACK,
 * timestamps (RFC 7323, 2018), ECN (3168, 9768), the peer's MSS (6691).
 */
#include "tcp/tcp.h"

/* ---- what our SYN says ---- */

static bool asks_for_ecn(const struct tcp_conn *c)
{
    return (c->is & TCP_IS_ECN_TRIED) && !(c->is & TCP_IS_NO_ECN);
}

static bool wants_accurate(const struct tcp *t, const struct tcp_conn *c)
{
    return t->set.ecn == ORIEL_ECN_ACCURATE || c->prof->ecn == ORIEL_ECN_ACCURATE;
}

uint16_t tcp_open_syn_flags(const struct tcp *t, const struct tcp_conn *c)
{
    if (c->state != TCP_SYN_SENT) {
        uint16_t flags = TCP_SYN | TCP_ACK;
        if (c->is & TCP_IS_ACCECN)
            return flags | TCP_CWR;             /* RFC 9768, 3.1.1: the SYN was not marked */
        return (c->is & TCP_IS_ECN) ? flags | TCP_ECE : flags;
    }
    if (!asks_for_ecn(c))
        return TCP_SYN;
    uint16_t flags = TCP_SYN | TCP_ECE | TCP_CWR;       /* RFC 3168, 6.1.1 */
    return wants_accurate(t, c) ? flags | TCP_AE : flags;
}

/* ---- fast open, the client's side (RFC 7413, 4.1.3) ---- */

static bool fastopen_asked(const struct tcp_conn *c)
{
    return (c->is & TCP_IS_TFO) && !(c->is & TCP_IS_SYN_LOST) && c->state == TCP_SYN_SENT;
}

void tcp_open_fastopen_option(struct tcp *t, const struct tcp_conn *c, struct tcp_opts *o)
{
    struct oriel_addr peer = tuple_remote(&c->tuple);
    uint16_t mss;
    bool failed = false;
    if (!fastopen_asked(c))
        return;
    if (!tcp_tfo_lookup(t, &peer, &o->fastopen, &mss, &failed))
        o->fastopen = span_of(NULL, 0);         /* a request */
    o->has_fastopen = !failed;
}

bool tcp_open_fastopen_ready(const struct tcp *t, const struct tcp_conn *c)
{
    struct oriel_addr peer = tuple_remote(&c->tuple);
    struct span cookie;
    uint16_t mss;
    bool failed;
    return tcp_tfo_lookup(t, &peer, &cookie, &mss, &failed);
}

uint32_t tcp_open_syn_data(const struct tcp *t, const struct tcp_conn *c)
{
    struct oriel_addr peer = tuple_remote(&c->tuple);
    struct span cookie;
    uint16_t mss;
    bool failed;
    if (!fastopen_asked(c) || !tcp_tfo_lookup(t, &peer, &cookie, &mss, &failed))
        return 0;
    uint32_t max = (uint32_t)c->snd.mss - TCP_OPTS_MAX, unsent = tcp_unsent(c);
    return unsent < max ? unsent : max;         /* one segment: a SYN has no second */
}

/* What the peer took last time, and the path now: that of the SYN. Its SYN-ACK says it anew. */
static void mss_for_syn(struct tcp *t, struct tcp_conn *c)
{
    struct oriel_addr peer = tuple_remote(&c->tuple);
    uint16_t unknown = c->snd.peer_mss;
    struct span cookie;
    bool failed;
    if (!tcp_tfo_lookup(t, &peer, &cookie, &c->snd.peer_mss, &failed))
        c->snd.peer_mss = unknown;
    tcp_mss_update(t, c);
    c->snd.peer_mss = unknown;
}

int tcp_open_fastopen(struct tcp *t, struct tcp_conn *c, struct span data)
{
    mss_for_syn(t, c);
    if (!tcp_flight_of(t, c))
        return ORIEL_ENOBUFS;
    if (data.n > t->set.sndbuf)
        data.n = t->set.sndbuf;
    size_t n = stream_write(t->env, &c->flight->sndq, data, c->snd.mss);
    c->snd.end = seq_add(c->snd.end, (uint32_t)n);
    c->is |= TCP_IS_TFO;
    return (int)n;
}

void tcp_open_on_syn_sent(struct tcp *t, struct tcp_conn *c)
{
    c->tune.at_us = (uint32_t)(t->env->now / NS_PER_US);
}

/* ---- nobody answered ---- */

void tcp_open_on_timeout(struct tcp *t, struct tcp_conn *c)
{
    struct oriel_addr peer = tuple_remote(&c->tuple);
    if ((c->is & TCP_IS_TFO) && c->state == TCP_SYN_SENT)
        tcp_tfo_failed(t, &peer);
    if (c->is & TCP_IS_SYN_LOST)
        c->is |= TCP_IS_NO_ECN;                 /* RFC 3168, 6.1.1.1: perhaps it is the flags */
    c->is |= TCP_IS_SYN_LOST;
    c->out.rtx_why = c->state == TCP_SYN_SENT ? WHY_RTX_SYN : WHY_RTX_SYN_ACK;
    tcp_want(t, c, TCP_WANT_SYN);
}

/* ---- what the peer's SYN says ---- */

static void take_ecn(const struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    uint16_t bits = g->flags & (TCP_ECE | TCP_CWR | TCP_AE);
    bool answer = (g->flags & TCP_ACK) != 0;
    if (!answer || !asks_for_ecn(c))
        return;                 /* a crossing SYN: without */
    if (wants_accurate(t, c) && bits != 0 && bits != TCP_ECE &&
        bits != (TCP_ECE | TCP_CWR | TCP_AE))
        c->is |= TCP_IS_ACCECN; /* RFC 9768, table 2 */
    else if (bits == TCP_ECE)
        c->is |= TCP_IS_ECN;    /* ECE alone: an ECN-setup SYN-ACK; both: reflected by a fool */
}

static void take_options(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    const struct tcp_opts *o = &g->opts;
    bool scaled = o->has_wscale && t->set.wscale <= TCP_WSCALE_MAX;
    c->snd.peer_mss = o->has_mss ? o->mss : c->snd.peer_mss;
    if (c->snd.peer_mss < TCP_MSS_FLOOR)
        c->snd.peer_mss = TCP_MSS_FLOOR;
    c->snd_wscale = !scaled ? 0 : o->wscale > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : o->wscale;
    if (scaled)
        c->is |= TCP_IS_WSCALE;
    else
        c->rcv.wscale = 0;      /* RFC 7323, 2.2: both or none */
    if (o->sack_perm && t->set.sack)
        c->is |= TCP_IS_SACK;
    if (o->has_ts && t->set.timestamps) {
        c->is |= TCP_IS_TS;
        c->rcv.ts_recent = o->ts_val;
        c->ts_recent_s = (uint32_t)(t->env->now / NS_PER_S);
    }
}

static void take_syn(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    uint32_t promised = (uint32_t)seq_diff(c->rcv.nxt, c->rcv.adv);
    c->irs = g->seq;
    c->rcv.nxt = c->rcv.acked = seq_add(g->seq, 1);
    take_options(t, c, g);
    take_ecn(t, c, g);
    tcp_rcv_opened(t, c, promised);
    c->snd.wnd = c->snd.wnd_max = g->wnd;       /* RFC 7323, 2.2: not scaled */
    c->snd.wl1 = g->seq;
    c->snd.wl2 = g->ack;
    tcp_mss_update(t, c);
}

/* Since our SYN or SYN-ACK left at `from_us`; what was sent twice tells nothing (Karn). */
static void rtt_of_handshake(struct tcp *t, struct tcp_conn *c, uint32_t from_us)
{
    uint32_t us = (uint32_t)(t->env->now / NS_PER_US) - from_us;
    if (!(c->is & TCP_IS_SYN_LOST))
        tcp_rtt_sample(t, c, (uint64_t)us * NS_PER_US);
}

static void learn_fastopen(struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *g)
{
    struct oriel_addr peer = tuple_remote(&c->tuple);
    if ((c->is & TCP_IS_TFO) && g->opts.has_fastopen && g->opts.fastopen.n > 0)
        tcp_tfo_learn(t, &peer, g->opts.fastopen, c->snd.peer_mss);
}

/* Our SYN is acknowledged. Data that went with it and is not is sent again, without blame. */
static void established(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    c->snd.una = seq_add(c->iss, 1);
    tcp_timer_on_all_acked(t, c);
    learn_fastopen(t, c, g);
    tcp_set_state(t, c, TCP_ESTABLISHED);
    if ((c->is & TCP_IS_ACCECN) && !tcp_flight_of(t, c))
        c->is &= ~(uint32_t)TCP_IS_ACCECN;
    if (c->is & TCP_IS_ACCECN)
        tcp_accecn_on_syn_ack(c, g->tos);
    if (c->flight && seq_lt(c->snd.una, g->ack)) {
        struct tcp_acked a = {.ack = g->ack, .una_was = c->snd.una};
        c->snd.una = g->ack;
        c->stat.bytes_acked += (uint32_t)seq_diff(a.una_was, a.ack);
        tcp_recovery_on_ack(t, c, &a);
        stream_ack(t->env, &c->flight->sndq, g->ack);
    }
    if (c->flight && tcp_sent_first(c)) {
        tcp_sent_mark_lost(t, c, tcp_sent_first(c), WHY_RTX_LOSS);
        tcp_want(t, c, TCP_WANT_RTX);
        tcp_timer_on_sent(t, c);
    }
    if (c->flight && c->flight->sndq.len > 0)
        c->is |= TCP_IS_SNDBUF_FULL;            /* it wrote before it could be told of room */
    if (c->snd.nxt.v != c->snd.end.v)
        tcp_ready_to_send(t, c);
}

/* ---- SYN-SENT: 3.10.7.3 ---- */

/* Both opened at once (3.5): our SYN again, with an acknowledgement of the peer's. */
static void simultaneous(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    take_syn(t, c, g);
    tcp_set_state(t, c, TCP_SYN_RCVD);
    c->out.rtx_why = WHY_SYN_SIMULTANEOUS;
    tcp_want(t, c, TCP_WANT_SYN);
    if (g->len > 0) {
        tcp_seg_drop(t, g, DROP_TCP_SYN_DATA);  /* it will be sent again */
        return;
    }
    pkt_free(g->p);
    g->p = NULL;
}

/* What came with the SYN-ACK: data, FIN. */
static void rest_of_syn_ack(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    g->seq = seq_add(g->seq, 1);
    g->flags ^= TCP_SYN | SEG_WAS_SYN;
    if (g->len == 0 && !(g->flags & TCP_FIN)) {
        pkt_free(g->p);
        g->p = NULL;
        return;
    }
    c->snd.wl1 = g->seq;
    tcp_rx_synchronized(t, c, g);
}

static bool syn_sent_ack_bad(const struct tcp_conn *c, const struct tcp_seg *g)
{
    return (g->flags & TCP_ACK) && !(seq_lt(c->iss, g->ack) && seq_leq(g->ack, c->snd.nxt));
}

void tcp_rx_syn_sent(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (syn_sent_ack_bad(c, g)) {
        tcp_reset_for(t, g, WHY_RST_SYN_SENT);
        tcp_seg_drop(t, g, DROP_TCP_SYN_SENT_ACK);
        return;
    }
    if (g->flags & TCP_RST) {
        bool ours = (g->flags & TCP_ACK) != 0;
        tcp_seg_drop(t, g, ours ? DROP_TCP_RST_TAKEN : DROP_TCP_SYN_SENT_RST);
        if (ours)
            tcp_end(t, c, ORIEL_ECONNREFUSED);
        return;
    }
    if (!(g->flags & TCP_SYN)) {
        tcp_seg_drop(t, g, DROP_TCP_SYN_SENT_FLAGS);
        return;
    }
    c->timer.rx_ms = (uint32_t)(t->env->now / NS_PER_MS);
    if (!(g->flags & TCP_ACK)) {
        simultaneous(t, c, g);
        return;
    }
    uint32_t syn_at_us = c->tune.at_us;         /* take_syn begins to measure something else with it */
    take_syn(t, c, g);
    rtt_of_handshake(t, c, syn_at_us);
    established(t, c, g);
    tcp_ack_now(t, c, WHY_HANDSHAKE_DONE);
    rest_of_syn_ack(t, c, g);
}

/* ---- SYN-RECEIVED ---- */

bool tcp_open_on_ack(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!(seq_lt(c->snd.una, g->ack) && seq_leq(g->ack, c->snd.nxt))) {
        tcp_reset_for(t, g, WHY_RST_HALF_OPEN);
        tcp_seg_drop(t, g, DROP_TCP_ACK_UNSENT);
        return false;
    }
    c->snd.wnd = (g->flags & SEG_WAS_SYN) ? g->wnd : g->wnd << c->snd_wscale;
    if (c->snd.wnd > c->snd.wnd_max)
        c->snd.wnd_max = c->snd.wnd;
    c->snd.wl1 = g->seq;
    c->snd.wl2 = g->ack;
    c->out.want &= (uint8_t)~TCP_WANT_SYN;
    if (!(c->is & TCP_IS_PASSIVE))
        rtt_of_handshake(t, c, c->tune.at_us);
    c->snd.una = seq_add(c->iss, 1);
    if (tcp_outstanding(c))
        tcp_timer_on_progress(t, c);            /* an answer went before the handshake ended (7413) */
    else
        tcp_timer_on_all_acked(t, c);
    if ((c->is & TCP_IS_ACCECN) && !tcp_flight_of(t, c))
        c->is &= ~(uint32_t)TCP_IS_ACCECN;
    if (c->listener != TCP_NONE)
        tcp_listen_on_established(t, c);
    tcp_set_state(t, c, TCP_ESTABLISHED);
    if (c->out.want & TCP_WANT_FIN)             /* the application closed before */
        tcp_set_state(t, c, TCP_FIN_WAIT_1);
    if ((c->out.want & TCP_WANT_FIN) || tcp_unsent(c) > 0)
        tcp_ready_to_send(t, c);
    return true;
}

/*
 * The peer's SYN again, or its SYN-ACK in a simultaneous open: the SYN is taken off, and what is left
 * is judged as any segment. A bare SYN asks for our SYN-ACK once more.
 */
bool tcp_open_on_syn_again(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!(g->flags & TCP_SYN) || !seq_eq(g->seq, c->irs) || (g->flags & TCP_RST))
        return true;
    if (!(g->flags & (TCP_ACK | TCP_FIN))) {
        c->out.rtx_why = WHY_SYN_ACK_AGAIN;
        tcp_want(t, c, TCP_WANT_SYN);
        tcp_seg_drop(t, g, DROP_TCP_SYN_DUP);
        return false;
    }
    if (!(g->flags & TCP_ACK))
        return true;            /* SYN and FIN: no sane peer's; a SYN in the window, to be challenged */
    g->seq = seq_add(g->seq, 1);
    g->flags ^= TCP_SYN | SEG_WAS_SYN;
    return true;
}
