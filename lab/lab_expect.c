/* Does an expectation hold, and what is there when it does not? Frames, reasons, applications. */
#include "lab/lab.h"

bool ex_count_holds(const struct ex_count *c, uint64_t n)
{
    switch ((enum ex_how)c->how) {
    case HOW_ANY:      return n > 0;
    case HOW_EXACTLY:  return n == c->n;
    case HOW_AT_LEAST: return n >= c->n;
    case HOW_AT_MOST:  return n <= c->n;
    }
    return false;
}

/* The same for a number that need not be asked for. */
static bool holds_if_asked(const struct ex_count *c, uint64_t n)
{
    return c->how == HOW_ANY || ex_count_holds(c, n);
}

static void put(struct txt *t, const char *before, uint64_t n, const char *after)
{
    txt_s(t, before);
    txt_u(t, n);
    txt_s(t, after);
}

static void put_time(struct txt *t, const char *before, oriel_time at)
{
    txt_s(t, before);
    txt_seconds(t, at, 6);
    txt_s(t, " s");
}

/* ---- frames ---- */

static void print_recent(struct txt *t, const struct lab_recent *r, bool out)
{
    uint64_t from = r->n > LAB_RECENT ? r->n - LAB_RECENT : 0;
    if (r->n == 0) {
        txt_s(t, out ? "; nothing was sent there at all" : "; nothing arrived there at all");
        return;
    }
    put(t, "; of ", r->n, out ? " frames sent there the last: " : " frames that arrived the last: ");
    for (uint64_t i = from; i < r->n; i++) {
        put_time(t, i > from ? " | " : "", r->time[i % LAB_RECENT]);
        txt_c(t, ' ');
        txt_s(t, r->text[i % LAB_RECENT]);
    }
}

static bool ask_frames(const struct lab *l, const struct expect *e, const struct lab_watch *w,
                       struct txt *t)
{
    put(t, "", w->matched, w->matched == 1 ? " frame matches" : " frames match");
    if (w->matched > 0) {
        put_time(t, ", the first at ", w->first);
        put_time(t, ", the last at ", w->last);
    }
    print_recent(t, &l->recent[e->port][e->out], e->out);
    return ex_count_holds(&e->num[NUM_COUNT], w->matched);
}

static bool ask_sequence(const struct lab *l, const struct expect *e, const struct lab_watch *w,
                         struct txt *t)
{
    if (w->step < e->filters_n)
        put(t, "", w->step, w->step == 1 ? " frame of " : " frames of ");
    else
        put(t, "all ", w->step, " of ");
    put(t, "", e->filters_n, " came in that order");
    if (w->step > 0)
        put_time(t, ", the last at ", w->last);
    if (w->broken) {
        put_time(t, "; then came something else at ", w->last);
        txt_s(t, ": ");
        txt_s(t, w->other);
    } else {
        print_recent(t, &l->recent[e->port][e->out], e->out);
    }
    return w->step == e->filters_n && !w->broken;
}

/* ---- reasons ---- */

static uint64_t counter(const struct oriel_stack *s, const char *group, const char *name)
{
    struct oriel_counter_info c;
    for (uint32_t at = 0; oriel_counter_each(s, &at, &c);)
        if (strcmp(c.group, group) == 0 && strcmp(c.name, name) == 0)
            return c.value;
    return 0;
}

static uint64_t lost_at_link(const struct lab *l, const struct expect *e)
{
    static const enum drop as[] = {
        [FATE_LOST] = DROP_WIRE_LOSS, [FATE_QUEUE] = DROP_WIRE_QUEUE_FULL,
        [FATE_DOWN] = DROP_WIRE_DOWN, [FATE_TOO_BIG] = DROP_WIRE_MTU,
    };
    for (size_t i = 0; i < ARRAY_LEN(as); i++)
        if (as[i] == e->drop)
            return l->fates[e->port][i];
    return 0;
}

/* The commonest other drops of that stack: one of them may be what was meant. */
static void print_other_drops(struct txt *t, const struct oriel_stack *s)
{
    struct oriel_counter_info c;
    unsigned n = 0;
    for (uint32_t at = 0; oriel_counter_each(s, &at, &c) && n < 4;)
        if (strcmp(c.group, "drop") == 0 && c.value > 0) {
            put(t, n++ ? ", " : "; dropped there: ", c.value, " ");
            txt_s(t, c.name);
        }
}

static bool ask_drop(const struct lab *l, const struct expect *e, struct txt *t)
{
    const struct oriel_stack *s = e->node != SC_NONE ? l->w->nodes[e->node].stack : NULL;
    uint64_t n = s ? counter(s, "drop", drop_of(e->drop)->name)
                 : e->link != SC_NONE ? lost_at_link(l, e) : l->w->env.drop_count[e->drop];
    put(t, "it happened ", n, n == 1 ? " time" : " times");
    if (s)
        print_other_drops(t, s);
    return ex_count_holds(&e->num[NUM_COUNT], n);
}

