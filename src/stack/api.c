/* The surface: arguments checked, then the layer that does the work. */
#include "stack/stack.h"

/* Interface of an index, or NULL. */
static struct netif *nif_of(const struct oriel_stack *s, int netif)
{
    return netif > 0 ? netif_at(&s->link, (uint32_t)netif) : NULL;
}

/* An API call is an event: what it causes points back at it. */
static void called(struct oriel_stack *s, enum oriel_call call, oriel_handle h, size_t len)
{
    struct env *env = &s->env;
    env->cause = 0;
    if (TRACE_ON(env, EV_CALL))
        env->cause = trace_put(env, EV_CALL, WHY_NONE, DROP_NONE, call, h, len, 0);
}

/* ---- packets ---- */

unsigned oriel_netif_take(struct oriel_stack *s, int netif, struct pkt *out[], unsigned max)
{
    struct netif *nif = nif_of(s, netif);
    return nif ? stack_take(s, nif, out, max) : 0;
}

struct pkt *oriel_pkt_new(struct oriel_stack *s, int netif, const void *frame, size_t len)
{
    struct pkt *p = nif_of(s, netif) ? pkt_new_copy(&s->env, PKT_HEADROOM, span_of(frame, len))
                                     : NULL;
    if (p)
        p->nif = (uint16_t)netif;
    return p;
}

size_t oriel_pkt_len(const struct pkt *p)
{
    return pkt_len(p);
}

size_t oriel_pkt_copy(const struct pkt *p, void *buf, size_t cap)
{
    size_t n = pkt_len(p) < cap ? pkt_len(p) : cap;
    pkt_read(p, 0, buf, n);
    return n;
}

void oriel_pkt_free(struct pkt *p)
{
    pkt_free(p);
}

const char *oriel_pkt_why(const struct pkt *p)
{
    return why_of((enum why)p->why)->text;
}

const char *oriel_pkt_why_name(const struct pkt *p)
{
    return why_of((enum why)p->why)->name;
}

/* ---- text ---- */

size_t oriel_addr_print(const struct oriel_addr *a, char *buf, size_t cap)
{
    char full[ADDR_TEXT_MAX];
    struct txt t = txt_of(full, sizeof(full));
    txt_addr(&t, a);
    if (cap > 0) {
        size_t n = t.n < cap ? t.n : cap - 1;
        memcpy(buf, full, n);
        buf[n] = 0;
    }
    return t.n;
}

int oriel_addr_parse(const char *text, struct oriel_addr *out)
{
    return addr_parse(span_str(text), out) ? 0 : ORIEL_EINVAL;
}

int oriel_prefix_parse(const char *text, struct oriel_addr *out, uint8_t *len)
{
    return addr_and_len_parse(span_str(text), out, len) ? 0 : ORIEL_EINVAL;
}

/* ---- interfaces ---- */

static int add_loopback_addrs(struct oriel_stack *s, const struct netif *nif)
{
    struct oriel_addr v4 = addr_v4(0x7f000001), v6 = addr_v6(0, 1);
    struct ifaddr *a;
    int err = ifaddr_add(&s->ip, nif->index, &v4, 104, ADDR_STATIC, &a);
    return err ? err : ifaddr_add(&s->ip, nif->index, &v6, 128, ADDR_STATIC, &a);
}

int oriel_netif_add(struct oriel_stack *s, const struct oriel_netif_config *cfg)
{
    struct oriel_netif_config c = *cfg;
    struct netif *nif;
    bool loopback = cfg->kind == ORIEL_NETIF_LOOPBACK;
    called(s, ORIEL_CALL_NETIF_ADD, 0, 0);
    if (loopback) {
        c.mtu = NETIF_MTU_MAX;
        c.ip6 = false;
        if (s->link.loopback)
            return ORIEL_EEXIST;
    }
    int err = netif_add(&s->link, &c, &nif);
    if (err)
        return err;
    ip_if_attach(&s->ip, nif, &c);
    if (loopback && (err = add_loopback_addrs(s, nif)) != 0) {
        ip_if_detach(&s->ip, nif);
        int gone = netif_remove(&s->link, nif);
        ORIEL_ASSERT(gone == 0);
        return err;
    }
    return nif->index;
}

