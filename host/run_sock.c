/*
 * The table of the program's sockets, and who asks about which.
 *
 * A fresh stream costs us nothing: its descriptor carries our mark in its abstract name, and an entry is
 * made when something happens to it. A connection that was accepted is named by whom it is connected to.
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SWEEP_EVERY 16              /* entries made between two sweeps */
#define SWEEP_MOST  64
#define SLOT_BITS   14
static_assert(RUN_SOCKS_MAX == 1 << SLOT_BITS, "a slot is the low bits of a number");
#define NAME_LEN    27              /* of a mark, without the NUL in front */

bool rsock_is_nonblocking(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* ---- names ---- */

socklen_t rsock_name(const struct run *n, struct sockaddr_un *u, char kind, bool v6, uint32_t id)
{
    memset(u, 0, sizeof(*u));
    u->sun_family = AF_UNIX;
    char text[NAME_LEN + 1];
    (void)snprintf(text, sizeof(text), "%016llx%c%c%08x.", (unsigned long long)n->token, kind,
                   v6 ? '6' : '4', id);
    memcpy(u->sun_path + 1, text, NAME_LEN);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + NAME_LEN);
}

/* Is it one of ours, and which? */
static bool name_read(const struct run *n, const struct sockaddr_un *u, socklen_t len, char *kind, bool *v6,
                      uint32_t *id)
{
    char text[NAME_LEN + 1] = {0};
    unsigned long long token;
    char family;
    if (len != offsetof(struct sockaddr_un, sun_path) + 1 + NAME_LEN || u->sun_family != AF_UNIX ||
        u->sun_path[0] != '\0')
        return false;
    memcpy(text, u->sun_path + 1, NAME_LEN);
    if (sscanf(text, "%16llx%c%c%8x", &token, kind, &family, id) != 4)
        return false;
    *v6 = family == '6';
    struct sockaddr_un same;            /* of a number one name is held; others anybody may have */
    return rsock_name(n, &same, *kind, *v6, *id) == len &&
           memcmp(&same.sun_path, u->sun_path, NAME_LEN + 1) == 0;
}

bool rsock_is_held(const struct rsock *s)
{
    struct sockaddr_un u;
    socklen_t len = rsock_name(s->run, &u, s->name, s->v6, s->id);
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return true;
    bool taken = bind(probe, (const struct sockaddr *)&u, len) != 0;
    close(probe);
    return taken;
}

/* ---- the table ---- */

static unsigned head_of(uint64_t key)
{
    return (unsigned)((key * 0x9e3779b97f4a7c15u) >> 52) & (RSOCK_HEADS - 1);
}

static void forget_handle(struct rsock *s)
{
    struct rsock **at = &s->run->by_handle[head_of(s->h)];
    while (*at && *at != s)
        at = &(*at)->next_handle;
    if (*at)
        *at = s->next_handle;
}

static void forget_cookie(struct rsock *s)
{
    struct rsock **at = &s->run->by_cookie[head_of(s->cookie)];
    while (*at && *at != s)
        at = &(*at)->next_cookie;
    if (*at)
        *at = s->next_cookie;
}

static void learn_cookie(struct rsock *s, uint64_t cookie)
{
    s->cookie = cookie;
    if (cookie == 0)
        return;
    s->next_cookie = s->run->by_cookie[head_of(cookie)];
    s->run->by_cookie[head_of(cookie)] = s;
}

void rsock_take_handle(struct rsock *s, oriel_handle h)
{
    s->h = h;
    s->next_handle = s->run->by_handle[head_of(h)];
    s->run->by_handle[head_of(h)] = s;
}

struct rsock *rsock_of_handle(struct run *n, oriel_handle h)
{
    struct rsock *s = n->by_handle[head_of(h)];
    while (s && s->h != h)
        s = s->next_handle;
    return s;
}

