/* The handler of `oriel run`, asked by the test itself: what needs strangers, shortage or a full table. */
#include "fx_run.h"

#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

static int no_memory;               /* so many calls of sendmsg fail */

/* In place of the C library's. */
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (no_memory > 0) {
        no_memory--;
        errno = ENOBUFS;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, m, flags);
}

/* A connected pair: the client's descriptor, and what accept gives for it. */
static void connected(struct fx *f, int listener, uint16_t port, int pair[2])
{
    pair[0] = fx_socket(f, SOCK_STREAM);
    struct asked *a = fx_connect(f, pair[0], port);
    FX_UNTIL(f, a->done && (pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0);
    EXPECT_EQ(a->result, 0);
}

TEST("strangers who crowd the door hinder no connection")
{
    struct fx *f = fx_open();
    struct sockaddr_un door;
    int stranger[64], n = 0, pair[2], l = fx_listener(f, 4000);
    socklen_t len = rsock_name(f->n, &door, 'l', false, 0);
    do
        stranger[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    while (connect(stranger[n++], (struct sockaddr *)&door, len) == 0 && n < 64);
    EXPECT_EQ(errno, EAGAIN);
    alarm(20);
    connected(f, l, 4000, pair);
    alarm(0);
    EXPECT_EQ(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(send(pair[0], "x", 1, 0), 1);
    char c;
    FX_UNTIL(f, recv(pair[1], &c, 1, MSG_DONTWAIT) == 1);
    while (n > 0)
        close(stranger[--n]);
    fx_close(f);
}

TEST("who takes a name that only looks like a connection's is nobody")
{
    struct fx *f = fx_open();
    struct sockaddr_un u;
    int pair[2], l = fx_listener(f, 4000);
    connected(f, l, 4000, pair);
    struct rsock *real = rsock_of_descriptor(f->n, pair[1]);
    socklen_t len = sizeof(u);
    EXPECT_EQ(real->name, 'c');
    EXPECT_EQ(getpeername(pair[1], (struct sockaddr *)&u, &len), 0);
    u.sun_path[1 + 16 + 1] = 'x';                   /* neither IPv4 nor IPv6: the same number all the same */
    int forger = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(forger, (struct sockaddr *)&u, len), 0);
    len = sizeof(u);
    EXPECT_EQ(getsockname(l, (struct sockaddr *)&u, &len), 0);
    EXPECT_EQ(connect(forger, (struct sockaddr *)&u, len), 0);
    int got = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    EXPECT(got >= 0);
    EXPECT(rsock_of_descriptor(f->n, got) != real);
    EXPECT(rsock_of_descriptor(f->n, pair[1]) == real);
    EXPECT(rsock_is_of(real, pair[1]));
    EXPECT(!rsock_is_of(real, got));
    close(got);
    close(forger);
    fx_close(f);
}

TEST("when the system is short of memory what was received waits, and nothing is lost")
{
    struct fx *f = fx_open();
    int pair[2], l = fx_listener(f, 4000);
    char c[8];
    connected(f, l, 4000, pair);
    no_memory = 3;
    EXPECT_EQ(send(pair[0], "abcdefgh", 8, 0), 8);
    FX_UNTIL(f, recv(pair[1], c, 8, MSG_DONTWAIT) == 8);
    EXPECT_EQ(no_memory, 0);
    EXPECT_MEM(c, "abcdefgh", 8);
    fx_close(f);
}

TEST("when a connection stands and no descriptor is left for it everybody who waits hears of it")
{
    struct fx *f = fx_open();
    int l = fx_listener(f, 4000), fd = fx_socket(f, SOCK_STREAM);
    struct rlimit was, none;
    struct asked *a = fx_connect(f, fd, 4000), *b = fx_connect(f, fd, 4000);
    EXPECT(!a->done && !b->done);
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = (rlim_t)dup(0);                 /* the lowest that is free */
    close((int)none.rlim_cur);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (oriel_time end = host_now() + NS_PER_S; host_now() < end && !(a->done && b->done);)
        fx_turn(f);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
    EXPECT(a->done && b->done);
    EXPECT_EQ(a->result, -EMFILE);
    EXPECT_EQ(b->result, -EMFILE);
    a = fx_connect(f, fd, 4000);                    /* and with the same descriptor it may be tried again */
    FX_UNTIL(f, a->done);
    EXPECT_EQ(a->result, 0);
    close(fd);
    close(l);
    fx_close(f);
}

TEST("entries that nobody holds make room, and a table that is full says so")
{
    struct fx *f = fx_open();
    struct sockaddr_storage sa;
    socklen_t len;
    for (int i = 0; i < RUN_SOCKS_MAX; i++) {
        int fd = fx_socket(f, SOCK_STREAM);
        len = sizeof(sa);
        EXPECT_EQ(fx_call(f, RUN_GETSOCKNAME, fd, FX_AT(&sa), FX_AT(&len), 0, 0), 0);
        close(fd);
    }
    EXPECT_EQ(f->n->socks_n, RUN_SOCKS_MAX);
    close(fx_bound(f, SOCK_STREAM, 4000));
    rsock_sweep(f->n, RUN_SOCKS_MAX);
    EXPECT_EQ(f->n->socks_n, 0);
    f->n->socks_n = RUN_SOCKS_MAX;
    int fd = fx_socket(f, SOCK_STREAM);
    struct asked *a = fx_connect(f, fd, 4000);
    f->n->socks_n = 0;
    EXPECT(a->done);
    EXPECT_EQ(a->result, -ENOBUFS);
    fx_close(f);
}

TEST("long times are long, for SO_LINGER and for the limits of waiting")
{
    struct fx *f = fx_open();
    struct linger l = {.l_onoff = 1, .l_linger = 3000000};
    struct timeval t = {.tv_sec = 18446744074};     /* 0.3 s more than 64 bits of nanoseconds hold */
    socklen_t len = sizeof(l);
    int fd = fx_listener(f, 4000);
    EXPECT_EQ(fx_call(f, RUN_SETSOCKOPT, fd, SOL_SOCKET, SO_LINGER, FX_AT(&l), sizeof(l)), 0);
    l = (struct linger){0};
    EXPECT_EQ(fx_call(f, RUN_GETSOCKOPT, fd, SOL_SOCKET, SO_LINGER, FX_AT(&l), FX_AT(&len)), 0);
    EXPECT_EQ(l.l_onoff, 1);
    EXPECT_EQ(l.l_linger, 3000000);
    EXPECT_EQ(fx_call(f, RUN_SETSOCKOPT, fd, SOL_SOCKET, SO_RCVTIMEO, FX_AT(&t), sizeof(t)), 0);
    EXPECT_EQ(fcntl(fd, F_SETFL, 0), 0);
    struct asked *a = fx_ask(f, RUN_ACCEPT, fd, 0, 0, 0, 0);
    EXPECT(!a->done);
    EXPECT(a->r.until == ORIEL_NEVER);
    run_forget(f->n, &a->r);
    fx_end(&a->r, 0);
    close(fd);
    fx_close(f);
}

/* In a network namespace of our own, whose queues of datagrams we may make longer. False: not allowed. */
static bool long_queues(void)
{
    if (unshare(CLONE_NEWNET) != 0)
        return false;
    int fd = open("/proc/sys/net/unix/max_dgram_qlen", O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, "512", 3) == 3;
    close(fd);
    return done;
}

TEST("who sends datagrams without end has his turn like others, and all of them leave")
{
    if (!long_queues())
        skip();
    struct fx *f = fx_open();
    struct sockaddr_in to = fx_at(4001);
    int l = fx_bound(f, SOCK_DGRAM | SOCK_NONBLOCK, 4001), fd = fx_socket(f, SOCK_DGRAM | SOCK_NONBLOCK);
    int n = 0, left = 0, got = 0;
    char c[4];
    EXPECT_EQ(fx_call(f, RUN_CONNECT, fd, FX_AT(&to), sizeof(to), 0, 0), 0);
    fx_turn(f);
    while (send(fd, "x", 1, 0) == 1)
        n++;
    EXPECT(n > 64);
    fx_turn(f);
    EXPECT_EQ(ioctl(rsock_of_descriptor(f->n, fd)->end, FIONREAD, &left), 0);
    EXPECT(left > 0);
    close(fd);                                      /* what it sent before is not lost with it */
    for (oriel_time end = host_now() + 10 * NS_PER_S; got < n && host_now() < end; fx_turn(f))
        while (recv(l, c, sizeof(c), 0) == 1)
            got++;
    EXPECT_EQ(got, n);
    EXPECT_EQ(f->n->socks_n, 1);
    close(l);
    fx_close(f);
}
