#include "ip/fx_host.h"

#define PROBE                                                                                      \
    "arp.opcode == 1 && arp.src.proto_ipv4 == 0.0.0.0 && arp.dst.proto_ipv4 == 10.0.0.1 "          \
    "&& eth.dst == ff:ff:ff:ff:ff:ff && arp.dst.hw_mac == 00:00:00:00:00:00"
#define ANNOUNCE                                                                                   \
    "arp.opcode == 1 && arp.src.proto_ipv4 == 10.0.0.1 && arp.dst.proto_ipv4 == 10.0.0.1"
#define CLAIM    "arp op=request sha=02:00:00:00:00:66 spa=10.0.0.1 tpa=10.0.0.1"

static struct fx *probing(void)
{
    struct fx *f = fx_new(.netif = {.probe4 = true});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    return f;
}

static struct fx *probed(void)
{
    struct fx *f = probing();
    fx_at(f, 20 * NS_PER_S);
    (void)fx_skip(f);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "preferred");
    return f;
}

static int add(struct fx *f, const char *text)
{
    struct oriel_addr a;
    uint8_t len;
    assert_true(addr_and_len_parse(span_str(text), &a, &len));
    return oriel_addr_add(f->s, f->nif, &a, len);
}

static int del(struct fx *f, const char *text)
{
    struct oriel_addr a = fx_addr(text);
    return oriel_addr_remove(f->s, f->nif, &a);
}

/* ---- RFC 5227 ---- */

TEST("an address is probed three times, a second or two apart, and announced twice")
{
    COVERS("5227-1");
    struct fx *f = probing();
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "tentative");
    fx_at(f, 20 * NS_PER_S);
    oriel_time at[5];
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_OUT(f, PROBE " && why == \"ARP_PROBE\"");
        at[i] = f->out_at;
    }
    for (unsigned i = 3; i < 5; i++) {
        EXPECT_OUT(f, ANNOUNCE " && why == \"ARP_ANNOUNCE\"");
        at[i] = f->out_at;
    }
    EXPECT_QUIET(f);
    EXPECT(at[0] <= NS_PER_S);
    EXPECT(at[1] - at[0] >= NS_PER_S && at[1] - at[0] <= 2 * NS_PER_S);
    EXPECT(at[2] - at[1] >= NS_PER_S && at[2] - at[1] <= 2 * NS_PER_S);
    EXPECT(at[3] - at[2] == 2 * NS_PER_S);
    EXPECT(at[4] - at[3] == 2 * NS_PER_S);
    EXPECT_WHY(&f->s->env, WHY_ARP_PROBE);
    EXPECT_WHY(&f->s->env, WHY_ARP_ANNOUNCE);
    fx_free(f);
}

TEST("hosts with other seeds begin to probe at other times")
{
    COVERS("5227-1");
    oriel_time first[8];
    for (unsigned i = 0; i < 8; i++) {
        struct fx *f = fx_new(.stack = {.seed = {(uint8_t)(i + 1)}}, .netif = {.probe4 = true});
        fx_add_addr(f, f->nif, "10.0.0.1/24");
        fx_at(f, NS_PER_S);
        EXPECT_OUT(f, PROBE);
        first[i] = f->out_at;
        for (unsigned k = 0; k < i; k++)
            EXPECT(first[k] != first[i]);
        fx_free(f);
    }
}

TEST("while an address is probed it is no source, no destination and has no route")
{
    COVERS("5227-1");
    struct fx *f = probing();
    EXPECT(fx_send(f, "10.0.0.2", "x") < 0);
    EXPECT(fx_route(f, "10.0.0.0/24", NULL) == NULL);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo id=1 seq=1"));
    EXPECT_DROP(f, ARP_NOT_FOR_US, fx_in(f, "arp op=request spa=10.0.0.2 tpa=10.0.0.1"));
    EXPECT_QUIET(f);
    fx_at(f, 20 * NS_PER_S);
    EXPECT(fx_route(f, "10.0.0.0/24", NULL) != NULL);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), 1);
    EXPECT_OUT(f, "arp.opcode == 1");
    fx_free(f);
}

