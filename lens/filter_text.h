/* The words of the filter language. Internal to lens/. */
#ifndef ORIEL_LENS_FILTER_TEXT_H
#define ORIEL_LENS_FILTER_TEXT_H

#include "lens/filter.h"

struct filter_parse {
    struct span text;
    size_t at;
    struct filter *out;
    struct syntax_error *err;
    unsigned depth;
};

struct filter_operator {
    uint8_t cmp;
    bool all;
};

/* The first error stays; `found` is what stands here, or where the other parse stood. False. */
bool filter_fail(struct filter_parse *p, const char *expected);
bool filter_fail_at(const struct filter_parse *there, const char *expected);

/* All of these pass over blanks first. */
bool filter_at_end(struct filter_parse *p);
bool filter_peek_char(struct filter_parse *p, char c);
bool filter_take_char(struct filter_parse *p, char c);
bool filter_take_not(struct filter_parse *p);                       /* `!` or the word */
bool filter_take_logic(struct filter_parse *p, const char *word, const char *sign);
bool filter_take_bit_and(struct filter_parse *p);                   /* `&` but not `&&` */
bool filter_take_in(struct filter_parse *p, bool *negated);           /* `in`, `not in` */
bool filter_take_operator(struct filter_parse *p, struct filter_operator *out);

/* `[any|all] name`; F_NONE after an error. */
enum field_id filter_take_field(struct filter_parse *p, bool *all);

/* A value that the field of op can be compared with, into the program; in a set also a range. */
bool filter_take_value(struct filter_parse *p, struct filter_op *op, bool range);
bool filter_take_pattern(struct filter_parse *p, struct filter_op *op);
bool filter_take_number(struct filter_parse *p, unsigned bits, uint64_t *out);
bool filter_take_int(struct filter_parse *p, int32_t *out);

#endif
