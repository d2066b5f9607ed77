/*
 * Neighbour discovery messages (RFC 4861): what they must look like, what they make us do, and the
 * ones we send.
 *
 * A message is believed only when it cannot have come from beyond the link (hop limit 255), is
 * whole (RFC 6980) and has addresses that its type allows. Then it changes at most: the neighbour
 * cache (neigh.c), the state of an address of ours that somebody else has too (ifaddr.c), what we
 * know of routers (slaac.c), or a host route (redirect.c).
 *
 * The question whether an address is free carries a nonce, so that a link which plays our own
 * question back to us is not mistaken for another host (RFC 7527). Left out: secured neighbour
 * discovery and proxies. Whether a router advertises itself is not decided here: what asks for that
 * goes on to the sockets, one of which may be an advertiser's (svc/ra.c).
 */
#include "ip/ip.h"

#include "wire/fault.h"
#include "wire/ndp.h"

#define ND_HOP_LIMIT   255
#define ND_SMALL_MAX   64       /* bytes of any message of ours but a redirect */
#define REDIRECT_MAX   (IP6_MTU_MIN - IP6_HDR_LEN)
#define REDIRECT_FIXED (40 + 8 + 8)     /* before the quote: fields, link address, option head */
#define NONCE_BITS     48

/* ---- out ---- */

static void send_message(struct ip *ip, const struct icmp6_out *o, const struct ndp_msg *m,
                         enum why why)
{
    uint8_t buf[ND_SMALL_MAX];
    struct wr w = wr_of(buf, sizeof(buf));
    ndp_emit(&w, m);
    icmp6_send(ip, o, &w, why);
}

/* RFC 4861, 4.3: an address of that interface, whichever would suit the target best. */
static bool source_on(const struct ip *ip, uint16_t nif, const struct oriel_addr *target,
                      struct oriel_addr *out)
{
    if (ip_source_for(ip, target, nif, out) && ifaddr_find(ip, out, nif))
        return true;
    const struct ifaddr *any = ifaddr_first(ip, nif, false);
    if (any)
        *out = any->addr;
    return any != NULL;
}

void ndp_solicit(struct ip *ip, uint16_t nif, const struct oriel_addr *target,
                 const struct mac *unicast)
{
    const struct netif *n = netif_at(ip->link, nif);
    struct icmp6_out o = {.dst = unicast ? *target : addr_solicited_node(target), .nif = nif,
                          .hop_limit = ND_HOP_LIMIT, .mac = unicast};
    if (!source_on(ip, nif, target, &o.src))
        return;                 /* a question from :: would be a probe (RFC 4861, 7.2.2) */
    struct ndp_msg m = {.type = ICMP6_NS, .target = *target, .has_slla = true, .slla = n->mac};
    send_message(ip, &o, &m, unicast ? WHY_ND_VERIFY : WHY_ND_SOLICIT);
}

void ndp_probe(struct ip *ip, struct ifaddr *a)
{
    struct icmp6_out o = {.src = ADDR_NONE, .dst = addr_solicited_node(&a->addr), .nif = a->nif,
                          .hop_limit = ND_HOP_LIMIT};
    a->nonce = rng_between(&ip->env->rng, 1, BIT64(NONCE_BITS) - 1);
    struct ndp_msg m = {.type = ICMP6_NS, .target = a->addr, .has_nonce = true, .nonce = a->nonce};
    send_message(ip, &o, &m, WHY_ND_PROBE);
}

static struct ndp_msg advert_of(const struct ip *ip, const struct ifaddr *a)
{
    const struct netif *n = netif_at(ip->link, a->nif);
    return (struct ndp_msg){.type = ICMP6_NA, .target = a->addr, .router = ip->set.forward6,
                            .override = true, .has_tlla = netif_has_neighbours(n), .tlla = n->mac};
}

void ndp_announce(struct ip *ip, struct ifaddr *a)
{
    struct icmp6_out o = {.src = a->addr, .dst = ADDR_V6_ALL_NODES, .nif = a->nif,
                          .hop_limit = ND_HOP_LIMIT};
    struct ndp_msg m = advert_of(ip, a);
    send_message(ip, &o, &m, WHY_ND_ANNOUNCE);
}

