/*
 * IPv4 header (RFC 791).
 *
 * Every datagram passes here. The fixed 20 bytes are carved once and the function ends there when
 * they are not all present: then the compiler knows that each one is. They are read as the five
 * rows of 32 bits that RFC 791 draws, because the same five numbers, added, fold to the checksum
 * (RFC 1071, 2B). Nothing is done for options that are not there, and those that are there are
 * checked when they are walked, not before: who ignores them need not care what they say.
 *
 * The reserved flag bit is ignored on receipt and sent as zero.
 */
#include "wire/ip4.h"

#include "base/csum.h"
#include "wire/fault.h"

#define ROWS    (IP4_HDR_LEN / 4)

static_assert(IP4_OPTIONS_MAX >= IP4_OPTS_MAX, "the bytes of the options bound a walk over them");

/* The rows of the header as RFC 791 draws it, in a sum that still wants folding. */
static ORIEL_ALWAYS_INLINE uint32_t sum_rows(const uint32_t row[ROWS])
{
    uint64_t sum = (uint64_t)row[0] + row[1] + row[2] + row[3] + row[4];
    return (uint32_t)((sum >> 16) + (sum & 0xffff));    /* of 35 bits, which leaves 20 */
}

/* The version; the fields go to *out and the sum of the bytes to *sum. */
static ORIEL_ALWAYS_INLINE uint8_t read_fixed(struct rd *h, struct ip4_hdr *out, uint32_t *sum)
{
    uint32_t row[ROWS];
    row[0] = rd_u32(h);
    row[1] = rd_u32(h);
    row[2] = rd_u32(h);
    row[3] = rd_u32(h);
    row[4] = rd_u32(h);
    out->hdr_len = (uint8_t)((row[0] >> 24 & 15) * 4);
    out->tos = (uint8_t)(row[0] >> 16);
    out->total_len = (uint16_t)row[0];
    out->id = (uint16_t)(row[1] >> 16);
    out->df = (row[1] & IP4_DF) != 0;
    out->mf = (row[1] & IP4_MF) != 0;
    out->frag_off = (uint16_t)(row[1] << 3);    /* 13 bits of eight-byte units; flags fall out */
    out->ttl = (uint8_t)(row[2] >> 24);
    out->proto = (uint8_t)(row[2] >> 16);
    out->csum = (uint16_t)row[2];
    out->src = addr_v4(row[3]);
    out->dst = addr_v4(row[4]);
    out->opts = span_of(h->p, 0);
    *sum = sum_rows(row);
    return (uint8_t)(row[0] >> 28);
}

bool ip4_parse(struct rd *r, struct ip4_hdr *out)
{
    size_t held = rd_left(r);
    struct rd h = rd_sub(r, IP4_HDR_LEN);
    if (oriel_unlikely(h.bad != 0))
        return false;
    uint32_t sum;
    if (oriel_unlikely(read_fixed(&h, out, &sum) != 4))
        return rd_fail(r, FAULT_VERSION);
    if (oriel_unlikely(out->hdr_len != IP4_HDR_LEN)) {
        if (out->hdr_len < IP4_HDR_LEN || out->hdr_len > held)
            return rd_fail(r, FAULT_HDR_LEN);
        out->opts = rd_bytes(r, out->hdr_len - (size_t)IP4_HDR_LEN);
        sum += csum_small(out->opts.p, out->opts.n);
    }
    if (oriel_unlikely(out->hdr_len > out->total_len))
        return rd_fail(r, FAULT_HDR_LEN);
    if (oriel_unlikely(csum_finish(sum) != 0))
        return rd_fail(r, FAULT_CSUM);
    if (oriel_unlikely(out->total_len > held))
        return rd_fail(r, FAULT_TOTAL_LEN);
    return true;
}

bool ip4_parse_quoted(struct rd *r, struct ip4_hdr *out)
{
    size_t held = rd_left(r);
    struct rd h = rd_sub(r, IP4_HDR_LEN);
    if (h.bad != 0)
        return false;
    uint32_t sum;
    if (read_fixed(&h, out, &sum) != 4)
        return rd_fail(r, FAULT_VERSION);
    if (out->hdr_len < IP4_HDR_LEN || out->hdr_len > held)
        return rd_fail(r, FAULT_HDR_LEN);
    out->opts = rd_bytes(r, out->hdr_len - (size_t)IP4_HDR_LEN);
    return true;
}

/* The rows without the checksum. */
static ORIEL_ALWAYS_INLINE void make_rows(const struct ip4_hdr *h, size_t hdr_len,
                                          uint32_t row[ROWS])
{
    uint32_t flags = (h->df ? IP4_DF : 0) | (h->mf ? IP4_MF : 0);
    row[0] = (uint32_t)(0x40 | (hdr_len / 4)) << 24 | (uint32_t)h->tos << 16 | h->total_len;
    row[1] = (uint32_t)h->id << 16 | flags | (uint32_t)h->frag_off >> 3;
    row[2] = (uint32_t)h->ttl << 24 | (uint32_t)h->proto << 16;
    row[3] = addr_to_v4(&h->src);
    row[4] = addr_to_v4(&h->dst);
}

