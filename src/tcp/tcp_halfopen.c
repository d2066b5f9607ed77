/*
 * Half-open connections: SYN-RECEIVED of a passive open (RFC 9293, 3.10.7.2 and 3.10.7.4).
 *
 * A SYN costs a record of 80 bytes, not a connection: what both sides agreed upon, our number, when
 * the SYN-ACK left. The acknowledgement that ends the handshake makes a connection of it, which
 * goes on with that same segment. Whoever cannot be believed yet (no ACK, wrong numbers) changes
 * nothing.
 *
 * SYN-ACKs are sent again with doubling intervals. All records to which as many were sent wait
 * equally long, so they stand in one queue, first come first due, and one timer serves the heads of
 * all queues. `sent_us` is rounded up, so nothing is early; it wraps round after 71 minutes, and no
 * interval is as long as half of that.
 *
 * Three things keep a record longer than that. A full accept queue: the acknowledgement is dropped
 * and, as the SYN-ACK is sent again, comes again. A listener that wants data first (DEFER_ACCEPT):
 * the acknowledgement is remembered, the next one with data makes the connection; after the time
 * that the application set one more SYN-ACK asks for an acknowledgement without. A listener that
 * decides itself (tcp_admit.c): the SYN is held without an answer.
 */
#include "tcp/tcp.h"

#define RETRIES         5       /* SYN-ACKs sent again: 63 s with a timeout of 1 s, as Linux */
#define RETRIES_TO_RFC  7       /* 9293, 3.8.3 to the letter: 3 minutes at least */
#define ACCECN_RETRIES  2       /* then without ECN: perhaps it is what does not get through */
#define HELD_NS         (75 * NS_PER_S) /* since its last SYN: a peer that is there repeats it */
#define INTERVAL_MAX_NS (1000 * NS_PER_S)

/* ---- time ---- */

static uint32_t now_us_up(const struct tcp *t)
{
    return (uint32_t)((t->env->now + NS_PER_US - 1) / NS_PER_US);
}

/* The moment of h->sent_us. */
static oriel_time sent_at(const struct tcp *t, const struct tcp_half *h)
{
    uint64_t us = t->env->now / NS_PER_US;
    int32_t ago = (int32_t)((uint32_t)us - h->sent_us);
    return (us - (uint64_t)(int64_t)ago) * NS_PER_US;
}

static unsigned queue_of(const struct tcp_half *h)
{
    if (h->flags & HALF_HELD)
        return (h->flags & HALF_NAMED) ? TCP_HALF_NAMED : TCP_HALF_HELD;
    return h->sent <= TCP_HALF_AGES ? h->sent - 1u : TCP_HALF_AGES - 1u;
}

static oriel_time due_at(const struct tcp *t, const struct tcp_half *h)
{
    return sent_at(t, h) + t->half.interval[queue_of(h)];
}

/* ---- the table ---- */

static struct tcp_half *half_at(const struct tcp *t, uint32_t index1)
{
    return index1 ? pool_at(&t->half.pool, index1 - 1) : NULL;
}

static uint32_t index1_of(const struct tcp *t, const struct tcp_half *h)
{
    return pool_index(&t->half.pool, h) + 1;
}

/* Which options a SYN-ACK has and where they stand follows from what was agreed upon. */
static unsigned layout_of(unsigned flags, bool wscale)
{
    return (flags & (HALF_TS | HALF_SACK)) | (wscale ? 4u : 0u);
}

static_assert((HALF_TS | HALF_SACK) == 3, "the layouts are numbered by these two and the shift");

static void lay_out(struct tcp *t)
{
    for (unsigned i = 0; i < ARRAY_LEN(t->half.layout); i++) {
        struct tcp_opts o = {.has_mss = true, .has_ts = (i & HALF_TS) != 0,
                             .sack_perm = (i & HALF_SACK) != 0, .has_wscale = (i & 4) != 0};
        tcp_syn_options(t, &o, t->half.layout[i].kinds, &t->half.layout[i].n);
    }
}

