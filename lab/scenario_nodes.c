/* Names of nodes and ports, and messages about those that there are not. */
#include "lab/scenario_text.h"

struct mac sc_default_mac(uint16_t node, unsigned i)
{
    return (struct mac){{2, 0, 0, 0, (uint8_t)(node + 1), (uint8_t)(i + 1)}};
}

uint16_t scenario_node(const struct scenario *s, struct span name)
{
    for (uint16_t i = 0; i < s->nodes_n; i++)
        if (span_eq(s->nodes[i].name, name))
            return i;
    return SC_NONE;
}

uint16_t scenario_port(const struct scenario *s, uint16_t node, struct span name)
{
    for (uint16_t i = 0; i < s->ports_n; i++)
        if (s->ports[i].node == node && span_is(name, s->ports[i].name))
            return i;
    return SC_NONE;
}

uint16_t scenario_link(const struct scenario *s, uint16_t port)
{
    for (uint16_t i = 0; i < s->links_n; i++)
        if (s->links[i].end[0] == port || s->links[i].end[1] == port)
            return i;
    return SC_NONE;
}

static bool fail_node(struct sc_parser *p, struct span typed, const char *expected)
{
    (void)sc_fail(p, expected);
    for (uint16_t i = 0; i < p->s->nodes_n; i++)
        sc_hint(p, typed, p->s->nodes[i].name);
    return false;
}

bool sc_node_of(struct sc_parser *p, uint16_t *out)
{
    const struct sc_word *w = sc_plain(p, "the name of a node");
    if (!w)
        return false;
    *out = scenario_node(p->s, w->text);
    if (*out == SC_NONE)
        return fail_node(p, w->text, "the name of a node that stands above");
    p->at++;
    return true;
}

bool sc_stack_of(struct sc_parser *p, uint16_t *out)
{
    const struct sc_word *w = sc_plain(p, "the name of a host or router");
    if (!w || !sc_node_of(p, out))
        return false;
    enum node_kind kind = p->s->nodes[*out].kind;
    if (kind == NODE_HOST || kind == NODE_ROUTER)
        return true;
    p->at--;
    return sc_fail(p, kind == NODE_PEER ? "a host or a router, not a scripted peer"
                                        : "a host or a router, not a switch");
}

static bool fail_port(struct sc_parser *p, uint16_t node, struct span typed)
{
    const struct scenario *s = p->s;
    char expected[96];
    struct txt t = txt_of(expected, sizeof(expected));
    txt_s(&t, "a port of ");
    txt_span(&t, s->nodes[node].name);
    txt_c(&t, ':');
    for (uint16_t i = 0; i < s->ports_n; i++)
        if (s->ports[i].node == node) {
            txt_c(&t, ' ');
            txt_s(&t, s->ports[i].name);
        }
    (void)sc_fail(p, expected);
    for (uint16_t i = 0; i < s->ports_n; i++)
        if (s->ports[i].node == node)
            sc_hint(p, typed, span_str(s->ports[i].name));
    return false;
}

bool sc_port_of(struct sc_parser *p, uint16_t node, uint16_t *out)
{
    const struct sc_word *w = sc_plain(p, "the name of a port");
    if (!w)
        return false;
    *out = scenario_port(p->s, node, w->text);
    if (*out == SC_NONE)
        return fail_port(p, node, w->text);
    p->at++;
    return true;
}

bool sc_node_port(struct sc_parser *p, uint16_t *out)
{
    const struct sc_word *w = sc_plain(p, "a port such as a.eth0");
    if (!w)
        return false;
    size_t dot = 0;
    while (dot < w->text.n && w->text.p[dot] != '.')
        dot++;
    struct span name = span_of(w->text.p, dot);
    uint16_t node = scenario_node(p->s, name);
    if (node == SC_NONE)
        return fail_node(p, name, "a port such as a.eth0, of a node that stands above");
    if (dot == w->text.n)
        return sc_fail(p, "a port such as a.eth0: node, dot, port");
    struct span port = span_of(w->text.p + dot + 1, w->text.n - dot - 1);
    *out = scenario_port(p->s, node, port);
    if (*out == SC_NONE)
        return fail_port(p, node, port);
    p->at++;
    return true;
}
