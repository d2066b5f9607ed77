#include "wire/props.h"

#include "wire/cut.h"
#include "wire/run.h"

/* ---- frames ---- */

#define FRAME_MAX  1514
#define FRAME_ROOM 1700

struct flow {
    struct mac us, them;
    bool v6;
    struct ip4_hdr ip4;
    struct ip6_hdr ip6;
    struct tcp_hdr tcp;
};

struct frame {
    uint8_t bytes[FRAME_ROOM];
    size_t n;
};

static void gen_flow(struct prop_gen *g, struct flow *f)
{
    *f = (struct flow){.us = prop_mac(g), .them = prop_mac(g), .v6 = prop_bool(g)};
    f->us.b[0] &= 0xfe;
    f->them.b[0] &= 0xfe;
    f->ip4 = (struct ip4_hdr){.hdr_len = 20, .tos = prop_u8(g), .df = prop_bool(g),
                              .ttl = prop_u8(g), .proto = IP_TCP, .src = prop_addr4(g),
                              .dst = prop_addr4(g)};
    f->ip6 = (struct ip6_hdr){.tclass = prop_u8(g), .flow = prop_u32(g) & 0xfffff, .next = IP_TCP,
                              .hop_limit = prop_u8(g), .src = prop_addr6(g),
                              .dst = prop_addr6(g)};
    f->tcp = (struct tcp_hdr){.src_port = prop_u16(g), .dst_port = prop_u16(g),
                              .ack = seq_of(prop_u32(g)), .wnd = prop_u16(g), .urg = prop_u16(g),
                              .flags = (uint16_t)(TCP_ACK | (prop_u16(g) & (TCP_ECE | TCP_CWR |
                                                                            TCP_AE))),
                              .opts = prop_bytes(g, PROP_ONE_OF(g, 0, 0, 12, 4, 24, 40))};
}

/* A frame of that flow; checksums right, random bytes behind the datagram. */
static void gen_frame(struct prop_gen *g, const struct flow *f, uint32_t seq, size_t len, bool psh,
                      size_t pad, struct frame *out)
{
    struct wr w = wr_of(out->bytes, sizeof(out->bytes));
    struct ip4_hdr h4 = f->ip4;
    struct ip6_hdr h6 = f->ip6;
    struct tcp_hdr t = f->tcp;
    size_t tcp_len = TCP_HDR_LEN + t.opts.n;
    t.seq = seq_of(seq);
    t.flags |= psh ? TCP_PSH : 0;
    eth_emit_plain(&w, &f->us, &f->them, f->v6 ? ETH_IP6 : ETH_IP4);
    h4.id = prop_u16(g);
    h4.total_len = (uint16_t)(IP4_HDR_LEN + tcp_len + len);
    h6.payload_len = (uint16_t)(tcp_len + len);
    if (f->v6)
        ip6_emit(&w, &h6);
    else
        ip4_emit(&w, &h4);
    uint8_t *at = w.p;
    tcp_emit(&w, &t);
    wr_bytes(&w, prop_bytes(g, len));
    uint32_t sum = csum_add(csum_portable.sum(at, tcp_len + len),
                            f->v6 ? csum_pseudo(&h6.src, &h6.dst, IP_TCP, h6.payload_len)
                                  : csum_pseudo(&h4.src, &h4.dst, IP_TCP,
                                                (uint32_t)(tcp_len + len)));
    struct wr field = wr_of(at + TCP_AT_CSUM, 2);
    wr_u16(&field, csum_finish(sum));
    wr_bytes(&w, prop_bytes(g, pad));
    EXPECT(!w.bad);
    out->n = wr_len(&w);
}

/* ---- the long way ---- */

struct parsed {
    bool v6;
    struct ip4_hdr ip4;
    struct ip6_hdr ip6;
    struct tcp_hdr tcp;
    struct span payload;
};

