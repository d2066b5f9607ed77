/* oriel lab list: which scenarios there are. */
#include "cli/json.h"
#include "cli/labrun.h"
#include "cli/labs.h"
#include "cli/out.h"
#include "cli/term.h"

#include <stdio.h>
#include <stdlib.h>

static const struct opt opts[] = {
    {.name = "verbose", .letter = 'v', .type = OPT_FLAG,
     .help = "Show also what each is about, its file, its parameters, and the requirements that it "
             "covers."},
    {.name = "names", .type = OPT_FLAG, .help = "Print only the names."},
    {.name = "json", .type = OPT_FLAG, .help = "Print a JSON object a line."},
};

static const struct verb_example examples[] = {
    {"oriel lab list", "Names and titles."},
    {"oriel lab list -v | less", "What each of them shows."},
};

static void put_indented(struct span s)
{
    out_str("    ");
    out_put(s);
    out_str("\n");
}

static void put_joined(const char *label, const struct span *words, uint16_t n)
{
    if (n == 0)
        return;
    out_f("    %s:", label);
    for (uint16_t i = 0; i < n; i++) {
        out_str(" ");
        out_put(words[i]);
    }
    out_str("\n");
}

static void list_verbose(const struct lab_file *f, const struct scenario *s)
{
    out_f("%s: ", f->name);
    out_put(s->title);
    out_f("\n    file: %s\n", f->path);
    for (uint16_t i = 0; i < s->about_n; i++)
        put_indented(s->about[i]);
    for (uint16_t i = 0; i < s->params_n; i++) {
        out_str(i == 0 ? "    parameters: " : ", ");
        out_put(s->params[i].name);
        out_str("=");
        out_put(s->params[i].value);
    }
    out_str(s->params_n > 0 ? "\n" : "");
    put_joined("covers", s->covers, s->covers_n);
    out_str("\n");
}

static void list_json(const struct lab_file *f, const struct scenario *s)
{
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "name", f->name);
    json_text(&j, "file", f->path);
    json_str(&j, "title", s->title);
    json_open(&j, "about", '[');
    for (uint16_t i = 0; i < s->about_n; i++)
        json_str(&j, NULL, s->about[i]);
    json_close(&j, ']');
    json_open(&j, "covers", '[');
    for (uint16_t i = 0; i < s->covers_n; i++)
        json_str(&j, NULL, s->covers[i]);
    json_close(&j, ']');
    json_open(&j, "parameters", '{');
    for (uint16_t i = 0; i < s->params_n; i++) {
        char key[64];
        struct txt t = txt_of(key, sizeof key);
        txt_span(&t, s->params[i].name);
        json_str(&j, key, s->params[i].value);
    }
    json_close(&j, '}');
    json_u(&j, "nodes", s->nodes_n);
    json_u(&j, "links", s->links_n);
    json_u(&j, "expectations", s->expects_n);
    json_end(&j);
}

/* False: it cannot be read; said so. */
static bool list_one(const struct args *a, const struct lab_file *f, int width)
{
    struct labrun *r;
    if (opt_on(a, "names")) {
        out_f("%s\n", f->name);
        return true;
    }
    if (labrun_read(&r, "lab list", f->path) != EXIT_OK)
        return false;
    if (opt_on(a, "json")) {
        list_json(f, r->s);
    } else if (opt_on(a, "verbose")) {
        list_verbose(f, r->s);
    } else {
        out_f("%-*s  ", width, f->name);
        out_put(r->s->title);
        out_str("\n");
    }
    return labrun_close(r, EXIT_OK) == EXIT_OK;
}

static int run(const struct args *a)
{
    struct lab_files f;
    int width = 0;
    bool good = true;
    if (!labs_find(&f)) {
        out_error(a->verb->name, "there is no memory");
        return EXIT_SETUP;
    }
    for (size_t i = 0; i < f.n; i++)
        width = (int)strlen(f.file[i].name) > width ? (int)strlen(f.file[i].name) : width;
    for (size_t i = 0; i < f.n && out_ok(); i++)
        good = list_one(a, &f.file[i], width) && good;
    if (f.n == 0)
        out_note("oriel lab list: there are no labs in ./labs, $ORIEL_LABS and %s", ORIEL_LABDIR);
    labs_free(&f);
    return good ? EXIT_OK : EXIT_USAGE;
}

const struct verb verb_lab_list = {
    .name = "lab list",
    .summary = "list the scenarios that there are",
    .text = "Lists the scenarios *.lab in ./labs, in the directories of $ORIEL_LABS, and where the "
            "program was installed, each with its title. Of several with one name the first "
            "counts.",
    VERB_LIST(opts, opts),
    VERB_LIST(examples, examples),
    .see_also = "lab-check lab-run",
    .run = run,
};
