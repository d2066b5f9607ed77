/* Bytes: messages, pieces, flags. */
#define _GNU_SOURCE
#include "fx_px.h"

#include <fcntl.h>

static int datagram_at(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = oriel_px_socket(AF_INET, SOCK_DGRAM, 0);
    *at = fx_px_at(0);
    EXPECT_EQ(oriel_px_bind(fd, SA(*at)), 0);
    EXPECT_EQ(oriel_px_getsockname(fd, SAP(*at), &len), 0);
    return fd;
}

TEST("datagrams come whole, say from whom, and can be looked at first")
{
    struct oriel_px *px = fx_px_start();
    struct sockaddr_in a, b, from;
    socklen_t len = sizeof from;
    char buf[100];
    int fa = datagram_at(&a), fb = datagram_at(&b);
    EXPECT_EQ(oriel_px_sendto(fa, "hello", 5, 0, SA(b)), 5);
    EXPECT_EQ(oriel_px_recvfrom(fb, buf, 3, MSG_PEEK | MSG_TRUNC, SAP(from), &len), 5);
    EXPECT_EQ(len, sizeof from);
    EXPECT_EQ(from.sin_port, a.sin_port);
    EXPECT_EQ(oriel_px_recv(fb, buf, sizeof buf, 0), 5);
    EXPECT_EQ(fx_px_errno(oriel_px_recv(fb, buf, sizeof buf, MSG_DONTWAIT)), EAGAIN);
    EXPECT_EQ(fx_px_errno(oriel_px_send(fa, "x", 1, 0)), EDESTADDRREQ);
    EXPECT_EQ(oriel_px_connect(fa, SA(b)), 0);
    EXPECT_EQ(oriel_px_write(fa, "", 0), 0);
    EXPECT_EQ(oriel_px_read(fb, buf, sizeof buf), 0);
    oriel_px_stop(px);
}

TEST("messages gather and scatter pieces, and carry hop limits")
{
    struct oriel_px *px = fx_px_start();
    struct sockaddr_in a, b, from;
    char one[3], two[100], control[100];
    int fa = datagram_at(&a), fb = datagram_at(&b), on = 1, ttl = 7;
    struct iovec out[] = {{(void *)"abc", 3}, {(void *)"", 0}, {(void *)"defg", 4}};
    struct iovec in[] = {{one, sizeof one}, {two, sizeof two}};
    struct msghdr m = {.msg_name = &b, .msg_namelen = sizeof b, .msg_iov = out, .msg_iovlen = 3};
    EXPECT_EQ(oriel_px_setsockopt(fa, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl), 0);
    EXPECT_EQ(oriel_px_setsockopt(fb, IPPROTO_IP, IP_RECVTTL, &on, sizeof on), 0);
    EXPECT_EQ(oriel_px_sendmsg(fa, &m, 0), 7);
    m = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = in, .msg_iovlen = 2,
                        .msg_control = control, .msg_controllen = sizeof control};
    EXPECT_EQ(oriel_px_recvmsg(fb, &m, 0), 7);
    EXPECT_MEM(one, "abc", 3);
    EXPECT_MEM(two, "defg", 4);
    EXPECT_EQ(from.sin_port, a.sin_port);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    EXPECT(c != NULL);
    EXPECT_EQ(c->cmsg_type, IP_TTL);
    memcpy(&ttl, CMSG_DATA(c), sizeof ttl);
    EXPECT_EQ(ttl, 7);
    oriel_px_stop(px);
}

TEST("a stream takes piece after piece; a broken one is EPIPE without a signal")
{
    struct oriel_px *px = fx_px_start();
    int pair[2];
    char buf[100], more[100];
    struct iovec out[] = {{(void *)"abc", 3}, {(void *)"defg", 4}}, in[] = {{buf, 5}, {more, 100}};
    fx_px_connected(pair);
    EXPECT_EQ(oriel_px_writev(pair[0], out, 2), 7);
    EXPECT_EQ(oriel_px_readv(pair[1], in, 2), 7);
    EXPECT_MEM(buf, "abcde", 5);
    EXPECT_MEM(more, "fg", 2);
    EXPECT_EQ(oriel_px_shutdown(pair[0], SHUT_WR), 0);
    EXPECT_EQ(fx_px_errno(oriel_px_write(pair[0], "x", 1)), EPIPE);
    EXPECT_EQ(fx_px_errno(oriel_px_writev(pair[0], out, -1)), EINVAL);
    EXPECT_EQ(fx_px_errno(oriel_px_send(pair[0], NULL, 1, 0)), EFAULT);
    EXPECT_EQ(fx_px_errno(oriel_px_recv(-1, buf, 1, 0)), EBADF);
    EXPECT_EQ(fx_px_errno(oriel_px_send(0, buf, 1, 0)), ENOTSOCK);
    oriel_px_stop(px);
}

TEST("the same over IPv6, with addresses of its size")
{
    struct oriel_px *px = fx_px_start();
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, from;
    socklen_t len = sizeof at;
    char buf[10];
    int a = oriel_px_socket(AF_INET6, SOCK_DGRAM, 0), b = oriel_px_socket(AF_INET6, SOCK_DGRAM, 0);
    EXPECT_EQ(oriel_px_bind(a, SA(at)), 0);
    EXPECT_EQ(oriel_px_getsockname(a, SAP(at), &len), 0);
    EXPECT_EQ(len, sizeof at);
    EXPECT_EQ(oriel_px_sendto(b, "six", 3, 0, SA(at)), 3);
    EXPECT_EQ(oriel_px_recvfrom(a, buf, sizeof buf, 0, SAP(from), &len), 3);
    EXPECT_EQ(len, sizeof from);
    EXPECT(IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
    oriel_px_stop(px);
}

TEST("several pieces of what is no socket of ours, or nothing at all, are refused")
{
    char a[4], b[4];
    struct iovec two[] = {{a, sizeof a}, {b, sizeof b}};
    struct msghdr m = {.msg_iov = two, .msg_iovlen = 2};
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    EXPECT(fd >= 0);
    EXPECT_EQ(fx_px_errno(oriel_px_recvmsg(fd, &m, 0)), ENOTSOCK);
    EXPECT_EQ(fx_px_errno(oriel_px_sendmsg(fd, &m, 0)), ENOTSOCK);
    close(fd);
    EXPECT_EQ(fx_px_errno(oriel_px_recvmsg(fd, &m, 0)), EBADF);
    EXPECT_EQ(fx_px_errno(oriel_px_sendmsg(fd, &m, 0)), EBADF);
    EXPECT_EQ(fx_px_errno(oriel_px_recv(fd, a, sizeof a, 0)), EBADF);
}
