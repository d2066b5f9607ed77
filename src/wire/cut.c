/*
 * Headers of segments that are cut out of larger ones, and the place of transport checksums.
 *
 * All pieces have most of their headers in common. That part is summed once (RFC 1071: addition in
 * any order); a piece adds its length, sequence number, flags and the sum of its payload. Nothing
 * else is read again. Identifications of IPv4 run on from piece to piece although nobody may look at
 * them in packets that are not to be fragmented (RFC 6864, 4.1).
 */
#include "wire/cut.h"

#define UDP_AT_CSUM 6

/* ---- the transport ---- */

static void find_csum(struct transport *t)
{
    t->csum_at = 0;
    if (t->proto == IP_TCP)
        t->csum_at = (uint16_t)(t->at + TCP_AT_CSUM);
    else if (t->proto == IP_UDP)
        t->csum_at = (uint16_t)(t->at + UDP_AT_CSUM);
}

static bool find4(struct span net, struct transport *t)
{
    struct rd r = rd_of(net);
    struct ip4_hdr h;
    if (!ip4_parse_quoted(&r, &h) || h.mf || h.frag_off != 0)
        return false;
    t->proto = h.proto;
    t->at = h.hdr_len;
    t->addrs_sum = csum_wide_addrs(&h.src, &h.dst);
    return true;
}

static bool find6(struct span net, struct transport *t)
{
    struct rd r = rd_of(net);
    struct ip6_hdr h;
    struct ip6_ext e;
    if (!ip6_parse_quoted(&r, &h))
        return false;
    t->proto = h.next;
    for (unsigned i = 0; i < IP6_EXT_MAX && ip6_is_ext(t->proto); i++) {
        bool passable = t->proto != IP_FRAGMENT && t->proto != IP_ROUTING;
        if (!passable || !ip6_ext_parse(&r, t->proto, &e))
            return false;       /* a part of a packet, or sums with another address in them */
        t->proto = e.next;
    }
    t->at = (uint16_t)(net.n - rd_left(&r));
    t->addrs_sum = csum_wide_addrs(&h.src, &h.dst);
    return true;
}

bool transport_find(struct span net, struct transport *out)
{
    struct rd r = rd_of(net);
    out->v4 = rd_u8(&r) >> 4 == 4;
    if (!(out->v4 ? find4(net, out) : find6(net, out)))
        return false;
    find_csum(out);
    return out->csum_at == 0 || out->csum_at + 2u <= net.n;
}

uint16_t transport_csum(const struct transport *t, uint32_t sum)
{
    uint16_t csum = csum_finish(sum);
    return csum == 0 && t->proto == IP_UDP ? 0xffff : csum;     /* RFC 768: 0 says "none" */
}

void transport_put_csum(uint8_t *net, const struct transport *t, uint16_t csum)
{
    ORIEL_ASSERT(t->csum_at != 0);
    store_be16(net + t->csum_at, csum);
}

uint16_t transport_partial(const struct transport *t, uint32_t len)
{
    return (uint16_t)csum_wide_fold(csum_wide_add(t->addrs_sum, (uint64_t)t->proto + len));
}

/* ---- super-segments ---- */

/* Sum of a header with some of its words taken to be 0. */
static uint32_t sum_without(const uint8_t *hdr, size_t n, const uint8_t *words, size_t words_n)
{
    uint8_t copy[TCP_HDR_MAX];
    ORIEL_ASSERT(n <= sizeof(copy));
    memcpy(copy, hdr, n);
    for (size_t i = 0; i < words_n; i++)
        store_be16(copy + words[i], 0);
    return csum_small(copy, n);
}

bool cut_form_of(struct span net, struct cut_form *f)
{
    static const uint8_t ip_words[] = {IP4_AT_TOTAL_LEN, IP4_AT_ID, IP4_AT_CSUM};
    static const uint8_t tcp_words[] = {TCP_AT_SEQ, TCP_AT_SEQ + 2, TCP_AT_FLAGS, TCP_AT_CSUM};
    struct tcp_hdr h;
    if (!transport_find(net, &f->t) || f->t.proto != IP_TCP)
        return false;
    struct rd r = rd_of(span_of(net.p + f->t.at, net.n - f->t.at));
    if (!tcp_parse(&r, &h))
        return false;
    const uint8_t *tcp = net.p + f->t.at;
    f->len = (uint16_t)(f->t.at + h.hdr_len);
    f->seq = h.seq;
    f->flags = load_be16(tcp + TCP_AT_FLAGS);
    f->id = 0;
    f->ip_sum = 0;
    f->pseudo_sum = csum_wide_fold(csum_wide_add(f->t.addrs_sum, IP_TCP));
    f->tcp_sum = csum_fold(f->pseudo_sum +
                           sum_without(tcp, h.hdr_len, tcp_words, ARRAY_LEN(tcp_words)));
    if (f->t.v4) {
        f->id = load_be16(net.p + IP4_AT_ID);
        f->ip_sum = sum_without(net.p, f->t.at, ip_words, ARRAY_LEN(ip_words));
    }
    return true;
}
