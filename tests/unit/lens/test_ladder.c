#include "test.h"

#include "base/clock.h"
#include "lens/cells.h"
#include "lens/ladder.h"

static struct {
    char text[64 * 1024];
    size_t n;
    size_t cap;         /* 0: all of it */
} page;

static struct ladder l;

static bool page_put(void *ctx, struct span s)
{
    (void)ctx;
    size_t cap = page.cap != 0 ? page.cap : sizeof page.text - 1;
    if (cap - page.n < s.n)
        return false;
    memcpy(page.text + page.n, s.p, s.n);
    page.n += s.n;
    page.text[page.n] = '\0';
    return true;
}

static void draw_in(struct ladder_style style, const char *const *names, int n)
{
    page.n = 0;
    page.cap = 0;
    page.text[0] = '\0';
    ladder_init(&l, (struct sink){.put = page_put}, style);
    for (int i = 0; i < n; i++)
        EXPECT_EQ(ladder_add(&l, span_str(names[i])), i);
    EXPECT(ladder_begin(&l));
}

static void two_lines(unsigned width, bool ascii)
{
    static const char *const names[] = {"10.0.0.1", "10.0.0.2"};
    draw_in(ladder_style_of(width, ascii, false), names, 2);
}

static void step(oriel_time time, int from, int to, const char *label, const char *reason)
{
    const struct ladder_step s = {.time = time, .from = from, .to = to,
                                  .label = span_str(label), .reason = span_str(reason)};
    EXPECT(ladder_put(&l, &s));
}

static void fate(oriel_time time, int from, int to, const char *label, enum ladder_fate end,
                 const char *text)
{
    const struct ladder_step s = {.time = time, .from = from, .to = to, .label = span_str(label),
                                  .fate = end, .fate_text = span_str(text)};
    EXPECT(ladder_put(&l, &s));
}

/* Every line of the page is at most so wide, has no blank at its end and no control character. */
static void expect_tidy(unsigned width)
{
    const char *line = page.text;
    while (*line != '\0') {
        size_t n = strcspn(line, "\n");
        EXPECT(cells_of(span_of(line, n)) <= width);
        EXPECT(n == 0 || line[n - 1] != ' ');
        for (size_t i = 0; i < n; i++)
            EXPECT((unsigned char)line[i] >= 0x20);
        line += n + 1;
    }
}

TEST("reasons stand underneath where the page is narrow")
{
    two_lines(80, true);
    step(0, 0, 1, "UDP 40000 > 7 Len=32", "the application sent a datagram");
    step(21 * NS_PER_MS, 1, 0, "UDP 7 > 40000 Len=32", "");
    EXPECT(ladder_end(&l));
    EXPECT_STR(
        page.text,
        "       time   10.0.0.1                                                 10.0.0.2\n"
        "                  |                                                        |\n"
        "   0.000000       |- UDP 40000 > 7 Len=32 -------------------------------->|\n"
        "                  |  the application sent a datagram                       |\n"
        "   0.021000       |<-------------------------------- UDP 7 > 40000 Len=32 -|\n"
        "                  |                                                        |\n");
}

TEST("reasons stand to the right where the page is wide")
{
    two_lines(120, true);
    step(0, 0, 1, "UDP 40000 > 7 Len=32",
         "the application sent a datagram, and nothing kept it from leaving at once");
    EXPECT(ladder_end(&l));
    EXPECT_STR(
        page.text,
        "       time   10.0.0.1                                         10.0.0.2   why\n"
        "                  |                                                |\n"
        "   0.000000       |- UDP 40000 > 7 Len=32 ------------------------>|      the application "
        "sent a datagram, and nothing\n"
        "                  |                                                |      kept it from "
        "leaving at once\n"
        "                  |                                                |\n");
}

TEST("without reasons the arrows have the room")
{
    static const char *const names[] = {"a", "b"};
    struct ladder_style style = ladder_style_of(60, true, false);
    style.reasons = false;
    style.decimals = 3;
    draw_in(style, names, 2);
    step(0, 0, 1, "hello", "never seen");
    EXPECT(ladder_end(&l));
    EXPECT_STR(page.text, "    time   a                                               b\n"
                          "           |                                               |\n"
                          "   0.000   |- hello -------------------------------------->|\n"
                          "           |                                               |\n");
}

