/* Group membership: IGMP and MLD, whose third and second versions are the same thing. */
#include "lens/layer.h"
#include "wire/igmp.h"
#include "wire/mld.h"

/* ---- MLD ---- */

static void add_mld_query2(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint64_t flags = lens_uint(l, r, F_ICMPV6_MLD_FLAG, 1);
    if (r->bad)
        return;
    lens_put_u(l, F_ICMPV6_MLD_FLAG_S, at, 1, (flags >> 3) & 1);
    lens_put_u(l, F_ICMPV6_MLD_FLAG_QRV, at, 1, flags & 7);
    lens_put_u(l, F_ICMPV6_MLD_FLAG_RESERVED, at, 1, flags >> 4);
    lens_uint(l, r, F_ICMPV6_MLD_QQI, 1);
    uint64_t n = lens_uint(l, r, F_ICMPV6_MLD_NB_SOURCES, 2);
    for (uint64_t i = 0; i < n && !r->bad; i++)
        lens_addr6(l, r, F_ICMPV6_MLD_SOURCE_ADDRESS);
}

static void add_mld1(struct lens *l, uint8_t type, struct rd *r)
{
    bool query2 = type == ICMP6_MLD_QUERY && rd_left(r) > 20;
    lens_uint(l, r, query2 ? F_ICMPV6_MLD_MAXIMUM_RESPONSE_CODE
                           : F_ICMPV6_MLD_MAXIMUM_RESPONSE_DELAY, 2);
    lens_bytes(l, r, F_ICMPV6_RESERVED, 2);
    lens_addr6(l, r, F_ICMPV6_MLD_MULTICAST_ADDRESS);
    if (query2)
        add_mld_query2(l, r);
}

static void add_mld_record(struct lens *l, struct rd *r)
{
    struct field *record = lens_add(l, F_ICMPV6_MLDR_MAR, r->p, 0);
    const uint8_t *from = r->p;
    lens_uint(l, r, F_ICMPV6_MLDR_MAR_RECORD_TYPE, 1);
    uint64_t aux = lens_uint(l, r, F_ICMPV6_MLDR_MAR_AUX_DATA_LEN, 1);
    uint64_t n = lens_uint(l, r, F_ICMPV6_MLDR_MAR_NB_SOURCES, 2);
    lens_addr6(l, r, F_ICMPV6_MLDR_MAR_MULTICAST_ADDRESS);
    for (uint64_t i = 0; i < n && !r->bad; i++)
        lens_addr6(l, r, F_ICMPV6_MLDR_MAR_SOURCE_ADDRESS);
    if (aux > 0)
        lens_bytes(l, r, F_ICMPV6_MLDR_MAR_AUXILIARY_DATA, (size_t)aux * 4);
    record->len = (uint32_t)(r->p - from);
}

bool dissect_mld(struct lens *l, uint8_t type, struct rd *r)
{
    switch (type) {
    case ICMP6_MLD_QUERY:
    case ICMP6_MLD_REPORT:
    case ICMP6_MLD_DONE:
        add_mld1(l, type, r);
        return true;
    case ICMP6_MLD2_REPORT:
        break;
    default:
        return false;
    }
    lens_bytes(l, r, F_ICMPV6_RESERVED, 2);
    uint64_t n = lens_uint(l, r, F_ICMPV6_MLDR_NB_MCAST_RECORDS, 2);
    for (uint64_t i = 0; i < n && !r->bad; i++)
        add_mld_record(l, r);
    return true;
}

/* ---- IGMP ---- */

static void igmp_columns(struct lens *l, const char *proto, const char *what,
                         const struct oriel_addr *group)
{
    lens_columns(l, proto);
    txt_s(lens_info(l), what);
    if (group)
        txt_addr(lens_info(l), group);
}

/* Sources in braces, added as fields as they are read. */
static void add_igmp_sources(struct lens *l, struct rd *r, uint64_t n)
{
    struct txt *t = lens_info(l);
    for (uint64_t i = 0; i < n; i++) {
        struct oriel_addr a = lens_addr4(l, r, F_IGMP_SADDR);
        if (r->bad)
            return;
        txt_s(t, i == 0 ? " {" : ", ");
        txt_addr(t, &a);
    }
    if (n > 0)
        txt_c(t, '}');
}

static void add_igmp_query3(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint8_t flags = rd_u8(r);
    if (r->bad)
        return;
    lens_put_u(l, F_IGMP_S, at, 1, (flags >> 3) & 1);
    lens_put_u(l, F_IGMP_QRV, at, 1, flags & 7);
    lens_uint(l, r, F_IGMP_QQIC, 1);
    uint64_t n = lens_uint(l, r, F_IGMP_NUM_SRC, 2);
    if (n > 0)
        txt_s(lens_info(l), n == 1 ? ", source" : ", sources");
    add_igmp_sources(l, r, n);
}

