/*
 * Assertions about TCP_INFO, in the little of Python that scripts use:
 *
 *     assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd
 *     assert 10 <= tcpi_unacked < 20 and not tcpi_options & TCPI_OPT_SACK
 *     assert tcpi_lost in (0, 1); assert abs(tcpi_rtt - 40000) < 1000
 *
 * Whole numbers of 64 bits; what is larger counts as the largest. `/` is `//`. A message behind a
 * comma is passed over, and so is a line that prints. Everything is parsed when the script is, into
 * a tree; a comparison of three is the two of them joined by `and`.
 */
#include "lab/script_text.h"

#define NODES_DEEP 32           /* brackets in brackets */
#define NODES_MAX  1024         /* in one assertion */

enum op {
    OP_NUMBER, OP_MEMBER, OP_NOT, OP_NEGATE, OP_INVERT, OP_ABS,
    OP_OR, OP_AND, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE,
    OP_BIT_OR, OP_BIT_XOR, OP_BIT_AND, OP_LEFT, OP_RIGHT, OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MOD,
    OP_MIN, OP_MAX,
};

struct node {
    enum op op;
    int64_t value;              /* a number; the index of a member */
    const struct node *a, *b;
};

struct script_assert {
    struct script_assert *next;
    uint32_t line;
    struct span text;
    const struct node *tree;    /* NULL: nothing is asserted */
};

/* ---- reading ---- */

struct reader {
    struct sp p;
    unsigned deep, nodes;
};

static const struct node *any(struct reader *r);

static const struct node *node(struct reader *r, enum op op, int64_t value, const struct node *a,
                               const struct node *b)
{
    if (r->nodes++ == NODES_MAX) {
        (void)sp_fail(&r->p, "a shorter assertion");
        return NULL;
    }
    struct node *n = sp_alloc(&r->p, sizeof(*n));
    if (n)
        *n = (struct node){.op = op, .value = value, .a = a, .b = b};
    return n;
}

static const struct node *pair(struct reader *r, enum op op, const struct node *a,
                               const struct node *b)
{
    return a && b ? node(r, op, 0, a, b) : NULL;
}

static const struct node *single(struct reader *r, enum op op, const struct node *a)
{
    return a ? node(r, op, 0, a, NULL) : NULL;
}

static const struct node *number(struct reader *r)
{
    uint64_t v = 0;
    if (!sp_uint(&r->p, UINT64_MAX, &v, "a whole number"))
        return NULL;
    if (r->p.at < r->p.end && *r->p.at == '.') {
        (void)sp_fail(&r->p, "a whole number");
        return NULL;
    }
    return node(r, OP_NUMBER, v > INT64_MAX ? INT64_MAX : (int64_t)v, NULL, NULL);
}

/* Names of members that are near, for who mistyped one. */
static const char *near_member(struct span name)
{
    const char *near = NULL;
    unsigned best = 4;
    for (int i = 0; px_tcp_member_name(i); i++) {
        unsigned d = edit_distance(name, span_str(px_tcp_member_name(i)), best - 1);
        if (d < best) {
            best = d;
            near = px_tcp_member_name(i);
        }
    }
    return near;
}

static const struct node *name(struct reader *r)
{
    struct span word = sp_token(&r->p);
    int64_t v;
    int member = px_tcp_member_named(word);
    bool known = member >= 0 || px_constant(word, &v);
    if (!known || word.n == 0) {
        (void)sp_fail(&r->p, "a member of struct tcp_info, a constant or a number");
        if (word.n > 0)
            sp_hint(&r->p, near_member(word));
        return NULL;
    }
    sp_took(&r->p, word.n);
    return member >= 0 ? node(r, OP_MEMBER, member, NULL, NULL) : node(r, OP_NUMBER, v, NULL, NULL);
}

/* Behind the opening bracket: one value, or two of min and max. */
static const struct node *inside(struct reader *r)
{
    const struct node *n = any(r);
    return n && sp_need(&r->p, ")") ? n : NULL;
}

