/*
 * Negotiation: what RFC 1661, section 5 says of packets, and what its automaton wants done.
 *
 * A request of the peer is judged option by option into two lists, of what is refused and of what would be
 * taken; the worse one answers, and an Ack is the peer's own bytes. Our own request is kept as it was
 * sent: only an answer to exactly that one counts, and only once.
 */
#include "link/ppp_neg.h"

#define ESSENTIAL_CODES PPP_CODE_REJ    /* without one of them there is no negotiation */
#define REJECTED_BYTES  200             /* of a packet that is sent back: enough to know it by */

/* ---- options ---- */

static struct ppp_value value_of(const struct ppp_opt *o)
{
    struct ppp_value v = {.type = o->type, .n = (uint8_t)o->data.n, .on = true};
    struct rd r = rd_of(o->data);
    while (o->data.n <= PPP_VALUE_MAX && !rd_done(&r))
        v.v = v.v << 8 | rd_u8(&r);
    return v;
}

static void emit_value(struct wr *w, const struct ppp_value *v)
{
    uint8_t bytes[PPP_VALUE_MAX];
    struct wr b = wr_of(bytes, sizeof(bytes));
    ORIEL_ASSERT(v->n <= PPP_VALUE_MAX);
    wr_u64(&b, v->v);
    ppp_opt_emit(w, &(struct ppp_opt){v->type, span_of(bytes + PPP_VALUE_MAX - v->n, v->n)});
}

struct ppp_value *ppp_neg_own(struct ppp_neg *g, uint8_t type)
{
    for (unsigned i = 0; i < g->own_n; i++)
        if (g->own[i].type == type && g->own[i].on)
            return &g->own[i];
    return NULL;
}

void ppp_neg_want(struct ppp_neg *g, uint8_t type, uint8_t n, uint64_t v)
{
    ORIEL_ASSERT(g->own_n < PPP_OWN_MAX);
    g->own[g->own_n++] = (struct ppp_value){.type = type, .n = n, .on = true, .v = v};
}

void ppp_neg_init(struct ppp_neg *g, const struct ppp_neg_kind *kind)
{
    *g = (struct ppp_neg){.kind = kind, .state = PPP_INITIAL, .deadline = ORIEL_NEVER};
}

/* ---- the automaton's actions ---- */

static void start_timer(const struct ppp *l, struct ppp_neg *g)
{
    g->restarts = (uint8_t)(g->restarts - (g->restarts > 0));
    g->deadline = time_after(l->now, PPP_RESTART);
}

/* The same request again has its number: an answer that was under way still counts. */
static void send_request(struct ppp *l, struct ppp_neg *g, bool again)
{
    struct wr w = wr_of(g->sent, sizeof(g->sent));
    if (!again) {
        g->id++;
        for (unsigned i = 0; i < g->own_n; i++)
            if (g->own[i].on)
                emit_value(&w, &g->own[i]);
        ORIEL_ASSERT(!w.bad);
        g->sent_n = (uint8_t)wr_len(&w);
    }
    g->answered = false;
    ppp_put(l, g->kind->proto, &(struct ppp_cp){PPP_CONF_REQ, g->id, span_of(g->sent, g->sent_n)});
    start_timer(l, g);
}

static void send_terminate(struct ppp *l, struct ppp_neg *g)
{
    ppp_put(l, g->kind->proto, &(struct ppp_cp){.code = PPP_TERM_REQ, .id = ++g->other_id});
    start_timer(l, g);
}

static void set_counter(const struct ppp *l, struct ppp_neg *g, unsigned actions)
{
    if (actions & PPP_IRC)
        g->restarts = actions & PPP_STR ? PPP_TERMINATES_MAX : PPP_CONFIGURES_MAX;
    if (actions & PPP_ZRC) {
        g->restarts = 0;
        g->deadline = time_after(l->now, PPP_RESTART);
    }
}

/*
 * in: the packet that is the event, or NULL; reply: what is sent back where the automaton wants an Ack, a
 * Nak or a Reject.
 */
