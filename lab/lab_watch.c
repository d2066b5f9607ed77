/*
 * Looking at frames: expectations that count them, sequences, and peers that answer.
 *
 * A frame is dissected once, and only when somebody waits for frames at that port, that way.
 */
#include "lab/lab.h"

/* ---- one frame against one expectation ---- */

static bool matches(const struct filter *f, enum why why, const struct dissection *d,
                    const struct world_frame *fr)
{
    return (why == WHY_NONE || fr->why == why) && (!f || filter_match(f, d));
}

static void note_match(struct lab_watch *w, oriel_time t)
{
    if (w->matched++ == 0)
        w->first = t;
    w->last = t;
}

static void print_frame(struct txt *t, const struct dissection *d)
{
    txt_s(t, d->proto);
    txt_c(t, ' ');
    txt_s(t, d->info);
}

static void watch_sequence(struct lab_watch *w, const struct expect *e, const struct dissection *d,
                           const struct world_frame *f)
{
    if (w->broken || w->step == e->filters_n) {
        if (e->exactly && !w->broken) {
            struct txt t = txt_of(w->other, sizeof(w->other));
            w->broken = true;
            w->last = f->time;
            print_frame(&t, d);
        }
        return;
    }
    if (matches(e->filters[w->step], e->whys[w->step], d, f)) {
        w->step++;
        note_match(w, f->time);
    } else if (e->exactly) {
        struct txt t = txt_of(w->other, sizeof(w->other));
        w->broken = true;
        w->last = f->time;
        print_frame(&t, d);
    }
}

static bool is_lost(enum frame_fate fate)
{
    return fate != FATE_ARRIVES && fate != FATE_CHANGED;
}

static void watch_one(struct lab *l, uint16_t i, const struct world_frame *f)
{
    const struct expect *e = &l->s->expects[i];
    struct lab_watch *w = &l->watches[i];
    if (f->time < e->from || f->time > e->until || (e->lost && !is_lost(f->fate)))
        return;
    if (e->kind == EX_ORDER)
        watch_sequence(w, e, l->d, f);
    else if (matches(e->filters_n ? e->filters[0] : NULL, e->why, l->d, f))
        note_match(w, f->time);
}

/* ---- peers that answer ---- */

static void answer(struct lab *l, uint16_t i, const struct world_frame *f)
{
    const struct sc_react *r = &l->s->reacts[i];
    struct syntax_error e = {0};
    struct wr w = wr_of(l->frame, APP_BUFFER);
    struct port *port = &f->port->node->ports[f->port->index];
    uint16_t at = l->port_of[port->node->id][port->index];
    const struct scenario_hearing h = {.heard = l->d, .talks = l->talks[at], .n = l->reacted[i]};
    if (!scenario_frame(r->text, f->port->wire->dir[0].p.fcs, &h, &w, &e)) {
        char text[160];
        struct txt t = txt_of(text, sizeof(text));
        txt_s(&t, "found ");
        txt_s(&t, e.found);
        txt_s(&t, ", expected ");
        txt_s(&t, e.expected);
        lab_note(l, r->at, span_str("on"), text);
        return;
    }
    struct lab_pending *p = wr_len(&w) <= LAB_REACT_BYTES ? pool_get(&l->pending_pool) : NULL;
    if (!p) {
        lab_note(l, r->at, span_str("on"), "at most 256 answers of 2,048 bytes wait at once");
        return;
    }
    p->time = time_after(f->time, r->after);
    p->order = l->order++;
    p->port = port;
    p->n = (uint32_t)wr_len(&w);
    memcpy(p->bytes, l->frame, p->n);
    l->pending[l->pending_n++] = p;
    l->reacted[i]++;
}

static void react(struct lab *l, uint16_t port, const struct world_frame *f)
{
    for (uint16_t i = 0; i < l->s->reacts_n; i++) {
        const struct sc_react *r = &l->s->reacts[i];
        if (r->node != l->s->ports[port].node || (r->port != SC_NONE && r->port != port))
            continue;
        if ((r->times == 0 || l->reacted[i] < r->times) && filter_match(r->filter, l->d))
            answer(l, i, f);
    }
}

/* ---- every frame ---- */

static void dissect_frame(struct lab *l, const struct world_frame *f, struct conversations *talks)
{
    static const char *const lost_as[] = {
        [FATE_LOST] = "WIRE_LOSS", [FATE_QUEUE] = "WIRE_QUEUE_FULL", [FATE_DOWN] = "WIRE_DOWN",
        [FATE_TOO_BIG] = "WIRE_MTU", [FATE_ARRIVES] = "", [FATE_CHANGED] = "",
    };
    struct lens_frame in = {
        .link = LENS_ETHERNET, .bytes = f->bytes, .number = l->frames, .time = f->time,
        .time_before = f->time, .if_name = span_str(f->port->name), .ev = f->ev,
        .why = span_str(f->why != WHY_NONE ? why_of(f->why)->name : ""),
        .drop = span_str(lost_as[f->fate]), .conversations = talks,
    };
    dissect(&in, l->d);
}

static void remember(struct lab_recent *r, const struct world_frame *f, const struct dissection *d)
{
    unsigned at = (unsigned)(r->n++ % LAB_RECENT);
    struct txt t = txt_of(r->text[at], sizeof(r->text[at]));
    r->time[at] = f->time;
    print_frame(&t, d);
}

void lab_watch_frame(struct lab *l, const struct world_frame *f)
{
    uint16_t port = l->port_of[f->port->node->id][f->port->index];
    if (f->out)
        l->fates[port][f->fate]++;
    bool watched = (l->watched[port] & (f->out ? 2 : 1)) != 0;
    if (!watched && !l->talks[port])
        return;
    dissect_frame(l, f, l->talks[port]);
    if (!watched)
        return;                 /* both directions of a connection are learned from */
    remember(&l->recent[port][f->out], f, l->d);
    for (uint16_t i = 0; i < l->s->expects_n; i++) {
        const struct expect *e = &l->s->expects[i];
        bool frames = e->kind == EX_FRAMES || e->kind == EX_ORDER;
        if (frames && e->port == port && e->out == f->out)
            watch_one(l, i, f);
    }
    if (!f->out && f->port->node->kind == NODE_PEER)
        react(l, port, f);
}