bool tcp_halfopen_init(struct tcp *t, struct arena *a, uint32_t max)
{
    struct tcp_halfopen *ho = &t->half;
    uint32_t buckets = 2;
    while (buckets < max)
        buckets *= 2;
    for (unsigned i = 0; i < TCP_HALF_AGES; i++) {
        uint64_t rto = t->set.rto_init << i;
        uint64_t most = t->set.rto_max < INTERVAL_MAX_NS ? t->set.rto_max : INTERVAL_MAX_NS;
        ho->interval[i] = rto < most ? rto : most;
    }
    ho->interval[TCP_HALF_HELD] = ho->interval[TCP_HALF_NAMED] = HELD_NS;
    lay_out(t);
    ho->cookie_key = siphash_derive(t->env->seed, "tcp cookie");
    ho->mask = buckets - 1;
    timer_init(&ho->timer, TIMER_TCP_HALF_OPEN);
    ho->bucket = arena_take_zeroed(a, (size_t)buckets * sizeof(ho->bucket[0]));
    return ho->bucket && pool_init(&ho->pool, "tcp.half_open", a, sizeof(struct tcp_half), max);
}

/* Records hold nothing but themselves. */
void tcp_halfopen_fini(struct tcp *t)
{
    env_cancel(t->env, &t->half.timer);
}

static void enqueue(struct tcp *t, struct tcp_half *h)
{
    struct tcp_halfopen *ho = &t->half;
    unsigned q = queue_of(h);
    uint32_t i = index1_of(t, h);
    h->q_prev = ho->queue[q].last;
    h->q_next = 0;
    if (h->q_prev)
        half_at(t, h->q_prev)->q_next = i;
    else
        ho->queue[q].first = i;
    ho->queue[q].last = i;
    oriel_time due = due_at(t, h);
    if (!timer_armed(&ho->timer) || due < ho->timer.deadline)
        env_arm(t->env, &ho->timer, due);
}

static void dequeue(struct tcp *t, struct tcp_half *h)
{
    struct tcp_halfopen *ho = &t->half;
    unsigned q = queue_of(h);
    if (h->q_prev)
        half_at(t, h->q_prev)->q_next = h->q_next;
    else
        ho->queue[q].first = h->q_next;
    if (h->q_next)
        half_at(t, h->q_next)->q_prev = h->q_prev;
    else
        ho->queue[q].last = h->q_prev;
}

struct tcp_half *tcp_half_find(const struct tcp *t, const struct tcp_tuple *k, uint32_t hash)
{
    struct tcp_half *h = half_at(t, t->half.bucket[hash & t->half.mask]);
    while (h && !tcp_tuple_eq(&h->tuple, k))
        h = half_at(t, h->next);
    return h;
}

bool tcp_halfopen_has(const struct tcp *t, const struct tcp_tuple *k)
{
    return t->half.pool.live > 0 && tcp_half_find(t, k, tcp_tuple_hash(t, k)) != NULL;
}

const struct tcp_half *tcp_half_each(const struct tcp *t, uint32_t *cursor)
{
    while (*cursor < t->half.pool.fresh) {
        uint32_t i = (*cursor)++;
        if (pool_is_live(&t->half.pool, i))
            return pool_at(&t->half.pool, i);
    }
    return NULL;
}

struct tcp_listener *tcp_half_listener(const struct tcp *t, const struct tcp_half *h)
{
    return pool_at(&t->listeners, h->listener);
}

static void forget(struct tcp *t, struct tcp_half *h, uint32_t hash)
{
    struct tcp_halfopen *ho = &t->half;
    struct tcp_listener *l = tcp_half_listener(t, h);
    uint32_t i = index1_of(t, h);
    uint32_t *link = &ho->bucket[hash & ho->mask];
    while (*link != i) {
        ORIEL_ASSERT(*link != 0);
        link = &half_at(t, *link)->next;
    }
    *link = h->next;
    dequeue(t, h);
    l->half_open--;
    if ((h->flags & (HALF_HELD | HALF_NAMED)) == HALF_HELD)
        l->unnamed--;
    pool_put(&ho->pool, h);
}

void tcp_half_forget(struct tcp *t, struct tcp_half *h)
{
    forget(t, h, tcp_tuple_hash(t, &h->tuple));
}

