/*
 * Our addresses: added, probed, announced, defended, deprecated, removed.
 *
 * One state machine for both families: an address that has to be probed is tentative until nobody
 * objected (RFC 5227, 2.1 by ARP; RFC 4862, 5.4 by neighbour solicitation), and a duplicate when
 * somebody did. IPv4 addresses are probed where the interface says so, IPv6 addresses unless it says
 * not to.
 */
#include "ip/ip.h"

#define ACD_PROBES        3                     /* RFC 5227, 1.1 */
#define ACD_PROBE_WAIT    (1 * NS_PER_S)
#define ACD_PROBE_MIN     (1 * NS_PER_S)
#define ACD_PROBE_MAX     (2 * NS_PER_S)
#define ACD_ANNOUNCE_WAIT (2 * NS_PER_S)
#define ACD_ANNOUNCES     2
#define ACD_ANNOUNCE_GAP  (2 * NS_PER_S)
#define ACD_DEFEND        (10 * NS_PER_S)
#define DAD_DELAY_MAX     (1 * NS_PER_S)        /* RFC 4861, 10: MAX_RTR_SOLICITATION_DELAY */

static uint32_t addr_hash(const struct ip *ip, const struct oriel_addr *a)
{
    return hash_2(ip->env->hash_seed, a->hi, a->lo);
}

struct ifaddr *ifaddr_find(const struct ip *ip, const struct oriel_addr *addr, uint16_t nif)
{
    uint32_t h = addr_hash(ip, addr);
    uint32_t ref;
    if (nif == 0)
        nif = (uint16_t)addr->zone;
    for (uint32_t at = hmap_first(&ip->addr_map, h);
         (ref = hmap_next(&ip->addr_map, h, &at)) != HMAP_NONE;) {
        struct ifaddr *a = pool_at(&ip->addrs, ref);
        if (addr_same_bits(&a->addr, addr) && (nif == 0 || a->nif == nif))
            return a;
    }
    return NULL;
}

struct ifaddr *ifaddr_first(const struct ip *ip, uint16_t nif, bool v4)
{
    LIST_EACH(node, &ip_if_of(ip, nif)->addrs) {
        struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (ifaddr_usable(a) && addr_is_v4(&a->addr) == v4)
            return a;
    }
    return NULL;
}

bool ip_is_broadcast(const struct ip *ip, uint16_t nif, const struct oriel_addr *dst)
{
    if (!addr_is_v4(dst))
        return false;
    if (addr_is_limited_broadcast(dst))
        return true;
    uint32_t to = addr_to_v4(dst);
    LIST_EACH(node, &ip_if_of(ip, nif)->addrs) {
        const struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (!addr_is_v4(&a->addr) || a->prefix_len >= 127)
            continue;           /* RFC 3021: a /31 has no broadcast address */
        uint32_t hosts = UINT32_MAX >> (a->prefix_len - 96);
        if (((to ^ addr_to_v4(&a->addr)) & ~hosts) != 0)
            continue;
        if ((to & hosts) == hosts || (to & hosts) == 0)
            return true;        /* the network's own address: the old form (RFC 1122, 3.3.6) */
    }
    return false;
}

/* ---- the one door for states ---- */

static const uint8_t legal_next[] = {
    [ADDR_FREE] = BIT(ADDR_TENTATIVE) | BIT(ADDR_PREFERRED),
    [ADDR_TENTATIVE] = BIT(ADDR_PREFERRED) | BIT(ADDR_DEPRECATED) | BIT(ADDR_DUPLICATE) |
                       BIT(ADDR_FREE),
    [ADDR_PREFERRED] = BIT(ADDR_DEPRECATED) | BIT(ADDR_DUPLICATE) | BIT(ADDR_TENTATIVE) |
                       BIT(ADDR_FREE),
    [ADDR_DEPRECATED] = BIT(ADDR_PREFERRED) | BIT(ADDR_DUPLICATE) | BIT(ADDR_TENTATIVE) |
                        BIT(ADDR_FREE),
    [ADDR_DUPLICATE] = BIT(ADDR_TENTATIVE) | BIT(ADDR_FREE),
};

