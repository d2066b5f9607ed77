/* ICMP and ICMPv6: the header, errors and echo. The layers behind an error are its quote. */
#include "lab/craft_layer.h"

#include "wire/icmp4.h"
#include "wire/ndp.h"

#define NO_TYPE UINT64_MAX

static const struct craft_name types4[] = {
    {"echo", ICMP4_ECHO},
    {"echo-reply", ICMP4_ECHO_REPLY},
    {"unreachable", ICMP4_UNREACHABLE},
    {"quench", ICMP4_SOURCE_QUENCH},
    {"redirect", ICMP4_REDIRECT},
    {"time-exceeded", ICMP4_TIME_EXCEEDED},
    {"parameter", ICMP4_PARAM_PROBLEM},
    {"timestamp", ICMP4_TIMESTAMP},
    {"timestamp-reply", ICMP4_TIMESTAMP_REPLY},
    {NULL, 0},
};

static const struct craft_name codes4[] = {
    {"net", ICMP4_NET},
    {"host", ICMP4_HOST},
    {"proto", ICMP4_PROTO},
    {"port", ICMP4_PORT},
    {"frag-needed", ICMP4_FRAG_NEEDED},
    {"src-route", ICMP4_SRC_ROUTE},
    {"admin", ICMP4_ADMIN},
    {"ttl", ICMP4_TTL},
    {"reasm", ICMP4_REASM},
    {NULL, 0},
};

static const struct craft_name types6[] = {
    {"unreachable", ICMP6_UNREACHABLE},
    {"toobig", ICMP6_TOO_BIG},
    {"time-exceeded", ICMP6_TIME_EXCEEDED},
    {"parameter", ICMP6_PARAM_PROBLEM},
    {"echo", ICMP6_ECHO},
    {"echo-reply", ICMP6_ECHO_REPLY},
    {"mld-query", ICMP6_MLD_QUERY},
    {"mld2-query", ICMP6_MLD_QUERY},
    {"mld-report", ICMP6_MLD_REPORT},
    {"mld-done", ICMP6_MLD_DONE},
    {"rs", ICMP6_RS},
    {"ra", ICMP6_RA},
    {"ns", ICMP6_NS},
    {"na", ICMP6_NA},
    {"redirect", ICMP6_REDIRECT},
    {"mld2-report", ICMP6_MLD2_REPORT},
    {NULL, 0},
};

static const struct craft_name codes6[] = {
    {"no-route", ICMP6_NO_ROUTE},
    {"admin", ICMP6_ADMIN},
    {"scope", ICMP6_SCOPE},
    {"addr", ICMP6_ADDR},
    {"port", ICMP6_PORT},
    {"hlim", 0},
    {"reasm", 1},
    {"field", ICMP6_FIELD},
    {"next-header", ICMP6_NEXT_HEADER},
    {"option", ICMP6_OPTION},
    {"chain", ICMP6_CHAIN},
    {NULL, 0},
};

/* The message, by name or by number. */
static uint8_t take_type(struct craft *c, const struct craft_name *names)
{
    uint64_t type = craft_u(c, "type", UINT8_MAX, NO_TYPE);
    if (type == NO_TYPE)
        type = craft_word_named(c, names, NO_TYPE);
    if (type != NO_TYPE)
        return (uint8_t)type;
    struct craft_word word;
    size_t it = 0;
    struct span args = c->layers[c->at].args;
    struct span at = span_of(args.p + args.n, 0);
    if (craft_word_next(c, &it, &word))
        at = word.text;
    craft_fail(c, at, "a message like echo, echo-reply, unreachable, redirect, ... or type=");
    return 0;
}

static uint32_t two_words(uint64_t hi, uint64_t lo)
{
    return (uint32_t)(hi << 16 | lo);
}

/* The four bytes behind the checksum, as the type has them. */
static uint32_t take_rest4(struct craft *c, uint8_t type)
{
    switch (type) {
    case ICMP4_ECHO:
    case ICMP4_ECHO_REPLY:
    case ICMP4_TIMESTAMP:
    case ICMP4_TIMESTAMP_REPLY: {
        uint64_t id = craft_u(c, "id", UINT16_MAX, 0);
        return two_words(id, craft_u(c, "seq", UINT16_MAX, 0));
    }
    case ICMP4_UNREACHABLE:
        return (uint32_t)craft_u(c, "mtu", UINT16_MAX, 0);
    case ICMP4_PARAM_PROBLEM:
        return (uint32_t)craft_u(c, "pointer", UINT8_MAX, 0) << 24;
    case ICMP4_REDIRECT: {
        struct oriel_addr gateway = craft_addr(c, "gateway", false, NULL);
        return addr_to_v4(&gateway);
    }
    default:
        return 0;
    }
}

