/*
 * IPv4 with its options, IPv6 with its extension headers.
 *
 * Fragments are not put together. The first one is dissected as far as it goes, with checksums
 * unverified; the others show as data.
 */
#include "lens/layer.h"

#define IP4_FIXED 20

static const struct lens_name proto_names[] = {
    {IP_HOPOPTS, "IPv6 Hop-by-Hop Option"},
    {IP_ICMP, "ICMP"},
    {IP_IGMP, "IGMP"},
    {IP_IPIP, "IPIP"},
    {IP_TCP, "TCP"},
    {IP_UDP, "UDP"},
    {IP_IP6IN4, "IPv6"},
    {IP_ESP, "Encap Security Payload"},
    {IP_AH, "Authentication Header"},
    {IP_ICMP6, "ICMPv6"},
    {0, NULL},
};

static void dissect_unknown(struct lens *l, uint8_t proto, struct rd r)
{
    const char *name = lens_name_of(proto_names, proto);
    struct txt *t = lens_info(l);
    if (l->v6)
        txt_s(t, "Unknown IP Protocol: ");
    txt_s(t, name ? name : "Unknown");
    txt_s(t, " (");
    txt_u(t, proto);
    txt_c(t, ')');
    dissect_data(l, r);
}

void dissect_ip_proto(struct lens *l, uint8_t proto, struct rd r)
{
    if (rd_done(&r) && proto != IP_NONE)
        return;
    switch (proto) {
    case IP_ICMP:   dissect_icmp4(l, r); break;
    case IP_IGMP:   dissect_igmp(l, r); break;
    case IP_IPIP:   dissect_ip4(l, r); break;
    case IP_TCP:    dissect_tcp(l, r); break;
    case IP_UDP:    dissect_udp(l, r); break;
    case IP_IP6IN4: dissect_ip6(l, r); break;
    case IP_ICMP6:  dissect_icmp6(l, r); break;
    case IP_NONE:   dissect_data(l, r); break;
    default:        dissect_unknown(l, proto, r); break;
    }
}

static void proto_info(struct txt *t, uint8_t proto)
{
    const char *name = lens_name_of(proto_names, proto);
    txt_s(t, name ? name : "Unknown");
    txt_c(t, ' ');
    txt_u(t, proto);
}

/* ---- options of IPv4 ---- */

/*
 * Record route and source routes: the addresses before and behind the pointer. While there are
 * some to visit, the last one is the destination for checksums (RFC 1122, 4.1.3.2).
 */
static void add_route(struct lens *l, struct rd *r, uint8_t type)
{
    uint64_t ptr = lens_uint(l, r, F_IP_OPT_PTR, 1);
    for (uint64_t at = 4; rd_left(r) >= 4; at += 4) {
        bool past = at < ptr;
        if (type == IP4_OPT_RR)
            lens_addr4(l, r, past ? F_IP_REC_RT : F_IP_EMPTY_RT);
        else if (past)
            lens_addr4(l, r, F_IP_REC_RT);
        else
            l->ip_dst = lens_addr4(l, r, F_IP_SRC_RT);
    }
}

#define TS_ONLY  0

static void add_timestamps(struct lens *l, struct rd *r)
{
    lens_uint(l, r, F_IP_OPT_PTR, 1);
    const uint8_t *at = r->p;
    uint8_t flags = rd_u8(r);
    if (r->bad)
        return;
    lens_put_u(l, F_IP_OPT_OVERFLOW, at, 1, flags >> 4);
    lens_put_u(l, F_IP_OPT_FLAG, at, 1, flags & 15);
    while (rd_left(r) >= 4) {
        if ((flags & 15) != TS_ONLY) {
            lens_addr4(l, r, F_IP_OPT_TIME_STAMP_ADDR);
            if (rd_left(r) < 4)
                break;
        }
        lens_uint(l, r, F_IP_OPT_TIME_STAMP, 4);
    }
}

static void add_option_type(struct lens *l, const uint8_t *at, uint8_t type)
{
    lens_put_u(l, F_IP_OPT_TYPE, at, 1, type);
    lens_put_u(l, F_IP_OPT_TYPE_COPY, at, 1, type >> 7);
    lens_put_u(l, F_IP_OPT_TYPE_CLASS, at, 1, (type >> 5) & 3);
    lens_put_u(l, F_IP_OPT_TYPE_NUMBER, at, 1, type & 31);
}

