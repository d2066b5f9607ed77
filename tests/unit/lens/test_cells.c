#include "test.h"

#include "lens/cells.h"

#define ZHONG "\xe4\xb8\xad"       /* two cells */
#define WEN   "\xe6\x96\x87"
#define STOP  "\xe3\x80\x82"       /* closes a sentence */
#define ACUTE "\xcc\x81"           /* stands over the letter before it */

static const char *shown(const char *text, bool ascii)
{
    static char out[256];
    struct txt t = txt_of(out, sizeof out);
    cells_put(&t, span_str(text), ascii);
    return out;
}

static const char *cut(const char *text, unsigned width)
{
    static char out[256];
    struct span s = cells_cut(span_str(text), width);
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return out;
}

/* All lines of a text, with a bar between them. */
static const char *wrapped(const char *text, unsigned width)
{
    static char out[1024];
    struct txt t = txt_of(out, sizeof out);
    struct span rest = span_str(text);
    while (rest.n > 0) {
        struct span line = cells_wrap(&rest, width);
        EXPECT(cells_of(line) <= width);
        if (t.n > 0)
            txt_c(&t, '|');
        txt_span(&t, line);
    }
    return out;
}

TEST("letters take one cell, Chinese characters two, accents none")
{
    EXPECT_EQ(cells_of(span_str("abc")), 3);
    EXPECT_EQ(cells_of(span_str(ZHONG WEN)), 4);
    EXPECT_EQ(cells_of(span_str("e" ACUTE)), 1);
    EXPECT_EQ(cells_of(span_str("\xf0\x9f\x98\x80")), 2);
    EXPECT_EQ(cells_of(span_str("")), 0);
}

TEST("bytes that are no character are shown as one unknown character each")
{
    EXPECT_STR(shown("a\xff" "b", false), "a\xef\xbf\xbd" "b");
    EXPECT_STR(shown("\xe4\xb8", false), "\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_STR(shown("\xc0\x80", false), "\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_STR(shown("\xed\xa0\x80", false), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_STR(shown("\xf4\x90\x80\x80", false),
               "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST("control characters never reach the screen")
{
    EXPECT_STR(shown("a\x1b[31mb\x07", false), "a.[31mb.");
    EXPECT_STR(shown("\x7f\xc2\x9b", false), "..");
    EXPECT_STR(shown("a\tb\nc", false), "a b c");
}

TEST("characters that turn the direction of text do not reach the screen")
{
    EXPECT_STR(shown("a\xe2\x80\xae" "b", false), "a.b");
}

TEST("in ASCII every other character has a stand-in of the same width")
{
    EXPECT_STR(shown("40000 \xe2\x86\x92 7", true), "40000 > 7");
    EXPECT_STR(shown(ZHONG "x", true), "??x");
    EXPECT_STR(shown("e" ACUTE, true), "e");
}

TEST("a text is cut between characters, never inside one")
{
    EXPECT_STR(cut("abc", 2), "ab");
    EXPECT_STR(cut("abc", 3), "abc");
    EXPECT_STR(cut("a" ZHONG WEN, 2), "a");
    EXPECT_STR(cut("a" ZHONG WEN, 3), "a" ZHONG);
    EXPECT_STR(cut("", 0), "");
}

TEST("lines break at spaces")
{
    EXPECT_STR(wrapped("one two three", 8), "one two|three");
    EXPECT_STR(wrapped("one two three", 7), "one two|three");
    EXPECT_STR(wrapped("one two three", 6), "one|two|three");
    EXPECT_STR(wrapped("  one  ", 10), "one");
}

TEST("a word longer than the line breaks inside")
{
    EXPECT_STR(wrapped("abcdefgh", 3), "abc|def|gh");
    EXPECT_STR(wrapped("x abcdefgh", 4), "x|abcd|efgh");
}

TEST("a line break of the text is one")
{
    EXPECT_STR(wrapped("one\ntwo three", 20), "one|two three");
}

TEST("Chinese breaks between characters, but not before a full stop")
{
    EXPECT_STR(wrapped(ZHONG WEN ZHONG, 4), ZHONG WEN "|" ZHONG);
    EXPECT_STR(wrapped(ZHONG WEN STOP, 4), ZHONG "|" WEN STOP);
}

TEST("wrapping ends for any bytes at any width")
{
    uint8_t bytes[64];
    uint32_t x = 1;
    for (unsigned round = 0; round < 2000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            x = x * 1664525 + 1013904223;
            bytes[i] = (uint8_t)(x >> 24);
        }
        struct span rest = span_of(bytes, sizeof bytes);
        unsigned width = 2 + round % 9;
        unsigned lines = 0;
        while (rest.n > 0 && lines++ < 200)
            EXPECT(cells_of(cells_wrap(&rest, width)) <= width);
        EXPECT_EQ(rest.n, 0);
    }
}