TEST("a lost packet ends in a cross before the other side, with what is known beside it")
{
    two_lines(80, true);
    fate(0, 0, 1, "UDP 40000 > 7 Len=32", LADDER_LOST, "lost (draw 6)");
    fate(0, 1, 0, "UDP 7 > 40000 Len=32", LADDER_LOST, "");
    EXPECT(strstr(page.text,
                  "|- UDP 40000 > 7 Len=32 --------------x lost (draw 6)    |\n") != NULL);
    EXPECT(strstr(page.text,
                  "|             lost x-------------- UDP 7 > 40000 Len=32 -|\n") != NULL);
}

TEST("where the arrow is too short for the cross's text it stands underneath")
{
    static const char *const names[] = {"a", "b", "c", "d"};
    draw_in(ladder_style_of(80, true, false), names, 4);
    fate(0, 0, 1, "12345678", LADDER_LOST, "lost (draw 6)");
    EXPECT(strstr(page.text, "|- 12345678 --x") != NULL);
    EXPECT(strstr(page.text, "|  lost (draw 6)  ") != NULL);
}

TEST("a packet that arrives and is refused ends in a cross at the other side")
{
    two_lines(80, true);
    fate(0, 0, 1, "UDP", LADDER_REFUSED, "dropped: checksum");
    EXPECT(strstr(page.text, "|- UDP -------------------------------------------------x|") != NULL);
    EXPECT(strstr(page.text, "|  dropped: checksum") != NULL);
}

TEST("a long silence is drawn as a gap of so many seconds")
{
    two_lines(80, true);
    step(0, 0, 1, "x", "");
    step(500 * NS_PER_MS - 1, 0, 1, "x", "");
    EXPECT(strstr(page.text, ":") == NULL);
    step(1000 * NS_PER_MS, 0, 1, "x", "");
    EXPECT(strstr(page.text, "     500 ms       :") != NULL);
    step(3500 * NS_PER_MS, 0, 1, "x", "");
    EXPECT(strstr(page.text, "      2.5 s       :") != NULL);
    step(130 * NS_PER_S, 0, 1, "x", "");
    EXPECT(strstr(page.text, "     2m 06s       :") != NULL);
    step(8000 * NS_PER_S, 0, 1, "x", "");
    EXPECT(strstr(page.text, "     2h 11m       :") != NULL);
}

TEST("a broadcast reaches every other line")
{
    static const char *const names[] = {"a", "b", "c"};
    draw_in(ladder_style_of(80, true, false), names, 3);
    step(0, 1, LADDER_EVERYONE, "ARP Who has", "");
    EXPECT(strstr(page.text, "|<-----------------------------|- ARP Who has --------------->|") ||
           strstr(page.text, "|<------------------------------|- ARP Who has ---------------->|"));
    step(0, 0, LADDER_EVERYONE, "ARP", "");
    EXPECT(strstr(page.text, ">|-------") != NULL);
}

TEST("an arrow over a line that it does not mean crosses it")
{
    static const char *const names[] = {"a", "b", "c"};
    draw_in(ladder_style_of(80, true, false), names, 3);
    step(0, 0, 2, "over", "");
    EXPECT(strstr(page.text, "- over ---") != NULL);
    EXPECT(strstr(page.text, "-+-") != NULL);
}

TEST("a label too long for its arrow stands above it, or is cut where that is no wider")
{
    static const char *const names[] = {"a", "b", "c", "d"};
    draw_in(ladder_style_of(80, true, false), names, 4);
    step(0, 0, 1, "ARP Who has 10.0.0.2? Tell 10.0.0.1", "");
    EXPECT(strstr(page.text, "|  ARP Who has 10.0.0.2? Tell 10.0.0.1") != NULL);
    two_lines(80, true);
    step(0, 0, 1, "a label that is so long that there is no place for it anywhere on the page", "");
    EXPECT(strstr(page.text, "... ->|") != NULL);
    expect_tidy(80);
}

