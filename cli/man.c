/*
 * Man pages in mdoc. Text of ours may hold whatever mdoc takes for markup: backslashes, a dot or an
 * apostrophe at the start of a line, and, on lines of macros, words that are names of macros. A
 * sentence starts a line of its own, as the format wants it.
 */
#include "cli/out.h"
#include "cli/usage.h"

#define MAN_DATE "November 21, 2026"
#define TEXT_MAX 2048

static void put_char(char c)
{
    if (c == '\\')
        out_str("\\e");
    else if (c == '"')
        out_str("\\(dq");         /* on a line of macros it would group words */
    else
        out_put(span_of(&c, 1));
}

/* A line of text; what would be a request or a macro is none. */
static void put_line(struct span s)
{
    if (s.n > 0 && (s.p[0] == '.' || s.p[0] == '\''))
        out_str("\\&");
    for (size_t i = 0; i < s.n; i++)
        put_char((char)s.p[i]);
    out_str("\n");
}

static bool ends_sentence(struct span s, size_t i)
{
    bool stop = s.p[i] == '.' || s.p[i] == '?' || s.p[i] == '!';
    return stop && i + 2 < s.n && s.p[i + 1] == ' ' && s.p[i + 2] >= 'A' && s.p[i + 2] <= 'Z';
}

static void put_text(struct span s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n' || ends_sentence(s, i)) {
            size_t to = s.p[i] == '\n' ? i : i + 1;
            put_line(span_of(s.p + from, to - from));
            from = to + 1;
        }
    }
    if (from < s.n)
        put_line(span_of(s.p + from, s.n - from));
}

static void put_paragraphs(const char *text)
{
    struct span rest = span_str(text);
    for (bool first = true; rest.n > 0; first = false) {
        struct span p = usage_paragraph(&rest);
        if (p.n == 0)
            return;
        if (!first)
            out_str(".Pp\n");
        put_text(p);
    }
}

/* Words on a line of macros: each is kept from being one. */
static void put_words(const char *words)
{
    for (bool start = true; *words != '\0'; words++) {
        if (start && *words >= 'A' && *words <= 'Z')
            out_str("\\&");
        put_char(*words);
        start = *words == ' ';
    }
}

static void put_head(const char *page)
{
    out_str(".\\\" Made by `oriel help --man`.\n");
    out_f(".Dd %s\n.Dt ", MAN_DATE);
    for (const char *c = page; *c != '\0'; c++)
        put_char(*c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c);
    out_f(" 1\n.Os Oriel %s\n.Sh NAME\n.Nm %s\n.Nd ", ORIEL_VERSION, page);
}

/* ---- one verb ---- */

static void synopsis_option(const struct opt *o)
{
    if (o->letter != 0 && o->arg)
        out_f("Fl %c Ar %s\n", o->letter, o->arg);
    else if (o->letter != 0)
        out_f("Fl %c\n", o->letter);
    else if (o->arg)
        out_f("Fl -%s Ns = Ns Ar %s\n", o->name, o->arg);
    else
        out_f("Fl -%s%s\n", o->negatable && o->def ? "no-" : "", o->name);
}

static void put_synopsis(const struct verb *v)
{
    out_f(".Sh SYNOPSIS\n.Nm oriel %s\n", v->name);
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++) {
        out_str(o->required ? "." : ".Op ");
        synopsis_option(o);
    }
    for (size_t i = 0; i < v->operands_n; i++) {
        const struct operand *p = &v->operands[i];
        out_f(".%sAr %s%s\n", p->min == 0 ? "Op " : "", p->name, p->max == 1 ? "" : " ...");
    }
}

static void put_option(const struct opt *o)
{
    out_str(".It ");
    if (o->letter != 0 && o->arg)
        out_f("Fl %c Ar %s , ", o->letter, o->arg);
    else if (o->letter != 0)
        out_f("Fl %c , ", o->letter);
    out_f("Fl -%s", o->name);
    if (o->arg)
        out_f(" Ns = Ns Ar %s", o->arg);
    if (o->negatable)
        out_f(" , Fl -no-%s", o->name);
    out_str("\n");
    char text[TEXT_MAX];
    struct txt t = txt_of(text, sizeof text);
    usage_option_text(&t, o);
    put_text(span_of(t.p, t.n));
}

static void put_description(const struct verb *v)
{
    out_str(".Sh DESCRIPTION\n");
    put_paragraphs(v->text);
    if (v->operands_n > 0) {
        out_str(".Pp\nThe operands are as follows:\n.Bl -tag -width Ds\n");
        for (size_t i = 0; i < v->operands_n; i++) {
            out_f(".It Ar %s\n", v->operands[i].name);
            put_text(span_str(v->operands[i].help));
        }
        out_str(".El\n");
    }
    out_str(".Pp\nThe options are as follows:\n.Bl -tag -width Ds\n");
    const struct opt *o;
    for (size_t i = 0; (o = opt_at(v, i)) != NULL; i++)
        put_option(o);
    out_str(".El\n");
}

static void put_exit(int status, const char *says)
{
    out_f(".It %d\n", status);
    put_text(span_str(says));
}

