/*
 * Calls of a script, made.
 *
 * A descriptor has the number that its line says: `socket(...) = 3` names it 3. A call whose line
 * gives an end may block: it is made again after every step until it returns, which must be at that
 * end. Every other call returns at once.
 */
#include "lab/script_run.h"

#define FD_FIRST   3            /* 0, 1 and 2 are taken in every program */
#define FD_UNNAMED 512          /* what a line expects to fail gets a number that nobody else has */
#define POLLS_MAX  64

/* ---- files ---- */

struct sr_file *sr_file(struct script_run *r, int fd)
{
    for (size_t i = 0; i < SR_FILES_MAX; i++)
        if (r->files[i].fd == fd && fd != 0)
            return &r->files[i];
    return NULL;
}

static void watch(struct script_run *r, int fd)
{
    for (size_t i = 0; i < SR_FILES_MAX; i++)
        if (r->files[i].fd == 0 || r->files[i].fd == fd) {
            r->files[i] = (struct sr_file){.fd = fd};
            return;
        }
}

static void unwatch(struct script_run *r, int fd)
{
    struct sr_file *f = sr_file(r, fd);
    if (f)
        f->fd = 0;
}

static int free_fd(struct script_run *r, int from)
{
    while (px_of(&r->px, from))
        from++;
    return from;
}

static int new_fd(struct script_run *r, const struct script_value *result)
{
    if (result->kind == SCRIPT_DOTS)
        return free_fd(r, FD_FIRST);
    return result->i >= 0 && result->i < FD_UNNAMED ? (int)result->i : free_fd(r, FD_UNNAMED);
}

/* ---- arguments that are not bytes ---- */

static bool prepare_polls(struct script_run *r, struct sr_call *c)
{
    const struct script_value *list = &c->call->args[0];
    c->polls = arena_take_zeroed(r->arena, POLLS_MAX * sizeof(*c->polls));
    if (!c->polls)
        return sr_fail(r, c->event, "    but there is no memory for it\n");
    c->n = list->n;
    for (uint16_t i = 0; i < list->n; i++) {
        const struct script_value *fd = sr_field(&list->items[i], "fd");
        const struct script_value *events = sr_field(&list->items[i], "events");
        if (!fd || !events || fd->kind != SCRIPT_INT || events->kind != SCRIPT_INT)
            return sr_fail(r, c->event, "    but {fd=4, events=POLLIN} is what poll takes\n");
        c->polls[i] = (struct px_pollfd){.fd = (int32_t)fd->i, .events = (int16_t)events->i};
    }
    return true;
}

static bool prepare_epolls(struct script_run *r, struct sr_call *c)
{
    c->epolls = arena_take_zeroed(r->arena, POLLS_MAX * sizeof(*c->epolls));
    return c->epolls || sr_fail(r, c->event, "    but there is no memory for it\n");
}

/* An ioctl's number, given as [N] or N. */
static int32_t int_in(const struct script_value *x)
{
    const struct script_value *one = x->kind == SCRIPT_LIST && x->n > 0 ? &x->items[0] : x;
    return one->kind == SCRIPT_INT ? (int32_t)one->i : 0;
}

static bool prepare_msg(struct script_run *r, struct sr_call *c)
{
    const struct script_value *m = &c->call->args[1];
    const struct script_value *name = sr_field(m, "msg_name");
    const struct script_value *control = sr_field(m, "msg_control");
    c->io.flags = (uint32_t)c->call->args[2].i;
    if (c->call->fn != SCRIPT_SENDMSG)
        return true;
    if (name && name->kind == SCRIPT_STRUCT) {
        c->io.has_peer = true;
        if (!sr_endpoint(r, c->event, name, false, &c->io.peer))
            return false;
    }
    for (uint16_t i = 0; control && control->kind == SCRIPT_LIST && i < control->n; i++) {
        const struct script_value *level = sr_field(&control->items[i], "cmsg_level");
        const struct script_value *type = sr_field(&control->items[i], "cmsg_type");
        const struct script_value *data = sr_field(&control->items[i], "cmsg_data");
        if (!level || !type || !data || data->kind != SCRIPT_INT)
            return sr_fail(r, c->event, "    but that control message is not known here\n");
        bool six = level->i == PX_IPPROTO_IPV6;
        bool tos = type->i == (six ? 67 : 1), ttl = type->i == (six ? 52 : 2);
        c->io.has_tos = c->io.has_tos || tos;
        c->io.has_ttl = c->io.has_ttl || ttl;
        c->io.tos = tos ? (uint8_t)data->i : c->io.tos;
        c->io.ttl = ttl ? (uint8_t)data->i : c->io.ttl;
    }
    return true;
}

