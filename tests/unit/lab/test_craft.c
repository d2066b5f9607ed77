#include "test.h"

#include "lab/craft.h"
#include "lens/dissect.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/fault.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/igmp.h"
#include "wire/ip6.h"
#include "wire/mld.h"
#include "wire/ndp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#include "base/csum.h"

static uint8_t room[CRAFT_FRAME_MAX];
static struct syntax_error wrong;

static struct span make(const char *line)
{
    struct wr w = wr_of(room, sizeof room);
    if (!craft(span_str(line), &w, &wrong)) {
        char text[256];
        struct txt t = txt_of(text, sizeof text);
        syntax_error_print(&t, &wrong);
        fail_msg("%s: %s", line, text);
    }
    return wr_span(&w);
}

static void makes(const char *line, const char *hex)
{
    struct span s = make(line);
    char text[4 * 1024];
    struct txt t = txt_of(text, sizeof text);
    txt_hex_bytes(&t, s, ' ');
    EXPECT_STR(text, hex);
}

static void refuses(const char *line, unsigned column, const char *found, const char *expected)
{
    struct wr w = wr_of(room, sizeof room);
    EXPECT(!craft(span_str(line), &w, &wrong));
    EXPECT_STR(wrong.found, found);
    EXPECT_STR(wrong.expected, expected);
    EXPECT_EQ(wrong.column, column);
    EXPECT_EQ(wr_len(&w), 0);
}

static uint16_t sum_with_pseudo(struct span s, const char *src, const char *dst, uint8_t proto)
{
    struct oriel_addr a, b;
    EXPECT(addr_parse(span_str(src), &a));
    EXPECT(addr_parse(span_str(dst), &b));
    uint32_t sum = csum_span(&csum_portable, s);
    return csum_finish(csum_add(sum, csum_pseudo(&a, &b, proto, (uint32_t)s.n)));
}

/* ---- whole frames, byte for byte ---- */

TEST("a datagram in a frame has all its lengths, types and checksums")
{
    makes("eth dst=02:00:00:00:00:09 src=02:00:00:00:00:08 / "
          "ip src=10.0.0.1 dst=10.0.0.2 ttl=1 id=666 df / udp 1000>2000 / \"hi\"",
          "02 00 00 00 00 09 02 00 00 00 00 08 08 00 "
          "45 00 00 1e 02 9a 40 00 01 11 63 33 0a 00 00 01 0a 00 00 02 "
          "03 e8 07 d0 00 0a 77 b6 68 69");
}

TEST("an ARP request is broadcast and asks for nobody's hardware")
{
    makes("eth / arp spa=10.0.0.1 tpa=10.0.0.2",
          "ff ff ff ff ff ff 02 00 00 00 00 01 08 06 00 01 08 00 06 04 00 01 "
          "02 00 00 00 00 01 0a 00 00 01 00 00 00 00 00 00 0a 00 00 02");
}

TEST("tags choose the type before them")
{
    makes("eth / vlan id=5 pcp=3 tpid=0x88a8 / vlan id=6 dei / hex 01",
          "02 00 00 00 00 02 02 00 00 00 00 01 88 a8 60 05 81 00 10 06 88 b5 01");
}

TEST("SNAP has a length and says the type behind it")
{
    makes("eth / snap / hex 0102",
          "02 00 00 00 00 02 02 00 00 00 00 01 00 0a aa aa 03 00 00 00 88 b5 01 02");
}

TEST("an IPv6 header names what follows")
{
    makes("ip6 src=2001:db8::1 dst=2001:db8::2 tclass=1 flow=2 hlim=3 / hopopts ra / \"x\"",
          "60 10 00 02 00 09 00 03 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 "
          "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 fd 00 05 02 00 00 01 00 78");
}

TEST("nothing inside IPv6 is said with its number")
{
    struct span s = make("ip6 src=::1 dst=::2");
    EXPECT_EQ(s.n, 40);
    EXPECT_EQ(s.p[6], IP_NONE);
}

