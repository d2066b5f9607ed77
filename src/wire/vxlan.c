/* VXLAN header (RFC 7348, 5): a flag that says that the number counts, and the number. */
#include "wire/vxlan.h"

#include "wire/fault.h"

#define FLAG_I 0x08u

bool vxlan_parse(struct rd *r, struct vxlan_hdr *out)
{
    struct rd h = rd_sub(r, VXLAN_HDR_LEN);
    uint8_t flags = rd_u8(&h);
    rd_skip(&h, 3);
    out->vni = rd_u24(&h);
    rd_skip(&h, 1);
    if (h.bad == 0 && (flags & FLAG_I) == 0)
        rd_fail(&h, FAULT_MAGIC);
    return rd_join(r, &h);
}

void vxlan_emit(struct wr *w, const struct vxlan_hdr *h)
{
    ORIEL_ASSERT(h->vni <= VXLAN_VNI_MAX);
    wr_u8(w, FLAG_I);
    wr_zeros(w, 3);
    wr_u24(w, h->vni);
    wr_u8(w, 0);
}

void vxlan_print(struct txt *t, const struct vxlan_hdr *h)
{
    txt_s(t, "VXLAN vni ");
    txt_u(t, h->vni);
}
