#include "ip/fx_host.h"

#define PING    "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo id=1 seq=1"
#define TO_US   "eth src=02:00:00:00:00:02 dst=02:00:00:00:00:01"

static bool pong(struct fx *f)
{
    return fx_out_is(f, "icmp.type == 0 && why == \"ECHO_REPLY\"");
}

/* ---- framing ---- */

TEST("IP and ARP travel in Ethernet II frames, with no trailer, and are answered in them")
{
    COVERS("1122-2.3.1 1122-2.3.3a");
    struct fx *f = fx_host();
    fx_in(f, "arp op=request sha=02:00:00:00:00:02 spa=10.0.0.2 tpa=10.0.0.1");
    EXPECT_OUT(f, "eth.type == 0x0806 && eth.dst == 02:00:00:00:00:02 && arp.opcode == 2");
    fx_in(f, PING);
    EXPECT_OUT(f, "eth.type == 0x0800 && eth.src == 02:00:00:00:00:01 && icmp.type == 0");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 echo id=1 seq=1");
    EXPECT_OUT(f, "eth.type == 0x86dd && icmpv6.type == 129");
    fx_free(f);
}

TEST("an 802.3 frame with SNAP is taken, and its padding is not")
{
    COVERS("1122-2.3.3b");
    struct fx *f = fx_host();
    fx_in(f, TO_US " / snap / " PING " ; pad 60");
    EXPECT(pong(f));
    EXPECT_FRAME(f, "eth.type == 0x0800");      /* and is answered in Ethernet II */
    fx_in(f, TO_US " / snap / " PING " / fill 1464");
    EXPECT(pong(f));                            /* 1,500 bytes of IP, and the SNAP header on top */
    EXPECT_DROP(f, ETH_LEN, fx_in(f, TO_US " len=200 / snap / " PING));
    EXPECT_DROP(f, ETH_LLC, fx_in(f, TO_US " len=7 / snap / " PING));
    EXPECT_DROP(f, ETH_LLC, fx_in(f, TO_US " / snap oui=0x00000c / " PING));
    EXPECT_DROP(f, ETH_LLC, fx_in(f, TO_US " len=1501 / snap / " PING));
    EXPECT_DROP(f, ETH_LLC, fx_in(f, TO_US " / snap / " PING " ; patch 14=424203"));
    EXPECT_DROP(f, ETH_LLC, fx_in(f, TO_US " / snap / " PING " ; patch 14=aaaa06"));    /* K1 = 6 */
    EXPECT_DROP(f, ETH_TYPE, fx_in(f, TO_US " / snap type=0x809b / zeros 40"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("lengths between 1,501 and the first type mean nothing")
{
    struct fx *f = fx_host();
    EXPECT_DROP(f, ETH_LLC, fx_in(f, TO_US " type=0x05dd / zeros 46"));
    EXPECT_DROP(f, ETH_LLC, fx_in(f, TO_US " type=0x05ff / zeros 46"));
    EXPECT_DROP(f, ETH_TYPE, fx_in(f, TO_US " type=0x0600 / zeros 46"));
    fx_free(f);
}

TEST("every type but four is dropped by name")
{
    struct fx *f = fx_host();
    for (unsigned type = 0x0600; type <= 0xffff; type++) {
        if (type == 0x0800 || type == 0x0806 || type == 0x8035 || type == 0x86dd ||
            type == 0x8100 || type == 0x88a8)
            continue;
        uint8_t frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (uint8_t)(type >> 8),
                             (uint8_t)type};
        fx_in_bytes(f, f->nif, frame, sizeof(frame));
    }
    EXPECT_DROPPED(&f->s->env, DROP_ETH_TYPE);
    EXPECT_EQ(fx_drops(f, DROP_ETH_TYPE), 0x10000 - 0x0600 - 6);
    EXPECT_EQ(fx_drops_all(f), fx_drops(f, DROP_ETH_TYPE));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- lengths ---- */

TEST("padding behind a packet is ignored, whatever stands in it")
{
    COVERS("1122-2.3.PAD S5");
    struct fx *f = fx_host();
    fx_in(f, PING " ; pad 60 ; patch 42=ffffffffffffffffffffffffffffffffffff");
    EXPECT(pong(f));
    EXPECT_FRAME(f, "ip.len == 28");
    oriel_handle h = fx_listen(f, 7);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"abc\" ; pad 60 ; patch 45=ffffffffffff");
    EXPECT_EQ(fx_recv(f, h), 3);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>7 / \"abc\" ; pad 100 ; patch 65=ffffff");
    EXPECT_EQ(fx_recv(f, h), 3);
    fx_free(f);
}

TEST("short frames leave padded to 60 bytes with zeros, whatever was in the memory before")
{
    COVERS("INV-8 S37");
    struct fx *f = fx_host();
    for (unsigned n = 0; n < 40; n++) {
        /* the request's own padding lies where the reply's will be */
        fx_in(f, fx_line(PING " / fill %u ; pad 90 ; patch 82=ffffffffffffffff", n));
        EXPECT(pong(f));
        EXPECT_EQ(f->frame_n, n < 18 ? 60 : 42 + n);
        for (size_t i = 42 + n; i < f->frame_n; i++)
            EXPECT_EQ(f->frame[i], 0);
    }
    fx_in(f, "arp op=request sha=02:00:00:00:00:02 spa=10.0.0.2 tpa=10.0.0.1 ; pad 60 ; "
             "patch 42=ffffffffffffffffffffffffffffffffffff");
    EXPECT_OUT(f, "arp.opcode == 2");
    EXPECT_EQ(f->frame_n, 60);
    for (size_t i = 42; i < 60; i++)
        EXPECT_EQ(f->frame[i], 0);
    fx_free(f);
}

TEST("a frame that ends inside its header is short")
{
    COVERS("S1");
    struct fx *f = fx_host();
    fx_craft(f, f->nif, TO_US " / vlan id=0 / " PING);
    uint8_t whole[200];
    size_t n = f->frame_n;
    memcpy(whole, f->frame, n);
    for (size_t cut = 0; cut < 18; cut++)
        EXPECT_DROP(f, ETH_SHORT, fx_in_bytes(f, f->nif, whole, cut));
    for (size_t cut = 18; cut < n; cut++)
        fx_in_bytes(f, f->nif, whole, cut);
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_drops_all(f), n);
    fx_in_bytes(f, f->nif, whole, n);
    EXPECT(pong(f));
    fx_free(f);
}

