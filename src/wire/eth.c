/*
 * Ethernet framing (RFC 894, 1042; IEEE 802.3, 802.1Q).
 *
 * The 16 bits after the addresses are a type from 0x0600 up, and the length of an 802.3 frame up to
 * 1500; the values between have no meaning. An 802.3 frame carries an LLC header; the only one
 * taken is SNAP with organisation zero, which brings the type back. Tags (a TPID where the type
 * would be, then 16 bits) stand before either.
 *
 * A tag behind a SNAP header is not looked for: nobody sends it, and the type shows what it is.
 */
#include "wire/eth.h"

#include "wire/fault.h"

#define SNAP_LEN    8
#define LLC_SNAP    0xaaaa03u   /* both SAPs, and unnumbered information */
#define FCS_START   0xffffffffu

static void parse_tags(struct rd *r, struct eth_hdr *out)
{
    while (eth_is_tag(out->type)) {
        if (out->tags_n == ETH_TAGS_MAX) {
            rd_fail(r, FAULT_OPT_COUNT);
            return;
        }
        struct rd t = rd_sub(r, ETH_TAG_LEN);
        uint16_t tci = rd_u16(&t);
        out->tags[out->tags_n++] = (struct eth_tag){
            .tpid = out->type,
            .vid = tci & 0x0fff,
            .pcp = (uint8_t)(tci >> 13),
            .dei = (tci & 0x1000) != 0,
        };
        out->type = rd_u16(&t);     /* 0, and so no tag, when the frame ends here */
        rd_join(r, &t);
    }
}

static bool parse_snap(struct rd *r, struct eth_hdr *out)
{
    out->snap = true;
    out->snap_len = out->type;
    if (out->snap_len > ETH_DATA_MAX)
        return rd_fail(r, FAULT_TYPE);
    if (out->snap_len > rd_left(r))
        return rd_fail(r, FAULT_TOTAL_LEN);
    if (out->snap_len < SNAP_LEN)
        return rd_fail(r, FAULT_TYPE);
    struct rd h = rd_sub(r, SNAP_LEN);
    uint32_t llc = rd_u24(&h);
    uint32_t organisation = rd_u24(&h);
    out->type = rd_u16(&h);
    if (llc != LLC_SNAP || organisation != 0)
        rd_fail(&h, FAULT_TYPE);
    return rd_join(r, &h);
}

bool eth_parse(struct rd *r, struct eth_hdr *out)
{
    struct rd h = rd_sub(r, ETH_HDR_LEN);
    if (oriel_unlikely(h.bad != 0))
        return false;
    *out = (struct eth_hdr){0};
    rd_copy(&h, out->dst.b, sizeof(out->dst.b));
    rd_copy(&h, out->src.b, sizeof(out->src.b));
    out->type = rd_u16(&h);
    if (oriel_unlikely(eth_is_tag(out->type)))
        parse_tags(r, out);
    if (oriel_unlikely(out->type < ETH_TYPE_MIN))
        parse_snap(r, out);
    return r->bad == 0;
}

size_t eth_len(const struct eth_hdr *h)
{
    return ETH_HDR_LEN + (size_t)h->tags_n * ETH_TAG_LEN + (h->snap ? SNAP_LEN : 0);
}

void eth_emit(struct wr *w, const struct eth_hdr *h)
{
    ORIEL_ASSERT(h->tags_n <= ETH_TAGS_MAX);
    wr_bytes(w, span_of(h->dst.b, sizeof(h->dst.b)));
    wr_bytes(w, span_of(h->src.b, sizeof(h->src.b)));
    for (unsigned i = 0; i < h->tags_n; i++) {
        const struct eth_tag *t = &h->tags[i];
        wr_u16(w, t->tpid);
        wr_u16(w, (uint16_t)((t->pcp << 13) | (t->dei ? 0x1000 : 0) | (t->vid & 0x0fff)));
    }
    if (h->snap) {
        wr_u16(w, h->snap_len);
        wr_u24(w, LLC_SNAP);
        wr_u24(w, 0);
    }
    wr_u16(w, h->type);
}

static const char *type_name(uint16_t type)
{
    switch (type) {
    case ETH_IP4:  return "IPv4";
    case ETH_ARP:  return "ARP";
    case ETH_RARP: return "RARP";
    case ETH_VLAN: return "802.1Q";
    case ETH_IP6:  return "IPv6";
    case ETH_QINQ: return "802.1ad";
    default:       return NULL;
    }
}

/* "02:00:00:00:00:01 -> 02:00:00:00:00:02 VLAN 5 IPv4" */
void eth_print(struct txt *t, const struct eth_hdr *h)
{
    txt_mac(t, &h->src);
    txt_s(t, " -> ");
    txt_mac(t, &h->dst);
    for (unsigned i = 0; i < h->tags_n && i < ETH_TAGS_MAX; i++) {
        txt_s(t, h->tags[i].tpid == ETH_QINQ ? " S-VLAN " : " VLAN ");
        txt_u(t, h->tags[i].vid);
    }
    txt_s(t, h->snap ? " SNAP " : " ");
    const char *name = type_name(h->type);
    if (name) {
        txt_s(t, name);
    } else {
        txt_s(t, "0x");
        txt_hex(t, h->type, 4);
    }
}

/* CRC-32, reflected, polynomial 0x04c11db7: what four steps do to each value of the low bits. */
static const uint32_t crc_nibble[16] = {
    0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
    0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
};

uint32_t eth_fcs(struct span frame)
{
    uint32_t crc = FCS_START;
    for (size_t i = 0; i < frame.n; i++) {
        crc ^= frame.p[i];
        crc = (crc >> 4) ^ crc_nibble[crc & 15];
        crc = (crc >> 4) ^ crc_nibble[crc & 15];
    }
    return ~crc;
}

void wr_fcs(struct wr *w, uint32_t fcs)
{
    uint8_t *b = wr_room(w, ETH_FCS_LEN);
    for (unsigned i = 0; b && i < ETH_FCS_LEN; i++)
        b[i] = (uint8_t)(fcs >> (8 * i));
}

uint32_t rd_fcs(struct rd *r)
{
    struct rd h = rd_sub(r, ETH_FCS_LEN);
    uint32_t fcs = 0;
    for (unsigned i = 0; i < ETH_FCS_LEN; i++)
        fcs |= (uint32_t)rd_u8(&h) << (8 * i);
    return fcs;
}
