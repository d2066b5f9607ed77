#include "fx_dissect.h"

#include "base/clock.h"

/* ---- the frame ---- */

TEST("a frame has its number, its times, its lengths and its interface")
{
    struct lens_frame f = fx_frame("eth / ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2 / \"hello\"");
    f.number = 7;
    f.time = 12 * NS_PER_S + 41 * NS_PER_MS;
    f.time_first = 12 * NS_PER_S;
    f.time_before = 12 * NS_PER_S + 40 * NS_PER_MS;
    f.if_name = span_str("client");
    dissect(&f, &fx_seen);
    EXPECT_STR(fx_values("frame.number"), "7");
    EXPECT_STR(fx_values("frame.time_epoch"), "12.041000000");
    EXPECT_STR(fx_values("frame.time_relative"), "0.041000000");
    EXPECT_STR(fx_values("frame.time_delta"), "0.001000000");
    EXPECT_STR(fx_values("frame.len"), "47");
    EXPECT_STR(fx_values("frame.interface_name"), "client");
    EXPECT_STR(fx_values("frame.protocols"), "eth:ethertype:ip:udp:data");
    EXPECT_EQ(fx_seen.len, 47);
}

TEST("a time before the first one counts as none")
{
    struct lens_frame f = fx_frame("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2");
    f.time = 5;
    f.time_first = 6;
    dissect(&f, &fx_seen);
    EXPECT_STR(fx_values("frame.time_relative"), "0.000000000");
}

TEST("why, drop and event come from the caller")
{
    struct lens_frame f = fx_frame("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2");
    f.why = span_str("UDP_DATA");
    f.drop = span_str("UDP_BAD_CSUM");
    f.ev = 1234;
    dissect(&f, &fx_seen);
    EXPECT_STR(fx_values("why"), "UDP_DATA");
    EXPECT_STR(fx_values("why.cause"), "UDP_DATA");
    EXPECT_STR(fx_values("why.ev"), "1234");
    EXPECT_STR(fx_values("drop"), "UDP_BAD_CSUM");
}

TEST("why, drop and event are found in the comments of a capture")
{
    struct lens_frame f = fx_frame("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2");
    f.comments_n = 2;
    f.comments[0] = span_str("The application sent a datagram: nowhy=no.");
    f.comments[1] = span_str("ev=98 why=UDP_DATA\ndrop=ARP_TIMEOUT");
    dissect(&f, &fx_seen);
    EXPECT_STR(fx_values("why"), "UDP_DATA");
    EXPECT_STR(fx_values("why.ev"), "98");
    EXPECT_STR(fx_values("drop"), "ARP_TIMEOUT");
    EXPECT_STR(fx_values("frame.comment"),
               "The application sent a datagram: nowhy=no. ev=98 why=UDP_DATA\ndrop=ARP_TIMEOUT");
}

TEST("an ordinary frame has no reasons")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2");
    EXPECT(!fx_has("why"));
    EXPECT(!fx_has("drop"));
    EXPECT(!fx_has("why.ev"));
}

TEST("an empty frame is a malformed one")
{
    struct lens_frame f = {.link = LENS_ETHERNET};
    dissect(&f, &fx_seen);
    EXPECT(fx_has("_ws.malformed"));
    EXPECT_STR(fx_seen.info, "[Malformed: eth: too short]");
}

TEST("a link type that is not known shows as data")
{
    struct lens_frame f = {.link = 147, .bytes = span_str("abc")};
    dissect(&f, &fx_seen);
    EXPECT_STR(fx_values("data.data"), "616263");
}

/* ---- links ---- */

TEST("a tagged frame has its tag and what is inside")
{
    fx_see("eth / vlan id=5 pcp=3 dei / ip src=10.0.0.1 dst=10.0.0.2 / udp 1000>2000 / \"x\"");
    EXPECT_STR(fx_values("vlan.id"), "5");
    EXPECT_STR(fx_values("vlan.priority"), "3");
    EXPECT_STR(fx_values("vlan.dei"), "1");
    EXPECT_STR(fx_values("eth.type"), "0x8100");
    EXPECT_STR(fx_values("vlan.etype"), "0x0800");
    EXPECT_STR(fx_seen.proto, "UDP");
}

