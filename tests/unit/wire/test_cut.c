#include "wire/props.h"

#include "wire/cut.h"

/* ---- random super-segments: headers, and payload that need not be there ---- */

struct whole {
    uint8_t head[200];
    size_t n;                   /* of the headers */
    bool v6;
    uint16_t flags;
    seq_t seq;
    bool df;
    uint16_t id;
};

static void gen_whole(struct prop_gen *g, struct whole *x)
{
    struct wr w = wr_of(x->head, sizeof(x->head));
    x->v6 = prop_bool(g);
    x->df = x->v6 || prop_bool(g);
    x->id = x->v6 ? 0 : prop_u16(g);
    struct ip4_hdr h4 = {.tos = prop_u8(g), .total_len = prop_u16(g), .id = x->id, .df = x->df,
                         .ttl = prop_u8(g), .proto = IP_TCP, .src = prop_addr4(g),
                         .dst = prop_addr4(g), .opts = prop_bytes(g, PROP_ONE_OF(g, 0, 0, 4, 40))};
    bool ext = prop_bool(g);
    struct ip6_hdr h6 = {.tclass = prop_u8(g), .flow = prop_u32(g) & 0xfffff,
                         .payload_len = prop_u16(g), .next = ext ? IP_HOPOPTS : IP_TCP,
                         .hop_limit = prop_u8(g), .src = prop_addr6(g), .dst = prop_addr6(g)};
    if (x->v6) {
        ip6_emit(&w, &h6);
        if (ext) {
            wr_u8(&w, IP_TCP);
            wr_u8(&w, 0);
            wr_bytes(&w, prop_bytes(g, 6));
        }
    } else {
        ip4_emit(&w, &h4);
    }
    x->flags = (uint16_t)(prop_u16(g) & 0x1ff);
    x->seq = seq_of(prop_u32(g));
    struct tcp_hdr t = {.src_port = prop_u16(g), .dst_port = prop_u16(g), .seq = x->seq,
                        .ack = seq_of(prop_u32(g)), .flags = x->flags, .wnd = prop_u16(g),
                        .csum = prop_u16(g), .urg = prop_u16(g),
                        .opts = prop_bytes(g, PROP_ONE_OF(g, 0, 12, 40))};
    tcp_emit(&w, &t);
    EXPECT(!w.bad);
    x->n = wr_len(&w);
}

TEST("a piece's headers are right in every field and sum, whatever the whole one's were")
{
    static uint8_t packet[3000];
    for (uint64_t seed = 0; seed < 5000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct whole x;
        struct cut_form f;
        gen_whole(&g, &x);
        EXPECT(cut_form_of(span_of(x.head, x.n), &f));
        EXPECT_EQ(f.len, x.n);
        EXPECT_EQ(f.df, x.df);
        uint32_t n = (uint32_t)prop_upto(&g, 2000), before = (uint32_t)prop_upto(&g, 50);
        bool first = prop_bool(&g), last = prop_bool(&g), counter = prop_bool(&g);
        cut_advance(&f, before, 1000);
        memcpy(packet, x.head, x.n);
        struct span payload = prop_bytes(&g, n);
        memcpy(packet + x.n, payload.p, n);
        uint16_t flags = cut_flags(&f, first, last, counter);
        uint32_t sum = csum_portable.sum(payload.p, n);
        cut_put_net(packet, &f, n);
        cut_put_flags(packet + f.t.at, flags);
        cut_put_seq(packet + f.t.at, f.seq, cut_csum(cut_csum_base(&f, flags, n), f.seq, sum));

        struct ip4_hdr h4;
        struct ip6_hdr h6;
        struct tcp_hdr t;
        struct rd r = rd_of(span_of(packet, x.n + n));
        EXPECT(x.v6 ? ip6_parse(&r, &h6) : ip4_parse(&r, &h4));
        EXPECT_EQ(x.v6 ? h6.payload_len + 40u : h4.total_len, x.n + n);
        if (!x.v6)
            EXPECT_EQ(h4.id, (uint16_t)(x.id + (x.df ? 0 : before)));
        size_t tcp_len = x.n + n - f.t.at;
        EXPECT_EQ(csum_finish(csum_add(csum_portable.sum(packet + f.t.at, tcp_len),
                                       csum_pseudo(x.v6 ? &h6.src : &h4.src,
                                                   x.v6 ? &h6.dst : &h4.dst, IP_TCP,
                                                   (uint32_t)tcp_len))), 0);
        r = rd_of(span_of(packet + f.t.at, tcp_len));
        EXPECT(tcp_parse(&r, &t));
        EXPECT_EQ(t.seq.v, x.seq.v + before * 1000);
        uint16_t off = (uint16_t)((last ? 0 : TCP_FIN | TCP_PSH) | (first || counter ? 0 : TCP_CWR));
        EXPECT_EQ(t.flags, x.flags & ~off);
        EXPECT_EQ(cut_partial(&f, n), transport_partial(&f.t, (uint32_t)tcp_len));
    }
}

TEST("headers that are cut short anywhere are refused, and nothing beyond them is read")
{
    COVERS("S1");
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        struct whole x;
        gen_whole(&g, &x);
        for (size_t n = 0; n <= x.n; n++) {
            uint8_t *b = malloc(n > 0 ? n : 1);         /* ends where its heap block does */
            struct cut_form f;
            memcpy(b, x.head, n);
            EXPECT_EQ(cut_form_of(span_of(b, n), &f), n == x.n);
            free(b);
        }
    }
}

TEST("bytes that mean anything at all are refused or lead to fields inside of them")
{
    COVERS("S1 INV-1");
    for (uint64_t seed = 0; seed < 20000; seed++) {
        struct prop_gen g = prop_gen_of(seed);
        size_t n = prop_upto(&g, 120);
        uint8_t *b = malloc(n > 0 ? n : 1);
        struct transport t;
        struct cut_form f;
        memcpy(b, prop_bytes(&g, n).p, n);
        if (n > 0 && prop_bool(&g))
            b[0] = prop_bool(&g) ? 0x45 : 0x60;
        if (transport_find(span_of(b, n), &t)) {
            EXPECT(t.at <= n);
            EXPECT(t.csum_at == 0 || t.csum_at + 2u <= n);
        }
        if (cut_form_of(span_of(b, n), &f))
            EXPECT(f.len <= n);
        free(b);
    }
}