/* The destination of sendto: only where one is given, or nothing else tells it. */
static bool prepare_sendto(struct script_run *r, struct sr_call *c)
{
    const struct script_value *to = &c->call->args[4];
    c->io.flags = (uint32_t)c->call->args[3].i;
    if (c->call->fn != SCRIPT_SENDTO || to->kind == SCRIPT_INT)
        return true;
    c->io.has_peer = true;
    return sr_endpoint(r, c->event, to, false, &c->io.peer);
}

static bool prepare_io(struct script_run *r, struct sr_call *c)
{
    enum script_fn fn = c->call->fn;
    if (!sr_buffers(r, c->event, c))
        return false;
    c->io.fd = (int)c->call->args[0].i;
    if (fn == SCRIPT_RECVMSG || fn == SCRIPT_SENDMSG)
        return prepare_msg(r, c);
    if (fn == SCRIPT_RECV || fn == SCRIPT_RECVFROM || fn == SCRIPT_SEND || fn == SCRIPT_SENDTO)
        return prepare_sendto(r, c);
    return true;
}

static bool prepare_option(struct script_run *r, struct sr_call *c)
{
    const struct script_value *x = &c->call->args[3], *len = &c->call->args[4];
    if (c->call->fn == SCRIPT_GETSOCKOPT) {
        c->len = len->kind == SCRIPT_DOTS || len->i != 0 ? sizeof(c->option)
                 : len->n > 0 ? (uint32_t)len->items[0].i : sizeof(c->option);
        c->len = c->len > sizeof(c->option) ? sizeof(c->option) : c->len;
        return true;
    }
    if (!sr_option_bytes(r, c->event, x, c->option, &c->len))
        return false;
    if (len->kind == SCRIPT_INT && len->i >= 0 && len->i <= (int64_t)sizeof(c->option))
        c->len = (uint32_t)len->i;
    return true;
}

static bool prepare(struct script_run *r, struct sr_call *c)
{
    const struct script_call *k = c->call;
    switch (k->fn) {
    case SCRIPT_BIND:
        return sr_endpoint(r, c->event, &k->args[1], true, &c->peer);
    case SCRIPT_CONNECT:
        return sr_endpoint(r, c->event, &k->args[1], false, &c->peer);
    case SCRIPT_IOCTL:
        c->value = int_in(&k->args[2]);
        return true;
    case SCRIPT_GETSOCKOPT: case SCRIPT_SETSOCKOPT:
        return prepare_option(r, c);
    case SCRIPT_POLL:
        return prepare_polls(r, c);
    case SCRIPT_EPOLL_WAIT:
        return prepare_epolls(r, c);
    case SCRIPT_READ: case SCRIPT_READV: case SCRIPT_RECV: case SCRIPT_RECVFROM:
    case SCRIPT_RECVMSG: case SCRIPT_WRITE: case SCRIPT_WRITEV: case SCRIPT_SEND:
    case SCRIPT_SENDTO: case SCRIPT_SENDMSG:
        return prepare_io(r, c);
    case SCRIPT_SOCKET: case SCRIPT_LISTEN: case SCRIPT_ACCEPT: case SCRIPT_ACCEPT4:
    case SCRIPT_FCNTL: case SCRIPT_CLOSE: case SCRIPT_SHUTDOWN: case SCRIPT_EPOLL_CREATE:
    case SCRIPT_EPOLL_CREATE1: case SCRIPT_EPOLL_CTL: case SCRIPT_PIPE: case SCRIPT_SPLICE:
    case SCRIPT_FNS:
        break;
    }
    return true;
}

/* ---- making it ---- */

static int64_t make_socket(struct script_run *r, const struct sr_call *c)
{
    const struct script_value *a = c->call->args;
    bool six = r->v6 || r->setup.ip == SCRIPT_MAPPED;
    int domain = a[0].kind == SCRIPT_INT ? (int)a[0].i : six ? PX_AF_INET6 : PX_AF_INET;
    return px_socket(&r->px, c->fd, domain, (int)a[1].i, (int)a[2].i);
}

static int64_t make_epoll_ctl(struct script_run *r, const struct sr_call *c)
{
    const struct script_value *a = c->call->args;
    const struct script_value *x = a[3].kind == SCRIPT_LIST && a[3].n == 1 ? &a[3].items[0] : &a[3];
    const struct script_value *events = sr_field(x, "events");
    struct px_epoll_event e = {.data = (uint64_t)a[2].i};
    if (events && events->kind == SCRIPT_INT)
        e.events = (uint32_t)events->i;
    for (uint16_t i = 0; i < x->n && x->kind == SCRIPT_STRUCT; i++)
        if (!span_is(x->names[i], "events") && x->items[i].kind == SCRIPT_INT)
            e.data = (uint64_t)x->items[i].i;   /* fd, u32, u64, ptr */
    return px_epoll_ctl(&r->px, (int)a[0].i, (int)a[1].i, (int)a[2].i, &e);
}

