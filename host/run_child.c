/*
 * The program, as a child that can gain no privileges and dies with us.
 *
 * What the child enters (a filter, namespaces: struct run_way) gives it a descriptor, which we take with
 * pidfd_getfd, since the calls that could send it may be those that a filter holds. Two pipes: `up` tells its
 * number and, if the child gets no further, why; `down` tells the child that we have made use of it.
 *
 * Between us and the program stands a guard: what the program leaves behind (a daemon, workers) becomes the
 * guard's, which ends when nobody is left. When we are killed it ends them all, and when it is killed, we
 * do: they become ours then. It is in a session of its own, so that a signal to the whole group, which
 * ends us and the program, leaves it to end the others. Signals of the terminal come to the group by
 * themselves; only those that somebody sent to Oriel alone are passed on, and once the program has ended, one
 * that would have ended it ends what it left behind.
 */
#define _GNU_SOURCE
#include "host/run.h"
#include "host/run_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int passed_on[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH};
#define ENDING 4                    /* the first so many are wishes that it end */

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

/* What the program gets as we got it. */
struct inherited {
    sigset_t mask;
    struct sigaction pipe;
    struct rlimit files;
};

_Noreturn static void be_the_program(char *const argv[], const struct run_way *way, int up, int down,
                                     pid_t parent, const struct inherited *as)
{
    char go;
    sigaction(SIGPIPE, &as->pipe, NULL);
    sigprocmask(SIG_SETMASK, &as->mask, NULL);
    (void)setrlimit(RLIMIT_NOFILE, &as->files);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(RUN_EXIT_OURS);
    int given = way->enter(way->ctx);
    say(up, SAID_ENTERED, given);
    if (given < 0 || read(down, &go, 1) != 1)
        _exit(RUN_EXIT_OURS);
    if (given != RUN_GIVES_NOTHING)
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
    if (w.value == RUN_GIVES_NOTHING)
        return 0;
    c->given = (int)syscall(SYS_pidfd_getfd, c->pidfd, w.value, 0);
    if (c->given < 0)
        (void)snprintf(error, DRV_ERROR_MAX, "cannot take the child's descriptor: %s", strerror(errno));
    return c->given < 0 ? RUN_EXIT_OURS : 0;
}

int run_child_go(struct run_child *c, char *const argv[], char error[DRV_ERROR_MAX])
{
    struct word w;
    char path[PATH_MAX];
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
        if (w.value == -EACCES)         /* perhaps a folder of PATH may not be searched, and it is in no other */
            there = program_find(argv[0], path) != -ENOENT;
        (void)snprintf(error, DRV_ERROR_MAX, "%s: %s", argv[0],
                       there ? strerror(-w.value) : "command not found");
        status = there ? RUN_EXIT_CANNOT : RUN_EXIT_NOT_FOUND;
    }
    close(c->up);
    close(c->down);
    c->up = c->down = -1;
    return status;
}

/* ---- the guard ---- */

/* How the program ended, once nobody is left. */
static bool all_gone(pid_t program, int *how)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == program)
            *how = status;
    return pid < 0 && errno == ECHILD;
}

/* Everything below us: who loses its parent becomes ours, so this comes to an end. The list may miss one
 * while others go; that there is nobody left says wait alone. */
static void end_all(pid_t program, int *how)
{
    static const struct timespec a_moment = {.tv_nsec = 1000000};
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)getpid(), (int)getpid());
    for (;;) {
        int child;
        FILE *f = fopen(path, "re");
        while (f && fscanf(f, "%d", &child) == 1)
            kill(child, SIGKILL);
        if (f)
            fclose(f);
        if (all_gone(program, how))
            return;
        (void)nanosleep(&a_moment, NULL);
    }
}

_Noreturn static void guard(pid_t program, int told, int leash)
{
    int how = 0;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    struct pollfd p[2] = {{.fd = leash, .events = POLLIN},
                          {.fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN}};
    while (!all_gone(program, &how)) {
        struct signalfd_siginfo s;
        if (poll(p, 2, -1) < 0 || (p[0].revents & (POLLIN | POLLHUP))) {
            end_all(program, &how);
            break;
        }
        while (read(p[1].fd, &s, sizeof(s)) == sizeof(s))
            continue;
    }
    _exit(write(told, &how, sizeof(how)) == sizeof(how) ? 0 : RUN_EXIT_OURS);
}

