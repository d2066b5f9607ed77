#include "wire/ndp.h"

#include "wire/props.h"

/* The message as icmp6_parse leaves it: type read, code and checksum passed over. */
static bool parse_whole(struct rd *r, struct ndp_msg *h)
{
    uint8_t type = rd_u8(r);
    rd_skip(r, 3);
    return ndp_parse(r, type, h);
}

static void gen_ra_options(struct prop_gen *g, struct ndp_msg *h)
{
    h->has_mtu = prop_bool(g);
    h->mtu = h->has_mtu ? prop_u32(g) : 0;
    h->prefixes_n = (uint8_t)prop_upto(g, NDP_PREFIXES_MAX);
    for (unsigned i = 0; i < h->prefixes_n; i++) {
        h->prefixes[i] = (struct ndp_prefix){
            .prefix = prefix_of(prop_addr6(g), (unsigned)prop_upto(g, 128)),
            .on_link = prop_bool(g),
            .autonomous = prop_bool(g),
            .valid_s = prop_u32(g),
            .preferred_s = prop_u32(g),
        };
    }
    h->dns_n = (uint8_t)prop_upto(g, NDP_DNS_MAX);
    for (unsigned i = 0; i < h->dns_n; i++)
        h->dns[i] = prop_addr6(g);
    h->dns_lifetime_s = h->dns_n > 0 ? prop_u32(g) : 0;
}

static void gen_ra(struct prop_gen *g, struct ndp_msg *h)
{
    h->hop_limit = prop_u8(g);
    h->managed = prop_bool(g);
    h->other = prop_bool(g);
    h->router_lifetime_s = prop_u16(g);
    h->reachable_ms = prop_u32(g);
    h->retrans_ms = prop_u32(g);
    gen_ra_options(g, h);
}

static struct span gen_ndp(struct prop_gen *g, struct ndp_msg *h)
{
    h->type = (uint8_t)PROP_ONE_OF(g, ICMP6_RS, ICMP6_RA, ICMP6_NS, ICMP6_NA, ICMP6_REDIRECT);
    if (h->type == ICMP6_RA)
        gen_ra(g, h);
    else if (h->type != ICMP6_RS)
        h->target = prop_addr6(g);
    if (h->type == ICMP6_NA) {
        h->router = prop_bool(g);
        h->solicited = prop_bool(g);
        h->override = prop_bool(g);
    }
    if (h->type == ICMP6_REDIRECT) {
        h->dest = prop_addr6(g);
        h->redirected = prop_bytes(g, 8 * prop_upto(g, 40));
    }
    h->has_slla = prop_bool(g);
    h->has_tlla = prop_bool(g);
    h->has_nonce = prop_bool(g);
    h->slla = h->has_slla ? prop_mac(g) : MAC_NONE;
    h->tlla = h->has_tlla ? prop_mac(g) : MAC_NONE;
    h->nonce = h->has_nonce ? prop_u64(g) >> 16 : 0;
    return span_of(h, 0);
}

static bool lists_equal(const struct ndp_msg *a, const struct ndp_msg *b)
{
    bool same = PROP_EQ(prefixes_n) && PROP_EQ(dns_n) && PROP_EQ(dns_lifetime_s);
    for (unsigned i = 0; same && i < a->prefixes_n; i++) {
        same = PROP_EQ(prefixes[i].prefix.len) && PROP_EQ_ADDR(prefixes[i].prefix.addr) &&
               PROP_EQ(prefixes[i].on_link) && PROP_EQ(prefixes[i].autonomous) &&
               PROP_EQ(prefixes[i].valid_s) && PROP_EQ(prefixes[i].preferred_s);
    }
    for (unsigned i = 0; same && i < a->dns_n; i++)
        same = PROP_EQ_ADDR(dns[i]);
    return same;
}

PROP_FORMAT(ndp, struct ndp_msg, gen_ndp(g, h), parse_whole(r, h), ndp_emit(w, h), ndp_print(t, h),
            PROP_EQ(type) && PROP_EQ(hop_limit) && PROP_EQ(managed) && PROP_EQ(other) &&
                PROP_EQ(router_lifetime_s) && PROP_EQ(reachable_ms) && PROP_EQ(retrans_ms) &&
                PROP_EQ_ADDR(target) && PROP_EQ_ADDR(dest) && PROP_EQ(router) &&
                PROP_EQ(solicited) && PROP_EQ(override) && PROP_EQ(has_slla) &&
                PROP_EQ(has_tlla) && PROP_EQ(has_mtu) && PROP_EQ(has_nonce) &&
                PROP_EQ_MAC(slla) && PROP_EQ_MAC(tlla) && PROP_EQ(mtu) && PROP_EQ(nonce) &&
                PROP_EQ_SPAN(redirected) && lists_equal(a, b),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_OPT_LEN) | BIT(FAULT_OPT_COUNT) |
                      BIT(FAULT_TYPE) | BIT(FAULT_ADDR_LEN),
            .lens = PROP_LENS({.at = 9, .width = 1}, {.at = 17, .width = 1},
                              {.at = 25, .width = 1}, {.at = 33, .width = 1},
                              {.at = 41, .width = 1}));

