/* oriel arp: who is at which link address, as a stack on a link or a node of a lab knows it. */
#include "cli/json.h"
#include "cli/netrun.h"
#include "cli/out.h"

#include <stdio.h>
#include <stdlib.h>

static const struct opt opts[] = {
    {.name = "delete", .letter = 'd', .type = OPT_TEXT, .arg = "ADDRESS",
     .help = "First remove the entry of ADDRESS."},
    {.name = "static", .letter = 's', .type = OPT_TEXT, .arg = "ADDRESS=MAC",
     .help = "First add an entry that does not age."},
    {.name = "all", .letter = 'a', .type = OPT_FLAG,
     .help = "Show the IPv6 neighbours, too."},
    NETRUN_OPTS('w', 'v'),
};

static const struct operand operands[] = {
    {.name = "ADDRESS", .kind = OPERAND_HOST, .max = 16,
     .help = "Ask who has it first, and wait up to three seconds for the answer."},
};

static const struct verb_example examples[] = {
    {"oriel arp --link tap:oriel0,addr=192.0.2.2/24 192.0.2.1", "Who has that address?"},
    {"oriel arp --lab two-hosts --on a", "What a has learned when the lab has ended."},
    {"oriel arp --lab two-hosts --on a -s 10.0.0.9=02:00:00:00:00:09",
     "The same with an entry of one's own."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The entry could not be changed; nobody answered for an ADDRESS."},
    {EXIT_SETUP, "The link cannot be opened, or is gone; a file cannot be written."},
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

/* Is every address that was asked for known by now? */
static bool all_known(void *ctx)
{
    const struct netrun *n = ctx;
    for (size_t i = 0; i < n->args->operands_n; i++) {
        struct oriel_neigh_info e;
        struct oriel_addr want;
        bool known = false;
        if (!addr_parse(span_str(n->args->operands[i]), &want))
            continue;
        for (uint32_t at = 0; oriel_neigh_each(n->stack, &at, &e);)
            known = known || (addr_same_bits(&e.addr, &want) &&
                              memcmp(e.mac, MAC_NONE.b, sizeof e.mac) != 0);
        if (!known)
            return false;
    }
    return true;
}

/* A datagram to the discard port makes the stack ask. */
static int resolve(struct netrun *n)
{
    oriel_handle h;
    int err = oriel_udp_open(n->stack, ORIEL_DUAL, &h);
    for (size_t i = 0; i < n->args->operands_n && err >= 0; i++) {
        struct oriel_msg to = {.peer = {.port = 9}};
        if (!netrun_addr(n, n->args->operands[i], ORIEL_DUAL, &to.peer.addr))
            return EXIT_USAGE;
        err = oriel_send(n->stack, h, "", 1, &to);
        if (err < 0)
            return refused(n->args, n->args->operands[i], err);
    }
    if (err < 0)
        return refused(n->args, "asking", err);
    netrun_poke(n);
    int status = netrun_wait(n, 3 * NS_PER_S, all_known, n);
    return status == EXIT_OK && !all_known(n) ? EXIT_NEGATIVE : status;
}

static int arp(struct netrun *n)
{
    const struct args *a = n->args;
    bool at_once = !n->lab && !opt_given(a, "at");
    int status = at_once ? netrun_ready(n, true, 3 * NS_PER_S) : netrun_settle(n);
    if (status == EXIT_OK)
        status = delete_entry(a, n->stack);
    if (status == EXIT_OK)
        status = add_entry(a, n->stack);
    if (status == EXIT_OK && a->operands_n > 0)
        status = resolve(n);
    netrun_show(n);
    if (status == EXIT_OK || (status == EXIT_NEGATIVE && a->operands_n > 0))
        print_table(a, n->stack);
    return status;
}

static int run(const struct args *a)
{
    struct netrun *n;
    int status = netrun_open(&n, a, stdout, ORIEL_NEVER);
    return status == EXIT_OK ? netrun_close(n, arp(n)) : status;
}

const struct verb verb_arp = {
    .name = "arp",
    .summary = "show the neighbours that a stack on a link or a node of a lab knows",
    .text = "Shows a neighbour table: addresses, link addresses, flags (C complete, M by hand, R a "
            "router) and states. On a link it is that of a stack of its own, which asks for the "
            "ADDRESSes first; with --lab that of a node when the lab has ended, or at the time of "
            "--at.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "addr lab-run route",
    .run = run,
};
