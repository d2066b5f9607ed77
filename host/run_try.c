/* Trying a way of run.h: a child enters it and ends. */
#define _GNU_SOURCE
#include "host/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void enter_and_end(const struct run_way *way, int up, int down)
{
    char go;
    int got = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? way->enter(way->ctx) : -errno;
    if (write(up, &got, sizeof(got)) == sizeof(got))
        (void)!read(down, &go, 1);          /* until what was given has been taken */
    _exit(0);
}

/* Is there what takes a descriptor out of another process? */
static int take_and_close(pid_t pid, int fd)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int got = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0), err = got < 0 ? -errno : 0;
    if (got >= 0)
        close(got);
    if (pidfd >= 0)
        close(pidfd);
    return err;
}

bool run_way_works(const struct run_way *way, char error[DRV_ERROR_MAX])
{
    int up[2], down[2], given = -EIO;
    if (pipe2(up, O_CLOEXEC) != 0 || pipe2(down, O_CLOEXEC) != 0) {
        (void)snprintf(error, DRV_ERROR_MAX, "cannot try: %s", strerror(errno));
        return false;
    }
    pid_t pid = fork();
    if (pid == 0) {
        close(up[0]);
        close(down[1]);
        enter_and_end(way, up[1], down[0]);
    }
    close(up[1]);
    close(down[0]);
    if (pid < 0 || read(up[0], &given, sizeof(given)) != sizeof(given))
        given = -EIO;
    int err = given >= 0 && given != RUN_GIVES_NOTHING ? take_and_close(pid, given) : 0;
    close(down[1]);
    close(up[0]);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    if (given < 0)
        way->explain(way->ctx, given, error);
    else if (err)
        (void)snprintf(error, DRV_ERROR_MAX, "this machine lets nobody take a descriptor out of another "
                       "process (%s; Linux 5.6 or later does)", strerror(-err));
    return given >= 0 && !err;
}
