/*
 * Sockets: handles for endpoints of the transports, their options and readiness.
 *
 * A handle is 20 bits of slot and 12 of generation: one that was closed is not mistaken for a later
 * one. What a socket is ready for is asked of its endpoint; endpoints whose readiness changed queue
 * up and are named to the application once.
 */
#ifndef ORIEL_SOCK_SOCK_H
#define ORIEL_SOCK_SOCK_H

#include "udp/udp.h"

#define SOCK_SLOT_BITS 20
#define SOCKS_MAX      (1u << SOCK_SLOT_BITS)

enum sock_kind {
    SOCK_FREE,
    SOCK_UDP,
    SOCK_ICMP,
};

/* Raw ICMP: whole messages of one family; every socket hears every answer. */
struct raw_pcb {
    struct list node;           /* of struct socks.raws */
    uint32_t member;            /* the socket's handle */
    struct oriel_addr remote;   /* ADDR_NONE: not connected */
    struct oriel_addr local;    /* ADDR_NONE: by route */
    uint8_t family;
    uint8_t ttl, mcast_ttl, tos, df;
    bool broadcast;
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
    uint16_t generation;
    struct list ready;          /* of struct socks.ready */
    union {
        struct udp_pcb *udp;
        struct raw_pcb *raw;
    };
};

struct socks {
    struct env *env;
    struct udp *udp;
    struct ip *ip;
    struct pool pool;
    struct pool raw_pool;
    struct list raws;
    struct list ready;          /* sockets with events to tell, in the order they came */
    uint16_t generation;        /* of the socket that was opened last */
};

bool socks_init(struct socks *ss, struct env *env, struct ip *ip, struct udp *udp, struct arena *a,
                uint32_t max);
void socks_fini(struct socks *ss);

ORIEL_MUST_USE int sock_open(struct socks *ss, enum sock_kind kind, enum oriel_family family,
                             oriel_handle *out);
ORIEL_MUST_USE int sock_close(struct socks *ss, oriel_handle h);

/* NULL: no such handle. */
static inline struct sock *sock_of(const struct socks *ss, oriel_handle h)
{
    uint32_t slot = (h & (SOCKS_MAX - 1)) - 1;
    if (oriel_unlikely(!pool_is_live(&ss->pool, slot)))
        return NULL;
    struct sock *s = pool_at(&ss->pool, slot);
    return oriel_likely(s->generation == h >> SOCK_SLOT_BITS) ? s : NULL;
}

oriel_handle sock_handle(const struct socks *ss, const struct sock *s);

ORIEL_MUST_USE int sock_bind(struct socks *ss, oriel_handle h, const struct oriel_endpoint *local);
ORIEL_MUST_USE int sock_connect(struct socks *ss, oriel_handle h,
                                const struct oriel_endpoint *remote);
ORIEL_MUST_USE int sock_recv(struct socks *ss, oriel_handle h, void *buf, size_t cap,
                             struct oriel_msg *msg);
uint32_t sock_ready(const struct sock *s);

/* sock_opt.c: one table. */
ORIEL_MUST_USE int sock_setopt(struct socks *ss, oriel_handle h, enum oriel_opt opt, int64_t value);
ORIEL_MUST_USE int sock_getopt(struct socks *ss, oriel_handle h, enum oriel_opt opt,
                               int64_t *value);

/* sock_raw.c: an ICMP message that no protocol of ours consumed, or an error that was accepted.
 * Consumes p. */
void raw_input(struct socks *ss, struct pkt *p, const struct ip_rx *rx);
void raw_on_error(struct socks *ss, const struct fact *f);
bool raw_owns(const struct socks *ss, const struct fact *f);
ORIEL_MUST_USE int raw_send(struct socks *ss, struct raw_pcb *c, struct span data,
                            const struct oriel_msg *msg);
ORIEL_MUST_USE int raw_recv(struct socks *ss, struct raw_pcb *c, void *buf, size_t cap,
                            struct oriel_msg *msg);
void raw_free(struct socks *ss, struct raw_pcb *c);

static inline int sock_send(struct socks *ss, oriel_handle h, struct span data,
                            const struct oriel_msg *msg)
{
    struct sock *s = sock_of(ss, h);
    if (oriel_unlikely(!s))
        return ORIEL_EBADF;
    return s->kind == SOCK_UDP ? udp_send(ss->udp, s->udp, data, msg)
                               : raw_send(ss, s->raw, data, msg);
}

/* Move what the transports queued to the list of ready sockets. */
void socks_publish(struct socks *ss);
unsigned socks_ready_take(struct socks *ss, struct oriel_readiness out[], unsigned max);

#endif
