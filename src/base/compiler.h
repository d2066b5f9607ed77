/*
 * What the compiler can do for us, under names of our own.
 *
 * The only file with compiler extensions. Everything else is plain C11.
 */
#ifndef ORIEL_BASE_COMPILER_H
#define ORIEL_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "oriel/oriel.h"

#define static_assert _Static_assert

#define oriel_likely(x)   __builtin_expect(!!(x), 1)
#define oriel_unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n)       (1u << (n))
#define BIT64(n)     ((uint64_t)1 << (n))

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/*
 * Our own mistakes stop the program, in every build: stopping beats corrupting.
 * The handler is a weak symbol, so that a host can print and dump the trace first.
 */
#define ORIEL_ASSERT(x)                                                                            \
    do {                                                                                           \
        if (oriel_unlikely(!(x)))                                                                  \
            oriel_assert_failed(__FILE__, __LINE__, #x);                                           \
    } while (0)

#define ORIEL_NEVER_INLINE __attribute__((noinline))
#define ORIEL_ALWAYS_INLINE inline __attribute__((always_inline))
#define ORIEL_PREFETCH(p) __builtin_prefetch(p)
#define ORIEL_WEAK __attribute__((weak))
#define ORIEL_TRAP() __builtin_trap()

/* Code that uses what not every x86-64 has; whoever calls it knows that it is there. */
#if defined(__x86_64__) && defined(__GNUC__)
#define ORIEL_HAS_AVX2_TARGET 1
#define ORIEL_TARGET_AVX2     __attribute__((target("avx2")))
#endif

/* The result is looked at: when it is an error, nothing better can be done than to go on. */
static inline void best_effort(int err)
{
    (void)err;
}

/* Index of the lowest set bit; x is not zero. */
static inline unsigned bit_lowest(uint64_t x)
{
    return (unsigned)__builtin_ctzll(x);
}

/* Index of the highest set bit; x is not zero. */
static inline unsigned bit_highest(uint64_t x)
{
    return 63u - (unsigned)__builtin_clzll(x);
}

/* Big-endian words at any alignment. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORIEL_BE(bits, v) __builtin_bswap##bits(v)
#else
#define ORIEL_BE(bits, v) (v)
#endif

#define ORIEL_BE_ACCESS(bits)                                                                      \
    static inline uint##bits##_t load_be##bits(const uint8_t *p)                                   \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof(v));                                                                  \
        return ORIEL_BE(bits, v);                                                                  \
    }                                                                                              \
    static inline void store_be##bits(uint8_t *p, uint##bits##_t v)                                \
    {                                                                                              \
        v = ORIEL_BE(bits, v);                                                                     \
        memcpy(p, &v, sizeof(v));                                                                  \
    }

ORIEL_BE_ACCESS(16)
ORIEL_BE_ACCESS(32)
ORIEL_BE_ACCESS(64)

/* The sum of two words in one's complement: a carry comes back in at the bottom. */
static inline uint64_t add_with_carry(uint64_t a, uint64_t b)
{
    uint64_t sum;
    uint64_t carry = __builtin_add_overflow(a, b, &sum);
    return sum + carry;
}

/* The 128-bit product of two words, folded: high xor low. The heart of a fast keyed hash. */
static inline uint64_t mul_fold(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__) && UINTPTR_MAX > UINT32_MAX
    __extension__ typedef unsigned __int128 wide;
    wide p = (wide)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t ll = al * bl, lh = al * bh, hl = ah * bl, hh = ah * bh;
    uint64_t mid = (ll >> 32) + (uint32_t)lh + (uint32_t)hl;
    return ((mid << 32) | (uint32_t)ll) ^ (hh + (lh >> 32) + (hl >> 32) + (mid >> 32));
#endif
}

/* Bytes that are written to many places: they stay in registers meanwhile, where there are such. */
struct bytes16 {
    uint8_t v __attribute__((vector_size(16)));
};

struct bytes64 {
    struct bytes16 a, b, c, d;
};

static ORIEL_ALWAYS_INLINE void bytes16_load(struct bytes16 *x, const uint8_t *p)
{
    memcpy(&x->v, p, sizeof(x->v));
}

static ORIEL_ALWAYS_INLINE void bytes16_store(const struct bytes16 *x, uint8_t *p)
{
    memcpy(p, &x->v, sizeof(x->v));
}

static ORIEL_ALWAYS_INLINE void bytes64_load(struct bytes64 *x, const uint8_t *p)
{
    bytes16_load(&x->a, p);
    bytes16_load(&x->b, p + 16);
    bytes16_load(&x->c, p + 32);
    bytes16_load(&x->d, p + 48);
}

static ORIEL_ALWAYS_INLINE void bytes64_store(const struct bytes64 *x, uint8_t *p)
{
    bytes16_store(&x->a, p);
    bytes16_store(&x->b, p + 16);
    bytes16_store(&x->c, p + 32);
    bytes16_store(&x->d, p + 48);
}

/* Freed memory of a pool is poisoned where the address sanitizer is on. */
#if defined(__SANITIZE_ADDRESS__)
#define ORIEL_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ORIEL_ASAN 1
#endif
#endif

#ifdef ORIEL_ASAN
void __asan_poison_memory_region(const volatile void *addr, size_t n);
void __asan_unpoison_memory_region(const volatile void *addr, size_t n);
#define ORIEL_POISON(p, n)   __asan_poison_memory_region(p, n)
#define ORIEL_UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define ORIEL_POISON(p, n)   ((void)(p), (void)(n))
#define ORIEL_UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#endif
