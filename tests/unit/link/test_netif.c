#include "ip/fx_host.h"

#define PING "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo id=1 seq=1 / fill 8"

static int add(struct fx *f, const struct oriel_netif_config *cfg)
{
    return oriel_netif_add(f->s, cfg);
}

static int vlan(struct fx *f, int parent, uint16_t id, const char *name)
{
    return add(f, &(struct oriel_netif_config){.name = name, .kind = ORIEL_NETIF_VLAN,
                                               .vlan_parent = parent, .vlan_id = id});
}

static struct oriel_netif_info info_of(struct fx *f, int nif)
{
    struct oriel_netif_info i;
    for (uint32_t at = 0; oriel_netif_each(f->s, &at, &i);)
        if (i.netif == nif)
            return i;
    fail_msg("no interface %d", nif);
    return i;
}

/* ---- the table ---- */

TEST("an interface has a name of 1 to 15 characters that no other has")
{
    struct fx *f = fx_new();
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = NULL}), ORIEL_EINVAL);
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = ""}), ORIEL_EINVAL);
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = "sixteen-letters-"}), ORIEL_EINVAL);
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = "if1"}), ORIEL_EEXIST);
    int n = add(f, &(struct oriel_netif_config){.name = "fifteen-letters"});
    EXPECT(n > 0);
    EXPECT_STR(info_of(f, n).name, "fifteen-letters");
    EXPECT(netif_named(&f->s->link, span_str("fifteen-letters")) != NULL);
    EXPECT(netif_named(&f->s->link, span_str("fifteen-letter")) == NULL);
    fx_free(f);
}

TEST("a kind that does not exist is refused")
{
    struct fx *f = fx_new();
    struct oriel_netif_config c = {.name = "odd"};
    c.kind = (enum oriel_netif_kind)(ORIEL_NETIF_VLAN + 1);
    EXPECT_EQ(add(f, &c), ORIEL_EINVAL);
    fx_free(f);
}

TEST("an MTU lies between 68 and 65,535, and is 1,500 when nobody says")
{
    struct fx *f = fx_new();
    EXPECT_EQ(info_of(f, f->nif).mtu, 1500);
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = "a", .mtu = 67}), ORIEL_EINVAL);
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = "a", .mtu = 65536}), ORIEL_EINVAL);
    EXPECT(add(f, &(struct oriel_netif_config){.name = "a", .mtu = 68}) > 0);
    EXPECT(add(f, &(struct oriel_netif_config){.name = "b", .mtu = 65535}) > 0);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif, 67), ORIEL_EINVAL);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif, 65536), ORIEL_EINVAL);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, 99, 1500), ORIEL_ENOENT);
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif, 9000), 0);
    EXPECT_EQ(info_of(f, f->nif).mtu, 9000);
    fx_free(f);
}

TEST("the table of interfaces has an end, and a place that was left is taken again")
{
    struct fx *f = fx_new();
    char name[16];
    int n = 0, last = 0;
    for (;; n++) {
        snprintf(name, sizeof(name), "n%d", n);
        int err = add(f, &(struct oriel_netif_config){.name = name, .kind = ORIEL_NETIF_RAW});
        if (err == ORIEL_ENOBUFS)
            break;
        EXPECT(err > 0);
        last = err;
    }
    EXPECT_EQ(n + 1, f->s->link.max);
    EXPECT_EQ(oriel_netif_remove(f->s, last - 1), 0);
    EXPECT_EQ(oriel_netif_remove(f->s, last - 1), ORIEL_ENOENT);
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = "again", .kind = ORIEL_NETIF_RAW}),
              last - 1);
    fx_free(f);
}

/* ---- VLANs ---- */

