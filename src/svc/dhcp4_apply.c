/*
 * A lease on an interface. What stays the same from one lease to the next stays where it is, so
 * that renewing one does not disturb what goes on over it.
 */
#include "svc/dhcp4_apply.h"

static void route(struct dhcp4_client *c, const struct dhcp4_route *e, bool add)
{
    struct oriel_stack *s = c->cfg.stack;
    const struct oriel_addr *via = addr_is_unspecified(&e->via) ? NULL : &e->via;
    if (add)
        best_effort(oriel_route_add(s, &e->to.addr, e->to.len, via, c->cfg.netif, 0));
    else
        best_effort(oriel_route_remove(s, &e->to.addr, e->to.len, via, c->cfg.netif));
}

static bool has_route(const struct dhcp4_lease *l, const struct dhcp4_route *e)
{
    for (unsigned i = 0; i < l->routes_n; i++)
        if (prefix_eq(&l->routes[i].to, &e->to) && addr_same_bits(&l->routes[i].via, &e->via))
            return true;
    return false;
}

/* From the routes of one lease to those of another. */
static void change_routes(struct dhcp4_client *c, const struct dhcp4_lease *from,
                          const struct dhcp4_lease *to)
{
    for (unsigned i = 0; i < from->routes_n; i++)
        if (!has_route(to, &from->routes[i]))
            route(c, &from->routes[i], false);
    for (unsigned i = 0; i < to->routes_n; i++)
        if (!has_route(from, &to->routes[i]))
            route(c, &to->routes[i], true);
}

static uint32_t mtu_now(const struct dhcp4_client *c)
{
    struct oriel_netif_info n;
    for (uint32_t at = 0; oriel_netif_each(c->cfg.stack, &at, &n);)
        if (n.netif == c->cfg.netif)
            return n.mtu;
    return 0;
}

/* A lease may make packets smaller, never larger than the link had them. */
static void change_mtu(struct dhcp4_client *c, uint16_t mtu)
{
    uint32_t full = c->old_mtu ? c->old_mtu : mtu_now(c);
    uint32_t to = mtu != 0 && mtu < full ? mtu : full;
    if (to == mtu_now(c))
        return;
    best_effort(oriel_netif_set_mtu(c->cfg.stack, c->cfg.netif, to));
    c->old_mtu = to == full ? 0 : full;
}

int dhcp4_apply(struct dhcp4_client *c, const struct dhcp4_lease *l)
{
    bool same = c->has_lease && addr_same_bits(&c->lease.addr, &l->addr) &&
                c->lease.prefix_len == l->prefix_len;
    if (!same)
        dhcp4_withdraw(c);
    int err = same ? 0 : oriel_addr_add(c->cfg.stack, c->cfg.netif, &l->addr, l->prefix_len);
    if (err)
        return err;
    if (c->has_routes) {
        change_routes(c, &c->lease, l);
        change_mtu(c, l->mtu);
    }
    c->lease = *l;
    c->has_lease = true;
    c->changes++;
    return 0;
}

void dhcp4_apply_rest(struct dhcp4_client *c)
{
    const struct dhcp4_lease none = {.routes_n = 0};
    if (c->has_routes)
        return;
    change_routes(c, &none, &c->lease);
    change_mtu(c, c->lease.mtu);
    c->has_routes = true;
    c->changes++;
}

void dhcp4_withdraw(struct dhcp4_client *c)
{
    const struct dhcp4_lease none = {.routes_n = 0};
    if (!c->has_lease)
        return;
    if (c->has_routes) {
        change_routes(c, &c->lease, &none);
        change_mtu(c, 0);
    }
    best_effort(oriel_addr_remove(c->cfg.stack, c->cfg.netif, &c->lease.addr));
    c->has_lease = c->has_routes = false;
    c->changes++;
}

const char *dhcp4_addr_state(const struct dhcp4_client *c)
{
    struct oriel_addr_info a;
    for (uint32_t at = 0; oriel_addr_each(c->cfg.stack, &at, &a);)
        if (a.netif == c->cfg.netif && addr_same_bits(&a.addr, &c->lease.addr))
            return a.state;
    return "none";
}
