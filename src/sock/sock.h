/*
 * Sockets: handles for endpoints of the transports, their options and readiness.
 *
 * A handle is 32 bits of slot + 1 and 16 of generation above them: one that was closed is not
 * mistaken for a later one. Below the sockets the slot + 1 alone is their name (mcast.c,
 * tcp_conn.c). What a socket is ready for is asked of its endpoint; endpoints whose readiness
 * changed queue up and are named to the application once.
 *
 *   sock.c       handles, their life, readiness        sock_raw.c   ICMP messages
 *   sock_tcp.c   streams and listeners                 sock_opt.c   options
 */
#ifndef ORIEL_SOCK_SOCK_H
#define ORIEL_SOCK_SOCK_H

#include "tcp/tcp.h"
#include "udp/udp.h"

#define SOCK_SLOT_BITS 32               /* of a handle */
#define SOCKS_MAX      (1u << 24)
#define SOCK_BOUND_BUCKETS 256

enum sock_kind {
    SOCK_FREE,
    SOCK_UDP,
    SOCK_ICMP,
    SOCK_TCP,                   /* a connection, CLOSED until it is connected */
    SOCK_TCP_LISTENER,
};

/* Raw ICMP: whole messages of one family; every socket hears every answer. */
struct raw_pcb {
    struct list node;           /* of struct socks.raws */
    uint32_t member;            /* the socket: slot + 1 */
    struct oriel_addr remote;   /* ADDR_NONE: not connected */
    struct oriel_addr local;    /* ADDR_NONE: by route */
    uint8_t family;
    uint8_t ttl, mcast_ttl, tos, df;
    bool broadcast;
    bool any_addr;              /* hears echo requests to addresses that are not ours */
    bool dirty;
    uint16_t bind_nif;
    struct pkt_queue rcv;
    uint64_t rcv_charge, rcv_max;
    uint64_t in_pkts, in_bytes, out_pkts, out_bytes, dropped;
    int16_t error;
    struct udp_error last;
};

struct sock {
    uint8_t kind;
    uint8_t family;             /* enum oriel_family */
    uint16_t generation;
    bool told_writable;         /* streams: the application knows that it may write ... */
    bool writable_news;         /* ... or is about to be told */
    bool bound;                 /* a stream with a local port that does not listen or connect yet */
    struct list ready;          /* of struct socks.ready */
    union {
        struct udp_pcb *udp;
        struct raw_pcb *raw;
        struct tcp_conn *conn;
        struct tcp_listener *listener;
    };
};

static_assert(sizeof(struct sock) <= 32, "what a handle costs");

struct socks {
    struct env *env;
    struct udp *udp;
    struct tcp *tcp;
    struct ip *ip;
    struct pool pool;
    struct pool raw_pool;
    struct list raws;
    struct list ready;          /* sockets with events to tell, in the order they came */
    uint16_t generation;        /* of the socket that was opened last */
    uint32_t bound[SOCK_BOUND_BUCKETS]; /* bound streams by port: connections, by accept_next */
};

bool socks_init(struct socks *ss, struct env *env, struct ip *ip, struct udp *udp, struct tcp *tcp,
                struct arena *a, uint32_t max);
void socks_fini(struct socks *ss);

ORIEL_MUST_USE int sock_open(struct socks *ss, enum sock_kind kind, enum oriel_family family,
                             oriel_handle *out);
ORIEL_MUST_USE int sock_close(struct socks *ss, oriel_handle h);

/* NULL: no such handle. */
static inline struct sock *sock_of(const struct socks *ss, oriel_handle h)
{
    uint32_t slot = (uint32_t)h - 1;
    if (oriel_unlikely(!pool_is_live(&ss->pool, slot)))
        return NULL;
    struct sock *s = pool_at(&ss->pool, slot);
    return oriel_likely(s->generation == h >> SOCK_SLOT_BITS) ? s : NULL;
}

/* slot + 1: how the layers below name a socket. */
static inline uint32_t sock_name(const struct socks *ss, const struct sock *s)
{
    return pool_index(&ss->pool, s) + 1;
}

static inline struct sock *sock_named(const struct socks *ss, uint32_t name)
{
    ORIEL_ASSERT(pool_is_live(&ss->pool, name - 1));
    return pool_at(&ss->pool, name - 1);
}

static inline oriel_handle sock_handle(const struct socks *ss, const struct sock *s)
{
    return (oriel_handle)s->generation << SOCK_SLOT_BITS | sock_name(ss, s);
}

/* A slot for a socket of that kind whose endpoint is to follow; NULL: all are taken. */
struct sock *sock_take(struct socks *ss, enum sock_kind kind, enum oriel_family family);
void sock_give_back(struct socks *ss, struct sock *s);          /* its endpoint is gone */

ORIEL_MUST_USE int sock_bind(struct socks *ss, oriel_handle h, const struct oriel_endpoint *local);
ORIEL_MUST_USE int sock_connect(struct socks *ss, oriel_handle h,
                                const struct oriel_endpoint *remote);
