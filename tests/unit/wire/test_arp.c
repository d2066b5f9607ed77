#include "wire/arp.h"

#include "wire/props.h"

#define HEAD "0001 0800 06 04 "
#define BODY "020000000001 0a000001 000000000000 0a000002"

static struct span gen_arp(struct prop_gen *g, struct arp_msg *h)
{
    h->op = (uint16_t)(1 + prop_upto(g, 3));
    h->sha = prop_mac(g);
    h->spa = prop_addr4(g);
    h->tha = prop_mac(g);
    h->tpa = prop_addr4(g);
    return prop_bytes(g, prop_upto(g, 18));     /* padding to the minimum frame */
}

PROP_FORMAT(arp, struct arp_msg, gen_arp(g, h), arp_parse(r, h), arp_emit(w, h), arp_print(t, h),
            PROP_EQ(op) && PROP_EQ_MAC(sha) && PROP_EQ_ADDR(spa) && PROP_EQ_MAC(tha) &&
                PROP_EQ_ADDR(tpa),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_TYPE) | BIT(FAULT_ADDR_LEN),
            .lens = PROP_LENS({.at = 4, .width = 1}, {.at = 5, .width = 1}));

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&arp_format);
}

TEST("a message cut anywhere is refused")
{
    prop_cuts(&arp_format);
}

TEST("no address length leads outside the message")
{
    prop_lengths(&arp_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&arp_format);
}

TEST("a request reads as it was sent and leaves the frame's padding alone")
{
    HEX(request, HEAD "0001" BODY "0000 0000");
    struct rd r = rd_of(request);
    struct arp_msg m;
    EXPECT(arp_parse(&r, &m));
    EXPECT_EQ(m.op, ARP_REQUEST);
    EXPECT_EQ(addr_to_v4(&m.spa), 0x0a000001);
    EXPECT_EQ(addr_to_v4(&m.tpa), 0x0a000002);
    EXPECT(addr_is_v4(&m.spa));
    EXPECT_EQ(m.spa.zone, 0);
    EXPECT_EQ(m.sha.b[5], 1);
    EXPECT(mac_is_zero(&m.tha));
    EXPECT_EQ(rd_left(&r), 4);
    prop_exact(&arp_format, request);
}

TEST("messages print as people say them")
{
    struct arp_msg m = {.op = ARP_REQUEST,
                        .sha = {{2, 0, 0, 0, 0, 1}},
                        .tha = {{2, 0, 0, 0, 0, 9}},
                        .spa = addr_v4(0x0a000001),
                        .tpa = addr_v4(0x0a000002)};
    prop_prints(&arp_format, &m, "Who has 10.0.0.2? Tell 10.0.0.1");
    m.op = ARP_REPLY;
    prop_prints(&arp_format, &m, "10.0.0.1 is at 02:00:00:00:00:01");
    m.op = RARP_REQUEST;
    prop_prints(&arp_format, &m, "Who is 02:00:00:00:00:09? Tell 02:00:00:00:00:01");
    m.op = RARP_REPLY;
    prop_prints(&arp_format, &m, "02:00:00:00:00:09 is at 10.0.0.2");
    m.op = 9;
    prop_prints(&arp_format, &m, "ARP operation 9");
}

TEST("probes and announcements are told from questions")
{
    struct arp_msg m = {.op = ARP_REQUEST,
                        .sha = {{2, 0, 0, 0, 0, 1}},
                        .spa = ADDR_V4_ANY,
                        .tpa = addr_v4(0x0a000002)};
    prop_prints(&arp_format, &m, "Who has 10.0.0.2? (ARP Probe)");
    m.spa = m.tpa;
    prop_prints(&arp_format, &m, "ARP Announcement for 10.0.0.2");
    m.op = ARP_REPLY;
    prop_prints(&arp_format, &m, "Gratuitous ARP: 10.0.0.2 is at 02:00:00:00:00:01");
}

TEST("other hardware and other protocols are refused")
{
    EXPECT_EQ(prop_fault_hex(&arp_format, "0006 0800 06 04 0001" BODY), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&arp_format, "0001 86dd 06 04 0001" BODY), FAULT_TYPE);
}

TEST("every address length but six and four is refused")
{
    for (unsigned len = 0; len < 256; len++) {
        HEX(b, HEAD "0002" BODY);
        b_bytes[4] = (uint8_t)len;
        EXPECT_EQ(prop_fault(&arp_format, b), len == 6 ? FAULT_NONE : FAULT_ADDR_LEN);
        b_bytes[4] = 6;
        b_bytes[5] = (uint8_t)len;
        EXPECT_EQ(prop_fault(&arp_format, b), len == 4 ? FAULT_NONE : FAULT_ADDR_LEN);
    }
}

TEST("operations outside one to four are refused")
{
    EXPECT_EQ(prop_fault_hex(&arp_format, HEAD "0000" BODY), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&arp_format, HEAD "0001" BODY), FAULT_NONE);
    EXPECT_EQ(prop_fault_hex(&arp_format, HEAD "0004" BODY), FAULT_NONE);
    EXPECT_EQ(prop_fault_hex(&arp_format, HEAD "0005" BODY), FAULT_TYPE);
    EXPECT_EQ(prop_fault_hex(&arp_format, HEAD "0101" BODY), FAULT_TYPE);
}

TEST("twenty-seven bytes are too short")
{
    EXPECT_EQ(prop_fault_hex(&arp_format, HEAD "0001 020000000001 0a000001 000000000000 0a0000"),
              FAULT_SHORT);
}
