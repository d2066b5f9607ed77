/*
 * Neighbours: which link address answers for an IP address (ARP and ND alike).
 *
 * States as in RFC 4861, 7.3.2, used for both families; FAILED is kept for a while so that a dead
 * address costs one question a second and not one a packet. Bounded: a full table gives up
 * INCOMPLETE and FAILED entries first, then the stalest, and none that is in use (RFC 6583).
 * At most NEIGH_QUEUE_MAX packets wait for one address; the oldest gives way. All that wait together
 * hold a quarter of the stack's packet memory at most. A sweep over a link
 * makes at most NEIGH_ASKS_MAX questions a second; those that were not asked count as unanswered.
 */
#ifndef ORIEL_IP_NEIGH_H
#define ORIEL_IP_NEIGH_H

#include "link/netif.h"

#define NEIGH_QUEUE_MAX    8
#define NEIGH_WAITING_SHARE 4           /* of the packet memory, one part for packets that wait */
#define NEIGH_SOLICITS_MAX 3            /* questions before we give up */
#define NEIGH_RETRANS      (1 * NS_PER_S)
#define NEIGH_DELAY        (5 * NS_PER_S)       /* before a stale one in use is asked */
#define NEIGH_FAILED_FOR   (3 * NS_PER_S)
#define NEIGH_STALE_FOR    (600 * NS_PER_S)     /* unused that long: forgotten */
#define NEIGH_ASKS_MAX     1000         /* questions to everybody a second on one interface */

enum neigh_state {
    NEIGH_NONE,
    NEIGH_INCOMPLETE,
    NEIGH_REACHABLE,
    NEIGH_STALE,
    NEIGH_DELAYED,
    NEIGH_PROBE,
    NEIGH_FAILED,
    NEIGH_STATIC,
    NEIGH_STATES
};

struct neigh {
    struct list node;           /* of the table */
    struct oriel_addr addr;
    struct mac mac;
    uint16_t nif;
    uint8_t state;
    bool router;                /* ND's IsRouter */
    bool used;                  /* since its timer last fired */
    bool gateway;               /* a route names it: kept when it fails, so that paths avoid it */
    uint8_t probes;             /* questions asked in this state */
    struct timer timer;
    oriel_time confirmed;       /* last time it was known to be reachable */
    struct pkt_queue waiting;
};

/* Questions to everybody in the second that began at `since`. */
struct neigh_asks {
    oriel_time since;
    uint32_t n;
};

struct neigh_table {
    struct pool pool;
    struct hmap map;
    struct list lru;            /* those whose link address is known, least recently heard first */
    struct list unresolved;     /* INCOMPLETE and FAILED, oldest first */
    uint64_t waiting_bytes;     /* of all packets that wait, by true sizes */
};

struct ip;

bool neigh_init(struct neigh_table *t, struct arena *a, uint32_t max);
void neigh_fini(struct ip *ip);

struct neigh *neigh_find(const struct ip *ip, uint16_t nif, const struct oriel_addr *addr);

/* Find or make (INCOMPLETE, nothing asked yet). NULL when the table is full of better ones. */
struct neigh *neigh_get(struct ip *ip, uint16_t nif, const struct oriel_addr *addr);

/*
 * Send p (network header in front) to the neighbour; waits in its queue while the address is
 * unknown. Consumes p. 0, or ORIEL_EHOSTUNREACH when the neighbour is known not to answer,
 * ORIEL_ENOBUFS, ORIEL_ENETDOWN.
 */
int neigh_output(struct ip *ip, struct neigh *n, struct pkt *p, enum why why);

/* Its link address is known, and using it is no news: neigh_output has nothing to do but send. */
static inline bool neigh_is_open(const struct neigh *n)
{
    const unsigned open = BIT(NEIGH_REACHABLE) | BIT(NEIGH_DELAYED) | BIT(NEIGH_PROBE) |
                          BIT(NEIGH_STATIC);
    return (open >> n->state) & 1;
}

/* What ARP or ND learned. */
enum neigh_news {
    NEIGH_HEARD,                /* it spoke: link address, reachability unknown -> STALE if new */
    NEIGH_ANSWERED,             /* it answered a question of ours -> REACHABLE */
};
void neigh_learn(struct ip *ip, struct neigh *n, const struct mac *mac, enum neigh_news news);

/* Neighbour advertisement, the table of RFC 4861, 7.2.5. mac NULL: no link-layer option. */
void neigh_on_advert(struct ip *ip, struct neigh *n, const struct mac *mac, bool router,
                     bool solicited, bool override);

/* It sent a router advertisement, or a redirect names it as one. */
void neigh_mark_router(struct neigh *n);

/* Somebody would use this gateway, which failed: ask it again, once in a while. */
void neigh_ask_again(struct ip *ip, struct neigh *n);

void neigh_confirm(struct ip *ip, struct neigh *n);     /* upper layers saw an answer */
/* A transport hears nothing from beyond it (RFC 9293, 3.8.3): asked when it is used next. */
void neigh_doubt(struct ip *ip, struct neigh *n);
void neigh_on_timer(struct ip *ip, struct neigh *n);

/* Static entries: added or replaced; removed (any kind). */
ORIEL_MUST_USE int neigh_set_static(struct ip *ip, uint16_t nif, const struct oriel_addr *addr,
                                    const struct mac *mac);
ORIEL_MUST_USE int neigh_del(struct ip *ip, uint16_t nif, const struct oriel_addr *addr);
void neigh_drop_nif(struct ip *ip, uint16_t nif);

const char *neigh_state_name(enum neigh_state s);

#endif
