/* What happens: at, on; and routes and neighbours that are there from the start. */
#include "lab/scenario_text.h"

#define VERBS                                                                                      \
    "ping, traceroute, udp-listen, udp-send, udp-close, udp-join, udp-leave, tcp, addr, route, "   \
    "neigh, rarp, up, down, mtu, vlan, remove, dns-serve, dns-stop, resolve, dhcp, dhcp-serve, "   \
    "dhcp-release, dhcp-stop, ra, ra-stop or send"
#define PING_WORDS                                                                                 \
    "count, size, interval, wait, ttl, tos, df, df-probe, id, dev, broadcast or quiet"
#define SEND_WORDS                                                                                 \
    "from, source, count, connected, df, df-probe, ttl, tos, nocsum, dev or broadcast"
#define LISTEN_WORDS                                                                               \
    "echo, sink, unread, reuse, rcvbuf, bind, dev, broadcast, v6only, any, ttl or group"

struct sc_act *sc_act_new(struct sc_parser *p, enum sc_act_kind kind)
{
    struct scenario *s = p->s;
    if (p->bad)
        return NULL;
    if (s->acts_n == SC_ACTS_MAX) {
        (void)sc_fail_word(p, &p->words[0], "at most 1024 routes, neighbours and actions");
        return NULL;
    }
    struct sc_act *a = &s->acts[s->acts_n++];
    memset(a, 0, sizeof(*a));
    a->kind = (uint8_t)kind;
    a->at = p->start;
    a->node = a->port = SC_NONE;
    return a;
}

/* ---- values ---- */

bool sc_u32(struct sc_parser *p, uint64_t min, uint64_t max, uint32_t *out)
{
    uint64_t v;
    if (!sc_u(p, min, max, &v))
        return false;
    *out = (uint32_t)v;
    return true;
}

bool sc_u16(struct sc_parser *p, uint64_t min, uint16_t *out)
{
    uint64_t v;
    if (!sc_u(p, min, UINT16_MAX, &v))
        return false;
    *out = (uint16_t)v;
    return true;
}

bool sc_u8(struct sc_parser *p, uint64_t min, uint8_t *out)
{
    uint64_t v;
    if (!sc_u(p, min, UINT8_MAX, &v))
        return false;
    *out = (uint8_t)v;
    return true;
}

/* dev eth0: one more than the port's index, see struct sc_act. */
bool sc_dev(struct sc_parser *p, uint16_t node, int *out)
{
    uint16_t port;
    if (!sc_port_of(p, node, &port))
        return false;
    *out = port + 1;
    return true;
}

static bool every(struct sc_parser *p, uint32_t *count, oriel_time *gap)
{
    if (!sc_u32(p, 1, 1000000, count))
        return false;
    if (*count > 1 && !sc_sees(p, "every"))
        return sc_fail_words(p, "every TIME");
    return !sc_take(p, "every") || sc_time(p, gap);
}

static int digit_of(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Text with \n \r \t \0 \\ \xNN into bytes of its own. */
bool sc_text(struct sc_parser *p, const struct sc_word *w, struct span *out)
{
    struct span s = w->text;
    uint8_t *copy = arena_take(p->arena, s.n + 1);
    size_t n = 0;
    if (!copy)
        return sc_fail_memory(p);
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (w->literal || c != '\\' || i + 1 == s.n) {
            copy[n++] = c;
            continue;
        }
        static const char from[] = "nrt0\\", to[] = "\n\r\t\0\\";
        c = s.p[++i];
        const char *known = c ? strchr(from, c) : NULL;
        bool hex = c == 'x' && i + 2 < s.n && digit_of(s.p[i + 1]) >= 0 &&
                   digit_of(s.p[i + 2]) >= 0;
        if (!known && !hex)
            return sc_fail_word(p, w, "text with \\n \\r \\t \\0 \\\\ \\\" or \\xNN");
        copy[n++] = hex ? (uint8_t)(digit_of(s.p[i + 1]) * 16 + digit_of(s.p[i + 2]))
                        : (uint8_t)to[known - from];
        i += hex ? 2 : 0;
    }
    *out = span_of(copy, n);
    return true;
}

