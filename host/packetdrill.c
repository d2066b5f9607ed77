/*
 * The table of functions that packetdrill asks for: POSIX's arguments -> socket calls over the
 * stack (lab/posix.h), under a lock, in virtual time.
 */
#define _GNU_SOURCE
#include "host/packetdrill_run.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#define POLLS_MAX 256

/* Instances, for getsockopt of the C library. */
static struct drill *all;
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- files ---- */

static int call_socket(void *ud, int domain, int type, int protocol)
{
    struct drill *d = ud;
    int fd = drill_fd_new();
    drill_enter(d);
    int64_t got = fd < 0 ? fd : px_socket(&d->px, fd, domain, type, protocol);
    if (got < 0 && fd >= 0)
        drill_fd_close(fd);
    return (int)drill_leave(d, got);
}

static int call_bind(void *ud, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct drill *d = ud;
    struct oriel_endpoint e;
    drill_enter(d);
    int64_t got = addr ? px_sockaddr_parse(span_of(addr, len), &e) : -EFAULT;
    if (got == 0) {
        drill_own(d, &e.addr);
        got = px_bind(&d->px, fd, &e);
    }
    return (int)drill_leave(d, got);
}

static int call_listen(void *ud, int fd, int backlog)
{
    struct drill *d = ud;
    drill_enter(d);
    return (int)drill_leave(d, px_listen(&d->px, fd, backlog));
}

struct accepting {
    int fd, new_fd;
    struct oriel_endpoint peer;
};

static int64_t accept_again(struct drill *d, struct px_call *c, void *ctx)
{
    struct accepting *a = ctx;
    return px_accept(&d->px, c, a->fd, a->new_fd, 0, &a->peer);
}

static int call_accept(void *ud, int fd, struct sockaddr *addr, socklen_t *len)
{
    struct drill *d = ud;
    struct accepting a = {.fd = fd, .new_fd = drill_fd_new()};
    uint8_t bytes[PX_SOCKADDR_MAX];
    drill_enter(d);
    int64_t got = a.new_fd < 0 ? a.new_fd : drill_call(d, accept_again, &a);
    if (got >= 0 && addr && len) {
        size_t n = px_sockaddr_emit(&a.peer, px_of(&d->px, fd)->v6, bytes);
        memcpy(addr, bytes, *len < n ? *len : n);
        *len = (socklen_t)n;
    }
    if (got < 0 && a.new_fd >= 0)
        drill_fd_close(a.new_fd);
    return (int)drill_leave(d, got);
}

struct connecting {
    int fd;
    struct oriel_endpoint to;
};

static int64_t connect_again(struct drill *d, struct px_call *c, void *ctx)
{
    struct connecting *k = ctx;
    return px_connect(&d->px, c, k->fd, &k->to);
}

static int call_connect(void *ud, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct drill *d = ud;
    struct connecting c = {.fd = fd};
    drill_enter(d);
    int64_t got = addr ? px_sockaddr_parse(span_of(addr, len), &c.to) : -EFAULT;
    if (got == 0)
        got = drill_call(d, connect_again, &c);
    return (int)drill_leave(d, got);
}

static int call_close(void *ud, int fd)
{
    struct drill *d = ud;
    drill_enter(d);
    int64_t got = px_close(&d->px, fd);
    if (got != -EBADF)
        drill_fd_close(fd);
    return (int)drill_leave(d, got);
}

static int call_shutdown(void *ud, int fd, int how)
{
    struct drill *d = ud;
    drill_enter(d);
    return (int)drill_leave(d, px_shutdown(&d->px, fd, how));
}

static int call_fcntl(void *ud, int fd, int cmd, ...)
{
    struct drill *d = ud;
    va_list more;
    va_start(more, cmd);
    int64_t arg = cmd == PX_F_SETFL || cmd == PX_F_SETFD ? va_arg(more, int) : 0;
    va_end(more);
    drill_enter(d);
    return (int)drill_leave(d, px_fcntl(&d->px, fd, cmd, arg));
}

