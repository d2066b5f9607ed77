/*
 * What is done to a world while it works: links, interfaces, addresses, routes and neighbours come
 * and go, a peer sends garbage. sim_sweep and then sim_heal undo all of it.
 */
#include "sim.h"

#include "lab/craft.h"
#include "wire/eth.h"

#define ROWS 128

static struct oriel_stack *stack_of(const struct sim *s, unsigned who)
{
    return s->who[who].node->stack;
}

static void look(struct sim *s, int result)
{
    sim_see(s, (uint64_t)result);
}

/* ---- by hand ---- */

static void turn_wire(struct sim *s)
{
    struct wire *x = &s->w.wires[rng_below(&s->rng, s->w.wires_n)];
    world_set_wire(&s->w, x, !x->up);
}

static void turn_netif(struct sim *s, unsigned who)
{
    look(s, oriel_netif_set_up(stack_of(s, who), sim_first_leg(s, who)->netif, one_in(s, 2)));
}

static void change_mtu(struct sim *s, unsigned who)
{
    const struct leg *l = sim_first_leg(s, who);
    uint32_t least = s->v6 ? 1280 : 576;
    look(s, oriel_netif_set_mtu(stack_of(s, who), l->netif,
                                (uint32_t)between(s, least, s->seg[l->seg].mtu)));
}

static void change_address(struct sim *s, unsigned who)
{
    const struct leg *l = sim_first_leg(s, who), *other = &s->leg[rng_below(&s->rng, s->legs)];
    bool v4 = s->v4 && (!s->v6 || one_in(s, 2));
    struct oriel_addr a = v4 ? l->a4 : l->a6;
    if (one_in(s, 2))
        a = v4 ? addr_v4(0x0a000000u | MEDDLE_ADDR | who << 8 | (uint32_t)between(s, 1, 9))
               : addr_v6(0xfd00006400000000u + who, between(s, 1, 9));
    else if (one_in(s, 4) && other->who != who) {
        a = v4 ? other->a4 : other->a6;
        s->meddled_addresses = true;
    }
    if (one_in(s, 2))
        look(s, oriel_addr_add(stack_of(s, who), l->netif, &a, v4 ? 120 : 64));
    else
        look(s, oriel_addr_remove(stack_of(s, who), l->netif, &a));
}

static void change_route(struct sim *s, unsigned who)
{
    const struct leg *l = &s->leg[rng_below(&s->rng, s->legs)];
    bool v4 = s->v4 && (!s->v6 || one_in(s, 2));
    unsigned k = (unsigned)rng_below(&s->rng, s->segs + 1);
    struct oriel_addr prefix = v4 ? addr_v4(0x0a000000u + (k << 8))
                                  : addr_v6(0xfd00000000000000u + k, 0);
    uint8_t len = v4 ? 120 : 64;
    if (one_in(s, 3)) {
        prefix = v4 ? ADDR_V4_ANY : ADDR_NONE;
        len = v4 ? 96 : 0;
    }
    const struct oriel_addr *gateway = v4 ? &l->a4 : &l->a6;
    if (one_in(s, 2))
        look(s, oriel_route_add(stack_of(s, who), &prefix, len, gateway, 0,
                                (uint32_t)between(s, 0, 2)));
    else
        look(s, oriel_route_remove(stack_of(s, who), &prefix, len, gateway,
                                   sim_first_leg(s, who)->netif));
}

static bool any_wire_doubles(const struct sim *s)
{
    for (uint16_t i = 0; i < s->w.wires_n; i++)
        if (s->w.wires[i].dir[0].p.impair.dup || s->w.wires[i].dir[1].p.impair.dup)
            return true;
    return false;
}

/*
 * Two neighbouring routers think that the other knows the way to everywhere. Not where wires double:
 * what goes round two hundred times there would fill the world.
 */
static void make_circle(struct sim *s)
{
    const struct oriel_addr any4 = ADDR_V4_ANY, any6 = ADDR_NONE;
    const struct leg *a = &s->leg[rng_below(&s->rng, s->legs)];
    for (unsigned i = 0; i < s->legs && a->who < s->routers && !any_wire_doubles(s); i++) {
        const struct leg *b = &s->leg[i];
        if (b == a || b->seg != a->seg || b->who >= s->routers)
            continue;
        if (s->v4) {
            look(s, oriel_route_add(stack_of(s, a->who), &any4, 96, &b->a4, a->netif, 0));
            look(s, oriel_route_add(stack_of(s, b->who), &any4, 96, &a->a4, b->netif, 0));
        }
        if (s->v6) {
            look(s, oriel_route_add(stack_of(s, a->who), &any6, 0, &b->a6, a->netif, 0));
            look(s, oriel_route_add(stack_of(s, b->who), &any6, 0, &a->a6, b->netif, 0));
        }
        return;
    }
}

