/*
 * Payload arrives: in order it joins the queue (tcp_rcvq.c), out of order it waits in ranges.
 *
 * A range is a chain of packets without a gap between them; ranges are disjoint, do not touch, and
 * lie beyond rcv.nxt. They stand in a tree by their first number, so that whatever order a peer
 * chooses costs a logarithm. Of bytes that come twice the first copy stays (and the second is told
 * as a duplicate, RFC 2883): who sees our acknowledgement of some bytes can never exchange them
 * later.
 *
 * What is acknowledged selectively is never thrown away (RFC 2018, 8 would permit it): what we
 * cannot keep is dropped as it comes, as if it had been lost on the way. Limits: TCP_RANGES_MAX
 * ranges of one connection, the pool of ranges, the memory that tcp_rcv.h allows.
 *
 * Acknowledgements: at once when something is out of order, fills a gap or is a duplicate (RFC
 * 5681, 4.2); for every second full segment; otherwise later. They are built when the interface
 * asks, so one covers all that a batch brought.
 */
#include "tcp/tcp_rcv.h"

#define OOO_BUDGET_SHARE 8      /* data out of order leaves this part of the stack's budget alone */

/* One segment on its way in. */
struct arrival {
    struct tcp *t;
    struct tcp_conn *c;
    struct pkt *p;              /* NULL: its payload was taken or dropped */
    seq_t seq, end;             /* of the payload that is left */
    seq_t fin_at;               /* with fin: the FIN's number */
    bool fin;
    bool duplicate;             /* some of it was here; the first such range was told */
};

/* ---- packets that are nothing but payload ---- */

void tcp_rcv_strip_slow(struct pkt *p, uint32_t n)
{
    n -= p->head.len;
    pkt_pull(p, p->head.len);
    unsigned gone = 0;
    while (gone < p->more_n && n >= p->more[gone].len) {
        n -= p->more[gone].len;
        blk_put(p->more[gone++].blk);
    }
    for (unsigned i = gone; i < p->more_n; i++)
        p->more[i - gone] = p->more[i];
    p->more_n = (uint8_t)((p->more_n - gone) & 7);
    if (n > 0) {
        ORIEL_ASSERT(p->more_n > 0);
        p->more[0].off += n;
        p->more[0].len -= n;
    }
}

/* The segment's packet, cut to its payload. What refers to a stream of this machine, and
 * outlives its acknowledgement there, is paid for here; where the budget is used up, it goes
 * without. */
static inline struct pkt *payload_of(struct tcp_seg *g)
{
    struct pkt *p = g->p;
    g->p = NULL;
    pkt_trim(p, (size_t)g->data_at + g->len);
    tcp_rcv_strip(p, g->data_at);
    if (oriel_unlikely(p->more_n > 0 && !(p->flags & PKT_PAYS)))
        (void)pkt_charge_payload(p);
    return p;
}

/* What p holds from n on, in a packet of its own that shares its blocks; NULL: no memory. */
static struct pkt *share_from(struct env *env, const struct pkt *p, uint32_t n)
{
    struct pkt *q = pkt_share(env, p);
    if (q)
        tcp_rcv_strip(q, n);
    return q;
}

/* ---- ranges ---- */

static struct tcp_range *range_of(struct seqnode *n)
{
    return n ? CONTAINER_OF(n, struct tcp_range, node) : NULL;
}

static struct tcp_range *first_range(const struct tcp_conn *c)
{
    return c->flight ? range_of(c->flight->ooo.tree.first) : NULL;
}

/* The range that holds that number; NULL. */
static struct tcp_range *range_with(const struct tcp_ooo *o, seq_t seq)
{
    struct tcp_range *r = range_of(seqtree_floor(&o->tree, seq));
    return r && seq_lt(seq, r->end) ? r : NULL;
}

static uint32_t chain_cost(const struct pkt *p)
{
    uint32_t n = 0;
    for (; p; p = p->next)
        n += rcv_cost(p);
    return n;
}

void tcp_ooo_init(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_ooo *o = &c->flight->ooo;
    *o = (struct tcp_ooo){.recent_n = 0};
    seqtree_init(&o->tree, (uint32_t)rng_u64(&t->env->rng));
}