static bool ask_why(const struct lab *l, const struct expect *e, struct txt *t)
{
    uint64_t n = counter(l->w->nodes[e->node].stack, "why", why_of(e->why)->name);
    put(t, "it happened ", n, n == 1 ? " time" : " times");
    return ex_count_holds(&e->num[NUM_COUNT], n);
}

/* ---- applications ---- */

/* The first one of that kind on that node that the expectation means, from *at on. */
static struct lab_app *next_app(const struct lab *l, const struct expect *e, enum lab_app_kind kind,
                                uint16_t *at)
{
    while (*at < l->apps_n) {
        struct lab_app *a = &l->apps[(*at)++];
        if (a->kind != kind || a->node != &l->w->nodes[e->node])
            continue;
        const struct oriel_addr *to = kind == LAB_PING    ? &a->is.ping->p.to
                                      : kind == LAB_TRACE ? &a->is.trace->p.to
                                                          : &a->is.send->p.to.addr;
        bool to_it = kind == LAB_UDP_LISTEN
                         ? e->number == 0 || a->is.listen->p.local.port == e->number
                         : !e->has_addr || addr_same_bits(to, &e->addr.addr);
        bool port = kind != LAB_UDP_SEND || e->number == 0 || a->is.send->p.to.port == e->number;
        if (to_it && port)
            return a;
    }
    return NULL;
}

/* The one that the expectation means where only one can be meant. */
static struct lab_app *find_app(const struct lab *l, const struct expect *e, enum lab_app_kind kind)
{
    uint16_t at = 0;
    struct lab_app *a = NULL;
    for (uint16_t i = 0; i < (e->nth ? e->nth : 1); i++)
        if (!(a = next_app(l, e, kind, &at)))
            return NULL;
    return a;
}

/* Without @N the numbers are those of all pings that are meant, together. */
static bool ask_ping(const struct lab *l, const struct expect *e, struct txt *t)
{
    uint64_t sent = 0, received = 0, errors = 0, dups = 0;
    uint16_t at = 0, n = 0;
    for (const struct lab_app *a; (a = next_app(l, e, LAB_PING, &at)) != NULL;) {
        n++;
        if (e->nth && n != e->nth)
            continue;
        sent += a->is.ping->sent;
        received += a->is.ping->received;
        errors += a->is.ping->errors;
        dups += a->is.ping->dups;
    }
    if (n == 0 || n < e->nth) {
        txt_s(t, "no such ping was started");
        return false;
    }
    put(t, "", sent, " sent, ");
    put(t, "", received, " received, ");
    put(t, "", errors, " errors, ");
    put(t, "", dups, " duplicates");
    return holds_if_asked(&e->num[NUM_SENT], sent) &&
           holds_if_asked(&e->num[NUM_RECEIVED], received) &&
           holds_if_asked(&e->num[NUM_ERRORS], errors) &&
           holds_if_asked(&e->num[NUM_DUPLICATES], dups);
}

static bool ask_trace(const struct lab *l, const struct expect *e, struct txt *t)
{
    const struct lab_app *a = find_app(l, e, LAB_TRACE);
    if (!a) {
        txt_s(t, "no such traceroute was started");
        return false;
    }
    const struct tracer *r = a->is.trace;
    bool same = r->done && r->hop == e->hops_n;
    txt_s(t, r->done ? "the hops were" : "it has not ended; so far");
    for (uint8_t i = 0; i < r->hop; i++) {
        const struct trace_hop *h = &r->hops[i];
        txt_c(t, ' ');
        if (h->answers)
            txt_addr(t, &h->from);
        else
            txt_c(t, '*');
        if (i < e->hops_n)
            same = same && addr_same_bits(&h->from, &e->hops[i]);
    }
    return same;
}

/*
 * Listeners or senders, as one: numbers of all that are meant added up; a text or an error is that
 * of any one of them.
 */
struct udp_sum {
    uint64_t sent, received, bytes, echoed, errors;
    bool text, error;           /* one of them has what is expected */
};

static void add_text(struct udp_sum *u, const struct expect *e, const uint8_t *text, uint32_t n,
                     struct txt *t)
{
    if (!e->has_text)
        return;
    txt_s(t, "text ");
    txt_quoted(t, span_of(text, n < 80 ? n : 80));
    txt_s(t, ", ");
    u->text = u->text || span_eq(e->payload, span_of(text, n));
}

static void add_error(struct udp_sum *u, const struct expect *e, int err,
                      const struct oriel_addr *from, struct txt *t)
{
    u->error = u->error || (e->err == err && (!e->has_from || addr_same_bits(&e->from_addr, from)));
    if (!err)
        return;
    txt_s(t, app_error_name(err));
    if (!addr_is_unspecified(from)) {
        txt_s(t, " from ");
        txt_addr(t, from);
    }
    txt_s(t, ", ");
}