void tcp_half_forget_all(struct tcp *t, struct tcp_listener *l)
{
    uint32_t index = pool_index(&t->listeners, l);
    for (unsigned q = 0; q < TCP_HALF_QUEUES && l->half_open > 0; q++) {
        struct tcp_half *next;
        for (struct tcp_half *h = half_at(t, t->half.queue[q].first); h; h = next) {
            next = half_at(t, h->q_next);
            if (h->listener == index)
                tcp_half_forget(t, h);
        }
    }
    ORIEL_ASSERT(l->half_open == 0);
}

/* ---- what is agreed upon ---- */

/*
 * RFC 3168, 6.1.1: both ECE and CWR ask for it. RFC 9768, 3.1: all three bits ask for accurate
 * feedback, and a server that gives it takes whatever is neither of the two nor nothing for the
 * same request, made in some later way.
 */
static uint16_t agree_on_ecn(const struct tcp *t, const struct tcp_profile *prof,
                             const struct tcp_seg *g)
{
    enum oriel_ecn ecn = (enum oriel_ecn)(prof->ecn ? prof->ecn : t->set.ecn);
    unsigned asked = g->flags & (TCP_AE | TCP_CWR | TCP_ECE);
    uint16_t came = (uint16_t)((g->tos & 3u) << HALF_SYN_ECN_SHIFT);
    if (asked == 0 || ecn == ORIEL_ECN_OFF)
        return 0;
    if (ecn == ORIEL_ECN_ACCURATE && asked != (TCP_CWR | TCP_ECE))
        return HALF_ACCECN | came;
    return (asked & (TCP_CWR | TCP_ECE)) == (TCP_CWR | TCP_ECE) ? HALF_ECN : 0;
}

static uint16_t peer_mss(const struct tcp_seg *g)
{
    uint16_t mss = tuple_is_v4(&g->tuple) ? TCP_MSS_DEFAULT4 : TCP_MSS_DEFAULT6;    /* MUST-15 */
    if (g->opts.has_mss)
        mss = g->opts.mss;
    return mss > TCP_MSS_FLOOR ? mss : TCP_MSS_FLOOR;
}

/* RFC 7323, 2.3: a shift above 14 is 14. */
static uint8_t peer_wscale(const struct tcp *t, const struct tcp_opts *o)
{
    if (!o->has_wscale || t->set.wscale > TCP_WSCALE_MAX)
        return 0xff;
    return o->wscale < TCP_WSCALE_MAX ? o->wscale : TCP_WSCALE_MAX;
}

static void agree(const struct tcp *t, const struct tcp_listener *l, const struct tcp_seg *g,
                  struct tcp_half *h)
{
    bool ts = g->opts.has_ts && t->set.timestamps;
    bool sack = g->opts.sack_perm && t->set.sack;
    h->irs = g->seq;
    h->ts_recent = ts ? g->opts.ts_val : 0;
    h->peer_mss = peer_mss(g);
    h->wscale = peer_wscale(t, &g->opts);
    h->flags = (uint16_t)(agree_on_ecn(t, l->prof, g) | (ts ? HALF_TS : 0u) |
                          (sack ? HALF_SACK : 0u));
}

void tcp_half_number(const struct tcp *t, struct tcp_half *h)
{
    struct tcp_secret s = tcp_isn(t, &h->tuple);
    h->iss = s.iss;
    h->ts_off = s.ts_off;
}

struct tcp_half tcp_half_of_syn(struct tcp *t, const struct tcp_listener *l,
                                const struct tcp_seg *g)
{
    struct tcp_half h;
    h.tuple = g->tuple;
    h.listener = (uint16_t)pool_index(&t->listeners, l);
    h.next = h.q_next = h.q_prev = 0;
    h.sent_us = 0;
    h.sent = 0;
    agree(t, l, g, &h);
    if (oriel_unlikely(l->defer)) {
        h.flags |= HALF_HELD;
        h.iss = seq_of(t->half.next_id++);
        h.ts_off = g->nif;
    } else {
        tcp_half_number(t, &h);
    }
    return h;
}

/* ---- SYN-ACKs ---- */

