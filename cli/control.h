/*
 * How `oriel ss` and `oriel stat` reach a world that runs: a socket in the file system,
 * $XDG_RUNTIME_DIR/oriel/PID.sock (or /tmp/oriel-UID/PID.sock), for the same user alone.
 *
 *     struct control *c = control_open(loop, "nc", world);     NULL: nobody can ask, which is no error
 *     ...
 *     control_close(c);
 *
 * Whoever asks connects and writes one line of snapshot.h, "ss json info states=12"; what that verb
 * prints of the world comes back, and the end of the file. Answers are snapshots, made between two
 * steps. The other end's user is asked of the kernel (SO_PEERCRED); the directory belongs to the user
 * and to nobody else.
 */
#ifndef ORIEL_CLI_CONTROL_H
#define ORIEL_CLI_CONTROL_H

#include "base/sink.h"
#include "host/loop.h"
#include "lab/world.h"

#define CONTROL_CLIENTS_MAX 8
#define CONTROL_LINE_MAX    1024
#define CONTROL_ANSWER_MAX  ((size_t)64 << 20)

struct control;

struct control *control_open(struct loop *l, const char *verb, const struct world *w);
void control_close(struct control *c);

/* Running instances of this user, by pid; the number of them, at most max. */
unsigned control_list(int pids[], unsigned max);

/*
 * Ask one; the answer goes to `out`. 0, or a negative errno: -ENOENT, -ESRCH: there is none; -ETIMEDOUT: it
 * has not moved for a while, stopped by a debugger perhaps.
 */
int control_ask(int pid, const char *line, struct sink out);

#endif
