/*
 * Links over UDP: one frame a datagram, behind a header or not. Shared by drv_udp.c and drv_vxlan.c.
 *
 *     struct datagrams g;
 *     if (!datagrams_open(&g, &cfg, error)) ...
 *     unsigned n = datagrams_recv(&g, d, max);          what came: datagrams_at(&g, 0) and on
 *     n = datagrams_send(&g, d, header, pkts, n);       how many the socket took
 *     datagrams_close(&g);
 *
 * Batches of up to DRV_BATCH, never blocking. A peer that is named is the only one heard. Without one,
 * whoever spoke last is the peer; until somebody does, what is sent is lost. That the peer's port is
 * closed just now is a loss like any other: it may open again.
 */
#ifndef ORIEL_HOST_DATAGRAMS_H
#define ORIEL_HOST_DATAGRAMS_H

#include "host/drv.h"

#include <netinet/in.h>
#include <sys/socket.h>

struct datagrams_config {
    const char *local;          /* "HOST:PORT", ":PORT", "PORT", "[::1]:PORT"; "": any */
    uint16_t local_port;        /* where it names none; 0: chosen */
    const char *peer;           /* "HOST:PORT"; NULL: learned */
    uint16_t peer_port;         /* where it names none; 0: it must */
    bool any_port;              /* the peer speaks from whatever port it likes */
    size_t datagram_max;        /* bytes of the largest that may come */
};

struct datagrams {
    int fd;
    bool learns, any_port;      /* either: not connected */
    struct sockaddr_storage peer;
    socklen_t peer_len;         /* 0: connected, or nobody has spoken yet */
    size_t room;                /* bytes of a buffer: one more than the largest datagram */
    uint8_t *buffers;           /* DRV_BATCH of them */
    size_t came[DRV_BATCH];     /* lengths */
};

/* False: a sentence in `error`. */
bool datagrams_open(struct datagrams *g, const struct datagrams_config *cfg,
                    char error[DRV_ERROR_MAX]);
void datagrams_close(struct datagrams *g);

/* How many came, at most max. Those larger than datagram_max, and those of strangers that the kernel lets
 * in, are counted as lost and left out. */
unsigned datagrams_recv(struct datagrams *g, struct drv *d, unsigned max);
struct span datagrams_at(const struct datagrams *g, unsigned i);

/* The first k packets of n, each behind `header`, were sent or lost, and the driver's numbers say which; they
 * stay the caller's. Lost is what is sent while nobody is there, or is too large for the path. */
unsigned datagrams_send(struct datagrams *g, struct drv *d, struct span header, struct pkt *const pkts[],
                        unsigned n);

/* "127.0.0.1:4000": where it is bound, and the peer; "" while there is none. */
void datagrams_local_text(const struct datagrams *g, struct txt *t);
void datagrams_peer_text(const struct datagrams *g, struct txt *t);

/* What such links have in common: capabilities of plain Ethernet of that MTU, a link address of the
 * spec or a random one, and a sentence about who speaks with whom. */
void datagrams_describe(const struct datagrams *g, struct drv *d, const struct drv_spec *s,
                        uint32_t mtu);

#endif
