#define _GNU_SOURCE
#include "test.h"

#include "lab/posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifdef __linux__

/* ---- the system's headers are the oracle ---- */

TEST("constants have the values of the system's headers")
{
    static const struct {
        const char *name;
        int64_t value;
    } rows[] = {
#define SAME(name) {#name, (int64_t)(name)}
        SAME(AF_INET), SAME(AF_INET6), SAME(SOCK_STREAM), SAME(SOCK_DGRAM), SAME(SOCK_RAW),
        SAME(SOCK_NONBLOCK), SAME(SOCK_CLOEXEC), SAME(IPPROTO_TCP), SAME(IPPROTO_UDP),
        SAME(IPPROTO_ICMP), SAME(IPPROTO_IPV6), SAME(IPPROTO_ICMPV6), SAME(SHUT_RD), SAME(SHUT_WR),
        SAME(SHUT_RDWR), SAME(O_RDONLY), SAME(O_WRONLY), SAME(O_RDWR), SAME(O_NONBLOCK),
        SAME(O_CLOEXEC), SAME(O_APPEND), SAME(FD_CLOEXEC), SAME(F_GETFD), SAME(F_SETFD),
        SAME(F_GETFL), SAME(F_SETFL), SAME(FIONREAD), SAME(SIOCINQ), SAME(SIOCOUTQ),
        SAME(SIOCATMARK), SAME(FIONBIO), SAME(SIOCOUTQNSD), SAME(MSG_OOB), SAME(MSG_PEEK),
        SAME(MSG_DONTROUTE), SAME(MSG_CTRUNC), SAME(MSG_TRUNC), SAME(MSG_DONTWAIT), SAME(MSG_EOR),
        SAME(MSG_WAITALL), SAME(MSG_CONFIRM), SAME(MSG_ERRQUEUE), SAME(MSG_NOSIGNAL),
        SAME(MSG_MORE), SAME(MSG_FASTOPEN), SAME(POLLIN), SAME(POLLPRI), SAME(POLLOUT),
        SAME(POLLERR), SAME(POLLHUP), SAME(POLLNVAL), SAME(EPOLLIN), SAME(EPOLLPRI), SAME(EPOLLOUT),
        SAME(EPOLLERR), SAME(EPOLLHUP), SAME(EPOLLRDHUP), SAME(EPOLLONESHOT), SAME(EPOLL_CTL_ADD),
        SAME(EPOLL_CTL_DEL), SAME(EPOLL_CTL_MOD), SAME(EPOLLRDNORM), SAME(EPOLLWRNORM),
        SAME(SOL_SOCKET), SAME(SO_DEBUG), SAME(SO_REUSEADDR), SAME(SO_TYPE), SAME(SO_ERROR),
        SAME(SO_DONTROUTE), SAME(SO_BROADCAST), SAME(SO_SNDBUF), SAME(SO_RCVBUF),
        SAME(SO_KEEPALIVE), SAME(SO_OOBINLINE), SAME(SO_NO_CHECK), SAME(SO_PRIORITY),
        SAME(SO_LINGER), SAME(SO_REUSEPORT), SAME(SO_RCVLOWAT), SAME(SO_SNDLOWAT),
        SAME(SO_RCVTIMEO), SAME(SO_SNDTIMEO), SAME(SO_BINDTODEVICE), SAME(SO_ACCEPTCONN),
        SAME(SO_SNDBUFFORCE), SAME(SO_RCVBUFFORCE), SAME(SO_MARK), SAME(SO_TIMESTAMPING),
        SAME(SO_PROTOCOL), SAME(SO_DOMAIN), SAME(SO_BUSY_POLL), SAME(SO_MAX_PACING_RATE),
        SAME(SO_ZEROCOPY), SAME(TCP_NODELAY), SAME(TCP_MAXSEG), SAME(TCP_CORK), SAME(TCP_KEEPIDLE),
        SAME(TCP_KEEPINTVL), SAME(TCP_KEEPCNT), SAME(TCP_SYNCNT), SAME(TCP_LINGER2),
        SAME(TCP_DEFER_ACCEPT), SAME(TCP_WINDOW_CLAMP), SAME(TCP_INFO), SAME(TCP_QUICKACK),
        SAME(TCP_CONGESTION), SAME(TCP_MD5SIG), SAME(TCP_USER_TIMEOUT), SAME(TCP_REPAIR),
        SAME(TCP_FASTOPEN), SAME(TCP_TIMESTAMP), SAME(TCP_NOTSENT_LOWAT), SAME(TCP_CC_INFO),
        SAME(TCP_SAVE_SYN), SAME(TCP_SAVED_SYN), SAME(TCP_FASTOPEN_CONNECT), SAME(TCP_ULP),
        SAME(TCP_MD5SIG_EXT), SAME(TCP_FASTOPEN_KEY), SAME(TCP_FASTOPEN_NO_COOKIE),
        SAME(TCP_ZEROCOPY_RECEIVE), SAME(TCP_INQ), SAME(TCP_CM_INQ), SAME(TCP_TX_DELAY),
        SAME(IP_TOS), SAME(IP_TTL), SAME(IP_OPTIONS), SAME(IP_PKTINFO), SAME(IP_MTU_DISCOVER),
        SAME(IP_RECVERR), SAME(IP_RECVTTL), SAME(IP_RECVTOS), SAME(IP_MTU), SAME(IP_FREEBIND),
        SAME(IP_TRANSPARENT), SAME(IP_MINTTL), SAME(IP_MULTICAST_IF), SAME(IP_MULTICAST_TTL),
        SAME(IP_MULTICAST_LOOP), SAME(IP_PMTUDISC_DONT), SAME(IP_PMTUDISC_WANT),
        SAME(IP_PMTUDISC_DO), SAME(IP_PMTUDISC_PROBE), SAME(IPV6_UNICAST_HOPS),
        SAME(IPV6_MULTICAST_IF), SAME(IPV6_MULTICAST_HOPS), SAME(IPV6_MULTICAST_LOOP),
        SAME(IPV6_MTU_DISCOVER), SAME(IPV6_MTU), SAME(IPV6_RECVERR), SAME(IPV6_V6ONLY),
        SAME(IPV6_RECVPKTINFO), SAME(IPV6_PKTINFO), SAME(IPV6_RECVHOPLIMIT), SAME(IPV6_HOPLIMIT),
        SAME(IPV6_RECVTCLASS), SAME(IPV6_TCLASS), SAME(TCP_CA_Open), SAME(TCP_CA_Disorder),
        SAME(TCP_CA_CWR), SAME(TCP_CA_Recovery), SAME(TCP_CA_Loss), SAME(TCPI_OPT_TIMESTAMPS),
        SAME(TCPI_OPT_SACK), SAME(TCPI_OPT_WSCALE), SAME(TCPI_OPT_ECN), SAME(TCPI_OPT_ECN_SEEN),
        SAME(TCPI_OPT_SYN_DATA),
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = -1;
        if (!px_constant(span_str(rows[i].name), &v) || v != rows[i].value)
            fail_msg("%s is %lld, not %lld", rows[i].name, (long long)rows[i].value, (long long)v);
    }
    int64_t v;
    EXPECT(px_constant(span_str("EPOLLET"), &v));
    EXPECT_EQ((uint32_t)v, (uint32_t)EPOLLET);
}

