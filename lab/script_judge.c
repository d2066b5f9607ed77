/*
 * What came of a call beside what its line says: the result, the error, when it returned, and what
 * stands in the arguments afterwards (bytes, events, values of options).
 */
#include "lab/script_run.h"

/* ---- words ---- */

void sr_print_result(struct txt *t, int64_t got)
{
    if (got == PX_AGAIN) {
        txt_s(t, "...");
        return;
    }
    if (got >= 0) {
        txt_i(t, got);
        return;
    }
    const char *name = px_errno_name((int)-got);
    txt_s(t, "-1 ");
    txt_s(t, name ? name : "an unknown error");
    txt_s(t, " (");
    txt_s(t, px_errno_text((int)-got));
    txt_c(t, ')');
}

/* The line from its function to its closing bracket, on one line. */
void sr_print_call(struct txt *t, const struct script_event *v, int64_t got)
{
    const struct script_call *k = v->is.call;
    txt_s(t, script_fn_name(k->fn));
    txt_c(t, '(');
    for (uint8_t i = 0; i < k->n; i++) {
        if (i > 0)
            txt_s(t, ", ");
        struct span x = k->args[i].text;
        for (size_t c = 0; c < x.n; c++)
            txt_c(t, x.p[c] < ' ' ? ' ' : (char)x.p[c]);
    }
    txt_s(t, ") = ");
    sr_print_result(t, got);
}

static bool wrong(struct script_run *r, const struct sr_call *c, const char *what, int64_t got,
                  int64_t expected)
{
    struct txt t = sr_failure(r, c->event);
    txt_s(&t, "    but ");
    txt_s(&t, what);
    txt_c(&t, ' ');
    txt_i(&t, got);
    txt_s(&t, ", not ");
    txt_i(&t, expected);
    txt_s(&t, "\n");
    return false;
}

static bool wrong_text(struct script_run *r, const struct sr_call *c, const char *what)
{
    struct txt t = sr_failure(r, c->event);
    txt_s(&t, "    but ");
    txt_s(&t, what);
    txt_s(&t, "\n");
    return false;
}

/* ---- the result, and when ---- */

static bool judge_result(struct script_run *r, const struct sr_call *c, int64_t got)
{
    const struct script_value *want = &c->call->result;
    bool good = want->kind == SCRIPT_DOTS ||
                (got >= 0 ? want->i == got
                          : want->i == -1 && (c->call->err == 0 || c->call->err == -got));
    if (good)
        return true;
    struct txt t = sr_failure(r, c->event);
    txt_s(&t, "    expected: ");
    txt_span(&t, want->text);
    if (c->call->err != 0) {
        txt_c(&t, ' ');
        txt_s(&t, px_errno_name(c->call->err));
    }
    txt_s(&t, "\n    returned: ");
    sr_print_result(&t, got);
    txt_s(&t, "\n");
    return false;
}

static bool judge_end(struct script_run *r, const struct sr_call *c)
{
    oriel_time tolerance = r->setup.tolerance;
    if (c->end == ORIEL_NEVER ||
        (time_after(r->now, tolerance) >= c->end && r->now <= time_after(c->end, tolerance)))
        return true;
    struct txt t = sr_failure(r, c->event);
    txt_s(&t, "    but it returned at ");
    txt_seconds(&t, r->now, 6);
    txt_s(&t, " s, not at ");
    txt_seconds(&t, c->end, 6);
    txt_s(&t, " s\n");
    return false;
}

/* ---- bytes ---- */

static bool judge_text(struct script_run *r, const struct sr_call *c, int64_t got)
{
    const struct script_value *x = &c->call->args[1];
    size_t n = (size_t)got < x->bytes.n ? (size_t)got : x->bytes.n;
    return (n == 0 || memcmp(x->bytes.p, c->io.bytes, n) == 0) ||
           wrong_text(r, c, "the bytes are others than those");
}

static bool judge_pattern(struct script_run *r, struct sr_call *c, int64_t got)
{
    const struct px_file *f = px_of(&r->px, c->io.fd);
    struct sr_file *file = sr_file(r, c->io.fd);
    if (!f || !px_is_socket(f) || f->kind == PX_ICMP || got <= 0)
        return true;
    size_t n = (size_t)got < c->io.n ? (size_t)got : c->io.n;
    struct span s = span_of(c->io.bytes, n);
    if (f->kind == PX_UDP)
        return sr_is_pattern(s, 0) || wrong_text(r, c, "the bytes are not those of the datagram");
    if (!file)
        return true;
    if (c->io.flags & PX_MSG_OOB)
        file->loose = true;
    bool good = file->loose || r->urgent || sr_is_pattern(s, file->read);
    if (!(c->io.flags & (PX_MSG_PEEK | PX_MSG_OOB)))
        file->read += n;
    return good || wrong_text(r, c, "the bytes are not those that stand there in the stream");
}

