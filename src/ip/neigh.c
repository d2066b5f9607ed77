/*
 * The neighbour cache: RFC 4861, 7.3, for ND and ARP alike.
 *
 * One timer an entry. Packets that wait for an address are dropped with a reason when it is given
 * up: forwarded ones with an ICMP error to their source, our own by telling the transport.
 */
#include "ip/ip.h"

bool neigh_init(struct neigh_table *t, struct arena *a, uint32_t max)
{
    list_init(&t->lru);
    list_init(&t->unresolved);
    return pool_init(&t->pool, "neighbours", a, sizeof(struct neigh), max) &&
           hmap_init(&t->map, a, max);
}

const char *neigh_state_name(enum neigh_state s)
{
    static const char *const name[NEIGH_STATES] = {"none",  "incomplete", "reachable", "stale",
                                                   "delay", "probe",      "failed",    "static"};
    ORIEL_ASSERT(s < NEIGH_STATES);
    return name[s];
}

static uint32_t neigh_hash(const struct ip *ip, uint16_t nif, const struct oriel_addr *a)
{
    return hash_2(ip->env->hash_seed, a->hi ^ nif, a->lo);
}

struct neigh *neigh_find(const struct ip *ip, uint16_t nif, const struct oriel_addr *addr)
{
    uint32_t h = neigh_hash(ip, nif, addr);
    uint32_t ref;
    for (uint32_t at = hmap_first(&ip->neigh.map, h);
         (ref = hmap_next(&ip->neigh.map, h, &at)) != HMAP_NONE;) {
        struct neigh *n = pool_at(&ip->neigh.pool, ref);
        if (n->nif == nif && addr_same_bits(&n->addr, addr))
            return n;
    }
    return NULL;
}

/* ---- the one door for states ---- */

static const uint16_t legal_next[NEIGH_STATES] = {
    [NEIGH_NONE] = BIT(NEIGH_INCOMPLETE),
    [NEIGH_INCOMPLETE] = BIT(NEIGH_REACHABLE) | BIT(NEIGH_STALE) | BIT(NEIGH_FAILED) |
                         BIT(NEIGH_STATIC) | BIT(NEIGH_NONE),
    [NEIGH_REACHABLE] = BIT(NEIGH_STALE) | BIT(NEIGH_STATIC) | BIT(NEIGH_NONE),
    [NEIGH_STALE] = BIT(NEIGH_REACHABLE) | BIT(NEIGH_DELAYED) | BIT(NEIGH_STATIC) | BIT(NEIGH_NONE),
    [NEIGH_DELAYED] = BIT(NEIGH_REACHABLE) | BIT(NEIGH_STALE) | BIT(NEIGH_PROBE) |
                      BIT(NEIGH_STATIC) | BIT(NEIGH_NONE),
    [NEIGH_PROBE] = BIT(NEIGH_REACHABLE) | BIT(NEIGH_STALE) | BIT(NEIGH_FAILED) |
                    BIT(NEIGH_STATIC) | BIT(NEIGH_NONE),
    [NEIGH_FAILED] = BIT(NEIGH_INCOMPLETE) | BIT(NEIGH_REACHABLE) | BIT(NEIGH_STALE) |
                     BIT(NEIGH_STATIC) | BIT(NEIGH_NONE),
    [NEIGH_STATIC] = BIT(NEIGH_NONE),
};

#define CONFIRM_EVERY NS_PER_S

static bool is_unresolved(enum neigh_state s)
{
    return s == NEIGH_INCOMPLETE || s == NEIGH_FAILED;
}

static void set_state(struct ip *ip, struct neigh *n, enum neigh_state to)
{
    if (n->state == to)
        return;
    ORIEL_ASSERT(legal_next[n->state] & BIT(to));
    TRACE(ip->env, EV_NEIGH_STATE, n->addr.hi, n->addr.lo, n->state, to);
    if (is_unresolved((enum neigh_state)n->state) != is_unresolved(to)) {
        list_remove(&n->node);
        list_push_back(is_unresolved(to) ? &ip->neigh.unresolved : &ip->neigh.lru, &n->node);
    }
    bool was_dead = n->state == NEIGH_FAILED, is_dead = to == NEIGH_FAILED;
    n->state = (uint8_t)to;
    n->probes = 0;
    if (was_dead != is_dead)
        ip_changed(ip);                 /* another gateway may be the better one now */
}

