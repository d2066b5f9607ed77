/*
 * Longest prefix match in a path-compressed binary trie (Morrison's PATRICIA with the prefix kept
 * in each node).
 *
 * A node is a prefix; its children are longer prefixes that begin with it, told apart by the first
 * bit after it. A node without routes is a fork and has two children, always: so there are fewer
 * forks than prefixes, the node pool can hold twice the routes and never refuses, and the first
 * route of a subtree is found by going left. A look-up goes down while the node's prefix matches
 * and remembers the last node that had routes.
 *
 * A node is 32 bytes, two of them a cache line, linked by index. Routes of one prefix form a chain
 * beside the trie, in order of metric, among equals in order of arrival. Zones do not take part in
 * the trie: routes of fe80::/64 over several links stand in one chain and are told apart by their
 * interface.
 *
 * The two families have a root each, because most of what happens concerns one of them, and IPv4
 * then compares one word a node.
 *
 * A look-up in a large trie is a chain of cache misses, seventeen or so among 100,000 routes. So a
 * large table also has an entry for each value of the first 16 bits of an IPv4 address, which says
 * where the trie goes on below that /16 and which route holds if nothing is found there. A change
 * of a longer prefix touches one entry; a change of a shorter one all that it covers, 65,536 in the
 * case of the default route.
 */
#include "ip/route.h"

struct trie_node {
    uint64_t hi;                /* the prefix; bits beyond len are zero */
    uint64_t lo;
    uint32_t child[2];          /* by the bit after the prefix; POOL_NONE where there is none */
    uint32_t routes;            /* the first of its chain; POOL_NONE: a fork */
    uint8_t len;                /* 0..128 */
};

static_assert(sizeof(struct trie_node) == 32, "two nodes are a cache line");

struct route_slot {             /* of all IPv4 addresses that begin with the same 16 bits */
    uint32_t below;             /* the highest node of a /16 or longer, or POOL_NONE */
    uint32_t cover;             /* the first route of the longest prefix shorter than that */
};

#define V4_LEN_MIN 96u          /* of a prefix that belongs to IPv4 */
#define SLOT_BITS  16u
#define SLOT_LEN   (V4_LEN_MIN + SLOT_BITS)
#define SLOTS      (1u << SLOT_BITS)
#define SLOTS_FROM 32768u       /* routes; the slots are then a tenth of the table's memory */

static bool slots_init(struct route_table *t, struct arena *a)
{
    t->slots = arena_take(a, SLOTS * sizeof(*t->slots));
    for (uint32_t i = 0; t->slots && i < SLOTS; i++)
        t->slots[i] = (struct route_slot){.below = POOL_NONE, .cover = POOL_NONE};
    return t->slots != NULL;
}

bool route_table_init(struct route_table *t, struct arena *a, uint32_t routes_max)
{
    ORIEL_ASSERT(routes_max <= POOL_NONE / 2);
    *t = (struct route_table){.root4 = POOL_NONE, .root6 = POOL_NONE, .slots = NULL};
    return pool_init(&t->routes, "route", a, sizeof(struct route), routes_max) &&
           pool_init(&t->nodes, "route.node", a, sizeof(struct trie_node), 2 * routes_max) &&
           (routes_max < SLOTS_FROM || slots_init(t, a));
}

/* ---- the trie ---- */

/* pool_at without its multiplication, which would stand between one cache miss and the next. */
static struct trie_node *node_at(const struct route_table *t, uint32_t index)
{
    ORIEL_ASSERT(index < t->nodes.fresh);
    return (struct trie_node *)(void *)t->nodes.base + index;
}

static struct route *route_at(const struct route_table *t, uint32_t index)
{
    return pool_at(&t->routes, index);
}

static bool prefix_is_v4(const struct prefix *p)
{
    return p->len >= V4_LEN_MIN && addr_is_v4(&p->addr);
}

static uint32_t *root_for(struct route_table *t, const struct prefix *p)
{
    return prefix_is_v4(p) ? &t->root4 : &t->root6;
}

static unsigned bit_at(uint64_t hi, uint64_t lo, unsigned n)
{
    ORIEL_ASSERT(n < 128);
    return (unsigned)(n < 64 ? hi >> (63 - n) : lo >> (127 - n)) & 1;
}

static unsigned prefix_bit(const struct prefix *p, unsigned n)
{
    return bit_at(p->addr.hi, p->addr.lo, n);
}

