/*
 * ARP (RFC 826), its use to detect conflicts (RFC 5227), and RARP (RFC 903).
 *
 * What is learned follows RFC 826's order: an entry that exists is updated by any message of its
 * owner; a new one is made only when the message was for us. A reply that nobody asked for never
 * makes an entry.
 */
#include "ip/ip.h"

#include "wire/arp.h"
#include "wire/fault.h"

#define RARP_TRIES 5
#define RARP_EVERY (1 * NS_PER_S)

/* ---- out ---- */

static void send_arp(struct ip *ip, uint16_t nif_index, const struct arp_msg *m,
                     const struct mac *to, enum why why)
{
    struct netif *nif = netif_at(ip->link, nif_index);
    struct pkt *p = nif ? pkt_new(ip->env, PKT_HEADROOM / 2, ARP_LEN) : NULL;
    if (!p)
        return;                 /* asked again by the timer that wanted it */
    struct wr w = wr_of(pkt_data(p), ARP_LEN);
    arp_emit(&w, m);
    (void)link_output(ip->link, nif, p, to, m->op >= RARP_REQUEST ? ETH_RARP : ETH_ARP, why);
}

void arp_request(struct ip *ip, uint16_t nif, const struct oriel_addr *src,
                 const struct oriel_addr *target, const struct mac *unicast, enum why why)
{
    struct netif *n = netif_at(ip->link, nif);
    if (!n || !netif_has_neighbours(n))
        return;
    struct arp_msg m = {.op = ARP_REQUEST, .sha = n->mac, .spa = *src, .tpa = *target};
    send_arp(ip, nif, &m, unicast ? unicast : &MAC_BROADCAST, why);
}

/* ---- in ---- */

static enum drop fault_reason(uint8_t fault)
{
    switch (fault) {
    case FAULT_TYPE:     return DROP_ARP_TYPE;
    case FAULT_ADDR_LEN: return DROP_ARP_ADDR_LEN;
    }
    return DROP_ARP_SHORT;
}

/* One station can be there, and answers may go to it. */
static bool station_possible(const struct mac *m)
{
    return !mac_is_group(m) && !mac_is_zero(m);
}

/* Addresses that can be somebody's; 0.0.0.0 is a probe's sender. */
static bool sender_possible(const struct ip *ip, uint16_t nif, const struct arp_msg *m)
{
    if (addr_is_unspecified(&m->spa))
        return station_possible(&m->sha);
    return !addr_is_multicast(&m->spa) && !addr_is_loopback(&m->spa) &&
           !addr_is_class_e(&m->spa) && !ip_is_broadcast(ip, nif, &m->spa) &&
           station_possible(&m->sha);
}

static void reply(struct ip *ip, uint16_t nif, const struct arp_msg *m)
{
    struct netif *n = netif_at(ip->link, nif);
    struct arp_msg r = {.op = ARP_REPLY, .sha = n->mac, .spa = m->tpa, .tha = m->sha, .tpa = m->spa};
    send_arp(ip, nif, &r, &m->sha, WHY_ARP_REPLY);
}

/*
 * RFC 5227: somebody else's message with our address as sender is a conflict; so is a probe for an
 * address that we are probing ourselves. True when the message has been dealt with.
 */
static bool check_conflict(struct ip *ip, uint16_t nif, const struct arp_msg *m)
{
    const struct netif *n = netif_at(ip->link, nif);
    struct ifaddr *mine = ifaddr_find(ip, &m->spa, nif);
    if (mine && mine->state != ADDR_DUPLICATE && !mac_eq(&m->sha, &n->mac)) {
        ifaddr_on_conflict(ip, mine, &m->sha);
        return true;
    }
    struct ifaddr *wanted = ifaddr_find(ip, &m->tpa, nif);
    bool is_probe = m->op == ARP_REQUEST && addr_is_unspecified(&m->spa);
    if (is_probe && wanted && wanted->state == ADDR_TENTATIVE && !mac_eq(&m->sha, &n->mac)) {
        ifaddr_on_conflict(ip, wanted, &m->sha);
        return true;
    }
    return false;
}

/* RFC 826: the merge, then what is for us. The reason when nothing came of it. */
static enum drop act(struct ip *ip, uint16_t nif, const struct arp_msg *m)
{
    if (check_conflict(ip, nif, m))
        return DROP_NONE;
    struct ifaddr *target = ifaddr_find(ip, &m->tpa, nif);
    bool for_us = target && ifaddr_usable(target);
    if (addr_is_unspecified(&m->spa)) {                 /* a probe: never learned from */
        if (for_us && m->op == ARP_REQUEST)
            reply(ip, nif, m);
        return for_us ? DROP_NONE : DROP_ARP_NOT_FOR_US;
    }
    struct neigh *n = neigh_find(ip, nif, &m->spa);
    bool merged = n != NULL;
    if (!n && for_us && m->op == ARP_REQUEST)
        n = neigh_get(ip, nif, &m->spa);
    if (n)
        neigh_learn(ip, n, &m->sha, m->op == ARP_REPLY && for_us ? NEIGH_ANSWERED : NEIGH_HEARD);
    if (for_us && m->op == ARP_REQUEST)
        reply(ip, nif, m);
    return for_us || merged ? DROP_NONE : DROP_ARP_NOT_FOR_US;
}

