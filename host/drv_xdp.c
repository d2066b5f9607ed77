/*
 * One queue of an interface, shared with the kernel that drives it: an AF_XDP socket.
 *
 *     xdp:eth1,addr=192.0.2.7/24,gw=192.0.2.1
 *
 * Frames to our link address are taken before the kernel makes packets of them, by a program on the
 * interface (xdp_prog.h), and copied out of memory that both share; those that leave are written there. All
 * else that drv_packet.c does is needed as well: an interface that listens for our address, what is sent to
 * everybody and to groups (the host has as much right to it, and no program of this kind can copy a frame),
 * and what arrives at queues that we don't read. So such a link is opened beside, and read after the ring; it has
 * nothing to do as a rule.
 *
 * No offload crosses an AF_XDP socket. A sum that the kernel at the other end of a veth left to the device is
 * nevertheless not filled in when we see it: such a field holds the sum of the pseudo-header, and is finished
 * here.
 */
#define _GNU_SOURCE
#include "host/drv.h"

#include "host/xdp_sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PRIVILEGES "the machine's capabilities CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF; " \
                   "--link packet:INTERFACE needs the first alone, --link user no privilege"

extern const struct drv_kind drv_packet;

#ifdef ORIEL_XDP

#include "host/kernif.h"
#include "host/vnet.h"
#include "pkt/seal.h"
#include "wire/cut.h"

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define RX_HEADROOM 88
#define HEADERS_MAX 22                  /* Ethernet's, with two tags */
#define FRONT       128                 /* bytes of a frame that its headers are in, as a rule */
#define PIECES_MAX  20                  /* the kernel's packets have 17 and a head at most */
#define KICKS       64                  /* of a ring that the kernel empties a part at a time */

struct xdp {
    struct drv d;
    struct drv *packet;                 /* beside: groups, other queues */
    struct xdp_sock x;
    struct xdp_want want;
    bool shared;                        /* the link address is the interface's own */
    bool open_sums;                     /* who sends may be a kernel that leaves sums to the device */
    bool down;                          /* the interface was when the kernel was asked to send last */
    uint64_t free[XDP_TX_CHUNKS];       /* pieces of memory to send from */
    unsigned free_n;
    uint64_t thrown;                    /* by the kernel, as counted last */
    unsigned waiting;                   /* pieces that the kernel has yet to take */
};

static struct xdp *xdp_of(struct drv *d)
{
    return (struct xdp *)(void *)d;
}

/* ---- what comes ---- */

/* The transport of a frame of which n bytes are there. False: none that has a checksum, or not in them. */
static bool find_sum(struct pkt *p, size_t n, struct transport *t)
{
    p->l3 = vnet_eth_len(p);
    return transport_find(span_of(pkt_data(p) + p->l3, n - p->l3), t) && t->csum_at != 0;
}

/* Does the field hold what a sender leaves there who lets the device finish it? */
static bool is_open(const struct pkt *p, const struct transport *t)
{
    struct rd field = pkt_rd(p, (size_t)p->l3 + t->csum_at);
    return rd_u16(&field) == transport_partial(t, (uint32_t)(pkt_len(p) - p->l3 - t->at));
}

/* Pieces of one frame, as the ring names them. */
struct frame {
    const struct xdp_desc *piece[PIECES_MAX];
    unsigned n;
    size_t len;
};

/* The next frame of the ring; none: n is 0. One of more pieces than any has is cut, and `len` is 0. */
static void take_frame(struct xdp *t, struct frame *f)
{
    __u32 at;
    bool more = true;
    f->n = 0;
    f->len = 0;
    while (more && f->n < PIECES_MAX && xsk_ring_cons__peek(&t->x.rx, 1, &at) == 1) {
        const struct xdp_desc *piece = xsk_ring_cons__rx_desc(&t->x.rx, at);
        f->piece[f->n++] = piece;
        f->len += piece->len;
        const struct xdp_desc *next = xsk_ring_cons__rx_desc(&t->x.rx, at + 1);
        ORIEL_PREFETCH(t->x.memory + next->addr);       /* it is filled, as a rule */
        more = piece->options & XDP_PKT_CONTD;
    }
    if (more)
        f->len = 0;
}

