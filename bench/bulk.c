/*
 * What the way below TCP costs a segment of 1,460 bytes in bulk, over Ethernet and IPv4:
 *
 *     build/bench/bulk             instructions by callgrind (needs valgrind)
 *     build/bench/bulk write N     write N segments into a stream, 64 KB a call, and acknowledge them
 *     build/bench/bulk odd N       the same in writes that are no whole number of segments
 *     build/bench/bulk send N      as the first, and let them leave in super-segments of 44
 *     build/bench/bulk run N       and have each frame recognised as going on where the last one ended
 *
 * bulk.ir.write is stream_write (write_odd: of writes that begin and end within a segment);
 * bulk.ir.cut is oriel_netif_take, 64 frames a call: from a super-segment to finished frames;
 * bulk.ir.match is pkt_run_match; bulk.ir.charge is pkt_recharge to another stack; bulk.ir.free is
 * oriel_pkt_free of such a frame. What copies and sums payload is left out (the processor's AVX2
 * loops): it is told apart as bulk.ir.copy and bulk.ir.sum.
 *
 * How it is counted: see udp.c.
 */
#include "bench.h"

#include "oriel/oriel.h"
#include "pkt/run.h"
#include "pkt/stream.h"
#include "stack/stack.h"
#include "wire/tcp.h"

#define MEMORY   ((size_t)64 << 20)
#define MSS      1460
#define SEGMENTS 44
#define TAKE     64

struct setup {
    struct oriel_stack *s;
    void *memory;
    int nif;
    struct ip_path path;
    struct stream stream;
    struct budget other;
    uint8_t *data;
    struct wire_run run;
    bool learned;
    bool odd;
    seq_t next;
};

static void must(int err)
{
    if (err < 0) {
        fprintf(stderr, "setup failed: %s\n", oriel_strerror(err));
        exit(1);
    }
}

static void set_up(struct setup *b)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
    struct oriel_config cfg;
    struct oriel_netif_config nif = {.name = "eth0", .mac = {2, 0, 0, 0, 0, 1}};
    struct oriel_addr us, them;
    uint8_t len;
    oriel_config_init(&cfg);
    memset(b, 0, sizeof(*b));
    cfg.memory = b->memory = malloc(MEMORY);
    cfg.memory_bytes = MEMORY;
    cfg.cpu = __builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0;
    b->s = oriel_create(&cfg);
    must(b->nif = oriel_netif_add(b->s, &nif));
    must(oriel_prefix_parse("10.0.0.1/24", &us, &len));
    must(oriel_addr_add(b->s, b->nif, &us, len));
    must(oriel_addr_parse("10.0.0.2", &them));
    must(oriel_neigh_add(b->s, b->nif, &them, mac));
    must(ip_path_find(&b->s->ip, &them, NULL, 0, &b->path));
    stream_init(&b->stream, seq_of(1));
    b->other.max = UINT64_MAX / 2;
    b->data = calloc(SEGMENTS + 1, MSS);
}

/* Most writes of an application begin and end within a segment. */
static void write_odd(struct setup *b)
{
    size_t n = (b->odd ? SEGMENTS * MSS - 700 : SEGMENTS * MSS + 700);
    b->odd = !b->odd;
    if (stream_write(&b->s->env, &b->stream, span_of(b->data, n), MSS) != n)
        exit(1);
    stream_ack(&b->s->env, &b->stream, seq_add(b->stream.base, SEGMENTS * MSS));
}

static void write_some(struct setup *b)
{
    size_t n = SEGMENTS * MSS;
    if (stream_write(&b->s->env, &b->stream, span_of(b->data, n), MSS) != n)
        exit(1);
}

