/*
 * oriel lab run: build the world of a scenario, let it happen, ask whether what was expected came.
 *
 * What applications print goes out as it comes; with a ladder it is kept until the ladder is drawn.
 * Then come the expectations that do not hold, and a summary.
 */
#define _GNU_SOURCE
#include "cli/json.h"
#include "cli/labrun.h"
#include "cli/out.h"
#include "cli/term.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REPORT_BYTES 2048

static const struct opt opts[] = {
    LABRUN_OPTS,
    {.name = "verbose", .letter = 'v', .type = OPT_FLAG,
     .help = "Show the expectations that hold, too."},
    {.name = "json", .type = OPT_FLAG, .help = "Print a JSON object a line."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG,
     .help = "Print only what does not hold; nothing when everything does."},
};

static const struct operand operands[] = {
    {.name = "NAME", .min = 1, .max = 1, .words = "oriel lab list --names",
     .help = "A name that `oriel lab list` shows, the beginning of one, or the path of a file."},
};

static const struct verb_example examples[] = {
    {"oriel lab run hello --ladder", "Who says what to whom, and why."},
    {"oriel lab run two-hosts --set loss=20% --seed 3", "The same with losses."},
    {"oriel lab run fragment -w run.pcapng --vantage both",
     "Two captures, one of each end: run.x.pcapng and run.b.pcapng."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "An expectation does not hold, or something that the scenario wanted to do "
                    "could not be done. A scenario that cannot be read gives 2."},
    {EXIT_SETUP, "A file cannot be written."},
};

/* ---- what applications print ---- */

struct lines {
    bool json;
    FILE *kept;                 /* NULL: straight to standard output */
    char *text;
    size_t n;
    char line[1024];            /* JSON: what came of a line so far */
    size_t line_n;
};

static void put_json_line(struct lines *l)
{
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "event", "output");
    json_str(&j, "text", span_of(l->line, l->line_n));
    json_end(&j);
    l->line_n = 0;
}

static bool put_lines(void *ctx, struct span bytes)
{
    struct lines *l = ctx;
    if (!l->json && !l->kept) {
        out_put(bytes);
        return true;
    }
    if (!l->json)
        return fwrite(bytes.p, 1, bytes.n, l->kept) == bytes.n;
    for (size_t i = 0; i < bytes.n; i++) {
        if (bytes.p[i] == '\n')
            put_json_line(l);
        else if (l->line_n < sizeof l->line)
            l->line[l->line_n++] = (char)bytes.p[i];
    }
    return true;
}

/* ---- the report ---- */

static void report_json(const struct lab *l, bool good)
{
    struct json j;
    for (uint16_t i = 0; i < l->s->expects_n; i++) {
        const struct lab_result *r = &l->results[i];
        json_begin(&j, out_sink());
        json_text(&j, "event", "expectation");
        json_u(&j, "line", r->line);
        json_str(&j, "text", r->e->text);
        json_bool(&j, "holds", r->holds);
        if (!r->holds)
            json_text(&j, "seen", r->seen);
        json_end(&j);
    }
    for (uint16_t i = 0; i < l->troubles_n; i++) {
        json_begin(&j, out_sink());
        json_text(&j, "event", "trouble");
        json_u(&j, "line", l->troubles[i].line);
        json_text(&j, "text", l->troubles[i].text);
        json_end(&j);
    }
    json_begin(&j, out_sink());
    json_text(&j, "event", "end");
    json_str(&j, "lab", l->s->file);
    json_u(&j, "seed", l->seed);
    json_u(&j, "time_ns", l->w->env.now);
    json_u(&j, "frames", l->frames);
    json_bool(&j, "holds", good);
    json_end(&j);
}

static void say(const struct term *t, enum term_style style, const char *word,
                const struct txt *what)
{
    const char *end = term_style(t, style)[0] != '\0' ? term_style(t, TERM_PLAIN) : "";
    out_f("%s%s%s", term_style(t, style), word, end);
    out_txt(what);
    out_str("\n");
}