static void range_free(struct tcp *t, struct tcp_ooo *o, struct tcp_range *r)
{
    seqtree_remove(&o->tree, &r->node);
    pool_put(&t->ranges, r);
}

/* All that lies out of order goes. */
static void forget_ranges(struct tcp *t, struct tcp_conn *c, enum drop why)
{
    struct tcp_ooo *o = &c->flight->ooo;
    for (struct tcp_range *r; (r = range_of(o->tree.first)) != NULL;) {
        for (struct pkt *p; (p = r->first) != NULL;) {
            r->first = p->next;
            p->next = NULL;
            pkt_drop(t->env, p, why);
        }
        range_free(t, o, r);
    }
    o->bytes = o->charge = 0;
    o->recent_n = 0;
}

void tcp_reasm_free(struct tcp *t, struct tcp_conn *c)
{
    if (c->flight)
        forget_ranges(t, c, DROP_SOCK_CLOSED);
}

/*
 * The range with that number changed last. `recent` names ranges by a number inside each, latest
 * first, each range once: those that are gone fall out here, and those that were merged, which only
 * happens to the range that changes.
 */
static void touch(struct tcp_ooo *o, seq_t seq)
{
    const struct tcp_range *own = range_with(o, seq);
    seq_t keep[TCP_SACK_MAX] = {seq};
    unsigned n = 1;
    for (unsigned i = 0; i < o->recent_n && n < TCP_SACK_MAX; i++) {
        const struct tcp_range *r = range_with(o, o->recent[i]);
        if (r && r != own)
            keep[n++] = o->recent[i];
    }
    memcpy(o->recent, keep, n * sizeof(keep[0]));
    o->recent_n = (uint8_t)n;
}

/* ---- duplicates (RFC 2883, 4) ---- */

/*
 * [from, to) came and was here already. Told once a segment, the first contiguous part of it; parts
 * of several segments that touch are told together with the next acknowledgement.
 */
static void note_duplicate(struct arrival *a, seq_t from, seq_t to)
{
    struct tcp_conn *c = a->c;
    if (a->duplicate)
        return;
    a->duplicate = true;
    if (!(c->is & TCP_IS_SACK) || !tcp_flight_of(a->t, c))
        return;
    struct tcp_sack *d = &c->flight->dsack;
    bool touches = c->out.dsack && seq_leq(from, d->right) && seq_leq(d->left, to);
    if (touches) {
        d->left = seq_lt(from, d->left) ? from : d->left;
        d->right = seq_lt(d->right, to) ? to : d->right;
    } else {
        *d = (struct tcp_sack){.left = from, .right = to};
    }
    c->out.dsack = 1;
    if (range_with(&c->flight->ooo, from))
        touch(&c->flight->ooo, from);           /* told behind it: the range that contains it */
}

static void drop_rest(struct arrival *a, enum drop why)
{
    if (a->p)
        pkt_drop(a->t->env, a->p, why);
    a->p = NULL;
}

/* ---- acknowledging what came in order ---- */

/* unit: payload of one segment of it. */
static inline void owe_ack(struct tcp *t, struct tcp_conn *c, uint32_t len, uint32_t unit)
{
    if (oriel_unlikely(unit > c->rcv.mss))
        c->rcv.mss = unit > UINT16_MAX ? UINT16_MAX : (uint16_t)unit;
    uint32_t mss = c->rcv.mss;
    uint32_t full = len < mss ? 0 : len < 2 * mss ? 1 : 2;
    uint32_t owed = (uint32_t)seq_diff(c->rcv.acked, c->rcv.nxt);
    if (c->rcv.unacked_segs < 2)
        c->rcv.unacked_segs = (uint8_t)(c->rcv.unacked_segs + full);
    if (c->rcv.unacked_segs >= 2 || owed >= 2 * mss)
        tcp_ack_now(t, c, WHY_ACK_EVERY_2ND);   /* SHLD-19 */
    else if (c->out.quick > 0 && !c->prof->quickack_off)
        tcp_ack_now(t, c, WHY_ACK_QUICK);
    else
        tcp_timer_on_ack_owed(t, c);
}

