#include "ip/fx_host.h"

#include "pkt/run.h"
#include "pkt/seal.h"
#include "pkt/stream.h"
#include "wire/cut.h"

#define US4   "10.0.0.1"
#define THEM4 "10.0.0.2"
#define US6   "2001:db8::1"
#define THEM6 "2001:db8::2"

/* ---- making super-segments ---- */

struct what {
    bool v6;
    bool ts;                    /* timestamps: 12 bytes of options */
    uint32_t n;                 /* payload */
    uint32_t mss;
    uint32_t skip;              /* it begins so far into the stream */
    uint32_t chunk;             /* pieces it was written in; 0: mss */
    uint16_t flags;
    uint32_t seq;
    bool counter;               /* PKT_ACE */
    int nif;
};

static uint8_t data[1 << 17];

static void make_data(void)
{
    struct rng g;
    rng_seed(&g, 5, 6);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)rng_u64(&g);
}

static size_t tcp_len(const struct what *w)
{
    return w->ts ? 32 : 20;
}

static struct pkt *make_super(struct fx *f, const struct what *w)
{
    static const uint8_t ts[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    struct env *env = &f->s->env;
    struct stream s;
    make_data();
    stream_init(&s, seq_of(w->seq - w->skip));
    EXPECT_EQ(stream_write(env, &s, span_of(data, w->skip + w->n), w->chunk ? w->chunk : w->mss),
              w->skip + w->n);
    struct pkt *p = pkt_new(env, PKT_HEADROOM, 0);
    assert_non_null(p);
    EXPECT_EQ(stream_attach(&s, p, seq_of(w->seq), w->n, 0), w->n);
    stream_free(env, &s);       /* the packet alone holds it now */
    struct tcp_hdr h = {.src_port = 1000, .dst_port = 80, .seq = seq_of(w->seq),
                        .ack = seq_of(77), .flags = w->flags, .wnd = 500, .urg = 3,
                        .opts = span_of(ts, w->ts ? 12 : 0)};
    struct wr out = wr_of(pkt_push_within(p, tcp_len(w)), tcp_len(w));
    tcp_emit(&out, &h);
    p->l4 = 0;
    p->gso = w->v6 ? GSO_TCP6 : GSO_TCP4;
    p->gso_size = (uint16_t)w->mss;
    p->flags |= w->counter ? PKT_ACE : 0;
    return p;
}

static int send_super(struct fx *f, const struct what *w)
{
    struct oriel_addr dst = fx_addr(w->v6 ? THEM6 : THEM4);
    struct ip_path path;
    const struct ip_tx tx = {.proto = IP_TCP, .df = true, .tos = 2};
    EXPECT_EQ(ip_path_find(&f->s->ip, &dst, NULL, 0, &path), 0);
    return ip_output(&f->s->ip, make_super(f, w), &path, &tx, WHY_FORWARD);
}

/* ---- looking at frames ---- */

struct frame {
    uint8_t bytes[70000];
    size_t n;
    struct span net;            /* from the network header on */
    size_t pad;                 /* bytes behind the datagram */
    struct eth_hdr eth;
    bool v6;
    struct ip4_hdr ip4;
    struct ip6_hdr ip6;
    struct tcp_hdr tcp;
    struct span payload;
    uint32_t sum;               /* pseudo-header and segment: 0xffff where the checksum is right */
};

static void read_net(struct frame *q)
{
    struct oriel_addr src, dst;
    struct rd r = rd_of(q->net);
    q->v6 = (q->net.p[0] >> 4) == 6;
    if (q->v6) {
        EXPECT(ip6_parse(&r, &q->ip6));
        src = q->ip6.src;
        dst = q->ip6.dst;
        EXPECT_EQ(q->ip6.next, IP_TCP);
        r.end = r.p + q->ip6.payload_len;
    } else {
        EXPECT(ip4_parse(&r, &q->ip4));
        src = q->ip4.src;
        dst = q->ip4.dst;
        EXPECT_EQ(q->ip4.proto, IP_TCP);
        r.end = r.p + q->ip4.total_len - q->ip4.hdr_len;
    }
    q->pad = (size_t)(q->net.p + q->net.n - r.end);
    struct span segment = rd_rest(&(struct rd){.p = r.p, .end = r.end});
    q->sum = csum_fold(csum_add(csum_portable.sum(segment.p, segment.n),
                                csum_pseudo(&src, &dst, IP_TCP, (uint32_t)segment.n)));
    EXPECT(tcp_parse(&r, &q->tcp));
    q->payload = rd_rest(&r);
}

static struct frame *read_frame(const struct netif *nif, const struct pkt *p)
{
    static struct frame q;
    q.n = pkt_len(p);
    EXPECT(q.n <= sizeof(q.bytes));
    pkt_read(p, 0, q.bytes, q.n);
    if (nif->fcs) {
        q.n -= 4;
        struct rd r = rd_of(span_of(q.bytes + q.n, 4));
        EXPECT_EQ(rd_fcs(&r), eth_fcs(span_of(q.bytes, q.n)));
    }
    struct rd r = rd_of(span_of(q.bytes, q.n));
    if (nif->kind == NETIF_ETHER) {
        EXPECT(eth_parse(&r, &q.eth));
        EXPECT(q.n >= ETH_MIN);
    }
    q.net = rd_rest(&r);
    read_net(&q);
    return &q;
}

/* Of the frames that w is cut into the one that is `at` bytes into it. */
static void expect_piece(const struct what *w, const struct frame *q, uint32_t at)
{
    uint32_t n = w->n - at < w->mss ? w->n - at : w->mss;
    bool last = at + n == w->n;
    uint16_t flags = w->flags;
    if (!last)
        flags &= (uint16_t)~(TCP_FIN | TCP_PSH);
    if (at > 0 && !w->counter)
        flags &= (uint16_t)~TCP_CWR;
    EXPECT_EQ(q->v6, w->v6);
    EXPECT_EQ(q->payload.n, n);
    EXPECT_MEM(q->payload.p, data + w->skip + at, n);
    EXPECT_EQ(q->tcp.seq.v, w->seq + at);
    EXPECT_EQ(q->tcp.flags, flags);
    EXPECT_EQ(q->tcp.ack.v, 77);
    EXPECT_EQ(q->tcp.wnd, 500);
    EXPECT_EQ(q->tcp.urg, 3);
    EXPECT_EQ(q->tcp.hdr_len, tcp_len(w));
    EXPECT_EQ(q->sum, 0xffff);
    if (!w->v6) {
        EXPECT_EQ(q->ip4.id, 0);        /* as in all that is not to be fragmented */
        EXPECT(q->ip4.df);
        EXPECT_EQ(q->ip4.ttl, 64);
        EXPECT_EQ(q->ip4.tos, 2);
    }
}

/* All of it leaves by that interface, so many frames a take; how many there were. */
static unsigned take_all(struct fx *f, int nif, const struct what *w, unsigned max)
{
    const struct netif *n = netif_at(&f->s->link, (uint32_t)nif);
    struct pkt *out[64];
    uint32_t at = 0;
    unsigned frames = 0, got;
    while ((got = oriel_netif_take(f->s, nif, out, max)) > 0) {
        EXPECT(got <= max);
        for (unsigned i = 0; i < got; i++) {
            const struct frame *q = read_frame(n, out[i]);
            expect_piece(w, q, at);
            EXPECT_EQ(out[i]->why, WHY_FORWARD);
            EXPECT_EQ(out[i]->csum, CSUM_NONE);
            EXPECT_EQ(out[i]->gso, GSO_NONE);
            EXPECT(out[i]->next == NULL);
            at += (uint32_t)q->payload.n;
            frames++;
            oriel_pkt_free(out[i]);
        }
    }
    EXPECT_EQ(at, w->n);
    EXPECT_EQ(netif_waiting(n), 0);
    EXPECT_EQ(n->tx_more, 0);
    return frames;
}

/* ---- what leaves an interface that does not take them ---- */

static void each_shape(struct fx *f, int nif)
{
    static const uint32_t mss[] = {1440, 1428, 536, 1411};
    static const uint32_t tail[] = {0, 1, 700, 1};
    static const unsigned max[] = {1, 3, 64};
    for (unsigned i = 0; i < 4 * 4 * 3 * 4; i++) {
        uint32_t size = mss[i % 4], segments = (const uint32_t[]){1, 2, 7, 44}[i / 4 % 4];
        struct what w = {
            .v6 = i / 48 % 2, .ts = i / 96 % 2, .mss = size, .seq = 0xfffff000u + i,
            .n = size * segments + tail[(i + i / 4) % 4] % size, .flags = TCP_ACK | TCP_PSH,
            .skip = i % 5 == 4 ? 333 : 0, .chunk = i % 7 == 6 ? 1000 : 0,
        };
        if (w.n > 65000)
            w.n = size * 40;
        if (w.ts && size == 1440)
            w.n -= 1, w.mss -= 12;
        EXPECT_EQ(send_super(f, &w), 0);
        EXPECT_EQ(take_all(f, nif, &w, max[i / 16 % 3]), (w.n + w.mss - 1) / w.mss);
    }
}

TEST("every segment of a super-segment is what TCP would have sent by itself: Ethernet")
{
    struct fx *f = fx_host();
    const struct netif_stats *stats = &netif_at(&f->s->link, 1)->stats;
    uint64_t before = stats->tx_pkts;
    each_shape(f, f->nif);
    uint64_t frames = stats->tx_pkts - before;
    f->s->env.trace_mask = 0;           /* then frames are counted together */
    each_shape(f, f->nif);
    EXPECT_EQ(stats->tx_pkts - before, 2 * frames);
    fx_free(f);
}

TEST("and over bare IP")
{
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW, .no_dad = true});
    fx_add_addr(f, f->nif, US4 "/24");
    fx_add_addr(f, f->nif, US6 "/64");
    (void)fx_skip(f);
    each_shape(f, f->nif);
    fx_free(f);
}

