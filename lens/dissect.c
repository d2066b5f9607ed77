/*
 * The frame layer, and what the dissectors of the other layers share.
 *
 * This is a second look at packets, made for showing: where the stack's own parsers stop at the
 * first fault, a dissector goes on and says what is wrong, and it must know where in the frame each
 * value stood. So it reads fields by itself, through the same bounded reader, and shares only the
 * constants with the parsers in wire/. tests/oracle compares it with tshark.
 */
#include "lens/layer.h"

/* ---- fields ---- */

struct field *lens_add(struct lens *l, enum field_id id, const uint8_t *at, size_t len)
{
    struct dissection *d = l->d;
    struct field *f = &l->spare;
    if (d->n < DISSECTION_FIELDS_MAX)
        f = &d->fields[d->n++];
    else
        d->cut = true;
    *f = (struct field){.id = (uint16_t)id};
    if (at) {
        f->off = (uint32_t)(at - d->frame.p);
        f->len = (uint32_t)len;
    }
    return f;
}

void lens_put_u(struct lens *l, enum field_id id, const uint8_t *at, size_t len, uint64_t v)
{
    lens_add(l, id, at, len)->value.u = v;
}

void lens_put_bytes(struct lens *l, enum field_id id, struct span s)
{
    lens_add(l, id, s.p, s.n)->value.bytes = s;
}

void lens_put_text(struct lens *l, enum field_id id, const uint8_t *at, size_t len, struct span s)
{
    lens_add(l, id, at, len)->value.bytes = s;
}

uint64_t lens_uint(struct lens *l, struct rd *r, enum field_id id, unsigned bytes)
{
    struct rd h = rd_sub(r, bytes);
    if (h.bad)
        return 0;
    const uint8_t *at = h.p;
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++)
        v = (v << 8) | rd_u8(&h);
    lens_put_u(l, id, at, bytes, v);
    return v;
}

struct oriel_addr lens_addr4(struct lens *l, struct rd *r, enum field_id id)
{
    struct rd h = rd_sub(r, 4);
    const uint8_t *at = h.p;
    struct oriel_addr a = rd_addr4(&h);
    if (!r->bad)
        lens_add(l, id, at, 4)->value.addr = a;
    return a;
}

struct oriel_addr lens_addr6(struct lens *l, struct rd *r, enum field_id id)
{
    struct rd h = rd_sub(r, 16);
    const uint8_t *at = h.p;
    struct oriel_addr a = rd_addr6(&h);
    if (!r->bad)
        lens_add(l, id, at, 16)->value.addr = a;
    return a;
}

struct mac lens_mac(struct lens *l, struct rd *r, enum field_id id)
{
    struct rd h = rd_sub(r, 6);
    const uint8_t *at = h.p;
    struct mac m = rd_mac(&h);
    if (!r->bad)
        lens_add(l, id, at, 6)->value.mac = m;
    return m;
}

struct span lens_bytes(struct lens *l, struct rd *r, enum field_id id, size_t n)
{
    struct span s = rd_bytes(r, n);
    if (!r->bad)
        lens_put_bytes(l, id, s);
    return s;
}

struct txt lens_text_begin(struct lens *l)
{
    struct dissection *d = l->d;
    ORIEL_ASSERT(d->text_n < DISSECTION_TEXT_MAX);
    return txt_of(d->text + d->text_n, DISSECTION_TEXT_MAX - d->text_n);
}

struct span lens_text_end(struct lens *l, const struct txt *t)
{
    l->d->text_n += (uint32_t)t->n;
    l->d->cut = l->d->cut || t->cut;
    return span_of(t->p, t->n);
}

/* ---- layers and columns ---- */

void lens_note_protocol(struct lens *l, const char *name)
{
    if (l->protocols.n > 0)
        txt_c(&l->protocols, ':');
    txt_s(&l->protocols, name);
}

struct field *lens_layer(struct lens *l, enum field_id id, const struct rd *r)
{
    if (l->layers == LENS_LAYERS_MAX)
        return NULL;
    l->layers++;
    l->where = field_info(id)->name;
    lens_note_protocol(l, l->where);
    struct field *layer = lens_add(l, id, r->p, rd_left(r));
    layer->value.bytes = lens_peek(r);
    return layer;
}

void lens_layer_end(struct field *layer, const struct rd *r)
{
    size_t rest = rd_left(r);
    layer->len = layer->len > rest ? layer->len - (uint32_t)rest : 0;
}

