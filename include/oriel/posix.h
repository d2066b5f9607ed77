/*
 * Sockets for programs that link Oriel: calls that look like those of <sys/socket.h> and their kin,
 * answered by a stack in the process (liboriel-posix).
 *
 *     char error[ORIEL_PX_ERROR_MAX];
 *     struct oriel_px *px = oriel_px_start("udp:,peer=192.0.2.9:4000,addr=10.0.0.1/24", NULL, error);
 *     int fd = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
 *     oriel_px_connect(fd, (struct sockaddr *)&there, sizeof there);
 *     oriel_px_write(fd, "hello", 5);
 *     oriel_px_close(fd);
 *     oriel_px_stop(px);
 *
 * A program that is written for the system's calls compiles against these unchanged when
 * ORIEL_POSIX_NAMES is defined before this header is included, after the system's.
 *
 * Results, errno, numbers and layouts are Linux's, and so is what blocks, for how long, and what ends
 * it (O_NONBLOCK, MSG_DONTWAIT, SO_RCVTIMEO, SO_SNDTIMEO, a signal: EINTR where SA_RESTART does not
 * say otherwise). Any thread may call; what one thread closes, another does not wait for any longer:
 * its call says EBADF. A broken connection is EPIPE; no SIGPIPE is sent.
 *
 * Descriptors are numbers of the process, so they are never taken for another file; dup and passing
 * them on are not possible, and a child of fork has none of them: what it inherits are empty files. read, write, readv, writev, close, fcntl, ioctl and poll pass on
 * to the system what is not ours, and an epoll set may hold both.
 */
#ifndef ORIEL_POSIX_H
#define ORIEL_POSIX_H

#include <oriel/oriel.h>

#include <netdb.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- an instance: one stack, one link, a thread that serves them ---- */

#define ORIEL_PX_VERSION   1
#define ORIEL_PX_ERROR_MAX 256

struct oriel_px;

struct oriel_px_config {
    uint32_t version;           /* ORIEL_PX_VERSION */
    uint32_t connections;       /* sockets at most; 0: 4,096 */
    size_t memory;              /* address space, touched as used; 0: 512 MiB */
    uint64_t seed;              /* 0: from the system's random source */
    uint64_t spin_ns;           /* the thread looks that long before it sleeps; 0: not at all */
    const char *congestion;     /* "cubic", "newreno", "bbr"; NULL: the default */
    const char *hosts;          /* file of names; NULL: /etc/hosts */
    const char *capture;        /* pcapng file of what passes on the link; NULL: none */
    const char *record;         /* file of all that goes into the stack, for `oriel replay`; NULL: none */
};

/*
 * link: "loopback" (this host alone), "user" (the system's own sockets, behind a gateway), or a link as `oriel link list` shows them:
 * "tap:oriel0,addr=192.0.2.2/24,gw=192.0.2.1", "udp:192.0.2.1:4000,peer=192.0.2.9:4000,addr=10.0.0.1/24".
 * Every instance has a loopback interface. cfg may be NULL. NULL: a sentence in `error`, which may be
 * NULL too.
 */
ORIEL_API struct oriel_px *oriel_px_start(const char *link, const struct oriel_px_config *cfg,
                                          char error[ORIEL_PX_ERROR_MAX]);

/*
 * Until the peers of all connections that were closed know so (false: not within that time; negative:
 * for ever). The stack ends with the process, so what was written last is lost without this.
 */
ORIEL_API bool oriel_px_drain(struct oriel_px *px, int timeout_ms);

/* Closes what is open; nobody may be in a call. Does not wait. */
ORIEL_API void oriel_px_stop(struct oriel_px *px);

/*
 * Where sockets of this thread are made from now on; NULL: where all threads make them, in the instance
 * that was started first. A socket stays where it was made. Without any instance the first call starts
 * one on the link that the environment names (ORIEL_LINK; "loopback"), with the files that it names
 * (ORIEL_CAPTURE, ORIEL_RECORD); it ends with the program, drained for three seconds at most.
 */
ORIEL_API void oriel_px_use(struct oriel_px *px);

/* ---- calls ---- */

ORIEL_API int oriel_px_socket(int domain, int type, int protocol);
ORIEL_API int oriel_px_bind(int fd, const struct sockaddr *addr, socklen_t len);
ORIEL_API int oriel_px_listen(int fd, int backlog);
ORIEL_API int oriel_px_accept(int fd, struct sockaddr *addr, socklen_t *len);
ORIEL_API int oriel_px_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
ORIEL_API int oriel_px_connect(int fd, const struct sockaddr *addr, socklen_t len);
ORIEL_API int oriel_px_shutdown(int fd, int how);
ORIEL_API int oriel_px_close(int fd);
ORIEL_API int oriel_px_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
ORIEL_API int oriel_px_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
ORIEL_API int oriel_px_getsockopt(int fd, int level, int opt, void *val, socklen_t *len);
ORIEL_API int oriel_px_setsockopt(int fd, int level, int opt, const void *val, socklen_t len);
ORIEL_API int oriel_px_fcntl(int fd, int cmd, ...);             /* F_GETFL, F_SETFL, F_GETFD, F_SETFD */
ORIEL_API int oriel_px_ioctl(int fd, unsigned long request, ...);   /* FIONREAD, FIONBIO, SIOCOUTQ ... */

