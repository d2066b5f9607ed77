/*
 * The server: each message is judged by itself, against the table. Times in the table are compared
 * with the clock when somebody asks; nothing runs.
 *
 * Whether an address is in use by somebody without a lease is found out by the client (RFC 2131,
 * 3.1 (5)): it declines, and the address is left alone for an hour. We do not ping before offering.
 */
#include "svc/dhcp4_server.h"

#define MESSAGE_MAX 1500
#define FOR_EVER    0xffffffffu

/* ---- the table ---- */

static uint64_t client_of(const struct dhcp4_server *v, const struct dhcp4_msg *m)
{
    struct span id = m->client_id.n > 0 ? m->client_id : span_of(m->chaddr.b, sizeof(m->chaddr.b));
    return siphash(&v->key, id);
}

/* Does somebody hold it now? */
static bool holds(const struct dhcp4_binding *b, oriel_time now)
{
    return b->until > now && (b->state == DHCP4_BINDING_OFFERED ||
                              b->state == DHCP4_BINDING_LEASED || b->state == DHCP4_BINDING_SPOILT);
}

static struct dhcp4_binding *binding_of(const struct dhcp4_server *v, uint64_t client)
{
    for (uint32_t i = 0; i < v->cfg.table_n; i++) {
        struct dhcp4_binding *b = &v->cfg.table[i];
        if (b->state != DHCP4_BINDING_NONE && b->state != DHCP4_BINDING_SPOILT &&
            b->client == client)
            return b;
    }
    return NULL;
}

static struct dhcp4_binding *holder_of(const struct dhcp4_server *v, const struct oriel_addr *a,
                                       oriel_time now)
{
    for (uint32_t i = 0; i < v->cfg.table_n; i++) {
        struct dhcp4_binding *b = &v->cfg.table[i];
        if (holds(b, now) && addr_same_bits(&b->addr, a))
            return b;
    }
    return NULL;
}

/* A place for another one: free, or the one that has been over for longest. NULL: all hold. */
static struct dhcp4_binding *room(const struct dhcp4_server *v, oriel_time now)
{
    struct dhcp4_binding *best = NULL;
    for (uint32_t i = 0; i < v->cfg.table_n; i++) {
        struct dhcp4_binding *b = &v->cfg.table[i];
        if (b->state == DHCP4_BINDING_NONE)
            return b;
        if (!holds(b, now) && (!best || b->until < best->until))
            best = b;
    }
    return best;
}

static bool in_range(const struct dhcp4_server *v, const struct oriel_addr *a)
{
    uint32_t v4 = addr_to_v4(a);
    return addr_is_v4(a) && v4 >= addr_to_v4(&v->cfg.first) && v4 <= addr_to_v4(&v->cfg.last);
}

static bool on_network(const struct dhcp4_server *v, const struct oriel_addr *a)
{
    struct prefix net = prefix_of(v->cfg.addr, v->cfg.prefix_len);
    return prefix_has(&net, a);
}

static const struct dhcp4_reservation *reservation_of(const struct dhcp4_server *v,
                                                      const struct mac *mac)
{
    for (uint32_t i = 0; i < v->cfg.reserved_n; i++)
        if (mac_eq(&v->cfg.reserved[i].mac, mac))
            return &v->cfg.reserved[i];
    return NULL;
}

static bool is_reserved(const struct dhcp4_server *v, const struct oriel_addr *a)
{
    for (uint32_t i = 0; i < v->cfg.reserved_n; i++)
        if (addr_same_bits(&v->cfg.reserved[i].addr, a))
            return true;
    return false;
}

/* May that client be given that address? */
static bool may_have(const struct dhcp4_server *v, uint64_t client, const struct mac *mac,
                     const struct oriel_addr *a, oriel_time now)
{
    const struct dhcp4_reservation *own = reservation_of(v, mac);
    const struct dhcp4_binding *b = holder_of(v, a, now);
    struct prefix net = prefix_of(v->cfg.addr, v->cfg.prefix_len);
    struct oriel_addr all = prefix_v4_broadcast(&net);
    if (b && (b->client != client || b->state == DHCP4_BINDING_SPOILT))
        return false;
    if (own)
        return addr_same_bits(&own->addr, a);
    bool edge = v->cfg.prefix_len < 127 &&
                (addr_same_bits(a, &net.addr) || addr_same_bits(a, &all));
    return in_range(v, a) && on_network(v, a) && !edge && !is_reserved(v, a) &&
           !addr_same_bits(a, &v->cfg.addr);
}

/*
 * RFC 2131, 4.3.1: what the client has or had, what it asks for, or any that is free, begun at a
 * place of its own so that a client tends to get the same one even where nothing is remembered.
 */