ORIEL_MUST_USE int sock_local(const struct socks *ss, oriel_handle h, struct oriel_endpoint *out);
ORIEL_MUST_USE int sock_remote(const struct socks *ss, oriel_handle h, struct oriel_endpoint *out);
ORIEL_MUST_USE int sock_recv(struct socks *ss, oriel_handle h, void *buf, size_t cap,
                             struct oriel_msg *msg);
ORIEL_MUST_USE int sock_last_error(const struct socks *ss, oriel_handle h,
                                   struct oriel_error_info *out);
uint32_t sock_ready(const struct socks *ss, const struct sock *s);

/* sock_opt.c */
ORIEL_MUST_USE int sock_setopt(struct socks *ss, oriel_handle h, enum oriel_opt opt, int64_t value);
ORIEL_MUST_USE int sock_getopt(struct socks *ss, oriel_handle h, enum oriel_opt opt,
                               int64_t *value);

/* sock_raw.c: an ICMP message that no protocol of ours consumed, or an error that was accepted.
 * Consumes p. */
bool raw_stands_in(const struct socks *ss, const struct ip_rx *rx);    /* a socket answers pings */
void raw_input(struct socks *ss, struct pkt *p, const struct ip_rx *rx);
void raw_on_error(struct socks *ss, const struct fact *f);
bool raw_owns(const struct socks *ss, const struct fact *f);
ORIEL_MUST_USE int raw_send(struct socks *ss, struct raw_pcb *c, struct span data,
                            const struct oriel_msg *msg);
ORIEL_MUST_USE int raw_recv(struct socks *ss, struct raw_pcb *c, void *buf, size_t cap,
                            struct oriel_msg *msg);
void raw_free(struct socks *ss, struct raw_pcb *c);

/* sock_tcp.c: what the calls of oriel.h do of streams. s is SOCK_TCP or SOCK_TCP_LISTENER. */
static inline bool sock_is_stream(const struct sock *s)
{
    return s->kind == SOCK_TCP || s->kind == SOCK_TCP_LISTENER;
}

ORIEL_MUST_USE int stream_open(struct socks *ss, struct sock *s);
void stream_close(struct socks *ss, struct sock *s, bool abort);
ORIEL_MUST_USE int stream_bind(struct socks *ss, struct sock *s,
                               const struct oriel_endpoint *local);
ORIEL_MUST_USE int stream_connect(struct socks *ss, struct sock *s,
                                  const struct oriel_endpoint *remote);
ORIEL_MUST_USE int stream_send(struct socks *ss, struct sock *s, struct span data,
                               const struct oriel_msg *msg);
ORIEL_MUST_USE int stream_recv(struct socks *ss, struct sock *s, void *buf, size_t cap,
                               struct oriel_msg *msg);
struct oriel_endpoint stream_local(const struct sock *s);
struct oriel_endpoint stream_remote(const struct sock *s);
uint32_t stream_ready(const struct socks *ss, const struct sock *s);

ORIEL_MUST_USE int sock_listen(struct socks *ss, oriel_handle h, const struct oriel_listen *l);
ORIEL_MUST_USE int sock_accept(struct socks *ss, oriel_handle h, oriel_handle *out,
                               struct oriel_endpoint *peer);
ORIEL_MUST_USE int sock_held_next(struct socks *ss, oriel_handle h, struct oriel_held *out);
ORIEL_MUST_USE int sock_admit(struct socks *ss, oriel_handle h, uint64_t id,
                              enum oriel_admission what);
ORIEL_MUST_USE int sock_shutdown(struct socks *ss, oriel_handle h, int how);
ORIEL_MUST_USE int sock_abort(struct socks *ss, oriel_handle h);
struct oriel_room sock_send_window(struct socks *ss, oriel_handle h);
ORIEL_MUST_USE int sock_send_commit(struct socks *ss, oriel_handle h, size_t n);
ORIEL_MUST_USE int sock_recv_view(const struct socks *ss, oriel_handle h, struct oriel_bytes out[],
                                  unsigned max);
ORIEL_MUST_USE int sock_recv_release(struct socks *ss, oriel_handle h, size_t n);
ORIEL_MUST_USE int sock_tcp_info(const struct socks *ss, oriel_handle h,
                                 struct oriel_tcp_info *out);

static inline int sock_send(struct socks *ss, oriel_handle h, struct span data,
                            const struct oriel_msg *msg)
{
    struct sock *s = sock_of(ss, h);
    if (oriel_unlikely(!s))
        return ORIEL_EBADF;
    if (s->kind == SOCK_UDP)
        return udp_send(ss->udp, s->udp, data, msg);
    return s->kind == SOCK_ICMP ? raw_send(ss, s->raw, data, msg) : stream_send(ss, s, data, msg);
}

/* Move what the transports queued to the list of ready sockets. */
void socks_publish(struct socks *ss);
unsigned socks_ready_take(struct socks *ss, struct oriel_readiness out[], unsigned max);

#endif
