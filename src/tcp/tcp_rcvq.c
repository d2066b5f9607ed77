/*
 * What was received in order and waits to be read; the window that we offer for more; reading.
 *
 * The queue is a chain of packets as they came: each is nothing but payload, and nothing is copied
 * until the application reads (or looks, tcp_reasm_view). Bytes are counted (rcv.unread) for the
 * window and memory by true sizes (rcv.charge) for the rule in tcp_rcv.h.
 *
 * The window. The right edge never goes back (RFC 9293, SHLD-14), and moves only by a step worth
 * telling: half of the buffer, or a full segment (3.8.6.2.2). With scaling, what is told is a
 * multiple of 2^shift: a window that shrinks as data arrives is rounded up, so that its edge does
 * not retreat, as long as that is at most an eighth of the buffer more than it should be. Beyond
 * that it is rounded down (a peer could otherwise send one byte at a time into a window that never
 * ends); whatever was promised before is still taken (RFC 7323, 2.4), since rcv.adv does not go
 * back.
 *
 * The buffer grows by itself: what the application read in a round trip, doubled, is what the next
 * round trip may bring while the peer is in slow start.
 */
#include "tcp/tcp_rcv.h"

#define FREE_SHARE      4       /* a promise is at most this part of the free memory of the stack */
#define ROUND_UP_SHARE  8       /* rounding up may exceed rcv.buf by this part of it */
#define WINDOW_MAX      UINT16_MAX
#define TUNE_RTT_US     100000  /* where no round trip was measured */
#define TUNE_SLACK_SEGS 16      /* on top of what was read twice over */

/* ---- the queue ---- */

/* Can bytes be written behind those of p? Not where somebody else looks at its block. */
static bool is_fillable(const struct pkt *p)
{
    return p->more_n == 0 && p->head.blk->refs == 1;
}

static uint32_t fill_tail(struct pkt *last, struct pkt *p, uint32_t len)
{
    if (!last || !is_fillable(last))
        return 0;
    struct blk *b = last->head.blk;
    uint32_t end = last->head.off + last->head.len;
    uint32_t room = blk_class_bytes[b->class] - end;
    uint32_t n = len < room ? len : room;
    pkt_read(p, 0, b->bytes + end, n);
    last->head.len += n;
    return n;
}

/* p's bytes in a block of a frame, or p where they do not fit or there is none. */
static struct pkt *into_frame(struct env *env, struct pkt *p, uint32_t len)
{
    if (len > blk_class_bytes[BLK_FRAME])
        return p;
    struct pkt *q = pkt_new(env, 0, blk_class_bytes[BLK_FRAME]);
    if (!q)
        return p;
    pkt_read(p, 0, pkt_data(q), len);
    pkt_trim(q, len);
    pkt_free(p);
    return q;
}

struct pkt *tcp_rcv_squeeze(struct env *env, struct pkt *last, struct pkt *p, uint32_t *len)
{
    uint32_t moved = fill_tail(last, p, *len);
    *len -= moved;
    if (*len == 0) {
        pkt_free(p);
        return NULL;
    }
    tcp_rcv_strip(p, moved);
    if (is_fillable(p) && p->head.blk->class == BLK_FRAME) {
        memmove(p->head.blk->bytes, pkt_data(p), *len);         /* the room behind it grows */
        p->head.off = 0;
        return p;
    }
    return into_frame(env, p, *len);
}

void tcp_rcvq_append_costly(struct tcp *t, struct tcp_conn *c, struct pkt *p, uint32_t len)
{
    if (rcv_memory(c) + rcv_cost(p) > RCV_MEMORY * (uint64_t)c->rcv.buf)
        p = tcp_rcv_squeeze(t->env, c->rcvq_last, p, &len);
    if (oriel_likely(p != NULL))
        rcvq_link(c, p, p, rcv_cost(p));
}

/* n bytes of p from off on; most packets are one piece by now. */
static inline void copy_out(const struct pkt *p, uint32_t off, uint8_t *to, uint32_t n)
{
    const struct slice *s = p->more_n > 0 ? &p->more[0] : &p->head;
    if (oriel_likely(p->more_n + (p->head.len != 0) == 1))
        memcpy(to, s->blk->bytes + s->off + off, n);
    else
        pkt_read(p, off, to, n);
}

/* The packets from the first one to `last` were read; it is the next one's turn. */
static void let_go(struct tcp_conn *c, struct pkt *last, uint32_t cost)
{
    struct pkt *first = c->rcvq;
    c->rcvq = last->next;
    if (!c->rcvq)
        c->rcvq_last = NULL;
    c->rcvq_off = 0;
    c->rcv.charge -= cost;
    last->next = NULL;
    pkt_free_chain(first);
}

