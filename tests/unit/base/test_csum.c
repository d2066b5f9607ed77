#include "test.h"

#include "base/csum.h"
#include "base/rng.h"

#define LENGTHS 4096
#define OFFSETS 64

static _Alignas(64) uint8_t buffer[LENGTHS + OFFSETS];
static _Alignas(64) uint8_t copied[LENGTHS + OFFSETS + 64];

static const struct csum_ops *fastest(void)
{
    uint32_t cpu = 0;
#ifdef __x86_64__
    cpu = __builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0;
#endif
    return csum_ops_for(cpu);
}

/* As RFC 1071 defines it and nothing else: add words, bring every carry round at once. */
static uint32_t naive_add(uint32_t sum, const uint8_t *p, size_t i)
{
    sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
    return sum > 0xffff ? sum - 0xffff : sum;
}

static uint32_t naive(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = naive_add(sum, p, i);
    return sum;
}

static void fill_random(uint64_t seed)
{
    struct rng dice;
    rng_seed(&dice, seed, 0);
    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t)rng_u64(&dice);
}

/* Every length at every offset; the expected sum grows byte by byte with the length. */
static void compare_sums(const struct csum_ops *ops)
{
    for (size_t offset = 0; offset < OFFSETS; offset++) {
        const uint8_t *p = buffer + offset;
        uint32_t expected = 0;
        for (size_t n = 0; n <= LENGTHS; n++) {
            if (ops->sum(p, n) != expected)
                fail_msg("%s: %zu bytes at offset %zu", ops->name, n, offset);
            if (n < LENGTHS)
                expected = naive_add(expected, p, n);
        }
    }
}

static void compare_sums_all_data(const struct csum_ops *ops)
{
    fill_random(1);
    compare_sums(ops);
    memset(buffer, 0xff, sizeof(buffer));
    compare_sums(ops);
    memset(buffer, 0, sizeof(buffer));
    compare_sums(ops);
    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = i % 7 == 0 ? 0x80 : 0x7f;
    compare_sums(ops);
}

TEST("the portable sum is that of RFC 1071 for every length, alignment and kind of data")
{
    compare_sums_all_data(&csum_portable);
}

TEST("the fastest sum is that of RFC 1071 for every length, alignment and kind of data")
{
    compare_sums_all_data(fastest());
}

TEST("the inline sum of a short span is the same number")
{
    fill_random(2);
    for (size_t n = 0; n <= 2 * CSUM_SMALL; n++) {
        struct span s = span_of(buffer + 1, n);
        EXPECT_EQ(csum_fold(csum_small(s.p, s.n)), naive(s.p, s.n));
        EXPECT_EQ(csum_fold(csum_span(&csum_portable, s)), naive(s.p, s.n));
        EXPECT_EQ(csum_fold(csum_span(fastest(), s)), naive(s.p, s.n));
    }
}

TEST("a sum is 0 only for zeros; other data that amounts to nothing gives ffff")
{
    static const struct csum_ops *ops[2];
    ops[0] = &csum_portable;
    ops[1] = fastest();
    for (int k = 0; k < 2; k++) {
        for (size_t n = 2; n <= 1500; n += 2) {
            memset(buffer, 0, sizeof(buffer));
            EXPECT_EQ(ops[k]->sum(buffer, n), 0);
            buffer[n - 2] = 0xff;
            buffer[n - 1] = 0xff;
            EXPECT_EQ(ops[k]->sum(buffer, n), 0xffff);
        }
    }
}

/* What is copied is the same, what stands around it stays, and the sum is the sum. */
static void compare_copy(const struct csum_ops *ops, size_t n, size_t from, size_t to)
{
    memset(copied, 0xee, sizeof(copied));
    uint32_t sum = ops->copy(copied + to, buffer + from, n);
    if (sum != naive(buffer + from, n))
        fail_msg("%s: %zu bytes from %zu to %zu: sum", ops->name, n, from, to);
    EXPECT_MEM(copied + to, buffer + from, n);
    for (size_t i = 0; i < to; i++)
        EXPECT_EQ(copied[i], 0xee);
    for (size_t i = to + n; i < to + n + 64; i++)
        EXPECT_EQ(copied[i], 0xee);
}

static void compare_copies(const struct csum_ops *ops)
{
    fill_random(3);
    for (size_t n = 0; n <= LENGTHS; n++)
        compare_copy(ops, n, n % OFFSETS, (n / OFFSETS) % OFFSETS);
    for (size_t offset = 0; offset < OFFSETS; offset++)
        for (size_t n = 0; n <= 320; n++)
            compare_copy(ops, n, offset, OFFSETS - 1 - offset);
}

TEST("the portable copy copies exactly and sums in the same pass")
{
    compare_copies(&csum_portable);
}

TEST("the fastest copy copies exactly and sums in the same pass")
{
    compare_copies(fastest());
}