struct rsock *rsock_new(struct run *n, char name, bool v6, uint64_t cookie)
{
    if (n->socks_n == RUN_SOCKS_MAX)
        return NULL;
    struct rsock *s = malloc(sizeof(*s));
    if (!s)
        return NULL;
    while (n->slots[n->slot_at & (RUN_SOCKS_MAX - 1)])
        n->slot_at++;
    uint32_t slot = n->slot_at++ & (RUN_SOCKS_MAX - 1);
    memset(s, 0, sizeof(*s));
    s->run = n;
    s->name = name;
    s->v6 = v6;
    s->slot = slot;
    s->id = slot | n->generation++ << SLOT_BITS;
    s->end = s->fd = s->stash = -1;
    s->linger_s = -1;
    s->state = name == 'd' ? RSOCK_DATAGRAM : name == 'c' ? RSOCK_CONNECTED : RSOCK_IDLE;
    n->slots[slot] = s;
    n->socks_n++;
    learn_cookie(s, cookie);
    n->made++;
    return s;
}

static int open_handle(const struct rsock *s, oriel_handle *h)
{
    enum oriel_family family = s->v6 ? ORIEL_DUAL : ORIEL_IP4;
    if (s->ping)
        return oriel_icmp_open(s->run->stack, s->v6 ? ORIEL_IP6 : ORIEL_IP4, h);
    return s->state == RSOCK_DATAGRAM ? oriel_udp_open(s->run->stack, family, h)
                                      : oriel_tcp_open(s->run->stack, family, h);
}

int rsock_open(struct rsock *s)
{
    if (s->h)
        return 0;
    oriel_handle h;
    int err = open_handle(s, &h);
    if (err == ORIEL_ENOBUFS) {         /* perhaps some are nobody's any more */
        rsock_sweep(s->run, RUN_SOCKS_MAX);
        err = open_handle(s, &h);
    }
    if (err < 0)
        return rsock_errno(err);
    rsock_take_handle(s, h);
    ropt_apply(s);
    return 0;
}

void rsock_drop_handle(struct rsock *s, bool abort)
{
    struct run *n = s->run;
    struct oriel_tcp_info info;
    if (!s->h)
        return;
    if (n->cfg.on_end && (s->state == RSOCK_CONNECTED || s->state == RSOCK_CONNECTING) &&
        oriel_tcp_info(n->stack, s->h, &info) == 0)
        n->cfg.on_end(n->cfg.ctx, &info, s->why);
    int err = abort ? oriel_abort(n->stack, s->h) : oriel_close(n->stack, s->h);
    (void)err;                          /* a handle that is gone is what was wanted */
    forget_handle(s);
    s->h = 0;
    n->dirty = true;
}

void rsock_unwatch(struct rsock *s)
{
    if (s->end < 0)
        return;
    loop_remove(s->run->loop, &s->source);
    close(s->end);
    s->end = -1;
}

int rsock_watch(struct rsock *s, int end, uint32_t events, void (*on_ready)(void *ctx, uint32_t events))
{
    s->end = end;
    s->source = (struct loop_source){.fd = end, .events = events, .on_ready = on_ready, .ctx = s};
    int err = loop_add(s->run->loop, &s->source);
    if (err < 0) {
        close(end);
        s->end = -1;
    }
    return err;
}

/* A listener's connections that nobody accepted go with it, and one that waits leaves its queue. */
static void leave_listener(struct rsock *s)
{
    struct rsock **at = s->listener ? &s->listener->waiting : NULL;
    while (at && *at && *at != s)
        at = &(*at)->waiting_next;
    if (at && *at) {
        *at = s->waiting_next;
        s->listener->waiting_n--;
    }
    s->listener = NULL;
    while (s->waiting) {
        struct rsock *w = s->waiting;
        s->waiting = w->waiting_next;
        w->listener = NULL;
        rsock_drop_handle(w, true);
        rsock_free(w);
    }
}

