#include "fx_link.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

/*
 * Two namespaces and a veth between them: Oriel takes v0 in the first one, the kernel of the second one has
 * v1. The first one's kernel has v0 as well, and an address on it, which must stay undisturbed.
 */
#define OURS4    "10.78.0.2"
#define THEIRS4  "10.78.0.1"
#define HOST4    "10.78.0.3"
#define OURS6    "fd78::2"
#define THEIRS6  "fd78::1"

/* A process that holds the second namespace open. */
static pid_t far;

static int hold(void *arg)
{
    const int *ready = arg;
    if (unshare(CLONE_NEWNET) != 0 || kernif_set_up("lo") != 0 || write(*ready, "r", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static void far_end(void)
{
    kill(far, SIGKILL);
    waitpid(far, NULL, 0);
}

static void two_namespaces(unsigned mtu)
{
    int ready[2];
    char r;
    link_namespace();
    EXPECT_EQ(pipe(ready), 0);
    far = link_child(hold, &ready[1]);
    EXPECT_EQ(read(ready[0], &r, 1), 1);
    close(ready[0]);
    close(ready[1]);
    link_run("ip link add v0 mtu %u type veth peer name v1 mtu %u netns %d", mtu, mtu, (int)far);
    link_run("ip addr add " HOST4 "/24 dev v0 && ip link set v0 up");
    link_run("nsenter -t %d -n sh -c 'ip addr add " THEIRS4 "/24 dev v1; ip addr add " THEIRS6 "/64 dev v1 nodad 2>/dev/null; "
             "ip link set v1 up'", (int)far);
    for (unsigned i = 0; i < 200 && system("ip link show v0 | grep -q LOWER_UP") != 0; i++)
        usleep(5000);
}

/* The kernel at the other end plays there. */
static void into_far(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)far);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        _exit(90);
    close(fd);
}

/* Frames as a wire has them: the far end leaves nothing to the veth. */
static int make_plain(void *arg)
{
    static const uint32_t off[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM};
    (void)arg;
    into_far();
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct ethtool_value v = {.cmd = off[i]};
        struct ifreq r = {.ifr_data = (char *)&v};
        memcpy(r.ifr_name, "v1", 3);
        if (ioctl(fd, SIOCETHTOOL, &r) != 0 && errno != EOPNOTSUPP)
            return 1;
    }
    return 0;
}

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
    int status;
    two_namespaces(mtu);
    if (plain) {
        EXPECT(waitpid(link_child(make_plain, NULL), &status, 0) > 0);
        EXPECT_EQ(status, 0);
    }
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

TEST("an interface shared with the kernel, IPv4: pings, datagrams and TCP both ways at every MTU")
{
    static const unsigned mtu[] = {576, 1280, 1500, 9000};
    for (unsigned i = 0; i < 4; i++)
        all_ways(mtu[i], false, false, "");
}

TEST("IPv6, with offloads")
{
    static const unsigned mtu[] = {1280, 1500, 9000};
    for (unsigned i = 0; i < 3; i++)
        all_ways(mtu[i], true, false, "");
}

TEST("every frame plain, both families")
{
    all_ways(1500, false, true, ",plain");
    all_ways(1500, true, true, ",plain");
    all_ways(9000, false, true, ",plain");
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

static void refused(const char *spec, const char *a, const char *b)
{
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    struct drv *d = link_driver(&s, spec, error);
    EXPECT(d == NULL);
    if (!strstr(error, a) || !strstr(error, b))
        fail_msg("%s: '%s' does not say '%s' and '%s'", spec, error, a, b);
}

TEST("an address that the kernel has, an interface that is not there, words that nobody knows: refused")
{
    two_namespaces(1500);
    refused("packet:v0,addr=" HOST4 "/24", HOST4, "kernel's own (on v0)");
    refused("packet:v0,addr=127.0.0.1/8", "127.0.0.1", "(on lo)");
    refused("packet:nowhere", "nowhere", "no such interface");
    refused("packet:v0,colour=red", "colour", "fanout=");
    refused("packet:v0,fanout=x", "fanout", "0 to 65535");
    refused("packet:v0,mtu=9000", "9000", "1500");
    far_end();
}

static int unprivileged(void *arg)
{
    (void)arg;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 1;
    refused("packet:v0", "CAP_NET_RAW", "--link user");
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
    link_ping(f, OURS4, THEIRS4, 100);
    link_run("ip link del v0");
    for (unsigned i = 0; i < 10 && f->d->error == 0; i++)
        link_turn(f, 5 * NS_PER_MS);
    EXPECT_EQ(f->d->error, -ENODEV);
    EXPECT(world_next(live_world(f->v)) > live_now(f->v));      /* it sleeps */
    link_close(f);
    far_end();
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
