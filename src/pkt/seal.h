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

/* Will the pieces of a super-segment, from the network header on, be no larger than that? */
bool pkt_gso_fits(const struct pkt *p, size_t mtu);

#endif
