#include "fx_dissect.h"

#include "lens/filter.h"

static struct filter program;
static struct syntax_error wrong;

static bool holds(const char *text)
{
    if (!filter_compile(span_str(text), &program, &wrong)) {
        struct txt t = txt_of(fx_text, sizeof fx_text);
        syntax_error_print(&t, &wrong);
        fail_msg("%s: %s", text, fx_text);
    }
    return filter_match(&program, &fx_seen);
}

static void refuses(const char *text, unsigned column, const char *found, const char *expected)
{
    EXPECT(!filter_compile(span_str(text), &program, &wrong));
    EXPECT_STR(wrong.found, found);
    EXPECT_STR(wrong.expected, expected);
    EXPECT_EQ(wrong.column, column);
}

static void see_udp(void)
{
    fx_see("eth dst=02:00:00:00:00:02 src=00:00:5e:00:01:07 / "
           "ip src=10.0.0.1 dst=10.0.0.2 ttl=9 id=666 df / udp 1000>2000 / \"Hello, world\"");
}

static void see_dns(void)
{
    fx_see("eth / ip6 src=fe80::1 dst=2001:db8::2 / udp 1000>53 / dns id=1 q=www.example.com");
}

/* ---- presence and logic ---- */

TEST("an empty filter matches every frame")
{
    see_udp();
    EXPECT(holds(""));
    EXPECT(holds("  \t "));
}

TEST("a field alone asks whether it is there, whatever its value")
{
    see_udp();
    EXPECT(holds("udp"));
    EXPECT(!holds("tcp"));
    EXPECT(holds("ip.flags.mf"));
    EXPECT(holds("eth.src"));
    EXPECT(!holds("ipv6.src"));
}

TEST("not binds more than and, and binds more than or")
{
    see_udp();
    EXPECT(holds("udp || tcp && arp"));
    EXPECT(!holds("(udp || tcp) && arp"));
    EXPECT(holds("not tcp and udp"));
    EXPECT(!holds("not (tcp or udp)"));
    EXPECT(holds("!tcp && !arp && !icmp"));
    EXPECT(holds("tcp or arp or udp or icmp"));
    EXPECT(holds("not not udp"));
    EXPECT(holds("arp and tcp or udp"));
    EXPECT(!holds("udp and (tcp or not udp)"));
}

TEST("an absent field satisfies no comparison, and its negation is true")
{
    see_udp();
    EXPECT(!holds("tcp.port == 80"));
    EXPECT(!holds("tcp.port != 80"));
    EXPECT(holds("!(tcp.port == 80)"));
    EXPECT(!holds("all tcp.port > 0"));
    EXPECT(holds("tcp.port not in {80}"));
}

/* ---- many values ---- */

TEST("== holds when any value is equal, != when all differ")
{
    see_udp();
    EXPECT(holds("udp.port == 1000"));
    EXPECT(holds("udp.port == 2000"));
    EXPECT(!holds("udp.port != 1000"));
    EXPECT(holds("udp.port != 3000"));
    EXPECT(!holds("udp.port === 1000"));
    EXPECT(holds("udp.port !== 1000"));
    EXPECT(holds("udp.port > 1500"));
    EXPECT(!holds("all udp.port > 1500"));
    EXPECT(holds("any udp.port > 1500"));
    EXPECT(holds("all udp.port >= 1000"));
}

TEST("in finds a value among values and ranges")
{
    see_udp();
    EXPECT(holds("udp.port in {53, 1999..2001}"));
    EXPECT(holds("udp.dstport in {2000}"));
    EXPECT(!holds("udp.port in {53, 67..68}"));
    EXPECT(!holds("udp.port not in {1000}"));
    EXPECT(holds("ip.src in {192.168.0.0/16, 10.0.0.0..10.0.0.1}"));
    EXPECT(!holds("ip.src in {10.0.0.2..10.0.0.9}"));
    EXPECT(holds("eth.src in {00:00:5e:00:01:00..00:00:5e:00:01:ff}"));
    EXPECT(holds("ip.ttl in { 1 .. 10 }"));
}

/* ---- types ---- */

