/* Text into a bounded buffer; snprintf is the second opinion. */
#include "test.h"

#include "base/text.h"

#include <inttypes.h>

static char out[256];

static struct txt fresh(void)
{
    memset(out, '#', sizeof out);
    return txt_of(out, sizeof out);
}

static uint64_t lcg = 88172645463325252u;

static uint64_t random64(void)
{
    lcg = lcg * 6364136223846793005u + 1442695040888963407u;
    uint64_t hi = lcg >> 32;
    lcg = lcg * 6364136223846793005u + 1442695040888963407u;
    return hi << 32 | lcg >> 32;
}

/* Numbers of every length, not only long ones. */
static uint64_t random_sized(void)
{
    return random64() >> (random64() % 64);
}

static void say_everything(struct txt *t)
{
    txt_s(t, "a\"b");
    txt_c(t, '-');
    txt_u(t, 12345);
    txt_i(t, -678);
    txt_u_pad(t, 9, 4, ' ');
    txt_hex(t, 0xbeef, 6);
    txt_hex_bytes(t, span_of("\x01\x02", 2), ' ');
    txt_span(t, span_str("raw"));
    txt_quoted(t, span_of("\n\xff", 2));
    txt_seconds(t, 1041000000, 6);
    txt_pad_to(t, 70);
}

#define EVERYTHING "a\"b-12345-678   900beef01 02raw\"\\n\\xff\"1.041000"

/* ---- the buffer ---- */

TEST("a new text is empty and ends in a NUL")
{
    struct txt t = fresh();
    EXPECT_STR(out, "");
    EXPECT_EQ(t.n, 0);
    EXPECT(!t.cut);
}

TEST("a text needs a buffer of at least one byte")
{
    EXPECT_ASSERTS(txt_of(out, 0));
    EXPECT_ASSERTS(txt_of(NULL, 1));
}

TEST("what fits exactly is whole; one character more is cut and says so")
{
    char four[5] = "####";
    four[4] = '!';
    struct txt t = txt_of(four, 4);
    txt_s(&t, "abc");
    EXPECT(!t.cut);
    EXPECT_STR(four, "abc");
    txt_c(&t, 'd');
    EXPECT(t.cut);
    EXPECT_STR(four, "abc");
    EXPECT_EQ(t.n, 3);
    EXPECT_EQ(four[4], '!');
}

TEST("in a buffer of every size the text is a prefix, ends in a NUL and stays inside")
{
    char whole[128];
    struct txt w = txt_of(whole, sizeof whole);
    say_everything(&w);
    EXPECT(!w.cut);
    EXPECT_EQ(w.n, 70);

    for (size_t cap = 1; cap <= 80; cap++) {
        char buf[96];
        memset(buf, '#', sizeof buf);
        struct txt t = txt_of(buf, cap);
        say_everything(&t);
        EXPECT_EQ(t.n, cap - 1 < w.n ? cap - 1 : w.n);
        EXPECT(t.cut == (cap <= w.n));
        EXPECT_MEM(buf, whole, t.n);
        EXPECT_EQ(buf[t.n], '\0');
        for (size_t i = cap; i < sizeof buf; i++)
            EXPECT_EQ(buf[i], '#');
    }
}

TEST("the pieces stand one after another")
{
    struct txt t = fresh();
    say_everything(&t);
    EXPECT_MEM(out, EVERYTHING, strlen(EVERYTHING));
    EXPECT_EQ(strspn(out + strlen(EVERYTHING), " "), 70 - strlen(EVERYTHING));
}

TEST("a huge width or column ends where the buffer does")
{
    char small[8];
    struct txt t = txt_of(small, sizeof small);
    txt_u_pad(&t, 1, UINT32_MAX, '0');
    EXPECT(t.cut);
    EXPECT_STR(small, "0000000");
    t = txt_of(small, sizeof small);
    txt_pad_to(&t, SIZE_MAX);
    EXPECT(t.cut);
    EXPECT_STR(small, "       ");
}

/* ---- numbers ---- */