TEST("errors have the numbers and texts of the system")
{
    static const int numbers[] = {EPERM, ENOENT, EINTR, EIO, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT,
                                  EBUSY, EEXIST, ENODEV, EINVAL, EMFILE, ENOTTY, ESPIPE, EPIPE,
                                  EDOM, ENOSYS, EPROTO, ENOTSOCK, EDESTADDRREQ, EMSGSIZE,
                                  ENOPROTOOPT, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT,
                                  EADDRINUSE, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH, ECONNABORTED,
                                  ECONNRESET, ENOBUFS, EISCONN, ENOTCONN, ETIMEDOUT, ECONNREFUSED,
                                  EHOSTUNREACH, EALREADY, EINPROGRESS};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const char *name = px_errno_name(numbers[i]);
        EXPECT(name != NULL);
        EXPECT_EQ(px_errno_named(span_str(name)), numbers[i]);
        EXPECT_STR(px_errno_text(numbers[i]), strerror(numbers[i]));
    }
    EXPECT_EQ(px_errno_named(span_str("EWOULDBLOCK")), EWOULDBLOCK);
    EXPECT_EQ(px_errno_named(span_str("ENOTSUP")), ENOTSUP);
    EXPECT(px_errno_name(12345) == NULL);
}

TEST("every error of Oriel has a number of the system")
{
    for (int err = ORIEL_ECONNABORTED; err < 0; err++) {
        int number = px_errno_of(err);
        EXPECT(number > 0);
        EXPECT(number != EIO);
    }
    EXPECT_EQ(px_errno_of(0), 0);
    EXPECT_EQ(px_errno_of(ORIEL_ETIMEDOUT), ETIMEDOUT);
    EXPECT_EQ(px_errno_of(-1000), EIO);
}

