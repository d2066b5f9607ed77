/*
 * Scripts: the packetdrill language, played in virtual time against one stack.
 *
 *     0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 *     +0  bind(3, ..., ...) = 0
 *     +0  listen(3, 1) = 0
 *     +0  < S 0:0(0) win 32792 <mss 1460>
 *     +0  > S. 0:0(0) ack 1 <...>
 *     +.1 < . 1:1(0) ack 1 win 257
 *     +0  accept(3, ..., ...) = 4
 *
 * A script plays the network: it makes the packets that arrive, says which ones must leave and
 * when, and makes the socket calls of an application. The stack has one interface for bare IP
 * packets. docs/script-format.md is the whole language. Three steps:
 *
 *     struct script *s = script_parse(&arena, name, text, &err);      every mistake in the text
 *     struct script_run *r = script_open(&arena, s, &options, &err);  a stack, at time 0
 *     bool passed = script_play(r);
 *     ... script_print_failure(&t, r), script_ladder(r, ...), script_each_packet ...
 *     script_close(r);
 *
 * A script gives exactly one verdict: it passed, or its first failure. A script may be run again
 * and again; the arena is the caller's to wind back. Nothing is allocated, printed or read
 * elsewhere. The text must outlive the script.
 */
#ifndef ORIEL_LAB_SCRIPT_H
#define ORIEL_LAB_SCRIPT_H

#include "base/addr.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/sink.h"
#include "lens/ladder.h"
#include "lens/syntax.h"
#include "trace/trace.h"

#define SCRIPT_MEMORY    ((size_t)192 << 20)    /* comfortable: address space, touched as used */
#define SCRIPT_ARGS_MAX  8      /* of one call */
#define SCRIPT_OPTS_MAX  40     /* TCP options of one packet */
#define SCRIPT_SACKS_MAX 4
#define SCRIPT_LIST_MAX  64     /* values in one list or structure */
#define SCRIPT_DEPTH_MAX 8      /* lists in lists */
#define SCRIPT_DEFINES_MAX 64
#define SCRIPT_PAYLOAD_MAX 65535

/* Where a text is wrong. Line 0: what was given from outside is. */
struct script_error {
    struct span file;           /* its name */
    uint32_t line;
    struct syntax_error at;
};

/* "a.pkt:3:8: found `winn`, expected ack, win, urg, <...> or a new line; did you mean win?" */
void script_error_print(struct txt *t, const struct script_error *e);

/* ---- settings: script_config.c ---- */

enum script_ip {
    SCRIPT_IP_ANY,              /* either family; IPv4 unless somebody asks for IPv6 */
    SCRIPT_IP4,
    SCRIPT_IP6,
    SCRIPT_MAPPED,              /* AF_INET6 sockets, IPv4 on the wire */
};

/*
 * What `--key=value` lines, --so_flags and sysctl commands say. Addresses that are ADDR_NONE are
 * packetdrill's (script_local, script_remote).
 */
struct script_setup {
    enum script_ip ip;
    uint32_t mtu;               /* 0: 1500 over IPv4, 1520 over IPv6: an MSS of 1460 in both */
    oriel_time tolerance;       /* how far a time may be off */
    uint32_t ts_tick_us;        /* of the stack's timestamps; 0: they are not compared */
    struct oriel_addr local, remote;
    uint16_t bind_port, connect_port;
    bool leftovers;             /* packets that no line expects are no failure */
    uint32_t tcp_fastopen;      /* as net.ipv4.tcp_fastopen */
    uint32_t connections;
    size_t memory;              /* of the stack */
    uint8_t ttl;
    uint8_t seed;
    bool strong_host;
    bool tso;                   /* the interface takes super-segments, as Linux's does */
    struct oriel_tcp_config tcp;
    char congestion[16];        /* tcp.congestion points here when it was set */
};

void script_setup_init(struct script_setup *c);

/* One setting. False: *err says what is wrong; columns count as if `key=value` stood there. */
bool script_setting(struct script_setup *c, struct span key, struct span value,
                    struct syntax_error *err);

/*
 * "personality=linux,cc=cubic": several, separated by commas or blanks; columns count in all of it.
 */
bool script_settings(struct script_setup *c, struct span text, struct syntax_error *err);

/* A command in backticks. False: it is none that means something here. */
bool script_command(struct script_setup *c, struct span text, struct syntax_error *err);

