/*
 * What the files of the gateway share.
 *
 *   gateway.c        made and closed, turns, the table of flows
 *   gateway_tcp.c    connections outward, and the bytes of all of them
 *   gateway_in.c     published ports: what comes from the host's side
 *   gateway_udp.c    datagrams          gateway_ping.c   ICMP echo, and errors for the guest
 *   gateway_addr.c   whose address is whose
 *   gateway_dns.c    names
 *
 * A flow has one socket of the host. It is in the table under who the guest is and whom it asked, on one
 * list by age, and on `again` while it has work left from its last turn.
 */
#ifndef ORIEL_HOST_GATEWAY_FLOW_H
#define ORIEL_HOST_GATEWAY_FLOW_H

#include "host/gateway.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/list.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define GW_QUANTUM   ((size_t)128 << 10)    /* bytes a flow moves each way in one turn */
#define GW_CROWDED   ((size_t)32 << 10)     /* ... where many wait */
#define GW_CROWD     64                     /* flows that wait */
#define GW_TURN      ((size_t)4 << 20)      /* bytes of all flows in one turn of the loop */
#define GW_TURN_MIN  ((size_t)1 << 10)      /* what a flow counts that moves less */
#define GW_DATAGRAMS 64                     /* datagrams of a socket in one turn */
#define GW_BUFFER    65536
#define GW_SHARE_ENOUGH ((uint64_t)416 << 10)   /* bytes; no ordinary user may ask for more (rmem_max, which counts twice) */
#define GW_SPARE     32                     /* descriptors that flows leave to others */
#define GW_TICK      (250 * NS_PER_MS)
#define GW_DNS_PORT  53

enum gw_kind {
    GW_TCP,
    GW_UDP,
    GW_PING,
    GW_KINDS
};

enum gw_state {                 /* of TCP */
    GW_CONNECTING,              /* the host's side; the guest's SYN is held */
    GW_ADMITTED,                /* the guest's handshake goes on; not accepted yet */
    GW_CALLING,                 /* a published port: the guest's answer is waited for */
    GW_OPEN,
};

enum gw_age {                   /* the lists by age, each with its own life */
    GW_AGE_TCP,                 /* does not end by itself */
    GW_AGE_HANDSHAKE,
    GW_AGE_UDP,
    GW_AGE_PING,
    GW_AGES
};

struct gw_flow {
    struct gateway *g;
    struct loop_source source;
    struct list hashed;
    struct list aged;               /* of struct gateway.ages; the latest last */
    struct list again;
    uint8_t kind, state, age;
    struct oriel_endpoint guest;    /* ping: port is the identifier */
    struct oriel_endpoint asked;    /* whom the guest sees; UDP: of what family the host's socket is, alone */
    struct oriel_endpoint host;     /* where the host's socket leads; UDP: the last */
    oriel_time used;
    oriel_time turned;              /* when it had its last turn */
    uint64_t bytes_in, bytes_out;
    int error;
    /* TCP */
    oriel_handle h;                 /* 0: none yet */
    uint64_t held;                  /* for oriel_admit */
    bool can_read, can_write;       /* the host's socket, as far as is known */
    bool ending;                    /* it has more to tell than data: read until it says so */
    int host_error;                 /* ended the host's side; the guest is told after what came before it */
    bool host_ended, guest_ended;   /* that side's end was passed on to the other */
};

struct gw_publish {
    struct gateway *g;
    const struct gateway_publish *what;
    struct loop_source source;
    bool deaf;                      /* not waited on until the next tick: the host had no more descriptors */
};

struct gateway {
    struct live *v;
    struct loop *loop;
    struct node *node;
    struct oriel_stack *s;
    int netif;
    struct gateway_config cfg;
    oriel_handle listener, udp, icmp4, icmp6;
    struct list *buckets;
    uint32_t mask;
    struct list ages[GW_AGES];
    struct list again;
    uint32_t waiting;               /* flows on it */
    oriel_time turn_at;             /* this turn of the loop, and what is left of it */
    size_t turn_left;
    bool serving;                   /* those that wait: others line up behind them */
    struct gw_flow **by_slot;       /* TCP flows by the slot of their handle */
    uint32_t slots;
    uint32_t flows, streams, flows_max;
    uint64_t host_memory;           /* bytes of the host's kernel that streams share, each way */
    uint64_t share;                 /* of each; GW_SHARE_ENOUGH: they are left to the kernel */
    uint32_t sharers;               /* by so many it was divided */
    struct loop_source kick;        /* an eventfd: flows wait for another turn */
    bool kicked;
    struct loop_source tick;        /* a timerfd: runs while something has an age */
    bool ticking;
    struct gw_publish publish[GATEWAY_PUBLISH_MAX];
    int spare_fd;                   /* given up to accept and refuse when there are no more */
    bool no_ping;
    char note[DRV_NOTE_MAX];
    struct gw_dns *dns;             /* NULL: names are not looked up here */
    uint8_t *buffer;                /* GW_BUFFER, for a datagram under way */
};

