/* What happened, in a few lines at the end. */
#include "cli/summary.h"

#include "cli/json.h"
#include "cli/term.h"
#include "lab/lab.h"

#include <stdlib.h>

void summary_init(struct summary *s, const struct world *w)
{
    *s = (struct summary){.world = w};
}

void summary_fini(struct summary *s)
{
    free(s->talks);
    free(s->lost);
}

/* ---- frames ---- */

static bool is_again(enum why why)
{
    return why == WHY_RTX_SYN || why == WHY_RTX_SYN_ACK || (why >= WHY_RTX_RACK && why <= WHY_RTX_MTU);
}

/* What a frame says, and its place in a stream. */
static void look(struct summary *s, const struct world_frame *f, struct summary_lost *out)
{
    struct txt t = txt_of(out->text, sizeof out->text);
    world_talks_label(s->talks, f, &t);
    char *guess = strstr(out->text, " [");      /* what a reader of one end would guess; we know */
    if (guess)
        *guess = '\0';
    const struct dissection *d = &s->talks->d;
    if (!lab_tcp_ends(d, &out->src, &out->dst))
        return;
    const struct field *seq = dissection_first(d, F_TCP_SEQ_RAW);
    const struct field *len = dissection_first(d, F_TCP_LEN);
    if (!seq || !len)
        return;
    const struct field *syn = dissection_first(d, F_TCP_FLAGS_SYN);
    const struct field *fin = dissection_first(d, F_TCP_FLAGS_FIN);
    const struct field *ack = dissection_first(d, F_TCP_ACK_RAW);
    const struct field *has_ack = dissection_first(d, F_TCP_FLAGS_ACK);
    out->acks = ack && has_ack && has_ack->value.u;
    out->ack = out->acks ? (uint32_t)ack->value.u : 0;
    out->seq = (uint32_t)seq->value.u;
    out->end = out->seq + (uint32_t)len->value.u + (syn && syn->value.u) + (fin && fin->value.u);
}

static bool same_end(const struct oriel_endpoint *a, const struct oriel_endpoint *b)
{
    return a->port == b->port && addr_eq(&a->addr, &b->addr);
}

/* The oldest loss that is remembered. */
static uint32_t first_lost(const struct summary *s)
{
    return s->lost_n > SUMMARY_LOST_MAX ? s->lost_n - SUMMARY_LOST_MAX : 0;
}

/* The loss that a segment repairs: the last one of its stream that overlaps it. */
static struct summary_lost *find_loss(struct summary *s, const struct summary_lost *x)
{
    for (uint32_t i = s->lost_n; i-- > first_lost(s);) {
        struct summary_lost *l = &s->lost[i % SUMMARY_LOST_MAX];
        if (!l->repaired && same_end(&l->src, &x->src) && same_end(&l->dst, &x->dst) &&
            (int32_t)(l->seq - x->end) < 0 && (int32_t)(x->seq - l->end) < 0)
            return l;
    }
    return NULL;
}

/* Nothing of a segment was lost: the last acknowledgement of it that was. */
static const struct summary_lost *find_lost_ack(const struct summary *s, const struct summary_lost *x)
{
    for (uint32_t i = s->lost_n; i-- > first_lost(s);) {
        const struct summary_lost *l = &s->lost[i % SUMMARY_LOST_MAX];
        if (l->acks && same_end(&l->src, &x->dst) && same_end(&l->dst, &x->src) &&
            (int32_t)(l->ack - x->end) >= 0)
            return l;
    }
    return NULL;
}

static void note_again(struct summary *s, const struct world_frame *f, const struct summary_lost *x)
{
    struct summary_lost *l = find_loss(s, x);
    const struct summary_lost *ack = l ? NULL : find_lost_ack(s, x);
    if (s->again_n == SUMMARY_AGAIN_MAX) {
        s->again_more++;
    } else {
        struct summary_again *a = &s->again[s->again_n++];
        *a = (struct summary_again){.time = f->time, .why = f->why};
        memcpy(a->text, x->text, sizeof a->text);
        a->ack_lost = ack != NULL;
        if (l || ack)
            a->lost = l ? *l : *ack;
    }
    if (l)
        l->repaired = true;
}

