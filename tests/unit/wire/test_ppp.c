#include "wire/ppp.h"

#include "wire/props.h"

static const struct ppp_tx plain = {.accm = PPP_ACCM_ALL};
static const struct ppp_tx packed = {.accm = 0, .pfc = true, .acfc = true};

/* ---- FCS and framing ---- */

struct line {                   /* what came out of a receiver, frames joined by '|' */
    struct ppp_rx rx;
    uint8_t buf[200];
    char text[1024];
    struct txt out;
};

static void line_init(struct line *l, size_t cap)
{
    ppp_rx_init(&l->rx, l->buf, cap);
    l->out = txt_of(l->text, sizeof(l->text));
}

static void line_feed(struct line *l, struct span bytes)
{
    struct prop_block b = prop_block_of(bytes);
    struct rd in = rd_of(span_of(b.p, b.n));
    struct span frame;
    while (ppp_rx_next(&l->rx, &in, &frame)) {
        txt_hex_bytes(&l->out, frame, 0);
        txt_c(&l->out, '|');
    }
    EXPECT(rd_done(&in));
    EXPECT(l->rx.n <= l->rx.cap);
    free(b.base);
}

TEST("the FCS is the CRC of X.25, and a frame with its own leaves the good value")
{
    COVERS("1662-1");
    HEX(digits, "31 32 33 34 35 36 37 38 39");
    HEX(with_fcs, "31 32 33 34 35 36 37 38 39 6e 90");
    EXPECT_EQ(ppp_fcs16(PPP_FCS_INIT, digits) ^ 0xffff, 0x906e);
    EXPECT_EQ(ppp_fcs16(PPP_FCS_INIT, with_fcs), PPP_FCS_GOOD);
}

/* The first Configure-Request of a pppd: ACCM 0, magic, PFC, ACFC. */

TEST("control bytes, flag and escape are escaped")
{
    COVERS("1662-1");
    HEX(info, "01 01 0014 0206 00000000 0506 1a2b3c4d 0702 0802");
    uint8_t b[200];
    struct wr w = wr_of(b, sizeof(b));
    ppp_frame_emit(&w, &packed, PPP_LCP, info);         /* LCP: as if nothing were negotiated */
    HEX(want, "7e ff7d23 c021 7d217d21 7d207d34 7d227d26 7d207d207d207d20 7d257d26 7d3a2b3c4d"
              "7d277d22 7d287d22 73 98 7e");
    EXPECT_EQ(wr_len(&w), want.n);
    EXPECT_MEM(b, want.p, want.n - 3);
    struct line l;
    line_init(&l, sizeof(l.buf));
    line_feed(&l, wr_span(&w));
    EXPECT_STR(l.text, "ff03c021010100140206000000000506"
                       "1a2b3c4d07020802|");
}

TEST("with everything negotiated a frame is its protocol byte, its bytes and the FCS")
{
    HEX(info, "45 7e 7d 00 11");
    uint8_t b[40];
    struct wr w = wr_of(b, sizeof(b));
    ppp_frame_emit(&w, &packed, PPP_IP4, info);
    HEX(want, "7e 21 45 7d5e 7d5d 00 11");
    EXPECT_MEM(b, want.p, want.n);
    w = wr_of(b, sizeof(b));
    ppp_frame_emit(&w, &(struct ppp_tx){.accm = BIT(0x11)}, PPP_IP4, info);
    HEX(some, "7e ff 03 00 21 45 7d5e 7d5d 00 7d31");
    EXPECT_MEM(b, some.p, some.n);
}

TEST("what is written comes back, whole or byte by byte, whatever was negotiated")
{
    COVERS("1662-1");
    struct prop_gen g = prop_gen_of(PROP_SEED);
    for (unsigned i = 0; i < PROP_RUNS; i++) {
        uint8_t wire[300], info[80];
        size_t n = 1 + prop_upto(&g, sizeof(info) - 1);
        for (size_t k = 0; k < n; k++)
            info[k] = (uint8_t)PROP_ONE_OF(&g, 0x7e, 0x7d, 0x5e, 0x5d, 0, 0x1f, prop_u8(&g));
        struct ppp_tx tx = {prop_u32(&g), prop_bool(&g), prop_bool(&g)};
        uint16_t proto = (uint16_t)PROP_ONE_OF(&g, PPP_IP4, PPP_IP6, PPP_LCP, PPP_IPCP);
        struct wr w = wr_of(wire, sizeof(wire));
        ppp_frame_emit(&w, &tx, proto, span_of(info, n));
        EXPECT(!w.bad && wr_len(&w) <= ppp_encoded_max(n));
        struct ppp_rx rx;
        uint8_t buf[100];
        struct span frame = {0};
        ppp_rx_init(&rx, buf, sizeof(buf));
        rx.accm = proto == PPP_LCP ? PPP_ACCM_ALL : tx.accm;
        bool found = false;
        for (size_t k = 0; k < wr_len(&w) && !found; k++) {
            struct rd in = rd_of(span_of(wire + k, 1));
            found = ppp_rx_next(&rx, &in, &frame);
        }
        EXPECT(found);
        struct rd r = rd_of(frame);
        struct ppp_hdr h;
        EXPECT(ppp_parse(&r, &h));
        EXPECT_EQ(h.proto, proto);
        EXPECT(span_eq(rd_rest(&r), span_of(info, n)));
    }
}

