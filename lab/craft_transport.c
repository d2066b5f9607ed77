/* UDP and TCP. */
#include "lab/craft_layer.h"

#include "wire/tcp.h"
#include "wire/udp.h"

#define NO_OVERRIDE UINT64_MAX

struct ports {
    uint16_t src;
    uint16_t dst;
};

/* `1000>2000`, or src= and dst=. */
static struct ports take_ports(struct craft *c)
{
    struct ports p = {0};
    struct craft_word word;
    size_t it = 0;
    while (craft_word_next(c, &it, &word)) {
        struct span to = word.text;
        struct span from;
        (void)craft_list_next(&to, '>', &from);
        if (word.value.p || from.n == word.text.n)
            continue;
        craft_take(c, &word);
        p.src = (uint16_t)craft_text_u(c, from, UINT16_MAX);
        p.dst = (uint16_t)craft_text_u(c, to, UINT16_MAX);
        return p;
    }
    if (!craft_has(c, "src") || !craft_has(c, "dst")) {
        struct span args = c->layers[c->at].args;
        craft_fail(c, span_of(args.p + args.n, 0), "ports like 1000>2000");
    }
    p.src = (uint16_t)craft_u(c, "src", UINT16_MAX, 0);
    p.dst = (uint16_t)craft_u(c, "dst", UINT16_MAX, 0);
    return p;
}

/* RFC 768: a sum that comes out as 0 is sent as all ones; 0 means that there is none. */
static uint32_t never_zero(uint32_t sum)
{
    return csum_finish(sum) == 0 ? 0 : sum;
}

void craft_udp(struct craft *c)
{
    struct ports p = take_ports(c);
    uint64_t len = craft_u(c, "len", UINT16_MAX, NO_OVERRIDE);
    struct craft_csum csum = craft_csum_args(c);
    if (!craft_args_done(c))
        return;
    size_t from = wr_len(c->w);
    wr_u16(c->w, p.src);
    wr_u16(c->w, p.dst);
    wr_u16(c->w, 0);
    wr_u16(c->w, 0);
    craft_rest(c);
    if (craft_failed(c) || c->w->bad)
        return;
    size_t n = wr_len(c->w) - from;
    wr_patch_u16(c->w, from + 4, (uint16_t)(len == NO_OVERRIDE ? n : len));
    craft_csum_put(c, &csum, from + 6, never_zero(craft_pseudo_sum(c, from, IP_UDP)));
}

/* ---- TCP ---- */

static uint16_t take_flags(struct craft *c)
{
    static const char letters[] = "FSRPAUECN";      /* from the lowest bit; N is accurate ECN */
    struct span v = craft_value(c, "flags");
    uint16_t flags = v.p ? 0 : TCP_ACK;
    for (size_t i = 0; i < v.n; i++) {
        const char *at = v.p[i] ? strchr(letters, v.p[i]) : NULL;
        if (v.p[i] == '.')
            continue;
        if (!at) {
            craft_fail(c, v, "letters of F S R P A U E C N, or a dot");
            return 0;
        }
        flags |= (uint16_t)BIT(at - letters);
    }
    return flags;
}

static void put_ts(struct craft *c, struct span text, struct wr *w)
{
    struct span val;
    if (!craft_list_next(&text, ',', &val))
        val = text;
    wr_u16(w, TCP_OPT_TS << 8 | 10);
    wr_u32(w, (uint32_t)craft_text_u(c, val, UINT32_MAX));
    wr_u32(w, (uint32_t)craft_text_u(c, text, UINT32_MAX));
}

/*
 * A sequence number: 1000, @1461 (counted from `base`), or a sum such as @1461+100. `known` is
 * whether there is a base.
 */
static uint32_t text_seq(struct craft *c, struct span text, bool known, uint32_t base)
{
    struct span term, all = text;
    uint32_t sum = 0;
    bool relative = text.n > 0 && text.p[0] == '@';
    if (relative) {
        if (!known) {
            craft_fail(c, all, "a number of its own: no SYN of that direction was seen here");
            return 0;
        }
        text = span_of(text.p + 1, text.n - 1);
        sum = base;
    }
    if (text.n == 0)
        craft_fail(c, all, "a number, such as 1000 or @1");
    while (!craft_failed(c) && craft_list_next(&text, '+', &term))
        sum += (uint32_t)craft_text_u(c, term, UINT32_MAX);
    return sum;
}

static uint32_t take_seq(struct craft *c, const char *key, bool known, uint32_t base)
{
    struct span v = craft_value(c, key);
    return v.p ? text_seq(c, v, known, base) : 0;
}