/* ---- applications ---- */

static bool ping_word(struct sc_parser *p, struct sc_act *a)
{
    struct ping_params *g = &a->u.ping;
    if (sc_take(p, "count"))    return sc_u32(p, 1, 1000000, &g->count);
    if (sc_take(p, "size"))     return sc_u32(p, 0, 65507, &g->size);
    if (sc_take(p, "interval")) return sc_time(p, &g->interval);
    if (sc_take(p, "wait"))     return sc_time(p, &g->wait);
    if (sc_take(p, "ttl"))      return sc_u8(p, 1, &g->ttl);
    if (sc_take(p, "tos"))      return sc_u8(p, 0, &g->tos);
    if (sc_take(p, "id"))       return sc_u16(p, 0, &g->id);
    if (sc_take(p, "dev"))      return sc_dev(p, a->node, &g->netif);
    if (sc_take(p, "df"))       return g->df = 1, true;
    if (sc_take(p, "df-probe")) return g->df = 2, true;
    if (sc_take(p, "broadcast")) return g->broadcast = true;
    if (sc_take(p, "quiet"))    return g->quiet = true;
    return sc_fail_words(p, PING_WORDS);
}

static bool act_ping(struct sc_parser *p, struct sc_act *a)
{
    a->kind = ACT_PING;
    a->u.ping = (struct ping_params){.count = 1, .size = 56, .interval = NS_PER_S};
    a->u.ping.id = (uint16_t)(0x1000 + p->s->acts_n);
    if (!sc_host_addr(p, &a->u.ping.to))
        return false;
    while (sc_look(p))
        if (!ping_word(p, a))
            return false;
    return true;
}

static bool act_trace(struct sc_parser *p, struct sc_act *a)
{
    struct trace_params *t = &a->u.trace;
    a->kind = ACT_TRACE;
    *t = (struct trace_params){.id = (uint16_t)(0x1000 + p->s->acts_n)};
    if (!sc_host_addr(p, &t->to))
        return false;
    while (sc_look(p)) {
        bool good = sc_take(p, "max-hops") ? sc_u8(p, 1, &t->hops_max)
                    : sc_take(p, "probes") ? sc_u8(p, 1, &t->probes)
                    : sc_take(p, "wait")   ? sc_time(p, &t->wait)
                    : sc_take(p, "size")   ? sc_u16(p, 28, &t->size)
                    : sc_take(p, "icmp")
                        ? (t->icmp = true)
                        : sc_fail_words(p, "max-hops, probes, wait, size or icmp");
        if (!good)
            return false;
    }
    return true;
}

/* GROUP on eth0 [only A,B | except A,B] */
static bool group(struct sc_parser *p, uint16_t node, struct udp_group *g)
{
    static const char expected[] = "addresses such as 10.0.0.1,10.0.0.2: at most 16";
    struct span list;
    *g = (struct udp_group){.exclude = true};
    if (!sc_host_addr(p, &g->group))
        return false;
    if (!addr_is_multicast(&g->group))
        return sc_fail_word(p, &p->words[p->at - 1], "a multicast address");
    if (!sc_take(p, "on"))
        return sc_fail_words(p, "on");
    if (!sc_dev(p, node, &g->netif))
        return false;
    bool only = sc_take(p, "only");
    if (!only && !sc_take(p, "except"))
        return true;
    g->exclude = !only;
    if (!sc_name(p, expected, &list))
        return false;
    for (size_t from = 0; from <= list.n;) {
        size_t to = from;
        while (to < list.n && list.p[to] != ',')
            to++;
        if (g->n == UDP_SOURCES_MAX ||
            !addr_parse(span_of(list.p + from, to - from), &g->sources[g->n++]))
            return sc_fail_word(p, &p->words[p->at - 1], expected);
        from = to + 1;
    }
    return true;
}

