/*
 * The program, as a child that can gain no privileges and dies with us.
 *
 * The filter is installed in the child; its listener is then a descriptor of the child that we take with
 * pidfd_getfd, since the calls that could send it are those that the filter holds. Two pipes: `up` tells the
 * listener's number and, if exec fails, its errno; `down` tells the child that we have the listener.
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

/* What the child says on `up`: first the listener, then, if ever, why exec failed. */
struct word {
    bool is_listener;
    int value;                      /* a descriptor, or a negative errno */
};

static void say(int fd, bool is_listener, int value)
{
    struct word w = {.is_listener = is_listener, .value = value};
    if (write(fd, &w, sizeof(w)) != sizeof(w))
        _exit(RUN_EXIT_OURS);
}

_Noreturn static void be_the_program(char *const argv[], int up, int down, pid_t parent,
                                     const sigset_t *mask)
{
    char go;
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(RUN_EXIT_OURS);
    int listener = notify_filter();
    say(up, true, listener);
    if (listener < 0 || read(down, &go, 1) != 1)
        _exit(RUN_EXIT_OURS);
    close(listener);
    execvp(argv[0], argv);
    say(up, false, -errno);
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

static int cannot_filter(int err, char error[DRV_ERROR_MAX])
{
    const char *what = err == -EBUSY
        ? "something else already answers this process's system calls (another `oriel run`, a container's "
          "supervisor): start it outside of that"
        : "this kernel has no seccomp user notification (Linux 5.14 or later has)";
    (void)snprintf(error, DRV_ERROR_MAX, "cannot be served: %s (%s)", what, strerror(-err));
    return RUN_EXIT_CANNOT;
}

/* The child's side of the start, as we hear it. 0, or an exit status. */
static int hear(struct run_child *c, char *const argv[], int up, int down, char error[DRV_ERROR_MAX])
{
    struct word w;
    if (read(up, &w, sizeof(w)) != sizeof(w) || !w.is_listener) {
        (void)snprintf(error, DRV_ERROR_MAX, "the child ended before it began");
        return RUN_EXIT_OURS;
    }
    if (w.value < 0)
        return cannot_filter(w.value, error);
    c->listener = take(c->pid, w.value);
    if (c->listener < 0) {
        (void)snprintf(error, DRV_ERROR_MAX, "cannot take the child's listener: %s", strerror(-c->listener));
        return RUN_EXIT_OURS;
    }
    if (write(down, "", 1) != 1)
        return RUN_EXIT_OURS;
    if (read(up, &w, sizeof(w)) != sizeof(w))
        return 0;                       /* closed by exec: it runs */
    bool there = w.value != -ENOENT && w.value != -ENOTDIR;
    (void)snprintf(error, DRV_ERROR_MAX, "%s: %s", argv[0],
                   there ? strerror(-w.value) : "command not found");
    return there ? RUN_EXIT_CANNOT : RUN_EXIT_NOT_FOUND;
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

int run_child_start(struct run_child *c, char *const argv[], char error[DRV_ERROR_MAX])
{
    int up[2], down[2];
    sigset_t before;
    *c = (struct run_child){.pid = -1, .listener = -1};
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
        be_the_program(argv, up[1], down[0], us, &before);
    }
    close(up[1]);
    close(down[0]);
    if (c->pid < 0)
        (void)snprintf(error, DRV_ERROR_MAX, "cannot start a process: %s", strerror(errno));
    int status = c->pid < 0 ? RUN_EXIT_OURS : hear(c, argv, up[0], down[1], error);
    close(up[0]);
    close(down[1]);
    return status;
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
