/*
 * Runs: within one batch of frames, segments that continue each other are taken one after the other
 * without going up through the layers again.
 *
 * Header prediction (tcp_predict.c) names the connection whose data it just took; the stack shows the
 * frame that brought it. Of the frames that follow in the batch, those that wire/run.h recognises as
 * the next of that run are checked (its sequence, the room for it, its checksum) and appended; a train of
 * them, as one sender cuts it, in one loop that changes the connection once, at its end. Everything
 * else takes the whole way and ends the run, so whatever such a packet changes cannot be overlooked.
 * What is left out is only what the whole way would find to be so again.
 */
#include "tcp/tcp_rcv.h"

void tcp_run_learn(struct tcp *t, struct span frame, uint16_t nif)
{
    const struct netif *n = netif_at(t->ip->link, nif);
    t->run.on = n && n->plain && run_learn(&t->run.wire, frame, ether_frame_max(n, 0));
    t->run.nif = nif;
    t->run.vouches = n && n->vouches;
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

static ORIEL_NEVER_INLINE void note(struct tcp *t, const struct tcp_conn *c, struct pkt *p, seq_t seq,
                                    uint32_t len)
{
    struct env *env = t->env;
    if (TRACE_ON(env, EV_PKT_RX)) {
        env->cause = p->ev;
        p->ev = env->cause = trace_put(env, EV_PKT_RX, (enum why)p->why, DROP_NONE, p->nif,
                                       pkt_len(p), 0, 0);
    }
    TRACE(env, EV_TCP_SEG_RX, tcp_conn_id(t, c), seq.v, c->snd.una.v, len);
}

static inline bool is_traced(const struct tcp *t)
{
    return TRACE_ON(t->env, EV_PKT_RX) || TRACE_ON(t->env, EV_TCP_SEG_RX);
}

/* ---- trains ---- */

/*
 * Packets of a train are alike in all that is known of them: headers in the head, as much payload in one
 * slice; their checksums are to be looked at. What they change in the connection and in budgets is the
 * same for each.
 */
struct train {
    struct pkt_kind kind;
    struct budget *from;        /* where they are charged, */
    struct budget *to;          /* and are to be, */
    bool fixed;                 /* with an amount that stays the same */
    bool traced;
    uint32_t len;               /* bytes of payload */
    uint32_t cost;
    uint32_t (*sum)(const uint8_t *p, size_t n);
    struct pkt **end;           /* no further than that */
};

/* Those that are like p, as it came. */
static inline void train_like(const struct tcp *t, const struct pkt *p, struct train *r)
{
    r->kind = pkt_kind_of(p);
    r->from = p->budget;
    r->fixed = p->budget == t->env->budget || (p->flags & PKT_PAYS) != 0;
}

/* May a train follow p, which is of the run? */
static inline bool train_may_follow(const struct pkt *p, const struct run_seg *g, struct train *r)
{
    r->len = g->len;
    r->cost = rcv_cost(p);
    return r->fixed && p->more_n == 1 && p->head.len == g->at && p->more[0].len == g->len &&
           p->csum == CSUM_NONE && !rcv_costly(p, g->len);
}

/* How many of n: the peer was promised room for them, and they can be paid for. */
static unsigned train_max(const struct tcp *t, const struct train *r, unsigned n)
{
    uint32_t room = rcv_promised(t->run.c) / r->len;
    n = n < room ? n : room;
    return r->from == r->to || budget_has(r->to, (uint64_t)n * r->cost) ? n : 0;
}

/* Is p the next, and right? Bytes of its headers are a constant where they are the usual ones. */
static ORIEL_ALWAYS_INLINE bool is_of_train(const struct wire_run *run, const struct train *r,
                                            const struct pkt *p, seq_t seq, size_t hdr_len)
{
    const struct slice *s = &p->more[0];
    const uint8_t *b = pkt_data(p);
    return pkt_is_of(p, r->kind) && p->budget == r->from && p->head.len == hdr_len &&
           s->len == r->len && run_follows(run, b, seq, hdr_len) &&
           run_follows_good(run, b, seq, hdr_len, r->sum(s->blk->bytes + s->off, r->len));
}

/* As many from there on as are, with nothing left of their heads, linked. Where they end. */
static ORIEL_ALWAYS_INLINE struct pkt **couple(struct tcp *t, const struct train *r,
                                               struct pkt **at, size_t hdr_len)
{
    struct pkt *head, **link = &head;
    for (seq_t seq = t->run.c->rcv.nxt; at < r->end; at++) {
        struct pkt *p = *at;
        if (oriel_unlikely(!is_of_train(&t->run.wire, r, p, seq, hdr_len)))
            break;
        if (oriel_unlikely(r->traced))
            note(t, t->run.c, p, seq, r->len);
        tcp_rcv_strip_head(p, (uint32_t)hdr_len);
        p->budget = r->to;
        seq = seq_add(seq, r->len);
        *link = p;
        link = &p->next;
    }
    return at;
}

static ORIEL_NEVER_INLINE unsigned take_train(struct tcp *t, struct train *r, struct pkt *pkts[],
                                              unsigned n)
{
    const size_t hdr_len = t->run.wire.hdr_len;
    r->to = t->env->budget;
    r->sum = t->env->csum->sum;
    r->traced = is_traced(t);
    r->end = pkts + train_max(t, r, n);
    struct pkt **end = hdr_len == RUN_HDR_MIN ? couple(t, r, pkts, RUN_HDR_MIN)
                                              : couple(t, r, pkts, hdr_len);
    n = (unsigned)(end - pkts);
    if (n == 0)
        return 0;
    budget_give(r->from, (uint64_t)n * r->cost);
    budget_spend(r->to, (uint64_t)n * r->cost);
    tcp_reasm_train(t->run.c, pkts[0], pkts[n - 1], n, r->len);
    return n;
}

/* ---- any packet of the run ---- */

/* Is p the next, and right? */
static inline bool is_next(struct tcp *t, struct pkt *p, size_t frame_len, struct run_seg *g)
{
    struct tcp_run *run = &t->run;
    const struct tcp_conn *c = run->c;
    if (oriel_unlikely(p->nif != run->nif || (p->flags & ~PKT_PAYS) != 0 || p->gso != GSO_NONE ||
                       p->csum == CSUM_PARTIAL ||
                       !run_match(&run->wire, pkt_span(p), frame_len, g)))
        return false;
    return oriel_likely(seq_eq(g->seq, c->rcv.nxt) &&
                        seq_diff(seq_add(g->seq, g->len), c->rcv.adv) >= 0 &&
                        ((run->vouches && p->csum == CSUM_VERIFIED) || run_good(g, payload_sum(t, p, g))) &&
                        pkt_recharge(p, t->env->budget));
}

/* p, which is, is taken. True: more like it can be taken as a train. */
static bool take_one(struct tcp *t, struct pkt *p, size_t frame_len, const struct run_seg *g)
{
    if (oriel_unlikely(is_traced(t)))
        note(t, t->run.c, p, g->seq, g->len);
    if (oriel_unlikely(frame_len > g->at + g->len))
        pkt_trim(p, g->at + g->len);    /* padding of the link */
    return tcp_reasm_next(t, t->run.c, p, g->at, g->len);
}

unsigned tcp_run_take(struct tcp *t, struct pkt *pkts[], unsigned n)
{
    struct tcp_run *run = &t->run;
    struct tcp_conn *c = run->c;
    struct netif *nif = netif_at(t->ip->link, run->nif);
    struct run_seg g;
    struct train r;
    seq_t newest = c->rcv.nxt;
    uint64_t bytes = 0;
    unsigned i = 0;
    while (i < n) {
        struct pkt *p = pkts[i];
        size_t len = pkt_len(p);
        train_like(t, p, &r);
        if (!is_next(t, p, len, &g))
            break;
        bool follow = train_may_follow(p, &g, &r);
        follow &= take_one(t, p, len, &g);
        i++;
        unsigned more = follow ? take_train(t, &r, pkts + i, n - i) : 0;
        bytes += len * (1 + more);
        i += more;
        newest = seq_add(g.seq, more * g.len);
    }
    if (i == 0)
        return 0;
    nif->stats.rx_pkts += i;
    nif->stats.rx_bytes += bytes;
    c->stat.segs_in += i;
    c->stat.data_in += i;
    tcp_ack_told(c, newest);
    tcp_mark_dirty(t, c);
    return i;
}
