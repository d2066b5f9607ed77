/*
 * Entering namespaces. Order matters: the maps of users are written before anything else is done with the
 * new capabilities; the device file is opened inside, since the device appears in the network namespace of
 * who opened it.
 */
#define _GNU_SOURCE
#include "host/netns.h"

#include "host/kernif.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUEUE 16384              /* frames that wait for us; the kernel's own 1,000 are soon full */

static int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, strlen(text));
    int err = n < 0 ? -errno : 0;
    close(fd);
    return err;
}

/* The same number inside as outside. */
static int map_self(const char *path, unsigned id)
{
    char line[64];
    (void)snprintf(line, sizeof(line), "%u %u 1\n", id, id);
    return put(path, line);
}

static int new_user(void)
{
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER) != 0)
        return -errno;
    int err = put("/proc/self/setgroups", "deny");
    err = err ? err : map_self("/proc/self/uid_map", uid);
    return err ? err : map_self("/proc/self/gid_map", gid);
}

int netns_enter(const struct netns_config *cfg)
{
    int err = geteuid() == 0 ? 0 : new_user();
    if (err)
        return err;
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -errno;
    int fd = open(cfg->tun ? cfg->tun : "/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    unsigned features;
    if (fd >= 0 && ioctl(fd, TUNGETFEATURES, &features) == 0)
        return fd;
    err = -errno;
    if (fd >= 0)
        close(fd);
    return err;
}

/* /etc/resolv.conf names our servers; a machine without that file needs none. */
static int set_resolver(const struct netns_config *cfg)
{
    char real[PATH_MAX], text[160] = "", path[] = "/tmp/oriel-resolv-XXXXXX";
    if (cfg->dns_n == 0 || !realpath("/etc/resolv.conf", real))
        return 0;
    for (unsigned i = 0; i < cfg->dns_n; i++) {
        char a[64];
        (void)oriel_addr_print(&cfg->dns[i], a, sizeof(a));
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "nameserver %s\n", a);
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, text, strlen(text));
    int err = n < 0 || fchmod(fd, 0644) != 0 ? -errno : 0;
    if (!err && mount(path, real, NULL, MS_BIND, NULL) != 0)
        err = -errno;
    close(fd);
    unlink(path);
    return err;
}

int netns_settle(const struct netns_config *cfg)
{
    char groups[64];
    (void)snprintf(groups, sizeof(groups), "%u %u", getegid(), getegid());
    /* Small ports and pings: nobody else lives here. Old kernels lack one or the other. */
    (void)put("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    (void)put("/proc/sys/net/ipv4/ping_group_range", groups);
    int err = kernif_set_up("lo");
    (void)kernif_set_queue(NETNS_DEVICE, QUEUE);
    if (!err && cfg->mtu)
        err = kernif_set_mtu(NETNS_DEVICE, cfg->mtu);
    err = err ? err : kernif_set_up(NETNS_DEVICE);
    for (unsigned i = 0; i < cfg->addrs_n && !err; i++)
        err = kernif_add_addr(NETNS_DEVICE, &cfg->addrs[i]);
    for (unsigned i = 0; i < cfg->gateways_n && !err; i++)
        err = kernif_add_gateway(NETNS_DEVICE, &cfg->gateways[i]);
    return err ? err : set_resolver(cfg);
}

void netns_explain(const struct netns_config *cfg, int err, char error[DRV_ERROR_MAX])
{
    const char *tun = cfg->tun ? cfg->tun : "/dev/net/tun";
    if (access(tun, R_OK | W_OK) != 0)
        (void)snprintf(error, DRV_ERROR_MAX, "cannot be served: %s: %s; --mode=notify needs no device", tun,
                       strerror(errno));
    else if (err == -ENOTTY || err == -EINVAL)
        (void)snprintf(error, DRV_ERROR_MAX, "cannot be served: %s makes no TAP devices, it is something else; "
                       "--mode=notify needs none", tun);
    else if (err == -EPERM || err == -ENOSPC || err == -EUSERS)
        (void)snprintf(error, DRV_ERROR_MAX,
                       "cannot be served: this machine lets you make no user namespace (%s; see "
                       "/proc/sys/user/max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns); "
                       "--mode=notify needs none", strerror(-err));
    else
        (void)snprintf(error, DRV_ERROR_MAX, "cannot be served: the program's namespaces: %s; --mode=notify "
                       "needs none", strerror(-err));
}
