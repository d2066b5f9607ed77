/*
 * Source address translation at an interface of a router (RFC 4787, 5382, 5508): TCP, UDP, ICMP
 * echo, and packets quoted inside ICMP errors.
 *
 * Mapping is endpoint-independent: packets from one inside address and port leave with one outside
 * port whatever their destination (the same port where it is free, else one drawn from a keyed
 * hash, of the same parity and range class). Filtering is address-dependent: only peers that the
 * inside has written to get in. Fragments are reassembled before they are translated. Bounded: a
 * full table gives up the transitory translation that was silent longest; when all are open TCP
 * connections it refuses the new one.
 */
#ifndef ORIEL_IP_NAT_H
#define ORIEL_IP_NAT_H

#include "pkt/pkt.h"

#define NAT_UDP_LIFE      (300 * NS_PER_S)      /* RFC 4787, REQ-5 */
#define NAT_TCP_OPEN_LIFE (7440 * NS_PER_S)     /* RFC 5382, REQ-5: 2 h 4 min */
#define NAT_TCP_LIFE      (240 * NS_PER_S)      /* transitory: handshake, closing */
#define NAT_ICMP_LIFE     (60 * NS_PER_S)       /* RFC 5508, REQ-2 */
#define NAT_PEERS_MAX     8                     /* peers remembered of one mapping, latest first */

/* How long a translation lives without being used. All but the last are transitory. */
enum nat_life {
    NAT_LIFE_OF_ICMP,
    NAT_LIFE_OF_UDP,
    NAT_LIFE_OF_TCP,            /* no connection of it is open */
    NAT_LIFE_OF_OPEN_TCP,
    NAT_LIVES
};

struct ip;

struct nat {
    struct pool sessions;       /* private to nat.c */
    struct hmap inside;         /* by protocol, inside address and port */
    struct hmap outside;        /* by protocol and outside address and port */
    struct list by_use[NAT_LIVES];      /* least recently used first */
    struct siphash_key port_key;
    struct timer timer;
};

bool nat_init(struct nat *n, struct env *env, struct arena *a, uint32_t sessions_max);

/*
 * Calls are for packets that are whole, header at p->l3 == 0, checked by ip4_input. A writable head
 * is nat's own business.
 */
enum nat_verdict {
    NAT_PASS,                   /* not concerned: goes on as it is */
    NAT_DONE,                   /* translated in place */
    NAT_CONSUMED,               /* dropped, with a reason */
};

/* IPv4 packets that are about to leave by an interface with `nat`, forwarded ones only. */
enum nat_verdict nat_out(struct ip *ip, struct pkt *p, uint16_t nif);

/*
 * IPv4 packets that came in by such an interface for one of its addresses. NAT_DONE: the
 * destination is an inside host now; forward it. NAT_PASS: for this host itself, nothing was
 * changed.
 */
enum nat_verdict nat_in(struct ip *ip, struct pkt *p, uint16_t nif);

/*
 * q holds, from `at` on, the beginning of a packet that this router has to complain about to somebody
 * behind interface nif. Was it translated on its way in? Then it becomes again what its sender knows
 * (RFC 5508, REQ-4). q is contiguous and its own; a checksum over it is still to be computed.
 */
void nat_quote_out(struct ip *ip, struct pkt *q, size_t at, uint16_t nif);

void nat_on_timer(struct ip *ip);
void nat_drop_nif(struct ip *ip, uint16_t nif);

struct nat_info {
    uint8_t proto;
    struct oriel_endpoint inside;
    struct oriel_endpoint outside;
    uint16_t nif;
    oriel_time until;
    uint8_t peers;
};
/* By kind of life, then by last use; *cursor starts at 0, nothing changes meanwhile. */
bool nat_each(const struct ip *ip, uint32_t *cursor, struct nat_info *out);

#endif
