/*
 * Waiting: file descriptors, and a deadline. One epoll instance, one thread.
 *
 *     struct loop loop;
 *     int err = loop_open(&loop);                          0, or a negative errno
 *     struct loop_source in = {.fd = 0, .events = EPOLLIN, .on_ready = read_line, .ctx = me};
 *     err = loop_add(&loop, &in);
 *     while (!done)
 *         loop_wait(&loop, when);                          calls on_ready of what is ready
 *
 * A source belongs to its owner and must stay where it is until loop_remove. on_ready may add, change
 * and remove any source, its own included, and so may other threads while the loop sleeps (on_sleep): a source
 * that was removed is not called any more, also when it was ready in the same round, and one that was added
 * since, of the same descriptor or at the same place, is another.
 */
#ifndef ORIEL_HOST_LOOP_H
#define ORIEL_HOST_LOOP_H

#include "oriel/oriel.h"

#include <sys/epoll.h>

#define LOOP_ROUND 256              /* sources that one wait names */

struct loop_source {
    int fd;
    uint32_t events;                /* EPOLLIN, EPOLLOUT ...; 0: only errors and hang-up */
    void (*on_ready)(void *ctx, uint32_t events);
    void *ctx;
};

/* Whose a descriptor is. */
struct loop_slot {
    struct loop_source *s;          /* NULL: nobody's */
    uint32_t generation;            /* of those that had it, the last */
};

struct loop {
    int epoll;
    struct loop_slot *slots;        /* by descriptor */
    size_t slots_n;
    int timer;                      /* wakes at `alarm`, or before; ORIEL_NEVER: it is not set */
    oriel_time alarm;
    oriel_time spin;                /* look that long before sleeping; 0: sleep at once */
    void (*on_wake)(void *ctx);     /* after each wait, before any on_ready; may be NULL */
    void *wake_ctx;
    /* Around each look and sleep: other threads may have the loop's owner meanwhile; may be NULL. */
    void (*on_sleep)(void *ctx, bool begins);
    void *sleep_ctx;
    struct epoll_event round[LOOP_ROUND];
    int round_n;
};

/* Nanoseconds of the monotonic clock. */
oriel_time host_now(void);

int loop_open(struct loop *l);
void loop_close(struct loop *l);

/* 0, or a negative errno. A descriptor has one source. */
int loop_add(struct loop *l, struct loop_source *s);
int loop_change(struct loop *l, struct loop_source *s, uint32_t events);
/* What is ready is said again in the next round, though it is an edge (EPOLLET) that was said. */
int loop_again(struct loop *l, const struct loop_source *s);
void loop_remove(struct loop *l, struct loop_source *s);

/*
 * Sleep until something is ready or `until` comes (ORIEL_NEVER: for ever; in the past: only look), and
 * call on_ready. The number of sources that were ready; -EINTR when a signal came; another negative errno.
 */
int loop_wait(struct loop *l, oriel_time until);

/* In on_wake: what is that source ready for? 0: nothing. */
uint32_t loop_ready(const struct loop *l, const struct loop_source *s);

#endif
