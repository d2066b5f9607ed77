/*
 * Opening: libraries; the table of sockets, for which most privileges are needed, so that they are named first;
 * memory, rings, program.
 */
#define _GNU_SOURCE
#include "host/xdp_sock.h"

#ifdef ORIEL_XDP

#include "host/kernif.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIG_CHUNK   4096u               /* no piece may be larger than a page */
#define SMALL_CHUNK 2048u
#define SEND_BYTES  (16 << 20)
#define NEEDS       "that needs the machine's capabilities CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF; " \
                    "--link packet:%s needs the first alone, --link user no privilege"

/* ---- the libraries ---- */

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
    return 0;
}

static bool find(void *library, const char *name, void *to)
{
    void *at = dlsym(library, name);
    memcpy(to, &at, sizeof(at));
    return at != NULL;
}

static bool find_all(struct xdp_lib *l)
{
    libbpf_print_fn_t (*xdp_print)(libbpf_print_fn_t), (*bpf_print)(libbpf_print_fn_t);
    bool all = find(l->xdp, "xsk_umem__create", &l->umem_create) &&
               find(l->xdp, "xsk_umem__delete", &l->umem_delete) &&
               find(l->xdp, "xsk_socket__create", &l->socket_create) &&
               find(l->xdp, "xsk_socket__delete", &l->socket_delete) &&
               find(l->xdp, "xsk_socket__fd", &l->socket_fd) &&
               find(l->xdp, "libxdp_set_print", &xdp_print) &&
               find(l->bpf, "libbpf_set_print", &bpf_print) &&
               find(l->bpf, "bpf_map_create", &l->map_create) &&
               find(l->bpf, "bpf_map_update_elem", &l->map_update) &&
               find(l->bpf, "bpf_prog_load", &l->prog_load) &&
               find(l->bpf, "bpf_link_create", &l->link_create) &&
               find(l->bpf, "bpf_link_update", &l->link_update);
    if (!all)
        return false;
    (void)xdp_print(print_nothing);             /* what went wrong is said by who asked */
    (void)bpf_print(print_nothing);
    return true;
}

bool xdp_lib_open(struct xdp_lib *l, char error[DRV_ERROR_MAX])
{
    l->bpf = dlopen("libbpf.so.1", RTLD_NOW | RTLD_LOCAL);
    l->xdp = l->bpf ? dlopen("libxdp.so.1", RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!l->xdp || !find_all(l))
        return drv_error(error, "%s: libxdp and libbpf are needed (Debian: libxdp1, libbpf1)",
                         l->xdp ? "of another version" : dlerror());
    return true;
}

void xdp_lib_close(struct xdp_lib *l)
{
    if (l->xdp)
        dlclose(l->xdp);
    if (l->bpf)
        dlclose(l->bpf);
    *l = (struct xdp_lib){0};
}

/* ---- the socket ---- */

static bool fail(const struct xdp_want *w, const char *what, int err, char error[DRV_ERROR_MAX])
{
    if (err == EPERM || err == EACCES)
        return drv_error(error, "%s: %s: %s: " NEEDS, w->device, what, strerror(err), w->device);
    return drv_error(error, "%s: %s: %s", w->device, what, strerror(err));
}

static size_t memory_bytes(const struct xdp_sock *x)
{
    return (size_t)(XDP_RX_CHUNKS + XDP_TX_CHUNKS) * x->chunk;
}

static bool make_memory(struct xdp_sock *x, const struct xdp_want *w, char error[DRV_ERROR_MAX])
{
    x->chunk = w->frame <= SMALL_CHUNK - XDP_ROOM ? SMALL_CHUNK : BIG_CHUNK;
    x->pieces = w->frame > x->chunk - XDP_ROOM;
    const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
    void *at = mmap(NULL, memory_bytes(x), PROT_READ | PROT_WRITE, how, -1, 0);
    if (at == MAP_FAILED)
        return fail(w, "memory for frames", errno, error);
    x->memory = at;
    struct xsk_umem_config c = {
        .fill_size = XDP_RX_CHUNKS,
        .comp_size = XDP_TX_CHUNKS,
        .frame_size = x->chunk,
    };
    int err = x->lib.umem_create(&x->umem, at, memory_bytes(x), &x->fill, &x->done, &c);
    if (err == -ENOBUFS)
        return drv_error(error, "%s: memory for frames may not be locked: raise `ulimit -l` to %zu, or have "
                                "the capability CAP_IPC_LOCK", w->device, memory_bytes(x) >> 10);
    return err == 0 || fail(w, "memory for frames", -err, error);
}

/* What both ways of giving up copies mean to bind(). */
static int bind_as(struct xdp_sock *x, const struct xdp_want *w, unsigned flags)
{
    struct xsk_socket_config c = {
        .rx_size = XDP_RX_CHUNKS,
        .tx_size = XDP_TX_CHUNKS,
        .libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
        .bind_flags = (__u16)(XDP_USE_NEED_WAKEUP | flags | (x->pieces ? XDP_USE_SG : 0)),
    };
    return x->lib.socket_create(&x->socket, w->device, w->queue, x->umem, &x->rx, &x->tx, &c);
}

