/*
 * Names and numbers of Linux (x86-64, arm64 and all that share the generic ones): constants that
 * scripts write, errors and their texts. Two tables in the order in which people look for them;
 * what is asked for is asked for once a line of a script, so they are searched from the front.
 */
#include "lab/posix.h"

#include "lens/syntax.h"

struct named {
    const char *name;
    int64_t value;
};

static const struct named constants[] = {
    /* sockets */
    {"AF_UNSPEC", 0}, {"AF_UNIX", 1}, {"AF_INET", 2}, {"AF_INET6", 10}, {"PF_INET", 2},
    {"PF_INET6", 10}, {"SOCK_STREAM", 1}, {"SOCK_DGRAM", 2}, {"SOCK_RAW", 3},
    {"SOCK_NONBLOCK", 0x800}, {"SOCK_CLOEXEC", 0x80000}, {"IPPROTO_IP", 0}, {"IPPROTO_ICMP", 1},
    {"IPPROTO_TCP", 6}, {"IPPROTO_UDP", 17}, {"IPPROTO_IPV6", 41}, {"IPPROTO_ICMPV6", 58},
    {"IPPROTO_UDPLITE", 136}, {"IPPROTO_MPTCP", 262}, {"SHUT_RD", 0}, {"SHUT_WR", 1},
    {"SHUT_RDWR", 2}, {"SOMAXCONN", 4096}, {"INADDR_ANY", 0}, {"NULL", 0},
    /* fcntl, ioctl */
    {"O_RDONLY", 0}, {"O_WRONLY", 1}, {"O_RDWR", 2}, {"O_NONBLOCK", 0x800}, {"O_CLOEXEC", 0x80000},
    {"O_APPEND", 0x400}, {"FD_CLOEXEC", 1}, {"F_GETFD", 1}, {"F_SETFD", 2}, {"F_GETFL", 3},
    {"F_SETFL", 4}, {"FIONREAD", 0x541b}, {"SIOCINQ", 0x541b}, {"TIOCINQ", 0x541b},
    {"SIOCOUTQ", 0x5411}, {"TIOCOUTQ", 0x5411}, {"SIOCOUTQNSD", 0x894b}, {"SIOCATMARK", 0x8905},
    {"FIONBIO", 0x5421},
    /* messages */
    {"MSG_OOB", 1}, {"MSG_PEEK", 2}, {"MSG_DONTROUTE", 4}, {"MSG_CTRUNC", 8}, {"MSG_TRUNC", 0x20},
    {"MSG_DONTWAIT", 0x40}, {"MSG_EOR", 0x80}, {"MSG_WAITALL", 0x100}, {"MSG_CONFIRM", 0x800},
    {"MSG_ERRQUEUE", 0x2000}, {"MSG_NOSIGNAL", 0x4000}, {"MSG_MORE", 0x8000},
    {"MSG_WAITFORONE", 0x10000}, {"MSG_ZEROCOPY", 0x4000000}, {"MSG_FASTOPEN", 0x20000000},
    {"MSG_CMSG_CLOEXEC", 0x40000000},
    /* poll, epoll, splice */
    {"POLLIN", 1}, {"POLLPRI", 2}, {"POLLOUT", 4}, {"POLLERR", 8}, {"POLLHUP", 0x10},
    {"POLLNVAL", 0x20}, {"POLLRDNORM", 0x40}, {"POLLRDBAND", 0x80}, {"POLLWRNORM", 0x100},
    {"POLLWRBAND", 0x200}, {"POLLRDHUP", 0x2000}, {"EPOLLIN", 1}, {"EPOLLPRI", 2},
    {"EPOLLOUT", 4}, {"EPOLLERR", 8}, {"EPOLLHUP", 0x10}, {"EPOLLRDNORM", 0x40},
    {"EPOLLRDBAND", 0x80}, {"EPOLLWRNORM", 0x100}, {"EPOLLWRBAND", 0x200}, {"EPOLLRDHUP", 0x2000},
    {"EPOLLEXCLUSIVE", 1 << 28}, {"EPOLLONESHOT", 1 << 30}, {"EPOLLET", (int64_t)1 << 31},
    {"EPOLL_CTL_ADD", 1}, {"EPOLL_CTL_DEL", 2}, {"EPOLL_CTL_MOD", 3}, {"EPOLL_CLOEXEC", 0x80000},
    {"SPLICE_F_MOVE", 1}, {"SPLICE_F_NONBLOCK", 2}, {"SPLICE_F_MORE", 4},
    /* options of sockets */
    {"SOL_SOCKET", 1}, {"SO_DEBUG", 1}, {"SO_REUSEADDR", 2}, {"SO_TYPE", 3}, {"SO_ERROR", 4},
    {"SO_DONTROUTE", 5}, {"SO_BROADCAST", 6}, {"SO_SNDBUF", 7}, {"SO_RCVBUF", 8},
    {"SO_KEEPALIVE", 9}, {"SO_OOBINLINE", 10}, {"SO_NO_CHECK", 11}, {"SO_PRIORITY", 12},
    {"SO_LINGER", 13}, {"SO_BSDCOMPAT", 14}, {"SO_REUSEPORT", 15}, {"SO_RCVLOWAT", 18},
    {"SO_SNDLOWAT", 19}, {"SO_RCVTIMEO", 20}, {"SO_SNDTIMEO", 21}, {"SO_BINDTODEVICE", 25},
    {"SO_TIMESTAMP", 29}, {"SO_ACCEPTCONN", 30}, {"SO_SNDBUFFORCE", 32}, {"SO_RCVBUFFORCE", 33},
    {"SO_TIMESTAMPNS", 35}, {"SO_MARK", 36}, {"SO_TIMESTAMPING", 37}, {"SO_PROTOCOL", 38},
    {"SO_DOMAIN", 39}, {"SO_BUSY_POLL", 46}, {"SO_MAX_PACING_RATE", 47}, {"SO_INCOMING_CPU", 49},
    {"SO_ZEROCOPY", 60}, {"SO_TXTIME", 61},
    /* of TCP */
    {"SOL_TCP", 6}, {"TCP_NODELAY", 1}, {"TCP_MAXSEG", 2}, {"TCP_CORK", 3}, {"TCP_KEEPIDLE", 4},
    {"TCP_KEEPINTVL", 5}, {"TCP_KEEPCNT", 6}, {"TCP_SYNCNT", 7}, {"TCP_LINGER2", 8},
    {"TCP_DEFER_ACCEPT", 9}, {"TCP_WINDOW_CLAMP", 10}, {"TCP_INFO", 11}, {"TCP_QUICKACK", 12},
    {"TCP_CONGESTION", 13}, {"TCP_MD5SIG", 14}, {"TCP_THIN_LINEAR_TIMEOUTS", 16},
    {"TCP_THIN_DUPACK", 17}, {"TCP_USER_TIMEOUT", 18}, {"TCP_REPAIR", 19}, {"TCP_FASTOPEN", 23},
    {"TCP_TIMESTAMP", 24}, {"TCP_NOTSENT_LOWAT", 25}, {"TCP_CC_INFO", 26}, {"TCP_SAVE_SYN", 27},
    {"TCP_SAVED_SYN", 28}, {"TCP_FASTOPEN_CONNECT", 30}, {"TCP_ULP", 31}, {"TCP_MD5SIG_EXT", 32},
    {"TCP_FASTOPEN_KEY", 33}, {"TCP_FASTOPEN_NO_COOKIE", 34}, {"TCP_ZEROCOPY_RECEIVE", 35},
    {"TCP_INQ", 36}, {"TCP_CM_INQ", 36}, {"TCP_TX_DELAY", 37}, {"TCP_AO_ADD_KEY", 38},
    /* of UDP, IP, IPv6 */
    {"SOL_UDP", 17}, {"UDP_CORK", 1}, {"SOL_IP", 0}, {"IP_TOS", 1}, {"IP_TTL", 2},
    {"IP_OPTIONS", 4}, {"IP_PKTINFO", 8}, {"IP_MTU_DISCOVER", 10}, {"IP_RECVERR", 11},
    {"IP_RECVTTL", 12}, {"IP_RECVTOS", 13}, {"IP_MTU", 14}, {"IP_FREEBIND", 15},
    {"IP_TRANSPARENT", 19}, {"IP_MINTTL", 21}, {"IP_BIND_ADDRESS_NO_PORT", 24},
    {"IP_MULTICAST_IF", 32}, {"IP_MULTICAST_TTL", 33}, {"IP_MULTICAST_LOOP", 34},
    {"IP_PMTUDISC_DONT", 0}, {"IP_PMTUDISC_WANT", 1}, {"IP_PMTUDISC_DO", 2},
    {"IP_PMTUDISC_PROBE", 3}, {"IP_PMTUDISC_INTERFACE", 4}, {"IP_PMTUDISC_OMIT", 5},
    {"SOL_IPV6", 41}, {"IPV6_UNICAST_HOPS", 16}, {"IPV6_MULTICAST_IF", 17},
    {"IPV6_MULTICAST_HOPS", 18}, {"IPV6_MULTICAST_LOOP", 19}, {"IPV6_MTU_DISCOVER", 23},
    {"IPV6_MTU", 24}, {"IPV6_RECVERR", 25}, {"IPV6_V6ONLY", 26}, {"IPV6_RECVPKTINFO", 49},
    {"IPV6_PKTINFO", 50}, {"IPV6_RECVHOPLIMIT", 51}, {"IPV6_HOPLIMIT", 52},
    {"IPV6_RECVTCLASS", 66}, {"IPV6_TCLASS", 67}, {"IPV6_DONTFRAG", 62},
    {"IPV6_PMTUDISC_DONT", 0}, {"IPV6_PMTUDISC_WANT", 1}, {"IPV6_PMTUDISC_DO", 2},
    {"IPV6_PMTUDISC_PROBE", 3},
    /* of errors in the queue */
    {"SO_EE_ORIGIN_NONE", 0}, {"SO_EE_ORIGIN_LOCAL", 1}, {"SO_EE_ORIGIN_ICMP", 2},
    {"SO_EE_ORIGIN_ICMP6", 3}, {"SO_EE_ORIGIN_TXSTATUS", 4}, {"SO_EE_ORIGIN_ZEROCOPY", 5},
    {"SCM_TIMESTAMPING", 37}, {"ICMP_DEST_UNREACH", 3}, {"ICMP_HOST_UNREACH", 1},
    {"ICMP_PORT_UNREACH", 3}, {"ICMP_FRAG_NEEDED", 4},
    /* what TCP_INFO says */
    {"TCP_ESTABLISHED", 1}, {"TCP_SYN_SENT", 2}, {"TCP_SYN_RECV", 3}, {"TCP_FIN_WAIT1", 4},
    {"TCP_FIN_WAIT2", 5}, {"TCP_TIME_WAIT", 6}, {"TCP_CLOSE", 7}, {"TCP_CLOSE_WAIT", 8},
    {"TCP_LAST_ACK", 9}, {"TCP_LISTEN", 10}, {"TCP_CLOSING", 11}, {"TCP_NEW_SYN_RECV", 12},
    {"TCP_CA_Open", 0}, {"TCP_CA_Disorder", 1}, {"TCP_CA_CWR", 2}, {"TCP_CA_Recovery", 3},
    {"TCP_CA_Loss", 4}, {"TCPI_OPT_TIMESTAMPS", 1}, {"TCPI_OPT_SACK", 2}, {"TCPI_OPT_WSCALE", 4},
    {"TCPI_OPT_ECN", 8}, {"TCPI_OPT_ECN_SEEN", 16}, {"TCPI_OPT_SYN_DATA", 32},
    {"TCPI_OPT_USEC_TS", 64},
};

