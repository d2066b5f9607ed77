/* oriel traceroute: the routers on the way, from a node of a lab. */
#include "cli/labrun.h"
#include "cli/out.h"

#include <stdio.h>
#include <stdlib.h>

static const struct opt opts[] = {
    LABRUN_PLACE_OPTS,
    LABRUN_AT_OPT("without it only what happens at 0."),
    {.name = "max-hops", .letter = 'm', .type = OPT_UINT, .arg = "N", .min = 1,
     .max = TRACE_HOPS_MAX, .def = "30", .help = "Go at most N hops."},
    {.name = "queries", .letter = 'q', .type = OPT_UINT, .arg = "N", .min = 1, .max = TRACE_PROBES,
     .def = "3", .help = "Send N probes for every hop."},
    {.name = "wait", .type = OPT_DURATION, .arg = "TIME", .def = "5s", .min = 1000,
     .help = "Wait TIME for an answer."},
    {.name = "icmp", .letter = 'I', .type = OPT_FLAG,
     .help = "Send echo requests instead of datagrams."},
    {.name = "size", .type = OPT_UINT, .arg = "BYTES", .min = 28, .max = 65000,
     .help = "Make packets of BYTES; without it 60 for IPv4, 80 for IPv6."},
    LABRUN_OPTS,
};

static const struct operand operands[] = {
    {.name = "DESTINATION", .kind = OPERAND_HOST, .min = 1, .max = 1,
     .help = "An address, or the name of a node of the lab (its first address)."},
};

static const struct verb_example examples[] = {
    {"oriel traceroute --lab traceroute --on a 10.0.3.1", "Three routers and a host."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The destination did not answer."},
};

static int trace(struct labrun *r, uint16_t node)
{
    const struct args *a = r->args;
    struct trace_params p = {
        .hops_max = (uint8_t)opt_u64(a, "max-hops"), .probes = (uint8_t)opt_u64(a, "queries"),
        .wait = opt_u64(a, "wait"), .icmp = opt_on(a, "icmp"), .size = (uint16_t)opt_u64(a, "size"),
        .id = 1,
    };
    if (!labrun_addr(r, a->operands[0], &p.to))
        return EXIT_USAGE;
    struct tracer *t = calloc(1, sizeof *t);
    if (!t) {
        out_error(r->verb, "there is no memory");
        return EXIT_SETUP;
    }
    struct app_host host = labrun_host(r, node);
    struct lab_app *app = lab_take_over(r->lab, node, LAB_TRACE, t);
    trace_start(t, &host, &p, r->lab->w->env.now);
    world_poke(r->lab->w, &r->lab->w->nodes[node]);
    labrun_run_app(r, app);
    int status = t->failed ? EXIT_USAGE : t->reached ? EXIT_OK : EXIT_NEGATIVE;
    labrun_end_ladder(r);
    labrun_show(r);
    app->started = false;
    free(t);
    return status;
}

static int run(const struct args *a)
{
    struct labrun *r;
    uint16_t node;
    int status = labrun_at(&r, a, 0, &node);
    return status == EXIT_OK ? labrun_close(r, trace(r, node)) : status;
}

const struct verb verb_traceroute = {
    .name = "traceroute",
    .summary = "show the routers on the way from a node of a lab",
    .text = "Runs a lab up to the time of --at, then sends probes that live for one hop, two hops "
            "and so on from one of its nodes, and prints who complains about each, as traceroute "
            "does. An asterisk is a probe that nobody answered; !H, !N, !P, !X and !F stand for "
            "host, network and protocol unreachable, prohibited, and too large.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "lab-run ping route",
    .run = run,
};
