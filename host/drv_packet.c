/*
 * A real interface, shared with the kernel that drives it: an AF_PACKET socket.
 *
 *     packet:eth1,addr=192.0.2.7/24,gw=192.0.2.1
 *
 * What is ours is told apart by the link address: one of our own (mac=, or one is chosen), for which the
 * interface listens beside its own, so that the kernel sees frames to it as somebody else's and answers
 * none. Where a network lets only the interface's own address pass (wireless ones, many clouds), mac= says
 * that one; then the addresses decide. Either way a filter in the kernel leaves the host's own traffic
 * alone, and an address that the kernel has is refused: it would reset our connections.
 *
 * Frames come in a ring of memory that the kernel shares, slots of one frame (TPACKET_V2: the third version
 * saves space and delivers when a block is full or a clock says so, which a round trip does not wait for).
 * One that is larger than its slot, a super-segment, waits in the socket's queue as well, and is read from
 * there without another copy. They leave in batches. Both ways a struct virtio_net_hdr says what is
 * unfinished of sums and segments.
 */
#define _GNU_SOURCE
#include "host/drv.h"

#include "base/addr.h"
#include "host/kernif.h"
#include "host/vnet.h"
#include "pkt/seal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define RX_HEADROOM 88
#define RING_BYTES  (8u << 20)
#define SLOT_MIN    2048u
#define SLOT_MAX    16384u              /* larger frames are read from the queue */
#define BUF_BYTES   (16 << 20)          /* of that queue, and of what is being sent */
#define VNET_LEN    sizeof(struct virtio_net_hdr)
#define TAG_LEN     4
#define FILTER_MAX  192
#define WITHOUT     "--link user needs no privilege"

struct packet {
    struct drv d;
    bool plain, shared;                 /* shared: the link address is the interface's own */
    bool all;                           /* whatever passes is taken, both ways */
    int index;                          /* of the interface */
    uint8_t *ring;
    unsigned slots, slot_bytes, at;
    struct blk *blk;                    /* for a frame that is read from the queue */
    bool uso;                           /* datagrams may leave as one */
    struct vnet_cut cut;                /* datagrams that came as one, of which some were handed up */
};

/* ---- the filter ---- */

struct program {
    struct sock_filter code[FILTER_MAX];
    unsigned short n;
};

static void put(struct program *g, unsigned code, uint32_t k, unsigned yes, unsigned no)
{
    ORIEL_ASSERT(g->n < FILTER_MAX);
    g->code[g->n++] = (struct sock_filter){(unsigned short)code, (uint8_t)yes, (uint8_t)no, k};
}

static void load(struct program *g, unsigned size, uint32_t at)
{
    put(g, BPF_LD | BPF_ABS | size, at, 0, 0);
}

/* Go on here where what was loaded is k; otherwise over the next `n` instructions. */
static void skip_unless(struct program *g, uint32_t k, unsigned n)
{
    put(g, BPF_JMP | BPF_JEQ | BPF_K, k, 0, n);
}

static void finish_with(struct program *g, bool take)
{
    put(g, BPF_RET | BPF_K, take ? UINT32_MAX : 0, 0, 0);
}

/* Take the frame if the word at that place is one of our IPv4 addresses. */
static void take_addr4(struct program *g, uint32_t at, const struct drv_addr *a, unsigned n)
{
    load(g, BPF_W, at);
    for (unsigned i = 0; i < n; i++)
        if (addr_is_v4(&a[i].addr)) {
            skip_unless(g, addr_to_v4(&a[i].addr), 1);
            finish_with(g, true);
        }
}

static void take_addr6(struct program *g, uint32_t at, const struct drv_addr *a, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (addr_is_v4(&a[i].addr))
            continue;
        const uint32_t word[4] = {(uint32_t)(a[i].addr.hi >> 32), (uint32_t)a[i].addr.hi,
                                  (uint32_t)(a[i].addr.lo >> 32), (uint32_t)a[i].addr.lo};
        for (unsigned k = 0; k < 4; k++) {
            load(g, BPF_W, at + 4 * k);
            skip_unless(g, word[k], 2 * (3 - k) + 1);
        }
        finish_with(g, true);
    }
}