static inline uint32_t unit_of(const struct pkt *p, uint32_t len)
{
    return p->gso_size > 0 && p->gso_size < len ? p->gso_size : len;
}

/* ---- in order ---- */

/* The first range became the next in order: its packets join the queue. */
static void splice(struct tcp *t, struct tcp_conn *c, struct tcp_range *r)
{
    struct tcp_ooo *o = &c->flight->ooo;
    uint32_t cost = o->tree.n == 1 ? o->charge : chain_cost(r->first);
    uint32_t len = (uint32_t)seq_diff(r->node.key, r->end);
    c->rcv.unread += len;
    c->rcv.nxt = r->end;
    c->stat.bytes_in += len;
    o->charge -= cost;
    o->bytes -= len;
    rcvq_link(c, r->first, r->last, cost);
    range_free(t, o, r);
}

static void splice_all(struct arrival *a)
{
    struct tcp_conn *c = a->c;
    for (struct tcp_range *r; (r = first_range(c)) != NULL && seq_eq(r->node.key, c->rcv.nxt);)
        splice(a->t, c, r);
}

/*
 * a->seq is rcv.nxt. What lies in ranges already stays, so only the bytes between them are taken;
 * of a packet that goes on behind a range the rest is a packet of its own.
 */
static void deliver(struct arrival *a)
{
    struct tcp_conn *c = a->c;
    while (a->p) {
        struct tcp_range *r = first_range(c);
        struct pkt *rest = NULL;
        seq_t cut = a->end, on = a->end;
        if (r && seq_lt(r->node.key, a->end)) {
            cut = r->node.key;
            on = seq_lt(r->end, a->end) ? r->end : a->end;
            note_duplicate(a, cut, on);
            if (seq_lt(on, a->end))
                rest = share_from(a->t->env, a->p, (uint32_t)seq_diff(a->seq, on));
            pkt_trim(a->p, (size_t)seq_diff(a->seq, cut));
        }
        tcp_rcvq_append(a->t, c, a->p, (uint32_t)seq_diff(a->seq, cut));
        splice_all(a);
        a->p = rest;
        a->seq = on;
    }
    splice_all(a);
}

/* ---- out of order ---- */

/* r and the range behind it touch now. */
static void join_next(struct tcp *t, struct tcp_ooo *o, struct tcp_range *r)
{
    struct tcp_range *next = range_of(seqtree_next(&r->node));
    if (!next || !seq_eq(next->node.key, r->end))
        return;
    r->last->next = next->first;
    r->last = next->last;
    r->end = next->end;
    range_free(t, o, next);
}

static struct tcp_range *range_new(struct tcp *t, struct tcp_ooo *o, seq_t seq)
{
    if (o->tree.n >= TCP_RANGES_MAX)
        return NULL;
    struct tcp_range *r = pool_get(&t->ranges);
    if (!r)
        return NULL;
    *r = (struct tcp_range){.end = seq};
    seqtree_insert(&o->tree, &r->node, seq);
    return r;
}

/* May a packet of that cost with len bytes be kept out of order? */
static bool may_keep(const struct tcp *t, const struct tcp_conn *c, uint32_t cost, uint32_t len)
{
    const struct budget *b = t->env->budget;
    if (b->used > b->max - b->max / OOO_BUDGET_SHARE)
        return false;
    /* What it takes, less what was set aside for its bytes. */
    return cost <= RCV_PER_BYTE * len ||
           rcv_memory(c) + cost - RCV_PER_BYTE * len <= RCV_MEMORY * (uint64_t)c->rcv.buf;
}

static void put_behind(struct tcp_range *r, struct pkt *p, seq_t end)
{
    if (r->last)
        r->last->next = p;
    else
        r->first = p;
    r->last = p;
    r->end = end;
}

static void put_before(struct tcp_range *r, struct pkt *p, seq_t seq)
{
    p->next = r->first;
    r->first = p;
    seqtree_rekey(&r->node, seq);
}

/*
 * Bytes [seq, end) that no range holds, and p with them, as far as there is room. prev, next: the
 * ranges before and behind them; NULL. Consumes p.
 */
