#include "wire/ip4.h"

#include "base/csum.h"
#include "wire/props.h"

/* A UDP datagram of 115 bytes, 192.168.0.1 to 192.168.0.199, and its checksum as it is known. */
#define KNOWN "4500 0073 0000 4000 4011 b861 c0a80001 c0a800c7"

static struct span gen_ip4(struct prop_gen *g, struct ip4_hdr *h)
{
    struct span rest = prop_bytes(g, prop_upto(g, 80));
    h->opts = prop_bytes(g, prop_bool(g) ? 4 * prop_upto(g, IP4_OPTS_MAX / 4) : 0);
    h->hdr_len = (uint8_t)(IP4_HDR_LEN + h->opts.n);
    h->total_len = (uint16_t)(h->hdr_len + prop_upto(g, rest.n));   /* padding may follow */
    h->tos = prop_u8(g);
    h->id = prop_u16(g);
    h->df = prop_bool(g);
    h->mf = prop_bool(g);
    h->frag_off = (uint16_t)(prop_upto(g, 8191) * 8);
    h->ttl = prop_u8(g);
    h->proto = prop_u8(g);
    h->src = prop_addr4(g);
    h->dst = prop_addr4(g);
    return rest;
}

/* The checksum over as much header as there is. */
static void seal(uint8_t *b, size_t n)
{
    size_t hdr_len = n > 0 ? (b[0] & 15u) * 4 : 0;
    if (n < IP4_HDR_LEN || hdr_len < IP4_HDR_LEN || hdr_len > n)
        return;
    b[10] = b[11] = 0;
    uint16_t csum = csum_finish(csum_small(b, hdr_len));
    b[10] = (uint8_t)(csum >> 8);
    b[11] = (uint8_t)csum;
}

static void walk_options(const void *hdr)
{
    const struct ip4_hdr *h = hdr;
    struct rd opts = rd_of(h->opts);
    struct ip4_opt_it it;
    unsigned n = 0;
    while (ip4_opt_next(&opts, &it)) {
        assert_true(++n <= IP4_OPTIONS_MAX);
        assert_ptr_equal(it.data.p, it.at + 2);
        assert_true(it.data.p + it.data.n <= h->opts.p + h->opts.n);
    }
    assert_true(opts.bad == FAULT_NONE || opts.bad == FAULT_OPT_LEN);
}

#define SAME_IP4                                                                                   \
    (PROP_EQ(hdr_len) && PROP_EQ(tos) && PROP_EQ(total_len) && PROP_EQ(id) && PROP_EQ(df) &&       \
     PROP_EQ(mf) && PROP_EQ(frag_off) && PROP_EQ(ttl) && PROP_EQ(proto) && PROP_EQ_ADDR(src) &&    \
     PROP_EQ_ADDR(dst) && PROP_EQ_SPAN(opts))

#define IP4_LENS                                                                                   \
    PROP_LENS({.at = 0, .width = 1, .mask = 15}, {.at = 2, .width = 2}, {.at = 21, .width = 1})

PROP_FORMAT(ip4, struct ip4_hdr, gen_ip4(g, h), ip4_parse(r, h), ip4_emit(w, h), ip4_print(t, h),
            SAME_IP4,
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_VERSION) | BIT(FAULT_HDR_LEN) |
                      BIT(FAULT_TOTAL_LEN) | BIT(FAULT_CSUM),
            .lens = IP4_LENS, .seal = seal, .after = walk_options);

PROP_FORMAT(quoted, struct ip4_hdr, gen_ip4(g, h), ip4_parse_quoted(r, h), ip4_emit(w, h),
            ip4_print(t, h), SAME_IP4,
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_VERSION) | BIT(FAULT_HDR_LEN),
            .lens = IP4_LENS, .after = walk_options);

TEST("a header that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&ip4_format);
    prop_round_trip(&quoted_format);
}

TEST("a datagram cut anywhere is refused")
{
    prop_cuts(&ip4_format);
    prop_cuts(&quoted_format);
}

TEST("no length field leads outside the datagram")
{
    prop_lengths(&ip4_format);
    prop_lengths(&quoted_format);
}

