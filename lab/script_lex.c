/* The cursor over a script: what stands next, taken or reported. */
#include "lab/script_text.h"

#define DECIMALS_MAX 9          /* of seconds: nanoseconds */
#define SECONDS_MAX  100000000u

struct sp sp_of(struct script *s, struct arena *arena, struct script_error *err, struct span text)
{
    return (struct sp){.s = s, .arena = arena, .err = err, .start = text.p, .at = text.p,
                       .last = text.p, .end = bytes_after(text.p, text.n)};
}

void script_error_print(struct txt *t, const struct script_error *e)
{
    txt_span(t, e->file);
    if (e->line > 0) {
        txt_c(t, ':');
        txt_u(t, e->line);
    }
    if (e->at.column > 0) {
        txt_c(t, ':');
        txt_u(t, e->at.column);
    }
    txt_s(t, ": found ");
    txt_s(t, e->at.found);
    txt_s(t, ", expected ");
    txt_s(t, e->at.expected);
    if (e->at.hint[0] != '\0') {
        txt_s(t, "; did you mean ");
        txt_s(t, e->at.hint);
        txt_c(t, '?');
    }
}

/* ---- characters ---- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

static uint8_t char_at(const struct sp *p, size_t i)
{
    return (size_t)(p->end - p->at) > i ? p->at[i] : 0;
}

static size_t left(const struct sp *p)
{
    return (size_t)(p->end - p->at);
}

static void skip_line(struct sp *p)
{
    while (p->at < p->end && *p->at != '\n')
        p->at++;
}

static bool skip_comment(struct sp *p)
{
    struct span opening = span_of(p->at, 2);
    for (p->at += 2; p->at < p->end; p->at++)
        if (*p->at == '*' && char_at(p, 1) == '/') {
            p->at += 2;
            return true;
        }
    return sp_fail_at(p, opening, "a comment that ends with */");
}

void sp_skip(struct sp *p)
{
    while (p->at < p->end && !p->bad) {
        uint8_t c = *p->at;
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\f')
            p->at++;
        else if (c == '#' || (c == '/' && char_at(p, 1) == '/' && !p->python))
            skip_line(p);
        else if (c == '/' && char_at(p, 1) == '*' && !p->python)
            (void)skip_comment(p);
        else
            return;
    }
}

/* ---- mistakes ---- */

uint32_t sp_line(const struct sp *p, const uint8_t *at)
{
    uint32_t line = 1;
    for (const uint8_t *c = p->start; c < at; c++)
        line += *c == '\n';
    return line;
}

static size_t column_of(const struct sp *p, const uint8_t *at)
{
    const uint8_t *c = at;
    while (c > p->start && c[-1] != '\n')
        c--;
    return (size_t)(at - c) + 1;
}

bool sp_fail_at(struct sp *p, struct span found, const char *expected)
{
    if (p->bad)
        return false;
    p->bad = true;
    p->err->file = p->s->file;
    p->err->line = sp_line(p, found.p);
    p->err->at = (struct syntax_error){0};
    return syntax_fail(&p->err->at, column_of(p, found.p), found, expected);
}

/* What is missing is missed where the text before it ended, not where the next line begins. */
bool sp_fail(struct sp *p, const char *expected)
{
    if (p->bad)
        return false;
    struct span next = sp_token(p);
    bool crossed = next.n == 0;
    for (const uint8_t *c = p->last; c < next.p; c++)
        crossed = crossed || *c == '\n';
    return sp_fail_at(p, crossed ? span_of(p->last, 0) : next, expected);
}

bool sp_fail_memory(struct sp *p)
{
    return sp_fail_at(p, span_of(p->at, 0), "more memory for the script");
}

void sp_hint(struct sp *p, const char *known)
{
    if (!known || p->err->at.hint[0] != '\0')
        return;
    struct txt t = txt_of(p->err->at.hint, sizeof(p->err->at.hint));
    txt_s(&t, known);
}

