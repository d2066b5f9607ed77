/* Datagrams, and IPv6. */
#include "semantics.h"

#include <netinet/ip.h>
#include <sys/time.h>
#include <sys/uio.h>

static int bound_udp(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = at4(0);
    bind(fd, (struct sockaddr *)&a, sizeof(a));
    return fd;
}

static long send_to(int fd, const void *data, size_t n, uint16_t port)
{
    struct sockaddr_in a = at4(port);
    return sendto(fd, data, n, 0, (struct sockaddr *)&a, sizeof(a));
}

static void connected_udp(void)
{
    int a = bound_udp(), b = bound_udp(), other = bound_udp();
    struct sockaddr_in to = at4(port_of(b)), none = {.sin_family = AF_UNSPEC};
    struct sockaddr_in peer;
    socklen_t len = sizeof(peer);
    char buf[16];
    check("datagram connect", "%s", outcome(connect(a, (struct sockaddr *)&to, sizeof(to))));
    check("datagram getpeername", "%s %d", outcome(getpeername(a, (struct sockaddr *)&peer, &len)), peer.sin_port == to.sin_port);
    check("datagram send", "%s", outcome(send(a, "one", 3, 0)));
    len = sizeof(peer);
    check("datagram from", "%s %d", outcome(recvfrom(b, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &len)),
          peer.sin_port == htons(port_of(a)));
    send_to(other, "no", 2, port_of(a));
    send_to(b, "yes", 3, port_of(a));
    poll_until(a, POLLIN, 2000);
    check("datagram from its peer only", "%s %.3s", outcome(recv(a, buf, sizeof(buf), 0)), buf);
    check("datagram write", "%s", outcome(write(a, "two", 3)));
    check("datagram read", "%s", outcome(read(b, buf, sizeof(buf))));
    check("datagram disconnect", "%s", outcome(connect(a, (struct sockaddr *)&none, sizeof(none))));
    len = sizeof(peer);
    check("datagram disconnected getpeername", "%s", outcome(getpeername(a, (struct sockaddr *)&peer, &len)));
    close(a);
    close(b);
    close(other);
    a = socket(AF_INET, SOCK_DGRAM, 0);
    to = at4(unused_port());
    connect(a, (struct sockaddr *)&to, sizeof(to));
    check("datagram bound by connect", "%d", port_of(a) > 0);
    (void)!send(a, "x", 1, 0);
    usleep(100000);
    len = sizeof(peer);
    check("datagram refused", "%s", outcome(recvfrom(a, buf, 1, MSG_DONTWAIT, (struct sockaddr *)&peer, &len)));
    (void)!send(a, "x", 1, 0);
    usleep(100000);
    check("datagram refused error", "%s", error_name((int)get_int(a, SOL_SOCKET, SO_ERROR)));
    close(a);
}

