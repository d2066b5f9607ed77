/*
 * IGMP messages, host side (RFC 1112, 2236, 3376). What they do is in mcast_report.c.
 *
 * Everything of ours leaves with TTL 1, precedence of internetwork control and a router alert (RFC
 * 3376, 4). The TTL of what arrives is not looked at: version 1 never said what it has to be.
 */
#include "ip/mcast_group.h"

#include "wire/fault.h"

#define TOS_CONTROL     0xc0u               /* RFC 3376, 4 */
#define HDR_LEN         (IP4_HDR_LEN + 4)   /* with a router alert */
#define V1_MAX_DELAY    (10 * NS_PER_S)     /* RFC 2236, 4: what a version 1 query allows */
#define ALL_ROUTERS     0xe0000002          /* 224.0.0.2 */
#define ALL_V3_ROUTERS  0xe0000016          /* 224.0.0.22 */
#define SOURCE_LEN      4

/* ---- out ---- */

size_t igmp_report_room(const struct netif *nif)
{
    ORIEL_ASSERT(nif->mtu > HDR_LEN);
    size_t room = nif->mtu - HDR_LEN;
    return room < MCAST_REPORT_MAX ? room : MCAST_REPORT_MAX;
}

static void send_message(struct ip *ip, struct netif *nif, uint32_t to, const struct wr *w,
                         enum why why)
{
    ORIEL_ASSERT(!w->bad);
    if (!netif_works(nif))
        return;             /* everything is told again when it does */
    struct pkt *p = pkt_new_copy(ip->env, PKT_HEADROOM, wr_span(w));
    if (!p)
        return;             /* it will be repeated, or asked for again */
    struct oriel_addr group = addr_v4(to);
    struct ip_tx tx = {.proto = IP_IGMP, .ttl = 1, .tos = TOS_CONTROL, .router_alert = true};
    (void)ip4_send_group(ip, p, nif, &group, &tx, why);
}

void igmp_send_group(struct ip *ip, struct netif *nif, enum igmp_type type,
                     const struct oriel_addr *group, enum why why)
{
    uint8_t bytes[IGMP_MIN_LEN];
    struct wr w = wr_of(bytes, sizeof(bytes));
    struct igmp_msg m = {.type = (uint8_t)type, .group = *group};
    igmp_emit(&w, &m);
    send_message(ip, nif, type == IGMP_V2_LEAVE ? ALL_ROUTERS : addr_to_v4(group), &w, why);
}

void igmp_send_report(struct ip *ip, struct netif *nif, struct wr *w, uint16_t records,
                      enum why why)
{
    igmp_report_seal(w, records);
    send_message(ip, nif, ALL_V3_ROUTERS, w, why);
}

/* ---- in ---- */

static enum drop fault_reason(uint8_t fault)
{
    switch (fault) {
    case FAULT_CSUM:  return DROP_IGMP_CSUM;
    case FAULT_TYPE:  return DROP_IGMP_TYPE;
    case FAULT_COUNT: return DROP_IGMP_COUNT;
    }
    return DROP_IGMP_SHORT;
}

static bool on_query(struct ip *ip, const struct ip_rx *rx, const struct igmp_msg *m)
{
    struct mcast_query q = {
        .v4 = true,
        .version = m->version,
        .group = m->group,
        .max_delay = m->version == 1 ? V1_MAX_DELAY : m->max_resp_ds * (NS_PER_S / 10),
        .robustness = m->robustness,
        .interval_s = m->interval_s,
        .sources_n = m->sources_n,
    };
    struct rd r = rd_of(m->sources);
    for (unsigned i = 0; i < MCAST_SOURCES_MAX && rd_left(&r) >= SOURCE_LEN; i++)
        q.source[i] = rd_addr4(&r);
    return mcast_report_on_query(ip, rx->nif, &q);
}

static bool on_message(struct ip *ip, const struct ip_rx *rx, const struct igmp_msg *m)
{
    switch (m->type) {
    case IGMP_QUERY:
        return on_query(ip, rx, m);
    case IGMP_V1_REPORT:
    case IGMP_V2_REPORT:
        return mcast_report_on_report(ip, rx->nif, &m->group);
    default:
        return false;       /* version 3 reports and leaves are for routers */
    }
}

void igmp_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx, struct rd *r)
{
    struct igmp_msg m;
    if (!igmp_parse(r, &m))
        pkt_drop_note(ip->env, p, fault_reason(r->bad));
    else if (!on_message(ip, rx, &m))
        pkt_drop_note(ip->env, p, DROP_IGMP_UNWANTED);
}
