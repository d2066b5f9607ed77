/*
 * From the text of a filter to its program. filter_eval.c runs it.
 *
 * A descent over the grammar, one function a level; every level leaves its truth value where the
 * next one looks for it, so that `a and b` is: a, go to the end if false, b. Types are checked
 * here: a program never compares what cannot be compared.
 *
 *     or    := and { ("or" | "||") and }
 *     and   := not { ("and" | "&&") not }
 *     not   := ("not" | "!") not | "(" or ")" | test
 *     test  := ["any" | "all"] field [slice] ["&" number] [operator value | ["not"] "in" set]
 */
#include "lens/filter.h"
#include "lens/filter_text.h"

/* ---- the program ---- */

static struct filter_op *emit(struct filter_parse *p, enum filter_kind kind)
{
    struct filter *f = p->out;
    if (f->ops_n == FILTER_OPS_MAX) {
        filter_fail(p, "a shorter filter");
        return NULL;
    }
    struct filter_op *op = &f->ops[f->ops_n++];
    *op = (struct filter_op){.kind = (uint8_t)kind};
    return op;
}

/* ---- tests ---- */

static bool has_order(unsigned type)
{
    return type != FT_PROTO && type != FT_NONE && type != FT_BOOL;
}

static bool has_bytes(unsigned type)
{
    return type == FT_PROTO || type == FT_BYTES || type == FT_STR || type == FT_MAC;
}

static bool is_compared(unsigned type, enum filter_cmp cmp)
{
    switch (cmp) {
    case CMP_PRESENT:
        return true;
    case CMP_EQ:
    case CMP_NE:
        return type != FT_PROTO && type != FT_NONE;
    case CMP_LT:
    case CMP_LE:
    case CMP_GT:
    case CMP_GE:
        return has_order(type);
    case CMP_CONTAINS:
        return has_bytes(type);
    case CMP_MATCHES:
        return has_bytes(type) && type != FT_MAC;
    }
    return false;
}

static const char *operators_for(unsigned type)
{
    if (type == FT_NONE)
        return "no operator: this field has no value";
    if (type == FT_PROTO)
        return "contains, matches, a slice or nothing behind a protocol";
    if (type == FT_BOOL)
        return "== or !=: this field is true or false";
    return "== != < <= > >= or in: this field has no bytes to search";
}

/* [from:length], [from-to], [at], [:length], [from:]. The bracket has been taken. */
static bool slice(struct filter_parse *p, struct filter_op *op)
{
    unsigned type = field_info(op->field)->type;
    if (!has_bytes(type) && type != FT_ADDR4 && type != FT_ADDR6)
        return filter_fail(p, "an operator: this field has no bytes to take a part of");
    op->sliced = true;
    op->type = type == FT_STR ? FT_STR : FT_BYTES;
    op->slice_n = 1;
    bool has_from = !filter_peek_char(p, ':');
    if (has_from && !filter_take_int(p, &op->slice_at))
        return false;
    int32_t to = 0;
    if (filter_take_char(p, ':')) {
        op->slice_n = -1;
        if (!filter_peek_char(p, ']') && !filter_take_int(p, &op->slice_n))
            return false;
        if (op->slice_n == 0)
            return filter_fail(p, "a length above 0");
    } else if (filter_take_char(p, '-')) {
        if (!filter_take_int(p, &to))
            return false;
        if (to < op->slice_at || op->slice_at < 0)
            return filter_fail(p, "a part that ends behind its beginning");
        op->slice_n = to - op->slice_at + 1;
    }
    return filter_take_char(p, ']') || filter_fail(p, "]");
}

static bool mask(struct filter_parse *p, struct filter_op *op)
{
    if (op->type != FT_UINT && op->type != FT_BOOL)
        return filter_fail(p, "an operator: only a number has bits");
    if (!filter_take_number(p, field_info(op->field)->bits, &op->mask))
        return false;
    return op->mask != 0 || filter_fail(p, "a mask with a bit in it");
}

/* { value, value, from..to } */
static bool set(struct filter_parse *p, struct filter_op *op)
{
    if (!filter_take_char(p, '{'))
        return filter_fail(p, "{");
    do {
        if (!filter_take_value(p, op, true))
            return false;
    } while (filter_take_char(p, ','));
    return filter_take_char(p, '}') || filter_fail(p, ", or }");
}

