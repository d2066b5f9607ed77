#include "test.h"

#include "base/clock.h"
#include "lab/world.h"
#include "stack/stack.h"

/* Ends that do something only when they are told that they can, as every event loop does. */
struct told {
    struct world w;
    void *memory;
    struct node *a, *b;
    oriel_handle listener, from, to;
    uint64_t sent, got;
    bool may_write, window;             /* writes through oriel_send_window */
};

#define MEMORY ((size_t)64 << 20)
#define BYTES  (3u << 20)

static void write_some(struct told *f)
{
    static const uint8_t data[5000];
    while (f->may_write && f->sent < BYTES) {
        int n = 0;
        if (f->window) {
            struct oriel_room room = oriel_send_window(f->a->stack, f->from);
            n = (int)room.n;
            if (n > 0) {
                memset(room.p, 0, room.n);
                EXPECT_EQ(oriel_send_commit(f->a->stack, f->from, room.n), 0);
            }
        } else {
            n = oriel_send(f->a->stack, f->from, data, sizeof(data), NULL);
        }
        f->may_write = n > 0 && (f->window || (size_t)n == sizeof(data));
        f->sent += n > 0 ? (uint64_t)n : 0;
    }
}

static void read_some(struct told *f)
{
    uint8_t data[4096];
    int n;
    if (!f->to && oriel_accept(f->b->stack, f->listener, &f->to, NULL) != 0)
        return;
    while ((n = oriel_recv(f->b->stack, f->to, data, sizeof(data), NULL)) > 0)
        f->got += (uint64_t)n;
}

static void step(void *ctx, struct node *n)
{
    struct told *f = ctx;
    struct oriel_readiness r[4];
    unsigned k;
    while ((k = oriel_ready_take(n->stack, r, 4)) > 0)
        for (unsigned i = 0; i < k; i++)
            if (n == f->a && (r[i].events & ORIEL_WRITABLE))
                f->may_write = true;
    if (n == f->a)
        write_some(f);
    else
        read_some(f);
}

static struct node *host(struct told *f, const char *name, const char *addr, struct port **port)
{
    int err;
    struct oriel_addr a;
    uint8_t len;
    struct oriel_config c;
    oriel_config_init(&c);
    struct node *n = world_add_node(&f->w, NODE_HOST, span_str(name), &c, 8u << 20);
    EXPECT(n != NULL);
    *port = world_add_port(&f->w, n, &(struct oriel_netif_config){.name = "eth0", .no_dad = true}, &err);
    EXPECT(*port != NULL);
    EXPECT_EQ(oriel_prefix_parse(addr, &a, &len), 0);
    EXPECT_EQ(oriel_addr_add(n->stack, (*port)->netif, &a, len), 0);
    return n;
}

static void transfer(uint64_t seed, bool window, const char *cc)
{
    struct told *f = calloc(1, sizeof(*f));
    struct oriel_endpoint e = {.port = 7};
    struct wire_params wire = {.delay_ns = 5 * NS_PER_MS, .impair = {.loss = 20000}};
    struct port *pa, *pb;
    f->memory = malloc(MEMORY);
    f->window = window;
    EXPECT(world_init(&f->w, f->memory, MEMORY, &(struct world_config){.seed = seed}));
    f->a = host(f, "a", "10.0.0.1/24", &pa);
    f->b = host(f, "b", "10.0.0.2/24", &pb);
    EXPECT(world_join(&f->w, pa, pb, &wire) != NULL);
    f->w.on_step = step;
    f->w.on_step_ctx = f;
    f->w.batch_max = WORLD_BATCH_MAX;
    EXPECT_EQ(oriel_tcp_open(f->b->stack, ORIEL_DUAL, &f->listener), 0);
    EXPECT_EQ(oriel_bind(f->b->stack, f->listener, &e), 0);
    EXPECT_EQ(oriel_listen(f->b->stack, f->listener, NULL), 0);
    EXPECT_EQ(oriel_addr_parse("10.0.0.2", &e.addr), 0);
    EXPECT_EQ(oriel_tcp_open(f->a->stack, ORIEL_DUAL, &f->from), 0);
    EXPECT_EQ(oriel_setopt(f->a->stack, f->from, ORIEL_OPT_CONGESTION, oriel_congestion_named(cc)), 0);
    EXPECT_EQ(oriel_connect(f->a->stack, f->from, &e), 0);
    world_poke(&f->w, f->a);
    world_run(&f->w, 600 * NS_PER_S);
    EXPECT_EQ(f->got, f->sent);
    EXPECT(f->got >= BYTES);
    world_fini(&f->w);
    free(f->memory);
    free(f);
}

TEST("who writes only when told that there is room gets everything through, whatever is lost meanwhile")
{
    static const char *const cc[] = {"newreno", "cubic", "bbr"};
    for (uint64_t seed = 1; seed <= 200; seed++)
        transfer(seed, seed % 2, cc[seed % 3]);
}

/* ---- memory that ran out ---- */

#define MANY 100

struct short_of {
    struct told f;
    oriel_handle from[MANY], to[MANY];
    unsigned n, opened, named;          /* how often a connection was named as writable */
    oriel_handle hungry;
    bool fed;
};