TEST("and with a check sequence, padded where it is short")
{
    struct fx *f = fx_new(.netif = {.fcs = true, .no_dad = true});
    fx_add_addr(f, f->nif, US4 "/24");
    fx_add_addr(f, f->nif, US6 "/64");
    fx_know(f, f->nif, THEM4, 2);
    fx_know(f, f->nif, THEM6, 2);
    (void)fx_skip(f);
    each_shape(f, f->nif);
    struct what w = {.mss = 1460, .n = 1461, .flags = TCP_ACK};
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(take_all(f, f->nif, &w, 64), 2);
    fx_free(f);
}

TEST("and from a VLAN on a VLAN, with both tags on each frame")
{
    struct fx *f = fx_new(.netif = {.no_dad = true});
    int outer = fx_netif(f, &(struct oriel_netif_config){
        .name = "o", .kind = ORIEL_NETIF_VLAN, .vlan_parent = f->nif, .vlan_id = 5,
        .vlan_qinq = true});
    int inner = fx_netif(f, &(struct oriel_netif_config){
        .name = "i", .kind = ORIEL_NETIF_VLAN, .vlan_parent = outer, .vlan_id = 6, .no_dad = true});
    fx_add_addr(f, inner, US4 "/24");
    fx_add_addr(f, inner, US6 "/64");
    fx_know(f, inner, THEM4, 2);
    fx_know(f, inner, THEM6, 2);
    (void)fx_skip(f);
    each_shape(f, f->nif);
    struct what w = {.mss = 1000, .n = 2500, .flags = TCP_ACK};
    struct pkt *out[8];
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 8), 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct frame *q = read_frame(netif_at(&f->s->link, (uint32_t)f->nif), out[i]);
        EXPECT_EQ(q->eth.tags_n, 2);
        EXPECT_EQ(q->eth.tags[0].vid, 5);
        EXPECT_EQ(q->eth.tags[1].vid, 6);
        oriel_pkt_free(out[i]);
    }
    fx_free(f);
}

