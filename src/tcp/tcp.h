/*
 * TCP (RFC 9293): what the layers above see, and the structs that the files of this directory share.
 *
 * A connection is one struct of named sub-structs; each is written by one file only, others read or
 * tell facts (tcp_rack_on_delivered ...):
 *
 *   tcp_conn.c      life, the table by tuple           snd, rcv's ends at birth
 *   tcp_call.c      user calls (3.9.1), readiness      -
 *   tcp_shortage.c  memory for what is written         shortage
 *   tcp_state.c     the one door for c->state          state
 *   tcp_input.c     a segment arrives (3.10.7)         -
 *   tcp_predict.c   header prediction, known frames    -
 *   tcp_open.c      LISTEN's children, SYN-SENT        neg: what was agreed upon
 *   tcp_ack.c       acknowledgements, windows          snd.una, snd.wnd ...
 *   tcp_reasm.c tcp_rcvq.c  bytes out of order and in it, the window       rcv, tune
 *   tcp_run.c       segments that follow in a batch    -
 *   tcp_output.c    what to send next, and why         snd.nxt, out
 *   tcp_turn.c      its short way                      snd.nxt, out
 *   tcp_segment.c   building segments                  -
 *   tcp_timer.c     deadlines                          timer
 *   tcp_rtt.c       round trips, timestamps            rtt
 *   tcp_sent.c tcp_rack.c tcp_recovery.c tcp_prr.c tcp_undo.c tcp_plain.c tcp_plpmtud.c
 *                                                      the flight block (tcp_flight.h)
 *   tcp_listen.c tcp_halfopen.c tcp_admit.c tcp_cookie.c tcp_timewait.c tcp_fastopen.c tcp_isn.c
 *                                                      small records (tcp_listen.h)
 *   tcp_ecn.c       accurate ECN (9768)                flight->ecn
 *   tcp_error.c tcp_info.c tcp_personality.c           ICMP's facts, STATUS, what RFCs leave open
 *   tcp_opt.c       options, profiles                  prof
 *   tcp_limit.c     what keeps it from sending         lim, stat.limit
 *
 * Two lives: the resident part below is what an idle connection costs; the flight block is pooled and
 * exists while data is under way or lies out of order. Options that many connections share are
 * interned profiles. Half-open connections and those in TIME-WAIT are smaller records of their own.
 */
#ifndef ORIEL_TCP_TCP_H
#define ORIEL_TCP_TCP_H

#include "base/seqtree.h"
#include "ip/ip.h"
#include "pkt/stream.h"
#include "tcp/cc/cc.h"
#include "wire/flow.h"
#include "wire/frame.h"
#include "wire/run.h"

/* ---- numbers ---- */

#define TCP_MSS_DEFAULT4    536         /* RFC 9293, MUST-15 */
#define TCP_MSS_DEFAULT6    1220
#define TCP_MSS_FLOOR       88          /* what a peer says below it is taken as this (6691-2) */
#define TCP_WSCALE_MAX      14
#define TCP_PORT_EPHEMERAL_MIN 32768    /* RFC 6056, 3.2 */
#define TCP_PORT_EPHEMERAL_MAX 60999
#define TCP_GSO_BYTES_MAX   (65535 - 60 - 60)   /* payload of a super-segment */
#define TCP_BACKLOG_DEFAULT 128
#define TCP_BACKLOG_MAX     65535
#define TCP_TS_TICK_NS      NS_PER_MS   /* RFC 7323, 5.4: our timestamp clock */
#define TCP_PAWS_IDLE_NS    (24 * 86400 * NS_PER_S)
#define TCP_R1              3           /* retransmissions before the network layer is asked */

enum {                                  /* the names of RFC 9293, short */
    TCP_CLOSED = ORIEL_TCP_CLOSED,
    TCP_LISTEN = ORIEL_TCP_LISTEN,
    TCP_SYN_SENT = ORIEL_TCP_SYN_SENT,
    TCP_SYN_RCVD = ORIEL_TCP_SYN_RCVD,
    TCP_ESTABLISHED = ORIEL_TCP_ESTABLISHED,
    TCP_FIN_WAIT_1 = ORIEL_TCP_FIN_WAIT_1,
    TCP_FIN_WAIT_2 = ORIEL_TCP_FIN_WAIT_2,
    TCP_CLOSE_WAIT = ORIEL_TCP_CLOSE_WAIT,
    TCP_CLOSING = ORIEL_TCP_CLOSING,
    TCP_LAST_ACK = ORIEL_TCP_LAST_ACK,
    TCP_TIME_WAIT = ORIEL_TCP_TIME_WAIT,
    TCP_STATES = ORIEL_TCP_STATES
};

/* Where packets of a connection come from and go to. `zone` is the interface of a link-local peer. */
struct tcp_tuple {
    uint64_t local_hi, local_lo;
    uint64_t remote_hi, remote_lo;
    uint32_t zone;
    uint16_t local_port, remote_port;
};

static_assert(sizeof(struct tcp_tuple) == 40, "a tuple has no holes: it is compared and hashed");