TEST("a group address and a local one show in the bits of an Ethernet address")
{
    fx_see("eth dst=ff:ff:ff:ff:ff:ff src=00:11:22:33:44:55 / arp spa=10.0.0.1 tpa=10.0.0.2");
    EXPECT_STR(fx_values("eth.addr"), "ff:ff:ff:ff:ff:ff 00:11:22:33:44:55");
    EXPECT_STR(fx_values("eth.ig"), "1 0");
    EXPECT_STR(fx_values("eth.lg"), "1 0");
}

TEST("padding, trailer and frame check sequence are told apart")
{
    fx_see("eth / arp spa=10.0.0.1 tpa=10.0.0.2 ; pad 60 ; fcs");
    EXPECT_STR(fx_values("eth.padding"), "000000000000000000000000000000000000");
    EXPECT_STR(fx_values("eth.fcs.status"), "1");
    EXPECT(!fx_has("eth.trailer"));

    fx_see("eth / arp spa=10.0.0.1 tpa=10.0.0.2 ; pad 60 ; badfcs");
    EXPECT_STR(fx_values("eth.fcs.status"), "0");
    EXPECT(strstr(fx_seen.info, "[ETHERNET FRAME CHECK SEQUENCE INCORRECT]") != NULL);
}

TEST("SNAP carries what a type carries")
{
    fx_see("eth / snap / ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2 / \"abc\"");
    EXPECT_STR(fx_values("eth.len"), "39");
    EXPECT_STR(fx_values("llc.type"), "0x0800");
    EXPECT_STR(fx_values("data.data"), "616263");
}

TEST("the loopback link has its family in either byte order")
{
    static const uint8_t little[] = {2, 0, 0, 0};
    static const uint8_t big[] = {0, 0, 0, 2};
    static const uint8_t *const both[] = {little, big};
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        uint8_t bytes[64];
        struct span ip = fx_craft("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2");
        memcpy(bytes, both[i], 4);
        memcpy(bytes + 4, ip.p, ip.n);
        struct lens_frame f = {.link = LENS_NULL, .bytes = span_of(bytes, ip.n + 4)};
        dissect(&f, &fx_seen);
        EXPECT_STR(fx_values("null.family"), "2");
        EXPECT_STR(fx_values("ip.src"), "10.0.0.1");
    }
}

TEST("ARP says who asks whom, and what a question about oneself means")
{
    fx_see("eth / arp spa=10.0.0.1 tpa=10.0.0.2");
    EXPECT_STR(fx_seen.info, "Who has 10.0.0.2? Tell 10.0.0.1");
    EXPECT_STR(fx_values("arp.opcode"), "1");
    EXPECT_STR(fx_values("arp.src.hw_mac"), "02:00:00:00:00:01");
    EXPECT_STR(fx_values("arp.dst.proto_ipv4"), "10.0.0.2");

    fx_see("eth / arp spa=0.0.0.0 tpa=10.0.0.9");
    EXPECT_STR(fx_seen.info, "Who has 10.0.0.9? (ARP Probe)");
    EXPECT_STR(fx_values("arp.isprobe"), "1");

    fx_see("eth / arp spa=10.0.0.9 tpa=10.0.0.9");
    EXPECT_STR(fx_seen.info, "ARP Announcement for 10.0.0.9");
    EXPECT_STR(fx_values("arp.isannouncement"), "1");
    EXPECT_STR(fx_values("arp.isgratuitous"), "1");
}

TEST("ARP of other hardware is malformed behind its operation")
{
    fx_see("eth / arp hwtype=6 spa=10.0.0.1 tpa=10.0.0.2");
    EXPECT_STR(fx_values("arp.hw.type"), "6");
    EXPECT(!fx_has("arp.src.hw_mac"));
    EXPECT_STR(fx_seen.info, "[Malformed: arp: type]");
}

