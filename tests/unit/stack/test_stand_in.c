/* An interface that stands in for others, through the whole stack: any_addr, ORIEL_OPT_ANY_ADDR. */
#include "fx_stack.h"

/* 10.0.0.1 and 2001:db8::1 on a link where 10.0.0.2 and 2001:db8::2 send to whomever they like. */
static struct fx *gateway(void)
{
    struct fx *f = fx_new(.netif = {.no_dad = true, .ip6 = true, .any_addr = true});
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
    struct oriel_addr v4 = fx_addr("10.0.0.2"), v6 = fx_addr("2001:db8::2");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &v4, mac), 0);
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &v6, mac), 0);
    fx_run(f, 3 * NS_PER_S);
    (void)fx_skip(f);
    return f;
}

static oriel_handle udp(struct fx *f, bool any, uint16_t port)
{
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_ANY_ADDR, any), 0);
    if (port)
        EXPECT_EQ(oriel_bind(f->s, h, &(struct oriel_endpoint){.port = port}), 0);
    return h;
}

static void expect_text(struct fx *f, oriel_handle h, const char *text, struct oriel_msg *m)
{
    char buf[64] = "";
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf) - 1, m), (int)strlen(text));
    EXPECT_MEM(buf, text, strlen(text));
}

static void expect_nothing(struct fx *f, oriel_handle h)
{
    char buf[16];
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), NULL), ORIEL_EAGAIN);
}

TEST("a datagram to any address and port reaches the socket that stands in, and is answered from there")
{
    struct fx *f = gateway();
    oriel_handle h = udp(f, true, 0);
    struct oriel_msg m;
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / udp 1000>53 / \"four\"");
    expect_text(f, h, "four", &m);
    struct oriel_addr to = fx_addr("203.0.113.9");
    EXPECT(addr_eq(&m.local, &to) && m.local_port == 53 && m.peer.port == 1000);
    struct oriel_msg back = {.peer = m.peer, .local = m.local, .local_port = m.local_port};
    EXPECT_EQ(oriel_send(f->s, h, "4", 1, &back), 1);
    EXPECT_OUT(f, "ip.src == 203.0.113.9 && udp.srcport == 53 && udp.dstport == 1000 && "
                  "udp.checksum.status == 1");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:9::9 / udp 1001>443 / \"six\"");
    expect_text(f, h, "six", &m);
    back = (struct oriel_msg){.peer = m.peer, .local = m.local, .local_port = m.local_port};
    EXPECT_EQ(oriel_send(f->s, h, "6", 1, &back), 1);
    EXPECT_OUT(f, "ipv6.src == 2001:db8:9::9 && udp.srcport == 443 && udp.checksum.status == 1");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1000>99 / \"own\"");
    expect_text(f, h, "own", &m);               /* no more specific socket takes it */
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the more specific socket has a datagram; a plain one has none to addresses that are not ours")
{
    struct fx *f = gateway();
    oriel_handle all = udp(f, true, 0), port = udp(f, true, 53), plain = udp(f, false, 54);
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / udp 1000>53 / \"port\"");
    expect_text(f, port, "port", NULL);
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / udp 1000>54 / \"all\"");
    expect_text(f, all, "all", NULL);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1000>54 / \"plain\"");
    expect_text(f, plain, "plain", NULL);
    expect_nothing(f, all);
    fx_free(f);
}

TEST("what was found for a flow is found anew when its address becomes ours, and when it is so no more")
{
    struct fx *f = gateway();
    oriel_handle all = udp(f, true, 0), plain = udp(f, false, 53);
    struct oriel_addr a = fx_addr("203.0.113.9");
    const char *frame = "ip src=10.0.0.2 dst=203.0.113.9 / udp 1000>53 / \"x\"";
    fx_in(f, frame);
    expect_text(f, all, "x", NULL);
    fx_add_addr(f, f->nif, "203.0.113.9/32");
    fx_in(f, frame);
    expect_text(f, plain, "x", NULL);
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &a), 0);
    fx_in(f, frame);
    expect_text(f, all, "x", NULL);
    expect_nothing(f, plain);
    fx_free(f);
}