ORIEL_API ssize_t oriel_px_read(int fd, void *buf, size_t n);
ORIEL_API ssize_t oriel_px_readv(int fd, const struct iovec *iov, int count);
ORIEL_API ssize_t oriel_px_recv(int fd, void *buf, size_t n, int flags);
ORIEL_API ssize_t oriel_px_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
                                    socklen_t *len);
ORIEL_API ssize_t oriel_px_recvmsg(int fd, struct msghdr *msg, int flags);
ORIEL_API ssize_t oriel_px_write(int fd, const void *buf, size_t n);
ORIEL_API ssize_t oriel_px_writev(int fd, const struct iovec *iov, int count);
ORIEL_API ssize_t oriel_px_send(int fd, const void *buf, size_t n, int flags);
ORIEL_API ssize_t oriel_px_sendto(int fd, const void *buf, size_t n, int flags,
                                  const struct sockaddr *addr, socklen_t len);
ORIEL_API ssize_t oriel_px_sendmsg(int fd, const struct msghdr *msg, int flags);

ORIEL_API int oriel_px_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
ORIEL_API int oriel_px_epoll_create(int size);
ORIEL_API int oriel_px_epoll_create1(int flags);
ORIEL_API int oriel_px_epoll_ctl(int epfd, int op, int fd, struct epoll_event *event);
ORIEL_API int oriel_px_epoll_wait(int epfd, struct epoll_event *events, int max, int timeout_ms);

/* Numeric addresses, the hosts file, the name servers of the link (dns=, or the system's by "user"). Lists are given back to oriel_px_freeaddrinfo alone. */
ORIEL_API int oriel_px_getaddrinfo(const char *node, const char *service,
                                   const struct addrinfo *hints, struct addrinfo **out);
ORIEL_API void oriel_px_freeaddrinfo(struct addrinfo *list);
ORIEL_API const char *oriel_px_gai_strerror(int err);
ORIEL_API int oriel_px_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host,
                                   socklen_t host_n, char *service, socklen_t service_n, int flags);

#ifdef __cplusplus
}
#endif

#endif

/* The system's names, for programs that say so: calls only, members of structs stay what they are. */
#if defined(ORIEL_POSIX_NAMES) && !defined(ORIEL_POSIX_NAMES_GIVEN)
#define ORIEL_POSIX_NAMES_GIVEN
#define socket(...)        oriel_px_socket(__VA_ARGS__)
#define bind(...)          oriel_px_bind(__VA_ARGS__)
#define listen(...)        oriel_px_listen(__VA_ARGS__)
#define accept(...)        oriel_px_accept(__VA_ARGS__)
#define accept4(...)       oriel_px_accept4(__VA_ARGS__)
#define connect(...)       oriel_px_connect(__VA_ARGS__)
#define shutdown(...)      oriel_px_shutdown(__VA_ARGS__)
#define close(...)         oriel_px_close(__VA_ARGS__)
#define getsockname(...)   oriel_px_getsockname(__VA_ARGS__)
#define getpeername(...)   oriel_px_getpeername(__VA_ARGS__)
#define getsockopt(...)    oriel_px_getsockopt(__VA_ARGS__)
#define setsockopt(...)    oriel_px_setsockopt(__VA_ARGS__)
#define fcntl(...)         oriel_px_fcntl(__VA_ARGS__)
#define ioctl(...)         oriel_px_ioctl(__VA_ARGS__)
#define read(...)          oriel_px_read(__VA_ARGS__)
#define readv(...)         oriel_px_readv(__VA_ARGS__)
#define recv(...)          oriel_px_recv(__VA_ARGS__)
#define recvfrom(...)      oriel_px_recvfrom(__VA_ARGS__)
#define recvmsg(...)       oriel_px_recvmsg(__VA_ARGS__)
#define write(...)         oriel_px_write(__VA_ARGS__)
#define writev(...)        oriel_px_writev(__VA_ARGS__)
#define send(...)          oriel_px_send(__VA_ARGS__)
#define sendto(...)        oriel_px_sendto(__VA_ARGS__)
#define sendmsg(...)       oriel_px_sendmsg(__VA_ARGS__)
#define poll(...)          oriel_px_poll(__VA_ARGS__)
#define epoll_create(...)  oriel_px_epoll_create(__VA_ARGS__)
#define epoll_create1(...) oriel_px_epoll_create1(__VA_ARGS__)
#define epoll_ctl(...)     oriel_px_epoll_ctl(__VA_ARGS__)
#define epoll_wait(...)    oriel_px_epoll_wait(__VA_ARGS__)
#define getaddrinfo(...)   oriel_px_getaddrinfo(__VA_ARGS__)
#define freeaddrinfo(...)  oriel_px_freeaddrinfo(__VA_ARGS__)
#define gai_strerror(...)  oriel_px_gai_strerror(__VA_ARGS__)
#define getnameinfo(...)   oriel_px_getnameinfo(__VA_ARGS__)
#endif
