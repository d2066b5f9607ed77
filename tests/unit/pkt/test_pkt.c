#include "fixture.h"

/* A packet with the bytes 0, 1, 2 ... in several slices of the given lengths. */
static struct pkt *in_slices(struct env *env, const size_t *len, unsigned n)
{
    struct pkt *p = pkt_new(env, PKT_HEADROOM, len[0]);
    uint8_t next = 0;
    for (size_t i = 0; i < len[0]; i++)
        pkt_data(p)[i] = next++;
    for (unsigned k = 1; k < n; k++) {
        struct pkt *q = pkt_new(env, 0, len[k]);
        for (size_t i = 0; i < len[k]; i++)
            pkt_data(q)[i] = next++;
        q->head.blk->refs++;
        p->more[p->more_n++] = q->head;
        pkt_free(q);
    }
    return p;
}

static void expect_counting(const struct pkt *p, size_t n)
{
    uint8_t b[4096];
    EXPECT_EQ(pkt_len(p), n);
    pkt_read(p, 0, b, n);
    for (size_t i = 0; i < n; i++)
        EXPECT_EQ(b[i], (uint8_t)i);
}

TEST("a packet is two cache lines")
{
    EXPECT_EQ(sizeof(struct pkt), 128);
}

TEST("a header is pushed into the headroom and pulled off again without moving the data")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = pkt_new_copy(&fx.env, 64, span_of("payload", 7));
    const uint8_t *data = pkt_data(p);
    EXPECT(pkt_push(&fx.env, p, 20) == data - 20);
    EXPECT_EQ(pkt_len(p), 27);
    EXPECT_EQ(p->l4, 20);
    pkt_pull(p, 20);
    EXPECT(pkt_data(p) == data);
    EXPECT_EQ(p->l4, 0);
    pkt_free(p);
    fx_env_fini(&fx);
}

TEST("a push without headroom, or into shared bytes, moves to a block of its own")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = pkt_new_copy(&fx.env, 0, span_of("abc", 3));
    struct pkt *q = pkt_share(&fx.env, p);
    EXPECT(pkt_data(p) == pkt_data(q));
    uint8_t *at = pkt_push(&fx.env, p, 4);
    EXPECT(at != NULL);
    memset(at, 'x', 4);
    EXPECT_MEM(pkt_data(p), "xxxxabc", 7);
    EXPECT_MEM(pkt_data(q), "abc", 3);
    pkt_free(p);
    pkt_free(q);
    fx_env_fini(&fx);
}

TEST("shared bytes live as long as somebody holds them, and are copied before they are written")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = pkt_new_copy(&fx.env, 32, span_of("abc", 3));
    struct pkt *q = pkt_share(&fx.env, p);
    pkt_free(p);
    EXPECT_MEM(pkt_data(q), "abc", 3);
    struct pkt *r = pkt_share(&fx.env, q);
    EXPECT(pkt_own_head(&fx.env, r));
    pkt_data(r)[0] = 'X';
    EXPECT_MEM(pkt_data(q), "abc", 3);
    pkt_free(q);
    pkt_free(r);
    fx_env_fini(&fx);
}

TEST("reading, needing and trimming work across slices at every boundary")
{
    static const size_t len[] = {3, 1, 5, 200, 7};
    for (size_t n = 0; n <= 216; n++) {
        struct fx_env fx;
        fx_env_init_sized(&fx, 1 << 20, 1 << 18);
        struct pkt *p = in_slices(&fx.env, len, 5);
        expect_counting(p, 216);
        EXPECT(pkt_need(&fx.env, p, n));
        EXPECT(p->head.len >= n);
        expect_counting(p, 216);
        pkt_free(p);
        p = in_slices(&fx.env, len, 5);
        pkt_trim(p, n);
        expect_counting(p, n);
        pkt_free(p);
        fx_env_fini(&fx);
    }
}

TEST("needing more than there is changes nothing")
{
    static const size_t len[] = {3, 4};
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = in_slices(&fx.env, len, 2);
    EXPECT(!pkt_need(&fx.env, p, 8));
    EXPECT_EQ(p->more_n, 1);
    expect_counting(p, 7);
    pkt_free(p);
    fx_env_fini(&fx);
}

TEST("the sum over slices is the sum of the bytes, also where slices are of odd length")
{
    static const size_t len[] = {5, 3, 7, 100, 1};
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = in_slices(&fx.env, len, 5);
    uint8_t flat[116];
    pkt_read(p, 0, flat, sizeof(flat));
    for (size_t from = 0; from <= 116; from++)
        for (size_t n = 0; from + n <= 116; n++)
            EXPECT_EQ(csum_fold(pkt_sum(&fx.env, p, from, n)),
                      csum_fold(csum_span(&csum_portable, span_of(flat + from, n))));
    pkt_free(p);
    fx_env_fini(&fx);
}

