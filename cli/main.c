/*
 * oriel VERB [OPTION]... [OPERAND]...
 *
 * Finds the verb (of one word or two; or in the program's own name: a link `oriel-dump` is `oriel
 * dump`), parses the rest by the verb's table, and runs it.
 */
#include "cli/out.h"
#include "cli/term.h"
#include "cli/usage.h"

#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_BYTES 64
#define NAMES_MAX      128
#define PREFIX         "oriel-"

void oriel_assert_failed(const char *file, int line, const char *what)
{
    out_flush();
    fprintf(stderr, "oriel: %s:%d: this must not happen: %s\n", file, line, what);
    abort();
}

/* ---- finding the verb ---- */

/* A link named oriel-lab-run: its verb, or NULL. */
static const struct verb *verb_of_program(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    if (strncmp(base, PREFIX, strlen(PREFIX)) != 0)
        return NULL;
    char name[NAME_MAX_BYTES];
    struct txt t = txt_of(name, sizeof name);
    for (const char *c = base + strlen(PREFIX); *c != '\0'; c++)
        txt_c(&t, *c == '-' ? ' ' : *c);
    return verb_find(name);
}

/* Is the word the first of verbs of two words? */
static bool is_family(const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; verb_at(i); i++)
        if (strncmp(verb_at(i)->name, word, n) == 0 && verb_at(i)->name[n] == ' ')
            return true;
    return false;
}

/* The verb at the start of argv, and how many words it took. */
static const struct verb *verb_of_words(int argc, char **argv, int *used)
{
    char name[NAME_MAX_BYTES];
    *used = 2;
    if (argc >= 2) {
        struct txt t = txt_of(name, sizeof name);
        txt_s(&t, argv[0]);
        txt_c(&t, ' ');
        txt_s(&t, argv[1]);
        const struct verb *v = t.cut ? NULL : verb_find(name);
        if (v)
            return v;
    }
    *used = 1;
    return verb_find(argv[0]);
}

static int unknown_verb(const char *typed)
{
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (; n < NAMES_MAX && verb_at(n); n++)
        names[n] = verb_at(n)->name;
    bool option = typed[0] == '-';
    if (option) {
        n = 0;
        names[n++] = "--help";
        names[n++] = "--version";
    }
    const char *near = opt_nearest(typed, names, n);
    const char *what = option ? "option" : "verb";
    if (near)
        out_error("", "there is no %s '%s'; did you mean '%s'?", what, typed, near);
    else
        out_error("", "there is no %s '%s'; `oriel help` lists the verbs", what, typed);
    return EXIT_USAGE;
}

static int family_verb(const char *family, const char *typed)
{
    unsigned width = term_of(stdout, "never").width;
    if (typed && (strcmp(typed, "--help") == 0 || strcmp(typed, "-h") == 0)) {
        usage_overview(width, family);
        return EXIT_OK;
    }
    char name[NAME_MAX_BYTES];
    struct txt t = txt_of(name, sizeof name);
    txt_s(&t, family);
    if (!typed) {
        out_error(family, "a verb is missing; `oriel help %s` lists them", family);
        return EXIT_USAGE;
    }
    txt_c(&t, ' ');
    txt_s(&t, typed);
    return unknown_verb(name);
}

/* ---- running it ---- */

static int run_verb(const struct verb *v, int argc, char **argv)
{
    struct args a;
    char error[OPT_ERROR_MAX];
    if (!opt_parse(&a, v, argc, argv, error)) {
        out_error(v->name, "%s", error);
        out_note("`oriel %s --help` lists the options.", v->name);
        return EXIT_USAGE;
    }
    if (opt_on(&a, "help")) {
        usage_verb(v, term_of(stdout, "never").width);
        return EXIT_OK;
    }
    return v->run(&a);
}

static int run_words(int argc, char **argv)
{
    if (argc == 0) {
        out_error("", "a verb is missing; `oriel help` lists them");
        return EXIT_USAGE;
    }
    if (strcmp(argv[0], "--version") == 0) {
        out_f("oriel %s\n", ORIEL_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return run_verb(&verb_help, argc - 1, argv + 1);
    int used;
    const struct verb *v = verb_of_words(argc, argv, &used);
    if (v)
        return run_verb(v, argc - used, argv + used);
    if (is_family(argv[0]))
        return family_verb(argv[0], argc > 1 ? argv[1] : NULL);
    return unknown_verb(argv[0]);
}

int main(int argc, char **argv)
{
    out_start();
    const struct verb *v = argc > 0 ? verb_of_program(argv[0]) : NULL;
    int words = argc > 0 ? argc - 1 : 0;
    return out_finish(v ? run_verb(v, words, argv + 1) : run_words(words, argv + 1));
}
