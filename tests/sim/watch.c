/*
 * Every connection of every stack, from one step to the next: what may only move forward does, and
 * nothing leaves that neither the peer's window nor congestion control allows.
 *
 * A window once told is kept for ever as the right edge that may be sent to (RFC 9293, 3.8.6: a peer may
 * shrink it, who had sent already was right). What may leave is asked for when a step is over, before
 * its output is built, and compared with what has left.
 */
#include "sim.h"

#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define TO_SEND(c) ((c)->state >= TCP_SYN_RCVD && (c)->state != TCP_TIME_WAIT)

static struct watch *watch_of(struct sim *s, unsigned who, const struct tcp *t,
                              const struct tcp_conn *c)
{
    uint32_t i = tcp_conn_id(t, c);
    return i < WATCHED_AT_MOST ? &s->watch[who][i] : NULL;
}

/* The same life of the same connection? */
static bool is_same(const struct watch *w, const struct tcp_conn *c)
{
    return w->used && seq_eq(w->iss, c->iss) && seq_eq(w->irs, c->irs) &&
           tcp_tuple_eq(&w->tuple, &c->tuple);
}

static const char *compare(const struct watch *w, const struct tcp_conn *c)
{
    if (seq_lt(c->snd.una, w->una) || seq_lt(c->snd.nxt, w->nxt))
        return "SND.UNA or SND.NXT went back";
    if (seq_lt(c->rcv.nxt, w->rcv_nxt))
        return "RCV.NXT went back";
    if (seq_lt(c->rcv.adv, w->adv))
        return "the right edge of the window went back";
    return NULL;
}

static void remember(struct watch *w, const struct tcp_conn *c)
{
    seq_t edge = seq_add(c->snd.una, c->snd.wnd);
    bool same = is_same(w, c);
    if (!same)
        *w = (struct watch){.used = true, .iss = c->iss, .irs = c->irs, .tuple = c->tuple,
                            .edge = edge};
    if (seq_lt(w->edge, edge))
        w->edge = edge;
    w->una = c->snd.una;
    w->nxt = c->snd.nxt;
    w->rcv_nxt = c->rcv.nxt;
    w->adv = c->rcv.adv;
}

static const char *within_window(const struct watch *w, const struct tcp_conn *c)
{
    bool only_syn = seq_eq(c->snd.nxt, seq_add(c->iss, 1));
    if (only_syn || (c->is & TCP_IS_TFO))       /* RFC 7413: before a window is known */
        return NULL;
    return seq_leq(c->snd.nxt, w->edge) ? NULL : "something was sent beyond the peer's window";
}

/* More than the congestion window: a segment for limited transmit, one for a tail loss probe. */
static uint32_t beyond(const struct tcp_conn *c)
{
    uint32_t segs = ((c->out.want & TCP_WANT_LIMITED) ? 1u : 0u) +
                    ((c->out.want & TCP_WANT_TAIL) ? 1u : 0u);
    const struct tcp_sent *last = c->flight ? tcp_sent_last(c) : NULL;
    uint32_t seg = last && last->seg > c->snd.mss ? last->seg : c->snd.mss;
    return segs * seg + ((c->out.want & TCP_WANT_FIN) ? 1 : 0);
}

static const char *quota_is_right(const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    uint32_t pipe = tcp_pipe(c), quota = f->cc.cwnd > pipe ? f->cc.cwnd - pipe : 0;
    if (quota < f->recov.forced)
        quota = f->recov.forced;
    if (!tcp_prr_rules(f) && tcp_quota(c) != quota)
        return "what may leave is not what the congestion window leaves";
    return NULL;
}

static void complain(struct sim *s, const struct node *n, const struct tcp_conn *c,
                     const char *wrong)
{
    if (wrong)
        sim_wrong(s, "%s, a stream in %s from port %u to %u: %s", n->name,
                  oriel_tcp_state_name((enum oriel_tcp_state)c->state), c->tuple.local_port,
                  c->tuple.remote_port, wrong);
}

static void look(struct sim *s, unsigned who, struct node *n, const struct tcp_conn *c)
{
    const struct tcp *t = &n->stack->tcp;
    struct watch *w = watch_of(s, who, t, c);
    complain(s, n, c, tcp_check(t, c));
    if (!w || !TO_SEND(c))
        return;
    if (is_same(w, c))
        complain(s, n, c, compare(w, c));
    remember(w, c);
    complain(s, n, c, within_window(w, c));
    w->pipe = c->flight ? tcp_pipe(c) : 0;
    w->may = beyond(c) + (c->flight ? tcp_quota(c) : UINT32_MAX / 2);
    if (c->flight)
        complain(s, n, c, quota_is_right(c));
}

#define EACH_CONN(t, c, i)                                                                         \
    for (uint32_t i = 0; i < (t)->conns.fresh; i++)                                                \
        if (!pool_is_live(&(t)->conns, i))                                                         \
            continue;                                                                              \
        else                                                                                       \
            for (const struct tcp_conn *c = tcp_conn_at(t, i); c; c = NULL)