TEST("a note stands on its line")
{
    two_lines(80, true);
    step(0, 0, 0, "socket 3 is readable", "");
    step(0, 1, 1, "the timer fires", "");
    EXPECT(strstr(page.text, "* socket 3 is readable") != NULL);
    EXPECT(strstr(page.text, "the timer fires *\n") != NULL);
}

TEST("a single line has notes and broadcasts and is no trouble")
{
    static const char *const names[] = {"alone"};
    draw_in(ladder_style_of(80, true, false), names, 1);
    step(0, 0, LADDER_EVERYONE, "Router Solicitation", "is anybody there?");
    step(1, 0, 0, "nobody", "");
    EXPECT(ladder_end(&l));
    EXPECT(strstr(page.text, "* Router Solicitation") != NULL);
    EXPECT(strstr(page.text, "is anybody there?") != NULL);
    expect_tidy(80);
}

TEST("no line at all draws nothing")
{
    draw_in(ladder_style_of(80, true, false), NULL, 0);
    EXPECT(ladder_end(&l));
    EXPECT_STR(page.text, "");
}

TEST("nothing that a packet says reaches the terminal as a command")
{
    two_lines(80, false);
    step(0, 0, 1, "\x1b[2J\x07", "\x1b]0;title\x07\xff");
    EXPECT(strchr(page.text, '\x1b') == NULL);
    expect_tidy(80);
}

TEST("colours are asked for, and every line ends without one")
{
    static const char *const names[] = {"a", "b"};
    draw_in(ladder_style_of(80, false, true), names, 2);
    fate(0, 0, 1, "x", LADDER_LOST, "");
    EXPECT(strstr(page.text, "\x1b[31m") != NULL);
    for (const char *c = page.text; (c = strchr(c, '\n')) != NULL; c++)
        EXPECT(memcmp(c - 4, "\x1b[0m", 4) == 0);
}

TEST("long times give up decimals before they give up their column")
{
    two_lines(80, true);
    step(123456 * NS_PER_S + 7 * NS_PER_MS, 0, 1, "late", "");
    EXPECT(strstr(page.text, "\n123456.0070  ") != NULL);
}

TEST("wide characters take two columns and keep the lines straight")
{
    two_lines(80, false);
    step(0, 0, 1, "\xe4\xb8\xad\xe6\x96\x87", "\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82");
    const char *head = strstr(page.text, "10.0.0.2");
    EXPECT(head != NULL);
    const char *line = strstr(page.text, "   0.000000");
    size_t n = strcspn(line, "\n");
    EXPECT_EQ(cells_of(span_of(line, n)), 76);
    line += n + 1;
    EXPECT_EQ(cells_of(span_of(line, strcspn(line, "\n"))), 76);
}

TEST("the names are repeated at the end of a long ladder")
{
    two_lines(80, true);
    for (unsigned i = 0; i < 30; i++)
        step(i, 0, 1, "x", "");
    EXPECT(ladder_end(&l));
    char *first = strstr(page.text, "10.0.0.1");
    EXPECT(strstr(first + 1, "10.0.0.1") != NULL);
}

TEST("every page from the narrowest to the widest is tidy, with any number of lines")
{
    static const char *const names[] = {
        "a", "2001:db8:85a3:1111:2222:8a2e:370:7334", "c", "dd", "e", "f", "g", "h",
        "i", "j", "k", "l", "m", "n", "o", "2001:db8:85a3:1111:2222:8a2e:370:7335"};
    static const char label[] = "ICMP Echo (ping) request id=0x1234, seq=1/256, ttl=64";
    static const char reason[] = "the application asked for it, and then some more was said";
    for (int n = 1; n <= LADDER_LINES_MAX; n++) {
        for (unsigned width = 1; width <= 200; width += 13) {
            for (unsigned ascii = 0; ascii < 2; ascii++) {
                draw_in(ladder_style_of(width, ascii, false), names, n);
                for (int from = 0; from < n; from++) {
                    for (int to = LADDER_EVERYONE; to < n; to += 1 + n / 4) {
                        step(0, from, to, label, reason);
                        fate(0, from, to, label, LADDER_LOST, "lost (draw 6)");
                        fate(0, from, to, "x", LADDER_REFUSED, "");
                    }
                    expect_tidy(l.width);
                    page.n = 0;
                }
                EXPECT(ladder_end(&l));
                expect_tidy(l.width);
            }
        }
    }
}

