/*
 * A UDP socket as a carrier of frames.
 *
 * A named peer is connected to: the kernel then keeps everybody else out, and a send needs no address.
 * Datagrams are received into buffers of this struct and copied into packets of the right size by the
 * driver: a world's pools have blocks by length, and most frames are small.
 */
#define _GNU_SOURCE
#include "host/datagrams.h"

#include "wire/eth.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOCKET_BUFFER (8 << 20)         /* asked for; the kernel gives what its limits allow */
#define HOST_MAX      256

/* ---- endpoints ---- */

/* "HOST:PORT", "[HOST]:PORT", ":PORT", "PORT" or "HOST" into its parts. False: neither. */
static bool split(const char *text, char host[HOST_MAX], char port[8])
{
    const char *end = text + strlen(text), *colon = strrchr(text, ':');
    const char *from = text, *to = colon ? colon : end;
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        if (!close || (close[1] != ':' && close[1] != '\0'))
            return false;
        from = text + 1;
        to = close;
        colon = close[1] == ':' ? close + 1 : NULL;
    } else if (!colon && strspn(text, "0123456789") == strlen(text)) {
        to = text;
        colon = text - 1;
    } else if (colon && memchr(text, ':', (size_t)(colon - text))) {
        to = end;               /* an IPv6 address without brackets has no port */
        colon = NULL;
    }
    size_t host_n = (size_t)(to - from), port_n = colon ? (size_t)(end - colon - 1) : 0;
    if (host_n >= HOST_MAX || port_n >= 8)
        return false;
    memcpy(host, from, host_n);
    host[host_n] = '\0';
    memcpy(port, colon ? colon + 1 : end, port_n);
    port[port_n] = '\0';
    return true;
}