void rsock_free(struct rsock *s)
{
    struct run *n = s->run;
    ORIEL_ASSERT(s != &n->ghost);
    while (s->parked) {
        struct run_request *r = rsock_unpark(s, s->parked->call);
        r->asker->answer(r, -ECONNABORTED);
    }
    leave_listener(s);
    rsock_uncount_port(s);
    rsock_drop_handle(s, false);
    rsock_unwatch(s);
    if (s->stash >= 0)
        close(s->stash);
    if (s->cookie)
        forget_cookie(s);
    n->slots[s->slot] = NULL;
    n->socks_n--;
    free(s);
}

static bool may_be_nobodys(const struct rsock *s)
{
    return s->name == 's' && s->end < 0 && !s->parked;
}

void rsock_sweep(struct run *n, unsigned most)
{
    for (unsigned i = 0; i < most && i < RUN_SOCKS_MAX; i++) {
        struct rsock *s = n->slots[n->sweep_at++ & (RUN_SOCKS_MAX - 1)];
        if (s && may_be_nobodys(s) && !rsock_is_held(s))
            rsock_free(s);
    }
}

void rsock_sweep_port(struct run *n, uint16_t port)
{
    for (unsigned i = 0; i < RUN_SOCKS_MAX; i++) {
        struct rsock *s = n->slots[i];
        if (s && s->port == port && may_be_nobodys(s) && !rsock_is_held(s))
            rsock_free(s);
    }
}

/* ---- parked requests ---- */

void rsock_park(struct rsock *s, struct run_request *r, oriel_time until)
{
    struct run_request **at = &s->parked;
    while (*at)
        at = &(*at)->next;
    *at = r;
    r->next = NULL;
    r->waits_for = s;
    r->until = until;
    if (until < s->run->limit_at)
        s->run->limit_at = until;
    s->run->parked_n++;
}

static void take_off(struct rsock *s, struct run_request **at)
{
    struct run_request *r = *at;
    *at = r->next;
    r->waits_for = NULL;
    s->run->parked_n--;
}

struct run_request *rsock_unpark(struct rsock *s, enum run_call call)
{
    struct run_request **at = &s->parked;
    while (*at && (*at)->call != call)
        at = &(*at)->next;
    struct run_request *r = *at;
    if (r)
        take_off(s, at);
    return r;
}

void run_forget(struct run *n, struct run_request *r)
{
    struct rsock *s = r->waits_for;
    (void)n;
    if (!s)
        return;
    struct run_request **at = &s->parked;
    while (*at != r)
        at = &(*at)->next;
    take_off(s, at);
    rtcp_forget(s, r);
}

/* ---- who a socket is ---- */

