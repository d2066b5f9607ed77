/*
 * The scheduler of a world, and the way of a frame over a wire.
 *
 *   a stack has output -> world_poke takes it -> world_transmit: draws, queue, a flight in the heap
 *   -> its arrival comes -> arrive: into the other end's stack (step), switch, or peer -> poke ...
 *
 * A flight is charged to the world; where it arrives it is charged to the stack.
 */
#include "lab/world.h"

#include "base/siphash.h"
#include "stack/stack.h"

#define TRACE_DEFAULT 65536
#define TAKE_MAX      32

struct flight {
    oriel_time at;
    uint64_t order;             /* of scheduling: ties are broken by it */
    struct pkt *p;
    struct port *to;
    uint64_t packet_id;
    uint32_t draw;
    bool changed;
    bool duplicate;
};

/* ---- life ---- */

static bool init_tables(struct world *w, const struct world_config *cfg, size_t bytes)
{
    uint32_t events = cfg->trace_events ? cfg->trace_events : TRACE_DEFAULT;
    struct trace_rec *ring = arena_take(&w->arena, events * sizeof(*ring));
    size_t packets = cfg->packet_bytes ? cfg->packet_bytes : bytes / 4;
    if (!ring || !pkt_mem_init(&w->mem, &w->arena, packets))
        return false;
    trace_init(&w->trace, ring, events);
    w->budget.max = packets;
    uint32_t flights = w->mem.pkts.cap;
    w->heap = arena_take(&w->arena, flights * sizeof(w->heap[0]));
    return w->heap && pool_init(&w->flights, "flights", &w->arena, sizeof(struct flight), flights);
}

bool world_init(struct world *w, void *memory, size_t bytes, const struct world_config *cfg)
{
    memset(w, 0, sizeof(*w));
    arena_init(&w->arena, memory, bytes);
    w->seed = cfg->seed;
    w->cpu = cfg->cpu;
    w->quiet = cfg->quiet;
    if (!init_tables(w, cfg, bytes))
        return false;
    w->env.trace = &w->trace;
    w->env.trace_mask = TOPICS_ALL;
    w->env.node = WORLD_NODE;
    w->env.mem = &w->mem;
    w->env.budget = &w->budget;
    w->env.csum = csum_ops_for(cfg->cpu);
    rng_seed(&w->env.rng, cfg->seed, 0);
    wheel_init(&w->env.wheel, 0);
    return true;
}

static void empty_inboxes(struct node *n)
{
    for (uint8_t i = 0; i < n->ports_n; i++)
        pkt_free_chain(n->ports[i].inbox.first);
}

void world_fini(struct world *w)
{
    while (w->heap_n > 0) {
        struct flight *f = w->heap[--w->heap_n];
        pkt_free(f->p);
        pool_put(&w->flights, f);
    }
    for (uint16_t i = 0; i < w->nodes_n; i++)
        empty_inboxes(&w->nodes[i]);
    for (uint16_t i = 0; i < w->nodes_n; i++)
        if (w->nodes[i].stack)
            oriel_destroy(w->nodes[i].stack);
    ORIEL_ASSERT(pkt_mem_live(&w->mem) == 0);
    ORIEL_ASSERT(w->budget.used == 0);
}

/* ---- building ---- */

struct node *world_node(struct world *w, struct span name)
{
    for (uint16_t i = 0; i < w->nodes_n; i++)
        if (span_is(name, w->nodes[i].name))
            return &w->nodes[i];
    return NULL;
}

struct port *node_port(struct node *n, struct span name)
{
    for (uint8_t i = 0; i < n->ports_n; i++)
        if (span_is(name, n->ports[i].name))
            return &n->ports[i];
    return NULL;
}

/* Each node's secrets are its own, and the same for the same seed. */
static void node_seed(const struct world *w, const struct node *n, uint8_t seed[32])
{
    struct rng g;
    rng_seed(&g, w->seed, 1000u + n->id);
    struct wr out = wr_of(seed, 32);
    for (unsigned i = 0; i < 4; i++)
        wr_u64(&out, rng_u64(&g));
}

