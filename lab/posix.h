/*
 * Socket calls as Linux has them, over the surface of one stack: what a script writes down and what
 * packetdrill asks of a library (host/packetdrill.c) is the same thing, and it is here.
 *
 * All constants, error numbers and layouts of structures are Linux's, as numbers: no header of an
 * operating system is read. A result is what the call returns, or a negative error number.
 *
 * Nothing here waits. A call that has to wait says PX_AGAIN and is made again with the same struct
 * px_call, until it has an answer: after every step of the stack (px_on_step) and, at the latest,
 * at call->deadline. One call that waits counts once, however often it is made.
 *
 *     struct px_call c = px_call_new(now);
 *     while ((got = px_recv(&px, &c, &io)) == PX_AGAIN)
 *         ... let time pass, at most up to c.deadline ...
 *
 * A file is named by the descriptor that its maker chose, below the number of files that px_init was
 * given. What Oriel has no notion of (pipes, epoll, modes of a descriptor) is kept here.
 */
#ifndef ORIEL_LAB_POSIX_H
#define ORIEL_LAB_POSIX_H

#include "base/addr.h"
#include "base/clock.h"
#include "base/hmap.h"
#include "base/list.h"
#include "base/pool.h"

#define PX_PIPE_BYTES 65536
#define PX_AGAIN      INT64_MIN
#define PX_NEVER_FD   (-1)

/* ---- numbers: posix_map.c ---- */

enum px_errno {
    PX_EPERM = 1, PX_ENOENT = 2, PX_EINTR = 4, PX_EIO = 5, PX_EBADF = 9, PX_EAGAIN = 11,
    PX_ENOMEM = 12, PX_EACCES = 13, PX_EFAULT = 14, PX_EBUSY = 16, PX_EEXIST = 17, PX_ENODEV = 19,
    PX_EINVAL = 22, PX_EMFILE = 24, PX_ENOTTY = 25, PX_ESPIPE = 29, PX_EPIPE = 32, PX_EDOM = 33,
    PX_ENOSYS = 38, PX_EPROTO = 71, PX_ENOTSOCK = 88, PX_EDESTADDRREQ = 89, PX_EMSGSIZE = 90,
    PX_ENOPROTOOPT = 92, PX_EPROTONOSUPPORT = 93, PX_ESOCKTNOSUPPORT = 94, PX_EOPNOTSUPP = 95,
    PX_EAFNOSUPPORT = 97, PX_EADDRINUSE = 98, PX_EADDRNOTAVAIL = 99, PX_ENETDOWN = 100,
    PX_ENETUNREACH = 101, PX_ECONNABORTED = 103, PX_ECONNRESET = 104, PX_ENOBUFS = 105,
    PX_EISCONN = 106, PX_ENOTCONN = 107, PX_ETIMEDOUT = 110, PX_ECONNREFUSED = 111,
    PX_EHOSTUNREACH = 113, PX_EALREADY = 114, PX_EINPROGRESS = 115,
};

