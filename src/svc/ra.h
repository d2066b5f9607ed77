/*
 * A sender of router advertisements on one interface of a router (RFC 4861, 6.2; name servers:
 * RFC 8106).
 *
 *     ra_start(&r, now, &cfg);
 *     ... after each step of the stack, and at the latest when it says: ...
 *     oriel_time next = ra_step(&r, now);
 *     ra_stop(&r);                            says that this router is one no more
 *
 * To all hosts, at random intervals, and soon after one asks: by chance within half a second, but
 * not more often than every three. The interface needs a link-local address
 * (oriel_netif_config.ip6) and the stack must forward IPv6.
 *
 * A client of the surface; owns one socket. A struct ra_sender stays where it is.
 */
#ifndef ORIEL_SVC_RA_H
#define ORIEL_SVC_RA_H

#include "base/clock.h"
#include "base/rng.h"
#include "wire/ndp.h"

#define RA_INTERVAL_MAX  (600 * NS_PER_S)       /* MaxRtrAdvInterval, when nothing else is said */
#define RA_HOP_LIMIT     64
#define RA_VALID_S       2592000u       /* AdvValidLifetime: 30 days */
#define RA_PREFERRED_S   604800u        /* AdvPreferredLifetime: 7 days */

struct ra_config {
    struct oriel_stack *stack;
    int netif;
    uint64_t seed;              /* of the intervals */
    oriel_time interval_max;    /* 4 s..1,800 s; 0: RA_INTERVAL_MAX. The least is a third of it */
    bool no_default;            /* addresses and name servers only: no default route over us */
    uint32_t mtu;               /* 0: not said */
    uint8_t prefixes_n;
    struct ndp_prefix prefixes[NDP_PREFIXES_MAX];
    uint8_t dns_n;
    struct oriel_addr dns[NDP_DNS_MAX];
};

struct ra_sender {
    struct ra_config cfg;
    struct rng rng;
    struct mac mac;             /* of the interface */
    oriel_handle sock;
    bool stopped;
    uint8_t initial_left;       /* advertisements that come early */
    oriel_time next;            /* the next unsolicited one */
    oriel_time answer;          /* one that was asked for; ORIEL_NEVER: none */
    oriel_time last;            /* when the last one left */
    bool said;                  /* one has left */
    uint32_t sent, asked;
};

/* A prefix with the usual lifetimes, from which hosts form addresses. */
struct ndp_prefix ra_prefix(const struct prefix *p);

/* 0, or what opening the socket said: then nothing is open. */
ORIEL_MUST_USE int ra_start(struct ra_sender *r, oriel_time now, const struct ra_config *cfg);
oriel_time ra_step(struct ra_sender *r, oriel_time now);
void ra_stop(struct ra_sender *r);

#endif