TEST("every flipped bit between the flags is noticed")
{
    COVERS("1662-1");
    uint8_t wire[60];
    struct wr w = wr_of(wire, sizeof(wire));
    HEX(info, "45000014 00004000 40010000 0a000001 0a000002");
    ppp_frame_emit(&w, &plain, PPP_IP4, info);
    for (size_t bit = 8; bit < (wr_len(&w) - 1) * 8; bit++) {
        struct line l;
        line_init(&l, sizeof(l.buf));
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        line_feed(&l, wr_span(&w));
        wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_STR(l.text, "");
        EXPECT(l.rx.bad_fcs_n + l.rx.shorts_n + l.rx.aborts_n > 0);
    }
}

TEST("a byte that the line put in is passed over")
{
    COVERS("1662-1");
    HEX(wire, "7e ff7d23 11 13 c021 7d21 7d21 7d20 7d24 7dae");
    struct line l;
    line_init(&l, sizeof(l.buf));
    line_feed(&l, wire);
    EXPECT_EQ(l.rx.n, 9);
    EXPECT_EQ(l.buf[2], 0xc0);
    l.rx.accm = 0;
    line_feed(&l, span_of("\x11", 1));
    EXPECT_EQ(l.rx.n, 10);
}

TEST("escape and flag abort the frame, and the next one is read")
{
    COVERS("1662-1");
    uint8_t wire[100];
    struct wr w = wr_of(wire, sizeof(wire));
    HEX(info, "01020304");
    ppp_frame_emit(&w, &packed, PPP_IP4, info);
    w.p--;                                      /* the closing flag does not come */
    ppp_abort_emit(&w);
    ppp_frame_emit(&w, &packed, PPP_IP6, info);
    struct line l;
    line_init(&l, sizeof(l.buf));
    l.rx.accm = 0;
    line_feed(&l, wr_span(&w));
    EXPECT_STR(l.text, "5701020304|");
    EXPECT_EQ(l.rx.aborts_n, 1);
    EXPECT_EQ(l.rx.bad_fcs_n, 0);
}

TEST("short frames are dropped and are no FCS error; flags alone are nothing")
{
    COVERS("1662-1");
    HEX(wire, "7e7e7e 21 7e 2145 7e 214546 7e");
    struct line l;
    line_init(&l, sizeof(l.buf));
    line_feed(&l, wire);
    EXPECT_STR(l.text, "");
    EXPECT_EQ(l.rx.shorts_n, 3);
    EXPECT_EQ(l.rx.bad_fcs_n, 0);
}

TEST("an overlong frame is thrown away whole, and the next one is read")
{
    uint8_t wire[200], info[40] = {0};
    struct wr w = wr_of(wire, sizeof(wire));
    ppp_frame_emit(&w, &packed, PPP_IP4, span_of(info, 40));
    ppp_frame_emit(&w, &packed, PPP_IP4, span_of(info, 5));
    struct line l;
    line_init(&l, 20);
    l.rx.accm = 0;
    line_feed(&l, wr_span(&w));
    EXPECT_STR(l.text, "210000000000|");
    EXPECT_EQ(l.rx.overlong_n, 1);
}

TEST("any bytes at all are taken, and a frame after them is found")
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    uint8_t good[40];
    struct wr w = wr_of(good, sizeof(good));
    HEX(info, "4546");
    ppp_frame_emit(&w, &plain, PPP_IP4, info);
    for (unsigned i = 0; i < PROP_RUNS; i++) {
        struct line l;
        uint8_t noise[60];
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)PROP_ONE_OF(&g, 0x7e, 0x7d, 0x5e, prop_u8(&g), prop_u8(&g));
        line_init(&l, 12);
        line_feed(&l, span_of(noise, sizeof(noise)));
        line_feed(&l, wr_span(&w));
        size_t n = strlen(l.text);
        EXPECT(n >= 13);
        EXPECT_STR(l.text + n - 13, "ff0300214546|");
    }
}

