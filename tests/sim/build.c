/*
 * A random world: networks first, then who is on them, then routes by the fewest routers.
 *
 * Network k has 10.0.k.0/24 and fd00:0:0:k::/64; the machine with number i in it ends in i + 1.
 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#define MILLION 1000000u
#define FAR     99              /* no way */
#define NAT_ROUTER 0            /* the one whose way to the next router translates */

static uint32_t share(struct sim *s, uint64_t at_most_millionths)
{
    return (uint32_t)sim_scale(s, at_most_millionths);
}

/* ---- wires ---- */

static struct impair random_impair(struct sim *s, bool fcs)
{
    struct impair im = {0};
    if (one_in(s, 3))
        im.loss = share(s, MILLION / 5);
    if (one_in(s, 5)) {
        im.burst_enter = share(s, MILLION / 50);
        im.burst_leave = share(s, MILLION / 2);
        im.burst_loss = share(s, MILLION);
    }
    if ((fcs || s->bare) && one_in(s, 4))
        im.corrupt = share(s, MILLION / 10);
    if ((fcs || s->bare) && one_in(s, 5))
        im.truncate = share(s, MILLION / 20);
    if (one_in(s, 4))
        im.dup = share(s, MILLION / 20);
    if (one_in(s, 3)) {
        im.reorder = share(s, MILLION / 4);
        im.reorder_ns = one_in(s, 2) ? 0 : sim_scale(s, 300 * NS_PER_MS);
    }
    if (one_in(s, 3))
        im.jitter_ns = sim_scale(s, 30 * NS_PER_MS);
    if (one_in(s, 8)) {
        im.lose_nth[0] = (uint32_t)sim_scale(s, 100);
        im.hold_nth[0] = (uint32_t)sim_scale(s, 100);
        im.dup_nth[0] = (uint32_t)sim_scale(s, 100);
        im.lose_n = im.hold_n = im.dup_n = 1;
    }
    return im;
}

static struct wire_params random_wire(struct sim *s, const struct seg *g, bool wild)
{
    struct wire_params p = {.fcs = g->fcs};
    if (!one_in(s, 3))
        p.rate_bps = 2000000 + sim_scale(s, 1000000000);
    if (!one_in(s, 4))
        p.delay_ns = sim_scale(s, one_in(s, 20) ? 2 * NS_PER_S : 60 * NS_PER_MS);
    if (one_in(s, 2))
        p.queue_pkts = 2 + (uint32_t)sim_scale(s, 200);
    if (one_in(s, 40)) {
        p.mtu = g->mtu * 3 / 4;
        s->blackhole = true;
    }
    if (wild)
        p.impair = random_impair(s, g->fcs);
    return p;
}

/* Each direction has its own. */
static void join(struct sim *s, struct port *a, struct port *b, const struct seg *g, bool wild)
{
    struct wire_params p = random_wire(s, g, wild);
    struct wire *x = world_join(&s->w, a, b, &p);
    if (!x) {
        sim_wrong(s, "a world of that size cannot be built: wires");
        return;
    }
    if (one_in(s, 2)) {
        struct wire_params back = random_wire(s, g, wild);
        back.mtu = p.mtu;
        x->dir[1].p = back;
    }
}

/* ---- nodes ---- */

/* What its TCP can do and how it is set; half of all are as they come. */
static void random_tcp(struct sim *s, struct oriel_tcp_config *c)
{
    static const char *const cc[] = {"cubic", "newreno", "bbr"};
    c->msl_ms = (uint32_t)sim_scale(s, 30000);
    if (one_in(s, 2))
        return;
    c->personality = (enum oriel_personality)rng_below(&s->rng, 4);
    c->ecn = (enum oriel_ecn)rng_below(&s->rng, 5);
    c->cookies = one_in(s, 3) ? (enum oriel_cookies)rng_below(&s->rng, 3) : 0;
    c->congestion = one_in(s, 2) ? cc[rng_below(&s->rng, ARRAY_LEN(cc))] : NULL;
    c->sndbuf = one_in(s, 3) ? (uint32_t)sim_scale(s, 300000) : 0;
    c->rcvbuf = one_in(s, 3) ? (uint32_t)sim_scale(s, 300000) : 0;
    c->rto_min_ms = one_in(s, 3) ? (uint32_t)sim_scale(s, 2000) : 0;
    c->rto_max_ms = one_in(s, 6) ? (uint32_t)between(s, 1000, 100000) : 0;
    c->rto_init_ms = one_in(s, 4) ? (uint32_t)between(s, 100, 5000) : 0;
    c->delack_ms = one_in(s, 3) ? (uint32_t)sim_scale(s, 600) : 0;
    c->initial_window = one_in(s, 3) ? (uint8_t)between(s, 1, 40) : 0;
    c->window_scale = one_in(s, 3) ? (int8_t)(between(s, 0, 15) - 1) : 0;
    c->no_timestamps = one_in(s, 4);
    c->no_sack = one_in(s, 5);
    c->no_rack = one_in(s, 4);
    c->mtu_probing = one_in(s, 4);
    c->half_open = one_in(s, 4) ? (uint32_t)sim_scale(s, 8) : 0;
    c->time_wait = one_in(s, 4) ? (uint32_t)sim_scale(s, 8) : 0;
}