static bool judge_peer(struct script_run *r, const struct sr_call *c,
                       const struct script_value *want, const struct oriel_endpoint *peer)
{
    struct oriel_endpoint e;
    if (want->kind != SCRIPT_STRUCT)
        return true;
    if (!sr_endpoint(r, c->event, want, false, &e))
        return false;
    return (e.port == peer->port && addr_same_bits(&e.addr, &peer->addr)) ||
           wrong_text(r, c, "the address is another one");
}

/* ---- control messages of recvmsg ---- */

struct cmsg {
    int level, type;
    int64_t data;
};

static size_t cmsgs_of(const struct script_run *r, const struct sr_call *c, struct cmsg out[4])
{
    const struct px_file *f = px_of((struct px *)&r->px, c->io.fd);
    size_t n = 0;
    bool six = f && f->v6 && !addr_is_v4(&c->io.peer.addr);
    if (!f)
        return 0;
    if ((f->cmsg & PX_CMSG_INQ) && f->kind == PX_TCP)
        out[n++] = (struct cmsg){PX_IPPROTO_TCP, 36, c->io.inq};
    if ((f->cmsg & PX_CMSG_TTL) && f->kind == PX_UDP)
        out[n++] = (struct cmsg){six ? PX_IPPROTO_IPV6 : 0, six ? 52 : 2, c->io.ttl};
    if ((f->cmsg & PX_CMSG_TOS) && f->kind == PX_UDP)
        out[n++] = (struct cmsg){six ? PX_IPPROTO_IPV6 : 0, six ? 67 : 1, c->io.tos};
    if (c->io.out_flags & PX_MSG_ERRQUEUE)
        out[n++] = (struct cmsg){six ? PX_IPPROTO_IPV6 : 0, six ? 25 : 11, 0};
    return n;
}