static void leave(struct setup *b)
{
    struct env *env = &b->s->env;
    const struct ip_tx tx = {.proto = IP_TCP, .df = true};
    struct tcp_hdr h = {.src_port = 1, .dst_port = 2, .flags = TCP_ACK, .wnd = 500,
                        .seq = b->stream.base};
    struct pkt *p = pkt_new(env, PKT_HEADROOM, 0);
    uint32_t len = SEGMENTS * MSS;
    if (!p || stream_attach(&b->stream, p, b->stream.base, len, MSS) != len)
        exit(1);
    struct wr w = wr_of(pkt_push_within(p, TCP_HDR_LEN), TCP_HDR_LEN);
    tcp_emit(&w, &h);
    p->l4 = 0;
    p->gso = GSO_TCP4;
    p->gso_size = MSS;
    must(ip_output(&b->s->ip, p, &b->path, &tx, WHY_FORWARD));
}

/*
 * Apart, so that it can be counted: the first n frames go on where the last one ended. The answers are
 * used as a receiver would use them.
 */
static ORIEL_NEVER_INLINE bool match(struct setup *b, struct pkt *const p[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct run_seg g;
        if (!pkt_run_match(&b->s->env, &b->run, p[i], false, &g) || !seq_eq(g.seq, b->next))
            return false;
        b->next = seq_add(g.seq, g.len);
    }
    return true;
}

static void receive(struct setup *b, struct pkt *const p[], unsigned n)
{
    if (!b->learned) {
        b->learned = run_learn(&b->run, pkt_span(p[0]), ETH_HDR_LEN + ETH_DATA_MAX);
        b->next = seq_of(1);
    }
    if (!match(b, p, n))
        exit(1);
}

static void take(struct setup *b, bool runs)
{
    struct pkt *p[TAKE];
    for (unsigned n; (n = oriel_netif_take(b->s, b->nif, p, TAKE)) > 0;) {
        if (runs)
            receive(b, p, n);
        for (unsigned i = 0; i < n; i++) {
            if (!pkt_recharge(p[i], &b->other))
                exit(1);
            oriel_pkt_free(p[i]);
        }
    }
}

static void run(const char *what, long n)
{
    struct setup b;
    set_up(&b);
    for (long i = 0; i < n; i += SEGMENTS) {
        if (strcmp(what, "odd") == 0) {
            write_odd(&b);
            continue;
        }
        write_some(&b);
        if (strcmp(what, "write") != 0) {
            leave(&b);
            take(&b, strcmp(what, "run") == 0);
        }
        stream_ack(&b.s->env, &b.stream, seq_add(b.stream.base, SEGMENTS * MSS));
    }
    stream_free(&b.s->env, &b.stream);
    oriel_destroy(b.s);
    free(b.memory);
    free(b.data);
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
    const long small = 50 * SEGMENTS, large = 250 * SEGMENTS;
    double a = instructions_of(self, what, functions, small);
    double b = instructions_of(self, what, functions, large);
    if (a < 0 || b < 0)
        bench_skip("valgrind is not installed");
    printf("figure %s %.0f instructions\n", name, (b - a) / (double)(large - small));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        run(argv[1], strtol(argv[2], NULL, 10));
        return 0;
    }
    const char *self = argv[0];
    report(self, "bulk.ir.write", "write",
           "--toggle-collect=stream_write --toggle-collect=avx2_copy");
    report(self, "bulk.ir.write_odd", "odd",
           "--toggle-collect=stream_write --toggle-collect=avx2_copy");
    report(self, "bulk.ir.copy", "write", "--toggle-collect=avx2_copy");
    report(self, "bulk.ir.ack", "write", "--toggle-collect=stream_ack");
    report(self, "bulk.ir.build", "send",
           "--toggle-collect=pkt_new --toggle-collect=stream_attach --toggle-collect=ip_output");
    report(self, "bulk.ir.cut", "send", "--toggle-collect=oriel_netif_take");
    report(self, "bulk.ir.charge", "send", "--toggle-collect=pkt_recharge");
    report(self, "bulk.ir.match", "run", "--toggle-collect=match --toggle-collect=avx2_sum");
    report(self, "bulk.ir.sum", "run", "--toggle-collect=avx2_sum");
    report(self, "bulk.ir.free", "send", "--toggle-collect=oriel_pkt_free");
    return 0;
}