/* ---- IPv4 ---- */

TEST("every field of an IPv4 header has its value")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 tos=0xb9 id=666 df ttl=9 / udp 1000>2000 / \"hello\"");
    EXPECT_STR(fx_values("ip.version"), "4");
    EXPECT_STR(fx_values("ip.hdr_len"), "20");
    EXPECT_STR(fx_values("ip.dsfield"), "0xb9");
    EXPECT_STR(fx_values("ip.dsfield.dscp"), "46");
    EXPECT_STR(fx_values("ip.dsfield.ecn"), "1");
    EXPECT_STR(fx_values("ip.len"), "33");
    EXPECT_STR(fx_values("ip.id"), "0x029a");
    EXPECT_STR(fx_values("ip.flags.df"), "1");
    EXPECT_STR(fx_values("ip.flags.mf"), "0");
    EXPECT_STR(fx_values("ip.ttl"), "9");
    EXPECT_STR(fx_values("ip.proto"), "17");
    EXPECT_STR(fx_values("ip.checksum.status"), "1");
    EXPECT_STR(fx_values("ip.addr"), "10.0.0.1 10.0.0.2");
    EXPECT_STR(fx_seen.src, "10.0.0.1");
    EXPECT_STR(fx_seen.dst, "10.0.0.2");
}

TEST("fields know where in the frame they stand")
{
    fx_see("eth / ip src=10.0.0.1 dst=10.0.0.2 / udp 1000>2000 / \"hello\"");
    const struct field *dst = dissection_first(&fx_seen, F_IP_DST);
    EXPECT_EQ(dst->off, 30);
    EXPECT_EQ(dst->len, 4);
    const struct field *udp = dissection_first(&fx_seen, F_UDP);
    EXPECT_EQ(udp->off, 34);
    EXPECT_EQ(udp->len, 8);
    EXPECT_EQ(udp->value.bytes.n, 13);      /* with what it carries */
}

TEST("a wrong header checksum is shown and nothing stops")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 badcsum / udp 1000>2000 / \"hello\"");
    EXPECT_STR(fx_values("ip.checksum.status"), "0");
    EXPECT_STR(fx_values("udp.checksum.status"), "1");
    EXPECT(!fx_has("_ws.malformed"));
}

TEST("the first fragment is dissected without its checksum, the others are data")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 id=0x29a part=0..1400 / udp 1000>2000 / fill 3000");
    EXPECT_STR(fx_values("udp.length"), "3008");
    EXPECT_STR(fx_values("udp.checksum.status"), "2");
    EXPECT(!fx_has("_ws.malformed"));

    fx_see("ip src=10.0.0.1 dst=10.0.0.2 id=0x29a part=1400..2800 / udp 1000>2000 / fill 3000");
    EXPECT_STR(fx_seen.proto, "IPv4");
    EXPECT_STR(fx_seen.info, "Fragmented IP protocol (proto=UDP 17, off=1400, ID=029a)");
    EXPECT_STR(fx_values("ip.frag_offset"), "175");
    EXPECT_STR(fx_values("data.len"), "1400");
    EXPECT(!fx_has("udp"));
}

TEST("options of IPv4 are read")
{
    fx_see("ip src=10.0.0.1 dst=224.0.0.22 ra opt=07070400000000 / igmp leave group=224.1.2.3");
    EXPECT_STR(fx_values("ip.opt.type"), "148 7 0");
    EXPECT_STR(fx_values("ip.opt.ra"), "0");
    EXPECT_STR(fx_values("ip.empty_rt"), "0.0.0.0");
}

TEST("a header length below five words is malformed, and the layers below are there")
{
    fx_see("eth / ip src=10.0.0.1 dst=10.0.0.2 ihl=4 / udp 1000>2000");
    EXPECT(fx_has("eth"));
    EXPECT_STR(fx_values("ip.hdr_len"), "16");
    EXPECT_STR(fx_seen.info, "[Malformed: ip: header length]");
    EXPECT(!fx_has("udp"));
}

