/*
 * oriel addr: what an address says (class, prefix, mask, range), and the addresses of a stack on a
 * link or of a node of a lab.
 */
#include "cli/json.h"
#include "cli/netrun.h"
#include "cli/out.h"

#include <stdio.h>
#include <stdlib.h>

static const struct opt opts[] = {
    NETRUN_OPTS('w', 'v'),
};

static const struct operand operands[] = {
    {.name = "WHAT", .max = 5,
     .help = "`show ADDRESS[/LENGTH]`: what that address says; needs no link. With one: nothing or "
             "`show` for its node's addresses, `add ADDRESS/LENGTH dev PORT` or `del ADDRESS dev "
             "PORT` to change them first."},
};

static const struct verb_example examples[] = {
    {"oriel addr show 10.0.0.1/8", "Class A, the mask, the network, its hosts, its broadcast."},
    {"oriel addr show 2001:db8::1/64", "The same of an IPv6 address."},
    {"oriel addr --link tap:oriel0,addr=192.0.2.2/24 --at 3s",
     "What a stack has on a link after three seconds."},
    {"oriel addr --lab slaac --on a --at 5s", "The addresses of a node after five seconds."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The address could not be added or removed."},
};

static bool bad(const struct args *a, const char *what, const char *expected)
{
    out_error(a->verb->name, "found '%s', expected %s", what, expected);
    return false;
}

/* ---- what an address says ---- */

struct fact_sink {
    bool as_json;
    struct json j;
};

static void fact(struct fact_sink *f, const char *name, const char *key, const char *value)
{
    if (f->as_json)
        json_text(&f->j, key, value);
    else
        out_f("%-10s %s\n", name, value);
}

static void fact_addr(struct fact_sink *f, const char *name, const char *key,
                      const struct oriel_addr *a)
{
    char text[ADDR_TEXT_MAX];
    struct txt t = txt_of(text, sizeof text);
    txt_addr(&t, a);
    fact(f, name, key, text);
}

/* The classes of RFC 791: how many bits of the address name the network. */
static const char *class_of(uint32_t v4, unsigned *bits)
{
    *bits = 0;
    if (v4 < 0x80000000u)
        return *bits = 8, "A";
    if (v4 < 0xc0000000u)
        return *bits = 16, "B";
    if (v4 < 0xe0000000u)
        return *bits = 24, "C";
    return v4 < 0xf0000000u ? "D" : "E";
}

static const char *kind4(const struct oriel_addr *a)
{
    static const struct {
        uint32_t net;
        unsigned len;
        const char *says;
    } kinds[] = {
        {0x00000000, 8, "this network"},           {0x0a000000, 8, "private (RFC 1918)"},
        {0x64400000, 10, "shared, behind carrier translation (RFC 6598)"},
        {0x7f000000, 8, "loopback"},               {0xa9fe0000, 16, "link-local (RFC 3927)"},
        {0xac100000, 12, "private (RFC 1918)"},    {0xc0000200, 24, "documentation (RFC 5737)"},
        {0xc0a80000, 16, "private (RFC 1918)"},    {0xc6120000, 15, "benchmarks (RFC 2544)"},
        {0xc6336400, 24, "documentation (RFC 5737)"},
        {0xcb007100, 24, "documentation (RFC 5737)"},
        {0xffffffff, 32, "limited broadcast"},     {0xe0000000, 4, "multicast"},
        {0xf0000000, 4, "reserved"},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct prefix p = prefix_v4(kinds[i].net, kinds[i].len);
        if (prefix_has(&p, a))
            return kinds[i].says;
    }
    return "global unicast";
}

static void show_class(struct fact_sink *f, uint32_t v4)
{
    unsigned bits;
    char text[160];
    struct txt t = txt_of(text, sizeof text);
    txt_s(&t, class_of(v4, &bits));
    if (bits > 0) {
        struct prefix net = prefix_v4(v4, bits);
        struct oriel_addr host = addr_v4(v4 & (UINT32_MAX >> bits));
        txt_s(&t, ": network ");
        txt_prefix(&t, &net);
        txt_s(&t, ", host part ");
        txt_addr(&t, &host);
    } else {
        txt_s(&t, v4 < 0xf0000000u ? ": multicast groups" : ": reserved");
    }
    fact(f, "class", "class", text);
}

/* The first and last address that a host may have, and how many there are. */
static void show_hosts4(struct fact_sink *f, const struct prefix *p)
{
    char text[160];
    struct txt t = txt_of(text, sizeof text);
    unsigned len = p->len - 96u;
    uint32_t low = addr_to_v4(&p->addr);
    uint32_t high = low | (len == 0 ? UINT32_MAX : len == 32 ? 0 : UINT32_MAX >> len);
    bool edges = len < 31;      /* the network's own address and the broadcast are no hosts */
    struct oriel_addr first = addr_v4(low + edges), last = addr_v4(high - edges);
    txt_addr(&t, &first);
    txt_s(&t, " to ");
    txt_addr(&t, &last);
    txt_s(&t, ", ");
    txt_u(&t, (uint64_t)high - low + 1 - (edges ? 2 : 0));
    fact(f, "hosts", "hosts", text);
}

static void show4(struct fact_sink *f, const struct oriel_addr *a, uint8_t len)
{
    struct prefix p = prefix_of(*a, len);
    unsigned bits = len - 96u;
    struct oriel_addr mask = addr_v4(bits == 0 ? 0 : UINT32_MAX << (32 - bits));
    struct oriel_addr wild = addr_v4(~addr_to_v4(&mask));
    struct oriel_addr all = prefix_v4_broadcast(&p);
    char text[ADDR_TEXT_MAX + 4];
    struct txt t = txt_of(text, sizeof text);
    txt_prefix(&t, &p);
    fact_addr(f, "address", "address", a);
    fact(f, "kind", "kind", kind4(a));
    show_class(f, addr_to_v4(a));
    fact(f, "prefix", "prefix", text);
    fact_addr(f, "netmask", "netmask", &mask);
    fact_addr(f, "wildcard", "wildcard", &wild);
    if (addr_is_multicast(a) || addr_is_class_e(a))
        return;
    fact_addr(f, "network", "network", &p.addr);
    if (addr_is_unspecified(&all))
        fact(f, "broadcast", "broadcast", "none (RFC 3021)");
    else
        fact_addr(f, "broadcast", "broadcast", &all);
    show_hosts4(f, &p);
}

static const char *kind6(const struct oriel_addr *a)
{
    static const struct {
        uint64_t hi;
        unsigned len;
        const char *says;
    } kinds[] = {
        {0xfe80000000000000, 10, "link-local"},
        {0xfc00000000000000, 7, "unique local (RFC 4193)"},
        {0x20010db800000000, 32, "documentation (RFC 3849)"},
        {0xff00000000000000, 8, "multicast"},
        {0x2000000000000000, 3, "global unicast"},
    };
    if (addr_is_unspecified(a))
        return "unspecified";
    if (addr_is_loopback(a))
        return "loopback";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct prefix p = prefix_of(addr_v6(kinds[i].hi, 0), kinds[i].len);
        struct oriel_addr bare = addr_v6(a->hi, a->lo);
        if (prefix_has(&p, &bare))
            return kinds[i].says;
    }
    return "reserved";
}