/* One option. False at the end of the list. */
static bool add_option(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint8_t type = rd_u8(r);
    add_option_type(l, at, type);
    if (type == IP4_OPT_EOL || type == IP4_OPT_NOP)
        return type != IP4_OPT_EOL;
    uint64_t len = lens_uint(l, r, F_IP_OPT_LEN, 1);
    if (r->bad || len < 2 || len - 2 > rd_left(r)) {
        r->bad = FAULT_OPT_LEN;
        return false;
    }
    struct rd body = rd_sub(r, (size_t)len - 2);
    switch (type) {
    case IP4_OPT_RR:
    case IP4_OPT_LSRR:
    case IP4_OPT_SSRR: add_route(l, &body, type); break;
    case IP4_OPT_TS:   add_timestamps(l, &body); break;
    case IP4_OPT_RA:   lens_uint(l, &body, F_IP_OPT_RA, 2); break;
    default:           break;
    }
    return true;
}

/* ---- IPv4 ---- */

struct ip4_seen {
    uint8_t hdr_len;
    uint8_t proto;
    uint16_t total_len;
    uint16_t id;
    uint16_t frag;          /* the word of flags and offset */
};

static void add_tos(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint64_t tos = lens_uint(l, r, F_IP_DSFIELD, 1);
    lens_put_u(l, F_IP_DSFIELD_DSCP, at, 1, tos >> 2);
    lens_put_u(l, F_IP_DSFIELD_ECN, at, 1, tos & 3);
}

static uint16_t add_frag_word(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint16_t v = rd_u16(r);
    lens_put_u(l, F_IP_FLAGS, at, 1, v >> 13);
    lens_put_u(l, F_IP_FLAGS_RB, at, 1, v >> 15);
    lens_put_u(l, F_IP_FLAGS_DF, at, 1, (v >> 14) & 1);
    lens_put_u(l, F_IP_FLAGS_MF, at, 1, (v >> 13) & 1);
    lens_put_u(l, F_IP_FRAG_OFFSET, at, 2, v & 0x1fff);
    return v;
}

/* The twenty bytes; h holds exactly them, and `all` the header as the length field says. */
static struct ip4_seen add_ip4_fixed(struct lens *l, struct rd *h, struct span all)
{
    struct ip4_seen s = {0};
    const uint8_t *at = h->p;
    uint8_t first = rd_u8(h);
    s.hdr_len = (uint8_t)((first & 15) * 4);
    lens_put_u(l, F_IP_VERSION, at, 1, first >> 4);
    lens_put_u(l, F_IP_HDR_LEN, at, 1, s.hdr_len);
    add_tos(l, h);
    s.total_len = (uint16_t)lens_uint(l, h, F_IP_LEN, 2);
    s.id = (uint16_t)lens_uint(l, h, F_IP_ID, 2);
    s.frag = add_frag_word(l, h);
    l->ttl = (uint8_t)lens_uint(l, h, F_IP_TTL, 1);
    s.proto = (uint8_t)lens_uint(l, h, F_IP_PROTO, 1);
    lens_uint(l, h, F_IP_CHECKSUM, 2);
    enum lens_csum ok = LENS_CSUM_UNVERIFIED;
    if (all.n == s.hdr_len && s.hdr_len >= IP4_FIXED)
        ok = csum_finish(lens_sum(all)) == 0 ? LENS_CSUM_GOOD : LENS_CSUM_BAD;
    lens_put_u(l, F_IP_CHECKSUM_STATUS, NULL, 0, ok);
    struct oriel_addr src = lens_addr4(l, h, F_IP_SRC);
    struct oriel_addr dst = lens_addr4(l, h, F_IP_DST);
    lens_endpoints_ip(l, &src, &dst, false);
    return s;
}

static uint8_t ip4_fault(const struct rd *r, unsigned hdr_len, uint16_t total_len)
{
    if (hdr_len < IP4_FIXED || hdr_len > rd_left(r))
        return FAULT_HDR_LEN;
    return total_len < hdr_len ? FAULT_TOTAL_LEN : 0;
}

static void ip4_payload(struct lens *l, const struct ip4_seen *s, struct rd r)
{
    unsigned off = (s->frag & 0x1fffu) * 8;
    if (off == 0) {
        bool outer = l->fragment;
        l->fragment = l->fragment || (s->frag & IP4_MF) != 0;
        dissect_ip_proto(l, s->proto, r);
        l->fragment = outer;
        return;
    }
    struct txt *t = lens_info(l);
    txt_s(t, "Fragmented IP protocol (proto=");
    proto_info(t, s->proto);
    txt_s(t, ", off=");
    txt_u(t, off);
    txt_s(t, ", ID=");
    txt_hex(t, s->id, 4);
    txt_c(t, ')');
    dissect_data(l, r);
}

static void add_ip4_options(struct lens *l, struct rd *opts)
{
    while (!rd_done(opts) && add_option(l, opts))
        ;
    if (opts->bad)
        lens_fault(l, opts->bad);
}

