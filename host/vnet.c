/* struct virtio_net_hdr, in the machine's own byte order, to and from what a packet says of itself. */
#include "host/vnet.h"

#include "host/drv.h"
#include "pkt/seal.h"
#include "wire/cut.h"
#include "wire/eth.h"
#include "wire/tcp.h"
#include "wire/udp.h"

static uint8_t gso_type(const struct pkt *p, const struct pkt_offload *at)
{
    struct rd r = pkt_rd(p, (size_t)at->csum_start + TCP_AT_FLAGS);
    uint8_t ecn = (rd_u16(&r) & TCP_CWR) && !(p->flags & PKT_ACE) ? VIRTIO_NET_HDR_GSO_ECN : 0;
    uint8_t type = p->gso == GSO_TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    return (uint8_t)(type | ecn);
}

void vnet_of_pkt(struct virtio_net_hdr *h, const struct pkt *p)
{
    struct pkt_offload at;
    *h = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (p->csum != CSUM_PARTIAL || !pkt_offload_of(p, &at))
        return;
    h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    h->csum_start = at.csum_start;
    h->csum_offset = at.csum_offset;
    h->hdr_len = at.hdr_len;
    if (p->gso == GSO_NONE)
        return;
    h->gso_type = gso_type(p, &at);
    h->gso_size = p->gso_size;
}

static bool take_gso(struct pkt *p, const struct virtio_net_hdr *h)
{
    switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        p->gso = GSO_NONE;
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
        p->gso = GSO_TCP4;
        break;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        p->gso = GSO_TCP6;
        break;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        p->gso = GSO_UDP;
        break;
    default:
        return false;
    }
    p->gso_size = h->gso_size;
    return h->gso_size > 0;
}

bool vnet_to_pkt(struct env *env, struct pkt *p, const struct virtio_net_hdr *h)
{
    if (!take_gso(p, h))
        return false;
    if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        return pkt_on_offload(env, p, h->csum_start, h->csum_offset);
    p->csum = h->flags & VIRTIO_NET_HDR_F_DATA_VALID ? CSUM_VERIFIED : CSUM_NONE;
    return true;
}

/* ---- datagrams that came as one ---- */

#define UDP_AT_LEN  4
#define UDP_AT_CSUM 6
#define HEADROOM    88              /* before a datagram, for headers of where it may go on to */

bool vnet_cut_begin(struct vnet_cut *c, struct pkt *p)
{
    struct transport t;
    size_t net_len = p->head.len - p->l3;
    bool good = p->more_n == 0 && p->csum == CSUM_PARTIAL && p->gso_size > 0 &&
                transport_find(span_of(pkt_data(p) + p->l3, net_len), &t) && t.proto == IP_UDP &&
                net_len > (size_t)t.at + UDP_HDR_LEN;
    *c = (struct vnet_cut){0};
    if (!good) {
        pkt_free(p);
        return false;
    }
    c->whole = p;
    c->hdr_len = (uint16_t)(p->l3 + t.at + UDP_HDR_LEN);
    c->at = c->hdr_len;
    return true;
}

/* Headers of the whole become those of a piece with so much data, or of pieces those of the whole. */
static void make_headers(uint8_t *net, size_t net_len, unsigned piece, uint32_t data)
{
    struct transport t;
    bool found = transport_find(span_of(net, net_len), &t);
    ORIEL_ASSERT(found);
    uint32_t total = t.at + UDP_HDR_LEN + data;
    if (t.v4) {
        store_be16(net + IP4_AT_TOTAL_LEN, (uint16_t)total);
        store_be16(net + IP4_AT_ID, (uint16_t)(load_be16(net + IP4_AT_ID) + piece));
        store_be16(net + IP4_AT_CSUM, 0);
        store_be16(net + IP4_AT_CSUM, csum_finish(csum_small(net, t.at)));
    } else {
        store_be16(net + IP6_AT_PAYLOAD_LEN, (uint16_t)(total - IP6_HDR_LEN));
    }
    store_be16(net + t.at + UDP_AT_LEN, (uint16_t)(UDP_HDR_LEN + data));
    transport_put_csum(net, &t, transport_partial(&t, UDP_HDR_LEN + data));
}

static void cut_end(struct vnet_cut *c)
{
    pkt_free(c->whole);
    c->whole = NULL;
}

struct pkt *vnet_cut_next(struct vnet_cut *c, struct env *env)
{
    const struct pkt *p = c->whole;
    uint32_t left = p->head.len - c->at, n = left < p->gso_size ? left : p->gso_size;
    struct pkt *q = pkt_new(env, HEADROOM, c->hdr_len + n);
    if (!q) {
        c->lost = (left + p->gso_size - 1) / p->gso_size;
        cut_end(c);
        return NULL;
    }
    memcpy(pkt_data(q), pkt_data(p), c->hdr_len);
    memcpy(pkt_data(q) + c->hdr_len, pkt_data(p) + c->at, n);
    q->l3 = p->l3;
    q->csum = CSUM_PARTIAL;
    make_headers(pkt_data(q) + q->l3, q->head.len - q->l3, c->pieces++, n);
    c->at += n;
    if (c->at == p->head.len)
        cut_end(c);
    return q;
}

