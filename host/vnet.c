/* struct virtio_net_hdr, in the machine's own byte order, to and from what a packet says of itself. */
#include "host/vnet.h"

#include "pkt/seal.h"
#include "wire/eth.h"
#include "wire/tcp.h"

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
