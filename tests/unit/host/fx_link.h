/*
 * A link to the kernel, in a network namespace of the test's own: one Oriel host in a live world, its
 * driver, and a process that plays the kernel's side with the kernel's sockets.
 *
 *     link_namespace();                                    or the test is skipped, saying why
 *     struct fxl *f = link_open("tap:t0,addr=10.0.0.2/24,host=10.0.0.1/24");
 *     link_ping(f, "10.0.0.2", "10.0.0.1", 1000);          both ways, a payload of 1,000 bytes
 *     link_talk(f, "10.0.0.2", "10.0.0.1", 4 << 20);       TCP both ways, opened from either side
 *     link_close(f);
 *
 * Each byte of a transfer is compared with what was sent. A namespace goes with its last process: the
 * child ends by itself (alarm), so nothing is left whatever fails.
 */
#ifndef ORIEL_TESTS_FX_LINK_H
#define ORIEL_TESTS_FX_LINK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "test.h"

#include "base/addr.h"
#include "base/clock.h"
#include "host/kernif.h"
#include "host/live.h"
#include "wire/icmp4.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINK_PATIENCE 20                /* seconds that anything may take */

struct fxl {
    struct live *v;
    struct node *n;
    struct drv *d;
    int netif;
    char error[DRV_ERROR_MAX];
    void (*enter)(void);                /* what the kernel's side does first; NULL: nothing */
    /* one stream, both ways */
    oriel_handle listener, h;
    uint64_t want, sent, got;
    bool bad, closed, eof;
    /* datagrams come back as they came, or in several of so many bytes */
    oriel_handle udp;
    size_t each;
};

/* A namespace of our own, with loopback up. */
static inline void link_namespace(void)
{
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("# a network namespace needs root here: %s\n", strerror(errno));
        skip();
    }
    EXPECT_EQ(kernif_set_up("lo"), 0);
}

/* `ip ...`, or whatever the words say. */
__attribute__((format(printf, 1, 2))) static inline void link_run(const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

/* ---- bytes ---- */

static inline void link_fill(uint8_t *to, uint64_t from, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t at = from + i, word = (at / 8 + seed) * 0x9e3779b97f4a7c15u;
        to[i] = (uint8_t)((word ^ word >> 29) >> (at % 8 * 8));
    }
}

static inline bool link_same(const uint8_t *b, uint64_t from, size_t n, uint64_t seed)
{
    static uint8_t want[65536];
    for (size_t part; n > 0; b += part, from += part, n -= part) {
        part = n < sizeof(want) ? n : sizeof(want);
        link_fill(want, from, part, seed);
        if (memcmp(want, b, part) != 0)
            return false;
    }
    return true;
}

/* For who wants to see what arrives, at either end, and to say of it whether it is right for those who asked
 * with that seed. The kernel's side has its own copy of whatever that changes. */
static void (*link_heard)(const uint8_t *data, size_t n);
static bool (*link_right)(uint64_t seed);

#define LINK_OURS   1                   /* seeds of what Oriel and the kernel send */
#define LINK_THEIRS 2

/* ---- Oriel's side ---- */

static inline void link_write(struct fxl *f)
{
    uint8_t data[16384];
    while (f->sent < f->want && (oriel_ready(f->n->stack, f->h) & ORIEL_WRITABLE)) {
        size_t n = f->want - f->sent < sizeof(data) ? (size_t)(f->want - f->sent) : sizeof(data);
        link_fill(data, f->sent, n, LINK_OURS);
        int took = oriel_send(f->n->stack, f->h, data, n, NULL);
        if (took <= 0)
            return;
        f->sent += (uint64_t)took;
    }
    if (f->sent == f->want && !f->closed) {
        f->closed = true;
        EXPECT_EQ(oriel_shutdown(f->n->stack, f->h, ORIEL_SHUT_WRITE), 0);
    }
}

static inline void link_read(struct fxl *f)
{
    uint8_t data[16384];
    int n;
    while ((n = oriel_recv(f->n->stack, f->h, data, sizeof(data), NULL)) > 0) {
        f->bad = f->bad || !link_same(data, f->got, (size_t)n, LINK_THEIRS);
        if (link_heard)
            link_heard(data, (size_t)n);
        f->got += (uint64_t)n;
    }
    f->eof = f->eof || n == 0;
}

