/*
 * Statements about the world: nodes, ports, links, settings; and the text around them.
 *
 * What is named must stand above the line that names it. That keeps every message exact, and a
 * scenario reads from the top: who there is, how they are joined, what they do, what must come of
 * it.
 */
#include "lab/scenario_text.h"

#define PORT_WORDS                                                                                 \
    "an address, mtu, mac, ip6, ra, probe, nodad, nat, any, igmp, mld, queue or | and another port"
#define CONFIG_WORDS                                                                               \
    "strong-host, send-redirects, accept-redirects, echo-group, ttl, memory, connections, "        \
    "icmp-rate or tcp"
#define VLAN_MAX 4094

/* ---- text around the world ---- */

static bool st_title(struct sc_parser *p)
{
    const struct sc_word *w;
    if (!sc_string(p, "a title in quotes", &w))
        return false;
    p->s->title = w->text;
    return sc_done(p, "nothing behind the title");
}

static bool st_about(struct sc_parser *p)
{
    struct scenario *s = p->s;
    const struct sc_word *w;
    do {
        if (!sc_string(p, "text in quotes", &w))
            return false;
        if (s->about_n == SC_ABOUT_MAX)
            return sc_fail_word(p, w, "at most 64 lines of text");
        s->about[s->about_n++] = w->text;
    } while (sc_look(p));
    return true;
}

static bool st_covers(struct sc_parser *p)
{
    struct scenario *s = p->s;
    do {
        if (s->covers_n == SC_COVERS_MAX)
            return sc_fail(p, "at most 256 requirements");
        if (!sc_name(p, "the id of a requirement, such as 1122-3.2.2.6", &s->covers[s->covers_n]))
            return false;
        s->covers_n++;
    } while (sc_look(p));
    return true;
}

static bool st_seed(struct sc_parser *p)
{
    return sc_u(p, 0, UINT64_MAX, &p->s->seed) && sc_done(p, "nothing behind the number");
}

static bool st_stop(struct sc_parser *p)
{
    p->s->has_stop = true;
    return sc_time(p, &p->s->stop) && sc_done(p, "nothing behind the time");
}

static bool st_set(struct sc_parser *p)
{
    struct scenario *s = p->s;
    struct sc_param v;
    if (!sc_name(p, "the name of a parameter", &v.name))
        return false;
    for (uint16_t i = 0; i < s->params_n; i++)
        if (span_eq(s->params[i].name, v.name))
            return sc_fail_word(p, &p->words[p->at - 1], "a name that is not taken yet");
    const struct sc_word *w = sc_look(p);
    if (!w)
        return sc_fail(p, "a value");
    v.value = w->text;
    p->at++;
    for (size_t i = 0; i < p->set_n; i++)
        if (span_eq(p->set[i].name, v.name))
            v.value = p->set[i].value;
    if (s->params_n == SC_PARAMS_MAX)
        return sc_fail_word(p, w, "at most 64 parameters");
    s->params[s->params_n++] = v;
    return sc_done(p, "one value; quotes hold several words together");
}

/* ---- ports ---- */

static struct sc_port *new_port(struct sc_parser *p, uint16_t node, struct span name)
{
    struct scenario *s = p->s;
    const struct sc_word *w = &p->words[p->at > 0 ? p->at - 1 : 0];
    unsigned ethers = 0;
    for (uint16_t i = 0; i < s->ports_n; i++)
        ethers += s->ports[i].node == node && s->ports[i].cfg.kind == ORIEL_NETIF_ETHER;
    if (name.n >= NETIF_NAME_MAX) {
        (void)sc_fail_word(p, w, "a name of at most 15 characters");
    } else if (scenario_port(s, node, name) != SC_NONE) {
        (void)sc_fail_word(p, w, "a name that no other port of the node has");
    } else if (s->ports_n == SC_PORTS_MAX) {
        (void)sc_fail_word(p, w, "at most 256 ports in a scenario");
    } else if (ethers == NODE_PORTS_MAX) {
        (void)sc_fail_word(p, w, "at most 16 ports of a node");
    } else {
        struct sc_port *port = &s->ports[s->ports_n++];
        *port = (struct sc_port){.node = node, .parent = SC_NONE, .pvid = 1, .at = w->raw.p};
        memcpy(port->name, name.p, name.n);
        port->cfg.name = port->name;
        port->cfg.kind = ORIEL_NETIF_ETHER;
        port->cfg.fcs = true;
        struct mac mac = sc_default_mac(node, ethers);
        memcpy(port->cfg.mac, mac.b, 6);
        return port;
    }
    return NULL;
}

