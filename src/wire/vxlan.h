/* VXLAN header (RFC 7348, 5): an Ethernet frame in UDP. */
#ifndef ORIEL_WIRE_VXLAN_H
#define ORIEL_WIRE_VXLAN_H

#include "base/bytes.h"
#include "base/text.h"

#define VXLAN_HDR_LEN 8
#define VXLAN_PORT    4789
#define VXLAN_VNI_MAX 0xffffffu

struct vxlan_hdr {
    uint32_t vni;       /* 24 bits */
};

/*
 * Reads 8 bytes; r stands at the inner frame. FAULT_SHORT; FAULT_MAGIC: the I flag is not set, so
 * that there is no VNI. Reserved bits are ignored.
 */
bool vxlan_parse(struct rd *r, struct vxlan_hdr *out);
void vxlan_emit(struct wr *w, const struct vxlan_hdr *h);
void vxlan_print(struct txt *t, const struct vxlan_hdr *h);     /* "VXLAN vni 42" */

#endif
