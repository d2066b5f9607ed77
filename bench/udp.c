/*
 * What one small datagram costs: Ethernet, IPv4, UDP, into a socket and out of one.
 *
 *     build/bench/udp            instructions by callgrind (needs valgrind), and time
 *     build/bench/udp rx N       receive N datagrams and exit: what callgrind is run on
 *     build/bench/udp tx N       send N
 *
 * Instructions are the difference of two runs divided by the difference of their sizes, so that
 * start-up cancels. Receiving: from oriel_step with the frame in a packet until it waits in the
 * socket's queue. Sending: oriel_send and the take of the finished frame. Making the packet that
 * arrives and freeing the one that left (a driver's work), and the application's copy out, are
 * measured apart and subtracted.
 */
#include "bench.h"

#include "oriel/oriel.h"

#define MEMORY  ((size_t)32 << 20)
#define PAYLOAD 32
#define BATCH   32

static const uint8_t mac_us[6] = {2, 0, 0, 0, 0, 1}, mac_them[6] = {2, 0, 0, 0, 0, 2};

struct setup {
    struct oriel_stack *s;
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
    cfg.memory = malloc(MEMORY);
    cfg.memory_bytes = MEMORY;
    cfg.cpu = __builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0;
    memset(b, 0, sizeof(*b));
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

/* Frames arrive in batches; the socket is emptied after each. without: everything but the step. */
static void receive(struct setup *b, long n, int step)
{
    struct pkt *p[BATCH];
    uint8_t buf[PAYLOAD];
    for (long i = 0; i < n; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            p[k] = oriel_pkt_new(b->s, b->nif, b->frame, b->frame_n);
        struct pkt_batch batch = {.pkts = p, .n = BATCH};
        if (!step) {
            for (int k = 0; k < BATCH; k++)
                oriel_pkt_free(p[k]);
            continue;
        }
        oriel_step(b->s, b->now += 1000, &batch);
        if (step == 2)
            for (int k = 0; k < BATCH; k++)
                must(oriel_recv(b->s, b->h, buf, sizeof(buf), NULL));
    }
}

static void transmit(struct setup *b, long n)
{
    struct pkt *p[BATCH];
    uint8_t data[PAYLOAD] = {1, 2, 3};
    struct oriel_msg to = {.peer = b->them};
    for (long i = 0; i < n; i += BATCH) {
        for (int k = 0; k < BATCH; k++)
            must(oriel_send(b->s, b->h, data, sizeof(data), &to));
        unsigned got = oriel_netif_take(b->s, b->nif, p, BATCH);
        for (unsigned k = 0; k < got; k++)
            oriel_pkt_free(p[k]);
    }
}

static int run(const char *what, long n)
{
    struct setup b;
    set_up(&b);
    if (strcmp(what, "tx") == 0)
        transmit(&b, n);
    else if (strcmp(what, "driver") == 0)
        receive(&b, n, 0);
    else
        receive(&b, n, 2);
    return 0;
}

/* Instructions of `self what n` under callgrind; negative when that cannot be run. */
static double instructions_of(const char *self, const char *what, long n)
{
    char line[1024];
    double v = -1;
    snprintf(line, sizeof(line),
             "valgrind --tool=callgrind --callgrind-out-file=/dev/null %s %s %ld 2>&1", self, what, n);
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

static double per_packet(const char *self, const char *what)
{
    const long small = 3200, large = 16000;
    double a = instructions_of(self, what, small), b = instructions_of(self, what, large);
    return a < 0 || b < 0 ? -1 : (b - a) / (double)(large - small);
}

static double seconds_of(const char *what, long n)
{
    struct setup b;
    set_up(&b);
    double t = bench_seconds();
    if (strcmp(what, "tx") == 0)
        transmit(&b, n);
    else
        receive(&b, n, strcmp(what, "driver") == 0 ? 0 : 2);
    return bench_seconds() - t;
}

int main(int argc, char **argv)
{
    if (argc == 3)
        return run(argv[1], strtol(argv[2], NULL, 10));
    const long n = 320000;
    double rx = per_packet(argv[0], "rx"), tx = per_packet(argv[0], "tx");
    double driver = per_packet(argv[0], "driver");
    if (rx < 0)
        bench_skip("valgrind is not installed");
    printf("figure udp.ir.driver %.0f instructions\n", driver);
    printf("figure udp.ir.rx_and_read %.0f instructions\n", rx - driver);
    printf("figure udp.ir.tx_and_free %.0f instructions\n", tx);
    struct bench_runs rx_ns = {.n = 0}, tx_ns = {.n = 0};
    for (int i = 0; i < BENCH_REPS; i++) {
        bench_add(&rx_ns, seconds_of("rx", n) / (double)n * 1e9);
        bench_add(&tx_ns, seconds_of("tx", n) / (double)n * 1e9);
    }
    bench_figure("udp.ns.rx_and_read", &rx_ns, "ns");
    bench_figure("udp.ns.tx_and_free", &tx_ns, "ns");
    return 0;
}
