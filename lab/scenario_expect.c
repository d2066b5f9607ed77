/* The statement `expect`: what must come of a scenario. docs/lab-format.md lists every form. */
#include "lab/scenario_text.h"

#define SUBJECTS                                                                                   \
    "quiet, drop NAME at ..., why NAME from ..., ratio NODE tcp ..., NODE.PORT sees or sends, "    \
    "or a node that stands above"
#define STATES                                                                                     \
    "ping, trace, udp, udp-send, tcp, resolve, dhcp, neigh, addr, route, group, pmtu, socket, nat, " \
    "reasm or netif"
#define FRAME_WORDS "why, lost, count, none, between, after or before"

static const char *const number_words[NUM_N] = {
    [NUM_COUNT] = "count",       [NUM_SENT] = "sent",         [NUM_RECEIVED] = "received",
    [NUM_ERRORS] = "errors",     [NUM_DUPLICATES] = "duplicates", [NUM_BYTES] = "bytes",
    [NUM_ECHOED] = "echoed",     [NUM_SESSIONS] = "sessions", [NUM_SOURCES] = "sources",
    [NUM_MEMBERS] = "members",   [NUM_METRIC] = "metric",     [NUM_MTU] = "mtu",
    [NUM_WAITING] = "waiting",   [NUM_DROPPED] = "dropped",
};

#define PING_NUMBERS   (BIT(NUM_SENT) | BIT(NUM_RECEIVED) | BIT(NUM_ERRORS) | BIT(NUM_DUPLICATES))
#define LISTEN_NUMBERS (BIT(NUM_RECEIVED) | BIT(NUM_BYTES) | BIT(NUM_ECHOED))
#define SEND_NUMBERS   (BIT(NUM_SENT) | BIT(NUM_RECEIVED) | BIT(NUM_BYTES) | BIT(NUM_ERRORS))

/* ---- numbers ---- */

enum ex_how sc_how(struct sc_parser *p)
{
    if (sc_take(p, ">="))
        return HOW_AT_LEAST;
    if (sc_take(p, "<="))
        return HOW_AT_MOST;
    if (sc_take(p, "between"))
        return HOW_BETWEEN;
    (void)sc_take(p, "==");
    return HOW_EXACTLY;
}

/* "3", "== 3", ">= 3", "<= 3", "between 3 5" */
bool sc_count(struct sc_parser *p, struct ex_count *c)
{
    c->how = (uint8_t)sc_how(p);
    return sc_u(p, 0, UINT64_MAX, &c->n) &&
           (c->how != HOW_BETWEEN || sc_u(p, c->n, UINT64_MAX, &c->to));
}

/* Takes one of the numbers in `which` if it is the next word; *good is false after a mistake. */
static bool number(struct sc_parser *p, struct expect *e, uint32_t which, bool *good)
{
    for (unsigned i = 0; i < NUM_N; i++)
        if ((which & BIT(i)) && sc_take(p, number_words[i])) {
            *good = sc_count(p, &e->num[i]);
            return true;
        }
    if ((which & BIT(NUM_COUNT)) && sc_take(p, "none")) {
        e->num[NUM_COUNT] = (struct ex_count){.how = HOW_EXACTLY, .n = 0};
        return true;
    }
    return false;
}

static bool count_only(struct sc_parser *p, struct expect *e)
{
    bool good = true;
    if (sc_look(p) && !number(p, e, BIT(NUM_COUNT), &good))
        return sc_fail_words(p, "count or none");
    return good;
}

/* ---- reasons ---- */

static bool why_name(struct sc_parser *p, enum why *out)
{
    struct span name;
    if (!sc_name(p, "the name of a reason to send (why.def)", &name))
        return false;
    *out = why_named(name);
    if (*out != WHY_NONE)
        return true;
    (void)sc_fail_word(p, &p->words[p->at - 1], "the name of a reason to send (why.def)");
    for (unsigned i = 1; i < WHY_N; i++)
        sc_hint(p, name, span_str(why_of((enum why)i)->name));
    return false;
}

