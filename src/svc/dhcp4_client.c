/*
 * The client's states, in the order of RFC 2131, figure 5:
 *
 *   INIT -> SELECTING -> REQUESTING -> CHECKING -> BOUND -> RENEWING -> REBINDING -> INIT
 *             REBOOTING ---^ (an address of old, or a link that was away)
 *
 * What a lease does to the interface is dhcp4_apply.c. What a message may say is judged in
 * lease_of: addresses that no host can have are refused before they reach the stack, whatever the
 * server's options claim (RFC 2131 trusts it entirely).
 *
 * The first offer that makes sense is taken; to collect several would only cost time. Replies are
 * asked for as broadcasts until there is an address, for a stack does not take packets to one that
 * it does not have.
 */
#include "svc/dhcp4_client.h"

#include "svc/dhcp4_apply.h"

#define MESSAGE_MAX   1500              /* of a message that we take and say so */
#define JITTER        NS_PER_S          /* RFC 2131, 4.1: a second more or less */
#define FOR_EVER      0xffffffffu       /* RFC 2131, 3.3 */
#define FUZZ          64                /* T1 and T2 come up to a 64th earlier (RFC 2131, 4.4.5) */
#define REFUSALS_FREE 1                 /* a NAK is no reason to wait; several are */
#define REFUSED_MAX   6                 /* doublings of that wait */
#define MTU_SENSIBLE  576               /* a link that takes less is not made of Ethernet frames */

/* What we want to be told, routes before routers (RFC 3442). */
static const uint8_t params[] = {
    DHCP4_OPT_MASK, DHCP4_OPT_ROUTES, DHCP4_OPT_ROUTERS, DHCP4_OPT_DNS,
    DHCP4_OPT_DOMAIN, DHCP4_OPT_MTU, DHCP4_OPT_LEASE, DHCP4_OPT_T1, DHCP4_OPT_T2,
};

const char *dhcp4_state_name(enum dhcp4_state s)
{
    static const char *const names[DHCP4_STATES] = {
        "STOPPED", "INIT", "SELECTING", "REQUESTING", "REBOOTING", "CHECKING", "BOUND", "RENEWING",
        "REBINDING",
    };
    return names[s];
}

/* Everything can end in STOPPED, and whatever is refused or runs out begins again. */
static const uint16_t legal_next[DHCP4_STATES] = {
    [DHCP4_STOPPED] = BIT(DHCP4_INIT) | BIT(DHCP4_REBOOTING),
    [DHCP4_INIT] = BIT(DHCP4_SELECTING),
    [DHCP4_SELECTING] = BIT(DHCP4_REQUESTING) | BIT(DHCP4_INIT),
    [DHCP4_REQUESTING] = BIT(DHCP4_CHECKING) | BIT(DHCP4_INIT),
    [DHCP4_REBOOTING] = BIT(DHCP4_CHECKING) | BIT(DHCP4_BOUND) | BIT(DHCP4_INIT),
    [DHCP4_CHECKING] = BIT(DHCP4_BOUND) | BIT(DHCP4_INIT) | BIT(DHCP4_REBOOTING),
    [DHCP4_BOUND] = BIT(DHCP4_RENEWING) | BIT(DHCP4_REBOOTING) | BIT(DHCP4_INIT),
    [DHCP4_RENEWING] = BIT(DHCP4_CHECKING) | BIT(DHCP4_REBINDING) | BIT(DHCP4_REBOOTING) |
                       BIT(DHCP4_INIT),
    [DHCP4_REBINDING] = BIT(DHCP4_CHECKING) | BIT(DHCP4_REBOOTING) | BIT(DHCP4_INIT),
};

static void set_state(struct dhcp4_client *c, enum dhcp4_state to)
{
    ORIEL_ASSERT(to == DHCP4_STOPPED || (legal_next[c->state] & BIT(to)) != 0);
    c->state = (uint8_t)to;
    c->tries = 0;
}

/* ---- messages out ---- */

static uint32_t draw_xid(struct dhcp4_client *c)
{
    uint64_t words[1] = {c->xids++};
    return (uint32_t)siphash_words(&c->xid_key, words, 1);
}