TEST("text, bytes, zeros and a filling stand one behind the other")
{
    makes("hex 01:02 0304 / \"a b\\n\\x7f\\\\\\\"\\0\" / zeros 2 / fill 3",
          "01 02 03 04 61 20 62 0a 7f 5c 22 00 00 00 00 01 02");
    EXPECT_EQ(make("fill 1400").n, 1400);
    EXPECT_EQ(make("fill 300").p[299], 299 - 256);
}

/* ---- destinations ---- */

TEST("the destination of a frame comes from what is inside")
{
    EXPECT_MEM(make("eth / ip src=10.0.0.1 dst=224.1.2.3 / igmp leave group=224.1.2.3").p,
               "\x01\x00\x5e\x01\x02\x03", 6);
    EXPECT_MEM(make("eth / ip6 src=fe80::1 dst=ff02::1:ff00:2 / icmp6 ns target=fe80::2").p,
               "\x33\x33\xff\x00\x00\x02", 6);
    EXPECT_MEM(make("eth / vlan id=1 / ip src=0.0.0.0 dst=255.255.255.255 / udp 68>67").p,
               "\xff\xff\xff\xff\xff\xff", 6);
    EXPECT_MEM(make("eth / arp op=reply spa=10.0.0.1 tpa=10.0.0.2").p,
               "\x02\x00\x00\x00\x00\x02", 6);
    EXPECT_MEM(make("eth / hex 00").p, "\x02\x00\x00\x00\x00\x02", 6);
}

TEST("a line is Ethernet when its first layer is")
{
    EXPECT(craft_is_ethernet(span_str("  eth / hex 00")));
    EXPECT(!craft_is_ethernet(span_str("ip src=10.0.0.1 dst=10.0.0.2")));
    EXPECT(!craft_is_ethernet(span_str("")));
}

/* ---- what our own parsers say about the frames ---- */

TEST("our parsers accept what is crafted without overrides")
{
    struct span s = make("eth / vlan id=9 / ip src=10.0.0.1 dst=10.0.0.2 ra / "
                         "tcp 1000>80 flags=SA seq=1 ack=2 mss=1460 wscale=7 sackok / \"data\"");
    struct rd r = rd_of(s);
    struct eth_hdr eth;
    struct ip4_hdr ip;
    struct tcp_hdr tcp;
    EXPECT(eth_parse(&r, &eth));
    EXPECT_EQ(eth.tags[0].vid, 9);
    EXPECT(ip4_parse(&r, &ip));
    EXPECT_EQ(ip.hdr_len, 24);
    struct span segment = span_of(r.p, rd_left(&r));
    EXPECT_EQ(sum_with_pseudo(segment, "10.0.0.1", "10.0.0.2", IP_TCP), 0);
    EXPECT(tcp_parse(&r, &tcp));
    EXPECT_EQ(tcp.flags, TCP_SYN | TCP_ACK);
    struct tcp_opts opts;
    struct rd o = rd_of(tcp.opts);
    EXPECT(tcp_opts_parse(&o, &opts));
    EXPECT(opts.has_mss && opts.has_wscale && opts.sack_perm);
    EXPECT_EQ(opts.mss, 1460);
}

TEST("our ARP and ICMP parsers accept what is crafted")
{
    struct rd r = rd_of(make("arp op=rarp-reply spa=10.0.0.1 tpa=10.0.0.2 tha=02:00:00:00:00:07"));
    struct arp_msg arp;
    EXPECT(arp_parse(&r, &arp));
    EXPECT_EQ(arp.op, RARP_REPLY);
    EXPECT_EQ(arp.tha.b[5], 7);

    r = rd_of(make("icmp unreachable code=frag-needed mtu=1400 / ip src=1.2.3.4 dst=5.6.7.8"));
    struct icmp4_hdr icmp;
    EXPECT(icmp4_parse(&r, &icmp));
    EXPECT_EQ(icmp.code, ICMP4_FRAG_NEEDED);
    EXPECT_EQ(icmp.mtu, 1400);
    struct ip4_hdr quoted;
    EXPECT(ip4_parse_quoted(&r, &quoted));
}

