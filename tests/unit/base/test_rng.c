#include "test.h"

#include "base/rng.h"

TEST("the numbers are those of xoshiro256**")
{
    struct rng g = {.s = {1, 2, 3, 4}};     /* values published with the Rust crate rand_xoshiro */
    static const uint64_t expected[] = {
        11520u,
        0u,
        1509978240u,
        1215971899390074240u,
        1216172134540287360u,
        607988272756665600u,
        16172922978634559625u,
        8476171486693032832u,
        10595114339597558777u,
        2904607092377533576u,
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        EXPECT(rng_u64(&g) == expected[i]);
}

TEST("the same seed and stream give the same numbers, others give others")
{
    struct rng a;
    struct rng b;
    struct rng c;
    struct rng d;
    rng_seed(&a, 1, 2);
    rng_seed(&b, 1, 2);
    rng_seed(&c, 1, 3);
    rng_seed(&d, 2, 1);
    unsigned same_c = 0;
    unsigned same_d = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_u64(&a);
        EXPECT(v == rng_u64(&b));
        same_c += v == rng_u64(&c);
        same_d += v == rng_u64(&d);
    }
    EXPECT_EQ(same_c, 0);
    EXPECT_EQ(same_d, 0);
}

TEST("neighbouring seeds and streams have half of their bits in common, as chance has it")
{
    unsigned bits = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        struct rng a;
        struct rng b;
        rng_seed(&a, i, 0);
        rng_seed(&b, i % 2 ? i + 1 : i, i % 2 ? 0 : 1);
        bits += (unsigned)__builtin_popcountll(rng_u64(&a) ^ rng_u64(&b));
    }
    EXPECT(bits > 31000 && bits < 33000);
}

TEST("no seed leaves the generator at zero")
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct rng g;
        rng_seed(&g, seed, seed);
        EXPECT((g.s[0] | g.s[1] | g.s[2] | g.s[3]) != 0);
    }
}

TEST("a number below n is below n, and every one comes equally often")
{
    struct rng g;
    unsigned seen[10] = {0};
    rng_seed(&g, 5, 0);
    for (int i = 0; i < 100000; i++) {
        uint64_t v = rng_below(&g, 10);
        EXPECT(v < 10);
        seen[v]++;
    }
    for (int i = 0; i < 10; i++)
        EXPECT(seen[i] > 9600 && seen[i] < 10400);      /* deviation 95 */
}

TEST("below works at its edges")
{
    struct rng g;
    rng_seed(&g, 6, 0);
    bool upper_half = false;
    for (int i = 0; i < 1000; i++) {
        EXPECT_EQ(rng_below(&g, 1), 0);
        EXPECT(rng_below(&g, 2) < 2);
        EXPECT(rng_below(&g, ((uint64_t)1 << 63) + 1) <= (uint64_t)1 << 63);
        upper_half = upper_half || rng_below(&g, UINT64_MAX) > UINT64_MAX / 2;
    }
    EXPECT(upper_half);
    EXPECT_ASSERTS(rng_below(&g, 0));
}

TEST("between includes both ends")
{
    struct rng g;
    bool low = false;
    bool high = false;
    rng_seed(&g, 7, 0);
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_between(&g, 5, 8);
        EXPECT(v >= 5 && v <= 8);
        low = low || v == 5;
        high = high || v == 8;
        EXPECT_EQ(rng_between(&g, 9, 9), 9);
        EXPECT(rng_between(&g, UINT64_MAX - 1, UINT64_MAX) >= UINT64_MAX - 1);
    }
    EXPECT(low);
    EXPECT(high);
    (void)rng_between(&g, 0, UINT64_MAX);
    EXPECT_ASSERTS(rng_between(&g, 2, 1));
}