/* False: a sentence in `error`. family AF_UNSPEC: as the text has it. */
static bool resolve(const char *text, uint16_t default_port, int family, bool passive,
                    struct sockaddr_storage *out, socklen_t *len, char error[DRV_ERROR_MAX])
{
    char host[HOST_MAX], port[8];
    struct addrinfo *found, hints = {.ai_family = family, .ai_socktype = SOCK_DGRAM};
    hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
    bool good = split(text, host, port) && (passive || host[0] != '\0');
    if (good && port[0] == '\0')
        snprintf(port, sizeof port, "%u", default_port);
    if (!good || (!passive && strcmp(port, "0") == 0)) {
        snprintf(error, DRV_ERROR_MAX, "'%s' is no %s", text,
                 passive ? "[ADDRESS]:PORT" : "HOST:PORT");
        return false;
    }
    int err = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
    if (err != 0) {
        snprintf(error, DRV_ERROR_MAX, "'%s': %s", text, gai_strerror(err));
        return false;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static void put_endpoint(struct txt *t, const struct sockaddr *a, socklen_t len)
{
    char host[64], port[8];
    if (getnameinfo(a, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    bool six = strchr(host, ':') != NULL;
    txt_s(t, six ? "[" : "");
    txt_s(t, host);
    txt_s(t, six ? "]:" : ":");
    txt_s(t, port);
}

void datagrams_local_text(const struct datagrams *g, struct txt *t)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof a;
    if (getsockname(g->fd, (struct sockaddr *)&a, &len) == 0)
        put_endpoint(t, (struct sockaddr *)&a, len);
}

void datagrams_peer_text(const struct datagrams *g, struct txt *t)
{
    struct sockaddr_storage a = g->peer;
    socklen_t len = g->peer_len;
    if (!g->learns && !g->any_port) {
        len = sizeof a;
        if (getpeername(g->fd, (struct sockaddr *)&a, &len) != 0)
            return;
    }
    if (len > 0)
        put_endpoint(t, (struct sockaddr *)&a, len);
}

/* ---- opening ---- */

static bool open_socket(struct datagrams *g, const struct datagrams_config *cfg,
                        char error[DRV_ERROR_MAX])
{
    struct sockaddr_storage local = {0}, peer = {0};
    socklen_t local_len = 0, peer_len = 0;
    const int off = 0, size = SOCKET_BUFFER;
    if (cfg->peer && !resolve(cfg->peer, cfg->peer_port, AF_UNSPEC, false, &peer, &peer_len, error))
        return false;
    int family = cfg->peer ? peer.ss_family : AF_UNSPEC;
    bool named = cfg->local[0] != '\0' || cfg->local_port != 0;
    if (named &&
        !resolve(cfg->local, cfg->local_port, family, true, &local, &local_len, error))
        return false;
    g->fd = socket(named ? local.ss_family : family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (g->fd < 0) {
        snprintf(error, DRV_ERROR_MAX, "no UDP socket: %s", strerror(errno));
        return false;
    }
    (void)setsockopt(g->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (setsockopt(g->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        (void)setsockopt(g->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    (void)setsockopt(g->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (named && bind(g->fd, (struct sockaddr *)&local, local_len) < 0) {
        snprintf(error, DRV_ERROR_MAX, "cannot take UDP '%s': %s", cfg->local, strerror(errno));
        return false;
    }
    if (cfg->any_port && cfg->peer) {
        g->peer = peer;
        g->peer_len = peer_len;
        return true;
    }
    if (cfg->peer && connect(g->fd, (struct sockaddr *)&peer, peer_len) < 0) {
        snprintf(error, DRV_ERROR_MAX, "cannot reach '%s': %s", cfg->peer, strerror(errno));
        return false;
    }
    return true;
}

bool datagrams_open(struct datagrams *g, const struct datagrams_config *cfg,
                    char error[DRV_ERROR_MAX])
{
    *g = (struct datagrams){.fd = -1, .learns = !cfg->peer, .any_port = cfg->any_port && cfg->peer,
                            .room = cfg->datagram_max + 1};
    if (!cfg->peer && cfg->local[0] == '\0' && cfg->local_port == 0) {
        snprintf(error, DRV_ERROR_MAX, "neither a port of its own nor peer=HOST:PORT is given");
        return false;
    }
    g->buffers = malloc(DRV_BATCH * g->room);
    if (!g->buffers) {
        snprintf(error, DRV_ERROR_MAX, "there is no memory");
        return false;
    }
    if (open_socket(g, cfg, error))
        return true;
    datagrams_close(g);
    return false;
}

void datagrams_close(struct datagrams *g)
{
    if (g->fd >= 0)
        close(g->fd);
    free(g->buffers);
    *g = (struct datagrams){.fd = -1};
}

/* ---- moving ---- */

struct span datagrams_at(const struct datagrams *g, unsigned i)
{
    return span_of(g->buffers + i * g->room, g->came[i]);
}

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

unsigned datagrams_recv(struct datagrams *g, struct drv *d, unsigned max)
{
    struct mmsghdr in[DRV_BATCH];
    struct iovec iov[DRV_BATCH];
    struct sockaddr_storage from[DRV_BATCH];
    unsigned kept = 0;
    int got;
    if (max > DRV_BATCH)
        max = DRV_BATCH;
    for (unsigned i = 0; i < max; i++) {
        iov[i] = (struct iovec){.iov_base = g->buffers + i * g->room, .iov_len = g->room};
        in[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
        if (g->learns || g->any_port) {
            in[i].msg_hdr.msg_name = &from[i];
            in[i].msg_hdr.msg_namelen = sizeof from[i];
        }
    }
    do                          /* once more: what ICMP said about a frame of ours is told first */
        got = recvmmsg(g->fd, in, max, MSG_DONTWAIT, NULL);
    while (got < 0 && errno == ECONNREFUSED);
    for (int i = 0; i < got; i++) {
        bool stranger = g->any_port && !same_host(&from[i], &g->peer);
        if (in[i].msg_len >= g->room || in[i].msg_len == 0 || stranger) {
            drv_lost(d, DRV_LOST_SENSE, 1);
            continue;
        }
        if (g->learns) {
            g->peer = from[i];
            g->peer_len = in[i].msg_hdr.msg_namelen;
        }
        if (kept != (unsigned)i)
            memcpy(g->buffers + kept * g->room, g->buffers + (unsigned)i * g->room, in[i].msg_len);
        g->came[kept++] = in[i].msg_len;
    }
    return kept;
}

static size_t fill(struct iovec *iov, struct span header, const struct pkt *p)
{
    iov[0] = (struct iovec){.iov_base = (void *)(uintptr_t)header.p, .iov_len = header.n};
    return 1 + drv_iov(iov + 1, p);
}

static void count_sent(struct drv *d, struct pkt *const pkts[], int n)
{
    for (int i = 0; i < n; i++)
        d->tx_bytes += pkt_len(pkts[i]);
    d->tx_pkts += n > 0 ? (unsigned)n : 0;
}

unsigned datagrams_send(struct datagrams *g, struct drv *d, struct span header, struct pkt *const pkts[],
                        unsigned n)
{
    struct mmsghdr out[DRV_BATCH];
    struct iovec iov[DRV_BATCH][1 + DRV_IOV_MAX];
    if (n > DRV_BATCH)
        n = DRV_BATCH;
    if (g->learns && g->peer_len == 0) {
        d->tx_dropped += n;
        return n;
    }
    for (unsigned i = 0; i < n; i++) {
        out[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = iov[i]}};
        out[i].msg_hdr.msg_iovlen = fill(iov[i], header, pkts[i]);
        if (g->learns || g->any_port) {
            out[i].msg_hdr.msg_name = &g->peer;
            out[i].msg_hdr.msg_namelen = g->peer_len;
        }
    }
    unsigned done = 0;
    while (done < n) {
        int sent = sendmmsg(g->fd, out + done, n - done, MSG_DONTWAIT);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            d->tx_full++;
            break;
        }
        d->tx_dropped += sent < 0;      /* too large, or nobody is there now */
        count_sent(d, pkts + done, sent);
        done += sent < 0 ? 1 : (unsigned)sent;
    }
    return done;
}

/* ---- describing ---- */

void datagrams_describe(const struct datagrams *g, struct drv *d, const struct drv_spec *s,
                        uint32_t mtu)
{
    char local[80], peer[80];
    struct txt l = txt_of(local, sizeof local), p = txt_of(peer, sizeof peer);
    datagrams_local_text(g, &l);
    datagrams_peer_text(g, &p);
    d->kind = s->kind;
    d->fd = g->fd;
    d->caps = (struct drv_caps){.mtu = mtu};
    drv_choose_mac(d, s);
    struct txt name = txt_of(d->name, sizeof d->name);
    txt_s(&name, s->kind->name);
    txt_c(&name, ' ');
    txt_span(&name, span_of(l.p, l.n));
    if (g->learns)
        drv_note(d, "frames of at most %u bytes in UDP from %.*s to whoever spoke last", mtu,
                 (int)l.n, l.p);
    else
        drv_note(d, "frames of at most %u bytes in UDP from %.*s to %.*s", mtu, (int)l.n, l.p,
                 (int)p.n, p.p);
}
