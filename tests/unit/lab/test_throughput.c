/*
 * How fast TCP is, by loss and delay, for each congestion control: a text that is kept under version
 * control (docs/throughput.txt), so that whatever changes it is seen. One sender, one wire of 100
 * Mbit/s with a queue of one bandwidth-delay product, virtual time: the figures are exact.
 *
 * ORIEL_THROUGHPUT_OUT=FILE writes the text anew.
 */
#include "test.h"

#include "lab/world.h"

#define MEMORY   ((size_t)96 << 20)
#define RATE_BPS 100000000u
#define WRITE    65536
#define SNAPSHOT "docs/throughput.txt"

struct setup {
    const char *cc;
    const char *impair;         /* in the words of lab/wire.h */
    unsigned delay_ms;          /* of a round trip */
    unsigned seconds;
    bool no_rack;
};

struct pipe {
    struct world w;
    void *memory;
    struct node *a, *b;
    oriel_handle from, listener, to;
    uint64_t received;
};

static uint8_t zeros[WRITE];

static void on_step(void *ctx, struct node *n)
{
    struct pipe *x = ctx;
    if (n == x->a)
        while (oriel_send(n->stack, x->from, zeros, sizeof(zeros), NULL) > 0)
            ;
    if (n != x->b)
        return;
    if (x->to == 0 && oriel_accept(n->stack, x->listener, &x->to, NULL) != 0)
        return;
    static uint8_t buf[WRITE];
    for (int got; (got = oriel_recv(n->stack, x->to, buf, sizeof(buf), NULL)) > 0;)
        x->received += (uint64_t)got;
}

static struct node *host(struct pipe *x, const char *name, const char *addr,
                         const struct setup *s, struct port **out)
{
    struct oriel_config cfg;
    struct oriel_addr a;
    uint8_t len;
    int err;
    oriel_config_init(&cfg);
    cfg.tcp.congestion = s->cc;
    cfg.tcp.no_rack = s->no_rack;
    struct node *n = world_add_node(&x->w, NODE_HOST, span_str(name), &cfg, (size_t)24 << 20);
    EXPECT(n != NULL);
    *out = world_add_port(&x->w, n, &(struct oriel_netif_config){.name = "eth0"}, &err);
    EXPECT(*out != NULL);
    EXPECT_EQ(oriel_prefix_parse(addr, &a, &len), 0);
    EXPECT_EQ(oriel_addr_add(n->stack, (*out)->netif, &a, len), 0);
    return n;
}

static void connect_them(struct pipe *x)
{
    const struct oriel_endpoint at = {.port = 9};
    struct oriel_endpoint to = {.port = 9};
    EXPECT_EQ(oriel_addr_parse("10.0.0.2", &to.addr), 0);
    EXPECT_EQ(oriel_tcp_open(x->b->stack, ORIEL_IP4, &x->listener), 0);
    EXPECT_EQ(oriel_bind(x->b->stack, x->listener, &at), 0);
    EXPECT_EQ(oriel_listen(x->b->stack, x->listener, NULL), 0);
    EXPECT_EQ(oriel_tcp_open(x->a->stack, ORIEL_IP4, &x->from), 0);
    EXPECT_EQ(oriel_connect(x->a->stack, x->from, &to), 0);
    world_poke(&x->w, x->a);
}

/* Bits a second that arrived, over all of it. */
static double run(const struct setup *s, uint64_t seed)
{
    struct pipe *x = calloc(1, sizeof(*x));
    struct port *pa, *pb;
    struct syntax_error err;
    uint64_t bdp = (uint64_t)RATE_BPS / 8 * s->delay_ms / 1000;
    struct wire_params p = {.rate_bps = RATE_BPS, .delay_ns = s->delay_ms * NS_PER_MS / 2,
                            .queue_pkts = (uint32_t)(bdp / 1500 > 1000 ? 1000 : bdp / 1500 > 20 ? bdp / 1500 : 20)};
    x->memory = malloc(MEMORY);
    EXPECT(world_init(&x->w, x->memory, MEMORY, &(struct world_config){.seed = seed}));
    x->a = host(x, "a", "10.0.0.1/24", s, &pa);
    x->b = host(x, "b", "10.0.0.2/24", s, &pb);
    struct wire *w = world_join(&x->w, pa, pb, &p);
    EXPECT(w != NULL);
    if (s->impair[0])           /* towards the receiver only */
        EXPECT(wire_params_parse(span_str(s->impair), &w->dir[0].p, &err));
    x->w.on_step = on_step;
    x->w.on_step_ctx = x;
    connect_them(x);
    world_run(&x->w, s->seconds * NS_PER_S);
    double bps = (double)x->received * 8 / s->seconds;
    x->w.on_step = NULL;
    world_fini(&x->w);
    free(x->memory);
    free(x);
    return bps;
}