static size_t fixed_len(uint8_t type)
{
    if (type == ICMP6_RS)
        return 8;
    if (type == ICMP6_RA)
        return 16;
    return type == ICMP6_REDIRECT ? 40 : 24;
}

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&ndp_format);
}

TEST("a message cut inside its fixed part is refused, and elsewhere never read beyond")
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    struct ndp_msg h;
    for (unsigned i = 0; i < PROP_RUNS / 8; i++) {
        struct span rest;
        struct prop_block b = prop_next(&ndp_format, &g, &h, &rest);
        prop_cuts_of(&ndp_format, span_of(b.p, b.n), fixed_len(h.type));
        free(b.base);
    }
}

TEST("no length of an option leads outside the message")
{
    prop_lengths(&ndp_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&ndp_format);
}

/* Router advertisement of a home router: prefix, MTU, DNS, link-layer address. */
#define RA                                                                                         \
    "86 00 0000 40 40 0708 00007530 000003e8"                                                      \
    "01 01 020000000001"                                                                           \
    "05 01 0000 000005dc"                                                                          \
    "03 04 40 c0 00015180 00003840 00000000 20010db8000000010000000000000000"                      \
    "19 03 0000 00000e10 20010db8000000000000000000000053"

TEST("a router advertisement says prefix, MTU, DNS server and times")
{
    HEX(ra, RA);
    struct rd r = rd_of(ra);
    struct ndp_msg m;
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.hop_limit, 64);
    EXPECT(!m.managed);
    EXPECT(m.other);
    EXPECT_EQ(m.router_lifetime_s, 1800);
    EXPECT_EQ(m.reachable_ms, 30000);
    EXPECT_EQ(m.retrans_ms, 1000);
    EXPECT(m.has_slla && m.slla.b[5] == 1);
    EXPECT(m.has_mtu && m.mtu == 1500);
    EXPECT_EQ(m.prefixes_n, 1);
    EXPECT_EQ(m.prefixes[0].prefix.len, 64);
    EXPECT(m.prefixes[0].prefix.addr.hi == 0x20010db800000001);
    EXPECT(m.prefixes[0].on_link && m.prefixes[0].autonomous);
    EXPECT_EQ(m.prefixes[0].valid_s, 86400);
    EXPECT_EQ(m.prefixes[0].preferred_s, 14400);
    EXPECT_EQ(m.dns_n, 1);
    EXPECT_EQ(m.dns_lifetime_s, 3600);
    EXPECT(m.dns[0].lo == 0x53);
    prop_exact(&ndp_format, ra);
    prop_prints(&ndp_format, &m,
                "Router Advertisement from 02:00:00:00:00:01 2001:db8:0:1::/64");
}

#define TARGET "fe800000000000000200 00fffe000002"

TEST("solicitation and advertisement of a neighbour print as tshark does")
{
    HEX(ns, "87 00 0000 00000000" TARGET "01 01 020000000001");
    HEX(na, "88 00 0000 60000000" TARGET "02 01 020000000002");
    struct rd r = rd_of(ns);
    struct ndp_msg m;
    EXPECT(parse_whole(&r, &m));
    prop_exact(&ndp_format, ns);
    prop_prints(&ndp_format, &m,
                "Neighbor Solicitation for fe80::200:ff:fe00:2 from 02:00:00:00:00:01");
    r = rd_of(na);
    EXPECT(parse_whole(&r, &m));
    EXPECT(m.solicited && m.override && !m.router);
    prop_exact(&ndp_format, na);
    prop_prints(&ndp_format, &m,
                "Neighbor Advertisement fe80::200:ff:fe00:2 (sol, ovr) is at 02:00:00:00:00:02");
}

TEST("each type has its minimum length")
{
    static const struct {
        uint8_t type;
        uint8_t min;
    } cases[] = {{ICMP6_RS, 8}, {ICMP6_RA, 16}, {ICMP6_NS, 24}, {ICMP6_NA, 24},
                 {ICMP6_REDIRECT, 40}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t b[40] = {cases[i].type};
        EXPECT_EQ(prop_fault(&ndp_format, span_of(b, cases[i].min)), FAULT_NONE);
        EXPECT_EQ(prop_fault(&ndp_format, span_of(b, cases[i].min - 1u)), FAULT_SHORT);
    }
}

TEST("other types are not neighbour discovery")
{
    EXPECT_EQ(prop_fault_hex(&ndp_format, "80000000 00000000"), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&ndp_format, "84000000 00000000"), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&ndp_format, "8a000000 00000000"), FAULT_TYPE);
}

TEST("an option of length zero, or beyond the end, spoils the message")
{
    COVERS("4861-6");
    EXPECT_EQ(prop_fault_hex(&ndp_format, "85000000 00000000 0100020000000001"), FAULT_OPT_LEN);
    EXPECT_EQ(prop_fault_hex(&ndp_format, "85000000 00000000 fe00020000000001"), FAULT_OPT_LEN);
    EXPECT_EQ(prop_fault_hex(&ndp_format, "85000000 00000000 0102020000000001"), FAULT_OPT_LEN);
    EXPECT_EQ(prop_fault_hex(&ndp_format, "85000000 00000000 01"), FAULT_OPT_LEN);
    EXPECT_EQ(prop_fault_hex(&ndp_format, "85000000 00000000 01010200000000"), FAULT_OPT_LEN);
}

