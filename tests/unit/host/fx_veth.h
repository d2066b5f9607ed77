/*
 * A veth between two network namespaces, for drivers that share an interface with its kernel (fx_link.h is for
 * the transfers):
 *
 *     two_namespaces(1500);
 *     struct fxl *f = link_open("packet:v0,addr=" OURS4 "/24");
 *     f->enter = into_far;
 *     ...
 *     far_end();
 */
#ifndef ORIEL_TESTS_FX_VETH_H
#define ORIEL_TESTS_FX_VETH_H

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

static inline int hold(void *arg)
{
    const int *ready = arg;
    if (unshare(CLONE_NEWNET) != 0 || kernif_set_up("lo") != 0 || write(*ready, "r", 1) != 1)
        return 1;
    alarm(6 * LINK_PATIENCE);           /* it outlives everything that may take long */
    for (;;)
        pause();
}

static inline void far_end(void)
{
    kill(far, SIGKILL);
    waitpid(far, NULL, 0);
}

/* More words of the veth, for `ip link add`. */
static const char *link_veth = "";

static inline void two_namespaces(unsigned mtu)
{
    int ready[2];
    char r;
    link_namespace();
    EXPECT_EQ(pipe(ready), 0);
    far = link_child(hold, &ready[1]);
    EXPECT_EQ(read(ready[0], &r, 1), 1);
    close(ready[0]);
    close(ready[1]);
    link_run("ip link add v0 mtu %u%s type veth peer name v1 mtu %u%s netns %d", mtu, link_veth, mtu,
             link_veth, (int)far);
    link_run("ip addr add " HOST4 "/24 dev v0 && ip link set v0 up");
    link_run("nsenter -t %d -n sh -c 'ip addr add " THEIRS4 "/24 dev v1; "
             "ip addr add " THEIRS6 "/64 dev v1 nodad 2>/dev/null; ip link set v1 up'", (int)far);
    for (unsigned i = 0; i < 200 && system("ip link show v0 | grep -q LOWER_UP") != 0; i++)
        usleep(5000);
}

/* The kernel at the other end plays there. */
static inline void into_far(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)far);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
        _exit(90);
    close(fd);
}

/* Frames as a wire has them: the far end leaves nothing to the veth. */
static inline int make_plain(void *arg)
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

static inline void far_is_plain(void)
{
    int status = -1;
    EXPECT(waitpid(link_child(make_plain, NULL), &status, 0) > 0);
    EXPECT_EQ(status, 0);
}

/* The end of f's link, and of the test: its interface is deleted, and nothing is sent. */
static inline void v0_goes_away(struct fxl *f)
{
    link_ping(f, OURS4, THEIRS4, 100);
    link_run("ip link del v0");
    for (unsigned i = 0; i < 10 && f->d->error == 0; i++)
        link_turn(f, 5 * NS_PER_MS);
    EXPECT_EQ(f->d->error, -ENODEV);
    EXPECT(world_next(live_world(f->v)) > live_now(f->v));      /* it sleeps */
    link_close(f);
    far_end();
}

#endif