TEST("whoever claims an address that is probed keeps it, and so does one who probes it too")
{
    COVERS("5227-1");
    static const char *const claims[] = {
        CLAIM,
        "arp op=reply sha=02:00:00:00:00:66 spa=10.0.0.1 tpa=0.0.0.0",
        "arp op=request sha=02:00:00:00:00:66 spa=10.0.0.1 tpa=10.0.0.99",
        "arp op=request sha=02:00:00:00:00:66 spa=0.0.0.0 tpa=10.0.0.1",
    };
    for (unsigned i = 0; i < ARRAY_LEN(claims); i++) {
        struct fx *f = probing();
        fx_at(f, 2 * NS_PER_S);
        (void)fx_skip(f);
        fx_in(f, claims[i]);
        EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "duplicate");
        fx_at(f, 60 * NS_PER_S);
        EXPECT_QUIET(f);                        /* not a word more about it */
        EXPECT(fx_send(f, "10.0.0.2", "x") < 0);
        EXPECT_DROP(f, IP_NOT_OURS,
                    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo id=1 seq=1"));
        fx_free(f);
    }
}

TEST("our own probe that comes back is no conflict, and neither is a probe for another address")
{
    struct fx *f = probing();
    fx_at(f, 2 * NS_PER_S);
    fx_in(f, "arp op=request sha=02:00:00:00:00:01 spa=0.0.0.0 tpa=10.0.0.1");
    fx_in(f, "arp op=request sha=02:00:00:00:00:66 spa=0.0.0.0 tpa=10.0.0.3");
    fx_in(
        f,
        "arp op=request sha=02:00:00:00:00:66 spa=10.0.0.3 tpa=10.0.0.1"); /* asks in good faith */
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "tentative");
    fx_at(f, 20 * NS_PER_S);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "preferred");
    fx_free(f);
}

TEST("an address of ours is defended once, and given up when the other insists within ten seconds")
{
    COVERS("5227-2");
    struct fx *f = probed();
    oriel_handle h = fx_listen(f, 7);
    fx_in(f, CLAIM);
    EXPECT_OUT(f, ANNOUNCE " && why == \"ARP_DEFEND\"");
    EXPECT_WHY(&f->s->env, WHY_ARP_DEFEND);
    EXPECT_QUIET(f);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "preferred");
    fx_run(f, 10 * NS_PER_S);
    fx_in(f, CLAIM);                            /* ten seconds later it is a new quarrel */
    EXPECT_OUT(f, ANNOUNCE);
    fx_run(f, 10 * NS_PER_S - 1);
    fx_in(f, CLAIM);
    EXPECT_QUIET(f);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "duplicate");
    EXPECT(fx_route(f, "10.0.0.0/24", NULL) == NULL);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"x\""));
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    fx_in(f, CLAIM);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("two conflicts are answered with at most one packet in ten seconds, however many come")
{
    COVERS("5227-2 INV-7");
    struct fx *f = probed();
    for (unsigned i = 0; i < 1000; i++)
        fx_in(f, CLAIM);
    EXPECT_EQ(fx_skip(f), 1);
    fx_free(f);
}

TEST("who won the address is a neighbour like any other afterwards")
{
    struct fx *f = probed();
    fx_in(f, CLAIM);
    fx_in(f, CLAIM);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "duplicate");
    EXPECT_EQ(add(f, "10.0.0.5/24"), 0);
    fx_run(f, 20 * NS_PER_S);
    oriel_handle h = fx_listen(f, 7);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "10.0.0.1", "x"), 1);
    EXPECT_OUT(f, "arp.opcode == 1 && arp.dst.proto_ipv4 == 10.0.0.1 && "
                  "arp.src.proto_ipv4 == 10.0.0.5");
    fx_in(f, "arp op=reply sha=02:00:00:00:00:66 spa=10.0.0.1 tpa=10.0.0.5");
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:66 && ip.dst == 10.0.0.1");
    fx_in(f, "ip src=10.0.0.1 dst=10.0.0.5 / udp 9>7 / \"hi\"");
    EXPECT_EQ(fx_recv(f, h), 2);
    fx_free(f);
}