static inline void link_step(void *ctx)
{
    struct fxl *f = ctx;
    uint8_t data[9000];
    struct oriel_msg m;
    int n;
    if (f->listener && !f->h && oriel_accept(f->n->stack, f->listener, &f->h, NULL) != 0)
        f->h = 0;
    if (f->h && (oriel_ready(f->n->stack, f->h) & (ORIEL_WRITABLE | ORIEL_READABLE | ORIEL_FAILED))) {
        link_write(f);
        link_read(f);
    }
    while (f->udp && (n = oriel_recv(f->n->stack, f->udp, data, sizeof(data), &m)) >= 0) {
        struct oriel_msg back = {.peer = m.peer};
        for (size_t at = 0, len = (size_t)n, part; at < len; at += part) {
            part = f->each && f->each < len - at ? f->each : len - at;
            EXPECT_EQ(oriel_send(f->n->stack, f->udp, data + at, part, &back), part);
        }
    }
}

/* The driver of a spec, or the sentence that says why not. */
static inline struct drv *link_driver(struct drv_spec *s, const char *text, char error[DRV_ERROR_MAX])
{
    error[0] = 0;
    return drv_spec_parse(s, text, error) ? drv_open(s, error) : NULL;
}

/* That description is refused, in a sentence that has both words. */
static inline void link_refused(const char *spec, const char *a, const char *b)
{
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    struct drv *d = link_driver(&s, spec, error);
    EXPECT(d == NULL);
    if (!strstr(error, a) || !strstr(error, b))
        fail_msg("%s: '%s' does not say '%s' and '%s'", spec, error, a, b);
}

static inline struct fxl *link_open_with(struct drv_spec *s, struct drv *d)
{
    struct fxl *f = calloc(1, sizeof(*f));
    struct oriel_config c;
    struct oriel_netif_config nif = {.name = "eth0", .no_dad = true, .ip6 = true};
    struct wire_params wire = {.direct = true};
    f->d = d;
    f->v = live_open(&(struct live_config){.seed = 1, .quiet = true}, f->error);
    EXPECT(f->v != NULL);
    oriel_config_init(&c);
    f->n = world_add_node(live_world(f->v), NODE_HOST, span_str("me"), &c, 64u << 20);
    EXPECT(f->n != NULL);
    f->netif = live_door(f->v, d, f->n, &nif, &wire, f->error);
    if (f->netif <= 0 || !live_addrs(f->v, f->n, f->netif, s, f->error))
        fail_msg("%s", f->error);
    live_app(f->v, f->n, link_step, f);
    return f;
}

static inline struct fxl *link_open(const char *text)
{
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    struct drv *d = link_driver(&s, text, error);
    if (!d)
        fail_msg("%s: %s", text, error);
    return link_open_with(&s, d);
}

static inline void link_close(struct fxl *f)
{
    const char *wrong = world_check(live_world(f->v));
    if (wrong)
        fail_msg("%s", wrong);
    live_close(f->v);
    free(f);
}

static inline void link_turn(struct fxl *f, oriel_time for_ns)
{
    int err = live_turn(f->v, live_now(f->v) + for_ns);
    EXPECT(err == 0 || err == -EINTR);
}

/* ---- the kernel's side, in a process of its own ---- */

static inline struct oriel_endpoint link_at(const char *addr, uint16_t port)
{
    struct oriel_endpoint e = {.port = port};
    EXPECT_EQ(oriel_addr_parse(addr, &e.addr), 0);
    return e;
}

static inline socklen_t link_sockaddr(struct sockaddr_storage *s, const char *addr, uint16_t port)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memset(s, 0, sizeof(*s));
    if (inet_pton(AF_INET, addr, &a4.sin_addr) == 1) {
        memcpy(s, &a4, sizeof(a4));
        return sizeof(a4);
    }
    EXPECT_EQ(inet_pton(AF_INET6, addr, &a6.sin6_addr), 1);
    memcpy(s, &a6, sizeof(a6));
    return sizeof(a6);
}

