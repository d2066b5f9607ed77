#include "fx_stack.h"

/* A stack at 10.0.0.1/24 and 2001:db8::1/64, neighbours known, so that nothing has to be asked. */
static struct fx *pair(void)
{
    struct fx *f = fx_new(.netif = {.no_dad = true, .ip6 = true});
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

static oriel_handle udp_at(struct fx *f, enum oriel_family family, const char *addr, uint16_t port)
{
    oriel_handle h;
    struct oriel_endpoint e = {.addr = addr ? fx_addr(addr) : ADDR_NONE, .port = port};
    EXPECT_EQ(oriel_udp_open(f->s, family, &h), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &e), 0);
    return h;
}

static void expect_text(struct fx *f, oriel_handle h, const char *text)
{
    char buf[256] = "";
    int n = oriel_recv(f->s, h, buf, sizeof(buf) - 1, NULL);
    EXPECT_EQ(n, (int)strlen(text));
    EXPECT_MEM(buf, text, strlen(text));
}

static void expect_nothing(struct fx *f, oriel_handle h)
{
    char buf[16];
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), NULL), ORIEL_EAGAIN);
}

TEST("a datagram reaches the socket on its port, which learns who sent it and to which address")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_DUAL, NULL, 7);
    struct oriel_msg m;
    char buf[16];
    COVERS("1122-4.1.3.5 1122-3.2.1.6");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 ttl=9 tos=0x28 / udp 1000>7 / \"hello\"");
    EXPECT_EQ(oriel_ready(f->s, h), ORIEL_READABLE | ORIEL_WRITABLE);
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), &m), 5);
    EXPECT(addr_eq(&m.peer.addr, &(struct oriel_addr){0, ADDR_V4_MAPPED | 0x0a000002, 0}));
    EXPECT(m.peer.port == 1000 && m.ttl == 9 && m.tos == 0x28 && m.netif == f->nif);
    EXPECT(addr_to_v4(&m.local) == 0x0a000001 && m.len == 5 && !m.truncated);
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 hlim=3 / udp 1001>7 / \"six\"");
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), &m), 3);
    EXPECT(m.peer.port == 1001 && m.ttl == 3 && !addr_is_v4(&m.peer.addr));
    fx_free(f);
}

TEST("a datagram longer than the buffer is cut, and says how long it was")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    struct oriel_msg m;
    char buf[3];
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1000>7 / \"hello\"");
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), &m), 3);
    EXPECT(m.truncated && m.len == 5);
    expect_nothing(f, h);               /* the rest is gone */
    fx_free(f);
}

TEST("what is sent has ports, length and a checksum that tshark would call good")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_DUAL, NULL, 5000);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    COVERS("1122-4.1.3.4 1122-3.2.1.3a");
    EXPECT_EQ(oriel_send(f->s, h, "abc", 3, &to), 3);
    EXPECT_OUT(f, "udp.srcport == 5000 && udp.dstport == 9 && udp.length == 11 && "
                  "udp.checksum.status == 1 && ip.src == 10.0.0.1 && why == \"UDP_DATA\"");
    EXPECT_WHY(&f->s->env, WHY_UDP_DATA);
    to.peer.addr = fx_addr("2001:db8::2");
    EXPECT_EQ(oriel_send(f->s, h, "abcd", 4, &to), 4);
    EXPECT_OUT(f, "udp.length == 12 && udp.checksum.status == 1 && ipv6.src == 2001:db8::1");
    fx_free(f);
}

TEST("where the link finishes sums, a datagram leaves with the pseudo-header's, or with none if so asked")
{
    struct fx *f = fx_new(.netif = {.no_dad = true, .vouches = true});
    for (unsigned i = 0; i < 3; i++) {
        bool v6 = i == 1, none = i == 2;
        struct oriel_addr us = fx_addr(v6 ? "2001:db8::1" : "10.0.0.1");
        struct oriel_msg to = {.peer = {.addr = fx_addr(v6 ? "2001:db8::2" : "10.0.0.2"), .port = 9}};
        const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
        struct pkt *p;
        if (!none)
            fx_add_addr(f, f->nif, v6 ? "2001:db8::1/64" : "10.0.0.1/24");
        EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &to.peer.addr, mac), 0);
        (void)fx_skip(f);
        oriel_handle h = udp_at(f, ORIEL_DUAL, NULL, 5000);
        EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_NO_CSUM, none), 0);
        EXPECT_EQ(oriel_send(f->s, h, "abc", 3, &to), 3);
        EXPECT_EQ(oriel_netif_take(f->s, f->nif, &p, 1), 1);
        EXPECT_EQ(p->csum, none ? CSUM_NONE : CSUM_PARTIAL);
        struct rd r = pkt_rd(p, 14 + (v6 ? 40 : 20) + 6);
        EXPECT_EQ(rd_u16(&r), none ? 0 : csum_fold(csum_pseudo(&us, &to.peer.addr, IP_UDP, 11)));
        oriel_pkt_free(p);
        EXPECT_EQ(oriel_close(f->s, h), 0);
    }
    fx_free(f);
}