/* Half of all connections begin just before the numbers go round, or before their middle. */
static void choose_numbers(struct sim *s, struct tcp *t)
{
    if (one_in(s, 2))
        return;
    t->isn_range.mask = (1u << between(s, 4, 17)) - 1;
    t->isn_range.from = (one_in(s, 2) ? 0x80000000u : 0) - t->isn_range.mask - 1 +
                        (one_in(s, 4) ? (uint32_t)between(s, 0, 20) : 0);
}

static struct oriel_config random_config(struct sim *s, bool router)
{
    struct oriel_config c;
    oriel_config_init(&c);
    c.forward4 = c.forward6 = router;
    c.connections = (uint32_t)between(s, 16, 64);
    c.strong_host = !router && one_in(s, 3);    /* a strong router's far side cannot be pinged */
    c.send_redirects = one_in(s, 2);
    c.accept_redirects = !s->hostile && one_in(s, 2);
    c.echo_group = one_in(s, 2);
    c.ttl = one_in(s, 3) ? (uint8_t)between(s, 10, 255) : 0;
    c.icmp_per_s = one_in(s, 3) ? (uint32_t)sim_scale(s, 1000) : 0;
    random_tcp(s, &c.tcp);
    c.tcp.no_fast_path = s->second;
    return c;
}

static void add_actor(struct sim *s, bool router, size_t memory)
{
    char name[16];
    struct actor *a = &s->who[s->all];
    struct oriel_config c = random_config(s, router);
    snprintf(name, sizeof(name), "%c%u", router ? 'r' : 'h', s->all);
    *a = (struct actor){.router = router, .v4 = s->v4, .v6 = s->v6};
    a->node = world_add_node(&s->w, router ? NODE_ROUTER : NODE_HOST, span_str(name), &c, memory);
    if (!a->node) {
        sim_wrong(s, "a world of that size cannot be built: nodes");
        return;
    }
    choose_numbers(s, &a->node->stack->tcp);
    if (one_in(s, 6))
        a->node->stack->budget.max = between(s, 96, 400) * 1024;
    if (!one_in(s, 4)) {
        struct oriel_netif_config lo = {.name = "lo", .kind = ORIEL_NETIF_LOOPBACK};
        if (oriel_netif_add(a->node->stack, &lo) < 0)
            sim_wrong(s, "%s has no room for a loopback interface", name);
    }
    s->all++;
}

static struct oriel_netif_config random_netif(struct sim *s, const struct seg *g)
{
    return (struct oriel_netif_config){
        .mtu = g->mtu,
        .fcs = g->fcs,
        .ip6 = s->v6,
        .accept_ra = one_in(s, 2),
        .no_dad = one_in(s, 2),
        .probe4 = one_in(s, 3),
        .tx_queue = one_in(s, 3) ? (uint32_t)between(s, 16, 64) : 0,
        .igmp_version = (uint8_t)rng_below(&s->rng, 4),
        .mld_version = (uint8_t)rng_below(&s->rng, 3),
    };
}

/* ---- networks ---- */

static unsigned add_seg(struct sim *s, uint16_t vid, bool switched)
{
    uint32_t least = s->v6 ? 1280 : 576;
    uint32_t mtu = one_in(s, 2) ? 1500 : one_in(s, 3) ? least : (uint32_t)between(s, least, 9000);
    s->seg[s->segs] = (struct seg){.mtu = mtu, .vid = vid, .switched = switched, .fcs = !s->bare && !s->sound};
    return s->segs++;
}

static unsigned machines_on(const struct sim *s, unsigned seg)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->legs; i++)
        n += s->leg[i].seg == seg;
    return n;
}

