#include "test.h"

#include "base/text.h"
#include "lens/pattern.h"

static struct pattern p;

static bool matches(const char *pattern, const char *text)
{
    size_t at;
    const char *wrong;
    if (!pattern_compile(span_str(pattern), &p, &at, &wrong))
        fail_msg("%s: at %zu expected %s", pattern, at, wrong);
    return pattern_matches(&p, span_str(text));
}

static void refuses(const char *pattern, size_t where, const char *expected)
{
    size_t at;
    const char *wrong;
    EXPECT(!pattern_compile(span_str(pattern), &p, &at, &wrong));
    EXPECT_STR(wrong, expected);
    EXPECT_EQ(at, where);
}

TEST("a word is found anywhere, in either case")
{
    EXPECT(matches("world", "Hello, World"));
    EXPECT(matches("HELLO", "Hello, World"));
    EXPECT(!matches("word", "Hello, World"));
    EXPECT(matches("", ""));
    EXPECT(matches("", "x"));
    EXPECT(!matches("x", ""));
}

TEST("a dot is any byte but a newline")
{
    EXPECT(matches("a.c", "abc"));
    EXPECT(!matches("a.c", "a\nc"));
    EXPECT(!matches("a.c", "ac"));
}

TEST("stars, pluses and question marks repeat what is before them")
{
    EXPECT(matches("^ab*c$", "ac"));
    EXPECT(matches("^ab*c$", "abbbc"));
    EXPECT(!matches("^ab+c$", "ac"));
    EXPECT(matches("^ab+c$", "abbc"));
    EXPECT(matches("^ab?c$", "abc"));
    EXPECT(matches("^ab?c$", "ac"));
    EXPECT(!matches("^ab?c$", "abbc"));
    EXPECT(matches("^a.*?z$", "a to z"));
    EXPECT(matches("^(ab)+$", "ababab"));
    EXPECT(!matches("^(ab)+$", "ababa"));
    EXPECT(matches("^(a*)*b$", "aaab"));
}

TEST("alternatives are tried in groups and at the top")
{
    EXPECT(matches("^(www|ftp)[.]", "ftp.example.com"));
    EXPECT(!matches("^(www|ftp)[.]", "mail.example.com"));
    EXPECT(matches("cat|dog|bird", "hot dog"));
    EXPECT(matches("^(?:a|b|)c$", "c"));
    EXPECT(matches("^(a|(b|c)d)+$", "acdbda"));
    EXPECT(!matches("^(a|b)$", "ab"));
}

TEST("a caret is the beginning, a dollar the end")
{
    EXPECT(matches("^ab", "abc"));
    EXPECT(!matches("^bc", "abc"));
    EXPECT(matches("bc$", "abc"));
    EXPECT(matches("bc$", "abc\n"));
    EXPECT(!matches("ab$", "abc"));
    EXPECT(matches("^$", ""));
    EXPECT(!matches("^$", "x"));
}

TEST("sets have bytes, ranges and classes")
{
    EXPECT(matches("^[a-c]+$", "abcCBA"));
    EXPECT(!matches("^[a-c]+$", "abcd"));
    EXPECT(matches("^[^0-9]+$", "abc"));
    EXPECT(!matches("^[^0-9]+$", "ab1"));
    EXPECT(matches("^[]a]+$", "a]"));
    EXPECT(matches("^[a-]+$", "a-a"));
    EXPECT(matches("^[\\d.]+$", "10.0.0.1"));
    EXPECT(matches("[\\]]", "]"));
}

TEST("classes and escapes stand for what they stand for")
{
    EXPECT(matches("^\\d+\\s\\w+$", "12 ab_3"));
    EXPECT(matches("^\\D\\S\\W$", "ab "));
    EXPECT(matches("a\\.c", "a.c"));
    EXPECT(!matches("a\\.c", "abc"));
    EXPECT(matches("\\x41\\n", "xa\n"));
    EXPECT(matches("\\(\\)", "f()"));
}

TEST("no pattern is slow")
{
    char text[4096];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    EXPECT(!matches("^(a|a)*(a|aa)+(a*)*b$", text));
    EXPECT(!matches("(a*)*(a*)*(a*)*b", text));
}

TEST("what is wrong is said with its place")
{
    refuses("a(b", 3, ")");
    refuses("ab)c", 2, "( before this )");
    refuses("*a", 0, "something to repeat");
    refuses("a{2}", 1, "no counted repetition");
    refuses("[a", 2, "]");
    refuses("[b-a]", 4, "a range that goes upwards");
    refuses("a\\", 2, "something behind the backslash");
    refuses("\\q", 2, "one of d w s D W S n r t xNN, or a sign, behind the backslash");
    refuses("\\xzz", 4, "two hexadecimal digits");
    refuses("(?=a)", 2, "( or (?:");
}

TEST("states, sets and groups have limits")
{
    char text[300];
    memset(text, 'a', sizeof text);
    text[PATTERN_STATES_MAX - 1] = '\0';
    EXPECT(matches(text, text));
    text[PATTERN_STATES_MAX - 1] = 'a';
    text[PATTERN_STATES_MAX] = '\0';
    size_t at;
    const char *wrong;
    EXPECT(!pattern_compile(span_str(text), &p, &at, &wrong));
    EXPECT_STR(wrong, "a shorter pattern");
    EXPECT(!pattern_compile(span_str("[a][a][a][a][a][a][a][a][a]"), &p, &at, &wrong));
    EXPECT_STR(wrong, "fewer sets in one pattern");
    memset(text, '(', PATTERN_DEPTH_MAX + 1);
    text[PATTERN_DEPTH_MAX + 1] = '\0';
    EXPECT(!pattern_compile(span_str(text), &p, &at, &wrong));
    EXPECT_STR(wrong, "fewer groups inside one another");
}
