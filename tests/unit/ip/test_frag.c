/* Cutting and reassembly, both families, against literal oracles. */
#include "fixture.h"

#include "ip/frag.c"
#include "ip/frag_cut.c"

#define RECS_MAX  64u
#define BYTES_MAX ((uint64_t)2 << 20)
#define DATA_MAX  65536

struct fx {
    struct fx_env base;
    struct frag_table t;
    struct rng g;
    struct pkt *whole;          /* what the last fragment completed */
    uint8_t data[DATA_MAX];     /* of every honest datagram */
};

/* One fragment. Zero: family IPv4, host 0, id 0, Not-ECT, data as in fx. */
struct piece {
    bool v6;
    uint16_t off;
    uint16_t len;
    bool more;
    uint8_t ecn;
    uint32_t id;
    uint8_t host;               /* which source */
    uint8_t proto;
    uint16_t nif;
    uint8_t twist;              /* added to every byte */
};

static void fx_init_sized(struct fx *f, uint32_t recs_max, uint64_t bytes_max)
{
    fx_env_init_sized(&f->base, (size_t)16 << 20, (size_t)10 << 20);
    EXPECT(frag_init(&f->t, &f->base.env, &f->base.arena, recs_max, bytes_max));
    rng_seed(&f->g, FX_SEED, 11);
    f->whole = NULL;
    for (size_t i = 0; i < DATA_MAX; i++)
        f->data[i] = (uint8_t)rng_u64(&f->g);
}

static void fx_init(struct fx *f)
{
    fx_init_sized(f, RECS_MAX, BYTES_MAX);
}

/* Fires what is due; the quotes that came of it are freed and counted. */
static unsigned fx_run_timers(struct fx *f)
{
    unsigned quotes = 0;
    for (struct timer *t; (t = fx_timer(&f->base)) != NULL;) {
        EXPECT_EQ(t->kind, TIMER_FRAG);
        struct pkt *q = frag_on_timer(&f->t, t);
        quotes += q != NULL;
        if (q)
            pkt_free(q);
    }
    return quotes;
}

static void fx_fini(struct fx *f)
{
    fx_pass(&f->base, FRAG_TIMEOUT);
    fx_run_timers(f);
    EXPECT_EQ(f->t.recs.live, 0);
    EXPECT_EQ(f->t.map.used, 0);
    EXPECT_EQ(f->t.by_src.used, 0);
    EXPECT_EQ(f->t.bytes, 0);
    EXPECT(list_empty(&f->t.by_age));
    EXPECT_EQ(f->base.env.wheel.armed, 0);
    fx_env_fini(&f->base);
}

static struct oriel_addr host_addr(bool v6, uint32_t n)
{
    return v6 ? addr_v6(0x20010db800000000, 0x100 + n) : addr_v4(0xc0000200 + n);
}

#define HOP_BY_HOP 8            /* every IPv6 datagram has such a header: PadN */

static uint16_t hdr_len_of(const struct piece *x)
{
    return x->v6 ? IP6_HDR_LEN + HOP_BY_HOP : IP4_HDR_LEN;
}

static struct frag_in frag_in_of(const struct piece *x)
{
    return (struct frag_in){
        .key = {
            .src = host_addr(x->v6, x->host),
            .dst = host_addr(x->v6, 99),
            .id = x->id,
            .proto = x->v6 ? 0 : (uint8_t)(x->proto ? x->proto : IP_UDP),
            .nif = x->nif ? x->nif : 1,
        },
        .off = x->off,
        .len = x->len,
        .more = x->more,
        .hdr_len = hdr_len_of(x),
        .ecn = x->ecn,
        .next = IP_UDP,
        .next_at = IP6_HDR_LEN,
    };
}

static void emit_hdr4(struct wr *w, const struct piece *x, const struct frag_in *in)
{
    struct ip4_hdr h = {
        .tos = 0x48 | x->ecn,
        .total_len = (uint16_t)(in->hdr_len + in->len),
        .id = (uint16_t)x->id,
        .mf = x->more,
        .frag_off = x->off,
        .ttl = 61,
        .proto = in->key.proto,
        .src = in->key.src,
        .dst = in->key.dst,
    };
    ip4_emit(w, &h);
}

static void emit_hdr6(struct wr *w, const struct piece *x, const struct frag_in *in)
{
    static const uint8_t hop_by_hop[HOP_BY_HOP] = {IP_FRAGMENT, 0, IP6_OPT_PADN, 4, 0, 0, 0, 0};
    struct ip6_hdr h = {
        .tclass = 0x48 | x->ecn,
        .flow = 0xabcde,
        .payload_len = (uint16_t)(HOP_BY_HOP + IP6_FRAG_LEN + in->len),
        .next = IP_HOPOPTS,
        .hop_limit = 61,
        .src = in->key.src,
        .dst = in->key.dst,
    };
    struct ip6_frag fh = {.next = IP_UDP, .off = x->off, .more = x->more, .id = x->id};
    ip6_emit(w, &h);
    wr_bytes(w, span_of(hop_by_hop, sizeof(hop_by_hop)));
    ip6_frag_emit(w, &fh);
}

static struct pkt *pkt_of(struct fx *f, const struct piece *x)
{
    struct frag_in in = frag_in_of(x);
    size_t head = in.hdr_len + (x->v6 ? IP6_FRAG_LEN : 0u);
    struct pkt *p = pkt_new(&f->base.env, 64, head + x->len);
    assert_non_null(p);
    struct wr w = wr_of(pkt_data(p), head + x->len);
    if (x->v6)
        emit_hdr6(&w, x, &in);
    else
        emit_hdr4(&w, x, &in);
    for (size_t i = 0; i < x->len; i++)
        wr_u8(&w, (uint8_t)(f->data[(x->off + i) % DATA_MAX] + x->twist));
    EXPECT(!w.bad);
    p->nif = in.key.nif;
    return p;
}

/* A fragment arrives: why it was dropped, or DROP_NONE. */
static enum drop give(struct fx *f, struct piece x)
{
    struct frag_in in = frag_in_of(&x);
    enum drop why = DROP_N;
    uint64_t before[DROP_N];
    memcpy(before, f->base.env.drop_count, sizeof(before));
    EXPECT(f->whole == NULL);
    f->whole = frag_input(&f->t, pkt_of(f, &x), &in, &why);
    EXPECT(why < DROP_N);
    EXPECT(f->whole == NULL || why == DROP_NONE);
    if (why != DROP_NONE) {
        EXPECT(f->base.env.drop_count[why] > before[why]);
        EXPECT_DROPPED(&f->base.env, why);
    }
    EXPECT(f->t.bytes <= f->t.bytes_max);
    return why;
}

/* The whole datagram is there, is right in every field and byte; the ECN bits it has. */
static uint8_t take_whole(struct fx *f, bool v6, uint32_t len)
{
    struct pkt *p = f->whole;
    assert_non_null(p);
    f->whole = NULL;
    EXPECT_EQ(p->l3, 0);
    EXPECT_EQ(p->more_n, 0);
    uint8_t ecn = 0;
    struct rd r = pkt_rd(p, 0);
    if (v6) {
        struct ip6_hdr h;
        struct ip6_ext e;
        EXPECT(ip6_parse(&r, &h));
        EXPECT_EQ(h.payload_len, HOP_BY_HOP + len);
        EXPECT_EQ(h.next, IP_HOPOPTS);
        EXPECT_EQ(h.flow, 0xabcde);
        EXPECT_EQ(h.hop_limit, 61);
        EXPECT_EQ(h.tclass >> 2, 0x48 >> 2);
        EXPECT(ip6_ext_parse(&r, IP_HOPOPTS, &e));
        EXPECT_EQ(e.next, IP_UDP);
        ecn = h.tclass & 3;
    } else {
        struct ip4_hdr h;
        EXPECT(ip4_parse(&r, &h));
        EXPECT_EQ(h.total_len, IP4_HDR_LEN + len);
        EXPECT_EQ(h.frag_off, 0);
        EXPECT(!h.mf);
        EXPECT_EQ(h.ttl, 61);
        EXPECT_EQ(h.tos >> 2, 0x48 >> 2);
        ecn = h.tos & 3;
    }
    EXPECT_EQ(rd_left(&r), len);
    EXPECT_EQ(p->l4, pkt_len(p) - len);
    EXPECT(span_eq(rd_rest(&r), span_of(f->data, len)));
    pkt_free(p);
    return ecn;
}