TEST("an address that was never probed is not given up")
{
    struct fx *f = fx_host();
    for (unsigned i = 0; i < 5; i++)
        fx_in(f, CLAIM);
    EXPECT_QUIET(f);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "preferred");
    fx_free(f);
}

TEST("a link that was down may come back elsewhere: addresses are probed again")
{
    COVERS("5227-1");
    struct fx *f = probed();
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "tentative");
    fx_run(f, 60 * NS_PER_S);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "tentative");
    EXPECT_QUIET(f);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, true), 0);
    fx_run(f, 20 * NS_PER_S);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_OUT(f, PROBE);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "preferred");
    fx_free(f);
}

TEST("silence on a link that went down while we asked is no consent")
{
    COVERS("5227-1");
    struct fx *f = probing();
    fx_at(f, 2 * NS_PER_S);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
    fx_at(f, 60 * NS_PER_S);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "tentative");
    (void)fx_skip(f);
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, true), 0);
    fx_run(f, 20 * NS_PER_S);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_OUT(f, PROBE);
    EXPECT_OUT(f, ANNOUNCE);
    fx_free(f);
}

TEST("an address that is added to a link which is down is probed when it comes up")
{
    struct fx *f = fx_new(.netif = {.probe4 = true});
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_run(f, 60 * NS_PER_S);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "tentative");
    EXPECT_QUIET(f);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, true), 0);
    fx_run(f, 20 * NS_PER_S);
    EXPECT_OUT(f, PROBE);
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "preferred");
    fx_free(f);
}

/* ---- by hand ---- */

TEST("addresses that no host can have are refused")
{
    COVERS("1122-3.2.1.3a 1122-3.3.6");
    static const char *const bad[] = {
        "0.0.0.0/8",     "224.0.0.1/4", "240.0.0.1/4", "255.255.255.255/32",
        "10.0.0.255/24", "10.0.0.0/24", "::/64",       "ff02::1/16"};
    struct fx *f = fx_new(.netif = {.no_dad = true});
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT_EQ(add(f, bad[i]), ORIEL_EINVAL);
    struct oriel_addr v4 = fx_addr("10.0.0.1"), v6 = fx_addr("2001:db8::1");
    EXPECT_EQ(oriel_addr_add(f->s, f->nif, &v4, 95), ORIEL_EINVAL);
    EXPECT_EQ(oriel_addr_add(f->s, f->nif, &v6, 129), ORIEL_EINVAL);
    EXPECT_EQ(oriel_addr_add(f->s, 99, &v4, 120), ORIEL_ENOENT);
    EXPECT_EQ(f->s->ip.addrs.live, 0);
    EXPECT_EQ(add(f, "10.0.0.0/31"), 0);        /* RFC 3021: both of a pair are hosts */
    EXPECT_EQ(add(f, "10.0.0.1/31"), 0);
    EXPECT_EQ(add(f, "10.0.9.255/32"), 0);
    fx_free(f);
}

TEST("an address is there once on an interface, and can be removed once")
{
    struct fx *f = fx_host();
    EXPECT_EQ(add(f, "10.0.0.1/16"), ORIEL_EEXIST);
    EXPECT_EQ(del(f, "10.0.0.9"), ORIEL_ENOENT);
    EXPECT_EQ(del(f, "10.0.0.1"), 0);
    EXPECT_EQ(del(f, "10.0.0.1"), ORIEL_ENOENT);
    struct oriel_addr a = fx_addr("10.0.0.1");
    EXPECT_EQ(oriel_addr_remove(f->s, 99, &a), ORIEL_ENOENT);
    EXPECT_EQ(add(f, "10.0.0.1/16"), 0);
    fx_free(f);
}