static struct rsock *ghost(struct run *n, bool v6, int error)
{
    n->ghost = (struct rsock){.run = n, .name = 'c', .v6 = v6, .state = RSOCK_OVER, .end = -1, .fd = -1,
                             .stash = -1, .linger_s = -1, .error = error};
    return &n->ghost;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    return getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

void rsock_rename(struct rsock *s, char name, uint32_t id, int fd)
{
    rsock_drop_handle(s, true);
    rsock_unwatch(s);
    if (s->cookie)
        forget_cookie(s);
    learn_cookie(s, cookie_of(fd));
    s->name = name;
    s->id = id;
    s->state = RSOCK_IDLE;
    s->error = 0;
    s->junk = 0;
    s->in_over = s->out_over = s->in_blocked = s->out_blocked = s->held_up = s->connect_told = false;
    s->port = s->bound ? 0 : s->port;
}

bool rsock_is_of(const struct rsock *s, int fd)
{
    struct sockaddr_un u, own;
    socklen_t len = sizeof(u);
    if (s->cookie)
        return cookie_of(fd) == s->cookie;
    return getpeername(fd, (struct sockaddr *)&u, &len) == 0 &&
           len == rsock_name(s->run, &own, s->name, s->v6, s->id) && memcmp(&u, &own, len) == 0;
}

/* One that was accepted: a name and a descriptor are one another's only. */
static struct rsock *of_peer(struct run *n, uint64_t cookie, const struct sockaddr_un *u, socklen_t len)
{
    char kind;
    bool v6;
    uint32_t id;
    if (!name_read(n, u, len, &kind, &v6, &id))
        return NULL;
    struct rsock *s = n->slots[id & (RUN_SOCKS_MAX - 1)];
    if (kind != 'c' || !s || s->id != id || s->name != 'c' || s->cookie)
        return ghost(n, v6, 0);
    learn_cookie(s, cookie);
    return s;
}

struct rsock *rsock_of_descriptor(struct run *n, int fd)
{
    uint64_t cookie = cookie_of(fd);
    struct sockaddr_un u;
    socklen_t len = sizeof(u);
    char kind;
    bool v6;
    uint32_t id;
    if (cookie == 0)
        return NULL;
    struct rsock *s = n->by_cookie[head_of(cookie)];
    while (s && s->cookie != cookie)
        s = s->next_cookie;
    if (s)
        return s;
    if (getpeername(fd, (struct sockaddr *)&u, &len) == 0)
        return of_peer(n, cookie, &u, len);
    len = sizeof(u);
    if (getsockname(fd, (struct sockaddr *)&u, &len) != 0 || !name_read(n, &u, len, &kind, &v6, &id))
        return NULL;
    if (kind != 's')
        return ghost(n, v6, 0);
    s = rsock_new(n, 's', v6, cookie);
    if (!s) {                           /* perhaps some are nobody's any more */
        rsock_sweep(n, RUN_SOCKS_MAX);
        s = rsock_new(n, 's', v6, cookie);
    }
    if (!s)
        return ghost(n, v6, ENOBUFS);
    s->id = id;
    return s;
}

/* ---- calls ---- */

static void call_socket(struct run *n, struct run_request *r)
{
    int domain = (int)r->arg[0], type = (int)r->arg[1] & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    int flags = (int)r->arg[1] & (SOCK_NONBLOCK | SOCK_CLOEXEC), protocol = (int)r->arg[2];
    bool v6 = domain == AF_INET6;
    if (domain == AF_PACKET)
        return r->asker->answer(r, -EPERM);
    if (domain != AF_INET && domain != AF_INET6)
        return r->asker->answer(r, -EAFNOSUPPORT);
    if (type == SOCK_RAW)
        return r->asker->answer(r, -EPERM);         /* as an ordinary user is told */
    if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
        return rudp_call_socket(n, r, v6, false, flags);
    if (type == SOCK_DGRAM && protocol == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
        return rudp_call_socket(n, r, v6, true, flags);
    if (type != SOCK_STREAM)
        return r->asker->answer(r, type > SOCK_PACKET ? -EINVAL : type == SOCK_DGRAM ? -EPROTONOSUPPORT
                                                                                      : -ESOCKTNOSUPPORT);
    if (protocol != 0 && protocol != IPPROTO_TCP)
        return r->asker->answer(r, -EPROTONOSUPPORT);
    struct sockaddr_un u;
    int fd = socket(AF_UNIX, SOCK_STREAM | flags | SOCK_CLOEXEC, 0);
    socklen_t len = rsock_name(n, &u, 's', v6, ++n->names);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&u, len) != 0) {
        int err = errno;
        if (fd >= 0)
            close(fd);
        return r->asker->answer(r, -err);
    }
    (void)r->asker->install(r, fd, flags & SOCK_CLOEXEC);
    close(fd);
}

static void call_name(struct rsock *s, struct run_request *r)
{
    struct oriel_endpoint e;
    int err = 0;
    if (r->call == RUN_GETSOCKNAME)
        e = rsock_local(s);
    else
        err = rsock_remote(s, &e);
    r->asker->answer(r, err ? err : raddr_write(r, s, &e, r->arg[1], r->arg[2]));
}

static void call_ioctl(struct rsock *s, struct run_request *r)
{
    int value = (int)relay_unsent(s);
    bool ok = r->asker->write(r, r->arg[2], &value, sizeof(value));
    r->asker->answer(r, ok ? 0 : -EFAULT);
}