uint16_t tcp_half_window(const struct tcp *t, const struct tcp_profile *prof)
{
    uint32_t wnd = prof->rcvbuf ? prof->rcvbuf : t->set.rcvbuf;
    if (t->set.wnd_initial_max && wnd > t->set.wnd_initial_max)
        wnd = t->set.wnd_initial_max;
    if (prof->window_clamp && wnd > prof->window_clamp)
        wnd = prof->window_clamp;
    return wnd < UINT16_MAX ? (uint16_t)wnd : UINT16_MAX;
}

uint32_t tcp_half_ts_now(const struct tcp *t, const struct tcp_half *h)
{
    return (uint32_t)(t->env->now / TCP_TS_TICK_NS) + h->ts_off;
}

/* RFC 3168, 6.1.1; RFC 9768, 3.1.1, table 2: how the SYN's own ECN field arrived. */
static uint16_t ecn_flags(const struct tcp_half *h)
{
    static const uint16_t echo[4] = {
        [0] = TCP_CWR,                  /* not ECT */
        [1] = TCP_CWR | TCP_ECE,        /* ECT(1) */
        [2] = TCP_AE,                   /* ECT(0) */
        [3] = TCP_AE | TCP_CWR,         /* CE */
    };
    if (h->flags & HALF_ACCECN)
        return echo[h->flags >> HALF_SYN_ECN_SHIFT];
    return (h->flags & HALF_ECN) ? TCP_ECE : 0;
}

static void syn_ack_options(struct tcp *t, const struct tcp_listener *l, const struct tcp_half *h,
                            uint32_t ts_val, struct tcp_opts *o)
{
    o->has_mss = true;
    o->mss = tcp_mss_offer(t, &h->tuple, l->prof->bind_nif);
    if (l->prof->maxseg && l->prof->maxseg < o->mss)
        o->mss = l->prof->maxseg;
    o->has_wscale = h->wscale != 0xff;
    o->wscale = t->set.wscale;
    o->sack_perm = (h->flags & HALF_SACK) != 0;
    o->has_ts = (h->flags & HALF_TS) != 0;
    o->ts_val = ts_val;
    o->ts_ecr = h->ts_recent;
}

void tcp_half_answer(struct tcp *t, const struct tcp_listener *l, const struct tcp_half *h,
                     uint32_t ts_val, enum why why)
{
    uint8_t cookie[TCP_TFO_COOKIE];
    struct tcp_reply r = {
        .tuple = h->tuple,
        .nif = l->prof->bind_nif,
        .seq = h->iss,
        .ack = seq_add(h->irs, 1),
        .flags = (uint16_t)(TCP_SYN | TCP_ACK | ecn_flags(h)),
        .wnd = tcp_half_window(t, l->prof),
        .ttl = l->prof->ttl,
        .tos = l->prof->tos,
    };
    syn_ack_options(t, l, h, ts_val, &r.opts);
    if (oriel_unlikely(h->flags & HALF_COOKIE)) {
        tcp_tfo_cookie(t, &h->tuple, cookie);
        r.opts.has_fastopen = true;
        r.opts.fastopen = span_of(cookie, sizeof(cookie));
        tcp_syn_options(t, &r.opts, r.kinds, &r.kinds_n);
    } else {
        unsigned i = layout_of(h->flags, h->wscale != 0xff);
        memcpy(r.kinds, t->half.layout[i].kinds, sizeof(r.kinds));
        r.kinds_n = t->half.layout[i].n;
    }
    tcp_reply(t, &r, why);
}

static void answer(struct tcp *t, const struct tcp_half *h, enum why why)
{
    tcp_half_answer(t, tcp_half_listener(t, h), h, tcp_half_ts_now(t, h), why);
}

void tcp_half_requeue(struct tcp *t, struct tcp_half *h, unsigned flags, unsigned sent)
{
    dequeue(t, h);
    h->flags = (uint16_t)flags;
    h->sent = (uint8_t)sent;
    h->sent_us = now_us_up(t);
    enqueue(t, h);
}

