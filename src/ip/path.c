/*
 * Paths: route, source, neighbour and path MTU in one answer, and what invalidates it.
 *
 * ip->gen changes with every route, address, interface, router or neighbour that comes or goes; a
 * sender that kept a path compares one number.
 */
#include "ip/ip.h"

void ip_changed(struct ip *ip)
{
    if (++ip->gen == 0)         /* which says "none" in a path that is kept */
        ip->gen = 1;
}

/* A gateway that is known not to answer is used only when there is no other (RFC 1122, 3.3.1.5). */
static bool next_hop_dead(struct ip *ip, const struct route *r)
{
    if (addr_is_unspecified(&r->gateway))
        return false;
    struct neigh *n = neigh_find(ip, r->nif, &r->gateway);
    if (!n || n->state != NEIGH_FAILED)
        return false;
    neigh_ask_again(ip, n);
    return true;
}

static const struct route *choose_route(struct ip *ip, const struct oriel_addr *dst,
                                        uint16_t nif)
{
    const struct route *first = NULL;
    for (const struct route *r = route_lookup(&ip->routes, dst, nif); r;
         r = route_next(&ip->routes, r, nif)) {
        const struct netif *n = netif_at(ip->link, r->nif);
        if (!n || !netif_works(n))
            continue;
        if (!first)
            first = r;
        if (!next_hop_dead(ip, r))
            return r;
    }
    return first;
}

/* Where a group or the limited broadcast leaves when nobody said: the first link that has hosts. */
static struct netif *default_nif(const struct ip *ip, bool v4)
{
    for (uint16_t i = 1; i <= ip->link->max; i++) {
        struct netif *n = netif_at(ip->link, i);
        if (n && netif_works(n) && n->kind != NETIF_LOOPBACK && ifaddr_first(ip, i, v4))
            return n;
    }
    return NULL;
}

static uint32_t mtu_of(const struct ip *ip, const struct netif *nif, const struct oriel_addr *dst)
{
    uint32_t mtu = nif->mtu;
    uint32_t from_ra = ip_if_of(ip, nif->index)->mtu6;
    if (!addr_is_v4(dst) && from_ra != 0 && from_ra < mtu)
        mtu = from_ra;
    uint32_t path = pmtu_of(&ip->pmtu, dst);
    return path != 0 && path < mtu ? path : mtu;
}

static int group_path(struct ip *ip, uint16_t nif, struct ip_path *out)
{
    const struct route *r = nif ? NULL : choose_route(ip, &out->dst, 0);
    out->nif = nif ? netif_at(ip->link, nif)
               : r ? netif_at(ip->link, r->nif)
                   : default_nif(ip, addr_is_v4(&out->dst));
    if (!out->nif)
        return ORIEL_ENETUNREACH;
    out->group = addr_is_multicast(&out->dst);
    out->broadcast = !out->group;
    out->next_hop = out->dst;
    return 0;
}

static int unicast_path(struct ip *ip, uint16_t nif, struct ip_path *out)
{
    const struct route *r = choose_route(ip, &out->dst, nif);
    if (!r)
        return ORIEL_ENETUNREACH;
    out->nif = netif_at(ip->link, r->nif);
    out->next_hop = addr_is_unspecified(&r->gateway) ? out->dst : r->gateway;
    if (addr_is_unspecified(&r->gateway) && ip_is_broadcast(ip, r->nif, &out->dst)) {
        out->broadcast = true;
        return 0;
    }
    if (!netif_has_neighbours(out->nif))
        return 0;
    out->neigh = neigh_get(ip, r->nif, &out->next_hop);
    if (out->neigh && !addr_is_unspecified(&r->gateway))
        out->neigh->gateway = true;
    return out->neigh ? 0 : ORIEL_ENOBUFS;
}

/* To one of our own addresses: it never leaves. */
static bool local_path(struct ip *ip, struct ip_path *out)
{
    const struct ifaddr *mine = ifaddr_find(ip, &out->dst, 0);
    bool loopback = addr_is_loopback(&out->dst);
    if (!loopback && (!mine || !ifaddr_usable(mine)))
        return false;
    bool of_link = !addr_is_v4(&out->dst) && addr_is_link_local(&out->dst);
    struct netif *lo = of_link ? NULL : netif_at(ip->link, ip->link->loopback);
    out->nif = lo ? lo : mine ? netif_at(ip->link, mine->nif) : NULL;
    out->local = true;
    out->next_hop = out->dst;
    return out->nif != NULL;
}

int ip_path_route(struct ip *ip, const struct oriel_addr *dst, uint16_t nif, struct ip_path *out)
{
    int err = 0;
    *out = (struct ip_path){.dst = *dst, .src = ADDR_NONE};
    if (nif == 0)
        nif = (uint16_t)dst->zone;
    if (nif != 0 && !netif_at(ip->link, nif))
        return ORIEL_ENETUNREACH;
    if (addr_is_multicast(dst) || addr_is_limited_broadcast(dst))
        err = group_path(ip, nif, out);
    else if (!local_path(ip, out))
        err = addr_is_loopback(dst) ? ORIEL_ENETUNREACH : unicast_path(ip, nif, out);
    if (err)
        return err;
    out->mtu = out->local ? NETIF_MTU_MAX : mtu_of(ip, out->nif, dst);
    out->gen = ip->gen;
    return 0;
}

