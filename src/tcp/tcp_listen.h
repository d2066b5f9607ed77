/*
 * Records that are smaller than a connection: listeners, half-open connections, SYN cookies, fast
 * open cookies, TIME-WAIT.
 *
 *   tcp_listen.c    who listens where, the accept queues, what a LISTEN does with a segment
 *   tcp_halfopen.c  the table of half-open connections: SYN-RECEIVED of a passive open
 *   tcp_admit.c     of them, those that the application decides about
 *   tcp_cookie.c    SYN cookies (RFC 4987, 3.6)
 *   tcp_fastopen.c  RFC 7413, both sides
 *   tcp_timewait.c  connections that have ended (9293 3.6.1, 1337, 6191)
 *
 * Half-open and TIME-WAIT records are found by the hash of their tuple, in chains: bucket heads and
 * `next` are indices + 1. All records of one age class have the same lifetime, so each class is a
 * queue, and one timer serves the head of them all. Full tables: half-open ones give way to
 * cookies, TIME-WAIT ones to newer ones, oldest first; both counted.
 */
#ifndef ORIEL_TCP_TCP_LISTEN_H
#define ORIEL_TCP_TCP_LISTEN_H

#ifndef ORIEL_TCP_TCP_H
#error "include tcp/tcp.h"
#endif

struct tcp;
struct tcp_conn;
struct tcp_seg;
struct tcp_birth;
struct tcp_tuple;

/* ---- listeners ---- */

struct tcp_listener {
    struct list node;           /* of struct tcp_listen.all, in the order of listening */
    struct list hashed;         /* of its port's bucket, or of struct tcp_listen.ranges */
    struct oriel_endpoint local;        /* addr ADDR_NONE: any address of ours */
    uint16_t port_last;         /* local.port, or the end of a range */
    uint8_t family;             /* enum oriel_family */
    bool any_addr;              /* addresses that are not ours as well */
    bool defer;
    uint32_t sock;              /* slot + 1 */
    struct tcp_profile *prof;
    uint32_t backlog;
    uint32_t waiting;           /* to be accepted, dead ones included */
    uint32_t first, last;       /* of them, the oldest first: pool indices, by accept_next */
    uint32_t half_open;
    uint32_t unnamed;           /* of them: SYNs that wait to be named by tcp_held_next */
    uint32_t fastopen_pending;  /* connections from SYNs with data whose handshake goes on */
    uint32_t fastopen_resets;   /* of those that a reset ended: they count on (7413, 5.1) */
    oriel_time fastopen_resets_until;
    struct list dirty;          /* of struct tcp.dirty_listeners */
    uint64_t syns, cookies_sent, overflows;
};

#define TCP_LISTEN_BUCKETS 1024

#define TCP_LISTEN_KNOWN 8

/* The listener that a segment to that address and port, by that interface, went to alone: the next
 * goes to it too, while gen is that of struct tcp_listen and ip_gen that of struct ip. */
struct tcp_listen_known {
    struct tcp_listener *l;
    uint64_t local_hi, local_lo;
    uint32_t zone, gen, ip_gen;
    uint16_t port, nif;
};

struct tcp_listen {
    uint32_t gen;               /* changes with every listener; never 0 */
    struct tcp_listen_known known[TCP_LISTEN_KNOWN];
    struct list all;
    struct list by_port[TCP_LISTEN_BUCKETS];    /* by `hashed`: listeners on one port */
    struct list ranges;         /* by `hashed`: on more than one, looked at one by one */
};

void tcp_listen_init(struct tcp *t);

/* NULL: nobody. The most specific: address before any, interface before none; shared by REUSEPORT,
 * chosen by the hash of the tuple. */
struct tcp_listener *tcp_listener_find(struct tcp *t, const struct tcp_tuple *k, uint16_t nif);
struct tcp_listener *tcp_listener_at(const struct tcp *t, uint32_t index);

/*
 * Port 0: one is chosen; (*out)->local has it. A reference to the profile is taken.
 * ORIEL_EADDRINUSE: somebody listens there. Connections that live on that port, half-open ones and
 * those in TIME-WAIT do not stand in the way (MUST-41, MUST-42): a tuple is never taken twice.
 */
