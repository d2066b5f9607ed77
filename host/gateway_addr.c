/*
 * Whose address is whose. The guest sees the host's loopback at self4 and self6; dns4 and dns6 are the
 * gateway's own; every other address means the same on both sides.
 */
#define _GNU_SOURCE
#include "host/gateway_flow.h"

#include "stack/stack.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- sockets' addresses ---- */

socklen_t gw_sockaddr(const struct oriel_endpoint *e, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (addr_is_v4(&e->addr)) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(e->port),
                                .sin_addr.s_addr = htonl(addr_to_v4(&e->addr))};
        memcpy(out, &a, sizeof(a));
        return sizeof(a);
    }
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
    struct wr w = wr_of(a.sin6_addr.s6_addr, sizeof(a.sin6_addr.s6_addr));
    wr_addr6(&w, &e->addr);
    memcpy(out, &a, sizeof(a));
    return sizeof(a);
}

struct oriel_endpoint gw_endpoint(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof(in));
        return (struct oriel_endpoint){.addr = addr_v4(ntohl(in.sin_addr.s_addr)),
                                       .port = ntohs(in.sin_port)};
    }
    struct sockaddr_in6 in6;
    memcpy(&in6, a, sizeof(in6));
    struct rd r = rd_of(span_of(in6.sin6_addr.s6_addr, sizeof(in6.sin6_addr.s6_addr)));
    return (struct oriel_endpoint){.addr = rd_addr6(&r), .port = ntohs(in6.sin6_port)};
}

/* ---- both ways ---- */

bool gw_to_host(struct gateway *g, const struct oriel_endpoint *asked, struct oriel_endpoint *host)
{
    const struct gateway_config *cfg = &g->cfg;
    bool v4 = addr_is_v4(&asked->addr);
    const struct oriel_addr *self = v4 ? &cfg->self4 : &cfg->self6;
    *host = *asked;
    if (addr_same_bits(&asked->addr, self)) {
        host->addr = v4 ? addr_v4(INADDR_LOOPBACK) : addr_v6(0, 1);
        return true;
    }
    /* Others of the gateway's own mean nothing on the host, and neither do those of a link. */
    return !ip_is_own(&g->s->ip, &asked->addr) && asked->addr.zone == 0;
}

struct oriel_addr gw_own_addr(const struct gateway *g, bool v4)
{
    const struct oriel_addr self = v4 ? g->cfg.self4 : g->cfg.self6;
    if (!addr_same_bits(&self, &ADDR_NONE))
        return self;
    struct oriel_addr_info a;
    for (uint32_t at = 0; oriel_addr_each(g->s, &at, &a);)
        if (a.netif == g->netif && addr_is_v4(&a.addr) == v4 && !addr_is_link_local(&a.addr))
            return a.addr;
    return ADDR_NONE;
}

struct oriel_endpoint gw_to_guest(const struct gateway *g, const struct oriel_endpoint *host, bool v4)
{
    if (addr_is_loopback(&host->addr) || addr_is_v4(&host->addr) != v4)
        return (struct oriel_endpoint){.addr = gw_own_addr(g, v4), .port = host->port};
    return *host;
}