/* False: no memory. */
static bool seal_open(struct env *env, struct pkt *p)
{
    struct transport t;
    if (!find_sum(p, p->head.len, &t) || !is_open(p, &t))
        return true;
    p->csum = CSUM_PARTIAL;
    return pkt_seal(env, p);
}

/*
 * A frame in one piece, summed as it is copied where its sum is open. False: its headers are not where most are.
 */
static bool copy_summing(struct env *env, struct pkt *p, const uint8_t *from)
{
    struct transport t;
    uint8_t *to = pkt_data(p);
    size_t rest = p->head.len - FRONT;
    memcpy(to, from, FRONT);
    if (!find_sum(p, FRONT, &t))
        return false;
    if (!is_open(p, &t)) {
        memcpy(to + FRONT, from + FRONT, rest);
        return true;
    }
    size_t at = (size_t)p->l3 + t.at;
    uint32_t sum = csum_add(csum_small(to + at, FRONT - at), env->csum->copy(to + FRONT, from + FRONT, rest));
    transport_put_csum(to + p->l3, &t, transport_csum(&t, sum));
    return true;
}

/* NULL: no memory, or no frame. */
static struct pkt *copy_frame(const struct xdp *t, struct env *env, const struct frame *f)
{
    struct pkt *p = f->len > 0 ? pkt_new(env, RX_HEADROOM, f->len) : NULL;
    uint8_t *to = p ? pkt_data(p) : NULL;
    bool usual = p && t->open_sums && f->n == 1 && f->len > FRONT;
    if (usual && copy_summing(env, p, t->x.memory + f->piece[0]->addr))
        return p;
    for (unsigned i = 0; p && i < f->n; i++) {
        memcpy(to, t->x.memory + f->piece[i]->addr, f->piece[i]->len);
        to += f->piece[i]->len;
    }
    if (!p || !t->open_sums || seal_open(env, p))
        return p;
    pkt_free(p);
    return NULL;
}

/* The kernel may fill them again. */
static void give_back(struct xdp *t, const struct frame *f)
{
    __u32 at = 0;
    ORIEL_ASSERT(xsk_ring_prod__reserve(&t->x.fill, f->n, &at) == f->n);
    for (unsigned i = 0; i < f->n; i++)
        *xsk_ring_prod__fill_addr(&t->x.fill, at + i) = f->piece[i]->addr & ~(uint64_t)(t->x.chunk - 1);
}

static unsigned read_ring(struct xdp *t, struct env *env, struct pkt *out[], unsigned max)
{
    struct frame f;
    unsigned n = 0, pieces = 0;
    while (n < max) {
        take_frame(t, &f);
        if (f.n == 0)
            break;
        struct pkt *p = copy_frame(t, env, &f);
        give_back(t, &f);
        pieces += f.n;
        if (p)
            out[n++] = p;
        else
            drv_lost(&t->d, f.len > 0 ? DRV_LOST_MEMORY : DRV_LOST_SENSE, 1);
    }
    if (pieces == 0)
        return 0;
    xsk_ring_cons__release(&t->x.rx, pieces);
    xsk_ring_prod__submit(&t->x.fill, pieces);
    if (xsk_ring_prod__needs_wakeup(&t->x.fill))
        (void)recvfrom(t->x.fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
    return n;
}

/* What the kernel threw away for want of room. */
static void count_losses(struct xdp *t)
{
    struct xdp_statistics st = {0};
    socklen_t n = sizeof(st);
    (void)getsockopt(t->x.fd, SOL_XDP, XDP_STATISTICS, &st, &n);
    uint64_t all = st.rx_dropped + st.rx_ring_full + st.rx_fill_ring_empty_descs + t->packet->rx_dropped;
    drv_lost(&t->d, DRV_LOST_KERNEL, all - t->thrown);
    t->thrown = all;
}

/* A socket says once that the interface went down, or that it is no more. */
static void xdp_trouble(struct drv *d)
{
    struct xdp *t = xdp_of(d);
    int err = 0;
    socklen_t n = sizeof(err);
    (void)getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &err, &n);
    t->packet->kind->trouble(t->packet);
    d->error = t->packet->error;
}

