/* Errors in what people write, and how near two words are. */
#include "lens/syntax.h"

#define WORD_MAX 63u    /* longer words are near nothing */

void syntax_error_print(struct txt *t, const struct syntax_error *e)
{
    txt_s(t, "column ");
    txt_u(t, e->column);
    txt_s(t, ": found ");
    txt_s(t, e->found);
    txt_s(t, ", expected ");
    txt_s(t, e->expected);
    if (e->hint[0] == '\0')
        return;
    txt_s(t, "; did you mean ");
    txt_s(t, e->hint);
    txt_c(t, '?');
}

bool syntax_fail(struct syntax_error *e, size_t column, struct span found, const char *expected)
{
    if (e->column != 0)
        return false;
    e->column = column < UINT32_MAX ? (uint32_t)column : UINT32_MAX;
    struct txt t = txt_of(e->found, sizeof e->found);
    if (found.n == 0) {
        txt_s(&t, "the end");
    } else {
        txt_c(&t, '`');
        for (size_t i = 0; i < found.n && t.n + 2 < t.cap; i++)
            txt_c(&t, found.p[i] < 0x20 || found.p[i] == 0x7f ? '?' : (char)found.p[i]);
        txt_c(&t, '`');
    }
    t = txt_of(e->expected, sizeof e->expected);
    txt_s(&t, expected);
    return false;
}

/* One row of the table of Levenshtein after another; a row holds the distances to b's prefixes. */
unsigned edit_distance(struct span a, struct span b, unsigned max)
{
    if (a.n > WORD_MAX || b.n > WORD_MAX)
        return max + 1;
    if ((a.n > b.n ? a.n - b.n : b.n - a.n) > max)
        return max + 1;
    unsigned row[WORD_MAX + 1];
    for (unsigned j = 0; j <= b.n; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.n; i++) {
        unsigned diagonal = row[0];
        unsigned least = row[0] = i;
        for (unsigned j = 1; j <= b.n; j++) {
            unsigned change = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            unsigned skip = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < skip ? change : skip;
            if (row[j] < least)
                least = row[j];
        }
        if (least > max)
            return max + 1;
    }
    return row[b.n] <= max ? row[b.n] : max + 1;
}
