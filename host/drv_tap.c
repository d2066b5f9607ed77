/*
 * TAP and TUN devices: the machine's own kernel at the other end of the link.
 *
 *     tap:oriel0,addr=192.0.2.2/24,host=192.0.2.1/24      Ethernet frames
 *     tun:oriel1,addr=192.0.2.2/32,gw=192.0.2.1           bare IP packets
 *
 * One read or write moves one frame, and costs much the same whatever its size. So the device is asked
 * to pass super-segments of up to 64 KiB, with sums that nobody has filled in, both ways
 * (IFF_VNET_HDR, TUNSETOFFLOAD): each is left out in turn where the kernel refuses it. Datagrams that a program sent
 * as one (USO) are read as one and cut here, which is one call of the kernel for all of them; and those of ours that are
 * one behind the other are written as one.
 *
 * A frame's length is known only after it was read. It is read into a block that holds the largest there
 * may be; the packet is that block, or a copy in the smallest that holds it, so that what a frame holds is
 * in proportion to it. (Blocks of several sizes behind one another, read into at once, save that copy and
 * cost more for each frame, whatever its size: the kernel checks and copies the list.) Where there is no
 * memory, frames are read and thrown away: they would otherwise wake us for ever.
 *
 * What the kernel says before a frame is read to, and written from, the room in front of it.
 *
 * Writing never waits: the kernel takes the frame or drops it. A device that is down drops (EIO).
 */
#define _GNU_SOURCE
#include "host/drv.h"

#include "base/addr.h"
#include "host/kernif.h"
#include "host/vnet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define DEVICE         "/dev/net/tun"
#define TAP_QUEUES_MAX 16
#define TAP_TXQ        16384        /* frames that wait for us in the kernel; its own 1,000 are soon full */
#define TAP_TXQ_MAX    1000000
#define TAP_HOSTS_MAX  8

/* Of both families, which the kernel passes together or not; headers before Linux 6.2 do not name them. */
#define USO (0x20u | 0x40u)

#define RX_HEADROOM 88              /* before the frame, for headers of where it may go on to */

/* What the user asked for beside what all links have. */
struct tap_wish {
    char path[DRV_NAME_MAX];
    int fd;                         /* the device file, open already; -1: open it */
    unsigned queues;
    uint32_t txq;                   /* 0: as it is, or TAP_TXQ of a device that we make */
    struct drv_addr hosts[TAP_HOSTS_MAX];
    unsigned hosts_n;
};

#define VNET_LEN sizeof(struct virtio_net_hdr)

struct tap {
    struct drv d;
    bool tun, vnet, made;
    int queues[TAP_QUEUES_MAX];
    unsigned queues_n, turn;
    enum blk_class class;           /* of blocks that frames are read into, */
    size_t room;                    /* and the frame that fits */
    struct blk *blk;                /* for the next */
    bool uso;                       /* datagrams that were sent as one pass as one, both ways */
    struct vnet_cut cut;            /* such ones, of which some were handed up */
};

/* ---- what the user said ---- */

static bool wrong(char error[DRV_ERROR_MAX], const char *key, const char *found, const char *expected)
{
    return drv_error(error, "%s '%s': expected %s", key, found, expected);
}

static bool number(const char *v, unsigned long max, unsigned long *out)
{
    char *end;
    *out = strtoul(v, &end, 10);
    return *v >= '0' && *v <= '9' && *end == 0 && *out >= 1 && *out <= max;
}

static bool take_host(struct tap_wish *w, const char *v)
{
    struct drv_addr *a = &w->hosts[w->hosts_n];
    if (w->hosts_n == TAP_HOSTS_MAX || oriel_prefix_parse(v, &a->addr, &a->prefix_len) != 0)
        return false;
    w->hosts_n++;
    return true;
}

