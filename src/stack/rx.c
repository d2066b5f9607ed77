/* The whole receive path, top to bottom: the link's verdict, the network's verdict, the transport. */
#include "stack/stack.h"

/* An ICMP error or a fact of our own about a flow: whose is it? */
static bool owned(const struct oriel_stack *s, const struct fact *f)
{
    return udp_owns(&s->udp, f) || tcp_owns(&s->tcp, f) || raw_owns(&s->socks, f);
}

static void act_on(struct oriel_stack *s, struct fact *f)
{
    if (f->kind == FACT_PMTU)
        icmp_accept_pmtu(&s->ip, f);
    if (f->proto == IP_UDP)
        udp_on_error(&s->udp, f);
    else if (f->proto == IP_TCP)
        tcp_on_error(&s->tcp, f);
    else
        raw_on_error(&s->socks, f);
}

void stack_facts(struct oriel_stack *s)
{
    struct fact_queue *q = &s->env.facts;
    for (uint32_t i = 0; i < q->n; i++) {
        s->env.cause = q->f[i].cause;
        if (owned(s, &q->f[i]))
            act_on(s, &q->f[i]);
    }
    q->n = 0;
}

static void rx_icmp(struct oriel_stack *s, struct pkt *p, const struct ip_rx *rx)
{
    struct fact f;
    switch (icmp_input(&s->ip, p, rx, &f)) {
    case ICMP_DONE:
        return;
    case ICMP_FOR_SOCKETS:
        raw_input(&s->socks, p, rx);
        return;
    case ICMP_ECHO_FOREIGN:
        if (raw_stands_in(&s->socks, rx))
            raw_input(&s->socks, p, rx);
        else
            icmp_echo_reply(&s->ip, p, rx);
        return;
    case ICMP_ERROR:
        break;
    }
    if (!owned(s, &f)) {                /* RFC 5927, 4.1: quoted, but not by us */
        pkt_drop(&s->env, p, DROP_ICMP_NOT_OURS);
        return;
    }
    act_on(s, &f);
    if (f.proto == IP_UDP || f.proto == IP_TCP)
        pkt_free(p);
    else
        raw_input(&s->socks, p, rx);
}

static void rx_udp(struct oriel_stack *s, struct pkt *p, const struct ip_rx *rx)
{
    if (udp_input(&s->udp, &p, rx) != ORIEL_ECONNREFUSED)
        return;
    icmp_error(&s->ip, p, ICMP_PORT_UNREACHABLE, 0);
    pkt_drop(&s->env, p, DROP_UDP_NO_PORT);
}

static inline void rx_transport(struct oriel_stack *s, struct pkt *p, enum ip_verdict verdict,
                                const struct ip_rx *rx)
{
    switch (verdict) {
    case IP_CONSUMED:
        return;
    case IP_TO_UDP:
        rx_udp(s, p, rx);
        return;
    case IP_TO_ICMP:
        rx_icmp(s, p, rx);
        return;
    case IP_TO_TCP:
        tcp_input(&s->tcp, p, rx);
        return;
    }
}

static inline void rx_ip4(struct oriel_stack *s, struct pkt *p)
{
    struct ip_rx rx;
    enum ip_verdict verdict = ip4_input(&s->ip, &p, &rx);
    rx_transport(s, p, verdict, &rx);
}

static void rx_ip6(struct oriel_stack *s, struct pkt *p)
{
    struct ip_rx rx;
    enum ip_verdict verdict = ip6_input(&s->ip, &p, &rx);
    rx_transport(s, p, verdict, &rx);
}

/* It is paid for here, and told of. False: it is gone. */
static ORIEL_ALWAYS_INLINE bool rx_begin(struct oriel_stack *s, struct pkt *p)
{
    struct env *env = &s->env;
    if (oriel_unlikely(p->budget != env->budget) && !pkt_recharge(p, env->budget)) {
        pkt_drop(env, p, DROP_NO_MEMORY);       /* made by another stack of this world */
        return false;
    }
    if (TRACE_ON(env, EV_PKT_RX)) {
        env->cause = p->ev;
        p->ev = env->cause = trace_put(env, EV_PKT_RX, (enum why)p->why, DROP_NONE, p->nif,
                                       pkt_len(p), 0, 0);
    }
    return true;
}

