/*
 * A socket that answers questions about a world.
 *
 * Everything waits in the world's loop, nothing blocks: a question is read as it comes, its answer is
 * made at once, between two steps, and written as the other end takes it. Who asks more than a line,
 * or stays away, costs a descriptor of a few and no time.
 */
#define _GNU_SOURCE
#include "cli/control.h"

#include "cli/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ASK_PATIENCE_S 5
#define PATH_BYTES     108              /* of a socket's name, as the kernel has it */

struct client {
    struct control *c;
    struct loop_source source;      /* fd -1: free */
    char line[CONTROL_LINE_MAX];
    size_t line_n;
    char *answer;                   /* NULL: the question is not whole yet */
    size_t answer_n, sent;
};

struct control {
    struct loop *loop;
    const struct world *world;
    const char *verb;
    struct loop_source listening;
    struct sockaddr_un at;
    struct client clients[CONTROL_CLIENTS_MAX];
};

/* ---- where ---- */

/* The directory of this user; false: the name is too long. */
static bool directory(char *path, size_t cap)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    int n = run && run[0] == '/' ? snprintf(path, cap, "%s/oriel", run)
                                 : snprintf(path, cap, "/tmp/oriel-%u", (unsigned)geteuid());
    return n > 0 && (size_t)n < cap;
}

/* Ours, a directory, and closed to everybody else? */
static bool is_private(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

static bool address(struct sockaddr_un *a, int pid)
{
    char dir[PATH_BYTES];
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (!directory(dir, sizeof dir))
        return false;
    int n = snprintf(a->sun_path, sizeof a->sun_path, "%s/%d.sock", dir, pid);
    return n > 0 && (size_t)n < sizeof a->sun_path && is_private(dir);
}

/* ---- answering ---- */

static void drop_client(struct client *x)
{
    loop_remove(x->c->loop, &x->source);
    close(x->source.fd);
    free(x->answer);
    *x = (struct client){.c = x->c, .source = {.fd = -1}};
}

struct answer {
    FILE *to;
    size_t n;
};

static bool put_answer(void *ctx, struct span bytes)
{
    struct answer *a = ctx;
    a->n += bytes.n;
    return a->n <= CONTROL_ANSWER_MAX && fwrite(bytes.p, 1, bytes.n, a->to) == bytes.n;
}

static bool make_answer(struct client *x)
{
    struct snapshot_want want;
    struct answer a = {.to = open_memstream(&x->answer, &x->answer_n)};
    struct sink out = {.put = put_answer, .ctx = &a};
    if (!a.to)
        return false;
    if (snapshot_parse(span_of(x->line, x->line_n), &want))
        snapshot_print(&want, x->c->world->nodes, x->c->world->nodes_n, x->c->verb, (int)getpid(),
                       out);
    return fclose(a.to) == 0;
}

/* False: it is over. */
static bool send_answer(struct client *x)
{
    while (x->sent < x->answer_n) {
        ssize_t n = send(x->source.fd, x->answer + x->sent, x->answer_n - x->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return loop_change(x->c->loop, &x->source, EPOLLOUT) == 0;
        if (n <= 0)
            return false;
        x->sent += (size_t)n;
    }
    return false;
}

static bool read_question(struct client *x)
{
    ssize_t n = recv(x->source.fd, x->line + x->line_n, sizeof x->line - x->line_n, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN;
    char *end = memchr(x->line + x->line_n, '\n', (size_t)n);
    x->line_n += (size_t)n;
    if (!end)
        return n > 0 && x->line_n < sizeof x->line;
    x->line_n = (size_t)(end - x->line);
    return make_answer(x) && send_answer(x);
}

static void client_ready(void *ctx, uint32_t events)
{
    struct client *x = ctx;
    bool goes_on = x->answer ? (events & EPOLLOUT) && send_answer(x) : read_question(x);
    if (!goes_on)
        drop_client(x);
}

static bool is_allowed(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

static void somebody_asks(void *ctx, uint32_t events)
{
    struct control *c = ctx;
    struct client *x = NULL;
    (void)events;
    int fd = accept4(c->listening.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX && !x; i++)
        if (c->clients[i].source.fd < 0)
            x = &c->clients[i];
    if (!x || !is_allowed(fd)) {
        close(fd);
        return;
    }
    *x = (struct client){.c = c};
    x->source = (struct loop_source){.fd = fd, .events = EPOLLIN, .on_ready = client_ready,
                                     .ctx = x};
    if (loop_add(c->loop, &x->source) < 0) {
        close(fd);
        x->source.fd = -1;
    }
}

static bool open_socket(struct control *c)
{
    char dir[PATH_BYTES];
    if (directory(dir, sizeof dir))
        (void)mkdir(dir, 0700);
    if (!address(&c->at, (int)getpid()))
        return false;
    (void)unlink(c->at.sun_path);       /* of a process before us that had our number */
    c->listening.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return c->listening.fd >= 0 &&
           bind(c->listening.fd, (struct sockaddr *)&c->at, sizeof c->at) == 0 &&
           listen(c->listening.fd, CONTROL_CLIENTS_MAX) == 0 &&
           loop_add(c->loop, &c->listening) == 0;
}

struct control *control_open(struct loop *l, const char *verb, const struct world *w)
{
    struct control *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct control){.loop = l, .world = w, .verb = verb};
    c->listening = (struct loop_source){.fd = -1, .events = EPOLLIN, .on_ready = somebody_asks,
                                        .ctx = c};
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        c->clients[i] = (struct client){.c = c, .source = {.fd = -1}};
    if (open_socket(c))
        return c;
    if (c->listening.fd >= 0)
        close(c->listening.fd);
    free(c);
    return NULL;
}

void control_close(struct control *c)
{
    if (!c)
        return;
    for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (c->clients[i].source.fd >= 0)
            drop_client(&c->clients[i]);
    loop_remove(c->loop, &c->listening);
    close(c->listening.fd);
    (void)unlink(c->at.sun_path);
    free(c);
}

/* ---- asking ---- */

unsigned control_list(int pids[], unsigned max)
{
    char dir[PATH_BYTES];
    DIR *d = directory(dir, sizeof dir) && is_private(dir) ? opendir(dir) : NULL;
    unsigned n = 0;
    for (struct dirent *e; d && n < max && (e = readdir(d)) != NULL;) {
        char *end;
        long pid = strtol(e->d_name, &end, 10);
        if (pid > 0 && strcmp(end, ".sock") == 0)
            pids[n++] = (int)pid;
    }
    if (d)
        closedir(d);
    return n;
}

int control_ask(int pid, const char *line, struct sink out)
{
    struct sockaddr_un a;
    const struct timeval patience = {.tv_sec = ASK_PATIENCE_S};
    char block[16384];
    if (!address(&a, pid))
        return -ENOENT;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);  /* of connect, too */
    ssize_t got = connect(fd, (struct sockaddr *)&a, sizeof a);
    if (got < 0 && errno == ECONNREFUSED) {     /* it ended without a chance to tidy up */
        (void)unlink(a.sun_path);
        errno = ESRCH;
    }
    if (got == 0)
        got = send(fd, block, (size_t)snprintf(block, sizeof block, "%s\n", line), MSG_NOSIGNAL);
    while (got > 0 && (got = recv(fd, block, sizeof block, 0)) > 0)
        (void)sink_put(&out, span_of(block, (size_t)got));
    int err = got >= 0 ? 0 : errno == EAGAIN ? -ETIMEDOUT : -errno;
    close(fd);
    return err;
}
