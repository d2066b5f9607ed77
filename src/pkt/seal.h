/*
 * Transport checksums that were left for later, and super-segments that stay whole.
 *
 * One rule: p->csum says what the checksum field holds, and whoever hands p to somebody that reads,
 * cuts or changes what the field covers finishes it first. That is the link when p leaves by an
 * interface that does not vouch (link_take), loopback likewise, fragmentation and translation.
 *
 * The network header is at p->l3, and all headers are in the head.
 */
#ifndef ORIEL_PKT_SEAL_H
#define ORIEL_PKT_SEAL_H

#include "pkt/pkt.h"

/*
 * CSUM_PARTIAL becomes a checksum, by kept sums where there are any; CSUM_NONE afterwards. False, and
 * nothing changed: no memory to write into a shared head, or no transport that has a checksum.
 */
bool pkt_seal(struct env *env, struct pkt *p);

/*
 * Lengths of a super-segment become those of the packet as it is, and its checksum field the
 * pseudo-header's sum: CSUM_PARTIAL afterwards. False as pkt_seal, and where it is not TCP.
 */
bool pkt_gso_whole(struct env *env, struct pkt *p);

/*
 * What a device has to be told of a packet whose checksum it is to finish (CSUM_PARTIAL; a super-segment
 * that pkt_gso_whole made so): places are counted from the packet's first byte.
 */
struct pkt_offload {
    uint16_t csum_start;        /* from here to the end is summed */
    uint16_t csum_offset;       /* the field, from csum_start on */
    uint16_t hdr_len;           /* all headers, the transport's with its options */
};

/* False: no transport with a checksum, or not all headers are in the head. */
bool pkt_offload_of(const struct pkt *p, struct pkt_offload *out);

/*
 * The other way: a device says that the field at csum_start + csum_offset has yet to be finished. Where
 * that is the transport's own, p is CSUM_PARTIAL afterwards; any other (of a packet within the packet) is
 * finished here, by summing, and p is CSUM_NONE. False: no such place, or no memory.
 */
bool pkt_on_offload(struct env *env, struct pkt *p, uint16_t csum_start, uint16_t csum_offset);

/* Will the pieces of a super-segment, from the network header on, be no larger than that? */
bool pkt_gso_fits(const struct pkt *p, size_t mtu);

#endif