enum px_number {
    PX_AF_UNSPEC = 0, PX_AF_INET = 2, PX_AF_INET6 = 10,
    PX_SOCK_STREAM = 1, PX_SOCK_DGRAM = 2, PX_SOCK_RAW = 3,
    PX_SOCK_NONBLOCK = 0x800, PX_SOCK_CLOEXEC = 0x80000,
    PX_IPPROTO_IP = 0, PX_IPPROTO_ICMP = 1, PX_IPPROTO_TCP = 6, PX_IPPROTO_UDP = 17,
    PX_IPPROTO_IPV6 = 41, PX_IPPROTO_ICMPV6 = 58,
    PX_SOL_SOCKET = 1,
    PX_O_RDWR = 2, PX_O_NONBLOCK = 0x800,
    PX_F_GETFD = 1, PX_F_SETFD = 2, PX_F_GETFL = 3, PX_F_SETFL = 4,
    PX_MSG_OOB = 1, PX_MSG_PEEK = 2, PX_MSG_CTRUNC = 8, PX_MSG_TRUNC = 0x20, PX_MSG_DONTWAIT = 0x40,
    PX_MSG_EOR = 0x80, PX_MSG_WAITALL = 0x100, PX_MSG_ERRQUEUE = 0x2000, PX_MSG_NOSIGNAL = 0x4000,
    PX_MSG_MORE = 0x8000, PX_MSG_ZEROCOPY = 0x4000000, PX_MSG_FASTOPEN = 0x20000000,
    PX_SHUT_RD = 0, PX_SHUT_WR = 1, PX_SHUT_RDWR = 2,
    PX_FIONREAD = 0x541b, PX_SIOCOUTQ = 0x5411, PX_FIONBIO = 0x5421, PX_SIOCATMARK = 0x8905,
    PX_SIOCOUTQNSD = 0x894b,
    PX_POLLIN = 1, PX_POLLPRI = 2, PX_POLLOUT = 4, PX_POLLERR = 8, PX_POLLHUP = 0x10,
    PX_POLLNVAL = 0x20, PX_POLLRDNORM = 0x40, PX_POLLRDBAND = 0x80, PX_POLLWRNORM = 0x100,
    PX_POLLRDHUP = 0x2000,
    PX_EPOLLONESHOT = 1 << 30,
    PX_EPOLL_CTL_ADD = 1, PX_EPOLL_CTL_DEL = 2, PX_EPOLL_CTL_MOD = 3,
    PX_SPLICE_F_NONBLOCK = 2,
};
#define PX_EPOLLET 0x80000000u

/* Constants by name, as C programs have them: AF_INET, O_NONBLOCK, TCP_INFO ... False: unknown. */
bool px_constant(struct span name, int64_t *out);

/* The nearest known name to a mistyped one; NULL: none is near. */
const char *px_constant_near(struct span name);

/* The number of "EAGAIN", 0; and back, NULL. The text is what strerror says of it. */
int px_errno_named(struct span name);
const char *px_errno_name(int number);
const char *px_errno_text(int number);

/* enum oriel_err (negative, or 0) -> Linux's number (positive, or 0). */
int px_errno_of(int oriel_err);

/* ---- struct tcp_info: posix_info.c ---- */

#define PX_TCP_INFO_BYTES 280   /* of Linux 6.18 */

/* In Linux's layout and the machine's byte order; the bytes written, at most cap. */
size_t px_tcp_info(const struct oriel_tcp_info *in, uint8_t *out, size_t cap);

/* A member by its name, "tcpi_snd_cwnd": an index for px_tcp_member, -1. */
int px_tcp_member_named(struct span name);
const char *px_tcp_member_name(int member);     /* NULL beyond the last */
int64_t px_tcp_member(const uint8_t info[PX_TCP_INFO_BYTES], int member);   /* INT64_MAX: larger */

/* ---- addresses: posix_addr.c ---- */

#define PX_SOCKADDR_MAX 28

/* struct sockaddr_in or sockaddr_in6: 0, or a negative error number. */
int px_sockaddr_parse(struct span bytes, struct oriel_endpoint *out);

/*
 * The bytes written. v6: as struct sockaddr_in6 whatever the address, as an AF_INET6 socket has it.
 */
size_t px_sockaddr_emit(const struct oriel_endpoint *e, bool v6, uint8_t out[PX_SOCKADDR_MAX]);

/* ---- files ---- */

enum px_kind {
    PX_FREE,
    PX_TCP,
    PX_UDP,
    PX_ICMP,
    PX_EPOLL,
    PX_PIPE_READ,
    PX_PIPE_WRITE,
};

struct px_file;

struct px_watch {               /* a descriptor in an epoll set */
    struct px_file *file, *set;
    struct list of_file;        /* of file->watches */
    struct list of_set;         /* of struct px_epoll.watches */
    struct list ready;          /* of struct px_epoll.ready: may have something to tell */
    uint32_t events;
    uint64_t data;
    bool spent;                 /* EPOLLONESHOT has fired */
    uint32_t edge;              /* EPOLLET: news since it was last told */
};

struct px_pipe {
    uint32_t head, n;
    struct px_file *end[2];     /* reading, writing; NULL: closed */
    uint8_t bytes[PX_PIPE_BYTES];
};

