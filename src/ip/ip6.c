/*
 * IPv6: headers in, headers out, forwarding (RFC 8200, 4291, 4007, 7112).
 *
 * Extension headers are walked in the order in which they stand, each at most once a step, bounded
 * by IP6_EXT_MAX. `struct chain` says where the walk is: errors point at the byte at fault.
 */
#include "ip/ip.h"

#include "pkt/seal.h"
#include "wire/fault.h"
#include "wire/icmp6.h"

/* ---- out ---- */

/* Hop-by-hop header with a router alert for MLD (RFC 2711) and a pad: 8 bytes. */
static void emit_router_alert(struct wr *w, uint8_t next)
{
    wr_u8(w, next);
    wr_u8(w, 0);
    wr_u8(w, IP6_OPT_RA);
    wr_u8(w, 2);
    wr_u16(w, 0);
    wr_u8(w, IP6_OPT_PADN);
    wr_u8(w, 0);
}

#define ROUTER_ALERT_LEN 8

static int send_cut(struct ip *ip, struct pkt *p, const struct ip_path *path, uint16_t unfrag_len)
{
    struct pkt_queue pieces = {0};
    uint32_t id = frag_id(&ip->frag, &path->src, &path->dst, 0);
    uint16_t next_at = unfrag_len > IP6_HDR_LEN ? IP6_HDR_LEN : IP6_AT_NEXT;
    int err = frag_cut6(ip->env, p, path->mtu, id, unfrag_len, next_at, &pieces);
    return err ? err : ip_send_pieces(ip, &pieces, path);
}

int ip6_output(struct ip *ip, struct pkt *p, const struct ip_path *path, const struct ip_tx *tx,
               enum why why)
{
    size_t ext = tx->router_alert ? ROUTER_ALERT_LEN : 0;
    size_t payload = ext + pkt_len(p);
    uint8_t learned = ip_if_of(ip, path->nif->index)->hop_limit;
    bool fits = ip_largest(p, ext + IP6_HDR_LEN) <= path->mtu;
    bool whole = tx->df || p->gso != GSO_NONE;
    bool too_long = payload > IP4_LEN_MAX - (p->gso != GSO_NONE ? IP6_HDR_LEN : 0u);
    if (oriel_unlikely(too_long || (whole && !fits))) {
        pkt_drop(ip->env, p, DROP_IP_TOO_BIG);
        return ORIEL_EMSGSIZE;
    }
    struct ip6_hdr h = {
        .tclass = tx->tos,
        .payload_len = (uint16_t)payload,
        .next = ext ? IP_HOPOPTS : tx->proto,
        .hop_limit = tx->ttl ? tx->ttl : learned ? learned : ip->set.ttl,
        .src = path->src,
        .dst = path->dst,
    };
    uint8_t *at = pkt_push(ip->env, p, IP6_HDR_LEN + ext);
    if (oriel_unlikely(!at)) {
        pkt_drop(ip->env, p, DROP_NO_MEMORY);
        return ORIEL_ENOBUFS;
    }
    struct wr w = wr_of(at, IP6_HDR_LEN + ext);
    ip6_emit(&w, &h);
    if (ext)
        emit_router_alert(&w, tx->proto);
    p->l3 = 0;
    if (oriel_unlikely(path->group && tx->loop))
        ip_loop_group(ip, p, path, why);
    return oriel_likely(fits) ? ip_send_one(ip, p, path, ETH_IP6, why)
                              : send_cut(ip, p, path, (uint16_t)(IP6_HDR_LEN + ext));
}

