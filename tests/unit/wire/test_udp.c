#include "wire/udp.h"

#include "base/csum.h"
#include "base/rng.h"
#include "wire/props.h"

static struct span gen_udp(struct prop_gen *g, struct udp_hdr *h)
{
    struct span rest = prop_bytes(g, prop_upto(g, 80));
    h->src_port = prop_u16(g);
    h->dst_port = prop_u16(g);
    h->len = (uint16_t)(UDP_HDR_LEN + prop_upto(g, rest.n));    /* padding may follow */
    h->csum = prop_u16(g);
    return rest;
}

PROP_FORMAT(udp, struct udp_hdr, gen_udp(g, h), udp_parse(r, h), udp_emit(w, h), udp_print(t, h),
            PROP_EQ(src_port) && PROP_EQ(dst_port) && PROP_EQ(len) && PROP_EQ(csum),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_TOTAL_LEN),
            .lens = PROP_LENS({.at = 4, .width = 2}));

TEST("a header that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&udp_format);
}

TEST("a datagram cut anywhere is refused")
{
    prop_cuts(&udp_format);
}

TEST("no length leads outside the datagram")
{
    prop_lengths(&udp_format);
}

TEST("damaged datagrams are refused or stay stable")
{
    prop_damage(&udp_format);
}

TEST("a DNS query's header reads as it was sent")
{
    HEX(query, "a4c5 0035 000c be7f 01020304");
    struct rd r = rd_of(query);
    struct udp_hdr h;
    EXPECT(udp_parse(&r, &h));
    EXPECT_EQ(h.src_port, 42181);
    EXPECT_EQ(h.dst_port, 53);
    EXPECT_EQ(h.len, 12);
    EXPECT_EQ(h.csum, 0xbe7f);
    EXPECT_EQ(rd_left(&r), 4);
    prop_exact(&udp_format, query);
    prop_prints(&udp_format, &h, "42181 -> 53 len 4");
}

TEST("seven bytes are too short")
{
    EXPECT_EQ(prop_fault_hex(&udp_format, "a4c50035000cbe"), FAULT_SHORT);
    EXPECT_EQ(prop_fault_hex(&udp_format, ""), FAULT_SHORT);
}

TEST("the length field is at least the header and at most what there is")
{
    COVERS("768-2");
    for (uint32_t len = 0; len <= UINT16_MAX; len++) {
        uint8_t b[20] = {0, 1, 0, 2, (uint8_t)(len >> 8), (uint8_t)len};
        bool valid = len >= UDP_HDR_LEN && len <= sizeof(b);    /* bytes after it are padding */
        EXPECT_EQ(prop_fault(&udp_format, span_of(b, sizeof(b))),
                  valid ? FAULT_NONE : FAULT_TOTAL_LEN);
    }
}

TEST("a header that does not fit marks the writer and nothing else")
{
    uint8_t b[UDP_HDR_LEN + 1];
    memset(b, 0x77, sizeof(b));
    struct wr w = wr_of(b, UDP_HDR_LEN - 1);
    udp_emit(&w, &(struct udp_hdr){.len = 8});
    EXPECT(w.bad);
    EXPECT_EQ(b[UDP_HDR_LEN - 1], 0x77);
}

TEST("ports are read from the four bytes that every quote has")
{
    HEX(quote, "a4c50035");
    struct rd r = rd_of(quote);
    uint16_t src, dst;
    EXPECT(udp_ports_parse(&r, &src, &dst));
    EXPECT_EQ(src, 42181);
    EXPECT_EQ(dst, 53);
    r = rd_of(span_of(quote.p, 3));
    EXPECT(!udp_ports_parse(&r, &src, &dst));
    EXPECT_EQ(r.bad, FAULT_SHORT);
}

/* The field that a datagram between two addresses must have. */
static uint16_t right_csum(const uint8_t *datagram, size_t n, uint32_t src, uint32_t dst)
{
    struct oriel_addr s = addr_v4(src), d = addr_v4(dst);
    uint32_t sum = csum_pseudo(&s, &d, 17, (uint32_t)n);
    uint8_t copy[64];
    memcpy(copy, datagram, n);
    copy[6] = copy[7] = 0;
    uint16_t csum = csum_finish(csum_add(sum, csum_small(copy, n)));
    return csum == 0 ? 0xffff : csum;
}

