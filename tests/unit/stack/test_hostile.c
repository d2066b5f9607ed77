/* What somebody who means harm, or sheer bad luck, may do to a whole stack. */
#include "fx_stack.h"

/* Neighbours that stay, until the table has no more places. */
static void fill_neighbours(struct fx *f)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x77};
    struct oriel_addr a = fx_addr("10.0.0.100");
    for (; f->s->ip.neigh.pool.live < f->s->ip.neigh.pool.cap; a.lo++)
        EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &a, mac), 0);
}

TEST("the neighbour whose place the error about the first piece takes is not asked for the second")
{
    struct fx *f = fx_new(.stack = {.forward4 = true, .memory_bytes = 2u << 20});
    int out = fx_netif(f, &(struct oriel_netif_config){.mtu = 576});
    fx_add_addr(f, f->nif, "10.0.0.1/20");
    fx_add_addr(f, out, "10.0.16.1/24");
    fx_in(f, "ip src=10.0.0.77 dst=10.0.16.2 / udp 1>2 / fill 10");
    fx_run(f, 4 * NS_PER_S);
    EXPECT_STR(fx_neigh_state(f, out, "10.0.16.2"), "failed");
    fill_neighbours(f);
    uint64_t before = fx_drops_all(f);
    fx_in(f, "ip src=10.0.0.78 dst=10.0.16.2 / udp 1>2 / fill 1400");
    EXPECT_STR(fx_neigh_state(f, out, "10.0.16.2"), "none");
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.78"), "incomplete");
    EXPECT_EQ(fx_neigh(f, f->nif, "10.0.0.78")->waiting.n, 1);
    EXPECT_EQ(fx_drops_all(f), before + 3);     /* of each piece one; none waits for a stranger */
    EXPECT(fx_drops(f, DROP_NEIGH_TABLE_FULL) == 2);
    fx_free(f);
}

TEST("a datagram for the translator itself may come in pieces")
{
    struct fx *f = fx_new(.stack = {.forward4 = true}, .netif = {.nat = true});
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
    struct oriel_addr peer = fx_addr("10.0.0.2");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &peer, mac), 0);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 id=7 mf proto=udp / hex 0001000200180000 / fill 8");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 id=7 off=16 proto=udp / fill 8");
    EXPECT_OUT(f, "icmp.type == 3 && icmp.code == 3");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("our own link-local address can be talked to, with a loopback interface and without")
{
    for (unsigned loopback = 0; loopback < 2; loopback++) {
        struct fx *f = fx_new(.netif = {.no_dad = true});
        struct oriel_endpoint any = {.port = 9};
        char buf[8];
        struct oriel_msg m;
        if (loopback)
            (void)fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_LOOPBACK});
        fx_add_addr(f, f->nif, "fe80::1/64");
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP6, &f->udp), 0);
        EXPECT_EQ(oriel_bind(f->s, f->udp, &any), 0);
        EXPECT_EQ(fx_send(f, fx_line("fe80::1%%%d", f->nif), "hello"), 5);
        fx_run(f, 1);
        EXPECT_EQ(oriel_recv(f->s, f->udp, buf, sizeof(buf), &m), 5);
        EXPECT_EQ(m.netif, f->nif);
        EXPECT_EQ(m.peer.addr.zone, f->nif);
        EXPECT_EQ(fx_drops_all(f), 0);
        fx_free(f);
    }
}

TEST("an error of one family says nothing about packets of the other")
{
    struct fx *f = fx_host6();
    struct oriel_endpoint to = {.addr = fx_addr("2001:db8::9"), .port = 9};
    struct oriel_endpoint from = {.port = 5};
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &f->udp), 0);
    EXPECT_EQ(oriel_bind(f->s, f->udp, &from), 0);
    EXPECT_EQ(oriel_connect(f->s, f->udp, &to), 0);
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp unreachable code=3 / "
                         "ip6 src=2001:db8::1 dst=2001:db8::9 / udp 5>9"));
    EXPECT_EQ(oriel_ready(f->s, f->udp) & ORIEL_FAILED, 0);
    to.addr = fx_addr("10.0.0.9");
    EXPECT_EQ(oriel_connect(f->s, f->udp, &to), 0);
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 unreachable code=4 / "
                         "ip src=10.0.0.1 dst=10.0.0.9 / udp 5>9"));
    EXPECT_EQ(oriel_ready(f->s, f->udp) & ORIEL_FAILED, 0);
    fx_free(f);
}

