/*
 * What a scenario says of services: `at 0 r dhcp-serve eth0 pool 10.0.0.100-10.0.0.199`, `at 1s a
 * resolve www.example`, `expect a dhcp eth0 state BOUND`.
 */
#include "lab/scenario_text.h"

#define SERVE_WORDS "pool, router, dns, lease, mtu, domain or reserve"
#define RA_WORDS    "prefix, dns, mtu, interval or no-default"
#define NAMES_WORDS "port, cut, silent, refuse, no-edns, no-chase or no-stream, or rows in quotes"

/* The next word if it is a type that the resolver can ask for. */
static void record_type(struct sc_parser *p, uint16_t *out)
{
    const struct sc_word *w = sc_look(p);
    uint16_t type;
    if (!p->bad && w && w->kind == SC_WORD && dns_type_named(w->text, &type) && dns_answer_holds(type)) {
        *out = type;
        p->at++;
    }
}

static bool domain_name(struct sc_parser *p, struct dns_name *out)
{
    struct span text;
    return sc_name(p, "a name such as www.example", &text) &&
           (dns_name_of(text, out) ||
            sc_fail_word(p, &p->words[p->at - 1], "a name such as www.example"));
}

/* ---- names ---- */

static bool names_row(struct sc_parser *p, struct name_row *rows, uint16_t *n)
{
    const struct sc_word *w;
    if (!sc_string(p, NAMES_WORDS, &w))
        return false;
    if (*n == NAMES_ROWS_MAX)
        return sc_fail_word(p, w, "at most 64 rows");
    return name_row_parse(w->text, &rows[(*n)++]) ||
           sc_fail_word(p, w, "a row such as \"www.example A 10.0.0.9 60\"");
}

static bool names_line(struct sc_parser *p, struct svc_params *v)
{
    struct names_params *n = &v->names;
    struct name_row *rows = arena_take_zeroed(p->arena, NAMES_ROWS_MAX * sizeof(*rows));
    if (!rows)
        return sc_fail_memory(p);
    n->rows = rows;
    while (sc_look(p)) {
        bool good = sc_take(p, "port")        ? sc_u16(p, 1, &n->port)
                    : sc_take(p, "cut")       ? (n->cut = true)
                    : sc_take(p, "silent")    ? (n->silent = true)
                    : sc_take(p, "refuse")    ? (n->refuse = true)
                    : sc_take(p, "no-edns")   ? (n->no_edns = true)
                    : sc_take(p, "no-chase")  ? (n->no_chase = true)
                    : sc_take(p, "no-stream") ? (n->no_stream = true)
                                              : names_row(p, rows, &n->rows_n);
        if (!good)
            return false;
    }
    return true;
}

/* An address, with or without a port. */
static bool name_server(struct sc_parser *p, struct oriel_endpoint *out)
{
    struct oriel_addr a;
    const struct sc_word *w = sc_look(p);
    *out = (struct oriel_endpoint){.port = 0};
    if (!w || w->kind != SC_WORD || !addr_parse(w->text, &a))
        return sc_endpoint(p, out);
    return sc_host_addr(p, &out->addr);
}

static bool resolve_line(struct sc_parser *p, struct svc_params *v)
{
    v->ask.type = DNS_A;
    if (!domain_name(p, &v->ask.name))
        return false;
    record_type(p, &v->ask.type);
    while (sc_look(p)) {
        if (!sc_take(p, "server"))
            return sc_fail_words(p, "A, AAAA, CNAME, PTR, NS or server");
        if (v->ask.servers_n == RESOLVE_SERVERS_MAX)
            return sc_fail(p, "at most 8 servers");
        if (!name_server(p, &v->ask.servers[v->ask.servers_n++]))
            return false;
    }
    return true;
}

/* ---- DHCP ---- */

static bool dhcp_line(struct sc_parser *p, struct svc_params *v)
{
    while (sc_look(p)) {
        bool good = sc_take(p, "reboot") ? sc_host_addr(p, &v->dhcp.requested)
                    : sc_take(p, "host-name")
                        ? sc_name(p, "a name", &v->dhcp.host_name)
                        : sc_fail_words(p, "reboot or host-name");
        if (!good)
            return false;
    }
    return true;
}

