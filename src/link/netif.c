/* The table of interfaces, their queues, and the door between frames and packets. */
#include "link/netif.h"

#include "pkt/seal.h"

bool link_init(struct link *l, struct env *env, struct arena *a, uint16_t netifs_max)
{
    *l = (struct link){.env = env, .max = netifs_max};
    l->netifs = arena_take_zeroed(a, netifs_max * sizeof(struct netif));
    return l->netifs != NULL;
}

struct netif *netif_named(const struct link *l, struct span name)
{
    for (uint16_t i = 0; i < l->max; i++)
        if (l->netifs[i].index && span_is(name, l->netifs[i].name))
            return &l->netifs[i];
    return NULL;
}

static struct netif *free_slot(struct link *l)
{
    for (uint16_t i = 0; i < l->max; i++)
        if (l->netifs[i].index == 0)
            return &l->netifs[i];
    return NULL;
}

static struct netif *vlan_of(const struct link *l, const struct netif *parent, uint16_t tpid,
                             uint16_t vid)
{
    for (uint16_t i = 0; i < l->max; i++) {
        struct netif *n = &l->netifs[i];
        if (n->index && n->parent == parent && n->vid == vid && n->tpid == tpid)
            return n;
    }
    return NULL;
}

static int check_config(const struct link *l, const struct oriel_netif_config *cfg,
                        const struct netif *parent)
{
    size_t name = cfg->name ? strlen(cfg->name) : 0;
    bool vlan = cfg->kind == ORIEL_NETIF_VLAN;
    if (name == 0 || name >= NETIF_NAME_MAX || cfg->kind > ORIEL_NETIF_VLAN)
        return ORIEL_EINVAL;
    if (cfg->mtu != 0 && (cfg->mtu < NETIF_MTU_MIN || cfg->mtu > NETIF_MTU_MAX))
        return ORIEL_EINVAL;
    if (netif_named(l, span_str(cfg->name)))
        return ORIEL_EEXIST;
    if (!vlan)
        return 0;
    if (!parent || (parent->kind != NETIF_ETHER && parent->kind != NETIF_VLAN))
        return ORIEL_ENOENT;
    if (cfg->vlan_id == 0 || cfg->vlan_id > 4094 || (parent->parent && parent->parent->parent))
        return ORIEL_EINVAL;
    uint16_t tpid = (uint16_t)(cfg->vlan_qinq ? ETH_QINQ : ETH_VLAN);
    return vlan_of(l, parent, tpid, cfg->vlan_id) ? ORIEL_EEXIST : 0;
}

static void set_working(struct netif *nif, bool up, bool carrier)
{
    nif->up = up;
    nif->carrier = carrier;
    nif->plain = up && carrier && nif->kind == NETIF_ETHER && !nif->fcs;
}

int netif_add(struct link *l, const struct oriel_netif_config *cfg, struct netif **out)
{
    struct netif *parent = cfg->kind == ORIEL_NETIF_VLAN ? netif_at(l, (uint32_t)cfg->vlan_parent) : NULL;
    int err = check_config(l, cfg, parent);
    struct netif *nif = err ? NULL : free_slot(l);
    if (err)
        return err;
    if (!nif)
        return ORIEL_ENOBUFS;
    *nif = (struct netif){
        .index = (uint16_t)(nif - l->netifs + 1),
        .kind = (uint8_t)cfg->kind,
        .fcs = cfg->fcs,
        .vouches = cfg->vouches,
        .gso = cfg->vouches && cfg->gso,
        .watched = cfg->watched && cfg->kind == ORIEL_NETIF_LOOPBACK,
        .vid = cfg->vlan_id,
        .tpid = cfg->vlan_qinq ? ETH_QINQ : ETH_VLAN,
        .parent = parent,
        .mtu = cfg->mtu ? cfg->mtu : parent ? parent->mtu : (uint32_t)ETH_DATA_MAX,
        .tx_max = cfg->tx_queue ? cfg->tx_queue : NETIF_TX_MAX,
    };
    set_working(nif, true, true);
    memcpy(nif->mac.b, parent ? parent->mac.b : cfg->mac, 6);
    memcpy(nif->name, cfg->name, strlen(cfg->name) + 1);
    if (cfg->kind == ORIEL_NETIF_LOOPBACK)
        l->loopback = nif->index;
    if (nif->index > l->used)
        l->used = nif->index;
    TRACE(l->env, EV_NETIF_UP, nif->index);
    *out = nif;
    return 0;
}

static void drop_queue(struct link *l, struct netif *nif)
{
    pkt_queue_drop(l->env, &nif->tx, DROP_LINK_DOWN);
    nif->tx_more = 0;
}