TEST("numbers are decimal, hexadecimal or binary")
{
    see_udp();
    EXPECT(holds("ip.id == 666"));
    EXPECT(holds("ip.id == 0x29a"));
    EXPECT(holds("ip.ttl == 0b1001"));
    EXPECT(holds("ip.ttl lt 10 and ip.ttl le 9 and ip.ttl gt 8 and ip.ttl ge 9"));
    EXPECT(holds("ip.ttl eq 9 and ip.ttl ne 8"));
}

TEST("booleans are 0 and 1, true and false")
{
    see_udp();
    EXPECT(holds("ip.flags.df == 1"));
    EXPECT(holds("ip.flags.df == true"));
    EXPECT(holds("ip.flags.mf == False"));
    EXPECT(!holds("ip.flags.mf != 0"));
}

TEST("addresses compare with addresses and prefixes")
{
    see_udp();
    EXPECT(holds("ip.addr == 10.0.0.2"));
    EXPECT(holds("ip.src == 10.0.0.0/8"));
    EXPECT(holds("ip.src == 10.0.0.7/24"));
    EXPECT(!holds("ip.src == 10.1.0.0/16"));
    EXPECT(holds("ip.src != 192.168.0.0/16"));
    EXPECT(holds("ip.dst > 10.0.0.1 and ip.dst <= 10.0.0.2"));
    EXPECT(holds("ip.src == 0.0.0.0/0"));
    see_dns();
    EXPECT(holds("ipv6.src == fe80::/10"));
    EXPECT(!holds("ipv6.dst == fe80::/10"));
    EXPECT(holds("ipv6.dst == 2001:db8::2"));
    EXPECT(holds("ipv6.addr == ::/0"));
}

TEST("hardware addresses compare whole or in part")
{
    see_udp();
    EXPECT(holds("eth.src == 00:00:5e:00:01:07"));
    EXPECT(holds("eth.src == 00-00-5e-00-01-07"));
    EXPECT(holds("eth.src[0:3] == 00:00:5e"));
    EXPECT(holds("eth.src[3-5] == 00:01:07"));
    EXPECT(holds("eth.src[-1] == 7"));
    EXPECT(holds("eth.src[:3] == 00005e"));
    EXPECT(holds("eth.src[4:] == 01:07"));
    EXPECT(!holds("eth.src[0:3] == 00:00:5f"));
    EXPECT(holds("eth.src contains 5e:00"));
}

TEST("times are seconds with decimals")
{
    struct lens_frame f = fx_frame("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2");
    f.time = 1041000000;
    dissect(&f, &fx_seen);
    EXPECT(holds("frame.time_relative == 1.041"));
    EXPECT(holds("frame.time_relative > 1"));
    EXPECT(holds("frame.time_relative <= 1.041000000"));
    EXPECT(holds("frame.time_relative in {1.04..1.05}"));
}

TEST("a mask asks for bits")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / tcp 1000>80 flags=SA");
    EXPECT(holds("tcp.flags & 0x02"));
    EXPECT(!holds("tcp.flags & 0x01"));
    EXPECT(holds("tcp.flags & 0x12 == 0x12"));
    EXPECT(holds("tcp.flags & 0x02 && tcp.flags & 0x10"));
}

/* ---- text and bytes ---- */

TEST("text compares, contains and matches")
{
    see_dns();
    EXPECT(holds("dns.qry.name == \"www.example.com\""));
    EXPECT(holds("dns.qry.name == www.example.com"));
    EXPECT(!holds("dns.qry.name == \"WWW.example.com\""));
    EXPECT(holds("dns.qry.name contains \"example\""));
    EXPECT(holds("dns.qry.name matches \"EXAMPLE\""));
    EXPECT(holds("dns.qry.name ~ \"^w+[.]\""));
    EXPECT(holds("dns.qry.name matches r\"\\.com$\""));
    EXPECT(!holds("dns.qry.name matches r\"\\.org$\""));
    EXPECT(holds("dns.qry.name[0:3] == \"www\""));
    EXPECT(holds("dns.qry.name > \"example\""));
    EXPECT(!holds("dns.qry.name contains 65:78:61"));      /* where the field is text, so is this */
}

