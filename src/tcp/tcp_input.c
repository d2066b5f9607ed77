/*
 * A segment arrives (RFC 9293, 3.10.7).
 *
 * tcp_input checks what can be checked without knowing the connection, finds the connection and
 * hands the segment to what its state asks for: SYN-SENT (tcp_open.c), the synchronized states (below,
 * the RFC's eight steps in its order), or nobody's connection (tcp_listen.c: half-open, TIME-WAIT,
 * listeners, closed).
 *
 * Before all that stands header prediction (tcp_predict.c), which has no questions to what most segments
 * are.
 */
#include "tcp/tcp.h"

#include "wire/fault.h"

enum rx {
    RX_NEXT,                    /* the next step */
    RX_DONE,                    /* the segment was consumed */
};

void tcp_seg_drop(struct tcp *t, struct tcp_seg *g, enum drop why)
{
    pkt_drop(t->env, g->p, why);
    g->p = NULL;
}

static enum rx drop(struct tcp *t, struct tcp_seg *g, enum drop why)
{
    tcp_seg_drop(t, g, why);
    return RX_DONE;
}

/* ---- what any segment must be ---- */

static bool checksum_good(const struct tcp *t, const struct pkt *p, const struct ip_rx *rx)
{
    if (p->csum != CSUM_NONE)
        return true;
    uint64_t sum = csum_wide_add(rx->addrs_sum, (uint64_t)IP_TCP + rx->payload_len);
    return csum_wide_good(csum_wide_add(sum, pkt_sum(t->env, p, p->l4, rx->payload_len)));
}

static enum drop parse_header(struct tcp *t, struct pkt *p, const struct ip_rx *rx,
                              struct tcp_hdr *h)
{
    size_t want = rx->payload_len < TCP_HDR_LEN ? rx->payload_len : TCP_HDR_LEN;
    if (oriel_unlikely(!pkt_need(t->env, p, p->l4 + want)))
        return DROP_NO_MEMORY;
    want = tcp_peek_hdr_len(span_of(pkt_data(p) + p->l4, want));
    if (want < TCP_HDR_LEN)
        want = TCP_HDR_LEN;
    if (want > rx->payload_len)
        want = rx->payload_len;
    if (oriel_unlikely(!pkt_need(t->env, p, p->l4 + want)))
        return DROP_NO_MEMORY;
    struct rd r = rd_of(span_of(pkt_data(p) + p->l4, want));
    if (oriel_unlikely(!tcp_parse(&r, h)))
        return r.bad == FAULT_SHORT ? DROP_TCP_SHORT : DROP_TCP_HDR_LEN;
    return DROP_NONE;
}

static enum drop parse(struct tcp *t, struct pkt *p, const struct ip_rx *rx, struct tcp_seg *g)
{
    struct tcp_hdr h;
    if (oriel_unlikely(rx->to_group || (p->flags & (PKT_L2_BCAST | PKT_L2_MCAST))))
        return DROP_TCP_GROUP;                  /* MUST-57 */
    enum drop why = parse_header(t, p, rx, &h);
    if (oriel_unlikely(why != DROP_NONE))
        return why;
    if (oriel_unlikely(!checksum_good(t, p, rx)))
        return DROP_TCP_CSUM;
    if (oriel_unlikely(h.src_port == 0 || h.dst_port == 0))
        return DROP_TCP_PORT_0;
    g->p = p;
    g->nif = rx->nif;
    g->tuple = (struct tcp_tuple){
        .local_hi = rx->dst.hi,
        .local_lo = rx->dst.lo,
        .remote_hi = rx->src.hi,
        .remote_lo = rx->src.lo,
        .zone = tcp_zone(&rx->src, &rx->dst),
        .local_port = h.dst_port,
        .remote_port = h.src_port,
    };
    g->seq = h.seq;
    g->ack = h.ack;
    g->len = rx->payload_len - (uint32_t)h.hdr_len;
    g->wnd = h.wnd;
    g->data_at = (uint32_t)p->l4 + h.hdr_len;
    g->flags = h.flags;
    g->tos = rx->tos;
    g->urg = h.urg;
    if (h.opts.n > 0) {
        struct rd o = rd_of(h.opts);
        if (oriel_unlikely(!tcp_opts_parse(&o, &g->opts)))
            return DROP_TCP_OPTIONS;            /* MUST-7 */
    } else {
        tcp_opts_none(&g->opts);
    }
    return DROP_NONE;
}