void ip4_emit(struct wr *w, const struct ip4_hdr *h)
{
    ORIEL_ASSERT(h->opts.n <= IP4_OPTS_MAX);
    ORIEL_ASSERT(h->frag_off % 8 == 0);
    size_t opts_len = (h->opts.n + 3) & ~(size_t)3;
    size_t hdr_len = IP4_HDR_LEN + opts_len;
    uint8_t *at = wr_room(w, hdr_len);
    if (!at)
        return;
    uint32_t row[ROWS];
    make_rows(h, hdr_len, row);
    uint32_t sum = sum_rows(row);
    if (oriel_unlikely(opts_len > 0)) {
        struct wr o = wr_of(at + IP4_HDR_LEN, opts_len);
        wr_bytes(&o, h->opts);
        wr_zeros(&o, wr_left(&o));
        sum += csum_small(at + IP4_HDR_LEN, opts_len);
    }
    struct wr f = wr_of(at, IP4_HDR_LEN);
    wr_u32(&f, row[0]);
    wr_u32(&f, row[1]);
    wr_u32(&f, row[2] | csum_finish(sum));
    wr_u32(&f, row[3]);
    wr_u32(&f, row[4]);
}

void ip4_form_make(struct ip4_form *f, const struct ip4_hdr *h)
{
    const struct ip4_hdr whole = {.tos = h->tos, .id = h->id, .df = h->df, .ttl = h->ttl,
                                  .proto = h->proto, .src = h->src, .dst = h->dst};
    uint32_t row[ROWS];
    struct wr w = wr_of(f->bytes, IP4_HDR_LEN);
    make_rows(&whole, IP4_HDR_LEN, row);
    row[0] &= ~(uint32_t)0xffff;        /* the length */
    for (unsigned i = 0; i < ROWS; i++)
        wr_u32(&w, row[i]);
    f->sum = (uint16_t)csum_fold(sum_rows(row));
}

static void print_proto(struct txt *t, uint8_t proto)
{
    const char *name = ip_proto_name(proto);
    if (name) {
        txt_s(t, name);
    } else {
        txt_s(t, "protocol ");
        txt_u(t, proto);
    }
}

/* "10.0.0.1 -> 10.0.0.2 UDP len 28 ttl 64", and of a fragment also where it belongs. */
void ip4_print(struct txt *t, const struct ip4_hdr *h)
{
    txt_addr(t, &h->src);
    txt_s(t, " -> ");
    txt_addr(t, &h->dst);
    txt_c(t, ' ');
    if (h->mf || h->frag_off != 0) {
        txt_s(t, "Fragmented IP protocol (proto=");
        print_proto(t, h->proto);
        txt_s(t, ", off=");
        txt_u(t, h->frag_off);
        txt_s(t, ", ID=");
        txt_hex(t, h->id, 4);
        txt_c(t, ')');
    } else {
        print_proto(t, h->proto);
    }
    txt_s(t, " len ");
    txt_u(t, h->total_len);
    txt_s(t, " ttl ");
    txt_u(t, h->ttl);
}

bool ip4_opt_next(struct rd *opts, struct ip4_opt_it *out)
{
    while (!rd_done(opts)) {
        const uint8_t *at = opts->p;
        uint8_t type = rd_u8(opts);
        if (type == IP4_OPT_EOL) {
            (void)rd_rest(opts);
            return false;
        }
        if (type == IP4_OPT_NOP)
            continue;
        *out = (struct ip4_opt_it){.type = type, .at = at};
        if (rd_done(opts))
            return rd_fail(opts, FAULT_OPT_LEN);
        uint8_t len = rd_u8(opts);
        if (len < 2 || len - 2u > rd_left(opts))
            return rd_fail(opts, FAULT_OPT_LEN);
        out->data = rd_bytes(opts, len - 2u);
        return true;
    }
    return false;
}

/* A part of the header changes; the checksum follows (RFC 1624, equation 3). */
static void patch_csum(uint8_t *hdr, uint32_t from, uint32_t to)
{
    struct rd r = rd_of(span_of(hdr + IP4_AT_CSUM, 2));
    struct wr w = wr_of(hdr + IP4_AT_CSUM, 2);
    wr_u16(&w, csum_update32(rd_u16(&r), from, to));
}

static void patch_word(uint8_t *hdr, size_t at, uint32_t to)
{
    struct rd r = rd_of(span_of(hdr + at, 4));
    struct wr w = wr_of(hdr + at, 4);
    patch_csum(hdr, rd_u32(&r), to);
    wr_u32(&w, to);
}

void ip4_patch_ttl(uint8_t *hdr, uint8_t ttl)
{
    uint32_t from = (uint32_t)hdr[IP4_AT_TTL] << 8;
    patch_csum(hdr, from, (uint32_t)ttl << 8);
    hdr[IP4_AT_TTL] = ttl;
}

void ip4_patch_src(uint8_t *hdr, const struct oriel_addr *a)
{
    patch_word(hdr, IP4_AT_SRC, addr_to_v4(a));
}

void ip4_patch_dst(uint8_t *hdr, const struct oriel_addr *a)
{
    patch_word(hdr, IP4_AT_DST, addr_to_v4(a));
}

const char *ip_proto_name(uint8_t proto)
{
    switch (proto) {
    case IP_HOPOPTS:  return "HOPOPT";
    case IP_ICMP:     return "ICMP";
    case IP_IGMP:     return "IGMP";
    case IP_IPIP:     return "IPIP";
    case IP_TCP:      return "TCP";
    case IP_UDP:      return "UDP";
    case IP_IP6IN4:   return "IPv6";
    case IP_ROUTING:  return "IPv6-Route";
    case IP_FRAGMENT: return "IPv6-Frag";
    case IP_ESP:      return "ESP";
    case IP_AH:       return "AH";
    case IP_ICMP6:    return "ICMPv6";
    case IP_NONE:     return "IPv6-NoNxt";
    case IP_DSTOPTS:  return "IPv6-Opts";
    default:          return NULL;
    }
}