static int call_ioctl(void *ud, int fd, unsigned long request, ...)
{
    struct drill *d = ud;
    va_list more;
    va_start(more, request);
    int *value = va_arg(more, int *);
    va_end(more);
    int32_t v = value && request == PX_FIONBIO ? *value : 0;
    drill_enter(d);
    int64_t got = px_ioctl(&d->px, fd, request, &v);
    if (got >= 0 && value && request != PX_FIONBIO)
        *value = v;
    return (int)drill_leave(d, got);
}

/* ---- bytes ---- */

static ssize_t call_recvfrom(void *ud, int fd, void *buf, size_t n, int flags,
                             struct sockaddr *addr, socklen_t *len)
{
    struct iovec one = {.iov_base = buf, .iov_len = n};
    struct px_io io;
    return drill_recv(ud, fd, &one, 1, flags, addr, len, &io);
}

static ssize_t call_recv(void *ud, int fd, void *buf, size_t n, int flags)
{
    return call_recvfrom(ud, fd, buf, n, flags, NULL, NULL);
}

static ssize_t call_read(void *ud, int fd, void *buf, size_t n)
{
    return call_recvfrom(ud, fd, buf, n, 0, NULL, NULL);
}

static ssize_t call_readv(void *ud, int fd, const struct iovec *iov, int count)
{
    struct px_io io;
    return drill_recv(ud, fd, iov, count > 0 ? (size_t)count : 0, 0, NULL, NULL, &io);
}

static ssize_t call_recvmsg(void *ud, int fd, struct msghdr *msg, int flags)
{
    return drill_recvmsg(ud, fd, msg, flags);
}

static ssize_t call_sendto(void *ud, int fd, const void *buf, size_t n, int flags,
                           const struct sockaddr *addr, socklen_t len)
{
    const struct iovec one = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};
    struct px_io io = {.fd = fd};
    return drill_send(ud, fd, &one, 1, flags, addr, len, &io);
}

static ssize_t call_send(void *ud, int fd, const void *buf, size_t n, int flags)
{
    return call_sendto(ud, fd, buf, n, flags, NULL, 0);
}

static ssize_t call_write(void *ud, int fd, const void *buf, size_t n)
{
    return call_sendto(ud, fd, buf, n, 0, NULL, 0);
}

static ssize_t call_writev(void *ud, int fd, const struct iovec *iov, int count)
{
    struct px_io io = {.fd = fd};
    return drill_send(ud, fd, iov, count > 0 ? (size_t)count : 0, 0, NULL, 0, &io);
}

static ssize_t call_sendmsg(void *ud, int fd, const struct msghdr *msg, int flags)
{
    return drill_sendmsg(ud, fd, msg, flags);
}

struct splicing {
    int in, out;
    size_t n;
    uint32_t flags;
};

static int64_t splice_again(struct drill *d, struct px_call *c, void *ctx)
{
    struct splicing *s = ctx;
    return px_splice(&d->px, c, s->in, s->out, s->n, s->flags);
}

static int call_splice(void *ud, int in, loff_t *in_off, int out, loff_t *out_off, size_t n,
                       unsigned flags)
{
    struct drill *d = ud;
    struct splicing s = {.in = in, .out = out, .n = n, .flags = flags};
    drill_enter(d);
    int64_t got = in_off || out_off ? -ESPIPE : drill_call(d, splice_again, &s);
    return (int)drill_leave(d, got);
}

static int call_pipe(void *ud, int fds[2])
{
    struct drill *d = ud;
    int r = drill_fd_new(), w = drill_fd_new();
    drill_enter(d);
    int64_t got = r < 0 ? r : w < 0 ? w : px_pipe(&d->px, r, w);
    if (got == 0) {
        fds[0] = r;
        fds[1] = w;
    }
    if (got < 0 && r >= 0)
        drill_fd_close(r);
    if (got < 0 && w >= 0)
        drill_fd_close(w);
    return (int)drill_leave(d, got);
}