void dissect_ip4(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_IP, &r);
    lens_columns(l, "IPv4");
    if (!layer)
        return;
    struct rd whole = r;
    struct rd fixed = rd_sub(&r, IP4_FIXED);
    if (lens_is_bad(l, &fixed))
        return;
    struct rd peek = whole;
    uint8_t first = rd_u8(&peek);
    if (first >> 4 != 4) {
        lens_fault(l, FAULT_VERSION);
        return;
    }
    peek = whole;
    struct span header = rd_bytes(&peek, (first & 15u) * 4);
    struct ip4_seen s = add_ip4_fixed(l, &fixed, header);
    uint8_t fault = ip4_fault(&whole, s.hdr_len, s.total_len);
    if (fault != 0) {
        lens_fault(l, fault);
        return;
    }
    struct rd datagram = lens_narrow(l, &whole, s.total_len);
    if (!l->net_end)
        l->net_end = datagram.end;
    rd_skip(&datagram, IP4_FIXED);
    struct rd opts = rd_sub(&datagram, s.hdr_len - IP4_FIXED);
    lens_layer_end(layer, &datagram);
    layer->len = s.hdr_len;
    add_ip4_options(l, &opts);
    ip4_payload(l, &s, datagram);
}

/* ---- extension headers ---- */

/* Ids of the fields that hop-by-hop, destination and routing headers begin with. */
struct ext_ids {
    enum field_id layer;
    enum field_id next;
    enum field_id len;
    enum field_id octets;
};

static struct ext_ids ext_ids(uint8_t type)
{
    if (type == IP_HOPOPTS)
        return (struct ext_ids){F_IPV6_HOPOPTS, F_IPV6_HOPOPTS_NXT, F_IPV6_HOPOPTS_LEN,
                                F_IPV6_HOPOPTS_LEN_OCT};
    if (type == IP_DSTOPTS)
        return (struct ext_ids){F_IPV6_DSTOPTS, F_IPV6_DSTOPTS_NXT, F_IPV6_DSTOPTS_LEN,
                                F_IPV6_DSTOPTS_LEN_OCT};
    return (struct ext_ids){F_IPV6_ROUTING, F_IPV6_ROUTING_NXT, F_IPV6_ROUTING_LEN,
                            F_IPV6_ROUTING_LEN_OCT};
}

#define IP6_OPT_JUMBO 0xc2

static void add_ip6_opt_body(struct lens *l, uint8_t type, struct rd body)
{
    if (type == IP6_OPT_PADN)
        lens_bytes(l, &body, F_IPV6_OPT_PADN, rd_left(&body));
    else if (type == IP6_OPT_RA && rd_left(&body) == 2)
        lens_uint(l, &body, F_IPV6_OPT_ROUTER_ALERT, 2);
    else if (type == IP6_OPT_JUMBO && rd_left(&body) == 4)
        lens_uint(l, &body, F_IPV6_OPT_JUMBO, 4);
    else
        lens_bytes(l, &body, F_IPV6_OPT_UNKNOWN, rd_left(&body));
}

static bool add_ip6_opt(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint8_t type = rd_u8(r);
    struct field *opt = lens_add(l, F_IPV6_OPT, at, 1);
    lens_put_u(l, F_IPV6_OPT_TYPE, at, 1, type);
    if (type == IP6_OPT_PAD1) {
        lens_add(l, F_IPV6_OPT_PAD1, at, 1);
        return true;
    }
    lens_put_u(l, F_IPV6_OPT_TYPE_ACTION, at, 1, type >> 6);
    lens_put_u(l, F_IPV6_OPT_TYPE_CHANGE, at, 1, (type >> 5) & 1);
    lens_put_u(l, F_IPV6_OPT_TYPE_REST, at, 1, type & 31);
    uint64_t len = lens_uint(l, r, F_IPV6_OPT_LENGTH, 1);
    if (r->bad || len > rd_left(r)) {
        r->bad = FAULT_OPT_LEN;
        return false;
    }
    opt->len = (uint32_t)len + 2;
    add_ip6_opt_body(l, type, rd_sub(r, (size_t)len));
    return true;
}

/* Hop-by-hop, destination or routing. r stands behind it; returns what follows. */
static uint8_t add_ext(struct lens *l, struct rd *r, uint8_t type)
{
    struct ext_ids id = ext_ids(type);
    struct field *layer = lens_layer(l, id.layer, r);
    if (!layer)
        return IP_NONE;
    struct rd ahead = *r;
    rd_skip(&ahead, 1);
    size_t octets = (rd_u8(&ahead) + (size_t)1) * 8;
    struct rd h = rd_sub(r, octets);
    if (h.bad) {
        lens_fault(l, r->bad);
        return IP_NONE;
    }
    uint8_t next = (uint8_t)lens_uint(l, &h, id.next, 1);
    const uint8_t *at = h.p;
    lens_uint(l, &h, id.len, 1);
    lens_put_u(l, id.octets, at, 1, octets);
    lens_layer_end(layer, r);
    if (type == IP_ROUTING) {
        lens_uint(l, &h, F_IPV6_ROUTING_TYPE, 1);
        lens_uint(l, &h, F_IPV6_ROUTING_SEGLEFT, 1);
        return next;
    }
    while (!rd_done(&h) && add_ip6_opt(l, &h))
        ;
    if (h.bad)
        lens_fault(l, h.bad);
    return next;
}

