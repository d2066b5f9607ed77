/* oriel stat: what stacks that run have counted, each with its sentence. */
#include "cli/ask.h"
#include "cli/out.h"

static const struct opt opts[] = {
    {.name = "zeros", .letter = 'z', .type = OPT_FLAG, .help = "Show what never happened, too."},
    {.name = "prometheus", .type = OPT_FLAG,
     .help = "Print in the text format that Prometheus reads."},
    ASK_OPTS,
};

static const struct verb_example examples[] = {
    {"oriel stat", "Why packets were sent and dropped, of everything that runs."},
    {"oriel stat --prometheus --pid 4711", "The same of one process, for a collector."},
    {"oriel stat --lab hello --on client", "The same of a node of a lab at its end."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "No process has a stack just now."},
    {EXIT_SETUP, "The process that --pid names does not answer."},
};

static int run(const struct args *a)
{
    const struct snapshot_want w = {
        .what = SNAPSHOT_COUNTERS, .zeros = opt_on(a, "zeros") || opt_on(a, "prometheus"),
        .json = opt_on(a, "json"), .prometheus = opt_on(a, "prometheus"),
    };
    if (w.json && w.prometheus) {
        out_error(a->verb->name, "--json and --prometheus are two formats");
        return EXIT_USAGE;
    }
    return ask(a, &w);
}

const struct verb verb_stat = {
    .name = "stat",
    .summary = "show why packets were sent and dropped, by stacks that run",
    .text = "Asks every process of yours that has a stack for its counters, as `netstat -s` shows "
            "those of the kernel: every packet that was sent has a reason, and so has every one that "
            "was dropped. docs/REASONS.md lists them all.\n\n"
            "With --lab it shows the counters of a node of a lab at its end, or at the time of --at.",
    VERB_LIST(opts, opts),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "ss",
    .run = run,
};
