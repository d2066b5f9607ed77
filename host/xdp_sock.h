/*
 * An AF_XDP socket on one queue of an interface: memory that both sides see (the UMEM), four rings, and the
 * program (xdp_prog.h) that sends frames there. By libxdp and libbpf, which are opened when the first such
 * socket is: nobody else waits for them, and a machine without them runs the same program.
 *
 * Whatever happens to this process, the kernel takes the program off the interface: it hangs on a descriptor.
 *
 * Built where <xdp/xsk.h> and <bpf/bpf.h> are (libxdp-dev, libbpf-dev), unless ORIEL_WITHOUT_XDP is defined.
 */
#ifndef ORIEL_HOST_XDP_SOCK_H
#define ORIEL_HOST_XDP_SOCK_H

#if !defined(ORIEL_WITHOUT_XDP) && defined(__has_include)
#if __has_include(<xdp/xsk.h>) && __has_include(<bpf/bpf.h>)
#define ORIEL_XDP 1
#endif
#endif

#ifdef ORIEL_XDP

#include "host/drv.h"
#include "host/xdp_prog.h"

#include <bpf/bpf.h>
#include <xdp/xsk.h>

#define XDP_RX_CHUNKS 2048u             /* pieces of memory that frames arrive in, */
#define XDP_TX_CHUNKS 1024u             /* and leave from */
#define XDP_ROOM      256               /* the kernel's, at the beginning of a piece */

#ifndef XDP_USE_SG                      /* Linux 6.6: a frame in several pieces */
#define XDP_USE_SG    (1 << 4)
#define XDP_PKT_CONTD (1 << 0)
#endif

enum xdp_mode { XDP_ANY, XDP_NATIVE, XDP_GENERIC };
enum xdp_copies { XDP_MAYBE, XDP_COPIES, XDP_NO_COPIES };

struct xdp_lib {
    void *xdp, *bpf;
    int (*umem_create)(struct xsk_umem **, void *, __u64, struct xsk_ring_prod *, struct xsk_ring_cons *,
                       const struct xsk_umem_config *);
    int (*umem_delete)(struct xsk_umem *);
    int (*socket_create)(struct xsk_socket **, const char *, __u32, struct xsk_umem *, struct xsk_ring_cons *,
                         struct xsk_ring_prod *, const struct xsk_socket_config *);
    void (*socket_delete)(struct xsk_socket *);
    int (*socket_fd)(const struct xsk_socket *);
    int (*map_create)(enum bpf_map_type, const char *, __u32, __u32, __u32,
                      const struct bpf_map_create_opts *);
    int (*map_update)(int, const void *, const void *, __u64);
    int (*prog_load)(enum bpf_prog_type, const char *, const char *, const struct bpf_insn *, size_t,
                     const struct bpf_prog_load_opts *);
    int (*link_create)(int, int, enum bpf_attach_type, const struct bpf_link_create_opts *);
    int (*link_update)(int, int, const struct bpf_link_update_opts *);
};

/* False: a sentence about what is not installed. */
bool xdp_lib_open(struct xdp_lib *l, char error[DRV_ERROR_MAX]);
void xdp_lib_close(struct xdp_lib *l);

struct xdp_want {
    const char *device;
    unsigned queue;
    uint32_t frame;                     /* bytes of the largest frame */
    enum xdp_mode mode;
    enum xdp_copies copies;
};

struct xdp_sock {
    struct xdp_lib lib;
    uint8_t *memory;                    /* XDP_RX_CHUNKS, then XDP_TX_CHUNKS, of `chunk` bytes */
    uint32_t chunk;                     /* a power of two */
    struct xsk_umem *umem;
    struct xsk_socket *socket;
    struct xsk_ring_prod fill, tx;
    struct xsk_ring_cons done, rx;
    int fd, map, prog, link;
    bool pieces;                        /* frames may be in several */
    bool generic;                       /* the kernel's own mode, not the device's driver's */
    int why_generic;                    /* what the driver said, a negative errno; 0: it was not asked */
    bool zero_copy;
};

/* All closed, also of one that was never opened, or not as a whole. */
void xdp_sock_close(struct xdp_sock *x);

/* The rings, filled. False: a sentence; xdp_sock_close is for the caller. */
bool xdp_sock_open(struct xdp_sock *x, const struct xdp_want *w, char error[DRV_ERROR_MAX]);

/* The program put on the interface, which begins to send frames here; or in place of the one before. */
bool xdp_sock_attach(struct xdp_sock *x, const struct xdp_want *w, const struct xdp_prog *g,
                     char error[DRV_ERROR_MAX]);

#endif
#endif
