/*
 * poll, epoll, pipes and splice.
 *
 * Edges of epoll (EPOLLET) come from two sides: what was not ready before a step and is afterwards,
 * and what the stack says has news although it was ready all along. Both are noted for the watches
 * of a file after every step, and told once.
 */
#include "lab/posix.h"

#define POLL_IN     (PX_POLLIN | PX_POLLRDNORM)
#define POLL_OUT    (PX_POLLOUT | PX_POLLWRNORM)
#define POLL_ALWAYS (PX_POLLERR | PX_POLLHUP)
#define CHUNK       4096

/* ---- what holds now ---- */

/* tcp_poll of Linux: a side that was shut down never waits. */
static uint32_t stream_events(const struct px *px, const struct px_file *f)
{
    uint32_t ready = oriel_ready(px->stack, f->h), e = 0;
    bool fresh = !f->listening && !f->connected && !f->connecting;
    bool end = f->shut_read || (ready & ORIEL_PEER_CLOSED);
    if (ready & ORIEL_HUNG_UP)
        e |= POLL_IN | POLL_OUT | PX_POLLRDHUP | PX_POLLHUP;
    if (fresh && !(ready & ~(uint32_t)(ORIEL_WRITABLE | ORIEL_HUNG_UP)))
        return POLL_OUT | PX_POLLHUP;
    if (ready & (ORIEL_READABLE | ORIEL_ACCEPTABLE))
        e |= POLL_IN;
    if (end)
        e |= POLL_IN | PX_POLLRDHUP;
    if (end && f->shut_write)
        e |= PX_POLLHUP;
    if ((ready & ORIEL_WRITABLE) || f->shut_write)
        e |= f->listening ? 0 : POLL_OUT;
    if (ready & ORIEL_URGENT)
        e |= PX_POLLPRI;
    if (ready & ORIEL_FAILED)
        e |= PX_POLLERR;
    return e;
}

static uint32_t pipe_events(const struct px_file *f)
{
    const struct px_pipe *p = f->pipe;
    if (f->kind == PX_PIPE_READ)
        return (p->n > 0 ? POLL_IN : 0u) | (p->ends & 2 ? 0u : PX_POLLHUP);
    return (p->n < PX_PIPE_BYTES ? POLL_OUT : 0u) | (p->ends & 1 ? 0u : PX_POLLERR);
}

uint32_t px_poll_events(const struct px *px, const struct px_file *f)
{
    uint32_t ready;
    switch ((enum px_kind)f->kind) {
    case PX_TCP:
        return stream_events(px, f);
    case PX_UDP:
    case PX_ICMP:
        ready = oriel_ready(px->stack, f->h) | (f->pipe ? ORIEL_READABLE : 0u);
        return (ready & ORIEL_READABLE ? POLL_IN : 0u) | (ready & ORIEL_WRITABLE ? POLL_OUT : 0u) |
               (ready & ORIEL_FAILED ? PX_POLLERR : 0u);
    case PX_PIPE_READ:
    case PX_PIPE_WRITE:
        return pipe_events(f);
    case PX_EPOLL:
    case PX_FREE:
        break;
    }
    return 0;
}

/* When a call that found nothing gives up: 0, or PX_AGAIN. */
static int64_t wait_for(const struct px *px, struct px_call *c, int timeout_ms)
{
    if (timeout_ms >= 0)
        c->deadline = time_after(c->since, (oriel_time)timeout_ms * NS_PER_MS);
    return px->now >= c->deadline ? 0 : PX_AGAIN;
}

int64_t px_poll(struct px *px, struct px_call *c, struct px_pollfd *fds, size_t n, int timeout_ms)
{
    int64_t found = 0;
    for (size_t i = 0; i < n; i++) {
        const struct px_file *f = px_of(px, fds[i].fd);
        uint32_t want = (uint16_t)fds[i].events | POLL_ALWAYS;
        uint32_t got = fds[i].fd < 0 ? 0 : f ? px_poll_events(px, f) & want : PX_POLLNVAL;
        fds[i].revents = (int16_t)got;
        found += got != 0;
    }
    return found > 0 ? found : wait_for(px, c, timeout_ms);
}

/* ---- epoll ---- */

int64_t px_epoll_create(struct px *px, int fd)
{
    int64_t err;
    struct px_epoll *e = pool_get_zeroed(&px->epolls);
    if (!e)
        return -PX_ENOMEM;
    struct px_file *f = px_file_new(px, fd, PX_EPOLL, &err);
    if (!f) {
        pool_put(&px->epolls, e);
        return err;
    }
    for (size_t i = 0; i < PX_WATCHES_MAX; i++)
        e->watch[i].fd = PX_NEVER_FD;
    f->epoll = e;
    return fd;
}

static struct px_watch *watch_of(struct px_epoll *e, int fd)
{
    for (size_t i = 0; i < PX_WATCHES_MAX; i++)
        if (e->watch[i].fd == fd)
            return &e->watch[i];
    return NULL;
}

