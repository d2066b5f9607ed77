#include "test.h"

#include "base/pool.h"

#define MEMORY 65536

static _Alignas(64) uint8_t memory[MEMORY];

static struct arena fresh_arena(void)
{
    struct arena a;
    arena_init(&a, memory, sizeof(memory));
    memset(memory, 0xa5, sizeof(memory));
    return a;
}

TEST("an arena gives aligned memory, one piece after the other, until there is no room")
{
    struct arena a = fresh_arena();
    uint8_t *first = arena_take(&a, 1);
    uint8_t *second = arena_take(&a, 100);
    uint8_t *third = arena_take(&a, 64);
    EXPECT(first == memory);
    EXPECT_EQ(second - first, 64);
    EXPECT_EQ(third - second, 128);
    EXPECT(arena_take(&a, MEMORY - 256 + 1) == NULL);
    EXPECT(arena_take(&a, MEMORY - 256) == memory + 256);
    EXPECT(arena_take(&a, 1) == NULL);
}

TEST("an arena that starts anywhere still gives aligned memory and stays inside")
{
    for (size_t shift = 0; shift < 64; shift++) {
        struct arena a;
        arena_init(&a, memory + shift, 256);
        uint8_t *at = arena_take(&a, 65);
        EXPECT_EQ((uintptr_t)at % 64, 0);
        while ((at = arena_take(&a, 1)) != NULL)
            EXPECT(at >= memory + shift && at < memory + shift + 256);
        EXPECT(a.used <= a.size);
    }
}

TEST("an absurd size is refused and does not wrap round")
{
    struct arena a = fresh_arena();
    EXPECT(arena_take(&a, 10) != NULL);
    EXPECT(arena_take(&a, SIZE_MAX) == NULL);
    EXPECT(arena_take(&a, SIZE_MAX - 63) == NULL);
    EXPECT_EQ(a.used, 10);
}

TEST("an arena leaves memory as it is unless zeros are asked for")
{
    struct arena a = fresh_arena();
    uint8_t *as_it_was = arena_take(&a, 64);
    uint8_t *zeros = arena_take_zeroed(&a, 64);
    for (int i = 0; i < 64; i++) {
        EXPECT_EQ(as_it_was[i], 0xa5);
        EXPECT_EQ(zeros[i], 0);
    }
    EXPECT_EQ(zeros[64], 0xa5);
}

TEST("an empty arena has nothing")
{
    struct arena a;
    arena_init(&a, NULL, 0);
    EXPECT(arena_take(&a, 1) == NULL);
}

TEST("a pool hands out its capacity, then refuses and counts it")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(pool_init(&p, "things", &a, 40, 100));
    EXPECT_EQ(p.size, 48);
    for (uint32_t i = 0; i < 100; i++)
        EXPECT(pool_get(&p) != NULL);
    EXPECT_EQ(p.live, 100);
    EXPECT_EQ(p.refused, 0);
    EXPECT(pool_get(&p) == NULL);
    EXPECT(pool_get_zeroed(&p) == NULL);
    EXPECT_EQ(p.refused, 2);
    EXPECT_EQ(p.live, 100);
}

TEST("objects are aligned, apart from each other and all their own")
{
    struct arena a = fresh_arena();
    struct pool p;
    uint8_t *obj[50];
    EXPECT(pool_init(&p, "things", &a, 24, 50));
    for (int i = 0; i < 50; i++) {
        obj[i] = pool_get(&p);
        EXPECT_EQ((uintptr_t)obj[i] % 16, 0);
        memset(obj[i], i, 24);
    }
    for (int i = 0; i < 50; i++)
        for (int k = 0; k < 24; k++)
            EXPECT_EQ(obj[i][k], i);
}

TEST("an object keeps its index, and the index finds it again")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(pool_init(&p, "things", &a, 16, 10));
    void *obj[10];
    for (uint32_t i = 0; i < 10; i++) {
        obj[i] = pool_get(&p);
        EXPECT_EQ(pool_index(&p, obj[i]), i);
    }
    pool_put(&p, obj[3]);
    pool_put(&p, obj[7]);
    for (uint32_t i = 0; i < 10; i++)
        EXPECT(pool_at(&p, i) == obj[i]);
    EXPECT(pool_get(&p) == obj[7]);     /* the last freed is the warmest */
    EXPECT(pool_get(&p) == obj[3]);
    EXPECT(pool_get(&p) == NULL);
}

TEST("an index is found by whatever size, and of what is no object none is")
{
    for (size_t size = 16; size <= 4096; size += 16) {
        struct arena a = fresh_arena();
        struct pool p;
        EXPECT(pool_init(&p, "things", &a, size, (uint32_t)(MEMORY / (size + 1)) - 1));
        for (uint32_t i = 0; i < p.cap; i++)
            EXPECT_EQ(pool_index(&p, pool_get(&p)), i);
        size_t odd = (size_t)1 << p.shift;      /* distances that are multiples of it and no more */
        for (uint8_t *at = p.base + odd; odd < size && at < p.base + size; at += odd)
            EXPECT_ASSERTS(pool_index(&p, at));
        EXPECT_ASSERTS(pool_index(&p, p.base + (size_t)p.cap * size));
    }
}

