/*
 * Doors and direct wires: frames that are handed over, with all that is known of them.
 *
 * What comes by a direct wire waits in the inbox of the port and makes one step of the stack with
 * whatever else waits there. A door's inbox is what its driver sends; while that is full, the stack
 * before it keeps what it has to say, and builds it when there is room (node->blocked).
 */
#include "lab/world.h"

unsigned door_room(const struct port *to)
{
    if (to->node->kind != NODE_DOOR)
        return DOOR_BATCH;
    return to->inbox.n < DOOR_QUEUE ? DOOR_QUEUE - to->inbox.n : 0;
}

void door_pass(struct world *w, struct port *to, struct pkt *const pkts[], unsigned n)
{
    to->rx_pkts += n;
    w->inboxes += to->node->stack ? n : 0;
    for (unsigned i = 0; i < n; i++) {
        struct pkt *p = pkts[i];
        p->nif = (uint16_t)to->netif;
        p->arrival = w->env.now;
        p->flags &= PKT_PAYS;           /* what it charges stays as it is */
        pkt_enqueue(&to->inbox, p);
    }
}

bool door_keep(struct port *to, struct pkt *p)
{
    if (to->inbox.n >= DOOR_QUEUE)
        return false;
    pkt_enqueue(&to->inbox, p);
    return true;
}

static struct port *waiting(struct node *n)
{
    for (uint8_t i = 0; n->stack && i < n->ports_n; i++)
        if (n->ports[i].inbox.n > 0)
            return &n->ports[i];
    return NULL;
}

void door_step(struct world *w)
{
    struct pkt *all[DOOR_BATCH];
    struct port *p = NULL;
    for (uint16_t i = 0; i < w->nodes_n && !p; i++)
        p = waiting(&w->nodes[(w->turn + i) % w->nodes_n]);
    ORIEL_ASSERT(p != NULL);
    w->turn = (uint16_t)(p->node->id + 1);
    struct pkt_batch batch = {.pkts = all};
    while (batch.n < DOOR_BATCH && p->inbox.n > 0)
        all[batch.n++] = pkt_dequeue(&p->inbox);
    w->inboxes -= batch.n;
    oriel_step(p->node->stack, w->env.now, &batch);
    world_poke(w, p->node);
}

unsigned world_door_peek(const struct node *door, struct pkt *out[], unsigned max)
{
    unsigned n = 0;
    for (struct pkt *p = door->ports[0].inbox.first; p && n < max; p = p->next)
        out[n++] = p;
    return n;
}

void world_door_done(struct world *w, struct node *door, unsigned n)
{
    struct port *p = &door->ports[0];
    ORIEL_ASSERT(door->kind == NODE_DOOR && n <= p->inbox.n);
    bool was_full = door_room(p) == 0;
    for (unsigned i = 0; i < n; i++)
        pkt_free(pkt_dequeue(&p->inbox));
    if (was_full && n > 0 && p->wire)
        world_poke(w, p->wire->end[!p->side]->node);
}

void world_door_put(struct world *w, struct node *door, struct pkt *const pkts[], unsigned n)
{
    struct port *p = &door->ports[0];
    ORIEL_ASSERT(door->kind == NODE_DOOR && p->wire);
    if (p->wire->dir[0].p.direct) {
        p->tx_pkts += n;
        door_pass(w, p->wire->end[!p->side], pkts, n);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        pkts[i]->ev = trace_put(&w->env, EV_STEP, WHY_NONE, DROP_NONE, door->id, 0, pkt_len(pkts[i]), 0);
        world_transmit(w, p, pkts[i], ++w->packet_id);
    }
}
