/*
 * Runs: segments of one flow that continue each other and differ in nothing but that, recognised from
 * the bytes of their frames.
 *
 * In bulk nearly every frame is as the one before but for its place in the stream. Once one of them
 * has taken the whole way up, `struct wire_run` says what it looked like, and of the next ones only
 * what may differ is looked at: lengths, IPv4's identification and header checksum, the sequence
 * number, PSH, TCP's checksum, and what follows the datagram.
 *
 * Contract: where run_match and run_good say yes, ether_input, ip4_parse or ip6_parse and tcp_parse
 * would have found nothing wrong and the same fields, given that they found nothing wrong with the
 * frame that was learned; so too where run_follows says yes of a frame after run_match did. Anything else is no match, which says nothing about the frame.
 */
#ifndef ORIEL_WIRE_RUN_H
#define ORIEL_WIRE_RUN_H

#include "wire/eth.h"
#include "wire/ip6.h"
#include "wire/tcp.h"

#define RUN_HDR_MIN (ETH_HDR_LEN + IP4_HDR_LEN + TCP_HDR_LEN)
#define RUN_HDR_MAX (ETH_HDR_LEN + IP6_HDR_LEN + TCP_HDR_MAX)
#define RUN_WORDS   ((RUN_HDR_MAX + 7) / 8)

static_assert(RUN_HDR_MIN >= 6 * 8, "six words are in every header");

/*
 * The headers in words of the machine, the last of which ends where they do. Those of the network
 * header's fields that may differ stand in two words, here as in the frame that matched last: bulk
 * has them equal most of the time, and then nothing about them needs to be looked at again.
 */
struct wire_run {
    uint64_t want[RUN_WORDS];
    uint64_t mask[RUN_WORDS];   /* what must be as it was, always */
    uint64_t ip_sum;            /* IPv4: of the header without length, id and checksum; native order */
    uint64_t tcp_sum;           /* of pseudo-header and header without length, sequence number, PSH and
                                 * checksum */
    uint64_t sum;               /* the same with the length of the frame that matched last */
    size_t frame_len;           /* of that frame, */
    uint32_t len;               /* and its payload */
    uint32_t frame_max;         /* longer ones are refused */
    uint16_t hdr_len;           /* of the three headers; 0: nothing is known */
    uint16_t tcp_at;
    bool v4;
};

/* A segment that continues, or may: whether its sequence number does is the caller's to see. */
struct run_seg {
    seq_t seq;
    uint32_t len;               /* bytes of payload, 1 at least */
    uint32_t at;                /* where they begin in the frame */
    bool psh;
    uint64_t sum;               /* of pseudo-header and header */
};

/*
 * `head` are the contiguous bytes that a frame begins with, on an interface that takes frames of
 * `frame_max` bytes at most. `run` is all zero, or of an earlier call: where this frame is of the same kind
 * still, nothing needs to be learned. False: frames of its kind make no run (tags, options of IPv4, extension
 * headers, fragments, control flags).
 */
bool run_learn(struct wire_run *run, struct span head, size_t frame_max);

static ORIEL_ALWAYS_INLINE uint64_t run_word(const struct wire_run *run, const uint8_t *b, unsigned i,
                                            size_t at)
{
    return csum_load(b + at) ^ run->want[i];
}

/*
 * From the fourth word on: all that must be as it was. hdr_len is run->hdr_len, here and below: whoever
 * knows that it is RUN_HDR_MIN says so, and all places are constants.
 */
static ORIEL_ALWAYS_INLINE uint64_t run_differ(const struct wire_run *run, const uint8_t *b,
                                               size_t hdr_len)
{
    uint64_t differ = (run_word(run, b, 4, 32) & run->mask[4]) |
                      (run_word(run, b, 5, 40) & run->mask[5]);
    unsigned last = (unsigned)(hdr_len - 1) / 8;
    for (unsigned i = 6; oriel_unlikely(i < last); i++)
        differ |= run_word(run, b, i, (size_t)i * 8) & run->mask[i];
    return differ | (run_word(run, b, last, hdr_len - 8) & run->mask[last]);
}

/* The frame's Ethernet and network headers are those of the last one, and all else is as it must be. */
static ORIEL_ALWAYS_INLINE bool run_same(const struct wire_run *run, const uint8_t *b,
                                         size_t hdr_len)
{
    uint64_t differ = run_word(run, b, 0, 0) | run_word(run, b, 1, 8) | run_word(run, b, 2, 16) |
                      run_word(run, b, 3, 24);
    return (differ | run_differ(run, b, hdr_len)) == 0;
}

/* They are not; is it one of the run nevertheless? Then it is the last one from here on. */
bool run_other(struct wire_run *run, const uint8_t *b, size_t frame_len);

/*
 * Does a frame of `frame_len` bytes belong to the run? Its TCP checksum is not looked at yet. `head` as
 * above, of this frame.
 */
static ORIEL_ALWAYS_INLINE bool run_match(struct wire_run *run, struct span head, size_t frame_len,
                                          struct run_seg *out)
{
    const uint8_t *b = head.p, *tcp = b + run->tcp_at;
    if (oriel_unlikely(head.n < run->hdr_len))
        return false;
    bool same = frame_len == run->frame_len && run_same(run, b, run->hdr_len);
    if (oriel_unlikely(!same) && !run_other(run, b, frame_len))
        return false;
    uint32_t psh = tcp[TCP_AT_FLAGS + 1] & TCP_PSH;
    out->seq = seq_of(load_be32(tcp + TCP_AT_SEQ));
    out->len = run->len;
    out->at = run->hdr_len;
    out->psh = psh != 0;
    out->sum = run->sum + out->seq.v + load_be16(tcp + TCP_AT_CSUM) + psh;
    return true;
}

/* Where TCP's header begins. */
static ORIEL_ALWAYS_INLINE const uint8_t *run_tcp(const struct wire_run *run, const uint8_t *b,
                                                  size_t hdr_len)
{
    return b + (hdr_len == RUN_HDR_MIN ? RUN_HDR_MIN - TCP_HDR_LEN : run->tcp_at);
}

/*
 * A frame as long as the one that matched last, `b` its headers: is it the same but for PSH and checksum, at
 * that sequence number? And then, given the sum of its payload, is the checksum right?
 */
static ORIEL_ALWAYS_INLINE bool run_follows(const struct wire_run *run, const uint8_t *b, seq_t seq,
                                            size_t hdr_len)
{
    return load_be32(run_tcp(run, b, hdr_len) + TCP_AT_SEQ) == seq.v && run_same(run, b, hdr_len);
}

static ORIEL_ALWAYS_INLINE bool run_follows_good(const struct wire_run *run, const uint8_t *b,
                                                 seq_t seq, size_t hdr_len, uint32_t payload_sum)
{
    const uint8_t *tcp = run_tcp(run, b, hdr_len);
    return csum_wide_good(run->sum + seq.v + load_be16(tcp + TCP_AT_CSUM) +
                          (tcp[TCP_AT_FLAGS + 1] & TCP_PSH) + payload_sum);
}

/* Given the sum of its payload: is TCP's checksum right? */
static inline bool run_good(const struct run_seg *g, uint32_t payload_sum)
{
    return csum_wide_good(g->sum + payload_sum);
}

#endif
