/*
 * The words of the filter language: signs, names, and values of the type that the field has.
 *
 * There is no separate lexer: what a word is depends on what is expected. A colon belongs to an
 * address, but inside a slice it separates.
 */
#include "lens/filter_text.h"

#define NS_DECIMALS 9
#define WORD_SHOWN  32

static bool is_blank(uint8_t b)
{
    return b == ' ' || b == '\t' || b == '\n' || b == '\r';
}

static bool is_name_byte(uint8_t b)
{
    return (b >= '0' && b <= '9') || (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || b == '_' ||
           b == '.' || b == '-';
}

/* Bytes of a value that is not quoted: addresses, prefixes, numbers, bytes. */
static bool is_value_byte(uint8_t b)
{
    return is_name_byte(b) || b == ':' || b == '/' || b == '%' || b == '+';
}

static void skip_blanks(struct filter_parse *p)
{
    while (p->at < p->text.n && is_blank(p->text.p[p->at]))
        p->at++;
}

/* A run of such bytes from here; two dots in a row end it, they make a range. */
static struct span run(const struct filter_parse *p, bool (*belongs)(uint8_t b))
{
    size_t i = p->at;
    while (i < p->text.n && belongs(p->text.p[i])) {
        if (p->text.p[i] == '.' && i + 1 < p->text.n && p->text.p[i + 1] == '.')
            break;
        i++;
    }
    return span_of(p->text.p + p->at, i - p->at);
}

static bool fail_word(struct filter_parse *p, struct span at, const char *expected)
{
    return syntax_fail(p->err, (size_t)(at.p - p->text.p) + 1, at, expected);
}

/* What stands here, for an error: a word, or one sign. */
static struct span here(struct filter_parse *p)
{
    skip_blanks(p);
    struct span word = run(p, is_value_byte);
    if (word.n == 0 && p->at < p->text.n)
        word.n = 1;
    if (word.n > WORD_SHOWN)
        word.n = WORD_SHOWN;
    return word;
}

bool filter_fail(struct filter_parse *p, const char *expected)
{
    struct span word = here(p);
    return syntax_fail(p->err, p->at + 1, word, expected);
}

bool filter_fail_at(const struct filter_parse *there, const char *expected)
{
    struct filter_parse back = *there;
    (void)filter_fail(&back, expected);
    return false;
}

/* ---- signs and words ---- */

bool filter_at_end(struct filter_parse *p)
{
    skip_blanks(p);
    return p->at == p->text.n;
}

bool filter_peek_char(struct filter_parse *p, char c)
{
    skip_blanks(p);
    return p->at < p->text.n && p->text.p[p->at] == (uint8_t)c;
}

bool filter_take_char(struct filter_parse *p, char c)
{
    if (!filter_peek_char(p, c))
        return false;
    p->at++;
    return true;
}

static bool take_sign(struct filter_parse *p, const char *sign)
{
    size_t n = strlen(sign);
    skip_blanks(p);
    if (p->text.n - p->at < n || memcmp(p->text.p + p->at, sign, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool take_word(struct filter_parse *p, const char *word)
{
    skip_blanks(p);
    struct span w = run(p, is_name_byte);
    if (!span_is(w, word))
        return false;
    p->at += w.n;
    return true;
}

bool filter_take_not(struct filter_parse *p)
{
    return filter_take_char(p, '!') || take_word(p, "not");
}

bool filter_take_logic(struct filter_parse *p, const char *word, const char *sign)
{
    return take_sign(p, sign) || take_word(p, word);
}

bool filter_take_bit_and(struct filter_parse *p)
{
    skip_blanks(p);
    bool two = p->at + 1 < p->text.n && p->text.p[p->at + 1] == '&';
    return !two && filter_take_char(p, '&');
}

bool filter_take_in(struct filter_parse *p, bool *negated)
{
    struct filter_parse before = *p;
    *negated = take_word(p, "not");
    if (take_word(p, "in"))
        return true;
    *p = before;
    *negated = false;
    return false;
}

bool filter_take_operator(struct filter_parse *p, struct filter_operator *out)
{
    /* Longer signs before their beginnings. */
    static const struct {
        const char *text;
        bool word;
        struct filter_operator op;
    } all[] = {
        {"===", false, {CMP_EQ, true}},      {"!==", false, {CMP_NE, false}},
        {"==", false, {CMP_EQ, false}},      {"!=", false, {CMP_NE, true}},
        {"~=", false, {CMP_NE, false}},      {"<=", false, {CMP_LE, false}},
        {">=", false, {CMP_GE, false}},      {"<", false, {CMP_LT, false}},
        {">", false, {CMP_GT, false}},       {"~", false, {CMP_MATCHES, false}},
        {"eq", true, {CMP_EQ, false}},       {"ne", true, {CMP_NE, true}},
        {"any_eq", true, {CMP_EQ, false}},   {"all_eq", true, {CMP_EQ, true}},
        {"any_ne", true, {CMP_NE, false}},   {"all_ne", true, {CMP_NE, true}},
        {"lt", true, {CMP_LT, false}},       {"le", true, {CMP_LE, false}},
        {"gt", true, {CMP_GT, false}},       {"ge", true, {CMP_GE, false}},
        {"contains", true, {CMP_CONTAINS, false}},
        {"matches", true, {CMP_MATCHES, false}},
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i].word ? take_word(p, all[i].text) : take_sign(p, all[i].text)) {
            *out = all[i].op;
            return true;
        }
    }
    return false;
}

enum field_id filter_take_field(struct filter_parse *p, bool *all)
{
    *all = take_word(p, "all");
    if (!*all)
        (void)take_word(p, "any");
    skip_blanks(p);
    struct span name = run(p, is_name_byte);
    enum field_id id = field_find(name);
    if (id != F_NONE) {
        p->at += name.n;
        return id;
    }
    (void)filter_fail(p, "a field name");
    enum field_id near = name.n > 0 ? field_nearest(name) : F_NONE;
    if (near != F_NONE && p->err->hint[0] == '\0') {
        struct txt t = txt_of(p->err->hint, sizeof p->err->hint);
        txt_s(&t, field_info(near)->name);
    }
    return F_NONE;
}

/* ---- numbers ---- */

static uint64_t max_of(unsigned bits)
{
    return bits == 0 || bits >= 64 ? UINT64_MAX : BIT64(bits) - 1;
}

/* Decimal, 0x or 0b. A leading zero means octal to some readers and nothing to others: refused. */
static bool number_of(struct span s, uint64_t *out)
{
    if (s.n > 2 && s.p[0] == '0' && (s.p[1] | 0x20) == 'b') {
        uint64_t v = 0;
        for (size_t i = 2; i < s.n; i++) {
            if ((s.p[i] & ~1) != '0' || i > 65)
                return false;
            v = v << 1 | (s.p[i] & 1u);
        }
        *out = v;
        return true;
    }
    if (s.n > 1 && s.p[0] == '0' && s.p[1] != 'x')
        return false;
    return txt_parse_u(s, UINT64_MAX, out);
}

static bool number_word(struct filter_parse *p, struct span w, unsigned bits, uint64_t *out)
{
    char expected[64];
    struct txt t = txt_of(expected, sizeof expected);
    txt_s(&t, "a number");
    uint64_t max = max_of(bits);
    if (max != UINT64_MAX) {
        txt_s(&t, " from 0 to ");
        txt_u(&t, max);
    }
    if (number_of(w, out) && *out <= max)
        return true;
    return fail_word(p, w, expected);
}

bool filter_take_number(struct filter_parse *p, unsigned bits, uint64_t *out)
{
    struct span w = here(p);
    if (!number_word(p, w, bits, out))
        return false;
    p->at += w.n;
    return true;
}

/* Inside a slice: a minus may come before the digits. */
bool filter_take_int(struct filter_parse *p, int32_t *out)
{
    bool minus = filter_take_char(p, '-');
    skip_blanks(p);
    size_t n = 0;
    while (p->at + n < p->text.n && p->text.p[p->at + n] >= '0' && p->text.p[p->at + n] <= '9')
        n++;
    uint64_t v;
    if (!txt_parse_u(span_of(p->text.p + p->at, n), UINT16_MAX, &v))
        return filter_fail(p, "a number of bytes");
    p->at += n;
    *out = minus ? -(int32_t)v : (int32_t)v;
    return true;
}

/* Seconds with decimals, as nanoseconds. */
static bool seconds_of(struct span s, uint64_t *out)
{
    size_t dot = 0;
    while (dot < s.n && s.p[dot] != '.')
        dot++;
    uint64_t whole;
    uint64_t part = 0;
    if (!txt_parse_u(span_of(s.p, dot), UINT32_MAX, &whole))
        return false;
    size_t digits = dot < s.n ? s.n - dot - 1 : 0;
    if (dot < s.n && (digits == 0 || digits > NS_DECIMALS ||
                      !txt_parse_u(span_of(s.p + dot + 1, digits), 999999999, &part)))
        return false;
    for (size_t i = digits; i < NS_DECIMALS; i++)
        part *= 10;
    *out = whole * 1000000000u + part;
    return true;
}

static bool bool_of(struct span s, uint64_t *out)
{
    static const char *const words[] = {"0",     "1",    "false", "true",
                                        "False", "True", "FALSE", "TRUE"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!span_is(s, words[i]))
            continue;
        *out = i & 1;
        return true;
    }
    return false;
}

static uint64_t mac_number(const struct mac *m)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 6; i++)
        v = v << 8 | m->b[i];
    return v;
}

