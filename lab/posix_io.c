/*
 * Bytes in and out. A datagram is one call; of a stream a blocking write takes everything, a read
 * what there is (with MSG_WAITALL everything). px_call remembers how far a call that waits has
 * come.
 */
#include "lab/posix.h"

static int64_t answer(int oriel_err)
{
    return oriel_err < 0 ? -px_errno_of(oriel_err) : oriel_err;
}

/* What is to be told of a transfer that stops here: what was done, or the error. */
static int64_t stop(const struct px_call *c, int64_t err)
{
    return c->done > 0 ? (int64_t)c->done : err;
}

/* ---- out ---- */

static uint32_t send_flags(uint32_t flags)
{
    return (flags & PX_MSG_MORE ? ORIEL_MSG_MORE : 0u) |
           (flags & PX_MSG_OOB ? ORIEL_MSG_URGENT : 0u) |
           (flags & PX_MSG_EOR ? ORIEL_MSG_EOR : 0u);
}

/* Is the handshake of a connect still under way? Linux takes no data before it is over. */
static bool handshaking(struct px *px, const struct px_file *f)
{
    struct oriel_tcp_info info;
    return f->connecting && oriel_tcp_info(px->stack, f->h, &info) == 0 &&
           info.state == ORIEL_TCP_SYN_SENT;
}

static int64_t no_stream(const struct px_file *f, int err)
{
    return err == ORIEL_ENOTCONN || (err == ORIEL_EINVAL && f->listening) ? -PX_EPIPE : answer(err);
}

/*
 * MSG_FASTOPEN: connect, with the first data in the SYN where there is a cookie. Where there is none
 * Linux takes no data: the SYN asks for one, and the connection is in progress.
 */
static int64_t open_fast(struct px *px, struct px_call *c, struct px_file *f, struct px_io *io)
{
    if (!(px->set.tcp_fastopen & 1))
        return -PX_EOPNOTSUPP;
    int err = oriel_setopt(px->stack, f->h, ORIEL_OPT_FASTOPEN_CONNECT, 1);
    if (!err)
        err = oriel_connect(px->stack, f->h, &io->peer);
    if (err)
        return answer(err);
    f->connecting = c->begun = true;
    bool waits = f->nonblock || (io->flags & PX_MSG_DONTWAIT);
    return handshaking(px, f) && waits ? -PX_EINPROGRESS : 0;
}

static int64_t send_stream(struct px *px, struct px_call *c, struct px_file *f, struct px_io *io)
{
    bool now = (io->flags & PX_MSG_DONTWAIT) != 0;
    struct oriel_msg m = {.flags = send_flags(io->flags)};
    if ((io->flags & PX_MSG_FASTOPEN) && !f->connected && !f->connecting && !c->begun) {
        int64_t err = open_fast(px, c, f, io);
        if (err)
            return err;
    }
    while (c->done < io->n) {
        int n = handshaking(px, f)
                    ? ORIEL_EAGAIN
                    : oriel_send(px->stack, f->h, io->bytes + c->done, io->n - (size_t)c->done, &m);
        if (n == ORIEL_EAGAIN) {
            int64_t wait = px_wait(px, f, c, now, f->sndtimeo);
            return wait == PX_AGAIN ? wait : stop(c, wait);
        }
        if (n < 0)
            return stop(c, no_stream(f, n));
        c->done += (uint64_t)n;
        if (n == 0)
            break;
    }
    return (int64_t)c->done;
}

static int64_t send_datagram(struct px *px, struct px_file *f, struct px_io *io)
{
    struct oriel_msg m = {.flags = 0};
    if (io->has_peer)
        m.peer = io->peer;
    if (io->has_tos)
        m.tos = io->tos;
    if (io->has_ttl)
        m.ttl = io->ttl;
    int n = oriel_send(px->stack, f->h, io->bytes, io->n, &m);
    return n == ORIEL_ENOTCONN ? -PX_EDESTADDRREQ : answer(n);
}

int64_t px_send(struct px *px, struct px_call *c, struct px_io *io)
{
    struct px_file *f = px_of(px, io->fd);
    if (!f)
        return -PX_EBADF;
    if (f->kind == PX_PIPE_WRITE) {
        int64_t n = px_pipe_write(px, f, io->bytes + c->done, io->n - (size_t)c->done);
        c->done += n > 0 ? (uint64_t)n : 0;
        if (n == -PX_EPIPE || c->done == io->n)
            return n == -PX_EPIPE ? n : (int64_t)c->done;
        n = px_wait(px, f, c, false, 0);
        return n == PX_AGAIN ? n : stop(c, n);
    }
    if (!px_is_socket(f))
        return f->kind == PX_PIPE_READ ? -PX_EBADF : -PX_EINVAL;
    return f->kind == PX_TCP ? send_stream(px, c, f, io) : send_datagram(px, f, io);
}

/* ---- in ---- */

