/*
 * What a connection costs in memory while nothing happens on it, over a million of them.
 *
 *     build/bench/mem [idle|half_open|time_wait] [--detail] [--strict]
 *
 * A stack uses nothing but the area that it was given, and touches of it only what it needs: pools
 * are reserved whole and touched as they are used, tables are cleared when it is made. So we ask
 * the system which pages of the area are there (mincore, pages of 4 KiB, no huge ones), and take
 * off what a stack has touched that was made for a few thousand connections and had one. The rest
 * is what a million connections took, divided by a million: the connection, its socket and its
 * share of all indexes. Packets lie in another area, and none may be held when we look.
 *
 * mem.idle is the greater of the two ends: both are measured, connecting and accepting.
 */
#include "bench/crowd.h"

#define MANY      1000000u
#define FEW       4096u          /* room of the stack that is taken off */
#define AREA      ((size_t)2 << 30)
#define PORTS     256u

#define GOAL_IDLE      512
#define GOAL_HALF_OPEN 96
#define GOAL_TIME_WAIT 80

static bool detail;

struct touched {
    double side[2];
};

static struct touched touched(const struct pair *x)
{
    struct touched t;
    if (pkt_mem_live(&x->mem) != 0)
        fprintf(stderr, "%u packets and blocks are held\n", pkt_mem_live(&x->mem));
    for (int i = 0; i < 2; i++)
        t.side[i] = (double)bench_touched(x->area[i], x->area_bytes[i]);
    return t;
}

static void print_limits(const struct pair *x, int side)
{
    struct oriel_limit_info l;
    for (uint32_t at = 0; detail && oriel_limit_each(x->s[side], &at, &l);)
        printf("  side %d %-20s %" PRIu64 " of %" PRIu64 " (%s)\n", side, l.name, l.used, l.value,
               l.from);
}

static void check(uint32_t is, uint32_t should_be, const char *what)
{
    if (is == should_be)
        return;
    fprintf(stderr, "%u connections %s, not %u\n", is, what, should_be);
    exit(1);
}

static struct pair_config config(bool ip6, uint32_t conns, uint32_t half_open, uint32_t time_wait)
{
    struct pair_config c = {.connections = conns + PORTS, .ports = PORTS, .ip6 = ip6,
                            .small_pages = true, .stack_bytes = AREA};
    c.tcp.half_open = half_open;
    c.tcp.time_wait = time_wait;
    c.tcp.msl_ms = 60000;
    c.tcp.cookies = ORIEL_COOKIES_NEVER;
    return c;
}

/* ---- idle ---- */

/*
 * Each batch is used, and left alone until nothing is owed and what the use took is freed: only
 * what an idle connection needs is touched a million times.
 */
static void open_and_use(struct crowd *all, struct pair *x, uint32_t n)
{
    for (crowd_make(all, n); all->n < n;) {
        uint32_t was = all->n;
        crowd_more(all, x, n);
        for (uint32_t i = was; i < all->n; i++)
            pair_ping(x, all->a[i], all->b[i]);
        for (int i = 0; i < 4; i++) {
            pair_wait(x, NS_PER_S);
            pair_settle(x);
        }
    }
}

static struct touched idle(bool ip6, uint32_t conns, uint32_t n)
{
    struct pair x;
    struct crowd all;
    struct pair_config c = config(ip6, conns, 1024, 1024);
    pair_make(&x, &c);
    pair_listen(&x, 0);
    open_and_use(&all, &x, n);
    check(crowd_in(&x, 0, ORIEL_TCP_ESTABLISHED), n, "are established");
    check(crowd_in(&x, 1, ORIEL_TCP_ESTABLISHED), n, "are established");
    struct touched t = touched(&x);
    for (int side = 0; side < 2 && n > 1; side++)
        print_limits(&x, side);
    crowd_free(&all);
    pair_forget(&x);
    return t;
}

static void report(const char *what, bool ip6, double each, double to_reach)
{
    char name[64];
    struct bench_runs r = bench_once(each);
    snprintf(name, sizeof(name), "mem.%s.ip%d", what, ip6 ? 6 : 4);
    bench_reach(name, &r, "bytes", BENCH_AT_MOST, to_reach);
}

static void measure_idle(bool ip6)
{
    struct touched few = idle(ip6, FEW, 1), many = idle(ip6, MANY + FEW, MANY);
    double a = many.side[0] - few.side[0], b = many.side[1] - few.side[1];
    if (detail)
        printf("  connecting end %.1f, accepting end %.1f\n", a / MANY, b / MANY);
    report("idle", ip6, (a > b ? a : b) / MANY, GOAL_IDLE);
}

/* ---- half open: SYNs from all over the world ---- */

struct syn {
    uint8_t frame[128];
    size_t len;
    bool ip6;
};

