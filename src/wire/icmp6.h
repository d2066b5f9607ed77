/* ICMPv6 (RFC 4443): the common header, errors and echo. Neighbour discovery is in ndp.h, MLD in
 * mld.h. */
#ifndef ORIEL_WIRE_ICMP6_H
#define ORIEL_WIRE_ICMP6_H

#include "base/addr.h"

#define ICMP6_HDR_LEN 8

enum icmp6_type {
    ICMP6_UNREACHABLE = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_PARAM_PROBLEM = 4,
    ICMP6_ECHO = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_MLD_QUERY = 130,
    ICMP6_MLD_REPORT = 131,
    ICMP6_MLD_DONE = 132,
    ICMP6_RS = 133,
    ICMP6_RA = 134,
    ICMP6_NS = 135,
    ICMP6_NA = 136,
    ICMP6_REDIRECT = 137,
    ICMP6_MLD2_REPORT = 143,
};

enum icmp6_unreach {
    ICMP6_NO_ROUTE = 0,
    ICMP6_ADMIN = 1,
    ICMP6_SCOPE = 2,
    ICMP6_ADDR = 3,
    ICMP6_PORT = 4,
};

enum icmp6_param {
    ICMP6_FIELD = 0,
    ICMP6_NEXT_HEADER = 1,
    ICMP6_OPTION = 2,
    ICMP6_CHAIN = 3,            /* RFC 7112 */
};

struct icmp6_hdr {
    uint8_t type;
    uint8_t code;
    uint16_t csum;
    uint16_t id;                /* echo */
    uint16_t seq;
    uint32_t mtu;               /* too big */
    uint32_t pointer;           /* parameter problem */
};

/*
 * r holds exactly the ICMPv6 message. Reads the first 4 bytes for every type, and 4 more for errors
 * and echo: r then stands at the quote or data; for other types it stands after the first 4 bytes.
 * FAULT_SHORT; FAULT_CSUM with the pseudo-header of src and dst.
 */
bool icmp6_parse(struct rd *r, const struct oriel_addr *src, const struct oriel_addr *dst,
                 struct icmp6_hdr *out);

/* Writes 8 bytes (errors and echo only). The checksum covers `data_sum` and the pseudo-header of
 * `len` bytes in all. */
void icmp6_emit(struct wr *w, const struct icmp6_hdr *h, const struct oriel_addr *src,
                const struct oriel_addr *dst, uint32_t len, uint32_t data_sum);

/* Put the checksum into a message that was written whole (ND, MLD) with the field at 0. */
void icmp6_seal(struct wr *w, const struct oriel_addr *src, const struct oriel_addr *dst);
void icmp6_print(struct txt *t, const struct icmp6_hdr *h);

static inline bool icmp6_is_error(uint8_t type)
{
    return type < 128;
}

#endif