TEST("a VLAN stands on an Ethernet interface or on one other VLAN, with an id of 1 to 4094")
{
    struct fx *f = fx_new();
    int raw = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_RAW});
    EXPECT_EQ(vlan(f, 0, 5, "v"), ORIEL_ENOENT);
    EXPECT_EQ(vlan(f, -1, 5, "v"), ORIEL_ENOENT);
    EXPECT_EQ(vlan(f, raw, 5, "v"), ORIEL_ENOENT);
    EXPECT_EQ(vlan(f, f->nif, 0, "v"), ORIEL_EINVAL);
    EXPECT_EQ(vlan(f, f->nif, 4095, "v"), ORIEL_EINVAL);
    int outer = vlan(f, f->nif, 4094, "v");
    EXPECT(outer > 0);
    EXPECT_EQ(vlan(f, f->nif, 4094, "w"), ORIEL_EEXIST);
    int inner = vlan(f, outer, 4094, "w");
    EXPECT(inner > 0);
    EXPECT_EQ(vlan(f, inner, 1, "x"), ORIEL_EINVAL);    /* a frame has two tags at most */
    struct oriel_netif_info i = info_of(f, inner);
    EXPECT_EQ(i.vlan_parent, outer);
    EXPECT_EQ(i.vlan_id, 4094);
    EXPECT_EQ(i.mtu, 1500);
    EXPECT_MEM(i.mac, info_of(f, f->nif).mac, 6);
    fx_free(f);
}

TEST("an interface with VLANs on top of it cannot be removed")
{
    struct fx *f = fx_new();
    int v = vlan(f, f->nif, 5, "v");
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), ORIEL_EEXIST);
    EXPECT_EQ(oriel_netif_remove(f->s, v), 0);
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), 0);
    fx_free(f);
}

TEST("a VLAN works only while everything below it does")
{
    struct fx *f = fx_new();
    int outer = vlan(f, f->nif, 10, "outer"), inner = vlan(f, outer, 20, "inner");
    const struct netif *n = netif_at(&f->s->link, (uint32_t)inner);
    fx_add_addr(f, inner, "10.0.0.1/24");
    fx_know(f, inner, "10.0.0.2", 2);
    EXPECT(netif_works(n));
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
    EXPECT(!netif_works(n));
    EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), ORIEL_ENETUNREACH);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, true), 0);
    EXPECT_EQ(oriel_netif_set_up(f->s, outer, false), 0);
    EXPECT(!netif_works(n));
    EXPECT_EQ(oriel_netif_set_up(f->s, outer, true), 0);
    EXPECT(netif_works(n));
    fx_know(f, inner, "10.0.0.2", 2); /* what was known of a link that was down is doubted */
    EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), 1);
    EXPECT_OUT(f, "vlan.id == 10 && vlan.id == 20 && ip.dst == 10.0.0.2");
    fx_free(f);
}

/* ---- up and down ---- */

TEST("an interface that is down neither hears nor speaks, and drops what waited")
{
    struct fx *f = fx_host();
    struct pkt *p = oriel_pkt_new(f->s, f->nif, "", 0);
    oriel_pkt_free(p);
    fx_craft(f, f->nif, PING);
    p = oriel_pkt_new(f->s, f->nif, f->frame, f->frame_n);
    oriel_step(f->s, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1});
    EXPECT_EQ(info_of(f, f->nif).tx_waiting, 1);
    EXPECT_DROP(f, LINK_DOWN, EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0));
    EXPECT_EQ(info_of(f, f->nif).tx_waiting, 0);
    EXPECT(!info_of(f, f->nif).up);
    EXPECT_DROP(f, LINK_DOWN, fx_in(f, PING));
    EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), ORIEL_ENETUNREACH);
    EXPECT_EQ(fx_send(f, "224.0.0.251", "x"), ORIEL_ENETUNREACH);
    EXPECT_QUIET(f);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, true), 0);
    fx_know(f, f->nif, "10.0.0.2", 2);
    fx_in(f, PING);
    EXPECT_OUT(f, "icmp.type == 0");
    fx_free(f);
}

TEST("losing the carrier is as good as being switched off, and both must be there")
{
    struct fx *f = fx_host();
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
    EXPECT_DROP(f, LINK_DOWN, fx_in(f, PING));
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, true), 0);
    EXPECT_DROP(f, LINK_DOWN, fx_in(f, PING));
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, true), 0);
    fx_know(f, f->nif, "10.0.0.2", 2);
    fx_in(f, PING);
    EXPECT_OUT(f, "icmp.type == 0");
    EXPECT_EQ(oriel_netif_set_up(f->s, 99, true), ORIEL_ENOENT);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, 99, true), ORIEL_ENOENT);
    fx_free(f);
}

