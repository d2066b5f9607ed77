/*
 * Namespaces of its own for a program: users, network, mounts. The program's sockets are the kernel's; all
 * it sees of the world is one TAP device, and we hold the other end of that.
 *
 * Two steps in the child, before exec, with the parent between them:
 *
 *     int fd = netns_enter(cfg);       namespaces, and the device file opened in there: to the parent
 *     ... the parent makes the device on that file (a driver: "tap:NETNS_DEVICE,fd=N") ...
 *     int err = netns_settle(cfg);             addresses, routes, resolver; then exec
 *
 * An ordinary user keeps his number inside and has no capabilities after exec; root gets no user namespace.
 * No call waits, none of this process's own namespaces are touched unless netns_enter returns.
 */
#ifndef ORIEL_HOST_NETNS_H
#define ORIEL_HOST_NETNS_H

#include "host/drv.h"

#define NETNS_DEVICE "oriel0"

struct netns_config {
    const char *tun;                /* the device file; NULL: /dev/net/tun */
    uint32_t mtu;                   /* 0: as the device has it */
    struct drv_addr addrs[2];       /* of the program's end */
    unsigned addrs_n;
    struct oriel_addr gateways[2];
    unsigned gateways_n;
    struct oriel_addr dns[2];       /* what its /etc/resolv.conf names */
    unsigned dns_n;
};

/* A descriptor, or a negative errno. */
int netns_enter(const struct netns_config *cfg);

/* 0, or a negative errno. */
int netns_settle(const struct netns_config *cfg);

/* A sentence: what is missing, and which mode needs it not. */
void netns_explain(const struct netns_config *cfg, int err, char error[DRV_ERROR_MAX]);

#endif