TEST("a protocol's bytes reach to the end of what it carries")
{
    see_udp();
    EXPECT(holds("udp contains \"world\""));
    EXPECT(holds("frame matches \"hello.*WORLD$\""));
    EXPECT(holds("udp.payload contains 48:65:6c"));
    EXPECT(holds("udp.payload == \"Hello, world\""));
    EXPECT(holds("udp[0:2] == 03:e8"));
    EXPECT(holds("frame[12:2] == 0800"));
    EXPECT(!holds("ip contains \"nothing like it\""));
}

TEST("escapes stand for bytes; a raw text takes them as they are")
{
    see_udp();
    EXPECT(holds("udp contains \"\\x48ello\""));
    EXPECT(holds("udp contains r\"ello\""));
    EXPECT(!holds("udp contains r\"\\x48\""));
    EXPECT(!holds("udp contains \"a\\\"b\\\\c\\n\""));
}

TEST("reasons are asked for by name")
{
    struct lens_frame f = fx_frame("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2");
    f.why = span_str("UDP_DATA");
    f.ev = 12;
    dissect(&f, &fx_seen);
    EXPECT(holds("why == \"UDP_DATA\""));
    EXPECT(holds("why == UDP_DATA"));
    EXPECT(holds("why.cause matches \"^udp\""));
    EXPECT(holds("why.ev == 12 and not drop"));
    EXPECT(holds("why in {ARP_REPLY, \"UDP_DATA\"}"));
}

/* ---- what is refused ---- */

TEST("an unknown name is refused where it stands, and the nearest one is suggested")
{
    refuses("ip.scr == 10.0.0.1", 1, "`ip.scr`", "a field name");
    EXPECT_STR(wrong.hint, "ip.src");
    refuses("udp && tcp.flag.syn", 8, "`tcp.flag.syn`", "a field name");
    EXPECT_STR(wrong.hint, "tcp.flags.syn");
    refuses("tcp.sequ == 1", 1, "`tcp.sequ`", "a field name");
    EXPECT_STR(wrong.hint, "tcp.seq");
    refuses("qwertyuiop", 1, "`qwertyuiop`", "a field name");
    EXPECT_STR(wrong.hint, "");
}

TEST("an error reads as a sentence")
{
    EXPECT(!filter_compile(span_str("udp and ip.scr == 1"), &program, &wrong));
    struct txt t = txt_of(fx_text, sizeof fx_text);
    syntax_error_print(&t, &wrong);
    EXPECT_STR(fx_text, "column 9: found `ip.scr`, expected a field name; did you mean ip.src?");
}

TEST("a value of another type is refused")
{
    refuses("ip.src == 5", 11, "`5`", "an IPv4 address or prefix");
    refuses("ip.src == ::1", 11, "`::1`", "an IPv4 address or prefix");
    refuses("ipv6.src == 10.0.0.1", 13, "`10.0.0.1`", "an IPv6 address or prefix");
    refuses("eth.src == 10.0.0.1", 12, "`10.0.0.1`", "a MAC address");
    refuses("ip.ttl == 300", 11, "`300`", "a number from 0 to 255");
    refuses("ip.ttl == 1.5", 11, "`1.5`", "a number from 0 to 255");
    refuses("udp.port == 010", 13, "`010`", "a number from 0 to 65535");
    refuses("ip.flags.df == 2", 16, "`2`", "0, 1, true or false");
    refuses("frame.time_relative == soon", 24, "`soon`", "seconds");
    refuses("udp.payload == xyz", 16, "`xyz`", "bytes like 01:02:ff or a quoted string");
}

TEST("an operator that the type does not have is refused")
{
    refuses("ip.ttl contains 4", 8, "`contains`",
            "== != < <= > >= or in: this field has no bytes to search");
    refuses("udp == 1", 5, "`=`", "contains, matches, a slice or nothing behind a protocol");
    refuses("ip.flags.df > 0", 13, "`>`", "== or !=: this field is true or false");
    refuses("tcp.options.mss == 1", 17, "`=`", "no operator: this field has no value");
    refuses("ip.ttl[0] == 1", 8, "`0`", "an operator: this field has no bytes to take a part of");
    refuses("dns.qry.name in {a..b}", 19, "`.`", ", or }: this field has no ranges");
}