static void change_neighbour(struct sim *s, unsigned who)
{
    const struct leg *mine = sim_first_leg(s, who), *l = &s->leg[rng_below(&s->rng, s->legs)];
    const struct oriel_addr *a = s->v4 && (!s->v6 || one_in(s, 2)) ? &l->a4 : &l->a6;
    uint8_t mac[6] = {2, 0, 0, 0, (uint8_t)between(s, 1, 9), (uint8_t)between(s, 1, 2)};
    if (one_in(s, 2))
        look(s, oriel_neigh_add(stack_of(s, who), mine->netif, a, mac));
    else
        look(s, oriel_neigh_remove(stack_of(s, who), mine->netif, a));
}

/* A VLAN interface that comes and goes. */
static void change_netif(struct sim *s, unsigned who)
{
    struct oriel_stack *k = stack_of(s, who);
    struct netif *tmp = netif_named(&k->link, span_str("tmp"));
    const struct port *p = sim_first_leg(s, who)->port;
    struct oriel_netif_config c = {.name = "tmp", .kind = ORIEL_NETIF_VLAN, .vlan_id = 99,
                                   .vlan_parent = p->netif, .ip6 = one_in(s, 2)};
    if (tmp) {
        look(s, oriel_netif_remove(k, tmp->index));
        return;
    }
    int netif = oriel_netif_add(k, &c);
    look(s, netif);
    struct oriel_addr a = addr_v4(0x0a000001u | MEDDLE_VLAN | who << 8);
    if (netif > 0)
        look(s, oriel_addr_add(k, netif, &a, 120));
}

/* Half of the time something is mended: or before long nothing would work at all. */
static void mend(struct sim *s, unsigned who)
{
    struct oriel_stack *k = stack_of(s, who);
    for (uint16_t i = 0; i < s->w.wires_n; i++)
        if (one_in(s, 2))
            world_set_wire(&s->w, &s->w.wires[i], true);
    for (unsigned i = 0; i < s->legs; i++) {
        const struct leg *l = &s->leg[i];
        if (l->who != who)
            continue;
        look(s, oriel_netif_set_up(k, l->netif, true));
        if (s->v4)
            look(s, oriel_addr_add(k, l->netif, &l->a4, 120));
        if (s->v6)
            look(s, oriel_addr_add(k, l->netif, &l->a6, 64));
    }
}

/* A wire carries less from now on than its ends believe, and nobody tells (RFC 4821). */
static void make_black_hole(struct sim *s)
{
    struct wire *x = &s->w.wires[rng_below(&s->rng, s->w.wires_n)];
    uint32_t least = s->v6 ? 1280 : 576;
    uint32_t mtu = (uint32_t)between(s, least, 1500);
    if (x->dir[0].p.mtu && x->dir[0].p.mtu < mtu)
        return;
    x->dir[0].p.mtu = x->dir[1].p.mtu = mtu;
    s->blackhole = true;
    sim_say(s, "%s carries %u bytes", x->name, mtu);
}

/* What leaves addresses and routes as they are. */
static void meddle_with_links(struct sim *s, unsigned who)
{
    switch (rng_below(&s->rng, 8)) {
    case 0:  change_mtu(s, who); break;
    case 1:  turn_netif(s, who); break;
    case 2:  make_black_hole(s); break;
    default: turn_wire(s); break;
    }
    world_poke(&s->w, s->who[who].node);
}

void sim_meddle(struct sim *s, unsigned who)
{
    if (s->calm && one_in(s, 3)) {
        meddle_with_links(s, who);
        return;
    }
    if (one_in(s, 2) || s->calm) {
        mend(s, who);
        world_poke(&s->w, s->who[who].node);
        return;
    }
    switch (rng_below(&s->rng, 12)) {
    case 0:
    case 1:
    case 2:  turn_wire(s); break;
    case 3:  turn_netif(s, who); break;
    case 4:  change_mtu(s, who); break;
    case 5:
    case 6:  change_address(s, who); break;
    case 7:  change_route(s, who); break;
    case 8:  change_neighbour(s, who); break;
    case 9:  change_netif(s, who); break;
    case 10:
    case 11: make_circle(s); break;
    }
    world_poke(&s->w, s->who[who].node);
}

