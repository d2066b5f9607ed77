/* A consistent picture of everything, between steps: each call gives the next row. */
#include "stack/stack.h"

bool oriel_netif_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_netif_info *out)
{
    const struct netif *n = NULL;
    while (*cursor < s->link.max && !(n = netif_at(&s->link, ++*cursor)))
        ;
    if (!n)
        return false;
    *out = (struct oriel_netif_info){
        .netif = n->index, .name = n->name, .kind = (enum oriel_netif_kind)n->kind, .up = n->up,
        .carrier = n->carrier, .mtu = n->mtu, .vlan_id = n->vid,
        .vlan_parent = n->parent ? n->parent->index : 0,
        .rx_pkts = n->stats.rx_pkts, .rx_bytes = n->stats.rx_bytes, .tx_pkts = n->stats.tx_pkts,
        .tx_bytes = n->stats.tx_bytes, .tx_full = n->stats.tx_full, .tx_waiting = netif_waiting(n),
    };
    memcpy(out->mac, n->mac.b, 6);
    return true;
}

static const char *addr_state_name(uint8_t state)
{
    static const char *const name[] = {
        [ADDR_FREE] = "free", [ADDR_TENTATIVE] = "tentative", [ADDR_PREFERRED] = "preferred",
        [ADDR_DEPRECATED] = "deprecated", [ADDR_DUPLICATE] = "duplicate",
    };
    return name[state];
}

static const char *addr_origin_name(uint8_t origin)
{
    static const char *const name[] = {
        [ADDR_STATIC] = "static", [ADDR_AUTO] = "auto", [ADDR_LINK_LOCAL] = "link-local",
        [ADDR_RARP] = "rarp",
    };
    return name[origin];
}

bool oriel_addr_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_addr_info *out)
{
    uint32_t row = 0;
    for (uint16_t i = 1; i <= s->link.max; i++) {
        if (!netif_at(&s->link, i))
            continue;
        LIST_EACH(node, &ip_if_of(&s->ip, i)->addrs) {
            const struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
            if (row++ < *cursor)
                continue;
            ++*cursor;
            *out = (struct oriel_addr_info){
                .netif = a->nif, .addr = a->addr, .prefix_len = a->prefix_len,
                .state = addr_state_name(a->state), .origin = addr_origin_name(a->origin),
                .preferred_until = a->preferred_until, .valid_until = a->valid_until,
            };
            return true;
        }
    }
    return false;
}

bool oriel_route_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_route_info *out)
{
    static const char *const origin[] = {
        [ROUTE_STATIC] = "static", [ROUTE_CONNECTED] = "connected", [ROUTE_RA] = "ra",
        [ROUTE_REDIRECT] = "redirect",
    };
    const struct route *r = route_each(&s->ip.routes, cursor);
    if (!r)
        return false;
    *out = (struct oriel_route_info){.prefix = r->prefix.addr, .prefix_len = r->prefix.len,
                                     .gateway = r->gateway, .netif = r->nif, .metric = r->metric,
                                     .origin = origin[r->origin]};
    return true;
}

bool oriel_neigh_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_neigh_info *out)
{
    const struct pool *p = &s->ip.neigh.pool;
    while (*cursor < p->fresh) {
        uint32_t i = (*cursor)++;
        if (!pool_is_live(p, i))
            continue;
        const struct neigh *n = pool_at(p, i);
        *out = (struct oriel_neigh_info){.netif = n->nif, .addr = n->addr, .router = n->router,
                                         .state = neigh_state_name((enum neigh_state)n->state),
                                         .waiting = n->waiting.n, .confirmed = n->confirmed};
        memcpy(out->mac, n->mac.b, 6);
        return true;
    }
    return false;
}

static void udp_row(const struct udp_pcb *c, struct oriel_socket_info *out)
{
    out->kind = "udp";
    out->family = (enum oriel_family)c->family;
    out->local = c->local;
    out->remote = c->remote;
    out->rcv_bytes = (uint32_t)pkt_queue_bytes(&c->rcv);
    out->rcv_pkts = c->rcv.n;
    out->rcv_max = (uint32_t)(c->rcv_max > UINT32_MAX ? UINT32_MAX : c->rcv_max);
    out->in_pkts = c->in_pkts;
    out->in_bytes = c->in_bytes;
    out->out_pkts = c->out_pkts;
    out->out_bytes = c->out_bytes;
    out->dropped = c->dropped;
}

