/*
 * Headers of segments that are cut out of larger ones, and the place of transport checksums.
 *
 * All pieces have most of their headers in common. That part is summed once (RFC 1071: addition in
 * any order); a piece adds its length, sequence number, flags and the sum of its payload. Nothing
 * else is read again. To leave a field out of a sum that has it, its complement is added: the sum is
 * the same but that it may be ffff for 0, and a sum with anything else in it folds alike.
 */
#include "wire/cut.h"

#define UDP_AT_CSUM 6
#define UDP_LEN     8

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
    if (net.n < IP4_HDR_LEN)
        return false;
    const uint8_t *b = net.p;
    t->at = (uint16_t)((b[0] & 15) * 4);
    t->proto = b[IP4_AT_PROTO];
    t->addrs_sum = (uint64_t)load_be32(b + IP4_AT_SRC) + load_be32(b + IP4_AT_DST);
    return t->at >= IP4_HDR_LEN && t->at <= net.n &&
           (load_be16(b + IP4_AT_FRAGMENT) & (IP4_MF | IP4_OFF_MASK)) == 0;
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
    out->v4 = net.n > 0 && net.p[0] >> 4 == 4;
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

static size_t tcp_len(struct span net, const struct transport *t)
{
    return (size_t)t->at + TCP_HDR_LEN <= net.n ? (size_t)(net.p[t->at + TCP_AT_FLAGS] >> 4) * 4 : 0;
}

size_t transport_end(struct span net, const struct transport *t)
{
    size_t least = t->proto == IP_TCP ? TCP_HDR_LEN : UDP_LEN;
    size_t len = t->proto == IP_TCP ? tcp_len(net, t) : UDP_LEN;
    return t->csum_at != 0 && len >= least && t->at + len <= net.n ? t->at + len : 0;
}

/* ---- super-segments ---- */

/* Without that word. */
static uint32_t minus(uint32_t word)
{
    return 0xffff - word;
}

static void sum_ip4(struct cut_form *f, const uint8_t *ip)
{
    f->df = (load_be16(ip + IP4_AT_FRAGMENT) & IP4_DF) != 0;
    f->id = load_be16(ip + IP4_AT_ID);
    f->ip_sum = csum_fold(csum_small(ip, f->t.at) + minus(f->id) +
                          minus(load_be16(ip + IP4_AT_TOTAL_LEN)) +
                          minus(load_be16(ip + IP4_AT_CSUM)));
}

static void sum_tcp(struct cut_form *f, const uint8_t *tcp)
{
    uint32_t seq = load_be32(tcp + TCP_AT_SEQ);
    f->seq = seq_of(seq);
    f->flags = load_be16(tcp + TCP_AT_FLAGS);
    f->tcp_sum = csum_fold(f->pseudo_sum + csum_small(tcp, (size_t)f->len - f->t.at) +
                           minus(seq >> 16) + minus(seq & 0xffff) + minus(f->flags) +
                           minus(load_be16(tcp + TCP_AT_CSUM)));
}

bool cut_form_of(struct span net, struct cut_form *f)
{
    size_t end = transport_find(net, &f->t) && f->t.proto == IP_TCP ? transport_end(net, &f->t) : 0;
    if (end == 0)
        return false;
    f->len = (uint16_t)end;
    f->pseudo_sum = csum_wide_fold(csum_wide_add(f->t.addrs_sum, IP_TCP));
    f->df = true;
    f->id = 0;
    f->ip_sum = 0;
    if (f->t.v4)
        sum_ip4(f, net.p);
    sum_tcp(f, net.p + f->t.at);
    return true;
}
