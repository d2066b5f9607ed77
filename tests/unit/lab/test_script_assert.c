#include "fx_script.h"

#include "lab/posix.h"

static uint8_t info[PX_TCP_INFO_BYTES];
static struct script_line bad;

/* tcpi_snd_cwnd 10, tcpi_unacked 3, tcpi_rtt 40000, tcpi_state established, tcpi_options SACK */
static void fill(void)
{
    struct oriel_tcp_info i = {
        .state = ORIEL_TCP_ESTABLISHED, .ca_state = ORIEL_CA_OPEN, .sack = true, .snd_cwnd = 10,
        .unacked = 3, .rtt_us = 40000, .snd_wscale = 7, .rcv_wscale = 8, .bytes_acked = 1ull << 40,
        .pacing_rate = UINT64_MAX, .delivery_app_limited = true, .ssthresh_bytes = UINT32_MAX,
        .snd_ssthresh = 5,
    };
    EXPECT_EQ(px_tcp_info(&i, info, sizeof(info)), sizeof(info));
}

static bool holds(const char *expression)
{
    static char text[400];              /* the script points into it */
    struct txt t = txt_of(text, sizeof(text));
    txt_s(&t, "0 %{ ");
    txt_s(&t, expression);
    txt_s(&t, " }%");
    fill();
    const struct script *s = script_of(text);
    EXPECT_EQ(s->first->kind, SCRIPT_CODE);
    return script_assert_holds(s->first->is.code, info, &bad);
}

TEST("members of struct tcp_info are compared with numbers and constants")
{
    EXPECT(holds("assert tcpi_snd_cwnd == 10"));
    EXPECT(!holds("assert tcpi_snd_cwnd == 11"));
    EXPECT(holds("assert tcpi_state == TCP_ESTABLISHED"));
    EXPECT(holds("assert tcpi_ca_state == TCP_CA_Open"));
    EXPECT(holds("assert tcpi_options & TCPI_OPT_SACK"));
    EXPECT(!holds("assert tcpi_options & TCPI_OPT_ECN"));
    EXPECT(holds("assert tcpi_snd_wscale == 7 and tcpi_rcv_wscale == 0x8"));
    EXPECT(holds("assert tcpi_delivery_rate_app_limited == 1"));
    EXPECT(holds("assert tcpi_snd_ssthresh == 2147483647"));
    EXPECT(holds("assert tcpi_bytes_acked == 1 << 40"));
    EXPECT(holds("assert tcpi_pacing_rate == 18446744073709551615"));
}

TEST("comparisons are joined, negated and chained")
{
    EXPECT(holds("assert tcpi_unacked > 2 and tcpi_unacked < 4"));
    EXPECT(holds("assert tcpi_unacked == 9 or tcpi_unacked == 3"));
    EXPECT(holds("assert not tcpi_unacked == 9"));
    EXPECT(holds("assert not not tcpi_unacked == 3"));
    EXPECT(holds("assert 1 < tcpi_unacked <= 3 != 4"));
    EXPECT(!holds("assert 1 < tcpi_unacked < 3"));
    EXPECT(!holds("assert 5 < tcpi_unacked < 9"));
    EXPECT(holds("assert tcpi_unacked >= 3 and (tcpi_lost == 1 or tcpi_lost == 0)"));
    EXPECT(!holds("assert tcpi_unacked == 3 and tcpi_lost == 1 or tcpi_lost == 2"));
    EXPECT(holds("assert True and not False"));
}

TEST("arithmetic binds as in Python")
{
    EXPECT(holds("assert 2 + 3 * 4 == 14"));
    EXPECT(holds("assert (2 + 3) * 4 == 20"));
    EXPECT(holds("assert 10 - 3 - 2 == 5"));
    EXPECT(holds("assert 7 // 2 == 3 and 7 / 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2"));
    EXPECT(holds("assert 1 << 4 | 3 == 19"));
    EXPECT(holds("assert 6 & 3 == 2 and 6 ^ 3 == 5 and ~0 == -1 and 256 >> 4 == 16"));
    EXPECT(holds("assert -16 >> 2 == -4 and 1 << 64 == 0 and 5 // 0 == 0"));
    EXPECT(holds("assert abs(tcpi_rtt - 41000) <= 1000"));
    EXPECT(holds("assert min(3, 4) == 3 and max(3, 4) == 4 and int(5) == 5"));
    EXPECT(holds("assert - -3 == 3"));
}