TEST("our neighbour discovery parser accepts what is crafted")
{
    struct span s = make("ip6 src=fe80::1 dst=ff02::1 / icmp6 ra hoplimit=64 M lifetime=600 "
                         "slla=02:00:00:00:00:01 mtu=1400 dns=lifetime=60,2001:db8::53 "
                         "prefix=2001:db8:1::/64,valid=100,preferred=50,L,A");
    struct rd r = rd_of(s);
    struct ip6_hdr ip;
    struct icmp6_hdr icmp;
    struct ndp_msg m;
    EXPECT(ip6_parse(&r, &ip));
    EXPECT_EQ(ip.hop_limit, 255);
    EXPECT(icmp6_parse(&r, &ip.src, &ip.dst, &icmp));
    EXPECT(ndp_parse(&r, icmp.type, &m));
    EXPECT(m.managed && !m.other && m.has_slla && m.has_mtu);
    EXPECT_EQ(m.router_lifetime_s, 600);
    EXPECT_EQ(m.mtu, 1400);
    EXPECT_EQ(m.prefixes_n, 1);
    EXPECT(m.prefixes[0].on_link && m.prefixes[0].autonomous);
    EXPECT_EQ(m.prefixes[0].valid_s, 100);
    EXPECT_EQ(m.dns_n, 1);
    EXPECT_EQ(m.dns_lifetime_s, 60);
}

TEST("our membership parsers accept what is crafted")
{
    struct rd r = rd_of(make("igmp query v3 group=224.1.2.3 s qrv=3 sources=10.0.0.1,10.0.0.2"));
    struct igmp_msg igmp;
    EXPECT(igmp_parse(&r, &igmp));
    EXPECT_EQ(igmp.version, 3);
    EXPECT_EQ(igmp.sources_n, 2);
    EXPECT(igmp.suppress);

    r = rd_of(make("igmp report-v3 rec=to-ex,224.1.2.3 rec=6,224.1.2.4,10.0.0.1"));
    EXPECT(igmp_parse(&r, &igmp));
    EXPECT_EQ(igmp.records_n, 2);

    r = rd_of(make("ip6 src=fe80::1 dst=ff02::16 / "
                   "icmp6 mld2-report rec=is-in,ff02::9,2001:db8::1"));
    struct ip6_hdr ip;
    struct icmp6_hdr icmp;
    struct mld_msg mld;
    EXPECT(ip6_parse(&r, &ip));
    EXPECT_EQ(ip.hop_limit, 1);
    EXPECT(icmp6_parse(&r, &ip.src, &ip.dst, &icmp));
    EXPECT(mld_parse(&r, icmp.type, &mld));
    EXPECT_EQ(mld.records_n, 1);
}

TEST("options of a segment leave in the order in which they stand")
{
    struct span s = make("ip src=1.1.1.1 dst=2.2.2.2 / "
                         "tcp 1>2 nop nop ts=5,6 sack=10-20,30-40 fo=01020304");
    EXPECT_MEM(s.p + 40,
               "\x01\x01\x08\x0a\x00\x00\x00\x05\x00\x00\x00\x06"
               "\x05\x12\x00\x00\x00\x0a\x00\x00\x00\x14\x00\x00\x00\x1e\x00\x00\x00\x28"
               "\x22\x06\x01\x02\x03\x04", 36);
    EXPECT_EQ(s.p[32] >> 4, 14);
}

