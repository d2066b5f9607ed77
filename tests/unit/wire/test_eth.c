#include "wire/eth.h"

#include "wire/props.h"

#define ADDRESSES "ffffffffffff 020000000001 "

static struct eth_tag gen_tag(struct prop_gen *g)
{
    return (struct eth_tag){
        .tpid = (uint16_t)PROP_ONE_OF(g, ETH_VLAN, ETH_QINQ),
        .vid = (uint16_t)prop_upto(g, 4095),
        .pcp = (uint8_t)prop_upto(g, 7),
        .dei = prop_bool(g),
    };
}

static struct span gen_eth(struct prop_gen *g, struct eth_hdr *h)
{
    struct span rest = prop_bytes(g, prop_upto(g, 90));
    h->dst = prop_mac(g);
    h->src = prop_mac(g);
    h->tags_n = (uint8_t)prop_upto(g, ETH_TAGS_MAX);
    for (unsigned i = 0; i < h->tags_n; i++)
        h->tags[i] = gen_tag(g);
    h->snap = prop_bool(g);
    if (h->snap) {
        h->snap_len = (uint16_t)(8 + prop_upto(g, rest.n));
        h->type = prop_u16(g);
    } else {
        h->type = (uint16_t)PROP_ONE_OF(g, ETH_IP4, ETH_IP6, ETH_ARP, 0x0600, 0xffff);
    }
    return rest;
}

static bool tags_equal(const struct eth_hdr *a, const struct eth_hdr *b)
{
    for (unsigned i = 0; i < a->tags_n; i++) {
        const struct eth_tag *s = &a->tags[i];
        const struct eth_tag *t = &b->tags[i];
        if (s->tpid != t->tpid || s->vid != t->vid || s->pcp != t->pcp || s->dei != t->dei)
            return false;
    }
    return a->tags_n == b->tags_n;
}

PROP_FORMAT(eth, struct eth_hdr, gen_eth(g, h), eth_parse(r, h), eth_emit(w, h), eth_print(t, h),
            PROP_EQ_MAC(dst) && PROP_EQ_MAC(src) && PROP_EQ(type) && PROP_EQ(snap) &&
                PROP_EQ(snap_len) && tags_equal(a, b),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_OPT_COUNT) | BIT(FAULT_TYPE) |
                      BIT(FAULT_TOTAL_LEN),
            .lens = PROP_LENS({.at = 12, .width = 2}, {.at = 16, .width = 2},
                              {.at = 20, .width = 2}));

TEST("a frame header that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&eth_format);
}

TEST("a frame cut anywhere in its header is refused")
{
    prop_cuts(&eth_format);
}

TEST("no 802.3 length leads outside the frame")
{
    prop_lengths(&eth_format);
}

TEST("damaged frames are refused or stay stable")
{
    prop_damage(&eth_format);
}

TEST("an Ethernet II frame has fourteen bytes before its payload")
{
    HEX(frame, "0200 5e10 0002 0200 5e10 0001 0800 4500");
    struct rd r = rd_of(frame);
    struct eth_hdr h;
    EXPECT(eth_parse(&r, &h));
    EXPECT_EQ(h.type, ETH_IP4);
    EXPECT_EQ(h.dst.b[5], 2);
    EXPECT_EQ(h.src.b[5], 1);
    EXPECT_EQ(h.tags_n, 0);
    EXPECT(!h.snap);
    EXPECT_EQ(h.snap_len, 0);
    EXPECT_EQ(rd_left(&r), 2);
    EXPECT_EQ(eth_len(&h), ETH_HDR_LEN);
    prop_exact(&eth_format, frame);
    prop_prints(&eth_format, &h, "02:00:5e:10:00:01 -> 02:00:5e:10:00:02 IPv4");
}

TEST("a Q-in-Q frame has its outer tag first")
{
    HEX(frame, ADDRESSES "88a8 7064 8100 0005 86dd 60");
    struct rd r = rd_of(frame);
    struct eth_hdr h;
    EXPECT(eth_parse(&r, &h));
    EXPECT_EQ(h.type, ETH_IP6);
    EXPECT_EQ(h.tags_n, 2);
    EXPECT_EQ(h.tags[0].tpid, ETH_QINQ);
    EXPECT_EQ(h.tags[0].pcp, 3);
    EXPECT(h.tags[0].dei);
    EXPECT_EQ(h.tags[0].vid, 100);
    EXPECT_EQ(h.tags[1].tpid, ETH_VLAN);
    EXPECT_EQ(h.tags[1].pcp, 0);
    EXPECT(!h.tags[1].dei);
    EXPECT_EQ(h.tags[1].vid, 5);
    EXPECT_EQ(eth_len(&h), ETH_HDR_LEN + 2 * ETH_TAG_LEN);
    EXPECT_EQ(rd_left(&r), 1);
    prop_exact(&eth_format, frame);
    prop_prints(&eth_format, &h,
                "02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff S-VLAN 100 VLAN 5 IPv6");
}