static void raw_row(const struct raw_pcb *c, struct oriel_socket_info *out)
{
    out->kind = "icmp";
    out->family = (enum oriel_family)c->family;
    out->local.addr = c->local;
    out->remote.addr = c->remote;
    out->rcv_bytes = (uint32_t)pkt_queue_bytes(&c->rcv);
    out->rcv_pkts = c->rcv.n;
    out->rcv_max = (uint32_t)(c->rcv_max > UINT32_MAX ? UINT32_MAX : c->rcv_max);
    out->in_pkts = c->in_pkts;
    out->in_bytes = c->in_bytes;
    out->out_pkts = c->out_pkts;
    out->out_bytes = c->out_bytes;
    out->dropped = c->dropped;
}

static uint32_t chain_n(const struct pkt *p)
{
    uint32_t n = 0;
    for (; p; p = p->next)
        n++;
    return n;
}

static void tcp_row(const struct sock *k, struct oriel_socket_info *out)
{
    const struct tcp_conn *c = k->conn;
    out->kind = "tcp";
    out->family = (enum oriel_family)k->family;
    out->state = (enum oriel_tcp_state)c->state;
    out->local = stream_local(k);
    out->remote = stream_remote(k);
    out->rcv_bytes = c->rcv.unread;
    out->rcv_pkts = chain_n(c->rcvq);
    out->rcv_max = c->rcv.buf;
    out->in_pkts = c->stat.segs_in;
    out->in_bytes = c->stat.bytes_in;
    out->out_pkts = c->stat.segs_out;
    out->out_bytes = c->stat.bytes_acked + c->stat.bytes_rtx +
                     (uint64_t)(uint32_t)seq_diff(c->snd.una, c->snd.nxt);
}

static void listener_row(const struct sock *k, struct oriel_socket_info *out)
{
    out->kind = "tcp";
    out->family = (enum oriel_family)k->family;
    out->state = ORIEL_TCP_LISTEN;
    out->local = stream_local(k);
    out->rcv_pkts = k->listener->waiting;
    out->rcv_max = k->listener->backlog;
    out->in_pkts = k->listener->syns;
    out->dropped = k->listener->overflows;
}

static void socket_row(const struct sock *k, struct oriel_socket_info *out)
{
    switch ((enum sock_kind)k->kind) {
    case SOCK_UDP:          udp_row(k->udp, out); return;
    case SOCK_ICMP:         raw_row(k->raw, out); return;
    case SOCK_TCP:          tcp_row(k, out); return;
    case SOCK_TCP_LISTENER: listener_row(k, out); return;
    case SOCK_FREE:         return;
    }
}

bool oriel_socket_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_socket_info *out)
{
    const struct pool *p = &s->socks.pool;
    while (*cursor < p->fresh) {
        uint32_t i = (*cursor)++;
        if (!pool_is_live(p, i))
            continue;
        const struct sock *k = pool_at(p, i);
        *out = (struct oriel_socket_info){.handle = sock_handle(&s->socks, k),
                                          .ready = sock_ready(&s->socks, k)};
        socket_row(k, out);
        return true;
    }
    return false;
}

static struct oriel_conn_info conn_row(const struct tcp_tuple *k, enum oriel_tcp_state state)
{
    return (struct oriel_conn_info){
        .local = {.addr = tuple_local(k), .port = k->local_port},
        .remote = {.addr = tuple_remote(k), .port = k->remote_port},
        .state = state,
        .until = ORIEL_NEVER,
    };
}

/* The next connection that is, or was until its socket is closed; NULL at the end. */
static const struct tcp_conn *conn_next(const struct tcp *t, uint32_t *cursor)
{
    while (*cursor < t->conns.fresh) {
        uint32_t i = (*cursor)++;
        const struct tcp_conn *c = pool_is_live(&t->conns, i) ? tcp_conn_at(t, i) : NULL;
        if (c && c->tuple.remote_port != 0)
            return c;
    }
    return NULL;
}