TEST("after a translation the checksum is what a fresh sum would be, whatever the bytes")
{
    struct rng g;
    rng_seed(&g, 1, 1);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t d[24];
        uint32_t src = (uint32_t)rng_u64(&g), dst = (uint32_t)rng_u64(&g);
        uint32_t to = rng_below(&g, 4) ? (uint32_t)rng_u64(&g) : 0xffffffff;
        uint16_t port = (uint16_t)rng_u64(&g);
        for (unsigned k = 0; k < sizeof(d); k++)
            d[k] = (uint8_t)rng_u64(&g);
        d[4] = 0;
        d[5] = sizeof(d);
        uint16_t csum = right_csum(d, sizeof(d), src, dst);
        d[6] = (uint8_t)(csum >> 8);
        d[7] = (uint8_t)csum;
        if (i & 1)
            udp_patch_src(d, port, src, to);
        else
            udp_patch_dst(d, port, dst, to);
        struct rd r = rd_of(span_of(d, sizeof(d)));
        struct udp_hdr h;
        EXPECT(udp_parse(&r, &h));
        EXPECT_EQ(i & 1 ? h.src_port : h.dst_port, port);
        EXPECT_EQ(h.csum, right_csum(d, sizeof(d), i & 1 ? to : src, i & 1 ? dst : to));
    }
}

TEST("a datagram without a checksum stays without one when it is translated")
{
    HEX(query, "a4c5 0035 0008 0000");
    HEX(want, "1234 0035 0008 0000");
    udp_patch_src(query_bytes, 0x1234, 0x0a000001, 0xcb007101);
    EXPECT(span_eq(query, want));
}

TEST("a checksum that comes out as zero is written as its other zero")
{
    /* 0xffff is the sum of this datagram without its checksum after the change of port. */
    uint8_t d[8] = {0x00, 0x02, 0x00, 0x00, 0x00, 0x08, 0, 0};
    uint32_t src = 0x0a000001, dst = 0x0a000002;
    struct oriel_addr s = addr_v4(src), a = addr_v4(dst);
    uint32_t rest = csum_fold(csum_add(csum_pseudo(&s, &a, 17, 8), csum_small(d + 2, 6)));
    uint16_t csum = right_csum(d, sizeof(d), src, dst);
    d[6] = (uint8_t)(csum >> 8);
    d[7] = (uint8_t)csum;
    udp_patch_src(d, (uint16_t)(0xffff - rest), src, src);
    EXPECT_EQ(d[6], 0xff);
    EXPECT_EQ(d[7], 0xff);
}

TEST("the short way reads exactly what is whole, summed, and has somewhere to go")
{
    unsigned taken = 0;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct udp_hdr h = {.src_port = prop_u16(&g), .dst_port = prop_bool(&g) ? prop_u16(&g) : 0,
                            .csum = prop_bool(&g) ? prop_u16(&g) : 0};
        struct udp_hdr a = {0}, b = {0};
        uint8_t bytes[64] = {0};
        size_t n = prop_upto(&g, sizeof(bytes));
        struct wr w = wr_of(bytes, sizeof(bytes));
        h.len = (uint16_t)(prop_bool(&g) ? n : prop_upto(&g, 70));
        udp_emit(&w, &h);
        struct rd r = rd_of(span_of(bytes, n));
        bool plain = udp_parse_plain(span_of(bytes, n), &b);
        bool good = udp_parse(&r, &a);
        EXPECT_EQ(plain, good && a.len == n && a.csum != 0 && a.dst_port != 0);
        if (plain) {
            EXPECT(a.src_port == b.src_port && a.dst_port == b.dst_port && a.len == b.len);
            EXPECT_EQ(a.csum, b.csum);
            taken++;
        }
    }
    EXPECT(taken > 500);
}