TEST("a packet from an interface that was removed meanwhile is dropped")
{
    struct fx *f = fx_host();
    fx_craft(f, f->nif, PING);
    struct pkt *p = oriel_pkt_new(f->s, f->nif, f->frame, f->frame_n);
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), 0);
    EXPECT_DROP(f, LINK_DOWN, fx_step(f, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1}));
    EXPECT(oriel_pkt_new(f->s, f->nif, "x", 1) == NULL);
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, &p, 1), 0);
    fx_free(f);
}

/* ---- queues and counters ---- */

TEST("a full queue drops what comes last, and says so to who sent it")
{
    struct fx *f = fx_new(.netif = {.tx_queue = 2});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_know(f, f->nif, "10.0.0.2", 2);
    (void)fx_skip(f);
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    EXPECT_EQ(oriel_send(f->s, h, "a", 1, NULL), 1);
    EXPECT_EQ(oriel_send(f->s, h, "b", 1, NULL), 1);
    EXPECT_DROP(f, TX_QUEUE_FULL, EXPECT_EQ(oriel_send(f->s, h, "c", 1, NULL), ORIEL_ENOBUFS));
    EXPECT_EQ(info_of(f, f->nif).tx_full, 1);
    EXPECT_OUT(f, "udp && frame contains \"a\"");
    EXPECT_OUT(f, "udp && frame contains \"b\"");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("frames and bytes are counted both ways, and each frame knows why it was sent")
{
    struct fx *f = fx_host();
    struct oriel_netif_info was = info_of(f, f->nif);
    fx_craft(f, f->nif, PING);
    struct pkt *p = oriel_pkt_new(f->s, f->nif, f->frame, f->frame_n);
    oriel_step(f->s, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1});
    EXPECT_EQ(oriel_next_deadline(f->s), f->s->env.now);        /* there is work: take it */
    EXPECT_EQ(oriel_netif_take(f->s, f->nif, &p, 1), 1);
    EXPECT_STR(oriel_pkt_why_name(p), "ECHO_REPLY");
    EXPECT_STR(oriel_pkt_why(p), "somebody asked for an echo");
    oriel_pkt_free(p);
    struct oriel_netif_info i = info_of(f, f->nif);
    EXPECT_EQ(i.rx_pkts, was.rx_pkts + 1);
    EXPECT_EQ(i.rx_bytes, was.rx_bytes + f->frame_n);
    EXPECT_EQ(i.tx_pkts, was.tx_pkts + 1);
    EXPECT_EQ(i.tx_bytes, was.tx_bytes + 60);
    fx_free(f);
}

TEST("without memory for a header a packet is dropped, and the stack lives on")
{
    struct fx *f = fx_host();
    static struct pkt *held[20000];
    unsigned n = 0;
    fx_craft(f, f->nif, "ip src=10.0.0.2 dst=10.0.0.1 mf id=7 / udp 1>2 / fill 64");
    struct pkt *p = oriel_pkt_new(f->s, f->nif, f->frame, f->frame_n);
    while (n < ARRAY_LEN(held) && (held[n] = oriel_pkt_new(f->s, f->nif, "x", 1)) != NULL)
        n++;
    EXPECT(n < ARRAY_LEN(held));
    EXPECT_DROP(f, NO_MEMORY, fx_step(f, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1}));
    while (n > 0)
        oriel_pkt_free(held[--n]);
    fx_in(f, PING);
    EXPECT_OUT(f, "icmp.type == 0");
    fx_free(f);
}

/* ---- raw and loopback ---- */