static const char *const losses[] = {"", "loss 0.1%", "loss 1%", "burst 1%/33%"};
static const char *const names[] = {"none", "0.1 %", "1 %", "3 % in bursts"};
static const unsigned delays[] = {1, 10, 40, 100, 200};
static const char *const ccs[] = {"newreno", "cubic", "bbr"};

static void matrix(const char *cc, char **at, const char *end)
{
    *at += snprintf(*at, (size_t)(end - *at), "%s, Mbit/s of 100\n%-16s", cc, "loss \\ rtt");
    for (size_t d = 0; d < sizeof(delays) / sizeof(delays[0]); d++)
        *at += snprintf(*at, (size_t)(end - *at), "%5u ms", delays[d]);
    *at += snprintf(*at, (size_t)(end - *at), "\n");
    for (size_t l = 0; l < sizeof(losses) / sizeof(losses[0]); l++) {
        *at += snprintf(*at, (size_t)(end - *at), "%-16s", names[l]);
        for (size_t d = 0; d < sizeof(delays) / sizeof(delays[0]); d++) {
            struct setup s = {.cc = cc, .impair = losses[l], .delay_ms = delays[d], .seconds = 20};
            *at += snprintf(*at, (size_t)(end - *at), "%8.2f", run(&s, 1) / 1e6);
        }
        *at += snprintf(*at, (size_t)(end - *at), "\n");
    }
    *at += snprintf(*at, (size_t)(end - *at), "\n");
}

TEST("throughput by loss and delay is what docs/throughput.txt says, for each congestion control")
{
    static char text[8192], kept[8192];
    char *at = text;
    const char *out = getenv("ORIEL_THROUGHPUT_OUT");
    for (size_t i = 0; i < sizeof(ccs) / sizeof(ccs[0]); i++)
        matrix(ccs[i], &at, text + sizeof(text));
    FILE *f = fopen(out ? out : SNAPSHOT, out ? "w" : "r");
    EXPECT(f != NULL);
    if (out) {
        fputs(text, f);
    } else {
        size_t n = fread(kept, 1, sizeof(kept) - 1, f);
        kept[n] = '\0';
        if (strcmp(kept, text) != 0)
            printf("# it is now:\n%s", text);
        EXPECT_STR(kept, text);
    }
    fclose(f);
}

/* Mean over seeds: one run of losses is luck. */
static double mean(const char *cc, const char *impair, bool no_rack)
{
    double sum = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct setup s = {.cc = cc, .impair = impair, .delay_ms = 100, .seconds = 60,
                          .no_rack = no_rack};
        sum += run(&s, seed);
    }
    return sum / 5;
}

/* Mathis et al.: MSS / RTT * C / sqrt(p), C = sqrt(3/2) with an acknowledgement for each segment. */
static double model_bps(double root)    /* root: sqrt(1.5 / p) */
{
    return 1448 * 8 / 0.1 * root;
}

#define AT_1_PERCENT 12.2474
#define AT_3_PERCENT 7.0711

TEST("at 1 % random loss CUBIC is no slower than the model, and faster with RACK than without")
{
    double with = mean("cubic", "loss 1%", false), without = mean("cubic", "loss 1%", true);
    printf("# with RACK-TLP %.2f Mbit/s, without %.2f, model %.2f\n", with / 1e6, without / 1e6,
           model_bps(AT_1_PERCENT) / 1e6);
    EXPECT(with >= model_bps(AT_1_PERCENT));
    EXPECT(with > without);
}

TEST("at 3 % loss in bursts likewise")
{
    double with = mean("cubic", "burst 1%/33%", false);
    double without = mean("cubic", "burst 1%/33%", true);
    printf("# with RACK-TLP %.2f Mbit/s, without %.2f, model %.2f\n", with / 1e6, without / 1e6,
           model_bps(AT_3_PERCENT) / 1e6);
    EXPECT(with >= model_bps(AT_3_PERCENT));
    EXPECT(with > without);
}
