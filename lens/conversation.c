/*
 * Connections between frames.
 *
 * A direction is known by the highest byte that passed (`next`), the last acknowledgement and the
 * last window. A segment that begins below `next` was sent again or came late; whether one or the
 * other is guessed by time, as tshark does: what comes within a round trip (3 ms when none was
 * measured) of the segment that overtook it is out of order, what comes within 20 ms of a second
 * duplicate acknowledgement and begins where that points is a fast retransmission, what lies wholly
 * below the acknowledgements was sent for nothing.
 *
 * The order of the questions is part of their meaning: each looks at what was before this segment,
 * and only remember() writes.
 */
#include "lens/conversation.h"

#include "base/clock.h"
#include "base/seq.h"
#include "wire/tcp.h"

#define FAST_NS     (20 * NS_PER_MS)    /* since the duplicate that asked for it */
#define LATE_NS     (3 * NS_PER_MS)     /* overtaken, when no round trip was measured */
#define FAST_DUPLICATES 2u
#define CONTROL     (TCP_SYN | TCP_FIN | TCP_RST)

/* A segment, its direction, the other one. */
struct look {
    const struct tcp_sighting *s;
    struct conversation *c;
    struct tcp_side *fwd, *rev;
    uint32_t notes;
};

void conversations_init(struct conversations *c)
{
    c->n = 0;
    c->streams = 0;
    c->clock = 0;
}

/* ---- the table ---- */

static uint32_t hash_end(const struct oriel_endpoint *e)
{
    uint64_t h = (e->addr.hi ^ e->addr.lo * 0x9e3779b97f4a7c15u) + e->port;
    h *= 0xff51afd7ed558ccdu;
    return (uint32_t)(h >> 32);
}

/* The same for both directions. */
static uint32_t hash_of(const struct tcp_sighting *s)
{
    return hash_end(&s->src) + hash_end(&s->dst);
}

static bool is_end(const struct oriel_endpoint *a, const struct oriel_endpoint *b)
{
    return a->port == b->port && addr_same_bits(&a->addr, &b->addr);
}

/* 0 or 1: which end of it speaks; -1: it is another connection. */
static int side_of(const struct conversation *c, const struct tcp_sighting *s)
{
    if (is_end(&c->end[0], &s->src) && is_end(&c->end[1], &s->dst))
        return 0;
    return is_end(&c->end[1], &s->src) && is_end(&c->end[0], &s->dst) ? 1 : -1;
}

static struct conversation *find(struct conversations *t, const struct tcp_sighting *s)
{
    uint32_t hash = hash_of(s);
    for (uint32_t i = 0; i < t->n; i++)
        if (t->hash[i] == hash && side_of(&t->entry[i], s) >= 0)
            return &t->entry[i];
    return NULL;
}

struct conversation_bases conversation_bases(const struct conversations *t,
                                             const struct oriel_endpoint *src,
                                             const struct oriel_endpoint *dst)
{
    const struct tcp_sighting s = {.src = *src, .dst = *dst};
    uint32_t hash = hash_of(&s);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct conversation *c = &t->entry[i];
        int side = t->hash[i] == hash ? side_of(c, &s) : -1;
        if (side >= 0)
            return (struct conversation_bases){
                .has_seq = c->side[side].has_base, .seq = c->side[side].base,
                .has_ack = c->side[!side].has_base, .ack = c->side[!side].base,
            };
    }
    return (struct conversation_bases){.has_seq = false};
}

/* A free entry, or the one that was silent longest. */
static struct conversation *make_room(struct conversations *t, uint32_t hash)
{
    uint32_t at = 0;
    if (t->n < CONVERSATIONS_MAX) {
        at = t->n++;
    } else {
        for (uint32_t i = 1; i < t->n; i++)
            if (t->entry[i].used < t->entry[at].used)
                at = i;
    }
    t->hash[at] = hash;
    return &t->entry[at];
}

static void begin(struct conversations *t, struct conversation *c, const struct tcp_sighting *s)
{
    *c = (struct conversation){
        .end = {s->src, s->dst}, .stream = t->streams++, .first = s->time, .last = s->time,
        .side = {{.scale = TCP_SCALE_UNKNOWN}, {.scale = TCP_SCALE_UNKNOWN}},
    };
}