/* The ends of the pipes that stay here, and those that the other side has. */
struct pipes {
    int up[2], down[2], told[2], leash[2];
};

_Noreturn static void become_guard(char *const argv[], const struct run_way *way, const struct pipes *p,
                                  const struct inherited *as)
{
    close(p->up[0]);
    close(p->down[1]);
    close(p->told[0]);
    close(p->leash[1]);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        _exit(RUN_EXIT_OURS);
    pid_t us = getpid(), program = fork();
    if (program == 0)
        be_the_program(argv, way, p->up[1], p->down[0], us, as);
    close(p->up[1]);
    close(p->down[0]);
    if (program < 0 || setsid() < 0 || write(p->told[1], &program, sizeof(program)) != sizeof(program))
        _exit(RUN_EXIT_OURS);
    guard(program, p->told[1], p->leash[0]);
}

/* ---- our side ---- */

static int watch_signals(struct inherited *as)
{
    sigset_t set;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        sigaddset(&set, passed_on[i]);
    sigprocmask(SIG_BLOCK, &set, &as->mask);
    sigaction(SIGPIPE, &ignore, &as->pipe);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Each connection takes descriptors of ours; the program's number is its own affair. */
static void raise_limit(struct inherited *as)
{
    if (getrlimit(RLIMIT_NOFILE, &as->files) != 0)
        return;
    const struct rlimit most = {.rlim_cur = as->files.rlim_max, .rlim_max = as->files.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &most);
}

static bool make_pipes(struct pipes *p)
{
    return pipe2(p->up, O_CLOEXEC) == 0 && pipe2(p->down, O_CLOEXEC) == 0 && pipe2(p->told, O_CLOEXEC) == 0 &&
           pipe2(p->leash, O_CLOEXEC) == 0;
}

int run_child_start(struct run_child *c, char *const argv[], const struct run_way *way,
                    char error[DRV_ERROR_MAX])
{
    struct pipes p;
    struct inherited as;
    *c = (struct run_child){.pid = -1, .pidfd = -1, .guard = -1, .given = -1, .way = way,
                            .up = -1, .down = -1};
    c->signals = watch_signals(&as);
    raise_limit(&as);
    if (c->signals >= 0 && make_pipes(&p) && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0)
        c->guard = fork();
    if (c->guard == 0)
        become_guard(argv, way, &p, &as);
    if (c->guard < 0) {
        (void)snprintf(error, DRV_ERROR_MAX, "cannot start a process: %s", strerror(errno));
        return RUN_EXIT_OURS;
    }
    close(p.up[1]);
    close(p.down[0]);
    close(p.told[1]);
    close(p.leash[0]);
    c->up = p.up[0];
    c->down = p.down[1];
    c->told = p.told[0];
    c->leash = p.leash[1];
    if (read(c->told, &c->pid, sizeof(c->pid)) != sizeof(c->pid)) {
        (void)snprintf(error, DRV_ERROR_MAX, "cannot start a process");
        return RUN_EXIT_OURS;
    }
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    return hear(c, error);
}

/* The guard has ended: nobody is left, or it was killed. */
static void note_end(struct run_child *c)
{
    int how = SIGKILL;
    if (read(c->told, &how, sizeof(how)) != sizeof(how))
        end_all(c->pid, &how);
    c->alone = true;
    c->status = WIFEXITED(how) ? WEXITSTATUS(how) : RUN_EXIT_SIGNAL + WTERMSIG(how);
}

/* The program has ended, and its number may be another's by now. The guard ends what it left behind. */
static void let_go(struct run_child *c, int sig)
{
    for (size_t i = 0; i < ENDING && c->leash >= 0; i++)
        if (passed_on[i] == sig) {
            close(c->leash);
            c->leash = -1;
        }
}

void run_child_signals(struct run_child *c)
{
    struct signalfd_siginfo s;
    pid_t pid;
    while (read(c->signals, &s, sizeof(s)) == sizeof(s)) {
        bool from_somebody = s.ssi_code <= 0;       /* SI_USER, SI_QUEUE, SI_TKILL */
        int sig = (int)s.ssi_signo;
        if (sig != SIGCHLD && from_somebody && !c->alone &&
            syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0) != 0 && errno == ESRCH)
            let_go(c, sig);
    }
    while (!c->alone && (pid = waitpid(-1, NULL, WNOHANG)) > 0)
        if (pid == c->guard)
            note_end(c);
}
