/*
 * TCP header and options.
 *
 * The header is fixed but for its options, which are a list that the peer wrote: every step of the
 * walk takes at least one byte, and a length that is 0, 1 or beyond the end stops it (RFC 9293,
 * MUST-7). A known option whose length cannot be its own is passed over as if it were unknown
 * (MUST-6), which is what other stacks do; the fields of several versions have been seen in the
 * wild under one kind.
 *
 * Nearly all segments carry timestamps and nothing else, laid out as RFC 7323, appendix A, advises;
 * that case is read without a walk.
 */
#include "wire/tcp.h"

#include "base/csum.h"
#include "wire/fault.h"

#define AT_SRC_PORT   0
#define AT_DST_PORT   2
#define WORD          4
#define HEAD          2         /* kind and length */
#define TS_LEN        10
#define SACK_BLOCK    8
#define MD5_LEN       18
#define AO_MIN        4
#define FLAGS_MASK    0x1ffu
#define TS_ONLY_LEN   12
#define TS_ONLY_WORD  0x0101080au       /* NOP, NOP, timestamps, 10 */

bool tcp_parse(struct rd *r, struct tcp_hdr *out)
{
    struct rd h = rd_sub(r, TCP_HDR_LEN);
    out->src_port = rd_u16(&h);
    out->dst_port = rd_u16(&h);
    out->seq = seq_of(rd_u32(&h));
    out->ack = seq_of(rd_u32(&h));
    uint16_t bits = rd_u16(&h);
    out->hdr_len = (uint8_t)((bits >> 12) * WORD);
    out->flags = (uint16_t)(bits & FLAGS_MASK);
    out->wnd = rd_u16(&h);
    out->csum = rd_u16(&h);
    out->urg = rd_u16(&h);
    out->opts = span_of(r->p, 0);
    if (!rd_join(r, &h))
        return false;
    if (out->hdr_len < TCP_HDR_LEN || out->hdr_len > TCP_HDR_LEN + rd_left(r))
        return rd_fail(r, FAULT_HDR_LEN);
    out->opts = rd_bytes(r, (size_t)out->hdr_len - TCP_HDR_LEN);
    return true;
}

void tcp_emit(struct wr *w, const struct tcp_hdr *h)
{
    ORIEL_ASSERT(h->opts.n <= TCP_OPTS_MAX);
    size_t pad = (WORD - h->opts.n % WORD) % WORD;
    size_t words = (TCP_HDR_LEN + h->opts.n + pad) / WORD;
    wr_u16(w, h->src_port);
    wr_u16(w, h->dst_port);
    wr_u32(w, h->seq.v);
    wr_u32(w, h->ack.v);
    wr_u16(w, (uint16_t)(words << 12 | (h->flags & FLAGS_MASK)));
    wr_u16(w, h->wnd);
    wr_u16(w, h->csum);
    wr_u16(w, h->urg);
    wr_bytes(w, h->opts);
    wr_zeros(w, pad);
}

/* ---- options: reading ---- */

bool tcp_opt_next(struct rd *r, struct tcp_opt_it *out)
{
    *out = (struct tcp_opt_it){0};
    if (r->bad != 0 || rd_done(r))
        return false;
    out->kind = rd_u8(r);
    if (out->kind == TCP_OPT_EOL)
        return false;
    if (out->kind == TCP_OPT_NOP)
        return true;
    if (rd_done(r))
        return rd_fail(r, FAULT_OPT_LEN);
    uint8_t len = rd_u8(r);
    if (len < HEAD || (size_t)len - HEAD > rd_left(r))
        return rd_fail(r, FAULT_OPT_LEN);
    out->data = rd_bytes(r, (size_t)len - HEAD);
    return true;
}

static bool parse_sack(struct rd *d, struct tcp_opts *out)
{
    size_t n = rd_left(d) / SACK_BLOCK;
    if (rd_left(d) % SACK_BLOCK != 0 || n == 0 || n > TCP_SACK_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        out->sack[i].left = seq_of(rd_u32(d));
        out->sack[i].right = seq_of(rd_u32(d));
    }
    out->sack_n = (uint8_t)n;
    return true;
}

static bool parse_fastopen(struct span d, struct tcp_opts *out)
{
    if (d.n != 0 && (d.n < TCP_COOKIE_MIN || d.n > TCP_COOKIE_MAX || d.n % 2 != 0))
        return false;
    out->has_fastopen = true;
    out->fastopen = d;
    return true;
}

/* The options that are about authentication: their data is kept, not understood. */
static bool parse_opaque(const struct tcp_opt_it *it, struct tcp_opts *out)
{
    if (it->kind == TCP_OPT_MD5 && it->data.n == MD5_LEN - HEAD)
        out->md5 = it->data;
    else if (it->kind == TCP_OPT_AO && it->data.n >= AO_MIN - HEAD)
        out->ao = it->data;
    else
        return false;
    return true;
}