/* ---- the synchronized states: 3.10.7.4 ---- */

/* The answer to what is not acceptable; bare ones at a rate, so that two confused ends do not chat. */
static void answer(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g, enum why why)
{
    if (seg_space(g) > 0)
        tcp_ack_now(t, c, why);
    else
        tcp_challenge(t, c, why);
}

/* RFC 7323, 3.2 and 5.3: timestamps before the sequence. */
static enum rx check_timestamps(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!(c->is & TCP_IS_TS) || (g->flags & TCP_RST))
        return RX_NEXT;
    if (!g->opts.has_ts)
        return drop(t, g, DROP_TCP_NO_TIMESTAMP);
    if (!tcp_paws_old(t, c, g))
        return RX_NEXT;
    answer(t, c, g, WHY_ACK_PAWS);
    return drop(t, g, DROP_TCP_PAWS);
}

static enum rx outside(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    bool old = seq_lt(g->seq, c->rcv.nxt);
    if (g->flags & TCP_RST)
        return drop(t, g, DROP_TCP_RST_OUTSIDE);
    if (g->flags & TCP_SYN) {                   /* RFC 5961, 4.2: whatever its sequence */
        tcp_challenge(t, c, WHY_ACK_CHALLENGE);
        return drop(t, g, DROP_TCP_SYN_CHALLENGED);
    }
    if (old && seg_space(g) > 0 && seq_leq(seg_end(g), c->rcv.nxt)) {
        if (g->len > 0)
            tcp_reasm_on_old(t, c, g);
        answer(t, c, g, g->len > 0 ? WHY_ACK_DUPLICATE : WHY_ACK_FIN);
        return drop(t, g, DROP_TCP_DUPLICATE);
    }
    if (seq_eq(seq_add(g->seq, 1), c->rcv.nxt)) /* a probe of our window, or of our life */
        answer(t, c, g, WHY_ACK_PROBE);
    else
        answer(t, c, g, WHY_ACK_OUTSIDE);
    return drop(t, g, DROP_TCP_OUTSIDE);
}

/*
 * First, the sequence number. The right edge is what we promised once (7323, 2.4). A closed window
 * takes no data, but the rest of a segment that stands just there is looked at (MUST-66).
 */
static enum rx check_sequence(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    uint32_t space = seg_space(g);
    bool closed = !seq_lt(c->rcv.nxt, c->rcv.adv);
    if (space == 0) {
        bool in = closed ? seq_eq(g->seq, c->rcv.nxt)
                         : seq_leq(c->rcv.nxt, g->seq) && seq_lt(g->seq, c->rcv.adv);
        return in ? RX_NEXT : outside(t, c, g);
    }
    if (closed && seq_eq(g->seq, c->rcv.nxt))
        return RX_NEXT;                         /* process_text says that there is no room */
    if (!closed && seq_lt(g->seq, c->rcv.adv) && seq_lt(c->rcv.nxt, seg_end(g)))
        return RX_NEXT;
    return outside(t, c, g);
}

/* The end of a connection that the peer resets: who opened decides what is told (MUST-11). */
static void take_reset(struct tcp *t, struct tcp_conn *c)
{
    int err = ORIEL_ECONNRESET;
    if (c->state == TCP_SYN_RCVD && !(c->is & TCP_IS_PASSIVE))
        err = ORIEL_ECONNREFUSED;
    if (c->state == TCP_CLOSING || c->state == TCP_LAST_ACK)
        err = 0;                                /* both had closed */
    c->is |= TCP_IS_RESET;
    tcp_end(t, c, err);
}

/* Second, RST (RFC 5961, 3.2): only exactly where we expect the next byte. */
static enum rx check_reset(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!(g->flags & TCP_RST))
        return RX_NEXT;
    if (!seq_eq(g->seq, c->rcv.nxt)) {
        tcp_challenge(t, c, WHY_ACK_CHALLENGE);
        return drop(t, g, DROP_TCP_RST_CHALLENGED);
    }
    take_reset(t, c);
    return drop(t, g, DROP_TCP_RST_TAKEN);
}