/* What a stack does of what RFCs leave open: tcp_personality.c. All times in nanoseconds. */
struct tcp_settings {
    enum oriel_personality personality;
    uint8_t ecn;                /* enum oriel_ecn, never DEFAULT */
    uint8_t cookies;            /* enum oriel_cookies */
    uint8_t cc;                 /* enum cc_kind */
    uint8_t initial_window;     /* segments */
    uint8_t wscale;             /* offered; 0xff: the option is not used */
    bool timestamps, sack, rack, fast_path, mtu_probing;
    bool hystart;
    bool minshall;              /* Nagle holds small data only while another small segment is out */
    bool ack_unsent_silent;     /* an ACK of what was not sent: dropped without an answer */
    bool ack_old_silent;
    bool quick_start;           /* acknowledge at once while the peer is in slow start */
    bool rst_in_time_wait;      /* a reset ends TIME-WAIT (RFC 9293 before 1337) */
    bool ts_random;             /* unused offset 0 where false: scripts compare */
    bool linux_syn_rto;         /* SYN's timeout does not raise the RTO to 3 s */
    uint8_t syn_opts[8];        /* kinds in the order in which a SYN carries them, 0 at the end */
    uint8_t syn_opts_n;
    uint32_t sndbuf, rcvbuf, sndbuf_max, rcvbuf_max;
    uint32_t wnd_initial_max;   /* the first window is at most this */
    uint64_t msl, rto_min, rto_max, rto_init, delack, delack_min;
    uint64_t fin_wait_2;        /* an orphan waits so long for the peer's FIN; 0: for ever */
    uint64_t user_timeout;      /* R2 (RFC 9293, 3.8.3) */
    uint64_t syn_timeout;       /* R2 for SYNs, 3 minutes at least */
    uint64_t challenge_ns;      /* between two challenge ACKs of one connection (RFC 5961, 7) */
    uint32_t dupthresh;
};

/* What applications set of a connection; shared by all that are set alike (tcp_opt.c). */
struct tcp_profile {
    uint32_t refs;
    uint32_t next;              /* in its bucket: pool index + 1 */
    /* what follows is compared */
    uint32_t sndbuf, rcvbuf;    /* 0: they grow by themselves */
    uint32_t notsent_lowat, window_clamp, rcvlowat;
    uint64_t max_pacing_bps;
    int64_t linger_ms;          /* -1: off */
    uint32_t keepidle_ms, keepintvl_ms, user_timeout_ms, defer_accept_ms;
    uint32_t fastopen;          /* listener: pending at most; 0 off */
    uint16_t maxseg;            /* 0: by path */
    uint16_t bind_nif;
    uint8_t keepcnt, syncnt, ttl, tos;
    uint8_t cc, ecn, df;
    bool keepalive, nodelay, cork, quickack_off, fastopen_connect, oobinline, soft_errors;
    bool reuseaddr, reuseport, v6only, any_addr;
};

/* What leaves besides data: bits of c->out.want. */
enum tcp_want {
    TCP_WANT_ACK = 1,           /* an acknowledgement, now */
    TCP_WANT_SYN = 2,           /* SYN or SYN-ACK (again) */
    TCP_WANT_PROBE = 4,         /* a window probe or keep-alive */
    TCP_WANT_RTX = 8,           /* something is marked lost, or timed out */
    TCP_WANT_TAIL = 16,         /* a tail loss probe */
    TCP_WANT_FIN = 32,          /* the application closed: a FIN after all data */
    TCP_WANT_OVERRIDE = 64,     /* small data was held long enough */
    TCP_WANT_LIMITED = 128,     /* limited transmit: a segment beyond the window */
};

/* What is agreed upon and where life stands: c->is. */
enum tcp_is {
    TCP_IS_TS = 1 << 0,         /* timestamps both ways */
    TCP_IS_SACK = 1 << 1,
    TCP_IS_WSCALE = 1 << 2,
    TCP_IS_ECN = 1 << 3,        /* RFC 3168 */
    TCP_IS_ACCECN = 1 << 4,     /* RFC 9768 */
    TCP_IS_PASSIVE = 1 << 5,    /* it was opened by the peer */
    TCP_IS_ORPHAN = 1 << 6,     /* no socket any more */
    TCP_IS_SHUT_RD = 1 << 7,    /* the application reads no more */
    TCP_IS_FIN_RCVD = 1 << 8,   /* the peer's FIN was consumed */
    TCP_IS_FIN_SENT = 1 << 9,   /* ours took its sequence number */
    TCP_IS_CE = 1 << 10,        /* answer with ECE until CWR comes (3168, 6.1.3) */
    TCP_IS_CWR = 1 << 11,       /* say CWR on the next new data */
    TCP_IS_SYN_LOST = 1 << 12,  /* SYN or SYN-ACK was sent twice (5681-3, 6298-10) */
    TCP_IS_URG_IN = 1 << 13,    /* rcv.up is ahead of what was read */
    TCP_IS_URG_OUT = 1 << 14,   /* snd.up is ahead of snd.una */
    TCP_IS_MORE = 1 << 15,      /* the last write said that more follows */
    TCP_IS_TFO = 1 << 16,       /* data went with the SYN, or came with it */
    TCP_IS_IN_TABLE = 1 << 17,
    TCP_IS_READY = 1 << 18,     /* on a list of those that may send */
    TCP_IS_DIRTY = 1 << 19,     /* its socket is to be told, or stands among those to be named */
    TCP_IS_PACED = 1 << 20,     /* waits for its departure */
    TCP_IS_SNDBUF_FULL = 1 << 21, /* it was refused: to be told of room, until it was or wrote */
    TCP_IS_ACCEPTQ = 1 << 22,   /* waits to be accepted */
    TCP_IS_ECN_TRIED = 1 << 23, /* our SYN asked for ECN */
    TCP_IS_NO_ECN = 1 << 24,    /* a SYN with ECN was not answered: without it now (3168, 6.1.1.1) */
    TCP_IS_RESET = 1 << 25,     /* the peer reset it: MUST-12 */
    TCP_IS_CONNECTING = 1 << 26, /* oriel_connect waits for its first data (fast open) */
    TCP_IS_R1 = 1 << 27,        /* the network layer was asked (MUST-20) */
    TCP_IS_OOB_BYTE = 1 << 28,  /* rcv's urgent byte is held apart */
    TCP_IS_STARVED = 1 << 29,   /* it was refused for want of memory: not writable until there is some */
};

struct tcp_flight;
struct tcp_listener;

#define TCP_NONE UINT32_MAX     /* no connection: an index that there is not */

