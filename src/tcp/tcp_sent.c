/*
 * The scoreboard (RFC 6675, 4): a record for each transmission that is not acknowledged.
 *
 * A record is what left in one piece, up to a super-segment, so that a window of megabytes is some
 * dozens of records and an acknowledgement of one costs what one record costs. Acknowledgements take
 * from the front; selective ones cut a record at whole segments, rounding inwards: whoever
 * acknowledges half a segment has not got it. What is SACKED melts into one record with its
 * neighbours, so that passing over it costs one step however often a peer repeats it: the work of a
 * block is a look-up and what it newly tells. A peer can make one record of each segment, and is
 * stopped before it takes the last eighth of the pool, which is for sending.
 *
 * Besides the tree of all there are three sets, and each record is in one of them: under way, in
 * order of departure (RACK's order); lost, in order of sequence (the order of sending again); SACKED.
 *
 * Each record remembers how much was delivered when it left. When it is delivered, the newest of such
 * memories gives the delivery rate since (draft-ietf-ccwg-bbr, 4.1).
 *
 * Without SACK, each duplicate acknowledgement says that some segment has left: `emulated` (RFC 6582;
 * RFC 9937, 6.2).
 */
#include "tcp/tcp.h"

#define RESERVE_SHARE 8         /* that part of the pool is not for splitting by SACK */

static struct tcp_sent *of_node(struct seqnode *n)
{
    return n ? CONTAINER_OF(n, struct tcp_sent, node) : NULL;
}

static struct tcp_sent *of_alt(struct seqnode *n)
{
    return n ? CONTAINER_OF(n, struct tcp_sent, alt) : NULL;
}

static struct tcp_sent *of_time(struct list *n)
{
    return CONTAINER_OF(n, struct tcp_sent, by_time);
}

struct tcp_sent *tcp_sent_first(const struct tcp_conn *c)
{
    return of_node(c->flight->sent.tree.first);
}

struct tcp_sent *tcp_sent_last(const struct tcp_conn *c)
{
    return of_node(c->flight->sent.tree.last);
}

struct tcp_sent *tcp_sent_after(const struct tcp_sent *r)
{
    return of_node(seqtree_next(&r->node));
}

struct tcp_sent *tcp_sent_next_lost(const struct tcp_conn *c)
{
    if (oriel_unlikely(c->flight->recov.frto == FRTO_NEW_DATA))
        return NULL;
    return of_alt(c->flight->sent.lost.first);
}

uint32_t tcp_pipe(const struct tcp_conn *c)
{
    return scoreboard_pipe(&c->flight->sent);
}

void tcp_sent_init(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    uint64_t seed = t->env->hash_seed;
    *s = (struct tcp_scoreboard){.fack = c->snd.una};
    seqtree_init(&s->tree, (uint32_t)seed);
    seqtree_init(&s->lost, (uint32_t)(seed >> 16));
    seqtree_init(&s->sacked, (uint32_t)(seed >> 32));
    list_init(&s->by_time);
}

void tcp_sent_free(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    while (s->tree.first) {
        struct tcp_sent *r = of_node(s->tree.first);
        seqtree_remove(&s->tree, &r->node);
        pool_put(&t->records, r);
    }
}

/* ---- sending ---- */

/* What a record remembers of the moment when it leaves; it is counted already. */
static ORIEL_ALWAYS_INLINE void stamp(const struct tcp *t, struct tcp_scoreboard *s,
                                      struct tcp_sent *r)
{
    uint32_t pipe = scoreboard_pipe(s);
    if (pipe <= r->len)         /* nothing else is under way: an interval begins */
        s->first_sent_at = s->delivered_at = t->env->now;
    r->sent_at = t->env->now;
    r->delivered = s->delivered;
    r->delivered_at = s->delivered_at;
    r->first_sent_at = s->first_sent_at;
    r->tx_flight = pipe;
    r->tx_lost = (uint32_t)s->lost_total;
    if (s->app_limited != 0)
        r->flags |= SENT_APP_LIMITED;
}

static void to_time(struct tcp_sent *r)
{
    r->by_time.next = r->by_time.prev = NULL;
}

