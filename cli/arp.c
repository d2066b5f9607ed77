/* oriel arp: who is at which link address, as a node of a lab knows it. */
#include "cli/json.h"
#include "cli/labrun.h"
#include "cli/out.h"

#include <stdio.h>
#include <stdlib.h>

static const struct opt opts[] = {
    LABRUN_PLACE_OPTS,
    LABRUN_AT_OPT("without it, to its end."),
    {.name = "delete", .letter = 'd', .type = OPT_TEXT, .arg = "ADDRESS",
     .help = "First remove the entry of ADDRESS."},
    {.name = "static", .letter = 's', .type = OPT_TEXT, .arg = "ADDRESS=MAC",
     .help = "First add an entry that does not age."},
    {.name = "all", .letter = 'a', .type = OPT_FLAG,
     .help = "Show the IPv6 neighbours, too."},
    {.name = "json", .type = OPT_FLAG, .help = "Print a JSON object a line."},
    LABRUN_OPTS,
};

static const struct verb_example examples[] = {
    {"oriel arp --lab two-hosts --on a", "What a has learned when the lab has ended."},
    {"oriel arp --lab two-hosts --on a -s 10.0.0.9=02:00:00:00:00:09",
     "The same with an entry of one's own."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The entry could not be changed."},
};

/* The interface on whose network an address is; 0: none. */
static int netif_towards(const struct oriel_stack *s, const struct oriel_addr *to)
{
    struct oriel_addr_info i;
    for (uint32_t at = 0; oriel_addr_each(s, &at, &i);) {
        struct prefix on_link = prefix_of(i.addr, i.prefix_len);
        if (!addr_is_loopback(&i.addr) && prefix_has(&on_link, to))
            return i.netif;
    }
    return 0;
}

static int refused(const struct args *a, const char *what, int err)
{
    out_error(a->verb->name, "%s: %s", what, oriel_strerror(err));
    return EXIT_NEGATIVE;
}

static int delete_entry(const struct args *a, struct oriel_stack *s)
{
    const char *text = opt_text(a, "delete");
    struct oriel_addr addr;
    if (!text)
        return EXIT_OK;
    if (!addr_parse(span_str(text), &addr)) {
        out_error(a->verb->name, "-d %s: expected an address", text);
        return EXIT_USAGE;
    }
    int err = oriel_neigh_remove(s, netif_towards(s, &addr), &addr);
    return err < 0 ? refused(a, text, err) : EXIT_OK;
}

static int add_entry(const struct args *a, struct oriel_stack *s)
{
    const char *text = opt_text(a, "static");
    const char *is = text ? strchr(text, '=') : NULL;
    struct oriel_addr addr;
    struct mac mac;
    if (!text)
        return EXIT_OK;
    if (!is || !addr_parse(span_of(text, (size_t)(is - text)), &addr) ||
        !mac_parse(span_str(is + 1), &mac)) {
        out_error(a->verb->name, "-s %s: expected ADDRESS=MAC, such as "
                  "10.0.0.9=02:00:00:00:00:09", text);
        return EXIT_USAGE;
    }
    int err = oriel_neigh_add(s, netif_towards(s, &addr), &addr, mac.b);
    return err < 0 ? refused(a, text, err) : EXIT_OK;
}

static const char *netif_name(const struct oriel_stack *s, int netif)
{
    struct oriel_netif_info i;
    for (uint32_t at = 0; oriel_netif_each(s, &at, &i);)
        if (i.netif == netif)
            return i.name;
    return "?";
}

struct shown {
    char addr[ADDR_TEXT_MAX];
    char mac[24];
};

static struct shown shown_of(const struct oriel_neigh_info *i)
{
    struct shown s;
    struct mac m;
    struct txt a = txt_of(s.addr, sizeof s.addr), l = txt_of(s.mac, sizeof s.mac);
    memcpy(m.b, i->mac, 6);
    txt_addr(&a, &i->addr);
    if (mac_is_zero(&m))
        txt_s(&l, "(incomplete)");
    else
        txt_mac(&l, &m);
    return s;
}

static void print_row(const struct oriel_stack *s, const struct oriel_neigh_info *i, bool as_json)
{
    struct shown x = shown_of(i);
    bool known = x.mac[0] != '(';
    if (!as_json) {
        out_f("%-24s %-7s %-19s %-5s %-11s %s\n", x.addr, known ? "ether" : "", x.mac,
              strcmp(i->state, "static") == 0 ? "CM" : known ? i->router ? "CR" : "C" : "",
              i->state, netif_name(s, i->netif));
        return;
    }
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "address", x.addr);
    json_text(&j, "mac", known ? x.mac : "");
    json_text(&j, "state", i->state);
    json_bool(&j, "router", i->router);
    json_text(&j, "interface", netif_name(s, i->netif));
    json_end(&j);
}

static void print_table(const struct args *a, const struct oriel_stack *s)
{
    struct oriel_neigh_info i;
    bool as_json = opt_on(a, "json");
    if (!as_json)
        out_f("%-24s %-7s %-19s %-5s %-11s %s\n", "Address", "HWtype", "HWaddress", "Flags",
              "State", "Iface");
    for (uint32_t at = 0; oriel_neigh_each(s, &at, &i);)
        if (addr_is_v4(&i.addr) || opt_on(a, "all"))
            print_row(s, &i, as_json);
}

static int run(const struct args *a)
{
    struct labrun *r;
    uint16_t node;
    int status = labrun_at(&r, a, ORIEL_NEVER, &node);
    if (status != EXIT_OK)
        return status;
    struct oriel_stack *s = r->lab->w->nodes[node].stack;
    labrun_end_ladder(r);
    status = delete_entry(a, s);
    if (status == EXIT_OK)
        status = add_entry(a, s);
    if (status == EXIT_OK)
        print_table(a, s);
    return labrun_close(r, status);
}

const struct verb verb_arp = {
    .name = "arp",
    .summary = "show the neighbours that a node of a lab knows",
    .text = "Runs a lab to its end, or to the time of --at, and shows the neighbour table of one "
            "of its nodes: addresses, link addresses, flags (C complete, M by hand, R a router) "
            "and states.",
    VERB_LIST(opts, opts),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "addr lab-run route",
    .run = run,
};
