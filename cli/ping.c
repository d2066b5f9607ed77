/* oriel ping: echo requests from a node of a lab. */
#include "cli/labrun.h"
#include "cli/out.h"

#include <stdio.h>
#include <stdlib.h>

#define PING_ERROR EXIT_USAGE       /* 2, as ping has it */

static const struct opt opts[] = {
    LABRUN_PLACE_OPTS,
    LABRUN_AT_OPT("without it only what happens at 0."),
    {.name = "count", .letter = 'c', .type = OPT_UINT, .arg = "N", .min = 1, .max = 1000000,
     .def = "4", .help = "Send N requests."},
    {.name = "interval", .letter = 'i', .type = OPT_DURATION, .arg = "TIME", .def = "1s",
     .min = 1000, .help = "Wait TIME between two."},
    {.name = "size", .letter = 's', .type = OPT_UINT, .arg = "BYTES", .max = 65507, .def = "56",
     .help = "Send BYTES of data in each."},
    {.name = "timeout", .letter = 'W', .type = OPT_DURATION, .arg = "TIME",
     .help = "Wait TIME for the last answer; without it, twice the longest round trip."},
    {.name = "ttl", .letter = 't', .type = OPT_UINT, .arg = "N", .min = 1, .max = 255,
     .help = "Let requests live for N hops."},
    {.name = "tos", .letter = 'Q', .type = OPT_UINT, .arg = "N", .max = 255,
     .help = "Mark requests with that type of service."},
    {.name = "pmtu", .letter = 'M', .type = OPT_CHOICE, .arg = "HOW", .choices = "dont|do|probe",
     .def = "dont",
     .help = "What is larger than the path takes: dont forbid to cut it, do forbid it, or probe: "
             "forbid it and ignore what is known of the path."},
    {.name = "broadcast", .letter = 'b', .type = OPT_FLAG,
     .help = "Allow a broadcast address as destination."},
    {.name = "interface", .letter = 'I', .type = OPT_TEXT, .arg = "PORT",
     .help = "Send by that port of the node, such as eth0."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "Print only the summary."},
    LABRUN_OPTS,
};

static const struct operand operands[] = {
    {.name = "DESTINATION", .kind = OPERAND_HOST, .min = 1, .max = 1,
     .help = "An address, or the name of a node of the lab (its first address)."},
};

static const struct verb_example examples[] = {
    {"oriel ping --lab two-hosts --on a 10.0.0.2", "Four requests and the round trips."},
    {"oriel ping --lab two-hosts --on a b -c 20 --impair 'loss 10%' -w run.pcapng",
     "The same over a bad wire, with a capture."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "No answer came. When no request could be sent at all it is 2."},
};

static uint8_t df_of(const char *how)
{
    return strcmp(how, "do") == 0 ? 1 : strcmp(how, "probe") == 0 ? 2 : 0;
}

/* --interface: the surface's index, 0 without one; false after a message. */
static bool interface_of(const struct labrun *r, uint16_t node, int *out)
{
    const char *name = opt_text(r->args, "interface");
    *out = 0;
    if (!name)
        return true;
    uint16_t port = scenario_port(r->s, node, span_str(name));
    if (port == SC_NONE || r->lab->netifs[port] <= 0) {
        out_error(r->verb, "%s has no port '%s'", opt_text(r->args, "on"), name);
        return false;
    }
    *out = r->lab->netifs[port];
    return true;
}

static int ping(struct labrun *r, uint16_t node)
{
    const struct args *a = r->args;
    struct ping_params p = {
        .count = (uint32_t)opt_u64(a, "count"), .interval = opt_u64(a, "interval"),
        .size = (uint32_t)opt_u64(a, "size"), .wait = opt_u64(a, "timeout"),
        .ttl = (uint8_t)opt_u64(a, "ttl"), .tos = (uint8_t)opt_u64(a, "tos"),
        .df = df_of(opt_text(a, "pmtu")), .broadcast = opt_on(a, "broadcast"),
        .quiet = opt_on(a, "quiet"), .id = 1,
    };
    if (!labrun_addr(r, a->operands[0], &p.to) || !interface_of(r, node, &p.netif))
        return EXIT_USAGE;
    if (p.netif && !addr_is_v4(&p.to) && addr_is_link_local(&p.to))
        p.to.zone = (uint32_t)p.netif;
    struct ping *g = calloc(1, sizeof *g);
    if (!g) {
        out_error(r->verb, "there is no memory");
        return EXIT_SETUP;
    }
    struct app_host host = labrun_host(r, node);
    struct lab_app *app = lab_take_over(r->lab, node, LAB_PING, g);
    ping_start(g, &host, &p, r->lab->w->env.now);
    world_poke(r->lab->w, &r->lab->w->nodes[node]);
    labrun_run_app(r, app);
    ping_stop(g);
    bool never = g->failed || (g->sent > 0 && g->unsent == g->sent);
    int status = never ? PING_ERROR : g->received > 0 ? EXIT_OK : EXIT_NEGATIVE;
    labrun_end_ladder(r);
    labrun_show(r);
    app->started = false;
    free(g);
    return status;
}

static int run(const struct args *a)
{
    struct labrun *r;
    uint16_t node;
    int status = labrun_at(&r, a, 0, &node);
    return status == EXIT_OK ? labrun_close(r, ping(r, node)) : status;
}

const struct verb verb_ping = {
    .name = "ping",
    .summary = "send echo requests from a node of a lab",
    .text = "Runs a lab up to the time of --at, then sends echo requests from one of its nodes, in "
            "virtual time, and prints what comes back as ping does. What the lab would do later "
            "does not happen.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "lab-list lab-run traceroute",
    .run = run,
};
