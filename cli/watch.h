/*
 * What a verb shows of a world, as its options say: captures, a ladder, a line for every frame, the log
 * of events.
 *
 *     watch_init(&w, a, world, stdout, false);     what is drawn goes there
 *     status = watch_capture(&w, name, open_it, ctx);      one for every file of -w
 *     status = watch_ladder(&w, draw_it, ctx);             nothing where --ladder is not given
 *     status = watch_log(&w);
 *     ... world.on_frame calls watch_frame, every turn watch_drain ...
 *     status = watch_close(&w, status);
 *
 * A verb whose data goes to standard output has its pictures on standard error.
 */
#ifndef ORIEL_CLI_WATCH_H
#define ORIEL_CLI_WATCH_H

#include "cli/verbs.h"
#include "host/file.h"
#include "lab/vantage.h"

#include <stdio.h>

#define WATCH_CAPTURES_MAX 64

/* letter: of --write; most verbs have 'w'. */
#define WATCH_OPTS(w_letter)                                                                       \
    {.name = "write", .letter = w_letter, .type = OPT_FILE, .arg = "FILE",                         \
     .help = "Write a pcapng capture to FILE; - is standard output."},                             \
    {.name = "ladder", .type = OPT_FLAG, .help = "Draw every frame on every wire as an arrow."},   \
    {.name = "why", .type = OPT_FLAG, .negatable = true, .def = "",                                \
     .help = "Show why each frame was sent: in the ladder, or without one as a line a frame."},    \
    {.name = "ascii", .type = OPT_FLAG, .help = "Draw with ASCII only."},                          \
    {.name = "log", .type = OPT_FILE, .arg = "FILE",                                               \
     .help = "Write every event to FILE: a schema in text, then 64-byte records."}

struct watch_capture {
    struct vantage v;
    struct file_sink sink;
    char *name;
};

struct watch {
    const char *verb;
    const struct args *args;
    const struct world *world;
    FILE *page;                 /* of the ladder and the lines */
    bool prompt;                /* whoever reads sees a frame when it is there, not when a buffer is full */
    struct file_sink page_sink;
    uint8_t *scratch;           /* one for all captures: a block is built in one call */
    struct watch_capture captures[WATCH_CAPTURES_MAX];
    size_t captures_n;
    struct world_ladder *ladder;
    struct world_lines *lines;
    struct event_log log;
    struct file_sink log_sink;
    bool logging;
    int failed;                 /* a status once something could not be written */
};

void watch_init(struct watch *w, const struct args *a, const struct world *world, FILE *page,
                bool prompt);

/* Does -w - claim standard output? Then nothing else may be written there. */
bool watch_takes_stdout(const struct args *a);

/* "run.pcapng" -> "run.a.pcapng", with a port "run.a.eth0.pcapng"; NULL: no memory. */
char *watch_name(const char *file, const char *node, const char *port);

/* Takes the name. `begin` opens the vantage; that its sink failed is told by watch_close. */
int watch_capture(struct watch *w, char *name,
                  void (*begin)(void *ctx, struct vantage *v, struct sink out, void *scratch),
                  void *ctx);

/* The ladder, if it is asked for. */
int watch_ladder(struct watch *w, void (*begin)(void *ctx, struct world_ladder *g, struct sink out,
                                                struct ladder_style style), void *ctx);

/* A line a frame, if reasons are asked for and no ladder is drawn. */
int watch_lines(struct watch *w);

/* The log, if it is asked for. */
int watch_log(struct watch *w);

void watch_frame(struct watch *w, const struct world_frame *f);
void watch_drain(struct watch *w);          /* events since the last time, to the log */

/* The ladder's last line, now: what is printed afterwards stands below it. */
void watch_end_ladder(struct watch *w);

/* What is to be written is written, files are closed. `status`, or what went wrong here. */
int watch_close(struct watch *w, int status);

/* "the capture is in run.pcapng" on standard error, for a verb that people watch. */
void watch_tell_files(const struct watch *w);

#endif
