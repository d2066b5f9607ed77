/* Ping, traceroute, the UDP listener and sender: what they print, count and give up on. */
#include "fx_lab.h"

#define ROUTED                                                                                     \
    "host a eth0 10.0.1.1/24\n"                                                                    \
    "router r eth0 10.0.1.254/24 | eth1 10.0.2.254/24\n"                                           \
    "host b eth0 10.0.2.1/24\n"                                                                    \
    "link a.eth0 r.eth0 delay 1ms\n"                                                               \
    "link r.eth1 b.eth0 delay 2ms\n"                                                               \
    "route a default via 10.0.1.254\n"                                                             \
    "route b default via 10.0.2.254\n"

/* The applications of that scenario print exactly this. */
static void prints(const char *text, const char *expected)
{
    struct fx_lab fx;
    fx_lab_run(&fx, text);
    EXPECT_STR(fx.out.p, expected);
    fx_lab_fini(&fx);
}

/* ... or this among other things. */
static void prints_also(const char *text, const char *expected)
{
    struct fx_lab fx;
    fx_lab_run(&fx, text);
    if (!strstr(fx.out.p, expected))
        fail_msg("expected: %s\nprinted: %s", expected, fx.out.p);
    fx_lab_fini(&fx);
}

/* ---- ping ---- */

TEST("ping prints what people know")
{
    prints(TWO_HOSTS "at 0 a ping 10.0.0.2 count 3\n",
           "PING 10.0.0.2 (10.0.0.2) 56(84) bytes of data.\n"
           "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=4.00 ms\n"
           "64 bytes from 10.0.0.2: icmp_seq=2 ttl=64 time=2.00 ms\n"
           "64 bytes from 10.0.0.2: icmp_seq=3 ttl=64 time=2.00 ms\n"
           "\n"
           "--- 10.0.0.2 ping statistics ---\n"
           "3 packets transmitted, 3 received, 0% packet loss, time 2000ms\n"
           "rtt min/avg/max/mdev = 2.000/2.666/4.000/0.944 ms\n");
}

TEST("ping of IPv6 says so in its first line")
{
    prints("host a eth0 fd00::1/64 nodad\nhost b eth0 fd00::2/64 nodad\n"
           "link a.eth0 b.eth0 delay 10us\nat 0 a ping fd00::2 size 100 ttl 9\n",
           "PING fd00::2 (fd00::2) 100 data bytes\n"
           "108 bytes from fd00::2: icmp_seq=1 ttl=64 time=0.040 ms\n"
           "\n"
           "--- fd00::2 ping statistics ---\n"
           "1 packets transmitted, 1 received, 0% packet loss, time 0ms\n"
           "rtt min/avg/max/mdev = 0.040/0.040/0.040/0.000 ms\n");
}

TEST("ping waits for neighbours that do not answer, and its own host speaks")
{
    prints(TWO_HOSTS "at 0 a ping 10.0.0.77 count 2\n",
           "PING 10.0.0.77 (10.0.0.77) 56(84) bytes of data.\n"
           "From 10.0.0.1 icmp_seq=1 Destination Host Unreachable\n"
           "From 10.0.0.1 icmp_seq=2 Destination Host Unreachable\n"
           "\n"
           "--- 10.0.0.77 ping statistics ---\n"
           "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1000ms\n"
           "pipe 2\n");
}

TEST("ping without a route cannot send")
{
    prints(TWO_HOSTS "at 0 a ping 10.9.9.9\n",
           "PING 10.9.9.9 (10.9.9.9) 56(84) bytes of data.\n"
           "ping: sendmsg: Network is unreachable\n"
           "\n"
           "--- 10.9.9.9 ping statistics ---\n"
           "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms\n");
}

TEST("errors of routers name the router and what it says")
{
    prints_also(ROUTED "at 0 a ping 10.0.2.1 ttl 1\n",
                "From 10.0.1.254 icmp_seq=1 Time to live exceeded\n");
    prints_also(ROUTED "at 0 a ping 10.7.0.1\n",
                "From 10.0.1.254 icmp_seq=1 Destination Net Unreachable\n");
    prints_also(ROUTED "at 0 a ping 10.0.2.77\n",
                "From 10.0.1.254 icmp_seq=1 Destination Host Unreachable\n");
    prints_also(ROUTED "at 0 r mtu eth1 1000\nat 1s a ping 10.0.2.1 size 1200 df-probe\n",
                "From 10.0.1.254 icmp_seq=1 Frag needed and DF set (mtu = 1000)\n");
}