bool tcp_half_add(struct tcp *t, struct tcp_listener *l, const struct tcp_half *made,
                  uint32_t hash)
{
    struct tcp_half *h = pool_get(&t->half.pool);
    uint32_t *head = &t->half.bucket[hash & t->half.mask];
    if (oriel_unlikely(!h))
        return false;
    *h = *made;
    h->next = *head;
    *head = index1_of(t, h);
    h->sent_us = now_us_up(t);
    h->sent = 1;
    l->half_open++;
    enqueue(t, h);
    if (oriel_unlikely(h->flags & HALF_HELD)) {
        l->unnamed++;
        tcp_listener_mark(t, l);
        return true;
    }
    tcp_half_answer(t, l, h, tcp_half_ts_now(t, h), WHY_SYN_ACK);
    return true;
}

/* ---- time goes by ---- */

static unsigned retries(const struct tcp *t, const struct tcp_listener *l)
{
    if (l->prof->syncnt)
        return l->prof->syncnt;
    /* DEVIATION: RFC 9293, 3.8.3: other than SYNs, SYN-ACKs are given up after a minute, as other
     * systems do: whoever asks is there, and a forged SYN is not worth three. */
    return t->set.personality == ORIEL_AS_RFC ? RETRIES_TO_RFC : RETRIES;
}

/* How long data has been waited for, when this age of the record is over. */
static bool waited_enough(const struct tcp *t, const struct tcp_half *h, uint32_t defer_ms)
{
    uint64_t waited = 0;
    for (unsigned i = 0; i < h->sent; i++)
        waited += t->half.interval[i < TCP_HALF_AGES ? i : TCP_HALF_AGES - 1];
    return waited >= defer_ms * NS_PER_MS;
}

/* The next age of h; with another SYN-ACK, unless its acknowledgement is here and data is not. */
static void grow_older(struct tcp *t, struct tcp_half *h, bool again)
{
    tcp_half_requeue(t, h, h->flags, h->sent + 1u);
    if (!again)
        return;
    h->flags |= HALF_LATE;
    if (h->sent > 1 + ACCECN_RETRIES)
        h->flags &= (uint16_t)~HALF_ACCECN;     /* RFC 9768, 3.1.4.2 */
    answer(t, h, WHY_RTX_SYN_ACK);
}

static void expire(struct tcp *t, struct tcp_half *h)
{
    const struct tcp_listener *l = tcp_half_listener(t, h);
    bool waits = (h->flags & (HALF_ACKED | HALF_RIPE)) == HALF_ACKED;
    if (h->flags & HALF_HELD) {
        tcp_half_forget(t, h);
    } else if (waits && h->sent < UINT8_MAX) {
        if (waited_enough(t, h, l->prof->defer_accept_ms))
            h->flags |= HALF_RIPE;
        grow_older(t, h, (h->flags & HALF_RIPE) != 0);
    } else if (h->sent > retries(t, l)) {
        tcp_half_forget(t, h);
    } else {
        grow_older(t, h, true);
    }
}

void tcp_halfopen_on_timer(struct tcp *t)
{
    struct tcp_halfopen *ho = &t->half;
    oriel_time next = ORIEL_NEVER;
    for (unsigned q = 0; q < TCP_HALF_QUEUES; q++) {
        struct tcp_half *h;
        while ((h = half_at(t, ho->queue[q].first)) != NULL && due_at(t, h) <= t->env->now)
            expire(t, h);
    }
    for (unsigned q = 0; q < TCP_HALF_QUEUES; q++) {
        const struct tcp_half *h = half_at(t, ho->queue[q].first);
        if (h && due_at(t, h) < next)
            next = due_at(t, h);
    }
    env_arm(t->env, &ho->timer, next);
}

/* ---- birth ---- */