/* Fourth, SYN (RFC 5961, 4.2). */
static enum rx check_syn(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!(g->flags & TCP_SYN))
        return RX_NEXT;
    tcp_challenge(t, c, WHY_ACK_CHALLENGE);
    return drop(t, g, DROP_TCP_SYN_CHALLENGED);
}

/* The connection ends here, and its acknowledgement of the peer's FIN cannot wait for its turn. */
static void ack_fin(struct tcp *t, struct tcp_conn *c)
{
    if (tcp_emit_segment(t, c, c->snd.nxt, 0, TCP_ACK, WHY_ACK_FIN) != 0)
        t->acks_lost++;                     /* the FIN comes again, for the record to answer */
}

/* What follows from our FIN's acknowledgement. */
static enum rx fin_acked(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!(c->is & TCP_IS_FIN_SENT) || tcp_outstanding(c))
        return RX_NEXT;
    if (c->state == TCP_FIN_WAIT_1) {
        tcp_set_state(t, c, TCP_FIN_WAIT_2);
        return RX_NEXT;
    }
    if (c->state != TCP_CLOSING && c->state != TCP_LAST_ACK)
        return RX_NEXT;
    pkt_free(g->p);
    g->p = NULL;
    if (c->state == TCP_CLOSING && c->out.ack_why != WHY_NONE)
        ack_fin(t, c);
    if (c->state == TCP_CLOSING)
        tcp_end_time_wait(t, c);
    else
        tcp_end(t, c, 0);
    return RX_DONE;
}

/* Fifth, ACK. */
static enum rx process_ack(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!(g->flags & TCP_ACK))
        return drop(t, g, DROP_TCP_NO_ACK);
    if (c->state == TCP_SYN_RCVD && !tcp_open_on_ack(t, c, g))
        return RX_DONE;
    if (!tcp_ack_input(t, c, g))
        return RX_DONE;
    return fin_acked(t, c, g);
}

/* Data is consumed in these states only; beyond the peer's FIN there is none. */
static bool takes_text(const struct tcp_conn *c)
{
    return c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 ||
           c->state == TCP_FIN_WAIT_2 || (c->state == TCP_SYN_RCVD && (c->is & TCP_IS_TFO));
}

/* RFC 3168, 6.1.3: marks are about data in the window; CWR is heard before new marks are. */
static void note_marks(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    if (!(c->is & (TCP_IS_ECN | TCP_IS_ACCECN)))
        return;
    if (c->is & TCP_IS_ACCECN) {
        tcp_accecn_on_segment(t, c, g);
        return;
    }
    if (g->flags & TCP_CWR)
        c->is &= ~(uint32_t)TCP_IS_CE;
    if ((g->tos & 3) == 3 && g->len > 0) {
        c->is |= TCP_IS_CE;
        tcp_ack_now(t, c, WHY_ACK_ECN);
    }
}

/* RFC 2525, 2.17; SHLD-3: nobody will ever read it, and the peer should know. */
static enum rx nobody_reads(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    tcp_reset_conn(t, c, WHY_RST_UNREAD);
    tcp_end(t, c, ORIEL_ECONNRESET);
    return drop(t, g, DROP_TCP_NOBODY_READS);
}

/* Eighth, FIN was consumed. */
static void on_fin(struct tcp *t, struct tcp_conn *c)
{
    tcp_ack_now(t, c, WHY_ACK_FIN);
    c->is |= TCP_IS_FIN_RCVD;
    switch ((enum oriel_tcp_state)c->state) {
    case ORIEL_TCP_SYN_RCVD:
    case ORIEL_TCP_ESTABLISHED:
        tcp_set_state(t, c, TCP_CLOSE_WAIT);
        return;
    case ORIEL_TCP_FIN_WAIT_1:                  /* ours is not acknowledged, or it were FIN-WAIT-2 */
        tcp_set_state(t, c, TCP_CLOSING);
        return;
    case ORIEL_TCP_FIN_WAIT_2:
        ack_fin(t, c);
        tcp_end_time_wait(t, c);
        return;
    case ORIEL_TCP_CLOSED:
    case ORIEL_TCP_LISTEN:
    case ORIEL_TCP_SYN_SENT:
    case ORIEL_TCP_CLOSE_WAIT:
    case ORIEL_TCP_CLOSING:
    case ORIEL_TCP_LAST_ACK:
    case ORIEL_TCP_TIME_WAIT:
    case ORIEL_TCP_STATES:
        return;
    }
}

