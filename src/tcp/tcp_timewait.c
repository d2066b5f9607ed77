/*
 * TIME-WAIT (RFC 9293, 3.6.1): a connection that has ended and whose tuple rests for 2 MSL, so that
 * its last acknowledgement can be given again and no segment of it wanders into the next one.
 *
 * A record is 64 bytes: the tuple, both sequence numbers, the last timestamp, links. Records stand
 * in one queue by age, as all live equally long; when a FIN comes again its record goes to the end
 * of it. `until` has 16 bits: a tick is such that 2 MSL are less than half of the circle. (Were
 * nobody to call for the other half, what is long over would seem to lie ahead and stay as long
 * again.)
 *
 * What is not kept: the window, as nothing can come any more that takes room in it: answers tell
 * 65,535, which takes nothing back; and our timestamp's offset, which the tuple gives again.
 *
 * A reset does not end it (1337), unless set.rst_in_time_wait. A SYN may open it anew by the rules
 * of RFC 6191, 2; others are answered as on any connection that stands (5961, 4.2), and the
 * sender's reset in turn is not heard.
 */
#include "tcp/tcp.h"

#define LIFE_TICKS_MAX  0x7000u /* of 0x7fff that lie ahead */
#define ISS_MARGIN      65536u  /* a new connection begins so far beyond the old one's last byte */
#define YIELD_AFTER_NS  NS_PER_S        /* our timestamps have moved on by then (6191; 7323, 5.4) */
#define ANSWER_WINDOW   UINT16_MAX

bool tcp_timewait_init(struct tcp *t, struct arena *a, uint32_t max)
{
    struct tcp_timewait *tw = &t->tw;
    uint32_t buckets = 2;
    while (buckets < max / 2)
        buckets *= 2;
    tw->shift = 0;
    while (2 * t->set.msl >> tw->shift >= LIFE_TICKS_MAX)
        tw->shift++;
    tw->life = (uint16_t)((2 * t->set.msl >> tw->shift) + 2);
    tw->mask = buckets - 1;
    timer_init(&tw->timer, TIMER_TCP_TIME_WAIT);
    tw->bucket = arena_take_zeroed(a, (size_t)buckets * sizeof(tw->bucket[0]));
    return tw->bucket && pool_init(&tw->pool, "tcp.time_wait", a, sizeof(struct tcp_tw), max);
}

/* ---- time ---- */

static uint16_t now_ticks(const struct tcp *t)
{
    return (uint16_t)(t->env->now >> t->tw.shift);
}

/* Negative: it is over. */
static int16_t ticks_left(const struct tcp *t, const struct tcp_tw *w)
{
    return (int16_t)(w->until - now_ticks(t));
}

/* Never early: the tick that has begun does not count, nor what is left of 2 MSL. */
static void live_from_now(const struct tcp *t, struct tcp_tw *w)
{
    w->until = (uint16_t)(now_ticks(t) + t->tw.life);
}

static void arm(struct tcp *t)
{
    struct tcp_timewait *tw = &t->tw;
    if (tw->first == 0)
        return;
    const struct tcp_tw *w = pool_at(&tw->pool, tw->first - 1);
    int16_t left = ticks_left(t, w);
    oriel_time at = t->env->now >> tw->shift;
    env_arm(t->env, &tw->timer, (at + (uint64_t)(left > 0 ? left : 0)) << tw->shift);
}

/* ---- the queue and the table ---- */

static struct tcp_tw *tw_at(const struct tcp *t, uint32_t index1)
{
    return index1 ? pool_at(&t->tw.pool, index1 - 1) : NULL;
}

static void enqueue(struct tcp *t, struct tcp_tw *w)
{
    struct tcp_timewait *tw = &t->tw;
    uint32_t i = pool_index(&tw->pool, w) + 1;
    w->q_prev = tw->last;
    w->q_next = 0;
    if (tw->last)
        tw_at(t, tw->last)->q_next = i;
    else
        tw->first = i;
    tw->last = i;
}

static void dequeue(struct tcp *t, struct tcp_tw *w)
{
    struct tcp_timewait *tw = &t->tw;
    if (w->q_prev)
        tw_at(t, w->q_prev)->q_next = w->q_next;
    else
        tw->first = w->q_next;
    if (w->q_next)
        tw_at(t, w->q_next)->q_prev = w->q_prev;
    else
        tw->last = w->q_prev;
}

struct tcp_tuple tcp_tw_tuple(const struct tcp_tw *w)
{
    return (struct tcp_tuple){
        .local_hi = w->local_hi,
        .local_lo = w->local_lo,
        .remote_hi = w->remote_hi,
        .remote_lo = w->remote_lo,
        .zone = w->zone,
        .local_port = w->local_port,
        .remote_port = w->remote_port,
    };
}

