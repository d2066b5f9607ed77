/*
 * `oriel run`: a program that knows nothing of it has its Internet sockets on a node of a live world.
 *
 * Three parts that know each other only by what stands here.
 *
 * The handler (run_sock*.c) answers calls about sockets on the surface of one stack. A request arrives
 * by whatever way (struct run_asker), is answered at once or later, exactly once, and is gone then.
 *
 * The descriptor that the program holds is never swapped: a stream is an AF_UNIX stream socket, bound to
 * an abstract name that marks it as ours, and everything happens to it in place, through the duplicate
 * that comes with a request. So reading, writing, poll and epoll, dup, fork, exec and passing it on are
 * the kernel's own, and nothing of ours lives in the program. Who a socket is says SO_COOKIE of the
 * duplicate.
 *
 * run_notify.c asks by seccomp's user notification, run_preload.c by a shim in the program; run_filter.h has what
 * both stop. run_child.c starts the program and ends with it.
 */
#ifndef ORIEL_HOST_RUN_H
#define ORIEL_HOST_RUN_H

#include "host/gateway.h"

#include <limits.h>
#include <sys/types.h>

#define RUN_SOCKS_MAX 16384         /* connections, listeners and datagram sockets that are open */

/* ---- requests ---- */

enum run_call {
    RUN_SOCKET,
    RUN_BIND,
    RUN_CONNECT,
    RUN_LISTEN,
    RUN_ACCEPT,                     /* accept4's four arguments */
    RUN_GETSOCKNAME,
    RUN_GETPEERNAME,
    RUN_SETSOCKOPT,
    RUN_GETSOCKOPT,
    RUN_SENDTO,
    RUN_RECVFROM,
    RUN_SENDMSG,
    RUN_RECVMSG,
    RUN_SENDMMSG,
    RUN_RECVMMSG,
    RUN_IOCTL,
};

#define RUN_NUMBER_UNKNOWN INT_MAX

struct run_request;

/* How a request came, and how its answer goes back. All but read and write end the request. */
struct run_asker {
    /* Bytes of the program's memory; false: it has none there (EFAULT), or is gone. */
    bool (*read)(struct run_request *r, uint64_t from, void *to, size_t n);
    bool (*write)(struct run_request *r, uint64_t to, const void *from, size_t n);
    /* A result, or a negative errno. */
    void (*answer)(struct run_request *r, int64_t result);
    /* The call is not about a socket of ours: the kernel is to do it. */
    void (*native)(struct run_request *r);
    /* The result is a new descriptor, a copy of ours. Its number there, negative: the asker has gone;
     * RUN_NUMBER_UNKNOWN: the asker finds one. */
    int (*install)(struct run_request *r, int fd, bool cloexec);
    /* Instead of r->fd, whatever that was; does not end the request. 0, or a negative errno. */
    int (*replace)(struct run_request *r, int fd);
};

struct run_request {
    enum run_call call;
    pid_t tid;                      /* who asks: a hint, as is fd; the duplicate decides */
    int fd;                         /* as the program numbers it */
    int dup;                        /* ours, of the same open file; -1: RUN_SOCKET. The asker closes it */
    uint64_t arg[6];                /* of the system call */
    const struct run_asker *asker;
    void *waits_for;                /* the handler's: what it is parked at; NULL: not parked */
    struct run_request *next;       /* the handler's */
    bool again;                     /* the handler's: it was parked before */
    oriel_time until;               /* the handler's: answered without success then */
};

/* ---- the handler ---- */

struct run;

struct run_config {
    struct live *live;
    struct node *app;               /* whose stack has the sockets */
    struct oriel_addr self4, self6; /* where the host's loopback is reached; zero: nowhere */
    struct oriel_addr dns4;         /* name servers at 127.x are reached there; zero: nowhere */
    const struct gateway_publish *publish;
    unsigned publish_n;
    void (*say)(void *ctx, const char *sentence);       /* to the user; NULL: silence */
    /* The program has let go of a connection, or it of the program; error: an enum oriel_err, or 0.
     * NULL: nobody asks. */
    void (*on_end)(void *ctx, const struct oriel_tcp_info *info, int error);
    void *ctx;
};

/* NULL: out of memory or descriptors, a sentence in `error`. The node is ours from now on. */
struct run *run_open(const struct run_config *cfg, char error[DRV_ERROR_MAX]);
void run_close(struct run *n);      /* parked requests are forgotten */

void run_handle(struct run *n, struct run_request *r);

