/*
 * Interfaces of the kernel, by ioctl; addresses by netlink, which knows both families and how to leave
 * out duplicate address detection: a link that a program has just made has nobody on it to be asked.
 */
#define _GNU_SOURCE
#include "host/kernif.h"

#include "base/addr.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int ask(const char *name, unsigned long request, struct ifreq *r)
{
    if (strlen(name) >= sizeof(r->ifr_name))
        return -ENODEV;
    memcpy(r->ifr_name, name, strlen(name) + 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = ioctl(fd, request, r) < 0 ? -errno : 0;
    close(fd);
    return err;
}

int kernif_index(const char *name)
{
    struct ifreq r = {0};
    int err = ask(name, SIOCGIFINDEX, &r);
    return err ? err : r.ifr_ifindex;
}

int kernif_mtu(const char *name)
{
    struct ifreq r = {0};
    int err = ask(name, SIOCGIFMTU, &r);
    return err ? err : r.ifr_mtu;
}

int kernif_set_mtu(const char *name, uint32_t mtu)
{
    struct ifreq r = {.ifr_mtu = (int)mtu};
    return ask(name, SIOCSIFMTU, &r);
}

int kernif_mac(const char *name, uint8_t mac[6])
{
    struct ifreq r = {0};
    int err = ask(name, SIOCGIFHWADDR, &r);
    memcpy(mac, r.ifr_hwaddr.sa_data, 6);
    return err;
}

int kernif_is_up(const char *name)
{
    struct ifreq r = {0};
    int err = ask(name, SIOCGIFFLAGS, &r);
    return err ? err : (r.ifr_flags & IFF_UP) != 0;
}

int kernif_set_up(const char *name)
{
    struct ifreq r = {0};
    int err = ask(name, SIOCGIFFLAGS, &r);
    r.ifr_flags |= IFF_UP;
    return err ? err : ask(name, SIOCSIFFLAGS, &r);
}

int kernif_queue(const char *name)
{
    struct ifreq r = {0};
    int err = ask(name, SIOCGIFTXQLEN, &r);
    return err ? err : r.ifr_qlen;
}

int kernif_set_queue(const char *name, uint32_t frames)
{
    struct ifreq r = {.ifr_qlen = (int)frames};
    return ask(name, SIOCSIFTXQLEN, &r);
}

/* ---- addresses ---- */

#define LOCAL_WITHIN_MS 2000

struct request {
    struct nlmsghdr n;
    union {
        struct ifaddrmsg a;
        struct rtmsg r;
    };
    char attrs[128];
};

static void add_attr(struct request *q, unsigned short type, const void *data, size_t n)
{
    struct rtattr at = {.rta_len = (unsigned short)RTA_LENGTH(n), .rta_type = type};
    char *to = (char *)q + NLMSG_ALIGN(q->n.nlmsg_len);
    memcpy(to, &at, sizeof(at));
    memcpy(to + RTA_LENGTH(0), data, n);
    q->n.nlmsg_len = NLMSG_ALIGN(q->n.nlmsg_len) + (unsigned)RTA_ALIGN(at.rta_len);
}

/* As the kernel wants it; its length. */
static size_t put_addr(struct wr *w, const struct oriel_addr *a)
{
    if (addr_is_v4(a)) {
        wr_addr4(w, a);
        return 4;
    }
    wr_addr6(w, a);
    return 16;
}

struct answer {
    struct nlmsghdr n;
    union {
        struct nlmsgerr e;
        struct rtmsg r;
        char bytes[600];
    };
};

static int ask_kernel(const struct request *q, struct answer *out)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0)
        return -errno;
    int err = 0;
    if (send(fd, q, q->n.nlmsg_len, 0) < 0 || recv(fd, out, sizeof(*out), 0) < 0)
        err = -errno;
    close(fd);
    return err;
}

/* For requests that are answered with an errno. */
static int talk(const struct request *q)
{
    struct answer a = {0};
    int err = ask_kernel(q, &a);
    if (err)
        return err;
    return a.n.nlmsg_type == NLMSG_ERROR ? a.e.error : -EPROTO;
}

