#include "wire/vxlan.h"

#include "wire/props.h"

static struct span gen_vxlan(struct prop_gen *g, struct vxlan_hdr *h)
{
    h->vni = (uint32_t)prop_upto(g, VXLAN_VNI_MAX);
    return prop_bytes(g, prop_upto(g, 80));
}

PROP_FORMAT(vxlan, struct vxlan_hdr, gen_vxlan(g, h), vxlan_parse(r, h), vxlan_emit(w, h),
            vxlan_print(t, h), PROP_EQ(vni),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_MAGIC));

TEST("a header that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&vxlan_format);
}

TEST("a header cut anywhere is refused")
{
    prop_cuts(&vxlan_format);
    EXPECT_EQ(prop_fault_hex(&vxlan_format, "08000000 00002a"), FAULT_SHORT);
}

TEST("damaged headers are refused or stay stable")
{
    prop_damage(&vxlan_format);
}

TEST("the network's number reads as it was sent")
{
    HEX(pkt, "08000000 00002a00 ffffffffffff");
    struct rd r = rd_of(pkt);
    struct vxlan_hdr h;
    EXPECT(vxlan_parse(&r, &h));
    EXPECT_EQ(h.vni, 42);
    EXPECT_EQ(rd_left(&r), 6);
    prop_exact(&vxlan_format, pkt);
    prop_prints(&vxlan_format, &h, "VXLAN vni 42");
}

TEST("without its flag there is no number; the other flags mean nothing")
{
    for (unsigned flags = 0; flags < 256; flags++) {
        uint8_t b[VXLAN_HDR_LEN] = {(uint8_t)flags, 0xff, 0xff, 0xff, 0, 0, 1, 0xff};
        EXPECT_EQ(prop_fault(&vxlan_format, span_of(b, sizeof(b))),
                  (flags & 8) != 0 ? FAULT_NONE : FAULT_MAGIC);
    }
}

TEST("a number above 24 bits is our mistake")
{
    uint8_t b[VXLAN_HDR_LEN];
    struct wr w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(vxlan_emit(&w, &(struct vxlan_hdr){.vni = VXLAN_VNI_MAX + 1}));
}