struct tcp_conn *tcp_half_born(struct tcp *t, struct tcp_listener *l, const struct tcp_half *h,
                               const struct tcp_seg *g, uint32_t is)
{
    oriel_time left_at = (h->flags & HALF_LATE) || h->sent == 0 ? 0 : sent_at(t, h);
    bool wscale = h->wscale != 0xff;
    const struct tcp_birth b = {
        .tuple = h->tuple,
        .nif = g->nif,
        .hash = g->hash,
        .iss = h->iss,
        .irs = h->irs,
        .wnd = g->wnd,
        .rcv_wnd = tcp_half_window(t, l->prof),
        .peer_mss = h->peer_mss,
        .snd_wscale = wscale ? h->wscale : 0,
        .rcv_wscale = wscale ? t->set.wscale : 0,
        .is = is | ((h->flags & HALF_TS) ? TCP_IS_TS : 0u) |
              ((h->flags & HALF_SACK) ? TCP_IS_SACK : 0u) | (wscale ? TCP_IS_WSCALE : 0u) |
              ((h->flags & HALF_ECN) ? TCP_IS_ECN : 0u) |
              ((h->flags & HALF_ACCECN) ? TCP_IS_ACCECN : 0u) |
              ((h->flags & HALF_LATE) ? TCP_IS_SYN_LOST : 0u),
        .ts_off = h->ts_off,
        .ts_recent = h->ts_recent,
        .syn_ack_at = left_at < t->env->now ? left_at : t->env->now,
    };
    struct tcp_conn *c = tcp_born(t, l, &b);
    if (oriel_likely(c != NULL))
        tcp_listener_enqueue(t, l, c);
    return c;
}

/* ---- segments ---- */

/* Where we are: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. */
static void tell(struct tcp *t, const struct tcp_half *h, enum why why)
{
    static const uint8_t kinds[] = {TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_TS};
    const struct tcp_listener *l = tcp_half_listener(t, h);
    unsigned shift = h->wscale != 0xff ? t->set.wscale : 0;
    struct tcp_reply r = {
        .tuple = h->tuple,
        .nif = l->prof->bind_nif,
        .seq = seq_add(h->iss, 1),
        .ack = seq_add(h->irs, 1),
        .flags = TCP_ACK,
        .wnd = (uint16_t)(tcp_half_window(t, l->prof) >> shift),
        .ttl = l->prof->ttl,
        .tos = l->prof->tos,
    };
    if (h->flags & HALF_TS) {
        r.opts.ts_val = tcp_half_ts_now(t, h);
        r.opts.ts_ecr = h->ts_recent;
        memcpy(r.kinds, kinds, sizeof(kinds));
        r.kinds_n = sizeof(kinds);
    }
    tcp_reply(t, &r, why);
}

static void tell_and_drop(struct tcp *t, const struct tcp_half *h, struct tcp_seg *g, enum why why,
                          enum drop drop)
{
    tell(t, h, why);
    tcp_seg_drop(t, g, drop);
}

/* RFC 9293, 3.10.7.4, first: is any of it in the window that our SYN-ACK told? */
static bool is_inside(const struct tcp_seg *g, seq_t nxt, uint32_t wnd)
{
    seq_t end = seq_add(nxt, wnd), last = seq_add(seg_end(g), UINT32_MAX);
    if (wnd == 0)
        return seq_eq(g->seq, nxt);
    if (seq_leq(nxt, g->seq) && seq_lt(g->seq, end))
        return true;
    return seg_space(g) > 0 && seq_leq(nxt, last) && seq_lt(last, end);
}

/* Only exactly where the next byte is expected (5961, 3.2). A passive open is gone: MUST-11. */
static void on_reset(struct tcp *t, struct tcp_half *h, struct tcp_seg *g, bool inside)
{
    if (seq_eq(g->seq, seq_add(h->irs, 1))) {
        tcp_half_forget(t, h);
        tcp_seg_drop(t, g, DROP_TCP_RST_TAKEN);
    } else if (inside) {
        tell_and_drop(t, h, g, WHY_ACK_CHALLENGE, DROP_TCP_RST_CHALLENGED);
    } else {
        tcp_seg_drop(t, g, DROP_TCP_RST_OUTSIDE);
    }
}

/* The SYN came again: our answer was lost, or is late. */
static void on_syn_again(struct tcp *t, struct tcp_half *h, struct tcp_seg *g)
{
    if ((h->flags & HALF_TS) && g->opts.has_ts)
        h->ts_recent = g->opts.ts_val;          /* RFC 7323, 4.3: SEG.SEQ is before Last.ACK.sent */
    tcp_half_requeue(t, h, h->flags | HALF_LATE, h->sent);
    answer(t, h, WHY_SYN_ACK_AGAIN);
    tcp_seg_drop(t, g, DROP_TCP_SYN_DUP);
}

