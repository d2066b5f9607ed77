/*
 * Building the world of a scenario, and its clock.
 *
 * A moment: first the world goes up to it (frames that arrive, timers), then the scenario acts,
 * then applications whose time has come, then peers. What these cause at the same moment belongs to
 * the next round, which may well have the same time.
 */
#include "lab/lab.h"

/* ---- building ---- */

static void *fail(struct scenario_error *err, const struct scenario *s, const uint8_t *at,
                  struct span found, const char *expected)
{
    size_t column = 1;
    for (const uint8_t *c = at; c && c > s->text.p && c[-1] != '\n'; c--)
        column++;
    *err = (struct scenario_error){.file = s->file, .line = at ? scenario_line(s, at) : 0};
    (void)syntax_fail(&err->at, column, found, expected);
    return NULL;
}

static bool fail_error(struct scenario_error *err, const struct scenario *s, const uint8_t *at,
                       struct span found, int code)
{
    char text[120];
    struct txt t = txt_of(text, sizeof(text));
    txt_s(&t, "something that the stack takes; it says: ");
    txt_s(&t, oriel_strerror(code));
    (void)fail(err, s, at, found, text);
    return false;
}

static bool is_app(uint8_t kind)
{
    return kind == ACT_PING || kind == ACT_TRACE || kind == ACT_UDP_LISTEN ||
           kind == ACT_UDP_SEND || kind == ACT_TCP_LISTEN || kind == ACT_TCP_CONNECT ||
           kind == ACT_SVC;
}

static void *app_memory(struct arena *arena, const struct sc_act *act)
{
    switch ((enum sc_act_kind)act->kind) {
    case ACT_PING:       return arena_take(arena, sizeof(struct ping));
    case ACT_TRACE:      return arena_take(arena, sizeof(struct tracer));
    case ACT_UDP_LISTEN: return arena_take(arena, sizeof(struct udp_listener));
    case ACT_TCP_LISTEN: return arena_take(arena, sizeof(struct tcp_server));
    case ACT_TCP_CONNECT: return arena_take(arena, sizeof(struct tcp_talk));
    case ACT_SVC:        return arena_take(arena, sizeof(struct svc_app) +
                                                      svc_app_memory(act->u.svc));
    default:             return arena_take(arena, sizeof(struct udp_sender));
    }
}

/* Applications are laid out at once: one for each action that starts one. */
static bool take_apps(struct lab *l, struct arena *arena)
{
    const struct scenario *s = l->s;
    uint16_t frames = 0;
    for (uint16_t i = 0; i < s->acts_n; i++) {
        if (is_app(s->acts[i].kind))
            l->apps_max++;
        if (s->acts[i].kind == ACT_SEND)
            frames++;
    }
    l->apps = arena_take_zeroed(arena, (l->apps_max + 1u) * sizeof(l->apps[0]));
    l->senders = arena_take_zeroed(arena, (frames + 1u) * sizeof(l->senders[0]));
    if (!l->apps || !l->senders)
        return false;
    uint16_t n = 0;
    for (uint16_t i = 0; i < s->acts_n; i++) {
        if (!is_app(s->acts[i].kind))
            continue;
        struct lab_app *a = &l->apps[n++];
        a->act = &s->acts[i];
        a->is.ping = app_memory(arena, &s->acts[i]);
        if (!a->is.ping)
            return false;
    }
    return true;
}

/* Will somebody look at frames there, or take part in connections? */
static bool is_watched(const struct scenario *s, uint16_t port)
{
    if (s->nodes[s->ports[port].node].kind == NODE_PEER)
        return true;
    for (uint16_t i = 0; i < s->expects_n; i++) {
        const struct expect *e = &s->expects[i];
        if ((e->kind == EX_FRAMES || e->kind == EX_ORDER) && e->port == port)
            return true;
    }
    return false;
}

/* What is remembered of connections: by port what was seen of them, by node their states. */
static bool take_memories(struct lab *l, struct arena *arena)
{
    const struct scenario *s = l->s;
    for (uint16_t i = 0; i < s->ports_n; i++) {
        if (!is_watched(s, i))
            continue;
        l->talks[i] = arena_take(arena, sizeof(*l->talks[i]));
        if (!l->talks[i])
            return false;
        conversations_init(l->talks[i]);
    }
    for (uint16_t i = 0; i < s->expects_n; i++) {
        const struct expect *e = &s->expects[i];
        if (e->kind != EX_TCP || e->tcp->states_n == 0 || l->tracks[e->tcp->who.node])
            continue;
        struct lab_tracks *t = arena_take_zeroed(arena, sizeof(*t));
        if (!t)
            return false;
        l->tracks[e->tcp->who.node] = t;
    }
    return true;
}