/* Begin it; -1 in the parent's place is a failure, the child never returns. */
static inline pid_t link_child(int (*run)(void *arg), void *arg)
{
    fflush(NULL);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        alarm(LINK_PATIENCE);
        _exit(run(arg));
    }
    return pid;
}

/* The world turns until it ends; what it returned. */
static inline int link_wait(struct fxl *f, pid_t pid)
{
    int status = 0;
    oriel_time give_up = host_now() + (LINK_PATIENCE + 2) * NS_PER_S;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        EXPECT(host_now() < give_up);
        link_turn(f, 2 * NS_PER_MS);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

struct link_peer {
    void (*enter)(void);
    int fd;
    bool listens;                       /* and says so on fd */
    const char *to;                     /* Oriel's address */
    const char *at;                     /* its own */
    uint16_t port;
    uint64_t bytes;
    size_t size;                        /* of a ping or a datagram, */
    int each;                           /* of datagrams of so many bytes, in one call; 0: it is one */
    size_t back;                        /* and each that comes back */
    bool as_one;                        /* those that come as one are read as one */
};

/* 0, or the number of what was wrong. */
static inline int link_exchange(int fd, uint64_t bytes)
{
    static uint8_t out[65536], in[65536];
    uint64_t sent = 0, got = 0;
    for (bool eof = false; !eof || sent < bytes;) {
        struct pollfd p = {.fd = fd, .events = (short)((eof ? 0 : POLLIN) | (sent < bytes ? POLLOUT : 0))};
        if (poll(&p, 1, -1) < 0)
            return 1;
        if (p.revents & POLLOUT) {
            size_t n = bytes - sent < sizeof(out) ? (size_t)(bytes - sent) : sizeof(out);
            link_fill(out, sent, n, LINK_THEIRS);
            ssize_t took = send(fd, out, n, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (took < 0 && errno != EAGAIN)
                return 2;
            sent += took > 0 ? (uint64_t)took : 0;
            if (sent == bytes)
                (void)shutdown(fd, SHUT_WR);
        }
        if (p.revents & (POLLIN | POLLHUP | POLLERR)) {
            ssize_t n = recv(fd, in, sizeof(in), MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN)
                return 3;
            if (n > 0 && !link_same(in, got, (size_t)n, LINK_OURS))
                return 4;
            if (n > 0 && link_heard)
                link_heard(in, (size_t)n);
            got += n > 0 ? (uint64_t)n : 0;
            eof = eof || n == 0;
        }
    }
    return got == bytes ? 0 : 5;
}

static inline void link_enter(const struct link_peer *k)
{
    if (k->enter)
        k->enter();
}

/* Says that it listens, and takes one connection. */
static inline int link_accept(const struct link_peer *k)
{
    struct sockaddr_storage s;
    socklen_t n = link_sockaddr(&s, k->at, k->port);
    int fd = socket(s.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (struct sockaddr *)&s, n) != 0 || listen(fd, 1) != 0 || write(k->fd, "l", 1) != 1)
        return -1;
    return accept(fd, NULL, NULL);
}

static inline int link_talk_child(void *arg)
{
    const struct link_peer *k = arg;
    struct sockaddr_storage s;
    int fd;
    link_enter(k);
    if (k->listens) {
        fd = link_accept(k);
    } else {
        socklen_t n = link_sockaddr(&s, k->to, k->port);
        fd = socket(s.ss_family, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&s, n) != 0)
            return 6;
    }
    int wrong = fd < 0 ? 7 : link_exchange(fd, k->bytes);
    return wrong == 0 && link_right && !link_right(LINK_OURS) ? 8 : wrong;
}

