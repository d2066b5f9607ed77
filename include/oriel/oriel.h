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
    ORIEL_ECONNRESET = -22,  /* the peer aborted the connection */
    ORIEL_EPIPE = -23,       /* this side has closed for sending, or the connection is gone */
    ORIEL_EINPROGRESS = -24, /* a connection is being made */
    ORIEL_ECONNABORTED = -25, /* it ended before it was accepted */
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

enum oriel_personality {
    ORIEL_AS_ORIEL,             /* the RFCs with the choices that docs/deviations.md lists */
    ORIEL_AS_RFC,               /* to the letter */
    ORIEL_AS_LINUX,             /* option order, windows, times and answers as Linux has them */
    ORIEL_AS_FREEBSD,
};

enum oriel_ecn {
    ORIEL_ECN_DEFAULT,          /* as the personality has it: answered, not asked for */
    ORIEL_ECN_OFF,
    ORIEL_ECN_PASSIVE,          /* answered when the peer asks */
    ORIEL_ECN_ON,               /* asked for (RFC 3168) */
    ORIEL_ECN_ACCURATE,         /* asked for, more accurate feedback (RFC 9768) */
};

enum oriel_cookies {
    ORIEL_COOKIES_WHEN_FULL,    /* SYN cookies when the table of half-open connections is full */
    ORIEL_COOKIES_NEVER,
    ORIEL_COOKIES_ALWAYS,
};

/* Of TCP; zero means: as the personality has it. */
struct oriel_tcp_config {
    enum oriel_personality personality;
    enum oriel_ecn ecn;
    enum oriel_cookies cookies;
    const char *congestion;     /* "cubic", "newreno", "bbr"; NULL: the default */
    uint32_t sndbuf, rcvbuf;    /* bytes to begin with; they grow unless set on a socket */
    uint32_t sndbuf_max, rcvbuf_max;    /* as far as they grow by themselves */
    uint32_t msl_ms;            /* TIME-WAIT lasts twice as long */
    uint32_t rto_min_ms, rto_max_ms, rto_init_ms;
    uint32_t delack_ms;
    uint8_t initial_window;     /* segments */
    int8_t window_scale;        /* 1..14: that shift; 0: from rcvbuf_max; -1: option not used */
    bool no_timestamps;
    bool no_sack;
    bool no_rack;               /* loss detection by counting duplicates only (RFC 6675) */
    bool no_fast_path;          /* every segment takes the long way: for tests, the result is equal */
    bool mtu_probing;           /* search for the path's MTU from the start (RFC 4821) */
    uint8_t fastopen_key[16];   /* cookies of this stack; all zero: from the seed */
    uint32_t half_open;         /* half-open connections at most; 0: from the budget */
    uint32_t time_wait;         /* TIME-WAIT records at most; 0: from the budget */
};

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
    struct oriel_tcp_config tcp;
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
    bool gso;                   /* with vouches: it also takes TCP segments larger than its frames */
    bool watched;               /* loopback: oriel_netif_take gives copies of what passes, at most
                                 * tx_queue. Who sets it takes them, or it is always time for a step */
    int vlan_parent;            /* VLAN: the interface below */
    uint16_t vlan_id;           /* 1..4094 */
    bool vlan_qinq;             /* tag 0x88a8 instead of 0x8100 */
    bool ip6;                   /* make a link-local address, listen to routers */
    bool accept_ra;             /* form addresses and routes from router advertisements */
    bool probe4;                /* probe IPv4 addresses before use (RFC 5227) */
    bool no_dad;                /* use IPv6 addresses without probing: point-to-point links, labs */
    bool nat;                   /* translate the source of forwarded IPv4 packets leaving here */
    /*
     * Stands in for others: what comes in to a unicast address that is not ours is for this host's
     * sockets (ORIEL_OPT_ANY_ADDR, oriel_listen.any_addr) and, where none takes it, is answered as
     * usual from that address. ARP and neighbour discovery answer for our addresses alone.
     */
    bool any_addr;
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
typedef uint64_t oriel_handle;

enum oriel_family {
    ORIEL_IP4 = 4,
    ORIEL_IP6 = 6,
    ORIEL_DUAL = 0,             /* both through one socket */
};

