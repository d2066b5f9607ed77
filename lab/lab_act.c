/* What the scenario does: applications started, tables changed, wires cut, frames sent. */
#include "lab/lab.h"

/* ---- applications ---- */

struct app_host lab_app_host(struct lab *l, struct lab_app *a)
{
    struct txt t = txt_of(a->prefix, sizeof(a->prefix));
    txt_s(&t, a->node->name);
    txt_s(&t, ": ");
    return (struct app_host){.stack = a->node->stack, .out = l->opt.out, .buffer = l->buffer,
                             .prefix = l->opt.bare ? NULL : a->prefix};
}

void lab_app_step(struct lab *l, struct lab_app *a)
{
    oriel_time now = l->w->env.now;
    switch ((enum lab_app_kind)a->kind) {
    case LAB_PING:       ping_step(a->is.ping, now); return;
    case LAB_TRACE:      trace_step(a->is.trace, now); return;
    case LAB_UDP_LISTEN: udp_listener_step(a->is.listen); return;
    case LAB_UDP_SEND:   udp_sender_step(a->is.send, now); return;
    case LAB_TCP_LISTEN: tcp_server_step(a->is.server, now); return;
    case LAB_TCP_CONNECT: tcp_talk_step(a->is.client, now); return;
    case LAB_SVC:        svc_app_step(a->is.svc, now); return;
    case LAB_OUTSIDE:    a->is.outside->step(a->is.outside->ctx, now); return;
    }
}

oriel_time lab_app_deadline(const struct lab_app *a)
{
    if (!a->started)
        return ORIEL_NEVER;
    switch ((enum lab_app_kind)a->kind) {
    case LAB_PING:       return ping_deadline(a->is.ping);
    case LAB_TRACE:      return trace_deadline(a->is.trace);
    case LAB_UDP_LISTEN: return ORIEL_NEVER;
    case LAB_UDP_SEND:   return udp_sender_deadline(a->is.send);
    case LAB_TCP_LISTEN: return tcp_server_deadline(a->is.server);
    case LAB_TCP_CONNECT: return tcp_talk_deadline(a->is.client);
    case LAB_SVC:        return a->is.svc->due;
    case LAB_OUTSIDE:    return a->is.outside->deadline(a->is.outside->ctx);
    }
    return ORIEL_NEVER;
}

bool lab_app_busy(const struct lab_app *a)
{
    if (a->started && (a->kind == LAB_TCP_LISTEN || a->kind == LAB_TCP_CONNECT))
        return lab_tcp_busy(a);
    if (a->started && a->kind == LAB_SVC)
        return svc_app_busy(a->is.svc);
    if (a->started && a->kind == LAB_OUTSIDE)
        return a->is.outside->busy(a->is.outside->ctx);
    return lab_app_deadline(a) != ORIEL_NEVER;
}

static void start_tcp_server(struct lab *l, struct lab_app *a, const struct app_host *host)
{
    struct tcp_listen_params p = *a->act->u.tcp_listen;
    a->kind = LAB_TCP_LISTEN;
    p.netif = lab_netif(l, p.netif);
    best_effort(tcp_server_start(a->is.server, host, &p));      /* expectations ask */
}

static void start_tcp_client(struct lab *l, struct lab_app *a, const struct app_host *host)
{
    struct tcp_connect_params p = *a->act->u.tcp_connect;
    a->kind = LAB_TCP_CONNECT;
    p.netif = lab_netif(l, p.netif);
    if (p.netif && !addr_is_v4(&p.to.addr) && addr_is_link_local(&p.to.addr))
        p.to.addr.zone = (uint32_t)p.netif;
    tcp_client_start(a->is.client, host, &p, l->w->env.now);
}

static void start_app(struct lab *l, const struct sc_act *act)
{
    struct lab_app *a = &l->apps[l->apps_n++];
    struct udp_listen_params listen = act->u.listen;
    struct udp_send_params send = act->u.send;
    struct ping_params ping = act->u.ping;
    oriel_time now = l->w->env.now;
    ORIEL_ASSERT(a->act == act);
    a->node = &l->w->nodes[act->node];
    struct app_host host = lab_app_host(l, a);
    switch ((enum sc_act_kind)act->kind) {
    case ACT_PING:
        a->kind = LAB_PING;
        ping.netif = lab_netif(l, ping.netif);
        if (ping.netif && !addr_is_v4(&ping.to) && addr_is_link_local(&ping.to))
            ping.to.zone = (uint32_t)ping.netif;
        ping_start(a->is.ping, &host, &ping, now);
        break;
    case ACT_TRACE:
        a->kind = LAB_TRACE;
        trace_start(a->is.trace, &host, &act->u.trace, now);
        break;
    case ACT_UDP_LISTEN:
        a->kind = LAB_UDP_LISTEN;
        listen.netif = lab_netif(l, listen.netif);
        listen.group.netif = lab_netif(l, listen.group.netif);
        best_effort(udp_listener_start(a->is.listen, &host, &listen));  /* expectations ask */
        break;
    case ACT_TCP_LISTEN:
        start_tcp_server(l, a, &host);
        break;
    case ACT_TCP_CONNECT:
        start_tcp_client(l, a, &host);
        break;
    case ACT_SVC:
        lab_svc_start(l, a, &host);
        break;
    default:
        a->kind = LAB_UDP_SEND;
        send.netif = lab_netif(l, send.netif);
        if (send.netif && !addr_is_v4(&send.to.addr) && addr_is_link_local(&send.to.addr))
            send.to.addr.zone = (uint32_t)send.netif;
        udp_sender_start(a->is.send, &host, &send, now);
        break;
    }
    a->started = true;
    world_poke(l->w, a->node);
}

