/* oriel route: the routing table of a stack on a link, or of a node of a lab. */
#include "cli/json.h"
#include "cli/netrun.h"
#include "cli/out.h"

#include <stdio.h>
#include <stdlib.h>

static const struct opt opts[] = {
    NETRUN_OPTS('w', 'v'),
};

static const struct operand operands[] = {
    {.name = "CHANGE", .max = 9,
     .help = "`add PREFIX [via GATEWAY] [dev PORT] [metric N]` or `del PREFIX [via GATEWAY] "
             "[dev PORT]` first; PREFIX may be `default` or `default6`. `show` is the same as "
             "nothing."},
};

static const struct verb_example examples[] = {
    {"oriel route --link tap:oriel0 --at 5s", "What routers on the link announce."},
    {"oriel route --lab traceroute --on r2", "The table of a router."},
    {"oriel route --lab traceroute --on a add 10.7.0.0/16 via 10.0.1.254", "With one more route."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The route could not be added or removed."},
};

struct change {
    bool add;
    struct oriel_addr prefix, gateway;
    uint8_t len;
    bool has_gateway;
    int netif;
    uint32_t metric;
};

static bool bad(const struct args *a, const char *what, const char *expected)
{
    out_error(a->verb->name, "found '%s', expected %s", what, expected);
    return false;
}

static bool parse_prefix(const struct args *a, const char *text, struct change *c)
{
    c->prefix = ADDR_V4_ANY;
    c->len = 96;
    if (strcmp(text, "default") == 0)
        return true;
    if (strcmp(text, "default6") == 0) {
        c->prefix = ADDR_NONE;
        c->len = 0;
        return true;
    }
    return addr_and_len_parse(span_str(text), &c->prefix, &c->len) ||
           bad(a, text, "a prefix such as 10.1.0.0/16, default or default6");
}

static bool parse_word(const struct netrun *n, const char *key, const char *value,
                       struct change *c)
{
    uint64_t metric;
    if (strcmp(key, "via") == 0) {
        c->has_gateway = true;
        return addr_parse(span_str(value), &c->gateway) || bad(n->args, value, "an address");
    }
    if (strcmp(key, "dev") == 0) {
        c->netif = netrun_port(n, value);
        return c->netif > 0 || bad(n->args, value, "a port of the node");
    }
    if (strcmp(key, "metric") != 0 || !c->add)
        return bad(n->args, key, c->add ? "via, dev or metric" : "via or dev");
    c->metric = txt_parse_u(span_str(value), UINT32_MAX, &metric) ? (uint32_t)metric : UINT32_MAX;
    return c->metric != UINT32_MAX || bad(n->args, value, "a whole number");
}

static bool parse_change(const struct netrun *n, struct change *c)
{
    const struct args *a = n->args;
    *c = (struct change){.add = strcmp(a->operands[0], "add") == 0};
    if (!c->add && strcmp(a->operands[0], "del") != 0)
        return bad(a, a->operands[0], "add, del or show");
    if (a->operands_n < 2)
        return bad(a, "the end", "a prefix such as 10.1.0.0/16, default or default6");
    if (!parse_prefix(a, a->operands[1], c))
        return false;
    for (size_t i = 2; i < a->operands_n; i += 2) {
        if (i + 1 == a->operands_n)
            return bad(a, "the end", "a value behind via, dev or metric");
        if (!parse_word(n, a->operands[i], a->operands[i + 1], c))
            return false;
    }
    if (c->has_gateway && strcmp(a->operands[1], "default") == 0 && !addr_is_v4(&c->gateway)) {
        c->prefix = ADDR_NONE;
        c->len = 0;
    }
    return true;
}

static int change(struct netrun *n)
{
    const struct args *a = n->args;
    struct oriel_stack *s = n->stack;
    struct change c;
    if (a->operands_n == 0 || (a->operands_n == 1 && strcmp(a->operands[0], "show") == 0))
        return EXIT_OK;
    if (!parse_change(n, &c))
        return EXIT_USAGE;
    const struct oriel_addr *gateway = c.has_gateway ? &c.gateway : NULL;
    int err = c.add ? oriel_route_add(s, &c.prefix, c.len, gateway, c.netif, c.metric)
                    : oriel_route_remove(s, &c.prefix, c.len, gateway, c.netif);
    if (err == 0)
        return EXIT_OK;
    out_error(a->verb->name, "%s %s: %s", a->operands[0], a->operands[1], oriel_strerror(err));
    return EXIT_NEGATIVE;
}

static void name_netif(const struct oriel_stack *s, int netif, char out[16])
{
    struct oriel_netif_info i;
    struct txt t = txt_of(out, 16);
    for (uint32_t at = 0; oriel_netif_each(s, &at, &i);)
        if (i.netif == netif)
            txt_s(&t, i.name);
}

static void print_row(const struct oriel_stack *s, const struct oriel_route_info *i, bool as_json)
{
    const struct oriel_addr nobody = ADDR_NONE;
    char prefix[ADDR_TEXT_MAX + 4], gateway[ADDR_TEXT_MAX], dev[16];
    struct txt p = txt_of(prefix, sizeof prefix), g = txt_of(gateway, sizeof gateway);
    bool v4 = addr_is_v4(&i->prefix), via = !addr_same_bits(&i->gateway, &nobody);
    name_netif(s, i->netif, dev);
    if (i->prefix_len == (v4 ? 96 : 0) && !as_json)
        txt_s(&p, "default");
    else
        txt_prefix(&p, &(struct prefix){.addr = i->prefix, .len = i->prefix_len});
    if (via)
        txt_addr(&g, &i->gateway);
    if (!as_json) {
        out_f("%s%s%s dev %s proto %s metric %u\n", prefix, via ? " via " : "", gateway, dev,
              i->origin, i->metric);
        return;
    }
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "prefix", prefix);
    json_text(&j, "gateway", gateway);
    json_text(&j, "interface", dev);
    json_text(&j, "origin", i->origin);
    json_u(&j, "metric", i->metric);
    json_end(&j);
}

static int run(const struct args *a)
{
    struct netrun *n;
    struct oriel_route_info i;
    int status = netrun_open(&n, a, stdout, ORIEL_NEVER);
    if (status != EXIT_OK)
        return status;
    status = netrun_settle(n);
    netrun_show(n);
    if (status == EXIT_OK)
        status = change(n);
    const struct oriel_stack *s = n->stack;
    for (unsigned family = 0; family < 2 && status == EXIT_OK; family++)
        for (uint32_t at = 0; oriel_route_each(s, &at, &i);)
            if (addr_is_v4(&i.prefix) == (family == 0))
                print_row(s, &i, opt_on(a, "json"));
    return netrun_close(n, status);
}

const struct verb verb_route = {
    .name = "route",
    .summary = "show the routes of a stack on a link or of a node of a lab",
    .text = "Shows the routing table of a stack on a link, or of a node of a lab at its end or at the "
            "time of --at, IPv4 first: where to, by whom, by which port, where the route comes from "
            "and its metric. Of several prefixes that hold a destination the longest counts; of "
            "equal ones the smallest metric.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "addr arp lab-run traceroute",
    .run = run,
};
