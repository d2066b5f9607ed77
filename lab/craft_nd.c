/* Neighbour discovery messages and options, and membership messages: MLD and IGMP. */
#include "lab/craft_layer.h"

#include "wire/igmp.h"
#include "wire/mld.h"
#include "wire/ndp.h"

/* ---- options of neighbour discovery ---- */

static void put_link_option(struct craft *c, struct span text, uint8_t type)
{
    struct mac mac = MAC_NONE;
    if (!mac_parse(text, &mac)) {
        craft_fail(c, text, "a MAC address like 02:00:00:00:00:01");
        return;
    }
    wr_u8(c->w, type);
    wr_u8(c->w, 1);
    wr_mac(c->w, &mac);
}

/* One part of prefix=ADDRESS/LEN[,valid=N][,preferred=N][,L][,A] behind the first comma. */
static void take_prefix_part(struct craft *c, struct span part, struct ndp_prefix *p)
{
    struct span key = part;
    struct span rest = part;
    if (!craft_list_next(&rest, '=', &key))
        return;
    if (span_is(part, "L"))
        p->on_link = true;
    else if (span_is(part, "A"))
        p->autonomous = true;
    else if (span_is(key, "valid"))
        p->valid_s = (uint32_t)craft_text_u(c, rest, UINT32_MAX);
    else if (span_is(key, "preferred"))
        p->preferred_s = (uint32_t)craft_text_u(c, rest, UINT32_MAX);
    else
        craft_fail(c, part, "valid= preferred= L or A");
}

static void put_prefix_option(struct craft *c, struct span text)
{
    struct ndp_prefix p = {.valid_s = 2592000, .preferred_s = 604800};
    struct span part;
    struct oriel_addr addr = ADDR_NONE;
    uint8_t len = 0;
    if (!craft_list_next(&text, ',', &part) || !addr_and_len_parse(part, &addr, &len) ||
        addr_is_v4(&addr)) {
        craft_fail(c, part, "an IPv6 prefix like 2001:db8::/64");
        return;
    }
    while (craft_list_next(&text, ',', &part))
        take_prefix_part(c, part, &p);
    wr_u8(c->w, NDP_OPT_PREFIX);
    wr_u8(c->w, 4);
    wr_u8(c->w, len);
    wr_u8(c->w, (uint8_t)((p.on_link ? 0x80 : 0) | (p.autonomous ? 0x40 : 0)));
    wr_u32(c->w, p.valid_s);
    wr_u32(c->w, p.preferred_s);
    wr_u32(c->w, 0);
    wr_addr6(c->w, &addr);
}

static void put_dns_option(struct craft *c, struct span text)
{
    static const char key[] = "lifetime=";
    size_t from = wr_len(c->w);
    uint32_t lifetime_s = 1800;
    wr_u8(c->w, NDP_OPT_RDNSS);
    uint8_t *units = wr_room(c->w, 1);
    wr_u16(c->w, 0);
    uint8_t *lifetime = wr_room(c->w, 4);
    struct span item;
    while (craft_list_next(&text, ',', &item)) {
        if (item.n >= sizeof key - 1 && memcmp(item.p, key, sizeof key - 1) == 0) {
            struct span v = span_of(item.p + sizeof key - 1, item.n - (sizeof key - 1));
            lifetime_s = (uint32_t)craft_text_u(c, v, UINT32_MAX);
            continue;
        }
        struct oriel_addr a = craft_text_addr(c, item, true);
        wr_addr6(c->w, &a);
    }
    if (c->w->bad)
        return;
    struct wr at = wr_of(lifetime, 4);
    wr_u32(&at, lifetime_s);
    *units = (uint8_t)((wr_len(c->w) - from) / 8);
}

static void put_mtu_option(struct craft *c, struct span text)
{
    wr_u8(c->w, NDP_OPT_MTU);
    wr_u8(c->w, 1);
    wr_u16(c->w, 0);
    wr_u32(c->w, (uint32_t)craft_text_u(c, text, UINT32_MAX));
}

static void put_nonce_option(struct craft *c, struct span text)
{
    size_t from = wr_len(c->w);
    wr_u8(c->w, NDP_OPT_NONCE);
    uint8_t *units = wr_room(c->w, 1);
    craft_text_hex(c, text, c->w);
    while (!c->w->bad && (wr_len(c->w) - from) % 8 != 0)
        wr_u8(c->w, 0);
    if (units && !c->w->bad)
        *units = (uint8_t)((wr_len(c->w) - from) / 8);
}

