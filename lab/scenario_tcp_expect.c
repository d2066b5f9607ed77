/*
 * What a scenario expects of TCP: `expect server tcp 42181 states SYN_RCVD ESTABLISHED ...`,
 * `expect ratio a tcp @1 to a tcp @2 between 0.8 1.25`.
 */
#include "lab/scenario_text.h"

#include "lab/lab_info.h"

#define EXPECT_WORDS                                                                               \
    "state, states, open, closed, accepted, sent, received, text, intact, all, eof, error, rate, " \
    "done, connected, urgent, conns or info"

static bool state_name(struct sc_parser *p, uint8_t *out)
{
    for (unsigned i = 0; i < ORIEL_TCP_STATES; i++)
        if (sc_take(p, oriel_tcp_state_name((enum oriel_tcp_state)i))) {
            *out = (uint8_t)i;
            return true;
        }
    (void)sc_fail(p, "a state such as ESTABLISHED or FIN_WAIT_1");
    const struct sc_word *w = sc_look(p);
    for (unsigned i = 0; w && i < ORIEL_TCP_STATES; i++)
        sc_hint(p, w->text, span_str(oriel_tcp_state_name((enum oriel_tcp_state)i)));
    return false;
}

/* states SYN_SENT ESTABLISHED ... CLOSED, as the last words of the line; `...`: and so on */
static bool states(struct sc_parser *p, struct ex_tcp *x)
{
    do {
        if (sc_take(p, "..."))
            return x->states_open = true;
        if (x->states_n == EX_STATES_MAX)
            return sc_fail(p, "at most 16 states");
        if (!state_name(p, &x->states[x->states_n++]))
            return false;
    } while (sc_look(p));
    return true;
}

static bool moment(struct sc_parser *p, struct ex_count *c)
{
    c->how = (uint8_t)sc_how(p);
    return sc_time(p, &c->n) && (c->how != HOW_BETWEEN || sc_time(p, &c->to));
}

static bool rate(struct sc_parser *p, struct ex_count *c)
{
    c->how = (uint8_t)sc_how(p);
    return sc_rate(p, &c->n) && (c->how != HOW_BETWEEN || sc_rate(p, &c->to));
}

static bool size(struct sc_parser *p, struct ex_count *c)
{
    c->how = (uint8_t)sc_how(p);
    return sc_size(p, (uint64_t)1 << 40, &c->n) &&
           (c->how != HOW_BETWEEN || sc_size(p, (uint64_t)1 << 40, &c->to));
}

static bool info(struct sc_parser *p, struct ex_tcp *x)
{
    struct span name;
    if (!sc_name(p, "a field of the connection's numbers, such as snd_cwnd", &name))
        return false;
    x->field = lab_info_named(name);
    if (x->field)
        return sc_count(p, &x->info);
    (void)sc_fail_word(p, &p->words[p->at - 1],
                       "a field of the connection's numbers, such as snd_cwnd");
    for (size_t i = 0; lab_info_field(i); i++)
        sc_hint(p, name, span_str(lab_info_field(i)->name));
    return false;
}

static bool error(struct sc_parser *p, struct ex_tcp *x)
{
    struct span name;
    x->has_err = true;
    if (sc_take(p, "none"))
        return true;
    if (!sc_name(p, "the name of an error, such as ECONNRESET, or none", &name))
        return false;
    return app_error_named(name, &x->err) ||
           sc_fail_word(p, &p->words[p->at - 1], "an error such as ECONNRESET, ECONNREFUSED, "
                                                 "ETIMEDOUT or EPIPE, or none");
}

/* NODE tcp [PORT] [@N] */
static bool other_talks(struct sc_parser *p, struct sc_talks *out)
{
    uint16_t node;
    if (!sc_stack_of(p, &node))
        return false;
    return sc_take(p, "tcp") ? sc_talks_of(p, node, out) : sc_fail_words(p, "tcp");
}

static bool all_from(struct sc_parser *p, struct ex_tcp *x)
{
    x->has_other = true;
    return sc_take(p, "from") ? other_talks(p, &x->other) : sc_fail_words(p, "from");
}

static bool expect_word(struct sc_parser *p, struct ex_tcp *x)
{
    const struct sc_word *w;
    if (sc_take(p, "state"))     return (x->has_state = true) && state_name(p, &x->state);
    if (sc_take(p, "states"))    return states(p, x);
    if (sc_take(p, "accepted"))  return sc_count(p, &x->accepted);
    if (sc_take(p, "conns"))     return sc_count(p, &x->conns);
    if (sc_take(p, "urgent"))    return sc_count(p, &x->urgent);
    if (sc_take(p, "sent"))      return size(p, &x->sent);
    if (sc_take(p, "received"))  return size(p, &x->received);
    if (sc_take(p, "rate"))      return rate(p, &x->rate);
    if (sc_take(p, "done"))      return moment(p, &x->done);
    if (sc_take(p, "connected")) return moment(p, &x->connected);
    if (sc_take(p, "intact"))    return x->intact = true;
    if (sc_take(p, "eof"))       return x->eof = true;
    if (sc_take(p, "open"))      return x->open = true;
    if (sc_take(p, "closed"))    return x->closed = true;
    if (sc_take(p, "all"))       return all_from(p, x);
    if (sc_take(p, "error"))     return error(p, x);
    if (sc_take(p, "info"))      return info(p, x);
    if (!sc_take(p, "text"))
        return sc_fail_of(p, "state, states, sent, received, text, intact, error, info, ...",
                          EXPECT_WORDS);
    if (!sc_string(p, "text in quotes", &w))
        return false;
    x->text = w->text;
    return x->has_text = true;
}

static struct ex_tcp *new_tcp(struct sc_parser *p, struct expect *e, enum ex_kind kind)
{
    e->kind = (uint8_t)kind;
    e->tcp = arena_take_zeroed(p->arena, sizeof(*e->tcp));
    if (!e->tcp)
        (void)sc_fail_memory(p);
    return e->tcp;
}

bool sc_ex_tcp(struct sc_parser *p, struct expect *e)
{
    struct ex_tcp *x = new_tcp(p, e, EX_TCP);
    if (!x || !sc_talks_of(p, e->node, &x->who))
        return false;
    do {
        if (!expect_word(p, x))
            return false;
    } while (sc_look(p));
    return true;
}

static bool part(struct sc_parser *p, uint64_t *out)
{
    struct span unit;
    const struct sc_word *w = sc_plain(p, "a ratio such as 0.8 or 80%");
    if (!w)
        return false;
    if (!wire_decimal(w->text, out, &unit) || (unit.n > 0 && !span_is(unit, "%")))
        return sc_fail(p, "a ratio such as 0.8 or 80%");
    if (unit.n > 0)
        *out /= 100;
    p->at++;
    return true;
}

/* ratio NODE tcp [PORT] [@N] to NODE tcp [PORT] [@N] >= 8 | between 0.8 1.25 */
bool sc_ex_ratio(struct sc_parser *p, struct expect *e)
{
    struct ex_tcp *x = new_tcp(p, e, EX_RATIO);
    if (!x || !other_talks(p, &x->who))
        return false;
    if (!sc_take(p, "to"))
        return sc_fail_words(p, "to");
    if (!other_talks(p, &x->other))
        return false;
    x->ratio.how = (uint8_t)sc_how(p);
    return part(p, &x->ratio.n) && (x->ratio.how != HOW_BETWEEN || part(p, &x->ratio.to));
}
