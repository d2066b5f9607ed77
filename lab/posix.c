/*
 * Files and the calls about their life: socket to close. What Linux does where POSIX is silent is
 * kept: a second connect tells how the first went, a fresh stream has hung up, a listener's backlog
 * of 0 is 1.
 */
#include "lab/posix.h"

bool px_init(struct px *px, struct oriel_stack *stack, struct arena *arena, uint32_t files,
             uint32_t pipes)
{
    *px = (struct px){.stack = stack, .set = {.tcp_fastopen = 3}, .files_max = files};
    px->file = arena_take(arena, files * sizeof(px->file[0]));
    return px->file && hmap_init(&px->handles, arena, files) &&
           pool_init(&px->pipes, "pipes", arena, sizeof(struct px_pipe), pipes) &&
           pool_init(&px->epolls, "epolls", arena, sizeof(struct px_epoll), files) &&
           pool_init(&px->watches, "watches", arena, sizeof(struct px_watch), 2 * files);
}

void px_fini(struct px *px)
{
    for (uint32_t i = 0; i < px->files_end; i++)
        if (px->file[i].kind != PX_FREE)
            (void)px_close(px, px->file[i].fd);
}

struct px_file *px_file_new(struct px *px, int fd, enum px_kind kind, int64_t *err)
{
    *err = px_of(px, fd) ? -PX_EEXIST : -PX_EMFILE;
    if (*err == -PX_EEXIST || fd < 0 || (uint32_t)fd >= px->files_max)
        return NULL;
    while (px->files_end <= (uint32_t)fd)
        px->file[px->files_end++].kind = PX_FREE;
    struct px_file *f = &px->file[fd];
    *f = (struct px_file){.kind = (uint8_t)kind, .fd = fd};
    list_init(&f->watches);
    return f;
}

static uint32_t handle_hash(oriel_handle h)
{
    return hash_2(0, h, 0);             /* no peer chooses handles */
}

void px_file_socket(struct px *px, struct px_file *f, oriel_handle h)
{
    f->h = h;
    bool put = hmap_put(&px->handles, handle_hash(h), (uint32_t)f->fd);
    ORIEL_ASSERT(put);                  /* there is room for as many as files */
}

void px_on_step(struct px *px)
{
    struct oriel_readiness news[16];
    for (unsigned n; (n = oriel_ready_take(px->stack, news, ARRAY_LEN(news))) > 0;)
        for (unsigned k = 0; k < n; k++) {
            uint32_t hash = handle_hash(news[k].handle), fd;
            for (uint32_t at = hmap_first(&px->handles, hash);
                 (fd = hmap_next(&px->handles, hash, &at)) != HMAP_NONE;)
                if (px->file[fd].h == news[k].handle)
                    px_news(px, &px->file[fd], px_poll_events(px, &px->file[fd]));
        }
}

static int64_t answer(int oriel_err)
{
    return oriel_err < 0 ? -px_errno_of(oriel_err) : oriel_err;
}

/* The socket of a descriptor; NULL with *err. */
static struct px_file *socket_of(struct px *px, int fd, int64_t *err)
{
    struct px_file *f = px_of(px, fd);
    *err = !f ? -PX_EBADF : -PX_ENOTSOCK;
    return f && px_is_socket(f) ? f : NULL;
}

int64_t px_wait(struct px *px, const struct px_file *f, struct px_call *c, bool now,
                oriel_time timeout)
{
    if (now || f->nonblock)
        return -PX_EAGAIN;
    if (timeout > 0)
        c->deadline = time_after(c->since, timeout);
    return px->now >= c->deadline ? -PX_EAGAIN : PX_AGAIN;
}

/* ---- socket, bind, listen, accept ---- */

static int kind_of(int type, int protocol, enum px_kind *kind)
{
    bool icmp = protocol == PX_IPPROTO_ICMP || protocol == PX_IPPROTO_ICMPV6;
    if (type == PX_SOCK_STREAM)
        *kind = PX_TCP;
    else if (icmp && (type == PX_SOCK_DGRAM || type == PX_SOCK_RAW))
        *kind = PX_ICMP;
    else if (type == PX_SOCK_DGRAM)
        *kind = PX_UDP;
    else
        return -PX_ESOCKTNOSUPPORT;
    bool usual = protocol == 0 || *kind == PX_ICMP ||
                 protocol == (*kind == PX_TCP ? PX_IPPROTO_TCP : PX_IPPROTO_UDP);
    return usual ? 0 : -PX_EPROTONOSUPPORT;
}

static int open_socket(struct px *px, struct px_file *f)
{
    enum oriel_family family = f->v6 ? ORIEL_DUAL : ORIEL_IP4;
    oriel_handle h = 0;
    int err = f->kind == PX_TCP   ? oriel_tcp_open(px->stack, family, &h)
              : f->kind == PX_UDP ? oriel_udp_open(px->stack, family, &h)
                                  : oriel_icmp_open(px->stack, f->v6 ? ORIEL_IP6 : ORIEL_IP4, &h);
    if (err == 0)
        px_file_socket(px, f, h);
    return err;
}

