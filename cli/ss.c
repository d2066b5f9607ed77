/* oriel ss: the sockets of stacks that run, with what limits them. */
#include "cli/ask.h"
#include "cli/out.h"

#define STATES_ALL  ((1u << ORIEL_TCP_STATES) - 1)
#define STATES_OPEN (STATES_ALL & ~(BIT(ORIEL_TCP_LISTEN) | BIT(ORIEL_TCP_CLOSED)))

static const struct opt opts[] = {
    {.name = "tcp", .letter = 't', .type = OPT_FLAG, .help = "Show TCP sockets."},
    {.name = "udp", .letter = 'u', .type = OPT_FLAG, .help = "Show UDP sockets."},
    {.name = "icmp", .type = OPT_FLAG, .help = "Show sockets of whole ICMP messages."},
    {.name = "listening", .letter = 'l', .type = OPT_FLAG, .help = "Only those that listen."},
    {.name = "all", .letter = 'a', .type = OPT_FLAG, .help = "Those that listen, too."},
    {.name = "info", .letter = 'i', .type = OPT_FLAG,
     .help = "With what TCP knows, under the names of tcp_info, what limits the connection now, and "
             "how much of its life each limit took."},
    {.name = "numeric", .letter = 'n', .type = OPT_FLAG,
     .help = "Numbers instead of names, which is always so."},
    {.name = "processes", .letter = 'p', .type = OPT_FLAG,
     .help = "The verb, process and node of each, which is always so."},
    {.name = "limits", .type = OPT_FLAG,
     .help = "Instead of sockets: every limit of the stack, how much is used, and where it comes "
             "from."},
    ASK_OPTS,
};

static const struct operand operands[] = {
    {.name = "STATE", .max = 12,
     .help = "`state NAME`: only TCP sockets in that state: established, syn-sent, syn-recv, "
             "fin-wait-1, fin-wait-2, time-wait, close-wait, last-ack, closing, listening, closed, or "
             "connected, all."},
};

static const struct verb_example examples[] = {
    {"oriel ss -ti", "The connections of everything that runs, and what limits them."},
    {"oriel ss -t --json state established", "A JSON object for each established connection."},
    {"oriel ss --limits --pid 4711", "How full the tables of a stack are."},
    {"oriel ss -ti --lab hello --on client --at 130ms", "The same inside a lab, at a moment."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "No process has a stack just now."},
    {EXIT_SETUP, "The process that --pid names does not answer."},
};

static const struct {
    const char *name;
    uint32_t states;
} filters[] = {
    {"established", BIT(ORIEL_TCP_ESTABLISHED)}, {"syn-sent", BIT(ORIEL_TCP_SYN_SENT)},
    {"syn-recv", BIT(ORIEL_TCP_SYN_RCVD)},       {"fin-wait-1", BIT(ORIEL_TCP_FIN_WAIT_1)},
    {"fin-wait-2", BIT(ORIEL_TCP_FIN_WAIT_2)},   {"time-wait", BIT(ORIEL_TCP_TIME_WAIT)},
    {"close-wait", BIT(ORIEL_TCP_CLOSE_WAIT)},   {"last-ack", BIT(ORIEL_TCP_LAST_ACK)},
    {"closing", BIT(ORIEL_TCP_CLOSING)},         {"listening", BIT(ORIEL_TCP_LISTEN)},
    {"closed", BIT(ORIEL_TCP_CLOSED)},           {"all", STATES_ALL},
    {"connected", STATES_OPEN & ~BIT(ORIEL_TCP_SYN_SENT)},
};

/* False after a message. */
static bool add_state(const char *word, uint32_t *states)
{
    const char *names[ARRAY_LEN(filters)];
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        names[i] = filters[i].name;
        if (strcmp(filters[i].name, word) == 0) {
            *states |= filters[i].states;
            return true;
        }
    }
    const char *near = opt_nearest(word, names, ARRAY_LEN(filters));
    out_error("ss", "there is no state '%s'; did you mean '%s'?", word,
              near ? near : "established");
    return false;
}

static int run(const struct args *a)
{
    bool any = opt_on(a, "tcp") || opt_on(a, "udp") || opt_on(a, "icmp");
    struct snapshot_want w = {
        .what = opt_on(a, "limits") ? SNAPSHOT_LIMITS : SNAPSHOT_SOCKETS,
        .json = opt_on(a, "json"), .info = opt_on(a, "info"), .tcp = !any || opt_on(a, "tcp"),
        .udp = !any || opt_on(a, "udp"), .icmp = !any || opt_on(a, "icmp"),
    };
    uint32_t states = 0;
    for (size_t i = 0; i < a->operands_n; i++)
        if (strcmp(a->operands[i], "state") != 0 && !add_state(a->operands[i], &states))
            return EXIT_USAGE;
    w.states = states ? states
               : opt_on(a, "all") ? STATES_ALL
               : opt_on(a, "listening") ? BIT(ORIEL_TCP_LISTEN) : STATES_OPEN;
    return ask(a, &w);
}

const struct verb verb_ss = {
    .name = "ss",
    .summary = "show the sockets of stacks that run, and what limits them",
    .text = "Asks every process of yours that has a stack (a verb on a link, `oriel run`) for its "
            "sockets: queues, ends, state, and with -i what TCP knows, under the names that "
            "`ss -ti` has for them. What the kernel cannot say comes last: what keeps the "
            "connection from sending now, and which part of its life each such limit took.\n\n"
            "With --lab it shows the sockets of a node of a lab at its end, or at the time of --at.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "nc stat",
    .run = run,
};
