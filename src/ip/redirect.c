/*
 * What redirects of either family taught: host routes to single destinations.
 *
 * Whether a redirect may be believed is icmp.c's and ndp.c's question. Here is how many are kept,
 * and when they are forgotten: the oldest gives way to the newest; a next hop that does not answer
 * or is no router any more takes its routes with it (RFC 4861, 7.3.3), because a host route hides
 * every other way; so does the interface.
 */
#include "ip/ip.h"

static void forget(struct ip *ip, struct redirect *e)
{
    struct prefix p = prefix_of(e->dest, 128);
    best_effort(route_del(&ip->routes, &p, &e->gateway, e->nif));
    TRACE(ip->env, EV_ROUTE_CHANGE, p.addr.hi, p.addr.lo, p.len, 0);
    *e = (struct redirect){.nif = 0};
    ip_changed(ip);
}

/* The entry of that destination, emptied; else a free one; else the oldest, emptied. */
static struct redirect *make_room(struct ip *ip, const struct oriel_addr *dest)
{
    struct redirects *t = &ip->redirects;
    struct redirect *room = NULL;
    for (unsigned i = 0; i < REDIRECTS_MAX; i++) {
        struct redirect *e = &t->entry[i];
        if (e->nif != 0 && addr_eq(&e->dest, dest)) {
            forget(ip, e);
            return e;
        }
        if (e->nif == 0 && !room)
            room = e;
    }
    if (room)
        return room;
    room = &t->entry[t->oldest];
    t->oldest = (t->oldest + 1) % REDIRECTS_MAX;
    forget(ip, room);
    return room;
}

void redirect_learn(struct ip *ip, const struct oriel_addr *dest, const struct oriel_addr *gateway,
                    uint16_t nif)
{
    struct redirect *e = make_room(ip, dest);
    struct route r = {.prefix = prefix_of(*dest, 128), .gateway = *gateway, .nif = nif,
                      .origin = ROUTE_REDIRECT};
    if (route_add(&ip->routes, &r) != 0)
        return;                 /* full, or somebody has said the same by hand */
    *e = (struct redirect){.dest = *dest, .gateway = *gateway, .nif = nif};
    TRACE(ip->env, EV_ROUTE_CHANGE, dest->hi, dest->lo, 128, 1);
    ip_changed(ip);
}

void redirect_forget(struct ip *ip, uint16_t nif, const struct oriel_addr *hop)
{
    for (unsigned i = 0; i < REDIRECTS_MAX; i++) {
        struct redirect *e = &ip->redirects.entry[i];
        const struct oriel_addr *next = addr_is_unspecified(&e->gateway) ? &e->dest : &e->gateway;
        if (e->nif != 0 && e->nif == nif && (!hop || addr_same_bits(next, hop)))
            forget(ip, e);
    }
}