static bool listen_word(struct sc_parser *p, struct sc_act *a)
{
    struct udp_listen_params *l = &a->u.listen;
    if (sc_take(p, "echo"))      return l->echo = true;
    if (sc_take(p, "sink"))      return true;
    if (sc_take(p, "unread"))    return l->unread = true;
    if (sc_take(p, "reuse"))     return l->reuse = true;
    if (sc_take(p, "broadcast")) return l->broadcast = true;
    if (sc_take(p, "v6only"))    return l->v6only = true;
    if (sc_take(p, "any"))       return l->any_addr = true;
    if (sc_take(p, "rcvbuf"))    return sc_u32(p, 2048, UINT32_MAX, &l->rcvbuf);
    if (sc_take(p, "ttl"))       return sc_u8(p, 1, &l->ttl);
    if (sc_take(p, "bind"))      return sc_host_addr(p, &l->local.addr);
    if (sc_take(p, "dev"))       return sc_dev(p, a->node, &l->netif);
    if (sc_take(p, "group"))     return (l->has_group = true) && group(p, a->node, &l->group);
    return sc_fail_words(p, LISTEN_WORDS);
}

static bool act_listen(struct sc_parser *p, struct sc_act *a)
{
    a->kind = ACT_UDP_LISTEN;
    if (!sc_u16(p, 1, &a->u.listen.local.port))
        return false;
    while (sc_look(p))
        if (!listen_word(p, a))
            return false;
    return true;
}

static bool send_word(struct sc_parser *p, struct sc_act *a)
{
    struct udp_send_params *u = &a->u.send;
    if (sc_take(p, "from"))      return sc_u16(p, 1, &u->from_port);
    if (sc_take(p, "source"))    return sc_host_addr(p, &u->from);
    if (sc_take(p, "count"))     return every(p, &u->count, &u->every);
    if (sc_take(p, "connected")) return u->connected = true;
    if (sc_take(p, "broadcast")) return u->broadcast = true;
    if (sc_take(p, "nocsum"))    return u->no_csum = true;
    if (sc_take(p, "df"))        return u->df = 1, true;
    if (sc_take(p, "df-probe"))  return u->df = 2, true;
    if (sc_take(p, "ttl"))       return sc_u8(p, 1, &u->ttl);
    if (sc_take(p, "tos"))       return sc_u8(p, 0, &u->tos);
    if (sc_take(p, "dev"))       return sc_dev(p, a->node, &u->netif);
    return sc_fail_words(p, SEND_WORDS);
}

static bool act_send_udp(struct sc_parser *p, struct sc_act *a)
{
    const struct sc_word *w = NULL;
    struct udp_send_params *u = &a->u.send;
    a->kind = ACT_UDP_SEND;
    u->count = 1;
    if (!sc_endpoint(p, &u->to))
        return false;
    if (sc_take(p, "size")) {
        if (!sc_u32(p, 0, 65535, &u->size))
            return false;
    } else if (!sc_string(p, "text in quotes, or size and a number of bytes", &w) ||
               !sc_text(p, w, &u->text)) {
        return false;
    }
    while (sc_look(p))
        if (!send_word(p, a))
            return false;
    return true;
}

static bool act_udp_close(struct sc_parser *p, struct sc_act *a)
{
    a->kind = ACT_UDP_CLOSE;
    return sc_u16(p, 1, &a->u.member.port);
}

static bool act_member(struct sc_parser *p, struct sc_act *a, enum sc_act_kind kind)
{
    a->kind = (uint8_t)kind;
    return sc_u16(p, 1, &a->u.member.port) && group(p, a->node, &a->u.member.group);
}

/* ---- addresses, routes, neighbours ---- */

static bool add_or_del(struct sc_parser *p, struct sc_act *a, enum sc_act_kind add,
                       enum sc_act_kind del)
{
    if (sc_take(p, "add"))
        a->kind = (uint8_t)add;
    else if (sc_take(p, "del"))
        a->kind = (uint8_t)del;
    else
        return sc_fail_words(p, "add or del");
    return true;
}

