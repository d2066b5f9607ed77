/*
 * Recording: the layer between callers and a stack, and the file that it writes.
 *
 * A number is written in groups of seven bits, the low ones first. A call is its number and its arguments,
 * then, when it has returned, REPLAY_DONE and what it answered.
 */
#define _GNU_SOURCE
#include "host/replay.h"

#include "pkt/pkt.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK ((size_t)16 << 20)    /* the file grows by that */

/* One that was closed stays where it is, for the next: other threads may be looking. */
struct recorder {
    struct recorder *next;
    _Atomic(const void *) stack;    /* NULL: the next that this thread makes; itself: no stack's */
    bool free;
    pthread_t maker;
    int fd;
    uint8_t *map;
    size_t at, size;
    bool bad;                       /* the file cannot grow: nothing more is written */
    void *window;                   /* that oriel_send_window gave last */
};

static _Atomic(struct recorder *) recorders;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

/* ---- the file ---- */

static bool grow(struct recorder *r, size_t n)
{
    size_t size = r->size + (n > CHUNK ? n + CHUNK : CHUNK);
    void *map = MAP_FAILED;
    errno = posix_fallocate(r->fd, (off_t)r->size, (off_t)(size - r->size));
    if (errno == 0)
        map = r->map ? mremap(r->map, r->size, size, MREMAP_MAYMOVE)
                     : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    r->bad = map == MAP_FAILED;
    if (r->bad)
        return false;
    r->map = map;
    r->size = size;
    return true;
}

static void put_bytes(struct recorder *r, const void *bytes, size_t n)
{
    if (n == 0 || r->bad || (r->at + n > r->size && !grow(r, n)))
        return;
    memcpy(r->map + r->at, bytes, n);
    r->at += n;
}

static void put(struct recorder *r, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;
    for (; v > 127; v >>= 7)
        b[n++] = (uint8_t)(v | 128);
    b[n++] = (uint8_t)v;
    put_bytes(r, b, n);
}

static void put_blob(struct recorder *r, const void *bytes, size_t n)
{
    put(r, n);
    put_bytes(r, bytes, n);
}

static void put_text(struct recorder *r, const char *text)
{
    put(r, text ? strlen(text) : REPLAY_NOTHING);
    if (text)
        put_bytes(r, text, strlen(text));
}

static void put_addr(struct recorder *r, const struct oriel_addr *a)
{
    put(r, a->hi);
    put(r, a->lo);
    put(r, a->zone);
}

static void put_endpoint(struct recorder *r, const struct oriel_endpoint *e)
{
    put_addr(r, &e->addr);
    put(r, e->port);
}

static void put_msg(struct recorder *r, const struct oriel_msg *m)
{
    put(r, m->flags);
    put_endpoint(r, &m->peer);
    put_addr(r, &m->local);
    put(r, (uint32_t)m->netif);
    put(r, m->ttl);
    put(r, m->tos);
    put(r, m->local_port);
}

/* The call has returned. Signed results have their sign in the lowest bit. */
static int64_t done(struct recorder *r, int64_t result)
{
    put(r, REPLAY_DONE);
    put(r, (uint64_t)result << 1 ^ (uint64_t)(result >> 63));
    return result;
}

/* ---- whose ---- */

/* The recorder of a stack; NULL, almost always. */
static inline struct recorder *of(const struct oriel_stack *s, enum replay_call c)
{
    struct recorder *r = atomic_load_explicit(&recorders, memory_order_acquire);
    while (oriel_unlikely(r != NULL) && atomic_load_explicit(&r->stack, memory_order_relaxed) != s)
        r = r->next;
    if (oriel_unlikely(r != NULL))
        put(r, (uint64_t)c);
    return r;
}

/* A call and what the linker calls the real one; weak, so that a program may be linked without. */
#define REAL(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__) __attribute__((weak));                                         \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