TEST("spans of megabytes are summed without a lane running over")
{
    size_t n = ((size_t)3 << 20) + 7;
    uint8_t *big = malloc(n);
    uint8_t *to = malloc(n);
    EXPECT(big && to);
    memset(big, 0xff, n);
    EXPECT_EQ(fastest()->sum(big, n), naive(big, n));
    EXPECT_EQ(fastest()->copy(to, big, n), naive(big, n));
    EXPECT_EQ(csum_portable.sum(big, n), naive(big, n));
    EXPECT_MEM(to, big, n);
    for (size_t i = 0; i < n; i++)
        big[i] = (uint8_t)(i * 2654435761u >> 11);
    EXPECT_EQ(fastest()->sum(big, n), naive(big, n));
    EXPECT_EQ(fastest()->copy(to, big, n), naive(big, n));
    EXPECT_EQ(csum_portable.copy(to, big, n), naive(big, n));
    free(big);
    free(to);
}

TEST("nothing reads beyond the span, before it or after it")
{
    for (size_t n = 0; n <= 300; n++) {         /* the sanitizer watches the edges */
        uint8_t *exact = malloc(n ? n : 1);
        EXPECT(exact);
        memset(exact, 1, n ? n : 1);
        EXPECT_EQ(fastest()->sum(exact, n), naive(exact, n));
        EXPECT_EQ(csum_portable.sum(exact, n), naive(exact, n));
        free(exact);
    }
}

TEST("the implementation is chosen by what the processor is said to have")
{
    EXPECT(csum_ops_for(0) == &csum_portable);
    EXPECT(csum_x86_ops(0) == NULL);
#ifdef __x86_64__
    EXPECT_STR(csum_ops_for(ORIEL_CPU_AVX2)->name, "avx2");
#else
    EXPECT(csum_ops_for(ORIEL_CPU_AVX2) == &csum_portable);
#endif
}

TEST("the numerical example of RFC 1071 comes out")
{
    static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(csum_portable.sum(data, 8), 0xddf2);
    EXPECT_EQ(csum_fold(csum_small(data, 8)), 0xddf2);
    EXPECT_EQ(csum_finish(0xddf2), 0x220d);
}

TEST("data with its own checksum in it finishes to zero")
{
    fill_random(4);
    for (size_t n = 4; n < 1500; n++) {
        buffer[2] = buffer[3] = 0;
        uint16_t c = csum_finish(fastest()->sum(buffer, n));
        buffer[2] = (uint8_t)(c >> 8);
        buffer[3] = (uint8_t)c;
        EXPECT_EQ(csum_finish(fastest()->sum(buffer, n)), 0);
    }
}

TEST("parts add up to the whole wherever it is cut")
{
    fill_random(5);
    for (size_t cut = 0; cut <= 200; cut++) {
        uint32_t first = csum_small(buffer, cut);
        uint32_t rest = csum_small(buffer + cut, 200 - cut);
        uint32_t sum = cut % 2 ? csum_add_odd(first, rest) : csum_add(first, rest);
        EXPECT_EQ(csum_fold(sum), naive(buffer, 200));
    }
}

TEST("folding keeps 0 and ffff apart at every width")
{
    EXPECT_EQ(csum_fold(0), 0);
    EXPECT_EQ(csum_fold(0xffff), 0xffff);
    EXPECT_EQ(csum_fold(0x10000), 1);
    EXPECT_EQ(csum_fold(0xffff0000), 0xffff);
    EXPECT_EQ(csum_fold(0xffffffff), 0xffff);
    EXPECT_EQ(csum_fold(0x1fffe), 0xffff);
}

TEST("the pseudo-header of IPv4 is addresses, protocol and length")
{
    static const uint8_t header[] = {192, 0, 2, 1, 198, 51, 100, 255, 0, 17, 0x05, 0xb4};
    struct oriel_addr src = addr_v4(0xc0000201);
    struct oriel_addr dst = addr_v4(0xc63364ff);
    EXPECT_EQ(csum_fold(csum_pseudo(&src, &dst, 17, 0x5b4)), naive(header, sizeof(header)));
}

TEST("the pseudo-header of IPv6 is addresses, a length of 32 bits and the next header")
{
    static const uint8_t header[40] = {
        0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, 0x12, 0x34, 0x80, 0, 0, 0, 0, 0, 0xfe, 0xdc,
        0xfe, 0x80, 0,    0,    0,    0,    0,    0,    2,    1, 2, 3, 4, 5, 6,    7,
        0x00, 0x12, 0x34, 0x56, 0,    0,    0,    58,
    };
    struct oriel_addr src = addr_v6(0x20010db8ffff1234, 0x800000000000fedc);
    struct oriel_addr dst = addr_v6(0xfe80000000000000, 0x0201020304050607);
    dst.zone = 3;
    EXPECT_EQ(csum_fold(csum_pseudo(&src, &dst, 58, 0x123456)), naive(header, sizeof(header)));
}