TEST("a copy keeps what is known of a packet, a share its bytes as well")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = pkt_new_copy(&fx.env, 32, span_of("abc", 3));
    p->why = WHY_FORWARD;
    p->ev = 9;
    p->nif = 3;
    p->flags = PKT_L2_BCAST;
    p->csum = CSUM_VERIFIED;
    p->hash = 0xabcd;
    struct pkt *c = pkt_copy(&fx.env, p, 100), *s = pkt_share(&fx.env, p);
    EXPECT(c->why == WHY_FORWARD && c->ev == 9 && c->nif == 3 && c->flags == PKT_L2_BCAST);
    EXPECT(s->csum == CSUM_VERIFIED && s->hash == 0xabcd);
    EXPECT(pkt_data(c) != pkt_data(p) && pkt_data(s) == pkt_data(p));
    pkt_free(p);
    pkt_free(c);
    pkt_free(s);
    fx_env_fini(&fx);
}

TEST("bytes added at the end are zeros, whatever the block held before")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = pkt_new(&fx.env, 10, 200);
    memset(pkt_data(p), 0xee, 200);
    pkt_trim(p, 42);
    COVERS("S37 INV-8");
    EXPECT(pkt_extend(&fx.env, p, 18));
    EXPECT_EQ(pkt_len(p), 60);
    for (size_t i = 42; i < 60; i++)
        EXPECT_EQ(pkt_data(p)[i], 0);
    EXPECT(pkt_extend(&fx.env, p, 1000));       /* does not fit the block: moves */
    EXPECT_EQ(pkt_data(p)[1059], 0);
    EXPECT_EQ(pkt_data(p)[0], 0xee);
    pkt_free(p);
    fx_env_fini(&fx);
}

TEST("a block that somebody filled becomes a packet, or stays with him")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct blk *b = blk_get(&fx.mem, BLK_FRAME);
    struct wr w = wr_of(b->bytes, 600);
    while (wr_left(&w) > 0)
        wr_u8(&w, 9);
    fx.budget.max = 100;
    EXPECT(!pkt_new_blk(&fx.env, b, 88, 512));
    EXPECT_EQ(b->refs, 1);
    fx.budget.max = 1 << 20;
    struct pkt *p = pkt_new_blk(&fx.env, b, 88, 512);
    EXPECT(p && p->head.blk == b && b->refs == 1);
    EXPECT_EQ(pkt_len(p), 512);
    EXPECT_EQ(pkt_data(p)[511], 9);
    EXPECT(fx.budget.used >= 2048);
    EXPECT(pkt_push(&fx.env, p, 88) == b->bytes);
    pkt_free(p);
    fx_env_fini(&fx);
}

TEST("a full budget refuses, counted, and gives back what was taken")
{
    struct fx_env fx;
    fx_env_init(&fx);
    fx.budget.max = 4096;
    struct pkt *p[64];
    unsigned n = 0;
    COVERS("INV-6");
    while (n < 64 && (p[n] = pkt_new(&fx.env, 0, 100)) != NULL)
        n++;
    EXPECT(n > 4 && n < 64);
    EXPECT(fx.budget.refused > 0);
    EXPECT(fx.budget.used <= 4096 && fx.budget.peak == fx.budget.used);
    while (n > 0)
        pkt_free(p[--n]);
    EXPECT_EQ(fx.budget.used, 0);
    fx_env_fini(&fx);
}

TEST("an exhausted pool refuses and nothing is lost with it")
{
    struct fx_env fx;
    static struct pkt *p[4096];
    unsigned n = 0;
    fx_env_init_sized(&fx, 1 << 20, 1 << 18);
    while (n < 4096 && (p[n] = pkt_new(&fx.env, 0, 1500)) != NULL)
        n++;
    EXPECT(n > 10 && n < 4096);
    while (n > 0)
        pkt_free(p[--n]);
    fx_env_fini(&fx);
}

TEST("a packet that changes hands is charged to the new one, or stays where it was")
{
    struct fx_env fx;
    struct budget other = {.max = 100000}, full = {.max = 10};
    fx_env_init(&fx);
    struct pkt *p = pkt_new(&fx.env, 0, 1500);
    uint64_t held = fx.budget.used;
    EXPECT(held >= 1500);
    EXPECT(!pkt_recharge(p, &full));
    EXPECT_EQ(fx.budget.used, held);
    EXPECT(pkt_recharge(p, &other));
    EXPECT_EQ(fx.budget.used, 0);
    EXPECT_EQ(other.used, held);
    EXPECT(pkt_recharge(p, &other));
    pkt_free(p);
    EXPECT_EQ(other.used, 0);
    fx_env_fini(&fx);
}

TEST("a drop is counted by reason and traced with what the packet was")
{
    struct fx_env fx;
    fx_env_init(&fx);
    struct pkt *p = pkt_new(&fx.env, 0, 60);
    p->nif = 2;
    p->ev = 5;
    pkt_drop(&fx.env, p, DROP_ETH_FCS);
    EXPECT_EQ(fx.env.drop_count[DROP_ETH_FCS], 1);
    const struct trace_rec *r = trace_at(&fx.trace, fx.trace.next - 1);
    EXPECT(r->event == EV_PKT_DROP && r->drop == DROP_ETH_FCS && r->cause == 5 && r->b == 60);
    fx_env_fini(&fx);
}

