/*
 * Published ports: connections and datagrams that come from the host's side.
 *
 * A connection is accepted and at once asked of the guest, from the address and port of its peer where
 * they can be had; the peer's bytes wait in the host's kernel meanwhile. A guest that refuses resets it.
 * When the host has no descriptor left, a spare one is given up to accept and reset, so that nobody
 * waits in a queue that is never served; where there is no spare one either, the port is not listened to until
 * the next tick.
 */
#define _GNU_SOURCE
#include "host/gateway_flow.h"

#include "stack/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS 64              /* in one turn of a port */
#define BACKLOG 4096

/* ---- connections ---- */

static int dial_from(struct gateway *g, oriel_handle h, const struct oriel_endpoint *from,
                     const struct oriel_endpoint *to)
{
    int err = oriel_bind(g->s, h, from);
    return err ? err : oriel_connect(g->s, h, to);
}

/* A stream to the guest, from there, or from another port where that is taken. */
static int dial(struct gateway *g, const struct oriel_endpoint *from, const struct oriel_endpoint *to,
                oriel_handle *out)
{
    struct oriel_endpoint other = {.addr = from->addr};
    int err = oriel_tcp_open(g->s, addr_is_v4(&to->addr) ? ORIEL_IP4 : ORIEL_IP6, out);
    if (err)
        return err;
    err = oriel_setopt(g->s, *out, ORIEL_OPT_ANY_ADDR, 1);
    if (!err)
        err = oriel_setopt(g->s, *out, ORIEL_OPT_NODELAY, 1);
    if (!err)
        err = oriel_setopt(g->s, *out, ORIEL_OPT_OOBINLINE, 1);
    if (!err && (err = dial_from(g, *out, from, to)) == ORIEL_EADDRINUSE)
        err = dial_from(g, *out, &other, to);
    if (err)
        best_effort(oriel_close(g->s, *out));
    return err;
}

