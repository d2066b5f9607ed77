/* IPv4 header and options (RFC 791). */
#ifndef ORIEL_WIRE_IP4_H
#define ORIEL_WIRE_IP4_H

#include "base/csum.h"

#define IP4_HDR_LEN     20
#define IP4_HDR_MAX     60
#define IP4_OPTS_MAX    40
#define IP4_OPTIONS_MAX 40      /* options in one header: each is a byte at least */
#define IP4_LEN_MAX     65535

#define IP4_FIRST        0x45   /* version 4, five rows: no options */
#define IP4_AT_TOS       1
#define IP4_AT_TOTAL_LEN 2
#define IP4_AT_ID        4
#define IP4_AT_FRAGMENT  6
#define IP4_AT_TTL       8
#define IP4_AT_PROTO     9
#define IP4_AT_CSUM      10
#define IP4_AT_SRC       12
#define IP4_AT_DST       16

#define IP4_DF 0x4000u
#define IP4_MF 0x2000u
#define IP4_OFF_MASK 0x1fffu    /* of eight-byte units */

enum ip_proto {
    IP_HOPOPTS = 0,
    IP_ICMP = 1,
    IP_IGMP = 2,
    IP_IPIP = 4,
    IP_TCP = 6,
    IP_UDP = 17,
    IP_IP6IN4 = 41,
    IP_ROUTING = 43,
    IP_FRAGMENT = 44,
    IP_ESP = 50,
    IP_AH = 51,
    IP_ICMP6 = 58,
    IP_NONE = 59,
    IP_DSTOPTS = 60,
};

enum ip4_opt {
    IP4_OPT_EOL = 0,
    IP4_OPT_NOP = 1,
    IP4_OPT_RR = 7,
    IP4_OPT_TS = 68,
    IP4_OPT_LSRR = 131,
    IP4_OPT_SSRR = 137,
    IP4_OPT_RA = 148,           /* router alert, RFC 2113 */
};

struct ip4_hdr {
    uint8_t hdr_len;            /* bytes, 20..60 */
    uint8_t tos;
    uint16_t total_len;
    uint16_t id;
    bool df;
    bool mf;
    uint16_t frag_off;          /* bytes, a multiple of 8 */
    uint8_t ttl;
    uint8_t proto;
    uint16_t csum;              /* as on the wire */
    struct oriel_addr src;
    struct oriel_addr dst;
    struct span opts;           /* points into the bytes that were parsed; n is hdr_len - 20 */
};

/*
 * Reads the header with its options; r stands at the payload and still holds whatever follows the
 * datagram (padding). FAULT_SHORT; FAULT_VERSION; FAULT_HDR_LEN: below 20, above total_len or
 * beyond the bytes; FAULT_TOTAL_LEN: beyond the bytes (r's length at entry); FAULT_CSUM: the header
 * checksum is wrong. Checked in the order: version, header length, checksum, total length.
 */
bool ip4_parse(struct rd *r, struct ip4_hdr *out);

/*
 * The same for what nearly every datagram is: whole, without options, and with nothing wrong. False
 * says only that ip4_parse has to look at it; r stays where it was. There are `held` bytes of it and
 * what follows it, of which r need have the header only.
 */
static inline bool ip4_parse_plain_of(struct rd *r, size_t held, struct ip4_hdr *out)
{
    struct rd rest = *r;
    const uint8_t *b = rd_bytes(&rest, IP4_HDR_LEN).p;
    if (oriel_unlikely(rest.bad != 0))
        return false;
    uint16_t total_len = load_be16(b + IP4_AT_TOTAL_LEN), fragment = load_be16(b + IP4_AT_FRAGMENT);
    if (oriel_unlikely(b[0] != IP4_FIRST || (fragment & (IP4_MF | IP4_OFF_MASK)) != 0))
        return false;
    if (oriel_unlikely(total_len < IP4_HDR_LEN || total_len > held))
        return false;
    if (oriel_unlikely(!csum_wide_good(csum_words(b, IP4_HDR_LEN))))
        return false;
    *out = (struct ip4_hdr){
        .hdr_len = IP4_HDR_LEN,
        .tos = b[IP4_AT_TOS],
        .total_len = total_len,
        .id = load_be16(b + IP4_AT_ID),
        .df = (fragment & IP4_DF) != 0,
        .ttl = b[IP4_AT_TTL],
        .proto = b[IP4_AT_PROTO],
        .csum = load_be16(b + IP4_AT_CSUM),
        .src = addr_v4(load_be32(b + IP4_AT_SRC)),
        .dst = addr_v4(load_be32(b + IP4_AT_DST)),
        .opts = span_of(rest.p, 0),
    };
    *r = rest;
    return true;
}

static inline bool ip4_parse_plain(struct rd *r, struct ip4_hdr *out)
{
    return ip4_parse_plain_of(r, rd_left(r), out);
}

/*
 * The same for a datagram that is quoted inside an ICMP error: total length and checksum are not
 * checked (the quote is cut, and routers have changed the TTL).
 */
bool ip4_parse_quoted(struct rd *r, struct ip4_hdr *out);

/* Writes the header; hdr_len comes from opts (padded to words with zeros), csum is computed. */
void ip4_emit(struct wr *w, const struct ip4_hdr *h);

/*
 * The header of one flow's whole datagrams: all of it but what their length decides. ip4_form_make
 * looks at tos, id, df, ttl, proto and the addresses, and nothing else.
 */
struct ip4_form {
    uint8_t bytes[IP4_HDR_LEN];         /* length and checksum are 0 */
    uint16_t sum;               /* of these bytes */
};

void ip4_form_make(struct ip4_form *f, const struct ip4_hdr *h);

static inline void ip4_form_emit(struct wr *w, const struct ip4_form *f, uint16_t total_len)
{
    uint32_t sum = (uint32_t)f->sum + total_len;
    wr_bytes(w, span_of(f->bytes, IP4_HDR_LEN));
    wr_patch_u16(w, IP4_AT_TOTAL_LEN, total_len);
    sum += sum >> 16;                   /* two words have one carry at most */
    wr_patch_u16(w, IP4_AT_CSUM, (uint16_t)~sum);
}

void ip4_print(struct txt *t, const struct ip4_hdr *h);

struct ip4_opt_it {             /* walk over options: one at a time, bounded */
    uint8_t type;
    struct span data;           /* after type and length */
    const uint8_t *at;          /* its type byte: at - hdr.opts.p + 20 bytes into the header */
};

/*
 * The next option other than NOP, false at the end (EOL included) or on a fault: then opts->bad is
 * FAULT_OPT_LEN and out->at the option at fault. `opts` reads struct ip4_hdr's span.
 */
bool ip4_opt_next(struct rd *opts, struct ip4_opt_it *out);

/* Change fields of a header in place, checksum updated (RFC 1624): forwarding and NAT. */
void ip4_patch_ttl(uint8_t *hdr, uint8_t ttl);
void ip4_patch_src(uint8_t *hdr, const struct oriel_addr *a);
void ip4_patch_dst(uint8_t *hdr, const struct oriel_addr *a);

const char *ip_proto_name(uint8_t proto);       /* "UDP"; NULL when it has no name here */

#endif