static uint64_t dropped(const struct fx *f, enum drop why)
{
    return f->base.env.drop_count[why];
}

#define BOTH_FAMILIES(v6) for (int v6##_i = 0, v6 = 0; v6##_i < 2; v6 = ++v6##_i)
#define PIECE(...) ((struct piece){__VA_ARGS__})

static void shuffle(struct rng *g, uint16_t *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = rng_below(g, i);
        uint16_t was = v[i - 1];
        v[i - 1] = v[k];
        v[k] = was;
    }
}

/* ---- what is whole in the end ---- */

TEST("two fragments become a datagram in either order")
{
    COVERS("1122-3.2.1.4 791-FRAG 8200-8");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 1400, .more = true)), DROP_NONE);
        EXPECT(f.whole == NULL);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 1400, .len = 77)), DROP_NONE);
        take_whole(&f, v6, 1477);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 1400, .len = 77)), DROP_NONE);
        EXPECT(f.whole == NULL);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 1400, .more = true)), DROP_NONE);
        take_whole(&f, v6, 1477);
        fx_fini(&f);
    }
}

TEST("datagrams of 576, 1500 and 65535 bytes come together in all six orders of three fragments")
{
    COVERS("1122-3.2.1.4 8200-12");
    static const uint8_t order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    static const uint32_t size[] = {576, 1500, 4000, 12000, 65535};
    BOTH_FAMILIES(v6)
        for (size_t s = 0; s < ARRAY_LEN(size); s++)
            for (size_t o = 0; o < ARRAY_LEN(order); o++) {
                struct fx f;
                fx_init(&f);
                uint32_t len = size[s] - (v6 ? HOP_BY_HOP : IP4_HDR_LEN);
                uint16_t third = (uint16_t)(len / 3 & ~7u);
                for (size_t i = 0; i < 3; i++) {
                    uint16_t off = (uint16_t)(third * order[o][i]);
                    bool more = order[o][i] != 2;
                    uint16_t n = more ? third : (uint16_t)(len - off);
                    EXPECT(f.whole == NULL);
                    EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = off, .len = n, .more = more)), 0);
                }
                take_whole(&f, v6, len);
                fx_fini(&f);
            }
}

TEST("the largest datagram comes together from 8-byte fragments in random order")
{
    COVERS("1122-3.2.1.4 S12");
    static uint16_t order[8192];
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        uint32_t len = 65535u - (v6 ? HOP_BY_HOP : IP4_HDR_LEN);
        uint16_t n = (uint16_t)((len + 7) / 8);
        for (int run = 0; run < 3; run++) {
            for (uint16_t i = 0; i < n; i++)
                order[i] = i;
            shuffle(&f.g, order, n);
            for (uint16_t i = 0; i < n; i++) {
                uint16_t off = (uint16_t)(order[i] * 8);
                bool more = order[i] != n - 1;
                EXPECT(f.whole == NULL);
                EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = off, .more = more,
                                         .len = more ? 8 : (uint16_t)(len - off))),
                          DROP_NONE);
                EXPECT_EQ(f.t.recs.live, i < n - 1);
            }
            take_whole(&f, v6, len);
        }
        fx_fini(&f);
    }
}

TEST("interface, flags and arrival are those of the last fragment; nobody has checked the checksum")
{
    struct fx f;
    fx_init(&f);
    struct piece x = {.len = 8, .more = true};
    EXPECT_EQ(give(&f, x), DROP_NONE);
    fx_pass(&f.base, NS_PER_S);
    x = PIECE(.off = 8, .len = 8);
    struct frag_in in = frag_in_of(&x);
    struct pkt *p = pkt_of(&f, &x);
    p->flags = PKT_L2_MCAST;
    p->csum = CSUM_VERIFIED;
    p->ev = 4711;
    enum drop why;
    f.whole = frag_input(&f.t, p, &in, &why);
    assert_non_null(f.whole);
    EXPECT_EQ(f.whole->flags, PKT_L2_MCAST);
    EXPECT_EQ(f.whole->nif, 1);
    EXPECT_EQ(f.whole->arrival, f.base.env.now);
    EXPECT_EQ(f.whole->ev, 4711);
    EXPECT_EQ(f.whole->csum, CSUM_NONE);
    take_whole(&f, false, 16);
    fx_fini(&f);
}

TEST("fragments of different datagrams, hosts, protocols and interfaces do not mix")
{
    COVERS("8200-8");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        struct piece other[] = {
            {.id = 0}, {.id = 1}, {.id = 0x10000}, {.host = 1}, {.nif = 2}, {.proto = IP_ICMP},
        };
        size_t n = ARRAY_LEN(other) - (v6 ? 1 : 0);     /* IPv6 fragments have no protocol */
        for (size_t i = 0; i < n; i++) {
            struct piece x = other[i];
            x.v6 = v6;
            x.len = 16;
            x.more = true;
            EXPECT_EQ(give(&f, x), DROP_NONE);
        }
        EXPECT_EQ(f.t.recs.live, n);
        for (size_t i = 0; i < n; i++) {
            struct piece x = other[i];
            x.v6 = v6;
            x.off = 16;
            x.len = 3;
            EXPECT_EQ(give(&f, x), DROP_NONE);
            take_whole(&f, v6, 19);
        }
        fx_fini(&f);
    }
}

TEST("IPv6: the next header and all that cannot be fragmented come from the fragment at offset 0")
{
    COVERS("8200-8");
    struct fx f;
    fx_init(&f);
    struct piece x = {.v6 = true, .off = 8, .len = 8};
    struct frag_in in = frag_in_of(&x);
    in.next = IP_TCP;                   /* differs, and does not count */
    enum drop why;
    EXPECT(frag_input(&f.t, pkt_of(&f, &x), &in, &why) == NULL);
    EXPECT_EQ(give(&f, PIECE(.v6 = true, .len = 8, .more = true)), DROP_NONE);
    take_whole(&f, true, 16);
    fx_fini(&f);
}

TEST("IPv4: options of the first fragment are those of the datagram")
{
    COVERS("791-FRAG");
    static const uint8_t opts[] = {IP4_OPT_NOP, IP4_OPT_RR, 7, 4, 0, 0, 0, 0};
    struct fx f;
    fx_init(&f);
    struct ip4_hdr h = {.total_len = 28 + 8, .id = 0, .mf = true, .ttl = 9, .proto = IP_UDP,
                        .src = host_addr(false, 0), .dst = host_addr(false, 99),
                        .opts = span_of(opts, sizeof(opts))};
    struct pkt *p = pkt_new(&f.base.env, 0, 28 + 8);
    struct wr w = wr_of(pkt_data(p), 28 + 8);
    ip4_emit(&w, &h);
    wr_bytes(&w, span_of(f.data, 8));
    struct piece x = {.len = 8, .more = true};
    struct frag_in in = frag_in_of(&x);
    in.hdr_len = 28;
    enum drop why;
    EXPECT(frag_input(&f.t, p, &in, &why) == NULL);
    EXPECT_EQ(give(&f, PIECE(.off = 8, .len = 8)), DROP_NONE);
    struct rd r = pkt_rd(f.whole, 0);
    EXPECT(ip4_parse(&r, &h));
    EXPECT_EQ(h.total_len, 28 + 16);
    EXPECT(span_eq(h.opts, span_of(opts, sizeof(opts))));
    EXPECT(span_eq(rd_rest(&r), span_of(f.data, 16)));
    pkt_free(f.whole);
    f.whole = NULL;
    fx_fini(&f);
}

