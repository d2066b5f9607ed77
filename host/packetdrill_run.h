/*
 * Inside of liboriel-packetdrill.so: one instance, its lock and its clock (packetdrill_run.c); the
 * calls (packetdrill.c) and messages (packetdrill_msg.c).
 *
 * Everything here is called with the lock held, between drill_enter and drill_leave. drill_enter
 * moves time by its microsecond; drill_leave lets the stack finish what it does.
 */
#ifndef ORIEL_HOST_PACKETDRILL_RUN_H
#define ORIEL_HOST_PACKETDRILL_RUN_H

#include "host/packetdrill.h"
#include "lab/posix.h"
#include "lab/script.h"

#include <pthread.h>

#define DRILL_START    (1000 * NS_PER_S)        /* what the clock says in the beginning */
#define DRILL_PATIENCE (10800 * NS_PER_S)       /* of netdev_receive: beyond keep-alives */
#define DRILL_PACKET   66000
#define DRILL_IDLE_MS  300      /* of real time in which nobody calls: a call that blocks goes on */

struct drill_packet {
    struct drill_packet *next;
    oriel_time time;
    size_t n;
    unsigned char bytes[];
};

struct drill;

/* A call that blocks: made again after every step, by whoever steps. */
struct drill_waiter {
    struct drill_waiter *next;
    int64_t (*again)(struct drill *d, struct px_call *c, void *ctx);
    void *ctx;
    struct px_call call;
    bool done;
    int64_t result;
};

struct drill {
    struct drill *next;         /* of all instances: for getsockopt of the C library */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct script_setup setup;
    void *memory;
    struct arena arena;
    struct oriel_stack *stack;
    struct px px;
    oriel_time now;
    uint64_t calls;             /* so far: has anybody called meanwhile? */
    struct drill_packet *first, **last;         /* that left and were not taken */
    struct drill_waiter *waiting;
    unsigned char packet[DRILL_PACKET];
};

struct drill *drill_new(const char *flags);     /* ends the program where the flags are wrong */
void drill_free(struct drill *d);

void drill_enter(struct drill *d);

/* The result of a call, as the system would give it: -1 and errno. */
int64_t drill_leave(struct drill *d, int64_t result);

/* Make a call until it has an answer; the lock is given up meanwhile. */
int64_t drill_call(struct drill *d, int64_t (*again)(struct drill *, struct px_call *, void *),
                   void *ctx);

/* Until that time; false when `packet` is set and one left before. */
bool drill_run_to(struct drill *d, oriel_time until, bool packet);

void drill_arrive(struct drill *d, const void *bytes, size_t n);

/* An address that the program means to be its own is one from now on. */
void drill_own(struct drill *d, const struct oriel_addr *a);

/* A new descriptor of the system, or -errno; and back. */
int drill_fd_new(void);
void drill_fd_close(int fd);

/* packetdrill_msg.c */
ssize_t drill_recvmsg(struct drill *d, int fd, struct msghdr *msg, int flags);
ssize_t drill_sendmsg(struct drill *d, int fd, const struct msghdr *msg, int flags);

/* One transfer over several pieces; addr may be NULL. Lock and clock are their business. */
ssize_t drill_recv(struct drill *d, int fd, const struct iovec *iov, size_t count, int flags,
                   struct sockaddr *addr, socklen_t *len, struct px_io *io);
ssize_t drill_send(struct drill *d, int fd, const struct iovec *iov, size_t count, int flags,
                   const struct sockaddr *addr, socklen_t len, struct px_io *io);

#endif