void lens_columns(struct lens *l, const char *proto)
{
    if (l->quoted)
        return;
    l->proto = txt_of(l->d->proto, sizeof l->d->proto);
    txt_s(&l->proto, proto);
    l->info = txt_of(l->d->info, sizeof l->d->info);
    l->d->flags_at = l->d->flags_n = 0;
}

struct txt *lens_info(struct lens *l)
{
    return l->quoted ? &l->sink : &l->info;
}

void lens_endpoints_mac(struct lens *l, const struct mac *src, const struct mac *dst)
{
    l->src = txt_of(l->d->src, sizeof l->d->src);
    l->dst = txt_of(l->d->dst, sizeof l->d->dst);
    txt_mac(&l->src, src);
    txt_mac(&l->dst, dst);
}

void lens_endpoints_ip(struct lens *l, const struct oriel_addr *src, const struct oriel_addr *dst,
                       bool v6)
{
    l->ip_src = *src;
    l->ip_dst = *dst;
    l->v6 = v6;
    if (l->quoted)
        return;
    const struct field from = {.id = v6 ? F_IPV6_SRC : F_IP_SRC, .value.addr = *src};
    const struct field to = {.id = v6 ? F_IPV6_DST : F_IP_DST, .value.addr = *dst};
    l->src = txt_of(l->d->src, sizeof l->d->src);
    l->dst = txt_of(l->d->dst, sizeof l->d->dst);
    field_print(&l->src, &from);
    field_print(&l->dst, &to);
}

/* A frame that was captured in part ends early without being malformed, and so does a quote. */
void lens_fault(struct lens *l, uint8_t fault)
{
    bool ended = fault == FAULT_SHORT || fault == FAULT_TOTAL_LEN;
    if (l->faulty || (l->quoted && ended))
        return;
    l->faulty = true;
    if (l->cut && ended) {
        lens_add(l, F_WS_SHORT, NULL, 0);
        txt_s(&l->info, " [Packet size limited during capture]");
        return;
    }
    lens_add(l, F_WS_MALFORMED, NULL, 0);
    if (l->info.n > 0)
        txt_c(&l->info, ' ');
    txt_s(&l->info, "[Malformed: ");
    txt_s(&l->info, l->where);
    txt_s(&l->info, ": ");
    txt_s(&l->info, fault_text(fault));
    txt_c(&l->info, ']');
}

struct rd lens_narrow(struct lens *l, struct rd *r, size_t n)
{
    if (n > rd_left(r)) {
        lens_fault(l, FAULT_TOTAL_LEN);
        l->partial = true;
        n = rd_left(r);
    }
    return rd_sub(r, n);
}

/* ---- checksums and names ---- */

uint32_t lens_sum(struct span s)
{
    return csum_span(&csum_portable, s);
}

enum lens_csum lens_csum_of(const struct lens *l, uint32_t sum)
{
    if (l->fragment || l->partial || l->faulty)
        return LENS_CSUM_UNVERIFIED;
    return csum_finish(sum) == 0 ? LENS_CSUM_GOOD : LENS_CSUM_BAD;
}

const char *lens_name_of(const struct lens_name *list, uint32_t value)
{
    for (; list->name; list++)
        if (list->value == value)
            return list->name;
    return NULL;
}

void dissect_data(struct lens *l, struct rd r)
{
    if (rd_done(&r))
        return;
    struct field *layer = lens_layer(l, F_DATA, &r);
    if (!layer)
        return;
    struct span all = rd_rest(&r);
    lens_put_bytes(l, F_DATA_DATA, all);
    lens_put_u(l, F_DATA_LEN, NULL, 0, all.n);
}

/* ---- the frame ---- */

/* The value of `key=value` in a comment, up to a blank; empty when it is not there. */
static struct span word_of(struct span text, const char *key)
{
    size_t key_n = strlen(key);
    for (size_t i = 0; i + key_n < text.n; i++) {
        bool begins = i == 0 || text.p[i - 1] == ' ' || text.p[i - 1] == '\n';
        if (!begins || text.p[i + key_n] != '=' || memcmp(text.p + i, key, key_n) != 0)
            continue;
        size_t from = i + key_n + 1;
        size_t to = from;
        while (to < text.n && text.p[to] > ' ')
            to++;
        return span_of(text.p + from, to - from);
    }
    return span_of(NULL, 0);
}