struct tcp_sent *tcp_sent_add(struct tcp *t, struct tcp_conn *c, uint32_t len, uint16_t seg,
                              uint8_t flags)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    ORIEL_ASSERT(len > 0 && seg > 0);
    struct tcp_sent *r = pool_get(&t->records);
    if (oriel_unlikely(!r))
        return NULL;
    seqtree_insert(&s->tree, &r->node, c->snd.nxt);
    to_time(r);
    list_push_back(&s->by_time, &r->by_time);
    r->len = len;
    r->flags = flags;
    r->times = 1;
    r->why = WHY_NONE;
    r->seg = seg;
    r->skew = 0;
    s->out_bytes += len;
    stamp(t, s, r);
    return r;
}

static void unlist_lost(struct tcp_scoreboard *s, struct tcp_sent *r)
{
    seqtree_remove(&s->lost, &r->alt);
    s->lost_bytes -= r->len;
    r->flags &= (uint16_t)~SENT_LOST;
}

void tcp_sent_again(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    ORIEL_ASSERT(!(r->flags & SENT_SACKED));
    if (r->flags & SENT_LOST) {
        unlist_lost(s, r);
    } else {
        if (!(r->flags & SENT_TWICE))
            s->twice_bytes += r->len;
        r->flags |= SENT_TWICE;
        list_remove(&r->by_time);
    }
    if (!(r->flags & SENT_RESENT))
        s->resent_bytes += r->len;
    r->flags &= (uint16_t)~(SENT_PROBE | SENT_APP_LIMITED);
    r->flags |= SENT_RESENT | SENT_EVER_RESENT;
    if (r->times < UINT8_MAX)
        r->times++;
    r->seg = c->snd.mss;
    r->skew = 0;
    to_time(r);
    list_push_back(&s->by_time, &r->by_time);
    if (c->is & TCP_IS_TS)
        r->ts_val = tcp_ts_now(t, c);
    stamp(t, s, r);
    tcp_undo_on_resent(c, r);
}

void tcp_sent_on_dry(struct tcp_conn *c)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    uint32_t pipe = scoreboard_pipe(s);
    if (s->lost_bytes > 0 || pipe + c->snd.mss > c->flight->cc.cwnd)
        return;                 /* it is not the application that limits */
    s->app_limited = s->delivered + pipe;
    if (s->app_limited == 0)
        s->app_limited = 1;
}

/* ---- cutting ---- */

/* The first n units stay in r, the others become a record of their own: it, or NULL. */
static struct tcp_sent *cut(struct tcp *t, struct tcp_scoreboard *s, struct tcp_sent *r, uint32_t n)
{
    ORIEL_ASSERT(n > 0 && n < r->len);
    ORIEL_ASSERT(!(r->flags & SENT_SACKED));
    struct tcp_sent *b = pool_get(&t->records);
    if (!b)
        return NULL;
    *b = *r;
    b->len = r->len - n;
    b->skew = (uint16_t)((r->skew + n) % r->seg);
    r->len = n;
    r->flags &= (uint16_t)~SENT_FIN;
    seq_t key = seq_add(r->node.key, n);
    seqtree_insert(&s->tree, &b->node, key);
    if (r->flags & SENT_LOST) {
        seqtree_insert(&s->lost, &b->alt, key);
    } else {
        to_time(b);
        list_insert_after(&r->by_time, &b->by_time);
    }
    if (b->why == WHY_RTX_RTO)
        b->why = WHY_RTX_LOSS;  /* the timer sends one segment; the others follow as they may */
    return b;
}

bool tcp_sent_split(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r, uint32_t n)
{
    return cut(t, &c->flight->sent, r, n) != NULL;
}

/* The same because a peer says so. */
static struct tcp_sent *cut_by_sack(struct tcp *t, struct tcp_scoreboard *s, struct tcp_sent *r,
                                    uint32_t n)
{
    uint32_t left = t->records.cap - t->records.live;
    return left > t->records.cap / RESERVE_SHARE ? cut(t, s, r, n) : NULL;
}

/* Beginning of the first segment that begins at offset n or later; perhaps beyond the record. */
static uint32_t round_up(const struct tcp_sent *r, uint32_t n)
{
    uint32_t rest = (n + r->skew) % r->seg;
    return rest == 0 ? n : n + (r->seg - rest);
}

/* End of the last segment that ends at offset n or before; 0: none does. */
static uint32_t round_down(const struct tcp_sent *r, uint32_t n)
{
    uint32_t rest = (n + r->skew) % r->seg;
    return rest < n ? n - rest : 0;
}

