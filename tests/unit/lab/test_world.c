#include "test.h"

#include "lab/craft.h"
#include "lab/world.h"

struct lab {
    struct world w;
    void *memory;
    uint64_t hash;              /* of everything that was seen */
    unsigned out, in, lost, changed, doubled;
    enum why last_why;
};

#define MEMORY ((size_t)64 << 20)

static void seen(void *ctx, const struct world_frame *f)
{
    struct lab *l = ctx;
    l->hash = hash_word(l->hash, f->time);
    l->hash = hash_word(l->hash, f->ev);
    for (size_t i = 0; i < f->bytes.n; i++)
        l->hash = hash_word(l->hash, f->bytes.p[i]);
    l->out += f->out;
    l->in += !f->out;
    l->lost += f->fate == FATE_LOST;
    l->changed += !f->out && f->fate == FATE_CHANGED;
    l->doubled += !f->out && f->duplicate;
    if (f->out)
        l->last_why = f->why;
    EXPECT(!f->out || f->why != WHY_NONE || f->port->node->kind == NODE_PEER);
}

static struct lab *make(uint64_t seed)
{
    struct lab *l = calloc(1, sizeof(*l));
    l->memory = malloc(MEMORY);
    EXPECT(world_init(&l->w, l->memory, MEMORY, &(struct world_config){.seed = seed}));
    l->w.on_frame = seen;
    l->w.on_frame_ctx = l;
    return l;
}

static void end(struct lab *l)
{
    EXPECT(world_check(&l->w) == NULL);
    world_fini(&l->w);
    struct arena a;
    arena_init(&a, l->memory, MEMORY);
    free(l->memory);
    free(l);
}

static struct node *host(struct lab *l, const char *name, bool router)
{
    struct oriel_config c;
    oriel_config_init(&c);
    c.forward4 = c.forward6 = router;
    struct node *n = world_add_node(&l->w, router ? NODE_ROUTER : NODE_HOST, span_str(name), &c, 0);
    EXPECT(n != NULL);
    return n;
}

static struct port *port(struct lab *l, struct node *n, const char *name, const char *addr)
{
    int err;
    struct oriel_addr a;
    uint8_t len;
    struct port *p = world_add_port(&l->w, n, &(struct oriel_netif_config){.name = name, .fcs = true},
                                    &err);
    EXPECT(p != NULL && err == 0);
    if (addr) {
        EXPECT_EQ(oriel_prefix_parse(addr, &a, &len), 0);
        EXPECT_EQ(oriel_addr_add(n->stack, p->netif, &a, len), 0);
    }
    return p;
}

static struct wire *join(struct lab *l, struct port *a, struct port *b, const char *how)
{
    struct wire_params p = {.fcs = true};
    EXPECT(wire_params_parse(span_str(how), &p, NULL));
    struct wire *x = world_join(&l->w, a, b, &p);
    EXPECT(x != NULL);
    return x;
}

static oriel_handle listen_at(struct node *n, uint16_t at)
{
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(n->stack, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_bind(n->stack, h, &(struct oriel_endpoint){.port = at}), 0);
    return h;
}

static void say(struct lab *l, struct node *n, oriel_handle h, const char *to, const char *text)
{
    struct oriel_msg m = {.peer = {.port = 7}};
    EXPECT_EQ(oriel_addr_parse(to, &m.peer.addr), 0);
    int sent = oriel_send(n->stack, h, text, strlen(text), &m);
    EXPECT(sent == (int)strlen(text));
    world_poke(&l->w, n);
}

TEST("a datagram crosses a wire in the time that the wire takes, and the far end hears it")
{
    struct lab *l = make(1);
    struct node *a = host(l, "a", false), *b = host(l, "b", false);
    join(l, port(l, a, "eth0", "10.0.0.1/24"), port(l, b, "eth0", "10.0.0.2/24"), "delay 10ms");
    oriel_handle ha = listen_at(a, 5000), hb = listen_at(b, 7);
    struct oriel_msg m;
    char buf[16];
    say(l, a, ha, "10.0.0.2", "hello");
    world_run(&l->w, 30 * NS_PER_MS - 1);
    EXPECT_EQ(oriel_recv(b->stack, hb, buf, sizeof(buf), &m), ORIEL_EAGAIN);
    world_run(&l->w, 30 * NS_PER_MS);           /* question, answer, datagram */
    EXPECT_EQ(oriel_recv(b->stack, hb, buf, sizeof(buf), &m), 5);
    EXPECT_EQ(m.arrival, 30 * NS_PER_MS);
    EXPECT(l->out == 3 && l->in == 3 && l->last_why == WHY_UDP_DATA);
    end(l);
}

