#include "wire/ip6.h"

#include "wire/props.h"

#define FIXED_TO(next) "6000 0000 0004 " next " 40 "
#define ADDRESSES      "fe800000000000000000000000000001 ff020000000000000000000000000001 "

static struct span gen_ip6(struct prop_gen *g, struct ip6_hdr *h)
{
    struct span rest = prop_bytes(g, prop_upto(g, 80));
    h->tclass = prop_u8(g);
    h->flow = (uint32_t)prop_upto(g, 0xfffff);
    h->payload_len = (uint16_t)prop_upto(g, rest.n);
    h->next = prop_u8(g);
    h->hop_limit = prop_u8(g);
    h->src = prop_addr6(g);
    h->dst = prop_addr6(g);
    return rest;
}

#define SAME_IP6                                                                                   \
    (PROP_EQ(tclass) && PROP_EQ(flow) && PROP_EQ(payload_len) && PROP_EQ(next) &&                  \
     PROP_EQ(hop_limit) && PROP_EQ_ADDR(src) && PROP_EQ_ADDR(dst) && PROP_EQ(src.zone) &&          \
     PROP_EQ(dst.zone))

PROP_FORMAT(ip6, struct ip6_hdr, gen_ip6(g, h), ip6_parse(r, h), ip6_emit(w, h), ip6_print(t, h),
            SAME_IP6,
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_VERSION) | BIT(FAULT_TOTAL_LEN) |
                      BIT(FAULT_ADDR),
            .lens = PROP_LENS({.at = 4, .width = 2}));

PROP_FORMAT(quoted, struct ip6_hdr, gen_ip6(g, h), ip6_parse_quoted(r, h), ip6_emit(w, h),
            ip6_print(t, h), SAME_IP6,
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_VERSION) | BIT(FAULT_ADDR),
            .lens = PROP_LENS({.at = 4, .width = 2}));

/* An extension header with options, which nobody but tests writes whole. */
static struct span gen_ext(struct prop_gen *g, struct ip6_ext *e)
{
    e->type = IP_HOPOPTS;
    e->next = prop_u8(g);
    e->body = prop_bytes(g, 6 + 8 * prop_upto(g, 4));
    return prop_bytes(g, prop_upto(g, 20));
}

static void emit_ext(struct wr *w, const struct ip6_ext *e)
{
    wr_u8(w, e->next);
    wr_u8(w, (uint8_t)((e->body.n - 6) / 8));
    wr_bytes(w, e->body);
}

static void walk_options(const void *hdr)
{
    const struct ip6_ext *e = hdr;
    struct ip6_opt_walk walk = ip6_opts(e);
    struct ip6_opt o;
    unsigned n = 0;
    while (ip6_opt_next(&walk, &o)) {
        assert_true(++n <= IP6_OPTS_MAX);
        assert_ptr_equal(o.data.p, e->body.p + o.at);       /* at counts two bytes before it */
        assert_true(o.data.p + o.data.n <= e->body.p + e->body.n);
        assert_true(o.type != IP6_OPT_PAD1 && o.type != IP6_OPT_PADN);
    }
    assert_true(walk.r.bad == FAULT_NONE || walk.r.bad == FAULT_OPT_LEN ||
                walk.r.bad == FAULT_OPT_COUNT);
    assert_false(ip6_opt_next(&walk, &o));
}

PROP_FORMAT(ext, struct ip6_ext, gen_ext(g, h), ip6_ext_parse(r, IP_HOPOPTS, h), emit_ext(w, h),
            txt_u(t, h->next), PROP_EQ(type) && PROP_EQ(next) && PROP_EQ_SPAN(body),
            .faults = BIT(FAULT_SHORT),
            .lens = PROP_LENS({.at = 1, .width = 1}, {.at = 3, .width = 1}),
            .after = walk_options);

static struct span gen_frag(struct prop_gen *g, struct ip6_frag *f)
{
    f->next = prop_u8(g);
    f->off = (uint16_t)(8 * prop_upto(g, 8191));
    f->more = prop_bool(g);
    f->id = prop_u32(g);
    return prop_bytes(g, prop_upto(g, 20));
}

PROP_FORMAT(frag, struct ip6_frag, gen_frag(g, h), ip6_frag_parse(r, h), ip6_frag_emit(w, h),
            txt_u(t, h->off), PROP_EQ(next) && PROP_EQ(off) && PROP_EQ(more) && PROP_EQ(id),
            .faults = BIT(FAULT_SHORT));

TEST("headers that are emitted parse back, and emit the same bytes")
{
    prop_round_trip(&ip6_format);
    prop_round_trip(&quoted_format);
    prop_round_trip(&ext_format);
    prop_round_trip(&frag_format);
}