bool px_constant(struct span name, int64_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(constants); i++)
        if (span_is(name, constants[i].name)) {
            *out = constants[i].value;
            return true;
        }
    int number = px_errno_named(name);
    *out = number;
    return number != 0;
}

/* ---- errors ---- */

static const struct {
    int number;
    int oriel;                  /* enum oriel_err; 0: Oriel has no such error */
    const char *name;
    const char *text;
} errors[] = {
    {PX_EPERM, 0, "EPERM", "Operation not permitted"},
    {PX_ENOENT, ORIEL_ENOENT, "ENOENT", "No such file or directory"},
    {PX_EINTR, 0, "EINTR", "Interrupted system call"},
    {PX_EIO, 0, "EIO", "Input/output error"},
    {PX_EBADF, ORIEL_EBADF, "EBADF", "Bad file descriptor"},
    {PX_EAGAIN, ORIEL_EAGAIN, "EAGAIN", "Resource temporarily unavailable"},
    {PX_EAGAIN, 0, "EWOULDBLOCK", "Resource temporarily unavailable"},
    {PX_ENOMEM, 0, "ENOMEM", "Cannot allocate memory"},
    {PX_EACCES, ORIEL_EACCES, "EACCES", "Permission denied"},
    {PX_EFAULT, 0, "EFAULT", "Bad address"},
    {PX_EBUSY, 0, "EBUSY", "Device or resource busy"},
    {PX_EEXIST, ORIEL_EEXIST, "EEXIST", "File exists"},
    {PX_ENODEV, 0, "ENODEV", "No such device"},
    {PX_EINVAL, ORIEL_EINVAL, "EINVAL", "Invalid argument"},
    {PX_EMFILE, 0, "EMFILE", "Too many open files"},
    {PX_ENOTTY, 0, "ENOTTY", "Inappropriate ioctl for device"},
    {PX_ESPIPE, 0, "ESPIPE", "Illegal seek"},
    {PX_EPIPE, ORIEL_EPIPE, "EPIPE", "Broken pipe"},
    {PX_EDOM, 0, "EDOM", "Numerical argument out of domain"},
    {PX_ENOSYS, 0, "ENOSYS", "Function not implemented"},
    {PX_EPROTO, ORIEL_EPROTO, "EPROTO", "Protocol error"},
    {PX_ENOTSOCK, 0, "ENOTSOCK", "Socket operation on non-socket"},
    {PX_EDESTADDRREQ, 0, "EDESTADDRREQ", "Destination address required"},
    {PX_EMSGSIZE, ORIEL_EMSGSIZE, "EMSGSIZE", "Message too long"},
    {PX_ENOPROTOOPT, ORIEL_ENOPROTOOPT, "ENOPROTOOPT", "Protocol not available"},
    {PX_EPROTONOSUPPORT, 0, "EPROTONOSUPPORT", "Protocol not supported"},
    {PX_ESOCKTNOSUPPORT, 0, "ESOCKTNOSUPPORT", "Socket type not supported"},
    {PX_EOPNOTSUPP, ORIEL_EOPNOTSUPP, "EOPNOTSUPP", "Operation not supported"},
    {PX_EOPNOTSUPP, 0, "ENOTSUP", "Operation not supported"},
    {PX_EAFNOSUPPORT, ORIEL_EAFNOSUPPORT, "EAFNOSUPPORT",
     "Address family not supported by protocol"},
    {PX_EADDRINUSE, ORIEL_EADDRINUSE, "EADDRINUSE", "Address already in use"},
    {PX_EADDRNOTAVAIL, ORIEL_EADDRNOTAVAIL, "EADDRNOTAVAIL", "Cannot assign requested address"},
    {PX_ENETDOWN, ORIEL_ENETDOWN, "ENETDOWN", "Network is down"},
    {PX_ENETUNREACH, ORIEL_ENETUNREACH, "ENETUNREACH", "Network is unreachable"},
    {PX_ECONNABORTED, ORIEL_ECONNABORTED, "ECONNABORTED", "Software caused connection abort"},
    {PX_ECONNRESET, ORIEL_ECONNRESET, "ECONNRESET", "Connection reset by peer"},
    {PX_ENOBUFS, ORIEL_ENOBUFS, "ENOBUFS", "No buffer space available"},
    {PX_EISCONN, ORIEL_EISCONN, "EISCONN", "Transport endpoint is already connected"},
    {PX_ENOTCONN, ORIEL_ENOTCONN, "ENOTCONN", "Transport endpoint is not connected"},
    {PX_ETIMEDOUT, ORIEL_ETIMEDOUT, "ETIMEDOUT", "Connection timed out"},
    {PX_ECONNREFUSED, ORIEL_ECONNREFUSED, "ECONNREFUSED", "Connection refused"},
    {PX_EHOSTUNREACH, ORIEL_EHOSTUNREACH, "EHOSTUNREACH", "No route to host"},
    {PX_EALREADY, 0, "EALREADY", "Operation already in progress"},
    {PX_EINPROGRESS, ORIEL_EINPROGRESS, "EINPROGRESS", "Operation now in progress"},
};

int px_errno_named(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (span_is(name, errors[i].name))
            return errors[i].number;
    return 0;
}

const char *px_errno_name(int number)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].number == number)
            return errors[i].name;
    return NULL;
}

const char *px_errno_text(int number)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].number == number)
            return errors[i].text;
    return "Unknown error";
}

int px_errno_of(int oriel_err)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].oriel == oriel_err && oriel_err != 0)
            return errors[i].number;
    return oriel_err < 0 ? PX_EIO : 0;
}

/* ---- near misses ---- */

const char *px_constant_near(struct span name)
{
    const char *near = NULL;
    unsigned best = 3;
    for (size_t i = 0; i < ARRAY_LEN(constants) + ARRAY_LEN(errors); i++) {
        const char *known = i < ARRAY_LEN(constants) ? constants[i].name
                                                     : errors[i - ARRAY_LEN(constants)].name;
        unsigned d = edit_distance(name, span_str(known), best - 1);
        if (d < best) {
            best = d;
            near = known;
        }
    }
    return near;
}
