/*
 * The network layer of one stack: IPv4 and IPv6 side by side.
 *
 * This header is what the layers above see, and the struct that the files of this directory share.
 * Each file owns one sub-struct and is its only writer:
 *
 *   ip4.c ip6.c   headers in and out, forwarding     ifaddr.c  addresses, DAD, conflicts
 *   path.c        route + source + neighbour + MTU   neigh.c   who is at which link address
 *   route.c       longest prefix                     arp.c ndp.c  its questions and answers
 *   frag.c        cutting and reassembly             slaac.c   routers, prefixes
 *   icmp.c        errors out and in, echo            mcast.c   groups (igmp.c, mldc.c the messages)
 *   nat.c         translation at an interface        pmtu.c    what paths take
 *
 * Packets handed between these files start at their network header (p->l3 == 0).
 */
#ifndef ORIEL_IP_IP_H
#define ORIEL_IP_IP_H

#include "ip/frag.h"
#include "ip/mcast.h"
#include "ip/nat.h"
#include "ip/neigh.h"
#include "ip/pmtu.h"
#include "ip/route.h"
#include "link/netif.h"
#include "wire/ip4.h"

#define IP_TTL_DEFAULT 64

/* What the transports are told of a packet that arrived. */
struct ip_rx {
    struct oriel_addr src;      /* zone set where the scope is link-local */
    struct oriel_addr dst;
    uint64_t addrs_sum;         /* of src and dst, for the sum of a pseudo-header (csum.h, wide) */
    uint16_t nif;
    uint16_t payload_len;       /* bytes from p->l4 on */
    uint16_t next_at;           /* IPv6: offset of the byte that says `proto` */
    uint8_t proto;
    uint8_t ttl;
    uint8_t tos;
    bool to_group;              /* dst is multicast or broadcast */
    bool fragmented;            /* it came in fragments, or with a fragment header (RFC 6980) */
};

enum ip_verdict {
    IP_CONSUMED,                /* dropped, parked, forwarded, or answered */
    IP_TO_TCP,
    IP_TO_UDP,
    IP_TO_ICMP,                 /* either family: rx->proto tells */
};

/* How a packet is to leave. */
struct ip_tx {
    uint8_t proto;
    uint8_t ttl;                /* 0: the default of the stack or interface */
    uint8_t tos;
    bool df;                    /* never fragment, here or (IPv4) on the way */
    bool router_alert;
    bool loop;                  /* to a group: our own members hear it too */
};

/*
 * Where packets of one flow go: the answer of route, source address, neighbour and path MTU
 * together, to be kept by whoever sends often. Stale when gen differs from ip->gen.
 */
struct ip_path {
    struct oriel_addr src;
    struct oriel_addr dst;
    struct oriel_addr next_hop;
    struct netif *nif;
    struct neigh *neigh;        /* NULL where the link has no neighbours, and for groups */
    const struct mac *mac;      /* straight to that link address; NULL: as the rest says */
    uint32_t mtu;               /* of the path: packets up to it leave whole */
    uint32_t gen;
    bool local;                 /* to one of our own addresses */
    bool group;                 /* multicast */
    bool broadcast;
};

/* ---- addresses: ifaddr.c ---- */

enum addr_state {               /* the zero state is "not there" */
    ADDR_FREE,
    ADDR_TENTATIVE,             /* being probed; not used, not answered for */
    ADDR_PREFERRED,
    ADDR_DEPRECATED,            /* usable for what goes on, not for what begins */
    ADDR_DUPLICATE,             /* somebody else has it */
};

enum addr_origin {
    ADDR_STATIC,
    ADDR_AUTO,                  /* SLAAC */
    ADDR_LINK_LOCAL,
    ADDR_RARP,
};

struct ifaddr {
    struct list node;           /* of its interface */
    struct oriel_addr addr;
    struct timer timer;         /* probes, announcements, lifetimes */
    oriel_time preferred_until; /* ORIEL_NEVER: for ever */
    oriel_time valid_until;
    oriel_time defended;        /* last time it was defended; 0: never */
    uint64_t nonce;             /* of our own DAD probe (RFC 7527) */
    uint16_t nif;
    uint8_t prefix_len;         /* 0..128 */
    uint8_t state;
    uint8_t origin;
    uint8_t probes_left;
    uint8_t announces_left;
    uint8_t dad_counter;        /* RFC 7217: conflicts so far */
};

