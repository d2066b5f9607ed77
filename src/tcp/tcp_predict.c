/*
 * Header prediction: what a conversation consists of, data that continues what came before or an
 * acknowledgement of what was sent, needs none of the questions of RFC 9293, 3.10.7.4. It leaves out
 * only what the long way (tcp_input.c) would find to be so again; a test runs everything with it and
 * without.
 *
 * And known frames: when a segment of a connection came up the whole way, it is remembered what its
 * frame began with. The next one of that connection is recognised from its bytes (wire/flow.h), and comes
 * here straight from the link, past the layers that would say of it what they said of the last one. What
 * they would say hangs on the interface and on `gen` of the network layer, which are compared. Of
 * connections whose ports meet in one slot the last one is known: the others take the way up.
 */
#include "tcp/tcp.h"

/* ---- as predicted? ---- */

#define NOT_PLAIN (TCP_IS_CE | TCP_IS_URG_IN | TCP_IS_ACCECN | TCP_IS_ORPHAN | TCP_IS_SHUT_RD | \
                   TCP_IS_OOB_BYTE)

/* Could nothing but its place in the stream be remarkable of it? */
static ORIEL_ALWAYS_INLINE bool is_plain(const struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *g)
{
    return (g->flags & ~(unsigned)TCP_PSH) == TCP_ACK && c->state == TCP_ESTABLISHED &&
           seq_eq(g->seq, c->rcv.nxt) && g->wnd << c->snd_wscale == c->snd.wnd &&
           !(c->is & NOT_PLAIN) && g->opts.sack_n == 0 && t->set.fast_path && (g->tos & 3) != 3;
}

static bool ts_plain(const struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *g)
{
    if (!(c->is & TCP_IS_TS))
        return true;
    return g->opts.has_ts && !tcp_paws_old(t, c, g);
}

/* Does it say something that header prediction has nothing to say about? */
static inline bool ack_plain(const struct tcp_conn *c, const struct tcp_seg *g)
{
    return seq_leq(c->snd.una, g->ack) && seq_leq(g->ack, c->snd.nxt) &&
           (g->len > 0 || !seq_eq(c->snd.una, g->ack));
}

static inline bool text_plain(const struct tcp_conn *c, const struct tcp_seg *g)
{
    if (g->len == 0)
        return seq_lt(c->rcv.nxt, c->rcv.adv);
    return seq_diff(seq_add(g->seq, g->len), c->rcv.adv) >= 0 &&
           !(c->flight && (c->flight->ooo.tree.n > 0 || c->flight->ooo.has_fin));
}

static ORIEL_ALWAYS_INLINE bool is_predicted(const struct tcp *t, const struct tcp_conn *c,
                                const struct tcp_seg *g)
{
    return oriel_likely(is_plain(t, c, g) && ts_plain(t, c, g) && ack_plain(c, g) &&
                        text_plain(c, g));
}

static inline void take(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    tcp_timer_on_heard(t, c);
    if (c->is & TCP_IS_TS)
        tcp_ts_on_segment(t, c, g);
    if (seq_eq(c->snd.una, g->ack))
        tcp_ack_idle(c, g);
    else
        tcp_ack_advance(t, c, g);
    if (g->len == 0) {
        pkt_free(g->p);
        return;
    }
    c->stat.data_in++;
    t->run.c = c;
    tcp_reasm_plain(t, c, g);
}

bool tcp_predict(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    if (!is_predicted(t, c, g))
        return false;
    take(t, c, g);
    return true;
}

/* ---- known frames ---- */

static struct tcp_known *known_slot(struct tcp *t, uint32_t ports)
{
    return &t->known[ports * 0x9e3779b1u >> (32 - TCP_KNOWN_BITS)];
}

/* Its ports as a frame that arrives has them. */
static uint32_t ports_of(const struct tcp_conn *c)
{
    return (uint32_t)c->tuple.remote_port << 16 | c->tuple.local_port;
}

void tcp_known_forget(struct tcp *t, const struct tcp_conn *c)
{
    struct tcp_known *k = known_slot(t, ports_of(c));
    if (k->c == c)
        k->c = NULL;
    if (t->heard == c)
        t->heard = NULL;
}