struct frag_seen {
    uint8_t next;
    uint16_t word;
    uint32_t id;
};

static struct frag_seen add_frag(struct lens *l, struct rd *r)
{
    struct frag_seen s = {.next = IP_NONE};
    struct field *layer = lens_layer(l, F_IPV6_FRAGHDR, r);
    struct rd h = rd_sub(r, IP6_FRAG_LEN);
    if (!layer || lens_is_bad(l, &h))
        return s;
    s.next = (uint8_t)lens_uint(l, &h, F_IPV6_FRAGHDR_NXT, 1);
    lens_uint(l, &h, F_IPV6_FRAGHDR_RESERVED_OCTET, 1);
    const uint8_t *at = h.p;
    s.word = rd_u16(&h);
    lens_put_u(l, F_IPV6_FRAGHDR_OFFSET, at, 2, s.word >> 3);
    lens_put_u(l, F_IPV6_FRAGHDR_RESERVED_BITS, at, 2, (s.word >> 1) & 3);
    lens_put_u(l, F_IPV6_FRAGHDR_MORE, at, 2, s.word & 1);
    s.id = (uint32_t)lens_uint(l, &h, F_IPV6_FRAGHDR_IDENT, 4);
    lens_layer_end(layer, r);
    return s;
}

static void frag_info(struct txt *t, const struct frag_seen *s)
{
    txt_s(t, "IPv6 fragment (off=");
    txt_u(t, s->word & 0xfff8u);
    txt_s(t, s->word & 1 ? " more=y ident=0x" : " more=n ident=0x");
    txt_hex(t, s->id, 8);
    txt_s(t, " nxt=");
    txt_u(t, s->next);
    txt_c(t, ')');
}

/* The chain of extension headers and what is behind it. */
static void ip6_chain(struct lens *l, uint8_t next, struct rd r)
{
    bool outer = l->fragment;
    for (unsigned n = 0; ip6_is_ext(next) && n < IP6_EXT_MAX && !l->faulty; n++) {
        if (next != IP_FRAGMENT) {
            next = add_ext(l, &r, next);
            continue;
        }
        struct frag_seen s = add_frag(l, &r);
        next = s.next;
        if (s.word >> 3 != 0) {
            frag_info(lens_info(l), &s);
            dissect_data(l, r);
            return;
        }
        l->fragment = l->fragment || (s.word & 1) != 0;
    }
    if (next == IP_NONE && !l->faulty)
        txt_s(lens_info(l), "IPv6 no next header");
    if (!r.bad)
        dissect_ip_proto(l, next, r);
    l->fragment = outer;
}

/* ---- IPv6 ---- */

static void add_ip6_first(struct lens *l, struct rd *h)
{
    const uint8_t *at = h->p;
    uint32_t word = rd_u32(h);
    lens_put_u(l, F_IPV6_VERSION, at, 1, word >> 28);
    lens_put_u(l, F_IPV6_TCLASS, at, 4, (word >> 20) & 0xff);
    lens_put_u(l, F_IPV6_TCLASS_DSCP, at, 4, (word >> 22) & 0x3f);
    lens_put_u(l, F_IPV6_TCLASS_ECN, at, 4, (word >> 20) & 3);
    lens_put_u(l, F_IPV6_FLOW, at + 1, 3, word & 0xfffff);
}

void dissect_ip6(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_IPV6, &r);
    lens_columns(l, "IPv6");
    if (!layer)
        return;
    struct rd peek = r;
    struct rd h = rd_sub(&r, IP6_HDR_LEN);
    if (lens_is_bad(l, &h))
        return;
    if (rd_u8(&peek) >> 4 != 6) {
        lens_fault(l, FAULT_VERSION);
        return;
    }
    add_ip6_first(l, &h);
    size_t len = (size_t)lens_uint(l, &h, F_IPV6_PLEN, 2);
    uint8_t next = (uint8_t)lens_uint(l, &h, F_IPV6_NXT, 1);
    l->ttl = (uint8_t)lens_uint(l, &h, F_IPV6_HLIM, 1);
    struct oriel_addr src = lens_addr6(l, &h, F_IPV6_SRC);
    struct oriel_addr dst = lens_addr6(l, &h, F_IPV6_DST);
    lens_endpoints_ip(l, &src, &dst, true);
    lens_layer_end(layer, &r);
    struct rd payload = lens_narrow(l, &r, len);
    if (!l->net_end)
        l->net_end = payload.end;
    ip6_chain(l, next, payload);
}
