/*
 * Ethernet: which frames are for us, which VLAN they belong to, what they carry.
 *
 * Lengths (IEEE 802.3, 3.2): 64 to 1,518 bytes with the check sequence, 4 more a tag, more where
 * the interface's MTU is a jumbo frame's. The minimum can only be held against a link that carries
 * the check sequence: drivers without it hand up frames as their senders built them.
 */
#include "link/netif.h"

#include "wire/fault.h"

static enum link_verdict refuse(struct link *l, struct pkt *p, enum drop why)
{
    pkt_drop(l->env, p, why);
    return LINK_CONSUMED;
}

/* Verify and remove the frame check sequence. The reason for a drop, or DROP_NONE. */
static enum drop check_fcs(struct link *l, struct pkt *p)
{
    size_t n = pkt_len(p);
    if (n < ETH_MIN + ETH_FCS_LEN)
        return DROP_ETH_SHORT;
    if (!pkt_linearize(l->env, p))
        return DROP_NO_MEMORY;
    struct rd r = pkt_rd(p, n - ETH_FCS_LEN);
    uint32_t told = rd_fcs(&r);
    pkt_trim(p, n - ETH_FCS_LEN);
    return eth_fcs(pkt_span(p)) == told ? DROP_NONE : DROP_ETH_FCS;
}

static enum drop fault_reason(uint8_t fault)
{
    switch (fault) {
    case FAULT_OPT_COUNT: return DROP_ETH_TAGS;
    case FAULT_TYPE:      return DROP_ETH_LLC;
    case FAULT_TOTAL_LEN: return DROP_ETH_LEN;
    }
    return DROP_ETH_SHORT;
}

static enum drop check_frame(const struct netif *nif, const struct pkt *p, const struct eth_hdr *h)
{
    bool fits = pkt_len(p) <= ether_frame_max(nif, h->tags_n) + (h->snap ? 8 : 0);
    if (!fits && p->gso == GSO_NONE)
        return DROP_ETH_LONG;
    if (oriel_unlikely(mac_is_group(&h->src)))
        return DROP_ETH_SOURCE;
    if (!mac_is_group(&h->dst) && !mac_eq(&h->dst, &nif->mac))
        return DROP_ETH_NOT_OURS;
    return DROP_NONE;
}

/* The interface that a tagged frame belongs to, or NULL. VLAN 0 carries only a priority. */
static struct netif *untag(const struct link *l, struct netif *nif, const struct eth_hdr *h)
{
    for (unsigned i = 0; i < h->tags_n && nif; i++) {
        if (h->tags[i].vid == 0)
            continue;
        struct netif *child = NULL;
        for (uint16_t k = 0; k < l->max && !child; k++) {
            struct netif *n = &l->netifs[k];
            if (n->index && n->parent == nif && n->vid == h->tags[i].vid &&
                n->tpid == h->tags[i].tpid)
                child = n;
        }
        nif = child;
    }
    return nif;
}

static enum link_verdict demux(struct link *l, struct pkt *p, uint16_t type)
{
    switch (type) {
    case ETH_IP4:  return LINK_TO_IP4;
    case ETH_IP6:  return LINK_TO_IP6;
    case ETH_ARP:  return LINK_TO_ARP;
    case ETH_RARP: return LINK_TO_RARP;
    }
    return refuse(l, p, DROP_ETH_TYPE);
}

enum link_verdict ether_input(struct link *l, struct netif *nif, struct pkt *p)
{
    struct eth_hdr h;
    enum drop why = nif->fcs ? check_fcs(l, p) : DROP_NONE;
    if (why != DROP_NONE)
        return refuse(l, p, why);
    struct rd r = pkt_rd(p, 0);
    if (!eth_parse(&r, &h))
        return refuse(l, p, fault_reason(r.bad));
    if ((why = check_frame(nif, p, &h)) != DROP_NONE)
        return refuse(l, p, why);
    if (oriel_unlikely(h.tags_n > 0)) {
        struct netif *vlan = untag(l, nif, &h);
        if (!vlan || !netif_works(vlan))
            return refuse(l, p, vlan ? DROP_LINK_DOWN : DROP_VLAN_UNKNOWN);
        if (vlan != nif) {
            vlan->stats.rx_pkts++;
            vlan->stats.rx_bytes += pkt_len(p);
        }
        p->nif = vlan->index;
    }
    if (mac_is_group(&h.dst))
        p->flags |= mac_is_broadcast(&h.dst) ? PKT_L2_BCAST : PKT_L2_MCAST;
    size_t header = p->head.len - rd_left(&r);
    if (h.snap)                 /* 802.3 gives the length; what follows is padding */
        pkt_trim(p, header + h.snap_len - 8);
    pkt_unwrap(p, header);
    return demux(l, p, h.type);
}

/* The tags of all interfaces from this one down to the link. */
static void add_tags(struct eth_hdr *h, const struct netif *nif)
{
    for (const struct netif *v = nif; v->parent; v = v->parent) {
        ORIEL_ASSERT(h->tags_n < ETH_TAGS_MAX);
        h->tags[1] = h->tags[0];        /* the outermost interface's tag comes first */
        h->tags[0] = (struct eth_tag){.tpid = v->tpid, .vid = v->vid};
        h->tags_n++;
    }
}

bool ether_output(struct link *l, struct netif *nif, struct pkt *p, const struct mac *dst,
                  uint16_t eth_type)
{
    struct eth_hdr h = {.dst = *dst, .src = nif->mac, .type = eth_type};
    add_tags(&h, nif);
    size_t n = eth_len(&h);
    uint8_t *at = pkt_push(l->env, p, n);
    if (!at)
        return false;
    struct wr w = wr_of(at, n);
    eth_emit(&w, &h);
    return true;
}

bool ether_finish(struct link *l, const struct netif *nif, struct pkt *p)
{
    size_t n = pkt_len(p);
    if (n < ETH_MIN && !pkt_extend(l->env, p, ETH_MIN - n))
        return false;
    if (!nif->fcs)
        return true;
    if (!pkt_linearize(l->env, p))
        return false;
    uint32_t fcs = eth_fcs(pkt_span(p));
    if (!pkt_extend(l->env, p, ETH_FCS_LEN))
        return false;
    struct wr w = wr_of(pkt_data(p) + p->head.len - ETH_FCS_LEN, ETH_FCS_LEN);
    wr_fcs(&w, fcs);
    return true;
}
