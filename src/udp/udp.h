/*
 * UDP (RFC 768, 1122 4.1): ports, datagrams waiting to be read, errors for those who sent.
 *
 * An endpoint (udp_pcb) belongs to a socket; sock/ owns it. Look-up is by (local port, remote) for
 * connected endpoints first, then by (local port) for the rest; the most specific wins. What is left
 * over goes to an endpoint that stands in for others and has no port, if there is one. A datagram for a
 * group or broadcast goes to every endpoint that wants it. Bounded: endpoints by the pool, each
 * one's waiting bytes by rcv_max (true sizes are charged).
 */
#ifndef ORIEL_UDP_UDP_H
#define ORIEL_UDP_UDP_H

#include "ip/ip.h"

#define UDP_PORT_EPHEMERAL_MIN 32768    /* RFC 6056, 3.2: large; above what servers use */
#define UDP_PORT_EPHEMERAL_MAX 60999
#define UDP_RCVBUF_DEFAULT     (208 * 1024)
#define UDP_DATA_MAX4          (65535 - 20 - 8)
#define UDP_DATA_MAX6          (65535 - 8)

struct udp_error {              /* the last one; see oriel_last_error */
    int err;
    uint8_t icmp_type, icmp_code;
    bool from_net;
    struct oriel_addr from;
    struct oriel_endpoint to;
    uint32_t mtu;
    uint64_t count;
};

struct udp_pcb {
    struct list stand_in;       /* of struct udp.stand_ins, while it is any_addr without a port */
    struct oriel_endpoint local;        /* addr ADDR_NONE: any; port 0: not bound */
    struct oriel_endpoint remote;       /* port 0: not connected */
    uint32_t member;            /* name towards mcast.c: the socket's handle */
    uint16_t bind_nif;          /* 0: any */
    uint16_t mcast_nif;
    uint8_t family;             /* enum oriel_family */
    uint8_t ttl, mcast_ttl, tos;
    uint8_t df;                 /* 0 fragment as needed, 1 never, 2 never and ignore the path's MTU */
    bool mcast_loop;
    bool broadcast;
    bool reuse;
    bool v6only;
    bool no_csum;
    bool any_addr;              /* stands in for others: addresses that are not ours as well */
    bool connected_hash;        /* linked under its remote too */
    bool dirty;                 /* readiness changed since sock looked */
    struct oriel_addr source;   /* what datagrams leave from when nobody says; ADDR_NONE: by route */
    struct ip_path path;        /* to `remote`, or to the last destination; gen 0: none */
    struct oriel_addr path_src; /* the source and interface that this path was asked for */
    uint16_t path_nif;
    bool path_summed;           /* datagrams that way carry a checksum that we compute */
    uint64_t path_sum;          /* of their pseudo-header, but for the length */
    bool flowing;               /* `flow` is how they leave there when only their peer is said */
    struct ip4_flow flow;
    struct pkt_queue rcv;
    uint64_t rcv_charge;        /* bytes, by true sizes */
    uint64_t rcv_max;
    uint64_t in_pkts, out_pkts, dropped, in_bytes, out_bytes;
    int16_t error;              /* sticky until read */
    struct udp_error last;
};

#define UDP_HEARD_BITS 6

/*
 * The endpoint that a datagram of that flow to this host went to, and the next one will go to while
 * neither endpoints nor our addresses change: gen is the sum of both generations.
 */
struct udp_heard {
    _Alignas(64) struct udp_pcb *c;     /* one look, one cache line */
    uint64_t src_hi, src_lo, dst_hi, dst_lo;
    uint32_t ports;             /* source and destination */
    uint32_t gen;
    uint16_t nif;
};

struct udp {
    struct env *env;
    struct ip *ip;
    uint32_t gen;               /* changes with every endpoint's addresses, ports and options */
    struct pool pcbs;
    struct hmap ports;          /* by local port */
    struct hmap flows;          /* connected: by local port and remote endpoint */
    struct list stand_ins;      /* any_addr and not bound: every port is theirs */
    struct siphash_key port_key;
    uint32_t port_clock;
    struct udp_heard heard[1 << UDP_HEARD_BITS];
    struct udp_pcb **dirty;     /* ring of endpoints whose readiness changed */
    uint32_t dirty_n;
};

bool udp_init(struct udp *u, struct env *env, struct ip *ip, struct arena *a, uint32_t pcbs_max);

/* An option of an endpoint was set: what was found for it is found anew. */
void udp_option_changed(struct udp *u, struct udp_pcb *c);

struct udp_pcb *udp_new(struct udp *u, uint8_t family, uint32_t member);        /* NULL: full */
void udp_free(struct udp *u, struct udp_pcb *c);        /* what waits is dropped, groups are left */

/* As oriel_bind and oriel_connect say. */
ORIEL_MUST_USE int udp_bind(struct udp *u, struct udp_pcb *c, const struct oriel_endpoint *local);
ORIEL_MUST_USE int udp_connect(struct udp *u, struct udp_pcb *c,
                               const struct oriel_endpoint *remote);

/* As oriel_local says: a connected endpoint has the address that it would send from (RFC 1122, 3.4). */
struct oriel_endpoint udp_local(const struct udp *u, const struct udp_pcb *c);

/* Bytes sent or an error. msg may be NULL: to the connected peer. */
ORIEL_MUST_USE int udp_send(struct udp *u, struct udp_pcb *c, struct span data,
                            const struct oriel_msg *msg);

/* Bytes received or an error; the payload is copied out. */
ORIEL_MUST_USE int udp_recv(struct udp *u, struct udp_pcb *c, void *buf, size_t cap,
                            struct oriel_msg *msg);

/*
 * A datagram arrived: p->l4 at the UDP header. Consumes p. ORIEL_OK, or ORIEL_ECONNREFUSED with the
 * packet still alive in *pp: nobody listens, the caller answers with ICMP and drops it.
 */
int udp_input(struct udp *u, struct pkt **pp, const struct ip_rx *rx);

/* Was a packet of that flow sent by an endpoint of ours? */
bool udp_owns(const struct udp *u, const struct fact *f);

/* An error about a flow of ours. */
void udp_on_error(struct udp *u, const struct fact *f);

/* The next endpoint whose readiness changed, or NULL. */
struct udp_pcb *udp_dirty_pop(struct udp *u);

uint32_t udp_ready(const struct udp_pcb *c);    /* enum oriel_event */

#endif
