/* nat.c: ICMP echo, and errors with the packets that they quote. */
#include "ip/fx_nat.h"
#include "wire/icmp4.h"

TEST("echo is translated by its identifier")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp echo id=77 seq=1 / \"ping\"");
    EXPECT_LEFT(f, OUTSIDE, GOOD "ip.src == 203.0.113.1 && icmp.type == 8 && icmp.ident == 77 && "
                "icmp.checksum.status == 1");
    EXPECT_EQ(fx_nat_life_s(f), 60);
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / icmp echo id=77 seq=1 / \"ping\"");
    EXPECT_LEFT(f, OUTSIDE, "icmp.ident != 77 && icmp.checksum.status == 1");
    char line[120];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "ip src=198.51.100.7 dst=203.0.113.1 / icmp echo-reply seq=1 id=");
    txt_u(&t, dissection_first(&f->d, F_ICMP_IDENT)->value.u);
    fx_outside(f, line);
    EXPECT_LEFT(f, INSIDE, GOOD "ip.dst == 10.0.0.3 && icmp.type == 0 && icmp.ident == 77 && "
                "icmp.checksum.status == 1");
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / icmp echo-reply id=77 seq=1");
    EXPECT_LEFT(f, INSIDE, "ip.dst == 10.0.0.2 && icmp.ident == 77");
    EXPECT_DROP(f, NAT_UNKNOWN, fx_outside(f, "ip src=198.51.100.8 dst=203.0.113.1 / "
                                                "icmp echo-reply id=77 seq=1"));
    fx_run(f, 60 * NS_PER_S);
    EXPECT_EQ(fx_nat_live(f), 0);
    fx_free(f);
}

TEST("an echo request from outside is for the router, whatever its identifier")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp echo id=77 seq=1");
    (void)fx_skip(f);
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / icmp echo id=77 seq=1");
    EXPECT_LEFT(f, OUTSIDE, "icmp.type == 0 && icmp.ident == 77");
    fx_free(f);
}

/*
 * The ICMP error in hand quotes a packet with a right header checksum and, where that many bytes of
 * it are there, a right UDP checksum; and its own is right.
 */
static void expect_good_quote(struct fx *f)
{
    struct ip4_hdr outer, inner;
    struct icmp4_hdr icmp;
    struct rd r = rd_of(span_of(f->frame, f->frame_n));
    EXPECT(ip4_parse(&r, &outer));
    struct rd message = r;
    EXPECT(icmp4_parse(&message, &icmp));
    struct span quote = span_of(message.p, rd_left(&message));
    EXPECT(ip4_parse_quoted(&message, &inner));
    EXPECT_EQ(csum_finish(csum_small(quote.p, inner.hdr_len)), 0);
    size_t n = rd_left(&message);
    if (inner.proto == IP_UDP && n + inner.hdr_len == inner.total_len) {
        uint32_t pseudo = csum_pseudo(&inner.src, &inner.dst, IP_UDP, (uint32_t)n);
        EXPECT_EQ(csum_finish(csum_add(pseudo, csum_small(message.p, n))), 0);
    }
}

TEST("an error from outside finds the inside host, with its own packet quoted")
{
    static const char *const kinds[] = {"unreachable code=3", "unreachable code=4 mtu=1200",
                                        "time-exceeded", "parameter pointer=1"};
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / udp 4000>53 / \"first\"");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"question\"");
    EXPECT(fx_out(f) && fx_out(f));
    uint64_t port = dissection_first(&f->d, F_UDP_SRCPORT)->value.u;
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        char line[300];
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "ip src=192.0.2.99 dst=203.0.113.1 / icmp ");
        txt_s(&t, kinds[i]);
        txt_s(&t, " / ip src=203.0.113.1 dst=198.51.100.7 ttl=60 / udp ");
        txt_u(&t, port);
        txt_s(&t, ">53 / \"question\"");
        fx_outside(f, line);
        EXPECT_LEFT(f, INSIDE, GOOD "ip.src == 192.0.2.99 && ip.dst == 10.0.0.2 && "
                    "icmp.checksum.status == 1 && ip.src == 10.0.0.2 && udp.srcport == 4000 && "
                    "!(ip.addr == 203.0.113.1)");
        expect_good_quote(f);
    }
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

TEST("a quote of eight bytes of TCP is enough")
{
    struct fx *f = fx_nat_new();
    fx_nat_handshake(f);
    fx_outside(f, "ip src=192.0.2.99 dst=203.0.113.1 / icmp unreachable code=1 / "
                    "ip src=203.0.113.1 dst=198.51.100.7 ttl=60 len=40 proto=6 / "
                    "hex 0fa0005000000002");
    EXPECT_LEFT(f, INSIDE, GOOD "ip.dst == 10.0.0.2 && icmp.checksum.status == 1 && "
                "ip.src == 10.0.0.2 && tcp.srcport == 4000");
    expect_good_quote(f);
    EXPECT_EQ(fx_nat_life_s(f), 7440);                 /* and ends nothing */
    fx_free(f);
}

