#include "wire/props.h"

#include "wire/flow.h"

/* ---- frames ---- */

#define FRAME_MAX 1514

struct flow {
    struct mac us, them;
    struct ip4_hdr ip4;
    uint16_t src_port, dst_port;
};

struct frame {
    uint8_t bytes[FRAME_MAX];
    size_t n;
};

static void gen_flow(struct prop_gen *g, struct flow *f)
{
    *f = (struct flow){.us = prop_mac(g), .them = prop_mac(g), .src_port = prop_u16(g),
                       .dst_port = prop_u16(g)};
    f->us.b[0] &= 0xfe;
    f->them.b[0] &= 0xfe;
    f->ip4 = (struct ip4_hdr){.hdr_len = 20, .tos = prop_u8(g), .df = prop_bool(g),
                              .ttl = prop_u8(g), .proto = IP_TCP, .src = prop_addr4(g),
                              .dst = prop_addr4(g)};
}

static void seal(struct frame *x)
{
    uint8_t *net = x->bytes + FLOW_IP_AT, *tcp = x->bytes + FLOW_TCP_AT;
    size_t total = load_be16(net + IP4_AT_TOTAL_LEN);
    if (x->n < FLOW_HDR_MIN || total < FLOW_HDR_MIN - FLOW_IP_AT || FLOW_IP_AT + total > x->n)
        return;
    store_be16(net + IP4_AT_CSUM, 0);
    store_be16(net + IP4_AT_CSUM, csum_finish(csum_portable.sum(net, IP4_HDR_LEN)));
    struct oriel_addr src = addr_v4(load_be32(net + IP4_AT_SRC));
    struct oriel_addr dst = addr_v4(load_be32(net + IP4_AT_DST));
    size_t n = total - IP4_HDR_LEN;
    store_be16(tcp + TCP_AT_CSUM, 0);
    store_be16(tcp + TCP_AT_CSUM,
               csum_finish(csum_add(csum_portable.sum(tcp, n),
                                    csum_pseudo(&src, &dst, IP_TCP, (uint32_t)n))));
}

/* A frame of that flow with any numbers, and `pad` random bytes behind the datagram. */
static void gen_frame(struct prop_gen *g, const struct flow *f, size_t len, size_t pad,
                      struct frame *out)
{
    uint8_t opts[TCP_TS_LEN];
    struct wr w = wr_of(out->bytes, sizeof(out->bytes));
    struct ip4_hdr h = f->ip4;
    struct tcp_hdr t = {.src_port = f->src_port, .dst_port = f->dst_port, .wnd = prop_u16(g),
                        .seq = seq_of(prop_u32(g)), .ack = seq_of(prop_u32(g)),
                        .flags = (uint16_t)(TCP_ACK | (prop_u16(g) & (TCP_PSH | TCP_FIN))),
                        .urg = prop_bool(g) ? 0 : prop_u16(g)};
    uint32_t val = prop_u32(g), ecr = prop_u32(g);
    tcp_ts_emit(opts, val, ecr);
    t.opts = span_of(opts, prop_bool(g) ? sizeof(opts) : 0);
    h.id = prop_u16(g);
    h.total_len = (uint16_t)(IP4_HDR_LEN + TCP_HDR_LEN + t.opts.n + len);
    eth_emit_plain(&w, &f->us, &f->them, ETH_IP4);
    ip4_emit(&w, &h);
    tcp_emit(&w, &t);
    wr_bytes(&w, prop_bytes(g, len));
    wr_bytes(&w, prop_bytes(g, pad));
    EXPECT(!w.bad);
    out->n = wr_len(&w);
    seal(out);
}

/* ---- the long way ---- */

struct parsed {
    struct ip4_hdr ip4;
    struct tcp_hdr tcp;
    struct tcp_opts opts;
    struct span payload;
};

/* What the layers check of a frame, each by its parser. */
static bool long_way(const struct mac *us, struct span frame, struct parsed *q)
{
    struct eth_hdr eth;
    struct rd r = rd_of(frame);
    if (!eth_parse(&r, &eth) || eth.tags_n > 0 || eth.snap || mac_is_group(&eth.src) ||
        !mac_eq(&eth.dst, us) || eth.type != ETH_IP4 || !ip4_parse(&r, &q->ip4) || q->ip4.mf ||
        q->ip4.frag_off != 0 || q->ip4.proto != IP_TCP)
        return false;
    size_t n = (size_t)q->ip4.total_len - q->ip4.hdr_len;
    struct span segment = rd_bytes(&r, n);
    if (csum_finish(csum_add(csum_portable.sum(segment.p, segment.n),
                             csum_pseudo(&q->ip4.src, &q->ip4.dst, IP_TCP, (uint32_t)n))) != 0)
        return false;
    struct rd t = rd_of(segment);
    if (!tcp_parse(&t, &q->tcp))
        return false;
    struct rd o = rd_of(q->tcp.opts);
    q->payload = rd_rest(&t);
    return tcp_opts_parse(&o, &q->opts);
}