/* To everybody or to a group: address resolution that asks for us, and all of IP. */
static void take_groups(struct program *g, const struct drv_addr *a, unsigned n)
{
    load(g, BPF_B, 0);
    unsigned jump = g->n;
    put(g, BPF_JMP | BPF_JSET | BPF_K, 1, 0, 0);        /* its end is known below */
    load(g, BPF_H, 12);
    unsigned not_arp = g->n;
    skip_unless(g, ETH_P_ARP, 0);
    take_addr4(g, 38, a, n);
    finish_with(g, n == 0);
    g->code[not_arp].jf = (uint8_t)(g->n - not_arp - 1);
    finish_with(g, true);
    g->code[jump].jf = (uint8_t)(g->n - jump - 1);
}

static void take_ours(struct program *g, const struct packet *t, const struct drv_addr *a, unsigned n)
{
    const uint8_t *m = t->d.caps.mac;
    if (!t->shared) {
        load(g, BPF_W, 0);
        skip_unless(g, (uint32_t)m[0] << 24 | (uint32_t)m[1] << 16 | (uint32_t)m[2] << 8 | m[3], 3);
        load(g, BPF_H, 4);
        skip_unless(g, (uint32_t)m[4] << 8 | m[5], 1);
        finish_with(g, true);
        return;
    }
    load(g, BPF_H, 12);
    unsigned at = g->n;
    skip_unless(g, ETH_P_ARP, 0);
    take_addr4(g, 38, a, n);
    g->code[at].jf = (uint8_t)(g->n - at - 1);
    load(g, BPF_H, 12);
    at = g->n;
    skip_unless(g, ETH_P_IP, 0);
    take_addr4(g, 30, a, n);
    g->code[at].jf = (uint8_t)(g->n - at - 1);
    load(g, BPF_H, 12);
    at = g->n;
    skip_unless(g, ETH_P_IPV6, 0);
    take_addr6(g, 38, a, n);
    g->code[at].jf = (uint8_t)(g->n - at - 1);
}

static int set_filter(struct packet *t, const struct drv_addr *a, unsigned n)
{
    struct program g = {.n = 0};
    if (t->all)
        return 0;
    take_groups(&g, a, n);
    take_ours(&g, t, a, n);
    finish_with(&g, false);
    struct sock_fprog f = {.len = g.n, .filter = g.code};
    return setsockopt(t->d.fd, SOL_SOCKET, SO_ATTACH_FILTER, &f, sizeof(f)) < 0 ? -errno : 0;
}

static void packet_set_addrs(struct drv *d, const struct drv_addr *addrs, unsigned n)
{
    struct packet *t = (struct packet *)(void *)d;
    (void)set_filter(t, addrs, n < DRV_ADDRS_MAX ? n : DRV_ADDRS_MAX);
}

/* ---- opening ---- */

static bool fail(const struct packet *t, const char *what, int err, char error[DRV_ERROR_MAX])
{
    return drv_error(error, "%s: %s: %s%s", t->d.name, what, strerror(err),
                     err == EPERM || err == EACCES ? ": that needs the capability CAP_NET_RAW; " WITHOUT : "");
}

static bool option(const struct packet *t, int name, int value)
{
    return setsockopt(t->d.fd, SOL_PACKET, name, &value, sizeof(value)) == 0;
}

static bool not_the_kernels(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    char where[IFNAMSIZ], text[ADDR_TEXT_MAX];
    for (unsigned i = 0; i < s->addrs_n; i++)
        if (kernif_owns(&s->addrs[i].addr, where, sizeof(where))) {
            (void)oriel_addr_print(&s->addrs[i].addr, text, sizeof(text));
            return drv_error(error, "%s: addr=%s is the kernel's own (on %s), which would reset every connection "
                                    "to it: choose an address that nobody has", s->where, text, where);
        }
    return true;
}

