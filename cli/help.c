/* oriel help: what the program can do; and the same as man pages and completions. */
#include "cli/out.h"
#include "cli/term.h"
#include "cli/usage.h"

#include <stdio.h>

static const struct opt opts[] = {
    {.name = "man", .type = OPT_FLAG,
     .help = "Print the man page of VERB, or the overview, in mdoc."},
    {.name = "completion", .type = OPT_CHOICE, .arg = "SHELL", .choices = "bash|zsh|fish",
     .help = "Print the completion for a shell."},
    {.name = "verbs", .type = OPT_FLAG, .help = "Print the names of all verbs, one a line."},
};

static const struct operand operands[] = {
    {.name = "VERB", .help = "The verb to speak of; verbs of two words are two words here too.",
     .words = "oriel help --verbs", .max = 2},
};

static const struct verb_example examples[] = {
    {"oriel help dump", "What dump does, and its options."},
    {"oriel help --man dump | man -l -", "The man page of dump."},
    {"oriel help --completion bash > ~/.local/share/bash-completion/completions/oriel",
     "Completion for bash, from the next shell on."},
};

#define NAMES_MAX 128

static int no_such_verb(const char *name)
{
    const char *names[NAMES_MAX];
    size_t n = 0;
    for (; n < NAMES_MAX && verb_at(n); n++)
        names[n] = verb_at(n)->name;
    const char *near = opt_nearest(name, names, n);
    if (near)
        out_error("help", "there is no verb '%s'; did you mean '%s'?", name, near);
    else
        out_error("help", "there is no verb '%s'; `oriel help` lists them", name);
    return EXIT_USAGE;
}

static bool is_family(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; verb_at(i); i++)
        if (strncmp(verb_at(i)->name, name, n) == 0 && verb_at(i)->name[n] == ' ')
            return true;
    return false;
}

static int run(const struct args *a)
{
    char name[OPT_ERROR_MAX / 4];
    unsigned width = term_of(stdout, "never").width;
    if (!opt_join_operands(a, name, sizeof name))
        return no_such_verb(name);
    if (opt_on(a, "verbs")) {
        for (size_t i = 0; verb_at(i); i++)
            out_f("%s\n", verb_at(i)->name);
        return EXIT_OK;
    }
    if (opt_text(a, "completion")) {
        (void)completion_print(opt_text(a, "completion"));
        return EXIT_OK;
    }
    bool man = opt_on(a, "man");
    const struct verb *v = verb_find(name);
    if (!v && is_family(name) && !man)
        usage_overview(width, name);
    else if (!v && name[0] != '\0')
        return no_such_verb(name);
    else if (v && man)
        man_verb(v);
    else if (v)
        usage_verb(v, width);
    else if (man)
        man_overview();
    else
        usage_overview(width, NULL);
    return EXIT_OK;
}

const struct verb verb_help = {
    .name = "help",
    .summary = "say what the program can do",
    .text = "Without VERB, lists the verbs. With it, says what the verb does and which options it "
            "has, as `oriel VERB --help` does.\n\n"
            "The man pages and the completions are made from the same tables as the parser, so "
            "they cannot tell anything else.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    .run = run,
};