/* One connection that carries so many bytes each way; who opens it? 0, or the number of what was wrong. */
static inline int link_try(struct fxl *f, const char *ours, const char *theirs, uint64_t bytes,
                           bool oriel_opens)
{
    static uint16_t port = 4218;        /* another each time: the kernel remembers the connection before */
    int says[2];
    char ready;
    EXPECT_EQ(pipe(says), 0);
    struct link_peer k = {.enter = f->enter, .fd = says[1], .listens = oriel_opens, .to = ours, .at = theirs,
                          .port = port++, .bytes = bytes};
    struct oriel_endpoint at = link_at(ours, k.port), peer = link_at(theirs, k.port);
    f->want = bytes;
    f->sent = f->got = 0;
    f->closed = f->eof = f->bad = false;
    f->h = f->listener = 0;
    EXPECT_EQ(oriel_tcp_open(f->n->stack, ORIEL_DUAL, oriel_opens ? &f->h : &f->listener), 0);
    if (!oriel_opens) {
        EXPECT_EQ(oriel_bind(f->n->stack, f->listener, &at), 0);
        EXPECT_EQ(oriel_listen(f->n->stack, f->listener, NULL), 0);
    }
    pid_t pid = link_child(link_talk_child, &k);
    close(says[1]);
    if (oriel_opens && read(says[0], &ready, 1) == 1)
        EXPECT_EQ(oriel_connect(f->n->stack, f->h, &peer), 0);
    close(says[0]);
    live_poke(f->v, f->n);
    int wrong = link_wait(f, pid);
    for (oriel_time give_up = host_now() + 5 * NS_PER_S; wrong == 0 && !f->eof && host_now() < give_up;)
        link_turn(f, NS_PER_MS);
    if (f->h)
        EXPECT_EQ(oriel_close(f->n->stack, f->h), 0);
    if (f->listener)
        EXPECT_EQ(oriel_close(f->n->stack, f->listener), 0);
    f->h = f->listener = 0;
    if (wrong == 0 && (f->got != bytes || !f->eof || f->bad))
        return 50;
    return wrong == 0 && link_right && !link_right(LINK_THEIRS) ? 51 : wrong;
}

static inline void link_talk_one(struct fxl *f, const char *ours, const char *theirs, uint64_t bytes,
                                 bool oriel_opens)
{
    EXPECT_EQ(link_try(f, ours, theirs, bytes, oriel_opens), 0);
}

static inline void link_talk(struct fxl *f, const char *ours, const char *theirs, uint64_t bytes)
{
    link_talk_one(f, ours, theirs, bytes, false);
    link_talk_one(f, ours, theirs, bytes, true);
}

/* ---- pings and datagrams ---- */

