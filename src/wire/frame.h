/*
 * Ethernet, IPv4 without options, and TCP in front of a payload, written at once: what nearly every
 * segment leaves with. The parts that are the same for all segments between two hosts are made once
 * (struct frame_form); the rest are nine numbers.
 */
#ifndef ORIEL_WIRE_FRAME_H
#define ORIEL_WIRE_FRAME_H

#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#define FRAME_HDR_LEN (ETH_HDR_LEN + IP4_HDR_LEN + TCP_HDR_LEN)
#define FRAME_IP_AT   ETH_HDR_LEN
#define FRAME_TCP_AT  (ETH_HDR_LEN + IP4_HDR_LEN)

struct frame_form {
    uint8_t bytes[FRAME_TCP_AT];        /* link and network header; destination, length, sum are 0 */
    uint16_t ip_sum;                    /* of the network header's bytes */
};

static inline void frame_form_make(struct frame_form *f, const struct mac *src,
                                   const struct ip4_form *ip)
{
    static const struct mac nobody = {{0}};
    struct wr w = wr_of(f->bytes, sizeof(f->bytes));
    eth_emit_plain(&w, &nobody, src, ETH_IP4);
    wr_bytes(&w, span_of(ip->bytes, IP4_HDR_LEN));
    f->ip_sum = ip->sum;
}

/* One's complement sum of a TCP header's fixed part, its checksum 0: bytes need not be read again. */
static inline uint64_t frame_tcp_sum(const struct tcp_hdr *h, size_t hdr_len)
{
    return ((uint64_t)h->src_port << 16 | h->dst_port) + h->seq.v + h->ack.v +
           ((uint64_t)(hdr_len / 4 << 12 | h->flags) << 16 | h->wnd) + h->urg;
}

/*
 * Writes FRAME_HDR_LEN bytes and the options (padded) at `at`. payload_len counts what follows;
 * h->csum is the finished checksum.
 */
static inline void frame_emit(uint8_t *at, const struct frame_form *f, const struct mac *dst,
                              const struct tcp_hdr *h, size_t hdr_len, size_t payload_len)
{
    uint16_t total = (uint16_t)(IP4_HDR_LEN + hdr_len + payload_len);
    uint32_t sum = (uint32_t)f->ip_sum + total;
    memcpy(at, f->bytes, sizeof(f->bytes));
    memcpy(at, dst->b, sizeof(dst->b));
    store_be16(at + FRAME_IP_AT + IP4_AT_TOTAL_LEN, total);
    store_be16(at + FRAME_IP_AT + IP4_AT_CSUM, (uint16_t)~(sum + (sum >> 16)));
    at += FRAME_TCP_AT;
    store_be32(at, (uint32_t)h->src_port << 16 | h->dst_port);
    store_be32(at + 4, h->seq.v);
    store_be32(at + 8, h->ack.v);
    store_be32(at + 12, (uint32_t)(hdr_len / 4 << 12 | h->flags) << 16 | h->wnd);
    store_be32(at + 16, (uint32_t)h->csum << 16 | h->urg);
    if (oriel_unlikely(hdr_len > TCP_HDR_LEN)) {
        memset(at + hdr_len - 4, 0, 4);
        memcpy(at + TCP_HDR_LEN, h->opts.p, h->opts.n);
    }
}

#endif
