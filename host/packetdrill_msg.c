/*
 * Transfers: pieces gathered into one, addresses and control messages in the system's layout.
 *
 * A call may block and be made again by another thread, so its bytes are collected in memory of its
 * own first; what came is scattered into the caller's pieces when the call is over.
 */
#define _GNU_SOURCE
#include "host/packetdrill_run.h"

#include "host/msghdr.h"

#include <errno.h>
#include <stdlib.h>

/* ---- in ---- */

static int64_t recv_again(struct drill *d, struct px_call *c, void *ctx)
{
    return px_recv(&d->px, c, ctx);
}

ssize_t drill_recv(struct drill *d, int fd, const struct iovec *iov, size_t count, int flags,
                   struct sockaddr *addr, socklen_t *len, struct px_io *io)
{
    size_t n = iov_total(iov, count);
    uint8_t *bytes = n <= IOV_TOTAL_MAX ? malloc(n + 1) : NULL;
    if (!bytes) {
        errno = ENOMEM;
        return -1;
    }
    *io = (struct px_io){.fd = fd, .bytes = bytes, .n = n, .flags = (uint32_t)flags};
    drill_enter(d);
    int64_t got = drill_call(d, recv_again, io);
    if (got >= 0) {
        iov_scatter(bytes, (size_t)got < n ? (size_t)got : n, iov, count);
        sockaddr_give(&io->peer, px_of(&d->px, fd)->v6, addr, len);
    }
    got = drill_leave(d, got);
    free(bytes);
    return (ssize_t)got;
}

ssize_t drill_recvmsg(struct drill *d, int fd, struct msghdr *msg, int flags)
{
    struct px_io io;
    socklen_t len = msg->msg_namelen;
    ssize_t got = drill_recv(d, fd, msg->msg_iov, msg->msg_iovlen, flags, msg->msg_name, &len, &io);
    if (got < 0)
        return got;
    msg->msg_namelen = msg->msg_name ? len : 0;
    pthread_mutex_lock(&d->lock);
    const struct px_file *f = px_of(&d->px, fd);
    struct px_file file = f ? *f : (struct px_file){.kind = PX_FREE};
    pthread_mutex_unlock(&d->lock);
    msghdr_give(msg, &io, &file);
    return got;
}

/* ---- out ---- */

static int64_t send_again(struct drill *d, struct px_call *c, void *ctx)
{
    return px_send(&d->px, c, ctx);
}

ssize_t drill_send(struct drill *d, int fd, const struct iovec *iov, size_t count, int flags,
                   const struct sockaddr *addr, socklen_t len, struct px_io *io)
{
    size_t n = iov_total(iov, count);
    int bad = addr ? px_sockaddr_parse(span_of(addr, len), &io->peer) : 0;
    uint8_t *bytes = n <= IOV_TOTAL_MAX && !bad ? malloc(n + 1) : NULL;
    if (!bytes) {
        errno = bad ? -bad : ENOMEM;
        return -1;
    }
    iov_gather(bytes, iov, count);
    io->fd = fd;
    io->bytes = bytes;
    io->n = n;
    io->flags = (uint32_t)flags;
    io->has_peer = addr != NULL;
    drill_enter(d);
    int64_t got = drill_leave(d, drill_call(d, send_again, io));
    free(bytes);
    return (ssize_t)got;
}

ssize_t drill_sendmsg(struct drill *d, int fd, const struct msghdr *msg, int flags)
{
    struct px_io io = {.fd = fd};
    msghdr_take(msg, &io);
    return drill_send(d, fd, msg->msg_iov, msg->msg_iovlen, flags, msg->msg_name, msg->msg_namelen,
                      &io);
}
