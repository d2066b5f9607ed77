/* The network layer comes up and goes down as a whole. */
#include "ip/ip.h"

bool ip_init(struct ip *ip, struct env *env, struct link *link, struct arena *a,
             const struct ip_limits *limits)
{
    ip->env = env;
    ip->link = link;
    ip->gen = 1;
    ip->icmp.all.spent = 0;
    ip->ifs = arena_take_zeroed(a, link->max * sizeof(struct ip_if));
    if (!ip->ifs)
        return false;
    slaac_init(ip);
    ip->redirects = (struct redirects){.oldest = 0};
    return pool_init(&ip->addrs, "addresses", a, sizeof(struct ifaddr), limits->addrs) &&
           hmap_init(&ip->addr_map, a, limits->addrs) &&
           route_table_init(&ip->routes, a, limits->routes) &&
           neigh_init(&ip->neigh, a, limits->neighs) &&
           frag_init(&ip->frag, env, a, limits->frags, limits->frag_bytes) &&
           pmtu_init(&ip->pmtu, env, a, limits->pmtus) &&
           mcast_init(&ip->mcast, a, limits->groups) &&
           nat_init(&ip->nat, env, a, limits->nat_sessions);
}

void ip_fini(struct ip *ip)
{
    for (uint16_t i = 1; i <= ip->link->max; i++) {
        struct netif *nif = netif_at(ip->link, i);
        if (nif)
            ip_if_detach(ip, nif);
    }
    neigh_fini(ip);
}
