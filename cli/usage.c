/* Help on the terminal. */
#include "cli/usage.h"

#include "cli/out.h"
#include "lens/cells.h"

#define HELP_COL_MAX 30         /* where the sentences of options start, at most */
#define TEXT_MAX     2048

/* ---- shared with the man pages ---- */

struct span usage_paragraph(struct span *text)
{
    while (text->n > 0 && text->p[0] == '\n')
        *text = span_of(text->p + 1, text->n - 1);
    size_t n = 0;
    while (n < text->n && !(text->p[n] == '\n' && (n + 1 == text->n || text->p[n + 1] == '\n')))
        n++;
    struct span p = span_of(text->p, n);
    *text = span_of(text->p + n, text->n - n);
    return p;
}

void usage_page_name(struct txt *t, const struct verb *v)
{
    txt_s(t, "oriel-");
    for (const char *c = v->name; *c != '\0'; c++)
        txt_c(t, *c == ' ' ? '-' : *c);
}

void usage_option_text(struct txt *t, const struct opt *o)
{
    txt_s(t, o->help);
    char bounds[80];
    struct txt b = txt_of(bounds, sizeof bounds);
    opt_print_bounds(&b, o);
    if (b.n > 0) {
        txt_s(t, " ");
        txt_s(t, o->arg);
        txt_s(t, " is ");
        txt_s(t, bounds);
        txt_c(t, '.');
    }
    if (o->type == OPT_CHOICE) {
        txt_c(t, ' ');
        txt_s(t, o->arg);
        txt_s(t, " is one of ");
        for (const char *c = o->choices; *c != '\0'; c++) {
            txt_c(t, *c == '|' ? ',' : *c);
            if (*c == '|')
                txt_c(t, ' ');
        }
        txt_c(t, '.');
    }
    if (o->def && o->type == OPT_FLAG)
        txt_s(t, " This is the default.");
    else if (o->def) {
        txt_s(t, " The default is ");
        txt_s(t, o->def);
        txt_c(t, '.');
    }
    if (o->repeats)
        txt_s(t, " May be given several times.");
}

static void synopsis_option(struct txt *t, const struct opt *o)
{
    txt_s(t, " ");
    if (o->letter != 0) {
        txt_c(t, '-');
        txt_c(t, o->letter);
        txt_c(t, ' ');
    } else {
        txt_s(t, "--");
        txt_s(t, o->name);
        txt_c(t, '=');
    }
    txt_s(t, o->arg);
}

void usage_synopsis(struct txt *t, const struct verb *v)
{
    txt_s(t, "[OPTION]...");
    for (size_t i = 0; i < v->opts_n; i++)
        if (v->opts[i].required)
            synopsis_option(t, &v->opts[i]);
    for (size_t i = 0; i < v->operands_n; i++) {
        const struct operand *o = &v->operands[i];
        txt_s(t, o->min == 0 ? " [" : " ");
        txt_s(t, o->name);
        txt_s(t, o->min == 0 ? "]" : "");
        txt_s(t, o->max == 1 ? "" : "...");
    }
}

/* ---- lines ---- */

/* Text from column `indent` on, wrapped; the cursor stands at column `at`. */
static void put_wrapped(struct span text, unsigned at, unsigned indent, unsigned width)
{
    unsigned room = width > indent + 20 ? width - indent : 20;
    if (at >= indent && indent > 0) {   /* what stands to the left is too long: start below */
        out_str("\n");
        at = 0;
    }
    while (text.n > 0) {
        struct span line = cells_wrap(&text, room);
        out_f("%*s", (int)(indent - at), "");
        out_put(line);
        out_str("\n");
        at = 0;
    }
}

static void put_paragraphs(const char *text, unsigned indent, unsigned width)
{
    struct span rest = span_str(text);
    bool first = true;
    while (rest.n > 0) {
        struct span p = usage_paragraph(&rest);
        if (p.n == 0)
            break;
        if (!first)
            out_str("\n");
        put_wrapped(p, 0, indent, width);
        first = false;
    }
}

static void option_left(struct txt *t, const struct opt *o)
{
    if (o->letter != 0) {
        txt_c(t, '-');
        txt_c(t, o->letter);
        txt_s(t, ", ");
    } else {
        txt_s(t, "    ");
    }
    txt_s(t, o->negatable ? "--[no-]" : "--");
    txt_s(t, o->name);
    if (o->arg) {
        txt_c(t, '=');
        txt_s(t, o->arg);
    }
}

