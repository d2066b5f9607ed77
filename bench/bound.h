/*
 * The most that two stacks in one process could reach: what has to happen to the payload, a
 * header's worth of bytes written and looked at, and nothing else.
 *
 * A sender copies from the application into a frame and sums in the same pass; a receiver sums, and
 * later copies out. Frames lie in a ring as large as the window: each is read a window after it was
 * written, and written again at once, which is what a stack's blocks see that come back from a
 * pool. Work alternates in batches, as frames pass between the stacks.
 *
 * Each kind of work is done in the fastest of the ways at hand (the loops below and those of
 * base/csum.h), found by trying on the same ring: a bound that somebody's slow loop set would be
 * none. Lengths reach memcpy through a pointer, or the compiler may put a `rep movs` in its place,
 * which starts slowly: 150 ns for 1,460 bytes on one of our machines.
 *
 * All buffers lie in one area, in huge pages where the system gives them, each 4 KiB and 640 bytes
 * further than the one before ends: some processors copy three times slower at distances of 256 MiB
 * (Zen 4), others wait for a store when a load has the same lower twelve bits.
 */
#ifndef ORIEL_BENCH_BOUND_H
#define ORIEL_BENCH_BOUND_H

#include "bench/bench.h"

#include "base/csum.h"

#ifdef ORIEL_HAS_AVX2_TARGET
#include <immintrin.h>
#endif

#define BOUND_APP   ((size_t)256 << 10)     /* the application's buffers, at either end */
#define BOUND_BATCH 64
#define BOUND_HDR   54

typedef uint32_t (*bound_sum_fn)(const uint8_t *p, size_t n);
typedef uint32_t (*bound_copy_fn)(uint8_t *to, const uint8_t *from, size_t n);

enum bound_kind {
    BOUND_SUMMED,       /* copy and sum; sum, then copy */
    BOUND_COPIED,       /* copy; copy: the link vouches */
    BOUND_SHARED,       /* nothing is copied: sum; sum */
};

struct bound {
    uint8_t *ring, *from, *to;
    size_t window;
    size_t len;         /* payload bytes of a segment */
    size_t stride;
    size_t n;           /* segments in the ring */
    enum bound_kind kind;
    bound_sum_fn sum;
    bound_copy_fn copy_sum, copy;
    const char *sum_name, *copy_sum_name, *copy_name;
    uint32_t sink;
};

/* ---- loops ---- */

static void *(*volatile bound_memcpy)(void *, const void *, size_t) = memcpy;

static inline uint32_t bound_libc_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    bound_memcpy(to, from, n);
    return 0;
}

#ifdef ORIEL_HAS_AVX2_TARGET

struct bound_lanes {
    __m256i a, b, c, d;
};

static inline uint32_t bound_rest(uint64_t sum, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8)
        sum = csum_wide_add(sum, csum_load(p));
    return csum_wide_fold(csum_wide_add(sum, csum_tail(p, n)));
}

ORIEL_TARGET_AVX2 static inline uint32_t bound_finish(const struct bound_lanes *s, const uint8_t *p,
                                                      size_t n)
{
    __m256i all = _mm256_add_epi64(_mm256_add_epi64(s->a, s->b), _mm256_add_epi64(s->c, s->d));
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
    uint64_t sum = (uint64_t)_mm_cvtsi128_si64(two) + (uint64_t)_mm_extract_epi64(two, 1);
    return bound_rest(sum, p, n);
}

/* Words of 32 bits, widened to 64 and added. */
ORIEL_TARGET_AVX2 static inline void bound_add(struct bound_lanes *s, __m256i x, __m256i y)
{
    const __m256i zero = _mm256_setzero_si256();
    s->a = _mm256_add_epi64(s->a, _mm256_unpacklo_epi32(x, zero));
    s->b = _mm256_add_epi64(s->b, _mm256_unpackhi_epi32(x, zero));
    s->c = _mm256_add_epi64(s->c, _mm256_unpacklo_epi32(y, zero));
    s->d = _mm256_add_epi64(s->d, _mm256_unpackhi_epi32(y, zero));
}

