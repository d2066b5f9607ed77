/*
 * Streams as sockets.
 *
 * A stream socket has a connection from the start: in state CLOSED it keeps the options and the
 * address that it was bound to. Listening exchanges it for a listener; accepting makes a socket for
 * a connection that stands.
 *
 * Ports that are bound and not used yet stand in buckets of their own, chained through the field of
 * the connection that links accept queues later: who binds next is told at once, as programs
 * expect.
 */
#include "sock/sock.h"

int stream_open(struct socks *ss, struct sock *s)
{
    struct tcp_profile p = tcp_profile_default(ss->tcp);
    s->conn = tcp_open(ss->tcp, &p, sock_name(ss, s));
    return s->conn ? 0 : ORIEL_ENOBUFS;
}

/* ---- bound ports ---- */

static uint32_t *bucket_of(struct socks *ss, uint16_t port)
{
    return &ss->bound[port % SOCK_BOUND_BUCKETS];
}

static void enter_bound(struct socks *ss, struct sock *s)
{
    uint32_t *head = bucket_of(ss, s->conn->tuple.local_port);
    s->conn->accept_next = *head;
    *head = tcp_conn_id(ss->tcp, s->conn);
    s->bound = true;
}

static void leave_bound(struct socks *ss, struct sock *s)
{
    if (!s->bound)
        return;
    uint32_t *at = bucket_of(ss, s->conn->tuple.local_port), id = tcp_conn_id(ss->tcp, s->conn);
    while (*at != id)
        at = &tcp_conn_at(ss->tcp, *at)->accept_next;
    *at = s->conn->accept_next;
    s->conn->accept_next = TCP_NONE;
    s->bound = false;
}

/* Does an address of one and an address of the other mean a common one? */
static bool overlap(const struct oriel_addr *a, bool v6only_a, const struct oriel_addr *b,
                    bool v6only_b)
{
    const struct oriel_addr none = ADDR_NONE;
    bool any_a = addr_is_unspecified(a), any_b = addr_is_unspecified(b);
    if (!any_a && !any_b)
        return addr_eq(a, b);
    /* "::" means both families unless it is told not to; "0.0.0.0" means one. */
    bool v4_a = addr_is_v4(a), v4_b = addr_is_v4(b);
    bool both_a = addr_same_bits(a, &none) && !v6only_a;
    bool both_b = addr_same_bits(b, &none) && !v6only_b;
    return v4_a == v4_b || (any_a && both_a) || (any_b && both_b);
}

static bool v6_only(const struct socks *ss, const struct tcp_conn *c)
{
    return c->prof->v6only || sock_named(ss, c->sock)->family == ORIEL_IP6;
}

/* Is another socket bound there, and do the two not agree to share? */
static bool is_bound(struct socks *ss, const struct sock *s, const struct oriel_endpoint *local)
{
    const struct tcp_profile *p = s->conn->prof;
    for (uint32_t i = *bucket_of(ss, local->port); i != TCP_NONE;) {
        const struct tcp_conn *c = tcp_conn_at(ss->tcp, i);
        struct oriel_addr addr = tuple_local(&c->tuple);
        bool shared = (p->reuseaddr && c->prof->reuseaddr) || (p->reuseport && c->prof->reuseport);
        if (c->tuple.local_port == local->port && !shared &&
            overlap(&addr, v6_only(ss, c), &local->addr, v6_only(ss, s->conn)))
            return true;
        i = c->accept_next;
    }
    return false;
}

/* May that socket have to do with an address of that family? */
static bool family_fits(const struct sock *s, const struct oriel_addr *a)
{
    if (addr_same_bits(a, &ADDR_NONE))
        return true;            /* any, whatever that is to the socket */
    bool v6only = s->family == ORIEL_IP6 || s->conn->prof->v6only;
    return addr_is_v4(a) ? !v6only : s->family != ORIEL_IP4;
}