/* The route to the prefix of an address stands while a usable address has it. */
static bool has_connected_route(const struct ifaddr *a)
{
    return a->origin != ADDR_AUTO && a->prefix_len < 128;
}

static void update_connected_route(struct ip *ip, const struct ifaddr *a)
{
    if (!has_connected_route(a))
        return;
    struct route r = {.prefix = prefix_of(a->addr, a->prefix_len), .gateway = ADDR_NONE,
                      .nif = a->nif, .origin = ROUTE_CONNECTED};
    bool wanted = false;
    LIST_EACH(node, &ip_if_of(ip, a->nif)->addrs) {
        const struct ifaddr *o = CONTAINER_OF(node, struct ifaddr, node);
        struct prefix p = prefix_of(o->addr, o->prefix_len);
        wanted |= ifaddr_usable(o) && has_connected_route(o) && prefix_eq(&p, &r.prefix);
    }
    if (wanted)
        best_effort(route_add(&ip->routes, &r));       /* ORIEL_EEXIST: it stands already */
    else if (route_del(&ip->routes, &r.prefix, &r.gateway, r.nif) == 0)
        slaac_restore_routes(ip, r.nif);        /* a router may have said the same */
}

void ifaddr_restore_routes(struct ip *ip, uint16_t nif)
{
    LIST_EACH(node, &ip_if_of(ip, nif)->addrs) {
        const struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (ifaddr_usable(a))
            update_connected_route(ip, a);
    }
}

static void set_state(struct ip *ip, struct ifaddr *a, enum addr_state to)
{
    if (a->state == to)
        return;
    ORIEL_ASSERT(legal_next[a->state] & BIT(to));
    TRACE(ip->env, EV_ADDR_STATE, a->addr.hi, a->addr.lo, a->state, to);
    a->state = (uint8_t)to;
    update_connected_route(ip, a);
    ip_changed(ip);
}

/* ---- life ---- */

/* The next thing that happens to an address by itself. */
static void schedule_lifetime(struct ip *ip, struct ifaddr *a)
{
    oriel_time next = a->valid_until;
    if (a->state == ADDR_PREFERRED && a->preferred_until < next)
        next = a->preferred_until;
    if (a->announces_left > 0)
        return;                 /* the timer is an announcement's; it comes back here */
    if (next == ORIEL_NEVER)
        env_cancel(ip->env, &a->timer);
    else
        env_arm(ip->env, &a->timer, next);
}

static void announce(struct ip *ip, struct ifaddr *a)
{
    a->announces_left--;
    arp_request(ip, a->nif, &a->addr, &a->addr, NULL, WHY_ARP_ANNOUNCE);
    env_arm_in(ip->env, &a->timer, ACD_ANNOUNCE_GAP);
    if (a->announces_left == 0)
        schedule_lifetime(ip, a);
}

static void become_usable(struct ip *ip, struct ifaddr *a)
{
    bool was_probed = a->state == ADDR_TENTATIVE;
    set_state(ip, a, a->preferred_until <= ip->env->now ? ADDR_DEPRECATED : ADDR_PREFERRED);
    if (addr_is_v4(&a->addr) && was_probed && ip_if_of(ip, a->nif)->probe4) {
        a->announces_left = ACD_ANNOUNCES;
        announce(ip, a);
        return;
    }
    schedule_lifetime(ip, a);
    if (was_probed && !addr_is_v4(&a->addr) && netif_has_neighbours(netif_at(ip->link, a->nif)))
        ndp_announce(ip, a);
    if (a->origin == ADDR_LINK_LOCAL)
        rs_on_timer(ip, ip_if_of(ip, a->nif));  /* now there is a source for solicitations */
}

static bool must_probe(const struct ip *ip, const struct ifaddr *a)
{
    const struct ip_if *f = ip_if_of(ip, a->nif);
    return netif_has_neighbours(netif_at(ip->link, a->nif)) &&
           (addr_is_v4(&a->addr) ? f->probe4 : f->dad_transmits > 0);
}

