/*
 * Text measured in the cells of a terminal: what fits a column, where a line breaks, and which
 * characters may reach a screen at all.
 *
 * Text is UTF-8 and may hold anything. A byte that is no character is shown as U+FFFD, a control
 * character (and one that turns the writing direction) as a dot, tab and line break as a space.
 * Where only ASCII may be shown every other character becomes a relative or a question mark, with
 * the same number of cells.
 */
#ifndef ORIEL_LENS_CELLS_H
#define ORIEL_LENS_CELLS_H

#include "base/text.h"

#define CELLS_UNKNOWN 0xfffdu       /* the character for bytes that are none */

/* Take the next character off; the text is not empty. */
uint32_t cells_next(struct span *text);

unsigned cells_width(uint32_t ch);                  /* 0, 1 or 2 */
uint32_t cells_shown(uint32_t ch, bool ascii);      /* what stands for it on the screen */

unsigned cells_of(struct span text);

/* The longest beginning that takes at most `width` cells. */
struct span cells_cut(struct span text, unsigned width);

/*
 * Take the next line of at most `width` cells off: up to a space, or inside a word that is longer
 * than the line, or between two wide characters. Empty when nothing is left; width is at least 2.
 */
struct span cells_wrap(struct span *text, unsigned width);

void cells_put_char(struct txt *t, uint32_t ch);    /* as UTF-8 */
void cells_put(struct txt *t, struct span text, bool ascii);

#endif