static int check_local(struct socks *ss, const struct sock *s, const struct oriel_addr *a)
{
    if (!family_fits(s, a))
        return ORIEL_EAFNOSUPPORT;
    if (addr_is_unspecified(a))
        return 0;
    return s->conn->prof->any_addr || ip_is_own(ss->ip, a) ? 0 : ORIEL_EADDRNOTAVAIL;
}

static void set_local(struct tcp_conn *c, const struct oriel_endpoint *local)
{
    c->tuple = (struct tcp_tuple){.local_hi = local->addr.hi, .local_lo = local->addr.lo,
                                  .zone = local->addr.zone, .local_port = local->port};
}

static bool is_unused(const struct sock *s)
{
    return s->kind == SOCK_TCP && s->conn->state == TCP_CLOSED && s->conn->tuple.remote_port == 0;
}

int stream_bind(struct socks *ss, struct sock *s, const struct oriel_endpoint *local)
{
    struct oriel_endpoint e = *local;
    if (!is_unused(s) || s->bound)
        return ORIEL_EINVAL;
    int err = check_local(ss, s, &e.addr);
    if (err)
        return err;
    if (addr_same_bits(&e.addr, &ADDR_NONE) && s->family == ORIEL_IP4)
        e.addr = addr_v4(0);
    if (e.port == 0) {
        struct tcp_tuple k = {.local_hi = e.addr.hi, .local_lo = e.addr.lo};
        e.port = tcp_port_choose(ss->tcp, &k, s->conn->prof);
        if (e.port == 0)
            return ORIEL_EADDRNOTAVAIL;
    }
    if (is_bound(ss, s, &e) || tcp_port_taken(ss->tcp, &e, s->family, s->conn->prof))
        return ORIEL_EADDRINUSE;
    set_local(s->conn, &e);
    enter_bound(ss, s);
    return 0;
}

struct oriel_endpoint stream_local(const struct sock *s)
{
    if (s->kind == SOCK_TCP_LISTENER)
        return s->listener->local;
    return (struct oriel_endpoint){.addr = tuple_local(&s->conn->tuple),
                                   .port = s->conn->tuple.local_port};
}

struct oriel_endpoint stream_remote(const struct sock *s)
{
    if (s->kind == SOCK_TCP_LISTENER)
        return (struct oriel_endpoint){.addr = ADDR_NONE};
    return (struct oriel_endpoint){.addr = tuple_remote(&s->conn->tuple),
                                   .port = s->conn->tuple.remote_port};
}

/* ---- connecting ---- */

/* Bytes of data taken, 0 without any, or an error. */
static int connect_with(struct socks *ss, struct sock *s, const struct oriel_endpoint *remote,
                        struct span data)
{
    struct tcp_conn *c = s->conn;
    bool was_bound = s->bound;
    if (c->state == TCP_CLOSED && !family_fits(s, &remote->addr))
        return ORIEL_EAFNOSUPPORT;
    struct oriel_endpoint local = stream_local(s);
    if (addr_is_unspecified(&local.addr))
        local.addr = ADDR_NONE;                 /* MUST-44: as the way there asks for */
    leave_bound(ss, s);
    int err = tcp_connect(ss->tcp, c, &local, remote, data);
    if (err < 0 && was_bound && is_unused(s))
        enter_bound(ss, s);
    return err;
}

int stream_connect(struct socks *ss, struct sock *s, const struct oriel_endpoint *remote)
{
    if (s->kind == SOCK_TCP_LISTENER)
        return ORIEL_EINVAL;
    return connect_with(ss, s, remote, span_of(NULL, 0));
}

/* ---- listening ---- */

