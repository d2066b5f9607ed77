/*
 * Links: Ethernet with tags, SNAP, padding and frame check sequence; loopback; raw IP; ARP.
 *
 * What follows the network layer in a frame is told apart as Wireshark does it: zeros up to the
 * minimum of 60 bytes are padding; of what follows, if the frame is long enough to have had a frame
 * check sequence, the last four bytes are that; the rest is a trailer.
 */
#include "lens/layer.h"
#include "wire/arp.h"
#include "wire/eth.h"

#define ETH_LEN_MAX     1500    /* larger values of the field are a type */
#define ETH_WITH_FCS    64
#define LLC_SNAP        0xaaaau
#define LLC_SNAP_HDR    8

static void add_mac_bits(struct lens *l, const uint8_t *at, const struct mac *m, enum field_id lg,
                         enum field_id ig)
{
    lens_put_u(l, lg, at, 3, (m->b[0] >> 1) & 1);
    lens_put_u(l, ig, at, 3, m->b[0] & 1);
}

static void add_fcs(struct lens *l, struct rd *r)
{
    struct rd frame = rd_of(l->d->frame);
    struct span covered = rd_bytes(&frame, rd_left(&frame) - ETH_FCS_LEN);
    const uint8_t *at = r->p;
    struct rd value = *r;
    uint32_t sent = rd_fcs(r);
    lens_put_u(l, F_ETH_FCS, at, ETH_FCS_LEN, rd_u32(&value));
    bool good = eth_fcs(covered) == sent;
    lens_put_u(l, F_ETH_FCS_STATUS, NULL, 0, good ? LENS_CSUM_GOOD : LENS_CSUM_BAD);
    if (!good)
        txt_s(lens_info(l), " [ETHERNET FRAME CHECK SEQUENCE INCORRECT]");
}

static bool all_zero(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != 0)
            return false;
    return true;
}

/* What is left behind the network layer; r ends with the frame. */
static void add_trailer(struct lens *l, struct rd r)
{
    size_t frame_n = l->d->frame.n;
    size_t before = frame_n - rd_left(&r);
    if (frame_n >= ETH_MIN && before < ETH_MIN) {
        struct rd ahead = r;
        struct span pad = rd_bytes(&ahead, ETH_MIN - before);
        if (all_zero(pad)) {
            lens_put_bytes(l, F_ETH_PADDING, pad);
            r = ahead;
        }
    }
    size_t fcs = frame_n >= ETH_WITH_FCS && rd_left(&r) >= ETH_FCS_LEN && !l->cut ? ETH_FCS_LEN : 0;
    if (rd_left(&r) > fcs)
        lens_bytes(l, &r, F_ETH_TRAILER, rd_left(&r) - fcs);
    if (fcs)
        add_fcs(l, &r);
}

/* One tag; returns the type that follows it. */
static uint16_t tag(struct lens *l, struct rd *r, bool service)
{
    struct field *layer = lens_layer(l, service ? F_IEEE8021AD : F_VLAN, r);
    lens_columns(l, service ? "802.1ad" : "VLAN");
    const uint8_t *at = r->p;
    uint16_t tci = rd_u16(r);
    if (!layer || lens_is_bad(l, r))
        return 0;
    lens_put_u(l, service ? F_IEEE8021AD_PRIORITY : F_VLAN_PRIORITY, at, 2, tci >> 13);
    lens_put_u(l, service ? F_IEEE8021AD_DEI : F_VLAN_DEI, at, 2, (tci >> 12) & 1);
    lens_put_u(l, service ? F_IEEE8021AD_ID : F_VLAN_ID, at, 2, tci & 0xfff);
    if (!service) {
        txt_s(lens_info(l), "PRI: ");
        txt_u(lens_info(l), tci >> 13);
        txt_s(lens_info(l), "  DEI: ");
        txt_u(lens_info(l), (tci >> 12) & 1);
        txt_s(lens_info(l), "  ID: ");
        txt_u(lens_info(l), tci & 0xfff);
    }
    uint16_t type = service ? rd_u16(r) : (uint16_t)lens_uint(l, r, F_VLAN_ETYPE, 2);
    lens_layer_end(layer, r);
    return lens_is_bad(l, r) ? 0 : type;
}