/* The usable link-local address of an interface, or NULL. */
static const struct ifaddr *link_local_of(const struct ip *ip, uint16_t nif)
{
    LIST_EACH(node, &ip_if_of(ip, nif)->addrs) {
        const struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (ifaddr_usable(a) && !addr_is_v4(&a->addr) && addr_is_link_local(&a->addr))
            return a;
    }
    return NULL;
}

void ndp_solicit_routers(struct ip *ip, struct ip_if *f)
{
    const struct netif *n = netif_at(ip->link, f->nif);
    const struct ifaddr *a = link_local_of(ip, f->nif);
    struct icmp6_out o = {.src = a ? a->addr : ADDR_NONE, .dst = ADDR_V6_ALL_ROUTERS,
                          .nif = f->nif, .hop_limit = ND_HOP_LIMIT};
    struct ndp_msg m = {.type = ICMP6_RS, .has_slla = a && netif_has_neighbours(n),
                        .slla = n->mac};
    send_message(ip, &o, &m, WHY_ND_ROUTER_SOLICIT);
}

/* ---- redirects out: routers only ---- */

static bool is_neighbour(const struct ip *ip, const struct oriel_addr *a, uint16_t nif)
{
    const struct route *r = route_lookup(&ip->routes, a, nif);
    return r && addr_is_unspecified(&r->gateway);
}

void ndp_send_redirect(struct ip *ip, const struct pkt *p, const struct ip_path *path)
{
    struct oriel_addr src, dst;
    if (!ip->set.send_redirects || !path->neigh || path->nif->index != p->nif)
        return;
    const struct ifaddr *us = link_local_of(ip, p->nif);
    bool to_router = !addr_same_bits(&path->next_hop, &path->dst);
    if (!us || (to_router && !addr_is_link_local(&path->next_hop)))
        return;                 /* RFC 4861, 8.2: a router is named by its link-local address */
    if (!icmp_may_redirect(ip, p, &src, &dst) || !is_neighbour(ip, &src, p->nif))
        return;
    const struct neigh *n = path->neigh;
    bool known = n->state != NEIGH_INCOMPLETE && n->state != NEIGH_FAILED;
    uint8_t buf[REDIRECT_MAX];
    struct wr w = wr_of(buf, sizeof(buf));
    struct ndp_msg m = {.type = ICMP6_REDIRECT, .target = path->next_hop, .dest = path->dst,
                        .has_tlla = known, .tlla = n->mac, .redirected = pkt_span(p)};
    if (m.redirected.n > REDIRECT_MAX - REDIRECT_FIXED)
        m.redirected.n = REDIRECT_MAX - REDIRECT_FIXED;
    ndp_emit(&w, &m);
    struct icmp6_out o = {.src = us->addr, .dst = src, .nif = p->nif, .hop_limit = ND_HOP_LIMIT};
    icmp6_send(ip, &o, &w, WHY_ND_REDIRECT);
}

/* ---- in: what a message must look like ---- */

static enum drop fault_reason(uint8_t fault)
{
    return fault == FAULT_SHORT ? DROP_ND_SHORT : DROP_ND_OPTION;
}

static bool is_solicited_node(const struct oriel_addr *a)
{
    struct oriel_addr group = addr_solicited_node(a);
    return addr_same_bits(&group, a);
}

static enum drop check_solicitation(const struct ip_rx *rx, const struct ndp_msg *m)
{
    if (addr_is_multicast(&m->target))
        return DROP_ND_TARGET;
    if (!addr_is_unspecified(&rx->src))
        return DROP_NONE;
    return is_solicited_node(&rx->dst) && !m->has_slla ? DROP_NONE : DROP_ND_SOURCE;
}

static enum drop check_advert(const struct ip_rx *rx, const struct ndp_msg *m)
{
    if (addr_is_multicast(&m->target))
        return DROP_ND_TARGET;
    return rx->to_group && m->solicited ? DROP_ND_SOURCE : DROP_NONE;
}