static void start_probing(struct ip *ip, struct ifaddr *a)
{
    bool v4 = addr_is_v4(&a->addr);
    if (!must_probe(ip, a)) {
        become_usable(ip, a);
        return;
    }
    a->probes_left = v4 ? ACD_PROBES : ip_if_of(ip, a->nif)->dad_transmits;
    set_state(ip, a, ADDR_TENTATIVE);
    /* RFC 5227, 2.1.1 and 4862, 5.4.2: not all hosts at once after a power cut. */
    env_arm_in(ip->env, &a->timer,
               rng_below(&ip->env->rng, v4 ? ACD_PROBE_WAIT : DAD_DELAY_MAX));
}

static void probe(struct ip *ip, struct ifaddr *a)
{
    struct env *env = ip->env;
    const struct oriel_addr none = ADDR_V4_ANY;
    bool v4 = addr_is_v4(&a->addr);
    a->probes_left--;
    if (!v4) {
        ndp_probe(ip, a);
        env_arm_in(env, &a->timer, ip_if_of(ip, a->nif)->retrans_ms * NS_PER_MS);
        return;
    }
    arp_request(ip, a->nif, &none, &a->addr, NULL, WHY_ARP_PROBE);
    env_arm_in(env, &a->timer, a->probes_left > 0
                                   ? rng_between(&env->rng, ACD_PROBE_MIN, ACD_PROBE_MAX)
                                   : ACD_ANNOUNCE_WAIT);
}

static void ifaddr_forget(struct ip *ip, struct ifaddr *a)
{
    list_remove(&a->node);
    hmap_del(&ip->addr_map, addr_hash(ip, &a->addr), pool_index(&ip->addrs, a));
    pool_put(&ip->addrs, a);
}

static void ifaddr_free(struct ip *ip, struct ifaddr *a)
{
    env_cancel(ip->env, &a->timer);
    if (!addr_is_v4(&a->addr)) {
        struct oriel_addr group = addr_solicited_node(&a->addr);
        const struct oriel_addr routers = ADDR_V6_ALL_ROUTERS;
        mcast_leave(ip, a->nif, &group, 0);
        if (ip->set.forward6)
            mcast_leave(ip, a->nif, &routers, 0);
    }
    set_state(ip, a, ADDR_FREE);
    ifaddr_forget(ip, a);
}

void ifaddr_on_timer(struct ip *ip, struct ifaddr *a)
{
    oriel_time now = ip->env->now;
    if (a->state == ADDR_TENTATIVE) {
        if (a->probes_left > 0)
            probe(ip, a);
        else
            become_usable(ip, a);
        return;
    }
    if (a->valid_until <= now) {
        ifaddr_free(ip, a);
        return;
    }
    if (a->announces_left > 0) {
        announce(ip, a);
        return;
    }
    if (a->state == ADDR_PREFERRED && a->preferred_until <= now)
        set_state(ip, a, ADDR_DEPRECATED);
    schedule_lifetime(ip, a);
}

void ifaddr_set_lifetimes(struct ip *ip, struct ifaddr *a, oriel_time preferred_until,
                          oriel_time valid_until)
{
    a->preferred_until = preferred_until;
    a->valid_until = valid_until;
    if (!ifaddr_usable(a))
        return;
    set_state(ip, a, preferred_until > ip->env->now ? ADDR_PREFERRED : ADDR_DEPRECATED);
    schedule_lifetime(ip, a);
}

/* ---- conflicts ---- */

