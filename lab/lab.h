/*
 * A scenario that runs: its world, its applications, its scripted peers, and its expectations.
 *
 *     struct scenario *s = scenario_parse(&arena, name, text, NULL, 0, &err);
 *     struct lab *l = lab_build(&arena, s, &options, &err);
 *     ... captures attach here (vantage.h): nothing has been sent yet ...
 *     lab_start(l);
 *     lab_run(l, ORIEL_NEVER);
 *     bool good = lab_finish(l);
 *     ... l->results, l->troubles ...
 *     lab_fini(l);
 *
 * lab_build takes all that is left of the arena. A lab goes on until its `stop`; without one until
 * nothing is under way, no action is left and no application has work, at most LAB_TIME_MAX.
 */
#ifndef ORIEL_LAB_LAB_H
#define ORIEL_LAB_LAB_H

#include "lab/scenario.h"

#define LAB_MEMORY       ((size_t)192 << 20)    /* comfortable: address space, touched as used */
#define LAB_TIME_MAX     (3600 * NS_PER_S)
#define LAB_TROUBLES_MAX 32
#define LAB_PENDING_MAX  256        /* answers of peers that wait for their moment */
#define LAB_REACT_BYTES  2048       /* of such an answer */
#define LAB_SEEN_MAX     400
#define LAB_TRACKS_MAX   32         /* connections of a node whose states are kept */
#define LAB_TRACK_STATES 20
#define LAB_RECENT       3          /* frames that are remembered for reports */

struct lab_options {
    bool has_seed;
    uint64_t seed;              /* instead of the scenario's */
    struct span impair;         /* changes every link, as wire_params_parse has it */
    bool check;                 /* the world's checkers after every moment */
    uint32_t cpu;               /* ORIEL_CPU_* */
    struct sink out;            /* what applications print; put == NULL: nowhere */
    bool bare;                  /* without the node's name before every line */
    /* Every frame, before expectations look at it. */
    void (*on_frame)(void *ctx, const struct world_frame *f);
    void *on_frame_ctx;
};

/* Something that the scenario wanted to do could not be done, or a checker spoke. */
struct lab_trouble {
    uint32_t line;              /* 0: of no line */
    char text[200];
};

struct lab_result {
    const struct expect *e;
    uint32_t line;
    bool asked;                 /* its moment came */
    bool holds;
    enum why why;               /* reasons that the expectation names, once it holds */
    enum drop drop;
    char seen[LAB_SEEN_MAX];    /* what was there instead; of a ratio also when it holds */
};

enum lab_app_kind {
    LAB_PING,
    LAB_TRACE,
    LAB_UDP_LISTEN,
    LAB_UDP_SEND,
    LAB_TCP_LISTEN,
    LAB_TCP_CONNECT,
    LAB_SVC,
    LAB_OUTSIDE,                /* of whoever took over (lab_take_over) */
};

struct lab_outside {
    void (*step)(void *ctx, oriel_time now);
    oriel_time (*deadline)(const void *ctx);    /* when to step it without anything happening */
    bool (*busy)(const void *ctx);              /* does it want to go on? */
    void *ctx;
};

struct lab_app {
    uint8_t kind;
    bool started;
    struct node *node;
    const struct sc_act *act;
    char prefix[NODE_NAME_MAX + 3];
    union {
        struct ping *ping;
        struct tracer *trace;
        struct udp_listener *listen;
        struct udp_sender *send;
        struct tcp_server *server;
        struct tcp_talk *client;
        struct svc_app *svc;    /* and memory for it behind */
        struct lab_outside *outside;
    } is;
};

/* What an expectation about frames has seen so far. */
struct lab_watch {
    uint64_t matched;
    uint16_t step;              /* of a sequence: the next filter */
    bool broken;                /* exactly: something else came */
    char other[120];            /* ... which */
    oriel_time first, last;     /* times of matches */
};

struct lab_recent {             /* the last frames at a port, one way */
    uint64_t n;
    oriel_time time[LAB_RECENT];
    char text[LAB_RECENT][96];
};

/* The states that a connection went through; CLOSED is the last. */
struct lab_track {
    struct oriel_endpoint local, remote;
    bool seen, gone;
    uint8_t n;
    uint8_t states[LAB_TRACK_STATES];
};

struct lab_tracks {
    uint16_t n;
    struct lab_track track[LAB_TRACKS_MAX];
};

struct lab_sender {             /* a frame that a peer sends again and again */
    const struct sc_act *act;
    uint32_t sent;
    oriel_time next;
};

struct lab_pending {            /* a peer's answer */
    oriel_time time;
    uint64_t order;
    struct port *port;
    uint32_t n;
    uint8_t bytes[LAB_REACT_BYTES];
};