TEST("the count of live objects is the leak count, and the peak stays")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(pool_init(&p, "things", &a, 16, 10));
    void *x = pool_get(&p);
    void *y = pool_get(&p);
    void *z = pool_get(&p);
    pool_put(&p, y);
    EXPECT_EQ(p.live, 2);
    EXPECT_EQ(p.peak, 3);
    pool_put(&p, x);
    pool_put(&p, z);
    EXPECT_EQ(p.live, 0);
    EXPECT_EQ(p.peak, 3);
}

TEST("memory beyond the objects that were used stays untouched")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(pool_init(&p, "things", &a, 64, 512));
    for (int round = 0; round < 100; round++) {
        void *x = pool_get_zeroed(&p);
        void *y = pool_get_zeroed(&p);
        pool_put(&p, x);
        pool_put(&p, y);
    }
    EXPECT_EQ(p.fresh, 2);
    ORIEL_UNPOISON(memory, sizeof(memory));
    for (size_t i = 2 * 64; i < 512 * 64; i++)
        EXPECT_EQ(memory[i], 0xa5);
    for (size_t i = 512 * 64 + 8; i < MEMORY; i++)  /* one word says which are live */
        EXPECT_EQ(memory[i], 0xa5);
}

TEST("an object asked for zeroed is zero even when it was used before")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(pool_init(&p, "things", &a, 32, 1));
    uint8_t *x = pool_get(&p);
    memset(x, 0xff, 32);
    pool_put(&p, x);
    x = pool_get_zeroed(&p);
    for (int i = 0; i < 32; i++)
        EXPECT_EQ(x[i], 0);
}

TEST("a pool for which the arena has no room has no capacity and can be used")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(!pool_init(&p, "too many", &a, 64, MEMORY));
    EXPECT_EQ(p.cap, 0);
    EXPECT(pool_get(&p) == NULL);
    EXPECT_EQ(p.refused, 1);
    EXPECT(!pool_init(&p, "far too many", &a, UINT32_MAX - 15, UINT32_MAX));
    EXPECT(pool_get(&p) == NULL);
    EXPECT_EQ(a.used, 0);
}

TEST("a pool of no objects is a pool")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(pool_init(&p, "none", &a, 16, 0));
    EXPECT(pool_get(&p) == NULL);
}

TEST("two pools of one arena do not meet")
{
    struct arena a = fresh_arena();
    struct pool p;
    struct pool q;
    EXPECT(pool_init(&p, "small", &a, 16, 65));
    EXPECT(pool_init(&q, "large", &a, 160, 10));
    for (int i = 0; i < 65; i++)
        memset(pool_get(&p), 0x11, 16);
    for (int i = 0; i < 10; i++)
        memset(pool_get(&q), 0x22, 160);
    for (uint32_t i = 0; i < 65; i++)
        EXPECT_EQ(*(uint8_t *)pool_at(&p, i), 0x11);
    EXPECT_EQ(p.live, 65);
    for (uint32_t i = 0; i < 65; i++)
        pool_put(&p, pool_at(&p, i));
    EXPECT_EQ(*(uint8_t *)pool_at(&q, 0), 0x22);
}

TEST("misuse stops: foreign pointers, pointers into objects, objects freed twice")
{
    struct arena a = fresh_arena();
    struct pool p;
    EXPECT(pool_init(&p, "things", &a, 32, 10));
    uint8_t foreign[32];
    uint8_t *x = pool_get(&p);
    uint8_t *y = pool_get(&p);
    EXPECT_ASSERTS(pool_put(&p, foreign));
    EXPECT_ASSERTS(pool_put(&p, NULL));
    EXPECT_ASSERTS(pool_put(&p, x + 16));
    EXPECT_ASSERTS(pool_put(&p, x + 64));       /* never handed out */
    EXPECT_ASSERTS(pool_at(&p, 2));
    pool_put(&p, x);
    EXPECT_ASSERTS(pool_put(&p, x));
    pool_put(&p, y);
    EXPECT_ASSERTS(pool_put(&p, x));            /* also when it is not the last one freed */
    EXPECT_EQ(p.live, 0);
    EXPECT_ASSERTS(pool_init(&p, "things", &a, 0, 10));
}

TEST("random use matches a list of what is out")
{
    struct arena a = fresh_arena();
    struct pool p;
    void *out[200];
    uint32_t n = 0;
    uint32_t dice = 1;
    EXPECT(pool_init(&p, "things", &a, 16, 200));
    for (uint32_t step = 0; step < 100000; step++) {
        dice = dice * 1664525u + 1013904223u;
        if ((dice >> 16) % 2 == 0) {
            uint32_t *x = pool_get(&p);
            EXPECT_EQ(x != NULL, n < 200);
            if (x) {
                *x = pool_index(&p, x);
                out[n++] = x;
            }
        } else if (n > 0) {
            uint32_t i = (dice >> 20) % n;
            EXPECT_EQ(*(uint32_t *)out[i], pool_index(&p, out[i]));
            pool_put(&p, out[i]);
            out[i] = out[--n];
        }
        EXPECT_EQ(p.live, n);
    }
}
