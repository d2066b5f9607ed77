/*
 * Checksums put right in a frame whose bytes were changed at random: nobody guesses them, and what
 * lies behind them is to be tried as well. What makes no sense is left as it is. No cmocka in here:
 * fuzzers use it, too.
 */
#ifndef ORIEL_TESTS_FX_SEAL_H
#define ORIEL_TESTS_FX_SEAL_H

#include "base/csum.h"
#include "wire/eth.h"
#include "wire/ip6.h"

static inline void seal_put(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static inline unsigned seal_u16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

/* A transport message of n bytes. */
static inline void seal_message(uint8_t *p, size_t n, uint8_t proto, const struct oriel_addr *src,
                                const struct oriel_addr *dst)
{
    size_t at = proto == IP_TCP ? 16 : proto == IP_UDP ? 6 : 2;
    bool pseudo = proto == IP_TCP || proto == IP_UDP || proto == IP_ICMP6;
    if ((!pseudo && proto != IP_ICMP && proto != IP_IGMP) || n < at + 2)
        return;
    if (proto == IP_UDP && n >= 8 && seal_u16(p + 4) <= n)
        n = seal_u16(p + 4) > 8 ? seal_u16(p + 4) : 8;
    seal_put(p + at, 0);
    uint32_t sum = csum_span(&csum_portable, span_of(p, n));
    if (pseudo)
        sum = csum_add(sum, csum_pseudo(src, dst, proto, (uint32_t)n));
    seal_put(p + at, csum_finish(sum));
}

static inline void seal_ip4(uint8_t *p, size_t n)
{
    size_t hdr = n > 0 ? (p[0] & 15u) * 4 : 0;
    if (n < IP4_HDR_LEN || hdr < IP4_HDR_LEN || hdr > n)
        return;
    size_t len = seal_u16(p + 2);
    struct rd r = rd_of(span_of(p + 12, 8));
    struct oriel_addr src = rd_addr4(&r), dst = rd_addr4(&r);
    seal_put(p + 10, 0);
    seal_put(p + 10, csum_finish(csum_span(&csum_portable, span_of(p, hdr))));
    if (len > hdr && len <= n && (seal_u16(p + 6) & 0x3fff) == 0)
        seal_message(p + hdr, len - hdr, p[9], &src, &dst);
}

static inline void seal_ip6(uint8_t *p, size_t n)
{
    if (n < IP6_HDR_LEN || IP6_HDR_LEN + seal_u16(p + 4) > n)
        return;
    struct rd r = rd_of(span_of(p + 8, 32));
    struct oriel_addr src = rd_addr6(&r), dst = rd_addr6(&r);
    struct ip6_ext e;
    uint8_t next = p[6];
    r = rd_of(span_of(p + IP6_HDR_LEN, seal_u16(p + 4)));
    for (unsigned i = 0; i < IP6_EXT_MAX && ip6_is_ext(next); i++) {
        if (!ip6_ext_parse(&r, next, &e))
            return;
        next = e.next;
    }
    seal_message(p + (r.p - p), rd_left(&r), next, &src, &dst);
}

/* A frame with an Ethernet header (and up to two tags), or a bare packet. */
static inline void seal_frame(uint8_t *p, size_t n, bool ether)
{
    size_t at = 0;
    if (ether) {
        at = 12;
        while (at + 2 <= n && at < 20 &&
               (seal_u16(p + at) == ETH_VLAN || seal_u16(p + at) == ETH_QINQ))
            at += ETH_TAG_LEN;
        at += 2;
    }
    if (at >= n)
        return;
    if (p[at] >> 4 == 4)
        seal_ip4(p + at, n - at);
    else if (p[at] >> 4 == 6)
        seal_ip6(p + at, n - at);
}

#endif