static void keep(struct arrival *a, struct tcp_range *prev, struct tcp_range *next, struct pkt *p,
                 seq_t seq, seq_t end)
{
    struct tcp *t = a->t;
    struct tcp_ooo *o = &a->c->flight->ooo;
    uint32_t len = (uint32_t)seq_diff(seq, end), left = len;
    bool behind = prev && seq_eq(prev->end, seq);
    if (behind && !may_keep(t, a->c, rcv_cost(p), len))
        p = tcp_rcv_squeeze(t->env, prev->last, p, &left);
    if (p && !may_keep(t, a->c, rcv_cost(p), left)) {
        pkt_drop(t->env, p, DROP_TCP_NO_SPACE);
        end = seq_add(seq, len - left);         /* what was copied stays */
        if (left == len)
            return;
        len -= left;
        p = NULL;
    }
    bool before = !behind && next && seq_eq(next->node.key, end);
    struct tcp_range *r = behind ? prev : before ? next : range_new(t, o, seq);
    if (!r) {
        pkt_drop(t->env, p, DROP_TCP_REASM_FULL);
        return;
    }
    o->bytes += len;
    o->charge += p ? rcv_cost(p) : 0;
    if (!p)
        r->end = end;
    else if (before)
        put_before(r, p, seq);
    else
        put_behind(r, p, end);
    join_next(t, o, r);
    touch(o, seq);
}

/* Off the front goes what the range before it holds. False: nothing is left. */
static bool trim_by_prev(struct arrival *a, const struct tcp_range *prev)
{
    if (!prev || !seq_lt(a->seq, prev->end))
        return true;
    seq_t to = seq_lt(prev->end, a->end) ? prev->end : a->end;
    note_duplicate(a, a->seq, to);
    if (seq_eq(to, a->end))
        return false;
    tcp_rcv_strip(a->p, (uint32_t)seq_diff(a->seq, to));
    a->seq = to;
    return true;
}

/* Into the ranges, between those that hold some of it. */
static void insert(struct arrival *a)
{
    struct tcp_ooo *o = &a->c->flight->ooo;
    while (a->p) {
        struct tcp_range *prev = range_of(seqtree_floor(&o->tree, a->seq));
        if (!trim_by_prev(a, prev)) {
            drop_rest(a, DROP_TCP_DUPLICATE);
            break;
        }
        struct tcp_range *next = range_of(seqtree_above(&o->tree, a->seq));
        struct pkt *p = a->p;
        seq_t seq = a->seq, cut = a->end;
        a->p = NULL;
        if (next && seq_lt(next->node.key, a->end)) {
            cut = next->node.key;
            if (seq_lt(next->end, a->end))
                a->p = share_from(a->t->env, p, (uint32_t)seq_diff(seq, cut));
            else
                note_duplicate(a, cut, a->end);
            pkt_trim(p, (size_t)seq_diff(seq, cut));
        }
        a->seq = cut;
        keep(a, prev, next, p, seq, cut);
    }
}

/* ---- the peer's FIN ---- */

/* The FIN stands where it stands: a second place for it is nonsense, and so is data behind it. */
static void remember_fin(struct arrival *a)
{
    if (!tcp_flight_of(a->t, a->c))
        return;
    struct tcp_ooo *o = &a->c->flight->ooo;
    struct tcp_range *last = range_of(o->tree.last);
    if (o->has_fin || (last && seq_lt(a->fin_at, last->end)))
        return;
    o->has_fin = true;
    o->fin = a->fin_at;
}

/* All before the FIN is here: it is consumed. */
static bool take_fin(struct arrival *a)
{
    struct tcp_conn *c = a->c;
    struct tcp_ooo *o = c->flight ? &c->flight->ooo : NULL;
    if (a->fin && !seq_eq(a->fin_at, c->rcv.nxt))
        remember_fin(a);
    bool due = a->fin ? seq_eq(a->fin_at, c->rcv.nxt)
                      : o && o->has_fin && seq_eq(o->fin, c->rcv.nxt);
    if (!due)
        return false;
    if (o) {
        o->has_fin = false;
        forget_ranges(a->t, c, DROP_TCP_AFTER_FIN);     /* what claims to be behind it */
    }
    c->rcv.nxt = seq_add(c->rcv.nxt, 1);
    c->is |= TCP_IS_FIN_RCVD;
    tcp_mark_dirty(a->t, c);
    return true;
}

