/*
 * Scenarios: a world, what happens in it, and what is expected of it, as text.
 *
 *     host a  eth0 10.0.0.1/24
 *     host b  eth0 10.0.0.2/24
 *     link a.eth0 b.eth0  delay 5ms
 *     at 0 a ping 10.0.0.2 count 3
 *     expect a ping received 3
 *
 * docs/lab-format.md is the whole language. Two steps: scenario_parse reads the text and finds
 * every mistake that can be found without running it; lab_* (lab.h) builds the world and runs it.
 *
 * Everything lives in the arena that the caller gives; nothing is allocated, printed or read
 * elsewhere. The text must outlive the scenario: names and expectations point into it.
 */
#ifndef ORIEL_LAB_SCENARIO_H
#define ORIEL_LAB_SCENARIO_H

#include "lab/app_svc.h"
#include "lab/app_tcp.h"
#include "lab/world.h"
#include "lens/filter.h"

#define SC_PORTS_MAX    256
#define SC_ADDRS_MAX    8           /* on one line of a port */
#define SC_ACTS_MAX     1024        /* routes, neighbours and actions together */
#define SC_EXPECTS_MAX  512
#define SC_REACTS_MAX   128
#define SC_COVERS_MAX   256
#define SC_PARAMS_MAX   64
#define SC_ABOUT_MAX    64          /* lines */
#define SC_SEQUENCE_MAX 128         /* filters in one `in order` */
#define SC_FRAME_MAX    4096        /* bytes of one line of the frame language */
#define SC_NONE         UINT16_MAX

/* Where a text is wrong. Line 0: a parameter given from outside is. */
struct scenario_error {
    struct span file;           /* its name */
    uint32_t line;
    struct syntax_error at;
};

/* "labs/a.lab:3:8: found `hots`, expected a statement; did you mean host?" */
void scenario_error_print(struct txt *t, const struct scenario_error *e);

struct sc_param {
    struct span name;
    struct span value;
};

/* ---- the parts of a scenario ---- */

struct sc_addr {
    struct oriel_addr addr;
    uint8_t len;                /* 0..128 */
};

struct sc_node {
    struct span name;
    enum node_kind kind;
    struct oriel_config cfg;
    size_t memory;              /* 0: NODE_MEMORY */
    const uint8_t *at;          /* in the text */
};

struct sc_port {
    uint16_t node;
    uint16_t parent;            /* VLAN: the port below; SC_NONE */
    char name[NETIF_NAME_MAX];
    struct oriel_netif_config cfg;      /* cfg.name is `name` */
    struct sc_addr addrs[SC_ADDRS_MAX];
    uint8_t addrs_n;
    bool late;                  /* a VLAN that an action makes */
    bool linked;
    uint16_t pvid;              /* switch */
    bool trunk;
    uint16_t vlans[8];
    uint8_t vlans_n;
    const uint8_t *at;
};

struct sc_link {
    uint16_t end[2];            /* ports */
    struct wire_params params;
    const uint8_t *at;
};

enum sc_act_kind {
    ACT_PING,
    ACT_TRACE,
    ACT_UDP_LISTEN,
    ACT_UDP_SEND,
    ACT_UDP_CLOSE,
    ACT_UDP_JOIN,
    ACT_UDP_LEAVE,
    ACT_ADDR_ADD,
    ACT_ADDR_DEL,
    ACT_ROUTE_ADD,
    ACT_ROUTE_DEL,
    ACT_NEIGH_ADD,
    ACT_NEIGH_DEL,
    ACT_RARP_SERVE,
    ACT_RARP,
    ACT_UP,
    ACT_DOWN,
    ACT_MTU,
    ACT_VLAN,                   /* make the port */
    ACT_REMOVE,
    ACT_LINK_UP,
    ACT_LINK_DOWN,
    ACT_LINK_SET,
    ACT_SEND,
    ACT_EXPECT,
    ACT_TCP_LISTEN,
    ACT_TCP_CONNECT,
    ACT_TCP_TELL,               /* something to a connection that is there */
    ACT_SVC,                    /* a service is started */
    ACT_SVC_STOP,
};

/*
 * Connections of a node: the n-th of its clients and of what its listeners accepted, in that order.
 * With a port, only those that are to or at that port.
 */
struct sc_talks {
    uint16_t node;
    uint16_t port;              /* 0: any */
    uint16_t nth;               /* from 1; 0: all of them, or the first that fits */
};