TEST("a packet cut anywhere in a header is refused")
{
    prop_cuts(&ip6_format);
    prop_cuts(&quoted_format);
    prop_cuts(&ext_format);
    prop_cuts(&frag_format);
}

TEST("no length field leads outside the packet")
{
    prop_lengths(&ip6_format);
    prop_lengths(&quoted_format);
    prop_lengths(&ext_format);
}

TEST("damaged packets are refused or stay stable")
{
    prop_damage(&ip6_format);
    prop_damage(&quoted_format);
    prop_damage(&ext_format);
    prop_damage(&frag_format);
}

/* ---- the fixed header ---- */

TEST("a router advertisement's header reads as it was sent")
{
    HEX(b, "6e0b eef0 0004 3a ff " ADDRESSES "86001234");
    struct rd r = rd_of(b);
    struct ip6_hdr h;
    EXPECT(ip6_parse(&r, &h));
    EXPECT_EQ(h.tclass, 0xe0);
    EXPECT_EQ(h.flow, 0xbeef0);
    EXPECT_EQ(h.payload_len, 4);
    EXPECT_EQ(h.next, IP_ICMP6);
    EXPECT_EQ(h.hop_limit, 255);
    EXPECT_EQ(h.src.hi, 0xfe80000000000000);
    EXPECT_EQ(h.src.lo, 1);
    EXPECT_EQ(h.dst.hi, 0xff02000000000000);
    EXPECT_EQ(h.src.zone, 0);
    EXPECT_EQ(rd_left(&r), 4);
    prop_exact(&ip6_format, b);
    prop_prints(&ip6_format, &h, "fe80::1 -> ff02::1 ICMPv6 len 4 hlim 255");
    h.next = 253;
    prop_prints(&ip6_format, &h, "fe80::1 -> ff02::1 protocol 253 len 4 hlim 255");
}

TEST("every version but six is refused")
{
    COVERS("8200-1");
    HEX(b, FIXED_TO("11") ADDRESSES "00000000");
    for (unsigned version = 0; version < 16; version++) {
        b_bytes[0] = (uint8_t)(version << 4);
        uint8_t want = version == 6 ? FAULT_NONE : FAULT_VERSION;
        EXPECT_EQ(prop_fault(&ip6_format, b), want);
        EXPECT_EQ(prop_fault(&quoted_format, b), want);
    }
}

TEST("a payload beyond the bytes is refused, and bytes beyond the payload are left alone")
{
    COVERS("8200-1");
    HEX(b, FIXED_TO("11") ADDRESSES "00000000");
    for (uint32_t len = 0; len <= UINT16_MAX; len += len < 16 ? 1 : 13) {
        b_bytes[4] = (uint8_t)(len >> 8);
        b_bytes[5] = (uint8_t)len;
        EXPECT_EQ(prop_fault(&ip6_format, b), len <= 4 ? FAULT_NONE : FAULT_TOTAL_LEN);
        EXPECT_EQ(prop_fault(&quoted_format, b), FAULT_NONE);
    }
}

TEST("thirty-nine bytes are too short")
{
    HEX(b, "6000 0000 0000 3b 40 " ADDRESSES);
    EXPECT_EQ(b.n, 40);
    EXPECT_EQ(prop_fault(&ip6_format, b), FAULT_NONE);
    EXPECT_EQ(prop_fault(&ip6_format, span_of(b.p, 39)), FAULT_SHORT);
    EXPECT_EQ(prop_fault(&quoted_format, span_of(b.p, 39)), FAULT_SHORT);
}

TEST("a mapped IPv4 address may be neither source nor destination")
{
    static const char mapped_src[] = "6000 0000 0000 3b 40 00000000000000000000ffff0a000001"
                                     "fe800000000000000000000000000001";
    static const char mapped_dst[] = "6000 0000 0000 3b 40 fe800000000000000000000000000001"
                                     "00000000000000000000ffff00000000";
    EXPECT_EQ(prop_fault_hex(&ip6_format, mapped_src), FAULT_ADDR);
    EXPECT_EQ(prop_fault_hex(&ip6_format, mapped_dst), FAULT_ADDR);
    EXPECT_EQ(prop_fault_hex(&quoted_format, mapped_src), FAULT_ADDR);
    EXPECT_EQ(prop_fault_hex(&quoted_format, mapped_dst), FAULT_ADDR);
}

TEST("the unspecified and the loopback address are no mapped addresses")
{
    EXPECT_EQ(prop_fault_hex(&ip6_format, "6000 0000 0000 3b 40"
                                          "00000000000000000000000000000000"
                                          "00000000000000000000000000000001"),
              FAULT_NONE);
}

