/*
 * Values of a line -> what a call takes. `...` is the usual thing: the script's addresses, bytes of
 * the pattern, an option of the natural size.
 */
#include "lab/script_run.h"

#define IO_MAX (16u << 20)      /* bytes of one call */

static bool bad_value(struct script_run *r, const struct script_event *v,
                      const struct script_value *x, const char *text)
{
    struct txt t = sr_failure(r, v);
    txt_s(&t, "    but `");
    txt_span(&t, x->text);
    txt_s(&t, "` ");
    txt_s(&t, text);
    txt_s(&t, "\n");
    return false;
}

const struct script_value *sr_field(const struct script_value *x, const char *name)
{
    if (x->kind != SCRIPT_STRUCT)
        return NULL;
    for (uint16_t i = 0; i < x->n; i++)
        if (span_is(x->names[i], name))
            return &x->items[i];
    return NULL;
}

/* ---- addresses ---- */

static const struct script_value *one_of(const struct script_value *x, const char *a,
                                         const char *b)
{
    const struct script_value *f = sr_field(x, a);
    return f ? f : sr_field(x, b);
}

static bool usual(struct script_run *r, bool local, struct oriel_endpoint *out)
{
    out->addr = local ? script_local(&r->setup, r->v6) : script_remote(&r->setup, r->v6);
    out->port = local ? r->setup.bind_port : r->setup.connect_port;
    return true;
}

bool sr_endpoint(struct script_run *r, const struct script_event *v, const struct script_value *x,
                 bool local, struct oriel_endpoint *out)
{
    if (x->kind == SCRIPT_DOTS)
        return usual(r, local, out);
    *out = (struct oriel_endpoint){.addr = ADDR_NONE};
    if (x->kind != SCRIPT_STRUCT)
        return bad_value(r, v, x, "is no address here");
    const struct script_value *family = sr_field(x, "sa_family");
    const struct script_value *port = one_of(x, "sin_port", "sin6_port");
    const struct script_value *addr = one_of(x, "sin_addr", "sin6_addr");
    if (family && family->kind == SCRIPT_INT && family->i == PX_AF_UNSPEC)
        return true;
    if (!port || !addr)
        return bad_value(r, v, x, "is no address: sa_family, sin_port and sin_addr are needed");
    if (port->kind == SCRIPT_INT)
        out->port = (uint16_t)port->i;
    if (port->kind == SCRIPT_DOTS)
        out->port = local ? r->setup.bind_port : r->setup.connect_port;
    if (addr->kind == SCRIPT_ADDR)
        out->addr = addr->addr;
    else if (addr->kind == SCRIPT_DOTS)
        out->addr = local ? script_local(&r->setup, r->v6) : script_remote(&r->setup, r->v6);
    return true;
}

/* ---- bytes ---- */

static bool length_of(struct script_run *r, const struct script_event *v,
                      const struct script_value *x, size_t *n)
{
    if (x->kind != SCRIPT_INT || x->i < 0 || x->i > IO_MAX)
        return bad_value(r, v, x, "is no number of bytes that this can move");
    *n += (size_t)x->i;
    return true;
}

/* The list of vectors in an argument, or in the message that it is; NULL: there is none. */
static const struct script_value *vectors(const struct script_value *x)
{
    return x->kind == SCRIPT_STRUCT ? sr_field(x, "msg_iov") : x->kind == SCRIPT_LIST ? x : NULL;
}

static bool total(struct script_run *r, const struct script_event *v, const struct script_value *x,
                  size_t *n)
{
    const struct script_value *list = vectors(x);
    if (!list || list->kind != SCRIPT_LIST)
        return bad_value(r, v, x, "has no vectors");
    for (uint16_t i = 0; i < list->n; i++) {
        if (list->items[i].n != 2)
            return bad_value(r, v, &list->items[i], "is no vector, such as {..., 1000}");
        if (!length_of(r, v, &list->items[i].items[1], n))
            return false;
    }
    return true;
}

