/* Files and options: from the system's arguments to lab/posix.h, under the lock. */
#define _GNU_SOURCE
#include "host/posix_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int fails(int number)
{
    errno = number;
    return -1;
}

int posix_not_ours(int fd)
{
    return fails(fcntl(fd, F_GETFD) < 0 ? EBADF : ENOTSOCK);
}

static int64_t parse(const struct sockaddr *addr, socklen_t len, struct oriel_endpoint *out)
{
    return addr ? px_sockaddr_parse(span_of(addr, len), out) : -EFAULT;
}

int oriel_px_socket(int domain, int type, int protocol)
{
    struct oriel_px *p = posix_here();
    if (!p)
        return -1;
    int fd = posix_fd_new(p, (type & SOCK_CLOEXEC) != 0);
    if (fd < 0)
        return fails(-fd);
    posix_enter(p);
    int64_t got = px_socket(&p->px, fd, domain, type, protocol);
    if (got >= 0)
        posix_fd_give(p, fd);
    else
        posix_fd_drop(fd);
    return (int)posix_leave(p, got);
}

int oriel_px_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct oriel_px *p = posix_of(fd);
    struct oriel_endpoint e;
    if (!p)
        return posix_not_ours(fd);
    posix_enter(p);
    int64_t got = parse(addr, len, &e);
    return (int)posix_leave(p, got == 0 ? px_bind(&p->px, fd, &e) : got);
}

int oriel_px_listen(int fd, int backlog)
{
    struct oriel_px *p = posix_of(fd);
    if (!p)
        return posix_not_ours(fd);
    posix_enter(p);
    return (int)posix_leave(p, px_listen(&p->px, fd, backlog));
}

/* ---- accept, connect ---- */

struct accepting {
    int fd, new_fd, flags;
    struct oriel_endpoint peer;
};

static int64_t accept_again(struct oriel_px *p, struct px_call *c, void *ctx)
{
    struct accepting *a = ctx;
    return px_accept(&p->px, c, a->fd, a->new_fd, a->flags, &a->peer);
}

int oriel_px_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    struct oriel_px *p = posix_of(fd);
    if (!p)
        return posix_not_ours(fd);
    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return fails(EINVAL);
    struct accepting a = {.fd = fd, .new_fd = posix_fd_new(p, (flags & SOCK_CLOEXEC) != 0),
                          .flags = flags};
    if (a.new_fd < 0)
        return fails(-a.new_fd);
    posix_enter(p);
    int64_t got = posix_call_on(p, fd, accept_again, &a);
    if (got >= 0) {
        posix_fd_give(p, a.new_fd);
        sockaddr_give(&a.peer, px_of(&p->px, a.new_fd)->v6, addr, len);
    } else {
        posix_fd_drop(a.new_fd);
    }
    return (int)posix_leave(p, got);
}

int oriel_px_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    return oriel_px_accept4(fd, addr, len, 0);
}

struct connecting {
    int fd;
    struct oriel_endpoint to;
};

static int64_t connect_again(struct oriel_px *p, struct px_call *c, void *ctx)
{
    struct connecting *k = ctx;
    return px_connect(&p->px, c, k->fd, &k->to);
}

int oriel_px_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct oriel_px *p = posix_of(fd);
    struct connecting c = {.fd = fd};
    if (!p)
        return posix_not_ours(fd);
    posix_enter(p);
    int64_t got = parse(addr, len, &c.to);
    return (int)posix_leave(p, got == 0 ? posix_call_on(p, fd, connect_again, &c) : got);
}

/* ---- the end ---- */

int oriel_px_shutdown(int fd, int how)
{
    struct oriel_px *p = posix_of(fd);
    if (!p)
        return posix_not_ours(fd);
    posix_enter(p);
    return (int)posix_leave(p, px_shutdown(&p->px, fd, how));
}

int oriel_px_close(int fd)
{
    struct oriel_px *p = posix_of(fd);
    if (!p)
        return close(fd);
    posix_enter(p);
    int64_t got = px_close(&p->px, fd);
    if (got != -EBADF) {                        /* another thread was first */
        posix_closed(p, fd);
        posix_fd_drop(fd);
    }
    return (int)posix_leave(p, got);
}

/* ---- names and options ---- */

static int name_of(int fd, bool peer, struct sockaddr *addr, socklen_t *len)
{
    struct oriel_px *p = posix_of(fd);
    struct oriel_endpoint e;
    if (!p)
        return posix_not_ours(fd);
    if (!addr || !len)
        return fails(EFAULT);
    posix_enter(p);
    int64_t got = px_name(&p->px, fd, peer, &e);
    if (got == 0)
        sockaddr_give(&e, px_of(&p->px, fd)->v6, addr, len);
    return (int)posix_leave(p, got);
}

int oriel_px_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return name_of(fd, false, addr, len);
}

int oriel_px_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return name_of(fd, true, addr, len);
}

int oriel_px_getsockopt(int fd, int level, int opt, void *val, socklen_t *len)
{
    struct oriel_px *p = posix_of(fd);
    uint32_t n = len ? *len : 0;
    if (!p)
        return posix_not_ours(fd);
    posix_enter(p);
    int64_t got = val && len ? px_getsockopt(&p->px, fd, level, opt, val, &n) : -EFAULT;
    if (got == 0)
        *len = n;
    return (int)posix_leave(p, got);
}

int oriel_px_setsockopt(int fd, int level, int opt, const void *val, socklen_t len)
{
    struct oriel_px *p = posix_of(fd);
    if (!p)
        return posix_not_ours(fd);
    posix_enter(p);
    return (int)posix_leave(p, val ? px_setsockopt(&p->px, fd, level, opt, val, len) : -EFAULT);
}

int oriel_px_fcntl(int fd, int cmd, ...)
{
    struct oriel_px *p = posix_of(fd);
    va_list more;
    va_start(more, cmd);
    intptr_t arg = va_arg(more, intptr_t);      /* an int or a pointer, passed on as it came */
    va_end(more);
    if (!p || cmd == F_GETFD || cmd == F_SETFD)
        return fcntl(fd, cmd, arg);
    posix_enter(p);
    return (int)posix_leave(p, px_fcntl(&p->px, fd, cmd, arg));
}

int oriel_px_ioctl(int fd, unsigned long request, ...)
{
    struct oriel_px *p = posix_of(fd);
    va_list more;
    va_start(more, request);
    void *arg = va_arg(more, void *);
    va_end(more);
    if (!p)
        return ioctl(fd, request, arg);
    if (!arg)
        return fails(EFAULT);
    int32_t v = 0;
    memcpy(&v, arg, request == FIONBIO ? sizeof v : 0);
    posix_enter(p);
    int64_t got = px_ioctl(&p->px, fd, request, &v);
    if (got >= 0 && request != FIONBIO)
        memcpy(arg, &v, sizeof v);
    return (int)posix_leave(p, got);
}