TEST("a router in the middle passes it on")
{
    struct lab *l = make(1);
    struct node *a = host(l, "a", false), *b = host(l, "b", false), *r = host(l, "r", true);
    struct oriel_addr any = {0, 0xffff00000000, 0}, gw;
    join(l, port(l, a, "eth0", "10.0.1.1/24"), port(l, r, "eth0", "10.0.1.254/24"), "");
    join(l, port(l, b, "eth0", "10.0.2.1/24"), port(l, r, "eth1", "10.0.2.254/24"), "");
    EXPECT_EQ(oriel_addr_parse("10.0.1.254", &gw), 0);
    EXPECT_EQ(oriel_route_add(a->stack, &any, 96, &gw, 0, 0), 0);
    oriel_handle ha = listen_at(a, 5000), hb = listen_at(b, 7);
    struct oriel_msg m;
    char buf[16];
    say(l, a, ha, "10.0.2.1", "hello");
    world_run(&l->w, NS_PER_S);
    EXPECT_EQ(oriel_recv(b->stack, hb, buf, sizeof(buf), &m), 5);
    EXPECT_EQ(m.ttl, 63);
    end(l);
}

/* A hundred datagrams over a bad wire: what was seen. */
static uint64_t bad_day(uint64_t seed, unsigned *lost, unsigned *changed, unsigned *doubled)
{
    struct lab *l = make(seed);
    struct node *a = host(l, "a", false), *b = host(l, "b", false);
    join(l, port(l, a, "eth0", "10.0.0.1/24"), port(l, b, "eth0", "10.0.0.2/24"),
         "delay 5ms±2 loss 10% corrupt 10% dup 10% reorder 10% cut 5%");
    oriel_handle ha = listen_at(a, 5000);
    (void)listen_at(b, 7);
    for (unsigned i = 0; i < 100; i++) {
        struct oriel_msg m = {.peer = {.port = 7, .addr = {0, 0xffff0a000002, 0}}};
        int sent = oriel_send(a->stack, ha, "some bytes of a datagram", 24, &m);
        EXPECT(sent == 24 || sent == ORIEL_EHOSTUNREACH);
        world_poke(&l->w, a);
        world_run(&l->w, (i + 1) * 100 * NS_PER_MS);
        EXPECT(world_check(&l->w) == NULL);
    }
    *lost = l->lost;
    *changed = l->changed;
    *doubled = l->doubled;
    uint64_t hash = l->hash;
    end(l);
    return hash;
}

TEST("one seed makes one history to the byte; another seed another one; damage dies at the check sequence")
{
    unsigned lost, changed, doubled, x, y, z;
    COVERS("INV-5 INV-2");
    uint64_t first = bad_day(7, &lost, &changed, &doubled);
    EXPECT(lost > 0 && changed > 0 && doubled > 0);
    EXPECT(bad_day(7, &x, &y, &z) == first && x == lost && y == changed && z == doubled);
    EXPECT(bad_day(8, &x, &y, &z) != first);
}

TEST("a damaged frame is dropped where it arrives, and the sender's own bytes are not changed")
{
    struct lab *l = make(1);
    struct node *a = host(l, "a", false), *b = host(l, "b", false);
    struct oriel_counter_info c;
    uint64_t fcs = 0;
    join(l, port(l, a, "eth0", "10.0.0.1/24"), port(l, b, "eth0", "10.0.0.2/24"), "damage 1 double 1");
    oriel_handle ha = listen_at(a, 5000);
    say(l, a, ha, "10.0.0.2", "x");
    world_run(&l->w, 5 * NS_PER_S);
    for (uint32_t at = 0; oriel_counter_each(b->stack, &at, &c);)
        if (strcmp(c.name, "ETH_FCS") == 0)
            fcs = c.value;
    EXPECT_EQ(fcs, 1);                  /* the second copy was whole */
    EXPECT_EQ(l->changed, 2);           /* the first frame of each direction */
    end(l);
}