void arp_input(struct ip *ip, struct pkt *p)
{
    struct arp_msg m;
    enum drop why = DROP_NONE;
    (void)pkt_linearize(ip->env, p);
    struct rd r = pkt_rd(p, 0);
    if (!arp_parse(&r, &m))
        why = fault_reason(r.bad);
    else if (m.op != ARP_REQUEST && m.op != ARP_REPLY)
        why = DROP_ARP_TYPE;
    else if (!sender_possible(ip, p->nif, &m))
        why = DROP_ARP_SENDER;
    else
        why = act(ip, p->nif, &m);
    if (why != DROP_NONE)
        pkt_drop(ip->env, p, why);
    else
        pkt_free(p);
}

/* ---- RARP ---- */

static void rarp_ask(struct ip *ip, struct ip_if *f)
{
    struct netif *n = netif_at(ip->link, f->nif);
    struct arp_msg m = {.op = RARP_REQUEST, .sha = n->mac, .spa = ADDR_V4_ANY, .tha = n->mac,
                        .tpa = ADDR_V4_ANY};
    f->rarp_left--;
    env_arm_in(ip->env, &f->rarp_timer, RARP_EVERY);
    send_arp(ip, f->nif, &m, &MAC_BROADCAST, WHY_RARP_REQUEST);
}

void rarp_start(struct ip *ip, struct ip_if *f)
{
    f->rarp = ADDR_NONE;
    f->rarp_left = RARP_TRIES;
    rarp_ask(ip, f);
}

void rarp_on_timer(struct ip *ip, struct ip_if *f)
{
    if (f->rarp_left > 0)
        rarp_ask(ip, f);
}

/* The classful prefix of an address: RARP tells nothing of masks. */
static uint8_t classful_len(const struct oriel_addr *a)
{
    uint32_t v4 = addr_to_v4(a);
    return (uint8_t)(96 + ((v4 >> 31) == 0 ? 8 : (v4 >> 30) == 2 ? 16 : 24));
}

/* Only an answer to a question that is open, for our own link address, is believed. */
static enum drop rarp_answer(struct ip *ip, uint16_t nif, const struct arp_msg *m)
{
    struct ip_if *f = ip_if_of(ip, nif);
    const struct netif *n = netif_at(ip->link, nif);
    struct ifaddr *a;
    if (!timer_armed(&f->rarp_timer) || !mac_eq(&m->tha, &n->mac))
        return DROP_RARP_UNASKED;
    if (addr_is_unspecified(&m->tpa) || addr_is_multicast(&m->tpa) || addr_is_loopback(&m->tpa) ||
        addr_is_class_e(&m->tpa) || addr_is_limited_broadcast(&m->tpa))
        return DROP_ARP_SENDER;
    env_cancel(ip->env, &f->rarp_timer);
    f->rarp = m->tpa;
    best_effort(ifaddr_add(ip, nif, &m->tpa, classful_len(&m->tpa), ADDR_RARP, &a));
    return DROP_NONE;
}

static enum drop rarp_serve(struct ip *ip, uint16_t nif, const struct arp_msg *m)
{
    const struct netif *n = netif_at(ip->link, nif);
    const struct ifaddr *us = ifaddr_first(ip, nif, true);
    if (!station_possible(&m->sha))
        return DROP_ARP_SENDER;
    for (unsigned i = 0; i < ip->rarp_table_n; i++) {
        if (!mac_eq(&ip->rarp_table[i].mac, &m->tha))
            continue;
        struct arp_msg r = {.op = RARP_REPLY, .sha = n->mac, .spa = us ? us->addr : ADDR_V4_ANY,
                            .tha = m->tha, .tpa = ip->rarp_table[i].addr};
        send_arp(ip, nif, &r, &m->sha, WHY_RARP_REPLY);
        return DROP_NONE;
    }
    return DROP_RARP_NO_ENTRY;
}

void rarp_input(struct ip *ip, struct pkt *p)
{
    struct arp_msg m;
    enum drop why = DROP_NONE;
    (void)pkt_linearize(ip->env, p);
    struct rd r = pkt_rd(p, 0);
    if (!arp_parse(&r, &m))
        why = fault_reason(r.bad);
    else if (m.op == RARP_REQUEST)
        why = rarp_serve(ip, p->nif, &m);
    else if (m.op == RARP_REPLY)
        why = rarp_answer(ip, p->nif, &m);
    else
        why = DROP_ARP_TYPE;
    if (why != DROP_NONE)
        pkt_drop(ip->env, p, why);
    else
        pkt_free(p);
}
