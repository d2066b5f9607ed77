/*
 * SipHash-2-4 by Aumasson and Bernstein: two rounds a word, four at the end.
 *
 * Keys for single uses are derived with SipHash itself as the pseudo-random function. Each half of
 * the 32-byte seed is a key; the label with a counter before it is the message; the answers of both
 * halves are combined, so that whoever learns one derived key has learned neither the seed nor
 * another key. The counter never repeats, or equal halves would cancel.
 */
#include "base/siphash.h"

#define LABEL_MAX 32

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
    return (x << n) | (x >> (64 - n));
}

static uint64_t load_le64(const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static struct sip sip_start(const struct siphash_key *key)
{
    return (struct sip){
        .a = key->k0 ^ 0x736f6d6570736575u,
        .b = key->k1 ^ 0x646f72616e646f6du,
        .c = key->k0 ^ 0x6c7967656e657261u,
        .d = key->k1 ^ 0x7465646279746573u,
    };
}

static ORIEL_ALWAYS_INLINE void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotl(s->b, 13) ^ s->a;
    s->d = rotl(s->d, 16) ^ s->c;
    s->a = rotl(s->a, 32);
    s->a += s->d;
    s->c += s->b;
    s->d = rotl(s->d, 21) ^ s->a;
    s->b = rotl(s->b, 17) ^ s->c;
    s->c = rotl(s->c, 32);
}

static ORIEL_ALWAYS_INLINE void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    sip_round(s);
    s->a ^= word;
}

static uint64_t sip_finish(struct sip *s, uint64_t last)
{
    sip_word(s, last);
    s->c ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(s);
    return s->a ^ s->b ^ s->c ^ s->d;
}

uint64_t siphash(const struct siphash_key *key, struct span data)
{
    struct sip s = sip_start(key);
    uint64_t last = (uint64_t)data.n << 56;
    const uint8_t *p = data.p;
    size_t left = data.n;
    for (; left >= 8; left -= 8, p += 8)
        sip_word(&s, load_le64(p));
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)p[i] << (8 * i);
    return sip_finish(&s, last);
}

uint64_t siphash_words(const struct siphash_key *key, const uint64_t *words, unsigned n)
{
    struct sip s = sip_start(key);
    for (unsigned i = 0; i < n; i++)
        sip_word(&s, words[i]);
    return sip_finish(&s, (uint64_t)n * 8 << 56);
}

static uint64_t labelled(const struct siphash_key *key, uint8_t counter, const char *label)
{
    uint8_t message[1 + LABEL_MAX];
    struct wr w = wr_of(message, sizeof(message));
    wr_u8(&w, counter);
    wr_bytes(&w, span_of(label, strlen(label)));
    ORIEL_ASSERT(!w.bad);               /* labels are our own and short */
    return siphash(key, wr_span(&w));
}

struct siphash_key siphash_derive(const uint8_t seed[32], const char *label)
{
    struct siphash_key half[2];
    for (unsigned i = 0; i < 2; i++) {
        half[i].k0 = load_le64(seed + 16 * i);
        half[i].k1 = load_le64(seed + 16 * i + 8);
    }
    uint64_t k0 = labelled(&half[0], 0, label) ^ labelled(&half[1], 1, label);
    uint64_t k1 = labelled(&half[0], 2, label) ^ labelled(&half[1], 3, label);
    return (struct siphash_key){.k0 = k0, .k1 = k1};
}
