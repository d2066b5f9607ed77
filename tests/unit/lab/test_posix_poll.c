#include "fx_posix.h"

#define IN  (PX_POLLIN | PX_POLLRDNORM)
#define OUT (PX_POLLOUT | PX_POLLWRNORM)

static uint32_t events(struct fx_px *f, int fd)
{
    return px_poll_events(&f->px, px_of(&f->px, fd));
}

TEST("a stream's events follow its life as Linux tells them")
{
    struct fx_px f;
    fx_px_open(&f);
    EXPECT_EQ(px_socket(&f.px, 9, PX_AF_INET, PX_SOCK_STREAM, 0), 9);
    EXPECT_EQ(events(&f, 9), OUT | PX_POLLHUP);
    fx_px_pair(&f);
    EXPECT_EQ(events(&f, 3), 0);
    EXPECT_EQ(events(&f, 4), OUT);
    EXPECT_EQ(fx_px_send(&f, 4, "x", 1, 0), 1);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(events(&f, 5), IN | OUT);
    EXPECT_EQ(px_shutdown(&f.px, 4, PX_SHUT_WR), 0);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(events(&f, 5), IN | OUT | PX_POLLRDHUP);
    EXPECT(events(&f, 4) & PX_POLLOUT);         /* writing does not wait: it fails */
    EXPECT_EQ(px_shutdown(&f.px, 5, PX_SHUT_WR), 0);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(events(&f, 4), IN | OUT | PX_POLLRDHUP | PX_POLLHUP);
    fx_px_close(&f);
}

TEST("who shut down reading is told of the end; both sides shut have hung up")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    EXPECT_EQ(px_shutdown(&f.px, 4, PX_SHUT_RD), 0);
    EXPECT_EQ(events(&f, 4), IN | OUT | PX_POLLRDHUP);
    EXPECT_EQ(px_shutdown(&f.px, 4, PX_SHUT_WR), 0);
    EXPECT_EQ(events(&f, 4), IN | OUT | PX_POLLRDHUP | PX_POLLHUP);
    fx_px_close(&f);
}

TEST("poll counts what is ready, and what is no descriptor")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    struct px_pollfd p[4] = {{.fd = 4, .events = PX_POLLIN | PX_POLLOUT},
                             {.fd = 5, .events = PX_POLLIN},
                             {.fd = 77, .events = PX_POLLIN},
                             {.fd = -1, .events = PX_POLLIN}};
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_poll(&f.px, &c, p, 4, 0), 2);
    EXPECT_EQ(p[0].revents, PX_POLLOUT);
    EXPECT_EQ(p[1].revents, 0);
    EXPECT_EQ(p[2].revents, PX_POLLNVAL);
    EXPECT_EQ(p[3].revents, 0);
    EXPECT_EQ(px_poll(&f.px, &c, p + 1, 1, 0), 0);
    c = fx_px_call(&f);
    EXPECT_EQ(px_poll(&f.px, &c, p + 1, 1, -1), PX_AGAIN);
    c = fx_px_call(&f);
    EXPECT_EQ(px_poll(&f.px, &c, p + 1, 1, 50), PX_AGAIN);
    EXPECT_EQ(c.deadline, f.px.now + 50 * NS_PER_MS);
    fx_px_run(&f, 50 * NS_PER_MS);
    EXPECT_EQ(px_poll(&f.px, &c, p + 1, 1, 50), 0);
    fx_px_close(&f);
}

/* ---- epoll ---- */

static struct px_epoll_event told[8];

static int64_t wait(struct fx_px *f, int ep)
{
    struct px_call c = fx_px_call(f);
    return px_epoll_wait(&f->px, &c, ep, told, 8, 0);
}

static void add(struct fx_px *f, int fd, uint32_t what)
{
    struct px_epoll_event e = {.events = what, .data = (uint64_t)fd * 100};
    EXPECT_EQ(px_epoll_ctl(&f->px, 20, PX_EPOLL_CTL_ADD, fd, &e), 0);
}

TEST("levels are told as long as they last, edges once, one shot once until it is set again")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    uint8_t buf[10];
    EXPECT_EQ(px_epoll_create(&f.px, 20), 20);
    add(&f, 5, PX_POLLIN);
    EXPECT_EQ(wait(&f, 20), 0);
    EXPECT_EQ(fx_px_send(&f, 4, "x", 1, 0), 1);
    fx_px_run(&f, NS_PER_MS);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(wait(&f, 20), 1);
        EXPECT_EQ(told[0].events, PX_POLLIN);
        EXPECT_EQ(told[0].data, 500);
    }
    struct px_epoll_event e = {.events = PX_POLLIN | PX_EPOLLET, .data = 7};
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_MOD, 5, &e), 0);
    EXPECT_EQ(wait(&f, 20), 1);                 /* it was ready when it was set */
    EXPECT_EQ(wait(&f, 20), 0);
    EXPECT_EQ(fx_px_send(&f, 4, "y", 1, 0), 1);
    fx_px_run(&f, NS_PER_S);
    EXPECT_EQ(wait(&f, 20), 1);                 /* news, although it was ready */
    EXPECT_EQ(told[0].data, 7);
    EXPECT_EQ(fx_px_recv(&f, 5, buf, 10, 0), 2);
    px_on_step(&f.px);
    EXPECT_EQ(wait(&f, 20), 0);
    e.events = PX_POLLOUT | PX_EPOLLONESHOT;
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_MOD, 5, &e), 0);
    EXPECT_EQ(wait(&f, 20), 1);
    EXPECT_EQ(wait(&f, 20), 0);
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_MOD, 5, &e), 0);
    EXPECT_EQ(wait(&f, 20), 1);
    fx_px_close(&f);
}