TEST("a frame that is short is padded with zeros, its payload in a slice or not")
{
    struct fx *f = fx_host();
    for (unsigned i = 0; i < 4; i++) {
        struct what w = {.mss = 1460, .n = 1460 + 2, .flags = TCP_ACK | TCP_FIN};
        struct netif *nif = netif_at(&f->s->link, 1);
        struct pkt *out[2];
        uint64_t bytes = nif->stats.tx_bytes;
        f->s->env.trace_mask = i % 2 ? TOPICS_ALL : 0;
        EXPECT_EQ(send_super(f, &w), 0);
        EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, i < 2 ? 2 : 1), i < 2 ? 2 : 1);
        if (i >= 2)
            EXPECT_EQ(oriel_netif_take(f->s, f->nif, out + 1, 1), 1);
        EXPECT_EQ(pkt_len(out[0]), 1514);
        EXPECT_EQ(pkt_len(out[1]), 60);
        EXPECT_EQ(nif->stats.tx_bytes - bytes, 1574);
        const struct frame *q = read_frame(nif, out[1]);
        EXPECT_EQ(q->pad, 4);
        EXPECT_MEM(q->bytes + 56, "\0\0\0\0", 4);
        expect_piece(&w, q, 1460);
        oriel_pkt_free(out[0]);
        oriel_pkt_free(out[1]);
    }
    fx_free(f);
}

TEST("FIN and PSH stand on the last segment, CWR on the first, ECE and AE on all")
{
    struct fx *f = fx_host();
    COVERS("3168-4");
    for (unsigned max = 1; max <= 64; max += 63)
        for (unsigned flags = 0; flags < 0x200; flags++) {
            struct what w = {.mss = 100, .n = 350, .flags = (uint16_t)flags};
            EXPECT_EQ(send_super(f, &w), 0);
            EXPECT_EQ(take_all(f, f->nif, &w, max), 4);
            w.counter = true;           /* RFC 9768: all carry the counter */
            EXPECT_EQ(send_super(f, &w), 0);
            EXPECT_EQ(take_all(f, f->nif, &w, max), 4);
        }
    fx_free(f);
}

static unsigned sums_made;

static uint32_t counting_sum(const uint8_t *p, size_t n)
{
    sums_made++;
    return csum_portable.sum(p, n);
}

TEST("no payload is read where it was written in the same pieces")
{
    static struct csum_ops counting;
    struct fx *f = fx_host();
    counting = csum_portable;
    counting.sum = counting_sum;
    f->s->env.csum = &counting;
    sums_made = 0;
    struct what w = {.mss = 1460, .n = 44 * 1460, .flags = TCP_ACK};
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(take_all(f, f->nif, &w, 10), 44);
    w = (struct what){.mss = 1448, .ts = true, .n = 40 * 1448 + 5, .flags = TCP_ACK | TCP_PSH};
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(take_all(f, f->nif, &w, 64), 41);
    EXPECT_EQ(sums_made, 0);
    fx_free(f);
}

TEST("what is cut is a run: each frame is known by the first, until a byte of payload is another")
{
    struct fx *f = fx_host();
    for (unsigned i = 0; i < 4; i++) {
        struct what w = {.v6 = i % 2, .ts = i / 2, .mss = 1000, .n = 9500, .seq = 5,
                         .flags = TCP_ACK | TCP_PSH};
        struct pkt *out[10];
        struct wire_run run = {0};
        EXPECT_EQ(send_super(f, &w), 0);
        EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 10), 10);
        EXPECT(run_learn(&run, pkt_span(out[0]), 1514));
        for (unsigned k = 0; k < 10; k++) {
            struct run_seg g = {.len = 0};
            EXPECT(pkt_run_match(&f->s->env, &run, out[k], false, &g));
            EXPECT_EQ(g.seq.v, 5 + k * 1000);
            EXPECT_EQ(g.len, k < 9 ? 1000 : 500);
            EXPECT_EQ(g.psh, k == 9);
            struct slice *s = &out[k]->more[0];
            s->blk->bytes[s->off + 77] ^= 1;        /* no sum that was kept is believed */
            EXPECT(!pkt_run_match(&f->s->env, &run, out[k], false, &g));
            EXPECT(pkt_run_match(&f->s->env, &run, out[k], true, &g));
            EXPECT(pkt_linearize(&f->s->env, out[k]));
            EXPECT(!pkt_run_match(&f->s->env, &run, out[k], false, &g));
            pkt_data(out[k])[g.at + 77] ^= 1;
            EXPECT(pkt_run_match(&f->s->env, &run, out[k], false, &g));
            oriel_pkt_free(out[k]);
        }
    }
    fx_free(f);
}

