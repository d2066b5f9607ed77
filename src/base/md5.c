/* MD5, in the words of RFC 1321, section 3. Its only little-endian integers are read and written here. */
#include "base/md5.h"

#define BLOCK    64
#define LEN_AT   (BLOCK - 8)    /* of the last block: where the length in bits stands */

/* floor(2^32 * abs(sin(i + 1))) */
static const uint32_t sine[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static const uint8_t turns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static uint32_t rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t word(struct rd *r)
{
    uint32_t v = rd_u8(r);
    for (unsigned shift = 8; shift < 32; shift += 8)
        v |= (uint32_t)rd_u8(r) << shift;
    return v;
}

static void put_word(struct wr *w, uint32_t v)
{
    for (unsigned shift = 0; shift < 32; shift += 8)
        wr_u8(w, (uint8_t)(v >> shift));
}

/* What step i mixes, and which word of the block it adds. */
static uint32_t mix(unsigned i, uint32_t b, uint32_t c, uint32_t d, unsigned *at)
{
    switch (i / 16) {
    case 0:
        *at = i;
        return (b & c) | (~b & d);
    case 1:
        *at = (5 * i + 1) % 16;
        return (b & d) | (c & ~d);
    case 2:
        *at = (3 * i + 5) % 16;
        return b ^ c ^ d;
    default:
        *at = 7 * i % 16;
        return c ^ (b | ~d);
    }
}

static void add_block(struct md5 *m, struct span s)
{
    uint32_t x[16], a = m->a, b = m->b, c = m->c, d = m->d;
    struct rd r = rd_of(s);
    for (unsigned i = 0; i < 16; i++)
        x[i] = word(&r);
    for (unsigned i = 0; i < 64; i++) {
        unsigned at;
        uint32_t f = mix(i, b, c, d, &at) + a + sine[i] + x[at];
        a = d;
        d = c;
        c = b;
        b += rotate(f, turns[i / 16][i % 4]);
    }
    m->a += a;
    m->b += b;
    m->c += c;
    m->d += d;
}

void md5_init(struct md5 *m)
{
    *m = (struct md5){.a = 0x67452301, .b = 0xefcdab89, .c = 0x98badcfe, .d = 0x10325476};
}

void md5_add(struct md5 *m, struct span s)
{
    struct rd r = rd_of(s);
    while (!rd_done(&r)) {
        size_t have = m->bytes % BLOCK, n = BLOCK - have < rd_left(&r) ? BLOCK - have : rd_left(&r);
        rd_copy(&r, m->block + have, n);
        m->bytes += n;
        if (have + n == BLOCK)
            add_block(m, span_of(m->block, BLOCK));
    }
}

void md5_end(struct md5 *m, uint8_t out[MD5_LEN])
{
    static const uint8_t pad[BLOCK] = {0x80};
    uint64_t bits = m->bytes * 8;
    size_t have = m->bytes % BLOCK;
    uint8_t len[8];
    struct wr w = wr_of(len, sizeof len);
    put_word(&w, (uint32_t)bits);
    put_word(&w, (uint32_t)(bits >> 32));
    md5_add(m, span_of(pad, have < LEN_AT ? LEN_AT - have : LEN_AT + BLOCK - have));
    md5_add(m, wr_span(&w));
    w = wr_of(out, MD5_LEN);
    put_word(&w, m->a);
    put_word(&w, m->b);
    put_word(&w, m->c);
    put_word(&w, m->d);
}