TEST("sources that are not ours are for sockets that stand in, which say the port where they have none")
{
    struct fx *f = gateway();
    oriel_handle all = udp(f, true, 0), port = udp(f, true, 53), plain = udp(f, false, 54), icmp;
    struct oriel_msg m = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9},
                          .local = fx_addr("203.0.113.9")};
    const uint8_t reply[8] = {0};
    EXPECT_EQ(oriel_send(f->s, plain, "x", 1, &m), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(oriel_send(f->s, all, "x", 1, &m), ORIEL_EINVAL);
    EXPECT_EQ(oriel_send(f->s, port, "x", 1, &m), 1);
    EXPECT_OUT(f, "ip.src == 203.0.113.9 && udp.srcport == 53");
    m.local_port = 77;
    EXPECT_EQ(oriel_send(f->s, all, "x", 1, &m), 1);
    EXPECT_OUT(f, "ip.src == 203.0.113.9 && udp.srcport == 77");
    m.local = ADDR_NONE;
    EXPECT_EQ(oriel_send(f->s, plain, "x", 1, &m), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(oriel_send(f->s, all, "x", 1, &m), 1);
    EXPECT_OUT(f, "ip.src == 10.0.0.1 && udp.srcport == 77");
    m.local = fx_addr("224.0.0.9");
    EXPECT_EQ(oriel_send(f->s, all, "x", 1, &m), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &icmp), 0);
    m.local = fx_addr("203.0.113.9");
    EXPECT_EQ(oriel_send(f->s, icmp, reply, sizeof(reply), &m), ORIEL_EADDRNOTAVAIL);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("where the interface does not stand in, nothing comes from or leaves to elsewhere")
{
    struct fx *f = fx_new();
    struct oriel_msg m = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9},
                          .local = fx_addr("203.0.113.9"), .local_port = 53};
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    oriel_handle h = udp(f, true, 0);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / udp 1000>53 / \"x\""));
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), ORIEL_EADDRNOTAVAIL);
    fx_free(f);
}

TEST("what no socket takes is answered as usual, from the address that was asked")
{
    struct fx *f = gateway();
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / udp 1>2 / \"x\""));
    EXPECT_OUT(f, "icmp.type == 3 && icmp.code == 3 && ip.src == 203.0.113.9");
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:9::9 / udp 1>2 / \"x\""));
    EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 4 && ipv6.src == 2001:db8:9::9");
    EXPECT_DROP(f, TCP_NO_CONN, fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / tcp 1>2 flags=S seq=5"));
    EXPECT_OUT(f, "tcp.flags.reset == 1 && ip.src == 203.0.113.9");
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / icmp echo id=7 seq=1 / \"ping\"");
    EXPECT_OUT(f, "icmp.type == 0 && icmp.ident == 7 && ip.src == 203.0.113.9 && "
                  "icmp.checksum.status == 1");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:9::9 / icmp6 echo id=8 seq=1 / \"ping\"");
    EXPECT_OUT(f, "icmpv6.type == 129 && ipv6.src == 2001:db8:9::9 && icmpv6.checksum.status == 1");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("groups, broadcasts, loopback and what the link brought to everybody are not stood in for")
{
    struct fx *f = gateway();
    oriel_handle h = udp(f, true, 0);
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip src=10.0.0.2 dst=224.0.0.99 / udp 1>2 / \"x\""));
    EXPECT_DROP(f, IP_LOOP, fx_in(f, "ip src=10.0.0.2 dst=127.0.0.1 / udp 1>2 / \"x\""));
    EXPECT_DROP(f, IP4_DEST, fx_in(f, "ip src=10.0.0.2 dst=240.0.0.1 / udp 1>2 / \"x\""));
    EXPECT_DROP(f, IP4_L2_BROADCAST,
                fx_in(f, "eth dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:02 / "
                         "ip src=10.0.0.2 dst=203.0.113.9 / udp 1>2 / \"x\""));
    EXPECT_DROP(f, ETH_NOT_OURS,
                fx_in(f, "eth dst=02:00:00:00:00:77 src=02:00:00:00:00:02 / "
                         "ip src=10.0.0.2 dst=203.0.113.9 / udp 1>2 / \"x\""));
    EXPECT_DROP(f, UDP_GROUP_UNJOINED, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.255 / udp 1>2 / \"x\""));
    expect_nothing(f, h);
    fx_in(f, "arp op=1 sha=02:00:00:00:00:02 spa=10.0.0.2 tpa=10.0.0.9");
    EXPECT_QUIET(f);                            /* nor does ARP answer for others */
    fx_free(f);
}

