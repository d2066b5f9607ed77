/* oriel lab check: can scenarios be read and built? */
#include "cli/labrun.h"
#include "cli/labs.h"
#include "cli/out.h"

#include <stdlib.h>

static const struct opt opts[] = {
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "Print only what is wrong."},
};

static const struct operand operands[] = {
    {.name = "FILE", .kind = OPERAND_FILE, .min = 1, .max = 0,
     .help = "Paths of scenarios, or names that `oriel lab list` shows."},
};

static const struct verb_example examples[] = {
    {"oriel lab check labs/*.lab", "Every scenario of a directory."},
};

static int check(const char *name, bool quiet)
{
    struct labrun *r;
    char *path = labs_path("lab check", name);
    int status = path ? labrun_read(&r, "lab check", path) : EXIT_USAGE;
    if (status == EXIT_OK) {
        const struct scenario *s = r->s;
        if (!quiet)
            out_f("%s: %u nodes, %u links, %u expectations\n", path, s->nodes_n, s->links_n,
                  s->expects_n);
        status = labrun_close(r, EXIT_OK);
    }
    free(path);
    return status;
}

static int run(const struct args *a)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < a->operands_n; i++) {
        int one = check(a->operands[i], opt_on(a, "quiet"));
        status = one != EXIT_OK ? one : status;
    }
    return status;
}

const struct verb verb_lab_check = {
    .name = "lab check",
    .summary = "read scenarios without running them",
    .text = "Reads every FILE and builds its world, but lets no time pass. What is wrong is shown "
            "with its file, line and column, what stands there, and what could stand there. The "
            "exit status is 2 when one of them cannot be read.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    .see_also = "lab-list lab-run",
    .run = run,
};
