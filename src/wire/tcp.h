/* TCP header and options (RFC 9293, 3.1 and 3.2; 7323; 2018; 7413). */
#ifndef ORIEL_WIRE_TCP_H
#define ORIEL_WIRE_TCP_H

#include "base/bytes.h"
#include "base/seq.h"
#include "base/text.h"

#define TCP_AT_SEQ      4
#define TCP_AT_ACK      8
#define TCP_AT_FLAGS    12      /* the word that begins with the data offset */
#define TCP_AT_CSUM     16

#define TCP_HDR_LEN     20
#define TCP_HDR_MAX     60
#define TCP_OPTS_MAX    40      /* bytes of options */
#define TCP_OPTIONS_MAX 40      /* options in one header: each is a byte at least */
#define TCP_SACK_MAX    4       /* blocks in one option */
#define TCP_COOKIE_MIN  4       /* Fast Open cookie, RFC 7413, 4.1.1 */
#define TCP_COOKIE_MAX  16

enum tcp_flag {
    TCP_FIN = 0x001,
    TCP_SYN = 0x002,
    TCP_RST = 0x004,
    TCP_PSH = 0x008,
    TCP_ACK = 0x010,
    TCP_URG = 0x020,
    TCP_ECE = 0x040,
    TCP_CWR = 0x080,
    TCP_AE = 0x100,             /* accurate ECN; the other reserved bits are not kept */
};

enum tcp_opt_kind {
    TCP_OPT_EOL = 0,
    TCP_OPT_NOP = 1,
    TCP_OPT_MSS = 2,
    TCP_OPT_WSCALE = 3,
    TCP_OPT_SACK_PERM = 4,
    TCP_OPT_SACK = 5,
    TCP_OPT_TS = 8,
    TCP_OPT_MD5 = 19,           /* RFC 2385: recognised, never computed */
    TCP_OPT_AO = 29,            /* RFC 5925: the same */
    TCP_OPT_FASTOPEN = 34,
};

struct tcp_hdr {
    uint16_t src_port;
    uint16_t dst_port;
    seq_t seq;
    seq_t ack;                  /* as on the wire, whether or not TCP_ACK is set */
    uint8_t hdr_len;            /* bytes, 20..60 */
    uint16_t flags;             /* enum tcp_flag */
    uint16_t wnd;               /* not scaled */
    uint16_t csum;              /* as on the wire */
    uint16_t urg;               /* urgent pointer, as on the wire */
    struct span opts;           /* points into the bytes that were parsed; n is hdr_len - 20 */
};

/*
 * Reads the header with its options; r stands at the payload. FAULT_SHORT; FAULT_HDR_LEN: below 20
 * or beyond the bytes. The checksum is the caller's: it needs the pseudo-header and may have been
 * checked by hardware.
 */
bool tcp_parse(struct rd *r, struct tcp_hdr *out);

/* What the data offset says, in bytes; 0 where less than TCP_HDR_LEN bytes are there. */
static inline size_t tcp_peek_hdr_len(struct span hdr)
{
    return hdr.n < TCP_HDR_LEN ? 0 : (size_t)(hdr.p[12] >> 4) * 4;
}

/* Writes the header; the data offset is computed from opts (padded to words with EOL). */
void tcp_emit(struct wr *w, const struct tcp_hdr *h);

/* The same without options, for the checksum to be patched in: one look at the room. */
static inline void tcp_emit_plain(struct wr *w, const struct tcp_hdr *h)
{
    uint8_t *b = wr_room(w, TCP_HDR_LEN);
    if (!b)
        return;
    store_be16(b, h->src_port);
    store_be16(b + 2, h->dst_port);
    store_be32(b + 4, h->seq.v);
    store_be32(b + 8, h->ack.v);
    store_be16(b + 12, (uint16_t)(TCP_HDR_LEN / 4 << 12 | h->flags));
    store_be16(b + 14, h->wnd);
    store_be16(b + 16, 0);
    store_be16(b + 18, h->urg);
}