static struct dhcp4_msg message(const struct dhcp4_client *c, enum dhcp4_type type)
{
    return (struct dhcp4_msg){.type = (uint8_t)type, .xid = c->xid, .chaddr = c->cfg.mac,
                              .client_id = span_of(c->id, c->id_n)};
}

/* What is asked for every time, in the same words (RFC 2131, 4.4.1). */
static void add_wishes(const struct dhcp4_client *c, struct dhcp4_msg *m)
{
    m->max_size = MESSAGE_MAX;
    m->params = span_of(params, sizeof(params));
    m->host_name = c->cfg.host_name;
}

/* To a server that is known, or to everybody; from our address, or from nowhere. */
static void transmit(struct dhcp4_client *c, const struct dhcp4_msg *m, const struct oriel_addr *to,
                     const struct oriel_addr *from)
{
    uint8_t buf[MESSAGE_MAX];
    struct wr w = wr_of(buf, sizeof(buf));
    struct oriel_msg how = {.peer = {.addr = *to, .port = DHCP4_SERVER_PORT}, .local = *from,
                            .netif = c->cfg.netif};
    dhcp4_emit(&w, m);
    ORIEL_ASSERT(!w.bad);
    best_effort(oriel_send(c->cfg.stack, c->sock, buf, wr_len(&w), &how));  /* it is repeated */
}

/* When an answer is missed: 4, 8, 16, 32, 64 seconds, each a second more or less by chance. */
static oriel_time patience(struct dhcp4_client *c)
{
    oriel_time wait = c->tries < 5 ? DHCP4_FIRST_WAIT << c->tries : DHCP4_LONG_WAIT;
    if (wait > DHCP4_LONG_WAIT)
        wait = DHCP4_LONG_WAIT;
    return wait - JITTER + rng_below(&c->rng, 2 * JITTER + 1);
}

static void repeat_in(struct dhcp4_client *c, oriel_time now, oriel_time wait)
{
    c->deadline = time_after(now, wait);
    if (c->tries < UINT8_MAX)
        c->tries++;
}

/* An answer is waited for, but not beyond the end of what we have. */
static void wait_for_answer(struct dhcp4_client *c, oriel_time now)
{
    repeat_in(c, now, patience(c));
    if (c->has_lease && c->deadline > c->lease.until)
        c->deadline = c->lease.until;
}

static void send_discover(struct dhcp4_client *c, oriel_time now)
{
    oriel_time s = (now - c->began) / NS_PER_S;
    c->secs = s < UINT16_MAX ? (uint16_t)s : UINT16_MAX;
    struct dhcp4_msg m = message(c, DHCP4_DISCOVER);
    m.secs = c->secs;
    m.broadcast = true;
    if (c->has_hint)
        m.requested = c->hint;
    add_wishes(c, &m);
    transmit(c, &m, &ADDR_V4_BCAST, &ADDR_V4_ANY);
    wait_for_answer(c, now);
}

/* RFC 2131, 4.3.6: what stands in a REQUEST depends on the state. */
static void send_request(struct dhcp4_client *c, oriel_time now)
{
    struct dhcp4_msg m = message(c, DHCP4_REQUEST);
    struct oriel_addr to = ADDR_V4_BCAST, from = ADDR_V4_ANY;
    if (c->state == DHCP4_REQUESTING) {
        m.server_id = c->offer.server;
        m.requested = c->offer.addr;
        m.secs = c->secs;
        m.broadcast = true;
    } else {
        m.xid = c->xid = draw_xid(c);   /* an answer tells which request it is for */
    }
    if (c->state == DHCP4_REBOOTING) {
        m.requested = c->hint;
        m.broadcast = true;
    } else if (c->state == DHCP4_RENEWING || c->state == DHCP4_REBINDING) {
        m.ciaddr = from = c->lease.addr;
        if (c->state == DHCP4_RENEWING)
            to = c->lease.server;
    }
    add_wishes(c, &m);
    c->asked = now;
    transmit(c, &m, &to, &from);
}