TEST("damaged datagrams are refused or stay stable")
{
    prop_damage(&ip4_format);
    prop_damage(&quoted_format);
}

/* ---- the header ---- */

TEST("a known header reads as it was sent, and its checksum comes out as it was")
{
    uint8_t whole[115] = {0};
    (void)prop_hex_into(KNOWN, whole);
    struct rd r = rd_of(span_of(whole, sizeof(whole)));
    struct ip4_hdr h;
    EXPECT(ip4_parse(&r, &h));
    EXPECT_EQ(h.hdr_len, 20);
    EXPECT_EQ(h.total_len, 115);
    EXPECT_EQ(h.id, 0);
    EXPECT(h.df);
    EXPECT(!h.mf);
    EXPECT_EQ(h.frag_off, 0);
    EXPECT_EQ(h.ttl, 64);
    EXPECT_EQ(h.proto, IP_UDP);
    EXPECT_EQ(h.csum, 0xb861);
    EXPECT(addr_is_v4(&h.src));
    EXPECT_EQ(addr_to_v4(&h.src), 0xc0a80001);
    EXPECT_EQ(addr_to_v4(&h.dst), 0xc0a800c7);
    EXPECT_EQ(h.src.zone, 0);
    EXPECT_EQ(h.opts.n, 0);
    EXPECT_EQ(rd_left(&r), 95);
    prop_exact(&ip4_format, span_of(whole, sizeof(whole)));
    prop_prints(&ip4_format, &h, "192.168.0.1 -> 192.168.0.199 UDP len 115 ttl 64");
}

TEST("every version but four is refused, whatever else is wrong")
{
    COVERS("1122-3.2.1.1");
    for (unsigned version = 0; version < 16; version++) {
        uint8_t b[IP4_HDR_LEN] = {0};
        for (unsigned words = 0; words < 16; words++) {
            b[0] = (uint8_t)(version << 4 | words);
            uint8_t fault = prop_fault(&ip4_format, span_of(b, sizeof(b)));
            EXPECT_EQ(fault == FAULT_VERSION, version != 4);
            fault = prop_fault(&quoted_format, span_of(b, sizeof(b)));
            EXPECT_EQ(fault == FAULT_VERSION, version != 4);
        }
    }
}

/* What RFC 791 says of these three lengths, said once more. */
static uint8_t expected_fault(size_t hdr_len, size_t total, size_t frame)
{
    if (frame < IP4_HDR_LEN)
        return FAULT_SHORT;
    if (hdr_len < IP4_HDR_LEN || hdr_len > frame || hdr_len > total)
        return FAULT_HDR_LEN;
    return total > frame ? FAULT_TOTAL_LEN : FAULT_NONE;
}

TEST("header length, total length and frame length must agree, in every combination")
{
    COVERS("791-IHL");
    for (unsigned words = 0; words < 16; words++) {
        for (unsigned total = 0; total < 72; total++) {
            for (unsigned frame = 0; frame < 68; frame += frame < 18 ? 6 : 1) {
                uint8_t b[72] = {(uint8_t)(0x40 | words), 0, 0, (uint8_t)total};
                seal(b, frame);
                EXPECT_EQ(prop_fault(&ip4_format, span_of(b, frame)),
                          expected_fault(words * 4, total, frame));
            }
        }
    }
}

TEST("every single flipped bit of a header is refused")
{
    COVERS("1122-3.2.1.2");
    HEX(plain, "4500 0014 1234 2000 4011 0000 c0a80001 c0a800c7");
    seal(plain_bytes, plain.n);
    prop_flips_refused(&ip4_format, plain);
    HEX(optioned, "4600 0018 1234 0000 4011 0000 c0a80001 c0a800c7 94040000");
    seal(optioned_bytes, optioned.n);
    prop_flips_refused(&ip4_format, optioned);
}