TEST("doubled answers are marked and counted apart")
{
    prints_also(TWO_HOSTS "at 0 link b.eth0 -> a.eth0 double 2\nat 0 a ping 10.0.0.2\n",
                "64 bytes from 10.0.0.2: icmp_seq=1 ttl=64 time=4.00 ms\n");
    struct fx_lab fx;
    fx_lab_run(&fx, TWO_HOSTS "at 0 link b.eth0 -> a.eth0 double 2\n"
                              "at 0 a ping 10.0.0.2 count 2\n");
    EXPECT(strstr(fx.out.p, "icmp_seq=1 ttl=64 time=4.00 ms (DUP!)\n"));
    EXPECT(strstr(fx.out.p, "2 packets transmitted, 2 received, +1 duplicates, 0% packet loss"));
    EXPECT_EQ(fx.lab->apps[0].is.ping->dups, 1);
    fx_lab_fini(&fx);
}

TEST("losses are given with six digits that count")
{
    prints_also(TWO_HOSTS "at 0 link a.eth0 -> b.eth0 lose 3\nat 0 a ping 10.0.0.2 count 3\n",
                "3 packets transmitted, 2 received, 33.3333% packet loss, time 2000ms\n");
    prints_also(TWO_HOSTS "at 0 link a.eth0 -> b.eth0 lose 3\n"
                          "at 0 a ping 10.0.0.2 count 15 interval 10ms quiet\n",
                "15 packets transmitted, 14 received, 6.66667% packet loss, time 140ms\n");
    prints_also(TWO_HOSTS "at 0 link a.eth0 -> b.eth0 lose 3 lose 4\n"
                          "at 0 a ping 10.0.0.2 count 4 interval 10ms quiet\n",
                "4 packets transmitted, 2 received, 50% packet loss, time 30ms\n");
}

TEST("a ping that hears nothing gives up after ten seconds, or after what it was told to wait")
{
    static const char silent[] = "peer x eth0\nhost b eth0 10.0.0.1/24\nlink x.eth0 b.eth0\n"
                                 "neigh b 10.0.0.9 02:00:00:00:00:99\n";
    struct fx_lab fx;
    char text[256];
    snprintf(text, sizeof(text), "%sat 0 b ping 10.0.0.9\n", silent);
    fx_lab_run(&fx, text);
    EXPECT(fx.lab->w->env.now == 10 * NS_PER_S);
    fx_lab_fini(&fx);
    snprintf(text, sizeof(text), "%sat 0 b ping 10.0.0.9 wait 30ms\n", silent);
    fx_lab_run(&fx, text);
    EXPECT(fx.lab->w->env.now == 30 * NS_PER_MS);
    fx_lab_fini(&fx);
}

TEST("two pings of one host do not take each other's answers")
{
    fx_lab_holds(TWO_HOSTS "at 0 a ping 10.0.0.2 count 3 interval 1ms\n"
                           "at 0 a ping 10.0.0.2 count 5 interval 1ms\n"
                           "expect a ping @1 sent 3 received 3 duplicates 0\n"
                           "expect a ping @2 sent 5 received 5 duplicates 0\n");
}

TEST("a link-local destination is reached by the port that is named")
{
    struct fx_lab fx;
    fx_lab_run(&fx, "host a eth0 ip6 nodad\nhost b eth0 fe80::b/64 nodad\nlink a.eth0 b.eth0\n"
                    "at 0 a ping fe80::b dev eth0\nexpect a ping received 1\n");
    EXPECT(fx.good);
    EXPECT(strstr(fx.out.p, "64 bytes from fe80::b: icmp_seq=1"));
    fx_lab_fini(&fx);
}

/* ---- traceroute ---- */