/*
 * From the first packet on: those that are one slice of payload, unread, and have no more than n bytes in
 * all. How many bytes they were.
 */
static uint32_t consume_whole(struct tcp_conn *c, uint8_t *to, uint32_t n)
{
    struct pkt *last = NULL, *p = c->rcvq;
    uint32_t left = n, cost = 0;
    while (p && p->more_n == 1 && p->head.len == 0 && p->more[0].len <= left) {
        const struct slice *s = &p->more[0];
        uint32_t len = s->len;
        if (to) {
            memcpy(to, s->blk->bytes + s->off, len);
            to += len;
        }
        left -= len;
        cost += rcv_cost(p);
        last = p;
        p = p->next;
    }
    if (last)
        let_go(c, last, cost);
    return n - left;
}

/* What there is of the first packet, but no more than n bytes. How many that were. */
static uint32_t consume_part(struct tcp_conn *c, uint8_t *to, uint32_t n)
{
    struct pkt *p = c->rcvq;
    uint32_t left = (uint32_t)pkt_len(p) - c->rcvq_off, part = n < left ? n : left;
    if (to)
        copy_out(p, c->rcvq_off, to, part);
    c->rcvq_off += part;
    if (part == left)
        let_go(c, p, rcv_cost(p));
    return part;
}

/* The first n bytes go: copied out where somebody wants them (to), and not needed any more. */
static void consume(struct tcp_conn *c, uint8_t *to, uint32_t n)
{
    ORIEL_ASSERT(n <= c->rcv.unread);
    c->rcv.unread -= n;
    while (n > 0) {
        uint32_t part = c->rcvq_off == 0 ? consume_whole(c, to, n) : 0;
        if (part == 0)
            part = consume_part(c, to, n);
        to = to ? to + part : NULL;
        n -= part;
    }
}

void tcp_rcvq_drop(struct tcp *t, struct tcp_conn *c, enum drop why)
{
    for (struct pkt *p; (p = c->rcvq) != NULL;) {
        c->rcvq = p->next;
        p->next = NULL;
        pkt_drop(t->env, p, why);
    }
    c->rcvq_last = NULL;
    c->rcvq_off = 0;
    c->rcv.unread = 0;
    c->rcv.charge = 0;
}

/* ---- urgent data (RFC 9293, 3.8.5; 6093) ---- */

/*
 * rcv_up is the octet after the last urgent one (MUST-62). Applications know urgent data as BSD has
 * it: one byte, the last urgent one, and a mark where it stands. Unless OOBINLINE is set that byte
 * is kept apart (out.oob) and passed over by reading; reading stops at the mark once.
 */
static seq_t mark_of(const struct tcp_conn *c)
{
    return seq_add(c->rcv_up, UINT32_MAX);
}

/* How far the mark is ahead of what was read: 0 at it, negative behind it. */
static int32_t to_mark(const struct tcp_conn *c)
{
    return seq_diff(rcv_read_at(c), mark_of(c));
}

static uint8_t byte_at(const struct tcp_conn *c, uint32_t ahead)
{
    uint8_t v = 0;
    uint32_t behind = c->rcv.unread - ahead;    /* from the end: mostly it just came */
    const struct pkt *p = c->rcvq_last;
    uint32_t len = (uint32_t)pkt_len(p);
    if (behind <= len) {
        pkt_read(p, len - behind, &v, 1);
        return v;
    }
    uint32_t at = c->rcvq_off + ahead;
    for (p = c->rcvq; at >= (len = (uint32_t)pkt_len(p)); p = p->next)
        at -= len;
    pkt_read(p, at, &v, 1);
    return v;
}

/* At the mark the byte that is kept apart is not part of what can be read. */
static void pass_over(struct tcp_conn *c)
{
    if ((c->is & TCP_IS_URG_IN) && !c->prof->oobinline && c->rcv.unread > 0 && to_mark(c) == 0)
        consume(c, NULL, 1);
}

static void keep_apart(struct tcp *t, struct tcp_conn *c)
{
    c->out.oob = byte_at(c, (uint32_t)to_mark(c));
    c->is |= TCP_IS_OOB_BYTE;
    pass_over(c);
    tcp_mark_dirty(t, c);
}

static bool mark_is_here(const struct tcp_conn *c)
{
    int32_t ahead = to_mark(c);
    return ahead >= 0 && (uint32_t)ahead < c->rcv.unread;
}