static bool drop_name(struct sc_parser *p, enum drop *out)
{
    struct span name;
    if (!sc_name(p, "the name of a reason to drop (drop.def)", &name))
        return false;
    *out = drop_named(name);
    if (*out != DROP_NONE)
        return true;
    (void)sc_fail_word(p, &p->words[p->at - 1], "the name of a reason to drop (drop.def)");
    for (unsigned i = 1; i < DROP_N; i++)
        sc_hint(p, name, span_str(drop_of((enum drop)i)->name));
    return false;
}

/* drop NAME at NODE | link NODE.PORT | world [count N] */
static bool ex_drop(struct sc_parser *p, struct expect *e)
{
    uint16_t port;
    e->kind = EX_DROP;
    if (!drop_name(p, &e->drop))
        return false;
    if (!sc_take(p, "at"))
        return sc_fail_words(p, "at");
    if (sc_take(p, "link")) {
        if (!sc_node_port(p, &port))
            return false;
        e->link = scenario_link(p->s, port);
        e->port = port;
        if (e->link == SC_NONE)
            return sc_fail_word(p, &p->words[p->at - 1], "a port that is plugged in");
    } else if (!sc_take(p, "world") && !sc_stack_of(p, &e->node)) {
        return false;
    }
    return count_only(p, e);
}

static bool ex_why(struct sc_parser *p, struct expect *e)
{
    e->kind = EX_WHY;
    if (!why_name(p, &e->why))
        return false;
    if (!sc_take(p, "from"))
        return sc_fail_words(p, "from");
    return sc_stack_of(p, &e->node) && count_only(p, e);
}

/* ---- frames ---- */

static bool frame_word(struct sc_parser *p, struct expect *e)
{
    bool good = true;
    if (number(p, e, BIT(NUM_COUNT), &good))
        return good;
    if (sc_take(p, "why"))
        return why_name(p, &e->why);
    if (sc_take(p, "lost"))
        return e->lost = true;
    if (sc_take(p, "between"))
        return sc_time(p, &e->from) && sc_time(p, &e->until);
    if (sc_take(p, "after"))
        return sc_time(p, &e->from);
    if (sc_take(p, "before"))
        return sc_time(p, &e->until);
    return sc_fail_words(p, FRAME_WORDS);
}

static bool add_filter(struct sc_parser *p, struct expect *e, const struct sc_word *w)
{
    struct filter *f = sc_filter(p, w);
    if (!f)
        return false;
    if (e->filters_n == SC_SEQUENCE_MAX)
        return sc_fail_word(p, w, "at most 128 frames in a sequence");
    e->filters[e->filters_n++] = f;
    return true;
}

static bool sequence(struct sc_parser *p, struct expect *e)
{
    const struct sc_word *w;
    e->kind = EX_ORDER;
    e->exactly = sc_take(p, "exactly");
    if (!sc_take(p, "{"))
        return sc_fail(p, "{ and filters in quotes, one for each frame");
    while (!sc_take(p, "}")) {
        if (!sc_string(p, "a filter in quotes, or }", &w) || !add_filter(p, e, w))
            return false;
        if (sc_take(p, "why") && !why_name(p, &e->whys[e->filters_n - 1]))
            return false;
    }
    return true;
}