TEST("a total length beyond the frame is malformed; beyond what was captured it is short")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 len=200 / udp 1000>2000 / \"hello\"");
    EXPECT(fx_has("_ws.malformed"));

    struct lens_frame f = fx_frame("ip src=10.0.0.1 dst=10.0.0.2 len=200 / udp 1>2 len=180");
    f.wire_len = 200;
    dissect(&f, &fx_seen);
    EXPECT(!fx_has("_ws.malformed"));
    EXPECT(fx_has("_ws.short"));
    EXPECT_STR(fx_values("udp.checksum.status"), "2");
    EXPECT_EQ(fx_seen.len, 200);
}

TEST("an option that passes the end is malformed, the payload still shows")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 opt=07080000 / udp 1000>2000");
    EXPECT(fx_has("_ws.malformed"));
    EXPECT(fx_has("udp"));
}

/* ---- IPv6 ---- */

TEST("every field of an IPv6 header has its value")
{
    fx_see("ip6 src=2001:db8::1 dst=2001:db8::2 tclass=0xb8 flow=0x12345 hlim=7 / udp 1000>2000");
    EXPECT_STR(fx_values("ipv6.version"), "6");
    EXPECT_STR(fx_values("ipv6.tclass"), "0x000000b8");
    EXPECT_STR(fx_values("ipv6.flow"), "0x012345");
    EXPECT_STR(fx_values("ipv6.plen"), "8");
    EXPECT_STR(fx_values("ipv6.nxt"), "17");
    EXPECT_STR(fx_values("ipv6.hlim"), "7");
    EXPECT_STR(fx_values("ipv6.addr"), "2001:db8::1 2001:db8::2");
}

TEST("extension headers and their options stand in the order of the packet")
{
    fx_see("ip6 src=fe80::1 dst=ff02::16 / hopopts ra / dstopts padn=6 / "
           "icmp6 mld2-report rec=to-ex,ff02::1:3");
    EXPECT_STR(fx_values("frame.protocols"), "raw:ipv6:ipv6.hopopts:ipv6.dstopts:icmpv6");
    EXPECT_STR(fx_values("ipv6.opt.type"), "0x05 0x01 0x01");
    EXPECT_STR(fx_values("ipv6.opt.router_alert"), "0");
    EXPECT_STR(fx_values("icmpv6.checksum.status"), "1");
}

TEST("a later fragment of IPv6 says where it belongs")
{
    fx_see("ip6 src=2001:db8::1 dst=2001:db8::2 / frag id=0xabcd part=1232.. / "
           "udp 1000>2000 / fill 2000");
    EXPECT_STR(fx_seen.info, "IPv6 fragment (off=1232 more=n ident=0x0000abcd nxt=17)");
    EXPECT_STR(fx_values("ipv6.fraghdr.offset"), "154");
}

TEST("a mapped address stays an IPv6 address")
{
    fx_see("ip6 src=::ffff:10.0.0.1 dst=2001:db8::2 / udp 1000>2000");
    EXPECT_STR(fx_values("ipv6.src"), "::ffff:10.0.0.1");
    EXPECT_STR(fx_seen.src, "::ffff:10.0.0.1");
}

/* ---- control messages ---- */

TEST("an error shows the fields of the packet that it quotes, and its own columns")
{
    fx_see("ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=port keep=28 / "
           "ip src=10.0.0.1 dst=10.0.0.9 ttl=3 / udp 1000>33434 / fill 100");
    EXPECT_STR(fx_seen.info, "Destination unreachable (Port unreachable)");
    EXPECT_STR(fx_seen.proto, "ICMP");
    EXPECT_STR(fx_seen.src, "10.0.0.2");
    EXPECT_STR(fx_values("ip.dst"), "10.0.0.1 10.0.0.9");
    EXPECT_STR(fx_values("udp.dstport"), "33434");
    EXPECT_STR(fx_values("udp.checksum.status"), "2");
    EXPECT_STR(fx_values("icmp.checksum.status"), "1");
    EXPECT(!fx_has("_ws.malformed"));
}

