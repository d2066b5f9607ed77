/*
 * The bound of any stack on a TAP: what answers on it as TCP would, and does nothing else. No losses, no
 * order, no state but one connection's; a frame is read into one buffer and its payload not touched; what is
 * sent comes from one buffer. An acknowledgement every 32 frames and when there is nothing to read.
 */
#ifndef ORIEL_BENCH_KERNRAW_H
#define ORIEL_BENCH_KERNRAW_H

#include "bench/kern.h"

#include "base/csum.h"
#include "host/drv.h"
#include "host/kernif.h"
#include "wire/tcp.h"

#include <linux/virtio_net.h>
#include <poll.h>
#include <sys/uio.h>

#define RAW_MSS       1460
#define RAW_ACK_EVERY 32
#define RAW_WSCALE    6
#define RAW_IP        14
#define RAW_TCP       34
#define RAW_SUPER     (44 * RAW_MSS)

struct raw {
    int fd;
    /* how frames are got and given, where that is not the descriptor's read and write; `flush`: those that were
     * given leave */
    const uint8_t *(*get)(struct raw *r, size_t *n);
    void (*put)(struct raw *r, const struct iovec v[2], unsigned n);
    void (*flush)(struct raw *r);
    bool vnet, super;
    size_t hdr;                         /* before a frame */
    uint8_t mac[6];
    const struct csum_ops *csum;
    uint8_t in[80000], out[70000];
    /* the connection */
    bool up, finished, said;
    uint16_t port, peer_port;
    uint32_t rcv_nxt, snd_nxt, snd_una, acked, peer;
    uint64_t window, todo;
    unsigned scale, pending;
};

static inline void raw_headers(struct raw *r, uint8_t *e, unsigned flags, size_t len, size_t tcp_len)
{
    uint8_t *ip = e + RAW_IP, *tcp = e + RAW_TCP;
    memcpy(e, r->mac, 6);
    memcpy(e + 6, "\2\0\0\0\0\2\10\0", 8);
    ip[0] = 0x45;
    store_be16(ip + 2, (uint16_t)(20 + tcp_len + len));
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 6;
    store_be32(ip + 12, 0x0a580002);
    store_be32(ip + 16, r->peer);
    store_be16(ip + 10, csum_finish(csum_small(ip, 20)));
    store_be16(tcp, r->port);
    store_be16(tcp + 2, r->peer_port);
    store_be32(tcp + 4, r->snd_nxt);
    store_be32(tcp + 8, r->rcv_nxt);
    store_be16(tcp + 12, (uint16_t)(tcp_len / 4 << 12 | flags));
    store_be16(tcp + 14, 65535);
}

/* One segment: payload from r->out. */
static inline void raw_send(struct raw *r, unsigned flags, size_t len)
{
    uint8_t h[10 + 14 + 20 + 28] = {0}, *e = h + r->hdr, *tcp = e + RAW_TCP;
    size_t tcp_len = flags & TCP_SYN ? 28 : 20;
    raw_headers(r, e, flags, len, tcp_len);
    if (flags & TCP_SYN)
        memcpy(tcp + 20, "\2\4\5\264\3\3\6\0", 8);
    uint32_t sum = csum_small(e + RAW_IP + 12, 8) + 6 + (uint32_t)(tcp_len + len);
    if (r->vnet) {
        struct virtio_net_hdr v = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = RAW_TCP, .csum_offset = 16};
        if (len > RAW_MSS) {
            v.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
            v.gso_size = RAW_MSS;
            v.hdr_len = 54;
        }
        memcpy(h, &v, sizeof(v));
        store_be16(tcp + 16, (uint16_t)csum_fold(sum));
    } else {
        sum += csum_small(tcp, tcp_len);
        sum = csum_add(csum_fold(sum), len > 0 ? r->csum->sum(r->out, len) : 0);
        store_be16(tcp + 16, csum_finish(sum));
    }
    struct iovec v[2] = {{h, r->hdr + RAW_TCP + tcp_len}, {r->out, len}};
    unsigned n = len > 0 ? 2 : 1;
    if (r->put)
        r->put(r, v, n);
    else if (writev(r->fd, v, (int)n) < 0)
        perror("bound: write");
    if (r->flush && n == 1)
        r->flush(r);
    r->acked = r->rcv_nxt;
    r->pending = 0;
}

static inline void raw_open(struct raw *r, const uint8_t *ip, const uint8_t *tcp, size_t tcp_len)
{
    r->up = true;
    r->finished = r->said = false;
    r->todo = 0;
    r->peer = load_be32(ip + 12);
    r->peer_port = load_be16(tcp);
    r->port = load_be16(tcp + 2);
    r->rcv_nxt = load_be32(tcp + 4) + 1;
    r->snd_nxt = r->snd_una = 12345;
    r->scale = 0;
    for (size_t at = 20; at < tcp_len && tcp[at] != 0; at += tcp[at] == 1 ? 1 : tcp[at + 1])
        if (tcp[at] == 3)
            r->scale = tcp[at + 2];
    raw_send(r, TCP_SYN | TCP_ACK, 0);
    r->snd_nxt++;
}

