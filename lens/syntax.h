/*
 * What is wrong with a line that a person wrote: where, what stood there, what could have stood
 * there. Shared by the filter language (filter.h) and the frame language (lab/craft.h).
 */
#ifndef ORIEL_LENS_SYNTAX_H
#define ORIEL_LENS_SYNTAX_H

#include "base/text.h"

struct syntax_error {
    uint32_t column;        /* 1-based, in bytes; one past the end when something is missing */
    char found[40];         /* as it stood there: "`ip.scr`"; "the end" when nothing did */
    char expected[120];     /* "a field name", "an IPv4 address or prefix" */
    char hint[48];          /* the nearest name that is known, or "" */
};

/* "column 4: found `ip.scr`, expected a field name; did you mean ip.src?" */
void syntax_error_print(struct txt *t, const struct syntax_error *e);

/* Fill in; the first error of a line stays. Always false, for `return syntax_fail(...)`. */
bool syntax_fail(struct syntax_error *e, size_t column, struct span found, const char *expected);

/* Edits between two words (insert, delete, change), counted up to `max`; beyond it max + 1. */
unsigned edit_distance(struct span a, struct span b, unsigned max);

#endif
