/*
 * Transfers: pieces gathered into one, addresses and control messages in the system's layout.
 *
 * A call may block and be made again by another thread, so its bytes are collected in memory of its
 * own first; what came is scattered into the caller's pieces when the call is over.
 */
#define _GNU_SOURCE
#include "host/packetdrill_run.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#define TOTAL_MAX ((size_t)64 << 20)

static size_t total(const struct iovec *iov, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count && n <= TOTAL_MAX; i++)
        n += iov[i].iov_len < TOTAL_MAX ? iov[i].iov_len : TOTAL_MAX + 1;
    return n;
}

static void gather(uint8_t *to, const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > 0)
            memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
}

static void scatter(const uint8_t *from, size_t n, const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count && n > 0; i++) {
        size_t k = iov[i].iov_len < n ? iov[i].iov_len : n;
        if (k > 0 && iov[i].iov_base)
            memcpy(iov[i].iov_base, from, k);
        from += k;
        n -= k;
    }
}

static void give_addr(const struct drill *d, const struct px_io *io, struct sockaddr *addr,
                      socklen_t *len)
{
    uint8_t bytes[PX_SOCKADDR_MAX];
    const struct px_file *f = px_of((struct px *)&d->px, io->fd);
    if (!addr || !len)
        return;
    size_t n = px_sockaddr_emit(&io->peer, f && f->v6, bytes);
    memcpy(addr, bytes, *len < n ? *len : n);
    *len = (socklen_t)n;
}

/* ---- in ---- */

static int64_t recv_again(struct drill *d, struct px_call *c, void *ctx)
{
    return px_recv(&d->px, c, ctx);
}

ssize_t drill_recv(struct drill *d, int fd, const struct iovec *iov, size_t count, int flags,
                   struct sockaddr *addr, socklen_t *len, struct px_io *io)
{
    size_t n = total(iov, count);
    uint8_t *bytes = n <= TOTAL_MAX ? malloc(n + 1) : NULL;
    if (!bytes) {
        errno = ENOMEM;
        return -1;
    }
    *io = (struct px_io){.fd = fd, .bytes = bytes, .n = n, .flags = (uint32_t)flags};
    drill_enter(d);
    int64_t got = drill_call(d, recv_again, io);
    if (got >= 0) {
        scatter(bytes, (size_t)got < n ? (size_t)got : n, iov, count);
        give_addr(d, io, addr, len);
    }
    got = drill_leave(d, got);
    free(bytes);
    return (ssize_t)got;
}

static bool put_cmsg(struct msghdr *m, struct cmsghdr **at, int level, int type, const void *data,
                     size_t n)
{
    if (!*at || (size_t)((uint8_t *)m->msg_control + m->msg_controllen - (uint8_t *)*at) <
                    CMSG_SPACE(n)) {
        m->msg_flags |= MSG_CTRUNC;
        return false;
    }
    (*at)->cmsg_level = level;
    (*at)->cmsg_type = type;
    (*at)->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(*at), data, n);
    *at = (struct cmsghdr *)((uint8_t *)*at + CMSG_SPACE(n));
    return true;
}

/* struct sock_extended_err and the address of who complained. */
static void put_error(struct msghdr *m, struct cmsghdr **at, const struct px_io *io, bool six)
{
    uint8_t bytes[16 + PX_SOCKADDR_MAX] = {0};
    uint32_t number = (uint32_t)px_errno_of(io->error.err), info = io->error.mtu;
    struct oriel_endpoint from = {.addr = io->error.from};
    memcpy(bytes, &number, 4);
    bytes[4] = !io->error.from_net ? 1 : six ? 3 : 2;
    bytes[5] = io->error.icmp_type;
    bytes[6] = io->error.icmp_code;
    memcpy(bytes + 8, &info, 4);
    size_t n = 16 + px_sockaddr_emit(&from, six, bytes + 16);
    (void)put_cmsg(m, at, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, bytes,
                   n);
}

