/*
 * Source address selection (RFC 6724, section 5, with the default policy table): rules 1, 2, 3, 5,
 * 6 and 8. Rules 4 (mobility) and 7 (temporary addresses) have nothing to choose between here.
 */
#include "ip/ip.h"

struct policy {
    uint64_t hi, lo;
    uint8_t len;
    uint8_t label;
};

/* RFC 6724, 2.1; the longest match first. */
static const struct policy policies[] = {
    {0, 1, 128, 0},                                     /* ::1 */
    {0, (uint64_t)0xffff << 32, 96, 4},                 /* ::ffff:0:0/96 */
    {0, 0, 96, 3},                                      /* ::/96 */
    {0x2001000000000000, 0, 32, 5},                     /* Teredo */
    {0x2002000000000000, 0, 16, 2},                     /* 6to4 */
    {0x3ffe000000000000, 0, 16, 12},                    /* 6bone */
    {0xfec0000000000000, 0, 10, 11},                    /* site-local */
    {0xfc00000000000000, 0, 7, 13},                     /* ULA */
};

static unsigned label_of(const struct oriel_addr *a)
{
    for (unsigned i = 0; i < ARRAY_LEN(policies); i++) {
        const struct policy *p = &policies[i];
        struct prefix prefix = {.addr = addr_v6(p->hi, p->lo), .len = p->len};
        if (prefix_has(&prefix, a))
            return p->label;
    }
    return 1;
}

/* Rule 2, as a number: how well the scope of a candidate serves dst; higher is better. */
static int scope_rank(const struct oriel_addr *a, const struct oriel_addr *dst)
{
    int s = (int)addr_scope(a), d = (int)addr_scope(dst);
    return s >= d ? 100 - s : s;        /* at least as wide, and no wider than needed */
}

/* Is a better than b as a source towards dst? */
static bool better(const struct ifaddr *a, const struct ifaddr *b, const struct oriel_addr *dst,
                   uint16_t nif)
{
    bool same_a = addr_same_bits(&a->addr, dst), same_b = addr_same_bits(&b->addr, dst);
    if (same_a != same_b)                                               /* rule 1 */
        return same_a;
    int rank_a = scope_rank(&a->addr, dst), rank_b = scope_rank(&b->addr, dst);
    if (rank_a != rank_b)                                               /* rule 2 */
        return rank_a > rank_b;
    if (a->state != b->state)                                           /* rule 3 */
        return a->state == ADDR_PREFERRED;
    if ((a->nif == nif) != (b->nif == nif))                             /* rule 5 */
        return a->nif == nif;
    bool label_a = label_of(&a->addr) == label_of(dst), label_b = label_of(&b->addr) == label_of(dst);
    if (label_a != label_b)                                             /* rule 6 */
        return label_a;
    unsigned bits_a = addr_common_bits(&a->addr, dst), bits_b = addr_common_bits(&b->addr, dst);
    if (bits_a > a->prefix_len)                 /* rule 8 compares within the prefix only */
        bits_a = a->prefix_len;
    if (bits_b > b->prefix_len)
        bits_b = b->prefix_len;
    return bits_a > bits_b;
}

bool ip_source_for(const struct ip *ip, const struct oriel_addr *dst, uint16_t nif,
                   struct oriel_addr *out)
{
    const struct ifaddr *best = NULL;
    bool v4 = addr_is_v4(dst);
    bool narrow = addr_scope(dst) <= SCOPE_LINK && !v4;     /* only that interface's (RFC 6724, 4) */
    for (uint16_t i = 1; i <= ip->link->used; i++) {
        if (!netif_at(ip->link, i) || (narrow && i != nif))
            continue;
        LIST_EACH(node, &ip_if_of(ip, i)->addrs) {
            const struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
            bool foreign = a->nif != nif && (addr_is_link_local(&a->addr) ||
                                             addr_is_loopback(&a->addr));
            if (addr_is_v4(&a->addr) != v4 || !ifaddr_usable(a) || foreign)
                continue;
            if (!best || better(a, best, dst, nif))
                best = a;
        }
    }
    if (best)
        *out = best->addr;
    return best != NULL;
}