/* ---- the protocol field ---- */

static struct span gen_ppp(struct prop_gen *g, struct ppp_hdr *h)
{
    h->proto = (uint16_t)(prop_u16(g) & 0xfeff);        /* as RFC 1661, 2 wants numbers */
    h->proto |= 1;
    return prop_bytes(g, prop_upto(g, 40));
}

static void print_hdr(struct txt *t, const struct ppp_hdr *h)
{
    const char *name = ppp_proto_name(h->proto);
    txt_s(t, name ? name : "?");
}

PROP_FORMAT(ppp, struct ppp_hdr, gen_ppp(g, h), ppp_parse(r, h), ppp_emit(w, &plain, h),
            print_hdr(t, h), PROP_EQ(proto), .faults = BIT(FAULT_SHORT) | BIT(FAULT_MAGIC));

TEST("a protocol field that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&ppp_format);
    prop_cuts(&ppp_format);
    prop_damage(&ppp_format);
}

TEST("the protocol is one byte or two, with or without address and control")
{
    static const char *const forms[] = {"ff03 0021 45", "ff03 21 45", "0021 45", "21 45"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        uint8_t b[8];
        struct rd r = rd_of(prop_hex_into(forms[i], b));
        struct ppp_hdr h;
        EXPECT(ppp_parse(&r, &h));
        EXPECT_EQ(h.proto, PPP_IP4);
        EXPECT_EQ(rd_left(&r), 1);
    }
}

TEST("an address without its control is not PPP")
{
    EXPECT_EQ(prop_fault_hex(&ppp_format, "ff04 c021"), FAULT_MAGIC);
    EXPECT_EQ(prop_fault_hex(&ppp_format, "ff"), FAULT_SHORT);
    EXPECT_EQ(prop_fault_hex(&ppp_format, "ff03 c0"), FAULT_SHORT);
    EXPECT_EQ(prop_fault_hex(&ppp_format, ""), FAULT_SHORT);
}

TEST("the protocols that we speak have names")
{
    EXPECT_STR(ppp_proto_name(PPP_IP4), "IPv4");
    EXPECT_STR(ppp_proto_name(PPP_IP6), "IPv6");
    EXPECT_STR(ppp_proto_name(PPP_CHAP), "CHAP");
    EXPECT(ppp_proto_name(0x1234) == NULL);
}

/* ---- control protocols ---- */

static struct span gen_cp(struct prop_gen *g, struct ppp_cp *h)
{
    h->code = prop_u8(g);
    h->id = prop_u8(g);
    h->data = prop_bytes(g, prop_upto(g, 100));
    return prop_bytes(g, prop_upto(g, 20));             /* padding */
}

static void print_as_all(struct txt *t, const struct ppp_cp *p)
{
    static const uint16_t protos[] = {PPP_LCP, PPP_IPCP, PPP_IPV6CP, PPP_PAP, PPP_CHAP, 1};
    char buf[100];
    for (size_t i = 0; i < ARRAY_LEN(protos); i++) {
        struct txt each = txt_of(buf, sizeof(buf));
        ppp_cp_print(&each, protos[i], p);
        EXPECT(each.n > 0);
    }
    ppp_cp_print(t, PPP_LCP, p);
}

static void walk_options(const struct ppp_cp *p)
{
    struct rd r = rd_of(p->data);
    if (!ppp_opts_check(&r))
        EXPECT(r.bad == FAULT_OPT_LEN || r.bad == FAULT_OPT_COUNT);
    else
        EXPECT(rd_done(&r));
}

static void walk_cp(const void *hdr)
{
    walk_options(hdr);
}

PROP_FORMAT(ppp_cp, struct ppp_cp, gen_cp(g, h), ppp_cp_parse(r, h), ppp_cp_emit(w, h),
            print_as_all(t, h), PROP_EQ(code) && PROP_EQ(id) && PROP_EQ_SPAN(data),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_TOTAL_LEN),
            .lens = PROP_LENS({.at = 2, .width = 2}), .after = walk_cp);

TEST("a packet that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&ppp_cp_format);
}

TEST("a packet cut anywhere is refused")
{
    COVERS("1661-5");
    prop_cuts(&ppp_cp_format);
}