TEST("a set refuses what makes no sense, and forgets what was closed")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    struct px_epoll_event e = {.events = PX_POLLOUT};
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_epoll_create(&f.px, 20), 20);
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_MOD, 5, &e), -PX_ENOENT);
    add(&f, 5, PX_POLLOUT);
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_ADD, 5, &e), -PX_EEXIST);
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_ADD, 77, &e), -PX_EBADF);
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_ADD, 20, &e), -PX_EINVAL);
    EXPECT_EQ(px_epoll_ctl(&f.px, 4, PX_EPOLL_CTL_ADD, 5, &e), -PX_EINVAL);
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, 99, 5, &e), -PX_EINVAL);
    EXPECT_EQ(px_epoll_wait(&f.px, &c, 20, told, 0, 0), -PX_EINVAL);
    EXPECT_EQ(px_epoll_wait(&f.px, &c, 4, told, 1, 0), -PX_EINVAL);
    EXPECT_EQ(px_epoll_wait(&f.px, &c, 77, told, 1, 0), -PX_EBADF);
    EXPECT_EQ(wait(&f, 20), 1);
    EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_DEL, 5, NULL), 0);
    EXPECT_EQ(wait(&f, 20), 0);
    add(&f, 5, PX_POLLOUT);
    EXPECT_EQ(px_close(&f.px, 5), 0);
    EXPECT_EQ(wait(&f, 20), 0);
    fx_px_close(&f);
}

TEST("with more files ready than are asked for, each gets its turn")
{
    struct fx_px f;
    fx_px_open(&f);
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_epoll_create(&f.px, 20), 20);
    for (int fd = 30; fd < 33; fd++) {
        EXPECT_EQ(px_socket(&f.px, fd, PX_AF_INET, PX_SOCK_DGRAM, 0), fd);
        add(&f, fd, PX_POLLOUT);
    }
    unsigned seen = 0;
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(px_epoll_wait(&f.px, &c, 20, told, 1, 0), 1);
        seen |= BIT(told[0].data / 100 - 30);
    }
    EXPECT_EQ(seen, 7);
    fx_px_close(&f);
}

static int heard_of[8], heard_n;

static void hear(void *ctx, int fd)
{
    (void)ctx;
    if (heard_n < 8)
        heard_of[heard_n++] = fd;
}

TEST("news of a file name it, and every set that watches for them")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    EXPECT_EQ(px_epoll_create(&f.px, 20), 20);
    add(&f, 5, PX_POLLIN);
    EXPECT_EQ(events(&f, 20), 0);
    f.px.on_news = hear;
    heard_n = 0;
    EXPECT_EQ(fx_px_send(&f, 4, "x", 1, 0), 1);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(heard_n, 2);
    EXPECT_EQ(heard_of[0], 5);
    EXPECT_EQ(heard_of[1], 20);
    EXPECT_EQ(events(&f, 20), IN);              /* a set can be polled itself */
    EXPECT_EQ(px_pipe(&f.px, 10, 11), 0);
    heard_n = 0;
    EXPECT_EQ(fx_px_send(&f, 11, "x", 1, 0), 1);
    EXPECT_EQ(heard_n, 1);
    EXPECT_EQ(heard_of[0], 10);
    EXPECT_EQ(px_close(&f.px, 10), 0);
    EXPECT_EQ(heard_of[1], 11);
    fx_px_close(&f);
}