/* Not where translation has a say in each of its packets. */
void tcp_known_learn(struct tcp *t, const uint8_t *began, uint16_t nif)
{
    struct tcp_conn *c = t->heard;
    struct tcp_known *k = known_slot(t, ports_of(c));
    const struct netif *n = netif_at(t->ip->link, nif);
    /* Marked by the network: the next one is hopefully not. */
    bool usual = (flow_tos(began) & 3) != 3 && n && n->plain &&
                 !ip_if_of(t->ip, nif)->nat && memcmp(began, n->mac.b, sizeof(n->mac.b)) == 0;
    if (!usual || !t->set.fast_path || !flow_learn(&k->form, began)) {
        if (k->c == c)
            k->c = NULL;        /* who else is known there stays so */
        return;
    }
    k->c = c;
    k->gen = t->ip->gen;
    k->nif = nif;
    k->tos = flow_tos(began);
    t->knows = true;
}

/* Does the frame belong to a connection that is known, and is it right? */
static ORIEL_ALWAYS_INLINE bool is_known(const struct tcp *t, const struct tcp_known *k,
                                         const struct netif *nif, const struct pkt *p, size_t len,
                                         struct flow_seg *f)
{
    if (oriel_unlikely(!nif->plain || len > ether_frame_max(nif, 0) ||
                       (p->flags & ~PKT_PAYS) != 0 || p->gso != GSO_NONE ||
                       !flow_match(&k->form, pkt_span(p), len, f)))
        return false;
    if (nif->vouches && p->csum != CSUM_NONE)
        return true;
    uint64_t sum = oriel_likely(f->len <= CSUM_SMALL && p->more_n == 0)
                       ? csum_wide(pkt_data(p) + f->at, f->len)
                       : pkt_sum(t->env, p, f->at, f->len);
    return oriel_likely(flow_good(f, sum));
}

static ORIEL_ALWAYS_INLINE void seg_of(struct tcp_seg *g, struct pkt *p, const struct tcp_known *k,
                                       const struct flow_seg *f)
{
    g->p = p;
    g->seq = f->seq;
    g->ack = f->ack;
    g->len = f->len;
    g->wnd = f->wnd;
    g->data_at = f->at;
    g->flags = f->flags;
    g->tos = k->tos;
    g->opts.has_ts = f->has_ts;
    g->opts.ts_val = f->ts_val;
    g->opts.ts_ecr = f->ts_ecr;
    g->opts.sack_n = 0;
}

/* It is not as predicted: as if it had come up, with all that is to be known of it. */
static ORIEL_NEVER_INLINE void take_as_any(struct tcp *t, struct pkt *p, const struct tcp_known *k,
                                           const struct flow_seg *f)
{
    struct tcp_conn *c = k->c;
    struct tcp_seg g;
    pkt_unwrap(p, ETH_HDR_LEN);
    pkt_trim(p, f->at + f->len - ETH_HDR_LEN);
    p->l4 = IP4_HDR_LEN;
    tcp_opts_none(&g.opts);
    seg_of(&g, p, k, f);
    g.data_at -= ETH_HDR_LEN;
    g.tuple = c->tuple;
    g.nif = k->nif;
    g.urg = 0;                  /* the flag is not set */
    tcp_rx(t, c, &g);
}

bool tcp_known_take(struct tcp *t, struct pkt *p)
{
    if (p->head.len < FLOW_HDR_MIN)
        return false;
    const struct tcp_known *k = known_slot(t, flow_ports(pkt_span(p)));
    struct tcp_conn *c = k->c;
    struct flow_seg f;
    struct tcp_seg g;
    size_t len = pkt_len(p);
    if (!c || k->nif != p->nif || k->gen != t->ip->gen)
        return false;
    struct netif *nif = &t->ip->link->netifs[k->nif - 1u];
    if (!is_known(t, k, nif, p, len, &f))
        return false;
    nif->stats.rx_pkts++;
    nif->stats.rx_bytes += len;
    c->stat.segs_in++;
    TRACE(t->env, EV_TCP_SEG_RX, tcp_conn_id(t, c), f.seq.v, f.ack.v, f.len);
    seg_of(&g, p, k, &f);
    if (is_predicted(t, c, &g))
        take(t, c, &g);
    else
        take_as_any(t, p, k, &f);
    return true;
}