/* What the layers check of a frame, each by its parser. */
static bool long_way(const struct mac *us, struct span frame, struct parsed *q)
{
    struct eth_hdr eth;
    struct rd r = rd_of(frame);
    struct oriel_addr src, dst;
    if (frame.n > FRAME_MAX || !eth_parse(&r, &eth) || eth.tags_n > 0 || eth.snap ||
        mac_is_group(&eth.src) || !mac_eq(&eth.dst, us))
        return false;
    q->v6 = eth.type == ETH_IP6;
    if (!q->v6 && (eth.type != ETH_IP4 || !ip4_parse(&r, &q->ip4) || q->ip4.mf ||
                   q->ip4.frag_off != 0 || q->ip4.proto != IP_TCP))
        return false;
    if (q->v6 && (!ip6_parse(&r, &q->ip6) || q->ip6.next != IP_TCP))
        return false;
    src = q->v6 ? q->ip6.src : q->ip4.src;
    dst = q->v6 ? q->ip6.dst : q->ip4.dst;
    size_t n = q->v6 ? q->ip6.payload_len : (size_t)q->ip4.total_len - q->ip4.hdr_len;
    struct span segment = rd_bytes(&r, n);
    if (csum_finish(csum_add(csum_portable.sum(segment.p, segment.n),
                             csum_pseudo(&src, &dst, IP_TCP, (uint32_t)n))) != 0)
        return false;
    struct rd t = rd_of(segment);
    if (!tcp_parse(&t, &q->tcp))
        return false;
    q->payload = rd_rest(&t);
    return true;
}

/* Two frames of one flow that differ in nothing but their place. */
static bool continues(const struct parsed *a, const struct parsed *b)
{
    bool net = a->v6 == b->v6;
    if (net && a->v6)
        net = a->ip6.tclass == b->ip6.tclass && a->ip6.flow == b->ip6.flow &&
              a->ip6.hop_limit == b->ip6.hop_limit && addr_identical(&a->ip6.src, &b->ip6.src) &&
              addr_identical(&a->ip6.dst, &b->ip6.dst);
    else if (net)
        net = a->ip4.tos == b->ip4.tos && a->ip4.ttl == b->ip4.ttl && a->ip4.df == b->ip4.df &&
              a->ip4.opts.n == 0 && b->ip4.opts.n == 0 &&
              addr_identical(&a->ip4.src, &b->ip4.src) && addr_identical(&a->ip4.dst, &b->ip4.dst);
    return net && a->tcp.src_port == b->tcp.src_port && a->tcp.dst_port == b->tcp.dst_port &&
           seq_eq(a->tcp.ack, b->tcp.ack) && a->tcp.wnd == b->tcp.wnd && a->tcp.urg == b->tcp.urg &&
           ((a->tcp.flags ^ b->tcp.flags) & ~TCP_PSH) == 0 && span_eq(a->tcp.opts, b->tcp.opts);
}

/* ---- the short way ---- */

static bool short_way(struct wire_run *run, struct span frame, size_t head, struct run_seg *g)
{
    if (!run_match(run, span_of(frame.p, head), frame.n, g))
        return false;
    EXPECT(g->len > 0 && g->at + g->len <= frame.n);
    return run_good(g, csum_span(&csum_portable, span_of(frame.p + g->at, g->len)));
}

/* What the short way says of a frame is what the long way finds. True: it took it. */
static bool look(struct wire_run *run, const struct flow *f, const struct parsed *first,
                 struct span frame)
{
    struct run_seg g;
    struct parsed q;
    if (!short_way(run, frame, frame.n, &g))
        return false;
    EXPECT(long_way(&f->us, frame, &q));
    EXPECT(continues(first, &q));
    EXPECT_EQ(g.seq.v, q.tcp.seq.v);
    EXPECT_EQ(g.len, q.payload.n);
    EXPECT(frame.p + g.at == q.payload.p);
    EXPECT_EQ(g.psh, (q.tcp.flags & TCP_PSH) != 0);
    return true;
}

static bool learn(struct prop_gen *g, const struct flow *f, struct frame *first,
                  struct parsed *q, struct wire_run *run)
{
    gen_frame(g, f, prop_u32(g), 1 + prop_upto(g, 1000), prop_bool(g), 0, first);
    return long_way(&f->us, span_of(first->bytes, first->n), q) &&
           run_learn(run, span_of(first->bytes, first->n), FRAME_MAX);
}

/* ---- properties ---- */