void icmp6_send(struct ip *ip, const struct icmp6_out *o, struct wr *message, enum why why)
{
    struct netif *nif = netif_at(ip->link, o->nif);
    if (!nif || message->bad)
        return;
    icmp6_seal(message, &o->src, &o->dst);
    struct pkt *p = pkt_new_copy(ip->env, PKT_HEADROOM, wr_span(message));
    if (!p)
        return;                 /* as if it had been lost: whoever sent it sends it again */
    struct ip_path path = {.src = o->src, .dst = o->dst, .next_hop = o->dst, .nif = nif,
                           .mtu = nif->mtu, .gen = ip->gen, .group = addr_is_multicast(&o->dst),
                           .mac = o->mac};
    struct ip_tx tx = {.proto = IP_ICMP6, .ttl = o->hop_limit, .router_alert = o->router_alert};
    if (!path.group && !o->mac && netif_has_neighbours(nif)) {
        path.neigh = neigh_get(ip, nif->index, &o->dst);
        if (!path.neigh) {
            pkt_drop(ip->env, p, DROP_NEIGH_TABLE_FULL);
            return;
        }
    }
    (void)ip6_output(ip, p, &path, &tx, why);
}

/* ---- in ---- */

static enum ip_verdict refuse(struct ip *ip, struct pkt **pp, enum drop why)
{
    pkt_drop(ip->env, *pp, why);
    *pp = NULL;
    return IP_CONSUMED;
}

static enum drop fault_reason(uint8_t fault)
{
    switch (fault) {
    case FAULT_VERSION:   return DROP_IP6_VERSION;
    case FAULT_TOTAL_LEN: return DROP_IP6_PAYLOAD_LEN;
    case FAULT_ADDR:      return DROP_IP6_MAPPED;
    }
    return DROP_IP6_SHORT;
}

static enum drop check_addresses(const struct ip *ip, const struct pkt *p, const struct ip6_hdr *h)
{
    bool looped = (p->flags & PKT_LOOPED) != 0;
    bool of_link = addr_is_link_local(&h->src);
    if (!looped && (addr_is_loopback(&h->src) || addr_is_loopback(&h->dst)))
        return DROP_IP_LOOP;
    if (addr_is_multicast(&h->src))
        return DROP_IP6_SOURCE;
    const struct ifaddr *own = ifaddr_find(ip, &h->src, of_link ? p->nif : 0);
    if (!looped && own && ifaddr_usable(own))
        return DROP_IP6_SOURCE;         /* ours, from outside; a tentative one may be somebody's */
    if (addr_is_unspecified(&h->dst))
        return DROP_IP6_DEST;
    if (addr_is_multicast(&h->dst) && addr_scope(&h->dst) <= SCOPE_INTERFACE && !looped)
        return DROP_IP6_DEST;           /* RFC 4291, 2.7: never leaves its host */
    return DROP_NONE;
}

/* Where the walk over the headers is. Offsets count from the start of the packet. */
struct chain {
    uint8_t next;               /* the type of the header at `off` */
    uint16_t next_at;           /* the byte that says so */
    uint16_t off;
    uint8_t count;
};

/*
 * Options of a hop-by-hop or destination header at c->off. What is unknown says itself what is to
 * be done (RFC 8200, 4.2). False: the packet is gone.
 */
static bool walk_options(struct ip *ip, struct pkt **pp, const struct chain *c,
                         const struct ip6_ext *e, bool to_group)
{
    struct ip6_opt_walk w = ip6_opts(e);
    struct ip6_opt o;
    while (ip6_opt_next(&w, &o)) {
        enum ip6_opt_action act = (enum ip6_opt_action)(o.type >> 6);
        if (o.type == IP6_OPT_RA || act == IP6_ACT_SKIP)
            continue;
        if (act == IP6_ACT_ICMP || (act == IP6_ACT_ICMP_UNICAST && !to_group))
            icmp_error(ip, *pp, ICMP_BAD_OPTION, (uint32_t)c->off + o.at);
        (void)refuse(ip, pp, DROP_IP6_OPTION);
        return false;
    }
    if (w.r.bad) {
        icmp_error(ip, *pp, ICMP_BAD_FIELD, (uint32_t)c->off + 1);
        (void)refuse(ip, pp, w.r.bad == FAULT_OPT_COUNT ? DROP_IP6_EXT_COUNT : DROP_IP6_OPTION_LEN);
    }
    return w.r.bad == 0;
}