TEST("a raw interface carries bare packets of either version, and nothing else")
{
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW, .no_dad = true});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_in(f, PING);
    EXPECT_OUT(f, "icmp.type == 0 && ip.src == 10.0.0.1");
    EXPECT_EQ(f->frame_n, 36);                  /* no header before it, no padding behind */
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 echo id=1 seq=1");
    EXPECT_OUT(f, "icmpv6.type == 129");
    for (unsigned v = 0; v < 16; v++) {
        uint8_t b[40] = {(uint8_t)(v << 4)};
        if (v != 4 && v != 6)
            EXPECT_DROP(f, RAW_VERSION, fx_in_bytes(f, f->nif, b, sizeof(b)));
    }
    EXPECT_DROP(f, RAW_VERSION, fx_in_bytes(f, f->nif, "", 0));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the loopback interface brings 127.0.0.1 and ::1, and there is one at most")
{
    struct fx *f = fx_new();
    int lo = add(f, &(struct oriel_netif_config){.name = "lo", .kind = ORIEL_NETIF_LOOPBACK});
    EXPECT(lo > 0);
    EXPECT_STR(fx_addr_state(f, "127.0.0.1"), "preferred");
    EXPECT_STR(fx_addr_state(f, "::1"), "preferred");
    EXPECT_EQ(info_of(f, lo).mtu, 65535);
    EXPECT_EQ(add(f, &(struct oriel_netif_config){.name = "lo2", .kind = ORIEL_NETIF_LOOPBACK}),
              ORIEL_EEXIST);
    EXPECT_EQ(oriel_netif_remove(f->s, lo), 0);
    EXPECT_STR(fx_addr_state(f, "127.0.0.1"), "none");
    EXPECT_EQ(fx_send(f, "127.0.0.1", "x"), ORIEL_ENETUNREACH);
    EXPECT(add(f, &(struct oriel_netif_config){.name = "lo", .kind = ORIEL_NETIF_LOOPBACK}) > 0);
    fx_free(f);
}

TEST("what we send to ourselves arrives in the next step and never reaches a wire")
{
    struct fx *f = fx_host();
    EXPECT(add(f, &(struct oriel_netif_config){.name = "lo", .kind = ORIEL_NETIF_LOOPBACK}) > 0);
    static const char *const ours[] = {"127.0.0.1", "127.1.2.3", "::1", "10.0.0.1", "2001:db8::1"};
    oriel_handle h = fx_listen(f, 9);
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
        EXPECT_EQ(fx_send(f, ours[i], "hello"), 5);
        EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
        EXPECT_EQ(oriel_next_deadline(f->s), f->s->env.now);
        fx_step(f, f->s->env.now, NULL);
        struct oriel_msg m;
        EXPECT_EQ(fx_recv_msg(f, h, &m), 5);
        struct oriel_addr to = fx_addr(ours[i]);
        EXPECT(addr_eq(&m.local, &to));
        EXPECT(addr_eq(&m.peer.addr, &to));
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the queue to ourselves has an end, too")
{
    struct fx *f = fx_host();
    oriel_handle h = fx_connected(f, 5, "10.0.0.1", 9);
    unsigned n = 0;
    while (n <= NETIF_TX_MAX && oriel_send(f->s, h, "x", 1, NULL) == 1)
        n++;
    EXPECT_EQ(n, NETIF_TX_MAX);
    EXPECT_EQ(fx_drops(f, DROP_TX_QUEUE_FULL), 1);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, NULL), ORIEL_ENOBUFS);
    fx_free(f);
}

/* ---- loopback ---- */

TEST("what passes on loopback can be seen by who asks, and leaves nowhere else")
{
    struct fx *f = fx_new(.no_netif = true);
    int lo = add(f, &(struct oriel_netif_config){.name = "lo", .kind = ORIEL_NETIF_LOOPBACK, .watched = true});
    EXPECT(lo > 0);
    oriel_handle h = 0;
    struct oriel_endpoint at = {.addr = addr_v4(0x7f000001), .port = 7};
    struct oriel_msg m = {.peer = at};
    char buf[10];
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &at), 0);
    EXPECT_EQ(oriel_send(f->s, h, "seen", 4, &m), 4);
    struct pkt *p;
    EXPECT_EQ(oriel_netif_take(f->s, lo, &p, 1), 1);
    EXPECT_EQ(oriel_pkt_len(p), 32);
    EXPECT_STR(oriel_pkt_why_name(p), "UDP_DATA");
    oriel_pkt_free(p);
    EXPECT_EQ(oriel_netif_take(f->s, lo, &p, 1), 0);
    oriel_step(f->s, f->s->env.now, NULL);
    EXPECT_EQ(oriel_recv(f->s, h, buf, sizeof buf, NULL), 4);
    fx_free(f);
}
