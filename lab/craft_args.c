/*
 * The words of a layer and their values.
 *
 * Words are cut out of the line anew whenever somebody looks for one: the lines are short, and so
 * there is nothing to store but a bit a word that says that it was taken.
 */
#include "lab/craft_layer.h"

static_assert(CRAFT_WORDS_MAX % 64 == 0, "a bit for each word");

bool craft_failed(const struct craft *c)
{
    return c->err->column != 0;
}

bool craft_fail(struct craft *c, struct span at, const char *expected)
{
    size_t column = at.p ? (size_t)(at.p - c->line.p) + 1 : c->line.n + 1;
    return syntax_fail(c->err, column, at, expected);
}

static bool is_blank(uint8_t b)
{
    return b == ' ' || b == '\t' || b == '\n' || b == '\r';
}

bool craft_cut_word(struct span all, size_t *at, struct craft_word *out)
{
    size_t i = *at;
    while (i < all.n && is_blank(all.p[i]))
        i++;
    if (i == all.n)
        return false;
    size_t from = i;
    size_t equals = 0;
    bool quoted = false;
    for (; i < all.n && (quoted || !is_blank(all.p[i])); i++) {
        if (all.p[i] == '\\' && quoted && i + 1 < all.n)
            i++;
        else if (all.p[i] == '"')
            quoted = !quoted;
        else if (all.p[i] == '=' && equals == 0 && !quoted)
            equals = i;
    }
    *at = i;
    out->text = span_of(all.p + from, i - from);
    out->key = equals ? span_of(all.p + from, equals - from) : out->text;
    out->value = equals ? span_of(all.p + equals + 1, i - equals - 1) : span_of(NULL, 0);
    return true;
}

static struct span args_of(const struct craft *c)
{
    return c->layers[c->at].args;
}

static bool is_taken(const struct craft *c, unsigned index)
{
    return ((c->used[index / 64] >> (index % 64)) & 1) != 0;
}

void craft_take(struct craft *c, const struct craft_word *word)
{
    c->used[word->index / 64] |= BIT64(word->index % 64);
}

/* The words in order, taken or not; *it counts bytes, *index words. */
static bool any_word_next(struct craft *c, size_t *it, unsigned *index, struct craft_word *out)
{
    if (!craft_cut_word(args_of(c), it, out))
        return false;
    if (*index == CRAFT_WORDS_MAX)
        return craft_fail(c, out->text, "fewer words in this layer");
    out->index = (*index)++;
    return true;
}

bool craft_word_next(struct craft *c, size_t *it, struct craft_word *out)
{
    size_t at = 0;
    unsigned index = 0;
    while (any_word_next(c, &at, &index, out)) {
        if (at <= *it || is_taken(c, out->index))
            continue;
        *it = at;
        return true;
    }
    return false;
}

bool craft_args_done(struct craft *c)
{
    if (craft_failed(c))
        return false;
    struct craft_word word;
    size_t it = 0;
    if (craft_word_next(c, &it, &word))
        return craft_fail(c, word.text, c->layers[c->at].kind->keys);
    return !craft_failed(c);
}

/* Find the word with that key and take it. A key that stands twice is left for args_done. */
static bool take_key(struct craft *c, const char *key, bool with_value, struct craft_word *out)
{
    size_t it = 0;
    while (craft_word_next(c, &it, out)) {
        if (!span_is(out->key, key) || (out->value.p != NULL) != with_value)
            continue;
        craft_take(c, out);
        return true;
    }
    return false;
}

bool craft_flag(struct craft *c, const char *word)
{
    struct craft_word w;
    return take_key(c, word, false, &w);
}

bool craft_has(struct craft *c, const char *key)
{
    struct craft_word word;
    size_t it = 0;
    while (craft_word_next(c, &it, &word))
        if (span_is(word.key, key) && word.value.p != NULL)
            return true;
    return false;
}

struct span craft_value(struct craft *c, const char *key)
{
    struct craft_word word;
    return take_key(c, key, true, &word) ? word.value : span_of(NULL, 0);
}

/* ---- values ---- */

