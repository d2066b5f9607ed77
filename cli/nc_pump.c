/* One conversation: connect or accept, then bytes both ways until both ends are done. */
#define _GNU_SOURCE
#include "cli/nc.h"

#include "cli/out.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATAGRAM    16384               /* of input makes one at most */
#define PIPE_ROOM   4096                /* what a pipe takes that says it is writable */
#define CLOSE_TIME  (5 * NS_PER_S)      /* for the last bytes to be acknowledged */
#define SCAN_WAIT   (1 * NS_PER_S)      /* a datagram that nobody refuses that long has arrived */

/* ---- descriptors ---- */

static void in_ready(void *ctx, uint32_t events)
{
    struct nc *c = ctx;
    (void)events;
    c->in_waits = false;
    netrun_remove(c->n, &c->in);
    nc_step(c, netrun_now(c->n));
    netrun_poke(c->n);
}

static void out_ready(void *ctx, uint32_t events)
{
    struct nc *c = ctx;
    (void)events;
    c->out_waits = false;
    netrun_remove(c->n, &c->out);
    nc_step(c, netrun_now(c->n));
    netrun_poke(c->n);
}

static bool is_file(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

static bool is_ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, 0) > 0;
}

/* Be called when it is; a descriptor that cannot be waited for (/dev/null) always is. */
static bool wait_for(struct nc *c, struct loop_source *s, bool *waits)
{
    if (!*waits && netrun_add(c->n, s))
        *waits = true;
    return *waits;
}

static void forget(struct nc *c, struct loop_source *s, bool *waits)
{
    if (*waits)
        netrun_remove(c->n, s);
    *waits = false;
}

/* ---- from standard input ---- */

static void input_ends(struct nc *c, int error)
{
    c->in_open = false;
    c->sys_error = error;
    if (c->half_close && !c->udp)
        best_effort(oriel_shutdown(c->n->stack, c->sock, ORIEL_SHUT_WRITE));
    if (c->linger != ORIEL_NEVER)
        c->quit_at = netrun_now(c->n) + c->linger;
}

/* One read into the socket. False: not now. */
static bool pump_in_once(struct nc *c)
{
    struct oriel_stack *s = c->n->stack;
    struct oriel_room room = {.p = c->n->buffer, .n = DATAGRAM};
    if (!c->udp)
        room = oriel_send_window(s, c->sock);
    if (room.n == 0)
        return false;                   /* the stack calls when there is room */
    if (!c->in_file && !is_ready(STDIN_FILENO, POLLIN)) {
        (void)wait_for(c, &c->in, &c->in_waits);
        return false;
    }
    ssize_t n = read(STDIN_FILENO, room.p, room.n);
    if (n < 0 && errno == EINTR)
        return true;
    if (n <= 0) {
        input_ends(c, n < 0 ? errno : 0);
        return false;
    }
    int err = c->udp ? oriel_send(s, c->sock, room.p, (size_t)n, NULL)
                     : oriel_send_commit(s, c->sock, (size_t)n);
    c->bytes_in += err < 0 ? 0 : (size_t)n;
    return err >= 0;
}

static void pump_in(struct nc *c)
{
    bool can = c->in_open && (!c->udp || c->remote.port != 0);
    for (unsigned i = 0; can && i < 64 && c->in_open && pump_in_once(c); i++)
        ;
}

/* ---- to standard output ---- */

/* What was written; 0: not now, or never more (sys_error). */
static size_t write_some(struct nc *c, const void *p, size_t n)
{
    if (!c->out_file && !is_ready(STDOUT_FILENO, POLLOUT)) {
        (void)wait_for(c, &c->out, &c->out_waits);
        return 0;
    }
    ssize_t k = write(STDOUT_FILENO, p, c->out_file || n < PIPE_ROOM ? n : PIPE_ROOM);
    if (k < 0 && errno != EINTR)
        c->sys_error = errno;
    c->bytes_out += k > 0 ? (size_t)k : 0;
    return k > 0 ? (size_t)k : 0;
}

static bool is_silent(const struct nc *c)
{
    return watch_takes_stdout(c->n->args);
}

static void pump_stream(struct nc *c)
{
    struct oriel_stack *s = c->n->stack;
    struct oriel_bytes b;
    int got = 0;
    while (c->sys_error == 0 && (got = oriel_recv_view(s, c->sock, &b, 1)) > 0) {
        size_t k = is_silent(c) ? b.n : write_some(c, b.p, b.n);
        if (k == 0)
            return;
        got = oriel_recv_release(s, c->sock, k);
        ORIEL_ASSERT(got >= 0);
    }
    if (c->sys_error != 0 || got == ORIEL_EAGAIN)
        return;
    c->peer_done = true;
    c->error = got < 0 ? got : 0;
}

