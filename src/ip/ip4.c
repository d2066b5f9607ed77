/*
 * IPv4: headers in, headers out, forwarding (RFC 791, 1122, 1812).
 *
 * In: checks in the order of ip4_input, each with its own reason; then translation where the
 * interface has it, delivery here, or forwarding. Source-routed packets are refused. Other options
 * are looked at only as far as their lengths must make sense.
 */
#include "ip/ip.h"

#include "pkt/seal.h"
#include "wire/fault.h"
#include "wire/igmp.h"

/* ---- out ---- */

int ip4_transmit(struct ip *ip, struct pkt *p, const struct ip_path *path, enum why why)
{
    if (oriel_likely(pkt_len(p) <= path->mtu || p->gso != GSO_NONE))
        return ip_send_one(ip, p, path, ETH_IP4, why);
    struct pkt_queue pieces = {0};
    int err = frag_cut4(ip->env, p, path->mtu, &pieces);
    return err ? err : ip_send_pieces(ip, &pieces, path);
}

static const uint8_t router_alert[4] = {IP4_OPT_RA, 4, 0, 0};

int ip4_output(struct ip *ip, struct pkt *p, const struct ip_path *path, const struct ip_tx *tx,
               enum why why)
{
    size_t hdr_len = IP4_HDR_LEN + (tx->router_alert ? sizeof(router_alert) : 0);
    size_t total = hdr_len + pkt_len(p);
    bool fits = ip_largest(p, hdr_len) <= path->mtu;
    bool whole = tx->df || p->gso != GSO_NONE;
    if (oriel_unlikely(total > IP4_LEN_MAX || (whole && !fits))) {
        pkt_drop(ip->env, p, DROP_IP_TOO_BIG);
        return ORIEL_EMSGSIZE;
    }
    struct ip4_hdr h = {
        .tos = tx->tos,
        .total_len = (uint16_t)total,
        .id = fits ? 0 : (uint16_t)frag_id(&ip->frag, &path->src, &path->dst, tx->proto),
        .df = fits,             /* RFC 6864, 4.1: whole, and to stay so; its id means nothing */
        .ttl = tx->ttl ? tx->ttl : ip->set.ttl,
        .proto = tx->proto,
        .src = path->src,
        .dst = path->dst,
        .opts = span_of(router_alert, hdr_len - IP4_HDR_LEN),
    };
    uint8_t *at = pkt_push(ip->env, p, hdr_len);
    if (oriel_unlikely(!at)) {
        pkt_drop(ip->env, p, DROP_NO_MEMORY);
        return ORIEL_ENOBUFS;
    }
    struct wr w = wr_of(at, hdr_len);
    ip4_emit(&w, &h);
    p->l3 = 0;
    if (oriel_unlikely(path->group && tx->loop))
        ip_loop_group(ip, p, path, why);
    return ip4_transmit(ip, p, path, why);
}

bool ip4_flow_make(const struct ip *ip, const struct ip_path *path, const struct ip_tx *tx,
                   struct ip4_flow *out)
{
    const struct ip4_hdr h = {
        .tos = tx->tos,
        .df = true,             /* as ip4_output has it for what fits */
        .ttl = tx->ttl ? tx->ttl : ip->set.ttl,
        .proto = tx->proto,
        .src = path->src,
        .dst = path->dst,
    };
    if (!addr_is_v4(&path->dst) || path->group || tx->router_alert)
        return false;
    out->tx = *tx;
    ip4_form_make(&out->header, &h);
    return true;
}

int ip4_send_group(struct ip *ip, struct pkt *p, struct netif *nif, const struct oriel_addr *group,
                   const struct ip_tx *tx, enum why why)
{
    const struct ifaddr *a = ifaddr_first(ip, nif->index, true);
    struct ip_path path = {.src = a ? a->addr : ADDR_V4_ANY, .dst = *group, .next_hop = *group,
                           .nif = nif, .mtu = nif->mtu, .gen = ip->gen, .group = true};
    return ip4_output(ip, p, &path, tx, why);
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
    case FAULT_VERSION:   return DROP_IP4_VERSION;
    case FAULT_HDR_LEN:   return DROP_IP4_HDR_LEN;
    case FAULT_TOTAL_LEN: return DROP_IP4_TOTAL_LEN;
    case FAULT_CSUM:      return DROP_IP4_CSUM;
    }
    return DROP_IP4_SHORT;
}

