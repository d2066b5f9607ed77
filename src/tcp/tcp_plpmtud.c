/*
 * Packetization-layer path MTU discovery (RFC 4821): what routers do not say is found out.
 *
 * Down: when the first segment under way timed out again and again and is larger than every path has
 * to take, the path is suspected to be a black hole for its size, and smaller segments are tried. If
 * those arrive the smaller MTU is remembered for all connections to that host.
 *
 * Up: between what is known to work and what is known, or thought, not to, a single segment of the
 * size in the middle goes among the others once in a while. If it arrives the path takes that; if it
 * is lost alone, that is no congestion (4821, 7.7), and after three losses it is the new upper end.
 */
#include "tcp/tcp.h"

#define SUSPECT_AFTER 2         /* timeouts of one segment */
#define BASE_MTU      1280      /* what nearly all paths take */
#define LEAST_MTU     576       /* IPv4: what is tried when even that does not arrive */
#define CLOSE_ENOUGH  16
#define TRIES         3
#define AGAIN_NS      (1 * NS_PER_S)    /* between two probes that were lost */
#define BEHIND_SEGS   3         /* segments that must follow a probe, so that its loss shows */

static uint32_t headers(const struct tcp_conn *c)
{
    return (tuple_is_v4(&c->tuple) ? 40u : 60u) + ((c->is & TCP_IS_TS) ? 12u : 0u);
}

/* The next smaller size to be tried; 0: there is none. */
static uint32_t smaller_than(const struct tcp_conn *c, uint32_t mtu)
{
    if (mtu > BASE_MTU)
        return BASE_MTU;
    return tuple_is_v4(&c->tuple) && mtu > LEAST_MTU ? LEAST_MTU : 0;
}

void tcp_mtu_on_timeout(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_sent *r = c->flight ? tcp_sent_first(c) : NULL;
    if (!r || c->rtt.rtx_n < SUSPECT_AFTER)
        return;
    uint32_t mtu = c->snd.mss + headers(c), low = smaller_than(c, mtu);
    if (low == 0 || r->len + headers(c) <= low)
        return;                 /* it would have arrived: it is not the size */
    c->flight->mtu.high = (uint16_t)(mtu - 1);
    c->flight->mtu.low = (uint16_t)low;
    c->flight->mtu.probe = 0;
    c->flight->mtu.suspect = true;
    tcp_mss_update(t, c);
}

static void remember(struct tcp *t, struct tcp_conn *c)
{
    struct oriel_addr peer = tuple_remote(&c->tuple);
    ip_path_set_mtu(t->ip, &peer, c->flight->mtu.low);
    tcp_mss_update(t, c);
}

void tcp_mtu_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_delivered *d)
{
    struct tcp_flight *f = c->flight;
    if (f->mtu.suspect && d->acked_bytes > 0) {
        f->mtu.suspect = false;
        remember(t, c);
    }
    if (f->mtu.probe == 0)
        return;
    if (d->probe_delivered) {
        f->mtu.low = f->mtu.probe;
        f->mtu.probe = f->mtu.tries = 0;
        remember(t, c);
    } else if (seq_lt(f->mtu.end, c->snd.una)) {        /* sent again, in smaller segments */
        f->mtu.again_at = t->env->now + AGAIN_NS;
        if (++f->mtu.tries >= TRIES) {
            f->mtu.high = (uint16_t)(f->mtu.probe - 1);
            f->mtu.tries = 0;
        }
        f->mtu.probe = 0;
    }
}

/* A path that takes less than its first link is searched from there; once a busy period. */
static void begin_search(const struct tcp *t, const struct tcp_conn *c, const struct tcp_path *p)
{
    struct tcp_flight *f = c->flight;
    if (f->mtu.high != 0 || !t->set.mtu_probing)
        return;
    f->mtu.low = (uint16_t)p->path.mtu;
    f->mtu.high = (uint16_t)(p->path.mtu < p->path.nif->mtu ? p->path.nif->mtu : p->path.mtu);
}

void tcp_mtu_on_open(struct tcp *t, struct tcp_conn *c)
{
    const struct tcp_path *p = tcp_conn_path(t, c, c->prof->tos);
    if (p && !p->path.local)
        begin_search(t, c, p);
}

uint32_t tcp_mtu_probe_len(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    if (oriel_likely(f->mtu.high < f->mtu.low + CLOSE_ENOUGH))
        return 0;
    if (f->mtu.suspect || f->mtu.probe != 0 || f->recov.ca != ORIEL_CA_OPEN ||
        t->env->now < f->mtu.again_at)
        return 0;
    uint32_t len = ((uint32_t)f->mtu.low + f->mtu.high + 1) / 2 - headers(c);
    uint32_t behind = len + BEHIND_SEGS * (uint32_t)c->snd.mss;
    uint32_t most = (uint32_t)c->snd.peer_mss - ((c->is & TCP_IS_TS) ? 12 : 0);
    if (len <= c->snd.mss || len > most || tcp_unsent(c) < behind || c->snd.wnd < behind ||
        f->cc.cwnd < behind)
        return 0;
    return len;
}

void tcp_mtu_on_probe_sent(struct tcp_conn *c, seq_t end, uint32_t len)
{
    c->flight->mtu.probe = (uint16_t)(len + headers(c));
    c->flight->mtu.end = end;
}