static oriel_time reachable_for(struct ip *ip, uint16_t nif)
{
    uint64_t base = ip_if_of(ip, nif)->reachable_ms * NS_PER_MS;    /* RFC 4861, 6.3.2 */
    return rng_between(&ip->env->rng, base / 2, base + base / 2);
}

static oriel_time retrans_of(const struct ip *ip, uint16_t nif, const struct oriel_addr *a)
{
    return addr_is_v4(a) ? NEIGH_RETRANS : ip_if_of(ip, nif)->retrans_ms * NS_PER_MS;
}

/* ---- entries come and go ---- */

static uint64_t true_size(const struct pkt *p)
{
    return (uint64_t)p->charge * 256;
}

/* The next packet of those that wait, or waited, for one neighbour. */
static struct pkt *take_from(struct ip *ip, struct pkt_queue *waiting)
{
    struct pkt *p = pkt_dequeue(waiting);
    if (!p)
        return NULL;
    ORIEL_ASSERT(ip->neigh.waiting_bytes >= true_size(p));
    ip->neigh.waiting_bytes -= true_size(p);
    return p;
}

static void drop_waiting(struct ip *ip, struct neigh *n, enum drop why)
{
    for (struct pkt *p; (p = take_from(ip, &n->waiting)) != NULL;)
        pkt_drop(ip->env, p, why);
}

/* Packets that waited in vain: each sender is told. That may need n's place in a full table. */
static void give_up_waiting(struct ip *ip, struct neigh *n)
{
    struct pkt_queue waiting = n->waiting;
    n->waiting = (struct pkt_queue){0};
    for (struct pkt *p; (p = take_from(ip, &waiting)) != NULL;) {
        if (p->flags & PKT_FORWARDED)
            icmp_error(ip, p, ICMP_HOST_UNREACHABLE, 0);
        else
            icmp_tell_sender(ip, p, ORIEL_EHOSTUNREACH, 0);
        pkt_drop(ip->env, p, DROP_NEIGH_FAILED);
    }
}

static void neigh_free(struct ip *ip, struct neigh *n)
{
    env_cancel(ip->env, &n->timer);
    drop_waiting(ip, n, DROP_NEIGH_FAILED);
    set_state(ip, n, NEIGH_NONE);
    list_remove(&n->node);
    hmap_del(&ip->neigh.map, neigh_hash(ip, n->nif, &n->addr), pool_index(&ip->neigh.pool, n));
    pool_put(&ip->neigh.pool, n);
    ip_changed(ip);                     /* cached paths point at it */
}

static void touch(struct ip *ip, struct neigh *n)
{
    list_remove(&n->node);
    list_push_back(is_unresolved((enum neigh_state)n->state) ? &ip->neigh.unresolved
                                                             : &ip->neigh.lru, &n->node);
}

#define EVICT_LOOK 32   /* known entries looked at, oldest first, to find one to give up */

/*
 * RFC 6583, 7.1: what nobody has answered for goes first, the oldest. Then what is stale; what is
 * in use stays, and is not looked at again before all the others were.
 */
static struct neigh *choose_victim(struct ip *ip)
{
    struct list *first = list_first(&ip->neigh.unresolved);
    if (first)
        return CONTAINER_OF(first, struct neigh, node);
    for (unsigned i = 0; i < EVICT_LOOK && (first = list_first(&ip->neigh.lru)) != NULL; i++) {
        struct neigh *n = CONTAINER_OF(first, struct neigh, node);
        if (n->state == NEIGH_STALE)
            return n;
        touch(ip, n);
    }
    return NULL;
}

