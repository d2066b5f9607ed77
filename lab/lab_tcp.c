/*
 * TCP in a lab: connections told what to do, the states they went through, and what is expected of
 * them.
 *
 * States are read off the stack's own table of connections, before and after the applications of a
 * node act: a connection that an application closed goes on without a socket, half-open ones never
 * had one, and in both cases people want to know. Only nodes that an expectation about states names
 * are looked at that way.
 */
#include "lab/lab.h"

#include "lab/lab_info.h"

/* ---- which connections ---- */

/* Walks over those that `who` means, in the order in which they were begun. */
struct talks {
    const struct lab *l;
    const struct sc_talks *who;
    bool accepted;              /* clients come first */
    uint16_t app;
    uint32_t talk;
    uint16_t n;                 /* met so far */
};

static struct talks talks_of(const struct lab *l, const struct sc_talks *who)
{
    return (struct talks){.l = l, .who = who};
}

/* The next connection of the node, of whatever port. */
static struct tcp_talk *next_of_node(struct talks *w)
{
    for (;; w->app = 0, w->accepted = true) {
        for (; w->app < w->l->apps_n; w->app++, w->talk = 0) {
            const struct lab_app *a = &w->l->apps[w->app];
            if (!a->started || a->node != &w->l->w->nodes[w->who->node])
                continue;
            if (!w->accepted && a->kind == LAB_TCP_CONNECT)
                return w->app++, a->is.client;
            if (w->accepted && a->kind == LAB_TCP_LISTEN && w->talk < a->is.server->n)
                return &a->is.server->talk[w->talk++];
        }
        if (w->accepted)
            return NULL;
    }
}

static struct tcp_talk *next_talk(struct talks *w)
{
    for (struct tcp_talk *t; (t = next_of_node(w)) != NULL;) {
        uint16_t port = t->passive ? t->local.port : t->remote.port;
        if (w->who->port && w->who->port != port)
            continue;
        w->n++;
        if (w->who->nth == 0 || w->who->nth == w->n)
            return t;
    }
    return NULL;
}

/* ---- the stack's table ---- */

static bool is_end(const struct oriel_endpoint *a, const struct oriel_endpoint *b)
{
    return a->port == b->port && addr_same_bits(&a->addr, &b->addr);
}

static bool find_conn(const struct oriel_stack *s, const struct oriel_endpoint *local,
                      const struct oriel_endpoint *remote, struct oriel_conn_info *out)
{
    for (uint32_t at = 0; oriel_conn_each(s, &at, out);)
        if (is_end(&out->local, local) && is_end(&out->remote, remote))
            return true;
    return false;
}

static bool listens(const struct oriel_stack *s, uint16_t port)
{
    struct oriel_socket_info i;
    for (uint32_t at = 0; oriel_socket_each(s, &at, &i);)
        if (strcmp(i.kind, "tcp") == 0 && i.state == ORIEL_TCP_LISTEN && i.local.port == port)
            return true;
    return false;
}

const char *lab_tcp_state(const struct node *n, const struct oriel_endpoint *local,
                          const struct oriel_endpoint *remote)
{
    struct oriel_conn_info i;
    if (!n->stack)
        return "";
    if (find_conn(n->stack, local, remote, &i))
        return oriel_tcp_state_name(i.state);
    return listens(n->stack, local->port) ? oriel_tcp_state_name(ORIEL_TCP_LISTEN) : "";
}

bool lab_tcp_ends(const struct dissection *d, struct oriel_endpoint *src,
                  struct oriel_endpoint *dst)
{
    const struct field *a = dissection_first(d, F_IP_SRC);
    const struct field *b = dissection_first(d, F_IP_DST);
    const struct field *from = dissection_first(d, F_TCP_SRCPORT);
    const struct field *to = dissection_first(d, F_TCP_DSTPORT);
    a = a ? a : dissection_first(d, F_IPV6_SRC);
    b = b ? b : dissection_first(d, F_IPV6_DST);
    if (d->flags_n == 0 || !a || !b || !from || !to)
        return false;
    *src = (struct oriel_endpoint){.addr = a->value.addr, .port = (uint16_t)from->value.u};
    *dst = (struct oriel_endpoint){.addr = b->value.addr, .port = (uint16_t)to->value.u};
    return true;
}

