/*
 * Small applications over the public surface: ping, traceroute, a UDP listener, a UDP sender.
 *
 * Each is a struct of the caller's that is driven by calls: *_start, then *_step whenever its stack
 * was stepped or its deadline has come, until *_deadline says ORIEL_NEVER. They read no clock and
 * wait for nothing, so the same code runs in virtual and in real time. What people know from
 * iputils ping and from traceroute is printed through a sink, a line at a time.
 *
 * A socket that an application opened stays open until *_stop (or the end of its stack).
 */
#ifndef ORIEL_LAB_APP_H
#define ORIEL_LAB_APP_H

#include "base/addr.h"
#include "base/clock.h"
#include "base/sink.h"

#define APP_BUFFER       66000      /* a buffer of this size is always enough */
#define PING_SLOTS       1024       /* probes that are remembered; must be a power of two */
#define TRACE_HOPS_MAX   64
#define TRACE_PROBES     3
#define TRACE_PORT       33434
#define UDP_TEXT_MAX     2048       /* bytes of what a listener heard that are kept */
#define UDP_SOURCES_MAX  16

/* Where an application lives. */
struct app_host {
    struct oriel_stack *stack;
    struct sink out;                /* put == NULL: nobody listens */
    const char *prefix;             /* before every line; NULL: nothing */
    uint8_t *buffer;                /* APP_BUFFER bytes for the time of one call; may be shared */
};

/* ---- ping ---- */

struct ping_params {
    struct oriel_addr to;
    uint32_t count;             /* 0: until ping_stop */
    uint32_t size;              /* bytes of data; 56 is usual */
    oriel_time interval;
    oriel_time wait;            /* for the last answers; 0: twice the round trip, or 10 s */
    uint8_t ttl;                /* 0: the stack's */
    uint8_t tos;
    uint8_t df;                 /* as ORIEL_OPT_DF */
    bool broadcast;
    bool quiet;                 /* only the first line and the summary */
    uint16_t id;                /* identifier of the messages */
    int netif;                  /* 0: by route */
};

struct ping {
    struct app_host host;
    struct ping_params p;
    oriel_handle sock;
    bool v4;
    bool done;
    int failed;                 /* the socket could not be made: enum oriel_err */
    uint32_t sent, received, errors, dups;
    uint32_t unsent;            /* of the errors: the stack did not take the request */
    uint32_t pipe;              /* most probes under way at once */
    uint64_t local_errors;      /* of oriel_last_error, seen so far */
    oriel_time start, last_sent, next;
    uint64_t min_us, max_us, sum_us, sum2_us;
    oriel_time sent_at[PING_SLOTS];
    uint8_t state[PING_SLOTS];  /* enum: see app_ping.c */
};

void ping_start(struct ping *g, const struct app_host *host, const struct ping_params *p,
                oriel_time now);
void ping_step(struct ping *g, oriel_time now);
oriel_time ping_deadline(const struct ping *g);
void ping_stop(struct ping *g);         /* prints the summary if it has not been */

/* ---- traceroute ---- */

struct trace_params {
    struct oriel_addr to;
    uint8_t hops_max;           /* 0: 30 */
    uint8_t probes;             /* a hop; 0: 3 */
    bool icmp;                  /* echo requests instead of datagrams */
    oriel_time wait;            /* for one answer; 0: 5 s */
    uint16_t size;              /* of the whole packet; 0: 60 (IPv4), 80 (IPv6) */
    uint16_t id;                /* identifier of echo requests */
};

struct trace_hop {
    struct oriel_addr from;     /* of the first answer; ADDR_NONE: nobody answered */
    oriel_time rtt[TRACE_PROBES];
    uint8_t answers;
};

struct tracer {
    struct app_host host;
    struct trace_params p;
    oriel_handle sock;
    bool v4;
    bool done;
    bool reached;
    int failed;
    uint8_t hop;                /* in hand, from 1 */
    uint8_t probe;              /* of this hop, from 0 */
    uint16_t number;            /* of the probe, over all */
    uint64_t errors_seen;
    struct oriel_addr shown;    /* the address that stands on this line already */
    oriel_time sent_at, deadline;
    char line[256];
    size_t line_n;
    struct trace_hop hops[TRACE_HOPS_MAX];
};

void trace_start(struct tracer *t, const struct app_host *host, const struct trace_params *p,
                 oriel_time now);