int sock_listen(struct socks *ss, oriel_handle h, const struct oriel_listen *l)
{
    static const struct oriel_listen defaults;
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (!sock_is_stream(s))
        return ORIEL_EOPNOTSUPP;
    if (!l)
        l = &defaults;
    if (s->kind == SOCK_TCP_LISTENER) {
        tcp_listen_set_backlog(s->listener, l->backlog);
        return 0;
    }
    if (!is_unused(s))
        return s->conn->state == TCP_CLOSED ? ORIEL_EINVAL : ORIEL_EISCONN;
    struct oriel_endpoint local = stream_local(s);
    uint8_t family = addr_is_v4(&local.addr) ? ORIEL_IP4 : s->family;   /* 0.0.0.0 is one family */
    struct tcp_listener *listener;
    int err = tcp_listen_start(ss->tcp, &local, l, family, sock_name(ss, s), s->conn->prof,
                               &listener);
    if (err)
        return err;
    leave_bound(ss, s);
    tcp_abort(ss->tcp, s->conn);                /* it was CLOSED: nobody is told */
    s->kind = SOCK_TCP_LISTENER;
    s->listener = listener;
    return 0;
}

static struct sock *listening(const struct socks *ss, oriel_handle h, int *err)
{
    struct sock *s = sock_of(ss, h);
    *err = !s ? ORIEL_EBADF : !sock_is_stream(s) ? ORIEL_EOPNOTSUPP : ORIEL_EINVAL;
    return s && s->kind == SOCK_TCP_LISTENER ? s : NULL;
}

int sock_accept(struct socks *ss, oriel_handle h, oriel_handle *out, struct oriel_endpoint *peer)
{
    int err;
    struct sock *s = listening(ss, h, &err);
    if (!s)
        return err;
    if (s->listener->waiting == 0)
        return ORIEL_EAGAIN;
    struct sock *k = sock_take(ss, SOCK_TCP, (enum oriel_family)s->family);
    if (!k)
        return ORIEL_ENOBUFS;
    k->conn = tcp_accept(ss->tcp, s->listener);
    if (!k->conn) {
        sock_give_back(ss, k);
        return ORIEL_EAGAIN;
    }
    k->conn->sock = sock_name(ss, k);
    tcp_mark_dirty(ss->tcp, k->conn);           /* what came before it had a socket is news */
    *out = sock_handle(ss, k);
    if (peer)
        *peer = stream_remote(k);
    return 0;
}

int sock_held_next(struct socks *ss, oriel_handle h, struct oriel_held *out)
{
    int err;
    struct sock *s = listening(ss, h, &err);
    return s ? tcp_held_next(ss->tcp, s->listener, out) : err;
}

int sock_admit(struct socks *ss, oriel_handle h, uint64_t id, enum oriel_admission what)
{
    int err;
    struct sock *s = listening(ss, h, &err);
    if (!s)
        return err;
    if ((unsigned)what > ORIEL_ADMIT_UNREACHABLE)
        return ORIEL_EINVAL;
    return tcp_admit(ss->tcp, s->listener, id, what);
}

/* ---- bytes ---- */

/* The socket of a connection; a listener is not connected. */
static struct sock *connected(const struct socks *ss, oriel_handle h, int *err)
{
    struct sock *s = sock_of(ss, h);
    *err = !s ? ORIEL_EBADF : !sock_is_stream(s) ? ORIEL_EOPNOTSUPP : ORIEL_ENOTCONN;
    return s && s->kind == SOCK_TCP ? s : NULL;
}

/* The application learned that there is no more room: it wants to hear when there is. */
static int sent(struct sock *s, int n, size_t wanted)
{
    if (oriel_unlikely(n == ORIEL_EAGAIN || n == ORIEL_ENOBUFS || (n >= 0 && (size_t)n < wanted)))
        s->told_writable = false;
    return n;
}

int stream_send(struct socks *ss, struct sock *s, struct span data, const struct oriel_msg *msg)
{
    uint32_t flags = msg ? msg->flags : 0;
    if (oriel_unlikely(s->kind == SOCK_TCP_LISTENER))
        return ORIEL_ENOTCONN;
    if (oriel_unlikely(flags & ORIEL_MSG_FASTOPEN) && is_unused(s))
        return sent(s, connect_with(ss, s, &msg->peer, data), data.n);
    return sent(s, tcp_send(ss->tcp, s->conn, data, flags), data.n);
}

