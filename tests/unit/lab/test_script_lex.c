#include "fx_script.h"

/* ---- blanks and comments ---- */

TEST("comments of three kinds stand where blanks do")
{
    const struct script *s = script_of("// one\n"
                                       "# two\n"
                                       "/* three\n   lines */ 0 close(3) /* here */ = // and here\n"
                                       "  0 # the end\n");
    EXPECT_EQ(s->events, 1);
    EXPECT_EQ(s->first->line, 4);
}

TEST("an event goes on over line breaks until it is whole")
{
    const struct script *s = script_of("0 < S 0:0(0)\n    win 32792\n    <mss 1460,\n     nop>\n"
                                       "+0 close(3) = 0\n");
    EXPECT_EQ(s->events, 2);
    EXPECT_EQ(s->first->is.packet->opts_n, 2);
    EXPECT_EQ(s->first->next->line, 5);
}

TEST("a comment that does not end is shown where it begins")
{
    EXPECT_WRONG("0 close(3) = 0\n /* no end", 2, 2, "`/*`", "a comment that ends with */");
}

TEST("a script without events is no script")
{
    EXPECT_WRONG("", 1, 1, "the end", "an event, which begins with its time");
    EXPECT_WRONG("# nothing\n", 1, 1, "the end", "an event, which begins with its time");
}

/* ---- times ---- */

static void is_time(const char *text, oriel_time ns)
{
    char line[80];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, text);
    txt_s(&t, " close(3) = 0");
    const struct script *s = script_of(line);
    EXPECT_EQ(s->first->from, ns);
    EXPECT_EQ(s->first->to, ns);
}

TEST("times are seconds with up to nine decimals, absolute or relative")
{
    is_time("0", 0);
    is_time("0.000", 0);
    is_time("1.5", 1500000000);
    is_time("+.1", 100000000);
    is_time("+0.000000001", 1);
    is_time("3600.25", 3600250000000);
    EXPECT_EQ(script_of("0 close(3) = 0")->first->time, SCRIPT_ABSOLUTE);
    EXPECT_EQ(script_of("+0 close(3) = 0")->first->time, SCRIPT_RELATIVE);
}

TEST("a packet that leaves may come in a range of times, or at any")
{
    const struct script *s = script_of("* > . 1:1(0)\n+.1~+.3 > . 1:1(0)\n.5~0.75 > . 1:1(0)\n");
    EXPECT_EQ(s->first->time, SCRIPT_ANY);
    const struct script_event *v = s->first->next;
    EXPECT_EQ(v->time, SCRIPT_RELATIVE);
    EXPECT_EQ(v->from, 100000000);
    EXPECT_EQ(v->to, 300000000);
    v = v->next;
    EXPECT_EQ(v->time, SCRIPT_ABSOLUTE);
    EXPECT_EQ(v->from, 500000000);
    EXPECT_EQ(v->to, 750000000);
}

TEST("nothing else has a range")
{
    const char *one = "a single time: only packets that leave have ranges and *";
    EXPECT_WRONG("* close(3) = 0", 1, 1, "`*`", one);
    EXPECT_WRONG("* < . 1:1(0) ack 1", 1, 1, "`*`", one);
    EXPECT_WRONG("+0~+.3 < . 1:1(0) ack 1", 1, 1, "`+0~+.3`", one);
    EXPECT_WRONG("+0~+.3 %{ assert 1 }%", 1, 1, "`+0~+.3`", one);
    EXPECT_WRONG("+.3~+.1 > . 1:1(0)", 1, 6, "`.`", "an end that is not before the beginning");
}

TEST("what is no time is shown")
{
    const char *time = "a time in seconds, such as 0.100 or .1, with at most nine decimals";
    EXPECT_WRONG("+x close(3) = 0", 1, 2, "`x`", time);
    EXPECT_WRONG("0.1234567891 close(3) = 0", 1, 1, "`0`", time);
    EXPECT_WRONG("99999999999 close(3) = 0", 1, 1, "`99999999999`", time);
    EXPECT_WRONG("close(3) = 0", 1, 1, "`close`", "an event, which begins with its time");
    EXPECT_WRONG("0 close(3) = 0\n)", 2, 1, "`)`", "an event, which begins with its time");
}

/* ---- texts and definitions ---- */

TEST("texts know escapes and end on their line")
{
    const struct script_call *c = call_of("0 write(3, \"a\\n\\\"b\\\\\", 5) = 5");
    EXPECT_EQ(c->args[1].kind, SCRIPT_TEXT);
    expect_span(c->args[1].bytes, "a\n\"b\\");
    EXPECT_WRONG("0 write(3, \"a\n\", 5) = 5", 1, 12, "`\"`",
                 "a text that ends with a quote on the same line");
}

TEST("definitions stand for numbers, constants and bytes")
{
    const struct script *s = script_of("--define=N=1000\n--define=LEVEL=SOL_TCP\n"
                                       "--define=COOKIE=a1b2c3d4\n"
                                       "0 setsockopt(3, LEVEL, N, [N], 4) = 0\n"
                                       "+0 < S 0:N(N) win N <FO COOKIE>\n");
    const struct script_call *c = s->first->is.call;
    EXPECT_EQ(c->args[1].i, 6);
    EXPECT_EQ(c->args[2].i, 1000);
    EXPECT_EQ(c->args[3].items[0].i, 1000);
    const struct script_packet *k = s->first->next->is.packet;
    EXPECT_EQ(k->len, 1000);
    EXPECT_EQ(k->win, 1000);
    EXPECT_MEM(k->opts[0].data.p, "\xa1\xb2\xc3\xd4", 4);
    EXPECT_WRONG("--define=N\n0 close(3) = 0", 1, 10, "`N`", "NAME=VALUE");
}

TEST("an error is printed with file, line and column")
{
    char said[400];
    struct txt t = txt_of(said, sizeof(said));
    EXPECT_WRONG("0 close(3) = 0\n+0 colse(3) = 0", 2, 4, "`colse`",
                 "a call, such as socket or read");
    script_error_print(&t, &wrong);
    EXPECT_STR(said, "t.pkt:2:4: found `colse`, expected a call, such as socket or read; "
                     "did you mean close?");
}

TEST("what is missing at the end of a line is missed there")
{
    EXPECT_WRONG("0 close(3)\n+0 close(4) = 0", 1, 11, "the end", "`=`");
    EXPECT_WRONG("0 < . 1:1(0) ack\n+0 close(4) = 0", 1, 17, "the end",
                 "an acknowledgement number");
}

TEST("a script that does not fit into the memory says so")
{
    for (size_t n = 0; n < 4096; n += 64) {
        arena_init(&script_arena, script_memory, n);
        if (script_parse(&script_arena, span_str("t.pkt"), span_str("0 close(3) = 0\n"), &wrong))
            return;
        EXPECT_STR(wrong.at.expected, "more memory for the script");
    }
    fail();
}
