#include "fuzz.h"

#include "wire/ppp.h"

#define CAP 128                 /* small, so that overlong frames are found */

/*
 * The first byte chooses what is fuzzed: the receiver with the bytes as they come, or a frame of
 * them with its FCS right, for no fuzzer guesses it.
 */
struct heard {
    uint8_t buf[CAP];
    size_t n;                   /* of the last good frame, without its FCS */
    unsigned frames;
};

static void hear(struct ppp_rx *x, struct span bytes, struct heard *h)
{
    struct rd in = rd_of(bytes);
    struct span frame;
    while (ppp_rx_next(x, &in, &frame)) {
        FUZZ_CHECK(frame.n >= 2 && frame.n <= CAP - 2);
        memcpy(h->buf, frame.p, frame.n);
        h->n = frame.n;
        h->frames++;
    }
    FUZZ_CHECK(rd_done(&in));
}

static void read_auth(uint16_t proto, const struct ppp_cp *p)
{
    struct rd r = rd_of(p->data);
    struct ppp_auth a;
    uint8_t b[CAP];
    struct wr w = wr_of(b, sizeof(b));
    if (proto == PPP_PAP && pap_parse(&r, p->code, &a))
        pap_emit(&w, p->code, &a);
    if (proto == PPP_CHAP && chap_parse(&r, p->code, &a))
        chap_emit(&w, p->code, &a);
    FUZZ_CHECK(!w.bad);
}

static void read_packet(struct span frame)
{
    struct rd r = rd_of(frame);
    struct ppp_hdr h;
    struct ppp_cp p;
    char text[FUZZ_TEXT];
    struct txt t = txt_of(text, sizeof(text));
    if (!ppp_parse(&r, &h) || !ppp_cp_parse(&r, &p))
        return;
    ppp_cp_print(&t, h.proto, &p);
    FUZZ_CHECK(t.n > 0);
    read_auth(h.proto, &p);
    struct rd opts = rd_of(p.data);
    FUZZ_CHECK(ppp_opts_check(&opts) == (opts.bad == FAULT_NONE));
}

static void read_framed(struct span info)
{
    static uint8_t wire[1 << 16];
    uint8_t buf[CAP];
    struct ppp_rx x;
    struct heard h = {.n = 0};
    struct rd r = rd_of(info);
    struct ppp_tx tx = {.accm = rd_u32(&r), .pfc = true, .acfc = true};
    uint16_t proto = rd_u16(&r);
    struct span data = rd_rest(&r);
    struct wr w = wr_of(wire, sizeof(wire));
    ppp_frame_emit(&w, &tx, proto, data);
    ppp_rx_init(&x, buf, sizeof(buf));
    x.accm = proto == PPP_LCP ? PPP_ACCM_ALL : tx.accm;
    hear(&x, wr_span(&w), &h);
    bool fits = data.n >= 1 && data.n + 6 <= CAP;
    FUZZ_CHECK(!fits || h.frames == 1);
    FUZZ_CHECK(!fits || memcmp(h.buf + h.n - data.n, data.p, data.n) == 0);
    if (h.frames == 1)
        read_packet(span_of(h.buf, h.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t buf[CAP];
    struct ppp_rx x;
    struct heard h = {.n = 0};
    struct rd r = rd_of(span_of(data, size));
    uint8_t choice = rd_u8(&r);
    struct span rest = rd_rest(&r);
    if ((choice & 1) != 0) {
        read_framed(rest);
        return 0;
    }
    ppp_rx_init(&x, buf, sizeof(buf));
    x.accm = (choice & 2) != 0 ? PPP_ACCM_ALL : 0;
    hear(&x, rest, &h);
    read_packet(rest);
    return 0;
}
