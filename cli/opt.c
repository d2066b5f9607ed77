/*
 * Parsing of a command line by a table.
 *
 * Options are looked up by name in a list of a dozen, each time they are asked for: there is
 * nothing to keep in step with the table. Numbers are read without floating point: "1.5ms" is 15
 * tenths of a unit of 1,000,000, and what does not come out even is refused, not rounded.
 */
#include "cli/opt.h"

#include "cli/verbs.h"
#include "lens/syntax.h"

#include <stdio.h>

#define NEAR_WORDS_MAX 64       /* options among which the nearest is looked for */
#define NEAR_NAME_MAX  40

static const struct opt opt_common[] = {
    {.name = "color", .type = OPT_CHOICE, .arg = "WHEN", .choices = "auto|always|never",
     .def = "auto",
     .help = "Colour the output. auto: on a terminal, unless NO_COLOR is set or TERM is dumb."},
    {.name = "help", .letter = 'h', .type = OPT_FLAG, .help = "Show this help."},
};

const struct opt *opt_at(const struct verb *v, size_t i)
{
    if (i < v->opts_n)
        return &v->opts[i];
    i -= v->opts_n;
    return i < ARRAY_LEN(opt_common) ? &opt_common[i] : NULL;
}

static bool is_number(enum opt_type type)
{
    return type == OPT_UINT || type == OPT_DURATION || type == OPT_RATE || type == OPT_SIZE ||
           type == OPT_PERCENT;
}

/* ---- values ---- */

struct unit {
    const char *name;       /* "" : a number alone */
    uint64_t value;
};

static const struct unit duration_units[] = {
    {"h", 3600000000000}, {"min", 60000000000}, {"m", 60000000000}, {"s", 1000000000},
    {"", 1000000000},     {"ms", 1000000},      {"us", 1000},       {"\xc2\xb5s", 1000},
    {"ns", 1},            {NULL, 0},
};

static const struct unit rate_units[] = {
    {"tbit", 1000000000000}, {"gbit", 1000000000}, {"mbit", 1000000}, {"kbit", 1000}, {"bit", 1},
    {"", 1},                 {NULL, 0},
};

static const struct unit size_units[] = {
    {"G", 1u << 30}, {"GiB", 1u << 30}, {"M", 1u << 20}, {"MiB", 1u << 20}, {"k", 1u << 10},
    {"KiB", 1u << 10}, {"", 1}, {"B", 1}, {NULL, 0},
};

static const struct unit percent_units[] = {{"%", 10000}, {"", 10000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum opt_type type)
{
    switch (type) {
    case OPT_DURATION: return duration_units;
    case OPT_RATE:     return rate_units;
    case OPT_SIZE:     return size_units;
    case OPT_PERCENT:  return percent_units;
    case OPT_UINT:
    case OPT_FLAG:
    case OPT_TEXT:
    case OPT_FILE:
    case OPT_CHOICE:   break;
    }
    return no_units;
}

static const char *expected_of(enum opt_type type)
{
    switch (type) {
    case OPT_DURATION: return "a duration such as 10s, 1.5s, 20ms or 250us";
    case OPT_RATE:     return "a rate such as 9600bit, 64kbit, 10mbit or 1gbit";
    case OPT_SIZE:     return "a size such as 1500, 64k or 1M";
    case OPT_PERCENT:  return "a percentage such as 2% or 0.5%";
    case OPT_UINT:     return "a whole number";
    case OPT_FLAG:
    case OPT_TEXT:
    case OPT_FILE:
    case OPT_CHOICE:   break;
    }
    return "a text";
}

static bool same_unit(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        char la = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
        char lb = *b >= 'A' && *b <= 'Z' ? (char)(*b - 'A' + 'a') : *b;
        if (la != lb)
            return false;
    }
    return *a == *b;
}

static uint64_t unit_named(const struct unit *units, const char *name)
{
    for (; units->name; units++)
        if (same_unit(units->name, name))
            return units->value;
    return 0;
}

/* Digits with at most one point: the number without the point, and what it is to be divided by. */
static const char *scan_decimal(const char *text, uint64_t *digits, uint64_t *divisor)
{
    bool point = false;
    bool any = false;
    *digits = 0;
    *divisor = 1;
    for (; (*text >= '0' && *text <= '9') || (*text == '.' && !point); text++) {
        if (*text == '.') {
            point = true;
            continue;
        }
        unsigned d = (unsigned)(*text - '0');
        if (*digits > (UINT64_MAX - d) / 10 || *divisor > UINT64_MAX / 10)
            return NULL;
        *digits = *digits * 10 + d;
        *divisor *= point ? 10 : 1;
        any = true;
    }
    return any ? text : NULL;
}