static void put_nd_option(struct craft *c, const struct craft_word *word)
{
    if (span_is(word->key, "slla"))
        put_link_option(c, word->value, NDP_OPT_SLLA);
    else if (span_is(word->key, "tlla"))
        put_link_option(c, word->value, NDP_OPT_TLLA);
    else if (span_is(word->key, "prefix"))
        put_prefix_option(c, word->value);
    else if (span_is(word->key, "mtu"))
        put_mtu_option(c, word->value);
    else if (span_is(word->key, "dns"))
        put_dns_option(c, word->value);
    else if (span_is(word->key, "nonce"))
        put_nonce_option(c, word->value);
    else if (span_is(word->key, "opt"))
        craft_text_hex(c, word->value, c->w);
    else
        return;
    craft_take(c, word);
}

/* In the order in which they stand. */
static void put_nd_options(struct craft *c)
{
    struct craft_word word;
    size_t it = 0;
    while (!craft_failed(c) && craft_word_next(c, &it, &word))
        if (word.value.p)
            put_nd_option(c, &word);
}

/* ---- messages of neighbour discovery ---- */

static void put_ra(struct craft *c)
{
    uint64_t hop_limit = craft_u(c, "hoplimit", UINT8_MAX, 64);
    uint64_t managed = craft_flag(c, "M");
    uint64_t other = craft_flag(c, "O");
    uint64_t lifetime = craft_u(c, "lifetime", UINT16_MAX, 1800);
    wr_u8(c->w, (uint8_t)hop_limit);
    wr_u8(c->w, (uint8_t)(managed << 7 | other << 6));
    wr_u16(c->w, (uint16_t)lifetime);
    wr_u32(c->w, (uint32_t)craft_u(c, "reachable", UINT32_MAX, 0));
    wr_u32(c->w, (uint32_t)craft_u(c, "retrans", UINT32_MAX, 0));
}

static void put_target(struct craft *c, uint32_t flags)
{
    struct oriel_addr target = craft_addr(c, "target", true, NULL);
    wr_u32(c->w, (uint32_t)craft_u(c, "rest", UINT32_MAX, flags));
    wr_addr6(c->w, &target);
}

static void put_na(struct craft *c)
{
    uint32_t router = craft_flag(c, "router");
    uint32_t solicited = craft_flag(c, "solicited");
    uint32_t override = craft_flag(c, "override");
    put_target(c, router << 31 | solicited << 30 | override << 29);
}

static void put_redirect(struct craft *c)
{
    struct oriel_addr dest = craft_addr(c, "dest", true, NULL);
    put_target(c, 0);
    wr_addr6(c->w, &dest);
}

bool craft_nd_message(struct craft *c, uint8_t type)
{
    switch (type) {
    case ICMP6_RS:       wr_u32(c->w, (uint32_t)craft_u(c, "rest", UINT32_MAX, 0)); break;
    case ICMP6_RA:       put_ra(c); break;
    case ICMP6_NS:       put_target(c, 0); break;
    case ICMP6_NA:       put_na(c); break;
    case ICMP6_REDIRECT: put_redirect(c); break;
    default:             return false;
    }
    put_nd_options(c);
    return true;
}

/* ---- membership ---- */

static const struct craft_name record_types[] = {
    {"is-in", MCAST_IS_INCLUDE},
    {"is-ex", MCAST_IS_EXCLUDE},
    {"to-in", MCAST_TO_INCLUDE},
    {"to-ex", MCAST_TO_EXCLUDE},
    {"allow", MCAST_ALLOW},
    {"block", MCAST_BLOCK},
    {NULL, 0},
};

static void put_addr(struct craft *c, const struct oriel_addr *a, bool v6)
{
    if (v6)
        wr_addr6(c->w, a);
    else
        wr_addr4(c->w, a);
}

/* Addresses separated by commas; returns how many. */
static uint16_t put_sources(struct craft *c, struct span list, bool v6)
{
    struct span item;
    uint16_t n = 0;
    while (!craft_failed(c) && craft_list_next(&list, ',', &item)) {
        struct oriel_addr a = craft_text_addr(c, item, v6);
        put_addr(c, &a, v6);
        n++;
    }
    return n;
}