static struct lab_app *listener_on(struct lab *l, const struct node *n, uint16_t port)
{
    for (uint16_t i = 0; i < l->apps_n; i++) {
        struct lab_app *a = &l->apps[i];
        if (a->node == n && a->kind == LAB_UDP_LISTEN && a->is.listen->p.local.port == port &&
            a->is.listen->sock)
            return a;
    }
    return NULL;
}

/* close, join or leave of a listener that is there. */
static int member(struct lab *l, const struct sc_act *act)
{
    struct node *n = &l->w->nodes[act->node];
    struct lab_app *a = listener_on(l, n, act->u.member.port);
    const struct udp_group *g = &act->u.member.group;
    if (!a)
        return ORIEL_ENOENT;
    oriel_handle h = a->is.listen->sock;
    if (act->kind == ACT_UDP_JOIN)
        return oriel_group_join(n->stack, h, lab_netif(l, g->netif), &g->group, g->exclude,
                                g->sources, g->n);
    if (act->kind == ACT_UDP_LEAVE)
        return oriel_group_leave(n->stack, h, lab_netif(l, g->netif), &g->group);
    udp_listener_stop(a->is.listen);
    return 0;
}

/* ---- tables and interfaces ---- */

static int route(struct lab *l, const struct sc_act *a)
{
    struct oriel_stack *s = l->w->nodes[a->node].stack;
    const struct oriel_addr *gw = a->u.route.has_gateway ? &a->u.route.gateway : NULL;
    int netif = a->port == SC_NONE ? 0 : l->netifs[a->port];
    if (a->kind == ACT_ROUTE_ADD)
        return oriel_route_add(s, &a->u.route.prefix.addr, a->u.route.prefix.len, gw, netif,
                               a->u.route.metric);
    return oriel_route_remove(s, &a->u.route.prefix.addr, a->u.route.prefix.len, gw, netif);
}

static int late_vlan(struct lab *l, const struct sc_act *a)
{
    const struct sc_port *p = &l->s->ports[a->port];
    struct oriel_stack *s = l->w->nodes[a->node].stack;
    struct oriel_netif_config cfg = p->cfg;
    cfg.name = p->name;
    cfg.vlan_parent = l->netifs[p->parent];
    int netif = oriel_netif_add(s, &cfg);
    if (netif < 0)
        return netif;
    l->netifs[a->port] = netif;
    for (uint8_t k = 0; k < p->addrs_n; k++) {
        int err = oriel_addr_add(s, netif, &p->addrs[k].addr, p->addrs[k].len);
        if (err < 0)
            return err;
    }
    return 0;
}

static int remove_port(struct lab *l, const struct sc_act *a)
{
    int err = oriel_netif_remove(l->w->nodes[a->node].stack, l->netifs[a->port]);
    if (err == 0) {
        l->netifs[a->port] = 0;
        if (l->ports[a->port])
            l->ports[a->port]->netif = 0;
    }
    return err;
}

static int change_node(struct lab *l, const struct sc_act *a)
{
    struct oriel_stack *s = l->w->nodes[a->node].stack;
    int netif = a->port == SC_NONE ? 0 : l->netifs[a->port];
    switch ((enum sc_act_kind)a->kind) {
    case ACT_ADDR_ADD:   return oriel_addr_add(s, netif, &a->u.addr.addr, a->u.addr.len);
    case ACT_ADDR_DEL:   return oriel_addr_remove(s, netif, &a->u.addr.addr);
    case ACT_ROUTE_ADD:
    case ACT_ROUTE_DEL:  return route(l, a);
    case ACT_NEIGH_ADD:  return oriel_neigh_add(s, netif, &a->u.neigh.addr, a->u.neigh.mac.b);
    case ACT_NEIGH_DEL:  return oriel_neigh_remove(s, netif, &a->u.neigh.addr);
    case ACT_RARP_SERVE: return oriel_rarp_serve(s, a->u.neigh.mac.b, &a->u.neigh.addr);
    case ACT_RARP:       return oriel_netif_rarp(s, netif);
    case ACT_UP:         return oriel_netif_set_up(s, netif, true);
    case ACT_DOWN:       return oriel_netif_set_up(s, netif, false);
    case ACT_MTU:        return oriel_netif_set_mtu(s, netif, a->u.mtu);
    case ACT_VLAN:       return late_vlan(l, a);
    case ACT_REMOVE:     return remove_port(l, a);
    case ACT_TCP_TELL:   return lab_tell(l, a);
    case ACT_SVC_STOP:   return lab_svc_stop(l, a);
    default:             return member(l, a);
    }
}

