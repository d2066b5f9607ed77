/*
 * A script that plays: events in their order, time in between.
 *
 * Time moves from one thing that happens to the next: a deadline of the stack, of a call that
 * blocks, of the script. An event is done at its time; a packet that is to leave is waited for, as
 * long as the line and the tolerance allow. Relative times count from when the event before
 * happened: from its time, or from when the packet came that it expected.
 *
 * A call that blocks is begun and left open; lines go on until the next call, or the end. After
 * every step it is tried again, and judged when it returns.
 *
 * Everything that crosses the interface is recorded. Packets that leave wait in that record until a
 * line expects them: in order, all flows together, unless the line names another flow. What is left
 * in the end was not expected, and that is a failure.
 */
#include "lab/script_run.h"

#include "stack/stack.h"

#define NETIF 1

/* ---- the verdict ---- */

/* The first failure stays. */
struct txt sr_failure(struct script_run *r, const struct script_event *v)
{
    if (r->failed)
        return txt_of(r->later, sizeof(r->later));
    r->failed = true;
    r->failed_line = v ? v->line : 0;
    r->failed_text = v ? v->text : span_of(r->failure, 0);
    return txt_of(r->failure, sizeof(r->failure));
}

bool sr_fail(struct script_run *r, const struct script_event *v, const char *text)
{
    struct txt t = sr_failure(r, v);
    txt_s(&t, text);
    return false;
}

void sr_reason(struct script_run *r, enum why why, enum drop drop)
{
    if (r->reasons_n == SR_REASONS_MAX)
        return;
    r->reasons[r->reasons_n].why = why;
    r->reasons[r->reasons_n++].drop = drop;
}

/* ---- recording ---- */

static struct span keep(struct script_run *r, struct span s)
{
    uint8_t *at = arena_take(r->arena, s.n + 1);
    if (!at) {
        r->full = true;
        return span_of(r->packet, 0);
    }
    if (s.n > 0)
        memcpy(at, s.p, s.n);
    return span_of(at, s.n);
}

struct sr_record *sr_record(struct script_run *r, enum sr_kind kind, struct span bytes)
{
    bool room = r->records_n < SR_RECORDS_MAX;
    struct sr_record *rec = room ? arena_take_zeroed(r->arena, sizeof(*rec)) : NULL;
    if (!rec) {
        r->full = true;
        return NULL;
    }
    rec->kind = kind;
    rec->time = r->now;
    if (kind == SR_CALL)
        rec->text = keep(r, bytes);
    else
        rec->bytes = keep(r, bytes);
    r->records[r->records_n++] = rec;
    return rec;
}

static void collect_one(struct script_run *r, struct pkt *p)
{
    struct sr_seen s;
    size_t n = oriel_pkt_copy(p, r->packet, SR_PACKET_MAX);
    struct sr_record *rec = sr_record(r, SR_OUT, span_of(r->packet, n));
    if (rec) {
        rec->why = (enum why)p->why;
        rec->aside = script_is_aside(rec->bytes);
        if (sr_see(rec->bytes, &s) && s.whole)
            rec->flow = sr_flow_at(r, s.proto, &s.src, &s.dst);
    }
    oriel_pkt_free(p);
}

static void collect(struct script_run *r)
{
    struct pkt *p[32];
    for (unsigned n; (n = oriel_netif_take(r->stack, NETIF, p, ARRAY_LEN(p))) > 0;)
        for (unsigned i = 0; i < n; i++)
            collect_one(r, p[i]);
}

/* ---- time ---- */

static void step(struct script_run *r, struct pkt_batch *rx)
{
    r->px.now = SR_START + r->now;
    oriel_step(r->stack, SR_START + r->now, rx);
    collect(r);
    px_on_step(&r->px);
    r->steps++;
}

void sr_settle(struct script_run *r)
{
    collect(r);
    px_on_step(&r->px);
    for (int i = 0; i < 1000 && oriel_next_deadline(r->stack) <= SR_START + r->now; i++)
        step(r, NULL);
    sr_sys_again(r);
}

static oriel_time next_moment(const struct script_run *r)
{
    oriel_time next = oriel_next_deadline(r->stack);
    if (r->blocked.event && r->blocked.px.deadline < next)
        next = r->blocked.px.deadline;
    if (next == ORIEL_NEVER)
        return next;
    next = next > SR_START ? next - SR_START : 0;
    return next > r->now ? next : r->now;
}

