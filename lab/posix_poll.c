/*
 * poll, epoll, pipes and splice.
 *
 * A watch stands in the ready list of its set while it may have something to tell: from the news of
 * its file (px_news) until epoll_wait finds nothing to tell, so waiting costs what is ready and not
 * what is watched. Edges (EPOLLET) are news since the last time, told once.
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
        return (p->n > 0 ? POLL_IN : 0u) | (p->end[1] ? 0u : PX_POLLHUP);
    return (p->n < PX_PIPE_BYTES ? POLL_OUT : 0u) | (p->end[0] ? 0u : PX_POLLERR);
}

static bool any_ready(struct px *px, const struct px_epoll *e);

uint32_t px_poll_events(struct px *px, const struct px_file *f)
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
        return any_ready(px, f->epoll) ? POLL_IN : 0;
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
    list_init(&e->watches);
    list_init(&e->ready);
    f->epoll = e;
    return fd;
}

static struct px_watch *watch_of(const struct px_file *set, struct px_file *f)
{
    LIST_EACH(n, &f->watches) {
        struct px_watch *w = CONTAINER_OF(n, struct px_watch, of_file);
        if (w->set == set)
            return w;
    }
    return NULL;
}

static void unready(struct px_watch *w)
{
    if (list_on(&w->ready)) {
        list_remove(&w->ready);
        w->set->epoll->ready_n--;
    }
}

static void forget(struct px *px, struct px_watch *w)
{
    unready(w);
    list_remove(&w->of_file);
    list_remove(&w->of_set);
    pool_put(&px->watches, w);
}

/* It may have something to tell. */
static void note(struct px *px, struct px_watch *w, uint32_t events)
{
    w->edge |= events;
    if (!(events & (w->events | POLL_ALWAYS)) || w->spent)
        return;
    if (!list_on(&w->ready)) {
        list_push_back(&w->set->epoll->ready, &w->ready);
        w->set->epoll->ready_n++;
    }
    if (px->on_news)
        px->on_news(px->on_news_ctx, w->set->fd);
}

static int64_t watch_set(struct px *px, struct px_watch *w, const struct px_epoll_event *e)
{
    unready(w);
    w->events = e->events;
    w->data = e->data;
    w->spent = false;
    w->edge = 0;
    note(px, w, px_poll_events(px, w->file));
    return 0;
}

static int64_t watch_add(struct px *px, struct px_file *set, struct px_file *f,
                         const struct px_epoll_event *e)
{
    struct px_watch *w = pool_get_zeroed(&px->watches);
    if (!w)
        return -PX_ENOMEM;
    w->file = f;
    w->set = set;
    list_push_back(&f->watches, &w->of_file);
    list_push_back(&set->epoll->watches, &w->of_set);
    return watch_set(px, w, e);
}

int64_t px_epoll_ctl(struct px *px, int epfd, int op, int fd, const struct px_epoll_event *e)
{
    struct px_file *ep = px_of(px, epfd), *f = px_of(px, fd);
    if (!ep || !f)
        return -PX_EBADF;
    if (ep->kind != PX_EPOLL || f->kind == PX_EPOLL)
        return -PX_EINVAL;
    struct px_watch *w = watch_of(ep, f);
    if (op != PX_EPOLL_CTL_ADD && !w)
        return -PX_ENOENT;
    if (op == PX_EPOLL_CTL_DEL) {
        forget(px, w);
        return 0;
    }
    if ((op != PX_EPOLL_CTL_ADD && op != PX_EPOLL_CTL_MOD) || !e)
        return -PX_EINVAL;
    if (op == PX_EPOLL_CTL_ADD && w)
        return -PX_EEXIST;
    return w ? watch_set(px, w, e) : watch_add(px, ep, f, e);
}

/* What a watch has to tell, once where it is edges or one shot. */
static uint32_t tell(struct px *px, struct px_watch *w)
{
    uint32_t want = (w->events & 0xffff) | POLL_ALWAYS;
    if (w->spent)
        return 0;
    uint32_t got = px_poll_events(px, w->file) & want;
    if (w->events & PX_EPOLLET) {
        got = w->edge & want ? got : 0;
        w->edge = 0;
    }
    if (got != 0 && (w->events & PX_EPOLLONESHOT))
        w->spent = true;
    return got;
}

