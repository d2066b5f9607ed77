/*
 * PPP: HDLC-like framing (RFC 1662), the protocol field, and the packets of the control protocols
 * LCP (RFC 1661), IPCP (1332, 1877), IPV6CP (5072), PAP (1334) and CHAP (1994).
 */
#ifndef ORIEL_WIRE_PPP_H
#define ORIEL_WIRE_PPP_H

#include "base/bytes.h"
#include "base/text.h"

#define PPP_MRU          1500
#define PPP_FRAME_MAX    (PPP_MRU + 6)  /* address, control, protocol, information, FCS */
#define PPP_ACCM_ALL     0xffffffffu    /* what holds until something else is negotiated */
#define PPP_FCS_INIT     0xffffu
#define PPP_FCS_GOOD     0xf0b8u        /* over a frame and its FCS */
#define PPP_CP_HDR_LEN   4
#define PPP_OPTIONS_MAX  32             /* options walked in one packet */

enum ppp_proto {
    PPP_IP4 = 0x0021,
    PPP_IP6 = 0x0057,
    PPP_IPCP = 0x8021,
    PPP_IPV6CP = 0x8057,
    PPP_LCP = 0xc021,
    PPP_PAP = 0xc023,
    PPP_CHAP = 0xc223,
};

enum ppp_code {                 /* of LCP; IPCP and IPV6CP have the first seven */
    PPP_CONF_REQ = 1,
    PPP_CONF_ACK = 2,
    PPP_CONF_NAK = 3,
    PPP_CONF_REJ = 4,
    PPP_TERM_REQ = 5,
    PPP_TERM_ACK = 6,
    PPP_CODE_REJ = 7,
    PPP_PROTO_REJ = 8,
    PPP_ECHO_REQ = 9,
    PPP_ECHO_REPLY = 10,
    PPP_DISCARD_REQ = 11,
};

enum ppp_auth_code {
    PAP_REQUEST = 1,
    PAP_ACK = 2,
    PAP_NAK = 3,
    CHAP_CHALLENGE = 1,
    CHAP_RESPONSE = 2,
    CHAP_SUCCESS = 3,
    CHAP_FAILURE = 4,
};

enum ppp_option {
    LCP_OPT_MRU = 1,
    LCP_OPT_ACCM = 2,
    LCP_OPT_AUTH = 3,
    LCP_OPT_QUALITY = 4,
    LCP_OPT_MAGIC = 5,
    LCP_OPT_PFC = 7,
    LCP_OPT_ACFC = 8,
    IPCP_OPT_COMPRESSION = 2,
    IPCP_OPT_ADDR = 3,
    IPCP_OPT_DNS1 = 129,
    IPCP_OPT_DNS2 = 131,
    IPV6CP_OPT_IFID = 1,
};

/* ---- framing ---- */

/* The FCS of what came before `fcs` (PPP_FCS_INIT: nothing) and then s. */
uint16_t ppp_fcs16(uint16_t fcs, struct span s);

/* What LCP has negotiated for sending. LCP itself is always sent as if nothing had been. */
struct ppp_tx {
    uint32_t accm;              /* bit n: byte n (0..31) must be escaped */
    bool pfc;                   /* the protocol field may be one byte */
    bool acfc;                  /* address and control may be left out */
};

/* Bytes that a frame with n bytes of information takes at most. */
static inline size_t ppp_encoded_max(size_t n)
{
    return 2 * (n + 6) + 2;
}

/* Writes flag, address, control, protocol, information, FCS, flag, escaped as tx says. */
void ppp_frame_emit(struct wr *w, const struct ppp_tx *tx, uint16_t proto, struct span info);

/* Tells the receiver to forget the frame under way: escape, flag. */
void ppp_abort_emit(struct wr *w);

/*
 * A receiver: bytes in, frames out. The buffer is the caller's and bounds the frame with its FCS:
 * one that does not fit is thrown away whole, up to the next flag. Whatever is wrong with a frame
 * is counted and the frame is not reported; flags with nothing between them are nothing at all.
 * Invariant: n <= cap, and the bytes of the frame so far are buf[0..n).
 */