bool sr_step(struct script_run *r, oriel_time until)
{
    oriel_time next = next_moment(r);
    bool found = next <= until;
    if (r->steps > SR_STEPS_MAX || r->full) {
        (void)sr_fail(r, NULL, r->full ? "    but more happened than the memory holds\n"
                                       : "    but it does not come to an end\n");
        return false;
    }
    if (!found && until == ORIEL_NEVER)
        return false;
    r->now = found ? next : until > r->now ? until : r->now;
    step(r, NULL);
    sr_sys_again(r);
    return found;
}

bool sr_run_to(struct script_run *r, oriel_time until)
{
    while (!r->failed && sr_step(r, until))
        ;
    return !r->failed;
}

/* ---- packets that arrive ---- */

/* The first reason of which there is one more than before. */
static enum drop dropped(const struct script_run *r, const uint64_t before[DROP_N])
{
    for (unsigned i = 1; i < DROP_N; i++)
        if (r->stack->env.drop_count[i] != before[i])
            return (enum drop)i;
    return DROP_NONE;
}

static bool judge_drop(struct script_run *r, const struct script_event *v, enum drop got,
                       const uint64_t before[DROP_N])
{
    enum drop want = v->is.packet->drop;
    if (want == DROP_NONE)
        return !r->failed;
    if (r->stack->env.drop_count[want] != before[want]) {
        sr_reason(r, WHY_NONE, want);
        return !r->failed;
    }
    struct txt t = sr_failure(r, v);
    txt_s(&t, "    but it was ");
    if (got == DROP_NONE) {
        txt_s(&t, "not dropped\n");
    } else {
        txt_s(&t, "dropped because: ");
        txt_s(&t, drop_of(got)->text);
        txt_s(&t, " (");
        txt_s(&t, drop_of(got)->name);
        txt_s(&t, ")\n");
    }
    return false;
}

static bool arrive(struct script_run *r, const struct script_event *v)
{
    uint64_t before[DROP_N];
    struct sr_flow *f = sr_flow_in(r, v->is.packet);
    if (!f)
        return sr_fail(r, v, "    but there are too many flows\n");
    struct span bytes = sr_make(r, v, f);
    if (r->failed)
        return false;
    struct sr_record *rec = sr_record(r, SR_IN, bytes);
    struct pkt *p = rec ? oriel_pkt_new(r->stack, NETIF, rec->bytes.p, rec->bytes.n) : NULL;
    if (!p)
        return sr_fail(r, v, "    but there is no memory for it\n");
    rec->flow = f;
    rec->line = v->line;
    r->urgent = r->urgent || (v->is.packet->flags & TCP_URG) != 0;
    memcpy(before, r->stack->env.drop_count, sizeof(before));
    struct pkt_batch rx = {.pkts = &p, .n = 1};
    step(r, &rx);
    sr_settle(r);
    rec->drop = dropped(r, before);
    return judge_drop(r, v, rec->drop, before);
}

/* ---- packets that leave ---- */

/* Is a packet of no flow so far of that one, or of none at all? */
static bool may_be_of(const struct sr_record *rec, const struct sr_flow *f)
{
    struct sr_seen s;
    if (!f || !sr_see(rec->bytes, &s) || !s.whole || s.proto != f->proto)
        return true;
    return s.src.port == f->local.port && s.dst.port == f->remote.port;
}

/* The record that a line is about: the first that no line has had, of its flow. */
static struct sr_record *candidate(struct script_run *r, const struct script_packet *k)
{
    struct sr_flow *named = sr_flow_named(r, k);
    struct sr_record *first = NULL;
    while (r->unmatched < r->records_n) {
        const struct sr_record *rec = r->records[r->unmatched];
        if (rec->kind == SR_OUT && !rec->matched && !rec->aside)
            break;
        r->unmatched++;
    }
    for (uint32_t i = r->unmatched; i < r->records_n; i++) {
        struct sr_record *rec = r->records[i];
        if (rec->kind != SR_OUT || rec->matched || rec->aside)
            continue;
        bool its = rec->flow ? rec->flow == (named ? named : r->current) : may_be_of(rec, named);
        if (its)
            return rec;
        first = first ? first : rec;
    }
    bool others = named || k->proto == SCRIPT_ICMP;
    return others ? NULL : first;
}

