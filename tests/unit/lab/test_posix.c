#include "fx_posix.h"

/* ---- socket ---- */

TEST("sockets are of the families and types that there are")
{
    struct fx_px f;
    fx_px_open(&f);
    struct px *px = &f.px;
    EXPECT_EQ(px_socket(px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), 3);
    EXPECT_EQ(px_socket(px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), -PX_EEXIST);
    EXPECT_EQ(px_socket(px, 4, PX_AF_INET6, PX_SOCK_STREAM, PX_IPPROTO_TCP), 4);
    EXPECT_EQ(px_socket(px, 5, PX_AF_INET6, PX_SOCK_DGRAM, PX_IPPROTO_UDP), 5);
    EXPECT_EQ(px_socket(px, 6, PX_AF_INET, PX_SOCK_RAW, PX_IPPROTO_ICMP), 6);
    EXPECT_EQ(px_socket(px, 7, PX_AF_INET6, PX_SOCK_DGRAM, PX_IPPROTO_ICMPV6), 7);
    EXPECT_EQ(px_socket(px, 8, 1, PX_SOCK_STREAM, 0), -PX_EAFNOSUPPORT);
    EXPECT_EQ(px_socket(px, 8, PX_AF_INET, 5, 0), -PX_ESOCKTNOSUPPORT);
    EXPECT_EQ(px_socket(px, 8, PX_AF_INET, PX_SOCK_STREAM, 17), -PX_EPROTONOSUPPORT);
    EXPECT_EQ(px_socket(px, 8, PX_AF_INET, PX_SOCK_DGRAM, 6), -PX_EPROTONOSUPPORT);
    EXPECT(px_of(px, 8) == NULL);
    EXPECT(px_of(px, 4)->v6);
    EXPECT_EQ(px_close(px, 4), 0);
    EXPECT_EQ(px_close(px, 4), -PX_EBADF);
    fx_px_close(&f);
}

TEST("there are as many files as there is room for")
{
    struct fx_px f;
    fx_px_open(&f);
    int64_t got = 0;
    int n = 0;
    while (n < FX_PX_FILES &&
           (got = px_socket(&f.px, 3 + n, PX_AF_INET, PX_SOCK_DGRAM, 0)) >= 0)
        n++;
    EXPECT_EQ(n, FX_PX_FILES - 3);          /* the first is 3 */
    EXPECT_EQ(got, -PX_EMFILE);
    fx_px_close(&f);
}

/* ---- listen, accept, connect ---- */

TEST("accepting needs a listener, and waits where the descriptor does")
{
    struct fx_px f;
    fx_px_open(&f);
    struct px *px = &f.px;
    struct oriel_endpoint at = fx_px_at(80);
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_socket(px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), 3);
    EXPECT_EQ(px_bind(px, 3, &at), 0);
    EXPECT_EQ(px_accept(px, &c, 3, 4, 0, NULL), -PX_EINVAL);
    EXPECT_EQ(px_listen(px, 3, 0), 0);
    EXPECT_EQ(px_accept(px, &c, 3, 4, 0, NULL), PX_AGAIN);
    EXPECT(px_of(px, 4) == NULL);
    EXPECT_EQ(px_fcntl(px, 3, PX_F_SETFL, PX_O_RDWR | PX_O_NONBLOCK), 0);
    EXPECT_EQ(px_accept(px, &c, 3, 4, 0, NULL), -PX_EAGAIN);
    EXPECT_EQ(px_accept(px, &c, 9, 4, 0, NULL), -PX_EBADF);
    EXPECT_EQ(px_socket(px, 5, PX_AF_INET, PX_SOCK_DGRAM, 0), 5);
    EXPECT_EQ(px_listen(px, 5, 1), -PX_EOPNOTSUPP);
    EXPECT_EQ(px_accept(px, &c, 5, 4, 0, NULL), -PX_EOPNOTSUPP);
    EXPECT_EQ(px_connect(px, &c, 3, &at), -PX_EISCONN);
    fx_px_close(&f);
}

TEST("a connection is made, and what accept gives is not of the listener's mode")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    EXPECT_EQ(px_fcntl(&f.px, 3, PX_F_GETFL, 0), PX_O_RDWR | PX_O_NONBLOCK);
    EXPECT_EQ(px_fcntl(&f.px, 5, PX_F_GETFL, 0), PX_O_RDWR);
    EXPECT_EQ(px_fcntl(&f.px, 5, PX_F_GETFD, 0), 0);
    EXPECT_EQ(px_fcntl(&f.px, 5, 1234, 0), -PX_EINVAL);
    EXPECT_EQ(px_fcntl(&f.px, 99, PX_F_GETFL, 0), -PX_EBADF);
    struct oriel_endpoint at = fx_px_at(80);
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_connect(&f.px, &c, 4, &at), -PX_EISCONN);
    fx_px_close(&f);
}

