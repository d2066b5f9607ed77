/*
 * Seeing what a live world does: what the options of a verb ask for is opened with the first frame, and
 * at the end people read what happened and where the files are.
 *
 *     if (observe_is_asked(a)) ...                     frames must be seen: no direct wires, links plain
 *     observe_init(&o, &cfg);                          before anything is plugged in
 *     status = observe_begin(&o);                      once it is; a status after a message
 *     ... live_turn(...); observe_turn(&o); ...
 *     summary_conn(&o.summary, stack, handle, 0);      or summary_info, when a connection ends
 *     status = observe_close(&o, status);              pictures end, summary, files
 *
 * The options: WATCH_OPTS and OBSERVE_OPTS.
 */
#ifndef ORIEL_CLI_OBSERVE_H
#define ORIEL_CLI_OBSERVE_H

#include "cli/summary.h"
#include "cli/watch.h"
#include "host/drv.h"

/* --impair and --seed are the verb's to obey: wire_params and live_config have them. */
#define OBSERVE_OPTS(v_letter)                                                                     \
    {.name = "vantage", .type = OPT_TEXT, .arg = "PLACE",                                          \
     .help = "Where the capture sees from: `both` for a file at every end (FILE.pcapng becomes "   \
             "FILE.NODE.pcapng); in a lab also NODE, NODE.PORT or `all`. Without it, the node that " \
             "the verb is about."},                                                                \
    {.name = "impair", .type = OPT_TEXT, .arg = "TEXT",                                            \
     .help = "Make the link worse, as in \"loss 2%, delay 40ms, jitter 5ms, rate 10mbit, queue " \
             "50, reorder 1%, dup .1%, corrupt .01%\"."},                                          \
    {.name = "seed", .type = OPT_UINT, .arg = "N",                                                 \
     .help = "Where chance begins: the same seed, the same draws."},                               \
    {.name = "cc", .type = OPT_CHOICE, .arg = "NAME", .choices = "cubic|newreno|bbr",              \
     .help = "Congestion control of TCP."},                                                        \
    {.name = "json", .type = OPT_FLAG, .help = "Print results as JSON, an object a line."},        \
    {.name = "verbose", .letter = v_letter, .type = OPT_FLAG,                                      \
     .help = "Say what the link offers, and at the end what happened on it."}

struct observe_config {
    const struct args *args;
    struct world *world;            /* its on_frame is taken where frames are to be seen */
    const struct node *me;          /* whose end a capture shows */
    FILE *page;                     /* of pictures; stderr for verbs whose data is on standard output */
    const char *what;               /* "udp 127.0.0.1:4000": what is captured */
    const struct drv_addr *addrs;   /* of `me`, as far as they are known; live as long */
    unsigned addrs_n;
};

struct observe {
    struct observe_config c;
    struct watch watch;
    struct summary summary;
    struct dissection *d;
    bool asked, begun;
    int failed;                     /* a status once something could not begin */
    char what[DRV_NAME_MAX];
};

/* Does an option want frames to be seen or changed? */
bool observe_is_asked(const struct args *a);

/* EXIT_USAGE after a message: options that do not go together. */
int observe_check(const struct args *a, FILE *page);

/* --impair, onto *wire; EXIT_USAGE after a message. wire->direct is left alone. */
int observe_impair(const struct args *a, struct wire_params *wire);

void observe_init(struct observe *o, const struct observe_config *c);

/* Opens what the first frame has not opened yet; the world has a wire. */
int observe_begin(struct observe *o);

void observe_turn(struct observe *o);

/* The summary, on standard error; with --json on standard output, where that is the page. */
void observe_tell(const struct summary *s, const struct args *a, FILE *page);

/* tell: say what happened, also where nobody asked to see frames (-v, Ctrl-C). */
int observe_close(struct observe *o, int status, bool tell);

#endif
