/* Connections between frames: each test is a short talk, told in the frame language. */
#include "fx_dissect.h"

#include "base/clock.h"
#include "lens/conversation.h"

#define C "ip src=10.0.1.1 dst=10.0.2.1 / tcp 40000>42181 "
#define S "ip src=10.0.2.1 dst=10.0.1.1 / tcp 42181>40000 "

static struct conversations talk;
static oriel_time now;
static uint64_t number;

static void fresh(void)
{
    conversations_init(&talk);
    now = 1000;
    number = 0;
}

/* A frame after that long. */
static void after(oriel_time gap, const char *line)
{
    struct lens_frame f = fx_frame(line);
    now += gap;
    f.time = now;
    f.number = ++number;
    f.conversations = &talk;
    dissect(&f, &fx_seen);
}

static void hear(const char *line)
{
    after(100 * NS_PER_MS, line);
}

/* Handshake with initial numbers 1000 and 2000, windows scaled by 7 and 6. */
static void established(void)
{
    fresh();
    hear(C "flags=S seq=1000 win=64240 mss=1460 wscale=7");
    hear(S "flags=SA seq=2000 ack=1001 win=65160 mss=1460 wscale=6");
    hear(C "flags=A seq=1001 ack=2001 win=502");
}

static void expect_notes(const char *names)
{
    char text[512];
    struct txt t = txt_of(text, sizeof text);
    for (uint32_t i = 0; i < fx_seen.n; i++) {
        const char *name = field_info(fx_seen.fields[i].id)->name;
        static const char prefix[] = "tcp.analysis.";
        if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 || strstr(name, "duplicate_ack_") ||
            strcmp(name, "tcp.analysis.flags") == 0)
            continue;
        txt_s(&t, t.n > 0 ? " " : "");
        txt_s(&t, name + sizeof(prefix) - 1);
    }
    EXPECT_STR(text, names);
    EXPECT_EQ(fx_has("tcp.analysis.flags"), names[0] != '\0');
}

TEST("numbers count from the SYN of their side, and the numbers on the wire stay")
{
    fresh();
    hear(C "flags=S seq=4294967295 win=64240");
    EXPECT_STR(fx_values("tcp.seq"), "0");
    EXPECT_STR(fx_values("tcp.ack"), "0");
    EXPECT_STR(fx_values("tcp.nxtseq"), "1");
    EXPECT_STR(fx_values("tcp.seq_raw"), "4294967295");
    hear(S "flags=SA seq=77 ack=0 win=65535");
    EXPECT_STR(fx_values("tcp.seq"), "0");
    EXPECT_STR(fx_values("tcp.ack"), "1");
    EXPECT_STR(fx_values("tcp.ack_raw"), "0");
    hear(C "flags=PA seq=0 ack=78 / \"hello\"");
    EXPECT_STR(fx_values("tcp.seq"), "1");
    EXPECT_STR(fx_values("tcp.ack"), "1");
    EXPECT_STR(fx_values("tcp.nxtseq"), "6");
    hear(C "flags=FA seq=5 ack=78");
    EXPECT_STR(fx_values("tcp.seq"), "6");
    EXPECT_STR(fx_values("tcp.nxtseq"), "7");
    expect_notes("");
}

TEST("where the SYN was not seen, numbers begin at 1")
{
    fresh();
    hear(C "flags=PA seq=5000 ack=900 / \"middle\"");
    EXPECT_STR(fx_values("tcp.seq"), "1");
    EXPECT_STR(fx_values("tcp.ack"), "1");
    hear(S "flags=A seq=900 ack=5006");
    EXPECT_STR(fx_values("tcp.seq"), "1");
    EXPECT_STR(fx_values("tcp.ack"), "7");
}

TEST("without a table there is nothing relative")
{
    fx_see(C "flags=S seq=5");
    EXPECT(!fx_has("tcp.seq"));
    EXPECT(!fx_has("tcp.stream"));
    EXPECT(!fx_has("tcp.window_size"));
    EXPECT_STR(fx_values("tcp.seq_raw"), "5");
}