/* ---- garbage ---- */

#define TO_ALL "eth dst=33:33:00:00:00:01 src=02:00:00:00:77:77 / ip6 src=fe80::7777 dst=ff02::1 "
#define ARP    "eth dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:77:77 / arp "
#define IGMP   "eth dst=01:00:5e:00:00:01 src=02:00:00:00:77:77 / "                                 \
               "ip src=10.0.0.77 dst=224.0.0.1 ttl=1 "

static const char *const crafted[] = {
    TO_ALL "hlim=255 / icmp6 ra lifetime=60 mtu=1300 "
           "prefix=2001:db8:7::/64,valid=90,preferred=50,L,A slla=02:00:00:00:77:77",
    TO_ALL "hlim=255 / icmp6 ra lifetime=0 prefix=fd00:0:0:1::/64,valid=0,preferred=0,L,A",
    TO_ALL "hlim=1 / hopopts ra / icmp6 mld2-query max=5000",
    TO_ALL "hlim=1 / hopopts ra / icmp6 mld-query max=100 group=ff02::1235",
    TO_ALL "hlim=255 / icmp6 ns target=fd00::1 slla=02:00:00:00:77:77",
    TO_ALL "hlim=255 / icmp6 na target=fd00::1 override tlla=02:00:00:00:77:77",
    TO_ALL "hlim=255 / icmp6 na target=fd00::2 router override tlla=02:00:00:00:77:77",
    TO_ALL "hlim=64 / icmp6 echo id=1 seq=1 / fill 1200",
    ARP "op=request sha=02:00:00:00:77:77 spa=10.0.0.1 tha=00:00:00:00:00:00 tpa=10.0.0.1",
    ARP "op=reply sha=02:00:00:00:77:77 spa=10.0.0.2 tha=ff:ff:ff:ff:ff:ff tpa=10.0.0.1",
    ARP "op=rarp-request sha=02:00:00:00:77:77 spa=0.0.0.0 tha=02:00:00:00:77:77 tpa=0.0.0.0",
    IGMP "/ igmp query max=20",
    IGMP "/ igmp query v2 max=20 group=239.1.1.1",
    IGMP "/ igmp report-v2 group=239.1.1.1",
    IGMP "/ udp 9>9 / fill 40",
    IGMP "/ icmp echo id=1 seq=1 / fill 100",
};

/* Whatever is altered is no datagram of ours any more. */
static void spoil_key(struct sim *s, uint8_t *frame, size_t n)
{
    uint8_t key[8];
    sim_fill(s, 0, key, sizeof(key));
    for (size_t i = 0; i + sizeof(key) <= n; i++)
        if (memcmp(frame + i, key, sizeof(key)) == 0)
            memset(frame + i, 0x55, sizeof(key));
}

static size_t altered(struct sim *s, uint8_t *frame, size_t n)
{
    if (n < 20)
        return n;
    for (uint64_t i = sim_scale(s, 8); i > 0; i--)
        frame[between(s, one_in(s, 4) ? 0 : 12, one_in(s, 2) ? n - 1 : n < 90 ? n - 1 : 89)] =
            one_in(s, 3) ? (uint8_t)between(s, 0, 255) : one_in(s, 2) ? 0xff : 0;
    if (one_in(s, 5))
        n = (size_t)between(s, 15, n);
    spoil_key(s, frame, n);
    return n;
}

static size_t some_frame(struct sim *s, uint8_t *frame)
{
    size_t at = (size_t)rng_below(&s->rng, ARRAY_LEN(s->recent_n)), n = s->recent_n[at];
    if (one_in(s, 12)) {
        n = (size_t)between(s, 1, 200);
        for (size_t i = 0; i < n; i++)
            frame[i] = (uint8_t)between(s, 0, 255);
        return n;
    }
    if (n > 0 && !one_in(s, 3)) {
        memcpy(frame, s->recent[at], n);
        return one_in(s, 4) ? n : altered(s, frame, n);
    }
    struct wr w = wr_of(frame, FRAME_AT_MOST);
    if (!craft(span_str(crafted[rng_below(&s->rng, ARRAY_LEN(crafted))]), &w, NULL))
        sim_wrong(s, "a frame of the peer cannot be made");
    n = wr_len(&w);
    return one_in(s, 2) ? n : altered(s, frame, n);
}

/* With a check sequence that is right, most of the time: or nobody would look at the rest. */
static void seal(struct sim *s, uint8_t *frame, size_t *n)
{
    struct wr w = wr_of(frame, *n + ETH_FCS_LEN);
    (void)wr_room(&w, *n);
    wr_fcs(&w, eth_fcs(span_of(frame, *n)) ^ one_in(s, 40));
    *n += ETH_FCS_LEN;
}