int64_t px_socket(struct px *px, int fd, int domain, int type, int protocol)
{
    enum px_kind kind = PX_FREE;
    int64_t err;
    if (domain != PX_AF_INET && domain != PX_AF_INET6)
        return -PX_EAFNOSUPPORT;
    int wrong = kind_of(type & 0xf, protocol, &kind);
    if (wrong)
        return wrong;
    struct px_file *f = px_file_new(px, fd, kind, &err);
    if (!f)
        return err;
    f->v6 = domain == PX_AF_INET6;
    f->nonblock = (type & PX_SOCK_NONBLOCK) != 0;
    int failed = open_socket(px, f);
    if (failed) {
        f->kind = PX_FREE;
        return answer(failed);
    }
    return fd;
}

int64_t px_bind(struct px *px, int fd, const struct oriel_endpoint *local)
{
    int64_t err;
    struct px_file *f = socket_of(px, fd, &err);
    return f ? answer(oriel_bind(px->stack, f->h, local)) : err;
}

int64_t px_listen(struct px *px, int fd, int backlog)
{
    int64_t err;
    struct px_file *f = socket_of(px, fd, &err);
    if (!f)
        return err;
    if (f->kind != PX_TCP)
        return -PX_EOPNOTSUPP;
    struct oriel_listen l = {.backlog = backlog > 0 ? (uint32_t)backlog : 1};
    int failed = oriel_listen(px->stack, f->h, &l);
    err = failed == ORIEL_EISCONN ? -PX_EINVAL : answer(failed);
    f->listening = f->listening || err == 0;
    if (err == 0 && (px->set.tcp_fastopen & 0x400))
        best_effort(oriel_setopt(px->stack, f->h, ORIEL_OPT_FASTOPEN, l.backlog));
    return err;
}

int64_t px_accept(struct px *px, struct px_call *c, int fd, int new_fd, int flags,
                  struct oriel_endpoint *peer)
{
    int64_t err;
    oriel_handle h;
    struct px_file *f = socket_of(px, fd, &err);
    if (!f)
        return err;
    if (f->kind != PX_TCP)
        return -PX_EOPNOTSUPP;
    if (!f->listening)
        return -PX_EINVAL;
    struct px_file *n = px_file_new(px, new_fd, PX_TCP, &err);
    if (!n)
        return err;
    int failed = oriel_accept(px->stack, f->h, &h, peer);
    if (failed) {
        n->kind = PX_FREE;
        return failed == ORIEL_EAGAIN ? px_wait(px, f, c, false, f->rcvtimeo) : answer(failed);
    }
    px_file_socket(px, n, h);
    n->v6 = f->v6;
    n->connected = true;
    n->nonblock = (flags & PX_SOCK_NONBLOCK) != 0;
    n->cmsg = f->cmsg;
    return new_fd;
}

int64_t px_name(struct px *px, int fd, bool peer, struct oriel_endpoint *out)
{
    int64_t err;
    struct px_file *f = socket_of(px, fd, &err);
    *out = (struct oriel_endpoint){.port = 0};
    if (!f)
        return err;
    int failed = peer ? oriel_remote(px->stack, f->h, out) : oriel_local(px->stack, f->h, out);
    if (!f->v6 && !addr_is_v4(&out->addr))
        out->addr = addr_v4(0);                 /* not bound yet */
    if (peer && (failed || f->listening || (out->port == 0 && f->kind != PX_ICMP)))
        return -PX_ENOTCONN;
    return answer(failed);
}

/* ---- connect ---- */

static int64_t waiting_error(struct px *px, struct px_file *f)
{
    int64_t v = 0;
    best_effort(oriel_getopt(px->stack, f->h, ORIEL_OPT_ERROR, &v));
    return answer((int)v);
}

/* How a connect that was begun is going: 0, an error, PX_AGAIN. */
static int64_t connect_state(struct px *px, struct px_file *f)
{
    struct oriel_tcp_info info;
    if (oriel_ready(px->stack, f->h) & ORIEL_FAILED) {
        f->connecting = false;
        int64_t err = waiting_error(px, f);
        return err < 0 ? err : -PX_ECONNABORTED;
    }
    int gone = oriel_tcp_info(px->stack, f->h, &info);
    if (!gone && (info.state == ORIEL_TCP_SYN_SENT || info.state == ORIEL_TCP_SYN_RCVD))
        return PX_AGAIN;
    f->connecting = false;
    if (gone || info.state == ORIEL_TCP_CLOSED)
        return -PX_ECONNABORTED;        /* its error was told by SO_ERROR */
    f->connected = true;
    return 0;
}

static int64_t connect_stream(struct px *px, struct px_call *c, struct px_file *f,
                              const struct oriel_endpoint *to)
{
    if (!c->begun && !f->connecting) {
        if (f->listening || f->connected)
            return -PX_EISCONN;
        int64_t err = answer(oriel_connect(px->stack, f->h, to));
        if (err < 0)
            return err;
        c->begun = f->connecting = true;
        struct oriel_tcp_info info;
        bool waits = f->fastopen_connect && oriel_tcp_info(px->stack, f->h, &info) == 0 &&
                     info.state == ORIEL_TCP_CLOSED;    /* for the first data */
        if (waits)
            return 0;
    }
    int64_t state = connect_state(px, f);
    if (state != PX_AGAIN)
        return state;
    state = px_wait(px, f, c, false, f->sndtimeo);
    return state == PX_AGAIN ? state : c->begun ? -PX_EINPROGRESS : -PX_EALREADY;
}

