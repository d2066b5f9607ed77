/*
 * What the stacks of a world hold and have counted, as `oriel ss` and `oriel stat` show it: of this
 * process, or as the answer to a process that asks (control.h).
 *
 * The question travels as a line of words, so that the answer is formatted where the world is:
 *
 *     snapshot_line(&t, &want);            "ss info json state=12"
 *     snapshot_parse(line, &want);
 *     snapshot_print(&want, w->nodes, w->nodes_n, "nc", pid, sink);
 */
#ifndef ORIEL_CLI_SNAPSHOT_H
#define ORIEL_CLI_SNAPSHOT_H

#include "base/sink.h"
#include "base/text.h"
#include "lab/world.h"

enum snapshot_what {
    SNAPSHOT_SOCKETS,
    SNAPSHOT_LIMITS,
    SNAPSHOT_COUNTERS,
};

struct snapshot_want {
    enum snapshot_what what;
    bool json;
    bool prometheus;            /* counters */
    bool zeros;                 /* counters that are 0, too */
    bool tcp, udp, icmp;        /* sockets of that kind */
    bool info;                  /* with what tcp_info says */
    uint32_t states;            /* bit of enum oriel_tcp_state; of streams */
};

void snapshot_line(struct txt *t, const struct snapshot_want *w);

/* False: it is no such line. */
bool snapshot_parse(struct span line, struct snapshot_want *w);

/* "nc" and pid say whose it is. */
void snapshot_print(const struct snapshot_want *w, const struct node *nodes, unsigned n,
                    const char *verb, int pid, struct sink out);

/* The line above a table of sockets or counters; nothing for JSON and Prometheus. */
void snapshot_header(const struct snapshot_want *w, struct sink out);

#endif