static void tell_when(struct txt *t, const struct script_event *v, oriel_time base)
{
    oriel_time from = v->time == SCRIPT_RELATIVE ? base + v->from : v->from;
    oriel_time to = v->time == SCRIPT_RELATIVE ? base + v->to : v->to;
    txt_seconds(t, from, 6);
    if (to != from) {
        txt_s(t, " to ");
        txt_seconds(t, to, 6);
    }
    txt_s(t, " s");
}

static void tell_packet(struct txt *t, const struct script_run *r, const struct sr_record *rec)
{
    txt_s(t, "    came:     > ");
    sr_print(t, r, rec);
    txt_s(t, "\n    at:       ");
    txt_seconds(t, rec->time, 6);
    txt_s(t, " s\n    because:  ");
    txt_s(t, why_of(rec->why)->text);
    txt_s(t, " (");
    txt_s(t, why_of(rec->why)->name);
    txt_s(t, ")\n");
}

static bool missed(struct script_run *r, const struct script_event *v, oriel_time base)
{
    struct txt t = sr_failure(r, v);
    txt_s(&t, "    came:     nothing by ");
    txt_seconds(&t, r->now, 6);
    txt_s(&t, " s");
    if (v->time != SCRIPT_ANY) {
        txt_s(&t, "; expected at ");
        tell_when(&t, v, base);
    }
    txt_s(&t, "\n");
    return false;
}

static bool judge_time(struct script_run *r, const struct script_event *v,
                       const struct sr_record *rec, oriel_time base)
{
    oriel_time shift = v->time == SCRIPT_RELATIVE ? base : 0, tolerance = r->setup.tolerance;
    oriel_time from = shift + v->from, to = shift + v->to;
    if (v->time == SCRIPT_ANY ||
        (time_after(rec->time, tolerance) >= from && rec->time <= time_after(to, tolerance)))
        return true;
    struct txt t = sr_failure(r, v);
    tell_packet(&t, r, rec);
    txt_s(&t, "    differs:  it is too ");
    txt_s(&t, rec->time < from ? "early" : "late");
    txt_s(&t, ", expected at ");
    tell_when(&t, v, base);
    txt_s(&t, "\n");
    return false;
}

static bool expect(struct script_run *r, const struct script_event *v)
{
    char what[400];
    oriel_time base = r->base, shift = v->time == SCRIPT_RELATIVE ? base : 0;
    oriel_time until = v->time == SCRIPT_ANY ? time_after(r->now, SR_PATIENCE)
                                             : time_after(shift + v->to, r->setup.tolerance);
    struct sr_record *rec;
    while (!(rec = candidate(r, v->is.packet)) && !r->failed && sr_step(r, until))
        ;
    if (!rec && !r->failed)
        rec = candidate(r, v->is.packet);
    if (r->failed)
        return false;
    if (!rec)
        return missed(r, v, base);
    struct txt t = txt_of(what, sizeof(what));
    rec->matched = true;
    rec->line = v->line;
    if (!sr_match(r, v->is.packet, rec, &t)) {
        struct txt to = sr_failure(r, v);
        tell_packet(&to, r, rec);
        txt_s(&to, "    differs:  ");
        txt_span(&to, span_of(t.p, t.n));
        txt_s(&to, "\n");
        return false;
    }
    r->base = rec->time;
    return judge_time(r, v, rec, base);
}

/* ---- events ---- */

static bool assertion(struct script_run *r, const struct script_event *v)
{
    uint8_t info[PX_TCP_INFO_BYTES];
    struct script_line bad;
    if (!sr_tcp_info(r, info))
        return sr_fail(r, v, "    but there is no stream to ask\n");
    if (script_assert_holds(v->is.code, info, &bad))
        return true;
    struct txt t = sr_failure(r, v);
    r->failed_line = bad.line;
    r->failed_text = bad.text;
    txt_s(&t, "    but ");
    txt_s(&t, bad.values);
    txt_s(&t, "\n");
    return false;
}

