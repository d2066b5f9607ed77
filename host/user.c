/* The two nodes of the link "user", their addresses and routes. */
#include "host/user.h"

#include <stdio.h>

#define GATEWAY_MEMORY ((size_t)128 << 20)
#define CONNECTIONS    4096

static int add_addr(struct node *n, int netif, unsigned host)
{
    const struct oriel_addr a4 = addr_v4(USER_NET4 + (host == 0x15 ? 15 : host));
    const struct oriel_addr a6 = addr_v6(USER_NET6, host);
    int err = oriel_addr_add(n->stack, netif, &a4, 120);
    return err < 0 ? err : oriel_addr_add(n->stack, netif, &a6, 64);
}

static int add_routes(struct node *n, int netif)
{
    const struct oriel_addr all4 = ADDR_V4_ANY, all6 = ADDR_NONE;
    const struct oriel_addr gw4 = addr_v4(USER_NET4 + 2), gw6 = addr_v6(USER_NET6, 2);
    int err = oriel_route_add(n->stack, &all4, 96, &gw4, netif, 0);
    return err < 0 ? err : oriel_route_add(n->stack, &all6, 0, &gw6, netif, 0);
}

static struct port *add_port(struct world *w, struct node *node, bool direct, bool any, int *err)
{
    const struct oriel_netif_config c = {
        .name = "eth0", .kind = ORIEL_NETIF_RAW, .no_dad = true, .any_addr = any,
        .vouches = direct, .gso = direct,
    };
    return world_add_port(w, node, &c, err);
}

/* The gateway's interface, or an error. */
static int build(struct user_link *u, struct live *v, struct node *me, const struct wire_params *wire,
                 uint32_t connections, struct node **gw)
{
    struct world *w = live_world(v);
    struct oriel_config c;
    int err = ORIEL_ENOBUFS;
    oriel_config_init(&c);
    c.connections = connections ? connections : CONNECTIONS;
    *gw = world_add_node(w, NODE_HOST, span_str("gateway"), &c, GATEWAY_MEMORY);
    struct port *mine = *gw ? add_port(w, me, wire->direct, false, &err) : NULL;
    struct port *its = mine ? add_port(w, *gw, wire->direct, true, &err) : NULL;
    if (!its || !world_join(w, mine, its, wire))
        return err;
    u->netif = mine->netif;
    u->port = mine;
    if ((err = add_addr(me, mine->netif, 0x15)) < 0 || (err = add_addr(*gw, its->netif, 2)) < 0 ||
        (err = add_addr(*gw, its->netif, 3)) < 0 || (err = add_routes(me, mine->netif)) < 0)
        return err;
    live_poke(v, me);
    live_poke(v, *gw);
    return its->netif;
}

/* What leads to the guest, with its address of that family. */
static void publish(struct gateway_config *g, const struct user_config *cfg)
{
    const struct oriel_addr v4 = addr_v4(USER_NET4 + 15), v6 = addr_v6(USER_NET6, 0x15);
    for (; g->publish_n < cfg->publish_n; g->publish_n++) {
        struct gateway_publish *p = &g->publish[g->publish_n];
        *p = cfg->publish[g->publish_n];
        p->guest.addr = addr_is_v4(&p->host.addr) || addr_is_unspecified(&p->host.addr) ? v4 : v6;
    }
}

bool user_open_with(struct user_link *u, struct live *v, struct node *me, const struct wire_params *wire,
                    const struct user_config *cfg, char error[DRV_ERROR_MAX])
{
    static const struct user_config plain;
    struct gateway_config g = {
        .self4 = addr_v4(USER_NET4 + 2), .self6 = addr_v6(USER_NET6, 2),
        .dns4 = addr_v4(USER_NET4 + 3), .dns6 = addr_v6(USER_NET6, 3),
    };
    struct node *gw;
    cfg = cfg ? cfg : &plain;
    *u = (struct user_link){.gateways = {g.self4, g.self6}, .dns = {g.dns4, g.dns6}};
    if (cfg->no_loopback)
        g.self4 = g.self6 = (struct oriel_addr){0};
    g.flows = cfg->connections;
    publish(&g, cfg);
    int netif = build(u, v, me, wire, cfg->connections, &gw);
    if (netif < 0) {
        (void)snprintf(error, DRV_ERROR_MAX, "cannot build the world of the gateway: %s",
                       oriel_strerror(netif));
        return false;
    }
    u->gateway = gateway_open(v, gw, netif, &g, error);
    return u->gateway != NULL;
}

bool user_open(struct user_link *u, struct live *v, struct node *me, const struct wire_params *wire,
               char error[DRV_ERROR_MAX])
{
    return user_open_with(u, v, me, wire, NULL, error);
}