/* ---- where the states lead ---- */

static void enter_init(struct dhcp4_client *c, oriel_time now, oriel_time wait)
{
    set_state(c, DHCP4_INIT);
    c->deadline = time_after(now, wait);
}

/* The lease is over, or never was one. */
static void lose(struct dhcp4_client *c)
{
    if (c->has_lease) {
        c->hint = c->lease.addr;
        c->has_hint = true;
    }
    dhcp4_withdraw(c);
}

/* Whoever is refused again and again asks less often. */
static oriel_time penance(struct dhcp4_client *c, oriel_time least)
{
    if (c->refusals < UINT8_MAX)
        c->refusals++;
    if (c->refusals <= REFUSALS_FREE)
        return least;
    unsigned n = c->refusals - REFUSALS_FREE - 1u;
    oriel_time wait = DHCP4_DECLINED << (n < REFUSED_MAX ? n : REFUSED_MAX);
    return wait > least ? wait : least;
}

static void on_nak(struct dhcp4_client *c, oriel_time now)
{
    c->naks++;
    lose(c);
    c->has_hint = false;
    enter_init(c, now, penance(c, 0));
}

/* Somebody else has it (RFC 2131, 4.4.1; RFC 5227, 2.1.1). */
static void decline(struct dhcp4_client *c, oriel_time now)
{
    struct dhcp4_msg m = message(c, DHCP4_DECLINE);
    m.server_id = c->lease.server;
    m.requested = c->lease.addr;
    c->declines++;
    lose(c);
    c->has_hint = false;
    m.xid = draw_xid(c);
    transmit(c, &m, &ADDR_V4_BCAST, &ADDR_V4_ANY);
    enter_init(c, now, penance(c, DHCP4_DECLINED));
}

static void begin_selecting(struct dhcp4_client *c, oriel_time now)
{
    set_state(c, DHCP4_SELECTING);
    c->xid = draw_xid(c);
    c->began = now;
    send_discover(c, now);
}

static void begin_reboot(struct dhcp4_client *c, oriel_time now)
{
    set_state(c, DHCP4_REBOOTING);
    send_request(c, now);
    wait_for_answer(c, now);
}

/* The stack says that the address may be used. */
static void bind_lease(struct dhcp4_client *c)
{
    set_state(c, DHCP4_BOUND);
    c->refusals = 0;
    c->deadline = c->lease.t1;
    dhcp4_apply_rest(c);
}

/* Is the address ours, somebody else's, or not known yet? */
static void check_address(struct dhcp4_client *c, oriel_time now)
{
    const char *state = dhcp4_addr_state(c);
    bool checking = c->state == DHCP4_CHECKING;
    if (strcmp(state, "duplicate") == 0) {
        decline(c, now);
    } else if (checking && strcmp(state, "none") == 0) {
        dhcp4_withdraw(c);              /* somebody took it away from the interface */
        enter_init(c, now, DHCP4_DECLINED);
    } else if (checking && strcmp(state, "tentative") != 0) {
        bind_lease(c);
    }
}

/* ---- messages in ---- */

/* RFC 2131, 4.4.5: T1 and T2 as told, if that makes sense, and a little earlier by chance. */
static void set_times(struct dhcp4_client *c, const struct dhcp4_msg *m, struct dhcp4_lease *l)
{
    l->t1 = l->t2 = l->until = ORIEL_NEVER;
    if (m->lease_s == FOR_EVER)
        return;
    bool told = m->has_t1 && m->has_t2 && m->t1_s < m->t2_s && m->t2_s < m->lease_s;
    oriel_time whole = m->lease_s * NS_PER_S;
    oriel_time t1 = told ? m->t1_s * NS_PER_S : whole / 2;
    oriel_time t2 = told ? m->t2_s * NS_PER_S : whole / 8 * 7;
    l->t1 = time_after(c->asked, t1 - rng_below(&c->rng, t1 / FUZZ + 1));
    l->t2 = time_after(c->asked, t2 - rng_below(&c->rng, (t2 - t1) / FUZZ + 1));
    l->until = time_after(c->asked, whole);
}

