#include "fixture.h"

#include "pkt/stream.h"

#include "base/rng.h"

/* ---- a flat array beside the stream ---- */

#define MODEL_MAX (1u << 20)

struct model {
    struct fx_env fx;
    struct stream s;
    struct rng rng;
    uint8_t *flat;              /* every byte ever written; flat[0] has sequence number `first` */
    uint32_t written;
    uint32_t acked;
    seq_t first;
};

static void model_init(struct model *m, uint32_t seed, uint32_t first)
{
    fx_env_init(&m->fx);
    m->fx.env.csum = csum_ops_for(__builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0);
    m->first = seq_of(first);
    m->flat = malloc(MODEL_MAX);
    assert_non_null(m->flat);
    m->written = m->acked = 0;
    rng_seed(&m->rng, seed, 7);
    for (uint32_t i = 0; i < MODEL_MAX; i += 8) {
        uint64_t v = rng_u64(&m->rng);
        memcpy(m->flat + i, &v, 8);
    }
    stream_init(&m->s, m->first);
}

static void model_fini(struct model *m)
{
    stream_free(&m->fx.env, &m->s);
    EXPECT_EQ(m->s.charged, 0);
    free(m->flat);
    fx_env_fini(&m->fx);
}

static uint32_t upto(struct model *m, uint32_t max)
{
    return (uint32_t)(rng_u64(&m->rng) % ((uint64_t)max + 1));
}

static size_t model_write_as(struct model *m, uint32_t n, uint32_t chunk, bool summed)
{
    if (n > MODEL_MAX - m->written)
        n = MODEL_MAX - m->written;
    struct span data = span_of(m->flat + m->written, n);
    bool put = upto(m, 1) == 0 && stream_put(&m->s, data);      /* or nothing was changed */
    size_t took = put      ? n
                  : summed ? stream_write(&m->fx.env, &m->s, data, chunk)
                           : stream_write_unsummed(&m->fx.env, &m->s, data, chunk);
    EXPECT(took <= n);
    m->written += (uint32_t)took;
    EXPECT_EQ(m->s.len, m->written - m->acked);
    return took;
}

static size_t model_write(struct model *m, uint32_t n, uint32_t chunk)
{
    return model_write_as(m, n, chunk, true);
}

static void model_commit(struct model *m, uint32_t want, uint32_t chunk)
{
    size_t n;
    uint8_t *at = stream_room(&m->fx.env, &m->s, want, chunk, &n);
    if (!at)
        return;
    EXPECT(n > 0);
    if (n > want)
        n = want;
    if (n > MODEL_MAX - m->written)
        n = MODEL_MAX - m->written;
    memcpy(at, m->flat + m->written, n);
    stream_commit(&m->s, n);
    m->written += (uint32_t)n;
}

static void model_ack(struct model *m, uint32_t n)
{
    m->acked += n;
    seq_t una = seq_add(m->first, m->acked);
    if (upto(m, 1) == 0 || !stream_ack_all(&m->s, una))
        stream_ack(&m->fx.env, &m->s, una);
    EXPECT_EQ(m->s.len, m->written - m->acked);
    EXPECT_EQ(m->s.base.v, m->first.v + m->acked);
}

static uint32_t true_sum(const uint8_t *p, size_t n)
{
    return csum_fold(csum_portable.sum(p, n));
}

/* A packet with a header and stream bytes [from, from + n) of those written. */
static struct pkt *model_attach(struct model *m, uint32_t from, uint32_t n, uint32_t whole)
{
    uint64_t max = m->fx.budget.max;
    m->fx.budget.max = UINT64_MAX / 2;
    struct pkt *p = pkt_new(&m->fx.env, PKT_HEADROOM, 20);
    m->fx.budget.max = max;
    assert_non_null(p);
    memset(pkt_data(p), 0x5a, 20);
    uint32_t got = stream_attach(&m->s, p, seq_add(m->first, from), n, whole);
    EXPECT(got <= n && (got > 0 || n == 0));
    EXPECT(got == n || whole == 0 || got < whole || got % whole == 0);
    EXPECT_EQ(pkt_len(p), 20 + got);
    return p;
}