TEST("an echo has its identifier and sequence number both ways round")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 ttl=64 / icmp echo id=0x1234 seq=1 / fill 56");
    EXPECT_STR(fx_seen.info, "Echo (ping) request  id=0x1234, seq=1/256, ttl=64");
    EXPECT_STR(fx_values("icmp.ident"), "4660");
    EXPECT_STR(fx_values("icmp.seq_le"), "256");
    EXPECT_STR(fx_values("data.len"), "56");
}

TEST("a too big message says the next MTU")
{
    fx_see("ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 toobig mtu=1400 / "
           "ip6 src=2001:db8::1 dst=2001:db8::2 len=1460 / udp 1000>2000 len=1460");
    EXPECT_STR(fx_values("icmpv6.mtu"), "1400");
    EXPECT_STR(fx_seen.info, "Packet Too Big");
}

TEST("a router advertisement has its flags, lifetimes and options")
{
    fx_see("ip6 src=fe80::1 dst=ff02::1 / icmp6 ra hoplimit=64 M lifetime=1800 "
           "slla=02:00:00:00:00:01 mtu=1400 "
           "prefix=2001:db8:1::/64,valid=86400,preferred=3600,L,A dns=2001:db8::53");
    EXPECT_STR(fx_values("icmpv6.nd.ra.flag.m"), "1");
    EXPECT_STR(fx_values("icmpv6.nd.ra.flag.o"), "0");
    EXPECT_STR(fx_values("icmpv6.nd.ra.router_lifetime"), "1800");
    EXPECT_STR(fx_values("icmpv6.opt.type"), "1 5 3 25");
    EXPECT_STR(fx_values("icmpv6.opt.prefix"), "2001:db8:1::");
    EXPECT_STR(fx_values("icmpv6.opt.prefix.flag.a"), "1");
    EXPECT_STR(fx_values("icmpv6.opt.rdnss"), "2001:db8::53");
    EXPECT_STR(fx_seen.info, "Router Advertisement from 02:00:00:00:00:01");
}

TEST("an option of length zero in neighbour discovery is malformed")
{
    fx_see("ip6 src=fe80::1 dst=ff02::1 / icmp6 ns target=fe80::2 opt=0100000000000000");
    EXPECT_STR(fx_values("icmpv6.nd.ns.target_address"), "fe80::2");
    EXPECT_STR(fx_seen.info,
               "Neighbor Solicitation for fe80::2 [Malformed: icmpv6: option length]");
}

TEST("a membership report lists its groups and sources")
{
    fx_see("ip src=10.0.0.1 dst=224.0.0.22 ra / "
           "igmp report-v3 rec=to-ex,224.1.2.3 rec=allow,224.1.2.4,10.0.0.1,10.0.0.2");
    EXPECT_STR(fx_values("igmp.maddr"), "224.1.2.3 224.1.2.4");
    EXPECT_STR(fx_values("igmp.saddr"), "10.0.0.1 10.0.0.2");
    EXPECT_STR(fx_values("igmp.record_type"), "4 5");
    EXPECT_STR(fx_seen.info, "Membership Report / Join group 224.1.2.3 for any sources / "
                             "Group 224.1.2.4, new sources {10.0.0.1, 10.0.0.2}");
}

TEST("a report that counts more records than it has is malformed")
{
    fx_see("ip src=10.0.0.1 dst=224.0.0.22 / igmp report-v3 rec=to-ex,224.1.2.3 ; patch 26=0009");
    EXPECT_STR(fx_values("igmp.num_grp_recs"), "9");
    EXPECT(fx_has("_ws.malformed"));
}

/* ---- transport and applications ---- */