bool sp_fail_word(struct sp *p, struct span found, const char *expected, const char *words)
{
    unsigned best = 3;
    struct span near = span_of(words, 0);
    for (const char *w = words; *w != '\0';) {
        size_t n = 0;
        while (w[n] != '\0' && w[n] != ' ')
            n++;
        unsigned d = edit_distance(found, span_of(w, n), best - 1);
        if (d < best) {
            best = d;
            near = span_of(w, n);
        }
        w += n + (w[n] == ' ');
    }
    bool was_bad = p->bad;
    (void)sp_fail_at(p, found, expected);
    if (near.n > 0 && !was_bad) {
        struct txt t = txt_of(p->err->at.hint, sizeof(p->err->at.hint));
        txt_span(&t, near);
    }
    return false;
}

/* ---- looking ---- */

bool sp_end(struct sp *p)
{
    sp_skip(p);
    return p->at == p->end || p->bad;
}

uint8_t sp_peek(struct sp *p)
{
    sp_skip(p);
    return char_at(p, 0);
}

bool sp_sees_digit(struct sp *p)
{
    return is_digit(sp_peek(p));
}

bool sp_sees(struct sp *p, const char *text)
{
    size_t n = strlen(text);
    sp_skip(p);
    if (left(p) < n || memcmp(p->at, text, n) != 0)
        return false;
    return !is_word((uint8_t)text[n - 1]) || !is_word(char_at(p, n));
}

struct span sp_token(struct sp *p)
{
    sp_skip(p);
    size_t n = 0;
    while (is_word(char_at(p, n)))
        n++;
    if (n == 0 && p->at < p->end)
        n = char_at(p, 0) == '.' && char_at(p, 1) == '.' && char_at(p, 2) == '.' ? 3 : 1;
    return span_of(p->at, n);
}

/* ---- taking ---- */

void sp_took(struct sp *p, size_t n)
{
    p->at += n;
    p->last = p->at;
}

bool sp_take(struct sp *p, const char *text)
{
    if (p->bad || !sp_sees(p, text))
        return false;
    sp_took(p, strlen(text));
    return true;
}

bool sp_need(struct sp *p, const char *text)
{
    char expected[24];
    if (sp_take(p, text))
        return true;
    struct txt t = txt_of(expected, sizeof(expected));
    txt_c(&t, '`');
    txt_s(&t, text);
    txt_c(&t, '`');
    return sp_fail(p, expected);
}

bool sp_word(struct sp *p, struct span *out, const char *expected)
{
    struct span w = sp_token(p);
    if (p->bad || w.n == 0 || !is_word(w.p[0]) || is_digit(w.p[0]))
        return sp_fail(p, expected);
    sp_took(p, w.n);
    *out = w;
    return true;
}

struct span sp_defined(const struct sp *p, struct span word)
{
    for (uint8_t i = 0; i < p->defines; i++)
        if (span_eq(p->define[i].name, word))
            return p->define[i].value;
    return word;
}

bool sp_uint(struct sp *p, uint64_t max, uint64_t *out, const char *expected)
{
    struct span w = sp_token(p);
    if (p->bad || !txt_parse_u(sp_defined(p, w), max, out))
        return sp_fail(p, expected);
    sp_took(p, w.n);
    return true;
}

bool sp_u32(struct sp *p, uint32_t *out, const char *expected)
{
    uint64_t v = 0;
    bool good = sp_uint(p, UINT32_MAX, &v, expected);
    *out = (uint32_t)v;
    return good;
}

bool sp_u16(struct sp *p, uint16_t *out, const char *expected)
{
    uint64_t v = 0;
    bool good = sp_uint(p, UINT16_MAX, &v, expected);
    *out = (uint16_t)v;
    return good;
}

bool sp_u8(struct sp *p, uint8_t *out, const char *expected)
{
    uint64_t v = 0;
    bool good = sp_uint(p, UINT8_MAX, &v, expected);
    *out = (uint8_t)v;
    return good;
}

