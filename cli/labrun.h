/*
 * A lab for a verb: found, read, built, watched as the options say, run.
 *
 *     struct labrun *r;
 *     int status = labrun_open(&r, a, name, sink);
 *     if (status != EXIT_OK)
 *         return status;
 *     status = labrun_start(r);            captures and ladder begin
 *     if (status == EXIT_OK)
 *         labrun_run(r, ORIEL_NEVER);
 *     return labrun_close(r, status);
 */
#ifndef ORIEL_CLI_LABRUN_H
#define ORIEL_CLI_LABRUN_H

#include "cli/verbs.h"
#include "host/file.h"
#include "lab/vantage_lab.h"

#define LABRUN_VANTAGES_MAX 64

/* The options that every verb with a lab has. */
#define LABRUN_OPTS                                                                                \
    {.name = "write", .letter = 'w', .type = OPT_FILE, .arg = "FILE",                              \
     .help = "Write a pcapng capture to FILE; - is standard output."},                             \
    {.name = "vantage", .type = OPT_TEXT, .arg = "PLACE",                                          \
     .help = "Where the capture sees from: NODE, NODE.PORT, `both` for a file at every end "       \
             "(FILE.pcapng becomes FILE.NODE.pcapng), or `all` for a file at every port. Without " \
             "it, the node whose application speaks first."},                                      \
    {.name = "ladder", .type = OPT_FLAG, .help = "Draw every frame on every wire as an arrow."},   \
    {.name = "why", .type = OPT_FLAG, .negatable = true, .def = "",                                \
     .help = "Show in the ladder why each frame was sent."},                                       \
    {.name = "ascii", .type = OPT_FLAG, .help = "Draw with ASCII only."},                          \
    {.name = "log", .type = OPT_FILE, .arg = "FILE",                                               \
     .help = "Write every event to FILE: a schema in text, then 64-byte records."},                \
    {.name = "seed", .type = OPT_UINT, .arg = "N",                                                 \
     .help = "Use another seed than the scenario's: chance falls differently."},                   \
    {.name = "set", .type = OPT_TEXT, .arg = "KEY=VALUE", .repeats = true,                         \
     .help = "Give a parameter of the scenario another value."},                                   \
    {.name = "impair", .type = OPT_TEXT, .arg = "TEXT",                                            \
     .help = "Change every link, as in \"loss 2%, delay 40ms, rate 10mbit, queue 50\"."},          \
    {.name = "no-check", .type = OPT_FLAG,                                                         \
     .help = "Do not let the checkers look at the world after every moment."}

/* For verbs that act inside a lab: which, on which node, when. */
#define LABRUN_PLACE_OPTS                                                                          \
    {.name = "lab", .type = OPT_TEXT, .arg = "NAME", .required = true,                             \
     .help = "The scenario: a name that `oriel lab list` shows, or a path."},                      \
    {.name = "on", .type = OPT_TEXT, .arg = "NODE", .required = true,                              \
     .help = "The host or router that the verb is about."}

/* How far the lab runs before the verb acts: --at. */
#define LABRUN_AT_OPT(default_text)                                                                \
    {.name = "at", .type = OPT_DURATION, .arg = "TIME",                                            \
     .help = "Let the lab run up to TIME first, with its own actions; " default_text}

struct labrun {
    const char *verb;
    const struct args *args;
    char *path;
    struct file file;
    void *memory;
    struct arena arena;
    struct scenario *s;
    struct lab *lab;
    uint8_t *scratch;           /* one for all captures: a block is built in one call */
    struct vantage vantages[LABRUN_VANTAGES_MAX];
    struct file_sink sinks[LABRUN_VANTAGES_MAX];
    char *names[LABRUN_VANTAGES_MAX];           /* of files */
    size_t vantages_n;
    struct world_ladder *ladder;
    struct event_log log;
    struct file_sink log_sink;
    bool logging;
    char *kept;                 /* what an application printed while a ladder was drawn */
    size_t kept_n;
    int failed;                 /* a status once something could not be written */
};

/*
 * Read and build; the sink gets what the scenario's applications print. EXIT_USAGE after a message:
 * the scenario cannot be read; EXIT_SETUP: no memory.
 */
int labrun_open(struct labrun **out, const struct args *a, const char *name, struct sink sink);

/* Only read and build, without any options: for `lab check` and `lab list`. */
int labrun_read(struct labrun **out, const char *verb, const char *path);

/*
 * The lab and node that LABRUN_PLACE_OPTS name, run as far as --at says (without it: `otherwise`;
 * ORIEL_NEVER is the end). Its own applications print nothing.
 */
int labrun_at(struct labrun **out, const struct args *a, oriel_time otherwise, uint16_t *node);

/* Open files, begin drawing, plug the wires in. */
int labrun_start(struct labrun *r);

/* To the end of the scenario, or of time `until`. */
void labrun_run(struct labrun *r, oriel_time until);

/* Run until the application is done; the rest of the scenario's actions do not happen any more. */
void labrun_run_app(struct labrun *r, const struct lab_app *app);

/* The ladder's last line, now: what is printed afterwards stands below it. */
void labrun_end_ladder(struct labrun *r);

/* The node that --on names; SC_NONE after a message. */
uint16_t labrun_node(const struct labrun *r);

/* An address of text, or the first address of a node of that name. False after a message. */
bool labrun_addr(const struct labrun *r, const char *text, struct oriel_addr *out);

/*
 * Where an application of a verb lives. What it prints goes out as it comes; with a ladder it is
 * kept until labrun_show; with -w - it is thrown away.
 */
struct app_host labrun_host(struct labrun *r, uint16_t node);
void labrun_show(struct labrun *r);

/* Write what is to be written and release everything. `status`, or what went wrong here. */
int labrun_close(struct labrun *r, int status);

#endif
