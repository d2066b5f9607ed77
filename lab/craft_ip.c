/* IPv4 and IPv6 with their options and extension headers. */
#include "lab/craft_layer.h"

#define NO_OVERRIDE UINT64_MAX

const struct craft_name craft_protos[] = {
    {"icmp", IP_ICMP},
    {"igmp", IP_IGMP},
    {"tcp", IP_TCP},
    {"udp", IP_UDP},
    {"ip", IP_IPIP},
    {"ip6", IP_IP6IN4},
    {"icmp6", IP_ICMP6},
    {"none", IP_NONE},
    {NULL, 0},
};

/* What goes into the field that names the next protocol. Nothing inside IPv6 has a number, too. */
static uint8_t proto_of_next(const struct craft *c, bool v6)
{
    const struct craft_kind *next = craft_next(c);
    if (!next)
        return v6 ? IP_NONE : CRAFT_NO_PROTO;
    return next->proto < 0 ? CRAFT_NO_PROTO : (uint8_t)next->proto;
}

/* Each layer restores the addresses around it: what is inside (a tunnel, a quote) has its own. */
struct endpoints {
    struct oriel_addr src;
    struct oriel_addr dst;
};

static struct endpoints enter(struct craft *c, const struct oriel_addr *src,
                              const struct oriel_addr *dst)
{
    struct endpoints outer = {c->src, c->dst};
    c->src = *src;
    c->dst = *dst;
    return outer;
}

static void leave(struct craft *c, const struct endpoints *outer)
{
    c->src = outer->src;
    c->dst = outer->dst;
}

/* ---- IPv4 ---- */

struct ip4_args {
    struct oriel_addr src;
    struct oriel_addr dst;
    uint64_t version;
    uint64_t ihl;
    uint64_t len;
    uint64_t tos;
    uint64_t id;
    uint64_t flags;
    uint64_t off;
    uint64_t ttl;
    uint64_t proto;
    struct craft_csum csum;
    struct craft_part part;
    uint8_t opts_buf[IP4_OPTS_MAX];
    struct wr opts;
};

static void take_ip4_options(struct craft *c, struct ip4_args *a)
{
    a->opts = wr_of(a->opts_buf, sizeof a->opts_buf);
    struct craft_word word;
    size_t it = 0;
    while (!craft_failed(c) && craft_word_next(c, &it, &word)) {
        if (span_is(word.text, "ra"))
            wr_u32(&a->opts, 0x94040000);
        else if (span_is(word.key, "opt") && word.value.p)
            craft_text_hex(c, word.value, &a->opts);
        else
            continue;
        craft_take(c, &word);
    }
    while (!a->opts.bad && wr_len(&a->opts) % 4 != 0)
        wr_u8(&a->opts, IP4_OPT_EOL);
}

static uint64_t take_ip4_flags(struct craft *c)
{
    uint64_t rf = craft_flag(c, "rf") ? 0x8000 : 0;
    uint64_t df = craft_flag(c, "df") ? IP4_DF : 0;
    uint64_t mf = craft_flag(c, "mf") ? IP4_MF : 0;
    return rf | df | mf;
}

/* Byte offsets go over the wire in units of eight. */
static uint64_t take_off(struct craft *c)
{
    struct span v = craft_value(c, "off");
    uint64_t off = v.p ? craft_text_u(c, v, 0xfff8) : 0;
    if (off % 8 != 0)
        craft_fail(c, v, "a multiple of 8");
    return off;
}

static void take_ip4(struct craft *c, struct ip4_args *a)
{
    a->src = craft_addr(c, "src", false, NULL);
    a->dst = craft_addr(c, "dst", false, NULL);
    a->version = craft_u(c, "version", 15, 4);
    a->len = craft_u(c, "len", UINT16_MAX, NO_OVERRIDE);
    a->ihl = craft_u(c, "ihl", 15, NO_OVERRIDE);
    a->tos = craft_u(c, "tos", UINT8_MAX, 0);
    a->id = craft_u(c, "id", UINT16_MAX, 0);
    a->flags = take_ip4_flags(c);
    a->off = take_off(c);
    a->ttl = craft_u(c, "ttl", UINT8_MAX, craft_next_is(c, "igmp") ? 1 : 64);
    a->proto = craft_named(c, "proto", craft_protos, UINT8_MAX, proto_of_next(c, false));
    a->csum = craft_csum_args(c);
    a->part = craft_part_arg(c);
    take_ip4_options(c, a);
}

