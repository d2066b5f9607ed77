/*
 * Oriel: a TCP/IP stack that lives in your process and tells you why.
 *
 * An instance is a pointer. It has no threads, reads no clock, draws no randomness and performs no
 * input or output: you give it memory, a seed, the time and the packets that arrived, and take from
 * it the packets that are to leave. docs/embedding.md shows the loop in twenty lines.
 *
 * One thread at a time may use an instance. Calls return 0 or a positive result on success and a
 * negative enum oriel_err otherwise; a failed call changed nothing.
 */
#ifndef ORIEL_ORIEL_H
#define ORIEL_ORIEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ORIEL_API      __attribute__((visibility("default")))
#define ORIEL_MUST_USE __attribute__((warn_unused_result))
#define ORIEL_NORETURN __attribute__((noreturn))
#else
#define ORIEL_API
#define ORIEL_MUST_USE
#define ORIEL_NORETURN
#endif

#define ORIEL_VERSION "0.1.0"

/* Nanoseconds on a monotonic clock that you choose; it never goes back. */
typedef uint64_t oriel_time;
#define ORIEL_NEVER UINT64_MAX

enum oriel_err {
    ORIEL_OK = 0,
    ORIEL_EINVAL = -1,       /* an argument makes no sense */
    ORIEL_EAGAIN = -2,       /* nothing to read, no room to write: try when ready */
    ORIEL_ENOBUFS = -3,      /* a pool or table is full: try later */
    ORIEL_EBADF = -4,        /* no such handle */
    ORIEL_EADDRINUSE = -5,
    ORIEL_EADDRNOTAVAIL = -6,
    ORIEL_ENETUNREACH = -7,  /* no route */
    ORIEL_EHOSTUNREACH = -8, /* neighbour did not answer, or ICMP said so */
    ORIEL_ECONNREFUSED = -9, /* port unreachable */
    ORIEL_EMSGSIZE = -10,    /* larger than the path or the protocol takes */
    ORIEL_ENOTCONN = -11,
    ORIEL_EISCONN = -12,
    ORIEL_EACCES = -13,      /* broadcast without permission */
    ORIEL_ENOPROTOOPT = -14, /* no such option */
    ORIEL_EOPNOTSUPP = -15,
    ORIEL_EEXIST = -16,
    ORIEL_ENOENT = -17,
    ORIEL_ENETDOWN = -18,
    ORIEL_ETIMEDOUT = -19,
    ORIEL_EPROTO = -20,      /* the other side reported an error in what we sent */
    ORIEL_EAFNOSUPPORT = -21,
};

/* A sentence for an enum oriel_err; never NULL. */
ORIEL_API const char *oriel_strerror(int err);

/*
 * An address of either family: the 128-bit number, most significant half first; IPv4 is held as
 * mapped (::ffff:a.b.c.d). `zone` is an interface index where the scope is link-local, else 0.
 */
struct oriel_addr {
    uint64_t hi;
    uint64_t lo;
    uint32_t zone;
};

struct oriel_endpoint {
    struct oriel_addr addr;
    uint16_t port;
};


/* ---- text ---- */

/* "10.0.0.1", "fe80::1%2". Writes at most cap bytes with the NUL; the length that it would have. */
ORIEL_API size_t oriel_addr_print(const struct oriel_addr *a, char *buf, size_t cap);
/* 0 or ORIEL_EINVAL. */
ORIEL_API ORIEL_MUST_USE int oriel_addr_parse(const char *text, struct oriel_addr *out);
/* "10.0.0.0/8"; len is 0..128 (an IPv4 /8 gives 104), host bits are kept. */
ORIEL_API ORIEL_MUST_USE int oriel_prefix_parse(const char *text, struct oriel_addr *out,
                                                uint8_t *len);

/* ---- an instance ---- */

struct oriel_stack;
struct pkt;             /* one packet; made and read with oriel_pkt_* */
struct trace;
struct pkt_mem;

#define ORIEL_CONFIG_VERSION 1

/*
 * A budget and a seed. Every limit of the stack is derived from memory_bytes and connections;
 * oriel_limit_each shows each and where it came from.
 */