/* In the unit of the type; false when it is no such value, or not a whole one. */
static bool scan_value(enum opt_type type, const char *text, uint64_t *out)
{
    if (type == OPT_UINT)
        return txt_parse_u(span_str(text), UINT64_MAX, out);
    uint64_t digits, divisor;
    const char *rest = scan_decimal(text, &digits, &divisor);
    if (!rest)
        return false;
    uint64_t unit = unit_named(units_of(type), rest);
    if (unit == 0 || (digits != 0 && unit > UINT64_MAX / digits))
        return false;
    uint64_t v = digits * unit;
    *out = v / divisor;
    return v % divisor == 0;
}

void opt_print_value(struct txt *t, enum opt_type type, uint64_t value)
{
    const struct unit *u = units_of(type);
    if (value == 0) {
        txt_c(t, '0');
        return;
    }
    while (type != OPT_PERCENT && u[1].name && value % u->value != 0)
        u++;
    txt_u(t, value / u->value);
    if (value % u->value != 0) {        /* a percentage: parts in ten thousand */
        txt_c(t, '.');
        txt_u_pad(t, value % u->value, 4, '0');
    }
    txt_s(t, u->name);
}

static uint64_t max_of(const struct opt *o)
{
    if (o->max != 0)
        return o->max;
    return o->type == OPT_PERCENT ? 1000000 : UINT64_MAX;
}

void opt_print_bounds(struct txt *t, const struct opt *o)
{
    if (!is_number(o->type) || (o->min == 0 && o->max == 0))
        return;
    if (o->max == 0) {
        txt_s(t, "from ");
        opt_print_value(t, o->type, o->min);
        txt_s(t, " on");
        return;
    }
    opt_print_value(t, o->type, o->min);
    txt_s(t, "..");
    opt_print_value(t, o->type, o->max);
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *c = choices; *c != '\0';) {
        size_t len = strcspn(c, "|");
        if (len == n && memcmp(c, text, n) == 0)
            return true;
        c += len + (c[len] == '|');
    }
    return false;
}

/* "'x' is not a whole number". Always false. */
static bool value_fails(char *error, const char *text, const char *what, const char *more)
{
    snprintf(error, OPT_ERROR_MAX, "'%s' %s%s", text, what, more);
    return false;
}

bool opt_value(const struct opt *o, const char *text, uint64_t *out, char error[OPT_ERROR_MAX])
{
    *out = 0;
    if (o->type == OPT_CHOICE && !is_choice(o->choices, text))
        return value_fails(error, text, "is not one of ", o->choices);
    if (o->type == OPT_FILE && text[0] == '\0')
        return value_fails(error, text, "is not the name of a file", "");
    if (!is_number(o->type))
        return true;
    if (!scan_value(o->type, text, out))
        return value_fails(error, text, "is not ", expected_of(o->type));
    if (*out >= o->min && *out <= max_of(o))
        return true;
    char bounds[80];
    struct txt t = txt_of(bounds, sizeof bounds);
    opt_print_bounds(&t, o);
    return value_fails(error, text, "is out of bounds: ", bounds[0] != '\0' ? bounds : "0%..100%");
}

/* ---- looking up ---- */

static const struct opt *named(const struct verb *v, const char *name, size_t n)
{
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

static const struct opt *lettered(const struct verb *v, char letter)
{
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++)
        if (o->letter == letter)
            return o;
    return NULL;
}

/* Does a known word begin with what was typed? Then it was meant, whatever the distance. */
static bool begins(const char *word, const char *typed)
{
    size_t n = strlen(typed);
    return n >= 2 && strlen(word) > n && memcmp(word, typed, n) == 0;
}