/* ---- states that were gone through ---- */

static void went(struct lab_track *k, uint8_t state)
{
    if (k->n > 0 && k->states[k->n - 1] == state)
        return;
    if (k->n < LAB_TRACK_STATES)
        k->states[k->n++] = state;
}

static struct lab_track *track_of(struct lab_tracks *ts, const struct oriel_conn_info *i)
{
    for (uint16_t k = 0; k < ts->n; k++)
        if (!ts->track[k].gone && is_end(&ts->track[k].local, &i->local) &&
            is_end(&ts->track[k].remote, &i->remote))
            return &ts->track[k];
    if (ts->n == LAB_TRACKS_MAX)
        return NULL;
    struct lab_track *k = &ts->track[ts->n++];
    *k = (struct lab_track){.local = i->local, .remote = i->remote};
    return k;
}

void lab_track(struct lab *l, const struct node *n)
{
    struct lab_tracks *ts = l->tracks[n->id];
    struct oriel_conn_info i;
    if (!ts)
        return;
    for (uint16_t k = 0; k < ts->n; k++)
        ts->track[k].seen = false;
    for (uint32_t at = 0; oriel_conn_each(n->stack, &at, &i);) {
        struct lab_track *k = i.state == ORIEL_TCP_LISTEN ? NULL : track_of(ts, &i);
        if (!k)
            continue;
        k->seen = true;
        went(k, (uint8_t)i.state);
    }
    for (uint16_t k = 0; k < ts->n; k++) {
        if (ts->track[k].seen || ts->track[k].gone)
            continue;
        ts->track[k].gone = true;
        went(&ts->track[k], ORIEL_TCP_CLOSED);
    }
}

/* ---- telling ---- */

static int tell_one(struct lab *l, struct tcp_talk *t, const struct sc_act *a)
{
    oriel_time now = l->w->env.now;
    switch ((enum sc_tell)a->u.tell.what) {
    case TELL_SAY:      return tcp_talk_say(t, a->u.tell.text, a->u.tell.urgent);
    case TELL_SEND:     tcp_talk_send(t, a->u.tell.size); return 0;
    case TELL_READ:     tcp_talk_read(t, a->u.tell.size); return 0;
    case TELL_PAUSE:    tcp_talk_pause_reading(t); return 0;
    case TELL_SHUTDOWN: return tcp_talk_end(t, TCP_THEN_SHUTDOWN, now);
    case TELL_CLOSE:    return tcp_talk_end(t, TCP_THEN_CLOSE, now);
    case TELL_ABORT:    return tcp_talk_end(t, TCP_THEN_ABORT, now);
    case TELL_SET:      return tcp_talk_set(t, &a->u.tell.setting);
    case TELL_MARK:     tcp_talk_mark(t, now); return 0;
    case TELL_UNLISTEN: break;
    }
    return 0;
}

static int unlisten(struct lab *l, const struct sc_act *a)
{
    for (uint16_t i = 0; i < l->apps_n; i++) {
        struct lab_app *v = &l->apps[i];
        if (v->node == &l->w->nodes[a->node] && v->kind == LAB_TCP_LISTEN && v->is.server->sock &&
            v->is.server->p.local.port == a->u.tell.who.port) {
            tcp_server_stop(v->is.server);
            return 0;
        }
    }
    return ORIEL_ENOENT;
}

int lab_tell(struct lab *l, const struct sc_act *a)
{
    struct talks w = talks_of(l, &a->u.tell.who);
    int err = 0, one;
    if (a->u.tell.what == TELL_UNLISTEN)
        return unlisten(l, a);
    for (struct tcp_talk *t; (t = next_talk(&w)) != NULL;)
        if ((one = tell_one(l, t, a)) < 0)
            err = one;
    return w.n ? err : ORIEL_ENOTCONN;
}