/* One that side 0 sends is the template. */
static void syn_make(struct syn *s, struct pair *x)
{
    struct pkt *p;
    oriel_handle h = pair_connect(x, 0);
    s->ip6 = x->cfg.ip6;
    if (oriel_netif_take(x->s[0], x->nif[0], &p, 1) != 1)
        bench_skip("no SYN was sent");
    s->len = oriel_pkt_copy(p, s->frame, sizeof(s->frame));
    oriel_pkt_free(p);
    pair_must(oriel_abort(x->s[0], h), "abort");
}

static void sum_change(uint8_t *sum, uint32_t from, uint32_t to)
{
    store_be16(sum, csum_update32(load_be16(sum), from, to));
}

/* From another address and port, to another port. */
static void syn_change(struct syn *s, uint32_t i)
{
    uint8_t *ip = s->frame + 14, *tcp = ip + (s->ip6 ? 40 : 20), *src = ip + (s->ip6 ? 8 : 12);
    uint32_t ports = ((uint32_t)(1024 + i % 60000) << 16) | (PAIR_PORT + i % PORTS);
    uint32_t addr = (s->ip6 ? 0x20000000u : 0x14000000u) + i;
    sum_change(tcp + 16, load_be32(src), addr);
    sum_change(tcp + 16, load_be32(tcp), ports);
    if (!s->ip6)
        sum_change(ip + 10, load_be32(src), addr);
    store_be32(src, addr);
    store_be32(tcp, ports);
}

static void route_everything(struct pair *x)
{
    struct oriel_addr any, via = pair_addr(x, 0, 0);
    uint8_t len;
    pair_must(oriel_prefix_parse(x->cfg.ip6 ? "::/0" : "0.0.0.0/0", &any, &len), "prefix");
    pair_must(oriel_route_add(x->s[1], &any, len, &via, x->nif[1], 0), "route");
}

static void send_syns(struct pair *x, struct syn *s, uint32_t n)
{
    struct pkt *p[PAIR_BATCH];
    for (uint32_t i = 0; i < n;) {
        struct pkt_batch batch = {.pkts = p, .n = 0};
        for (; batch.n < PAIR_BATCH && i < n; i++) {
            syn_change(s, i);
            p[batch.n++] = oriel_pkt_new(x->s[1], x->nif[1], s->frame, s->len);
        }
        oriel_step(x->s[1], x->now += 1000, &batch);
        unsigned got;
        while ((got = oriel_netif_take(x->s[1], x->nif[1], p, PAIR_BATCH)) > 0)
            for (unsigned k = 0; k < got; k++)
                oriel_pkt_free(p[k]);
    }
}

static double half_open(bool ip6, uint32_t room, uint32_t n)
{
    struct pair x;
    struct syn s;
    struct pair_config c = config(ip6, FEW, room, 1024);
    pair_make(&x, &c);
    route_everything(&x);
    pair_listen(&x, 65535);     /* no more half-open connections than that on each */
    syn_make(&s, &x);
    send_syns(&x, &s, n);
    check(crowd_in(&x, 1, ORIEL_TCP_SYN_RCVD), n, "are half open");
    double t = touched(&x).side[1];
    if (n > 1)
        print_limits(&x, 1);
    pair_end(&x);
    return t;
}

static void measure_half_open(bool ip6)
{
    double few = half_open(ip6, 1024, 1), many = half_open(ip6, MANY, MANY);
    report("half_open", ip6, (many - few) / MANY, GOAL_HALF_OPEN);
}

/* ---- TIME-WAIT ---- */

/* Some give way to new connections that take their ports (RFC 6191): *is is how many there are. */
static double time_wait(bool ip6, uint32_t room, uint32_t n, uint32_t *is)
{
    struct pair x;
    struct pair_config c = config(ip6, FEW, 1024, room);
    pair_make(&x, &c);
    x.tick = 1000;
    pair_listen(&x, 0);
    for (uint32_t i = 0; i < n; i++)
        crowd_visit(&x, i);
    *is = crowd_in(&x, 0, ORIEL_TCP_TIME_WAIT);
    if (*is < n / 100 * 99)
        check(*is, n, "are in TIME-WAIT");
    double t = touched(&x).side[0];
    if (n > 1)
        print_limits(&x, 0);
    pair_end(&x);
    return t;
}

static void measure_time_wait(bool ip6)
{
    uint32_t n;
    double few = time_wait(ip6, 1024, 1, &n), many = time_wait(ip6, MANY, MANY, &n);
    report("time_wait", ip6, (many - few) / n, GOAL_TIME_WAIT);
}

int main(int argc, char **argv)
{
    const char *what = "";
    bool strict = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--strict") == 0)
            strict = true;
        else if (strcmp(argv[i], "--detail") == 0)
            detail = true;
        else
            what = argv[i];
    }
    bench_pin();
    for (int ip6 = 0; ip6 < 2; ip6++) {
        if (*what == 0 || strcmp(what, "idle") == 0)
            measure_idle(ip6);
        if (*what == 0 || strcmp(what, "half_open") == 0)
            measure_half_open(ip6);
        if (*what == 0 || strcmp(what, "time_wait") == 0)
            measure_time_wait(ip6);
    }
    return strict && *bench_short() > 0;
}
