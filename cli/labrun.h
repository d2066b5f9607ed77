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

#include "cli/summary.h"
#include "cli/watch.h"
#include "lab/vantage_lab.h"

/* The options that every verb with a lab has. */
#define LABRUN_OPTS                                                                                \
    WATCH_OPTS('w'),                                                                               \
    {.name = "vantage", .type = OPT_TEXT, .arg = "PLACE",                                          \
     .help = "Where the capture sees from: NODE, NODE.PORT, `both` for a file at every end "       \
             "(FILE.pcapng becomes FILE.NODE.pcapng), or `all` for a file at every port. Without " \
             "it, the node whose application speaks first."},                                      \
    {.name = "seed", .type = OPT_UINT, .arg = "N",                                                 \
     .help = "Use another seed than the scenario's: chance falls differently."},                   \
    {.name = "set", .type = OPT_TEXT, .arg = "KEY=VALUE", .repeats = true,                         \
     .help = "Give a parameter of the scenario another value."},                                   \
    {.name = "impair", .type = OPT_TEXT, .arg = "TEXT",                                            \
     .help = "Change every link, as in \"loss 2%, delay 40ms, rate 10mbit, queue 50\"."},          \
    {.name = "no-check", .type = OPT_FLAG,                                                         \
     .help = "Do not let the checkers look at the world after every moment."}

struct labrun {
    const char *verb;
    const struct args *args;
    char *path;
    struct file file;
    void *memory;
    struct arena arena;
    struct scenario *s;
    struct lab *lab;
    struct watch watch;
    uint16_t about;             /* the node that a verb acts on; SC_NONE */
    bool sums;                  /* frames are noted in the summary */
    struct summary summary;     /* of a verb that acts on a node */
};

/*
 * Read and build; the sink gets what the scenario's applications print. EXIT_USAGE after a message:
 * the scenario cannot be read; EXIT_SETUP: no memory.
 */
int labrun_open(struct labrun **out, const struct args *a, const char *name, struct sink sink);

/* Only read and build, without any options: for `lab check` and `lab list`. */
int labrun_read(struct labrun **out, const char *verb, const char *path);

/*
 * A lab, for a verb that acts on one of its nodes: run as far as --at says (without it: `otherwise`;
 * ORIEL_NEVER is the end). Its own applications print nothing.
 */
int labrun_at(struct labrun **out, const struct args *a, const char *name, const char *on,
              oriel_time otherwise, uint16_t *node);

/* Open files, begin drawing, plug the wires in. */
int labrun_start(struct labrun *r);

/* To the end of the scenario, or of time `until`. */
void labrun_run(struct labrun *r, oriel_time until);

/* The ladder's last line, now: what is printed afterwards stands below it. */
void labrun_end_ladder(struct labrun *r);

/* An address of text, or the first of that family of a node of that name. False after a message. */
bool labrun_addr(const struct labrun *r, const char *text, enum oriel_family family,
                 struct oriel_addr *out);

/* Write what is to be written and release everything. `status`, or what went wrong here. */
int labrun_close(struct labrun *r, int status);

#endif
