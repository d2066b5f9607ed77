#include "wire/icmp4.h"

#include "base/csum.h"
#include "wire/props.h"

static struct span gen_icmp4(struct prop_gen *g, struct icmp4_hdr *h)
{
    h->type = (uint8_t)PROP_ONE_OF(g, ICMP4_ECHO, ICMP4_ECHO_REPLY, ICMP4_UNREACHABLE,
                                   ICMP4_REDIRECT, ICMP4_TIME_EXCEEDED, ICMP4_PARAM_PROBLEM,
                                   ICMP4_TIMESTAMP, ICMP4_SOURCE_QUENCH, 42);
    h->code = (uint8_t)prop_upto(g, 15);
    if (h->type == ICMP4_ECHO || h->type == ICMP4_ECHO_REPLY || h->type == ICMP4_TIMESTAMP) {
        h->id = prop_u16(g);
        h->seq = prop_u16(g);
    } else if (h->type == ICMP4_UNREACHABLE && h->code == ICMP4_FRAG_NEEDED) {
        h->mtu = prop_u16(g);
    } else if (h->type == ICMP4_REDIRECT) {
        h->gateway = prop_addr4(g);
    } else if (h->type == ICMP4_PARAM_PROBLEM) {
        h->pointer = prop_u8(g);
    }
    return prop_bytes(g, prop_upto(g, 90));
}

static void emit_icmp4(struct wr *w, const struct icmp4_hdr *h, struct span rest)
{
    icmp4_emit(w, h, csum_span(&csum_portable, rest));
}

static void seal(uint8_t *b, size_t n)
{
    if (n < ICMP4_HDR_LEN)
        return;
    b[2] = b[3] = 0;
    uint16_t csum = csum_finish(csum_small(b, n));
    b[2] = (uint8_t)(csum >> 8);
    b[3] = (uint8_t)csum;
}

PROP_FORMAT(icmp4, struct icmp4_hdr, gen_icmp4(g, h), icmp4_parse(r, h), emit_icmp4(w, h, rest),
            icmp4_print(t, h),
            PROP_EQ(type) && PROP_EQ(code) && PROP_EQ(id) && PROP_EQ(seq) && PROP_EQ(mtu) &&
                PROP_EQ(pointer) && PROP_EQ_ADDR(gateway),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_CSUM), .seal = seal);

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&icmp4_format);
}

TEST("a message cut anywhere is refused")
{
    prop_cuts(&icmp4_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&icmp4_format);
}

/* Parses, is canonical, and prints as the text. */
static struct icmp4_hdr expect_message(struct span b, const char *text)
{
    struct rd r = rd_of(b);
    struct icmp4_hdr h;
    EXPECT(icmp4_parse(&r, &h));
    EXPECT_EQ(rd_left(&r), b.n - ICMP4_HDR_LEN);
    prop_exact(&icmp4_format, b);
    prop_prints(&icmp4_format, &h, text);
    return h;
}

TEST("an echo request with an odd number of bytes reads as it was sent")
{
    HEX(b, "0800 339b 0001 0001 616263");
    struct icmp4_hdr h = expect_message(b, "Echo (ping) request id=0x0001 seq=1");
    EXPECT_EQ(h.type, ICMP4_ECHO);
    EXPECT_EQ(h.csum, 0x339b);
    EXPECT_EQ(h.id, 1);
    EXPECT_EQ(h.seq, 1);
    EXPECT_EQ(h.gateway.hi, 0);
    EXPECT_EQ(h.gateway.lo, 0);
}

TEST("a port unreachable stands before its quote")
{
    HEX(b, "0303 cc86 00000000 4500001c0001000040 1166ce0a0000010a000002 3039003500080000");
    struct icmp4_hdr h = expect_message(b, "Destination unreachable (Port unreachable)");
    EXPECT_EQ(h.code, ICMP4_PORT);
    EXPECT_EQ(h.mtu, 0);
    EXPECT_EQ(h.id, 0);
}

TEST("fragmentation needed carries the next hop's MTU, and no other code does")
{
    HEX(b, "0304 f783 0000 0578");
    EXPECT_EQ(expect_message(b, "Destination unreachable (Fragmentation needed) mtu=1400").mtu,
              1400);
    b_bytes[1] = ICMP4_HOST;
    seal(b_bytes, b.n);
    struct rd r = rd_of(b);
    struct icmp4_hdr h;
    EXPECT(icmp4_parse(&r, &h));
    EXPECT_EQ(h.mtu, 0);
}

TEST("a redirect names the gateway")
{
    HEX(b, "0501 f000 0a0000fe");
    struct icmp4_hdr h = expect_message(b, "Redirect (Redirect for host) to 10.0.0.254");
    EXPECT(addr_is_v4(&h.gateway));
    EXPECT_EQ(addr_to_v4(&h.gateway), 0x0a0000fe);
}

TEST("a parameter problem points at the byte")
{
    HEX(b, "0c00 dfff 14000000");
    EXPECT_EQ(expect_message(b, "Parameter problem pointer=20").pointer, 20);
}