/* ---- is there something to come? ---- */

/* Closed by the application, but not yet by the other side. */
static bool is_closing(struct tcp_talk *t)
{
    struct oriel_conn_info i;
    if (t->sock || t->gone || !t->connected)
        return false;
    t->gone = !find_conn(t->host.stack, &t->local, &t->remote, &i) ||
              i.state == ORIEL_TCP_TIME_WAIT || i.state == ORIEL_TCP_FIN_WAIT_2;
    return !t->gone;
}

static bool is_busy(struct tcp_talk *t)
{
    return tcp_talk_busy(t) || is_closing(t);
}

bool lab_tcp_busy(const struct lab_app *a)
{
    if (a->kind == LAB_TCP_CONNECT)
        return is_busy(a->is.client);
    for (uint32_t i = 0; i < a->is.server->n; i++)
        if (is_busy(&a->is.server->talk[i]))
            return true;
    return false;
}

/* ---- expectations ---- */

static bool asked(const struct ex_count *c, uint64_t n)
{
    return c->how == HOW_ANY || ex_count_holds(c, n);
}

static void put(struct txt *t, const char *before, uint64_t n, const char *after)
{
    txt_s(t, before);
    txt_u(t, n);
    txt_s(t, after);
}

/* Listeners: what they accepted; the table: how many connections there are. */
static bool node_holds(const struct lab *l, const struct ex_tcp *x, struct txt *t)
{
    uint64_t accepted = 0, conns = 0;
    struct oriel_conn_info c;
    for (uint16_t i = 0; i < l->apps_n; i++) {
        const struct lab_app *a = &l->apps[i];
        if (a->node == &l->w->nodes[x->who.node] && a->kind == LAB_TCP_LISTEN &&
            (!x->who.port || a->is.server->p.local.port == x->who.port)) {
            accepted += a->is.server->accepted;
            if (a->is.server->failed) {
                txt_s(t, "it could not listen: ");
                txt_s(t, app_error_name(a->is.server->failed));
                txt_s(t, "; ");
            }
        }
    }
    for (uint32_t at = 0; oriel_conn_each(l->w->nodes[x->who.node].stack, &at, &c);)
        conns += !x->who.port || c.local.port == x->who.port || c.remote.port == x->who.port;
    if (x->accepted.how != HOW_ANY)
        put(t, "", accepted, " were accepted; ");
    if (x->conns.how != HOW_ANY)
        put(t, "there are ", conns, " connections; ");
    return asked(&x->accepted, accepted) && asked(&x->conns, conns);
}

static void put_states(struct txt *t, const uint8_t *states, uint8_t n)
{
    for (uint8_t i = 0; i < n; i++) {
        txt_s(t, i ? " " : "");
        txt_s(t, oriel_tcp_state_name((enum oriel_tcp_state)states[i]));
    }
}

static bool states_are(const struct ex_tcp *x, const struct lab_track *k)
{
    bool enough = x->states_open ? k->n >= x->states_n : k->n == x->states_n;
    return enough && memcmp(k->states, x->states, x->states_n) == 0;
}

/* The one that the n-th connection went through; without a connection, of that port. */
static bool states_hold(const struct lab *l, const struct ex_tcp *x, const struct tcp_talk *talk,
                        struct txt *t)
{
    const struct lab_tracks *ts = l->tracks[x->who.node];
    bool any = false;
    for (uint16_t i = 0; ts && i < ts->n; i++) {
        const struct lab_track *k = &ts->track[i];
        bool port = !x->who.port || k->local.port == x->who.port ||
                    k->remote.port == x->who.port;
        if (talk ? !is_end(&k->local, &talk->local) || !is_end(&k->remote, &talk->remote) : !port)
            continue;
        txt_s(t, any ? "; " : "the states were ");
        put_states(t, k->states, k->n);
        any = true;
        if (states_are(x, k))
            return true;
    }
    txt_s(t, any ? ", " : "no connection was there, ");
    return false;
}