int oriel_netif_remove(struct oriel_stack *s, int netif)
{
    struct netif *nif = nif_of(s, netif);
    called(s, ORIEL_CALL_NETIF_REMOVE, 0, 0);
    if (!nif)
        return ORIEL_ENOENT;
    for (uint16_t i = 1; i <= s->link.max; i++) {
        const struct netif *n = netif_at(&s->link, i);
        if (n && n->parent == nif)
            return ORIEL_EEXIST;
    }
    ip_if_detach(&s->ip, nif);
    tcp_on_netif_gone(&s->tcp, nif->index);
    return netif_remove(&s->link, nif);
}

/* An interface works or does not any more, and so do the VLANs on top of it. */
static void tell_ip(struct oriel_stack *s, struct netif *nif)
{
    if (netif_works(nif))
        ip_if_on_up(&s->ip, nif);
    else
        ip_if_on_down(&s->ip, nif);
    for (uint16_t i = 1; i <= s->link.max; i++) {
        struct netif *n = netif_at(&s->link, i);
        if (n && n->parent == nif)
            tell_ip(s, n);
    }
}

int oriel_netif_set_up(struct oriel_stack *s, int netif, bool up)
{
    struct netif *nif = nif_of(s, netif);
    called(s, ORIEL_CALL_NETIF_UP, 0, up);
    if (!nif)
        return ORIEL_ENOENT;
    if (netif_set_up(&s->link, nif, up, nif->carrier))
        tell_ip(s, nif);
    return 0;
}

int oriel_netif_set_carrier(struct oriel_stack *s, int netif, bool on)
{
    struct netif *nif = nif_of(s, netif);
    called(s, ORIEL_CALL_NETIF_CARRIER, 0, on);
    if (!nif)
        return ORIEL_ENOENT;
    if (netif_set_up(&s->link, nif, nif->up, on))
        tell_ip(s, nif);
    return 0;
}

int oriel_netif_set_mtu(struct oriel_stack *s, int netif, uint32_t mtu)
{
    struct netif *nif = nif_of(s, netif);
    called(s, ORIEL_CALL_NETIF_MTU, 0, mtu);
    if (!nif)
        return ORIEL_ENOENT;
    if (mtu < NETIF_MTU_MIN || mtu > NETIF_MTU_MAX)
        return ORIEL_EINVAL;
    nif->mtu = mtu;
    ip_changed(&s->ip);
    return 0;
}

int oriel_netif_rarp(struct oriel_stack *s, int netif)
{
    struct netif *nif = nif_of(s, netif);
    called(s, ORIEL_CALL_RARP, 0, 0);
    if (!nif)
        return ORIEL_ENOENT;
    if (!netif_has_neighbours(nif))
        return ORIEL_EOPNOTSUPP;
    rarp_start(&s->ip, ip_if_of(&s->ip, nif->index));
    return 0;
}

/* ---- addresses, routes, neighbours ---- */

int oriel_addr_add(struct oriel_stack *s, int netif, const struct oriel_addr *addr,
                   uint8_t prefix_len)
{
    struct ifaddr *a;
    called(s, ORIEL_CALL_ADDR_ADD, 0, 0);
    if (!nif_of(s, netif))
        return ORIEL_ENOENT;
    return ifaddr_add(&s->ip, (uint16_t)netif, addr, prefix_len, ADDR_STATIC, &a);
}

int oriel_addr_remove(struct oriel_stack *s, int netif, const struct oriel_addr *addr)
{
    called(s, ORIEL_CALL_ADDR_REMOVE, 0, 0);
    if (!nif_of(s, netif))
        return ORIEL_ENOENT;
    return ifaddr_del(&s->ip, (uint16_t)netif, addr);
}

/* The interface with an address (usable or not yet) whose prefix holds the gateway; 0: none. */
static uint16_t nif_towards(const struct oriel_stack *s, const struct oriel_addr *gateway)
{
    struct oriel_addr_info a;
    int best_len = -1;
    uint16_t best = (uint16_t)gateway->zone;
    for (uint32_t at = 0; gateway->zone == 0 && oriel_addr_each(s, &at, &a);) {
        struct prefix p = prefix_of(a.addr, a.prefix_len);
        if (prefix_has(&p, gateway) && a.prefix_len > best_len) {
            best_len = a.prefix_len;
            best = (uint16_t)a.netif;
        }
    }
    return best;
}

