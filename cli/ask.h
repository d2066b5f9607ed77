/*
 * A question about stacks, put to where they are: processes that run (--pid, or all of this user), or a
 * node of a lab (--lab, --on). Shared by `oriel ss` and `oriel stat`.
 */
#ifndef ORIEL_CLI_ASK_H
#define ORIEL_CLI_ASK_H

#include "cli/netrun.h"
#include "cli/snapshot.h"

#define ASK_PIDS_MAX 256

#define ASK_OPTS                                                                                   \
    {.name = "pid", .type = OPT_UINT, .arg = "PID", .min = 1, .max = 4194304, .repeats = true,     \
     .help = "Ask that process; without it every one of yours that has a stack."},                 \
    NETRUN_OPTS(0, 'v')

/*
 * Ask and print. EXIT_NEGATIVE: nobody runs whom one could ask; EXIT_SETUP: the process that --pid names
 * does not answer.
 */
int ask(const struct args *a, const struct snapshot_want *want);

#endif