void trace_step(struct tracer *t, oriel_time now);
oriel_time trace_deadline(const struct tracer *t);

/* ---- a listener on UDP ---- */

struct udp_group {
    struct oriel_addr group;
    int netif;
    bool exclude;
    uint8_t n;
    struct oriel_addr sources[UDP_SOURCES_MAX];
};

struct udp_listen_params {
    struct oriel_endpoint local;
    bool echo;                  /* sends back what comes */
    bool unread;                /* reads nothing: datagrams wait in the socket */
    bool reuse;
    bool broadcast;
    bool v6only;
    bool any_addr;              /* stands in for others */
    uint32_t rcvbuf;            /* 0: the default */
    uint8_t ttl;
    int netif;                  /* only from that interface; 0: any */
    bool has_group;
    struct udp_group group;
};

struct udp_listener {
    struct app_host host;
    struct udp_listen_params p;
    oriel_handle sock;
    int failed;
    uint64_t received, bytes, echoed;
    int error;                  /* the last one it was told of */
    uint32_t text_n;
    uint8_t text[UDP_TEXT_MAX]; /* what came, in one piece */
};

/* 0, or an error: then nothing is open. */
int udp_listener_start(struct udp_listener *u, const struct app_host *host,
                       const struct udp_listen_params *p);
void udp_listener_step(struct udp_listener *u);
void udp_listener_stop(struct udp_listener *u);

/* ---- a sender of UDP ---- */

struct udp_send_params {
    struct oriel_endpoint to;
    uint16_t from_port;         /* 0: chosen */
    struct oriel_addr from;     /* ADDR_NONE: chosen */
    struct span text;           /* p == NULL: `size` bytes 0, 1, 2 ... */
    uint32_t size;
    uint32_t count;             /* at least 1 */
    oriel_time every;
    bool connected;
    bool no_csum;
    bool broadcast;
    uint8_t df;
    uint8_t ttl;
    uint8_t tos;
    int netif;
};

struct udp_sender {
    struct app_host host;
    struct udp_send_params p;
    oriel_handle sock;
    int failed;
    uint32_t sent;
    uint64_t received, bytes;   /* answers */
    uint64_t errors;            /* calls that failed, and what ICMP said */
    uint64_t errors_seen;
    int error;                  /* the first of them, 0: none */
    struct oriel_addr error_from;
    oriel_time next;            /* ORIEL_NEVER: all were sent */
    uint32_t text_n;
    uint8_t text[UDP_TEXT_MAX]; /* the answers */
};

void udp_sender_start(struct udp_sender *u, const struct app_host *host,
                      const struct udp_send_params *p, oriel_time now);
void udp_sender_step(struct udp_sender *u, oriel_time now);
static inline oriel_time udp_sender_deadline(const struct udp_sender *u)
{
    return u->next;
}
void udp_sender_stop(struct udp_sender *u);

/* ---- shared between them: app.c ---- */

/* A line, with the host's prefix, to its sink. */
void app_say(const struct app_host *h, struct txt *line);

/* "Destination Port Unreachable": an ICMP error in the words of ping. */
void app_icmp_text(struct txt *t, bool v4, uint8_t type, uint8_t code, uint32_t info);

/* "ECONNREFUSED" for ORIEL_ECONNREFUSED, "OK" for 0; and back: true when there is such a name. */
const char *app_error_name(int err);
bool app_error_named(struct span name, int *err);

/* "Network is unreachable": an error in the words of the system's own programs. */
const char *app_error_text(int err);

/* n bytes 0, 1, 2 ... 255, 0 ... */
void app_fill(uint8_t *at, size_t n);

/*
 * An echo request of `size` bytes of data into the buffer, with the checksum left to the socket.
 * The length of the message.
 */
size_t app_echo_request(uint8_t *buffer, bool v4, uint16_t id, uint16_t seq, size_t size);

/* What an ICMP message says about an echo of ours. */
enum app_icmp_kind {
    APP_ICMP_OTHER,
    APP_ICMP_REPLY,
    APP_ICMP_ERROR,
};
struct app_icmp {
    enum app_icmp_kind kind;
    uint8_t type, code;
    uint16_t seq;
    uint32_t info;              /* MTU or pointer */
    struct oriel_addr gateway;  /* redirect */
};

/* A message that a raw socket of that family received, about echoes with that identifier. */
struct app_icmp app_icmp_parse(struct span message, bool v4, uint16_t id,
                               const struct oriel_addr *to);

#endif
