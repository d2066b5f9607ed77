/*
 * --link user: the system's own sockets behind a gateway, as `oriel run` has them.
 *
 *     host  10.0.2.15/24, fd00::15/64  --- wire ---  gateway  10.0.2.2, fd00::2
 *
 * The system's loopback is reached at the gateway's addresses, its name servers at 10.0.2.3 and fd00::3;
 * for a verb's own DESTINATION 127.0.0.1 and ::1 mean the same (netrun_addr).
 */
#include "cli/netrun.h"

#include <stdio.h>

#define GATEWAY_MEMORY ((size_t)128 << 20)
#define CONNECTIONS    4096

static const uint32_t net4 = 0x0a000200;                /* 10.0.2.0 */
static const uint64_t net6 = 0xfd00000000000000u;

static int add_addr(struct node *n, int netif, unsigned host)
{
    const struct oriel_addr a4 = addr_v4(net4 + (host == 0x15 ? 15 : host));
    const struct oriel_addr a6 = addr_v6(net6, host);
    int err = oriel_addr_add(n->stack, netif, &a4, 120);
    return err < 0 ? err : oriel_addr_add(n->stack, netif, &a6, 64);
}

static int add_routes(struct node *n, int netif)
{
    const struct oriel_addr all4 = ADDR_V4_ANY, all6 = ADDR_NONE;
    const struct oriel_addr gw4 = addr_v4(net4 + 2), gw6 = addr_v6(net6, 2);
    int err = oriel_route_add(n->stack, &all4, 96, &gw4, netif, 0);
    return err < 0 ? err : oriel_route_add(n->stack, &all6, 0, &gw6, netif, 0);
}

static struct port *add_port(struct netrun *n, struct node *node, bool direct, bool any, int *err)
{
    const struct oriel_netif_config c = {
        .name = "eth0", .kind = ORIEL_NETIF_RAW, .no_dad = true, .any_addr = any,
        .vouches = direct, .gso = direct,
    };
    return world_add_port(n->world, node, &c, err);
}

static int build(struct netrun *n, const struct wire_params *wire)
{
    struct oriel_config c;
    int err = ORIEL_ENOBUFS;
    oriel_config_init(&c);
    c.connections = CONNECTIONS;
    struct node *gw = world_add_node(n->world, NODE_HOST, span_str("gateway"), &c, GATEWAY_MEMORY);
    struct port *mine = gw ? add_port(n, n->me, wire->direct, false, &err) : NULL;
    struct port *its = mine ? add_port(n, gw, wire->direct, true, &err) : NULL;
    if (!its || !world_join(n->world, mine, its, wire))
        return err;
    n->netif = mine->netif;
    if ((err = add_addr(n->me, mine->netif, 0x15)) < 0 || (err = add_addr(gw, its->netif, 2)) < 0 ||
        (err = add_addr(gw, its->netif, 3)) < 0 || (err = add_routes(n->me, mine->netif)) < 0)
        return err;
    live_poke(n->live, n->me);
    live_poke(n->live, gw);
    return its->netif;
}

bool netrun_open_user(struct netrun *n, const struct wire_params *wire, char error[DRV_ERROR_MAX])
{
    const struct gateway_config cfg = {
        .self4 = addr_v4(net4 + 2), .self6 = addr_v6(net6, 2), .dns4 = addr_v4(net4 + 3),
        .dns6 = addr_v6(net6, 3),
    };
    int netif = build(n, wire);
    if (netif < 0) {
        snprintf(error, DRV_ERROR_MAX, "cannot build the world of the gateway: %s",
                 oriel_strerror(netif));
        return false;
    }
    struct node *gw = &n->world->nodes[n->world->nodes_n - 1];
    n->gateway = gateway_open(n->live, gw, netif, &cfg, error);
    n->spec.gateways[0] = cfg.self4;
    n->spec.gateways[1] = cfg.self6;
    n->spec.dns[n->spec.dns_n++] = cfg.dns4;
    n->spec.dns[n->spec.dns_n++] = cfg.dns6;
    return n->gateway != NULL;
}