/* False: unknown, or of a length that the kind cannot have. */
static bool parse_known(const struct tcp_opt_it *it, struct tcp_opts *out)
{
    struct rd d = rd_of(it->data);
    if (it->kind == TCP_OPT_MSS && it->data.n == 2) {
        out->mss = rd_u16(&d);
        out->has_mss = true;
    } else if (it->kind == TCP_OPT_WSCALE && it->data.n == 1) {
        out->wscale = rd_u8(&d);
        out->has_wscale = true;
    } else if (it->kind == TCP_OPT_SACK_PERM && it->data.n == 0) {
        out->sack_perm = true;
    } else if (it->kind == TCP_OPT_TS && it->data.n == TS_LEN - HEAD) {
        out->ts_val = rd_u32(&d);
        out->ts_ecr = rd_u32(&d);
        out->has_ts = true;
    } else if (it->kind == TCP_OPT_SACK) {
        return parse_sack(&d, out);
    } else if (it->kind == TCP_OPT_FASTOPEN) {
        return parse_fastopen(it->data, out);
    } else {
        return parse_opaque(it, out);
    }
    return true;
}

static bool parse_ts_only(struct rd *r, struct tcp_opts *out)
{
    if (rd_left(r) != TS_ONLY_LEN)
        return false;
    struct rd h = *r;
    if (rd_u32(&h) != TS_ONLY_WORD)
        return false;
    out->has_ts = true;
    out->ts_val = rd_u32(&h);
    out->ts_ecr = rd_u32(&h);
    *r = h;
    return true;
}

bool tcp_opts_parse(struct rd *r, struct tcp_opts *out)
{
    *out = (struct tcp_opts){0};
    if (parse_ts_only(r, out))
        return r->bad == 0;
    struct tcp_opt_it it;
    for (unsigned n = 0; tcp_opt_next(r, &it); n++) {
        if (n == TCP_OPTIONS_MAX)
            return rd_fail(r, FAULT_OPT_COUNT);
        if (it.kind != TCP_OPT_NOP && !parse_known(&it, out))
            out->ignored_n++;
    }
    return r->bad == 0;
}

/* ---- options: writing ---- */

static void emit_head(struct wr *w, uint8_t kind, size_t data_len)
{
    ORIEL_ASSERT(data_len <= TCP_OPTS_MAX - HEAD);
    wr_u8(w, kind);
    wr_u8(w, (uint8_t)(data_len + HEAD));
}

static void emit_sack(struct wr *w, const struct tcp_opts *o)
{
    ORIEL_ASSERT(o->sack_n >= 1);
    ORIEL_ASSERT(o->sack_n <= TCP_SACK_MAX);
    emit_head(w, TCP_OPT_SACK, (size_t)o->sack_n * SACK_BLOCK);
    for (unsigned i = 0; i < o->sack_n; i++) {
        wr_u32(w, o->sack[i].left.v);
        wr_u32(w, o->sack[i].right.v);
    }
}

static void emit_bytes(struct wr *w, uint8_t kind, struct span data)
{
    emit_head(w, kind, data.n);
    wr_bytes(w, data);
}

static void emit_option(struct wr *w, const struct tcp_opts *o, enum tcp_opt_kind kind)
{
    switch (kind) {
    case TCP_OPT_EOL:
    case TCP_OPT_NOP:
        wr_u8(w, (uint8_t)kind);
        return;
    case TCP_OPT_MSS:
        emit_head(w, TCP_OPT_MSS, 2);
        wr_u16(w, o->mss);
        return;
    case TCP_OPT_WSCALE:
        emit_head(w, TCP_OPT_WSCALE, 1);
        wr_u8(w, o->wscale);
        return;
    case TCP_OPT_SACK_PERM:
        emit_head(w, TCP_OPT_SACK_PERM, 0);
        return;
    case TCP_OPT_SACK:
        emit_sack(w, o);
        return;
    case TCP_OPT_TS:
        emit_head(w, TCP_OPT_TS, TS_LEN - HEAD);
        wr_u32(w, o->ts_val);
        wr_u32(w, o->ts_ecr);
        return;
    case TCP_OPT_MD5:
        emit_bytes(w, TCP_OPT_MD5, o->md5);
        return;
    case TCP_OPT_AO:
        emit_bytes(w, TCP_OPT_AO, o->ao);
        return;
    case TCP_OPT_FASTOPEN:
        emit_bytes(w, TCP_OPT_FASTOPEN, o->fastopen);
        return;
    }
    bool is_in_tcp_opts = false;
    ORIEL_ASSERT(is_in_tcp_opts);
}

void tcp_opts_emit(struct wr *w, const struct tcp_opts *o, const uint8_t *kinds, size_t n)
{
    size_t start = wr_len(w);
    for (size_t i = 0; i < n; i++)
        emit_option(w, o, (enum tcp_opt_kind)kinds[i]);
    wr_zeros(w, (WORD - (wr_len(w) - start) % WORD) % WORD);
}

/* ---- showing ---- */

