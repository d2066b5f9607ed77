/*
 * What Linux says in front of a frame (struct virtio_net_hdr), where a TAP device or a packet socket is
 * asked for it: whose checksum is to be finished and where, and how a super-segment is to be cut.
 */
#ifndef ORIEL_HOST_VNET_H
#define ORIEL_HOST_VNET_H

#include "pkt/pkt.h"

#include <linux/virtio_net.h>
#include <sys/uio.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5         /* headers before Linux 6.2 do not name it */
#endif

/* Of a packet that leaves, p->l3 where its network header is. */
void vnet_of_pkt(struct virtio_net_hdr *h, const struct pkt *p);

/*
 * Of a frame that came: p->csum, p->gso and p->gso_size say it. l3 is where its network header begins.
 * False: it makes no sense, or is of a kind that nobody asked for.
 */
bool vnet_to_pkt(struct env *env, struct pkt *p, const struct virtio_net_hdr *h);

/*
 * Datagrams that came as one (GSO_UDP): the stack wants them one by one.
 *
 *     if (p->gso == GSO_UDP && !vnet_cut_begin(&c, p)) ...      takes p; false: nobody can cut it, and it is freed
 *     while (c.whole)
 *         q = vnet_cut_next(&c, env);             NULL: no memory, and c.lost of them went with the rest
 */
struct vnet_cut {
    struct pkt *whole;              /* NULL: nothing is left */
    uint16_t hdr_len;               /* of all headers */
    uint16_t pieces;                /* given so far */
    uint32_t at;                    /* where the next one's data begins */
    unsigned lost;
};

bool vnet_cut_begin(struct vnet_cut *c, struct pkt *p);
struct pkt *vnet_cut_next(struct vnet_cut *c, struct env *env);

/*
 * And the other way: datagrams behind each other that are equal but for their data, all as long as the first (the last
 * may be shorter), leave as one and are cut where they arrive. Only such as are not to be fragmented, whose identification
 * means nothing then, and whose sums are left to the link.
 *
 *     unsigned k = vnet_alike(pkts, n);           so many of n, from the first; 1: none but itself
 *     if (k > 1)
 *         m = vnet_join(&j, iov, pkts, k);        pieces, the header of struct virtio_net_hdr the first
 */
#define VNET_ALIKE_MAX 64                   /* more of them no kernel takes */
#define VNET_IOV_MAX   (2 + 2 * VNET_ALIKE_MAX)

struct vnet_join {
    struct virtio_net_hdr h;
    uint8_t head[88];               /* all headers of the whole */
};

unsigned vnet_alike(struct pkt *const p[], unsigned n);
unsigned vnet_join(struct vnet_join *j, struct iovec v[], struct pkt *const p[], unsigned n);

/* Bytes of Ethernet's header, tags included, at the beginning of a frame. */
uint8_t vnet_eth_len(const struct pkt *p);

#endif