TEST("a queue gives packets back in order and knows how many there are")
{
    struct fx_env fx;
    struct pkt_queue q = {0};
    fx_env_init(&fx);
    struct pkt *a = pkt_new(&fx.env, 0, 10), *b = pkt_new(&fx.env, 0, 20);
    pkt_enqueue(&q, a);
    pkt_enqueue(&q, b);
    EXPECT_EQ(q.n, 2);
    EXPECT(pkt_dequeue(&q) == a);
    EXPECT(pkt_dequeue(&q) == b);
    EXPECT(pkt_dequeue(&q) == NULL);
    pkt_enqueue(&q, a);
    pkt_enqueue(&q, b);
    pkt_queue_drop(&fx.env, &q, DROP_LINK_DOWN);
    EXPECT_EQ(fx.env.drop_count[DROP_LINK_DOWN], 2);
    EXPECT_EQ(q.n, 0);
    fx_env_fini(&fx);
}

/* ---- many at once ---- */

/* Two slices of a stream's block, or none, or a head that is no small one. */
static struct pkt *any_packet(struct env *env, unsigned kind)
{
    struct pkt *p = pkt_new(env, 0, kind == 3 ? 1000 : 50);
    for (unsigned i = 0; i < kind % 3; i++) {
        struct blk *b = blk_get(env->mem, BLK_STREAM_S);
        p->more[p->more_n++] = (struct slice){b, 100, 300 + i};
    }
    return p;
}

TEST("a chain of packets of any kind is freed whole, and each has its budget back")
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct fx_env fx;
        fx_env_init_sized(&fx, 2 << 20, 1 << 20);
        struct budget two[2] = {{.max = UINT64_MAX / 2}, {.max = UINT64_MAX / 2}};
        struct pkt *first = NULL;
        struct rng g;
        rng_seed(&g, seed, 2);
        struct blk *kept = blk_get(fx.env.mem, BLK_STREAM_L);
        for (uint64_t n = rng_below(&g, 30); n > 0; n--) {
            fx.env.budget = &two[rng_below(&g, 5) == 0];
            struct pkt *p = any_packet(&fx.env, rng_below(&g, 4) ? 0 : (unsigned)rng_below(&g, 4));
            if (p->more_n == 0 && rng_below(&g, 2))     /* the usual one: others hold its block too */
                p->more[p->more_n++] = slice_share((struct slice){kept, 500, 1460});
            p->next = first;
            first = p;
        }
        pkt_free_chain(first);
        EXPECT_EQ(two[0].used + two[1].used, 0);
        EXPECT_EQ(kept->refs, 1);
        EXPECT_EQ(pkt_mem_live(&fx.mem), 1);
        blk_put(kept);
        fx.env.budget = &fx.budget;
        struct pkt *p = pkt_new(&fx.env, 0, 10), *q = pkt_new(&fx.env, 0, 10);
        EXPECT(p != q);
        pkt_free(p);
        pkt_free(q);
        fx_env_fini(&fx);
    }
}

TEST("a packet is not freed twice, alone or in a chain")
{
    struct fx_env fx;
    fx_env_init(&fx);
#ifndef ORIEL_ASAN                              /* which says so itself, and does not go on */
    struct pkt *p = pkt_new(&fx.env, 0, 10), *q = pkt_new(&fx.env, 0, 10);
    pkt_free(p);
    EXPECT_ASSERTS(pkt_free(p));
    q->next = p;
    p->next = NULL;
    EXPECT_ASSERTS(pkt_free_chain(q));
#endif
    fx_env_fini(&fx);
}

TEST("what was freed and kept ready is found where pools run short")
{
    struct fx_env fx;
    static struct pkt *p[4096];
    static struct blk *b[4096];
    fx_env_init_sized(&fx, 1 << 20, 1 << 18);
    unsigned n = 0, blks = 0;
    while (n < 4096 && fx.mem.blks[BLK_HEAD].live < fx.mem.blks[BLK_HEAD].cap)
        p[n++] = pkt_new(&fx.env, 0, 10);
    for (unsigned i = 0; i < n; i++)
        pkt_free(p[i]);
    EXPECT_EQ(fx.mem.ready_n, n);
    EXPECT_EQ(pkt_mem_live(&fx.mem), 0);
    struct pkt *big[64];                        /* their heads are no small ones */
    unsigned bigs = 0;
    while (bigs < 64 && (big[bigs] = pkt_new(&fx.env, 0, 1000)) != NULL)
        bigs++;
    EXPECT(bigs > 10);
    while (blks < 4096 && (b[blks] = blk_get(&fx.mem, BLK_HEAD)) != NULL)
        blks++;
    EXPECT_EQ(blks, 0);
    pkt_mem_settle(&fx.mem);
    EXPECT_EQ(fx.mem.ready_n, 0);
    while (blks < 4096 && (b[blks] = blk_get(&fx.mem, BLK_HEAD)) != NULL)
        blks++;
    EXPECT_EQ(blks, n);
    while (blks > 0)
        blk_put(b[--blks]);
    while (bigs > 0)
        pkt_free(big[--bigs]);
    fx_env_fini(&fx);
}
