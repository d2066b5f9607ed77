/*
 * A world: nodes joined by wires, driven by one scheduler in virtual time.
 *
 *   host, router   an Oriel stack (a router forwards)      switch   learning, VLAN aware
 *   peer           plays crafted frames and hears everything
 *   door           leads out of the world: a driver takes what arrives there and puts in what comes
 *
 * Time moves from event to event: a frame arrives, a stack's deadline comes, the scenario acts. What
 * happens at one moment happens in the order in which it was scheduled. Everything that is left to
 * chance is a numbered draw of one wire's generator: one seed, one history, byte for byte.
 *
 * Packets live in pools of the world that all its stacks share, so a frame crosses a wire without a
 * copy; each stack has a budget of its own. Events of all nodes go to one trace, so causes lead
 * across nodes. The world uses only the memory that it is given and performs no input or output:
 * whoever wants to see frames (captures, ladders, expectations) sets `on_frame`.
 */
#ifndef ORIEL_LAB_WORLD_H
#define ORIEL_LAB_WORLD_H

#include "lab/wire.h"
#include "oriel/oriel.h"
#include "pkt/pkt.h"

#define WORLD_NODES_MAX   64
#define WORLD_WIRES_MAX   128
#define NODE_PORTS_MAX    16
#define NODE_NAME_MAX     24
#define FDB_MAX           1024          /* stations a switch remembers */
#define FDB_LIFE          (300 * NS_PER_S)
#define WORLD_BATCH_MAX   32
#define DOOR_BATCH        64            /* frames by a direct wire in one step */
#define DOOR_QUEUE        256           /* frames that wait at a door; a stack keeps the rest itself */
#define NODE_MEMORY       (2u << 20)    /* of a stack in a world, unless it says otherwise */

enum node_kind {
    NODE_HOST,
    NODE_ROUTER,
    NODE_SWITCH,
    NODE_PEER,
    NODE_DOOR,                  /* one port; what arrives waits for a driver (world_door_peek) */
};

struct node;

struct port {
    struct node *node;
    uint8_t index;              /* in its node */
    char name[NETIF_NAME_MAX];  /* "eth0" */
    struct mac mac;
    int netif;                  /* of the node's stack; 0: none (switch, peer) */
    bool loops;                 /* loopback: what is taken there has passed, and is shown only */
    struct wire *wire;          /* NULL: nothing is plugged in */
    uint8_t side;               /* which end of the wire: 0 or 1 */
    uint16_t pvid;              /* switch: VLAN of untagged frames; 1 */
    bool trunk;                 /* switch: carries every VLAN, tagged but for pvid */
    uint16_t vlans[8];          /* switch: VLANs that it carries tagged beside pvid */
    uint8_t vlans_n;
    uint64_t tx_pkts, rx_pkts;
    struct pkt_queue inbox;     /* came by a direct wire, or to a door, and waits */
};

struct fdb_entry {
    struct mac mac;
    uint16_t vid;
    uint8_t port;
    oriel_time seen;
};

struct node {
    uint16_t id;                /* 0.. */
    enum node_kind kind;
    char name[NODE_NAME_MAX];
    struct oriel_stack *stack;  /* hosts and routers */
    struct port ports[NODE_PORTS_MAX];
    uint8_t ports_n;
    struct fdb_entry *fdb;      /* switch */
    uint16_t fdb_n;
    bool blocked;               /* has output that a full door does not take */
};

/* What became of a frame that was put on a wire; known at once, because draws are made then. */
enum frame_fate {
    FATE_ARRIVES,
    FATE_LOST,                  /* a draw */
    FATE_QUEUE,                 /* the wire's queue was full */
    FATE_DOWN,
    FATE_TOO_BIG,
    FATE_CHANGED,               /* arrives, damaged or cut by a draw */
};

struct world_frame {
    oriel_time time;
    const struct port *port;    /* where it is seen */
    bool out;                   /* leaving that port; otherwise arriving at it */
    struct span bytes;          /* check sequence included where wires carry one */
    uint64_t packet_id;         /* the same at both ends of a wire and behind a switch */
    uint64_t ev;                /* event that sent it (out) or the wire's delivery (in) */
    uint64_t cause;             /* what led to that */
    enum why why;               /* WHY_NONE: a scripted peer sent it */
    enum frame_fate fate;
    uint32_t draw;              /* number of the draw that decided; 0: none did */
    bool duplicate;             /* this is the wire's second copy */
};

struct world_config {
    uint64_t seed;
    uint32_t trace_events;      /* ring; 0: 65,536 */
    uint32_t cpu;               /* ORIEL_CPU_* */
    size_t packet_bytes;        /* pools; 0: a quarter of the memory */
    bool quiet;                 /* stacks tell no events: for speed, where nobody looks */
};

struct flight;