struct px_epoll {
    struct list watches;
    struct list ready;          /* told from the front, kept at the back: nobody is passed over */
    uint32_t ready_n;
};

enum px_kept {
    PX_KEPT_PRIORITY, PX_KEPT_MARK, PX_KEPT_TIMESTAMPING, PX_KEPT_ZEROCOPY, PX_KEPT_LINGER2,
    PX_KEPT_PKTINFO, PX_KEPT_BUSY_POLL, PX_KEPT_OTHER,
    PX_KEPT_N
};

struct px_file {
    uint8_t kind;               /* enum px_kind */
    bool v6;                    /* an AF_INET6 socket */
    bool nonblock;
    bool listening;
    bool connecting;            /* connect was called and its end has not been told */
    bool connected;
    bool shut_read, shut_write;
    bool fastopen_connect;
    bool recverr;               /* MSG_ERRQUEUE has something to tell */
    bool system;                /* an epoll set that holds what is not ours: its maker looks there */
    int fd;
    oriel_handle h;
    struct list watches;        /* of the epoll sets that it is in */
    oriel_time rcvtimeo, sndtimeo;      /* 0: none */
    uint64_t errors_seen;       /* oriel_last_error, told through MSG_ERRQUEUE */
    uint32_t cmsg;              /* enum px_cmsg: asked for with setsockopt */
    int32_t kept[PX_KEPT_N];    /* values of options that only the application reads back */
    struct px_pipe *pipe;       /* of a datagram socket: one that was looked at, and stays */
    struct oriel_msg peeked;    /* what is said of that one */
    struct px_epoll *epoll;
};

enum px_cmsg {                  /* control messages that a socket wants */
    PX_CMSG_TTL = 1,
    PX_CMSG_TOS = 2,
    PX_CMSG_INQ = 4,
};

/* What sysctls say that Oriel has no configuration for. */
struct px_settings {
    uint32_t tcp_fastopen;      /* net.ipv4.tcp_fastopen: 1 client, 2 server, 0x400 all listeners */
    const char *congestion;     /* TCP_CONGESTION of sockets until it is set; NULL: the stack's */
};

struct px {
    struct oriel_stack *stack;
    oriel_time now;             /* the caller's to keep */
    struct px_settings set;
    struct px_file *file;       /* by descriptor */
    uint32_t files_max;
    uint32_t files_end;         /* beyond the largest descriptor so far */
    struct hmap handles;        /* of sockets, to descriptors */
    struct pool pipes;
    struct pool epolls;
    struct pool watches;
    /* A file may be ready for what it was not ready for before; may be NULL. */
    void (*on_news)(void *ctx, int fd);
    void *on_news_ctx;
};

/* Room for that many files, twice as many watches of epoll sets, and so many pipes and datagrams that
 * were looked at. False: the arena has no room. */
bool px_init(struct px *px, struct oriel_stack *stack, struct arena *arena, uint32_t files,
             uint32_t pipes);

/* Close everything. */
void px_fini(struct px *px);

/* NULL: none. */
static inline struct px_file *px_of(const struct px *px, int fd)
{
    return fd >= 0 && (uint32_t)fd < px->files_end && px->file[fd].kind != PX_FREE ? &px->file[fd]
                                                                                  : NULL;
}

/* After every step of the stack: who became ready since. */
void px_on_step(struct px *px);

/* A place for that descriptor: NULL with *err (negative) when it is taken or too large. */
struct px_file *px_file_new(struct px *px, int fd, enum px_kind kind, int64_t *err);

/* A socket of the stack for a new file: it hears of its news from now on. */
void px_file_socket(struct px *px, struct px_file *f, oriel_handle h);

/* A file may be ready for `events` now: whoever watches it hears. */
void px_news(struct px *px, struct px_file *f, uint32_t events);

static inline bool px_is_socket(const struct px_file *f)
{
    return f->kind == PX_TCP || f->kind == PX_UDP || f->kind == PX_ICMP;
}

/* ---- calls: posix.c ---- */

struct px_call {
    oriel_time since;           /* when it was made */
    oriel_time deadline;        /* it has an answer then; ORIEL_NEVER */
    bool begun;
    uint64_t done;              /* bytes that were taken so far */
};

