/* Tables of reasons and events, and the ring. The tables are the .def files, nothing else. */
#include "trace/trace.h"

static const struct reason why_table[WHY_N] = {
    [WHY_NONE] = {"NONE", "", "no reason was given"},
#define WHY(name, rfc, text) [WHY_##name] = {#name, rfc, text},
#include "trace/why.def"
#undef WHY
};

static const struct reason drop_table[DROP_N] = {
    [DROP_NONE] = {"NONE", "", "not dropped"},
#define DROP(name, rfc, text) [DROP_##name] = {#name, rfc, text},
#include "trace/drop.def"
#undef DROP
};

static const struct event_desc event_table[EV_N] = {
    [EV_NONE] = {"NONE", TOPIC_LINK, {"-", "-", "-", "-"}, ""},
#define EVENT(name, topic, a, b, c, d, text) [EV_##name] = {#name, TOPIC_##topic, {a, b, c, d}, text},
#include "trace/event.def"
#undef EVENT
};

const struct reason *why_of(enum why why)
{
    ORIEL_ASSERT(why < WHY_N);
    return &why_table[why];
}

const struct reason *drop_of(enum drop drop)
{
    ORIEL_ASSERT(drop < DROP_N);
    return &drop_table[drop];
}

const struct event_desc *event_of(enum event ev)
{
    ORIEL_ASSERT(ev < EV_N);
    return &event_table[ev];
}

static unsigned reason_named(const struct reason *table, unsigned n, struct span name)
{
    for (unsigned i = 1; i < n; i++)
        if (span_is(name, table[i].name))
            return i;
    return 0;
}

enum why why_named(struct span name)
{
    return (enum why)reason_named(why_table, WHY_N, name);
}

enum drop drop_named(struct span name)
{
    return (enum drop)reason_named(drop_table, DROP_N, name);
}

void trace_init(struct trace *t, struct trace_rec *ring, uint32_t size_n)
{
    *t = (struct trace){.ring = NULL, .mask = 0, .next = 1};
    if (size_n == 0)
        return;
    t->ring = ring;
    t->mask = (uint32_t)BIT(bit_highest(size_n)) - 1;
}

uint64_t trace_oldest(const struct trace *t)
{
    uint64_t held = t->ring ? (uint64_t)t->mask + 1 : 0;
    return t->next > held ? t->next - held : 1;
}

const struct trace_rec *trace_at(const struct trace *t, uint64_t id)
{
    if (!t->ring || id < trace_oldest(t) || id >= t->next)
        return NULL;
    return &t->ring[id & t->mask];
}

static void print_field(struct txt *out, const struct trace_rec *r, char which)
{
    const uint64_t arg[4] = {r->a, r->b, r->c, r->d};
    txt_u(out, arg[which - 'a']);
}

static void print_slot(struct txt *out, const struct trace_rec *r, struct span slot)
{
    if (span_is(slot, "why"))
        txt_s(out, why_of((enum why)r->why)->text);
    else if (span_is(slot, "drop"))
        txt_s(out, drop_of((enum drop)r->drop)->text);
    else
        print_field(out, r, (char)slot.p[0]);
}

void trace_print(struct txt *out, const struct trace_rec *r)
{
    const char *at = event_of((enum event)r->event)->text;
    while (*at) {
        const char *close = *at == '{' ? strchr(at, '}') : NULL;
        if (close) {
            print_slot(out, r, span_of(at + 1, (size_t)(close - at - 1)));
            at = close + 1;
        } else {
            txt_c(out, *at++);
        }
    }
}

static void schema_reasons(struct txt *out, const char *kind, const struct reason *table, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        txt_s(out, kind);
        txt_c(out, ' ');
        txt_u(out, i);
        txt_c(out, ' ');
        txt_s(out, table[i].name);
        txt_c(out, ' ');
        txt_quoted(out, span_str(table[i].rfc));
        txt_c(out, ' ');
        txt_quoted(out, span_str(table[i].text));
        txt_c(out, '\n');
    }
}

void trace_schema(struct txt *out)
{
    txt_s(out, "oriel-events 1\n");
    for (unsigned i = 0; i < EV_N; i++) {
        const struct event_desc *e = &event_table[i];
        txt_s(out, "event ");
        txt_u(out, i);
        txt_c(out, ' ');
        txt_s(out, e->name);
        for (unsigned f = 0; f < 4; f++) {
            txt_c(out, ' ');
            txt_s(out, e->field[f]);
        }
        txt_c(out, ' ');
        txt_quoted(out, span_str(e->text));
        txt_c(out, '\n');
    }
    schema_reasons(out, "why", why_table, WHY_N);
    schema_reasons(out, "drop", drop_table, DROP_N);
}