TEST("a third tag is refused")
{
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "8100 0001 8100 0002 8100 0003 0800"),
              FAULT_OPT_COUNT);
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "88a8 0001 88a8 0002 88a8"), FAULT_OPT_COUNT);
}

TEST("a SNAP frame gives the type that it carries")
{
    COVERS("1122-2.3.3b");
    HEX(frame, ADDRESSES "000a aaaa03 000000 0806 0001 00000000");
    struct rd r = rd_of(frame);
    struct eth_hdr h;
    EXPECT(eth_parse(&r, &h));
    EXPECT(h.snap);
    EXPECT_EQ(h.snap_len, 10);
    EXPECT_EQ(h.type, ETH_ARP);
    EXPECT_EQ(rd_left(&r), 6);          /* the frame's padding stays in the reader */
    EXPECT_EQ(eth_len(&h), ETH_HDR_LEN + 8);
    prop_exact(&eth_format, frame);
    prop_prints(&eth_format, &h, "02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff SNAP ARP");
}

TEST("a tagged SNAP frame is read behind its tag")
{
    HEX(frame, ADDRESSES "8100 0007 0008 aaaa03 000000 88b5");
    struct rd r = rd_of(frame);
    struct eth_hdr h;
    EXPECT(eth_parse(&r, &h));
    EXPECT(h.snap);
    EXPECT_EQ(h.type, 0x88b5);
    EXPECT_EQ(h.tags[0].vid, 7);
    prop_exact(&eth_format, frame);
    prop_prints(&eth_format, &h, "02:00:00:00:00:01 -> ff:ff:ff:ff:ff:ff VLAN 7 SNAP 0x88b5");
}

TEST("an 802.3 frame that is not SNAP with organisation zero is refused, K1 = 6 among them")
{
    COVERS("1122-2.3.3b");
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "0008 060603 000000 0800"), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "0008 424203 000000 0000"), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "0008 aaaa03 00000c 2000"), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "0008 aaaa13 000000 0800"), FAULT_TYPE);
}

TEST("an 802.3 length too small for SNAP is refused, and one beyond the frame")
{
    for (unsigned len = 0; len < 8; len++) {
        HEX(frame, ADDRESSES "0000 aaaa03 000000 0800");
        frame_bytes[13] = (uint8_t)len;
        EXPECT_EQ(prop_fault(&eth_format, frame), FAULT_TYPE);
    }
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "0009 aaaa03 000000 0800"), FAULT_TOTAL_LEN);
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "05dc aaaa03 000000 0800"), FAULT_TOTAL_LEN);
}

TEST("the values between 802.3 lengths and types mean nothing")
{
    for (unsigned type = 1501; type < 0x0600; type++) {
        uint8_t b[2048] = {[12] = (uint8_t)(type >> 8), [13] = (uint8_t)type};
        (void)prop_hex_into("aaaa03 000000 0800", b + 14);
        EXPECT_EQ(prop_fault(&eth_format, span_of(b, sizeof(b))), FAULT_TYPE);
    }
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "0600"), FAULT_NONE);
}

TEST("thirteen bytes are too short, and so is a tag without its type")
{
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "08"), FAULT_SHORT);
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "8100"), FAULT_SHORT);
    EXPECT_EQ(prop_fault_hex(&eth_format, ADDRESSES "8100 0001 08"), FAULT_SHORT);
}

TEST("eth_len is what eth_emit writes, and what does not fit is not written beyond the end")
{
    struct prop_gen g = prop_gen_of(7);
    for (unsigned i = 0; i < 200; i++) {
        struct eth_hdr h = {0};
        g.used = 0;
        (void)gen_eth(&g, &h);
        uint8_t b[64];
        for (size_t room = 0; room <= eth_len(&h); room++) {
            memset(b, 0x77, sizeof(b));
            struct wr w = wr_of(b, room);
            eth_emit(&w, &h);
            EXPECT_EQ(w.bad, room < eth_len(&h));
            EXPECT_EQ(b[room], 0x77);
        }
    }
}

TEST("a header with three tags is our own mistake")
{
    uint8_t b[64];
    struct wr w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(eth_emit(&w, &(struct eth_hdr){.tags_n = 3}));
}

