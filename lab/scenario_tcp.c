/*
 * What a scenario says of TCP: `at 0 server tcp listen 42181 say "Hello"`, `at 1s client tcp
 * close`, `config server tcp msl 1s`.
 */
#include "lab/scenario_text.h"

#define PLAN_WORDS                                                                                 \
    "say, send, write, read, echo, unread, late, more, urgent, stay, close, shutdown, abort, "     \
    "pause"
#define OPTION_WORDS                                                                               \
    "nodelay, cork, quickack, no-quickack, keepalive, cc, sndbuf, rcvbuf, fastopen, "              \
    "user-timeout, linger, ecn, mss, pacing, lowat, unsent-lowat, window-clamp, syncnt, "          \
    "oobinline, defer, ttl, tos"
#define CONNECT_WORDS PLAN_WORDS ", from, source, dev, " OPTION_WORDS
#define LISTEN_WORDS  PLAN_WORDS ", backlog, bind, dev, reuse, unaccepted, any, to, " OPTION_WORDS
#define TELL_WORDS                                                                                 \
    "listen, connect, say, send, read, pause, close, shutdown, abort, set, mark or unlisten"
#define CONFIG_WORDS                                                                               \
    "personality, msl, rto-min, rto-max, rto-init, delack, initial-window, cc, ecn, cookies, "     \
    "half-open, time-wait, no-sack, no-timestamps, no-rack, no-fast-path, no-window-scale, "       \
    "window-scale, mtu-probing, sndbuf, rcvbuf, sndbuf-max or rcvbuf-max"

struct named {
    const char *name;
    int64_t value;
};

static const struct named ecns[] = {
    {"off", ORIEL_ECN_OFF}, {"passive", ORIEL_ECN_PASSIVE}, {"on", ORIEL_ECN_ON},
    {"accurate", ORIEL_ECN_ACCURATE}, {NULL, 0},
};
static const struct named personalities[] = {
    {"oriel", ORIEL_AS_ORIEL}, {"rfc", ORIEL_AS_RFC}, {"linux", ORIEL_AS_LINUX},
    {"freebsd", ORIEL_AS_FREEBSD}, {NULL, 0},
};
static const struct named cookies[] = {
    {"when-full", ORIEL_COOKIES_WHEN_FULL}, {"never", ORIEL_COOKIES_NEVER},
    {"always", ORIEL_COOKIES_ALWAYS}, {NULL, 0},
};

/* ---- values ---- */

/* One of the names. */
static bool named(struct sc_parser *p, const struct named *list, const char *words, int64_t *out)
{
    for (; list->name; list++)
        if (sc_take(p, list->name)) {
            *out = list->value;
            return true;
        }
    return sc_fail_words(p, words);
}

static bool congestion(struct sc_parser *p, int64_t *kind, const char **name)
{
    char text[24];
    struct span s;
    struct txt t = txt_of(text, sizeof(text));
    if (!sc_name(p, "newreno, cubic or bbr", &s))
        return false;
    txt_span(&t, s);
    int k = oriel_congestion_named(text);
    if (k < 0)
        return sc_fail_word(p, &p->words[p->at - 1], "newreno, cubic or bbr");
    *kind = k;
    *name = oriel_congestion_name(k);
    return true;
}

bool sc_rate(struct sc_parser *p, uint64_t *out)
{
    char text[40];
    struct txt t = txt_of(text, sizeof(text));
    struct wire_params w = {0};
    struct syntax_error e = {0};
    const struct sc_word *word = sc_plain(p, "a rate such as 10mbit");
    if (!word)
        return false;
    txt_s(&t, "rate ");
    txt_span(&t, word->text);
    if (t.cut || !wire_params_parse(span_of(t.p, t.n), &w, &e))
        return sc_fail(p, "a rate such as 10mbit");
    p->at++;
    *out = w.rate_bps;
    return true;
}

/* A time in whole milliseconds. */
static bool ms(struct sc_parser *p, uint64_t min, uint64_t max, int64_t *out)
{
    oriel_time t;
    if (!sc_time(p, &t))
        return false;
    if (t % NS_PER_MS != 0 || t / NS_PER_MS < min || t / NS_PER_MS > max)
        return sc_fail_word(p, &p->words[p->at - 1], "whole milliseconds in the bounds of this");
    *out = (int64_t)(t / NS_PER_MS);
    return true;
}

