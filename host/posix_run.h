/*
 * Inside of liboriel-posix: an instance, its lock, its thread, and how a call waits.
 *
 *   posix_run.c    made and taken down; the lock; waiting         posix_poll.c    poll, epoll
 *   posix.c        files and options                              posix_names.c   getaddrinfo
 *   posix_io.c     bytes
 *
 * One lock an instance. The service thread turns the live world and gives the lock up while it sleeps;
 * a call takes it, brings time up to now (posix_enter), acts, and lets what was said leave before it
 * gives the lock back (posix_leave), so bytes leave in the thread that wrote them. The lock has a
 * turnstile before it: a thread that waits for it goes before one that comes back to it.
 *
 * A call that has to wait enlists a sleeper with the descriptors that it waits for, gives up the lock
 * and sleeps; news of one of them (lab/posix.h) wake it, and it is made again. It sleeps on a futex: so
 * a signal ends it exactly where it would end a system call, which a condition variable cannot say.
 */
#ifndef ORIEL_HOST_POSIX_RUN_H
#define ORIEL_HOST_POSIX_RUN_H

#include "host/live.h"
#include "host/msghdr.h"
#include "host/replay.h"
#include "host/user.h"
#include "lab/posix.h"
#include "oriel/posix.h"
#include "svc/resolve.h"

#include <pthread.h>
#include <stdatomic.h>

#define POSIX_FDS_MAX 65536         /* descriptors are below */
#define POSIX_WAKES   32            /* sleepers that are woken after the lock was given back */

struct posix_capture;

/* A thread that waits. */
struct posix_sleeper {
    _Atomic uint32_t woken;         /* 1: look again */
    int event;                      /* an eventfd that wakes it, where it polls; -1: the futex does */
};

/* ... for one descriptor. */
struct posix_wait {
    struct list node;               /* of oriel_px.waits[fd] */
    struct posix_sleeper *sleeper;
    bool *closed;                   /* is set when the descriptor is closed */
};

struct oriel_px {
    struct oriel_px *next;          /* of all */
    pthread_mutex_t turnstile, lock;
    struct live *live;
    struct node *node;
    struct px px;
    void *memory;                   /* of px */
    size_t bytes;
    struct list *waits;             /* by descriptor */
    struct posix_sleeper *wake[POSIX_WAKES];
    unsigned wake_n;
    pthread_t service;
    bool sleeps;                    /* the service thread, until then ... */
    oriel_time sleeps_until;
    bool stop;
    bool by_itself;                 /* nobody started it: the first call did */
    int error;                      /* ... or it is gone: a negative errno */
    int alarm;                      /* an eventfd that ends its sleep */
    struct loop_source on_alarm;
    struct posix_capture *capture;
    struct recorder *recorder;
    struct gateway *gateway;        /* of the link "user" */
    struct resolver resolver;       /* steps with the node's stack; who waits for it waits for `alarm` */
    void *resolver_memory;          /* NULL: there is no name server */
    oriel_time resolver_next;
    char hosts[256];
};

/* The instance that a descriptor belongs to; NULL: it is the system's. */
struct oriel_px *posix_of(int fd);

/* What a call about no descriptor of ours says, -1 and errno: it is a file of another kind, or none. */
int posix_not_ours(int fd);

/* Where this thread makes sockets; NULL with errno. */
struct oriel_px *posix_here(void);

void posix_enter(struct oriel_px *p);

/* The result of a call as the system gives it: -1 and errno. */
int64_t posix_leave(struct oriel_px *p, int64_t result);

/* A new descriptor of the process for a file, or a negative errno. It is p's once it is given. */
int posix_fd_new(struct oriel_px *p, bool cloexec);
void posix_fd_give(struct oriel_px *p, int fd);
void posix_fd_drop(int fd);         /* it was not given */

/* A call that may wait: made again until it has an answer. Between posix_enter and posix_leave. */
struct posix_call {
    int64_t (*again)(struct oriel_px *p, struct px_call *c, void *ctx);
    void *ctx;
    const int *fds;                 /* what it waits for */
    size_t fds_n;
    struct pollfd *system;          /* ... and descriptors of the system; room for one more at the end */
    size_t system_n;
    bool always_ends;               /* by a signal, whatever SA_RESTART says */
};

int64_t posix_call(struct oriel_px *p, const struct posix_call *k);

/* For one descriptor. */
int64_t posix_call_on(struct oriel_px *p, int fd,
                      int64_t (*again)(struct oriel_px *, struct px_call *, void *), void *ctx);

/* Whoever waits for it is told that it is closed. */
void posix_closed(struct oriel_px *p, int fd);

/* posix_names.c: a resolver where there are name servers. False: no memory. */
bool posix_names_open(struct oriel_px *p, const struct oriel_addr servers[], unsigned n, uint64_t seed);
void posix_names_close(struct oriel_px *p);
void posix_names_step(struct oriel_px *p);

/* Whoever waits for that descriptor is woken. */
void posix_wake(struct oriel_px *p, int fd);

/* posix_capture.c: what passes on the link, into a file. NULL: a sentence in `error`. */
struct posix_capture *posix_capture_open(struct oriel_px *p, const char *path, const struct port *port,
                                         char error[DRV_ERROR_MAX]);
void posix_capture_close(struct posix_capture *c);

#endif
