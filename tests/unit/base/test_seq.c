/* Sequence numbers round the circle. */
#include "test.h"

#include "base/seq.h"

static const uint32_t starts[] = {0, 1, 2, 1000, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001,
                                  0xfffffffe, 0xffffffff};

#define STARTS (sizeof starts / sizeof starts[0])

TEST("a number is equal to itself and neither before nor after it")
{
    for (size_t i = 0; i < STARTS; i++) {
        seq_t a = seq_of(starts[i]);
        EXPECT(seq_eq(a, a));
        EXPECT(!seq_lt(a, a));
        EXPECT(seq_leq(a, a));
        EXPECT_EQ(seq_diff(a, a), 0);
    }
}

TEST("a number is before all of the half circle that follows it, wherever it stands")
{
    static const uint32_t ahead[] = {1, 2, 1460, 65535, 0x40000000, 0x7ffffffe, 0x7fffffff};
    for (size_t i = 0; i < STARTS; i++) {
        for (size_t j = 0; j < sizeof ahead / sizeof ahead[0]; j++) {
            seq_t a = seq_of(starts[i]);
            seq_t b = seq_add(a, ahead[j]);
            EXPECT(seq_lt(a, b));
            EXPECT(seq_leq(a, b));
            EXPECT(!seq_lt(b, a));
            EXPECT(!seq_leq(b, a));
            EXPECT(!seq_eq(a, b));
            EXPECT(seq_diff(a, b) == (int32_t)ahead[j]);
            EXPECT(seq_diff(b, a) == -(int32_t)ahead[j]);
        }
    }
}

TEST("two numbers exactly half the circle apart are in no order: each is behind the other")
{
    for (size_t i = 0; i < STARTS; i++) {
        seq_t a = seq_of(starts[i]);
        seq_t b = seq_add(a, 0x80000000);
        EXPECT(seq_diff(a, b) == INT32_MIN);
        EXPECT(seq_diff(b, a) == INT32_MIN);
        EXPECT(!seq_lt(a, b));
        EXPECT(!seq_lt(b, a));
        EXPECT(!seq_leq(a, b));
        EXPECT(!seq_leq(b, a));
    }
}

TEST("one step past half the circle, the order turns round")
{
    for (size_t i = 0; i < STARTS; i++) {
        seq_t a = seq_of(starts[i]);
        seq_t b = seq_add(a, 0x80000001);
        EXPECT(seq_lt(b, a));
        EXPECT(!seq_lt(a, b));
        EXPECT(seq_diff(a, b) == -INT32_MAX);
    }
}

TEST("adding wraps from the last number to zero")
{
    EXPECT_EQ(seq_add(seq_of(0xffffffff), 1).v, 0);
    EXPECT_EQ(seq_add(seq_of(0xfffffff0), 0x20).v, 0x10);
    EXPECT_EQ(seq_add(seq_of(5), 0xffffffff).v, 4);
    EXPECT_EQ(seq_add(seq_of(7), 0).v, 7);
}

TEST("adding the distance to a number gives that number")
{
    uint64_t lcg = 1;
    for (unsigned i = 0; i < 100000; i++) {
        lcg = lcg * 6364136223846793005u + 1442695040888963407u;
        seq_t a = seq_of((uint32_t)(lcg >> 32));
        lcg = lcg * 6364136223846793005u + 1442695040888963407u;
        seq_t b = seq_of((uint32_t)(lcg >> 32));
        int64_t d = seq_diff(a, b);
        EXPECT(d >= INT32_MIN && d <= INT32_MAX);
        EXPECT((uint32_t)((uint64_t)a.v + (uint64_t)d) == b.v);
        EXPECT(seq_lt(a, b) == (d > 0));
        EXPECT(seq_leq(a, b) == (d >= 0));
    }
}