TEST("traceroute prints a line a hop with three times")
{
    prints(ROUTED "at 0 a traceroute 10.0.2.1\n",
           "traceroute to 10.0.2.1 (10.0.2.1), 30 hops max, 60 byte packets\n"
           " 1  10.0.1.254  4.000 ms  2.000 ms  2.000 ms\n"
           " 2  10.0.2.1  10.000 ms  6.000 ms  6.000 ms\n");
}

TEST("traceroute with echo requests comes to the same")
{
    prints(ROUTED "at 0 a traceroute 10.0.2.1 icmp probes 1\n",
           "traceroute to 10.0.2.1 (10.0.2.1), 30 hops max, 60 byte packets\n"
           " 1  10.0.1.254  4.000 ms\n"
           " 2  10.0.2.1  10.000 ms\n");
}

TEST("traceroute shows silence as asterisks and unreachable hosts with a mark")
{
    prints(ROUTED "at 0 a traceroute 10.0.2.77 max-hops 3 probes 2\n",
           "traceroute to 10.0.2.77 (10.0.2.77), 3 hops max, 60 byte packets\n"
           " 1  10.0.1.254  4.000 ms  2.000 ms\n"
           " 2  10.0.1.254  3002.000 ms !H  2.000 ms !H\n");
    prints_also("peer x eth0\nhost b eth0 10.0.0.1/24\nlink x.eth0 b.eth0\n"
                "neigh b 10.0.0.9 02:00:00:00:00:99\n"
                "at 0 b traceroute 10.0.0.9 max-hops 2 wait 10ms\n", " 1  * * *\n 2  * * *\n");
}

TEST("traceroute without a route says so")
{
    prints(TWO_HOSTS "at 0 a traceroute 10.9.9.9\n",
           "traceroute to 10.9.9.9 (10.9.9.9), 30 hops max, 60 byte packets\n"
           "traceroute: Network is unreachable\n");
}

TEST("traceroute of IPv6")
{
    prints("host a eth0 fd00:1::1/64 nodad\n"
           "router r eth0 fd00:1::fe/64 nodad | eth1 fd00:2::fe/64 nodad\n"
           "host b eth0 fd00:2::1/64 nodad\nlink a.eth0 r.eth0\nlink r.eth1 b.eth0\n"
           "route a default via fd00:1::fe\nroute b default via fd00:2::fe\n"
           "at 1s a traceroute fd00:2::1\n",
           "traceroute to fd00:2::1 (fd00:2::1), 30 hops max, 80 byte packets\n"
           " 1  fd00:1::fe  0.000 ms  0.000 ms  0.000 ms\n"
           " 2  fd00:2::1  0.000 ms  0.000 ms  0.000 ms\n");
}

/* ---- UDP ---- */

TEST("listener and sender say what came")
{
    prints(TWO_HOSTS "at 0 b udp-listen 7 echo\n"
                     "at 1s a udp-send 10.0.0.2:7 \"hello\" from 4000\n",
           "udp 7: 5 bytes from 10.0.0.1:4000: hello\n"
           "udp 4000: 5 bytes from 10.0.0.2:7: hello\n");
    prints_also(TWO_HOSTS "at 0 b udp-listen 7\nat 2s a udp-send 10.0.0.2:7 size 3 from 4000\n",
                "udp 7: 3 bytes from 10.0.0.1:4000\n");
}

TEST("a sender says who refused")
{
    prints(TWO_HOSTS "at 1s a udp-send 10.0.0.2:9 \"x\" connected from 4000\n",
           "udp to 10.0.0.2:9: Connection refused (says 10.0.0.2)\n");
    prints(TWO_HOSTS "at 1s a udp-send 10.0.0.255:9 \"x\"\n",
           "udp to 10.0.0.255:9: Permission denied\n");
}

TEST("an echo to a broadcast or group is answered from an address of one's own")
{
    fx_lab_holds(TWO_HOSTS "at 0 b udp-listen 7 echo group 239.1.1.1 on eth0\n"
                           "at 1s a udp-send 10.0.0.255:7 \"all\" broadcast\n"
                           "at 2s a udp-send 239.1.1.1:7 \"group\" ttl 2\n"
                           "expect b udp 7 received 2 echoed 2\n"
                           "expect a udp-send @1 received 1 text \"all\"\n"
                           "expect a udp-send @2 received 1 text \"group\"\n"
                           "expect b.eth0 sees \"ip.dst == 239.1.1.1 && ip.ttl == 2\" count 1\n");
}