/* Per interface: what the IP layer knows of it. */
struct ip_if {
    struct list addrs;          /* struct ifaddr, in order of configuration */
    uint16_t nif;
    bool ip6;                   /* has (or makes itself) a link-local address */
    bool accept_ra;
    bool nat;                   /* packets leaving here get its address as source */
    bool any_addr;              /* unicast to whatever address is for this host, and may leave so */
    bool probe4;                /* IPv4 addresses are probed before use (RFC 5227) */
    bool rs_pending;
    uint8_t rs_left;
    uint8_t hop_limit;          /* from an RA; 0: default */
    uint8_t dad_transmits;
    uint32_t mtu6;              /* from an RA; 0: the link's */
    uint32_t reachable_ms;      /* base; from an RA or 30,000 */
    uint32_t retrans_ms;        /* from an RA or 1,000 */
    struct oriel_addr rarp;     /* address that RARP gave us; ADDR_NONE */
    uint8_t rarp_left;          /* requests still to be sent */
    struct timer rs_timer;
    struct timer rarp_timer;
    struct neigh_asks asks;     /* neigh.c */
    struct mcast_if mcast;
};

/* ---- routers and prefixes learned: slaac.c ---- */

#define ROUTERS_MAX  8          /* default routers kept over all interfaces */
#define PREFIXES_MAX 32         /* on-link prefixes learned over all interfaces */
#define AUTO_ADDRS_MAX 16       /* addresses formed by SLAAC on one interface */
#define DNS_SERVERS_MAX 4

struct router {
    struct oriel_addr addr;     /* link-local, with zone */
    uint16_t nif;               /* 0: free */
    bool has_route;             /* the default route over it is ours to remove */
    oriel_time until;
};

struct learned_prefix {
    struct prefix prefix;
    uint16_t nif;               /* 0: free */
    bool has_route;             /* the route to it is ours to remove */
    oriel_time until;
};

struct dns_server {
    struct oriel_addr addr;
    uint16_t nif;               /* 0: free */
    oriel_time until;
};

struct slaac {
    struct router routers[ROUTERS_MAX];
    struct learned_prefix prefixes[PREFIXES_MAX];
    struct dns_server dns[DNS_SERVERS_MAX];
    struct siphash_key iid_key; /* RFC 7217 */
    struct timer timer;         /* the earliest of the above to run out */
};

/* ---- routes that redirects taught: redirect.c ---- */

#define REDIRECTS_MAX 32        /* the oldest gives way */

struct redirect {
    struct oriel_addr dest;
    struct oriel_addr gateway;  /* ADDR_NONE: the destination is on the link */
    uint16_t nif;               /* 0: free */
};

struct redirects {
    struct redirect entry[REDIRECTS_MAX];
    uint32_t oldest;            /* the entry that gives way next, when all are taken */
};

/* ---- ICMP errors we send: icmp.c ---- */

#define ICMP_BUCKETS 256

struct icmp_bucket {
    oriel_time refilled;
    uint16_t spent;             /* errors sent that time has not made up for */
};

struct icmp {
    struct icmp_bucket per_peer[ICMP_BUCKETS];  /* by keyed hash of the destination */
    struct icmp_bucket all;
};

/* ---- what was found of addresses that keep arriving: ip4.c ---- */

#define IP4_KNOWN_BITS 6

/*
 * Packets from that source to that destination that came by that interface have nothing wrong with
 * their addresses and are for this host alone. True while gen is that of struct ip.
 */
struct ip4_known {
    uint32_t src, dst;
    uint32_t gen;
    uint16_t nif;
};

struct ip_settings {
    bool forward4;
    bool forward6;
    bool strong_host;           /* accept only what is addressed to the interface it came by */
    bool send_redirects;
    bool accept_redirects;
    bool echo_group;            /* answer echo requests to multicast and broadcast */
    uint8_t ttl;
    uint32_t icmp_per_s;        /* errors a second to one peer */
};

