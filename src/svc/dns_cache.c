/* The cache of answers. */
#include "svc/dns_cache.h"

size_t dns_cache_memory(uint32_t entries)
{
    /* An entry, its byte in the pool, and slots of the map: a power of two at five eighths. */
    return (size_t)entries * (sizeof(struct dns_cached) + 16 + 1 + 4 * sizeof(struct hmap_slot)) +
           1024;
}

bool dns_cache_init(struct dns_cache *c, struct arena *a, uint32_t entries,
                    const struct siphash_key *key)
{
    *c = (struct dns_cache){.key = *key};
    list_init(&c->used);
    return pool_init(&c->pool, "dns", a, sizeof(struct dns_cached), entries) &&
           hmap_init(&c->map, a, entries);
}

static uint32_t hash_of(const struct dns_cache *c, const struct dns_name *name, uint16_t type)
{
    uint8_t bytes[DNS_NAME_MAX + 2];
    struct wr w = wr_of(bytes, sizeof(bytes));
    for (unsigned i = 0; i < name->n; i++)
        wr_u8(&w, dns_lower(name->b[i]));
    wr_u16(&w, type);
    return (uint32_t)siphash(&c->key, wr_span(&w));
}

static struct dns_cached *find(struct dns_cache *c, const struct dns_name *name, uint16_t type)
{
    uint32_t h = hash_of(c, name, type), ref;
    for (uint32_t at = hmap_first(&c->map, h);
         (ref = hmap_next(&c->map, h, &at)) != HMAP_NONE;) {
        struct dns_cached *e = pool_at(&c->pool, ref);
        if (e->type == type && dns_name_eq(&e->name, name))
            return e;
    }
    return NULL;
}

static void forget(struct dns_cache *c, struct dns_cached *e)
{
    list_remove(&e->used);
    hmap_del(&c->map, e->hash, pool_index(&c->pool, e));
    pool_put(&c->pool, e);
}

/* The entry if its time is not over. */
static struct dns_cached *find_fresh(struct dns_cache *c, oriel_time now,
                                     const struct dns_name *name, uint16_t type)
{
    struct dns_cached *e = find(c, name, type);
    if (e && e->until <= now) {
        forget(c, e);
        return NULL;
    }
    return e;
}

enum dns_verdict dns_cache_find(struct dns_cache *c, oriel_time now, const struct dns_name *name,
                                uint16_t type, struct dns_answer *out)
{
    struct dns_cached *e = find_fresh(c, now, name, type);
    if (!e)
        e = find_fresh(c, now, name, 0);
    if (!e) {
        c->misses++;
        return DNS_NOT_OURS;
    }
    c->hits++;
    list_remove(&e->used);
    list_push_front(&c->used, &e->used);
    *out = e->answer;
    out->ttl_s = (uint32_t)((e->until - now) / NS_PER_S);
    return e->found ? DNS_FOUND : DNS_NOTHING;
}

/* An entry to be filled: the one that is least missed where there is no room. NULL: no entries. */
static struct dns_cached *take(struct dns_cache *c)
{
    struct dns_cached *e = pool_get(&c->pool);
    if (!e && !list_empty(&c->used)) {
        forget(c, CONTAINER_OF(c->used.prev, struct dns_cached, used));
        e = pool_get(&c->pool);
    }
    return e;
}

void dns_cache_put(struct dns_cache *c, oriel_time now, const struct dns_name *name, uint16_t type,
                   enum dns_verdict v, const struct dns_answer *a)
{
    uint16_t kept_as = v == DNS_NOTHING && a->no_name ? 0 : type;
    struct dns_cached *e = find(c, name, kept_as);
    ORIEL_ASSERT(v == DNS_FOUND || v == DNS_NOTHING);
    if (e)
        forget(c, e);
    if (a->ttl_s == 0)
        return;
    e = take(c);
    if (!e)
        return;
    *e = (struct dns_cached){.name = *name, .type = kept_as, .found = v == DNS_FOUND, .answer = *a,
                             .hash = hash_of(c, name, kept_as),
                             .until = time_after(now, a->ttl_s * NS_PER_S)};
    bool room = hmap_put(&c->map, e->hash, pool_index(&c->pool, e));
    ORIEL_ASSERT(room);                 /* the map holds what the pool does */
    list_push_front(&c->used, &e->used);
}

void dns_cache_clear(struct dns_cache *c)
{
    while (!list_empty(&c->used))
        forget(c, CONTAINER_OF(c->used.prev, struct dns_cached, used));
}
