/* Datagrams joined into one, and cut again: what comes out is what went in. */
#include "fixture.h"

#include "base/bytes.h"
#include "host/vnet.h"
#include "wire/eth.h"
#include "wire/cut.h"
#include "wire/udp.h"

#define MOST 80

struct fxv {
    struct fx_env fx;
    struct pkt *p[MOST];
    unsigned n;
};

static struct fxv *set_up(void)
{
    struct fxv *f = calloc(1, sizeof(*f));
    fx_env_init(&f->fx);
    return f;
}

static void clear(struct fxv *f)
{
    while (f->n > 0)
        pkt_free(f->p[--f->n]);
}

static void tear_down(struct fxv *f)
{
    clear(f);
    fx_env_fini(&f->fx);
    free(f);
}

/* A datagram of so much data, behind l3 bytes of a link's header, as the stack has it for a link that sums. */
static struct pkt *datagram(struct fxv *f, bool v6, uint8_t l3, uint32_t data)
{
    uint32_t at = v6 ? IP6_HDR_LEN : IP4_HDR_LEN, udp = UDP_HDR_LEN + data;
    struct pkt *p = pkt_new(&f->fx.env, 64, l3 + at + udp);
    uint8_t *b = pkt_data(p), *net = b + l3;
    struct transport t;
    memset(b, 0x22, l3 + at + udp);
    for (uint32_t i = 0; i < data; i++)
        b[l3 + at + UDP_HDR_LEN + i] = (uint8_t)(i * 7 + f->n);
    if (v6) {
        store_be32(net, 0x60000000);
        store_be16(net + IP6_AT_PAYLOAD_LEN, (uint16_t)udp);
        net[IP6_AT_NEXT] = IP_UDP;
    } else {
        store_be16(net, 0x4500);
        store_be16(net + IP4_AT_TOTAL_LEN, (uint16_t)(at + udp));
        store_be32(net + IP4_AT_ID, 0x00004000);
        net[IP4_AT_PROTO] = IP_UDP;
        store_be16(net + IP4_AT_CSUM, 0);
        store_be16(net + IP4_AT_CSUM, csum_finish(csum_small(net, at)));
    }
    store_be16(net + at + 4, (uint16_t)udp);
    EXPECT(transport_find(span_of(net, at + udp), &t));
    transport_put_csum(net, &t, transport_partial(&t, udp));
    p->l3 = l3;
    p->csum = CSUM_PARTIAL;
    return p;
}

static void add(struct fxv *f, bool v6, uint32_t data)
{
    f->p[f->n] = datagram(f, v6, 14, data);
    f->n++;
}

/* The bytes that a kernel would be given, as a packet of its own. */
static struct pkt *flat(struct fxv *f, unsigned n)
{
    struct vnet_join j;
    struct iovec v[VNET_IOV_MAX];
    unsigned pieces = vnet_join(&j, v, f->p, n);
    uint32_t len = 0;
    EXPECT_EQ(v[0].iov_len, sizeof(j.h));
    for (unsigned i = 1; i < pieces; i++)
        len += (uint32_t)v[i].iov_len;
    struct pkt *p = pkt_new(&f->fx.env, 64, len);
    for (unsigned i = 1, at = 0; i < pieces; at += (unsigned)v[i++].iov_len)
        memcpy(pkt_data(p) + at, v[i].iov_base, v[i].iov_len);
    p->l3 = f->p[0]->l3;
    EXPECT(vnet_to_pkt(&f->fx.env, p, &j.h));
    EXPECT(p->gso == GSO_UDP && p->csum == CSUM_PARTIAL);
    EXPECT_EQ(p->gso_size, load_be16(pkt_data(f->p[0]) + j.h.csum_start + 4) - UDP_HDR_LEN);
    return p;
}

/* The first n joined and cut are the first n. IPv4's identification counts on, which means nothing, and is in its sum. */
static void comes_back(struct fxv *f, unsigned n)
{
    struct vnet_cut c;
    EXPECT(vnet_cut_begin(&c, flat(f, n)));
    for (unsigned i = 0; i < n; i++) {
        struct pkt *q = vnet_cut_next(&c, &f->fx.env);
        uint8_t *a = pkt_data(f->p[i]), *b = pkt_data(q);
        EXPECT_EQ(pkt_len(q), pkt_len(f->p[i]));
        if (b[14] == 0x45) {
            EXPECT_EQ(csum_finish(csum_small(b + 14, IP4_HDR_LEN)), 0);
            EXPECT_EQ(load_be16(b + 14 + IP4_AT_ID), i);
            memcpy(b + 14 + IP4_AT_ID, a + 14 + IP4_AT_ID, 2);
            memcpy(b + 14 + IP4_AT_CSUM, a + 14 + IP4_AT_CSUM, 2);
        }
        uint8_t whole[2048];
        EXPECT(pkt_len(q) <= sizeof(whole));
        pkt_read(f->p[i], 0, whole, pkt_len(q));
        EXPECT_EQ(memcmp(whole, b, pkt_len(q)), 0);
        pkt_free(q);
    }
    EXPECT(!c.whole);
}

