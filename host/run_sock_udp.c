/*
 * Datagram sockets: one end of a SEQPACKET pair is the program's, so datagrams stay whole, and closing is
 * heard.
 *
 * What goes without an address (send, write, read, recv) moves through the pair by itself. Calls that give
 * or ask for an address come to us. So that both kinds tell the same story, the program's queue holds one
 * datagram at a time, and we know all about that one; whatever takes it, the next one follows. Only a
 * connected socket that never asks has more in its queue, since all come from its peer.
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DATAGRAM_MAX  65507
#define QUEUE_MAX     (100 * 1024)  /* of a connected socket's descriptor */
#define DRAIN_TURN    64            /* datagrams of one socket before others have their turn */
#define DRAIN_WHOLE   1024          /* more than a descriptor's queue has */
#define EVENTS        (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static bool is_deep(const struct rsock *s)
{
    return s->peer_set && !s->asks && !ropt_wants_more(s);
}

static int queued(const struct rsock *s)
{
    int n = 0;
    return ioctl(s->end, SIOCOUTQ, &n) == 0 ? n : 0;
}

/* ---- towards the program ---- */

/* Something to be told that is no datagram: an empty one wakes who polls; the call that follows asks us. */
static void raise_alarm(struct rsock *s, int err)
{
    s->error = err;
    if (s->asks && !s->alarm && !s->staged && queued(s) == 0)
        s->alarm = send(s->end, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) == 0;
}

void rudp_clear_alarm(struct rsock *s, int dup)
{
    char c;
    if (s->alarm)
        (void)recv(dup, &c, 1, MSG_DONTWAIT);
    s->alarm = false;
}

/* The next datagram into n->buf. */
static int next_of(struct rsock *s, struct oriel_msg *m)
{
    struct run *n = s->run;
    int k = oriel_recv(n->stack, s->h, n->buf, RSOCK_BUFFER, m);
    while (s->ping && k >= 0 && !rping_is_answer(s, n->buf, (size_t)k))
        k = oriel_recv(n->stack, s->h, n->buf, RSOCK_BUFFER, m);
    return k;
}

static bool stage_one(struct rsock *s)
{
    struct run *n = s->run;
    struct oriel_msg m = {0};
    int k = next_of(s, &m);
    if (k == ORIEL_EAGAIN)
        return false;
    if (k < 0) {
        raise_alarm(s, -rsock_errno(k));
        return false;
    }
    s->meta = (struct rsock_meta){.from = raddr_unroute(s, &m.peer), .local = m.local, .netif = m.netif,
                                 .ttl = m.ttl, .tos = m.tos, .len = (size_t)k};
    return send(s->end, n->buf, (size_t)k, MSG_DONTWAIT | MSG_NOSIGNAL) == k;
}

void rudp_stage(struct rsock *s)
{
    if (s->end < 0 || s->alarm)
        return;
    if (is_deep(s)) {
        s->staged = false;
        while (queued(s) < QUEUE_MAX && stage_one(s))
            continue;
        return;
    }
    if (queued(s) > 0)
        return;
    s->staged = stage_one(s);
}

int rudp_take(struct rsock *s, int dup, int flags, struct rsock_meta *meta)
{
    struct run *n = s->run;
    s->asks = true;
    if (!s->error)
        rudp_stage(s);
    if (s->error) {
        int err = s->error;
        s->error = 0;
        rudp_clear_alarm(s, dup);
        return -err;
    }
    ssize_t k = recv(dup, n->buf, RSOCK_BUFFER, MSG_DONTWAIT | (flags & MSG_PEEK));
    if (k < 0)
        return -errno;
    *meta = s->staged ? s->meta : (struct rsock_meta){.from = s->asked, .len = (size_t)k};
    if (!(flags & MSG_PEEK)) {
        s->staged = false;
        n->dirty = true;
        s->restage = true;              /* when n->buf is free again */
    }
    return (int)k;
}

static void on_end(void *ctx, uint32_t events);

