/* oriel ping: echo requests over a link, or from a node of a lab. */
#include "cli/json.h"
#include "cli/netrun.h"
#include "cli/out.h"

#include <stdlib.h>
#include <unistd.h>

#define PING_ERROR EXIT_USAGE       /* 2, as ping has it */

static const struct opt opts[] = {
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
    NETRUN_OPTS('w', 'v'),
};

static const struct operand operands[] = {
    {.name = "DESTINATION", .kind = OPERAND_HOST, .min = 1, .max = 1,
     .help = "An address, or the name of a node of the lab (its first address)."},
};

static const struct verb_example examples[] = {
    {"oriel ping --link tap:oriel0,addr=192.0.2.2/24 192.0.2.1",
     "Four requests to the kernel behind a TAP device."},
    {"oriel ping --lab two-hosts --on a 10.0.0.2", "Four requests and the round trips."},
    {"oriel ping --lab two-hosts --on a b -c 20 --impair 'loss 10%' -w run.pcapng",
     "The same over a bad wire, with a capture."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "No answer came. When no request could be sent at all it is 2."},
    {EXIT_SETUP, "The link cannot be opened, or is gone; a file cannot be written."},
};

static uint8_t df_of(const char *how)
{
    return strcmp(how, "do") == 0 ? 1 : strcmp(how, "probe") == 0 ? 2 : 0;
}

/* --interface: the surface's index, 0 without one; false after a message. */
static bool interface_of(const struct netrun *n, int *out)
{
    const char *name = opt_text(n->args, "interface");
    *out = name ? netrun_port(n, name) : 0;
    if (name && *out == 0)
        out_error("ping", "%s has no port '%s'", n->me->name, name);
    return !name || *out != 0;
}

static void step(void *ctx, oriel_time now)
{
    ping_step(ctx, now);
}

static oriel_time deadline(const void *ctx)
{
    return ping_deadline(ctx);
}

static bool busy(const void *ctx)
{
    return ping_deadline(ctx) != ORIEL_NEVER;
}

static void print_json(const struct ping *g)
{
    char to[ADDR_TEXT_MAX];
    struct txt t = txt_of(to, sizeof to);
    struct json j;
    txt_addr(&t, &g->p.to);
    json_begin(&j, out_sink());
    json_text(&j, "event", "ping");
    json_text(&j, "to", to);
    json_u(&j, "sent", g->sent);
    json_u(&j, "received", g->received);
    json_u(&j, "errors", g->errors);
    json_u(&j, "duplicates", g->dups);
    if (g->received > 0) {
        json_u(&j, "min_us", g->min_us);
        json_u(&j, "avg_us", g->sum_us / g->received);
        json_u(&j, "max_us", g->max_us);
    }
    json_end(&j);
}

static int ping(struct netrun *n)
{
    const struct args *a = n->args;
    bool as_json = opt_on(a, "json");
    struct ping_params p = {
        .count = (uint32_t)opt_u64(a, "count"), .interval = opt_u64(a, "interval"),
        .size = (uint32_t)opt_u64(a, "size"), .wait = opt_u64(a, "timeout"),
        .ttl = (uint8_t)opt_u64(a, "ttl"), .tos = (uint8_t)opt_u64(a, "tos"),
        .df = df_of(opt_text(a, "pmtu")), .broadcast = opt_on(a, "broadcast"),
        .quiet = opt_on(a, "quiet"), .id = n->lab ? 1 : (uint16_t)getpid(),
    };
    if (!netrun_addr(n, a->operands[0], ORIEL_DUAL, &p.to) || !interface_of(n, &p.netif))
        return EXIT_USAGE;
    if (p.netif && !addr_is_v4(&p.to) && addr_is_link_local(&p.to))
        p.to.zone = (uint32_t)p.netif;
    int status = netrun_ready(n, addr_is_v4(&p.to), 3 * NS_PER_S);
    struct ping *g = calloc(1, sizeof *g);
    if (!g) {
        out_error("ping", "there is no memory");
        return EXIT_SETUP;
    }
    struct app_host host = netrun_host(n);
    if (as_json)
        host.out.put = NULL;
    const struct netrun_app app = {.step = step, .deadline = deadline, .busy = busy, .ctx = g};
    ping_start(g, &host, &p, netrun_now(n));
    if (status == EXIT_OK)
        status = netrun_run(n, &app);
    ping_stop(g);
    bool never = g->failed || (g->sent > 0 && g->unsent == g->sent);
    if (status == EXIT_OK)
        status = never ? PING_ERROR : g->received > 0 ? EXIT_OK : EXIT_NEGATIVE;
    netrun_show(n);
    if (as_json && !watch_takes_stdout(a))
        print_json(g);
    free(g);
    return status;
}

static int run(const struct args *a)
{
    struct netrun *n;
    int status = netrun_open(&n, a, stdout, 0);
    return status == EXIT_OK ? netrun_close(n, ping(n)) : status;
}

const struct verb verb_ping = {
    .name = "ping",
    .summary = "send echo requests over a link or from a node of a lab",
    .text = "Sends echo requests from a stack of its own on a link, and prints what comes back as ping "
            "does. Ctrl-C ends it with the statistics.\n\n"
            "With --lab it runs the lab up to the time of --at, then acts on one of its nodes, in "
            "virtual time. What the lab would do later does not happen.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "link-list lab-list lab-run traceroute",
    .run = run,
};