static bool make_ring(struct packet *t, char error[DRV_ERROR_MAX])
{
    t->slot_bytes = SLOT_MIN;
    while (t->slot_bytes < SLOT_MAX && t->slot_bytes < t->d.caps.mtu + 256)
        t->slot_bytes *= 2;
    t->slots = RING_BYTES / t->slot_bytes;
    struct tpacket_req r = {
        .tp_block_size = SLOT_MAX * 4,
        .tp_block_nr = RING_BYTES / (SLOT_MAX * 4),
        .tp_frame_size = t->slot_bytes,
        .tp_frame_nr = t->slots,
    };
    if (!option(t, PACKET_VERSION, TPACKET_V2) || !option(t, PACKET_VNET_HDR, 1) ||
        !option(t, PACKET_COPY_THRESH, 1) ||
        setsockopt(t->d.fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof(r)) != 0)
        return fail(t, "no ring of frames", errno, error);
    void *at = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, t->d.fd, 0);
    if (at == MAP_FAILED)
        return fail(t, "no ring of frames", errno, error);
    t->ring = at;
    return true;
}

/* Frames to our link address and to groups reach the interface; ours do not come back. */
static bool listen_for(struct packet *t, char error[DRV_ERROR_MAX])
{
    struct packet_mreq groups = {.mr_ifindex = t->index, .mr_type = t->all ? PACKET_MR_PROMISC : PACKET_MR_ALLMULTI};
    struct packet_mreq ours = {.mr_ifindex = t->index, .mr_type = PACKET_MR_UNICAST, .mr_alen = 6};
    memcpy(ours.mr_address, t->d.caps.mac, 6);
    if (setsockopt(t->d.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof(groups)) != 0 ||
        (!t->shared && !t->all && setsockopt(t->d.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &ours, sizeof(ours)) != 0))
        return fail(t, "it does not listen for another link address", errno, error);
    if (!t->all && !option(t, PACKET_IGNORE_OUTGOING, 1))
        drv_note(&t->d, "this kernel shows us our own frames as well (before 4.20): they are thrown away");
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = t->index};
    return bind(t->d.fd, (struct sockaddr *)(void *)&at, sizeof(at)) == 0 || fail(t, "cannot be used", errno, error);
}

static bool set_fanout(struct packet *t, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    char v[32];
    char *end;
    const char *group = drv_spec_key(s, "fanout", v, sizeof(v));
    if (!group)
        return true;
    unsigned long n = strtoul(group, &end, 10);
    if (*group == 0 || *end || n > 65535)
        return drv_error(error, "fanout '%s': expected the number of a group, 0 to 65535", group);
    return option(t, PACKET_FANOUT, (int)n | PACKET_FANOUT_HASH << 16) || fail(t, "no fanout", errno, error);
}

static void choose_mac(struct packet *t, const struct drv_spec *s)
{
    uint8_t own[6];
    (void)kernif_mac(t->d.name, own);
    drv_choose_mac(&t->d, s);
    t->shared = memcmp(t->d.caps.mac, own, 6) == 0;
    if (!t->all)
        drv_note(&t->d, t->shared ? "the interface's own link address is shared: only frames to our addresses are taken"
                                  : "a link address beside the interface's own; where the network accepts no other, "
                                    "mac=%02x:%02x:%02x:%02x:%02x:%02x shares it",
                 own[0], own[1], own[2], own[3], own[4], own[5]);
}

static void set_caps(struct packet *t, int mtu)
{
    struct drv_caps *c = &t->d.caps;
    c->mtu = (uint32_t)mtu;
    c->csum = c->gso4 = c->gso6 = !t->plain;
    drv_note(&t->d, t->plain ? "plain: sums are filled in; super-segments that the interface merged cannot be taken"
                             : "sums are left to whoever needs them, super-segments pass whole both ways");
}

static void packet_close(struct drv *d)
{
    struct packet *t = (struct packet *)(void *)d;
    if (t->ring)
        (void)munmap(t->ring, RING_BYTES);
    if (t->cut.whole)
        pkt_free(t->cut.whole);
    if (t->blk)
        blk_put(t->blk);
    if (d->fd >= 0)
        close(d->fd);
    free(t);
}