/* ---- links that take more upon themselves ---- */

static struct fx *vouching(bool gso)
{
    struct fx *f = fx_new(.netif = {.vouches = true, .gso = gso, .no_dad = true});
    fx_add_addr(f, f->nif, US4 "/24");
    fx_add_addr(f, f->nif, US6 "/64");
    fx_know(f, f->nif, THEM4, 2);
    fx_know(f, f->nif, THEM6, 2);
    (void)fx_skip(f);
    return f;
}

/* The field holds the pseudo-header's sum alone. */
static void expect_partial(const struct frame *q, const struct what *w, uint32_t n)
{
    struct oriel_addr src = fx_addr(w->v6 ? US6 : US4), dst = fx_addr(w->v6 ? THEM6 : THEM4);
    EXPECT_EQ(q->tcp.csum,
              csum_fold(csum_pseudo(&src, &dst, IP_TCP, (uint32_t)tcp_len(w) + n)));
}

TEST("where the link finishes checksums, segments leave with the pseudo-header's sum")
{
    struct fx *f = vouching(false);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct what w = {.v6 = v6, .mss = 1000, .n = 2500, .flags = TCP_ACK | TCP_PSH};
        struct pkt *out[8];
        EXPECT_EQ(send_super(f, &w), 0);
        EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 8), 3);
        for (unsigned i = 0; i < 3; i++) {
            const struct frame *q = read_frame(netif_at(&f->s->link, 1), out[i]);
            EXPECT_EQ(out[i]->csum, CSUM_PARTIAL);
            EXPECT_EQ(q->payload.n, i < 2 ? 1000 : 500);
            expect_partial(q, &w, (uint32_t)q->payload.n);
            oriel_pkt_free(out[i]);
        }
    }
    fx_free(f);
}

TEST("a link that takes super-segments gets them whole, with lengths that are right")
{
    struct fx *f = vouching(true);
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct what w = {.v6 = v6, .mss = 1400, .n = 46 * 1400, .flags = TCP_ACK | TCP_CWR};
        struct pkt *out[8];
        EXPECT_EQ(send_super(f, &w), 0);
        EXPECT_EQ(netif_waiting(netif_at(&f->s->link, 1)), 1);
        EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 8), 1);
        const struct frame *q = read_frame(netif_at(&f->s->link, 1), out[0]);
        EXPECT_EQ(out[0]->csum, CSUM_PARTIAL);
        EXPECT_EQ(out[0]->gso, v6 ? GSO_TCP6 : GSO_TCP4);
        EXPECT_EQ(out[0]->gso_size, 1400);
        EXPECT_EQ(q->payload.n, w.n);
        EXPECT_MEM(q->payload.p, data, w.n);
        EXPECT_EQ(q->tcp.flags, w.flags);
        expect_partial(q, &w, w.n);
        oriel_pkt_free(out[0]);
    }
    fx_free(f);
}

TEST("who says that a link takes super-segments but not that it vouches is not believed")
{
    struct fx *f = fx_new(.netif = {.gso = true});
    EXPECT(!netif_at(&f->s->link, 1)->gso);
    fx_free(f);
}

/* What waits to arrive at ourselves. */
static const struct frame *looped(struct fx *f)
{
    static const struct netif bare = {.kind = NETIF_RAW};
    EXPECT_EQ(f->s->link.loop.n, 1);
    return read_frame(&bare, f->s->link.loop.first);
}

TEST("to ourselves a super-segment goes whole, with a good checksum or one that is vouched for")
{
    for (unsigned i = 0; i < 4; i++) {
        bool v6 = i % 2, vouches = i / 2;
        struct fx *f = fx_host();
        EXPECT(oriel_netif_add(f->s, &(struct oriel_netif_config){
                   .name = "lo", .kind = ORIEL_NETIF_LOOPBACK, .vouches = vouches}) > 0);
        struct what w = {.v6 = v6, .mss = 1460, .n = 40000, .flags = TCP_ACK};
        struct oriel_addr us = fx_addr(v6 ? US6 : US4);
        const struct ip_tx tx = {.proto = IP_TCP, .df = true};
        struct ip_path path;
        uint64_t used = f->s->budget.used;
        EXPECT_EQ(ip_path_find(&f->s->ip, &us, NULL, 0, &path), 0);
        EXPECT_EQ(ip_output(&f->s->ip, make_super(f, &w), &path, &tx, WHY_FORWARD), 0);
        const struct frame *q = looped(f);
        const struct pkt *p = f->s->link.loop.first;
        EXPECT_EQ(p->gso, GSO_NONE);
        EXPECT_EQ(p->csum, vouches ? CSUM_VERIFIED : CSUM_NONE);
        EXPECT_EQ(q->payload.n, 40000);
        EXPECT_MEM(q->payload.p, data, 40000);
        if (!vouches)
            EXPECT_EQ(q->sum, 0xffff);
        EXPECT(f->s->budget.used - used >= 40000);      /* nobody else is charged for it */
        fx_run(f, NS_PER_S);
        fx_free(f);
    }
}

