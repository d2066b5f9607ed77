/*
 * The program, as a child that can gain no privileges and dies with us.
 *
 * What the child enters (a filter, namespaces: struct run_way) gives it a descriptor, which we take with
 * pidfd_getfd, since the calls that could send it may be those that a filter holds. Two pipes: `up` tells its
 * number and, if the child gets no further, why; `down` tells the child that we have made use of it.
 *
 * What the program leaves behind (a daemon, workers) becomes ours, as we are its reaper: Oriel ends when
 * nobody is left. Signals of the terminal come to the whole group by themselves; only those that somebody
 * sent to Oriel alone are passed on.
 */
#define _GNU_SOURCE
#include "host/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_on[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH};

/* What the child says on `up`: first what it has entered, then, if ever, why it went no further. */
enum said {
    SAID_ENTERED,
    SAID_SETTLE,
    SAID_EXEC,
};

struct word {
    enum said said;
    int value;                      /* a descriptor, or a negative errno */
};

static void say(int fd, enum said said, int value)
{
    struct word w = {.said = said, .value = value};
    if (write(fd, &w, sizeof(w)) != sizeof(w))
        _exit(RUN_EXIT_OURS);
}

_Noreturn static void be_the_program(char *const argv[], const struct run_way *way, int up, int down,
                                     pid_t parent, const sigset_t *mask)
{
    char go;
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(RUN_EXIT_OURS);
    int given = way->enter(way->ctx);
    say(up, SAID_ENTERED, given);
    if (given < 0 || read(down, &go, 1) != 1)
        _exit(RUN_EXIT_OURS);
    close(given);
    int err = way->settle ? way->settle(way->ctx) : 0;
    if (err == 0) {
        execvp(argv[0], argv);
        say(up, SAID_EXEC, -errno);
    } else {
        say(up, SAID_SETTLE, err);
    }
    _exit(RUN_EXIT_NOT_FOUND);
}

static int take(pid_t pid, int fd)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return -errno;
    int got = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
    int err = -errno;
    close(pidfd);
    return got < 0 ? err : got;
}

/* What the child entered, as we hear it. 0, or an exit status. */
static int hear(struct run_child *c, char error[DRV_ERROR_MAX])
{
    struct word w;
    if (read(c->up, &w, sizeof(w)) != sizeof(w)) {
        (void)snprintf(error, DRV_ERROR_MAX, "the child ended before it began");
        return RUN_EXIT_OURS;
    }
    if (w.value < 0) {
        c->way->explain(c->way->ctx, w.value, error);
        return RUN_EXIT_CANNOT;
    }
    c->given = take(c->pid, w.value);
    if (c->given < 0)
        (void)snprintf(error, DRV_ERROR_MAX, "cannot take the child's descriptor: %s", strerror(-c->given));
    return c->given < 0 ? RUN_EXIT_OURS : 0;
}

int run_child_go(struct run_child *c, char *const argv[], char error[DRV_ERROR_MAX])
{
    struct word w;
    int status = write(c->down, "", 1) == 1 ? 0 : RUN_EXIT_OURS;
    if (status != 0)
        (void)snprintf(error, DRV_ERROR_MAX, "the child ended before it began");
    else if (read(c->up, &w, sizeof(w)) != sizeof(w))
        status = 0;                     /* closed by exec: it runs */
    else if (w.said == SAID_SETTLE) {
        c->way->explain(c->way->ctx, w.value, error);
        status = RUN_EXIT_CANNOT;
    } else {
        bool there = w.value != -ENOENT && w.value != -ENOTDIR;
        (void)snprintf(error, DRV_ERROR_MAX, "%s: %s", argv[0],
                       there ? strerror(-w.value) : "command not found");
        status = there ? RUN_EXIT_CANNOT : RUN_EXIT_NOT_FOUND;
    }
    close(c->up);
    close(c->down);
    c->up = c->down = -1;
    return status;
}

static int watch_signals(sigset_t *before)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        sigaddset(&set, passed_on[i]);
    sigprocmask(SIG_BLOCK, &set, before);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int run_child_start(struct run_child *c, char *const argv[], const struct run_way *way,
                    char error[DRV_ERROR_MAX])
{
    int up[2], down[2];
    sigset_t before;
    *c = (struct run_child){.pid = -1, .given = -1, .way = way, .up = -1, .down = -1};
    c->signals = watch_signals(&before);
    if (c->signals < 0 || pipe2(up, O_CLOEXEC) != 0 || pipe2(down, O_CLOEXEC) != 0 ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        (void)snprintf(error, DRV_ERROR_MAX, "cannot start a process: %s", strerror(errno));
        return RUN_EXIT_OURS;
    }
    pid_t us = getpid();
    c->pid = fork();
    if (c->pid == 0) {
        close(up[0]);
        close(down[1]);
        be_the_program(argv, way, up[1], down[0], us, &before);
    }
    close(up[1]);
    close(down[0]);
    c->up = up[0];
    c->down = down[1];
    if (c->pid > 0)
        return hear(c, error);
    (void)snprintf(error, DRV_ERROR_MAX, "cannot start a process: %s", strerror(errno));
    return RUN_EXIT_OURS;
}

static void note_ends(struct run_child *c)
{
    int how;
    pid_t pid;
    while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
        if (pid != c->pid)
            continue;
        c->ended = true;
        c->status = WIFEXITED(how) ? WEXITSTATUS(how) : RUN_EXIT_SIGNAL + WTERMSIG(how);
    }
    c->alone = pid < 0 && errno == ECHILD;
}

void run_child_signals(struct run_child *c)
{
    struct signalfd_siginfo s;
    while (read(c->signals, &s, sizeof(s)) == sizeof(s)) {
        bool from_somebody = s.ssi_code <= 0;       /* SI_USER, SI_QUEUE, SI_TKILL */
        if (s.ssi_signo != SIGCHLD && from_somebody && !c->ended)
            kill(c->pid, (int)s.ssi_signo);
    }
    note_ends(c);
}
