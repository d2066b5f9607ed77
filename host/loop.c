/* Waiting with epoll. A round is what one wait named; a source that goes is struck from it. */
#define _GNU_SOURCE
#include "host/loop.h"

#include "base/compiler.h"
#include "base/clock.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

oriel_time host_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (oriel_time)t.tv_sec * NS_PER_S + (oriel_time)t.tv_nsec;
}

int loop_open(struct loop *l)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
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
    l->epoll = l->timer = -1;
}

static int control(struct loop *l, int op, struct loop_source *s)
{
    struct epoll_event e = {.events = s->events, .data.ptr = s};
    return epoll_ctl(l->epoll, op, s->fd, &e) < 0 ? -errno : 0;
}

int loop_add(struct loop *l, struct loop_source *s)
{
    return control(l, EPOLL_CTL_ADD, s);
}

int loop_change(struct loop *l, struct loop_source *s, uint32_t events)
{
    if (s->events == events)
        return 0;
    s->events = events;
    return control(l, EPOLL_CTL_MOD, s);
}

void loop_remove(struct loop *l, struct loop_source *s)
{
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    for (int i = l->round_at; i < l->round_n; i++)
        if (l->round[i].data.ptr == s)
            l->round[i].data.ptr = NULL;
    if (l->asleep && l->gone_n++ < LOOP_GONE)
        l->gone[l->gone_n - 1] = s;
}

/*
 * The kernel may have named a source just before another thread removed it. Where more were removed
 * than there is room for the whole round is forgotten; who is ready is named again.
 */
static void strike_gone(struct loop *l)
{
    for (int i = 0; i < l->round_n; i++) {
        bool gone = l->gone_n > LOOP_GONE;
        for (unsigned k = 0; k < l->gone_n && !gone; k++)
            gone = l->round[i].data.ptr == l->gone[k];
        if (gone)
            l->round[i].data.ptr = NULL;
    }
    l->gone_n = 0;
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
        if (l->round[i].data.ptr)               /* the timer has no source */
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
    l->asleep = l->on_sleep != NULL;
    if (l->on_sleep)
        l->on_sleep(l->sleep_ctx, true);
    int n = look(l, until), err = errno;
    if (l->on_sleep)
        l->on_sleep(l->sleep_ctx, false);
    l->asleep = false;
    l->round_n = n < 0 ? 0 : n;
    strike_gone(l);
    if (n < 0)
        return -err;
    if (l->on_wake)
        l->on_wake(l->wake_ctx);
    for (l->round_at = 0; l->round_at < l->round_n;) {
        struct epoll_event e = l->round[l->round_at++];
        struct loop_source *s = e.data.ptr;
        if (s)
            s->on_ready(s->ctx, e.events);
    }
    l->round_n = l->round_at = 0;
    return n;
}

uint32_t loop_ready(const struct loop *l, const struct loop_source *s)
{
    for (int i = 0; i < l->round_n; i++)
        if (l->round[i].data.ptr == s)
            return l->round[i].events;
    return 0;
}