static void act(struct ppp *l, struct ppp_neg *g, enum ppp_event e, const struct ppp_cp *in,
                const struct ppp_cp *reply)
{
    struct ppp_step step = ppp_fsm_step(g->state, e);
    unsigned actions = step.actions;
    if (step.next == PPP_NOT_POSSIBLE)
        return;
    if (e == PPP_EV_TIMEOUT_LAST && g->state >= PPP_REQ_SENT && l->cfg.passive)
        actions &= ~(unsigned)PPP_TLF;          /* footnote p: the peer may still begin */
    set_counter(l, g, actions);
    if (actions & PPP_SCR)
        send_request(l, g, e == PPP_EV_TIMEOUT_MORE);
    if ((actions & (PPP_SCA | PPP_SCN | PPP_SCJ)) && reply)
        ppp_put(l, g->kind->proto, reply);
    if (actions & PPP_STR)
        send_terminate(l, g);
    if ((actions & PPP_STA) && in)
        ppp_put(l, g->kind->proto, &(struct ppp_cp){.code = PPP_TERM_ACK, .id = in->id});
    if ((actions & PPP_SER) && in)
        ppp_lcp_on_echo(l, in);
    g->worked = g->worked || (actions & PPP_TLU);
    g->facts |= actions & (PPP_TLD | PPP_TLU | PPP_TLS | PPP_TLF);
    g->state = step.next;
    if (!ppp_fsm_is_timed(g->state))
        g->deadline = ORIEL_NEVER;
}

void ppp_neg_event(struct ppp *l, struct ppp_neg *g, enum ppp_event e)
{
    act(l, g, e, NULL, NULL);
}

void ppp_neg_run(struct ppp *l, struct ppp_neg *g)
{
    if (l->now >= g->deadline)
        act(l, g, g->restarts > 0 ? PPP_EV_TIMEOUT_MORE : PPP_EV_TIMEOUT_LAST, NULL, NULL);
}

/* ---- what the peer asks for ---- */

/* RFC 1661, 4.6: after so many Naks nothing is proposed any more. */
static enum ppp_verdict judge(struct ppp *l, const struct ppp_neg *g, struct ppp_value *v)
{
    enum ppp_verdict verdict = g->kind->judge(l, v);
    return verdict == PPP_BETTER && g->failures >= PPP_FAILURES_MAX ? PPP_REFUSE : verdict;
}

static void on_request(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in)
{
    uint8_t nak_bytes[PPP_REPLY_MAX], rej_bytes[PPP_REPLY_MAX];
    struct wr nak = wr_of(nak_bytes, sizeof(nak_bytes)), rej = wr_of(rej_bytes, sizeof(rej_bytes));
    struct rd r = rd_of(in->data);
    struct ppp_opt o;
    g->kind->begin(l);
    while (ppp_opt_next(&r, &o)) {
        struct ppp_value v = value_of(&o);
        enum ppp_verdict verdict = judge(l, g, &v);
        if (verdict == PPP_REFUSE)
            ppp_opt_emit(&rej, &o);
        else if (verdict == PPP_BETTER)
            emit_value(&nak, &v);
    }
    struct ppp_value missing;
    if (g->failures == 0 && wr_len(&rej) == 0 && g->kind->misses && g->kind->misses(l, &missing))
        emit_value(&nak, &missing);             /* RFC 1661, 5.3: a Nak may say more than was asked */
    if (rej.bad || nak.bad) {
        l->dropped++;
        return;
    }
    struct ppp_cp reply = {PPP_CONF_ACK, in->id, in->data};
    if (wr_len(&rej) > 0)
        reply = (struct ppp_cp){PPP_CONF_REJ, in->id, wr_span(&rej)};
    else if (wr_len(&nak) > 0)
        reply = (struct ppp_cp){PPP_CONF_NAK, in->id, wr_span(&nak)};
    bool good = reply.code == PPP_CONF_ACK;
    g->failures = good ? 0 : (uint8_t)(g->failures + (reply.code == PPP_CONF_NAK));
    act(l, g, good ? PPP_EV_REQUEST_GOOD : PPP_EV_REQUEST_BAD, in, &reply);
}

/* ---- what it says to our requests ---- */

static bool is_answer(const struct ppp_neg *g, const struct ppp_cp *in)
{
    return in->id == g->id && !g->answered;
}

static bool on_ack(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in)
{
    if (!is_answer(g, in) || !span_eq(in->data, span_of(g->sent, g->sent_n)))
        return false;
    g->answered = true;
    g->naks = 0;
    act(l, g, PPP_EV_ACK, in, NULL);
    return true;
}

static void give_up(struct ppp *l, const struct ppp_neg *g, struct ppp_value *own)
{
    own->on = false;
    g->kind->on_reject(l, own);
}