static bool choose(const struct dhcp4_server *v, const struct dhcp4_msg *m, oriel_time now,
                   struct oriel_addr *out)
{
    uint64_t client = client_of(v, m);
    const struct dhcp4_binding *b = binding_of(v, client);
    const struct dhcp4_reservation *own = reservation_of(v, &m->chaddr);
    uint64_t size = (uint64_t)addr_to_v4(&v->cfg.last) - addr_to_v4(&v->cfg.first) + 1;
    *out = own ? own->addr : b ? b->addr : m->requested;
    if (may_have(v, client, &m->chaddr, out, now))
        return true;
    *out = m->requested;
    if (may_have(v, client, &m->chaddr, out, now))
        return true;
    for (uint64_t i = 0; i < size && i <= (uint64_t)v->cfg.table_n + v->cfg.reserved_n + 3; i++) {
        *out = addr_v4((uint32_t)(addr_to_v4(&v->cfg.first) + (client + i) % size));
        if (may_have(v, client, &m->chaddr, out, now))
            return true;
    }
    return false;
}

/* The client's binding becomes that. False: there is no room. */
static bool bind_to(struct dhcp4_server *v, const struct dhcp4_msg *m, const struct oriel_addr *a,
                    enum dhcp4_binding_state state, oriel_time now, oriel_time until)
{
    uint64_t client = client_of(v, m);
    struct dhcp4_binding *b = binding_of(v, client);
    if (!b)
        b = room(v, now);
    if (!b)
        return false;
    *b = (struct dhcp4_binding){.client = client, .addr = *a, .state = (uint8_t)state,
                                .mac = m->chaddr, .until = until};
    return true;
}

/* ---- messages out ---- */

static struct dhcp4_msg reply_to(const struct dhcp4_server *v, const struct dhcp4_msg *m,
                                 enum dhcp4_type type)
{
    return (struct dhcp4_msg){.is_reply = true, .type = (uint8_t)type, .xid = m->xid,
                              .broadcast = m->broadcast, .giaddr = m->giaddr, .chaddr = m->chaddr,
                              .server_id = v->cfg.addr, .client_id = m->client_id};
}

static void add_settings(const struct dhcp4_server *v, struct dhcp4_msg *m)
{
    m->has_mask = true;
    m->mask_len = (uint8_t)(v->cfg.prefix_len - 96);
    if (!addr_is_unspecified(&v->cfg.router))
        m->routers[m->routers_n++] = v->cfg.router;
    for (unsigned i = 0; i < v->cfg.dns_n; i++)
        m->dns[m->dns_n++] = v->cfg.dns[i];
    m->domain = v->cfg.domain;
    m->mtu = v->cfg.mtu;
}

static void add_lease(const struct dhcp4_server *v, struct dhcp4_msg *m,
                      const struct oriel_addr *a)
{
    m->yiaddr = *a;
    m->has_lease = true;
    m->lease_s = v->cfg.lease_s;
    if (m->lease_s == FOR_EVER)
        return;
    m->has_t1 = m->has_t2 = true;
    m->t1_s = m->lease_s / 2;
    m->t2_s = m->lease_s - m->lease_s / 8;
}

/* Where a reply goes: RFC 2131, 4.1. */
static struct oriel_endpoint destination(const struct dhcp4_msg *reply,
                                         const struct oriel_addr *ciaddr)
{
    if (!addr_is_unspecified(&reply->giaddr))
        return (struct oriel_endpoint){reply->giaddr, DHCP4_SERVER_PORT};
    if (reply->type == DHCP4_NAK)
        return (struct oriel_endpoint){ADDR_V4_BCAST, DHCP4_CLIENT_PORT};
    if (!addr_is_unspecified(ciaddr))
        return (struct oriel_endpoint){*ciaddr, DHCP4_CLIENT_PORT};
    if (reply->broadcast)
        return (struct oriel_endpoint){ADDR_V4_BCAST, DHCP4_CLIENT_PORT};
    return (struct oriel_endpoint){reply->yiaddr, DHCP4_CLIENT_PORT};
}

/*
 * A client that takes unicast before it has its address cannot be asked for its link address: for
 * the time of one datagram the stack is told (RFC 2131, 4.1).
 */