static unsigned xdp_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    struct xdp *t = xdp_of(d);
    unsigned n = read_ring(t, env, out, max);
    if (n < max)
        n += t->packet->kind->rx(t->packet, env, out + n, max - n);
    for (unsigned i = 0; i < n; i++)
        d->rx_bytes += pkt_len(out[i]);
    d->rx_pkts += n;
    if (n == 0)
        count_losses(t);
    return n;
}

/* ---- what leaves ---- */

/* What the kernel has sent may be written to again. */
static void reclaim(struct xdp *t)
{
    __u32 at = 0;
    unsigned n = xsk_ring_cons__peek(&t->x.done, XDP_TX_CHUNKS, &at);
    for (unsigned i = 0; i < n; i++)
        t->free[t->free_n++] = *xsk_ring_cons__comp_addr(&t->x.done, at + i) & ~(uint64_t)(t->x.chunk - 1);
    if (n > 0)
        xsk_ring_cons__release(&t->x.done, n);
}

/* Where a frame is written to, piece by piece. */
struct pen {
    struct xdp *t;
    __u32 at;                           /* in the ring */
    struct xdp_desc *piece;             /* the last one */
};

static void next_piece(struct pen *w)
{
    if (w->piece)
        w->piece->options = XDP_PKT_CONTD;
    w->piece = xsk_ring_prod__tx_desc(&w->t->x.tx, w->at++);
    *w->piece = (struct xdp_desc){.addr = w->t->free[--w->t->free_n]};
}

static void write_span(struct pen *w, const uint8_t *from, size_t n)
{
    const uint32_t chunk = w->t->x.chunk;
    while (n > 0) {
        if (!w->piece || w->piece->len == chunk)
            next_piece(w);
        size_t part = chunk - w->piece->len < n ? chunk - w->piece->len : n;
        memcpy(w->t->x.memory + w->piece->addr + w->piece->len, from, part);
        w->piece->len += (uint32_t)part;
        from += part;
        n -= part;
    }
}

/* False: there is no room now. */
static bool write_frame(struct xdp *t, const struct pkt *p)
{
    struct pen w = {.t = t};
    struct iovec v[DRV_IOV_MAX];
    unsigned pieces = (unsigned)((pkt_len(p) + t->x.chunk - 1) / t->x.chunk);
    if (t->free_n < pieces || xsk_ring_prod__reserve(&t->x.tx, pieces, &w.at) != pieces)
        return false;
    unsigned n = drv_iov(v, p);
    for (unsigned i = 0; i < n; i++)
        write_span(&w, v[i].iov_base, v[i].iov_len);
    xsk_ring_prod__submit(&t->x.tx, pieces);
    t->waiting += pieces;
    return true;
}

/*
 * Where frames are copied the kernel sends only while we call, some at a time. What it cannot take now waits
 * in the ring for the next call.
 */
static void kick(struct xdp *t)
{
    int err = EAGAIN;
    for (unsigned i = 0; i < KICKS && err == EAGAIN && xsk_ring_prod__needs_wakeup(&t->x.tx); i++) {
        err = sendto(t->x.fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 ? errno : 0;
        reclaim(t);
    }
    if (err == ENXIO || err == ENODEV)
        t->d.error = -ENODEV;
    t->down = err == ENETDOWN;
    t->waiting = t->x.tx.size - xsk_prod_nb_free(&t->x.tx, t->x.tx.size);
    t->d.unsent = !t->down && !t->x.zero_copy && t->waiting > 0;
}

/* How many of them the ring took, or nobody ever will. */
static unsigned write_frames(struct xdp *t, struct pkt *const pkts[], unsigned n)
{
    unsigned done = 0;
    for (; done < n; done++) {
        size_t len = pkt_len(pkts[done]);
        if (len > t->want.frame) {
            t->d.tx_dropped++;
            continue;
        }
        if (!write_frame(t, pkts[done]))
            break;
        t->d.tx_pkts++;
        t->d.tx_bytes += len;
    }
    t->d.tx_full += done < n;
    return done;
}

/* While the interface is down, what left before waits in the ring; the rest is lost as on a wire. */
static unsigned xdp_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    struct xdp *t = xdp_of(d);
    reclaim(t);
    if (t->down)
        kick(t);
    if (t->down) {
        d->tx_dropped += n;
        return n;
    }
    unsigned done = write_frames(t, pkts, n);
    if (t->waiting > 0)
        kick(t);
    return done;
}