int64_t px_epoll_ctl(struct px *px, int epfd, int op, int fd, const struct px_epoll_event *e)
{
    struct px_file *ep = px_of(px, epfd), *f = px_of(px, fd);
    if (!ep || !f)
        return -PX_EBADF;
    if (ep->kind != PX_EPOLL || f->kind == PX_EPOLL)
        return -PX_EINVAL;
    struct px_watch *w = watch_of(ep->epoll, fd);
    if (op != PX_EPOLL_CTL_ADD && !w)
        return -PX_ENOENT;
    if (op == PX_EPOLL_CTL_DEL) {
        w->fd = PX_NEVER_FD;
        return 0;
    }
    if ((op != PX_EPOLL_CTL_ADD && op != PX_EPOLL_CTL_MOD) || !e)
        return -PX_EINVAL;
    if (op == PX_EPOLL_CTL_ADD && w)
        return -PX_EEXIST;
    w = w ? w : watch_of(ep->epoll, PX_NEVER_FD);
    if (!w)
        return -PX_ENOMEM;
    *w = (struct px_watch){.fd = fd, .events = e->events, .data = e->data};
    w->edge = px_poll_events(px, f);
    return 0;
}

/* What a watch has to tell, once where it is edges or one shot. */
static uint32_t tell(struct px *px, struct px_watch *w)
{
    const struct px_file *f = w->fd != PX_NEVER_FD ? px_of(px, w->fd) : NULL;
    uint32_t want = (w->events & 0xffff) | POLL_ALWAYS;
    if (!f || w->spent)
        return 0;
    uint32_t got = px_poll_events(px, f) & want;
    if (w->events & PX_EPOLLET) {
        got = w->edge & want ? got : 0;
        w->edge = 0;
    }
    if (got != 0 && (w->events & PX_EPOLLONESHOT))
        w->spent = true;
    return got;
}

int64_t px_epoll_wait(struct px *px, struct px_call *c, int epfd, struct px_epoll_event *out,
                      int max, int timeout_ms)
{
    struct px_file *ep = px_of(px, epfd);
    int found = 0;
    if (!ep)
        return -PX_EBADF;
    if (ep->kind != PX_EPOLL || max <= 0)
        return -PX_EINVAL;
    uint16_t first = ep->epoll->next;
    for (uint16_t i = 0; i < PX_WATCHES_MAX && found < max; i++) {
        uint16_t at = (uint16_t)((first + i) % PX_WATCHES_MAX);
        struct px_watch *w = &ep->epoll->watch[at];
        uint32_t got = tell(px, w);
        if (got == 0)
            continue;
        out[found++] = (struct px_epoll_event){.events = got, .data = w->data};
        ep->epoll->next = (uint16_t)((at + 1) % PX_WATCHES_MAX);
    }
    return found > 0 ? found : wait_for(px, c, timeout_ms);
}

/* A file has news: every set that watches it hears. */
static void note_edge(struct px *px, int fd, uint32_t events)
{
    for (size_t i = 0; i < PX_FILES_MAX; i++) {
        struct px_file *ep = &px->file[i];
        struct px_watch *w = ep->kind == PX_EPOLL ? watch_of(ep->epoll, fd) : NULL;
        if (w)
            w->edge |= events;
    }
}

void px_on_step(struct px *px)
{
    struct oriel_readiness news[16];
    for (unsigned n; (n = oriel_ready_take(px->stack, news, ARRAY_LEN(news))) > 0;)
        for (size_t i = 0; i < PX_FILES_MAX; i++)
            for (unsigned k = 0; k < n; k++)
                if (px_is_socket(&px->file[i]) && px->file[i].h == news[k].handle)
                    note_edge(px, px->file[i].fd, px_poll_events(px, &px->file[i]));
    for (size_t i = 0; i < PX_FILES_MAX; i++) {
        struct px_file *f = &px->file[i];
        uint32_t now = f->kind != PX_FREE ? px_poll_events(px, f) : 0;
        if (now & ~f->seen)
            note_edge(px, f->fd, now & ~f->seen);
        f->seen = now;
    }
}

void px_poll_close(struct px *px, struct px_file *f)
{
    for (size_t i = 0; i < PX_FILES_MAX; i++) {
        struct px_file *ep = &px->file[i];
        struct px_watch *w = ep->kind == PX_EPOLL && ep != f ? watch_of(ep->epoll, f->fd) : NULL;
        if (w)
            w->fd = PX_NEVER_FD;
    }
}

/* ---- pipes ---- */

int64_t px_pipe(struct px *px, int read_fd, int write_fd)
{
    int64_t err;
    struct px_pipe *p = pool_get(&px->pipes);
    if (!p)
        return -PX_EMFILE;
    p->head = p->n = 0;
    p->ends = 3;
    struct px_file *r = px_file_new(px, read_fd, PX_PIPE_READ, &err);
    struct px_file *w = r ? px_file_new(px, write_fd, PX_PIPE_WRITE, &err) : NULL;
    if (!w) {
        if (r)
            r->kind = PX_FREE;
        pool_put(&px->pipes, p);
        return err;
    }
    r->pipe = w->pipe = p;
    return 0;
}