/* struct sock_extended_err */
static bool judge_error(struct script_run *r, const struct sr_call *c, const struct script_value *x)
{
    const struct oriel_error_info *e = &c->io.error;
    bool v4 = addr_is_v4(&e->to.addr);
    const struct {
        const char *name;
        int64_t value;
    } fields[] = {
        {"ee_errno", px_errno_of(e->err)}, {"ee_origin", !e->from_net ? 1 : v4 ? 2 : 3},
        {"ee_type", e->icmp_type},         {"ee_code", e->icmp_code},
        {"ee_info", e->mtu},               {"ee_data", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        const struct script_value *want = sr_field(x, fields[i].name);
        if (want && want->kind == SCRIPT_INT && want->i != fields[i].value)
            return wrong(r, c, fields[i].name, fields[i].value, want->i);
    }
    return true;
}

static bool judge_cmsg(struct script_run *r, const struct sr_call *c, const struct script_value *x,
                       const struct cmsg *got)
{
    const struct script_value *level = sr_field(x, "cmsg_level"), *type = sr_field(x, "cmsg_type");
    const struct script_value *data = sr_field(x, "cmsg_data");
    if (!level || !type || !data)
        return wrong_text(r, c, "a control message has cmsg_level, cmsg_type and cmsg_data");
    if (level->i != got->level)
        return wrong(r, c, "the level of the control message is", got->level, level->i);
    if (type->i != got->type)
        return wrong(r, c, "the type of the control message is", got->type, type->i);
    if (data->kind == SCRIPT_STRUCT)
        return judge_error(r, c, data);
    return data->kind != SCRIPT_INT || data->i == got->data ||
           wrong(r, c, "the control message says", got->data, data->i);
}

static bool judge_msg(struct script_run *r, const struct sr_call *c)
{
    const struct script_value *m = &c->call->args[1];
    const struct script_value *flags = sr_field(m, "msg_flags"), *name = sr_field(m, "msg_name");
    const struct script_value *control = sr_field(m, "msg_control");
    struct cmsg got[4];
    size_t n = cmsgs_of(r, c, got);
    if (flags && flags->kind == SCRIPT_INT && (uint32_t)flags->i != c->io.out_flags)
        return wrong(r, c, "msg_flags is", c->io.out_flags, flags->i);
    if (name && !judge_peer(r, c, name, &c->io.peer))
        return false;
    if (!control || control->kind != SCRIPT_LIST)
        return true;
    if (control->n != n)
        return wrong(r, c, "the number of control messages is", (int64_t)n, control->n);
    for (size_t i = 0; i < n; i++)
        if (!judge_cmsg(r, c, &control->items[i], &got[i]))
            return false;
    return true;
}

static bool judge_recv(struct script_run *r, struct sr_call *c, int64_t got)
{
    if (got < 0)
        return true;
    if (c->call->args[1].kind == SCRIPT_TEXT)
        return judge_text(r, c, got);
    if (!judge_pattern(r, c, got))
        return false;
    if (c->call->fn == SCRIPT_RECVMSG)
        return judge_msg(r, c);
    return c->call->fn != SCRIPT_RECVFROM || judge_peer(r, c, &c->call->args[4], &c->io.peer);
}

static bool note_written(struct script_run *r, const struct sr_call *c, int64_t got)
{
    struct sr_file *f = sr_file(r, c->io.fd);
    if (f && got > 0)
        f->written += (uint64_t)got;
    return true;
}

/* ---- options, events ---- */

static bool judge_option(struct script_run *r, const struct sr_call *c, int64_t got)
{
    const struct script_value *x = &c->call->args[3], *len = &c->call->args[4];
    uint8_t want[PX_TCP_INFO_BYTES];
    uint32_t n = 0;
    int32_t value = 0;
    if (got < 0 || x->kind == SCRIPT_DOTS)
        return true;
    if (!sr_option_bytes(r, c->event, x, want, &n))
        return false;
    memcpy(&value, c->option, sizeof(value));
    if (x->kind != SCRIPT_TEXT && n == 4 && memcmp(want, c->option, n) != 0)
        return wrong(r, c, "the value is", value, x->n > 0 ? x->items[0].i : x->i);
    if (memcmp(want, c->option, n) != 0 ||
        (x->kind == SCRIPT_TEXT && n < c->len && c->option[n] != 0))
        return wrong_text(r, c, "the value is another one");
    bool named = len->kind == SCRIPT_LIST && x->kind != SCRIPT_TEXT;
    return !named || len->items[0].i == c->len || wrong(r, c, "the length is", c->len,
                                                        len->items[0].i);
}

static bool judge_ioctl(struct script_run *r, const struct sr_call *c, int64_t got)
{
    const struct script_value *x = &c->call->args[2];
    if (got < 0 || x->kind != SCRIPT_LIST || x->n == 0 || x->items[0].kind != SCRIPT_INT)
        return true;
    return x->items[0].i == c->value || wrong(r, c, "the value is", c->value, x->items[0].i);
}

static bool judge_poll(struct script_run *r, const struct sr_call *c)
{
    const struct script_value *list = &c->call->args[0];
    for (uint16_t i = 0; i < list->n; i++) {
        const struct script_value *want = sr_field(&list->items[i], "revents");
        if (want && want->kind == SCRIPT_INT && want->i != c->polls[i].revents)
            return wrong(r, c, "revents is", c->polls[i].revents, want->i);
    }
    return true;
}

static bool judge_epoll_event(struct script_run *r, const struct sr_call *c,
                              const struct script_value *x, const struct px_epoll_event *got)
{
    for (uint16_t i = 0; i < x->n; i++) {
        bool events = span_is(x->names[i], "events");
        int64_t is = events ? (int64_t)got->events : (int64_t)got->data;
        if (x->items[i].kind == SCRIPT_INT && x->items[i].i != is)
            return wrong(r, c, events ? "the events are" : "the file is", is, x->items[i].i);
    }
    return true;
}

static bool judge_epoll(struct script_run *r, const struct sr_call *c, int64_t got)
{
    const struct script_value *x = &c->call->args[1];
    if (x->kind == SCRIPT_STRUCT && got > 0)
        return judge_epoll_event(r, c, x, &c->epolls[0]);
    for (uint16_t i = 0; x->kind == SCRIPT_LIST && i < x->n && i < got; i++)
        if (!judge_epoll_event(r, c, &x->items[i], &c->epolls[i]))
            return false;
    return true;
}

static bool judge_splice(struct script_run *r, const struct sr_call *c)
{
    struct sr_file *in = sr_file(r, (int)c->call->args[0].i);
    if (in)
        in->loose = true;
    r->literal = true;          /* what came in goes out: not the pattern of its own stream */
    return true;
}

static bool judge_rest(struct script_run *r, struct sr_call *c, int64_t got)
{
    switch (c->call->fn) {
    case SCRIPT_ACCEPT: case SCRIPT_ACCEPT4:
        return got < 0 || judge_peer(r, c, &c->call->args[1], &c->peer);
    case SCRIPT_READ: case SCRIPT_READV: case SCRIPT_RECV: case SCRIPT_RECVFROM:
    case SCRIPT_RECVMSG:
        return judge_recv(r, c, got);
    case SCRIPT_WRITE: case SCRIPT_WRITEV: case SCRIPT_SEND: case SCRIPT_SENDTO:
    case SCRIPT_SENDMSG:
        return note_written(r, c, got);
    case SCRIPT_IOCTL:
        return judge_ioctl(r, c, got);
    case SCRIPT_GETSOCKOPT:
        return judge_option(r, c, got);
    case SCRIPT_POLL:
        return judge_poll(r, c);
    case SCRIPT_EPOLL_WAIT:
        return judge_epoll(r, c, got);
    case SCRIPT_SPLICE:
        return judge_splice(r, c);
    case SCRIPT_SOCKET: case SCRIPT_BIND: case SCRIPT_LISTEN: case SCRIPT_CONNECT:
    case SCRIPT_FCNTL: case SCRIPT_CLOSE: case SCRIPT_SHUTDOWN: case SCRIPT_SETSOCKOPT:
    case SCRIPT_EPOLL_CREATE: case SCRIPT_EPOLL_CREATE1: case SCRIPT_EPOLL_CTL: case SCRIPT_PIPE:
    case SCRIPT_FNS:
        break;
    }
    return true;
}

bool sr_judge(struct script_run *r, struct sr_call *c, int64_t got)
{
    return judge_result(r, c, got) && judge_end(r, c) && judge_rest(r, c, got);
}
