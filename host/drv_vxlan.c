/*
 * vxlan: RFC 7348, Ethernet frames of one virtual network in UDP, with one other tunnel endpoint.
 *
 * The Linux device of that name is a peer that works. Where it sends over a veth of the same machine its
 * frames come with unfinished sums and uncut, and are dropped here: `ethtool -K VETH tx off gso off` mends
 * that; a cable carries no such frames. Left out: learning which of several endpoints has
 * a station, and groups that stand for all of them. Sent from the well-known port, not from one that
 * tells flows apart (5.: recommended): the socket that hears is the one that speaks. The peer may do so.
 */
#define _GNU_SOURCE
#include "host/datagrams.h"

#include "wire/eth.h"
#include "wire/vxlan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MTU_DEFAULT 1450u               /* what leaves room for 50 bytes of headers in 1,500 */
#define MTU_MIN     68u
#define MTU_MAX     65485u

struct vxlan_link {
    struct drv d;                       /* first: the driver is this */
    struct datagrams g;
    uint32_t vni;
    uint8_t header[VXLAN_HDR_LEN];
};

/* False: a sentence in `error`. */
static bool read_vni(const struct drv_spec *s, uint32_t *out, char error[DRV_ERROR_MAX])
{
    char text[24], *end = NULL;
    const char *vni = drv_spec_key(s, "vni", text, sizeof text);
    unsigned long n = vni ? strtoul(vni, &end, 10) : 0;
    if (vni && vni[0] >= '0' && vni[0] <= '9' && *end == '\0' && n <= VXLAN_VNI_MAX) {
        *out = (uint32_t)n;
        return true;
    }
    snprintf(error, DRV_ERROR_MAX, "vni=%s: expected vni=N, N in 0..%u", vni ? vni : "",
             VXLAN_VNI_MAX);
    return false;
}

/* RFC 7348, 4.1: checksums of the outer datagram should be zero; what is inside has its own. */
static void leave_checksum_out(int fd)
{
    const int on = 1;
    int domain = 0;
    socklen_t n = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_INET)
        (void)setsockopt(fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
}

static struct drv *vxlan_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    char peer[DRV_NAME_MAX];
    uint32_t vni, mtu = s->mtu ? s->mtu : MTU_DEFAULT;
    if (mtu < MTU_MIN || mtu > MTU_MAX) {
        snprintf(error, DRV_ERROR_MAX, "mtu=%u is out of bounds: %u..%u", mtu, MTU_MIN, MTU_MAX);
        return NULL;
    }
    if (!read_vni(s, &vni, error))
        return NULL;
    struct vxlan_link *v = calloc(1, sizeof *v);
    if (!v) {
        snprintf(error, DRV_ERROR_MAX, "there is no memory");
        return NULL;
    }
    const struct datagrams_config cfg = {
        .local = s->where, .local_port = VXLAN_PORT,
        .peer = drv_spec_key(s, "peer", peer, sizeof peer), .peer_port = VXLAN_PORT,
        .any_port = true,               /* 5.: the source port tells flows apart */
        .datagram_max = mtu + ETH_HDR_LEN + VXLAN_HDR_LEN,
    };
    if (!datagrams_open(&v->g, &cfg, error)) {
        free(v);
        return NULL;
    }
    const struct vxlan_hdr h = {.vni = vni};
    struct wr w = wr_of(v->header, sizeof v->header);
    vxlan_emit(&w, &h);
    v->vni = vni;
    leave_checksum_out(v->g.fd);
    datagrams_describe(&v->g, &v->d, s, mtu);
    drv_note(&v->d, "virtual network %u; frames of others and frames with VLAN tags are thrown away",
             vni);
    return &v->d;
}

/* RFC 7348, 6.1: frames that carry a VLAN tag inside are discarded. */
static bool is_ours(const struct vxlan_link *v, struct rd *r)
{
    struct vxlan_hdr h;
    struct eth_hdr eth;
    if (!vxlan_parse(r, &h) || h.vni != v->vni)
        return false;
    struct rd inner = *r;
    return eth_parse(&inner, &eth) && eth.tags_n == 0;
}

static unsigned vxlan_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    struct vxlan_link *v = (struct vxlan_link *)d;
    unsigned got = datagrams_recv(&v->g, d, max), n = 0;
    for (unsigned i = 0; i < got; i++) {
        struct rd r = rd_of(datagrams_at(&v->g, i));
        bool ours = is_ours(v, &r);
        struct pkt *p = ours ? pkt_new_copy(env, PKT_HEADROOM, rd_rest(&r)) : NULL;
        if (!p) {
            drv_lost(d, ours ? DRV_LOST_MEMORY : DRV_LOST_SENSE, 1);
            continue;
        }
        d->rx_pkts++;
        d->rx_bytes += pkt_len(p);
        out[n++] = p;
    }
    return n;
}

static unsigned vxlan_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    struct vxlan_link *v = (struct vxlan_link *)d;
    return datagrams_send(&v->g, d, span_of(v->header, sizeof v->header), pkts, n);
}

static void vxlan_close(struct drv *d)
{
    struct vxlan_link *v = (struct vxlan_link *)d;
    datagrams_close(&v->g);
    free(v);
}

static const struct drv_key keys[] = {
    {"peer", "HOST[:PORT]", "the other tunnel endpoint; without it whoever spoke last"},
    {"vni", "N", "the number of the virtual network"},
    {NULL, NULL, NULL},
};

const struct drv_kind drv_vxlan = {
    .name = "vxlan",
    .where = "[[ADDRESS]:PORT]",
    .help = "A virtual network of RFC 7348 in UDP, as Linux's vxlan device has it: "
            "vxlan,peer=192.0.2.1,vni=42.",
    .needs = "nothing; the port 4789 must be free, or another be named",
    .keys = keys,
    .open = vxlan_open,
    .rx = vxlan_rx,
    .tx = vxlan_tx,
    .close = vxlan_close,
};
