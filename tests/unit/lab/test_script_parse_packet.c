#include "fx_script.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/tcp.h"

/* ---- TCP ---- */

TEST("a segment has flags, sequence numbers, and what else its line says")
{
    const struct script_packet *k = packet_of("0 < P. 1:1001(1000) ack 5 win 257 urg 3\n");
    EXPECT(k->in);
    EXPECT_EQ(k->proto, SCRIPT_TCP);
    EXPECT_EQ(k->flags, TCP_PSH | TCP_ACK);
    EXPECT_EQ(k->seq, 1);
    EXPECT_EQ(k->len, 1000);
    EXPECT(k->has_ack);
    EXPECT_EQ(k->ack, 5);
    EXPECT(k->has_win);
    EXPECT_EQ(k->win, 257);
    EXPECT(k->has_urg);
    EXPECT_EQ(k->urg, 3);
    EXPECT_EQ(k->opts_n, 0);
    EXPECT(!k->any_opts);
    k = packet_of("0 > S 0:0(0)\n");
    EXPECT(!k->in);
    EXPECT(!k->has_ack);
    EXPECT(!k->has_win);
    EXPECT(packet_of("0 > S 0:0(0) <...>\n")->any_opts);
}

TEST("sequence numbers may run over the end of the circle")
{
    const struct script_packet *k = packet_of("0 < . 4294967290:4(10) ack 1\n");
    EXPECT_EQ(k->seq, 4294967290u);
    EXPECT_EQ(k->len, 10);
}

TEST("every flag has its letter, and a digit is the number of accurate ECN")
{
    static const struct {
        const char *text;
        uint16_t flags;
    } rows[] = {
        {"S", TCP_SYN}, {"S.", TCP_SYN | TCP_ACK}, {"F.", TCP_FIN | TCP_ACK}, {"R", TCP_RST},
        {"R.", TCP_RST | TCP_ACK}, {".", TCP_ACK}, {"-", 0}, {"U.", TCP_URG | TCP_ACK},
        {"SEW", TCP_SYN | TCP_ECE | TCP_CWR}, {"SEWA", TCP_SYN | TCP_ECE | TCP_CWR | TCP_AE},
        {"S.E", TCP_SYN | TCP_ACK | TCP_ECE}, {"FP.", TCP_FIN | TCP_PSH | TCP_ACK},
        {"P.5", TCP_PSH | TCP_ACK | TCP_AE | TCP_ECE}, {".2", TCP_ACK | TCP_CWR},
        {".0", TCP_ACK}, {".7", TCP_ACK | TCP_AE | TCP_CWR | TCP_ECE},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char line[80];
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "0 < ");
        txt_s(&t, rows[i].text);
        txt_s(&t, " 0:0(0)");
        EXPECT_EQ(packet_of(line)->flags, rows[i].flags);
    }
}

TEST("options stand in their order")
{
    const struct script_packet *k =
        packet_of("0 < S 0:0(0) win 1 <mss 1460,sackOK,TS val 100 ecr 7,nop,wscale 8,FO,eol>\n");
    static const uint8_t kinds[] = {TCP_OPT_MSS, TCP_OPT_SACK_PERM, TCP_OPT_TS, TCP_OPT_NOP,
                                    TCP_OPT_WSCALE, TCP_OPT_FASTOPEN, TCP_OPT_EOL};
    EXPECT_EQ(k->opts_n, ARRAY_LEN(kinds));
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        EXPECT_EQ(k->opts[i].kind, kinds[i]);
    EXPECT_EQ(k->opts[0].a, 1460);
    EXPECT_EQ(k->opts[2].a, 100);
    EXPECT_EQ(k->opts[2].b, 7);
    EXPECT_EQ(k->opts[4].a, 8);
    EXPECT_EQ(k->opts[5].data.n, 0);
    EXPECT_EQ(packet_of("0 < . 1:1(0) ack 1 <>")->opts_n, 0);
}