TEST("decimal numbers are those of printf")
{
    static const uint64_t edges[] = {0, 1, 9, 10, 99, 100, UINT32_MAX, (uint64_t)INT64_MAX,
                                     (uint64_t)INT64_MAX + 1, UINT64_MAX};
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t v = i < ARRAY_LEN(edges) ? edges[i] : random_sized();
        char want[128];
        struct txt t = fresh();
        txt_u(&t, v);
        txt_c(&t, ' ');
        txt_i(&t, (int64_t)v);
        txt_c(&t, ' ');
        txt_u_pad(&t, v, 7, '0');
        txt_c(&t, ' ');
        txt_u_pad(&t, v, 12, ' ');
        snprintf(want, sizeof want, "%" PRIu64 " %" PRId64 " %07" PRIu64 " %12" PRIu64, v,
                 (int64_t)v, v, v);
        EXPECT_STR(out, want);
    }
}

TEST("padding to no width still shows the number")
{
    struct txt t = fresh();
    txt_u_pad(&t, 0, 0, '0');
    EXPECT_STR(out, "0");
}

TEST("hexadecimal has exactly as many digits as asked for, the low ones")
{
    for (unsigned digits = 1; digits <= 16; digits++) {
        uint64_t v = 0xfedcba9876543210;
        uint64_t low = digits == 16 ? v : v & (((uint64_t)1 << (4 * digits)) - 1);
        char want[32];
        struct txt t = fresh();
        txt_hex(&t, v, digits);
        snprintf(want, sizeof want, "%0*" PRIx64, (int)digits, low);
        EXPECT_STR(out, want);
    }
    struct txt t = fresh();
    txt_hex(&t, 10, 0);
    EXPECT_STR(out, "");
    txt_hex(&t, 10, 4);
    EXPECT_STR(out, "000a");
    EXPECT_ASSERTS(txt_hex(&t, 0, 17));
}

TEST("bytes in hexadecimal have the separator between them only")
{
    struct span s = span_of("\x00\x7f\xff", 3);
    struct txt t = fresh();
    txt_hex_bytes(&t, s, ':');
    EXPECT_STR(out, "00:7f:ff");
    t = fresh();
    txt_hex_bytes(&t, s, '\0');
    EXPECT_STR(out, "007fff");
    t = fresh();
    txt_hex_bytes(&t, span_of(NULL, 0), ':');
    EXPECT_STR(out, "");
}

