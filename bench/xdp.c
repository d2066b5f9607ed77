/*
 * Oriel and the kernel over a veth, Oriel on an AF_XDP socket of its end (host/drv_xdp.c), both on one
 * processor, beside the bound of any stack on such a socket in the same run: kernraw.h on the bare rings, which
 * leaves a payload where it arrived. Needs root; makes network namespaces of its own.
 *
 *     build/bench/xdp [--strict]
 *
 *     xdp.bulk.rx, xdp.bulk.tx      Gbit/s from the kernel and to it, frames of 1,500 bytes
 */
#include "bench/kernlive.h"
#include "bench/kernraw.h"
#include "bench/kernveth.h"

#include "host/xdp_sock.h"

#ifdef ORIEL_XDP

#define RELEASE 64                      /* frames that are given back at once */

static const uint8_t ours[6] = {2, 0, 0, 0, 0, 2};

struct bound {
    struct raw r;
    struct xdp_sock x;
    unsigned held;                      /* frames read and not given back */
    uint32_t next;                      /* piece of memory to send from */
    unsigned flying;
};

static struct bound *bound_of(struct raw *r)
{
    return (struct bound *)(void *)r;
}

static void give_back(struct bound *b)
{
    xsk_ring_cons__release(&b->x.rx, b->held);
    xsk_ring_prod__submit(&b->x.fill, b->held);
    b->held = 0;
}

static const uint8_t *get(struct raw *r, size_t *n)
{
    struct bound *b = bound_of(r);
    __u32 at, to;
    if (b->held >= RELEASE)
        give_back(b);
    if (xsk_ring_cons__peek(&b->x.rx, 1, &at) == 0) {
        give_back(b);
        return NULL;
    }
    const struct xdp_desc *d = xsk_ring_cons__rx_desc(&b->x.rx, at);
    if (xsk_ring_prod__reserve(&b->x.fill, 1, &to) == 1)
        *xsk_ring_prod__fill_addr(&b->x.fill, to) = d->addr & ~(uint64_t)(b->x.chunk - 1);
    b->held++;
    *n = d->len;
    return b->x.memory + d->addr;
}

static void flush(struct raw *r)
{
    struct bound *b = bound_of(r);
    while (b->x.tx.size - xsk_prod_nb_free(&b->x.tx, b->x.tx.size) > 0) {
        __u32 at;
        (void)sendto(b->x.fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
        unsigned n = xsk_ring_cons__peek(&b->x.done, XDP_TX_CHUNKS, &at);
        if (n > 0)
            xsk_ring_cons__release(&b->x.done, n);
        b->flying -= n;
    }
}

static void put(struct raw *r, const struct iovec v[2], unsigned n)
{
    struct bound *b = bound_of(r);
    __u32 at;
    while (b->flying == XDP_TX_CHUNKS || xsk_ring_prod__reserve(&b->x.tx, 1, &at) != 1)
        flush(r);
    struct xdp_desc *d = xsk_ring_prod__tx_desc(&b->x.tx, at);
    *d = (struct xdp_desc){.addr = (uint64_t)(XDP_RX_CHUNKS + b->next++ % XDP_TX_CHUNKS) * b->x.chunk};
    for (unsigned i = 0; i < n; i++) {
        memcpy(b->x.memory + d->addr + d->len, v[i].iov_base, v[i].iov_len);
        d->len += (uint32_t)v[i].iov_len;
    }
    xsk_ring_prod__submit(&b->x.tx, 1);
    b->flying++;
}

static void serve_raw(void *ctx)
{
    static struct bound b;
    const struct xdp_want want = {.device = "v0", .frame = 1518};
    struct xdp_prog g;
    char error[DRV_ERROR_MAX] = "";
    uint8_t mac[6];
    if (!veth_make(ctx, mac) || !xdp_sock_open(&b.x, &want, error)) {
        fprintf(stderr, "%s\n", error);
        return;
    }
    xdp_prog_make(&g, b.x.map, ours, false, NULL, 0);
    if (!xdp_sock_attach(&b.x, &want, &g, error)) {
        fprintf(stderr, "%s\n", error);
        return;
    }
    b.r.fd = b.x.fd;
    b.r.get = get;
    b.r.put = put;
    b.r.flush = flush;
    raw_run(&b.r, mac);
}

static void serve_live(void *ctx)
{
    uint8_t mac[6];
    if (veth_make(ctx, mac))
        live_serve_on("xdp:v0,addr=" KERN_US "/24,mac=02:00:00:00:00:02", false);
}

int main(int argc, char **argv)
{
    bool strict = argc > 1 && strcmp(argv[argc - 1], "--strict") == 0;
    kern_begin();
    veth_measure("xdp.bulk.rx", serve_raw, serve_live, "true", KERN_SEND, (uint64_t)128 << 20);
    veth_measure("xdp.bulk.tx", serve_raw, serve_live, "true", KERN_RECV, (uint64_t)128 << 20);
    return strict && *bench_short() > 0;
}

#else

int main(void)
{
    bench_skip("built without libxdp (libxdp-dev, libbpf-dev)");
}

#endif
