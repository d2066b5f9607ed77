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

static struct node *add_gateway(struct user_link *u, struct live *v,
                                const struct user_config *cfg)
{
    struct oriel_config c;
    oriel_config_init(&c);
    c.connections = cfg->connections ? cfg->connections : CONNECTIONS;
    c.tcp.congestion = cfg->congestion;
    u->node = world_add_node(live_world(v), NODE_HOST, span_str("gateway"), &c, GATEWAY_MEMORY);
    return u->node;
}

static int add_gateway_addrs(struct user_link *u, struct live *v, int netif)
{
    int err = add_addr(u->node, netif, 2);
    if (err < 0 || (err = add_addr(u->node, netif, 3)) < 0)
        return err;
    live_poke(v, u->node);
    return netif;
}

/* The gateway's interface, or an error. */
static int build(struct user_link *u, struct live *v, struct node *me, const struct wire_params *wire,
                 const struct user_config *cfg)
{
    struct world *w = live_world(v);
    int err = ORIEL_ENOBUFS;
    struct node *gw = add_gateway(u, v, cfg);
    struct port *mine = gw ? add_port(w, me, wire->direct, false, &err) : NULL;
    struct port *its = mine ? add_port(w, gw, wire->direct, true, &err) : NULL;
    if (!its || !world_join(w, mine, its, wire))
        return err;
    u->netif = mine->netif;
    u->port = mine;
    if ((err = add_addr(me, mine->netif, 0x15)) < 0 || (err = add_routes(me, mine->netif)) < 0)
        return err;
    live_poke(v, me);
    return add_gateway_addrs(u, v, its->netif);
}

/* What leads to the guest, with its address of that family. */
static void publish(struct gateway_config *g, const struct user_config *cfg)
{
    const struct oriel_addr v4 = addr_v4(USER_NET4 + 15), v6 = addr_v6(USER_NET6, 0x15);
    ORIEL_ASSERT(cfg->publish_n <= GATEWAY_PUBLISH_MAX);
    for (; g->publish_n < cfg->publish_n; g->publish_n++) {
        struct gateway_publish *p = &g->publish[g->publish_n];
        *p = cfg->publish[g->publish_n];
        p->guest.addr = addr_is_v4(&p->host.addr) || addr_is_unspecified(&p->host.addr) ? v4 : v6;
    }
}

static bool fails(int err, char error[DRV_ERROR_MAX])
{
    (void)snprintf(error, DRV_ERROR_MAX, "cannot build the world of the gateway: %s", oriel_strerror(err));
    return false;
}

static const struct user_config plain;

/* What the gateway is to do, and where the node finds it. */
static struct gateway_config configure(struct user_link *u, const struct user_config *cfg)
{
    struct gateway_config g = {
        .self4 = addr_v4(USER_NET4 + 2), .self6 = addr_v6(USER_NET6, 2),
        .dns4 = addr_v4(USER_NET4 + 3), .dns6 = addr_v6(USER_NET6, 3),
        .flows = cfg->connections,
    };
    *u = (struct user_link){.gateways = {g.self4, g.self6}, .dns = {g.dns4, g.dns6}};
    if (cfg->no_loopback)
        g.self4 = g.self6 = (struct oriel_addr){0};
    publish(&g, cfg);
    return g;
}

static bool start(struct user_link *u, struct live *v, int netif, const struct gateway_config *g,
                  char error[DRV_ERROR_MAX])
{
    if (netif < 0)
        return fails(netif, error);
    u->gateway = gateway_open(v, u->node, netif, g, error);
    return u->gateway != NULL;
}

bool user_open(struct user_link *u, struct live *v, struct node *me, const struct wire_params *wire,
               const struct user_config *cfg, char error[DRV_ERROR_MAX])
{
    cfg = cfg ? cfg : &plain;
    const struct gateway_config g = configure(u, cfg);
    return start(u, v, build(u, v, me, wire, cfg), &g, error);
}

bool user_open_door(struct user_link *u, struct live *v, struct drv *drv, const struct wire_params *wire,
                    const struct user_config *cfg, char error[DRV_ERROR_MAX])
{
    struct oriel_netif_config c = {.name = "eth0", .no_dad = true, .any_addr = true};
    cfg = cfg ? cfg : &plain;
    const struct gateway_config g = configure(u, cfg);
    if (!add_gateway(u, v, cfg)) {
        drv_close(drv);
        return fails(ORIEL_ENOBUFS, error);
    }
    u->netif = live_door(v, drv, u->node, &c, wire, error);
    if (u->netif < 0)
        return false;
    u->port = &u->node->ports[0];
    return start(u, v, add_gateway_addrs(u, v, u->netif), &g, error);
}
