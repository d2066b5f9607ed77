/* UDP header (RFC 768). */
#ifndef ORIEL_WIRE_UDP_H
#define ORIEL_WIRE_UDP_H

#include "base/bytes.h"
#include "base/text.h"
#include "wire/fault.h"

#define UDP_HDR_LEN 8

struct udp_hdr {
    uint16_t src_port;
    uint16_t dst_port;
    uint16_t len;       /* header and data; at least 8 (0 is a jumbogram, not supported) */
    uint16_t csum;      /* as on the wire; 0: none was computed (IPv4 only) */
};

/* Reads 8 bytes. FAULT_SHORT, FAULT_TOTAL_LEN (the field is below 8 or beyond what r holds). */
static inline bool udp_parse(struct rd *r, struct udp_hdr *out)
{
    size_t held = rd_left(r);
    struct rd h = rd_sub(r, UDP_HDR_LEN);       /* one bounds check for all eight bytes */
    out->src_port = rd_u16(&h);
    out->dst_port = rd_u16(&h);
    out->len = rd_u16(&h);
    out->csum = rd_u16(&h);
    if (oriel_unlikely(h.bad == 0 && (out->len < UDP_HDR_LEN || out->len > held)))
        rd_fail(&h, FAULT_TOTAL_LEN);
    return rd_join(r, &h);
}

/*
 * The same for what nearly every datagram is: of the length that it says, with a checksum and a port
 * to go to. False says only that udp_parse has to look at it.
 */
static inline bool udp_parse_plain(struct span s, struct udp_hdr *out)
{
    struct rd r = rd_of(s);
    struct rd h = rd_sub(&r, UDP_HDR_LEN);
    if (oriel_unlikely(h.bad != 0))
        return false;
    out->src_port = rd_u16(&h);
    out->dst_port = rd_u16(&h);
    out->len = rd_u16(&h);
    out->csum = rd_u16(&h);
    return out->len == s.n && out->csum != 0 && out->dst_port != 0;
}

static inline void udp_emit(struct wr *w, const struct udp_hdr *h)
{
    wr_u32(w, (uint32_t)h->src_port << 16 | h->dst_port);
    wr_u32(w, (uint32_t)h->len << 16 | h->csum);
}

void udp_print(struct txt *t, const struct udp_hdr *h);     /* "42181 -> 53 len 12" */

/*
 * The ports alone: the first four bytes of UDP and of TCP, which every quote inside an ICMP error
 * has. FAULT_SHORT.
 */
bool udp_ports_parse(struct rd *r, uint16_t *src_port, uint16_t *dst_port);

/*
 * Change an endpoint of a header of 8 bytes in place: the port, and in the checksum (RFC 1624) also
 * the IPv4 address of the pseudo-header, `from` -> `to`. A checksum of 0, none, stays 0.
 */
void udp_patch_src(uint8_t *hdr, uint16_t port, uint32_t from, uint32_t to);
void udp_patch_dst(uint8_t *hdr, uint16_t port, uint32_t from, uint32_t to);

#endif