/* With colons, or with hyphens as some print them. */
static bool mac_of(struct span s, struct mac *out)
{
    uint8_t colons[sizeof "00:00:00:00:00:00" - 1];
    if (s.n != sizeof colons)
        return false;
    for (size_t i = 0; i < s.n; i++)
        colons[i] = s.p[i] == '-' ? ':' : s.p[i];
    return mac_parse(span_of(colons, s.n), out);
}

/* A value that is one number inside: numbers, booleans, times, MAC addresses. */
static bool scalar_of(struct filter_parse *p, const struct filter_op *op, struct span w,
                      uint64_t *out)
{
    struct mac mac;
    switch (op->type) {
    case FT_UINT:
        return number_word(p, w, field_info(op->field)->bits, out);
    case FT_BOOL:
        if (op->mask != 0 ? number_of(w, out) : bool_of(w, out))
            return true;
        break;
    case FT_TIME:
        if (seconds_of(w, out))
            return true;
        break;
    default:
        if (mac_of(w, &mac)) {
            *out = mac_number(&mac);
            return true;
        }
        break;
    }
    return fail_word(p, w, field_type_text(op->type));
}

/* ---- addresses ---- */

static bool prefix_of_word(struct filter_parse *p, const struct filter_op *op, struct span w,
                           struct filter_value *out)
{
    bool v6 = op->type == FT_ADDR6;
    bool slash = w.n > 0 && memchr(w.p, '/', w.n) != NULL;
    bool colon = w.n > 0 && memchr(w.p, ':', w.n) != NULL;
    struct prefix prefix = {.len = 128};
    bool ok = slash ? prefix_parse(w, &prefix) : addr_parse(w, &prefix.addr);
    if (!ok || colon != v6 || prefix.addr.zone != 0)
        return fail_word(p, w, field_type_text(op->type));
    unsigned hi_len = prefix.len < 64 ? prefix.len : 64;
    unsigned lo_len = prefix.len - hi_len;
    out->v.addr.lo = prefix.addr;
    out->v.addr.hi = prefix.addr;
    out->v.addr.hi.hi |= hi_len == 64 ? 0 : UINT64_MAX >> hi_len;
    out->v.addr.hi.lo |= lo_len == 64 ? 0 : UINT64_MAX >> lo_len;
    return true;
}

