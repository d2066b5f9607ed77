/* Captures and the ladder of a lab, with what its scenario says. */
#include "lab/vantage_lab.h"

static uint16_t other_end(const struct scenario *s, uint16_t port)
{
    uint16_t link = scenario_link(s, port);
    ORIEL_ASSERT(link != SC_NONE);
    return s->links[link].end[s->links[link].end[0] == port];
}

static void name_port(struct txt *t, const struct scenario *s, uint16_t port)
{
    txt_span(t, s->nodes[s->ports[port].node].name);
    txt_c(t, '.');
    txt_s(t, s->ports[port].name);
}

/* Every address of the scenario by the name of its node; of its port where there are several. */
static bool add_names(struct vantage *v, const struct scenario *s)
{
    bool good = true;
    for (uint16_t i = 0; i < s->ports_n; i++) {
        const struct sc_port *p = &s->ports[i];
        bool many = false;
        for (uint16_t k = 0; k < s->ports_n; k++)
            many = many || (k != i && s->ports[k].node == p->node && s->ports[k].addrs_n > 0);
        char text[NODE_NAME_MAX + NETIF_NAME_MAX + 1];
        struct txt t = txt_of(text, sizeof(text));
        if (many)
            name_port(&t, s, i);
        else
            txt_span(&t, s->nodes[p->node].name);
        for (uint8_t k = 0; k < p->addrs_n; k++) {
            struct pcapng_name n = {.addr = p->addrs[k].addr, .name = text};
            good = pcapng_add_names(&v->file, &n, 1) && good;
        }
    }
    return good;
}

bool lab_vantage_open(struct vantage *v, const struct lab *l, uint16_t port, struct sink out,
                      void *scratch)
{
    const struct scenario *s = l->s;
    const struct sc_port *p = &s->ports[port];
    const struct sc_link *link = &s->links[scenario_link(s, port)];
    struct pcapng_addr addrs[SC_ADDRS_MAX];
    char file[200], seed[64], about[2048], what[160];
    struct txt n = txt_of(file, sizeof(file)), o = txt_of(seed, sizeof(seed));
    struct txt a = txt_of(about, sizeof(about)), d = txt_of(what, sizeof(what));
    ORIEL_ASSERT(l->ports[port] != NULL);
    txt_span(&n, s->file);
    txt_s(&o, "virtual time, seed ");
    txt_u(&o, l->seed);
    txt_span(&a, s->title);
    for (uint16_t i = 0; i < s->about_n; i++) {
        txt_c(&a, '\n');
        txt_span(&a, s->about[i]);
    }
    txt_s(&d, "what leaves and arrives at ");
    name_port(&d, s, port);
    txt_s(&d, ", on the wire to ");
    name_port(&d, s, other_end(s, port));
    for (uint8_t i = 0; i < p->addrs_n; i++)
        addrs[i] = (struct pcapng_addr){.addr = p->addrs[i].addr, .len = p->addrs[i].len};
    const struct vantage_config c = {
        .world = l->w, .port = l->ports[port], .d = l->d, .hardware = file, .os = seed,
        .about = span_of(a.p, a.n), .description = what, .link = LINKTYPE_ETHERNET,
        .addrs = addrs, .addrs_n = p->addrs_n, .speed_bps = link->params.rate_bps,
        .fcs = link->params.fcs,
    };
    return vantage_open(v, &c, out, scratch) && add_names(v, s);
}

void lab_ladder_open(struct world_ladder *g, const struct lab *l, struct sink out,
                     struct ladder_style style)
{
    for (uint16_t i = 0; i < l->s->acts_n; i++)
        style.states = style.states || l->s->acts[i].kind == ACT_TCP_LISTEN ||
                       l->s->acts[i].kind == ACT_TCP_CONNECT;
    world_ladder_open(g, l->w, out, style);
}