TEST("an error about an echo finds whoever sent it")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / icmp echo id=77 seq=1");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp echo id=77 seq=1");
    EXPECT(fx_out(f) && fx_out(f));
    char line[300];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "ip src=192.0.2.99 dst=203.0.113.1 / icmp time-exceeded / "
              "ip src=203.0.113.1 dst=198.51.100.7 ttl=1 / icmp echo seq=1 id=");
    txt_u(&t, dissection_first(&f->d, F_ICMP_IDENT)->value.u);
    fx_outside(f, line);
    EXPECT_LEFT(f, INSIDE, GOOD "ip.dst == 10.0.0.2 && icmp.checksum.status == 1 && "
                "icmp.ident == 77 && ip.src == 10.0.0.2");
    expect_good_quote(f);
    txt_s(&t, " csum=0x1234");                  /* of an echo with data that is not quoted */
    fx_outside(f, line);
    EXPECT_LEFT(f, INSIDE, GOOD "ip.dst == 10.0.0.2 && icmp.checksum.status == 1 && "
                "icmp.ident == 77 && ip.src == 10.0.0.2");
    fx_free(f);
}

TEST("an error about what no inside host sent to that peer goes no further")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    (void)fx_skip(f);
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_outside(f, "ip src=192.0.2.99 dst=203.0.113.1 / icmp unreachable code=3 / "
                                "ip src=203.0.113.1 dst=198.51.100.8 / udp 4000>53 / \"x\""));
    fx_outside(f, "ip src=192.0.2.99 dst=203.0.113.1 / icmp unreachable code=3 / "
                    "ip src=203.0.113.1 dst=198.51.100.7 / udp 4001>53 / \"x\"");
    fx_outside(f, "ip src=192.0.2.99 dst=203.0.113.1 / icmp redirect gateway=10.0.0.2 / "
                    "ip src=203.0.113.1 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    fx_outside(f, "ip src=192.0.2.99 dst=203.0.113.1 / icmp unreachable code=3 badcsum / "
                    "ip src=203.0.113.1 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    fx_outside(f, "ip src=192.0.2.99 dst=203.0.113.1 / icmp unreachable code=3 / hex 4500");
    EXPECT_QUIET(f);                            /* the router had a look at all of them */
    fx_free(f);
}

TEST("an error from inside leaves with the outside's view of the packet at fault")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    EXPECT(fx_out(f) && fx_out(f));
    char want[200];
    struct txt t = txt_of(want, sizeof(want));
    txt_s(&t, "udp.dstport == ");
    txt_u(&t, dissection_first(&f->d, F_UDP_SRCPORT)->value.u);
    txt_s(&t, " && " GOOD "ip.src == 203.0.113.1 && ip.dst == 198.51.100.7 && "
              "icmp.checksum.status == 1 && !(ip.addr == 10.0.0.0/24)");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp unreachable code=3 / "
                   "ip src=198.51.100.7 dst=10.0.0.2 ttl=60 / udp 53>4000 / \"answer\"");
    EXPECT_LEFT(f, OUTSIDE, want);
    expect_good_quote(f);
    fx_inside(f, "ip src=10.0.0.77 dst=198.51.100.7 / icmp time-exceeded / "
                   "ip src=198.51.100.7 dst=10.0.0.2 ttl=1 / udp 53>4000 / \"answer\"");
    EXPECT_LEFT(f, OUTSIDE, want);              /* from a router behind this one */
    expect_good_quote(f);
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp unreachable code=3 / "
                               "ip src=198.51.100.8 dst=10.0.0.2 / udp 53>4000 / \"x\""));
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp unreachable code=3 / "
                               "ip src=198.51.100.7 dst=10.0.0.2 / udp 53>4001 / \"x\""));
    fx_free(f);
}

TEST("an error from inside whose quote cannot be read is dropped")
{
    struct fx *f = fx_nat_new();
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp unreachable code=3 / "
                               "ip src=198.51.100.7 dst=10.0.0.2 len=28 proto=17 / hex 00350fa0"));
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp unreachable code=3 / "
                               "ip src=198.51.100.7 dst=10.0.0.2 / icmp timestamp id=1 seq=1"));
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / icmp unreachable code=3 / "
                               "ip src=198.51.100.7 dst=10.0.0.2 off=64 / udp 53>4000 / \"x\""));
    fx_free(f);
}

TEST("an error of the router about what it translated back quotes what the sender sent")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"question\"");
    EXPECT_LEFT(f, OUTSIDE, "udp.srcport == 4000");
    EXPECT_EQ(oriel_netif_set_mtu(f->s, INSIDE, 576), 0);
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 df / udp 53>4000 / fill 800");
    EXPECT_LEFT(f, OUTSIDE, GOOD "icmp.type == 3 && icmp.code == 4 && icmp.mtu == 576 && "
                "icmp.checksum.status == 1 && ip.dst == 198.51.100.7");
    expect_good_quote(f);
    EXPECT(!fx_is(f, "ip.addr == 10.0.0.2"));
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 ttl=1 / udp 53>4000 / fill 8");
    EXPECT_LEFT(f, OUTSIDE, GOOD "icmp.type == 11");
    expect_good_quote(f);
    EXPECT(!fx_is(f, "ip.addr == 10.0.0.2"));
    fx_free(f);
}