/* How long a prefix the node and p have in common. */
static unsigned common_len(const struct trie_node *n, const struct prefix *p)
{
    struct oriel_addr a = addr_v6(n->hi, n->lo);
    unsigned common = addr_common_bits(&a, &p->addr);
    if (common > n->len)
        common = n->len;
    return common < p->len ? common : p->len;
}

/*
 * The link where p's node is, or where it has to go: what it leads to is p's node, or nothing, or
 * a node that does not lie on the way to p. *above is the link to its parent, NULL at the root.
 */
static uint32_t *find_link(struct route_table *t, const struct prefix *p, uint32_t **above)
{
    uint32_t *link = root_for(t, p);
    *above = NULL;
    while (*link != POOL_NONE) {
        struct trie_node *n = node_at(t, *link);
        if (n->len >= p->len || common_len(n, p) < n->len)
            break;
        *above = link;
        link = &n->child[prefix_bit(p, n->len)];
    }
    return link;
}

static bool is_node_of(const struct route_table *t, uint32_t index, const struct prefix *p)
{
    if (index == POOL_NONE)
        return false;
    const struct trie_node *n = node_at(t, index);
    return n->len == p->len && n->hi == p->addr.hi && n->lo == p->addr.lo;
}

/* Never fails: the pool has two nodes for each route. */
static uint32_t node_new(struct route_table *t, const struct prefix *p)
{
    struct trie_node *n = pool_get(&t->nodes);
    ORIEL_ASSERT(n != NULL);
    *n = (struct trie_node){
        .hi = p->addr.hi,
        .lo = p->addr.lo,
        .child = {POOL_NONE, POOL_NONE},
        .routes = POOL_NONE,
        .len = p->len,
    };
    return pool_index(&t->nodes, n);
}

/* Make p's node, where *link leads to something else or nowhere. */
static uint32_t node_insert(struct route_table *t, uint32_t *link, const struct prefix *p)
{
    uint32_t made = node_new(t, p);
    uint32_t old = *link;
    *link = made;
    if (old == POOL_NONE)
        return made;
    struct trie_node *n = node_at(t, old);
    unsigned common = common_len(n, p);
    if (common < p->len) {
        struct prefix shared = prefix_of(p->addr, common);
        *link = node_new(t, &shared);
        node_at(t, *link)->child[prefix_bit(p, common)] = made;
    }
    node_at(t, *link)->child[bit_at(n->hi, n->lo, common)] = old;
    return made;
}

/* A node without routes and with less than two children has no purpose: close the gap. */
static void node_prune(struct route_table *t, uint32_t *link)
{
    struct trie_node *n = node_at(t, *link);
    if (n->routes != POOL_NONE || (n->child[0] != POOL_NONE && n->child[1] != POOL_NONE))
        return;
    *link = n->child[0] != POOL_NONE ? n->child[0] : n->child[1];
    pool_put(&t->nodes, n);
}

/* ---- chains of routes ---- */

static bool fits(const struct route *r, uint16_t nif)
{
    return nif == 0 || r->nif == nif;
}

static bool same_way(const struct route *r, const struct prefix *p,
                     const struct oriel_addr *gateway, uint16_t nif)
{
    return fits(r, nif) && prefix_eq(&r->prefix, p) && addr_eq(&r->gateway, gateway);
}

/* The first route from that index on that fits, or NULL. */
static struct route *chain_first(const struct route_table *t, uint32_t index, uint16_t nif)
{
    for (; index != POOL_NONE; index = route_at(t, index)->next)
        if (fits(route_at(t, index), nif))
            return route_at(t, index);
    return NULL;
}

/* The link that leads to such a route, or the one at the end of the chain. */
static uint32_t *chain_find(struct route_table *t, uint32_t *link, const struct prefix *p,
                            const struct oriel_addr *gateway, uint16_t nif)
{
    while (*link != POOL_NONE && !same_way(route_at(t, *link), p, gateway, nif))
        link = &route_at(t, *link)->next;
    return link;
}

static void chain_insert(struct route_table *t, uint32_t *link, struct route *r)
{
    while (*link != POOL_NONE && route_at(t, *link)->metric <= r->metric)
        link = &route_at(t, *link)->next;
    r->next = *link;
    *link = pool_index(&t->routes, r);
}

/* ---- the short cut ---- */

static uint32_t slot_of(uint64_t lo)
{
    return (uint32_t)(lo >> (32 - SLOT_BITS)) & (SLOTS - 1);
}