int netif_remove(struct link *l, struct netif *nif)
{
    for (uint16_t i = 0; i < l->max; i++)
        if (l->netifs[i].index && l->netifs[i].parent == nif)
            return ORIEL_EEXIST;
    drop_queue(l, nif);
    TRACE(l->env, EV_NETIF_DOWN, nif->index);
    if (l->loopback == nif->index)
        l->loopback = 0;
    nif->index = 0;
    return 0;
}

bool netif_set_up(struct link *l, struct netif *nif, bool up, bool carrier)
{
    bool was = nif->up && nif->carrier;
    set_working(nif, up, carrier);
    if (was == (up && carrier))
        return false;
    if (was) {
        drop_queue(l, nif);
        TRACE(l->env, EV_NETIF_DOWN, nif->index);
    } else {
        TRACE(l->env, EV_NETIF_UP, nif->index);
    }
    return true;
}

/* A link without frames: the first four bits tell. */
static enum link_verdict raw_input(struct link *l, struct pkt *p)
{
    struct rd r = pkt_rd(p, 0);
    unsigned version = rd_u8(&r) >> 4;
    p->l3 = 0;
    if (version == 4)
        return LINK_TO_IP4;
    if (version == 6)
        return LINK_TO_IP6;
    pkt_drop(l->env, p, DROP_RAW_VERSION);
    return LINK_CONSUMED;
}

/*
 * What was said of a packet's checksum and size holds as far as its link is believed. A link that
 * vouches says it of each packet: what came to it from elsewhere, nobody may have looked at.
 */
static void doubt(const struct netif *nif, struct pkt *p)
{
    if (!nif->gso)
        p->gso = GSO_NONE;
    if (!nif->vouches)
        p->csum = CSUM_NONE;
    else if (p->gso != GSO_NONE && p->csum == CSUM_NONE)
        p->csum = CSUM_VERIFIED;                /* the field means nothing: its segments were good */
}

static ORIEL_NEVER_INLINE enum link_verdict input_any(struct link *l, struct netif *nif,
                                                      struct pkt *p)
{
    if (!nif || !netif_works(nif)) {
        pkt_drop(l->env, p, DROP_LINK_DOWN);
        return LINK_CONSUMED;
    }
    nif->stats.rx_pkts++;
    nif->stats.rx_bytes += pkt_len(p);
    if (!(p->flags & PKT_LOOPED))
        doubt(nif, p);
    if (nif->kind == NETIF_ETHER && !(p->flags & PKT_LOOPED))
        return ether_input(l, nif, p);
    return raw_input(l, p);
}

/* An untagged frame for this interface alone with IPv4 in it needs no second look. Most are. */
enum link_verdict link_input(struct link *l, struct pkt *p)
{
    struct netif *nif = netif_at(l, p->nif);
    struct rd r = pkt_rd(p, 0);
    size_t n = pkt_len(p);
    bool plain = nif && nif->plain && !(p->flags & PKT_LOOPED) && n <= ether_frame_max(nif, 0) &&
                 eth_parse_plain(&r, ETH_IP4, &nif->mac);
    if (oriel_unlikely(!plain))
        return input_any(l, nif, p);
    nif->stats.rx_pkts++;
    nif->stats.rx_bytes += n;
    if (oriel_unlikely(nif->vouches)) {
        doubt(nif, p);
    } else {
        p->csum = CSUM_NONE;
        p->gso = GSO_NONE;
    }
    pkt_unwrap(p, ETH_HDR_LEN);
    return LINK_TO_IP4;
}

int link_output_any(struct link *l, struct netif *nif, struct pkt *p, const struct mac *dst,
                    uint16_t eth_type, enum why why)
{
    struct env *env = l->env;
    if (oriel_unlikely(!netif_works(nif))) {
        pkt_drop(env, p, DROP_LINK_DOWN);
        return ORIEL_ENETDOWN;
    }
    if (nif->kind == NETIF_LOOPBACK)
        return link_loop(l, nif, p, why);       /* whatever its address, nobody else is there */
    if (netif_has_neighbours(nif) && !ether_output(l, nif, p, dst, eth_type)) {
        pkt_drop(env, p, DROP_NO_MEMORY);
        return ORIEL_ENOBUFS;
    }
    while (nif->parent)
        nif = nif->parent;
    p->nif = nif->index;                /* as it is told where it is dropped */
    if (oriel_unlikely(netif_waiting(nif) >= nif->tx_max)) {
        nif->stats.tx_full++;
        pkt_drop(env, p, DROP_TX_QUEUE_FULL);
        return ORIEL_ENOBUFS;
    }
    link_queue(l, nif, p, why);
    return 0;
}

/*
 * A packet is to be as it would arrive: a super-segment is one large datagram, and its checksum good
 * or vouched for. False: no memory.
 */