TEST("a checksum that comes out as zero is sent as 0xffff")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 5000);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    bool seen = false;
    COVERS("768-1");
    for (unsigned v = 0; v < 65536 && !seen; v++) {
        uint8_t data[2] = {(uint8_t)(v >> 8), (uint8_t)v};
        EXPECT_EQ(oriel_send(f->s, h, data, 2, &to), 2);
        EXPECT(fx_out(f));
        EXPECT(!fx_is(f, "udp.checksum == 0"));
        seen = fx_is(f, "udp.checksum == 0xffff");
        EXPECT(!seen || fx_is(f, "udp.checksum.status == 1"));
    }
    EXPECT(seen);
    fx_free(f);
}

TEST("without a checksum: IPv4 takes and sends it when asked, IPv6 refuses")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_DUAL, NULL, 7);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    COVERS("768-1 8200-UDP");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1000>7 csum=0 / \"bare\"");
    expect_text(f, h, "bare");
    EXPECT_DROP(f, UDP_NO_CSUM,
                fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>7 csum=0 / \"x\""));
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_NO_CSUM, 1), 0);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "udp.checksum == 0");
    to.peer.addr = fx_addr("2001:db8::2");
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "udp.checksum.status == 1 && ipv6");
    fx_free(f);
}

TEST("one wrong bit anywhere in a datagram drops it and changes nothing else")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    COVERS("1122-4.1.3.4");
    for (size_t bit = 34 * 8; bit < (42 + 5) * 8; bit++) {
        fx_craft(f, f->nif, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1000>7 / \"hello\"");
        f->frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint64_t before = fx_drops_all(f);
        fx_in_bytes(f, f->nif, f->frame, f->frame_n);
        EXPECT_EQ(fx_drops_all(f), before + 1);
        expect_nothing(f, h);
        EXPECT_QUIET(f);
    }
    EXPECT_DROPPED(&f->s->env, DROP_UDP_CSUM);
    fx_free(f);
}

TEST("the length field decides: below 8 or beyond the packet is dropped, what follows it is ignored")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    COVERS("768-2 S4");
    EXPECT_DROP(f, UDP_LEN, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 len=7 csum=0 / \"x\""));
    EXPECT_DROP(f, UDP_LEN, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 len=0 csum=0 / \"x\""));
    EXPECT_DROP(f, UDP_LEN, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 len=99 csum=0 / \"x\""));
    EXPECT_DROP(f, UDP_SHORT, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 proto=17 / hex 00 01 00 07"));
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 len=10 csum=0 / \"hello\"");
    expect_text(f, h, "he");
    fx_free(f);
}

TEST("port 0 is nobody's")
{
    struct fx *f = pair();
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 0}};
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    EXPECT_DROP(f, UDP_PORT_0, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>0 / \"x\""));
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), ORIEL_ENOTCONN);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a closed port answers with port unreachable, in both families")
{
    struct fx *f = pair();
    COVERS("1122-4.1.3.1 4443-5");
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>99 / \"x\""));
    EXPECT_OUT(f, "icmp.type == 3 && icmp.code == 3 && ip.dst == 10.0.0.2");
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>99 / \"x\""));
    EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 4");
    fx_free(f);
}