/* TYPE,GROUP[,SOURCE]... */
static void put_record(struct craft *c, struct span text, bool v6)
{
    struct span whole = text;
    struct span item;
    uint64_t type = 0;
    if (!craft_list_next(&text, ',', &item) ||
        (!craft_name_find(record_types, item, &type) && !txt_parse_u(item, UINT8_MAX, &type))) {
        craft_fail(c, whole, "is-in is-ex to-in to-ex allow block or a number, then ,GROUP");
        return;
    }
    struct span group = span_of(text.p, 0);
    (void)craft_list_next(&text, ',', &group);
    struct oriel_addr a = craft_text_addr(c, group, v6);
    wr_u8(c->w, (uint8_t)type);
    wr_u8(c->w, 0);
    size_t count_at = wr_len(c->w);
    wr_u16(c->w, 0);
    put_addr(c, &a, v6);
    uint16_t n = put_sources(c, text, v6);
    if (!c->w->bad)
        wr_patch_u16(c->w, count_at, n);
}

/* Reserved, count, records: what both kinds of report have behind their checksum. */
static void put_records(struct craft *c, bool v6)
{
    uint16_t n = 0;
    wr_u16(c->w, 0);
    size_t count_at = wr_len(c->w);
    wr_u16(c->w, 0);
    for (struct span v; !craft_failed(c) && (v = craft_value(c, "rec")).p; n++)
        put_record(c, v, v6);
    if (!c->w->bad)
        wr_patch_u16(c->w, count_at, n);
}

/* Flags, interval, sources: what a query of the last version has behind its group. */
static void put_query_tail(struct craft *c, const char *interval, bool v6)
{
    uint64_t suppress = craft_flag(c, "s");
    uint64_t qrv = craft_u(c, "qrv", 7, 2);
    wr_u8(c->w, (uint8_t)(suppress << 3 | qrv));
    wr_u8(c->w, (uint8_t)craft_u(c, interval, UINT8_MAX, 125));
    size_t count_at = wr_len(c->w);
    wr_u16(c->w, 0);
    uint16_t n = put_sources(c, craft_value(c, "sources"), v6);
    if (!c->w->bad)
        wr_patch_u16(c->w, count_at, n);
}

bool craft_mld_message(struct craft *c, uint8_t type, bool query2)
{
    const struct oriel_addr none = ADDR_NONE;
    bool query = type == ICMP6_MLD_QUERY;
    if (type == ICMP6_MLD2_REPORT) {
        put_records(c, true);
        return true;
    }
    if (!query && type != ICMP6_MLD_REPORT && type != ICMP6_MLD_DONE)
        return false;
    wr_u16(c->w, (uint16_t)craft_u(c, "max", UINT16_MAX, query ? 10000 : 0));
    wr_u16(c->w, 0);
    struct oriel_addr group = craft_addr(c, "group", true, query ? &none : NULL);
    wr_addr6(c->w, &group);
    if (query2)
        put_query_tail(c, "qqic", true);
    return true;
}

/* ---- IGMP ---- */

static const struct craft_name igmp_types[] = {
    {"query", IGMP_QUERY},
    {"report-v1", IGMP_V1_REPORT},
    {"report-v2", IGMP_V2_REPORT},
    {"leave", IGMP_V2_LEAVE},
    {"report-v3", IGMP_V3_REPORT},
    {NULL, 0},
};

static unsigned take_version(struct craft *c)
{
    static const struct craft_name versions[] = {{"v1", 1}, {"v2", 2}, {"v3", 3}, {NULL, 0}};
    return (unsigned)craft_word_named(c, versions, 2);
}

void craft_igmp(struct craft *c)
{
    const struct oriel_addr any = ADDR_V4_ANY;
    uint64_t type = craft_u(c, "type", UINT8_MAX, craft_word_named(c, igmp_types, IGMP_QUERY));
    bool query = type == IGMP_QUERY;
    unsigned version = query ? take_version(c) : 0;
    uint64_t max = craft_u(c, "max", UINT8_MAX, query && version > 1 ? 100 : 0);
    struct craft_csum csum = craft_csum_args(c);
    size_t from = wr_len(c->w);
    wr_u8(c->w, (uint8_t)type);
    wr_u8(c->w, (uint8_t)max);
    wr_u16(c->w, 0);
    if (type == IGMP_V3_REPORT) {
        put_records(c, false);
    } else {
        struct oriel_addr group = craft_addr(c, "group", false, query ? &any : NULL);
        wr_addr4(c->w, &group);
        if (version == 3)
            put_query_tail(c, "qqic", false);
    }
    if (!craft_args_done(c))
        return;
    craft_rest(c);
    if (!craft_failed(c))
        craft_csum_put(c, &csum, from + 2, craft_sum_from(c, from));
}