TEST("a fragment that is the whole datagram meets no other with its identification")
{
    COVERS("6946-1 S21");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 64, .more = true)), DROP_NONE);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 33)), DROP_NONE);
        take_whole(&f, v6, 33);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 0)), DROP_NONE);
        take_whole(&f, v6, 0);
        EXPECT_EQ(f.t.recs.live, 1);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 64, .len = 5)), DROP_NONE);
        take_whole(&f, v6, 69);
        fx_fini(&f);
    }
}

/* ---- overlaps ---- */

enum allen { BEFORE, MEETS, OVERLAPS, STARTS, DURING, FINISHES, EQUAL, FINISHED, CONTAINS, STARTED,
             OVERLAPPED, MET, AFTER, ALLEN_N };

static enum allen relation(unsigned a1, unsigned a2, unsigned b1, unsigned b2)
{
    if (a2 < b1) return BEFORE;
    if (a2 == b1) return MEETS;
    if (b2 < a1) return AFTER;
    if (b2 == a1) return MET;
    if (a1 == b1) return a2 == b2 ? EQUAL : a2 < b2 ? STARTS : STARTED;
    if (a2 == b2) return a1 > b1 ? FINISHES : FINISHED;
    if (a1 > b1 && a2 < b2) return DURING;
    if (a1 < b1 && a2 > b2) return CONTAINS;
    return a1 < b1 ? OVERLAPS : OVERLAPPED;
}

/* What must become of the second of two fragments, in words of the table and nothing else. */
static enum drop second_of(enum allen r)
{
    switch (r) {
    case BEFORE: case MEETS: case MET: case AFTER:
        return DROP_NONE;
    case EQUAL:
        return DROP_FRAG_DUPLICATE;
    case OVERLAPS: case STARTS: case DURING: case FINISHES: case FINISHED: case CONTAINS:
    case STARTED: case OVERLAPPED: case ALLEN_N:
        return DROP_FRAG_OVERLAP;
    }
    return DROP_N;
}

#define SPAN 6u                 /* units in which the two fragments lie */

/* Everything that is not in the two fragments, and the end: 5 bytes. */
static void give_rest(struct fx *f, bool v6, const bool *have, enum drop want)
{
    for (unsigned u = 0; u <= SPAN; u++) {
        if (have[u])
            continue;
        struct piece x = {.v6 = v6, .off = (uint16_t)(u * 8), .len = u < SPAN ? 8 : 5,
                          .more = u < SPAN};
        EXPECT(f->whole == NULL);
        EXPECT_EQ(give(f, x), want);
    }
}

static enum allen try_pair(struct fx *f, bool v6, const unsigned *v)
{
    bool have[SPAN + 1] = {false};
    enum allen r = relation(v[0], v[1], v[2], v[3]);
    enum drop want = second_of(r);
    for (int i = 0; i < 4; i += 2) {
        struct piece x = {.v6 = v6, .off = (uint16_t)(v[i] * 8),
                          .len = (uint16_t)((v[i + 1] - v[i]) * 8), .more = true};
        EXPECT_EQ(give(f, x), i == 0 ? DROP_NONE : want);
        for (unsigned u = v[i]; u < v[i + 1]; u++)
            have[u] = true;
    }
    if (want == DROP_FRAG_OVERLAP) {
        EXPECT_EQ(f->t.bytes, 0);
        give_rest(f, v6, have, DROP_FRAG_ABANDONED);
        fx_pass(&f->base, FRAG_TIMEOUT - 1);
        EXPECT_EQ(fx_run_timers(f), 0);
        EXPECT_EQ(give(f, PIECE(.v6 = v6, .len = 8, .more = true)), DROP_FRAG_ABANDONED);
        fx_pass(&f->base, 1);
        EXPECT_EQ(fx_run_timers(f), 0);
    } else {
        give_rest(f, v6, have, DROP_NONE);
        take_whole(f, v6, SPAN * 8 + 5);
    }
    EXPECT_EQ(f->t.recs.live, 0);
    return r;
}

TEST("two fragments in each of the 13 relations, in both orders: overlaps abandon the datagram")
{
    COVERS("8200-11 S19");
    BOTH_FAMILIES(v6) {
        struct fx f;
        unsigned met[ALLEN_N] = {0};
        fx_init(&f);
        unsigned v[4];
        for (v[0] = 0; v[0] < SPAN; v[0]++)
            for (v[1] = v[0] + 1; v[1] <= SPAN; v[1]++)
                for (v[2] = 0; v[2] < SPAN; v[2]++)
                    for (v[3] = v[2] + 1; v[3] <= SPAN; v[3]++)
                        met[try_pair(&f, v6, v)]++;
        for (unsigned r = 0; r < ALLEN_N; r++)
            EXPECT(met[r] > 0);
        EXPECT_EQ(dropped(&f, DROP_FRAG_TIMEOUT), 0);
        fx_fini(&f);
    }
}

/* The oracle: fragments that were kept, as they came. */
struct kept {
    struct piece x[64];
    unsigned n;
    bool abandoned;
};

static uint32_t piece_end(const struct piece *x)
{
    return (uint32_t)x->off + x->len;
}

static bool ends_disagree(const struct piece *a, const struct piece *b)
{
    if (!a->more && !b->more)
        return piece_end(a) != piece_end(b);
    if (!a->more)
        return piece_end(b) >= piece_end(a);
    return !b->more && piece_end(a) > piece_end(b);
}

static enum drop oracle_second(const struct kept *k, const struct piece *x)
{
    bool meets = false;
    bool copy = false;
    if (k->abandoned)
        return DROP_FRAG_ABANDONED;
    for (unsigned i = 0; i < k->n; i++) {
        const struct piece *y = &k->x[i];
        if (ends_disagree(y, x))
            return DROP_FRAG_BEYOND;
        if (x->off < piece_end(y) && y->off < piece_end(x))
            meets = true;
        if (x->off == y->off && x->len == y->len && x->more == y->more && x->twist == y->twist)
            copy = true;
    }
    return copy ? DROP_FRAG_DUPLICATE : meets ? DROP_FRAG_OVERLAP : DROP_NONE;
}

static bool oracle_whole(const struct kept *k)
{
    uint32_t held = 0;
    uint32_t total = 0;
    for (unsigned i = 0; i < k->n; i++) {
        held += k->x[i].len;
        total = k->x[i].more ? total : piece_end(&k->x[i]);
    }
    return total != 0 && held == total;
}

static struct piece draw_copy(struct rng *g, const struct kept *k)
{
    struct piece x = k->x[rng_below(g, k->n)];
    if (rng_below(g, 16) == 0 && x.len % 8 == 0)
        x.more = !x.more;
    if (rng_below(g, 8) == 0)
        x.twist = 1;
    return x;
}

#define DRAWN_LEN (12 * 8 + 3)

/* Calm: one of four pieces that fit together. Otherwise anywhere, with any end. */
static struct piece draw_piece(struct rng *g, bool v6, bool calm)
{
    unsigned from = (unsigned)(calm ? rng_below(g, 4) * 3 : rng_below(g, 12));
    struct piece x = {.v6 = v6, .off = (uint16_t)(from * 8), .more = true};
    x.len = (uint16_t)(calm ? 24 : 8 * rng_between(g, 1, 3));
    if (from >= 9 && (calm || rng_below(g, 3) != 0)) {
        x.more = false;
        x.len = (uint16_t)(DRAWN_LEN - x.off);
    }
    return x;
}