TEST("SACK blocks, cookies, keys and any other option")
{
    const struct script_packet *k =
        packet_of("0 < . 1:1(0) ack 1 <nop,nop,sack 1001:2001 3001:4001>\n");
    EXPECT_EQ(k->opts[2].n, 2);
    EXPECT_EQ(k->opts[2].left[1], 3001);
    EXPECT_EQ(k->opts[2].right[1], 4001);
    k = packet_of("0 < S 0:0(0) <FO a1b2c3d4,FOEXP 01020304,option 253 0a0b,option 252>\n");
    EXPECT_EQ(k->opts[0].data.n, 4);
    EXPECT_EQ(k->opts[1].kind, SCRIPT_OPT_FOEXP);
    EXPECT(k->opts[2].raw);
    EXPECT_EQ(k->opts[2].kind, 253);
    EXPECT_EQ(k->opts[2].data.n, 2);
    EXPECT_EQ(k->opts[3].data.n, 0);
    k = packet_of("0 < S 0:0(0) <nop,bytes fe00>\n");
    EXPECT(k->opts[1].bare);
    EXPECT_EQ(k->opts[1].data.n, 2);
    EXPECT(packet_of("0 < S 0:0(0) <FO cookie>")->opts[0].latest);
    EXPECT_EQ(packet_of("0 < S 0:0(0) <md5>")->opts[0].data.n, 16);
    EXPECT_EQ(packet_of("0 < S 0:0(0) <md5 000102030405060708090a0b0c0d0e0f>")->opts[0].data.n, 16);
}

/* ---- about IP, about ends ---- */

TEST("brackets say what is about IP")
{
    const struct script_packet *k = packet_of("0 < [ect0] . 1:1(0) ack 1\n");
    EXPECT_EQ(k->tos_check, SCRIPT_TOS_ECN);
    EXPECT_EQ(k->tos, 2);
    EXPECT_EQ(packet_of("0 < [ce] . 1:1(0) ack 1")->tos, 3);
    EXPECT_EQ(packet_of("0 < [ect1] . 1:1(0) ack 1")->tos, 1);
    EXPECT_EQ(packet_of("0 > [noecn] . 1:1(0) ack 1")->tos_check, SCRIPT_TOS_ECN);
    k = packet_of("0 > [tos 0xb8, ttl 5] . 1:1(0) ack 1\n");
    EXPECT_EQ(k->tos_check, SCRIPT_TOS_ALL);
    EXPECT_EQ(k->tos, 0xb8);
    EXPECT(k->has_ttl);
    EXPECT_EQ(k->ttl, 5);
    k = packet_of("0 > (flowlabel 0xabcde) [ect0] . 1:1(0) ack 1\n");
    EXPECT(k->has_flow);
    EXPECT_EQ(k->flow, 0xabcde);
    EXPECT_EQ(k->tos_check, SCRIPT_TOS_ECN);
    EXPECT(packet_of("0 < [badcsum] . 1:1(0) ack 1")->bad_csum);
    EXPECT_EQ(packet_of("0 > . 1:1(0)")->tos_check, SCRIPT_TOS_ANY);
}

TEST("ends are ports, or addresses with ports")
{
    const struct script_packet *k = packet_of("0 < 5000 > 8080 S 0:0(0)\n");
    EXPECT(k->has_sides);
    EXPECT(!k->src.has_addr);
    EXPECT_EQ(k->src.port, 5000);
    EXPECT_EQ(k->dst.port, 8080);
    k = packet_of("0 < 192.0.2.1:5000 > 192.168.0.1:80 [ect0] S 0:0(0)\n") ;
    EXPECT(k->src.has_addr);
    EXPECT_EQ((uint32_t)k->src.addr.lo, 0xc0000201);
    EXPECT_EQ(k->dst.port, 80);
    k = packet_of("0 < [2001:db8::1]:5000 > [2001:db8::2]:80 S 0:0(0)\n");
    EXPECT_EQ(k->src.addr.lo, 1);
    EXPECT_EQ(k->dst.addr.lo, 2);
    EXPECT_EQ(packet_of("0 < udp 1 > 2 (3)")->src.port, 1);
    EXPECT_EQ(packet_of("0 < 1 > 2 udp (3)")->dst.port, 2);
}

