/* Expectations about tables: neighbours, addresses, routes, groups, sockets and the rest. */
#include "lab/lab.h"

static const struct oriel_stack *stack_of(const struct lab *l, const struct expect *e)
{
    return l->w->nodes[e->node].stack;
}

static bool word_is(struct span word, const char *name)
{
    return word.n == 0 || span_is(word, name);
}

static bool on_port(const struct lab *l, const struct expect *e, int netif)
{
    return e->port == SC_NONE || l->netifs[e->port] == netif;
}

static bool number_is(const struct ex_count *c, uint64_t n)
{
    return c->how == HOW_ANY || ex_count_holds(c, n);
}

/* Rows of a table are listed in what was seen, as long as there is room. */
static void row(struct txt *t, unsigned *n, const char *what)
{
    if ((*n)++ == 0) {
        txt_s(t, "there is");
    } else {
        txt_c(t, ',');
    }
    txt_c(t, ' ');
    txt_s(t, what);
}

static void none(struct txt *t, unsigned n, const char *what)
{
    if (n > 0)
        return;
    txt_s(t, "there is no ");
    txt_s(t, what);
}

static bool ask_neigh(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_neigh_info i;
    unsigned n = 0;
    for (uint32_t at = 0; oriel_neigh_each(stack_of(l, e), &at, &i);) {
        if (!addr_same_bits(&i.addr, &e->addr.addr))
            continue;
        row(t, &n, i.state);
        txt_c(t, ' ');
        txt_mac(t, &(struct mac){{i.mac[0], i.mac[1], i.mac[2], i.mac[3], i.mac[4], i.mac[5]}});
        if (word_is(e->word, i.state) && (!e->router || i.router) && on_port(l, e, i.netif) &&
            (!e->has_mac || memcmp(i.mac, e->mac.b, 6) == 0))
            return true;
    }
    none(t, n, "entry for it");
    return false;
}

static bool ask_addr(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct prefix in = prefix_of(e->addr.addr, e->addr.len);
    struct oriel_addr_info i;
    unsigned n = 0;
    for (uint32_t at = 0; oriel_addr_each(stack_of(l, e), &at, &i);) {
        struct oriel_addr bare = i.addr;
        bare.zone = in.addr.zone;
        if (addr_is_loopback(&i.addr))
            continue;
        row(t, &n, "");
        txt_addr(t, &i.addr);
        txt_c(t, ' ');
        txt_s(t, i.state);
        txt_c(t, ' ');
        txt_s(t, i.origin);
        if (prefix_has(&in, &bare) && word_is(e->word, i.state) && word_is(e->origin, i.origin) &&
            on_port(l, e, i.netif))
            return true;
    }
    none(t, n, "address");
    return false;
}

static bool is_route(const struct lab *l, const struct expect *e, const struct oriel_route_info *i)
{
    struct prefix to = prefix_of(e->addr.addr, e->addr.len);
    return addr_same_bits(&i->prefix, &to.addr) && i->prefix_len == to.len &&
           (!e->has_from || addr_same_bits(&i->gateway, &e->from_addr)) &&
           word_is(e->origin, i->origin) && on_port(l, e, i->netif) &&
           number_is(&e->num[NUM_METRIC], i->metric);
}

static bool ask_route(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_route_info i;
    const struct oriel_addr nobody = ADDR_NONE;
    unsigned n = 0;
    for (uint32_t at = 0; oriel_route_each(stack_of(l, e), &at, &i);) {
        if (addr_is_v4(&i.prefix) != addr_is_v4(&e->addr.addr))
            continue;
        row(t, &n, "");
        txt_prefix(t, &(struct prefix){.addr = i.prefix, .len = i.prefix_len});
        if (!addr_same_bits(&i.gateway, &nobody)) {
            txt_s(t, " via ");
            txt_addr(t, &i.gateway);
        }
        txt_c(t, ' ');
        txt_s(t, i.origin);
        if (is_route(l, e, &i))
            return true;
    }
    none(t, n, "route of that family");
    return false;
}

static bool ask_group(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_group_info i;
    unsigned n = 0;
    for (uint32_t at = 0; oriel_group_each(stack_of(l, e), &at, &i);) {
        if (!addr_same_bits(&i.group, &e->addr.addr))
            continue;
        row(t, &n, i.exclude ? "exclude, " : "include, ");
        txt_u(t, i.sources);
        txt_s(t, " sources, ");
        txt_u(t, i.members);
        txt_s(t, " members");
        if (on_port(l, e, i.netif) && !(e->include && i.exclude) && !(e->exclude && !i.exclude) &&
            number_is(&e->num[NUM_SOURCES], i.sources) &&
            number_is(&e->num[NUM_MEMBERS], i.members))
            return true;
    }
    none(t, n, "member of it");
    return false;
}