static bool take_memory(struct lab *l, struct arena *arena)
{
    const struct scenario *s = l->s;
    l->w = arena_take(arena, sizeof(*l->w));
    l->buffer = arena_take(arena, APP_BUFFER);
    l->frame = arena_take(arena, APP_BUFFER);
    l->d = arena_take(arena, sizeof(*l->d));
    l->watches = arena_take_zeroed(arena, (s->expects_n + 1u) * sizeof(l->watches[0]));
    l->results = arena_take_zeroed(arena, (s->expects_n + 1u) * sizeof(l->results[0]));
    l->recent = arena_take_zeroed(arena, (s->ports_n + 1u) * sizeof(l->recent[0]));
    l->fates = arena_take_zeroed(arena, (s->ports_n + 1u) * sizeof(l->fates[0]));
    return l->w && l->buffer && l->frame && l->d && l->watches && l->results && l->recent &&
           l->fates && take_apps(l, arena) && take_memories(l, arena) &&
           pool_init(&l->pending_pool, "answers", arena, sizeof(struct lab_pending),
                     LAB_PENDING_MAX);
}

static bool make_world(struct lab *l, struct arena *arena)
{
    struct world_config cfg = {.seed = l->seed, .cpu = l->opt.cpu};
    size_t left = arena->size - arena->used;
    left = left > 128 ? (left - 128) & ~(size_t)63 : 0;
    void *memory = arena_take(arena, left);
    return memory && world_init(l->w, memory, left, &cfg);
}

static bool add_nodes(struct lab *l, struct scenario_error *err)
{
    const struct scenario *s = l->s;
    for (uint16_t i = 0; i < s->nodes_n; i++) {
        const struct sc_node *n = &s->nodes[i];
        if (!world_add_node(l->w, n->kind, n->name, &n->cfg, n->memory)) {
            (void)fail(err, s, n->at, n->name, "a node that fits into the memory of the lab");
            return false;
        }
    }
    return true;
}

/* The index of the interface, 0 for a port without one, or an error. */
static int add_port(struct lab *l, uint16_t i)
{
    const struct sc_port *p = &l->s->ports[i];
    struct node *n = &l->w->nodes[p->node];
    struct oriel_netif_config cfg = p->cfg;
    int err = 0;
    cfg.name = p->name;
    if (cfg.kind == ORIEL_NETIF_VLAN)
        cfg.vlan_parent = l->netifs[p->parent];
    if (cfg.kind != ORIEL_NETIF_ETHER)
        return oriel_netif_add(n->stack, &cfg);
    struct port *port = world_add_port(l->w, n, &cfg, &err);
    if (!port)
        return err;
    port->pvid = p->pvid;
    port->trunk = p->trunk;
    port->vlans_n = p->vlans_n;
    memcpy(port->vlans, p->vlans, sizeof(port->vlans));
    l->ports[i] = port;
    l->port_of[p->node][port->index] = i;
    return port->netif;
}

static bool add_ports(struct lab *l, struct scenario_error *err)
{
    const struct scenario *s = l->s;
    for (uint16_t i = 0; i < s->ports_n; i++) {
        const struct sc_port *p = &s->ports[i];
        if (p->late)
            continue;
        l->netifs[i] = add_port(l, i);
        if (l->netifs[i] < 0)
            return fail_error(err, s, p->at, span_str(p->name), l->netifs[i]);
        for (uint8_t k = 0; k < p->addrs_n; k++) {
            char text[ADDR_TEXT_MAX];
            struct txt t = txt_of(text, sizeof(text));
            txt_addr(&t, &p->addrs[k].addr);
            int code = oriel_addr_add(l->w->nodes[p->node].stack, l->netifs[i], &p->addrs[k].addr,
                                      p->addrs[k].len);
            if (code < 0)
                return fail_error(err, s, p->at, span_of(t.p, t.n), code);
        }
    }
    return true;
}