static void pump_datagrams(struct nc *c)
{
    struct oriel_msg m;
    while (c->sys_error == 0) {
        if (!c->out_file && !is_ready(STDOUT_FILENO, POLLOUT)) {
            (void)wait_for(c, &c->out, &c->out_waits);
            return;
        }
        m = (struct oriel_msg){.flags = 0};
        int got = oriel_recv(c->n->stack, c->sock, c->n->buffer, APP_BUFFER, &m);
        if (got == ORIEL_EAGAIN)
            return;
        if (got < 0) {
            c->error = got;
            c->peer_done = true;
            return;
        }
        if (c->listens && c->remote.port == 0) {        /* the first who speaks is the peer */
            c->remote = m.peer;
            best_effort(oriel_connect(c->n->stack, c->sock, &m.peer));
            if (opt_on(c->n->args, "verbose"))
                out_note("Connection received from port %u", m.peer.port);
        }
        for (size_t at = 0; at < (size_t)got && !is_silent(c);) {
            ssize_t k = write(STDOUT_FILENO, c->n->buffer + at, (size_t)got - at);
            if (k < 0 && errno != EINTR) {
                c->sys_error = errno;
                return;
            }
            at += k > 0 ? (size_t)k : 0;
        }
        c->bytes_out += (size_t)got;
    }
}

/* ---- ends ---- */

static void tell_peer(const struct nc *c, const char *what)
{
    char text[ADDR_TEXT_MAX];
    struct txt t = txt_of(text, sizeof text);
    if (!opt_on(c->n->args, "verbose"))
        return;
    txt_addr(&t, &c->remote.addr);
    if (c->listens)
        out_note("Connection received on %s %u", text, c->remote.port);
    else
        out_note("Connection to %s %u port [%s] %s", text, c->remote.port, c->udp ? "udp" : "tcp",
                 what);
}

static void be_idle_until(struct nc *c, oriel_time now)
{
    c->deadline = c->timeout ? now + c->timeout : ORIEL_NEVER;
}

static void end(struct nc *c, int error)
{
    struct oriel_stack *s = c->n->stack;
    c->error = error;
    if (c->udp && c->scans && error == 0)
        tell_peer(c, "succeeded!");
    forget(c, &c->in, &c->in_waits);
    forget(c, &c->out, &c->out_waits);
    if (c->sock && !c->udp)
        summary_conn(netrun_summary(c->n), s, c->sock, error);
    if (c->sock)
        best_effort(oriel_close(s, c->sock));
    c->sock = 0;
    if (c->keeps && c->listener && c->sys_error == 0) {
        c->state = NC_LISTENING;
        c->deadline = ORIEL_NEVER;
        c->error = 0;
        return;
    }
    c->state = c->udp || error ? NC_DONE : NC_CLOSING;
    c->deadline = netrun_now(c->n) + CLOSE_TIME;
}

/* Has the stack said all that it has to say? */
static bool is_quiet(const struct nc *c)
{
    struct oriel_conn_info i;
    for (uint32_t at = 0; oriel_conn_each(c->n->stack, &at, &i);)
        if (i.state != ORIEL_TCP_TIME_WAIT && i.state != ORIEL_TCP_LISTEN &&
            i.state != ORIEL_TCP_CLOSED && i.state != ORIEL_TCP_FIN_WAIT_2)
            return false;
    return true;
}

static int waiting_error(const struct nc *c)
{
    int64_t err = 0;
    best_effort(oriel_getopt(c->n->stack, c->sock, ORIEL_OPT_ERROR, &err));
    return (int)err;
}

/* ---- states ---- */

/* Each conversation reads standard input, also one after its end: that is read again. */
static void begin(struct nc *c)
{
    c->in_open = !c->no_input && !c->scans;
    c->peer_done = false;
    c->deadline = c->quit_at = ORIEL_NEVER;
    c->error = 0;
}

static void open_now(struct nc *c, oriel_time now)
{
    c->state = NC_OPEN;
    be_idle_until(c, now);
    if (!c->udp || (!c->listens && !c->scans))
        tell_peer(c, "succeeded!");
    if (c->scans && !c->udp)
        end(c, 0);
}

/* False: nobody waits. */
static bool accept_one(struct nc *c, oriel_time now)
{
    struct oriel_stack *s = c->n->stack;
    if (oriel_accept(s, c->listener, &c->sock, &c->remote) < 0)
        return false;
    c->accepted++;
    if (!c->keeps) {
        best_effort(oriel_close(s, c->listener));
        c->listener = 0;
    }
    begin(c);
    open_now(c, now);
    return true;
}

