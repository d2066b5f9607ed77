/*
 * The Internet checksum, portable (RFC 1071).
 *
 * One's complement addition does not care how wide the words are nor in which byte order they are
 * read (RFC 1071, 2): we add 64-bit words as the machine loads them, fold to 16 bits at the end and
 * look at the two bytes in memory order. Carries come back in at the bottom, so the sum of anything
 * but zeros is never 0: 0xffff and 0 are told apart alike whatever the width.
 *
 * The carries out of the 64-bit sum are counted apart and added once, so that no addition waits for
 * the carry of the one before it.
 */
#include "base/csum.h"

/* x = high:low -> their one's complement sum, which ends up in the upper half of x + swapped x. */
static uint16_t fold_64(uint64_t x)
{
    x += (x << 32) | (x >> 32);
    uint32_t y = (uint32_t)(x >> 32);
    y += (y << 16) | (y >> 16);
    return (uint16_t)(y >> 16);
}

static uint32_t as_big_endian(uint16_t native)
{
    uint8_t b[2];
    memcpy(b, &native, sizeof(b));
    return ((uint32_t)b[0] << 8) | b[1];
}

struct sum {
    uint64_t words;     /* modulo 2^64 */
    uint64_t carries;
};

static uint64_t load_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

static void store_word(uint8_t *p, uint64_t word)
{
    memcpy(p, &word, sizeof(word));
}

static void add_word(struct sum *s, uint64_t word)
{
    s->words += word;
    s->carries += s->words < word;
}

/* The last 0 to 7 bytes, padded with zeros behind. */
static void add_tail(struct sum *s, const uint8_t *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = 0; i < n; i++)
        memcpy((uint8_t *)&word + i, p + i, 1);
    add_word(s, word);
}

static uint32_t finish(const struct sum *s)
{
    uint64_t x = s->words + s->carries;
    x += x < s->carries;
    return as_big_endian(fold_64(x));
}

static uint32_t portable_sum(const uint8_t *p, size_t n)
{
    struct sum s = {0, 0};
    for (; n >= 32; n -= 32, p += 32) {
        add_word(&s, load_word(p));
        add_word(&s, load_word(p + 8));
        add_word(&s, load_word(p + 16));
        add_word(&s, load_word(p + 24));
    }
    for (; n >= 8; n -= 8, p += 8)
        add_word(&s, load_word(p));
    add_tail(&s, p, n);
    return finish(&s);
}

static uint32_t portable_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    struct sum s = {0, 0};
    for (; n >= 8; n -= 8, from += 8, to += 8) {
        uint64_t word = load_word(from);
        store_word(to, word);
        add_word(&s, word);
    }
    for (size_t i = 0; i < n; i++)
        to[i] = from[i];
    add_tail(&s, from, n);
    return finish(&s);
}

const struct csum_ops csum_portable = {
    .name = "portable",
    .sum = portable_sum,
    .copy = portable_copy,
};

const struct csum_ops *csum_ops_for(uint32_t cpu)
{
    const struct csum_ops *fast = csum_x86_ops(cpu);
    return fast ? fast : &csum_portable;
}

uint16_t csum_update16(uint16_t csum, uint16_t from, uint16_t to)
{
    return csum_finish((uint32_t)(uint16_t)~csum + (uint16_t)~from + to);
}

uint16_t csum_update32(uint16_t csum, uint32_t from, uint32_t to)
{
    csum = csum_update16(csum, (uint16_t)(from >> 16), (uint16_t)(to >> 16));
    return csum_update16(csum, (uint16_t)from, (uint16_t)to);
}
