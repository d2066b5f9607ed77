/*
 * Inside the handler of run.h: the table of sockets, and what its files say to each other.
 *
 *   run_sock.c        the table, who a socket is, dispatch       run_sock_opt.c    options
 *   run_sock_addr.c   addresses in and out, where they lead      run_sock_udp.c    datagrams
 *   run_sock_tcp.c    connect, listen, accept                    run_sock_msg.c    messages, ancillary data
 *   run_sock_relay.c  bytes of streams, how they end             run_reach.c       the program's descriptors
 *   run_sock_ping.c   ping sockets
 */
#ifndef ORIEL_HOST_RUN_SOCK_H
#define ORIEL_HOST_RUN_SOCK_H

#include "host/run.h"

#include "base/addr.h"
#include "base/clock.h"
#include "lab/posix.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define RSOCK_HEADS     4096         /* of each hash table; must be a power of two */
#define RSOCK_OPTS_MAX  96           /* rows of the table of options */
#define RSOCK_VIA_MAX   4            /* destinations that a datagram socket sees under another name */
#define RSOCK_BUFFER    (128 * 1024) /* shared, for the time of one call */

/* What is said about the next datagram to be read. */
struct rsock_meta {
    struct oriel_endpoint from;
    struct oriel_addr local;
    int netif;
    uint8_t ttl, tos;
    size_t len;
};

enum rsock_state {
    RSOCK_IDLE,                      /* made, perhaps bound */
    RSOCK_CONNECTING,
    RSOCK_CONNECTED,
    RSOCK_LISTENING,
    RSOCK_OVER,                      /* refused, reset or closed: no connection of ours any more */
    RSOCK_DATAGRAM,
};

/*
 * A socket of the program. `end` is the other end of its descriptor; a stream has one from the moment its
 * descriptor must behave as one that connects. Once nobody holds the descriptor any more, the end
 * hangs up; sockets without an end are asked for by the name they are bound to (rsock_is_held).
 */
struct rsock {
    struct run *run;
    uint64_t cookie;                /* 0: accepted, and nobody has asked about it yet */
    uint32_t id;                    /* as in its name; of accepted ones the low bits are the slot */
    uint32_t slot;
    char name;                      /* 's' made by a call, 'c' accepted; 'd' has no name: datagrams */
    bool v6;
    enum rsock_state state;
    oriel_handle h;                 /* 0: none */
    int end;                        /* -1: none */
    struct loop_source source;
    struct run_request *parked;
    pid_t tid;                      /* hints of where its descriptor is */
    int fd;

    /* addresses as the program knows them */
    struct oriel_endpoint shown;    /* what it bound to */
    struct oriel_endpoint asked;    /* where it connected to */
    bool bound;
    bool loops;                     /* it asked for a loopback address */
    bool counted, counts_4, counts_6;           /* its port is one of the program's own, in that family */
    uint16_t port;

    int error;                      /* errno that waits for SO_ERROR; 0: none */
    int why;                        /* enum oriel_err that ended its connection; 0: none did */
    bool connect_told;              /* connect has said that it is connected */

    /* streams */
    size_t junk;                    /* bytes in front of what it writes: it looks unwritable until read */
    bool in_over, out_over;         /* FIN given to the program, FIN sent for it */
    bool in_blocked, out_blocked;   /* the descriptor takes no more; the stack takes no more */
    bool held_up;                   /* hung up, and not all is sent yet */
    bool resets;                    /* it ended with a reset, which follows what it wrote */
    struct rsock *listener;          /* of a connection that has not got into its queue yet */
    struct rsock *waiting;           /* of a listener: such connections, the first */
    struct rsock *waiting_next;
    unsigned waiting_n;
    int stash;                      /* of a listener: accepted, but its asker had gone; -1: none */

    /* datagrams */
    bool ping;                      /* of IPPROTO_ICMP; its port is the identifier of what it sends */
    bool peer_set;
    bool staged;                    /* one is in the descriptor's queue, `meta` is about it */
    bool restage;                   /* ... and the next one may follow */
    bool asks;                      /* its receiving calls come to us */
    bool alarm;                     /* an empty one is there to wake who polls: `error` is to be told */
    struct rsock_meta meta;
    struct {
        struct oriel_endpoint asked, real;
    } via[RSOCK_VIA_MAX];
    uint8_t via_at;
    uint64_t errors_told;           /* of oriel_last_error's count, for the error queue */

    int32_t opt[RSOCK_OPTS_MAX];     /* by row, as the program set them */
    uint8_t opt_set[RSOCK_OPTS_MAX / 8];
    int64_t linger_s;               /* -1: off */
    oriel_time rcv_timeout, snd_timeout;        /* 0: none */
    char congestion[16];