TEST("checksums of UDP are good, bad, absent or illegal")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2 / \"x\"");
    EXPECT_STR(fx_values("udp.checksum.status"), "1");
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2 badcsum / \"x\"");
    EXPECT_STR(fx_values("udp.checksum.status"), "0");
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2 csum=0 / \"x\"");
    EXPECT_STR(fx_values("udp.checksum.status"), "3");
    fx_see("ip6 src=::1 dst=::2 / udp 1>2 csum=0 / \"x\"");
    EXPECT_STR(fx_values("udp.checksum.status"), "4");
}

TEST("a UDP length below its header is malformed")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / udp 1>2 len=7 / \"x\"");
    EXPECT(fx_has("_ws.malformed"));
    EXPECT_STR(fx_values("udp.length"), "7");
    EXPECT(!fx_has("udp.payload"));
}

TEST("a TCP segment has its flags, numbers and options")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / "
           "tcp 1000>80 flags=S seq=4294967295 win=64240 mss=1460 sackok ts=1,0 nop wscale=7");
    EXPECT_STR(fx_values("tcp.flags"), "0x0002");
    EXPECT_STR(fx_values("tcp.flags.syn"), "1");
    EXPECT_STR(fx_values("tcp.flags.ack"), "0");
    EXPECT_STR(fx_values("tcp.seq_raw"), "4294967295");
    EXPECT_STR(fx_values("tcp.option_kind"), "2 4 8 1 3");
    EXPECT_STR(fx_values("tcp.options.mss_val"), "1460");
    EXPECT_STR(fx_values("tcp.options.wscale.multiplier"), "128");
    EXPECT_STR(fx_values("tcp.checksum.status"), "1");
    EXPECT_STR(fx_seen.info, "1000 \xe2\x86\x92 80 [SYN] Seq=4294967295 Win=64240 Len=0 MSS=1460 "
                             "SACK_PERM TSval=1 TSecr=0 WS=128");
}

TEST("a data offset beyond the segment is malformed")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / tcp 1000>80 off=15");
    EXPECT_STR(fx_values("tcp.hdr_len"), "60");
    EXPECT_STR(fx_seen.info, "[Malformed: tcp: header length]");
}

TEST("names in DNS are put together from their parts")
{
    fx_see("ip src=10.0.0.2 dst=10.0.0.1 / udp 53>1000 / "
           "dns reply id=0x1a2b q=www.example.com a=10.0.0.5 a=10.0.0.6 ttl=60");
    EXPECT_STR(fx_values("dns.qry.name"), "www.example.com");
    EXPECT_STR(fx_values("dns.resp.name"), "www.example.com www.example.com");
    EXPECT_STR(fx_values("dns.a"), "10.0.0.5 10.0.0.6");
    EXPECT_STR(fx_values("dns.resp.ttl"), "60 60");
    EXPECT_STR(fx_seen.info,
               "Standard query response 0x1a2b A www.example.com A 10.0.0.5 A 10.0.0.6");
}

TEST("a name that points at itself is malformed")
{
    fx_see("ip src=10.0.0.2 dst=10.0.0.1 / udp 53>1000 / "
           "hex 1a2b 0100 0001 0000 0000 0000 c00c 0001 0001");
    EXPECT(strstr(fx_seen.info, "[Malformed: dns: name]") != NULL);
}

TEST("a DHCP message has its addresses and options")
{
    fx_see("ip src=10.0.0.1 dst=255.255.255.255 / udp 67>68 / "
           "dhcp offer xid=0x3903f326 yiaddr=10.0.0.50 server=10.0.0.1 mask=24 lease=3600");
    EXPECT_STR(fx_values("dhcp.ip.your"), "10.0.0.50");
    EXPECT_STR(fx_values("dhcp.option.dhcp"), "2");
    EXPECT_STR(fx_values("dhcp.option.subnet_mask"), "255.255.255.0");
    EXPECT_STR(fx_values("dhcp.option.ip_address_lease_time"), "3600");
    EXPECT_STR(fx_seen.info, "DHCP Offer    - Transaction ID 0x3903f326");
}