TEST("a connected socket hears only its peer, and is preferred to one that hears everybody")
{
    struct fx *f = pair();
    oriel_handle all = udp_at(f, ORIEL_IP4, NULL, 7), one;
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.2"), .port = 1000};
    EXPECT_EQ(oriel_setopt(f->s, all, ORIEL_OPT_REUSEADDR, 1), ORIEL_EINVAL);   /* bound already */
    EXPECT_EQ(oriel_close(f->s, all), 0);
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &all), 0);
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &one), 0);
    EXPECT_EQ(oriel_setopt(f->s, all, ORIEL_OPT_REUSEADDR, 1), 0);
    EXPECT_EQ(oriel_setopt(f->s, one, ORIEL_OPT_REUSEADDR, 1), 0);
    EXPECT_EQ(oriel_bind(f->s, all, &(struct oriel_endpoint){.port = 7}), 0);
    EXPECT_EQ(oriel_bind(f->s, one, &(struct oriel_endpoint){.port = 7}), 0);
    struct oriel_endpoint own = {0};
    EXPECT_EQ(oriel_local(f->s, one, &own), 0);
    EXPECT(addr_is_unspecified(&own.addr));
    EXPECT_EQ(oriel_connect(f->s, one, &peer), 0);
    EXPECT_EQ(oriel_local(f->s, one, &own), 0);
    struct oriel_addr mine = fx_addr("10.0.0.1");
    EXPECT(addr_eq(&own.addr, &mine) && own.port == 7);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1000>7 / \"peer\"");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1001>7 / \"other\"");
    expect_text(f, one, "peer");
    expect_nothing(f, one);
    expect_text(f, all, "other");
    EXPECT_EQ(oriel_send(f->s, one, "hi", 2, NULL), 2);
    EXPECT_OUT(f, "udp.srcport == 7 && udp.dstport == 1000");
    EXPECT_EQ(oriel_connect(f->s, one, &(struct oriel_endpoint){.addr = ADDR_NONE}), 0);
    EXPECT_EQ(oriel_send(f->s, one, "hi", 2, NULL), ORIEL_ENOTCONN);
    fx_free(f);
}

TEST("an ICMP error goes to the connected socket that sent the packet, and to nobody else")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 5000);
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.2"), .port = 9};
    struct oriel_error_info e;
    int64_t err;
    char buf[4];
    COVERS("1122-4.1.3.3 1122-3.2.2d 1122-3.2.2.1 4443-5");
    EXPECT_EQ(oriel_connect(f->s, h, &peer), 0);
    EXPECT_EQ(oriel_last_error(f->s, h, &e), ORIEL_ENOENT);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=port / "
             "ip src=10.0.0.1 dst=10.0.0.2 / udp 5000>9 / \"x\"");
    EXPECT(oriel_ready(f->s, h) & ORIEL_FAILED);
    EXPECT_EQ(oriel_recv(f->s, h, buf, 4, NULL), ORIEL_ECONNREFUSED);
    EXPECT_EQ(oriel_recv(f->s, h, buf, 4, NULL), ORIEL_EAGAIN);         /* told once */
    EXPECT_EQ(oriel_last_error(f->s, h, &e), 0);
    EXPECT(e.icmp_type == 3 && e.icmp_code == 3 && e.from_net && e.to.port == 9 && e.count == 1);
    EXPECT_DROP(f, ICMP_NOT_OURS,
                fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=port / "
                         "ip src=10.0.0.1 dst=10.0.0.2 / udp 5001>9 / \"x\""));
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_ERROR, &err), 0);
    EXPECT_EQ(err, 0);
    fx_free(f);
}

TEST("time exceeded and parameter problem reach the sender as errors of their own")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_DUAL, NULL, 5000);
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.2"), .port = 9};
    int64_t err;
    COVERS("1122-3.2.2.4 1122-4.1.3.3 4443-1");
    EXPECT_EQ(oriel_connect(f->s, h, &peer), 0);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp type=11 code=0 / "
             "ip src=10.0.0.1 dst=10.0.0.2 / udp 5000>9 / \"x\"");
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_ERROR, &err), 0);
    EXPECT_EQ(err, ORIEL_EHOSTUNREACH);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp type=12 code=0 / "
             "ip src=10.0.0.1 dst=10.0.0.2 / udp 5000>9 / \"x\"");
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_ERROR, &err), 0);
    EXPECT_EQ(err, ORIEL_EPROTO);
    fx_free(f);
}

TEST("a neighbour that does not answer becomes an error of the socket")
{
    struct fx *f = pair();
    oriel_handle h;
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.77"), .port = 9};
    int64_t err;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_connect(f->s, h, &peer), 0);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, NULL), 1);
    fx_run(f, 4 * NS_PER_S);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_ERROR, &err), 0);
    EXPECT_EQ(err, ORIEL_EHOSTUNREACH);
    fx_free(f);
}

