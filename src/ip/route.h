/*
 * Routes: longest prefix first, among equals the lowest metric first.
 *
 * A path-compressed binary trie over 128 bits holds both families (an IPv4 /24 is a /120). All from
 * fixed pools: a full table refuses. Several routes may share a prefix (several gateways). A table
 * that was made for many routes also has 512 KB by which an IPv4 look-up skips the top of the trie.
 */
#ifndef ORIEL_IP_ROUTE_H
#define ORIEL_IP_ROUTE_H

#include "base/addr.h"
#include "base/pool.h"

enum route_origin {
    ROUTE_STATIC,
    ROUTE_CONNECTED,    /* the prefix of one of our addresses */
    ROUTE_RA,           /* learned from a router advertisement */
    ROUTE_REDIRECT,
};

struct route {
    struct prefix prefix;
    struct oriel_addr gateway;  /* ADDR_NONE: the destination is on the link */
    uint32_t metric;            /* lower is better */
    uint16_t nif;
    uint8_t origin;
    uint32_t next;              /* index of the next route of the same prefix, or POOL_NONE */
};

struct trie_node;
struct route_slot;

struct route_table {
    struct pool routes;
    struct pool nodes;
    uint32_t root4;             /* trie of the mapped addresses, and of the rest */
    uint32_t root6;
    struct route_slot *slots;   /* a short cut for IPv4; NULL in a small table */
};

bool route_table_init(struct route_table *t, struct arena *a, uint32_t routes_max);

/* ORIEL_EEXIST: the same prefix, gateway and interface are there. ORIEL_ENOBUFS: full. */
ORIEL_MUST_USE int route_add(struct route_table *t, const struct route *r);

/* Removes the route of that prefix with that gateway and interface (0: any). ORIEL_ENOENT. */
ORIEL_MUST_USE int route_del(struct route_table *t, const struct prefix *p,
                             const struct oriel_addr *gateway, uint16_t nif);

/* Remove every route over that interface; how many went. */
uint32_t route_drop_nif(struct route_table *t, uint16_t nif);

/*
 * The best route for dst: the longest prefix that has one, over interface nif where that is not 0.
 * The result is the first of its chain that fits; others follow with route_next. A dst with a zone
 * goes over the interface that its zone names. NULL: none.
 */
const struct route *route_lookup(const struct route_table *t, const struct oriel_addr *dst,
                                 uint16_t nif);

/* The next best route of the same prefix (over nif where that is not 0), or NULL. */
const struct route *route_next(const struct route_table *t, const struct route *r, uint16_t nif);

/*
 * Walk over all: *cursor starts at 0; by prefix (IPv4 first), then metric. NULL at the end. Between
 * two calls the route given last may not be removed; any other change is allowed.
 */
const struct route *route_each(const struct route_table *t, uint32_t *cursor);

#endif