/* ---- options ---- */

static int call_getsockopt(void *ud, int fd, int level, int opt, void *val, socklen_t *len)
{
    struct drill *d = ud;
    uint32_t n = len ? *len : 0;
    drill_enter(d);
    int64_t got = val && len ? px_getsockopt(&d->px, fd, level, opt, val, &n) : -EFAULT;
    if (got == 0)
        *len = n;
    return (int)drill_leave(d, got);
}

static int call_setsockopt(void *ud, int fd, int level, int opt, const void *val, socklen_t len)
{
    struct drill *d = ud;
    drill_enter(d);
    return (int)drill_leave(d, val ? px_setsockopt(&d->px, fd, level, opt, val, len) : -EFAULT);
}

/* The C library's, where this library is preloaded: descriptors of ours are answered here. */
PACKETDRILL_API int getsockopt(int fd, int level, int opt, void *restrict val,
                               socklen_t *restrict len)
{
    typedef int function(int, int, int, void *, socklen_t *);
    pthread_mutex_lock(&all_lock);
    struct drill *found = NULL;
    for (struct drill *d = all; d && !found; d = d->next) {
        pthread_mutex_lock(&d->lock);
        found = px_of(&d->px, fd) ? d : NULL;
        pthread_mutex_unlock(&d->lock);
    }
    pthread_mutex_unlock(&all_lock);
    if (found)
        return call_getsockopt(found, fd, level, opt, val, len);
    function *next = NULL;
    void *symbol = dlsym(RTLD_NEXT, "getsockopt");
    memcpy(&next, &symbol, sizeof next);
    if (next)
        return next(fd, level, opt, val, len);
    errno = ENOSYS;
    return -1;
}

/* ---- readiness ---- */

struct polling {
    struct px_pollfd fds[POLLS_MAX];
    size_t n;
    int timeout_ms;
};

static int64_t poll_again(struct drill *d, struct px_call *c, void *ctx)
{
    struct polling *p = ctx;
    return px_poll(&d->px, c, p->fds, p->n, p->timeout_ms);
}

static int call_poll(void *ud, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct drill *d = ud;
    struct polling p = {.n = n, .timeout_ms = timeout_ms};
    for (size_t i = 0; i < n && n <= POLLS_MAX; i++)
        p.fds[i] = (struct px_pollfd){.fd = fds[i].fd, .events = fds[i].events};
    drill_enter(d);
    int64_t got = n <= POLLS_MAX ? drill_call(d, poll_again, &p) : -EINVAL;
    for (size_t i = 0; i < n && got >= 0; i++)
        fds[i].revents = p.fds[i].revents;
    return (int)drill_leave(d, got);
}

static int call_epoll_create(void *ud, int size)
{
    struct drill *d = ud;
    int fd = drill_fd_new();
    drill_enter(d);
    int64_t got = size <= 0 ? -EINVAL : fd < 0 ? fd : px_epoll_create(&d->px, fd);
    if (got < 0 && fd >= 0)
        drill_fd_close(fd);
    return (int)drill_leave(d, got);
}

static int call_epoll_ctl(void *ud, int epfd, int op, int fd, struct epoll_event *e)
{
    struct drill *d = ud;
    struct px_epoll_event event = {0};
    if (e)
        event = (struct px_epoll_event){.events = e->events, .data = e->data.u64};
    drill_enter(d);
    return (int)drill_leave(d, px_epoll_ctl(&d->px, epfd, op, fd, e ? &event : NULL));
}

struct epolling {
    struct px_epoll_event events[POLLS_MAX];
    int epfd, max, timeout_ms;
};

static int64_t epoll_again(struct drill *d, struct px_call *c, void *ctx)
{
    struct epolling *p = ctx;
    return px_epoll_wait(&d->px, c, p->epfd, p->events, p->max, p->timeout_ms);
}