/* What options are refused for; where their lengths make no sense, their sender is told. */
static enum drop check_options(struct ip *ip, const struct pkt *p, const struct ip4_hdr *h)
{
    struct rd opts = rd_of(h->opts);
    struct ip4_opt_it o;
    while (ip4_opt_next(&opts, &o))
        if (o.type == IP4_OPT_LSRR || o.type == IP4_OPT_SSRR)
            return DROP_IP4_SOURCE_ROUTE;
    if (!opts.bad)
        return DROP_NONE;
    icmp_error(ip, p, ICMP_BAD_FIELD, (uint32_t)(o.at - h->opts.p) + IP4_HDR_LEN);
    return DROP_IP4_OPTIONS;
}

/* RFC 1122, 3.2.1.3: what may never arrive as a source or destination. */
static enum drop check_addresses(const struct ip *ip, const struct pkt *p, const struct ip4_hdr *h)
{
    bool looped = (p->flags & PKT_LOOPED) != 0;
    if (!looped && (addr_is_loopback(&h->src) || addr_is_loopback(&h->dst)))
        return DROP_IP_LOOP;
    if (addr_is_multicast(&h->src) || addr_is_class_e(&h->src) ||
        ip_is_broadcast(ip, p->nif, &h->src))
        return DROP_IP4_SOURCE;
    if (addr_is_unspecified(&h->src) && h->proto != IP_IGMP &&
        !addr_is_limited_broadcast(&h->dst))
        return DROP_IP4_SOURCE;         /* only who has no address yet, and only to the link */
    if (!looped && ip_is_own(ip, &h->src))
        return DROP_IP4_SOURCE;         /* our own address from outside */
    if (addr_is_unspecified(&h->dst) || addr_is_class_e(&h->dst))
        return DROP_IP4_DEST;
    return DROP_NONE;
}

enum whose {
    OURS,
    GROUP,
    BROADCAST,
    STAND_IN,                   /* not ours, but for us all the same */
    FOREIGN,
};

static enum whose whose(const struct ip *ip, const struct pkt *p, const struct ip4_hdr *h)
{
    const enum whose others = ip_stands_in(ip, p) ? STAND_IN : FOREIGN;
    const struct ifaddr *a = ifaddr_find(ip, &h->dst, 0);
    if (oriel_likely(a && ifaddr_usable(a)))
        return ip->set.strong_host && a->nif != p->nif && !(p->flags & PKT_LOOPED) ? others : OURS;
    if (addr_is_loopback(&h->dst))
        return OURS;
    if (addr_is_multicast(&h->dst))
        return GROUP;
    return ip_is_broadcast(ip, p->nif, &h->dst) ? BROADCAST : others;
}

/* Keep a fragment; *pp becomes the whole datagram, or NULL. True when it is whole. */
static bool reassemble(struct ip *ip, struct pkt **pp, struct ip4_hdr *h)
{
    enum drop why;
    struct frag_in in = {
        .key = {.src = h->src, .dst = h->dst, .id = h->id, .proto = h->proto, .nif = (*pp)->nif},
        .off = h->frag_off,
        .len = (uint16_t)(h->total_len - h->hdr_len),
        .more = h->mf,
        .hdr_len = h->hdr_len,
        .ecn = h->tos & 3,
    };
    *pp = frag_input(&ip->frag, *pp, &in, &why);
    if (!*pp)
        return false;
    struct rd r = pkt_rd(*pp, 0);
    bool good = ip4_parse(&r, h);
    ORIEL_ASSERT(good);
    return true;
}

