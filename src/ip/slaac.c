/*
 * What routers tell: parameters of the link, default routers, prefixes, addresses made from them
 * (RFC 4861, 6.3; RFC 4862, 5.5), name servers (RFC 8106); and asking them.
 *
 * An advertisement adds to what others have said: what it leaves out stays as it was. All that is
 * kept has a lifetime, and one timer stands for the earliest. Every table has an end, so a flood of
 * advertisements ends there too: what was learned first stays, but for a router that does not
 * answer.
 *
 * Identifiers of addresses are opaque and stable (RFC 7217): a keyed hash of prefix, interface and
 * conflicts so far. They tell nothing of the hardware, and differ from prefix to prefix.
 *
 * Left out: router preferences (RFC 4191), temporary addresses (RFC 8981), DHCPv6.
 */
#include "ip/ip.h"

#include "wire/ndp.h"

#define RA_METRIC          1024                 /* what is configured by hand comes first */
#define RA_HOP_LIMIT_MIN   32
#define RA_REACHABLE_MAX   3600000u             /* RFC 4861, 6.2.1: no router may say more */
#define RA_TIMER_MIN       10u                  /* milliseconds */
#define RA_RETRANS_MAX     60000u
#define REACHABLE_MS       30000u               /* RFC 4861, 10 */
#define RETRANS_MS         1000u
#define RS_MAX             3
#define RS_EVERY           (4 * NS_PER_S)
#define RS_DELAY           (1 * NS_PER_S)
#define TWO_HOURS          (7200 * NS_PER_S)
#define FOR_EVER_S         UINT32_MAX
#define IDENTIFIER_LEN     64
#define ADDRESS_TRIES      3                    /* RFC 7217, 7: IDGEN_RETRIES */
#define LINK_LOCAL_HI      0xfe80000000000000u

void slaac_init(struct ip *ip)
{
    ip->slaac = (struct slaac){.iid_key = siphash_derive(ip->env->seed, "rfc7217")};
    timer_init(&ip->slaac.timer, TIMER_ROUTER);
}

static oriel_time until_of(const struct ip *ip, uint32_t lifetime_s)
{
    return lifetime_s == FOR_EVER_S ? ORIEL_NEVER : time_after(ip->env->now, lifetime_s * NS_PER_S);
}

static bool add_route(struct ip *ip, const struct prefix *p, const struct oriel_addr *gateway,
                      uint16_t nif)
{
    struct route r = {.prefix = *p, .gateway = *gateway, .metric = RA_METRIC, .nif = nif,
                      .origin = ROUTE_RA};
    if (route_add(&ip->routes, &r) != 0)
        return false;           /* full; or it is there, and somebody else's */
    TRACE(ip->env, EV_ROUTE_CHANGE, p->addr.hi, p->addr.lo, p->len, 1);
    ip_changed(ip);
    return true;
}

static void remove_route(struct ip *ip, const struct prefix *p, const struct oriel_addr *gateway,
                         uint16_t nif)
{
    if (route_del(&ip->routes, p, gateway, nif) != 0)
        return;                 /* removed by hand */
    TRACE(ip->env, EV_ROUTE_CHANGE, p->addr.hi, p->addr.lo, p->len, 0);
    ip_changed(ip);
}

/* ---- time ---- */

static void earliest(oriel_time *next, uint16_t nif, oriel_time until)
{
    if (nif != 0 && until < *next)
        *next = until;
}

static void schedule(struct ip *ip)
{
    const struct slaac *s = &ip->slaac;
    oriel_time next = ORIEL_NEVER;
    for (unsigned i = 0; i < ROUTERS_MAX; i++)
        earliest(&next, s->routers[i].nif, s->routers[i].until);
    for (unsigned i = 0; i < PREFIXES_MAX; i++)
        earliest(&next, s->prefixes[i].nif, s->prefixes[i].until);
    for (unsigned i = 0; i < DNS_SERVERS_MAX; i++)
        earliest(&next, s->dns[i].nif, s->dns[i].until);
    if (next == ORIEL_NEVER)
        env_cancel(ip->env, &ip->slaac.timer);
    else
        env_arm(ip->env, &ip->slaac.timer, next);
}

/* ---- default routers ---- */

static const struct prefix everything = {.len = 0};

