#include "fx_veth.h"

static struct fxl *open_packet(const char *more)
{
    char spec[256];
    (void)snprintf(spec, sizeof(spec), "packet:v0,addr=" OURS4 "/24,addr=" OURS6 "/64%s", more);
    struct fxl *f = link_open(spec);
    f->enter = into_far;
    return f;
}

static void all_ways(unsigned mtu, bool v6, bool plain, const char *more)
{
    const char *ours = v6 ? OURS6 : OURS4, *theirs = v6 ? THEIRS6 : THEIRS4;
    two_namespaces(mtu);
    if (plain)
        far_is_plain();
    struct fxl *f = open_packet(more);
    const struct drv *d = f->d;
    EXPECT_EQ(d->caps.mtu, mtu);
    EXPECT_EQ(d->caps.csum, !plain);
    link_ping(f, ours, theirs, 56);
    link_ping(f, ours, theirs, 3000);
    link_datagram(f, ours, 4001);
    uint64_t pkts = d->rx_pkts + d->tx_pkts, bytes = d->rx_bytes + d->tx_bytes;
    link_talk(f, ours, theirs, 3 << 20);
    uint64_t mean = (d->rx_bytes + d->tx_bytes - bytes) / (d->rx_pkts + d->tx_pkts - pkts);
    EXPECT(plain ? mean <= mtu : mtu >= 9000 || mean > mtu);
    EXPECT_EQ(d->rx_dropped, 0);
    EXPECT_EQ(d->tx_dropped, 0);
    link_close(f);
    far_end();
}

TEST("an interface shared with the kernel: pings, datagrams in fragments and TCP both ways, both families")
{
    all_ways(576, false, false, "");
    all_ways(1500, true, false, "");
    all_ways(1500, false, true, ",plain");
}

TEST("the interface's own link address, shared: the addresses decide")
{
    uint8_t mac[6];
    char more[64];
    two_namespaces(1500);
    EXPECT_EQ(kernif_mac("v0", mac), 0);
    (void)snprintf(more, sizeof(more), ",mac=%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                   mac[4], mac[5]);
    struct fxl *f = open_packet(more);
    link_ping(f, OURS4, THEIRS4, 100);
    link_talk(f, OURS4, THEIRS4, 300000);
    link_close(f);
    far_end();
}

static int ping_host(void *arg)
{
    (void)arg;
    into_far();
    struct link_peer k = {.to = HOST4, .size = 100};
    return link_ping_child(&k);
}

TEST("the host's own traffic is left alone: it is answered by the kernel, and we do not see it")
{
    two_namespaces(1500);
    struct fxl *f = open_packet("");
    link_ping(f, OURS4, THEIRS4, 100);
    uint64_t before = f->d->rx_pkts;
    for (unsigned i = 0; i < 5; i++)
        EXPECT_EQ(link_wait(f, link_child(ping_host, NULL)), 0);
    EXPECT(f->d->rx_pkts <= before + 3);        /* groups: membership reports */
    link_close(f);
    far_end();
}

TEST("datagrams that are sent as one come one by one, and leave as one")
{
    two_namespaces(1500);
    struct fxl *f = open_packet("");
    link_ping(f, OURS4, THEIRS4, 100);
    link_datagrams(f, OURS4, true);
    link_ping(f, OURS6, THEIRS6, 100);
    link_datagrams(f, OURS6, true);
    link_close(f);
    far_end();
}

TEST("two links of one fanout group share what comes")
{
    two_namespaces(1500);
    struct fxl *f = open_packet(",fanout=7");
    link_ping(f, OURS4, THEIRS4, 100);
    link_talk(f, OURS4, THEIRS4, 300000);
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    struct drv *second = link_driver(&s, "packet:v0,addr=10.78.0.9/24,fanout=7", error);
    EXPECT(second != NULL);
    drv_close(second);
    link_close(f);
    far_end();
}

TEST("an address that the kernel has, an interface that is not there, words that nobody knows: refused")
{
    two_namespaces(1500);
    link_refused("packet:v0,addr=" HOST4 "/24", HOST4, "kernel's own (on v0)");
    link_refused("packet:v0,addr=127.0.0.1/8", "127.0.0.1", "(on lo)");
    link_refused("packet:nowhere", "nowhere", "no such interface");
    link_refused("packet:v0,colour=red", "colour", "fanout=");
    link_refused("packet:v0,fanout=x", "fanout", "0 to 65535");
    link_refused("packet:v0,mtu=9000", "9000", "1500");
    far_end();
}

static int unprivileged(void *arg)
{
    (void)arg;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 1;
    link_refused("packet:v0", "CAP_NET_RAW", "--link user");
    return 0;
}

TEST("without the capability: which, and the flag that needs none")
{
    int status = -1;
    two_namespaces(1500);
    EXPECT(waitpid(link_child(unprivileged, NULL), &status, 0) > 0);
    EXPECT_EQ(status, 0);
    far_end();
}

static void wait_up(void)
{
    link_run("ip link set v0 up");
    for (unsigned i = 0; i < 200 && system("ip link show v0 | grep -q LOWER_UP") != 0; i++)
        usleep(5000);
}

TEST("an interface that is down is waited for, asleep, and works when it is up again")
{
    two_namespaces(1500);
    struct fxl *f = open_packet("");
    link_ping(f, OURS4, THEIRS4, 100);
    link_run("ip link set v0 down");
    unsigned turns = 0;
    for (oriel_time until = host_now() + 300 * NS_PER_MS; host_now() < until; turns++)
        link_turn(f, 50 * NS_PER_MS);
    EXPECT(turns < 60);
    EXPECT_EQ(f->d->error, 0);
    wait_up();
    link_ping(f, OURS4, THEIRS4, 100);
    link_close(f);
    far_end();
}

TEST("an interface that goes away ends the link, though nothing is sent")
{
    two_namespaces(1500);
    struct fxl *f = open_packet("");
    v0_goes_away(f);
}

TEST("what is sent by an interface that has gone ends the link as well")
{
    two_namespaces(1500);
    struct fxl *f = open_packet("");
    link_ping(f, OURS4, THEIRS4, 100);
    link_run("ip link del v0");
    struct oriel_msg m = {.peer = link_at(THEIRS4, 9)};
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(f->n->stack, ORIEL_IP4, &h), 0);
    (void)!oriel_send(f->n->stack, h, "x", 1, &m);
    live_poke(f->v, f->n);
    for (unsigned i = 0; i < 10; i++)
        link_turn(f, 5 * NS_PER_MS);
    EXPECT(f->d->error < 0);
    EXPECT(world_next(live_world(f->v)) > live_now(f->v));      /* it sleeps */
    link_close(f);
    far_end();
}
