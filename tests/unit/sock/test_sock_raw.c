#include "fx_stack.h"

static struct fx *host(void)
{
    struct fx *f = fx_new(.netif = {.ip6 = true, .no_dad = true});
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

static const uint8_t echo4[12] = {8, 0, 0xde, 0xad, 0, 7, 0, 1, 'p', 'i', 'n', 'g'};
static const uint8_t echo6[12] = {128, 0, 0xde, 0xad, 0, 7, 0, 1, 'p', 'i', 'n', 'g'};

TEST("a message leaves with its checksum filled in, in both families")
{
    struct fx *f = host();
    oriel_handle h4, h6;
    struct oriel_msg to = {.peer = {.addr = fx_addr("10.0.0.2")}};
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &h4), 0);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP6, &h6), 0);
    EXPECT_EQ(oriel_send(f->s, h4, echo4, sizeof(echo4), &to), 12);
    EXPECT_OUT(f, "icmp.type == 8 && icmp.checksum.status == 1 && why == \"RAW_DATA\"");
    EXPECT_WHY(&f->s->env, WHY_RAW_DATA);
    to.peer.addr = fx_addr("2001:db8::2");
    EXPECT_EQ(oriel_send(f->s, h4, echo4, sizeof(echo4), &to), ORIEL_EAFNOSUPPORT);
    EXPECT_EQ(oriel_send(f->s, h6, echo6, sizeof(echo6), &to), 12);
    EXPECT_OUT(f, "icmpv6.type == 128 && icmpv6.checksum.status == 1");
    EXPECT_EQ(oriel_send(f->s, h6, echo6, 7, &to), ORIEL_EINVAL);
    EXPECT_EQ(oriel_send(f->s, h6, echo6, sizeof(echo6), NULL), ORIEL_ENOTCONN);
    fx_free(f);
}

TEST("an echo reply is heard by every socket of its family, whole")
{
    struct fx *f = host();
    oriel_handle a, b, six;
    struct oriel_msg m;
    uint8_t buf[64];
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &a), 0);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &b), 0);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP6, &six), 0);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 ttl=44 / icmp echo-reply id=7 seq=1 / \"ping\"");
    EXPECT_EQ(oriel_recv(f->s, a, buf, sizeof(buf), &m), 12);
    EXPECT(m.ttl == 44 && addr_to_v4(&m.peer.addr) == 0x0a000002);
    EXPECT_MEM(buf + 8, "ping", 4);
    EXPECT_EQ(oriel_recv(f->s, b, buf, sizeof(buf), NULL), 12);
    EXPECT_EQ(oriel_recv(f->s, six, buf, sizeof(buf), NULL), ORIEL_EAGAIN);
    fx_free(f);
}

TEST("a reply that nobody waits for is dropped with a reason")
{
    struct fx *f = host();
    EXPECT_DROP(f, RAW_NO_SOCKET,
                fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo-reply id=7 seq=1"));
    fx_free(f);
}

TEST("an error about an echo of ours comes to the socket as a message, with the quoted packet")
{
    struct fx *f = host();
    oriel_handle h;
    struct oriel_error_info e;
    uint8_t buf[128];
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &h), 0);
    fx_in(f, "ip src=10.0.0.9 dst=10.0.0.1 / icmp type=11 code=0 / "
             "ip src=10.0.0.1 dst=10.0.7.7 / icmp echo id=7 seq=3");
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), NULL), 36);
    EXPECT_EQ(buf[0], 11);
    EXPECT_EQ(oriel_last_error(f->s, h, &e), 0);
    EXPECT(e.icmp_type == 11 && addr_to_v4(&e.from) == 0x0a000009);
    fx_free(f);
}

TEST("a connected socket hears only its peer")
{
    struct fx *f = host();
    oriel_handle h;
    uint8_t buf[64];
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.2")}, bad = {.addr = fx_addr("::5")};
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_connect(f->s, h, &bad), ORIEL_EAFNOSUPPORT);
    EXPECT_EQ(oriel_connect(f->s, h, &peer), 0);
    EXPECT_EQ(oriel_send(f->s, h, echo4, sizeof(echo4), NULL), 12);
    EXPECT_OUT(f, "icmp.type == 8");
    EXPECT_DROP(f, RAW_NO_SOCKET,
                fx_in(f, "ip src=10.0.0.3 dst=10.0.0.1 / icmp echo-reply id=7 seq=1"));
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo-reply id=7 seq=1");
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof(buf), NULL), 8);
    fx_free(f);
}

TEST("a full socket drops what comes, counted")
{
    struct fx *f = host();
    oriel_handle h;
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_RCVBUF, 4096), 0);
    for (int i = 0; i < 64; i++)
        fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo-reply id=7 seq=1");
    EXPECT_DROPPED(&f->s->env, DROP_SOCK_RCVBUF);
    fx_free(f);
}