static void show6(struct fact_sink *f, const struct oriel_addr *a, uint8_t len)
{
    struct prefix p = prefix_of(*a, len);
    struct oriel_addr node = addr_solicited_node(a);
    struct oriel_addr last = p.addr;
    char text[ADDR_TEXT_MAX + 4];
    struct txt t = txt_of(text, sizeof text);
    last.hi |= len >= 64 ? 0 : UINT64_MAX >> len;
    last.lo |= len <= 64 ? UINT64_MAX : len == 128 ? 0 : UINT64_MAX >> (len - 64);
    txt_prefix(&t, &p);
    fact_addr(f, "address", "address", a);
    fact(f, "kind", "kind", kind6(a));
    fact(f, "prefix", "prefix", text);
    fact_addr(f, "first", "first", &p.addr);
    fact_addr(f, "last", "last", &last);
    if (!addr_is_multicast(a))
        fact_addr(f, "solicited", "solicited_node", &node);
}

static int show_text(const struct args *a, const char *text)
{
    struct oriel_addr addr;
    uint8_t len = 128;
    struct fact_sink f = {.as_json = opt_on(a, "json")};
    if (!addr_and_len_parse(span_str(text), &addr, &len) && !addr_parse(span_str(text), &addr)) {
        (void)bad(a, text, "an address such as 10.0.0.1/8 or 2001:db8::1/64");
        return EXIT_USAGE;
    }
    if (f.as_json)
        json_begin(&f.j, out_sink());
    if (addr_is_v4(&addr)) {
        unsigned bits;
        (void)class_of(addr_to_v4(&addr), &bits);
        if (!strchr(text, '/') && bits > 0)     /* without a length, the class says it */
            len = (uint8_t)(96 + bits);
        show4(&f, &addr, len);
    } else {
        show6(&f, &addr, len);
    }
    if (f.as_json)
        json_end(&f.j);
    return EXIT_OK;
}

/* ---- the addresses of a node ---- */

