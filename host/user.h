/*
 * The link "user": the system's own sockets behind a gateway (host/gateway.h), for a node of a live world.
 *
 *     node  10.0.2.15/24, fd00::15/64  --- wire ---  gateway  10.0.2.2, fd00::2
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
    const struct port *port;        /* ... and its port */
    struct oriel_addr gateways[2], dns[2];
};

/* False: a sentence in `error`. */
bool user_open(struct user_link *u, struct live *v, struct node *me, const struct wire_params *wire,
               char error[DRV_ERROR_MAX]);

#endif