/* Its bytes are the stream's, and all sums are those of the bytes. */
static void expect_payload(struct model *m, const struct pkt *p, uint32_t from)
{
    static uint8_t bytes[1 << 18];
    size_t n = pkt_len(p) - 20;
    pkt_read(p, 20, bytes, n);
    EXPECT_MEM(bytes, m->flat + from, n);
    EXPECT_EQ(pkt_sum_kept(&m->fx.env, p, 20, n), true_sum(m->flat + from, n));
    size_t at = from;
    for (unsigned i = 0; i < p->more_n; i++) {
        const struct slice *s = &p->more[i];
        EXPECT(s->len > 0);
        EXPECT_EQ(slice_sum(&m->fx.env, s->blk, s->off, s->len), true_sum(m->flat + at, s->len));
        at += s->len;
    }
}

static void look(struct model *m, uint32_t chunk)
{
    uint32_t held = m->written - m->acked;
    if (held == 0)
        return;
    const uint8_t *whole_of_it = stream_whole(&m->s);
    if (whole_of_it)
        EXPECT_MEM(whole_of_it, m->flat + m->acked, held);
    uint32_t from = upto(m, 3) == 0 ? upto(m, held - 1) : upto(m, (held - 1) / chunk) * chunk;
    uint32_t n = upto(m, 2) == 0 ? 1 + upto(m, held - from - 1) : chunk;
    if (n > held - from)
        n = held - from;
    uint32_t whole = upto(m, 1) == 0 ? 0 : chunk;
    struct pkt *p = model_attach(m, m->acked + from, n, whole);
    expect_payload(m, p, m->acked + from);
    pkt_free(p);
}

static void random_life(uint32_t seed, uint32_t chunk, uint32_t write_max, uint64_t budget)
{
    struct model m;
    model_init(&m, seed, seed * 0x9e3779b9u);
    m.fx.budget.max = budget;
    for (unsigned i = 0; i < 3000 && m.written < MODEL_MAX; i++) {
        uint32_t held = m.written - m.acked;
        switch (upto(&m, 7)) {
        case 0:
        case 1:
            model_write_as(&m, 1 + upto(&m, write_max), chunk, seed % 4 > 1 || upto(&m, 1) == 0);
            break;
        case 2:
            model_ack(&m, upto(&m, held));
            break;
        case 3:
            if (upto(&m, 3) == 0)
                model_commit(&m, 1 + upto(&m, write_max), chunk);
            else if (upto(&m, 3) == 0)
                model_ack(&m, held);
            break;
        case 4:
            stream_close_chunk(&m.s);
            break;
        default:
            look(&m, chunk);
        }
        EXPECT(m.fx.budget.used <= budget);
        EXPECT(m.s.charged >= m.s.len && (m.s.len > 0 || m.s.charged <= 32768));
    }
    model_fini(&m);
}

TEST("a stream holds what was written, whatever is written, acknowledged, looked at and summed")
{
    static const uint32_t chunk[] = {1, 7, 536, 1448, 1460, 4096, 8960, 33000, 65495, 70000};
    static const uint32_t most[] = {3, 100, 3000, 100000};
    for (unsigned c = 0; c < ARRAY_LEN(chunk); c++)
        for (unsigned w = 0; w < ARRAY_LEN(most); w++) {
            random_life(c * 10 + w, chunk[c], most[w], UINT64_MAX / 2);
            random_life(c * 10 + w + 500, chunk[c], most[w], 100000);
        }
}

TEST("sequence numbers run round the circle")
{
    struct model m;
    model_init(&m, 3, UINT32_MAX - 30000);
    for (unsigned i = 0; i < 20; i++)
        model_write(&m, 5000, 1460);
    for (uint32_t from = 0; from < m.written; from += 1460) {
        uint32_t n = m.written - from < 1460 ? m.written - from : 1460;
        struct pkt *p = model_attach(&m, from, n, 0);
        EXPECT_EQ(pkt_len(p), 20 + n);
        expect_payload(&m, p, from);
        pkt_free(p);
    }
    model_ack(&m, 60000);
    struct pkt *p = model_attach(&m, 60001, 3000, 1460);
    expect_payload(&m, p, 60001);
    pkt_free(p);
    model_fini(&m);
}

/* ---- sums are kept ---- */

static unsigned sums_made;
static const struct csum_ops *real_ops;

static uint32_t counting_sum(const uint8_t *p, size_t n)
{
    sums_made++;
    return real_ops->sum(p, n);
}

static unsigned copies_made;

static uint32_t plain_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    copies_made++;
    return real_ops->copy(to, from, n);
}

static const struct csum_ops counting = {.name = "counting", .sum = counting_sum,
                                         .copy = plain_copy};