static bool take_key(struct tap_wish *w, const char *key, const char *v, char error[DRV_ERROR_MAX])
{
    unsigned long n;
    if (strcmp(key, "host") == 0)
        return take_host(w, v) || wrong(error, "host", v, "an address for the kernel's end with its prefix, "
                                                          "such as 192.0.2.1/24 (eight at most)");
    if (strcmp(key, "dev") == 0) {
        (void)snprintf(w->path, sizeof(w->path), "%s", v);
        return *v != 0 || wrong(error, "dev", v, "a device file like /dev/net/tun");
    }
    if (strcmp(key, "fd") == 0 && number(v, INT_MAX, &n)) {
        w->fd = (int)n;
        return true;
    }
    if (strcmp(key, "queues") == 0 && number(v, TAP_QUEUES_MAX, &n)) {
        w->queues = (unsigned)n;
        return true;
    }
    if (strcmp(key, "txq") == 0 && number(v, TAP_TXQ_MAX, &n)) {
        w->txq = (uint32_t)n;
        return true;
    }
    return wrong(error, key, v, key[0] == 'q' ? "1 to 16" : key[0] == 't' ? "frames, 1 to 1000000" :
                                "the number of a descriptor of the device file");
}

static bool read_wish(struct tap_wish *w, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    char rest[sizeof(s->rest)];
    *w = (struct tap_wish){.path = DEVICE, .fd = -1, .queues = 1};
    memcpy(rest, s->rest, sizeof(rest));
    char *save = NULL;
    for (char *word = strtok_r(rest, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(word, '=');           /* all keys have values */
        *eq = 0;
        if (!take_key(w, word, eq + 1, error))
            return false;
    }
    if (w->fd >= 0 && w->queues > 1)
        return drv_error(error, "queues=%u: a descriptor (fd=) is one queue", w->queues);
    return strlen(s->where) < IFNAMSIZ || wrong(error, "device", s->where, "a name of at most 15 letters");
}

/* ---- opening: what went wrong, in words ---- */

#define WITHOUT "--link user needs neither device nor privilege"

static bool say_no_file(const char *path, int err, char error[DRV_ERROR_MAX])
{
    struct stat st;
    if (err == ENOENT || err == ENODEV || err == ENXIO)
        return drv_error(error, "%s: %s: the kernel's tun module is not there (modprobe tun); " WITHOUT, path,
                         strerror(err));
    if ((err != EACCES && err != EPERM) || stat(path, &st) != 0)
        return drv_error(error, "%s: %s; " WITHOUT, path, strerror(err));
    return drv_error(error, "%s: permission denied (mode %03o, owner %u): dev=PATH names a device file of your "
                            "own; " WITHOUT, path, (unsigned)st.st_mode & 0777u, (unsigned)st.st_uid);
}

static bool say_no_device(const struct tap *t, const char *name, int err, char error[DRV_ERROR_MAX])
{
    const char *mode = t->tun ? "tun" : "tap";
    if (err == EPERM)
        return drv_error(error, "%s: %s needs the capability CAP_NET_ADMIN (one that `ip tuntap add %s mode %s "
                                "user NAME` made for you does not); " WITHOUT, name,
                         t->made ? "making the device" : "this device is another user's and", name, mode);
    if (err == EBUSY)
        return drv_error(error, "%s: another program has this device open", name);
    if (err == EINVAL && !t->made)
        return drv_error(error, "%s: there is an interface of that name, and it is no %s device", name, mode);
    return drv_error(error, "%s: cannot be made: %s", name, strerror(err));
}

static bool say_no_change(const char *name, const char *what, int err, char error[DRV_ERROR_MAX])
{
    return drv_error(error, "%s: %s: %s%s", name, what, strerror(-err),
                     err == -EPERM ? ": that needs the capability CAP_NET_ADMIN; " WITHOUT : "");
}

/* ---- opening ---- */

/* One more queue. A device that was made for several wants to be told so, and one that was not, not. */
static bool attach(struct tap *t, const struct tap_wish *w, char name[IFNAMSIZ], char error[DRV_ERROR_MAX])
{
    struct ifreq r = {0};
    int fd = w->fd >= 0 ? w->fd : open(w->path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return say_no_file(w->path, errno, error);
    unsigned features = 0;
    if (t->vnet && ioctl(fd, TUNGETFEATURES, &features) == 0 && !(features & IFF_VNET_HDR))
        t->vnet = false;
    bool many = w->queues > 1;
    for (unsigned i = 0; i < 2; i++, many = !many) {
        memcpy(r.ifr_name, name, IFNAMSIZ);
        r.ifr_flags = (short)((t->tun ? IFF_TUN : IFF_TAP) | IFF_NO_PI | (t->vnet ? IFF_VNET_HDR : 0) |
                              (many ? IFF_MULTI_QUEUE : 0));
        if (ioctl(fd, TUNSETIFF, &r) == 0) {
            memcpy(name, r.ifr_name, IFNAMSIZ);
            t->queues[t->queues_n++] = fd;
            return true;
        }
        if (errno != EINVAL || t->made)
            break;
    }
    (void)say_no_device(t, name, errno, error);
    close(fd);
    return false;
}

static bool attach_all(struct tap *t, const struct tap_wish *w, char error[DRV_ERROR_MAX])
{
    char name[IFNAMSIZ] = {0};
    memcpy(name, t->d.name, strlen(t->d.name));
    if (!attach(t, w, name, error))
        return false;
    while (t->queues_n < w->queues && attach(t, w, name, error)) {
    }
    if (t->queues_n < w->queues)
        drv_note(&t->d, "%u of %u queues: %.100s", t->queues_n, w->queues, error);
    else if (w->queues > 1)
        drv_note(&t->d, "%u queues", w->queues);
    (void)snprintf(t->d.name, sizeof(t->d.name), "%s", name);
    return true;
}

/* What the kernel passes unfinished, from most to nothing. */
static void ask_offloads(struct tap *t)
{
    static const struct {
        unsigned flags;
        const char *without;
    } tries[] = {
        {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | USO, NULL},
        {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN, "datagrams that were sent as one are cut by the kernel"},
        {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, "super-segments with congestion marks are cut by the kernel"},
        {TUN_F_CSUM | TUN_F_TSO4, "the kernel has no super-segments for IPv6"},
        {TUN_F_CSUM, "the kernel has no super-segments: each frame is read by itself"},
    };
    int hdr = VNET_LEN, fd = t->queues[0];
    unsigned got = 0;
    (void)ioctl(fd, TUNSETOFFLOAD, 0UL);        /* a device that stays has what its last user asked */
    if (!t->vnet || ioctl(fd, TUNSETVNETHDRSZ, &hdr) != 0)
        return;
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]) && got == 0; i++)
        if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)tries[i].flags) == 0) {
            got = tries[i].flags;
            if (tries[i].without)
                drv_note(&t->d, "%s", tries[i].without);
        }
    t->uso = got & USO;
    t->d.caps.csum = got & TUN_F_CSUM;
    t->d.caps.gso4 = got & TUN_F_TSO4;
    t->d.caps.gso6 = got & TUN_F_TSO6;
}