struct lab {
    const struct scenario *s;
    struct lab_options opt;
    uint64_t seed;
    struct world *w;
    struct port *ports[SC_PORTS_MAX];   /* of the world; NULL: VLAN, loopback */
    int netifs[SC_PORTS_MAX];           /* of the node's stack; 0: none */
    struct wire *wires[WORLD_WIRES_MAX];
    uint16_t port_of[WORLD_NODES_MAX][NODE_PORTS_MAX];  /* a world's port -> the scenario's */
    uint8_t watched[SC_PORTS_MAX];      /* bit 0: arriving frames matter, bit 1: leaving ones */
    struct lab_recent (*recent)[2];
    struct conversations *talks[SC_PORTS_MAX];  /* of ports that are watched, and of peers */
    struct lab_tracks *tracks[WORLD_NODES_MAX]; /* of nodes whose states are asked for */
    uint64_t (*fates)[FATE_CHANGED + 1];        /* by port: what became of frames it sent */
    struct lab_app *apps;
    uint16_t apps_n, apps_max;
    struct lab_sender *senders;
    uint16_t senders_n;
    struct lab_pending *pending[LAB_PENDING_MAX];
    uint16_t pending_n;
    struct pool pending_pool;
    uint64_t order;
    uint32_t reacted[SC_REACTS_MAX];
    uint16_t next_act;
    uint8_t *buffer;            /* APP_BUFFER bytes, for applications */
    uint8_t *frame;             /* APP_BUFFER bytes, for frames of peers */
    struct dissection *d;
    struct lab_watch *watches;  /* as scenario.expects */
    struct lab_result *results; /* as scenario.expects */
    struct lab_trouble troubles[LAB_TROUBLES_MAX];
    uint16_t troubles_n;
    bool started;
    bool wrong;                 /* a checker spoke: nothing goes on */
    const struct lab_app *until_app;    /* it all is for this one: over when it is done */
    uint64_t frames;
};

/* NULL: *err says which line cannot be built and why. */
struct lab *lab_build(struct arena *arena, const struct scenario *s, const struct lab_options *opt,
                      struct scenario_error *err);

/* Plug the wires in: time begins. */
void lab_start(struct lab *l);

/* Run to the end of the scenario, but not beyond `until`. Time stands at the last moment, or at
 * `until` when the scenario goes on after it. */
void lab_run(struct lab *l, oriel_time until);

/* Nothing is left to do. */
bool lab_over(const struct lab *l);

/* The next moment at which something happens; ORIEL_NEVER. */
oriel_time lab_next(const struct lab *l);

/* Everything up to and including the next moment. False: there was none up to `until`. */
bool lab_step(struct lab *l, oriel_time until);

/*
 * A command from outside, on a node, once the lab was run as far as wanted: the rest of the
 * scenario's actions will not happen. The application's own struct is the caller's, and so is
 * starting it: then it is stepped as those of the scenario. Once in the life of a lab.
 */
struct lab_app *lab_take_over(struct lab *l, uint16_t node, enum lab_app_kind kind, void *app);

/* Answer all expectations. True: every one holds and there was no trouble. */
bool lab_finish(struct lab *l);

void lab_fini(struct lab *l);

/* An expectation or a trouble as people read it: "labs/a.lab:12: expect ...\n  but ...". */
void lab_print_result(struct txt *t, const struct lab *l, const struct lab_result *r);
void lab_print_trouble(struct txt *t, const struct lab *l, const struct lab_trouble *r);

/* Note a trouble of a line; printf-like joining is done by the caller. */
void lab_note(struct lab *l, const uint8_t *at, struct span what, const char *text);

/* ---- among the files of the lab ---- */

/* The surface's index of an interface that a scenario names (see struct sc_act). */
int lab_netif(const struct lab *l, int port_plus_one);

void lab_act(struct lab *l, const struct sc_act *a);            /* lab_act.c */
void lab_app_step(struct lab *l, struct lab_app *a);
oriel_time lab_app_deadline(const struct lab_app *a);
bool lab_app_busy(const struct lab_app *a);
struct app_host lab_app_host(struct lab *l, struct lab_app *a);
void lab_send_due(struct lab *l);       /* frames of peers whose moment has come */
oriel_time lab_send_next(const struct lab *l);

void lab_watch_frame(struct lab *l, const struct world_frame *f);       /* lab_watch.c */
void lab_ask(struct lab *l, uint16_t expect);                   /* lab_expect.c */

/* lab_tcp.c */
int lab_tell(struct lab *l, const struct sc_act *a);
void lab_track(struct lab *l, const struct node *n);    /* states as they are now */
bool lab_tcp_busy(const struct lab_app *a);
bool lab_ask_tcp(const struct lab *l, const struct expect *e, struct txt *seen);
bool lab_ask_ratio(const struct lab *l, const struct expect *e, struct txt *seen);
/* The ends of a segment; false: the frame is none. */
bool lab_tcp_ends(const struct dissection *d, struct oriel_endpoint *src,
                  struct oriel_endpoint *dst);
/* "ESTABLISHED", "LISTEN"; "" where the node has no such connection. */
const char *lab_tcp_state(const struct node *n, const struct oriel_endpoint *local,
                          const struct oriel_endpoint *remote);

/* lab_svc.c */
void lab_svc_start(struct lab *l, struct lab_app *a, const struct app_host *host);
int lab_svc_stop(struct lab *l, const struct sc_act *act);
bool lab_ask_svc(const struct lab *l, const struct expect *e, struct txt *seen);

/* What the state of a node says: true when it is so; `seen` gets what is there. lab_state.c */
bool lab_ask_state(struct lab *l, const struct expect *e, struct txt *seen);

/* "exactly 3", "at least 3": does n satisfy it? HOW_ANY: one at least. */
bool ex_count_holds(const struct ex_count *c, uint64_t n);

#endif