static bool add_stack(struct world *w, struct node *n, const struct oriel_config *cfg, size_t bytes)
{
    struct oriel_config c = *cfg;
    size_t least = oriel_memory_min(c.connections);
    c.memory_bytes = bytes ? bytes : NODE_MEMORY > least ? NODE_MEMORY : least;
    c.memory = arena_take(&w->arena, c.memory_bytes);
    c.cpu = w->cpu;
    c.now = w->env.now;
    c.node = n->id;
    c.shared_packets = &w->mem;
    c.shared_trace = w->quiet ? NULL : &w->trace;
    node_seed(w, n, c.seed);
    n->stack = c.memory ? oriel_create(&c) : NULL;
    return n->stack != NULL;
}

struct node *world_add_node(struct world *w, enum node_kind kind, struct span name,
                            const struct oriel_config *cfg, size_t memory_bytes)
{
    bool has_stack = kind == NODE_HOST || kind == NODE_ROUTER;
    if (w->nodes_n == WORLD_NODES_MAX || name.n == 0 || name.n >= NODE_NAME_MAX ||
        world_node(w, name))
        return NULL;
    struct node *n = &w->nodes[w->nodes_n];
    *n = (struct node){.id = w->nodes_n, .kind = kind};
    memcpy(n->name, name.p, name.n);
    if (has_stack && !add_stack(w, n, cfg, memory_bytes))
        return NULL;
    if (kind == NODE_SWITCH) {
        n->fdb = arena_take_zeroed(&w->arena, FDB_MAX * sizeof(n->fdb[0]));
        if (!n->fdb)
            return NULL;
    }
    w->nodes_n++;
    return n;
}

struct port *world_add_port(struct world *w, struct node *n, const struct oriel_netif_config *cfg,
                            int *err)
{
    struct oriel_netif_config c = *cfg;
    size_t name = strlen(cfg->name);
    *err = ORIEL_ENOBUFS;
    if (n->ports_n == NODE_PORTS_MAX || name >= NETIF_NAME_MAX)
        return NULL;
    struct port *p = &n->ports[n->ports_n];
    *p = (struct port){.node = n, .index = n->ports_n, .pvid = 1};
    memcpy(p->name, cfg->name, name);
    p->mac = (struct mac){{2, 0, 0, 0, (uint8_t)(n->id + 1), (uint8_t)(n->ports_n + 1)}};
    memcpy(&c.mac, cfg->mac, 6);
    if (memcmp(cfg->mac, MAC_NONE.b, 6) == 0)
        memcpy(c.mac, p->mac.b, 6);
    memcpy(p->mac.b, c.mac, 6);
    if (n->stack) {
        p->netif = oriel_netif_add(n->stack, &c);
        *err = p->netif;
        if (p->netif < 0)
            return NULL;
        p->loops = cfg->kind == ORIEL_NETIF_LOOPBACK;
        if (!p->loops)                          /* nothing is plugged in yet */
            *err = oriel_netif_set_carrier(n->stack, p->netif, false);
    }
    *err = 0;
    n->ports_n++;
    (void)w;
    return p;
}

static void name_wire(struct wire *x)
{
    struct txt t = txt_of(x->name, sizeof(x->name));
    for (unsigned i = 0; i < 2; i++) {
        txt_s(&t, i ? "-" : "");
        txt_s(&t, x->end[i]->node->name);
        txt_c(&t, '.');
        txt_s(&t, x->end[i]->name);
    }
}

static void set_carrier(struct world *w, struct port *p, bool on)
{
    if (!p->netif)
        return;
    int err = oriel_netif_set_carrier(p->node->stack, p->netif, on);
    ORIEL_ASSERT(err == 0);
    world_poke(w, p->node);
}

struct wire *world_join(struct world *w, struct port *a, struct port *b,
                        const struct wire_params *params)
{
    if (w->wires_n == WORLD_WIRES_MAX || a->wire || b->wire || a == b)
        return NULL;
    struct wire *x = &w->wires[w->wires_n];
    *x = (struct wire){.id = w->wires_n, .up = true, .end = {a, b}};
    for (uint8_t i = 0; i < 2; i++) {
        wire_dir_init(&x->dir[i], params, w->seed, 2u * x->id + i + 1);
        x->end[i]->wire = x;
        x->end[i]->side = i;
    }
    name_wire(x);
    w->wires_n++;
    set_carrier(w, a, true);
    set_carrier(w, b, true);
    return x;
}

void world_set_wire(struct world *w, struct wire *x, bool up)
{
    if (x->up == up)
        return;
    x->up = up;
    TRACE(&w->env, EV_LINK_STATE, x->id, up);
    set_carrier(w, x->end[0], up);
    set_carrier(w, x->end[1], up);
}

/* ---- the heap of flights ---- */