static inline int link_ping_child(void *arg)
{
    const struct link_peer *k = arg;
    uint8_t out[9000] = {0}, in[9100];
    struct sockaddr_storage s;
    link_enter(k);
    socklen_t n = link_sockaddr(&s, k->to, 0);
    bool v4 = s.ss_family == AF_INET;
    int fd = socket(s.ss_family, SOCK_RAW, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    out[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    out[4] = 0x42;
    link_fill(out + 8, 0, k->size, LINK_THEIRS);
    uint16_t csum = csum_finish(csum_small(out, k->size + 8));
    out[2] = (uint8_t)(csum >> 8);              /* the kernel does it for IPv6 */
    out[3] = (uint8_t)csum;
    if (fd < 0 || sendto(fd, out, k->size + 8, 0, (struct sockaddr *)&s, n) < 0)
        return 1;
    for (;;) {
        ssize_t len = recv(fd, in, sizeof(in), 0);
        const uint8_t *icmp = in + (v4 ? (in[0] & 15) * 4 : 0);
        if (len < 0)
            return 2;
        if (icmp[0] != (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY) || icmp[4] != 0x42)
            continue;
        return in + len == icmp + 8 + k->size && link_same(icmp + 8, 0, k->size, LINK_THEIRS) ? 0 : 3;
    }
}

/* Ours is answered by the kernel. */
static inline void link_ping_ours(struct fxl *f, const char *theirs, size_t size)
{
    uint8_t out[9000] = {0}, in[9000];
    struct oriel_msg m = {.peer = link_at(theirs, 0)};
    bool v4 = addr_is_v4(&m.peer.addr);
    oriel_handle h;
    out[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    out[5] = 7;
    link_fill(out + 8, 0, size, LINK_OURS);
    EXPECT_EQ(oriel_icmp_open(f->n->stack, v4 ? ORIEL_IP4 : ORIEL_IP6, &h), 0);
    EXPECT_EQ(oriel_send(f->n->stack, h, out, size + 8, &m), size + 8);
    live_poke(f->v, f->n);
    int n = 0;
    for (oriel_time give_up = host_now() + 5 * NS_PER_S; host_now() < give_up; link_turn(f, NS_PER_MS)) {
        n = oriel_recv(f->n->stack, h, in, sizeof(in), NULL);
        if (n > 8 && in[0] == (v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
            break;
    }
    EXPECT_EQ(n, size + 8);
    EXPECT(link_same(in + 8, 0, size, LINK_OURS));
    EXPECT_EQ(oriel_close(f->n->stack, h), 0);
}

static inline void link_ping(struct fxl *f, const char *ours, const char *theirs, size_t size)
{
    struct link_peer k = {.enter = f->enter, .to = ours, .size = size};
    EXPECT_EQ(link_wait(f, link_child(link_ping_child, &k)), 0);
    link_ping_ours(f, theirs, size);
}

#define LINK_UDP_SEGMENT 103            /* what headers before Linux 5.0 do not name */
#define LINK_UDP_GRO     104

static inline int link_udp_socket(const struct link_peer *k)
{
    const int on = 1;
    struct sockaddr_storage s;
    socklen_t n = link_sockaddr(&s, k->to, k->port);
    int fd = socket(s.ss_family, SOCK_DGRAM, 0);
    bool good = fd >= 0 && connect(fd, (struct sockaddr *)&s, n) == 0 &&
                (!k->each || setsockopt(fd, IPPROTO_UDP, LINK_UDP_SEGMENT, &k->each, sizeof(k->each)) == 0) &&
                (!k->as_one || setsockopt(fd, IPPROTO_UDP, LINK_UDP_GRO, &on, sizeof(on)) == 0);
    return good ? fd : -1;
}

static inline int link_udp_child(void *arg)
{
    const struct link_peer *k = arg;
    uint8_t out[9000], in[9000];
    link_enter(k);
    int fd = link_udp_socket(k);
    link_fill(out, 0, k->size, LINK_THEIRS);
    if (fd < 0 || send(fd, out, k->size, 0) < 0)
        return 1;
    for (size_t at = 0, want; at < k->size; at += want) {
        want = k->back && k->back < k->size - at ? k->back : k->size - at;
        if (recv(fd, in, sizeof(in), 0) != (ssize_t)want || memcmp(in, out + at, want) != 0)
            return 2;
    }
    return 0;
}

/* The kernel's side sends, and Oriel sends it back. */
static inline void link_echo(struct fxl *f, struct link_peer k)
{
    struct oriel_endpoint at = link_at(k.to, k.port = 77);
    k.enter = f->enter;
    EXPECT_EQ(oriel_udp_open(f->n->stack, ORIEL_DUAL, &f->udp), 0);
    EXPECT_EQ(oriel_bind(f->n->stack, f->udp, &at), 0);
    EXPECT_EQ(link_wait(f, link_child(link_udp_child, &k)), 0);
    EXPECT_EQ(oriel_close(f->n->stack, f->udp), 0);
    f->udp = 0;
}

static inline void link_datagram(struct fxl *f, const char *ours, size_t size)
{
    link_echo(f, (struct link_peer){.to = ours, .size = size});
}

/* Datagrams in one call, each of which comes back; and several at once of Oriel's, which `whole` says may be read as one. */
static inline void link_datagrams(struct fxl *f, const char *ours, bool whole)
{
    uint64_t before = f->d->tx_pkts;
    link_echo(f, (struct link_peer){.to = ours, .size = 8500, .each = 1000, .back = 1000});
    f->each = 1000;
    link_echo(f, (struct link_peer){.to = ours, .size = 8500, .back = 1000});
    if (whole)
        link_echo(f, (struct link_peer){.to = ours, .size = 8500, .as_one = true});
    f->each = 0;
    EXPECT(f->d->tx_pkts - before >= (whole ? 27 : 18));     /* each is counted */
    EXPECT_EQ(f->d->rx_dropped, 0);
    EXPECT_EQ(f->d->tx_dropped, 0);
}

#endif