static void full_row(const struct oriel_stack *s, const struct tcp_conn *c,
                     struct oriel_conn_info *out)
{
    *out = conn_row(&c->tuple, (enum oriel_tcp_state)c->state);
    out->handle = c->sock ? sock_handle(&s->socks, sock_named(&s->socks, c->sock)) : 0;
    out->send_queue = c->flight ? c->flight->sndq.len : 0;
    out->recv_queue = c->rcv.unread;
}

/* When the SYN-ACK leaves again, or the application is waited for no longer. */
static oriel_time half_due(const struct tcp *t, const struct tcp_half *h)
{
    unsigned last = TCP_HALF_AGES - 1, age = h->sent > 0 ? h->sent - 1u : 0;
    uint64_t us = t->env->now / NS_PER_US;
    int32_t ago = (int32_t)((uint32_t)us - h->sent_us);
    unsigned q = (h->flags & HALF_HELD) ? TCP_HALF_HELD : age < last ? age : last;
    return (us - (uint64_t)(int64_t)ago) * NS_PER_US + t->half.interval[q];
}

static void time_wait_row(const struct tcp *t, const struct tcp_tw *w, struct oriel_conn_info *out)
{
    struct tcp_tuple k = tcp_tw_tuple(w);
    uint64_t tick = t->env->now >> t->tw.shift;
    int16_t left = (int16_t)(w->until - (uint16_t)tick);
    *out = conn_row(&k, ORIEL_TCP_TIME_WAIT);
    out->until = (left > 0 ? tick + (uint64_t)left : tick) << t->tw.shift;
}

/* Connections, then half-open ones, then those in TIME-WAIT: each pool's rows follow the last's. */
bool oriel_conn_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_conn_info *out)
{
    const struct tcp *t = &s->tcp;
    uint32_t half_at = t->conns.cap, tw_at = half_at + t->half.pool.cap;
    if (*cursor < half_at) {
        const struct tcp_conn *c = conn_next(t, cursor);
        if (c) {
            full_row(s, c, out);
            return true;
        }
        *cursor = half_at;
    }
    if (*cursor < tw_at) {
        uint32_t at = *cursor - half_at;
        const struct tcp_half *h = tcp_half_each(t, &at);
        *cursor = h ? half_at + at : tw_at;
        if (h) {
            *out = conn_row(&h->tuple, ORIEL_TCP_SYN_RCVD);
            out->until = half_due(t, h);
            return true;
        }
    }
    uint32_t at = *cursor - tw_at;
    const struct tcp_tw *w = tcp_tw_each(t, &at);
    *cursor = tw_at + at;
    if (w)
        time_wait_row(t, w, out);
    return w != NULL;
}

bool oriel_group_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_group_info *out)
{
    struct mcast_info i;
    if (!mcast_each(&s->ip, cursor, &i))
        return false;
    *out = (struct oriel_group_info){.netif = i.nif, .group = i.group, .exclude = i.exclude,
                                     .sources = i.sources, .members = i.members};
    return true;
}

bool oriel_nat_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_nat_info *out)
{
    struct nat_info i;
    if (!nat_each(&s->ip, cursor, &i))
        return false;
    const char *proto = ip_proto_name(i.proto);
    *out = (struct oriel_nat_info){.proto = proto ? proto : "", .inside = i.inside,
                                   .outside = i.outside, .netif = i.nif, .until = i.until};
    return true;
}

bool oriel_dns_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_dns_info *out)
{
    while (*cursor < DNS_SERVERS_MAX) {
        const struct dns_server *d = &s->ip.slaac.dns[(*cursor)++];
        if (d->nif == 0)
            continue;
        *out = (struct oriel_dns_info){.netif = d->nif, .addr = d->addr, .until = d->until};
        return true;
    }
    return false;
}

bool oriel_pmtu_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_pmtu_info *out)
{
    const struct pmtu *p = pmtu_each(&s->ip.pmtu, cursor);
    if (!p)
        return false;
    *out = (struct oriel_pmtu_info){.dst = p->dst, .mtu = p->mtu, .until = p->until};
    return true;
}