/* May a host have that address, on a network of that length? */
static bool is_host(const struct oriel_addr *a, uint8_t prefix_len)
{
    uint32_t v4 = addr_to_v4(a);
    uint32_t holes = prefix_len >= 128 ? 0 : UINT32_MAX >> (prefix_len - 96);
    bool edge = prefix_len < 127 && ((v4 & holes) == 0 || (v4 & holes) == holes);
    return addr_is_v4(a) && v4 >> 24 != 0 && !addr_is_multicast(a) && !addr_is_loopback(a) &&
           !addr_is_class_e(a) && !addr_is_limited_broadcast(a) && !edge;
}

static uint8_t prefix_len_of(const struct dhcp4_msg *m)
{
    uint32_t top = addr_to_v4(&m->yiaddr) >> 24;        /* RFC 791, 3.2: without a mask, by class */
    uint8_t by_class = top < 128 ? 8 : top < 192 ? 16 : 24;
    return (uint8_t)(96 + (m->has_mask ? m->mask_len : by_class));
}

static void take_routes(const struct dhcp4_msg *m, struct dhcp4_lease *l)
{
    for (unsigned i = 0; i < m->routes_n; i++) {
        const struct dhcp4_route *e = &m->routes[i];
        if (addr_is_unspecified(&e->via) || is_host(&e->via, 128))
            l->routes[l->routes_n++] = *e;
    }
    if (m->routes_n > 0)
        return;                         /* RFC 3442: then routers are ignored */
    for (unsigned i = 0; i < m->routers_n && l->routes_n == 0; i++)
        if (is_host(&m->routers[i], 128))
            l->routes[l->routes_n++] = (struct dhcp4_route){.to = prefix_v4(0, 0),
                                                            .via = m->routers[i]};
}

static void take_names(const struct dhcp4_msg *m, struct dhcp4_lease *l)
{
    for (unsigned i = 0; i < m->dns_n; i++)
        if (!addr_is_unspecified(&m->dns[i]) && !addr_is_multicast(&m->dns[i]))
            l->dns[l->dns_n++] = m->dns[i];
    if (m->domain.n > 0 && m->domain.n <= DHCP4_ID_MAX) {
        memcpy(l->domain, m->domain.p, m->domain.n);
        l->domain_n = (uint8_t)m->domain.n;
    }
}

/* What an OFFER or ACK gives. False: it makes no sense. */
static bool lease_of(struct dhcp4_client *c, const struct dhcp4_msg *m, struct dhcp4_lease *l)
{
    *l = (struct dhcp4_lease){.addr = m->yiaddr, .prefix_len = prefix_len_of(m),
                              .server = m->server_id};
    if (!m->has_lease || m->lease_s == 0 || !is_host(&l->addr, l->prefix_len) ||
        !is_host(&l->server, 128))
        return false;
    if (m->mtu >= MTU_SENSIBLE)
        l->mtu = m->mtu;
    take_routes(m, l);
    take_names(m, l);
    set_times(c, m, l);
    return true;
}

static void on_offer(struct dhcp4_client *c, oriel_time now, const struct dhcp4_msg *m)
{
    if (!lease_of(c, m, &c->offer))
        return;
    set_state(c, DHCP4_REQUESTING);
    send_request(c, now);
    wait_for_answer(c, now);
}

static void on_ack(struct dhcp4_client *c, oriel_time now, const struct dhcp4_msg *m)
{
    struct dhcp4_lease l;
    if (!lease_of(c, m, &l))
        return;
    int err = dhcp4_apply(c, &l);
    if (err) {
        lose(c);                        /* the stack has no room for it */
        enter_init(c, now, DHCP4_LONG_WAIT);
        return;
    }
    set_state(c, DHCP4_CHECKING);
    c->deadline = c->lease.until;
    check_address(c, now);
}

static bool waits_for_ack(const struct dhcp4_client *c)
{
    return c->state == DHCP4_REQUESTING || c->state == DHCP4_REBOOTING ||
           c->state == DHCP4_RENEWING || c->state == DHCP4_REBINDING;
}