static bool set_up(struct packet *t, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    int index = t->index = kernif_index(t->d.name), mtu = kernif_mtu(t->d.name), big = BUF_BYTES;
    if (index < 0)
        return fail(t, "no such interface", -index, error);
    if (!not_the_kernels(s, error))
        return false;
    t->d.fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (t->d.fd < 0)
        return fail(t, "an AF_PACKET socket", errno, error);
    (void)setsockopt(t->d.fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big));
    (void)setsockopt(t->d.fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
    if (s->mtu && s->mtu > (uint32_t)mtu)
        return drv_error(error, "mtu '%u': %s takes no more than %d", s->mtu, t->d.name, mtu);
    choose_mac(t, s);
    set_caps(t, s->mtu ? (int)s->mtu : mtu);
    int err = make_ring(t, error) ? set_filter(t, s->addrs, s->addrs_n) : 0;
    if (!t->ring || err < 0)
        return t->ring ? fail(t, "no filter", -err, error) : false;
    if (!listen_for(t, error) || !set_fanout(t, s, error))
        return false;
    if (kernif_is_up(t->d.name) != 1)
        drv_note(&t->d, "the interface is down: nothing passes before `ip link set %s up`", t->d.name);
    return true;
}

static struct drv *packet_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    struct packet *t = calloc(1, sizeof(*t));
    if (!t) {
        (void)drv_error(error, "no memory");
        return NULL;
    }
    t->d.kind = s->kind;
    t->d.fd = -1;
    t->plain = s->plain;
    t->uso = !s->plain;
    t->all = s->listens;
    memcpy(t->d.name, s->where, strlen(s->where) + 1);
    if (set_up(t, s, error))
        return &t->d;
    packet_close(&t->d);
    return NULL;
}

/* ---- what comes ---- */

static struct tpacket2_hdr *slot_at(const struct packet *t)
{
    return (struct tpacket2_hdr *)(void *)(t->ring + (size_t)t->at * t->slot_bytes);
}

/* A frame of a slot; its tag was taken out of it, and is put back. */
static struct pkt *copy_slot(struct env *env, const struct tpacket2_hdr *s, uint32_t status)
{
    const uint8_t *from = (const uint8_t *)s + s->tp_mac;
    bool tagged = status & TP_STATUS_VLAN_VALID;
    size_t tag = tagged ? TAG_LEN : 0;
    struct pkt *p = pkt_new(env, RX_HEADROOM, s->tp_snaplen + tag);
    if (!p)
        return NULL;
    uint8_t *to = pkt_data(p);
    memcpy(to + tag, from, s->tp_snaplen);
    if (tagged) {
        struct wr w = wr_of(to + 12, TAG_LEN);
        memcpy(to, from, 12);
        wr_u16(&w, status & TP_STATUS_VLAN_TPID_VALID ? s->tp_vlan_tpid : ETH_P_8021Q);
        wr_u16(&w, s->tp_vlan_tci);
    }
    return p;
}

/* What the header in front of the frame says. False: nobody can use it. */
static bool told(const struct packet *t, struct env *env, struct pkt *p, struct virtio_net_hdr *h, bool tagged)
{
    p->l3 = vnet_eth_len(p);
    h->csum_start = (uint16_t)(h->csum_start + (tagged ? TAG_LEN : 0));
    if (!vnet_to_pkt(env, p, h))
        return false;
    return !t->plain || (p->gso == GSO_NONE && (p->csum != CSUM_PARTIAL || pkt_seal(env, p)));
}

