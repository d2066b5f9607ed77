/*
 * Addresses as 128-bit numbers, their scopes, and their text.
 *
 * Because IPv4 lives in ::ffff:0:0/96, one mask and one comparison serve both families; only scope,
 * multicast and text need to ask which one it is. Text is RFC 5952 on the way out; on the way in,
 * what RFC 4291, 2.2 allows and not a character more: octal-looking quads, shortened quads and
 * named zones are refused, because other programs disagree about what they mean.
 */
#include "base/addr.h"

#define GROUPS 8            /* of 16 bits, in the text of an IPv6 address */
#define NO_GAP (GROUPS + 1)
#define V4_LEN_OFFSET 96u   /* an IPv4 /0 is held as /96 */

#define SCOPE_RESERVED_LAST 15u

/* ---- kinds of address ---- */

bool addr_is_loopback(const struct oriel_addr *a)
{
    if (addr_is_v4(a))
        return addr_to_v4(a) >> 24 == 127;
    return a->hi == 0 && a->lo == 1;
}

bool addr_is_link_local(const struct oriel_addr *a)
{
    if (addr_is_v4(a))
        return addr_to_v4(a) >> 16 == 0xa9fe;
    return a->hi >> 54 == 0xfe80 >> 6;
}

bool addr_is_limited_broadcast(const struct oriel_addr *a)
{
    return addr_is_v4(a) && addr_to_v4(a) == UINT32_MAX;
}

bool addr_is_class_e(const struct oriel_addr *a)
{
    return addr_is_v4(a) && addr_to_v4(a) >> 28 == 0xf && addr_to_v4(a) != UINT32_MAX;
}

/* RFC 2365, 8: the scopes of IPv4 groups, in the numbers of IPv6. */
static enum addr_scope scope_of_v4_group(uint32_t v4)
{
    if (v4 >> 8 == 0xe00000)            /* 224.0.0/24 */
        return SCOPE_LINK;
    if (v4 >> 16 == 0xefff)             /* 239.255/16 */
        return SCOPE_REALM;
    if (v4 >> 18 == 0xefc00000 >> 18)   /* 239.192/14 */
        return SCOPE_ORG;
    return SCOPE_GLOBAL;
}

/* RFC 4291, 2.7: a group carries its scope; the last, reserved one is treated as global. */
static enum addr_scope scope_of_v6_group(const struct oriel_addr *a)
{
    unsigned scop = (unsigned)(a->hi >> 48) & 15;
    return scop == SCOPE_RESERVED_LAST ? SCOPE_GLOBAL : (enum addr_scope)scop;
}

enum addr_scope addr_scope(const struct oriel_addr *a)
{
    if (addr_is_multicast(a))
        return addr_is_v4(a) ? scope_of_v4_group(addr_to_v4(a)) : scope_of_v6_group(a);
    if (addr_is_link_local(a))
        return SCOPE_LINK;
    if (addr_is_loopback(a))            /* RFC 4007, 4 and RFC 6724, 3.2: as link-local */
        return SCOPE_LINK;
    if (a->hi >> 54 == 0xfec0 >> 6)     /* RFC 6724, 3.1: deprecated, its scope is still this */
        return SCOPE_SITE;
    return SCOPE_GLOBAL;
}

/* The same loopback address is not another one on another interface. */
static bool zone_has_meaning(const struct oriel_addr *a)
{
    return addr_scope(a) == SCOPE_LINK && !addr_is_loopback(a);
}

bool addr_eq_zones(const struct oriel_addr *a, const struct oriel_addr *b)
{
    return a->zone == b->zone || a->zone == 0 || b->zone == 0 || !zone_has_meaning(a);
}

int addr_cmp(const struct oriel_addr *a, const struct oriel_addr *b)
{
    if (a->hi != b->hi)
        return a->hi < b->hi ? -1 : 1;
    if (a->lo != b->lo)
        return a->lo < b->lo ? -1 : 1;
    if (a->zone != b->zone)
        return a->zone < b->zone ? -1 : 1;
    return 0;
}

/* ---- groups ---- */