/* From whom may the answer be? Whoever was asked by name; otherwise anybody. */
static bool is_asked(const struct dhcp4_client *c, const struct dhcp4_msg *m)
{
    return c->state != DHCP4_REQUESTING || addr_same_bits(&m->server_id, &c->offer.server);
}

static void on_message(struct dhcp4_client *c, oriel_time now, const struct dhcp4_msg *m)
{
    if (!m->is_reply || m->xid != c->xid || !mac_eq(&m->chaddr, &c->cfg.mac))
        return;
    if (c->state == DHCP4_SELECTING && m->type == DHCP4_OFFER)
        on_offer(c, now, m);
    else if (waits_for_ack(c) && is_asked(c, m) && m->type == DHCP4_ACK)
        on_ack(c, now, m);
    else if (waits_for_ack(c) && is_asked(c, m) && m->type == DHCP4_NAK)
        on_nak(c, now);
}

static void receive(struct dhcp4_client *c, oriel_time now)
{
    uint8_t buf[MESSAGE_MAX], room[DHCP4_JOINED_MAX];
    struct oriel_msg from;
    struct dhcp4_msg m;
    int n;
    while (c->sock && (n = oriel_recv(c->cfg.stack, c->sock, buf, sizeof(buf), &from)) !=
                          ORIEL_EAGAIN) {
        if (n < 0 || from.truncated || from.peer.port != DHCP4_SERVER_PORT)
            continue;
        struct rd r = rd_of(span_of(buf, (size_t)n));
        struct wr joined = wr_of(room, sizeof(room));
        if (dhcp4_parse(&r, &joined, &m))
            on_message(c, now, &m);
    }
}

/* ---- time ---- */

/* RFC 2131, 4.4.5: half of what is left until `end`, but not less than a minute. */
static void ask_for_more(struct dhcp4_client *c, oriel_time now, oriel_time end)
{
    oriel_time half = (end - now) / 2;
    send_request(c, now);
    repeat_in(c, now, half > DHCP4_RENEW_WAIT ? half : DHCP4_RENEW_WAIT);
    if (c->deadline > end)
        c->deadline = end;
}

static void on_renewal(struct dhcp4_client *c, oriel_time now)
{
    if (c->state == DHCP4_BOUND)
        set_state(c, DHCP4_RENEWING);
    if (c->state == DHCP4_RENEWING && now >= c->lease.t2)
        set_state(c, DHCP4_REBINDING);
    ask_for_more(c, now, c->state == DHCP4_RENEWING ? c->lease.t2 : c->lease.until);
}

static void on_silence(struct dhcp4_client *c, oriel_time now)
{
    uint8_t most = c->state == DHCP4_REQUESTING ? DHCP4_REQUESTS : DHCP4_REBOOTS;
    if (c->tries < most) {
        send_request(c, now);
        wait_for_answer(c, now);
    } else if (c->has_lease) {          /* RFC 2131, 3.2 (3): what is left of it is ours */
        set_state(c, DHCP4_BOUND);
        c->deadline = c->lease.t1;
    } else {
        enter_init(c, now, 0);
    }
}

static void on_deadline(struct dhcp4_client *c, oriel_time now)
{
    if (c->has_lease && now >= c->lease.until) {        /* RFC 2131, 4.4.5: at once */
        lose(c);
        enter_init(c, now, 0);
        return;
    }
    switch ((enum dhcp4_state)c->state) {
    case DHCP4_INIT:
        begin_selecting(c, now);
        break;
    case DHCP4_SELECTING:
        send_discover(c, now);
        break;
    case DHCP4_REQUESTING:
    case DHCP4_REBOOTING:
        on_silence(c, now);
        break;
    case DHCP4_BOUND:
    case DHCP4_RENEWING:
    case DHCP4_REBINDING:
        on_renewal(c, now);
        break;
    case DHCP4_CHECKING:                /* ends with the lease */
    case DHCP4_STOPPED:
    case DHCP4_STATES:
        break;
    }
}