TEST("the checksum is looked at before the total length, and after the header length")
{
    EXPECT_EQ(prop_fault_hex(&ip4_format, KNOWN), FAULT_TOTAL_LEN);
    EXPECT_EQ(prop_fault_hex(&ip4_format, "4500 0074 0000 4000 4011 b861 c0a80001 c0a800c7"),
              FAULT_CSUM);
    EXPECT_EQ(prop_fault_hex(&ip4_format, "4500 0013 0000 4000 4011 b861 c0a80001 c0a800c7"),
              FAULT_HDR_LEN);
}

TEST("a checksum field of all ones is the other zero")
{
    HEX(b, "4500 0014 0000 0000 0011 0000 00000000 00000000");
    uint16_t rest = csum_finish(csum_small(b.p, b.n));
    b_bytes[4] = (uint8_t)(rest >> 8);          /* the identification makes the sum 0xffff */
    b_bytes[5] = (uint8_t)rest;
    EXPECT_EQ(prop_fault(&ip4_format, b), FAULT_NONE);
    b_bytes[10] = b_bytes[11] = 0xff;
    EXPECT_EQ(prop_fault(&ip4_format, b), FAULT_NONE);
}

TEST("a reader that is bad already stays bad")
{
    HEX(b, "4500 0014 0000 0000 4011 0000 c0a80001 c0a800c7");
    seal(b_bytes, b.n);
    struct rd r = rd_of(b);
    r.bad = FAULT_MAGIC;
    struct ip4_hdr h;
    EXPECT(!ip4_parse(&r, &h));
    EXPECT_EQ(r.bad, FAULT_MAGIC);
}

TEST("fragment offsets count eight bytes up to 65528, and flags are apart from them")
{
    HEX(b, "4500 0014 beef 3fff 4001 0000 0a000001 0a000002");
    seal(b_bytes, b.n);
    struct rd r = rd_of(b);
    struct ip4_hdr h;
    EXPECT(ip4_parse(&r, &h));
    EXPECT_EQ(h.frag_off, 65528);
    EXPECT(h.mf);
    EXPECT(!h.df);
    prop_exact(&ip4_format, b);
    prop_prints(&ip4_format, &h,
                "10.0.0.1 -> 10.0.0.2 Fragmented IP protocol (proto=ICMP, off=65528, ID=beef) "
                "len 20 ttl 64");
}

TEST("the reserved flag is ignored and not sent on")
{
    HEX(b, "4500 0014 0000 8000 4001 0000 0a000001 0a000002");
    seal(b_bytes, b.n);
    struct rd r = rd_of(b);
    struct ip4_hdr h;
    EXPECT(ip4_parse(&r, &h));
    EXPECT(!h.df);
    EXPECT(!h.mf);
    EXPECT_EQ(h.frag_off, 0);
    uint8_t out[IP4_HDR_LEN];
    struct wr w = wr_of(out, sizeof(out));
    ip4_emit(&w, &h);
    EXPECT_EQ(out[6], 0);
}

TEST("what follows the datagram stays in the reader")
{
    HEX(b, "4500 0016 0000 0000 40fd 0000 0a000001 0a000002 0102 ffffffff");
    seal(b_bytes, b.n);
    struct rd r = rd_of(b);
    struct ip4_hdr h;
    EXPECT(ip4_parse(&r, &h));
    EXPECT_EQ(h.total_len, 22);
    EXPECT_EQ(rd_left(&r), 6);
    prop_prints(&ip4_format, &h, "10.0.0.1 -> 10.0.0.2 protocol 253 len 22 ttl 64");
}

TEST("a quoted header may have any total length and checksum")
{
    HEX(b, "4500 05dc 1234 4000 0006 dead 0a000001 0a000002 0016 9c40 00000001");
    struct rd r = rd_of(b);
    struct ip4_hdr h;
    EXPECT(ip4_parse_quoted(&r, &h));
    EXPECT_EQ(h.total_len, 1500);
    EXPECT_EQ(rd_left(&r), 8);
    EXPECT_EQ(prop_fault(&ip4_format, b), FAULT_CSUM);
    b_bytes[0] = 0x44;
    EXPECT_EQ(prop_fault(&quoted_format, b), FAULT_HDR_LEN);
    b_bytes[0] = 0x4f;
    EXPECT_EQ(prop_fault(&quoted_format, b), FAULT_HDR_LEN);
    EXPECT_EQ(prop_fault(&quoted_format, span_of(b.p, 19)), FAULT_SHORT);
}

