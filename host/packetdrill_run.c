/*
 * An instance of the library: a stack, a clock, a lock.
 *
 * Time moves inside calls. A call that blocks registers itself and sleeps; whoever moves time makes
 * it again after every step and wakes it when it has an answer, so there is one order of events,
 * whatever the threads do. packetdrill moves time from its first thread while it sees the second
 * one asleep; where it waits for that thread without calling anything, nothing would ever happen:
 * then the sleeper moves time itself.
 */
#define _GNU_SOURCE
#include "host/packetdrill_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NETIF  1
#define MEMORY ((size_t)160 << 20)
#define FILES  4096
#define PIPES  16

void oriel_assert_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "liboriel-packetdrill: %s:%d: this must not happen: %s\n", file, line, what);
    abort();
}

/* ---- packets that leave ---- */

static void collect_one(struct drill *d, struct pkt *p)
{
    size_t n = oriel_pkt_copy(p, d->packet, sizeof d->packet);
    oriel_pkt_free(p);
    if (script_is_aside(span_of(d->packet, n)))
        return;
    struct drill_packet *q = malloc(sizeof *q + n);
    if (!q) {
        fprintf(stderr, "liboriel-packetdrill: there is no memory\n");
        abort();
    }
    *q = (struct drill_packet){.time = d->now, .n = n};
    memcpy(q->bytes, d->packet, n);
    *d->last = q;
    d->last = &q->next;
}

static void collect(struct drill *d)
{
    struct pkt *p[32];
    for (unsigned n; (n = oriel_netif_take(d->stack, NETIF, p, ARRAY_LEN(p))) > 0;)
        for (unsigned i = 0; i < n; i++)
            collect_one(d, p[i]);
}

/* ---- time ---- */

static void again(struct drill *d)
{
    bool any = false;
    for (struct drill_waiter *w = d->waiting; w; w = w->next) {
        if (w->done)
            continue;
        w->result = w->again(d, &w->call, w->ctx);
        w->done = w->result != PX_AGAIN;
        any = any || w->done;
    }
    if (any)
        pthread_cond_broadcast(&d->changed);
    collect(d);
}

static void step(struct drill *d, struct pkt_batch *rx)
{
    d->px.now = d->now;
    oriel_step(d->stack, d->now, rx);
    collect(d);
    px_on_step(&d->px);
    again(d);
}

static oriel_time next_moment(const struct drill *d)
{
    oriel_time next = oriel_next_deadline(d->stack);
    for (const struct drill_waiter *w = d->waiting; w; w = w->next)
        if (!w->done && w->call.deadline < next)
            next = w->call.deadline;
    return next > d->now ? next : d->now;
}

bool drill_run_to(struct drill *d, oriel_time until, bool packet)
{
    for (oriel_time next; (next = next_moment(d)) <= until;) {
        if (packet && d->first)
            return false;
        d->now = next;
        step(d, NULL);
    }
    if (packet && d->first)
        return false;
    if (until > d->now) {
        d->now = until;
        step(d, NULL);
    }
    return true;
}

/* What a call set off is finished at its moment. */
static void settle(struct drill *d)
{
    collect(d);
    px_on_step(&d->px);
    again(d);
    for (int i = 0; i < 1000 && oriel_next_deadline(d->stack) <= d->now; i++)
        step(d, NULL);
}

void drill_enter(struct drill *d)
{
    pthread_mutex_lock(&d->lock);
    d->calls++;
    (void)drill_run_to(d, d->now + NS_PER_US, false);
}