struct ip {
    struct env *env;
    struct link *link;
    uint32_t gen;               /* changes whenever a cached path may be wrong */
    struct ip_settings set;
    struct ip_if *ifs;          /* by interface index - 1 */
    struct pool addrs;
    struct hmap addr_map;
    struct route_table routes;
    struct neigh_table neigh;
    struct frag_table frag;
    struct pmtu_table pmtu;
    struct mcast mcast;
    struct nat nat;
    struct slaac slaac;
    struct redirects redirects;
    struct icmp icmp;
    struct ip4_known known4[1 << IP4_KNOWN_BITS];
    struct {                    /* RARP server table: arp.c */
        struct mac mac;
        struct oriel_addr addr;
    } rarp_table[16];
    uint8_t rarp_table_n;
};

struct ip_limits {
    uint32_t addrs, routes, neighs, frags, pmtus, groups, nat_sessions;
    uint64_t frag_bytes;
};

bool ip_init(struct ip *ip, struct env *env, struct link *link, struct arena *a,
             const struct ip_limits *limits);
void ip_fini(struct ip *ip);                    /* drops every packet that is parked */

static inline struct ip_if *ip_if_of(const struct ip *ip, uint16_t nif)
{
    ORIEL_ASSERT(nif > 0 && nif <= ip->link->max);
    return &ip->ifs[nif - 1];
}

/* ---- in ---- */

/* Consume p, or leave it with the header at l3, the transport at l4, and *rx filled. *pp may change
 * (reassembled) and is NULL when consumed. */
enum ip_verdict ip4_input(struct ip *ip, struct pkt **pp, struct ip_rx *rx);
enum ip_verdict ip6_input(struct ip *ip, struct pkt **pp, struct ip_rx *rx);
void arp_input(struct ip *ip, struct pkt *p);
void rarp_input(struct ip *ip, struct pkt *p);

enum icmp_verdict {
    ICMP_DONE,                  /* answered, acted upon or dropped: p is gone */
    ICMP_FOR_SOCKETS,           /* an answer that only a socket can want; p is still the caller's */
    ICMP_ECHO_FOREIGN,          /* a socket's to answer, or icmp_echo_reply's; p likewise */
    ICMP_ERROR,                 /* an error about a packet of ours, *fact says which; p likewise */
};

/*
 * An ICMP message of either family arrived. Answers echo, does neighbour discovery and MLD. On an
 * error the caller asks the transport whether the quoted packet is really its own and only then acts
 * (icmp_accept_pmtu).
 */
enum icmp_verdict icmp_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx,
                             struct fact *fact);

/* Answer the echo request to a foreign address that icmp_input left. Consumes p. */
void icmp_echo_reply(struct ip *ip, struct pkt *p, const struct ip_rx *rx);

/* The transport vouches for the quoted packet: believe the MTU in the fact. */
void icmp_accept_pmtu(struct ip *ip, struct fact *fact);

/* ---- out ---- */

/*
 * Find the path to dst. src ADDR_NONE: choose (RFC 6724), 0.0.0.0 too but for the limited broadcast
 * over an interface that is named; nif 0: by route. 0, or ORIEL_ENETUNREACH, ORIEL_EADDRNOTAVAIL
 * (no source fits), ORIEL_EINVAL. An address that is not ours fits where the interface stands in for
 * others: who may use it is asked above.
 */
ORIEL_MUST_USE int ip_path_find(struct ip *ip, const struct oriel_addr *dst,
                                const struct oriel_addr *src, uint16_t nif, struct ip_path *out);

/* The address we would use as source towards dst over that interface (source.c, RFC 6724, 5). */
bool ip_source_for(const struct ip *ip, const struct oriel_addr *dst, uint16_t nif,
                   struct oriel_addr *out);

/*
 * Put the IP header in front of p (which starts at the transport header) and send it along the
 * path, in fragments where it must be. Consumes p. 0, ORIEL_EMSGSIZE (df and too large: the packet
 * is dropped and path->mtu is current), ORIEL_ENOBUFS, ORIEL_EHOSTUNREACH, ORIEL_ENETDOWN.
 *
 * Of a super-segment (its payload in slices) the pieces must fit: it is never fragmented.
 */