enum sc_tell {
    TELL_SAY,
    TELL_SEND,
    TELL_READ,
    TELL_PAUSE,                 /* reading */
    TELL_SHUTDOWN,
    TELL_CLOSE,
    TELL_ABORT,
    TELL_SET,
    TELL_MARK,
    TELL_UNLISTEN,
};

/*
 * One thing to do. Wherever the parameters of an application name an interface (`netif`), it is the
 * index of a port plus one here: interfaces have no numbers before the world is built.
 */
struct sc_act {
    oriel_time time;
    const uint8_t *at;
    uint8_t kind;
    bool setup;                 /* stands outside `at`: part of the world, before time begins */
    uint16_t node;
    uint16_t port;              /* SC_NONE: none */
    union {
        struct ping_params ping;
        struct trace_params trace;
        struct udp_listen_params listen;
        struct udp_send_params send;
        struct tcp_listen_params *tcp_listen;
        struct tcp_connect_params *tcp_connect;
        const struct svc_params *svc;
        struct {
            uint8_t kind;       /* enum svc_kind */
            bool release;
        } svc_stop;
        struct {
            uint8_t what;       /* enum sc_tell */
            bool urgent;
            struct sc_talks who;
            struct span text;
            uint64_t size;
            struct tcp_setting setting;
        } tell;
        struct {
            uint16_t port;      /* of the listener; 0: any */
            struct udp_group group;
        } member;
        struct sc_addr addr;
        struct {
            struct sc_addr prefix;
            struct oriel_addr gateway;
            bool has_gateway;
            uint32_t metric;
        } route;
        struct {
            struct oriel_addr addr;
            struct mac mac;
        } neigh;
        uint32_t mtu;
        struct {
            uint16_t link;
            int8_t dir;         /* 0, 1; -1: both */
            struct span text;   /* of wire_params_parse */
        } wire;
        struct {
            struct span text;   /* of craft */
            uint32_t count;
            oriel_time every;
        } frame;
        uint16_t expect;
    } u;
};

/* on PEER "filter" send "frame": a scripted peer that answers. */
struct sc_react {
    uint16_t node;
    uint16_t port;              /* SC_NONE: any of the node's */
    struct filter *filter;
    struct span text;           /* of craft, with {field} for fields of what was heard */
    oriel_time after;
    uint32_t times;             /* at most; 0: every time */
    const uint8_t *at;
};

/* ---- expectations ---- */

enum ex_kind {
    EX_FRAMES,                  /* sees, sends */
    EX_ORDER,                   /* ... in order */
    EX_DROP,
    EX_WHY,
    EX_PING,
    EX_TRACE,
    EX_UDP,
    EX_NEIGH,
    EX_ADDR,
    EX_ROUTE,
    EX_GROUP,
    EX_PMTU,
    EX_SOCKET,
    EX_NAT,
    EX_REASM,
    EX_NETIF,
    EX_QUIET,
    EX_TCP,
    EX_RESOLVE,
    EX_DHCP,
    EX_RATIO,                   /* between what two connections received, in bits a second */
};

enum ex_how {
    HOW_ANY,                    /* nothing was said: at least one, or not asked */
    HOW_EXACTLY,
    HOW_AT_LEAST,
    HOW_AT_MOST,
    HOW_BETWEEN,
};

struct ex_count {
    uint8_t how;
    uint64_t n;
    uint64_t to;                /* HOW_BETWEEN: n and this one included */
};

enum ex_number {                /* what may be counted, by the word for it */
    NUM_COUNT,
    NUM_SENT,
    NUM_RECEIVED,
    NUM_ERRORS,
    NUM_DUPLICATES,
    NUM_BYTES,
    NUM_ECHOED,
    NUM_SESSIONS,
    NUM_SOURCES,
    NUM_MEMBERS,
    NUM_METRIC,
    NUM_MTU,
    NUM_WAITING,
    NUM_DROPPED,
    NUM_N
};

#define EX_HOPS_MAX 32
#define EX_STATES_MAX 16

struct lab_info_field;          /* of struct oriel_tcp_info: lab_info.c */

/* About connections: what is not asked is not looked at. */
struct ex_tcp {
    struct sc_talks who;
    struct sc_talks other;      /* EX_RATIO, and `all from` */
    bool has_other, has_text, has_err, intact, eof, open, closed;
    bool has_state;
    uint8_t state;              /* enum oriel_tcp_state; CLOSED: there is none */
    uint8_t states_n;
    uint8_t states[EX_STATES_MAX];
    bool states_open;           /* more may follow */
    int err;
    struct span text;
    struct ex_count sent, received, accepted, urgent, conns;
    struct ex_count rate;       /* bits a second */
    struct ex_count done, connected;    /* moments */
    struct ex_count ratio;      /* millionths */
    const struct lab_info_field *field;
    struct ex_count info;
};