/* ---- bytes and text ---- */

static bool put_data(struct filter_parse *p, uint8_t b)
{
    if (p->out->data_n == FILTER_DATA_MAX)
        return filter_fail(p, "shorter texts");
    p->out->data[p->out->data_n++] = b;
    return true;
}

static unsigned hex_digit(uint8_t b)
{
    if (b >= '0' && b <= '9')
        return b - (unsigned)'0';
    b |= 0x20;
    return b >= 'a' && b <= 'f' ? b - (unsigned)'a' + 10 : 16;
}

/* Behind a backslash; the parse stands at the letter. */
static bool escape(struct filter_parse *p)
{
    static const char named[] = "n\nr\rt\t\\\\\"\"";
    uint8_t letter = p->text.p[p->at];
    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if ((uint8_t)named[i] != letter)
            continue;
        p->at++;
        return put_data(p, (uint8_t)named[i + 1]);
    }
    if (letter == '0') {
        p->at++;
        return put_data(p, 0);
    }
    if (letter == 'x' && p->at + 2 < p->text.n) {
        unsigned hi = hex_digit(p->text.p[p->at + 1]);
        unsigned lo = hex_digit(p->text.p[p->at + 2]);
        if (hi < 16 && lo < 16) {
            p->at += 3;
            return put_data(p, (uint8_t)(hi << 4 | lo));
        }
    }
    return filter_fail(p, "n r t 0 \\ \" or xNN behind a backslash; r\"...\" takes all as it is");
}

