/*
 * What Linux says in front of a frame (struct virtio_net_hdr), where a TAP device or a packet socket is
 * asked for it: whose checksum is to be finished and where, and how a super-segment is to be cut.
 */
#ifndef ORIEL_HOST_VNET_H
#define ORIEL_HOST_VNET_H

#include "pkt/pkt.h"

#include <linux/virtio_net.h>

/* Of a packet that leaves, p->l3 where its network header is. */
void vnet_of_pkt(struct virtio_net_hdr *h, const struct pkt *p);

/*
 * Of a frame that came: p->csum, p->gso and p->gso_size say it. l3 is where its network header begins.
 * False: it makes no sense, or is of a kind that nobody asked for.
 */
bool vnet_to_pkt(struct env *env, struct pkt *p, const struct virtio_net_hdr *h);

/* Bytes of Ethernet's header, tags included, at the beginning of a frame. */
uint8_t vnet_eth_len(const struct pkt *p);

#endif