static const struct node *lesser(struct reader *r, enum op op)
{
    const struct node *a = sp_need(&r->p, "(") ? any(r) : NULL;
    const struct node *b = a && sp_need(&r->p, ",") ? any(r) : NULL;
    return b && sp_need(&r->p, ")") ? pair(r, op, a, b) : NULL;
}

static const struct node *atom(struct reader *r)
{
    struct sp *p = &r->p;
    if (sp_take(p, "("))
        return inside(r);
    if (sp_take(p, "abs"))
        return single(r, OP_ABS, sp_need(p, "(") ? inside(r) : NULL);
    if (sp_take(p, "int"))
        return sp_need(p, "(") ? inside(r) : NULL;
    if (sp_take(p, "min"))
        return lesser(r, OP_MIN);
    if (sp_take(p, "max"))
        return lesser(r, OP_MAX);
    if (sp_take(p, "True"))
        return node(r, OP_NUMBER, 1, NULL, NULL);
    if (sp_take(p, "False"))
        return node(r, OP_NUMBER, 0, NULL, NULL);
    return sp_sees_digit(p) ? number(r) : name(r);
}

static const struct node *unary(struct reader *r)
{
    const struct node *n = NULL;
    if (r->deep == NODES_DEEP) {
        (void)sp_fail(&r->p, "fewer brackets in brackets");
        return NULL;
    }
    r->deep++;
    if (sp_take(&r->p, "-"))
        n = single(r, OP_NEGATE, unary(r));
    else if (sp_take(&r->p, "~"))
        n = single(r, OP_INVERT, unary(r));
    else
        n = atom(r);
    r->deep--;
    return n;
}

struct operator {
    const char *text;
    enum op op;
    uint8_t level;              /* 0 binds least */
};

static const struct operator operators[] = {
    {"|", OP_BIT_OR, 0}, {"^", OP_BIT_XOR, 1}, {"&", OP_BIT_AND, 2}, {"<<", OP_LEFT, 3},
    {">>", OP_RIGHT, 3}, {"+", OP_ADD, 4},     {"-", OP_SUB, 4},     {"*", OP_MUL, 5},
    {"//", OP_DIV, 5},   {"/", OP_DIV, 5},     {"%", OP_MOD, 5},
};
#define LEVELS 6

static const struct operator *operator_at(struct reader *r, unsigned level)
{
    for (size_t i = 0; i < ARRAY_LEN(operators); i++)
        if (operators[i].level == level && sp_take(&r->p, operators[i].text))
            return &operators[i];
    return NULL;
}

static const struct node *arithmetic(struct reader *r, unsigned level)
{
    if (level == LEVELS)
        return unary(r);
    const struct node *n = arithmetic(r, level + 1);
    const struct operator *o;
    while (n && (o = operator_at(r, level)) != NULL)
        n = pair(r, o->op, n, arithmetic(r, level + 1));
    return n;
}

/* Behind `in`: (1, 2), [1, 2], range(1, 10). */
static const struct node *membership(struct reader *r, const struct node *n)
{
    const struct node *all = NULL;
    if (sp_take(&r->p, "range")) {
        const struct node *lo = sp_need(&r->p, "(") ? arithmetic(r, 0) : NULL;
        const struct node *hi = lo && sp_need(&r->p, ",") ? arithmetic(r, 0) : NULL;
        if (!hi || !sp_need(&r->p, ")"))
            return NULL;
        return pair(r, OP_AND, pair(r, OP_GE, n, lo), pair(r, OP_LT, n, hi));
    }
    bool square = sp_take(&r->p, "[");
    if (!square && !sp_need(&r->p, "("))
        return NULL;
    do {
        const struct node *one = pair(r, OP_EQ, n, arithmetic(r, 0));
        all = all ? pair(r, OP_OR, all, one) : one;
    } while (all && sp_take(&r->p, ","));
    return all && sp_need(&r->p, square ? "]" : ")") ? all : NULL;
}