TEST("every frame that continues a run is recognised, whatever its place, length and padding")
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame first, next;
        struct parsed q;
        struct wire_run run = {0};
        gen_flow(&g, &f);
        EXPECT(learn(&g, &f, &first, &q, &run));
        size_t room = FRAME_MAX - (ETH_HDR_LEN + (f.v6 ? 40u : 20u) + 20 + f.tcp.opts.n);
        size_t len = 1 + prop_upto(&g, room - 1), pad = prop_upto(&g, room - len);
        gen_frame(&g, &f, prop_u32(&g), len, prop_bool(&g), pad, &next);
        EXPECT(look(&run, &f, &q, span_of(next.bytes, next.n)));
        EXPECT(look(&run, &f, &q, span_of(first.bytes, first.n)));
    }
}

/* Change some bytes; now and then make the checksums right again, which nobody can be trusted not to. */
static void damage(struct prop_gen *g, struct frame *x)
{
    for (uint64_t k = 1 + prop_upto(g, 2); k > 0; k--) {
        size_t hdr = prop_bool(g) ? 74 : x->n;
        size_t at = prop_upto(g, (hdr < x->n ? hdr : x->n) - 1);
        switch (prop_u64(g) % 6) {
        case 0: x->bytes[at] ^= (uint8_t)(1u << prop_u64(g) % 8); break;
        case 1: x->bytes[at] = prop_u8(g); break;
        case 2: x->bytes[at]++; break;
        case 3: x->n = at > 0 ? at : 1; break;
        case 4: x->n += prop_upto(g, 8); break;
        case 5: memset(x->bytes + at, prop_u8(g), at + 4 < x->n ? 4 : 1); break;
        }
    }
}

static void seal(struct frame *x, bool ip, bool tcp)
{
    struct transport t;
    if (x->n <= ETH_HDR_LEN + IP4_HDR_LEN)
        return;
    uint8_t *net = x->bytes + ETH_HDR_LEN;
    if (ip && net[0] >> 4 == 4) {
        size_t hdr = (net[0] & 15u) * 4;
        struct wr w = wr_of(net + IP4_AT_CSUM, 2);
        wr_u16(&w, 0);
        w = wr_of(net + IP4_AT_CSUM, 2);
        if (ETH_HDR_LEN + hdr <= x->n)
            wr_u16(&w, csum_finish(csum_portable.sum(net, hdr)));
    }
    if (!tcp || !transport_find(span_of(net, x->n - ETH_HDR_LEN), &t) || t.csum_at == 0)
        return;
    size_t n = t.v4 ? load_be16(net + IP4_AT_TOTAL_LEN)
                    : IP6_HDR_LEN + load_be16(net + IP6_AT_PAYLOAD_LEN);
    if (n < t.csum_at + 2u || n > x->n - ETH_HDR_LEN)
        return;
    transport_put_csum(net, &t, transport_partial(&t, (uint32_t)n - t.at));
    transport_put_csum(net, &t, transport_csum(&t, csum_portable.sum(net + t.at, n - t.at)));
}

TEST("a frame that was changed at random matches only where the parsers find what it claims")
{
    unsigned taken = 0, refused = 0;
    COVERS("S1 INV-1");
    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame first, next, x;
        struct parsed q;
        struct wire_run run = {0};
        gen_flow(&g, &f);
        EXPECT(learn(&g, &f, &first, &q, &run));
        gen_frame(&g, &f, prop_u32(&g), 1 + prop_upto(&g, 600), prop_bool(&g),
                  prop_upto(&g, 20), &next);
        for (unsigned i = 0; i < 50; i++) {
            x = next;
            damage(&g, &x);
            seal(&x, prop_bool(&g), prop_bool(&g));
            if (look(&run, &f, &q, span_of(x.bytes, x.n)))
                taken++;
            else
                refused++;
        }
    }
    EXPECT(taken > 5000);
    EXPECT(refused > 20000);
}