TEST("a header that does not fit is not written at all")
{
    uint8_t b[40];
    memset(b, 0x77, sizeof(b));
    struct wr w = wr_of(b, 39);
    ip6_emit(&w, &(struct ip6_hdr){0});
    EXPECT(w.bad);
    EXPECT_EQ(b[0], 0x77);
}

TEST("a flow label of 21 bits is our own mistake")
{
    uint8_t b[40];
    struct wr w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(ip6_emit(&w, &(struct ip6_hdr){.flow = 0x100000}));
}

TEST("a new hop limit changes one byte")
{
    HEX(b, FIXED_TO("11") ADDRESSES);
    HEX(want, "6000 0000 0004 11 3f" ADDRESSES);
    ip6_patch_hop_limit(b_bytes, 63);
    EXPECT_MEM(b.p, want.p, want.n);
}

/* ---- extension headers ---- */

TEST("an extension header is as long as it says")
{
    for (unsigned units = 0; units < 256; units++) {
        uint8_t b[2048] = {IP_TCP, (uint8_t)units};
        for (unsigned cut = 0; cut < 2; cut++) {
            struct prop_block block = prop_block_of(span_of(b, (units + 1) * 8 - cut));
            struct rd r = rd_of(span_of(block.p, block.n));
            struct ip6_ext e;
            EXPECT_EQ(ip6_ext_parse(&r, IP_DSTOPTS, &e), cut == 0);
            EXPECT_EQ(r.bad, cut ? FAULT_SHORT : FAULT_NONE);
            EXPECT_EQ(e.type, IP_DSTOPTS);
            EXPECT_EQ(e.next, IP_TCP);
            EXPECT_EQ(e.body.n, cut ? 0 : units * 8 + 6);
            free(block.base);
        }
    }
}

TEST("a fragment header has eight bytes whatever stands where others have a length")
{
    HEX(b, "06 ff fff9 deadbeef 0102");
    struct rd r = rd_of(b);
    struct ip6_ext e;
    EXPECT(ip6_ext_parse(&r, IP_FRAGMENT, &e));
    EXPECT_EQ(e.body.n, 6);
    EXPECT_EQ(rd_left(&r), 2);
    r = rd_of(b);
    struct ip6_frag f;
    EXPECT(ip6_frag_parse(&r, &f));
    EXPECT_EQ(f.next, IP_TCP);
    EXPECT_EQ(f.off, 65528);
    EXPECT(f.more);
    EXPECT_EQ(f.id, 0xdeadbeef);
    EXPECT_EQ(rd_left(&r), 2);
}

TEST("the reserved bits of a fragment header are ignored and sent as zero")
{
    HEX(b, "3a 55 000e 00000001");
    struct rd r = rd_of(b);
    struct ip6_frag f;
    EXPECT(ip6_frag_parse(&r, &f));
    EXPECT_EQ(f.off, 8);
    EXPECT(!f.more);
    uint8_t out[IP6_FRAG_LEN];
    struct wr w = wr_of(out, sizeof(out));
    ip6_frag_emit(&w, &f);
    EXPECT_MEM(out, "\x3a\x00\x00\x08\x00\x00\x00\x01", sizeof(out));
}

TEST("an odd fragment offset is our own mistake")
{
    uint8_t b[8];
    struct wr w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(ip6_frag_emit(&w, &(struct ip6_frag){.off = 4}));
}

TEST("what is not one of our extension headers is refused")
{
    HEX(b, "06 00 000000000000");
    unsigned taken = 0;
    for (unsigned type = 0; type < 256; type++) {
        struct rd r = rd_of(b);
        struct ip6_ext e;
        bool ok = ip6_ext_parse(&r, (uint8_t)type, &e);
        EXPECT_EQ(ok, ip6_is_ext((uint8_t)type));
        EXPECT_EQ(r.bad, ok ? FAULT_NONE : FAULT_TYPE);
        taken += ok;
    }
    EXPECT_EQ(taken, 4);
    EXPECT(!ip6_is_ext(IP_AH));
}

TEST("a routing header gives its type and the segments left, and others give nothing")
{
    HEX(b, "06 00 00 03 00000000");
    struct rd r = rd_of(b);
    struct ip6_ext e;
    struct ip6_routing h;
    EXPECT(ip6_ext_parse(&r, IP_ROUTING, &e));
    EXPECT(ip6_routing_parse(&e, &h));
    EXPECT_EQ(h.type, 0);
    EXPECT_EQ(h.segments_left, 3);
    e.type = IP_DSTOPTS;
    EXPECT(!ip6_routing_parse(&e, &h));
}

/* ---- options ---- */