int oriel_route_add(struct oriel_stack *s, const struct oriel_addr *prefix, uint8_t prefix_len,
                    const struct oriel_addr *gateway, int netif, uint32_t metric)
{
    called(s, ORIEL_CALL_ROUTE_ADD, 0, 0);
    if (prefix_len > 128 || (addr_is_v4(prefix) && prefix_len < 96) || (!gateway && netif == 0))
        return ORIEL_EINVAL;
    if (gateway && (addr_is_v4(gateway) != addr_is_v4(prefix) || addr_is_multicast(gateway)))
        return ORIEL_EINVAL;
    uint16_t nif = netif ? (uint16_t)netif : nif_towards(s, gateway);
    if (!netif_at(&s->link, nif))
        return gateway && !netif ? ORIEL_ENETUNREACH : ORIEL_ENOENT;
    struct route r = {.prefix = prefix_of(*prefix, prefix_len), .nif = nif, .metric = metric,
                      .gateway = gateway ? *gateway : ADDR_NONE, .origin = ROUTE_STATIC};
    if (gateway && !addr_is_v4(gateway) && addr_is_link_local(gateway))
        r.gateway.zone = nif;
    int err = route_add(&s->ip.routes, &r);
    if (!err) {
        ip_changed(&s->ip);
        TRACE(&s->env, EV_ROUTE_CHANGE, prefix->hi, prefix->lo, prefix_len, 1);
    }
    return err;
}

int oriel_route_remove(struct oriel_stack *s, const struct oriel_addr *prefix, uint8_t prefix_len,
                       const struct oriel_addr *gateway, int netif)
{
    const struct oriel_addr none = ADDR_NONE;
    called(s, ORIEL_CALL_ROUTE_REMOVE, 0, 0);
    if (prefix_len > 128)
        return ORIEL_EINVAL;
    struct prefix p = prefix_of(*prefix, prefix_len);
    int err = route_del(&s->ip.routes, &p, gateway ? gateway : &none, (uint16_t)netif);
    if (!err) {
        ip_changed(&s->ip);
        TRACE(&s->env, EV_ROUTE_CHANGE, prefix->hi, prefix->lo, prefix_len, 0);
    }
    return err;
}

static bool neighbour_possible(const struct oriel_stack *s, int netif, const struct oriel_addr *a)
{
    const struct netif *nif = nif_of(s, netif);
    return nif && netif_has_neighbours(nif) && !addr_is_unspecified(a) && !addr_is_multicast(a);
}

int oriel_neigh_add(struct oriel_stack *s, int netif, const struct oriel_addr *addr,
                    const uint8_t mac[6])
{
    struct mac m;
    struct oriel_addr a = *addr;
    called(s, ORIEL_CALL_NEIGH_ADD, 0, 0);
    memcpy(m.b, mac, 6);
    if (!neighbour_possible(s, netif, addr) || mac_is_group(&m))
        return ORIEL_EINVAL;
    a.zone = !addr_is_v4(addr) && addr_is_link_local(addr) ? (uint32_t)netif : 0;
    return neigh_set_static(&s->ip, (uint16_t)netif, &a, &m);
}

int oriel_neigh_remove(struct oriel_stack *s, int netif, const struct oriel_addr *addr)
{
    called(s, ORIEL_CALL_NEIGH_REMOVE, 0, 0);
    if (!nif_of(s, netif))
        return ORIEL_ENOENT;
    return neigh_del(&s->ip, (uint16_t)netif, addr);
}

int oriel_rarp_serve(struct oriel_stack *s, const uint8_t mac[6], const struct oriel_addr *addr)
{
    struct ip *ip = &s->ip;
    if (!addr_is_v4(addr) || addr_is_unspecified(addr) || addr_is_multicast(addr))
        return ORIEL_EINVAL;
    if (ip->rarp_table_n == ARRAY_LEN(ip->rarp_table))
        return ORIEL_ENOBUFS;
    memcpy(ip->rarp_table[ip->rarp_table_n].mac.b, mac, 6);
    ip->rarp_table[ip->rarp_table_n++].addr = *addr;
    return 0;
}

