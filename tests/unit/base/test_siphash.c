#include "test.h"

#include "base/siphash.h"

/* The reference vectors of the authors: key 00 01 .. 0f, message 00 01 .. of each length. */
static const uint64_t reference[64] = {
    0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
    0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
    0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
    0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
    0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
    0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
    0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
    0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
    0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
    0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
    0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
    0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
    0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
    0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
    0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static const struct siphash_key reference_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

TEST("the reference vectors come out for every length from 0 to 63")
{
    uint8_t message[64];
    for (uint8_t i = 0; i < 64; i++) {
        message[i] = i;
        EXPECT(siphash(&reference_key, span_of(message, i)) == reference[i]);
    }
}

TEST("the example in the paper comes out")
{
    static const uint8_t message[15] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    EXPECT(siphash(&reference_key, span_of(message, 15)) == 0xa129ca6149be45e5);
}

TEST("where the message starts does not matter")
{
    uint8_t buffer[64 + 8];
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 64; i++)
            buffer[shift + i] = (uint8_t)i;
        EXPECT(siphash(&reference_key, span_of(buffer + shift, 63)) == reference[63]);
    }
}

TEST("an empty message may be nowhere")
{
    EXPECT(siphash(&reference_key, span_of(NULL, 0)) == reference[0]);
}

TEST("words hash as their bytes do, least significant first")
{
    uint64_t words[4];
    for (unsigned i = 0; i < 4; i++)
        words[i] = 0x0706050403020100u + 0x0808080808080808u * i;
    for (unsigned n = 0; n <= 4; n++)
        EXPECT(siphash_words(&reference_key, words, n) == reference[8 * n]);
}

TEST("every bit of the key and of the message changes the hash")
{
    uint8_t message[16] = {0};
    uint64_t before = siphash(&reference_key, span_of(message, 16));
    for (unsigned bit = 0; bit < 128; bit++) {
        struct siphash_key key = reference_key;
        *(bit < 64 ? &key.k0 : &key.k1) ^= (uint64_t)1 << (bit % 64);
        EXPECT(siphash(&key, span_of(message, 16)) != before);
        message[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        EXPECT(siphash(&reference_key, span_of(message, 16)) != before);
        message[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
}

TEST("a derived key is what the derivation says, for ever: replays depend on it")
{
    uint8_t seed[32];
    for (uint8_t i = 0; i < 32; i++)
        seed[i] = i;
    struct siphash_key key = siphash_derive(seed, "isn");
    EXPECT(key.k0 == 0x00ca98c9b98e7533);
    EXPECT(key.k1 == 0x30225bc1f7c95718);
}

TEST("each label and each bit of the seed gives another key, in both halves")
{
    static const char *const labels[] = {"", "a", "b", "isn", "isn ", "port"};
    uint8_t seed[32] = {0};
    struct siphash_key key[6];
    for (unsigned i = 0; i < 6; i++) {
        key[i] = siphash_derive(seed, labels[i]);
        EXPECT(key[i].k0 != key[i].k1);
        for (unsigned k = 0; k < i; k++)
            EXPECT(key[i].k0 != key[k].k0 && key[i].k1 != key[k].k1);
    }
    for (unsigned bit = 0; bit < 256; bit++) {
        seed[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        struct siphash_key other = siphash_derive(seed, "isn");
        EXPECT(other.k0 != key[3].k0 && other.k1 != key[3].k1);
        seed[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
}

TEST("a seed whose halves are equal still gives keys")
{
    uint8_t seed[32];
    memset(seed, 0x77, sizeof(seed));
    struct siphash_key key = siphash_derive(seed, "isn");
    EXPECT(key.k0 != 0 && key.k1 != 0 && key.k0 != key.k1);
}

TEST("a label that is too long stops")
{
    uint8_t seed[32] = {0};
    (void)siphash_derive(seed, "exactly thirty-two characters...");
    EXPECT_ASSERTS(siphash_derive(seed, "exactly thirty-three characters.."));
}