/* The extension header in the bytes, which must be one. */
static struct ip6_ext ext_of(struct span b)
{
    struct rd r = rd_of(b);
    struct ip6_ext e;
    EXPECT(ip6_ext_parse(&r, IP_HOPOPTS, &e));
    EXPECT(rd_done(&r));
    return e;
}

TEST("a walk gives each option with its place, and steps over Pad1 and PadN")
{
    COVERS("8200-6");
    HEX(b, "3a 01 00 05020000 0100 c20400001234 00");
    struct ip6_ext e = ext_of(b);
    struct ip6_opt_walk walk = ip6_opts(&e);
    struct ip6_opt o;
    EXPECT(ip6_opt_next(&walk, &o));
    EXPECT_EQ(o.type, IP6_OPT_RA);
    EXPECT_EQ(o.at, 3);
    EXPECT_EQ(o.data.n, 2);
    EXPECT(ip6_opt_next(&walk, &o));
    EXPECT_EQ(o.type, 0xc2);
    EXPECT_EQ(o.type >> 6, IP6_ACT_ICMP_UNICAST);
    EXPECT_EQ(o.at, 9);
    EXPECT_EQ(o.data.n, 4);
    EXPECT_EQ(o.data.p[2], 0x12);
    EXPECT(!ip6_opt_next(&walk, &o));
    EXPECT_EQ(walk.r.bad, FAULT_NONE);
}

TEST("a header of padding has no option to give")
{
    COVERS("8200-6");
    HEX(pad_n, "3a 00 0104 00000000");
    struct ip6_ext e = ext_of(pad_n);
    struct ip6_opt_walk walk = ip6_opts(&e);
    struct ip6_opt o;
    EXPECT(!ip6_opt_next(&walk, &o));
    EXPECT_EQ(walk.r.bad, FAULT_NONE);
    HEX(pad_1, "3a 00 000000000000");
    e = ext_of(pad_1);
    walk = ip6_opts(&e);
    EXPECT(!ip6_opt_next(&walk, &o));
    EXPECT_EQ(walk.r.bad, FAULT_NONE);
}

TEST("an option of any type and length stays within its header or names its place")
{
    COVERS("8200-6");
    for (unsigned type = 1; type < 256; type++) {
        for (unsigned len = 0; len < 256; len++) {
            uint8_t b[8] = {IP_TCP, 0, IP6_OPT_PAD1, (uint8_t)type, (uint8_t)len};
            struct ip6_ext e = ext_of(span_of(b, sizeof(b)));
            struct ip6_opt_walk walk = ip6_opts(&e);
            struct ip6_opt o;
            bool got = ip6_opt_next(&walk, &o);
            EXPECT_EQ(got, type != IP6_OPT_PADN && len <= 3);
            EXPECT_EQ(walk.r.bad, len <= 3 ? FAULT_NONE : FAULT_OPT_LEN);
            if (got || len > 3)
                EXPECT_EQ(o.at, 3);
        }
    }
}

TEST("an option without its length byte is at fault")
{
    COVERS("8200-6");
    HEX(b, "3a 00 0000000000 05");
    struct ip6_ext e = ext_of(b);
    struct ip6_opt_walk walk = ip6_opts(&e);
    struct ip6_opt o;
    EXPECT(!ip6_opt_next(&walk, &o));
    EXPECT_EQ(walk.r.bad, FAULT_OPT_LEN);
    EXPECT_EQ(o.at, 7);
    EXPECT(!ip6_opt_next(&walk, &o));
    EXPECT_EQ(walk.r.bad, FAULT_OPT_LEN);
}

TEST("sixteen options are walked and the seventeenth ends the walk, pads counted")
{
    uint8_t b[40] = {IP_TCP, 4};
    for (size_t i = 2; i < sizeof(b); i += 2)
        b[i] = 0x1e;                            /* nineteen options without data */
    struct ip6_ext e = ext_of(span_of(b, sizeof(b)));
    struct ip6_opt_walk walk = ip6_opts(&e);
    struct ip6_opt o;
    for (unsigned n = 0; n < IP6_OPTS_MAX; n++)
        EXPECT(ip6_opt_next(&walk, &o));
    EXPECT(!ip6_opt_next(&walk, &o));
    EXPECT_EQ(walk.r.bad, FAULT_OPT_COUNT);
    EXPECT_EQ(o.at, 2 + 2 * IP6_OPTS_MAX);

    memset(b + 2, IP6_OPT_PAD1, sizeof(b) - 2);
    walk = ip6_opts(&e);
    EXPECT(!ip6_opt_next(&walk, &o));
    EXPECT_EQ(walk.r.bad, FAULT_OPT_COUNT);
}
