/*
 * Bytes. One piece goes where it lies; of several, a stream takes one after the other and a datagram is
 * gathered first.
 */
#define _GNU_SOURCE
#include "host/posix_run.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t recv_again(struct oriel_px *p, struct px_call *c, void *ctx)
{
    return px_recv(&p->px, c, ctx);
}

static int64_t send_again(struct oriel_px *p, struct px_call *c, void *ctx)
{
    return px_send(&p->px, c, ctx);
}

static ssize_t fails(int number)
{
    errno = number;
    return -1;
}

/* Memory for several pieces in one; NULL: none, or too many bytes. */
static uint8_t *one_piece(const struct iovec *iov, size_t count, size_t *n)
{
    *n = iov_total(iov, count);
    return *n <= IOV_TOTAL_MAX ? malloc(*n + 1) : NULL;
}

/* ---- in ---- */

/* One transfer; *file as it is afterwards. */
static int64_t receive(struct oriel_px *p, struct px_io *io, struct px_file *file)
{
    int64_t got = posix_call_on(p, io->fd, recv_again, io);
    const struct px_file *f = px_of(&p->px, io->fd);
    if (f)
        *file = *f;
    return got;
}

static ssize_t receive_pieces(int fd, const struct iovec *iov, size_t count, int flags,
                              struct px_io *io, struct px_file *file)
{
    struct oriel_px *p = posix_of(fd);
    size_t n = count == 1 ? iov[0].iov_len : 0;
    *file = (struct px_file){.kind = PX_FREE};
    if (!p)
        return posix_not_ours(fd);
    uint8_t *bytes = count == 1 ? iov[0].iov_base : one_piece(iov, count, &n);
    if (!bytes && n > 0)
        return fails(count == 1 ? EFAULT : ENOMEM);
    *io = (struct px_io){.fd = fd, .bytes = bytes, .n = n, .flags = (uint32_t)flags};
    posix_enter(p);
    int64_t got = posix_leave(p, receive(p, io, file));
    if (count != 1) {
        if (got > 0)
            iov_scatter(bytes, (size_t)got < n ? (size_t)got : n, iov, count);
        free(bytes);
    }
    return (ssize_t)got;
}

ssize_t oriel_px_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
                          socklen_t *len)
{
    const struct iovec one = {.iov_base = buf, .iov_len = n};
    struct px_io io;
    struct px_file file;
    ssize_t got = receive_pieces(fd, &one, 1, flags, &io, &file);
    if (got >= 0 && file.kind == PX_TCP && len)
        *len = 0;                               /* a stream names nobody */
    else if (got >= 0)
        sockaddr_give(&io.peer, file.v6, addr, len);
    return got;
}

ssize_t oriel_px_recv(int fd, void *buf, size_t n, int flags)
{
    return oriel_px_recvfrom(fd, buf, n, flags, NULL, NULL);
}

ssize_t oriel_px_read(int fd, void *buf, size_t n)
{
    return posix_of(fd) ? oriel_px_recvfrom(fd, buf, n, 0, NULL, NULL) : read(fd, buf, n);
}

ssize_t oriel_px_readv(int fd, const struct iovec *iov, int count)
{
    struct px_io io;
    struct px_file file;
    if (!posix_of(fd))
        return readv(fd, iov, count);
    if (count < 0 || count > IOV_MAX)
        return fails(EINVAL);
    return receive_pieces(fd, iov, (size_t)count, 0, &io, &file);
}

ssize_t oriel_px_recvmsg(int fd, struct msghdr *msg, int flags)
{
    struct px_io io;
    struct px_file file;
    if (msg->msg_iovlen > IOV_MAX)
        return fails(EMSGSIZE);
    ssize_t got = receive_pieces(fd, msg->msg_iov, msg->msg_iovlen, flags, &io, &file);
    if (got < 0)
        return got;
    if (file.kind != PX_TCP && msg->msg_name)
        sockaddr_give(&io.peer, file.v6, msg->msg_name, &msg->msg_namelen);
    else
        msg->msg_namelen = 0;
    msghdr_give(msg, &io, &file);
    return got;
}

/* ---- out ---- */

/* Piece after piece: the last that is not taken whole ends it. */
static int64_t send_stream(struct oriel_px *p, const struct iovec *iov, size_t count,
                           const struct px_io *as)
{
    int64_t done = 0;
    for (size_t i = 0; i < count; i++) {
        struct px_io io = *as;
        io.bytes = iov[i].iov_base;
        io.n = iov[i].iov_len;
        io.flags |= i + 1 < count ? MSG_MORE : 0u;
        int64_t got = posix_call_on(p, io.fd, send_again, &io);
        if (got < 0)
            return done > 0 ? done : got;
        done += got;
        if ((size_t)got < io.n)
            break;
    }
    return done;
}

static int64_t send_whole(struct oriel_px *p, const struct iovec *iov, size_t count, struct px_io *io)
{
    io->bytes = one_piece(iov, count, &io->n);
    if (!io->bytes)
        return io->n > IOV_TOTAL_MAX ? -EMSGSIZE : -ENOMEM;
    iov_gather(io->bytes, iov, count);
    int64_t got = posix_call_on(p, io->fd, send_again, io);
    free(io->bytes);
    return got;
}

static ssize_t send_pieces(const struct iovec *iov, size_t count, const struct sockaddr *addr,
                           socklen_t len, struct px_io *io)
{
    struct oriel_px *p = posix_of(io->fd);
    if (!p)
        return posix_not_ours(io->fd);
    int bad = addr ? px_sockaddr_parse(span_of(addr, len), &io->peer) : 0;
    if (bad)
        return fails(-bad);
    io->has_peer = addr != NULL;
    posix_enter(p);
    const struct px_file *f = px_of(&p->px, io->fd);
    bool apart = f && f->kind == PX_TCP;
    if (count == 1) {
        io->bytes = iov[0].iov_base;
        io->n = iov[0].iov_len;
        return (ssize_t)posix_leave(p, posix_call_on(p, io->fd, send_again, io));
    }
    return (ssize_t)posix_leave(p, apart ? send_stream(p, iov, count, io)
                                         : send_whole(p, iov, count, io));
}

ssize_t oriel_px_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,
                        socklen_t len)
{
    const struct iovec one = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};
    struct px_io io = {.fd = fd, .flags = (uint32_t)flags};
    if (!buf && n > 0)
        return fails(EFAULT);
    return send_pieces(&one, 1, addr, len, &io);
}

ssize_t oriel_px_send(int fd, const void *buf, size_t n, int flags)
{
    return oriel_px_sendto(fd, buf, n, flags, NULL, 0);
}

ssize_t oriel_px_write(int fd, const void *buf, size_t n)
{
    return posix_of(fd) ? oriel_px_sendto(fd, buf, n, 0, NULL, 0) : write(fd, buf, n);
}

ssize_t oriel_px_writev(int fd, const struct iovec *iov, int count)
{
    struct px_io io = {.fd = fd};
    if (!posix_of(fd))
        return writev(fd, iov, count);
    if (count < 0 || count > IOV_MAX)
        return fails(EINVAL);
    return send_pieces(iov, (size_t)count, NULL, 0, &io);
}

ssize_t oriel_px_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct px_io io = {.fd = fd, .flags = (uint32_t)flags};
    if (msg->msg_iovlen > IOV_MAX)
        return fails(EMSGSIZE);
    msghdr_take(msg, &io);
    return send_pieces(msg->msg_iov, msg->msg_iovlen, msg->msg_name, msg->msg_namelen, &io);
}
