/*
 * Streams: bind, connect, listen, accept.
 *
 * connect. A call that may wait is parked, and the descriptor is joined to us only when the connection
 * stands, so that after a refusal it is as it was. One that may not is joined at once and is filled with junk
 * towards us, so that it looks unwritable; reading just that junk is what poll and epoll wait for, level or
 * edge. A refusal closes our end with the junk unread: IN, OUT, ERR and HUP, as TCP has it.
 *
 * listen, accept. The descriptor listens in place, and each connection of the stack becomes one to
 * its name: the kernel's own queue, poll and accept. A SYN is held until it is known that
 * somebody still holds the listening descriptor, since nothing tells us when that is closed.
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define JUNK          32768         /* one buffer of the kernel's: read, it wakes once */
#define JUNK_SNDBUF   65536         /* that little room (the kernel doubles it) has none beside the junk */
#define BACKLOG_MAX   4096
#define UNDELIVERED_MAX 64          /* connections that wait for room in a listener's queue */
#define KNOCKS_MAX    16            /* tries to get through a door that others crowd */
#define RETRY_AFTER   (2 * NS_PER_MS)

/* ---- binding ---- */

/* What the stack is to bind to for an address that the program asks for. */
static struct oriel_endpoint in_the_stack(struct rsock *s, const struct oriel_endpoint *asked)
{
    struct oriel_endpoint e = *asked;
    bool v4 = addr_is_v4(&e.addr);
    if (addr_is_loopback(&e.addr))
        e.addr = v4 ? ADDR_V4_ANY : ADDR_NONE;
    if (s->v6 && !v4 && !addr_is_unspecified(&asked->addr))
        (void)!oriel_setopt(s->run->stack, s->h, ORIEL_OPT_V6ONLY, 1);
    if (!s->v6 && addr_is_unspecified(&e.addr))
        e.addr = ADDR_V4_ANY;
    return e;
}

int rsock_bind(struct rsock *s, const struct oriel_endpoint *asked)
{
    int err = rsock_open(s);
    if (err)
        return err;
    struct oriel_endpoint e = in_the_stack(s, asked);
    err = oriel_bind(s->run->stack, s->h, &e);
    if (err == ORIEL_EADDRINUSE) {
        rsock_sweep_port(s->run, e.port);
        err = oriel_bind(s->run->stack, s->h, &e);
    }
    if (err < 0)
        return rsock_errno(err);
    s->bound = true;
    s->shown = *asked;
    if (oriel_local(s->run->stack, s->h, &e) == 0)
        s->shown.port = s->port = e.port;
    return 0;
}

void rtcp_call_bind(struct rsock *s, struct run_request *r)
{
    struct oriel_endpoint e;
    bool unspec;
    int err = raddr_read(r, s, r->arg[1], r->arg[2], &e, &unspec);
    if (!err && (s->state != RSOCK_IDLE || s->bound))
        err = -EINVAL;
    r->asker->answer(r, err ? err : rsock_bind(s, &e));
}

/* ---- connecting ---- */