TEST("the two ways to run out of time print apart")
{
    HEX(ttl, "0b00 f4ff 00000000");
    (void)expect_message(ttl, "Time-to-live exceeded (Time to live exceeded in transit)");
    HEX(reasm, "0b01 f4fe 00000000");
    (void)expect_message(reasm, "Time-to-live exceeded (Fragment reassembly time exceeded)");
}

TEST("types and codes without a name print as numbers")
{
    prop_prints(&icmp4_format, &(struct icmp4_hdr){.type = 42}, "ICMP type 42");
    prop_prints(&icmp4_format, &(struct icmp4_hdr){.type = 42, .code = 7},
                "ICMP type 42 (code 7)");
    prop_prints(&icmp4_format, &(struct icmp4_hdr){.type = ICMP4_UNREACHABLE, .code = 200},
                "Destination unreachable (code 200)");
    prop_prints(&icmp4_format, &(struct icmp4_hdr){.type = ICMP4_TIME_EXCEEDED, .code = 2},
                "Time-to-live exceeded (code 2)");
}

TEST("what a type does not use is ignored and sent as zero")
{
    HEX(b, "0303 0000 12345678");
    seal(b_bytes, b.n);
    struct rd r = rd_of(b);
    struct icmp4_hdr h;
    EXPECT(icmp4_parse(&r, &h));
    uint8_t out[ICMP4_HDR_LEN];
    struct wr w = wr_of(out, sizeof(out));
    icmp4_emit(&w, &h, 0);
    EXPECT_MEM(out, "\x03\x03\xfc\xfc\0\0\0\0", sizeof(out));
}

TEST("seven bytes are too short, even with a right checksum")
{
    EXPECT_EQ(prop_fault_hex(&icmp4_format, "0800 f7ff 000000"), FAULT_SHORT);
    EXPECT_EQ(prop_fault_hex(&icmp4_format, ""), FAULT_SHORT);
}

TEST("every single flipped bit of a message is refused")
{
    COVERS("792-CK");
    HEX(b, "0800 339b 0001 0001 616263");
    prop_flips_refused(&icmp4_format, b);
    b_bytes[10] ^= 1;
    EXPECT_EQ(prop_fault(&icmp4_format, b), FAULT_CSUM);
}

TEST("the checksum covers the longest message there can be")
{
    COVERS("792-CK");
    static uint8_t b[65515];
    memset(b, 0xff, sizeof(b));
    b[0] = ICMP4_ECHO;
    seal(b, sizeof(b));
    struct rd r = rd_of(span_of(b, sizeof(b)));
    struct icmp4_hdr h;
    EXPECT(icmp4_parse(&r, &h));
    b[sizeof(b) - 1] ^= 0x10;
    r = rd_of(span_of(b, sizeof(b)));
    EXPECT(!icmp4_parse(&r, &h));
    EXPECT_EQ(r.bad, FAULT_CSUM);
}

TEST("a header that does not fit is not written at all")
{
    uint8_t b[ICMP4_HDR_LEN];
    memset(b, 0x77, sizeof(b));
    struct wr w = wr_of(b, sizeof(b) - 1);
    icmp4_emit(&w, &(struct icmp4_hdr){0}, 0);
    EXPECT(w.bad);
    EXPECT_EQ(b[0], 0x77);
}

TEST("five types are errors")
{
    unsigned errors = 0;
    for (unsigned type = 0; type < 256; type++)
        errors += icmp4_is_error((uint8_t)type);
    EXPECT_EQ(errors, 5);
    EXPECT(icmp4_is_error(ICMP4_UNREACHABLE));
    EXPECT(icmp4_is_error(ICMP4_SOURCE_QUENCH));
    EXPECT(icmp4_is_error(ICMP4_REDIRECT));
    EXPECT(icmp4_is_error(ICMP4_TIME_EXCEEDED));
    EXPECT(icmp4_is_error(ICMP4_PARAM_PROBLEM));
}

static bool verifies(const uint8_t *b, size_t n)
{
    return csum_finish(csum_small(b, n)) == 0;
}

TEST("an echo keeps a right checksum when its identifier changes, and a wrong one stays wrong")
{
    for (unsigned id = 0; id < 65536; id += 13) {
        uint8_t b[12] = {ICMP4_ECHO, 0, 0, 0, 0x12, 0x34, 0, 1, 'a', 'b', 'c', 'd'};
        seal(b, sizeof(b));
        icmp4_patch_id(b, (uint16_t)id);
        EXPECT(verifies(b, sizeof(b)));
        EXPECT_EQ(b[4] << 8 | b[5], id);
        b[9] ^= 1;
        icmp4_patch_id(b, 0x4321);
        EXPECT(!verifies(b, sizeof(b)));
    }
}

TEST("a message whose quote changed is sealed anew")
{
    uint8_t b[13] = {ICMP4_UNREACHABLE, 3, 0x55, 0x55, 0, 0, 0, 0, 1, 2, 3, 4, 5};
    icmp4_reseal(b, sizeof(b));
    EXPECT(verifies(b, sizeof(b)));
    EXPECT_ASSERTS(icmp4_reseal(b, ICMP4_HDR_LEN - 1));
}