static void transmit(struct dhcp4_server *v, const struct dhcp4_msg *reply,
                     const struct oriel_addr *ciaddr)
{
    struct oriel_stack *s = v->cfg.stack;
    uint8_t buf[MESSAGE_MAX];
    struct wr w = wr_of(buf, sizeof(buf));
    struct oriel_msg how = {.peer = destination(reply, ciaddr), .local = v->cfg.addr};
    bool unasked = addr_is_unspecified(&reply->giaddr) && addr_is_unspecified(ciaddr) &&
                   addr_same_bits(&how.peer.addr, &reply->yiaddr);
    dhcp4_emit(&w, reply);
    if (w.bad)
        return;                         /* a client identifier longer than a datagram: let it be */
    if (unasked && oriel_neigh_add(s, v->cfg.netif, &how.peer.addr, reply->chaddr.b) != 0)
        return;
    if (addr_is_limited_broadcast(&how.peer.addr))
        how.netif = v->cfg.netif;
    best_effort(oriel_send(s, v->sock, buf, wr_len(&w), &how));
    if (unasked)
        best_effort(oriel_neigh_remove(s, v->cfg.netif, &how.peer.addr));
}

static oriel_time lease_end(const struct dhcp4_server *v, oriel_time now)
{
    return v->cfg.lease_s == FOR_EVER ? ORIEL_NEVER : time_after(now, v->cfg.lease_s * NS_PER_S);
}

static void send_nak(struct dhcp4_server *v, const struct dhcp4_msg *m)
{
    const struct oriel_addr none = ADDR_V4_ANY;
    struct dhcp4_msg r = reply_to(v, m, DHCP4_NAK);
    if (!addr_is_unspecified(&m->giaddr))
        r.broadcast = true;             /* RFC 2131, 4.3.2: so that the relay broadcasts it */
    v->naks++;
    transmit(v, &r, &none);
}

static void send_ack(struct dhcp4_server *v, const struct dhcp4_msg *m, const struct oriel_addr *a,
                     oriel_time now)
{
    if (!bind_to(v, m, a, DHCP4_BINDING_LEASED, now, lease_end(v, now))) {
        v->ignored++;
        return;
    }
    struct dhcp4_msg r = reply_to(v, m, DHCP4_ACK);
    r.ciaddr = m->ciaddr;
    add_lease(v, &r, a);
    add_settings(v, &r);
    v->acks++;
    transmit(v, &r, &m->ciaddr);
}

/* ---- messages in ---- */

static void on_discover(struct dhcp4_server *v, const struct dhcp4_msg *m, oriel_time now)
{
    const struct dhcp4_binding *b = binding_of(v, client_of(v, m));
    const struct oriel_addr none = ADDR_V4_ANY;
    struct oriel_addr a;
    if (!choose(v, m, now, &a)) {
        v->ignored++;
        return;
    }
    bool has_it = b && b->state == DHCP4_BINDING_LEASED && holds(b, now) &&
                  addr_same_bits(&b->addr, &a);
    if (!has_it && !bind_to(v, m, &a, DHCP4_BINDING_OFFERED, now,
                            time_after(now, DHCP4_OFFER_LIFE))) {
        v->ignored++;
        return;
    }
    struct dhcp4_msg r = reply_to(v, m, DHCP4_OFFER);
    add_lease(v, &r, &a);
    add_settings(v, &r);
    v->offers++;
    transmit(v, &r, &none);
}

/* The client chose: us, or somebody else, whose our offer then is no more. */
static void on_selecting(struct dhcp4_server *v, const struct dhcp4_msg *m, oriel_time now)
{
    struct dhcp4_binding *b = binding_of(v, client_of(v, m));
    if (!addr_same_bits(&m->server_id, &v->cfg.addr)) {
        if (b && b->state == DHCP4_BINDING_OFFERED)
            b->state = DHCP4_BINDING_OVER;
        v->ignored++;
        return;
    }
    if (b && holds(b, now) && addr_same_bits(&b->addr, &m->requested))
        send_ack(v, m, &b->addr, now);
    else
        send_nak(v, m);
}

/*
 * It wants to go on with an address that it has or had (INIT-REBOOT, RENEWING, REBINDING). Of whom
 * nothing is known another server may know, unless the address cannot be right here.
 */
static void on_again(struct dhcp4_server *v, const struct dhcp4_msg *m, oriel_time now)
{
    const struct oriel_addr *a = addr_is_unspecified(&m->ciaddr) ? &m->requested : &m->ciaddr;
    const struct dhcp4_binding *b = binding_of(v, client_of(v, m));
    if (addr_is_unspecified(a)) {
        v->ignored++;
        return;
    }
    if (!on_network(v, a)) {
        send_nak(v, m);
    } else if (!b) {
        v->ignored++;
    } else if (addr_same_bits(&b->addr, a) &&
               may_have(v, b->client, &m->chaddr, a, now)) {
        send_ack(v, m, a, now);
    } else {
        send_nak(v, m);
    }
}