void tcp_print(struct txt *t, const struct tcp_hdr *h);     /* "42181 -> 80 [S.] seq 1 ack 2 ..." */
void tcp_flags_print(struct txt *t, uint16_t flags);        /* "S.", "FP.", "none" */

/*
 * Change an endpoint in place: the port, and in the checksum (RFC 1624) also the IPv4 address of
 * the pseudo-header, `from` -> `to`. `held` bytes of the header are there, 4 at least: where a
 * quote ends before the checksum, there is none to change.
 */
void tcp_patch_src(uint8_t *hdr, size_t held, uint16_t port, uint32_t from, uint32_t to);
void tcp_patch_dst(uint8_t *hdr, size_t held, uint16_t port, uint32_t from, uint32_t to);

/* The checksum field of a header that was written with 0 there. */
static inline void tcp_patch_csum(uint8_t *hdr, uint32_t csum)
{
    store_be16(hdr + 16, (uint16_t)csum);
}

/* ---- options ---- */

struct tcp_sack {
    seq_t left;
    seq_t right;                /* one beyond the last byte */
};

/*
 * What the options of one segment say; absent ones are zero. The values are as on the wire: a shift
 * above 14, an MSS of 0 or a SACK block that runs backwards is the connection's to judge.
 */
struct tcp_opts {
    bool has_mss;
    bool has_wscale;
    bool has_ts;
    bool has_fastopen;
    bool sack_perm;
    uint8_t wscale;
    uint16_t mss;
    uint32_t ts_val;
    uint32_t ts_ecr;
    uint8_t ignored_n;          /* options of a kind we do not know or of a length it cannot have */
    uint8_t sack_n;
    struct tcp_sack sack[TCP_SACK_MAX];
    struct span fastopen;       /* the cookie; empty is a request for one */
    struct span md5;            /* what follows kind and length, opaque; empty when absent */
    struct span ao;
};

/*
 * r holds exactly the options. The last of a kind counts. FAULT_OPT_LEN: a length of 0 or 1 or
 * beyond the end; FAULT_OPT_COUNT: only where r is longer than any header allows. What was read
 * before the fault is in *out.
 */
bool tcp_opts_parse(struct rd *r, struct tcp_opts *out);

/* What a segment without options says. */
static inline void tcp_opts_none(struct tcp_opts *out)
{
    out->has_mss = out->has_wscale = out->has_ts = out->has_fastopen = out->sack_perm = false;
    out->ignored_n = out->sack_n = 0;
    out->fastopen = out->md5 = out->ao = span_of(NULL, 0);
}

/*
 * Writes the options whose kinds are listed, in that order, with TCP_OPT_NOP and TCP_OPT_EOL where
 * they stand in the list, then EOL up to a multiple of 4 bytes from where it began. Each kind must
 * be one of those in struct tcp_opts; whether it was marked present does not matter. The writer is
 * bad when it has no room; give it TCP_OPTS_MAX bytes at most.
 */
void tcp_opts_emit(struct wr *w, const struct tcp_opts *o, const uint8_t *kinds, size_t n);

#define TCP_TS_LEN 12           /* NOP, NOP, timestamps: RFC 7323, appendix A */

/* They alone, as tcp_opts_emit has them after two NOPs: TCP_TS_LEN bytes. */
static inline void tcp_ts_emit(uint8_t *to, uint32_t val, uint32_t ecr)
{
    store_be32(to, TCP_OPT_NOP << 24 | TCP_OPT_NOP << 16 | TCP_OPT_TS << 8 | 10);
    store_be32(to + 4, val);
    store_be32(to + 8, ecr);
}

struct tcp_opt_it {             /* walk over options: one at a time, bounded by the bytes */
    uint8_t kind;
    struct span data;           /* after kind and length; empty for NOP */
};

/*
 * The next option, NOP included; false at the end (EOL included) or on a fault: then r->bad is
 * FAULT_OPT_LEN.
 */
bool tcp_opt_next(struct rd *r, struct tcp_opt_it *out);
void tcp_opts_print(struct txt *t, struct span opts);   /* "mss 1460,sackOK,nop,wscale 7" */

#endif