struct ppp_rx {
    uint8_t *buf;
    size_t cap;
    size_t n;
    uint32_t accm;              /* bytes that the line may have added and that are passed over */
    bool is_escaped;
    bool is_overlong;
    uint32_t aborts_n;          /* ended by escape, flag */
    uint32_t shorts_n;          /* below 4 bytes (RFC 1662, 3.1): not an FCS error */
    uint32_t overlong_n;
    uint32_t bad_fcs_n;
};

void ppp_rx_init(struct ppp_rx *x, uint8_t *buf, size_t cap);

/*
 * Takes bytes from `in` up to the end of a good frame. True: *frame is that frame without its FCS,
 * in the buffer, until the next call; give it to ppp_parse. False: `in` is used up.
 */
bool ppp_rx_next(struct ppp_rx *x, struct rd *in, struct span *frame);

/* ---- the protocol field ---- */

struct ppp_hdr {
    uint16_t proto;             /* enum ppp_proto, or any other */
};

/*
 * Reads address and control if they are there, then a protocol field of one or two bytes; r stands
 * at the information. FAULT_SHORT; FAULT_MAGIC: an address that is not followed by its control. An
 * even protocol number is not a fault: RFC 1661, 2, has it answered like any unknown one.
 */
bool ppp_parse(struct rd *r, struct ppp_hdr *out);

/* Writes what ppp_frame_emit writes before the information, without escapes. */
void ppp_emit(struct wr *w, const struct ppp_tx *tx, const struct ppp_hdr *h);
const char *ppp_proto_name(uint16_t proto);     /* "LCP"; NULL when it has no name here */

/* ---- control protocols ---- */

struct ppp_cp {                 /* code, id, length, and what follows */
    uint8_t code;
    uint8_t id;
    struct span data;           /* points into the bytes that were parsed; length - 4 of them */
};

/*
 * r holds the information of one frame and is left at the padding. FAULT_SHORT: below 4 bytes;
 * FAULT_TOTAL_LEN: the length field is below 4 or beyond the bytes.
 */
bool ppp_cp_parse(struct rd *r, struct ppp_cp *out);
void ppp_cp_emit(struct wr *w, const struct ppp_cp *p);

/* "LCP Configuration Request id 1 <MRU 1500,Magic 0x1a2b3c4d>". Passwords are not shown. */
void ppp_cp_print(struct txt *t, uint16_t proto, const struct ppp_cp *p);

struct ppp_opt {
    uint8_t type;
    struct span data;           /* after type and length */
};

/*
 * The next option of a Configure packet (r over its data). False at the end or on a fault: then
 * r->bad is FAULT_OPT_LEN, a length below 2 or beyond the end. Each step takes two bytes at least.
 */
bool ppp_opt_next(struct rd *r, struct ppp_opt *out);

/* All options are whole, and not more than PPP_OPTIONS_MAX (else FAULT_OPT_COUNT). */
bool ppp_opts_check(struct rd *r);
void ppp_opt_emit(struct wr *w, const struct ppp_opt *o);
void ppp_opt_emit_u16(struct wr *w, uint8_t type, uint16_t v);
void ppp_opt_emit_u32(struct wr *w, uint8_t type, uint32_t v);

/* ---- authentication: the data of a ppp_cp ---- */

struct ppp_auth {
    struct span name;           /* PAP: peer id; CHAP: who sends */
    struct span secret;         /* PAP: password; CHAP: challenge or response value */
    struct span text;           /* acknowledgements and failures: for people */
};

/*
 * r over the data, code as in the packet. FAULT_SHORT: a field ends beyond the bytes; FAULT_TYPE:
 * unknown code. PAP acknowledgements without any text are accepted (they are common).
 */
bool pap_parse(struct rd *r, uint8_t code, struct ppp_auth *out);
bool chap_parse(struct rd *r, uint8_t code, struct ppp_auth *out);
void pap_emit(struct wr *w, uint8_t code, const struct ppp_auth *a);    /* the data only */
void chap_emit(struct wr *w, uint8_t code, const struct ppp_auth *a);

#endif