struct world {
    struct arena arena;
    uint64_t seed;
    uint32_t cpu;
    bool quiet;
    struct env env;             /* of wires, switches and peers: node number WORLD_NODE */
    struct budget budget;       /* of packets that are under way */
    struct pkt_mem mem;
    struct trace trace;
    struct node nodes[WORLD_NODES_MAX];
    uint16_t nodes_n;
    struct wire wires[WORLD_WIRES_MAX];
    uint16_t wires_n;
    struct pool flights;
    struct flight **heap;       /* frames under way, by (arrival, order) */
    uint32_t heap_n;
    uint64_t order;
    uint64_t packet_id;
    uint32_t inboxes;           /* packets that wait in the inboxes of stacks */
    uint16_t turn;              /* node whose inbox is looked at first */
    unsigned batch_max;         /* frames that arrive at a stack at one moment and make one batch, up */
                                /* to WORLD_BATCH_MAX; 0: each is a step of its own */
    uint64_t sent, delivered, died;     /* conservation: sent == delivered + died + in flight */
    void (*on_frame)(void *ctx, const struct world_frame *f);
    void *on_frame_ctx;
    /* After a node was stepped (and before what it has to say leaves): its applications act. */
    void (*on_step)(void *ctx, struct node *n);
    void *on_step_ctx;
};

#define WORLD_NODE 0xffff

/* False: the memory is too small. 64 MiB hold a handful of hosts comfortably. */
bool world_init(struct world *w, void *memory, size_t bytes, const struct world_config *cfg);

/* Every stack is destroyed, every packet freed; asserts that none is left. */
void world_fini(struct world *w);

/* ---- building ---- */

/*
 * A node; NULL: too many, the name is taken or too long, or no memory. cfg is a stack's (memory, seed,
 * cpu, node, shared pools and trace are filled in here); NULL for switches and peers.
 */
struct node *world_add_node(struct world *w, enum node_kind kind, struct span name,
                            const struct oriel_config *cfg, size_t memory_bytes);

/*
 * A port with the next free link address (02:00:00:00:NN:PP) unless cfg has one. For hosts and
 * routers the interface is made with cfg (name, mtu, ip6 ...); for the rest cfg gives the name only.
 * NULL: too many, or the stack refused (*err).
 */
struct port *world_add_port(struct world *w, struct node *n, const struct oriel_netif_config *cfg,
                            int *err);

/* Join two ports. NULL: one is taken, or too many wires. */
struct wire *world_join(struct world *w, struct port *a, struct port *b,
                        const struct wire_params *params);

struct node *world_node(struct world *w, struct span name);
struct port *node_port(struct node *n, struct span name);

/* ---- running ---- */

/* When something happens by itself next; ORIEL_NEVER: nothing is under way and no timer runs. */
oriel_time world_next(const struct world *w);

/*
 * Everything up to and including that moment; time is `until` afterwards.
 * Applications may be called through on_step on the way.
 */
void world_run(struct world *w, oriel_time until);

/* After calls into a node's stack from outside: what it has to say leaves. */
void world_poke(struct world *w, struct node *n);

/* Put a frame on a port's wire (scripted peers). False: no memory or nothing plugged in. */
bool world_send(struct world *w, struct port *p, struct span frame);

/*
 * Doors. Up to max frames that wait at one, in order, borrowed; then: the first n of them have left, and are
 * freed. And frames that came from outside, consumed; by a direct wire they arrive with all that is known of
 * their sums and segments.
 */
unsigned world_door_peek(const struct node *door, struct pkt *out[], unsigned max);
void world_door_done(struct world *w, struct node *door, unsigned n);
void world_door_put(struct world *w, struct node *door, struct pkt *const pkts[], unsigned n);

/* Both directions down or up; hosts at its ends see the carrier go and come. */
void world_set_wire(struct world *w, struct wire *x, bool up);

/* Is anything under way on a wire? */
static inline bool world_quiet(const struct world *w)
{
    return w->heap_n == 0;
}

/* ---- checkers (check.c): a sentence about what is wrong, or NULL ---- */

const char *world_check(const struct world *w);

/* switch.c: a frame arrived at a switch; consumes p. */
void switch_input(struct world *w, struct port *in, struct pkt *p, uint64_t packet_id);

/* world.c, for switch.c and door.c: a frame leaves a port; consumes p. */
void world_transmit(struct world *w, struct port *from, struct pkt *p, uint64_t packet_id);

/* door.c, for world.c: direct wires. */
unsigned door_room(const struct port *to);      /* how many more may wait there */
void door_pass(struct world *w, struct port *to, struct pkt *const pkts[], unsigned n);
bool door_keep(struct port *to, struct pkt *p);  /* arrived by an ordinary wire; false: full, p is not taken */
void door_step(struct world *w);                /* the inbox of one stack becomes its step */

#endif