TEST("a tunnelled frame takes over the columns")
{
    fx_see("ip src=10.0.0.1 dst=10.0.0.2 / udp 5000>4789 / vxlan vni=42 / eth / "
           "ip src=192.168.0.1 dst=192.168.0.2 / icmp echo id=1 seq=1");
    EXPECT_STR(fx_values("vxlan.vni"), "42");
    EXPECT_STR(fx_seen.src, "192.168.0.1");
    EXPECT_STR(fx_seen.proto, "ICMP");
    EXPECT_STR(fx_values("ip.src"), "10.0.0.1 192.168.0.1");
}

/* ---- limits ---- */

TEST("a tunnel in a tunnel in a tunnel ends")
{
    char line[1200];
    struct txt t = txt_of(line, sizeof line);
    for (unsigned i = 0; i < CRAFT_LAYERS_MAX; i++)
        txt_s(&t, i == 0 ? "ip src=1.2.3.4 dst=1.2.3.5" : " / ip src=1.2.3.4 dst=1.2.3.5");
    uint8_t bytes[CRAFT_LAYERS_MAX * 20 * 2];
    struct span once = fx_craft(line);
    memcpy(bytes, once.p, once.n);
    memcpy(bytes + once.n, once.p, once.n);     /* the second half is inside the first by length */
    for (size_t at = 0; at < sizeof bytes; at += 20) {
        bytes[at + 2] = (uint8_t)((sizeof bytes - at) >> 8);
        bytes[at + 3] = (uint8_t)(sizeof bytes - at);
        bytes[at + 9] = 4;
    }
    struct lens_frame f = {.link = LENS_RAW, .bytes = span_of(bytes, sizeof bytes)};
    dissect(&f, &fx_seen);
    EXPECT(fx_has("ip"));
    EXPECT(!fx_seen.cut);
}

TEST("fields beyond the maximum are left out, and that is said")
{
    char line[8192];
    struct txt t = txt_of(line, sizeof line);
    txt_s(&t, "ip src=10.0.0.1 dst=224.0.0.22 / igmp report-v3");
    for (unsigned i = 0; i < 100; i++)
        txt_s(&t, " rec=allow,224.1.2.3,10.0.0.1,10.0.0.2,10.0.0.3");
    fx_see(line);
    EXPECT_EQ(fx_seen.n, DISSECTION_FIELDS_MAX);
    EXPECT(fx_seen.cut);
    EXPECT_EQ(strlen(fx_seen.info), DISSECTION_INFO_MAX - 1);
}

TEST("every frame cut anywhere is dissected without a word beyond its end")
{
    static const char *const lines[] = {
        "eth / vlan id=5 / ip src=10.0.0.1 dst=10.0.0.2 ra / tcp 1>53 mss=1 / hex 001d / dns q=a.b",
        "eth / ip6 src=fe80::1 dst=ff02::1 / hopopts ra / icmp6 ra mtu=1400 prefix=2001:db8::/64",
        "eth / ip src=10.0.0.1 dst=10.0.0.2 / udp 67>68 / dhcp offer lease=1",
        "ip src=1.1.1.1 dst=2.2.2.2 / icmp redirect gateway=3.3.3.3 / ip src=1.1.1.1 dst=4.4.4.4",
    };
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        struct span all = fx_craft(lines[i]);
        for (size_t n = 0; n <= all.n; n++) {
            uint8_t *exact = malloc(n ? n : 1);     /* the address sanitizer watches its end */
            memcpy(exact, all.p, n);
            bool eth = craft_is_ethernet(span_str(lines[i]));
            struct lens_frame f = {.link = eth ? LENS_ETHERNET : LENS_RAW};
            f.bytes = span_of(exact, n);
            dissect(&f, &fx_seen);
            EXPECT(n > 0 || fx_seen.fields[0].id == F_FRAME);
            free(exact);
        }
    }
}
