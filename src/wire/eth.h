/*
 * Ethernet II and IEEE 802.3 with SNAP (RFC 894, 1042), 802.1Q and Q-in-Q tags, and the frame
 * check sequence.
 */
#ifndef ORIEL_WIRE_ETH_H
#define ORIEL_WIRE_ETH_H

#include "base/addr.h"

#define ETH_HDR_LEN  14
#define ETH_TAG_LEN  4
#define ETH_FCS_LEN  4
#define ETH_TAGS_MAX 2
#define ETH_MIN      60     /* without FCS; shorter frames are padded with zeros */
#define ETH_DATA_MAX 1500

enum eth_type {
    ETH_IP4 = 0x0800,
    ETH_ARP = 0x0806,
    ETH_RARP = 0x8035,
    ETH_VLAN = 0x8100,
    ETH_IP6 = 0x86dd,
    ETH_QINQ = 0x88a8,
};

#define ETH_TYPE_MIN 0x0600     /* below it stands a length */

static inline bool eth_is_tag(uint16_t type)
{
    return type == ETH_VLAN || type == ETH_QINQ;
}

struct eth_tag {
    uint16_t tpid;      /* ETH_VLAN or ETH_QINQ */
    uint16_t vid;       /* 0..4095 */
    uint8_t pcp;        /* priority 0..7 */
    bool dei;
};

struct eth_hdr {
    struct mac dst;
    struct mac src;
    uint16_t type;      /* of what follows the tags (and the SNAP header) */
    uint8_t tags_n;
    bool snap;          /* it came, or is to leave, as 802.3 length + LLC/SNAP */
    uint16_t snap_len;  /* the 802.3 length field when snap: bytes after it, LLC included */
    struct eth_tag tags[ETH_TAGS_MAX];  /* outermost first */
};

/*
 * Reads addresses, up to two tags and the type; r stands at the payload. FAULT_SHORT;
 * FAULT_OPT_COUNT: a third tag; FAULT_TYPE: an 802.3 length whose payload is not SNAP with
 * organisation zero; FAULT_TOTAL_LEN: an 802.3 length beyond the bytes.
 */
bool eth_parse(struct rd *r, struct eth_hdr *out);

/*
 * Is it what nearly every frame is: untagged, of that type, from one host, to that address alone?
 * Then r stands at the payload; if not, eth_parse has to look at it, and r stays where it was.
 */
static inline bool eth_parse_plain(struct rd *r, uint16_t type, const struct mac *dst)
{
    struct rd rest = *r;
    struct rd h = rd_sub(&rest, ETH_HDR_LEN);
    if (oriel_unlikely(h.bad != 0))
        return false;
    struct span to = rd_bytes(&h, sizeof(dst->b));
    struct span from = rd_bytes(&h, sizeof(dst->b));
    if (oriel_unlikely(memcmp(to.p, dst->b, sizeof(dst->b)) != 0 || (from.p[0] & 1) != 0 ||
                       rd_u16(&h) != type))
        return false;
    *r = rest;
    return true;
}

void eth_emit(struct wr *w, const struct eth_hdr *h);

/* The same without tags: the header that nearly every frame has. */
static inline void eth_emit_plain(struct wr *w, const struct mac *dst, const struct mac *src,
                                  uint16_t type)
{
    wr_bytes(w, span_of(dst->b, sizeof(dst->b)));
    wr_bytes(w, span_of(src->b, sizeof(src->b)));
    wr_u16(w, type);
}

void eth_print(struct txt *t, const struct eth_hdr *h);
size_t eth_len(const struct eth_hdr *h);        /* bytes that eth_emit writes */

/* CRC-32 as Ethernet has it. eth_fcs gives the value; it is sent least significant byte first. */
uint32_t eth_fcs(struct span frame);
void wr_fcs(struct wr *w, uint32_t fcs);
uint32_t rd_fcs(struct rd *r);

#endif