static int change(const struct netrun *n)
{
    const struct args *a = n->args;
    char *const *word = a->operands;
    struct oriel_stack *s = n->stack;
    struct oriel_addr addr;
    uint8_t len = 128;
    if (a->operands_n == 0 || strcmp(word[0], "show") == 0)
        return EXIT_OK;
    bool add = strcmp(word[0], "add") == 0;
    if (!add && strcmp(word[0], "del") != 0)
        return bad(a, word[0], "show, add or del"), EXIT_USAGE;
    if (a->operands_n != 4 || strcmp(word[2], "dev") != 0)
        return bad(a, word[a->operands_n - 1], "ADDRESS/LENGTH dev PORT"), EXIT_USAGE;
    if (!addr_and_len_parse(span_str(word[1]), &addr, &len) &&
        (add || !addr_parse(span_str(word[1]), &addr)))
        return bad(a, word[1], "an address such as 10.0.0.5/24"), EXIT_USAGE;
    int netif = netrun_port(n, word[3]);
    if (netif == 0)
        return bad(a, word[3], "a port of the node"), EXIT_USAGE;
    int err = add ? oriel_addr_add(s, netif, &addr, len) : oriel_addr_remove(s, netif, &addr);
    if (err == 0)
        return EXIT_OK;
    out_error(a->verb->name, "%s %s: %s", word[0], word[1], oriel_strerror(err));
    return EXIT_NEGATIVE;
}

static void print_netif(const struct oriel_netif_info *n)
{
    char mac[24];
    struct mac m;
    struct txt t = txt_of(mac, sizeof mac);
    memcpy(m.b, n->mac, 6);
    txt_mac(&t, &m);
    out_f("%d: %s: %s mtu %u%s%s\n", n->netif, n->name,
          n->up ? n->carrier ? "up" : "up, no carrier" : "down", n->mtu,
          mac_is_zero(&m) ? "" : " ether ", mac_is_zero(&m) ? "" : mac);
}

static void print_addr(const struct oriel_addr_info *i, const char *netif, bool as_json)
{
    char text[ADDR_TEXT_MAX + 4];
    struct txt t = txt_of(text, sizeof text);
    struct oriel_addr bare = i->addr;
    bare.zone = 0;
    txt_prefix(&t, &(struct prefix){.addr = bare, .len = i->prefix_len});
    if (!as_json) {
        out_f("    %s %s %s %s\n", addr_is_v4(&bare) ? "inet" : "inet6", text, i->state, i->origin);
        return;
    }
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "interface", netif);
    json_text(&j, "address", text);
    json_text(&j, "state", i->state);
    json_text(&j, "origin", i->origin);
    json_end(&j);
}

static int show_node(const struct args *a)
{
    struct netrun *r;
    struct oriel_netif_info n;
    struct oriel_addr_info i;
    int status = netrun_open(&r, a, stdout, ORIEL_NEVER);
    if (status != EXIT_OK)
        return status;
    status = netrun_settle(r);
    netrun_show(r);
    if (status == EXIT_OK)
        status = change(r);
    const struct oriel_stack *s = r->stack;
    for (uint32_t at = 0; status == EXIT_OK && oriel_netif_each(s, &at, &n);) {
        if (!opt_on(a, "json"))
            print_netif(&n);
        for (uint32_t k = 0; oriel_addr_each(s, &k, &i);)
            if (i.netif == n.netif)
                print_addr(&i, n.name, opt_on(a, "json"));
    }
    return netrun_close(r, status);
}

static int run(const struct args *a)
{
    bool node = opt_given(a, "lab") || opt_given(a, "on") || opt_given(a, "link");
    if (!node && a->operands_n == 2 && strcmp(a->operands[0], "show") == 0)
        return show_text(a, a->operands[1]);
    if (!node && a->operands_n == 1 && strcmp(a->operands[0], "show") != 0)
        return show_text(a, a->operands[0]);
    if (node)
        return show_node(a);
    out_error(a->verb->name, "expected `show ADDRESS/LENGTH`, or --link SPEC, or --lab NAME and --on NODE");
    return EXIT_USAGE;
}

const struct verb verb_addr = {
    .name = "addr",
    .summary = "say what an address means, or show those of a stack on a link or of a node of a lab",
    .text = "`oriel addr show ADDRESS/LENGTH` says what an address means: its class and what the "
            "class calls network and host part, its prefix, mask, network, broadcast address and "
            "hosts. Without a length the class gives it.\n\n"
            "With --link it opens a link, waits until its addresses can be used or as long as --at "
            "says, and with --lab and --on it runs a lab to its end, or to the time of --at; then it "
            "shows the interfaces and addresses of a node, with the state of each address and where it comes "
            "from.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "arp lab-run route",
    .run = run,
};