TEST("windows are scaled behind the SYN when both ends offered it")
{
    established();
    EXPECT_STR(fx_values("tcp.window_size"), "64256");
    EXPECT_STR(fx_values("tcp.window_size_value"), "502");
    hear(S "flags=A seq=2001 ack=1001 win=1018");
    EXPECT_STR(fx_values("tcp.window_size"), "65152");
}

TEST("a window is not scaled when one end did not offer it, and never in a SYN")
{
    fresh();
    hear(C "flags=S seq=0 win=1000 wscale=7");
    EXPECT_STR(fx_values("tcp.window_size"), "1000");
    hear(S "flags=SA seq=0 ack=1 win=1000");
    hear(C "flags=A seq=1 ack=1 win=502");
    EXPECT_STR(fx_values("tcp.window_size"), "502");
}

TEST("each connection has its number; used ports begin a new one")
{
    established();
    EXPECT_STR(fx_values("tcp.stream"), "0");
    hear("ip src=10.0.1.1 dst=10.0.2.1 / tcp 40001>42181 flags=S seq=1");
    EXPECT_STR(fx_values("tcp.stream"), "1");
    hear(C "flags=S seq=1000 win=64240 mss=1460 wscale=7");
    EXPECT_STR(fx_values("tcp.stream"), "0");
    expect_notes("retransmission");
    hear(C "flags=S seq=9999");
    EXPECT_STR(fx_values("tcp.stream"), "2");
    EXPECT_STR(fx_values("tcp.seq"), "0");
    expect_notes("reused_ports");
}

TEST("times count from the first segment of the connection and from the one before")
{
    established();
    EXPECT_STR(fx_values("tcp.time_relative"), "0.200000000");
    EXPECT_STR(fx_values("tcp.time_delta"), "0.100000000");
}

TEST("data sent again by timeout is a retransmission")
{
    established();
    hear(S "flags=PA seq=2001 ack=1001 / \"hello\"");
    after(NS_PER_S, S "flags=PA seq=2001 ack=1001 / \"hello\"");
    expect_notes("retransmission");
    EXPECT(strncmp(fx_seen.info, "[TCP Retransmission] 42181", 26) == 0);
}

TEST("data sent again behind two duplicates is a fast retransmission")
{
    established();
    hear(S "flags=A seq=2001 ack=1001 / zeros 100");
    hear(S "flags=A seq=2201 ack=1001 / zeros 100");
    expect_notes("lost_segment");
    hear(C "flags=A seq=1001 ack=2101 win=502");
    hear(C "flags=A seq=1001 ack=2101 win=502 nop nop sack=2201-2301");
    expect_notes("duplicate_ack");
    EXPECT_STR(fx_values("tcp.options.sack_le"), "201");
    EXPECT_STR(fx_values("tcp.options.sack_re"), "301");
    hear(C "flags=A seq=1001 ack=2101 win=502 nop nop sack=2201-2301");
    EXPECT_STR(fx_values("tcp.analysis.duplicate_ack_num"), "2");
    EXPECT_STR(fx_values("tcp.analysis.duplicate_ack_frame"), "6");
    EXPECT(strncmp(fx_seen.info, "[TCP Dup ACK 6#2] ", 18) == 0);
    after(5 * NS_PER_MS, S "flags=A seq=2101 ack=1001 / zeros 100");
    expect_notes("fast_retransmission retransmission");
    hear(C "flags=A seq=1001 ack=2301 win=502");
    expect_notes("");
}

TEST("what was acknowledged before is sent for nothing")
{
    established();
    hear(S "flags=PA seq=2001 ack=1001 / \"hello\"");
    hear(C "flags=A seq=1001 ack=2006 win=502");
    hear(S "flags=PA seq=2001 ack=1001 / \"hello\"");
    expect_notes("spurious_retransmission retransmission");
}