/* ---- emitting ---- */

TEST("emitting computes header length and checksum, and pads options with zeros")
{
    struct ip4_hdr h = {.hdr_len = 99, .total_len = 24, .csum = 0xdead, .ttl = 64};
    h.opts = span_of("\x94\x04\x00", 3);
    h.src = addr_v4(0x0a000001);
    h.dst = addr_v4(0x0a000002);
    uint8_t b[24];
    struct wr w = wr_of(b, sizeof(b));
    ip4_emit(&w, &h);
    EXPECT(!w.bad);
    EXPECT_EQ(wr_len(&w), 24);
    EXPECT_EQ(b[0], 0x46);
    EXPECT_MEM(b + 20, "\x94\x04\x00\x00", 4);
    EXPECT_EQ(csum_finish(csum_small(b, 24)), 0);
}

TEST("the header may stand behind others in the writer")
{
    struct ip4_hdr h = {.total_len = 20, .src = ADDR_V4_ANY, .dst = ADDR_V4_BCAST};
    uint8_t b[33];
    struct wr w = wr_of(b, sizeof(b));
    wr_zeros(&w, 13);
    ip4_emit(&w, &h);
    EXPECT(!w.bad);
    EXPECT_EQ(csum_finish(csum_small(b + 13, 20)), 0);
    EXPECT_EQ(prop_fault(&ip4_format, span_of(b + 13, 20)), FAULT_NONE);
}

TEST("a header that does not fit is not written at all")
{
    struct ip4_hdr h = {.total_len = 28, .opts = span_of("\1\1\1\1\1\1\1\0", 8)};
    uint8_t b[28];
    for (size_t room = 0; room < sizeof(b); room++) {
        memset(b, 0x77, sizeof(b));
        struct wr w = wr_of(b, room);
        ip4_emit(&w, &h);
        EXPECT(w.bad);
        EXPECT_EQ(wr_len(&w), 0);
        EXPECT_EQ(b[0], 0x77);
    }
}

TEST("too many options and a crooked fragment offset are our own mistakes")
{
    static const uint8_t many[41];
    uint8_t b[80];
    struct wr w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(ip4_emit(&w, &(struct ip4_hdr){.opts = span_of(many, sizeof(many))}));
    EXPECT_ASSERTS(ip4_emit(&w, &(struct ip4_hdr){.frag_off = 12}));
}

/* ---- options ---- */

TEST("a walk gives each option with its place, and steps over no-operations")
{
    HEX(opts, "01 94040000 01 01 07070400000000 440504 0000 00 ffff");
    struct rd r = rd_of(opts);
    struct ip4_opt_it it;
    EXPECT(ip4_opt_next(&r, &it));
    EXPECT_EQ(it.type, IP4_OPT_RA);
    EXPECT_EQ(it.at - opts.p, 1);
    EXPECT_EQ(it.data.n, 2);
    EXPECT(ip4_opt_next(&r, &it));
    EXPECT_EQ(it.type, IP4_OPT_RR);
    EXPECT_EQ(it.at - opts.p, 7);
    EXPECT_EQ(it.data.n, 5);
    EXPECT_EQ(it.data.p[0], 4);
    EXPECT(ip4_opt_next(&r, &it));
    EXPECT_EQ(it.type, IP4_OPT_TS);
    EXPECT_EQ(it.at - opts.p, 14);
    EXPECT(!ip4_opt_next(&r, &it));
    EXPECT(!ip4_opt_next(&r, &it));             /* the end stays the end */
    EXPECT_EQ(r.bad, FAULT_NONE);
}

TEST("a header of forty no-operations has no option to give")
{
    uint8_t nops[IP4_OPTS_MAX];
    memset(nops, IP4_OPT_NOP, sizeof(nops));
    struct rd r = rd_of(span_of(nops, sizeof(nops)));
    struct ip4_opt_it it;
    EXPECT(!ip4_opt_next(&r, &it));
    EXPECT_EQ(r.bad, FAULT_NONE);
}