/* A text stands at the front of its room; the rest is zeros. */
static void put_text(struct script_run *r, const struct script_value *x, uint8_t *at, size_t n)
{
    if (x->kind != SCRIPT_TEXT || n == 0)
        return;
    size_t k = x->bytes.n < n ? x->bytes.n : n;
    r->literal = true;
    memset(at, 0, n);
    if (k > 0)
        memcpy(at, x->bytes.p, k);
}

static void put_vectors(struct script_run *r, const struct script_value *list, uint8_t *at)
{
    for (uint16_t i = 0; i < list->n; i++) {
        size_t n = (size_t)list->items[i].items[1].i;
        put_text(r, &list->items[i].items[0], at, n);
        at += n;
    }
}

/*
 * Room for all bytes of a call. What is written is the pattern from where the stream of that file
 * has come to, which sr_sys puts there; a text replaces it.
 */
bool sr_buffers(struct script_run *r, const struct script_event *v, struct sr_call *c)
{
    const struct script_value *x = &c->call->args[1];
    bool flat = x->kind == SCRIPT_DOTS || x->kind == SCRIPT_TEXT;
    size_t n = 0;
    if (!(flat ? length_of(r, v, &c->call->args[2], &n) : total(r, v, x, &n)))
        return false;
    c->io.bytes = arena_take_zeroed(r->arena, n + 1);
    c->io.n = n;
    if (!c->io.bytes)
        return sr_fail(r, v, "    but there is no memory for its bytes\n");
    bool out = c->call->fn >= SCRIPT_WRITE && c->call->fn <= SCRIPT_SENDMSG;
    if (!out)
        return true;
    struct sr_file *file = sr_file(r, (int)c->call->args[0].i);
    const struct px_file *f = px_of(&r->px, (int)c->call->args[0].i);
    sr_fill(c->io.bytes, n, file && f && f->kind == PX_TCP ? file->written : 0);
    if (flat)
        put_text(r, x, c->io.bytes, n);
    else
        put_vectors(r, vectors(x), c->io.bytes);
    return true;
}

/* ---- values of options ---- */

static bool put_bytes(uint8_t *out, uint32_t *len, const void *from, size_t n)
{
    if (*len + n > PX_TCP_INFO_BYTES)
        return false;
    memcpy(out + *len, from, n);
    *len += (uint32_t)n;
    return true;
}

static bool put_int(uint8_t *out, uint32_t *len, int64_t v)
{
    int32_t i = (int32_t)v;
    return put_bytes(out, len, &i, sizeof(i));
}

static bool structure(struct script_run *r, const struct script_event *v,
                      const struct script_value *x, uint8_t *out, uint32_t *len)
{
    const struct script_value *on = one_of(x, "onoff", "l_onoff");
    const struct script_value *linger = one_of(x, "linger", "l_linger");
    const struct script_value *sec = sr_field(x, "tv_sec"), *usec = sr_field(x, "tv_usec");
    if (on && linger && on->kind == SCRIPT_INT && linger->kind == SCRIPT_INT)
        return put_int(out, len, on->i) && put_int(out, len, linger->i);
    if (sec && usec && sec->kind == SCRIPT_INT && usec->kind == SCRIPT_INT)
        return put_bytes(out, len, &sec->i, 8) && put_bytes(out, len, &usec->i, 8);
    return bad_value(r, v, x, "is neither {onoff=1, linger=0} nor {tv_sec=1, tv_usec=0}");
}

bool sr_option_bytes(struct script_run *r, const struct script_event *v,
                     const struct script_value *x, uint8_t out[PX_TCP_INFO_BYTES], uint32_t *len)
{
    bool good = true;
    *len = 0;
    switch (x->kind) {
    case SCRIPT_DOTS:
        return true;
    case SCRIPT_INT:
        return put_int(out, len, x->i);
    case SCRIPT_TEXT:
        good = put_bytes(out, len, x->bytes.p, x->bytes.n);
        break;
    case SCRIPT_LIST:
        for (uint16_t i = 0; i < x->n && good; i++)
            good = x->items[i].kind == SCRIPT_INT && put_int(out, len, x->items[i].i);
        break;
    case SCRIPT_STRUCT:
        return structure(r, v, x, out, len);
    case SCRIPT_ADDR:
        good = false;
        break;
    }
    return good || bad_value(r, v, x, "is no value of an option");
}
