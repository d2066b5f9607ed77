/* Arithmetic of a power-of-two ring. */
#include "test.h"

#include "base/ring.h"

TEST("a ring's size is a power of two")
{
    struct ring r;
    EXPECT_ASSERTS(ring_init(&r, 0));
    EXPECT_ASSERTS(ring_init(&r, 3));
    EXPECT_ASSERTS(ring_init(&r, 6));
    EXPECT_ASSERTS(ring_init(&r, UINT32_MAX));
    for (unsigned bit = 0; bit < 32; bit++) {
        memset(&r, 0xff, sizeof r);
        ring_init(&r, (uint32_t)1 << bit);
        EXPECT_EQ(ring_used(&r), 0);
        EXPECT(!ring_full(&r));
    }
}

static void expect_no_room(struct ring *r)
{
    EXPECT_ASSERTS(ring_push(r));
}

TEST("a ring holds as many as its size and is then full")
{
    for (uint32_t size = 1; size <= 64; size *= 2) {
        struct ring r;
        ring_init(&r, size);
        for (uint32_t i = 0; i < size; i++) {
            EXPECT(!ring_full(&r));
            EXPECT_EQ(ring_push(&r), i);
            EXPECT_EQ(ring_used(&r), i + 1);
        }
        EXPECT(ring_full(&r));
        expect_no_room(&r);
        EXPECT_EQ(ring_used(&r), size);
        EXPECT_EQ(ring_pop(&r), 0);
        EXPECT(!ring_full(&r));
        EXPECT_EQ(ring_push(&r), 0);
        EXPECT(ring_full(&r));
    }
}

TEST("an empty ring has nothing to read")
{
    struct ring r;
    ring_init(&r, 8);
    EXPECT_ASSERTS(ring_pop(&r));
    ring_push(&r);
    EXPECT_EQ(ring_pop(&r), 0);
    EXPECT_ASSERTS(ring_pop(&r));
    EXPECT_EQ(ring_used(&r), 0);
}

/* A queue in a ring, against a plain count of what went in and came out. */
static void run_queue(uint64_t start, uint32_t size)
{
    uint32_t slots[16];
    struct ring r;
    uint64_t lcg = 7;
    uint32_t in = 0;
    uint32_t taken = 0;
    ring_init(&r, size);
    r.head = r.tail = start;
    for (unsigned i = 0; i < 5000; i++) {
        lcg = lcg * 6364136223846793005u + 1442695040888963407u;
        bool want_push = lcg >> 63;
        if (want_push && in - taken < size)
            slots[ring_push(&r)] = in++;
        else if (!want_push && in != taken)
            EXPECT_EQ(slots[ring_pop(&r)], taken++);
        EXPECT_EQ(ring_used(&r), in - taken);
        EXPECT(ring_full(&r) == (in - taken == size));
    }
    EXPECT(taken > 1000);
}

TEST("what goes in comes out in the same order, once round after another")
{
    for (uint32_t size = 1; size <= 16; size *= 2)
        run_queue(0, size);
}

TEST("the counters may pass the end of 64 bits")
{
    for (uint32_t size = 1; size <= 16; size *= 2)
        run_queue(UINT64_MAX - 100, size);
}