/* ---- sizes ---- */

TEST("a super-segment whose segments do not fit the path is refused as any that must stay whole")
{
    struct fx *f = fx_host();
    struct what fits = {.mss = 1460, .n = 2920}, over = {.mss = 1461, .n = 2920};
    struct what fits6 = {.v6 = true, .mss = 1440, .n = 2920};
    struct what over6 = {.v6 = true, .mss = 1441, .n = 2920};
    EXPECT_EQ(send_super(f, &fits), 0);
    EXPECT_DROP(f, IP_TOO_BIG, EXPECT_EQ(send_super(f, &over), ORIEL_EMSGSIZE));
    EXPECT_EQ(send_super(f, &fits6), 0);
    EXPECT_DROP(f, IP_TOO_BIG, EXPECT_EQ(send_super(f, &over6), ORIEL_EMSGSIZE));
    EXPECT_EQ(fx_skip(f), 5);           /* 1,460 + 1,460; 1,440 + 1,440 + 40 */
    fx_free(f);
}

TEST("no super-segment is longer than 65,535 bytes with its network header")
{
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct fx *f = fx_host();
        uint32_t max = 65535 - (v6 ? 40 : 20) - 20;
        struct what w = {.v6 = v6, .mss = 1400, .n = max}, over = {.v6 = v6, .mss = 1400};
        over.n = max + 1;
        EXPECT_EQ(send_super(f, &w), 0);
        EXPECT_EQ(take_all(f, f->nif, &w, 64), 47);
        EXPECT_DROP(f, IP_TOO_BIG, EXPECT_EQ(send_super(f, &over), ORIEL_EMSGSIZE));
        fx_free(f);
    }
}

TEST("the queue counts the frames that a super-segment will be")
{
    struct fx *f = fx_new(.netif = {.tx_queue = 50, .no_dad = true});
    struct netif *nif = netif_at(&f->s->link, 1);
    struct what w = {.mss = 1000, .n = 20000, .flags = TCP_ACK};
    struct pkt *out[64];
    fx_add_addr(f, f->nif, US4 "/24");
    fx_know(f, f->nif, THEM4, 2);
    (void)fx_skip(f);
    uint64_t sent = f->s->env.why_count[WHY_FORWARD];
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(netif_waiting(nif), 20);
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(send_super(f, &w), 0);            /* what begins below the limit comes in whole */
    EXPECT_EQ(netif_waiting(nif), 60);
    EXPECT_DROP(f, TX_QUEUE_FULL, EXPECT_EQ(send_super(f, &w), ORIEL_ENOBUFS));
    EXPECT_EQ(nif->stats.tx_full, 1);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 7), 7);
    EXPECT_EQ(netif_waiting(nif), 53);
    for (unsigned i = 0; i < 7; i++)
        oriel_pkt_free(out[i]);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 64), 53);
    for (unsigned i = 0; i < 53; i++)
        oriel_pkt_free(out[i]);
    EXPECT_EQ(netif_waiting(nif), 0);
    EXPECT_EQ(f->s->env.why_count[WHY_FORWARD] - sent, 60);
    EXPECT_EQ(nif->stats.tx_pkts, 60);
    EXPECT_EQ(nif->stats.tx_bytes, 60 * 1054);
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    EXPECT_EQ(netif_waiting(nif), 0);
    fx_free(f);
}

TEST("each frame has an event of its own, caused by what caused the super-segment")
{
    struct fx *f = fx_host();
    struct trace *t = f->s->env.trace;
    struct what w = {.mss = 1000, .n = 2500, .flags = TCP_ACK};
    struct pkt *out[4];
    f->s->env.cause = 4711;
    EXPECT_EQ(send_super(f, &w), 0);
    uint64_t first = t->next;
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 4), 3);
    EXPECT_EQ(t->next - first, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct trace_rec *r = trace_at(t, first + i);
        EXPECT_EQ(r->event, EV_PKT_TX);
        EXPECT_EQ(r->why, WHY_FORWARD);
        EXPECT_EQ(r->cause, 4711);
        EXPECT_EQ(r->b, pkt_len(out[i]));
        EXPECT_EQ(out[i]->ev, first + i);
        oriel_pkt_free(out[i]);
    }
    fx_free(f);
}

/* ---- memory ---- */

TEST("where memory runs out the rest waits, and where there is none at all it is dropped")
{
    struct fx *f = fx_host();
    struct what w = {.mss = 1000, .n = 20000, .flags = TCP_ACK};
    struct pkt *out[64];
    EXPECT_EQ(send_super(f, &w), 0);
    uint64_t max = f->s->budget.max;
    f->s->budget.max = f->s->budget.used + 3000;
    unsigned n = oriel_netif_take(f->s, f->nif, out, 64);
    EXPECT(n > 2 && n < 10);
    EXPECT_EQ(netif_waiting(netif_at(&f->s->link, 1)), 20 - n);
    for (unsigned i = 0; i < n; i++) {
        expect_piece(&w, read_frame(netif_at(&f->s->link, 1), out[i]), i * 1000);
        oriel_pkt_free(out[i]);
    }
    unsigned more = oriel_netif_take(f->s, f->nif, out + n, 3);
    EXPECT_EQ(more, 3);
    expect_piece(&w, read_frame(netif_at(&f->s->link, 1), out[n]), n * 1000);
    f->s->budget.max = f->s->budget.used;
    EXPECT_DROP(f, NO_MEMORY, EXPECT_EQ(oriel_netif_take(f->s, f->nif, out + n + 3, 3), 0));
    EXPECT_EQ(netif_waiting(netif_at(&f->s->link, 1)), 0);
    f->s->budget.max = max;
    for (unsigned i = 0; i < 3; i++)
        oriel_pkt_free(out[n + i]);
    fx_free(f);
}