struct tcp_conn {
    /* --- what every segment touches --- */
    struct {
        seq_t una, nxt;
        seq_t end;              /* one beyond the last byte that the application wrote */
        seq_t small;            /* end of the last segment sent that was not full (Minshall) */
        seq_t wl1, wl2;
        uint32_t wnd;           /* the peer's window, scaled */
        uint32_t wnd_max;       /* the largest that it offered */
        uint16_t mss;           /* payload bytes of a full segment, options taken off */
        uint16_t peer_mss;      /* as the peer said */
    } snd;
    struct {
        seq_t nxt;
        seq_t adv;              /* right edge that we promised: RCV.NXT + RCV.WND */
        seq_t acked;            /* Last.ACK.sent */
        uint32_t unread;        /* bytes in order that wait for the application */
        uint32_t charge;        /* of the packets that hold them, in bytes of memory */
        uint32_t buf;           /* how much may wait: the window is what is left of it */
        uint32_t ts_recent;     /* RFC 7323, 4.3 */
        uint16_t mss;           /* size of the peer's full segments, as seen */
        uint8_t unacked_segs;   /* full segments since the last acknowledgement */
        uint8_t wscale;         /* of our windows */
    } rcv;
    uint32_t is;                /* enum tcp_is */
    struct tcp_flight *flight;  /* NULL while nothing is under way */
    struct tcp_profile *prof;
    struct pkt *rcvq;           /* in order, unread; the first from rcvq_off on */
    struct pkt *rcvq_last;
    uint32_t rcvq_off;
    uint16_t nif;               /* interface that it leaves by, as known last */
    uint8_t state;              /* tcp_state.c */
    uint8_t snd_wscale;         /* of the peer's windows */
    struct {
        uint8_t want;           /* enum tcp_want */
        uint8_t ack_why;        /* enum why of TCP_WANT_ACK */
        uint8_t rtx_why;        /* enum why of what the timer sends again */
        uint8_t quick;          /* acknowledgements to come that are not delayed */
        uint8_t probes;         /* unanswered, of window or life */
        uint8_t dsack;          /* 1: flight->dsack is to be told */
        uint8_t dupacks;
        uint8_t oob;            /* the urgent byte, when held apart */
    } out;
    uint32_t ready_next, ready_prev;    /* indices, in struct tcp.ready[nif] */
    uint32_t path_id;           /* of the path in t->paths[path] that it used last */
    uint16_t path;

    /* --- the rest --- */
    struct tcp_tuple tuple;
    uint32_t sock;              /* slot of its socket + 1; 0: none */
    seq_t iss, irs;
    seq_t snd_up, rcv_up;       /* urgent pointers: the octet after the last urgent one */
    uint32_t ts_off;            /* added to our timestamp clock */
    uint32_t ts_recent_s;       /* when ts_recent was written, in seconds */
    struct {                    /* congestion control while there is no flight block */
        uint32_t cwnd, ssthresh, memo;
    } cc_idle;
    struct {
        uint32_t srtt_us8;      /* smoothed, in eighths of a microsecond; 0: no sample */
        uint32_t rttvar_us4;
        uint32_t rto_us;        /* without back-off */
        uint32_t min_us;        /* least in the window; 0: none */
        uint32_t min_at_ms;
        uint8_t backoff;
        uint8_t rtx_n;          /* timeouts of the oldest segment */
    } rtt;
    int16_t error;              /* sticky until read */
    int16_t soft_error;         /* what ICMP said; becomes the error when time is up */
    struct {
        seq_t mark;             /* receive auto-tuning: a round of reading began here ... */
        uint32_t at_us;         /* ... and then */
        uint32_t rtt_us;        /* of the receiver; 0: none */
    } tune;
    struct {
        struct timer wake;      /* at the earliest of: */
        oriel_time rtx_at;      /* RTO, or persist when there is nothing under way */
        oriel_time delack_at;
        oriel_time life_at;     /* keep-alive, FIN-WAIT-2, linger, deferred accept */
        uint32_t rx_ms;         /* something acceptable came */
        uint32_t tx_ms;         /* data was sent */
        uint32_t since_ms;      /* no progress since then: user timeout */
        uint32_t challenge_ms;  /* when the last challenge ACK went */
    } timer;
    struct {
        uint32_t since;         /* in units of 65.5 us */
        uint32_t spent[ORIEL_LIMIT_N - 1];      /* likewise; APPLICATION is what is left */
    } lim;
    struct {
        uint64_t bytes_in, bytes_acked, bytes_rtx;
        uint32_t segs_in, segs_out, data_in, data_out;
        uint32_t rtx, delivered, delivered_ce;
        uint16_t dsacks, ooo, rtos;             /* these stop at their largest value */
        uint8_t limit;          /* enum oriel_tcp_limit, now: tcp_limit.c */
    } stat;
    uint32_t listener;          /* that it waits at, or is being made for: pool index; TCP_NONE */
    uint32_t accept_next;       /* the one after it that waits there: pool index; TCP_NONE */
};

static_assert(sizeof(struct tcp_conn) <= 448, "what an idle connection costs");

/* ---- one instance ---- */

struct tcp_limits {
    uint32_t conns, flights, records, ranges, profiles, listeners, half_open, time_wait;
};

#define TCP_PATH_BITS 6
#define TCP_PORT_CLOCKS 256

/* How packets leave between two addresses: found once for all connections between them. */
struct tcp_path {
    struct ip_path path;
    uint32_t id;                /* one for each that was ever found */
    struct ip4_flow flow;       /* IPv4: the header made once */
    bool flowing;
    bool framed;                /* and the link's header, too: `frame` */
    uint8_t ttl, tos;
    uint16_t bind_nif;
    uint16_t bottom;            /* the interface that is asked for packets: what is below VLANs */
    uint64_t sum;               /* of the pseudo-header, but for the length */
    struct frame_form frame;
};

/* tcp_run.c: segments of one connection that follow each other in a batch. */
struct tcp_run {
    struct tcp_conn *c;         /* whose data header prediction took last; NULL: nobody's */
    struct wire_run wire;
    uint16_t nif;
    bool vouches;               /* ... which is believed what it says of checksums */
    bool on;                    /* `wire` is what its frames look like */
};

