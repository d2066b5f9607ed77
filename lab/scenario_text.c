/*
 * Words of a statement, and the values that they stand for.
 *
 * Parameters ($name, ${name}) are replaced when a word is cut. What is wrong inside a word that was
 * changed that way is still reported where it stands in the file: the replacement is done once
 * more, up to the column in question, by the same function that did it.
 */
#include "lab/scenario_text.h"

#define EXPANDED_MAX 8192       /* bytes of a word after replacement */
#define HINT_EDITS   2u

/* ---- mistakes ---- */

void scenario_error_print(struct txt *t, const struct scenario_error *e)
{
    txt_span(t, e->file);
    if (e->line > 0) {
        txt_c(t, ':');
        txt_u(t, e->line);
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

uint32_t scenario_line(const struct scenario *s, const uint8_t *at)
{
    uint32_t line = 1;
    for (const uint8_t *c = s->text.p; c < at; c++)
        line += *c == '\n';
    return line;
}

static size_t column_of(const struct scenario *s, const uint8_t *at)
{
    const uint8_t *c = at;
    while (c > s->text.p && c[-1] != '\n')
        c--;
    return (size_t)(at - c) + 1;
}

static bool fail_at(struct sc_parser *p, const uint8_t *at, struct span found, const char *expected)
{
    if (p->bad)
        return false;
    p->bad = true;
    *p->err = (struct scenario_error){.file = p->s->file, .line = scenario_line(p->s, at)};
    return syntax_fail(&p->err->at, column_of(p->s, at), found, expected);
}

/* The end of the statement: behind its last word. */
static const uint8_t *end_of(const struct sc_parser *p)
{
    if (p->n == 0)
        return p->start;
    const struct sc_word *w = &p->words[p->n - 1];
    return w->raw.p + w->raw.n + (w->kind == SC_STRING);
}

bool sc_fail_word(struct sc_parser *p, const struct sc_word *w, const char *expected)
{
    return fail_at(p, w->raw.p, w->text.n ? w->text : span_str("\"\""), expected);
}

bool sc_fail(struct sc_parser *p, const char *expected)
{
    const struct sc_word *w = sc_look(p);
    if (w)
        return sc_fail_word(p, w, expected);
    (void)fail_at(p, end_of(p), span_of(NULL, 0), expected);
    return false;
}

bool sc_fail_memory(struct sc_parser *p)
{
    return fail_at(p, p->start, span_str("more than fits"), "a smaller scenario, or more memory");
}

void sc_hint(struct sc_parser *p, struct span typed, struct span known)
{
    unsigned best = HINT_EDITS;
    struct syntax_error *e = &p->err->at;
    if (e->hint[0] != '\0') {
        unsigned have = edit_distance(typed, span_str(e->hint), HINT_EDITS);
        if (have == 0)
            return;
        best = have - 1;
    }
    unsigned d = edit_distance(typed, known, HINT_EDITS);
    if (d > best || d >= typed.n || known.n >= sizeof(e->hint))
        return;
    struct txt t = txt_of(e->hint, sizeof(e->hint));
    txt_span(&t, known);
}

/* "or", "and", "a" between words that are meant. */
static bool is_filler(struct span word)
{
    return span_is(word, "or") || span_is(word, "and") || span_is(word, "a");
}

bool sc_fail_of(struct sc_parser *p, const char *shown, const char *words)
{
    const struct sc_word *w = sc_look(p);
    bool first = !p->bad;
    (void)sc_fail(p, shown);
    if (!w || !first)
        return false;
    for (const char *c = words; *c != '\0';) {
        size_t n = 0;
        while (c[n] != '\0' && c[n] != ' ' && c[n] != ',')
            n++;
        if (n > 0 && !is_filler(span_of(c, n)))
            sc_hint(p, w->text, span_of(c, n));
        c += n + (c[n] != '\0');
    }
    return false;
}

bool sc_fail_words(struct sc_parser *p, const char *words)
{
    return sc_fail_of(p, words, words);
}

/* ---- parameters ---- */

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* "a.eth0": the link address of a port. */
static bool port_value(const struct scenario *s, struct span name, struct txt *out)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '.')
            continue;
        uint16_t node = scenario_node(s, span_of(name.p, i));
        uint16_t port = node == SC_NONE ? SC_NONE
                        : scenario_port(s, node, span_of(name.p + i + 1, name.n - i - 1));
        if (port == SC_NONE)
            return false;
        struct mac m;
        memcpy(m.b, s->ports[port].cfg.mac, 6);
        txt_mac(out, &m);
        return true;
    }
    return false;
}