/* The word of flags and offset. */
static uint16_t frag_word(const struct ip4_args *a, uint64_t more)
{
    return (uint16_t)(a->flags | more | (((a->off + a->part.from) / 8) & 0x1fff));
}

static void put_ip4_header(struct wr *w, const struct ip4_args *a)
{
    size_t words = 5 + wr_len(&a->opts) / 4;
    uint64_t ihl = a->ihl == NO_OVERRIDE ? words : a->ihl;
    wr_u8(w, (uint8_t)(a->version << 4 | ihl));
    wr_u8(w, (uint8_t)a->tos);
    wr_u16(w, 0);                           /* length: later */
    wr_u16(w, (uint16_t)a->id);
    wr_u16(w, frag_word(a, 0));
    wr_u8(w, (uint8_t)a->ttl);
    wr_u8(w, (uint8_t)a->proto);
    wr_u16(w, 0);                           /* checksum: later */
    wr_addr4(w, &a->src);
    wr_addr4(w, &a->dst);
    wr_bytes(w, wr_span(&a->opts));
}

void craft_ip4(struct craft *c)
{
    struct ip4_args a;
    take_ip4(c, &a);
    if (!craft_args_done(c))
        return;
    size_t from = wr_len(c->w);
    put_ip4_header(c->w, &a);
    size_t payload = wr_len(c->w);
    struct endpoints outer = enter(c, &a.src, &a.dst);
    craft_rest(c);
    leave(c, &outer);
    if (c->w->bad || craft_failed(c))
        return;
    if (craft_part_cut(c, &a.part, payload))
        wr_patch_u16(c->w, from + 6, frag_word(&a, IP4_MF));
    size_t len = a.len == NO_OVERRIDE ? wr_len(c->w) - from : (size_t)a.len;
    wr_patch_u16(c->w, from + 2, (uint16_t)len);
    struct span header = span_of(c->w->start + from, payload - from);
    craft_csum_put(c, &a.csum, from + 10, csum_small(header.p, header.n));
}

/* ---- IPv6 ---- */

static bool icmp6_has(const struct craft *c, const char *const *words)
{
    if (!craft_next_is(c, "icmp6"))
        return false;
    for (; *words; words++)
        if (craft_next_has_word(c, *words))
            return true;
    return false;
}

/* RFC 4861, 3.1 and 2710, 3: neighbour discovery is sent with 255 and accepted with nothing else;
 * MLD with 1. */
static uint64_t default_hlim(const struct craft *c)
{
    static const char *const nd[] = {"ns", "na", "rs", "ra", "redirect", NULL};
    static const char *const mld[] = {"mld-query", "mld2-query", "mld-report",
                                      "mld-done",  "mld2-report", NULL};
    if (icmp6_has(c, nd))
        return 255;
    return icmp6_has(c, mld) ? 1 : 64;
}

void craft_ip6(struct craft *c)
{
    struct oriel_addr src = craft_addr(c, "src", true, NULL);
    struct oriel_addr dst = craft_addr(c, "dst", true, NULL);
    uint64_t version = craft_u(c, "version", 15, 6);
    uint64_t tclass = craft_u(c, "tclass", UINT8_MAX, 0);
    uint64_t flow = craft_u(c, "flow", 0xfffff, 0);
    uint64_t len = craft_u(c, "len", UINT16_MAX, NO_OVERRIDE);
    uint64_t next = craft_named(c, "next", craft_protos, UINT8_MAX, proto_of_next(c, true));
    uint64_t hlim = craft_u(c, "hlim", UINT8_MAX, default_hlim(c));
    if (!craft_args_done(c))
        return;
    size_t from = wr_len(c->w);
    wr_u32(c->w, (uint32_t)(version << 28 | tclass << 20 | flow));
    wr_u16(c->w, 0);
    wr_u8(c->w, (uint8_t)next);
    wr_u8(c->w, (uint8_t)hlim);
    wr_addr6(c->w, &src);
    wr_addr6(c->w, &dst);
    struct endpoints outer = enter(c, &src, &dst);
    craft_rest(c);
    leave(c, &outer);
    size_t payload = wr_len(c->w) - from - IP6_HDR_LEN;
    if (!c->w->bad && !craft_failed(c))
        wr_patch_u16(c->w, from + 4, (uint16_t)(len == NO_OVERRIDE ? payload : len));
}

/* ---- extension headers ---- */

#define EXT_MAX 2048            /* bytes of one: 256 units of eight */
#define IP6_OPT_JUMBO 0xc2

