/* Captures of a port, the ladder of all wires, and the log of events. */
#include "lab/vantage.h"

#include "lens/cells.h"
#include "lens/label.h"
#include "wire/eth.h"

/* ---- words ---- */

static const char *const fate_names[] = {
    [FATE_ARRIVES] = "arrives", [FATE_LOST] = "lost",       [FATE_QUEUE] = "queue",
    [FATE_DOWN] = "down",       [FATE_TOO_BIG] = "too_big", [FATE_CHANGED] = "changed",
};

static const enum drop fate_drops[] = {
    [FATE_ARRIVES] = DROP_NONE,   [FATE_LOST] = DROP_WIRE_LOSS,
    [FATE_DOWN] = DROP_WIRE_DOWN, [FATE_QUEUE] = DROP_WIRE_QUEUE_FULL,
    [FATE_CHANGED] = DROP_NONE,   [FATE_TOO_BIG] = DROP_WIRE_MTU,
};

static void put_draw(struct txt *t, uint32_t draw)
{
    if (draw == 0)
        return;
    txt_s(t, " (draw ");
    txt_u(t, draw);
    txt_c(t, ')');
}

static void put_leaving(struct txt *t, const struct world_frame *f, const struct wire *x)
{
    switch (f->fate) {
    case FATE_ARRIVES:
        return;
    case FATE_LOST:
        txt_s(t, ", but it will be LOST on wire ");
        txt_s(t, x->name);
        put_draw(t, f->draw);
        return;
    case FATE_QUEUE:
        txt_s(t, ", but it will be LOST: the queue of wire ");
        txt_s(t, x->name);
        txt_s(t, " is full");
        return;
    case FATE_DOWN:
        txt_s(t, ", but it will be LOST: wire ");
        txt_s(t, x->name);
        txt_s(t, " is down");
        return;
    case FATE_TOO_BIG:
        txt_s(t, ", but it will be LOST: wire ");
        txt_s(t, x->name);
        txt_s(t, " carries at most ");
        txt_u(t, x->dir[f->port->side].p.mtu);
        txt_s(t, " bytes");
        return;
    case FATE_CHANGED:
        txt_s(t, ", but wire ");
        txt_s(t, x->name);
        txt_s(t, " will damage it");
        put_draw(t, f->draw);
        return;
    }
}

/* Did it enter the world by a door: at the door, or where it arrives from one? */
static bool from_door(const struct world_frame *f)
{
    const struct port *by = f->out ? f->port : f->port->wire->end[!f->port->side];
    return by->node->kind == NODE_DOOR;
}

static const char *sent_because(const struct world_frame *f)
{
    if (f->why != WHY_NONE)
        return why_of(f->why)->text;
    return from_door(f) ? "came from outside" : "sent by the scenario";
}

void vantage_sentence(struct txt *t, const struct world_frame *f)
{
    const struct wire *x = f->port->wire;
    txt_s(t, sent_because(f));
    if (f->out) {
        put_leaving(t, f, x);
        return;
    }
    if (f->fate == FATE_CHANGED) {
        txt_s(t, "; wire ");
        txt_s(t, x->name);
        txt_s(t, " damaged it on the way");
        put_draw(t, f->draw);
    }
    if (f->duplicate)
        txt_s(t, "; this is the wire's second copy");
}

void vantage_keys(struct txt *t, const struct world_frame *f, const char *state)
{
    txt_s(t, "ev=");
    txt_u(t, f->ev);
    if (f->why != WHY_NONE) {
        txt_s(t, " why=");
        txt_s(t, why_of(f->why)->name);
    }
    if (f->cause != 0) {
        txt_s(t, " cause=");
        txt_u(t, f->cause);
    }
    txt_s(t, " node=");
    txt_s(t, f->port->node->name);
    if (state[0] != '\0') {
        txt_s(t, " state=");
        txt_s(t, state);
    }
    if (f->fate != FATE_ARRIVES) {
        txt_s(t, " fate=");
        txt_s(t, fate_names[f->fate]);
    }
    if (fate_drops[f->fate] != DROP_NONE) {
        txt_s(t, " drop=");
        txt_s(t, drop_of(fate_drops[f->fate])->name);
    }
    if (f->draw != 0) {
        txt_s(t, " draw=");
        txt_u(t, f->draw);
    }
}

/* ---- captures ---- */