const char *opt_nearest(const char *typed, const char *const *words, size_t n)
{
    size_t len = strlen(typed);
    unsigned best = len <= 3 ? 1 : len <= 6 ? 2 : 3;
    const char *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (begins(words[i], typed))
            return words[i];
        unsigned d = edit_distance(span_str(typed), span_str(words[i]), best);
        if (d < best || (d == best && !found)) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

/* `what` is the whole option as typed, `name` the part of it that names an option. Always false. */
static bool unknown(const struct verb *v, const char *what, const char *name, char *error)
{
    char negated[NEAR_WORDS_MAX][NEAR_NAME_MAX];
    const char *words[2 * NEAR_WORDS_MAX];
    size_t n = 0;
    const struct opt *o;
    for (size_t i = 0; i < NEAR_WORDS_MAX && (o = opt_at(v, i)) != NULL; i++) {
        words[n++] = o->name;
        snprintf(negated[i], sizeof negated[i], "no-%s", o->name);
        if (o->negatable)
            words[n++] = negated[i];
    }
    const char *near = opt_nearest(name, words, n);
    if (near)
        snprintf(error, OPT_ERROR_MAX, "there is no option %s; did you mean --%s?", what, near);
    else
        snprintf(error, OPT_ERROR_MAX, "there is no option %s", what);
    return false;
}

/* ---- parsing ---- */

struct parser {
    struct args *a;
    int argc;
    char **argv;
    int next;               /* argument to look at */
    char *error;
};

static bool keep(struct parser *p, const struct opt *o, const char *text, uint64_t value)
{
    struct args *a = p->a;
    if (a->given_n == OPT_GIVEN_MAX) {
        snprintf(p->error, OPT_ERROR_MAX, "there are more than %d options", OPT_GIVEN_MAX);
        return false;
    }
    a->given[a->given_n++] = (struct opt_given){.opt = o, .text = text, .value = value};
    return true;
}

/* `text` is the argument where it stands in the same word, or NULL: it is the next word. */
static bool take_value(struct parser *p, const struct opt *o, const char *text)
{
    if (!text && p->next == p->argc) {
        snprintf(p->error, OPT_ERROR_MAX, "option --%s needs an argument: %s", o->name, o->arg);
        return false;
    }
    if (!text)
        text = p->argv[p->next++];
    char why[OPT_ERROR_MAX];
    uint64_t value;
    if (!opt_value(o, text, &value, why)) {
        snprintf(p->error, OPT_ERROR_MAX, "option --%s: %.*s", o->name, OPT_ERROR_MAX - 40, why);
        return false;
    }
    return keep(p, o, text, value);
}

static bool take_long(struct parser *p, const char *word)
{
    const char *name = word + 2;
    size_t n = strcspn(name, "=");
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    const struct opt *o = named(p->a->verb, name, n);
    bool no = false;
    if (!o && n > 3 && memcmp(name, "no-", 3) == 0) {
        o = named(p->a->verb, name + 3, n - 3);
        if (o && !o->negatable)
            o = NULL;
        no = o != NULL;
    }
    char typed[OPT_ERROR_MAX / 4];
    snprintf(typed, sizeof typed, "%.*s", (int)(n < sizeof typed ? n : sizeof typed - 1), name);
    if (!o) {
        char what[OPT_ERROR_MAX / 4 + 2];
        snprintf(what, sizeof what, "--%s", typed);
        return unknown(p->a->verb, what, typed, p->error);
    }
    if (o->type != OPT_FLAG)
        return take_value(p, o, value);
    if (value) {
        snprintf(p->error, OPT_ERROR_MAX, "option --%s takes no argument", typed);
        return false;
    }
    return keep(p, o, NULL, !no);
}

/* -x, -xq, -c5, -c 5 */
static bool take_cluster(struct parser *p, const char *word)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        const struct opt *o = lettered(p->a->verb, *c);
        if (!o) {
            char what[OPT_ERROR_MAX / 4];
            if (c == word + 1 && c[1] != '\0')      /* perhaps a long one with a dash too few */
                snprintf(what, sizeof what, "%.60s", word);
            else
                snprintf(what, sizeof what, "-%c", *c);
            return unknown(p->a->verb, what, word + 1, p->error);
        }
        if (o->type != OPT_FLAG)
            return take_value(p, o, c[1] != '\0' ? c + 1 : NULL);
        if (!keep(p, o, NULL, 1))
            return false;
    }
    return true;
}

/* How many operands the verb takes at least and at most; 0: any number. */
static void operand_counts(const struct verb *v, size_t *min, size_t *max)
{
    *min = *max = 0;
    bool open = false;
    for (size_t i = 0; i < v->operands_n; i++) {
        *min += v->operands[i].min;
        *max += v->operands[i].max;
        open = open || v->operands[i].max == 0;
    }
    if (open)
        *max = SIZE_MAX;
}

static bool counts_fit(const struct args *a, char *error)
{
    const struct verb *v = a->verb;
    size_t min, max;
    operand_counts(v, &min, &max);
    if (a->operands_n > max) {
        snprintf(error, OPT_ERROR_MAX, "'%.100s' is one word too many", a->operands[max]);
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; i < v->operands_n && a->operands_n < min; i++) {
        n += v->operands[i].min;
        if (a->operands_n >= n)
            continue;
        snprintf(error, OPT_ERROR_MAX, "%s is missing", v->operands[i].name);
        return false;
    }
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++) {
        if (!o->required || opt_given(a, o->name))
            continue;
        if (o->letter != 0)
            snprintf(error, OPT_ERROR_MAX, "-%c %s is missing", o->letter, o->arg);
        else
            snprintf(error, OPT_ERROR_MAX, "--%s %s is missing", o->name, o->arg);
        return false;
    }
    return true;
}

