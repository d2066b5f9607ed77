/*
 * What passes on a link, for who only listens: no stack is there, and nothing is answered.
 *
 *     struct listen *l;
 *     int status = listen_open(&l, a);
 *     if (status != EXIT_OK)
 *         return status;
 *     while (listen_next(l, &frame))           waits for it; false: Ctrl-C, or the link is gone
 *         listen_keep(l, &frame);              one that was wanted: into the file of -w
 *     return listen_close(l, EXIT_OK);         says how many there were
 */
#ifndef ORIEL_CLI_LISTEN_H
#define ORIEL_CLI_LISTEN_H

#include "cli/verbs.h"
#include "lens/capture.h"

/* The options of a verb that listens. */
#define LISTEN_OPTS                                                                                \
    {.name = "link", .type = OPT_TEXT, .arg = "SPEC",                                              \
     .help = "Instead of a file, what passes on that link from now on, until Ctrl-C: "              \
             "packet:INTERFACE, or any other KIND:WHERE that `oriel link list` shows."},           \
    {.name = "write", .letter = 'w', .type = OPT_FILE, .arg = "FILE",                              \
     .help = "With --link: write the packets that match to FILE as well, as pcapng."}

struct listen;

/* What --link and --write name. EXIT_OK, or a status after a message. */
int listen_open(struct listen **out, const struct args *a);

/* The next frame, which stays until the one after. */
bool listen_next(struct listen *l, struct capture_frame *out);

void listen_keep(struct listen *l, const struct capture_frame *f);

/* Releases. Tells what was seen and what was lost, but where nothing is to be printed (-q). `status`, or
 * EXIT_SETUP where the link went away or the file could not be written. */
int listen_close(struct listen *l, int status);

#endif
