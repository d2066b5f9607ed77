/*
 * What the tables of the verbs say to people and to shells: help on the terminal, man pages in
 * mdoc, completions. All of it goes to standard output.
 */
#ifndef ORIEL_CLI_USAGE_H
#define ORIEL_CLI_USAGE_H

#include "cli/verbs.h"

/* The verbs, each in a line; those of a family only when it is given ("lab"). */
void usage_overview(unsigned width, const char *family);
void usage_verb(const struct verb *v, unsigned width);

void man_overview(void);
void man_verb(const struct verb *v);

/* False: not a shell that is known. */
bool completion_print(const char *shell);

/* ---- shared between the three ---- */

/* "-r FILE [-c N] ... [FILTER]": without the program and the verb. */
void usage_synopsis(struct txt *t, const struct verb *v);

/* The help of an option with its bounds and its default: a few sentences. */
void usage_option_text(struct txt *t, const struct opt *o);

/* "oriel-lab-run": the name of a verb's man page. */
void usage_page_name(struct txt *t, const struct verb *v);

/* Take the next paragraph off a text whose paragraphs stand apart by an empty line. */
struct span usage_paragraph(struct span *text);

#endif
