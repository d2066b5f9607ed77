#include "test.h"

#include "base/md5.h"
#include "base/text.h"

static const char *digest(const char *text, size_t piece)
{
    static char hex[2 * MD5_LEN + 1];
    uint8_t out[MD5_LEN];
    struct md5 m;
    md5_init(&m);
    for (size_t n = strlen(text), at = 0; at < n; at += piece)
        md5_add(&m, span_of(text + at, n - at < piece ? n - at : piece));
    md5_end(&m, out);
    struct txt t = txt_of(hex, sizeof(hex));
    txt_hex_bytes(&t, span_of(out, sizeof(out)), 0);
    return hex;
}

TEST("the digests are those of RFC 1321, in one piece or in many")
{
    static const char *const suite[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < sizeof(suite) / sizeof(suite[0]); i++)
        for (size_t piece = 1; piece < 100; piece += 9)
            EXPECT_STR(digest(suite[i][0], piece), suite[i][1]);
}

TEST("the length of a message may end anywhere in a block")
{
    static const char *const known[][2] = {         /* 55, 56 and 64 bytes: the edges of the padding */
        {"1234567890123456789012345678901234567890123456789012345", "c9ccf168914a1bcfc3229f1948e67da0"},
        {"12345678901234567890123456789012345678901234567890123456", "49f193adce178490e34d1b3a4ec0064c"},
        {"1234567890123456789012345678901234567890123456789012345678901234",
         "eb6c4179c0a7c82cc2828c1e6338e165"},
    };
    for (size_t i = 0; i < 3; i++)
        EXPECT_STR(digest(known[i][0], 64), known[i][1]);
}