static void put_cmsgs(struct drill *d, struct msghdr *m, const struct px_io *io)
{
    pthread_mutex_lock(&d->lock);
    const struct px_file *f = px_of(&d->px, io->fd);
    uint32_t want = f ? f->cmsg : 0;
    bool six = f && f->v6 && !addr_is_v4(&io->peer.addr), stream = f && f->kind == PX_TCP;
    pthread_mutex_unlock(&d->lock);
    struct cmsghdr *at = m->msg_control && m->msg_controllen > 0 ? m->msg_control : NULL;
    int32_t ttl = io->ttl, inq = (int32_t)io->inq, tos = io->tos;
    uint8_t tos4 = io->tos;
    if ((want & PX_CMSG_INQ) && stream)
        (void)put_cmsg(m, &at, IPPROTO_TCP, 36, &inq, sizeof inq);
    if ((want & PX_CMSG_TTL) && !stream)
        (void)put_cmsg(m, &at, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_HOPLIMIT : IP_TTL, &ttl,
                       sizeof ttl);
    if ((want & PX_CMSG_TOS) && !stream && six)
        (void)put_cmsg(m, &at, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    if ((want & PX_CMSG_TOS) && !stream && !six)
        (void)put_cmsg(m, &at, IPPROTO_IP, IP_TOS, &tos4, sizeof tos4);
    if (io->out_flags & PX_MSG_ERRQUEUE)
        put_error(m, &at, io, six);
    m->msg_controllen = at ? (size_t)((uint8_t *)at - (uint8_t *)m->msg_control) : 0;
}

ssize_t drill_recvmsg(struct drill *d, int fd, struct msghdr *msg, int flags)
{
    struct px_io io;
    socklen_t len = msg->msg_namelen;
    ssize_t got = drill_recv(d, fd, msg->msg_iov, msg->msg_iovlen, flags, msg->msg_name, &len, &io);
    if (got < 0)
        return got;
    msg->msg_namelen = msg->msg_name ? len : 0;
    msg->msg_flags = (int)io.out_flags;
    put_cmsgs(d, msg, &io);
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
    size_t n = total(iov, count);
    int bad = addr ? px_sockaddr_parse(span_of(addr, len), &io->peer) : 0;
    uint8_t *bytes = n <= TOTAL_MAX && !bad ? malloc(n + 1) : NULL;
    if (!bytes) {
        errno = bad ? -bad : ENOMEM;
        return -1;
    }
    gather(bytes, iov, count);
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

static uint8_t cmsg_byte(const struct cmsghdr *c)
{
    int32_t word = 0;
    memcpy(&word, CMSG_DATA(c), c->cmsg_len >= CMSG_LEN(sizeof word) ? sizeof word : 1);
    return (uint8_t)word;
}

ssize_t drill_sendmsg(struct drill *d, int fd, const struct msghdr *msg, int flags)
{
    struct px_io io = {.fd = fd};
    struct msghdr m = *msg;
    for (struct cmsghdr *c = m.msg_control ? CMSG_FIRSTHDR(&m) : NULL; c; c = CMSG_NXTHDR(&m, c)) {
        bool six = c->cmsg_level == IPPROTO_IPV6;
        bool tos = c->cmsg_type == (six ? IPV6_TCLASS : IP_TOS);
        bool ttl = c->cmsg_type == (six ? IPV6_HOPLIMIT : IP_TTL);
        if (c->cmsg_level != IPPROTO_IP && !six)
            continue;
        io.has_tos = io.has_tos || tos;
        io.has_ttl = io.has_ttl || ttl;
        io.tos = tos ? cmsg_byte(c) : io.tos;
        io.ttl = ttl ? cmsg_byte(c) : io.ttl;
    }
    return drill_send(d, fd, msg->msg_iov, msg->msg_iovlen, flags, msg->msg_name, msg->msg_namelen,
                      &io);
}
