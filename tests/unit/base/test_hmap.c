#include "test.h"

#include "base/hmap.h"
#include "base/rng.h"

#define MEMORY (1u << 20)
#define REFS   500

static _Alignas(64) uint8_t memory[MEMORY];

static struct hmap map_of(uint32_t max)
{
    struct arena a;
    struct hmap m;
    memset(memory, 0xa5, sizeof(memory));
    arena_init(&a, memory, sizeof(memory));
    EXPECT(hmap_init(&m, &a, max));
    return m;
}

/* How often ref is found under hash. */
static unsigned found(const struct hmap *m, uint32_t hash, uint32_t ref)
{
    unsigned n = 0;
    uint32_t got;
    for (uint32_t at = hmap_first(m, hash); (got = hmap_next(m, hash, &at)) != HMAP_NONE;)
        n += got == ref;
    return n;
}

static unsigned candidates(const struct hmap *m, uint32_t hash)
{
    unsigned n = 0;
    for (uint32_t at = hmap_first(m, hash); hmap_next(m, hash, &at) != HMAP_NONE;)
        n++;
    return n;
}

TEST("what was put is found, and what was not is not")
{
    struct hmap m = map_of(10);
    EXPECT(hmap_put(&m, 0xdeadbeef, 0));
    EXPECT(hmap_put(&m, 0x12345678, 7));
    EXPECT_EQ(found(&m, 0xdeadbeef, 0), 1);
    EXPECT_EQ(found(&m, 0x12345678, 7), 1);
    EXPECT_EQ(candidates(&m, 0x12345679), 0);
    hmap_del(&m, 0xdeadbeef, 0);
    EXPECT_EQ(candidates(&m, 0xdeadbeef), 0);
    EXPECT_EQ(found(&m, 0x12345678, 7), 1);
}

TEST("entries with one hash are all candidates, and removing one leaves the others")
{
    struct hmap m = map_of(10);
    for (uint32_t ref = 0; ref < 10; ref++)
        EXPECT(hmap_put(&m, 42, ref));
    EXPECT_EQ(candidates(&m, 42), 10);
    hmap_del(&m, 42, 4);
    hmap_del(&m, 42, 0);
    EXPECT_EQ(candidates(&m, 42), 8);
    EXPECT_EQ(found(&m, 42, 4), 0);
    EXPECT_EQ(found(&m, 42, 9), 1);
}

TEST("different hashes with one home slot are told apart")
{
    struct hmap m = map_of(8);
    uint32_t apart = m.mask + 1;
    for (uint32_t i = 0; i < 8; i++)
        EXPECT(hmap_put(&m, 3 + i * apart, i));
    for (uint32_t i = 0; i < 8; i++) {
        EXPECT_EQ(candidates(&m, 3 + i * apart), 1);
        EXPECT_EQ(found(&m, 3 + i * apart, i), 1);
    }
}

TEST("a run that goes round the end of the table survives removals")
{
    struct hmap m = map_of(8);
    uint32_t last = m.mask;
    EXPECT(hmap_put(&m, last, 1));
    EXPECT(hmap_put(&m, last, 2));      /* stands at 0 */
    EXPECT(hmap_put(&m, 0, 3));         /* at 1 */
    EXPECT(hmap_put(&m, last - 1, 4));
    hmap_del(&m, last, 1);
    EXPECT_EQ(found(&m, last, 2), 1);
    EXPECT_EQ(found(&m, 0, 3), 1);
    EXPECT_EQ(found(&m, last - 1, 4), 1);
    hmap_del(&m, last, 2);
    EXPECT_EQ(found(&m, 0, 3), 1);
    EXPECT_EQ(m.slot[0].ref1, 4);       /* back home */
}

TEST("a full map refuses, at a load of five eighths at most, and takes again after a removal")
{
    struct hmap m = map_of(64);
    EXPECT_EQ(m.mask, 127);
    for (uint32_t i = 0; i < 64; i++)
        EXPECT(hmap_put(&m, i * 2654435761u, i));
    EXPECT(!hmap_put(&m, 5, 64));
    EXPECT_EQ(m.used, 64);
    hmap_del(&m, 0, 0);
    EXPECT(hmap_put(&m, 5, 64));
}

TEST("a map for nothing is empty and full")
{
    struct hmap m = map_of(0);
    EXPECT_EQ(candidates(&m, 1), 0);
    EXPECT(!hmap_put(&m, 1, 1));
}