TEST("20,000 random datagrams: each fragment fares as a list of all fragments says")
{
    COVERS("8200-11 791-FRAG S19 S20");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        unsigned wholes = 0;
        for (uint32_t id = 0; id < 20000; id++) {
            struct kept k = {.n = 0};
            for (unsigned i = 0; i < 24; i++) {
                bool calm = id % 4 != 0 && rng_below(&f.g, 64) != 0;
                bool again = k.n > 0 && rng_below(&f.g, calm ? 32 : 4) == 0;
                struct piece x = again ? draw_copy(&f.g, &k) : draw_piece(&f.g, v6, calm);
                x.id = id;
                if (x.off == 0 && !x.more)
                    continue;
                enum drop want = oracle_second(&k, &x);
                EXPECT_EQ(give(&f, x), want);
                if (want == DROP_FRAG_OVERLAP || want == DROP_FRAG_BEYOND)
                    k.abandoned = true;
                if (want == DROP_NONE)
                    k.x[k.n++] = x;
                EXPECT_EQ(f.whole != NULL, !k.abandoned && oracle_whole(&k));
                if (f.whole)
                    break;
            }
            for (unsigned i = 0; f.whole && i < k.n; i++)
                k.abandoned = k.abandoned || k.x[i].twist != 0;
            if (f.whole && !k.abandoned) {
                take_whole(&f, v6, DRAWN_LEN);
                wholes++;
            } else if (f.whole) {
                pkt_free(f.whole);
                f.whole = NULL;
            }
        }
        EXPECT(wholes > 5000);
        fx_fini(&f);
    }
}

TEST("a copy of a fragment with other bytes is an overlap")
{
    COVERS("8200-11 S19");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        struct piece x = {.v6 = v6, .off = 8, .len = 800, .more = true};
        EXPECT_EQ(give(&f, x), DROP_NONE);
        EXPECT_EQ(give(&f, x), DROP_FRAG_DUPLICATE);
        EXPECT_EQ(give(&f, x), DROP_FRAG_DUPLICATE);
        x.twist = 1;
        EXPECT_EQ(give(&f, x), DROP_FRAG_OVERLAP);
        x.twist = 0;
        EXPECT_EQ(give(&f, x), DROP_FRAG_ABANDONED);
        fx_fini(&f);
    }
}

TEST("a last fragment that moved, or lies before data that has come, abandons the datagram")
{
    COVERS("791-FRAG S20");
    static const struct {
        struct piece first, second;
    } bad[] = {
        {{.off = 64, .len = 8}, {.off = 72, .len = 8}},                 /* a second end, further */
        {{.off = 64, .len = 8}, {.off = 32, .len = 8}},                 /* and nearer */
        {{.off = 64, .len = 8}, {.off = 64, .len = 7}},
        {{.off = 64, .len = 7}, {.off = 64, .len = 8}},
        {{.off = 64, .len = 8}, {.off = 80, .len = 8, .more = true}},   /* beyond the end */
        {{.off = 64, .len = 8}, {.off = 56, .len = 24, .more = true}},
        {{.off = 64, .len = 8}, {.off = 64, .len = 8, .more = true}},   /* the end, denied */
        {{.off = 64, .len = 8, .more = true}, {.off = 32, .len = 8}},   /* an end before data */
        {{.off = 64, .len = 8, .more = true}, {.off = 64, .len = 7}},
    };
    BOTH_FAMILIES(v6)
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
            struct fx f;
            fx_init(&f);
            struct piece a = bad[i].first;
            struct piece b = bad[i].second;
            a.v6 = b.v6 = v6;
            EXPECT_EQ(give(&f, a), DROP_NONE);
            EXPECT_EQ(give(&f, b), DROP_FRAG_BEYOND);
            EXPECT_EQ(f.t.bytes, 0);
            EXPECT_EQ(give(&f, a), DROP_FRAG_ABANDONED);
            fx_fini(&f);
        }
}

/* ---- fragments that cannot be ---- */

TEST("ping of death: no offset and length lead beyond 65,535 bytes")
{
    COVERS("791-FRAG 8200-10 S20");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        uint32_t hdr = v6 ? HOP_BY_HOP : IP4_HDR_LEN;
        uint32_t id = 0;
        for (uint32_t units = 8180; units <= 8191; units++)
            for (uint16_t len = 1; len <= 120; len++)
                for (int more = 0; more < 2; more++) {
                    struct piece x = {.v6 = v6, .off = (uint16_t)(units * 8), .len = len,
                                      .more = more && len % 8 == 0, .id = id++};
                    bool beyond = hdr + x.off + len > 65535;
                    EXPECT_EQ(give(&f, x), beyond ? DROP_FRAG_BEYOND : DROP_NONE);
                    struct frag_in in = frag_in_of(&x);
                    EXPECT_EQ(frag_check(&in), beyond ? DROP_FRAG_BEYOND : DROP_NONE);
                }
        fx_fini(&f);
    }
}

TEST("IPv4: a first header longer than the last one's counts in the total length")
{
    COVERS("791-FRAG S20");
    struct fx f;
    fx_init(&f);
    for (int zero_first = 0; zero_first < 2; zero_first++) {
        struct piece last = {.off = 65504, .len = 11, .id = (uint32_t)zero_first};     /* 65515 */
        struct piece zero = {.len = 8, .more = true, .id = (uint32_t)zero_first};
        struct frag_in in = frag_in_of(&zero);
        enum drop why = DROP_NONE;
        in.hdr_len = 24;
        in.len = 4 + 4;
        for (int i = 0; i < 2; i++) {
            if ((i == 0) == (zero_first == 1)) {
                struct pkt *p = pkt_of(&f, &zero);
                EXPECT(pkt_extend(&f.base.env, p, 4));
                EXPECT(frag_input(&f.t, p, &in, &why) == NULL);
            } else {
                why = give(&f, last);
            }
            EXPECT_EQ(why, i == 0 ? DROP_NONE : DROP_FRAG_BEYOND);
        }
    }
    EXPECT_EQ(f.t.bytes, 0);
    fx_fini(&f);
}

TEST("fragments that are empty, or not the last and not a multiple of 8, leave no trace")
{
    COVERS("791-FRAG 8200-9 S20");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 0, .more = true)), DROP_FRAG_LEN);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 0, .more = true)), DROP_FRAG_LEN);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 0)), DROP_FRAG_LEN);
        for (uint16_t len = 1; len < 64; len++)
            if (len % 8 != 0)
                EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = len, .more = true)), DROP_FRAG_LEN);
        EXPECT_EQ(f.t.recs.live, 0);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 8, .more = true)), DROP_NONE);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 0)), DROP_FRAG_LEN);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 4, .more = true)), DROP_FRAG_LEN);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 4)), DROP_NONE);
        take_whole(&f, v6, 12);
        fx_fini(&f);
    }
}

TEST("IPv6: more unfragmentable headers than are kept")
{
    struct fx f;
    fx_init(&f);
    struct piece x = {.v6 = true, .len = 8, .more = true};
    struct frag_in in = frag_in_of(&x);
    in.hdr_len = FRAG_HDR_MAX - IP6_FRAG_LEN;
    EXPECT_EQ(frag_check(&in), DROP_NONE);
    in.hdr_len += 8;
    EXPECT_EQ(frag_check(&in), DROP_IP6_EXT_COUNT);
    struct pkt *p = pkt_of(&f, &x);
    EXPECT(pkt_extend(&f.base.env, p, FRAG_HDR_MAX));
    enum drop why;
    EXPECT(frag_input(&f.t, p, &in, &why) == NULL);
    EXPECT_DROPPED(&f.base.env, DROP_IP6_EXT_COUNT);
    fx_fini(&f);
}

/* ---- congestion marks ---- */

