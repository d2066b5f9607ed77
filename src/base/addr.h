/*
 * Addresses and prefixes: arithmetic on struct oriel_addr (oriel.h), link-layer addresses, and
 * their text.
 *
 * One type for both families: a 128-bit number in host order, IPv4 held as mapped
 * (::ffff:a.b.c.d), and a zone (interface index) that only link-local scope uses. Prefix lengths
 * are always 0..128: an IPv4 /24 is held as 120.
 */
#ifndef ORIEL_BASE_ADDR_H
#define ORIEL_BASE_ADDR_H

#include "base/bytes.h"
#include "base/text.h"

struct mac {
    uint8_t b[6];
};

struct prefix {
    struct oriel_addr addr;     /* bits beyond len are zero */
    uint8_t len;                /* 0..128 */
};

enum addr_scope {               /* RFC 4007 and 6724, 3.1 */
    SCOPE_INTERFACE = 1,
    SCOPE_LINK = 2,
    SCOPE_REALM = 3,            /* RFC 7346 */
    SCOPE_ADMIN = 4,
    SCOPE_SITE = 5,
    SCOPE_ORG = 8,
    SCOPE_GLOBAL = 14,
};

#define ADDR_V4_MAPPED ((uint64_t)0xffff << 32)
#define ADDR_TEXT_MAX  60       /* the longest address with a zone, and its NUL */

#define MAC_BROADCAST ((struct mac){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})
#define MAC_NONE      ((struct mac){{0, 0, 0, 0, 0, 0}})

static inline struct oriel_addr addr_v4(uint32_t v4)
{
    return (struct oriel_addr){.hi = 0, .lo = ADDR_V4_MAPPED | v4, .zone = 0};
}

static inline struct oriel_addr addr_v6(uint64_t hi, uint64_t lo)
{
    return (struct oriel_addr){.hi = hi, .lo = lo, .zone = 0};
}

#define ADDR_NONE     ((struct oriel_addr){0, 0, 0})   /* :: ; "not given" in both families */
#define ADDR_V4_ANY   ((struct oriel_addr){0, ADDR_V4_MAPPED, 0})
#define ADDR_V4_BCAST ((struct oriel_addr){0, ADDR_V4_MAPPED | 0xffffffff, 0})
#define ADDR_V6_ALL_NODES   ((struct oriel_addr){0xff02000000000000, 1, 0})
#define ADDR_V6_ALL_ROUTERS ((struct oriel_addr){0xff02000000000000, 2, 0})

static inline bool addr_is_v4(const struct oriel_addr *a)
{
    return a->hi == 0 && (a->lo >> 32) == 0xffff;
}

/* The 32 bits of a mapped address. */
static inline uint32_t addr_to_v4(const struct oriel_addr *a)
{
    return (uint32_t)a->lo;
}

/*
 * Equal as numbers and, in link-local scope, as zones; zone 0 is any zone. So equality is not
 * transitive: a table hashes the number alone.
 */
bool addr_eq_zones(const struct oriel_addr *a, const struct oriel_addr *b);  /* of the same bits */

static inline bool addr_same_bits(const struct oriel_addr *a, const struct oriel_addr *b)
{
    return a->hi == b->hi && a->lo == b->lo;
}

static inline bool addr_eq(const struct oriel_addr *a, const struct oriel_addr *b)
{
    return addr_same_bits(a, b) && (oriel_likely(a->zone == b->zone) || addr_eq_zones(a, b));
}

/* The same in every bit, the zone included: two questions that have one answer. */
static inline bool addr_identical(const struct oriel_addr *a, const struct oriel_addr *b)
{
    return addr_same_bits(a, b) && a->zone == b->zone;
}

/* :: or 0.0.0.0 */
static inline bool addr_is_unspecified(const struct oriel_addr *a)
{
    return a->hi == 0 && (a->lo == 0 || a->lo == ADDR_V4_MAPPED);
}

static inline bool addr_is_multicast(const struct oriel_addr *a)
{
    return addr_is_v4(a) ? addr_to_v4(a) >> 28 == 0xe : a->hi >> 56 == 0xff;
}

bool addr_is_loopback(const struct oriel_addr *a);      /* 127/8, ::1 */
bool addr_is_link_local(const struct oriel_addr *a);    /* 169.254/16, fe80::/10 */
bool addr_is_limited_broadcast(const struct oriel_addr *a);
bool addr_is_class_e(const struct oriel_addr *a);       /* 240/4 without the broadcast address */

/* Of an IPv6 group, the four bits that it carries: they may have no name in the enum. */
enum addr_scope addr_scope(const struct oriel_addr *a);

struct oriel_addr addr_solicited_node(const struct oriel_addr *a);  /* RFC 4291, 2.7.1 */
struct mac addr_multicast_mac(const struct oriel_addr *group);      /* RFC 1112, 6.4; 2464, 7 */

/* Length of the longest common prefix, 0..128. */
unsigned addr_common_bits(const struct oriel_addr *a, const struct oriel_addr *b);

/* -1, 0, 1: a total order for tables that are shown; not an order of the wire. */
int addr_cmp(const struct oriel_addr *a, const struct oriel_addr *b);

/* ---- prefixes ---- */

/* Masks the address; the zone stays where what is left is link-local. */
struct prefix prefix_of(struct oriel_addr a, unsigned len);
struct prefix prefix_v4(uint32_t v4, unsigned len4);                /* len4 0..32 */
bool prefix_has(const struct prefix *p, const struct oriel_addr *a);
bool prefix_eq(const struct prefix *p, const struct prefix *q);

/* The directed broadcast; ADDR_NONE for a /31 and a /32, which have none (RFC 3021, 2.1). */
struct oriel_addr prefix_v4_broadcast(const struct prefix *p);

/* ---- link-layer addresses ---- */

static inline bool mac_eq(const struct mac *a, const struct mac *b)
{
    return memcmp(a->b, b->b, 6) == 0;
}

static inline bool mac_is_group(const struct mac *m)
{
    return (m->b[0] & 1) != 0;
}

static inline bool mac_is_broadcast(const struct mac *m)
{
    return mac_eq(m, &MAC_BROADCAST);
}

static inline bool mac_is_zero(const struct mac *m)
{
    return mac_eq(m, &MAC_NONE);
}

/* ---- bytes ---- */

struct oriel_addr rd_addr4(struct rd *r);
struct oriel_addr rd_addr6(struct rd *r);
void wr_addr4(struct wr *w, const struct oriel_addr *a);
void wr_addr6(struct wr *w, const struct oriel_addr *a);
struct mac rd_mac(struct rd *r);
void wr_mac(struct wr *w, const struct mac *m);

/* ---- text: RFC 5952 for IPv6, dotted quads for IPv4, %zone where there is one ---- */

void txt_addr(struct txt *t, const struct oriel_addr *a);
void txt_prefix(struct txt *t, const struct prefix *p);             /* an IPv4 /24 says /24 */
void txt_mac(struct txt *t, const struct mac *m);

/*
 * All of the text must be used. False leaves *out alone. The zone is a number from 1, and only
 * where the scope is link-local: `fe80::1%2`, `fe80::1%2/64`.
 */
bool addr_parse(struct span text, struct oriel_addr *out);

/* `address/length`; the second keeps the host bits. An IPv4 length comes out as 96..128. */
bool prefix_parse(struct span text, struct prefix *out);
bool addr_and_len_parse(struct span text, struct oriel_addr *addr, uint8_t *len);

bool mac_parse(struct span text, struct mac *out);

#endif
