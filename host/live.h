/*
 * A world in real time: its stacks, its wires, and doors to the outside.
 *
 *     struct live *v = live_open(&cfg, error);
 *     struct node *me = world_add_node(live_world(v), NODE_HOST, ...);
 *     int door = live_door(v, drv, me, &netif_cfg, &wire, error);     a real link, plugged into me
 *     live_app(v, me, my_step, ctx);       called after each step of that node, before its output leaves
 *     while (!done)
 *         live_turn(v);                    waits, moves frames, runs what is due
 *     live_close(v);
 *
 * One thread turns. Every call of the surface (oriel_*) about a node's stack from outside of live_app's step
 * is followed by live_poke, so that what it has to say leaves.
 *
 * Other threads may call between live_enter and live_leave while the thread that turns sleeps, which
 * loop.on_sleep says (host/posix.c has one lock that is given up there).
 *
 * Time is host_now() minus that of live_open: a world begins at 0. Frames that wait at a door are moved
 * in batches. A direct wire (wire_params.direct) hands them over as they are, super-segments whole; a
 * link with offloads needs one, so where frames are to be seen, delayed or lost it is opened `plain`.
 */
#ifndef ORIEL_HOST_LIVE_H
#define ORIEL_HOST_LIVE_H

#include "host/drv.h"
#include "host/loop.h"
#include "lab/world.h"

struct live;

struct live_config {
    uint64_t seed;                  /* of impairments and of the stacks' secrets; 0: from the system */
    size_t memory;                  /* of the world, all stacks and packets in it; 0: LIVE_MEMORY */
    uint32_t trace_events;          /* ring; 0: 65,536 */
    oriel_time spin;                /* as struct loop has it */
    bool quiet;                     /* no events: for speed, where nobody looks */
};

#define LIVE_MEMORY ((size_t)512 << 20)     /* address space, touched as used */

/* NULL: a sentence in `error`. */
struct live *live_open(const struct live_config *cfg, char error[DRV_ERROR_MAX]);
void live_close(struct live *v);            /* doors are closed, nodes destroyed */

struct world *live_world(struct live *v);
struct loop *live_loop(struct live *v);

/* Of the world, as of the last turn; after a call from outside live_now() is it. */
oriel_time live_now(const struct live *v);

/*
 * A driver as a door of the world, joined by a wire to a new port of the node. `n` names and configures
 * the node's interface; what the driver can do (mtu, offloads, link address) is filled in where it is
 * zero. Takes the driver: it is closed with the world, or here on failure. The interface's index, or a
 * negative value after a sentence in `error`.
 */
int live_door(struct live *v, struct drv *d, struct node *node, struct oriel_netif_config *n,
              const struct wire_params *wire, char error[DRV_ERROR_MAX]);

/* The addresses, gateways and name servers that a spec gives, to the node's interface. */
bool live_addrs(struct live *v, struct node *node, int netif, const struct drv_spec *s,
                char error[DRV_ERROR_MAX]);

/* Called after every step of the node's stack; what it says leaves at once. Several a node. */
void live_app(struct live *v, struct node *node, void (*step)(void *ctx), void *ctx);

void live_app_remove(struct live *v, void *ctx);        /* all that were given with that ctx */

/* After calls into a node's stack from outside (a descriptor was ready): what it has to say leaves. */
void live_poke(struct live *v, struct node *node);

/* From another thread: time goes on, and what was due happens; afterwards what was said leaves. */
void live_enter(struct live *v);
void live_leave(struct live *v);

/* One turn: wait until something is ready or due (at most until `until`, in the world's time), then
 * everything that is.
 * 0; -EINTR when a signal came; another negative errno: the world cannot go on. */
int live_turn(struct live *v, oriel_time until);

#endif