struct oriel_config {
    uint32_t version;           /* ORIEL_CONFIG_VERSION */
    void *memory;               /* yours; the stack lives in it and uses nothing else */
    size_t memory_bytes;
    uint32_t connections;       /* sockets at most; 0: 256 */
    uint8_t seed[32];           /* from the system's random source; in a test, anything */
    uint32_t cpu;               /* ORIEL_CPU_* */
    oriel_time now;
    bool forward4;              /* a router for IPv4, IPv6 */
    bool forward6;
    bool strong_host;           /* accept only what is addressed to the interface it came by */
    bool send_redirects;
    bool accept_redirects;
    bool echo_group;            /* answer pings to multicast and broadcast addresses */
    uint8_t ttl;                /* 0: 64 */
    uint32_t icmp_per_s;        /* ICMP errors a second to one peer; 0: 10 */
    uint32_t trace_events;      /* ring of that many 64-byte records in the memory; 0: no trace */
    /* A world of several stacks on one thread shares these; NULL otherwise. */
    struct pkt_mem *shared_packets;
    struct trace *shared_trace;
    uint16_t node;              /* number of this stack in a shared trace */
};

/* Fill with defaults. */
ORIEL_API void oriel_config_init(struct oriel_config *cfg);

/* NULL: the version is unknown or the memory too small (oriel_memory_min). */
ORIEL_API struct oriel_stack *oriel_create(const struct oriel_config *cfg);
ORIEL_API void oriel_destroy(struct oriel_stack *s);
ORIEL_API size_t oriel_memory_min(uint32_t connections);

/* ---- the step ---- */

struct pkt_batch {
    struct pkt **pkts;          /* consumed by the step */
    unsigned n;
};

/*
 * One step: the time, then what arrived, then due timers, then readiness. `now` never goes back.
 * rx may be NULL.
 */
ORIEL_API void oriel_step(struct oriel_stack *s, oriel_time now, struct pkt_batch *rx);

/* Up to max finished frames of an interface; yours to send and oriel_pkt_free. */
ORIEL_API unsigned oriel_netif_take(struct oriel_stack *s, int netif, struct pkt *out[],
                                    unsigned max);

/* When to step again at the latest if nothing arrives; ORIEL_NEVER; `now` while there is work. */
ORIEL_API oriel_time oriel_next_deadline(const struct oriel_stack *s);

/* A frame for the next step, its bytes copied; NULL when memory is exhausted. */
ORIEL_API struct pkt *oriel_pkt_new(struct oriel_stack *s, int netif, const void *frame,
                                    size_t len);
ORIEL_API size_t oriel_pkt_len(const struct pkt *p);
/* Copies the frame out; at most cap bytes. The length copied. */
ORIEL_API size_t oriel_pkt_copy(const struct pkt *p, void *buf, size_t cap);
ORIEL_API void oriel_pkt_free(struct pkt *p);
/* Why it was sent, in words, and by name. */
ORIEL_API const char *oriel_pkt_why(const struct pkt *p);
ORIEL_API const char *oriel_pkt_why_name(const struct pkt *p);

/* ---- interfaces, addresses, routes, neighbours: any time ---- */

enum oriel_netif_kind {
    ORIEL_NETIF_ETHER,
    ORIEL_NETIF_RAW,            /* bare IP packets */
    ORIEL_NETIF_LOOPBACK,       /* 127.0.0.1 and ::1 are added by themselves */
    ORIEL_NETIF_VLAN,
};

struct oriel_netif_config {
    const char *name;           /* up to 15 characters, unique */
    enum oriel_netif_kind kind;
    uint8_t mac[6];
    uint32_t mtu;               /* 0: 1500, or the parent's */
    uint32_t tx_queue;          /* frames; 0: 512 */
    bool fcs;                   /* frames carry their check sequence */
    bool vouches;               /* the link fills in and vouches for transport checksums */
    int vlan_parent;            /* VLAN: the interface below */
    uint16_t vlan_id;           /* 1..4094 */
    bool vlan_qinq;             /* tag 0x88a8 instead of 0x8100 */
    bool ip6;                   /* make a link-local address, listen to routers */
    bool accept_ra;             /* form addresses and routes from router advertisements */
    bool probe4;                /* probe IPv4 addresses before use (RFC 5227) */
    bool no_dad;                /* use IPv6 addresses without probing: point-to-point links, labs */
    bool nat;                   /* translate the source of forwarded IPv4 packets leaving here */
    uint32_t neigh_ms;          /* how long a neighbour is believed without asking; 0: 30,000 */
    uint8_t igmp_version;       /* 0: as heard; 1, 2, 3: forced */
    uint8_t mld_version;        /* 0, 1, 2 */
};