static bool any_ready(struct px *px, const struct px_epoll *e)
{
    LIST_EACH(n, &e->ready) {
        const struct px_watch *w = CONTAINER_OF(n, struct px_watch, ready);
        uint32_t want = (w->events & 0xffff) | POLL_ALWAYS;
        bool news = !(w->events & PX_EPOLLET) || (w->edge & want);
        if (news && (px_poll_events(px, w->file) & want))
            return true;
    }
    return false;
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
    struct px_epoll *e = ep->epoll;
    for (uint32_t n = e->ready_n; n > 0 && found < max; n--) {
        struct px_watch *w = CONTAINER_OF(list_first(&e->ready), struct px_watch, ready);
        list_remove(&w->ready);
        e->ready_n--;
        uint32_t got = tell(px, w);
        if (got == 0)
            continue;
        out[found++] = (struct px_epoll_event){.events = got, .data = w->data};
        if (!(w->events & (PX_EPOLLET | PX_EPOLLONESHOT))) {
            list_push_back(&e->ready, &w->ready);       /* as long as the level lasts */
            e->ready_n++;
        }
    }
    return found > 0 ? found : wait_for(px, c, timeout_ms);
}

void px_news(struct px *px, struct px_file *f, uint32_t events)
{
    if (px->on_news)
        px->on_news(px->on_news_ctx, f->fd);
    LIST_EACH(n, &f->watches)
        note(px, CONTAINER_OF(n, struct px_watch, of_file), events);
}

static void close_pipe(struct px *px, struct px_file *f)
{
    bool reads = f->kind == PX_PIPE_READ;
    struct px_pipe *p = f->pipe;
    p->end[!reads] = NULL;
    if (p->end[reads])
        px_news(px, p->end[reads], px_poll_events(px, p->end[reads]));
    else
        pool_put(&px->pipes, p);
}

void px_poll_close(struct px *px, struct px_file *f)
{
    LIST_EACH(n, &f->watches)
        forget(px, CONTAINER_OF(n, struct px_watch, of_file));
    if (f->kind == PX_EPOLL) {
        LIST_EACH(n, &f->epoll->watches)
            forget(px, CONTAINER_OF(n, struct px_watch, of_set));
        pool_put(&px->epolls, f->epoll);
    }
    if (f->kind == PX_PIPE_READ || f->kind == PX_PIPE_WRITE)
        close_pipe(px, f);
}

/* ---- pipes ---- */

int64_t px_pipe(struct px *px, int read_fd, int write_fd)
{
    int64_t err;
    struct px_pipe *p = pool_get(&px->pipes);
    if (!p)
        return -PX_EMFILE;
    p->head = p->n = 0;
    struct px_file *r = px_file_new(px, read_fd, PX_PIPE_READ, &err);
    struct px_file *w = r ? px_file_new(px, write_fd, PX_PIPE_WRITE, &err) : NULL;
    if (!w) {
        if (r)
            r->kind = PX_FREE;
        pool_put(&px->pipes, p);
        return err;
    }
    r->pipe = w->pipe = p;
    p->end[0] = r;
    p->end[1] = w;
    return 0;
}

/* The bytes that wait, as far as they lie in one piece. */
static struct span first_piece(const struct px_pipe *p)
{
    size_t to_end = PX_PIPE_BYTES - p->head;
    return span_of(p->bytes + p->head, p->n < to_end ? p->n : to_end);
}

static void consume(struct px *px, struct px_pipe *p, size_t n)
{
    p->head = (uint32_t)((p->head + n) % PX_PIPE_BYTES);
    p->n -= (uint32_t)n;
    if (p->end[1])
        px_news(px, p->end[1], POLL_OUT);
}

int64_t px_pipe_read(struct px *px, struct px_file *f, uint8_t *to, size_t n)
{
    struct px_pipe *p = f->pipe;
    size_t done = 0;
    if (p->n == 0)
        return n == 0 || !p->end[1] ? 0 : -PX_EAGAIN;
    while (done < n && p->n > 0) {
        struct span s = first_piece(p);
        size_t k = s.n < n - done ? s.n : n - done;
        memcpy(to + done, s.p, k);
        consume(px, p, k);
        done += k;
    }
    return (int64_t)done;
}

int64_t px_pipe_write(struct px *px, struct px_file *f, const uint8_t *from, size_t n)
{
    struct px_pipe *p = f->pipe;
    size_t done = 0;
    if (!p->end[0])
        return -PX_EPIPE;
    while (done < n && p->n < PX_PIPE_BYTES) {
        size_t at = (p->head + p->n) % PX_PIPE_BYTES, room = PX_PIPE_BYTES - p->n;
        size_t k = PX_PIPE_BYTES - at < room ? PX_PIPE_BYTES - at : room;
        k = k < n - done ? k : n - done;
        memcpy(p->bytes + at, from + done, k);
        p->n += (uint32_t)k;
        done += k;
    }
    if (done > 0)
        px_news(px, p->end[0], POLL_IN);
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
        (void)px_pipe_write(px, out, bytes, (size_t)got);
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
        consume(px, in->pipe, (size_t)sent);
        done += (size_t)sent;
    }
    return done > 0 || n == 0 ? (int64_t)done : in->pipe->end[1] ? -PX_EAGAIN : 0;
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