/* ---- datagrams that leave as one ---- */

#define WHOLE4 0x4000               /* not to be fragmented, and no fragment */

/* A datagram that might be one of several: bytes of all its headers; 0: it is something else. */
static uint32_t headers_of(const struct pkt *p)
{
    const uint8_t *net = pkt_data(p) + p->l3;
    uint32_t n = p->head.len - p->l3, at = IP4_HDR_LEN;
    if (p->csum != CSUM_PARTIAL || p->gso != GSO_NONE || n < IP4_HDR_LEN + UDP_HDR_LEN)
        return 0;
    if (net[0] >> 4 == 6 && net[IP6_AT_NEXT] == IP_UDP && n >= IP6_HDR_LEN + UDP_HDR_LEN)
        at = IP6_HDR_LEN;
    else if (net[0] != 0x45 || net[IP4_AT_PROTO] != IP_UDP || load_be16(net + IP4_AT_FRAGMENT) != WHOLE4)
        return 0;
    bool whole = pkt_len(p) == p->l3 + at + load_be16(net + at + UDP_AT_LEN);
    return whole ? p->l3 + at + UDP_HDR_LEN : 0;
}

static bool same(const struct pkt *p, const struct pkt *q, uint32_t from, uint32_t to)
{
    return memcmp(pkt_data(p) + from, pkt_data(q) + from, to - from) == 0;
}

/* Are all headers of both the same, but for lengths and sums? */
static bool same_headers(const struct pkt *p, const struct pkt *q, uint32_t hdr)
{
    uint32_t net = p->l3, udp_len = hdr - UDP_HDR_LEN + UDP_AT_LEN;
    if (p->l3 != q->l3 || headers_of(q) != hdr)
        return false;
    if (pkt_data(p)[net] >> 4 == 6)
        return same(p, q, 0, net + IP6_AT_PAYLOAD_LEN) && same(p, q, net + IP6_AT_NEXT, udp_len);
    return same(p, q, 0, net + IP4_AT_TOTAL_LEN) && same(p, q, net + IP4_AT_ID, net + IP4_AT_CSUM) &&
           same(p, q, net + IP4_AT_SRC, udp_len);
}

unsigned vnet_alike(struct pkt *const p[], unsigned n)
{
    uint32_t hdr = headers_of(p[0]);
    size_t each = pkt_len(p[0]) - hdr, left = IP4_LEN_MAX - (hdr - p[0]->l3), pieces = VNET_IOV_MAX - 2, last = each;
    unsigned k = 0;
    if (hdr == 0 || each == 0 || hdr > sizeof((struct vnet_join){0}.head))
        return 1;
    for (; k < n && k < VNET_ALIKE_MAX && last == each; k++) {
        last = pkt_len(p[k]) - hdr;
        if ((k > 0 && !same_headers(p[0], p[k], hdr)) || last == 0 || last > each || last > left || 1u + p[k]->more_n > pieces)
            break;
        left -= last;
        pieces -= 1u + p[k]->more_n;
    }
    return k > 0 ? k : 1;
}

unsigned vnet_join(struct vnet_join *j, struct iovec v[], struct pkt *const p[], unsigned n)
{
    uint32_t hdr = headers_of(p[0]), data = 0;
    unsigned m = 2;
    for (unsigned i = 0; i < n; i++) {
        unsigned pieces = drv_iov(v + m, p[i]);
        v[m] = (struct iovec){pkt_data(p[i]) + hdr, p[i]->head.len - hdr};
        m += pieces;
        data += (uint32_t)pkt_len(p[i]) - hdr;
    }
    memcpy(j->head, pkt_data(p[0]), hdr);
    make_headers(j->head + p[0]->l3, hdr - p[0]->l3, 0, data);
    j->h = (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
        .hdr_len = (uint16_t)hdr,
        .gso_size = (uint16_t)(pkt_len(p[0]) - hdr),
        .csum_start = (uint16_t)(hdr - UDP_HDR_LEN),
        .csum_offset = UDP_AT_CSUM,
    };
    v[0] = (struct iovec){&j->h, sizeof(j->h)};
    v[1] = (struct iovec){j->head, hdr};
    return m;
}

uint8_t vnet_eth_len(const struct pkt *p)
{
    uint8_t at = ETH_HDR_LEN;
    for (unsigned tags = 0; tags < ETH_TAGS_MAX && p->head.len >= at; tags++, at += ETH_TAG_LEN) {
        struct rd r = pkt_rd(p, at - 2u);
        uint16_t type = rd_u16(&r);
        if (type != ETH_VLAN && type != ETH_QINQ)
            break;
    }
    return at <= p->head.len ? at : (uint8_t)p->head.len;
}