struct oriel_addr addr_solicited_node(const struct oriel_addr *a)
{
    ORIEL_ASSERT(!addr_is_v4(a));
    struct oriel_addr group = addr_v6(0xff02000000000000, 0x00000001ff000000 | (a->lo & 0xffffff));
    group.zone = a->zone;
    return group;
}

struct mac addr_multicast_mac(const struct oriel_addr *group)
{
    ORIEL_ASSERT(addr_is_multicast(group));
    uint8_t b2 = (uint8_t)(group->lo >> 24);
    uint8_t b3 = (uint8_t)(group->lo >> 16);
    uint8_t b4 = (uint8_t)(group->lo >> 8);
    uint8_t b5 = (uint8_t)group->lo;
    if (addr_is_v4(group))
        return (struct mac){{0x01, 0x00, 0x5e, b3 & 0x7f, b4, b5}};
    return (struct mac){{0x33, 0x33, b2, b3, b4, b5}};
}

/* ---- prefixes ---- */

unsigned addr_common_bits(const struct oriel_addr *a, const struct oriel_addr *b)
{
    if (a->hi != b->hi)
        return 63 - bit_highest(a->hi ^ b->hi);
    if (a->lo != b->lo)
        return 127 - bit_highest(a->lo ^ b->lo);
    return 128;
}

/* A word whose first n bits are set, n 0..64. */
static uint64_t first_bits(unsigned n)
{
    return n == 0 ? 0 : UINT64_MAX << (64 - n);
}

struct prefix prefix_of(struct oriel_addr a, unsigned len)
{
    ORIEL_ASSERT(len <= 128);
    a.hi &= first_bits(len < 64 ? len : 64);
    a.lo &= first_bits(len < 64 ? 0 : len - 64);
    if (!zone_has_meaning(&a))
        a.zone = 0;
    return (struct prefix){.addr = a, .len = (uint8_t)len};
}

struct prefix prefix_v4(uint32_t v4, unsigned len4)
{
    ORIEL_ASSERT(len4 <= 32);
    return prefix_of(addr_v4(v4), V4_LEN_OFFSET + len4);
}

bool prefix_has(const struct prefix *p, const struct oriel_addr *a)
{
    struct prefix q = prefix_of(*a, p->len);
    return addr_eq(&p->addr, &q.addr);
}

bool prefix_eq(const struct prefix *p, const struct prefix *q)
{
    return p->len == q->len && addr_eq(&p->addr, &q->addr);
}

static bool prefix_is_v4(const struct prefix *p)
{
    return addr_is_v4(&p->addr) && p->len >= V4_LEN_OFFSET;
}

struct oriel_addr prefix_v4_broadcast(const struct prefix *p)
{
    ORIEL_ASSERT(prefix_is_v4(p));
    if (p->len >= 127)      /* RFC 3021, 2.1: in a /31 all ones is a host */
        return ADDR_NONE;
    return addr_v6(p->addr.hi, p->addr.lo | ~first_bits(p->len - 64u));
}

/* ---- bytes ---- */

struct oriel_addr rd_addr4(struct rd *r)
{
    return addr_v4(rd_u32(r));
}

struct oriel_addr rd_addr6(struct rd *r)
{
    struct rd h = rd_sub(r, 16);
    uint64_t hi = rd_u64(&h);
    uint64_t lo = rd_u64(&h);
    return addr_v6(hi, lo);
}

void wr_addr4(struct wr *w, const struct oriel_addr *a)
{
    ORIEL_ASSERT(addr_is_v4(a));
    wr_u32(w, addr_to_v4(a));
}

void wr_addr6(struct wr *w, const struct oriel_addr *a)
{
    uint8_t *room = wr_room(w, 16);
    if (!room)
        return;
    struct wr h = wr_of(room, 16);
    wr_u64(&h, a->hi);
    wr_u64(&h, a->lo);
}

struct mac rd_mac(struct rd *r)
{
    struct mac m;
    rd_copy(r, m.b, sizeof m.b);
    return m;
}

void wr_mac(struct wr *w, const struct mac *m)
{
    wr_bytes(w, span_of(m->b, sizeof m->b));
}

/* ---- to text ---- */

static void print_v4(struct txt *t, uint32_t v4)
{
    for (unsigned shift = 32; shift > 0;) {
        shift -= 8;
        txt_u(t, (v4 >> shift) & 0xff);
        if (shift > 0)
            txt_c(t, '.');
    }
}