TEST("a socket whose buffer is full drops what comes, counted, and goes on when it was read")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    char buf[16];
    unsigned got = 0;
    COVERS("INV-6");
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_RCVBUF, 8192), 0);
    for (int i = 0; i < 100; i++)
        fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"x\"");
    EXPECT_DROPPED(&f->s->env, DROP_SOCK_RCVBUF);
    while (oriel_recv(f->s, h, buf, sizeof(buf), NULL) == 1)
        got++;
    EXPECT(got > 1 && got < 100);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"y\"");
    expect_text(f, h, "y");
    fx_free(f);
}

TEST("closing a socket drops what nobody read")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"x\"");
    EXPECT_DROP(f, SOCK_CLOSED, EXPECT_EQ(oriel_close(f->s, h), 0));
    EXPECT_EQ(oriel_close(f->s, h), ORIEL_EBADF);
    fx_free(f);
}

TEST("a port is taken once per address, unless both say that they share it")
{
    struct fx *f = pair();
    oriel_handle a = udp_at(f, ORIEL_IP4, "10.0.0.1", 7), b, six;
    struct oriel_endpoint any = {.port = 7}, here = {.addr = fx_addr("10.0.0.1"), .port = 7};
    (void)a;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &b), 0);
    EXPECT_EQ(oriel_bind(f->s, b, &any), ORIEL_EADDRINUSE);
    EXPECT_EQ(oriel_bind(f->s, b, &here), ORIEL_EADDRINUSE);
    here.addr = fx_addr("10.9.9.9");
    EXPECT_EQ(oriel_bind(f->s, b, &here), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP6, &six), 0);
    EXPECT_EQ(oriel_bind(f->s, six, &any), 0);          /* another family */
    here.addr = fx_addr("10.0.0.1");
    EXPECT_EQ(oriel_bind(f->s, six, &here), ORIEL_EAFNOSUPPORT);
    fx_free(f);
}

TEST("ports that are chosen are ephemeral, all different, and do not follow one another")
{
    struct fx *f = pair();
    uint16_t seen[200];
    unsigned neighbours = 0;
    COVERS("6056-1 S15");
    for (unsigned i = 0; i < 200; i++) {
        oriel_handle h;
        struct oriel_endpoint e;
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
        EXPECT_EQ(oriel_bind(f->s, h, &(struct oriel_endpoint){.port = 0}), 0);
        EXPECT_EQ(oriel_local(f->s, h, &e), 0);
        seen[i] = e.port;
        EXPECT(e.port >= UDP_PORT_EPHEMERAL_MIN && e.port <= UDP_PORT_EPHEMERAL_MAX);
        for (unsigned k = 0; k < i; k++)
            EXPECT(seen[k] != e.port);
        neighbours += i > 0 && abs((int)seen[i] - (int)seen[i - 1]) < 4;
    }
    EXPECT(neighbours < 5);
    fx_free(f);
}

TEST("broadcast is sent only by who may, and heard by every socket on the port")
{
    struct fx *f = pair();
    oriel_handle a = udp_at(f, ORIEL_IP4, "10.0.0.1", 7), b;
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.255"), .port = 9}};
    EXPECT_EQ(oriel_send(f->s, a, "x", 1, &to), ORIEL_EACCES);
    EXPECT_EQ(oriel_setopt(f->s, a, ORIEL_OPT_BROADCAST, 1), 0);
    EXPECT_EQ(oriel_send(f->s, a, "x", 1, &to), 1);
    EXPECT_OUT(f, "eth.dst == ff:ff:ff:ff:ff:ff && ip.dst == 10.0.0.255");
    to.peer.addr = fx_addr("255.255.255.255");
    EXPECT_EQ(oriel_send(f->s, a, "x", 1, &to), 1);
    EXPECT_OUT(f, "eth.dst == ff:ff:ff:ff:ff:ff && ip.dst == 255.255.255.255");
    b = udp_at(f, ORIEL_IP4, NULL, 8);
    COVERS("1122-3.3.6");
    fx_in(f, "eth dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:02 / "
             "ip src=10.0.0.2 dst=10.0.0.255 / udp 1>8 / \"all\"");
    expect_text(f, b, "all");
    EXPECT_DROP(f, UDP_GROUP_UNJOINED,
                fx_in(f, "eth dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:02 / "
                         "ip src=10.0.0.2 dst=10.0.0.255 / udp 1>99 / \"all\""));
    EXPECT_QUIET(f);                    /* and no ICMP error about a broadcast */
    fx_free(f);
}

