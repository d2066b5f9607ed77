/*
 * Widths follow Unicode's East Asian Width (W and F are two cells, marks none, everything else one;
 * "ambiguous" is taken as narrow, which is what terminals do outside of a CJK locale). The tables
 * hold blocks, not single characters: a newly assigned emoji may be off by a cell, a column of
 * digits never.
 */
#include "lens/cells.h"

struct range {
    uint32_t from;
    uint32_t to;
};

static const struct range no_width[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200d},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef},
};

static const struct range two_wide[] = {
    {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
    {0x4e00, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
    {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};

/* They turn the direction of what follows: a peer's text must not rearrange ours. */
static const struct range directions[] = {
    {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff},
};

static bool in(const struct range *table, size_t n, uint32_t ch)
{
    for (size_t i = 0; i < n; i++)
        if (ch >= table[i].from && ch <= table[i].to)
            return true;
    return false;
}

static bool is_control(uint32_t ch)
{
    return ch < 0x20 || (ch >= 0x7f && ch < 0xa0) || in(directions, ARRAY_LEN(directions), ch);
}

/* ---- UTF-8 ---- */

/* Bytes of a character that starts with b, and the smallest value that needs as many; 0: none. */
static unsigned length_of(uint8_t b, uint32_t *least)
{
    if (b >= 0xc2 && b < 0xe0)
        return *least = 0x80, 2;
    if (b >= 0xe0 && b < 0xf0)
        return *least = 0x800, 3;
    if (b >= 0xf0 && b < 0xf5)
        return *least = 0x10000, 4;
    return 0;
}

uint32_t cells_next(struct span *text)
{
    ORIEL_ASSERT(text->n > 0);
    const uint8_t *p = text->p;
    uint32_t least = 0;
    unsigned n = length_of(p[0], &least);
    uint32_t ch = p[0] < 0x80 ? p[0] : CELLS_UNKNOWN;
    unsigned used = 1;
    if (n > 0 && n <= text->n) {
        uint32_t v = p[0] & (0xffu >> (n + 1));
        unsigned i = 1;
        while (i < n && (p[i] & 0xc0) == 0x80)
            v = v << 6 | (p[i++] & 0x3fu);
        bool surrogate = v >= 0xd800 && v <= 0xdfff;
        if (i == n && v >= least && v <= 0x10ffff && !surrogate) {
            ch = v;
            used = n;
        }
    }
    *text = span_of(p + used, text->n - used);
    return ch;
}

void cells_put_char(struct txt *t, uint32_t ch)
{
    if (ch < 0x80) {
        txt_c(t, (char)ch);
        return;
    }
    unsigned n = ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    if (t->cap - t->n <= n) {           /* whole characters only */
        t->cut = true;
        return;
    }
    txt_c(t, (char)(first[n] | ch >> (6 * (n - 1))));
    for (unsigned i = n - 1; i > 0; i--)
        txt_c(t, (char)(0x80 | (ch >> (6 * (i - 1)) & 0x3f)));
}

/* ---- cells ---- */

unsigned cells_width(uint32_t ch)
{
    if (ch < 0x300)
        return 1;
    if (in(no_width, ARRAY_LEN(no_width), ch))
        return 0;
    return in(two_wide, ARRAY_LEN(two_wide), ch) ? 2 : 1;
}

static uint32_t relative_in_ascii(uint32_t ch)
{
    static const struct {
        uint32_t ch;
        char ascii;
    } relatives[] = {
        {0x2192, '>'}, {0x2190, '<'}, {0x2191, '^'}, {0x2193, 'v'},  {0x2013, '-'}, {0x2014, '-'},
        {0x2018, '\''}, {0x2019, '\''}, {0x201c, '"'}, {0x201d, '"'}, {0x2026, '.'}, {0x2264, '<'},
        {0x2265, '>'}, {0x2500, '-'}, {0x2502, '|'}, {0x25b6, '>'},  {0x25c0, '<'}, {0x250a, ':'},
        {0x253c, '+'}, {0x25cf, '*'}, {0x00d7, 'x'}, {0x00b5, 'u'},  {0x00a0, ' '}, {0x00b7, '.'},
        {0x2022, '*'}, {0x2192, '>'}, {0x21bb, '@'}, {0x00b1, '~'},
    };
    for (size_t i = 0; i < ARRAY_LEN(relatives); i++)
        if (relatives[i].ch == ch)
            return (uint8_t)relatives[i].ascii;
    return '?';
}

uint32_t cells_shown(uint32_t ch, bool ascii)
{
    if (ch == '\n' || ch == '\t' || ch == '\r')
        return ' ';
    if (is_control(ch))
        return '.';
    return ascii && ch >= 0x80 ? relative_in_ascii(ch) : ch;
}

unsigned cells_of(struct span text)
{
    unsigned n = 0;
    while (text.n > 0)
        n += cells_width(cells_next(&text));
    return n;
}

struct span cells_cut(struct span text, unsigned width)
{
    struct span rest = text;
    unsigned n = 0;
    while (rest.n > 0) {
        struct span before = rest;
        n += cells_width(cells_next(&rest));
        if (n > width)
            return span_of(text.p, (size_t)(before.p - text.p));
    }
    return text;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static struct span skip_blanks(struct span s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s = span_of(s.p + 1, s.n - 1);
    return s;
}

/* Chinese and Japanese punctuation that closes: a line does not start with it. */
static bool is_closing(uint32_t ch)
{
    static const uint32_t closing[] = {0x3001, 0x3002, 0xff0c, 0xff1b, 0xff1a, 0xff01, 0xff1f,
                                       0xff09, 0x300d, 0x300f, 0x3011, 0x300b};
    for (size_t i = 0; i < ARRAY_LEN(closing); i++)
        if (closing[i] == ch)
            return true;
    return false;
}

/* Where a line of at most `width` cells may end: the last place before the text is too wide. */
static size_t break_at(struct span text, unsigned width)
{
    struct span rest = text;
    size_t last = 0;            /* a good place */
    unsigned n = 0;
    uint32_t before = 0;
    while (rest.n > 0) {
        size_t at = (size_t)(rest.p - text.p);
        uint32_t ch = cells_next(&rest);
        bool at_wide = cells_width(ch) == 2 || cells_width(before) == 2;
        if (at > 0 && (is_blank(text.p[at]) || (at_wide && !is_closing(ch))))
            last = at;
        n += cells_width(ch);
        if (n > width && !is_blank(text.p[at]))
            return last > 0 ? last : at;
        if (n > width)
            return at;
        before = ch;
    }
    return text.n;
}

struct span cells_wrap(struct span *text, unsigned width)
{
    ORIEL_ASSERT(width >= 2);
    *text = skip_blanks(*text);
    if (text->n == 0)
        return *text;
    const uint8_t *newline = memchr(text->p, '\n', text->n);
    struct span line = newline ? span_of(text->p, (size_t)(newline - text->p)) : *text;
    line.n = break_at(line, width);
    *text = skip_blanks(span_of(line.p + line.n, text->n - line.n));
    while (line.n > 0 && is_blank(line.p[line.n - 1]))
        line.n--;
    return line;
}

void cells_put(struct txt *t, struct span text, bool ascii)
{
    while (text.n > 0) {
        uint32_t ch = cells_next(&text);
        unsigned width = cells_width(ch);
        if (width == 0 && ascii)
            continue;
        cells_put_char(t, cells_shown(ch, ascii));
        if (width == 2 && ascii)
            txt_c(t, '?');
    }
}
