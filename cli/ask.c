/* Where the stacks are, and what they answer. */
#define _GNU_SOURCE
#include "cli/ask.h"

#include "cli/out.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static int by_number(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int ask_processes(const struct args *a, const struct snapshot_want *want)
{
    int pids[ASK_PIDS_MAX];
    char line[CONTROL_LINE_MAX];
    struct txt t = txt_of(line, sizeof line);
    unsigned n = 0, answered = 0;
    bool named = opt_given(a, "pid");
    snapshot_line(&t, want);
    for (size_t i = 0; named && i < opt_times(a, "pid") && n < ASK_PIDS_MAX; i++)
        pids[n++] = (int)opt_nth(a, "pid", i)->value;
    if (!named)
        n = control_list(pids, ASK_PIDS_MAX);
    qsort(pids, n, sizeof pids[0], by_number);
    snapshot_header(want, out_sink());
    for (unsigned i = 0; i < n; i++) {
        int err = control_ask(pids[i], line, out_sink());
        answered += err == 0;
        if (err == 0 || !named)
            continue;
        out_error(a->verb->name, "process %d does not answer: %s", pids[i],
                  err == -ENOENT || err == -ESRCH ? "it has no stack, or belongs to somebody else"
                                                  : strerror(-err));
        return EXIT_SETUP;
    }
    if (answered > 0)
        return EXIT_OK;
    out_error(a->verb->name, "no process of yours has a stack just now; --lab NAME asks a lab");
    return EXIT_NEGATIVE;
}

int ask(const struct args *a, const struct snapshot_want *want)
{
    struct netrun *n;
    if (!opt_given(a, "lab") && !opt_given(a, "link"))
        return ask_processes(a, want);
    int status = netrun_open(&n, a, stdout, ORIEL_NEVER);
    if (status != EXIT_OK)
        return status;
    status = netrun_settle(n);
    netrun_show(n);
    if (status == EXIT_OK && !watch_takes_stdout(a)) {
        snapshot_header(want, out_sink());
        snapshot_print(want, n->me, 1, "lab", (int)getpid(), out_sink());
    }
    return netrun_close(n, status);
}
