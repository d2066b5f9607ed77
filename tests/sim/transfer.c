/*
 * sim transfer: two million segments over a wire that loses a tenth, holds back and doubles, in
 * virtual time. What is written and what is read must have one SHA-256.
 */
#include "sim.h"

#include "sha256.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENTS 2000000u
#define MSS      200u           /* payload; so small because bytes cost more than segments here */
#define BYTES    ((uint64_t)SEGMENTS * MSS)
#define MEMORY   ((size_t)64 << 20)
#define CHUNK    16384
#define PORT     7000

struct transfer {
    struct world w;
    struct node *from, *to;
    oriel_handle out, listener, in;
    struct rng bytes;           /* what is written */
    struct sha256 written, read;
    uint64_t written_n, read_n;
    bool over;                  /* the reader has come to the end */
    uint8_t next[CHUNK];        /* bytes that are to be written next ... */
    size_t next_at, next_n;     /* ... and which of them */
};

static bool fail(const char *what)
{
    printf("transfer: %s\n", what);
    return false;
}

/* The examples of FIPS 180-4: a sum that is wrong would agree with itself. */
static bool sha256_works(void)
{
    static const uint8_t abc[SHA256_LEN] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
        0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
        0x15, 0xad};
    static const uint8_t million_a[4] = {0xcd, 0xc7, 0x6e, 0x5c};
    struct sha256 s;
    uint8_t out[SHA256_LEN];
    sha256_init(&s);
    sha256_add(&s, "abc", 3);
    sha256_end(&s, out);
    if (memcmp(out, abc, sizeof(abc)) != 0)
        return false;
    sha256_init(&s);
    for (unsigned i = 0; i < 1000000; i++)
        sha256_add(&s, "a", 1);
    sha256_end(&s, out);
    return memcmp(out, million_a, sizeof(million_a)) == 0;
}

static void make_bytes(struct transfer *x)
{
    uint64_t left = BYTES - x->written_n;
    for (size_t i = 0; i < CHUNK; i += 8) {
        uint64_t v = rng_u64(&x->bytes);
        memcpy(x->next + i, &v, 8);
    }
    x->next_at = 0;
    x->next_n = left < CHUNK ? (size_t)left : CHUNK;
}

static bool write_some(struct transfer *x)
{
    while (x->written_n < BYTES) {
        if (x->next_at == x->next_n)
            make_bytes(x);
        const uint8_t *p = x->next + x->next_at;
        int n = oriel_send(x->from->stack, x->out, p, x->next_n - x->next_at, NULL);
        if (n == ORIEL_EAGAIN)
            return true;
        if (n < 0)
            return fail(oriel_strerror(n));
        sha256_add(&x->written, p, (size_t)n);
        x->next_at += (size_t)n;
        x->written_n += (uint64_t)n;
    }
    int err = oriel_shutdown(x->from->stack, x->out, ORIEL_SHUT_WRITE);
    return err == 0 || err == ORIEL_ENOTCONN || fail(oriel_strerror(err));
}

static void read_some(struct transfer *x)
{
    uint8_t data[CHUNK];
    int n;
    if (!x->in && oriel_accept(x->to->stack, x->listener, &x->in, NULL) != 0)
        return;
    while ((n = oriel_recv(x->to->stack, x->in, data, sizeof(data), NULL)) > 0) {
        sha256_add(&x->read, data, (size_t)n);
        x->read_n += (uint64_t)n;
    }
    x->over = n == 0 || (n < 0 && n != ORIEL_EAGAIN);
}

static void on_step(void *ctx, struct node *n)
{
    struct transfer *x = ctx;
    struct oriel_readiness ready[4];
    while (oriel_ready_take(n->stack, ready, 4) > 0) {
        if (n == x->to)
            read_some(x);
        else if (x->out && oriel_ready(n->stack, x->out) & ORIEL_WRITABLE)
            (void)write_some(x);
    }
}