/* What a record of this type says: words before the group and, in one or many, before sources. */
struct record_words {
    const char *before;
    const char *none;
    const char *one;
    const char *many;
};

static struct record_words record_words(uint64_t type, bool has_sources)
{
    switch (type) {
    case MCAST_IS_INCLUDE:
    case MCAST_TO_INCLUDE:
        return (struct record_words){has_sources ? "Join group " : "Leave group ", "",
                                     " for source", " for sources in"};
    case MCAST_IS_EXCLUDE:
    case MCAST_TO_EXCLUDE:
        return (struct record_words){"Join group ", " for any sources", ", for source not",
                                     ", for sources not in"};
    case MCAST_ALLOW:
        return (struct record_words){"Group ", "", ", new source", ", new sources"};
    case MCAST_BLOCK:
        return (struct record_words){"Group ", "", ", block source", ", block sources"};
    default:
        return (struct record_words){"Group ", "", "", ""};
    }
}

static void add_igmp_record(struct lens *l, struct rd *r)
{
    uint64_t type = lens_uint(l, r, F_IGMP_RECORD_TYPE, 1);
    uint64_t aux = lens_uint(l, r, F_IGMP_AUX_DATA_LEN, 1);
    uint64_t n = lens_uint(l, r, F_IGMP_NUM_SRC, 2);
    struct oriel_addr group = lens_addr4(l, r, F_IGMP_MADDR);
    struct record_words words = record_words(type, n > 0);
    txt_s(lens_info(l), " / ");
    txt_s(lens_info(l), words.before);
    txt_addr(lens_info(l), &group);
    txt_s(lens_info(l), n == 0 ? words.none : n == 1 ? words.one : words.many);
    add_igmp_sources(l, r, n);
    if (aux > 0)
        lens_bytes(l, r, F_IGMP_AUX_DATA, (size_t)aux * 4);
}

static void add_igmp_report3(struct lens *l, struct rd *r)
{
    lens_bytes(l, r, F_IGMP_RESERVED, 2);
    uint64_t n = lens_uint(l, r, F_IGMP_NUM_GRP_RECS, 2);
    igmp_columns(l, "IGMPv3", "Membership Report", NULL);
    for (uint64_t i = 0; i < n && !r->bad; i++)
        add_igmp_record(l, r);
}

static void add_igmp_group(struct lens *l, struct rd *r, uint8_t type, unsigned version)
{
    struct oriel_addr group = lens_addr4(l, r, F_IGMP_MADDR);
    const char *proto = version == 1 ? "IGMPv1" : version == 2 ? "IGMPv2" : "IGMPv3";
    if (r->bad)
        return;
    if (type == IGMP_V2_LEAVE)
        igmp_columns(l, proto, "Leave Group ", &group);
    else if (type == IGMP_V1_REPORT)
        igmp_columns(l, proto, "Membership Report", NULL);
    else if (type != IGMP_QUERY)
        igmp_columns(l, proto, "Membership Report group ", &group);
    else if (version == 1)
        igmp_columns(l, proto, "Membership Query", NULL);
    else if (addr_is_unspecified(&group))
        igmp_columns(l, proto, "Membership Query, general", NULL);
    else
        igmp_columns(l, proto, "Membership Query, specific for group ", &group);
}

/* RFC 3376, 7.1: the version of a query is told by its length and its response time. */
static unsigned version_of(uint8_t type, size_t len, uint8_t max_resp)
{
    switch (type) {
    case IGMP_QUERY:
        return len >= 12 ? 3 : max_resp == 0 ? 1 : 2;
    case IGMP_V1_REPORT:
        return 1;
    case IGMP_V3_REPORT:
        return 3;
    default:
        return 2;
    }
}

void dissect_igmp(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_IGMP, &r);
    lens_columns(l, "IGMP");
    if (!layer)
        return;
    struct rd peek = r;
    uint8_t type = rd_u8(&peek);
    unsigned version = version_of(type, rd_left(&r), rd_u8(&peek));
    enum lens_csum ok = lens_csum_of(l, lens_sum(lens_peek(&r)));
    lens_put_u(l, F_IGMP_VERSION, NULL, 0, version);
    lens_uint(l, &r, F_IGMP_TYPE, 1);
    if (version == 1 || type == IGMP_V3_REPORT)
        lens_bytes(l, &r, F_IGMP_RESERVED, 1);
    else
        lens_uint(l, &r, F_IGMP_MAX_RESP, 1);
    lens_uint(l, &r, F_IGMP_CHECKSUM, 2);
    if (lens_is_bad(l, &r))
        return;
    lens_put_u(l, F_IGMP_CHECKSUM_STATUS, NULL, 0, ok);
    if (type == IGMP_V3_REPORT)
        add_igmp_report3(l, &r);
    else
        add_igmp_group(l, &r, type, version);
    if (type == IGMP_QUERY && version == 3)
        add_igmp_query3(l, &r);
    lens_layer_end(layer, &r);
    (void)lens_is_bad(l, &r);
}
