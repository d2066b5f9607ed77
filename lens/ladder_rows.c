/* Rows of a ladder. */
#include "lens/ladder_rows.h"

#include "lens/cells.h"

#define CELL_BYTES 12           /* of a character and a change of style, at most */
#define WIDE_TAIL  UINT32_MAX   /* the second cell of a wide character */

static const char *const style_sequence[] = {
    [STYLE_PLAIN] = "\x1b[0m",
    [STYLE_DIM] = "\x1b[2m",
    [STYLE_NAME] = "\x1b[1m",
    [STYLE_ARROW] = "\x1b[36m",
    [STYLE_LOST] = "\x1b[31m",
};

static const uint32_t glyphs[G_N] = {0x2502, 0x2500, 0x25b6, 0x25c0,
                                     0x00d7, 0x250a, 0x253c, 0x25cf};
static const uint32_t glyphs_ascii[G_N] = {'|', '-', '>', '<', 'x', ':', '+', '*'};

static uint32_t glyph(const struct ladder *l, enum glyph g)
{
    return l->style.ascii ? glyphs_ascii[g] : glyphs[g];
}

void ladder_cell(struct ladder *l, struct row *row, unsigned col, uint32_t ch,
                 enum ladder_paint style)
{
    if (col < l->width)
        row->cell[col] = (struct cell){.ch = ch, .style = (uint8_t)style};
}

void ladder_glyph(struct ladder *l, struct row *row, unsigned col, enum glyph g,
                  enum ladder_paint style)
{
    ladder_cell(l, row, col, glyph(l, g), style);
}

void ladder_row_clear(struct ladder *l, struct row *row, enum glyph line)
{
    for (unsigned i = 0; i < l->width; i++)
        ladder_cell(l, row, i, ' ', STYLE_PLAIN);
    for (int i = 0; i < l->lines_n; i++)
        ladder_glyph(l, row, l->col[i], line, STYLE_DIM);
}

/* Text from `col` on; it fits. The columns after it are returned. */
unsigned ladder_whole(struct ladder *l, struct row *row, unsigned col, struct span text,
                      enum ladder_paint style)
{
    bool ascii = l->style.ascii;
    while (text.n > 0) {
        uint32_t ch = cells_next(&text);
        unsigned width = cells_width(ch);
        uint32_t shown = cells_shown(ch, ascii);
        if (width == 0)
            continue;
        ladder_cell(l, row, col++, shown, style);
        if (width == 2)
            ladder_cell(l, row, col++, ascii ? shown : WIDE_TAIL, style);
    }
    return col;
}

static struct span ellipsis(const struct ladder *l)
{
    return span_str(l->style.ascii ? "..." : "\xe2\x80\xa6");
}

/* Cells that a text takes in `room`: it is cut, with an ellipsis, when it has more. */
unsigned ladder_fitted(struct span text, unsigned room)
{
    unsigned n = cells_of(text);
    return n < room ? n : room;
}

void ladder_text(struct ladder *l, struct row *row, unsigned col, unsigned room,
                     struct span text, enum ladder_paint style)
{
    if (cells_of(text) <= room) {
        ladder_whole(l, row, col, text, style);
        return;
    }
    struct span dots = ellipsis(l);
    unsigned dots_w = cells_of(dots);
    if (room < dots_w)
        return;
    col = ladder_whole(l, row, col, cells_cut(text, room - dots_w), style);
    ladder_whole(l, row, col, dots, style);
}

static void row_print(const struct ladder *l, const struct row *row, struct txt *t)
{
    unsigned n = l->width;
    while (n > 0 && row->cell[n - 1].ch == ' ')
        n--;
    uint8_t style = STYLE_PLAIN;
    for (unsigned i = 0; i < n; i++) {
        const struct cell *c = &row->cell[i];
        if (l->style.color && c->style != style && c->ch != ' ') {
            if (style != STYLE_PLAIN)
                txt_s(t, style_sequence[STYLE_PLAIN]);
            if (c->style != STYLE_PLAIN)
                txt_s(t, style_sequence[c->style]);
            style = c->style;
        }
        if (c->ch != WIDE_TAIL)
            cells_put_char(t, c->ch);
    }
    if (style != STYLE_PLAIN)
        txt_s(t, style_sequence[STYLE_PLAIN]);
    txt_c(t, '\n');
}

void ladder_row_put(struct ladder *l, const struct row *row)
{
    char text[LADDER_WIDTH_MAX * CELL_BYTES + 16];
    struct txt t = txt_of(text, sizeof text);
    row_print(l, row, &t);
    ORIEL_ASSERT(!t.cut);
    if (!l->bad)
        l->bad = !sink_put(&l->out, span_of(t.p, t.n));
}