static void dissect_llc(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_LLC, &r);
    lens_columns(l, "LLC");
    if (!layer)
        return;
    uint64_t dsap = lens_uint(l, &r, F_LLC_DSAP, 1);
    uint64_t ssap = lens_uint(l, &r, F_LLC_SSAP, 1);
    lens_uint(l, &r, F_LLC_CONTROL, 1);
    if (((dsap << 8) | ssap) != LLC_SNAP) {
        lens_layer_end(layer, &r);
        if (!lens_is_bad(l, &r))
            dissect_data(l, r);
        return;
    }
    uint64_t oui = lens_uint(l, &r, F_LLC_OUI, 3);
    uint64_t type = lens_uint(l, &r, F_LLC_TYPE, 2);
    lens_layer_end(layer, &r);
    if (lens_is_bad(l, &r))
        return;
    if (oui == 0)
        dissect_ethertype(l, (uint16_t)type, r);
    else
        dissect_data(l, r);
}

static void unknown_type(struct lens *l, uint16_t type, struct rd r)
{
    char name[8];
    struct txt t = txt_of(name, sizeof name);
    txt_s(&t, "0x");
    txt_hex(&t, type, 4);
    lens_columns(l, name);
    txt_s(lens_info(l), "Ethernet II");
    dissect_data(l, r);
}

void dissect_ethertype(struct lens *l, uint16_t type, struct rd r)
{
    bool service = type == ETH_QINQ;
    if (type == ETH_VLAN || service) {
        uint16_t inner = tag(l, &r, service);
        if (r.bad || l->layers == LENS_LAYERS_MAX)
            return;
        lens_note_protocol(l, "ethertype");
        dissect_ethertype(l, inner, r);
        return;
    }
    switch (type) {
    case ETH_IP4:  dissect_ip4(l, r); break;
    case ETH_IP6:  dissect_ip6(l, r); break;
    case ETH_ARP:
    case ETH_RARP: dissect_arp(l, r); break;
    default:       unknown_type(l, type, r); break;
    }
}

void dissect_eth(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_ETH, &r);
    if (!layer)
        return;
    bool outermost = l->net_end == NULL && r.end == l->d->frame.p + l->d->frame.n;
    const uint8_t *at = r.p;
    struct mac dst = lens_mac(l, &r, F_ETH_DST);
    if (!r.bad)
        add_mac_bits(l, at, &dst, F_ETH_DST_LG, F_ETH_DST_IG);
    at = r.p;
    struct mac src = lens_mac(l, &r, F_ETH_SRC);
    if (!r.bad)
        add_mac_bits(l, at, &src, F_ETH_SRC_LG, F_ETH_SRC_IG);
    struct rd ahead = r;
    uint16_t type = rd_u16(&ahead);
    lens_uint(l, &r, type <= ETH_LEN_MAX ? F_ETH_LEN : F_ETH_TYPE, 2);
    lens_layer_end(layer, &r);
    lens_columns(l, "Ethernet");
    lens_endpoints_mac(l, &src, &dst);
    if (lens_is_bad(l, &r))
        return;

    if (type > ETH_LEN_MAX) {
        lens_note_protocol(l, "ethertype");
        dissect_ethertype(l, type, r);
    } else {
        ahead = r;
        dissect_llc(l, lens_narrow(l, &ahead, type));
        l->net_end = l->net_end ? l->net_end : ahead.p;
    }
    if (outermost && l->net_end)
        rd_skip(&r, (size_t)(l->net_end - r.p));
    if (outermost && l->net_end && !l->faulty && !rd_done(&r))
        add_trailer(l, r);
}

/* ---- loopback and raw ---- */

#define BSD_INET 2
#define IS_INET6(family) ((family) == 10 || (family) == 24 || (family) == 28 || (family) == 30)

/* The family is in the byte order of the machine that wrote it; it is a small number in one. */
void dissect_null(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_NULL, &r);
    if (!layer)
        return;
    const uint8_t *at = r.p;
    uint32_t family = rd_u32(&r);
    if (family > 0xffff)
        family = (family >> 24) | ((family >> 8) & 0xff00);
    lens_layer_end(layer, &r);
    if (lens_is_bad(l, &r))
        return;
    lens_put_u(l, F_NULL_FAMILY, at, 4, family);
    if (family == BSD_INET)
        dissect_ip4(l, r);
    else if (IS_INET6(family))
        dissect_ip6(l, r);
    else
        dissect_data(l, r);
}