void tcp_urgent_on_arrived(struct tcp *t, struct tcp_conn *c, seq_t from)
{
    if (!c->prof->oobinline && seq_leq(from, mark_of(c)) && mark_is_here(c))
        keep_apart(t, c);
}

void tcp_urgent_input(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    seq_t up = seq_add(g->seq, g->urg);
    if ((c->is & TCP_IS_FIN_RCVD) || !seq_lt(rcv_read_at(c), up))
        return;                 /* all of it was read */
    if ((c->is & TCP_IS_URG_IN) && !seq_lt(c->rcv_up, up))
        return;                 /* known: told once (MUST-32) */
    c->rcv_up = up;
    c->is |= TCP_IS_URG_IN;
    c->is &= ~(uint32_t)TCP_IS_OOB_BYTE;        /* the one before is a byte as any other now */
    tcp_mark_dirty(t, c);
    if (!c->prof->oobinline && mark_is_here(c))
        keep_apart(t, c);
}

int tcp_recv_oob(struct tcp *t, struct tcp_conn *c, void *buf, size_t cap, bool peek)
{
    (void)t;
    if (c->prof->oobinline)
        return ORIEL_EINVAL;
    if (!(c->is & TCP_IS_OOB_BYTE)) {
        bool to_come = (c->is & TCP_IS_URG_IN) && seq_leq(c->rcv.nxt, mark_of(c)) &&
                       !(c->is & TCP_IS_FIN_RCVD);
        return to_come ? ORIEL_EAGAIN : ORIEL_EINVAL;
    }
    if (cap == 0)
        return 0;
    memcpy(buf, &c->out.oob, 1);
    if (!peek)
        c->is &= ~(uint32_t)TCP_IS_OOB_BYTE;
    return 1;
}

bool tcp_at_mark(const struct tcp_conn *c)
{
    if (!(c->is & TCP_IS_URG_IN))
        return false;
    int32_t ahead = to_mark(c);
    return ahead == 0 || (ahead == -1 && !c->prof->oobinline);
}

/* The application read beyond the mark. */
static void forget_mark(struct tcp_conn *c)
{
    if ((c->is & TCP_IS_URG_IN) && to_mark(c) < (c->prof->oobinline ? 0 : -1))
        c->is &= ~(uint32_t)TCP_IS_URG_IN;
}

/* ---- reading ---- */

/* Bytes that one call may read. */
static uint32_t readable(const struct tcp_conn *c)
{
    if (oriel_likely(!(c->is & TCP_IS_URG_IN)))
        return c->rcv.unread;
    int32_t ahead = to_mark(c);
    return ahead > 0 && (uint32_t)ahead < c->rcv.unread ? (uint32_t)ahead : c->rcv.unread;
}

/* The first n bytes, copied out or not. */
static inline void take(struct tcp *t, struct tcp_conn *c, uint8_t *to, uint32_t n)
{
    consume(c, to, n);
    if (oriel_unlikely(c->is & TCP_IS_URG_IN)) {
        pass_over(c);
        forget_mark(c);
    }
    tcp_reasm_on_read(t, c, n);
}

void tcp_reasm_skip(struct tcp *t, struct tcp_conn *c, uint32_t n)
{
    take(t, c, NULL, n);
}

static void peek_at(const struct tcp_conn *c, uint8_t *to, uint32_t n)
{
    uint32_t off = c->rcvq_off;
    for (const struct pkt *p = c->rcvq; n > 0; p = p->next, off = 0) {
        uint32_t left = (uint32_t)pkt_len(p) - off, part = n < left ? n : left;
        copy_out(p, off, to, part);
        to += part;
        n -= part;
    }
}

/* All that waits is one packet in one piece, as a request or an answer is. Its bytes. */
static uint32_t read_only_one(struct tcp *t, struct tcp_conn *c, void *buf)
{
    struct pkt *p = c->rcvq;
    uint32_t n = p->head.len;
    ORIEL_ASSERT(n == c->rcv.unread);
    memcpy(buf, pkt_data(p), n);
    c->rcvq = c->rcvq_last = NULL;
    c->rcv.unread = 0;
    c->rcv.charge = 0;
    pkt_free(p);
    tcp_reasm_on_read(t, c, n);
    return n;
}

uint32_t tcp_reasm_read(struct tcp *t, struct tcp_conn *c, void *buf, uint32_t cap, bool peek)
{
    const struct pkt *first = c->rcvq;
    if (first && first == c->rcvq_last && first->more_n == 0 && first->head.len <= cap &&
        c->rcvq_off == 0 && !peek && !(c->is & TCP_IS_URG_IN))
        return read_only_one(t, c, buf);
    if (oriel_unlikely(c->is & TCP_IS_URG_IN))
        pass_over(c);           /* OOBINLINE was switched off at the mark */
    uint32_t n = readable(c);
    if (n > cap)
        n = cap;
    if (peek)
        peek_at(c, buf, n);
    else if (n > 0)
        take(t, c, buf, n);
    return n;
}