TEST("every member of a group hears a datagram, others on the same port do not")
{
    struct fx *f = pair();
    oriel_handle h[3];
    struct oriel_addr group = fx_addr("239.1.2.3");
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h[i]), 0);
        EXPECT_EQ(oriel_setopt(f->s, h[i], ORIEL_OPT_REUSEADDR, 1), 0);
        EXPECT_EQ(oriel_bind(f->s, h[i], &(struct oriel_endpoint){.port = 7}), 0);
    }
    EXPECT_EQ(oriel_group_join(f->s, h[0], f->nif, &group, true, NULL, 0), 0);
    EXPECT_EQ(oriel_group_join(f->s, h[1], f->nif, &group, true, NULL, 0), 0);
    fx_in(f, "ip src=10.0.0.2 dst=239.1.2.3 / udp 1>7 / \"group\"");
    expect_text(f, h[0], "group");
    expect_text(f, h[1], "group");
    expect_nothing(f, h[2]);
    EXPECT_EQ(oriel_group_leave(f->s, h[0], f->nif, &group), 0);
    EXPECT_EQ(oriel_close(f->s, h[1]), 0);
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip src=10.0.0.2 dst=239.1.2.3 / udp 1>7 / \"group\""));
    fx_free(f);
}

TEST("a source filter lets through only whom the member wants")
{
    struct fx *f = pair();
    struct oriel_addr group = fx_addr("232.1.2.3"), want = fx_addr("10.0.0.2");
    struct oriel_addr many[MCAST_SOURCES_MAX + 1];
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    COVERS("3376-4");
    EXPECT_EQ(oriel_group_join(f->s, h, f->nif, &group, false, &want, 1), 0);
    fx_in(f, "ip src=10.0.0.2 dst=232.1.2.3 / udp 1>7 / \"yes\"");
    expect_text(f, h, "yes");
    fx_in(f, "ip src=10.0.0.3 dst=232.1.2.3 / udp 1>7 / \"no\"");
    expect_nothing(f, h);
    for (unsigned i = 0; i < ARRAY_LEN(many); i++)
        many[i] = addr_v4(0x0a000100 + i);
    EXPECT_EQ(oriel_group_join(f->s, h, f->nif, &group, true, many, MCAST_SOURCES_MAX), 0);
    EXPECT_EQ(oriel_group_join(f->s, h, f->nif, &group, true, many, MCAST_SOURCES_MAX + 1),
              ORIEL_ENOBUFS);
    fx_free(f);
}

TEST("what is sent to a group leaves with hop count 1, and our own members hear it unless told not to")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    struct oriel_addr group = fx_addr("239.1.2.3");
    struct oriel_msg to = {.peer = {.addr = group, .port = 7}};
    EXPECT_EQ(oriel_group_join(f->s, h, f->nif, &group, true, NULL, 0), 0);
    EXPECT_EQ(oriel_send(f->s, h, "me", 2, &to), 2);
    EXPECT_OUT(f, "ip.ttl == 1 && eth.dst == 01:00:5e:01:02:03");
    fx_run(f, NS_PER_MS);
    expect_text(f, h, "me");
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_MCAST_LOOP, 0), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_MCAST_TTL, 5), 0);
    EXPECT_EQ(oriel_send(f->s, h, "me", 2, &to), 2);
    EXPECT_OUT(f, "ip.ttl == 5");
    fx_run(f, NS_PER_MS);
    expect_nothing(f, h);
    fx_free(f);
}

TEST("TTL, TOS and the source address can be chosen for a socket and for one datagram")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    COVERS("1122-4.1.4 1122-3.2.1.6 1122-3.2.1.7 1122-4.1.3.5 1122-4.1.3.6");
    fx_add_addr(f, f->nif, "10.0.0.5/24");
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_TTL, 7), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_TOS, 0x10), 0);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 7 && ip.dsfield == 0x10 && ip.src == 10.0.0.1");
    to.ttl = 3;
    to.tos = 0x20;
    to.local = fx_addr("10.0.0.5");
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 3 && ip.dsfield == 0x20 && ip.src == 10.0.0.5");
    to.local = fx_addr("10.0.0.6");
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), ORIEL_EADDRNOTAVAIL);
    fx_free(f);
}