/* Routes and neighbours of the text: an error in one of them is an error of the text. */
static bool do_setup(struct lab *l, struct scenario_error *err)
{
    const struct scenario *s = l->s;
    while (l->next_act < s->acts_n && s->acts[l->next_act].setup) {
        const struct sc_act *a = &s->acts[l->next_act++];
        lab_act(l, a);
        if (l->troubles_n > 0) {
            (void)fail(err, s, a->at, span_of(NULL, 0), l->troubles[0].text);
            struct txt t = txt_of(err->at.found, sizeof(err->at.found));
            txt_s(&t, "a statement that fails");
            return false;
        }
    }
    return true;
}

static bool check_links(struct lab *l, struct scenario_error *err)
{
    struct wire_params p = {0};
    struct syntax_error e = {0};
    if (wire_params_parse(l->opt.impair, &p, &e))
        return true;
    *err = (struct scenario_error){.file = span_str("impairments"), .line = 1, .at = e};
    return false;
}

static void mark_watched(struct lab *l)
{
    const struct scenario *s = l->s;
    for (uint16_t i = 0; i < s->expects_n; i++) {
        const struct expect *e = &s->expects[i];
        l->results[i] = (struct lab_result){.e = e, .line = scenario_line(s, e->at)};
        if (e->kind == EX_FRAMES || e->kind == EX_ORDER)
            l->watched[e->port] |= e->out ? 2 : 1;
    }
    for (uint16_t i = 0; i < s->reacts_n; i++)
        for (uint16_t k = 0; k < s->ports_n; k++)
            if (s->reacts[i].port == k ||
                (s->reacts[i].port == SC_NONE && s->ports[k].node == s->reacts[i].node))
                l->watched[k] |= 1;
}

static void on_frame(void *ctx, const struct world_frame *f)
{
    struct lab *l = ctx;
    l->frames++;
    if (l->opt.on_frame)
        l->opt.on_frame(l->opt.on_frame_ctx, f);
    lab_watch_frame(l, f);
}

/* After a node was stepped: its applications look whether something came, or is due. */
static void on_step(void *ctx, struct node *n)
{
    struct lab *l = ctx;
    lab_track(l, n);
    for (uint16_t i = 0; i < l->apps_n; i++)
        if (l->apps[i].started && l->apps[i].node == n)
            lab_app_step(l, &l->apps[i]);
    lab_track(l, n);
}

struct lab *lab_build(struct arena *arena, const struct scenario *s, const struct lab_options *opt,
                      struct scenario_error *err)
{
    struct lab *l = arena_take_zeroed(arena, sizeof(*l));
    if (!l)
        return fail(err, s, NULL, span_str("too little memory"), "room for a lab");
    l->s = s;
    l->opt = *opt;
    l->seed = opt->has_seed ? opt->seed : s->seed;
    if (!take_memory(l, arena) || !make_world(l, arena))
        return fail(err, s, NULL, span_str("too little memory"), "room for a world");
    if (!check_links(l, err) || !add_nodes(l, err) || !add_ports(l, err) || !do_setup(l, err)) {
        world_fini(l->w);
        return NULL;
    }
    mark_watched(l);
    l->w->on_frame = on_frame;
    l->w->on_frame_ctx = l;
    l->w->on_step = on_step;
    l->w->on_step_ctx = l;
    return l;
}

void lab_start(struct lab *l)
{
    const struct scenario *s = l->s;
    l->started = true;
    for (uint16_t i = 0; i < s->links_n; i++) {
        struct wire_params p = s->links[i].params;
        struct syntax_error e = {0};
        bool known = wire_params_parse(l->opt.impair, &p, &e);
        ORIEL_ASSERT(known);                    /* lab_build has looked */
        l->wires[i] = world_join(l->w, l->ports[s->links[i].end[0]],
                                 l->ports[s->links[i].end[1]], &p);
        ORIEL_ASSERT(l->wires[i] != NULL);      /* the parser counts them */
    }
}

void lab_fini(struct lab *l)
{
    world_fini(l->w);
}

/* ---- the clock ---- */

static oriel_time sooner(oriel_time a, oriel_time b)
{
    return a < b ? a : b;
}

oriel_time lab_next(const struct lab *l)
{
    oriel_time next = sooner(world_next(l->w), lab_send_next(l));
    if (l->next_act < l->s->acts_n)
        next = sooner(next, l->s->acts[l->next_act].time);
    for (uint16_t i = 0; i < l->apps_n; i++)
        next = sooner(next, lab_app_deadline(&l->apps[i]));
    return next;
}