TEST("a header of the smallest options gives twenty of them")
{
    uint8_t opts[IP4_OPTS_MAX];
    for (size_t i = 0; i < sizeof(opts); i += 2) {
        opts[i] = IP4_OPT_RA;
        opts[i + 1] = 2;
    }
    struct rd r = rd_of(span_of(opts, sizeof(opts)));
    struct ip4_opt_it it;
    unsigned n = 0;
    while (ip4_opt_next(&r, &it))
        EXPECT_EQ(it.at - opts, 2 * n++);
    EXPECT_EQ(n, 20);
    EXPECT_EQ(r.bad, FAULT_NONE);
}

TEST("an option of any type with a length of 0, 1 or past the end names its place")
{
    for (unsigned type = 2; type < 256; type++) {
        for (unsigned len = 0; len < 256; len++) {
            uint8_t b[7] = {IP4_OPT_NOP, (uint8_t)type, (uint8_t)len, 0, 0, 0, 0};
            struct prop_block opts = prop_block_of(span_of(b, sizeof(b)));
            struct rd r = rd_of(span_of(opts.p, opts.n));
            struct ip4_opt_it it;
            bool valid = len >= 2 && len <= 6;
            EXPECT_EQ(ip4_opt_next(&r, &it), valid);
            EXPECT_EQ(it.at - opts.p, 1);
            EXPECT_EQ(it.type, type);
            EXPECT_EQ(r.bad, valid ? FAULT_NONE : FAULT_OPT_LEN);
            free(opts.base);
        }
    }
}

TEST("an option without its length byte is at fault")
{
    HEX(opts, "01010183");
    struct rd r = rd_of(opts);
    struct ip4_opt_it it;
    EXPECT(!ip4_opt_next(&r, &it));
    EXPECT_EQ(r.bad, FAULT_OPT_LEN);
    EXPECT_EQ(it.at - opts.p, 3);
}

/* ---- changes in place ---- */

/* The same header with its checksum computed from nothing. */
static void expect_sealed(const uint8_t *hdr, size_t n)
{
    uint8_t want[IP4_HDR_MAX];
    memcpy(want, hdr, n);
    seal(want, n);
    EXPECT_MEM(hdr, want, n);
}

TEST("a new TTL keeps the checksum right, from every value to every value")
{
    HEX(b, "4500 0014 beef 3fff 0001 0000 0a000001 0a000002");
    for (unsigned from = 0; from < 256; from++) {
        for (unsigned to = 0; to < 256; to++) {
            b_bytes[8] = (uint8_t)from;
            seal(b_bytes, b.n);
            ip4_patch_ttl(b_bytes, (uint8_t)to);
            EXPECT_EQ(b_bytes[8], to);
            expect_sealed(b_bytes, b.n);
        }
    }
}

TEST("new addresses keep the checksum right, in headers of all kinds")
{
    struct prop_gen g = prop_gen_of(11);
    for (unsigned i = 0; i < 20000; i++) {
        struct ip4_hdr h = {0};
        g.used = 0;
        (void)gen_ip4(&g, &h);
        uint8_t b[IP4_HDR_MAX];
        struct wr w = wr_of(b, sizeof(b));
        ip4_emit(&w, &h);
        struct oriel_addr to = prop_addr4(&g);
        h.src = to;
        ip4_patch_src(b, &to);
        expect_sealed(b, h.hdr_len);
        to = prop_addr4(&g);
        h.dst = to;
        ip4_patch_dst(b, &to);
        expect_sealed(b, h.hdr_len);
        h.ttl = prop_u8(&g);
        ip4_patch_ttl(b, h.ttl);
        uint8_t want[IP4_HDR_MAX];
        w = wr_of(want, sizeof(want));
        ip4_emit(&w, &h);                       /* as if it had been sent like this */
        EXPECT_MEM(b, want, h.hdr_len);
    }
}

