/*
 * The program that an interface runs on each frame it got, before the kernel makes a packet of it: what is
 * ours goes to the socket of its queue, all else to the kernel as ever. Made here, instruction by
 * instruction, for the addresses at hand; no compiler is needed where it runs.
 *
 * Ours is what is sent to our link address. Where that is the interface's own (`shared`), our addresses
 * decide. Frames to everybody and to groups stay with the kernel: a program cannot copy a frame, and the host
 * has as much right to them as we; a socket beside (drv_packet.c) sees them too.
 */
#ifndef ORIEL_HOST_XDP_PROG_H
#define ORIEL_HOST_XDP_PROG_H

#include "host/drv.h"

#include <linux/bpf.h>

#define XDP_PROG_MAX 192

struct xdp_prog {
    struct bpf_insn code[XDP_PROG_MAX];
    unsigned n;
};

/* `map` is the descriptor of a map of sockets by queue. At most DRV_ADDRS_MAX addresses. */
void xdp_prog_make(struct xdp_prog *g, int map, const uint8_t mac[6], bool shared,
                   const struct drv_addr *addrs, unsigned n);

#endif
