/*
 * PPP on a serial line (RFC 1661, 1662).
 *
 * The framing is byte stuffing round a CRC: flag 0x7e between frames, 0x7d before a byte that is
 * then sent with bit 5 turned. The receiver is a state machine of two booleans that never holds
 * more than its buffer; it checks the CRC over the whole frame, FCS included, against the constant
 * that a good one always leaves (RFC 1662, appendix C).
 *
 * The control protocols share one packet: code, id, length, data. Their options are walked, never
 * collected; LCP must answer with the peer's own bytes in the peer's own order.
 * Left out: FCS-32, numbered mode, LQR and multilink.
 */
#include "wire/ppp.h"

#include "base/addr.h"
#include "wire/fault.h"

#define FLAG         0x7eu
#define ESC          0x7du
#define ESC_BIT      0x20u
#define ADDRESS      0xffu
#define CONTROL      0x03u
#define FCS_LEN      2
#define FRAME_MIN    4          /* RFC 1662, 3.1 */
#define OPT_HEAD     2

/* ---- FCS ---- */

/* The reflected polynomial x^16 + x^12 + x^5 + 1, four bits at a time. */
static const uint16_t fcs_nibble[16] = {
    0x0000, 0x1081, 0x2102, 0x3183, 0x4204, 0x5285, 0x6306, 0x7387,
    0x8408, 0x9489, 0xa50a, 0xb58b, 0xc60c, 0xd68d, 0xe70e, 0xf78f,
};

static uint16_t fcs_byte(uint16_t fcs, uint8_t b)
{
    fcs = (uint16_t)((fcs >> 4) ^ fcs_nibble[(fcs ^ b) & 0x0fu]);
    return (uint16_t)((fcs >> 4) ^ fcs_nibble[(fcs ^ (b >> 4)) & 0x0fu]);
}

uint16_t ppp_fcs16(uint16_t fcs, struct span s)
{
    struct rd r = rd_of(s);
    while (!rd_done(&r))
        fcs = fcs_byte(fcs, rd_u8(&r));
    return fcs;
}

/* ---- framing: sending ---- */

static void stuff(struct wr *w, uint32_t accm, uint8_t b)
{
    bool is_control = b < 0x20 && (accm & BIT(b)) != 0;
    if (b == FLAG || b == ESC || is_control) {
        wr_u8(w, ESC);
        b = (uint8_t)(b ^ ESC_BIT);
    }
    wr_u8(w, b);
}

static void stuff_span(struct wr *w, uint32_t accm, struct span s)
{
    struct rd r = rd_of(s);
    while (!rd_done(&r))
        stuff(w, accm, rd_u8(&r));
}

void ppp_emit(struct wr *w, const struct ppp_tx *tx, const struct ppp_hdr *h)
{
    bool is_plain = h->proto == PPP_LCP;        /* RFC 1661, 6.5 and 6.6 */
    if (is_plain || !tx->acfc) {
        wr_u8(w, ADDRESS);
        wr_u8(w, CONTROL);
    }
    if (is_plain || !tx->pfc || h->proto > 0xff || (h->proto & 1) == 0)
        wr_u16(w, h->proto);
    else
        wr_u8(w, (uint8_t)h->proto);
}

void ppp_frame_emit(struct wr *w, const struct ppp_tx *tx, uint16_t proto, struct span info)
{
    uint32_t accm = proto == PPP_LCP ? PPP_ACCM_ALL : tx->accm;
    uint8_t head_bytes[4];
    struct wr head = wr_of(head_bytes, sizeof head_bytes);
    ppp_emit(&head, tx, &(struct ppp_hdr){.proto = proto});
    uint16_t fcs = ppp_fcs16(ppp_fcs16(PPP_FCS_INIT, wr_span(&head)), info);
    fcs = (uint16_t)~fcs;
    wr_u8(w, FLAG);
    stuff_span(w, accm, wr_span(&head));
    stuff_span(w, accm, info);
    stuff(w, accm, (uint8_t)fcs);               /* the only little-endian field */
    stuff(w, accm, (uint8_t)(fcs >> 8));
    wr_u8(w, FLAG);
}

