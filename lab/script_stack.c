/* The stack that a script is played against: one interface for bare IP packets, one address. */
#include "lab/script.h"

#define V4_BITS 96


void script_config(const struct script_setup *c, struct oriel_config *out)
{
    oriel_config_init(out);
    memset(out->seed, c->seed, sizeof(out->seed));
    out->connections = c->connections;
    out->strong_host = c->strong_host;
    out->ttl = c->ttl;
    out->tcp = c->tcp;
    out->tcp.congestion = c->congestion[0] != '\0' ? c->congestion : NULL;
}

struct oriel_addr script_local(const struct script_setup *c, bool v6)
{
    bool given = !addr_is_unspecified(&c->local) && addr_is_v4(&c->local) != v6;
    struct oriel_addr v4 = addr_v4(0xc0a80001), six = addr_v6(0xfd3dfa7bd17d0000, 1);
    return given ? c->local : v6 ? six : v4;
}

struct oriel_addr script_remote(const struct script_setup *c, bool v6)
{
    bool given = !addr_is_unspecified(&c->remote) && addr_is_v4(&c->remote) != v6;
    struct oriel_addr v4 = addr_v4(0xc0000201), six = addr_v6(0xfd3dfa7bd17d8888, 1);
    return given ? c->remote : v6 ? six : v4;
}

struct oriel_stack *script_stack(const struct script_setup *c, bool v6, void *memory, size_t bytes,
                                 oriel_time now)
{
    struct oriel_config cfg;
    script_config(c, &cfg);
    cfg.memory = memory;
    cfg.memory_bytes = bytes;
    cfg.now = now;
    struct oriel_stack *s = oriel_create(&cfg);
    if (!s)
        return NULL;
    struct oriel_netif_config nif = {
        .name = "tun0", .kind = ORIEL_NETIF_RAW, .no_dad = true, .tx_queue = 4096,
        .mtu = c->mtu ? c->mtu : v6 ? 1520 : 1500, .vouches = c->tso, .gso = c->tso,
    };
    struct oriel_addr local = script_local(c, v6);
    struct oriel_addr any = v6 ? ADDR_NONE : ADDR_V4_ANY;
    int n = oriel_netif_add(s, &nif);
    bool good = n == 1 && oriel_addr_add(s, n, &local, v6 ? 64 : V4_BITS + 16) == 0 &&
                oriel_route_add(s, &any, v6 ? 0 : V4_BITS, NULL, n, 0) == 0;
    if (good)
        return s;
    oriel_destroy(s);
    return NULL;
}
