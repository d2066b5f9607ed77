/*
 * Single segments of a flow that is known, recognised from the bytes of their frames: Ethernet, IPv4
 * without options, TCP with none or with timestamps alone, and of the flags ACK, perhaps PSH and FIN.
 *
 * Requests, answers and acknowledgements differ from what came before on their connection in nothing
 * but lengths, numbers and window. Once a frame of the flow has taken the whole way up, `struct
 * flow_form` says what its headers begin with, and of those that come later only what may differ is
 * looked at. (Segments that follow each other in a batch differ in even less: wire/run.h.)
 *
 * Contract: where flow_match and flow_good say yes, eth_parse, ip4_parse, tcp_parse and tcp_opts_parse
 * would have found nothing wrong and the same fields, given that they found nothing wrong with the
 * frame that was learned. Anything else is no match, which says nothing about the frame.
 */
#ifndef ORIEL_WIRE_FLOW_H
#define ORIEL_WIRE_FLOW_H

#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#define FLOW_LEARNED  40        /* bytes of a frame that are learned from */
#define FLOW_IP_AT    ETH_HDR_LEN
#define FLOW_TCP_AT   (ETH_HDR_LEN + IP4_HDR_LEN)
#define FLOW_HDR_MIN  (FLOW_TCP_AT + TCP_HDR_LEN)

/* What may differ in the third to the fifth word: IPv4's length, id and checksum, the sequence number. */
#define FLOW_SAME_2 ORIEL_BE(64, 0x00000000ffffffffu)
#define FLOW_SAME_3 ORIEL_BE(64, 0x0000ffffffffffffu)
#define FLOW_SAME_4 ORIEL_BE(64, 0xffffffffffff0000u)

/* Words of the machine; what may differ is 0 in them. */
struct flow_form {
    uint64_t want[5];
    uint64_t ip_sum;            /* of the network header without length, id and checksum; native order */
    uint64_t tcp_sum;           /* of the pseudo-header without the length, and the ports */
};

struct flow_seg {
    seq_t seq, ack;
    uint32_t len;               /* payload */
    uint32_t at;                /* where it begins in the frame */
    uint16_t flags;
    uint16_t wnd;
    bool has_ts;
    uint32_t ts_val, ts_ecr;    /* 0 without */
    uint64_t sum;               /* of pseudo-header and header */
};

/* Of the network header of a frame that begins so. */
static inline uint8_t flow_tos(const uint8_t *began)
{
    return began[FLOW_IP_AT + IP4_AT_TOS];
}

/* Is a frame of FLOW_LEARNED bytes at least a datagram in IPv4? It needs not be remembered then. */
static inline bool flow_is_datagram(const uint8_t *frame)
{
    return frame[FLOW_IP_AT + IP4_AT_PROTO] == IP_UDP && load_be16(frame + FLOW_IP_AT - 2) == ETH_IP4;
}

/* `began`: the first FLOW_LEARNED bytes of a frame. False: frames of its kind are not known by this. */
bool flow_learn(struct flow_form *f, const uint8_t *began);

/* The ports of a frame of FLOW_HDR_MIN bytes at least, the sender's first, whatever it really holds. */
static inline uint32_t flow_ports(struct span head)
{
    return load_be32(head.p + FLOW_TCP_AT);
}

static ORIEL_ALWAYS_INLINE uint64_t flow_word(const uint8_t *frame, unsigned i)
{
    return csum_load(frame + (size_t)i * 8);
}

/* Are these the options that a segment with a header of that length has here? */
static ORIEL_ALWAYS_INLINE bool flow_options(const uint8_t *tcp, uint32_t hdr_len,
                                             struct flow_seg *out)
{
    const uint32_t kinds = TCP_OPT_NOP << 24 | TCP_OPT_NOP << 16 | TCP_OPT_TS << 8 | 10;
    out->has_ts = hdr_len == TCP_HDR_LEN + TCP_TS_LEN;
    out->ts_val = out->ts_ecr = 0;
    if (oriel_likely(!out->has_ts))
        return hdr_len == TCP_HDR_LEN;
    out->ts_val = load_be32(tcp + TCP_HDR_LEN + 4);
    out->ts_ecr = load_be32(tcp + TCP_HDR_LEN + 8);
    out->sum += (uint64_t)kinds + out->ts_val + out->ts_ecr;
    return load_be32(tcp + TCP_HDR_LEN) == kinds;
}

/*
 * Does a frame of `frame_len` bytes belong to the flow? `head` are the contiguous bytes that it begins
 * with, FLOW_HDR_MIN at least. TCP's checksum is not looked at yet.
 */
static ORIEL_ALWAYS_INLINE bool flow_match(const struct flow_form *f, struct span head,
                                           size_t frame_len, struct flow_seg *out)
{
    const uint8_t *b = head.p, *tcp = b + FLOW_TCP_AT;
    uint64_t w2 = flow_word(b, 2), w3 = flow_word(b, 3);
    uint64_t differ = (flow_word(b, 0) ^ f->want[0]) | (flow_word(b, 1) ^ f->want[1]) |
                      ((w2 & FLOW_SAME_2) ^ f->want[2]) | ((w3 & FLOW_SAME_3) ^ f->want[3]) |
                      ((flow_word(b, 4) & FLOW_SAME_4) ^ f->want[4]);
    if (differ != 0)
        return false;
    uint64_t ip = csum_wide_add(csum_wide_add(f->ip_sum, w2 & ~FLOW_SAME_2), w3 & ~FLOW_SAME_3);
    uint32_t end = FLOW_IP_AT + (uint32_t)load_be16(b + FLOW_IP_AT + IP4_AT_TOTAL_LEN);
    uint32_t flags_wnd = load_be32(tcp + TCP_AT_FLAGS), csum_urg = load_be32(tcp + TCP_AT_CSUM);
    uint32_t hdr_len = flags_wnd >> 28 << 2;
    out->seq = seq_of(load_be32(tcp + TCP_AT_SEQ));
    out->ack = seq_of(load_be32(tcp + TCP_AT_ACK));
    out->flags = (uint16_t)(flags_wnd >> 16 & 0xfff);
    out->wnd = (uint16_t)flags_wnd;
    out->at = FLOW_TCP_AT + hdr_len;
    out->len = end - out->at;
    out->sum = f->tcp_sum + (end - FLOW_TCP_AT) + out->seq.v + out->ack.v + flags_wnd + csum_urg;
    return (out->flags & ~(unsigned)(TCP_PSH | TCP_FIN)) == TCP_ACK && end <= frame_len && end >= out->at &&
           out->at <= head.n && flow_options(tcp, hdr_len, out) && csum_wide_good(ip);
}

/* Given the sum of its payload, a wide one: is TCP's checksum right? */
static inline bool flow_good(const struct flow_seg *g, uint64_t payload_sum)
{
    return csum_wide_good(csum_wide_add(g->sum, payload_sum));
}

#endif
