/*
 * Connections through the gateway.
 *
 *   outward   SYN held -> connect() -> the host says -> admitted -> handshake -> accepted: open
 *   inward    accept() -> oriel_connect from the peer's address -> the guest says: open (gateway_in.c)
 *
 * Once open both directions are the same: what the guest sent is written from where the stack keeps it
 * (oriel_recv_view), what the host has is read to where the stack will send it from (oriel_send_window).
 * Nothing is taken from one side before the other has room for it, so there is no buffer here to bound.
 */
#define _GNU_SOURCE
#include "host/gateway_flow.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES  16
#define BACKLOG 65535

bool gw_tcp_open(struct gateway *g, char error[DRV_ERROR_MAX])
{
    const struct oriel_listen all = {.backlog = BACKLOG, .any_addr = true, .port_last = UINT16_MAX,
                                     .defer = true};
    const struct oriel_endpoint first = {.port = 1};
    int err = oriel_tcp_open(g->s, ORIEL_DUAL, &g->listener);
    if (!err)
        err = oriel_setopt(g->s, g->listener, ORIEL_OPT_ANY_ADDR, 1);
    if (!err)
        err = oriel_setopt(g->s, g->listener, ORIEL_OPT_NODELAY, 1);
    if (!err)
        err = oriel_setopt(g->s, g->listener, ORIEL_OPT_OOBINLINE, 1);
    if (!err)
        err = oriel_bind(g->s, g->listener, &first);
    if (!err)
        err = oriel_listen(g->s, g->listener, &all);
    if (err)
        (void)snprintf(error, DRV_ERROR_MAX, "the gateway cannot listen: %s", oriel_strerror(err));
    return err == 0;
}

void gw_tcp_set_up(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));    /* who wrote has decided */
    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
}

/* ---- the end of a flow ---- */

/* The host's peer sees a reset instead of an end. */
static void reset_host(struct gw_flow *f)
{
    const struct linger now = {.l_onoff = 1};
    (void)setsockopt(f->source.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    gw_flow_free(f);
}

void gw_tcp_abort(struct gw_flow *f)
{
    if (f->h)
        best_effort(oriel_abort(f->g->s, f->h));
    else if (f->state == GW_CONNECTING)
        best_effort(oriel_admit(f->g->s, f->g->listener, f->held, ORIEL_ADMIT_RESET));
    reset_host(f);
}

void gw_tcp_expire(struct gw_flow *f)
{
    f->error = ETIMEDOUT;
    gw_tcp_abort(f);
}

/* ---- bytes ---- */

enum moved {
    MOVED,                      /* as much as there was */
    MORE,                       /* a quantum, and there may be more */
    GONE,                       /* the flow has ended and is freed */
};

static enum moved host_failed(struct gw_flow *f, int err)
{
    f->error = err;
    gw_tcp_abort(f);
    return GONE;
}

/* The stack says how it was: the guest reset, or does not answer any more. */
static enum moved guest_failed(struct gw_flow *f, int err)
{
    f->error = err == ORIEL_ETIMEDOUT ? ETIMEDOUT : ECONNRESET;
    gw_tcp_abort(f);
    return GONE;
}

/* Up to `left` bytes of what the stack holds. */
static int pieces_of(struct gw_flow *f, struct iovec iov[PIECES], size_t left)
{
    struct oriel_bytes view[PIECES];
    int n = oriel_recv_view(f->g->s, f->h, view, PIECES);
    for (int i = 0; i < n; i++) {
        size_t len = view[i].n < left ? view[i].n : left;
        iov[i] = (struct iovec){.iov_base = (void *)(uintptr_t)view[i].p, .iov_len = len};
        left -= len;
        if (left == 0)
            return i + 1;
    }
    return n;
}

static enum moved to_host(struct gw_flow *f, size_t left)
{
    while (f->can_write && !f->guest_ended) {
        struct iovec iov[PIECES];
        if (left == 0)
            return MORE;
        int n = pieces_of(f, iov, left);
        if (n == ORIEL_EAGAIN)
            return MOVED;
        if (n < 0)
            return guest_failed(f, n);
        if (n == 0) {
            f->guest_ended = true;
            (void)shutdown(f->source.fd, SHUT_WR);
            return MOVED;
        }
        const struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
        ssize_t sent = sendmsg(f->source.fd, &m, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN) {      /* what it had written before is still to be read */
            f->host_error = errno;
            f->can_read = true;
        }
        f->can_write = sent > 0;
        if (sent > 0) {
            best_effort(oriel_recv_release(f->g->s, f->h, (size_t)sent));
            f->bytes_out += (uint64_t)sent;
            left -= (size_t)sent;
        }
    }
    return MOVED;
}

/*
 * The host's peer has reset. What came before it is sent when this turn is over, and a reset of the guest at once would
 * take that away again.
 */
static enum moved host_reset(struct gw_flow *f, bool fresh)
{
    return fresh ? MORE : host_failed(f, f->host_error);
}

static enum moved to_guest(struct gw_flow *f, size_t left)
{
    bool fresh = false;
    if (f->host_error && f->host_ended)
        return host_failed(f, f->host_error);
    while (f->can_read && !f->host_ended) {
        if (left == 0)
            return MORE;
        struct oriel_room room = oriel_send_window(f->g->s, f->h);
        if (room.n == 0 && f->host_error)
            return host_reset(f, fresh);
        if (room.n == 0)
            return MOVED;       /* it says when there is again */
        size_t want = room.n < left ? room.n : left;
        ssize_t got = read(f->source.fd, room.p, want);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != EAGAIN)
            f->host_error = errno;
        if (got <= 0 && f->host_error)
            return host_reset(f, fresh);
        if (got == 0) {
            f->host_ended = true;
            best_effort(oriel_shutdown(f->g->s, f->h, ORIEL_SHUT_WRITE));
            return MOVED;
        }
        /* Less than there was room for was all, unless an end or an error stands behind it. */
        f->can_read = got > 0 && ((size_t)got == want || f->ending);
        if (got > 0) {
            best_effort(oriel_send_commit(f->g->s, f->h, (size_t)got));
            fresh = true;
            f->bytes_in += (uint64_t)got;
            left -= (size_t)got;
        }
    }
    return MOVED;
}

