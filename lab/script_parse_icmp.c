/*
 * ICMP messages of a script: `icmp unreachable frag_needed mtu 1200`. A type and, where it has
 * some, a code. Most mean something in both families (frag_needed is what IPv6 calls
 * packet_too_big), so that one script runs over both; numbers mean the same number in either.
 */
#include "lab/script_text.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"

#define NONE 255

struct row {
    const char *type, *code;    /* code NULL: the type alone */
    uint8_t type4, code4, type6, code6;         /* type NONE: that family has none */
};

#define U4 ICMP4_UNREACHABLE
#define U6 ICMP6_UNREACHABLE

static const struct row rows[] = {
    {"unreachable", "net_unreachable", U4, ICMP4_NET, U6, ICMP6_NO_ROUTE},
    {"unreachable", "host_unreachable", U4, ICMP4_HOST, U6, ICMP6_ADDR},
    {"unreachable", "protocol_unreachable", U4, ICMP4_PROTO, ICMP6_PARAM_PROBLEM,
     ICMP6_NEXT_HEADER},
    {"unreachable", "port_unreachable", U4, ICMP4_PORT, U6, ICMP6_PORT},
    {"unreachable", "frag_needed", U4, ICMP4_FRAG_NEEDED, ICMP6_TOO_BIG, 0},
    {"unreachable", "source_route_failed", U4, ICMP4_SRC_ROUTE, NONE, 0},
    {"unreachable", "net_unknown", U4, 6, NONE, 0},
    {"unreachable", "host_unknown", U4, 7, NONE, 0},
    {"unreachable", "source_host_isolated", U4, 8, NONE, 0},
    {"unreachable", "net_prohibited", U4, 9, U6, ICMP6_ADMIN},
    {"unreachable", "host_prohibited", U4, 10, U6, ICMP6_ADMIN},
    {"unreachable", "net_unreachable_tos", U4, 11, NONE, 0},
    {"unreachable", "host_unreachable_tos", U4, 12, NONE, 0},
    {"unreachable", "packet_filtered", U4, ICMP4_ADMIN, U6, ICMP6_ADMIN},
    {"unreachable", "admin_prohibited", U4, ICMP4_ADMIN, U6, ICMP6_ADMIN},
    {"unreachable", "precedence_violation", U4, 14, NONE, 0},
    {"unreachable", "precedence_cutoff", U4, 15, NONE, 0},
    {"unreachable", "no_route", U4, ICMP4_NET, U6, ICMP6_NO_ROUTE},
    {"unreachable", "not_neighbour", NONE, 0, U6, ICMP6_SCOPE},
    {"unreachable", "address_unreachable", U4, ICMP4_HOST, U6, ICMP6_ADDR},
    {"packet_too_big", NULL, U4, ICMP4_FRAG_NEEDED, ICMP6_TOO_BIG, 0},
    {"source_quench", NULL, ICMP4_SOURCE_QUENCH, 0, NONE, 0},
    {"redirect", NULL, ICMP4_REDIRECT, 1, NONE, 0},
    {"time_exceeded", "ttl", ICMP4_TIME_EXCEEDED, ICMP4_TTL, ICMP6_TIME_EXCEEDED, 0},
    {"time_exceeded", "reassembly", ICMP4_TIME_EXCEEDED, ICMP4_REASM, ICMP6_TIME_EXCEEDED, 1},
    {"time_exceeded", NULL, ICMP4_TIME_EXCEEDED, ICMP4_TTL, ICMP6_TIME_EXCEEDED, 0},
    {"parameter_problem", "header_field", ICMP4_PARAM_PROBLEM, 0, ICMP6_PARAM_PROBLEM, ICMP6_FIELD},
    {"parameter_problem", "next_header", NONE, 0, ICMP6_PARAM_PROBLEM, ICMP6_NEXT_HEADER},
    {"parameter_problem", "option", NONE, 0, ICMP6_PARAM_PROBLEM, ICMP6_OPTION},
    {"parameter_problem", NULL, ICMP4_PARAM_PROBLEM, 0, ICMP6_PARAM_PROBLEM, ICMP6_FIELD},
    {"echo_request", NULL, ICMP4_ECHO, 0, ICMP6_ECHO, 0},
    {"echo_reply", NULL, ICMP4_ECHO_REPLY, 0, ICMP6_ECHO_REPLY, 0},
};