static bool before(const struct flight *a, const struct flight *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void heap_push(struct world *w, struct flight *f)
{
    uint32_t i = w->heap_n++;
    for (; i > 0 && before(f, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = f;
}

static struct flight *heap_pop(struct world *w)
{
    struct flight *top = w->heap[0], *last = w->heap[--w->heap_n];
    uint32_t i = 0;
    for (uint32_t c = 1; c < w->heap_n; i = c, c = 2 * i + 1) {
        if (c + 1 < w->heap_n && before(w->heap[c + 1], w->heap[c]))
            c++;
        if (!before(w->heap[c], last))
            break;
        w->heap[i] = w->heap[c];
    }
    w->heap[i] = last;
    return top;
}

/* ---- a frame on a wire ---- */

static void show(struct world *w, const struct world_frame *f)
{
    if (w->on_frame)
        w->on_frame(w->on_frame_ctx, f);
}

static uint64_t cause_of(const struct world *w, uint64_t ev)
{
    const struct trace_rec *r = trace_at(&w->trace, ev);
    return r ? r->cause : 0;
}

static uint64_t wire_event(struct world *w, enum event ev, enum drop why, const struct pkt *p,
                           const struct wire *x, uint32_t draw)
{
    w->env.cause = p->ev;
    uint64_t id = trace_put(&w->env, ev, (enum why)p->why, why, x->id, draw, pkt_len(p), 0);
    w->env.cause = 0;
    return id;
}

/* Flip one bit, or cut: on a private copy, or the sender's own bytes would change. */
static struct pkt *change(struct world *w, struct pkt *p, const struct wire_verdict *v)
{
    struct pkt *q = pkt_copy(&w->env, p, PKT_HEADROOM);
    pkt_free(p);
    if (!q)
        return NULL;
    size_t n = pkt_len(q);
    if (n == 0)
        return q;               /* nothing there to damage */
    if (v->truncate) {
        pkt_trim(q, 1 + v->chance % (n > 1 ? n - 1 : 1));
        return q;
    }
    struct wr out = wr_of(pkt_data(q), n);
    uint8_t *all = wr_room(&out, n);
    all[v->chance / 8 % n] ^= (uint8_t)BIT(v->chance % 8);
    return q;
}

static void fly(struct world *w, struct pkt *p, struct port *to, oriel_time at, uint64_t packet_id,
                const struct wire_verdict *v, bool duplicate)
{
    struct flight *f = pool_get(&w->flights);
    ORIEL_ASSERT(f != NULL);            /* there are as many as packets */
    *f = (struct flight){.at = at, .order = w->order++, .p = p, .to = to, .packet_id = packet_id,
                         .draw = v->draw, .duplicate = duplicate,
                         .changed = !duplicate && (v->corrupt || v->truncate)};
    heap_push(w, f);
}

static size_t network_len(const struct wire *x, const struct pkt *p)
{
    size_t over = ETH_HDR_LEN + (x->dir[0].p.fcs ? ETH_FCS_LEN : 0);
    return pkt_len(p) > over ? pkt_len(p) - over : 0;
}

static enum frame_fate fate_of(const struct wire_verdict *v)
{
    return v->full ? FATE_QUEUE : v->lost ? FATE_LOST
           : v->corrupt || v->truncate ? FATE_CHANGED : FATE_ARRIVES;
}

/* What happens to it, decided now. */
static enum frame_fate judge(struct world *w, const struct port *from, const struct pkt *p,
                             struct wire_verdict *v)
{
    struct wire *x = from->wire;
    struct wire_dir *d = &x->dir[from->side];
    if (!x->up)
        return FATE_DOWN;
    if (d->p.mtu && network_len(x, p) > d->p.mtu)
        return FATE_TOO_BIG;
    *v = wire_pass(d, w->env.now, pkt_len(p));
    return fate_of(v);
}

static const enum drop fate_drop[] = {
    [FATE_LOST] = DROP_WIRE_LOSS,
    [FATE_QUEUE] = DROP_WIRE_QUEUE_FULL,
    [FATE_DOWN] = DROP_WIRE_DOWN,
    [FATE_TOO_BIG] = DROP_WIRE_MTU,
};

static void die(struct world *w, struct pkt *p, const struct wire *x, enum frame_fate fate,
                uint32_t draw)
{
    w->died++;
    w->env.drop_count[fate_drop[fate]]++;
    (void)wire_event(w, EV_LINK_LOST, fate_drop[fate], p, x, draw);
    pkt_free(p);
}

static void send_copies(struct world *w, struct pkt *p, const struct port *from, uint64_t packet_id,
                        const struct wire_verdict *v)
{
    struct wire *x = from->wire;
    struct port *to = x->end[!from->side];
    struct pkt *second = v->dup ? pkt_copy(&w->env, p, PKT_HEADROOM) : NULL;
    if (v->corrupt || v->truncate) {
        p->ev = wire_event(w, EV_LINK_CHANGED, DROP_NONE, p, x, v->draw);
        p = change(w, p, v);
        if (!p) {
            w->died++;
            if (second)
                pkt_free(second);
            return;
        }
    }
    fly(w, p, to, v->arrival, packet_id, v, false);
    if (second) {
        w->sent++;
        fly(w, second, to, v->dup_arrival, packet_id, v, true);
    }
}

void world_transmit(struct world *w, struct port *from, struct pkt *p, uint64_t packet_id)
{
    struct wire *x = from->wire;
    struct wire_verdict v = {0};
    if (!x || !pkt_recharge(p, &w->budget)) {
        pkt_drop(&w->env, p, x ? DROP_NO_MEMORY : DROP_WIRE_DOWN);
        return;
    }
    enum frame_fate fate = judge(w, from, p, &v);
    from->tx_pkts++;
    w->sent++;
    bool linear = pkt_linearize(&w->env, p);
    struct world_frame f = {
        .time = w->env.now, .port = from, .out = true, .packet_id = packet_id, .ev = p->ev,
        .bytes = linear ? pkt_span(p) : span_of(NULL, 0),
        .cause = cause_of(w, p->ev), .why = (enum why)p->why, .fate = fate, .draw = v.draw,
    };
    show(w, &f);
    if (fate == FATE_ARRIVES || fate == FATE_CHANGED)
        send_copies(w, p, from, packet_id, &v);
    else
        die(w, p, x, fate, v.draw);
}

bool world_send(struct world *w, struct port *p, struct span frame)
{
    struct pkt *q = p->wire ? pkt_new_copy(&w->env, PKT_HEADROOM, frame) : NULL;
    if (!q)
        return false;
    q->ev = trace_put(&w->env, EV_STEP, WHY_NONE, DROP_NONE, p->node->id, 0, frame.n, 0);
    world_transmit(w, p, q, ++w->packet_id);
    return true;
}

/* ---- arriving ---- */

/* It is seen where it arrives. False: the wire went down while it was on its way. */
static bool land(struct world *w, struct flight *f)
{
    struct pkt *p = f->p;
    struct port *to = f->to;
    to->rx_pkts++;
    p->ev = wire_event(w, EV_LINK_DELIVERED, DROP_NONE, p, to->wire, f->draw);
    struct world_frame seen = {
        .time = w->env.now, .port = to, .bytes = pkt_span(p), .packet_id = f->packet_id,
        .ev = p->ev, .cause = cause_of(w, p->ev), .why = (enum why)p->why, .draw = f->draw,
        .fate = f->changed ? FATE_CHANGED : FATE_ARRIVES, .duplicate = f->duplicate,
    };
    show(w, &seen);
    if (!to->wire->up) {
        w->died++;
        pkt_drop(&w->env, p, DROP_WIRE_DOWN);
        return false;
    }
    w->delivered++;
    p->nif = (uint16_t)to->netif;
    p->arrival = w->env.now;
    p->flags = 0;
    p->csum = CSUM_NONE;
    return true;
}

/* The next frame under way; its place is free. */
static struct flight take_flight(struct world *w)
{
    struct flight *f = heap_pop(w), copy = *f;
    pool_put(&w->flights, f);
    return copy;
}

/* Whatever else arrives at that stack at this moment goes with the first, if the world is so. */
static void arrive_at_stack(struct world *w, struct node *n, struct flight *f)
{
    struct pkt *all[WORLD_BATCH_MAX];
    struct pkt_batch batch = {.pkts = all};
    struct flight next = *f;
    for (;;) {
        if (land(w, &next))
            all[batch.n++] = next.p;
        if (batch.n >= w->batch_max || w->heap_n == 0 || w->heap[0]->at > w->env.now ||
            w->heap[0]->to->node != n)
            break;
        next = take_flight(w);
    }
    if (batch.n == 0)
        return;
    oriel_step(n->stack, w->env.now, &batch);
    world_poke(w, n);
}

static void arrive(struct world *w, struct flight *f)
{
    struct node *n = f->to->node;
    if (n->stack)
        arrive_at_stack(w, n, f);
    else if (!land(w, f))
        return;
    else if (n->kind == NODE_SWITCH)
        switch_input(w, f->to, f->p, f->packet_id);
    else if (n->kind != NODE_DOOR)
        pkt_free(f->p);                 /* heard: on_frame has shown it */
    else if (!door_keep(f->to, f->p))
        pkt_drop(&w->env, f->p, DROP_WIRE_QUEUE_FULL);
}

/* ---- running ---- */

static void show_looped(struct world *w, struct port *p)
{
    struct pkt *out;
    while (oriel_netif_take(p->node->stack, p->netif, &out, 1) == 1) {
        bool linear = pkt_linearize(&w->env, out);
        struct world_frame f = {
            .time = w->env.now, .port = p, .out = true, .packet_id = ++w->packet_id, .ev = out->ev,
            .bytes = linear ? pkt_span(out) : span_of(NULL, 0), .cause = cause_of(w, out->ev),
            .why = (enum why)out->why,
        };
        p->tx_pkts++;
        show(w, &f);
        pkt_free(out);
    }
}

/* All that a node has to say by one port, or as much as the door there takes. */
static void take_port(struct world *w, struct node *n, struct port *p)
{
    struct pkt *out[TAKE_MAX];
    bool direct = p->wire && p->wire->up && p->wire->dir[0].p.direct;
    struct port *to = direct ? p->wire->end[!p->side] : NULL;
    for (;;) {
        unsigned max = direct && door_room(to) < TAKE_MAX ? door_room(to) : TAKE_MAX;
        n->blocked = n->blocked || max == 0;
        unsigned got = oriel_netif_take(n->stack, p->netif, out, max);
        if (got == 0)
            return;
        p->tx_pkts += direct ? got : 0;
        if (direct)
            door_pass(w, to, out, got);
        for (unsigned k = 0; !direct && k < got; k++)
            world_transmit(w, p, out[k], ++w->packet_id);
    }
}

static void take_output(struct world *w, struct node *n)
{
    n->blocked = false;
    for (uint8_t i = 0; i < n->ports_n; i++)
        if (n->ports[i].loops)
            show_looped(w, &n->ports[i]);
        else if (n->ports[i].netif)
            take_port(w, n, &n->ports[i]);
}

void world_poke(struct world *w, struct node *n)
{
    if (!n->stack)
        return;
    if (w->on_step)
        w->on_step(w->on_step_ctx, n);
    take_output(w, n);
}

/* Output that no door takes is nothing to wait for. */
static oriel_time deadline(const struct node *n)
{
    if (!n->stack)
        return ORIEL_NEVER;
    return n->blocked ? stack_next_own(n->stack) : oriel_next_deadline(n->stack);
}

oriel_time world_next(const struct world *w)
{
    oriel_time next = w->heap_n > 0 ? w->heap[0]->at : ORIEL_NEVER;
    if (w->inboxes > 0)
        return w->env.now;
    for (uint16_t i = 0; i < w->nodes_n; i++) {
        oriel_time t = deadline(&w->nodes[i]);
        if (t < next)
            next = t;
    }
    return next;
}

/* One event at time `at`: a frame that arrives goes before a timer. */
static void run_one(struct world *w, oriel_time at)
{
    w->env.now = at > w->env.now ? at : w->env.now;
    if (w->heap_n > 0 && w->heap[0]->at <= w->env.now) {
        struct flight f = take_flight(w);
        arrive(w, &f);
        return;
    }
    if (w->inboxes > 0) {
        door_step(w);
        return;
    }
    for (uint16_t i = 0; i < w->nodes_n; i++) {
        struct node *n = &w->nodes[i];
        if (deadline(n) <= w->env.now) {
            oriel_step(n->stack, w->env.now, NULL);
            world_poke(w, n);
            return;
        }
    }
}

void world_run(struct world *w, oriel_time until)
{
    for (oriel_time next; (next = world_next(w)) <= until && next != ORIEL_NEVER;)
        run_one(w, next);
    if (until != ORIEL_NEVER && until > w->env.now)
        w->env.now = until;
    for (uint16_t i = 0; i < w->nodes_n; i++) {
        struct oriel_stack *s = w->nodes[i].stack;
        if (s && s->env.now != w->env.now)
            oriel_step(s, w->env.now, NULL);
    }
}
