/*
 * Speed of the Internet checksum over cached bytes: summing, and copying with a sum in one pass,
 * portable and AVX2, beside memcpy of the same bytes in the same run.
 *
 * All that is compared takes turns, repetition by repetition, so that a machine that slows down
 * slows all of them. A ratio is taken within a repetition. Source and destination lie in one block
 * at a small distance: some processors predict cache ways from hashed addresses and copy three
 * times slower where the two buffers collide (Zen 4: multiples of 256 MiB apart), which would
 * flatter us.
 */
#include "bench/bench.h"

#include "base/csum.h"

#ifdef ORIEL_HAS_AVX2_TARGET
#include <immintrin.h>
#endif

#define BUFFER     65536
#define DISTANCE   4096
#define REP_BYTES  (256u << 20)

struct subject {
    const char *name;
    const struct csum_ops *ops;     /* NULL: memcpy */
    bool copies;
    bool bound;
    struct bench_runs runs;
};

static uint8_t *from;
static uint8_t *to;
static volatile uint32_t sink;
static void *(*volatile copy_bytes)(void *, const void *, size_t) = memcpy;

/* No sum of all bytes can be faster: each is loaded once, and one addition done with it. */
#ifdef ORIEL_HAS_AVX2_TARGET
ORIEL_TARGET_AVX2 static inline __m256i plus(__m256i sum, const uint8_t *p)
{
    return _mm256_add_epi64(sum, _mm256_loadu_si256((const __m256i *)(const void *)p));
}

ORIEL_TARGET_AVX2 static uint32_t load_and_add(const uint8_t *p, size_t n)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    for (; n >= 256; n -= 256, p += 256) {
        a = plus(plus(plus(plus(a, p), p + 64), p + 128), p + 192);
        b = plus(plus(plus(plus(b, p + 32), p + 96), p + 160), p + 224);
    }
    for (; n >= 32; n -= 32, p += 32)
        a = plus(a, p);
    return (uint32_t)_mm256_extract_epi32(_mm256_add_epi64(a, b), 0);
}
#else
static uint32_t load_and_add(const uint8_t *p, size_t n)
{
    return csum_portable.sum(p, n);
}
#endif

static uint32_t once(const struct subject *s, size_t n)
{
    if (s->bound)
        return load_and_add(from, n);
    if (!s->ops) {
        copy_bytes(to, from, n);
        return 0;
    }
    return s->copies ? s->ops->copy(to, from, n) : s->ops->sum(from, n);
}

static double gigabytes_per_second(const struct subject *s, size_t n)
{
    size_t rounds = REP_BYTES / n;
    uint32_t sum = 0;
    double start = bench_seconds();
    for (size_t i = 0; i < rounds; i++)
        sum += once(s, n);
    double took = bench_seconds() - start;
    sink = sum;
    return (double)rounds * (double)n / took * 1e-9;
}

static void measure(size_t n, const struct csum_ops *fast)
{
    struct subject subjects[] = {
        {.name = "memcpy"},
        {.name = "loads", .bound = true},
        {.name = "portable", .ops = &csum_portable},
        {.name = "portable_copy", .ops = &csum_portable, .copies = true},
        {.name = "avx2", .ops = fast},
        {.name = "avx2_copy", .ops = fast, .copies = true},
    };
    size_t count = fast ? ARRAY_LEN(subjects) : ARRAY_LEN(subjects) - 2;
    struct bench_runs ratio = {.n = 0};
    struct bench_runs ratio_copy = {.n = 0};
    for (int rep = 0; rep < BENCH_REPS; rep++) {
        double speed[ARRAY_LEN(subjects)];
        for (size_t i = 0; i < count; i++) {
            speed[i] = gigabytes_per_second(&subjects[i], n);
            bench_add(&subjects[i].runs, speed[i]);
        }
        bench_add(&ratio, speed[count - 2] / speed[0]);
        bench_add(&ratio_copy, speed[count - 1] / speed[0]);
    }
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "csum.%s.%zu", subjects[i].name, n);
        if (subjects[i].bound)
            bench_bound(name, &subjects[i].runs, "GB/s");
        else if (subjects[i].ops)
            bench_figure(name, &subjects[i].runs, "GB/s");
        else
            bench_peer(name, &subjects[i].runs, "GB/s");
    }
    char name[64];
    snprintf(name, sizeof(name), "csum.ratio.%zu", n);
    bench_figure(name, &ratio, "x");
    snprintf(name, sizeof(name), "csum.ratio_copy.%zu", n);
    bench_figure(name, &ratio_copy, "x");
}

int main(void)
{
    static const size_t sizes[] = {64, 1460, 9000, 65536};
    uint32_t cpu = 0;
#ifdef __x86_64__
    cpu = __builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0;
#endif
    const struct csum_ops *fast = csum_x86_ops(cpu);
    if (!fast)
        fprintf(stderr, "no AVX2 here: the ratio is the portable sum's\n");
    from = bench_memory((size_t)2 * BUFFER + DISTANCE);
    to = from + BUFFER + DISTANCE;
    for (size_t i = 0; i < BUFFER; i++)
        from[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        measure(sizes[i], fast);
    free(from);
    return 0;
}
