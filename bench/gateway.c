/*
 * Ten thousand connections through the gateway at once, to a server on the host's loopback.
 *
 *     build/bench/gateway [FLOWS] [--strict]
 *
 * A guest and the gateway are two stacks of one live world, joined by a direct wire of 1,500 bytes that
 * takes super-segments, with buffers of 16 KiB a connection. The server is another process that sends and reads without an end on all its
 * connections. All flows move all the time, first from the host to the guest, then the other way. Times
 * are the clock's: on a machine that has other work they tell of that too (gateway.NAME.busy).
 *
 *   gateway.open         from the first SYN until all flows are open
 *   gateway.memory       of this process, both stacks, by flows: its resident pages now less those before
 *   gateway.NAME.stall   the longest that any flow stood still, of those that moved a byte at all
 *   gateway.NAME.spread  how far the flow that is farthest from the mean is from it
 *   gateway.NAME.rate    of all flows together
 *   gateway.NAME.busy    of the time, how much of it this process had a processor
 */
#include "bench/bench.h"
#include "host/gateway.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLOWS        10000u
#define SETTLE       (3 * NS_PER_S)         /* before anything is counted */
#define MEASURED     (15 * NS_PER_S)
#define AT_ONCE      256u                   /* SYNs under way */
#define NODE_BYTES   ((size_t)384 << 20)
#define WORLD_BYTES  ((size_t)2 << 30)
#define CHUNK        ((size_t)16 << 10)
#define TURN         ((size_t)4 << 20)      /* bytes that the guest writes in one turn */
#define BUFFER       (16u << 10)            /* of a connection each way: many share the memory */

struct flow {
    oriel_handle h;
    bool open, queued;
    uint64_t bytes;                         /* since counting began */
    oriel_time moved, stall;
};

struct bench {
    struct live *v;
    struct node *guest, *gw;
    struct gateway *g;
    struct flow *flows;
    uint32_t n, open, failed;
    uint32_t *by_slot;
    uint32_t *queue;                        /* ring of flows that may write */
    uint32_t first, waiting;
    uint16_t port;
    bool outward, counting;
    oriel_time now;
};

/* ---- the server ---- */

static int listener(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        bench_skip("no listener on the loopback");
    *port = ntohs(a.sin_port);
    return fd;
}

/* Those that have been ready since they last were not, in a ring: each has a turn a round. */
static int *ring;
static uint32_t ring_first, ring_n, ring_max;
static bool *on_ring;

static void line_up(int c)
{
    if (on_ring[c])
        return;
    on_ring[c] = true;
    ring[(ring_first + ring_n++) % ring_max] = c;
}

static int next_in_line(void)
{
    int c = ring[ring_first];
    ring_first = (ring_first + 1) % ring_max;
    ring_n--;
    on_ring[c] = false;
    return c;
}

static void accept_all(int epoll, int fd)
{
    for (int c; (c = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        const int size = 65536, on = 1;     /* what a kernel may hold for one of so many */
        (void)setsockopt(c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        (void)setsockopt(c, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
        (void)setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = c};
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, c, &e);
    }
}

static volatile sig_atomic_t only_reads;

static void stop_sending(int sig)
{
    (void)sig;
    only_reads = 1;
}

static uint8_t piece[CHUNK];

/* A piece; who has no room for more, or nothing, comes back when that has changed. */
static void turn(int c)
{
    ssize_t n = only_reads ? recv(c, piece, sizeof(piece), 0) : send(c, piece, sizeof(piece), MSG_NOSIGNAL);
    if (n > 0)
        line_up(c);
    else if (n == 0)
        close(c);
}

/* Until its parent ends. */
_Noreturn static void serve(int fd)
{
    struct epoll_event e = {.events = EPOLLIN, .data.fd = fd}, ready[512];
    int epoll = epoll_create1(0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGUSR1, stop_sending);
    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e);
    for (;;) {
        int n = epoll_wait(epoll, ready, 512, ring_n > 0 ? 0 : -1);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == fd)
                accept_all(epoll, fd);
            else
                line_up(ready[i].data.fd);
        }
        for (unsigned i = 0; i < 512 && ring_n > 0; i++)
            turn(next_in_line());
    }
}

static pid_t start_server(uint32_t flows, uint16_t *port)
{
    int fd = listener(port);
    ring_max = flows + 1024;            /* descriptors that there can be */
    ring = calloc(ring_max, sizeof(*ring));
    on_ring = calloc(ring_max, sizeof(*on_ring));
    pid_t pid = fork();
    if (pid < 0)
        bench_skip("no process for the server");
    if (pid == 0)
        serve(fd);
    close(fd);
    return pid;
}

/* ---- the guest ---- */

static void moved(struct bench *b, struct flow *w, size_t n)
{
    if (b->counting && b->now - w->moved > w->stall)
        w->stall = b->now - w->moved;
    w->moved = b->now;
    w->bytes += n;
}

