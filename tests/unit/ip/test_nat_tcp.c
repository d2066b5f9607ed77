/* nat.c: TCP and how long its translations live. */
#include "ip/fx_nat.h"

TEST("segments are translated both ways, options and all")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, OUT_TO "flags=S seq=1 mss=1460 wscale=7 sackok ts=1,2");
    EXPECT_LEFT(f, OUTSIDE, GOOD "ip.src == 203.0.113.1 && tcp.srcport == 4000 && "
                "tcp.checksum.status == 1 && tcp.options.mss_val == 1460");
    fx_outside(f, IN_FROM "flags=SA seq=9 ack=2 mss=1400");
    EXPECT_LEFT(f, INSIDE, GOOD "ip.dst == 10.0.0.2 && tcp.dstport == 4000 && "
                "tcp.checksum.status == 1");
    fx_inside(f, OUT_TO "flags=PA seq=2 ack=10 / \"GET\"");
    EXPECT_LEFT(f, OUTSIDE, "tcp.checksum.status == 1 && tcp.len == 3");
    fx_free(f);
}

TEST("a connection that is open lives two hours and four minutes, any other four minutes")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, OUT_TO "flags=S seq=1");
    EXPECT_EQ(fx_nat_life_s(f), 240);
    fx_outside(f, IN_FROM "flags=SA seq=9 ack=2");
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    fx_inside(f, OUT_TO "flags=A seq=2 ack=10");
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    fx_inside(f, OUT_TO "flags=FA seq=2 ack=10");
    EXPECT_EQ(fx_nat_life_s(f), 7440);                 /* half closed: the other side may go on */
    fx_run(f, 7000 * NS_PER_S);
    fx_outside(f, IN_FROM "flags=A seq=10 ack=3 / \"more\"");
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    fx_outside(f, IN_FROM "flags=FA seq=14 ack=3");
    EXPECT_EQ(fx_nat_life_s(f), 240);
    fx_inside(f, OUT_TO "flags=A seq=3 ack=15");
    EXPECT_EQ(fx_nat_life_s(f), 240);
    fx_inside(f, OUT_TO "flags=S seq=100");   /* the same ports, another connection */
    EXPECT_EQ(fx_nat_life_s(f), 240);
    fx_outside(f, IN_FROM "flags=SA seq=900 ack=101");
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    fx_run(f, 7440 * NS_PER_S);
    EXPECT_EQ(fx_nat_live(f), 0);
    fx_free(f);
}

TEST("a reset from either side ends a connection's long life")
{
    static const char *const side[] = {OUT_TO "flags=R seq=2", IN_FROM "flags=R seq=10"};
    for (int i = 0; i < 2; i++) {
        struct fx *f = fx_nat_new();
        fx_nat_handshake(f);
        EXPECT_EQ(fx_nat_life_s(f), 7440);
        fx_in_on(f, i == 0 ? INSIDE : OUTSIDE, side[i]);
        EXPECT_EQ(fx_nat_life_s(f), 240);
        fx_free(f);
    }
}

TEST("a segment from the middle of a connection passes, and does not make it open")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, OUT_TO "flags=A seq=2 ack=10 / \"x\"");
    EXPECT_LEFT(f, OUTSIDE, "tcp.srcport == 4000");
    fx_outside(f, IN_FROM "flags=A seq=10 ack=3 / \"y\"");
    EXPECT_LEFT(f, INSIDE, "tcp.dstport == 4000");
    EXPECT_EQ(fx_nat_life_s(f), 240);
    fx_free(f);
}

TEST("connections of one port to several peers are watched each on its own")
{
    struct fx *f = fx_nat_new();
    fx_nat_handshake(f);
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.8 / tcp 4000>80 flags=S seq=1");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.8 / tcp 4000>80 flags=R seq=2");
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    for (unsigned peer = 20; peer < 40; peer++) {       /* others give way before it does */
        char line[120];
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "ip src=10.0.0.2 dst=198.51.100.");
        txt_u(&t, peer);
        txt_s(&t, " / tcp 4000>80 flags=S seq=1");
        fx_inside(f, line);
    }
    (void)fx_skip(f);
    fx_outside(f, IN_FROM "flags=A seq=10 ack=2 / \"still here\"");
    EXPECT_LEFT(f, INSIDE, "tcp.len == 10");
    fx_free(f);
}

TEST("of two connections that are open the earlier one may end, and the later one")
{
    struct fx *f = fx_nat_new();
    fx_nat_handshake(f);
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / tcp 4000>81 flags=S seq=1");
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / tcp 81>4000 flags=SA seq=1 ack=2");
    fx_outside(f, IN_FROM "flags=R seq=10");  /* it is not the latest peer */
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / tcp 81>4000 flags=R seq=2");
    EXPECT_EQ(fx_nat_life_s(f), 240);
    fx_free(f);
}

TEST("a late copy of the first segment does not make an open connection young again")
{
    struct fx *f = fx_nat_new();
    fx_nat_handshake(f);
    fx_inside(f, OUT_TO "flags=S seq=1");
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    fx_free(f);
}

TEST("what lives shorter than everything before it runs out in its own time")
{
    struct fx *f = fx_nat_new();
    fx_nat_handshake(f);
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp echo id=5 seq=1");
    EXPECT_EQ(fx_nat_live(f), 2);
    fx_run(f, 60 * NS_PER_S);
    EXPECT_EQ(fx_nat_live(f), 1);
    EXPECT_EQ(fx_nat_life_s(f), 7380);
    fx_free(f);
}

TEST("when eight connections of one port are open, the oldest gives way to a ninth")
{
    struct fx *f = fx_nat_new();
    for (unsigned peer = 1; peer <= 9; peer++) {
        char line[120];
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "ip src=10.0.0.2 dst=198.51.100.");
        txt_u(&t, peer);
        txt_s(&t, " / tcp 4000>80 flags=SA seq=1 ack=1");   /* answers a connection from there */
        fx_inside(f, line);
    }
    EXPECT_EQ(fx_nat_life_s(f), 7440);
    (void)fx_skip(f);
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_outside(f, "ip src=198.51.100.1 dst=203.0.113.1 / tcp 80>4000 flags=A"));
    fx_outside(f, "ip src=198.51.100.2 dst=203.0.113.1 / tcp 80>4000 flags=A");
    EXPECT_LEFT(f, INSIDE, "ip.src == 198.51.100.2");
    fx_free(f);
}

TEST("a peer may open a connection of its own to a port that wrote to it")
{
    struct fx *f = fx_nat_new();
    fx_nat_handshake(f);
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / tcp 9999>4000 flags=S seq=1");
    EXPECT_LEFT(f, INSIDE, "tcp.srcport == 9999 && tcp.flags.syn == 1");
    EXPECT_DROP(f, NAT_UNKNOWN, fx_outside(f, "ip src=198.51.100.8 dst=203.0.113.1 / "
                                                "tcp 80>4000 flags=S seq=1"));
    EXPECT_QUIET(f);                            /* RFC 5382, REQ-4: not a word about it */
    fx_free(f);
}