TEST("larger than the path: cut in pieces, or refused when the socket says never")
{
    struct fx *f = pair();
    static uint8_t data[3000];
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    COVERS("1122-3.3.3");
    EXPECT_EQ(oriel_send(f->s, h, data, sizeof(data), &to), 3000);
    EXPECT_OUT(f, "ip.flags.mf == 1 && ip.frag_offset == 0 && ip.flags.df == 0");
    EXPECT_OUT(f, "ip.flags.mf == 1 && ip.frag_offset == 185");
    EXPECT_OUT(f, "ip.flags.mf == 0 && ip.frag_offset == 370");
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_DF, 1), 0);
    EXPECT_EQ(oriel_send(f->s, h, data, sizeof(data), &to), ORIEL_EMSGSIZE);
    EXPECT_EQ(oriel_send(f->s, h, data, 1472, &to), 1472);
    EXPECT_OUT(f, "ip.flags.df == 1 && ip.len == 1500");
    EXPECT_EQ(oriel_send(f->s, h, data, 1473, &to), ORIEL_EMSGSIZE);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the largest datagram of each family is sent, one byte more is refused")
{
    struct fx *f = pair();
    static uint8_t data[65536];
    oriel_handle h = udp_at(f, ORIEL_DUAL, NULL, 7);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    EXPECT_EQ(oriel_send(f->s, h, data, 65507, &to), 65507);
    EXPECT_EQ(oriel_send(f->s, h, data, 65508, &to), ORIEL_EMSGSIZE);
    to.peer.addr = fx_addr("2001:db8::2");
    EXPECT_EQ(oriel_send(f->s, h, data, 65527, &to), 65527);
    EXPECT_EQ(oriel_send(f->s, h, data, 65528, &to), ORIEL_EMSGSIZE);
    fx_free(f);
}

TEST("fragmentation needed lowers the path MTU of the socket that sent it, and only then")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 5000);
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.2"), .port = 9};
    int64_t mtu;
    COVERS("1191-1 1191-2 5927-1");
    EXPECT_EQ(oriel_connect(f->s, h, &peer), 0);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=4 mtu=1000 / "
             "ip src=10.0.0.1 dst=10.0.0.2 df len=1500 / udp 4999>9 / \"x\"");
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &mtu), 0);
    EXPECT_EQ(mtu, 1500);               /* not a flow of ours */
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=4 mtu=1000 / "
             "ip src=10.0.0.1 dst=10.0.0.2 df len=1500 / udp 5000>9 / \"x\"");
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &mtu), 0);
    EXPECT_EQ(mtu, 1000);
    fx_run(f, 601 * NS_PER_S);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &mtu), 0);
    EXPECT_EQ(mtu, 1500);               /* forgotten after ten minutes */
    fx_free(f);
}

TEST("a socket bound to an interface hears nothing from another")
{
    struct fx *f = pair();
    int second = fx_netif(f, &(struct oriel_netif_config){.name = "if9"});
    oriel_handle h;
    fx_add_addr(f, second, "10.0.9.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_BIND_NETIF, second), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &(struct oriel_endpoint){.port = 7}), 0);
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"x\""));
    (void)fx_skip(f);
    fx_in_on(f, second, "ip src=10.0.9.2 dst=10.0.9.1 / udp 1>7 / \"y\"");
    expect_text(f, h, "y");
    fx_free(f);
}

TEST("a datagram to an address of our own never leaves")
{
    struct fx *f = fx_new(.no_netif = true);
    oriel_handle h;
    struct oriel_msg to = {.peer = {.addr = fx_addr("127.0.0.1"), .port = 7}};
    int lo = oriel_netif_add(f->s, &(struct oriel_netif_config){.name = "lo",
                                                                .kind = ORIEL_NETIF_LOOPBACK});
    EXPECT(lo > 0);
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &(struct oriel_endpoint){.port = 7}), 0);
    EXPECT_EQ(oriel_send(f->s, h, "four", 4, &to), 4);
    to.peer.addr = fx_addr("::1");
    EXPECT_EQ(oriel_send(f->s, h, "six", 3, &to), 3);
    EXPECT_EQ(oriel_next_deadline(f->s), f->s->env.now);
    fx_run(f, NS_PER_MS);
    expect_text(f, h, "four");
    expect_text(f, h, "six");
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- what is remembered from one datagram to the next ---- */

static void in_text(struct fx *f, const char *from, unsigned port, const char *text)
{
    fx_in(f, fx_line("ip src=%s dst=10.0.0.1 / udp %u>7 / \"%s\"", from, port, text));
}

