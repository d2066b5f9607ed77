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

/*
 * CRC-32, reflected, polynomial 0x04c11db7, four bytes at a time: row k is what 8 * (k + 1) steps do to each value of
 * the low eight bits. Steps are linear, so what they do to each of these bits says it for all.
 */
#define B1(v, a, b, c, d, e, f, g, h)                                                              \
    (((v) & 1 ? a : 0u) ^ ((v) & 2 ? b : 0u) ^ ((v) & 4 ? c : 0u) ^ ((v) & 8 ? d : 0u) ^           \
     ((v) & 16 ? e : 0u) ^ ((v) & 32 ? f : 0u) ^ ((v) & 64 ? g : 0u) ^ ((v) & 128 ? h : 0u))
#define B4(v, ...)   B1(v, __VA_ARGS__), B1((v) + 1, __VA_ARGS__), B1((v) + 2, __VA_ARGS__), B1((v) + 3, __VA_ARGS__)
#define B16(v, ...)  B4(v, __VA_ARGS__), B4((v) + 4, __VA_ARGS__), B4((v) + 8, __VA_ARGS__), B4((v) + 12, __VA_ARGS__)
#define B64(v, ...)  B16(v, __VA_ARGS__), B16((v) + 16, __VA_ARGS__), B16((v) + 32, __VA_ARGS__), B16((v) + 48, __VA_ARGS__)
#define B256(...)    B64(0, __VA_ARGS__), B64(64, __VA_ARGS__), B64(128, __VA_ARGS__), B64(192, __VA_ARGS__)

static const uint32_t crc_bytes[4][256] = {
    {B256(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832,
          0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320)},
    {B256(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08,
          0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b)},
    {B256(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8,
          0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80)},
    {B256(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef,
          0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b)},
};

static uint32_t crc_byte(uint32_t crc, uint8_t b)
{
    return (crc >> 8) ^ crc_bytes[0][(crc ^ b) & 255];
}

static uint32_t crc_word(uint32_t crc)
{
    return crc_bytes[3][crc & 255] ^ crc_bytes[2][crc >> 8 & 255] ^ crc_bytes[1][crc >> 16 & 255] ^ crc_bytes[0][crc >> 24];
}

uint32_t eth_fcs(struct span frame)
{
    uint32_t crc = FCS_START;
    size_t i = 0;
    for (; i + 4 <= frame.n; i += 4) {
        const uint8_t *p = frame.p + i;
        crc = crc_word(crc ^ (p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                              (uint32_t)p[3] << 24));
    }
    for (; i < frame.n; i++)
        crc = crc_byte(crc, frame.p[i]);
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