/* A prefix of that slot came or went: find the highest node again. */
static void slot_refresh(struct route_table *t, uint32_t slot)
{
    uint64_t lo = ADDR_V4_MAPPED | (uint64_t)slot << (32 - SLOT_BITS);
    uint32_t at = t->root4;
    while (at != POOL_NONE && node_at(t, at)->len < SLOT_LEN)
        at = node_at(t, at)->child[bit_at(0, lo, node_at(t, at)->len)];
    if (at != POOL_NONE && slot_of(node_at(t, at)->lo) != slot)
        at = POOL_NONE;
    t->slots[slot].below = at;
}

/* The first route of the longest prefix that covers p and is shorter, or POOL_NONE. */
static uint32_t cover_of(const struct route_table *t, const struct prefix *p)
{
    uint32_t best = POOL_NONE;
    for (uint32_t at = t->root4; at != POOL_NONE;) {
        const struct trie_node *n = node_at(t, at);
        if (n->len >= p->len || common_len(n, p) < n->len)
            break;
        best = n->routes != POOL_NONE ? n->routes : best;
        at = n->child[prefix_bit(p, n->len)];
    }
    return best;
}

/* Routes of p were headed by `from` and are now by `to` (POOL_NONE: there were or are none). */
static void slots_on_change(struct route_table *t, const struct prefix *p, uint32_t from,
                            uint32_t to)
{
    if (!t->slots || !prefix_is_v4(p))
        return;
    uint32_t slot = slot_of(p->addr.lo);
    if (p->len >= SLOT_LEN) {
        slot_refresh(t, slot);
        return;
    }
    uint32_t cover = cover_of(t, p);
    from = from != POOL_NONE ? from : cover;
    to = to != POOL_NONE ? to : cover;
    uint32_t end = slot + (1u << (SLOT_LEN - p->len));
    for (; from != to && slot < end; slot++)
        if (t->slots[slot].cover == from)       /* others have a longer prefix */
            t->slots[slot].cover = to;
}

/* ---- changes ---- */

int route_add(struct route_table *t, const struct route *r)
{
    struct prefix p = prefix_of(r->prefix.addr, r->prefix.len);
    uint32_t *above;
    uint32_t *link = find_link(t, &p, &above);
    uint32_t at = *link;
    if (!is_node_of(t, at, &p))
        at = POOL_NONE;
    else if (*chain_find(t, &node_at(t, at)->routes, &p, &r->gateway, r->nif) != POOL_NONE)
        return ORIEL_EEXIST;
    struct route *made = pool_get(&t->routes);
    if (!made)
        return ORIEL_ENOBUFS;
    *made = *r;
    made->prefix = p;
    if (at == POOL_NONE)
        at = node_insert(t, link, &p);
    uint32_t head = node_at(t, at)->routes;
    chain_insert(t, &node_at(t, at)->routes, made);
    slots_on_change(t, &p, head, node_at(t, at)->routes);
    return 0;
}

int route_del(struct route_table *t, const struct prefix *p, const struct oriel_addr *gateway,
              uint16_t nif)
{
    struct prefix q = prefix_of(p->addr, p->len);
    uint32_t *above;
    uint32_t *link = find_link(t, &q, &above);
    if (!is_node_of(t, *link, &q))
        return ORIEL_ENOENT;
    uint32_t *head = &node_at(t, *link)->routes;
    uint32_t *chained = chain_find(t, head, &q, gateway, nif);
    if (*chained == POOL_NONE)
        return ORIEL_ENOENT;
    uint32_t was = *head;
    struct route *r = route_at(t, *chained);
    *chained = r->next;
    uint32_t is = *head;
    pool_put(&t->routes, r);
    node_prune(t, link);
    if (above)
        node_prune(t, above);
    slots_on_change(t, &q, was, is);
    return 0;
}

uint32_t route_drop_nif(struct route_table *t, uint16_t nif)
{
    uint32_t gone = 0;
    uint32_t cursor = 0;
    const struct route *next;
    for (const struct route *r = route_each(t, &cursor); r; r = next) {
        next = route_each(t, &cursor);      /* known before r goes, and stays */
        if (r->nif != nif)
            continue;
        struct route copy = *r;
        int err = route_del(t, &copy.prefix, &copy.gateway, nif);
        ORIEL_ASSERT(err == 0);
        gone++;
    }
    return gone;
}

/* ---- look-up ---- */

/* Do the words differ in their first n bits, n 0..64? */
static bool differ(uint64_t a, uint64_t b, unsigned n)
{
    return n != 0 && (a ^ b) >> (64 - n) != 0;
}

static bool covers(const struct trie_node *n, const struct oriel_addr *a)
{
    if (n->len <= 64)
        return !differ(n->hi, a->hi, n->len);
    return n->hi == a->hi && !differ(n->lo, a->lo, n->len - 64u);
}