static int64_t make_pipe(struct script_run *r, const struct script_value *a)
{
    return a->n != 2 ? -PX_EINVAL
                     : px_pipe(&r->px, (int)a->items[0].i, (int)a->items[1].i);
}

static int events_max(const struct script_value *max)
{
    return max->i < 0 ? -1 : max->i > POLLS_MAX ? POLLS_MAX : (int)max->i;
}

/* Once; PX_AGAIN when it blocks. */
static int64_t make(struct script_run *r, struct sr_call *c)
{
    const struct script_value *a = c->call->args;
    struct px *px = &r->px;
    int fd = (int)a[0].i;
    switch (c->call->fn) {
    case SCRIPT_SOCKET:
        return make_socket(r, c);
    case SCRIPT_BIND:
        return px_bind(px, fd, &c->peer);
    case SCRIPT_LISTEN:
        return px_listen(px, fd, (int)a[1].i);
    case SCRIPT_ACCEPT: case SCRIPT_ACCEPT4:
        return px_accept(px, &c->px, fd, c->fd, c->call->n > 3 ? (int)a[3].i : 0, &c->peer);
    case SCRIPT_CONNECT:
        return px_connect(px, &c->px, fd, &c->peer);
    case SCRIPT_READ: case SCRIPT_READV: case SCRIPT_RECV: case SCRIPT_RECVFROM:
    case SCRIPT_RECVMSG:
        return px_recv(px, &c->px, &c->io);
    case SCRIPT_WRITE: case SCRIPT_WRITEV: case SCRIPT_SEND: case SCRIPT_SENDTO:
    case SCRIPT_SENDMSG:
        return px_send(px, &c->px, &c->io);
    case SCRIPT_FCNTL:
        return px_fcntl(px, fd, (int)a[1].i, c->call->n > 2 ? a[2].i : 0);
    case SCRIPT_IOCTL:
        return px_ioctl(px, fd, (uint64_t)a[1].i, &c->value);
    case SCRIPT_CLOSE:
        return px_close(px, fd);
    case SCRIPT_SHUTDOWN:
        return px_shutdown(px, fd, (int)a[1].i);
    case SCRIPT_GETSOCKOPT:
        return px_getsockopt(px, fd, (int)a[1].i, (int)a[2].i, c->option, &c->len);
    case SCRIPT_SETSOCKOPT:
        return px_setsockopt(px, fd, (int)a[1].i, (int)a[2].i, c->option, c->len);
    case SCRIPT_POLL:
        return px_poll(px, &c->px, c->polls, c->n, (int)a[2].i);
    case SCRIPT_EPOLL_CREATE: case SCRIPT_EPOLL_CREATE1:
        return px_epoll_create(px, c->fd);
    case SCRIPT_EPOLL_CTL:
        return make_epoll_ctl(r, c);
    case SCRIPT_EPOLL_WAIT:
        return px_epoll_wait(px, &c->px, fd, c->epolls, events_max(&a[2]), (int)a[3].i);
    case SCRIPT_PIPE:
        return make_pipe(r, &a[0]);
    case SCRIPT_SPLICE:
        return px_splice(px, &c->px, fd, (int)a[2].i, (size_t)a[4].i, (uint32_t)a[5].i);
    case SCRIPT_FNS:
        break;
    }
    return -PX_ENOSYS;
}

/* ---- what follows from it ---- */

/* A flow begins with the application's first word about it. */
static void connected(struct script_run *r, int fd)
{
    const struct px_file *f = px_of(&r->px, fd);
    struct oriel_endpoint local, remote;
    if (oriel_local(r->stack, f->h, &local) != 0 || oriel_remote(r->stack, f->h, &remote) != 0 ||
        local.port == 0 || addr_is_unspecified(&local.addr))
        return;
    enum script_proto proto = f->kind == PX_TCP ? SCRIPT_TCP : SCRIPT_UDP;
    struct sr_flow *flow = f->kind == PX_ICMP ? NULL : sr_flow_new(r, proto, &local, &remote);
    if (!flow)
        return;
    flow->again = flow->has_iss;
    r->current = flow;
    r->fresh = false;
}

static void bound(struct script_run *r, int fd)
{
    const struct px_file *f = px_of(&r->px, fd);
    struct oriel_endpoint local;
    if (oriel_local(r->stack, f->h, &local) != 0)
        return;
    r->bound_port = local.port;
    r->fresh = true;
}