static bool link_works(const struct dhcp4_client *c)
{
    struct oriel_netif_info n;
    for (uint32_t at = 0; oriel_netif_each(c->cfg.stack, &at, &n);)
        if (n.netif == c->cfg.netif)
            return n.up && n.carrier;
    return false;
}

/* The link was away and is back: is it the same one? The lease holds until a server says no. */
static void on_link_up(struct dhcp4_client *c, oriel_time now)
{
    if (c->has_lease) {
        c->hint = c->lease.addr;
        c->has_hint = true;
        if (c->state != DHCP4_REBOOTING)
            set_state(c, DHCP4_REBOOTING);
        send_request(c, now);
        wait_for_answer(c, now);
    } else if (c->state != DHCP4_INIT && c->state != DHCP4_REBOOTING) {
        enter_init(c, now, 0);
    }
}

oriel_time dhcp4_client_step(struct dhcp4_client *c, oriel_time now)
{
    bool had_link = c->has_link;
    c->has_link = link_works(c);
    if (c->state != DHCP4_STOPPED && c->has_link && !had_link)
        on_link_up(c, now);
    receive(c, now);
    if (c->has_lease)
        check_address(c, now);
    while (c->state != DHCP4_STOPPED && now >= c->deadline)
        on_deadline(c, now);
    return c->state == DHCP4_STOPPED ? ORIEL_NEVER : c->deadline;
}

/* ---- calls ---- */

static int open_socket(struct dhcp4_client *c)
{
    struct oriel_stack *s = c->cfg.stack;
    const struct oriel_endpoint at = {.addr = ADDR_NONE, .port = DHCP4_CLIENT_PORT};
    int err = oriel_udp_open(s, ORIEL_IP4, &c->sock);
    if (!err)
        err = oriel_setopt(s, c->sock, ORIEL_OPT_BIND_NETIF, c->cfg.netif);
    if (!err)
        err = oriel_setopt(s, c->sock, ORIEL_OPT_BROADCAST, 1);
    if (!err)
        err = oriel_bind(s, c->sock, &at);
    if (err && c->sock) {
        best_effort(oriel_close(s, c->sock));
        c->sock = 0;
    }
    return err;
}

int dhcp4_client_start(struct dhcp4_client *c, oriel_time now,
                       const struct dhcp4_client_config *cfg)
{
    struct wr id;
    *c = (struct dhcp4_client){.cfg = *cfg, .deadline = ORIEL_NEVER, .has_link = true};
    ORIEL_ASSERT(cfg->host_name.n <= DHCP4_ID_MAX);
    c->xid_key = siphash_derive(cfg->seed, "dhcp4 xid");
    rng_seed(&c->rng, siphash(&c->xid_key, span_of(cfg->seed, sizeof(cfg->seed))), 1);
    id = wr_of(c->id, sizeof(c->id));
    wr_u8(&id, 1);                      /* RFC 2132, 9.14: the type is that of the hardware */
    wr_mac(&id, &cfg->mac);
    c->id_n = (uint8_t)wr_len(&id);
    int err = open_socket(c);
    if (err)
        return err;
    if (!addr_is_unspecified(&cfg->requested)) {
        c->hint = cfg->requested;
        c->has_hint = true;
        begin_reboot(c, now);
        return 0;
    }
    enter_init(c, now, 0);
    return 0;
}

const struct dhcp4_lease *dhcp4_client_lease(const struct dhcp4_client *c)
{
    return c->has_routes ? &c->lease : NULL;
}

void dhcp4_client_stop(struct dhcp4_client *c)
{
    lose(c);
    set_state(c, DHCP4_STOPPED);
    if (c->sock)
        best_effort(oriel_close(c->cfg.stack, c->sock));
    c->sock = 0;
}

void dhcp4_client_release(struct dhcp4_client *c)
{
    if (c->has_routes) {
        struct dhcp4_msg m = message(c, DHCP4_RELEASE);
        m.xid = draw_xid(c);
        m.ciaddr = c->lease.addr;
        m.server_id = c->lease.server;
        transmit(c, &m, &c->lease.server, &c->lease.addr);
    }
    dhcp4_client_stop(c);
}