static struct router *find_router(struct slaac *s, const struct oriel_addr *addr, uint16_t nif)
{
    for (unsigned i = 0; i < ROUTERS_MAX; i++)
        if (s->routers[i].nif == nif && addr_same_bits(&s->routers[i].addr, addr))
            return &s->routers[i];
    return NULL;
}

static void remove_router(struct ip *ip, struct router *r)
{
    struct router was = *r;
    *r = (struct router){.nif = 0};
    if (was.has_route)
        remove_route(ip, &everything, &was.addr, was.nif);
}

/* A free place, or that of a router which is known not to answer. */
static struct router *router_room(struct ip *ip)
{
    struct router *dead = NULL;
    for (unsigned i = 0; i < ROUTERS_MAX; i++) {
        struct router *r = &ip->slaac.routers[i];
        if (r->nif == 0)
            return r;
        const struct neigh *n = neigh_find(ip, r->nif, &r->addr);
        if (n && n->state == NEIGH_FAILED)
            dead = r;
    }
    if (dead)
        remove_router(ip, dead);
    return dead;
}

static void learn_router(struct ip *ip, const struct ip_rx *rx, uint16_t lifetime_s)
{
    if (lifetime_s == 0) {
        slaac_forget_router(ip, &rx->src, rx->nif);
        return;
    }
    struct router *r = find_router(&ip->slaac, &rx->src, rx->nif);
    if (!r)
        r = router_room(ip);
    if (!r)
        return;                 /* those we have will do */
    if (r->nif == 0)
        *r = (struct router){.addr = rx->src, .nif = rx->nif};
    r->until = until_of(ip, lifetime_s);
    if (!r->has_route)
        r->has_route = add_route(ip, &everything, &r->addr, r->nif);
}

void slaac_forget_router(struct ip *ip, const struct oriel_addr *addr, uint16_t nif)
{
    struct router *r = find_router(&ip->slaac, addr, nif);
    redirect_forget(ip, nif, addr);
    if (!r)
        return;
    remove_router(ip, r);
    schedule(ip);
}

bool slaac_is_router(const struct ip *ip, const struct oriel_addr *addr, uint16_t nif)
{
    for (unsigned i = 0; i < ROUTERS_MAX; i++) {
        const struct router *r = &ip->slaac.routers[i];
        if (r->nif == nif && addr_same_bits(&r->addr, addr))
            return true;
    }
    return false;
}

static bool has_router(const struct ip *ip, uint16_t nif)
{
    for (unsigned i = 0; i < ROUTERS_MAX; i++)
        if (ip->slaac.routers[i].nif == nif)
            return true;
    return false;
}

/* ---- prefixes that are on the link ---- */

static void remove_prefix(struct ip *ip, struct learned_prefix *l)
{
    const struct oriel_addr none = ADDR_NONE;
    struct learned_prefix was = *l;
    *l = (struct learned_prefix){.nif = 0};
    if (!was.has_route)
        return;
    remove_route(ip, &was.prefix, &none, was.nif);
    ifaddr_restore_routes(ip, was.nif);
}

static void route_prefix(struct ip *ip, struct learned_prefix *l)
{
    const struct oriel_addr none = ADDR_NONE;
    if (!l->has_route)
        l->has_route = add_route(ip, &l->prefix, &none, l->nif);
}

void slaac_restore_routes(struct ip *ip, uint16_t nif)
{
    for (unsigned i = 0; i < PREFIXES_MAX; i++) {
        struct learned_prefix *l = &ip->slaac.prefixes[i];
        const struct oriel_addr none = ADDR_NONE;
        if (l->nif != 0 && l->nif == nif)
            l->has_route |= add_route(ip, &l->prefix, &none, nif);
    }
}

/* That prefix, or a free place, or NULL. */
static struct learned_prefix *prefix_room(struct slaac *s, const struct prefix *p, uint16_t nif)
{
    struct learned_prefix *room = NULL;
    for (unsigned i = 0; i < PREFIXES_MAX; i++) {
        struct learned_prefix *l = &s->prefixes[i];
        if (l->nif == nif && prefix_eq(&l->prefix, p))
            return l;
        if (l->nif == 0 && !room)
            room = l;
    }
    return room;
}

