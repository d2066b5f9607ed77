#include "fixture.h"

#include "pkt/seal.h"
#include "wire/cut.h"
#include "wire/udp.h"

static const struct oriel_addr a4 = {0, ADDR_V4_MAPPED | 0x0a000001, 0};
static const struct oriel_addr b4 = {0, ADDR_V4_MAPPED | 0x0a000002, 0};
static const struct oriel_addr a6 = {0x20010db800000000, 1, 0};
static const struct oriel_addr b6 = {0x20010db800000000, 2, 0};

/* A packet whose network header stands at 14, with `len` bytes of transport; its sum partly there. */
static struct pkt *partial(struct fx_env *fx, bool v6, bool ext, uint8_t proto, size_t len)
{
    uint8_t bytes[1700] = {0};
    struct wr w = wr_of(bytes, sizeof(bytes));
    wr_zeros(&w, 14);
    if (v6) {
        struct ip6_hdr h = {.payload_len = (uint16_t)(len + (ext ? 8 : 0)), .hop_limit = 9,
                            .next = ext ? IP_DSTOPTS : proto, .src = a6, .dst = b6};
        ip6_emit(&w, &h);
        if (ext) {
            wr_u8(&w, proto);
            wr_u8(&w, 0);
            wr_u8(&w, IP6_OPT_PADN);
            wr_u8(&w, 4);
            wr_zeros(&w, 4);
        }
    } else {
        struct ip4_hdr h = {.total_len = (uint16_t)(20 + len), .ttl = 9, .proto = proto,
                            .src = a4, .dst = b4};
        ip4_emit(&w, &h);
    }
    uint8_t *l4 = w.p;
    for (size_t i = 0; i < len; i++)
        wr_u8(&w, (uint8_t)(i * 7 + len));
    uint8_t *field = l4 + (proto == IP_TCP ? 16 : 6);
    uint32_t sum = csum_fold(csum_pseudo(v6 ? &a6 : &a4, v6 ? &b6 : &b4, proto, (uint32_t)len));
    field[0] = (uint8_t)(sum >> 8);
    field[1] = (uint8_t)sum;
    struct pkt *p = pkt_new_copy(&fx->env, PKT_HEADROOM, wr_span(&w));
    p->l3 = 14;
    p->csum = CSUM_PARTIAL;
    return p;
}

/* Pseudo-header and transport together. */
static uint32_t whole_sum(const struct fx_env *fx, const struct pkt *p, bool v6, size_t len,
                          uint8_t proto)
{
    return csum_fold(csum_add(pkt_sum(&fx->env, p, pkt_len(p) - len, len),
                              csum_pseudo(v6 ? &a6 : &a4, v6 ? &b6 : &b4, proto, (uint32_t)len)));
}

TEST("a checksum is finished for both transports in both families, behind extension headers too")
{
    struct fx_env fx;
    fx_env_init(&fx);
    for (unsigned i = 0; i < 8; i++)
        for (size_t len = 20; len < 1500; len += 37) {
            bool v6 = i & 1, ext = i & 2;
            uint8_t proto = i & 4 ? IP_TCP : IP_UDP;
            struct pkt *p = partial(&fx, v6, ext, proto, len);
            EXPECT(pkt_seal(&fx.env, p));
            EXPECT_EQ(p->csum, CSUM_NONE);
            EXPECT_EQ(whole_sum(&fx, p, v6, len, proto), 0xffff);
            pkt_free(p);
        }
    fx_env_fini(&fx);
}

TEST("UDP's checksum is never zero, which would say that there is none")
{
    struct fx_env fx;
    fx_env_init(&fx);
    unsigned ones = 0;
    COVERS("768-1");
    for (unsigned v = 0; v < 0x10000; v++) {
        struct pkt *p = partial(&fx, false, false, IP_UDP, 20);
        struct wr w = wr_of(pkt_data(p) + 14 + 20 + 18, 2);
        wr_u16(&w, (uint16_t)v);
        EXPECT(pkt_seal(&fx.env, p));
        struct rd r = pkt_rd(p, 14 + 20 + 6);
        uint16_t csum = rd_u16(&r);
        EXPECT(csum != 0);
        ones += csum == 0xffff;
        pkt_free(p);
    }
    EXPECT_EQ(ones, 1);
    fx_env_fini(&fx);
}

TEST("what has no such checksum, or not all headers, is left as it is")
{
    struct fx_env fx;
    fx_env_init(&fx);
    for (unsigned i = 0; i < 5; i++) {
        struct pkt *p = partial(&fx, i == 4, false, IP_UDP, 100);
        uint8_t *net = pkt_data(p) + 14;
        if (i == 0)
            net[9] = IP_ICMP;
        else if (i == 1)
            net[6] = 0x20;              /* a fragment */
        else if (i == 2)
            net[0] = 0x55;
        else
            pkt_trim(p, 14 + (i == 3 ? 25 : 45));
        uint8_t before[200], after[200];
        size_t n = pkt_len(p);
        pkt_read(p, 0, before, n);
        EXPECT(!pkt_seal(&fx.env, p));
        pkt_read(p, 0, after, n);
        EXPECT_MEM(before, after, n);
        EXPECT_EQ(p->csum, CSUM_PARTIAL);
        pkt_free(p);
    }
    fx_env_fini(&fx);
}