TEST("names wider than the distance of their lines stand in two rows by turns")
{
    static const char *const names[] = {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4",
                                        "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"};
    draw_in(ladder_style_of(80, true, false), names, 8);
    EXPECT_STR(
        page.text,
        "              10.0.0.1        10.0.0.3        10.0.0.5        10.0.0.7\n"
        "       time       |   10.0.0.2    |   10.0.0.4    |   10.0.0.6    |   10.0.0.8\n"
        "                  |       |       |       |       |       |       |       |\n");
}

TEST("a seventeenth line is refused")
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                        "i", "j", "k", "l", "m", "n", "o", "p"};
    draw_in(ladder_style_of(80, true, false), names, LADDER_LINES_MAX);
    EXPECT_EQ(ladder_add(&l, span_str("q")), -1);
}

TEST("after the sink failed every call says so")
{
    two_lines(80, true);
    page.cap = page.n;
    const struct ladder_step s = {.from = 0, .to = 1};
    EXPECT(!ladder_put(&l, &s));
    EXPECT(!ladder_end(&l));
}

TEST("a line that is not there is our mistake")
{
    two_lines(80, true);
    const struct ladder_step s = {.from = 0, .to = 2};
    EXPECT_ASSERTS((void)ladder_put(&l, &s));
}

/* ---- states ---- */

static void state_step(oriel_time time, int from, int to, const char *label, const char *own,
                       const char *other)
{
    const struct ladder_step s = {.time = time, .from = from, .to = to, .label = span_str(label),
                                  .from_state = span_str(own), .to_state = span_str(other)};
    EXPECT(ladder_put(&l, &s));
}

TEST("states stand outside the arrow, at both ends")
{
    static const char *const names[] = {"client", "server"};
    struct ladder_style style = ladder_style_of(80, false, false);
    style.states = true;
    draw_in(style, names, 2);
    state_step(0, 0, 1, "SYN Seq=0 Win=64240", "SYN_SENT", "LISTEN");
    state_step(NS_PER_MS, 1, 0, "FIN,ACK Seq=1 Ack=1 Win=9", "FIN_WAIT_1", "ESTABLISHED");
    EXPECT(strstr(page.text, "  SYN_SENT \xe2\x94\x82\xe2\x94\x80 SYN Seq=0") != NULL);
    EXPECT(strstr(page.text, "\xe2\x94\x82 LISTEN\n") != NULL);
    EXPECT(strstr(page.text, "ESTABLISHED \xe2\x94\x82\xe2\x97\x80") != NULL);
    EXPECT(strstr(page.text, "\xe2\x94\x82 FIN_WAIT_1\n") != NULL);
    expect_tidy(80);
}

TEST("a lifeline in the middle has its state on the side that the arrow leaves free")
{
    static const char *const names[] = {"a", "b", "c"};
    struct ladder_style style = ladder_style_of(100, true, false);
    style.states = true;
    draw_in(style, names, 3);
    state_step(0, 0, 1, "ACK", "CLOSE_WAIT", "FIN_WAIT_2");
    EXPECT(strstr(page.text, "CLOSE_WAIT |- ACK ") != NULL);
    EXPECT(strstr(page.text, ">| FIN_WAIT_2 ") != NULL);
    expect_tidy(100);
}

TEST("without the style no room is left for states, and none is drawn")
{
    two_lines(80, true);
    state_step(0, 0, 1, "ACK", "CLOSE_WAIT", "FIN_WAIT_2");
    EXPECT(strstr(page.text, "WAIT") == NULL);
}