static void stream_call(struct rsock *s, struct run_request *r)
{
    switch (r->call) {
    case RUN_BIND:        return rtcp_call_bind(s, r);
    case RUN_CONNECT:     return rtcp_call_connect(s, r);
    case RUN_LISTEN:      return rtcp_call_listen(s, r);
    case RUN_ACCEPT:      return rtcp_call_accept(s, r);
    case RUN_GETSOCKNAME:
    case RUN_GETPEERNAME: return call_name(s, r);
    case RUN_SETSOCKOPT:  return ropt_call_set(s, r);
    case RUN_GETSOCKOPT:  return ropt_call_get(s, r);
    case RUN_IOCTL:       return call_ioctl(s, r);
    case RUN_SOCKET:
    case RUN_SENDTO:
    case RUN_RECVFROM:
    case RUN_SENDMSG:
    case RUN_RECVMSG:
    case RUN_SENDMMSG:
    case RUN_RECVMMSG:    return r->asker->native(r);
    }
}

static void datagram_call(struct rsock *s, struct run_request *r)
{
    switch (r->call) {
    case RUN_BIND:        return rudp_call_bind(s, r);
    case RUN_CONNECT:     return rudp_call_connect(s, r);
    case RUN_GETSOCKNAME:
    case RUN_GETPEERNAME: return call_name(s, r);
    case RUN_SETSOCKOPT:  return ropt_call_set(s, r);
    case RUN_GETSOCKOPT:  return ropt_call_get(s, r);
    case RUN_SENDTO:      return rudp_call_sendto(s, r);
    case RUN_RECVFROM:    return rudp_call_recvfrom(s, r);
    case RUN_SENDMSG:     return rmsg_call_sendmsg(s, r);
    case RUN_RECVMSG:     return rmsg_call_recvmsg(s, r);
    case RUN_SENDMMSG:    return rmsg_call_sendmmsg(s, r);
    case RUN_RECVMMSG:    return rmsg_call_recvmmsg(s, r);
    case RUN_SOCKET:
    case RUN_IOCTL:       return r->asker->native(r);
    case RUN_LISTEN:
    case RUN_ACCEPT:      return r->asker->answer(r, -EOPNOTSUPP);
    }
}

void run_handle(struct run *n, struct run_request *r)
{
    if (r->call == RUN_SOCKET)
        return call_socket(n, r);
    struct rsock *s = rsock_of_descriptor(n, r->dup);
    if (!s)
        return r->asker->native(r);
    if (s == &n->ghost && s->error)
        return r->asker->answer(r, -s->error);
    s->tid = r->tid;
    s->fd = r->fd;
    n->dirty = true;
    if (s->state == RSOCK_DATAGRAM)
        datagram_call(s, r);
    else
        stream_call(s, r);
}

/* ---- the stack, and time ---- */

static void on_step(void *ctx)
{
    struct run *n = ctx;
    struct oriel_readiness ready[64];
    unsigned k;
    n->in_step = true;
    while ((k = oriel_ready_take(n->stack, ready, ARRAY_LEN(ready))) > 0) {
        for (unsigned i = 0; i < k; i++) {
            struct rsock *s = rsock_of_handle(n, ready[i].handle);
            if (s && s->state == RSOCK_DATAGRAM)
                rudp_on_ready(s, ready[i].events);
            else if (s)
                rtcp_on_ready(s, ready[i].events);
        }
    }
    n->in_step = false;
}

static void give_up_due(struct run *n, oriel_time now)
{
    for (unsigned i = 0; i < RUN_SOCKS_MAX && n->parked_n > 0; i++) {
        struct rsock *s = n->slots[i];
        for (struct run_request *r = s ? s->parked : NULL, *next; r; r = next) {
            next = r->next;
            if (r->until > now)
                continue;
            struct run_request **at = &s->parked;
            while (*at != r)
                at = &(*at)->next;
            take_off(s, at);
            if (s->state == RSOCK_DATAGRAM)
                r->asker->answer(r, -EAGAIN);
            else
                rtcp_give_up(s, r);
        }
    }
}

