/*
 * Records that are smaller than a connection: listeners, half-open connections, SYN cookies, fast
 * open cookies, TIME-WAIT.
 *
 *   tcp_listen.c    who listens where; SYNs; the table of half-open connections; the accept queues
 *   tcp_cookie.c    SYN cookies (RFC 4987, 3.6)
 *   tcp_fastopen.c  RFC 7413, both sides
 *   tcp_timewait.c  connections that have ended (9293 3.6.1, 1337, 6191)
 *
 * Half-open and TIME-WAIT records are found by the hash of their tuple, in chains: bucket heads and
 * `next` are indices + 1. All records of one age class have the same lifetime, so each class is a
 * queue, and one timer serves the head of them all. Full tables: half-open ones give way to cookies,
 * TIME-WAIT ones to newer ones, oldest first; both counted.
 */
#ifndef ORIEL_TCP_TCP_LISTEN_H
#define ORIEL_TCP_TCP_LISTEN_H

#ifndef ORIEL_TCP_TCP_H
#error "include tcp/tcp.h"
#endif

struct tcp;
struct tcp_conn;
struct tcp_seg;

/* ---- listeners ---- */

struct tcp_listener {
    struct list node;           /* of struct tcp_listen.all, in the order of listening */
    struct oriel_endpoint local;        /* addr ADDR_NONE: any address of ours */
    uint16_t port_last;
    uint8_t family;             /* enum oriel_family */
    bool any_addr;              /* addresses that are not ours as well */
    bool defer;
    uint32_t sock;              /* slot + 1 */
    struct tcp_profile *prof;
    uint32_t backlog;
    uint32_t waiting;           /* established, to be accepted */
    uint32_t first, last;       /* of them, the oldest first: pool indices, by accept_next */
    uint32_t half_open;
    uint32_t fastopen_pending;
    struct list dirty;          /* of struct tcp.dirty_listeners */
    uint64_t syns, cookies_sent, overflows;
};

#define TCP_LISTEN_BUCKETS 1024

struct tcp_listen {
    struct list all;
    struct list by_port[TCP_LISTEN_BUCKETS];    /* of `hashed`: listeners on one port */
    uint32_t ranges;            /* listeners on more than one port: looked for one by one */
};

/* NULL: nobody. The most specific: address before any, interface before none; shared by REUSEPORT,
 * chosen by the hash of the tuple. */
struct tcp_listener *tcp_listener_find(const struct tcp *t, const struct tcp_tuple *k, uint16_t nif);

/* ORIEL_EADDRINUSE ...; the socket's profile is shared. */
ORIEL_MUST_USE int tcp_listen_start(struct tcp *t, const struct oriel_endpoint *local,
                                    const struct oriel_listen *l, uint8_t family, uint32_t sock,
                                    struct tcp_profile *prof, struct tcp_listener **out);
/* What waits to be accepted is reset, half-open ones are forgotten. */
void tcp_listen_stop(struct tcp *t, struct tcp_listener *l);
void tcp_listen_set_backlog(struct tcp_listener *l, uint32_t backlog);

/* Would binding there clash with a listener, or with connections that are not to be shared? */
bool tcp_port_taken(const struct tcp *t, const struct oriel_endpoint *local, uint8_t family,
                    const struct tcp_profile *p);

/* The oldest connection to be accepted; NULL. It is the caller's. */
struct tcp_conn *tcp_accept(struct tcp *t, struct tcp_listener *l);
ORIEL_MUST_USE int tcp_held_next(struct tcp *t, struct tcp_listener *l, struct oriel_held *out);
ORIEL_MUST_USE int tcp_admit(struct tcp *t, struct tcp_listener *l, uint64_t id,
                             enum oriel_admission what);

/* ---- half-open connections ---- */

struct tcp_half {               /* 80 bytes at most */
    struct tcp_tuple tuple;     /* 40 */
    seq_t irs;                  /* iss and ts_off come from tcp_isn again */
    uint32_t ts_recent;
    uint32_t sent_us;           /* when the SYN-ACK left, for the round trip */
    uint32_t next;              /* in its chain: index + 1 */
    uint32_t q_next, q_prev;    /* in the queue of its age */
    uint32_t due_ms;
    uint16_t listener;          /* index in the pool */
    uint16_t peer_mss;
    uint16_t nif;
    uint8_t wscale;             /* the peer's, 0xff: none */
    uint8_t flags;              /* enum in tcp_listen.c: ts, sack, ecn, held, named ... */
    uint8_t sent;               /* SYN-ACKs */
};

#define TCP_HALF_AGES 8         /* SYN-ACKs sent: each a queue with one interval */