static bool is_of(const struct tcp_tw *w, const struct tcp_tuple *k)
{
    return w->remote_lo == k->remote_lo && w->remote_port == k->remote_port &&
           w->local_port == k->local_port && w->local_lo == k->local_lo &&
           w->remote_hi == k->remote_hi && w->local_hi == k->local_hi && w->zone == k->zone;
}

struct tcp_tw *tcp_tw_find(const struct tcp *t, const struct tcp_tuple *k, uint32_t hash)
{
    struct tcp_tw *w = tw_at(t, t->tw.bucket[hash & t->tw.mask]);
    while (w && !is_of(w, k))
        w = tw_at(t, w->next);
    return w;
}

void tcp_tw_forget(struct tcp *t, struct tcp_tw *w)
{
    struct tcp_timewait *tw = &t->tw;
    const struct tcp_tuple k = tcp_tw_tuple(w);
    uint32_t i = pool_index(&tw->pool, w) + 1;
    uint32_t *link = &tw->bucket[tcp_tuple_hash(t, &k) & tw->mask];
    while (*link != i) {
        ORIEL_ASSERT(*link != 0);
        link = &tw_at(t, *link)->next;
    }
    *link = w->next;
    dequeue(t, w);
    pool_put(&tw->pool, w);
}

/* A record, the oldest one's where there is no other; NULL: there are to be none at all. */
static struct tcp_tw *tw_new(struct tcp *t)
{
    struct tcp_timewait *tw = &t->tw;
    struct tcp_tw *w = pool_get(&tw->pool);
    if (w || tw->first == 0)
        return w;
    tw->shed++;
    tcp_tw_forget(t, tw_at(t, tw->first));
    return pool_get(&tw->pool);
}

void tcp_timewait_enter(struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_tuple *k = &c->tuple;
    struct tcp_tw *w = tw_new(t);
    if (!w)
        return;
    uint32_t *head = &t->tw.bucket[tcp_tuple_hash(t, k) & t->tw.mask];
    *w = (struct tcp_tw){
        .local_hi = k->local_hi,
        .local_lo = k->local_lo,
        .remote_hi = k->remote_hi,
        .remote_lo = k->remote_lo,
        .zone = k->zone & 0x7fff,
        .local_port = k->local_port,
        .remote_port = k->remote_port,
        .has_ts = (c->is & TCP_IS_TS) != 0,
        .rcv_nxt = c->rcv.nxt,
        .snd_nxt = c->snd.nxt,
        .ts_recent = c->rcv.ts_recent,
        .next = *head,
    };
    *head = pool_index(&t->tw.pool, w) + 1;
    live_from_now(t, w);
    enqueue(t, w);
    if (!timer_armed(&t->tw.timer))
        arm(t);
}

void tcp_timewait_on_timer(struct tcp *t)
{
    for (struct tcp_tw *w; (w = tw_at(t, t->tw.first)) != NULL && ticks_left(t, w) <= 0;)
        tcp_tw_forget(t, w);
    arm(t);
}

/* ---- segments ---- */

static void answer(struct tcp *t, const struct tcp_tw *w, enum why why)
{
    struct tcp_reply r = {
        .tuple = tcp_tw_tuple(w),
        .seq = w->snd_nxt,
        .ack = w->rcv_nxt,
        .flags = TCP_ACK,
        .wnd = (uint16_t)(ANSWER_WINDOW >> (t->set.wscale <= TCP_WSCALE_MAX ? t->set.wscale : 0)),
    };
    if (w->has_ts) {
        static const uint8_t kinds[] = {TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_TS};
        uint32_t clock = (uint32_t)(t->env->now / TCP_TS_TICK_NS);
        r.opts.ts_val = clock + tcp_isn(t, &r.tuple).ts_off;
        r.opts.ts_ecr = w->ts_recent;
        memcpy(r.kinds, kinds, sizeof(kinds));
        r.kinds_n = sizeof(kinds);
    }
    tcp_reply(t, &r, why);
}

static void answer_and_drop(struct tcp *t, struct tcp_tw *w, struct tcp_seg *g, enum why why,
                            enum drop drop)
{
    answer(t, w, why);
    tcp_seg_drop(t, g, drop);
}

static void on_reset(struct tcp *t, struct tcp_tw *w, struct tcp_seg *g)
{
    if (!t->set.rst_in_time_wait || !seq_eq(g->seq, w->rcv_nxt)) {
        tcp_seg_drop(t, g, DROP_TCP_TIME_WAIT_RST);     /* RFC 1337, 3: fix F1 */
        return;
    }
    tcp_tw_forget(t, w);
    tcp_seg_drop(t, g, DROP_TCP_RST_TAKEN);
}