/* A SYN that the application has not decided on. Only another SYN or a reset says anything new. */
static void on_held(struct tcp *t, struct tcp_half *h, struct tcp_seg *g)
{
    if (g->flags & TCP_RST) {
        on_reset(t, h, g, false);
        return;
    }
    if (g->flags & TCP_ACK) {                   /* as to a LISTEN: it was never answered */
        tcp_reset_for(t, g, WHY_RST_LISTEN);
        tcp_seg_drop(t, g, DROP_TCP_NO_CONN);
        return;
    }
    if (g->flags & TCP_SYN) {
        uint16_t kept = h->flags & (HALF_HELD | HALF_NAMED);
        agree(t, tcp_half_listener(t, h), g, h);      /* perhaps it is a new attempt */
        h->flags |= kept;
        tcp_half_requeue(t, h, h->flags, h->sent);
    }
    tcp_seg_drop(t, g, DROP_TCP_SYN_HELD);
}

/* The handshake is done. */
static void on_ack(struct tcp *t, struct tcp_half *h, struct tcp_seg *g, uint32_t hash)
{
    struct tcp_listener *l = tcp_half_listener(t, h);
    bool bare = g->len == 0 && !(g->flags & TCP_FIN);
    if (oriel_unlikely(l->prof->defer_accept_ms != 0) && bare && !(h->flags & HALF_RIPE)) {
        h->flags |= HALF_ACKED;
        pkt_free(g->p);
        g->p = NULL;
        return;
    }
    if (oriel_unlikely(tcp_listener_full(l))) {
        l->overflows++;
        tcp_seg_drop(t, g, DROP_TCP_ACCEPT_BACKLOG);
        return;
    }
    struct tcp_conn *c = tcp_half_born(t, l, h, g, 0);
    if (oriel_unlikely(!c)) {
        tcp_seg_drop(t, g, DROP_TCP_FULL);
        return;
    }
    forget(t, h, hash);
    tcp_rx_synchronized(t, c, g);
}

/* RFC 7323, 3.2 and 5.3. False: g was dropped. */
static bool timestamps_good(struct tcp *t, const struct tcp_half *h, struct tcp_seg *g)
{
    if (!(h->flags & HALF_TS) || (g->flags & TCP_RST))
        return true;
    if (oriel_unlikely(!g->opts.has_ts)) {
        tcp_seg_drop(t, g, DROP_TCP_NO_TIMESTAMP);
        return false;
    }
    if (oriel_likely((int32_t)(g->opts.ts_val - h->ts_recent) >= 0))
        return true;
    tell_and_drop(t, h, g, WHY_ACK_PAWS, DROP_TCP_PAWS);
    return false;
}

void tcp_half_input(struct tcp *t, struct tcp_half *h, struct tcp_seg *g, uint32_t hash)
{
    if (oriel_unlikely(h->flags & HALF_HELD)) {
        on_held(t, h, g);
        return;
    }
    if (!timestamps_good(t, h, g))
        return;
    const unsigned kind = g->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN);
    if (kind == TCP_SYN && seq_eq(g->seq, h->irs)) {
        on_syn_again(t, h, g);
        return;
    }
    uint32_t wnd = tcp_half_window(t, tcp_half_listener(t, h)->prof);
    bool inside = is_inside(g, seq_add(h->irs, 1), wnd);
    if (kind & TCP_RST) {
        on_reset(t, h, g, inside);
    } else if (kind & TCP_SYN) {
        /* RFC 5961, 4.2 rather than a return to LISTEN: a peer that begins anew answers it with the
         * one reset that counts, and nobody else can end this by a guess. */
        tell_and_drop(t, h, g, WHY_ACK_CHALLENGE, DROP_TCP_SYN_CHALLENGED);
    } else if (!inside) {
        tell_and_drop(t, h, g, WHY_ACK_OUTSIDE, DROP_TCP_OUTSIDE);
    } else if (!(kind & TCP_ACK)) {
        tcp_seg_drop(t, g, DROP_TCP_NO_ACK);
    } else if (!seq_eq(g->ack, seq_add(h->iss, 1))) {
        tcp_reset_for(t, g, WHY_RST_HALF_OPEN);
        tcp_seg_drop(t, g, DROP_TCP_ACK_UNSENT);
    } else {
        on_ack(t, h, g, hash);
    }
}