void summary_frame(struct summary *s, const struct world_frame *f)
{
    if (!f->out)
        return;
    const struct wire *x = f->port->wire;
    struct summary_wire *w = &s->wires[x->id][f->port->side];
    w->frames++;
    w->fates[f->fate]++;
    if (!s->talks) {
        s->talks = malloc(sizeof *s->talks);
        s->lost = malloc(SUMMARY_LOST_MAX * sizeof *s->lost);
        if (!s->talks || !s->lost)
            abort();
        world_talks_init(s->talks);
    }
    struct summary_lost here = {.wire = x, .side = f->port->side, .fate = f->fate, .draw = f->draw,
                                .time = f->time};
    look(s, f, &here);
    if (is_again(f->why))
        note_again(s, f, &here);
    if (f->fate != FATE_ARRIVES)
        s->lost[s->lost_n++ % SUMMARY_LOST_MAX] = here;
}

void summary_conn(struct summary *s, const struct oriel_stack *stack, oriel_handle h, int error)
{
    struct oriel_tcp_info i;
    if (oriel_tcp_info(stack, h, &i) == 0)
        summary_info(s, &i, error);
}

void summary_info(struct summary *s, const struct oriel_tcp_info *i, int error)
{
    s->conns++;
    s->failed += error != 0;
    s->bytes_sent += i->bytes_sent - i->bytes_retrans;
    s->bytes_received += i->bytes_received;
    s->bytes_again += i->bytes_retrans;
    for (unsigned k = 0; k < ORIEL_LIMIT_N; k++)
        s->limit_ns[k] += i->limit_ns[k];
}

/* ---- text ---- */

static void put_line(struct txt *t, const struct sink *out)
{
    txt_c(t, '\n');
    (void)sink_put(out, span_of(t->p, t->n));
    t->n = 0;
}

static void put_many(struct txt *t, uint64_t n, const char *one, const char *many)
{
    txt_u(t, n);
    txt_c(t, ' ');
    txt_s(t, n == 1 ? one : many);
}

static const char *const fate_words[] = {
    [FATE_LOST] = "lost", [FATE_QUEUE] = "found the queue full", [FATE_DOWN] = "met a dead link",
    [FATE_TOO_BIG] = "were too big", [FATE_CHANGED] = "damaged",
};

static void put_draws(struct txt *t, const struct summary *s, const struct wire *x, unsigned side)
{
    unsigned n = 0;
    for (uint32_t i = first_lost(s); i < s->lost_n; i++) {
        const struct summary_lost *l = &s->lost[i % SUMMARY_LOST_MAX];
        if (l->wire != x || l->side != side || l->draw == 0)
            continue;
        if (++n > 8) {
            txt_s(t, " ...");
            break;
        }
        txt_s(t, n == 1 ? " (draws" : "");
        txt_c(t, ' ');
        txt_u(t, l->draw);
    }
    txt_s(t, n > 0 ? ")" : "");
}

static void print_wires(const struct summary *s, struct txt *t, const struct sink *out)
{
    for (uint16_t i = 0; i < s->world->wires_n; i++)
        for (unsigned side = 0; side < 2; side++) {
            const struct wire *x = &s->world->wires[i];
            const struct summary_wire *w = &s->wires[i][side];
            if (w->frames == 0)
                continue;
            txt_s(t, x->end[side]->node->name);
            txt_s(t, " > ");
            txt_s(t, x->end[!side]->node->name);
            txt_s(t, ": ");
            put_many(t, w->frames, "frame", "frames");
            for (unsigned fate = FATE_LOST; fate <= FATE_CHANGED; fate++)
                if (w->fates[fate] > 0) {
                    txt_s(t, ", ");
                    txt_u(t, w->fates[fate]);
                    txt_c(t, ' ');
                    txt_s(t, fate_words[fate]);
                }
            put_draws(t, s, x, side);
            put_line(t, out);
        }
}