int stream_recv(struct socks *ss, struct sock *s, void *buf, size_t cap, struct oriel_msg *msg)
{
    if (oriel_unlikely(s->kind == SOCK_TCP_LISTENER))
        return ORIEL_ENOTCONN;
    int n = tcp_recv(ss->tcp, s->conn, buf, cap, msg ? msg->flags : 0);
    if (msg && n >= 0) {
        msg->peer = stream_remote(s);
        msg->local = tuple_local(&s->conn->tuple);
        msg->len = (size_t)n;
    }
    return n;
}

struct oriel_room sock_send_window(struct socks *ss, oriel_handle h)
{
    int err;
    struct sock *s = connected(ss, h, &err);
    struct oriel_room room = {0};
    if (s)
        room = tcp_send_window(ss->tcp, s->conn);
    if (s && room.n == 0)
        s->told_writable = false;
    return room;
}

int sock_send_commit(struct socks *ss, oriel_handle h, size_t n)
{
    int err;
    struct sock *s = connected(ss, h, &err);
    return s ? tcp_send_commit(ss->tcp, s->conn, n) : err;
}

int sock_recv_view(const struct socks *ss, oriel_handle h, struct oriel_bytes out[], unsigned max)
{
    int err;
    const struct sock *s = connected(ss, h, &err);
    if (!s)
        return err;
    return max > 0 ? tcp_recv_view(s->conn, out, max) : ORIEL_EINVAL;
}

int sock_recv_release(struct socks *ss, oriel_handle h, size_t n)
{
    int err;
    struct sock *s = connected(ss, h, &err);
    return s ? tcp_recv_release(ss->tcp, s->conn, n) : err;
}

/* ---- the end ---- */

int sock_shutdown(struct socks *ss, oriel_handle h, int how)
{
    int err;
    struct sock *s = connected(ss, h, &err);
    return s ? tcp_shutdown(ss->tcp, s->conn, how) : err;
}

void stream_close(struct socks *ss, struct sock *s, bool abort)
{
    if (s->kind == SOCK_TCP_LISTENER) {
        tcp_listen_stop(ss->tcp, s->listener);
        return;
    }
    leave_bound(ss, s);
    if (abort)
        tcp_abort(ss->tcp, s->conn);
    else
        tcp_close(ss->tcp, s->conn);
}

int sock_abort(struct socks *ss, oriel_handle h)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (!sock_is_stream(s))
        return ORIEL_EOPNOTSUPP;
    stream_close(ss, s, true);
    sock_give_back(ss, s);
    return 0;
}

/* ---- seeing ---- */

uint32_t stream_ready(const struct socks *ss, const struct sock *s)
{
    if (s->kind == SOCK_TCP_LISTENER)
        return tcp_acceptable(s->listener) ? ORIEL_ACCEPTABLE : 0;
    return tcp_ready(ss->tcp, s->conn);
}

/* Of a listener as Linux tells it: connections that wait, and how many may. */
static void listener_info(const struct tcp_listener *l, struct oriel_tcp_info *out)
{
    *out = (struct oriel_tcp_info){
        .state = ORIEL_TCP_LISTEN,
        .unacked = l->waiting,
        .sacked = l->backlog,
        .congestion = oriel_congestion_name(l->prof->cc),
        .rto_at = ORIEL_NEVER,
        .delack_at = ORIEL_NEVER,
    };
}

int sock_tcp_info(const struct socks *ss, oriel_handle h, struct oriel_tcp_info *out)
{
    const struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (!sock_is_stream(s))
        return ORIEL_EOPNOTSUPP;
    if (s->kind == SOCK_TCP_LISTENER)
        listener_info(s->listener, out);
    else
        tcp_info(ss->tcp, s->conn, out);
    return 0;
}