/* Who asked has gone (a signal, its end): a parked request is no more; the asker frees it. */
void run_forget(struct run *n, struct run_request *r);

/* After every turn: what came of the descriptors' readiness leaves; due retries and limits of time. */
void run_turn(struct run *n);

/* When run_turn has something to do though nothing happens; ORIEL_NEVER. As live_turn's `until`. */
oriel_time run_next(const struct run *n);

/* Has every connection delivered what the program wrote before it went? If asked: has its peer closed too? */
bool run_is_quiet(const struct run *n, bool closed);

/*
 * Reaching into a process that we started: a duplicate of its descriptor, or a negative errno (EBADF: it
 * has none of that number; EPERM: the system lets nobody look into it; ESRCH: it has gone).
 */
int run_reach(struct run *n, pid_t tid, int fd);

/* ---- asking by seccomp's user notification ---- */

struct notify;

/* NULL: a sentence in `error`. Takes the listener. Requests arrive with the turns of the loop. */
struct notify *notify_open(struct run *n, struct loop *loop, int listener,
                           void (*say)(void *ctx, const char *sentence), void *ctx,
                           char error[DRV_ERROR_MAX]);
void notify_close(struct notify *y);

/* Parked requests whose asker has gone are forgotten: after a child's end, and from time to time. The
 * number of those that still wait. */
unsigned notify_sweep(struct notify *y);

/* ---- asking by a shim in the program (preload/wire.h) ---- */

struct preload;
struct run_way;

/* The shim is found, beside us or in ../lib and of our build, and the socket where it asks opened, before there is a child.
 * NULL: a sentence in `error`. */
struct preload *preload_prepare(char error[DRV_ERROR_MAX]);
struct run_way preload_way(struct preload *p);      /* enter gives no descriptor */
/* Requests arrive with the turns of the loop from now on. 0, or a negative errno. */
int preload_serve(struct preload *p, struct run *n, struct loop *loop,
                  void (*say)(void *ctx, const char *sentence), void *ctx);
void preload_close(struct preload *p);

/* ---- the program ---- */

enum {
    RUN_EXIT_OURS = 125,            /* Oriel failed */
    RUN_EXIT_CANNOT = 126,          /* the program cannot be served, or not be executed */
    RUN_EXIT_NOT_FOUND = 127,
    RUN_EXIT_SIGNAL = 128,          /* + the signal that ended it */
};

#define RUN_GIVES_NOTHING INT_MAX

/*
 * What is done in the child between fork and exec, in two steps: by `enter` it gets a descriptor that the
 * parent needs, or RUN_GIVES_NOTHING; `settle`, when the parent has made use of that, may be NULL. Both return a negative errno
 * where they fail, and `explain` says then in the parent what that means.
 */
struct run_way {
    int (*enter)(const void *ctx);
    int (*settle)(const void *ctx);
    void (*explain)(const void *ctx, int err, char error[DRV_ERROR_MAX]);
    const void *ctx;
};

extern const struct run_way notify_way;         /* enter: the filter; the descriptor is its listener */

/* Namespaces of its own (netns.h); the descriptor is that of the device file. */
struct netns_config;
struct run_way ns_way(const struct netns_config *cfg);

/* Can it be entered on this machine? A child tries. False: a sentence in `error`. */
bool run_way_works(const struct run_way *way, char error[DRV_ERROR_MAX]);

struct run_child {
    pid_t pid;                      /* the program itself */
    int pidfd;                      /* ... and nobody who has its number later */
    pid_t guard;                    /* between us and it: ends it all when we are killed */
    int told, leash;                /* the guard's word; what it sees closed when we go */
    int given;                      /* the descriptor of `enter`; the caller's */
    int signals;                    /* signalfd: SIGCHLD and what is to be passed on */
    bool alone;                     /* nobody is left: the program and all that it started */
    int status;                     /* its exit status as a shell shows it */
    const struct run_way *way;
    int up, down;                   /* pipes from and to the child until it is the program */
};

/* A child that has entered, and waits. 0, or an exit status after a sentence in `error`. */
int run_child_start(struct run_child *c, char *const argv[], const struct run_way *way,
                    char error[DRV_ERROR_MAX]);

/* It settles and becomes argv[0] (searched for in PATH). The same. */
int run_child_go(struct run_child *c, char *const argv[], char error[DRV_ERROR_MAX]);

/* `signals` is readable: signals are passed on, ends are noted. */
void run_child_signals(struct run_child *c);

#endif
