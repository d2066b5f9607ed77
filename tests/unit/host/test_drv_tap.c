#include "fx_link.h"

#include "fixture.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define OURS4   "10.77.0.2"
#define THEIRS4 "10.77.0.1"
#define OURS6   "fd77::2"
#define THEIRS6 "fd77::1"

/* A namespace, and in it a device file of the kind that is meant; or the reason why not. */
static void needs_tun(void)
{
    link_namespace();
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        print_message("# no /dev/net/tun for us: %s\n", strerror(errno));
        skip();
    }
    close(fd);
}

/* ---- everything over everything ---- */

static void all_ways(const char *kind, unsigned mtu, bool v6, bool plain)
{
    char spec[256];
    const char *ours = v6 ? OURS6 : OURS4, *theirs = v6 ? THEIRS6 : THEIRS4;
    needs_tun();
    (void)snprintf(spec, sizeof(spec), "%s:t0,mtu=%u,addr=%s/%s,host=%s/%s%s", kind, mtu, ours,
                   v6 ? "64" : "24", theirs, v6 ? "64" : "24", plain ? ",plain" : "");
    struct fxl *f = link_open(spec);
    const struct drv *d = f->d;
    EXPECT_EQ(d->caps.mtu, mtu);
    EXPECT_EQ(d->caps.csum, !plain);
    link_ping(f, ours, theirs, 56);
    link_ping(f, ours, theirs, 3000);           /* in fragments, where it does not fit */
    link_datagram(f, ours, 1);
    link_datagram(f, ours, 4001);
    uint64_t pkts = d->rx_pkts + d->tx_pkts, bytes = d->rx_bytes + d->tx_bytes;
    link_talk(f, ours, theirs, 3 << 20);
    /* Half of the frames are acknowledgements. */
    uint64_t mean = (d->rx_bytes + d->tx_bytes - bytes) / (d->rx_pkts + d->tx_pkts - pkts);
    EXPECT(plain ? mean <= mtu : mtu >= 9000 || mean > mtu);
    EXPECT_EQ(d->rx_dropped, 0);
    EXPECT_EQ(d->tx_dropped, 0);
    link_close(f);
}

TEST("TAP, IPv4, with offloads: pings, datagrams and TCP both ways at every MTU")
{
    static const unsigned mtu[] = {576, 1280, 1500, 9000};
    for (unsigned i = 0; i < 4; i++)
        all_ways("tap", mtu[i], false, false);
}

TEST("TAP, IPv4, every frame plain")
{
    static const unsigned mtu[] = {576, 1280, 1500, 9000};
    for (unsigned i = 0; i < 4; i++)
        all_ways("tap", mtu[i], false, true);
}

TEST("TAP, IPv6, with offloads and plain")
{
    static const unsigned mtu[] = {1280, 1500, 9000};
    for (unsigned i = 0; i < 6; i++)
        all_ways("tap", mtu[i / 2], true, i % 2);
}

TEST("TUN: bare packets of both families, with offloads and plain")
{
    for (unsigned i = 0; i < 4; i++)
        all_ways("tun", 1500, i / 2, i % 2);
}

TEST("the largest MTU there is")
{
    all_ways("tun", 65535, false, true);
    all_ways("tap", 65521, true, false);
}