static bool at_string(struct filter_parse *p)
{
    skip_blanks(p);
    bool raw = p->at + 1 < p->text.n && (p->text.p[p->at] | 0x20) == 'r' &&
               p->text.p[p->at + 1] == '"';
    return raw || filter_peek_char(p, '"');
}

/* "text" or r"text", appended to the data. */
static bool string(struct filter_parse *p)
{
    bool raw = p->text.p[p->at] != '"';
    struct span all = span_of(p->text.p + p->at, p->text.n - p->at);
    p->at += raw ? 2 : 1;
    while (p->at < p->text.n && p->text.p[p->at] != '"') {
        uint8_t b = p->text.p[p->at++];
        bool last = p->at == p->text.n;
        if (b == '\\' && !last && (!raw || p->text.p[p->at] == '"')) {
            if (raw ? !put_data(p, p->text.p[p->at++]) : !escape(p))
                return false;
        } else if (!put_data(p, b)) {
            return false;
        }
    }
    if (p->at == p->text.n)
        return fail_word(p, all, "a closing quotation mark");
    p->at++;
    return true;
}

/* 01:02:ff, 01-02-ff, 01.02.ff or 0102ff; one digit alone is a byte, too. */
static bool hex_word(struct filter_parse *p, const struct filter_op *op, struct span w)
{
    bool ok = w.n > 0;
    for (size_t i = 0; ok && i < w.n;) {
        unsigned hi = hex_digit(w.p[i]);
        unsigned lo = i + 1 < w.n ? hex_digit(w.p[i + 1]) : 16;
        if (lo > 15 && w.n == 1) {
            lo = hi;
            hi = 0;
        }
        ok = hi < 16 && lo < 16 && put_data(p, (uint8_t)(hi << 4 | lo));
        i += 2;
        bool separator = i < w.n && (w.p[i] == ':' || w.p[i] == '-' || w.p[i] == '.');
        i += separator && i + 1 < w.n;
    }
    if (!ok)
        return fail_word(p, w, op->type == FT_BYTES || op->type == FT_MAC
                                   ? "bytes like 01:02:ff or a quoted string"
                                   : field_type_text(FT_BYTES));
    p->at += w.n;
    return true;
}