/* What the transports are told of a datagram for this host alone. */
static void describe(struct ip_rx *rx, const struct pkt *p, const struct ip4_hdr *h)
{
    *rx = (struct ip_rx){.src = h->src, .dst = h->dst, .nif = p->nif, .proto = h->proto,
                         .addrs_sum = (uint64_t)addr_to_v4(&h->src) + addr_to_v4(&h->dst),
                         .payload_len = (uint16_t)(h->total_len - h->hdr_len), .ttl = h->ttl,
                         .tos = h->tos};
}

static enum ip_verdict deliver(struct ip *ip, struct pkt **pp, struct ip4_hdr *h, struct ip_rx *rx)
{
    bool fragment = h->mf || h->frag_off != 0;
    if (oriel_unlikely(fragment) && !reassemble(ip, pp, h))
        return IP_CONSUMED;
    struct pkt *p = *pp;
    p->l4 = h->hdr_len;
    bool to_group = rx->to_group;
    describe(rx, p, h);
    rx->to_group = to_group;
    rx->fragmented = fragment;
    switch (h->proto) {
    case IP_UDP:  return IP_TO_UDP;
    case IP_TCP:  return IP_TO_TCP;
    case IP_ICMP: return IP_TO_ICMP;
    case IP_IGMP: {
        (void)pkt_linearize(ip->env, p);
        struct rd r = pkt_rd(p, p->l4);
        igmp_input(ip, p, rx, &r);
        pkt_free(p);
        *pp = NULL;
        return IP_CONSUMED;
    }
    case IP_IPIP:
    case IP_IP6IN4:
        return refuse(ip, pp, DROP_IP_TUNNEL);
    }
    icmp_error(ip, p, ICMP_PROTO_UNREACHABLE, 0);
    return refuse(ip, pp, DROP_IP_PROTOCOL);
}

/* ---- forwarding ---- */

static bool forwardable(const struct ip *ip, const struct pkt *p, const struct ip4_hdr *h)
{
    return ip->set.forward4 && !(p->flags & (PKT_L2_BCAST | PKT_L2_MCAST)) &&
           !addr_is_link_local(&h->src) && !addr_is_link_local(&h->dst) &&
           !addr_is_unspecified(&h->src);
}

/* One network holds both, so that one can be told of the other (RFC 1812, 5.2.7.2). */
static bool on_one_network(const struct ip *ip, uint16_t nif, const struct oriel_addr *a,
                           const struct oriel_addr *b)
{
    LIST_EACH(node, &ip_if_of(ip, nif)->addrs) {
        const struct ifaddr *us = CONTAINER_OF(node, struct ifaddr, node);
        struct prefix net = prefix_of(us->addr, us->prefix_len);
        if (ifaddr_usable(us) && prefix_has(&net, a) && prefix_has(&net, b))
            return true;
    }
    return false;
}

/* Consumes nothing, but may make room in the neighbour table at the path's cost: false, gone. */
static bool redirect_if_better(struct ip *ip, const struct pkt *p, const struct ip4_hdr *h,
                               struct ip_path *path)
{
    if (oriel_likely(!ip->set.send_redirects || path->nif->index != p->nif) ||
        !on_one_network(ip, p->nif, &h->src, &path->next_hop))
        return true;
    icmp4_send_redirect(ip, p, &path->next_hop);
    return ip_path_renew(ip, path) == 0;
}

