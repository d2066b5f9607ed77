/*
 * Interfaces: where packets come in and leave.
 *
 * An interface has an index (1..max, stable while it lives), a kind that says how frames look, and a
 * bounded queue of finished frames that the host takes (oriel_netif_take). Interfaces can come and
 * go while the stack runs. A VLAN interface sends through its parent and has no queue of its own.
 *
 * Reading: link_input tells which protocol a frame carries, or that it was consumed. Writing:
 * link_output puts the frame's header in front and queues it; padding and the frame check sequence
 * are added where it is taken (link_take), and there checksums are finished and super-segments cut
 * that the link would not take.
 */
#ifndef ORIEL_LINK_NETIF_H
#define ORIEL_LINK_NETIF_H

#include "pkt/pkt.h"
#include "wire/eth.h"

#define NETIF_NAME_MAX  16
#define NETIF_TX_MAX    512     /* frames in an interface's queue, unless configured */
#define NETIF_MTU_MIN   68
#define NETIF_MTU_MAX   65535

enum netif_kind {
    NETIF_ETHER = ORIEL_NETIF_ETHER,
    NETIF_RAW = ORIEL_NETIF_RAW,            /* bare IP packets, as a TUN device has them */
    NETIF_LOOPBACK = ORIEL_NETIF_LOOPBACK,
    NETIF_VLAN = ORIEL_NETIF_VLAN,
};

struct netif_stats {
    uint64_t rx_pkts, rx_bytes;
    uint64_t tx_pkts, tx_bytes;
    uint64_t tx_full;           /* frames that found the queue full */
};

struct netif {
    uint16_t index;             /* 0: this slot is free */
    uint8_t kind;
    bool up;                    /* administratively */
    bool carrier;               /* the link says that it works */
    bool plain;                 /* Ethernet that works and has no check sequence: the usual thing */
    bool fcs;                   /* frames carry their check sequence, both ways */
    bool vouches;               /* the link fills in and vouches for transport checksums */
    bool gso;                   /* and takes super-segments, both ways */
    bool watched;               /* loopback: a copy of what passes goes to tx as well */
    uint16_t vid;               /* VLAN */
    uint16_t tpid;
    struct netif *parent;       /* VLAN: below it; NULL otherwise */
    uint32_t mtu;
    struct mac mac;
    char name[NETIF_NAME_MAX];
    struct pkt_queue tx;
    uint32_t tx_more;           /* frames that super-segments on tx will be, beyond one each */
    uint32_t tx_max;            /* frames; the last super-segment that was let in may exceed it */
    struct {                    /* the host asks for frames: where the next one goes, and for how many */
        struct pkt **at;        /* there is room; `left` is 0 while nobody asks */
        unsigned left;
    } asked;
    struct netif_stats stats;
};

struct link {
    struct env *env;
    struct netif *netifs;       /* netifs[0] is index 1 */
    uint16_t max;
    uint16_t used;              /* no interface has a higher index */
    uint16_t loopback;          /* index of the loopback interface, 0 when there is none */
    struct pkt_queue loop;      /* packets to ourselves, for the next step; they have no frame */
};

bool link_init(struct link *l, struct env *env, struct arena *a, uint16_t netifs_max);

/* Parameters as oriel_netif_add has them. 0, ORIEL_EINVAL, ORIEL_EEXIST, ORIEL_ENOBUFS, ORIEL_ENOENT. */
ORIEL_MUST_USE int netif_add(struct link *l, const struct oriel_netif_config *cfg,
                             struct netif **out);
/* Its queue is dropped. VLANs on top of it must be gone (ORIEL_EEXIST). */
ORIEL_MUST_USE int netif_remove(struct link *l, struct netif *nif);

/* Administrative state and carrier together; true when that changed whether it works. */
bool netif_set_up(struct link *l, struct netif *nif, bool up, bool carrier);

/* It and all below it are up. */
static inline bool netif_works(const struct netif *nif)
{
    while (nif->parent && nif->up && nif->carrier)
        nif = nif->parent;
    return nif->up && nif->carrier;
}

static inline struct netif *netif_at(const struct link *l, uint32_t index)
{
    uint32_t at = index - 1;            /* beyond all of them when there is none */
    return at < l->max && l->netifs[at].index != 0 ? &l->netifs[at] : NULL;
}

struct netif *netif_named(const struct link *l, struct span name);

static inline bool netif_has_neighbours(const struct netif *nif)
{
    return nif->kind == NETIF_ETHER || nif->kind == NETIF_VLAN;
}

enum link_verdict {
    LINK_CONSUMED,              /* dropped with a reason */
    LINK_TO_IP4,
    LINK_TO_IP6,
    LINK_TO_ARP,
    LINK_TO_RARP,
};

/*
 * A frame arrived on interface p->nif. Unless consumed, p starts at the network header afterwards
 * (l3 = 0), p->nif is the interface it belongs to (a VLAN's where it was tagged) and the PKT_L2_*
 * flags are set.
 */