/* Until the event's own time; a time that has passed by more than the tolerance cannot be kept. */
static bool reach(struct script_run *r, const struct script_event *v)
{
    oriel_time at = v->time == SCRIPT_RELATIVE ? r->base + v->from : v->from;
    if (!sr_run_to(r, at))
        return false;
    if (r->now > time_after(at, r->setup.tolerance)) {
        struct txt t = sr_failure(r, v);
        txt_s(&t, "    but it is ");
        txt_seconds(&t, r->now, 6);
        txt_s(&t, " s already: the line before took longer\n");
        return false;
    }
    r->base = r->now;
    return true;
}

static bool play(struct script_run *r, const struct script_event *v)
{
    if (v->kind == SCRIPT_COMMAND)
        return true;                            /* it was obeyed when the stack was made */
    if (v->kind == SCRIPT_PACKET && !v->is.packet->in)
        return expect(r, v);
    if (v->kind == SCRIPT_CALL && !sr_sys_await(r))
        return false;
    if (!reach(r, v))
        return false;
    switch (v->kind) {
    case SCRIPT_PACKET:
        return arrive(r, v);
    case SCRIPT_CALL:
        return sr_sys(r, v);
    case SCRIPT_CODE:
        return assertion(r, v);
    case SCRIPT_COMMAND:
        break;
    }
    return true;
}

static bool nothing_left(struct script_run *r)
{
    for (uint32_t i = r->unmatched; i < r->records_n && !r->setup.leftovers; i++) {
        const struct sr_record *rec = r->records[i];
        if (rec->kind != SR_OUT || rec->matched || rec->aside)
            continue;
        struct txt t = sr_failure(r, NULL);
        txt_s(&t, "    expected: nothing more\n");
        tell_packet(&t, r, rec);
        return false;
    }
    return true;
}

bool script_play(struct script_run *r)
{
    const struct script_event *v = r->s->first;
    while (v && !r->failed && play(r, v))
        v = v->next;
    if (!r->failed && sr_sys_await(r))
        (void)nothing_left(r);
    return !r->failed;
}

/* ---- made, and taken down ---- */

static bool made(struct script_run *r)
{
    uint8_t *memory = arena_take(r->arena, r->setup.memory);
    r->packet = arena_take(r->arena, SR_PACKET_MAX);
    r->records = arena_take(r->arena, SR_RECORDS_MAX * sizeof(struct sr_record *));
    if (!memory || !r->packet || !r->records)
        return false;
    r->stack = script_stack(&r->setup, r->v6, memory, r->setup.memory, SR_START);
    if (!r->stack)
        return false;
    if (!px_init(&r->px, r->stack, r->arena, SR_FDS_MAX, SR_PIPES_MAX)) {
        oriel_destroy(r->stack);
        return false;
    }
    r->px.set.tcp_fastopen = r->setup.tcp_fastopen;
    r->px.now = SR_START;
    return true;
}

struct script_run *script_open(struct arena *arena, const struct script *s,
                               const struct script_options *o, struct script_error *err)
{
    *err = (struct script_error){.file = s->file};
    if (!script_runs_over(s, o->v6)) {
        (void)syntax_fail(&err->at, 0, span_of(NULL, 0), o->v6 ? "a script that runs over IPv6"
                                                              : "a script that runs over IPv4");
        return NULL;
    }
    struct script_run *r = arena_take_zeroed(arena, sizeof(*r));
    if (r) {
        r->s = s;
        r->opt = *o;
        r->setup = s->setup;
        r->arena = arena;
        r->v6 = o->v6;
        r->bound_port = s->setup.bind_port;
        r->fd = PX_NEVER_FD;
        r->fresh = true;
        if (o->has_personality)
            r->setup.tcp.personality = o->personality;
        if (o->no_fast_path)
            r->setup.tcp.no_fast_path = true;
    }
    if (!r || !made(r)) {
        (void)syntax_fail(&err->at, 0, span_of(NULL, 0), "more memory for the run");
        return NULL;
    }
    sr_settle(r);
    return r;
}

void script_close(struct script_run *r)
{
    struct pkt *p;
    px_fini(&r->px);
    while (oriel_netif_take(r->stack, NETIF, &p, 1) == 1)
        oriel_pkt_free(p);
    oriel_destroy(r->stack);
}