static void report(const struct labrun *r, bool good)
{
    const struct lab *l = r->lab;
    struct term term = term_of(stdout, opt_text(r->args, "color"));
    bool verbose = opt_on(r->args, "verbose"), quiet = opt_on(r->args, "quiet");
    char text[REPORT_BYTES];
    unsigned held = 0;
    for (uint16_t i = 0; i < l->s->expects_n; i++) {
        const struct lab_result *x = &l->results[i];
        struct txt t = txt_of(text, sizeof text);
        lab_print_result(&t, l, x);
        held += x->holds;
        if (!x->holds)
            say(&term, TERM_BAD, "FAILS ", &t);
        else if (verbose)
            say(&term, TERM_GOOD, "holds ", &t);
    }
    for (uint16_t i = 0; i < l->troubles_n; i++) {
        struct txt t = txt_of(text, sizeof text);
        lab_print_trouble(&t, l, &l->troubles[i]);
        say(&term, TERM_BAD, "FAILS ", &t);
    }
    if (quiet)
        return;
    struct txt t = txt_of(text, sizeof text);
    txt_span(&t, l->s->file);
    txt_s(&t, ": ");
    txt_u(&t, held);
    txt_s(&t, " of ");
    txt_u(&t, l->s->expects_n);
    txt_s(&t, " expectations hold; ");
    txt_u(&t, l->frames);
    txt_s(&t, " frames seen in ");
    txt_seconds(&t, l->w->env.now, 6);
    txt_s(&t, " s, seed ");
    txt_u(&t, l->seed);
    say(&term, good ? TERM_GOOD : TERM_BAD, "", &t);
}

/* Reasons that an expectation named and that happened: for the gate that wants each one shown. */
static int note_reasons(const struct lab *l)
{
    const char *path = getenv("ORIEL_REASONS_OUT");
    FILE *f = path ? fopen(path, "ae") : NULL;
    if (path && !f) {
        out_error("lab run", "cannot write %s: %s", path, strerror(errno));
        return EXIT_SETUP;
    }
    for (uint16_t i = 0; f && i < l->s->expects_n; i++) {
        const struct lab_result *r = &l->results[i];
        if (r->why != WHY_NONE)
            fprintf(f, "why %s\n", why_of(r->why)->name);
        for (uint16_t k = 0; r->holds && r->e->kind == EX_ORDER && k < r->e->filters_n; k++)
            if (r->e->whys[k] != WHY_NONE)
                fprintf(f, "why %s\n", why_of(r->e->whys[k])->name);
        if (r->drop != DROP_NONE)
            fprintf(f, "drop %s\n", drop_of(r->drop)->name);
    }
    if (f && fclose(f) != 0) {
        out_error("lab run", "cannot write %s: %s", path, strerror(errno));
        return EXIT_SETUP;
    }
    return EXIT_OK;
}

static int finish(struct labrun *r)
{
    bool good = lab_finish(r->lab);
    if (opt_on(r->args, "json"))
        report_json(r->lab, good);
    else
        report(r, good);
    int status = note_reasons(r->lab);
    return status != EXIT_OK ? status : good ? EXIT_OK : EXIT_NEGATIVE;
}

/* ---- the verb ---- */

static bool to_stdout(const struct args *a)
{
    const char *file = opt_text(a, "write");
    return file && strcmp(file, "-") == 0;
}

static int run(const struct args *a)
{
    struct labrun *r;
    struct lines lines = {.json = opt_on(a, "json")};
    bool silent = opt_on(a, "quiet") || to_stdout(a);
    if (to_stdout(a) && opt_on(a, "json")) {
        out_error(a->verb->name, "--json and -w - would both write to standard output");
        return EXIT_USAGE;
    }
    if (lines.json && opt_on(a, "ladder")) {
        out_error(a->verb->name, "--json and --ladder would both write to standard output");
        return EXIT_USAGE;
    }
    if (opt_on(a, "ladder"))
        lines.kept = open_memstream(&lines.text, &lines.n);
    struct sink sink = {.put = silent ? NULL : put_lines, .ctx = &lines};
    int status = labrun_open(&r, a, a->operands[0], sink);
    bool opened = status == EXIT_OK;
    if (opened)
        status = labrun_start(r);
    if (opened && status == EXIT_OK) {
        labrun_run(r, ORIEL_NEVER);
        labrun_end_ladder(r);
        if (lines.kept && fclose(lines.kept) == 0)
            out_put(span_of(lines.text, lines.n));
        lines.kept = NULL;
        status = to_stdout(a) ? lab_finish(r->lab) ? EXIT_OK : EXIT_NEGATIVE : finish(r);
    }
    if (lines.kept)
        fclose(lines.kept);
    free(lines.text);
    return opened ? labrun_close(r, status) : status;
}

const struct verb verb_lab_run = {
    .name = "lab run",
    .summary = "run a scenario and see whether what it expects comes",
    .text = "Builds the nodes and links of a scenario, lets its applications act in virtual time, "
            "and answers its expectations. The same seed gives the same run, byte for byte.\n\n"
            "What applications print is shown with the name of their node before it. Expectations "
            "that do not hold are shown with what was there instead.\n\n"
            "The language of scenarios is described in docs/lab-format.md.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "dump lab-check lab-list ladder ping",
    .run = run,
};
