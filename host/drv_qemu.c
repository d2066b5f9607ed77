/*
 * A virtual machine's network card: QEMU's `-netdev stream` at the other end of a socket.
 *
 *     qemu:/tmp/vm.sock                we listen; QEMU: -netdev stream,id=n,server=off,addr.type=unix,addr.path=/tmp/vm.sock
 *     qemu:127.0.0.1:5555              the same over TCP
 *     qemu:/tmp/vm.sock,connect        QEMU listens (server=on)
 *
 * A frame is preceded by its length, four bytes, the most significant first; frames run into one another as
 * a stream has it. So what comes is collected in a buffer until a frame is whole; what the socket did not take of a
 * frame is kept, and goes before anything else.
 *
 * Opening waits for the other side, as long as `wait=` says. The link ends with the connection.
 */
#define _GNU_SOURCE
#include "host/drv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LEN_BYTES   4
#define FRAME_MAX   (4096u + 65536u)    /* as QEMU has it */
#define IN_BYTES    (4 * (LEN_BYTES + FRAME_MAX))
#define RX_HEADROOM 88
#define WAIT_S      60
#define WAIT_MAX_S  3600

struct qemu {
    struct drv d;
    bool ended;                         /* it said so; what came before is still to be taken */
    uint32_t in_at, in_n;               /* in `in`: bytes that were not taken yet */
    uint32_t out_at, out_n;             /* of a frame whose beginning was sent */
    uint8_t in[IN_BYTES];
    uint8_t out[LEN_BYTES + FRAME_MAX];
};

union address {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_in in;
};

/* ---- opening ---- */

/* "/path", or "A.B.C.D:PORT". */
static bool read_address(const char *where, union address *a, socklen_t *n, char error[DRV_ERROR_MAX])
{
    char host[64];
    const char *colon = strrchr(where, ':');
    memset(a, 0, sizeof(*a));
    if (strchr(where, '/')) {
        a->un.sun_family = AF_UNIX;
        *n = sizeof(a->un);
        if (strlen(where) >= sizeof(a->un.sun_path))
            return drv_error(error, "qemu '%s': a socket's path has at most 107 letters", where);
        memcpy(a->un.sun_path, where, strlen(where) + 1);
        return true;
    }
    size_t len = colon ? (size_t)(colon - where) : sizeof(host);
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    a->in.sin_family = AF_INET;
    a->in.sin_port = htons((uint16_t)port);
    *n = sizeof(a->in);
    if (len < sizeof(host) && port >= 1 && port <= 65535) {
        memcpy(host, where, len);
        host[len] = 0;
        if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1)
            return true;
    }
    return drv_error(error, "qemu '%s': expected the path of a socket, or ADDRESS:PORT", where);
}

static int await(int fd, short events, int seconds)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, seconds * 1000);
    return n > 0 ? 0 : n == 0 ? ETIMEDOUT : errno;
}

/*
 * The name of a socket whose listener is gone is taken away: it would be in our way. What else stands there, or a
 * socket where somebody listens, is another's, and bind will say so.
 */
static void clear_name(const struct sockaddr_un *a)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && lstat(a->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
        connect(fd, (const struct sockaddr *)a, sizeof(*a)) != 0 && errno == ECONNREFUSED)
        (void)unlink(a->sun_path);
    if (fd >= 0)
        close(fd);
}

/* A connection that came within that time, or -1. */
static int take_one(int listener, const union address *a, socklen_t n, int seconds)
{
    if (a->any.sa_family == AF_UNIX)
        clear_name(&a->un);
    int one = 1;
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, &a->any, n) != 0 || listen(listener, 1) != 0)
        return -1;
    int err = await(listener, POLLIN, seconds);
    int fd = err ? -1 : accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (a->any.sa_family == AF_UNIX)
        (void)unlink(a->un.sun_path);
    errno = err ? err : errno;
    return fd;
}

/* To one that listens, or will within that time. */
static bool reach(int fd, const union address *a, socklen_t n, int seconds)
{
    for (int tries = 0; connect(fd, &a->any, n) != 0; tries++) {
        if ((errno != ENOENT && errno != ECONNREFUSED) || tries >= 20 * seconds)
            return false;
        (void)poll(NULL, 0, 50);
    }
    return true;
}

static bool join(struct qemu *q, const struct drv_spec *s, bool connects, int seconds, char error[DRV_ERROR_MAX])
{
    union address a;
    socklen_t n;
    int one = 1;
    if (!read_address(s->where, &a, &n, error))
        return false;
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connects) {
        q->d.fd = take_one(fd, &a, n, seconds);
        int err = errno;
        close(fd);
        errno = err;
    } else if (fd >= 0) {
        q->d.fd = fd;
        if (!reach(fd, &a, n, seconds))
            return drv_error(error, "%s: %s", s->where, strerror(errno));
    }
    if (q->d.fd < 0)
        return drv_error(error, "%s: %s%s", s->where, strerror(errno),
                         errno == ETIMEDOUT    ? ": no QEMU came (-netdev stream,server=off,addr...)"
                         : errno == EADDRINUSE ? ": somebody listens there, or it is no socket (connect reaches a "
                                                 "QEMU that listens)"
                                               : "");
    (void)setsockopt(q->d.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return true;
}

static void qemu_close(struct drv *d)
{
    if (d->fd >= 0)
        close(d->fd);
    free(d);
}

static bool read_keys(const struct drv_spec *s, bool *connects, int *seconds, char error[DRV_ERROR_MAX])
{
    char v[32], *end;
    const char *wait = drv_spec_key(s, "wait", v, sizeof(v));
    unsigned long n = wait ? strtoul(wait, &end, 10) : WAIT_S;
    if (wait && (*wait < '0' || *wait > '9' || *end || n > WAIT_MAX_S))
        return drv_error(error, "wait '%s': expected seconds, 0 to 3600", wait);
    *seconds = (int)n;
    *connects = drv_spec_has(s, "connect");
    return true;
}