static void read_all(struct bench *b, struct flow *w)
{
    struct oriel_bytes view[16];
    size_t all = 0;
    for (int n; (n = oriel_recv_view(b->guest->stack, w->h, view, 16)) > 0;) {
        size_t len = 0;
        for (int i = 0; i < n; i++)
            len += view[i].n;
        if (oriel_recv_release(b->guest->stack, w->h, len) != 0)
            return;
        all += len;
    }
    if (all > 0 && !b->outward)
        moved(b, w, all);
}

static void enqueue(struct bench *b, uint32_t i)
{
    if (b->flows[i].queued)
        return;
    b->flows[i].queued = true;
    b->queue[(b->first + b->waiting++) % b->n] = i;
}

/*
 * A piece, as a program with a buffer of its own would write it; then the flow waits for its next turn, or
 * where there is no more room for the stack to say that there is.
 */
static size_t write_one(struct bench *b, uint32_t i)
{
    struct oriel_stack *s = b->guest->stack;
    struct flow *w = &b->flows[i];
    struct oriel_room r = {0};
    size_t all = 0;
    while (all < CHUNK && (r = oriel_send_window(s, w->h)).n > 0) {
        size_t n = r.n < CHUNK - all ? r.n : CHUNK - all;
        if (oriel_send_commit(s, w->h, n) != 0)
            return all;
        all += n;
    }
    if (all > 0)
        moved(b, w, all);
    if (r.n > 0)
        enqueue(b, i);
    return all;
}

static void on_ready(struct bench *b, const struct oriel_readiness *r)
{
    uint32_t i = b->by_slot[(uint32_t)r->handle];
    struct flow *w = &b->flows[i];
    b->failed += (r->events & ORIEL_FAILED) != 0;
    b->open += !w->open && (r->events & ORIEL_WRITABLE);
    w->open = w->open || (r->events & ORIEL_WRITABLE);
    read_all(b, w);
    if (b->outward && (r->events & ORIEL_WRITABLE))
        enqueue(b, i);
}

/* The guest's program, once a turn of the world. */
static void guest_turn(struct bench *b)
{
    struct oriel_readiness r[64];
    unsigned n;
    b->now = live_now(b->v);
    oriel_step(b->guest->stack, b->now, NULL);
    while ((n = oriel_ready_take(b->guest->stack, r, 64)) > 0)
        for (unsigned i = 0; i < n; i++)
            on_ready(b, &r[i]);
    for (size_t sent = 0, tries = b->waiting; tries > 0 && sent < TURN; tries--) {
        uint32_t i = b->queue[b->first];
        b->first = (b->first + 1) % b->n;
        b->waiting--;
        b->flows[i].queued = false;
        sent += write_one(b, i);
    }
    live_poke(b->v, b->guest);
}

/* ---- the world ---- */

static struct node *node(struct bench *b, const char *name, const char *addr)
{
    bool gateway = strcmp(name, "gw") == 0;
    struct oriel_config c;
    struct oriel_netif_config n = {.name = "eth0", .mtu = 1500, .vouches = true, .gso = true,
                                   .tx_queue = 4096, .any_addr = gateway};
    struct oriel_addr a;
    uint8_t len;
    int err = 0;
    oriel_config_init(&c);
    c.connections = b->n + 64;
    c.tcp.half_open = b->n;
    c.tcp.rcvbuf = c.tcp.sndbuf = c.tcp.rcvbuf_max = c.tcp.sndbuf_max = BUFFER;
    struct node *k = world_add_node(live_world(b->v), NODE_HOST, span_str(name), &c, NODE_BYTES);
    if (!k || !world_add_port(live_world(b->v), k, &n, &err) ||
        oriel_prefix_parse(addr, &a, &len) != 0 ||
        oriel_addr_add(k->stack, k->ports[0].netif, &a, len) != 0)
        bench_skip("no room for a stack");
    return k;
}

static void open_world(struct bench *b)
{
    char error[DRV_ERROR_MAX];
    struct gateway_config c = {.flows = b->n};
    b->v = live_open(&(struct live_config){.seed = 1, .quiet = true, .memory = WORLD_BYTES}, error);
    if (!b->v)
        bench_skip(error);
    b->guest = node(b, "guest", "10.0.2.15/24");
    b->gw = node(b, "gw", "10.0.2.2/24");
    if (!world_join(live_world(b->v), &b->guest->ports[0], &b->gw->ports[0],
                    &(struct wire_params){.direct = true}) ||
        oriel_addr_parse("10.0.2.2", &c.self4) != 0)
        bench_skip("no wire");
    b->g = gateway_open(b->v, b->gw, b->gw->ports[0].netif, &c, error);
    if (!b->g)
        bench_skip(error);
}

static void turns(struct bench *b, oriel_time until)
{
    while (live_now(b->v) < until) {
        if (live_turn(b->v, b->waiting > 0 ? live_now(b->v) : until) != 0)
            bench_skip("the world does not turn");
        guest_turn(b);
    }
}