TEST("one congestion mark marks the datagram; with a fragment that cannot have one it is dropped")
{
    COVERS("3168-6");
    BOTH_FAMILIES(v6)
        for (uint8_t a = 0; a < 4; a++)
            for (uint8_t b = 0; b < 4; b++)
                for (uint8_t c = 0; c < 4; c++) {
                    struct fx f;
                    fx_init(&f);
                    const uint8_t ecn[3] = {a, b, c};
                    bool ce = a == 3 || b == 3 || c == 3;
                    bool not_ect = a == 0 || b == 0 || c == 0;
                    enum drop why = DROP_NONE;
                    for (uint16_t i = 0; i < 3; i++) {
                        struct piece x = {.v6 = v6, .off = (uint16_t)(i * 8), .len = 8,
                                          .more = i < 2, .ecn = ecn[i]};
                        enum drop got = give(&f, x);
                        why = why == DROP_NONE ? got : why;
                    }
                    EXPECT_EQ(why, ce && not_ect ? DROP_FRAG_ECN : DROP_NONE);
                    if (why == DROP_NONE)
                        EXPECT_EQ(take_whole(&f, v6, 24), ce ? 3 : a);
                    else
                        EXPECT(f.whole == NULL);
                    fx_fini(&f);
                }
}

/* ---- time ---- */

TEST("after 60 seconds from the first fragment the rest comes too late; fragment zero is quoted")
{
    COVERS("1122-3.3.2T 8200-8");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        struct piece zero = {.v6 = v6, .len = 24, .more = true};
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 48, .len = 8, .more = true)), DROP_NONE);
        fx_pass(&f.base, 30 * NS_PER_S);
        EXPECT_EQ(give(&f, zero), DROP_NONE);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 24, .len = 8, .more = true)), DROP_NONE);
        fx_pass(&f.base, 30 * NS_PER_S - 1);
        EXPECT(fx_timer(&f.base) == NULL);
        fx_pass(&f.base, 1);
        struct timer *t = fx_timer(&f.base);
        assert_non_null(t);
        struct pkt *q = frag_on_timer(&f.t, t);
        assert_non_null(q);
        struct pkt *want = pkt_of(&f, &zero);
        EXPECT_EQ(q->nif, 1);
        EXPECT(span_eq(pkt_span(q), pkt_span(want)));
        pkt_free(q);
        pkt_free(want);
        EXPECT_DROPPED(&f.base.env, DROP_FRAG_TIMEOUT);
        EXPECT_EQ(dropped(&f, DROP_FRAG_TIMEOUT), 1);
        EXPECT_EQ(f.t.recs.live, 0);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 32, .len = 3)), DROP_NONE);
        fx_fini(&f);
    }
}

TEST("without fragment zero the timeout has nothing to quote, and is counted all the same")
{
    COVERS("1122-3.3.2T 8200-8");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 8, .more = true)), DROP_NONE);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 16, .len = 8)), DROP_NONE);
        fx_pass(&f.base, FRAG_TIMEOUT);
        EXPECT_EQ(fx_run_timers(&f), 0);
        EXPECT_EQ(dropped(&f, DROP_FRAG_TIMEOUT), 1);
        fx_fini(&f);
    }
}

/* ---- limits ---- */

TEST("a host may have 16 datagrams under way; the 17th costs its own oldest and nobody else's")
{
    COVERS("INV-6 S12");
    BOTH_FAMILIES(v6) {
        struct fx f;
        fx_init(&f);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 8, .more = true, .host = 7)), DROP_NONE);
        for (uint32_t id = 0; id <= FRAG_PER_HOST; id++)
            EXPECT_EQ(give(&f, PIECE(.v6 = v6, .len = 8, .more = true, .id = id)), DROP_NONE);
        EXPECT_DROPPED(&f.base.env, DROP_FRAG_FULL);
        EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 1);
        EXPECT_EQ(f.t.recs.live, FRAG_PER_HOST + 1);
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 1, .host = 7)), DROP_NONE);
        take_whole(&f, v6, 9);
        for (uint32_t id = 1; id <= FRAG_PER_HOST; id++) {
            EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 1, .id = id)), DROP_NONE);
            take_whole(&f, v6, 9);
        }
        EXPECT_EQ(give(&f, PIECE(.v6 = v6, .off = 8, .len = 1, .id = 0)), DROP_NONE);
        EXPECT(f.whole == NULL);
        fx_fini(&f);
    }
}

TEST("a full table gives up the oldest datagram of all")
{
    COVERS("INV-6 S12");
    struct fx f;
    fx_init_sized(&f, 8, BYTES_MAX);
    for (uint8_t host = 0; host < 9; host++)
        EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true, .host = host)), DROP_NONE);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 1);
    for (uint8_t host = 1; host < 9; host++) {
        EXPECT_EQ(give(&f, PIECE(.off = 8, .len = 1, .host = host)), DROP_NONE);
        take_whole(&f, false, 9);
    }
    EXPECT_EQ(f.t.recs.live, 0);
    fx_fini(&f);
}

TEST("a table of no records drops every fragment")
{
    struct fx f;
    fx_init_sized(&f, 0, BYTES_MAX);
    EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true)), DROP_FRAG_FULL);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 1);
    fx_fini(&f);
}

TEST("the limit of bytes holds: others are given up, oldest first, and then the one that grows")
{
    COVERS("INV-6 S12");
    struct fx f;
    fx_init_sized(&f, RECS_MAX, 3 * 2048 + 66048);
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true, .host = 1)), DROP_NONE);
    for (uint8_t host = 2; host < 5; host++)
        EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true, .host = host)), DROP_NONE);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 0);
    EXPECT_EQ(give(&f, PIECE(.off = 8, .len = 8, .more = true, .host = 2)), DROP_NONE);
    EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true, .host = 5)), DROP_NONE);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 1);
    EXPECT_EQ(f.t.recs.live, 4);
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true, .host = 2)), DROP_NONE);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 1 + 0);
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true, .host = 3)), DROP_NONE);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 2);
    fx_fini(&f);

    fx_init_sized(&f, RECS_MAX, 3000);
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true)), DROP_FRAG_FULL);
    EXPECT_EQ(f.t.recs.live, 0);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 1);
    EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true)), DROP_NONE);
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true)), DROP_FRAG_FULL);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 3);
    EXPECT_EQ(f.t.recs.live, 0);
    EXPECT_EQ(f.t.bytes, 0);
    fx_fini(&f);
}

TEST("when packet memory runs out a record with a large enough block gives way, or the fragment")
{
    COVERS("S36 INV-6");
    struct fx f;
    fx_init(&f);
    f.base.budget.max = 4096 + 66048 + 1024;
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true, .host = 1)), DROP_NONE);
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true, .host = 2)), DROP_NONE);
    EXPECT_EQ(dropped(&f, DROP_FRAG_FULL), 1);
    EXPECT_EQ(f.t.recs.live, 1);
    f.base.budget.max = f.base.budget.used + 512;
    EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true, .host = 2)), DROP_NONE);
    fx_pass(&f.base, FRAG_TIMEOUT);
    EXPECT_EQ(fx_run_timers(&f), 1);
    f.base.budget.max = 512;
    EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true)), DROP_NO_MEMORY);
    EXPECT_EQ(give(&f, PIECE(.len = 8)), DROP_NO_MEMORY);
    EXPECT_EQ(f.t.recs.live, 0);
    f.base.budget.max = 4096;
    EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true)), DROP_NONE);
    EXPECT_EQ(give(&f, PIECE(.off = 60000, .len = 8, .more = true)), DROP_NO_MEMORY);
    EXPECT_EQ(give(&f, PIECE(.off = 8, .len = 1)), DROP_NONE);     /* what was there stayed */
    take_whole(&f, false, 9);
    fx_fini(&f);
}