static uint32_t segs_of(const struct tcp_sent *r)
{
    return (r->len + r->skew + r->seg - 1) / r->seg;
}

/* ---- delivery ---- */

/*
 * RFC 8985, 6.2 step 2: was it perhaps an earlier transmission that arrived? The timestamp that comes
 * back is older than the retransmission, or it came back faster than the path is.
 */
static bool is_ambiguous(const struct tcp *t, const struct tcp_conn *c, const struct tcp_sent *r,
                         const struct tcp_acked *a)
{
    if (a->has_ts && (c->is & TCP_IS_TS) && (int32_t)(a->ts_ecr - r->ts_val) < 0)
        return true;
    return t->env->now - r->sent_at < (uint64_t)c->rtt.min_us * NS_PER_US;
}

static void note_newest(struct tcp_delivered *d, const struct tcp_sent *r, seq_t end)
{
    d->has_newest = true;
    d->newest_resent = (r->flags & SENT_EVER_RESENT) != 0;
    d->newest_app_limited = (r->flags & SENT_APP_LIMITED) != 0;
    d->newest_end = end;
    d->newest_sent_at = r->sent_at;
    d->newest_delivered = r->delivered;
    d->newest_delivered_at = r->delivered_at;
    d->newest_first_sent_at = r->first_sent_at;
    d->newest_tx_flight = r->tx_flight;
    d->newest_tx_lost = r->tx_lost;
}

static void note_sent_once(struct tcp_delivered *d, const struct tcp_sent *r)
{
    if (!d->has_lowest || r->sent_at > d->rtt_sent_at)
        d->rtt_sent_at = r->sent_at;
    if (!d->has_lowest || r->sent_at < d->rtt_first_at)
        d->rtt_first_at = r->sent_at;
    if (!d->has_lowest || seq_lt(r->node.key, d->lowest_never_resent))
        d->lowest_never_resent = r->node.key;
    d->has_lowest = true;
}

/* The first n units of r have arrived, and we did not know it. */
static void deliver(const struct tcp *t, const struct tcp_conn *c, const struct tcp_sent *r,
                    uint32_t n, const struct tcp_acked *a, struct tcp_delivered *d)
{
    seq_t end = seq_add(r->node.key, n);
    bool resent = (r->flags & SENT_EVER_RESENT) != 0;
    d->bytes += n;
    if (!resent)
        note_sent_once(d, r);
    if (oriel_unlikely(r->flags & (SENT_LOST | SENT_PROBE))) {
        d->probe_delivered |= (r->flags & SENT_PROBE) != 0;
        d->spurious_bytes += (r->flags & SENT_LOST) ? n : 0;
    }
    bool newer = !d->has_newest || r->sent_at > d->newest_sent_at ||
                 (r->sent_at == d->newest_sent_at && seq_lt(d->newest_end, end));
    if (newer && !(resent && is_ambiguous(t, c, r, a)))
        note_newest(d, r, end);
}

/* n units of a record with those flags are no longer to be counted. */
static void uncount(struct tcp_scoreboard *s, unsigned flags, uint32_t n)
{
    if (oriel_likely(!(flags & (SENT_SACKED | SENT_LOST | SENT_RESENT | SENT_TWICE))))
        return;
    if (flags & SENT_SACKED)
        s->sacked_bytes -= n;
    if (flags & SENT_LOST)
        s->lost_bytes -= n;
    if (flags & SENT_RESENT)
        s->resent_bytes -= n;
    if (flags & SENT_TWICE)
        s->twice_bytes -= n;
}

/* Out of the one of the three sets in which it is. */
static void leave_set(struct tcp_scoreboard *s, struct tcp_sent *r)
{
    if (oriel_likely(!(r->flags & (SENT_SACKED | SENT_LOST)))) {
        list_remove(&r->by_time);
    } else if (r->flags & SENT_LOST) {
        seqtree_remove(&s->lost, &r->alt);
    } else {
        seqtree_remove(&s->sacked, &r->alt);
        s->sacked_segs -= r->segs;
    }
}

/* ---- cumulative acknowledgement ---- */

static void trim(struct tcp_scoreboard *s, struct tcp_sent *r, uint32_t n)
{
    seq_t key = seq_add(r->node.key, n);
    r->skew = (uint16_t)((r->skew + n) % r->seg);
    r->len -= n;
    seqtree_rekey(&r->node, key);
    if (r->flags & (SENT_SACKED | SENT_LOST))
        seqtree_rekey(&r->alt, key);
    uncount(s, r->flags, n);
    s->out_bytes -= n;
}