TEST("seconds are cut to the decimals asked for, never rounded up")
{
    static const struct {
        oriel_time ns;
        unsigned digits;
        const char *want;
    } cases[] = {
        {0, 0, "0"},
        {0, 3, "0.000"},
        {1041000000, 6, "1.041000"},
        {1041000000, 3, "1.041"},
        {999999999, 0, "0"},
        {999999999, 6, "0.999999"},
        {999999999, 9, "0.999999999"},
        {1, 9, "0.000000001"},
        {1, 8, "0.00000000"},
        {60000000000, 1, "60.0"},
        {ORIEL_NEVER, 9, "18446744073.709551615"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct txt t = fresh();
        txt_seconds(&t, cases[i].ns, cases[i].digits);
        EXPECT_STR(out, cases[i].want);
    }
    struct txt t = fresh();
    EXPECT_ASSERTS(txt_seconds(&t, 0, 10));
}

TEST("padding reaches a column and goes no further")
{
    struct txt t = fresh();
    txt_s(&t, "ab");
    txt_pad_to(&t, 4);
    EXPECT_STR(out, "ab  ");
    txt_pad_to(&t, 4);
    txt_pad_to(&t, 1);
    EXPECT_STR(out, "ab  ");
}

/* ---- quoted ---- */

static const char *quoted(const char *bytes, size_t n)
{
    struct txt t = fresh();
    txt_quoted(&t, span_of(bytes, n));
    return out;
}

TEST("quoted text escapes quotes, backslashes and control characters as JSON does")
{
    EXPECT_STR(quoted("", 0), "\"\"");
    EXPECT_STR(quoted("plain ~", 7), "\"plain ~\"");
    EXPECT_STR(quoted("a\"b\\c", 5), "\"a\\\"b\\\\c\"");
    EXPECT_STR(quoted("\n\r\t", 3), "\"\\n\\r\\t\"");
    EXPECT_STR(quoted("\0\x01\x1b\x1f\x7f", 5), "\"\\u0000\\u0001\\u001b\\u001f\\u007f\"");
    EXPECT_STR(quoted("nrt/", 4), "\"nrt/\"");
}

TEST("quoted text passes UTF-8, except for control characters of the second page")
{
    EXPECT_STR(quoted("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9),
               "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    EXPECT_STR(quoted("\xc2\x80\xc2\x9f\xc2\xa0", 6), "\"\\u0080\\u009f\xc2\xa0\"");
    EXPECT_STR(quoted("\xef\xbf\xbf\xf4\x8f\xbf\xbf", 7), "\"\xef\xbf\xbf\xf4\x8f\xbf\xbf\"");
    EXPECT_STR(quoted("\xed\x9f\xbf\xee\x80\x80", 6), "\"\xed\x9f\xbf\xee\x80\x80\"");
}

TEST("bytes that are not UTF-8 are shown one by one")
{
    EXPECT_STR(quoted("\x80", 1), "\"\\x80\"");
    EXPECT_STR(quoted("\xff" "a", 2), "\"\\xffa\"");
    EXPECT_STR(quoted("\xc3", 1), "\"\\xc3\"");
    EXPECT_STR(quoted("\xe2\x82", 2), "\"\\xe2\\x82\"");
    EXPECT_STR(quoted("\xf0\x9f\x98", 3), "\"\\xf0\\x9f\\x98\"");
    EXPECT_STR(quoted("\xc3(", 2), "\"\\xc3(\"");
    EXPECT_STR(quoted("\xe2\x82(", 3), "\"\\xe2\\x82(\"");
    EXPECT_STR(quoted("\xc0\x80", 2), "\"\\xc0\\x80\"");                 /* too long for NUL */
    EXPECT_STR(quoted("\xc1\xbf", 2), "\"\\xc1\\xbf\"");
    EXPECT_STR(quoted("\xe0\x9f\xbf", 3), "\"\\xe0\\x9f\\xbf\"");        /* too long */
    EXPECT_STR(quoted("\xf0\x8f\xbf\xbf", 4), "\"\\xf0\\x8f\\xbf\\xbf\"");
    EXPECT_STR(quoted("\xed\xa0\x80", 3), "\"\\xed\\xa0\\x80\"");        /* half a pair */
    EXPECT_STR(quoted("\xf4\x90\x80\x80", 4), "\"\\xf4\\x90\\x80\\x80\"");
    EXPECT_STR(quoted("\xf5\x80\x80\x80", 4), "\"\\xf5\\x80\\x80\\x80\"");
}

/* Code points that the quoting lets through as bytes, by the definition and not by our table. */
static bool is_plain(uint32_t cp)
{
    return cp >= 0xa0 || (cp >= 0x20 && cp < 0x7f && cp != '"' && cp != '\\');
}

TEST("every code point is either passed whole or escaped in ASCII")
{
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        char u[4];
        size_t n = 0;
        if (cp >= 0xd800 && cp <= 0xdfff)
            continue;
        if (cp < 0x80) {
            u[n++] = (char)cp;
        } else if (cp < 0x800) {
            u[n++] = (char)(0xc0 | cp >> 6);
            u[n++] = (char)(0x80 | (cp & 63));
        } else if (cp < 0x10000) {
            u[n++] = (char)(0xe0 | cp >> 12);
            u[n++] = (char)(0x80 | (cp >> 6 & 63));
            u[n++] = (char)(0x80 | (cp & 63));
        } else {
            u[n++] = (char)(0xf0 | cp >> 18);
            u[n++] = (char)(0x80 | (cp >> 12 & 63));
            u[n++] = (char)(0x80 | (cp >> 6 & 63));
            u[n++] = (char)(0x80 | (cp & 63));
        }
        const char *q = quoted(u, n);
        if (is_plain(cp))
            EXPECT(strlen(q) == n + 2 && memcmp(q + 1, u, n) == 0);
        else
            EXPECT(q[1] == '\\' && q[2] != 'x');
    }
}

/* ---- from text ---- */

static bool parses(const char *s, uint64_t max, uint64_t want)
{
    uint64_t v = ~want;
    return txt_parse_u(span_str(s), max, &v) && v == want;
}

static bool refused(const char *s, uint64_t max)
{
    uint64_t v = 0x1234;
    return !txt_parse_u(span_str(s), max, &v) && v == 0x1234;
}

TEST("a number is decimal or 0x and hexadecimal of either case")
{
    EXPECT(parses("0", 0, 0));
    EXPECT(parses("7", 10, 7));
    EXPECT(parses("010", 100, 10));
    EXPECT(parses("65535", 65535, 65535));
    EXPECT(parses("18446744073709551615", UINT64_MAX, UINT64_MAX));
    EXPECT(parses("0x0", 0, 0));
    EXPECT(parses("0xDeadBeef", UINT64_MAX, 0xdeadbeef));
    EXPECT(parses("0xffffffffffffffff", UINT64_MAX, UINT64_MAX));
    EXPECT(parses("0x09afAF", UINT64_MAX, 0x09afaf));
}

TEST("a number that is too large, or not all digits, is refused and the result left alone")
{
    EXPECT(refused("", UINT64_MAX));
    EXPECT(refused("0x", UINT64_MAX));
    EXPECT(refused("x1", UINT64_MAX));
    EXPECT(refused("0X1", UINT64_MAX));
    EXPECT(refused("1x1", UINT64_MAX));
    EXPECT(refused("-1", UINT64_MAX));
    EXPECT(refused("+1", UINT64_MAX));
    EXPECT(refused(" 1", UINT64_MAX));
    EXPECT(refused("1 ", UINT64_MAX));
    EXPECT(refused("1a", UINT64_MAX));
    EXPECT(refused("0xg", UINT64_MAX));
    EXPECT(refused("0x@", UINT64_MAX));
    EXPECT(refused("0x`", UINT64_MAX));
    EXPECT(refused("1/", UINT64_MAX));
    EXPECT(refused("1:", UINT64_MAX));
    EXPECT(refused("1", 0));
    EXPECT(refused("11", 10));
    EXPECT(refused("65536", 65535));
    EXPECT(refused("18446744073709551616", UINT64_MAX));
    EXPECT(refused("99999999999999999999999", UINT64_MAX));
    EXPECT(refused("0x10000000000000000", UINT64_MAX));
    EXPECT(refused("0x10", 15));
    uint64_t v = 5;
    EXPECT(!txt_parse_u(span_of(NULL, 0), 9, &v));
    EXPECT(!txt_parse_u(span_of("1\0", 2), 9, &v));
    EXPECT_EQ(v, 5);
}

TEST("exactly the numbers up to the maximum are accepted, and read back as they were written")
{
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t v = random_sized();
        uint64_t max = i % 3 == 0 ? v : i % 3 == 1 ? v - 1 : random_sized();
        char text[32];
        uint64_t got = ~v;
        snprintf(text, sizeof text, i % 2 ? "%" PRIu64 : "0x%" PRIx64, v);
        EXPECT(txt_parse_u(span_str(text), max, &got) == (v <= max));
        EXPECT(got == (v <= max ? v : ~v));
    }
}

TEST("a span is a word when every character is")
{
    EXPECT(span_is(span_str("ping"), "ping"));
    EXPECT(!span_is(span_str("ping"), "pin"));
    EXPECT(!span_is(span_str("pin"), "ping"));
    EXPECT(!span_is(span_str("ping"), "pong"));
    EXPECT(span_is(span_of("ping-6", 4), "ping"));
    EXPECT(span_is(span_of(NULL, 0), ""));
    EXPECT(!span_is(span_of(NULL, 0), "a"));
}