void dissect_raw(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_RAW, &r);
    if (!layer)
        return;
    layer->len = 0;
    struct rd ahead = r;
    switch (rd_u8(&ahead) >> 4) {
    case 4:  dissect_ip4(l, r); break;
    case 6:  dissect_ip6(l, r); break;
    default: dissect_data(l, r); break;
    }
}

/* ---- ARP ---- */

static void arp_info(struct lens *l, uint64_t op, const struct arp_msg *m)
{
    struct txt *t = lens_info(l);
    bool same = addr_same_bits(&m->spa, &m->tpa);
    switch (op) {
    case ARP_REQUEST:
        txt_s(t, same ? "ARP Announcement for " : "Who has ");
        txt_addr(t, &m->tpa);
        if (same)
            break;
        txt_s(t, "? ");
        if (addr_is_unspecified(&m->spa)) {
            txt_s(t, "(ARP Probe)");
        } else {
            txt_s(t, "Tell ");
            txt_addr(t, &m->spa);
        }
        break;
    case ARP_REPLY:
        if (same)
            txt_s(t, "Gratuitous ARP for ");
        txt_addr(t, &m->spa);
        if (same) {
            txt_s(t, " (Reply)");
            break;
        }
        txt_s(t, " is at ");
        txt_mac(t, &m->sha);
        break;
    case RARP_REQUEST:
        txt_s(t, "Who is ");
        txt_mac(t, &m->tha);
        txt_s(t, "? Tell ");
        txt_mac(t, &m->sha);
        break;
    case RARP_REPLY:
        txt_mac(t, &m->tha);
        txt_s(t, " is at ");
        txt_addr(t, &m->tpa);
        break;
    default:
        txt_s(t, "Unknown ARP opcode 0x");
        txt_hex(t, op, 4);
        break;
    }
}

/* RFC 5227, 1.1 and 3: what a request about oneself means. */
static void add_arp_meaning(struct lens *l, uint64_t op, const struct arp_msg *m)
{
    if (op != ARP_REQUEST && op != ARP_REPLY)
        return;
    bool same = addr_same_bits(&m->spa, &m->tpa);
    if (same)
        lens_put_u(l, F_ARP_ISGRATUITOUS, NULL, 0, 1);
    if (op == ARP_REQUEST && !same && addr_is_unspecified(&m->spa))
        lens_put_u(l, F_ARP_ISPROBE, NULL, 0, 1);
    if (op == ARP_REQUEST && same)
        lens_put_u(l, F_ARP_ISANNOUNCEMENT, NULL, 0, 1);
}

void dissect_arp(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_ARP, &r);
    lens_columns(l, "ARP");
    if (!layer)
        return;
    uint64_t hw = lens_uint(l, &r, F_ARP_HW_TYPE, 2);
    uint64_t proto = lens_uint(l, &r, F_ARP_PROTO_TYPE, 2);
    uint64_t hw_n = lens_uint(l, &r, F_ARP_HW_SIZE, 1);
    uint64_t proto_n = lens_uint(l, &r, F_ARP_PROTO_SIZE, 1);
    uint64_t op = lens_uint(l, &r, F_ARP_OPCODE, 2);
    if (!r.bad && (hw != 1 || proto != ETH_IP4))
        rd_fail(&r, FAULT_TYPE);
    if (!r.bad && (hw_n != 6 || proto_n != 4))
        rd_fail(&r, FAULT_ADDR_LEN);
    if (lens_is_bad(l, &r))
        return;
    struct arp_msg m;
    m.sha = lens_mac(l, &r, F_ARP_SRC_HW_MAC);
    m.spa = lens_addr4(l, &r, F_ARP_SRC_PROTO_IPV4);
    m.tha = lens_mac(l, &r, F_ARP_DST_HW_MAC);
    m.tpa = lens_addr4(l, &r, F_ARP_DST_PROTO_IPV4);
    lens_layer_end(layer, &r);
    l->net_end = r.p;
    if (lens_is_bad(l, &r))
        return;
    if (op == RARP_REQUEST || op == RARP_REPLY)
        lens_columns(l, "RARP");
    add_arp_meaning(l, op, &m);
    arp_info(l, op, &m);
}