static bool param_value(const struct scenario *s, struct span name, struct txt *out)
{
    for (uint16_t i = 0; i < s->params_n; i++)
        if (span_eq(s->params[i].name, name)) {
            txt_span(out, s->params[i].value);
            return true;
        }
    return port_value(s, name, out);
}

/* The name behind a `$` at raw[i]; what follows it is at *after. Empty: it is only a dollar. */
static struct span param_name(struct span raw, size_t i, size_t *after)
{
    size_t from = i + 1, to;
    if (from < raw.n && raw.p[from] == '{') {
        for (to = ++from; to < raw.n && raw.p[to] != '}';)
            to++;
        *after = to < raw.n ? to + 1 : to;
        return span_of(raw.p + from, to - from);
    }
    for (to = from; to < raw.n && (is_name_byte(raw.p[to]) ||
                                   (raw.p[to] == '.' && to + 1 < raw.n && to > from &&
                                    is_name_byte(raw.p[to + 1])));)
        to++;
    *after = to;
    return span_of(raw.p + from, to - from);
}

/*
 * Replace what is special in a word, until `until` characters are out. How far it read; *unknown is
 * the name of a parameter that there is not.
 */
static size_t expand(const struct scenario *s, const struct sc_word *w, struct txt *out,
                     size_t until, struct span *unknown)
{
    size_t i = 0;
    while (i < w->raw.n && out->n < until) {
        uint8_t c = w->raw.p[i];
        size_t after = i + 1;
        uint8_t escaped = !w->literal && w->kind == SC_STRING && c == '\\' && after < w->raw.n
                              ? w->raw.p[after] : 0;
        if (escaped == '"' || escaped == '\n') {     /* the rest is for who reads the text */
            txt_c(out, escaped == '"' ? '"' : ' ');
            i += 2;
            continue;
        }
        struct span name = !w->literal && c == '$' ? param_name(w->raw, i, &after) : span_of("", 0);
        if (name.n == 0) {
            txt_c(out, c == '\n' || c == '\r' ? ' ' : (char)c);
            i++;
            continue;
        }
        const uint8_t *dot = memchr(name.p, '.', name.n);
        if (param_value(s, name, out)) {
            i = after;
            continue;
        }
        /* $net.1: what stands behind the dot may be no part of the name */
        size_t head = dot ? (size_t)(dot - name.p) : 0;
        if (head == 0 || w->raw.p[i + 1] == '{' ||
            !param_value(s, span_of(name.p, head), out)) {
            *unknown = name;
            return i;
        }
        i += 1 + head;
    }
    return i;
}

static bool fail_param(struct sc_parser *p, struct span name)
{
    const struct scenario *s = p->s;
    (void)fail_at(p, name.p, name, "the name of a parameter (set) or a port (node.port)");
    for (uint16_t i = 0; i < s->params_n; i++)
        sc_hint(p, name, s->params[i].name);
    return false;
}