static bool port_addr(struct sc_parser *p, struct sc_port *port)
{
    if (port->addrs_n == SC_ADDRS_MAX)
        return sc_fail(p, "at most 8 addresses on a line");
    struct sc_addr *a = &port->addrs[port->addrs_n];
    if (!sc_addr_len(p, a))
        return false;
    port->addrs_n++;
    if (!addr_is_v4(&a->addr))
        port->cfg.ip6 = true;
    return true;
}

static bool port_number(struct sc_parser *p, uint64_t min, uint64_t max, uint64_t *v)
{
    p->at++;
    return sc_u(p, min, max, v);
}

/* A word of a port with a value behind it. */
static bool port_value(struct sc_parser *p, struct sc_port *port)
{
    struct oriel_netif_config *c = &port->cfg;
    uint64_t v = 0;
    if (sc_sees(p, "mtu")) {
        if (!port_number(p, NETIF_MTU_MIN, NETIF_MTU_MAX, &v))
            return false;
        c->mtu = (uint32_t)v;
    } else if (sc_sees(p, "queue")) {
        if (!port_number(p, 1, 100000, &v))
            return false;
        c->tx_queue = (uint32_t)v;
    } else if (sc_sees(p, "igmp")) {
        if (!port_number(p, 1, 3, &v))
            return false;
        c->igmp_version = (uint8_t)v;
    } else if (sc_sees(p, "mld")) {
        if (!port_number(p, 1, 2, &v))
            return false;
        c->mld_version = (uint8_t)v;
    } else if (sc_take(p, "mac")) {
        struct mac m;
        if (!sc_mac(p, &m))
            return false;
        memcpy(c->mac, m.b, 6);
    } else {
        const struct sc_word *w = sc_look(p);
        uint8_t first = w->text.n ? w->text.p[0] : 0;
        bool number = (first >= '0' && first <= '9') || memchr(w->text.p, ':', w->text.n);
        return number ? port_addr(p, port) : sc_fail_words(p, PORT_WORDS);
    }
    return true;
}

static bool port_words(struct sc_parser *p, struct sc_port *port)
{
    struct oriel_netif_config *c = &port->cfg;
    while (!p->bad && sc_look(p) && !sc_sees(p, "|")) {
        if (sc_take(p, "ip6"))
            c->ip6 = true;
        else if (sc_take(p, "ra"))
            c->ip6 = c->accept_ra = true;
        else if (sc_take(p, "probe"))
            c->probe4 = true;
        else if (sc_take(p, "nodad"))
            c->no_dad = true;
        else if (sc_take(p, "nat"))
            c->nat = true;
        else if (sc_take(p, "any"))
            c->any_addr = true;
        else
            (void)port_value(p, port);
    }
    return !p->bad;
}

static bool one_port(struct sc_parser *p, uint16_t node)
{
    struct span name;
    if (!sc_name(p, "the name of a port, such as eth0", &name))
        return false;
    struct sc_port *port = new_port(p, node, name);
    if (!port)
        return false;
    if (p->s->nodes[node].kind != NODE_PEER)
        return port_words(p, port);
    struct mac m;
    if (sc_take(p, "mac")) {
        if (!sc_mac(p, &m))
            return false;
        memcpy(port->cfg.mac, m.b, 6);
    }
    return sc_sees(p, "|") || sc_done(p, "mac, or | and another port");
}

bool sc_port_line(struct sc_parser *p, uint16_t node)
{
    do {
        if (!one_port(p, node))
            return false;
    } while (sc_take(p, "|"));
    return !p->bad;
}

/* a eth0.5 id 5 10.0.5.1/24 [qinq]: on top of the port whose name stands before the last dot. */
bool sc_vlan_line(struct sc_parser *p, uint16_t node, bool late)
{
    static const char expected[] = "a name such as eth0.5: the port below, a dot, anything";
    struct scenario *s = p->s;
    struct span name;
    uint64_t id;
    if (!sc_name(p, expected, &name))
        return false;
    size_t dot = name.n;
    while (dot > 0 && name.p[dot - 1] != '.')
        dot--;
    uint16_t below = dot > 0 ? scenario_port(s, node, span_of(name.p, dot - 1)) : SC_NONE;
    if (below == SC_NONE)
        return sc_fail_word(p, &p->words[p->at - 1], expected);
    struct sc_port *port = new_port(p, node, name);
    if (!port)
        return false;
    port->parent = below;
    port->late = late;
    port->cfg.kind = ORIEL_NETIF_VLAN;
    port->cfg.fcs = false;
    memcpy(port->cfg.mac, s->ports[below].cfg.mac, 6);
    if (!sc_take(p, "id"))
        return sc_fail(p, "id and the number of the VLAN");
    if (!sc_u(p, 1, VLAN_MAX, &id))
        return false;
    port->cfg.vlan_id = (uint16_t)id;
    port->cfg.vlan_qinq = sc_take(p, "qinq");
    return port_words(p, port) && sc_done(p, "the end of the line");
}