ORIEL_MUST_USE int tcp_listen_start(struct tcp *t, const struct oriel_endpoint *local,
                                    const struct oriel_listen *l, uint8_t family, uint32_t sock,
                                    struct tcp_profile *prof, struct tcp_listener **out);
/* What waits to be accepted is reset, half-open ones are forgotten. */
void tcp_listen_stop(struct tcp *t, struct tcp_listener *l);
void tcp_listen_set_backlog(struct tcp_listener *l, uint32_t backlog);
/* An option of the listening socket was set: its connections to come are like that. */
void tcp_listen_set_profile(struct tcp *t, struct tcp_listener *l, struct tcp_profile *prof);

/* Would binding there clash with a listener? With REUSEPORT at both it does not. */
bool tcp_port_taken(const struct tcp *t, const struct oriel_endpoint *local, uint8_t family,
                    const struct tcp_profile *p);

/* Is there something for tcp_accept or tcp_held_next? */
bool tcp_acceptable(const struct tcp_listener *l);
/* The oldest connection to be accepted, the caller's now; NULL. It may be dead: its error tells. */
struct tcp_conn *tcp_accept(struct tcp *t, struct tcp_listener *l);
ORIEL_MUST_USE int tcp_held_next(struct tcp *t, struct tcp_listener *l, struct oriel_held *out);
ORIEL_MUST_USE int tcp_admit(struct tcp *t, struct tcp_listener *l, uint64_t id,
                             enum oriel_admission what);

/*
 * What is told of a connection whose c->listener is not TCP_NONE, while it still is in
 * SYN-RECEIVED: the handshake is complete (before its state changes); it ends (likewise), by a
 * reset or not. One that waits to be accepted (TCP_IS_ACCEPTQ) is held by its listener as by a
 * socket, dead or alive.
 */
void tcp_listen_on_established(struct tcp *t, struct tcp_conn *c);
void tcp_listen_on_end(struct tcp *t, struct tcp_conn *c, bool reset);

/* A segment for no connection of the table. Consumes g->p. */
void tcp_listen_input(struct tcp *t, struct tcp_seg *g);

/* ---- half-open connections ---- */

enum tcp_half_flag {
    HALF_TS = 1 << 0,           /* agreed upon */
    HALF_SACK = 1 << 1,
    HALF_ECN = 1 << 2,
    HALF_ACCECN = 1 << 3,
    HALF_HELD = 1 << 4,         /* waits for the application's answer; `iss` is its number */
    HALF_NAMED = 1 << 5,        /* and the application knows of it */
    HALF_COOKIE = 1 << 6,       /* the SYN-ACK brings a fast open cookie */
    HALF_ACKED = 1 << 7,        /* the handshake is done, data is waited for (DEFER_ACCEPT) */
    HALF_RIPE = 1 << 8,         /* it was waited for long enough */
    HALF_LATE = 1 << 9,         /* the SYN-ACK left more than once: no round trip from it */
};

#define HALF_SYN_ECN_SHIFT 14   /* in flags: the ECN field of the SYN's IP header */

struct tcp_half {               /* 80 bytes at most */
    struct tcp_tuple tuple;     /* 40 */
    seq_t irs, iss;
    uint32_t ts_off;            /* while it is held: the interface that it came by */
    uint32_t ts_recent;
    uint32_t sent_us;           /* when the SYN-ACK left, or a held SYN came */
    uint32_t next;              /* in its chain: index + 1 */
    uint32_t q_next, q_prev;    /* in the queue of its age: indices + 1 */
    uint16_t listener;          /* index in the pool */
    uint16_t peer_mss;
    uint16_t flags;             /* enum tcp_half_flag */
    uint8_t wscale;             /* the peer's, 0xff: none */
    uint8_t sent;               /* SYN-ACKs, or times that it was waited for in vain */
};

static_assert(sizeof(struct tcp_half) <= 80, "what a SYN costs");

#define TCP_HALF_AGES   8       /* SYN-ACKs sent: each a queue with one interval */
#define TCP_HALF_HELD   8       /* the queue of SYNs that the application does not know of ... */
#define TCP_HALF_NAMED  9       /* ... and of those that it has not answered */
#define TCP_HALF_QUEUES 10