/* Does something wait for a link address? It leaves later than what was built after it, perhaps. */
static bool something_waits(const struct oriel_stack *k)
{
    for (uint32_t i = 0; i < k->ip.neigh.pool.fresh; i++)
        if (pool_is_live(&k->ip.neigh.pool, i) &&
            ((const struct neigh *)pool_at(&k->ip.neigh.pool, i))->waiting.n > 0)
            return true;
    return false;
}

/*
 * Of those that have ended nothing is expected any more: a cookie that is still good makes the same connection
 * again, numbers and all, of a segment that comes late.
 */
static void forget_the_ended(struct sim *s, unsigned who, const struct tcp *t)
{
    for (uint32_t i = 0; i < t->conns.fresh && i < WATCHED_AT_MOST; i++)
        if (!pool_is_live(&t->conns, i))
            s->watch[who][i].used = false;
}

/* A step is over, or an application has called. */
void watch_step(struct sim *s, unsigned who)
{
    struct node *n = s->who[who].node;
    const struct tcp *t = &n->stack->tcp;
    if (something_waits(n->stack))
        s->waited[who] = s->w.env.now + NS_PER_S;
    const char *wrong = tcp_check_lists(t);
    if (wrong)
        sim_wrong(s, "%s: %s", n->name, wrong);
    forget_the_ended(s, who, t);
    EACH_CONN(t, c, i)
        look(s, who, n, c);
}

/* ---- what leaves ---- */

static bool parse(const struct sim *s, const struct world_frame *f, struct tcp_tuple *k,
                  struct tcp_hdr *h, uint32_t *len)
{
    size_t fcs = f->port->wire->dir[0].p.fcs ? ETH_FCS_LEN : 0;
    struct rd r = rd_of(span_of(f->bytes.p, f->bytes.n - fcs));
    struct eth_hdr e;
    struct ip4_hdr h4;
    struct ip6_hdr h6;
    size_t n;
    (void)s;
    memset(k, 0, sizeof(*k));
    if (!eth_parse(&r, &e))
        return false;
    if (e.type == ETH_IP4 && ip4_parse(&r, &h4) && h4.proto == IP_TCP && h4.frag_off == 0 && !h4.mf) {
        k->local_lo = h4.src.lo;
        k->remote_lo = h4.dst.lo;
        n = h4.total_len - h4.hdr_len;
    } else if (e.type == ETH_IP6 && ip6_parse(&r, &h6) && h6.next == IP_TCP) {
        k->local_hi = h6.src.hi;
        k->local_lo = h6.src.lo;
        k->remote_hi = h6.dst.hi;
        k->remote_lo = h6.dst.lo;
        n = h6.payload_len;
    } else {
        return false;
    }
    r = rd_sub(&r, n);
    if (!tcp_parse(&r, h))
        return false;
    k->local_port = h->src_port;
    k->remote_port = h->dst_port;
    *len = (uint32_t)(n - h->hdr_len);
    return true;
}

/* The edge that a segment tells: never beyond what is taken, and back by less than a unit at most. */
static const char *told(struct watch *w, const struct tcp_conn *c, const struct tcp_hdr *h)
{
    seq_t edge = seq_add(h->ack, (uint32_t)h->wnd << c->rcv.wscale);
    if (seq_lt(c->rcv.adv, edge))
        return "a window was told that is not taken";
    if (w->has_told && seq_diff(edge, w->told) >= (int32_t)(1u << c->rcv.wscale))
        return "a window was told that takes back what was told before";
    if (!w->has_told || seq_lt(w->told, edge))
        w->told = edge;
    w->has_told = true;
    return NULL;
}

static const char *sent(struct watch *w, const struct tcp_conn *c, const struct tcp_hdr *h,
                        uint32_t len)
{
    seq_t end = seq_add(h->seq, len);
    if (len > 0 && !(c->is & TCP_IS_TFO) && seq_lt(w->edge, end))
        return "a segment left that is beyond the peer's window";
    if (len > 0 && seq_lt(c->snd.end, end))
        return "a segment left with bytes that nobody wrote";
    if (c->flight && tcp_pipe(c) > w->pipe && tcp_pipe(c) - w->pipe > w->may)
        return "more left than congestion control allows";
    return (h->flags & TCP_ACK) && !(h->flags & (TCP_SYN | TCP_RST)) ? told(w, c, h) : NULL;
}

/* A frame that an end of a stream made. */
void watch_frame(struct sim *s, unsigned who, const struct world_frame *f)
{
    struct node *n = s->who[who].node;
    const struct tcp *t = &n->stack->tcp;
    struct tcp_tuple k;
    struct tcp_hdr h;
    uint32_t len;
    if (f->why < WHY_SYN || s->w.env.now < s->waited[who] || !parse(s, f, &k, &h, &len))
        return;
    const struct tcp_conn *c = tcp_find(t, &k);
    struct watch *w = c ? watch_of(s, who, t, c) : NULL;
    if (w && TO_SEND(c) && is_same(w, c))
        complain(s, n, c, sent(w, c, &h, len));
}
