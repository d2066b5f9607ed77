/*
 * Segments that are cut out of a super-segment, and transport checksums that are finished late: what
 * is read of the headers and what is written into copies of them.
 *
 * A super-segment is a TCP segment, behind its IPv4 or IPv6 header, that is too large for its path.
 * It leaves as pieces that look as if TCP had sent each by itself: lengths, sequence number, flags and
 * checksums are the piece's, all else is copied. So is the identification of IPv4 where nobody may
 * look at it (RFC 6864, 4.1: not to be fragmented); otherwise it runs on from piece to piece.
 */
#ifndef ORIEL_WIRE_CUT_H
#define ORIEL_WIRE_CUT_H

#include "wire/ip6.h"
#include "wire/tcp.h"

/* Where the transport of a packet begins, counted from its network header; and which it is. */
struct transport {
    bool v4;
    uint8_t proto;
    uint16_t at;
    uint16_t csum_at;           /* its checksum field, TCP's or UDP's; 0: neither */
    uint64_t addrs_sum;         /* wide; of the addresses of the pseudo-header */
};

/*
 * `net` begins with a network header; whole packets only. False: neither family, or not all headers up
 * to the transport's are there (with the fields named above, where it has them).
 */
bool transport_find(struct span net, struct transport *out);

/* The checksum field (all else summed, `sum` is of the transport's header and data) of that packet. */
uint16_t transport_csum(const struct transport *t, uint32_t sum);

/* Write the field, and read it. */
void transport_put_csum(uint8_t *net, const struct transport *t, uint16_t csum);

/* Sum of the pseudo-header for so many bytes: what the field holds until it is finished. */
uint16_t transport_partial(const struct transport *t, uint32_t len);

/* Where the transport's header ends, counted as t->at: TCP with its options, UDP. 0: neither, or not all
 * of it is there. */
size_t transport_end(struct span net, const struct transport *t);

/* ---- super-segments ---- */

/* What pieces have in common, and where the next one begins. */
struct cut_form {
    struct transport t;
    uint16_t len;               /* bytes of the network's and TCP's headers */
    bool df;                    /* IPv4: not to be fragmented; IPv6: true */
    uint16_t id;                /* IPv4: of the next piece */
    uint16_t flags;             /* of the whole: the word at TCP_AT_FLAGS */
    seq_t seq;                  /* of the next piece */
    uint32_t ip_sum;            /* IPv4: of the header without length, id and checksum; folded */
    uint32_t tcp_sum;           /* of pseudo-header and header without length, sequence number,
                                 * flags and checksum; folded */
    uint32_t pseudo_sum;        /* of the pseudo-header without length; folded */
};

/* False: no TCP behind whole headers, or a fragment. */
bool cut_form_of(struct span net, struct cut_form *out);

/*
 * The flags of a piece. FIN and PSH are about the end of the data: the last one says them. That the
 * window was reduced is said once (RFC 3168, 6.1.2), by the first; but where CWR is part of a counter,
 * all pieces carry that counter as it is (RFC 9768, 3.2.2).
 */
static inline uint16_t cut_flags(const struct cut_form *f, bool first, bool last, bool counter)
{
    uint32_t off = (last ? 0u : TCP_FIN | TCP_PSH) | (first || counter ? 0u : TCP_CWR);
    return (uint16_t)(f->flags & ~off);
}

/* IPv4: total length, identification and header checksum; IPv6: payload length. */
static inline void cut_put_net(uint8_t *net, const struct cut_form *f, uint32_t payload)
{
    uint32_t total = f->len + payload;
    if (oriel_unlikely(!f->t.v4)) {
        store_be16(net + IP6_AT_PAYLOAD_LEN, (uint16_t)(total - IP6_HDR_LEN));
        return;
    }
    store_be16(net + IP4_AT_TOTAL_LEN, (uint16_t)total);
    store_be16(net + IP4_AT_ID, f->id);
    store_be16(net + IP4_AT_CSUM, csum_finish(f->ip_sum + total + f->id));
}

/* `tcp` is TCP's header. */
static inline void cut_put_seq(uint8_t *tcp, seq_t seq, uint16_t csum)
{
    store_be32(tcp + TCP_AT_SEQ, seq.v);
    store_be16(tcp + TCP_AT_CSUM, csum);
}

static inline void cut_put_flags(uint8_t *tcp, uint16_t flags)
{
    store_be16(tcp + TCP_AT_FLAGS, flags);
}

/* Of pieces of one length and with the same flags: their checksum without sequence number and payload. */
static inline uint64_t cut_csum_base(const struct cut_form *f, uint16_t flags, uint32_t payload)
{
    return (uint64_t)f->tcp_sum + flags + f->len - f->t.at + payload;
}

/* The checksum of a piece, given the sum of its payload. */
static inline uint16_t cut_csum(uint64_t base, seq_t seq, uint32_t sum)
{
    return csum_wide_finish(base + seq.v + sum);
}

/* What the field holds where the link is to finish it. */
static inline uint16_t cut_partial(const struct cut_form *f, uint32_t payload)
{
    return (uint16_t)csum_fold(f->pseudo_sum + f->len - f->t.at + payload);
}

/* In the super-segment's own header: it begins where the next piece does. */
static inline void cut_put_rest(uint8_t *net, const struct cut_form *f, bool counter)
{
    uint8_t *tcp = net + f->t.at;
    if (f->t.v4)
        store_be16(net + IP4_AT_ID, f->id);
    store_be32(tcp + TCP_AT_SEQ, f->seq.v);
    store_be16(tcp + TCP_AT_FLAGS, cut_flags(f, false, true, counter));
}

/* Behind that many pieces of so many bytes. */
static inline void cut_advance(struct cut_form *f, uint32_t pieces, uint32_t payload)
{
    f->seq = seq_add(f->seq, pieces * payload);
    f->id = (uint16_t)(f->id + (f->df ? 0 : pieces));
}

#endif