/* Calls whose arguments are numbers, and whose answer is one. */
#define NUMBER_1(name, call, type)                                                                 \
    REAL(int, name, struct oriel_stack *s, type a)                                                 \
    {                                                                                              \
        struct recorder *r = of(s, call);                                                          \
        if (oriel_likely(!r))                                                                      \
            return __real_##name(s, a);                                                            \
        put(r, (uint64_t)a);                                                                       \
        return (int)done(r, __real_##name(s, a));                                                  \
    }
#define NUMBER_2(name, call, type_a, type_b)                                                       \
    REAL(int, name, struct oriel_stack *s, type_a a, type_b b)                                     \
    {                                                                                              \
        struct recorder *r = of(s, call);                                                          \
        if (oriel_likely(!r))                                                                      \
            return __real_##name(s, a, b);                                                         \
        put(r, (uint64_t)a);                                                                       \
        put(r, (uint64_t)b);                                                                       \
        return (int)done(r, __real_##name(s, a, b));                                               \
    }

NUMBER_1(oriel_netif_remove, REPLAY_NETIF_REMOVE, int)
NUMBER_1(oriel_netif_rarp, REPLAY_NETIF_RARP, int)
NUMBER_1(oriel_close, REPLAY_CLOSE, oriel_handle)
NUMBER_1(oriel_abort, REPLAY_ABORT, oriel_handle)
NUMBER_2(oriel_netif_set_up, REPLAY_NETIF_SET_UP, int, bool)
NUMBER_2(oriel_netif_set_carrier, REPLAY_NETIF_SET_CARRIER, int, bool)
NUMBER_2(oriel_netif_set_mtu, REPLAY_NETIF_SET_MTU, int, uint32_t)
NUMBER_2(oriel_shutdown, REPLAY_SHUTDOWN, oriel_handle, int)
NUMBER_2(oriel_recv_release, REPLAY_RECV_RELEASE, oriel_handle, size_t)

/* ---- the stack itself ---- */

static struct recorder *waiting_here(void)
{
    struct recorder *r = atomic_load(&recorders);
    while (r && (atomic_load(&r->stack) || !pthread_equal(r->maker, pthread_self())))
        r = r->next;
    return r;
}

REAL(struct oriel_stack *, oriel_create, const struct oriel_config *cfg)
{
    struct recorder *r = atomic_load(&recorders) ? waiting_here() : NULL;
    if (!r)
        return __real_oriel_create(cfg);
    put(r, REPLAY_CREATE);
    put_blob(r, cfg, sizeof *cfg);
    put_text(r, cfg->tcp.congestion);
    put(r, cfg->shared_packets != NULL);
    struct oriel_stack *s = __real_oriel_create(cfg);
    (void)done(r, s != NULL);
    atomic_store(&r->stack, s ? (void *)s : (void *)r);
    return s;
}

REAL(void, oriel_destroy, struct oriel_stack *s)
{
    struct recorder *r = of(s, REPLAY_DESTROY);
    __real_oriel_destroy(s);
    if (!r)
        return;
    (void)done(r, 0);
    atomic_store(&r->stack, r);                 /* its memory may become another's */
}

static void put_packet(struct recorder *r, const struct pkt *p)
{
    static _Thread_local uint8_t bytes[REPLAY_FRAME];
    size_t n = oriel_pkt_copy(p, bytes, sizeof bytes);
    put(r, p->nif);
    put(r, p->arrival);
    put(r, p->gso_size);
    put(r, p->charge);
    put(r, p->csum);
    put(r, p->gso);
    put(r, p->flags);
    put_blob(r, bytes, n);
}

REAL(void, oriel_step, struct oriel_stack *s, oriel_time now, struct pkt_batch *rx)
{
    struct recorder *r = of(s, REPLAY_STEP);
    if (oriel_unlikely(r != NULL)) {
        put(r, now);
        put(r, rx ? rx->n : 0);
        for (unsigned i = 0; rx && i < rx->n; i++)
            put_packet(r, rx->pkts[i]);
    }
    __real_oriel_step(s, now, rx);
    if (oriel_unlikely(r != NULL))
        (void)done(r, 0);
}

REAL(unsigned, oriel_netif_take, struct oriel_stack *s, int netif, struct pkt *out[], unsigned max)
{
    static _Thread_local uint8_t bytes[REPLAY_FRAME];
    struct recorder *r = of(s, REPLAY_TAKE);
    if (oriel_likely(!r))
        return __real_oriel_netif_take(s, netif, out, max);
    put(r, (uint64_t)netif);
    put(r, max);
    unsigned n = __real_oriel_netif_take(s, netif, out, max);
    (void)done(r, n);
    for (unsigned i = 0; i < n; i++) {
        size_t len = oriel_pkt_copy(out[i], bytes, sizeof bytes);
        put(r, len);
        put(r, replay_sum(bytes, len));
        put(r, out[i]->why);
        put(r, out[i]->gso_size);
    }
    return n;
}

/* ---- interfaces, addresses, routes, neighbours ---- */

REAL(int, oriel_netif_add, struct oriel_stack *s, const struct oriel_netif_config *cfg)
{
    struct recorder *r = of(s, REPLAY_NETIF_ADD);
    if (!r)
        return __real_oriel_netif_add(s, cfg);
    put_blob(r, cfg, sizeof *cfg);
    put_text(r, cfg->name);
    return (int)done(r, __real_oriel_netif_add(s, cfg));
}

REAL(int, oriel_addr_add, struct oriel_stack *s, int netif, const struct oriel_addr *a, uint8_t len)
{
    struct recorder *r = of(s, REPLAY_ADDR_ADD);
    if (!r)
        return __real_oriel_addr_add(s, netif, a, len);
    put(r, (uint64_t)netif);
    put_addr(r, a);
    put(r, len);
    return (int)done(r, __real_oriel_addr_add(s, netif, a, len));
}

REAL(int, oriel_addr_remove, struct oriel_stack *s, int netif, const struct oriel_addr *a)
{
    struct recorder *r = of(s, REPLAY_ADDR_REMOVE);
    if (!r)
        return __real_oriel_addr_remove(s, netif, a);
    put(r, (uint64_t)netif);
    put_addr(r, a);
    return (int)done(r, __real_oriel_addr_remove(s, netif, a));
}

static void put_route(struct recorder *r, const struct oriel_addr *prefix, uint8_t len,
                      const struct oriel_addr *gateway, int netif, uint32_t metric)
{
    put_addr(r, prefix);
    put(r, len);
    put(r, gateway != NULL);
    if (gateway)
        put_addr(r, gateway);
    put(r, (uint64_t)netif);
    put(r, metric);
}

REAL(int, oriel_route_add, struct oriel_stack *s, const struct oriel_addr *prefix, uint8_t len,
     const struct oriel_addr *gateway, int netif, uint32_t metric)
{
    struct recorder *r = of(s, REPLAY_ROUTE_ADD);
    if (!r)
        return __real_oriel_route_add(s, prefix, len, gateway, netif, metric);
    put_route(r, prefix, len, gateway, netif, metric);
    return (int)done(r, __real_oriel_route_add(s, prefix, len, gateway, netif, metric));
}

REAL(int, oriel_route_remove, struct oriel_stack *s, const struct oriel_addr *prefix, uint8_t len,
     const struct oriel_addr *gateway, int netif)
{
    struct recorder *r = of(s, REPLAY_ROUTE_REMOVE);
    if (!r)
        return __real_oriel_route_remove(s, prefix, len, gateway, netif);
    put_route(r, prefix, len, gateway, netif, 0);
    return (int)done(r, __real_oriel_route_remove(s, prefix, len, gateway, netif));
}

REAL(int, oriel_neigh_add, struct oriel_stack *s, int netif, const struct oriel_addr *a,
     const uint8_t mac[6])
{
    struct recorder *r = of(s, REPLAY_NEIGH_ADD);
    if (!r)
        return __real_oriel_neigh_add(s, netif, a, mac);
    put(r, (uint64_t)netif);
    put_addr(r, a);
    put_bytes(r, mac, 6);
    return (int)done(r, __real_oriel_neigh_add(s, netif, a, mac));
}

REAL(int, oriel_neigh_remove, struct oriel_stack *s, int netif, const struct oriel_addr *a)
{
    struct recorder *r = of(s, REPLAY_NEIGH_REMOVE);
    if (!r)
        return __real_oriel_neigh_remove(s, netif, a);
    put(r, (uint64_t)netif);
    put_addr(r, a);
    return (int)done(r, __real_oriel_neigh_remove(s, netif, a));
}

REAL(int, oriel_rarp_serve, struct oriel_stack *s, const uint8_t mac[6], const struct oriel_addr *a)
{
    struct recorder *r = of(s, REPLAY_RARP_SERVE);
    if (!r)
        return __real_oriel_rarp_serve(s, mac, a);
    put_addr(r, a);
    put_bytes(r, mac, 6);
    return (int)done(r, __real_oriel_rarp_serve(s, mac, a));
}

/* ---- sockets ---- */

/* A call that makes a handle. */
#define OPEN(name, call)                                                                           \
    REAL(int, name, struct oriel_stack *s, enum oriel_family family, oriel_handle *out)            \
    {                                                                                              \
        struct recorder *r = of(s, call);                                                          \
        if (oriel_likely(!r))                                                                      \
            return __real_##name(s, family, out);                                                  \
        put(r, (uint64_t)family);                                                                  \
        int got = (int)done(r, __real_##name(s, family, out));                                     \
        if (got == 0)                                                                              \
            put(r, *out);                                                                          \
        return got;                                                                                \
    }

OPEN(oriel_udp_open, REPLAY_UDP_OPEN)
OPEN(oriel_icmp_open, REPLAY_ICMP_OPEN)
OPEN(oriel_tcp_open, REPLAY_TCP_OPEN)

#define AT_ENDPOINT(name, call)                                                                    \
    REAL(int, name, struct oriel_stack *s, oriel_handle h, const struct oriel_endpoint *e)         \
    {                                                                                              \
        struct recorder *r = of(s, call);                                                          \
        if (oriel_likely(!r))                                                                      \
            return __real_##name(s, h, e);                                                         \
        put(r, h);                                                                                 \
        put_endpoint(r, e);                                                                        \
        return (int)done(r, __real_##name(s, h, e));                                               \
    }

AT_ENDPOINT(oriel_bind, REPLAY_BIND)
AT_ENDPOINT(oriel_connect, REPLAY_CONNECT)

REAL(int, oriel_send, struct oriel_stack *s, oriel_handle h, const void *data, size_t len,
     const struct oriel_msg *msg)
{
    struct recorder *r = of(s, REPLAY_SEND);
    if (oriel_likely(!r))
        return __real_oriel_send(s, h, data, len, msg);
    put(r, h);
    put_blob(r, data, len);
    put(r, msg != NULL);
    if (msg)
        put_msg(r, msg);
    return (int)done(r, __real_oriel_send(s, h, data, len, msg));
}

REAL(int, oriel_recv, struct oriel_stack *s, oriel_handle h, void *buf, size_t cap,
     struct oriel_msg *msg)
{
    struct recorder *r = of(s, REPLAY_RECV);
    if (oriel_likely(!r))
        return __real_oriel_recv(s, h, buf, cap, msg);
    put(r, h);
    put(r, cap);
    put(r, msg != NULL);
    put(r, msg ? msg->flags : 0);
    int n = (int)done(r, __real_oriel_recv(s, h, buf, cap, msg));
    if (n >= 0)
        put(r, replay_sum(buf, (size_t)n));
    return n;
}

REAL(int, oriel_listen, struct oriel_stack *s, oriel_handle h, const struct oriel_listen *l)
{
    struct recorder *r = of(s, REPLAY_LISTEN);
    if (!r)
        return __real_oriel_listen(s, h, l);
    put(r, h);
    put(r, l != NULL);
    put(r, l ? l->backlog : 0);
    put(r, l ? l->any_addr : 0);
    put(r, l ? l->port_last : 0);
    put(r, l ? l->defer : 0);
    return (int)done(r, __real_oriel_listen(s, h, l));
}

REAL(int, oriel_accept, struct oriel_stack *s, oriel_handle h, oriel_handle *out,
     struct oriel_endpoint *peer)
{
    struct recorder *r = of(s, REPLAY_ACCEPT);
    if (!r)
        return __real_oriel_accept(s, h, out, peer);
    put(r, h);
    int got = (int)done(r, __real_oriel_accept(s, h, out, peer));
    if (got == 0)
        put(r, *out);
    return got;
}

REAL(int, oriel_held_next, struct oriel_stack *s, oriel_handle h, struct oriel_held *out)
{
    struct recorder *r = of(s, REPLAY_HELD_NEXT);
    if (!r)
        return __real_oriel_held_next(s, h, out);
    put(r, h);
    int got = (int)done(r, __real_oriel_held_next(s, h, out));
    if (got == 0)
        put(r, out->id);
    return got;
}

REAL(int, oriel_admit, struct oriel_stack *s, oriel_handle h, uint64_t id, enum oriel_admission what)
{
    struct recorder *r = of(s, REPLAY_ADMIT);
    if (!r)
        return __real_oriel_admit(s, h, id, what);
    put(r, h);
    put(r, id);
    put(r, (uint64_t)what);
    return (int)done(r, __real_oriel_admit(s, h, id, what));
}

/* ---- without copying ---- */

REAL(struct oriel_room, oriel_send_window, struct oriel_stack *s, oriel_handle h)
{
    struct recorder *r = of(s, REPLAY_SEND_WINDOW);
    if (oriel_likely(!r))
        return __real_oriel_send_window(s, h);
    put(r, h);
    struct oriel_room room = __real_oriel_send_window(s, h);
    r->window = room.p;
    (void)done(r, (int64_t)room.n);
    return room;
}

REAL(int, oriel_send_commit, struct oriel_stack *s, oriel_handle h, size_t n)
{
    struct recorder *r = of(s, REPLAY_SEND_COMMIT);
    if (oriel_likely(!r))
        return __real_oriel_send_commit(s, h, n);
    put(r, h);
    put_blob(r, r->window, n);
    return (int)done(r, __real_oriel_send_commit(s, h, n));
}

REAL(int, oriel_recv_view, struct oriel_stack *s, oriel_handle h, struct oriel_bytes out[],
     unsigned max)
{
    struct recorder *r = of(s, REPLAY_RECV_VIEW);
    if (oriel_likely(!r))
        return __real_oriel_recv_view(s, h, out, max);
    put(r, h);
    put(r, max);
    int n = (int)done(r, __real_oriel_recv_view(s, h, out, max));
    for (int i = 0; i < n; i++)
        put(r, replay_sum(out[i].p, out[i].n));
    return n;
}

/* ---- options, groups, readiness ---- */

REAL(int, oriel_setopt, struct oriel_stack *s, oriel_handle h, enum oriel_opt opt, int64_t value)
{
    struct recorder *r = of(s, REPLAY_SETOPT);
    if (oriel_likely(!r))
        return __real_oriel_setopt(s, h, opt, value);
    put(r, h);
    put(r, (uint64_t)opt);
    put(r, (uint64_t)value);
    return (int)done(r, __real_oriel_setopt(s, h, opt, value));
}

REAL(int, oriel_getopt, struct oriel_stack *s, oriel_handle h, enum oriel_opt opt, int64_t *value)
{
    struct recorder *r = of(s, REPLAY_GETOPT);
    if (oriel_likely(!r))
        return __real_oriel_getopt(s, h, opt, value);
    put(r, h);
    put(r, (uint64_t)opt);
    int got = (int)done(r, __real_oriel_getopt(s, h, opt, value));
    if (got == 0)
        put(r, (uint64_t)*value);
    return got;
}

REAL(int, oriel_group_join, struct oriel_stack *s, oriel_handle h, int netif,
     const struct oriel_addr *group, bool exclude, const struct oriel_addr *sources, unsigned n)
{
    struct recorder *r = of(s, REPLAY_GROUP_JOIN);
    if (!r)
        return __real_oriel_group_join(s, h, netif, group, exclude, sources, n);
    put(r, h);
    put(r, (uint64_t)netif);
    put_addr(r, group);
    put(r, exclude);
    put(r, n);
    for (unsigned i = 0; i < n; i++)
        put_addr(r, &sources[i]);
    return (int)done(r, __real_oriel_group_join(s, h, netif, group, exclude, sources, n));
}

REAL(int, oriel_group_leave, struct oriel_stack *s, oriel_handle h, int netif,
     const struct oriel_addr *group)
{
    struct recorder *r = of(s, REPLAY_GROUP_LEAVE);
    if (!r)
        return __real_oriel_group_leave(s, h, netif, group);
    put(r, h);
    put(r, (uint64_t)netif);
    put_addr(r, group);
    return (int)done(r, __real_oriel_group_leave(s, h, netif, group));
}

REAL(unsigned, oriel_ready_take, struct oriel_stack *s, struct oriel_readiness out[], unsigned max)
{
    struct recorder *r = of(s, REPLAY_READY_TAKE);
    if (oriel_likely(!r))
        return __real_oriel_ready_take(s, out, max);
    put(r, max);
    unsigned n = (unsigned)done(r, __real_oriel_ready_take(s, out, max));
    for (unsigned i = 0; i < n; i++) {
        put(r, out[i].handle);
        put(r, out[i].events);
    }
    return n;
}

/* ---- opened, closed ---- */

/* A place in the list of all, its stack itself: nobody looks for it yet. */
static struct recorder *place(void)
{
    pthread_mutex_lock(&opening);
    struct recorder *first = atomic_load(&recorders), *r = first;
    while (r && !r->free)
        r = r->next;
    if (r) {
        r->free = false;
    } else if ((r = calloc(1, sizeof *r)) != NULL) {
        r->next = first;
        atomic_store(&r->stack, r);
        atomic_store_explicit(&recorders, r, memory_order_release);
    }
    pthread_mutex_unlock(&opening);
    return r;
}

static void give_back(struct recorder *r)
{
    atomic_store(&r->stack, r);
    pthread_mutex_lock(&opening);
    r->free = true;
    pthread_mutex_unlock(&opening);
}

static struct recorder *refuse(struct recorder *r, const char *path, const char *why, char *error)
{
    (void)snprintf(error, REPLAY_TEXT_MAX, "%s: %s", path, why);
    if (r && r->fd >= 0)
        close(r->fd);
    if (r)
        give_back(r);
    return NULL;
}

struct recorder *recorder_open(const char *path, char error[REPLAY_TEXT_MAX])
{
    struct recorder *r = place();
    if (!r)
        return refuse(NULL, path, "out of memory", error);
    r->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    r->map = NULL;
    r->at = r->size = 0;
    r->bad = false;
    if (r->fd < 0 || !grow(r, 0))
        return refuse(r, path, strerror(errno), error);
    if (!__real_oriel_step)
        return refuse(r, path, "this program was linked without recording", error);
    put_bytes(r, REPLAY_MAGIC, strlen(REPLAY_MAGIC));
    put(r, sizeof(struct oriel_config));
    put(r, sizeof(struct oriel_netif_config));
    r->maker = pthread_self();
    atomic_store(&r->stack, NULL);
    return r;
}

bool recorder_close(struct recorder *r)
{
    if (!r)
        return true;
    bool bad = r->bad || ftruncate(r->fd, (off_t)r->at) != 0;
    munmap(r->map, r->size);
    bad = close(r->fd) != 0 || bad;
    give_back(r);
    return !bad;
}
