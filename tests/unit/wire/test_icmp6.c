#include "wire/icmp6.h"

#include "base/csum.h"
#include "wire/ip4.h"
#include "wire/props.h"

static const struct oriel_addr src = {0xfe80000000000000, 1, 0};
static const struct oriel_addr dst = {0xfe80000000000000, 2, 0};

static bool is_echo(uint8_t type)
{
    return type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY;
}

static struct span gen_icmp6(struct prop_gen *g, struct icmp6_hdr *h)
{
    h->type = (uint8_t)PROP_ONE_OF(g, ICMP6_UNREACHABLE, ICMP6_TOO_BIG, ICMP6_TIME_EXCEEDED,
                                   ICMP6_PARAM_PROBLEM, ICMP6_ECHO, ICMP6_ECHO_REPLY, ICMP6_NS,
                                   ICMP6_MLD2_REPORT, 0, 127, 255);
    h->code = (uint8_t)prop_upto(g, 8);
    if (is_echo(h->type)) {
        h->id = prop_u16(g);
        h->seq = prop_u16(g);
    } else if (h->type == ICMP6_TOO_BIG) {
        h->mtu = prop_u32(g);
    } else if (h->type == ICMP6_PARAM_PROBLEM) {
        h->pointer = prop_u32(g);
    }
    return prop_bytes(g, prop_upto(g, 90));
}

/* Errors and echo with icmp6_emit; others as their own formats do: whole, then sealed. */
static void emit_icmp6(struct wr *w, const struct icmp6_hdr *h, struct span rest)
{
    if (icmp6_is_error(h->type) || is_echo(h->type)) {
        icmp6_emit(w, h, &src, &dst, (uint32_t)(ICMP6_HDR_LEN + rest.n),
                   csum_span(&csum_portable, rest));
        return;
    }
    uint8_t whole[PROP_POOL];
    struct wr m = wr_of(whole, sizeof(whole));
    wr_u8(&m, h->type);
    wr_u8(&m, h->code);
    wr_u16(&m, 0);
    wr_bytes(&m, rest);
    icmp6_seal(&m, &src, &dst);
    wr_bytes(w, span_of(whole, 4));
}

static void seal(uint8_t *b, size_t n)
{
    if (n < 4)
        return;
    b[2] = b[3] = 0;
    struct wr w = wr_of(b, n);
    (void)wr_room(&w, n);
    icmp6_seal(&w, &src, &dst);
}

PROP_FORMAT(icmp6, struct icmp6_hdr, gen_icmp6(g, h), icmp6_parse(r, &src, &dst, h),
            emit_icmp6(w, h, rest), icmp6_print(t, h),
            PROP_EQ(type) && PROP_EQ(code) && PROP_EQ(id) && PROP_EQ(seq) && PROP_EQ(mtu) &&
                PROP_EQ(pointer),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_CSUM), .seal = seal);

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&icmp6_format);
}

TEST("a message cut anywhere is refused")
{
    prop_cuts(&icmp6_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&icmp6_format);
}

/* Parses, is canonical, and prints as the text. */
static struct icmp6_hdr expect_message(struct span b, const char *text)
{
    struct rd r = rd_of(b);
    struct icmp6_hdr h;
    EXPECT(icmp6_parse(&r, &src, &dst, &h));
    EXPECT_EQ(rd_left(&r), b.n - ICMP6_HDR_LEN);
    prop_exact(&icmp6_format, b);
    prop_prints(&icmp6_format, &h, text);
    return h;
}

TEST("an echo request with an odd number of bytes reads as it was sent")
{
    HEX(b, "8000 ac1d 1234 0001 616263");
    struct icmp6_hdr h = expect_message(b, "Echo (ping) request id=0x1234 seq=1");
    EXPECT_EQ(h.type, ICMP6_ECHO);
    EXPECT_EQ(h.csum, 0xac1d);
    EXPECT_EQ(h.id, 0x1234);
    EXPECT_EQ(h.seq, 1);
    EXPECT_EQ(h.mtu, 0);
    EXPECT_EQ(h.pointer, 0);
}

TEST("errors read as they were sent")
{
    HEX(too_big, "0200 fbb8 00000500");
    EXPECT_EQ(expect_message(too_big, "Packet Too Big mtu=1280").mtu, 1280);
    HEX(param, "0401 fe8f 00000028");
    EXPECT_EQ(expect_message(param, "Parameter Problem (unrecognized Next Header type "
                                    "encountered) pointer=40")
                  .pointer,
              40);
    HEX(port, "0104 01b5 00000000");
    EXPECT_EQ(expect_message(port, "Destination Unreachable (Port unreachable)").code, ICMP6_PORT);
}

