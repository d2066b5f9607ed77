/* oriel traceroute: the routers on the way, over a link or from a node of a lab. */
#include "cli/json.h"
#include "cli/netrun.h"
#include "cli/out.h"

#include <stdlib.h>
#include <unistd.h>

static const struct opt opts[] = {
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
    NETRUN_OPTS('w', 'v'),
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
    {EXIT_SETUP, "The link cannot be opened, or is gone; a file cannot be written."},
};

static void step(void *ctx, oriel_time now)
{
    trace_step(ctx, now);
}

static oriel_time deadline(const void *ctx)
{
    return trace_deadline(ctx);
}

static bool busy(const void *ctx)
{
    return trace_deadline(ctx) != ORIEL_NEVER;
}

static void print_json(const struct tracer *t)
{
    for (unsigned i = 0; i < t->hop && i < TRACE_HOPS_MAX; i++) {
        const struct trace_hop *h = &t->hops[i];
        char from[ADDR_TEXT_MAX];
        struct txt f = txt_of(from, sizeof from);
        struct json j;
        if (h->answers > 0)
            txt_addr(&f, &h->from);
        json_begin(&j, out_sink());
        json_text(&j, "event", "hop");
        json_u(&j, "hop", i + 1);
        json_text(&j, "from", from);
        json_u(&j, "answers", h->answers);
        json_open(&j, "rtt_ns", '[');
        for (unsigned k = 0; k < h->answers && k < TRACE_PROBES; k++)
            json_u(&j, NULL, h->rtt[k]);
        json_close(&j, ']');
        json_end(&j);
    }
}

static int trace(struct netrun *n)
{
    const struct args *a = n->args;
    bool as_json = opt_on(a, "json");
    struct trace_params p = {
        .hops_max = (uint8_t)opt_u64(a, "max-hops"), .probes = (uint8_t)opt_u64(a, "queries"),
        .wait = opt_u64(a, "wait"), .icmp = opt_on(a, "icmp"), .size = (uint16_t)opt_u64(a, "size"),
        .id = n->lab ? 1 : (uint16_t)getpid(),
    };
    if (!netrun_addr(n, a->operands[0], ORIEL_DUAL, &p.to))
        return EXIT_USAGE;
    int status = netrun_ready(n, addr_is_v4(&p.to), 3 * NS_PER_S);
    struct tracer *t = calloc(1, sizeof *t);
    if (!t) {
        out_error(a->verb->name, "there is no memory");
        return EXIT_SETUP;
    }
    struct app_host host = netrun_host(n);
    if (as_json)
        host.out.put = NULL;
    const struct netrun_app app = {.step = step, .deadline = deadline, .busy = busy, .ctx = t};
    trace_start(t, &host, &p, netrun_now(n));
    if (status == EXIT_OK)
        status = netrun_run(n, &app);
    if (status == EXIT_OK)
        status = t->failed ? EXIT_USAGE : t->reached ? EXIT_OK : EXIT_NEGATIVE;
    netrun_show(n);
    if (as_json && !watch_takes_stdout(a))
        print_json(t);
    free(t);
    return status;
}

static int run(const struct args *a)
{
    struct netrun *n;
    int status = netrun_open(&n, a, stdout, 0);
    return status == EXIT_OK ? netrun_close(n, trace(n)) : status;
}

const struct verb verb_traceroute = {
    .name = "traceroute",
    .summary = "show the routers on the way, over a link or from a node of a lab",
    .text = "Sends probes that live for one hop, two hops and so on, from a stack of its own on a "
            "link or from a node of a lab, and prints who complains about each, as traceroute "
            "does. An asterisk is a probe that nobody answered; !H, !N, !P, !X and !F stand for "
            "host, network and protocol unreachable, prohibited, and too large.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "lab-run ping route",
    .run = run,
};