static void put_sack(struct craft *c, struct span text, const struct conversation_bases *b,
                     struct wr *w)
{
    size_t from = wr_len(w);
    wr_u16(w, TCP_OPT_SACK << 8);
    struct span block;
    while (!craft_failed(c) && craft_list_next(&text, ',', &block)) {
        struct span left;
        (void)craft_list_next(&block, '-', &left);
        wr_u32(w, text_seq(c, left, b->has_ack, b->ack));
        wr_u32(w, text_seq(c, block, b->has_ack, b->ack));
    }
    if (!w->bad)
        w->start[from + 1] = (uint8_t)(wr_len(w) - from);
}

static void put_fast_open(struct craft *c, struct span text, struct wr *w)
{
    size_t from = wr_len(w);
    wr_u16(w, TCP_OPT_FASTOPEN << 8);
    craft_text_hex(c, text, w);
    if (!w->bad)
        w->start[from + 1] = (uint8_t)(wr_len(w) - from);
}

static void put_tcp_option(struct craft *c, const struct craft_word *word,
                           const struct conversation_bases *b, struct wr *w)
{
    if (span_is(word->key, "mss")) {
        wr_u16(w, TCP_OPT_MSS << 8 | 4);
        wr_u16(w, (uint16_t)craft_text_u(c, word->value, UINT16_MAX));
    } else if (span_is(word->key, "wscale")) {
        wr_u16(w, TCP_OPT_WSCALE << 8 | 3);
        wr_u8(w, (uint8_t)craft_text_u(c, word->value, UINT8_MAX));
    } else if (span_is(word->text, "sackok")) {
        wr_u16(w, TCP_OPT_SACK_PERM << 8 | 2);
    } else if (span_is(word->key, "ts")) {
        put_ts(c, word->value, w);
    } else if (span_is(word->key, "sack")) {
        put_sack(c, word->value, b, w);
    } else if (span_is(word->key, "fo")) {
        put_fast_open(c, word->value, w);
    } else if (span_is(word->text, "nop")) {
        wr_u8(w, TCP_OPT_NOP);
    } else if (span_is(word->text, "eol")) {
        wr_u8(w, TCP_OPT_EOL);
    } else if (span_is(word->key, "opt")) {
        craft_text_hex(c, word->value, w);
    } else {
        return;
    }
    craft_take(c, word);
    if (w->bad)
        craft_fail(c, word->text, "40 bytes of options or fewer");
}

static void put_tcp_options(struct craft *c, const struct conversation_bases *b, struct wr *w)
{
    struct craft_word word;
    size_t it = 0;
    while (!craft_failed(c) && craft_word_next(c, &it, &word))
        put_tcp_option(c, &word, b, w);
    while (!w->bad && wr_len(w) % 4 != 0)
        wr_u8(w, TCP_OPT_EOL);
}

/* Where the connection between these ports began, as far as it was seen. */
static struct conversation_bases bases_of(const struct craft *c, const struct ports *p)
{
    const struct oriel_endpoint src = {.addr = c->src, .port = p->src};
    const struct oriel_endpoint dst = {.addr = c->dst, .port = p->dst};
    if (!c->talks)
        return (struct conversation_bases){.has_seq = true, .has_ack = true};
    return conversation_bases(c->talks, &src, &dst);
}

void craft_tcp(struct craft *c)
{
    uint8_t opts_buf[TCP_OPTS_MAX];
    struct wr opts = wr_of(opts_buf, sizeof opts_buf);
    struct ports p = take_ports(c);
    struct conversation_bases b = bases_of(c, &p);
    uint16_t flags = take_flags(c);
    uint32_t seq = take_seq(c, "seq", b.has_seq, b.seq);
    uint32_t ack = take_seq(c, "ack", b.has_ack, b.ack);
    uint64_t wnd = craft_u(c, "win", UINT16_MAX, UINT16_MAX);
    uint64_t urg = craft_u(c, "urg", UINT16_MAX, 0);
    uint64_t off = craft_u(c, "off", 15, NO_OVERRIDE);
    struct craft_csum csum = craft_csum_args(c);
    put_tcp_options(c, &b, &opts);
    if (!craft_args_done(c))
        return;
    if (off == NO_OVERRIDE)
        off = 5 + wr_len(&opts) / 4;
    size_t from = wr_len(c->w);
    wr_u16(c->w, p.src);
    wr_u16(c->w, p.dst);
    wr_u32(c->w, seq);
    wr_u32(c->w, ack);
    wr_u16(c->w, (uint16_t)(off << 12 | flags));
    wr_u16(c->w, (uint16_t)wnd);
    wr_u16(c->w, 0);
    wr_u16(c->w, (uint16_t)urg);
    wr_bytes(c->w, wr_span(&opts));
    craft_rest(c);
    if (!craft_failed(c))
        craft_csum_put(c, &csum, from + 16, craft_pseudo_sum(c, from, IP_TCP));
}