enum oriel_event {
    ORIEL_READABLE = 1,
    ORIEL_WRITABLE = 2,
    ORIEL_FAILED = 4,           /* an error waits in ORIEL_OPT_ERROR */
    ORIEL_ACCEPTABLE = 8,       /* a listener has a connection, or one that waits to be admitted */
    ORIEL_URGENT = 16,          /* urgent data is ahead or has come */
    ORIEL_PEER_CLOSED = 32,     /* the peer will send no more */
    ORIEL_HUNG_UP = 64,         /* both directions are closed, or the connection is gone */
};

ORIEL_API ORIEL_MUST_USE int oriel_udp_open(struct oriel_stack *s, enum oriel_family family,
                                            oriel_handle *out);
/*
 * Sends and receives whole ICMP messages of one family; the checksum is filled in. Beside answers and
 * errors it hears, on a router, solicitations for routers.
 */
ORIEL_API ORIEL_MUST_USE int oriel_icmp_open(struct oriel_stack *s, enum oriel_family family,
                                             oriel_handle *out);
ORIEL_API ORIEL_MUST_USE int oriel_close(struct oriel_stack *s, oriel_handle h);

/* Address all zero: any. Port 0: one is chosen (RFC 6056). */
ORIEL_API ORIEL_MUST_USE int oriel_bind(struct oriel_stack *s, oriel_handle h,
                                        const struct oriel_endpoint *local);
/*
 * Datagrams: remember where they go, and take only what comes from there; an all-zero address undoes
 * it. Streams: begin to connect; 0 when that is under way (ORIEL_WRITABLE when it is done,
 * ORIEL_FAILED when not).
 */
ORIEL_API ORIEL_MUST_USE int oriel_connect(struct oriel_stack *s, oriel_handle h,
                                           const struct oriel_endpoint *remote);
ORIEL_API ORIEL_MUST_USE int oriel_local(const struct oriel_stack *s, oriel_handle h,
                                         struct oriel_endpoint *out);
ORIEL_API ORIEL_MUST_USE int oriel_remote(const struct oriel_stack *s, oriel_handle h,
                                          struct oriel_endpoint *out);

enum oriel_msg_flag {
    ORIEL_MSG_MORE = 1,         /* send: more follows at once, do not send a small segment yet */
    ORIEL_MSG_URGENT = 2,       /* send: the last byte is urgent; receive: only the urgent byte */
    ORIEL_MSG_PEEK = 4,         /* receive: leave it there */
    ORIEL_MSG_FASTOPEN = 8,     /* send on an unconnected stream: connect to `peer` with this data */
    ORIEL_MSG_EOR = 16,         /* send: the last byte ends a segment (PSH) */
};

/*
 * What is said of one datagram or of bytes of a stream, in or out; zero means "not given". A `local` of
 * 0.0.0.0 (::ffff:0:0) to 255.255.255.255 over an interface that is named sends from 0.0.0.0: who has
 * no address yet.
 */
struct oriel_msg {
    uint32_t flags;             /* enum oriel_msg_flag */
    struct oriel_endpoint peer; /* from, or to */
    struct oriel_addr local;    /* the address it was sent to; or the source to use */
    int netif;                  /* it came in by; or is to leave by */
    uint8_t ttl;
    uint8_t tos;
    uint16_t local_port;        /* UDP: the port it was sent to; or (ORIEL_OPT_ANY_ADDR) to send from */
    bool truncated;             /* the datagram was longer than the buffer */
    oriel_time arrival;
    size_t len;                 /* true length of a received datagram */
};

/*
 * Bytes taken, or an error. A datagram is taken whole; of a stream as much as there is room for, at
 * least one byte, ORIEL_EAGAIN when there is none; ORIEL_ENOBUFS where the stack's memory is short and the
 * connection has nothing under way. ORIEL_WRITABLE tells when to try again, after either. msg NULL: to
 * the connected peer.
 */
ORIEL_API ORIEL_MUST_USE int oriel_send(struct oriel_stack *s, oriel_handle h, const void *data,
                                        size_t len, const struct oriel_msg *msg);
/*
 * Bytes received; ORIEL_EAGAIN when there is nothing. An error that waits is given once: before
 * datagrams, but after the bytes of a stream that came before it. 0 from a stream: the peer closed.
 */
ORIEL_API ORIEL_MUST_USE int oriel_recv(struct oriel_stack *s, oriel_handle h, void *buf,
                                        size_t cap,
                                        struct oriel_msg *msg);

/* ---- streams: TCP ---- */