TEST("no length leads outside the packet")
{
    COVERS("1661-5");
    prop_lengths(&ppp_cp_format);
    EXPECT_EQ(prop_fault_hex(&ppp_cp_format, "01 01 0003 00"), FAULT_TOTAL_LEN);
    EXPECT_EQ(prop_fault_hex(&ppp_cp_format, "01 01 0006 00"), FAULT_TOTAL_LEN);
    EXPECT_EQ(prop_fault_hex(&ppp_cp_format, "01 01 00"), FAULT_SHORT);
}

TEST("damaged packets are refused or stay stable")
{
    prop_damage(&ppp_cp_format);
}

static struct ppp_cp cp_of(struct span s)
{
    struct rd r = rd_of(s);
    struct ppp_cp p;
    EXPECT(ppp_cp_parse(&r, &p));
    return p;
}

static const char *shown(uint16_t proto, struct span s)
{
    static char buf[200];
    struct ppp_cp p = cp_of(s);
    struct txt t = txt_of(buf, sizeof(buf));
    ppp_cp_print(&t, proto, &p);
    return buf;
}

TEST("options come one by one, in order")
{
    HEX(req, "01 01 0014 0206 00000000 0506 1a2b3c4d 0702 0802");
    struct ppp_cp p = cp_of(req);
    struct rd r = rd_of(p.data);
    struct ppp_opt o;
    static const uint8_t types[] = {LCP_OPT_ACCM, LCP_OPT_MAGIC, LCP_OPT_PFC, LCP_OPT_ACFC};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        EXPECT(ppp_opt_next(&r, &o));
        EXPECT_EQ(o.type, types[i]);
        EXPECT_EQ(o.data.n, i < 2 ? 4 : 0);
    }
    EXPECT(!ppp_opt_next(&r, &o));
    EXPECT_EQ(r.bad, 0);
    prop_exact(&ppp_cp_format, req);
    EXPECT_STR(shown(PPP_LCP, req),
               "LCP Configuration Request id 1 <ACCM 0x00000000,Magic 0x1a2b3c4d,PFC,ACFC>");
}

TEST("an option of length 0, 1 or beyond the end is a fault")
{
    COVERS("1661-5");
    for (unsigned len = 0; len < 256; len++) {
        uint8_t b[6] = {5, (uint8_t)len};
        struct rd r = rd_of(span_of(b, sizeof(b)));
        struct ppp_opt o;
        bool ok = ppp_opt_next(&r, &o);
        EXPECT_EQ(ok, len >= 2 && len <= 6);
        EXPECT_EQ(r.bad, ok ? 0 : FAULT_OPT_LEN);
        EXPECT(ok || !ppp_opt_next(&r, &o));
    }
    struct rd r = rd_of(span_of("\5", 1));
    EXPECT(!ppp_opts_check(&r));
    EXPECT_EQ(r.bad, FAULT_OPT_LEN);
}

TEST("more options than the limit are a fault")
{
    uint8_t b[2 * (PPP_OPTIONS_MAX + 1)];
    for (size_t i = 0; i < sizeof(b); i += 2) {
        b[i] = 7;
        b[i + 1] = 2;
    }
    struct rd r = rd_of(span_of(b, sizeof(b) - 2));
    EXPECT(ppp_opts_check(&r));
    r = rd_of(span_of(b, sizeof(b)));
    EXPECT(!ppp_opts_check(&r));
    EXPECT_EQ(r.bad, FAULT_OPT_COUNT);
}

TEST("options are written with type and length")
{
    uint8_t b[40];
    struct wr w = wr_of(b, sizeof(b));
    ppp_opt_emit_u16(&w, LCP_OPT_MRU, 1500);
    ppp_opt_emit_u32(&w, LCP_OPT_MAGIC, 0x1a2b3c4d);
    ppp_opt_emit(&w, &(struct ppp_opt){.type = LCP_OPT_PFC, .data = span_of(b, 0)});
    HEX(want, "0104 05dc 0506 1a2b3c4d 0702");
    EXPECT(span_eq(wr_span(&w), want));
}