/* Seventh and eighth: the text, and FIN where it is in order. Consumes the packet. */
static enum rx process_text(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (g->len == 0 && !(g->flags & TCP_FIN)) {
        pkt_free(g->p);
        g->p = NULL;
        return RX_DONE;
    }
    if (!takes_text(c)) {
        answer(t, c, g, WHY_ACK_OUTSIDE);
        return drop(t, g, DROP_TCP_AFTER_FIN);
    }
    if (!seq_lt(c->rcv.nxt, c->rcv.adv)) {
        tcp_ack_now(t, c, WHY_ACK_PROBE);
        return drop(t, g, DROP_TCP_NO_SPACE);
    }
    if ((c->is & TCP_IS_ORPHAN) && g->len > 0 && seq_lt(c->rcv.nxt, seq_add(g->seq, g->len)))
        return nobody_reads(t, c, g);
    bool fin = tcp_reasm_input(t, c, g);
    if ((c->is & TCP_IS_SHUT_RD) && c->rcv.unread > 0)
        tcp_reasm_skip(t, c, c->rcv.unread);
    if (fin)
        on_fin(t, c);
    return RX_DONE;
}

static enum rx process_urgent(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (oriel_unlikely(g->flags & TCP_URG))
        tcp_urgent_input(t, c, g);
    return RX_NEXT;
}

void tcp_rx_synchronized(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    c->stat.data_in += g->len > 0;              /* RFC 4898: whatever becomes of it */
    if (check_timestamps(t, c, g) != RX_NEXT)
        return;
    if (c->state == TCP_SYN_RCVD && !tcp_open_on_syn_again(t, c, g))
        return;                                 /* simultaneous open: SYN-ACK is as good as ACK */
    if (check_sequence(t, c, g) != RX_NEXT)
        return;
    if (check_reset(t, c, g) != RX_NEXT)
        return;
    if (check_syn(t, c, g) != RX_NEXT)          /* third, security: not kept */
        return;
    tcp_timer_on_heard(t, c);
    if (c->is & TCP_IS_TS)
        tcp_ts_on_segment(t, c, g);
    note_marks(t, c, g);
    if (process_ack(t, c, g) != RX_NEXT)
        return;
    if (process_urgent(t, c, g) != RX_NEXT)
        return;
    (void)process_text(t, c, g);
}

/* ---- in ---- */

ORIEL_NEVER_INLINE void tcp_rx(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (c->state == TCP_SYN_SENT) {
        tcp_rx_syn_sent(t, c, g);
    } else if (c->state == TCP_CLOSED) {        /* its SYN waits for data (7413): not there yet */
        g->hash = tcp_tuple_hash(t, &g->tuple);
        tcp_listen_input(t, g);
    } else {
        tcp_rx_synchronized(t, c, g);
    }
}

void tcp_input(struct tcp *t, struct pkt *p, const struct ip_rx *rx)
{
    struct tcp_seg g;
    enum drop why = parse(t, p, rx, &g);
    if (oriel_unlikely(why != DROP_NONE)) {
        pkt_drop(t->env, p, why);
        return;
    }
    g.hash = tcp_tuple_hash(t, &g.tuple);
    struct tcp_conn *c = tcp_find_hashed(t, &g.tuple, g.hash);
    if (oriel_unlikely(!c)) {
        tcp_listen_input(t, &g);
        return;
    }
    c->stat.segs_in++;
    TRACE(t->env, EV_TCP_SEG_RX, tcp_conn_id(t, c), g.seq.v, g.ack.v, g.len);
    t->heard = c;
    if (oriel_unlikely(!tcp_predict(t, c, &g)))
        tcp_rx(t, c, &g);
}