static void drop_first(struct tcp *t, struct tcp_scoreboard *s, struct tcp_sent *r)
{
    leave_set(s, r);
    uncount(s, r->flags, r->len);
    s->out_bytes -= r->len;
    seqtree_remove(&s->tree, &r->node);
    pool_put(&t->records, r);
}

static void ack_up_to(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a,
                      struct tcp_delivered *d)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    for (struct tcp_sent *r; (r = of_node(s->tree.first)) != NULL;) {
        int32_t ahead = seq_diff(r->node.key, a->ack);
        if (ahead <= 0)
            break;
        bool whole = (uint32_t)ahead >= r->len;
        uint32_t n = whole ? r->len : (uint32_t)ahead;
        if (!(r->flags & SENT_SACKED))
            deliver(t, c, r, n, a, d);
        d->resent_acked |= (r->flags & SENT_EVER_RESENT) != 0;
        d->acked_bytes += n;
        if (!whole) {
            trim(s, r, n);
            break;
        }
        drop_first(t, s, r);
    }
}

/* ---- selective acknowledgement ---- */

/* Everything of b, which follows a; both are SACKED, b not in the set of those. */
static void melt(struct tcp *t, struct tcp_scoreboard *s, struct tcp_sent *a, struct tcp_sent *b)
{
    a->len += b->len;
    a->segs += b->segs;
    a->flags |= b->flags & (SENT_FIN | SENT_EVER_RESENT);
    seqtree_remove(&s->tree, &b->node);
    pool_put(&t->records, b);
}

/* r is SACKED from now on; the record that it is part of then. */
static struct tcp_sent *mark_sacked(struct tcp *t, struct tcp_scoreboard *s, struct tcp_sent *r)
{
    leave_set(s, r);
    uncount(s, r->flags, r->len);
    r->flags = (uint16_t)((r->flags & (SENT_FIN | SENT_EVER_RESENT)) | SENT_SACKED);
    r->segs = segs_of(r);
    s->sacked_bytes += r->len;
    s->sacked_segs += r->segs;
    struct tcp_sent *before = of_node(seqtree_prev(&r->node));
    struct tcp_sent *behind = of_node(seqtree_next(&r->node));
    if (before && (before->flags & SENT_SACKED)) {
        melt(t, s, before, r);
        r = before;
    } else {
        seqtree_insert(&s->sacked, &r->alt, r->node.key);
    }
    if (behind && (behind->flags & SENT_SACKED)) {
        seqtree_remove(&s->sacked, &behind->alt);
        melt(t, s, r, behind);
    }
    return r;
}

/* That part of r which the block covers; the last record that was looked at. */
static struct tcp_sent *sack_part(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r,
                                  const struct tcp_sack *b, const struct tcp_acked *a,
                                  struct tcp_delivered *d)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    int32_t left = seq_diff(r->node.key, b->left);
    uint32_t right = (uint32_t)seq_diff(r->node.key, b->right);
    uint32_t lo = left > 0 ? round_up(r, (uint32_t)left) : 0;
    uint32_t hi = right < r->len ? round_down(r, right) : r->len;
    if (lo >= hi)
        return r;
    if (lo > 0) {
        struct tcp_sent *cut_off = cut_by_sack(t, s, r, lo);
        if (!cut_off)
            return r;
        r = cut_off;
    }
    if (hi - lo < r->len && !cut_by_sack(t, s, r, hi - lo))
        return r;
    deliver(t, c, r, r->len, a, d);
    d->sacked_bytes += r->len;
    return mark_sacked(t, s, r);
}

static void sack_block(struct tcp *t, struct tcp_conn *c, const struct tcp_sack *b,
                       const struct tcp_acked *a, struct tcp_delivered *d)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    struct tcp_sent *r = of_node(seqtree_floor(&s->tree, b->left));
    if (!r)
        r = of_node(s->tree.first);
    for (; r && seq_lt(r->node.key, b->right); r = tcp_sent_after(r)) {
        if (!(r->flags & SENT_SACKED))
            r = sack_part(t, c, r, b, a, d);
    }
}

/* ---- without SACK ---- */