static void refuse(int fd)
{
    const struct linger now = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

static void inward(struct gw_publish *p, int fd, const struct sockaddr_storage *peer)
{
    struct gateway *g = p->g;
    const struct oriel_endpoint *guest = &p->what->guest;
    struct oriel_endpoint host = gw_endpoint(peer);
    struct oriel_endpoint from = gw_to_guest(g, &host, addr_is_v4(&guest->addr));
    oriel_handle h;
    if (ip_is_own(&g->s->ip, &from.addr) || addr_same_bits(&from.addr, &guest->addr))
        from.addr = gw_own_addr(g, addr_is_v4(&guest->addr));
    if (!gw_has_room(g) || dial(g, &from, guest, &h) != 0) {
        refuse(fd);
        return;
    }
    gw_tcp_set_up(fd);
    struct gw_flow *f = gw_flow_new(g, GW_TCP, fd, GW_AGE_HANDSHAKE, guest, &from);
    if (!f) {
        best_effort(oriel_abort(g->s, h));
        return;
    }
    f->state = GW_CALLING;
    f->host = host;
    gw_flow_handle(f, h);
}

/* Nobody waits for what will not come. */
static void shed(struct gw_publish *p)
{
    struct gateway *g = p->g;
    close(g->spare_fd);
    g->spare_fd = -1;
    int fd = accept4(p->source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        refuse(fd);
    g->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void port_ready(void *port, uint32_t events)
{
    struct gw_publish *p = port;
    (void)events;
    gw_enter(p->g);
    for (unsigned i = 0; i < ACCEPTS; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        int fd = accept4(p->source.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            inward(p, fd, &peer);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if ((errno == EMFILE || errno == ENFILE) && p->g->spare_fd >= 0) {
            shed(p);
        } else if (errno != ECONNABORTED && errno != EINTR) {
            p->deaf = true;
            (void)loop_change(p->g->loop, &p->source, 0);
            gw_tick_soon(p->g);
            return;
        }
    }
}

void gw_publish_tick(struct gateway *g)
{
    if (g->spare_fd < 0)
        g->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (unsigned i = 0; i < g->cfg.publish_n; i++) {
        struct gw_publish *p = &g->publish[i];
        if (!p->deaf)
            continue;
        p->deaf = false;
        (void)loop_change(g->loop, &p->source, EPOLLIN);
    }
}

/* ---- datagrams ---- */

static void datagram_ready(void *port, uint32_t events)
{
    struct gw_publish *p = port;
    struct gateway *g = p->g;
    const struct oriel_endpoint *guest = &p->what->guest;
    (void)events;
    gw_enter(g);
    for (unsigned i = 0; i < GW_DATAGRAMS; i++) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof(peer);
        ssize_t n = recvfrom(p->source.fd, g->buffer, GW_BUFFER, 0, (struct sockaddr *)&peer, &len);
        if (n < 0)
            return;
        struct oriel_endpoint host = gw_endpoint(&peer);
        struct oriel_endpoint from = gw_to_guest(g, &host, addr_is_v4(&guest->addr));
        const struct oriel_msg m = {.peer = *guest, .local = from.addr, .local_port = from.port};
        best_effort(oriel_send(g->s, g->udp, g->buffer, (size_t)n, &m));
    }
}

/* ---- opening ---- */

static bool is_any(const struct oriel_addr *a)
{
    return addr_same_bits(a, &ADDR_NONE);
}

/* Of that family, bound; a negative errno. both: IPv4 peers too. */
static int bound_socket(const struct gateway_publish *p, int family, bool both)
{
    const int on = 1, v6only = !both;
    struct oriel_endpoint at = p->host;
    struct sockaddr_storage a;
    if (is_any(&at.addr) && family == AF_INET)
        at.addr = ADDR_V4_ANY;
    socklen_t len = gw_sockaddr(&at, &a);
    int fd = socket(family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (!p->udp)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (family == AF_INET6)
        (void)setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only));
    if (bind(fd, (struct sockaddr *)&a, len) == 0 && (p->udp || listen(fd, BACKLOG) == 0))
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

/* Every address of the host is both families for connections, and the guest's for datagrams. */
static int open_port(const struct gateway_publish *p)
{
    bool any = is_any(&p->host.addr), v4 = addr_is_v4(any ? &p->guest.addr : &p->host.addr);
    if (any && !p->udp) {
        int fd = bound_socket(p, AF_INET6, true);
        if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
            return fd;
        v4 = true;              /* a host without IPv6 */
    }
    return bound_socket(p, v4 ? AF_INET : AF_INET6, false);
}

static bool publish(struct gateway *g, unsigned i, char error[DRV_ERROR_MAX])
{
    struct gw_publish *p = &g->publish[i];
    const struct gateway_publish *what = p->what = &g->cfg.publish[i];
    bool v4 = addr_is_v4(&what->guest.addr);
    p->g = g;
    if (what->udp && !is_any(&what->host.addr) && addr_is_v4(&what->host.addr) != v4) {
        (void)snprintf(error, DRV_ERROR_MAX, "UDP port %u: both addresses must be of one family",
                       what->host.port);
        return false;
    }
    int fd = open_port(what);
    p->source = (struct loop_source){.fd = fd, .events = EPOLLIN, .ctx = p,
                                     .on_ready = what->udp ? datagram_ready : port_ready};
    int err = fd < 0 ? fd : loop_add(g->loop, &p->source);
    if (err < 0)
        (void)snprintf(error, DRV_ERROR_MAX, "cannot publish %s port %u: %s",
                       what->udp ? "UDP" : "TCP", what->host.port, strerror(-err));
    return err >= 0;
}

bool gw_publish_open(struct gateway *g, char error[DRV_ERROR_MAX])
{
    g->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (g->cfg.publish_n > GATEWAY_PUBLISH_MAX) {
        (void)snprintf(error, DRV_ERROR_MAX, "%u published ports, and %u at most", g->cfg.publish_n,
                       GATEWAY_PUBLISH_MAX);
        g->cfg.publish_n = 0;
        return false;
    }
    for (unsigned i = 0; i < g->cfg.publish_n; i++)
        if (!publish(g, i, error))
            return false;
    return true;
}

void gw_publish_close(struct gateway *g)
{
    for (unsigned i = 0; i < GATEWAY_PUBLISH_MAX; i++) {
        struct loop_source *s = &g->publish[i].source;
        if (s->fd >= 0) {
            loop_remove(g->loop, s);
            close(s->fd);
        }
        s->fd = -1;
    }
    if (g->spare_fd >= 0)
        close(g->spare_fd);
}