void run_turn(struct run *n)
{
    oriel_time now = host_now();
    if (n->limit_at <= now) {
        n->limit_at = ORIEL_NEVER;
        give_up_due(n, now);
        for (unsigned i = 0; i < RUN_SOCKS_MAX && n->parked_n > 0; i++)
            for (struct run_request *r = n->slots[i] ? n->slots[i]->parked : NULL; r; r = r->next)
                n->limit_at = r->until < n->limit_at ? r->until : n->limit_at;
    }
    if (n->made >= SWEEP_EVERY) {       /* here, where nobody has one in hand */
        n->made = 0;
        rsock_sweep(n, SWEEP_MOST);
    }
    if (n->retry_at <= now) {
        n->retry_at = ORIEL_NEVER;
        rtcp_retry(n);
    }
    if (n->dirty) {
        n->dirty = false;
        live_poke(n->cfg.live, n->cfg.app);
    }
}

oriel_time run_next(const struct run *n)
{
    oriel_time at = n->limit_at < n->retry_at ? n->limit_at : n->retry_at, now = host_now();
    if (at == ORIEL_NEVER)
        return at;
    return live_now(n->cfg.live) + (at > now ? at - now : 0);
}

bool run_is_quiet(const struct run *n, bool closed)
{
    uint32_t cursor = 0;
    struct oriel_conn_info c;
    if (n->dirty)
        return false;
    while (oriel_conn_each(n->stack, &cursor, &c))
        if (c.send_queue > 0 || c.state == ORIEL_TCP_FIN_WAIT_1 || c.state == ORIEL_TCP_LAST_ACK ||
            c.state == ORIEL_TCP_CLOSING || (closed && c.state == ORIEL_TCP_FIN_WAIT_2))
            return false;
    for (unsigned i = 0; i < RUN_SOCKS_MAX; i++)
        if (n->slots[i] && n->slots[i]->held_up)
            return false;
    return true;
}

/* ---- opening ---- */

static int open_doorbell(struct run *n)
{
    struct sockaddr_un u;
    socklen_t len = rsock_name(n, &u, 'l', false, 0);
    n->doorbell = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (n->doorbell < 0 || bind(n->doorbell, (const struct sockaddr *)&u, len) != 0 ||
        listen(n->doorbell, 16) != 0)
        return -errno;
    return 0;
}

struct run *run_open(const struct run_config *cfg, char error[DRV_ERROR_MAX])
{
    struct run *n = calloc(1, sizeof(*n));
    if (!n) {
        (void)snprintf(error, DRV_ERROR_MAX, "out of memory");
        return NULL;
    }
    n->cfg = *cfg;
    n->stack = cfg->app->stack;
    n->loop = live_loop(cfg->live);
    n->doorbell = -1;
    n->limit_at = n->retry_at = ORIEL_NEVER;
    bool ok = getrandom(&n->token, sizeof(n->token), 0) == sizeof(n->token) && open_doorbell(n) == 0;
    for (unsigned i = 0; i < 4 && ok; i++)
        ok = (n->ports[i / 2][i % 2] = calloc(65536, sizeof(uint16_t))) != NULL;
    if (!ok) {
        (void)snprintf(error, DRV_ERROR_MAX, "cannot make ready for sockets: %s", strerror(errno));
        run_close(n);
        return NULL;
    }
    live_app(cfg->live, cfg->app, on_step, n);
    return n;
}

void run_close(struct run *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < RUN_SOCKS_MAX; i++) {
        if (!n->slots[i])
            continue;
        n->slots[i]->parked = NULL;
        rsock_free(n->slots[i]);
    }
    for (unsigned i = 0; i < REACH_SLOTS; i++)
        if (n->reach[i].tid)
            close(n->reach[i].pidfd);
    for (unsigned i = 0; i < 4; i++)
        free(n->ports[i / 2][i % 2]);
    if (n->doorbell >= 0)
        close(n->doorbell);
    free(n);
}
