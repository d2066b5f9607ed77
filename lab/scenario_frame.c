/*
 * Frames of scripted peers: the frame language, with holes for fields of what was heard, and the
 * padding and check sequence that the wire wants; and filters.
 */
#include "lab/scenario_text.h"

#include "lab/craft.h"

static bool is_field_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
}

static const char *zero_of(unsigned type)
{
    switch ((enum field_type)type) {
    case FT_ADDR4: return "0.0.0.0";
    case FT_ADDR6: return "::";
    case FT_MAC:   return "00:00:00:00:00:00";
    case FT_BYTES: return "00";
    case FT_PROTO:
    case FT_NONE:
    case FT_UINT:
    case FT_BOOL:
    case FT_TIME:
    case FT_STR:
        break;
    }
    return "0";
}

/* The field between braces at text[i]; empty: these braces are nothing special. */
static struct span hole_at(struct span text, size_t i)
{
    size_t to = i + 1;
    while (to < text.n && is_field_byte(text.p[to]))
        to++;
    bool is_hole = to < text.n && text.p[to] == '}' && to > i + 1;
    return is_hole ? span_of(text.p + i + 1, to - i - 1) : span_of("", 0);
}

static bool fill_hole(struct span name, size_t column, const struct scenario_hearing *h,
                      struct txt *out, struct syntax_error *err)
{
    const struct dissection *heard = h->heard;
    enum field_id id = field_find(name);
    if (span_is(name, "n")) {
        txt_u(out, h->n);
        return true;
    }
    if (id == F_NONE) {
        (void)syntax_fail(err, column, name, "the name of a field");
        enum field_id near = field_nearest(name);
        struct txt t = txt_of(err->hint, sizeof(err->hint));
        txt_s(&t, near != F_NONE ? field_info(near)->name : "");
        return false;
    }
    const struct field *f = heard ? dissection_first(heard, id) : NULL;
    if (f)
        field_print(out, f);
    else if (!heard)
        txt_s(out, zero_of(field_info(id)->type));
    else
        return syntax_fail(err, column, name, "a field that the frame which was heard has");
    return true;
}

static bool fill_holes(struct span text, const struct scenario_hearing *h, struct txt *out,
                       struct syntax_error *err)
{
    for (size_t i = 0; i < text.n; i++) {
        struct span name = text.p[i] == '{' ? hole_at(text, i) : span_of("", 0);
        if (name.n == 0) {
            txt_c(out, (char)text.p[i]);
            continue;
        }
        if (!fill_hole(name, i + 2, h, out, err))
            return false;
        i += name.n + 1;
    }
    return !out->cut || syntax_fail(err, 1, span_str("a long frame"), "at most 8191 bytes of text");
}

/* Do the modifiers behind the last `;` outside of quotes contain that word? */
static bool has_modifier(struct span text, const char *word)
{
    size_t n = strlen(word), from = text.n;
    bool quoted = false;
    for (size_t i = 0; i < text.n; i++) {
        quoted ^= text.p[i] == '"' && (i == 0 || text.p[i - 1] != '\\');
        if (!quoted && text.p[i] == ';' && from == text.n)
            from = i + 1;
    }
    for (size_t i = from; i + n <= text.n; i++)
        if (memcmp(text.p + i, word, n) == 0)
            return true;
    return false;
}

bool scenario_frame(struct span text, bool fcs, const struct scenario_hearing *h, struct wr *out,
                    struct syntax_error *err)
{
    char filled[2 * SC_FRAME_MAX];
    struct txt t = txt_of(filled, sizeof(filled));
    if (!fill_holes(text, h, &t, err))
        return false;
    struct span line = span_of(t.p, t.n);
    size_t start = wr_len(out);
    if (!craft_is_ethernet(line) && !(line.n > 3 && memcmp(line.p, "hex", 3) == 0))
        return syntax_fail(err, 1, span_of(line.p, line.n < 12 ? line.n : 12),
                           "a frame that begins with eth (or hex)");
    if (!craft_talk(line, h->talks, out, err))
        return false;
    size_t n = wr_len(out) - start;
    if (!has_modifier(line, "cut") && !has_modifier(line, "fcs") && n < ETH_MIN)
        wr_zeros(out, ETH_MIN - n);
    if (fcs && !has_modifier(line, "fcs"))
        wr_fcs(out, eth_fcs(span_of(out->start + start, wr_len(out) - start)));
    return !out->bad || syntax_fail(err, 1, span_str("a long frame"), "at most 66,000 bytes");
}

bool sc_frame_text(struct sc_parser *p, struct span *out)
{
    const struct sc_word *w;
    struct syntax_error e = {0};
    if (!sc_string(p, "a frame in quotes, such as \"eth dst=... / arp op=reply ...\"", &w))
        return false;
    struct wr room = wr_of(p->scratch, APP_BUFFER);
    const struct scenario_hearing nothing = {.heard = NULL};
    if (w->text.n > SC_FRAME_MAX)
        return sc_fail_word(p, w, "at most 4096 bytes");
    if (!scenario_frame(w->text, true, &nothing, &room, &e))
        return sc_fail_inside(p, w, &e);
    *out = w->text;
    return true;
}

struct filter *sc_filter(struct sc_parser *p, const struct sc_word *w)
{
    struct syntax_error e = {0};
    struct filter *f = arena_take(p->arena, sizeof(*f));
    if (!f) {
        (void)sc_fail_memory(p);
        return NULL;
    }
    if (filter_compile(w->text, f, &e))
        return f;
    (void)sc_fail_inside(p, w, &e);
    return NULL;
}