/* The index of the new interface (above 0), or an error. It is up. */
ORIEL_API ORIEL_MUST_USE int oriel_netif_add(struct oriel_stack *s,
                                             const struct oriel_netif_config *cfg);
ORIEL_API ORIEL_MUST_USE int oriel_netif_remove(struct oriel_stack *s, int netif);
ORIEL_API ORIEL_MUST_USE int oriel_netif_set_up(struct oriel_stack *s, int netif, bool up);
ORIEL_API ORIEL_MUST_USE int oriel_netif_set_carrier(struct oriel_stack *s, int netif, bool on);
ORIEL_API ORIEL_MUST_USE int oriel_netif_set_mtu(struct oriel_stack *s, int netif, uint32_t mtu);
/* Ask a RARP server for an IPv4 address. */
ORIEL_API ORIEL_MUST_USE int oriel_netif_rarp(struct oriel_stack *s, int netif);

/* prefix_len is 0..128 as oriel_prefix_parse gives it. */
ORIEL_API ORIEL_MUST_USE int oriel_addr_add(struct oriel_stack *s, int netif,
                                            const struct oriel_addr *addr, uint8_t prefix_len);
ORIEL_API ORIEL_MUST_USE int oriel_addr_remove(struct oriel_stack *s, int netif,
                                               const struct oriel_addr *addr);

/* gateway NULL: the destinations are on the link. netif 0: where the gateway is. */
ORIEL_API ORIEL_MUST_USE int oriel_route_add(struct oriel_stack *s, const struct oriel_addr *prefix,
                                             uint8_t prefix_len, const struct oriel_addr *gateway,
                                             int netif, uint32_t metric);
ORIEL_API ORIEL_MUST_USE int oriel_route_remove(struct oriel_stack *s,
                                                const struct oriel_addr *prefix, uint8_t prefix_len,
                                                const struct oriel_addr *gateway, int netif);

ORIEL_API ORIEL_MUST_USE int oriel_neigh_add(struct oriel_stack *s, int netif,
                                             const struct oriel_addr *addr, const uint8_t mac[6]);
ORIEL_API ORIEL_MUST_USE int oriel_neigh_remove(struct oriel_stack *s, int netif,
                                                const struct oriel_addr *addr);
/* Answer RARP requests of that link address with that IPv4 address. */
ORIEL_API ORIEL_MUST_USE int oriel_rarp_serve(struct oriel_stack *s, const uint8_t mac[6],
                                              const struct oriel_addr *addr);

/* ---- sockets ---- */

/* Names a socket; 0 is none. A handle that was closed is never mistaken for a later one. */
typedef uint32_t oriel_handle;

enum oriel_family {
    ORIEL_IP4 = 4,
    ORIEL_IP6 = 6,
    ORIEL_DUAL = 0,             /* both through one socket */
};

enum oriel_event {
    ORIEL_READABLE = 1,
    ORIEL_WRITABLE = 2,
    ORIEL_FAILED = 4,           /* an error waits in ORIEL_OPT_ERROR */
};

ORIEL_API ORIEL_MUST_USE int oriel_udp_open(struct oriel_stack *s, enum oriel_family family,
                                            oriel_handle *out);
/* Sends and receives whole ICMP messages of one family; the checksum is filled in. */
ORIEL_API ORIEL_MUST_USE int oriel_icmp_open(struct oriel_stack *s, enum oriel_family family,
                                             oriel_handle *out);
ORIEL_API ORIEL_MUST_USE int oriel_close(struct oriel_stack *s, oriel_handle h);

/* Address all zero: any. Port 0: one is chosen (RFC 6056). */
ORIEL_API ORIEL_MUST_USE int oriel_bind(struct oriel_stack *s, oriel_handle h,
                                        const struct oriel_endpoint *local);
/* Remember where datagrams go, and take only what comes from there. An all-zero address undoes it. */
ORIEL_API ORIEL_MUST_USE int oriel_connect(struct oriel_stack *s, oriel_handle h,
                                           const struct oriel_endpoint *remote);
ORIEL_API ORIEL_MUST_USE int oriel_local(const struct oriel_stack *s, oriel_handle h,
                                         struct oriel_endpoint *out);
ORIEL_API ORIEL_MUST_USE int oriel_remote(const struct oriel_stack *s, oriel_handle h,
                                          struct oriel_endpoint *out);

