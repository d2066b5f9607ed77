/*
 * Group records, among the files that work on them:
 *
 *   mcast.c         who joined, what the members want together
 *   mcast_report.c  what routers have to be told, and when; what queries ask for
 *   igmp.c mldc.c   the messages of each family
 *
 * IGMP and MLD are one protocol in two notations, so between these files there is only one: MLDv1
 * is version 2 and MLDv2 is version 3.
 */
#ifndef ORIEL_IP_MCAST_GROUP_H
#define ORIEL_IP_MCAST_GROUP_H

#include "ip/ip.h"
#include "wire/mld.h"

#define MCAST_REPORT_MAX 1500   /* bytes of one report of ours at most */

/* A source whose state changed: it stands in that many more reports (RFC 3376, 5.1). */
struct mcast_change {
    struct oriel_addr source;
    uint8_t left;
};

/*
 * One group on one interface. Lives while it has members or while the leaving of the last one is
 * still to be repeated: `wanted` is then INCLUDE of nothing, and of nothing else is it ever.
 */
struct mcast_group {
    struct list node;               /* of its interface */
    struct list members;            /* struct mcast_member, in order of joining */
    struct oriel_addr addr;         /* zone 0 */
    uint16_t nif;
    uint16_t members_n;
    struct mcast_filter wanted;     /* by the members together */

    /* mcast_report.c is the only writer of what follows */
    oriel_time change_at;           /* next report of a change; ORIEL_NEVER */
    oriel_time answer_at;           /* answer to a query; ORIEL_NEVER */
    oriel_time told_at;             /* when a change was last told to a link that worked */
    uint8_t repeats_left;           /* v1, v2: reports; v3: reports that tell the filter mode */
    uint8_t changed_n;
    bool last_reporter;             /* v2: nobody else has reported since we did */
    bool asked_all;                 /* the query asked for the group, not for some sources */
    uint8_t asked_n;
    struct mcast_change changed[MCAST_SOURCES_MAX];
    struct oriel_addr asked[MCAST_SOURCES_MAX];
};

/* A query of any version. */
struct mcast_query {
    struct oriel_addr group;        /* :: or 0.0.0.0: general */
    oriel_time max_delay;
    uint32_t interval_s;            /* version 3; 0: not said */
    uint8_t version;
    uint8_t robustness;             /* version 3; 0: not said */
    bool v4;
    uint16_t sources_n;             /* may be more than are kept: then ask for all */
    struct oriel_addr source[MCAST_SOURCES_MAX];
};

/* ---- mcast.c ---- */

struct mcast_group *mcast_group_find(const struct ip *ip, uint16_t nif,
                                     const struct oriel_addr *group);
void mcast_group_free(struct ip *ip, struct mcast_group *g);    /* it has no members */
bool mcast_filter_has(const struct mcast_filter *f, const struct oriel_addr *source);
bool mcast_filter_is_none(const struct mcast_filter *f);        /* INCLUDE of nothing */

/* Is that source to be let through? */
static inline bool mcast_filter_wants(const struct mcast_filter *f, const struct oriel_addr *source)
{
    return mcast_filter_has(f, source) != f->exclude;
}

/* ---- mcast_report.c ---- */

void mcast_report_group_init(struct mcast_group *g);

/* g->wanted is new, `was` is what it was. May free g, when it has no members. */
void mcast_report_change(struct ip *ip, struct mcast_group *g, const struct mcast_filter *was);

/* A router asked; false: about nothing that we have. */
bool mcast_report_on_query(struct ip *ip, uint16_t nif, const struct mcast_query *q);

/* Another member reported the group in version 1 or 2; false: we do not have it. */
bool mcast_report_on_report(struct ip *ip, uint16_t nif, const struct oriel_addr *group);

/* ---- igmp.c and mldc.c: one message out ---- */

/* Reports of version 1 and 2, and leaves: the group's own message. */
void igmp_send_group(struct ip *ip, struct netif *nif, enum igmp_type type,
                     const struct oriel_addr *group, enum why why);
void mld_send_group(struct ip *ip, struct netif *nif, enum icmp6_type type,
                    const struct oriel_addr *group, enum why why);

/* A report of version 3 that was begun in w and holds that many records. */
void igmp_send_report(struct ip *ip, struct netif *nif, struct wr *w, uint16_t records,
                      enum why why);
void mld_send_report(struct ip *ip, struct netif *nif, struct wr *w, uint16_t records,
                     enum why why);

/* Bytes that a report of version 3 may have on that interface. */
size_t igmp_report_room(const struct netif *nif);
size_t mld_report_room(const struct netif *nif);

#endif