/* Digits, and behind a point that digits follow at most nine more. */
bool sp_time(struct sp *p, oriel_time *out)
{
    sp_skip(p);
    size_t n = 0;
    uint64_t s = 0, ns = 0;
    while (is_digit(char_at(p, n)) && s <= SECONDS_MAX)
        s = s * 10 + (uint64_t)(char_at(p, n++) - '0');
    unsigned decimals = 0;
    if (char_at(p, n) == '.' && is_digit(char_at(p, n + 1))) {
        for (n++; is_digit(char_at(p, n)) && decimals <= DECIMALS_MAX; decimals++)
            ns = ns * 10 + (uint64_t)(char_at(p, n++) - '0');
    }
    if (p->bad || n == 0 || s > SECONDS_MAX || decimals > DECIMALS_MAX)
        return sp_fail(p, "a time in seconds, such as 0.100 or .1, with at most nine decimals");
    for (; decimals < DECIMALS_MAX; decimals++)
        ns *= 10;
    *out = s * NS_PER_S + ns;
    sp_took(p, n);
    return true;
}

static int hex_digit(uint8_t c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool sp_hex(struct sp *p, size_t max, struct span *out)
{
    struct span w = sp_token(p), v = sp_defined(p, w);
    uint8_t *bytes = sp_alloc(p, v.n / 2 + 1);
    bool good = bytes && v.n > 0 && v.n % 2 == 0 && v.n / 2 <= max;
    for (size_t i = 0; good && i < v.n; i += 2) {
        int hi = hex_digit(v.p[i]), lo = hex_digit(v.p[i + 1]);
        good = hi >= 0 && lo >= 0;
        bytes[i / 2] = (uint8_t)((unsigned)hi << 4 | (unsigned)lo);
    }
    if (!good)
        return sp_fail(p, "bytes in hexadecimal, two digits each");
    sp_took(p, w.n);
    *out = span_of(bytes, v.n / 2);
    return true;
}

/* The character that a backslash and c stand for; with \0 no more than a single zero is meant. */
static uint8_t unescaped(uint8_t c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == '0' ? 0 : c;
}

bool sp_string(struct sp *p, struct span *out)
{
    sp_skip(p);
    if (p->bad || char_at(p, 0) != '"')
        return sp_fail(p, "a text in quotes");
    size_t n = 0, i = 1;
    while (i < left(p) && p->at[i] != '"' && p->at[i] != '\n')
        i += p->at[i] == '\\' && i + 1 < left(p) ? 2 : 1;
    if (char_at(p, i) != '"')
        return sp_fail_at(p, span_of(p->at, 1), "a text that ends with a quote on the same line");
    uint8_t *to = sp_alloc(p, i);
    if (!to)
        return false;
    for (size_t k = 1; k < i; k++)
        to[n++] = p->at[k] == '\\' ? unescaped(p->at[++k]) : p->at[k];
    sp_took(p, i + 1);
    *out = span_of(to, n);
    return true;
}

bool sp_addr(struct sp *p, struct span text, struct oriel_addr *out)
{
    if (!addr_parse(text, out) || out->zone != 0)
        return sp_fail_at(p, text, "an IPv4 or IPv6 address");
    if (addr_is_v4(out))
        p->s->needs4 = true;
    else
        p->s->needs6 = true;
    return true;
}

bool sp_until(struct sp *p, const char *close, struct span *out, const char *expected)
{
    size_t n = strlen(close);
    for (const uint8_t *c = p->at; (size_t)(p->end - c) >= n; c++)
        if (memcmp(c, close, n) == 0) {
            *out = span_of(p->at, (size_t)(c - p->at));
            sp_took(p, out->n + n);
            return true;
        }
    return sp_fail(p, expected);
}

struct span sp_note(struct sp *p)
{
    size_t i = 0, depth = 0;
    while (char_at(p, i) == ' ' || char_at(p, i) == '\t')
        i++;
    size_t from = i + 1;
    if (p->bad || char_at(p, i) != '(')
        return span_of(p->at, 0);
    for (; i < left(p) && p->at[i] != '\n'; i++) {
        depth += p->at[i] == '(';
        depth -= p->at[i] == ')';
        if (depth == 0) {
            struct span note = span_of(p->at + from, i - from);
            sp_took(p, i + 1);
            return note;
        }
    }
    (void)sp_fail_at(p, span_of(p->at + from - 1, 1), "a note that ends with ) on the same line");
    return span_of(p->at, 0);
}

void *sp_alloc(struct sp *p, size_t n)
{
    void *out = p->bad ? NULL : arena_take_zeroed(p->arena, n);
    if (!out)
        (void)sp_fail_memory(p);
    return out;
}