    struct rsock *next_cookie, *next_handle;
};

struct run_reach_slot {
    pid_t tid;
    int pidfd;
};
#define REACH_SLOTS 64              /* must be a power of two */

struct run {
    struct run_config cfg;
    struct oriel_stack *stack;
    struct loop *loop;
    uint64_t token;                 /* in our names: another Oriel's are not ours */
    int doorbell;                   /* a listening AF_UNIX socket that streams are connected to */
    struct rsock *slots[RUN_SOCKS_MAX];
    uint32_t slot_at, generation, names;
    unsigned socks_n;
    struct rsock *by_cookie[RSOCK_HEADS], *by_handle[RSOCK_HEADS];
    struct rsock ghost;              /* stands for a socket of ours whose connection is over */
    uint16_t *ports[2][2];          /* [udp][v6]: sockets of the program at each port */
    bool dirty;                     /* the stack has something to say */
    bool in_step;
    unsigned parked_n;
    oriel_time limit_at;            /* the first limit of a parked request; by host_now(), as retry_at */
    oriel_time retry_at;            /* some listener's queue was full */
    uint32_t sweep_at, made;        /* entries made since the last sweep */
    bool told_listen;
    struct run_reach_slot reach[REACH_SLOTS];
    uint8_t buf[RSOCK_BUFFER];
};

/* ---- run_sock.c ---- */

/* A negative errno. */
static inline int rsock_errno(int oriel_err)
{
    return -px_errno_of(oriel_err);
}

/* NULL: too many. It has a handle of the stack where `handle` says so (or takes the one it is given). */
struct rsock *rsock_new(struct run *n, char name, bool v6, uint64_t cookie);
int rsock_open(struct rsock *s);      /* a handle, with what was set so far. 0, or a negative errno */
void rsock_take_handle(struct rsock *s, oriel_handle h);
void rsock_drop_handle(struct rsock *s, bool abort);
void rsock_free(struct rsock *s);
struct rsock *rsock_of_handle(struct run *n, oriel_handle h);
/* NULL: none of ours. The ghost: one of ours that is over. */
struct rsock *rsock_of_descriptor(struct run *n, int fd);
/* Is it that one's descriptor? No entry is made for another. */
bool rsock_is_of(const struct rsock *s, int fd);
/* Another descriptor stands for it from now on, a fresh one. */
void rsock_rename(struct rsock *s, char name, uint32_t id, int fd);

/* The abstract name of a kind and a number; its length. */
socklen_t rsock_name(const struct run *n, struct sockaddr_un *u, char kind, bool v6, uint32_t id);

/* Does anybody still hold the descriptor? For sockets with a name of their own ('s'). */
bool rsock_is_held(const struct rsock *s);
/* Those that nobody holds go: some of all, or all that use that port. */
void rsock_sweep(struct run *n, unsigned most);
void rsock_sweep_port(struct run *n, uint16_t port);

int rsock_watch(struct rsock *s, int end, uint32_t events, void (*on_ready)(void *ctx, uint32_t events));
void rsock_unwatch(struct rsock *s);  /* and closes the end */

void rsock_park(struct rsock *s, struct run_request *r, oriel_time until);
/* The first parked request for that call, taken off; NULL: none. */
struct run_request *rsock_unpark(struct rsock *s, enum run_call call);

bool rsock_is_nonblocking(int fd);

/* ---- run_reach.c ---- */

/* A duplicate of its descriptor, wherever the program has it; -1: nowhere. */
int reach_socket(struct rsock *s);

/* ---- run_sock_addr.c ---- */

struct oriel_addr raddr_of_in6(const struct in6_addr *a);
/* The address in the program's memory. 0, or a negative errno. AF_UNSPEC: *unspec. */
int raddr_read(struct run_request *r, const struct rsock *s, uint64_t from, uint64_t len,
              struct oriel_endpoint *out, bool *unspec);
int raddr_from(const struct rsock *s, const struct sockaddr_storage *sa, socklen_t len,
              struct oriel_endpoint *out, bool *unspec);
socklen_t raddr_to(const struct rsock *s, const struct oriel_endpoint *e, struct sockaddr_storage *sa);
/* To where accept, getsockname and their like want it, with the length. 0, or a negative errno. */
int raddr_write(struct run_request *r, const struct rsock *s, const struct oriel_endpoint *e, uint64_t to,
               uint64_t len_at);

/* Where an address leads: loopback to the program's own sockets first, else to the host's.
 * 0, or a negative errno. */