static void note_offloads(struct tap *t, bool plain)
{
    const struct drv_caps *c = &t->d.caps;
    if (plain)
        drv_note(&t->d, "plain: every frame as it stands on a wire, its sums filled in");
    else if (!c->csum)
        drv_note(&t->d, "the kernel does not leave sums and segments to us (no vnet_hdr): all frames are plain");
    else
        drv_note(&t->d, "sums are left to whoever needs them%s%s",
                 c->gso4 ? ", TCP segments of up to 64 KiB pass whole, both ways" : "",
                 t->uso ? "; datagrams that were sent as one pass as one" : "");
}

/* The queue of a device that somebody else made is left alone unless we are asked. */
static void set_queue(struct tap *t, const struct tap_wish *w)
{
    uint32_t want = w->txq ? w->txq : t->made ? TAP_TXQ : 0;
    int now = kernif_queue(t->d.name);
    int err = want ? kernif_set_queue(t->d.name, want) : 0;
    if (err)
        drv_note(&t->d, "the device's queue stays at %d frames: %s", now, strerror(-err));
    else if (!want && now < TAP_TXQ / 4)
        drv_note(&t->d, "the device's queue is %d frames: fast senders overrun it (txq=%d, with CAP_NET_ADMIN)",
                 now, TAP_TXQ);
}

