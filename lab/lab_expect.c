/* Does an expectation hold, and what is there when it does not? Frames, reasons, applications. */
#include "lab/lab.h"

bool ex_count_holds(const struct ex_count *c, uint64_t n)
{
    switch ((enum ex_how)c->how) {
    case HOW_ANY:      return n > 0;
    case HOW_EXACTLY:  return n == c->n;
    case HOW_AT_LEAST: return n >= c->n;
    case HOW_AT_MOST:  return n <= c->n;
    case HOW_BETWEEN:  return n >= c->n && n <= c->to;
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
    put(t, "; of ", r->n, out ? " frames sent there the last: "
                              : " frames that arrived the last: ");
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

/* May the next one on the list be looked at? What was seen of each is separated. */
static bool is_meant(const struct expect *e, uint16_t n, struct txt *t)
{
    if (e->nth && n != e->nth)
        return false;
    txt_s(t, n > 1 && !e->nth ? "; " : "");
    return true;
}

static bool ping_holds(const struct expect *e, const struct ping *g, struct txt *t)
{
    put(t, "", g->sent, " sent, ");
    put(t, "", g->received, " received, ");
    put(t, "", g->errors, " errors, ");
    put(t, "", g->dups, " duplicates");
    return holds_if_asked(&e->num[NUM_SENT], g->sent) &&
           holds_if_asked(&e->num[NUM_RECEIVED], g->received) &&
           holds_if_asked(&e->num[NUM_ERRORS], g->errors) &&
           holds_if_asked(&e->num[NUM_DUPLICATES], g->dups);
}

static bool trace_holds(const struct expect *e, const struct tracer *r, struct txt *t)
{
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

static bool is_text(const struct expect *e, const uint8_t *text, uint32_t n, struct txt *t)
{
    if (!e->has_text)
        return true;
    txt_s(t, ", text ");
    txt_quoted(t, span_of(text, n < 60 ? n : 60));
    return span_eq(e->payload, span_of(text, n));
}

static void put_error(struct txt *t, int err, const struct oriel_addr *from)
{
    if (!err)
        return;
    txt_s(t, ", ");
    txt_s(t, app_error_name(err));
    if (from && !addr_is_unspecified(from)) {
        txt_s(t, " from ");
        txt_addr(t, from);
    }
}

static bool listener_holds(const struct expect *e, const struct udp_listener *u, struct txt *t)
{
    int err = u->failed ? u->failed : u->error;
    if (u->failed)
        txt_s(t, "it could not be opened: ");
    put(t, "", u->received, " received, ");
    put(t, "", u->bytes, " bytes, ");
    put(t, "", u->echoed, " echoed");
    put_error(t, err, NULL);
    return is_text(e, u->text, u->text_n, t) &&
           holds_if_asked(&e->num[NUM_RECEIVED], u->received) &&
           holds_if_asked(&e->num[NUM_BYTES], u->bytes) &&
           holds_if_asked(&e->num[NUM_ECHOED], u->echoed) && (!e->has_err || e->err == err);
}

static bool sender_holds(const struct expect *e, const struct udp_sender *u, struct txt *t)
{
    put(t, "", u->sent, " sent, ");
    put(t, "", u->received, " answers, ");
    put(t, "", u->bytes, " bytes, ");
    put(t, "", u->errors, " errors");
    put_error(t, u->error, &u->error_from);
    return is_text(e, u->text, u->text_n, t) &&
           holds_if_asked(&e->num[NUM_SENT], u->sent) &&
           holds_if_asked(&e->num[NUM_RECEIVED], u->received) &&
           holds_if_asked(&e->num[NUM_BYTES], u->bytes) &&
           holds_if_asked(&e->num[NUM_ERRORS], u->errors) &&
           (!e->has_err || e->err == u->error) &&
           (!e->has_from || addr_same_bits(&e->from_addr, &u->error_from));
}

static bool app_holds(const struct expect *e, const struct lab_app *a, struct txt *t)
{
    switch ((enum lab_app_kind)a->kind) {
    case LAB_PING:       return ping_holds(e, a->is.ping, t);
    case LAB_TRACE:      return trace_holds(e, a->is.trace, t);
    case LAB_UDP_LISTEN: return listener_holds(e, a->is.listen, t);
    case LAB_UDP_SEND:   return sender_holds(e, a->is.send, t);
    case LAB_TCP_LISTEN:
    case LAB_TCP_CONNECT:
    case LAB_SVC:
    case LAB_OUTSIDE:
        break;
    }
    return false;
}

/* One of those that are meant must be as expected. */
static bool ask_app(const struct lab *l, const struct expect *e, enum lab_app_kind kind,
                    struct txt *t)
{
    uint16_t at = 0, n = 0;
    bool met = false;
    for (const struct lab_app *a; (a = next_app(l, e, kind, &at)) != NULL;) {
        if (!is_meant(e, ++n, t))
            continue;
        met = true;
        if (app_holds(e, a, t))
            return true;
    }
    if (!met)
        txt_s(t, "nothing of that kind was started there");
    return false;
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
    case EX_PING:   return ask_app(l, e, LAB_PING, t);
    case EX_TRACE:  return ask_app(l, e, LAB_TRACE, t);
    case EX_UDP:    return ask_app(l, e, e->sender ? LAB_UDP_SEND : LAB_UDP_LISTEN, t);
    case EX_QUIET:  return ask_quiet(l, t);
    case EX_TCP:    return lab_ask_tcp(l, e, t);
    case EX_RESOLVE:
    case EX_DHCP:   return lab_ask_svc(l, e, t);
    case EX_RATIO:  return lab_ask_ratio(l, e, t);
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
    if (r->holds && e->kind != EX_RATIO)
        r->seen[0] = '\0';
    if (r->holds && is_positive(e)) {
        r->why = e->why;
        r->drop = e->drop;
    }
}
