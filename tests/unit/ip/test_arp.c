#include "ip/fx_host.h"

#define RARP_TO_US "eth src=" FX_PEER " dst=02:00:00:00:00:01 type=0x8035 / "

/* 10.0.0.1/24, and nothing is known of anybody. */
static struct fx *bare(void)
{
    struct fx *f = fx_new();
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    (void)fx_skip(f);
    return f;
}

#define EXPECT_MAC_OF(f, addr, last)                                                               \
    do {                                                                                           \
        const struct neigh *known = fx_neigh(f, (f)->nif, addr);                                   \
        EXPECT(known != NULL);                                                                     \
        EXPECT(mac_eq(&known->mac, &(struct mac){FX_MAC(last)}));                                  \
    } while (0)

/* ---- RFC 826: what is learned ---- */

TEST("a request for us makes an entry and is answered; the reply goes to who asked, alone")
{
    COVERS("826-1 826-2");
    struct fx *f = bare();
    fx_in(f, "arp op=request sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1");
    EXPECT_OUT(f, "arp.opcode == 2 && eth.dst == 02:00:00:00:00:02 && eth.src == 02:00:00:00:00:01 "
                  "&& arp.src.hw_mac == 02:00:00:00:00:01 && arp.src.proto_ipv4 == 10.0.0.1 "
                  "&& arp.dst.hw_mac == 02:00:00:00:00:02 && arp.dst.proto_ipv4 == 10.0.0.2");
    EXPECT_QUIET(f);
    EXPECT_WHY(&f->s->env, WHY_ARP_REPLY);
    EXPECT_MAC_OF(f, "10.0.0.2", 2);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "stale");
    fx_free(f);
}