TEST("a value is looked for in ranges and lists")
{
    EXPECT(holds("assert tcpi_unacked in range(1, 4)"));
    EXPECT(!holds("assert tcpi_unacked in range(1, 3)"));
    EXPECT(holds("assert tcpi_unacked in (1, 2, 3)"));
    EXPECT(holds("assert tcpi_unacked not in [1, 2]"));
}

TEST("several assertions stand on lines or behind semicolons, with messages and comments")
{
    EXPECT(holds("assert tcpi_lost == 0; assert tcpi_unacked == 3"));
    EXPECT(holds("\n assert tcpi_lost == 0, 'lost %d' % tcpi_lost\n"
                 " # nothing here\n"
                 " assert tcpi_unacked == 3, (tcpi_unacked,\n 7)\n"
                 " print (tcpi_unacked); assert tcpi_rtt // 1000 == 40, tcpi_rtt"));
    EXPECT(!holds("assert tcpi_lost == 0, 'a; b'; assert tcpi_unacked == 4"));
    EXPECT(holds(""));
}

TEST("a failure names the assertion and the members' values")
{
    EXPECT(!holds("assert tcpi_lost == 0\n assert tcpi_unacked == 3 and tcpi_snd_cwnd == 9, 'no'"));
    expect_span(bad.text, "tcpi_unacked == 3 and tcpi_snd_cwnd == 9");
    EXPECT_STR(bad.values, "tcpi_unacked is 3, tcpi_snd_cwnd is 10");
    EXPECT_EQ(bad.line, 2);
}

TEST("mistakes are shown where they are")
{
    const char *member = "a member of struct tcp_info, a constant or a number";
    EXPECT_WRONG("0 %{ assert tcpi_sndcwnd == 1 }%", 1, 13, "`tcpi_sndcwnd`", member);
    EXPECT_STR(wrong.at.hint, "tcpi_snd_cwnd");
    EXPECT_WRONG("0 %{ assert }%", 1, 12, "the end", member);
    EXPECT_WRONG("0 %{ assert tcpi_lost == }%", 1, 25, "the end", member);
    EXPECT_WRONG("0 %{ assert (tcpi_lost }%", 1, 23, "the end", "`)`");
    EXPECT_WRONG("0 %{ assert tcpi_lost tcpi_rtt }%", 1, 23, "`tcpi_rtt`",
                 "an operator, a message behind a comma, or a new statement");
    EXPECT_WRONG("0 %{ x = 3 }%", 1, 6, "`x`", "assert");
    EXPECT_WRONG("0 %{ assert tcpi_rtt < 1.5 }%", 1, 25, "`.`", "a whole number");
    EXPECT_WRONG("0 %{ assert abs tcpi_rtt }%", 1, 17, "`tcpi_rtt`", "`(`");
    EXPECT_WRONG("0 %{ assert min(1) }%", 1, 18, "`)`", "`,`");
    EXPECT_WRONG("0 %{ assert tcpi_rtt not 3 }%", 1, 26, "`3`", "`in`");
    EXPECT_WRONG("0 %{ assert tcpi_rtt in range(1) }%", 1, 32, "`)`", "`,`");
    EXPECT_WRONG("0 %{ assert ----------------------------------1 }%", 1, 45, "`-`",
                 "fewer brackets in brackets");
}

TEST("an assertion has a limit in length")
{
    static char text[20000];
    struct txt t = txt_of(text, sizeof(text));
    txt_s(&t, "0 %{ assert 1");
    for (int i = 0; i < 600; i++)
        txt_s(&t, " + 1");
    txt_s(&t, " }%");
    arena_init(&script_arena, script_memory, sizeof(script_memory));
    EXPECT(!script_parse(&script_arena, span_str("t.pkt"), span_str(text), &wrong));
    EXPECT_STR(wrong.at.expected, "a shorter assertion");
}