static enum drop check_redirect(const struct ip_rx *rx, const struct ndp_msg *m)
{
    if (!addr_is_link_local(&rx->src))
        return DROP_ND_SOURCE;
    if (addr_is_multicast(&m->dest) || addr_is_unspecified(&m->dest) || addr_is_v4(&m->dest))
        return DROP_ND_TARGET;
    bool good = addr_is_link_local(&m->target) || addr_same_bits(&m->target, &m->dest);
    return good ? DROP_NONE : DROP_ND_TARGET;
}

/* RFC 4861: 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1; the checksum has been looked at before. */
static enum drop check_message(const struct ip_rx *rx, const struct ndp_msg *m)
{
    switch (m->type) {
    case ICMP6_RA:
        return addr_is_link_local(&rx->src) ? DROP_NONE : DROP_ND_SOURCE;
    case ICMP6_NS:
        return check_solicitation(rx, m);
    case ICMP6_NA:
        return check_advert(rx, m);
    case ICMP6_REDIRECT:
        return check_redirect(rx, m);
    }
    return addr_is_unspecified(&rx->src) && m->has_slla ? DROP_ND_SOURCE : DROP_NONE;
}

/* Addresses of the link inside the message mean the link that it came by. */
static void set_zones(struct ndp_msg *m, uint16_t nif)
{
    if (addr_is_link_local(&m->target))
        m->target.zone = nif;
    if (addr_is_link_local(&m->dest))
        m->dest.zone = nif;
}

/* An address that one station can have; another one is as good as none. */
static bool one_station(const struct mac *m)
{
    return !mac_is_group(m) && !mac_is_zero(m);
}

/* ---- in: what it makes us do; the reason when nothing came of it ---- */

/*
 * The link address of a neighbour that spoke without being asked. NULL: it did not say, or the
 * table is full.
 */
static struct neigh *hear(struct ip *ip, uint16_t nif, const struct oriel_addr *who,
                          const struct mac *mac)
{
    if (!netif_has_neighbours(netif_at(ip->link, nif)))
        return NULL;
    struct neigh *n = mac ? neigh_get(ip, nif, who) : neigh_find(ip, nif, who);
    if (n && mac)
        neigh_learn(ip, n, mac, NEIGH_HEARD);
    return n;
}

/* RFC 4861, 7.2.4. */
static void answer(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *asked,
                   const struct ifaddr *a)
{
    bool anonymous = addr_is_unspecified(&rx->src);
    struct icmp6_out o = {.src = a->addr, .dst = anonymous ? ADDR_V6_ALL_NODES : rx->src,
                          .nif = rx->nif, .hop_limit = ND_HOP_LIMIT,
                          .mac = asked->has_slla ? &asked->slla : NULL};
    struct ndp_msg m = advert_of(ip, a);
    m.solicited = !anonymous;
    send_message(ip, &o, &m, WHY_ND_ADVERT);
}

/* Somebody asks about an address that we are probing ourselves (RFC 4862, 5.4.3). */
static enum drop asked_while_tentative(struct ip *ip, const struct ip_rx *rx,
                                       const struct ndp_msg *m, struct ifaddr *a)
{
    bool ours = m->has_nonce && a->nonce != 0 && m->nonce == a->nonce;
    if (!addr_is_unspecified(&rx->src) || ours)
        return DROP_ND_NOT_FOR_US;
    ifaddr_on_conflict(ip, a, &MAC_NONE);       /* a is gone, perhaps */
    return DROP_NONE;
}

static enum drop on_solicitation(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *m)
{
    struct ifaddr *a = ifaddr_find(ip, &m->target, rx->nif);
    if (a && a->state == ADDR_TENTATIVE)
        return asked_while_tentative(ip, rx, m, a);
    if (!a || !ifaddr_usable(a))
        return DROP_ND_NOT_FOR_US;
    if (!addr_is_unspecified(&rx->src))
        (void)hear(ip, rx->nif, &rx->src, m->has_slla ? &m->slla : NULL);
    answer(ip, rx, m, a);
    return DROP_NONE;
}