static bool make_socket(struct xdp_sock *x, const struct xdp_want *w, char error[DRV_ERROR_MAX])
{
    bool copies = w->copies == XDP_COPIES || w->mode == XDP_GENERIC;
    int big = SEND_BYTES;
    int err = bind_as(x, w, copies ? XDP_COPY : w->copies == XDP_NO_COPIES ? XDP_ZEROCOPY : 0);
    if (err == -EINVAL && x->pieces)
        return drv_error(error, "%s: this kernel has no frames in several pieces (before 6.6): mtu=%u at "
                                "most", w->device, BIG_CHUNK - XDP_ROOM - 22);
    if (err == -EBUSY)
        return drv_error(error, "%s: another AF_XDP socket has queue %u", w->device, w->queue);
    if (err < 0)
        return fail(w, w->copies == XDP_NO_COPIES ? "no zero-copy here" : "an AF_XDP socket", -err, error);
    struct xdp_options o = {0};
    socklen_t n = sizeof(o);
    x->fd = x->lib.socket_fd(x->socket);
    x->zero_copy = getsockopt(x->fd, SOL_XDP, XDP_OPTIONS, &o, &n) == 0 && (o.flags & XDP_OPTIONS_ZEROCOPY);
    (void)setsockopt(x->fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
    return true;
}

static void fill_all(struct xdp_sock *x)
{
    __u32 at = 0;
    ORIEL_ASSERT(xsk_ring_prod__reserve(&x->fill, XDP_RX_CHUNKS, &at) == XDP_RX_CHUNKS);
    for (uint32_t i = 0; i < XDP_RX_CHUNKS; i++)
        *xsk_ring_prod__fill_addr(&x->fill, at + i) = (uint64_t)i * x->chunk;
    xsk_ring_prod__submit(&x->fill, XDP_RX_CHUNKS);
}

bool xdp_sock_open(struct xdp_sock *x, const struct xdp_want *w, char error[DRV_ERROR_MAX])
{
    const __u32 key = w->queue;
    *x = (struct xdp_sock){.fd = -1, .map = -1, .prog = -1, .link = -1};
    if (!xdp_lib_open(&x->lib, error))
        return false;
    x->map = x->lib.map_create(BPF_MAP_TYPE_XSKMAP, "oriel_sockets", sizeof(key), sizeof(x->fd), key + 1,
                               NULL);
    if (x->map < 0)
        return fail(w, "the kernel's table of sockets", -x->map, error);
    if (!make_memory(x, w, error) || !make_socket(x, w, error))
        return false;
    fill_all(x);
    int err = x->lib.map_update(x->map, &key, &x->fd, 0);
    return err == 0 || fail(w, "the kernel's table of sockets", -err, error);
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void xdp_sock_close(struct xdp_sock *x)
{
    close_fd(x->link);
    close_fd(x->prog);
    close_fd(x->map);
    if (x->socket)
        x->lib.socket_delete(x->socket);
    if (x->umem)
        (void)x->lib.umem_delete(x->umem);
    if (x->memory)
        (void)munmap(x->memory, memory_bytes(x));
    xdp_lib_close(&x->lib);
    *x = (struct xdp_sock){.fd = -1, .map = -1, .prog = -1, .link = -1};
}

/* ---- the program ---- */

static int load_prog(struct xdp_sock *x, const struct xdp_prog *g)
{
    struct bpf_prog_load_opts o = {.sz = sizeof(o), .prog_flags = x->pieces ? BPF_F_XDP_HAS_FRAGS : 0};
    return x->lib.prog_load(BPF_PROG_TYPE_XDP, "oriel", "Dual MIT/GPL", g->code, g->n, &o);
}

static int put_on(struct xdp_sock *x, const struct xdp_want *w, int prog, __u32 mode)
{
    struct bpf_link_create_opts o = {.sz = sizeof(o), .flags = mode};
    return x->lib.link_create(prog, kernif_index(w->device), BPF_XDP, &o);
}

/* The driver's own mode before the kernel's. */
static int put_on_any(struct xdp_sock *x, const struct xdp_want *w, int prog)
{
    int link = -EOPNOTSUPP;
    if (w->mode != XDP_GENERIC) {
        link = put_on(x, w, prog, XDP_FLAGS_DRV_MODE);
        x->why_generic = link < 0 ? link : 0;
    }
    if (link >= 0 || link == -EBUSY || w->mode == XDP_NATIVE || x->zero_copy)
        return link;
    x->generic = true;
    return put_on(x, w, prog, XDP_FLAGS_SKB_MODE);
}

bool xdp_sock_attach(struct xdp_sock *x, const struct xdp_want *w, const struct xdp_prog *g,
                     char error[DRV_ERROR_MAX])
{
    int prog = load_prog(x, g);
    if (prog < 0)
        return fail(w, "the program that tells our frames apart", -prog, error);
    int err = x->link < 0 ? put_on_any(x, w, prog) : x->lib.link_update(x->link, prog, NULL);
    if (err < 0) {
        close(prog);
        return err == -EBUSY ? drv_error(error, "%s: another XDP program is on it", w->device)
                             : fail(w, "no XDP program can be put on it", -err, error);
    }
    if (x->link < 0)
        x->link = err;
    close_fd(x->prog);
    x->prog = prog;
    return true;
}

#endif
