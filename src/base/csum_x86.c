/*
 * The Internet checksum with AVX2: 32 bytes an instruction, and three instructions on each 32.
 *
 * One instruction (pmaddwd) multiplies sixteen 16-bit words by one and adds them in pairs to 32-bit
 * lanes, but takes them as signed. So each word x goes in as x - 2^15, which is x with its top bit
 * flipped, and what that took away is given back at the end. Lanes count modulo 2^32, and the true
 * sum fits in a lane for up to CHUNK bytes.
 *
 * The last, partial vector is loaded so that it ends with the data, and the bytes in it that were
 * already summed are masked away. When the length is odd that vector starts at an odd offset; its
 * bytes are then swapped in pairs.
 *
 * The result is folded as in csum.c, so that the two agree in every bit. Short spans go there.
 */
#include "base/csum.h"

#ifdef ORIEL_HAS_AVX2_TARGET

#include <immintrin.h>

#define VEC   ((size_t)32)
#define BLOCK (4 * VEC)
#define CHUNK ((size_t)1 << 19)

static_assert((CHUNK / 32 + 1) * 2 * 0xffff <= UINT32_MAX, "a lane holds two words a vector");

struct sums {
    __m256i a;
    __m256i b;          /* two, so that additions need not wait for each other */
};

/* Loaded at n, a mask of the last n bytes of a vector, n in 0..31. */
#define ONES_8 255, 255, 255, 255, 255, 255, 255, 255
static const uint8_t last_bytes[64] = {[32] = ONES_8, ONES_8, ONES_8, ONES_8};

ORIEL_TARGET_AVX2 static inline __m256i load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

ORIEL_TARGET_AVX2 static inline void store(uint8_t *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

/* The eight 32-bit sums of pairs of words, each word 2^15 too small. */
ORIEL_TARGET_AVX2 static inline __m256i pairs(__m256i v)
{
    return _mm256_madd_epi16(_mm256_xor_si256(v, _mm256_set1_epi16(INT16_MIN)),
                             _mm256_set1_epi16(1));
}

ORIEL_TARGET_AVX2 static inline void add(struct sums *s, __m256i v, __m256i w)
{
    s->a = _mm256_add_epi32(s->a, pairs(v));
    s->b = _mm256_add_epi32(s->b, pairs(w));
}

/* v ends with the last `left` bytes of `total`; the others in it were summed before. */
ORIEL_TARGET_AVX2 static inline __m256i tail_of(__m256i v, size_t left, size_t total)
{
    int swap = (int)(total & 1) * 8;
    v = _mm256_and_si256(v, load(last_bytes + left));
    return _mm256_or_si256(_mm256_sll_epi16(v, _mm_cvtsi32_si128(swap)),
                           _mm256_srl_epi16(v, _mm_cvtsi32_si128(16 - swap)));
}

/* Give back the bias, fold to 16 bits as fold_64 of csum.c does, and to network order. */
ORIEL_TARGET_AVX2 static inline uint32_t finish(struct sums s, size_t vectors)
{
    __m256i lanes = _mm256_add_epi32(_mm256_add_epi32(s.a, s.b),
                                     _mm256_set1_epi32((int)(vectors << 16)));
    __m256i low = _mm256_and_si256(lanes, _mm256_set1_epi64x(UINT32_MAX));
    __m256i four = _mm256_add_epi64(low, _mm256_srli_epi64(lanes, 32));
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    two = _mm_add_epi64(two, _mm_unpackhi_epi64(two, two));
    uint64_t x = (uint64_t)_mm_cvtsi128_si64(two);
    x += (x << 32) | (x >> 32);
    uint32_t y = (uint32_t)(x >> 32);
    y += (y << 16) | (y >> 16);
    y >>= 16;
    return ((y & 0xff) << 8) | (y >> 8);
}

ORIEL_TARGET_AVX2 static uint32_t sum_chunk(const uint8_t *p, size_t n)
{
    if (n < VEC)
        return csum_portable.sum(p, n);
    struct sums s = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    const uint8_t *end = p + n;
    size_t left = n;
    for (; left >= BLOCK; left -= BLOCK, p += BLOCK) {
        add(&s, load(p), load(p + VEC));
        add(&s, load(p + 2 * VEC), load(p + 3 * VEC));
    }
    for (; left >= 2 * VEC; left -= 2 * VEC, p += 2 * VEC)
        add(&s, load(p), load(p + VEC));
    if (left >= VEC) {
        s.a = _mm256_add_epi32(s.a, pairs(load(p)));
        left -= VEC;
    }
    s.b = _mm256_add_epi32(s.b, pairs(tail_of(load(end - VEC), left, n)));
    return finish(s, n / VEC + 1);
}

ORIEL_TARGET_AVX2 static inline void copy_add(struct sums *s, uint8_t *to, const uint8_t *from)
{
    __m256i v = load(from);
    __m256i w = load(from + VEC);
    store(to, v);
    store(to + VEC, w);
    add(s, v, w);
}

ORIEL_TARGET_AVX2 static uint32_t copy_chunk(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n < VEC)
        return csum_portable.copy(to, from, n);
    struct sums s = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    size_t at = 0;
    for (; n - at >= BLOCK; at += BLOCK) {
        copy_add(&s, to + at, from + at);
        copy_add(&s, to + at + 2 * VEC, from + at + 2 * VEC);
    }
    for (; n - at >= 2 * VEC; at += 2 * VEC)
        copy_add(&s, to + at, from + at);
    if (n - at >= VEC) {
        __m256i v = load(from + at);
        store(to + at, v);
        s.a = _mm256_add_epi32(s.a, pairs(v));
        at += VEC;
    }
    __m256i last = load(from + n - VEC);
    store(to + n - VEC, last);
    s.b = _mm256_add_epi32(s.b, pairs(tail_of(last, n - at, n)));
    return finish(s, n / VEC + 1);
}

static ORIEL_NEVER_INLINE uint32_t sum_long(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (; n > CHUNK; n -= CHUNK, p += CHUNK)
        sum = csum_add(sum, sum_chunk(p, CHUNK));
    return csum_fold(csum_add(sum, sum_chunk(p, n)));
}

static ORIEL_NEVER_INLINE uint32_t copy_long(uint8_t *to, const uint8_t *from, size_t n)
{
    uint32_t sum = 0;
    for (; n > CHUNK; n -= CHUNK, from += CHUNK, to += CHUNK)
        sum = csum_add(sum, copy_chunk(to, from, CHUNK));
    return csum_fold(csum_add(sum, copy_chunk(to, from, n)));
}

static uint32_t avx2_sum(const uint8_t *p, size_t n)
{
    return oriel_likely(n <= CHUNK) ? sum_chunk(p, n) : sum_long(p, n);
}

static uint32_t avx2_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    return oriel_likely(n <= CHUNK) ? copy_chunk(to, from, n) : copy_long(to, from, n);
}

static const struct csum_ops avx2 = {
    .name = "avx2",
    .sum = avx2_sum,
    .copy = avx2_copy,
};

const struct csum_ops *csum_x86_ops(uint32_t cpu)
{
    return cpu & ORIEL_CPU_AVX2 ? &avx2 : NULL;
}

#else

const struct csum_ops *csum_x86_ops(uint32_t cpu)
{
    (void)cpu;
    return NULL;
}

#endif