ORIEL_API ORIEL_MUST_USE int oriel_tcp_open(struct oriel_stack *s, enum oriel_family family,
                                            oriel_handle *out);

/*
 * Listen, on a socket that is bound (or on a chosen port). What a plain listener takes is what it is
 * bound to; `any_addr` takes connections to every address, ours or not, and port_last a range of
 * ports: how a gateway stands in for others. `defer`: each SYN is held until oriel_admit.
 */
struct oriel_listen {
    uint32_t backlog;           /* connections that wait to be accepted; 0: 128 */
    bool any_addr;
    uint16_t port_last;         /* 0: only the port that it is bound to */
    bool defer;
};
/* l NULL: all defaults. */
ORIEL_API ORIEL_MUST_USE int oriel_listen(struct oriel_stack *s, oriel_handle h,
                                          const struct oriel_listen *l);

/* A connection that is established; ORIEL_EAGAIN. peer may be NULL. */
ORIEL_API ORIEL_MUST_USE int oriel_accept(struct oriel_stack *s, oriel_handle h, oriel_handle *out,
                                          struct oriel_endpoint *peer);

/* A SYN that a deferring listener holds. */
struct oriel_held {
    uint64_t id;
    struct oriel_endpoint local, remote;
    int netif;
};
enum oriel_admission {
    ORIEL_ADMIT,                /* answer the SYN */
    ORIEL_ADMIT_RESET,          /* refuse with a reset */
    ORIEL_ADMIT_UNREACHABLE,    /* refuse with ICMP host unreachable */
};
/* The next one that has not been named yet; ORIEL_EAGAIN. */
ORIEL_API ORIEL_MUST_USE int oriel_held_next(struct oriel_stack *s, oriel_handle h,
                                             struct oriel_held *out);
/* ORIEL_ENOENT: it is gone by now. */
ORIEL_API ORIEL_MUST_USE int oriel_admit(struct oriel_stack *s, oriel_handle h, uint64_t id,
                                         enum oriel_admission what);

enum oriel_shut {
    ORIEL_SHUT_READ = 1,        /* what still comes is thrown away */
    ORIEL_SHUT_WRITE = 2,       /* a FIN after what was written */
};
ORIEL_API ORIEL_MUST_USE int oriel_shutdown(struct oriel_stack *s, oriel_handle h, int how);

/* End it now: a reset where one is due. The handle is gone as with oriel_close. */
ORIEL_API ORIEL_MUST_USE int oriel_abort(struct oriel_stack *s, oriel_handle h);

/*
 * Without copying. A window into the send buffer: write up to n bytes there, then commit as many as
 * were written, before any other call about this socket. n is 0 when there is no room:
 * ORIEL_WRITABLE tells when there is.
 */
struct oriel_room {
    void *p;
    size_t n;
};
struct oriel_bytes {
    const void *p;
    size_t n;
};
ORIEL_API struct oriel_room oriel_send_window(struct oriel_stack *s, oriel_handle h);
ORIEL_API ORIEL_MUST_USE int oriel_send_commit(struct oriel_stack *s, oriel_handle h, size_t n);
/* Pieces of what waits to be read, in order; the number of them, 0 at the end of the stream,
 * ORIEL_EAGAIN, or an error. They stay until oriel_recv_release takes n bytes off the front. */
ORIEL_API ORIEL_MUST_USE int oriel_recv_view(struct oriel_stack *s, oriel_handle h,
                                             struct oriel_bytes out[], unsigned max);
ORIEL_API ORIEL_MUST_USE int oriel_recv_release(struct oriel_stack *s, oriel_handle h, size_t n);

enum oriel_tcp_state {
    ORIEL_TCP_CLOSED,
    ORIEL_TCP_LISTEN,
    ORIEL_TCP_SYN_SENT,
    ORIEL_TCP_SYN_RCVD,
    ORIEL_TCP_ESTABLISHED,
    ORIEL_TCP_FIN_WAIT_1,
    ORIEL_TCP_FIN_WAIT_2,
    ORIEL_TCP_CLOSE_WAIT,
    ORIEL_TCP_CLOSING,
    ORIEL_TCP_LAST_ACK,
    ORIEL_TCP_TIME_WAIT,
    ORIEL_TCP_STATES
};
/* "FIN_WAIT_1"; never NULL. */
ORIEL_API const char *oriel_tcp_state_name(enum oriel_tcp_state st);