TEST("flags of a segment are letters")
{
    EXPECT_EQ(make("ip src=1.1.1.1 dst=2.2.2.2 / tcp 1>2").p[33], TCP_ACK);
    EXPECT_EQ(make("ip src=1.1.1.1 dst=2.2.2.2 / tcp 1>2 flags=FSRPAUEC").p[33], 0xff);
    EXPECT_EQ(make("ip src=1.1.1.1 dst=2.2.2.2 / tcp 1>2 flags=.").p[33], 0);
    EXPECT_EQ(make("ip src=1.1.1.1 dst=2.2.2.2 / tcp 1>2 flags=N").p[32] & 1, 1);
}

/* ---- fragments and quotes ---- */

TEST("the parts of a datagram are its fragments")
{
    static uint8_t whole[3008];
    struct span s = make("ip src=10.0.0.1 dst=10.0.0.2 id=7 / udp 1000>2000 / fill 3000");
    EXPECT_EQ(s.n, sizeof whole + 20);
    memcpy(whole, s.p + 20, sizeof whole);

    static const char *const lines[] = {
        "ip src=10.0.0.1 dst=10.0.0.2 id=7 part=0..1400 / udp 1000>2000 / fill 3000",
        "ip src=10.0.0.1 dst=10.0.0.2 id=7 part=1400..2800 / udp 1000>2000 / fill 3000",
        "ip src=10.0.0.1 dst=10.0.0.2 id=7 part=2800.. / udp 1000>2000 / fill 3000",
    };
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct rd r = rd_of(make(lines[i]));
        struct ip4_hdr ip;
        EXPECT(ip4_parse(&r, &ip));
        EXPECT_EQ(ip.frag_off, at);
        EXPECT_EQ(ip.mf, i < 2);
        EXPECT_EQ(ip.proto, IP_UDP);
        EXPECT_MEM(r.p, whole + at, rd_left(&r));
        at += rd_left(&r);
    }
    EXPECT_EQ(at, sizeof whole);
}

TEST("the parts of an IPv6 datagram carry the checksum of the whole")
{
    struct span s = make("ip6 src=2001:db8::1 dst=2001:db8::2 / udp 1>2 / fill 2000");
    uint8_t csum[2] = {s.p[46], s.p[47]};
    s = make("ip6 src=2001:db8::1 dst=2001:db8::2 / frag id=9 part=0..1232 / udp 1>2 / fill 2000");
    EXPECT_EQ(s.n, 40 + 8 + 1232);
    EXPECT_EQ(s.p[43], 1);                      /* more follow */
    EXPECT_MEM(s.p + 54, csum, 2);
    s = make("ip6 src=2001:db8::1 dst=2001:db8::2 / frag id=9 part=1232.. / udp 1>2 / fill 2000");
    EXPECT_EQ(s.n, 40 + 8 + 2008 - 1232);
    EXPECT_EQ((s.p[42] << 8) | s.p[43], 1232);
}

TEST("an error keeps so much of the packet that it quotes")
{
    struct span s = make("ip src=1.1.1.1 dst=2.2.2.2 / icmp time-exceeded keep=28 / "
                         "ip src=3.3.3.3 dst=4.4.4.4 / udp 1>2 / fill 100");
    EXPECT_EQ(s.n, 20 + 8 + 28);
    EXPECT_EQ((s.p[30] << 8) | s.p[31], 20 + 8 + 100);      /* the quoted length is the old one */
    struct rd r = rd_of(span_of(s.p + 20, s.n - 20));
    struct icmp4_hdr h;
    EXPECT(icmp4_parse(&r, &h));
}

TEST("a redirect carries the packet behind it in an option")
{
    struct span s = make("ip6 src=fe80::1 dst=fe80::9 / "
                         "icmp6 redirect target=fe80::3 dest=2001:db8::7 quote keep=46 / "
                         "ip6 src=fe80::9 dst=2001:db8::7 / udp 1>2 / fill 100");
    struct rd r = rd_of(s);
    struct ip6_hdr ip;
    struct icmp6_hdr icmp;
    struct ndp_msg m;
    EXPECT(ip6_parse(&r, &ip));
    EXPECT(icmp6_parse(&r, &ip.src, &ip.dst, &icmp));
    EXPECT(ndp_parse(&r, icmp.type, &m));
    EXPECT_EQ(m.redirected.n, 48);              /* padded to units of eight */
}