static void print_again(const struct summary *s, struct txt *t, const struct sink *out)
{
    uint32_t elsewhere = 0;
    for (uint32_t i = 0; i < s->again_n; i++) {
        const struct summary_again *a = &s->again[i];
        elsewhere += !a->lost.wire;
        if (!a->lost.wire)
            continue;
        txt_s(t, "  ");
        txt_seconds(t, a->time, 6);
        txt_s(t, "  ");
        txt_s(t, a->text);
        txt_s(t, "  ");
        txt_s(t, why_of(a->why)->text);
        txt_s(t, a->ack_lost ? "; its acknowledgement was " : "; ");
        txt_s(t, fate_words[a->lost.fate]);
        txt_s(t, " at ");
        txt_seconds(t, a->lost.time, 6);
        txt_s(t, " on ");
        txt_s(t, a->lost.wire->name);
        if (a->lost.draw) {
            txt_s(t, " by draw ");
            txt_u(t, a->lost.draw);
        }
        put_line(t, out);
    }
    if (elsewhere > 0) {
        txt_s(t, "  ");
        txt_u(t, elsewhere);
        txt_s(t, " of them were lost elsewhere, or not at all");
        put_line(t, out);
    }
    if (s->again_more > 0) {
        txt_s(t, "  and ");
        txt_u(t, s->again_more);
        txt_s(t, " more");
        put_line(t, out);
    }
}

/* Retransmissions by reason, of all stacks. */
static uint64_t again_by(const struct summary *s, enum why why)
{
    uint64_t n = 0;
    struct oriel_counter_info c;
    for (uint16_t i = 0; i < s->world->nodes_n; i++) {
        const struct oriel_stack *stack = s->world->nodes[i].stack;
        for (uint32_t at = 0; stack && oriel_counter_each(stack, &at, &c);)
            if (c.group[0] == 'w' && strcmp(c.name, why_of(why)->name) == 0)
                n += c.value;
    }
    return n;
}

static void print_reasons(const struct summary *s, struct txt *t, const struct sink *out)
{
    for (unsigned why = 1; why < WHY_N; why++) {
        uint64_t n = is_again((enum why)why) ? again_by(s, (enum why)why) : 0;
        if (n == 0)
            continue;
        put_many(t, n, "segment sent again: ", "segments sent again: ");
        txt_s(t, why_of((enum why)why)->text);
        put_line(t, out);
    }
}

void summary_put_limits(struct txt *t, const uint64_t limit_ns[ORIEL_LIMIT_N], const char *before,
                        const char *between)
{
    uint64_t all = 0;
    for (unsigned k = 0; k < ORIEL_LIMIT_N; k++)
        all += limit_ns[k];
    for (unsigned k = 0; k < ORIEL_LIMIT_N && all > 0; k++) {
        uint64_t percent = limit_ns[k] / ((all + 99) / 100);
        if (percent == 0)
            continue;
        txt_s(t, before);
        txt_s(t, oriel_tcp_limit_name((enum oriel_tcp_limit)k));
        txt_c(t, ' ');
        txt_u(t, percent);
        txt_c(t, '%');
        before = between;
    }
}

static void print_limits(const struct summary *s, struct txt *t, const struct sink *out)
{
    summary_put_limits(t, s->limit_ns, "limited by ", ", ");
    if (t->n > 0)
        put_line(t, out);
}

static void print_text(const struct summary *s, const struct sink *out)
{
    char line[512];
    struct txt t = txt_of(line, sizeof line);
    put_many(&t, s->conns, "connection", "connections");
    if (s->failed > 0) {
        txt_s(&t, ", ");
        txt_u(&t, s->failed);
        txt_s(&t, " failed");
    }
    txt_s(&t, "; ");
    put_many(&t, s->bytes_sent, "byte sent, ", "bytes sent, ");
    txt_u(&t, s->bytes_received);
    txt_s(&t, " received");
    if (s->bytes_again > 0) {
        txt_s(&t, ", ");
        txt_u(&t, s->bytes_again);
        txt_s(&t, " sent again");
    }
    put_line(&t, out);
    print_wires(s, &t, out);
    print_reasons(s, &t, out);
    print_again(s, &t, out);
    print_limits(s, &t, out);
}