/* What is said of one datagram, in or out; zero means "not given". */
struct oriel_msg {
    struct oriel_endpoint peer; /* from, or to */
    struct oriel_addr local;    /* the address it was sent to; or the source to use */
    int netif;                  /* it came in by; or is to leave by */
    uint8_t ttl;
    uint8_t tos;
    bool truncated;             /* the datagram was longer than the buffer */
    oriel_time arrival;
    size_t len;                 /* true length of a received datagram */
};

/* Bytes sent (all of them), or an error. msg NULL: to the connected peer. */
ORIEL_API ORIEL_MUST_USE int oriel_send(struct oriel_stack *s, oriel_handle h, const void *data,
                                        size_t len, const struct oriel_msg *msg);
/* Bytes received; ORIEL_EAGAIN when there is nothing. An error that waits is given once, first. */
ORIEL_API ORIEL_MUST_USE int oriel_recv(struct oriel_stack *s, oriel_handle h, void *buf,
                                        size_t cap,
                                        struct oriel_msg *msg);

enum oriel_opt {
    ORIEL_OPT_ERROR,            /* read only: the error that waits, cleared by reading */
    ORIEL_OPT_RCVBUF,           /* bytes of datagrams that may wait */
    ORIEL_OPT_TTL,              /* of unicast; 0: the default */
    ORIEL_OPT_MCAST_TTL,        /* 1 */
    ORIEL_OPT_MCAST_LOOP,       /* our own groups hear us; 1 */
    ORIEL_OPT_MCAST_NETIF,      /* where multicast leaves; 0: by route */
    ORIEL_OPT_TOS,
    ORIEL_OPT_BROADCAST,        /* may send to broadcast addresses; 0 */
    ORIEL_OPT_REUSEADDR,        /* the port may be shared with others that say so */
    ORIEL_OPT_V6ONLY,
    ORIEL_OPT_BIND_NETIF,       /* only this interface */
    ORIEL_OPT_NO_CSUM,          /* IPv4: send without checksum */
    ORIEL_OPT_DF,               /* 0 fragment as needed, 1 never (ORIEL_EMSGSIZE), 2 ignore path MTU */
    ORIEL_OPT_MTU,              /* read only: of the path of a connected socket */
    ORIEL_OPT_N
};

/* ORIEL_ENOPROTOOPT: unknown or not for this socket; ORIEL_EINVAL: out of its bounds. */
ORIEL_API ORIEL_MUST_USE int oriel_setopt(struct oriel_stack *s, oriel_handle h, enum oriel_opt opt,
                                          int64_t value);
ORIEL_API ORIEL_MUST_USE int oriel_getopt(struct oriel_stack *s, oriel_handle h, enum oriel_opt opt,
                                          int64_t *value);

/* Groups: all sources but `sources` (exclude), or only those. Joining twice replaces the filter. */
ORIEL_API ORIEL_MUST_USE int oriel_group_join(struct oriel_stack *s, oriel_handle h, int netif,
                                              const struct oriel_addr *group, bool exclude,
                                              const struct oriel_addr *sources, unsigned n);
ORIEL_API ORIEL_MUST_USE int oriel_group_leave(struct oriel_stack *s, oriel_handle h, int netif,
                                               const struct oriel_addr *group);

/* The last ICMP error of a socket: who reported what. ORIEL_ENOENT when there was none. */
struct oriel_error_info {
    int err;
    uint8_t icmp_type;          /* of the family of `from`; 0 with code 0 when this host found out */
    uint8_t icmp_code;
    bool from_net;
    struct oriel_addr from;
    struct oriel_endpoint to;   /* where the packet was sent */
    uint32_t mtu;
    uint64_t count;             /* errors so far */
};
ORIEL_API ORIEL_MUST_USE int oriel_last_error(const struct oriel_stack *s, oriel_handle h,
                                              struct oriel_error_info *out);

/* What a socket is ready for now: enum oriel_event. */
ORIEL_API uint32_t oriel_ready(const struct oriel_stack *s, oriel_handle h);

struct oriel_readiness {
    oriel_handle handle;
    uint32_t events;
};
/* Sockets that became ready since they were last named here. */
ORIEL_API unsigned oriel_ready_take(struct oriel_stack *s, struct oriel_readiness out[],
                                    unsigned max);