static struct span reason(const struct lens_frame *f, struct span given, const char *key)
{
    for (unsigned i = 0; given.n == 0 && i < f->comments_n && i < LENS_COMMENTS_MAX; i++)
        given = word_of(f->comments[i], key);
    return given;
}

static void add_reasons(struct lens *l, const struct lens_frame *f)
{
    struct span why = reason(f, f->why, "why");
    struct span drop = reason(f, f->drop, "drop");
    uint64_t ev = f->ev;
    if (why.n > 0)
        lens_put_text(l, F_WHY, NULL, 0, why);
    if (drop.n > 0)
        lens_put_text(l, F_DROP, NULL, 0, drop);
    if (ev != 0 || txt_parse_u(reason(f, span_of(NULL, 0), "ev"), UINT64_MAX, &ev))
        lens_put_u(l, F_WHY_EV, NULL, 0, ev);
}

static uint64_t time_since(oriel_time t, oriel_time before)
{
    return t >= before ? t - before : 0;
}

/* The frame's own fields. Returns the one that is filled in at the end: the list of protocols. */
static struct field *add_frame(struct lens *l, const struct lens_frame *f)
{
    lens_add(l, F_FRAME, l->d->frame.p, l->d->frame.n)->value.bytes = l->d->frame;
    lens_put_u(l, F_FRAME_NUMBER, NULL, 0, f->number);
    lens_put_u(l, F_FRAME_TIME_EPOCH, NULL, 0, f->time);
    lens_put_u(l, F_FRAME_TIME_RELATIVE, NULL, 0, time_since(f->time, f->time_first));
    lens_put_u(l, F_FRAME_TIME_DELTA, NULL, 0, time_since(f->time, f->time_before));
    lens_put_u(l, F_FRAME_LEN, NULL, 0, l->d->len);
    lens_put_u(l, F_FRAME_CAP_LEN, NULL, 0, f->bytes.n);
    if (f->if_name.n > 0)
        lens_put_text(l, F_FRAME_INTERFACE_NAME, NULL, 0, f->if_name);
    for (unsigned i = 0; i < f->comments_n && i < LENS_COMMENTS_MAX; i++)
        lens_put_text(l, F_FRAME_COMMENT, NULL, 0, f->comments[i]);
    add_reasons(l, f);
    return lens_add(l, F_FRAME_PROTOCOLS, NULL, 0);
}

static void dissect_link(struct lens *l, uint32_t link, struct rd r)
{
    switch (link) {
    case LENS_ETHERNET: dissect_eth(l, r); break;
    case LENS_RAW:      dissect_raw(l, r); break;
    case LENS_NULL:     dissect_null(l, r); break;
    case LENS_PPP:
    case LENS_PPP_HDLC: dissect_ppp(l, r); break;
    default:            dissect_data(l, r); break;
    }
}

void dissect(const struct lens_frame *f, struct dissection *out)
{
    static const uint8_t nothing[1] = {0};
    struct span bytes = f->bytes.n > 0 ? f->bytes : span_of(nothing, 0);
    size_t wire = f->wire_len > f->bytes.n ? f->wire_len : f->bytes.n;
    out->n = 0;
    out->text_n = 0;
    out->cut = false;
    out->flags_at = out->flags_n = 0;
    out->frame = bytes;
    out->len = (uint32_t)wire;
    struct lens l = {.d = out, .in = f, .cut = wire > f->bytes.n, .where = "frame"};
    l.src = txt_of(out->src, sizeof out->src);
    l.dst = txt_of(out->dst, sizeof out->dst);
    l.proto = txt_of(out->proto, sizeof out->proto);
    l.info = txt_of(out->info, sizeof out->info);
    l.sink = txt_of(l.sink_buf, sizeof l.sink_buf);
    l.protocols = txt_of(l.protocols_buf, sizeof l.protocols_buf);

    struct field *protocols = add_frame(&l, f);
    dissect_link(&l, f->link, rd_of(bytes));

    struct txt t = lens_text_begin(&l);
    txt_s(&t, l.protocols_buf);
    protocols->value.bytes = lens_text_end(&l, &t);
}

const struct field *dissection_next(const struct dissection *d, enum field_id id,
                                    const struct field *after)
{
    uint32_t i = after ? (uint32_t)(after - d->fields) + 1 : 0;
    for (; i < d->n; i++) {
        const struct field *f = &d->fields[i];
        if (f->id == id || field_info(f->id)->also == id)
            return f;
    }
    return NULL;
}