int ip_output(struct ip *ip, struct pkt *p, const struct ip_path *path, const struct ip_tx *tx,
              enum why why);

/* The same for each family; ip4.c and ip6.c. */
int ip4_output(struct ip *ip, struct pkt *p, const struct ip_path *path, const struct ip_tx *tx,
               enum why why);
int ip6_output(struct ip *ip, struct pkt *p, const struct ip_path *path, const struct ip_tx *tx,
               enum why why);

/* A finished packet of either family, not larger than the path's MTU: to ourselves, to a group, or to
 * a neighbour. path.c. */
int ip_send_any(struct ip *ip, struct pkt *p, const struct ip_path *path, enum why why);

static inline int ip_send_one(struct ip *ip, struct pkt *p, const struct ip_path *path,
                              uint16_t eth_type, enum why why)
{
    struct neigh *n = path->neigh;
    if (oriel_unlikely(!n || !neigh_is_open(n)))
        return ip_send_any(ip, p, path, why);
    n->used = true;
    return link_output(ip->link, path->nif, p, &n->mac, eth_type, why);
}

/* The largest packet that p becomes behind so many bytes in front of its head. */
static inline size_t ip_largest(const struct pkt *p, size_t hdr_len)
{
    if (oriel_likely(p->gso == GSO_NONE))
        return hdr_len + pkt_len(p);
    ORIEL_ASSERT(p->more_n > 0);                /* the head has headers alone */
    return hdr_len + p->head.len + p->gso_size;
}

/*
 * The same for who sends often in one way over one path to one host, in datagrams that need not be
 * fragmented: their header is made once. ip4_flow_make: is the flow such a one?
 */
struct ip4_flow {
    struct ip_tx tx;
    struct ip4_form header;
};

bool ip4_flow_make(const struct ip *ip, const struct ip_path *path, const struct ip_tx *tx,
                   struct ip4_flow *out);

static inline int ip4_flow_output(struct ip *ip, struct pkt *p, const struct ip_path *path,
                                  const struct ip4_flow *f, enum why why)
{
    size_t total = IP4_HDR_LEN + pkt_len(p);
    if (oriel_unlikely(total > path->mtu || !pkt_has_headroom(p, IP4_HDR_LEN)))
        return ip4_output(ip, p, path, &f->tx, why);
    struct wr w = wr_of(pkt_push_within(p, IP4_HDR_LEN), IP4_HDR_LEN);
    ip4_form_emit(&w, &f->header, (uint16_t)total);
    p->l3 = 0;
    return ip_send_one(ip, p, path, ETH_IP4, why);
}

/* What was cut leaves; the first error counts. path.c. */
int ip_send_pieces(struct ip *ip, struct pkt_queue *pieces, const struct ip_path *path);

/* Members on this host hear what is sent to a group, as it would come from the link. path.c. */
void ip_loop_group(struct ip *ip, const struct pkt *p, const struct ip_path *path, enum why why);

/* A finished IPv4 packet (header and all) out over the path; cuts it when it is too large. */
int ip4_transmit(struct ip *ip, struct pkt *p, const struct ip_path *path, enum why why);

/* Upper layers saw the peer answer: the neighbour is reachable (RFC 4861, 7.3.1). */
void ip_path_confirm(struct ip *ip, const struct ip_path *path);

/* A transport found out what packets to that host may be at most (RFC 4821). */
void ip_path_set_mtu(struct ip *ip, const struct oriel_addr *dst, uint32_t mtu);

/* Upper layers hear nothing for long: is the way still good (RFC 9293, 3.8.3)? */
void ip_path_doubt(struct ip *ip, const struct ip_path *path);

/* ---- errors we send ---- */

