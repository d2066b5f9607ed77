/*
 * What one small datagram costs: Ethernet, IPv4, UDP, into a socket and out of one; checksums on.
 *
 *     build/bench/udp            instructions by callgrind (needs valgrind), and time
 *     build/bench/udp rx N       receive N datagrams and exit: what callgrind is run on
 *     build/bench/udp tx N       send N
 *
 * udp.ir.rx is what oriel_step costs a packet in a batch of 32: from a frame in a packet until it
 * waits in the socket's queue. udp.ir.tx is oriel_send and the packet's share of oriel_netif_take:
 * from the application's bytes to a finished frame; the copy of the payload is in it. What belongs
 * to neither is told apart: making the packet that arrives (driver), reading it (recv, which frees
 * it) and freeing the one that left (free).
 *
 * How it is counted: callgrind counts only between the entry of the function that is named and its
 * return, with all that it calls (--toggle-collect). Each number is the difference of two runs
 * divided by the difference of their sizes, so that what happens once cancels. Nothing is taken off.
 */
#include "bench.h"

#include "oriel/oriel.h"

#define MEMORY  ((size_t)32 << 20)
#define PAYLOAD 32
#define BATCH   32

static const uint8_t mac_us[6] = {2, 0, 0, 0, 0, 1}, mac_them[6] = {2, 0, 0, 0, 0, 2};

struct setup {
    struct oriel_stack *s;
    void *memory;
    int nif;
    oriel_handle h;
    struct oriel_endpoint us, them;
    oriel_time now;
    uint8_t frame[128];
    size_t frame_n;
};

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "setup failed: %s\n", oriel_strerror(err));
        exit(1);
    }
}

/* Take one frame that the stack sends; it is the template of those that arrive, turned round. */
static void make_frame(struct setup *b)
{
    uint8_t data[PAYLOAD] = {0};
    struct pkt *p;
    struct oriel_msg to = {.peer = b->them};
    must(oriel_send(b->s, b->h, data, sizeof(data), &to));
    if (oriel_netif_take(b->s, b->nif, &p, 1) != 1)
        exit(1);
    b->frame_n = oriel_pkt_copy(p, b->frame, sizeof(b->frame));
    oriel_pkt_free(p);
    uint8_t swap[6], ip[4], port[2];
    memcpy(swap, b->frame, 6);
    memcpy(b->frame, b->frame + 6, 6);
    memcpy(b->frame + 6, swap, 6);
    memcpy(ip, b->frame + 26, 4);           /* sums do not change when source and destination swap */
    memcpy(b->frame + 26, b->frame + 30, 4);
    memcpy(b->frame + 30, ip, 4);
    memcpy(port, b->frame + 34, 2);
    memcpy(b->frame + 34, b->frame + 36, 2);
    memcpy(b->frame + 36, port, 2);
}

static void set_up(struct setup *b)
{
    struct oriel_config cfg;
    struct oriel_netif_config nif = {.name = "eth0"};
    struct oriel_addr a;
    uint8_t len;
    oriel_config_init(&cfg);
    memset(b, 0, sizeof(*b));
    b->memory = malloc(MEMORY);
    cfg.memory = b->memory;
    cfg.memory_bytes = MEMORY;
    cfg.cpu = __builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0;
    b->s = oriel_create(&cfg);
    memcpy(nif.mac, mac_us, 6);
    must(b->nif = oriel_netif_add(b->s, &nif));
    must(oriel_prefix_parse("10.0.0.1/24", &a, &len));
    must(oriel_addr_add(b->s, b->nif, &a, len));
    b->us.addr = a;
    b->us.port = 5000;
    must(oriel_addr_parse("10.0.0.2", &b->them.addr));
    b->them.port = 6000;
    must(oriel_neigh_add(b->s, b->nif, &b->them.addr, mac_them));
    must(oriel_udp_open(b->s, ORIEL_IP4, &b->h));
    must(oriel_bind(b->s, b->h, &b->us));
    make_frame(b);
}

/* Time spent inside the calls that are told apart. */
struct spent {
    double step, recv, send, free;
};