static void begin(struct bench *b, uint32_t i)
{
    struct oriel_endpoint to = {.port = b->port};
    struct flow *w = &b->flows[i];
    if (oriel_addr_parse("10.0.2.2", &to.addr) != 0 ||
        oriel_tcp_open(b->guest->stack, ORIEL_IP4, &w->h) != 0 ||
        oriel_connect(b->guest->stack, w->h, &to) != 0)
        bench_skip("the guest cannot connect");
    b->by_slot[(uint32_t)w->h] = i;
}

static void open_flows(struct bench *b)
{
    oriel_time end = live_now(b->v) + 60 * NS_PER_S;
    for (uint32_t begun = 0; b->open < b->n && live_now(b->v) < end;) {
        uint32_t most = b->open == 0 ? 1 : b->open + AT_ONCE;   /* first the neighbour is found */
        while (begun < b->n && begun < most)
            begin(b, begun++);
        live_poke(b->v, b->guest);
        turns(b, live_now(b->v) + NS_PER_MS / 4);
    }
}

/* ---- figures ---- */

static double resident(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%*u %lu", &pages) != 1)
        bench_skip("no /proc/self/statm");
    (void)fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void figure(const char *way, const char *what, double v, const char *unit, double most)
{
    char name[64];
    struct bench_runs r = bench_once(v);
    (void)snprintf(name, sizeof(name), "gateway.%s%s%s", way, *way ? "." : "", what);
    if (most > 0)
        bench_reach(name, &r, unit, BENCH_AT_MOST, most);
    else
        bench_figure(name, &r, unit);
}

/* All flows for a while, one way. */
static void measure(struct bench *b, const char *way)
{
    turns(b, live_now(b->v) + SETTLE);
    oriel_time from = live_now(b->v), stall = 0;
    double all = 0, worst = 0, busy = bench_busy();
    b->counting = true;
    for (uint32_t i = 0; i < b->n; i++)
        b->flows[i] = (struct flow){.h = b->flows[i].h, .open = b->flows[i].open,
                                    .queued = b->flows[i].queued, .moved = from};
    turns(b, from + MEASURED);
    b->counting = false;
    busy = bench_busy() - busy;
    for (uint32_t i = 0; i < b->n; i++) {
        struct flow *w = &b->flows[i];
        oriel_time last = live_now(b->v) - w->moved;
        w->stall = w->stall > last ? w->stall : last;
        stall = w->stall > stall ? w->stall : stall;
        all += (double)w->bytes;
    }
    double mean = all / b->n;
    for (uint32_t i = 0; i < b->n; i++) {
        double off = (double)b->flows[i].bytes > mean ? (double)b->flows[i].bytes - mean
                                                      : mean - (double)b->flows[i].bytes;
        worst = off > worst ? off : worst;
    }
    figure(way, "stall", (double)stall / 1e6, "ms", 1000);
    figure(way, "spread", mean > 0 ? worst / mean * 100 : 100, "percent", 10);
    figure(way, "rate", all * 8 / ((double)MEASURED / 1e9) / 1e9, "Gbit/s", 0);
    figure(way, "busy", busy / ((double)MEASURED / 1e9) * 100, "percent", 0);
}

int main(int argc, char **argv)
{
    struct bench b = {.n = argc > 1 && argv[1][0] != '-' ? (uint32_t)strtoul(argv[1], NULL, 10) : FLOWS};
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) != 0 || most.rlim_max < b.n + 64)
        bench_skip("the limit of descriptors is too low");
    most.rlim_cur = most.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &most);
    pid_t server = start_server(b.n, &b.port);
    b.flows = calloc(b.n, sizeof(*b.flows));
    b.by_slot = calloc(2 * (size_t)b.n + 4096, sizeof(*b.by_slot));
    b.queue = calloc(b.n, sizeof(*b.queue));
    open_world(&b);
    turns(&b, NS_PER_MS);
    double before = resident();
    oriel_time from = live_now(b.v);
    open_flows(&b);
    figure("", "open", (double)(live_now(b.v) - from) / 1e9, "s", 0);
    if (b.open < b.n)
        fprintf(stderr, "%u of %u flows opened, %u failed\n", b.open, b.n, b.failed);
    measure(&b, "in");
    b.outward = true;
    (void)kill(server, SIGUSR1);
    for (uint32_t i = 0; i < b.n; i++)
        enqueue(&b, i);
    measure(&b, "out");
    figure("", "memory", (resident() - before) / b.n / 1024, "KiB", 64);
    if (b.failed > 0)
        fprintf(stderr, "%u flows failed\n", b.failed);
    gateway_close(b.g);
    live_close(b.v);
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    free(b.flows);
    free(b.by_slot);
    free(b.queue);
    return argc > 1 && strcmp(argv[argc - 1], "--strict") == 0 && *bench_short() > 0;
}