bool oriel_reasm_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_reasm_info *out)
{
    struct frag_info i;
    if (!frag_each(&s->ip.frag, cursor, &i))
        return false;
    *out = (struct oriel_reasm_info){.src = i.key.src, .dst = i.key.dst, .id = i.key.id,
                                     .held_bytes = i.held_bytes, .total_len = i.total_len,
                                     .until = i.deadline};
    return true;
}

/* Reasons for sending, then for dropping; the zero rows are left out of neither. */
bool oriel_counter_each(const struct oriel_stack *s, uint32_t *cursor,
                        struct oriel_counter_info *out)
{
    uint32_t i = ++*cursor;
    const struct reason *r;
    if (i < WHY_N) {
        r = why_of((enum why)i);
        *out = (struct oriel_counter_info){"why", r->name, r->text, s->env.why_count[i]};
        return true;
    }
    i -= WHY_N - 1;
    if (i >= DROP_N)
        return false;
    r = drop_of((enum drop)i);
    *out = (struct oriel_counter_info){"drop", r->name, r->text, s->env.drop_count[i]};
    return true;
}

bool oriel_limit_each(const struct oriel_stack *s, uint32_t *cursor, struct oriel_limit_info *out)
{
    const struct limits *l = &s->limits;
    uint64_t netifs = 0;
    for (uint16_t i = 1; i <= s->link.max; i++)
        netifs += netif_at(&s->link, i) != NULL;
    const struct oriel_limit_info rows[] = {
        {"interfaces", l->netifs, netifs, "memory / 256 KiB, 8 to 256"},
        {"addresses", l->addrs, s->ip.addrs.live, "memory / 64 KiB, 32 to 4,096"},
        {"routes", l->routes, s->ip.routes.routes.live, "memory / 2 KiB, 64 to 1,048,576"},
        {"neighbours", l->neighs, s->ip.neigh.pool.live, "memory / 8 KiB, 64 to 65,536"},
        {"reassemblies", l->frags, s->ip.frag.recs.live, "memory / 64 KiB, 8 to 4,096"},
        {"reassembly bytes", l->frag_bytes, s->ip.frag.bytes, "memory / 8"},
        {"path MTUs", l->pmtus, s->ip.pmtu.pool.live, "memory / 16 KiB, 32 to 16,384"},
        {"groups", l->groups, s->ip.mcast.groups.live, "memory / 64 KiB, 24 to 1,024"},
        {"translations", l->nat_sessions, s->ip.nat.sessions.live, "memory / 8 KiB, 32 to 65,536"},
        {"sockets", l->sockets, s->socks.pool.live, "connections, at least 16"},
        {"datagram sockets", l->udp, s->udp.pcbs.live, "sockets; beyond 65,536 a sixteenth"},
        {"TCP connections", l->tcp.conns, s->tcp.conns.live, "sockets * 9 / 8 + 16"},
        {"TCP busy connections", l->tcp.flights, s->tcp.flights.live,
         "memory / 32 KiB, 32 to TCP connections"},
        {"TCP transmissions under way", l->tcp.records, s->tcp.records.live,
         "memory / 4 KiB, at least 256"},
        {"TCP gaps", l->tcp.ranges, s->tcp.ranges.live, "memory / 8 KiB, at least 64"},
        {"TCP sets of options", l->tcp.profiles, s->tcp.profiles.live,
         "memory / 32 KiB, 32 to 65,536"},
        {"TCP listeners", l->tcp.listeners, s->tcp.listeners.live, "sockets / 8, 16 to 65,535"},
        {"TCP half-open", l->tcp.half_open, s->tcp.half.pool.live,
         "configured, or memory / 16 KiB, at least 64"},
        {"TCP TIME-WAIT", l->tcp.time_wait, s->tcp.tw.pool.live,
         "configured, or memory / 8 KiB, at least 64"},
        {"packet bytes", l->packet_bytes, s->budget.used, "memory / 2 (all of it when shared)"},
    };
    if (*cursor >= ARRAY_LEN(rows))
        return false;
    *out = rows[(*cursor)++];
    return true;
}
