/*
 * The kernel as the other end: a server in a network namespace of its own, and beside it a process that
 * uses the kernel's sockets against it and tells how long that took.
 *
 *     struct kern k;
 *     kern_start(&k, serve, ctx);          serve(ctx) makes the link to the new namespace and tunes it
 *                                          (kern_tune), says kern_ready(), and answers on 10.88.0.2 until it is ended
 *     double s = kern_ask(&k, KERN_SEND, bytes);
 *     kern_stop(&k);
 *
 * Ports: 7001 swallows, and says `k` at the end; 7002 is told a number of bytes (8 bytes) and sends them;
 * 7003 echoes; 7004 answers one byte with one and closes.
 *
 * All processes share one processor ("1/1") and go before all others (niceness -20): what else the machine
 * does is kept out as far as that goes, and ratios are made of runs next to each other.
 */
#ifndef ORIEL_BENCH_KERN_H
#define ORIEL_BENCH_KERN_H

#include "bench/bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define KERN_US   "10.88.0.2"           /* the server's address */
#define KERN_THEM "10.88.0.1"           /* the kernel's */
#define KERN_HELD     900               /* idle connections of one process */
#define KERN_NODELAY  1               /* TCP_NODELAY; its header and wire/tcp.h share other names */

enum kern_what {
    KERN_SEND = 7001,                   /* n bytes to the server; seconds */
    KERN_RECV = 7002,                   /* and from it */
    KERN_PING = 7003,                   /* n times one byte and back */
    KERN_CONN = 7004,                   /* n connections, one after the other */
    KERN_IDLE,                          /* n connections that stay open, and do nothing */
    KERN_SPIN,                          /* KERN_PING from another processor, never asleep; n times the median */
};

struct kern_order {
    enum kern_what what;
    uint64_t n;
};

struct kern {
    pid_t server, client;
    int order, answer;
};

/* ---- the client ---- */

static inline int kern_connect(int port, int from)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in b = {.sin_family = AF_INET};
    inet_pton(AF_INET, KERN_US, &a.sin_addr);
    b.sin_addr.s_addr = htonl(0x0a580001u + (uint32_t)from);
    if (from > 0) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
        if (bind(fd, (struct sockaddr *)&b, sizeof(b)) != 0)
            return -1;
    }
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, KERN_NODELAY, &one, sizeof(one));
    return fd;
}

static char kern_buf[256 << 10];

static inline bool kern_send(uint64_t n)
{
    int fd = kern_connect(KERN_SEND, 0);
    while (fd >= 0 && n > 0) {
        ssize_t w = send(fd, kern_buf, n < sizeof(kern_buf) ? (size_t)n : sizeof(kern_buf), MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        n -= (uint64_t)w;
    }
    bool good = fd >= 0 && shutdown(fd, SHUT_WR) == 0 && recv(fd, kern_buf, 1, 0) == 1;
    close(fd);
    return good;
}

static inline bool kern_recv(uint64_t n)
{
    int fd = kern_connect(KERN_RECV, 0);
    ssize_t r = fd >= 0 && send(fd, &n, sizeof(n), MSG_NOSIGNAL) == sizeof(n) ? 1 : -1;
    while (r > 0 && n > 0) {
        r = recv(fd, kern_buf, sizeof(kern_buf), 0);
        n -= r > 0 ? (uint64_t)r : 0;
    }
    close(fd);
    return n == 0;
}

static inline bool kern_ping(uint64_t n)
{
    int fd = kern_connect(KERN_PING, 0);
    bool good = fd >= 0;
    for (uint64_t i = 0; i < n && good; i++)
        good = send(fd, kern_buf, 1, MSG_NOSIGNAL) == 1 && recv(fd, kern_buf, 1, 0) == 1;
    close(fd);
    return good;
}

static inline int kern_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Where there is no second processor, no answer. */
static inline double kern_spin(uint64_t n)
{
    int fd = kern_connect(KERN_PING, 0);
    double *took = calloc(n, sizeof(*took)), median = -1;
    bool good = fd >= 0 && took && sysconf(_SC_NPROCESSORS_ONLN) > 1;
    bench_pin_to(0);
    for (uint64_t i = 0; i < n && good; i++) {
        double start = bench_seconds();
        good = send(fd, kern_buf, 1, MSG_NOSIGNAL) == 1;
        while (good && recv(fd, kern_buf, 1, MSG_DONTWAIT) != 1) {
        }
        took[i] = bench_seconds() - start;
    }
    bench_pin_to((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1);
    if (good) {
        qsort(took, n, sizeof(*took), kern_compare);
        median = took[n / 2] * (double)n;
    }
    free(took);
    close(fd);
    return median;
}

static inline bool kern_conn(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        int fd = kern_connect(KERN_CONN, 0);
        bool good = fd >= 0 && send(fd, kern_buf, 1, MSG_NOSIGNAL) == 1 && recv(fd, kern_buf, 1, 0) == 1 &&
                    recv(fd, kern_buf, 1, 0) == 0;
        close(fd);
        if (!good)
            return false;
    }
    return true;
}

/* By processes that hold as many each as any limit on descriptors allows, and end with this one. */
static inline bool kern_idle(uint64_t n)
{
    for (uint64_t had = 0; had < n; had += KERN_HELD) {
        int done[2];
        char good = 1;
        if (pipe(done) != 0)
            return false;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (uint64_t i = had; i < n && i < had + KERN_HELD; i++)
                good = good && kern_connect(KERN_PING, 2 + (int)(i % 4)) >= 0;
            if (write(done[1], &good, 1) == 1)
                pause();
            _exit(0);
        }
        if (read(done[0], &good, 1) != 1 || !good)
            return false;
        close(done[0]);
        close(done[1]);
    }
    return true;
}

