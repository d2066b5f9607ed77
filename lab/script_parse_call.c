/*
 * Calls of a script, and their arguments:
 *
 *     +0...0.2 connect(3, ..., ...) = 0
 *     +0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
 *     +0 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1
 *     +0 read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)
 *
 * Constants are looked up here, with Linux's values. A signature says for each function which kind
 * of value each argument takes, so that a mistake is shown where it stands.
 */
#include "lab/script_text.h"

/*
 * i a number; d a number or ...; a an address: ..., NULL or a structure; l a length: ..., NULL, a
 * number or [N]; b bytes: ... or a text; v vectors: a list of structures; m a message: a structure;
 * n a list of numbers; e events: a structure, a list or ...; x anything. A | begins what may be
 * left out.
 */
static const struct {
    const char *name;
    const char *args;
} functions[SCRIPT_FNS] = {
    [SCRIPT_SOCKET] = {"socket", "dii"},
    [SCRIPT_BIND] = {"bind", "ial"},
    [SCRIPT_LISTEN] = {"listen", "ii"},
    [SCRIPT_ACCEPT] = {"accept", "ial"},
    [SCRIPT_ACCEPT4] = {"accept4", "iali"},
    [SCRIPT_CONNECT] = {"connect", "ial"},
    [SCRIPT_READ] = {"read", "ibi"},
    [SCRIPT_READV] = {"readv", "ivi"},
    [SCRIPT_RECV] = {"recv", "ibii"},
    [SCRIPT_RECVFROM] = {"recvfrom", "ibiial"},
    [SCRIPT_RECVMSG] = {"recvmsg", "imi"},
    [SCRIPT_WRITE] = {"write", "ibi"},
    [SCRIPT_WRITEV] = {"writev", "ivi"},
    [SCRIPT_SEND] = {"send", "ibii"},
    [SCRIPT_SENDTO] = {"sendto", "ibiial"},
    [SCRIPT_SENDMSG] = {"sendmsg", "imi"},
    [SCRIPT_FCNTL] = {"fcntl", "ii|i"},
    [SCRIPT_IOCTL] = {"ioctl", "iix"},
    [SCRIPT_CLOSE] = {"close", "i"},
    [SCRIPT_SHUTDOWN] = {"shutdown", "ii"},
    [SCRIPT_GETSOCKOPT] = {"getsockopt", "iiixl"},
    [SCRIPT_SETSOCKOPT] = {"setsockopt", "iiixd"},
    [SCRIPT_POLL] = {"poll", "vii"},
    [SCRIPT_EPOLL_CREATE] = {"epoll_create", "i"},
    [SCRIPT_EPOLL_CREATE1] = {"epoll_create1", "i"},
    [SCRIPT_EPOLL_CTL] = {"epoll_ctl", "iiie"},
    [SCRIPT_EPOLL_WAIT] = {"epoll_wait", "ieii"},
    [SCRIPT_PIPE] = {"pipe", "n"},
    [SCRIPT_SPLICE] = {"splice", "ixixii"},
};

const char *script_fn_name(enum script_fn fn)
{
    return functions[fn].name;
}

static bool value(struct sp *p, struct script_value *out, unsigned depth);

/* ---- numbers ---- */

static bool constant(struct sp *p, int64_t *out)
{
    struct span word = sp_token(p), meant = sp_defined(p, word);
    uint64_t v;
    if (txt_parse_u(meant, UINT64_MAX, &v)) {
        *out = (int64_t)v;
    } else if (meant.n == 0 || !px_constant(meant, out)) {
        bool is_name = word.n > 0 && ((word.p[0] | 32) >= 'a' && (word.p[0] | 32) <= 'z');
        (void)sp_fail(p, "a number or a constant, such as SOCK_STREAM");
        if (is_name)
            sp_hint(p, px_constant_near(word));
        return false;
    }
    p->s->needs4 = p->s->needs4 || span_is(meant, "AF_INET") || span_is(meant, "PF_INET");
    p->s->needs6 = p->s->needs6 || span_is(meant, "AF_INET6") || span_is(meant, "PF_INET6");
    sp_took(p, word.n);
    return true;
}

static bool number(struct sp *p, int64_t *out)
{
    int64_t v = 0;
    bool minus = sp_take(p, "-"), invert = !minus && sp_take(p, "~");
    bool swap = sp_take(p, "htons") || sp_take(p, "htonl");     /* all numbers are in host order */
    if (swap && !sp_need(p, "("))
        return false;
    if (!constant(p, &v) || (swap && !sp_need(p, ")")))
        return false;
    *out = minus ? (int64_t)(0 - (uint64_t)v) : invert ? ~v : v;
    return true;
}