/* FIRST-LAST */
static bool range(struct sc_parser *p, struct svc_params *v)
{
    static const char expected[] = "a range such as 10.0.0.100-10.0.0.199";
    struct span text;
    if (!sc_name(p, expected, &text))
        return false;
    const uint8_t *dash = memchr(text.p, '-', text.n);
    size_t n = dash ? (size_t)(dash - text.p) : 0;
    bool good = dash && addr_parse(span_of(text.p, n), &v->serve.first) &&
                addr_parse(span_of(text.p + n + 1, text.n - n - 1), &v->serve.last) &&
                addr_is_v4(&v->serve.first) && addr_is_v4(&v->serve.last) &&
                addr_to_v4(&v->serve.first) <= addr_to_v4(&v->serve.last);
    return good || sc_fail_word(p, &p->words[p->at - 1], expected);
}

/* In the message it is a number of seconds, where the greatest means for ever and ours 0 nothing said. */
static bool lease(struct sc_parser *p, struct svc_params *v)
{
    oriel_time t;
    if (!sc_time(p, &t))
        return false;
    if (t % NS_PER_S != 0 || t == 0 || t / NS_PER_S >= UINT32_MAX)
        return sc_fail_word(p, &p->words[p->at - 1], "a lease of whole seconds, such as 10m");
    v->serve.lease_s = (uint32_t)(t / NS_PER_S);
    return true;
}

/* What DHCP or an advertisement tells of name servers. */
static bool add_dns(struct sc_parser *p, struct oriel_addr *list, uint8_t *n)
{
    static_assert(DHCP4_ADDRS_MAX == 4 && NDP_DNS_MAX == 4, "the message says four");
    return *n < 4 ? sc_host_addr(p, &list[(*n)++]) : sc_fail(p, "at most 4 name servers");
}

static bool reserve(struct sc_parser *p, struct svc_params *v)
{
    if (v->serve.reserved_n == SVC_RESERVED_MAX)
        return sc_fail(p, "at most 8 hosts with a place of their own");
    struct dhcp4_reservation *r = &v->serve.reserved[v->serve.reserved_n++];
    return sc_mac(p, &r->mac) && sc_host_addr(p, &r->addr);
}

static bool serve_line(struct sc_parser *p, struct svc_params *v)
{
    if (!sc_sees(p, "pool"))
        return sc_fail_words(p, "pool");
    while (sc_look(p)) {
        bool good = sc_take(p, "pool")     ? range(p, v)
                    : sc_take(p, "router") ? sc_host_addr(p, &v->serve.router)
                    : sc_take(p, "dns")
                        ? add_dns(p, v->serve.dns, &v->serve.dns_n)
                    : sc_take(p, "lease")  ? lease(p, v)
                    : sc_take(p, "mtu")    ? sc_u16(p, 576, &v->serve.mtu)
                    : sc_take(p, "domain") ? sc_name(p, "a domain", &v->serve.domain)
                    : sc_take(p, "reserve") ? reserve(p, v)
                                            : sc_fail_words(p, SERVE_WORDS);
        if (!good)
            return false;
    }
    return true;
}

/* ---- router advertisements ---- */

static bool ra_prefix_word(struct sc_parser *p, struct ra_config *c)
{
    struct sc_addr a;
    if (c->prefixes_n == NDP_PREFIXES_MAX)
        return sc_fail(p, "at most 8 prefixes");
    if (!sc_addr_len(p, &a))
        return false;
    struct prefix prefix = prefix_of(a.addr, a.len);
    c->prefixes[c->prefixes_n++] = ra_prefix(&prefix);
    return true;
}

static bool ra_line(struct sc_parser *p, struct svc_params *v)
{
    struct ra_config *c = &v->ra;
    while (sc_look(p)) {
        bool good = sc_take(p, "prefix") ? ra_prefix_word(p, c)
                    : sc_take(p, "dns") ? add_dns(p, c->dns, &c->dns_n)
                    : sc_take(p, "mtu")        ? sc_u32(p, 1280, UINT16_MAX, &c->mtu)
                    : sc_take(p, "interval")   ? sc_time(p, &c->interval_max)
                    : sc_take(p, "no-default") ? (c->no_default = true)
                                               : sc_fail_words(p, RA_WORDS);
        if (!good)
            return false;
    }
    if (c->interval_max == 0 ||
        (c->interval_max >= 4 * NS_PER_S && c->interval_max <= 1800 * NS_PER_S))
        return true;
    return sc_fail_word(p, &p->words[p->at - 1], "an interval between 4s and 30m");
}

/* ---- actions ---- */

static const struct {
    const char *verb;
    uint8_t kind;
    bool port;                  /* it is about one */
    bool (*line)(struct sc_parser *p, struct svc_params *v);
} verbs[] = {
    {"dns-serve", SVC_NAMES, false, names_line}, {"resolve", SVC_RESOLVE, false, resolve_line},
    {"dhcp", SVC_DHCP, true, dhcp_line},         {"dhcp-serve", SVC_DHCP_SERVER, true, serve_line},
    {"ra", SVC_RA, true, ra_line},
};