TEST("frames go on living when what they were cut from is gone")
{
    struct fx *f = fx_host();
    struct what w = {.mss = 1460, .n = 14600, .flags = TCP_ACK};
    struct pkt *out[4];
    EXPECT_EQ(send_super(f, &w), 0);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 4), 4);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);      /* the rest is dropped */
    for (unsigned i = 0; i < 4; i++) {
        expect_piece(&w, read_frame(netif_at(&f->s->link, 1), out[i]), i * 1460);
        oriel_pkt_free(out[i]);
    }
    fx_free(f);
}

/* ---- routers ---- */

#define FAR4 "10.0.1.2"

/* A super-segment in one block, as a device hands it over, from the first interface on. */
static struct pkt *from_outside(struct fx *f, const struct what *w, const char *addrs, bool linear)
{
    struct fx *sender = vouching(true);
    struct pkt *out;
    static uint8_t bytes[70000];
    EXPECT_EQ(send_super(sender, w), 0);
    EXPECT_EQ(oriel_netif_take(sender->s, sender->nif, &out, 1), 1);
    size_t n = pkt_len(out);
    pkt_read(out, 0, bytes, n);
    oriel_pkt_free(out);
    fx_free(sender);
    struct oriel_addr src, dst;
    fx_craft(f, f->nif, addrs);                 /* the link's and the network's addresses */
    memcpy(bytes, f->frame, 14);
    memcpy(bytes + (w->v6 ? 22 : 26), f->frame + (w->v6 ? 22 : 26), w->v6 ? 32 : 8);
    if (!w->v6) {
        memset(bytes + 24, 0, 2);
        uint32_t sum = csum_fold(csum_portable.sum(bytes + 14, 20));
        bytes[24] = (uint8_t)(~sum >> 8);
        bytes[25] = (uint8_t)~sum;
    }
    struct rd r = rd_of(span_of(bytes + (w->v6 ? 22 : 26), 32));
    src = w->v6 ? rd_addr6(&r) : rd_addr4(&r);
    dst = w->v6 ? rd_addr6(&r) : rd_addr4(&r);
    uint8_t *field = bytes + 14 + (w->v6 ? 40 : 20) + 16;
    uint32_t sum = csum_fold(csum_pseudo(&src, &dst, IP_TCP, (uint32_t)tcp_len(w) + w->n));
    field[0] = (uint8_t)(sum >> 8);
    field[1] = (uint8_t)sum;
    struct pkt *p = oriel_pkt_new(f->s, f->nif, bytes, linear ? n : 14 + 120);
    if (!linear) {                              /* the same in two blocks */
        struct pkt *rest = pkt_new_copy(&f->s->env, 0, span_of(bytes + 134, n - 134));
        p->more[p->more_n++] = slice_share(rest->head);
        pkt_free(rest);
    }
    p->csum = CSUM_PARTIAL;
    p->gso = w->v6 ? GSO_TCP6 : GSO_TCP4;
    p->gso_size = (uint16_t)w->mss;
    return p;
}

static struct fx *super_router(bool nat)
{
    struct fx *f = fx_new(.netif = {.vouches = true, .gso = true, .no_dad = true},
                          .stack = {.forward4 = true, .forward6 = true});
    int other = fx_netif(f, &(struct oriel_netif_config){.no_dad = true, .nat = nat});
    fx_add_addr(f, f->nif, US4 "/24");
    fx_add_addr(f, f->nif, US6 "/64");
    fx_add_addr(f, other, "10.0.1.1/24");
    fx_add_addr(f, other, "2001:db8:1::1/64");
    fx_know(f, other, FAR4, 0x22);
    fx_know(f, other, "2001:db8:1::2", 0x22);
    fx_know(f, f->nif, THEM4, 2);
    (void)fx_skip(f);
    return f;
}

static void step(struct fx *f, struct pkt *p)
{
    oriel_step(f->s, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1});
}

#define LINE4 "ip src=10.0.0.2 dst=10.0.1.2 ttl=64 tos=2 df / tcp 1000>80"
#define LINE6 "ip6 src=2001:db8::2 dst=2001:db8:1::2 / tcp 1000>80"

