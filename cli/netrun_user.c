/*
 * --link user: the system's own sockets behind a gateway (host/user.h), as `oriel run` has them. For a
 * verb's own DESTINATION 127.0.0.1 and ::1 mean the gateway's addresses (netrun_addr).
 */
#include "cli/netrun.h"
#include "host/user.h"

bool netrun_open_user(struct netrun *n, const struct wire_params *wire, char error[DRV_ERROR_MAX])
{
    const struct user_config cfg = {.congestion = opt_text(n->args, "cc")};
    struct user_link u;
    if (!user_open(&u, n->live, n->me, wire, &cfg, error))
        return false;
    n->netif = u.netif;
    n->gateway = u.gateway;
    n->spec.gateways[0] = u.gateways[0];
    n->spec.gateways[1] = u.gateways[1];
    n->spec.dns[n->spec.dns_n++] = u.dns[0];
    n->spec.dns[n->spec.dns_n++] = u.dns[1];
    return true;
}
