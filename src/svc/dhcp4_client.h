/*
 * A client of DHCP for IPv4 (RFC 2131): an interface gets its address, routes and MTU from a
 * server, and loses them when the lease ends.
 *
 *     dhcp4_client_start(&c, now, &cfg);
 *     ... after each step of the stack, and at the latest when it says: ...
 *     oriel_time next = dhcp4_client_step(&c, now);
 *     const struct dhcp4_lease *l = dhcp4_client_lease(&c);   NULL: none; dns[] in it
 *
 * An address is used when the stack says that nobody else has it: where the interface probes
 * (oriel_netif_config.probe4) one that is taken is declined, and so is one that is lost later
 * (RFC 5227). c.changes counts whenever the lease, or what came with it, became another.
 *
 * A client of the surface; owns one socket. A struct dhcp4_client stays where it is.
 */
#ifndef ORIEL_SVC_DHCP4_CLIENT_H
#define ORIEL_SVC_DHCP4_CLIENT_H

#include "base/clock.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "wire/dhcp4.h"

#define DHCP4_ID_MAX     64             /* bytes of a client identifier, a host's name, a domain */
#define DHCP4_FIRST_WAIT (4 * NS_PER_S) /* for an answer; doubled up to ... (RFC 2131, 4.1) */
#define DHCP4_LONG_WAIT  (64 * NS_PER_S)
#define DHCP4_REQUESTS   4              /* of one offer, before another one is looked for */
#define DHCP4_REBOOTS    3              /* for the address of old, before any will do */
#define DHCP4_DECLINED   (10 * NS_PER_S)        /* RFC 2131, 3.1 (5): wait that long */
#define DHCP4_RENEW_WAIT (60 * NS_PER_S)        /* at least, between requests for more time */

enum dhcp4_state {              /* RFC 2131, figure 5; and two of our own */
    DHCP4_STOPPED,              /* nothing is asked for */
    DHCP4_INIT,
    DHCP4_SELECTING,
    DHCP4_REQUESTING,
    DHCP4_REBOOTING,
    DHCP4_CHECKING,             /* the stack asks the link whether the address is free */
    DHCP4_BOUND,
    DHCP4_RENEWING,
    DHCP4_REBINDING,
    DHCP4_STATES
};

const char *dhcp4_state_name(enum dhcp4_state s);       /* "SELECTING" */

struct dhcp4_client_config {
    struct oriel_stack *stack;
    int netif;
    struct mac mac;             /* of that interface */
    uint8_t seed[32];           /* from the system's random source */
    struct span host_name;      /* told to the server; may be empty */
    struct oriel_addr requested;        /* the address of last time, asked for first; ADDR_NONE */
};

struct dhcp4_lease {
    struct oriel_addr addr;
    uint8_t prefix_len;         /* 96..128 */
    struct oriel_addr server;
    uint16_t mtu;               /* 0: not said, or one that makes no sense */
    uint8_t routes_n;
    uint8_t dns_n;
    struct dhcp4_route routes[DHCP4_ROUTES_MAX];        /* the default route among them */
    struct oriel_addr dns[DHCP4_ADDRS_MAX];
    uint8_t domain_n;
    char domain[DHCP4_ID_MAX];
    oriel_time t1, t2, until;   /* moments; ORIEL_NEVER: for ever */
};

struct dhcp4_client {
    struct dhcp4_client_config cfg;
    uint8_t state;
    bool has_lease;             /* lease holds, and its address is on the interface */
    bool has_routes;            /* and so are its routes and MTU */
    bool has_link;              /* the interface worked when it was looked at last */
    bool has_hint;              /* hint: an address that would be liked again */
    oriel_handle sock;
    struct siphash_key xid_key;
    uint64_t xids;
    struct rng rng;
    uint32_t xid;
    uint16_t secs;              /* as the last DISCOVER had it */
    uint8_t tries;              /* messages of this state that were sent */
    uint8_t refusals;           /* NAKs and declined addresses since the last lease */
    uint8_t id_n;
    uint8_t id[DHCP4_ID_MAX];
    uint32_t old_mtu;           /* of the interface, before the lease's; 0: not changed */
    oriel_time began;           /* this search for an address */
    oriel_time asked;           /* when the last REQUEST left: a lease counts from then */
    oriel_time deadline;
    struct oriel_addr hint;
    struct dhcp4_lease offer;   /* SELECTING has chosen it */
    struct dhcp4_lease lease;
    uint32_t changes;
    uint32_t naks, declines;    /* so far */
};

/* 0, or what opening the socket said: then nothing is open. */
ORIEL_MUST_USE int dhcp4_client_start(struct dhcp4_client *c, oriel_time now,
                                      const struct dhcp4_client_config *cfg);

/* What has come and what is due; when to call again at the latest. */
oriel_time dhcp4_client_step(struct dhcp4_client *c, oriel_time now);

/* What holds now; NULL: no address, or it is being checked. */
const struct dhcp4_lease *dhcp4_client_lease(const struct dhcp4_client *c);

/* Give the address back (RFC 2131, 4.4.6), then as dhcp4_client_stop. */
void dhcp4_client_release(struct dhcp4_client *c);

/* Take everything off the interface; the server is not told. The socket is closed. */
void dhcp4_client_stop(struct dhcp4_client *c);

#endif