/* The last node on the way to an IPv4 address that has routes: their first, or POOL_NONE. */
static uint32_t lookup4(const struct route_table *t, uint64_t lo)
{
    uint32_t best = POOL_NONE;
    uint32_t at = t->root4;
    if (t->slots) {
        best = t->slots[slot_of(lo)].cover;
        at = t->slots[slot_of(lo)].below;
    }
    while (at != POOL_NONE) {
        const struct trie_node *n = node_at(t, at);
        if (differ(n->lo, lo, n->len - 64u))
            break;
        best = n->routes != POOL_NONE ? n->routes : best;
        if (n->len == 128)
            break;
        at = n->child[(lo >> (127u - n->len)) & 1];
    }
    return best;
}

static uint32_t lookup6(const struct route_table *t, const struct oriel_addr *a)
{
    uint32_t best = POOL_NONE;
    for (uint32_t at = t->root6; at != POOL_NONE;) {
        const struct trie_node *n = node_at(t, at);
        if (!covers(n, a))
            break;
        best = n->routes != POOL_NONE ? n->routes : best;
        if (n->len == 128)
            break;
        at = n->child[bit_at(a->hi, a->lo, n->len)];
    }
    return best;
}

/* The same for routes over one interface: chains have to be looked into. */
static const struct route *lookup_over(const struct route_table *t, const struct oriel_addr *a,
                                       uint16_t nif)
{
    const struct route *best = NULL;
    for (uint32_t at = addr_is_v4(a) ? t->root4 : t->root6; at != POOL_NONE;) {
        const struct trie_node *n = node_at(t, at);
        if (!covers(n, a))
            break;
        const struct route *r = chain_first(t, n->routes, nif);
        best = r ? r : best;
        if (n->len == 128)
            break;
        at = n->child[bit_at(a->hi, a->lo, n->len)];
    }
    return best;
}

const struct route *route_lookup(const struct route_table *t, const struct oriel_addr *dst,
                                 uint16_t nif)
{
    if (nif == 0)
        nif = (uint16_t)dst->zone;
    if (nif != 0)
        return lookup_over(t, dst, nif);
    uint32_t at = addr_is_v4(dst) ? lookup4(t, dst->lo) : lookup6(t, dst);
    return at == POOL_NONE ? NULL : route_at(t, at);
}

const struct route *route_next(const struct route_table *t, const struct route *r, uint16_t nif)
{
    const struct route *n = r;
    do {
        n = chain_first(t, n->next, nif);
    } while (n && !prefix_eq(&n->prefix, &r->prefix));     /* the same bits in another zone */
    return n;
}

/* ---- walking ---- */

/* The first node of a subtree that has routes; forks have two children, so it is on the left. */
static uint32_t first_with_routes(const struct route_table *t, uint32_t at)
{
    while (at != POOL_NONE && node_at(t, at)->routes == POOL_NONE)
        at = node_at(t, at)->child[0];
    return at;
}

/* The node after p's in the order of the walk: below it, or right of the way that led to it. */
static uint32_t node_after(const struct route_table *t, const struct prefix *p)
{
    uint32_t right = prefix_is_v4(p) ? t->root6 : POOL_NONE;
    uint32_t at = prefix_is_v4(p) ? t->root4 : t->root6;
    while (!is_node_of(t, at, p)) {
        const struct trie_node *n = node_at(t, at);
        unsigned bit = prefix_bit(p, n->len);
        if (bit == 0 && n->child[1] != POOL_NONE)
            right = n->child[1];
        at = n->child[bit];
    }
    const struct trie_node *n = node_at(t, at);
    if (n->child[0] != POOL_NONE)
        return first_with_routes(t, n->child[0]);
    return first_with_routes(t, n->child[1] != POOL_NONE ? n->child[1] : right);
}

/* The cursor is the index of the route given last, plus one. */
const struct route *route_each(const struct route_table *t, uint32_t *cursor)
{
    uint32_t at = POOL_NONE;
    if (*cursor != 0)
        at = route_at(t, *cursor - 1)->next;
    if (at == POOL_NONE) {
        uint32_t node = first_with_routes(t, t->root4 != POOL_NONE ? t->root4 : t->root6);
        if (*cursor != 0)
            node = node_after(t, &route_at(t, *cursor - 1)->prefix);
        if (node == POOL_NONE)
            return NULL;
        at = node_at(t, node)->routes;
    }
    *cursor = at + 1;
    return route_at(t, at);
}