/* The kernel's end. What cannot be done without privilege is said, and is an error where it was asked for. */
static bool set_up(struct tap *t, const struct drv_spec *s, const struct tap_wish *w,
                   char error[DRV_ERROR_MAX])
{
    const char *name = t->d.name;
    if (w->fd >= 0) {                   /* it may live in another network namespace: set up there */
        t->d.caps.mtu = s->mtu ? s->mtu : 1500;
        return true;
    }
    int mtu = kernif_mtu(name), err = 0;
    if (s->mtu && mtu != (int)s->mtu && (err = kernif_set_mtu(name, s->mtu)) != 0)
        return say_no_change(name, "its MTU cannot be changed", err, error);
    t->d.caps.mtu = s->mtu ? s->mtu : mtu > 0 ? (uint32_t)mtu : 1500;
    set_queue(t, w);
    if (kernif_is_up(name) != 1 && (err = kernif_set_up(name)) != 0) {
        if (w->hosts_n > 0)
            return say_no_change(name, "it cannot be brought up", err, error);
        drv_note(&t->d, "the device is down: nothing passes before `ip link set %s up`", name);
    }
    for (unsigned i = 0; i < w->hosts_n; i++)
        if ((err = kernif_add_addr(name, &w->hosts[i])) != 0)
            return say_no_change(name, "the kernel's end gets no address", err, error);
    return true;
}

/* One descriptor that is ready when any queue is. */
static bool join_queues(struct tap *t, char error[DRV_ERROR_MAX])
{
    t->d.fd = t->queues[0];
    if (t->queues_n == 1)
        return true;
    t->d.fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < t->queues_n && t->d.fd >= 0; i++) {
        struct epoll_event e = {.events = EPOLLIN};
        if (epoll_ctl(t->d.fd, EPOLL_CTL_ADD, t->queues[i], &e) != 0) {
            close(t->d.fd);
            t->d.fd = -1;
        }
    }
    return t->d.fd >= 0 || drv_error(error, "%s: %s", t->d.name, strerror(errno));
}

static void set_class(struct tap *t)
{
    size_t frame = t->d.caps.gso4 ? 65535 + 22 : t->d.caps.mtu + (t->tun ? 0u : 22u);
    t->class = BLK_FRAME;
    while (blk_class_bytes[t->class] < RX_HEADROOM + frame && t->class < BLK_WHOLE)
        t->class++;
    t->room = blk_class_bytes[t->class] - RX_HEADROOM;
}

static void tap_close(struct drv *d)
{
    struct tap *t = (struct tap *)(void *)d;
    if (t->cut.whole)
        pkt_free(t->cut.whole);
    if (t->blk)
        blk_put(t->blk);
    if (t->queues_n > 1 && t->d.fd >= 0)
        close(t->d.fd);
    for (unsigned i = 0; i < t->queues_n; i++)
        close(t->queues[i]);
    free(t);
}

static struct drv *open_with(const struct drv_spec *s, const struct tap_wish *w, bool tun,
                             char error[DRV_ERROR_MAX])
{
    struct tap *t = calloc(1, sizeof(*t));
    if (!t) {
        (void)drv_error(error, "no memory");
        return NULL;
    }
    t->d.kind = s->kind;
    t->d.fd = -1;
    t->d.caps.ip = t->tun = tun;
    t->vnet = !s->plain;
    (void)snprintf(t->d.name, sizeof(t->d.name), "%s", *s->where ? s->where : "oriel%d");
    t->made = kernif_index(t->d.name) < 0;
    if (!attach_all(t, w, error) || !join_queues(t, error)) {
        tap_close(&t->d);
        return NULL;
    }
    ask_offloads(t);
    note_offloads(t, s->plain);
    if (!set_up(t, s, w, error)) {
        tap_close(&t->d);
        return NULL;
    }
    if (!tun)
        drv_choose_mac(&t->d, s);
    set_class(t);
    return &t->d;
}