static bool named_port(struct sc_parser *p, struct sc_act *a)
{
    return sc_port_of(p, a->node, &a->port);
}

static bool act_addr(struct sc_parser *p, struct sc_act *a)
{
    if (!add_or_del(p, a, ACT_ADDR_ADD, ACT_ADDR_DEL))
        return false;
    const struct sc_word *w = sc_look(p);
    bool bare = a->kind == ACT_ADDR_DEL && w && !memchr(w->text.p, '/', w->text.n);
    if (bare ? !sc_host_addr(p, &a->u.addr.addr) : !sc_addr_len(p, &a->u.addr))
        return false;
    return sc_take(p, "dev") ? named_port(p, a) : sc_fail_words(p, "dev");
}

/* PREFIX|default|default6 [via GATEWAY] [dev PORT] [metric N] */
static bool route_words(struct sc_parser *p, struct sc_act *a)
{
    struct sc_addr *to = &a->u.route.prefix;
    bool any = sc_take(p, "default");
    *to = (struct sc_addr){.addr = ADDR_V4_ANY, .len = 96};
    if (!any && sc_take(p, "default6"))
        *to = (struct sc_addr){.addr = ADDR_NONE};
    else if (!any && !sc_addr_len(p, to))
        return false;
    while (sc_look(p)) {
        if (sc_take(p, "via")) {
            if (!sc_host_addr(p, &a->u.route.gateway))
                return false;
            a->u.route.has_gateway = true;
            if (any && !addr_is_v4(&a->u.route.gateway))
                *to = (struct sc_addr){.addr = ADDR_NONE};
        } else if (sc_take(p, "dev") ? !named_port(p, a)
                   : sc_take(p, "metric") ? !sc_u32(p, 0, UINT32_MAX, &a->u.route.metric)
                                          : !sc_fail_words(p, "via, dev or metric")) {
            return false;
        }
    }
    if (!a->u.route.has_gateway && a->port == SC_NONE && a->kind == ACT_ROUTE_ADD)
        return sc_fail_words(p, "via and a gateway, or dev and a port");
    return true;
}

static bool act_route(struct sc_parser *p, struct sc_act *a)
{
    return add_or_del(p, a, ACT_ROUTE_ADD, ACT_ROUTE_DEL) && route_words(p, a);
}

/* The port on whose link an address is, as far as the text tells. */
static uint16_t port_towards(const struct scenario *s, uint16_t node, const struct oriel_addr *addr)
{
    uint16_t only = SC_NONE;
    unsigned n = 0;
    for (uint16_t i = 0; i < s->ports_n; i++) {
        const struct sc_port *port = &s->ports[i];
        if (port->node != node || port->cfg.kind == ORIEL_NETIF_LOOPBACK)
            continue;
        for (uint8_t k = 0; k < port->addrs_n; k++) {
            struct prefix on_link = prefix_of(port->addrs[k].addr, port->addrs[k].len);
            if (prefix_has(&on_link, addr))
                return i;
        }
        only = i;
        n++;
    }
    return n == 1 ? only : SC_NONE;
}

static bool neigh_words(struct sc_parser *p, struct sc_act *a)
{
    if (!sc_host_addr(p, &a->u.neigh.addr))
        return false;
    if (a->kind == ACT_NEIGH_ADD && !sc_mac(p, &a->u.neigh.mac))
        return false;
    a->port = port_towards(p->s, a->node, &a->u.neigh.addr);
    if (sc_take(p, "dev"))
        return named_port(p, a);
    return a->port != SC_NONE || sc_fail_words(p, "dev and a port");
}

static bool act_neigh(struct sc_parser *p, struct sc_act *a)
{
    return add_or_del(p, a, ACT_NEIGH_ADD, ACT_NEIGH_DEL) && neigh_words(p, a);
}

