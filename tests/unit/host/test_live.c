#include "fx_pair.h"

#include "base/clock.h"
#include "host/live.h"

/* Two hosts of one live world, joined in one of several ways, and a transfer from a to b. */
struct fx {
    struct live *v;
    struct node *a, *b;
    oriel_handle listener, from, to;
    uint64_t sent, got, want;
    uint32_t sum_sent, sum_got;
    char error[DRV_ERROR_MAX];
};

static struct node *host(struct fx *f, const char *name)
{
    struct oriel_config c;
    oriel_config_init(&c);
    struct node *n = world_add_node(live_world(f->v), NODE_HOST, span_str(name), &c, 64u << 20);
    EXPECT(n != NULL);
    return n;
}

static struct fx *open_world(bool quiet)
{
    struct fx *f = calloc(1, sizeof(*f));
    f->v = live_open(&(struct live_config){.seed = 1, .quiet = quiet}, f->error);
    EXPECT(f->v != NULL);
    f->a = host(f, "a");
    f->b = host(f, "b");
    return f;
}

static void close_world(struct fx *f)
{
    EXPECT(world_check(live_world(f->v)) == NULL);
    live_close(f->v);
    free(f);
}

static void address(struct fx *f, struct node *n, int netif, const char *text)
{
    struct drv_spec s = {.addrs_n = 1};
    EXPECT_EQ(oriel_prefix_parse(text, &s.addrs[0].addr, &s.addrs[0].prefix_len), 0);
    EXPECT(live_addrs(f->v, n, netif, &s, f->error));
}

static uint8_t byte_at(uint64_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

static void write_some(void *ctx)
{
    struct fx *f = ctx;
    uint8_t data[16384];
    while (f->from && f->sent < f->want && (oriel_ready(f->a->stack, f->from) & ORIEL_WRITABLE)) {
        size_t n = f->want - f->sent < sizeof(data) ? (size_t)(f->want - f->sent) : sizeof(data);
        for (size_t i = 0; i < n; i++)
            data[i] = byte_at(f->sent + i);
        int took = oriel_send(f->a->stack, f->from, data, n, NULL);
        if (took <= 0)
            break;
        f->sent += (uint64_t)took;
    }
}

static void read_some(void *ctx)
{
    struct fx *f = ctx;
    uint8_t data[16384];
    int n;
    if (!f->to && oriel_accept(f->b->stack, f->listener, &f->to, NULL) != 0)
        return;
    while ((n = oriel_recv(f->b->stack, f->to, data, sizeof(data), NULL)) > 0) {
        for (int i = 0; i < n; i++)
            EXPECT_EQ(data[i], byte_at(f->got + (uint64_t)i));
        f->got += (uint64_t)n;
    }
}

static void transfer(struct fx *f, const char *to, uint64_t bytes)
{
    struct oriel_endpoint e = {.port = 7};
    f->want = bytes;
    EXPECT_EQ(oriel_tcp_open(f->b->stack, ORIEL_DUAL, &f->listener), 0);
    EXPECT_EQ(oriel_bind(f->b->stack, f->listener, &e), 0);
    EXPECT_EQ(oriel_listen(f->b->stack, f->listener, NULL), 0);
    live_app(f->v, f->a, write_some, f);
    live_app(f->v, f->b, read_some, f);
    EXPECT_EQ(oriel_addr_parse(to, &e.addr), 0);
    EXPECT_EQ(oriel_tcp_open(f->a->stack, ORIEL_DUAL, &f->from), 0);
    EXPECT_EQ(oriel_connect(f->a->stack, f->from, &e), 0);
    live_poke(f->v, f->a);
    oriel_time give_up = host_now() + 20 * NS_PER_S;
    while (f->got < bytes && host_now() < give_up)
        EXPECT_EQ(live_turn(f->v, live_now(f->v) + NS_PER_S), 0);
    EXPECT_EQ(f->got, bytes);
}

static void join(struct fx *f, bool direct, const char *impair)
{
    int err;
    struct syntax_error bad;
    struct wire_params wire = {.direct = direct};
    struct oriel_netif_config c = {.name = "eth0", .vouches = direct, .gso = direct, .no_dad = true};
    struct port *pa = world_add_port(live_world(f->v), f->a, &c, &err);
    struct port *pb = world_add_port(live_world(f->v), f->b, &c, &err);
    EXPECT(pa && pb);
    EXPECT(!impair || wire_params_parse(span_str(impair), &wire, &bad));
    EXPECT(world_join(live_world(f->v), pa, pb, &wire) != NULL);
    address(f, f->a, pa->netif, "10.0.0.1/24");
    address(f, f->b, pb->netif, "10.0.0.2/24");
}

TEST("two hosts on a direct wire: super-segments cross whole, every byte arrives")
{
    struct fx *f = open_world(true);
    join(f, true, NULL);
    transfer(f, "10.0.0.2", 32u << 20);
    EXPECT(f->a->ports[0].tx_pkts < (32u << 20) / 16384);       /* far fewer frames than segments */
    close_world(f);
}

TEST("the same over a wire that takes time and loses frames: a real clock drives it")
{
    struct fx *f = open_world(false);
    join(f, false, "delay 2ms, loss 1%");
    oriel_time start = host_now();
    transfer(f, "10.0.0.2", 1u << 20);
    EXPECT(host_now() - start >= 8 * NS_PER_MS);        /* handshake, and at least one flight back */
    close_world(f);
}

static void doors(struct fx *f, struct drv *d[2], const struct wire_params *wire)
{
    struct oriel_netif_config ca = {.name = "eth0", .mac = {2, 0, 0, 0, 0, 1}};
    struct oriel_netif_config cb = {.name = "eth0", .mac = {2, 0, 0, 0, 0, 2}};
    pair_open(d);
    int na = live_door(f->v, d[0], f->a, &ca, wire, f->error);
    int nb = live_door(f->v, d[1], f->b, &cb, wire, f->error);
    EXPECT(na > 0 && nb > 0);
    address(f, f->a, na, "10.0.0.1/24");
    address(f, f->b, nb, "10.0.0.2/24");
}

TEST("a transfer through two doors that take little at a time: nothing is lost, the stack waits")
{
    struct fx *f = open_world(true);
    struct drv *d[2];
    doors(f, d, &(struct wire_params){.direct = true});
    transfer(f, "10.0.0.2", 8u << 20);
    EXPECT_EQ(d[1]->rx_dropped, 0);
    EXPECT(d[0]->tx_full > 0);                  /* the socket's buffer was full at times */
    close_world(f);
}

TEST("through doors behind ordinary wires, which delay")
{
    struct fx *f = open_world(false);
    struct drv *d[2];
    doors(f, d, &(struct wire_params){.delay_ns = NS_PER_MS});
    transfer(f, "10.0.0.2", 1u << 20);
    close_world(f);
}

/* Keeps the last frame of what it took, as a stream does whose buffer is full, until it is called with none. */
static uint8_t begun[2048];
static size_t begun_n;

static unsigned lazy_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    if (begun_n > 0 && send(d->fd, begun, begun_n, MSG_DONTWAIT) < 0)
        return 0;
    begun_n = 0;
    d->unsent = false;
    unsigned sent = n > 1 ? pair_tx(d, pkts, n - 1) : 0;
    if (n == 0 || sent < n - 1)
        return sent;
    begun_n = pkt_len(pkts[n - 1]);
    pkt_read(pkts[n - 1], 0, begun, begun_n);
    d->unsent = true;
    return n;
}