/* A SYN with another number on ports that are known begins anew. */
static bool is_reuse(const struct conversation *c, const struct tcp_sighting *s)
{
    const struct tcp_side *fwd = &c->side[side_of(c, s)];
    return (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && fwd->has_base && fwd->base != s->seq;
}

/* ---- questions ---- */

static bool has(const struct look *l, unsigned flags)
{
    return (l->s->flags & flags) != 0;
}

/* Behind the last byte, SYN and FIN not counted. */
static seq_t end_of(const struct look *l)
{
    return seq_add(seq_of(l->s->seq), l->s->len);
}

static bool is_next(const struct look *l)
{
    return l->fwd->has_next && l->s->seq == l->fwd->next;
}

/* Says nothing that the last one did not: no bytes, nothing acknowledged. */
static bool is_bare_repeat(const struct look *l)
{
    return l->s->len == 0 && !has(l, CONTROL) && is_next(l) && l->fwd->has_ack &&
           l->s->ack == l->fwd->ack;
}

static uint32_t scale_window(uint32_t window, int8_t scale)
{
    return window << (scale > 0 ? scale : 0);
}

/* RFC 7323, 2.2: that of a SYN is never scaled. */
static uint32_t scaled(const struct look *l)
{
    return has(l, TCP_SYN) ? l->s->window : scale_window(l->s->window, l->fwd->scale);
}

static void note(struct look *l, enum tcp_note n)
{
    l->notes |= (uint32_t)n;
}

/* What is said without a look at acknowledgements. */
static void note_segment(struct look *l)
{
    const struct tcp_side *f = l->fwd;
    if (l->s->window == 0 && !has(l, CONTROL))
        note(l, TCP_NOTE_ZERO_WINDOW);
    if (f->has_next && seq_lt(seq_of(f->next), seq_of(l->s->seq)) && !has(l, TCP_RST))
        note(l, TCP_NOTE_LOST_SEGMENT);
    if (l->s->len <= 1 && f->has_next && l->s->seq == f->next - 1 && !has(l, CONTROL))
        note(l, TCP_NOTE_KEEP_ALIVE);
    uint32_t room = scale_window(l->rev->window, l->rev->scale);
    if (l->s->len > 0 && l->rev->has_ack && l->rev->scale != TCP_SCALE_UNKNOWN &&
        end_of(l).v == l->rev->ack + room && !has(l, CONTROL))
        note(l, TCP_NOTE_WINDOW_FULL);
}

/* A bare acknowledgement that acknowledges nothing: why may it have been sent? */
static void note_repeat(struct look *l)
{
    uint32_t window = l->s->window;
    bool same = window == l->fwd->window;
    if (!is_bare_repeat(l))
        return;
    if (window != 0 && !same)
        note(l, TCP_NOTE_WINDOW_UPDATE);
    else if (window != 0 && (l->rev->notes & TCP_NOTE_KEEP_ALIVE))
        note(l, TCP_NOTE_KEEP_ALIVE_ACK);
    else if (window != 0)
        note(l, TCP_NOTE_DUPLICATE_ACK);
    else if (same && (l->rev->notes & TCP_NOTE_ZERO_WINDOW_PROBE))
        note(l, TCP_NOTE_ZERO_WINDOW_PROBE_ACK);
}

static oriel_time since(const struct look *l, oriel_time t)
{
    return l->s->time > t ? l->s->time - t : 0;
}

/*
 * Does it begin below what has passed already? One byte below it may be the one that a probe of a
 * closed window carried.
 */
static bool is_below(const struct look *l)
{
    const struct tcp_side *f = l->fwd;
    bool probed = l->s->len > 1 && l->s->seq == f->next - 1;
    return f->has_next && seq_lt(seq_of(l->s->seq), seq_of(f->next)) && !probed;
}

static void note_again(struct look *l)
{
    const struct tcp_side *f = l->fwd, *r = l->rev;
    bool control = has(l, TCP_SYN | TCP_FIN);
    oriel_time late = l->c->has_rtt ? l->c->rtt : LATE_NS;
    uint32_t end = end_of(l).v + (control ? 1 : 0);
    if ((l->s->len == 0 && !control) || (l->notes & TCP_NOTE_KEEP_ALIVE))
        return;
    if (l->s->len > 0 && r->has_ack && seq_leq(end_of(l), seq_of(r->ack)))
        note(l, TCP_NOTE_SPURIOUS | TCP_NOTE_RETRANSMISSION);
    else if (!is_below(l))
        return;
    else if (r->duplicates >= FAST_DUPLICATES && r->ack == l->s->seq &&
             since(l, r->ack_time) < FAST_NS)
        note(l, TCP_NOTE_FAST_RETRANSMISSION | TCP_NOTE_RETRANSMISSION);
    else if (since(l, f->next_time) < late && end != f->next)
        note(l, TCP_NOTE_OUT_OF_ORDER);
    else
        note(l, TCP_NOTE_RETRANSMISSION);
}

static void judge(struct look *l)
{
    if (l->s->len == 1 && is_next(l) && l->rev->has_ack && l->rev->window == 0) {
        note(l, TCP_NOTE_ZERO_WINDOW_PROBE);
    } else {
        note_segment(l);
        note_repeat(l);
    }
    if (has(l, TCP_ACK) && l->rev->has_top && seq_lt(seq_of(l->rev->top), seq_of(l->s->ack)))
        note(l, TCP_NOTE_ACK_LOST_SEGMENT);
    note_again(l);
}

/* ---- learning ---- */

/* Where relative numbers count from: a side whose SYN did not pass begins at 1. */
static void learn_bases(struct look *l)
{
    const struct tcp_sighting *s = l->s;
    if (!l->fwd->has_base) {
        l->fwd->has_base = true;
        l->fwd->base = has(l, TCP_SYN) ? s->seq : s->seq - 1;
    }
    if (!l->rev->has_base && has(l, TCP_ACK)) {
        l->rev->has_base = true;
        l->rev->base = s->ack - 1;
    }
}

/* RFC 7323, 2.2: in use when both SYNs have the option. */
static void learn_scale(struct look *l)
{
    if (!has(l, TCP_SYN))
        return;
    l->fwd->scale = l->s->scale > 14 ? 14 : l->s->scale;
    if (has(l, TCP_ACK) &&
        (l->fwd->scale == TCP_SCALE_UNKNOWN || l->rev->scale == TCP_SCALE_UNKNOWN))
        l->fwd->scale = l->rev->scale = TCP_SCALE_OFF;
}

static void learn_rtt(struct look *l)
{
    bool syn = has(l, TCP_SYN), ack = has(l, TCP_ACK);
    if (syn && !l->fwd->has_syn_time) {
        l->fwd->has_syn_time = true;
        l->fwd->syn_time = l->s->time;
    }
    if (!syn && ack && !l->c->has_rtt && l->fwd->has_syn_time && l->rev->has_syn_time) {
        l->c->has_rtt = true;
        l->c->rtt = since(l, l->fwd->syn_time);
    }
}

/*
 * `next` and `top` move. What is acknowledged beyond `top` did not pass here: that is said once,
 * until another segment out of its place shows where to look from.
 */
static void remember_bytes(struct look *l)
{
    struct tcp_side *f = l->fwd;
    uint32_t end = end_of(l).v + (has(l, TCP_SYN | TCP_FIN) ? 1 : 0);
    bool first = !f->has_next;
    bool joins = f->has_top && f->top == l->s->seq;
    if (l->notes & TCP_NOTE_ZERO_WINDOW_PROBE)
        return;                 /* what it carries is sent again */
    bool data = l->s->len > 0 && !(l->notes & TCP_NOTE_KEEP_ALIVE);
    if (!first && !f->has_top && data && l->s->seq != f->next) {
        f->has_top = true;
        f->top = f->next;
    }
    if (first || seq_lt(seq_of(f->next), seq_of(end))) {
        f->has_next = true;
        f->next = end;
        f->next_time = l->s->time;
    }
    if (first || joins) {
        f->has_top = true;
        f->top = f->next;
    }
}

static void remember(struct look *l)
{
    struct tcp_side *f = l->fwd;
    if (l->notes & TCP_NOTE_DUPLICATE_ACK) {
        f->duplicates++;
    } else if (!f->has_ack || f->ack != l->s->ack) {
        f->duplicates = 0;
        f->original = l->s->number;
    }
    if (l->notes & TCP_NOTE_ACK_LOST_SEGMENT)
        l->rev->has_top = false;
    remember_bytes(l);
    f->window = l->s->window;
    f->ack = l->s->ack;
    f->has_ack = has(l, TCP_ACK);
    f->ack_time = l->s->time;
    f->notes = l->notes;
}

/* The connection of a segment, begun when there is none, or when its ports are used again. */
static struct conversation *conversation_of(struct conversations *t, const struct tcp_sighting *s,
                                            bool *reused)
{
    struct conversation *c = find(t, s);
    *reused = c && is_reuse(c, s);
    if (c && !*reused)
        return c;
    if (!c)
        c = make_room(t, hash_of(s));
    begin(t, c, s);
    return c;
}

struct tcp_view conversation_see(struct conversations *t, const struct tcp_sighting *s)
{
    bool reused;
    struct look l = {.s = s, .c = conversation_of(t, s, &reused)};
    int side = side_of(l.c, s);
    l.c->used = t->clock++;
    l.fwd = &l.c->side[side];
    l.rev = &l.c->side[!side];
    learn_bases(&l);
    learn_scale(&l);
    if (reused)
        note(&l, TCP_NOTE_REUSED_PORTS);
    judge(&l);
    struct tcp_view v = {
        .stream = l.c->stream, .seq_base = l.fwd->base,
        .ack_base = has(&l, TCP_ACK) ? l.rev->base : 0, .window = scaled(&l),
        .scale = l.fwd->scale, .notes = l.notes,
        .since_first = since(&l, l.c->first), .since_last = since(&l, l.c->last),
    };
    learn_rtt(&l);
    remember(&l);
    v.duplicate = l.fwd->duplicates;
    v.original = l.fwd->original;
    l.c->last = s->time;
    return v;
}
