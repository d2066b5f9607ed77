/*
 * Path MTU cache (RFC 1191, RFC 8201).
 *
 * A report is a statement by a stranger about a packet that we sent; the transport has vouched for
 * the packet before it comes here. What is left to the liar is to make packets smaller, so there is
 * a floor, reports only lower, and after ten minutes everything is forgotten and found out again
 * (RFC 1191, 6.3). Below the floor the families differ: every IPv6 link carries 1,280 bytes, so a
 * lower report is false and ignored (RFC 8201, 4); an IPv4 path of 68 may exist, so the report is
 * believed as far as the floor. The price is that a path between the two loses its large packets.
 *
 * Every report gives an entry the same life, so the order of age is the order of expiry, and one
 * timer, for the oldest, is enough. A full table gives up the oldest.
 */
#include "ip/pmtu.h"

#define LINK_MIN4 68            /* RFC 791, 3.2: every link carries that much in one piece */

/* RFC 1191, 7.1: the sizes that links have; old routers do not say which it was. */
static const uint16_t plateaus[] = {
    32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, LINK_MIN4,
};

bool pmtu_init(struct pmtu_table *t, struct env *env, struct arena *a, uint32_t max)
{
    t->env = env;
    list_init(&t->by_age);
    timer_init(&t->timer, TIMER_PMTU);
    return pool_init(&t->pool, "pmtu", a, sizeof(struct pmtu), max) && hmap_init(&t->map, a, max);
}

static uint32_t hash_of(const struct pmtu_table *t, const struct oriel_addr *dst)
{
    return hash_2(t->env->hash_seed, dst->hi, dst->lo);
}

static struct pmtu *find(const struct pmtu_table *t, const struct oriel_addr *dst)
{
    uint32_t hash = hash_of(t, dst);
    uint32_t ref;
    for (uint32_t at = hmap_first(&t->map, hash);
         (ref = hmap_next(&t->map, hash, &at)) != HMAP_NONE;) {
        struct pmtu *e = pool_at(&t->pool, ref);
        if (addr_eq(&e->dst, dst))
            return e;
    }
    return NULL;
}

static struct pmtu *oldest(const struct pmtu_table *t)
{
    struct list *n = list_first(&t->by_age);
    return n ? CONTAINER_OF(n, struct pmtu, node) : NULL;
}

static void rearm(struct pmtu_table *t)
{
    const struct pmtu *e = oldest(t);
    if (e)
        env_arm(t->env, &t->timer, e->until);
    else
        env_cancel(t->env, &t->timer);
}

static void forget(struct pmtu_table *t, struct pmtu *e)
{
    hmap_del(&t->map, hash_of(t, &e->dst), pool_index(&t->pool, e));
    list_remove(&e->node);
    pool_put(&t->pool, e);
}

/* NULL only in a table of no entries at all. */
static struct pmtu *make(struct pmtu_table *t, const struct oriel_addr *dst)
{
    struct pmtu *e = pool_get(&t->pool);
    if (!e && oldest(t)) {
        forget(t, oldest(t));
        e = pool_get(&t->pool);
    }
    if (!e)
        return NULL;
    *e = (struct pmtu){.dst = *dst, .mtu = UINT32_MAX};
    bool put = hmap_put(&t->map, hash_of(t, dst), pool_index(&t->pool, e));
    ORIEL_ASSERT(put);
    list_push_back(&t->by_age, &e->node);
    return e;
}

uint32_t pmtu_of(const struct pmtu_table *t, const struct oriel_addr *dst)
{
    const struct pmtu *e = find(t, dst);
    return e ? e->mtu : 0;
}

static uint32_t plateau_below(uint32_t len)
{
    for (size_t i = 0; i < ARRAY_LEN(plateaus); i++)
        if (plateaus[i] < len)
            return plateaus[i];
    return 0;
}

/* What a report comes down to; 0: it makes no sense. */
static uint32_t believed(bool v4, uint32_t mtu, uint32_t was)
{
    if (mtu >= was)                     /* then the packet would have fitted */
        return 0;
    if (!v4)
        return mtu < PMTU_FLOOR6 ? 0 : mtu;
    if (mtu == 0)                       /* RFC 1191, 5: a router that does not know of it */
        mtu = plateau_below(was);
    if (mtu < LINK_MIN4)
        return 0;
    return mtu < PMTU_FLOOR4 ? PMTU_FLOOR4 : mtu;
}

uint32_t pmtu_lower(struct pmtu_table *t, const struct oriel_addr *dst, uint32_t mtu, uint32_t was)
{
    mtu = believed(addr_is_v4(dst), mtu, was);
    if (mtu == 0)
        return 0;
    struct pmtu *e = find(t, dst);
    if (e && mtu > e->mtu)
        return 0;
    if (!e)
        e = make(t, dst);
    if (!e)
        return 0;
    if (mtu < e->mtu) {
        e->mtu = mtu;
        TRACE(t->env, EV_PMTU, dst->hi, dst->lo, mtu, was);
    }
    e->until = time_after(t->env->now, PMTU_LIFE);
    list_remove(&e->node);
    list_push_back(&t->by_age, &e->node);
    rearm(t);
    return mtu;
}

bool pmtu_forget(struct pmtu_table *t, const struct oriel_addr *dst)
{
    struct pmtu *e = find(t, dst);
    if (!e)
        return false;
    forget(t, e);
    rearm(t);
    return true;
}

bool pmtu_on_timer(struct pmtu_table *t)
{
    bool any = false;
    for (struct pmtu *e; (e = oldest(t)) != NULL && e->until <= t->env->now; any = true)
        forget(t, e);
    rearm(t);
    return any;
}

/* The cursor is the index of the entry given last, plus one. */
const struct pmtu *pmtu_each(const struct pmtu_table *t, uint32_t *cursor)
{
    const struct list *n = list_first(&t->by_age);
    if (*cursor != 0) {
        const struct pmtu *last = pool_at(&t->pool, *cursor - 1);
        n = list_next(&t->by_age, &last->node);
    }
    if (!n)
        return NULL;
    struct pmtu *e = CONTAINER_OF(n, struct pmtu, node);
    *cursor = pool_index(&t->pool, e) + 1;
    return e;
}