/* ---- UDP, ICMP ---- */

TEST("datagrams have a length")
{
    const struct script_packet *k = packet_of("0 > udp (1000)\n");
    EXPECT_EQ(k->proto, SCRIPT_UDP);
    EXPECT_EQ(k->len, 1000);
    k = packet_of("0 < udplite (1000, 20)\n");
    EXPECT_EQ(k->proto, SCRIPT_UDPLITE);
    EXPECT_EQ(k->cover, 20);
}

TEST("ICMP messages have a type, a code where there are some, and quote a packet")
{
    const struct script_packet *k =
        packet_of("0 < [1:1461(1460)] icmp unreachable frag_needed mtu 1200\n");
    EXPECT_EQ(k->proto, SCRIPT_ICMP);
    EXPECT(k->icmp.quotes);
    EXPECT_EQ(k->icmp.quoted, SCRIPT_TCP);
    EXPECT_EQ(k->seq, 1);
    EXPECT_EQ(k->len, 1460);
    EXPECT(k->icmp.has_mtu);
    EXPECT_EQ(k->icmp.mtu, 1200);
    EXPECT_EQ(k->icmp.type4, ICMP4_UNREACHABLE);
    EXPECT_EQ(k->icmp.code4, ICMP4_FRAG_NEEDED);
    EXPECT_EQ(k->icmp.type6, ICMP6_TOO_BIG);
    k = packet_of("0 > [udp (100)] icmp unreachable port_unreachable why ICMP_UNREACHABLE\n");
    EXPECT_EQ(k->icmp.quoted, SCRIPT_UDP);
    EXPECT_EQ(k->len, 100);
    EXPECT_EQ(k->icmp.code4, ICMP4_PORT);
    EXPECT_EQ(k->icmp.code6, ICMP6_PORT);
    EXPECT_EQ(k->why, WHY_ICMP_UNREACHABLE);
    k = packet_of("0 < icmp echo_request\n");
    EXPECT_EQ(k->icmp.type6, ICMP6_ECHO);
    EXPECT(!k->icmp.quotes);
    EXPECT(!packet_of("0 < icmp source_quench\n")->icmp.ok6);
    k = packet_of("0 < icmp 42 7\n");
    EXPECT_EQ(k->icmp.type4, 42);
    EXPECT_EQ(k->icmp.code6, 7);
    EXPECT_EQ(packet_of("0 < icmp time_exceeded\n")->icmp.type4, ICMP4_TIME_EXCEEDED);
    EXPECT_EQ(packet_of("0 < icmp time_exceeded reassembly\n")->icmp.code4, ICMP4_REASM);
}

/* ---- reasons ---- */

TEST("a packet that leaves may have a reason, one that arrives a reason to be dropped")
{
    EXPECT_EQ(packet_of("0 > udp (10) why UDP_DATA\n")->why, WHY_UDP_DATA);
    EXPECT_EQ(packet_of("0 < udp (10) drop UDP_CSUM\n")->drop, DROP_UDP_CSUM);
    EXPECT_WRONG("0 > udp (10) why UDP_DATE", 1, 18, "`UDP_DATE`", "a reason of why.def");
    EXPECT_STR(wrong.at.hint, "UDP_DATA");
    EXPECT_WRONG("0 < udp (10) drop UDP_CSMU", 1, 19, "`UDP_CSMU`", "a reason of drop.def");
    EXPECT_STR(wrong.at.hint, "UDP_CSUM");
    EXPECT_WRONG("0 < udp (10) why UDP_DATA", 1, 14, "`why`", "drop, or the end of the line");
    EXPECT_WRONG("0 > . 1:1(0) drop UDP_CSUM", 1, 14, "`drop`",
                 "ack, win, urg, <options>, why or drop, or the end of the line");
    EXPECT_WRONG("0 > udp (10) why", 1, 17, "the end", "a reason of why.def");
}