/* One acknowledgement fills the hole; what it acknowledges besides has been counted as having left. */
static void settle_emulated(struct tcp_conn *c, struct tcp_delivered *d)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    uint32_t acked = d->acked_bytes;
    uint32_t hole = acked < c->snd.mss ? acked : c->snd.mss;
    d->bytes = acked > s->emulated && acked - s->emulated > hole ? acked - s->emulated : hole;
    uint32_t eaten = acked - hole;
    s->emulated -= eaten < s->emulated ? eaten : s->emulated;
    if (s->emulated > s->out_bytes)
        s->emulated = s->out_bytes;
}

void tcp_sent_on_duplicate(struct tcp *t, struct tcp_conn *c, struct tcp_delivered *d)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    const struct tcp_sent *first = tcp_sent_first(c);
    if (!first)
        return;
    uint32_t hole = first->len < c->snd.mss ? first->len : c->snd.mss;
    if (hole < s->lost_bytes)
        hole = s->lost_bytes;
    uint32_t held = hole + s->emulated;
    uint32_t n = s->out_bytes > held ? s->out_bytes - held : 0;
    if (n > c->snd.mss)
        n = c->snd.mss;
    s->emulated += n;
    d->bytes += n;
    s->delivered += n;
    s->delivered_at = t->env->now;
}

void tcp_sent_no_emulation(struct tcp_conn *c)
{
    c->flight->sent.emulated = 0;
}

/* ---- the whole of it ---- */

static void on_delivered(const struct tcp *t, struct tcp_scoreboard *s, struct tcp_delivered *d)
{
    s->delivered += d->bytes;
    s->delivered_at = t->env->now;
    if (d->has_newest)
        s->first_sent_at = d->newest_sent_at;
    if (s->app_limited != 0 && s->delivered > s->app_limited)
        s->app_limited = 0;
}

/* Judged by what was known before this acknowledgement: within one there is no order to be seen. */
static void note_reordering(struct tcp_scoreboard *s, const struct tcp_acked *a,
                            struct tcp_delivered *d)
{
    d->reordered = d->has_lowest && seq_lt(d->lowest_never_resent, s->fack);
    if (seq_lt(s->fack, a->ack))
        s->fack = a->ack;
    struct tcp_sent *top = of_alt(s->sacked.last);
    if (oriel_unlikely(top != NULL) && seq_lt(s->fack, sent_end(top)))
        s->fack = sent_end(top);
}

void tcp_sent_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a,
                     struct tcp_delivered *d)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    ack_up_to(t, c, a, d);
    for (unsigned i = 0; i < a->sack_n; i++)
        sack_block(t, c, &a->sack[i], a, d);
    if (oriel_unlikely(s->emulated > 0) && d->acked_bytes > 0)
        settle_emulated(c, d);
    if (d->bytes > 0)
        on_delivered(t, s, d);
    note_reordering(s, a, d);
}

/* ---- delivery rate ---- */

/* Of intervals shorter than the path is: those are of acknowledgements that came in a bunch. */
static void rate_over(struct cc_sample *s, uint64_t sending, uint64_t acking, uint64_t bytes,
                      uint64_t least)
{
    uint64_t interval = sending > acking ? sending : acking;
    bool good = interval >= least;
    s->interval_ns = good ? interval : 0;
    s->rate_bytes = good ? bytes : 0;
}

void tcp_sent_rate(const struct tcp_conn *c, const struct tcp_delivered *d, struct cc_sample *s)
{
    const struct tcp_scoreboard *b = &c->flight->sent;
    s->prior_delivered = d->newest_delivered;
    s->tx_flight = d->newest_tx_flight;
    s->tx_lost = (uint32_t)b->lost_total - d->newest_tx_lost;
    s->app_limited = d->newest_app_limited;
    rate_over(s, d->newest_sent_at - d->newest_first_sent_at,
              b->delivered_at - d->newest_delivered_at, b->delivered - d->newest_delivered,
              s->min_rtt_ns);
}

/* ---- the short way ---- */

static void drop_plain(struct tcp *t, struct tcp_scoreboard *s, struct tcp_sent *r)
{
    list_remove(&r->by_time);
    s->out_bytes -= r->len;
    seqtree_remove(&s->tree, &r->node);
    pool_put(&t->records, r);
}

