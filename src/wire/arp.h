/* ARP (RFC 826) and RARP (RFC 903) for Ethernet and IPv4: one format, 28 bytes. */
#ifndef ORIEL_WIRE_ARP_H
#define ORIEL_WIRE_ARP_H

#include "base/addr.h"

#define ARP_LEN 28

enum arp_op {
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
    RARP_REQUEST = 3,
    RARP_REPLY = 4,
};

struct arp_msg {
    uint16_t op;
    struct mac sha;             /* sender hardware address */
    struct oriel_addr spa;      /* sender protocol address */
    struct mac tha;
    struct oriel_addr tpa;
};

/*
 * FAULT_SHORT; FAULT_TYPE: hardware type not 1, protocol not IPv4, or an operation outside 1..4;
 * FAULT_ADDR_LEN: lengths not 6 and 4. Padding after the message is left in r.
 */
bool arp_parse(struct rd *r, struct arp_msg *out);
void arp_emit(struct wr *w, const struct arp_msg *m);
void arp_print(struct txt *t, const struct arp_msg *m);   /* "Who has 10.0.0.2? Tell 10.0.0.1" */

#endif