/* The whole way up. */
static ORIEL_ALWAYS_INLINE void rx_up(struct oriel_stack *s, struct pkt *p)
{
    switch (link_input(&s->link, p)) {
    case LINK_CONSUMED: return;
    case LINK_TO_IP4:   rx_ip4(s, p); return;
    case LINK_TO_IP6:   rx_ip6(s, p); return;
    case LINK_TO_ARP:   arp_input(&s->ip, p); return;
    case LINK_TO_RARP:  rarp_input(&s->ip, p); return;
    }
}

/* And what it began with, should others look like it. */
static ORIEL_NEVER_INLINE void rx_and_learn(struct oriel_stack *s, struct pkt *p)
{
    uint8_t began[FLOW_LEARNED];
    uint16_t nif = p->nif;
    memcpy(began, pkt_data(p), sizeof(began));
    s->tcp.heard = NULL;
    rx_up(s, p);
    if (s->tcp.heard)
        tcp_known_learn(&s->tcp, began, nif);
}

static ORIEL_ALWAYS_INLINE void rx_one(struct oriel_stack *s, struct pkt *p)
{
    if (s->tcp.knows && tcp_known_take(&s->tcp, p))
        return;
    if (oriel_likely(p->head.len >= FLOW_LEARNED))
        rx_and_learn(s, p);
    else
        rx_up(s, p);
}

/* Is the next packet of the same flow, as it seems, and may the two be of a run? */
static inline bool goes_on(const struct pkt *p, const struct pkt *next)
{
    const size_t at = FLOW_TCP_AT - 4;          /* addresses, and with IPv4 the ports */
    return p->gso == GSO_NONE && p->head.len >= at + 8 && next->head.len >= at + 8 &&
           csum_load(pkt_data(p) + at) == csum_load(pkt_data(next) + at);
}

/* One packet, and what it began with, as others follow it that look the same. */
static void rx_first(struct oriel_stack *s, struct pkt *p)
{
    uint8_t began[RUN_HDR_MAX];
    size_t n = p->head.len < sizeof(began) ? p->head.len : sizeof(began);
    uint16_t nif = p->nif;
    memcpy(began, pkt_data(p), n);
    s->tcp.run.c = NULL;
    rx_one(s, p);
    if (s->tcp.run.c)
        tcp_run_learn(&s->tcp, span_of(began, n), nif);
}

static void rx_batch(struct oriel_stack *s, struct pkt *pkts[], unsigned n)
{
    struct tcp_run *run = &s->tcp.run;
    for (unsigned i = 0; i < n;) {
        struct pkt *p = pkts[i++];
        if (!rx_begin(s, p))
            continue;
        if (p->head.len >= FLOW_LEARNED && flow_is_datagram(pkt_data(p))) {
            rx_up(s, p);
            continue;
        }
        if (i < n && goes_on(p, pkts[i]))
            rx_first(s, p);
        else
            rx_one(s, p);
        if (run->on)
            i += tcp_run_take(&s->tcp, pkts + i, n - i);
        run->on = false;        /* what comes next may change anything; so may applications */
    }
}

static void rx_looped(struct oriel_stack *s, struct pkt *p)
{
    if (rx_begin(s, p))
        rx_up(s, p);
}

void stack_rx(struct oriel_stack *s, struct pkt_batch *rx)
{
    for (unsigned n = s->link.loop.n; n > 0; n--)       /* not what is queued meanwhile */
        rx_looped(s, pkt_dequeue(&s->link.loop));
    if (rx)
        rx_batch(s, rx->pkts, rx->n);
    s->env.cause = 0;
}