static enum ip_verdict forward(struct ip *ip, struct pkt **pp, struct ip4_hdr *h, enum why why)
{
    struct env *env = ip->env;
    struct ip_path path;
    struct pkt *p = *pp;
    if (h->ttl <= 1) {
        icmp_error(ip, p, ICMP_TTL_EXCEEDED, 0);
        return refuse(ip, pp, DROP_IP_TTL);
    }
    int err = ip_path_route(ip, &h->dst, 0, &path);
    if (err || path.broadcast || path.local) {
        if (!path.broadcast)    /* RFC 2644: a directed broadcast ends here, without a word */
            icmp_error(ip, p, ICMP_NET_UNREACHABLE, 0);
        return refuse(ip, pp, err == ORIEL_ENOBUFS ? DROP_NEIGH_TABLE_FULL : DROP_IP_NO_ROUTE);
    }
    if (!redirect_if_better(ip, p, h, &path))   /* may find the path anew: before it is used */
        return refuse(ip, pp, DROP_NEIGH_TABLE_FULL);
    bool nat = ip_if_of(ip, path.nif->index)->nat && why == WHY_FORWARD;
    if (nat && (h->mf || h->frag_off != 0) && !reassemble(ip, pp, h))
        return IP_CONSUMED;
    p = *pp;
    if (oriel_unlikely(p->gso != GSO_NONE) ? !pkt_gso_fits(p, path.nif->mtu)
                                           : h->df && pkt_len(p) > path.nif->mtu) {
        icmp_error(ip, p, ICMP_TOO_BIG, path.nif->mtu);
        return refuse(ip, pp, DROP_IP_TOO_BIG);
    }
    path.mtu = path.nif->mtu;   /* what routers said about the path is the sender's business */
    if (!pkt_own_head(env, p))
        return refuse(ip, pp, DROP_NO_MEMORY);
    p->flags |= PKT_FORWARDED;
    *pp = NULL;
    if (nat) {
        enum nat_verdict v = nat_out(ip, p, path.nif->index);
        if (v == NAT_CONSUMED)
            return IP_CONSUMED;
        why = v == NAT_DONE ? WHY_FORWARD_NAT : why;
    }
    ip4_patch_ttl(pkt_data(p), (uint8_t)(h->ttl - 1));
    TRACE(env, EV_FORWARD, p->nif, path.nif->index, h->ttl - 1);
    (void)ip4_transmit(ip, p, &path, why);
    return IP_CONSUMED;
}

/* At an interface that translates: back to an inside host? True when that was the end of it. */
static bool translate_in(struct ip *ip, struct pkt **pp, struct ip4_hdr *h)
{
    if ((h->mf || h->frag_off != 0) && !reassemble(ip, pp, h))
        return true;
    switch (nat_in(ip, *pp, (*pp)->nif)) {
    case NAT_PASS:     return false;
    case NAT_CONSUMED: *pp = NULL; return true;
    case NAT_DONE:     break;
    }
    struct rd r = pkt_rd(*pp, 0);
    bool good = ip4_parse(&r, h);
    ORIEL_ASSERT(good);
    (void)forward(ip, pp, h, WHY_FORWARD_NAT_BACK);
    return true;
}

/*
 * What was found of the two addresses of a packet is kept where a product of them says, the latest
 * only: who sends us many packets is asked once. A peer that makes two pairs meet there gains
 * nothing but the long way for them.
 */
static struct ip4_known *known_slot(struct ip *ip, const struct ip4_hdr *h)
{
    uint32_t mixed = (addr_to_v4(&h->src) ^ addr_to_v4(&h->dst)) * 0x9e3779b1u;
    return &ip->known4[mixed >> (32 - IP4_KNOWN_BITS)];
}

static bool is_known(struct ip *ip, const struct pkt *p, const struct ip4_hdr *h)
{
    const struct ip4_known *k = known_slot(ip, h);
    return k->src == addr_to_v4(&h->src) && k->dst == addr_to_v4(&h->dst) && k->gen == ip->gen &&
           k->nif == p->nif && !(p->flags & (PKT_LOOPED | PKT_L2_BCAST | PKT_L2_MCAST));
}

/* p passed every check of addresses and is for us. Not where that hung on more than both of them. */
static void remember(struct ip *ip, const struct pkt *p, const struct ip4_hdr *h)
{
    if ((p->flags & PKT_LOOPED) || addr_is_unspecified(&h->src) || ip_if_of(ip, p->nif)->nat)
        return;
    *known_slot(ip, h) = (struct ip4_known){.src = addr_to_v4(&h->src),
                                            .dst = addr_to_v4(&h->dst),
                                            .gen = ip->gen, .nif = p->nif};
}