TEST("packets for many that do not answer leave memory for everybody else")
{
    struct fx *f = fx_new(.stack = {.forward4 = true, .memory_bytes = 4u << 20});
    int out = fx_netif(f, &(struct oriel_netif_config){0});
    uint64_t worst = 0;
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_addr(f, out, "10.1.0.1/16");
    for (unsigned i = 2; i < 502; i++)
        for (unsigned k = 0; k < 9; k++) {
            fx_craft(f, f->nif, fx_line("ip src=10.0.0.2 dst=10.1.%u.%u / udp 1>2 / fill 1400",
                                        i / 250, 2 + i % 250));
            struct pkt *p = oriel_pkt_new(f->s, f->nif, f->frame, f->frame_n);
            if (!p)
                fail_msg("no memory left at address %u", i);
            fx_step(f, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1});
            worst = f->s->budget.used > worst ? f->s->budget.used : worst;
            (void)fx_skip(f);
        }
    EXPECT(worst < f->s->budget.max / 2);
    /* And who answers is found all the same. */
    fx_in(f, "ip src=10.0.0.2 dst=10.1.99.9 / udp 1>2 / fill 1400");
    EXPECT_OUT(f, "arp.opcode == 1");
    fx_free(f);
}

TEST("what waits for a socket is charged as it is, also where it came to everybody")
{
    struct fx *f = fx_new(.stack = {.memory_bytes = 4u << 20});
    struct oriel_endpoint any = {.port = 9};
    oriel_handle udp, raw;
    struct pool *frames = &f->s->own_mem.blks[BLK_FRAME];
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &udp), 0);
    EXPECT_EQ(oriel_bind(f->s, udp, &any), 0);
    for (unsigned i = 0; i < 300; i++)
        fx_in(f, "eth dst=ff:ff:ff:ff:ff:ff / ip src=10.0.0.2 dst=10.0.0.255 / udp 5>9 / "
                 "fill 1400");
    EXPECT(frames->live > 50);
    EXPECT(frames->live * (uint64_t)frames->size <= UDP_RCVBUF_DEFAULT);
    EXPECT(f->s->budget.used >= frames->live * (uint64_t)frames->size);
    uint32_t before = frames->live;
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &raw), 0);
    for (unsigned i = 0; i < 300; i++)
        fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo-reply id=1 seq=1 / fill 1400");
    EXPECT((frames->live - before) * (uint64_t)frames->size <= UDP_RCVBUF_DEFAULT);
    fx_free(f);
}

TEST("who does not get his share of a datagram because memory is short is counted as a loss")
{
    struct fx *f = fx_new(.stack = {.memory_bytes = 4u << 20});
    struct oriel_endpoint any = {.port = 9};
    oriel_handle udp, raw;
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &udp), 0);
    EXPECT_EQ(oriel_bind(f->s, udp, &any), 0);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &raw), 0);
    uint64_t max = f->s->budget.max;
    for (unsigned i = 0; i < 2; i++) {
        fx_craft(f, f->nif, i ? "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo-reply id=1 seq=1"
                              : "eth dst=ff:ff:ff:ff:ff:ff / "
                                "ip src=10.0.0.2 dst=10.0.0.255 / udp 5>9");
        struct pkt *p = oriel_pkt_new(f->s, f->nif, f->frame, f->frame_n);
        f->s->budget.max = f->s->budget.used;
        EXPECT_DROP(f, NO_MEMORY, fx_step(f, f->s->env.now, &(struct pkt_batch){&p, 1}));
        f->s->budget.max = max;
    }
    fx_free(f);
}

TEST("the handle of a socket that was closed is not that of a later one for a long time")
{
    struct fx *f = fx_new(.no_netif = true);
    static oriel_handle seen[4000];
    for (unsigned i = 0; i < ARRAY_LEN(seen); i++) {
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &seen[i]), 0);
        EXPECT_EQ(oriel_close(f->s, seen[i]), 0);
        for (unsigned k = 0; k < i; k++)
            if (seen[k] == seen[i])
                fail_msg("the same again after %u others", i - k - 1);
    }
    fx_free(f);
}