/* Frames arrive in batches; the socket is emptied after each. */
static void receive(struct setup *b, long n, struct spent *t)
{
    struct pkt *p[BATCH];
    uint8_t buf[PAYLOAD];
    for (long i = 0; i < n; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            p[k] = oriel_pkt_new(b->s, b->nif, b->frame, b->frame_n);
        struct pkt_batch batch = {.pkts = p, .n = BATCH};
        double start = bench_seconds();
        oriel_step(b->s, b->now += 1000, &batch);
        double stepped = bench_seconds();
        for (int k = 0; k < BATCH; k++)
            must(oriel_recv(b->s, b->h, buf, sizeof(buf), NULL));
        t->recv += bench_seconds() - stepped;
        t->step += stepped - start;
    }
}

static void transmit(struct setup *b, long n, struct spent *t)
{
    struct pkt *p[BATCH];
    uint8_t data[PAYLOAD] = {1, 2, 3};
    struct oriel_msg to = {.peer = b->them};
    for (long i = 0; i < n; i += BATCH) {
        double start = bench_seconds();
        for (int k = 0; k < BATCH; k++)
            must(oriel_send(b->s, b->h, data, sizeof(data), &to));
        unsigned got = oriel_netif_take(b->s, b->nif, p, BATCH);
        double sent = bench_seconds();
        for (unsigned k = 0; k < got; k++)
            oriel_pkt_free(p[k]);
        t->free += bench_seconds() - sent;
        t->send += sent - start;
    }
}

static struct spent run(const char *what, long n)
{
    struct setup b;
    struct spent t = {0, 0, 0, 0};
    set_up(&b);
    if (strcmp(what, "tx") == 0)
        transmit(&b, n, &t);
    else
        receive(&b, n, &t);
    oriel_destroy(b.s);
    free(b.memory);
    return t;
}

/* Instructions inside the functions, in `self what n` under callgrind; negative: cannot be run. */
static double instructions_of(const char *self, const char *what, const char *functions, long n)
{
    char line[1024];
    double v = -1;
    snprintf(line, sizeof(line),
             "valgrind --tool=callgrind --callgrind-out-file=/dev/null %s %s %s %ld 2>&1", functions,
             self, what, n);
    FILE *f = popen(line, "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof(line), f)) {
        char *at = strstr(line, "Collected : ");
        if (at)
            v = strtod(at + 12, NULL);
    }
    pclose(f);
    return v;
}

static void report(const char *self, const char *name, const char *what, const char *functions)
{
    const long small = 3200, large = 16000;
    double a = instructions_of(self, what, functions, small);
    double b = instructions_of(self, what, functions, large);
    if (a < 0 || b < 0)
        bench_skip("valgrind is not installed");
    printf("figure %s %.0f instructions\n", name, (b - a) / (double)(large - small));
    fflush(stdout);
}

static void report_times(void)
{
    const long n = 320000;
    const double per = 1e9 / (double)n;
    struct bench_runs rx = {.n = 0}, recv = {.n = 0}, tx = {.n = 0}, release = {.n = 0};
    for (int i = 0; i < BENCH_REPS; i++) {
        struct spent in = run("rx", n), out = run("tx", n);
        bench_add(&rx, in.step * per);
        bench_add(&recv, in.recv * per);
        bench_add(&tx, out.send * per);
        bench_add(&release, out.free * per);
    }
    bench_figure("udp.ns.rx", &rx, "ns");
    bench_figure("udp.ns.tx", &tx, "ns");
    bench_figure("udp.ns.recv", &recv, "ns");
    bench_figure("udp.ns.free", &release, "ns");
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        run(argv[1], strtol(argv[2], NULL, 10));
        return 0;
    }
    const char *self = argv[0];
    report(self, "udp.ir.rx", "rx", "--toggle-collect=oriel_step");
    report(self, "udp.ir.tx", "tx", "--toggle-collect=oriel_send --toggle-collect=oriel_netif_take");
    report(self, "udp.ir.recv", "rx", "--toggle-collect=oriel_recv");
    report(self, "udp.ir.free", "tx", "--toggle-collect=oriel_pkt_free");
    report(self, "udp.ir.driver", "rx", "--toggle-collect=oriel_pkt_new");
    report_times();
    return 0;
}