ORIEL_TARGET_AVX2 static inline __m256i bound_load(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

ORIEL_TARGET_AVX2 static inline void bound_store(uint8_t *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

ORIEL_TARGET_AVX2 static inline struct bound_lanes bound_zero(void)
{
    __m256i z = _mm256_setzero_si256();
    return (struct bound_lanes){z, z, z, z};
}

ORIEL_TARGET_AVX2 static uint32_t bound_avx2_sum(const uint8_t *p, size_t n)
{
    struct bound_lanes s = bound_zero();
    for (; n >= 64; n -= 64, p += 64)
        bound_add(&s, bound_load(p), bound_load(p + 32));
    return bound_finish(&s, p, n);
}

ORIEL_TARGET_AVX2 static uint32_t bound_avx2_copy_sum(uint8_t *to, const uint8_t *from, size_t n)
{
    struct bound_lanes s = bound_zero();
    for (; n >= 64; n -= 64, from += 64, to += 64) {
        __m256i x = bound_load(from), y = bound_load(from + 32);
        bound_store(to, x);
        bound_store(to + 32, y);
        bound_add(&s, x, y);
    }
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
    return bound_finish(&s, from, n);
}

ORIEL_TARGET_AVX2 static uint32_t bound_avx2_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    const __m256i first = bound_load(from), last = bound_load(from + n - 32);
    uint8_t *end = to + n - 32;
    for (uint8_t *at = to + 32; at < end; at += 32)
        bound_store(at, bound_load(from + (at - to)));
    bound_store(to, first);
    bound_store(end, last);
    return 0;
}

#endif

/* ---- one run ---- */

static inline size_t bound_at(const struct bound *b, size_t i)
{
    size_t slots = BOUND_APP / b->len;
    return i % slots * b->len;
}

static inline void bound_produce(struct bound *b, size_t i)
{
    uint8_t *frame = b->ring + i % b->n * b->stride;
    const uint8_t *from = b->from + bound_at(b, i);
    memset(frame, 0, BOUND_HDR);
    switch (b->kind) {
    case BOUND_SUMMED: b->sink += b->copy_sum(frame + BOUND_HDR, from, b->len); return;
    case BOUND_COPIED: b->sink += b->copy(frame + BOUND_HDR, from, b->len); return;
    case BOUND_SHARED: b->sink += b->sum(frame + BOUND_HDR, b->len); return;
    }
}

static inline void bound_consume(struct bound *b, size_t i)
{
    const uint8_t *frame = b->ring + i % b->n * b->stride;
    uint8_t *to = b->to + bound_at(b, i);
    b->sink += frame[20];
    if (b->kind != BOUND_COPIED)
        b->sink += b->sum(frame + BOUND_HDR, b->len);
    if (b->kind != BOUND_SHARED)
        b->sink += b->copy(to, frame + BOUND_HDR, b->len);
}

/* Seconds that so many segments take. The ring is full before the clock runs. */
static inline double bound_run(struct bound *b, size_t segments)
{
    size_t batch = b->n < BOUND_BATCH ? b->n : BOUND_BATCH, made = 0, eaten = 0;
    for (; made < b->n; made++)
        bound_produce(b, made);
    double start = bench_busy();
    while (eaten < segments) {
        for (size_t k = 0; k < batch; k++)
            bound_consume(b, eaten++);
        for (size_t k = 0; k < batch; k++)
            bound_produce(b, made++);
    }
    double took = bench_busy() - start;
    return took * (double)segments / (double)eaten;
}

static inline double bound_gbits(struct bound *b, size_t bytes)
{
    size_t segments = bytes / b->len;
    return (double)segments * (double)b->len * 8e-9 / bound_run(b, segments);
}

/* ---- choosing ---- */

struct bound_ways {
    const char *name[3];
    bound_sum_fn sum[3];
    bound_copy_fn copy_sum[3], copy[3];
    unsigned n, copies;
};

static inline struct bound_ways bound_ways_here(uint32_t cpu)
{
    const struct csum_ops *ours = csum_ops_for(cpu);
    struct bound_ways w = {.n = 1, .copies = 1};
    w.name[0] = "libc";
    w.sum[0] = ours->sum;
    w.copy_sum[0] = ours->copy;
    w.copy[0] = bound_libc_copy;
#ifdef ORIEL_HAS_AVX2_TARGET
    if (cpu & ORIEL_CPU_AVX2) {
        w.n = w.copies = 2;
        w.sum[1] = bound_avx2_sum;
        w.copy_sum[1] = bound_avx2_copy_sum;
        w.copy[1] = bound_avx2_copy;
    }
#endif
    return w;
}

static inline double bound_try(struct bound *b)
{
    double best = 0;
    for (int i = 0; i < 5; i++) {
        double v = bound_gbits(b, (size_t)64 << 20);
        best = v > best ? v : best;
    }
    return best;
}

/* The fastest of each kind of work, with the others as they are. */
static inline void bound_choose(struct bound *b, uint32_t cpu)
{
    static const char *const names[] = {"base/csum.h", "bench/bound.h"};
    static const char *const copies[] = {"memcpy", "bench/bound.h"};
    struct bound_ways w = bound_ways_here(cpu);
    struct bound best = *b;
    double most = 0;
    for (unsigned i = 0; i < w.n * w.n * w.copies; i++) {
        unsigned s = i % w.n, cs = i / w.n % w.n, c = i / (w.n * w.n);
        b->sum = w.sum[s];
        b->copy_sum = w.copy_sum[cs];
        b->copy = w.copy[c];
        b->sum_name = names[s];
        b->copy_sum_name = names[cs];
        b->copy_name = copies[c];
        double v = bound_try(b);
        if (v > most) {
            most = v;
            best = *b;
        }
    }
    *b = best;
}

/*
 * Room for the largest window: the caller's, and left as it is afterwards. len is the payload of a
 * segment.
 */
static inline size_t bound_room(size_t window, size_t len, size_t stride)
{
    return (window + len - 1) / len * stride + 2 * BOUND_APP + 3 * (4096 + 640);
}

static inline void bound_init(struct bound *b, enum bound_kind kind, size_t window, size_t len,
                              size_t stride, uint8_t *memory, uint32_t cpu)
{
    size_t n = (window + len - 1) / len;
    *b = (struct bound){.kind = kind, .window = window, .len = len, .stride = stride, .n = n};
    b->from = memory;
    b->to = b->from + BOUND_APP + 4096 + 640;
    b->ring = b->to + BOUND_APP + 4096 + 640;
    bound_choose(b, cpu);
}

#endif
