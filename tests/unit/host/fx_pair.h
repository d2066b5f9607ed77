/* A driver for tests: one end of a pair of sockets, a datagram a frame. No privileges are needed. */
#ifndef ORIEL_TESTS_FX_PAIR_H
#define ORIEL_TESTS_FX_PAIR_H

#include "test.h"

#include "host/drv.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned pair_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    uint8_t frame[2048];
    unsigned n = 0;
    ssize_t got;
    while (n < max && (got = recv(d->fd, frame, sizeof(frame), MSG_DONTWAIT)) >= 0) {
        if (got == 0) {
            d->error = -ENOLINK;
            break;
        }
        out[n] = pkt_new_copy(env, PKT_HEADROOM, span_of(frame, (size_t)got));
        if (out[n]) {
            n++;
            d->rx_pkts++;
        } else {
            d->rx_dropped++;
        }
    }
    return n;
}

static unsigned pair_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    uint8_t frame[2048];
    for (unsigned i = 0; i < n; i++) {
        size_t len = pkt_len(pkts[i]);
        EXPECT(len <= sizeof(frame));
        pkt_read(pkts[i], 0, frame, len);
        if (send(d->fd, frame, len, MSG_DONTWAIT) < 0) {
            d->tx_full++;
            return i;
        }
        d->tx_pkts++;
    }
    return n;
}

static void pair_close(struct drv *d)
{
    close(d->fd);
    free(d);
}

static const struct drv_kind pair_kind = {.name = "pair", .rx = pair_rx, .tx = pair_tx, .close = pair_close};

/* Two drivers that are each other's link. */
static inline void pair_open(struct drv *out[2])
{
    int fd[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
    for (unsigned i = 0; i < 2; i++) {
        out[i] = calloc(1, sizeof(*out[i]));
        out[i]->kind = &pair_kind;
        out[i]->fd = fd[i];
        out[i]->caps.mtu = 1500;
        memcpy(out[i]->name, "pair", 5);
    }
}

#endif
