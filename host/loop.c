/* Waiting with epoll. A round is what one wait named; a source that goes is struck from it. */
#define _GNU_SOURCE
#include "host/loop.h"

#include "base/compiler.h"
#include "base/clock.h"

#include <errno.h>
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
    *l = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
    return l->epoll < 0 ? -errno : 0;
}

void loop_close(struct loop *l)
{
    if (l->epoll >= 0)
        close(l->epoll);
    l->epoll = -1;
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
}

/* Into l->round. Looks without sleeping for as long as spin says; then sleeps. */
static int look(struct loop *l, oriel_time until)
{
    static const struct timespec at_once = {0};
    oriel_time now = host_now(), give_up = l->spin ? now + l->spin : 0;
    int n = 0;
    do {
        n = epoll_pwait2(l->epoll, l->round, LOOP_ROUND, &at_once, NULL);
        if (n != 0 || until <= now)
            return n;
        now = l->spin ? host_now() : now;
    } while (now < give_up);
    if (until == ORIEL_NEVER)
        return epoll_pwait2(l->epoll, l->round, LOOP_ROUND, NULL, NULL);
    now = host_now();
    oriel_time left = until > now ? until - now : 0;
    struct timespec t = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
    return epoll_pwait2(l->epoll, l->round, LOOP_ROUND, &t, NULL);
}

int loop_wait(struct loop *l, oriel_time until)
{
    if (l->on_sleep)
        l->on_sleep(l->sleep_ctx, true);
    int n = look(l, until), err = errno;
    if (l->on_sleep)
        l->on_sleep(l->sleep_ctx, false);
    if (n < 0)
        return -err;
    l->round_n = n;
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
