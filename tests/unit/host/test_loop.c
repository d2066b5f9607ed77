#define _GNU_SOURCE
#include "test.h"

#include "base/clock.h"
#include "host/loop.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

struct end {
    struct loop *loop;
    struct loop_source source;
    struct loop_source *victim;     /* removed when this one is called */
    unsigned calls;
    uint32_t events;
};

static void called(void *ctx, uint32_t events)
{
    struct end *e = ctx;
    e->calls++;
    e->events |= events;
    if (e->victim)
        loop_remove(e->loop, e->victim);
}

static void watch(struct end *e, struct loop *l, int fd, uint32_t events)
{
    *e = (struct end){.loop = l, .source = {.fd = fd, .events = events, .on_ready = called, .ctx = e}};
    EXPECT_EQ(loop_add(l, &e->source), 0);
}

TEST("what is ready is called, what is not is not")
{
    struct loop l;
    struct end in, out;
    int p[2];
    EXPECT_EQ(loop_open(&l), 0);
    EXPECT_EQ(pipe(p), 0);
    watch(&in, &l, p[0], EPOLLIN);
    watch(&out, &l, p[1], EPOLLOUT);
    EXPECT_EQ(loop_wait(&l, 0), 1);
    EXPECT_EQ(in.calls, 0);
    EXPECT_EQ(out.calls, 1);
    EXPECT_EQ(write(p[1], "x", 1), 1);
    EXPECT_EQ(loop_change(&l, &out.source, 0), 0);
    EXPECT_EQ(loop_wait(&l, ORIEL_NEVER), 1);
    EXPECT_EQ(in.events, EPOLLIN);
    close(p[1]);
    EXPECT_EQ(loop_wait(&l, ORIEL_NEVER), 1);
    EXPECT(in.events & EPOLLHUP);
    close(p[0]);
    loop_close(&l);
}

TEST("a source that was removed is not called any more, in the same round neither")
{
    struct loop l;
    struct end a, b;
    int p[2], q[2];
    EXPECT_EQ(loop_open(&l), 0);
    EXPECT_EQ(pipe(p), 0);
    EXPECT_EQ(pipe(q), 0);
    watch(&a, &l, p[1], EPOLLOUT);
    watch(&b, &l, q[1], EPOLLOUT);
    a.victim = &b.source;
    b.victim = &a.source;
    EXPECT_EQ(loop_wait(&l, 0), 2);
    EXPECT_EQ(a.calls + b.calls, 1);
    EXPECT_EQ(loop_wait(&l, 0), 1);
    for (unsigned i = 0; i < 2; i++) {
        close(p[i]);
        close(q[i]);
    }
    loop_close(&l);
}

/* What another thread does while the loop sleeps: the source goes, and another comes at the same place. */
static void replace(void *ctx, bool begins)
{
    struct end *e = ctx;
    if (begins)
        return;
    loop_remove(e->loop, &e->source);
    e->source.fd = dup(e->source.fd);
    EXPECT_EQ(loop_add(e->loop, &e->source), 0);
    e->loop->on_sleep = NULL;
}

TEST("one that comes where another went while the loop slept is called for what is its own")
{
    struct loop l;
    struct end a;
    int p[2];
    EXPECT_EQ(loop_open(&l), 0);
    EXPECT_EQ(pipe(p), 0);
    EXPECT_EQ(write(p[1], "x", 1), 1);
    watch(&a, &l, p[0], EPOLLIN | EPOLLET);
    l.on_sleep = replace;
    l.sleep_ctx = &a;
    EXPECT_EQ(loop_wait(&l, 0), 1);
    EXPECT_EQ(a.calls, 0);                      /* that was the other's */
    EXPECT_EQ(loop_wait(&l, 0), 1);
    EXPECT_EQ(a.calls, 1);
    loop_remove(&l, &a.source);
    close(a.source.fd);
    close(p[0]);
    close(p[1]);
    loop_close(&l);
}

TEST("a descriptor has one source, and none that is no descriptor")
{
    struct loop l;
    struct end a, b = {.source = {.fd = -1}};
    int p[2];
    EXPECT_EQ(loop_open(&l), 0);
    EXPECT_EQ(pipe(p), 0);
    watch(&a, &l, p[1], EPOLLOUT);
    EXPECT_EQ(loop_add(&l, &b.source), -EBADF);
    b.source.fd = p[1];
    EXPECT_EQ(loop_add(&l, &b.source), -EEXIST);
    EXPECT_EQ(loop_wait(&l, 0), 1);
    EXPECT_EQ(a.calls, 1);
    close(p[0]);
    close(p[1]);
    loop_close(&l);
}

TEST("it sleeps until its time, and no longer by milliseconds")
{
    struct loop l;
    oriel_time best = ORIEL_NEVER;
    EXPECT_EQ(loop_open(&l), 0);
    for (unsigned i = 0; i < 40; i++) {         /* the best of many: others use the machine too */
        oriel_time start = host_now(), until = start + 200 * NS_PER_US;
        l.spin = i % 2 ? NS_PER_MS : 0;
        EXPECT_EQ(loop_wait(&l, until), 0);
        oriel_time took = host_now() - start;
        EXPECT(took >= 200 * NS_PER_US);
        best = took < best ? took : best;
    }
    EXPECT(best < NS_PER_MS);
    loop_close(&l);
}

static void nothing(int sig)
{
    (void)sig;
}

TEST("a signal ends the wait, and is told")
{
    struct loop l;
    EXPECT_EQ(loop_open(&l), 0);
    struct sigaction act = {.sa_handler = nothing}, old;
    sigaction(SIGALRM, &act, &old);
    struct itimerval soon = {.it_value = {.tv_usec = 5000}, .it_interval = {.tv_usec = 5000}}, off = {0};
    setitimer(ITIMER_REAL, &soon, NULL);
    EXPECT_EQ(loop_wait(&l, ORIEL_NEVER), -EINTR);
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    loop_close(&l);
}

static void remove_victim(void *ctx, bool begins)
{
    struct end *e = ctx;
    if (!begins && e->victim)
        loop_remove(e->loop, e->victim);
}

TEST("a source that another thread removes while the loop sleeps is not called for what it was ready for")
{
    struct loop l;
    struct end a, b;
    int p[2];
    EXPECT_EQ(loop_open(&l), 0);
    EXPECT_EQ(pipe(p), 0);
    watch(&a, &l, p[0], EPOLLIN);
    watch(&b, &l, p[1], EPOLLOUT);
    EXPECT_EQ(write(p[1], "x", 1), 1);
    a.victim = &b.source;
    l.on_sleep = remove_victim;
    l.sleep_ctx = &a;
    EXPECT(loop_wait(&l, 0) > 0);
    EXPECT_EQ(a.calls, 1);
    EXPECT_EQ(b.calls, 0);
    close(p[0]);
    close(p[1]);
    loop_close(&l);
}