TEST("a tunnel's checksums are over its own addresses")
{
    struct span s = make("ip src=10.0.0.1 dst=10.0.0.2 / udp 5000>4789 / vxlan vni=42 / eth / "
                         "ip src=192.168.0.1 dst=192.168.0.2 / udp 1>2 / \"x\"");
    EXPECT_EQ(sum_with_pseudo(span_of(s.p + 20, s.n - 20), "10.0.0.1", "10.0.0.2", IP_UDP), 0);
    size_t inner = 20 + 8 + 8 + 14 + 20;
    EXPECT_EQ(sum_with_pseudo(span_of(s.p + inner, s.n - inner), "192.168.0.1", "192.168.0.2",
                              IP_UDP), 0);
}

/* ---- wrong on purpose ---- */

TEST("an explicit field wins over the computed one")
{
    struct span s = make("ip src=10.0.0.1 dst=10.0.0.2 version=5 ihl=4 len=3 csum=0x1234 "
                         "proto=99 / udp 1>2 len=4 csum=0xabcd / \"x\"");
    EXPECT_EQ(s.p[0], 0x54);
    EXPECT_MEM(s.p + 2, "\x00\x03", 2);
    EXPECT_EQ(s.p[9], 99);
    EXPECT_MEM(s.p + 10, "\x12\x34", 2);
    EXPECT_MEM(s.p + 24, "\x00\x04\xab\xcd", 4);
}

TEST("a bad checksum is wrong, and not zero")
{
    struct rd r = rd_of(make("ip src=10.0.0.1 dst=10.0.0.2 badcsum / udp 1>2"));
    struct ip4_hdr ip;
    EXPECT(!ip4_parse(&r, &ip));
    EXPECT_EQ(r.bad, FAULT_CSUM);
    struct span s = make("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2 badcsum / \"x\"");
    EXPECT(sum_with_pseudo(span_of(s.p + 20, s.n - 20), "10.0.0.1", "10.0.0.2", IP_UDP) != 0);
    EXPECT(s.p[26] != 0 || s.p[27] != 0);
    r = rd_of(make("icmp echo badcsum"));
    struct icmp4_hdr h;
    EXPECT(!icmp4_parse(&r, &h));
}

TEST("a computed UDP checksum of zero is sent as all ones")
{
    struct span s = make("ip src=10.0.0.1 dst=10.0.0.2 / udp 0>0 / hex 0000");
    uint16_t csum = (uint16_t)(s.p[26] << 8 | s.p[27]);
    char line[96];
    struct txt t = txt_of(line, sizeof line);
    txt_s(&t, "ip src=10.0.0.1 dst=10.0.0.2 / udp 0>0 / hex ");
    txt_hex(&t, csum, 4);                       /* makes the sum all ones */
    s = make(line);
    EXPECT_MEM(s.p + 26, "\xff\xff", 2);
}

/* ---- modifiers ---- */

TEST("modifiers work on the finished bytes, one after another")
{
    makes("hex 01 02 03 04 ; cut 3 ; pad 5 ; patch 0=ff 3=aabb", "ff 02 03 aa bb");
    makes("hex 01 02; pad 1; cut 9", "01 02");
    makes("hex 31 32 33 34 35 36 37 38 39 ; fcs", "31 32 33 34 35 36 37 38 39 26 39 f4 cb");
    makes("hex 31 32 33 34 35 36 37 38 39 ; badfcs", "31 32 33 34 35 36 37 38 39 27 39 f4 cb");
}