/* ---- JSON ---- */

const char *summary_limit_key(enum oriel_tcp_limit l)
{
    static const char *const keys[ORIEL_LIMIT_N] = {
        [ORIEL_LIMIT_APPLICATION] = "application", [ORIEL_LIMIT_CWND] = "cwnd",
        [ORIEL_LIMIT_PEER_WINDOW] = "rwnd",        [ORIEL_LIMIT_NAGLE] = "nagle",
        [ORIEL_LIMIT_CORK] = "cork",               [ORIEL_LIMIT_PACING] = "pacing",
        [ORIEL_LIMIT_SEND_BUFFER] = "sndbuf",      [ORIEL_LIMIT_HANDSHAKE] = "handshake",
    };
    return keys[l];
}

static void json_wires(const struct summary *s, struct json *j)
{
    static const char *const keys[] = {
        [FATE_ARRIVES] = "arrive", [FATE_LOST] = "lost", [FATE_QUEUE] = "queue_full",
        [FATE_DOWN] = "down", [FATE_TOO_BIG] = "too_big", [FATE_CHANGED] = "damaged",
    };
    json_open(j, "wires", '[');
    for (uint16_t i = 0; i < s->world->wires_n; i++)
        for (unsigned side = 0; side < 2; side++) {
            const struct wire *x = &s->world->wires[i];
            json_open(j, NULL, '{');
            json_text(j, "from", x->end[side]->node->name);
            json_text(j, "to", x->end[!side]->node->name);
            json_u(j, "frames", s->wires[i][side].frames);
            for (unsigned fate = FATE_LOST; fate <= FATE_CHANGED; fate++)
                json_u(j, keys[fate], s->wires[i][side].fates[fate]);
            json_close(j, '}');
        }
    json_close(j, ']');
}

static void json_again(const struct summary *s, struct json *j)
{
    json_open(j, "retransmissions", '[');
    for (uint32_t i = 0; i < s->again_n; i++) {
        const struct summary_again *a = &s->again[i];
        json_open(j, NULL, '{');
        json_u(j, "time_ns", a->time);
        json_text(j, "why", why_of(a->why)->name);
        json_text(j, "text", a->text);
        if (a->lost.wire) {
            json_text(j, "lost", a->ack_lost ? "acknowledgement" : "segment");
            json_u(j, "lost_ns", a->lost.time);
            json_text(j, "wire", a->lost.wire->name);
            json_u(j, "draw", a->lost.draw);
        }
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void print_json(const struct summary *s, struct sink out)
{
    struct json j;
    json_begin(&j, out);
    json_text(&j, "event", "summary");
    json_u(&j, "time_ns", s->world->env.now);
    json_u(&j, "connections", s->conns);
    json_u(&j, "failed", s->failed);
    json_u(&j, "bytes_sent", s->bytes_sent);
    json_u(&j, "bytes_received", s->bytes_received);
    json_u(&j, "bytes_retrans", s->bytes_again);
    json_open(&j, "sent_again", '{');
    for (unsigned why = 1; why < WHY_N; why++)
        if (is_again((enum why)why))
            json_u(&j, why_of((enum why)why)->name, again_by(s, (enum why)why));
    json_close(&j, '}');
    json_wires(s, &j);
    json_again(s, &j);
    json_open(&j, "limit_ns", '{');
    for (unsigned k = 0; k < ORIEL_LIMIT_N; k++)
        json_u(&j, summary_limit_key((enum oriel_tcp_limit)k), s->limit_ns[k]);
    json_close(&j, '}');
    json_end(&j);
}

void summary_print(const struct summary *s, bool as_json, struct sink out)
{
    if (as_json)
        print_json(s, out);
    else
        print_text(s, &out);
}
