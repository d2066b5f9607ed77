/*
 * Waiting with epoll. A round is what one wait named, by descriptor and generation: what was named of a
 * source that went meanwhile is nobody's.
 */
#define _GNU_SOURCE
#include "host/loop.h"

#include "base/compiler.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TIMER UINT64_MAX            /* of the descriptor `timer`, which has no source */

oriel_time host_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (oriel_time)t.tv_sec * NS_PER_S + (oriel_time)t.tv_nsec;
}

int loop_open(struct loop *l)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = TIMER};
    *l = (struct loop){
        .epoll = epoll_create1(EPOLL_CLOEXEC),
        .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
        .alarm = ORIEL_NEVER,
    };
    if (l->epoll >= 0 && l->timer >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->timer, &e) == 0)
        return 0;
    int err = -errno;
    loop_close(l);
    return err;
}

void loop_close(struct loop *l)
{
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->timer >= 0)
        close(l->timer);
    free(l->slots);
    l->slots = NULL;
    l->slots_n = 0;
    l->epoll = l->timer = -1;
}

/* The slot of a descriptor; NULL: no memory. */
static struct loop_slot *slot_of(struct loop *l, int fd)
{
    size_t n = l->slots_n ? l->slots_n : 64;
    while ((size_t)fd >= n)
        n *= 2;
    if (n > l->slots_n) {
        struct loop_slot *more = realloc(l->slots, n * sizeof(*more));
        if (!more)
            return NULL;
        for (size_t i = l->slots_n; i < n; i++)
            more[i] = (struct loop_slot){0};
        l->slots = more;
        l->slots_n = n;
    }
    return &l->slots[fd];
}

static int control(struct loop *l, int op, const struct loop_source *s)
{
    uint64_t name = (uint64_t)l->slots[s->fd].generation << 32 | (uint32_t)s->fd;
    struct epoll_event e = {.events = s->events, .data.u64 = name};
    return epoll_ctl(l->epoll, op, s->fd, &e) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct loop_source *s)
{
    struct loop_slot *slot = s->fd < 0 ? NULL : slot_of(l, s->fd);
    if (!slot)
        return s->fd < 0 ? -EBADF : -ENOMEM;
    slot->generation++;
    int err = control(l, EPOLL_CTL_ADD, s);
    if (err == 0)
        slot->s = s;
    else
        slot->generation--;         /* it stays whose it was */
    return err;
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
    if (s->events == events)
        return 0;
    s->events = events;
    return control(l, EPOLL_CTL_MOD, s);
}

int loop_again(struct loop *l, const struct loop_source *s)
{
    return control(l, EPOLL_CTL_MOD, s);
}

void loop_remove(struct loop *l, struct loop_source *s)
{
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    if ((size_t)s->fd < l->slots_n && l->slots[s->fd].s == s)
        l->slots[s->fd].s = NULL;
}

/* Whom an event is for; NULL: he has gone. */
static struct loop_source *source_of(const struct loop *l, const struct epoll_event *e)
{
    const struct loop_slot *slot = &l->slots[(uint32_t)e->data.u64];
    return slot->generation == (uint32_t)(e->data.u64 >> 32) ? slot->s : NULL;
}

/*
 * The descriptor `timer` is set to a moment only where it would come too late: deadlines of a busy stack
 * move away with each packet, and one that comes too early is a wake-up for nothing, rarely. A timeout of
 * epoll's own would be set and cancelled each time.
 */
static int set_alarm(struct loop *l, oriel_time until, oriel_time now)
{
    if (until >= l->alarm && l->alarm > now)
        return 0;
    struct itimerspec t = {.it_value = {.tv_sec = (time_t)(until / NS_PER_S),
                                        .tv_nsec = (long)(until % NS_PER_S)}};
    l->alarm = until;
    return until == ORIEL_NEVER ? 0 : timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static int look_once(struct loop *l, int timeout)
{
    int n = epoll_wait(l->epoll, l->round, LOOP_ROUND, timeout), kept = 0;
    for (int i = 0; i < n; i++)
        if (l->round[i].data.u64 != TIMER)
            l->round[kept++] = l->round[i];
    if (kept < n)
        l->alarm = ORIEL_NEVER;
    return n < 0 ? n : kept;
}

/* Into l->round. Looks without sleeping for as long as spin says; then sleeps. */
static int look(struct loop *l, oriel_time until)
{
    oriel_time now = until ? host_now() : 0, give_up = now + l->spin;
    if (until <= now)
        return look_once(l, 0);
    for (; now < give_up; now = host_now()) {
        int n = look_once(l, 0);
        if (n != 0 || until <= now)
            return n;
    }
    return set_alarm(l, until, now) < 0 ? -1 : look_once(l, -1);
}

int loop_wait(struct loop *l, oriel_time until)
{
    if (l->on_sleep)
        l->on_sleep(l->sleep_ctx, true);
    int n = look(l, until), err = errno;
    if (l->on_sleep)
        l->on_sleep(l->sleep_ctx, false);
    l->round_n = n < 0 ? 0 : n;
    if (n < 0)
        return -err;
    if (l->on_wake)
        l->on_wake(l->wake_ctx);
    for (int i = 0; i < n; i++) {
        struct loop_source *s = source_of(l, &l->round[i]);
        if (s)
            s->on_ready(s->ctx, l->round[i].events);
    }
    l->round_n = 0;
    return n;
}

uint32_t loop_ready(const struct loop *l, const struct loop_source *s)
{
    for (int i = 0; i < l->round_n; i++)
        if (source_of(l, &l->round[i]) == s)
            return l->round[i].events;
    return 0;
}
