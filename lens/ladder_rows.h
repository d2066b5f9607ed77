/*
 * One row of a ladder as cells: first the lifelines, then whatever is laid over them, then to the
 * sink without the blanks at its end. Internal to lens/ladder*.c.
 */
#ifndef ORIEL_LENS_LADDER_ROWS_H
#define ORIEL_LENS_LADDER_ROWS_H

#include "lens/ladder.h"

enum ladder_paint {
    STYLE_PLAIN,
    STYLE_DIM,
    STYLE_NAME,
    STYLE_ARROW,
    STYLE_LOST,
};

enum glyph {
    G_LINE,
    G_DASH,
    G_RIGHT,
    G_LEFT,
    G_CROSS,
    G_GAP,
    G_OVER,         /* an arrow crosses a lifeline */
    G_NOTE,
    G_N
};

struct cell {
    uint32_t ch;
    uint8_t style;              /* enum ladder_paint */
};

struct row {
    struct cell cell[LADDER_WIDTH_MAX];
};

void ladder_row_clear(struct ladder *l, struct row *row, enum glyph line);
void ladder_row_put(struct ladder *l, const struct row *row);

/* What does not fit the page is left out. */
void ladder_cell(struct ladder *l, struct row *row, unsigned col, uint32_t ch,
                 enum ladder_paint style);
void ladder_glyph(struct ladder *l, struct row *row, unsigned col, enum glyph g,
                  enum ladder_paint style);

/* Text from `col` on that fits; the column behind it. */
unsigned ladder_whole(struct ladder *l, struct row *row, unsigned col, struct span text,
                      enum ladder_paint style);

/* The same, cut with an ellipsis where it is longer than `room`; how many cells that takes. */
void ladder_text(struct ladder *l, struct row *row, unsigned col, unsigned room, struct span text,
                 enum ladder_paint style);
unsigned ladder_fitted(struct span text, unsigned room);

#endif