/* ---- nodes ---- */

static bool new_node(struct sc_parser *p, enum node_kind kind, uint16_t *out)
{
    struct scenario *s = p->s;
    struct span name;
    if (!sc_name(p, "a name for the node", &name))
        return false;
    const struct sc_word *w = &p->words[p->at - 1];
    if (scenario_node(s, name) != SC_NONE)
        return sc_fail_word(p, w, "a name that no other node has");
    if (name.n >= NODE_NAME_MAX || memchr(name.p, '.', name.n))
        return sc_fail_word(p, w, "a name of at most 23 characters without a dot");
    if (s->nodes_n == WORLD_NODES_MAX)
        return sc_fail_word(p, w, "at most 64 nodes");
    *out = s->nodes_n++;
    struct sc_node *n = &s->nodes[*out];
    *n = (struct sc_node){.name = name, .kind = kind, .at = w->raw.p};
    oriel_config_init(&n->cfg);
    n->cfg.forward4 = n->cfg.forward6 = kind == NODE_ROUTER;
    if (kind != NODE_HOST && kind != NODE_ROUTER)
        return true;
    struct sc_port *lo = new_port(p, *out, span_str("lo"));
    if (!lo)
        return false;
    memset(lo->cfg.mac, 0, 6);
    lo->cfg.kind = ORIEL_NETIF_LOOPBACK;
    lo->cfg.fcs = false;
    return true;
}

static bool node_line(struct sc_parser *p, enum node_kind kind)
{
    uint16_t node;
    return new_node(p, kind, &node) && (!sc_look(p) || sc_port_line(p, node));
}

static bool st_host(struct sc_parser *p)
{
    return node_line(p, NODE_HOST);
}

static bool st_router(struct sc_parser *p)
{
    return node_line(p, NODE_ROUTER);
}

static bool st_peer(struct sc_parser *p)
{
    return node_line(p, NODE_PEER);
}

static bool st_port(struct sc_parser *p)
{
    uint16_t node;
    if (!sc_node_of(p, &node))
        return false;
    if (p->s->nodes[node].kind == NODE_SWITCH) {
        p->at--;
        return sc_fail(p, "a host, a router or a peer; a switch names its ports on its own line");
    }
    return sc_port_line(p, node);
}

static bool st_vlan(struct sc_parser *p)
{
    uint16_t node;
    return sc_stack_of(p, &node) && sc_vlan_line(p, node, false);
}

/* ---- switches ---- */

/* A port of the switch, made when it is new. */
static struct sc_port *switch_port(struct sc_parser *p, uint16_t node)
{
    struct span name;
    if (!sc_name(p, "the name of a port", &name))
        return NULL;
    uint16_t have = scenario_port(p->s, node, name);
    return have != SC_NONE ? &p->s->ports[have] : new_port(p, node, name);
}

/* 10,20,30 */
static bool vlan_list(struct sc_parser *p, struct sc_port *port)
{
    static const char expected[] = "VLANs such as 10,20: at most 8, from 1 to 4094";
    struct span list;
    if (!sc_name(p, expected, &list))
        return false;
    for (size_t from = 0; from <= list.n;) {
        size_t to = from;
        uint64_t id;
        while (to < list.n && list.p[to] != ',')
            to++;
        if (port->vlans_n == ARRAY_LEN(port->vlans) ||
            !txt_parse_u(span_of(list.p + from, to - from), VLAN_MAX, &id) || id == 0)
            return sc_fail_word(p, &p->words[p->at - 1], expected);
        port->vlans[port->vlans_n++] = (uint16_t)id;
        from = to + 1;
    }
    return true;
}

static bool switch_vid(struct sc_parser *p, struct sc_port *port)
{
    uint64_t id;
    if (!sc_u(p, 1, VLAN_MAX, &id))
        return false;
    port->pvid = (uint16_t)id;
    return true;
}