TEST("the pseudo-header of random IPv4 addresses matches its bytes")
{
    struct rng dice;
    rng_seed(&dice, 6, 0);
    for (int i = 0; i < 100000; i++) {
        uint32_t a = (uint32_t)rng_u64(&dice);
        uint32_t b = (uint32_t)rng_u64(&dice);
        uint16_t len = (uint16_t)rng_u64(&dice);
        uint8_t bytes[12];
        struct wr w = wr_of(bytes, sizeof(bytes));
        wr_u32(&w, a);
        wr_u32(&w, b);
        wr_u16(&w, 6);
        wr_u16(&w, len);
        struct oriel_addr src = addr_v4(a);
        struct oriel_addr dst = addr_v4(b);
        EXPECT_EQ(csum_fold(csum_pseudo(&src, &dst, 6, len)), naive(bytes, sizeof(bytes)));
    }
}

TEST("the example of RFC 1624 gives 0000 and not ffff")
{
    EXPECT_EQ(csum_update16(0xdd2f, 0x5555, 0x3285), 0x0000);
}

TEST("an updated checksum is the one that a new sum gives")
{
    struct rng dice;
    rng_seed(&dice, 7, 0);
    fill_random(7);
    buffer[0] = 0x45;                   /* as in every header: it is never all zeros */
    for (int i = 0; i < 100000; i++) {
        size_t at = 2 * (size_t)rng_below(&dice, 9);
        uint16_t before = csum_finish(csum_small(buffer, 20));
        uint32_t from = (uint32_t)buffer[2 + at] << 8 | buffer[3 + at];
        uint32_t to = i % 4 == 0 ? 0 : i % 4 == 1 ? 0xffff : (uint32_t)rng_u64(&dice) & 0xffff;
        buffer[2 + at] = (uint8_t)(to >> 8);
        buffer[3 + at] = (uint8_t)to;
        EXPECT_EQ(csum_update16(before, (uint16_t)from, (uint16_t)to),
                  csum_finish(csum_small(buffer, 20)));
    }
}

TEST("an update of 32 bits is two of 16")
{
    struct rng dice;
    rng_seed(&dice, 8, 0);
    fill_random(9);
    for (int i = 0; i < 10000; i++) {
        uint16_t before = csum_finish(csum_small(buffer, 40));
        struct rd r = rd_of(span_of(buffer + 12, 4));
        uint32_t from = rd_u32(&r);
        uint32_t to = i % 3 == 0 ? 0 : i % 3 == 1 ? UINT32_MAX : (uint32_t)rng_u64(&dice);
        struct wr w = wr_of(buffer + 12, 4);
        wr_u32(&w, to);
        EXPECT_EQ(csum_update32(before, from, to), csum_finish(csum_small(buffer, 40)));
    }
}

TEST("a wide sum folds to the sum, and its copy is the same bytes")
{
    uint8_t to[CSUM_SMALL + 2];
    fill_random(5);
    for (size_t offset = 0; offset < 8; offset++) {
        for (size_t n = 0; n <= CSUM_SMALL; n++) {
            const uint8_t *p = buffer + offset;
            memset(to, 0xee, sizeof(to));
            EXPECT_EQ(csum_wide_fold(csum_wide(p, n)), naive(p, n));
            EXPECT_EQ(csum_wide_fold(csum_wide_copy(to + 1, p, n)), naive(p, n));
            EXPECT_MEM(to + 1, p, n);
            EXPECT(to[0] == 0xee && to[n + 1] == 0xee);
        }
    }
    EXPECT_EQ(csum_wide(NULL, 0), 0);
}

TEST("bytes with their checksum among them are good, and with one bit of it turned are not")
{
    fill_random(6);
    for (size_t n = 2; n <= CSUM_SMALL; n++) {
        buffer[0] = buffer[1] = 0;
        uint16_t csum = csum_wide_finish(csum_wide(buffer, n));
        buffer[0] = (uint8_t)(csum >> 8);
        buffer[1] = (uint8_t)csum;
        EXPECT_EQ(csum_wide_good(csum_words(buffer, n)), naive(buffer, n) == 0xffff);
        EXPECT(csum_wide_good(csum_wide(buffer, n)));
        for (size_t bit = 0; bit < 8 * n; bit++) {
            buffer[bit / 8] ^= (uint8_t)(1u << bit % 8);
            EXPECT(!csum_wide_good(csum_words(buffer, n)));
            buffer[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

TEST("the sums of addresses meet their pseudo-header in one's complement, carries and all")
{
    struct oriel_addr all = {UINT64_MAX, UINT64_MAX, 0}, one = {1, 1, 0};
    uint64_t sum = csum_wide_add(csum_wide_addrs(&all, &one), 17 + 100);
    EXPECT_EQ(csum_wide_fold(sum), csum_fold(csum_pseudo(&all, &one, 17, 100)));
    EXPECT_EQ(csum_wide_add(UINT64_MAX, 1), 1);
    EXPECT_EQ(csum_wide_add(UINT64_MAX, UINT64_MAX), UINT64_MAX);
}