void gw_tcp_turn(struct gw_flow *f)
{
    if (f->state != GW_OPEN)
        return;
    uint64_t before = f->bytes_in + f->bytes_out;
    size_t quantum = gw_flow_quantum(f);
    if (quantum == 0) {
        gw_flow_again(f);
        return;
    }
    enum moved out = to_host(f, quantum);
    if (out == GONE)
        return;
    enum moved in = to_guest(f, quantum);
    if (in == GONE)
        return;
    gw_flow_moved(f, (size_t)(f->bytes_in + f->bytes_out - before));
    if (f->guest_ended && f->host_ended) {
        best_effort(oriel_close(f->g->s, f->h));        /* what was written still leaves */
        gw_flow_free(f);
    } else if (out == MORE || in == MORE) {
        gw_flow_again(f);
    }
}

/* The guest's side has an error. True: that was the end; not before what came ahead of it is written. */
static bool is_over(struct gw_flow *f)
{
    struct oriel_bytes unread;
    int64_t err = 0;
    bool dead = (oriel_ready(f->g->s, f->h) & ORIEL_HUNG_UP) != 0;
    if (dead && f->state == GW_OPEN && oriel_recv_view(f->g->s, f->h, &unread, 1) > 0)
        return false;
    best_effort(oriel_getopt(f->g->s, f->h, ORIEL_OPT_ERROR, &err));
    if (!dead && f->state == GW_OPEN)
        return false;           /* a router's opinion */
    (void)guest_failed(f, (int)err);
    return true;
}

void gw_tcp_guest_ready(struct gw_flow *f, uint32_t events)
{
    if (f->state == GW_CALLING && (events & ORIEL_WRITABLE)) {
        f->state = GW_OPEN;
        gw_flow_used(f, GW_AGE_TCP);
        gw_flow_begins(f);
    }
    if ((events & ORIEL_FAILED) && is_over(f))
        return;
    gw_tcp_turn(f);
}

/* ---- outward ---- */