enum icmp_error_kind {
    ICMP_NET_UNREACHABLE,
    ICMP_HOST_UNREACHABLE,
    ICMP_PROTO_UNREACHABLE,     /* IPv6: unknown next header, info = its offset */
    ICMP_PORT_UNREACHABLE,
    ICMP_TOO_BIG,               /* info: the MTU */
    ICMP_ADMIN_PROHIBITED,
    ICMP_TTL_EXCEEDED,
    ICMP_REASM_TIMEOUT,
    ICMP_BAD_FIELD,             /* info: offset of the byte at fault */
    ICMP_BAD_OPTION,            /* IPv6 */
    ICMP_BAD_CHAIN,             /* IPv6, RFC 7112 */
    ICMP_BEYOND_SCOPE,          /* IPv6 */
};

/*
 * Send an ICMP error about p (network header at p->l3; borrowed) to its source, unless the rules
 * forbid one (RFC 1122, 3.2.2; 4443, 2.4) or the rate is used up.
 */
void icmp_error(struct ip *ip, const struct pkt *p, enum icmp_error_kind kind, uint32_t info);

/* May the source of p be told of a better first hop? The rules of icmp_error, and its rate. */
bool icmp_may_redirect(struct ip *ip, const struct pkt *p, struct oriel_addr *src,
                       struct oriel_addr *dst);

/* The sender of p (header at l3 == 0; borrowed) is on the link of a better first hop. */
void icmp4_send_redirect(struct ip *ip, const struct pkt *p, const struct oriel_addr *gateway);

/* A packet of our own (network header in front; borrowed) cannot be delivered: tell its transport. */
void icmp_tell_sender(struct ip *ip, const struct pkt *p, int err, uint32_t mtu);

/* ---- addresses and routes, as the surface has them ---- */

ORIEL_MUST_USE int ifaddr_add(struct ip *ip, uint16_t nif, const struct oriel_addr *addr,
                              uint8_t prefix_len, enum addr_origin origin, struct ifaddr **out);
ORIEL_MUST_USE int ifaddr_del(struct ip *ip, uint16_t nif, const struct oriel_addr *addr);

/* Our address with those bits (and zone), in any state but FREE; NULL. nif 0: any. */
struct ifaddr *ifaddr_find(const struct ip *ip, const struct oriel_addr *addr, uint16_t nif);

/* Usable as a source or destination of ours. */
static inline bool ifaddr_usable(const struct ifaddr *a)
{
    return a->state == ADDR_PREFERRED || a->state == ADDR_DEPRECATED;
}

/* One of our addresses, on whatever interface. */
static inline bool ip_is_own(const struct ip *ip, const struct oriel_addr *addr)
{
    const struct ifaddr *a = ifaddr_find(ip, addr, 0);
    return a && ifaddr_usable(a);
}

/* Is what came by that interface to whatever address for us? Not what the link brought to everybody. */
static inline bool ip_stands_in(const struct ip *ip, const struct pkt *p)
{
    return ip_if_of(ip, p->nif)->any_addr && !(p->flags & (PKT_L2_BCAST | PKT_L2_MCAST));
}

/* An address for which we can only stand in. */
static inline bool ip_is_foreign(const struct ip *ip, const struct oriel_addr *addr)
{
    return !addr_is_loopback(addr) && !ip_is_own(ip, addr);
}

/* The first usable address of that family on an interface; NULL. */
struct ifaddr *ifaddr_first(const struct ip *ip, uint16_t nif, bool v4);

/* Is dst a broadcast address of that interface (limited, directed, network)? */
bool ip_is_broadcast(const struct ip *ip, uint16_t nif, const struct oriel_addr *dst);

/* Somebody else uses our address (seen in ARP or ND). */
void ifaddr_on_conflict(struct ip *ip, struct ifaddr *a, const struct mac *who);
void ifaddr_on_timer(struct ip *ip, struct ifaddr *a);

/* The routes to the prefixes of our addresses, where something took one away. */
void ifaddr_restore_routes(struct ip *ip, uint16_t nif);

/* Change lifetimes (SLAAC). */
void ifaddr_set_lifetimes(struct ip *ip, struct ifaddr *a, oriel_time preferred_until,
                          oriel_time valid_until);

/* ---- interface life ---- */