static bool is_old(const struct tcp_tw *w, const struct tcp_seg *g)
{
    return w->has_ts && g->opts.has_ts && (int32_t)(g->opts.ts_val - w->ts_recent) < 0;
}

/* Inside what is left of sequence space: nothing is expected there, and nothing is said to it. */
static bool is_inside(const struct tcp_tw *w, const struct tcp_seg *g)
{
    seq_t edge = seq_add(w->rcv_nxt, ANSWER_WINDOW);
    bool begins = seq_leq(w->rcv_nxt, g->seq) && seq_lt(g->seq, edge);
    return begins || (seq_lt(g->seq, edge) && seq_lt(w->rcv_nxt, seg_end(g)));
}

/* Our last acknowledgement was lost, and perhaps the answer to this one will be too. */
static void on_fin_again(struct tcp *t, struct tcp_tw *w, struct tcp_seg *g)
{
    if (w->has_ts && g->opts.has_ts)
        w->ts_recent = g->opts.ts_val;
    live_from_now(t, w);
    dequeue(t, w);
    enqueue(t, w);
    answer_and_drop(t, w, g, WHY_TIME_WAIT_ACK, DROP_TCP_TIME_WAIT);
}

/* RFC 9293, 3.10.7.4, as far as TIME-WAIT goes. */
void tcp_timewait_input(struct tcp *t, struct tcp_tw *w, struct tcp_seg *g)
{
    bool fin_again = (g->flags & TCP_FIN) && (g->flags & TCP_ACK) &&
                     seq_eq(seg_end(g), w->rcv_nxt);
    if (g->flags & TCP_RST)
        on_reset(t, w, g);
    else if (g->flags & TCP_SYN)
        answer_and_drop(t, w, g, WHY_ACK_CHALLENGE, DROP_TCP_SYN_CHALLENGED);
    else if (is_old(w, g))
        answer_and_drop(t, w, g, WHY_ACK_PAWS, DROP_TCP_PAWS);
    else if (!is_inside(w, g) && !fin_again)
        answer_and_drop(t, w, g, WHY_ACK_OUTSIDE, DROP_TCP_TIME_WAIT);
    else if (!(g->flags & TCP_ACK))
        tcp_seg_drop(t, g, DROP_TCP_NO_ACK);
    else if (g->flags & TCP_FIN)
        on_fin_again(t, w, g);
    else
        tcp_seg_drop(t, g, DROP_TCP_TIME_WAIT);
}

/* ---- to be used again ---- */

/* RFC 6191, 2. */
bool tcp_tw_reopens(const struct tcp_tw *w, const struct tcp_seg *g, seq_t *iss_floor)
{
    const unsigned looked_at = TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN;
    bool beyond = seq_lt(w->rcv_nxt, g->seq), good = beyond;
    if ((g->flags & looked_at) != TCP_SYN)
        return false;
    if (g->opts.has_ts) {
        int32_t later = (int32_t)(g->opts.ts_val - w->ts_recent);
        good = !w->has_ts || later > 0 || (later == 0 && beyond);
    }
    *iss_floor = seq_add(w->snd_nxt, ISS_MARGIN);
    return good;
}

bool tcp_timewait_has(const struct tcp *t, const struct tcp_tuple *k)
{
    return t->tw.pool.live > 0 && tcp_tw_find(t, k, tcp_tuple_hash(t, k)) != NULL;
}

bool tcp_timewait_owns(const struct tcp *t, const struct tcp_tuple *k)
{
    return tcp_timewait_has(t, k);
}

/*
 * Only with timestamps, which keep segments of the old connection out of the new one whatever its
 * numbers are, and once ours have moved on.
 */
bool tcp_timewait_yield(struct tcp *t, const struct tcp_tuple *k)
{
    struct tcp_tw *w = tcp_tw_find(t, k, tcp_tuple_hash(t, k));
    uint64_t ticks = (YIELD_AFTER_NS >> t->tw.shift) + 1;
    if (!w || !w->has_ts || (uint64_t)t->tw.life < ticks ||
        ticks_left(t, w) > (int32_t)(t->tw.life - ticks))
        return false;
    tcp_tw_forget(t, w);
    return true;
}

const struct tcp_tw *tcp_tw_each(const struct tcp *t, uint32_t *cursor)
{
    while (*cursor < t->tw.pool.fresh) {
        uint32_t i = (*cursor)++;
        if (pool_is_live(&t->tw.pool, i))
            return pool_at(&t->tw.pool, i);
    }
    return NULL;
}