static void add_addresses(struct sim *s, const struct leg *l)
{
    struct oriel_stack *k = s->who[l->who].node->stack;
    int err = s->v4 ? oriel_addr_add(k, l->netif, &l->a4, 120) : 0;
    if (!err && s->v6)
        err = oriel_addr_add(k, l->netif, &l->a6, 64);
    if (err)
        sim_wrong(s, "an address is refused: %s", oriel_strerror(err));
}

/* Interface `netif` of somebody becomes a machine of that network. */
static void add_leg(struct sim *s, unsigned who, unsigned seg, int netif, struct port *port,
                    bool nat)
{
    unsigned number = machines_on(s, seg) + 1;
    struct leg *l = &s->leg[s->legs++];
    *l = (struct leg){.who = (uint8_t)who, .seg = (uint8_t)seg, .netif = netif, .is_nat = nat,
                      .port = port, .a4 = addr_v4(0x0a000000u + (seg << 8) + number),
                      .a6 = addr_v6(0xfd00000000000000u + seg, number)};
    add_addresses(s, l);
}

static struct port *add_port(struct sim *s, unsigned who, const struct seg *g, bool nat)
{
    char name[NETIF_NAME_MAX];
    int err;
    struct node *n = s->who[who].node;
    struct oriel_netif_config c = random_netif(s, g);
    snprintf(name, sizeof(name), "eth%u", (unsigned)n->ports_n);
    c.name = name;
    c.nat = nat;
    if (g->vid)
        c.ip6 = false;          /* the VLAN on top of it speaks */
    struct port *p = world_add_port(&s->w, n, &c, &err);
    if (!p)
        sim_wrong(s, "an interface is refused: %s", oriel_strerror(err));
    return p;
}

static int add_vlan(struct sim *s, unsigned who, const struct seg *g, const struct port *p,
                    bool nat)
{
    char name[NETIF_NAME_MAX];
    struct oriel_netif_config c = random_netif(s, g);
    snprintf(name, sizeof(name), "%.8s.%u", p->name, g->vid);
    c.name = name;
    c.kind = ORIEL_NETIF_VLAN;
    c.vlan_parent = p->netif;
    c.vlan_id = g->vid;
    c.nat = nat;
    int netif = oriel_netif_add(s->who[who].node->stack, &c);
    if (netif < 0)
        sim_wrong(s, "a VLAN is refused: %s", oriel_strerror(netif));
    return netif;
}

static struct port *attach(struct sim *s, unsigned who, unsigned seg, bool nat)
{
    const struct seg *g = &s->seg[seg];
    bool tagged = g->vid && !g->switched;       /* at a switch, hosts' ports are untagged */
    struct seg plain = *g;
    if (g->switched)
        plain.vid = 0;
    struct port *p = add_port(s, who, &plain, nat && !tagged);
    if (p && !s->wrong[0])
        add_leg(s, who, seg, tagged ? add_vlan(s, who, g, p, nat) : p->netif, p, nat);
    return p;
}

static void wire_between(struct sim *s, unsigned a, unsigned b, bool nat, bool wild)
{
    uint16_t vid = one_in(s, 5) ? (uint16_t)between(s, 1, 4094) : 0;
    unsigned seg = add_seg(s, vid, false);
    struct port *pa = attach(s, a, seg, nat), *pb = attach(s, b, seg, false);
    if (pa && pb)
        join(s, pa, pb, &s->seg[seg], wild);
}

/* ---- a switch: one network, or two VLANs of which the router's port carries both ---- */

static struct port *switch_port(struct sim *s, uint16_t pvid)
{
    char name[NETIF_NAME_MAX];
    int err;
    snprintf(name, sizeof(name), "port%u", (unsigned)s->sw->ports_n);
    struct port *p = world_add_port(&s->w, s->sw, &(struct oriel_netif_config){.name = name}, &err);
    if (p && pvid)
        p->pvid = pvid;
    return p;
}

static void add_switch(struct sim *s, unsigned router, bool wild)
{
    bool vlans = one_in(s, 2);
    unsigned first = add_seg(s, vlans ? 10 : 0, true);
    if (vlans) {
        s->seg[add_seg(s, 20, true)].mtu = s->seg[first].mtu;
    }
    s->sw = world_add_node(&s->w, NODE_SWITCH, span_str("sw"), NULL, 0);
    struct port *up = s->sw ? switch_port(s, 0) : NULL;
    if (!up) {
        sim_wrong(s, "a world of that size cannot be built: a switch");
        return;
    }
    struct port *p = add_port(s, router, &s->seg[first], false);
    if (!p)
        return;
    up->trunk = vlans;
    for (unsigned i = first; i < s->segs && !s->wrong[0]; i++) {
        int netif = vlans ? add_vlan(s, router, &s->seg[i], p, false) : p->netif;
        add_leg(s, router, i, netif, p, false);
    }
    join(s, p, up, &s->seg[first], wild);
}