int raddr_route(struct run *n, bool udp, const struct oriel_endpoint *asked, struct oriel_endpoint *real);
/* The same, remembered, so that answers come from where the program sent to. */
int raddr_route_via(struct rsock *s, const struct oriel_endpoint *asked, struct oriel_endpoint *real);
struct oriel_endpoint raddr_unroute(const struct rsock *s, const struct oriel_endpoint *real);

struct oriel_endpoint rsock_local(const struct rsock *s);
int rsock_remote(const struct rsock *s, struct oriel_endpoint *out);
void rsock_count_port(struct rsock *s, bool udp);
void rsock_uncount_port(struct rsock *s);

/* ---- run_sock_tcp.c ---- */

int rsock_bind(struct rsock *s, const struct oriel_endpoint *asked);      /* 0, or a negative errno */
void rtcp_call_bind(struct rsock *s, struct run_request *r);
void rtcp_call_connect(struct rsock *s, struct run_request *r);
void rtcp_call_listen(struct rsock *s, struct run_request *r);
void rtcp_call_accept(struct rsock *s, struct run_request *r);
void rtcp_on_ready(struct rsock *s, uint32_t events);
void rtcp_retry(struct run *n);
void rtcp_forget(struct rsock *s, struct run_request *r);
/* A limit of time has come. */
void rtcp_give_up(struct rsock *s, struct run_request *r);

/* ---- run_sock_relay.c ---- */

int relay_start(struct rsock *s, int end);       /* the end is taken */
void relay_in(struct rsock *s);      /* from the stack to the program */
void relay_out(struct rsock *s);
/* The connection failed (an enum oriel_err): the program's descriptor says so, and the socket is
 * RSOCK_OVER, or freed. */
void relay_fail(struct rsock *s, int err);
int64_t relay_unsent(const struct rsock *s);

/* ---- run_sock_udp.c ---- */

void rudp_call_socket(struct run *n, struct run_request *r, bool v6, bool ping, int flags);
void rudp_call_bind(struct rsock *s, struct run_request *r);
void rudp_call_connect(struct rsock *s, struct run_request *r);
void rudp_call_sendto(struct rsock *s, struct run_request *r);
void rudp_call_recvfrom(struct rsock *s, struct run_request *r);
void rudp_on_ready(struct rsock *s, uint32_t events);
/* A datagram of the program leaves; what was sent, or a negative errno. */
int rudp_send_now(struct rsock *s, void *data, size_t len, const struct oriel_endpoint *to,
                 const struct oriel_msg *more);
/* What waits is read into n->buf: its length, -EAGAIN, or the error that waits. */
int rudp_take(struct rsock *s, int dup, int flags, struct rsock_meta *meta);
void rudp_stage(struct rsock *s);
void rudp_wake(struct rsock *s);      /* parked receivers, if there is something */
/* There is nothing: -EAGAIN, or parked. */
void rudp_wait(struct rsock *s, struct run_request *r, int flags);
void rudp_drain(struct rsock *s);     /* what it sent without an address leaves now */
void rudp_clear_alarm(struct rsock *s, int dup);

/* ---- run_sock_ping.c ---- */

/* The identifier, 0: one that nobody has. 0, or -EADDRINUSE. */
int rping_bind(struct rsock *s, uint16_t id);
/* As rudp_send_now; the identifier is written into the data. */
int rping_send(struct rsock *s, uint8_t *data, size_t len, const struct oriel_endpoint *to,
               const struct oriel_msg *more);
bool rping_is_answer(const struct rsock *s, const uint8_t *data, size_t len);
/* What the network said of the last request, as an errno, once; 0: nothing. */
int rping_error(struct rsock *s);

/* ---- run_sock_msg.c ---- */

void rmsg_call_sendmsg(struct rsock *s, struct run_request *r);
void rmsg_call_recvmsg(struct rsock *s, struct run_request *r);
void rmsg_call_sendmmsg(struct rsock *s, struct run_request *r);
void rmsg_call_recvmmsg(struct rsock *s, struct run_request *r);

/* ---- run_sock_opt.c ---- */

void ropt_call_set(struct rsock *s, struct run_request *r);
void ropt_call_get(struct rsock *s, struct run_request *r);
void ropt_apply(struct rsock *s);     /* all that were set, to a new handle */
void ropt_inherit(struct rsock *s, const struct rsock *listener);
bool ropt_is_on(const struct rsock *s, int level, int name);
/* Does it want to be told more about each datagram than the datagram? */
bool ropt_wants_more(const struct rsock *s);

#endif