static struct drv *open_device(const struct drv_spec *s, bool tun, char error[DRV_ERROR_MAX])
{
    struct tap_wish w;
    if (tun && memcmp(s->mac, (const uint8_t[6]){0}, 6) != 0)
        (void)drv_error(error, "mac: bare packets have no link addresses (tap: has)");
    else if (read_wish(&w, s, error))
        return open_with(s, &w, tun, error);
    return NULL;
}

static struct drv *tap_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    return open_device(s, false, error);
}

static struct drv *tun_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    return open_device(s, true, error);
}

/* ---- what comes ---- */

/* A frame that stands in t->blk; a copy where a smaller block does. NULL: no memory. */
static struct pkt *packet_of(struct tap *t, struct env *env, size_t len)
{
    bool small = RX_HEADROOM + len <= blk_class_bytes[t->class - 1];
    struct pkt *p = small ? pkt_new_copy(env, RX_HEADROOM, span_of(t->blk->bytes + RX_HEADROOM, len)) : NULL;
    if (p || !(p = pkt_new_blk(env, t->blk, RX_HEADROOM, (uint32_t)len)))
        return p;
    t->blk = NULL;
    return p;
}

/* The frame that was read. NULL: it is counted as lost. */
static struct pkt *finish(struct tap *t, struct env *env, size_t len)
{
    struct virtio_net_hdr h;
    bool good = len > 0 && len < t->room;
    struct pkt *p = good && t->blk ? packet_of(t, env, len) : NULL;
    if (!p) {
        drv_lost(&t->d, good ? DRV_LOST_MEMORY : DRV_LOST_SENSE, 1);
        return NULL;
    }
    p->l3 = t->tun ? 0 : vnet_eth_len(p);
    memcpy(&h, (t->blk ? t->blk : p->head.blk)->bytes + RX_HEADROOM - VNET_LEN, VNET_LEN);
    if (!t->vnet || vnet_to_pkt(env, p, &h)) {
        t->d.rx_pkts++;
        t->d.rx_bytes += len;
        return p;
    }
    pkt_free(p);
    drv_lost(&t->d, DRV_LOST_SENSE, 1);
    return NULL;
}

/* One frame, into t->blk or nowhere: its length as the kernel tells it, or -1. */
static ssize_t read_one(struct tap *t, int fd, struct env *env)
{
    uint8_t nowhere[1];
    size_t hdr = t->vnet ? VNET_LEN : 0;
    if (oriel_unlikely(!t->blk) && !(t->blk = blk_get(env->mem, t->class)))
        return read(fd, nowhere, sizeof(nowhere)) < 0 ? -1 : 1;
    ssize_t n = read(fd, t->blk->bytes + RX_HEADROOM - hdr, t->room + hdr);
    return n < 0 ? -1 : (size_t)n > hdr ? n - (ssize_t)hdr : 0;
}

static bool is_gone(int err)
{
    return err == EBADFD || err == ENODEV || err == ENXIO || err == EBADF;
}

/* The next of datagrams that came as one. */
static struct pkt *next_datagram(struct tap *t, struct env *env)
{
    struct pkt *p = vnet_cut_next(&t->cut, env);
    if (!p)
        drv_lost(&t->d, DRV_LOST_MEMORY, t->cut.lost);
    return p;
}

/* A frame, or the first of datagrams that came as one. */
static struct pkt *one_of(struct tap *t, struct env *env, struct pkt *p)
{
    if (oriel_likely(p->gso != GSO_UDP))
        return p;
    if (vnet_cut_begin(&t->cut, p))
        return next_datagram(t, env);
    drv_lost(&t->d, DRV_LOST_SENSE, 1);
    return NULL;
}

/* Nothing of what was cut is kept behind when none are returned: the descriptor would not tell of it. */
static unsigned rx_queue(struct tap *t, int fd, struct env *env, struct pkt *out[], unsigned max)
{
    unsigned n = 0;
    for (unsigned turns = 0; turns < max; turns++) {
        struct pkt *p = t->cut.whole ? next_datagram(t, env) : NULL;
        if (!p) {
            ssize_t len = read_one(t, fd, env);
            if (len < 0) {
                t->d.error = is_gone(errno) ? -errno : t->d.error;
                break;
            }
            p = finish(t, env, (size_t)len);
            p = p ? one_of(t, env, p) : NULL;
        }
        if (p)
            out[n++] = p;
    }
    return n;
}