static void step_short(void *ctx, struct node *n)
{
    struct short_of *x = ctx;
    struct oriel_readiness r[8];
    unsigned k;
    while ((k = oriel_ready_take(n->stack, r, 8)) > 0)
        for (unsigned i = 0; i < k; i++) {
            x->named += n == x->f.a && (r[i].events & ORIEL_WRITABLE);
            x->fed = x->fed || (n == x->f.a && r[i].handle == x->hungry && (r[i].events & ORIEL_WRITABLE));
        }
    while (n == x->f.b && oriel_accept(n->stack, x->f.listener, &x->to[x->opened], NULL) == 0)
        x->opened++;
}

static void open_many(struct short_of *x, unsigned n)
{
    struct told *f = &x->f;
    struct oriel_endpoint e = {.port = 7};
    struct port *pa, *pb;
    f->memory = malloc(MEMORY);
    EXPECT(world_init(&f->w, f->memory, MEMORY, &(struct world_config){.seed = 1}));
    f->a = host(f, "a", "10.0.0.1/24", &pa);
    f->b = host(f, "b", "10.0.0.2/24", &pb);
    EXPECT(world_join(&f->w, pa, pb, &(struct wire_params){.delay_ns = NS_PER_MS}) != NULL);
    f->w.on_step = step_short;
    f->w.on_step_ctx = x;
    EXPECT_EQ(oriel_tcp_open(f->b->stack, ORIEL_DUAL, &f->listener), 0);
    EXPECT_EQ(oriel_bind(f->b->stack, f->listener, &e), 0);
    EXPECT_EQ(oriel_listen(f->b->stack, f->listener, NULL), 0);
    EXPECT_EQ(oriel_addr_parse("10.0.0.2", &e.addr), 0);
    for (unsigned i = 0; i < n; i++) {
        EXPECT_EQ(oriel_tcp_open(f->a->stack, ORIEL_DUAL, &x->from[i]), 0);
        EXPECT_EQ(oriel_connect(f->a->stack, x->from[i], &e), 0);
        world_poke(&f->w, f->a);
        world_run(&f->w, f->w.env.now + 10 * NS_PER_MS);
    }
    EXPECT_EQ(x->opened, n);
}

/* Until one has nothing under way and is refused all the same. */
static void write_until_short(struct short_of *x)
{
    static const uint8_t data[65536];
    struct told *f = &x->f;
    for (unsigned i = 0; i < MANY && !x->hungry; i++) {
        int n, all = 0;
        while ((n = oriel_send(f->a->stack, x->from[i], data, sizeof(data), NULL)) > 0)
            all += n;
        if (n == ORIEL_ENOBUFS && all == 0)
            x->hungry = x->from[i];
    }
    EXPECT(x->hungry != 0);
}

static void read_all_of(struct short_of *x)
{
    static uint8_t data[65536];
    struct told *f = &x->f;
    for (unsigned i = 0; i < x->opened; i++)
        while (oriel_recv(f->b->stack, x->to[i], data, sizeof(data), NULL) > 0) {
        }
    world_poke(&f->w, f->b);
}

TEST("who was refused for want of memory is not writable until there is some, and is told then")
{
    struct short_of *x = calloc(1, sizeof(*x));
    open_many(x, MANY);
    struct told *f = &x->f;
    write_until_short(x);
    x->named = 0;
    EXPECT(!(oriel_ready(f->a->stack, x->hungry) & ORIEL_WRITABLE));
    for (int i = 0; i < 100 && !x->fed; i++) {
        EXPECT(!(oriel_ready(f->a->stack, x->hungry) & ORIEL_WRITABLE));
        read_all_of(x);
        world_run(&f->w, f->w.env.now + 100 * NS_PER_MS);
    }
    EXPECT(x->fed);
    EXPECT(oriel_ready(f->a->stack, x->hungry) & ORIEL_WRITABLE);
    EXPECT(x->named < 4 * MANY);
    EXPECT_EQ(oriel_send(f->a->stack, x->hungry, "x", 1, NULL), 1);
    world_fini(&f->w);
    free(f->memory);
    free(x);
}

TEST("the same where all that is to be had is little: others keep the rest of a small stack")
{
    struct short_of *x = calloc(1, sizeof(*x));
    open_many(x, 1);
    struct told *f = &x->f;
    struct budget *b = &f->a->stack->budget, was = *b;
    b->max = 40000;
    b->used += 30000;
    x->hungry = x->from[0];
    EXPECT_EQ(oriel_send(f->a->stack, x->hungry, "x", 1, NULL), ORIEL_ENOBUFS);
    world_run(&f->w, f->w.env.now + 100 * NS_PER_MS);
    EXPECT(!(oriel_ready(f->a->stack, x->hungry) & ORIEL_WRITABLE));
    b->used -= 6000;
    world_run(&f->w, f->w.env.now + 100 * NS_PER_MS);
    EXPECT(x->fed);
    EXPECT_EQ(oriel_send(f->a->stack, x->hungry, "x", 1, NULL), 1);
    b->used -= 24000;
    b->max = was.max;
    world_fini(&f->w);
    free(f->memory);
    free(x);
}