static const struct {
    const char *verb;
    uint8_t kind;
    bool port, release;
} stops[] = {
    {"dns-stop", SVC_NAMES, false, false}, {"dhcp-release", SVC_DHCP, true, true},
    {"dhcp-stop", SVC_DHCP_SERVER, true, false}, {"ra-stop", SVC_RA, true, false},
};

static bool start(struct sc_parser *p, struct sc_act *a, size_t i)
{
    struct svc_params *v = arena_take_zeroed(p->arena, sizeof(*v));
    if (!v)
        return sc_fail_memory(p);
    v->kind = verbs[i].kind;
    a->kind = ACT_SVC;
    a->u.svc = v;
    if (verbs[i].port && !sc_port_of(p, a->node, &a->port))
        return false;
    v->netif = verbs[i].port ? a->port + 1 : 0;
    return verbs[i].line(p, v);
}

bool sc_act_svc(struct sc_parser *p, struct sc_act *a, bool *good)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (sc_take(p, verbs[i].verb)) {
            *good = start(p, a, i);
            return true;
        }
    for (size_t i = 0; i < ARRAY_LEN(stops); i++)
        if (sc_take(p, stops[i].verb)) {
            a->kind = ACT_SVC_STOP;
            a->u.svc_stop.kind = stops[i].kind;
            a->u.svc_stop.release = stops[i].release;
            *good = !stops[i].port || sc_port_of(p, a->node, &a->port);
            return true;
        }
    return false;
}

/* ---- expectations ---- */

static bool an_address(struct sc_parser *p, struct expect *e)
{
    if (e->hops_n == EX_HOPS_MAX)
        return sc_fail(p, "at most 32 addresses");
    return sc_host_addr(p, &e->hops[e->hops_n++]);
}

static bool error_word(struct sc_parser *p, struct expect *e)
{
    struct span name;
    e->has_err = true;
    if (!sc_name(p, "the name of an error, such as ENOENT, or OK", &name))
        return false;
    return app_error_named(name, &e->err) ||
           sc_fail_word(p, &p->words[p->at - 1], "an error such as ENOENT, ETIMEDOUT, EPROTO");
}

bool sc_ex_resolve(struct sc_parser *p, struct expect *e)
{
    e->kind = EX_RESOLVE;
    e->svc = arena_take_zeroed(p->arena, sizeof(*e->svc));
    if (!e->svc)
        return sc_fail_memory(p);
    e->svc->type = DNS_A;
    if (!domain_name(p, &e->svc->name))
        return false;
    record_type(p, &e->svc->type);
    while (sc_look(p)) {
        bool good = sc_take(p, "address") ? an_address(p, e)
                    : sc_take(p, "name")  ? (e->svc->has_end = true) && domain_name(p, &e->svc->end)
                    : sc_take(p, "error") ? error_word(p, e)
                                          : sc_fail_words(p, "address, name or error");
        if (!good)
            return false;
    }
    return true;
}

bool sc_ex_dhcp(struct sc_parser *p, struct expect *e)
{
    const char *states[DHCP4_STATES];
    for (unsigned i = 0; i < DHCP4_STATES; i++)
        states[i] = dhcp4_state_name((enum dhcp4_state)i);
    e->kind = EX_DHCP;
    e->svc = arena_take_zeroed(p->arena, sizeof(*e->svc));
    if (!e->svc)
        return sc_fail_memory(p);
    if (!sc_port_of(p, e->node, &e->port))
        return false;
    while (sc_look(p)) {
        bool good = sc_take(p, "state")
                        ? sc_one_of(p, states, ARRAY_LEN(states), &e->word) ||
                              sc_fail_words(p, "INIT, SELECTING, REQUESTING, REBOOTING, CHECKING, "
                                               "BOUND, RENEWING, REBINDING or STOPPED")
                    : sc_take(p, "address")  ? (e->has_addr = true) && sc_addr_len(p, &e->addr)
                    : sc_take(p, "server")   ? (e->has_from = true) &&
                                                   sc_host_addr(p, &e->from_addr)
                    : sc_take(p, "dns")      ? an_address(p, e)
                    : sc_take(p, "naks")     ? sc_count(p, &e->svc->naks)
                    : sc_take(p, "declines") ? sc_count(p, &e->svc->declines)
                                             : sc_fail_words(p, "state, address, server, dns, naks "
                                                                "or declines");
        if (!good)
            return false;
    }
    return true;
}