/* About services: EX_RESOLVE, EX_DHCP; addresses stand in hops. */
struct ex_svc {
    struct dns_name name;
    uint16_t type;
    bool has_end;
    struct dns_name end;        /* the name that the answer gives */
    struct ex_count naks, declines;
};

struct expect {
    const uint8_t *at;
    struct span text;           /* the statement's first line */
    uint8_t kind;
    bool no;                    /* it must not be so */
    bool timed;                 /* asked at a moment (`at 1s expect ...`), not at the end */
    uint16_t node;              /* SC_NONE: the world */
    uint16_t port;              /* SC_NONE: none */
    uint16_t link;              /* drop at link: SC_NONE */
    /* frames */
    bool out;                   /* sends, not sees */
    bool lost;                  /* only frames that the wire did not deliver */
    bool exactly;               /* in order, and nothing between */
    enum why why;
    enum drop drop;
    struct filter **filters;
    enum why *whys;             /* of each filter of a sequence */
    uint16_t filters_n;
    oriel_time from, until;
    /* state */
    bool has_addr, has_from, has_mac, router, has_err, has_text, exclude, include, sender;
    struct sc_addr addr;
    struct oriel_addr from_addr;        /* via, or who reported */
    struct mac mac;
    uint16_t nth;               /* which ping, counted from 1; 0: the first that fits */
    uint16_t number;            /* a port */
    int err;
    struct span word;           /* a state: "reachable" */
    struct span origin;
    struct span payload;
    struct ex_count num[NUM_N];
    struct ex_tcp *tcp;         /* EX_TCP, EX_RATIO; else NULL */
    struct ex_svc *svc;         /* EX_RESOLVE, EX_DHCP; else NULL */
    uint8_t hops_n;
    struct oriel_addr hops[EX_HOPS_MAX];        /* ADDR_NONE: a star */
};

struct scenario {
    struct span file;
    struct span text;
    struct span title;
    struct span about[SC_ABOUT_MAX];
    uint16_t about_n;
    struct span covers[SC_COVERS_MAX];
    uint16_t covers_n;
    struct sc_param params[SC_PARAMS_MAX];
    uint16_t params_n;
    uint64_t seed;
    bool has_stop;
    oriel_time stop;
    struct sc_node nodes[WORLD_NODES_MAX];
    uint16_t nodes_n;
    struct sc_port ports[SC_PORTS_MAX];
    uint16_t ports_n;
    struct sc_link links[WORLD_WIRES_MAX];
    uint16_t links_n;
    struct sc_act *acts;        /* setup first, then by time, in the order of the text */
    uint16_t acts_n;
    struct sc_react reacts[SC_REACTS_MAX];
    uint16_t reacts_n;
    struct expect *expects;
    uint16_t expects_n;
};

/*
 * Read a scenario. `set` replaces values of `set NAME VALUE` lines. NULL: *err says what is wrong
 * where; when the arena is exhausted, that.
 */
struct scenario *scenario_parse(struct arena *arena, struct span file, struct span text,
                                const struct sc_param *set, size_t set_n,
                                struct scenario_error *err);

/* The line of a place in the text, from 1. */
uint32_t scenario_line(const struct scenario *s, const uint8_t *at);

/* An index by name; SC_NONE. The second finds a port of a node. */
uint16_t scenario_node(const struct scenario *s, struct span name);
uint16_t scenario_port(const struct scenario *s, uint16_t node, struct span name);

/* The link that a port is plugged into; SC_NONE. */
uint16_t scenario_link(const struct scenario *s, uint16_t port);

/*
 * The bytes of a frame that a scripted peer sends: craft's, then padded to the minimum and given a
 * check sequence where the wire carries one, unless the line's own modifiers see to that. `heard`
 * fills in {field}; NULL: each field's zero value. {n} is how many frames of this line were sent
 * before. `talks` are the connections seen there, for numbers like @1461; NULL: they count from 0.
 * False: *err says why.
 */
struct scenario_hearing {
    const struct dissection *heard;
    const struct conversations *talks;
    uint64_t n;
};
bool scenario_frame(struct span text, bool fcs, const struct scenario_hearing *h, struct wr *out,
                    struct syntax_error *err);

#endif