TEST("signs inside a text separate nothing")
{
    makes("\"a / b ; c\" ; cut 5", "61 20 2f 20 62");
    makes("\"\\\" / x\"", "22 20 2f 20 78");
}

TEST("a frame is appended to what is there")
{
    struct wr w = wr_of(room, sizeof room);
    wr_u16(&w, 0xbeef);
    EXPECT(craft(span_str("hex 01 ; patch 0=02 ; pad 2"), &w, NULL));
    EXPECT_EQ(wr_len(&w), 4);
    EXPECT_MEM(room, "\xbe\xef\x02\x00", 4);
}

/* ---- what is refused ---- */

TEST("an unknown layer is refused, and the nearest one is suggested")
{
    refuses("eth / ipp src=1.1.1.1", 7, "`ipp`",
            "a layer: eth vlan arp ip ip6 icmp icmp6 udp tcp \"text\" hex ...");
    EXPECT_STR(wrong.hint, "ip");
}

TEST("a word that the layer does not know is refused with those that it does")
{
    refuses("udp 1>2 color=red", 9, "`color=red`", "1000>2000 src= dst= len= csum= badcsum");
    refuses("vlan id=1 id=2", 11, "`id=2`", "id= pcp= dei tpid= type=");
    refuses("eth / arp spa=10.0.0.1 tpa=10.0.0.2 df", 37, "`df`",
            "op= sha= spa= tha= tpa= hwtype= proto= hlen= plen=");
}

TEST("values are refused where they stand")
{
    refuses("ip src=10.0.0.1 dst=fe80::1", 21, "`fe80::1`", "an IPv4 address");
    refuses("ip src=10.0.0.1 dst=10.0.0.2 ttl=256", 34, "`256`", "a number from 0 to 255");
    refuses("ip src=10.0.0.1 dst=10.0.0.2 off=5", 34, "`5`", "a multiple of 8");
    refuses("eth dst=1.2.3.4 / hex 00", 9, "`1.2.3.4`", "a MAC address like 02:00:00:00:00:01");
    refuses("hex 01 0x", 8, "`0x`", "pairs of hexadecimal digits");
    refuses("tcp 1>2 flags=SX", 15, "`SX`", "letters of F S R P A U E C N, or a dot");
    refuses("udp 1>70000", 7, "`70000`", "a number from 0 to 65535");
    refuses("icmp unreachable code=prot", 23, "`prot`",
            "net host proto port frag-needed src-route admin ttl reasm or a number");
}

TEST("what is missing is said")
{
    refuses("", 1, "the end", "a layer");
    refuses("eth / ", 7, "the end", "a layer");
    refuses("ip src=10.0.0.1", 16, "the end", "dst= in this layer");
    refuses("udp len=8", 10, "the end", "ports like 1000>2000");
    refuses("zeros", 6, "the end", "a number of bytes");
    refuses("\"abc", 5, "the end", "a quotation mark");
    refuses("hex 00 ;", 9, "the end", "patch cut pad fcs or badfcs");
    refuses("hex 00 ; shake 3", 10, "`shake`", "patch cut pad fcs or badfcs");
    refuses("hex 00 ; patch 1=0000", 18, "`0000`", "fewer bytes here");
    refuses("icmp id=1", 6, "`id=1`",
            "a message like echo, echo-reply, unreachable, redirect, ... or type=");
}

TEST("a frame that does not fit is refused and leaves nothing behind")
{
    uint8_t small[8];
    struct wr w = wr_of(small, sizeof small);
    EXPECT(!craft(span_str("fill 9"), &w, &wrong));
    EXPECT_STR(wrong.expected, "a shorter frame");
    EXPECT_EQ(wr_len(&w), 0);
    EXPECT(!w.bad);
    EXPECT(craft(span_str("fill 8"), &w, &wrong));
}