/* Data that is the next: what the port makes of it. */
static inline void raw_data(struct raw *r, const uint8_t *data, size_t len)
{
    r->rcv_nxt += (uint32_t)len;
    if (r->port == KERN_RECV && r->todo == 0 && len >= 8) {
        memcpy(&r->todo, data, 8);
        return;
    }
    if (r->port < KERN_PING)
        return;
    bool last = r->port == KERN_CONN;
    raw_send(r, TCP_ACK | TCP_PSH | (last ? TCP_FIN : 0u), 1);
    r->snd_nxt += 1u + last;
}

static inline void raw_take(struct raw *r, const uint8_t *in, size_t n)
{
    const uint8_t *e = in + r->hdr, *ip = e + RAW_IP, *tcp = e + RAW_TCP;
    if (n < r->hdr + 54 || load_be16(e + 12) != 0x0800 || ip[9] != 6)
        return;
    unsigned flags = tcp[13];
    size_t tcp_len = (size_t)(tcp[12] >> 4) * 4;
    size_t len = (size_t)load_be16(ip + 2) - 20 - tcp_len;
    if (flags & TCP_SYN) {
        raw_open(r, ip, tcp, tcp_len);
        return;
    }
    if (!r->up || load_be16(tcp) != r->peer_port)
        return;
    if ((int32_t)(load_be32(tcp + 8) - r->snd_una) > 0)
        r->snd_una = load_be32(tcp + 8);
    r->window = (uint64_t)load_be16(tcp + 14) << r->scale;
    uint32_t seq = load_be32(tcp + 4);
    if (len > 0 && seq == r->rcv_nxt)
        raw_data(r, tcp + tcp_len, len);
    if ((flags & TCP_FIN) && seq + len == r->rcv_nxt && !r->finished) {
        r->rcv_nxt++;
        r->finished = true;
    }
    r->up = !(flags & TCP_RST);
}

static inline bool raw_produce(struct raw *r)
{
    size_t most = r->super ? RAW_SUPER : RAW_MSS;
    bool did = false;
    for (unsigned burst = r->super ? 4 : 64; r->todo > 0 && burst > 0; burst--) {
        size_t len = r->todo < most ? (size_t)r->todo : most;
        if (r->window < r->snd_nxt - r->snd_una + len)
            break;
        r->todo -= len;
        raw_send(r, r->todo ? TCP_ACK : TCP_ACK | TCP_PSH | TCP_FIN, len);
        r->snd_nxt += (uint32_t)len + (r->todo == 0);
        did = true;
    }
    return did;
}

/* The next frame; NULL: none waits. */
static inline const uint8_t *raw_get(struct raw *r, size_t *n)
{
    if (r->get)
        return r->get(r, n);
    ssize_t got = read(r->fd, r->in, sizeof(r->in));
    *n = got > 0 ? (size_t)got : 0;
    return got > 0 ? r->in : NULL;
}

static inline void raw_turn(struct raw *r)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};
    bool did = false;
    const uint8_t *in;
    size_t n;
    for (unsigned most = r->port == KERN_RECV ? 256 : 1u << 30; most > 0 && (in = raw_get(r, &n)); most--) {
        did = true;
        raw_take(r, in, n);
        if (++r->pending >= RAW_ACK_EVERY && r->up && r->rcv_nxt != r->acked)
            raw_send(r, TCP_ACK, 0);
    }
    if (r->up && r->rcv_nxt != r->acked && r->todo == 0)
        raw_send(r, TCP_ACK, 0);
    did = raw_produce(r) || did;
    if (r->flush)
        r->flush(r);
    if (r->up && r->port == KERN_SEND && r->finished && !r->said) {
        r->said = true;
        raw_send(r, TCP_ACK | TCP_PSH | TCP_FIN, 1);
        r->snd_nxt += 2;
    }
    if (!did)
        (void)poll(&p, 1, -1);
}

_Noreturn static inline void raw_run(struct raw *r, const uint8_t mac[6])
{
    r->csum = csum_ops_for(bench_cpu());
    memcpy(r->mac, mac, 6);
    kern_ready();
    for (;;)
        raw_turn(r);
}

/* On an open descriptor, to a device with that link address. */
_Noreturn static inline void raw_serve_on(int fd, bool vnet, bool super, const uint8_t mac[6])
{
    static struct raw r;
    r.fd = fd;
    r.vnet = vnet;
    r.super = super;
    r.hdr = r.vnet ? 10 : 0;
    raw_run(&r, mac);
}

/* For kern_start: ctx is a TAP's description. */
static inline void raw_serve(void *ctx)
{
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    uint8_t mac[6];
    struct drv *d = drv_spec_parse(&s, ctx, error) ? drv_open(&s, error) : NULL;
    if (!d)
        fprintf(stderr, "%s\n", error);
    else if (kern_tune(d->name) && kernif_mac(d->name, mac) == 0)
        raw_serve_on(d->fd, d->caps.csum, d->caps.gso4, mac);
}

#endif