static bool relation(struct reader *r, enum op *op)
{
    static const struct {
        const char *text;
        enum op op;
    } all[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<=", OP_LE},
               {">=", OP_GE}, {"<", OP_LT},  {">", OP_GT}};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (sp_take(&r->p, all[i].text)) {
            *op = all[i].op;
            return true;
        }
    return false;
}

static const struct node *comparison(struct reader *r)
{
    const struct node *left = arithmetic(r, 0), *all = NULL;
    enum op op;
    if (left && sp_take(&r->p, "in"))
        return membership(r, left);
    if (left && sp_take(&r->p, "not"))
        return sp_need(&r->p, "in") ? single(r, OP_NOT, membership(r, left)) : NULL;
    while (left && relation(r, &op)) {
        const struct node *right = arithmetic(r, 0);
        const struct node *one = pair(r, op, left, right);
        all = all ? pair(r, OP_AND, all, one) : one;
        left = all ? right : NULL;
    }
    return all && left ? all : left;
}

static const struct node *negation(struct reader *r)
{
    bool flip = false;
    while (sp_take(&r->p, "not"))
        flip = !flip;
    const struct node *n = comparison(r);
    return flip ? single(r, OP_NOT, n) : n;
}

static const struct node *both(struct reader *r)
{
    const struct node *n = negation(r);
    while (n && sp_take(&r->p, "and"))
        n = pair(r, OP_AND, n, negation(r));
    return n;
}

static const struct node *any(struct reader *r)
{
    const struct node *n = both(r);
    while (n && sp_take(&r->p, "or"))
        n = pair(r, OP_OR, n, both(r));
    return n;
}

/* To the end of the statement: a line break or ; outside brackets and quotes. */
static void pass_over(struct sp *p)
{
    size_t depth = 0;
    uint8_t quote = 0;
    for (; p->at < p->end; p->at++) {
        uint8_t c = *p->at;
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '(' || c == '[')
            depth++;
        else if ((c == ')' || c == ']') && depth > 0)
            depth--;
        else if (depth == 0 && (c == '\n' || c == ';'))
            break;
    }
    p->last = p->at;
}

static bool statement(struct reader *r, struct script_assert *a)
{
    struct sp *p = &r->p;
    if (sp_take(p, "print")) {
        pass_over(p);
        return true;
    }
    if (!sp_take(p, "assert"))
        return sp_fail(p, "assert");
    const uint8_t *from = sp_token(p).p;
    r->nodes = 0;
    a->tree = any(r);
    a->text = span_of(from, (size_t)(p->last - from));
    a->line = sp_line(p, from);
    if (!a->tree)
        return false;
    if (sp_take(p, ","))
        pass_over(p);
    bool ends = sp_end(p) || sp_sees(p, ";") || sp_sees(p, "assert") || sp_sees(p, "print");
    return ends ? !p->bad : sp_fail(p, "an operator, a message behind a comma, or a new statement");
}

struct script_assert *script_assert_parse(struct arena *arena, struct span file, struct span script,
                                          struct span text, struct script_error *err)
{
    struct script named = {.file = file};
    struct reader r = {.p = sp_of(&named, arena, err, script)};
    r.p.python = true;
    r.p.at = r.p.last = text.p;
    r.p.end = bytes_after(text.p, text.n);
    struct script_assert *first = sp_alloc(&r.p, sizeof(*first));
    struct script_assert **to = &first;
    bool any_yet = false;
    while (first && !sp_end(&r.p)) {
        if (sp_take(&r.p, ";"))
            continue;
        if (any_yet && !(*to = sp_alloc(&r.p, sizeof(**to))))
            return NULL;
        any_yet = true;
        if (!statement(&r, *to))
            return NULL;
        to = &(*to)->next;
    }
    return r.p.bad ? NULL : first;
}

/* ---- answering ---- */

static int64_t value_of(const struct node *n, const uint8_t *info);