void tcp_flags_print(struct txt *t, uint16_t flags)
{
    static const struct {
        uint16_t flag;
        char letter;
    } letters[] = {
        {TCP_FIN, 'F'}, {TCP_SYN, 'S'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'}, {TCP_ACK, '.'},
        {TCP_URG, 'U'}, {TCP_ECE, 'E'}, {TCP_CWR, 'W'}, {TCP_AE, 'e'},
    };
    if ((flags & FLAGS_MASK) == 0)
        txt_s(t, "none");
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        if ((flags & letters[i].flag) != 0)
            txt_c(t, letters[i].letter);
    }
}

static void print_sack(struct txt *t, struct rd d)
{
    txt_s(t, "sack");
    while (rd_left(&d) >= SACK_BLOCK) {
        txt_c(t, ' ');
        txt_u(t, rd_u32(&d));
        txt_c(t, ':');
        txt_u(t, rd_u32(&d));
    }
}

static void print_opaque(struct txt *t, const struct tcp_opt_it *it)
{
    if (it->kind == TCP_OPT_FASTOPEN) {
        txt_s(t, it->data.n == 0 ? "FO" : "FO ");
        txt_hex_bytes(t, it->data, 0);
    } else if (it->kind == TCP_OPT_MD5) {
        txt_s(t, "md5");
    } else if (it->kind == TCP_OPT_AO) {
        txt_s(t, "ao");
    } else {
        txt_s(t, "option ");
        txt_u(t, it->kind);
    }
}

static void print_option(struct txt *t, const struct tcp_opt_it *it)
{
    struct rd d = rd_of(it->data);
    if (it->kind == TCP_OPT_NOP) {
        txt_s(t, "nop");
    } else if (it->kind == TCP_OPT_MSS && it->data.n == 2) {
        txt_s(t, "mss ");
        txt_u(t, rd_u16(&d));
    } else if (it->kind == TCP_OPT_WSCALE && it->data.n == 1) {
        txt_s(t, "wscale ");
        txt_u(t, rd_u8(&d));
    } else if (it->kind == TCP_OPT_SACK_PERM && it->data.n == 0) {
        txt_s(t, "sackOK");
    } else if (it->kind == TCP_OPT_SACK) {
        print_sack(t, d);
    } else if (it->kind == TCP_OPT_TS && it->data.n == TS_LEN - HEAD) {
        txt_s(t, "TS val ");
        txt_u(t, rd_u32(&d));
        txt_s(t, " ecr ");
        txt_u(t, rd_u32(&d));
    } else {
        print_opaque(t, it);
    }
}

void tcp_opts_print(struct txt *t, struct span opts)
{
    struct rd r = rd_of(opts);
    struct tcp_opt_it it;
    const char *sep = "";
    for (unsigned n = 0; n < TCP_OPTIONS_MAX && tcp_opt_next(&r, &it); n++) {
        txt_s(t, sep);
        print_option(t, &it);
        sep = ",";
    }
    if (r.bad != 0) {
        txt_s(t, sep);
        txt_s(t, "bad option length");
    }
}

void tcp_print(struct txt *t, const struct tcp_hdr *h)
{
    txt_u(t, h->src_port);
    txt_s(t, " -> ");
    txt_u(t, h->dst_port);
    txt_s(t, " [");
    tcp_flags_print(t, h->flags);
    txt_s(t, "] seq ");
    txt_u(t, h->seq.v);
    if ((h->flags & TCP_ACK) != 0) {
        txt_s(t, " ack ");
        txt_u(t, h->ack.v);
    }
    txt_s(t, " win ");
    txt_u(t, h->wnd);
    if ((h->flags & TCP_URG) != 0) {
        txt_s(t, " urg ");
        txt_u(t, h->urg);
    }
    if (h->opts.n > 0) {
        txt_s(t, " <");
        tcp_opts_print(t, h->opts);
        txt_c(t, '>');
    }
}

/* ---- changing in place ---- */

static uint16_t word_at(const uint8_t *at)
{
    struct rd r = rd_of(span_of(at, 2));
    return rd_u16(&r);
}

static void put_word(uint8_t *at, uint16_t v)
{
    struct wr w = wr_of(at, 2);
    wr_u16(&w, v);
}

static void patch(uint8_t *hdr, size_t held, size_t port_at, uint16_t port, uint32_t from,
                  uint32_t to)
{
    ORIEL_ASSERT(held >= port_at + 2);
    uint16_t was = word_at(hdr + port_at);
    put_word(hdr + port_at, port);
    if (held < TCP_AT_CSUM + 2)
        return;
    uint16_t csum = csum_update32(word_at(hdr + TCP_AT_CSUM), from, to);
    put_word(hdr + TCP_AT_CSUM, csum_update16(csum, was, port));
}

void tcp_patch_src(uint8_t *hdr, size_t held, uint16_t port, uint32_t from, uint32_t to)
{
    patch(hdr, held, AT_SRC_PORT, port, from, to);
}

void tcp_patch_dst(uint8_t *hdr, size_t held, uint16_t port, uint32_t from, uint32_t to)
{
    patch(hdr, held, AT_DST_PORT, port, from, to);
}