static bool ask_pmtu(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_pmtu_info i;
    unsigned n = 0;
    for (uint32_t at = 0; oriel_pmtu_each(stack_of(l, e), &at, &i);) {
        if (!addr_same_bits(&i.dst, &e->addr.addr))
            continue;
        row(t, &n, "");
        txt_u(t, i.mtu);
        if (number_is(&e->num[NUM_MTU], i.mtu))
            return true;
    }
    none(t, n, "path MTU known for it");
    return false;
}

static bool ask_socket(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_socket_info i;
    unsigned n = 0;
    bool found = false;
    for (uint32_t at = 0; oriel_socket_each(stack_of(l, e), &at, &i);) {
        if (i.local.port != e->number)
            continue;
        row(t, &n, i.kind);
        txt_s(t, " with ");
        txt_u(t, i.rcv_pkts);
        txt_s(t, " waiting, ");
        txt_u(t, i.dropped);
        txt_s(t, " dropped, ");
        txt_u(t, i.in_pkts);
        txt_s(t, " in, ");
        txt_u(t, i.out_pkts);
        txt_s(t, " out");
        found = found || (number_is(&e->num[NUM_WAITING], i.rcv_pkts) &&
                          number_is(&e->num[NUM_DROPPED], i.dropped) &&
                          number_is(&e->num[NUM_RECEIVED], i.in_pkts) &&
                          number_is(&e->num[NUM_SENT], i.out_pkts));
    }
    none(t, n, "socket on it");
    return e->num[NUM_COUNT].how == HOW_ANY ? found : ex_count_holds(&e->num[NUM_COUNT], n);
}

static bool ask_nat(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_nat_info i;
    uint64_t n = 0;
    for (uint32_t at = 0; oriel_nat_each(stack_of(l, e), &at, &i);)
        n++;
    txt_s(t, "there are ");
    txt_u(t, n);
    return ex_count_holds(&e->num[NUM_SESSIONS], n);
}

static bool ask_reasm(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_reasm_info i;
    uint64_t n = 0;
    for (uint32_t at = 0; oriel_reasm_each(stack_of(l, e), &at, &i);)
        n++;
    txt_u(t, n);
    txt_s(t, " datagrams are being put together");
    return ex_count_holds(&e->num[NUM_COUNT], n);
}

static bool ask_netif(const struct lab *l, const struct expect *e, struct txt *t)
{
    struct oriel_netif_info i;
    for (uint32_t at = 0; oriel_netif_each(stack_of(l, e), &at, &i);) {
        if (i.netif != l->netifs[e->port])
            continue;
        bool works = i.up && i.carrier;
        txt_s(t, works ? "it is up" : "it is down");
        txt_s(t, ", mtu ");
        txt_u(t, i.mtu);
        return word_is(e->word, works ? "up" : "down") && number_is(&e->num[NUM_MTU], i.mtu);
    }
    txt_s(t, "there is no such interface");
    return false;
}

bool lab_ask_state(struct lab *l, const struct expect *e, struct txt *seen)
{
    switch ((enum ex_kind)e->kind) {
    case EX_NEIGH:  return ask_neigh(l, e, seen);
    case EX_ADDR:   return ask_addr(l, e, seen);
    case EX_ROUTE:  return ask_route(l, e, seen);
    case EX_GROUP:  return ask_group(l, e, seen);
    case EX_PMTU:   return ask_pmtu(l, e, seen);
    case EX_SOCKET: return ask_socket(l, e, seen);
    case EX_NAT:    return ask_nat(l, e, seen);
    case EX_REASM:  return ask_reasm(l, e, seen);
    case EX_NETIF:  return ask_netif(l, e, seen);
    case EX_FRAMES:
    case EX_ORDER:
    case EX_DROP:
    case EX_WHY:
    case EX_PING:
    case EX_TRACE:
    case EX_UDP:
    case EX_QUIET:
    case EX_TCP:
    case EX_RESOLVE:
    case EX_DHCP:
    case EX_RATIO:
        break;
    }
    return false;               /* lab_ask keeps these to itself */
}