static void on_decline(struct dhcp4_server *v, const struct dhcp4_msg *m, oriel_time now)
{
    struct dhcp4_binding *b = binding_of(v, client_of(v, m));
    if (!addr_same_bits(&m->server_id, &v->cfg.addr) || !b ||
        !addr_same_bits(&b->addr, &m->requested)) {
        v->ignored++;
        return;
    }
    v->declines++;
    b->state = DHCP4_BINDING_SPOILT;
    b->client = 0;
    b->until = time_after(now, DHCP4_SPOILT_LIFE);
}

static void on_release(struct dhcp4_server *v, const struct dhcp4_msg *m, oriel_time now)
{
    struct dhcp4_binding *b = binding_of(v, client_of(v, m));
    if (!b || b->state != DHCP4_BINDING_LEASED || !addr_same_bits(&b->addr, &m->ciaddr)) {
        v->ignored++;
        return;
    }
    v->releases++;
    b->state = DHCP4_BINDING_OVER;
    b->until = now;
}

/* RFC 2131, 4.3.5: it has an address from elsewhere and wants the rest. */
static void on_inform(struct dhcp4_server *v, const struct dhcp4_msg *m)
{
    if (!on_network(v, &m->ciaddr)) {
        v->ignored++;
        return;
    }
    struct dhcp4_msg r = reply_to(v, m, DHCP4_ACK);
    r.ciaddr = m->ciaddr;
    add_settings(v, &r);
    v->acks++;
    transmit(v, &r, &m->ciaddr);
}

static void on_message(struct dhcp4_server *v, const struct dhcp4_msg *m, oriel_time now)
{
    bool relayed = !addr_is_unspecified(&m->giaddr);
    if (m->is_reply || mac_is_group(&m->chaddr) || mac_is_zero(&m->chaddr) ||
        (relayed && !on_network(v, &m->giaddr))) {
        v->ignored++;
        return;
    }
    switch (m->type) {
    case DHCP4_DISCOVER:
        on_discover(v, m, now);
        break;
    case DHCP4_REQUEST:
        if (addr_is_unspecified(&m->server_id))
            on_again(v, m, now);
        else
            on_selecting(v, m, now);
        break;
    case DHCP4_DECLINE:
        on_decline(v, m, now);
        break;
    case DHCP4_RELEASE:
        on_release(v, m, now);
        break;
    case DHCP4_INFORM:
        on_inform(v, m);
        break;
    default:
        v->ignored++;
        break;
    }
}

void dhcp4_server_step(struct dhcp4_server *v, oriel_time now)
{
    uint8_t buf[MESSAGE_MAX], parts[DHCP4_JOINED_MAX];
    struct oriel_msg from;
    struct dhcp4_msg m;
    int n;
    while (v->sock && (n = oriel_recv(v->cfg.stack, v->sock, buf, sizeof(buf), &from)) !=
                          ORIEL_EAGAIN) {
        if (n < 0 || from.truncated)
            continue;
        struct rd r = rd_of(span_of(buf, (size_t)n));
        struct wr joined = wr_of(parts, sizeof(parts));
        if (dhcp4_parse(&r, &joined, &m))
            on_message(v, &m, now);
        else
            v->ignored++;
    }
}

/* ---- calls ---- */

static int open_socket(struct dhcp4_server *v)
{
    struct oriel_stack *s = v->cfg.stack;
    const struct oriel_endpoint at = {.addr = ADDR_NONE, .port = DHCP4_SERVER_PORT};
    int err = oriel_udp_open(s, ORIEL_IP4, &v->sock);
    if (!err)
        err = oriel_setopt(s, v->sock, ORIEL_OPT_BIND_NETIF, v->cfg.netif);
    if (!err)
        err = oriel_setopt(s, v->sock, ORIEL_OPT_BROADCAST, 1);
    return err ? err : oriel_bind(s, v->sock, &at);
}

int dhcp4_server_start(struct dhcp4_server *v, const struct dhcp4_server_config *cfg)
{
    ORIEL_ASSERT(cfg->dns_n <= DHCP4_ADDRS_MAX);
    ORIEL_ASSERT(cfg->prefix_len >= 96);
    ORIEL_ASSERT(addr_to_v4(&cfg->first) <= addr_to_v4(&cfg->last));
    *v = (struct dhcp4_server){.cfg = *cfg, .key = siphash_derive(cfg->seed, "dhcp4 client")};
    if (v->cfg.lease_s == 0)
        v->cfg.lease_s = DHCP4_LEASE_S;
    for (uint32_t i = 0; i < cfg->table_n; i++)
        cfg->table[i] = (struct dhcp4_binding){.state = DHCP4_BINDING_NONE};
    int err = open_socket(v);
    if (err)
        dhcp4_server_stop(v);
    return err;
}

void dhcp4_server_stop(struct dhcp4_server *v)
{
    if (v->sock)
        best_effort(oriel_close(v->cfg.stack, v->sock));
    v->sock = 0;
}