static void set_wire(struct lab *l, const struct sc_act *a)
{
    struct wire *x = l->wires[a->u.wire.link];
    for (int i = 0; i < 2; i++) {
        struct syntax_error e = {0};
        if (a->u.wire.dir >= 0 && a->u.wire.dir != i)
            continue;
        bool known = wire_params_parse(a->u.wire.text, &x->dir[i].p, &e);
        ORIEL_ASSERT(known);            /* the parser tried it */
    }
}

/* ---- frames of peers ---- */

static void send_frame(struct lab *l, const struct sc_act *a, uint32_t n)
{
    struct port *p = l->ports[a->port];
    struct wr w = wr_of(l->frame, APP_BUFFER);
    struct syntax_error e = {0};
    bool fcs = p->wire && p->wire->dir[0].p.fcs;
    const struct scenario_hearing h = {.talks = l->talks[a->port], .n = n};
    if (!scenario_frame(a->u.frame.text, fcs, &h, &w, &e))
        lab_note(l, a->at, span_str("send"), e.expected);
    else if (!world_send(l->w, p, wr_span(&w)))
        lab_note(l, a->at, span_str("send"), "nothing is plugged in, or memory is exhausted");
}

oriel_time lab_send_next(const struct lab *l)
{
    oriel_time next = ORIEL_NEVER;
    for (uint16_t i = 0; i < l->senders_n; i++)
        if (l->senders[i].next < next)
            next = l->senders[i].next;
    for (uint16_t i = 0; i < l->pending_n; i++)
        if (l->pending[i]->time < next)
            next = l->pending[i]->time;
    return next;
}

/* The answer that is due first; its place in l->pending, or pending_n. */
static uint16_t first_due(const struct lab *l)
{
    uint16_t best = l->pending_n;
    for (uint16_t i = 0; i < l->pending_n; i++) {
        const struct lab_pending *p = l->pending[i];
        const struct lab_pending *b = best < l->pending_n ? l->pending[best] : NULL;
        if (p->time <= l->w->env.now &&
            (!b || p->time < b->time || (p->time == b->time && p->order < b->order)))
            best = i;
    }
    return best;
}

void lab_send_due(struct lab *l)
{
    for (uint16_t i = 0; i < l->senders_n; i++) {
        struct lab_sender *s = &l->senders[i];
        while (s->next <= l->w->env.now) {
            send_frame(l, s->act, s->sent);
            s->sent++;
            s->next = s->sent == s->act->u.frame.count
                          ? ORIEL_NEVER : time_after(s->next, s->act->u.frame.every);
        }
    }
    for (uint16_t i; (i = first_due(l)) < l->pending_n;) {
        struct lab_pending *p = l->pending[i];
        l->pending[i] = l->pending[--l->pending_n];
        if (!world_send(l->w, p->port, span_of(p->bytes, p->n)))
            lab_note(l, NULL, span_str("on"), "an answer could not be sent");
        pool_put(&l->pending_pool, p);
    }
}

/* ---- all of them ---- */

static struct span words_of(const struct lab *l, const struct sc_act *a)
{
    const uint8_t *end = a->at;
    while (end < l->s->text.p + l->s->text.n && *end != '\n' && *end != '#')
        end++;
    while (end > a->at && (end[-1] == ' ' || end[-1] == '\r' || end[-1] == '\t'))
        end--;
    return span_of(a->at, (size_t)(end - a->at));
}

void lab_act(struct lab *l, const struct sc_act *a)
{
    int err = 0;
    if (!a->setup)
        TRACE(&l->w->env, EV_STEP, a->kind);
    switch ((enum sc_act_kind)a->kind) {
    case ACT_PING:
    case ACT_TRACE:
    case ACT_UDP_LISTEN:
    case ACT_UDP_SEND:
    case ACT_TCP_LISTEN:
    case ACT_TCP_CONNECT:
    case ACT_SVC:
        start_app(l, a);
        return;
    case ACT_SEND:
        l->senders[l->senders_n++] = (struct lab_sender){.act = a, .next = a->time};
        lab_send_due(l);
        return;
    case ACT_EXPECT:
        lab_ask(l, a->u.expect);
        return;
    case ACT_LINK_SET:
        set_wire(l, a);
        return;
    case ACT_LINK_UP:
    case ACT_LINK_DOWN:
        world_set_wire(l->w, l->wires[a->u.wire.link], a->kind == ACT_LINK_UP);
        return;
    default:
        err = change_node(l, a);
        break;
    }
    if (err < 0)
        lab_note(l, a->at, words_of(l, a), oriel_strerror(err));
    if (l->started)
        world_poke(l->w, &l->w->nodes[a->node]);
}