/* What the short way says of a frame is what the long way finds. True: it took it. */
static bool look(const struct flow_form *form, const struct flow *f, struct span frame)
{
    struct flow_seg s;
    struct parsed q;
    if (!flow_match(form, frame, frame.n, &s))
        return false;
    EXPECT(s.at + s.len <= frame.n);
    if (!flow_good(&s, csum_portable.sum(frame.p + s.at, s.len)))
        return false;
    EXPECT(long_way(&f->us, frame, &q));
    EXPECT(q.tcp.src_port == f->src_port && q.tcp.dst_port == f->dst_port);
    EXPECT(addr_identical(&q.ip4.src, &f->ip4.src) && addr_identical(&q.ip4.dst, &f->ip4.dst));
    EXPECT_EQ(flow_tos(frame.p), q.ip4.tos);
    EXPECT_EQ(q.ip4.tos, f->ip4.tos);
    EXPECT_EQ(s.seq.v, q.tcp.seq.v);
    EXPECT_EQ(s.ack.v, q.tcp.ack.v);
    EXPECT_EQ(s.flags, q.tcp.flags);
    EXPECT_EQ(s.wnd, q.tcp.wnd);
    EXPECT_EQ(s.len, q.payload.n);
    EXPECT(frame.p + s.at == q.payload.p);
    EXPECT_EQ(s.has_ts, q.opts.has_ts);
    EXPECT(!s.has_ts || (s.ts_val == q.opts.ts_val && s.ts_ecr == q.opts.ts_ecr));
    EXPECT(q.opts.sack_n == 0 && q.opts.ignored_n == 0);
    return true;
}

static struct flow_form learn(struct prop_gen *g, const struct flow *f)
{
    struct flow_form form;
    struct frame first;
    gen_frame(g, f, prop_upto(g, 1000), 0, &first);
    EXPECT(flow_learn(&form, first.bytes));
    return form;
}

/* ---- properties ---- */

TEST("every segment of a flow is recognised, whatever its numbers, length and padding")
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame next;
        gen_flow(&g, &f);
        struct flow_form form = learn(&g, &f);
        gen_frame(&g, &f, prop_upto(&g, 1400), prop_upto(&g, 40), &next);
        EXPECT(look(&form, &f, span_of(next.bytes, next.n)));
    }
}

TEST("a frame that was changed at random matches only where the parsers find what it claims")
{
    unsigned taken = 0, refused = 0;
    COVERS("S1 INV-1");
    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame next, x;
        gen_flow(&g, &f);
        struct flow_form form = learn(&g, &f);
        gen_frame(&g, &f, prop_upto(&g, 100), prop_upto(&g, 20), &next);
        for (unsigned i = 0; i < 50; i++) {
            x = next;
            x.bytes[prop_upto(&g, x.n - 1)] ^= (uint8_t)(1u << prop_u64(&g) % 8);
            if (prop_bool(&g))
                x.bytes[prop_upto(&g, 70 < x.n ? 70 : x.n - 1)] = prop_u8(&g);
            if (prop_upto(&g, 3) == 0)
                x.n = FLOW_HDR_MIN + prop_upto(&g, x.n - FLOW_HDR_MIN);
            if (prop_bool(&g))
                seal(&x);
            if (look(&form, &f, span_of(x.bytes, x.n)))
                taken++;
            else
                refused++;
        }
    }
    EXPECT(taken > 5000);
    EXPECT(refused > 20000);
}

TEST("one wrong bit anywhere and there is no match, or it stands behind the datagram")
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame next;
        gen_flow(&g, &f);
        struct flow_form form = learn(&g, &f);
        gen_frame(&g, &f, prop_upto(&g, 60), 9, &next);
        for (size_t bit = 0; bit < next.n * 8; bit++) {
            next.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            EXPECT_EQ(look(&form, &f, span_of(next.bytes, next.n)), bit / 8 >= next.n - 9);
            next.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

TEST("nothing is read beyond the contiguous bytes, nor matched where they are not all headers")
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame next;
        struct flow_seg s;
        gen_flow(&g, &f);
        struct flow_form form = learn(&g, &f);
        gen_frame(&g, &f, prop_upto(&g, 60), 0, &next);
        for (size_t n = FLOW_HDR_MIN; n <= next.n; n++) {
            uint8_t *b = malloc(n);         /* ends where its heap block does */
            memcpy(b, next.bytes, n);
            EXPECT_EQ(flow_match(&form, span_of(b, n), next.n, &s),
                      n >= FLOW_TCP_AT + (size_t)(b[FLOW_TCP_AT + TCP_AT_FLAGS] >> 4) * 4);
            free(b);
        }
    }
}

TEST("a datagram in IPv4 is told from all else at once")
{
    struct prop_gen g = prop_gen_of(1);
    struct flow f;
    struct frame x;
    gen_flow(&g, &f);
    gen_frame(&g, &f, 10, 0, &x);
    EXPECT(!flow_is_datagram(x.bytes));
    x.bytes[FLOW_IP_AT + IP4_AT_PROTO] = IP_UDP;
    EXPECT(flow_is_datagram(x.bytes));
    store_be16(x.bytes + FLOW_IP_AT - 2, ETH_IP6);      /* there it is a byte of an address */
    EXPECT(!flow_is_datagram(x.bytes));
}

TEST("fragments, options of IPv4, other protocols, other networks and tags are not learned")
{
    struct prop_gen g = prop_gen_of(1);
    struct flow f;
    struct frame x;
    struct flow_form form;
    static const struct {
        size_t at;
        uint8_t v;
    } wrong[] = {
        {FLOW_IP_AT + IP4_AT_FRAGMENT, 0x20}, {FLOW_IP_AT + IP4_AT_FRAGMENT + 1, 1},
        {FLOW_IP_AT, 0x46}, {FLOW_IP_AT, 0x65}, {FLOW_IP_AT + IP4_AT_PROTO, IP_UDP},
        {12, 0x86}, {13, 0x06}, {12, 0x81},
    };
    gen_flow(&g, &f);
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        gen_frame(&g, &f, 10, 0, &x);
        EXPECT(flow_learn(&form, x.bytes));
        x.bytes[wrong[i].at] = wrong[i].v;
        EXPECT(!flow_learn(&form, x.bytes));
    }
}