static unsigned left_width(const struct verb *v)
{
    unsigned most = 0;
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++) {
        char left[80];
        struct txt t = txt_of(left, sizeof left);
        option_left(&t, o);
        if (t.n > most)
            most = (unsigned)t.n;
    }
    return most + 4 < HELP_COL_MAX ? most + 4 : HELP_COL_MAX;     /* blanks around */
}

static void put_entry(const char *left, const char *right, unsigned col, unsigned width)
{
    out_f("  %s", left);
    put_wrapped(span_str(right), 2 + (unsigned)strlen(left), col, width);
}

static void put_options(const struct verb *v, unsigned width)
{
    unsigned col = left_width(v);
    const struct opt *o;
    out_str("\nOptions:\n");
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++) {
        char left[80];
        struct txt l = txt_of(left, sizeof left);
        option_left(&l, o);
        char right[TEXT_MAX];
        struct txt r = txt_of(right, sizeof right);
        usage_option_text(&r, o);
        put_entry(left, right, col, width);
    }
}

static void put_operands(const struct verb *v, unsigned width)
{
    if (v->operands_n == 0)
        return;
    out_str("\nOperands:\n");
    for (size_t i = 0; i < v->operands_n; i++)
        put_entry(v->operands[i].name, v->operands[i].help, left_width(v), width);
}

static void put_exits(const struct verb *v, unsigned width)
{
    out_str("\nExit status:\n");
    put_entry("0", "It went well.", 5, width);
    for (size_t i = 0; i < v->exits_n; i++) {
        char left[4] = {(char)('0' + v->exits[i].status), '\0'};
        if (v->exits[i].status < EXIT_USAGE)
            put_entry(left, v->exits[i].says, 5, width);
    }
    put_entry("2", "The command line makes no sense.", 5, width);
    for (size_t i = 0; i < v->exits_n; i++) {
        char left[4] = {(char)('0' + v->exits[i].status), '\0'};
        if (v->exits[i].status > EXIT_USAGE)
            put_entry(left, v->exits[i].says, 5, width);
    }
}

void usage_verb(const struct verb *v, unsigned width)
{
    char synopsis[TEXT_MAX];
    struct txt t = txt_of(synopsis, sizeof synopsis);
    usage_synopsis(&t, v);
    char head[TEXT_MAX];
    struct txt h = txt_of(head, sizeof head);
    txt_s(&h, "oriel ");
    txt_s(&h, v->name);
    txt_s(&h, ": ");
    txt_s(&h, v->summary);
    put_wrapped(span_of(h.p, h.n), 0, 0, width);
    out_f("\nUsage: oriel %s %s\n\n", v->name, synopsis);
    put_paragraphs(v->text, 0, width);
    put_operands(v, width);
    put_options(v, width);
    put_exits(v, width);
    if (v->examples_n > 0)
        out_str("\nExamples:\n");
    for (size_t i = 0; i < v->examples_n; i++) {
        out_f("  %s\n", v->examples[i].command);
        put_wrapped(span_str(v->examples[i].says), 0, 6, width);
    }
}

/* ---- all verbs ---- */

static bool in_family(const struct verb *v, const char *family)
{
    size_t n = family ? strlen(family) : 0;
    return n == 0 || (strncmp(v->name, family, n) == 0 && v->name[n] == ' ');
}

void usage_overview(unsigned width, const char *family)
{
    unsigned col = 0;
    const struct verb *v;
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++)
        if (in_family(v, family) && strlen(v->name) + 4 > col)
            col = (unsigned)strlen(v->name) + 4;
    if (family)
        out_f("Usage: oriel %s VERB [OPTION]... [OPERAND]...\n\n", family);
    else
        out_f("Oriel %s: a TCP/IP stack that lives in your process and tells you why.\n\n"
              "Usage: oriel VERB [OPTION]... [OPERAND]...\n\n",
              ORIEL_VERSION);
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++)
        if (in_family(v, family))
            put_entry(v->name, v->summary, col, width);
    out_f("\n`oriel help VERB` says more about each.\n");
}