TEST("unknown options are passed over, wherever they stand")
{
    COVERS("4861-6");
    HEX(rs, "85000000 00000000 fd02 0102030405060708090a0b0c0d0e 0101020000000001"
            "fe01000000000000");
    struct rd r = rd_of(rs);
    struct ndp_msg m;
    EXPECT(parse_whole(&r, &m));
    EXPECT(m.has_slla);
    EXPECT_EQ(m.slla.b[0], 2);
    prop_prints(&ndp_format, &m, "Router Solicitation from 02:00:00:00:00:01");
}

TEST("a link-layer address is eight bytes with its head")
{
    EXPECT_EQ(prop_fault_hex(&ndp_format, "85000000 00000000 0102 0102030405060708090a0b0c0d0e"),
              FAULT_ADDR_LEN);
    EXPECT_EQ(prop_fault_hex(&ndp_format, "85000000 00000000 0202 0102030405060708090a0b0c0d0e"),
              FAULT_ADDR_LEN);
}

TEST("more options than the limit spoil the message")
{
    uint8_t b[8 + 8 * (NDP_OPTIONS_MAX + 1)] = {ICMP6_RS};
    for (size_t at = 8; at < sizeof(b); at += 8) {
        b[at] = 200;
        b[at + 1] = 1;
    }
    EXPECT_EQ(prop_fault(&ndp_format, span_of(b, sizeof(b) - 8)), FAULT_NONE);
    EXPECT_EQ(prop_fault(&ndp_format, span_of(b, sizeof(b))), FAULT_OPT_COUNT);
}

TEST("prefixes beyond the limit are ignored, and so is one longer than an address")
{
    struct ndp_msg m = {.type = ICMP6_RA, .prefixes_n = NDP_PREFIXES_MAX};
    uint8_t b[16 + 32 * (NDP_PREFIXES_MAX + 1)];
    struct wr w = wr_of(b, sizeof(b));
    ndp_emit(&w, &m);
    wr_u8(&w, NDP_OPT_PREFIX);
    wr_u8(&w, 4);
    wr_zeros(&w, 30);
    struct rd r = rd_of(wr_span(&w));
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.prefixes_n, NDP_PREFIXES_MAX);
    b[16 + 2] = 129;
    r = rd_of(wr_span(&w));
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.prefixes_n, NDP_PREFIXES_MAX);
    r = rd_of(span_of(b, 16 + 32));
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.prefixes_n, 0);
}

TEST("options that belong to another message are passed over")
{
    HEX(ns, "87 00 0000 00000000" TARGET "05 01 0000 000005dc 04 01 000000000000");
    struct rd r = rd_of(ns);
    struct ndp_msg m;
    EXPECT(parse_whole(&r, &m));
    EXPECT(!m.has_mtu);
    EXPECT_EQ(m.redirected.n, 0);
}

TEST("of several DNS options the servers add up and the shortest lifetime counts")
{
    HEX(ra, "86 00 0000 40 00 0708 00000000 00000000"
            "19 03 0000 00000e10 20010db8000000000000000000000053"
            "19 03 0000 00000010 20010db8000000000000000000000054"
            "19 03 0000 00000020 20010db8000000000000000000000055");
    struct rd r = rd_of(ra);
    struct ndp_msg m;
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.dns_n, 3);
    EXPECT(m.dns[2].lo == 0x55);
    EXPECT_EQ(m.dns_lifetime_s, 16);
}

TEST("a redirect quotes the packet, padded to eight bytes")
{
    struct ndp_msg m = {.type = ICMP6_REDIRECT, .target = addr_v6(0xfe80000000000000, 1),
                        .dest = addr_v6(0x20010db800000000, 5)};
    m.redirected = span_of("123456789", 9);
    uint8_t b[100];
    struct wr w = wr_of(b, sizeof(b));
    ndp_emit(&w, &m);
    EXPECT_EQ(wr_len(&w), 40 + 8 + 16);
    struct rd r = rd_of(wr_span(&w));
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.redirected.n, 16);
    EXPECT_MEM(m.redirected.p, "123456789\0\0\0\0\0\0\0", 16);
    prop_prints(&ndp_format, &m, "Redirect 2001:db8::5 via fe80::1");
}

TEST("what cannot be said in an option is our mistake")
{
    uint8_t b[3000];
    struct wr w = wr_of(b, sizeof(b));
    struct ndp_msg m = {.type = ICMP6_REDIRECT, .redirected = span_of(b, 2100)};
    EXPECT_ASSERTS(ndp_emit(&w, &m));
    m = (struct ndp_msg){.type = ICMP6_ECHO};
    EXPECT_ASSERTS(ndp_emit(&w, &m));
}