TEST("an interface that goes takes its fragments along")
{
    struct fx f;
    fx_init(&f);
    for (uint16_t nif = 1; nif <= 3; nif++)
        for (uint32_t id = 0; id < 4; id++)
            EXPECT_EQ(give(&f, PIECE(.len = 8, .more = true, .id = id, .nif = nif)), DROP_NONE);
    frag_drop_nif(&f.t, 2);
    EXPECT_EQ(f.t.recs.live, 8);
    EXPECT_DROPPED(&f.base.env, DROP_LINK_DOWN);
    EXPECT_EQ(dropped(&f, DROP_LINK_DOWN), 4);
    EXPECT_EQ(give(&f, PIECE(.off = 8, .len = 8, .nif = 3)), DROP_NONE);
    take_whole(&f, false, 16);
    fx_fini(&f);
}

TEST("a walk shows records from the oldest on")
{
    struct fx f;
    fx_init(&f);
    for (uint32_t id = 0; id < 5; id++) {
        EXPECT_EQ(give(&f, PIECE(.off = 8, .len = 8, .more = id % 2, .id = id)), DROP_NONE);
        fx_pass(&f.base, NS_PER_S);
    }
    EXPECT_EQ(give(&f, PIECE(.off = 0, .len = 16, .more = true, .id = 3)), DROP_FRAG_OVERLAP);
    uint32_t cursor = 0;
    struct frag_info i;
    for (uint32_t id = 0; id < 5; id++) {
        EXPECT(frag_each(&f.t, &cursor, &i));
        EXPECT_EQ(i.key.id, id);
        EXPECT_EQ(i.held_bytes, id == 3 ? 0 : 8);
        EXPECT_EQ(i.total_len, id % 2 ? 0 : 16);
        EXPECT_EQ(i.deadline, FX_START + id * NS_PER_S + FRAG_TIMEOUT);
    }
    EXPECT(!frag_each(&f.t, &cursor, &i));
    fx_fini(&f);
}

TEST("a million random fragments cost bounded memory, and honest datagrams come through")
{
    COVERS("S12 INV-6");
    struct fx f;
    fx_init(&f);
    uint32_t honest = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        uint64_t r = rng_u64(&f.g);
        struct piece x = {
            .v6 = r & 1,
            .off = (uint16_t)((r >> 8) % 8100 * 8),
            .len = (uint16_t)(8 * (1 + (r >> 24) % 8)),
            .more = (r >> 32) % 16 != 0,
            .id = (uint32_t)(r >> 40) % 64,
            .host = 200,
            .ecn = (r >> 48) % 64 == 0,
        };
        (void)give(&f, x);
        if (f.whole) {
            pkt_free(f.whole);
            f.whole = NULL;
        }
        if (i % 100 == 0 || i % 100 == 50) {
            bool last = i % 100 == 50;
            struct piece y = {.v6 = i / 100 % 2, .off = last ? 1480 : 0, .len = last ? 100 : 1480,
                              .more = !last, .id = i / 100, .host = 1};
            EXPECT_EQ(give(&f, y), DROP_NONE);
            if (last)
                take_whole(&f, i / 100 % 2, 1580);
            honest += last;
        }
        if (i % 64 == 0) {
            fx_pass(&f.base, NS_PER_MS);
            fx_run_timers(&f);
        }
        EXPECT(f.t.recs.live <= 2 * FRAG_PER_HOST + 1);
        EXPECT(pkt_mem_live(&f.base.mem) <= 2 * (2 * FRAG_PER_HOST + 2));
    }
    EXPECT_EQ(honest, 10000);
    fx_fini(&f);
}

TEST("a million fragments from forged sources keep to records and bytes")
{
    COVERS("S12 INV-6");
    struct fx f;
    fx_init_sized(&f, RECS_MAX, BYTES_MAX);
    uint64_t most = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        struct piece x = {.off = 65000 & ~7, .len = 8, .more = true, .id = i, .host = (uint8_t)i};
        EXPECT_EQ(give(&f, x), DROP_NONE);
        most = f.t.bytes > most ? f.t.bytes : most;
    }
    EXPECT(most <= BYTES_MAX);
    EXPECT(f.base.budget.peak <= BYTES_MAX + 2 * 70000);
    fx_fini(&f);
}

/* ---- identifications ---- */

TEST("IPv4 identifications of one pair do not repeat within 65,536 datagrams")
{
    COVERS("6864-2");
    static uint8_t seen[65536];
    struct fx f;
    fx_init(&f);
    struct oriel_addr a = host_addr(false, 1);
    struct oriel_addr b = host_addr(false, 2);
    for (int run = 0; run < 2; run++) {         /* from any point on */
        memset(seen, 0, sizeof(seen));
        for (uint32_t i = 0; i < 65536; i++) {
            uint32_t id = frag_id(&f.t, &a, &b, IP_UDP);
            EXPECT(id < 65536);
            EXPECT_EQ(seen[id]++, 0);
        }
        for (int i = 0; i < 1234; i++)
            (void)frag_id(&f.t, &a, &b, IP_UDP);
    }
    fx_fini(&f);
}

/* Pearson's statistic over 256 classes: 255 in the mean, a deviation of 22.6. */
static double chi2(const uint32_t *count, uint32_t n)
{
    double expected = n / 256.0;
    double sum = 0;
    for (unsigned i = 0; i < 256; i++)
        sum += (count[i] - expected) * (count[i] - expected) / expected;
    return sum;
}

TEST("the steps between identifications of one pair have no pattern, in either family")
{
    COVERS("6864-3 7739-1 S16");
    BOTH_FAMILIES(v6)
        for (unsigned shift = 0; shift < (v6 ? 32u : 16u); shift += 8) {
            struct fx f;
            fx_init(&f);
            struct oriel_addr a = host_addr(v6, 1);
            struct oriel_addr b = host_addr(v6, 2);
            uint32_t value[256] = {0};
            uint32_t step[256] = {0};
            uint32_t last = frag_id(&f.t, &a, &b, IP_UDP);
            for (int i = 0; i < 20000; i++) {
                uint32_t id = frag_id(&f.t, &a, &b, IP_UDP);
                value[id >> shift & 255]++;
                step[(id - last) >> shift & 255]++;
                last = id;
            }
            EXPECT(chi2(value, 20000) < 380);
            EXPECT(chi2(step, 20000) < 380);
            fx_fini(&f);
        }
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

TEST("IPv6 identifications of one pair do not repeat in 200,000 datagrams")
{
    COVERS("7739-1");
    static uint32_t id[200000];
    struct fx f;
    fx_init(&f);
    struct oriel_addr a = host_addr(true, 1);
    struct oriel_addr b = host_addr(true, 2);
    for (size_t i = 0; i < ARRAY_LEN(id); i++)
        id[i] = frag_id(&f.t, &a, &b, IP_UDP);
    qsort(id, ARRAY_LEN(id), sizeof(id[0]), by_value);
    for (size_t i = 1; i < ARRAY_LEN(id); i++)
        EXPECT(id[i - 1] != id[i]);
    fx_fini(&f);
}

/* What an idle scan looks for: does traffic to one host show in what another is sent? */
TEST("identifications towards one host say nothing of traffic to another")
{
    COVERS("6864-3 7739-1 S16");
    BOTH_FAMILIES(v6) {
        struct fx f;
        struct fx quiet;
        fx_init(&f);
        fx_init(&quiet);
        struct oriel_addr a = host_addr(v6, 1);
        struct oriel_addr observer = host_addr(v6, 2);
        unsigned differ_n = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            struct oriel_addr victim = host_addr(v6, 1000 + i % 10);
            for (uint32_t k = 0; k < i % 7; k++)
                (void)frag_id(&f.t, &a, &victim, IP_UDP);
            differ_n += frag_id(&f.t, &a, &observer, IP_UDP) !=
                        frag_id(&quiet.t, &a, &observer, IP_UDP);
        }
        EXPECT_EQ(differ_n, 0);         /* these ten do not share the observer's counter */
        fx_fini(&quiet);
        fx_fini(&f);
    }
}

