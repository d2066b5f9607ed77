/*
 * Deferred admission: a listener that decides about each SYN before it is answered, as a gateway
 * has to that first looks whether what it stands in for is there.
 *
 * The record of such a SYN is held (tcp_halfopen.c) until the application answers or the peer has
 * not repeated it for a while. The application is told what it is once, and answers by a number
 * that no later SYN has: half of it is the place of the record, half counts.
 *
 * The SYN itself is not kept. An ICMP error quotes headers that say the same.
 */
#include "tcp/tcp.h"

#include "wire/ip6.h"

static uint64_t id_of(const struct tcp *t, const struct tcp_half *h)
{
    return (uint64_t)h->iss.v << 32 | (pool_index(&t->half.pool, h) + 1);
}

static struct tcp_half *held_of(const struct tcp *t, const struct tcp_listener *l, uint64_t id)
{
    uint32_t index = (uint32_t)id - 1;
    if (!pool_is_live(&t->half.pool, index))
        return NULL;
    struct tcp_half *h = pool_at(&t->half.pool, index);
    return (h->flags & HALF_HELD) && id_of(t, h) == id && tcp_half_listener(t, h) == l ? h : NULL;
}

static void set_named(struct tcp *t, struct tcp_listener *l, struct tcp_half *h)
{
    if (h->flags & HALF_NAMED)
        return;
    tcp_half_requeue(t, h, h->flags | HALF_NAMED, 1);
    l->unnamed--;
}

int tcp_held_next(struct tcp *t, struct tcp_listener *l, struct oriel_held *out)
{
    if (l->unnamed == 0)
        return ORIEL_EAGAIN;
    struct tcp_half *h = pool_at(&t->half.pool, t->half.queue[TCP_HALF_HELD].first - 1);
    while (tcp_half_listener(t, h) != l)
        h = pool_at(&t->half.pool, h->q_next - 1);
    *out = (struct oriel_held){
        .id = id_of(t, h),
        .local = {.addr = tuple_local(&h->tuple), .port = h->tuple.local_port},
        .remote = {.addr = tuple_remote(&h->tuple), .port = h->tuple.remote_port},
        .netif = (int)h->ts_off,
    };
    set_named(t, l, h);
    return 0;
}

/* The SYN as far as an ICMP error quotes it: headers that say the same; NULL. */
static struct pkt *syn_again(struct tcp *t, const struct tcp_half *h)
{
    const struct oriel_addr src = tuple_remote(&h->tuple), dst = tuple_local(&h->tuple);
    const struct tcp_hdr tcp = {.src_port = h->tuple.remote_port, .dst_port = h->tuple.local_port,
                                .seq = h->irs, .flags = TCP_SYN};
    bool v4 = tuple_is_v4(&h->tuple);
    size_t ip_len = v4 ? IP4_HDR_LEN : IP6_HDR_LEN;
    struct pkt *p = pkt_new(t->env, PKT_HEADROOM, ip_len + TCP_HDR_LEN);
    if (!p)
        return NULL;
    struct wr w = wr_of(pkt_data(p), ip_len + TCP_HDR_LEN);
    if (v4)
        ip4_emit(&w, &(struct ip4_hdr){.total_len = IP4_HDR_LEN + TCP_HDR_LEN, .df = true,
                                       .ttl = IP_TTL_DEFAULT, .proto = IP_TCP, .src = src,
                                       .dst = dst});
    else
        ip6_emit(&w, &(struct ip6_hdr){.payload_len = TCP_HDR_LEN, .next = IP_TCP,
                                       .hop_limit = IP_TTL_DEFAULT, .src = src, .dst = dst});
    tcp_emit(&w, &tcp);
    p->l4 = (uint16_t)ip_len;
    p->nif = (uint16_t)h->ts_off;
    p->flags |= addr_is_loopback(&src) ? PKT_LOOPED : 0;
    return p;
}

static void refuse(struct tcp *t, struct tcp_half *h, enum oriel_admission what)
{
    struct pkt *p = syn_again(t, h);
    const struct tcp_reply reset = {
        .tuple = h->tuple,
        .nif = tcp_half_listener(t, h)->prof->bind_nif,
        .ack = seq_add(h->irs, 1),
        .flags = TCP_RST | TCP_ACK,
    };
    if (what == ORIEL_ADMIT_RESET)
        tcp_reply(t, &reset, WHY_RST_REFUSED);
    else if (p)
        icmp_error(t->ip, p, ICMP_HOST_UNREACHABLE, 0);
    if (p)
        pkt_drop(t->env, p, DROP_TCP_REFUSED);
    tcp_half_forget(t, h);
}

int tcp_admit(struct tcp *t, struct tcp_listener *l, uint64_t id, enum oriel_admission what)
{
    struct tcp_half *h = held_of(t, l, id);
    if (!h)
        return ORIEL_ENOENT;
    set_named(t, l, h);
    switch (what) {
    case ORIEL_ADMIT:
        tcp_half_requeue(t, h, h->flags & ~(unsigned)(HALF_HELD | HALF_NAMED), 1);
        tcp_half_number(t, h);
        tcp_half_answer(t, l, h, tcp_half_ts_now(t, h), WHY_SYN_ACK);
        return 0;
    case ORIEL_ADMIT_RESET:
    case ORIEL_ADMIT_UNREACHABLE:
        refuse(t, h, what);
        return 0;
    }
    return ORIEL_EINVAL;
}