static void add_listener(struct udp_sum *u, const struct expect *e, const struct udp_listener *x,
                         struct txt *t)
{
    const struct oriel_addr nobody = ADDR_NONE;
    if (x->failed)
        txt_s(t, "it could not be opened: ");
    u->received += x->received;
    u->bytes += x->bytes;
    u->echoed += x->echoed;
    add_text(u, e, x->text, x->text_n, t);
    add_error(u, e, x->failed ? x->failed : x->error, &nobody, t);
}

static void add_sender(struct udp_sum *u, const struct expect *e, const struct udp_sender *x,
                       struct txt *t)
{
    u->sent += x->sent;
    u->received += x->received;
    u->bytes += x->bytes;
    u->errors += x->errors;
    add_text(u, e, x->text, x->text_n, t);
    add_error(u, e, x->error, &x->error_from, t);
}

static bool sum_holds(const struct expect *e, const struct udp_sum *u)
{
    return holds_if_asked(&e->num[NUM_SENT], u->sent) &&
           holds_if_asked(&e->num[NUM_RECEIVED], u->received) &&
           holds_if_asked(&e->num[NUM_BYTES], u->bytes) &&
           holds_if_asked(&e->num[NUM_ECHOED], u->echoed) &&
           holds_if_asked(&e->num[NUM_ERRORS], u->errors) && (!e->has_text || u->text) &&
           (!e->has_err || u->error);
}

static bool ask_udp(const struct lab *l, const struct expect *e, struct txt *t)
{
    enum lab_app_kind kind = e->sender ? LAB_UDP_SEND : LAB_UDP_LISTEN;
    struct udp_sum u = {0};
    uint16_t at = 0, n = 0;
    for (const struct lab_app *a; (a = next_app(l, e, kind, &at)) != NULL;) {
        n++;
        if (e->nth && n != e->nth)
            continue;
        if (e->sender)
            add_sender(&u, e, a->is.send, t);
        else
            add_listener(&u, e, a->is.listen, t);
    }
    if (n == 0 || n < e->nth) {
        txt_s(t, e->sender ? "nothing on that node sends so" : "nothing listens there");
        return false;
    }
    if (e->sender)
        put(t, "", u.sent, " sent, ");
    put(t, "", u.received, e->sender ? " answers, " : " received, ");
    put(t, "", u.bytes, " bytes, ");
    put(t, "", e->sender ? u.errors : u.echoed, e->sender ? " errors" : " echoed");
    return sum_holds(e, &u);
}

/* ---- the end of everything ---- */

static bool ask_quiet(const struct lab *l, struct txt *t)
{
    uint32_t alive = pkt_mem_live(&l->w->mem);
    put(t, "", l->w->heap_n, " frames are under way and ");
    put(t, "", alive, " packets and blocks are alive");
    return world_quiet(l->w) && alive == 0;
}

/* ---- all of them ---- */

static bool is_so(struct lab *l, uint16_t i, struct txt *t)
{
    const struct expect *e = &l->s->expects[i];
    switch ((enum ex_kind)e->kind) {
    case EX_FRAMES: return ask_frames(l, e, &l->watches[i], t);
    case EX_ORDER:  return ask_sequence(l, e, &l->watches[i], t);
    case EX_DROP:   return ask_drop(l, e, t);
    case EX_WHY:    return ask_why(l, e, t);
    case EX_PING:   return ask_ping(l, e, t);
    case EX_TRACE:  return ask_trace(l, e, t);
    case EX_UDP:    return ask_udp(l, e, t);
    case EX_QUIET:  return ask_quiet(l, t);
    case EX_NEIGH:
    case EX_ADDR:
    case EX_ROUTE:
    case EX_GROUP:
    case EX_PMTU:
    case EX_SOCKET:
    case EX_NAT:
    case EX_REASM:
    case EX_NETIF:
        break;
    }
    return lab_ask_state(l, e, t);
}

/* It was shown to happen, not shown to be absent. */
static bool is_positive(const struct expect *e)
{
    const struct ex_count *c = &e->num[NUM_COUNT];
    return !e->no && (c->how == HOW_ANY || (c->how != HOW_AT_MOST && c->n > 0));
}

void lab_ask(struct lab *l, uint16_t i)
{
    const struct expect *e = &l->s->expects[i];
    struct lab_result *r = &l->results[i];
    struct txt t = txt_of(r->seen, sizeof(r->seen));
    r->asked = true;
    r->holds = is_so(l, i, &t) != e->no;
    if (r->holds)
        r->seen[0] = '\0';
    if (r->holds && is_positive(e)) {
        r->why = e->why;
        r->drop = e->drop;
    }
}