void sim_garbage(struct sim *s)
{
    uint8_t frame[FRAME_AT_MOST + 2 * ETH_FCS_LEN];
    for (uint64_t i = sim_scale(s, 6); i > 0; i--) {
        size_t n = some_frame(s, frame);
        while (n < ETH_MIN)
            frame[n++] = 0;
        if (!s->bare)
            seal(s, frame, &n);
        (void)world_send(&s->w, s->peer, span_of(frame, n));
    }
}

/* ---- undone ---- */

static void heal_wires(struct sim *s)
{
    for (uint16_t i = 0; i < s->w.wires_n; i++) {
        struct wire *x = &s->w.wires[i];
        for (unsigned k = 0; k < 2; k++) {
            x->dir[k].p.impair = (struct impair){0};
            x->dir[k].p.queue_pkts = 0;
        }
        world_set_wire(&s->w, x, true);
    }
}

static void remove_routes(struct sim *s, struct oriel_stack *k)
{
    struct oriel_route_info r, all[ROWS];
    unsigned n = 0;
    for (uint32_t at = 0; oriel_route_each(k, &at, &r) && n < ROWS;)
        if (strcmp(r.origin, "static") == 0)
            all[n++] = r;
    while (n-- > 0)
        if (oriel_route_remove(k, &all[n].prefix, all[n].prefix_len, &all[n].gateway, all[n].netif))
            sim_wrong(s, "a route that is there cannot be removed");
}

static void remove_addresses(struct sim *s, struct oriel_stack *k)
{
    struct oriel_addr_info a, all[ROWS];
    unsigned n = 0;
    for (uint32_t at = 0; oriel_addr_each(k, &at, &a) && n < ROWS;)
        if (strcmp(a.origin, "static") == 0 && !addr_is_loopback(&a.addr))
            all[n++] = a;
    while (n-- > 0)
        if (oriel_addr_remove(k, all[n].netif, &all[n].addr))
            sim_wrong(s, "an address that is there cannot be removed");
}

static void remove_neighbours(struct sim *s, struct oriel_stack *k)
{
    struct oriel_neigh_info r, all[ROWS];
    unsigned n = 0;
    for (uint32_t at = 0; oriel_neigh_each(k, &at, &r) && n < ROWS;)
        if (strcmp(r.state, "static") == 0)
            all[n++] = r;
    while (n-- > 0)
        if (oriel_neigh_remove(k, all[n].netif, &all[n].addr))
            sim_wrong(s, "a neighbour that is there cannot be removed");
}

static void restore_leg(struct sim *s, const struct leg *l)
{
    struct oriel_stack *k = stack_of(s, l->who);
    int err = oriel_netif_set_up(k, l->port->netif, true);
    if (!err)
        err = oriel_netif_set_mtu(k, l->port->netif, s->seg[l->seg].mtu);
    if (!err)
        err = oriel_netif_set_up(k, l->netif, true);
    if (!err)
        err = oriel_netif_set_mtu(k, l->netif, s->seg[l->seg].mtu);
    if (!err && s->v4)
        err = oriel_addr_add(k, l->netif, &l->a4, 120);
    if (!err && s->v6)
        err = oriel_addr_add(k, l->netif, &l->a6, 64);
    if (err)
        sim_wrong(s, "%s cannot be healed: %s", s->who[l->who].node->name, oriel_strerror(err));
}

/* Everything that is not as it was goes; what flies is to arrive before the rest comes back. */
void sim_sweep(struct sim *s)
{
    heal_wires(s);
    for (unsigned i = 0; i < s->all; i++) {
        struct oriel_stack *k = stack_of(s, i);
        struct netif *tmp = netif_named(&k->link, span_str("tmp"));
        remove_routes(s, k);
        remove_addresses(s, k);
        remove_neighbours(s, k);
        if (tmp && oriel_netif_remove(k, tmp->index) != 0)
            sim_wrong(s, "an interface that is there cannot be removed");
        world_poke(&s->w, s->who[i].node);
    }
}

void sim_heal(struct sim *s)
{
    for (unsigned i = 0; i < s->legs; i++)
        restore_leg(s, &s->leg[i]);
    for (unsigned i = 0; i < s->all; i++) {
        sim_routes(s, (uint8_t)i);
        world_poke(&s->w, s->who[i].node);
    }
}