static void look_at_connect(struct nc *c, oriel_time now)
{
    uint32_t ready = oriel_ready(c->n->stack, c->sock);
    if (ready & (ORIEL_FAILED | ORIEL_HUNG_UP))
        end(c, waiting_error(c));
    else if (ready & ORIEL_WRITABLE)
        open_now(c, now);
    else if (now >= c->deadline)
        end(c, ORIEL_ETIMEDOUT);
}

/*
 * The peer has ended: what is there to be sent still goes (it may have closed only its half), but nobody
 * waits for somebody who types.
 */
static bool is_all_said(const struct nc *c)
{
    bool more = c->in_open && !c->udp && c->error == 0 &&
                (c->in_file || is_ready(STDIN_FILENO, POLLIN));
    return c->peer_done && !more;
}

static void move(struct nc *c, oriel_time now)
{
    uint64_t before = c->bytes_in + c->bytes_out;
    pump_in(c);
    if (c->udp)
        pump_datagrams(c);
    else
        pump_stream(c);
    if (c->bytes_in + c->bytes_out != before)
        be_idle_until(c, now);
    if (c->sys_error != 0 || is_all_said(c) || now >= c->quit_at || now >= c->deadline)
        end(c, c->error);
}

void nc_step(void *ctx, oriel_time now)
{
    struct nc *c = ctx;
    do {
        if (c->state == NC_CONNECTING)
            look_at_connect(c, now);
        if (c->state == NC_OPEN)
            move(c, now);
    } while (c->state == NC_LISTENING && accept_one(c, now));
    if (c->state == NC_CLOSING && (is_quiet(c) || now >= c->deadline))
        c->state = NC_DONE;
}

oriel_time nc_deadline(const void *ctx)
{
    const struct nc *c = ctx;
    return c->quit_at < c->deadline && c->state == NC_OPEN ? c->quit_at : c->deadline;
}

bool nc_busy(const void *ctx)
{
    const struct nc *c = ctx;
    return c->state != NC_DONE;
}

/* ---- beginning ---- */

static int open_datagrams(struct nc *c)
{
    struct oriel_stack *s = c->n->stack;
    int err = oriel_udp_open(s, c->family, &c->sock);
    if (err >= 0 && (c->listens || c->local.port))
        err = oriel_bind(s, c->sock, &c->local);
    if (err >= 0 && !c->listens)
        err = oriel_connect(s, c->sock, &c->remote);
    if (err < 0)
        return err;
    open_now(c, netrun_now(c->n));
    if (c->scans) {
        c->in_open = false;
        err = oriel_send(s, c->sock, "", 0, NULL);
        c->deadline = netrun_now(c->n) + (c->timeout ? c->timeout : SCAN_WAIT);
    }
    return err < 0 ? err : 0;
}

static int open_stream(struct nc *c)
{
    struct oriel_stack *s = c->n->stack;
    oriel_handle h;
    int err = oriel_tcp_open(s, c->family, &h);
    if (err >= 0)
        err = netrun_congestion(c->n, h);
    if (err >= 0)
        err = oriel_setopt(s, h, ORIEL_OPT_REUSEADDR, 1);
    if (err >= 0 && (c->listens || c->local.port))
        err = oriel_bind(s, h, &c->local);
    if (err >= 0)
        err = c->listens ? oriel_listen(s, h, NULL) : oriel_connect(s, h, &c->remote);
    if (err < 0)
        return err;
    c->state = c->listens ? NC_LISTENING : NC_CONNECTING;
    *(c->listens ? &c->listener : &c->sock) = h;
    if (!c->listens)
        be_idle_until(c, netrun_now(c->n));
    return 0;
}

int nc_start(struct nc *c)
{
    c->in = (struct loop_source){.fd = STDIN_FILENO, .events = EPOLLIN, .on_ready = in_ready,
                                 .ctx = c};
    c->out = (struct loop_source){.fd = STDOUT_FILENO, .events = EPOLLOUT, .on_ready = out_ready,
                                  .ctx = c};
    c->in_file = is_file(STDIN_FILENO);
    c->out_file = is_file(STDOUT_FILENO);
    begin(c);
    return c->udp ? open_datagrams(c) : open_stream(c);
}

void nc_stop(struct nc *c)
{
    forget(c, &c->in, &c->in_waits);
    forget(c, &c->out, &c->out_waits);
    if (c->sock && !c->udp)
        summary_conn(netrun_summary(c->n), c->n->stack, c->sock, c->error);
    if (c->sock)
        best_effort(oriel_abort(c->n->stack, c->sock));
    if (c->listener)
        best_effort(oriel_close(c->n->stack, c->listener));
    c->sock = c->listener = 0;
}