bool lab_over(const struct lab *l)
{
    if (l->wrong)
        return true;
    if (l->until_app)
        return !lab_app_busy(l->until_app);
    if (l->s->has_stop)
        return l->w->env.now >= l->s->stop;
    if (l->next_act < l->s->acts_n || lab_send_next(l) != ORIEL_NEVER)
        return false;
    if (!world_quiet(l->w) || pkt_mem_live(&l->w->mem) != 0)
        return false;
    for (uint16_t i = 0; i < l->apps_n; i++)
        if (lab_app_busy(&l->apps[i]))
            return false;
    return true;
}

static void check(struct lab *l)
{
    const char *wrong = l->opt.check ? world_check(l->w) : NULL;
    if (!wrong || l->wrong)
        return;
    l->wrong = true;
    lab_note(l, NULL, span_str("a checker"), wrong);
}

bool lab_step(struct lab *l, oriel_time until)
{
    const struct scenario *s = l->s;
    oriel_time now = l->w->env.now;
    oriel_time t = lab_next(l);
    if (t == ORIEL_NEVER || t > until || l->wrong)
        return false;
    t = t < now ? now : t;
    world_run(l->w, t);
    while (l->next_act < s->acts_n && s->acts[l->next_act].time <= t)
        lab_act(l, &s->acts[l->next_act++]);
    for (uint16_t i = 0; i < l->apps_n; i++)
        if (lab_app_deadline(&l->apps[i]) <= t)
            world_poke(l->w, l->apps[i].node);
    lab_send_due(l);
    check(l);
    return true;
}

void lab_run(struct lab *l, oriel_time until)
{
    bool told = l->s->has_stop && !l->until_app;
    oriel_time end = told ? l->s->stop : time_after(l->until_app ? l->w->env.now : 0, LAB_TIME_MAX);
    end = sooner(end, until);
    while (!lab_over(l) && lab_step(l, end))
        ;
    if (!lab_over(l) && until == ORIEL_NEVER && !told)
        lab_note(l, NULL, span_str("the scenario"), "still busy after an hour; `stop` ends it");
    bool goes_on = !lab_over(l) || until != ORIEL_NEVER;
    if (goes_on && !l->wrong && l->w->env.now < end)
        world_run(l->w, end);
}

struct lab_app *lab_take_over(struct lab *l, uint16_t node, enum lab_app_kind kind, void *app)
{
    ORIEL_ASSERT(l->started);
    l->next_act = l->s->acts_n;
    struct lab_app *a = &l->apps[l->apps_n++];  /* there is one more than the scenario starts */
    *a = (struct lab_app){.kind = (uint8_t)kind, .started = true, .node = &l->w->nodes[node]};
    a->is.ping = app;
    return a;
}

/* ---- the end ---- */

bool lab_finish(struct lab *l)
{
    bool good = l->troubles_n == 0;
    for (uint16_t i = 0; i < l->s->expects_n; i++) {
        if (!l->s->expects[i].timed)
            lab_ask(l, i);
        struct lab_result *r = &l->results[i];
        if (!r->asked) {
            struct txt t = txt_of(r->seen, sizeof(r->seen));
            txt_s(&t, "the scenario ended before its moment came");
        }
        good = good && r->holds;
    }
    return good;
}

/* ---- words ---- */

int lab_netif(const struct lab *l, int port_plus_one)
{
    return port_plus_one > 0 ? l->netifs[port_plus_one - 1] : 0;
}

void lab_note(struct lab *l, const uint8_t *at, struct span what, const char *text)
{
    if (l->troubles_n == LAB_TROUBLES_MAX)
        return;
    struct lab_trouble *r = &l->troubles[l->troubles_n++];
    struct txt t = txt_of(r->text, sizeof(r->text));
    r->line = at ? scenario_line(l->s, at) : 0;
    txt_span(&t, what);
    txt_s(&t, ": ");
    txt_s(&t, text);
}

static void print_place(struct txt *t, const struct lab *l, uint32_t line)
{
    txt_span(t, l->s->file);
    if (line) {
        txt_c(t, ':');
        txt_u(t, line);
    }
    txt_s(t, ": ");
}

void lab_print_result(struct txt *t, const struct lab *l, const struct lab_result *r)
{
    print_place(t, l, r->line);
    txt_span(t, r->e->text);
    if (r->holds && r->seen[0] == '\0')
        return;
    txt_s(t, r->holds ? "\n    " : "\n    but ");
    txt_s(t, r->seen);
}

void lab_print_trouble(struct txt *t, const struct lab *l, const struct lab_trouble *r)
{
    print_place(t, l, r->line);
    txt_s(t, r->text);
}