/* What keeps a connection from sending now. */
enum oriel_tcp_limit {
    ORIEL_LIMIT_APPLICATION,    /* it has nothing to send */
    ORIEL_LIMIT_CWND,           /* congestion control */
    ORIEL_LIMIT_PEER_WINDOW,    /* the peer's receive window */
    ORIEL_LIMIT_NAGLE,          /* a small segment waits for an acknowledgement */
    ORIEL_LIMIT_CORK,           /* a small segment waits for more */
    ORIEL_LIMIT_PACING,         /* its time has not come */
    ORIEL_LIMIT_SEND_BUFFER,    /* all is under way and the application may not write more */
    ORIEL_LIMIT_HANDSHAKE,
    ORIEL_LIMIT_N
};
ORIEL_API const char *oriel_tcp_limit_name(enum oriel_tcp_limit l);

enum oriel_tcp_ca {             /* as Linux numbers them */
    ORIEL_CA_OPEN,
    ORIEL_CA_DISORDER,
    ORIEL_CA_CWR,
    ORIEL_CA_RECOVERY,
    ORIEL_CA_LOSS,
};

/* What Linux tells in struct tcp_info, under its names; times in microseconds where it says so. */
struct oriel_tcp_info {
    enum oriel_tcp_state state;
    enum oriel_tcp_ca ca_state;
    uint8_t retransmits;        /* of the oldest segment, by timeout, since the last progress */
    uint8_t probes;             /* zero-window or keep-alive probes unanswered */
    uint8_t backoff;
    bool timestamps, sack, wscale, ecn, ecn_seen, accurate_ecn, syn_data, delivery_app_limited;
    uint8_t snd_wscale, rcv_wscale;
    uint8_t fastopen_client_fail;
    uint32_t rto_us, ato_us;
    uint32_t snd_mss, rcv_mss, advmss, pmtu;
    uint32_t unacked, sacked, lost, retrans;    /* segments */
    uint32_t last_data_sent_ms, last_data_recv_ms, last_ack_recv_ms;    /* ago */
    uint32_t rtt_us, rttvar_us, min_rtt_us, rcv_rtt_us;
    uint32_t snd_ssthresh, snd_cwnd;            /* segments */
    uint32_t cwnd_bytes, ssthresh_bytes;        /* ssthresh UINT32_MAX: none yet */
    uint32_t reordering, reord_seen;
    uint32_t rcv_space, rcv_ssthresh;
    uint32_t total_retrans;
    uint64_t pacing_rate, max_pacing_rate;      /* bytes a second; UINT64_MAX: no limit */
    uint64_t bytes_acked, bytes_received, bytes_sent, bytes_retrans;
    uint32_t segs_out, segs_in, data_segs_in, data_segs_out;
    uint32_t notsent_bytes;
    uint64_t delivery_rate;                     /* bytes a second */
    uint64_t busy_us, rwnd_limited_us, sndbuf_limited_us;
    uint32_t delivered, delivered_ce;           /* segments */
    uint32_t dsack_dups, rcv_ooopack;
    uint32_t snd_wnd, rcv_wnd;
    uint32_t rehash;
    uint16_t total_rto, total_rto_recoveries;
    uint32_t total_rto_time_ms;
    /* and what it does not */
    const char *congestion;
    uint32_t iss, irs, snd_una, snd_nxt, rcv_nxt;
    uint32_t send_queue, recv_queue, sndbuf, rcvbuf;
    uint64_t rto_at, delack_at; /* moments; ORIEL_NEVER */
    enum oriel_tcp_limit limit; /* now */
    uint64_t limit_ns[ORIEL_LIMIT_N];           /* under each since it opened */
};
ORIEL_API ORIEL_MUST_USE int oriel_tcp_info(const struct oriel_stack *s, oriel_handle h,
                                            struct oriel_tcp_info *out);

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
    ORIEL_OPT_ANY_ADDR,         /* stands in for others, see below; 0 */
    /* of streams */
    ORIEL_OPT_SNDBUF,           /* bytes written and not yet acknowledged; setting it stops growth */
    ORIEL_OPT_RCVLOWAT,         /* readable when that many bytes wait; 1 */
    ORIEL_OPT_REUSEPORT,        /* several listeners share a port, and connections between them */
    ORIEL_OPT_LINGER,           /* -1 off; 0: closing aborts; else ms that closing may take */
    ORIEL_OPT_KEEPALIVE,
    ORIEL_OPT_KEEPIDLE_MS,
    ORIEL_OPT_KEEPINTVL_MS,
    ORIEL_OPT_KEEPCNT,
    ORIEL_OPT_USER_TIMEOUT_MS,  /* 0: the default */
    ORIEL_OPT_NODELAY,
    ORIEL_OPT_CORK,
    ORIEL_OPT_QUICKACK,
    ORIEL_OPT_MAXSEG,
    ORIEL_OPT_CONGESTION,       /* enum: 0 newreno, 1 cubic, 2 bbr (oriel_congestion_named) */
    ORIEL_OPT_NOTSENT_LOWAT,    /* writable only while fewer unsent bytes wait; 0: no such limit */
    ORIEL_OPT_DEFER_ACCEPT_MS,  /* a listener's connections appear when data came, or after that */
    ORIEL_OPT_MAX_PACING_RATE,  /* bytes a second; 0: none */
    ORIEL_OPT_FASTOPEN,         /* listener: pending connections at most; 0 off */
    ORIEL_OPT_FASTOPEN_CONNECT, /* oriel_connect waits for the first data */
    ORIEL_OPT_WINDOW_CLAMP,
    ORIEL_OPT_OOBINLINE,
    ORIEL_OPT_SYNCNT,           /* SYNs sent again before giving up; 0: by time */
    ORIEL_OPT_SOFT_ERRORS,      /* ICMP errors that do not end it are told too (RECVERR); 1 */
    ORIEL_OPT_PKTINFO,          /* accepted for streams; datagrams always tell */
    ORIEL_OPT_ECN,              /* enum oriel_ecn */
    ORIEL_OPT_AT_MARK,          /* read only: is the next byte the first after urgent data? */
    ORIEL_OPT_UNREAD,           /* read only: bytes that wait to be read */
    ORIEL_OPT_UNSENT,           /* read only: bytes written and not yet acknowledged */
    ORIEL_OPT_MD5SIG,           /* not implemented: ORIEL_EOPNOTSUPP */
    ORIEL_OPT_AUTHENTICATION,   /* TCP-AO: the same */
    ORIEL_OPT_TEMPORARY_ADDRS,  /* IPv6 privacy addresses: the same */
    ORIEL_OPT_N
};

