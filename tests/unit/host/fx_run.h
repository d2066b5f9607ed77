/*
 * For tests of the handler of `oriel run`: a live world with one node, whose only interface is loopback, and
 * an asker in this very process. Descriptors that it installs are ours, so the test is the program.
 *
 *     struct fx *f = fx_open();
 *     int fd = fx_socket(f, SOCK_STREAM);
 *     struct asked *a = fx_ask(f, RUN_CONNECT, fd, &addr, sizeof addr, ...);
 *     FX_UNTIL(f, a->done);
 */
#ifndef ORIEL_TESTS_FX_RUN_H
#define ORIEL_TESTS_FX_RUN_H

#define _GNU_SOURCE
#include "test.h"

#include "host/run_sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define FX_ASKED_MAX 64

struct asked {
    struct run_request r;           /* first: a request is its asked */
    bool used, done, native;
    int64_t result;
};

struct fx {
    struct live *v;
    struct node *app;
    struct run *n;
    struct asked asked[FX_ASKED_MAX];
};

static inline struct asked *fx_end(struct run_request *r, int64_t result)
{
    struct asked *a = (struct asked *)r;
    EXPECT(!a->done);
    a->done = true;
    a->result = result;
    if (r->dup >= 0)
        close(r->dup);
    r->dup = -1;
    return a;
}

static inline bool fx_read(struct run_request *r, uint64_t from, void *to, size_t n)
{
    (void)r;
    if (n > 0)
        memcpy(to, (const void *)(uintptr_t)from, n);
    return true;
}

static inline bool fx_write(struct run_request *r, uint64_t to, const void *from, size_t n)
{
    (void)r;
    if (n > 0)
        memcpy((void *)(uintptr_t)to, from, n);
    return true;
}

static inline void fx_answer(struct run_request *r, int64_t result)
{
    (void)fx_end(r, result);
}

static inline void fx_native(struct run_request *r)
{
    fx_end(r, 0)->native = true;
}

static inline int fx_install(struct run_request *r, int fd, bool cloexec)
{
    (void)cloexec;
    int got = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    EXPECT(got >= 0);
    (void)fx_end(r, got);
    return got;
}

static inline int fx_replace(struct run_request *r, int fd)
{
    return dup3(fd, r->fd, O_CLOEXEC) < 0 ? -errno : 0;
}

static const struct run_asker fx_asker = {fx_read, fx_write, fx_answer, fx_native, fx_install, fx_replace};

/* A call of the program; the first four arguments are numbers or addresses. */
static inline struct asked *fx_ask(struct fx *f, enum run_call call, int fd, uint64_t b, uint64_t c,
                                   uint64_t d, uint64_t e)
{
    unsigned i = 0;
    while (i < FX_ASKED_MAX && f->asked[i].used && !f->asked[i].done)
        i++;
    EXPECT(i < FX_ASKED_MAX);
    struct asked *a = &f->asked[i];
    *a = (struct asked){.used = true};
    a->r = (struct run_request){.call = call, .tid = getpid(), .fd = fd, .dup = -1, .asker = &fx_asker,
                                .arg = {(uint64_t)fd, b, c, d, e}};
    if (call != RUN_SOCKET)
        a->r.dup = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    run_handle(f->n, &a->r);
    return a;
}

#define FX_AT(p) ((uint64_t)(uintptr_t)(p))

/* One that is answered at once. */
static inline int fx_call(struct fx *f, enum run_call call, int fd, uint64_t b, uint64_t c, uint64_t d,
                          uint64_t e)
{
    struct asked *a = fx_ask(f, call, fd, b, c, d, e);
    EXPECT(a->done && !a->native);
    return (int)a->result;
}

static inline int fx_socket(struct fx *f, int type)
{
    int fd = fx_call(f, RUN_SOCKET, AF_INET, (uint64_t)type, 0, 0, 0);
    EXPECT(fd >= 0);
    return fd;
}

static inline struct sockaddr_in fx_at(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int fx_bound(struct fx *f, int type, uint16_t port)
{
    struct sockaddr_in a = fx_at(port);
    int fd = fx_socket(f, type);
    EXPECT_EQ(fx_call(f, RUN_BIND, fd, FX_AT(&a), sizeof(a), 0, 0), 0);
    return fd;
}

static inline int fx_listener(struct fx *f, uint16_t port)
{
    int fd = fx_bound(f, SOCK_STREAM | SOCK_NONBLOCK, port);
    EXPECT_EQ(fx_call(f, RUN_LISTEN, fd, 16, 0, 0, 0), 0);
    return fd;
}

static inline struct asked *fx_connect(struct fx *f, int fd, uint16_t port)
{
    struct sockaddr_in a = fx_at(port);
    return fx_ask(f, RUN_CONNECT, fd, FX_AT(&a), sizeof(a), 0, 0);
}

static inline void fx_turn(struct fx *f)
{
    int err = live_turn(f->v, live_now(f->v) + NS_PER_MS);
    EXPECT(err == 0 || err == -EINTR);
    run_turn(f->n);
}

#define FX_UNTIL(f, what)                                                                          \
    do {                                                                                           \
        oriel_time give_up_ = host_now() + 10 * NS_PER_S;                                          \
        bool so_ = false;                                                                          \
        while (!(so_ = (what)) && host_now() < give_up_)                                           \
            fx_turn(f);                                                                            \
        if (!so_)                                                                                  \
            fail_msg("not so within ten seconds: %s", #what);                                      \
    } while (0)

static inline struct fx *fx_open(void)
{
    char error[DRV_ERROR_MAX];
    const struct oriel_netif_config lo = {.name = "lo", .kind = ORIEL_NETIF_LOOPBACK};
    struct oriel_config c;
    struct fx *f = calloc(1, sizeof(*f));
    f->v = live_open(&(struct live_config){.seed = 1, .quiet = true}, error);
    EXPECT(f->v != NULL);
    oriel_config_init(&c);
    f->app = world_add_node(live_world(f->v), NODE_HOST, span_str("app"), &c, 64u << 20);
    EXPECT(f->app != NULL);
    EXPECT(oriel_netif_add(f->app->stack, &lo) >= 0);
    f->n = run_open(&(struct run_config){.live = f->v, .app = f->app}, error);
    EXPECT(f->n != NULL);
    return f;
}

static inline void fx_close(struct fx *f)
{
    run_close(f->n);
    live_close(f->v);
    free(f);
}

#endif
