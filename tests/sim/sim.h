/*
 * The simulator: a random world from a seed, random traffic, and checkers after every event.
 *
 *   build.c    the world: routers in a chain or ring, hosts, a switch, a peer that sends garbage
 *   traffic.c  what applications do: datagrams, pings, groups, sockets
 *   stream.c   what applications do with streams; every byte is looked at
 *   meddle.c   what is done to it: links, addresses, routes, neighbours, garbage; and undone
 *   hoard.c    memory runs short
 *   payload.c  datagrams that can be recognised when they arrive, and judged
 *   watch.c    what must hold of each connection from step to step, and of what it sends
 *   check.c    what must hold after each event, and when everything has become quiet
 *   sim.c      phases: traffic, healing, quiet, everybody can reach everybody, the end; twice
 *
 * Everything that is left to chance is drawn from one generator, so a seed is a history.
 */
#ifndef ORIEL_TESTS_SIM_H
#define ORIEL_TESTS_SIM_H

#include "lab/world.h"
#include "stack/stack.h"

#define ROUTERS_AT_MOST 3
#define HOSTS_AT_MOST   6
#define NODES_AT_MOST   (ROUTERS_AT_MOST + HOSTS_AT_MOST)
#define LEGS_AT_MOST    32
#define SEGS_AT_MOST    16
#define SOCKS_AT_MOST   12      /* a node */
#define SENT_AT_MOST    16384   /* the second half is for pings when all is well again */
#define DATA_AT_MOST    20000   /* of a datagram */
#define FRAME_AT_MOST   9300

#define PORT_ECHO   7
#define PORT_SINK   5000        /* and the ones after it, one a socket */
#define PORT_CLOSED 9
#define PORT_GROUP  6000
#define PORT_STREAM 7000        /* and the ones after it: listeners */
#define PORT_CROSS  8000        /* and the ones after it: both ends connect */

#define ENDS_AT_MOST    96      /* of streams, in one run */
#define LISTENS_AT_MOST 3       /* a node */
#define STREAM_AT_MOST  (1u << 20)      /* bytes that one end writes */

/* Second bytes of IPv4 addresses that come and go: 10.100.who.n, 10.101.who.1. */
#define MEDDLE_ADDR 0x640000u
#define MEDDLE_VLAN 0x650000u

/* A network: one wire, or one VLAN of the switch. */
struct seg {
    uint32_t mtu;
    uint16_t vid;               /* 0: untagged */
    bool switched;
    bool fcs;
};

/* An interface with the addresses that it has when nobody meddles. */
struct leg {
    uint8_t who;                /* index of struct sim.who */
    uint8_t seg;
    int netif;
    struct oriel_addr a4, a6;
    bool is_nat;
    struct port *port;
};

struct sim_sock {
    oriel_handle h;             /* 0: none */
    bool is_icmp;
    bool lazy;                  /* read now and then only */
    bool echo;
    enum oriel_family family;
    uint16_t port;
    uint16_t cap;               /* of the buffer that it reads into; 0: large enough */
};

struct sim_listen {
    oriel_handle h;             /* 0: none */
    bool lazy;                  /* looked at now and then only */
    bool later;                 /* no socket was left for what it has */
    bool defer;                 /* SYNs are held, and decided about one by one */
};

struct actor {                  /* a host or router */
    struct node *node;
    bool router;
    bool v4, v6;
    struct sim_sock sock[SOCKS_AT_MOST];
    struct sim_listen listen[LISTENS_AT_MOST];
};

/*
 * One end of a stream, as its application sees it. The first eight bytes that it writes say which end
 * it is; all others follow from that and their place, so that whoever reads them can judge them.
 */