static void learn_prefix(struct ip *ip, uint16_t nif, const struct ndp_prefix *p)
{
    struct learned_prefix *l = prefix_room(&ip->slaac, &p->prefix, nif);
    if (!l)
        return;
    if (p->valid_s == 0) {
        if (l->nif != 0)
            remove_prefix(ip, l);
        return;
    }
    if (l->nif == 0)
        *l = (struct learned_prefix){.prefix = p->prefix, .nif = nif};
    l->until = until_of(ip, p->valid_s);
    route_prefix(ip, l);
}

/* ---- addresses ---- */

/* RFC 5453: subnet-router anycast, Ethernet blocks and proxies, subnet anycast. */
static bool identifier_reserved(uint64_t id)
{
    return id == 0 || (id >= 0x02005efffe000000 && id <= 0x02005efffeffffff) ||
           (id >= 0xfdffffffffffff80 && id <= 0xfdffffffffffffff);
}

/* RFC 7217, 5. */
static uint64_t identifier(const struct ip *ip, uint64_t prefix_hi, const struct netif *nif,
                           uint8_t dad_counter)
{
    uint8_t buf[8 + NETIF_NAME_MAX + 6 + 2];
    for (uint8_t again = 0;; again++) {
        struct wr w = wr_of(buf, sizeof(buf));
        wr_u64(&w, prefix_hi);
        wr_bytes(&w, span_of(nif->name, NETIF_NAME_MAX));
        wr_mac(&w, &nif->mac);
        wr_u8(&w, dad_counter);
        wr_u8(&w, again);
        ORIEL_ASSERT(!w.bad);
        uint64_t id = siphash(&ip->slaac.iid_key, wr_span(&w));
        if (!identifier_reserved(id))
            return id;
    }
}

struct oriel_addr slaac_link_local(struct ip *ip, const struct netif *nif, uint8_t dad_counter)
{
    struct oriel_addr a = addr_v6(LINK_LOCAL_HI, identifier(ip, LINK_LOCAL_HI, nif, dad_counter));
    a.zone = nif->index;
    return a;
}

/* Make the address of that prefix and number of conflicts; false: it is there, or no room. */
static bool form_address(struct ip *ip, uint16_t nif, uint64_t prefix_hi, enum addr_origin origin,
                         uint8_t dad_counter, oriel_time preferred_until, oriel_time valid_until)
{
    struct ifaddr *a;
    const struct netif *n = netif_at(ip->link, nif);
    struct oriel_addr addr = addr_v6(prefix_hi, identifier(ip, prefix_hi, n, dad_counter));
    if (ifaddr_add(ip, nif, &addr, IDENTIFIER_LEN, origin, &a) != 0)
        return false;
    a->dad_counter = dad_counter;
    ifaddr_set_lifetimes(ip, a, preferred_until, valid_until);
    return true;
}

/* RFC 7217, 6: another identifier, a few times. What is left in the end shows that it failed. */
void slaac_on_duplicate(struct ip *ip, struct ifaddr *a)
{
    struct ifaddr was = *a;
    bool formed = was.origin == ADDR_AUTO || was.origin == ADDR_LINK_LOCAL;
    if (!formed || was.dad_counter + 1 >= ADDRESS_TRIES)
        return;
    best_effort(ifaddr_del(ip, was.nif, &was.addr));
    (void)form_address(ip, was.nif, was.addr.hi, (enum addr_origin)was.origin,
                       (uint8_t)(was.dad_counter + 1), was.preferred_until, was.valid_until);
}

/* A formed address that is a duplicate has no timer any more; the next advertisement sees to it. */
static struct ifaddr *next_duplicate(const struct ip *ip, uint16_t nif, oriel_time until)
{
    LIST_EACH(node, &ip_if_of(ip, nif)->addrs) {
        struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        bool formed = a->origin == ADDR_AUTO || a->origin == ADDR_LINK_LOCAL;
        if (formed && a->state == ADDR_DUPLICATE && a->valid_until <= until)
            return a;
    }
    return NULL;
}

static void forget_duplicates(struct ip *ip, uint16_t nif, oriel_time until)
{
    for (struct ifaddr *a; (a = next_duplicate(ip, nif, until)) != NULL;) {
        struct oriel_addr addr = a->addr;
        best_effort(ifaddr_del(ip, nif, &addr));
    }
}