bool vantage_open(struct vantage *v, const struct vantage_config *c, struct sink out, void *scratch)
{
    char name[NODE_NAME_MAX + NETIF_NAME_MAX + 1];
    struct txt n = txt_of(name, sizeof(name));
    txt_s(&n, c->port->node->name);
    txt_c(&n, '.');
    txt_s(&n, c->port->name);
    const struct pcapng_section section = {
        .hardware = c->hardware, .os = c->os, .application = "oriel " ORIEL_VERSION,
        .comments = &c->about, .comments_n = c->about.n > 0,
    };
    const struct pcapng_interface i = {
        .link_type = (uint16_t)c->link, .name = name, .description = c->description, .addrs = c->addrs,
        .addrs_n = c->addrs_n, .mac = c->link == LINKTYPE_RAW ? MAC_NONE : c->port->mac,
        .speed_bps = c->speed_bps, .fcs_len = c->fcs ? ETH_FCS_LEN : 0,
    };
    *v = (struct vantage){.world = c->world, .port = c->port, .epoch = c->epoch, .d = c->d,
                          .link = c->link};
    pcapng_init(&v->file, out, scratch, PCAPNG_SCRATCH);
    return pcapng_add_section(&v->file, &section) &&
           pcapng_add_interface(&v->file, &i, &v->interface);
}

/* Of the end of the connection that is at this port's node; "" where there is none. */
static const char *state_here(const struct vantage *v, const struct world_frame *f)
{
    struct oriel_endpoint src, dst;
    struct lens_frame in = {.link = v->link, .bytes = f->bytes};
    if (!f->port->node->stack)
        return "";
    dissect(&in, v->d);
    if (!lab_tcp_ends(v->d, &src, &dst))
        return "";
    return lab_tcp_state(f->port->node, f->out ? &src : &dst, f->out ? &dst : &src);
}

void vantage_frame(struct vantage *v, const struct world_frame *f)
{
    char sentence[VANTAGE_COMMENT_MAX], keys[VANTAGE_COMMENT_MAX];
    if (f->port != v->port || v->file.bad)
        return;
    struct txt s = txt_of(sentence, sizeof(sentence)), k = txt_of(keys, sizeof(keys));
    vantage_sentence(&s, f);
    vantage_keys(&k, f, state_here(v, f));
    const struct span comments[] = {span_of(s.p, s.n), span_of(k.p, k.n)};
    struct pcapng_frame p = {
        .interface = v->interface, .time = v->epoch + f->time, .bytes = f->bytes,
        .dir = f->out ? PCAPNG_DIR_OUT : PCAPNG_DIR_IN, .has_packet_id = true,
        .packet_id = f->packet_id, .comments = comments, .comments_n = ARRAY_LEN(comments),
    };
    (void)pcapng_add_frame(&v->file, &p);       /* the file remembers that its sink failed */
    v->frames++;
}

bool vantage_close(struct vantage *v)
{
    struct pcapng_stats s = {.start = v->epoch, .end = v->epoch + v->world->env.now,
                             .received = v->frames, .delivered = v->frames};
    return !v->file.bad && pcapng_add_stats(&v->file, v->interface, &s);
}

/* ---- what frames say ---- */

void world_talks_init(struct world_talks *g)
{
    for (size_t i = 0; i < ARRAY_LEN(g->talks); i++)
        conversations_init(&g->talks[i]);
    g->frames = 0;
}

/* A wire between interfaces without link headers carries bare packets. */
static uint32_t link_of(const struct wire *x)
{
    struct oriel_netif_info n;
    for (unsigned i = 0; i < 2; i++) {
        const struct port *p = x->end[i];
        for (uint32_t at = 0; p->netif && oriel_netif_each(p->node->stack, &at, &n);)
            if (n.netif == p->netif)
                return n.kind == ORIEL_NETIF_RAW ? LENS_RAW : LENS_ETHERNET;
    }
    return LENS_ETHERNET;
}

void world_talks_label(struct world_talks *g, const struct world_frame *f, struct txt *label)
{
    const struct wire *x = f->port->wire;
    struct lens_frame in = {.link = link_of(x), .bytes = f->bytes, .number = ++g->frames,
                            .time = f->time, .time_before = f->time,
                            .conversations = &g->talks[x->id]};
    dissect(&in, &g->d);
    label_print(label, &g->d);
}

static void put_fate(struct txt *t, const struct world_frame *f)
{
    static const char *const ends[] = {
        [FATE_ARRIVES] = "",     [FATE_LOST] = "lost",       [FATE_QUEUE] = "queue full",
        [FATE_DOWN] = "link down", [FATE_TOO_BIG] = "too big", [FATE_CHANGED] = "damaged",
    };
    txt_s(t, ends[f->fate]);
    if (f->fate != FATE_ARRIVES)
        put_draw(t, f->draw);
}

/* ---- a line a frame ---- */

#define LINE_LABEL 44           /* columns up to the reason */

void world_lines_open(struct world_lines *g, struct sink out, bool ascii)
{
    g->out = out;
    g->ascii = ascii;
    world_talks_init(&g->talks);
}