static bool make_arrive(struct env *env, const struct netif *nif, struct pkt *p)
{
    p->l3 = 0;
    if (p->gso != GSO_NONE && !pkt_gso_whole(env, p))
        return false;
    p->gso = GSO_NONE;
    if (nif->vouches)
        p->csum = CSUM_VERIFIED;                /* it was not filled in, nor could it break */
    return (p->csum != CSUM_PARTIAL || pkt_seal(env, p)) &&
           (p->more_n == 0 || pkt_charge_payload(p));
}

/* For who looks; where nobody takes it, or for want of memory, it is not seen. */
static ORIEL_NEVER_INLINE void show_looped(struct link *l, struct netif *nif, const struct pkt *p)
{
    struct pkt *q = nif->tx.n < nif->tx_max ? pkt_share(l->env, p) : NULL;
    if (q)
        pkt_enqueue(&nif->tx, q);
}

int link_loop(struct link *l, struct netif *nif, struct pkt *p, enum why why)
{
    p->flags = PKT_LOOPED;
    bool full = l->loop.n >= NETIF_TX_MAX;
    if (full || !make_arrive(l->env, nif, p)) {
        pkt_drop(l->env, p, full ? DROP_TX_QUEUE_FULL : DROP_NO_MEMORY);
        return ORIEL_ENOBUFS;
    }
    p->why = (uint8_t)why;
    p->nif = nif->index;
    p->ev = l->env->cause;
    l->env->why_count[why]++;
    if (oriel_unlikely(nif->watched))
        show_looped(l, nif, p);
    pkt_enqueue(&l->loop, p);
    return 0;
}

static inline void trace_tx(struct env *env, const struct netif *nif, struct pkt *p)
{
    uint64_t was = env->cause;
    env->cause = p->ev;
    p->ev = trace_put(env, EV_PKT_TX, (enum why)p->why, DROP_NONE, nif->index, pkt_len(p), 0, 0);
    env->cause = was;
}

/* What an interface that takes them is given; they are not looked at again. */
static bool finish_whole(struct link *l, const struct netif *nif, struct pkt *p)
{
    if (p->gso != GSO_NONE && !pkt_gso_whole(l->env, p))
        return false;
    return p->csum != CSUM_PARTIAL || nif->vouches || pkt_seal(l->env, p);
}

static ORIEL_NEVER_INLINE bool finish_any(struct link *l, const struct netif *nif, struct pkt *p)
{
    if (finish_whole(l, nif, p) && (nif->kind != NETIF_ETHER || ether_finish(l, nif, p)))
        return true;
    pkt_drop(l->env, p, DROP_NO_MEMORY);
    return false;
}

/*
 * Checksum, padding and check sequence, where the frame wants them. Consumes what there is no memory
 * for.
 */
static inline bool finish(struct link *l, const struct netif *nif, struct pkt *p)
{
    bool finished = nif->plain && p->csum != CSUM_PARTIAL && p->gso == GSO_NONE &&
                    pkt_len(p) >= ETH_MIN;
    return oriel_likely(finished) || finish_any(l, nif, p);
}

/* Finished, counted and told of. False: it is gone. */
static inline bool leave(struct link *l, struct netif *nif, struct pkt *p)
{
    if (!finish(l, nif, p))
        return false;
    nif->stats.tx_pkts++;
    nif->stats.tx_bytes += pkt_len(p);
    if (TRACE_ON(l->env, EV_PKT_TX))
        trace_tx(l->env, nif, p);
    return true;
}

/* The first in the queue is a super-segment that must be cut: several frames. How many left. */
static ORIEL_NEVER_INLINE unsigned take_cut(struct link *l, struct netif *nif, struct pkt *out[],
                                            unsigned max, bool wait)
{
    struct link_cut cut = link_cut(l, nif, out, max, wait);
    if (oriel_likely(cut.finished)) {
        nif->stats.tx_pkts += cut.n;
        nif->stats.tx_bytes += cut.bytes;
        for (unsigned i = 0; TRACE_ON(l->env, EV_PKT_TX) && i < cut.n; i++)
            trace_tx(l->env, nif, out[i]);
        return cut.n;
    }
    unsigned n = 0;
    for (unsigned i = 0; i < cut.n; i++)
        if (leave(l, nif, out[i]))
            out[n++] = out[i];
    return n;
}

unsigned link_take(struct link *l, struct netif *nif, struct pkt *out[], unsigned max)
{
    unsigned n = 0;
    for (struct pkt *p; n < max && (p = nif->tx.first) != NULL;) {
        if (oriel_unlikely(p->gso != GSO_NONE && !nif->gso)) {
            unsigned cut = take_cut(l, nif, out + n, max - n, n > 0);
            if (cut == 0 && nif->tx.first == p)
                break;                  /* for want of memory */
            n += cut;
        } else if (leave(l, nif, out[n] = pkt_dequeue(&nif->tx))) {
            n++;
        }
    }
    return n;
}