static bool switch_clause(struct sc_parser *p, uint16_t node)
{
    struct sc_port *port;
    if (sc_take(p, "ports")) {
        do {
            if (!switch_port(p, node))
                return false;
        } while (sc_look(p) && !sc_sees(p, "access") && !sc_sees(p, "trunk"));
        return true;
    }
    if (sc_take(p, "access")) {
        if (!(port = switch_port(p, node)))
            return false;
        (void)sc_take(p, "vlan");
        return switch_vid(p, port);
    }
    if (!sc_take(p, "trunk"))
        return sc_fail_words(p, "ports, access PORT vlan N, trunk PORT vlan N,N native N");
    if (!(port = switch_port(p, node)))
        return false;
    port->trunk = true;
    if (sc_take(p, "vlan")) {
        port->trunk = false;
        if (!vlan_list(p, port))
            return false;
    }
    return !sc_take(p, "native") || switch_vid(p, port);
}

static bool st_switch(struct sc_parser *p)
{
    uint16_t node;
    if (!new_node(p, NODE_SWITCH, &node))
        return false;
    do {
        if (!switch_clause(p, node))
            return false;
    } while (sc_look(p));
    return true;
}

/* ---- links ---- */

/* Where in the rest of the line a column of the joined text is: p->at is that word afterwards. */
static bool fail_joined(struct sc_parser *p, struct syntax_error *e)
{
    static const char *const keys[] = {
        "loss", "delay", "jitter", "rate", "queue", "mtu", "reorder", "gap", "dup", "corrupt",
        "cut", "burst", "lose", "damage", "double", "hold",
    };
    size_t column = e->column > 0 ? e->column - 1 : 0;
    while (p->at + 1 < p->n && column > p->words[p->at].text.n)
        column -= p->words[p->at++].text.n + 1;
    e->column = (uint32_t)column + 1;
    if (p->at + 1 >= p->n && (p->at == p->n || column >= p->words[p->at].text.n)) {
        p->at = p->n;           /* a value is missing at the end */
        return sc_fail(p, e->expected);
    }
    (void)sc_fail_inside(p, &p->words[p->at], e);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        sc_hint(p, p->words[p->at].text, span_str(keys[i]));
    return false;
}

bool sc_wire_params(struct sc_parser *p, struct wire_params *out, struct span *text)
{
    char joined[1024];
    struct txt t = txt_of(joined, sizeof(joined));
    struct syntax_error e = {0};
    for (size_t i = p->at; i < p->n; i++) {
        txt_span(&t, p->words[i].text);
        txt_c(&t, ' ');
    }
    if (t.cut)
        return sc_fail(p, "a shorter line");
    if (!wire_params_parse(span_of(t.p, t.n), out, &e))
        return fail_joined(p, &e);
    uint8_t *copy = arena_take(p->arena, t.n + 1);
    if (!copy)
        return sc_fail_memory(p);
    memcpy(copy, t.p, t.n);
    *text = span_of(copy, t.n);
    p->at = p->n;
    return true;
}

static bool link_end(struct sc_parser *p, uint16_t *out)
{
    if (!sc_node_port(p, out))
        return false;
    const struct sc_word *w = &p->words[p->at - 1];
    struct sc_port *port = &p->s->ports[*out];
    if (port->cfg.kind != ORIEL_NETIF_ETHER)
        return sc_fail_word(p, w, "a port that a wire can be plugged into");
    if (port->linked)
        return sc_fail_word(p, w, "a port that nothing is plugged into yet");
    port->linked = true;
    return true;
}

static bool st_link(struct sc_parser *p)
{
    struct scenario *s = p->s;
    struct sc_link l = {.at = p->start};
    if (!link_end(p, &l.end[0]) || !link_end(p, &l.end[1]))
        return false;
    if (s->links_n == WORLD_WIRES_MAX)
        return sc_fail_word(p, &p->words[0], "at most 128 links");
    l.params.fcs = !sc_take(p, "nofcs");
    for (unsigned i = 0; i < 2; i++)
        s->ports[l.end[i]].cfg.fcs = l.params.fcs;
    struct span text;
    if (!sc_wire_params(p, &l.params, &text))
        return false;
    s->links[s->links_n++] = l;
    return true;
}

/* ---- settings of a stack ---- */

static bool config_word(struct sc_parser *p, struct sc_node *n)
{
    uint64_t v;
    struct oriel_config *c = &n->cfg;
    if (sc_take(p, "strong-host"))
        return c->strong_host = true;
    if (sc_take(p, "send-redirects"))
        return c->send_redirects = true;
    if (sc_take(p, "accept-redirects"))
        return c->accept_redirects = true;
    if (sc_take(p, "echo-group"))
        return c->echo_group = true;
    if (sc_take(p, "ttl"))
        return sc_u(p, 1, 255, &v) && (c->ttl = (uint8_t)v, true);
    if (sc_take(p, "memory"))
        return sc_size(p, (uint64_t)64 << 20, &v) && (n->memory = (size_t)v, true);
    if (sc_take(p, "connections"))
        return sc_u(p, 1, 65536, &v) && (c->connections = (uint32_t)v, true);
    if (sc_take(p, "icmp-rate"))
        return sc_u(p, 1, 1000000, &v) && (c->icmp_per_s = (uint32_t)v, true);
    if (sc_take(p, "tcp"))
        return sc_config_tcp(p, &c->tcp);
    return sc_fail_words(p, CONFIG_WORDS);
}

