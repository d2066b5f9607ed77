/*
 * MLD messages, listener side (RFC 2710, 3810). What they do is in mcast_report.c.
 *
 * Everything of ours leaves with hop limit 1 and a router alert, from a link-local address, or from
 * the unspecified one while there is none yet (RFC 3590, 4; 3810, 5.2.13). What arrives must come
 * from a link-local address with hop limit 1 (RFC 3810, 5.1.14, 6.2). That it also carries a router
 * alert is not demanded: hop limit and source say already that it comes from this link.
 */
#include "ip/mcast_group.h"

#include "wire/fault.h"

#define HDR_LEN         (IP6_HDR_LEN + 8)       /* with hop-by-hop options: a router alert */
#define MESSAGE_LEN     24                      /* version 1 */
#define HOP_LIMIT       1
#define SOURCE_LEN      16
#define ALL_V2_ROUTERS  addr_v6(0xff02000000000000, 0x16)

/* ---- out ---- */

size_t mld_report_room(const struct netif *nif)
{
    ORIEL_ASSERT(nif->mtu > HDR_LEN);
    size_t room = nif->mtu - HDR_LEN;
    return room < MCAST_REPORT_MAX ? room : MCAST_REPORT_MAX;
}

static struct oriel_addr link_local_source(const struct ip *ip, uint16_t nif)
{
    LIST_EACH(n, &ip_if_of(ip, nif)->addrs) {
        const struct ifaddr *a = CONTAINER_OF(n, struct ifaddr, node);
        if (!addr_is_v4(&a->addr) && addr_is_link_local(&a->addr) && ifaddr_usable(a))
            return a->addr;
    }
    return ADDR_NONE;
}

static void send_message(struct ip *ip, struct netif *nif, struct oriel_addr to, struct wr *w,
                         enum why why)
{
    ORIEL_ASSERT(!w->bad);
    if (!netif_works(nif))
        return;             /* everything is told again when it does */
    struct icmp6_out o = {
        .src = link_local_source(ip, nif->index),
        .dst = to,
        .nif = nif->index,
        .hop_limit = HOP_LIMIT,
        .router_alert = true,
    };
    icmp6_send(ip, &o, w, why);
}

void mld_send_group(struct ip *ip, struct netif *nif, enum icmp6_type type,
                    const struct oriel_addr *group, enum why why)
{
    uint8_t bytes[MESSAGE_LEN];
    struct wr w = wr_of(bytes, sizeof(bytes));
    struct mld_msg m = {.type = (uint8_t)type, .group = *group};
    mld_emit(&w, &m);
    send_message(ip, nif, type == ICMP6_MLD_DONE ? ADDR_V6_ALL_ROUTERS : *group, &w, why);
}

void mld_send_report(struct ip *ip, struct netif *nif, struct wr *w, uint16_t records,
                     enum why why)
{
    mld_report_count(w, records);
    send_message(ip, nif, ALL_V2_ROUTERS, w, why);
}

/* ---- in ---- */

static enum drop fault_reason(uint8_t fault)
{
    switch (fault) {
    case FAULT_COUNT: return DROP_MLD_COUNT;
    case FAULT_TYPE:  return DROP_MLD_UNWANTED;
    }
    return DROP_MLD_SHORT;
}

static bool on_query(struct ip *ip, const struct ip_rx *rx, const struct mld_msg *m)
{
    struct mcast_query q = {
        .v4 = false,
        .version = (uint8_t)(m->version + 1),
        .group = m->group,
        .max_delay = m->max_resp_ms * NS_PER_MS,
        .robustness = m->robustness,
        .interval_s = m->interval_s,
        .sources_n = m->sources_n,
    };
    struct rd r = rd_of(m->sources);
    for (unsigned i = 0; i < MCAST_SOURCES_MAX && rd_left(&r) >= SOURCE_LEN; i++)
        q.source[i] = rd_addr6(&r);
    return mcast_report_on_query(ip, rx->nif, &q);
}

static bool on_message(struct ip *ip, const struct ip_rx *rx, const struct mld_msg *m)
{
    if (m->type == ICMP6_MLD_QUERY)
        return on_query(ip, rx, m);
    if (m->type == ICMP6_MLD_REPORT)
        return mcast_report_on_report(ip, rx->nif, &m->group);
    return false;           /* version 2 reports and dones are for routers */
}

void mld_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx, uint8_t type, struct rd *body)
{
    struct mld_msg m;
    if (!addr_is_link_local(&rx->src) || rx->ttl != HOP_LIMIT)
        pkt_drop_note(ip->env, p, DROP_MLD_SOURCE);
    else if (!mld_parse(body, type, &m))
        pkt_drop_note(ip->env, p, fault_reason(body->bad));
    else if (!on_message(ip, rx, &m))
        pkt_drop_note(ip->env, p, DROP_MLD_UNWANTED);
}