/* The bytes that wait, as far as they lie in one piece. */
static struct span first_piece(const struct px_pipe *p)
{
    size_t to_end = PX_PIPE_BYTES - p->head;
    return span_of(p->bytes + p->head, p->n < to_end ? p->n : to_end);
}

static void consume(struct px_pipe *p, size_t n)
{
    p->head = (uint32_t)((p->head + n) % PX_PIPE_BYTES);
    p->n -= (uint32_t)n;
}

int64_t px_pipe_read(struct px_file *f, uint8_t *to, size_t n)
{
    struct px_pipe *p = f->pipe;
    size_t done = 0;
    if (p->n == 0)
        return n == 0 || !(p->ends & 2) ? 0 : -PX_EAGAIN;
    while (done < n && p->n > 0) {
        struct span s = first_piece(p);
        size_t k = s.n < n - done ? s.n : n - done;
        memcpy(to + done, s.p, k);
        consume(p, k);
        done += k;
    }
    return (int64_t)done;
}

int64_t px_pipe_write(struct px_file *f, const uint8_t *from, size_t n)
{
    struct px_pipe *p = f->pipe;
    size_t done = 0;
    if (!(p->ends & 1))
        return -PX_EPIPE;
    while (done < n && p->n < PX_PIPE_BYTES) {
        size_t at = (p->head + p->n) % PX_PIPE_BYTES, room = PX_PIPE_BYTES - p->n;
        size_t k = PX_PIPE_BYTES - at < room ? PX_PIPE_BYTES - at : room;
        k = k < n - done ? k : n - done;
        memcpy(p->bytes + at, from + done, k);
        p->n += (uint32_t)k;
        done += k;
    }
    return done > 0 || n == 0 ? (int64_t)done : -PX_EAGAIN;
}

/* ---- splice ---- */

static int64_t from_socket(struct px *px, struct px_call *c, struct px_file *in,
                           struct px_file *out, size_t n)
{
    uint8_t bytes[CHUNK];
    size_t room = PX_PIPE_BYTES - out->pipe->n, done = 0;
    while (done < n && done < room) {
        size_t k = n - done < room - done ? n - done : room - done;
        struct px_io io = {.fd = in->fd, .bytes = bytes, .n = k < CHUNK ? k : CHUNK,
                           .flags = PX_MSG_DONTWAIT};
        struct px_call once = px_call_new(c->since);
        int64_t got = px_recv(px, &once, &io);
        if (got <= 0)
            return done > 0 ? (int64_t)done : got;
        (void)px_pipe_write(out, bytes, (size_t)got);
        done += (size_t)got;
    }
    return done > 0 || n == 0 ? (int64_t)done : -PX_EAGAIN;
}

static int64_t to_socket(struct px *px, struct px_call *c, struct px_file *in, struct px_file *out,
                         size_t n)
{
    uint8_t bytes[CHUNK];
    size_t done = 0;
    while (done < n && in->pipe->n > 0) {
        struct span s = first_piece(in->pipe);
        size_t k = s.n < n - done ? s.n : n - done;
        k = k < CHUNK ? k : CHUNK;
        memcpy(bytes, s.p, k);
        bool more = k < n - done && k < in->pipe->n;
        struct px_io io = {.fd = out->fd, .bytes = bytes, .n = k,
                           .flags = PX_MSG_DONTWAIT | (more ? PX_MSG_MORE : 0u)};
        struct px_call once = px_call_new(c->since);
        int64_t sent = px_send(px, &once, &io);
        if (sent <= 0)
            return done > 0 ? (int64_t)done : sent;
        consume(in->pipe, (size_t)sent);
        done += (size_t)sent;
    }
    return done > 0 || n == 0 ? (int64_t)done : in->pipe->ends & 2 ? -PX_EAGAIN : 0;
}

int64_t px_splice(struct px *px, struct px_call *c, int in_fd, int out_fd, size_t n, uint32_t flags)
{
    struct px_file *in = px_of(px, in_fd), *out = px_of(px, out_fd);
    int64_t got;
    if (!in || !out)
        return -PX_EBADF;
    if (out->kind == PX_PIPE_WRITE && px_is_socket(in))
        got = from_socket(px, c, in, out, n);
    else if (in->kind == PX_PIPE_READ && px_is_socket(out))
        got = to_socket(px, c, in, out, n);
    else
        return -PX_EINVAL;
    if (got != -PX_EAGAIN)
        return got;
    bool now = (flags & PX_SPLICE_F_NONBLOCK) || (px_is_socket(in) ? in->nonblock : out->nonblock);
    return px_wait(px, in, c, now, 0);
}