TEST("one wrong bit anywhere and there is no match, or nothing was wrong")
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame first, next;
        struct parsed q;
        struct wire_run run = {0};
        gen_flow(&g, &f);
        EXPECT(learn(&g, &f, &first, &q, &run));
        gen_frame(&g, &f, prop_u32(&g), 1 + prop_upto(&g, 60), prop_bool(&g), 9, &next);
        for (size_t bit = 0; bit < next.n * 8; bit++) {
            next.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            bool took = look(&run, &f, &q, span_of(next.bytes, next.n));
            EXPECT_EQ(took, bit / 8 >= next.n - 9);     /* only behind the datagram */
            /* and where both checksums were made right by somebody: the parsers agree, as ever */
            struct frame sealed = next;
            seal(&sealed, true, true);
            (void)look(&run, &f, &q, span_of(sealed.bytes, sealed.n));
            next.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

TEST("nothing is read beyond the contiguous bytes, nor matched where they are not all headers")
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame first;
        struct parsed q;
        struct wire_run run = {0};
        struct run_seg s;
        gen_flow(&g, &f);
        EXPECT(learn(&g, &f, &first, &q, &run));
        for (size_t n = 0; n <= first.n; n++) {
            uint8_t *b = malloc(n > 0 ? n : 1);         /* ends where its heap block does */
            struct wire_run other = {0};
            memcpy(b, first.bytes, n);
            EXPECT_EQ(run_match(&run, span_of(b, n), first.n, &s), n >= run.hdr_len);
            EXPECT_EQ(run_learn(&other, span_of(b, n), FRAME_MAX), n >= run.hdr_len);
            free(b);
        }
    }
}

/* Both runs say the same of that frame. */
static void agree(struct wire_run *a, struct wire_run *b, const struct frame *x)
{
    struct run_seg g = {.len = 0}, h = {.len = 0};
    struct span s = span_of(x->bytes, x->n);
    bool taken = short_way(a, s, s.n, &g);
    EXPECT_EQ(taken, short_way(b, s, s.n, &h));
    if (taken)
        EXPECT(seq_eq(g.seq, h.seq) && g.len == h.len && g.at == h.at && g.psh == h.psh);
}

TEST("what is known of a run is used for a frame of its kind alone, and is as if learned from it")
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame first, next, more;
        struct parsed q;
        struct wire_run run = {0}, fresh = {0};
        gen_flow(&g, &f);
        EXPECT(learn(&g, &f, &first, &q, &run));
        if (prop_bool(&g))
            agree(&run, &run, &first);
        gen_frame(&g, &f, prop_u32(&g), 1 + prop_upto(&g, 1000), prop_bool(&g), 0, &next);
        if (prop_bool(&g))
            next.bytes[prop_u64(&g) % run.hdr_len] ^= (uint8_t)BIT(prop_u64(&g) % 8);
        bool again = run_learn(&run, span_of(next.bytes, next.n), FRAME_MAX);
        EXPECT_EQ(again, run_learn(&fresh, span_of(next.bytes, next.n), FRAME_MAX));
        EXPECT_EQ(run.hdr_len, again ? fresh.hdr_len : 0);
        if (!again)
            continue;
        agree(&run, &fresh, &next);
        gen_frame(&g, &f, prop_u32(&g), 1 + prop_upto(&g, 1000), prop_bool(&g), 0, &more);
        agree(&run, &fresh, &more);
        agree(&run, &fresh, &first);
    }
}

TEST("a link that takes shorter frames now is heeded")
{
    struct prop_gen g = prop_gen_of(2);
    struct flow f;
    struct frame first;
    struct parsed q;
    struct wire_run run = {0};
    struct run_seg s;
    gen_flow(&g, &f);
    EXPECT(learn(&g, &f, &first, &q, &run));
    struct span all = span_of(first.bytes, first.n);
    EXPECT(short_way(&run, all, all.n, &s));
    EXPECT(run_learn(&run, all, first.n - 1));
    EXPECT(!short_way(&run, all, all.n, &s));
}