static bool ex_frames(struct sc_parser *p, struct expect *e)
{
    const struct sc_word *w;
    e->kind = EX_FRAMES;
    if (!sc_node_port(p, &e->port))
        return false;
    e->node = p->s->ports[e->port].node;
    if (p->s->ports[e->port].cfg.kind != ORIEL_NETIF_ETHER)
        return sc_fail_word(p, &p->words[p->at - 1], "a port that a wire is plugged into");
    e->out = sc_take(p, "sends");
    if (!e->out && !sc_take(p, "sees"))
        return sc_fail_words(p, "sees or sends");
    bool many = sc_take(p, "in");
    size_t room = many ? SC_SEQUENCE_MAX : 1;
    e->filters = arena_take_zeroed(p->arena, room * sizeof(e->filters[0]));
    e->whys = arena_take_zeroed(p->arena, room * sizeof(e->whys[0]));
    if (!e->filters || !e->whys)
        return sc_fail_memory(p);
    if (many)
        return sc_take(p, "order") ? sequence(p, e) : sc_fail_words(p, "order");
    const struct sc_word *next = sc_look(p);
    if (next && next->kind == SC_STRING) {
        if (!sc_string(p, "a filter", &w) || !add_filter(p, e, w))
            return false;
    } else if (!sc_sees(p, "why")) {
        return sc_fail(p, "a filter in quotes, or why and a reason");
    }
    while (sc_look(p))
        if (!frame_word(p, e))
            return false;
    return true;
}

/* ---- applications ---- */

static bool is_addr(const struct sc_parser *p)
{
    struct oriel_addr a;
    const struct sc_word *w = sc_look(p);
    return w && w->kind == SC_WORD && addr_parse(w->text, &a);
}

static bool which(struct sc_parser *p, struct expect *e)
{
    if (is_addr(p)) {
        e->has_addr = true;
        if (!sc_host_addr(p, &e->addr.addr))
            return false;
    }
    const struct sc_word *w = sc_look(p);
    uint64_t n;
    if (!w || w->text.n < 2 || w->text.p[0] != '@')
        return true;
    if (!txt_parse_u(span_of(w->text.p + 1, w->text.n - 1), 1000, &n) || n == 0)
        return sc_fail(p, "a number such as @2, for the second one");
    e->nth = (uint16_t)n;
    p->at++;
    return true;
}

static bool ex_ping(struct sc_parser *p, struct expect *e)
{
    bool good = true;
    e->kind = EX_PING;
    if (!which(p, e))
        return false;
    do {
        if (!number(p, e, PING_NUMBERS, &good))
            return sc_fail_words(p, "received, sent, errors or duplicates");
    } while (good && sc_look(p));
    return good;
}

/* hops ADDRESS|* ...; or hops as a number: hops >= 3 */
static bool hops(struct sc_parser *p, struct expect *e)
{
    do {
        if (e->hops_n == EX_HOPS_MAX)
            return sc_fail(p, "at most 32 hops");
        struct oriel_addr *a = &e->hops[e->hops_n];
        *a = ADDR_NONE;
        if (!sc_take(p, "*") && !sc_host_addr(p, a))
            return false;
        e->hops_n++;
    } while (sc_look(p));
    return true;
}

static bool ex_trace(struct sc_parser *p, struct expect *e)
{
    e->kind = EX_TRACE;
    if (!which(p, e))
        return false;
    return sc_take(p, "hops") ? hops(p, e) : sc_fail_words(p, "hops");
}

static bool udp_word(struct sc_parser *p, struct expect *e)
{
    bool good = true;
    const struct sc_word *w;
    struct span name;
    if (number(p, e, e->sender ? SEND_NUMBERS : LISTEN_NUMBERS, &good))
        return good;
    if (sc_take(p, "text")) {
        if (!sc_string(p, "text in quotes", &w))
            return false;
        e->payload = w->text;
        return e->has_text = true;
    }
    if (sc_take(p, "error")) {
        if (!sc_name(p, "the name of an error, such as ECONNREFUSED", &name))
            return false;
        e->has_err = true;
        return app_error_named(name, &e->err) ||
               sc_fail_word(p, &p->words[p->at - 1], "an error such as ECONNREFUSED, EHOSTUNREACH, "
                                                     "ENETUNREACH, EMSGSIZE, EACCES");
    }
    if (sc_take(p, "from") && e->has_err) {
        e->has_from = true;
        return sc_host_addr(p, &e->from_addr);
    }
    return sc_fail_words(p, e->sender ? "sent, received, bytes, errors, text, error or from"
                                      : "received, bytes, echoed, text or error");
}