struct tcp_halfopen {
    struct pool pool;
    uint32_t *bucket;
    uint32_t mask;
    struct {
        uint32_t first, last;
    } queue[TCP_HALF_QUEUES];
    uint64_t interval[TCP_HALF_QUEUES];
    struct timer timer;
    uint32_t next_id;           /* of held SYNs */
    struct {                    /* the options of a SYN-ACK, by HALF_TS | HALF_SACK and the shift */
        uint8_t kinds[TCP_OPTS_MAX];
        uint8_t n;
    } layout[8];
    struct siphash_key cookie_key;
    oriel_time cookies_until;   /* cookies that were sent may come back until then */
};

/* t->set is there. */
bool tcp_halfopen_init(struct tcp *t, struct arena *a, uint32_t max);
void tcp_halfopen_fini(struct tcp *t);
void tcp_halfopen_on_timer(struct tcp *t);
bool tcp_halfopen_has(const struct tcp *t, const struct tcp_tuple *k);
/* For whoever shows them all: *cursor begins at 0; NULL at the end. */
const struct tcp_half *tcp_half_each(const struct tcp *t, uint32_t *cursor);

/* Among tcp_listen.c, tcp_halfopen.c, tcp_admit.c and tcp_fastopen.c. A record is found by tuple;
 * hash is that of tcp_tuple_hash. */
struct tcp_half *tcp_half_find(const struct tcp *t, const struct tcp_tuple *k, uint32_t hash);
/* What l agrees upon with the sender of that SYN, and numbers for it; in no table. */
struct tcp_half tcp_half_of_syn(struct tcp *t, const struct tcp_listener *l,
                                const struct tcp_seg *g);
/* A copy of *made into the table, held or answered as l wants; false: the table is full. */
bool tcp_half_add(struct tcp *t, struct tcp_listener *l, const struct tcp_half *made,
                  uint32_t hash);
/* RFC 9293, 3.10.7.4 for SYN-RECEIVED. Consumes g->p. */
void tcp_half_input(struct tcp *t, struct tcp_half *h, struct tcp_seg *g, uint32_t hash);
/* The handshake of h is done (or all but done, with data): a connection, on l's accept queue; NULL:
 * no room. h goes on to be the caller's. */
struct tcp_conn *tcp_half_born(struct tcp *t, struct tcp_listener *l, const struct tcp_half *h,
                               const struct tcp_seg *g, uint32_t is);
/* The SYN-ACK of h, which may be in no table; ts_val: with cookies, what our timestamp says. */
void tcp_half_answer(struct tcp *t, const struct tcp_listener *l, const struct tcp_half *h,
                     uint32_t ts_val, enum why why);
uint32_t tcp_half_ts_now(const struct tcp *t, const struct tcp_half *h);
/* The window that a SYN-ACK of that listener promises: not scaled. */
uint16_t tcp_half_window(const struct tcp *t, const struct tcp_profile *prof);
struct tcp_listener *tcp_half_listener(const struct tcp *t, const struct tcp_half *h);
void tcp_half_number(const struct tcp *t, struct tcp_half *h);         /* ours: one SipHash */
/* Its time begins anew, in the queue that follows from flags and sent, which are set. */
void tcp_half_requeue(struct tcp *t, struct tcp_half *h, unsigned flags, unsigned sent);
void tcp_half_forget(struct tcp *t, struct tcp_half *h);
void tcp_half_forget_all(struct tcp *t, struct tcp_listener *l);
void tcp_listener_mark(struct tcp *t, struct tcp_listener *l);
bool tcp_listener_full(const struct tcp_listener *l);
void tcp_listener_enqueue(struct tcp *t, struct tcp_listener *l, struct tcp_conn *c);

/* ---- SYN cookies: tcp_cookie.c ---- */

struct tcp_cookie {             /* what comes back out of one */
    uint16_t mss;
    uint8_t wscale;             /* 0xff: none */
    bool sack, ecn;
};
/* The sequence number that says it all; *ts_val (our timestamp now) likewise where the peer has
 * timestamps. */