/* The state now: of this connection, or of any of that port. */
static bool state_holds(const struct lab *l, const struct ex_tcp *x, const struct tcp_talk *talk,
                        struct txt *t)
{
    const struct oriel_stack *s = l->w->nodes[x->who.node].stack;
    struct oriel_conn_info c;
    bool any = false, is = false;
    if (x->state == ORIEL_TCP_LISTEN) {
        is = listens(s, x->who.port);
        txt_s(t, is ? "somebody listens, " : "nobody listens, ");
        return is;
    }
    for (uint32_t at = 0; !is && oriel_conn_each(s, &at, &c);) {
        bool port = !x->who.port || c.local.port == x->who.port || c.remote.port == x->who.port;
        if (c.state == ORIEL_TCP_LISTEN || (talk ? !is_end(&c.local, &talk->local) ||
                                                       !is_end(&c.remote, &talk->remote) : !port))
            continue;
        any = true;
        is = (uint8_t)c.state == x->state;
        txt_s(t, oriel_tcp_state_name(c.state));
        txt_s(t, ", ");
    }
    if (!any)
        txt_s(t, "CLOSED, ");
    return any ? is : x->state == ORIEL_TCP_CLOSED;
}

static bool text_holds(const struct ex_tcp *x, const struct tcp_talk *talk, struct txt *t)
{
    if (!x->has_text)
        return true;
    txt_s(t, ", text ");
    txt_quoted(t, span_of(talk->text, talk->text_n < 60 ? talk->text_n : 60));
    return talk->received == talk->text_n && span_eq(x->text, span_of(talk->text, talk->text_n));
}

/* Everything that the other one sent, and nothing else. */
static bool all_holds(const struct lab *l, const struct ex_tcp *x, const struct tcp_talk *talk,
                      struct txt *t)
{
    if (!x->has_other)
        return true;
    struct talks w = talks_of(l, &x->other);
    const struct tcp_talk *o = next_talk(&w);
    if (!o) {
        txt_s(t, ", the other one was never there");
        return false;
    }
    bool same = o->sent == talk->received && o->hash_out == talk->hash_in;
    put(t, ", the other one sent ", o->sent, same ? " bytes" : " bytes, and not these");
    return same;
}

static bool info_holds(const struct ex_tcp *x, const struct tcp_talk *talk, struct txt *t)
{
    struct oriel_tcp_info i;
    if (!x->field)
        return true;
    if (!talk->sock || oriel_tcp_info(talk->host.stack, talk->sock, &i) != 0) {
        txt_s(t, ", and its numbers are gone: it is closed");
        return false;
    }
    uint64_t v = lab_info_value(&i, x->field);
    txt_s(t, ", ");
    txt_s(t, x->field->name);
    put(t, " ", v, "");
    return asked(&x->info, v);
}

static void put_moment(struct txt *t, const char *before, oriel_time at)
{
    txt_s(t, before);
    txt_seconds(t, at, 6);
    txt_s(t, " s");
}

static bool times_hold(const struct ex_tcp *x, const struct tcp_talk *talk, struct txt *t)
{
    oriel_time done = talk->received ? talk->last_in : talk->last_out;
    if (x->connected.how != HOW_ANY)
        put_moment(t, talk->connected ? ", connected at " : ", not connected at ",
                   talk->connected_at);
    if (x->done.how != HOW_ANY)
        put_moment(t, ", the last byte at ", done);
    if (x->rate.how != HOW_ANY)
        put(t, ", ", tcp_talk_rate(talk), " bit/s");
    return (x->connected.how == HOW_ANY ||
            (talk->connected && asked(&x->connected, talk->connected_at))) &&
           asked(&x->done, done) && asked(&x->rate, tcp_talk_rate(talk));
}