/* RFC 7112: the first fragment must hold every header up to the transport's. */
static bool chain_complete(struct rd r, uint8_t next)
{
    struct ip6_ext e;
    for (unsigned i = 0; i < IP6_EXT_MAX && ip6_is_ext(next); i++) {
        if (!ip6_ext_parse(&r, next, &e))
            return false;
        next = e.next;
    }
    size_t need = next == IP_UDP ? 8 : next == IP_TCP ? 20 : next == IP_ICMP6 ? 4 : 0;
    return rd_left(&r) >= need;
}

/* What a fragment by itself is refused for; its sender is told. `r` stands at its data. */
static enum drop check_fragment(struct ip *ip, const struct pkt *p, const struct frag_in *in,
                                struct rd r)
{
    enum drop why = frag_check(in);
    if (why == DROP_FRAG_LEN && in->len % 8 != 0) {
        icmp_error(ip, p, ICMP_BAD_FIELD, IP6_AT_PAYLOAD_LEN);
    } else if (why == DROP_FRAG_BEYOND) {
        icmp_error(ip, p, ICMP_BAD_FIELD, (uint32_t)in->hdr_len + 2);
    } else if (why == DROP_NONE && in->off == 0 && !chain_complete(r, in->next)) {
        icmp_error(ip, p, ICMP_BAD_CHAIN, 0);
        why = DROP_IP6_FRAG_CHAIN;
    }
    return why;
}

/*
 * A fragment header at c->off. True: the packet goes on at `c` (it was atomic, or is whole now, in
 * *pp and *h). False: kept or dropped, *pp is NULL.
 */
static bool fragment(struct ip *ip, struct pkt **pp, struct ip6_hdr *h, struct chain *c)
{
    struct pkt *p = *pp;
    struct ip6_frag f;
    struct rd r = pkt_rd(p, c->off);
    if (!ip6_frag_parse(&r, &f)) {
        (void)refuse(ip, pp, DROP_IP6_SHORT);
        return false;
    }
    if (f.off == 0 && !f.more) {        /* RFC 6946: a datagram of its own */
        *c = (struct chain){.next = f.next, .next_at = c->off,
                            .off = (uint16_t)(c->off + IP6_FRAG_LEN), .count = c->count};
        return true;
    }
    struct frag_in in = {
        .key = {.src = h->src, .dst = h->dst, .id = f.id, .nif = p->nif},
        .off = f.off, .len = (uint16_t)rd_left(&r), .more = f.more, .hdr_len = c->off,
        .ecn = h->tclass & 3, .next = f.next, .next_at = c->next_at,
    };
    enum drop why = check_fragment(ip, p, &in, r);
    if (why != DROP_NONE) {
        (void)refuse(ip, pp, why);
        return false;
    }
    *pp = frag_input(&ip->frag, p, &in, &why);
    if (!*pp)
        return false;
    r = pkt_rd(*pp, 0);
    bool good = ip6_parse(&r, h);
    ORIEL_ASSERT(good);
    /* The unfragmentable part is the first fragment's; its length is where the data begins. */
    *c = (struct chain){.next = h->next, .next_at = IP6_AT_NEXT, .off = IP6_HDR_LEN,
                        .count = c->count};
    return true;
}