static bool evict_one(struct ip *ip)
{
    struct neigh *n = choose_victim(ip);
    if (!n)
        return false;
    drop_waiting(ip, n, DROP_NEIGH_TABLE_FULL);
    neigh_free(ip, n);
    return true;
}

struct neigh *neigh_get(struct ip *ip, uint16_t nif, const struct oriel_addr *addr)
{
    struct neigh *n = neigh_find(ip, nif, addr);
    if (n)
        return n;
    n = pool_get_zeroed(&ip->neigh.pool);
    if (!n && evict_one(ip))
        n = pool_get_zeroed(&ip->neigh.pool);
    if (!n)
        return NULL;
    n->addr = *addr;
    n->nif = nif;
    timer_init(&n->timer, TIMER_NEIGH);
    if (!hmap_put(&ip->neigh.map, neigh_hash(ip, nif, addr), pool_index(&ip->neigh.pool, n))) {
        pool_put(&ip->neigh.pool, n);
        return NULL;
    }
    list_push_back(&ip->neigh.lru, &n->node);
    set_state(ip, n, NEIGH_INCOMPLETE);
    return n;
}

/* ---- asking ---- */

/* Every question disturbs all hosts of a link: somebody may want us to ask very many. */
static bool may_ask_all(struct ip *ip, uint16_t nif)
{
    struct neigh_asks *asks = &ip_if_of(ip, nif)->asks;
    if (ip->env->now - asks->since >= NS_PER_S)
        *asks = (struct neigh_asks){.since = ip->env->now};
    return asks->n++ < NEIGH_ASKS_MAX;
}

static void ask(struct ip *ip, const struct neigh *n, bool unicast)
{
    const struct mac *to = unicast ? &n->mac : NULL;
    struct oriel_addr src;
    if (!addr_is_v4(&n->addr)) {
        ndp_solicit(ip, n->nif, &n->addr, to);
        return;
    }
    if (!ip_source_for(ip, &n->addr, n->nif, &src))
        return;                 /* from nobody it would be a probe, and a claim (RFC 5227, 1.1) */
    arp_request(ip, n->nif, &src, &n->addr, to, unicast ? WHY_ARP_VERIFY : WHY_ARP_REQUEST);
}

static void solicit(struct ip *ip, struct neigh *n, bool unicast)
{
    if (unicast || may_ask_all(ip, n->nif))
        ask(ip, n, unicast);
    n->probes++;
    env_arm_in(ip->env, &n->timer, retrans_of(ip, n->nif, &n->addr));
}

/* Somebody may want us to keep very much for hosts that are not there: the rest is for others. */
static bool has_room(const struct ip *ip, const struct pkt *p)
{
    return ip->neigh.waiting_bytes + true_size(p) <= ip->env->budget->max / NEIGH_WAITING_SHARE;
}

static void wait_for(struct ip *ip, struct neigh *n, struct pkt *p, enum why why)
{
    p->why = (uint8_t)why;
    p->ev = ip->env->cause;
    while (n->waiting.n > 0 && (n->waiting.n == NEIGH_QUEUE_MAX || !has_room(ip, p)))
        pkt_drop(ip->env, take_from(ip, &n->waiting), DROP_NEIGH_QUEUE_FULL);
    if (has_room(ip, p)) {
        ip->neigh.waiting_bytes += true_size(p);
        pkt_enqueue(&n->waiting, p);
    } else {
        pkt_drop(ip->env, p, DROP_NEIGH_QUEUE_FULL);    /* and is asked for all the same */
    }
    if (!timer_armed(&n->timer))
        solicit(ip, n, false);
}

static int send_to(struct ip *ip, struct neigh *n, struct pkt *p, enum why why)
{
    struct netif *nif = netif_at(ip->link, n->nif);
    return link_output(ip->link, nif, p, &n->mac, addr_is_v4(&n->addr) ? ETH_IP4 : ETH_IP6, why);
}