/* ---- seeing: a consistent picture between steps; *cursor starts at 0; false at the end ---- */

struct oriel_netif_info {
    int netif;
    const char *name;
    enum oriel_netif_kind kind;
    bool up, carrier;
    uint8_t mac[6];
    uint32_t mtu;
    uint16_t vlan_id;
    int vlan_parent;
    uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes, tx_full;
    uint32_t tx_waiting;
};
struct oriel_addr_info {
    int netif;
    struct oriel_addr addr;
    uint8_t prefix_len;
    const char *state;          /* "tentative", "preferred", "deprecated", "duplicate" */
    const char *origin;         /* "static", "auto", "link-local", "rarp" */
    oriel_time preferred_until, valid_until;
};
struct oriel_route_info {
    struct oriel_addr prefix;
    uint8_t prefix_len;
    struct oriel_addr gateway;
    int netif;
    uint32_t metric;
    const char *origin;
};
struct oriel_neigh_info {
    int netif;
    struct oriel_addr addr;
    uint8_t mac[6];
    const char *state;
    bool router;
    uint32_t waiting;
    oriel_time confirmed;
};
struct oriel_socket_info {
    oriel_handle handle;
    const char *kind;           /* "udp", "icmp" */
    enum oriel_family family;
    struct oriel_endpoint local, remote;
    uint32_t rcv_bytes, rcv_pkts, rcv_max;
    uint64_t in_pkts, in_bytes, out_pkts, out_bytes, dropped;
    uint32_t ready;
};
struct oriel_group_info {
    int netif;
    struct oriel_addr group;
    bool exclude;
    unsigned sources, members;
};
struct oriel_nat_info {
    const char *proto;
    struct oriel_endpoint inside, outside;
    int netif;
    oriel_time until;
};
struct oriel_pmtu_info {
    struct oriel_addr dst;
    uint32_t mtu;
    oriel_time until;
};
struct oriel_reasm_info {
    struct oriel_addr src, dst;
    uint32_t id, held_bytes, total_len;
    oriel_time until;
};
struct oriel_counter_info {
    const char *group;          /* "why", "drop", "pool" */
    const char *name;
    const char *text;
    uint64_t value;
};
struct oriel_limit_info {
    const char *name;
    uint64_t value;
    uint64_t used;
    const char *from;           /* "memory / 64", "connections" ... */
};

ORIEL_API bool oriel_netif_each(const struct oriel_stack *s, uint32_t *cursor,
                                struct oriel_netif_info *out);
ORIEL_API bool oriel_addr_each(const struct oriel_stack *s, uint32_t *cursor,
                               struct oriel_addr_info *out);
ORIEL_API bool oriel_route_each(const struct oriel_stack *s, uint32_t *cursor,
                                struct oriel_route_info *out);
ORIEL_API bool oriel_neigh_each(const struct oriel_stack *s, uint32_t *cursor,
                                struct oriel_neigh_info *out);
ORIEL_API bool oriel_socket_each(const struct oriel_stack *s, uint32_t *cursor,
                                 struct oriel_socket_info *out);
ORIEL_API bool oriel_group_each(const struct oriel_stack *s, uint32_t *cursor,
                                struct oriel_group_info *out);
ORIEL_API bool oriel_nat_each(const struct oriel_stack *s, uint32_t *cursor,
                              struct oriel_nat_info *out);
ORIEL_API bool oriel_pmtu_each(const struct oriel_stack *s, uint32_t *cursor,
                               struct oriel_pmtu_info *out);
ORIEL_API bool oriel_reasm_each(const struct oriel_stack *s, uint32_t *cursor,
                                struct oriel_reasm_info *out);
ORIEL_API bool oriel_counter_each(const struct oriel_stack *s, uint32_t *cursor,
                                  struct oriel_counter_info *out);
ORIEL_API bool oriel_limit_each(const struct oriel_stack *s, uint32_t *cursor,
                                struct oriel_limit_info *out);

/*
 * Called when an assertion of the stack itself fails; must not return. The default, a weak symbol,
 * traps; define your own to print and dump first.
 */
ORIEL_API ORIEL_NORETURN void oriel_assert_failed(const char *file, int line, const char *what);

/* What the processor can do, for oriel_config.cpu; the core does not look for itself. */
#define ORIEL_CPU_AVX2 0x1u

#ifdef __cplusplus
}
#endif

#endif