/* Text to compare with or to search for. A word without quotes is text where the field is text. */
static bool bytes_value(struct filter_parse *p, const struct filter_op *op,
                        struct filter_value *out)
{
    size_t from = p->out->data_n;
    bool ok;
    if (at_string(p)) {
        ok = string(p);
    } else {
        struct span w = here(p);
        if (op->type != FT_STR) {
            ok = hex_word(p, op, w);
        } else if (w.n == 0 || !is_value_byte(w.p[0])) {
            ok = fail_word(p, w, field_type_text(FT_STR));
        } else {
            w = run(p, is_value_byte);
            ok = true;
            for (size_t i = 0; ok && i < w.n; i++)
                ok = put_data(p, w.p[i]);
            p->at += w.n;
        }
    }
    out->v.bytes.at = (uint16_t)from;
    out->v.bytes.n = (uint16_t)(p->out->data_n - from);
    return ok;
}

/* ---- values ---- */

static struct filter_value *new_value(struct filter_parse *p, struct filter_op *op)
{
    struct filter *f = p->out;
    if (f->values_n == FILTER_VALUES_MAX) {
        filter_fail(p, "fewer values");
        return NULL;
    }
    op->n++;
    struct filter_value *v = &f->values[f->values_n++];
    *v = (struct filter_value){0};
    return v;
}

/* One end of a range, or a value alone. */
static bool one_value(struct filter_parse *p, const struct filter_op *op, struct filter_value *out)
{
    bool search = op->cmp == CMP_CONTAINS;
    if (search || op->type == FT_STR || op->type == FT_BYTES || op->type == FT_PROTO)
        return bytes_value(p, op, out);
    struct span w = here(p);
    bool ok;
    if (op->type == FT_ADDR4 || op->type == FT_ADDR6) {
        ok = prefix_of_word(p, op, w, out);
    } else {
        ok = scalar_of(p, op, w, &out->v.num.lo);
        out->v.num.hi = out->v.num.lo;
    }
    if (ok)
        p->at += w.n;
    return ok;
}

bool filter_take_value(struct filter_parse *p, struct filter_op *op, bool range)
{
    struct filter_value *v = new_value(p, op);
    if (!v || !one_value(p, op, v))
        return false;
    struct filter_parse before = *p;
    if (!range || !take_sign(p, ".."))
        return true;
    bool is_addr = op->type == FT_ADDR4 || op->type == FT_ADDR6;
    if (!is_addr && op->type != FT_UINT && op->type != FT_TIME && op->type != FT_MAC)
        return filter_fail_at(&before, ", or }: this field has no ranges");
    struct filter_value end = {0};
    struct filter_parse at_end = *p;
    if (!one_value(p, op, &end))
        return false;
    bool upwards = is_addr ? addr_cmp(&v->v.addr.lo, &end.v.addr.lo) <= 0
                           : v->v.num.lo <= end.v.num.lo;
    if (is_addr)
        v->v.addr.hi = end.v.addr.hi;
    else
        v->v.num.hi = end.v.num.hi;
    return upwards || filter_fail_at(&at_end, "the upper end of the range");
}

bool filter_take_pattern(struct filter_parse *p, struct filter_op *op)
{
    struct filter *f = p->out;
    struct filter_parse before = *p;
    if (!at_string(p))
        return filter_fail(p, "a pattern in quotes");
    if (f->patterns_n == FILTER_PATTERNS_MAX)
        return filter_fail(p, "fewer patterns");
    uint16_t from = f->data_n;
    if (!string(p))
        return false;
    struct filter_value *v = new_value(p, op);
    if (!v)
        return false;
    size_t at;
    const char *wrong;
    struct span text = span_of(f->data + from, (size_t)(f->data_n - from));
    v->v.pattern = f->patterns_n;
    if (!pattern_compile(text, &f->patterns[f->patterns_n++], &at, &wrong)) {
        skip_blanks(&before);
        bool raw = before.text.p[before.at] != '"';
        size_t column = before.at + (raw ? 2 : 1) + at + 1;
        struct span rest = span_of(text.p + at, text.n - at);
        return syntax_fail(p->err, column, rest, wrong);
    }
    f->data_n = from;           /* the pattern is compiled; its text is not needed */
    return true;
}