static unsigned switched_seg(struct sim *s)
{
    unsigned all[SEGS_AT_MOST], n = 0;
    for (unsigned i = 0; i < s->segs; i++)
        if (s->seg[i].switched)
            all[n++] = i;
    return all[rng_below(&s->rng, n)];
}

static void plug_into_switch(struct sim *s, unsigned host, bool wild)
{
    unsigned seg = switched_seg(s);
    struct port *p = attach(s, host, seg, false), *q = switch_port(s, s->seg[seg].vid);
    if (p && q)
        join(s, p, q, &s->seg[seg], wild);
}

/* ---- somebody who sends garbage ---- */

static void add_peer(struct sim *s)
{
    int err;
    struct node *n = world_add_node(&s->w, NODE_PEER, span_str("x"), NULL, 0);
    const struct oriel_netif_config c = {.name = "eth0"};
    s->peer = n ? world_add_port(&s->w, n, &c, &err) : NULL;
    if (!s->peer) {
        sim_wrong(s, "a world of that size cannot be built: a peer");
        return;
    }
    unsigned seg;
    struct port *p;
    if (s->sw) {
        seg = switched_seg(s);
        p = switch_port(s, s->seg[seg].vid);
    } else {
        seg = add_seg(s, 0, false);
        p = attach(s, (unsigned)rng_below(&s->rng, s->all), seg, false);
    }
    if (p)
        join(s, s->peer, p, &s->seg[seg], false);
}

/* ---- routes ---- */

static const struct leg *leg_in(const struct sim *s, unsigned who, unsigned seg)
{
    for (unsigned i = 0; i < s->legs; i++)
        if (s->leg[i].who == who && s->leg[i].seg == seg)
            return &s->leg[i];
    return NULL;
}

const struct leg *sim_leg(const struct sim *s, unsigned who, int netif)
{
    for (unsigned i = 0; i < s->legs; i++)
        if (s->leg[i].who == who && s->leg[i].netif == netif)
            return &s->leg[i];
    return NULL;
}

const struct leg *sim_first_leg(const struct sim *s, unsigned who)
{
    for (unsigned i = 0; i < s->legs; i++)
        if (s->leg[i].who == who)
            return &s->leg[i];
    return NULL;
}

/* How many routers lie between somebody and a network, and which leg is the next hop's. */
static unsigned hops(const struct sim *s, unsigned who, unsigned seg, unsigned depth,
                     const struct leg **via)
{
    unsigned best = FAR;
    if (leg_in(s, who, seg))
        return 0;
    for (unsigned i = 0; depth > 0 && i < s->legs; i++) {
        const struct leg *next = &s->leg[i], *unused = NULL;
        if (next->who >= s->routers || next->who == who || !leg_in(s, who, next->seg))
            continue;
        unsigned n = 1 + hops(s, next->who, seg, depth - 1, &unused);
        if (n < best) {
            best = n;
            *via = next;
        }
    }
    return best;
}

static void route(struct sim *s, unsigned who, const struct oriel_addr *prefix, uint8_t len,
                  const struct oriel_addr *gateway, int netif)
{
    int err = oriel_route_add(s->who[who].node->stack, prefix, len, gateway, netif, 0);
    if (err)
        sim_wrong(s, "a route of %s is refused: %s", s->who[who].node->name, oriel_strerror(err));
}

static int netif_towards(const struct sim *s, unsigned who, const struct leg *via)
{
    return leg_in(s, who, via->seg)->netif;
}

static void default_route(struct sim *s, unsigned who)
{
    const struct leg *mine = sim_first_leg(s, who);
    const struct oriel_addr any4 = ADDR_V4_ANY, any6 = ADDR_NONE;
    for (unsigned i = 0; mine && i < s->legs; i++) {
        const struct leg *l = &s->leg[i];
        if (l->seg != mine->seg || l->who >= s->routers)
            continue;
        if (s->v4)
            route(s, who, &any4, 96, &l->a4, mine->netif);
        if (s->v6)
            route(s, who, &any6, 0, &l->a6, mine->netif);
        return;
    }
}