TEST("what is missing is said with the place where it is missing")
{
    refuses("ip and", 7, "the end", "a field name");
    refuses("(ip", 4, "the end", "and, or, or )");
    refuses("ip)", 3, "`)`", "and, or, or the end");
    refuses("ip udp", 4, "`udp`", "and, or, or the end");
    refuses("ip.src ==", 10, "the end", "an IPv4 address or prefix");
    refuses("udp.port in 53", 13, "`53`", "{");
    refuses("udp.port in {53 54}", 17, "`54`", ", or }");
    refuses("udp.port in {9..5}", 17, "`5`", "the upper end of the range");
    refuses("why == \"UDP", 8, "`\"UDP`", "a closing quotation mark");
    refuses("eth.src[0:3", 12, "the end", "]");
    refuses("eth.src[0:3]", 13, "the end", "an operator");
    refuses("dns.qry.name matches www", 22, "`www`", "a pattern in quotes");
}

TEST("an escape that is none is refused, and the raw text is named")
{
    refuses("dns.qry.name matches \"\\.com\"", 24, "`.com`",
            "n r t 0 \\ \" or xNN behind a backslash; r\"...\" takes all as it is");
}

TEST("a pattern that is wrong is refused where it is wrong")
{
    refuses("dns.qry.name matches \"a(b\"", 26, "the end", ")");
    refuses("dns.qry.name matches \"*a\"", 23, "`*a`", "something to repeat");
}

TEST("after an error the program matches nothing")
{
    see_udp();
    EXPECT(!filter_compile(span_str("udp or or"), &program, &wrong));
    EXPECT(!filter_match(&program, &fx_seen));
}

TEST("a program can be copied")
{
    see_udp();
    EXPECT(holds("udp contains \"world\" and ip.src == 10.0.0.1"));
    struct filter copy = program;
    memset(&program, 0xa5, sizeof program);
    EXPECT(filter_match(&copy, &fx_seen));
}

/* ---- limits ---- */

static const char *repeat(const char *before, const char *piece, unsigned n, const char *after)
{
    static char text[FILTER_TEXT_MAX + 64];
    struct txt t = txt_of(text, sizeof text);
    txt_s(&t, before);
    for (unsigned i = 0; i < n; i++)
        txt_s(&t, piece);
    txt_s(&t, after);
    return text;
}

TEST("parentheses nest to their limit and not beyond")
{
    see_udp();
    EXPECT(holds(repeat("", "!", FILTER_DEPTH_MAX - 1, "tcp")));
    EXPECT(!filter_compile(span_str(repeat("", "!", FILTER_DEPTH_MAX, "tcp")), &program, &wrong));
    EXPECT_STR(wrong.expected, "fewer parentheses inside one another");
}

TEST("a filter has so many tests, values, patterns and bytes, and no more")
{
    see_udp();
    EXPECT(holds(repeat("udp", " && udp", FILTER_OPS_MAX / 2 - 1, "")));
    EXPECT(!filter_compile(span_str(repeat("udp", " && udp", FILTER_OPS_MAX / 2, "")), &program,
                           &wrong));
    EXPECT_STR(wrong.expected, "a shorter filter");
    EXPECT(holds(repeat("udp.port in {1000", ",1", FILTER_VALUES_MAX - 1, "}")));
    EXPECT(!filter_compile(span_str(repeat("udp.port in {1", ",1", FILTER_VALUES_MAX, "}")),
                           &program, &wrong));
    EXPECT_STR(wrong.expected, "fewer values");
    EXPECT(holds(repeat("udp", " and udp matches \"h\"", FILTER_PATTERNS_MAX, "")));
    EXPECT(!filter_compile(span_str(repeat("udp", " and udp matches \"h\"",
                                           FILTER_PATTERNS_MAX + 1, "")), &program, &wrong));
    EXPECT_STR(wrong.expected, "fewer patterns");
    EXPECT(!filter_compile(span_str(repeat("udp", " ", FILTER_TEXT_MAX, "")), &program, &wrong));
    EXPECT_STR(wrong.expected, "a shorter filter");
}