/* ---- sockets ---- */

int oriel_udp_open(struct oriel_stack *s, enum oriel_family family, oriel_handle *out)
{
    called(s, ORIEL_CALL_OPEN, 0, 0);
    return sock_open(&s->socks, SOCK_UDP, family, out);
}

int oriel_icmp_open(struct oriel_stack *s, enum oriel_family family, oriel_handle *out)
{
    called(s, ORIEL_CALL_OPEN, 0, 0);
    return sock_open(&s->socks, SOCK_ICMP, family, out);
}

int oriel_tcp_open(struct oriel_stack *s, enum oriel_family family, oriel_handle *out)
{
    called(s, ORIEL_CALL_OPEN, 0, 0);
    return sock_open(&s->socks, SOCK_TCP, family, out);
}

int oriel_close(struct oriel_stack *s, oriel_handle h)
{
    called(s, ORIEL_CALL_CLOSE, h, 0);
    return sock_close(&s->socks, h);
}

int oriel_bind(struct oriel_stack *s, oriel_handle h, const struct oriel_endpoint *local)
{
    called(s, ORIEL_CALL_BIND, h, local->port);
    return sock_bind(&s->socks, h, local);
}

int oriel_connect(struct oriel_stack *s, oriel_handle h, const struct oriel_endpoint *remote)
{
    called(s, ORIEL_CALL_CONNECT, h, remote->port);
    return sock_connect(&s->socks, h, remote);
}

int oriel_local(const struct oriel_stack *s, oriel_handle h, struct oriel_endpoint *out)
{
    return sock_local(&s->socks, h, out);
}

int oriel_remote(const struct oriel_stack *s, oriel_handle h, struct oriel_endpoint *out)
{
    return sock_remote(&s->socks, h, out);
}

/* Apart, so that who sends without a trace has nothing to keep for it. */
static ORIEL_NEVER_INLINE int send_traced(struct oriel_stack *s, oriel_handle h, struct span data,
                                          const struct oriel_msg *msg)
{
    called(s, ORIEL_CALL_SEND, h, data.n);
    return sock_send(&s->socks, h, data, msg);
}

int oriel_send(struct oriel_stack *s, oriel_handle h, const void *data, size_t len,
               const struct oriel_msg *msg)
{
    s->env.cause = 0;
    if (TRACE_ON(&s->env, EV_CALL))
        return send_traced(s, h, span_of(data, len), msg);
    return sock_send(&s->socks, h, span_of(data, len), msg);
}

int oriel_recv(struct oriel_stack *s, oriel_handle h, void *buf, size_t cap, struct oriel_msg *msg)
{
    return sock_recv(&s->socks, h, buf, cap, msg);
}

int oriel_setopt(struct oriel_stack *s, oriel_handle h, enum oriel_opt opt, int64_t value)
{
    called(s, ORIEL_CALL_SETOPT, h, (size_t)opt);
    return sock_setopt(&s->socks, h, opt, value);
}

int oriel_getopt(struct oriel_stack *s, oriel_handle h, enum oriel_opt opt, int64_t *value)
{
    return sock_getopt(&s->socks, h, opt, value);
}

int oriel_group_join(struct oriel_stack *s, oriel_handle h, int netif,
                     const struct oriel_addr *group, bool exclude,
                     const struct oriel_addr *sources, unsigned n)
{
    struct mcast_filter f = {.exclude = exclude, .n = (uint16_t)n};
    const struct sock *k = sock_of(&s->socks, h);
    called(s, ORIEL_CALL_JOIN, h, n);
    if (!k)
        return ORIEL_EBADF;
    if (k->kind != SOCK_UDP)
        return ORIEL_EOPNOTSUPP;
    if (!nif_of(s, netif))
        return ORIEL_ENOENT;
    if (n > MCAST_SOURCES_MAX)
        return ORIEL_ENOBUFS;
    for (unsigned i = 0; i < n; i++) {          /* insertion into a short sorted list */
        unsigned at = i;
        for (; at > 0 && addr_cmp(&f.source[at - 1], &sources[i]) > 0; at--)
            f.source[at] = f.source[at - 1];
        f.source[at] = sources[i];
    }
    return mcast_set(&s->ip, (uint16_t)netif, group, sock_name(&s->socks, k), &f);
}