static void count_sums(struct model *m)
{
    real_ops = m->fx.env.csum;
    m->fx.env.csum = &counting;
    sums_made = 0;
}

TEST("what was written in any pieces is not read again where it is cut into whole segments")
{
    static const uint32_t writes[] = {64240, 1460, 100000, 333, 7301, 65536};
    for (unsigned w = 0; w < ARRAY_LEN(writes); w++) {
        struct model m;
        model_init(&m, w, 77);
        while (m.written < 600000)
            model_write(&m, writes[w], 1460);
        count_sums(&m);
        for (uint32_t from = 0; from + 1460 <= m.written; from += 1460) {
            struct pkt *p = model_attach(&m, from, 1460, 0);
            EXPECT_EQ(pkt_sum_kept(&m.fx.env, p, 20, 1460), true_sum(m.flat + from, 1460));
            pkt_free(p);
        }
        EXPECT_EQ(sums_made, 0);
        model_fini(&m);
    }
}

TEST("what is written unsummed is not read before it is asked for, and lies in blocks as the rest does")
{
    struct model m, n;
    model_init(&m, 1, 1);
    model_init(&n, 1, 1);
    count_sums(&m);
    unsigned before = copies_made;
    model_write_as(&m, 44 * 1460 * 4, 1460, false);
    EXPECT_EQ(copies_made, before);
    EXPECT_EQ(sums_made, 0);
    model_write(&n, 44 * 1460 * 4, 1460);
    for (uint32_t from = 0; from < m.written; from += 1460) {
        struct pkt *p = model_attach(&m, from, 1460, 0), *q = model_attach(&n, from, 1460, 0);
        EXPECT_EQ(p->more_n, 1);
        EXPECT_EQ(q->more_n, 1);
        EXPECT_EQ(p->more[0].off, q->more[0].off);
        EXPECT_EQ(pkt_sum_kept(&m.fx.env, p, 20, 1460), true_sum(m.flat + from, 1460));
        pkt_free(p);
        pkt_free(q);
    }
    EXPECT_EQ(sums_made, m.written / 1460);
    EXPECT_EQ(m.s.charged, n.s.charged);
    model_fini(&m);
    model_fini(&n);
}

TEST("in bulk a segment lies in one block, and twenty-two of 1,460 in a large one")
{
    struct model m;
    model_init(&m, 1, 1);
    model_write(&m, 44 * 1460 * 4, 1460);
    for (uint32_t from = 0; from < m.written; from += 44 * 1460) {
        struct pkt *p = model_attach(&m, from, 44 * 1460, 1460);
        EXPECT_EQ(pkt_len(p), 20 + 44 * 1460);
        EXPECT_EQ(p->more_n, 2);
        EXPECT_EQ(p->more[0].len, 22 * 1460);
        EXPECT_EQ(p->more[1].len, 22 * 1460);
        pkt_free(p);
    }
    EXPECT_EQ(m.s.charged, 8 * 32768);
    model_fini(&m);
}

TEST("the last segment of a write, which is not full, is not read again either")
{
    struct model m;
    model_init(&m, 1, 1);
    model_write(&m, 3000, 1460);
    count_sums(&m);
    struct pkt *p = model_attach(&m, 2920, 80, 0);
    EXPECT_EQ(pkt_sum_kept(&m.fx.env, p, 20, 80), true_sum(m.flat + 2920, 80));
    EXPECT_EQ(sums_made, 0);
    pkt_free(p);
    model_fini(&m);
}

TEST("after a segment that was not full the pieces are segments again, and earlier sums stay")
{
    struct model m;
    model_init(&m, 2, 1);
    model_write(&m, 65536, 1460);               /* 44 whole ones and 1,296 bytes */
    stream_close_chunk(&m.s);
    model_write(&m, 65536, 1460);
    count_sums(&m);
    for (uint32_t from = 0; from < m.written; from += from == 64240 ? 1296 : 1460) {
        uint32_t n = from == 64240 || from == 65536 + 64240 ? 1296 : 1460;
        struct pkt *p = model_attach(&m, from, n, 0);
        EXPECT_EQ(pkt_sum_kept(&m.fx.env, p, 20, n), true_sum(m.flat + from, n));
        pkt_free(p);
    }
    EXPECT_EQ(sums_made, 0);
    model_fini(&m);
}