static bool numbers(struct sp *p, struct script_value *out)
{
    int64_t v = 0;
    out->kind = SCRIPT_INT;
    do {
        if (!number(p, &v))
            return false;
        out->i |= v;
    } while (sp_take(p, "|"));
    return true;
}

/* ---- what holds other values ---- */

/* Values are collected on the stack of calls a few at a time and kept in one piece. */
static bool keep(struct sp *p, struct script_value *out, const struct script_value *items,
                 const struct span *names, uint16_t n)
{
    struct script_value *kept = sp_alloc(p, (n + 1u) * sizeof(*kept));
    struct span *named = sp_alloc(p, (n + 1u) * sizeof(*named));
    if (!kept || !named)
        return false;
    memcpy(kept, items, n * sizeof(*kept));
    memcpy(named, names, n * sizeof(*named));
    out->items = kept;
    out->names = named;
    out->n = n;
    return true;
}

/* `sin_port=`, `msg_iov(1)=`: true when a name stands here; it is taken. */
static bool field_name(struct sp *p, struct span *out)
{
    struct span word = sp_token(p);
    const uint8_t *at = p->at, *last = p->last;
    struct span ignored;
    *out = span_of(word.p, 0);
    if (word.n == 0 || (word.p[0] >= '0' && word.p[0] <= '9'))
        return false;
    p->at += word.n;
    if (sp_take(p, "("))
        (void)sp_until(p, ")", &ignored, "`)`");
    if (sp_take(p, "=")) {
        *out = word;
        return true;
    }
    p->at = at;
    p->last = last;
    return false;
}

static bool holder(struct sp *p, struct script_value *out, const char *close, unsigned depth)
{
    struct script_value items[SCRIPT_LIST_MAX];
    struct span names[SCRIPT_LIST_MAX];
    uint16_t n = 0;
    out->kind = close[0] == ']' ? SCRIPT_LIST : SCRIPT_STRUCT;
    if (depth == SCRIPT_DEPTH_MAX)
        return sp_fail(p, "fewer brackets in brackets");
    while (!sp_take(p, close)) {
        if (n > 0 && !sp_need(p, ","))
            return false;
        if (n == SCRIPT_LIST_MAX)
            return sp_fail(p, "at most 64 values in one list");
        names[n] = span_of(p->at, 0);
        if (close[0] == '}')
            (void)field_name(p, &names[n]);
        if (!value(p, &items[n], depth + 1))
            return false;
        n++;
    }
    return keep(p, out, items, names, n);
}

/* inet_addr("192.0.2.1"), inet_pton(AF_INET6, "2001:db8::1") */
static bool address(struct sp *p, struct script_value *out, bool pton)
{
    int64_t family;
    out->kind = SCRIPT_ADDR;
    if (!sp_need(p, "(") || (pton && (!constant(p, &family) || !sp_need(p, ","))))
        return false;
    struct span quoted = sp_token(p);
    if (!sp_string(p, &out->bytes))
        return false;
    if (!addr_parse(out->bytes, &out->addr))
        return sp_fail_at(p, span_of(quoted.p, (size_t)(p->last - quoted.p)),
                          "an IPv4 or IPv6 address in quotes");
    p->s->needs4 = p->s->needs4 || addr_is_v4(&out->addr);
    p->s->needs6 = p->s->needs6 || !addr_is_v4(&out->addr);
    return sp_need(p, ")");
}

static bool text(struct sp *p, struct script_value *out)
{
    out->kind = SCRIPT_TEXT;
    return sp_string(p, &out->bytes);
}

static bool value(struct sp *p, struct script_value *out, unsigned depth)
{
    *out = (struct script_value){0};
    const uint8_t *from = sp_token(p).p;
    bool good;
    if (sp_take(p, "..."))
        good = true;
    else if (sp_take(p, "["))
        good = holder(p, out, "]", depth);
    else if (sp_take(p, "{"))
        good = holder(p, out, "}", depth);
    else if (sp_peek(p) == '"')
        good = text(p, out);
    else if (sp_take(p, "inet_addr"))
        good = address(p, out, false);
    else if (sp_take(p, "inet_pton"))
        good = address(p, out, true);
    else
        good = numbers(p, out);
    out->text = span_of(from, (size_t)(p->last - from));
    return good;
}

/* ---- arguments ---- */

