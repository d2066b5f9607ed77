/*
 * The link "user": the system's own sockets behind a gateway (host/gateway.h), for a node of a live world.
 *
 *     node  10.0.2.15/24, fd00::15/64  --- wire ---  gateway  10.0.2.2, fd00::2
 *
 * Or behind a door: who is at the other end of that link is at the node's addresses, a program in namespaces
 * of its own (host/netns.h), say.
 *
 * The system's loopback is reached at the gateway's addresses, its name servers at 10.0.2.3 and fd00::3.
 */
#ifndef ORIEL_HOST_USER_H
#define ORIEL_HOST_USER_H

#include "host/gateway.h"

#define USER_NET4 0x0a000200u                   /* 10.0.2.0 */
#define USER_NET6 0xfd00000000000000u           /* fd00::, its upper half */

struct user_link {
    struct gateway *gateway;        /* closed by gateway_close, before live_close */
    int netif;                      /* the node's */
    const struct port *port;        /* ... and its port; behind a door those of the gateway */
    struct node *node;              /* the gateway */
    struct oriel_addr gateways[2], dns[2];
};

struct user_config {
    const struct gateway_publish *publish;      /* whose guest addresses are filled in */
    unsigned publish_n;
    bool no_loopback;               /* the system's loopback is reached nowhere */
    uint32_t connections;           /* at most, and datagram flows; 0: 4,096 */
    const char *congestion;         /* of what the gateway sends to the node; NULL: the default */
};

/* False: a sentence in `error`. cfg may be NULL. */
bool user_open(struct user_link *u, struct live *v, struct node *me, const struct wire_params *wire,
               const struct user_config *cfg, char error[DRV_ERROR_MAX]);

/* The same behind a door. Takes the driver: it is closed with the world, or here on failure. */
bool user_open_door(struct user_link *u, struct live *v, struct drv *drv, const struct wire_params *wire,
                    const struct user_config *cfg, char error[DRV_ERROR_MAX]);

#endif
