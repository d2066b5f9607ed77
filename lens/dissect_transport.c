/* UDP, and which application is behind a port. TCP is in dissect_tcp.c. */
#include "lens/layer.h"
#include "wire/dhcp4.h"
#include "wire/dns.h"
#include "wire/udp.h"
#include "wire/vxlan.h"

void lens_info_ports(struct lens *l, uint64_t src, uint64_t dst)
{
    struct txt *t = lens_info(l);
    txt_u(t, src);
    txt_s(t, " \xe2\x86\x92 ");      /* U+2192, as tshark prints it */
    txt_u(t, dst);
}

uint32_t lens_sum_pseudo(const struct lens *l, struct span segment, uint8_t proto)
{
    return csum_add(lens_sum(segment),
                    csum_pseudo(&l->ip_src, &l->ip_dst, proto, (uint32_t)segment.n));
}

/* ---- UDP ---- */

typedef void dissector(struct lens *l, struct rd r);

static dissector *udp_application(uint64_t src, uint64_t dst)
{
    static const struct {
        uint16_t port;
        dissector *app;
    } apps[] = {
        {DNS_PORT, dissect_dns},
        {DHCP4_SERVER_PORT, dissect_dhcp},
        {DHCP4_CLIENT_PORT, dissect_dhcp},
        {VXLAN_PORT, dissect_vxlan},
    };
    for (size_t i = 0; i < ARRAY_LEN(apps); i++)
        if (apps[i].port == src || apps[i].port == dst)
            return apps[i].app;
    return dissect_data;
}

static enum lens_csum udp_csum(const struct lens *l, struct span datagram, uint64_t field)
{
    if (field == 0)
        return l->v6 ? LENS_CSUM_ILLEGAL : LENS_CSUM_NOT_PRESENT;
    return lens_csum_of(l, lens_sum_pseudo(l, datagram, IP_UDP));
}

/* The bytes that the length field counts: a fragment holds less, and so may a quote. */
static struct rd udp_datagram(struct lens *l, struct rd *r, size_t len)
{
    size_t have = rd_left(r);
    if (len > have && l->fragment)
        len = have;
    if (len < UDP_HDR_LEN) {
        lens_fault(l, FAULT_TOTAL_LEN);
        return (struct rd){.p = r->p, .end = r->p, .bad = FAULT_TOTAL_LEN};
    }
    return lens_narrow(l, r, len);
}

void dissect_udp(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_UDP, &r);
    lens_columns(l, "UDP");
    if (!layer)
        return;
    struct rd whole = r;
    uint64_t src = lens_uint(l, &r, F_UDP_SRCPORT, 2);
    uint64_t dst = lens_uint(l, &r, F_UDP_DSTPORT, 2);
    size_t len = (size_t)lens_uint(l, &r, F_UDP_LENGTH, 2);
    uint64_t csum = lens_uint(l, &r, F_UDP_CHECKSUM, 2);
    if (lens_is_bad(l, &r))
        return;
    lens_layer_end(layer, &r);
    struct txt *t = lens_info(l);
    lens_info_ports(l, src, dst);
    txt_s(t, " Len=");
    txt_u(t, len >= UDP_HDR_LEN ? len - UDP_HDR_LEN : 0);
    struct rd datagram = udp_datagram(l, &whole, len);
    enum lens_csum ok = udp_csum(l, lens_peek(&datagram), csum);
    lens_put_u(l, F_UDP_CHECKSUM_STATUS, NULL, 0, ok);
    if (ok == LENS_CSUM_BAD)
        txt_s(t, " [UDP CHECKSUM INCORRECT]");
    if (ok == LENS_CSUM_ILLEGAL)
        txt_s(t, " [ILLEGAL CHECKSUM (0)]");
    if (datagram.bad)
        return;
    rd_skip(&datagram, UDP_HDR_LEN);
    if (rd_done(&datagram))
        return;
    lens_put_bytes(l, F_UDP_PAYLOAD, lens_peek(&datagram));
    dissector *app = l->fragment ? dissect_data : udp_application(src, dst);
    app(l, datagram);
}