void ppp_abort_emit(struct wr *w)
{
    wr_u8(w, ESC);
    wr_u8(w, FLAG);
}

/* ---- framing: receiving ---- */

void ppp_rx_init(struct ppp_rx *x, uint8_t *buf, size_t cap)
{
    *x = (struct ppp_rx){.buf = buf, .cap = cap, .accm = PPP_ACCM_ALL};
}

/* Count what is wrong with the frame that a flag has just ended; true if nothing is. */
static bool judge_frame(struct ppp_rx *x)
{
    if (x->is_escaped) {
        x->aborts_n++;
    } else if (x->is_overlong) {
        x->overlong_n++;
    } else if (x->n < FRAME_MIN) {
        x->shorts_n += x->n > 0;
    } else if (ppp_fcs16(PPP_FCS_INIT, span_of(x->buf, x->n)) != PPP_FCS_GOOD) {
        x->bad_fcs_n++;
    } else {
        return true;
    }
    return false;
}

static bool end_frame(struct ppp_rx *x, struct span *frame)
{
    bool is_good = judge_frame(x);
    *frame = span_of(x->buf, is_good ? x->n - FCS_LEN : 0);
    x->n = 0;
    x->is_escaped = false;
    x->is_overlong = false;
    return is_good;
}

static void take_byte(struct ppp_rx *x, uint8_t b)
{
    if (x->is_escaped)
        b = (uint8_t)(b ^ ESC_BIT);
    x->is_escaped = false;
    if (x->n < x->cap)
        x->buf[x->n++] = b;
    else
        x->is_overlong = true;
}

bool ppp_rx_next(struct ppp_rx *x, struct rd *in, struct span *frame)
{
    ORIEL_ASSERT(x->n <= x->cap);
    while (!rd_done(in)) {
        uint8_t b = rd_u8(in);
        if (b == FLAG) {
            if (end_frame(x, frame))
                return true;
        } else if (b < 0x20 && (x->accm & BIT(b)) != 0) {
            continue;           /* RFC 1662, 4.2: the line put it there; it is removed first */
        } else if (b == ESC && !x->is_escaped) {
            x->is_escaped = true;
        } else {
            take_byte(x, b);
        }
    }
    return false;
}

/* ---- the protocol field ---- */

bool ppp_parse(struct rd *r, struct ppp_hdr *out)
{
    *out = (struct ppp_hdr){0};
    uint8_t b = rd_u8(r);
    if (b == ADDRESS) {
        uint8_t control = rd_u8(r);
        if (r->bad == 0 && control != CONTROL)
            return rd_fail(r, FAULT_MAGIC);
        b = rd_u8(r);
    }
    out->proto = b;
    if ((b & 1) == 0)           /* RFC 1661, 6.5: the last byte of the field is the odd one */
        out->proto = (uint16_t)(b << 8 | rd_u8(r));
    return r->bad == 0;
}

const char *ppp_proto_name(uint16_t proto)
{
    switch (proto) {
    case PPP_IP4:
        return "IPv4";
    case PPP_IP6:
        return "IPv6";
    case PPP_IPCP:
        return "IPCP";
    case PPP_IPV6CP:
        return "IPV6CP";
    case PPP_LCP:
        return "LCP";
    case PPP_PAP:
        return "PAP";
    case PPP_CHAP:
        return "CHAP";
    default:
        return NULL;
    }
}

/* ---- control protocols ---- */

bool ppp_cp_parse(struct rd *r, struct ppp_cp *out)
{
    *out = (struct ppp_cp){0};
    struct rd h = rd_sub(r, PPP_CP_HDR_LEN);
    out->code = rd_u8(&h);
    out->id = rd_u8(&h);
    size_t len = rd_u16(&h);
    if (!rd_join(r, &h))
        return false;
    if (len < PPP_CP_HDR_LEN || len - PPP_CP_HDR_LEN > rd_left(r))
        return rd_fail(r, FAULT_TOTAL_LEN);
    out->data = rd_bytes(r, len - PPP_CP_HDR_LEN);
    return true;
}