void rudp_wake(struct rsock *s)
{
    static const enum run_call calls[] = {RUN_RECVFROM, RUN_RECVMSG, RUN_RECVMMSG};
    if (!s->parked)
        return;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        struct run_request *r = rsock_unpark(s, calls[i]);
        if (!r)
            continue;
        r->again = true;
        if (r->call == RUN_RECVFROM)
            rudp_call_recvfrom(s, r);
        else if (r->call == RUN_RECVMSG)
            rmsg_call_recvmsg(s, r);
        else
            rmsg_call_recvmmsg(s, r);
    }
}

void rudp_on_ready(struct rsock *s, uint32_t events)
{
    int64_t why = 0;
    if ((events & ORIEL_FAILED) && oriel_getopt(s->run->stack, s->h, ORIEL_OPT_ERROR, &why) == 0 && why < 0)
        raise_alarm(s, -rsock_errno((int)why));
    rudp_stage(s);
    int said = s->ping ? rping_error(s) : 0;
    if (said)
        raise_alarm(s, said);
    if (s->staged || s->error || queued(s) > 0)
        rudp_wake(s);
}

/* Nothing there: wait, or say so. */
void rudp_wait(struct rsock *s, struct run_request *r, int flags)
{
    if ((flags & MSG_DONTWAIT) || rsock_is_nonblocking(r->dup))
        r->asker->answer(r, -EAGAIN);
    else
        rsock_park(s, r, r->again ? r->until : s->rcv_timeout ? host_now() + s->rcv_timeout : ORIEL_NEVER);
}

void rudp_call_recvfrom(struct rsock *s, struct run_request *r)
{
    struct rsock_meta meta;
    int flags = (int)r->arg[3];
    if (flags & MSG_ERRQUEUE)
        return r->asker->answer(r, -EAGAIN);
    int k = rudp_take(s, r->dup, flags, &meta);
    if (k == -EAGAIN)
        return rudp_wait(s, r, flags);
    if (k < 0)
        return r->asker->answer(r, k);
    size_t fits = (size_t)k < r->arg[2] ? (size_t)k : (size_t)r->arg[2];
    int err = r->asker->write(r, r->arg[1], s->run->buf, fits) ? 0 : -EFAULT;
    if (!err && r->arg[4])
        err = raddr_write(r, s, &meta.from, r->arg[4], r->arg[5]);
    r->asker->answer(r, err ? err : flags & MSG_TRUNC ? k : (int64_t)fits);
    if (s->restage) {
        s->restage = false;
        rudp_stage(s);
    }
}

/* ---- from the program ---- */

int rudp_send_now(struct rsock *s, void *data, size_t len, const struct oriel_endpoint *to,
                 const struct oriel_msg *more)
{
    struct run *n = s->run;
    struct oriel_msg m = more ? *more : (struct oriel_msg){0};
    if (!to && !s->peer_set)
        return -EDESTADDRREQ;
    if (len > DATAGRAM_MAX)
        return -EMSGSIZE;
    if (s->ping)
        return rping_send(s, data, len, to, more);
    if (to && to->port == 0)
        return -EINVAL;
    int err = to ? raddr_route_via(s, to, &m.peer) : 0;
    if (err)
        return err;
    int k = oriel_send(n->stack, s->h, data, len, to || more ? &m : NULL);
    n->dirty = true;
    rsock_count_port(s, true);
    if (k == ORIEL_EAGAIN || k == ORIEL_ENOBUFS)
        return (int)len;                /* lost, as in a full queue on the way */
    return k < 0 ? rsock_errno(k) : (int)len;
}

void rudp_call_sendto(struct rsock *s, struct run_request *r)
{
    struct oriel_endpoint to;
    bool unspec;
    size_t len = (size_t)r->arg[2];
    rudp_drain(s);                       /* what it sent before leaves before */
    int err = raddr_read(r, s, r->arg[4], r->arg[5], &to, &unspec);
    if (!err && len > DATAGRAM_MAX)
        err = -EMSGSIZE;
    if (!err && !r->asker->read(r, r->arg[1], s->run->buf, len))
        err = -EFAULT;
    if (!err)
        err = rudp_send_now(s, s->run->buf, len, unspec ? NULL : &to, NULL);
    r->asker->answer(r, err);
}

