/*
 * The kernel's end of a link: what a network interface of this machine is called, how large its packets
 * are, which addresses it has. Changes need CAP_NET_ADMIN.
 *
 * Calls return 0 (or what they were asked for, where it cannot be negative) or a negative errno.
 */
#ifndef ORIEL_HOST_KERNIF_H
#define ORIEL_HOST_KERNIF_H

#include "host/drv.h"

/* Above 0; -ENODEV. */
int kernif_index(const char *name);
int kernif_mtu(const char *name);
int kernif_set_mtu(const char *name, uint32_t mtu);
int kernif_mac(const char *name, uint8_t mac[6]);
int kernif_is_up(const char *name);             /* 1 or 0 */
int kernif_set_up(const char *name);
int kernif_queue(const char *name);             /* frames that wait to be sent, at most */
int kernif_set_queue(const char *name, uint32_t frames);

/*
 * The kernel takes it as its own at once: IPv6 addresses are not probed, and where the interface is up it is
 * waited for that packets to it are taken. -EEXIST is no error.
 */
int kernif_add_addr(const char *name, const struct drv_addr *a);

/* Everything of that family goes by this gateway, an address on the interface's link. */
int kernif_add_gateway(const char *name, const struct oriel_addr *gateway);

/* Is that address one of the kernel's own, on any of its interfaces? Its name goes to `where`. */
bool kernif_owns(const struct oriel_addr *a, char *where, size_t cap);

#endif