/* The stack's configuration; memory and time are the caller's to fill in. */
void script_config(const struct script_setup *c, struct oriel_config *out);

/*
 * A stack with the interface, addresses and routes of a script at that time; NULL: no memory. The
 * interface has index 1.
 */
struct oriel_stack *script_stack(const struct script_setup *c, bool v6, void *memory, size_t bytes,
                                 oriel_time now);

struct oriel_addr script_local(const struct script_setup *c, bool v6);
struct oriel_addr script_remote(const struct script_setup *c, bool v6);

/* Reports of membership and neighbour discovery: they come with addresses, not with a script. */
bool script_is_aside(struct span packet);

/* Where an IP packet is sent; false: it is none. */
bool script_destination(struct span packet, struct oriel_addr *out);

/* ---- a script ---- */

enum script_time {
    SCRIPT_ABSOLUTE,
    SCRIPT_RELATIVE,            /* to the event before */
    SCRIPT_ANY,                 /* `*`: whenever it comes */
};

enum script_event_kind {
    SCRIPT_PACKET,
    SCRIPT_CALL,
    SCRIPT_CODE,
    SCRIPT_COMMAND,
};

struct script_event {
    struct script_event *next;
    uint32_t line;
    struct span text;           /* as it stands, from its time on */
    enum script_time time;
    oriel_time from, to;        /* the same unless it is a range */
    enum script_event_kind kind;
    union {
        const struct script_packet *packet;
        const struct script_call *call;
        const struct script_assert *code;
    } is;
};

struct script {
    struct span file, text;
    struct script_setup setup;
    bool needs4, needs6;        /* it names addresses or constants of that family */
    struct script_event *first;
    uint32_t events;
};

/* NULL: *err says where and what. */
struct script *script_parse(struct arena *arena, struct span file, struct span text,
                            struct script_error *err);

/* May it run over that family? Both, unless it says or shows otherwise. */
bool script_runs_over(const struct script *s, bool v6);

/* ---- packets of a script ---- */

enum script_proto {
    SCRIPT_TCP,
    SCRIPT_UDP,
    SCRIPT_UDPLITE,
    SCRIPT_ICMP,
};

enum script_tos {
    SCRIPT_TOS_ANY,
    SCRIPT_TOS_ECN,             /* only the two bits of ECN count */
    SCRIPT_TOS_ALL,
};

enum script_opt_kind {          /* beside enum tcp_opt_kind: what has no kind of its own */
    SCRIPT_OPT_FOEXP = 254,     /* RFC 7413, appendix A: experimental Fast Open */
};

struct script_opt {
    uint8_t kind;
    bool raw;                   /* `option KIND HEX`: data as they stand */
    bool bare;                  /* `bytes HEX`: neither kind nor length in front of them */
    bool latest;                /* FO cookie: the one that the stack sent last */
    uint8_t n;                  /* SACK blocks */
    uint32_t a, b;              /* value; TS: val and ecr */
    uint32_t left[SCRIPT_SACKS_MAX], right[SCRIPT_SACKS_MAX];
    struct span data;           /* of cookies, keys, raw ones */
};

struct script_side {            /* one end, as far as the packet names it */
    bool has_addr, has_port;
    struct oriel_addr addr;
    uint16_t port;
};

struct script_icmp {
    struct span type_text, code_text;
    bool ok4, ok6;              /* that family has it */
    uint8_t type4, code4, type6, code6;
    bool has_mtu;
    uint32_t mtu;
    bool quotes;
    enum script_proto quoted;   /* SCRIPT_TCP, SCRIPT_UDP */
};

struct script_packet {
    bool in;
    enum script_proto proto;
    enum script_tos tos_check;
    uint8_t tos;
    bool has_ttl, has_flow, bad_csum, has_sides;
    uint8_t ttl;
    uint32_t flow;
    struct script_side src, dst;
    uint16_t flags;             /* enum tcp_flag */
    uint32_t seq, len;          /* also of what an ICMP message quotes; len: of datagrams, too */
    uint16_t cover;             /* UDP-Lite */
    bool has_ack, has_win, has_urg;
    uint32_t ack;
    uint16_t win, urg;
    bool any_opts;              /* <...> */
    uint8_t opts_n;
    const struct script_opt *opts;
    struct script_icmp icmp;
    enum why why;               /* WHY_NONE: not asked */
    enum drop drop;
};

/* ---- calls of a script ---- */