/* In Linux's sense of "closed": what follows names another file. */
static void note(struct script_run *r, const struct sr_call *c, int64_t got)
{
    int fd = (int)c->call->args[0].i;
    const struct px_file *f = px_of(&r->px, got >= 0 && c->fd > 0 ? (int)got : fd);
    bool began = c->call->fn == SCRIPT_CONNECT && (got == 0 || got == -PX_EINPROGRESS);
    bool sent = c->call->fn >= SCRIPT_WRITE && c->call->fn <= SCRIPT_SENDMSG && f &&
                f->kind == PX_TCP && (c->io.flags & PX_MSG_FASTOPEN);
    if (f && (began || sent))
        connected(r, fd);
    if (got < 0)
        return;
    if (c->call->fn == SCRIPT_SOCKET || c->call->fn == SCRIPT_ACCEPT ||
        c->call->fn == SCRIPT_ACCEPT4) {
        watch(r, c->fd);
        r->fd = f && f->kind == PX_TCP ? c->fd : r->fd;
    } else if (c->call->fn == SCRIPT_BIND) {
        bound(r, fd);
    } else if (c->call->fn == SCRIPT_LISTEN) {
        r->fresh = true;
    } else if (c->call->fn == SCRIPT_CLOSE) {
        unwatch(r, fd);
    }
}

static void record_call(struct script_run *r, const struct sr_call *c, int64_t got)
{
    char text[300];
    struct txt t = txt_of(text, sizeof(text));
    sr_print_call(&t, c->event, got);
    struct sr_record *rec = sr_record(r, SR_CALL, span_of(t.p, t.n));
    if (rec)
        rec->line = c->event->line;
}

static bool finish(struct script_run *r, struct sr_call *c, int64_t got)
{
    record_call(r, c, got);
    note(r, c, got);
    return sr_judge(r, c, got);
}

bool sr_sys(struct script_run *r, const struct script_event *v)
{
    const struct script_call *k = v->is.call;
    struct sr_call *c = arena_take_zeroed(r->arena, sizeof(*c));
    if (!c)
        return sr_fail(r, v, "    but there is no memory for it\n");
    c->event = v;
    c->call = k;
    c->px = px_call_new(r->px.now = SR_START + r->now);
    c->end = !k->has_end ? ORIEL_NEVER : v->time == SCRIPT_RELATIVE ? r->base - v->from + k->end
                                                                     : k->end;
    bool makes = k->fn == SCRIPT_SOCKET || k->fn == SCRIPT_ACCEPT || k->fn == SCRIPT_ACCEPT4 ||
                 k->fn == SCRIPT_EPOLL_CREATE || k->fn == SCRIPT_EPOLL_CREATE1;
    c->fd = makes ? new_fd(r, &k->result) : 0;
    if (!prepare(r, c))
        return false;
    int64_t got = make(r, c);
    if (got == PX_AGAIN && !k->has_end)
        return sr_fail(r, v, "    but it blocks, and the line does not say until when\n");
    if (got == PX_AGAIN) {
        record_call(r, c, got);
        note(r, c, -PX_EINPROGRESS);
        r->blocked = *c;
    } else if (!finish(r, c, got)) {
        return false;
    }
    sr_settle(r);
    return !r->failed;
}

void sr_sys_again(struct script_run *r)
{
    if (!r->blocked.event || r->failed)
        return;
    struct sr_call c = r->blocked;
    int64_t got = make(r, &c);
    if (got == PX_AGAIN) {
        r->blocked = c;
        return;
    }
    r->blocked.event = NULL;
    if (finish(r, &c, got))
        sr_settle(r);
}

bool sr_sys_await(struct script_run *r)
{
    while (r->blocked.event && !r->failed && sr_step(r, time_after(r->blocked.end,
                                                                   r->setup.tolerance)))
        ;
    const struct script_event *v = r->blocked.event;
    if (r->failed || !v)
        return !r->failed;
    struct txt t = sr_failure(r, v);
    txt_s(&t, "    but it still blocks at ");
    txt_seconds(&t, r->now, 6);
    txt_s(&t, " s\n");
    return false;
}

/* The stream of the current flow; before there is one, the last that was made. */
bool sr_tcp_info(struct script_run *r, uint8_t info[PX_TCP_INFO_BYTES])
{
    struct oriel_tcp_info i;
    const struct px_file *found = px_of(&r->px, r->fd);
    for (size_t k = 0; k < r->px.files_end && r->current; k++) {
        struct oriel_endpoint local, remote;
        const struct px_file *f = &r->px.file[k];
        if (f->kind == PX_TCP && oriel_local(r->stack, f->h, &local) == 0 &&
            oriel_remote(r->stack, f->h, &remote) == 0 &&
            sr_flow_at(r, SCRIPT_TCP, &local, &remote) == r->current)
            found = f;
    }
    if (!found || found->kind != PX_TCP || oriel_tcp_info(r->stack, found->h, &i) != 0)
        return false;
    return px_tcp_info(&i, info, PX_TCP_INFO_BYTES) == PX_TCP_INFO_BYTES;
}