TEST("the frame check sequence is the CRC-32 that everybody has")
{
    EXPECT_EQ(eth_fcs(span_str("123456789")), 0xcbf43926);
    EXPECT_EQ(eth_fcs(span_str("")), 0);
    EXPECT_EQ(eth_fcs(span_str("a")), 0xe8b7be43);
}

/* As the standard has it: a bit at a time. */
static uint32_t by_bits(const uint8_t *b, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < 8 * n; i++) {
        bool out = (crc ^ (uint32_t)b[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (out ? 0xedb88320 : 0);
    }
    return ~crc;
}

TEST("the frame check sequence of any bytes, of any length, is what it is bit by bit")
{
    uint8_t b[300];
    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = (uint8_t)(i * 167 + 13);
    for (size_t n = 0; n < 300; n++)
        EXPECT_EQ(eth_fcs(span_of(b + 300 - n, n)), by_bits(b + 300 - n, n));
}

TEST("the frame check sequence leaves least significant byte first")
{
    uint8_t b[13] = "123456789";
    struct wr w = wr_of(b + 9, 4);
    wr_fcs(&w, eth_fcs(span_of(b, 9)));
    EXPECT_MEM(b + 9, "\x26\x39\xf4\xcb", 4);
    struct rd r = rd_of(span_of(b + 9, 4));
    EXPECT_EQ(rd_fcs(&r), 0xcbf43926);
    EXPECT(rd_done(&r));
    EXPECT_EQ(eth_fcs(span_of(b, 13)), 0x2144df1c);     /* the same for every whole frame */
}

TEST("a frame check sequence that is cut or does not fit is an error")
{
    uint8_t b[4] = {1, 2, 3, 0x77};
    struct rd r = rd_of(span_of(b, 3));
    EXPECT_EQ(rd_fcs(&r), 0);
    EXPECT_EQ(r.bad, FAULT_SHORT);
    struct wr w = wr_of(b, 3);
    wr_fcs(&w, 0);
    EXPECT(w.bad);
    EXPECT_EQ(b[3], 0x77);
}

TEST("every single flipped bit changes the frame check sequence")
{
    uint8_t b[64] = {0};
    uint32_t right = eth_fcs(span_of(b, sizeof(b)));
    for (size_t bit = 0; bit < sizeof(b) * 8; bit++) {
        b[bit / 8] ^= (uint8_t)BIT(bit % 8);
        EXPECT(eth_fcs(span_of(b, sizeof(b))) != right);
        b[bit / 8] ^= (uint8_t)BIT(bit % 8);
    }
}

TEST("the short way reads exactly the untagged frames of one host to that address, of that type")
{
    const struct mac us = {{2, 0, 0, 0, 0, 1}};
    unsigned taken = 0;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct eth_hdr h, parsed;
        uint8_t bytes[256];
        struct wr w = wr_of(bytes, sizeof(bytes));
        struct span rest = gen_eth(&g, &h);
        if (prop_bool(&g))
            h.dst = us;
        if (prop_bool(&g)) {
            h.tags_n = 0;
            h.snap = false;
            h.type = (uint16_t)PROP_ONE_OF(&g, ETH_IP4, ETH_IP6, ETH_VLAN);
        }
        eth_emit(&w, &h);
        wr_bytes(&w, rest);
        size_t n = prop_bool(&g) ? wr_len(&w) : prop_upto(&g, wr_len(&w));
        struct rd r = rd_of(span_of(bytes, n)), s = r;
        bool plain = eth_parse_plain(&s, ETH_IP4, &us);
        bool good = eth_parse(&r, &parsed);
        EXPECT_EQ(plain, good && parsed.tags_n == 0 && !parsed.snap && parsed.type == ETH_IP4 &&
                             mac_eq(&parsed.dst, &us) && !mac_is_group(&parsed.src));
        EXPECT(s.p == (plain ? bytes + ETH_HDR_LEN : bytes) && s.bad == 0);
        taken += plain;
    }
    EXPECT(taken > 500);
}

TEST("a header without tags is the same written the short way")
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct eth_hdr h = {.dst = prop_mac(&g), .src = prop_mac(&g), .type = prop_u16(&g)};
        uint8_t made[ETH_HDR_LEN], want[ETH_HDR_LEN];
        struct wr m = wr_of(made, sizeof(made)), w = wr_of(want, sizeof(want));
        eth_emit_plain(&m, &h.dst, &h.src, h.type);
        eth_emit(&w, &h);
        EXPECT_MEM(made, want, ETH_HDR_LEN);
    }
}