/* Of those at the door the one of that name (NULL: none); others that know the door are turned away. */
static int let_in(struct run *n, const struct sockaddr_un *who, socklen_t who_len)
{
    for (;;) {
        struct sockaddr_un peer;
        socklen_t len = sizeof(peer);
        int end = accept4(n->doorbell, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (end < 0)
            return -errno;
        if (who && getpeername(end, (struct sockaddr *)&peer, &len) == 0 && len == who_len &&
            memcmp(&peer, who, len) == 0)
            return end;
        close(end);
    }
}

/* Who waited for room at the door would wait for us: without waiting, even where the descriptor would. */
static int knock(struct run *n, int dup)
{
    struct sockaddr_un door;
    socklen_t len = rsock_name(n, &door, 'l', false, 0);
    int status = fcntl(dup, F_GETFL), err = -EAGAIN;
    if (!(status & O_NONBLOCK))
        (void)fcntl(dup, F_SETFL, status | O_NONBLOCK);
    for (int i = 0; i < KNOCKS_MAX && err == -EAGAIN; i++) {
        err = connect(dup, (const struct sockaddr *)&door, len) == 0 ? 0 : -errno;
        if (err == -EAGAIN)
            (void)let_in(n, NULL, 0);
    }
    if (!(status & O_NONBLOCK))
        (void)fcntl(dup, F_SETFL, status);
    return err;
}

/* Joined to us through the doorbell. */
static int join(struct run *n, int dup)
{
    struct sockaddr_un own;
    socklen_t own_len = sizeof(own);
    if (getsockname(dup, (struct sockaddr *)&own, &own_len) != 0)
        return -errno;
    int err = knock(n, dup);
    return err ? err : let_in(n, &own, own_len);
}

/*
 * With junk towards us. The buffer is made smaller afterwards: it says that there is room, if there is any,
 * whenever it changes.
 */
static void stuff(struct rsock *s, int dup)
{
    const int size = JUNK_SNDBUF;
    ssize_t k = send(dup, s->run->buf, JUNK, MSG_DONTWAIT | MSG_NOSIGNAL);
    s->junk = k > 0 ? (size_t)k : 0;
    (void)setsockopt(dup, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* 0, or a negative errno: there is no connection then, and the descriptor is good for none. */
static int attach(struct rsock *s, int dup, bool pending)
{
    struct run *n = s->run;
    int end = join(n, dup);
    if (end >= 0 && pending)
        stuff(s, dup);
    int err = end < 0 ? end : relay_start(s, end);
    if (err) {
        rsock_drop_handle(s, true);
        s->state = RSOCK_OVER;
    }
    return err;
}

/* The descriptor has a connection behind it that is over: the program gets a fresh one under its number. */
static int renew(struct rsock *s, struct run_request *r)
{
    struct run *n = s->run;
    struct sockaddr_un u;
    if (s == &n->ghost)
        return -EISCONN;
    int flags = SOCK_CLOEXEC | (rsock_is_nonblocking(r->dup) ? SOCK_NONBLOCK : 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);
    uint32_t id = ++n->names;
    socklen_t len = rsock_name(n, &u, 's', s->v6, id);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&u, len) != 0) {
        int err = -errno;
        if (fd >= 0)
            close(fd);
        return err;
    }
    int err = r->asker->replace(r, fd);
    if (err == 0)
        err = dup3(fd, r->dup, O_CLOEXEC) < 0 ? -errno : 0;
    close(fd);
    if (err == 0)
        rsock_rename(s, 's', id, r->dup);
    return err;
}

static int begin(struct rsock *s, const struct oriel_endpoint *to)
{
    struct run *n = s->run;
    struct oriel_endpoint real;
    int err = rsock_open(s);
    if (!err && s->bound && s->port == 0)
        err = rsock_bind(s, &s->shown);
    if (!err)
        err = raddr_route(n, false, to, &real);
    if (err)
        return err;
    err = oriel_connect(n->stack, s->h, &real);
    if (err < 0)
        return rsock_errno(err);
    s->asked = *to;
    if (addr_is_unspecified(&to->addr))
        s->asked.addr = addr_is_v4(&to->addr) || !s->v6 ? addr_v4(INADDR_LOOPBACK) : addr_v6(0, 1);
    s->loops = addr_is_loopback(&s->asked.addr);
    s->state = RSOCK_CONNECTING;
    s->connect_told = false;
    s->error = 0;
    return 0;
}

/* connect on a socket that is not fresh: 0 goes on to begin, else the answer was given. */
static int already(struct rsock *s, struct run_request *r)
{
    int err = -EISCONN;
    switch (s->state) {
    case RSOCK_IDLE:
        return 0;
    case RSOCK_CONNECTED:
        err = s->connect_told || s->name == 'c' ? -EISCONN : 0;
        s->connect_told = true;
        break;
    case RSOCK_CONNECTING:
        if (!rsock_is_nonblocking(r->dup)) {
            rsock_park(s, r, s->snd_timeout ? host_now() + s->snd_timeout : ORIEL_NEVER);
            return 1;
        }
        err = -EALREADY;
        break;
    case RSOCK_OVER:
        err = -(s->error ? s->error : s->connect_told ? EISCONN : 0);
        s->error = 0;
        if (err == 0 && (err = renew(s, r)) == 0)
            return 0;
        break;
    case RSOCK_LISTENING:
    case RSOCK_DATAGRAM:
        break;
    }
    r->asker->answer(r, err);
    return 1;
}

void rtcp_call_connect(struct rsock *s, struct run_request *r)
{
    struct oriel_endpoint to;
    bool unspec;
    int err = raddr_read(r, s, r->arg[1], r->arg[2], &to, &unspec);
    if (err || unspec)
        return r->asker->answer(r, err ? err : s->state == RSOCK_IDLE ? 0 : -EINVAL);
    if (already(s, r) != 0)
        return;
    err = begin(s, &to);
    if (err)
        return r->asker->answer(r, err);
    if (!rsock_is_nonblocking(r->dup))
        return rsock_park(s, r, s->snd_timeout ? host_now() + s->snd_timeout : ORIEL_NEVER);
    err = attach(s, r->dup, true);
    r->asker->answer(r, err ? err : -EINPROGRESS);
}

/* To that request, and to all that wait for the same. */
static void answer_connects(struct rsock *s, struct run_request *r, int err)
{
    for (; r; r = rsock_unpark(s, RUN_CONNECT))
        r->asker->answer(r, err);
}

static void established(struct rsock *s)
{
    struct run_request *r = rsock_unpark(s, RUN_CONNECT);
    int err = s->end < 0 && r ? attach(s, r->dup, false) : 0;
    if (err < 0)
        return answer_connects(s, r, err);
    while (s->junk > 0) {
        ssize_t k = recv(s->end, s->run->buf, s->junk < JUNK ? s->junk : JUNK, MSG_DONTWAIT);
        if (k <= 0)
            break;
        s->junk -= (size_t)k;
    }
    s->state = RSOCK_CONNECTED;
    s->connect_told = r != NULL;
    answer_connects(s, r, 0);
    relay_out(s);
}

static void refused(struct rsock *s)
{
    int64_t why = 0;
    struct run_request *r = rsock_unpark(s, RUN_CONNECT);
    if (oriel_getopt(s->run->stack, s->h, ORIEL_OPT_ERROR, &why) != 0 || why == 0)
        why = ORIEL_ECONNREFUSED;
    int err = rsock_errno((int)why);
    s->why = (int)why;
    if (s->end >= 0)
        relay_fail(s, (int)why);
    else {
        rsock_drop_handle(s, true);
        s->state = RSOCK_IDLE;
        s->port = s->bound ? 0 : s->port;
        s->error = r ? 0 : -err;
    }
    answer_connects(s, r, err);
}

void rtcp_forget(struct rsock *s, struct run_request *r)
{
    if (r->call != RUN_CONNECT || s->state != RSOCK_CONNECTING || s->end >= 0)
        return;
    int err = attach(s, r->dup, true);      /* it goes on, and the program may poll for its end */
    if (err)
        answer_connects(s, rsock_unpark(s, RUN_CONNECT), err);
}

void rtcp_give_up(struct rsock *s, struct run_request *r)
{
    int err = r->call == RUN_CONNECT ? -EINPROGRESS : -EAGAIN;
    if (r->call == RUN_CONNECT && s->state == RSOCK_CONNECTING && s->end < 0) {
        int failed = attach(s, r->dup, true);
        err = failed ? failed : err;
    }
    r->asker->answer(r, err);
    if (s->state == RSOCK_OVER)
        answer_connects(s, rsock_unpark(s, RUN_CONNECT), err);
}

/* ---- listening ---- */

static bool is_published(const struct rsock *s)
{
    const struct run_config *c = &s->run->cfg;
    for (unsigned i = 0; i < c->publish_n; i++)
        if (!c->publish[i].udp && c->publish[i].guest.port == s->port)
            return true;
    return false;
}

static void tell_listener(struct rsock *s)
{
    struct run *n = s->run;
    char text[160];
    if (n->told_listen || !n->cfg.say || is_published(s))
        return;
    n->told_listen = true;
    (void)snprintf(text, sizeof(text), "the program listens on port %u, which nothing of the host leads to; "
                   "with --publish %u it does", s->port, s->port);
    n->cfg.say(n->cfg.ctx, text);
}

static int listen_in_stack(struct rsock *s, int backlog)
{
    uint32_t most = backlog < 0 || backlog > BACKLOG_MAX ? BACKLOG_MAX : (uint32_t)backlog + 1;
    struct oriel_listen l = {.backlog = most, .defer = true};
    int err = rsock_open(s);
    if (err)
        return err;
    err = oriel_listen(s->run->stack, s->h, &l);
    if (err == ORIEL_EADDRINUSE) {
        rsock_sweep_port(s->run, s->port);
        err = oriel_listen(s->run->stack, s->h, &l);
    }
    return rsock_errno(err);
}

void rtcp_call_listen(struct rsock *s, struct run_request *r)
{
    bool again = s->state == RSOCK_LISTENING;
    int err = again || s->state == RSOCK_IDLE ? listen_in_stack(s, (int)r->arg[1]) : -EINVAL;
    if (!err && listen(r->dup, (int)r->arg[1]) != 0)
        err = -errno;
    if (!err) {
        s->state = RSOCK_LISTENING;
        rsock_count_port(s, false);
        if (!again)
            tell_listener(s);
    }
    r->asker->answer(r, err);
}

/* ---- accepting ---- */

/* One accept that does not wait, even where the descriptor would. */
static int accept_now(int dup, int flags)
{
    struct pollfd p = {.fd = dup, .events = POLLIN};
    bool waits = !rsock_is_nonblocking(dup);
    if (poll(&p, 1, 0) != 1 || !(p.revents & POLLIN))
        return -EAGAIN;
    int status = waits ? fcntl(dup, F_GETFL) : 0;
    if (waits)                          /* another thread may be quicker */
        (void)fcntl(dup, F_SETFL, status | O_NONBLOCK);
    int got = accept4(dup, NULL, NULL, flags | SOCK_CLOEXEC);
    int err = -errno;
    if (waits)
        (void)fcntl(dup, F_SETFL, status);
    return got < 0 ? err : got;
}

/* Answers the request, or says -EAGAIN. */
static int accept_for(struct rsock *s, struct run_request *r)
{
    int flags = (int)r->arg[3];
    int fd = s->stash >= 0 ? s->stash : accept_now(r->dup, flags & SOCK_NONBLOCK);
    if (fd == -EAGAIN)
        return fd;
    if (fd < 0) {
        r->asker->answer(r, fd);
        return 0;
    }
    s->stash = -1;
    struct rsock *c = rsock_of_descriptor(s->run, fd);
    struct oriel_endpoint peer = {.addr = s->v6 ? ADDR_NONE : ADDR_V4_ANY};
    if (c)
        (void)rsock_remote(c, &peer);
    int err = r->arg[1] ? raddr_write(r, s, &peer, r->arg[1], r->arg[2]) : 0;
    if (err) {
        close(fd);
        r->asker->answer(r, err);
        return 0;
    }
    pid_t tid = r->tid;
    int number = r->asker->install(r, fd, flags & SOCK_CLOEXEC);
    if (number == -ENOENT && s->stash < 0)
        s->stash = fd;                  /* who asked was called away: for the next one */
    else
        close(fd);
    if (c && number >= 0) {
        c->tid = tid;
        c->fd = number;
    }
    return 0;
}

static void wake_accepts(struct rsock *s)
{
    struct run_request *r;
    while ((r = rsock_unpark(s, RUN_ACCEPT)) != NULL) {
        oriel_time until = r->until;
        if (accept_for(s, r) != -EAGAIN)
            continue;
        rsock_park(s, r, until);
        return;
    }
}

/* Into the queue of the listening descriptor. -EAGAIN: it is full; another: nobody holds that any more. */
static int deliver(struct rsock *s, struct rsock *c)
{
    struct run *n = s->run;
    struct sockaddr_un own, to;
    socklen_t own_len = rsock_name(n, &own, 'c', c->v6, c->id);
    socklen_t to_len = rsock_name(n, &to, 's', s->v6, s->id);
    int end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (end < 0)
        return -errno;
    if (bind(end, (const struct sockaddr *)&own, own_len) != 0 ||
        connect(end, (const struct sockaddr *)&to, to_len) != 0) {
        int err = -errno;
        close(end);
        return err;
    }
    int err = relay_start(c, end);
    if (err == 0)
        relay_in(c);
    return err;
}

static void wait_for_room(struct rsock *s, struct rsock *c)
{
    struct rsock **at = &s->waiting;
    while (*at)
        at = &(*at)->waiting_next;
    *at = c;
    c->listener = s;
    s->waiting_n++;
}

static void deliver_waiting(struct rsock *s)
{
    struct rsock *c;
    while ((c = s->waiting) != NULL) {
        s->waiting = c->waiting_next;
        c->waiting_next = NULL;
        c->listener = NULL;
        int err = deliver(s, c);
        if (err == -EAGAIN) {
            c->waiting_next = s->waiting;
            c->listener = s;
            s->waiting = c;
            s->run->retry_at = host_now() + RETRY_AFTER;
            return;
        }
        s->waiting_n--;
        if (err < 0) {
            rsock_drop_handle(c, true);
            rsock_free(c);
        }
    }
}

static void take_connections(struct rsock *s)
{
    struct run *n = s->run;
    struct oriel_held held;
    bool there = true, asked = false;
    while (oriel_held_next(n->stack, s->h, &held) == 0) {
        there = asked ? there : rsock_is_held(s);
        asked = true;
        (void)!oriel_admit(n->stack, s->h, held.id, there ? ORIEL_ADMIT : ORIEL_ADMIT_RESET);
    }
    if (!there)
        return rsock_free(s);
    oriel_handle h;
    while (s->waiting_n < UNDELIVERED_MAX && oriel_accept(n->stack, s->h, &h, NULL) == 0) {
        struct rsock *c = rsock_new(n, 'c', s->v6, 0);
        if (!c) {
            (void)!oriel_abort(n->stack, h);
            continue;
        }
        rsock_take_handle(c, h);
        ropt_inherit(c, s);
        wait_for_room(s, c);
    }
    deliver_waiting(s);
    wake_accepts(s);
}

void rtcp_call_accept(struct rsock *s, struct run_request *r)
{
    if (s->state != RSOCK_LISTENING)
        return r->asker->answer(r, -EINVAL);
    if ((int)r->arg[3] & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return r->asker->answer(r, -EINVAL);
    int err = accept_for(s, r);
    if (err == -EAGAIN && rsock_is_nonblocking(r->dup))
        r->asker->answer(r, err);
    else if (err == -EAGAIN)
        rsock_park(s, r, s->rcv_timeout ? host_now() + s->rcv_timeout : ORIEL_NEVER);
    if (s->waiting)
        take_connections(s);            /* there may be room now */
}

void rtcp_retry(struct run *n)
{
    for (unsigned i = 0; i < RUN_SOCKS_MAX; i++)
        if (n->slots[i] && n->slots[i]->waiting)
            take_connections(n->slots[i]);
}

void rtcp_on_ready(struct rsock *s, uint32_t events)
{
    struct run *n = s->run;
    oriel_handle h = s->h;
    int64_t why = 0;
    if (s->state == RSOCK_LISTENING)
        return take_connections(s);
    if (s->state == RSOCK_CONNECTING && (events & ORIEL_FAILED))
        return refused(s);
    if (s->state == RSOCK_CONNECTING && (events & ORIEL_WRITABLE))
        established(s);
    if (rsock_of_handle(n, h) != s || s->state != RSOCK_CONNECTED || s->end < 0)
        return;
    if (s->in_over && (events & ORIEL_FAILED) &&
        oriel_getopt(n->stack, h, ORIEL_OPT_ERROR, &why) == 0 && why < 0)
        return relay_fail(s, (int)why);
    relay_in(s);
    if (rsock_of_handle(n, h) == s && s->out_blocked && (events & (ORIEL_WRITABLE | ORIEL_HUNG_UP)))
        relay_out(s);
}
