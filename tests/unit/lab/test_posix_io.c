#include "fx_posix.h"

static uint8_t big[1 << 20];

TEST("a stream carries bytes; reading takes what there is, at the end nothing")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    uint8_t buf[100];
    EXPECT_EQ(fx_px_recv(&f, 5, buf, sizeof buf, PX_MSG_DONTWAIT), -PX_EAGAIN);
    EXPECT_EQ(fx_px_send(&f, 4, "hello", 5, 0), 5);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(fx_px_recv(&f, 5, buf, 2, PX_MSG_PEEK), 2);
    EXPECT_EQ(fx_px_recv(&f, 5, buf, 2, 0), 2);
    EXPECT_MEM(buf, "he", 2);
    EXPECT_EQ(fx_px_recv(&f, 5, buf, sizeof buf, 0), 3);
    EXPECT_MEM(buf, "llo", 3);
    EXPECT_EQ(fx_px_recv(&f, 5, buf, 0, 0), 0);
    EXPECT_EQ(px_close(&f.px, 4), 0);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(fx_px_recv(&f, 5, buf, sizeof buf, 0), 0);
    fx_px_close(&f);
}

TEST("a blocking write takes everything, in its time; one that does not wait takes what fits")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    struct px_call c = fx_px_call(&f);
    struct px_io out = {.fd = 4, .bytes = big, .n = sizeof big};
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7 + i / 256);
    int64_t part = fx_px_send(&f, 4, big, sizeof big, PX_MSG_DONTWAIT);
    EXPECT(part > 0);
    EXPECT(part < (int64_t)sizeof big);
    EXPECT_EQ(fx_px_send(&f, 4, big, sizeof big, PX_MSG_DONTWAIT), -PX_EAGAIN);
    c.done = (uint64_t)part;
    uint8_t *back = malloc(sizeof big);
    size_t n = 0;
    int64_t sent = PX_AGAIN;
    for (int i = 0; i < 10000 && n < sizeof big; i++) {
        if (sent == PX_AGAIN)
            sent = px_send(&f.px, &c, &out);
        fx_px_run(&f, NS_PER_MS);
        int64_t got = fx_px_recv(&f, 5, back + n, sizeof big - n, PX_MSG_DONTWAIT);
        n += got > 0 ? (size_t)got : 0;
    }
    EXPECT_EQ(sent, sizeof big);
    EXPECT_EQ(n, sizeof big);
    EXPECT_MEM(back, big, sizeof big);
    free(back);
    fx_px_close(&f);
}

TEST("MSG_WAITALL waits for all of it, over several arrivals")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    uint8_t buf[10];
    struct px_call c = fx_px_call(&f);
    struct px_io in = {.fd = 5, .bytes = buf, .n = 8, .flags = PX_MSG_WAITALL};
    EXPECT_EQ(px_recv(&f.px, &c, &in), PX_AGAIN);
    EXPECT_EQ(fx_px_send(&f, 4, "hello", 5, 0), 5);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(px_recv(&f.px, &c, &in), PX_AGAIN);
    EXPECT_EQ(fx_px_send(&f, 4, "there", 5, 0), 5);
    fx_px_run(&f, NS_PER_S);
    EXPECT_EQ(px_recv(&f.px, &c, &in), 8);
    EXPECT_MEM(buf, "hellothe", 8);
    EXPECT_EQ(in.inq, 2);
    fx_px_close(&f);
}

TEST("a stream without a connection says so: a broken pipe, or not connected")
{
    struct fx_px f;
    fx_px_open(&f);
    uint8_t buf[10];
    EXPECT_EQ(px_socket(&f.px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), 3);
    EXPECT_EQ(fx_px_send(&f, 3, "x", 1, 0), -PX_EPIPE);
    EXPECT_EQ(fx_px_recv(&f, 3, buf, 10, 0), -PX_ENOTCONN);
    EXPECT_EQ(fx_px_send(&f, 99, "x", 1, 0), -PX_EBADF);
    EXPECT_EQ(fx_px_recv(&f, 99, buf, 10, 0), -PX_EBADF);
    EXPECT_EQ(px_listen(&f.px, 3, 1), 0);
    EXPECT_EQ(fx_px_recv(&f, 3, buf, 10, 0), -PX_ENOTCONN);
    f.px.set.tcp_fastopen = 2;
    EXPECT_EQ(px_socket(&f.px, 4, PX_AF_INET, PX_SOCK_STREAM, 0), 4);
    EXPECT_EQ(fx_px_send(&f, 4, "x", 1, PX_MSG_FASTOPEN), -PX_EOPNOTSUPP);
    fx_px_close(&f);
}