static enum ip_verdict to_transport(struct ip *ip, struct pkt **pp, const struct ip6_hdr *h,
                                    const struct chain *c, struct ip_rx *rx)
{
    struct pkt *p = *pp;
    p->l4 = c->off;
    rx->proto = c->next;
    rx->next_at = c->next_at;
    rx->payload_len = (uint16_t)(h->payload_len + IP6_HDR_LEN - c->off);
    rx->ttl = h->hop_limit;
    rx->tos = h->tclass;
    rx->nif = p->nif;
    switch (c->next) {
    case IP_UDP:   return IP_TO_UDP;
    case IP_TCP:   return IP_TO_TCP;
    case IP_ICMP6: return IP_TO_ICMP;
    case IP_NONE:  return refuse(ip, pp, DROP_IP_PROTOCOL);
    case IP_IPIP:
    case IP_IP6IN4:
        return refuse(ip, pp, DROP_IP_TUNNEL);
    }
    icmp_error(ip, p, ICMP_PROTO_UNREACHABLE, c->next_at);
    return refuse(ip, pp, DROP_IP_PROTOCOL);
}

/* One extension header other than a fragment header. False: the packet is gone. */
static bool step_over(struct ip *ip, struct pkt **pp, struct chain *c, bool to_group)
{
    struct ip6_ext e;
    struct ip6_routing route;
    struct rd r = pkt_rd(*pp, c->off);
    if (c->next == IP_HOPOPTS && c->off != IP6_HDR_LEN) {
        icmp_error(ip, *pp, ICMP_PROTO_UNREACHABLE, c->next_at);
        (void)refuse(ip, pp, DROP_IP6_HOPOPTS_PLACE);
        return false;
    }
    if (!ip6_ext_parse(&r, c->next, &e)) {
        (void)refuse(ip, pp, DROP_IP6_SHORT);
        return false;
    }
    if (c->next == IP_ROUTING) {
        if (!ip6_routing_parse(&e, &route) || route.segments_left != 0) {
            icmp_error(ip, *pp, ICMP_BAD_FIELD, (uint32_t)c->off + 2);
            (void)refuse(ip, pp, DROP_IP6_ROUTING);
            return false;
        }
    } else if (!walk_options(ip, pp, c, &e, to_group)) {
        return false;
    }
    c->next_at = c->off;
    c->off = (uint16_t)((*pp)->head.len - rd_left(&r));
    c->next = e.next;
    return true;
}

static enum ip_verdict deliver(struct ip *ip, struct pkt **pp, struct ip6_hdr *h, struct chain *c,
                               struct ip_rx *rx)
{
    while (ip6_is_ext(c->next)) {
        if (++c->count > IP6_EXT_MAX) {
            icmp_error(ip, *pp, ICMP_BAD_CHAIN, 0);
            return refuse(ip, pp, DROP_IP6_EXT_COUNT);
        }
        if (c->next == IP_FRAGMENT) {
            rx->fragmented = true;
            if (!fragment(ip, pp, h, c))
                return IP_CONSUMED;
        } else if (!step_over(ip, pp, c, rx->to_group)) {
            return IP_CONSUMED;
        }
    }
    return to_transport(ip, pp, h, c, rx);
}

/* ---- forwarding ---- */