static void plain_rate(struct tcp_scoreboard *s, const struct tcp_sent *r, oriel_time now,
                       struct cc_sample *out)
{
    out->rtt_ns = now - r->sent_at;
    out->prior_delivered = r->delivered;
    out->tx_flight = r->tx_flight;
    out->tx_lost = (uint32_t)s->lost_total - r->tx_lost;
    out->app_limited = (r->flags & SENT_APP_LIMITED) != 0;
    out->delivered_total = s->delivered;
    rate_over(out, r->sent_at - r->first_sent_at, now - r->delivered_at,
              s->delivered - r->delivered, out->min_rtt_ns);
    s->first_sent_at = r->sent_at;
}

/* The last record is the newest, the first one the oldest: they leave the front of both orders. */
void tcp_sent_on_plain_ack(struct tcp *t, struct tcp_conn *c, seq_t ack, struct cc_sample *out)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    struct tcp_sent *r = of_node(s->tree.first);
    uint32_t bytes = (uint32_t)seq_diff(r->node.key, ack);
    for (; (uint32_t)seq_diff(r->node.key, ack) > r->len; r = of_node(s->tree.first))
        drop_plain(t, s, r);
    s->delivered += bytes;
    s->delivered_at = t->env->now;
    plain_rate(s, r, t->env->now, out);
    uint32_t n = (uint32_t)seq_diff(r->node.key, ack);
    if (n < r->len)
        trim(s, r, n);
    else
        drop_plain(t, s, r);
    if (s->app_limited != 0 && s->delivered > s->app_limited)
        s->app_limited = 0;
    if (seq_lt(s->fack, ack))
        s->fack = ack;
    out->acked_bytes = out->delivered_bytes = bytes;
    out->flight = s->out_bytes;
}

/* ---- lost, and not lost after all ---- */

void tcp_sent_mark_lost(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r, enum why why)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    ORIEL_ASSERT(!(r->flags & (SENT_SACKED | SENT_LOST)));
    bool by_size = why == WHY_RTX_MTU || (r->flags & SENT_PROBE);       /* nobody's congestion */
    if (!by_size && r->sent_at > s->lost_sent_at)
        s->lost_sent_at = r->sent_at;
    uncount(s, r->flags, r->len);
    list_remove(&r->by_time);
    r->flags &= (uint16_t)~(SENT_RESENT | SENT_TWICE);
    r->flags |= SENT_LOST;
    r->why = (uint8_t)why;
    seqtree_insert(&s->lost, &r->alt, r->node.key);
    s->lost_bytes += r->len;
    if (!by_size)
        s->lost_total += r->len;
    TRACE(t->env, EV_TCP_LOST, tcp_conn_id(t, c), r->node.key.v, r->len, why);
}

static bool left_before(const struct tcp_sent *a, const struct tcp_sent *b)
{
    if (a->sent_at != b->sent_at)
        return a->sent_at < b->sent_at;
    return seq_lt(a->node.key, b->node.key);
}

/* Back among those under way, by time; the search begins at `near`, a node of that list or its head. */
static void back_in_time(struct tcp_scoreboard *s, struct tcp_sent *r, struct list *near)
{
    if (r->flags & SENT_EVER_RESENT) {
        r->flags |= SENT_RESENT;
        s->resent_bytes += r->len;
    }
    while (near != &s->by_time && left_before(r, of_time(near)))
        near = near->prev;
    while (near->next != &s->by_time && left_before(of_time(near->next), r))
        near = near->next;
    to_time(r);
    list_insert_after(near, &r->by_time);
}

void tcp_sent_unmark_lost(struct tcp_conn *c)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    struct list *near = &s->by_time;
    while (s->lost.first) {
        struct tcp_sent *r = of_alt(s->lost.first);
        unlist_lost(s, r);
        back_in_time(s, r, near);
        near = &r->by_time;
    }
}

void tcp_sent_reneged(struct tcp_conn *c)
{
    struct tcp_scoreboard *s = &c->flight->sent;
    struct list *near = &s->by_time;
    while (s->sacked.first) {
        struct tcp_sent *r = of_alt(s->sacked.first);
        leave_set(s, r);
        uncount(s, r->flags, r->len);
        r->flags &= (uint16_t)~SENT_SACKED;
        r->seg = c->snd.mss;    /* what melted had perhaps different ones */
        r->skew = 0;
        back_in_time(s, r, near);
        near = &r->by_time;
    }
}
