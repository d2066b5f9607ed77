/* What a lease does to the interface: for dhcp4_client.c alone. */
#ifndef ORIEL_SVC_DHCP4_APPLY_H
#define ORIEL_SVC_DHCP4_APPLY_H

#include "svc/dhcp4_client.h"

/*
 * The lease becomes l. Its address is put on the interface unless it is there already; another one
 * is taken off with all that belongs to it. 0, or what the stack said: then there is no lease.
 */
ORIEL_MUST_USE int dhcp4_apply(struct dhcp4_client *c, const struct dhcp4_lease *l);

/* The address may be used: routes and MTU as the lease has them. */
void dhcp4_apply_rest(struct dhcp4_client *c);

/* Everything off the interface; there is no lease any more. */
void dhcp4_withdraw(struct dhcp4_client *c);

/* Of the lease's address, as oriel_addr_each says; "none" where the interface does not have it. */
const char *dhcp4_addr_state(const struct dhcp4_client *c);

#endif
