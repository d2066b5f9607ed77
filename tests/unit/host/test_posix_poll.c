/* poll and epoll: ours, the system's, and both in one call. */
#define _GNU_SOURCE
#include "fx_px.h"

TEST("poll sees what is ready, waits for what is not, and gives up in time")
{
    struct oriel_px *px = fx_px_start();
    int pair[2];
    fx_px_connected(pair);
    struct pollfd p[3] = {{.fd = pair[0], .events = POLLIN | POLLOUT}, {.fd = -1, .events = POLLIN},
                          {.fd = pair[1], .events = POLLIN}};
    EXPECT_EQ(oriel_px_poll(p, 3, 0), 1);
    EXPECT_EQ(p[0].revents, POLLOUT);
    EXPECT_EQ(p[1].revents | p[2].revents, 0);
    int64_t begin = fx_px_ms();
    EXPECT_EQ(oriel_px_poll(p + 2, 1, 30), 0);
    EXPECT(fx_px_ms() - begin >= 29);
    EXPECT_EQ(oriel_px_write(pair[0], "x", 1), 1);
    EXPECT_EQ(oriel_px_poll(p + 2, 1, -1), 1);
    EXPECT_EQ(p[2].revents, POLLIN);
    oriel_px_stop(px);
}

struct writer {
    int fd;
    bool system;
    pthread_t thread;
};

static void *write_later(void *arg)
{
    struct writer *w = arg;
    fx_px_pause(20);
    ssize_t n = w->system ? write(w->fd, "x", 1) : oriel_px_write(w->fd, "x", 1);
    return n == 1 ? NULL : w;
}

static void begin_writing(struct writer *w, int fd, bool system)
{
    *w = (struct writer){.fd = fd, .system = system};
    EXPECT_EQ(pthread_create(&w->thread, NULL, write_later, w), 0);
}

static void end_writing(struct writer *w)
{
    void *said;
    EXPECT_EQ(pthread_join(w->thread, &said), 0);
    EXPECT(said == NULL);
}

TEST("poll waits for ours and the system's together")
{
    struct oriel_px *px = fx_px_start();
    int pair[2], sys[2];
    char c;
    struct writer w;
    fx_px_connected(pair);
    EXPECT_EQ(pipe(sys), 0);
    struct pollfd p[2] = {{.fd = sys[0], .events = POLLIN}, {.fd = pair[1], .events = POLLIN}};
    begin_writing(&w, sys[1], true);
    EXPECT_EQ(oriel_px_poll(p, 2, -1), 1);
    EXPECT_EQ(p[0].revents, POLLIN);
    EXPECT_EQ(p[1].revents, 0);
    end_writing(&w);
    EXPECT_EQ(read(sys[0], &c, 1), 1);
    begin_writing(&w, pair[0], false);
    EXPECT_EQ(oriel_px_poll(p, 2, -1), 1);
    EXPECT_EQ(p[0].revents, 0);
    EXPECT_EQ(p[1].revents, POLLIN);
    end_writing(&w);
    EXPECT_EQ(oriel_px_poll(p, 2, 0), 1);
    EXPECT_EQ(oriel_px_poll(p, 1, 10), 0);      /* none of ours: the system's own */
    close(sys[0]);
    close(sys[1]);
    oriel_px_stop(px);
}

TEST("a set tells levels, edges and single shots, of ours and the system's")
{
    struct oriel_px *px = fx_px_start();
    int pair[2], sys[2], ep = oriel_px_epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 1}, got[4];
    struct writer w;
    char c;
    fx_px_connected(pair);
    EXPECT_EQ(pipe(sys), 0);
    EXPECT_EQ(oriel_px_epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &e), 0);
    EXPECT_EQ(fx_px_errno(oriel_px_epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &e)), EEXIST);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, 0), 0);
    begin_writing(&w, pair[0], false);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, -1), 1);
    EXPECT_EQ(got[0].data.u64, 1);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, 10), 0);
    end_writing(&w);
    e = (struct epoll_event){.events = EPOLLIN, .data.u64 = 2};
    EXPECT_EQ(oriel_px_epoll_ctl(ep, EPOLL_CTL_ADD, sys[0], &e), 0);
    begin_writing(&w, sys[1], true);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, -1), 1);
    EXPECT_EQ(got[0].data.u64, 2);
    end_writing(&w);
    e = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 3};
    EXPECT_EQ(oriel_px_epoll_ctl(ep, EPOLL_CTL_MOD, pair[1], &e), 0);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, -1), 2);
    EXPECT_EQ(read(sys[0], &c, 1), 1);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, 10), 0);
    begin_writing(&w, pair[1], false);
    e.events = EPOLLIN;
    EXPECT_EQ(oriel_px_epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &e), 0);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, -1), 1);  /* ours, while the set holds both kinds */
    end_writing(&w);
    EXPECT_EQ(oriel_px_close(ep), 0);
    close(sys[0]);
    close(sys[1]);
    oriel_px_stop(px);
}

TEST("a set wakes whoever waits for it when a connection comes")
{
    struct oriel_px *px = fx_px_start();
    struct sockaddr_in at;
    struct epoll_event e = {.events = EPOLLIN}, got[4];
    int listener = fx_px_listener(SOCK_NONBLOCK, &at), ep = oriel_px_epoll_create(1);
    EXPECT_EQ(oriel_px_epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e), 0);
    EXPECT_EQ(fx_px_errno(oriel_px_accept(listener, NULL, NULL)), EAGAIN);
    int c = oriel_px_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_EQ(fx_px_errno(oriel_px_connect(c, SA(at))), EINPROGRESS);
    EXPECT_EQ(oriel_px_epoll_wait(ep, got, 4, 1000), 1);
    EXPECT(oriel_px_accept(listener, NULL, NULL) >= 0);
    EXPECT_EQ(fx_px_errno(oriel_px_epoll_wait(ep, got, 0, 0)), EINVAL);
    EXPECT_EQ(fx_px_errno(oriel_px_epoll_wait(c, got, 1, 0)), EINVAL);
    EXPECT_EQ(fx_px_errno(oriel_px_epoll_create(0)), EINVAL);
    oriel_px_stop(px);
}