/*
 * ORIEL_OPT_ANY_ADDR: the socket may have, and send from, addresses that are not ours, over an interface
 * with any_addr. What it gets beside:
 *   UDP   to other addresses too, where no more specific socket takes it; while it is not bound, to
 *         every port. oriel_msg.local and local_port say where to, and, when it sends, where from:
 *         unbound, it must say local_port.
 *   ICMP  echo requests to other addresses, which the stack then does not answer itself
 *   TCP   (a listener: see oriel_listen)
 */

/* ORIEL_OPT_CONGESTION's number for a name, ORIEL_ENOENT; and back, NULL. */
ORIEL_API ORIEL_MUST_USE int oriel_congestion_named(const char *name);
ORIEL_API const char *oriel_congestion_name(int kind);

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
    const char *kind;           /* "udp", "icmp", "tcp" */
    enum oriel_tcp_state state; /* of streams */
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
struct oriel_dns_info {
    int netif;
    struct oriel_addr addr;     /* a name server that a router told of (RFC 8106) */
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
/* Connections without a socket as well: half-open, closed by the application, in TIME-WAIT. */
struct oriel_conn_info {
    struct oriel_endpoint local, remote;
    enum oriel_tcp_state state;
    oriel_handle handle;        /* 0: no socket */
    oriel_time until;           /* TIME-WAIT ends, or the SYN-ACK is sent again; ORIEL_NEVER */
    uint32_t send_queue, recv_queue;
};
ORIEL_API bool oriel_conn_each(const struct oriel_stack *s, uint32_t *cursor,
                               struct oriel_conn_info *out);
ORIEL_API bool oriel_group_each(const struct oriel_stack *s, uint32_t *cursor,
                                struct oriel_group_info *out);
ORIEL_API bool oriel_nat_each(const struct oriel_stack *s, uint32_t *cursor,
                              struct oriel_nat_info *out);
ORIEL_API bool oriel_dns_each(const struct oriel_stack *s, uint32_t *cursor,
                              struct oriel_dns_info *out);
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