seq_t tcp_cookie_make(struct tcp *t, const struct tcp_tuple *k, seq_t irs,
                      const struct tcp_opts *o, bool ecn, uint32_t *ts_val);
/* False: not a cookie of ours, or older than two minutes. ts_ecr: has_ts says whether there is one;
 * the offset of tcp_isn is in it. */
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

/* key all zero: from the seed. */
void tcp_tfo_init(struct tcp *t, const uint8_t key[16]);

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

/* Server: a SYN with the fast open option. True: a connection was born of it, g->p is consumed.
 * False: the handshake is to go on as any other; h says whether its SYN-ACK brings a cookie. */
bool tcp_tfo_syn(struct tcp *t, struct tcp_listener *l, struct tcp_half *h, struct tcp_seg *g);

/* ---- TIME-WAIT: tcp_timewait.c ---- */

/* The tuple's fields stand on their own: a zone is an interface and needs half the bits. */
struct tcp_tw {                 /* 64 bytes: with its share of the index 80 at most */
    uint64_t local_hi, local_lo;
    uint64_t remote_hi, remote_lo;
    uint16_t local_port, remote_port;
    uint16_t zone : 15;
    uint16_t has_ts : 1;
    uint16_t until;             /* in ticks of struct tcp_timewait.shift, round the circle */
    seq_t rcv_nxt;
    seq_t snd_nxt;
    uint32_t ts_recent;         /* our offset comes from tcp_isn again */
    uint32_t next;              /* in its chain: index + 1 */
    uint32_t q_next, q_prev;    /* by age: indices + 1 */
};

static_assert(sizeof(struct tcp_tw) == 64, "what a connection that has ended costs");

struct tcp_timewait {
    struct pool pool;
    uint32_t *bucket;
    uint32_t mask;
    uint32_t first, last;       /* by age: indices + 1 */
    uint8_t shift;              /* a tick is 2^shift ns */
    uint16_t life;              /* 2 MSL in ticks, rounded up, and one */
    struct timer timer;
    uint64_t shed;              /* ended early to make room */
};

bool tcp_timewait_init(struct tcp *t, struct arena *a, uint32_t max);

/* c has closed both ways: a record takes its place, and c is to be ended by the caller. */
void tcp_timewait_enter(struct tcp *t, const struct tcp_conn *c);
/* May a new connection of ours take that tuple (6191)? Then the record is gone. */
bool tcp_timewait_yield(struct tcp *t, const struct tcp_tuple *k);
bool tcp_timewait_has(const struct tcp *t, const struct tcp_tuple *k);
void tcp_timewait_on_timer(struct tcp *t);
bool tcp_timewait_owns(const struct tcp *t, const struct tcp_tuple *k);
struct tcp_tuple tcp_tw_tuple(const struct tcp_tw *w);
/* For whoever shows them all: *cursor begins at 0; NULL at the end. */
const struct tcp_tw *tcp_tw_each(const struct tcp *t, uint32_t *cursor);

/* Among tcp_listen.c and tcp_timewait.c. A record is found by tuple; NULL. */
struct tcp_tw *tcp_tw_find(const struct tcp *t, const struct tcp_tuple *k, uint32_t hash);
/* A segment for it is answered, dropped. Consumes g->p. */
void tcp_timewait_input(struct tcp *t, struct tcp_tw *w, struct tcp_seg *g);
/* Is g a SYN that may open the connection anew (6191, MAY-2)? Our ISN must be beyond *iss_floor. */
bool tcp_tw_reopens(const struct tcp_tw *w, const struct tcp_seg *g, seq_t *iss_floor);
void tcp_tw_forget(struct tcp *t, struct tcp_tw *w);

/* ---- numbers: tcp_isn.c ---- */

void tcp_port_init(struct tcp *t);      /* the clocks begin anywhere; port_key is there */

/* A tuple as words to be hashed with a key; how many. */
#define TCP_TUPLE_WORDS 5
unsigned tcp_tuple_words(const struct tcp_tuple *k, uint64_t words[TCP_TUPLE_WORDS]);

#endif
