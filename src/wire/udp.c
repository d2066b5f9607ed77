/* UDP header (RFC 768): four fields. The checksum needs the pseudo-header and is the caller's. */
#include "wire/udp.h"

#include "base/csum.h"
#include "wire/fault.h"

#define AT_SRC_PORT 0
#define AT_DST_PORT 2
#define AT_CSUM     6

void udp_print(struct txt *t, const struct udp_hdr *h)
{
    txt_u(t, h->src_port);
    txt_s(t, " -> ");
    txt_u(t, h->dst_port);
    txt_s(t, " len ");
    txt_u(t, h->len < UDP_HDR_LEN ? 0 : h->len - UDP_HDR_LEN);
}

bool udp_ports_parse(struct rd *r, uint16_t *src_port, uint16_t *dst_port)
{
    *src_port = rd_u16(r);
    *dst_port = rd_u16(r);
    return r->bad == 0;
}

static uint16_t word_at(const uint8_t *at)
{
    struct rd r = rd_of(span_of(at, 2));
    return rd_u16(&r);
}

static void put_word(uint8_t *at, uint16_t v)
{
    struct wr w = wr_of(at, 2);
    wr_u16(&w, v);
}

static void patch(uint8_t *hdr, size_t port_at, uint16_t port, uint32_t from, uint32_t to)
{
    uint16_t was = word_at(hdr + port_at);
    uint16_t csum = word_at(hdr + AT_CSUM);
    put_word(hdr + port_at, port);
    if (csum == 0)
        return;
    csum = csum_update16(csum_update32(csum, from, to), was, port);
    put_word(hdr + AT_CSUM, csum == 0 ? 0xffff : csum);     /* 0 would mean that there is none */
}

void udp_patch_src(uint8_t *hdr, uint16_t port, uint32_t from, uint32_t to)
{
    patch(hdr, AT_SRC_PORT, port, from, to);
}

void udp_patch_dst(uint8_t *hdr, uint16_t port, uint32_t from, uint32_t to)
{
    patch(hdr, AT_DST_PORT, port, from, to);
}