static bool finish_word(struct sc_parser *p, struct sc_word *w)
{
    char buffer[EXPANDED_MAX];
    struct txt t = txt_of(buffer, sizeof(buffer));
    struct span unknown = span_of(NULL, 0);
    w->text = w->raw;
    bool special = w->kind == SC_STRING && memchr(w->raw.p, '\n', w->raw.n);
    if (!special && (w->literal || w->kind == SC_BRACE || w->raw.n == 0 ||
                     (!memchr(w->raw.p, '$', w->raw.n) && !memchr(w->raw.p, '\\', w->raw.n))))
        return true;
    (void)expand(p->s, w, &t, SIZE_MAX, &unknown);
    if (unknown.p)
        return fail_param(p, unknown);
    if (t.cut)
        return fail_at(p, w->raw.p, span_str("a very long word"), "at most 8191 bytes");
    uint8_t *copy = arena_take(p->arena, t.n + 1);
    if (!copy)
        return sc_fail_memory(p);
    memcpy(copy, buffer, t.n);
    w->text = span_of(copy, t.n);
    return true;
}

bool sc_fail_inside(struct sc_parser *p, const struct sc_word *w, const struct syntax_error *e)
{
    char buffer[EXPANDED_MAX];
    struct txt t = txt_of(buffer, sizeof(buffer));
    struct span unknown = span_of(NULL, 0);
    size_t at = e->column > 0 ? e->column - 1 : 0;
    if (p->bad)
        return false;
    if (w->text.p != w->raw.p)
        at = expand(p->s, w, &t, at, &unknown);
    const uint8_t *where = w->raw.p + (at < w->raw.n ? at : w->raw.n);
    (void)fail_at(p, where, span_of(NULL, 0), e->expected);
    struct syntax_error *out = &p->err->at;
    memcpy(out->found, e->found, sizeof(out->found));
    memcpy(out->hint, e->hint, sizeof(out->hint));
    return false;
}

/* ---- cutting ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* A line that begins with a quote goes on with what the line before said. `at` is a line break. */
static bool next_line_is_text(const struct sc_parser *p, const uint8_t *at)
{
    for (at++; at < p->end && is_blank(*at);)
        at++;
    return p->n > 0 && at < p->end && (*at == '"' || *at == '\'');
}

/* Blanks, comments, and line breaks where the statement goes on. False: the statement ends. */
static bool skip(struct sc_parser *p, bool goes_on)
{
    while (p->next < p->end) {
        uint8_t c = *p->next;
        if (c == '#') {
            while (p->next < p->end && *p->next != '\n')
                p->next++;
        } else if (c == '\\') {
            const uint8_t *n = p->next + 1;
            while (n < p->end && is_blank(*n))
                n++;
            if (n < p->end && *n != '\n')
                return true;
            p->next = n < p->end ? n + 1 : n;
        } else if (is_blank(c) || (c == '\n' && (goes_on || next_line_is_text(p, p->next)))) {
            p->next++;
        } else {
            return c != '\n';
        }
    }
    return false;
}

static bool cut_string(struct sc_parser *p, struct sc_word *w)
{
    uint8_t quote = *p->next;
    const uint8_t *from = ++p->next;
    w->kind = SC_STRING;
    w->literal = quote == '\'';
    while (p->next < p->end && *p->next != quote) {
        bool escaped = !w->literal && *p->next == '\\' && p->next + 1 < p->end;
        p->next += escaped ? 2 : 1;
    }
    w->raw = span_of(from, (size_t)(p->next - from));
    if (p->next >= p->end) {
        size_t shown = 0;
        while (shown < w->raw.n && shown < 24 && from[shown] != '\n')
            shown++;
        return fail_at(p, from - 1, span_of(from - 1, shown + 1),
                       quote == '"' ? "a closing \" somewhere" : "a closing ' somewhere");
    }
    p->next++;
    return true;
}

static void cut_plain(struct sc_parser *p, struct sc_word *w)
{
    const uint8_t *from = p->next;
    while (p->next < p->end) {
        uint8_t c = *p->next;
        bool param = c == '{' && p->next > from && p->next[-1] == '$';
        if (param)
            while (p->next < p->end && *p->next != '}' && *p->next != '\n')
                p->next++;
        else if (is_blank(c) || c == '\n' || c == '"' || c == '\'' || c == '{' || c == '}')
            break;
        if (p->next < p->end)
            p->next++;
    }
    w->kind = SC_WORD;
    w->raw = span_of(from, (size_t)(p->next - from));
}

