/* IPv6 header and extension headers (RFC 8200). */
#ifndef ORIEL_WIRE_IP6_H
#define ORIEL_WIRE_IP6_H

#include "wire/ip4.h"           /* protocol numbers */

#define IP6_HDR_LEN  40
#define IP6_FRAG_LEN 8
#define IP6_EXT_MAX  8          /* extension headers in one packet (RFC 8504, 5.3: a cap) */
#define IP6_OPTS_MAX 16         /* options in one hop-by-hop or destination header, pads included */
#define IP6_MTU_MIN  1280

#define IP6_AT_PAYLOAD_LEN 4
#define IP6_AT_NEXT        6
#define IP6_AT_SRC         8

struct ip6_hdr {
    uint8_t tclass;
    uint32_t flow;              /* 20 bits */
    uint16_t payload_len;
    uint8_t next;
    uint8_t hop_limit;
    struct oriel_addr src;
    struct oriel_addr dst;
};

/*
 * Reads the 40 bytes. FAULT_SHORT; FAULT_VERSION; FAULT_TOTAL_LEN: payload beyond what r holds.
 * FAULT_ADDR: a mapped IPv4 address as source or destination. The zone of addresses is left 0.
 */
bool ip6_parse(struct rd *r, struct ip6_hdr *out);
/* The same of a packet of `held` bytes, of which r need have the 40 only. */
bool ip6_parse_of(struct rd *r, size_t held, struct ip6_hdr *out);
bool ip6_parse_quoted(struct rd *r, struct ip6_hdr *out);      /* payload may be cut */
void ip6_emit(struct wr *w, const struct ip6_hdr *h);
void ip6_print(struct txt *t, const struct ip6_hdr *h);

/* One extension header. */
struct ip6_ext {
    uint8_t type;               /* what it is: IP_HOPOPTS, IP_ROUTING, IP_FRAGMENT, IP_DSTOPTS */
    uint8_t next;               /* what follows it */
    struct span body;           /* after the first two bytes; 6 bytes at least */
};

static inline bool ip6_is_ext(uint8_t next)
{
    return next == IP_HOPOPTS || next == IP_ROUTING || next == IP_FRAGMENT || next == IP_DSTOPTS;
}

/*
 * The extension header of that type which starts at r. FAULT_SHORT; FAULT_TYPE: not one of
 * ip6_is_ext (AH is not one of ours).
 */
bool ip6_ext_parse(struct rd *r, uint8_t type, struct ip6_ext *out);

struct ip6_frag {
    uint8_t next;
    uint16_t off;               /* bytes, a multiple of 8 */
    bool more;
    uint32_t id;
};

bool ip6_frag_parse(struct rd *r, struct ip6_frag *out);        /* 8 bytes; FAULT_SHORT */
void ip6_frag_emit(struct wr *w, const struct ip6_frag *f);

struct ip6_opt {
    uint8_t type;               /* top two bits: what to do when unknown */
    struct span data;
    uint16_t at;                /* offset of the type byte from the start of the extension header */
};

enum ip6_opt_type {
    IP6_OPT_PAD1 = 0,
    IP6_OPT_PADN = 1,
    IP6_OPT_RA = 5,             /* router alert, RFC 2711 */
};

enum ip6_opt_action {           /* RFC 8200, 4.2 */
    IP6_ACT_SKIP = 0,
    IP6_ACT_DROP = 1,
    IP6_ACT_ICMP = 2,
    IP6_ACT_ICMP_UNICAST = 3,
};

/*
 * The next option that is not a pad; false at the end or with FAULT_OPT_LEN / FAULT_OPT_COUNT in
 * the walk's r.bad: then out->at is the option at fault.
 */
struct ip6_opt_walk {
    struct rd r;
    uint8_t count;              /* options met so far, pads included */
    uint16_t at;                /* offset of the next one from the start of the extension header */
};
struct ip6_opt_walk ip6_opts(const struct ip6_ext *e);
bool ip6_opt_next(struct ip6_opt_walk *w, struct ip6_opt *out);

struct ip6_routing {
    uint8_t type;
    uint8_t segments_left;
};
/* False when e is not a routing header. */
bool ip6_routing_parse(const struct ip6_ext *e, struct ip6_routing *out);

void ip6_patch_hop_limit(uint8_t *hdr, uint8_t hop_limit);

#endif