TEST("a piece that has grown since it was sent is summed anew, and right")
{
    struct model m;
    model_init(&m, 2, 1);
    model_write(&m, 500, 1460);
    struct pkt *p = model_attach(&m, 0, 500, 0);
    model_write(&m, 700, 1460);
    expect_payload(&m, p, 0);
    pkt_free(p);
    p = model_attach(&m, 0, 1200, 0);
    expect_payload(&m, p, 0);
    pkt_free(p);
    model_fini(&m);
}

/* ---- memory ---- */

TEST("an empty stream holds a small block at most, and a byte does not pin a large one")
{
    struct model m;
    model_init(&m, 1, 1);
    EXPECT_EQ(m.fx.budget.used, 0);
    EXPECT_EQ(pkt_mem_live(&m.fx.mem), 0);
    model_write(&m, 1, 1460);
    EXPECT_EQ(m.s.charged, 512);
    EXPECT_EQ(m.fx.budget.used, 512);
    model_ack(&m, 1);
    EXPECT_EQ(m.s.charged, 512);                /* who writes a byte writes another one soon */
    EXPECT_EQ(m.fx.budget.used, 512);
    stream_free(&m.fx.env, &m.s);
    EXPECT_EQ(m.s.charged, 0);
    EXPECT_EQ(m.fx.budget.used, 0);
    EXPECT_EQ(pkt_mem_live(&m.fx.mem), 0);
    model_write(&m, 3000, 1460);
    EXPECT_EQ(m.s.charged, 4096);
    model_write(&m, 100000, 1460);
    EXPECT(m.fx.mem.blks[BLK_STREAM_L].live >= 3);
    model_fini(&m);
}

TEST("many small writes, each sent alone, share blocks")
{
    struct model m;
    COVERS("INV-6");
    model_init(&m, 1, 1);
    for (unsigned i = 0; i < 4000; i++) {
        model_write(&m, 1, 1460);
        stream_close_chunk(&m.s);
    }
    EXPECT(m.s.charged < 4000 * 4);
    for (uint32_t i = 0; i < 4000; i += 13) {
        struct pkt *p = model_attach(&m, i, 1, 0);
        expect_payload(&m, p, i);
        pkt_free(p);
    }
    model_fini(&m);
}

TEST("a full budget takes what fits, and takes more when something was acknowledged")
{
    struct model m;
    COVERS("INV-6");
    model_init(&m, 1, 1);
    m.fx.budget.max = 100000;
    size_t took = model_write(&m, 500000, 1460);
    EXPECT(took > 80000 && took < 100000);
    EXPECT(m.fx.budget.refused > 0);
    EXPECT_EQ(model_write(&m, 100, 1460), 0);
    model_ack(&m, (uint32_t)took / 2);
    EXPECT(model_write(&m, 100000, 1460) > 20000);
    model_fini(&m);
}

TEST("where one size of block is used up, the others are taken, and then nothing is lost")
{
    struct model m;
    model_init(&m, 1, 1);
    struct pool *large = &m.fx.mem.blks[BLK_STREAM_L];
    uint32_t n = 0;
    static struct blk *taken[4096];
    while (n < 4096 && (taken[n] = blk_get(&m.fx.mem, BLK_STREAM_L)) != NULL)
        n++;
    EXPECT_EQ(large->live, large->cap);
    size_t took = model_write(&m, MODEL_MAX, 1460);
    EXPECT(took > 100000 && took < MODEL_MAX);
    EXPECT_EQ(m.fx.mem.blks[BLK_STREAM_M].live, m.fx.mem.blks[BLK_STREAM_M].cap);
    EXPECT_EQ(m.fx.mem.blks[BLK_STREAM_S].live, m.fx.mem.blks[BLK_STREAM_S].cap);
    for (uint32_t from = 0; from + 1460 <= m.written; from += 1460) {
        struct pkt *p = model_attach(&m, from, 1460, 0);
        expect_payload(&m, p, from);
        pkt_free(p);
    }
    while (n > 0)
        blk_put(taken[--n]);
    model_fini(&m);
}

TEST("blocks outlive the stream while packets refer to them, with their sums")
{
    struct model m;
    model_init(&m, 5, 1);
    model_write(&m, 40000, 1460);
    struct pkt *p = model_attach(&m, 0, 30000, 0);
    struct pkt *q = pkt_share(&m.fx.env, p);
    model_ack(&m, 40000);
    EXPECT_EQ(m.s.charged, 0);
    expect_payload(&m, p, 0);
    stream_free(&m.fx.env, &m.s);
    pkt_free(p);
    expect_payload(&m, q, 0);
    EXPECT(pkt_mem_live(&m.fx.mem) > 0);
    pkt_free(q);
    EXPECT_EQ(pkt_mem_live(&m.fx.mem), 0);
    model_fini(&m);
}