static struct sc_act *setup_act(struct sc_parser *p, enum sc_act_kind kind)
{
    struct sc_act *a = sc_act_new(p, kind);
    if (!a)
        return NULL;
    a->setup = true;
    return sc_stack_of(p, &a->node) ? a : NULL;
}

bool sc_route(struct sc_parser *p)
{
    struct sc_act *a = setup_act(p, ACT_ROUTE_ADD);
    return a && route_words(p, a);
}

bool sc_neigh(struct sc_parser *p)
{
    struct sc_act *a = setup_act(p, ACT_NEIGH_ADD);
    return a && neigh_words(p, a) && sc_done(p, "dev and a port");
}

bool sc_rarp(struct sc_parser *p)
{
    struct sc_act *a = setup_act(p, ACT_RARP_SERVE);
    return a && sc_mac(p, &a->u.neigh.mac) && sc_host_addr(p, &a->u.neigh.addr) &&
           sc_done(p, "nothing behind the address");
}

/* ---- ports and links ---- */

static bool act_mtu(struct sc_parser *p, struct sc_act *a)
{
    a->kind = ACT_MTU;
    return named_port(p, a) && sc_u32(p, NETIF_MTU_MIN, NETIF_MTU_MAX, &a->u.mtu);
}

static bool act_vlan(struct sc_parser *p, struct sc_act *a)
{
    a->kind = ACT_VLAN;
    a->port = p->s->ports_n;
    return sc_vlan_line(p, a->node, true);
}

static bool act_port(struct sc_parser *p, struct sc_act *a, enum sc_act_kind kind)
{
    a->kind = (uint8_t)kind;
    return named_port(p, a);
}

/* link a.eth0 [-> b.eth0] up|down|PARAMETERS */
static bool act_link(struct sc_parser *p, struct sc_act *a)
{
    uint16_t from, to;
    if (!sc_node_port(p, &from))
        return false;
    a->u.wire.link = scenario_link(p->s, from);
    a->u.wire.dir = -1;
    if (a->u.wire.link == SC_NONE)
        return sc_fail_word(p, &p->words[p->at - 1], "a port that is plugged in");
    const struct sc_link *l = &p->s->links[a->u.wire.link];
    if (sc_take(p, "->")) {
        if (!sc_node_port(p, &to))
            return false;
        a->u.wire.dir = l->end[1] == from;
        if (to != l->end[!a->u.wire.dir])
            return sc_fail_word(p, &p->words[p->at - 1], "the port at the other end of that link");
    } else if (sc_take(p, "up") || sc_sees(p, "down")) {
        a->kind = sc_take(p, "down") ? ACT_LINK_DOWN : ACT_LINK_UP;
        return true;
    }
    a->kind = ACT_LINK_SET;
    if (!sc_look(p))
        return sc_fail_words(p, "up, down, or what changes, such as loss 10%");
    struct wire_params try = l->params;
    return sc_wire_params(p, &try, &a->u.wire.text);
}

/* ---- peers ---- */

static bool act_frame(struct sc_parser *p, struct sc_act *a)
{
    a->kind = ACT_SEND;
    a->u.frame.count = 1;
    if (p->s->nodes[a->node].kind != NODE_PEER) {
        p->at--;
        return sc_fail(p, "another verb: only a scripted peer sends frames");
    }
    a->port = scenario_port(p->s, a->node, span_of("", 0));
    for (uint16_t i = 0; i < p->s->ports_n && a->port == SC_NONE; i++)
        if (p->s->ports[i].node == a->node)
            a->port = i;
    if (!sc_frame_text(p, &a->u.frame.text))
        return false;
    if (sc_take(p, "by") && !named_port(p, a))
        return false;
    if (a->port == SC_NONE)
        return sc_fail(p, "a peer that has a port");
    return !sc_take(p, "count") || every(p, &a->u.frame.count, &a->u.frame.every);
}