TEST("connecting without waiting is in progress, then under way already, then done once")
{
    struct fx_px f;
    fx_px_open(&f);
    struct px *px = &f.px;
    struct oriel_endpoint at = fx_px_at(80);
    EXPECT_EQ(px_socket(px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), 3);
    EXPECT_EQ(px_bind(px, 3, &at), 0);
    EXPECT_EQ(px_listen(px, 3, 1), 0);
    EXPECT_EQ(px_socket(px, 4, PX_AF_INET, PX_SOCK_STREAM | PX_SOCK_NONBLOCK, 0), 4);
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_connect(px, &c, 4, &at), -PX_EINPROGRESS);
    EXPECT_EQ(fx_px_send(&f, 4, "x", 1, 0), -PX_EAGAIN);
    c = fx_px_call(&f);
    EXPECT_EQ(px_connect(px, &c, 4, &at), -PX_EALREADY);
    fx_px_run(&f, NS_PER_MS);
    c = fx_px_call(&f);
    EXPECT_EQ(px_connect(px, &c, 4, &at), 0);
    c = fx_px_call(&f);
    EXPECT_EQ(px_connect(px, &c, 4, &at), -PX_EISCONN);
    fx_px_close(&f);
}

TEST("a refused connection is told once, by connect or by SO_ERROR")
{
    for (int by_option = 0; by_option < 2; by_option++) {
        struct fx_px f;
        fx_px_open(&f);
        struct px *px = &f.px;
        struct oriel_endpoint at = fx_px_at(81);
        int32_t error = 0;
        uint32_t len = sizeof error;
        EXPECT_EQ(px_socket(px, 4, PX_AF_INET, PX_SOCK_STREAM | PX_SOCK_NONBLOCK, 0), 4);
        struct px_call c = fx_px_call(&f);
        EXPECT_EQ(px_connect(px, &c, 4, &at), -PX_EINPROGRESS);
        fx_px_run(&f, NS_PER_MS);
        if (by_option) {
            EXPECT_EQ(px_getsockopt(px, 4, PX_SOL_SOCKET, 4, &error, &len), 0);
            EXPECT_EQ(error, PX_ECONNREFUSED);
        }
        c = fx_px_call(&f);
        EXPECT_EQ(px_connect(px, &c, 4, &at), by_option ? -PX_ECONNABORTED : -PX_ECONNREFUSED);
        EXPECT_EQ(px_getsockopt(px, 4, PX_SOL_SOCKET, 4, &error, &len), 0);
        EXPECT_EQ(error, 0);
        fx_px_close(&f);
    }
}

TEST("what waits gives up at its limit")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    uint8_t buf[10];
    int64_t tv[2] = {0, 250000};
    struct px_call c = fx_px_call(&f);
    struct px_io io = {.fd = 4, .bytes = buf, .n = sizeof buf};
    EXPECT_EQ(px_setsockopt(&f.px, 4, PX_SOL_SOCKET, 20, tv, sizeof tv), 0);
    EXPECT_EQ(px_recv(&f.px, &c, &io), PX_AGAIN);
    EXPECT_EQ(c.deadline, f.px.now + 250 * NS_PER_MS);
    fx_px_run(&f, 249 * NS_PER_MS);
    EXPECT_EQ(px_recv(&f.px, &c, &io), PX_AGAIN);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(px_recv(&f.px, &c, &io), -PX_EAGAIN);
    fx_px_close(&f);
}

/* ---- shutdown, ioctl ---- */

TEST("a stream is shut down one way or both; others have no way to be shut down")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    uint8_t buf[10];
    EXPECT_EQ(px_shutdown(&f.px, 4, 3), -PX_EINVAL);
    EXPECT_EQ(px_shutdown(&f.px, 4, PX_SHUT_WR), 0);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(fx_px_recv(&f, 5, buf, sizeof buf, 0), 0);
    EXPECT_EQ(fx_px_send(&f, 4, "x", 1, 0), -PX_EPIPE);
    EXPECT_EQ(px_socket(&f.px, 6, PX_AF_INET, PX_SOCK_DGRAM, 0), 6);
    EXPECT_EQ(px_shutdown(&f.px, 6, PX_SHUT_WR), -PX_ENOTCONN);
    EXPECT_EQ(px_shutdown(&f.px, 99, PX_SHUT_WR), -PX_EBADF);
    fx_px_close(&f);
}

TEST("ioctl counts what waits to be read and what is not acknowledged")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    int32_t n = -1;
    EXPECT_EQ(fx_px_send(&f, 4, "hello", 5, 0), 5);
    EXPECT_EQ(px_ioctl(&f.px, 4, PX_SIOCOUTQ, &n), 0);
    EXPECT_EQ(n, 5);
    fx_px_run(&f, NS_PER_S);
    EXPECT_EQ(px_ioctl(&f.px, 4, PX_SIOCOUTQ, &n), 0);
    EXPECT_EQ(n, 0);
    EXPECT_EQ(px_ioctl(&f.px, 4, PX_SIOCOUTQNSD, &n), 0);
    EXPECT_EQ(n, 0);
    EXPECT_EQ(px_ioctl(&f.px, 5, PX_FIONREAD, &n), 0);
    EXPECT_EQ(n, 5);
    EXPECT_EQ(px_ioctl(&f.px, 5, PX_SIOCATMARK, &n), 0);
    EXPECT_EQ(n, 0);
    EXPECT_EQ(px_ioctl(&f.px, 3, PX_FIONREAD, &n), -PX_EINVAL);
    EXPECT_EQ(px_ioctl(&f.px, 5, 0x1234, &n), -PX_ENOTTY);
    EXPECT_EQ(px_ioctl(&f.px, 99, PX_FIONREAD, &n), -PX_EBADF);
    n = 1;
    EXPECT_EQ(px_ioctl(&f.px, 5, PX_FIONBIO, &n), 0);
    EXPECT_EQ(px_fcntl(&f.px, 5, PX_F_GETFL, 0), PX_O_RDWR | PX_O_NONBLOCK);
    fx_px_close(&f);
}