static void put_timestamps(struct craft *c, const uint64_t *times)
{
    for (unsigned i = 0; i < 3; i++)
        wr_u32(c->w, (uint32_t)times[i]);
}

void craft_icmp4(struct craft *c)
{
    static const char *const time_keys[] = {"orig", "recv", "xmit"};
    uint8_t type = take_type(c, types4);
    uint64_t code = craft_named(c, "code", codes4, UINT8_MAX, 0);
    uint32_t rest = take_rest4(c, type);
    rest = (uint32_t)craft_u(c, "rest", UINT32_MAX, rest);
    bool is_time = type == ICMP4_TIMESTAMP || type == ICMP4_TIMESTAMP_REPLY;
    uint64_t times[3] = {0};
    for (unsigned i = 0; i < 3 && is_time; i++)
        times[i] = craft_u(c, time_keys[i], UINT32_MAX, 0);
    size_t keep = craft_keep_arg(c);
    struct craft_csum csum = craft_csum_args(c);
    if (!craft_args_done(c))
        return;
    size_t from = wr_len(c->w);
    wr_u8(c->w, type);
    wr_u8(c->w, (uint8_t)code);
    wr_u16(c->w, 0);
    wr_u32(c->w, rest);
    if (is_time)
        put_timestamps(c, times);
    size_t quote_at = wr_len(c->w);
    craft_rest(c);
    craft_keep(c, keep, quote_at);
    if (!craft_failed(c))
        craft_csum_put(c, &csum, from + 2, craft_sum_from(c, from));
}

/* ---- ICMPv6 ---- */

/* Errors, echo, and what has no shape of its own: four bytes, then the layers behind. */
static void put_plain6(struct craft *c, uint8_t type)
{
    uint64_t rest = 0;
    if (type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY) {
        uint64_t id = craft_u(c, "id", UINT16_MAX, 0);
        rest = two_words(id, craft_u(c, "seq", UINT16_MAX, 0));
    } else if (type == ICMP6_TOO_BIG) {
        rest = craft_u(c, "mtu", UINT32_MAX, IP6_MTU_MIN);
    } else if (type == ICMP6_PARAM_PROBLEM) {
        rest = craft_u(c, "pointer", UINT32_MAX, 0);
    }
    rest = craft_u(c, "rest", UINT32_MAX, rest);
    wr_u32(c->w, (uint32_t)rest);
}

/* RFC 4861, 4.6.3: the option in which a redirect carries what is behind it. */
static void put_quote_header(struct craft *c)
{
    wr_u8(c->w, NDP_OPT_REDIRECTED);
    wr_zeros(c->w, 7);
}

static void close_quote(struct craft *c, size_t from)
{
    while (!c->w->bad && (wr_len(c->w) - from) % 8 != 0)
        wr_u8(c->w, 0);
    if (!c->w->bad)
        c->w->start[from + 1] = (uint8_t)((wr_len(c->w) - from) / 8);
}

void craft_icmp6(struct craft *c)
{
    bool query2 = craft_flag(c, "mld2-query");
    uint8_t type = query2 ? ICMP6_MLD_QUERY : take_type(c, types6);
    uint64_t code = craft_named(c, "code", codes6, UINT8_MAX, 0);
    size_t keep = craft_keep_arg(c);
    struct craft_csum csum = craft_csum_args(c);
    size_t from = wr_len(c->w);
    wr_u8(c->w, type);
    wr_u8(c->w, (uint8_t)code);
    wr_u16(c->w, 0);
    if (!craft_nd_message(c, type) && !craft_mld_message(c, type, query2))
        put_plain6(c, type);
    bool quote = type == ICMP6_REDIRECT && craft_flag(c, "quote");
    if (!craft_args_done(c))
        return;
    size_t quote_at = wr_len(c->w);
    if (quote)
        put_quote_header(c);
    size_t inside = wr_len(c->w);
    craft_rest(c);
    craft_keep(c, keep, inside);
    if (quote)
        close_quote(c, quote_at);
    if (!craft_failed(c))
        craft_csum_put(c, &csum, from + 2, craft_pseudo_sum(c, from, IP_ICMP6));
}