TEST("control packets are shown with what matters in them")
{
    HEX(mru, "03 02 0008 0104 05dc");
    EXPECT_STR(shown(PPP_LCP, mru), "LCP Configuration Nak id 2 <MRU 1500>");
    HEX(echo, "09 07 0008 1a2b3c4d");
    EXPECT_STR(shown(PPP_LCP, echo), "LCP Echo Request id 7");
    HEX(ipcp, "01 01 0016 0306 0a400001 8106 08080808 8306 08080404");
    EXPECT_STR(shown(PPP_IPCP, ipcp),
               "IPCP Configuration Request id 1 <Address 10.64.0.1,DNS1 8.8.8.8,DNS2 8.8.4.4>");
    HEX(ipv6cp, "02 01 000e 010a 0000000000000001");
    EXPECT_STR(shown(PPP_IPV6CP, ipv6cp),
               "IPV6CP Configuration Ack id 1 <Interface-ID 0x0000000000000001>");
    HEX(unknown, "01 01 0007 630300");
    EXPECT_STR(shown(PPP_LCP, unknown), "LCP Configuration Request id 1 <option 99 0x00>");
    EXPECT_STR(shown(PPP_IPCP, echo), "IPCP code 9 id 7");
    HEX(bad, "01 01 0006 0100");
    EXPECT_STR(shown(PPP_LCP, bad), "LCP Configuration Request id 1 bad option length");
}

/* ---- authentication ---- */

TEST("a PAP request has a name and a password, and the password is not shown")
{
    HEX(req, "01 05 0010 05 616c696365 05 7365637265");
    EXPECT_EQ(req.n, 16);
    struct ppp_cp p = cp_of(req);
    struct rd r = rd_of(p.data);
    struct ppp_auth a;
    EXPECT(pap_parse(&r, p.code, &a));
    EXPECT(span_is(a.name, "alice"));
    EXPECT(span_is(a.secret, "secre"));
    EXPECT_STR(shown(PPP_PAP, req), "PAP Authenticate-Request id 5 name \"alice\"");
    uint8_t b[20];
    struct wr w = wr_of(b, sizeof(b));
    pap_emit(&w, p.code, &a);
    EXPECT(span_eq(wr_span(&w), p.data));
}

TEST("a PAP answer may have a text, or nothing at all")
{
    HEX(ack, "02 05 0007 026f6b");
    EXPECT_STR(shown(PPP_PAP, ack), "PAP Authenticate-Ack id 5 \"ok\"");
    HEX(nothing, "03 05 0004");
    EXPECT_STR(shown(PPP_PAP, nothing), "PAP Authenticate-Nak id 5");
    struct ppp_cp p = cp_of(ack);
    struct rd r = rd_of(p.data);
    struct ppp_auth a;
    uint8_t b[8];
    struct wr w = wr_of(b, sizeof(b));
    EXPECT(pap_parse(&r, PAP_ACK, &a));
    pap_emit(&w, PAP_ACK, &a);
    EXPECT(span_eq(wr_span(&w), p.data));
}

TEST("a CHAP challenge has a value and a name, its end a text")
{
    HEX(challenge, "01 09 000d 04 a1b2c3d4 69737031");
    struct ppp_cp p = cp_of(challenge);
    struct rd r = rd_of(p.data);
    struct ppp_auth a;
    EXPECT(chap_parse(&r, p.code, &a));
    EXPECT_EQ(a.secret.n, 4);
    EXPECT(span_is(a.name, "isp1"));
    EXPECT_STR(shown(PPP_CHAP, challenge), "CHAP Challenge id 9 name \"isp1\"");
    uint8_t b[20];
    struct wr w = wr_of(b, sizeof(b));
    chap_emit(&w, CHAP_CHALLENGE, &a);
    EXPECT(span_eq(wr_span(&w), p.data));
    HEX(success, "03 09 0006 6869");
    EXPECT_STR(shown(PPP_CHAP, success), "CHAP Success id 9 \"hi\"");
    p = cp_of(success);
    r = rd_of(p.data);
    EXPECT(chap_parse(&r, CHAP_SUCCESS, &a));
    w = wr_of(b, sizeof(b));
    chap_emit(&w, CHAP_SUCCESS, &a);
    EXPECT(span_eq(wr_span(&w), p.data));
}

TEST("a field of an authentication packet that passes the end is a fault")
{
    HEX(data, "05 616c6963");
    struct rd r = rd_of(data);
    struct ppp_auth a;
    EXPECT(!pap_parse(&r, PAP_REQUEST, &a));
    EXPECT_EQ(r.bad, FAULT_SHORT);
    r = rd_of(data);
    EXPECT(!chap_parse(&r, CHAP_RESPONSE, &a));
    EXPECT_EQ(r.bad, FAULT_SHORT);
    r = rd_of(data);
    EXPECT(!pap_parse(&r, 4, &a));
    EXPECT_EQ(r.bad, FAULT_TYPE);
    r = rd_of(data);
    EXPECT(!chap_parse(&r, 5, &a));
    EXPECT_EQ(r.bad, FAULT_TYPE);
}