static unsigned tap_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    struct tap *t = (struct tap *)(void *)d;
    unsigned n = 0;
    for (unsigned i = 0; i < t->queues_n && n < max; i++)
        n += rx_queue(t, t->queues[(t->turn + i) % t->queues_n], env, out + n, max - n);
    t->turn++;
    return n;
}

/* ---- what leaves ---- */

/*
 * 0, or an errno. Replies of a flow come by the queue that it was last written to: one is as good as
 * another. The room before a head that is p's alone is nobody's.
 */
static int send_one(struct tap *t, const struct pkt *p)
{
    struct iovec v[1 + DRV_IOV_MAX];
    struct virtio_net_hdr h;
    unsigned n = 0;
    bool before = t->vnet && p->head.off >= VNET_LEN && p->head.blk->refs == 1;
    if (t->vnet) {
        vnet_of_pkt(&h, p);
        if (before)
            memcpy(pkt_data(p) - VNET_LEN, &h, VNET_LEN);
        else
            v[n++] = (struct iovec){&h, VNET_LEN};
    }
    n += drv_iov(v + n, p);
    if (before)
        v[0] = (struct iovec){pkt_data(p) - VNET_LEN, p->head.len + VNET_LEN};
    ssize_t sent = n == 1 ? write(t->queues[0], v[0].iov_base, v[0].iov_len)
                          : writev(t->queues[0], v, (int)n);
    return sent < 0 ? errno : 0;
}

static int send_joined(struct tap *t, struct pkt *const pkts[], unsigned n)
{
    struct vnet_join j;
    struct iovec v[VNET_IOV_MAX];
    unsigned pieces = vnet_join(&j, v, pkts, n);
    return writev(t->queues[0], v, (int)pieces) < 0 ? errno : 0;
}

static unsigned tap_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    struct tap *t = (struct tap *)(void *)d;
    for (unsigned i = 0, k; i < n; i += k) {
        k = t->uso ? vnet_alike(pkts + i, n - i) : 1;
        int err = k > 1 ? send_joined(t, pkts + i, k) : send_one(t, pkts[i]);
        if (err == EAGAIN) {
            d->tx_full++;
            return i;
        }
        if (err == 0)
            drv_sent(d, pkts + i, k);
        else
            d->tx_dropped += k;
        d->error = is_gone(err) ? -err : d->error;
    }
    return n;
}

static bool tap_available(char why_not[DRV_ERROR_MAX])
{
    return access(DEVICE, R_OK | W_OK) == 0 || say_no_file(DEVICE, errno, why_not);
}

#define NEEDS "/dev/net/tun, and CAP_NET_ADMIN to make a device or change one; " WITHOUT

static const struct drv_key keys[] = {
    {"host", "A/LEN", "an address for the kernel's end (again for more)"},
    {"dev", "PATH", "a device file of your own instead of " DEVICE},
    {"fd", "N", "a descriptor that has it open, inherited"},
    {"queues", "N", "queues of the device, 1 to 16"},
    {"txq", "N", "frames that wait for us in the kernel, at most"},
    {NULL, NULL, NULL},
};

const struct drv_kind drv_tap = {
    .name = "tap",
    .where = "DEVICE",
    .help = "Ethernet to this machine's kernel, which has the other end as a device",
    .needs = NEEDS,
    .keys = keys,
    .available = tap_available,
    .open = tap_open,
    .rx = tap_rx,
    .tx = tap_tx,
    .close = tap_close,
};

const struct drv_kind drv_tun = {
    .name = "tun",
    .where = "DEVICE",
    .help = "the same with bare IP packets",
    .needs = NEEDS,
    .keys = keys,
    .available = tap_available,
    .open = tun_open,
    .rx = tap_rx,
    .tx = tap_tx,
    .close = tap_close,
};