static const char *wanted(char kind)
{
    switch (kind) {
    case 'i': return "a number or constants joined by |";
    case 'd': return "a number, or ... for the usual one";
    case 'a': return "an address: ..., NULL or {sa_family=AF_INET, sin_port=..., sin_addr=...}";
    case 'l': return "a length: ..., NULL, N or [N]";
    case 'b': return "bytes: ... or a text in quotes";
    case 'v': return "a list of structures, such as [{..., 1000}]";
    case 'm': return "a message, such as {msg_iov(1)=[{..., 1000}], msg_flags=0}";
    case 'n': return "a list of numbers, such as [5, 6]";
    case 'e': return "events: {events=EPOLLIN, fd=4}, a list of them, or ...";
    default: return "a value";
    }
}

static bool all_are(const struct script_value *v, enum script_value_kind kind)
{
    for (uint16_t i = 0; i < v->n; i++)
        if (v->items[i].kind != kind)
            return false;
    return true;
}

static bool fits(char kind, const struct script_value *v)
{
    bool dots = v->kind == SCRIPT_DOTS, number_is = v->kind == SCRIPT_INT;
    bool list = v->kind == SCRIPT_LIST, structure = v->kind == SCRIPT_STRUCT;
    switch (kind) {
    case 'i': return number_is;
    case 'd': return number_is || dots;
    case 'a': return dots || structure || (number_is && v->i == 0);
    case 'l': return dots || number_is || (list && v->n == 1 && all_are(v, SCRIPT_INT));
    case 'b': return dots || v->kind == SCRIPT_TEXT;
    case 'v': return list && all_are(v, SCRIPT_STRUCT);
    case 'm': return structure;
    case 'n': return list && all_are(v, SCRIPT_INT);
    case 'e': return dots || structure || (list && all_are(v, SCRIPT_STRUCT)) ||
                     (number_is && v->i == 0);
    default: return true;
    }
}

static bool arguments(struct sp *p, struct script_call *c)
{
    const char *kinds = functions[c->fn].args;
    bool optional = false;
    if (!sp_need(p, "("))
        return false;
    for (; *kinds != '\0'; kinds++) {
        if (*kinds == '|') {
            optional = true;
            continue;
        }
        if (optional && sp_sees(p, ")"))
            break;
        if (c->n > 0 && !sp_need(p, ","))
            return false;
        struct span at = sp_token(p);
        struct script_value *v = &c->args[c->n];
        if (!value(p, v, 0))
            return false;
        if (!fits(*kinds, v))
            return sp_fail_at(p, v->text.n > 0 ? v->text : at, wanted(*kinds));
        c->n++;
    }
    return sp_need(p, ")");
}

/* ---- what comes of it ---- */

static bool result(struct sp *p, struct script_call *c)
{
    if (!sp_need(p, "=") || !value(p, &c->result, 0))
        return false;
    if (c->result.kind != SCRIPT_INT && c->result.kind != SCRIPT_DOTS)
        return sp_fail_at(p, c->result.text, "a number, or ... for any");
    uint8_t first = sp_peek(p);
    if (first >= 'A' && first <= 'Z') {
        struct span word = sp_token(p);
        if (!sp_word(p, &word, "an error"))
            return false;
        c->err = px_errno_named(word);
        if (c->err == 0) {
            (void)sp_fail_at(p, word, "an error, such as EAGAIN");
            sp_hint(p, px_constant_near(word));
            return false;
        }
        if (c->result.kind != SCRIPT_INT || c->result.i != -1)
            return sp_fail_at(p, word, "no error: only a result of -1 has one");
    }
    (void)sp_note(p);
    return !p->bad;
}

static bool function(struct sp *p, struct script_call *c)
{
    static const char all[] =
        "socket bind listen accept accept4 connect read readv recv recvfrom recvmsg write writev "
        "send sendto sendmsg fcntl ioctl close shutdown getsockopt setsockopt poll epoll_create "
        "epoll_create1 epoll_ctl epoll_wait pipe splice";
    struct span name;
    if (!sp_word(p, &name, "a packet (< or >), a call, %{ or a backtick"))
        return false;
    for (unsigned i = 0; i < SCRIPT_FNS; i++)
        if (span_is(name, functions[i].name)) {
            c->fn = (enum script_fn)i;
            return true;
        }
    return sp_fail_word(p, name, "a call, such as socket or read", all);
}

const struct script_call *sp_call(struct sp *p)
{
    struct script_call *c = sp_alloc(p, sizeof(*c));
    if (!c)
        return NULL;
    c->has_end = sp_take(p, "...");
    if (c->has_end && ((void)sp_take(p, "+"), !sp_time(p, &c->end)))
        return NULL;
    return function(p, c) && arguments(p, c) && result(p, c) ? c : NULL;
}