TEST("options of a sender reach its packets")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 a udp-send 10.0.0.2:9 size 10 count 3 every 10ms ttl 7 tos 0xb8 df "
                 "from 4000\n"
                 "at 1s a udp-send 10.0.0.2:9 \"n\" nocsum dev eth0 source 10.0.0.1\n"
                 "expect b.eth0 sees \"udp.srcport == 4000 && ip.ttl == 7 && ip.dsfield == 0xb8 && "
                 "ip.flags.df == 1\" count 3\n"
                 "expect b.eth0 sees \"udp.checksum == 0\" count 1\n");
}

/* ---- what they share ---- */

TEST("errors have names, both ways")
{
    for (int err = 0; err >= ORIEL_EAFNOSUPPORT; err--) {
        int back = 1;
        EXPECT(app_error_named(span_str(app_error_name(err)), &back));
        EXPECT_EQ(back, err);
        EXPECT(strcmp(app_error_text(err), "Unknown error") != 0);
    }
    int none;
    EXPECT(!app_error_named(span_str("ENOSUCH"), &none));
    EXPECT_STR(app_error_name(-9999), "an unknown error");
}

TEST("ICMP errors have the words of ping")
{
    static const struct {
        bool v4;
        uint8_t type, code;
        uint32_t info;
        const char *says;
    } rows[] = {
        {true, 3, 0, 0, "Destination Net Unreachable"},
        {true, 3, 3, 0, "Destination Port Unreachable"},
        {true, 3, 4, 1400, "Frag needed and DF set (mtu = 1400)"},
        {true, 3, 13, 0, "Packet filtered"},
        {true, 3, 99, 0, "Dest Unreachable, Bad Code"},
        {true, 4, 0, 0, "Source Quench"},
        {true, 11, 0, 0, "Time to live exceeded"},
        {true, 11, 1, 0, "Frag reassembly time exceeded"},
        {true, 12, 0, 9, "Parameter problem: pointer = 9"},
        {true, 77, 0, 0, "Bad ICMP type: 77"},
        {false, 1, 0, 0, "Destination unreachable: No route"},
        {false, 1, 4, 0, "Destination unreachable: Port unreachable"},
        {false, 1, 9, 0, "Destination unreachable: Unknown code"},
        {false, 2, 0, 1280, "Packet too big: mtu=1280"},
        {false, 3, 0, 0, "Time exceeded: Hop limit"},
        {false, 3, 1, 0, "Time exceeded: Defragmentation failure"},
        {false, 4, 1, 40, "Parameter problem: Unknown header at 40"},
        {false, 99, 0, 0, "unknown icmp type: 99"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char buf[100];
        struct txt t = txt_of(buf, sizeof(buf));
        app_icmp_text(&t, rows[i].v4, rows[i].type, rows[i].code, rows[i].info);
        EXPECT_STR(buf, rows[i].says);
    }
}

TEST("a message about somebody else's echo is not ours, and a short one is nobody's")
{
    static uint8_t buffer[APP_BUFFER];
    const struct oriel_addr to = addr_v4(0x0a000002);
    size_t n = app_echo_request(buffer, true, 7, 1, 8);
    buffer[0] = 0;              /* a reply */
    EXPECT_EQ(app_icmp_parse(span_of(buffer, n), true, 7, &to).kind, APP_ICMP_REPLY);
    EXPECT_EQ(app_icmp_parse(span_of(buffer, n), true, 8, &to).kind, APP_ICMP_OTHER);
    for (size_t k = 0; k < 8; k++)
        EXPECT_EQ(app_icmp_parse(span_of(buffer, k), true, 7, &to).kind, APP_ICMP_OTHER);
    buffer[0] = 3;              /* an error that quotes nothing that can be read */
    EXPECT_EQ(app_icmp_parse(span_of(buffer, n), true, 7, &to).kind, APP_ICMP_OTHER);
}