TEST("pairs, protocols and seeds have sequences of their own")
{
    COVERS("6864-3 7739-1 S16 S38");
    struct fx f;
    struct fx g;
    fx_init(&f);
    fx_env_init(&g.base);
    g.base.env.seed[31] ^= 1;
    EXPECT(frag_init(&g.t, &g.base.env, &g.base.arena, 1, 1));
    struct oriel_addr a = host_addr(false, 1);
    struct oriel_addr b = host_addr(false, 2);
    struct oriel_addr c = host_addr(false, 3);
    unsigned same[4] = {0};
    for (int i = 0; i < 4096; i++) {
        uint32_t id = frag_id(&f.t, &a, &b, IP_UDP);
        same[0] += id == frag_id(&f.t, &a, &c, IP_UDP);
        same[1] += id == frag_id(&f.t, &b, &a, IP_UDP);
        same[2] += id == frag_id(&f.t, &a, &b, IP_ICMP);
        same[3] += id == frag_id(&g.t, &a, &b, IP_UDP);
    }
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        EXPECT(same[i] <= 2);           /* by chance: 4,096 of 65,536 */
    fx_fini(&f);
    fx_env_fini(&g.base);
}

/* ---- cutting ---- */

static struct pkt *datagram4(struct fx *f, struct ip4_hdr h, uint16_t data_len)
{
    size_t hdr_len = IP4_HDR_LEN + ((h.opts.n + 3) & ~(size_t)3);
    struct pkt *p = pkt_new(&f->base.env, PKT_HEADROOM, hdr_len + data_len);
    assert_non_null(p);
    h.total_len = (uint16_t)(hdr_len + data_len);
    h.ttl = 61;
    h.proto = IP_UDP;
    h.src = host_addr(false, 0);
    h.dst = host_addr(false, 99);
    struct wr w = wr_of(pkt_data(p), hdr_len + data_len);
    ip4_emit(&w, &h);
    wr_bytes(&w, span_of(f->data, data_len));
    EXPECT(!w.bad);
    return p;
}

static struct pkt *datagram6(struct fx *f, uint32_t data_len)
{
    struct piece x = {.v6 = true, .len = (uint16_t)data_len};
    struct frag_in in = frag_in_of(&x);
    struct pkt *p = pkt_of(f, &x);
    enum drop why;
    p = frag_input(&f->t, p, &in, &why);        /* takes the fragment header out */
    assert_non_null(p);
    return p;
}

TEST("IPv4: 3,820 bytes over an MTU of 1,420 are three pieces, as the book says")
{
    COVERS("791-FRAG");
    static const struct {
        uint16_t len, units;
        bool more;
    } want[] = {{1400, 0, true}, {1400, 175, true}, {1000, 350, false}};
    struct fx f;
    fx_init(&f);
    struct pkt *p = datagram4(&f, (struct ip4_hdr){.id = 666, .tos = 0x48}, 3800);
    p->nif = 3;
    p->why = WHY_UDP_DATA;
    struct pkt_queue q = {.first = NULL};
    EXPECT_EQ(frag_cut4(&f.base.env, p, 1420, &q), 0);
    EXPECT_EQ(q.n, 3);
    test_reason_seen("why", why_of((enum why)q.first->why)->name);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        struct pkt *piece = pkt_dequeue(&q);
        struct ip4_hdr h;
        struct rd r = pkt_rd(piece, 0);
        EXPECT(ip4_parse(&r, &h));
        EXPECT_EQ(h.id, 666);
        EXPECT_EQ(h.total_len, 20 + want[i].len);
        EXPECT_EQ(h.frag_off, want[i].units * 8);
        EXPECT_EQ(h.mf, want[i].more);
        EXPECT_EQ(h.tos, 0x48);
        EXPECT_EQ(rd_left(&r), want[i].len);
        EXPECT(span_eq(rd_rest(&r), span_of(f.data + want[i].units * 8, want[i].len)));
        EXPECT_EQ(piece->nif, 3);
        EXPECT_EQ(piece->why, WHY_FRAGMENT);
        EXPECT_EQ(piece->l4, 20);
        pkt_free(piece);
    }
    fx_fini(&f);
}

TEST("IPv4: a fragment that is cut again keeps its offset, and its end if it was the last")
{
    COVERS("791-FRAG");
    for (int mf = 0; mf < 2; mf++) {
        struct fx f;
        fx_init(&f);
        struct ip4_hdr h = {.id = 5, .frag_off = 4000, .mf = mf};
        struct pkt_queue q = {.first = NULL};
        EXPECT_EQ(frag_cut4(&f.base.env, datagram4(&f, h, 1200), 576, &q), 0);
        EXPECT_EQ(q.n, 3);
        uint16_t off = 4000;
        for (struct pkt *piece; (piece = pkt_dequeue(&q)) != NULL; pkt_free(piece)) {
            struct rd r = pkt_rd(piece, 0);
            EXPECT(ip4_parse(&r, &h));
            EXPECT_EQ(h.frag_off, off);
            EXPECT_EQ(h.mf, q.n > 0 || mf);
            off = (uint16_t)(off + rd_left(&r));
        }
        EXPECT_EQ(off, 5200);
        fx_fini(&f);
    }
}

TEST("IPv4: only options with the copied bit are in every fragment")
{
    COVERS("791-FRAG");
    static const uint8_t opts[] = {
        IP4_OPT_NOP, IP4_OPT_RR, 7, 4, 0, 0, 0, 0,      /* not copied */
        IP4_OPT_RA, 4, 0, 0,                            /* copied */
        0x95, 3, 0x5a,                                  /* copied, 3 bytes */
        IP4_OPT_EOL,
    };
    static const uint8_t copied[] = {IP4_OPT_RA, 4, 0, 0, 0x95, 3, 0x5a, IP4_OPT_EOL};
    struct fx f;
    fx_init(&f);
    struct ip4_hdr h = {.id = 5, .opts = span_of(opts, sizeof(opts))};
    struct pkt_queue q = {.first = NULL};
    EXPECT_EQ(frag_cut4(&f.base.env, datagram4(&f, h, 3000), 1000, &q), 0);
    EXPECT_EQ(q.n, 4);
    uint16_t off = 0;
    for (struct pkt *piece; (piece = pkt_dequeue(&q)) != NULL; pkt_free(piece)) {
        struct rd r = pkt_rd(piece, 0);
        EXPECT(ip4_parse(&r, &h));
        EXPECT(span_eq(h.opts, off == 0 ? span_of(opts, sizeof(opts))
                                        : span_of(copied, sizeof(copied))));
        EXPECT(pkt_len(piece) <= 1000);
        EXPECT_EQ(h.frag_off, off);
        off = (uint16_t)(off + rd_left(&r));
    }
    EXPECT_EQ(off, 3000);
    fx_fini(&f);
}

TEST("a last piece that just fits is not cut again, though its length is odd")
{
    COVERS("791-FRAG");
    struct fx f;
    fx_init(&f);
    struct pkt_queue q = {.first = NULL};
    struct pkt *p = datagram4(&f, (struct ip4_hdr){.id = 1}, 1400 + 1403);
    EXPECT_EQ(frag_cut4(&f.base.env, p, 1423, &q), 0);
    EXPECT_EQ(q.n, 2);
    EXPECT_EQ(pkt_len(q.first), 1420);
    EXPECT_EQ(pkt_len(q.last), 1423);
    pkt_queue_free(&q);
    fx_fini(&f);
}