static inline struct px_call px_call_new(oriel_time now)
{
    return (struct px_call){.since = now, .deadline = ORIEL_NEVER};
}

/* fd: the number that the new file is to have; it must be free. */
int64_t px_socket(struct px *px, int fd, int domain, int type, int protocol);
int64_t px_bind(struct px *px, int fd, const struct oriel_endpoint *local);
int64_t px_listen(struct px *px, int fd, int backlog);
int64_t px_accept(struct px *px, struct px_call *c, int fd, int new_fd, int flags,
                  struct oriel_endpoint *peer);
int64_t px_connect(struct px *px, struct px_call *c, int fd, const struct oriel_endpoint *to);
int64_t px_name(struct px *px, int fd, bool peer, struct oriel_endpoint *out);
int64_t px_shutdown(struct px *px, int fd, int how);
int64_t px_close(struct px *px, int fd);
int64_t px_fcntl(struct px *px, int fd, int cmd, int64_t arg);
int64_t px_ioctl(struct px *px, int fd, uint64_t request, int32_t *value);

/* One transfer, in one piece. */
struct px_io {
    int fd;
    uint8_t *bytes;
    size_t n;
    uint32_t flags;             /* MSG_* */
    bool has_peer;              /* sending: peer is given */
    struct oriel_endpoint peer; /* receiving: from whom */
    bool has_tos, has_ttl;      /* sending: given as control messages */
    uint8_t tos, ttl;           /* receiving: of the datagram */
    uint32_t out_flags;         /* receiving: MSG_TRUNC, MSG_ERRQUEUE ... */
    uint32_t inq;               /* receiving from a stream: bytes that are left */
    struct oriel_error_info error;      /* receiving with MSG_ERRQUEUE */
};

int64_t px_send(struct px *px, struct px_call *c, struct px_io *io);
int64_t px_recv(struct px *px, struct px_call *c, struct px_io *io);

/* Length of the next datagram; 0: none. It stays: datagrams of Oriel cannot be looked at. */
size_t px_peek(struct px *px, struct px_file *f);

/* ---- calls: posix_opt.c ---- */

/* val in Linux's layout. *len: room, then what was written. */
int64_t px_setsockopt(struct px *px, int fd, int level, int opt, const void *val, uint32_t len);
int64_t px_getsockopt(struct px *px, int fd, int level, int opt, void *val, uint32_t *len);

/* ---- calls: posix_poll.c ---- */

struct px_pollfd {              /* laid out as struct pollfd */
    int32_t fd;
    int16_t events;
    int16_t revents;
};

struct px_epoll_event {
    uint32_t events;
    uint64_t data;
};

uint32_t px_poll_events(struct px *px, const struct px_file *f);        /* POLL* that hold now */
int64_t px_poll(struct px *px, struct px_call *c, struct px_pollfd *fds, size_t n, int timeout_ms);
int64_t px_epoll_create(struct px *px, int fd);
int64_t px_epoll_ctl(struct px *px, int epfd, int op, int fd, const struct px_epoll_event *e);
int64_t px_epoll_wait(struct px *px, struct px_call *c, int epfd, struct px_epoll_event *out,
                      int max, int timeout_ms);
int64_t px_pipe(struct px *px, int read_fd, int write_fd);
int64_t px_splice(struct px *px, struct px_call *c, int in_fd, int out_fd, size_t n,
                  uint32_t flags);

/* Bytes out of and into a pipe: for px_recv and px_send. */
int64_t px_pipe_read(struct px *px, struct px_file *f, uint8_t *to, size_t n);
int64_t px_pipe_write(struct px *px, struct px_file *f, const uint8_t *from, size_t n);
void px_poll_close(struct px *px, struct px_file *f);   /* f leaves every epoll set, or is one */

/* ---- among these files ---- */

/*
 * The answer of a call that could not go on: PX_AGAIN, or -EAGAIN where the descriptor (or `now`)
 * does not wait or its time is up.
 */
int64_t px_wait(struct px *px, const struct px_file *f, struct px_call *c, bool now,
                oriel_time timeout);

#endif