TEST("datagrams joined and cut again are the same, both families, the last one shorter or not")
{
    struct fxv *f = set_up();
    for (unsigned v6 = 0; v6 < 2; v6++)
        for (unsigned last = 1; last <= 300; last += 299) {
            for (unsigned i = 0; i < 9; i++)
                add(f, v6, 300);
            add(f, v6, last);
            EXPECT_EQ(vnet_alike(f->p, f->n), 10);
            comes_back(f, 10);
            clear(f);
        }
    tear_down(f);
}

TEST("data in several places: behind the headers, and in blocks")
{
    struct fxv *f = set_up();
    for (unsigned i = 0; i < 4; i++) {
        add(f, false, 1000);
        struct pkt *p = f->p[i];
        uint32_t keep = 14 + IP4_HDR_LEN + UDP_HDR_LEN + 100 * i;
        p->more[0] = slice_share(p->head);
        p->more[0].off += keep;
        p->more[0].len -= keep;
        p->more_n = 1;
        p->head.len = keep;
    }
    EXPECT_EQ(vnet_alike(f->p, 4), 4);
    comes_back(f, 4);
    tear_down(f);
}

TEST("what is not like the first ends the run")
{
    static const struct {
        const char *what;
        unsigned at;                    /* the byte that differs, from the network header on */
    } rows[] = {
        {"TOS", 1}, {"identification", 5}, {"flags", 6}, {"TTL", 8}, {"source", 12}, {"destination", 19},
        {"source port", 20}, {"destination port", 23}, {"protocol", 9}, {"UDP's length", 25},
    };
    struct fxv *f = set_up();
    for (unsigned r = 0; r < sizeof(rows) / sizeof(*rows); r++) {
        for (unsigned i = 0; i < 5; i++)
            add(f, false, 100);
        pkt_data(f->p[3])[14 + rows[r].at] ^= 1;
        EXPECT_EQ(vnet_alike(f->p, 5), 3);
        comes_back(f, 3);
        clear(f);
    }
    for (unsigned r = 0; r < 14; r++) {             /* the link's header */
        add(f, true, 100);
        add(f, true, 100);
        pkt_data(f->p[1])[r] ^= 1;
        EXPECT_EQ(vnet_alike(f->p, 2), 1);
        clear(f);
    }
    tear_down(f);
}

TEST("a longer one, an empty one, a summed one, a segment, another family: each goes by itself")
{
    struct fxv *f = set_up();
    add(f, false, 100);
    add(f, false, 101);
    EXPECT_EQ(vnet_alike(f->p, 2), 1);
    clear(f);
    add(f, false, 0);
    add(f, false, 0);
    EXPECT_EQ(vnet_alike(f->p, 2), 1);
    clear(f);
    add(f, false, 100);
    add(f, false, 0);
    EXPECT_EQ(vnet_alike(f->p, 2), 1);
    f->p[0]->csum = CSUM_NONE;
    EXPECT_EQ(vnet_alike(f->p, 2), 1);
    clear(f);
    add(f, false, 100);
    add(f, true, 100);
    EXPECT_EQ(vnet_alike(f->p, 2), 1);
    pkt_data(f->p[0])[14 + IP4_AT_PROTO] = IP_TCP;
    EXPECT_EQ(vnet_alike(f->p, 1), 1);
    clear(f);
    add(f, false, 100);
    add(f, false, 100);
    for (unsigned i = 0; i < 2; i++)                /* may be fragmented: its identification means something */
        pkt_data(f->p[i])[14 + IP4_AT_FRAGMENT] = 0;
    EXPECT_EQ(vnet_alike(f->p, 2), 1);
    clear(f);
    for (unsigned i = 0; i < 2; i++) {              /* padded: the frame is longer than its datagram */
        add(f, false, 10);
        f->p[i]->head.len--;
    }
    EXPECT_EQ(vnet_alike(f->p, 2), 1);
    tear_down(f);
}

TEST("no more than one packet can be long, nor than a kernel takes")
{
    struct fxv *f = set_up();
    while (f->n < MOST)
        add(f, false, 100);
    EXPECT_EQ(vnet_alike(f->p, f->n), VNET_ALIKE_MAX);
    comes_back(f, VNET_ALIKE_MAX);
    clear(f);
    while (f->n < MOST)
        add(f, true, 1452);
    EXPECT_EQ(vnet_alike(f->p, f->n), (65535 - 48) / 1452);
    comes_back(f, 45);
    tear_down(f);
}
