#include "fx_dissect.h"

#include "lens/label.h"

#define C "ip src=10.0.1.1 dst=10.0.2.1 / tcp 40000>42181 "
#define S "ip src=10.0.2.1 dst=10.0.1.1 / tcp 42181>40000 "

static struct conversations talk;
static oriel_time now;

static const char *label(const char *line)
{
    static char text[400];
    struct lens_frame f = fx_frame(line);
    struct txt t = txt_of(text, sizeof text);
    f.time = now += 1000000000;
    f.conversations = &talk;
    dissect(&f, &fx_seen);
    label_print(&t, &fx_seen);
    return text;
}

TEST("a handshake, data and a close have short labels")
{
    conversations_init(&talk);
    EXPECT_STR(label(C "flags=S seq=9 win=64240 mss=1460"), "SYN Seq=0 Win=64240");
    EXPECT_STR(label(S "flags=SA seq=7 ack=10 win=65535"), "SYN,ACK Seq=0 Ack=1 Win=65535");
    EXPECT_STR(label(C "flags=A seq=10 ack=8 win=64240"), "ACK Seq=1 Ack=1 Win=64240");
    EXPECT_STR(label(S "flags=PA seq=8 ack=10 / \"Hello Client\""),
               "PSH,ACK Seq=1 Ack=1 Len=12");
    EXPECT_STR(label(S "flags=FA seq=20 ack=10 win=65535"), "FIN,ACK Seq=13 Ack=1 Win=65535");
    EXPECT_STR(label(C "flags=RA seq=10 ack=20 win=0"), "RST,ACK Seq=1 Ack=13");
}

TEST("blocks stand in the label, and what is remarkable behind it")
{
    conversations_init(&talk);
    (void)label(C "flags=S seq=9 win=1000");
    (void)label(S "flags=SA seq=7 ack=10 win=1000");
    EXPECT_STR(label(C "flags=A seq=10 ack=8 win=900 nop nop sack=20-30,40-50"),
               "ACK Seq=1 Ack=1 SACK=13-23,33-43 Win=900");
    EXPECT_STR(label(S "flags=PA seq=8 ack=10 / \"ab\""), "PSH,ACK Seq=1 Ack=1 Len=2");
    EXPECT_STR(label(S "flags=PA seq=8 ack=10 / \"ab\""),
               "PSH,ACK Seq=1 Ack=1 Len=2 [Retransmission]");
    EXPECT_STR(label(C "flags=A seq=10 ack=10 win=0"), "ACK Seq=1 Ack=3 Win=0 [ZeroWindow]");
}

TEST("the second connection has its number in front")
{
    conversations_init(&talk);
    (void)label(C "flags=S seq=9");
    EXPECT_STR(label("ip src=10.0.1.1 dst=10.0.2.1 / tcp 1>2 flags=S seq=9 win=5"),
               "#1 SYN Seq=0 Win=5");
}

TEST("without a table the numbers are those on the wire")
{
    char text[100];
    struct txt t = txt_of(text, sizeof text);
    fx_see(C "flags=PA seq=1000 ack=2000 / \"x\"");
    label_print(&t, &fx_seen);
    EXPECT_STR(text, "PSH,ACK Seq=1000 Ack=2000 Len=1");
}

TEST("everything else is protocol and information")
{
    EXPECT_STR(label("ip src=10.0.1.1 dst=10.0.2.1 / udp 1>2 / \"x\""),
               "UDP 1 \xe2\x86\x92 2 Len=1");
    EXPECT_STR(label("ip src=10.0.2.9 dst=10.0.1.1 / icmp unreachable code=port / " C "flags=S"),
               "ICMP Destination unreachable (Port unreachable)");
}
