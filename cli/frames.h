/*
 * The frames of a capture file that match a filter, dissected: what every verb that reads captures
 * begins with.
 *
 *     struct frames *f;
 *     int status = frames_open(&f, a);
 *     if (status != EXIT_OK)
 *         return status;
 *     while (frames_next(f))
 *         ... f->frame, f->d ...
 *     return frames_close(f, EXIT_OK);
 */
#ifndef ORIEL_CLI_FRAMES_H
#define ORIEL_CLI_FRAMES_H

#include "cli/listen.h"
#include "cli/verbs.h"
#include "host/file.h"
#include "lens/capture.h"
#include "lens/filter.h"

/* The options that such a verb has: -r FILE and -Y FILTER. FRAMES_OPTS stands in its table. */
#define FRAMES_OPTS(required_)                                                                     \
    {.name = "read", .letter = 'r', .type = OPT_FILE, .arg = "FILE", .required = (required_),      \
     .help = "Read the capture FILE, pcapng or pcap; - is standard input."},                       \
    {.name = "filter", .letter = 'Y', .type = OPT_TEXT, .arg = "FILTER",                           \
     .help = "The same as the operand FILTER."}

#define FRAMES_OPERAND                                                                             \
    {.name = "FILTER", .max = 0,                                                                   \
     .help = "Take only frames that match, in the language of Wireshark's display filters, such "  \
             "as `udp.port == 53 and ip.addr == 10.0.0.0/8`. Several words make one filter."}

#define FRAMES_FILTER_MAX FILTER_TEXT_MAX

struct frames {
    const char *verb;           /* for messages */
    const char *path;
    struct listen *link;        /* NULL: a file */
    struct file file;
    struct capture capture;
    struct filter filter;
    bool filtered;
    enum capture_step step;     /* the last one */
    uint64_t matched;           /* frames given since the start */
    oriel_time first;           /* time of the first frame of the file */
    oriel_time before;          /* time of the frame before this one in the file */
    struct capture_frame frame;
    struct conversations conversations; /* of all frames, whether or not they match */
    struct dissection d;
};

/*
 * The frames that the options and operands of a verb with FRAMES_OPTS ask for. EXIT_OK, or a status
 * after a message: EXIT_USAGE for a bad filter, EXIT_NEGATIVE when nothing can be read.
 */
int frames_open(struct frames **out, const struct args *a);

/* The same of a link, for a verb with LISTEN_OPTS. */
int frames_listen(struct frames **out, const struct args *a);

bool frames_next(struct frames *f);         /* false at the end and at a fault */
void frames_rewind(struct frames *f);       /* from the start of the file again */

/* Releases; says on standard error what was wrong with the file. `status`, or EXIT_NEGATIVE. */
int frames_close(struct frames *f, int status);

#endif
