/* ICMP (RFC 792, 1122, 1191). */
#ifndef ORIEL_WIRE_ICMP4_H
#define ORIEL_WIRE_ICMP4_H

#include "base/addr.h"

#define ICMP4_HDR_LEN 8

enum icmp4_type {
    ICMP4_ECHO_REPLY = 0,
    ICMP4_UNREACHABLE = 3,
    ICMP4_SOURCE_QUENCH = 4,
    ICMP4_REDIRECT = 5,
    ICMP4_ECHO = 8,
    ICMP4_TIME_EXCEEDED = 11,
    ICMP4_PARAM_PROBLEM = 12,
    ICMP4_TIMESTAMP = 13,
    ICMP4_TIMESTAMP_REPLY = 14,
};

enum icmp4_unreach {
    ICMP4_NET = 0,
    ICMP4_HOST = 1,
    ICMP4_PROTO = 2,
    ICMP4_PORT = 3,
    ICMP4_FRAG_NEEDED = 4,
    ICMP4_SRC_ROUTE = 5,
    ICMP4_ADMIN = 13,
};

enum icmp4_code {
    ICMP4_TTL = 0,              /* time exceeded in transit */
    ICMP4_REASM = 1,            /* reassembly time exceeded */
};

struct icmp4_hdr {
    uint8_t type;
    uint8_t code;
    uint16_t csum;              /* as on the wire */
    /* By type; what does not belong to the type is 0. */
    uint16_t id;                /* echo, timestamp */
    uint16_t seq;
    uint16_t mtu;               /* fragmentation needed; 0 from old routers */
    uint8_t pointer;            /* parameter problem */
    struct oriel_addr gateway;  /* redirect; ADDR_NONE otherwise */
};

/*
 * r holds exactly the ICMP message. Reads 8 bytes; r stands at the data or quote. FAULT_SHORT;
 * FAULT_CSUM over all of r.
 */
bool icmp4_parse(struct rd *r, struct icmp4_hdr *out);

/* Writes 8 bytes with a checksum over them and `data_sum`, the sum of what follows (csum.h). */
void icmp4_emit(struct wr *w, const struct icmp4_hdr *h, uint32_t data_sum);
void icmp4_print(struct txt *t, const struct icmp4_hdr *h);
bool icmp4_is_error(uint8_t type);

/* Change the identifier of an echo in place, checksum updated (RFC 1624); 8 bytes are there. */
void icmp4_patch_id(uint8_t *message, uint16_t id);

/* Compute the checksum of a whole message anew: what it quotes has changed. */
void icmp4_reseal(uint8_t *message, size_t n);

#endif
