/*
 * Router advertisements. The stack has checked a solicitation before it reaches us (hop limit,
 * options, source: RFC 4861, 6.1.1) and learned its sender's link address. Answers go to all hosts:
 * several that ask at a time share one.
 */
#include "svc/ra.h"

#define INITIAL_N     3                         /* MAX_INITIAL_RTR_ADVERTISEMENTS */
#define INITIAL_GAP   (16 * NS_PER_S)           /* MAX_INITIAL_RTR_ADVERT_INTERVAL */
#define ANSWER_DELAY  (NS_PER_S / 2)            /* MAX_RA_DELAY_TIME */
#define LEAST_GAP     (3 * NS_PER_S)            /* MIN_DELAY_BETWEEN_RAS */
#define NO_ADDRESS    NS_PER_S                  /* look again for a link-local address */
#define ND_HOP_LIMIT  255
#define MESSAGE_MAX   1280

struct ndp_prefix ra_prefix(const struct prefix *p)
{
    return (struct ndp_prefix){.prefix = *p, .on_link = true, .autonomous = true,
                               .valid_s = RA_VALID_S, .preferred_s = RA_PREFERRED_S};
}

/* RFC 4861, 6.2.1: three times the longest interval; 8106, 5.1 likewise. */
static uint32_t lifetime_s(const struct ra_sender *r)
{
    return (uint32_t)(3 * (r->cfg.interval_max / NS_PER_S));
}

static struct ndp_msg message(const struct ra_sender *r)
{
    const struct ra_config *c = &r->cfg;
    struct ndp_msg m = {.type = ICMP6_RA, .hop_limit = RA_HOP_LIMIT,
                        .has_slla = !mac_is_zero(&r->mac), .slla = r->mac,
                        .has_mtu = c->mtu != 0, .mtu = c->mtu, .prefixes_n = c->prefixes_n,
                        .dns_n = c->dns_n, .dns_lifetime_s = lifetime_s(r)};
    if (!c->no_default && !r->stopped)
        m.router_lifetime_s = (uint16_t)lifetime_s(r);
    if (r->stopped)
        m.dns_lifetime_s = 0;
    memcpy(m.prefixes, c->prefixes, sizeof(m.prefixes));
    memcpy(m.dns, c->dns, sizeof(m.dns));
    return m;
}

/* The link-local address that the interface may use. */
static bool own_address(const struct ra_sender *r, struct oriel_addr *out)
{
    struct oriel_addr_info a;
    for (uint32_t at = 0; oriel_addr_each(r->cfg.stack, &at, &a);) {
        bool fits = a.netif == r->cfg.netif && !addr_is_v4(&a.addr) &&
                    addr_is_link_local(&a.addr) && strcmp(a.state, "preferred") == 0;
        if (!fits)
            continue;
        *out = a.addr;
        return true;
    }
    return false;
}

/* False: the interface has no address to speak from, or the stack no room. */
static bool advertise(struct ra_sender *r)
{
    uint8_t buf[MESSAGE_MAX];
    struct wr w = wr_of(buf, sizeof(buf));
    struct ndp_msg m = message(r);
    struct oriel_msg how = {.peer = {.addr = ADDR_V6_ALL_NODES}, .netif = r->cfg.netif,
                            .ttl = ND_HOP_LIMIT};
    if (!own_address(r, &how.local))
        return false;
    ndp_emit(&w, &m);
    ORIEL_ASSERT(!w.bad);
    if (oriel_send(r->cfg.stack, r->sock, buf, wr_len(&w), &how) < 0)
        return false;
    r->sent++;
    return true;
}

/* RFC 4861, 6.2.4: between a third of the longest interval and all of it; at first sooner. */
static oriel_time interval(struct ra_sender *r)
{
    oriel_time most = r->cfg.interval_max;
    oriel_time wait = rng_between(&r->rng, most / 3 > LEAST_GAP ? most / 3 : LEAST_GAP, most);
    return r->initial_left > 0 && wait > INITIAL_GAP ? INITIAL_GAP : wait;
}

static void send_now(struct ra_sender *r, oriel_time now)
{
    r->answer = ORIEL_NEVER;
    if (!advertise(r)) {
        r->next = time_after(now, NO_ADDRESS);
        return;
    }
    r->last = now;
    r->said = true;
    if (r->initial_left > 0)
        r->initial_left--;
    r->next = time_after(now, interval(r));
}

/* RFC 4861, 6.2.6. */
static void on_solicitation(struct ra_sender *r, oriel_time now)
{
    oriel_time at = now + rng_below(&r->rng, ANSWER_DELAY + 1);
    r->asked++;
    if (r->said && at < r->last + LEAST_GAP)
        at = r->last + LEAST_GAP + rng_below(&r->rng, ANSWER_DELAY + 1);
    if (at < r->answer)
        r->answer = at;
}

static void receive(struct ra_sender *r, oriel_time now)
{
    uint8_t buf[MESSAGE_MAX];
    for (int n; (n = oriel_recv(r->cfg.stack, r->sock, buf, sizeof(buf), NULL)) !=
                ORIEL_EAGAIN;) {
        struct rd rd = rd_of(span_of(buf, n > 0 ? (size_t)n : 0));
        if (rd_u8(&rd) == ICMP6_RS && rd.bad == 0)
            on_solicitation(r, now);
    }
}

oriel_time ra_step(struct ra_sender *r, oriel_time now)
{
    if (r->stopped)
        return ORIEL_NEVER;
    receive(r, now);
    if (now >= r->next || now >= r->answer)
        send_now(r, now);
    return r->next < r->answer ? r->next : r->answer;
}

static int open_socket(struct ra_sender *r)
{
    int err = oriel_icmp_open(r->cfg.stack, ORIEL_IP6, &r->sock);
    return err ? err : oriel_setopt(r->cfg.stack, r->sock, ORIEL_OPT_BIND_NETIF, r->cfg.netif);
}

int ra_start(struct ra_sender *r, oriel_time now, const struct ra_config *cfg)
{
    struct oriel_netif_info n;
    ORIEL_ASSERT(cfg->prefixes_n <= NDP_PREFIXES_MAX);
    ORIEL_ASSERT(cfg->dns_n <= NDP_DNS_MAX);
    *r = (struct ra_sender){.cfg = *cfg, .initial_left = INITIAL_N, .next = now,
                            .answer = ORIEL_NEVER};
    if (r->cfg.interval_max == 0)
        r->cfg.interval_max = RA_INTERVAL_MAX;
    ORIEL_ASSERT(r->cfg.interval_max >= 4 * NS_PER_S);
    ORIEL_ASSERT(r->cfg.interval_max <= 1800 * NS_PER_S);
    rng_seed(&r->rng, cfg->seed, 1);
    for (uint32_t at = 0; oriel_netif_each(cfg->stack, &at, &n);)
        if (n.netif == cfg->netif && n.kind != ORIEL_NETIF_RAW)
            memcpy(r->mac.b, n.mac, sizeof(r->mac.b));
    int err = open_socket(r);
    if (err && r->sock)
        best_effort(oriel_close(cfg->stack, r->sock));
    r->stopped = err != 0;
    return err;
}

void ra_stop(struct ra_sender *r)
{
    if (r->stopped)
        return;
    r->stopped = true;                  /* RFC 4861, 6.2.5 */
    if (r->said)
        (void)advertise(r);
    best_effort(oriel_close(r->cfg.stack, r->sock));
}