/* tcp_predict.c: a connection whose frames are known by what they begin with. */
struct tcp_known {
    struct flow_form form;
    struct tcp_conn *c;         /* NULL: nobody's */
    uint32_t gen;               /* of ip, when its addresses were found right */
    uint16_t nif;
    uint8_t tos;
};

#define TCP_KNOWN_BITS 6

#include "tcp/tcp_flight.h"
#include "tcp/tcp_listen.h"

struct tcp {
    struct env *env;
    struct ip *ip;
    struct tcp_settings set;
    struct pool conns, flights, records, ranges, profiles, listeners;
    struct hmap table;          /* connections by tuple */
    struct tcp_ready {          /* by interface index: connections that may send, round-robin */
        uint32_t first, last;   /* indices, TCP_NONE */
        uint32_t n;
    } *ready;
    struct wheel departures;    /* paced connections by time, apart from the timing wheel */
    struct list dirty_listeners;
    uint32_t *dirty;            /* pool indices: whose sockets are to be told */
    uint32_t dirty_n, dirty_max;
    struct siphash_key isn_key, port_key;
    struct {                    /* where initial numbers lie: anywhere, unless a test says otherwise */
        uint32_t from, mask;
    } isn_range;
    uint32_t port_clock[TCP_PORT_CLOCKS];       /* RFC 6056, 3.3.4 */
    struct tcp_run run;
    struct tcp_known known[1 << TCP_KNOWN_BITS];        /* by ports */
    bool knows;                 /* there are any */
    struct tcp_conn *heard;     /* whose frame came up the whole way last; NULL: nobody's */
    struct tcp_path paths[1 << TCP_PATH_BITS];
    struct {                    /* the way that was asked for last, by an address of our choice */
        struct ip_path path;
        uint16_t bind_nif;
    } way;
    uint32_t path_ids;
    struct tcp_halfopen half;
    struct tcp_timewait tw;
    struct tcp_listen listen;
    struct tcp_fastopen tfo;
    struct tcp_shortage {
        struct timer timer;     /* while there are any */
        uint32_t n;             /* connections that starve */
        uint32_t at;            /* which is looked at next */
    } shortage;
    uint32_t profile_buckets[64];
    struct tcp_profile *plain;  /* that of who sets nothing: held from the start */
    uint64_t challenges;        /* sent: for counters only, never for a limit */
    uint64_t resets_lost, acks_lost;    /* that could not be built */
};

/* One segment that arrived, parsed. */
struct tcp_seg {
    struct pkt *p;              /* NULL when its payload was kept or it was dropped */
    struct tcp_tuple tuple;
    seq_t seq, ack;
    uint32_t len;               /* payload bytes */
    uint32_t wnd;               /* as on the wire, not scaled */
    uint32_t data_at;           /* offset of the payload in the packet */
    uint16_t flags;
    uint16_t urg;
    uint8_t tos;                /* of the network header: ECN */
    uint16_t nif;               /* it came by */
    uint32_t hash;              /* of the tuple; only for who has no connection of it */
    struct tcp_opts opts;
};

#define SEG_WAS_SYN 0x8000      /* of flags: its SYN was taken, and what is left is looked at */

/* Sequence space: payload, SYN and FIN. */
static inline uint32_t seg_space(const struct tcp_seg *g)
{
    return g->len + ((g->flags & TCP_SYN) != 0) + ((g->flags & TCP_FIN) != 0);
}

static inline seq_t seg_end(const struct tcp_seg *g)
{
    return seq_add(g->seq, seg_space(g));
}

/* ---- for the stack ---- */

bool tcp_init(struct tcp *t, struct env *env, struct ip *ip, struct arena *a,
              const struct tcp_limits *l, const struct oriel_tcp_config *cfg);
void tcp_fini(struct tcp *t);

/* A segment arrived: p->l4 at the TCP header. Consumes p. */
void tcp_input(struct tcp *t, struct pkt *p, const struct ip_rx *rx);

/*
 * tcp_predict.c. A whole frame, as it came: is it a single segment of a connection that is known? True: it
 * was consumed. After a packet took the whole way up instead, to a connection (t->heard): these are the
 * FLOW_LEARNED bytes that it began with.
 */
bool tcp_known_take(struct tcp *t, struct pkt *p);
void tcp_known_learn(struct tcp *t, const uint8_t *began, uint16_t nif);

/*
 * tcp_run.c. After a packet took the whole way: was it plain data of a connection (t->run.c)? Then
 * `frame` are the contiguous bytes that it began with, as it came. Of the packets that follow, how many
 * go on with that run: those were consumed.
 */
void tcp_run_learn(struct tcp *t, struct span frame, uint16_t nif);
unsigned tcp_run_take(struct tcp *t, struct pkt *pkts[], unsigned n);

/* May anything leave by that interface? And build up to max packets of it into the interface. */
static inline bool tcp_has_output(const struct tcp *t, uint16_t nif)
{
    return t->ready[nif].n > 0;
}
/* Paced connections whose time has come may send. */
void tcp_on_departures(struct tcp *t);
void tcp_take(struct tcp *t, uint16_t nif, unsigned max);
/* When a paced connection may send next; ORIEL_NEVER. */
static inline oriel_time tcp_next_departure(const struct tcp *t)
{
    return wheel_next(&t->departures);
}

void tcp_on_timer(struct tcp *t, struct tcp_conn *c);
void tcp_shortage_on_timer(struct tcp *t);
bool tcp_owns(const struct tcp *t, const struct fact *f);       /* RFC 5927, 4.1 */
void tcp_on_error(struct tcp *t, const struct fact *f);
struct tcp_conn *tcp_dirty_pop(struct tcp *t);                  /* NULL: none */
/* Its socket was named to the application, or there was no news: the next news is news again. */
static inline void tcp_told(struct tcp_conn *c)
{
    c->is &= ~(uint32_t)TCP_IS_DIRTY;
}
/* ... and it was told that it may write. Until then every acknowledgement is looked at: what there was room
 * for when one came may have gone with the congestion window before anybody was told. */