/* ---- gateway.c ---- */

/* A flow with that socket, in the table and on a list. NULL, with the descriptor closed: no room. */
struct gw_flow *gw_flow_new(struct gateway *g, enum gw_kind kind, int fd, enum gw_age age,
                            const struct oriel_endpoint *guest, const struct oriel_endpoint *asked);
struct gw_flow *gw_flow_find(const struct gateway *g, enum gw_kind kind,
                             const struct oriel_endpoint *guest, const struct oriel_endpoint *asked);
void gw_flow_begins(const struct gw_flow *f);   /* tell who listens */
void gw_flow_free(struct gw_flow *f);           /* closes its descriptor; the handle is the caller's */
void gw_flow_used(struct gw_flow *f, enum gw_age age);
void gw_flow_again(struct gw_flow *f);
size_t gw_flow_quantum(struct gw_flow *f);      /* its turn: so much each way; 0: it has to wait */
void gw_flow_moved(struct gw_flow *f, size_t n);        /* in that turn */
void gw_tick_soon(struct gateway *g);           /* gw_publish_tick is called within GW_TICK */
void gw_flow_handle(struct gw_flow *f, oriel_handle h);         /* readiness of h is its */

/* Room for another flow? The oldest UDP flow may give way for it. */
bool gw_has_room(struct gateway *g);

/* Before calls from a descriptor's on_ready: the stack's time goes on. */
void gw_enter(struct gateway *g);

/* ---- gateway_tcp.c ---- */

bool gw_tcp_open(struct gateway *g, char error[DRV_ERROR_MAX]);
void gw_tcp_listener_ready(struct gateway *g);
void gw_tcp_guest_ready(struct gw_flow *f, uint32_t events);
void gw_tcp_turn(struct gw_flow *f);            /* a quantum each way */
void gw_tcp_host_ready(void *flow, uint32_t events);
void gw_tcp_expire(struct gw_flow *f);
void gw_tcp_abort(struct gw_flow *f);           /* both sides, with resets */
void gw_tcp_set_up(int fd);                     /* options of a host's socket */

/* ---- gateway_share.c ---- */

void gw_share_open(struct gateway *g);
/* A stream has begun (it is on its list), or (NULL) ended, and g->streams says so: buffers of sockets follow. */
void gw_share(struct gateway *g, const struct gw_flow *begun);

/* ---- gateway_in.c ---- */

bool gw_publish_open(struct gateway *g, char error[DRV_ERROR_MAX]);
void gw_publish_close(struct gateway *g);
void gw_publish_tick(struct gateway *g);

/* ---- gateway_udp.c ---- */

bool gw_udp_open(struct gateway *g, char error[DRV_ERROR_MAX]);
void gw_udp_guest_ready(struct gateway *g);
void gw_udp_host_ready(void *flow, uint32_t events);

/* ---- gateway_ping.c ---- */

bool gw_ping_open(struct gateway *g, char error[DRV_ERROR_MAX]);
void gw_ping_guest_ready(struct gateway *g, oriel_handle h);
void gw_ping_host_ready(void *flow, uint32_t events);

/* To the guest, from `asked`: its datagram could not go on. err: an errno of the host's socket. */
void gw_unreachable(struct gateway *g, const struct oriel_endpoint *guest,
                    const struct oriel_endpoint *asked, int err);

/* ---- gateway_addr.c ---- */

socklen_t gw_sockaddr(const struct oriel_endpoint *e, struct sockaddr_storage *out);
struct oriel_endpoint gw_endpoint(const struct sockaddr_storage *a);

/* Where on the host leads what the guest asked for? False: nowhere. */
bool gw_to_host(struct gateway *g, const struct oriel_endpoint *asked, struct oriel_endpoint *host);

/* The host's loopback is seen as the gateway. */
struct oriel_addr gw_own_addr(const struct gateway *g, bool v4);

/* As whom does the guest see that endpoint of the host's side? v4: of which family it must be. */
struct oriel_endpoint gw_to_guest(const struct gateway *g, const struct oriel_endpoint *host, bool v4);

/* ---- gateway_dns.c ---- */

bool gw_dns_open(struct gateway *g, char error[DRV_ERROR_MAX]);
void gw_dns_close(struct gateway *g);
void gw_dns_guest_ready(struct gateway *g);
bool gw_dns_tick(struct gateway *g);            /* every GW_TICK, while it says that more is due */

#endif