bool sc_on(struct sc_parser *p)
{
    struct scenario *s = p->s;
    const struct sc_word *w;
    uint64_t times;
    if (s->reacts_n == SC_REACTS_MAX)
        return sc_fail_word(p, &p->words[0], "at most 128 lines with on");
    struct sc_react *r = &s->reacts[s->reacts_n];
    *r = (struct sc_react){.port = SC_NONE, .at = p->start};
    const struct sc_word *name = sc_look(p);
    bool has_port = name && memchr(name->text.p, '.', name->text.n);
    if (has_port ? !sc_node_port(p, &r->port) : !sc_node_of(p, &r->node))
        return false;
    if (has_port)
        r->node = s->ports[r->port].node;
    if (s->nodes[r->node].kind != NODE_PEER)
        return sc_fail_word(p, name, "a scripted peer");
    if (!sc_string(p, "a filter in quotes", &w) || !(r->filter = sc_filter(p, w)))
        return false;
    if (!sc_take(p, "send"))
        return sc_fail_words(p, "send");
    if (!sc_frame_text(p, &r->text))
        return false;
    while (sc_look(p)) {
        if (sc_take(p, "once")) {
            r->times = 1;
        } else if (sc_take(p, "times")) {
            if (!sc_u(p, 1, UINT32_MAX, &times))
                return false;
            r->times = (uint32_t)times;
        } else if (sc_take(p, "after") ? !sc_time(p, &r->after)
                                       : !sc_fail_words(p, "once, times or after")) {
            return false;
        }
    }
    s->reacts_n++;
    return true;
}

/* ---- at ---- */

static bool verb(struct sc_parser *p, struct sc_act *a)
{
    bool good = false;
    if (sc_take(p, "send"))       return act_frame(p, a);
    if (p->s->nodes[a->node].kind == NODE_PEER || p->s->nodes[a->node].kind == NODE_SWITCH)
        return sc_fail_words(p, p->s->nodes[a->node].kind == NODE_PEER
                                    ? "send" : "nothing: a switch only switches");
    if (sc_take(p, "ping"))       return act_ping(p, a);
    if (sc_take(p, "traceroute")) return act_trace(p, a);
    if (sc_take(p, "udp-listen")) return act_listen(p, a);
    if (sc_take(p, "udp-send"))   return act_send_udp(p, a);
    if (sc_take(p, "udp-close"))  return act_udp_close(p, a);
    if (sc_take(p, "udp-join"))   return act_member(p, a, ACT_UDP_JOIN);
    if (sc_take(p, "udp-leave"))  return act_member(p, a, ACT_UDP_LEAVE);
    if (sc_take(p, "tcp"))        return sc_act_tcp(p, a);
    if (sc_take(p, "addr"))       return act_addr(p, a);
    if (sc_take(p, "route"))      return act_route(p, a);
    if (sc_take(p, "neigh"))      return act_neigh(p, a);
    if (sc_take(p, "rarp"))       return act_port(p, a, ACT_RARP);
    if (sc_take(p, "up"))         return act_port(p, a, ACT_UP);
    if (sc_take(p, "down"))       return act_port(p, a, ACT_DOWN);
    if (sc_take(p, "mtu"))        return act_mtu(p, a);
    if (sc_take(p, "vlan"))       return act_vlan(p, a);
    if (sc_take(p, "remove"))     return act_port(p, a, ACT_REMOVE);
    if (sc_act_svc(p, a, &good))  return good;
    return sc_fail_of(p, "an action: ping, traceroute, udp-listen, udp-send, tcp, addr, route, "
                         "neigh, up, down, mtu, vlan, ...", VERBS);
}

bool sc_at(struct sc_parser *p)
{
    oriel_time time;
    if (!sc_time(p, &time))
        return false;
    if (sc_take(p, "expect"))
        return sc_expect(p, &time);
    struct sc_act *a = sc_act_new(p, ACT_PING);
    if (!a)
        return false;
    a->time = time;
    bool good = sc_take(p, "link") ? act_link(p, a) : sc_node_of(p, &a->node) && verb(p, a);
    return good && sc_done(p, "the end of the line");
}