static inline void tcp_told_room(struct tcp_conn *c)
{
    c->is &= ~(uint32_t)TCP_IS_SNDBUF_FULL;
}
uint32_t tcp_ready(const struct tcp *t, const struct tcp_conn *c);      /* enum oriel_event */
/* The application was refused for want of room, and there is some again. */
bool tcp_room_returned(const struct tcp *t, const struct tcp_conn *c);

/* ---- for sockets: tcp_conn.c (RFC 9293, 3.9.1) ---- */

struct tcp_conn *tcp_open(struct tcp *t, const struct tcp_profile *p, uint32_t sock);   /* CLOSED */
ORIEL_MUST_USE int tcp_connect(struct tcp *t, struct tcp_conn *c,
                               const struct oriel_endpoint *local,
                               const struct oriel_endpoint *remote, struct span fastopen_data);
ORIEL_MUST_USE int tcp_send(struct tcp *t, struct tcp_conn *c, struct span data, uint32_t flags);
ORIEL_MUST_USE int tcp_recv(struct tcp *t, struct tcp_conn *c, void *buf, size_t cap,
                            uint32_t flags);
ORIEL_MUST_USE int tcp_shutdown(struct tcp *t, struct tcp_conn *c, int how);
void tcp_close(struct tcp *t, struct tcp_conn *c);      /* the socket is gone */
void tcp_abort(struct tcp *t, struct tcp_conn *c);
void tcp_info(struct tcp *t, const struct tcp_conn *c, struct oriel_tcp_info *out);
struct oriel_room tcp_send_window(struct tcp *t, struct tcp_conn *c);
ORIEL_MUST_USE int tcp_send_commit(struct tcp *t, struct tcp_conn *c, size_t n);
ORIEL_MUST_USE int tcp_recv_view(const struct tcp_conn *c, struct oriel_bytes out[], unsigned max);
ORIEL_MUST_USE int tcp_recv_release(struct tcp *t, struct tcp_conn *c, size_t n);

/* ---- among the files of this directory ---- */

/* tcp_conn.c: the table, birth and death. */

/* What is known when a connection begins its life with the handshake behind it, or half of it. */
struct tcp_birth {
    struct tcp_tuple tuple;
    uint16_t nif;
    seq_t iss, irs;
    uint32_t wnd;               /* the peer's, not scaled */
    uint32_t rcv_wnd;           /* what our SYN-ACK promised */
    uint16_t peer_mss;
    uint8_t snd_wscale, rcv_wscale;
    uint32_t is;                /* TCP_IS_TS, _SACK, _WSCALE, _ECN, _ACCECN, _SYN_LOST, _TFO */
    uint32_t ts_off, ts_recent;
    oriel_time syn_ack_at;      /* when the SYN-ACK left, for the first round trip; 0: unknown */
    uint32_t sock;
    uint32_t hash;              /* of the tuple */
};

struct tcp_conn *tcp_find(const struct tcp *t, const struct tcp_tuple *k);
struct tcp_conn *tcp_find_hashed(const struct tcp *t, const struct tcp_tuple *k, uint32_t hash);
/* In state SYN-RECEIVED, in the table, profile of the listener; NULL: full. */
struct tcp_conn *tcp_born(struct tcp *t, const struct tcp_listener *l, const struct tcp_birth *b);
/* Out of the table and, when no socket holds it, back to the pool. The state is CLOSED after it. */
void tcp_end(struct tcp *t, struct tcp_conn *c, int err);
/* Likewise into TIME-WAIT: a record takes its place. */
void tcp_end_time_wait(struct tcp *t, struct tcp_conn *c);
bool tcp_table_add(struct tcp *t, struct tcp_conn *c, uint32_t hash);   /* false: full */
uint32_t tcp_sndbuf(const struct tcp *t, const struct tcp_conn *c);
struct tcp_flight *tcp_flight_make(struct tcp *t, struct tcp_conn *c);  /* there is none; NULL */
static inline struct tcp_flight *tcp_flight_of(struct tcp *t, struct tcp_conn *c)
{
    return oriel_likely(c->flight != NULL) ? c->flight : tcp_flight_make(t, c);
}
void tcp_flight_maybe_free(struct tcp *t, struct tcp_conn *c);
static inline struct tcp_conn *tcp_conn_at(const struct tcp *t, uint32_t index)
{
    return pool_at(&t->conns, index);
}

static inline uint32_t tcp_conn_id(const struct tcp *t, const struct tcp_conn *c)
{
    return pool_index(&t->conns, c);
}
void tcp_list_dirty(struct tcp *t, struct tcp_conn *c);
static inline void tcp_mark_dirty(struct tcp *t, struct tcp_conn *c)
{
    if (!(c->is & TCP_IS_DIRTY) && c->sock != 0)
        tcp_list_dirty(t, c);
}
uint32_t tcp_tuple_hash(const struct tcp *t, const struct tcp_tuple *k);

