/*
 * What the other end of an output can show: how wide it is, whether it takes colours and UTF-8.
 */
#ifndef ORIEL_CLI_TERM_H
#define ORIEL_CLI_TERM_H

#include <stdbool.h>
#include <stdio.h>

#define TERM_WIDTH_DEFAULT 80

struct term {
    bool tty;
    bool color;
    bool utf8;          /* the locale's characters are UTF-8 */
    unsigned width;     /* columns; COLUMNS goes before what the terminal says */
    bool width_known;   /* false: nobody said, width is TERM_WIDTH_DEFAULT */
};

/* `when` is auto, always or never, as --color takes it. */
struct term term_of(FILE *f, const char *when);

enum term_style {
    TERM_PLAIN,
    TERM_DIM,
    TERM_BOLD,
    TERM_GOOD,
    TERM_WARN,
    TERM_BAD,
    TERM_ACCENT,
};

/* The sequence that begins a style (and ends the one before); "" where there are no colours. */
const char *term_style(const struct term *t, enum term_style style);

#endif