/* RFC 4862, 5.5.3 (e). */
static void refresh_address(struct ip *ip, struct ifaddr *a, const struct ndp_prefix *p)
{
    oriel_time now = ip->env->now;
    oriel_time valid = until_of(ip, p->valid_s);
    bool soon = a->valid_until <= time_after(now, TWO_HOURS);
    if (p->valid_s * NS_PER_S <= TWO_HOURS && valid <= a->valid_until)
        valid = soon ? a->valid_until : time_after(now, TWO_HOURS);
    ifaddr_set_lifetimes(ip, a, until_of(ip, p->preferred_s), valid);
}

static void autoconfigure(struct ip *ip, uint16_t nif, const struct ndp_prefix *p)
{
    unsigned formed = 0;
    bool known = false;
    if (p->prefix.len != 128 - IDENTIFIER_LEN)
        return;                 /* RFC 4862, 5.5.3 (d): prefix and identifier have to fit */
    LIST_EACH(node, &ip_if_of(ip, nif)->addrs) {
        struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (a->origin != ADDR_AUTO)
            continue;
        formed++;
        if (!prefix_has(&p->prefix, &a->addr))
            continue;
        known = true;
        refresh_address(ip, a, p);
    }
    if (!known && formed < AUTO_ADDRS_MAX && p->valid_s != 0)
        (void)form_address(ip, nif, p->prefix.addr.hi, ADDR_AUTO, 0, until_of(ip, p->preferred_s),
                           until_of(ip, p->valid_s));
}

/*
 * Of what may be announced, no hosts' addresses are in the first 2^64 (unspecified, loopback, IPv4)
 * and among groups; RFC 4861, 6.3.4 and 4862, 5.5.3 (b) and (c) exclude the rest.
 */
static bool prefix_makes_sense(const struct ndp_prefix *p)
{
    return p->prefix.addr.hi != 0 && !addr_is_multicast(&p->prefix.addr) &&
           !addr_is_link_local(&p->prefix.addr) && p->preferred_s <= p->valid_s;
}

/* ---- name servers ---- */

static struct dns_server *dns_room(struct slaac *s, const struct oriel_addr *addr, uint16_t nif)
{
    struct dns_server *room = NULL;
    for (unsigned i = 0; i < DNS_SERVERS_MAX; i++) {
        struct dns_server *d = &s->dns[i];
        if (d->nif == nif && addr_same_bits(&d->addr, addr))
            return d;
        if (d->nif == 0 && !room)
            room = d;
    }
    return room;
}

static void learn_dns(struct ip *ip, uint16_t nif, const struct ndp_msg *m)
{
    for (unsigned i = 0; i < m->dns_n; i++) {
        struct oriel_addr addr = m->dns[i];
        struct dns_server *d = dns_room(&ip->slaac, &addr, nif);
        if (!d || addr_is_multicast(&addr) || addr_is_unspecified(&addr) || addr_is_v4(&addr))
            continue;
        addr.zone = addr_is_link_local(&addr) ? nif : 0;
        if (m->dns_lifetime_s == 0)
            *d = (struct dns_server){.nif = 0};
        else
            *d = (struct dns_server){.addr = addr, .nif = nif,
                                     .until = until_of(ip, m->dns_lifetime_s)};
    }
}

/* ---- an advertisement ---- */