TEST("the table of addresses has an end")
{
    struct fx *f = fx_new();
    unsigned n = 0;
    while (add(f, fx_line("10.1.%u.%u/32", n / 200, n % 200 + 1)) == 0)
        n++;
    EXPECT_EQ(n, f->s->limits.addrs);
    EXPECT_EQ(add(f, "10.9.9.9/32"), ORIEL_ENOBUFS);
    EXPECT_EQ(del(f, "10.1.0.1"), 0);
    EXPECT_EQ(add(f, "10.9.9.9/32"), 0);
    fx_free(f);
}

TEST("the route to a prefix stands as long as one usable address has it")
{
    struct fx *f = fx_new(.netif = {.no_dad = true});
    EXPECT_EQ(add(f, "10.0.0.1/24"), 0);
    EXPECT_EQ(add(f, "10.0.0.2/24"), 0);
    EXPECT_EQ(add(f, "10.0.7.1/32"), 0);
    EXPECT(fx_route(f, "10.0.0.0/24", NULL) != NULL);
    EXPECT(fx_route(f, "10.0.7.1/32", NULL) == NULL);
    EXPECT_EQ(del(f, "10.0.0.1"), 0);
    EXPECT(fx_route(f, "10.0.0.0/24", NULL) != NULL);
    EXPECT_EQ(del(f, "10.0.0.2"), 0);
    EXPECT(fx_route(f, "10.0.0.0/24", NULL) == NULL);
    EXPECT_EQ(fx_routes(f, ROUTE_CONNECTED), 0);
    fx_free(f);
}

TEST("an address past its preferred time is deprecated, and past its valid time gone")
{
    COVERS("4862-5");
    struct fx *f = fx_host();
    struct ip *ip = &f->s->ip;
    oriel_time now = f->s->env.now;
    ifaddr_set_lifetimes(ip, fx_find_addr(f, "2001:db8::1"), now + 10 * NS_PER_S,
                         now + 20 * NS_PER_S);
    fx_at(f, 10 * NS_PER_S - 1);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "preferred");
    fx_at(f, 10 * NS_PER_S);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "deprecated");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 echo id=1 seq=1");
    EXPECT_OUT(f, "icmpv6.type == 129 && ipv6.src == 2001:db8::1");
    ifaddr_set_lifetimes(ip, fx_find_addr(f, "2001:db8::1"), now + 15 * NS_PER_S,
                         now + 20 * NS_PER_S);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "preferred");
    fx_at(f, 20 * NS_PER_S);
    EXPECT_STR(fx_addr_state(f, "2001:db8::1"), "none");
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>2"));
    fx_free(f);
}

TEST("broadcast is the limited one, and those of the prefixes of an interface, old form included")
{
    COVERS("1122-3.3.6");
    struct fx *f = fx_new();
    EXPECT_EQ(add(f, "10.0.0.1/24"), 0);
    EXPECT_EQ(add(f, "10.0.8.1/30"), 0);
    EXPECT_EQ(add(f, "10.0.9.0/31"), 0);
    EXPECT_EQ(add(f, "10.0.9.7/32"), 0);
    static const char *const all[] = {"255.255.255.255", "10.0.0.255", "10.0.0.0", "10.0.8.3",
                                      "10.0.8.0"};
    static const char *const none[] = {"10.0.0.254", "10.0.8.2", "10.0.9.0", "10.0.9.1", "10.0.9.7",
                                       "10.0.1.255", "10.255.255.255", "0.0.0.0", "ff02::1"};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        struct oriel_addr a = fx_addr(all[i]);
        EXPECT(ip_is_broadcast(&f->s->ip, (uint16_t)f->nif, &a));
    }
    for (unsigned i = 0; i < ARRAY_LEN(none); i++) {
        struct oriel_addr a = fx_addr(none[i]);
        EXPECT(!ip_is_broadcast(&f->s->ip, (uint16_t)f->nif, &a));
    }
    fx_free(f);
}