TEST("a source chosen for one datagram is not that of the next")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 5000);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    fx_add_addr(f, f->nif, "10.0.0.7/24");
    for (unsigned i = 0; i < 3; i++) {
        to.local = fx_addr("10.0.0.7");
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
        EXPECT_OUT(f, "ip.src == 10.0.0.7 && udp.checksum.status == 1");
        to.local = ADDR_NONE;
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
        EXPECT_OUT(f, "ip.src == 10.0.0.1 && udp.checksum.status == 1");
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
        EXPECT_OUT(f, "ip.src == 10.0.0.1 && udp.checksum.status == 1");
    }
    fx_free(f);
}

TEST("a path for which no source was found is not taken the second time either")
{
    struct fx *f = fx_new(.netif = {.no_dad = true});
    struct oriel_addr net = fx_addr("10.0.0.0");
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 5000);
    EXPECT_EQ(oriel_route_add(f->s, &net, 120, NULL, f->nif, 0), 0);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), ORIEL_EADDRNOTAVAIL);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the second datagram to a peer is the first one again, but for what it says")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_DUAL, NULL, 5000);
    static const char *const peers[] = {"10.0.0.2", "2001:db8::2"};
    static char data[1500];
    for (unsigned k = 0; k < 2; k++) {
        struct oriel_msg to = {.peer = {.addr = fx_addr(peers[k]), .port = 9}};
        for (unsigned n = 0; n <= 1400; n += n < 70 ? 1 : 133) {
            uint8_t first[1600];
            memset(data, 'a' + (int)(n % 26), n);
            EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_TTL, 0), 0);      /* forget */
            EXPECT_EQ(oriel_send(f->s, h, data, n, &to), (int)n);
            EXPECT(fx_out(f));
            size_t first_n = f->frame_n;
            memcpy(first, f->frame, first_n);
            EXPECT_EQ(oriel_send(f->s, h, data, n, &to), (int)n);
            EXPECT_OUT(f, "udp.checksum.status == 1");
            EXPECT_EQ(f->frame_n, first_n);
            EXPECT_MEM(f->frame, first, first_n);
        }
    }
    fx_free(f);
}

TEST("what is set or said of a datagram holds for it at once, and for the next no longer")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 5000);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 64 && ip.dsfield == 0");
    to.ttl = 9;
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 9");
    to.ttl = 0, to.tos = 0x28;
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 64 && ip.dsfield == 0x28");
    to.tos = 0;
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 64 && ip.dsfield == 0");
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_TTL, 17), 0);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 17");
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_NO_CSUM, 1), 0);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.ttl == 17 && udp.checksum == 0");
    fx_free(f);
}

TEST("an address that is taken away is no source of the next datagram")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 5000);
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    struct oriel_addr one = fx_addr("10.0.0.1");
    fx_add_addr(f, f->nif, "10.0.0.7/24");
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.src == 10.0.0.1");
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &one), 0);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &to), 1);
    EXPECT_OUT(f, "ip.src == 10.0.0.7");
    fx_free(f);
}

TEST("a datagram goes where the one before went only while nobody fits it better")
{
    struct fx *f = pair();
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.2"), .port = 1000};
    oriel_handle all, here, one;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &all), 0);
    EXPECT_EQ(oriel_setopt(f->s, all, ORIEL_OPT_REUSEADDR, 1), 0);
    EXPECT_EQ(oriel_bind(f->s, all, &(struct oriel_endpoint){.port = 7}), 0);
    in_text(f, "10.0.0.2", 1000, "a");
    in_text(f, "10.0.0.2", 1000, "b");
    expect_text(f, all, "a");
    expect_text(f, all, "b");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &here), 0);
    EXPECT_EQ(oriel_setopt(f->s, here, ORIEL_OPT_REUSEADDR, 1), 0);
    EXPECT_EQ(oriel_bind(f->s, here,
                         &(struct oriel_endpoint){.addr = fx_addr("10.0.0.1"), .port = 7}), 0);
    in_text(f, "10.0.0.2", 1000, "c");
    expect_text(f, here, "c");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &one), 0);
    EXPECT_EQ(oriel_setopt(f->s, one, ORIEL_OPT_REUSEADDR, 1), 0);
    EXPECT_EQ(oriel_bind(f->s, one, &(struct oriel_endpoint){.port = 7}), 0);
    EXPECT_EQ(oriel_connect(f->s, one, &peer), 0);
    in_text(f, "10.0.0.2", 1000, "d");
    in_text(f, "10.0.0.2", 1001, "e");
    expect_text(f, one, "d");
    expect_text(f, here, "e");
    EXPECT_EQ(oriel_connect(f->s, one, &(struct oriel_endpoint){.port = 0}), 0);
    in_text(f, "10.0.0.2", 1000, "f");
    expect_text(f, here, "f");
    EXPECT_EQ(oriel_close(f->s, here), 0);
    in_text(f, "10.0.0.2", 1000, "g");
    expect_text(f, all, "g");
    EXPECT_EQ(oriel_close(f->s, one), 0);
    EXPECT_EQ(oriel_close(f->s, all), 0);
    EXPECT_DROP(f, UDP_NO_PORT, in_text(f, "10.0.0.2", 1000, "h"));
    fx_free(f);
}