/* One that did not fit its slot. NULL: none is there, or no memory. */
static struct pkt *read_queue(struct packet *t, struct env *env, struct virtio_net_hdr *h)
{
    uint8_t nowhere;
    if (!t->blk && !(t->blk = blk_get(env->mem, BLK_WHOLE))) {
        (void)!read(t->d.fd, &nowhere, 1);
        return NULL;
    }
    uint8_t *at = t->blk->bytes + RX_HEADROOM - VNET_LEN;
    ssize_t n = read(t->d.fd, at, blk_class_bytes[BLK_WHOLE] - (RX_HEADROOM - VNET_LEN));
    struct pkt *p = n > (ssize_t)VNET_LEN ? pkt_new_blk(env, t->blk, RX_HEADROOM, (uint32_t)n - (uint32_t)VNET_LEN) : NULL;
    if (!p)
        return NULL;
    memcpy(h, at, VNET_LEN);
    t->blk = NULL;
    return p;
}

static void count_losses(struct packet *t)
{
    struct tpacket_stats st = {0};
    socklen_t n = sizeof(st);
    if (getsockopt(t->d.fd, SOL_PACKET, PACKET_STATISTICS, &st, &n) == 0)
        drv_lost(&t->d, DRV_LOST_KERNEL, st.tp_drops);
}

/* One that we sent, on a kernel that shows it; for who listens, one that loopback will show again. */
static bool came_back(const struct packet *t, const struct tpacket2_hdr *s)
{
    const size_t behind = (sizeof(*s) + TPACKET_ALIGNMENT - 1) / TPACKET_ALIGNMENT * TPACKET_ALIGNMENT;
    const struct sockaddr_ll *from = (const void *)((const uint8_t *)s + behind);
    return from->sll_pkttype == PACKET_OUTGOING && (!t->all || from->sll_hatype == ARPHRD_LOOPBACK);
}

/* The slot is the kernel's again afterwards. NULL: dropped, and counted where it was meant for us. */
static struct pkt *take_slot(struct packet *t, struct env *env, struct tpacket2_hdr *s, uint32_t status)
{
    struct virtio_net_hdr h;
    bool tagged = status & TP_STATUS_VLAN_VALID, queued = status & TP_STATUS_COPY;
    struct pkt *p = NULL;
    if (status & TP_STATUS_LOSING)
        count_losses(t);
    memcpy(&h, (const uint8_t *)s + s->tp_mac - VNET_LEN, VNET_LEN);
    bool cut = s->tp_snaplen < s->tp_len;
    if (queued)
        p = read_queue(t, env, &h);
    else if (!cut && !came_back(t, s))
        p = copy_slot(env, s, status);
    if (!p) {
        drv_lost(&t->d, queued || !cut ? DRV_LOST_MEMORY : DRV_LOST_SENSE, !came_back(t, s));
    } else if ((queued && tagged) || !told(t, env, p, &h, tagged)) {     /* a tag was taken out of it */
        pkt_free(p);
        p = NULL;
        drv_lost(&t->d, DRV_LOST_SENSE, 1);
    }
    return p;
}

/*
 * An interface that goes down or away leaves ENETDOWN in the socket, and with it a readiness that ends only when
 * somebody asks. One that is down may come up again: the kernel then goes on where it was.
 */
static void packet_trouble(struct drv *d)
{
    struct packet *t = (struct packet *)(void *)d;
    char name[IF_NAMESIZE];
    int err = 0;
    socklen_t n = sizeof(err);
    (void)getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &err, &n);
    if (!if_indextoname((unsigned)t->index, name))
        d->error = -ENODEV;
}

/* Of datagrams that came as one, as many as there are and fit. */
static unsigned rx_cut(struct packet *t, struct env *env, struct pkt *out[], unsigned max)
{
    unsigned n = 0;
    while (t->cut.whole && n < max) {
        out[n] = vnet_cut_next(&t->cut, env);
        if (out[n])
            n++;
        else
            drv_lost(&t->d, DRV_LOST_MEMORY, t->cut.lost);
    }
    return n;
}