static bool numbers_hold(const struct ex_tcp *x, const struct tcp_talk *talk, struct txt *t)
{
    put(t, "", talk->sent, " bytes sent, ");
    put(t, "", talk->received, " received");
    txt_s(t, talk->eof ? " up to the end" : "");
    txt_s(t, talk->sock ? "" : ", closed");
    if (x->intact)
        txt_s(t, talk->intact ? "" : ", not the pattern");
    if (x->urgent.how != HOW_ANY)
        put(t, ", urgent ", talk->urgent_seen, " times");
    if (talk->error) {
        txt_s(t, ", ");
        txt_s(t, app_error_name(talk->error));
    }
    return asked(&x->sent, talk->sent) && asked(&x->received, talk->received) &&
           asked(&x->urgent, talk->urgent_seen) && (!x->intact || talk->intact) &&
           (!x->eof || talk->eof) && (!x->open || talk->sock) && (!x->closed || !talk->sock) &&
           (!x->has_err || x->err == talk->error);
}

static bool talk_holds(const struct lab *l, const struct ex_tcp *x, const struct tcp_talk *talk,
                       struct txt *t)
{
    bool good = !x->has_state || state_holds(l, x, talk, t);
    good = (!x->states_n || states_hold(l, x, talk, t)) && good;
    good = numbers_hold(x, talk, t) && good;
    good = text_holds(x, talk, t) && good;
    good = all_holds(l, x, talk, t) && good;
    good = times_hold(x, talk, t) && good;
    return info_holds(x, talk, t) && good;
}

/* Something that only a connection of an application can answer? */
static bool asks_application(const struct ex_tcp *x)
{
    return x->has_text || x->has_err || x->intact || x->eof || x->open || x->closed ||
           x->has_other || x->field || x->sent.how != HOW_ANY || x->received.how != HOW_ANY ||
           x->urgent.how != HOW_ANY || x->rate.how != HOW_ANY || x->done.how != HOW_ANY ||
           x->connected.how != HOW_ANY;
}

static bool conn_holds(const struct lab *l, const struct ex_tcp *x, struct txt *t)
{
    bool good = !x->has_state || state_holds(l, x, NULL, t);
    return (!x->states_n || states_hold(l, x, NULL, t)) && good;
}

bool lab_ask_tcp(const struct lab *l, const struct expect *e, struct txt *t)
{
    const struct ex_tcp *x = e->tcp;
    struct talks w = talks_of(l, &x->who);
    bool good = node_holds(l, x, t), any = false;
    if (!asks_application(x) && !x->has_state && !x->states_n)
        return good;
    bool listener = x->has_state && x->state == ORIEL_TCP_LISTEN && !asks_application(x);
    for (const struct tcp_talk *talk; !listener && (talk = next_talk(&w)) != NULL; any = true) {
        txt_s(t, any ? "; or: " : "");
        if (talk_holds(l, x, talk, t))
            return good;
    }
    if (!any && !asks_application(x))
        return conn_holds(l, x, t) && good;
    if (!any)
        txt_s(t, "no connection of an application was there");
    return false;
}

bool lab_ask_ratio(const struct lab *l, const struct expect *e, struct txt *t)
{
    const struct ex_tcp *x = e->tcp;
    struct talks wa = talks_of(l, &x->who), wb = talks_of(l, &x->other);
    const struct tcp_talk *a = next_talk(&wa), *b = next_talk(&wb);
    if (!a || !b) {
        txt_s(t, a ? "the second one was never there" : "the first one was never there");
        return false;
    }
    uint64_t ra = tcp_talk_rate(a), rb = tcp_talk_rate(b);
    put(t, "they received ", ra / 1000, " and ");
    put(t, "", rb / 1000, " kbit/s");
    if (rb == 0 || ra > UINT64_MAX / 1000000)
        return false;
    uint64_t ratio = ra * 1000000 / rb;
    put(t, ": ", ratio / 1000000, ".");
    txt_u_pad(t, ratio % 1000000 / 1000, 3, '0');
    return ex_count_holds(&x->ratio, ratio);
}