/* ---- mistakes ---- */

TEST("mistakes in segments are shown where they are")
{
    const char *seq = "sequence numbers, such as 1:1001(1000)";
    EXPECT_WRONG("0 <", 1, 4, "the end", "a packet");
    EXPECT_WRONG("0 < X 0:0(0)", 1, 5, "`X`",
                 "flags of TCP (S F R P . U E W A, 0 to 7 for ACE, - for none), udp, udplite or "
                 "icmp");
    EXPECT_WRONG("0 < S x:0(0)", 1, 7, "`x`", seq);
    EXPECT_WRONG("0 < S 0(0)", 1, 8, "`(`", "`:`");
    EXPECT_WRONG("0 < S 0:x(0)", 1, 9, "`x`", "the sequence number behind the last byte");
    EXPECT_WRONG("0 < S 0:0", 1, 10, "the end", "`(`");
    EXPECT_WRONG("0 < . 0:70000(70000)", 1, 15, "`70000`", "a number of bytes, at most 65535");
    EXPECT_WRONG("0 < . 1:10(10)", 1, 7, "`1:10(10)`",
                 "an end that is as many bytes after the beginning as the length says");
    EXPECT_WRONG("0 < . 1:1(0) ack x", 1, 18, "`x`", "an acknowledgement number");
    EXPECT_WRONG("0 < . 1:1(0) ack 1 win 65536", 1, 24, "`65536`",
                 "a window, 0 to 65535, as it stands in the header");
    EXPECT_WRONG("0 < . 1:1(0) ack 1 urg x", 1, 24, "`x`", "an urgent pointer, 0 to 65535");
    EXPECT_WRONG("0 < . 1:1(0) akc 1", 1, 14, "`akc`",
                 "ack, win, urg, <options>, why or drop, or the end of the line");
    EXPECT_STR(wrong.at.hint, "ack");
}

TEST("mistakes in options are shown where they are")
{
    const char *option =
        "a TCP option: mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5, option or "
        "bytes";
    EXPECT_WRONG("0 < S 0:0(0) <msss 1460>", 1, 15, "`msss`", option);
    EXPECT_STR(wrong.at.hint, "mss");
    EXPECT_WRONG("0 < S 0:0(0) <mss 1460 nop>", 1, 24, "`nop`", "`>`");
    EXPECT_WRONG("0 < S 0:0(0) <mss 70000>", 1, 19, "`70000`", "a segment size, 0 to 65535");
    EXPECT_WRONG("0 < S 0:0(0) <wscale x>", 1, 22, "`x`", "a shift, 0 to 255");
    EXPECT_WRONG("0 < S 0:0(0) <TS 1 2>", 1, 18, "`1`", "`val`");
    EXPECT_WRONG("0 < S 0:0(0) <TS val x>", 1, 22, "`x`", "the timestamp's value");
    EXPECT_WRONG("0 < S 0:0(0) <TS val 1 ecr x>", 1, 28, "`x`", "the timestamp that is echoed");
    EXPECT_WRONG("0 < S 0:0(0) <sack x>", 1, 20, "`x`", "a SACK block, such as 1001:2001");
    EXPECT_WRONG("0 < S 0:0(0) <sack 1:x>", 1, 22, "`x`", "the sequence number behind the block");
    EXPECT_WRONG("0 < S 0:0(0) <sack 1:2 3:4 5:6 7:8 9:10>", 1, 36, "`9`",
                 "at most four SACK blocks");
    EXPECT_WRONG("0 < S 0:0(0) <FO xyz>", 1, 18, "`xyz`", "bytes in hexadecimal, two digits each");
    EXPECT_WRONG("0 < S 0:0(0) <FO 123>", 1, 18, "`123`", "bytes in hexadecimal, two digits each");
    EXPECT_WRONG("0 < S 0:0(0) <option x>", 1, 22, "`x`", "the kind of an option, 0 to 255");
    EXPECT_WRONG("0 < S 0:0(0) <sack 1:2 3:4 5:6 7:8,mss 1,TS val 1 ecr 1>", 1, 42, "`TS`",
                 "at most 40 bytes of options");
    EXPECT_WRONG("0 < S 0:0(0) <...>", 1, 15, "`...`", "the options that are to be sent");
}

