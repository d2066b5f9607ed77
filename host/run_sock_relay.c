/*
 * Bytes between the program's descriptor and its stream in the stack: from the descriptor straight into the
 * send buffer, from the received segments straight into the descriptor. What one side does not take stays
 * at the other, so windows close from end to end.
 *
 * The descriptor's end tells what the program does: end of file is shutdown or close, and with it
 * hang-up means that nobody holds it any more (or that both directions are over).
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECES   64                 /* of received data in one call */
#define END_BUFFER (4 << 20)        /* asked for; the system gives what it allows */
#define EVENTS   (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLET)

static void on_end(void *ctx, uint32_t events)
{
    struct rsock *s = ctx;
    struct run *n = s->run;
    if (s->state == RSOCK_CONNECTING) {
        if (events & EPOLLHUP) {
            rsock_drop_handle(s, true);
            rsock_free(s);
        }
        return;
    }
    if (s->state != RSOCK_CONNECTED) {
        if (events & EPOLLHUP)
            rsock_free(s);
        return;
    }
    oriel_handle h = s->h;
    if (events & EPOLLOUT)
        relay_in(s);
    if (rsock_of_handle(n, h) == s && (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
        relay_out(s);
}

int relay_start(struct rsock *s, int end)
{
    int size = END_BUFFER;
    (void)setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return rsock_watch(s, end, EVENTS, on_end);
}

static void wait_writable(struct rsock *s, bool wait)
{
    s->in_blocked = wait;
    (void)loop_change(s->run->loop, &s->source, wait ? EVENTS | EPOLLOUT : EVENTS);
}

/* The system is short of memory, and nothing will say when it is not any more. */
static void try_again(struct rsock *s)
{
    wait_writable(s, true);
    (void)loop_again(s->run->loop, &s->source);
}

/* The urgent byte, where the stream has come to it. */
static void urgent_in(struct rsock *s)
{
    struct oriel_stack *stack = s->run->stack;
    struct oriel_msg m = {.flags = ORIEL_MSG_URGENT};
    int64_t at_mark = 0;
    char byte;
    if (!(oriel_ready(stack, s->h) & ORIEL_URGENT) ||
        oriel_getopt(stack, s->h, ORIEL_OPT_AT_MARK, &at_mark) != 0 || !at_mark)
        return;
    if (oriel_recv(stack, s->h, &byte, 1, &m) == 1)
        (void)send(s->end, &byte, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* What the descriptor took of these pieces; negative: an errno. */
static ssize_t give(struct rsock *s, const struct oriel_bytes *piece, int n, size_t *all)
{
    struct iovec v[PIECES];
    *all = 0;
    for (int i = 0; i < n; i++) {
        v[i] = (struct iovec){.iov_base = (void *)(uintptr_t)piece[i].p, .iov_len = piece[i].n};
        *all += piece[i].n;
    }
    struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
    ssize_t k = sendmsg(s->end, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    return k < 0 ? -errno : k;
}

void relay_in(struct rsock *s)
{
    struct oriel_stack *stack = s->run->stack;
    struct oriel_bytes piece[PIECES];
    while (!s->in_over) {
        urgent_in(s);
        int n = oriel_recv_view(stack, s->h, piece, PIECES);
        if (n == ORIEL_EAGAIN)
            break;
        if (n < 0)
            return relay_fail(s, n);
        if (n == 0) {
            s->in_over = true;
            (void)shutdown(s->end, SHUT_WR);
            break;
        }
        size_t all;
        ssize_t k = give(s, piece, n, &all);
        if (k == -EAGAIN)
            return wait_writable(s, true);
        if (k == -ENOBUFS || k == -ENOMEM)
            return try_again(s);
        if (k < 0)
            k = (ssize_t)all;           /* it does not read any more: as after shutdown, thrown away */
        (void)!oriel_recv_release(stack, s->h, (size_t)k);
        s->run->dirty = true;
    }
    if (s->in_blocked)
        wait_writable(s, false);
}

/* ---- from the program ---- */

static bool is_hung_up(const struct rsock *s)
{
    struct pollfd p = {.fd = s->end, .events = 0};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

/*
 * The program ended it with a reset. A kernel sends what is written when it is written; here that happens after the
 * turn, and a reset at once would take away from the peer what was there before it (fresh: written in this call).
 */
static void reset_after(struct rsock *s, bool fresh)
{
    if (fresh) {
        s->resets = s->held_up = true;
        (void)loop_again(s->run->loop, &s->source);
        return;
    }
    rsock_drop_handle(s, true);
    rsock_free(s);
}

/* End of file: of one direction, or nobody holds it any more. */
static void out_ended(struct rsock *s, bool fresh)
{
    s->held_up = false;
    if (is_hung_up(s) && s->linger_s == 0)
        return reset_after(s, fresh);
    if (is_hung_up(s)) {
        rsock_drop_handle(s, false);
        return rsock_free(s);
    }
    s->out_over = true;
    (void)!oriel_shutdown(s->run->stack, s->h, ORIEL_SHUT_WRITE);
    s->run->dirty = true;
}

/* Is the next byte the urgent one? Then it leaves as such. */
static bool urgent_out(struct rsock *s)
{
    int at_mark = 0;
    char byte;
    struct oriel_msg m = {.flags = ORIEL_MSG_URGENT};
    if (ioctl(s->end, SIOCATMARK, &at_mark) != 0 || !at_mark)
        return false;
    if (recv(s->end, &byte, 1, MSG_OOB | MSG_DONTWAIT) != 1)
        return false;
    (void)!oriel_send(s->run->stack, s->h, &byte, 1, &m);
    return true;
}

void relay_out(struct rsock *s)
{
    struct oriel_stack *stack = s->run->stack;
    struct pollfd p = {.fd = s->end, .events = POLLPRI};
    bool urgent = poll(&p, 1, 0) == 1 && (p.revents & POLLPRI), fresh = false;
    if (s->resets)
        return reset_after(s, false);
    s->out_blocked = false;
    while (!s->out_over) {
        if (urgent && urgent_out(s))
            urgent = false;
        struct oriel_room room = oriel_send_window(stack, s->h);
        if (room.n == 0) {
            s->out_blocked = true;
            s->held_up = is_hung_up(s);
            return;
        }
        ssize_t k = recv(s->end, room.p, room.n, MSG_DONTWAIT);
        if (k == 0)
            return out_ended(s, fresh);
        if (k < 0 && errno == EAGAIN)
            return;
        if (k < 0)                      /* closed with data unread: a reset, as TCP has it */
            return reset_after(s, fresh);
        (void)!oriel_send_commit(stack, s->h, (size_t)k);
        fresh = true;
        s->run->dirty = true;
    }
    if (is_hung_up(s)) {
        rsock_drop_handle(s, s->linger_s == 0 && !s->in_over);
        rsock_free(s);
    }
}

int64_t relay_unsent(const struct rsock *s)
{
    int64_t unsent = 0;
    int queued = 0;
    if (s->h)
        (void)!oriel_getopt(s->run->stack, s->h, ORIEL_OPT_UNSENT, &unsent);
    if (s->end >= 0 && s->state == RSOCK_CONNECTED)
        (void)ioctl(s->end, FIONREAD, &queued);
    return unsent + queued;
}

/* ---- failing ---- */

void relay_fail(struct rsock *s, int err)
{
    int unread = 0;
    s->error = -rsock_errno(err);
    s->why = err;
    rsock_drop_handle(s, true);
    s->state = RSOCK_OVER;
    if (s->end < 0)
        return;
    (void)ioctl(s->end, FIONREAD, &unread);
    int dup = unread > 0 ? -1 : reach_socket(s);
    if (dup >= 0) {                     /* unread when our end closes: the error is ECONNRESET */
        (void)send(dup, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(dup);
    } else if (unread == 0 && s->name == 'c') {
        (void)shutdown(s->end, SHUT_WR);
        return;                         /* until it is closed, so that it is known whose it was */
    }
    rsock_unwatch(s);
    if (s->name == 'c')
        rsock_free(s);
}