TEST("whatever a known sender says updates its entry; an unknown one gets none unless it asks us")
{
    COVERS("826-1");
    static const char *const messages[] = {
        "arp op=request sha=02:00:00:00:00:%02x spa=10.0.0.%u tpa=10.0.0.77",
        "arp op=reply sha=02:00:00:00:00:%02x spa=10.0.0.%u tpa=10.0.0.77",
        "arp op=request sha=02:00:00:00:00:%02x spa=10.0.0.%u tpa=10.0.0.2",
        "arp op=reply sha=02:00:00:00:00:%02x spa=10.0.0.%u tpa=10.0.0.2",
    };
    for (unsigned i = 0; i < ARRAY_LEN(messages); i++) {
        struct fx *f = bare();
        char line[200];
        fx_in(f, "arp op=request sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1");
        (void)fx_skip(f);
        snprintf(line, sizeof(line), messages[i], 0x52u, 2u);
        fx_in(f, line);
        EXPECT_MAC_OF(f, "10.0.0.2", 0x52);
        snprintf(line, sizeof(line), messages[i], 0x53u, 3u);
        EXPECT_DROP(f, ARP_NOT_FOR_US, fx_in(f, line));
        EXPECT(fx_neigh(f, f->nif, "10.0.0.3") == NULL);
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("a reply that nobody asked for never makes an entry, even when it is for us")
{
    COVERS("826-1 S27");
    struct fx *f = bare();
    fx_in(f, "arp op=reply sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1 tha=02:00:00:00:00:01");
    EXPECT(fx_neigh(f, f->nif, "10.0.0.2") == NULL);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("an entry made by hand does not change, whoever says what")
{
    struct fx *f = fx_host();
    fx_in(f, "arp op=reply sha=02:00:00:00:00:66 spa=10.0.0.2 tpa=10.0.0.1");
    fx_in(f, "arp op=request sha=02:00:00:00:00:66 spa=10.0.0.2 tpa=10.0.0.1");
    EXPECT_OUT(f, "arp.opcode == 2 && eth.dst == 02:00:00:00:00:66");
    EXPECT_MAC_OF(f, "10.0.0.2", 2);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "static");
    fx_free(f);
}

TEST("messages that are no ARP of Ethernet and IPv4 are dropped, each for its fault")
{
    COVERS("826-1 S1");
    struct fx *f = bare();
#define ASK "arp op=request sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1"
    EXPECT_DROP(f, ARP_TYPE, fx_in(f, ASK " hwtype=6"));
    EXPECT_DROP(f, ARP_TYPE, fx_in(f, ASK " hwtype=0"));
    EXPECT_DROP(f, ARP_TYPE, fx_in(f, ASK " proto=0x86dd"));
    EXPECT_DROP(f, ARP_ADDR_LEN, fx_in(f, ASK " hlen=0"));
    EXPECT_DROP(f, ARP_ADDR_LEN, fx_in(f, ASK " hlen=255"));
    EXPECT_DROP(f, ARP_ADDR_LEN, fx_in(f, ASK " plen=0"));
    EXPECT_DROP(f, ARP_ADDR_LEN, fx_in(f, ASK " plen=16"));
    static const unsigned ops[] = {0, 3, 4, 5, 8, 255, 256, 65535};
    for (unsigned i = 0; i < ARRAY_LEN(ops); i++)
        EXPECT_DROP(
            f, ARP_TYPE,
            fx_in(f, fx_line("arp op=%u sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1", ops[i])));
    for (unsigned cut = 14; cut < 42; cut++)
        EXPECT_DROP(f, ARP_SHORT, fx_in(f, fx_line(ASK " ; cut %u", cut)));
    EXPECT(fx_neigh(f, f->nif, "10.0.0.2") == NULL);
    EXPECT_QUIET(f);
    fx_in(f, ASK " ; pad 1514 ; patch 42=ff");          /* padding, however much */
    EXPECT_OUT(f, "arp.opcode == 2");
    fx_free(f);
}

TEST("senders that can be nobody are not learned and not answered")
{
    COVERS("826-3");
    static const char *const nobody[] = {"255.255.255.255", "10.0.0.255", "10.0.0.0", "224.0.0.1",
                                         "239.1.2.3", "127.0.0.1", "240.0.0.1"};
    struct fx *f = bare();
    for (unsigned i = 0; i < ARRAY_LEN(nobody); i++) {
        EXPECT_DROP(
            f, ARP_SENDER,
            fx_in(f, fx_line("arp op=request sha=" FX_PEER " spa=%s tpa=10.0.0.1", nobody[i])));
        EXPECT(fx_neigh(f, f->nif, nobody[i]) == NULL);
    }
    EXPECT_DROP(f, ARP_SENDER,
                fx_in(f, "arp op=request sha=ff:ff:ff:ff:ff:ff spa=10.0.0.2 tpa=10.0.0.1"));
    EXPECT_DROP(f, ARP_SENDER,
                fx_in(f, "arp op=request sha=01:00:5e:00:00:01 spa=10.0.0.2 tpa=10.0.0.1"));
    EXPECT_DROP(f, ARP_SENDER,
                fx_in(f, "arp op=request sha=00:00:00:00:00:00 spa=10.0.0.2 tpa=10.0.0.1"));
    EXPECT_DROP(f, ARP_SENDER,                  /* a probe whose answer would reach everybody */
                fx_in(f, "arp op=request sha=ff:ff:ff:ff:ff:ff spa=0.0.0.0 tpa=10.0.0.1"));
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a probe is answered, and nothing is learned from it")
{
    COVERS("826-3 5227-1");
    struct fx *f = bare();
    fx_in(f, "arp op=request sha=" FX_PEER " spa=0.0.0.0 tpa=10.0.0.1");
    EXPECT_OUT(f, "arp.opcode == 2 && eth.dst == 02:00:00:00:00:02 && "
                  "arp.dst.proto_ipv4 == 0.0.0.0");
    EXPECT_DROP(f, ARP_NOT_FOR_US,
                fx_in(f, "arp op=request sha=" FX_PEER " spa=0.0.0.0 tpa=10.0.0.9"));
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("our own address as sender is never learned")
{
    COVERS("826-3");
    struct fx *f = bare();
    fx_in(f, "arp op=reply sha=02:00:00:00:00:66 spa=10.0.0.1 tpa=10.0.0.1");
    fx_in(f, "arp op=request sha=02:00:00:00:00:66 spa=10.0.0.1 tpa=10.0.0.1");
    EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "preferred");      /* it was not probed either */
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("an interface answers for its own addresses only, and not for one that is not yet ours")
{
    struct fx *f = fx_router();
    EXPECT_DROP(f, ARP_NOT_FOR_US,
                fx_in(f, "arp op=request sha=" FX_PEER " spa=10.0.0.3 tpa=10.0.1.1"));
    int slow = fx_netif(f, &(struct oriel_netif_config){.probe4 = true});
    fx_add_addr(f, slow, "10.0.2.1/24");
    (void)fx_skip(f);
    EXPECT_DROP(f, ARP_NOT_FOR_US,
                fx_in_on(f, slow, "arp op=request sha=" FX_PEER " spa=10.0.2.2 tpa=10.0.2.1"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- RFC 1122, 2.3.2 ---- */

TEST("the first packet to a new neighbour waits for its address, and is delivered")
{
    COVERS("1122-2.3.2.2 1122-2.4b");
    struct fx *f = bare();
    EXPECT_EQ(fx_send(f, "10.0.0.2", "first"), 5);      /* no entry is no error */
    EXPECT_OUT(f, "arp.opcode == 1 && eth.dst == ff:ff:ff:ff:ff:ff && why == \"ARP_REQUEST\" && "
                  "arp.src.proto_ipv4 == 10.0.0.1 && arp.dst.proto_ipv4 == 10.0.0.2 && "
                  "arp.dst.hw_mac == 00:00:00:00:00:00");
    EXPECT_WHY(&f->s->env, WHY_ARP_REQUEST);
    EXPECT_QUIET(f);
    fx_in(f, "arp op=reply sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1");
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02 && frame contains \"first\" && "
                  "why == \"UDP_DATA\"");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a neighbour that changes its card in silence is found again within a minute")
{
    COVERS("1122-2.3.2.1a");
    struct fx *f = bare();
    EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), 1);
    fx_in(f, "arp op=reply sha=" FX_PEER " spa=10.0.0.2 tpa=10.0.0.1");
    (void)fx_skip(f);
    oriel_time found = 0;
    for (unsigned s = 1; s <= 70 && !found; s++) {      /* from now on it has another address */
        fx_at(f, s * NS_PER_S);
        (void)fx_send(f, "10.0.0.2", "x");
        while (fx_out(f)) {
            if (fx_is(f, "arp.opcode == 1 && eth.dst == ff:ff:ff:ff:ff:ff"))
                fx_in(f, "arp op=reply sha=02:00:00:00:00:52 spa=10.0.0.2 tpa=10.0.0.1");
            else if (fx_is(f, "udp && eth.dst == 02:00:00:00:00:52"))
                found = f->out_at;
        }
    }
    EXPECT_WHY(&f->s->env, WHY_ARP_VERIFY);
    EXPECT(found > 0);
    EXPECT(found <= 60 * NS_PER_S);
    fx_free(f);
}

TEST("ten thousand packets a second to a dead address make one question a second")
{
    COVERS("1122-2.3.2.1b");
    struct fx *f = bare();
    oriel_time last = 0;
    unsigned asked = 0;
    for (unsigned i = 0; i < 20000; i++) {
        fx_at(f, i * (NS_PER_S / 10000));
        (void)fx_send(f, "10.0.0.2", "x");
        while (fx_out(f)) {
            EXPECT_FRAME(f, "arp.opcode == 1");
            EXPECT(asked == 0 || f->out_at - last >= NS_PER_S);
            last = f->out_at;
            asked++;
        }
    }
    EXPECT_EQ(asked, 2);
    fx_free(f);
}

/* ---- RARP ---- */

TEST("a RARP reply that nobody asked for changes nothing")
{
    COVERS("903-1 S6");
    struct fx *f = fx_new();
#define OFFER "arp op=rarp-reply sha=" FX_PEER " spa=10.1.2.1 tha=02:00:00:00:00:01 tpa=10.1.2.3"
    EXPECT_DROP(f, RARP_UNASKED, fx_in(f, RARP_TO_US OFFER));
    EXPECT_STR(fx_addr_state(f, "10.1.2.3"), "none");
    EXPECT_EQ(f->s->ip.addrs.live, 0);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("asked for, a RARP reply to our link address gives us an address with the prefix of its class")
{
    COVERS("903-1");
    static const struct {
        const char *addr;
        uint8_t len;
    } of[] = {{"10.1.2.3", 8}, {"172.16.1.2", 16}, {"192.0.2.3", 24}};
    for (unsigned i = 0; i < ARRAY_LEN(of); i++) {
        struct fx *f = fx_new();
        EXPECT_EQ(oriel_netif_rarp(f->s, f->nif), 0);
        EXPECT_OUT(f, "eth.type == 0x8035 && eth.dst == ff:ff:ff:ff:ff:ff && arp.opcode == 3 && "
                      "arp.src.hw_mac == 02:00:00:00:00:01 && arp.dst.hw_mac == 02:00:00:00:00:01");
        EXPECT_WHY(&f->s->env, WHY_RARP_REQUEST);
        EXPECT_DROP(f, RARP_UNASKED,            /* somebody else's answer */
                    fx_in(f, RARP_TO_US "arp op=rarp-reply sha=" FX_PEER
                                        " spa=10.1.2.1 tha=02:00:00:00:00:05 tpa=10.1.2.3"));
        fx_in(f, fx_line(RARP_TO_US "arp op=rarp-reply sha=" FX_PEER
                                    " spa=10.1.2.1 tha=02:00:00:00:00:01 tpa=%s", of[i].addr));
        EXPECT_STR(fx_addr_state(f, of[i].addr), "preferred");
        EXPECT_EQ(fx_find_addr(f, of[i].addr)->prefix_len, 96 + of[i].len);
        EXPECT_EQ(fx_find_addr(f, of[i].addr)->origin, ADDR_RARP);
        EXPECT_DROP(f, RARP_UNASKED, fx_in(f, RARP_TO_US OFFER));       /* one is enough */
        fx_run(f, 10 * NS_PER_S);
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("addresses that nobody can have are not taken from RARP")
{
    static const char *const bad[] = {"0.0.0.0", "224.0.0.1", "127.0.0.1", "240.0.0.1",
                                      "255.255.255.255"};
    struct fx *f = fx_new();
    EXPECT_EQ(oriel_netif_rarp(f->s, f->nif), 0);
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_DROP(f, ARP_SENDER,
                    fx_in(f, fx_line(RARP_TO_US "arp op=rarp-reply sha=" FX_PEER
                                                " spa=10.1.2.1 tha=02:00:00:00:00:01 tpa=%s",
                                     bad[i])));
    EXPECT_EQ(f->s->ip.addrs.live, 0);
    fx_free(f);
}

TEST("RARP is asked five times, a second apart, and then no more")
{
    struct fx *f = fx_new();
    int raw = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_RAW});
    EXPECT_EQ(oriel_netif_rarp(f->s, 99), ORIEL_ENOENT);
    EXPECT_EQ(oriel_netif_rarp(f->s, raw), ORIEL_EOPNOTSUPP);
    EXPECT_EQ(oriel_netif_rarp(f->s, f->nif), 0);
    fx_run(f, 60 * NS_PER_S);
    for (unsigned i = 0; i < 5; i++) {
        EXPECT_OUT(f, "arp.opcode == 3");
        EXPECT_EQ(f->out_at, i * NS_PER_S);
    }
    EXPECT_QUIET(f);
    EXPECT_DROP(f, RARP_UNASKED, fx_in(f, RARP_TO_US OFFER));   /* too late */
    fx_free(f);
}

TEST("a RARP server answers for the link addresses in its table, and for no others")
{
    COVERS("903-1");
    struct fx *f = bare();
    const uint8_t mac[6] = FX_MAC(0x77);
    struct oriel_addr a = fx_addr("10.0.0.77");
#define WHO                                                                                        \
    "eth src=" FX_PEER                                                                             \
    " dst=ff:ff:ff:ff:ff:ff type=0x8035 / arp op=rarp-request spa=0.0.0.0 tpa=0.0.0.0 "
    EXPECT_DROP(f, RARP_NO_ENTRY, fx_in(f, WHO "sha=" FX_PEER " tha=02:00:00:00:00:77"));
    EXPECT_EQ(oriel_rarp_serve(f->s, mac, &a), 0);
    fx_in(f, WHO "sha=" FX_PEER " tha=02:00:00:00:00:77");
    EXPECT_OUT(f, "eth.type == 0x8035 && eth.dst == 02:00:00:00:00:02 && arp.opcode == 4 && "
                  "arp.dst.hw_mac == 02:00:00:00:00:77 && arp.dst.proto_ipv4 == 10.0.0.77 && "
                  "arp.src.proto_ipv4 == 10.0.0.1 && arp.src.hw_mac == 02:00:00:00:00:01");
    EXPECT_WHY(&f->s->env, WHY_RARP_REPLY);
    EXPECT_DROP(f, RARP_NO_ENTRY, fx_in(f, WHO "sha=" FX_PEER " tha=02:00:00:00:00:78"));
    EXPECT_DROP(f, ARP_SENDER, fx_in(f, WHO "sha=ff:ff:ff:ff:ff:ff tha=02:00:00:00:00:77"));
    EXPECT_DROP(f, ARP_TYPE, fx_in(f, RARP_TO_US "arp op=request spa=10.0.0.2 tpa=10.0.0.1"));
    EXPECT_DROP(f, ARP_SHORT, fx_in(f, WHO "tha=02:00:00:00:00:77 ; cut 41"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the table of a RARP server takes sixteen, and only addresses that a host can have")
{
    struct fx *f = bare();
    uint8_t mac[6] = FX_MAC(0x77);
    static const char *const bad[] = {"0.0.0.0", "224.0.0.1", "2001:db8::1"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        struct oriel_addr a = fx_addr(bad[i]);
        EXPECT_EQ(oriel_rarp_serve(f->s, mac, &a), ORIEL_EINVAL);
    }
    struct oriel_addr a = fx_addr("10.0.0.77");
    for (unsigned i = 0; i < 16; i++, mac[5]++)
        EXPECT_EQ(oriel_rarp_serve(f->s, mac, &a), 0);
    EXPECT_EQ(oriel_rarp_serve(f->s, mac, &a), ORIEL_ENOBUFS);
    fx_free(f);
}