int64_t drill_leave(struct drill *d, int64_t result)
{
    settle(d);
    pthread_mutex_unlock(&d->lock);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

/* ---- waiting ---- */

/* Sleep until somebody made a call of ours succeed; true: nobody did anything for a while. */
static bool sleeps_alone(struct drill *d)
{
    struct timespec until;
    uint64_t before = d->calls;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += DRILL_IDLE_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    return pthread_cond_timedwait(&d->changed, &d->lock, &until) == ETIMEDOUT && d->calls == before;
}

int64_t drill_call(struct drill *d, int64_t (*fn)(struct drill *, struct px_call *, void *),
                   void *ctx)
{
    struct drill_waiter w = {.again = fn, .ctx = ctx, .call = px_call_new(d->px.now = d->now)};
    w.result = fn(d, &w.call, ctx);
    if (w.result != PX_AGAIN)
        return w.result;
    settle(d);
    w.next = d->waiting;
    d->waiting = &w;
    while (!w.done)
        if (sleeps_alone(d) && !w.done) {
            oriel_time next = next_moment(d);
            if (next < d->now + DRILL_PATIENCE)
                (void)drill_run_to(d, next, false);
        }
    struct drill_waiter **at = &d->waiting;
    while (*at != &w)
        at = &(*at)->next;
    *at = w.next;
    return w.result;
}

/* ---- packets that arrive ---- */

void drill_own(struct drill *d, const struct oriel_addr *a)
{
    if (addr_is_unspecified(a) || addr_is_multicast(a) || addr_is_limited_broadcast(a))
        return;
    best_effort(oriel_addr_add(d->stack, NETIF, a, addr_is_v4(a) ? 112 : 64));
}

void drill_arrive(struct drill *d, const void *bytes, size_t n)
{
    struct pkt *p = oriel_pkt_new(d->stack, NETIF, bytes, n);
    struct pkt_batch rx = {.pkts = &p, .n = 1};
    if (p)
        step(d, &rx);
}

/* ---- descriptors ---- */

int drill_fd_new(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

void drill_fd_close(int fd)
{
    int kept = errno;
    (void)close(fd);
    errno = kept;
}

/* ---- made, and taken down ---- */

static void refuse(const char *flags, const struct syntax_error *e)
{
    char text[300];
    struct txt t = txt_of(text, sizeof text);
    syntax_error_print(&t, e);
    fprintf(stderr, "liboriel-packetdrill: --so_flags=%s: %s\n", flags, text);
    exit(2);
}

/* Both families from the start: the flags need not say which one a script is about. */
static bool both_families(struct drill *d)
{
    struct oriel_addr any = ADDR_NONE, local6 = script_local(&d->setup, true);
    drill_own(d, &local6);
    return oriel_route_add(d->stack, &any, 0, NULL, NETIF, 0) == 0;
}

struct drill *drill_new(const char *flags)
{
    struct syntax_error e = {0};
    struct drill *d = calloc(1, sizeof *d);
    if (!d || !(d->memory = malloc(MEMORY))) {
        fprintf(stderr, "liboriel-packetdrill: there is no memory\n");
        exit(3);
    }
    script_setup_init(&d->setup);
    d->setup.leftovers = true;
    if (flags && !script_settings(&d->setup, span_str(flags), &e))
        refuse(flags, &e);
    d->now = DRILL_START;
    d->last = &d->first;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    arena_init(&d->arena, d->memory, MEMORY);
    void *stack = arena_take(&d->arena, d->setup.memory);
    d->stack = stack ? script_stack(&d->setup, false, stack, d->setup.memory, d->now) : NULL;
    if (!d->stack || !px_init(&d->px, d->stack, &d->arena, FILES, PIPES) || !both_families(d)) {
        fprintf(stderr, "liboriel-packetdrill: the stack cannot be made; is memory= too small?\n");
        exit(3);
    }
    d->px.set.tcp_fastopen = d->setup.tcp_fastopen;
    d->px.now = d->now;
    return d;
}

static void free_packets(struct drill *d)
{
    struct drill_packet *q;
    while ((q = d->first) != NULL) {
        d->first = q->next;
        free(q);
    }
}

void drill_free(struct drill *d)
{
    size_t left = 0;
    for (const struct drill_packet *q = d->first; q; q = q->next)
        left++;
    if (left > 0 && !d->setup.leftovers) {
        fprintf(stderr, "liboriel-packetdrill: %zu packets left that no line expected\n", left);
        abort();
    }
    px_fini(&d->px);
    d->last = &d->first;
    free_packets(d);
    collect(d);
    free_packets(d);
    oriel_destroy(d->stack);
    arena_init(&d->arena, d->memory, MEMORY);
    free(d->memory);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