void ip_if_attach(struct ip *ip, struct netif *nif, const struct oriel_netif_config *cfg);
void ip_if_detach(struct ip *ip, struct netif *nif);
void ip_if_on_up(struct ip *ip, struct netif *nif);     /* probe addresses again, ask for routers */
void ip_if_on_down(struct ip *ip, struct netif *nif);

/* ---- among the files of this directory ---- */

void ip_changed(struct ip *ip);                 /* cached paths may be wrong */

/* arp.c: questions and announcements. unicast: to the address we believe in. */
void arp_request(struct ip *ip, uint16_t nif, const struct oriel_addr *src,
                 const struct oriel_addr *target, const struct mac *unicast, enum why why);
void rarp_on_timer(struct ip *ip, struct ip_if *f);
void rarp_start(struct ip *ip, struct ip_if *f);

/* path.c: without choosing a source; for forwarding. */
ORIEL_MUST_USE int ip_path_route(struct ip *ip, const struct oriel_addr *dst, uint16_t nif,
                                 struct ip_path *out);

/* The same again, where the answer may be wrong by now. */
ORIEL_MUST_USE int ip_path_renew(struct ip *ip, struct ip_path *path);

/* ndp.c: p is borrowed; what is wrong is counted with pkt_drop_note. True: sockets may want it too. */
bool ndp_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx, uint8_t type, uint8_t code,
               struct rd *body);
void ndp_solicit(struct ip *ip, uint16_t nif, const struct oriel_addr *target,
                 const struct mac *unicast);
void ndp_probe(struct ip *ip, struct ifaddr *a);                /* DAD */
void ndp_announce(struct ip *ip, struct ifaddr *a);             /* unsolicited NA */
void ndp_solicit_routers(struct ip *ip, struct ip_if *f);

/*
 * A packet (network header at l3 == 0; borrowed) is about to be forwarded over that path: tell its
 * source if it is on the same link as a better first hop. Only where set.send_redirects.
 */
void ndp_send_redirect(struct ip *ip, const struct pkt *p, const struct ip_path *path);

/*
 * redirect.c: a redirect of either family that was found credible. gateway ADDR_NONE: dest is on
 * the link. Forgotten when the next hop stops answering (hop NULL: all over that interface).
 */
void redirect_learn(struct ip *ip, const struct oriel_addr *dest, const struct oriel_addr *gateway,
                    uint16_t nif);
void redirect_forget(struct ip *ip, uint16_t nif, const struct oriel_addr *hop);

/* slaac.c */
struct ndp_msg;
void slaac_init(struct ip *ip);
void slaac_on_ra(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *m);
void slaac_on_timer(struct ip *ip);
void slaac_on_if_down(struct ip *ip, uint16_t nif);
void slaac_forget_router(struct ip *ip, const struct oriel_addr *addr, uint16_t nif);
void slaac_restore_routes(struct ip *ip, uint16_t nif);         /* somebody removed the same one */
void slaac_on_duplicate(struct ip *ip, struct ifaddr *a);       /* try the next identifier */
bool slaac_is_router(const struct ip *ip, const struct oriel_addr *addr, uint16_t nif);
struct oriel_addr slaac_link_local(struct ip *ip, const struct netif *nif, uint8_t dad_counter);
void rs_on_timer(struct ip *ip, struct ip_if *f);

/* A whole ICMPv6 message (checksum field 0) from w to dst: sealed, header, hop limit 255 or as
 * given; to a group or a neighbour; a source of ADDR_NONE is the unspecified address. */
struct icmp6_out {
    struct oriel_addr src;
    struct oriel_addr dst;
    uint16_t nif;
    uint8_t hop_limit;
    bool router_alert;
    const struct mac *mac;      /* NULL: from the neighbour cache or the group */
};
void icmp6_send(struct ip *ip, const struct icmp6_out *o, struct wr *message, enum why why);

/*
 * IPv4 to a group straight onto a link, whatever the routes: p starts at the transport header. The
 * source is the interface's first address, or 0.0.0.0. Consumes p.
 */
int ip4_send_group(struct ip *ip, struct pkt *p, struct netif *nif, const struct oriel_addr *group,
                   const struct ip_tx *tx, enum why why);

#endif