int neigh_output(struct ip *ip, struct neigh *n, struct pkt *p, enum why why)
{
    switch ((enum neigh_state)n->state) {
    case NEIGH_INCOMPLETE:
        wait_for(ip, n, p, why);
        return 0;
    case NEIGH_FAILED:
        neigh_ask_again(ip, n);         /* a gateway, here where the packet goes: no path asks for it */
        if (p->flags & PKT_FORWARDED)
            icmp_error(ip, p, ICMP_HOST_UNREACHABLE, 0);
        pkt_drop(ip->env, p, DROP_NEIGH_FAILED);
        return ORIEL_EHOSTUNREACH;
    case NEIGH_STALE:
        set_state(ip, n, NEIGH_DELAYED);        /* RFC 4861, 7.3.3: in use again, ask in a while */
        env_arm_in(ip->env, &n->timer, NEIGH_DELAY);
        break;
    case NEIGH_REACHABLE:
    case NEIGH_DELAYED:
    case NEIGH_PROBE:
    case NEIGH_STATIC:
        break;
    case NEIGH_NONE:
    case NEIGH_STATES:
        ORIEL_ASSERT(false);                    /* it always has a state */
    }
    n->used = true;
    return send_to(ip, n, p, why);
}

/* ---- learning ---- */

static void become_reachable(struct ip *ip, struct neigh *n)
{
    set_state(ip, n, NEIGH_REACHABLE);
    n->confirmed = ip->env->now;
    env_arm_in(ip->env, &n->timer, reachable_for(ip, n->nif));
}

static void become_stale(struct ip *ip, struct neigh *n)
{
    set_state(ip, n, NEIGH_STALE);
    n->used = false;
    env_arm_in(ip->env, &n->timer, NEIGH_STALE_FOR);
}

static void flush_waiting(struct ip *ip, struct neigh *n)
{
    for (struct pkt *p; (p = take_from(ip, &n->waiting)) != NULL;) {
        uint64_t was = ip->env->cause;
        enum why why = (enum why)p->why;
        if (p->ev)
            ip->env->cause = p->ev;     /* it leaves for the reason it was made */
        (void)neigh_output(ip, n, p, why);
        ip->env->cause = was;
    }
}

void neigh_learn(struct ip *ip, struct neigh *n, const struct mac *mac, enum neigh_news news)
{
    bool same = n->state != NEIGH_INCOMPLETE && n->state != NEIGH_FAILED && mac_eq(&n->mac, mac);
    touch(ip, n);
    if (n->state == NEIGH_STATIC)
        return;
    n->mac = *mac;
    if (news == NEIGH_ANSWERED)
        become_reachable(ip, n);
    else if (!same)
        become_stale(ip, n);
    flush_waiting(ip, n);
}

static void set_router(struct ip *ip, struct neigh *n, bool router)
{
    bool was_router = n->router;
    n->router = router;
    if (was_router && !router)          /* RFC 4861, 7.2.5: no longer a default router */
        slaac_forget_router(ip, &n->addr, n->nif);
}

void neigh_mark_router(struct neigh *n)
{
    n->router = true;
}

void neigh_on_advert(struct ip *ip, struct neigh *n, const struct mac *mac, bool router,
                     bool solicited, bool override)
{
    if (n->state == NEIGH_STATIC)
        return;
    if (n->state == NEIGH_INCOMPLETE || n->state == NEIGH_FAILED) {
        if (!mac)
            return;             /* without an address it says nothing */
        neigh_learn(ip, n, mac, solicited ? NEIGH_ANSWERED : NEIGH_HEARD);
        set_router(ip, n, router);
        return;
    }
    bool differs = mac && !mac_eq(&n->mac, mac);
    if (differs && !override) {
        if (n->state == NEIGH_REACHABLE)
            become_stale(ip, n);
        return;
    }
    if (differs)
        n->mac = *mac;
    if (solicited)
        become_reachable(ip, n);
    else if (differs)
        become_stale(ip, n);
    set_router(ip, n, router);
}

