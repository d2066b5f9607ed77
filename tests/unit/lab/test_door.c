#include "test.h"

#include "base/clock.h"
#include "lab/world.h"

/* A host with loopback and an interface behind a direct door. */
struct fx {
    struct world w;
    void *memory;
    struct node *me, *door;
    struct port *out;
};

#define MEMORY ((size_t)64 << 20)

static struct port *add(struct fx *f, struct node *n, const char *name, enum oriel_netif_kind kind)
{
    int err;
    const struct oriel_netif_config c = {.name = name, .kind = kind, .no_dad = true};
    struct port *p = world_add_port(&f->w, n, &c, &err);
    EXPECT(p != NULL);
    return p;
}

static struct fx *make(void)
{
    struct fx *f = calloc(1, sizeof(*f));
    struct oriel_config c;
    struct oriel_addr a;
    uint8_t len;
    oriel_config_init(&c);
    f->memory = malloc(MEMORY);
    EXPECT(world_init(&f->w, f->memory, MEMORY, &(struct world_config){.seed = 1}));
    f->me = world_add_node(&f->w, NODE_HOST, span_str("me"), &c, 8u << 20);
    f->door = world_add_node(&f->w, NODE_DOOR, span_str("door"), NULL, 0);
    EXPECT(f->me && f->door);
    (void)add(f, f->me, "lo", ORIEL_NETIF_LOOPBACK);
    struct port *p = add(f, f->me, "eth0", ORIEL_NETIF_ETHER);
    f->out = add(f, f->door, "out", ORIEL_NETIF_ETHER);
    EXPECT(world_join(&f->w, p, f->out, &(struct wire_params){.direct = true}) != NULL);
    EXPECT_EQ(oriel_prefix_parse("10.0.0.1/24", &a, &len), 0);
    EXPECT_EQ(oriel_addr_add(f->me->stack, p->netif, &a, len), 0);
    return f;
}

static void end(struct fx *f)
{
    world_fini(&f->w);
    free(f->memory);
    free(f);
}

static oriel_handle opened(struct fx *f)
{
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(f->me->stack, ORIEL_IP4, &h), 0);
    return h;
}

static void fill(struct fx *f, oriel_handle h)
{
    struct oriel_msg m = {.peer.port = 5};
    EXPECT_EQ(oriel_setopt(f->me->stack, h, ORIEL_OPT_BROADCAST, 1), 0);
    EXPECT_EQ(oriel_addr_parse("10.0.0.255", &m.peer.addr), 0);
    for (unsigned i = 0; i < DOOR_QUEUE + 40; i++) {
        EXPECT_EQ(oriel_send(f->me->stack, h, "x", 1, &m), 1);
        world_poke(&f->w, f->me);
    }
    EXPECT_EQ(f->out->inbox.n, DOOR_QUEUE);
    EXPECT(f->me->blocked);
}

TEST("a full door holds the stack back, and what leaves by it makes room for what was held")
{
    struct fx *f = make();
    struct pkt *out[8];
    fill(f, opened(f));
    EXPECT_EQ(world_next(&f->w) > f->w.env.now, true);          /* nothing to do before it is emptied */
    EXPECT_EQ(world_door_peek(f->door, out, 8), 8);
    world_door_done(&f->w, f->door, 8);
    EXPECT_EQ(f->out->inbox.n, DOOR_QUEUE);
    end(f);
}

TEST("a full door does not hold back what the host says to itself")
{
    struct fx *f = make();
    oriel_handle to = opened(f), from = opened(f);
    struct oriel_endpoint at = {.port = 9};
    struct oriel_msg m = {0};
    char got[8];
    EXPECT_EQ(oriel_addr_parse("127.0.0.1", &at.addr), 0);
    EXPECT_EQ(oriel_bind(f->me->stack, to, &at), 0);
    fill(f, from);
    m.peer = at;
    EXPECT_EQ(oriel_send(f->me->stack, from, "hello", 5, &m), 5);
    world_poke(&f->w, f->me);
    world_run(&f->w, f->w.env.now);
    EXPECT_EQ(oriel_recv(f->me->stack, to, got, sizeof(got), NULL), 5);
    end(f);
}