TEST("pieces of a super-segment fit by their own size, and only where it is one")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = partial(&fx, false, false, IP_TCP, 1000);
    pkt_data(p)[14 + 20 + 12] = 0x50;
    p->gso = GSO_TCP4;
    p->gso_size = 100;
    EXPECT(pkt_gso_fits(p, 140));
    EXPECT(!pkt_gso_fits(p, 139));
    EXPECT(pkt_gso_whole(&fx.env, p));
    p->gso_size = 0;
    EXPECT(!pkt_gso_fits(p, 1500));
    pkt_data(p)[14 + 9] = IP_UDP;
    EXPECT(!pkt_gso_fits(p, 1500));
    EXPECT(!pkt_gso_whole(&fx.env, p));
    pkt_free(p);
    fx_env_fini(&fx);
}

/* As device drivers have it: sum everything from `start` on, what the field holds included. */
static void finish_as_device(struct pkt *p, const struct pkt_offload *at)
{
    uint8_t *field = pkt_data(p) + at->csum_start + at->csum_offset;
    uint16_t csum = csum_finish(csum_small(pkt_data(p) + at->csum_start, pkt_len(p) - at->csum_start));
    field[0] = (uint8_t)(csum >> 8);
    field[1] = (uint8_t)csum;
}

TEST("a device is told where the sum begins, where it goes and how long the headers are")
{
    struct fx_env fx;
    fx_env_init(&fx);
    for (unsigned i = 0; i < 8; i++) {
        bool v6 = i & 1, ext = i & 2;
        uint8_t proto = i & 4 ? IP_TCP : IP_UDP;
        struct pkt *p = partial(&fx, v6, ext, proto, 101);
        size_t l4 = 14 + (v6 ? 40 + (ext ? 8 : 0) : 20);
        struct pkt_offload at;
        if (proto == IP_TCP)
            pkt_data(p)[l4 + 12] = 0x80;
        EXPECT(pkt_offload_of(p, &at));
        EXPECT_EQ(at.csum_start, l4);
        EXPECT_EQ(at.csum_offset, proto == IP_TCP ? 16 : 6);
        EXPECT_EQ(at.hdr_len, l4 + (proto == IP_TCP ? 32 : 8));
        finish_as_device(p, &at);
        EXPECT_EQ(whole_sum(&fx, p, v6, 101, proto), 0xffff);
        pkt_data(p)[14 + (v6 ? 6 : 9)] = v6 ? IP_ICMP6 : IP_ICMP;
        EXPECT(!pkt_offload_of(p, &at));
        pkt_free(p);
    }
    struct pkt *p = partial(&fx, false, false, IP_TCP, 40);
    struct pkt_offload at;
    pkt_data(p)[14 + 20 + 12] = 0xf0;           /* more options than are there */
    EXPECT(!pkt_offload_of(p, &at));
    pkt_free(p);
    fx_env_fini(&fx);
}

TEST("an unfinished sum is kept for later where it is the transport's, and finished where it is not")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = partial(&fx, false, false, IP_UDP, 100);
    p->csum = CSUM_NONE;
    EXPECT(pkt_on_offload(&fx.env, p, 34, 6));
    EXPECT_EQ(p->csum, CSUM_PARTIAL);
    EXPECT(pkt_seal(&fx.env, p));
    EXPECT_EQ(whole_sum(&fx, p, false, 100, IP_UDP), 0xffff);
    /* Of a packet within it. */
    struct wr w = wr_of(pkt_data(p) + 80, 2);
    wr_u16(&w, 0x1234);
    EXPECT(pkt_on_offload(&fx.env, p, 64, 16));
    EXPECT_EQ(p->csum, CSUM_NONE);
    uint32_t with_field = csum_fold(csum_small(pkt_data(p) + 64, pkt_len(p) - 64));
    struct rd r = pkt_rd(p, 80);
    uint32_t field = rd_u16(&r);
    /* What was in the field is part of the sum that it completes. */
    EXPECT_EQ(csum_fold(with_field + 0x1234), 0xffff);
    EXPECT(field != 0 && field != 0x1234);
    EXPECT(!pkt_on_offload(&fx.env, p, 100, 100));
    EXPECT(!pkt_on_offload(&fx.env, p, 65535, 65535));
    pkt_free(p);
    fx_env_fini(&fx);
}