TEST("what fits is not cut")
{
    struct fx f;
    fx_init(&f);
    struct pkt_queue q = {.first = NULL};
    struct pkt *p = datagram4(&f, (struct ip4_hdr){.id = 1}, 1480);
    EXPECT_EQ(frag_cut4(&f.base.env, p, 1500, &q), 0);
    EXPECT_EQ(q.n, 1);
    EXPECT(pkt_dequeue(&q) == p);
    pkt_free(p);
    struct piece x = {.v6 = true, .len = 100};
    p = pkt_of(&f, &x);
    EXPECT_EQ(frag_cut6(&f.base.env, p, 1280, 7, 48, 40, &q), 0);
    EXPECT(pkt_dequeue(&q) == p);
    pkt_free(p);
    fx_fini(&f);
}

TEST("without memory for every piece none leaves, and what waited before still does")
{
    COVERS("S36");
    struct fx f;
    fx_init(&f);
    struct pkt_queue q = {.first = NULL};
    pkt_enqueue(&q, datagram4(&f, (struct ip4_hdr){.id = 1}, 10));
    struct pkt *p = datagram4(&f, (struct ip4_hdr){.id = 2}, 5000);
    f.base.budget.max = f.base.budget.used + 5000;
    EXPECT_EQ(frag_cut4(&f.base.env, p, 1500, &q), ORIEL_ENOBUFS);
    EXPECT_EQ(q.n, 1);
    EXPECT_EQ(dropped(&f, DROP_NO_MEMORY), 1);
    f.base.budget.max = UINT64_MAX / 2;
    p = datagram6(&f, 5000);
    f.base.budget.max = f.base.budget.used + 5000;
    EXPECT_EQ(frag_cut6(&f.base.env, p, 1500, 3, 48, 40, &q), ORIEL_ENOBUFS);
    EXPECT_EQ(q.n, 1);
    EXPECT_EQ(dropped(&f, DROP_NO_MEMORY), 2);
    pkt_queue_free(&q);
    fx_fini(&f);
}

/* A datagram in two pieces of memory, as a sender with buffers of its own makes it. */
static struct pkt *scatter(struct fx *f, struct pkt *p, size_t head)
{
    struct pkt *q = pkt_share(&f->base.env, p);
    assert_non_null(q);
    struct slice rest = q->head;
    rest.off += (uint32_t)head;
    rest.len -= (uint32_t)head;
    rest.blk->refs++;
    pkt_trim(q, head);
    q->more[0] = rest;
    q->more_n = 1;
    pkt_free(p);
    return q;
}

/* The pieces arrive in random order. */
static void reassemble(struct fx *f, struct pkt_queue *q, bool v6, uint32_t mtu)
{
    struct pkt *piece[8192];
    uint16_t order[8192];
    uint16_t n = 0;
    for (struct pkt *p; (p = pkt_dequeue(q)) != NULL; n++) {
        EXPECT(pkt_len(p) <= mtu);
        piece[n] = p;
        order[n] = n;
    }
    shuffle(&f->g, order, n);
    for (uint16_t i = 0; i < n; i++) {
        struct pkt *p = piece[order[i]];
        struct rd r = pkt_rd(p, 0);
        struct piece x = {.v6 = v6};
        if (v6) {
            struct ip6_frag fh;
            rd_skip(&r, IP6_HDR_LEN + HOP_BY_HOP);
            EXPECT(ip6_frag_parse(&r, &fh));
            x.off = fh.off;
            x.more = fh.more;
            x.id = fh.id;
        } else {
            struct ip4_hdr h;
            EXPECT(ip4_parse(&r, &h));
            x.off = h.frag_off;
            x.more = h.mf;
            x.id = h.id;
        }
        x.len = (uint16_t)rd_left(&r);
        struct frag_in in = frag_in_of(&x);
        enum drop why;
        EXPECT(f->whole == NULL);
        f->whole = frag_input(&f->t, p, &in, &why);
        EXPECT_EQ(why, DROP_NONE);
    }
}

TEST("cut and put together in random order, every datagram is what it was")
{
    COVERS("791-FRAG 8200-8 1122-3.2.1.4");
    struct fx f;
    fx_init(&f);
    for (uint32_t i = 0; i < 3000; i++) {
        bool v6 = i % 2;
        uint32_t hdr = v6 ? IP6_HDR_LEN + HOP_BY_HOP : IP4_HDR_LEN;
        uint32_t most = 65535 - (v6 ? HOP_BY_HOP : IP4_HDR_LEN);
        uint32_t len = (uint32_t)(i % 16 == 0 ? most : rng_between(&f.g, 1, 6000));
        uint32_t mtu = (uint32_t)rng_between(&f.g, v6 ? hdr + 16 : 68, i % 16 ? 2000 : 9000);
        if (i % 100 == 32)
            mtu = v6 ? hdr + 16 : 68;
        if (i % 16 == 0 && mtu < 300)
            mtu += 300;                 /* packet memory for the pieces of 64 KB has its limits */
        struct ip4_hdr h = {.id = 9, .tos = 0x48};
        struct pkt *p = v6 ? datagram6(&f, len) : datagram4(&f, h, (uint16_t)len);
        if (i % 3 == 0)
            p = scatter(&f, p, hdr + (i % 2 && len > 8 ? 8 : 0));
        bool fits = hdr + len <= mtu;
        struct pkt_queue q = {.first = NULL};
        int err = v6 ? frag_cut6(&f.base.env, p, mtu, 77, (uint16_t)hdr, IP6_HDR_LEN, &q)
                     : frag_cut4(&f.base.env, p, mtu, &q);
        EXPECT_EQ(err, 0);
        EXPECT_EQ(q.n == 1, fits);
        if (fits) {
            pkt_queue_free(&q);
            continue;
        }
        reassemble(&f, &q, v6, mtu);
        take_whole(&f, v6, len);
    }
    fx_fini(&f);
}

TEST("IPv6: the header chain of each piece leads over the fragment header to what was there")
{
    COVERS("8200-8");
    struct fx f;
    fx_init(&f);
    struct pkt_queue q = {.first = NULL};
    EXPECT_EQ(frag_cut6(&f.base.env, datagram6(&f, 3000), 1280, 77, 48, 40, &q), 0);
    EXPECT_EQ(q.n, 3);
    uint16_t off = 0;
    for (struct pkt *piece; (piece = pkt_dequeue(&q)) != NULL; pkt_free(piece)) {
        struct ip6_hdr h;
        struct ip6_ext e;
        struct ip6_frag fh;
        struct rd r = pkt_rd(piece, 0);
        EXPECT(ip6_parse(&r, &h));
        EXPECT_EQ(h.payload_len, rd_left(&r));
        EXPECT_EQ(h.next, IP_HOPOPTS);
        EXPECT_EQ(h.flow, 0xabcde);
        EXPECT(ip6_ext_parse(&r, IP_HOPOPTS, &e));
        EXPECT_EQ(e.next, IP_FRAGMENT);
        EXPECT(ip6_frag_parse(&r, &fh));
        EXPECT_EQ(fh.next, IP_UDP);
        EXPECT_EQ(fh.id, 77);
        EXPECT_EQ(fh.off, off);
        EXPECT_EQ(fh.more, q.n > 0);
        EXPECT_EQ(piece->why, WHY_FRAGMENT);
        EXPECT(span_eq(rd_rest(&r), span_of(f.data + off, pkt_len(piece) - 56)));
        off = (uint16_t)(off + pkt_len(piece) - 56);
    }
    EXPECT_EQ(off, 3000);
    fx_fini(&f);
}

TEST("an MTU that has no room for data is our own mistake")
{
    struct fx f;
    fx_init(&f);
    struct pkt_queue q = {.first = NULL};
    struct pkt *p = datagram4(&f, (struct ip4_hdr){.id = 1}, 100);
    EXPECT_ASSERTS((void)frag_cut4(&f.base.env, p, 27, &q));
    pkt_free(p);
    fx_fini(&f);
}