void neigh_confirm(struct ip *ip, struct neigh *n)
{
    if (n->state == NEIGH_REACHABLE && ip->env->now - n->confirmed < CONFIRM_EVERY)
        return;                         /* a transport hears answers all the time */
    switch ((enum neigh_state)n->state) {
    case NEIGH_REACHABLE:
    case NEIGH_STALE:
    case NEIGH_DELAYED:
    case NEIGH_PROBE:
        become_reachable(ip, n);
        return;
    case NEIGH_NONE:
    case NEIGH_INCOMPLETE:
    case NEIGH_FAILED:
    case NEIGH_STATIC:
    case NEIGH_STATES:
        return;
    }
}

/* ---- time ---- */

/*
 * A default router that does not answer stays one, for later, and paths avoid it while there is
 * another (RFC 4861, 6.3.6). A redirect to it is worth nothing any more.
 */
static void fail(struct ip *ip, struct neigh *n)
{
    set_state(ip, n, NEIGH_FAILED);
    env_arm_in(ip->env, &n->timer, NEIGH_FAILED_FOR);
    redirect_forget(ip, n->nif, &n->addr);
    give_up_waiting(ip, n);
}

/* RFC 1122, 3.3.1.4: what is dead is asked when there is something to send, not all the time. */
void neigh_ask_again(struct ip *ip, struct neigh *n)
{
    if (n->state != NEIGH_FAILED || timer_armed(&n->timer))
        return;
    solicit(ip, n, false);
    env_arm_in(ip->env, &n->timer, NEIGH_FAILED_FOR);
}

void neigh_doubt(struct ip *ip, struct neigh *n)
{
    if (n->state == NEIGH_REACHABLE)
        become_stale(ip, n);
}

void neigh_on_timer(struct ip *ip, struct neigh *n)
{
    switch ((enum neigh_state)n->state) {
    case NEIGH_INCOMPLETE:
    case NEIGH_PROBE:
        if (n->probes >= NEIGH_SOLICITS_MAX)
            fail(ip, n);
        else
            solicit(ip, n, n->state == NEIGH_PROBE);
        return;
    case NEIGH_REACHABLE:
        become_stale(ip, n);
        return;
    case NEIGH_DELAYED:
        set_state(ip, n, NEIGH_PROBE);
        solicit(ip, n, true);
        return;
    case NEIGH_FAILED:
        if (n->gateway)
            ip_changed(ip);             /* whoever sends next looks for a path, and asks again */
        else
            neigh_free(ip, n);
        return;
    case NEIGH_STALE:
        neigh_free(ip, n);
        return;
    case NEIGH_NONE:
    case NEIGH_STATIC:
    case NEIGH_STATES:
        return;
    }
}

/* ---- by hand ---- */

int neigh_set_static(struct ip *ip, uint16_t nif, const struct oriel_addr *addr,
                     const struct mac *mac)
{
    struct neigh *n = neigh_get(ip, nif, addr);
    if (!n)
        return ORIEL_ENOBUFS;
    env_cancel(ip->env, &n->timer);
    set_state(ip, n, NEIGH_STATIC);
    n->mac = *mac;
    flush_waiting(ip, n);
    return 0;
}

int neigh_del(struct ip *ip, uint16_t nif, const struct oriel_addr *addr)
{
    struct neigh *n = neigh_find(ip, nif, addr);
    if (!n)
        return ORIEL_ENOENT;
    neigh_free(ip, n);
    return 0;
}

static void drop_from(struct ip *ip, struct list *l, uint16_t nif)
{
    LIST_EACH(node, l) {
        struct neigh *n = CONTAINER_OF(node, struct neigh, node);
        if (nif == 0 || n->nif == nif)
            neigh_free(ip, n);
    }
}

void neigh_drop_nif(struct ip *ip, uint16_t nif)
{
    drop_from(ip, &ip->neigh.unresolved, nif);
    drop_from(ip, &ip->neigh.lru, nif);
}

void neigh_fini(struct ip *ip)
{
    neigh_drop_nif(ip, 0);
}
