/*
 * Answers that may be given again: by name and type, until their time is over.
 *
 * Bounded by the number of entries; the one that was used least recently gives way. That a name
 * does not exist answers for every type of it (RFC 2308, 5).
 */
#ifndef ORIEL_SVC_DNS_CACHE_H
#define ORIEL_SVC_DNS_CACHE_H

#include "base/clock.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/siphash.h"
#include "svc/dns_answer.h"

struct dns_cached {
    struct list used;           /* of struct dns_cache, the latest first */
    struct dns_name name;
    uint16_t type;              /* 0: the name does not exist */
    uint32_t hash;
    bool found;
    oriel_time until;
    struct dns_answer answer;
};

struct dns_cache {
    struct pool pool;
    struct hmap map;
    struct list used;
    struct siphash_key key;
    uint64_t hits, misses;
};

/* Bytes of memory that so many entries take. */
size_t dns_cache_memory(uint32_t entries);

/* False: the arena has no room. The key keeps peers from choosing names that collide. */
bool dns_cache_init(struct dns_cache *c, struct arena *a, uint32_t entries,
                    const struct siphash_key *key);

/* DNS_FOUND or DNS_NOTHING with *out, its ttl_s what is left of it; DNS_NOT_OURS: not known. */
enum dns_verdict dns_cache_find(struct dns_cache *c, oriel_time now, const struct dns_name *name,
                                uint16_t type, struct dns_answer *out);

/* v is DNS_FOUND or DNS_NOTHING. What is known already is replaced; a ttl_s of 0 is not kept. */
void dns_cache_put(struct dns_cache *c, oriel_time now, const struct dns_name *name, uint16_t type,
                   enum dns_verdict v, const struct dns_answer *a);

void dns_cache_clear(struct dns_cache *c);      /* other servers may know better */

#endif