TEST("a frame as long as the last one follows it at its sequence number, with the right checksum")
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f;
        struct frame first, next;
        struct parsed q;
        struct wire_run run = {0};
        struct run_seg s = {.len = 0}, o;
        gen_flow(&g, &f);
        EXPECT(learn(&g, &f, &first, &q, &run));
        EXPECT(run_match(&run, span_of(first.bytes, first.n), first.n, &s));
        uint32_t seq = prop_u32(&g);
        gen_frame(&g, &f, seq, s.len, prop_bool(&g), 0, &next);
        if (prop_bool(&g))
            next.bytes[prop_u64(&g) % next.n] ^= (uint8_t)BIT(prop_u64(&g) % 8);
        struct wire_run copy = run;
        bool whole = short_way(&copy, span_of(next.bytes, next.n), next.n, &o) && o.seq.v == seq;
        uint32_t sum = csum_span(&csum_portable, span_of(next.bytes + s.at, s.len));
        bool quick = run_follows(&run, next.bytes, seq_of(seq), run.hdr_len) &&
                     run_follows_good(&run, next.bytes, seq_of(seq), run.hdr_len, sum);
        EXPECT(!quick || whole);
        bool same_net = memcmp(next.bytes + 16, first.bytes + 16, 16) == 0;
        EXPECT(quick || !whole || !same_net);
    }
}

/* ---- what makes no run ---- */

static bool learns(const struct frame *x)
{
    struct wire_run run = {0};
    return run_learn(&run, span_of(x->bytes, x->n), FRAME_MAX);
}

TEST("control flags, fragments, options of IPv4, extension headers and tags make no run")
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct flow f, h;
        struct frame x;
        static const uint16_t control[] = {TCP_SYN, TCP_FIN, TCP_RST, TCP_URG};
        gen_flow(&g, &f);
        gen_frame(&g, &f, 1, 100, false, 0, &x);
        EXPECT(learns(&x));
        for (unsigned i = 0; i < ARRAY_LEN(control); i++) {
            h = f;
            h.tcp.flags |= control[i];
            gen_frame(&g, &h, 1, 100, false, 0, &x);
            EXPECT(!learns(&x));
        }
        h = f;
        h.tcp.flags &= (uint16_t)~TCP_ACK;
        gen_frame(&g, &h, 1, 100, false, 0, &x);
        EXPECT(!learns(&x));
        h = f;
        h.v6 = false;
        h.ip4.mf = true;
        gen_frame(&g, &h, 1, 100, false, 0, &x);
        EXPECT(!learns(&x));
        h.ip4.mf = false;
        h.ip4.frag_off = 8;
        gen_frame(&g, &h, 1, 100, false, 0, &x);
        EXPECT(!learns(&x));
        h.ip4.frag_off = 0;
        h.ip4.proto = IP_UDP;
        gen_frame(&g, &h, 1, 100, false, 0, &x);
        EXPECT(!learns(&x));
        gen_frame(&g, &f, 1, 100, false, 0, &x);
        x.bytes[14] = f.v6 ? 0x50 : 0x46;
        EXPECT(!learns(&x));
        gen_frame(&g, &f, 1, 100, false, 0, &x);
        x.bytes[12] = 0x81;
        x.bytes[13] = 0;
        EXPECT(!learns(&x));
        h = f;
        h.v6 = true;
        h.ip6.next = IP_HOPOPTS;
        gen_frame(&g, &h, 1, 100, false, 0, &x);
        EXPECT(!learns(&x));
    }
}

TEST("a segment without data, and a frame longer than the link takes, are no part of a run")
{
    struct prop_gen g = prop_gen_of(1);
    struct flow f;
    struct frame first, next;
    struct parsed q;
    struct wire_run run = {0};
    struct run_seg s;
    gen_flow(&g, &f);
    f.tcp.opts.n = 0;
    EXPECT(learn(&g, &f, &first, &q, &run));
    gen_frame(&g, &f, 1, 0, false, 6, &next);
    EXPECT(!short_way(&run, span_of(next.bytes, next.n), next.n, &s));
    size_t fits = FRAME_MAX - run.hdr_len;
    g.used = 0;
    gen_frame(&g, &f, 1, fits, false, 0, &next);
    EXPECT(short_way(&run, span_of(next.bytes, next.n), next.n, &s));
    EXPECT_EQ(s.len, fits);
    g.used = 0;
    gen_frame(&g, &f, 1, fits, false, 1, &next);
    EXPECT(!short_way(&run, span_of(next.bytes, next.n), next.n, &s));
    g.used = 0;
    gen_frame(&g, &f, 1, fits + 1, false, 0, &next);
    EXPECT(!short_way(&run, span_of(next.bytes, next.n), next.n, &s));
}