static bool ex_udp(struct sc_parser *p, struct expect *e, bool sender)
{
    uint64_t port = 0;
    e->kind = EX_UDP;
    e->sender = sender;
    const struct sc_word *w = sc_look(p);
    bool digits = w && w->text.n && w->text.p[0] >= '0' && w->text.p[0] <= '9';
    if (!sender && digits && !sc_u(p, 1, UINT16_MAX, &port))
        return false;
    if (!sender && !digits)
        e->sender = true;       /* `udp error ...`: whoever on that node sent */
    if (sender && w && memchr(w->text.p, ':', w->text.n)) {
        struct oriel_endpoint to;
        if (!sc_endpoint(p, &to))
            return false;
        e->has_addr = true;
        e->addr.addr = to.addr;
        port = to.port;
    } else if (sender && !which(p, e)) {
        return false;
    }
    e->number = (uint16_t)port;
    do {
        if (!udp_word(p, e))
            return false;
    } while (sc_look(p));
    return true;
}

/* ---- the state of a node ---- */

/* The next word if it is one of these. */
bool sc_one_of(struct sc_parser *p, const char *const *words, size_t n, struct span *out)
{
    for (size_t i = 0; i < n; i++)
        if (sc_take(p, words[i])) {
            *out = span_str(words[i]);
            return true;
        }
    return false;
}

static bool ex_neigh(struct sc_parser *p, struct expect *e)
{
    static const char *const states[] = {"incomplete", "reachable", "stale", "delay", "probe",
                                         "failed", "static"};
    e->kind = EX_NEIGH;
    e->has_addr = true;
    if (!sc_host_addr(p, &e->addr.addr))
        return false;
    while (sc_look(p)) {
        if (sc_one_of(p, states, ARRAY_LEN(states), &e->word))
            continue;
        if (sc_take(p, "router")) {
            e->router = true;
        } else if (sc_take(p, "dev")) {
            if (!sc_port_of(p, e->node, &e->port))
                return false;
        } else if (sc_take(p, "mac")) {
            e->has_mac = true;
            if (!sc_mac(p, &e->mac))
                return false;
        } else {
            return sc_fail_words(p, "reachable, stale, delay, probe, incomplete, failed, static, "
                                    "router, dev or mac");
        }
    }
    return true;
}

/* An address, or a prefix that it lies in. */
static bool addr_or_prefix(struct sc_parser *p, struct expect *e)
{
    const struct sc_word *w = sc_look(p);
    e->has_addr = true;
    e->addr.len = 128;
    if (w && w->text.n && memchr(w->text.p, '/', w->text.n))
        return sc_addr_len(p, &e->addr);
    return sc_host_addr(p, &e->addr.addr);
}

static bool ex_addr(struct sc_parser *p, struct expect *e)
{
    static const char *const states[] = {"tentative", "preferred", "deprecated", "duplicate"};
    static const char *const origins[] = {"static", "auto", "link-local", "rarp"};
    e->kind = EX_ADDR;
    if (!addr_or_prefix(p, e))
        return false;
    while (sc_look(p)) {
        if (sc_one_of(p, states, ARRAY_LEN(states), &e->word) ||
            sc_one_of(p, origins, ARRAY_LEN(origins), &e->origin))
            continue;
        if (!sc_take(p, "dev"))
            return sc_fail_words(p, "tentative, preferred, deprecated, duplicate, static, auto, "
                                    "link-local, rarp or dev");
        if (!sc_port_of(p, e->node, &e->port))
            return false;
    }
    return true;
}