TEST("the longest frame is 14 bytes more than the MTU, and 4 more for each tag")
{
    struct fx *f = fx_host();
    fx_in(f, PING " / fill 1472");
    EXPECT(pong(f));
    EXPECT_DROP(f, ETH_LONG, fx_in(f, PING " / fill 1472 ; pad 1515"));
    fx_in(f, TO_US " / vlan id=0 / " PING " / fill 1472");
    EXPECT(pong(f));
    EXPECT_DROP(f, ETH_LONG, fx_in(f, TO_US " / vlan id=0 / " PING " / fill 1472 ; pad 1519"));
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif, 9000), 0);
    fx_in(f, PING " / fill 8972");
    EXPECT(pong(f));
    EXPECT_EQ(f->frame_n, 9014);
    fx_free(f);
}

/* ---- the check sequence ---- */

TEST("where frames carry a check sequence it is verified, removed, and sent")
{
    struct fx *f = fx_new(.netif = {.fcs = true});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_know(f, f->nif, "10.0.0.2", 2);
    (void)fx_skip(f);
    fx_craft(f, f->nif, PING " ; pad 60");
    struct wr w = wr_of(f->frame + f->frame_n, 4);
    wr_fcs(&w, eth_fcs(span_of(f->frame, f->frame_n)));
    uint8_t good[64];
    memcpy(good, f->frame, sizeof(good));
    fx_in_bytes(f, f->nif, good, sizeof(good));
    EXPECT(fx_out(f));
    EXPECT_EQ(f->frame_n, 64);
    struct rd r = rd_of(span_of(f->frame + 60, 4));
    EXPECT_EQ(rd_fcs(&r), eth_fcs(span_of(f->frame, 60)));
    for (unsigned bit = 0; bit < 64 * 8; bit++) {       /* CRC-32 finds every single error */
        good[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_DROP(f, ETH_FCS, fx_in_bytes(f, f->nif, good, sizeof(good)));
        good[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    EXPECT_DROP(f, ETH_SHORT, fx_in_bytes(f, f->nif, good, 63));
    EXPECT_DROP(f, ETH_SHORT, fx_in_bytes(f, f->nif, good, 0));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- addresses ---- */

TEST("frames for other stations and from groups are dropped")
{
    struct fx *f = fx_host();
    EXPECT_DROP(f, ETH_NOT_OURS, fx_in(f, "eth src=" FX_PEER " dst=02:00:00:00:00:03 / " PING));
    EXPECT_DROP(f, ETH_SOURCE, fx_in(f, "eth src=03:00:00:00:00:02 dst=02:00:00:00:00:01 / " PING));
    EXPECT_DROP(f, ETH_SOURCE, fx_in(f, "eth src=ff:ff:ff:ff:ff:ff dst=02:00:00:00:00:01 / " PING));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("IP is told that a frame was a broadcast or multicast: it answers with no error")
{
    COVERS("1122-2.4a 1122-3.3.6L");
    struct fx *f = fx_host();
    EXPECT_DROP(f, IP4_L2_BROADCAST, fx_in(f, "eth src=" FX_PEER " dst=ff:ff:ff:ff:ff:ff / " PING));
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "eth src=" FX_PEER " dst=01:00:5e:00:00:01 / "
                                         "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>99"));
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "eth src=" FX_PEER " dst=33:33:00:00:00:01 / "
                                         "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>99"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- tags ---- */

static int vlan(struct fx *f, int parent, uint16_t id, bool qinq)
{
    return fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_VLAN, .vlan_id = id,
                                                    .vlan_parent = parent, .vlan_qinq = qinq});
}

TEST("a tagged frame belongs to the VLAN's interface, and its answer carries the tag")
{
    struct fx *f = fx_new();
    int v = vlan(f, f->nif, 7, false);
    fx_add_addr(f, v, "10.0.0.1/24");
    fx_know(f, v, "10.0.0.2", 2);
    (void)fx_skip(f);
    fx_in(f, TO_US " / vlan id=7 pcp=5 dei / " PING);
    EXPECT_OUT(f, "vlan.id == 7 && vlan.priority == 0 && icmp.type == 0 && eth.type == 0x8100");
    EXPECT_EQ(f->out_nif, f->nif);
    EXPECT_EQ(netif_at(&f->s->link, (uint32_t)v)->stats.rx_pkts, 1);
    EXPECT_DROP(f, VLAN_UNKNOWN, fx_in(f, TO_US " / vlan id=8 / " PING));
    EXPECT_DROP(f, VLAN_UNKNOWN, fx_in(f, TO_US " / vlan id=7 tpid=0x88a8 / " PING));
    EXPECT_DROP(f, VLAN_UNKNOWN, fx_in(f, TO_US " / vlan id=7 / vlan id=8 / " PING));
    EXPECT_DROP(f, VLAN_UNKNOWN, fx_in(f, TO_US " / vlan id=4095 / " PING));
    EXPECT_EQ(oriel_netif_set_up(f->s, v, false), 0);
    EXPECT_DROP(f, LINK_DOWN, fx_in(f, TO_US " / vlan id=7 / " PING));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a VLAN does not hear what came without its tag")
{
    struct fx *f = fx_new(.stack = {.strong_host = true});
    int v = vlan(f, f->nif, 7, false);
    fx_add_addr(f, v, "10.0.0.1/24");
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, PING));
    EXPECT_DROP(f, ARP_NOT_FOR_US, fx_in(f, "arp op=request spa=10.0.0.2 tpa=10.0.0.1"));
    fx_in(f, "eth src=" FX_PEER " dst=ff:ff:ff:ff:ff:ff / vlan id=7 / "
             "arp op=request sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1");
    EXPECT_OUT(f, "vlan.id == 7 && arp.opcode == 2");
    fx_free(f);
}

TEST("VLAN 0 only carries a priority")
{
    struct fx *f = fx_host();
    fx_in(f, TO_US " / vlan id=0 pcp=7 / " PING);
    EXPECT(pong(f));
    EXPECT_FRAME(f, "!vlan");
    fx_free(f);
}

TEST("two tags are a VLAN inside a provider's, and three are too many")
{
    struct fx *f = fx_new();
    int outer = vlan(f, f->nif, 100, true), inner = vlan(f, outer, 7, false);
    fx_add_addr(f, inner, "10.0.0.1/24");
    fx_know(f, inner, "10.0.0.2", 2);
    (void)fx_skip(f);
    fx_in(f, TO_US " / vlan id=100 tpid=0x88a8 / vlan id=7 / " PING);
    EXPECT_OUT(f, "ieee8021ad.id == 100 && vlan.id == 7 && icmp.type == 0");
    EXPECT_DROP(f, VLAN_UNKNOWN, fx_in(f, TO_US " / vlan id=7 / vlan id=100 tpid=0x88a8 / " PING));
    EXPECT_DROP(f, ETH_TAGS, fx_in(f, TO_US " / vlan id=1 / vlan id=2 / vlan id=3 / " PING));
    EXPECT_QUIET(f);
    fx_free(f);
}