TEST("a wire that goes down takes what flies on it along, and both ends see the carrier go and come")
{
    struct lab *l = make(1);
    struct node *a = host(l, "a", false), *b = host(l, "b", false);
    struct wire *x = join(l, port(l, a, "eth0", "10.0.0.1/24"), port(l, b, "eth0", "10.0.0.2/24"),
                          "delay 10ms");
    struct oriel_netif_info n;
    oriel_handle ha = listen_at(a, 5000);
    say(l, a, ha, "10.0.0.2", "x");
    world_set_wire(&l->w, x, false);
    EXPECT(oriel_netif_each(b->stack, &(uint32_t){0}, &n) && !n.carrier);
    world_run(&l->w, 20 * NS_PER_MS);
    EXPECT_EQ(l->w.env.drop_count[DROP_WIRE_DOWN], 1);
    test_reason_seen("drop", "WIRE_DOWN");
    world_set_wire(&l->w, x, true);
    EXPECT(oriel_netif_each(b->stack, &(uint32_t){0}, &n) && n.carrier);
    end(l);
}

TEST("a frame larger than the wire carries dies there with that reason")
{
    struct lab *l = make(1);
    struct node *a = host(l, "a", false), *b = host(l, "b", false);
    static char big[1400];
    join(l, port(l, a, "eth0", "10.0.0.1/24"), port(l, b, "eth0", "10.0.0.2/24"), "mtu 1000");
    oriel_handle ha = listen_at(a, 5000);
    memset(big, 'b', sizeof(big) - 1);
    say(l, a, ha, "10.0.0.2", big);
    world_run(&l->w, NS_PER_S);
    EXPECT_EQ(l->w.env.drop_count[DROP_WIRE_MTU], 1);
    test_reason_seen("drop", "WIRE_MTU");
    end(l);
}

TEST("a scripted peer's frame reaches a host; without a wire nothing is sent")
{
    struct lab *l = make(1);
    struct node *a = host(l, "a", false);
    struct node *x = world_add_node(&l->w, NODE_PEER, span_str("x"), NULL, 0);
    struct port *px = port(l, x, "eth0", NULL), *lonely = port(l, x, "eth1", NULL);
    uint8_t frame[200];
    struct wr w = wr_of(frame, sizeof(frame));
    join(l, port(l, a, "eth0", "10.0.0.1/24"), px, "");
    EXPECT(craft(span_str("eth dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:99 / arp op=request "
                          "sha=02:00:00:00:00:99 spa=10.0.0.9 tpa=10.0.0.1 ; pad 60 ; fcs"), &w, NULL));
    EXPECT(!world_send(&l->w, lonely, wr_span(&w)));
    EXPECT(world_send(&l->w, px, wr_span(&w)));
    world_run(&l->w, NS_PER_S);
    EXPECT(l->last_why == WHY_ARP_REPLY);
    end(l);
}

TEST("building refuses what cannot be: names taken, ports in use, a wire to itself")
{
    struct lab *l = make(1);
    struct node *a = host(l, "a", false);
    struct port *p = port(l, a, "eth0", NULL), *q = port(l, a, "eth1", NULL);
    struct port *r = port(l, a, "eth2", NULL);
    struct wire_params none = {0};
    int err;
    EXPECT(world_add_node(&l->w, NODE_PEER, span_str("a"), NULL, 0) == NULL);
    EXPECT(world_add_node(&l->w, NODE_PEER, span_str(""), NULL, 0) == NULL);
    EXPECT(world_add_node(&l->w, NODE_PEER, span_str("a name longer than there is room"), NULL, 0) ==
           NULL);
    EXPECT(world_add_port(&l->w, a, &(struct oriel_netif_config){.name = "eth0"}, &err) == NULL);
    EXPECT_EQ(err, ORIEL_EEXIST);
    EXPECT(world_join(&l->w, p, p, &none) == NULL);
    EXPECT(world_join(&l->w, p, q, &none) != NULL);
    EXPECT(world_join(&l->w, p, r, &none) == NULL);
    EXPECT(world_node(&l->w, span_str("a")) == a && world_node(&l->w, span_str("z")) == NULL);
    EXPECT(node_port(a, span_str("eth1")) == q && node_port(a, span_str("z")) == NULL);
    end(l);
}