void ppp_cp_emit(struct wr *w, const struct ppp_cp *p)
{
    ORIEL_ASSERT(p->data.n <= UINT16_MAX - PPP_CP_HDR_LEN);
    wr_u8(w, p->code);
    wr_u8(w, p->id);
    wr_u16(w, (uint16_t)(PPP_CP_HDR_LEN + p->data.n));
    wr_bytes(w, p->data);
}

bool ppp_opt_next(struct rd *r, struct ppp_opt *out)
{
    *out = (struct ppp_opt){0};
    if (r->bad != 0 || rd_done(r))
        return false;
    if (rd_left(r) < OPT_HEAD)
        return rd_fail(r, FAULT_OPT_LEN);
    out->type = rd_u8(r);
    size_t len = rd_u8(r);
    if (len < OPT_HEAD || len - OPT_HEAD > rd_left(r))
        return rd_fail(r, FAULT_OPT_LEN);
    out->data = rd_bytes(r, len - OPT_HEAD);
    return true;
}

bool ppp_opts_check(struct rd *r)
{
    struct ppp_opt o;
    for (unsigned n = 0; ppp_opt_next(r, &o); n++) {
        if (n == PPP_OPTIONS_MAX)
            return rd_fail(r, FAULT_OPT_COUNT);
    }
    return r->bad == 0;
}

void ppp_opt_emit(struct wr *w, const struct ppp_opt *o)
{
    ORIEL_ASSERT(o->data.n <= UINT8_MAX - OPT_HEAD);
    wr_u8(w, o->type);
    wr_u8(w, (uint8_t)(OPT_HEAD + o->data.n));
    wr_bytes(w, o->data);
}

void ppp_opt_emit_u16(struct wr *w, uint8_t type, uint16_t v)
{
    wr_u8(w, type);
    wr_u8(w, OPT_HEAD + 2);
    wr_u16(w, v);
}

void ppp_opt_emit_u32(struct wr *w, uint8_t type, uint32_t v)
{
    wr_u8(w, type);
    wr_u8(w, OPT_HEAD + 4);
    wr_u32(w, v);
}

/* ---- authentication ---- */

static struct span counted_bytes(struct rd *r)
{
    return rd_bytes(r, rd_u8(r));
}

bool pap_parse(struct rd *r, uint8_t code, struct ppp_auth *out)
{
    *out = (struct ppp_auth){0};
    if (code == PAP_REQUEST) {
        out->name = counted_bytes(r);
        out->secret = counted_bytes(r);
    } else if (code == PAP_ACK || code == PAP_NAK) {
        if (!rd_done(r))
            out->text = counted_bytes(r);
    } else {
        return rd_fail(r, FAULT_TYPE);
    }
    return r->bad == 0;
}

bool chap_parse(struct rd *r, uint8_t code, struct ppp_auth *out)
{
    *out = (struct ppp_auth){0};
    if (code == CHAP_CHALLENGE || code == CHAP_RESPONSE) {
        out->secret = counted_bytes(r);
        out->name = rd_rest(r);
    } else if (code == CHAP_SUCCESS || code == CHAP_FAILURE) {
        out->text = rd_rest(r);
    } else {
        return rd_fail(r, FAULT_TYPE);
    }
    return r->bad == 0;
}

static void emit_counted(struct wr *w, struct span s)
{
    ORIEL_ASSERT(s.n <= UINT8_MAX);
    wr_u8(w, (uint8_t)s.n);
    wr_bytes(w, s);
}

void pap_emit(struct wr *w, uint8_t code, const struct ppp_auth *a)
{
    if (code == PAP_REQUEST) {
        emit_counted(w, a->name);
        emit_counted(w, a->secret);
    } else {
        emit_counted(w, a->text);
    }
}

void chap_emit(struct wr *w, uint8_t code, const struct ppp_auth *a)
{
    if (code == CHAP_CHALLENGE || code == CHAP_RESPONSE) {
        emit_counted(w, a->secret);
        wr_bytes(w, a->name);
    } else {
        wr_bytes(w, a->text);
    }
}

/* ---- showing ---- */