TEST("a map for which the arena has no room is not made")
{
    struct arena a;
    struct hmap m;
    arena_init(&a, memory, 4096);
    EXPECT(!hmap_init(&m, &a, 321));
    EXPECT(!hmap_init(&m, &a, 1u << 30));
    EXPECT(hmap_init(&m, &a, 320));
}

TEST("misuse stops: removing what is not there, putting no reference, a size beyond the limit")
{
    struct hmap m = map_of(8);
    struct arena a = {0};
    EXPECT(hmap_put(&m, 1, 1));
    EXPECT_ASSERTS(hmap_del(&m, 1, 2));
    EXPECT_ASSERTS(hmap_del(&m, 2, 1));
    EXPECT_ASSERTS(hmap_put(&m, 2, HMAP_NONE));
    EXPECT_ASSERTS(hmap_del(&m, 0, HMAP_NONE));     /* must not match an empty slot */
    EXPECT_ASSERTS(hmap_init(&m, &a, (1u << 30) + 1));
}

/* Every reference is put or not; `kinds` of hash make them collide more or less. */
static void compare_with_array(uint32_t max, uint32_t kinds, uint64_t seed)
{
    struct hmap m = map_of(max);
    struct rng dice;
    uint32_t hash[REFS];
    bool in[REFS] = {false};
    uint32_t used = 0;
    rng_seed(&dice, seed, 0);
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t ref = (uint32_t)rng_below(&dice, REFS);
        if (in[ref]) {
            hmap_del(&m, hash[ref], ref);
            in[ref] = false;
            used--;
        } else {
            hash[ref] = (uint32_t)rng_below(&dice, kinds) * (UINT32_MAX / kinds);
            in[ref] = hmap_put(&m, hash[ref], ref);
            EXPECT_EQ(in[ref], used < max);
            used += in[ref];
        }
        EXPECT_EQ(m.used, used);
        for (uint32_t i = step % 16; i < REFS; i += 16)
            if (in[i])
                EXPECT_EQ(found(&m, hash[i], i), 1);
    }
    for (uint32_t i = 0; i < REFS; i++)
        if (in[i])
            hmap_del(&m, hash[i], i);
    for (uint32_t i = 0; i <= m.mask; i++)
        EXPECT_EQ(m.slot[i].ref1, 0);
}

TEST("random use matches a plain array")
{
    compare_with_array(REFS, UINT32_MAX, 1);
    compare_with_array(64, UINT32_MAX, 2);
    compare_with_array(100, 1000, 3);
}

TEST("random use with colliding hashes matches a plain array")
{
    compare_with_array(64, 1, 4);
    compare_with_array(100, 3, 5);
    compare_with_array(REFS, 40, 6);
}

TEST("the tuple hash has no input that makes the others not matter")
{
    uint64_t seed = 0x0123456789abcdef;
    uint64_t zero_b = 0xe7037ed1a0b428dbu;
    uint64_t zero_d = 0x589965cc75374cc3u;
    EXPECT(hash_4(seed, 1, zero_b, 0, 0) != hash_4(seed, 2, zero_b, 0, 0));
    EXPECT(hash_4(seed, 0, 0, 1, zero_d) != hash_4(seed, 0, 0, 2, zero_d));
    EXPECT(hash_2(seed, 1, zero_b) != hash_2(seed, 2, zero_b));
    EXPECT(hash_4(seed, 1, 2, 3, 4) != hash_4(seed + 1, 1, 2, 3, 4));
}

TEST("the hashes spread neighbouring keys evenly over the low bits")
{
    unsigned of_2[64] = {0};
    unsigned of_4[64] = {0};
    unsigned of_word[64] = {0};
    for (uint64_t i = 0; i < 6400; i++) {
        of_2[hash_2(7, i, 80) % 64]++;
        of_4[hash_4(7, 1, 2, 3, i << 16 | 80) % 64]++;
        of_word[hash_word(hash_word(7, i), 1) % 64]++;
    }
    for (int i = 0; i < 64; i++) {      /* 100 expected, 10 the deviation */
        EXPECT(of_2[i] > 40 && of_2[i] < 160);
        EXPECT(of_4[i] > 40 && of_4[i] < 160);
        EXPECT(of_word[i] > 40 && of_word[i] < 160);
    }
}