static uint16_t group_at(const struct oriel_addr *a, unsigned i)
{
    return (uint16_t)((i < 4 ? a->hi : a->lo) >> (48 - 16 * (i & 3)));
}

struct run {
    unsigned at;
    unsigned n;
};

/* RFC 5952, 4.2: the longest run of zero groups, the first of equals, and never just one group. */
static struct run find_gap(const struct oriel_addr *a)
{
    struct run best = {.at = NO_GAP, .n = 1};
    struct run here = {.at = 0, .n = 0};
    for (unsigned i = 0; i < GROUPS; i++) {
        if (group_at(a, i) != 0) {
            here = (struct run){.at = i + 1, .n = 0};
            continue;
        }
        here.n++;
        if (here.n > best.n)
            best = here;
    }
    return best;
}

static void print_v6(struct txt *t, const struct oriel_addr *a)
{
    struct run gap = find_gap(a);
    for (unsigned i = 0; i < GROUPS; i++) {
        if (i == gap.at) {
            txt_s(t, "::");
            i += gap.n - 1;
            continue;
        }
        if (i > 0 && i != gap.at + gap.n)
            txt_c(t, ':');
        uint16_t g = group_at(a, i);
        txt_hex(t, g, g == 0 ? 1 : bit_highest(g) / 4 + 1);
    }
}

void txt_addr(struct txt *t, const struct oriel_addr *a)
{
    if (addr_is_v4(a))
        print_v4(t, addr_to_v4(a));
    else
        print_v6(t, a);
    if (a->zone != 0) {
        txt_c(t, '%');
        txt_u(t, a->zone);
    }
}

void txt_prefix(struct txt *t, const struct prefix *p)
{
    txt_addr(t, &p->addr);
    txt_c(t, '/');
    txt_u(t, prefix_is_v4(p) ? p->len - V4_LEN_OFFSET : p->len);
}

void txt_mac(struct txt *t, const struct mac *m)
{
    txt_hex_bytes(t, span_of(m->b, sizeof m->b), ':');
}

/* ---- from text: each take_* uses up the start of *s, or says no ---- */

static void advance(struct span *s, size_t n)
{
    *s = span_of(s->p + n, s->n - n);
}

static bool take_char(struct span *s, char c)
{
    if (s->n == 0 || s->p[0] != (uint8_t)c)
        return false;
    advance(s, 1);
    return true;
}

/* Decimal without leading zeros: 010 is eight to some programs and ten to others. */
static bool take_decimal(struct span *s, uint32_t max, uint32_t *out)
{
    size_t n = 0;
    uint64_t v = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') {
        v = v * 10 + (uint64_t)(s->p[n] - '0');
        n++;
        if (v > max)
            return false;
    }
    if (n == 0 || (n > 1 && s->p[0] == '0'))
        return false;
    advance(s, n);
    *out = (uint32_t)v;
    return true;
}

/* Digits of either case; more or fewer than asked for is a no. */
static bool take_hex(struct span *s, unsigned digits_min, unsigned digits_max, uint32_t *out)
{
    unsigned n = 0;
    uint32_t v = 0;
    for (; n < s->n; n++) {
        uint8_t c = s->p[n];
        bool is_decimal = c >= '0' && c <= '9';
        uint8_t letter = c | 0x20;
        if (!is_decimal && (letter < 'a' || letter > 'f'))
            break;
        if (n == digits_max)
            return false;
        v = v << 4 | (uint32_t)(is_decimal ? c - '0' : letter - 'a' + 10);
    }
    if (n < digits_min)
        return false;
    advance(s, n);
    *out = v;
    return true;
}

static bool parse_v4(struct span s, uint32_t *out)
{
    uint32_t v4 = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t octet;
        if (i > 0 && !take_char(&s, '.'))
            return false;
        if (!take_decimal(&s, 255, &octet))
            return false;
        v4 = v4 << 8 | octet;
    }
    *out = v4;
    return s.n == 0;
}

struct groups {
    uint16_t v[GROUPS];
    unsigned n;             /* groups read so far */
    unsigned gap;           /* groups that stand before the `::`, or NO_GAP */
};