/* ---- opening ---- */

static void xdp_close(struct drv *d)
{
    struct xdp *t = xdp_of(d);
    xdp_sock_close(&t->x);
    drv_close(t->packet);
    free(t);
}

static int ask_ethtool(const char *name, void *what)
{
    struct ifreq r = {.ifr_data = what};
    memcpy(r.ifr_name, name, strnlen(name, sizeof(r.ifr_name) - 1));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int err = fd < 0 || ioctl(fd, SIOCETHTOOL, &r) < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    return err;
}

/* Queues that frames arrive at; one where nobody says. */
static unsigned queues_of(const char *name)
{
    struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};
    unsigned n = ask_ethtool(name, &c) == 0 ? c.combined_count + c.rx_count : 1;
    return n > 0 ? n : 1;
}

/* Interfaces whose other end may be a kernel: of a namespace, of this machine, of the virtual machine's host. */
static bool leaves_sums(const char *name)
{
    static const char *const drivers[] = {"veth", "tun", "virtio_net"};
    struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
    if (ask_ethtool(name, &info) != 0)
        return false;
    for (unsigned i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        if (strncmp(info.driver, drivers[i], sizeof(info.driver)) == 0)
            return true;
    return false;
}

static bool read_keys(struct xdp *t, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    char v[32] = "0";
    char *end;
    (void)drv_spec_key(s, "queue", v, sizeof(v));
    unsigned long queue = strtoul(v, &end, 10);
    unsigned queues = queues_of(t->d.name);
    if (v[0] < '0' || v[0] > '9' || *end || queue >= queues)
        return drv_error(error, "queue '%s': %s has %u, numbered from 0", v, t->d.name, queues);
    if (!drv_spec_either(s, "native", "generic", error) || !drv_spec_either(s, "copy", "zerocopy", error) ||
        !drv_spec_either(s, "generic", "zerocopy", error))
        return false;
    t->want = (struct xdp_want){
        .device = t->d.name,
        .queue = (unsigned)queue,
        .frame = t->d.caps.mtu + HEADERS_MAX,
        .mode = drv_spec_has(s, "native") ? XDP_NATIVE : drv_spec_has(s, "generic") ? XDP_GENERIC : XDP_ANY,
        .copies = drv_spec_has(s, "zerocopy") ? XDP_NO_COPIES : drv_spec_has(s, "copy") ? XDP_COPIES : XDP_MAYBE,
    };
    if (queues > 1)
        drv_note(&t->d, "queue %u of %u is read; what arrives at others comes as on packet:", t->want.queue,
                 queues);
    return true;
}

/* Its own words of the interface's link address and state come first. */
static bool open_packet(struct xdp *t, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    struct drv_spec beside = *s;
    uint8_t own[6];
    beside.kind = &drv_packet;
    beside.rest[0] = 0;
    t->packet = drv_open(&beside, error);
    if (!t->packet)
        return false;
    t->d.caps = t->packet->caps;
    t->d.caps.csum = t->d.caps.gso4 = t->d.caps.gso6 = false;
    t->d.beside = t->packet->fd;
    t->d.has_beside = true;
    t->shared = kernif_mac(t->d.name, own) == 0 && memcmp(own, t->d.caps.mac, 6) == 0;
    return true;
}

static bool put_program(struct xdp *t, const struct drv_addr *addrs, unsigned n, char error[DRV_ERROR_MAX])
{
    struct xdp_prog g;
    xdp_prog_make(&g, t->x.map, t->d.caps.mac, t->shared, addrs, n);
    return xdp_sock_attach(&t->x, &t->want, &g, error);
}

static void xdp_set_addrs(struct drv *d, const struct drv_addr *addrs, unsigned n)
{
    struct xdp *t = xdp_of(d);
    char error[DRV_ERROR_MAX];
    n = n < DRV_ADDRS_MAX ? n : DRV_ADDRS_MAX;
    t->packet->kind->set_addrs(t->packet, addrs, n);
    if (t->shared)
        (void)put_program(t, addrs, n, error);
}

static void say_what(struct xdp *t)
{
    if (t->x.generic && t->x.why_generic < 0)
        drv_note(&t->d, "generic mode, as the kernel does it for any interface (its driver: %s)",
                 strerror(-t->x.why_generic));
    else
        drv_note(&t->d, t->x.generic ? "generic mode, as the kernel does it for any interface"
                                     : "native mode: the interface's driver hands frames over");
    if (t->x.generic && t->open_sums)
        drv_note(&t->d, "super-segments that the other end left to the interface are lost: there, "
                        "`ethtool -K DEVICE tso off gso off`");
    drv_note(&t->d, t->x.zero_copy ? "zero-copy: the device reads and writes our memory"
                                   : "copy: the kernel copies each frame, once a way");
    drv_note(&t->d, "no offloads: each frame as it stands on a wire%s",
             t->open_sums ? ", but for sums that the other end left to the device, which are finished here" : "");
    for (unsigned i = 0; i < t->packet->notes_n; i++)
        if (strstr(t->packet->notes[i], "link address") || strstr(t->packet->notes[i], "is down"))
            drv_note(&t->d, "%s", t->packet->notes[i]);
}

static bool set_up(struct xdp *t, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    if (!open_packet(t, s, error) || !read_keys(t, s, error) || !xdp_sock_open(&t->x, &t->want, error) ||
        !put_program(t, s->addrs, s->addrs_n, error))
        return false;
    t->d.fd = t->x.fd;
    t->open_sums = leaves_sums(t->d.name);
    for (unsigned i = 0; i < XDP_TX_CHUNKS; i++)
        t->free[t->free_n++] = (uint64_t)(XDP_RX_CHUNKS + i) * t->x.chunk;
    say_what(t);
    return true;
}

static bool may_be_used(const char *name, char error[DRV_ERROR_MAX])
{
    int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), err = errno;
    if (fd >= 0)
        close(fd);
    if (fd < 0 && (err == EPERM || err == EACCES))
        return drv_error(error, "%s: an AF_XDP socket: %s: that needs " PRIVILEGES, name, strerror(err));
    return fd >= 0 || drv_error(error, "%s: this kernel has no AF_XDP sockets (%s); --link packet:INTERFACE "
                                       "does without", name, strerror(err));
}