static void expect_forwarded(struct fx *f, const struct what *w, unsigned max, bool translated)
{
    struct pkt *out[64];
    uint32_t at = 0;
    unsigned frames = 0, got;
    while ((got = oriel_netif_take(f->s, f->nif + 1, out, max)) > 0)
        for (unsigned i = 0; i < got; i++) {
            const struct frame *q = read_frame(netif_at(&f->s->link, 2), out[i]);
            uint32_t n = w->n - at < w->mss ? w->n - at : w->mss;
            EXPECT_EQ(q->sum, 0xffff);
            EXPECT_EQ(q->payload.n, n);
            EXPECT_MEM(q->payload.p, data + w->skip + at, n);
            EXPECT_EQ(q->tcp.seq.v, w->seq + at);
            EXPECT_EQ(w->v6 ? q->ip6.hop_limit : q->ip4.ttl, 63);
            EXPECT(w->v6 || addr_to_v4(&q->ip4.src) == (translated ? 0x0a000101 : 0x0a000002));
            at += n;
            frames++;
            oriel_pkt_free(out[i]);
        }
    EXPECT_EQ(at, w->n);
    EXPECT_EQ(frames, (w->n + w->mss - 1) / w->mss);
}

TEST("a super-segment that is forwarded is cut for the link it leaves by, in one block or several")
{
    for (unsigned i = 0; i < 8; i++) {
        struct fx *f = super_router(false);
        struct what w = {.v6 = i % 2, .mss = 1400, .n = 30 * 1400 + 9, .seq = 99, .ts = i / 4,
                         .flags = TCP_ACK | TCP_PSH};
        step(f, from_outside(f, &w, w.v6 ? LINE6 : LINE4, i / 2 % 2));
        expect_forwarded(f, &w, i / 4 ? 1 : 64, false);
        fx_free(f);
    }
}

TEST("where pieces may be fragmented further on each has an identification of its own")
{
    struct fx *f = super_router(false);
    struct what w = {.mss = 1000, .n = 9500, .flags = TCP_ACK};
    struct pkt *out[16];
    struct pkt *p = from_outside(f, &w, LINE4, true);
    struct wr csum = wr_of(pkt_data(p) + 24, 2);
    pkt_data(p)[20] = 0;                /* DF, and what it is in the checksum */
    wr_u16(&csum, 0);
    csum = wr_of(pkt_data(p) + 24, 2);
    wr_u16(&csum, csum_finish(csum_portable.sum(pkt_data(p) + 14, 20)));
    step(f, p);
    unsigned n = oriel_netif_take(f->s, f->nif + 1, out, 3);
    n += oriel_netif_take(f->s, f->nif + 1, out + n, 13);
    EXPECT_EQ(n, 10);
    for (unsigned i = 0; i < n; i++) {
        const struct frame *q = read_frame(netif_at(&f->s->link, 2), out[i]);
        EXPECT_EQ(q->ip4.id, i);
        EXPECT(!q->ip4.df);
        EXPECT_EQ(q->sum, 0xffff);
        oriel_pkt_free(out[i]);
    }
    fx_free(f);
}

TEST("a super-segment is translated as one segment, and its segments are right")
{
    for (unsigned i = 0; i < 2; i++) {
        struct fx *f = super_router(true);
        struct what w = {.mss = 1400, .n = 30 * 1400 + 9, .seq = 99, .flags = TCP_ACK | TCP_SYN};
        step(f, from_outside(f, &w, LINE4, i == 0));
        expect_forwarded(f, &w, 7, true);
        fx_free(f);
    }
}

TEST("a checksum that is not finished when a segment arrives is when it is forwarded or translated")
{
    for (unsigned i = 0; i < 6; i++) {
        struct fx *f = super_router(i >= 2 && i < 4);
        struct what w = {.mss = 1400, .n = 1300, .seq = 99, .flags = TCP_ACK | TCP_SYN};
        struct pkt *p = from_outside(f, &w, LINE4, i % 2), *out[4];
        p->gso = GSO_NONE;
        if (i >= 4) {                           /* it must be cut into fragments */
            EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif + 1, 700), 0);
            struct wr zero = wr_of(pkt_data(p) + 24, 2), csum = zero;
            pkt_data(p)[20] = 0;
            wr_u16(&zero, 0);
            wr_u16(&csum, csum_finish(csum_portable.sum(pkt_data(p) + 14, 20)));
        }
        step(f, p);
        unsigned n = oriel_netif_take(f->s, f->nif + 1, out, 4);
        EXPECT_EQ(n, i < 4 ? 1 : 2);
        static uint8_t segment[2000];
        size_t len = 0;
        for (unsigned k = 0; k < n; k++) {
            struct rd r = pkt_rd(out[k], 14);
            struct ip4_hdr h;
            EXPECT(ip4_parse_quoted(&r, &h));
            EXPECT_EQ(out[k]->csum, CSUM_NONE);
            pkt_read(out[k], 34, segment + h.frag_off, h.total_len - 20u);
            len += h.total_len - 20u;
            if (k == 0)
                EXPECT_EQ(addr_to_v4(&h.src), i == 2 || i == 3 ? 0x0a000101 : 0x0a000002);
            if (k + 1 == n)
                EXPECT_EQ(csum_finish(csum_add(csum_portable.sum(segment, len),
                                               csum_pseudo(&h.src, &h.dst, IP_TCP,
                                                           (uint32_t)len))), 0);
            oriel_pkt_free(out[k]);
        }
        EXPECT_EQ(len, 1320);
        fx_free(f);
    }
}