struct tcp_halfopen {
    struct pool pool;
    uint32_t *bucket;
    uint32_t mask;
    struct {
        uint32_t first, last;
    } age[TCP_HALF_AGES];
    struct timer timer;
    uint64_t next_id;           /* of held SYNs */
};

/* A segment for no connection of the table. Consumes g->p. */
void tcp_listen_input(struct tcp *t, struct tcp_seg *g);
void tcp_halfopen_on_timer(struct tcp *t);

/* ---- SYN cookies: tcp_cookie.c ---- */

struct tcp_cookie {             /* what comes back out of one */
    uint16_t mss;
    uint8_t wscale;             /* 0xff: none */
    bool sack, ecn;
};
/* The sequence number that says it all; *ts_val likewise where the peer has timestamps. */
seq_t tcp_cookie_make(struct tcp *t, const struct tcp_tuple *k, seq_t irs,
                      const struct tcp_opts *o, bool ecn, uint32_t *ts_val);
/* False: not a cookie of ours, or older than two minutes. */
bool tcp_cookie_check(struct tcp *t, const struct tcp_tuple *k, seq_t irs, seq_t cookie,
                      bool has_ts, uint32_t ts_ecr, struct tcp_cookie *out);

/* ---- fast open: tcp_fastopen.c ---- */

#define TCP_TFO_CACHE 64

struct tcp_fastopen {
    struct siphash_key key[2];  /* the one in use, and the one before it (7413-3) */
    bool has_old;
    struct {                    /* client: what servers gave us */
        struct oriel_addr peer;
        uint8_t cookie[TCP_COOKIE_MAX];
        uint8_t n;              /* 0: none; a request is sent */
        uint16_t mss;
        bool failed;            /* a SYN with data was not answered: without it for a while */
        oriel_time until;
    } cache[TCP_TFO_CACHE];
};

/* The cookie of that client; TCP_TFO_COOKIE bytes into out. */
#define TCP_TFO_COOKIE 8
void tcp_tfo_cookie(const struct tcp *t, const struct tcp_tuple *k, uint8_t *out);
bool tcp_tfo_cookie_ok(const struct tcp *t, const struct tcp_tuple *k, struct span cookie);
/* Client: cookie and MSS remembered for that peer; false: none yet, or it failed (*failed). */
bool tcp_tfo_lookup(const struct tcp *t, const struct oriel_addr *peer, struct span *cookie,
                    uint16_t *mss, bool *failed);
void tcp_tfo_learn(struct tcp *t, const struct oriel_addr *peer, struct span cookie, uint16_t mss);
void tcp_tfo_failed(struct tcp *t, const struct oriel_addr *peer);
void tcp_tfo_set_key(struct tcp *t, const uint8_t key[16]);    /* the old one stays valid */

/* ---- TIME-WAIT: tcp_timewait.c ---- */

struct tcp_tw {                 /* 80 bytes at most */
    struct tcp_tuple tuple;     /* 40 */
    seq_t rcv_nxt;
    seq_t snd_nxt;
    uint32_t rcv_wnd;           /* as advertised last, scaled */
    uint32_t ts_recent;
    uint32_t ts_off;
    uint32_t until_ms;
    uint32_t next;              /* in its chain: index + 1 */
    uint32_t q_next, q_prev;    /* by age */
    uint16_t nif;
    uint8_t flags;              /* ts, the peer's shift in the upper half */
    uint8_t tos;
};

struct tcp_timewait {
    struct pool pool;
    uint32_t *bucket;
    uint32_t mask;
    uint32_t first, last;       /* by age */
    struct timer timer;
    uint64_t shed;              /* ended early to make room */
};

/* c has closed both ways: a record takes its place, and c is to be ended by the caller. */
void tcp_timewait_enter(struct tcp *t, const struct tcp_conn *c);
/* A segment for a tuple in TIME-WAIT: true: consumed (answered, dropped). False: there is none, or
 * it just made way for g, a SYN that may open it again (6191; *iss_floor: our ISN must be beyond). */
bool tcp_timewait_input(struct tcp *t, struct tcp_seg *g, seq_t *iss_floor, bool *reuse);
/* May a new connection of ours take that tuple (6191)? Then the record is gone. */
bool tcp_timewait_yield(struct tcp *t, const struct tcp_tuple *k);
bool tcp_timewait_has(const struct tcp *t, const struct tcp_tuple *k);
void tcp_timewait_on_timer(struct tcp *t);
bool tcp_timewait_owns(const struct tcp *t, const struct tcp_tuple *k);

#endif