struct pieces {
    struct oriel_bytes *out;
    unsigned n, max;
    uint32_t skip, left;        /* bytes before the first piece, and to be shown */
};

static void add_piece(struct pieces *w, const struct slice *s)
{
    if (w->skip >= s->len) {
        w->skip -= s->len;
        return;
    }
    if (w->n == w->max || w->left == 0)
        return;
    uint32_t len = s->len - w->skip < w->left ? s->len - w->skip : w->left;
    w->out[w->n++] = (struct oriel_bytes){.p = s->blk->bytes + s->off + w->skip, .n = len};
    w->left -= len;
    w->skip = 0;
}

unsigned tcp_reasm_view(const struct tcp_conn *c, struct oriel_bytes out[], unsigned max)
{
    struct pieces w = {.out = out, .max = max, .skip = c->rcvq_off, .left = readable(c)};
    for (const struct pkt *p = c->rcvq; p && w.n < max && w.left > 0; p = p->next) {
        add_piece(&w, &p->head);
        for (unsigned i = 0; i < p->more_n; i++)
            add_piece(&w, &p->more[i]);
    }
    return w.n;
}

/* ---- the window ---- */

static uint32_t least(uint64_t a, uint64_t b)
{
    uint64_t v = a < b ? a : b;
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static uint64_t free_memory(const struct tcp *t)
{
    const struct budget *b = t->env->budget;
    return b->used < b->max ? b->max - b->used : 0;
}

/* Less than a unit of the window field cannot be told, and would be nothing for ever. */
static uint32_t unit_at_least(const struct tcp_conn *c, uint32_t bytes)
{
    uint32_t unit = 1u << c->rcv.wscale;
    return bytes > unit ? bytes : unit;
}

/* What may be promised of the stack's free memory: its share, or a unit where that would be
 * nothing. */
static uint64_t promisable(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t all = free_memory(t), share = all / FREE_SHARE, unit = 1u << c->rcv.wscale;
    return share < unit && unit <= all ? unit : share;
}

/* How far the right edge may be from rcv.nxt: buffer, memory, and what the application allows. */
static uint32_t room_of(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t buf = unit_at_least(c, c->rcv.buf);
    uint32_t room = c->rcv.unread < buf ? buf - c->rcv.unread : 0;
    uint64_t memory = RCV_MEMORY * (uint64_t)buf, taken = rcv_memory(c);
    uint64_t more = taken < memory ? (memory - taken) / RCV_PER_BYTE : 0;
    room = least(room, rcv_promised(c) + more);
    room = least(room, promisable(t, c));
    if (c->prof->window_clamp)
        room = least(room, unit_at_least(c, c->prof->window_clamp));
    return least(room, (uint64_t)WINDOW_MAX << c->rcv.wscale);
}

/*
 * RFC 9293, 3.8.6.2.2: the edge moves by this at least (MUST-39). Where memory or a clamp leave
 * less than the buffer, half of that: a segment as large as all of it (loopback has such) must not
 * keep the window closed for ever.
 */
static uint32_t step_of(const struct tcp_conn *c, uint32_t room, uint32_t segs)
{
    uint64_t most = (uint64_t)c->rcv.unread + room;
    return least(least(most, c->rcv.buf) / 2, (uint64_t)segs * c->rcv.mss);
}

/* Could the edge move at all, were memory no matter? A cheap question that mostly answers no. */
static inline bool may_grow(const struct tcp_conn *c, uint32_t promised)
{
    uint32_t room = c->rcv.unread < c->rcv.buf ? c->rcv.buf - c->rcv.unread : 0;
    return room > promised && (room - promised >= c->rcv.mss || promised <= room / 2);
}

/* What was promised, as a multiple of the unit that can be told. */
static uint32_t keep_promise(const struct tcp_conn *c, uint32_t promised, uint32_t unit)
{
    uint64_t up = ((uint64_t)promised + unit - 1) & ~(uint64_t)(unit - 1);
    if (oriel_likely(up == promised || c->rcv.unread + up <= c->rcv.buf))
        return (uint32_t)up;
    uint64_t buf = unit_at_least(c, c->rcv.buf), most = buf + buf / ROUND_UP_SHARE;
    return c->rcv.unread + up <= most ? (uint32_t)up : promised & ~(unit - 1);
}

/* The window of a SYN is not scaled (RFC 7323, 2.2) and there is nothing yet that it could
 * shrink. */
static uint32_t first_window(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t wnd = least(room_of(t, c), t->set.wnd_initial_max);
    return least(wnd, WINDOW_MAX);
}

uint32_t tcp_window(const struct tcp *t, const struct tcp_conn *c)
{
    if (oriel_unlikely(c->state == TCP_SYN_SENT))
        return first_window(t, c);
    uint32_t unit = 1u << c->rcv.wscale, promised = rcv_promised(c);
    if (oriel_likely(!may_grow(c, promised)))
        return keep_promise(c, promised, unit);
    uint32_t wnd = room_of(t, c) & ~(unit - 1);
    if (wnd > promised && wnd - promised >= step_of(c, wnd, 1))
        return wnd;
    return keep_promise(c, promised, unit);
}

void tcp_rcv_opened(struct tcp *t, struct tcp_conn *c, uint32_t promised)
{
    uint32_t buf = c->prof->rcvbuf ? c->prof->rcvbuf : t->set.rcvbuf;
    c->rcv.buf = buf > promised ? buf : promised;
    c->rcv.adv = seq_add(c->rcv.nxt, promised);
    c->rcv.acked = c->rcv.nxt;
    c->rcv.unacked_segs = 0;
    c->rcv.mss = TCP_MSS_DEFAULT4;      /* until larger ones are seen */
    c->tune.mark = c->rcv.nxt;
    c->tune.at_us = (uint32_t)(t->env->now / NS_PER_US);
    c->tune.rtt_us = 0;
}

/* ---- the application set its buffer, or read ---- */

void tcp_rcv_on_options(struct tcp *t, struct tcp_conn *c, const struct tcp_profile *was)
{
    const struct tcp_profile *p = c->prof;
    if (p->rcvbuf != was->rcvbuf && p->rcvbuf != 0)
        c->rcv.buf = p->rcvbuf; /* what was promised before stays promised */
    if (p->rcvbuf != was->rcvbuf || p->window_clamp != was->window_clamp)
        tcp_reasm_on_read(t, c, 0);
    if (p->rcvlowat != was->rcvlowat || p->oobinline != was->oobinline)
        tcp_mark_dirty(t, c);
}

static void grow(const struct tcp *t, struct tcp_conn *c, uint64_t want)
{
    if (want <= c->rcv.buf)
        return;
    uint32_t max = least(t->set.rcvbuf_max, (uint64_t)WINDOW_MAX << c->rcv.wscale);
    max = least(max, free_memory(t) / FREE_SHARE);
    if (want > max)
        want = max;
    if (want > c->rcv.buf)
        c->rcv.buf = (uint32_t)want;
}

/* A round trip is over: what was read in it, doubled, is what the buffer should hold. */
static inline void tune(const struct tcp *t, struct tcp_conn *c)
{
    uint32_t now_us = (uint32_t)(t->env->now / NS_PER_US);
    uint32_t rtt_us = c->rtt.srtt_us8 ? c->rtt.srtt_us8 / 8 : TUNE_RTT_US;
    if (now_us - c->tune.at_us < rtt_us)
        return;
    seq_t at = rcv_read_at(c);
    uint32_t read = (uint32_t)seq_diff(c->tune.mark, at);
    c->tune.mark = at;
    c->tune.at_us = now_us;
    c->tune.rtt_us = rtt_us;
    if (c->prof->rcvbuf == 0)
        grow(t, c, 2 * (uint64_t)read + TUNE_SLACK_SEGS * (uint64_t)c->rcv.mss);
}

static bool more_may_come(const struct tcp_conn *c)
{
    return (c->state == TCP_ESTABLISHED || c->state == TCP_FIN_WAIT_1 ||
            c->state == TCP_FIN_WAIT_2) && !(c->is & TCP_IS_FIN_RCVD);
}

/*
 * A window update is due when the edge may move by two segments or half of the buffer, and the peer
 * has less than half of the new window left: otherwise the acknowledgements of what it sends tell
 * it.
 */
void tcp_reasm_on_read(struct tcp *t, struct tcp_conn *c, uint32_t n)
{
    (void)n;
    if (!more_may_come(c))
        return;
    tune(t, c);
    uint32_t promised = rcv_promised(c);
    if (oriel_likely(promised > c->rcv.buf / 2))
        return;
    uint32_t wnd = tcp_window(t, c);
    if (wnd > promised && wnd - promised >= step_of(c, wnd, 2) && promised <= wnd / 2)
        tcp_ack_now(t, c, WHY_WINDOW_UPDATE);
}