void ifaddr_on_conflict(struct ip *ip, struct ifaddr *a, const struct mac *who)
{
    struct env *env = ip->env;
    (void)who;
    if (a->state == ADDR_TENTATIVE) {
        env_cancel(env, &a->timer);
        set_state(ip, a, ADDR_DUPLICATE);
        slaac_on_duplicate(ip, a);
        return;
    }
    if (!ifaddr_usable(a) || !addr_is_v4(&a->addr) || !ip_if_of(ip, a->nif)->probe4)
        return;                 /* RFC 5227, 2.4 (b) needs us to have probed; ND defends by answers */
    bool first = a->defended == 0 || env->now - a->defended >= ACD_DEFEND;
    if (!first) {               /* twice within ten seconds: the other one means it */
        env_cancel(env, &a->timer);
        set_state(ip, a, ADDR_DUPLICATE);
        return;
    }
    a->defended = env->now > 0 ? env->now : 1;
    arp_request(ip, a->nif, &a->addr, &a->addr, NULL, WHY_ARP_DEFEND);
}

/* ---- by hand ---- */

/* RFC 1122, 3.2.1.3: never a source. */
static bool is_broadcast_of(const struct oriel_addr *a, uint8_t prefix_len)
{
    struct prefix p = prefix_of(*a, prefix_len);
    struct oriel_addr all = prefix_v4_broadcast(&p);
    return prefix_len < 127 && (addr_same_bits(a, &p.addr) || addr_same_bits(a, &all));
}

static bool address_possible(const struct oriel_addr *a, uint8_t prefix_len)
{
    return !addr_is_unspecified(a) && !addr_is_multicast(a) && !addr_is_class_e(a) &&
           !addr_is_limited_broadcast(a) && prefix_len <= 128 &&
           (!addr_is_v4(a) || (prefix_len >= 96 && !is_broadcast_of(a, prefix_len)));
}

/* Neighbours ask for an IPv6 address at its solicited-node group. False: no room for a group. */
static bool hears_solicitations(struct ip *ip, const struct ifaddr *a)
{
    if (addr_is_v4(&a->addr))
        return true;
    struct oriel_addr group = addr_solicited_node(&a->addr);
    const struct oriel_addr routers = ADDR_V6_ALL_ROUTERS;
    if (mcast_join(ip, a->nif, &group, 0) != 0)
        return false;
    if (ip->set.forward6)               /* counted: left again with the last address */
        best_effort(mcast_join(ip, a->nif, &routers, 0));
    return true;
}

static struct ifaddr *ifaddr_new(struct ip *ip, uint16_t nif, const struct oriel_addr *addr)
{
    struct ifaddr *a = pool_get_zeroed(&ip->addrs);
    if (!a)
        return NULL;
    if (!hmap_put(&ip->addr_map, addr_hash(ip, addr), pool_index(&ip->addrs, a))) {
        pool_put(&ip->addrs, a);
        return NULL;
    }
    a->addr = *addr;
    a->nif = nif;
    a->preferred_until = a->valid_until = ORIEL_NEVER;
    timer_init(&a->timer, TIMER_ADDR);
    list_push_back(&ip_if_of(ip, nif)->addrs, &a->node);
    return a;
}

int ifaddr_add(struct ip *ip, uint16_t nif, const struct oriel_addr *addr, uint8_t prefix_len,
               enum addr_origin origin, struct ifaddr **out)
{
    struct oriel_addr zoned = *addr;
    if (!address_possible(addr, prefix_len))
        return ORIEL_EINVAL;
    if (ifaddr_find(ip, addr, nif))
        return ORIEL_EEXIST;
    zoned.zone = !addr_is_v4(addr) && addr_is_link_local(addr) ? nif : 0;
    struct ifaddr *a = ifaddr_new(ip, nif, &zoned);
    if (!a)
        return ORIEL_ENOBUFS;
    a->prefix_len = prefix_len;
    a->origin = (uint8_t)origin;
    if (!hears_solicitations(ip, a)) {  /* nobody could find it */
        ifaddr_forget(ip, a);
        return ORIEL_ENOBUFS;
    }
    *out = a;
    if (netif_works(netif_at(ip->link, nif)) || !must_probe(ip, a))
        start_probing(ip, a);
    else
        set_state(ip, a, ADDR_TENTATIVE);       /* probed when the link comes up */
    return 0;
}

int ifaddr_del(struct ip *ip, uint16_t nif, const struct oriel_addr *addr)
{
    struct ifaddr *a = ifaddr_find(ip, addr, nif);
    if (!a)
        return ORIEL_ENOENT;
    ifaddr_free(ip, a);
    return 0;
}