/* An operator and what stands behind it, if there is one. *negated: it was `not in`. */
static bool comparison(struct filter_parse *p, struct filter_op *op, bool *negated)
{
    struct filter_operator o;
    struct filter_parse before = *p;
    if (filter_take_in(p, negated)) {
        op->cmp = CMP_EQ;
        if (!is_compared(op->type, CMP_EQ))
            return filter_fail_at(&before, operators_for(op->type));
        return set(p, op);
    }
    if (!filter_take_operator(p, &o))
        return true;
    op->cmp = o.cmp;
    op->all = op->all || o.all;
    if (!is_compared(op->type, (enum filter_cmp)op->cmp))
        return filter_fail_at(&before, operators_for(op->type));
    if (op->mask != 0 && (op->cmp == CMP_CONTAINS || op->cmp == CMP_MATCHES))
        return filter_fail_at(&before, "== != < <= > or >=");
    if (o.cmp == CMP_MATCHES)
        return filter_take_pattern(p, op);
    return filter_take_value(p, op, false);
}

static bool test(struct filter_parse *p)
{
    bool all = false;
    enum field_id id = filter_take_field(p, &all);
    struct filter_op *op = id == F_NONE ? NULL : emit(p, FILTER_TEST);
    if (!op)
        return false;
    op->all = all;
    op->field = (uint16_t)id;
    op->type = field_info(id)->type;
    op->at = p->out->values_n;
    if (filter_take_char(p, '[') && !slice(p, op))
        return false;
    if (filter_take_bit_and(p) && !mask(p, op))
        return false;
    bool negated = false;
    if (!comparison(p, op, &negated))
        return false;
    if ((op->sliced || all) && op->cmp == CMP_PRESENT)
        return filter_fail(p, "an operator");
    return !negated || emit(p, FILTER_NOT) != NULL;
}

/* ---- logic ---- */

static bool parse_or(struct filter_parse *p);

static bool deeper(struct filter_parse *p)
{
    if (++p->depth > FILTER_DEPTH_MAX)
        return filter_fail(p, "fewer parentheses inside one another");
    return true;
}

static bool parse_not(struct filter_parse *p)
{
    bool ok;
    if (!deeper(p))
        return false;
    if (filter_take_not(p))
        ok = parse_not(p) && emit(p, FILTER_NOT) != NULL;
    else if (filter_take_char(p, '('))
        ok = parse_or(p) && (filter_take_char(p, ')') || filter_fail(p, "and, or, or )"));
    else
        ok = test(p);
    p->depth--;
    return ok;
}

/* What follows is looked at only if the truth value so far leaves the question open. */
static bool skipping(struct filter_parse *p, enum filter_kind jump,
                     bool (*next)(struct filter_parse *p))
{
    struct filter_op *op = emit(p, jump);
    if (!op || !next(p))
        return false;
    op->at = p->out->ops_n;
    return true;
}

static bool parse_and(struct filter_parse *p)
{
    if (!parse_not(p))
        return false;
    while (filter_take_logic(p, "and", "&&"))
        if (!skipping(p, FILTER_IF_FALSE, parse_not))
            return false;
    return true;
}

static bool parse_or(struct filter_parse *p)
{
    if (!parse_and(p))
        return false;
    while (filter_take_logic(p, "or", "||"))
        if (!skipping(p, FILTER_IF_TRUE, parse_and))
            return false;
    return true;
}

/* A program that matches nothing: what is left after an error. */
static void empty_program(struct filter *out)
{
    out->ops_n = 1;
    out->ops[0] = (struct filter_op){.kind = FILTER_NOT};
    out->values_n = 0;
    out->data_n = 0;
    out->patterns_n = 0;
}

bool filter_compile(struct span text, struct filter *out, struct syntax_error *err)
{
    struct syntax_error ignored;
    struct filter_parse p = {.text = text, .out = out, .err = err ? err : &ignored};
    *p.err = (struct syntax_error){0};
    empty_program(out);
    out->ops_n = 0;
    bool ok = text.n <= FILTER_TEXT_MAX || filter_fail(&p, "a shorter filter");
    if (ok && !filter_at_end(&p))
        ok = parse_or(&p) && (filter_at_end(&p) || filter_fail(&p, "and, or, or the end"));
    if (!ok)
        empty_program(out);
    return ok;
}