void sim_routes(struct sim *s, uint8_t who)
{
    if (who >= s->routers) {
        default_route(s, who);
        return;
    }
    for (unsigned k = 0; k < s->segs; k++) {
        const struct leg *via = NULL;
        unsigned n = hops(s, who, k, ROUTERS_AT_MOST, &via);
        const struct oriel_addr net4 = addr_v4(0x0a000000u + (k << 8));
        const struct oriel_addr net6 = addr_v6(0xfd00000000000000u + k, 0);
        if (n == 0 || n >= FAR)
            continue;
        if (s->v4)
            route(s, who, &net4, 120, &via->a4, netif_towards(s, who, via));
        if (s->v6)
            route(s, who, &net6, 64, &via->a6, netif_towards(s, who, via));
    }
}

/* The one interface that translates, where there is one. */
static const struct leg *leg_of_nat(const struct sim *s)
{
    for (unsigned i = 0; i < s->legs; i++)
        if (s->leg[i].is_nat)
            return &s->leg[i];
    return NULL;
}

/* Does a packet from one to the other find its way, and its answer back? */
bool sim_reaches(const struct sim *s, unsigned from, unsigned to, bool v4)
{
    const struct leg *goal = sim_first_leg(s, to), *start = sim_first_leg(s, from);
    unsigned at = from;
    for (unsigned i = 0; goal && start && i < 8; i++) {
        const struct leg *via = NULL;
        if (leg_in(s, at, goal->seg))
            return true;
        if (hops(s, at, goal->seg, ROUTERS_AT_MOST, &via) >= FAR)
            return false;
        if (v4 && at != NAT_ROUTER && leg_of_nat(s) && leg_of_nat(s)->seg == via->seg)
            return false;               /* from outside nobody may begin */
        at = via->who;
    }
    return false;
}

/* ---- all of it ---- */

static void choose(struct sim *s)
{
    unsigned families = (unsigned)rng_below(&s->rng, 4);
    s->v4 = families != 1;
    s->v6 = families != 2;
    s->calm = !one_in(s, 3);
    s->short_memory = one_in(s, 3);
    s->flapping = one_in(s, 2);
    s->hostile = !s->calm && one_in(s, 4);
    s->bare = one_in(s, 12);
    s->sound = s->calm && !s->bare && !one_in(s, 3);
    s->has_nat = s->v4 && one_in(s, 6);
}

static void build_routers(struct sim *s, bool wild)
{
    unsigned n = (unsigned)between(s, 1, ROUTERS_AT_MOST);
    for (unsigned i = 0; i < n && !s->wrong[0]; i++)
        add_actor(s, true, 2 * NODE_MEMORY);    /* room for the groups of many interfaces */
    s->routers = n;
    for (unsigned i = 0; i + 1 < n && !s->wrong[0]; i++)
        wire_between(s, i, i + 1, s->has_nat && i == 0, wild);
    if (n >= 2 && !s->has_nat && one_in(s, 3) && !s->wrong[0])
        wire_between(s, n - 1, 0, false, wild);
    s->has_nat = s->has_nat && n >= 2;
}

static void build_hosts(struct sim *s, bool wild, bool small)
{
    unsigned n = (unsigned)between(s, 2, HOSTS_AT_MOST);
    if (one_in(s, 2))
        add_switch(s, (unsigned)rng_below(&s->rng, s->routers), wild);
    for (unsigned i = 0; i < n && !s->wrong[0]; i++) {
        unsigned host = s->all;
        add_actor(s, false, small ? oriel_memory_min(64) + (size_t)between(s, 0, 65536) : 0);
        if (s->wrong[0])
            return;
        if (s->sw && !one_in(s, 3))
            plug_into_switch(s, host, wild);
        else
            wire_between(s, host, (unsigned)rng_below(&s->rng, s->routers), false, wild);
    }
}

void sim_build(struct sim *s, size_t bytes)
{
    struct world_config c = {.seed = s->seed, .trace_events = 1024};
    bool wild = !one_in(s, 4), small = one_in(s, 6);
    choose(s);
    c.packet_bytes = one_in(s, 8) ? (size_t)between(s, 1536, 3072) * 1024 : (size_t)12 << 20;
    if (!world_init(&s->w, s->memory, bytes, &c)) {
        sim_wrong(s, "a world of that size cannot be built");
        return;
    }
    s->w.batch_max = one_in(s, 2) ? (unsigned)sim_scale(s, WORLD_BATCH_MAX) : 0;
    build_routers(s, wild);
    if (!s->wrong[0])
        build_hosts(s, wild, small);
    if (s->hostile && !s->wrong[0])
        add_peer(s);
    for (unsigned i = 0; i < s->all && !s->wrong[0]; i++)
        sim_routes(s, (uint8_t)i);
}