TEST("struct tcp_info has the system's layout")
{
    struct oriel_tcp_info i = {
        .state = ORIEL_TCP_CLOSE_WAIT, .ca_state = ORIEL_CA_LOSS, .retransmits = 1, .probes = 2,
        .backoff = 3, .timestamps = true, .sack = true, .wscale = true, .ecn = true,
        .ecn_seen = true, .syn_data = true, .delivery_app_limited = true, .snd_wscale = 5,
        .rcv_wscale = 6, .fastopen_client_fail = 2, .rto_us = 10, .ato_us = 11, .snd_mss = 12,
        .rcv_mss = 13, .unacked = 14, .sacked = 15, .lost = 16, .retrans = 17,
        .last_data_sent_ms = 18, .last_data_recv_ms = 19, .last_ack_recv_ms = 20, .pmtu = 21,
        .rcv_ssthresh = 22, .rtt_us = 23, .rttvar_us = 24, .snd_ssthresh = 25, .snd_cwnd = 26,
        .advmss = 27, .reordering = 28, .rcv_rtt_us = 29, .rcv_space = 30, .total_retrans = 31,
        .pacing_rate = 32, .max_pacing_rate = 33, .bytes_acked = 34, .bytes_received = 35,
        .segs_out = 36, .segs_in = 37, .notsent_bytes = 38, .min_rtt_us = 39, .data_segs_in = 40,
        .data_segs_out = 41, .delivery_rate = 42, .busy_us = 43, .rwnd_limited_us = 44,
        .sndbuf_limited_us = 45, .delivered = 46, .delivered_ce = 47, .bytes_sent = 48,
        .bytes_retrans = 49, .dsack_dups = 50, .reord_seen = 51, .rcv_ooopack = 52, .snd_wnd = 53,
    };
    struct tcp_info t;
    EXPECT_EQ(px_tcp_info(&i, (uint8_t *)&t, sizeof(t)), sizeof(t));
    EXPECT_EQ(t.tcpi_state, 8);                 /* TCP_CLOSE_WAIT */
    EXPECT_EQ(t.tcpi_ca_state, TCP_CA_Loss);
    EXPECT_EQ(t.tcpi_retransmits, 1);
    EXPECT_EQ(t.tcpi_probes, 2);
    EXPECT_EQ(t.tcpi_backoff, 3);
    EXPECT_EQ(t.tcpi_options, 0x3f);
    EXPECT_EQ(t.tcpi_snd_wscale, 5);
    EXPECT_EQ(t.tcpi_rcv_wscale, 6);
    EXPECT_EQ(t.tcpi_delivery_rate_app_limited, 1);
    EXPECT_EQ(t.tcpi_fastopen_client_fail, 2);
    EXPECT_EQ(t.tcpi_rto, 10);
    EXPECT_EQ(t.tcpi_ato, 11);
    EXPECT_EQ(t.tcpi_snd_mss, 12);
    EXPECT_EQ(t.tcpi_rcv_mss, 13);
    EXPECT_EQ(t.tcpi_unacked, 14);
    EXPECT_EQ(t.tcpi_sacked, 15);
    EXPECT_EQ(t.tcpi_lost, 16);
    EXPECT_EQ(t.tcpi_retrans, 17);
    EXPECT_EQ(t.tcpi_last_data_sent, 18);
    EXPECT_EQ(t.tcpi_last_data_recv, 19);
    EXPECT_EQ(t.tcpi_last_ack_recv, 20);
    EXPECT_EQ(t.tcpi_pmtu, 21);
    EXPECT_EQ(t.tcpi_rcv_ssthresh, 22);
    EXPECT_EQ(t.tcpi_rtt, 23);
    EXPECT_EQ(t.tcpi_rttvar, 24);
    EXPECT_EQ(t.tcpi_snd_ssthresh, 25);
    EXPECT_EQ(t.tcpi_snd_cwnd, 26);
    EXPECT_EQ(t.tcpi_advmss, 27);
    EXPECT_EQ(t.tcpi_reordering, 28);
    EXPECT_EQ(t.tcpi_rcv_rtt, 29);
    EXPECT_EQ(t.tcpi_rcv_space, 30);
    EXPECT_EQ(t.tcpi_total_retrans, 31);
    EXPECT_EQ(t.tcpi_pacing_rate, 32);
    EXPECT_EQ(t.tcpi_max_pacing_rate, 33);
    EXPECT_EQ(t.tcpi_bytes_acked, 34);
    EXPECT_EQ(t.tcpi_bytes_received, 35);
    EXPECT_EQ(t.tcpi_segs_out, 36);
    EXPECT_EQ(t.tcpi_segs_in, 37);
    EXPECT_EQ(t.tcpi_notsent_bytes, 38);
    EXPECT_EQ(t.tcpi_min_rtt, 39);
    EXPECT_EQ(t.tcpi_data_segs_in, 40);
    EXPECT_EQ(t.tcpi_data_segs_out, 41);
    EXPECT_EQ(t.tcpi_delivery_rate, 42);
    EXPECT_EQ(t.tcpi_busy_time, 43);
    EXPECT_EQ(t.tcpi_rwnd_limited, 44);
    EXPECT_EQ(t.tcpi_sndbuf_limited, 45);
    EXPECT_EQ(t.tcpi_delivered, 46);
    EXPECT_EQ(t.tcpi_delivered_ce, 47);
    EXPECT_EQ(t.tcpi_bytes_sent, 48);
    EXPECT_EQ(t.tcpi_bytes_retrans, 49);
    EXPECT_EQ(t.tcpi_dsack_dups, 50);
    EXPECT_EQ(t.tcpi_reord_seen, 51);
    EXPECT_EQ(t.tcpi_rcv_ooopack, 52);
    EXPECT_EQ(t.tcpi_snd_wnd, 53);
}

