/*
 * Services on a node of a live world: an address by DHCP, and names by a resolver that asks whom
 * DHCP, routers and the caller told of, after the hosts file.
 *
 *     struct live_svc *s = live_svc_open(v, node, netif, &cfg, error);
 *     ... the world runs; live_svc_lease(s) is NULL until there is one ...
 *     resolve_start(live_svc_resolver(s), live_now(v), &name, DNS_A, &ticket);
 *     live_poke(v, node);                        so that the question leaves
 *     live_svc_close(s);                         before live_close; the lease is given back
 */
#ifndef ORIEL_HOST_LIVE_SVC_H
#define ORIEL_HOST_LIVE_SVC_H

#include "host/live.h"
#include "svc/dhcp4_client.h"
#include "svc/resolve.h"

#define LIVE_SVC_CACHE 512              /* answers that are kept */
#define LIVE_SVC_HOSTS 1024             /* lines of the hosts file; what is beyond is not read */

struct live_svc;

struct live_svc_config {
    bool dhcp;                          /* ask for an address */
    const struct oriel_addr *dns;       /* name servers before all others */
    unsigned dns_n;
    const char *hosts;                  /* a file such as /etc/hosts, asked before all; NULL: none */
};

/* NULL: a sentence in `error`. */
struct live_svc *live_svc_open(struct live *v, struct node *node, int netif,
                               const struct live_svc_config *cfg, char error[DRV_ERROR_MAX]);
void live_svc_close(struct live_svc *s);

const struct dhcp4_lease *live_svc_lease(const struct live_svc *s);
struct resolver *live_svc_resolver(struct live_svc *s);

#endif