TEST("a socket that has no path yet is not taken in when the generations begin again")
{
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    f->s->ip.gen = UINT32_MAX;
    ip_changed(&f->s->ip);
    EXPECT(f->s->ip.gen != 0);
    EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), 1);
    fx_free(f);
}

TEST("what is sent to ourselves over an interface that fills in checksums arrives")
{
    struct fx *f = fx_new(.netif = {.no_dad = true, .vouches = true});
    struct oriel_endpoint any = {.port = 9};
    char buf[8];
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP6, &f->udp), 0);
    EXPECT_EQ(oriel_bind(f->s, f->udp, &any), 0);
    EXPECT_EQ(fx_send(f, "2001:db8::1", "hello"), 5);
    fx_run(f, 1);
    EXPECT_EQ(oriel_recv(f->s, f->udp, buf, sizeof(buf), NULL), 5);
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

TEST("what an interface vouches for is not checked again; what it says nothing of is checked")
{
    struct fx *f = fx_new(.netif = {.no_dad = true, .vouches = true});
    struct oriel_endpoint any = {.port = 9};
    char buf[8];
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP6, &f->udp), 0);
    EXPECT_EQ(oriel_bind(f->s, f->udp, &any), 0);
    fx_craft(f, f->nif, "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 5>9 csum=7 / \"hello\"");
    struct pkt *p = oriel_pkt_new(f->s, f->nif, f->frame, f->frame_n);
    p->csum = CSUM_VERIFIED;
    fx_step(f, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1});
    EXPECT_EQ(oriel_recv(f->s, f->udp, buf, sizeof(buf), NULL), 5);
    EXPECT_DROP(f, UDP_CSUM, fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 5>9 csum=7 / \"hello\""));
    fx_free(f);
}

TEST("members on the loopback interface hear what is sent to their group once")
{
    for (unsigned i = 0; i < 2; i++) {
        struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_LOOPBACK});
        struct oriel_endpoint any = {.port = 9};
        struct oriel_addr group = fx_addr(i ? "ff02::99" : "224.1.1.1");
        char buf[8];
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &f->udp), 0);
        EXPECT_EQ(oriel_bind(f->s, f->udp, &any), 0);
        EXPECT_EQ(oriel_setopt(f->s, f->udp, ORIEL_OPT_MCAST_NETIF, f->nif), 0);
        EXPECT_EQ(oriel_group_join(f->s, f->udp, f->nif, &group, true, NULL, 0), 0);
        EXPECT_EQ(fx_send(f, i ? "ff02::99" : "224.1.1.1", "hello"), 5);
        fx_run(f, 1);
        EXPECT_EQ(oriel_recv(f->s, f->udp, buf, sizeof(buf), NULL), 5);
        EXPECT_EQ(oriel_recv(f->s, f->udp, buf, sizeof(buf), NULL), ORIEL_EAGAIN);
        fx_free(f);
    }
}

TEST("the largest datagram of each family reaches ourselves")
{
    static uint8_t data[UDP_DATA_MAX6], back[UDP_DATA_MAX6];
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_LOOPBACK});
    struct oriel_endpoint any = {.port = 9};
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &f->udp), 0);
    EXPECT_EQ(oriel_bind(f->s, f->udp, &any), 0);
    for (unsigned i = 0; i < 2; i++) {
        size_t n = i ? UDP_DATA_MAX6 : UDP_DATA_MAX4;
        struct oriel_msg m = {.peer = {.addr = fx_addr(i ? "::1" : "127.0.0.1"), .port = 9}};
        memset(data, 'a' + (int)i, sizeof(data));
        EXPECT_EQ(oriel_send(f->s, f->udp, data, n, &m), (int)n);
        fx_run(f, 1);
        EXPECT_EQ(oriel_recv(f->s, f->udp, back, sizeof(back), NULL), (int)n);
        EXPECT(memcmp(data, back, n) == 0);
    }
    fx_free(f);
}