/* ---- interface life ---- */

void ip_if_attach(struct ip *ip, struct netif *nif, const struct oriel_netif_config *cfg)
{
    struct ip_if *f = ip_if_of(ip, nif->index);
    *f = (struct ip_if){
        .nif = nif->index,
        .ip6 = cfg->ip6,
        .accept_ra = cfg->accept_ra,
        .nat = cfg->nat,
        .any_addr = cfg->any_addr,
        .probe4 = cfg->probe4,
        .dad_transmits = cfg->no_dad ? 0 : 1,
        .reachable_ms = cfg->neigh_ms ? cfg->neigh_ms : 30000,
        .retrans_ms = 1000,
        .rarp = ADDR_NONE,
    };
    list_init(&f->addrs);
    timer_init(&f->rs_timer, TIMER_IF);
    timer_init(&f->rarp_timer, TIMER_RARP);
    mcast_if_init(ip, nif->index);
    f->mcast.version4 = cfg->igmp_version;
    f->mcast.version6 = cfg->mld_version;
    const struct oriel_addr all4 = addr_v4(0xe0000001), all6 = ADDR_V6_ALL_NODES;
    best_effort(mcast_join(ip, nif->index, &all4, 0));
    best_effort(mcast_join(ip, nif->index, &all6, 0));
    ip_if_on_up(ip, nif);
    ip_changed(ip);
}

void ip_if_detach(struct ip *ip, struct netif *nif)
{
    struct ip_if *f = ip_if_of(ip, nif->index);
    slaac_on_if_down(ip, nif->index);
    LIST_EACH(node, &f->addrs)
        ifaddr_free(ip, CONTAINER_OF(node, struct ifaddr, node));
    neigh_drop_nif(ip, nif->index);
    (void)route_drop_nif(&ip->routes, nif->index);
    frag_drop_nif(&ip->frag, nif->index);
    nat_drop_nif(ip, nif->index);
    mcast_if_detach(ip, nif->index);
    env_cancel(ip->env, &f->rs_timer);
    env_cancel(ip->env, &f->rarp_timer);
    ip_changed(ip);
}

static bool has_link_local(const struct ip_if *f)
{
    LIST_EACH(node, &f->addrs)
        if (CONTAINER_OF(node, struct ifaddr, node)->origin == ADDR_LINK_LOCAL)
            return true;
    return false;
}

void ip_if_on_up(struct ip *ip, struct netif *nif)
{
    struct ip_if *f = ip_if_of(ip, nif->index);
    if (f->ip6 && !has_link_local(f)) {
        struct oriel_addr ll = slaac_link_local(ip, nif, 0);
        struct ifaddr *a;
        best_effort(ifaddr_add(ip, nif->index, &ll, 64, ADDR_LINK_LOCAL, &a));
    }
    LIST_EACH(node, &f->addrs) {
        struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (a->state == ADDR_TENTATIVE && !timer_armed(&a->timer))
            start_probing(ip, a);
        else if (a->origin == ADDR_LINK_LOCAL && ifaddr_usable(a))
            rs_on_timer(ip, f);                 /* it was not probed, and is no news */
    }
    mcast_if_up(ip, nif->index);
    ip_changed(ip);
}

/* The link may come back somewhere else: what was known of it is doubted. */
void ip_if_on_down(struct ip *ip, struct netif *nif)
{
    struct ip_if *f = ip_if_of(ip, nif->index);
    LIST_EACH(node, &f->addrs) {
        struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if ((ifaddr_usable(a) || a->state == ADDR_TENTATIVE) && must_probe(ip, a)) {
            env_cancel(ip->env, &a->timer);     /* silence on a dead link is no consent */
            a->announces_left = 0;
            set_state(ip, a, ADDR_TENTATIVE);
        }
    }
    neigh_drop_nif(ip, nif->index);
    slaac_on_if_down(ip, nif->index);
    ip_changed(ip);
}
