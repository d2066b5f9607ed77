/*
 * Runs: within one batch of frames, segments that continue each other are taken one after the other
 * without going up through the layers again.
 *
 * Header prediction (tcp_input.c) names the connection whose data it just took; the stack shows the
 * frame that brought it. Of the frames that follow in the batch, those that wire/run.h recognises as
 * the next of that run are checked (its sequence, the room for it, its checksum) and appended. Everything
 * else takes the whole way and ends the run, so whatever such a packet changes cannot be overlooked.
 * What is left out is only what the whole way would find to be so again.
 */
#include "tcp/tcp.h"

void tcp_run_learn(struct tcp *t, struct span frame, uint16_t nif)
{
    const struct netif *n = netif_at(t->ip->link, nif);
    t->run.on = n && n->plain && run_learn(&t->run.wire, frame, ether_frame_max(n, 0));
    t->run.nif = nif;
}

/* The sum of the payload, which begins at `at`: usually the head is headers and a slice is the rest. */
static inline uint32_t payload_sum(const struct tcp *t, const struct pkt *p,
                                   const struct run_seg *g)
{
    if (oriel_likely(p->more_n == 1 && p->head.len == g->at && p->more[0].len == g->len))
        return csum_span(t->env->csum, span_of(p->more[0].blk->bytes + p->more[0].off, g->len));
    if (p->more_n == 0)
        return csum_span(t->env->csum, span_of(pkt_data(p) + g->at, g->len));
    return pkt_sum(t->env, p, g->at, g->len);
}

static ORIEL_NEVER_INLINE void note(struct tcp *t, const struct tcp_conn *c, struct pkt *p,
                                    const struct run_seg *g)
{
    struct env *env = t->env;
    if (TRACE_ON(env, EV_PKT_RX)) {
        env->cause = p->ev;
        p->ev = env->cause = trace_put(env, EV_PKT_RX, (enum why)p->why, DROP_NONE, p->nif,
                                       pkt_len(p), 0, 0);
    }
    TRACE(env, EV_TCP_SEG_RX, tcp_conn_id(t, c), g->seq.v, c->snd.una.v, g->len);
}

/* Is p the next of the run, and right? */
static inline bool is_next(struct tcp *t, struct tcp_run *run, struct pkt *p, size_t frame_len,
                           struct run_seg *g)
{
    const struct tcp_conn *c = run->c;
    if (oriel_unlikely(p->nif != run->nif || (p->flags & ~PKT_PAYS) != 0 || p->gso != GSO_NONE ||
                       p->csum == CSUM_PARTIAL ||
                       !run_match(&run->wire, pkt_span(p), frame_len, g)))
        return false;
    return oriel_likely(seq_eq(g->seq, c->rcv.nxt) &&
                        seq_diff(seq_add(g->seq, g->len), c->rcv.adv) >= 0 &&
                        (p->csum != CSUM_NONE || run_good(g, payload_sum(t, p, g))) &&
                        (p->budget == t->env->budget || pkt_recharge(p, t->env->budget)));
}

unsigned tcp_run_take(struct tcp *t, struct pkt *pkts[], unsigned n)
{
    struct tcp_run *run = &t->run;
    struct tcp_conn *c = run->c;
    struct netif *nif = netif_at(t->ip->link, run->nif);
    bool traced = TRACE_ON(t->env, EV_PKT_RX) || TRACE_ON(t->env, EV_TCP_SEG_RX);
    struct run_seg g = {0};
    uint64_t bytes = 0;
    unsigned i = 0;
    for (; i < n; i++) {
        struct pkt *p = pkts[i];
        size_t len = pkt_len(p);
        if (!is_next(t, run, p, len, &g))
            break;
        bytes += len;
        if (oriel_unlikely(traced))
            note(t, c, p, &g);
        if (oriel_unlikely(len > g.at + g.len))
            pkt_trim(p, g.at + g.len);  /* padding of the link */
        tcp_reasm_next(t, c, p, g.at, g.len);
    }
    if (i == 0)
        return 0;
    nif->stats.rx_pkts += i;
    nif->stats.rx_bytes += bytes;
    c->stat.segs_in += i;
    c->stat.data_in += i;
    tcp_ack_told(c, g.seq);
    tcp_mark_dirty(t, c);
    return i;
}