TEST("layers and words have limits")
{
    char line[4096];
    struct txt t = txt_of(line, sizeof line);
    txt_s(&t, "zeros 1");
    for (unsigned i = 0; i < CRAFT_LAYERS_MAX - 1; i++)
        txt_s(&t, " / zeros 1");
    EXPECT_EQ(make(line).n, CRAFT_LAYERS_MAX);
    txt_s(&t, " / zeros 1");
    struct wr w = wr_of(room, sizeof room);
    EXPECT(!craft(span_str(line), &w, &wrong));
    EXPECT_STR(wrong.expected, "fewer layers");

    t = txt_of(line, sizeof line);
    txt_s(&t, "ip6 src=::1 dst=::2 / hopopts");
    for (unsigned i = 0; i <= CRAFT_WORDS_MAX; i++)
        txt_s(&t, " pad1");
    EXPECT(!craft(span_str(line), &w, &wrong));
    EXPECT_STR(wrong.expected, "fewer words in this layer");
}

/* ---- numbers that count from the start of a connection ---- */

static const char *talk_numbers(const char *line, const struct conversations *talks)
{
    static char text[200];
    uint8_t bytes[256];
    struct wr w = wr_of(bytes, sizeof(bytes));
    struct syntax_error err;
    if (!craft_talk(span_str(line), talks, &w, &err)) {
        snprintf(text, sizeof(text), "%s", err.expected);
        return text;
    }
    struct lens_frame f = {.link = LENS_RAW, .bytes = wr_span(&w)};
    static struct dissection d;
    dissect(&f, &d);
    const struct field *sack = dissection_first(&d, F_TCP_OPTIONS_SACK_LE);
    snprintf(text, sizeof(text), "%lu %lu %lu",
             (unsigned long)dissection_first(&d, F_TCP_SEQ_RAW)->value.u,
             (unsigned long)dissection_first(&d, F_TCP_ACK_RAW)->value.u,
             sack ? (unsigned long)sack->value.u : 0);
    return text;
}

TEST("numbers with @ count from the SYNs that were seen, of either direction")
{
    static struct conversations talks;
    struct tcp_sighting s = {.src = {.port = 1000}, .dst = {.port = 80}, .seq = 5000, .flags = 2};
    EXPECT(addr_parse(span_str("10.0.0.1"), &s.src.addr));
    EXPECT(addr_parse(span_str("10.0.0.2"), &s.dst.addr));
    conversations_init(&talks);
    (void)conversation_see(&talks, &s);
#define BACK "ip src=10.0.0.2 dst=10.0.0.1 / tcp 80>1000 "
    EXPECT_STR(talk_numbers(BACK "seq=4294967290 ack=@1", &talks), "4294967290 5001 0");
    EXPECT_STR(talk_numbers(BACK "seq=@1", &talks),
               "a number of its own: no SYN of that direction was seen here");
    s.seq = 4294967290;
    s.ack = 5001;
    s.flags = 0x12;
    struct oriel_endpoint e = s.src;
    s.src = s.dst;
    s.dst = e;
    (void)conversation_see(&talks, &s);
    EXPECT_STR(talk_numbers(BACK "seq=@10 ack=@1461+100 sack=@3001-@4001", &talks),
               "4 6561 8001");
    EXPECT_STR(talk_numbers("ip src=10.0.0.1 dst=10.0.0.2 / tcp 1000>80 seq=@1 ack=@1", &talks),
               "5001 4294967291 0");
    EXPECT_STR(talk_numbers("ip src=10.0.0.1 dst=10.0.0.2 / tcp 1001>80 seq=@1", &talks),
               "a number of its own: no SYN of that direction was seen here");
}

TEST("without a table numbers with @ count from 0, so that a line can be tried")
{
    EXPECT_STR(talk_numbers(BACK "seq=@1 ack=@7+3 sack=@1-@2", NULL), "1 10 1");
    EXPECT_STR(talk_numbers(BACK "seq=@", NULL), "a number, such as 1000 or @1");
}