TEST("a set holds as many as there are, in more sets than one, and leaves nothing when it is closed")
{
    struct fx_px f;
    fx_px_open(&f);
    struct px_epoll_event e = {.events = PX_POLLOUT}, all[FX_PX_FILES];
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_epoll_create(&f.px, 20), 20);
    EXPECT_EQ(px_epoll_create(&f.px, 21), 21);
    for (int fd = 30; fd < FX_PX_FILES; fd++) {
        EXPECT_EQ(px_socket(&f.px, fd, PX_AF_INET, PX_SOCK_DGRAM, 0), fd);
        EXPECT_EQ(px_epoll_ctl(&f.px, 20, PX_EPOLL_CTL_ADD, fd, &e), 0);
        EXPECT_EQ(px_epoll_ctl(&f.px, 21, PX_EPOLL_CTL_ADD, fd, &e), 0);
    }
    EXPECT_EQ(px_epoll_wait(&f.px, &c, 20, all, FX_PX_FILES, 0), FX_PX_FILES - 30);
    EXPECT_EQ(px_close(&f.px, 20), 0);
    EXPECT_EQ(px_epoll_wait(&f.px, &c, 21, all, FX_PX_FILES, 0), FX_PX_FILES - 30);
    EXPECT_EQ(f.px.watches.live, FX_PX_FILES - 30);
    for (int fd = 30; fd < FX_PX_FILES; fd++)
        EXPECT_EQ(px_close(&f.px, fd), 0);
    EXPECT_EQ(f.px.watches.live, 0);
    EXPECT_EQ(px_epoll_wait(&f.px, &c, 21, all, FX_PX_FILES, 0), 0);
    fx_px_close(&f);
}

/* ---- pipes, splice ---- */

TEST("a pipe keeps what it is given, up to its size, and ends when the writer closes")
{
    struct fx_px f;
    fx_px_open(&f);
    static uint8_t in[PX_PIPE_BYTES + 10], out[PX_PIPE_BYTES + 10];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 13);
    EXPECT_EQ(px_pipe(&f.px, 10, 11), 0);
    EXPECT_EQ(events(&f, 10), 0);
    EXPECT_EQ(events(&f, 11), OUT);
    EXPECT_EQ(fx_px_send(&f, 11, in, 100, 0), 100);
    EXPECT_EQ(fx_px_recv(&f, 10, out, 60, 0), 60);
    EXPECT_EQ(fx_px_send(&f, 10, in, 1, 0), -PX_EBADF);
    EXPECT_EQ(fx_px_recv(&f, 11, out, 1, 0), -PX_EBADF);
    struct px_call c = fx_px_call(&f);
    struct px_io io = {.fd = 11, .bytes = in, .n = PX_PIPE_BYTES};
    EXPECT_EQ(px_send(&f.px, &c, &io), PX_AGAIN);       /* 40 bytes are in the way */
    EXPECT_EQ(events(&f, 11), 0);
    EXPECT_EQ(fx_px_recv(&f, 10, out, 40, 0), 40);
    EXPECT_EQ(px_send(&f.px, &c, &io), PX_PIPE_BYTES);
    EXPECT_EQ(fx_px_recv(&f, 10, out, sizeof out, 0), PX_PIPE_BYTES);
    EXPECT_MEM(out, in, PX_PIPE_BYTES);
    EXPECT_EQ(fx_px_recv(&f, 10, out, 1, 0), PX_AGAIN);
    EXPECT_EQ(px_close(&f.px, 11), 0);
    EXPECT_EQ(events(&f, 10), PX_POLLHUP);
    EXPECT_EQ(fx_px_recv(&f, 10, out, 1, 0), 0);
    EXPECT_EQ(px_close(&f.px, 10), 0);
    EXPECT_EQ(px_pipe(&f.px, 10, 11), 0);
    EXPECT_EQ(px_close(&f.px, 10), 0);
    EXPECT_EQ(fx_px_send(&f, 11, in, 1, 0), -PX_EPIPE);
    fx_px_close(&f);
}

TEST("splice moves bytes from a stream into a pipe and on into a stream")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    static uint8_t in[10000], out[10000];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 3 + i / 256);
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_pipe(&f.px, 10, 11), 0);
    EXPECT_EQ(px_splice(&f.px, &c, 5, 11, 100, PX_SPLICE_F_NONBLOCK), -PX_EAGAIN);
    EXPECT_EQ(px_splice(&f.px, &c, 5, 11, 100, 0), PX_AGAIN);
    EXPECT_EQ(fx_px_send(&f, 4, in, sizeof in, 0), sizeof in);
    fx_px_run(&f, NS_PER_S);
    EXPECT_EQ(px_splice(&f.px, &c, 5, 11, sizeof in, 0), sizeof in);
    EXPECT_EQ(px_splice(&f.px, &c, 10, 5, sizeof in, 0), sizeof in);    /* back to its sender */
    fx_px_run(&f, NS_PER_S);
    size_t n = 0;
    for (int64_t got; n < sizeof out && (got = fx_px_recv(&f, 4, out + n, sizeof out - n,
                                                          PX_MSG_DONTWAIT)) > 0;)
        n += (size_t)got;
    EXPECT_EQ(n, sizeof in);
    EXPECT_MEM(out, in, sizeof in);
    EXPECT_EQ(px_splice(&f.px, &c, 4, 5, 1, 0), -PX_EINVAL);
    EXPECT_EQ(px_splice(&f.px, &c, 77, 5, 1, 0), -PX_EBADF);
    fx_px_close(&f);
}
