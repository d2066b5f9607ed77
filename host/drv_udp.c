/*
 * udp: a link over UDP datagrams, one Ethernet frame each. It needs no privileges, so two programs on
 * one machine, or on two, can be joined by it.
 *
 * Nothing is added to a frame: no number, no key. Who can send to the port can send frames into the
 * world; where peer= is given the kernel keeps out everybody who does not write its address.
 */
#include "host/datagrams.h"

#include "wire/eth.h"

#include <stdio.h>
#include <stdlib.h>

#define MTU_DEFAULT 1500u
#define MTU_MIN     68u                 /* RFC 791: what every link carries */
#define MTU_MAX     65493u              /* a frame of it fits a datagram over IPv4 */
#define VLAN_ROOM   8                   /* two tags */

struct udp_link {
    struct drv d;                       /* first: the driver is this */
    struct datagrams g;
};

static struct drv *udp_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    char peer[DRV_NAME_MAX];
    uint32_t mtu = s->mtu ? s->mtu : MTU_DEFAULT;
    if (mtu < MTU_MIN || mtu > MTU_MAX) {
        snprintf(error, DRV_ERROR_MAX, "mtu=%u is out of bounds: %u..%u", mtu, MTU_MIN, MTU_MAX);
        return NULL;
    }
    struct udp_link *u = calloc(1, sizeof *u);
    if (!u) {
        snprintf(error, DRV_ERROR_MAX, "there is no memory");
        return NULL;
    }
    const struct datagrams_config cfg = {
        .local = s->where, .peer = drv_spec_key(s, "peer", peer, sizeof peer),
        .datagram_max = mtu + ETH_HDR_LEN + VLAN_ROOM,
    };
    if (!datagrams_open(&u->g, &cfg, error)) {
        free(u);
        return NULL;
    }
    datagrams_describe(&u->g, &u->d, s, mtu);
    return &u->d;
}

static unsigned udp_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    struct udp_link *u = (struct udp_link *)d;
    unsigned got = datagrams_recv(&u->g, d, max), n = 0;
    for (unsigned i = 0; i < got; i++) {
        struct span frame = datagrams_at(&u->g, i);
        struct pkt *p = pkt_new_copy(env, PKT_HEADROOM, frame);
        if (!p) {
            drv_lost(d, DRV_LOST_MEMORY, 1);
            continue;
        }
        d->rx_pkts++;
        d->rx_bytes += frame.n;
        out[n++] = p;
    }
    return n;
}

static unsigned udp_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    struct udp_link *u = (struct udp_link *)d;
    return datagrams_send(&u->g, d, span_of(NULL, 0), pkts, n);
}

static void udp_close(struct drv *d)
{
    struct udp_link *u = (struct udp_link *)d;
    datagrams_close(&u->g);
    free(u);
}

static const struct drv_key keys[] = {
    {"peer", "HOST:PORT", "who is at the other end; without it whoever spoke last"},
    {NULL, NULL, NULL},
};

const struct drv_kind drv_udp = {
    .name = "udp",
    .where = "[[ADDRESS]:PORT]",
    .help = "Frames in UDP datagrams, one each: udp:127.0.0.1:4000,peer=127.0.0.1:4001. Without peer= "
            "whoever spoke last is the peer.",
    .needs = "nothing",
    .keys = keys,
    .open = udp_open,
    .rx = udp_rx,
    .tx = udp_tx,
    .close = udp_close,
};