TEST("a router tells who sent a super-segment whose segments do not fit the next link")
{
    struct fx *f = super_router(false);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif + 1, 1300), 0);
    struct what w = {.mss = 1400, .n = 14000, .flags = TCP_ACK};
    EXPECT_DROP(f, IP_TOO_BIG, step(f, from_outside(f, &w, LINE4, true)));
    EXPECT_OUT(f, "icmp.type == 3 && icmp.code == 4 && icmp.mtu == 1300");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a frame that is too long is refused where the link takes no super-segments, whatever is said")
{
    struct fx *f = fx_router();
    struct what w = {.mss = 1400, .n = 14000, .flags = TCP_ACK};
    EXPECT_DROP(f, ETH_LONG, step(f, from_outside(f, &w, LINE4, true)));
    fx_free(f);
}

TEST("what is no TCP cannot be cut and is dropped")
{
    struct fx *f = super_router(false);
    struct what w = {.mss = 1400, .n = 14000, .flags = TCP_ACK};
    struct pkt *p = from_outside(f, &w, LINE4, true);
    pkt_data(p)[14 + 9] = IP_UDP;
    pkt_data(p)[14 + 11] = (uint8_t)(pkt_data(p)[14 + 11] - (IP_UDP - IP_TCP));
    EXPECT_EQ(p->gso, GSO_TCP4);
    uint64_t before = fx_drops_all(f);
    step(f, p);
    EXPECT(fx_drops_all(f) > before);
    (void)fx_skip(f);
    fx_free(f);
}

/* ---- checksums that are finished late ---- */

/* A segment that is no super-segment, its checksum left to the bottom. */
static struct pkt *partial_segment(struct fx *f, struct what *w)
{
    struct pkt *p = make_super(f, w);
    struct oriel_addr src = fx_addr(US4), dst = fx_addr(THEM4);
    p->gso = GSO_NONE;
    p->gso_size = 0;
    p->csum = CSUM_PARTIAL;
    uint32_t sum = csum_fold(csum_pseudo(&src, &dst, IP_TCP, (uint32_t)pkt_len(p)));
    struct wr at = wr_of(pkt_data(p) + 16, 2);
    wr_u16(&at, (uint16_t)sum);
    return p;
}

static int send_partial(struct fx *f, struct pkt *p)
{
    struct oriel_addr dst = fx_addr(THEM4);
    const struct ip_tx tx = {.proto = IP_TCP};
    struct ip_path path;
    EXPECT_EQ(ip_path_find(&f->s->ip, &dst, NULL, 0, &path), 0);
    return ip_output(&f->s->ip, p, &path, &tx, WHY_FORWARD);
}

TEST("a checksum that was left to the bottom is finished where the link does not vouch")
{
    struct fx *f = fx_host();
    for (uint32_t n = 1; n < 1460; n += 77) {
        struct what w = {.mss = 1460, .n = n, .flags = TCP_ACK};
        struct pkt *out[2];
        EXPECT_EQ(send_partial(f, partial_segment(f, &w)), 0);
        EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 2), 1);
        EXPECT_EQ(out[0]->csum, CSUM_NONE);
        EXPECT_EQ(read_frame(netif_at(&f->s->link, 1), out[0])->sum, 0xffff);
        oriel_pkt_free(out[0]);
    }
    fx_free(f);
}

TEST("and where it vouches it stays as it is")
{
    struct fx *f = vouching(false);
    struct what w = {.mss = 1460, .n = 800, .flags = TCP_ACK};
    struct pkt *out[2];
    EXPECT_EQ(send_partial(f, partial_segment(f, &w)), 0);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 2), 1);
    EXPECT_EQ(out[0]->csum, CSUM_PARTIAL);
    expect_partial(read_frame(netif_at(&f->s->link, 1), out[0]), &w, 800);
    oriel_pkt_free(out[0]);
    fx_free(f);
}

TEST("a head that others hold as well is copied before its checksum is written")
{
    struct fx *f = fx_host();
    struct what w = {.mss = 1460, .n = 800, .flags = TCP_ACK};
    struct pkt *p = partial_segment(f, &w), *out[2];
    EXPECT_EQ(send_partial(f, p), 0);
    struct pkt *other = pkt_share(&f->s->env, p);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, out, 2), 1);
    expect_partial(read_frame(netif_at(&f->s->link, 1), other), &w, 800);
    EXPECT_EQ(read_frame(netif_at(&f->s->link, 1), out[0])->sum, 0xffff);
    EXPECT_EQ(out[0]->more_n, 1);
    EXPECT(out[0]->more[0].blk == other->more[0].blk);
    oriel_pkt_free(out[0]);
    oriel_pkt_free(other);
    fx_free(f);
}

TEST("a datagram is finished before it is cut into fragments")
{
    struct fx *f = fx_host();
    struct what w = {.mss = 4000, .n = 4000, .flags = TCP_ACK};
    static uint8_t whole[5000];
    struct pkt *out[8];
    EXPECT_EQ(send_partial(f, partial_segment(f, &w)), 0);
    unsigned n = oriel_netif_take(f->s, f->nif, out, 8);
    EXPECT_EQ(n, 3);
    for (unsigned i = 0; i < n; i++) {
        struct ip4_hdr h;
        struct rd r = pkt_rd(out[i], 14);
        EXPECT(ip4_parse(&r, &h));
        memcpy(whole + h.frag_off, r.p, h.total_len - 20u);
        oriel_pkt_free(out[i]);
    }
    struct oriel_addr src = fx_addr(US4), dst = fx_addr(THEM4);
    EXPECT_EQ(csum_finish(csum_add(csum_portable.sum(whole, 4020),
                                   csum_pseudo(&src, &dst, IP_TCP, 4020))), 0);
    fx_free(f);
}