/* ---- a segment that is anything but the next one ---- */

/* What was received before goes off the front. */
static void trim_left(struct arrival *a)
{
    seq_t nxt = a->c->rcv.nxt;
    if (a->fin && seq_lt(a->fin_at, nxt))
        a->fin = false;
    if (!seq_lt(a->seq, nxt))
        return;
    seq_t to = seq_lt(a->end, nxt) ? a->end : nxt;
    if (seq_lt(a->seq, to))
        note_duplicate(a, a->seq, to);
    tcp_rcv_strip(a->p, (uint32_t)seq_diff(a->seq, to));
    a->seq = seq_lt(a->end, nxt) ? a->end : nxt;
}

/* What lies beyond the window, or beyond the FIN, goes off the end. Why it went; DROP_NONE. */
static enum drop trim_right(struct arrival *a)
{
    struct tcp_conn *c = a->c;
    seq_t edge = c->rcv.adv;
    enum drop why = DROP_TCP_NO_SPACE;
    if (!seq_lt(a->fin_at, edge))
        a->fin = false;         /* a FIN takes a number of the window too */
    if (c->flight && c->flight->ooo.has_fin) {
        edge = c->flight->ooo.fin;
        why = DROP_TCP_AFTER_FIN;
        a->fin &= seq_eq(a->fin_at, edge);
    }
    if (c->is & TCP_IS_FIN_RCVD) {
        edge = c->rcv.nxt;
        why = DROP_TCP_AFTER_FIN;
        a->fin = false;
    }
    if (seq_leq(a->end, edge))
        return DROP_NONE;
    a->fin = false;
    a->end = seq_lt(edge, a->seq) ? a->seq : edge;
    pkt_trim(a->p, (size_t)seq_diff(a->seq, a->end));
    return why;
}

static bool arrived_in_order(struct arrival *a, uint32_t unit)
{
    struct tcp_conn *c = a->c;
    seq_t from = c->rcv.nxt;
    bool gap = first_range(c) != NULL;
    deliver(a);
    if (oriel_unlikely(c->is & TCP_IS_URG_IN))
        tcp_urgent_on_arrived(a->t, c, from);
    bool fin = take_fin(a);
    if (fin)
        tcp_ack_now(a->t, c, WHY_ACK_FIN);
    else if (gap)
        tcp_ack_now(a->t, c, WHY_ACK_FILLED);
    else if (a->duplicate)
        tcp_ack_now(a->t, c, WHY_ACK_DUPLICATE);
    else
        owe_ack(a->t, c, (uint32_t)seq_diff(from, c->rcv.nxt), unit);
    tcp_mark_dirty(a->t, c);
    return fin;
}

static void arrived_out_of_order(struct arrival *a)
{
    struct tcp_conn *c = a->c;
    if (!tcp_flight_of(a->t, c)) {
        drop_rest(a, DROP_TCP_REASM_FULL);
        tcp_ack_now(a->t, c, WHY_ACK_OUT_OF_ORDER);
        return;
    }
    uint32_t before = c->flight->ooo.bytes;
    insert(a);
    bool kept = c->flight->ooo.bytes > before;
    if (kept && c->stat.ooo < UINT16_MAX)
        c->stat.ooo++;
    if (a->fin)
        remember_fin(a);        /* it stands there, whether or not the bytes before it had room */
    tcp_ack_now(a->t, c, kept || !a->duplicate ? WHY_ACK_OUT_OF_ORDER : WHY_ACK_DUPLICATE);
}