TEST("an ICMP socket that stands in gets the echo requests to others, and then the stack is silent")
{
    struct fx *f = gateway();
    oriel_handle h, plain;
    struct oriel_msg m;
    uint8_t buf[64];
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &plain), 0);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_ANY_ADDR, 1), 0);
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / icmp echo id=7 seq=1 / \"ping\"");
    EXPECT_QUIET(f);
    expect_nothing(f, plain);
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), &m), 12);
    EXPECT_EQ(buf[0], 8);
    buf[0] = 0;
    struct oriel_msg back = {.peer = m.peer, .local = m.local};
    EXPECT_EQ(oriel_send(f->s, h, buf, 12, &back), 12);
    EXPECT_OUT(f, "icmp.type == 0 && icmp.ident == 7 && ip.src == 203.0.113.9 && "
                  "icmp.checksum.status == 1");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo id=7 seq=2 / \"ping\"");
    EXPECT_OUT(f, "icmp.type == 0 && ip.src == 10.0.0.1");      /* its own are the stack's */
    expect_nothing(f, h);
    fx_free(f);
}

TEST("an ICMP error about what left from elsewhere is believed: the path's MTU, a closed port")
{
    struct fx *f = gateway();
    oriel_handle h = udp(f, true, 0);
    struct oriel_error_info e;
    struct oriel_msg m = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9},
                          .local = fx_addr("203.0.113.9"), .local_port = 53};
    static const char data[1400];
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / icmp unreachable code=port / "
             "ip src=203.0.113.9 dst=10.0.0.2 / udp 53>9");
    EXPECT_EQ(oriel_last_error(f->s, h, &e), 0);
    EXPECT(e.err == ORIEL_ECONNREFUSED && e.to.port == 9);
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / icmp unreachable code=frag-needed mtu=1000 / "
             "ip src=203.0.113.9 dst=10.0.0.2 len=1428 / udp 53>9");
    EXPECT_EQ(oriel_send(f->s, h, data, sizeof(data), &m), (int)sizeof(data));
    EXPECT_OUT(f, "ip.len <= 1000 && ip.flags.mf == 1 && ip.src == 203.0.113.9");
    EXPECT_OUT(f, "ip.src == 203.0.113.9 && ip.frag_offset > 0");
    fx_free(f);
}

TEST("an ICMP error about a port of ours where nobody is, is nobody's, whoever stands in elsewhere")
{
    struct fx *f = gateway();
    oriel_handle h = udp(f, true, 0);
    struct oriel_error_info e;
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=port / "
             "ip src=10.0.0.1 dst=10.0.0.2 / udp 53>9");
    EXPECT_EQ(oriel_last_error(f->s, h, &e), ORIEL_ENOENT);
    fx_free(f);
}

TEST("what the link brings to everybody is not for others, however well known who sends it is")
{
    static const char *const group[] = {"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "33:33:00:00:00:01"};
    struct fx *f = gateway();
    oriel_handle h = udp(f, true, 0);
    char text[200];
    fx_in(f, "ip src=10.0.0.2 dst=203.0.113.9 / udp 1000>53 / \"four\"");
    expect_text(f, h, "four", NULL);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:9::9 / udp 1001>443 / \"six\"");
    expect_text(f, h, "six", NULL);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof(text), "eth dst=%s / ip src=10.0.0.2 dst=203.0.113.9 / udp 1000>53 / \"no\"",
                       group[i]);
        fx_in(f, text);
        (void)snprintf(text, sizeof(text),
                       "eth dst=%s / ip6 src=2001:db8::2 dst=2001:db8:9::9 / udp 1001>443 / \"no\"", group[i]);
        fx_in(f, text);
        expect_nothing(f, h);
    }
    fx_free(f);
}

TEST("a stream that stands in connects from an address that is not ours")
{
    struct fx *f = gateway();
    oriel_handle plain, h;
    struct oriel_endpoint from = {.addr = fx_addr("203.0.113.9"), .port = 5000};
    struct oriel_endpoint to = {.addr = fx_addr("10.0.0.2"), .port = 80};
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_IP4, &plain), 0);
    EXPECT_EQ(oriel_bind(f->s, plain, &from), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_ANY_ADDR, 1), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &from), 0);
    EXPECT_EQ(oriel_connect(f->s, h, &to), 0);
    fx_collect(f);
    EXPECT_OUT(f, "tcp.flags.syn == 1 && ip.src == 203.0.113.9 && tcp.srcport == 5000");
    uint32_t iss = (uint32_t)dissection_first(&f->d, F_TCP_SEQ_RAW)->value.u;
    fx_in(f, fx_line("ip src=10.0.0.2 dst=203.0.113.9 / tcp 80>5000 flags=SA seq=1 ack=%u", iss + 1));
    EXPECT_OUT(f, "tcp.flags.ack == 1 && tcp.flags.reset == 0 && ip.src == 203.0.113.9");
    EXPECT(oriel_ready(f->s, h) & ORIEL_WRITABLE);
    fx_free(f);
}
