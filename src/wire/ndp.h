/* Neighbour discovery messages (RFC 4861) and their options, RDNSS (RFC 8106) among them. */
#ifndef ORIEL_WIRE_NDP_H
#define ORIEL_WIRE_NDP_H

#include "wire/icmp6.h"

#define NDP_OPTIONS_MAX  32     /* options in one message */
#define NDP_PREFIXES_MAX 8      /* prefix and route options kept of one advertisement */
#define NDP_DNS_MAX      4

enum ndp_opt {
    NDP_OPT_SLLA = 1,
    NDP_OPT_TLLA = 2,
    NDP_OPT_PREFIX = 3,
    NDP_OPT_REDIRECTED = 4,
    NDP_OPT_MTU = 5,
    NDP_OPT_NONCE = 14,         /* RFC 7527 */
    NDP_OPT_RDNSS = 25,
};

struct ndp_prefix {
    struct prefix prefix;
    bool on_link;
    bool autonomous;
    uint32_t valid_s;           /* 0xffffffff: for ever */
    uint32_t preferred_s;
};

/* All five messages in one struct; what does not belong to the type is zero. */
struct ndp_msg {
    uint8_t type;               /* ICMP6_RS .. ICMP6_REDIRECT */
    /* RA */
    uint8_t hop_limit;
    bool managed;
    bool other;
    uint16_t router_lifetime_s;
    uint32_t reachable_ms;
    uint32_t retrans_ms;
    /* NS, NA, redirect */
    struct oriel_addr target;
    struct oriel_addr dest;     /* redirect */
    bool router;                /* NA */
    bool solicited;
    bool override;
    /* options; the last of a kind counts, but for lists */
    bool has_slla;
    bool has_tlla;
    bool has_mtu;
    bool has_nonce;
    struct mac slla;
    struct mac tlla;
    uint32_t mtu;
    uint64_t nonce;             /* 6 bytes */
    uint8_t prefixes_n;         /* beyond the maximum they are ignored */
    struct ndp_prefix prefixes[NDP_PREFIXES_MAX];
    uint8_t dns_n;
    uint32_t dns_lifetime_s;    /* the shortest, where several options have been given */
    struct oriel_addr dns[NDP_DNS_MAX];
    struct span redirected;     /* the quoted packet of a redirect */
};

/*
 * r stands after the first 4 bytes of the ICMPv6 message (as icmp6_parse leaves it) and ends with
 * it. FAULT_SHORT: below the minimum of the type; FAULT_OPT_LEN: an option of length 0 or beyond
 * the end; FAULT_OPT_COUNT; FAULT_TYPE: not an ND type; FAULT_ADDR_LEN: a link-layer option that
 * is not 8 bytes. Other options of a wrong length, or that do not belong to the type, are passed
 * over. Code, hop limit and addresses are the caller's to check (RFC 4861, 7.1).
 */
bool ndp_parse(struct rd *r, uint8_t type, struct ndp_msg *out);

/* Writes the whole ICMPv6 message, checksum field 0: icmp6_seal it. */
void ndp_emit(struct wr *w, const struct ndp_msg *m);
void ndp_print(struct txt *t, const struct ndp_msg *m);

#endif