struct end {
    oriel_handle h;             /* 0: closed */
    uint8_t who;
    bool used;
    bool lazy;                  /* reads and writes now and then only; others when told that they can */
    bool connecting;
    bool later;                 /* there was no memory to write: to be tried again */
    bool shut;                  /* what was written is all: a FIN follows it */
    bool urgent;                /* some of what it writes is urgent ... */
    bool in_line;               /* ... and some of what it reads, which is read where it stands */
    bool stray;                 /* what it reads was read by another end already */
    bool stopped;               /* it was aborted, or closed before it had read all */
    bool deaf;                  /* it has shut down reading */
    bool got_eof;
    bool got_error;
    int16_t error;
    int16_t peer;               /* index of the other end; -1: not known (yet) */
    uint32_t total;             /* it wants to write so much */
    uint32_t written, read;
    uint32_t took;              /* bytes that the last writing took */
    uint8_t tag[8];             /* the first bytes read */
};

/* A datagram or ping whose payload can be recognised. */
struct sent {
    oriel_time at;
    uint32_t len;
    struct oriel_addr dst;
    uint16_t dst_port, src_port;
    uint8_t who;
    bool is_ping;
    bool group;                 /* or broadcast: many may have it */
    bool reply;                 /* an echo of another: not echoed again */
    uint8_t got[NODES_AT_MOST][SOCKS_AT_MOST];
};

/* What is known of a connection since the step before. */
struct watch {
    bool used, has_told;
    seq_t iss, irs;
    struct tcp_tuple tuple;
    seq_t una, nxt, rcv_nxt, adv;
    seq_t edge;                 /* the farthest right edge that its peer ever told */
    seq_t told;                 /* and the farthest that it told itself */
    uint32_t pipe, may;         /* bytes under way before its output is built, and how many may leave */
};

#define WATCHED_AT_MOST 160     /* connections of a node */

/* What somebody holds of a pool, or has taken off a budget. */
struct hoard {
    struct pool *from;
    struct budget *budget;
    uint64_t max;
    void **held;
    uint32_t n;
};

#define HOARDS_AT_MOST 3

struct sim {
    struct world w;
    struct rng rng;
    uint64_t seed;
    bool verbose;
    bool second;                /* run: the memory is not zero before it is used, and no fast path */
    uint8_t *memory;
    uint8_t *buffer;            /* of one datagram */

    /* the world */
    bool v4, v6;
    bool calm;                  /* only streams, and nobody meddles with addresses and routes */
    bool flapping;              /* links go down and come back in a calm world */
    bool short_memory;          /* memory runs short now and then */
    bool hostile;               /* a peer sends garbage */
    bool bare;                  /* without check sequences: damage reaches the stacks */
    bool sound;                 /* without them, and nothing is damaged */
    bool has_nat;
    bool blackhole;             /* a wire carries less than its ends believe */
    bool meddled_addresses;     /* somebody had somebody else's address for a while */
    struct seg seg[SEGS_AT_MOST];
    unsigned segs;
    struct leg leg[LEGS_AT_MOST];
    unsigned legs;
    struct actor who[NODES_AT_MOST];
    struct end end[ENDS_AT_MOST];
    struct hoard hoard[HOARDS_AT_MOST];
    struct watch watch[NODES_AT_MOST][WATCHED_AT_MOST];
    oriel_time waited[NODES_AT_MOST];   /* packets waited for link addresses: until then they may be late */
    bool starved;               /* memory ran short once */
    bool relistened;            /* a listener was closed: what waited there was reset */
    unsigned ends;
    unsigned routers, all;      /* who[0..routers) are the routers, then hosts up to all */
    struct node *sw;
    struct port *peer;          /* NULL: none */

    /* what happened */
    struct sent *sent;
    uint32_t sent_n;
    uint32_t delivered, answered;
    uint64_t stream_bytes;      /* read and found right */
    bool healing;               /* no new traffic */
    uint64_t events, frames, doubles;
    uint64_t hash;              /* of everything that was seen */
    uint64_t steps_now;         /* steps without time going on */
    oriel_time steps_at;
    uint8_t recent[8][FRAME_AT_MOST];   /* frames to make garbage of */
    size_t recent_n[8];
    unsigned recent_at;
    char wrong[512];            /* the first thing that was; empty: nothing */
};