static unsigned packet_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    struct packet *t = (struct packet *)(void *)d;
    unsigned n = rx_cut(t, env, out, max);
    for (unsigned seen = 0; n < max && seen < t->slots; seen++) {
        struct tpacket2_hdr *s = slot_at(t);
        _Atomic uint32_t *status = (_Atomic uint32_t *)(void *)&s->tp_status;
        uint32_t now = atomic_load_explicit(status, memory_order_acquire);
        if (!(now & TP_STATUS_USER))
            break;
        struct pkt *p = take_slot(t, env, s, now);
        atomic_store_explicit(status, TP_STATUS_KERNEL, memory_order_release);
        t->at = t->at + 1 < t->slots ? t->at + 1 : 0;
        if (!p)
            continue;
        d->rx_pkts++;
        d->rx_bytes += pkt_len(p);
        if (oriel_likely(p->gso != GSO_UDP))
            out[n++] = p;
        else if (vnet_cut_begin(&t->cut, p))
            n += rx_cut(t, env, out + n, max - n);
        else
            drv_lost(d, DRV_LOST_SENSE, 1);
    }
    return n;
}

/* ---- what leaves ---- */

struct batch {
    struct mmsghdr m[DRV_BATCH];
    uint8_t packets[DRV_BATCH];         /* of each of them */
    struct vnet_join h[DRV_BATCH];
    struct iovec v[DRV_BATCH * (1 + DRV_IOV_MAX)];
};

/* One packet, or several datagrams as one: how many pieces they are in. */
static unsigned pieces_of(struct vnet_join *j, struct iovec v[], struct pkt *const pkts[], unsigned n)
{
    if (n > 1)
        return vnet_join(j, v, pkts, n);
    vnet_of_pkt(&j->h, pkts[0]);
    v[0] = (struct iovec){&j->h, VNET_LEN};
    return 1 + drv_iov(v + 1, pkts[0]);
}

/* How many messages n packets are. */
static unsigned prepare(const struct packet *t, struct batch *b, struct pkt *const pkts[], unsigned n)
{
    struct iovec *v = b->v;
    unsigned made = 0;
    for (unsigned i = 0, k; i < n; i += k) {
        k = t->uso ? vnet_alike(pkts + i, n - i) : 1;
        unsigned pieces = pieces_of(&b->h[made], v, pkts + i, k);
        b->m[made] = (struct mmsghdr){.msg_hdr = {.msg_iov = v, .msg_iovlen = pieces}};
        b->packets[made++] = (uint8_t)k;
        v += pieces;
    }
    return made;
}

static unsigned packet_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    struct packet *t = (struct packet *)(void *)d;
    struct batch b;
    unsigned done = 0, all = prepare(t, &b, pkts, n = n < DRV_BATCH ? n : DRV_BATCH);
    for (unsigned at = 0; at < all;) {
        int sent = sendmmsg(d->fd, b.m + at, all - at, MSG_DONTWAIT);
        for (int i = 0; i < sent; i++, done += b.packets[at++])
            drv_sent(d, pkts + done, b.packets[at]);
        if (sent > 0)
            continue;
        if (errno == EAGAIN) {
            d->tx_full++;
            break;
        }
        if (errno == ENODEV || errno == ENXIO) {
            d->error = -errno;
            break;
        }
        if (errno == EINVAL && b.packets[at] > 1) {
            t->uso = false;             /* before Linux 6.2 */
            return done + packet_tx(d, pkts + done, n - done);
        }
        d->tx_dropped += b.packets[at];     /* down, or too large, or its queue is full: as a wire would lose it */
        done += b.packets[at++];
    }
    return done;
}

static bool packet_available(char why_not[DRV_ERROR_MAX])
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return drv_error(why_not, "an AF_PACKET socket: %s", strerror(errno));
    close(fd);
    return true;
}

static const struct drv_key keys[] = {
    {"fanout", "GROUP", "links of the same number, 0 to 65535, share what comes"},
    {NULL, NULL, NULL},
};

const struct drv_kind drv_packet = {
    .name = "packet",
    .where = "INTERFACE",
    .help = "an interface of this machine, shared with its kernel",
    .needs = "the capability CAP_NET_RAW; " WITHOUT,
    .keys = keys,
    .available = packet_available,
    .open = packet_open,
    .rx = packet_rx,
    .tx = packet_tx,
    .close = packet_close,
    .set_addrs = packet_set_addrs,
    .trouble = packet_trouble,
};