static struct drv *xdp_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    struct xdp *t = may_be_used(s->where, error) ? calloc(1, sizeof(*t)) : NULL;
    if (!t)
        return NULL;
    t->d.kind = s->kind;
    t->x.fd = t->x.map = t->x.prog = t->x.link = -1;
    memcpy(t->d.name, s->where, strlen(s->where) + 1);
    if (set_up(t, s, error))
        return &t->d;
    xdp_close(&t->d);
    return NULL;
}

static bool xdp_available(char why_not[DRV_ERROR_MAX])
{
    struct xdp_lib l = {0};
    bool there = may_be_used("xdp", why_not) && xdp_lib_open(&l, why_not);
    xdp_lib_close(&l);
    return there;
}

#else

#define NOT_BUILT "this program was built without it (libxdp-dev, libbpf-dev); --link packet:INTERFACE does " \
                  "the same"

static bool xdp_available(char why_not[DRV_ERROR_MAX])
{
    return drv_error(why_not, NOT_BUILT);
}

static struct drv *xdp_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    (void)drv_error(error, "xdp:%s: " NOT_BUILT, s->where);
    return NULL;
}

#endif

static const struct drv_key keys[] = {
    {"queue", "N", "which of the interface's queues, from 0; the first where nothing is said"},
    {"native", NULL, "the mode of the interface's driver, or nothing"},
    {"generic", NULL, "the kernel's own, which every interface has"},
    {"zerocopy", NULL, "the device reads and writes our memory, or nothing"},
    {"copy", NULL, "the kernel copies each frame"},
    {NULL, NULL, NULL},
};

const struct drv_kind drv_xdp = {
    .name = "xdp",
    .where = "INTERFACE",
    .help = "the same past most of the kernel, one queue of it",
    .needs = PRIVILEGES,
    .keys = keys,
    .available = xdp_available,
    .open = xdp_open,
#ifdef ORIEL_XDP
    .rx = xdp_rx,
    .tx = xdp_tx,
    .close = xdp_close,
    .set_addrs = xdp_set_addrs,
    .trouble = xdp_trouble,
#endif
};
