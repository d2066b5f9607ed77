/*
 * IPCP (RFC 1332; name servers: 1877) and IPV6CP (RFC 5072): which address each end has.
 *
 * Who has no address asks with zeros, and a Nak says which one it is. Header compression is refused: it would
 * need state that a lost frame spoils, for lines slower than any that is left.
 */
#include "link/ppp_neg.h"

/* Of a host: not of this network, the loopback, a group, or everybody. */
static bool is_host4(uint32_t a)
{
    uint32_t net = a >> 24;
    return net != 0 && net != 127 && net < 224;
}

/* ---- IPCP ---- */

static void begin4(struct ppp *l)
{
    l->peer4 = 0;
    l->asked4 = false;
}

/* An end that does not say which address it has may not know. */
static bool misses4(const struct ppp *l, struct ppp_value *o)
{
    *o = (struct ppp_value){.type = IPCP_OPT_ADDR, .n = 4, .v = l->cfg.peer4};
    return l->cfg.peer4 != 0 && l->peer4 == 0 && !l->asked4;
}

static enum ppp_verdict judge_addr4(struct ppp *l, struct ppp_value *o)
{
    const struct ppp_value *own = ppp_neg_has(&l->ipcp, IPCP_OPT_ADDR);
    uint32_t a = (uint32_t)o->v, wanted = l->cfg.peer4;
    l->asked4 = true;
    bool good = is_host4(a) && (!own || a != own->v);
    if (good && (wanted == 0 || a == wanted)) {
        l->peer4 = a;
        return PPP_TAKE;
    }
    o->v = wanted;
    return wanted != 0 ? PPP_BETTER : PPP_REFUSE;
}

static enum ppp_verdict judge_dns4(const struct ppp *l, struct ppp_value *o)
{
    uint32_t dns = l->cfg.dns4[o->type == IPCP_OPT_DNS2];
    if (dns == 0)
        return PPP_REFUSE;
    bool same = o->v == dns;
    o->v = dns;
    return same ? PPP_TAKE : PPP_BETTER;
}

static enum ppp_verdict judge4(struct ppp *l, struct ppp_value *o)
{
    if (o->n != 4)
        return PPP_REFUSE;
    if (o->type == IPCP_OPT_ADDR)
        return judge_addr4(l, o);
    bool dns = o->type == IPCP_OPT_DNS1 || o->type == IPCP_OPT_DNS2;
    return dns ? judge_dns4(l, o) : PPP_REFUSE;
}

/* An address that the user gave stays; name servers are whoever the peer says. */
static void on_nak4(struct ppp *l, struct ppp_value *own, const struct ppp_value *o)
{
    bool fixed = own->type == IPCP_OPT_ADDR && l->cfg.addr4 != 0;
    if (!fixed && is_host4((uint32_t)o->v))
        own->v = o->v;
    else if (own->type != IPCP_OPT_ADDR)
        own->on = false;
}

static void on_reject_any(struct ppp *l, struct ppp_value *own)
{
    (void)l;
    (void)own;                          /* it is off, and that is all */
}

const struct ppp_neg_kind ppp_ipcp_kind = {
    .proto = PPP_IPCP, .begin = begin4, .judge = judge4, .misses = misses4,
    .on_nak = on_nak4, .on_reject = on_reject_any,
};

/* ---- IPV6CP ---- */

static void begin6(struct ppp *l)
{
    l->peer_ifid = 0;
}

/* The universal bit is clear in an identifier by chance (RFC 5072, 4.1). */
static uint64_t new_ifid(struct ppp *l)
{
    uint64_t id = ppp_random(l) & ~(BIT64(57) | BIT64(56));
    return id ? id : 1;
}

static enum ppp_verdict judge6(struct ppp *l, struct ppp_value *o)
{
    const struct ppp_value *own = ppp_neg_has(&l->ipv6cp, IPV6CP_OPT_IFID);
    if (o->type != IPV6CP_OPT_IFID || o->n != 8)
        return PPP_REFUSE;
    if (o->v != 0 && (!own || o->v != own->v)) {
        l->peer_ifid = o->v;
        return PPP_TAKE;
    }
    o->v = new_ifid(l);
    return PPP_BETTER;
}

static void on_nak6(struct ppp *l, struct ppp_value *own, const struct ppp_value *o)
{
    own->v = o->v != 0 ? o->v : new_ifid(l);
}

const struct ppp_neg_kind ppp_ipv6cp_kind = {
    .proto = PPP_IPV6CP, .begin = begin6, .judge = judge6, .on_nak = on_nak6, .on_reject = on_reject_any,
};

/* ---- beginning ---- */

/* What was given the last time is asked for again. */
static uint64_t known(struct ppp_neg *g, uint8_t type, uint64_t otherwise)
{
    for (unsigned i = 0; i < g->own_n; i++)
        if (g->own[i].type == type && g->own[i].v != 0)
            return g->own[i].v;
    return otherwise;
}

void ppp_begin_networks(struct ppp *l)
{
    uint64_t addr4 = l->cfg.addr4 ? l->cfg.addr4 : known(&l->ipcp, IPCP_OPT_ADDR, 0);
    uint64_t ifid = known(&l->ipv6cp, IPV6CP_OPT_IFID, l->cfg.ifid);
    l->ipcp.own_n = l->ipv6cp.own_n = 0;
    ppp_neg_want(&l->ipcp, IPCP_OPT_ADDR, 4, addr4);
    if (l->cfg.want_dns) {
        ppp_neg_want(&l->ipcp, IPCP_OPT_DNS1, 4, 0);
        ppp_neg_want(&l->ipcp, IPCP_OPT_DNS2, 4, 0);
    }
    ppp_neg_want(&l->ipv6cp, IPV6CP_OPT_IFID, 8, ifid ? ifid : new_ifid(l));
    ppp_neg_event(l, &l->ipcp, PPP_EV_UP);
    ppp_neg_event(l, &l->ipv6cp, PPP_EV_UP);
}

/* ---- what was agreed ---- */

bool ppp_has_ip4(const struct ppp *l)
{
    return l->ipcp.state == PPP_OPENED && ppp_addr4(l) != 0;
}

bool ppp_has_ip6(const struct ppp *l)
{
    return l->ipv6cp.state == PPP_OPENED && ppp_neg_has(&l->ipv6cp, IPV6CP_OPT_IFID) != NULL;
}

uint32_t ppp_addr4(const struct ppp *l)
{
    const struct ppp_value *own = ppp_neg_has(&l->ipcp, IPCP_OPT_ADDR);
    return own && own->v != 0 ? (uint32_t)own->v : l->cfg.addr4;
}

uint64_t ppp_ifid(const struct ppp *l)
{
    const struct ppp_value *own = ppp_neg_has(&l->ipv6cp, IPV6CP_OPT_IFID);
    return own ? own->v : 0;
}

uint32_t ppp_dns4(const struct ppp *l, unsigned i)
{
    const struct ppp_value *own = ppp_neg_has(&l->ipcp, i == 0 ? IPCP_OPT_DNS1 : IPCP_OPT_DNS2);
    return own && l->ipcp.state == PPP_OPENED ? (uint32_t)own->v : 0;
}
