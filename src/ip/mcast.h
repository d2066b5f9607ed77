/*
 * Multicast groups, host side: who joined what, and telling the routers.
 *
 * IPv4: IGMPv3 (RFC 3376) with fallback to v2 and v1 while such queriers are heard; IPv6: MLDv2
 * (RFC 3810) with fallback to v1. One group record per interface and group, with a source filter
 * that is merged from the filters of all members (sockets). Reports are repeated Robustness times;
 * answers to queries wait a random part of the allowed delay; v1 and v2 reports of others suppress
 * ours. 224.0.0.1 and ff02::1 and interface-local groups are never reported.
 */
#ifndef ORIEL_IP_MCAST_H
#define ORIEL_IP_MCAST_H

#include "pkt/pkt.h"
#include "wire/igmp.h"

struct ip;
struct netif;

/* A member's filter: INCLUDE these sources only, or EXCLUDE these (EXCLUDE of none: everybody). */
struct mcast_filter {
    bool exclude;
    uint16_t n;
    struct oriel_addr source[MCAST_SOURCES_MAX];        /* sorted by addr_cmp */
};

/*
 * The routers that ask, as one family sees them. Versions are IGMP's: MLDv1 counts as 2 and MLDv2
 * as 3, because that is how they work.
 */
struct mcast_querier {
    oriel_time v1_until;        /* such a querier was heard: spoken to in its version until then */
    oriel_time v2_until;
    oriel_time general_at;      /* answer to a general query due (version 3); ORIEL_NEVER */
    uint32_t interval_s;        /* between its queries; from the querier, or 125 */
    uint8_t robustness;         /* times that a change is told; from the querier, or 2 */
    uint8_t version;            /* spoken now; 0: nobody has asked yet */
};

/* Per interface; mcast.c owns it, but for the two that are configured. */
struct mcast_if {
    uint8_t version4;           /* forced by configuration, 1..3 of IGMP; 0: as heard */
    uint8_t version6;           /* 1..2 of MLD */
    struct mcast_querier q4;
    struct mcast_querier q6;
    struct list groups;         /* struct mcast_group, in order of joining */
    struct timer timer;         /* TIMER_MCAST: the earliest of all that is due here */
};

struct mcast {
    struct pool groups;         /* struct mcast_group, of mcast_group.h */
    struct pool members;
    struct hmap map;            /* groups by interface and address */
};

bool mcast_init(struct mcast *m, struct arena *a, uint32_t groups_max);

/*
 * A member joins, or changes its filter, or (INCLUDE of nothing) leaves. `member` tells members
 * apart: a socket's handle, or 0 for the stack's own groups (counted: join twice, leave twice). 0,
 * ORIEL_EINVAL (not a group, no such interface, or the sources are not unicast addresses of the
 * group's family in ascending order), ORIEL_ENOBUFS (groups or sources full; nothing changed).
 * Zones of groups and sources are ignored: the interface says which link is meant.
 */
ORIEL_MUST_USE int mcast_set(struct ip *ip, uint16_t nif, const struct oriel_addr *group,
                             uint32_t member, const struct mcast_filter *filter);
ORIEL_MUST_USE int mcast_join(struct ip *ip, uint16_t nif, const struct oriel_addr *group,
                              uint32_t member);
void mcast_leave(struct ip *ip, uint16_t nif, const struct oriel_addr *group, uint32_t member);
void mcast_leave_all(struct ip *ip, uint32_t member);           /* a socket closes */

/*
 * Does the interface want packets of that group at all? Of all hosts: always. Whatever the source:
 * queries go to the group and come from routers, which nobody's filter lists, and what a packet
 * carries may not be known yet. Filters are applied by mcast_member_wants.
 */
bool mcast_wants(const struct ip *ip, uint16_t nif, const struct oriel_addr *group,
                 const struct oriel_addr *source);
/* Does that member? False as well when it has not joined. */
bool mcast_member_wants(const struct ip *ip, uint16_t nif, const struct oriel_addr *group,
                        const struct oriel_addr *source, uint32_t member);

void mcast_if_init(struct ip *ip, uint16_t nif);        /* leaves version4 and version6 alone */
void mcast_if_up(struct ip *ip, uint16_t nif);          /* report everything again */
void mcast_if_detach(struct ip *ip, uint16_t nif);      /* forget everything, send nothing */
void mcast_on_timer(struct ip *ip, uint16_t nif);

/*
 * Messages of routers and of other members; p is borrowed. igmp: r holds exactly the message. mld:
 * body is what follows the first four bytes of a message whose checksum was right.
 */
struct ip_rx;
void igmp_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx, struct rd *r);
void mld_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx, uint8_t type, struct rd *body);

struct mcast_info {
    uint16_t nif;
    struct oriel_addr group;
    bool exclude;
    uint16_t sources;
    uint16_t members;
};
/* By interface, then in order of joining; *cursor starts at 0, nothing changes meanwhile. */
bool mcast_each(const struct ip *ip, uint32_t *cursor, struct mcast_info *out);

#endif