static const char *code_name(uint16_t proto, uint8_t code)
{
    static const char *const cp[] = {
        NULL, "Configuration Request", "Configuration Ack", "Configuration Nak",
        "Configuration Reject", "Termination Request", "Termination Ack", "Code Reject",
        "Protocol Reject", "Echo Request", "Echo Reply", "Discard Request",
    };
    static const char *const pap[] = {
        NULL, "Authenticate-Request", "Authenticate-Ack", "Authenticate-Nak",
    };
    static const char *const chap[] = {NULL, "Challenge", "Response", "Success", "Failure"};
    if (proto == PPP_PAP)
        return code < ARRAY_LEN(pap) ? pap[code] : NULL;
    if (proto == PPP_CHAP)
        return code < ARRAY_LEN(chap) ? chap[code] : NULL;
    if (proto != PPP_LCP && code > PPP_CODE_REJ)
        return NULL;
    return code < ARRAY_LEN(cp) ? cp[code] : NULL;
}

static const char *option_name(uint16_t proto, uint8_t type)
{
    static const char *const lcp[] = {
        NULL, "MRU", "ACCM", "Auth", "Quality", "Magic", NULL, "PFC", "ACFC",
    };
    if (proto == PPP_LCP)
        return type < ARRAY_LEN(lcp) ? lcp[type] : NULL;
    if (proto == PPP_IPV6CP)
        return type == IPV6CP_OPT_IFID ? "Interface-ID" : NULL;
    switch (type) {
    case IPCP_OPT_COMPRESSION:
        return "Compression";
    case IPCP_OPT_ADDR:
        return "Address";
    case IPCP_OPT_DNS1:
        return "DNS1";
    case IPCP_OPT_DNS2:
        return "DNS2";
    default:
        return NULL;
    }
}

static void print_option(struct txt *t, uint16_t proto, const struct ppp_opt *o)
{
    const char *name = option_name(proto, o->type);
    bool is_addr = proto == PPP_IPCP && o->type != IPCP_OPT_COMPRESSION && o->data.n == 4;
    struct rd d = rd_of(o->data);
    if (name) {
        txt_s(t, name);
    } else {
        txt_s(t, "option ");
        txt_u(t, o->type);
    }
    if (o->data.n == 0)
        return;
    txt_c(t, ' ');
    if (is_addr) {
        struct oriel_addr a = rd_addr4(&d);
        txt_addr(t, &a);
    } else if (proto == PPP_LCP && o->type == LCP_OPT_MRU && o->data.n == 2) {
        txt_u(t, rd_u16(&d));
    } else {
        txt_s(t, "0x");
        txt_hex_bytes(t, o->data, 0);
    }
}

static void print_options(struct txt *t, uint16_t proto, struct span data)
{
    struct rd r = rd_of(data);
    struct ppp_opt o;
    const char *sep = " <";
    for (unsigned n = 0; n < PPP_OPTIONS_MAX && ppp_opt_next(&r, &o); n++) {
        txt_s(t, sep);
        print_option(t, proto, &o);
        sep = ",";
    }
    if (*sep == ',')
        txt_c(t, '>');
    if (r.bad != 0)
        txt_s(t, " bad option length");
}

static void print_auth(struct txt *t, uint16_t proto, const struct ppp_cp *p)
{
    struct rd r = rd_of(p->data);
    struct ppp_auth a;
    bool is_good = proto == PPP_PAP ? pap_parse(&r, p->code, &a) : chap_parse(&r, p->code, &a);
    if (!is_good)
        return;
    if (a.name.n > 0) {
        txt_s(t, " name ");
        txt_quoted(t, a.name);
    }
    if (a.text.n > 0) {
        txt_c(t, ' ');
        txt_quoted(t, a.text);
    }
}

void ppp_cp_print(struct txt *t, uint16_t proto, const struct ppp_cp *p)
{
    const char *proto_name = ppp_proto_name(proto);
    const char *name = code_name(proto, p->code);
    txt_s(t, proto_name ? proto_name : "PPP");
    txt_c(t, ' ');
    if (name) {
        txt_s(t, name);
    } else {
        txt_s(t, "code ");
        txt_u(t, p->code);
    }
    txt_s(t, " id ");
    txt_u(t, p->id);
    if (proto == PPP_PAP || proto == PPP_CHAP)
        print_auth(t, proto, p);
    else if (p->code >= PPP_CONF_REQ && p->code <= PPP_CONF_REJ)
        print_options(t, proto, p->data);
}
