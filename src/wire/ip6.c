/*
 * IPv6 header, extension headers and their options (RFC 8200).
 *
 * The layer above walks the chain: it knows which header may stand where and what to answer. Here
 * one header at a time is measured and one option at a time is cut out. A walk over options ends
 * after IP6_OPTS_MAX of them, pads included, because a header of 2 KB could hold 2,000 (RFC 8504,
 * 5.3).
 *
 * An address ::ffff:a.b.c.d may not stand in a packet: inside this stack that number means IPv4,
 * and a packet that could name one would reach IPv4's tables from the IPv6 side.
 */
#include "wire/ip6.h"

#include "wire/fault.h"

#define AT_HOP_LIMIT 7
#define FRAG_MORE    1u
#define FRAG_OFF     0xfff8u

static ORIEL_ALWAYS_INLINE struct oriel_addr read_addr(struct rd *h)
{
    uint64_t hi = rd_u64(h);
    return addr_v6(hi, rd_u64(h));
}

/* The 40 bytes, with the faults that a quoted packet can have too. */
static ORIEL_ALWAYS_INLINE bool read_header(struct rd *r, struct ip6_hdr *out)
{
    struct rd h = rd_sub(r, IP6_HDR_LEN);
    if (oriel_unlikely(h.bad != 0))
        return false;
    uint32_t first = rd_u32(&h);
    out->tclass = (uint8_t)(first >> 20);
    out->flow = first & 0xfffff;
    out->payload_len = rd_u16(&h);
    out->next = rd_u8(&h);
    out->hop_limit = rd_u8(&h);
    out->src = read_addr(&h);
    out->dst = read_addr(&h);
    if (oriel_unlikely(first >> 28 != 6))
        return rd_fail(r, FAULT_VERSION);
    return true;
}

static inline bool has_mapped(const struct ip6_hdr *h)
{
    return addr_is_v4(&h->src) || addr_is_v4(&h->dst);
}

bool ip6_parse(struct rd *r, struct ip6_hdr *out)
{
    return ip6_parse_of(r, rd_left(r), out);
}

bool ip6_parse_of(struct rd *r, size_t held, struct ip6_hdr *out)
{
    if (!read_header(r, out))
        return false;
    if (oriel_unlikely(out->payload_len > held - IP6_HDR_LEN))
        return rd_fail(r, FAULT_TOTAL_LEN);
    if (oriel_unlikely(has_mapped(out)))
        return rd_fail(r, FAULT_ADDR);
    return true;
}

bool ip6_parse_quoted(struct rd *r, struct ip6_hdr *out)
{
    if (!read_header(r, out))
        return false;
    if (has_mapped(out))
        return rd_fail(r, FAULT_ADDR);
    return true;
}

void ip6_emit(struct wr *w, const struct ip6_hdr *h)
{
    ORIEL_ASSERT(h->flow <= 0xfffff);
    uint8_t *at = wr_room(w, IP6_HDR_LEN);
    if (!at)
        return;
    struct wr f = wr_of(at, IP6_HDR_LEN);
    wr_u32(&f, (uint32_t)6 << 28 | (uint32_t)h->tclass << 20 | h->flow);
    wr_u16(&f, h->payload_len);
    wr_u8(&f, h->next);
    wr_u8(&f, h->hop_limit);
    wr_u64(&f, h->src.hi);
    wr_u64(&f, h->src.lo);
    wr_u64(&f, h->dst.hi);
    wr_u64(&f, h->dst.lo);
}

/* "fe80::1 -> ff02::1 ICMPv6 len 24 hlim 255" */
void ip6_print(struct txt *t, const struct ip6_hdr *h)
{
    const char *name = ip_proto_name(h->next);
    txt_addr(t, &h->src);
    txt_s(t, " -> ");
    txt_addr(t, &h->dst);
    txt_c(t, ' ');
    if (name) {
        txt_s(t, name);
    } else {
        txt_s(t, "protocol ");
        txt_u(t, h->next);
    }
    txt_s(t, " len ");
    txt_u(t, h->payload_len);
    txt_s(t, " hlim ");
    txt_u(t, h->hop_limit);
}

bool ip6_ext_parse(struct rd *r, uint8_t type, struct ip6_ext *out)
{
    struct rd h = rd_sub(r, 2);
    out->type = type;
    out->next = rd_u8(&h);
    size_t units = rd_u8(&h);       /* of eight bytes, not counting the first */
    if (type == IP_FRAGMENT)
        units = 0;                  /* reserved there; the header has one size */
    if (!ip6_is_ext(type))
        rd_fail(&h, FAULT_TYPE);
    out->body = span_of(r->p, 0);
    if (rd_join(r, &h))
        out->body = rd_bytes(r, units * 8 + 6);
    return r->bad == 0;
}

bool ip6_frag_parse(struct rd *r, struct ip6_frag *out)
{
    struct rd h = rd_sub(r, IP6_FRAG_LEN);
    out->next = rd_u8(&h);
    rd_skip(&h, 1);
    uint16_t off = rd_u16(&h);
    out->off = (uint16_t)(off & FRAG_OFF);
    out->more = (off & FRAG_MORE) != 0;
    out->id = rd_u32(&h);
    return rd_join(r, &h);
}

void ip6_frag_emit(struct wr *w, const struct ip6_frag *f)
{
    ORIEL_ASSERT(f->off % 8 == 0);
    wr_u8(w, f->next);
    wr_u8(w, 0);
    wr_u16(w, (uint16_t)(f->off | (f->more ? FRAG_MORE : 0)));
    wr_u32(w, f->id);
}

struct ip6_opt_walk ip6_opts(const struct ip6_ext *e)
{
    return (struct ip6_opt_walk){.r = rd_of(e->body), .count = 0, .at = 2};
}

/* One option of any kind, pads included. */
static bool next_option(struct ip6_opt_walk *w, struct ip6_opt *out)
{
    *out = (struct ip6_opt){.at = w->at};
    if (w->count == IP6_OPTS_MAX)
        return rd_fail(&w->r, FAULT_OPT_COUNT);
    w->count++;
    out->type = rd_u8(&w->r);
    w->at++;
    if (out->type == IP6_OPT_PAD1)
        return true;
    if (rd_done(&w->r))
        return rd_fail(&w->r, FAULT_OPT_LEN);
    uint8_t len = rd_u8(&w->r);
    if (len > rd_left(&w->r))
        return rd_fail(&w->r, FAULT_OPT_LEN);
    out->data = rd_bytes(&w->r, len);
    w->at = (uint16_t)(w->at + 1 + len);
    return true;
}

bool ip6_opt_next(struct ip6_opt_walk *w, struct ip6_opt *out)
{
    while (w->r.bad == 0 && !rd_done(&w->r)) {
        if (!next_option(w, out))
            return false;
        if (out->type != IP6_OPT_PAD1 && out->type != IP6_OPT_PADN)
            return true;
    }
    return false;
}

bool ip6_routing_parse(const struct ip6_ext *e, struct ip6_routing *out)
{
    struct rd r = rd_of(e->body);
    out->type = rd_u8(&r);
    out->segments_left = rd_u8(&r);
    return r.bad == 0 && e->type == IP_ROUTING;
}

void ip6_patch_hop_limit(uint8_t *hdr, uint8_t hop_limit)
{
    hdr[AT_HOP_LIMIT] = hop_limit;
}