TEST("new addresses that leave the sum as it was keep the checksum right")
{
    HEX(b, "4500 0014 0000 0000 4011 0000 00000000 0a000002");
    for (uint32_t half = 0; half <= UINT16_MAX; half++) {
        struct oriel_addr to = addr_v4(half << 16 | (uint16_t)~half);
        seal(b_bytes, b.n);
        ip4_patch_src(b_bytes, &to);
        expect_sealed(b_bytes, b.n);
    }
}

TEST("protocols have names, and those without print as numbers")
{
    EXPECT_STR(ip_proto_name(IP_UDP), "UDP");
    EXPECT_STR(ip_proto_name(IP_TCP), "TCP");
    EXPECT_STR(ip_proto_name(IP_ICMP6), "ICMPv6");
    unsigned named = 0;
    for (unsigned proto = 0; proto < 256; proto++)
        named += ip_proto_name((uint8_t)proto) != NULL;
    EXPECT_EQ(named, 14);
    EXPECT(ip_proto_name(255) == NULL);
}

/* Damage a byte in half of the cases, and sometimes make the checksum right again. */
static void damage(struct prop_gen *g, uint8_t *b, size_t n)
{
    if (n == 0 || prop_bool(g))
        return;
    b[prop_upto(g, (n < IP4_HDR_LEN ? n : IP4_HDR_LEN) - 1)] = prop_u8(g);
    if (prop_bool(g))
        seal(b, n);
}

TEST("the short way reads exactly the whole datagrams without options, and reads them the same")
{
    unsigned taken = 0;
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct ip4_hdr h, a, b;
        uint8_t bytes[256];
        struct wr w = wr_of(bytes, sizeof(bytes));
        struct span rest = gen_ip4(&g, &h);
        if (prop_bool(&g)) {
            h.opts.n = 0;
            h.mf = false;
            h.frag_off = 0;
            h.total_len = (uint16_t)(IP4_HDR_LEN + prop_upto(&g, rest.n));
        }
        ip4_emit(&w, &h);
        wr_bytes(&w, rest);
        size_t n = prop_bool(&g) ? wr_len(&w) : prop_upto(&g, wr_len(&w));
        damage(&g, bytes, n);
        struct rd r = rd_of(span_of(bytes, n)), s = r;
        bool plain = ip4_parse_plain(&s, &b);
        bool good = ip4_parse(&r, &a);
        EXPECT_EQ(plain, good && a.opts.n == 0 && !a.mf && a.frag_off == 0);
        EXPECT(s.p == (plain ? bytes + IP4_HDR_LEN : bytes) && s.bad == 0);
        if (plain) {
            EXPECT(a.hdr_len == b.hdr_len && a.tos == b.tos && a.total_len == b.total_len);
            EXPECT(a.id == b.id && a.df == b.df && !b.mf && b.frag_off == 0 && a.ttl == b.ttl);
            EXPECT(a.proto == b.proto && a.csum == b.csum && b.opts.n == 0);
            EXPECT(addr_identical(&a.src, &b.src) && addr_identical(&a.dst, &b.dst));
            taken++;
        }
    }
    EXPECT(taken > 1000);
}

TEST("a form with a length is the header that would have been written whole")
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct ip4_hdr h = {.tos = prop_u8(&g), .id = prop_u16(&g), .df = prop_bool(&g),
                            .ttl = prop_u8(&g), .proto = prop_u8(&g), .src = prop_addr4(&g),
                            .dst = prop_addr4(&g)};
        struct ip4_form form;
        uint8_t made[IP4_HDR_LEN], want[IP4_HDR_LEN];
        ip4_form_make(&form, &h);
        for (unsigned i = 0; i < 8; i++) {
            h.total_len = i == 0 ? UINT16_MAX : prop_u16(&g);
            struct wr m = wr_of(made, sizeof(made)), w = wr_of(want, sizeof(want));
            ip4_form_emit(&m, &form, h.total_len);
            ip4_emit(&w, &h);
            EXPECT_MEM(made, want, IP4_HDR_LEN);
        }
    }
}