static bool st_config(struct sc_parser *p)
{
    uint16_t node;
    if (!sc_stack_of(p, &node))
        return false;
    do {
        if (!config_word(p, &p->s->nodes[node]))
            return false;
    } while (sc_look(p));
    return true;
}

static bool st_expect(struct sc_parser *p)
{
    return sc_expect(p, NULL);
}

/* ---- the whole ---- */

static const struct {
    const char *name;
    sc_statement_fn *take;
} statements[] = {
    {"title", st_title},   {"about", st_about},   {"covers", st_covers}, {"seed", st_seed},
    {"set", st_set},       {"stop", st_stop},     {"host", st_host},     {"router", st_router},
    {"switch", st_switch}, {"peer", st_peer},     {"port", st_port},     {"vlan", st_vlan},
    {"link", st_link},     {"config", st_config}, {"route", sc_route},   {"neigh", sc_neigh},
    {"rarp", sc_rarp},     {"at", sc_at},         {"on", sc_on},         {"expect", st_expect},
};

static bool one_statement(struct sc_parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        if (sc_take(p, statements[i].name))
            return statements[i].take(p);
    struct span typed = p->words[0].text;
    (void)sc_fail(p, "a statement: host, router, switch, peer, port, vlan, link, config, route, "
                     "at, on, expect, ...");
    for (size_t i = 0; i < ARRAY_LEN(statements); i++)
        sc_hint(p, typed, span_str(statements[i].name));
    return false;
}

/* What was set from outside must be a parameter of the scenario. */
static bool check_set(struct sc_parser *p)
{
    const struct scenario *s = p->s;
    for (size_t i = 0; i < p->set_n; i++) {
        bool known = false;
        for (uint16_t k = 0; k < s->params_n; k++)
            known = known || span_eq(s->params[k].name, p->set[i].name);
        if (known)
            continue;
        p->bad = true;
        *p->err = (struct scenario_error){.file = s->file};
        (void)syntax_fail(&p->err->at, 1, p->set[i].name,
                          s->params_n ? "a parameter that the scenario sets"
                                      : "no parameter: the scenario sets none");
        for (uint16_t k = 0; k < s->params_n; k++)
            sc_hint(p, p->set[i].name, s->params[k].name);
        return false;
    }
    return true;
}

/* What belongs to the world first, then by time; equal ones stay in the order of the text. */
static void sort_acts(struct scenario *s)
{
    for (uint16_t i = 1; i < s->acts_n; i++) {
        struct sc_act a = s->acts[i];
        uint16_t k = i;
        for (; k > 0; k--) {
            const struct sc_act *b = &s->acts[k - 1];
            if (b->setup != a.setup ? b->setup : b->time <= a.time)
                break;
            s->acts[k] = s->acts[k - 1];
        }
        s->acts[k] = a;
    }
}

static bool fail_arena(struct span file, struct scenario_error *err)
{
    *err = (struct scenario_error){.file = file};
    return syntax_fail(&err->at, 1, span_str("too little memory"), "room for a scenario");
}

struct scenario *scenario_parse(struct arena *arena, struct span file, struct span text,
                                const struct sc_param *set, size_t set_n,
                                struct scenario_error *err)
{
    struct scenario *s = arena_take_zeroed(arena, sizeof(*s));
    struct sc_parser *p = arena_take_zeroed(arena, sizeof(*p));
    if (s) {
        s->acts = arena_take(arena, SC_ACTS_MAX * sizeof(s->acts[0]));
        s->expects = arena_take(arena, SC_EXPECTS_MAX * sizeof(s->expects[0]));
    }
    uint8_t *scratch = arena_take(arena, APP_BUFFER);
    if (!s || !p || !scratch || !s->acts || !s->expects) {
        (void)fail_arena(file, err);
        return NULL;
    }
    s->file = file;
    s->text = text;
    s->seed = 1;
    *p = (struct sc_parser){.s = s, .arena = arena, .err = err, .next = text.p,
                            .end = bytes_after(text.p, text.n), .set = set, .set_n = set_n,
                            .scratch = scratch};
    while (sc_statement(p))
        if (!one_statement(p))
            return NULL;
    if (p->bad || !check_set(p))
        return NULL;
    sort_acts(s);
    return s;
}