/* Would the kernel take a packet to that address for itself? */
static bool is_local(const struct oriel_addr *to)
{
    uint8_t bytes[16];
    struct wr w = wr_of(bytes, sizeof(bytes));
    struct answer a = {0};
    struct request q = {
        .n = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.r)), .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST},
        .r = {.rtm_family = AF_INET6, .rtm_dst_len = 128},
    };
    add_attr(&q, RTA_DST, bytes, put_addr(&w, to));
    return ask_kernel(&q, &a) == 0 && a.n.nlmsg_type == RTM_NEWROUTE && a.r.rtm_type == RTN_LOCAL;
}

/*
 * An address of IPv6 is there before its route is, which a worker of the kernel makes: what comes in between
 * is dropped. Of an interface that is down nothing will come.
 */
static void wait_until_local(const char *name, const struct oriel_addr *a)
{
    const struct timespec ms = {.tv_nsec = 1000000};
    for (int i = 0; i < LOCAL_WITHIN_MS && kernif_is_up(name) > 0 && !is_local(a); i++)
        (void)nanosleep(&ms, NULL);
}

int kernif_add_addr(const char *name, const struct drv_addr *a)
{
    bool v4 = addr_is_v4(&a->addr);
    int index = kernif_index(name);
    uint8_t bytes[16];
    struct wr w = wr_of(bytes, sizeof(bytes));
    if (index < 0)
        return index;
    struct request q = {
        .n = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.a)), .nlmsg_type = RTM_NEWADDR,
              .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
        .a = {.ifa_family = v4 ? AF_INET : AF_INET6,
              .ifa_prefixlen = (uint8_t)(a->prefix_len - (v4 ? 96 : 0)),
              .ifa_flags = IFA_F_NODAD, .ifa_index = (unsigned)index},
    };
    size_t n = put_addr(&w, &a->addr);
    add_attr(&q, IFA_LOCAL, bytes, n);
    add_attr(&q, IFA_ADDRESS, bytes, n);
    int err = talk(&q);
    if (err == 0 && !v4)
        wait_until_local(name, &a->addr);
    return err == -EEXIST ? 0 : err;
}

int kernif_add_gateway(const char *name, const struct oriel_addr *gateway)
{
    int index = kernif_index(name);
    uint8_t bytes[16];
    struct wr w = wr_of(bytes, sizeof(bytes));
    if (index < 0)
        return index;
    struct request q = {
        .n = {.nlmsg_len = NLMSG_LENGTH(sizeof(q.r)), .nlmsg_type = RTM_NEWROUTE,
              .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
        .r = {.rtm_family = addr_is_v4(gateway) ? AF_INET : AF_INET6, .rtm_table = RT_TABLE_MAIN,
              .rtm_protocol = RTPROT_BOOT, .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST},
    };
    add_attr(&q, RTA_GATEWAY, bytes, put_addr(&w, gateway));
    add_attr(&q, RTA_OIF, &index, sizeof(index));
    int err = talk(&q);
    return err == -EEXIST ? 0 : err;
}

static bool same(const struct sockaddr *s, const struct oriel_addr *a)
{
    struct oriel_addr b = ADDR_NONE;
    if (s && s->sa_family == AF_INET) {
        struct rd r = rd_of(span_of(&((const struct sockaddr_in *)(const void *)s)->sin_addr, 4));
        b = rd_addr4(&r);
    } else if (s && s->sa_family == AF_INET6) {
        struct rd r = rd_of(span_of(&((const struct sockaddr_in6 *)(const void *)s)->sin6_addr, 16));
        b = rd_addr6(&r);
    }
    return !addr_is_unspecified(a) && addr_same_bits(&b, a);
}

bool kernif_owns(const struct oriel_addr *a, char *where, size_t cap)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
        if (same(i->ifa_addr, a)) {
            found = true;
            (void)snprintf(where, cap, "%s", i->ifa_name);
        }
    freeifaddrs(all);
    return found;
}
