/*
 * liboriel-packetdrill.so: Oriel where packetdrill expects a kernel.
 *
 *     packetdrill --so_filename=liboriel-packetdrill.so --so_flags=personality=linux script.pkt
 *
 * packetdrill opens the library, asks for a table of functions, and then makes the socket calls of
 * a script through it, sends packets in and takes those that come out. Time is virtual: it stands
 * on what usleep and gettimeofday say, and moves only inside calls; each call moves it by a
 * microsecond at least, because packetdrill spins on the clock. A call that blocks sleeps on a
 * condition variable in its own thread while other calls move time.
 *
 * Descriptors are real ones (an eventfd each), so that the program may close them at its end. Where
 * the library is preloaded as well, getsockopt of such a descriptor is answered here: `%{ assert
 * tcpi_... }%` asks the C library.
 *
 * --so_flags takes the settings of script options (docs/script-format.md), separated by commas, and
 * leftovers=0: packets that nobody took are an error in the end.
 */
#ifndef ORIEL_HOST_PACKETDRILL_H
#define ORIEL_HOST_PACKETDRILL_H

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/types.h>

/* In packetdrill's order. Every function is given userdata; -1 with errno on failure. */
struct packetdrill_interface {
    void *userdata;
    void (*free)(void *ud);
    int (*socket)(void *ud, int domain, int type, int protocol);
    int (*bind)(void *ud, int fd, const struct sockaddr *addr, socklen_t len);
    int (*listen)(void *ud, int fd, int backlog);
    int (*accept)(void *ud, int fd, struct sockaddr *addr, socklen_t *len);
    int (*connect)(void *ud, int fd, const struct sockaddr *addr, socklen_t len);
    ssize_t (*read)(void *ud, int fd, void *buf, size_t n);
    ssize_t (*readv)(void *ud, int fd, const struct iovec *iov, int count);
    ssize_t (*recv)(void *ud, int fd, void *buf, size_t n, int flags);
    ssize_t (*recvfrom)(void *ud, int fd, void *buf, size_t n, int flags, struct sockaddr *addr,
                        socklen_t *len);
    ssize_t (*recvmsg)(void *ud, int fd, struct msghdr *msg, int flags);
    ssize_t (*write)(void *ud, int fd, const void *buf, size_t n);
    ssize_t (*writev)(void *ud, int fd, const struct iovec *iov, int count);
    ssize_t (*send)(void *ud, int fd, const void *buf, size_t n, int flags);
    ssize_t (*sendto)(void *ud, int fd, const void *buf, size_t n, int flags,
                      const struct sockaddr *addr, socklen_t len);
    ssize_t (*sendmsg)(void *ud, int fd, const struct msghdr *msg, int flags);
    int (*fcntl)(void *ud, int fd, int cmd, ...);
    int (*ioctl)(void *ud, int fd, unsigned long request, ...);
    int (*close)(void *ud, int fd);
    int (*shutdown)(void *ud, int fd, int how);
    int (*getsockopt)(void *ud, int fd, int level, int opt, void *val, socklen_t *len);
    int (*setsockopt)(void *ud, int fd, int level, int opt, const void *val, socklen_t len);
    int (*poll)(void *ud, struct pollfd *fds, nfds_t n, int timeout_ms);
    /* A raw IP packet arrives; 0. */
    int (*netdev_send)(void *ud, const void *buf, size_t n);
    /*
     * The next packet that leaves: at most *n bytes of it, and when it left. Time goes on until one
     * does; *n is 0 when none will.
     */
    int (*netdev_receive)(void *ud, void *buf, size_t *n, long long *time_us);
    int (*usleep)(void *ud, useconds_t us);
    int (*gettimeofday)(void *ud, struct timeval *tv, struct timezone *tz);
    int (*epoll_create)(void *ud, int size);
    int (*epoll_ctl)(void *ud, int epfd, int op, int fd, struct epoll_event *e);
    int (*epoll_wait)(void *ud, int epfd, struct epoll_event *e, int max, int timeout_ms);
    int (*pipe)(void *ud, int fds[2]);
    int (*splice)(void *ud, int in, loff_t *in_off, int out, loff_t *out_off, size_t n,
                  unsigned flags);
};

#if defined(__GNUC__)
#define PACKETDRILL_API __attribute__((visibility("default")))
#else
#define PACKETDRILL_API
#endif

/* flags: the text of --so_flags, or NULL. A mistake in it ends the program with a message. */
PACKETDRILL_API void packetdrill_interface_init(const char *flags,
                                                struct packetdrill_interface *out);

#endif