uint64_t craft_text_u(struct craft *c, struct span text, uint64_t max)
{
    uint64_t v = 0;
    if (txt_parse_u(text, max, &v))
        return v;
    char expected[48];
    struct txt t = txt_of(expected, sizeof expected);
    txt_s(&t, "a number from 0 to ");
    txt_u(&t, max);
    craft_fail(c, text, expected);
    return 0;
}

uint64_t craft_u(struct craft *c, const char *key, uint64_t max, uint64_t otherwise)
{
    struct span v = craft_value(c, key);
    return v.p ? craft_text_u(c, v, max) : otherwise;
}

bool craft_name_find(const struct craft_name *names, struct span text, uint64_t *out)
{
    for (; names->name; names++) {
        if (!span_is(text, names->name))
            continue;
        *out = names->value;
        return true;
    }
    return false;
}

static void fail_names(struct craft *c, struct span at, const struct craft_name *names,
                       const char *or_what)
{
    char expected[sizeof c->err->expected];
    struct txt t = txt_of(expected, sizeof expected);
    for (; names->name; names++) {
        txt_s(&t, names->name);
        txt_s(&t, names[1].name ? " " : or_what);
    }
    craft_fail(c, at, expected);
}

uint64_t craft_named(struct craft *c, const char *key, const struct craft_name *names, uint64_t max,
                     uint64_t otherwise)
{
    struct span v = craft_value(c, key);
    uint64_t out = otherwise;
    if (!v.p || craft_name_find(names, v, &out) || txt_parse_u(v, max, &out))
        return out;
    fail_names(c, v, names, " or a number");
    return otherwise;
}

uint64_t craft_word_named(struct craft *c, const struct craft_name *names, uint64_t otherwise)
{
    struct craft_word word;
    size_t it = 0;
    while (craft_word_next(c, &it, &word)) {
        uint64_t out;
        if (word.value.p || !craft_name_find(names, word.text, &out))
            continue;
        craft_take(c, &word);
        return out;
    }
    return otherwise;
}

struct mac craft_mac(struct craft *c, const char *key, struct mac otherwise)
{
    struct span v = craft_value(c, key);
    if (v.p && !mac_parse(v, &otherwise))
        craft_fail(c, v, "a MAC address like 02:00:00:00:00:01");
    return otherwise;
}

/* ::ffff:10.0.0.1 is an IPv6 address for those who write it like one. */
struct oriel_addr craft_text_addr(struct craft *c, struct span text, bool v6)
{
    struct oriel_addr a;
    bool colon = text.n > 0 && memchr(text.p, ':', text.n) != NULL;
    if (colon == v6 && addr_parse(text, &a))
        return a;
    craft_fail(c, text, v6 ? "an IPv6 address" : "an IPv4 address");
    return v6 ? ADDR_NONE : ADDR_V4_ANY;
}

struct oriel_addr craft_addr(struct craft *c, const char *key, bool v6,
                             const struct oriel_addr *otherwise)
{
    struct span v = craft_value(c, key);
    if (v.p)
        return craft_text_addr(c, v, v6);
    if (otherwise)
        return *otherwise;
    char expected[32];
    struct txt t = txt_of(expected, sizeof expected);
    txt_s(&t, key);
    txt_s(&t, "= in this layer");
    struct span args = args_of(c);
    craft_fail(c, span_of(args.p + args.n, 0), expected);
    return v6 ? ADDR_NONE : ADDR_V4_ANY;
}

static unsigned hex_value(uint8_t b)
{
    if (b >= '0' && b <= '9')
        return b - (unsigned)'0';
    b |= 0x20;
    return b >= 'a' && b <= 'f' ? b - (unsigned)'a' + 10 : 16;
}

/* Pairs of digits; a colon may stand between two pairs. */
void craft_text_hex(struct craft *c, struct span text, struct wr *out)
{
    for (size_t i = 0; i < text.n;) {
        if (text.p[i] == ':' && i > 0 && i + 1 < text.n) {
            i++;
            continue;
        }
        unsigned hi = hex_value(text.p[i]);
        unsigned lo = i + 1 < text.n ? hex_value(text.p[i + 1]) : 16;
        if (hi > 15 || lo > 15) {
            craft_fail(c, span_of(text.p + i, text.n - i), "pairs of hexadecimal digits");
            return;
        }
        wr_u8(out, (uint8_t)(hi << 4 | lo));
        i += 2;
    }
    if (out->bad)
        craft_fail(c, text, "fewer bytes here");
}