TEST("datagrams are whole, are looked at, and tell their true length")
{
    struct fx_px f;
    fx_px_open(&f);
    struct oriel_endpoint at = fx_px_at(9);
    uint8_t buf[100];
    int32_t n = -1;
    EXPECT_EQ(px_socket(&f.px, 3, PX_AF_INET, PX_SOCK_DGRAM, 0), 3);
    EXPECT_EQ(px_bind(&f.px, 3, &at), 0);
    EXPECT_EQ(px_socket(&f.px, 4, PX_AF_INET, PX_SOCK_DGRAM, 0), 4);
    EXPECT_EQ(fx_px_send(&f, 4, "x", 1, 0), -PX_EDESTADDRREQ);
    struct px_call c = fx_px_call(&f);
    EXPECT_EQ(px_connect(&f.px, &c, 4, &at), 0);
    EXPECT_EQ(fx_px_send(&f, 4, "hello", 5, 0), 5);
    EXPECT_EQ(fx_px_send(&f, 4, "you", 3, 0), 3);
    EXPECT_EQ(fx_px_recv(&f, 3, buf, 10, PX_MSG_PEEK | PX_MSG_DONTWAIT), -PX_EAGAIN);
    fx_px_run(&f, NS_PER_MS);
    EXPECT_EQ(px_ioctl(&f.px, 3, PX_FIONREAD, &n), 0);
    EXPECT_EQ(n, 5);
    EXPECT_EQ(fx_px_recv(&f, 3, buf, 2, PX_MSG_PEEK), 2);
    EXPECT(px_poll_events(&f.px, px_of(&f.px, 3)) & PX_POLLIN);
    c = fx_px_call(&f);
    struct px_io in = {.fd = 3, .bytes = buf, .n = 2, .flags = PX_MSG_TRUNC};
    EXPECT_EQ(px_recv(&f.px, &c, &in), 5);
    EXPECT_MEM(buf, "he", 2);
    EXPECT_EQ(in.out_flags, PX_MSG_TRUNC);
    EXPECT_EQ((uint32_t)in.peer.addr.lo, 0x7f000001);
    EXPECT_EQ(fx_px_recv(&f, 3, buf, 10, 0), 3);
    EXPECT_MEM(buf, "you", 3);
    EXPECT_EQ(fx_px_recv(&f, 3, buf, 10, 0), PX_AGAIN);
    EXPECT_EQ(fx_px_recv(&f, 3, buf, 10, PX_MSG_ERRQUEUE), -PX_EAGAIN);
    fx_px_close(&f);
}

TEST("addresses are read and written in Linux's layout")
{
    uint8_t bytes[PX_SOCKADDR_MAX];
    struct oriel_endpoint e = {.addr = addr_v4(0xc0000201), .port = 8080}, back;
    EXPECT_EQ(px_sockaddr_emit(&e, false, bytes), 16);
    EXPECT_EQ(px_sockaddr_parse(span_of(bytes, 16), &back), 0);
    EXPECT(addr_eq(&e.addr, &back.addr) && back.port == 8080);
    EXPECT_EQ(px_sockaddr_emit(&e, true, bytes), 28);
    EXPECT_EQ(px_sockaddr_parse(span_of(bytes, 28), &back), 0);
    EXPECT(addr_eq(&e.addr, &back.addr));               /* mapped */
    e.addr = addr_v6(0x20010db800000000, 7);
    EXPECT_EQ(px_sockaddr_emit(&e, false, bytes), 28);
    EXPECT_EQ(px_sockaddr_parse(span_of(bytes, 28), &back), 0);
    EXPECT(addr_eq(&e.addr, &back.addr));
    for (size_t n = 0; n < 24; n++)             /* without a scope, as RFC 2133 had it, is enough */
        EXPECT_EQ(px_sockaddr_parse(span_of(bytes, n), &back), -PX_EINVAL);
    uint16_t family = PX_AF_UNSPEC;
    memcpy(bytes, &family, 2);
    EXPECT_EQ(px_sockaddr_parse(span_of(bytes, 16), &back), 0);
    EXPECT(addr_is_unspecified(&back.addr));
    family = 1;
    memcpy(bytes, &family, 2);
    EXPECT_EQ(px_sockaddr_parse(span_of(bytes, 16), &back), -PX_EAFNOSUPPORT);
}