/* What the program wrote without an address, so many at most. False: nobody holds the descriptor any more. */
static bool drain(struct rsock *s, unsigned most)
{
    struct run *n = s->run;
    for (unsigned i = 0; i < most; i++) {
        ssize_t k = recv(s->end, n->buf, RSOCK_BUFFER, MSG_DONTWAIT);
        struct pollfd p = {.fd = s->end, .events = POLLRDHUP};
        if (k < 0 && errno == ECONNRESET)
            continue;                   /* it closed with some unread: what it sent is here all the same */
        if (k < 0)
            return errno == EAGAIN;
        if (k == 0 && poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP)))
            return !(p.revents & POLLHUP);
        int err = rudp_send_now(s, n->buf, (size_t)k, NULL, NULL);
        if (err < 0)
            s->error = -err;
    }
    (void)loop_again(n->loop, &s->source);      /* others first */
    return true;
}

void rudp_drain(struct rsock *s)
{
    (void)drain(s, DRAIN_WHOLE);
}

static void on_end(void *ctx, uint32_t events)
{
    struct rsock *s = ctx;
    if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
        if (!drain(s, DRAIN_TURN))
            return rsock_free(s);
    if (events & EPOLLOUT)
        rudp_stage(s);
}

/* ---- calls ---- */

void rudp_call_socket(struct run *n, struct run_request *r, bool v6, bool ping, int flags)
{
    int pair[2], half = DATAGRAM_MAX / 2 + 17;      /* a longer one is EMSGSIZE */
    uint64_t cookie = 0;
    socklen_t len = sizeof(cookie);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (flags & SOCK_NONBLOCK), 0, pair) != 0)
        return r->asker->answer(r, -errno);
    (void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
    (void)getsockopt(pair[0], SOL_SOCKET, SO_COOKIE, &cookie, &len);
    struct rsock *s = rsock_new(n, 'd', v6, cookie);
    if (s)
        s->ping = ping;
    int err = s ? rsock_open(s) : -ENFILE;
    if (!err)
        err = rsock_watch(s, pair[1], EVENTS, on_end);
    else
        close(pair[1]);
    if (err) {
        if (s)
            rsock_free(s);
        close(pair[0]);
        return r->asker->answer(r, err);
    }
    s->tid = r->tid;
    s->fd = r->asker->install(r, pair[0], flags & SOCK_CLOEXEC);
    close(pair[0]);                     /* nobody holds it if that failed: it hangs up */
}

void rudp_call_bind(struct rsock *s, struct run_request *r)
{
    struct oriel_endpoint e;
    bool unspec;
    int err = raddr_read(r, s, r->arg[1], r->arg[2], &e, &unspec);
    if (!err && s->bound)
        err = -EINVAL;
    if (!err && s->ping)
        err = rping_bind(s, e.port);
    if (!err)
        err = rsock_bind(s, &e);
    if (!err)
        rsock_count_port(s, true);
    r->asker->answer(r, err);
}

void rudp_call_connect(struct rsock *s, struct run_request *r)
{
    struct oriel_endpoint to, real = {0};
    bool unspec;
    int err = raddr_read(r, s, r->arg[1], r->arg[2], &to, &unspec);
    rudp_drain(s);
    if (!err && !unspec && s->ping)
        real = to;
    else if (!err && !unspec)
        err = raddr_route_via(s, &to, &real);
    if (!err && s->ping && !s->port)
        err = rping_bind(s, 0);
    if (!err)
        err = rsock_errno(oriel_connect(s->run->stack, s->h, &real));
    if (!err) {
        s->peer_set = !unspec;
        s->asked = to;
        s->loops = !unspec && (addr_is_loopback(&to.addr) || addr_is_unspecified(&to.addr));
        rsock_count_port(s, true);
    }
    r->asker->answer(r, err);
}