void checks_udp(void)
{
    int a = bound_udp(), b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    char buf[16] = {0};
    static char large[66000];
    int n = 0;
    check("datagram fresh poll", "%s", polled(b, 0));
    check("datagram type", "%ld %ld", get_int(b, SOL_SOCKET, SO_TYPE), get_int(b, SOL_SOCKET, SO_PROTOCOL));
    check("datagram without destination", "%s", outcome(sendto(b, "x", 1, 0, NULL, 0)));
    check("datagram listen", "%s", outcome(listen(b, 1)));
    check("datagram to port 0", "%s", outcome(send_to(b, "x", 1, 0)));
    check("datagram too large", "%s", outcome(send_to(b, large, 65508, port_of(a))));
    check("datagram largest", "%s", outcome(send_to(b, large, 65507, port_of(a))));
    check("datagram largest arrives", "%s", outcome(recv(a, large, sizeof(large), 0)));
    check("datagram sendto", "%s", outcome(send_to(b, "hello", 5, port_of(a))));
    poll_until(a, POLLIN, 2000);
    check("datagram poll", "%s", polled(a, 0));
    ioctl(a, FIONREAD, &n);
    check("datagram FIONREAD", "%d", n);
    check("datagram peek", "%s", outcome(recvfrom(a, buf, 2, MSG_PEEK, (struct sockaddr *)&from, &len)));
    check("datagram cut", "%s", outcome(recvfrom(a, buf, 2, MSG_TRUNC, (struct sockaddr *)&from, &len)));
    check("datagram source", "%d %d", from.sin_port == htons(port_of(b)), from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    check("datagram no more", "%s", outcome(recvfrom(a, buf, 2, MSG_DONTWAIT, (struct sockaddr *)&from, &len)));
    check("datagram of nothing", "%s", outcome(send_to(b, "", 0, port_of(a))));
    poll_until(a, POLLIN, 2000);
    check("datagram of nothing arrives", "%s", outcome(recv(a, buf, 2, MSG_DONTWAIT)));
    for (int i = 0; i < 5; i++)
        send_to(b, &"abcde"[i], 1, port_of(a));
    for (int i = 0; i < 5; i++) {
        poll_until(a, POLLIN, 2000);
        if (i % 2)
            (void)!recv(a, buf + i, 1, 0);
        else
            (void)!recvfrom(a, buf + i, 1, 0, (struct sockaddr *)&from, &len);
    }
    check("datagrams in order", "%.5s", buf);
    struct timeval t = {.tv_usec = 60000};
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    check("datagram times out", "%s", outcome(recvfrom(a, buf, 2, 0, (struct sockaddr *)&from, &len)));
    check("datagram times out in recv", "%s", outcome(recv(a, buf, 2, 0)));
    int taken = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in same = at4(port_of(a));
    check("datagram port in use", "%s", outcome(bind(taken, (struct sockaddr *)&same, sizeof(same))));
    close(taken);
    close(a);
    close(b);
    connected_udp();
}

void checks_udp_messages(void)
{
    int a = bound_udp(), b = bound_udp(), one = 1, ttl = 0, tos = 0;
    char buf[64], control[256];
    struct in_pktinfo info = {0};
    struct sockaddr_in from, to = at4(port_of(a));
    setsockopt(a, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
    setsockopt(a, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one));
    setsockopt(a, IPPROTO_IP, IP_RECVTOS, &one, sizeof(one));
    int mark = 0x20, hops = 9;
    setsockopt(b, IPPROTO_IP, IP_TOS, &mark, sizeof(mark));
    setsockopt(b, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
    struct iovec out[2] = {{.iov_base = "mes", .iov_len = 3}, {.iov_base = "sage", .iov_len = 4}};
    struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = out, .msg_iovlen = 2};
    check("datagram sendmsg", "%s", outcome(sendmsg(b, &m, 0)));
    struct iovec in[2] = {{.iov_base = buf, .iov_len = 2}, {.iov_base = buf + 2, .iov_len = 3}};
    m = (struct msghdr){.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = in, .msg_iovlen = 2,
                        .msg_control = control, .msg_controllen = sizeof(control)};
    check("datagram recvmsg", "%s", outcome(recvmsg(a, &m, 0)));
    check("datagram recvmsg bytes", "%.5s %s", buf, m.msg_flags & MSG_TRUNC ? "cut" : "whole");
    check("datagram recvmsg name", "%d %d", (int)m.msg_namelen, from.sin_port == htons(port_of(b)));
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        if (c->cmsg_type == IP_PKTINFO)
            memcpy(&info, CMSG_DATA(c), sizeof(info));
        if (c->cmsg_type == IP_TTL)
            memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
        if (c->cmsg_type == IP_TOS)
            memcpy(&tos, CMSG_DATA(c), 1);
    }
    check("datagram recvmsg TTL", "%d", ttl);
    check("datagram recvmsg TOS", "%d", tos);
    check("datagram recvmsg local address", "%d %d", info.ipi_addr.s_addr == htonl(INADDR_LOOPBACK), info.ipi_ifindex);
    struct mmsghdr mm[3] = {0};
    for (int i = 0; i < 3; i++)
        mm[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = out, .msg_iovlen = i % 2 ? 2 : 1};
    check("datagram sendmmsg", "%s", outcome(sendmmsg(b, mm, 3, 0)));
    check("datagram sendmmsg lengths", "%u %u", mm[0].msg_len, mm[1].msg_len);
    usleep(50000);
    static char place[4][16];
    struct iovec v[4];
    struct mmsghdr got[4] = {0};
    for (int i = 0; i < 4; i++) {
        v[i] = (struct iovec){.iov_base = place[i], .iov_len = 16};
        got[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    }
    check("datagram recvmmsg", "%s", outcome(recvmmsg(a, got, 4, MSG_DONTWAIT, NULL)));
    check("datagram recvmmsg lengths", "%u %u %u", got[0].msg_len, got[1].msg_len, got[2].msg_len);
    check("datagram recvmmsg of nothing", "%s", outcome(recvmmsg(a, got, 4, MSG_DONTWAIT, NULL)));
    m = (struct msghdr){.msg_iov = in, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    check("datagram error queue of nothing", "%s", outcome(recvmsg(a, &m, MSG_ERRQUEUE)));
    close(a);
    close(b);
}

void checks_ip6(void)
{
    int l = listener6(), fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 a = at6(port_of(l)), b;
    struct sockaddr_in a4 = at4(port_of(l));
    socklen_t len = sizeof(b);
    check("IPv6 domain", "%ld", get_int(fd, SOL_SOCKET, SO_DOMAIN));
    check("IPv6 connect with an IPv4 address", "%s", outcome(connect(fd, (struct sockaddr *)&a4, sizeof(a4))));
    check("IPv6 connect", "%s", outcome(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    check("IPv6 getpeername", "%s %d", outcome(getpeername(fd, (struct sockaddr *)&b, &len)),
          len == sizeof(b) && IN6_IS_ADDR_LOOPBACK(&b.sin6_addr) && b.sin6_port == a.sin6_port);
    len = sizeof(b);
    int c = accept(l, (struct sockaddr *)&b, &len);
    check("IPv6 accept", "%d %d", IN6_IS_ADDR_LOOPBACK(&b.sin6_addr), b.sin6_port == htons(port_of(fd)));
    close(c);
    close(fd);
    close(l);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    check("IPv6 listen on all", "%s", outcome(listen(l, 5)));
    fd = socket(AF_INET, SOCK_STREAM, 0);
    check("dual connect over IPv4", "%s", outcome(try_connect(fd, port_of(l))));
    len = sizeof(b);
    c = accept(l, (struct sockaddr *)&b, &len);
    check("dual accept", "%d %d", IN6_IS_ADDR_V4MAPPED(&b.sin6_addr), (int)len);
    close(c);
    close(fd);
    fd = socket(AF_INET6, SOCK_STREAM, 0);
    a = at6(port_of(l));
    memcpy(a.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\1", 16);
    check("IPv6 connect to a mapped address", "%s", outcome(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    close(fd);
    close(l);
    int on = 1;
    l = socket(AF_INET6, SOCK_STREAM, 0);
    setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    listen(l, 5);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    check("IPv6 only refuses IPv4", "%s", outcome(try_connect(fd, port_of(l))));
    close(fd);
    close(l);
    int u = socket(AF_INET6, SOCK_DGRAM, 0), w = socket(AF_INET6, SOCK_DGRAM, 0);
    a = at6(0);
    bind(u, (struct sockaddr *)&a, sizeof(a));
    a = at6(port_of(u));
    char buf[8];
    check("IPv6 datagram", "%s", outcome(sendto(w, "six", 3, 0, (struct sockaddr *)&a, sizeof(a))));
    len = sizeof(b);
    check("IPv6 datagram arrives", "%s %d", outcome(recvfrom(u, buf, 8, 0, (struct sockaddr *)&b, &len)),
          IN6_IS_ADDR_LOOPBACK(&b.sin6_addr));
    close(u);
    close(w);
}