TEST("a packet takes as many blocks as it has slices, in whole segments")
{
    struct model m;
    model_init(&m, 5, 1);
    while (m.written < 300000)
        model_write(&m, 50000, 1460);
    struct pkt *p = model_attach(&m, 100, 250000, 1460);
    EXPECT_EQ((pkt_len(p) - 20) % 1460, 0);
    EXPECT(pkt_len(p) > 3 * 32120);
    expect_payload(&m, p, 100);
    pkt_free(p);
    p = model_attach(&m, 100, 250000, 0);
    EXPECT_EQ(p->more_n, PKT_SLICES_MAX);
    expect_payload(&m, p, 100);
    pkt_free(p);
    model_fini(&m);
}

/* ---- without a copy ---- */

TEST("room that was given stays while what was before it is acknowledged")
{
    struct model m;
    size_t n;
    model_init(&m, 1, 1);
    model_write(&m, 100, 1460);
    uint8_t *at = stream_room(&m.fx.env, &m.s, 100, 1460, &n);
    EXPECT(at != NULL && n >= 100);
    model_ack(&m, 100);
    memcpy(at, m.flat + m.written, 100);
    stream_commit(&m.s, 100);
    m.written += 100;
    struct pkt *p = model_attach(&m, 100, 100, 0);
    expect_payload(&m, p, 100);
    pkt_free(p);
    model_ack(&m, 100);
    EXPECT_EQ(m.s.charged, 512);                /* the small block that is kept */
    model_fini(&m);
}

TEST("room that was given and not used is given again, or written over")
{
    struct model m;
    size_t n, again;
    model_init(&m, 1, 1);
    uint8_t *at = stream_room(&m.fx.env, &m.s, 50000, 1460, &n);
    EXPECT(n >= 22 * 1460);
    EXPECT(stream_room(&m.fx.env, &m.s, 50000, 1460, &again) == at);
    EXPECT_EQ(again, n);
    model_write(&m, 5000, 1460);
    struct pkt *p = model_attach(&m, 0, 5000, 0);
    expect_payload(&m, p, 0);
    pkt_free(p);
    model_ack(&m, 5000);
    EXPECT_EQ(m.s.charged, 0);
    model_fini(&m);
}

TEST("more than there is room for cannot be committed, nor acknowledged more than was written")
{
    struct model m;
    size_t n;
    model_init(&m, 1, 1);
    EXPECT_ASSERTS(stream_commit(&m.s, 1));
    (void)stream_room(&m.fx.env, &m.s, 10, 1460, &n);
    EXPECT_ASSERTS(stream_commit(&m.s, n + 1));
    stream_commit(&m.s, 0);
    model_write(&m, 10, 1460);
    EXPECT_ASSERTS(stream_ack(&m.fx.env, &m.s, seq_add(m.first, 11)));
    EXPECT_ASSERTS(stream_ack(&m.fx.env, &m.s, seq_add(m.first, UINT32_MAX)));
    model_fini(&m);
}

TEST("behind bytes that were committed a whole piece begins again")
{
    struct model m;
    model_init(&m, 1, 1);
    model_write(&m, 500, 1460);
    model_commit(&m, 300, 1460);
    model_write(&m, 2920, 1460);
    count_sums(&m);
    for (uint32_t from = 800; from < 3720; from += 1460) {
        struct pkt *p = model_attach(&m, from, 1460, 0);
        EXPECT_EQ(pkt_sum_kept(&m.fx.env, p, 20, 1460), true_sum(m.flat + from, 1460));
        pkt_free(p);
    }
    EXPECT_EQ(sums_made, 0);
    model_fini(&m);
}

TEST("room that was given in a block and never used does not keep the block")
{
    struct model m;
    size_t n;
    model_init(&m, 1, 1);
    model_write(&m, 22 * 1460, 1460);           /* there is room left, but for no whole segment */
    EXPECT(stream_room(&m.fx.env, &m.s, 100, 1460, &n) != NULL);
    EXPECT(n < 1460);
    model_write(&m, 50000, 1460);
    model_ack(&m, m.written);
    EXPECT_EQ(m.s.charged, 0);
    model_fini(&m);
}