static uint32_t within(uint32_t v, uint32_t lo, uint32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/*
 * DEVIATION: RFC 4861, 6.3.4 takes every value. Here timers stay within what lets a link work, and
 * a hop limit that would cut us off from the network (CVE-2015-2922) is not believed.
 */
static void learn_parameters(struct ip *ip, uint16_t nif, const struct ndp_msg *m)
{
    struct ip_if *f = ip_if_of(ip, nif);
    if (m->hop_limit >= RA_HOP_LIMIT_MIN)
        f->hop_limit = m->hop_limit;
    if (m->reachable_ms != 0)
        f->reachable_ms = within(m->reachable_ms, RA_TIMER_MIN, RA_REACHABLE_MAX);
    if (m->retrans_ms != 0)
        f->retrans_ms = within(m->retrans_ms, RA_TIMER_MIN, RA_RETRANS_MAX);
    bool mtu_good = m->has_mtu && m->mtu >= IP6_MTU_MIN && m->mtu <= netif_at(ip->link, nif)->mtu;
    if (mtu_good && f->mtu6 != m->mtu) {
        f->mtu6 = m->mtu;
        ip_changed(ip);
    }
}

/*
 * RFC 4861, 6.3.7: nothing more to ask once a default router is known; but one question is asked in
 * any case, because what comes unasked may be less than everything.
 */
static void stop_asking(struct ip *ip, uint16_t nif)
{
    struct ip_if *f = ip_if_of(ip, nif);
    if (!f->rs_pending || f->rs_left == RS_MAX)
        return;
    f->rs_pending = false;
    env_cancel(ip->env, &f->rs_timer);
}

void slaac_on_ra(struct ip *ip, const struct ip_rx *rx, const struct ndp_msg *m)
{
    forget_duplicates(ip, rx->nif, ip->env->now);
    learn_parameters(ip, rx->nif, m);
    learn_router(ip, rx, m->router_lifetime_s);
    for (unsigned i = 0; i < m->prefixes_n; i++) {
        const struct ndp_prefix *p = &m->prefixes[i];
        if (!prefix_makes_sense(p))
            continue;
        if (p->on_link)
            learn_prefix(ip, rx->nif, p);
        if (p->autonomous)
            autoconfigure(ip, rx->nif, p);
    }
    learn_dns(ip, rx->nif, m);
    if (m->router_lifetime_s != 0)
        stop_asking(ip, rx->nif);
    schedule(ip);
}

void slaac_on_timer(struct ip *ip)
{
    struct slaac *s = &ip->slaac;
    oriel_time now = ip->env->now;
    for (unsigned i = 0; i < ROUTERS_MAX; i++)
        if (s->routers[i].nif != 0 && s->routers[i].until <= now)
            remove_router(ip, &s->routers[i]);
    for (unsigned i = 0; i < PREFIXES_MAX; i++)
        if (s->prefixes[i].nif != 0 && s->prefixes[i].until <= now)
            remove_prefix(ip, &s->prefixes[i]);
    for (unsigned i = 0; i < DNS_SERVERS_MAX; i++)
        if (s->dns[i].nif != 0 && s->dns[i].until <= now)
            s->dns[i] = (struct dns_server){.nif = 0};
    schedule(ip);
}

/* The link may come back with other routers on it. Addresses stay, and are probed again. */
void slaac_on_if_down(struct ip *ip, uint16_t nif)
{
    struct slaac *s = &ip->slaac;
    struct ip_if *f = ip_if_of(ip, nif);
    for (unsigned i = 0; i < ROUTERS_MAX; i++)
        if (s->routers[i].nif == nif)
            remove_router(ip, &s->routers[i]);
    for (unsigned i = 0; i < PREFIXES_MAX; i++)
        if (s->prefixes[i].nif == nif)
            remove_prefix(ip, &s->prefixes[i]);
    for (unsigned i = 0; i < DNS_SERVERS_MAX; i++)
        if (s->dns[i].nif == nif)
            s->dns[i] = (struct dns_server){.nif = 0};
    redirect_forget(ip, nif, NULL);
    forget_duplicates(ip, nif, ORIEL_NEVER);
    f->hop_limit = 0;
    f->mtu6 = 0;
    f->reachable_ms = REACHABLE_MS;
    f->retrans_ms = RETRANS_MS;
    f->rs_pending = false;
    env_cancel(ip->env, &f->rs_timer);
    schedule(ip);
}

/* ---- asking for routers ---- */

/* Also called when nothing is to be done: the answer to "should we be asking?". */
void rs_on_timer(struct ip *ip, struct ip_if *f)
{
    if (!f->accept_ra || timer_armed(&f->rs_timer) ||
        netif_at(ip->link, f->nif)->kind == NETIF_LOOPBACK)
        return;
    if (!f->rs_pending) {
        f->rs_pending = true;
        f->rs_left = RS_MAX;
        env_arm_in(ip->env, &f->rs_timer, rng_below(&ip->env->rng, RS_DELAY));
        return;
    }
    ndp_solicit_routers(ip, f);
    f->rs_left--;
    f->rs_pending = f->rs_left > 0 && !has_router(ip, f->nif);
    if (f->rs_pending)
        env_arm_in(ip->env, &f->rs_timer, RS_EVERY);
}