/* A group, or the dotted quad that may take the place of the last two. */
static bool take_group(struct span *s, struct groups *g)
{
    uint32_t v;
    if (g->n + 2 <= GROUPS && parse_v4(*s, &v)) {
        advance(s, s->n);
        g->v[g->n++] = (uint16_t)(v >> 16);
        g->v[g->n++] = (uint16_t)v;
        return true;
    }
    if (g->n == GROUPS || !take_hex(s, 1, 4, &v))
        return false;
    g->v[g->n++] = (uint16_t)v;
    return true;
}

/* The number that the groups make; `::` stands for one zero group or more. */
static bool groups_join(const struct groups *g, struct oriel_addr *out)
{
    if (g->gap == NO_GAP ? g->n != GROUPS : g->n == GROUPS)
        return false;
    unsigned zeros = GROUPS - g->n;
    uint64_t half[2] = {0, 0};
    for (unsigned i = 0; i < g->n; i++) {
        unsigned at = i < g->gap ? i : i + zeros;
        half[at / 4] |= (uint64_t)g->v[i] << (48 - 16 * (at & 3));
    }
    *out = addr_v6(half[0], half[1]);
    return true;
}

static bool parse_v6(struct span s, struct oriel_addr *out)
{
    struct groups g = {.n = 0, .gap = NO_GAP};
    if (s.n >= 2 && s.p[0] == ':' && s.p[1] == ':') {
        g.gap = 0;
        advance(&s, 2);
    }
    while (s.n > 0) {
        if (!take_group(&s, &g))
            return false;
        if (s.n == 0)
            break;
        if (!take_char(&s, ':') || s.n == 0)
            return false;
        if (take_char(&s, ':')) {
            if (g.gap != NO_GAP)
                return false;
            g.gap = g.n;
        }
    }
    return groups_join(&g, out);
}

/* Offset of c in s, or s.n. */
static size_t find_char(struct span s, char c)
{
    size_t i = 0;
    while (i < s.n && s.p[i] != (uint8_t)c)
        i++;
    return i;
}

static bool is_v6_text(struct span text)
{
    return find_char(text, ':') < text.n;
}

bool addr_parse(struct span text, struct oriel_addr *out)
{
    size_t n = find_char(text, '%');
    struct span number = span_of(text.p, n);
    struct oriel_addr a;
    uint32_t v4;
    if (is_v6_text(number)) {
        if (!parse_v6(number, &a))
            return false;
    } else {
        if (!parse_v4(number, &v4))
            return false;
        a = addr_v4(v4);
    }
    if (n < text.n) {
        struct span zone = span_of(text.p + n + 1, text.n - n - 1);
        if (!zone_has_meaning(&a) || !take_decimal(&zone, UINT32_MAX, &a.zone))
            return false;
        if (zone.n > 0 || a.zone == 0)
            return false;
    }
    *out = a;
    return true;
}

bool addr_and_len_parse(struct span text, struct oriel_addr *addr, uint8_t *len)
{
    size_t n = find_char(text, '/');
    if (n == text.n)
        return false;
    struct span host = span_of(text.p, n);
    struct span rest = span_of(text.p + n + 1, text.n - n - 1);
    bool is_v6 = is_v6_text(host);
    uint32_t v;
    if (!take_decimal(&rest, is_v6 ? 128 : 32, &v) || rest.n > 0)
        return false;
    if (!addr_parse(host, addr))
        return false;
    *len = (uint8_t)(is_v6 ? v : v + V4_LEN_OFFSET);
    return true;
}

bool prefix_parse(struct span text, struct prefix *out)
{
    struct oriel_addr a;
    uint8_t len;
    if (!addr_and_len_parse(text, &a, &len))
        return false;
    *out = prefix_of(a, len);
    return true;
}

bool mac_parse(struct span text, struct mac *out)
{
    struct mac m;
    for (unsigned i = 0; i < sizeof m.b; i++) {
        uint32_t v;
        if (i > 0 && !take_char(&text, ':'))
            return false;
        if (!take_hex(&text, 2, 2, &v))
            return false;
        m.b[i] = (uint8_t)v;
    }
    if (text.n > 0)
        return false;
    *out = m;
    return true;
}