static bool cut_word(struct sc_parser *p)
{
    struct sc_word *w = &p->words[p->n];
    if (p->n == SC_WORDS_MAX)
        return fail_at(p, p->next, span_of(p->next, 1), "at most 512 words in a statement");
    *w = (struct sc_word){.kind = SC_BRACE};
    uint8_t c = *p->next;
    if (c == '"' || c == '\'') {
        if (!cut_string(p, w))
            return false;
    } else if (c == '{' || c == '}') {
        w->raw = span_of(p->next++, 1);
    } else {
        cut_plain(p, w);
    }
    p->n++;
    return finish_word(p, w);
}

bool sc_statement(struct sc_parser *p)
{
    unsigned depth = 0;
    p->n = p->at = 0;
    if (p->bad || !skip(p, true))
        return false;
    p->start = p->next;
    do {
        if (!cut_word(p))
            return false;
        const struct sc_word *w = &p->words[p->n - 1];
        if (w->kind == SC_BRACE && *w->raw.p == '{')
            depth++;
        else if (w->kind == SC_BRACE && depth > 0)
            depth--;
    } while (skip(p, depth > 0));
    if (depth > 0)
        (void)fail_at(p, end_of(p), span_of(NULL, 0), "a closing }");
    return !p->bad;
}

const struct sc_word *sc_look(const struct sc_parser *p)
{
    return p->at < p->n ? &p->words[p->at] : NULL;
}

bool sc_sees(const struct sc_parser *p, const char *word)
{
    const struct sc_word *w = sc_look(p);
    return w && w->kind != SC_STRING && span_is(w->text, word);
}

bool sc_take(struct sc_parser *p, const char *word)
{
    if (p->bad || !sc_sees(p, word))
        return false;
    p->at++;
    return true;
}

bool sc_done(struct sc_parser *p, const char *expected)
{
    if (p->bad)
        return false;
    return p->at == p->n || sc_fail(p, expected);
}

/* ---- values ---- */

const struct sc_word *sc_plain(struct sc_parser *p, const char *what)
{
    const struct sc_word *w = sc_look(p);
    if (p->bad)
        return NULL;
    if (!w || w->kind != SC_WORD) {
        (void)sc_fail(p, what);
        return NULL;
    }
    return w;
}

bool sc_name(struct sc_parser *p, const char *what, struct span *out)
{
    const struct sc_word *w = sc_plain(p, what);
    if (!w)
        return false;
    *out = w->text;
    p->at++;
    return true;
}

bool sc_string(struct sc_parser *p, const char *what, const struct sc_word **out)
{
    const struct sc_word *w = sc_look(p);
    if (p->bad)
        return false;
    if (!w || w->kind != SC_STRING)
        return sc_fail(p, what);
    *out = w;
    p->at++;
    return true;
}

bool sc_u(struct sc_parser *p, uint64_t min, uint64_t max, uint64_t *out)
{
    const struct sc_word *w = sc_plain(p, "a whole number");
    if (!w)
        return false;
    if (txt_parse_u(w->text, max, out) && *out >= min) {
        p->at++;
        return true;
    }
    char expected[80];
    struct txt t = txt_of(expected, sizeof(expected));
    txt_s(&t, "a whole number");
    if (min > 0 || max != UINT64_MAX) {
        txt_s(&t, " from ");
        txt_u(&t, min);
    }
    if (max != UINT64_MAX) {
        txt_s(&t, " to ");
        txt_u(&t, max);
    }
    return sc_fail(p, expected);
}

