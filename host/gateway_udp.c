/*
 * Datagrams through the gateway. One socket of the stack hears all that the guest sends; one socket of
 * the host for each of the guest's endpoints sends it on, to any destination, and hears whoever answers:
 * an endpoint of the guest is one endpoint of the host, whomever it talks to (RFC 4787, REQ-1).
 *
 * The host's kernel reports closed ports through the socket's error queue, with the destination that it
 * was about: the guest is told in its words.
 */
#define _GNU_SOURCE
#include "host/gateway_flow.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RCVBUF     ((int64_t)4 << 20)   /* of the stack's socket, for all flows together */

bool gw_udp_open(struct gateway *g, char error[DRV_ERROR_MAX])
{
    int err = oriel_udp_open(g->s, ORIEL_DUAL, &g->udp);
    if (!err)
        err = oriel_setopt(g->s, g->udp, ORIEL_OPT_ANY_ADDR, 1);
    if (!err)
        err = oriel_setopt(g->s, g->udp, ORIEL_OPT_RCVBUF, RCVBUF);
    if (err)
        (void)snprintf(error, DRV_ERROR_MAX, "the gateway cannot hear datagrams: %s",
                       oriel_strerror(err));
    return err == 0;
}

/* ---- towards the guest ---- */

static void to_guest(struct gateway *g, const struct oriel_endpoint *guest,
                     const struct oriel_endpoint *from, size_t n)
{
    const struct oriel_msg m = {.peer = *guest, .local = from->addr, .local_port = from->port};
    best_effort(oriel_send(g->s, g->udp, g->buffer, n, &m));    /* no room: lost, as datagrams are */
}

static struct oriel_endpoint seen_as(const struct gw_flow *f, const struct oriel_endpoint *host)
{
    return gw_to_guest(f->g, host, addr_is_v4(&f->guest.addr));
}

/* What the kernel heard of datagrams of this socket. False: nothing more. */
static bool take_error(struct gw_flow *f)
{
    union {
        char bytes[512];
        struct cmsghdr align;
    } control;
    struct sockaddr_storage to;
    struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    if (recvmsg(f->source.fd, &m, MSG_ERRQUEUE) < 0)
        return false;
    struct oriel_endpoint host = gw_endpoint(&to), asked = seen_as(f, &host);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct sock_extended_err e;
        if (!(c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) &&
            !(c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
            continue;
        memcpy(&e, CMSG_DATA(c), sizeof(e));
        f->error = (int)e.ee_errno;
        gw_unreachable(f->g, &f->guest, &asked, f->error);
    }
    return true;
}

void gw_udp_host_ready(void *flow, uint32_t events)
{
    struct gw_flow *f = flow;
    (void)events;
    gw_enter(f->g);
    for (unsigned i = 0; i < GW_DATAGRAMS; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(f->source.fd, f->g->buffer, GW_BUFFER, 0, (struct sockaddr *)&from, &len);
        if (n < 0 && errno == EAGAIN && !take_error(f))
            return;
        if (n < 0)
            continue;           /* an error, which waits in the queue of errors too */
        struct oriel_endpoint host = gw_endpoint(&from), as = seen_as(f, &host);
        f->bytes_in += (uint64_t)n;
        to_guest(f->g, &f->guest, &as, (size_t)n);
        gw_flow_used(f, (enum gw_age)f->age);
    }
    gw_flow_again(f);
}

/* ---- towards the host ---- */

static int host_socket(bool v4)
{
    const int on = 1;
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fd;
    if (v4) {
        (void)setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on));
        (void)setsockopt(fd, SOL_IP, IP_MTU_DISCOVER, &(int){IP_PMTUDISC_DONT}, sizeof(int));
    } else {
        (void)setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
        (void)setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on));
        (void)setsockopt(fd, SOL_IPV6, IPV6_MTU_DISCOVER, &(int){IPV6_PMTUDISC_DONT}, sizeof(int));
    }
    return fd;
}

/* The flow of that endpoint of the guest into that family of the host; NULL: refused. */
static struct gw_flow *flow_of(struct gateway *g, const struct oriel_endpoint *guest,
                               const struct oriel_endpoint *host)
{
    bool v4 = addr_is_v4(&host->addr);
    const struct oriel_endpoint family = {.port = v4 ? AF_INET : AF_INET6};
    struct gw_flow *f = gw_flow_find(g, GW_UDP, guest, &family);
    if (f || !gw_has_room(g))
        return f;
    int fd = host_socket(v4);
    f = fd < 0 ? NULL : gw_flow_new(g, GW_UDP, fd, GW_AGE_UDP, guest, &family);
    if (f) {
        f->host = *host;
        gw_flow_begins(f);
    }
    return f;
}

/* The answer of a published port leaves from there. */
static bool is_published(struct gateway *g, const struct oriel_endpoint *guest,
                         const struct oriel_endpoint *host, size_t n)
{
    for (unsigned i = 0; i < g->cfg.publish_n; i++) {
        const struct gateway_publish *p = g->publish[i].what;
        struct sockaddr_storage to;
        if (!p->udp || p->guest.port != guest->port || !addr_same_bits(&p->guest.addr, &guest->addr))
            continue;
        socklen_t len = gw_sockaddr(host, &to);
        (void)sendto(g->publish[i].source.fd, g->buffer, n, MSG_NOSIGNAL, (struct sockaddr *)&to, len);
        return true;
    }
    return false;
}

/* 0, or an errno that the guest has not been told of. */
static int send_on(struct gw_flow *f, const struct oriel_endpoint *host, size_t n)
{
    struct sockaddr_storage to;
    socklen_t len = gw_sockaddr(host, &to);
    const struct sockaddr *at = (const struct sockaddr *)&to;
    for (unsigned i = 0; i < 2; i++) {
        if (sendto(f->source.fd, f->g->buffer, n, MSG_NOSIGNAL, at, len) >= 0 || errno == EAGAIN)
            return 0;
        int err = errno;
        if (!take_error(f))
            return err;
    }                           /* the first may have been about an earlier datagram: tried once more */
    return 0;
}

static void to_host(struct gateway *g, const struct oriel_msg *m, size_t n)
{
    const struct oriel_endpoint asked = {.addr = m->local, .port = m->local_port};
    struct oriel_endpoint host;
    if (!gw_to_host(g, &asked, &host)) {
        gw_unreachable(g, &m->peer, &asked, ECONNREFUSED);
        return;
    }
    if (is_published(g, &m->peer, &host, n))
        return;
    struct gw_flow *f = flow_of(g, &m->peer, &host);
    if (!f) {
        gw_unreachable(g, &m->peer, &asked, ENETUNREACH);
        return;
    }
    int err = send_on(f, &host, n);
    if (err)
        gw_unreachable(g, &m->peer, &asked, err);
    f->host = host;
    f->bytes_out += n;
    gw_flow_used(f, GW_AGE_UDP);
}

void gw_udp_guest_ready(struct gateway *g)
{
    struct oriel_msg m;
    for (int n; (n = oriel_recv(g->s, g->udp, g->buffer, GW_BUFFER, &m)) != ORIEL_EAGAIN;)
        if (n >= 0)
            to_host(g, &m, (size_t)n);
}