/*
 * May src stand in packets on that path? It is ours, of its family, and they do not leave its scope; or
 * nobody's in particular, where we stand in for others.
 */
static bool source_fits(const struct ip *ip, const struct oriel_addr *src,
                        const struct ip_path *path)
{
    if (addr_is_v4(src) != addr_is_v4(&path->dst))
        return false;
    if (addr_is_loopback(src))
        return path->local;
    bool of_link = addr_is_link_local(src) && !path->local;
    const struct ifaddr *a = ifaddr_find(ip, src, of_link ? path->nif->index : 0);
    return (a && ifaddr_usable(a)) ||
           (!path->local && ip_if_of(ip, path->nif->index)->any_addr && !addr_is_multicast(src) &&
            !addr_is_class_e(src));
}

int ip_path_renew(struct ip *ip, struct ip_path *path)
{
    struct oriel_addr dst = path->dst;
    return path->gen == ip->gen ? 0 : ip_path_route(ip, &dst, 0, path);
}

/* Who has no address yet may say so, to the link it names and no further (RFC 1122, 3.2.1.3 (a)). */
static bool is_nobody(const struct oriel_addr *src, const struct ip_path *path)
{
    return addr_same_bits(src, &ADDR_V4_ANY) && addr_is_limited_broadcast(&path->dst);
}

int ip_path_find(struct ip *ip, const struct oriel_addr *dst, const struct oriel_addr *src,
                 uint16_t nif, struct ip_path *out)
{
    if (addr_is_unspecified(dst))
        return ORIEL_EINVAL;
    int err = ip_path_route(ip, dst, nif, out);
    if (err)
        return err;
    if (src && nif != 0 && is_nobody(src, out)) {
        out->src = ADDR_V4_ANY;
        return 0;
    }
    if (src && !addr_is_unspecified(src)) {
        if (!source_fits(ip, src, out))
            return ORIEL_EADDRNOTAVAIL;
        out->src = *src;
        return 0;
    }
    if (out->local) {
        out->src = *dst;
        return 0;
    }
    return ip_source_for(ip, dst, out->nif->index, &out->src) ? 0 : ORIEL_EADDRNOTAVAIL;
}

int ip_output(struct ip *ip, struct pkt *p, const struct ip_path *path, const struct ip_tx *tx,
              enum why why)
{
    ORIEL_ASSERT(path->nif != NULL);
    return addr_is_v4(&path->dst) ? ip4_output(ip, p, path, tx, why)
                                  : ip6_output(ip, p, path, tx, why);
}

int ip_send_any(struct ip *ip, struct pkt *p, const struct ip_path *path, enum why why)
{
    if (path->neigh)
        return neigh_output(ip, path->neigh, p, why);
    if (path->local)
        return link_loop(ip->link, path->nif, p, why);
    struct mac mac = path->mac ? *path->mac
                     : path->group ? addr_multicast_mac(&path->dst) : MAC_BROADCAST;
    return link_output(ip->link, path->nif, p, &mac, addr_is_v4(&path->dst) ? ETH_IP4 : ETH_IP6,
                       why);
}

int ip_send_pieces(struct ip *ip, struct pkt_queue *pieces, const struct ip_path *path)
{
    int err = 0;
    uint32_t gen = ip->gen;
    for (struct pkt *p; (p = pkt_dequeue(pieces)) != NULL;) {
        int e = ORIEL_ENOBUFS;
        if (gen == ip->gen)
            e = ip_send_any(ip, p, path, WHY_FRAGMENT);
        else                    /* the error about the one before took the neighbour's place */
            pkt_drop(ip->env, p, DROP_NEIGH_TABLE_FULL);
        if (e && !err)
            err = e;
    }
    return err;
}

void ip_loop_group(struct ip *ip, const struct pkt *p, const struct ip_path *path, enum why why)
{
    if (path->nif->kind == NETIF_LOOPBACK ||    /* there the packet itself comes back */
        !mcast_wants(ip, path->nif->index, &path->dst, &path->src))
        return;
    struct pkt *copy = pkt_copy(ip->env, p, PKT_HEADROOM);
    if (copy)
        (void)link_loop(ip->link, path->nif, copy, why);
    else
        pkt_drop_note(ip->env, p, DROP_NO_MEMORY);
}

void ip_path_confirm(struct ip *ip, const struct ip_path *path)
{
    if (path->gen == ip->gen && path->neigh)
        neigh_confirm(ip, path->neigh);
}

void ip_path_doubt(struct ip *ip, const struct ip_path *path)
{
    if (path->gen == ip->gen && path->neigh)
        neigh_doubt(ip, path->neigh);
}

void ip_path_set_mtu(struct ip *ip, const struct oriel_addr *dst, uint32_t mtu)
{
    (void)pmtu_forget(&ip->pmtu, dst);
    uint32_t now = pmtu_lower(&ip->pmtu, dst, mtu, UINT16_MAX);
    TRACE(ip->env, EV_PMTU, dst->hi, dst->lo, now, mtu);
    ip_changed(ip);
}