static int call_epoll_wait(void *ud, int epfd, struct epoll_event *e, int max, int timeout_ms)
{
    struct drill *d = ud;
    struct epolling p = {.epfd = epfd, .max = max < POLLS_MAX ? max : POLLS_MAX,
                         .timeout_ms = timeout_ms};
    drill_enter(d);
    int64_t got = drill_call(d, epoll_again, &p);
    for (int64_t i = 0; i < got; i++) {
        e[i].events = p.events[i].events;
        e[i].data.u64 = p.events[i].data;
    }
    return (int)drill_leave(d, got);
}

/* ---- the network, the clock ---- */

/* An address that a packet is sent to is ours: the flags need not name it. */
static void own_destination(struct drill *d, const void *buf, size_t n)
{
    struct oriel_addr dst;
    if (script_destination(span_of(buf, n), &dst))
        drill_own(d, &dst);
}

static int call_netdev_send(void *ud, const void *buf, size_t n)
{
    struct drill *d = ud;
    drill_enter(d);
    own_destination(d, buf, n);
    drill_arrive(d, buf, n);
    return (int)drill_leave(d, 0);
}

static int call_netdev_receive(void *ud, void *buf, size_t *n, long long *time_us)
{
    struct drill *d = ud;
    drill_enter(d);
    (void)drill_run_to(d, d->now + DRILL_PATIENCE, true);
    struct drill_packet *q = d->first;
    size_t room = *n;
    *n = 0;
    if (q) {
        *n = q->n < room ? q->n : room;
        memcpy(buf, q->bytes, *n);
        *time_us = (long long)(q->time / NS_PER_US);
        d->first = q->next;
        d->last = d->first ? d->last : &d->first;
        free(q);
    }
    return (int)drill_leave(d, 0);
}

static int call_usleep(void *ud, useconds_t us)
{
    struct drill *d = ud;
    drill_enter(d);
    if (us > 1)
        (void)drill_run_to(d, d->now + (us - 1) * NS_PER_US, false);
    return (int)drill_leave(d, 0);
}

static int call_gettimeofday(void *ud, struct timeval *tv, struct timezone *tz)
{
    struct drill *d = ud;
    (void)tz;
    drill_enter(d);
    tv->tv_sec = (time_t)(d->now / NS_PER_S);
    tv->tv_usec = (suseconds_t)(d->now % NS_PER_S / NS_PER_US);
    return (int)drill_leave(d, 0);
}

/* ---- the table ---- */

static void call_free(void *ud)
{
    pthread_mutex_lock(&all_lock);
    struct drill **at = &all;
    while (*at && *at != ud)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    pthread_mutex_unlock(&all_lock);
    drill_free(ud);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *out)
{
    struct drill *d = drill_new(flags);
    pthread_mutex_lock(&all_lock);
    d->next = all;
    all = d;
    pthread_mutex_unlock(&all_lock);
    *out = (struct packetdrill_interface){
        .userdata = d, .free = call_free, .socket = call_socket, .bind = call_bind,
        .listen = call_listen, .accept = call_accept, .connect = call_connect, .read = call_read,
        .readv = call_readv, .recv = call_recv, .recvfrom = call_recvfrom, .recvmsg = call_recvmsg,
        .write = call_write, .writev = call_writev, .send = call_send, .sendto = call_sendto,
        .sendmsg = call_sendmsg, .fcntl = call_fcntl, .ioctl = call_ioctl, .close = call_close,
        .shutdown = call_shutdown, .getsockopt = call_getsockopt, .setsockopt = call_setsockopt,
        .poll = call_poll, .netdev_send = call_netdev_send, .netdev_receive = call_netdev_receive,
        .usleep = call_usleep, .gettimeofday = call_gettimeofday, .epoll_create = call_epoll_create,
        .epoll_ctl = call_epoll_ctl, .epoll_wait = call_epoll_wait, .pipe = call_pipe,
        .splice = call_splice,
    };
}