static enum ip_verdict forward(struct ip *ip, struct pkt **pp, const struct ip6_hdr *h)
{
    struct ip_path path;
    struct pkt *p = *pp;
    if (addr_is_unspecified(&h->src) || (p->flags & (PKT_L2_BCAST | PKT_L2_MCAST)))
        return refuse(ip, pp, DROP_IP_NOT_OURS);
    if (addr_is_link_local(&h->src) || addr_is_link_local(&h->dst)) {
        icmp_error(ip, p, ICMP_BEYOND_SCOPE, 0);        /* RFC 4007, 9 */
        return refuse(ip, pp, DROP_IP6_SCOPE);
    }
    if (h->hop_limit <= 1) {
        icmp_error(ip, p, ICMP_TTL_EXCEEDED, 0);
        return refuse(ip, pp, DROP_IP_TTL);
    }
    int err = ip_path_route(ip, &h->dst, 0, &path);
    if (err || path.local) {
        icmp_error(ip, p, ICMP_NET_UNREACHABLE, 0);
        return refuse(ip, pp, err == ORIEL_ENOBUFS ? DROP_NEIGH_TABLE_FULL : DROP_IP_NO_ROUTE);
    }
    if (oriel_unlikely(p->gso != GSO_NONE) ? !pkt_gso_fits(p, path.nif->mtu)
                                           : pkt_len(p) > path.nif->mtu) {
        icmp_error(ip, p, ICMP_TOO_BIG, path.nif->mtu);
        return refuse(ip, pp, DROP_IP_TOO_BIG);
    }
    ndp_send_redirect(ip, p, &path);
    if (ip_path_renew(ip, &path) != 0)  /* the redirect may have needed the next hop's entry */
        return refuse(ip, pp, DROP_NEIGH_TABLE_FULL);
    if (!pkt_own_head(ip->env, p))
        return refuse(ip, pp, DROP_NO_MEMORY);
    p->flags |= PKT_FORWARDED;
    *pp = NULL;
    ip6_patch_hop_limit(pkt_data(p), (uint8_t)(h->hop_limit - 1));
    TRACE(ip->env, EV_FORWARD, p->nif, path.nif->index, h->hop_limit - 1);
    (void)ip_send_one(ip, p, &path, ETH_IP6, WHY_FORWARD);
    return IP_CONSUMED;
}

/* Ours on this interface, or on any (weak host); link-local addresses belong to one link. */
static bool is_ours(const struct ip *ip, const struct pkt *p, const struct oriel_addr *dst)
{
    bool any = !ip->set.strong_host && !addr_is_link_local(dst);
    const struct ifaddr *a = ifaddr_find(ip, dst, any || (p->flags & PKT_LOOPED) ? 0 : p->nif);
    return (a && ifaddr_usable(a)) || addr_is_loopback(dst);
}

enum ip_verdict ip6_input(struct ip *ip, struct pkt **pp, struct ip_rx *rx)
{
    struct pkt *p = *pp;
    struct ip6_hdr h;
    enum drop why;
    size_t held = pkt_len(p);
    (void)pkt_need(ip->env, p, held < IP6_HDR_LEN ? held : IP6_HDR_LEN);
    struct rd r = pkt_rd(p, 0);
    if (oriel_unlikely(!ip6_parse_of(&r, held, &h)))
        return refuse(ip, pp, fault_reason(r.bad));
    if (held > IP6_HDR_LEN + (size_t)h.payload_len)
        pkt_trim(p, IP6_HDR_LEN + (size_t)h.payload_len);
    if (oriel_unlikely(h.next != IP_TCP) && !pkt_linearize(ip->env, p))
        return refuse(ip, pp, DROP_NO_MEMORY);  /* only TCP leaves its payload in slices */
    if ((why = check_addresses(ip, p, &h)) != DROP_NONE)
        return refuse(ip, pp, why);
    *rx = (struct ip_rx){.src = h.src, .dst = h.dst, .addrs_sum = csum_wide_addrs(&h.src, &h.dst),
                         .to_group = addr_is_multicast(&h.dst)};
    if (addr_is_link_local(&h.src))
        rx->src.zone = p->nif;
    if (addr_scope(&h.dst) <= SCOPE_LINK)
        rx->dst.zone = p->nif;
    struct chain c = {.next = h.next, .next_at = IP6_AT_NEXT, .off = IP6_HDR_LEN};
    bool ours = is_ours(ip, p, &rx->dst);
    if (rx->to_group && !mcast_wants(ip, p->nif, &rx->dst, &rx->src))
        return refuse(ip, pp, DROP_IP_GROUP);
    if (ours || rx->to_group || ip_stands_in(ip, p))
        return deliver(ip, pp, &h, &c, rx);
    if (!ip->set.forward6)
        return refuse(ip, pp, DROP_IP_NOT_OURS);
    if (c.next == IP_HOPOPTS && !step_over(ip, pp, &c, false))
        return IP_CONSUMED;             /* every node on the way looks at these */
    return forward(ip, pp, &h);
}