TEST("a hundred peers at once each have their datagrams, and none of another's")
{
    struct fx *f = pair();
    oriel_handle h[100];
    for (unsigned i = 0; i < 100; i++)
        h[i] = udp_at(f, ORIEL_IP4, NULL, (uint16_t)(100 + i));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 100; i++)
            fx_in(f, fx_line("ip src=10.0.0.%u dst=10.0.0.1 / udp 9>%u / \"%u\"", 2 + i % 50,
                             100 + i, i));
        for (unsigned i = 0; i < 100; i++)
            expect_text(f, h[i], fx_line("%u", i));
    }
    fx_free(f);
}

TEST("one wrong bit in the second datagram of a flow drops it, whatever its length")
{
    struct fx *f = pair();
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 7);
    for (unsigned fill = 1; fill < 1400; fill = fill * 2 + 1) {
        fx_craft(f, f->nif, fx_line("ip src=10.0.0.2 dst=10.0.0.1 / udp 1000>7 / fill %u", fill));
        fx_in_bytes(f, f->nif, f->frame, f->frame_n);
        char buf[1400];
        EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), NULL), (int)fill);
        for (size_t at = 40; at < 42 + fill; at += at < 80 ? 1 : 97) {
            f->frame[at] ^= 0x10;
            EXPECT_DROP(f, UDP_CSUM, fx_in_bytes(f, f->nif, f->frame, f->frame_n));
            f->frame[at] ^= 0x10;
        }
        expect_nothing(f, h);
        fx_in_bytes(f, f->nif, f->frame, f->frame_n);
        EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), NULL), (int)fill);
    }
    fx_free(f);
}

TEST("who has no address yet speaks from 0.0.0.0 to the link, and hears what everybody hears")
{
    struct fx *f = fx_new(.netif = {.mtu = 1500});
    struct oriel_netif_config other = {.mtu = 1500};
    int second = fx_netif(f, &other);
    struct oriel_msg to = {.peer = {.addr = ADDR_V4_BCAST, .port = 67}, .local = ADDR_V4_ANY};
    COVERS("1122-3.2.1.3a 2131-2");
    fx_add_addr(f, second, "10.0.0.1/24");      /* that is no source for the first one's link */
    fx_run(f, 3 * NS_PER_S);
    (void)fx_skip(f);
    oriel_handle h = udp_at(f, ORIEL_IP4, NULL, 68);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_BIND_NETIF, f->nif), 0);
    EXPECT_EQ(oriel_send(f->s, h, "hello", 5, &to), ORIEL_EACCES);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_BROADCAST, 1), 0);
    EXPECT_EQ(oriel_send(f->s, h, "hello", 5, &to), 5);
    EXPECT_OUT(f, "ip.src == 0.0.0.0 && ip.dst == 255.255.255.255 && udp.srcport == 68 && "
                  "eth.dst == ff:ff:ff:ff:ff:ff && udp.checksum.status == 1");
    EXPECT_EQ(f->out_nif, f->nif);
    to.peer.addr = fx_addr("10.0.0.9");         /* but to nobody else */
    EXPECT_EQ(oriel_send(f->s, h, "hello", 5, &to), ORIEL_ENETUNREACH);
    fx_in(f, "eth dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:02 / ip src=10.0.0.9 "
             "dst=255.255.255.255 / udp 67>68 / \"offer\"");
    expect_text(f, h, "offer");
    oriel_handle any = udp_at(f, ORIEL_IP4, NULL, 1068);
    EXPECT_EQ(oriel_setopt(f->s, any, ORIEL_OPT_BROADCAST, 1), 0);
    to.peer.addr = ADDR_V4_BCAST;               /* no interface is named: a source is chosen */
    EXPECT_EQ(oriel_send(f->s, any, "hello", 5, &to), 5);
    EXPECT_OUT(f, "ip.src == 10.0.0.1");
    fx_free(f);
}