bool opt_parse(struct args *a, const struct verb *v, int argc, char **argv,
               char error[OPT_ERROR_MAX])
{
    opt_check(v);
    *a = (struct args){.verb = v, .operands = argv};
    struct parser p = {.a = a, .argc = argc, .argv = argv, .error = error};
    bool ended = false;
    while (p.next < argc) {
        char *word = argv[p.next++];
        if (!ended && strcmp(word, "--") == 0) {
            ended = true;
        } else if (!ended && word[0] == '-' && word[1] == '-') {
            if (!take_long(&p, word))
                return false;
        } else if (!ended && word[0] == '-' && word[1] != '\0') {
            if (!take_cluster(&p, word))
                return false;
        } else {
            a->operands[a->operands_n++] = word;    /* never ahead of p.next */
            ended = ended || v->stops_at_operand;
        }
    }
    return opt_on(a, "help") || counts_fit(a, error);
}

/* ---- answers ---- */

/* An option that the verb must have: asking for another is our mistake. */
static const struct opt *must_have(const struct args *a, const char *name)
{
    const struct opt *o = named(a->verb, name, strlen(name));
    ORIEL_ASSERT(o != NULL);
    return o;
}

static const struct opt_given *last_of(const struct args *a, const struct opt *o)
{
    for (size_t i = a->given_n; i > 0; i--)
        if (a->given[i - 1].opt == o)
            return &a->given[i - 1];
    return NULL;
}

bool opt_given(const struct args *a, const char *name)
{
    return last_of(a, must_have(a, name)) != NULL;
}

bool opt_on(const struct args *a, const char *name)
{
    const struct opt *o = must_have(a, name);
    ORIEL_ASSERT(o->type == OPT_FLAG);
    const struct opt_given *g = last_of(a, o);
    return g ? g->value != 0 : o->def != NULL;
}

uint64_t opt_u64(const struct args *a, const char *name)
{
    const struct opt *o = must_have(a, name);
    ORIEL_ASSERT(is_number(o->type));
    const struct opt_given *g = last_of(a, o);
    if (g || !o->def)
        return g ? g->value : 0;
    uint64_t v;
    bool good = scan_value(o->type, o->def, &v);
    ORIEL_ASSERT(good);
    return v;
}

const char *opt_text(const struct args *a, const char *name)
{
    const struct opt *o = must_have(a, name);
    ORIEL_ASSERT(o->type != OPT_FLAG);
    const struct opt_given *g = last_of(a, o);
    return g ? g->text : o->def;
}

size_t opt_times(const struct args *a, const char *name)
{
    const struct opt *o = must_have(a, name);
    size_t n = 0;
    for (size_t i = 0; i < a->given_n; i++)
        n += a->given[i].opt == o;
    return n;
}

const struct opt_given *opt_nth(const struct args *a, const char *name, size_t i)
{
    const struct opt *o = must_have(a, name);
    for (size_t k = 0; k < a->given_n; k++)
        if (a->given[k].opt == o && i-- == 0)
            return &a->given[k];
    return NULL;
}

bool opt_join_operands(const struct args *a, char *out, size_t cap)
{
    struct txt t = txt_of(out, cap);
    for (size_t i = 0; i < a->operands_n; i++) {
        if (i > 0)
            txt_c(&t, ' ');
        txt_s(&t, a->operands[i]);
    }
    return !t.cut;
}

/* ---- the table itself ---- */

void opt_check(const struct verb *v)
{
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++) {
        ORIEL_ASSERT(o->name != NULL);
        ORIEL_ASSERT(o->help != NULL);
        ORIEL_ASSERT((o->arg == NULL) == (o->type == OPT_FLAG));
        ORIEL_ASSERT((o->choices == NULL) == (o->type != OPT_CHOICE));
        ORIEL_ASSERT(o->max == 0 || o->min <= o->max);
        ORIEL_ASSERT(named(v, o->name, strlen(o->name)) == o);
        ORIEL_ASSERT(o->letter == 0 || lettered(v, o->letter) == o || i >= v->opts_n);
        char error[OPT_ERROR_MAX];
        uint64_t value;
        ORIEL_ASSERT(!o->def || o->type == OPT_FLAG || opt_value(o, o->def, &value, error));
    }
}