static void put_padn(struct wr *w, size_t n)
{
    if (n == 0)
        return;
    if (n == 1) {
        wr_u8(w, IP6_OPT_PAD1);
        return;
    }
    wr_u8(w, IP6_OPT_PADN);
    wr_u8(w, (uint8_t)(n - 2));
    wr_zeros(w, n - 2);
}

static void put_option(struct craft *c, const struct craft_word *word, struct wr *w)
{
    if (span_is(word->key, "ra")) {
        wr_u16(w, IP6_OPT_RA << 8 | 2);
        wr_u16(w, word->value.p ? (uint16_t)craft_text_u(c, word->value, UINT16_MAX) : 0);
    } else if (span_is(word->key, "jumbo")) {
        wr_u16(w, IP6_OPT_JUMBO << 8 | 4);
        wr_u32(w, (uint32_t)craft_text_u(c, word->value, UINT32_MAX));
    } else if (span_is(word->key, "padn")) {
        put_padn(w, (size_t)craft_text_u(c, word->value, 257));
    } else if (span_is(word->text, "pad1")) {
        put_padn(w, 1);
    } else if (span_is(word->key, "opt")) {
        craft_text_hex(c, word->value, w);
    } else {
        return;
    }
    craft_take(c, word);
}

static void put_options(struct craft *c, struct wr *w)
{
    struct craft_word word;
    size_t it = 0;
    while (!craft_failed(c) && craft_word_next(c, &it, &word))
        put_option(c, &word, w);
}

/* An extension header whose body has been collected: padded to units of eight. */
static void put_ext(struct craft *c, uint64_t next, uint64_t len, const struct wr *body, bool pad)
{
    size_t n = wr_len(body) + 2;
    size_t missing = (8 - n % 8) % 8;
    size_t units = (n + missing) / 8 - 1;
    wr_u8(c->w, (uint8_t)next);
    wr_u8(c->w, (uint8_t)(len == NO_OVERRIDE ? units : len));
    wr_bytes(c->w, wr_span(body));
    if (pad)
        put_padn(c->w, missing);
    else
        wr_zeros(c->w, missing);
    craft_rest(c);
}

static void emit_options(struct craft *c)
{
    uint8_t buf[EXT_MAX];
    struct wr body = wr_of(buf, sizeof buf - 2);
    uint64_t next = craft_named(c, "next", craft_protos, UINT8_MAX, proto_of_next(c, true));
    uint64_t len = craft_u(c, "len", UINT8_MAX, NO_OVERRIDE);
    put_options(c, &body);
    if (craft_args_done(c))
        put_ext(c, next, len, &body, true);
}

void craft_hopopts(struct craft *c)
{
    emit_options(c);
}

void craft_dstopts(struct craft *c)
{
    emit_options(c);
}

void craft_routing(struct craft *c)
{
    uint8_t buf[EXT_MAX];
    struct wr body = wr_of(buf, sizeof buf - 2);
    uint64_t next = craft_named(c, "next", craft_protos, UINT8_MAX, proto_of_next(c, true));
    uint64_t len = craft_u(c, "len", UINT8_MAX, NO_OVERRIDE);
    wr_u8(&body, (uint8_t)craft_u(c, "type", UINT8_MAX, 0));
    wr_u8(&body, (uint8_t)craft_u(c, "segleft", UINT8_MAX, 0));
    wr_u32(&body, 0);
    for (struct span v; (v = craft_value(c, "via")).p && !craft_failed(c);) {
        struct oriel_addr a = craft_text_addr(c, v, true);
        wr_addr6(&body, &a);
    }
    if (craft_args_done(c))
        put_ext(c, next, len, &body, false);
}

void craft_frag(struct craft *c)
{
    uint64_t next = craft_named(c, "next", craft_protos, UINT8_MAX, proto_of_next(c, true));
    uint64_t id = craft_u(c, "id", UINT32_MAX, 0);
    uint64_t res = craft_u(c, "res", UINT8_MAX, 0);
    uint64_t off = take_off(c);
    uint64_t more = craft_flag(c, "mf");
    struct craft_part part = craft_part_arg(c);
    if (!craft_args_done(c))
        return;
    wr_u8(c->w, (uint8_t)next);
    wr_u8(c->w, (uint8_t)res);
    size_t at = wr_len(c->w);
    wr_u16(c->w, (uint16_t)(off + part.from + more));
    wr_u32(c->w, (uint32_t)id);
    size_t payload = wr_len(c->w);
    craft_rest(c);
    if (!craft_failed(c) && craft_part_cut(c, &part, payload))
        wr_patch_u16(c->w, at, (uint16_t)(off + part.from + 1));
}