bool sc_size(struct sc_parser *p, uint64_t max, uint64_t *out)
{
    const struct sc_word *w = sc_plain(p, "a size such as 64k");
    if (!w)
        return false;
    uint8_t last = w->text.n ? w->text.p[w->text.n - 1] : 0;
    unsigned shift = last == 'k' ? 10 : last == 'M' ? 20 : 0;
    struct span digits = span_of(w->text.p, w->text.n - (shift ? 1 : 0));
    if (!txt_parse_u(digits, max >> shift, out))
        return sc_fail(p, "a size such as 1500, 64k or 2M");
    *out <<= shift;
    p->at++;
    return true;
}

bool sc_parse_time(struct span s, oriel_time *out)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ns", 1}, {"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S},
                 {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};
    uint64_t whole = 0, part = 0, scale = 1;
    size_t i = 0, digits = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && whole < 1000000000; i++, digits++)
        whole = whole * 10 + (uint64_t)(s.p[i] - '0');
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && scale < 1000000000; i++, digits++) {
            part = part * 10 + (uint64_t)(s.p[i] - '0');
            scale *= 10;
        }
    struct span unit = span_of(s.p + i, s.n - i);
    if (digits == 0)
        return false;
    if (unit.n == 0) {
        *out = 0;
        return whole == 0 && part == 0;
    }
    for (size_t k = 0; k < ARRAY_LEN(units); k++)
        if (span_is(unit, units[k].name) && whole < UINT64_MAX / 4 / units[k].ns) {
            *out = whole * units[k].ns + part * units[k].ns / scale;
            return true;
        }
    return false;
}

bool sc_time(struct sc_parser *p, oriel_time *out)
{
    const struct sc_word *w = sc_plain(p, "a time such as 100ms");
    if (!w)
        return false;
    if (!sc_parse_time(w->text, out))
        return sc_fail(p, "a time such as 0, 100ms, 1.5s or 2m");
    p->at++;
    return true;
}

bool sc_host_addr(struct sc_parser *p, struct oriel_addr *out)
{
    const struct sc_word *w = sc_plain(p, "an address");
    if (!w)
        return false;
    if (!addr_parse(w->text, out))
        return sc_fail(p, "an IPv4 or IPv6 address");
    p->at++;
    return true;
}

bool sc_addr_len(struct sc_parser *p, struct sc_addr *out)
{
    const struct sc_word *w = sc_plain(p, "an address with its prefix length");
    if (!w)
        return false;
    if (!addr_and_len_parse(w->text, &out->addr, &out->len))
        return sc_fail(p, "an address with its prefix length, such as 10.0.0.1/24");
    p->at++;
    return true;
}

bool sc_mac(struct sc_parser *p, struct mac *out)
{
    const struct sc_word *w = sc_plain(p, "a link address");
    if (!w)
        return false;
    if (!mac_parse(w->text, out))
        return sc_fail(p, "a link address such as 02:00:00:00:00:01");
    p->at++;
    return true;
}

bool sc_endpoint(struct sc_parser *p, struct oriel_endpoint *out)
{
    static const char expected[] = "an address and a port, such as 10.0.0.1:7 or [fd00::1]:7";
    const struct sc_word *w = sc_plain(p, expected);
    if (!w)
        return false;
    struct span s = w->text;
    size_t colon = s.n;
    while (colon > 0 && s.p[colon - 1] != ':')
        colon--;
    uint64_t port;
    if (colon == 0 || !txt_parse_u(span_of(s.p + colon, s.n - colon), UINT16_MAX, &port) ||
        port == 0)
        return sc_fail(p, expected);
    struct span addr = span_of(s.p, colon - 1);
    bool bracket = addr.n > 1 && addr.p[0] == '[' && addr.p[addr.n - 1] == ']';
    if (bracket)
        addr = span_of(addr.p + 1, addr.n - 2);
    if (!addr_parse(addr, &out->addr) || addr_is_v4(&out->addr) == bracket)
        return sc_fail(p, expected);
    out->port = (uint16_t)port;
    p->at++;
    return true;
}