static inline bool kern_do(const struct kern_order *o)
{
    switch (o->what) {
    case KERN_SEND: return kern_send(o->n);
    case KERN_RECV: return kern_recv(o->n);
    case KERN_PING: return kern_ping(o->n);
    case KERN_CONN: return kern_conn(o->n);
    case KERN_IDLE: return kern_idle(o->n);
    case KERN_SPIN: break;
    }
    return false;
}

static inline double kern_time(const struct kern_order *o)
{
    if (o->what == KERN_SPIN)
        return kern_spin(o->n);
    double start = bench_seconds();
    return kern_do(o) ? bench_seconds() - start : -1;
}

/* ---- processes ---- */

/* Before everything else: a group of processes of our own, which goes before others. */
static inline void kern_begin(void)
{
    (void)setsid();
    FILE *f = fopen("/proc/self/autogroup", "w");
    if (f) {
        fputs("-20", f);
        fclose(f);
    }
}

static inline void kern_settle(void)
{
    bench_pin();
    (void)setpriority(PRIO_PROCESS, 0, -20);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static inline int kern_run(const char *line)
{
    int status = system(line);
    if (status != 0)
        fprintf(stderr, "failed: %s\n", line);
    return status;
}

/* The kernel's end of the link, in the namespace at hand. False: said why. */
static inline bool kern_tune(const char *device)
{
    char line[1024];
    snprintf(line, sizeof(line),
             "ip link set lo up; sysctl -qw net.ipv4.tcp_rmem='4096 131072 33554432' "
             "net.ipv4.tcp_wmem='4096 16384 33554432' net.ipv6.conf.%s.disable_ipv6=1 "
             "net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1; "
             "for i in 3 4 5 6; do ip addr add 10.88.0.$i/24 dev %s; done; "
             "ip neigh replace " KERN_US " lladdr 02:00:00:00:00:02 dev %s nud permanent",
             device, device, device);
    return kern_run(line) == 0;
}

/* The server can be asked now. */
static int kern_ready_fd;
static inline void kern_ready(void)
{
    if (write(kern_ready_fd, "r", 1) != 1)
        _exit(1);
    close(kern_ready_fd);
}

static inline void kern_client(int order, int answer)
{
    struct kern_order o;
    kern_settle();
    while (read(order, &o, sizeof(o)) == sizeof(o)) {
        double took = kern_time(&o);
        if (took < 0)
            perror("bench: the kernel says");
        if (write(answer, &took, sizeof(took)) != sizeof(took))
            break;
    }
    _exit(0);
}

/* 0 when both stand. The caller is in the namespace afterwards, so another one can be made from there. */
static inline void kern_start(struct kern *k, void (*serve)(void *ctx), void *ctx)
{
    int ready[2], order[2], answer[2];
    char said = 0;
    if (unshare(CLONE_NEWNET) != 0)
        bench_skip("a network namespace needs root");
    if (pipe(ready) || pipe(order) || pipe(answer))
        bench_skip("no pipes");
    k->server = fork();
    if (k->server == 0) {
        kern_settle();
        kern_ready_fd = ready[1];
        serve(ctx);
        _exit(1);
    }
    close(ready[1]);
    if (read(ready[0], &said, 1) != 1 || said != 'r')
        bench_skip("the link could not be made");
    close(ready[0]);
    k->client = fork();
    if (k->client == 0)
        kern_client(order[0], answer[1]);
    close(order[0]);
    close(answer[1]);
    k->order = order[1];
    k->answer = answer[0];
}

/* Seconds that it took. */
static inline double kern_ask(struct kern *k, enum kern_what what, uint64_t n)
{
    struct kern_order o = {.what = what, .n = n};
    double took = -1;
    if (write(k->order, &o, sizeof(o)) != sizeof(o) || read(k->answer, &took, sizeof(took)) != sizeof(took) ||
        took < 0) {
        fprintf(stderr, "a workload failed (%d)\n", (int)what);
        exit(1);
    }
    return took;
}

static inline void kern_stop(struct kern *k)
{
    close(k->order);
    close(k->answer);
    kill(k->client, SIGTERM);
    kill(k->server, SIGTERM);
    waitpid(k->client, NULL, 0);
    waitpid(k->server, NULL, 0);
}

#endif