void craft_hex(struct craft *c, const char *key, struct wr *out)
{
    struct span v = craft_value(c, key);
    if (v.p)
        craft_text_hex(c, v, out);
}

bool craft_list_next(struct span *list, char sep, struct span *item)
{
    *item = span_of(list->p, 0);
    if (list->n == 0)
        return false;
    size_t i = 0;
    while (i < list->n && list->p[i] != (uint8_t)sep)
        i++;
    *item = span_of(list->p, i);
    size_t skip = i < list->n ? i + 1 : i;
    *list = span_of(list->p + skip, list->n - skip);
    return true;
}

/* ---- checksums ---- */

struct craft_csum craft_csum_args(struct craft *c)
{
    struct craft_csum arg = {.given = craft_has(c, "csum")};
    arg.value = (uint16_t)craft_u(c, "csum", UINT16_MAX, 0);
    arg.bad = craft_flag(c, "badcsum");
    return arg;
}

uint32_t craft_sum_from(const struct craft *c, size_t from)
{
    return csum_span(&csum_portable, span_of(c->w->start + from, wr_len(c->w) - from));
}

uint32_t craft_pseudo_sum(const struct craft *c, size_t from, uint8_t proto)
{
    uint32_t len = (uint32_t)(wr_len(c->w) - from);
    return csum_add(craft_sum_from(c, from), csum_pseudo(&c->src, &c->dst, proto, len));
}

/* A bad checksum has one bit turned, and is never 0: that would be no checksum at all. */
void craft_csum_put(struct craft *c, const struct craft_csum *arg, size_t at, uint32_t sum)
{
    uint16_t v = arg->given ? arg->value : csum_finish(sum);
    if (arg->bad)
        v = v == 0x0100 ? 0x0001 : v ^ 0x0100;
    if (!c->w->bad)
        wr_patch_u16(c->w, at, v);
}

/* ---- parts of a datagram ---- */

struct craft_part craft_part_arg(struct craft *c)
{
    struct craft_part part = {0};
    struct span v = craft_value(c, "part");
    if (!v.p)
        return part;
    part.given = true;
    part.to = CRAFT_FRAME_MAX;
    size_t i = 0;
    while (i < v.n && v.p[i] != '.')
        i++;
    if (i + 2 > v.n || v.p[i + 1] != '.') {
        craft_fail(c, v, "bytes of the payload like 0..1400 or 1400..");
        return part;
    }
    part.from = (uint32_t)craft_text_u(c, span_of(v.p, i), 0xfff8);
    struct span to = span_of(v.p + i + 2, v.n - i - 2);
    if (to.n > 0)
        part.to = (uint32_t)craft_text_u(c, to, CRAFT_FRAME_MAX);
    if (!craft_failed(c) && (part.from % 8 != 0 || part.to < part.from))
        craft_fail(c, v, "a part that begins at a multiple of 8 and ends behind it");
    return part;
}

size_t craft_keep_arg(struct craft *c)
{
    return (size_t)craft_u(c, "keep", CRAFT_FRAME_MAX, CRAFT_FRAME_MAX);
}

void craft_keep(struct craft *c, size_t keep, size_t at)
{
    if (!c->w->bad && wr_len(c->w) - at > keep)
        c->w->p = c->w->start + at + keep;
}

bool craft_part_cut(struct craft *c, const struct craft_part *part, size_t at)
{
    if (!part->given || c->w->bad)
        return false;
    size_t all = wr_len(c->w) - at;
    size_t from = part->from < all ? part->from : all;
    size_t to = part->to < all ? part->to : all;
    memmove(c->w->start + at, c->w->start + at + from, to - from);
    c->w->p = c->w->start + at + (to - from);
    return to < all;
}
