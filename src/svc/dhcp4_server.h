/*
 * A server of DHCP for IPv4 (RFC 2131, 4.3) on one interface: addresses from a range, some kept for
 * certain hosts.
 *
 *     dhcp4_server_start(&v, &cfg);
 *     ... after each step of the stack: dhcp4_server_step(&v, now);
 *
 * Leases are kept in the table that it is given and nowhere else; a server that begins anew is
 * silent to clients that it does not know and want their address of old (4.3.2), so that they ask
 * for another. When the table is full of leases that hold, nobody new gets one. A client is known
 * by its identifier, or by its link address if it sends none. Relays are answered; what they add
 * (option 82) is not looked at.
 *
 * A client of the surface; owns one socket. A struct dhcp4_server stays where it is.
 */
#ifndef ORIEL_SVC_DHCP4_SERVER_H
#define ORIEL_SVC_DHCP4_SERVER_H

#include "base/clock.h"
#include "base/siphash.h"
#include "wire/dhcp4.h"

#define DHCP4_LEASE_S     3600          /* when nothing else is said */
#define DHCP4_OFFER_LIFE  (60 * NS_PER_S)       /* an address is kept for who was offered it */
#define DHCP4_SPOILT_LIFE (3600 * NS_PER_S)     /* declined addresses are not given out */

struct dhcp4_reservation {
    struct mac mac;
    struct oriel_addr addr;     /* of the server's network; inside the range or not */
};

enum dhcp4_binding_state {
    DHCP4_BINDING_NONE,
    DHCP4_BINDING_OFFERED,
    DHCP4_BINDING_LEASED,
    DHCP4_BINDING_OVER,         /* released or run out: the same client's again, if possible */
    DHCP4_BINDING_SPOILT,       /* somebody who has no lease uses it */
};

struct dhcp4_binding {
    uint64_t client;            /* keyed hash of who it is */
    struct oriel_addr addr;
    uint8_t state;              /* enum dhcp4_binding_state */
    struct mac mac;
    oriel_time until;           /* ORIEL_NEVER: a lease for ever */
};

struct dhcp4_server_config {
    struct oriel_stack *stack;
    int netif;
    struct oriel_addr addr;     /* of the interface: what clients know the server by */
    uint8_t prefix_len;         /* 96..128: the network's */
    struct oriel_addr first, last;      /* the range, both included */
    struct dhcp4_binding *table;        /* yours; cleared at the start */
    uint32_t table_n;
    const struct dhcp4_reservation *reserved;   /* borrowed */
    uint32_t reserved_n;
    uint8_t seed[32];
    /* what clients are told; zero: nothing */
    struct oriel_addr router;
    struct oriel_addr dns[DHCP4_ADDRS_MAX];
    uint8_t dns_n;
    struct span domain;
    uint16_t mtu;
    uint32_t lease_s;           /* 0: DHCP4_LEASE_S; 0xffffffff: for ever */
};

struct dhcp4_server {
    struct dhcp4_server_config cfg;
    struct siphash_key key;
    oriel_handle sock;
    uint64_t offers, acks, naks, declines, releases, ignored;
};

/* 0, or what opening the socket said: then nothing is open. */
ORIEL_MUST_USE int dhcp4_server_start(struct dhcp4_server *v,
                                      const struct dhcp4_server_config *cfg);
void dhcp4_server_step(struct dhcp4_server *v, oriel_time now);
void dhcp4_server_stop(struct dhcp4_server *v);

#endif
