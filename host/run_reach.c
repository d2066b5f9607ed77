/*
 * Reaching the program's descriptors: by who asked last and under which number; and where that is no longer
 * true, by looking through all processes that we started and what they started.
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PROCESSES_MAX   512         /* that are looked through */
#define DESCRIPTORS_MAX 8192        /* of all of them: some ten milliseconds */

/* Of a thread; before Linux 6.9 of its process, which /proc knows. */
static int pidfd_of(pid_t tid)
{
    int got = (int)syscall(SYS_pidfd_open, tid, O_EXCL);        /* PIDFD_THREAD */
    if (got >= 0 || errno != EINVAL)
        return got < 0 ? -errno : got;
    char path[40], line[64];
    long leader = tid;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, "Tgid:", 5) == 0)
            leader = strtol(line + 5, NULL, 10);
    if (f)
        fclose(f);
    got = (int)syscall(SYS_pidfd_open, (pid_t)leader, 0);
    return got < 0 ? -errno : got;
}

int run_reach(struct run *n, pid_t tid, int fd)
{
    struct run_reach_slot *slot = &n->reach[(unsigned)tid & (REACH_SLOTS - 1)];
    for (int again = 0; again < 2; again++) {
        if (slot->tid != tid || again) {
            if (slot->tid)
                close(slot->pidfd);
            slot->pidfd = pidfd_of(tid);
            slot->tid = slot->pidfd < 0 ? 0 : tid;
            if (slot->pidfd < 0)
                return slot->pidfd;
        }
        int got = (int)syscall(SYS_pidfd_getfd, slot->pidfd, fd, 0);
        if (got >= 0 || errno != ESRCH)
            return got < 0 ? -errno : got;
    }
    return -ESRCH;
}

/* Its descriptor in that process; -1: it has none, or *left, how many may be looked at, came to an end. */
static int look_through(struct rsock *s, pid_t pid, unsigned *left)
{
    char path[40], to[32];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *d = opendir(path);
    int found = -1;
    struct dirent *e;
    for (; d && found < 0 && *left > 0 && (e = readdir(d)) != NULL; --*left) {
        ssize_t k = readlinkat(dirfd(d), e->d_name, to, sizeof(to));
        if (k < 7 || memcmp(to, "socket:", 7) != 0)
            continue;
        int fd = (int)strtol(e->d_name, NULL, 10), dup = run_reach(s->run, pid, fd);
        if (dup < 0)
            continue;
        if (rsock_is_of(s, dup)) {
            s->tid = pid;
            s->fd = fd;
            found = dup;
        } else {
            close(dup);
        }
    }
    if (d)
        closedir(d);
    return found;
}

/* Its children are appended to the list. */
static unsigned add_children(pid_t pid, pid_t *list, unsigned n)
{
    char path[64];
    int child;
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "re");
    while (f && n < PROCESSES_MAX && fscanf(f, "%d", &child) == 1)
        list[n++] = child;
    if (f)
        fclose(f);
    return n;
}

int reach_socket(struct rsock *s)
{
    pid_t list[PROCESSES_MAX];
    int dup = s->fd < 0 ? -1 : run_reach(s->run, s->tid, s->fd);
    if (dup >= 0 && rsock_is_of(s, dup))
        return dup;
    if (dup >= 0)
        close(dup);
    unsigned n = add_children(getpid(), list, 0), left = DESCRIPTORS_MAX;
    for (unsigned i = 0; i < n && left > 0; i++) {
        dup = look_through(s, list[i], &left);
        if (dup >= 0)
            return dup;
        n = add_children(list[i], list, n);
    }
    return -1;
}