static struct drv *qemu_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    bool connects = false;
    int seconds = WAIT_S;
    if (!read_keys(s, &connects, &seconds, error))
        return NULL;
    struct qemu *q = calloc(1, sizeof(*q));
    if (!q) {
        (void)drv_error(error, "no memory");
        return NULL;
    }
    q->d.kind = s->kind;
    q->d.fd = -1;
    q->d.caps.mtu = s->mtu ? s->mtu : 1500;
    memcpy(q->d.name, s->where, sizeof(q->d.name));
    drv_choose_mac(&q->d, s);
    if (join(q, s, connects, seconds, error))
        return &q->d;
    qemu_close(&q->d);
    return NULL;
}

/* ---- what comes ---- */

/* More bytes, as many as wait and fit. */
static void fill(struct qemu *q)
{
    if (q->ended || q->in_n == IN_BYTES)
        return;
    if (q->in_at > 0)
        memmove(q->in, q->in + q->in_at, q->in_n);
    q->in_at = 0;
    ssize_t n = recv(q->d.fd, q->in + q->in_n, IN_BYTES - q->in_n, MSG_DONTWAIT);
    if (n > 0)
        q->in_n += (uint32_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        q->ended = true;
}

/* The next whole frame of the buffer. False: none is. */
static bool next_frame(struct qemu *q, struct span *frame)
{
    struct rd r = rd_of(span_of(q->in + q->in_at, q->in_n));
    uint32_t len = rd_u32(&r);
    if (r.bad)
        return false;
    if (len > FRAME_MAX) {
        q->d.error = -EPROTO;           /* no way to find the next one */
        q->in_n = 0;
        return false;
    }
    if (rd_left(&r) < len)
        return false;
    *frame = span_of(q->in + q->in_at + LEN_BYTES, len);
    q->in_at += LEN_BYTES + len;
    q->in_n -= LEN_BYTES + len;
    return true;
}

/*
 * Without memory the buffer is emptied, and no more is read in that call: whoever sends faster than frames are thrown
 * away would keep us here.
 */
static unsigned qemu_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    struct qemu *q = (struct qemu *)(void *)d;
    struct span frame;
    unsigned n = 0;
    bool short_of_memory = false;
    for (bool more = true; n < max && more;) {
        if (!next_frame(q, &frame)) {
            uint32_t had = q->in_n;
            if (!short_of_memory)
                fill(q);
            more = q->in_n > had;
            continue;
        }
        struct pkt *p = pkt_new_copy(env, RX_HEADROOM, frame);
        if (!p) {
            short_of_memory = true;
            drv_lost(d, DRV_LOST_MEMORY, 1);
            continue;
        }
        d->rx_pkts++;
        d->rx_bytes += frame.n;
        out[n++] = p;
    }
    if (n == 0 && q->ended && d->error == 0)
        d->error = -ECONNRESET;
    return n;
}

/* ---- what leaves ---- */

/* What is left of a frame that was begun. False: the socket takes no more. (When it ends, so does the link: a new
 * one begins with nothing.) */
static bool flush(struct qemu *q)
{
    while (q->out_n > 0) {
        ssize_t n = send(q->d.fd, q->out + q->out_at, q->out_n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        q->out_at += (uint32_t)n;
        q->out_n -= (uint32_t)n;
    }
    q->d.unsent = false;
    return true;
}

/* 0, or an errno; a frame of which some was sent is sent. */
static int send_one(struct qemu *q, const struct pkt *p)
{
    uint8_t len[LEN_BYTES];
    struct iovec v[1 + DRV_IOV_MAX];
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 1 + drv_iov(v + 1, p)};
    uint32_t bytes = (uint32_t)pkt_len(p);
    struct wr w = wr_of(len, sizeof(len));
    wr_u32(&w, bytes);
    v[0] = (struct iovec){len, sizeof(len)};
    ssize_t n = sendmsg(q->d.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno;
    memcpy(q->out, len, sizeof(len));
    if ((uint32_t)n < LEN_BYTES + bytes) {
        pkt_read(p, 0, q->out + LEN_BYTES, bytes);
        q->out_at = (uint32_t)n;
        q->out_n = LEN_BYTES + bytes - (uint32_t)n;
        q->d.unsent = true;
    }
    return 0;
}

static unsigned qemu_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    struct qemu *q = (struct qemu *)(void *)d;
    if (n == 0)
        (void)flush(q);
    for (unsigned i = 0; i < n; i++) {
        int err = pkt_len(pkts[i]) > FRAME_MAX ? EMSGSIZE : flush(q) ? send_one(q, pkts[i]) : EAGAIN;
        if (err == EAGAIN) {
            d->tx_full++;
            return i;
        }
        if (err == 0) {
            d->tx_pkts++;
            d->tx_bytes += pkt_len(pkts[i]);
            continue;
        }
        d->tx_dropped++;
        d->error = err == EMSGSIZE ? d->error : -err;
    }
    return n;
}

static const struct drv_key keys[] = {
    {"connect", NULL, "QEMU listens, and we connect"},
    {"wait", "SECONDS", "how long to wait for it, 0 to 3600"},
    {NULL, NULL, NULL},
};

const struct drv_kind drv_qemu = {
    .name = "qemu",
    .where = "PATH, or ADDRESS:PORT",
    .help = "a virtual machine's network card, by QEMU's -netdev stream: we listen and wait for it",
    .needs = "nothing",
    .keys = keys,
    .open = qemu_open,
    .rx = qemu_rx,
    .tx = qemu_tx,
    .close = qemu_close,
};