int oriel_group_leave(struct oriel_stack *s, oriel_handle h, int netif,
                      const struct oriel_addr *group)
{
    called(s, ORIEL_CALL_LEAVE, h, 0);
    const struct sock *k = sock_of(&s->socks, h);
    if (!k)
        return ORIEL_EBADF;
    if (!nif_of(s, netif))
        return ORIEL_ENOENT;
    mcast_leave(&s->ip, (uint16_t)netif, group, sock_name(&s->socks, k));
    return 0;
}

int oriel_last_error(const struct oriel_stack *s, oriel_handle h, struct oriel_error_info *out)
{
    return sock_last_error(&s->socks, h, out);
}

uint32_t oriel_ready(const struct oriel_stack *s, oriel_handle h)
{
    const struct sock *k = sock_of(&s->socks, h);
    return k ? sock_ready(&s->socks, k) : 0;
}

unsigned oriel_ready_take(struct oriel_stack *s, struct oriel_readiness out[], unsigned max)
{
    return socks_ready_take(&s->socks, out, max);
}

/* ---- streams ---- */

int oriel_listen(struct oriel_stack *s, oriel_handle h, const struct oriel_listen *l)
{
    called(s, ORIEL_CALL_LISTEN, h, l ? l->backlog : 0);
    return sock_listen(&s->socks, h, l);
}

int oriel_accept(struct oriel_stack *s, oriel_handle h, oriel_handle *out,
                 struct oriel_endpoint *peer)
{
    called(s, ORIEL_CALL_ACCEPT, h, 0);
    return sock_accept(&s->socks, h, out, peer);
}

int oriel_held_next(struct oriel_stack *s, oriel_handle h, struct oriel_held *out)
{
    return sock_held_next(&s->socks, h, out);
}

int oriel_admit(struct oriel_stack *s, oriel_handle h, uint64_t id, enum oriel_admission what)
{
    called(s, ORIEL_CALL_ADMIT, h, (size_t)what);
    return sock_admit(&s->socks, h, id, what);
}

int oriel_shutdown(struct oriel_stack *s, oriel_handle h, int how)
{
    called(s, ORIEL_CALL_SHUTDOWN, h, (size_t)how);
    return sock_shutdown(&s->socks, h, how);
}

int oriel_abort(struct oriel_stack *s, oriel_handle h)
{
    called(s, ORIEL_CALL_ABORT, h, 0);
    return sock_abort(&s->socks, h);
}

struct oriel_room oriel_send_window(struct oriel_stack *s, oriel_handle h)
{
    return sock_send_window(&s->socks, h);
}

int oriel_send_commit(struct oriel_stack *s, oriel_handle h, size_t n)
{
    called(s, ORIEL_CALL_SEND, h, n);
    return sock_send_commit(&s->socks, h, n);
}

int oriel_recv_view(struct oriel_stack *s, oriel_handle h, struct oriel_bytes out[], unsigned max)
{
    return sock_recv_view(&s->socks, h, out, max);
}

int oriel_recv_release(struct oriel_stack *s, oriel_handle h, size_t n)
{
    return sock_recv_release(&s->socks, h, n);
}

int oriel_tcp_info(const struct oriel_stack *s, oriel_handle h, struct oriel_tcp_info *out)
{
    return sock_tcp_info(&s->socks, h, out);
}

int oriel_congestion_named(const char *name)
{
    int kind = cc_kind_named(name, strlen(name));
    return kind >= 0 ? kind : ORIEL_ENOENT;
}

const char *oriel_congestion_name(int kind)
{
    const struct cc_ops *ops = kind >= 0 && kind < CC_N ? cc_ops_of((enum cc_kind)kind) : NULL;
    return ops ? ops->name : NULL;
}
