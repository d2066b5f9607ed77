/*
 * poll and epoll, of our descriptors and the system's together.
 *
 * The descriptor of an epoll set is a real epoll instance, which holds what the system has in the set.
 * A call that waits for descriptors of both kinds sleeps in ppoll, where an eventfd brings our news.
 */
#define _GNU_SOURCE
#include "host/posix_run.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define HERE 32                     /* descriptors without memory of the call's own */

static int fails(int number)
{
    errno = number;
    return -1;
}

/* ---- poll ---- */

struct polling {
    struct pollfd *fds;             /* the caller's */
    size_t n;
    struct px_pollfd *ours;
    struct pollfd *system;
    int *numbers;                   /* of ours that exist */
    size_t ours_n, system_n, numbers_n;
    int timeout_ms;
};

static int64_t poll_again(struct oriel_px *p, struct px_call *c, void *ctx)
{
    struct polling *k = ctx;
    int64_t theirs = k->system_n > 0 ? poll(k->system, k->system_n, 0) : 0;
    int64_t got = px_poll(&p->px, c, k->ours, k->ours_n, theirs > 0 ? 0 : k->timeout_ms);
    return got < 0 ? got : got + (theirs > 0 ? theirs : 0);
}

/* Which are ours? The instance of the first. */
static struct oriel_px *sort_out(struct polling *k)
{
    struct oriel_px *p = NULL;
    for (size_t i = 0; i < k->n; i++) {
        struct oriel_px *owner = posix_of(k->fds[i].fd);
        p = p ? p : owner;
        if (owner && owner == p) {
            k->numbers[k->numbers_n++] = k->fds[i].fd;
            k->ours[k->ours_n++] = (struct px_pollfd){.fd = k->fds[i].fd, .events = k->fds[i].events};
        } else if (k->fds[i].fd >= 0) {
            k->system[k->system_n++] = (struct pollfd){.fd = k->fds[i].fd, .events = k->fds[i].events};
        }
    }
    return p;
}

static void tell(const struct polling *k)
{
    size_t ours = 0, system = 0;
    for (size_t i = 0; i < k->n; i++) {
        int fd = k->fds[i].fd;
        if (ours < k->ours_n && k->ours[ours].fd == fd)
            k->fds[i].revents = k->ours[ours++].revents;
        else if (system < k->system_n && k->system[system].fd == fd)
            k->fds[i].revents = k->system[system++].revents;
        else
            k->fds[i].revents = 0;
    }
}

static int64_t poll_with(struct polling *k)
{
    struct oriel_px *p = sort_out(k);
    if (!p)
        return poll(k->fds, k->n, k->timeout_ms);
    const struct posix_call call = {.again = poll_again, .ctx = k, .fds = k->numbers,
                                    .fds_n = k->numbers_n, .system = k->system,
                                    .system_n = k->system_n, .always_ends = true};
    posix_enter(p);
    int64_t got = posix_leave(p, posix_call(p, &call));
    if (got >= 0)
        tell(k);
    return got;
}

int oriel_px_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct px_pollfd ours[HERE];
    struct pollfd system[HERE + 1];
    int numbers[HERE];
    struct polling k = {.fds = fds, .n = n, .ours = ours, .system = system, .numbers = numbers,
                        .timeout_ms = timeout_ms};
    if (n <= HERE)
        return (int)poll_with(&k);
    if (n > POSIX_FDS_MAX)
        return fails(EINVAL);
    k.ours = calloc(n, sizeof *k.ours);
    k.system = calloc(n + 1, sizeof *k.system);
    k.numbers = calloc(n, sizeof *k.numbers);
    int got = k.ours && k.system && k.numbers ? (int)poll_with(&k) : fails(ENOMEM);
    free(k.ours);
    free(k.system);
    free(k.numbers);
    return got;
}

/* ---- epoll ---- */

int oriel_px_epoll_create1(int flags)
{
    struct oriel_px *p = posix_here();
    if (!p)
        return -1;
    int fd = epoll_create1(flags);
    if (fd < 0)
        return fd;
    posix_enter(p);
    int64_t got = px_epoll_create(&p->px, fd);
    if (got >= 0)
        posix_fd_give(p, fd);
    else
        posix_fd_drop(fd);
    return (int)posix_leave(p, got);
}

int oriel_px_epoll_create(int size)
{
    return size > 0 ? oriel_px_epoll_create1(0) : fails(EINVAL);
}

/* One of the system's: the real set holds it, and the set knows that there is one. */
static int64_t ctl_system(struct oriel_px *p, int epfd, int op, int fd, struct epoll_event *event)
{
    struct px_file *set = px_of(&p->px, epfd);
    if (!set || set->kind != PX_EPOLL)
        return set ? -EINVAL : -EBADF;
    if (epoll_ctl(epfd, op, fd, event) < 0)
        return -errno;
    set->system = set->system || op == EPOLL_CTL_ADD;
    return 0;
}

int oriel_px_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    struct oriel_px *p = posix_of(epfd);
    struct px_epoll_event e = {0};
    if (!p)
        return posix_of(fd) ? fails(EINVAL) : epoll_ctl(epfd, op, fd, event);
    if (event)
        e = (struct px_epoll_event){.events = event->events, .data = event->data.u64};
    posix_enter(p);
    return (int)posix_leave(p, posix_of(fd) == p
                                   ? px_epoll_ctl(&p->px, epfd, op, fd, event ? &e : NULL)
                                   : ctl_system(p, epfd, op, fd, event));
}

struct epolling {
    struct px_epoll_event *ours;
    struct epoll_event *out;
    int epfd, max, timeout_ms;
    bool system;
};

static int64_t epoll_again(struct oriel_px *p, struct px_call *c, void *ctx)
{
    struct epolling *k = ctx;
    int64_t got = px_epoll_wait(&p->px, c, k->epfd, k->ours, k->max, k->timeout_ms);
    if (got < 0 && got != PX_AGAIN)
        return got;
    int ours = got == PX_AGAIN ? 0 : (int)got;
    for (int i = 0; i < ours; i++) {
        k->out[i].events = k->ours[i].events;
        k->out[i].data.u64 = k->ours[i].data;
    }
    int theirs = k->system && ours < k->max ? epoll_wait(k->epfd, k->out + ours, k->max - ours, 0) : 0;
    return theirs > 0 ? ours + theirs : got;
}

static int64_t wait_with(struct oriel_px *p, struct epolling *k)
{
    struct pollfd system[2] = {{.fd = k->epfd, .events = POLLIN}};
    posix_enter(p);
    const struct px_file *set = px_of(&p->px, k->epfd);
    k->system = set && set->system;
    const struct posix_call call = {.again = epoll_again, .ctx = k, .fds = &k->epfd, .fds_n = 1,
                                    .system = system, .system_n = k->system, .always_ends = true};
    return posix_leave(p, set ? posix_call(p, &call) : -EBADF);
}

int oriel_px_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    struct oriel_px *p = posix_of(epfd);
    struct px_epoll_event here[HERE];
    if (!p)
        return epoll_wait(epfd, events, max, timeout_ms);
    if (max <= 0 || max > POSIX_FDS_MAX)
        return fails(EINVAL);
    struct epolling k = {.ours = max <= HERE ? here : calloc((size_t)max, sizeof *k.ours),
                         .out = events, .epfd = epfd, .max = max, .timeout_ms = timeout_ms};
    if (!k.ours)
        return fails(ENOMEM);
    int got = (int)wait_with(p, &k);
    if (k.ours != here)
        free(k.ours);
    return got;
}