static int64_t divide(int64_t a, int64_t b, bool rest)
{
    if (b == 0 || (a == INT64_MIN && b == -1))
        return 0;
    int64_t q = a / b, m = a % b;
    bool floors = m != 0 && (m < 0) != (b < 0);
    return rest ? (floors ? m + b : m) : q - floors;
}

static int64_t shift(int64_t a, int64_t b, bool left)
{
    if (b < 0 || b > 63)
        return left ? 0 : a < 0 ? -1 : 0;
    uint64_t u = (uint64_t)a;
    if (left)
        return (int64_t)(u << b);
    return a < 0 ? ~(int64_t)(~u >> b) : (int64_t)(u >> b);
}

/* What overflows wraps: nothing that is asserted comes near. */
static int64_t combine(enum op op, int64_t a, int64_t b)
{
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case OP_EQ: return a == b;
    case OP_NE: return a != b;
    case OP_LT: return a < b;
    case OP_LE: return a <= b;
    case OP_GT: return a > b;
    case OP_GE: return a >= b;
    case OP_BIT_OR: return a | b;
    case OP_BIT_XOR: return a ^ b;
    case OP_BIT_AND: return a & b;
    case OP_LEFT: return shift(a, b, true);
    case OP_RIGHT: return shift(a, b, false);
    case OP_ADD: return (int64_t)(ua + ub);
    case OP_SUB: return (int64_t)(ua - ub);
    case OP_MUL: return (int64_t)(ua * ub);
    case OP_DIV: return divide(a, b, false);
    case OP_MOD: return divide(a, b, true);
    case OP_MIN: return a < b ? a : b;
    case OP_MAX: return a > b ? a : b;
    case OP_NUMBER: case OP_MEMBER: case OP_NOT: case OP_NEGATE: case OP_INVERT: case OP_ABS:
    case OP_OR: case OP_AND:
        break;
    }
    ORIEL_ASSERT(op == OP_EQ);
    return 0;
}

static int64_t value_of(const struct node *n, const uint8_t *info)
{
    if (n->op == OP_NUMBER)
        return n->value;
    if (n->op == OP_MEMBER)
        return px_tcp_member(info, (int)n->value);
    int64_t a = value_of(n->a, info);
    if (n->op == OP_NOT)
        return a == 0;
    if (n->op == OP_NEGATE)
        return (int64_t)(0 - (uint64_t)a);
    if (n->op == OP_INVERT)
        return ~a;
    if (n->op == OP_ABS)
        return a < 0 ? (int64_t)(0 - (uint64_t)a) : a;
    if (n->op == OP_AND)
        return a != 0 && value_of(n->b, info) != 0;
    if (n->op == OP_OR)
        return a != 0 || value_of(n->b, info) != 0;
    return combine(n->op, a, value_of(n->b, info));
}

/* Each member that the expression names, once. */
static void tell(struct txt *t, const struct node *n, const uint8_t *info, uint64_t told[2])
{
    if (n->a)
        tell(t, n->a, info, told);
    if (n->b)
        tell(t, n->b, info, told);
    if (n->op != OP_MEMBER || (told[n->value / 64] & BIT64(n->value % 64)))
        return;
    told[n->value / 64] |= BIT64(n->value % 64);
    if (t->n > 0)
        txt_s(t, ", ");
    txt_s(t, px_tcp_member_name((int)n->value));
    txt_s(t, " is ");
    txt_i(t, px_tcp_member(info, (int)n->value));
}

bool script_assert_holds(const struct script_assert *a, const uint8_t *info,
                         struct script_line *bad)
{
    for (; a; a = a->next) {
        if (!a->tree || value_of(a->tree, info) != 0)
            continue;
        uint64_t told[2] = {0, 0};
        struct txt t = txt_of(bad->values, sizeof(bad->values));
        bad->line = a->line;
        bad->text = a->text;
        tell(&t, a->tree, info, told);
        return false;
    }
    return true;
}