void world_lines_frame(struct world_lines *g, const struct world_frame *f)
{
    char line[640], label[400];
    if (!f->out)
        return;
    struct txt t = txt_of(line, sizeof(line)), l = txt_of(label, sizeof(label));
    world_talks_label(&g->talks, f, &l);
    txt_seconds(&t, f->time, 6);
    txt_s(&t, "  ");
    txt_s(&t, f->port->node->name);
    txt_s(&t, " > ");
    txt_s(&t, f->port->wire->end[!f->port->side]->node->name);
    txt_s(&t, "  ");
    size_t label_at = t.n;
    cells_put(&t, span_of(l.p, l.n), g->ascii);
    txt_pad_to(&t, label_at + LINE_LABEL);
    txt_s(&t, "  ");
    txt_s(&t, sent_because(f));
    if (f->fate != FATE_ARRIVES) {
        txt_s(&t, "; ");
        put_fate(&t, f);
    }
    txt_c(&t, '\n');
    (void)sink_put(&g->out, span_of(t.p, t.n));
}

/* ---- the ladder ---- */

void world_ladder_open(struct world_ladder *g, const struct world *w, struct sink out,
                       struct ladder_style style)
{
    ladder_init(&g->ladder, out, style);
    world_talks_init(&g->talks);
    for (uint16_t i = 0; i < w->nodes_n; i++) {
        bool last = i == LADDER_LINES_MAX - 1 && w->nodes_n > LADDER_LINES_MAX;
        g->lines[i] = i < LADDER_LINES_MAX
                          ? ladder_add(&g->ladder, span_str(last ? "others" : w->nodes[i].name))
                          : LADDER_LINES_MAX - 1;
    }
    (void)ladder_begin(&g->ladder);
}

static enum ladder_fate drawn_fate(enum frame_fate fate)
{
    return fate == FATE_ARRIVES ? LADDER_ARRIVES : fate == FATE_CHANGED ? LADDER_REFUSED
                                                                        : LADDER_LOST;
}

void world_ladder_frame(struct world_ladder *g, const struct world_frame *f)
{
    char label[400], end[64];
    if (!f->out)
        return;
    const struct wire *x = f->port->wire;
    struct txt t = txt_of(label, sizeof(label)), e = txt_of(end, sizeof(end));
    world_talks_label(&g->talks, f, &t);
    put_fate(&e, f);
    struct ladder_step s = {
        .time = f->time,
        .from = g->lines[f->port->node->id],
        .to = g->lines[x->end[!f->port->side]->node->id],
        .label = span_of(t.p, t.n),
        .reason = span_str(sent_because(f)),
        .fate = drawn_fate(f->fate),
        .fate_text = span_of(e.p, e.n),
    };
    struct oriel_endpoint src, dst;
    if (lab_tcp_ends(&g->talks.d, &src, &dst)) {
        s.from_state = span_str(lab_tcp_state(f->port->node, &src, &dst));
        s.to_state = span_str(lab_tcp_state(x->end[!f->port->side]->node, &dst, &src));
    }
    (void)ladder_put(&g->ladder, &s);
}

bool world_ladder_close(struct world_ladder *g)
{
    return ladder_end(&g->ladder) && !g->ladder.bad;
}

/* ---- the event log ---- */

void event_log_open(struct event_log *g, const struct world *w, void *scratch, struct sink out)
{
    struct txt t = txt_of(scratch, EVENT_LOG_SCRATCH);
    *g = (struct event_log){.out = out, .next = 1};
    trace_schema(&t);
    for (uint16_t i = 0; i < w->nodes_n; i++) {
        txt_s(&t, "node ");
        txt_u(&t, w->nodes[i].id);
        txt_c(&t, ' ');
        txt_s(&t, w->nodes[i].name);
        txt_c(&t, '\n');
    }
    txt_s(&t, "node ");
    txt_u(&t, WORLD_NODE);
    txt_s(&t, " wires and peers\nrecords\n");
    ORIEL_ASSERT(!t.cut);
    g->bad = !sink_put(&out, span_of(t.p, t.n));
}

static void put_le(struct wr *w, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        wr_u8(w, (uint8_t)(v >> (8 * i)));
}

static void put_record(struct wr *w, const struct trace_rec *r)
{
    put_le(w, r->id, 8);
    put_le(w, r->t, 8);
    put_le(w, r->cause, 8);
    put_le(w, r->event, 2);
    wr_u8(w, r->why);
    wr_u8(w, r->drop);
    put_le(w, r->node, 2);
    put_le(w, 0, 2);
    put_le(w, r->a, 8);
    put_le(w, r->b, 8);
    put_le(w, r->c, 8);
    put_le(w, r->d, 8);
}

void event_log_drain(struct event_log *g, const struct world *world)
{
    const struct trace *t = &world->trace;
    uint64_t oldest = trace_oldest(t);
    if (g->next < oldest) {     /* readers see the gap between the ids */
        g->lost += oldest - g->next;
        g->next = oldest;
    }
    while (g->next < t->next && !g->bad) {
        uint8_t block[64 * sizeof(struct trace_rec)];
        struct wr w = wr_of(block, sizeof(block));
        while (g->next < t->next && wr_left(&w) > 0)
            put_record(&w, trace_at(t, g->next++));
        g->bad = !sink_put(&g->out, wr_span(&w));
    }
}