/* MSG_ERRQUEUE: the last report, told once. */
static int64_t recv_error(struct px *px, struct px_file *f, struct px_io *io)
{
    if (!f->recverr || oriel_last_error(px->stack, f->h, &io->error) != 0 ||
        io->error.count <= f->errors_seen)
        return -PX_EAGAIN;
    f->errors_seen = io->error.count;
    io->peer = io->error.to;
    io->out_flags = PX_MSG_ERRQUEUE;
    return 0;
}

static uint32_t unread(struct px *px, const struct px_file *f)
{
    int64_t v = 0;
    best_effort(oriel_getopt(px->stack, f->h, ORIEL_OPT_UNREAD, &v));
    return (uint32_t)v;
}

static int64_t recv_stream(struct px *px, struct px_call *c, struct px_file *f, struct px_io *io)
{
    bool now = (io->flags & PX_MSG_DONTWAIT) != 0, all = (io->flags & PX_MSG_WAITALL) != 0;
    struct oriel_msg m = {.flags = (io->flags & PX_MSG_PEEK ? ORIEL_MSG_PEEK : 0u) |
                                   (io->flags & PX_MSG_OOB ? ORIEL_MSG_URGENT : 0u)};
    if (f->listening)
        return -PX_ENOTCONN;
    if (io->flags & PX_MSG_PEEK)
        c->done = 0;                            /* what was peeked at before is there again */
    while (c->done < io->n) {
        int n = handshaking(px, f)
                    ? ORIEL_EAGAIN
                    : oriel_recv(px->stack, f->h, io->bytes + c->done, io->n - (size_t)c->done, &m);
        if (n == ORIEL_EAGAIN && (c->done == 0 || all)) {
            int64_t wait = px_wait(px, f, c, now || (io->flags & PX_MSG_OOB), f->rcvtimeo);
            if (wait == PX_AGAIN)
                return wait;
            n = 0;
            if (c->done == 0)
                return wait;
        }
        if (n < 0)
            return n == ORIEL_EAGAIN ? (int64_t)c->done : stop(c, answer(n));
        c->done += (uint64_t)n;
        if (n == 0 || !all || (io->flags & PX_MSG_PEEK))
            break;
    }
    io->inq = unread(px, f);
    return (int64_t)c->done;
}

size_t px_peek(struct px *px, struct px_file *f)
{
    if (f->pipe)
        return f->peeked.len;
    struct px_pipe *p = pool_get(&px->pipes);
    f->peeked = (struct oriel_msg){.flags = 0};
    int n = p && (oriel_ready(px->stack, f->h) & ORIEL_READABLE)
                ? oriel_recv(px->stack, f->h, p->bytes, sizeof(p->bytes), &f->peeked) : -1;
    if (n < 0 && p)
        pool_put(&px->pipes, p);
    f->pipe = n < 0 ? NULL : p;
    return n < 0 ? 0 : f->peeked.len;
}

/* As oriel_recv; what was looked at before comes first. */
static int next_datagram(struct px *px, struct px_file *f, struct px_io *io, struct oriel_msg *m)
{
    bool peek = (io->flags & PX_MSG_PEEK) != 0;
    if (peek)
        (void)px_peek(px, f);
    if (!f->pipe)
        return peek && !(oriel_ready(px->stack, f->h) & ORIEL_FAILED)
                   ? ORIEL_EAGAIN : oriel_recv(px->stack, f->h, io->bytes, io->n, m);
    size_t n = f->peeked.len < io->n ? f->peeked.len : io->n;
    *m = f->peeked;
    m->truncated = n < m->len;
    if (n > 0)
        memcpy(io->bytes, f->pipe->bytes, n);
    if (!peek) {
        pool_put(&px->pipes, f->pipe);
        f->pipe = NULL;
    }
    return (int)n;
}

static int64_t recv_datagram(struct px *px, struct px_call *c, struct px_file *f, struct px_io *io)
{
    struct oriel_msg m = {.flags = 0};
    int n = next_datagram(px, f, io, &m);
    if (n == ORIEL_EAGAIN)
        return px_wait(px, f, c, (io->flags & PX_MSG_DONTWAIT) != 0, f->rcvtimeo);
    if (n < 0)
        return answer(n);
    io->peer = m.peer;
    io->tos = m.tos;
    io->ttl = m.ttl;
    io->out_flags = m.truncated ? PX_MSG_TRUNC : 0;
    return io->flags & PX_MSG_TRUNC ? (int64_t)m.len : n;
}

int64_t px_recv(struct px *px, struct px_call *c, struct px_io *io)
{
    struct px_file *f = px_of(px, io->fd);
    if (!f)
        return -PX_EBADF;
    if (f->kind == PX_PIPE_READ) {
        int64_t n = px_pipe_read(px, f, io->bytes, io->n);
        return n != -PX_EAGAIN ? n : px_wait(px, f, c, false, 0);
    }
    if (!px_is_socket(f))
        return f->kind == PX_PIPE_WRITE ? -PX_EBADF : -PX_EINVAL;
    if (io->flags & PX_MSG_ERRQUEUE)
        return recv_error(px, f, io);
    return f->kind == PX_TCP ? recv_stream(px, c, f, io) : recv_datagram(px, c, f, io);
}