TEST("mistakes in brackets and ends are shown where they are")
{
    EXPECT_WRONG("0 < [etc0] . 1:1(0)", 1, 6, "`etc0`",
                 "ect0, ect1, ce, noecn, tos N, ttl N, flowlabel N, badcsum or a quoted packet, "
                 "1:2(1)");
    EXPECT_WRONG("0 < [tos 256] . 1:1(0)", 1, 10, "`256`", "a traffic class, 0 to 255");
    EXPECT_WRONG("0 < [ttl x] . 1:1(0)", 1, 10, "`x`", "a hop limit, 0 to 255");
    EXPECT_WRONG("0 < (flowlabel 0x100000) . 1:1(0)", 1, 16, "`0x100000`",
                 "a flow label, 0 to 0xfffff");
    EXPECT_WRONG("0 < [ect0 . 1:1(0)", 1, 11, "`.`", "`]`");
    EXPECT_WRONG("0 > [badcsum] . 1:1(0)", 1, 6, "`badcsum`",
                 "ect0, ect1, ce, noecn, tos N, ttl N, flowlabel N, badcsum or a quoted packet, "
                 "1:2(1)");
    EXPECT_WRONG("0 < 5000 8080 S 0:0(0)", 1, 10, "`8080`", "`>`");
    EXPECT_WRONG("0 < 5000 > x S 0:0(0)", 1, 12, "`x`", "a port, or an address and a port");
    EXPECT_WRONG("0 < 300.0.2.1:1 > 2 S 0:0(0)", 1, 5, "`300.0.2.1`", "an IPv4 or IPv6 address");
    EXPECT_WRONG("0 < [2001::x::1]:1 > 2 S 0:0(0)", 1, 6, "`2001::x::1`",
                 "an IPv4 or IPv6 address");
}

TEST("mistakes in datagrams and ICMP messages are shown where they are")
{
    EXPECT_WRONG("0 < udp 1000", 1, 13, "the end", "`>`");
    EXPECT_WRONG("0 < udp (x)", 1, 10, "`x`", "a number of bytes");
    EXPECT_WRONG("0 < udp (65535)", 1, 10, "`65535`", "a number of bytes");
    EXPECT_WRONG("0 < udplite (10)", 1, 16, "`)`", "`,`");
    EXPECT_WRONG("0 < udplite (10, x)", 1, 18, "`x`", "bytes that the checksum covers");
    EXPECT_WRONG("0 < icmp unreachble port_unreachable", 1, 10, "`unreachble`",
                 "a type of ICMP, such as unreachable");
    EXPECT_STR(wrong.at.hint, "unreachable");
    EXPECT_WRONG("0 < icmp unreachable port_unreachabl", 1, 22, "`port_unreachabl`",
                 "a code of that type, such as port_unreachable");
    EXPECT_STR(wrong.at.hint, "port_unreachable");
    EXPECT_WRONG("0 < icmp unreachable", 1, 21, "the end", "a code, such as port_unreachable");
    EXPECT_WRONG("0 < icmp )", 1, 10, "`)`", "a type of ICMP, such as unreachable");
    EXPECT_WRONG("0 < icmpv6 source_quench", 1, 12, "`source_quench`",
                 "a message that ICMPv6 has");
    EXPECT_WRONG("0 < icmp unreachable frag_needed mtu x", 1, 38, "`x`", "an MTU");
    EXPECT_WRONG("0 < icmp 300 1", 1, 10, "`300`", "a type of ICMP, 0 to 255");
    EXPECT_WRONG("0 < icmp 3 x", 1, 12, "`x`", "a code of ICMP, 0 to 255");
    EXPECT_WRONG("0 < [1:2(1)] udx (1)", 1, 14, "`udx`",
                 "icmp or icmpv6, whose message quotes a packet");
}