static enum oriel_admission refusal(int err)
{
    switch (err) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ETIMEDOUT:
    case EACCES:
    case EPERM:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return ORIEL_ADMIT_UNREACHABLE;
    }
    return ORIEL_ADMIT_RESET;
}

static void connected(struct gw_flow *f)
{
    if (oriel_admit(f->g->s, f->g->listener, f->held, ORIEL_ADMIT) != 0) {
        reset_host(f);          /* the guest has given up */
        return;
    }
    f->state = GW_ADMITTED;
    f->can_write = true;
    gw_flow_used(f, GW_AGE_HANDSHAKE);
}

static void refused(struct gw_flow *f, int err)
{
    f->error = err;
    best_effort(oriel_admit(f->g->s, f->g->listener, f->held, refusal(err)));
    gw_flow_free(f);
}

static void connect_result(struct gw_flow *f)
{
    int err = 0;
    socklen_t len = sizeof(err);
    if (getsockopt(f->source.fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        err = errno;
    if (err)
        refused(f, err);
    else
        connected(f);
}

void gw_tcp_host_ready(void *flow, uint32_t events)
{
    struct gw_flow *f = flow;
    gw_enter(f->g);
    f->ending = f->ending || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    f->can_read = f->can_read || (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (f->state == GW_CONNECTING) {            /* its first bytes may have come in the same edge */
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
            connect_result(f);
        return;
    }
    f->can_write = f->can_write || (events & (EPOLLOUT | EPOLLERR)) != 0;
    if ((events & EPOLLERR) && (f->state != GW_OPEN || f->host_ended))
        (void)host_failed(f, ECONNRESET);       /* where nothing is read that would say so */
    else
        gw_tcp_turn(f);
}

/* A SYN came again after the stack had forgotten the first: the flow is the same. */
static bool named_again(struct gateway *g, const struct oriel_held *held)
{
    struct gw_flow *f = gw_flow_find(g, GW_TCP, &held->remote, &held->local);
    if (!f)
        return false;
    if (f->state == GW_CONNECTING) {
        f->held = held->id;
        return true;
    }
    gw_tcp_abort(f);            /* admitted, or open, and the guest begins anew */
    return false;
}

/* The host's socket on its way, or an errno. */
static int begin_connect(struct gateway *g, const struct oriel_held *held,
                         const struct oriel_endpoint *host)
{
    struct sockaddr_storage to;
    socklen_t len = gw_sockaddr(host, &to);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    gw_tcp_set_up(fd);
    if (connect(fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS) {
        int err = errno;
        close(fd);
        return err;
    }
    struct gw_flow *f = gw_flow_new(g, GW_TCP, fd, GW_AGE_TCP, &held->remote, &held->local);
    if (!f)
        return ENOMEM;
    f->held = held->id;
    f->host = *host;
    gw_flow_begins(f);
    return 0;
}

static void outward(struct gateway *g, const struct oriel_held *held)
{
    struct oriel_endpoint host;
    int err = ECONNREFUSED;
    if (named_again(g, held))
        return;
    if (gw_has_room(g) && gw_to_host(g, &held->local, &host))
        err = begin_connect(g, held, &host);
    if (err)
        best_effort(oriel_admit(g->s, g->listener, held->id, refusal(err)));
}

static void accepted(struct gateway *g, oriel_handle h, const struct oriel_endpoint *peer)
{
    struct oriel_endpoint local;
    struct gw_flow *f = NULL;
    if (oriel_local(g->s, h, &local) == 0)
        f = gw_flow_find(g, GW_TCP, peer, &local);
    if (!f || f->state != GW_ADMITTED) {
        best_effort(oriel_abort(g->s, h));
        return;
    }
    f->state = GW_OPEN;
    gw_flow_handle(f, h);
    gw_flow_used(f, GW_AGE_TCP);
    gw_tcp_turn(f);
}

void gw_tcp_listener_ready(struct gateway *g)
{
    struct oriel_held held;
    struct oriel_endpoint peer;
    oriel_handle h;
    while (oriel_held_next(g->s, g->listener, &held) == 0)
        outward(g, &held);
    while (oriel_accept(g->s, g->listener, &h, &peer) == 0)
        accepted(g, h, &peer);
}