/*
 * The header is contiguous afterwards, as far as the packet has it, and so is what the layers here look
 * at behind it. Of TCP that is nothing: its payload stays in slices.
 */
static void need_header(struct ip *ip, struct pkt *p)
{
    struct ip4_hdr h;
    if (oriel_likely(p->more_n == 0))
        return;
    size_t len = pkt_len(p);
    (void)pkt_need(ip->env, p, len < IP4_HDR_LEN ? len : IP4_HDR_LEN);
    struct rd r = pkt_rd(p, 0);
    bool tcp = ip4_parse_quoted(&r, &h) && h.proto == IP_TCP;
    if (!tcp)
        (void)pkt_need(ip->env, p, len < IP4_HDR_MAX ? len : IP4_HDR_MAX);
}

static ORIEL_NEVER_INLINE enum ip_verdict input_any(struct ip *ip, struct pkt **pp,
                                                    struct ip_rx *rx)
{
    struct pkt *p = *pp;
    struct ip4_hdr h;
    enum drop why;
    need_header(ip, p);
    struct rd r = pkt_rd(p, 0);
    if (oriel_unlikely(!ip4_parse(&r, &h) && !(p->more_n && r.bad == FAULT_TOTAL_LEN)))
        return refuse(ip, pp, fault_reason(r.bad));
    if (oriel_unlikely(h.total_len > pkt_len(p)))
        return refuse(ip, pp, DROP_IP4_TOTAL_LEN);
    if (pkt_len(p) > h.total_len)
        pkt_trim(p, h.total_len);               /* padding of the link (RFC 894) */
    if ((why = check_addresses(ip, p, &h)) != DROP_NONE)
        return refuse(ip, pp, why);
    enum whose to = whose(ip, p, &h);
    rx->to_group = to == GROUP || to == BROADCAST;
    if ((p->flags & PKT_L2_BCAST) && to != BROADCAST && to != GROUP)
        return refuse(ip, pp, DROP_IP4_L2_BROADCAST);
    if (to == FOREIGN && !forwardable(ip, p, &h))
        return refuse(ip, pp, DROP_IP_NOT_OURS);
    if (oriel_unlikely(h.opts.n > 0) && (why = check_options(ip, p, &h)) != DROP_NONE)
        return refuse(ip, pp, why);
    if (to == OURS && oriel_unlikely(ip_if_of(ip, p->nif)->nat) && translate_in(ip, pp, &h))
        return IP_CONSUMED;
    p = *pp;                                    /* whole now, where it was a fragment */
    if (to == GROUP && !mcast_wants(ip, p->nif, &h.dst, &h.src))
        return refuse(ip, pp, DROP_IP_GROUP);
    if (!rx->to_group && to != FOREIGN)
        remember(ip, p, &h);
    if (oriel_likely(to != FOREIGN))
        return deliver(ip, pp, &h, rx);
    return forward(ip, pp, &h, WHY_FORWARD);
}

/*
 * The short way, for a whole datagram without options between addresses that are known: it leaves
 * out what input_any would find to be so again.
 */
enum ip_verdict ip4_input(struct ip *ip, struct pkt **pp, struct ip_rx *rx)
{
    struct pkt *p = *pp;
    struct ip4_hdr h;
    struct rd r = pkt_rd(p, 0);
    size_t held = pkt_len(p);
    if (oriel_unlikely(!ip4_parse_plain_of(&r, held, &h) || !is_known(ip, p, &h)))
        return input_any(ip, pp, rx);
    if (oriel_unlikely(held > h.total_len))
        pkt_trim(p, h.total_len);               /* padding of the link (RFC 894) */
    p->l4 = IP4_HDR_LEN;
    describe(rx, p, &h);
    if (oriel_likely(h.proto == IP_UDP))
        return IP_TO_UDP;
    return h.proto == IP_TCP    ? IP_TO_TCP
           : h.proto == IP_ICMP ? IP_TO_ICMP
                                : input_any(ip, pp, rx);
}