enum script_fn {
    SCRIPT_SOCKET, SCRIPT_BIND, SCRIPT_LISTEN, SCRIPT_ACCEPT, SCRIPT_ACCEPT4, SCRIPT_CONNECT,
    SCRIPT_READ, SCRIPT_READV, SCRIPT_RECV, SCRIPT_RECVFROM, SCRIPT_RECVMSG,
    SCRIPT_WRITE, SCRIPT_WRITEV, SCRIPT_SEND, SCRIPT_SENDTO, SCRIPT_SENDMSG,
    SCRIPT_FCNTL, SCRIPT_IOCTL, SCRIPT_CLOSE, SCRIPT_SHUTDOWN, SCRIPT_GETSOCKOPT,
    SCRIPT_SETSOCKOPT, SCRIPT_POLL, SCRIPT_EPOLL_CREATE, SCRIPT_EPOLL_CREATE1, SCRIPT_EPOLL_CTL,
    SCRIPT_EPOLL_WAIT, SCRIPT_PIPE, SCRIPT_SPLICE,
    SCRIPT_FNS
};
const char *script_fn_name(enum script_fn fn);

enum script_value_kind {
    SCRIPT_DOTS,                /* ... */
    SCRIPT_INT,                 /* a number, constants joined by |, htons(8080) */
    SCRIPT_TEXT,                /* "cubic" */
    SCRIPT_LIST,                /* [1, 2] */
    SCRIPT_STRUCT,              /* {onoff=1, linger=0}, {..., 1000} */
    SCRIPT_ADDR,                /* inet_addr("192.0.2.1") */
};

struct script_value {
    enum script_value_kind kind;
    struct span text;           /* as it stands */
    int64_t i;
    struct oriel_addr addr;
    struct span bytes;          /* of a text, without quotes and escapes */
    uint16_t n;
    const struct script_value *items;
    const struct span *names;   /* of a structure's items; empty for those without one */
};

struct script_call {
    enum script_fn fn;
    uint8_t n;
    struct script_value args[SCRIPT_ARGS_MAX];
    struct script_value result; /* SCRIPT_DOTS: anything */
    int err;                    /* Linux's number with a result of -1; 0: not asked */
    bool has_end;
    oriel_time end;             /* as the event's time: absolute or relative */
};

/* ---- %{ assert ... }% : script_assert.c ---- */

struct script_assert;           /* a list of them */

struct script_line {            /* what was wrong about one */
    uint32_t line;
    struct span text;           /* the expression */
    char values[200];           /* "tcpi_snd_cwnd is 10" */
};

/*
 * text is what stands between %{ and }%, inside the script's text (its lines count on). NULL: *err.
 */
struct script_assert *script_assert_parse(struct arena *arena, struct span file, struct span script,
                                          struct span text, struct script_error *err);

/* True when all hold; otherwise *bad is the first that does not. info: of px_tcp_info. */
bool script_assert_holds(const struct script_assert *a, const uint8_t *info,
                         struct script_line *bad);

/* ---- playing ---- */

struct script_options {
    bool v6;
    bool has_personality;
    enum oriel_personality personality; /* instead of the script's */
    bool no_fast_path;
};

struct script_run;

struct script_run *script_open(struct arena *arena, const struct script *s,
                               const struct script_options *o, struct script_error *err);

/* True: it passed. Once. */
bool script_play(struct script_run *r);

/*
 * The failure in lines of text: the script's line, what was expected, what came and why it was
 * sent. Nothing when it passed.
 */
void script_print_failure(struct txt *t, const struct script_run *r);

/* The line of the failure; 0: it passed. */
uint32_t script_failed_at(const struct script_run *r);

/* Everything that happened, with the stack and the script as lifelines. False: the sink failed. */
bool script_ladder(const struct script_run *r, struct sink out, struct ladder_style style);

struct script_seen {            /* a packet that crossed the interface */
    oriel_time time;            /* since the script began */
    bool in;
    enum why why;
    enum drop drop;             /* of what arrived: the first reason that was counted, if any */
    struct span bytes;
    uint32_t line;              /* of the script that sent or expected it; 0: none */
};
bool script_each_packet(const struct script_run *r, uint32_t *cursor, struct script_seen *out);

/* Reasons that the script named and that came true: cursor from 0. False at the end. */
bool script_each_reason(const struct script_run *r, uint32_t *cursor, enum why *why,
                        enum drop *drop);

void script_close(struct script_run *r);

#endif