static bool ex_route(struct sc_parser *p, struct expect *e)
{
    static const char *const origins[] = {"static", "connected", "ra", "redirect"};
    bool good = true;
    e->kind = EX_ROUTE;
    e->has_addr = true;
    e->addr = (struct sc_addr){.addr = ADDR_V4_ANY, .len = 96};
    bool any = sc_take(p, "default");
    if (!any && sc_take(p, "default6"))
        e->addr = (struct sc_addr){.addr = ADDR_NONE};
    else if (!any && !addr_or_prefix(p, e))
        return false;
    while (sc_look(p)) {
        if (sc_one_of(p, origins, ARRAY_LEN(origins), &e->origin) ||
            number(p, e, BIT(NUM_METRIC), &good)) {
            if (!good)
                return false;
        } else if (sc_take(p, "via")) {
            e->has_from = true;
            if (!sc_host_addr(p, &e->from_addr))
                return false;
            if (any && !addr_is_v4(&e->from_addr))
                e->addr = (struct sc_addr){.addr = ADDR_NONE};
        } else if (sc_take(p, "dev") ? !sc_port_of(p, e->node, &e->port)
                                     : !sc_fail_words(p, "via, dev, metric, static, connected, ra "
                                                         "or redirect")) {
            return false;
        }
    }
    return true;
}

static bool ex_group(struct sc_parser *p, struct expect *e)
{
    bool good = true;
    e->kind = EX_GROUP;
    e->has_addr = true;
    if (!sc_host_addr(p, &e->addr.addr))
        return false;
    while (sc_look(p) && good) {
        if (number(p, e, BIT(NUM_SOURCES) | BIT(NUM_MEMBERS), &good))
            continue;
        if (sc_take(p, "include"))
            e->include = true;
        else if (sc_take(p, "exclude"))
            e->exclude = true;
        else if (sc_take(p, "on") || sc_take(p, "dev"))
            good = sc_port_of(p, e->node, &e->port);
        else
            return sc_fail_words(p, "on, include, exclude, sources or members");
    }
    return good;
}

static bool ex_pmtu(struct sc_parser *p, struct expect *e)
{
    e->kind = EX_PMTU;
    e->has_addr = true;
    return sc_host_addr(p, &e->addr.addr) && (!sc_look(p) || sc_count(p, &e->num[NUM_MTU]));
}

static bool ex_socket(struct sc_parser *p, struct expect *e)
{
    const uint32_t numbers = BIT(NUM_WAITING) | BIT(NUM_DROPPED) | BIT(NUM_RECEIVED) |
                             BIT(NUM_SENT) | BIT(NUM_COUNT);
    uint64_t port;
    bool good = true;
    e->kind = EX_SOCKET;
    if (!sc_u(p, 0, UINT16_MAX, &port))
        return false;
    e->number = (uint16_t)port;
    while (sc_look(p) && good)
        if (!number(p, e, numbers, &good))
            return sc_fail_words(p, "waiting, dropped, received, sent, count or none");
    return good;
}

static bool ex_nat(struct sc_parser *p, struct expect *e)
{
    bool good = true;
    e->kind = EX_NAT;
    return number(p, e, BIT(NUM_SESSIONS), &good) ? good : sc_fail_words(p, "sessions");
}

static bool ex_reasm(struct sc_parser *p, struct expect *e)
{
    bool good = true;
    e->kind = EX_REASM;
    return number(p, e, BIT(NUM_COUNT), &good) ? good : sc_fail_words(p, "none or count");
}

static bool ex_netif(struct sc_parser *p, struct expect *e)
{
    static const char *const states[] = {"up", "down"};
    bool good = true;
    e->kind = EX_NETIF;
    if (!sc_port_of(p, e->node, &e->port))
        return false;
    while (sc_look(p) && good)
        if (!sc_one_of(p, states, ARRAY_LEN(states), &e->word) &&
            !number(p, e, BIT(NUM_MTU), &good))
            return sc_fail_words(p, "up, down or mtu");
    return good;
}