static bool on_nak(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in)
{
    struct rd r = rd_of(in->data);
    struct ppp_opt o;
    if (!is_answer(g, in))
        return false;
    g->answered = true;
    g->naks++;
    while (ppp_opt_next(&r, &o)) {
        struct ppp_value *own = ppp_neg_own(g, o.type), v = value_of(&o);
        if (own && g->naks > PPP_NAKS_MAX)
            give_up(l, g, own);
        else if (own && (v.n == own->n || own->type == LCP_OPT_AUTH))
            g->kind->on_nak(l, own, &v);
    }
    act(l, g, PPP_EV_NAK, in, NULL);
    return true;
}

/* Of what we sent, as we sent it: RFC 1661, 5.4. */
static bool is_ours(struct ppp_neg *g, struct rd r)
{
    struct ppp_opt o;
    while (ppp_opt_next(&r, &o)) {
        const struct ppp_value *own = ppp_neg_own(g, o.type), v = value_of(&o);
        if (!own || own->n != v.n || own->v != v.v)
            return false;
    }
    return true;
}

static bool on_reject(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in)
{
    struct rd r = rd_of(in->data);
    struct ppp_opt o;
    if (!is_answer(g, in) || !is_ours(g, r))
        return false;
    g->answered = true;
    while (ppp_opt_next(&r, &o))
        give_up(l, g, ppp_neg_own(g, o.type));
    act(l, g, PPP_EV_NAK, in, NULL);
    return true;
}

/* ---- packets ---- */

static bool on_code_reject(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in)
{
    struct rd r = rd_of(in->data);
    uint8_t code = rd_u8(&r);
    if (r.bad)
        return false;
    if (code == PPP_ECHO_REQ)
        l->cfg.echo = 0;
    act(l, g, code >= PPP_CONF_REQ && code <= ESSENTIAL_CODES ? PPP_EV_REJECT_FATAL : PPP_EV_REJECT_MILD, in,
        NULL);
    return true;
}

static void on_unknown(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in, struct span info)
{
    struct span back = span_of(info.p, info.n < REJECTED_BYTES ? info.n : REJECTED_BYTES);
    act(l, g, PPP_EV_UNKNOWN_CODE, in, &(struct ppp_cp){PPP_CODE_REJ, ++g->other_id, back});
}

static bool on_terminate(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in)
{
    if (g == &l->lcp && g->state == PPP_OPENED && l->end == PPP_END_NONE)
        l->end = PPP_END_BY_PEER;
    act(l, g, PPP_EV_TERM_REQUEST, in, NULL);
    if (g == &l->lcp && g->state == PPP_REQ_SENT && l->hint != PPP_END_NONE)
        ppp_fail(l, (enum ppp_end)l->hint);     /* it asked for what we do not have, and gave up */
    return true;
}

/* RFC 1661, 5.7 to 5.9: of LCP alone, and once it is open. */
static bool on_lcp_code(struct ppp *l, const struct ppp_cp *in)
{
    if (in->code == PPP_PROTO_REJ && l->lcp.state == PPP_OPENED)
        ppp_rejected(l, in->data);
    else if (in->code != PPP_PROTO_REJ)
        act(l, &l->lcp, PPP_EV_ECHO, in, NULL);
    return true;
}

static bool on_packet(struct ppp *l, struct ppp_neg *g, const struct ppp_cp *in, struct span info)
{
    switch (in->code) {
    case PPP_CONF_REQ:
        on_request(l, g, in);
        return true;
    case PPP_CONF_ACK:
        return on_ack(l, g, in);
    case PPP_CONF_NAK:
        return on_nak(l, g, in);
    case PPP_CONF_REJ:
        return on_reject(l, g, in);
    case PPP_TERM_REQ:
        return on_terminate(l, g, in);
    case PPP_TERM_ACK:
        act(l, g, PPP_EV_TERM_ACK, in, NULL);
        return true;
    case PPP_CODE_REJ:
        return on_code_reject(l, g, in);
    }
    if (g == &l->lcp && in->code >= PPP_PROTO_REJ && in->code <= PPP_DISCARD_REQ)
        return on_lcp_code(l, in);
    on_unknown(l, g, in, info);
    return true;
}

static bool has_options(uint8_t code)
{
    return code >= PPP_CONF_REQ && code <= PPP_CONF_REJ;
}

void ppp_neg_input(struct ppp *l, struct ppp_neg *g, struct span info)
{
    struct rd r = rd_of(info);
    struct ppp_cp in;
    bool whole = ppp_cp_parse(&r, &in) && g->state > PPP_STARTING;
    struct rd options = rd_of(in.data);
    if (whole && has_options(in.code))
        whole = ppp_opts_check(&options);
    g->heard = g->heard || whole;
    if (!whole || !on_packet(l, g, &in, info))
        l->dropped++;
}