TEST("of types that have a format of their own only four bytes are read")
{
    HEX(b, "8500 7db8 00000000");
    struct rd r = rd_of(b);
    struct icmp6_hdr h;
    EXPECT(icmp6_parse(&r, &src, &dst, &h));
    EXPECT_EQ(h.type, ICMP6_RS);
    EXPECT_EQ(rd_left(&r), 4);
    prop_exact(&icmp6_format, b);
    prop_prints(&icmp6_format, &h, "Router Solicitation");
}

TEST("types and codes without a name print as numbers")
{
    prop_prints(&icmp6_format, &(struct icmp6_hdr){.type = 200}, "ICMPv6 type 200");
    prop_prints(&icmp6_format, &(struct icmp6_hdr){.type = ICMP6_UNREACHABLE, .code = 99},
                "Destination Unreachable (code 99)");
    prop_prints(&icmp6_format, &(struct icmp6_hdr){.type = ICMP6_TIME_EXCEEDED, .code = 1},
                "Time Exceeded (fragment reassembly time exceeded)");
}

TEST("three bytes are too short for any type, seven for errors and echo")
{
    EXPECT_EQ(prop_fault_hex(&icmp6_format, ""), FAULT_SHORT);
    EXPECT_EQ(prop_fault_hex(&icmp6_format, "850000"), FAULT_SHORT);
    for (unsigned type = 0; type < 256; type++) {
        uint8_t b[7] = {(uint8_t)type};
        seal(b, sizeof(b));
        bool long_enough = type >= 128 && !is_echo((uint8_t)type);
        EXPECT_EQ(prop_fault(&icmp6_format, span_of(b, sizeof(b))),
                  long_enough ? FAULT_NONE : FAULT_SHORT);
    }
}

TEST("every single flipped bit of a message is refused")
{
    COVERS("4443-7");
    HEX(echo, "8000 ac1d 1234 0001 616263");
    prop_flips_refused(&icmp6_format, echo);
    HEX(too_big, "0200 fbb8 00000500");
    prop_flips_refused(&icmp6_format, too_big);
    echo_bytes[10] ^= 1;
    EXPECT_EQ(prop_fault(&icmp6_format, echo), FAULT_CSUM);
}

TEST("a message for other addresses, or of IPv4's pseudo-header, has a wrong checksum")
{
    COVERS("4443-7");
    HEX(b, "8000 ac1d 1234 0001 616263");
    struct oriel_addr other = addr_v6(dst.hi, 3);
    struct icmp6_hdr h;
    struct rd r = rd_of(b);
    EXPECT(!icmp6_parse(&r, &src, &other, &h));
    EXPECT_EQ(r.bad, FAULT_CSUM);
    r = rd_of(b);
    EXPECT(!icmp6_parse(&r, &other, &dst, &h));
    b_bytes[2] = b_bytes[3] = 0;
    uint16_t plain = csum_finish(csum_small(b.p, b.n));
    b_bytes[2] = (uint8_t)(plain >> 8);
    b_bytes[3] = (uint8_t)plain;
    EXPECT_EQ(prop_fault(&icmp6_format, b), FAULT_CSUM);
}

TEST("emitting a type with a format of its own, or less than a header, is our own mistake")
{
    uint8_t b[8];
    struct wr w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(icmp6_emit(&w, &(struct icmp6_hdr){.type = ICMP6_NS}, &src, &dst, 8, 0));
    EXPECT_ASSERTS(icmp6_emit(&w, &(struct icmp6_hdr){.type = ICMP6_ECHO}, &src, &dst, 7, 0));
}

TEST("a header that does not fit is not written, and a message that did not fit is not sealed")
{
    uint8_t b[ICMP6_HDR_LEN];
    memset(b, 0x77, sizeof(b));
    struct wr w = wr_of(b, sizeof(b) - 1);
    icmp6_emit(&w, &(struct icmp6_hdr){.type = ICMP6_ECHO}, &src, &dst, 8, 0);
    EXPECT(w.bad);
    icmp6_seal(&w, &src, &dst);
    EXPECT_EQ(b[0], 0x77);
    EXPECT_EQ(b[2], 0x77);
}

TEST("types below 128 are errors")
{
    for (unsigned type = 0; type < 256; type++)
        EXPECT_EQ(icmp6_is_error((uint8_t)type), type < 128);
}
