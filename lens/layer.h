/*
 * What the dissectors of the single layers share. Internal to lens/.
 *
 * A layer's function gets a reader that holds the bytes of this layer and everything inside it. It
 * adds its fields while it reads, and hands the rest to the next one. A field whose bytes are not
 * there is not added, and the reader turns bad; the layer then says lens_fault() and stops.
 */
#ifndef ORIEL_LENS_LAYER_H
#define ORIEL_LENS_LAYER_H

#include "base/csum.h"
#include "lens/dissect.h"
#include "wire/fault.h"
#include "wire/ip6.h"

#define LENS_LAYERS_MAX 24      /* one inside the other: tunnels in tunnels end here */

enum lens_csum {                /* what a `.checksum.status` says */
    LENS_CSUM_BAD = 0,
    LENS_CSUM_GOOD = 1,
    LENS_CSUM_UNVERIFIED = 2,   /* a fragment, or not all was captured */
    LENS_CSUM_NOT_PRESENT = 3,  /* UDP over IPv4 with 0 in the field */
    LENS_CSUM_ILLEGAL = 4,      /* UDP over IPv6 with 0 in the field */
};

struct lens {
    struct dissection *d;
    struct txt src;             /* the columns */
    struct txt dst;
    struct txt proto;
    struct txt info;
    struct txt sink;            /* where columns go inside a quote */
    struct txt protocols;       /* frame.protocols */
    struct oriel_addr ip_src;   /* for pseudo-headers: of the IP header around the layer in hand */
    struct oriel_addr ip_dst;
    uint8_t ttl;
    bool v6;                    /* that header is IPv6, whatever its addresses look like */
    const char *where;          /* name of the layer in hand, for the report of a fault */
    unsigned layers;            /* entered so far */
    bool cut;                   /* the capture holds less than was on the wire */
    bool quoted;                /* inside an ICMP error: cut as a rule, and not this frame's own */
    bool partial;               /* the layer in hand says that it is longer than what is there */
    bool fragment;              /* the first fragment of something longer */
    bool faulty;                /* a fault has been reported */
    const struct lens_frame *in;
    const uint8_t *net_end;     /* end of the outermost network layer: what follows is padding */
    struct field spare;         /* where fields go when the list is full */
    char protocols_buf[128];
    char sink_buf[1];
};

/* ---- fields ---- */

/* A field of `len` bytes at `at`; the value is the caller's to fill in. Never NULL. */
struct field *lens_add(struct lens *l, enum field_id id, const uint8_t *at, size_t len);

/* Values that are part of the bytes at `at`, or were computed (at NULL). */
void lens_put_u(struct lens *l, enum field_id id, const uint8_t *at, size_t len, uint64_t v);
void lens_put_bytes(struct lens *l, enum field_id id, struct span s);
void lens_put_text(struct lens *l, enum field_id id, const uint8_t *at, size_t len, struct span s);

/* Read the next bytes as a field. Zero or empty, and no field, when they are not there. */
uint64_t lens_uint(struct lens *l, struct rd *r, enum field_id id, unsigned bytes);
struct oriel_addr lens_addr4(struct lens *l, struct rd *r, enum field_id id);
struct oriel_addr lens_addr6(struct lens *l, struct rd *r, enum field_id id);
struct mac lens_mac(struct lens *l, struct rd *r, enum field_id id);
struct span lens_bytes(struct lens *l, struct rd *r, enum field_id id, size_t n);

/* Text that stands nowhere in the frame: write it between these two. What does not fit is cut. */
struct txt lens_text_begin(struct lens *l);
struct span lens_text_end(struct lens *l, const struct txt *t);

/* ---- layers and columns ---- */

/*
 * Begin a layer that stands at r; NULL when there are too many. lens_layer_end says where its own
 * part ended: before the payload.
 */
struct field *lens_layer(struct lens *l, enum field_id id, const struct rd *r);
void lens_layer_end(struct field *layer, const struct rd *r);

/* frame.protocols names what decides about the next layer, too. */
void lens_note_protocol(struct lens *l, const char *name);

/* This layer's name goes into the column, and its information replaces that of the layer below. */
void lens_columns(struct lens *l, const char *proto);
struct txt *lens_info(struct lens *l);          /* to append to */
void lens_info_ports(struct lens *l, uint64_t src, uint64_t dst);       /* "1000 > 2000" */
void lens_endpoints_mac(struct lens *l, const struct mac *src, const struct mac *dst);
void lens_endpoints_ip(struct lens *l, const struct oriel_addr *src, const struct oriel_addr *dst,
                       bool v6);

/* What the reader met: a malformed field, or the end of a capture that was cut. */
void lens_fault(struct lens *l, uint8_t fault);

static inline bool lens_is_bad(struct lens *l, const struct rd *r)
{
    if (r->bad != 0)
        lens_fault(l, r->bad);
    return r->bad != 0;
}

/* A reader of the next n bytes; if the capture ends before, of what there is. */
struct rd lens_narrow(struct lens *l, struct rd *r, size_t n);

static inline struct span lens_peek(const struct rd *r)
{
    return span_of(r->p, rd_left(r));
}

/* ---- checksums ---- */

/* Of a whole message whose sum with the field in place is `sum`. */
enum lens_csum lens_csum_of(const struct lens *l, uint32_t sum);
uint32_t lens_sum(struct span s);
uint32_t lens_sum_pseudo(const struct lens *l, struct span segment, uint8_t proto);

/* ---- names ---- */

struct lens_name {
    uint32_t value;
    const char *name;
};

/* NULL when the value is not in the list. The list ends with a NULL name. */
const char *lens_name_of(const struct lens_name *list, uint32_t value);

/* ---- the layers ---- */

void dissect_eth(struct lens *l, struct rd r);
void dissect_null(struct lens *l, struct rd r);
void dissect_raw(struct lens *l, struct rd r);
void dissect_ppp(struct lens *l, struct rd r);
void dissect_ethertype(struct lens *l, uint16_t type, struct rd r);
void dissect_arp(struct lens *l, struct rd r);
void dissect_ip4(struct lens *l, struct rd r);
void dissect_ip6(struct lens *l, struct rd r);
void dissect_ip_proto(struct lens *l, uint8_t proto, struct rd r);
void dissect_icmp4(struct lens *l, struct rd r);
void dissect_icmp6(struct lens *l, struct rd r);
void dissect_igmp(struct lens *l, struct rd r);
void dissect_udp(struct lens *l, struct rd r);
void dissect_tcp(struct lens *l, struct rd r);
void dissect_dns(struct lens *l, struct rd r);
void dissect_dhcp(struct lens *l, struct rd r);
void dissect_vxlan(struct lens *l, struct rd r);
void dissect_data(struct lens *l, struct rd r);

/* The messages behind the first four bytes of ICMPv6. */
bool dissect_ndp(struct lens *l, uint8_t type, struct rd *r);
bool dissect_mld(struct lens *l, uint8_t type, struct rd *r);

/* A packet quoted in an error: its fields appear, the columns stay, its end is no fault. */
void dissect_quoted(struct lens *l, struct rd r, bool v6);

#endif