static ORIEL_NEVER_INLINE bool input_any(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    struct arrival a = {.t = t, .c = c, .p = payload_of(g), .seq = g->seq,
                        .end = seq_add(g->seq, g->len), .fin = (g->flags & TCP_FIN) != 0};
    uint32_t unit = unit_of(a.p, g->len);
    a.fin_at = a.end;
    trim_left(&a);
    enum drop cut = trim_right(&a);
    bool empty = seq_eq(a.seq, a.end);
    if (empty && !a.fin) {
        tcp_ack_now(t, c, a.duplicate ? WHY_ACK_DUPLICATE : WHY_ACK_OUTSIDE);
        drop_rest(&a, cut != DROP_NONE ? cut : DROP_TCP_DUPLICATE);
        return false;
    }
    if (empty) {
        pkt_free(a.p);          /* a FIN alone */
        a.p = NULL;
    }
    if (seq_eq(a.seq, c->rcv.nxt))
        return arrived_in_order(&a, unit);
    arrived_out_of_order(&a);
    return false;
}

void tcp_reasm_plain(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    struct pkt *p = payload_of(g);
    uint32_t unit = unit_of(p, g->len);
    tcp_rcvq_append(t, c, p, g->len);
    owe_ack(t, c, g->len, unit);
    tcp_mark_dirty(t, c);
}

bool tcp_reasm_input(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    bool plain = seq_eq(g->seq, c->rcv.nxt) && g->len > 0 && !(g->flags & TCP_FIN) &&
                 !(c->is & (TCP_IS_FIN_RCVD | TCP_IS_URG_IN)) &&
                 g->len <= rcv_promised(c) &&
                 (!c->flight || (c->flight->ooo.tree.n == 0 && !c->flight->ooo.has_fin));
    if (oriel_unlikely(!plain))
        return input_any(t, c, g);
    tcp_reasm_plain(t, c, g);
    return false;
}

bool tcp_reasm_next(struct tcp *t, struct tcp_conn *c, struct pkt *p, uint32_t at, uint32_t len)
{
    tcp_rcv_strip(p, at);
    uint32_t unit = unit_of(p, len);
    tcp_rcvq_append(t, c, p, len);
    bool asked = c->rcv.unacked_segs >= 2 && (c->out.want & TCP_WANT_ACK) && unit <= c->rcv.mss;
    if (oriel_unlikely(!asked))
        owe_ack(t, c, len, unit);
    return asked;
}

void tcp_reasm_train(struct tcp_conn *c, struct pkt *first, struct pkt *last, unsigned n, uint32_t len)
{
    uint32_t bytes = n * len;
    c->rcv.nxt = seq_add(c->rcv.nxt, bytes);
    c->rcv.unread += bytes;
    c->stat.bytes_in += bytes;
    rcvq_link(c, first, last, n * rcv_cost(first));
}

void tcp_reasm_on_old(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    struct arrival a = {.t = t, .c = c};
    seq_t end = seq_add(g->seq, g->len);
    seq_t to = seq_lt(end, c->rcv.nxt) ? end : c->rcv.nxt;
    if (seq_lt(g->seq, to))
        note_duplicate(&a, g->seq, to);
}

/* ---- selective acknowledgements (RFC 2018, 4; 2883, 4) ---- */

static void add_block(struct tcp_opts *o, const struct tcp_range *r, unsigned max,
                      const struct tcp_range **told, unsigned *n)
{
    if (!r || o->sack_n >= max)
        return;
    for (unsigned i = 0; i < *n; i++)
        if (told[i] == r)
            return;
    told[(*n)++] = r;
    o->sack[o->sack_n++] = (struct tcp_sack){.left = r->node.key, .right = r->end};
}

void tcp_reasm_sacks(const struct tcp_conn *c, struct tcp_opts *o, unsigned max)
{
    const struct tcp_range *told[TCP_SACK_MAX];
    unsigned n = 0;
    o->sack_n = 0;
    if (!(c->is & TCP_IS_SACK) || !c->flight)
        return;
    const struct tcp_ooo *q = &c->flight->ooo;
    if (max > TCP_SACK_MAX)
        max = TCP_SACK_MAX;
    if (c->out.dsack && max > 0)
        o->sack[o->sack_n++] = c->flight->dsack;
    for (unsigned i = 0; i < q->recent_n; i++)
        add_block(o, range_with(q, q->recent[i]), max, told, &n);
    for (struct seqnode *s = q->tree.first; s && o->sack_n < max; s = seqtree_next(s))
        add_block(o, range_of(s), max, told, &n);       /* of ranges that were merged */
}