static struct port *host(struct transfer *x, struct node **n, const char *name, uint32_t address)
{
    struct oriel_config c;
    struct oriel_netif_config nif = {.name = "eth0", .probe4 = false};
    const struct oriel_addr a = addr_v4(address);
    int err;
    oriel_config_init(&c);
    *n = world_add_node(&x->w, NODE_HOST, span_str(name), &c, 8u << 20);
    struct port *p = *n ? world_add_port(&x->w, *n, &nif, &err) : NULL;
    return p && oriel_addr_add((*n)->stack, p->netif, &a, 120) == 0 ? p : NULL;
}

static bool build(struct transfer *x, void *memory)
{
    const struct world_config wc = {.seed = 1, .trace_events = 1024};
    struct wire_params p = {
        .rate_bps = 100000000,
        .delay_ns = 5 * NS_PER_MS,
        .impair = {.loss = 100000, .reorder = 50000, .reorder_ns = 3 * NS_PER_MS, .dup = 20000},
    };
    if (!world_init(&x->w, memory, MEMORY, &wc))
        return false;
    struct port *a = host(x, &x->from, "a", 0x0a000001), *b = host(x, &x->to, "b", 0x0a000002);
    x->w.on_step = on_step;
    x->w.on_step_ctx = x;
    return a && b && world_join(&x->w, a, b, &p);
}

static bool open_both(struct transfer *x)
{
    const struct oriel_endpoint at = {.port = PORT};
    const struct oriel_endpoint to = {.addr = addr_v4(0x0a000002), .port = PORT};
    struct oriel_stack *b = x->to->stack, *a = x->from->stack;
    int err = oriel_tcp_open(b, ORIEL_IP4, &x->listener);
    if (!err)
        err = oriel_bind(b, x->listener, &at);
    if (!err)
        err = oriel_listen(b, x->listener, NULL);
    if (!err)
        err = oriel_tcp_open(a, ORIEL_IP4, &x->out);
    if (!err)
        err = oriel_setopt(a, x->out, ORIEL_OPT_MAXSEG, MSS + 12);      /* and timestamps */
    if (!err)
        err = oriel_connect(a, x->out, &to);
    return err == 0;
}

static bool judge(struct transfer *x)
{
    uint8_t a[SHA256_LEN], b[SHA256_LEN];
    struct oriel_tcp_info o;
    if (oriel_tcp_info(x->from->stack, x->out, &o) != 0)
        return fail("nothing is known of the connection");
    sha256_end(&x->written, a);
    sha256_end(&x->read, b);
    printf("transfer: %" PRIu64 " bytes in %u segments of %u and %u sent again, in %" PRIu64
           " s of virtual time\n", x->read_n, o.data_segs_out, o.snd_mss, o.total_retrans,
           x->w.env.now / NS_PER_S);
    if (x->written_n != BYTES || x->read_n != BYTES)
        return fail("it did not come to its end");
    if (memcmp(a, b, sizeof(a)) != 0)
        return fail("what was read has another SHA-256 than what was written");
    return o.data_segs_out >= SEGMENTS || fail("fewer segments than it was to have");
}

int sim_transfer(void)
{
    static struct transfer x;
    void *memory = malloc(MEMORY);
    if (!memory || !sha256_works() || !build(&x, memory) || !open_both(&x)) {
        puts("transfer: it cannot begin");
        return 1;
    }
    rng_seed(&x.bytes, 1, 1);
    sha256_init(&x.written);
    sha256_init(&x.read);
    while (!x.over && world_next(&x.w) != ORIEL_NEVER)
        world_run(&x.w, world_next(&x.w));
    bool good = judge(&x);
    if (oriel_abort(x.from->stack, x.out) != 0 || oriel_abort(x.to->stack, x.in) != 0)
        good = fail("it cannot be closed");
    world_fini(&x.w);
    free(memory);
    return good ? 0 : 1;
}