static const char types[] = "unreachable packet_too_big source_quench redirect time_exceeded "
                            "parameter_problem echo_request echo_reply";
static const char codes[] =
    "net_unreachable host_unreachable protocol_unreachable port_unreachable frag_needed "
    "source_route_failed net_unknown host_unknown source_host_isolated net_prohibited "
    "host_prohibited net_unreachable_tos host_unreachable_tos packet_filtered admin_prohibited "
    "precedence_violation precedence_cutoff no_route not_neighbour address_unreachable ttl "
    "reassembly header_field next_header option";

static const struct row *row_of(struct span type, struct span code)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (span_is(type, rows[i].type) &&
            (rows[i].code ? span_is(code, rows[i].code) : code.n == 0))
            return &rows[i];
    return NULL;
}

static bool has_codes(struct span type)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].code && span_is(type, rows[i].type))
            return true;
    return false;
}

static bool is_type(struct span type)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (span_is(type, rows[i].type))
            return true;
    return false;
}

static bool numbers(struct sp *p, struct script_icmp *m)
{
    m->type_text = sp_token(p);
    if (!sp_u8(p, &m->type4, "a type of ICMP, 0 to 255"))
        return false;
    m->code_text = sp_token(p);
    if (!sp_u8(p, &m->code4, "a code of ICMP, 0 to 255"))
        return false;
    m->type6 = m->type4;
    m->code6 = m->code4;
    m->ok4 = m->ok6 = true;
    return true;
}

/* A word behind the type is its code, unless it belongs to what follows. */
static bool code_follows(struct sp *p, struct span type)
{
    struct span next = sp_token(p);
    uint8_t c = next.n > 0 ? next.p[0] : 0;
    return has_codes(type) && c >= 'a' && c <= 'z' && !span_is(next, "mtu") &&
           !span_is(next, "why") && !span_is(next, "drop");
}

static bool words(struct sp *p, struct script_icmp *m)
{
    if (!sp_word(p, &m->type_text, "a type of ICMP, such as unreachable"))
        return false;
    if (!is_type(m->type_text))
        return sp_fail_word(p, m->type_text, "a type of ICMP, such as unreachable", types);
    if (code_follows(p, m->type_text) && !sp_word(p, &m->code_text, "a code"))
        return false;
    const struct row *r = row_of(m->type_text, m->code_text);
    if (!r && m->code_text.n == 0)
        return sp_fail(p, "a code, such as port_unreachable");
    if (!r)
        return sp_fail_word(p, m->code_text, "a code of that type, such as port_unreachable",
                            codes);
    m->ok4 = r->type4 != NONE;
    m->ok6 = r->type6 != NONE;
    m->type4 = r->type4;
    m->code4 = r->code4;
    m->type6 = r->type6;
    m->code6 = r->code6;
    return true;
}

bool sp_icmp(struct sp *p, struct script_packet *k, bool v6_word)
{
    struct script_icmp *m = &k->icmp;
    if (!(sp_sees_digit(p) ? numbers(p, m) : words(p, m)))
        return false;
    if (v6_word)
        p->s->needs6 = true;
    if (v6_word && !m->ok6)
        return sp_fail_at(p, m->type_text, "a message that ICMPv6 has");
    if (!m->ok4)
        p->s->needs6 = true;
    if (!m->ok6)
        p->s->needs4 = true;
    m->has_mtu = sp_take(p, "mtu");
    return !m->has_mtu || sp_u32(p, &m->mtu, "an MTU");
}