TEST("what comes within a round trip behind later data is out of order")
{
    established();
    hear(S "flags=A seq=2101 ack=1001 / zeros 100");
    after(10 * NS_PER_MS, S "flags=A seq=2001 ack=1001 / zeros 100");
    expect_notes("out_of_order");
}

TEST("a closed window is probed, answered and opened")
{
    established();
    hear(C "flags=A seq=1001 ack=2001 win=0");
    expect_notes("zero_window");
    hear(S "flags=A seq=2001 ack=1001 / \"x\"");
    expect_notes("zero_window_probe");
    hear(C "flags=A seq=1001 ack=2001 win=0");
    expect_notes("zero_window_probe_ack zero_window");
    hear(C "flags=A seq=1001 ack=2001 win=10");
    expect_notes("window_update");
    hear(S "flags=A seq=2001 ack=1001 / zeros 1280");
    expect_notes("window_full");
}

TEST("a segment one below the next is a keep-alive, and the same answer its acknowledgement")
{
    established();
    hear(S "flags=A seq=2000 ack=1001");
    expect_notes("keep_alive");
    hear(C "flags=A seq=1001 ack=2001 win=502");
    expect_notes("keep_alive_ack");
}

TEST("an acknowledgement of what did not pass is remarked once")
{
    established();
    hear(C "flags=A seq=1001 ack=2500 win=502");
    expect_notes("ack_lost_segment");
    hear(C "flags=A seq=1001 ack=2600 win=502");
    expect_notes("");
}

TEST("a quoted segment is not heard")
{
    established();
    hear("ip src=10.0.2.9 dst=10.0.1.1 / icmp unreachable code=host / " C "flags=S seq=77");
    EXPECT(!fx_has("tcp.seq"));
    hear(C "flags=A seq=1001 ack=2001 win=502");
    EXPECT_STR(fx_values("tcp.stream"), "0");
    EXPECT_STR(fx_values("tcp.seq"), "1");
}

TEST("IPv6 connections are known as well")
{
    fresh();
    hear("ip6 src=2001:db8::1 dst=2001:db8::2 / tcp 1>2 flags=S seq=10");
    hear("ip6 src=2001:db8::2 dst=2001:db8::1 / tcp 2>1 flags=SA seq=20 ack=11");
    EXPECT_STR(fx_values("tcp.ack"), "1");
    EXPECT_STR(fx_values("tcp.stream"), "0");
}

TEST("of too many connections the one that was silent longest gives way")
{
    established();
    char line[120];
    for (unsigned i = 0; i < CONVERSATIONS_MAX - 1; i++) {
        struct txt t = txt_of(line, sizeof line);
        txt_s(&t, "ip src=10.0.1.1 dst=10.0.2.1 / tcp 7>");
        txt_u(&t, 1000 + i);
        txt_s(&t, " flags=S seq=1");
        hear(line);
    }
    hear(C "flags=A seq=1001 ack=2001 win=502");
    EXPECT_STR(fx_values("tcp.stream"), "0");       /* all of them fit */
    hear("ip src=10.0.1.1 dst=10.0.2.1 / tcp 7>9 flags=S seq=1");
    EXPECT_EQ(talk.n, CONVERSATIONS_MAX);
    hear(C "flags=A seq=1001 ack=2001 win=502");
    EXPECT_STR(fx_values("tcp.stream"), "0");
    hear("ip src=10.0.1.1 dst=10.0.2.1 / tcp 7>1000 flags=A seq=2 ack=1");
    EXPECT_STR(fx_values("tcp.stream"), "257");     /* forgotten: begun anew */
}

TEST("filters ask for relative numbers and remarks by tshark's names")
{
    EXPECT(field_find(span_str("tcp.seq")) != F_NONE);
    EXPECT(field_find(span_str("tcp.analysis.retransmission")) != F_NONE);
    EXPECT(field_find(span_str("tcp.options.tfo.cookie")) != F_NONE);
}