static void put_exits(const struct verb *v)
{
    out_str(".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    put_exit(EXIT_OK, "It went well.");
    for (size_t i = 0; i < v->exits_n; i++)
        if (v->exits[i].status < EXIT_USAGE)
            put_exit((int)v->exits[i].status, v->exits[i].says);
    put_exit(EXIT_USAGE, "The command line makes no sense.");
    for (size_t i = 0; i < v->exits_n; i++)
        if (v->exits[i].status > EXIT_USAGE)
            put_exit((int)v->exits[i].status, v->exits[i].says);
    out_str(".El\n");
}

static void put_examples(const struct verb *v)
{
    if (v->examples_n == 0)
        return;
    out_str(".Sh EXAMPLES\n");
    for (size_t i = 0; i < v->examples_n; i++) {
        if (i > 0)
            out_str(".Pp\n");
        put_text(span_str(v->examples[i].says));
        out_str(".Pp\n.Dl ");
        put_words(v->examples[i].command);
        out_str("\n");
    }
}

static void put_see_also(const struct verb *v)
{
    out_str(".Sh SEE ALSO\n.Xr oriel 1");
    const char *c = v->see_also ? v->see_also : "";
    while (*c != '\0') {
        size_t n = strcspn(c, " ");
        out_f(" ,\n.Xr oriel-%.*s 1", (int)n, c);
        c += n + (c[n] == ' ');
    }
    out_str("\n");
}

void man_verb(const struct verb *v)
{
    char page[80];
    struct txt t = txt_of(page, sizeof page);
    usage_page_name(&t, v);
    put_head(page);
    put_words(v->summary);
    out_str("\n");
    put_synopsis(v);
    put_description(v);
    put_exits(v);
    put_examples(v);
    put_see_also(v);
}

/* ---- all of them ---- */

static void put_sentence(const char *summary)
{
    char text[TEXT_MAX];
    struct txt t = txt_of(text, sizeof text);
    char first = summary[0];
    txt_c(&t, first >= 'a' && first <= 'z' ? (char)(first - 'a' + 'A') : first);
    txt_s(&t, first == '\0' ? "" : summary + 1);
    txt_c(&t, '.');
    put_line(span_of(t.p, t.n));
}

/* The verb that comes after `name` in the alphabet; NULL when none does. */
static const struct verb *next_by_name(const char *name)
{
    const struct verb *best = NULL;
    const struct verb *v;
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++)
        if (strcmp(v->name, name) > 0 && (!best || strcmp(v->name, best->name) < 0))
            best = v;
    return best;
}

static void put_environment(void)
{
    static const char *const variables[][2] = {
        {"CLICOLOR_FORCE", "Set, and not 0: colours even where the output is no terminal."},
        {"COLUMNS", "The width of the output, before what the terminal says."},
        {"LC_ALL , LC_CTYPE , LANG",
         "The characters of the locale. Where they are not UTF-8, drawings are in ASCII."},
        {"NO_COLOR", "Set, and not empty: no colours."},
        {"TERM", "If dumb: no colours."},
    };
    out_str(".Sh ENVIRONMENT\n.Bl -tag -width CLICOLOR_FORCE\n");
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        out_f(".It Ev %s\n", variables[i][0]);
        put_text(span_str(variables[i][1]));
    }
    out_str(".El\n");
}

static void put_all_exits(void)
{
    static const char *const exits[] = {
        "It went well.",
        "A negative answer: no reply, a test failed, a file is damaged.",
        "The command line makes no sense.",
        "Cannot set up: a device, a permission, a file to write.",
        "A name cannot be resolved.",
        "Refused.",
        "Unreachable.",
        "Timed out.",
        "Reset, or the other side broke the protocol.",
    };
    out_str(".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < ARRAY_LEN(exits); i++)
        put_exit((int)i, exits[i]);
    out_str(".El\n");
}

void man_overview(void)
{
    put_head("oriel");
    out_str("a TCP/IP stack that tells you why\n");
    out_str(".Sh SYNOPSIS\n.Nm\n.Ar verb\n.Op Ar option ...\n.Op Ar operand ...\n"
            ".Nm\n.Fl -version\n"
            ".Sh DESCRIPTION\n"
            ".Nm\nshows what a TCP/IP stack does and why it does it.\n"
            "The verbs are as follows:\n.Bl -tag -width Ds\n");
    const struct verb *v;
    for (size_t i = 0; (v = verb_at(i)) != NULL; i++) {
        char page[80];
        struct txt t = txt_of(page, sizeof page);
        usage_page_name(&t, v);
        out_f(".It Cm %s\n", v->name);
        put_sentence(v->summary);
        out_f("See\n.Xr %s 1 .\n", page);
    }
    out_str(".El\n.Pp\n"
            "Data goes to standard output, everything else to standard error.\n"
            "With\n.Fl -version\nit prints its version.\n");
    put_environment();
    put_all_exits();
    out_str(".Sh SEE ALSO\n");
    for (v = next_by_name(""); v; v = next_by_name(v->name)) {
        char page[80];
        struct txt t = txt_of(page, sizeof page);
        usage_page_name(&t, v);
        out_f(".Xr %s 1%s\n", page, next_by_name(v->name) ? " ," : "");
    }
}