#endif

/* ---- what newer systems have, and names ---- */

TEST("struct tcp_info ends as Linux 6.18 has it, and may be asked for in part")
{
    struct oriel_tcp_info i = {.rcv_wnd = 61, .rehash = 62, .total_rto = 63,
                               .total_rto_recoveries = 64, .total_rto_time_ms = 65,
                               .ssthresh_bytes = UINT32_MAX};
    uint8_t all[PX_TCP_INFO_BYTES], some[PX_TCP_INFO_BYTES + 8];
    EXPECT_EQ(px_tcp_info(&i, all, sizeof(all)), 280);
    static const struct {
        const char *name;
        int64_t value;
    } rows[] = {{"tcpi_rcv_wnd", 61},   {"tcpi_rehash", 62},      {"tcpi_total_rto", 63},
                {"tcpi_total_rto_recoveries", 64}, {"tcpi_total_rto_time", 65},
                {"tcpi_snd_ssthresh", 0x7fffffff}, {"tcpi_accecn_opt_seen", 0}};
    for (size_t k = 0; k < ARRAY_LEN(rows); k++)
        EXPECT_EQ(px_tcp_member(all, px_tcp_member_named(span_str(rows[k].name))), rows[k].value);
    memset(some, 0xee, sizeof(some));
    for (size_t n = 0; n <= sizeof(all); n++) {
        EXPECT_EQ(px_tcp_info(&i, some, n), n);
        EXPECT_MEM(some, all, n);
        EXPECT_EQ(some[n], 0xee);
    }
}

TEST("every member has a name, and every name a member")
{
    int n = 0;
    while (px_tcp_member_name(n)) {
        EXPECT_EQ(px_tcp_member_named(span_str(px_tcp_member_name(n))), n);
        n++;
    }
    EXPECT(n > 60);
    EXPECT_EQ(px_tcp_member_named(span_str("tcpi_nothing")), -1);
}

TEST("a name that is nearly a constant is suggested")
{
    EXPECT_STR(px_constant_near(span_str("SOCK_STREM")), "SOCK_STREAM");
    EXPECT_STR(px_constant_near(span_str("EAGAN")), "EAGAIN");
    EXPECT(px_constant_near(span_str("NOTHING_LIKE_IT")) == NULL);
    int64_t v;
    EXPECT(!px_constant(span_str("SOCK_STREM"), &v));
    EXPECT(px_constant(span_str("ECONNRESET"), &v));
    EXPECT_EQ(v, 104);
}