enum link_verdict link_input(struct link *l, struct pkt *p);

/*
 * p starts at the network header. Consumes it. 0, or ORIEL_ENOBUFS (queue full) or ORIEL_ENETDOWN,
 * dropped with that reason. On Ethernet that works, with room in the packet and in the queue, there
 * is only a header to write.
 */
int link_output_any(struct link *l, struct netif *nif, struct pkt *p, const struct mac *dst,
                    uint16_t eth_type, enum why why);

/* About how many frames p will be. */
static inline uint32_t netif_pieces(const struct netif *nif, const struct pkt *p)
{
    if (oriel_likely(p->gso == GSO_NONE) || nif->gso || p->gso_size == 0)
        return 1;
    uint32_t n = (uint32_t)pkt_len(p) / p->gso_size;
    return n > 0 ? n : 1;
}

/* Frames that wait to be taken. */
static inline uint32_t netif_waiting(const struct netif *nif)
{
    return nif->tx.n + nif->tx_more;
}

static inline void link_queue(struct link *l, struct netif *nif, struct pkt *p, enum why why)
{
    nif->tx_more += netif_pieces(nif, p) - 1;
    p->nif = nif->index;
    p->ev = l->env->cause;
    l->env->why_count[why]++;
    pkt_enqueue(&nif->tx, p);
}

/*
 * The same of a frame that is finished: where the host asks and nothing waits before it, it need not wait
 * either.
 */
static inline void link_hand(struct link *l, struct netif *nif, struct pkt *p, enum why why)
{
    if (oriel_unlikely(nif->asked.left == 0 || nif->tx.n > 0)) {
        link_queue(l, nif, p, why);
        return;
    }
    p->nif = nif->index;
    p->ev = l->env->cause;
    l->env->why_count[why]++;
    nif->stats.tx_pkts++;
    nif->stats.tx_bytes += pkt_len(p);
    nif->asked.left--;
    *nif->asked.at++ = p;
}

/* The host asks for up to max frames. When it has what was handed, how many that was. */
static inline void link_ask(const struct link *l, struct netif *nif, struct pkt *out[], unsigned max)
{
    nif->asked.at = out;
    nif->asked.left = TRACE_ON(l->env, EV_PKT_TX) ? 0 : max;    /* events come in the order of old */
}

static inline unsigned link_asked(struct netif *nif, struct pkt *out[])
{
    nif->asked.left = 0;
    return (unsigned)(nif->asked.at - out);
}

static inline int link_output(struct link *l, struct netif *nif, struct pkt *p,
                              const struct mac *dst, uint16_t eth_type, enum why why)
{
    ORIEL_ASSERT(why != WHY_NONE);
    p->why = (uint8_t)why;
    bool plain = nif->plain && netif_waiting(nif) < nif->tx_max && pkt_has_headroom(p, ETH_HDR_LEN);
    if (oriel_unlikely(!plain))
        return link_output_any(l, nif, p, dst, eth_type, why);
    struct wr w = wr_of(pkt_push_within(p, ETH_HDR_LEN), ETH_HDR_LEN);
    eth_emit_plain(&w, dst, &nif->mac, eth_type);
    link_queue(l, nif, p, why);
    return 0;
}

/*
 * A packet to ourselves (network header in front): it arrives on that interface in the next step,
 * marked PKT_LOOPED. Consumes it.
 */
int link_loop(struct link *l, struct netif *nif, struct pkt *p, enum why why);

/* Up to max frames to leave, finished (padding, FCS). Loopback and VLANs have none. Payload may lie in
 * slices; the headers are contiguous. */
unsigned link_take(struct link *l, struct netif *nif, struct pkt *out[], unsigned max);

/*
 * cut.c: up to max frames, not yet padded, cut off the super-segment at the head of the queue of an
 * interface that does not take it whole. None: there is no memory and it was dropped, or still waits
 * where `wait` allows that, or it was none that can be cut and is gone.
 */
struct link_cut {
    unsigned n;
    uint32_t bytes;             /* in all of them */
    bool finished;              /* they need no padding and no check sequence */
};
struct link_cut link_cut(struct link *l, struct netif *nif, struct pkt *out[], unsigned max,
                         bool wait);

/* ether.c */
enum link_verdict ether_input(struct link *l, struct netif *nif, struct pkt *p);
bool ether_output(struct link *l, struct netif *nif, struct pkt *p, const struct mac *dst,
                  uint16_t eth_type);
bool ether_finish(struct link *l, const struct netif *nif, struct pkt *p);

/* Largest frame without FCS that an interface takes, with that many tags. */
static inline size_t ether_frame_max(const struct netif *nif, unsigned tags)
{
    return nif->mtu + ETH_HDR_LEN + tags * ETH_TAG_LEN;
}

#endif