static inline bool tcp_tuple_eq(const struct tcp_tuple *a, const struct tcp_tuple *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Which link two addresses belong to, where their scope is one link. */
static inline uint32_t tcp_zone(const struct oriel_addr *remote, const struct oriel_addr *local)
{
    return addr_is_link_local(remote) ? remote->zone : addr_is_link_local(local) ? local->zone : 0;
}

/* IPv4, as mapped? */
static inline bool tuple_is_v4(const struct tcp_tuple *k)
{
    return k->remote_hi == 0 && k->remote_lo >> 32 == 0xffff;
}

static inline struct oriel_addr tuple_local(const struct tcp_tuple *k)
{
    return (struct oriel_addr){.hi = k->local_hi, .lo = k->local_lo, .zone = k->zone};
}

static inline struct oriel_addr tuple_remote(const struct tcp_tuple *k)
{
    return (struct oriel_addr){.hi = k->remote_hi, .lo = k->remote_lo, .zone = k->zone};
}

/* tcp_personality.c */
void tcp_settings_from(struct tcp_settings *set, const struct oriel_tcp_config *cfg);

/* tcp_isn.c: what a peer may see and must not guess (RFC 6528, 6056, 7323 5.4). */
struct tcp_secret {
    seq_t iss;
    uint32_t ts_off;
};
struct tcp_secret tcp_isn(const struct tcp *t, const struct tcp_tuple *k);
/* A free local port for that remote end, or 0. */
uint16_t tcp_port_choose(struct tcp *t, const struct tcp_tuple *k, const struct tcp_profile *p);

/*
 * tcp_shortage.c. What is written leaves a part of the stack's budget alone: the acknowledgements that let go
 * of it must find room to arrive. And a connection holds at most half of what is left with what it has: peers
 * that take nothing, however many, must not leave nothing for the others.
 */
#define TCP_WRITE_BUDGET_SHARE 4
/* Bytes that a connection which holds `held` may have besides. */
uint64_t tcp_memory_to_write(const struct tcp *t, uint32_t held);
void tcp_shortage_init(struct tcp *t);
void tcp_starve(struct tcp *t, struct tcp_conn *c);
void tcp_starves_no_more(struct tcp *t, struct tcp_conn *c);

/* tcp_state.c */
void tcp_set_state(struct tcp *t, struct tcp_conn *c, unsigned to);
bool tcp_state_legal(unsigned from, unsigned to);

static inline bool tcp_synchronized(unsigned state)
{
    return state >= TCP_SYN_RCVD;
}

/* May the application's bytes still be sent? */
static inline bool tcp_may_send(const struct tcp_conn *c)
{
    return c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT;
}

/* tcp_output.c: somebody changed what may be sent; it is built when the interface is asked. */
void tcp_list_ready(struct tcp *t, struct tcp_conn *c);
static inline void tcp_ready_to_send(struct tcp *t, struct tcp_conn *c)
{
    if (!(c->is & TCP_IS_READY))
        tcp_list_ready(t, c);
}
static inline void tcp_want(struct tcp *t, struct tcp_conn *c, enum tcp_want bit)
{
    c->out.want |= (uint8_t)bit;
    tcp_ready_to_send(t, c);
}
/* An acknowledgement now. A reason that was given before and not acted upon stays. */
void tcp_ack_now(struct tcp *t, struct tcp_conn *c, enum why why);
/* The same, at most one every set.challenge_ns (RFC 5961, 7). */
void tcp_challenge(struct tcp *t, struct tcp_conn *c, enum why why);

enum tcp_act {
    ACT_NOTHING,
    ACT_ACK,
    ACT_SYN,
    ACT_NEW,                    /* new data [seq, len), perhaps with the FIN behind it */
    ACT_RESEND,
    ACT_PROBE,
    ACT_FIN,
};
struct tcp_action {
    enum tcp_act act;
    enum why why;
    seq_t seq;
    uint32_t len;
    bool fin;
    struct tcp_sent *rec;       /* RESEND: what is sent again */
    enum oriel_tcp_limit limit; /* NOTHING: what keeps it */
};
/* Bytes a second by congestion control and MAX_PACING_RATE; CC_UNPACED. There is a flight block. */
uint64_t tcp_pacing(const struct tcp_conn *c);
/* What to send next. Changes nothing. */
struct tcp_action tcp_next_action(const struct tcp *t, const struct tcp_conn *c);
/* Build what may leave now, a super-segment's worth; frames it makes. *more: there is more. */
unsigned tcp_output(struct tcp *t, struct tcp_conn *c, bool *more);
/* It is not to send any more for now: off the lists. */
void tcp_not_ready(struct tcp *t, struct tcp_conn *c);
/* An interface went away: what waited to leave by it leaves by another way. */
void tcp_on_netif_gone(struct tcp *t, uint16_t nif);

/* Bytes written and not sent yet. */
static inline uint32_t tcp_unsent(const struct tcp_conn *c)
{
    return (c->is & TCP_IS_FIN_SENT) ? 0 : (uint32_t)seq_diff(c->snd.nxt, c->snd.end);
}

/* Sequence numbers that the peer's window still takes beyond snd.nxt; 0 where it shrank. */
static inline uint32_t tcp_usable(const struct tcp_conn *c)
{
    int32_t n = seq_diff(c->snd.nxt, seq_add(c->snd.una, c->snd.wnd));
    return n > 0 ? (uint32_t)n : 0;
}

static inline bool tcp_outstanding(const struct tcp_conn *c)
{
    return !seq_eq(c->snd.una, c->snd.nxt);
}

/* tcp_turn.c: all that was written leaves in one segment, where that is all there is to it. False: it
 * is not, nothing changed. */
bool tcp_turn(struct tcp *t, struct tcp_conn *c);

/* tcp_segment.c */
struct tcp_path *tcp_path_of(struct tcp *t, const struct tcp_tuple *k, uint8_t ttl, uint8_t tos,
                             uint16_t bind_nif);        /* NULL: no way there */
/* The same for a connection, which remembers where it was found. */
struct tcp_path *tcp_conn_path(struct tcp *t, struct tcp_conn *c, uint8_t tos);
/* Does the link that it left by last make the sums of payload itself? */
bool tcp_link_sums(const struct tcp *t, const struct tcp_conn *c);
/* The segment of a turn: len bytes that were written, with an acknowledgement. False: it cannot leave just
 * so, nothing changed. */
bool tcp_emit_turn(struct tcp *t, struct tcp_conn *c, uint32_t len);
/* A segment of a connection; 0 or an error, nothing sent. */
ORIEL_MUST_USE int tcp_emit_segment(struct tcp *t, struct tcp_conn *c, seq_t seq, uint32_t len,
                                    uint16_t flags, enum why why);
/* Payload bytes of a full segment now: less than snd.mss while SACK blocks ride along. */
uint32_t tcp_mss_now(const struct tcp_conn *c);
/* tcp_open.c: SYNs of active and simultaneous opens, and what comes of them. */
uint16_t tcp_open_syn_flags(const struct tcp *t, const struct tcp_conn *c);
uint32_t tcp_open_syn_data(const struct tcp *t, const struct tcp_conn *c);      /* 7413: bytes */
bool tcp_open_fastopen_ready(const struct tcp *t, const struct tcp_conn *c);    /* a cookie is there */
ORIEL_MUST_USE int tcp_open_fastopen(struct tcp *t, struct tcp_conn *c, struct span data);
void tcp_open_on_syn_sent(struct tcp *t, struct tcp_conn *c);
void tcp_open_on_timeout(struct tcp *t, struct tcp_conn *c);    /* SYN or SYN-ACK unanswered */
void tcp_rx_syn_sent(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);     /* 3.10.7.3 */
/* In SYN-RECEIVED: false, g was dropped. An ACK that completes the handshake; a SYN once more. */
bool tcp_open_on_ack(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
bool tcp_open_on_syn_again(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
/* tcp_ecn.c (RFC 9768): the ACE field that says how many marked packets came. */
uint16_t tcp_accecn_flags(struct tcp_conn *c);          /* of a segment that leaves now */
void tcp_accecn_on_syn_ack(struct tcp_conn *c, uint8_t tos);
void tcp_accecn_on_segment(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g);
uint32_t tcp_accecn_ce_bytes(struct tcp_conn *c, const struct tcp_seg *g);      /* newly told */
/* tcp_open.c: the fast open option of our SYN (RFC 7413), where it has one. */
void tcp_open_fastopen_option(struct tcp *t, const struct tcp_conn *c, struct tcp_opts *o);
/* A segment that belongs to no connection: resets, SYN-ACKs of half-open ones, TIME-WAIT's. */
struct tcp_reply {
    struct tcp_tuple tuple;
    uint16_t nif;               /* 0: by route */
    seq_t seq, ack;
    uint16_t flags;
    uint16_t wnd;               /* as on the wire */
    uint8_t ttl, tos, ecn;
    struct tcp_opts opts;       /* and which: */
    uint8_t kinds[TCP_OPTS_MAX];
    uint8_t kinds_n;
};
void tcp_reply(struct tcp *t, const struct tcp_reply *r, enum why why);
/* RFC 9293, 3.10.7.1: the reset that answers g, unless g is one. */
void tcp_reset_for(struct tcp *t, const struct tcp_seg *g, enum why why);
/* A reset on a connection that stands. */
void tcp_reset_conn(struct tcp *t, struct tcp_conn *c, enum why why);
/* Kinds and values of a SYN's options, in the personality's order. */
void tcp_syn_options(const struct tcp *t, struct tcp_opts *o, uint8_t *kinds, uint8_t *n);
/* The MSS that we tell towards that peer (RFC 6691; MUST-67), and payload of a full segment. */
uint16_t tcp_mss_offer(struct tcp *t, const struct tcp_tuple *k, uint16_t bind_nif);
void tcp_mss_update(struct tcp *t, struct tcp_conn *c);

/* tcp_predict.c */
/* True: g was as predicted, and is consumed. */
bool tcp_predict(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
void tcp_known_forget(struct tcp *t, const struct tcp_conn *c);         /* its life ends */

/* tcp_input.c */
/* A segment of a connection of the table, in whatever state. Consumes g->p. */
void tcp_rx(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
/* Whatever the listener's files made of a SYN's last ACK goes on as any segment. Consumes g->p. */
void tcp_rx_synchronized(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
void tcp_seg_drop(struct tcp *t, struct tcp_seg *g, enum drop why);

/* tcp_reasm.c: see there */
/* Payload and FIN of an acceptable segment. Consumes g->p. True: the FIN was consumed. */
bool tcp_reasm_input(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
/* All of g's payload was received before: the answer tells (RFC 2883). */
void tcp_reasm_on_old(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g);
/* The same where it is the next text, on a connection with nothing out of order, urgent, or ended. */
void tcp_reasm_plain(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
/*
 * The next `len` bytes in order, at `at` of p, on a connection with nothing out of order. Consumes p;
 * the caller marks c dirty. True: more packets just like it say nothing new about acknowledgements.
 */
bool tcp_reasm_next(struct tcp *t, struct tcp_conn *c, struct pkt *p, uint32_t at, uint32_t len);
/* Then n such packets, linked from first to last, nothing but payload by now. Consumes them. */
void tcp_reasm_train(struct tcp_conn *c, struct pkt *first, struct pkt *last, unsigned n, uint32_t len);
uint32_t tcp_window(const struct tcp *t, const struct tcp_conn *c);     /* to be advertised */
void tcp_reasm_sacks(const struct tcp_conn *c, struct tcp_opts *o, unsigned max);
void tcp_ooo_init(struct tcp *t, struct tcp_conn *c);           /* of a new flight block */
void tcp_reasm_free(struct tcp *t, struct tcp_conn *c);         /* what lies out of order */
void tcp_rcvq_drop(struct tcp *t, struct tcp_conn *c, enum drop why);   /* what waits to be read */
/* Reading: bytes copied (0: the urgent byte is next and must be asked for), pieces, bytes passed over. */
uint32_t tcp_reasm_read(struct tcp *t, struct tcp_conn *c, void *buf, uint32_t cap, bool peek);
unsigned tcp_reasm_view(const struct tcp_conn *c, struct oriel_bytes out[], unsigned max);
void tcp_reasm_skip(struct tcp *t, struct tcp_conn *c, uint32_t n);
/* The urgent byte that is held apart: 1, or ORIEL_EINVAL (there is none), ORIEL_EAGAIN (to come). */
ORIEL_MUST_USE int tcp_recv_oob(struct tcp *t, struct tcp_conn *c, void *buf, size_t cap, bool peek);
/* Is the next byte to be read the first after urgent data? */
bool tcp_at_mark(const struct tcp_conn *c);
/* The URG flag of an acceptable segment (RFC 9293, 3.8.5). */
void tcp_urgent_input(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g);
void tcp_rcv_opened(struct tcp *t, struct tcp_conn *c, uint32_t promised);
/* The application took n bytes: perhaps a window update is due; perhaps the buffer grows. */
void tcp_reasm_on_read(struct tcp *t, struct tcp_conn *c, uint32_t n);
/* RCVBUF and the like were other before. */
void tcp_rcv_on_options(struct tcp *t, struct tcp_conn *c, const struct tcp_profile *was);

/* tcp_ack.c */
/* The acknowledgement of g, SACK and window: step 5 of 3.10.7.4. False: g was dropped. */
bool tcp_ack_input(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g);
/* The same of a segment that header prediction found plain: new data is acknowledged; none is. */
void tcp_ack_advance(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g);
void tcp_ack_idle(struct tcp_conn *c, const struct tcp_seg *g);
void tcp_ack_told(struct tcp_conn *c, seq_t seq);       /* the newest of a run, its window as it was */

/* tcp_rtt.c */
void tcp_rtt_init(const struct tcp *t, struct tcp_conn *c);
void tcp_rtt_sample(struct tcp *t, struct tcp_conn *c, uint64_t rtt_ns);
uint64_t tcp_rto_unknown(const struct tcp *t, const struct tcp_conn *c);        /* no round trip yet */
/* In ns, with back-off. */
static inline uint64_t tcp_rto(const struct tcp *t, const struct tcp_conn *c)
{
    if (oriel_unlikely(c->rtt.srtt_us8 == 0))
        return tcp_rto_unknown(t, c);
    uint64_t ns = c->rtt.rto_us * NS_PER_US << c->rtt.backoff;
    return ns > t->set.rto_max ? t->set.rto_max : ns;
}
void tcp_rtt_on_timeout(struct tcp *t, struct tcp_conn *c);
void tcp_rtt_on_progress(struct tcp_conn *c);                           /* back-off ends */
uint32_t tcp_ts_now(const struct tcp *t, const struct tcp_conn *c);
/* RFC 7323, 5.3: is that timestamp from the past? */
bool tcp_paws_old(const struct tcp *t, const struct tcp_conn *c, const struct tcp_seg *g);
void tcp_ts_on_segment(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g);
static inline uint64_t tcp_srtt_ns(const struct tcp_conn *c)
{
    return (uint64_t)c->rtt.srtt_us8 * 125;     /* eighths of a microsecond */
}

/* tcp_timer.c: facts in, deadlines out; the wheel is touched only when the earliest moves earlier. */
void tcp_timer_init(struct tcp *t, struct tcp_conn *c);
/* Something acceptable came. */
static inline void tcp_timer_on_heard(const struct tcp *t, struct tcp_conn *c)
{
    c->timer.rx_ms = (uint32_t)(t->env->now / NS_PER_MS);
}
void tcp_timer_stop(struct tcp *t, struct tcp_conn *c);
void tcp_timer_on_sent(struct tcp *t, struct tcp_conn *c);      /* data, SYN or FIN left */
void tcp_timer_on_progress(struct tcp *t, struct tcp_conn *c);  /* snd.una moved */
void tcp_timer_on_all_acked(struct tcp *t, struct tcp_conn *c);
void tcp_timer_on_ack_owed(struct tcp *t, struct tcp_conn *c);
static inline void tcp_timer_on_ack_sent(struct tcp_conn *c)
{
    c->timer.delack_at = ORIEL_NEVER;
}
/* Nothing is under way and what waits may not leave: ask again after a while (persist). */
void tcp_timer_on_held(struct tcp *t, struct tcp_conn *c, enum oriel_tcp_limit by);
/* Something could not be built for want of memory or a way: try again after a while. */
void tcp_timer_on_stalled(struct tcp *t, struct tcp_conn *c);
void tcp_timer_on_state(struct tcp *t, struct tcp_conn *c);     /* life_at follows the state */
void tcp_timer_on_user_timeout(struct tcp *t, struct tcp_conn *c);      /* the option changed */
void tcp_timer_sync(struct tcp *t, struct tcp_conn *c);

/* tcp_opt.c */
struct tcp_profile tcp_profile_default(const struct tcp *t);
struct tcp_profile *tcp_profile_get(struct tcp *t, const struct tcp_profile *p);   /* interned */
void tcp_profile_put(struct tcp *t, struct tcp_profile *p);
/* An option of a connection that lives takes effect at once. */
void tcp_on_profile(struct tcp *t, struct tcp_conn *c, const struct tcp_profile *was);
/* ORIEL_OPT_QUICKACK was set: the acknowledgements to come, and the one that is owed, are not delayed. */
void tcp_on_quickack(struct tcp *t, struct tcp_conn *c, bool quick);

/* tcp_check.c, for the simulator and for tests: a sentence about what is wrong, or NULL. */
const char *tcp_check(const struct tcp *t, const struct tcp_conn *c);
const char *tcp_check_lists(const struct tcp *t);

/* tcp_limit.c */
void tcp_limit_init(struct tcp *t, struct tcp_conn *c);
void tcp_limit_change(struct tcp *t, struct tcp_conn *c, enum oriel_tcp_limit now);
static inline void tcp_limit_note(struct tcp *t, struct tcp_conn *c, enum oriel_tcp_limit now)
{
    if (oriel_unlikely(c->stat.limit != now))
        tcp_limit_change(t, c, now);
}
uint64_t tcp_limit_ns(const struct tcp *t, const struct tcp_conn *c, enum oriel_tcp_limit l);

#endif