static const struct drv_kind lazy_kind = {.name = "lazy", .rx = pair_rx, .tx = lazy_tx, .close = pair_close};

TEST("what a driver could not send whole goes on when its descriptor is writable")
{
    struct fx *f = open_world(true);
    struct drv *d[2];
    doors(f, d, &(struct wire_params){.direct = true});
    d[0]->kind = &lazy_kind;
    transfer(f, "10.0.0.2", 100000);
    for (unsigned i = 0; i < 10; i++)
        EXPECT_EQ(live_turn(f->v, live_now(f->v) + NS_PER_MS), 0);
    EXPECT(!d[0]->unsent);
    close_world(f);
}

TEST("a link that ends takes the carrier with it, and the world goes on")
{
    struct fx *f = open_world(true);
    struct drv *d[2];
    doors(f, d, &(struct wire_params){.direct = true});
    transfer(f, "10.0.0.2", 4096);
    EXPECT_EQ(shutdown(d[1]->fd, SHUT_RDWR), 0);
    struct oriel_netif_info info;
    uint32_t at = 0;
    for (unsigned i = 0; i < 10; i++)
        EXPECT_EQ(live_turn(f->v, live_now(f->v) + NS_PER_MS), 0);
    EXPECT(oriel_netif_each(f->a->stack, &at, &info));
    while (strcmp(info.name, "eth0") != 0)
        EXPECT(oriel_netif_each(f->a->stack, &at, &info));
    EXPECT(!info.carrier);
    close_world(f);
}

TEST("a link with offloads is refused where frames are to be delayed")
{
    struct fx *f = open_world(true);
    struct drv *d[2];
    struct oriel_netif_config c = {.name = "eth0"};
    pair_open(d);
    d[0]->caps.csum = true;
    EXPECT(live_door(f->v, d[0], f->a, &c, &(struct wire_params){.delay_ns = 1}, f->error) < 0);
    EXPECT(strstr(f->error, "plain") != NULL);
    drv_close(d[1]);
    close_world(f);
}