/* sim.c */
void sim_wrong(struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_say(const struct sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void sim_see(struct sim *s, uint64_t v)
{
    s->hash = hash_word(s->hash, v);
}

static inline bool one_in(struct sim *s, uint64_t n)
{
    return rng_below(&s->rng, n) == 0;
}

static inline uint64_t between(struct sim *s, uint64_t lo, uint64_t hi)
{
    return rng_between(&s->rng, lo, hi);
}

unsigned sim_who(const struct sim *s, const struct node *n);

/* A number from 1 to max; small ones are as likely as large ones. */
uint64_t sim_scale(struct sim *s, uint64_t max);

/* build.c */
void sim_build(struct sim *s, size_t bytes);
void sim_routes(struct sim *s, uint8_t who);            /* as they are when nobody meddles */
const struct leg *sim_leg(const struct sim *s, unsigned who, int netif);
const struct leg *sim_first_leg(const struct sim *s, unsigned who);
bool sim_reaches(const struct sim *s, unsigned from, unsigned to, bool v4);

/* payload.c */
uint32_t sim_record(struct sim *s, const struct sent *what);    /* its id; UINT32_MAX: full */
void sim_fill(const struct sim *s, uint32_t id, uint8_t *data, size_t len);
/* Something arrived at a socket: is it what was sent? The record, or NULL where it is nobody's. */
const struct sent *sim_judge(struct sim *s, unsigned who, unsigned slot, const uint8_t *data,
                             size_t n, const struct oriel_msg *m);

/* traffic.c */
void sim_act(struct sim *s);
void sim_open_all(struct sim *s);
void sim_read(struct sim *s, unsigned who, unsigned slot);
void sim_read_eager(struct sim *s, unsigned who);
void sim_read_all(struct sim *s);
void sim_close_all(struct sim *s);
int sim_ping(struct sim *s, unsigned who, const struct oriel_addr *to, size_t len);
int sim_slot_of(enum oriel_family family, bool icmp);

/* stream.c */
void stream_open_all(struct sim *s);
void stream_act(struct sim *s, unsigned who);
void stream_on_ready(struct sim *s, unsigned who, oriel_handle h, uint32_t events);
void stream_hurry(struct sim *s);               /* everybody comes to an end */
bool stream_all_done(struct sim *s);            /* and has; those that are lazy do something */
void stream_stuck(struct sim *s);               /* says who has not */
void stream_close_all(struct sim *s);
bool stream_all_gone(const struct sim *s);      /* connections, half-open ones and what is in TIME-WAIT */
void stream_left(struct sim *s);                /* says which has not */

/* among stream.c and stream_open.c */
unsigned stream_number(const struct sim *s, const struct end *e);
void stream_fill(const struct sim *s, unsigned id, uint64_t at, uint8_t *data, size_t n);
void stream_drive(struct sim *s, struct end *e, uint32_t events, bool all);
void stream_failed(struct sim *s, struct end *e, int err);
void stream_set(struct sim *s, unsigned who, oriel_handle h);
void stream_take(struct sim *s, unsigned who, struct sim_listen *l);
void stream_begin(struct sim *s, unsigned who);
void stream_cross(struct sim *s, unsigned who);
void stream_relisten(struct sim *s, unsigned who);

/* hoard.c */
void hoard_act(struct sim *s, unsigned who);
void hoard_end(struct sim *s);
uint32_t hoard_of(const struct sim *s, const struct pool *p);   /* of that pool's objects */

/* transfer.c */
int sim_transfer(void);

/* meddle.c */
void sim_meddle(struct sim *s, unsigned who);
void sim_garbage(struct sim *s);
void sim_sweep(struct sim *s);
void sim_heal(struct sim *s);

/* watch.c */
void watch_step(struct sim *s, unsigned who);
void watch_frame(struct sim *s, unsigned who, const struct world_frame *f);

/* check.c */
void check_frame(struct sim *s, const struct world_frame *f);
void check_event(struct sim *s);
void check_quiet(struct sim *s);
bool sim_is_quiet(const struct sim *s);

#endif