int64_t px_connect(struct px *px, struct px_call *c, int fd, const struct oriel_endpoint *to)
{
    int64_t err;
    struct px_file *f = socket_of(px, fd, &err);
    if (!f)
        return err;
    return f->kind == PX_TCP ? connect_stream(px, c, f, to)
                             : answer(oriel_connect(px->stack, f->h, to));
}

/* ---- shutdown, close ---- */

int64_t px_shutdown(struct px *px, int fd, int how)
{
    int64_t err;
    struct px_file *f = socket_of(px, fd, &err);
    if (!f)
        return err;
    if (how < PX_SHUT_RD || how > PX_SHUT_RDWR)
        return -PX_EINVAL;
    if (f->kind != PX_TCP)
        return -PX_ENOTCONN;
    int what = how == PX_SHUT_RD ? ORIEL_SHUT_READ : how == PX_SHUT_WR ? ORIEL_SHUT_WRITE
                                                     : ORIEL_SHUT_READ | ORIEL_SHUT_WRITE;
    err = answer(oriel_shutdown(px->stack, f->h, what));
    f->shut_read = f->shut_read || (err == 0 && how != PX_SHUT_WR);
    f->shut_write = f->shut_write || (err == 0 && how != PX_SHUT_RD);
    if (err == 0)
        px_news(px, f, px_poll_events(px, f));
    return err;
}

int64_t px_close(struct px *px, int fd)
{
    struct px_file *f = px_of(px, fd);
    int64_t err = 0;
    if (!f)
        return -PX_EBADF;
    px_poll_close(px, f);
    if (px_is_socket(f) && f->pipe)
        pool_put(&px->pipes, f->pipe);
    if (px_is_socket(f)) {
        hmap_del(&px->handles, handle_hash(f->h), (uint32_t)f->fd);
        err = answer(oriel_close(px->stack, f->h));
    }
    f->kind = PX_FREE;
    return err;
}

/* ---- fcntl, ioctl ---- */

int64_t px_fcntl(struct px *px, int fd, int cmd, int64_t arg)
{
    struct px_file *f = px_of(px, fd);
    if (!f)
        return -PX_EBADF;
    switch (cmd) {
    case PX_F_GETFD:
    case PX_F_SETFD:
        return 0;
    case PX_F_GETFL:
        return (f->kind == PX_PIPE_READ ? 0 : f->kind == PX_PIPE_WRITE ? 1 : PX_O_RDWR) |
               (f->nonblock ? PX_O_NONBLOCK : 0);
    case PX_F_SETFL:
        f->nonblock = (arg & PX_O_NONBLOCK) != 0;
        return 0;
    }
    return -PX_EINVAL;
}

static int64_t ask(struct px *px, const struct px_file *f, enum oriel_opt opt, int32_t *value)
{
    int64_t v = 0;
    int err = oriel_getopt(px->stack, f->h, opt, &v);
    *value = (int32_t)v;
    return answer(err);
}

static int64_t bytes_to_read(struct px *px, struct px_file *f, int32_t *value)
{
    if (f->listening)
        return -PX_EINVAL;
    if (f->kind == PX_TCP)
        return ask(px, f, ORIEL_OPT_UNREAD, value);
    *value = (int32_t)px_peek(px, f);
    return 0;
}

static int64_t not_sent(struct px *px, const struct px_file *f, int32_t *value)
{
    struct oriel_tcp_info info;
    int err = oriel_tcp_info(px->stack, f->h, &info);
    *value = err ? 0 : (int32_t)info.notsent_bytes;
    return answer(err);
}

int64_t px_ioctl(struct px *px, int fd, uint64_t request, int32_t *value)
{
    struct px_file *f = px_of(px, fd);
    if (!f)
        return -PX_EBADF;
    if (request == PX_FIONBIO) {
        f->nonblock = *value != 0;
        return 0;
    }
    if (request == PX_FIONREAD && f->kind == PX_PIPE_READ) {
        *value = (int32_t)f->pipe->n;
        return 0;
    }
    if (!px_is_socket(f))
        return -PX_ENOTTY;
    if (request == PX_FIONREAD)
        return bytes_to_read(px, f, value);
    bool stream = f->kind == PX_TCP;
    if (request == PX_SIOCOUTQ && (!stream || f->listening)) {
        *value = 0;
        return f->listening ? -PX_EINVAL : 0;
    }
    if (!stream)
        return -PX_ENOTTY;
    if (request == PX_SIOCOUTQ)
        return ask(px, f, ORIEL_OPT_UNSENT, value);
    if (request == PX_SIOCATMARK)
        return ask(px, f, ORIEL_OPT_AT_MARK, value);
    return request == PX_SIOCOUTQNSD ? not_sent(px, f, value) : -PX_ENOTTY;
}