static bool ms32(struct sc_parser *p, uint32_t *out)
{
    int64_t v = 0;
    if (!ms(p, 1, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool size32(struct sc_parser *p, uint32_t *out)
{
    uint64_t v;
    if (!sc_size(p, UINT32_MAX, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool size64(struct sc_parser *p, int64_t *out)
{
    uint64_t v;
    if (!sc_size(p, INT32_MAX, &v))
        return false;
    *out = (int64_t)v;
    return true;
}

/* ---- options of a socket ---- */

static bool add_setting(struct sc_parser *p, struct tcp_plan *plan, enum oriel_opt opt,
                        int64_t value)
{
    if (plan->settings_n == TCP_SETTINGS_MAX)
        return sc_fail_word(p, &p->words[p->at - 1], "at most 16 options");
    plan->settings[plan->settings_n++] = (struct tcp_setting){.opt = (uint8_t)opt, .value = value};
    return true;
}

/* keepalive IDLE INTERVAL COUNT */
static bool keepalive(struct sc_parser *p, struct tcp_plan *plan)
{
    int64_t idle, every;
    uint64_t count;
    return ms(p, 1, INT32_MAX, &idle) && ms(p, 1, INT32_MAX, &every) && sc_u(p, 1, 127, &count) &&
           add_setting(p, plan, ORIEL_OPT_KEEPIDLE_MS, idle) &&
           add_setting(p, plan, ORIEL_OPT_KEEPINTVL_MS, every) &&
           add_setting(p, plan, ORIEL_OPT_KEEPCNT, (int64_t)count) &&
           add_setting(p, plan, ORIEL_OPT_KEEPALIVE, 1);
}

/* The value of an option that has one; false after a mistake. */
static bool option_value(struct sc_parser *p, enum oriel_opt opt, int64_t *v)
{
    const char *name;
    uint64_t u = 0;
    bool good = true;
    if (opt == ORIEL_OPT_CONGESTION)
        return congestion(p, v, &name);
    if (opt == ORIEL_OPT_ECN)
        return named(p, ecns, "off, passive, on or accurate", v);
    if (opt == ORIEL_OPT_LINGER && sc_take(p, "off"))
        return *v = -1, true;
    if (opt == ORIEL_OPT_LINGER || opt == ORIEL_OPT_USER_TIMEOUT_MS ||
        opt == ORIEL_OPT_DEFER_ACCEPT_MS)
        return ms(p, 0, INT32_MAX, v);
    if (opt == ORIEL_OPT_MAX_PACING_RATE) {
        good = sc_rate(p, &u);
        *v = (int64_t)(u / 8);
        return good;
    }
    return size64(p, v);
}

/* Takes an option if the next words are one. */
static bool option(struct sc_parser *p, struct tcp_plan *plan, bool listener, bool *good)
{
    static const struct {
        const char *word;
        uint8_t opt;
        int8_t value;               /* -1: it stands behind the word */
    } options[] = {
        {"nodelay", ORIEL_OPT_NODELAY, 1},       {"cork", ORIEL_OPT_CORK, 1},
        {"uncork", ORIEL_OPT_CORK, 0},           {"quickack", ORIEL_OPT_QUICKACK, 1},
        {"no-quickack", ORIEL_OPT_QUICKACK, 0},  {"cc", ORIEL_OPT_CONGESTION, -1},
        {"sndbuf", ORIEL_OPT_SNDBUF, -1},        {"rcvbuf", ORIEL_OPT_RCVBUF, -1},
        {"user-timeout", ORIEL_OPT_USER_TIMEOUT_MS, -1}, {"linger", ORIEL_OPT_LINGER, -1},
        {"ecn", ORIEL_OPT_ECN, -1},              {"mss", ORIEL_OPT_MAXSEG, -1},
        {"pacing", ORIEL_OPT_MAX_PACING_RATE, -1}, {"lowat", ORIEL_OPT_RCVLOWAT, -1},
        {"unsent-lowat", ORIEL_OPT_NOTSENT_LOWAT, -1},
        {"window-clamp", ORIEL_OPT_WINDOW_CLAMP, -1}, {"syncnt", ORIEL_OPT_SYNCNT, -1},
        {"oobinline", ORIEL_OPT_OOBINLINE, 1},   {"defer", ORIEL_OPT_DEFER_ACCEPT_MS, -1},
        {"ttl", ORIEL_OPT_TTL, -1},              {"tos", ORIEL_OPT_TOS, -1},
    };
    *good = true;
    if (sc_take(p, "keepalive")) {
        *good = keepalive(p, plan);
        return true;
    }
    if (sc_take(p, "fastopen")) {
        enum oriel_opt opt = listener ? ORIEL_OPT_FASTOPEN : ORIEL_OPT_FASTOPEN_CONNECT;
        *good = add_setting(p, plan, opt, listener ? 16 : 1);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        int64_t v = options[i].value;
        if (!sc_take(p, options[i].word))
            continue;
        *good = (v >= 0 || option_value(p, (enum oriel_opt)options[i].opt, &v)) &&
                add_setting(p, plan, (enum oriel_opt)options[i].opt, v);
        return true;
    }
    return false;
}

/* ---- plans ---- */

static bool quoted(struct sc_parser *p, struct span *out)
{
    const struct sc_word *w;
    return sc_string(p, "text in quotes", &w) && sc_text(p, w, out);
}

static bool ending(struct sc_parser *p, struct tcp_plan *plan, enum tcp_then then)
{
    plan->then = (uint8_t)then;
    return !sc_take(p, "after") || sc_time(p, &plan->then_after);
}

/* N [every T] */
static bool pieces(struct sc_parser *p, uint32_t *n, oriel_time *every)
{
    return size32(p, n) && (!sc_take(p, "every") || sc_time(p, every));
}

static bool plan_size(struct sc_parser *p, struct tcp_plan *plan)
{
    if (sc_take(p, "forever"))
        return plan->size = UINT64_MAX, true;
    return sc_size(p, (uint64_t)1 << 40, &plan->size);
}

/* Takes a word of a plan if the next one is such. */
static bool plan_word(struct sc_parser *p, struct tcp_plan *plan, bool listener, bool *good)
{
    *good = true;
    if (sc_take(p, "say"))
        *good = quoted(p, &plan->text);
    else if (sc_take(p, "send"))
        *good = plan_size(p, plan);
    else if (sc_take(p, "write"))
        *good = pieces(p, &plan->write, &plan->every);
    else if (sc_take(p, "read"))
        *good = pieces(p, &plan->read, &plan->read_every);
    else if (sc_take(p, "pause"))
        *good = sc_time(p, &plan->pause);
    else if (sc_take(p, "close"))
        *good = ending(p, plan, TCP_THEN_CLOSE);
    else if (sc_take(p, "shutdown"))
        *good = ending(p, plan, TCP_THEN_SHUTDOWN);
    else if (sc_take(p, "abort"))
        *good = ending(p, plan, TCP_THEN_ABORT);
    else if (sc_take(p, "echo"))
        plan->echo = true;
    else if (sc_take(p, "unread"))
        plan->unread = true;
    else if (sc_take(p, "late"))
        plan->late = true;
    else if (sc_take(p, "urgent"))
        plan->urgent = true;
    else if (sc_take(p, "more"))
        plan->more = true;
    else if (sc_take(p, "stay"))
        plan->stay = true;
    else
        return option(p, plan, listener, good);
    return true;
}

static bool connect_word(struct sc_parser *p, uint16_t node, struct tcp_connect_params *c)
{
    bool good;
    if (plan_word(p, &c->plan, false, &good))
        return good;
    if (sc_take(p, "from"))
        return sc_u16(p, 1, &c->from_port);
    if (sc_take(p, "source"))
        return sc_host_addr(p, &c->from);
    if (sc_take(p, "dev"))
        return sc_dev(p, node, &c->netif);
    return sc_fail_of(p, "say, send, write, read, close, from, nodelay, ...", CONNECT_WORDS);
}

static bool act_connect(struct sc_parser *p, struct sc_act *a)
{
    struct tcp_connect_params *c = arena_take_zeroed(p->arena, sizeof(*c));
    if (!c)
        return sc_fail_memory(p);
    a->kind = ACT_TCP_CONNECT;
    a->u.tcp_connect = c;
    if (!sc_endpoint(p, &c->to))
        return false;
    while (sc_look(p))
        if (!connect_word(p, a->node, c))
            return false;
    return true;
}

static bool listen_word(struct sc_parser *p, uint16_t node, struct tcp_listen_params *l)
{
    bool good;
    if (plan_word(p, &l->plan, true, &good))
        return good;
    if (sc_take(p, "backlog"))
        return sc_u32(p, 1, UINT16_MAX, &l->backlog);
    if (sc_take(p, "bind"))
        return sc_host_addr(p, &l->local.addr);
    if (sc_take(p, "dev"))
        return sc_dev(p, node, &l->netif);
    if (sc_take(p, "reuse"))
        return l->reuse = true;
    if (sc_take(p, "unaccepted"))
        return l->unaccepted = true;
    if (sc_take(p, "any"))
        return l->any_addr = true;
    if (sc_take(p, "to"))
        return sc_u16(p, l->local.port, &l->port_last);
    return sc_fail_of(p, "say, send, write, read, close, backlog, nodelay, ...", LISTEN_WORDS);
}

static bool act_listen(struct sc_parser *p, struct sc_act *a)
{
    struct tcp_listen_params *l = arena_take_zeroed(p->arena, sizeof(*l));
    if (!l)
        return sc_fail_memory(p);
    a->kind = ACT_TCP_LISTEN;
    a->u.tcp_listen = l;
    if (!sc_u16(p, 1, &l->local.port))
        return false;
    while (sc_look(p))
        if (!listen_word(p, a->node, l))
            return false;
    return true;
}

/* ---- telling a connection ---- */

bool sc_talks_of(struct sc_parser *p, uint16_t node, struct sc_talks *out)
{
    uint64_t n;
    const struct sc_word *w = sc_look(p);
    *out = (struct sc_talks){.node = node};
    if (w && w->kind == SC_WORD && w->text.n && w->text.p[0] >= '0' && w->text.p[0] <= '9') {
        if (!sc_u16(p, 1, &out->port))
            return false;
        w = sc_look(p);
    }
    if (!w || w->kind != SC_WORD || w->text.n < 2 || w->text.p[0] != '@')
        return true;
    if (!txt_parse_u(span_of(w->text.p + 1, w->text.n - 1), 1000, &n) || n == 0)
        return sc_fail(p, "a number such as @2, for the second connection");
    out->nth = (uint16_t)n;
    p->at++;
    return true;
}

static bool tell_say(struct sc_parser *p, struct sc_act *a)
{
    a->u.tell.what = TELL_SAY;
    if (!sc_talks_of(p, a->node, &a->u.tell.who) || !quoted(p, &a->u.tell.text))
        return false;
    a->u.tell.urgent = sc_take(p, "urgent");
    return true;
}

/* send [PORT] [@N] bytes SIZE: which of the numbers is meant must be said. */
static bool tell_size(struct sc_parser *p, struct sc_act *a, enum sc_tell what)
{
    a->u.tell.what = (uint8_t)what;
    if (!sc_talks_of(p, a->node, &a->u.tell.who))
        return false;
    if (sc_take(p, "bytes"))
        return sc_size(p, (uint64_t)1 << 40, &a->u.tell.size);
    return what == TELL_READ || sc_fail_words(p, "bytes");
}

static bool tell_set(struct sc_parser *p, struct sc_act *a)
{
    struct tcp_plan one = {0};
    bool good;
    a->u.tell.what = TELL_SET;
    if (!sc_talks_of(p, a->node, &a->u.tell.who))
        return false;
    if (!option(p, &one, false, &good))
        return sc_fail_of(p, "an option: nodelay, cork, cc, sndbuf, rcvbuf, linger, ...",
                          OPTION_WORDS);
    a->u.tell.setting = one.settings[0];
    return good && (one.settings_n == 1 ||
                    sc_fail_word(p, &p->words[p->at - 1], "an option with one value"));
}

static bool tell(struct sc_parser *p, struct sc_act *a, enum sc_tell what)
{
    a->u.tell.what = (uint8_t)what;
    return sc_talks_of(p, a->node, &a->u.tell.who) &&
           (what != TELL_UNLISTEN || a->u.tell.who.port || sc_fail(p, "the port of a listener"));
}

bool sc_act_tcp(struct sc_parser *p, struct sc_act *a)
{
    a->kind = ACT_TCP_TELL;
    if (sc_take(p, "listen"))   return act_listen(p, a);
    if (sc_take(p, "connect"))  return act_connect(p, a);
    if (sc_take(p, "say"))      return tell_say(p, a);
    if (sc_take(p, "send"))     return tell_size(p, a, TELL_SEND);
    if (sc_take(p, "read"))     return tell_size(p, a, TELL_READ);
    if (sc_take(p, "pause"))    return tell(p, a, TELL_PAUSE);
    if (sc_take(p, "close"))    return tell(p, a, TELL_CLOSE);
    if (sc_take(p, "shutdown")) return tell(p, a, TELL_SHUTDOWN);
    if (sc_take(p, "abort"))    return tell(p, a, TELL_ABORT);
    if (sc_take(p, "set"))      return tell_set(p, a);
    if (sc_take(p, "mark"))     return tell(p, a, TELL_MARK);
    if (sc_take(p, "unlisten")) return tell(p, a, TELL_UNLISTEN);
    return sc_fail_words(p, TELL_WORDS);
}

/* ---- settings of a stack ---- */

static bool config_flag(struct sc_parser *p, struct oriel_tcp_config *c)
{
    if (sc_take(p, "no-sack"))
        return c->no_sack = true;
    if (sc_take(p, "no-timestamps"))
        return c->no_timestamps = true;
    if (sc_take(p, "no-rack"))
        return c->no_rack = true;
    if (sc_take(p, "no-fast-path"))
        return c->no_fast_path = true;
    if (sc_take(p, "mtu-probing"))
        return c->mtu_probing = true;
    if (!sc_take(p, "no-window-scale"))
        return false;
    c->window_scale = -1;
    return true;
}

static bool config_named(struct sc_parser *p, struct oriel_tcp_config *c, bool *good)
{
    int64_t v = 0;
    if (sc_take(p, "personality")) {
        *good = named(p, personalities, "oriel, rfc, linux or freebsd", &v);
        c->personality = (enum oriel_personality)v;
    } else if (sc_take(p, "ecn")) {
        *good = named(p, ecns, "off, passive, on or accurate", &v);
        c->ecn = (enum oriel_ecn)v;
    } else if (sc_take(p, "cookies")) {
        *good = named(p, cookies, "when-full, never or always", &v);
        c->cookies = (enum oriel_cookies)v;
    } else if (sc_take(p, "cc")) {
        *good = congestion(p, &v, &c->congestion);
    } else {
        return false;
    }
    return true;
}

static bool config_number(struct sc_parser *p, struct oriel_tcp_config *c)
{
    uint8_t shift;
    if (sc_take(p, "msl"))            return ms32(p, &c->msl_ms);
    if (sc_take(p, "rto-min"))        return ms32(p, &c->rto_min_ms);
    if (sc_take(p, "rto-max"))        return ms32(p, &c->rto_max_ms);
    if (sc_take(p, "rto-init"))       return ms32(p, &c->rto_init_ms);
    if (sc_take(p, "delack"))         return ms32(p, &c->delack_ms);
    if (sc_take(p, "initial-window")) return sc_u8(p, 1, &c->initial_window);
    if (sc_take(p, "half-open"))      return sc_u32(p, 1, UINT32_MAX, &c->half_open);
    if (sc_take(p, "time-wait"))      return sc_u32(p, 1, UINT32_MAX, &c->time_wait);
    if (sc_take(p, "sndbuf"))         return size32(p, &c->sndbuf);
    if (sc_take(p, "rcvbuf"))         return size32(p, &c->rcvbuf);
    if (sc_take(p, "sndbuf-max"))     return size32(p, &c->sndbuf_max);
    if (sc_take(p, "rcvbuf-max"))     return size32(p, &c->rcvbuf_max);
    if (!sc_take(p, "window-scale"))
        return sc_fail_of(p, "personality, msl, cc, ecn, no-sack, window-scale, ...",
                          CONFIG_WORDS);
    if (!sc_u8(p, 1, &shift))
        return false;
    c->window_scale = (int8_t)shift;
    return shift <= 14 || sc_fail_word(p, &p->words[p->at - 1], "a shift from 1 to 14");
}

/* All words up to the end of the line. */
bool sc_config_tcp(struct sc_parser *p, struct oriel_tcp_config *c)
{
    bool good = true;
    do {
        if (!config_flag(p, c) && !config_named(p, c, &good))
            good = config_number(p, c);
    } while (good && sc_look(p));
    return good;
}