static bool state(struct sc_parser *p, struct expect *e)
{
    const struct sc_word *w = sc_look(p);
    if (scenario_node(p->s, w->text) == SC_NONE) {
        (void)sc_fail_of(p, SUBJECTS, "quiet drop why ratio");
        for (uint16_t i = 0; i < p->s->nodes_n; i++)
            sc_hint(p, w->text, p->s->nodes[i].name);
        return false;
    }
    if (!sc_stack_of(p, &e->node))
        return false;
    if (sc_take(p, "ping"))     return ex_ping(p, e);
    if (sc_take(p, "trace"))    return ex_trace(p, e);
    if (sc_take(p, "udp"))      return ex_udp(p, e, false);
    if (sc_take(p, "udp-send")) return ex_udp(p, e, true);
    if (sc_take(p, "tcp"))      return sc_ex_tcp(p, e);
    if (sc_take(p, "resolve"))  return sc_ex_resolve(p, e);
    if (sc_take(p, "dhcp"))     return sc_ex_dhcp(p, e);
    if (sc_take(p, "neigh"))    return ex_neigh(p, e);
    if (sc_take(p, "addr"))     return ex_addr(p, e);
    if (sc_take(p, "route"))    return ex_route(p, e);
    if (sc_take(p, "group"))    return ex_group(p, e);
    if (sc_take(p, "pmtu"))     return ex_pmtu(p, e);
    if (sc_take(p, "socket"))   return ex_socket(p, e);
    if (sc_take(p, "nat"))      return ex_nat(p, e);
    if (sc_take(p, "reasm"))    return ex_reasm(p, e);
    if (sc_take(p, "netif"))    return ex_netif(p, e);
    return sc_fail_words(p, STATES);
}

/* ---- the statement ---- */

/* The statement without a comment, as far as its first line goes. */
static struct span first_line(const struct sc_parser *p)
{
    const uint8_t *end = p->start;
    while (end < p->end && *end != '\n')
        end++;
    const uint8_t *last = p->start;
    for (size_t i = 0; i < p->n && p->words[i].raw.p < end; i++)
        last = p->words[i].raw.p + p->words[i].raw.n + (p->words[i].kind == SC_STRING);
    return span_of(p->start, (size_t)((last < end ? last : end) - p->start));
}

static bool subject(struct sc_parser *p, struct expect *e)
{
    const struct sc_word *w = sc_look(p);
    if (sc_take(p, "quiet")) {
        e->kind = EX_QUIET;
        return true;
    }
    if (sc_take(p, "drop"))
        return ex_drop(p, e);
    if (sc_take(p, "why"))
        return ex_why(p, e);
    if (sc_take(p, "ratio"))
        return sc_ex_ratio(p, e);
    if (!w || w->kind != SC_WORD)
        return sc_fail(p, SUBJECTS);
    return memchr(w->text.p, '.', w->text.n) ? ex_frames(p, e) : state(p, e);
}

bool sc_expect(struct sc_parser *p, const oriel_time *at)
{
    struct scenario *s = p->s;
    if (s->expects_n == SC_EXPECTS_MAX)
        return sc_fail_word(p, &p->words[0], "at most 512 expectations");
    struct expect *e = &s->expects[s->expects_n];
    memset(e, 0, sizeof(*e));
    e->at = p->start;
    e->text = first_line(p);
    e->node = e->port = e->link = SC_NONE;
    e->until = ORIEL_NEVER;
    e->timed = at != NULL;
    e->no = sc_take(p, "no");
    const struct sc_word *w = sc_look(p);
    if (!subject(p, e) || !sc_done(p, "the end of the line"))
        return false;
    if (at && (e->kind == EX_FRAMES || e->kind == EX_ORDER))
        return sc_fail_word(p, w, "an expectation about a state; frames have between, after and "
                                  "before");
    s->expects_n++;
    if (!at)
        return true;
    struct sc_act *a = sc_act_new(p, ACT_EXPECT);
    if (!a)
        return false;
    a->time = *at;
    a->u.expect = (uint16_t)(s->expects_n - 1);
    return true;
}