static enum drop on_advert(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *m)
{
    struct ifaddr *a = ifaddr_find(ip, &m->target, rx->nif);
    if (a) {
        bool tentative = a->state == ADDR_TENTATIVE;
        ifaddr_on_conflict(ip, a, &m->tlla);    /* a is gone, perhaps */
        return tentative ? DROP_NONE : DROP_ND_UNWANTED;
    }
    struct neigh *n = neigh_find(ip, rx->nif, &m->target);
    if (!n)
        return DROP_ND_UNWANTED;                /* RFC 4861, 7.2.5: no entry is made */
    neigh_on_advert(ip, n, m->has_tlla ? &m->tlla : NULL, m->router, m->solicited, m->override);
    return DROP_NONE;
}

static enum drop on_router_advert(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *m)
{
    if (!ip_if_of(ip, rx->nif)->accept_ra)
        return DROP_ND_ROLE;
    struct neigh *n = hear(ip, rx->nif, &rx->src, m->has_slla ? &m->slla : NULL);
    if (n)
        neigh_mark_router(n);
    slaac_on_ra(ip, rx, m);
    return DROP_NONE;
}

/* RFC 4861, 8.3; only from the router that we would send to now. */
static enum drop on_redirect(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *m)
{
    struct ip_path now;
    if (ip->set.forward6)
        return DROP_ND_ROLE;                    /* RFC 4861, 8.2 */
    if (!ip->set.accept_redirects || ip_path_route(ip, &m->dest, 0, &now) != 0 ||
        now.nif->index != rx->nif || !addr_same_bits(&now.next_hop, &rx->src) ||
        ifaddr_find(ip, &m->target, rx->nif))
        return DROP_ICMP_REDIRECT;
    bool on_link = addr_same_bits(&m->target, &m->dest);
    struct oriel_addr gateway = on_link ? ADDR_NONE : m->target;
    struct neigh *n = hear(ip, rx->nif, &m->target, m->has_tlla ? &m->tlla : NULL);
    if (n && !on_link)
        neigh_mark_router(n);
    redirect_learn(ip, &m->dest, &gateway, rx->nif);
    return DROP_NONE;
}

/* RFC 4861, 6.2.6: a host discards it; a router learns who asks, and its advertiser answers. */
static enum drop on_router_solicitation(struct ip *ip, const struct ip_rx *rx,
                                        const struct ndp_msg *m)
{
    if (!ip->set.forward6)
        return DROP_ND_ROLE;
    if (!addr_is_unspecified(&rx->src))
        (void)hear(ip, rx->nif, &rx->src, m->has_slla ? &m->slla : NULL);
    return DROP_NONE;
}

static enum drop act(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *m)
{
    switch (m->type) {
    case ICMP6_RA:
        return on_router_advert(ip, rx, m);
    case ICMP6_NS:
        return on_solicitation(ip, rx, m);
    case ICMP6_NA:
        return on_advert(ip, rx, m);
    case ICMP6_REDIRECT:
        return on_redirect(ip, rx, m);
    }
    return on_router_solicitation(ip, rx, m);
}

static enum drop receive(struct ip *ip, const struct ip_rx *rx, uint8_t type, uint8_t code,
                         struct rd *body)
{
    struct ndp_msg m;
    if (rx->fragmented)
        return DROP_ND_FRAGMENT;
    if (rx->ttl != ND_HOP_LIMIT)
        return DROP_ND_HOP_LIMIT;
    if (code != 0)
        return DROP_ND_CODE;
    if (!ndp_parse(body, type, &m))
        return fault_reason(body->bad);
    enum drop why = check_message(rx, &m);
    if (why != DROP_NONE)
        return why;
    set_zones(&m, rx->nif);
    m.has_slla = m.has_slla && one_station(&m.slla);
    m.has_tlla = m.has_tlla && one_station(&m.tlla);
    return act(ip, rx, &m);
}

bool ndp_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx, uint8_t type, uint8_t code,
               struct rd *body)
{
    enum drop why = receive(ip, rx, type, code, body);
    if (why != DROP_NONE)
        pkt_drop_note(ip->env, p, why);
    return why == DROP_NONE && type == ICMP6_RS;
}
