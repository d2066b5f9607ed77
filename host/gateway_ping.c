/*
 * ICMP echo through the host's ping sockets (SOCK_DGRAM of IPPROTO_ICMP), one for each identifier and
 * destination: the kernel puts its own identifier into what leaves, and only answers to that come back.
 * Where net.ipv4.ping_group_range forbids them the guest is told that it is prohibited.
 *
 * And the errors that the guest's side is told of: as they would come from where it sent to, with a
 * quote of the datagram as far as that identifies it.
 */
#define _GNU_SOURCE
#include "host/gateway_flow.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"
#include "wire/udp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUOTE_TTL 64
#define ECHO_LEN  8             /* of type, code, checksum, identifier, number */
#define QUOTE_MAX (IP6_HDR_LEN + ECHO_LEN)

static int ping_socket(bool v4)
{
    return socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                  v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

bool gw_ping_open(struct gateway *g, char error[DRV_ERROR_MAX])
{
    int err = oriel_icmp_open(g->s, ORIEL_IP4, &g->icmp4);
    if (!err)
        err = oriel_icmp_open(g->s, ORIEL_IP6, &g->icmp6);
    if (!err)
        err = oriel_setopt(g->s, g->icmp4, ORIEL_OPT_ANY_ADDR, 1);
    if (!err)
        err = oriel_setopt(g->s, g->icmp6, ORIEL_OPT_ANY_ADDR, 1);
    if (err) {
        (void)snprintf(error, DRV_ERROR_MAX, "the gateway cannot hear ICMP: %s", oriel_strerror(err));
        return false;
    }
    int fd = ping_socket(true);
    g->no_ping = fd < 0 && (errno == EACCES || errno == EPERM);
    if (g->no_ping)
        (void)snprintf(g->note, sizeof(g->note), "no ping through the gateway: the host allows no ping "
                       "sockets to this group (sysctl net.ipv4.ping_group_range)");
    if (fd >= 0)
        close(fd);
    return true;
}

/* ---- errors ---- */

/* The start of a packet from the guest to `asked`, as errors quote it: its header and the next 8 bytes. */
static size_t quote(struct wr *w, const struct oriel_endpoint *guest, const struct oriel_endpoint *asked,
                    bool echo)
{
    bool v4 = addr_is_v4(&asked->addr);
    uint8_t proto = !echo ? IP_UDP : v4 ? IP_ICMP : IP_ICMP6;
    if (v4)
        ip4_emit(w, &(struct ip4_hdr){.total_len = IP4_HDR_LEN + ECHO_LEN, .ttl = QUOTE_TTL,
                                      .proto = proto, .src = guest->addr, .dst = asked->addr});
    else
        ip6_emit(w, &(struct ip6_hdr){.payload_len = ECHO_LEN, .next = proto,
                                      .hop_limit = QUOTE_TTL, .src = guest->addr,
                                      .dst = asked->addr});
    if (echo) {
        wr_u16(w, (uint16_t)((v4 ? ICMP4_ECHO : ICMP6_ECHO) << 8));
        wr_u16(w, 0);
        wr_u16(w, guest->port);
        wr_u16(w, asked->port);
    } else {
        udp_emit(w, &(struct udp_hdr){.src_port = guest->port, .dst_port = asked->port,
                                      .len = UDP_HDR_LEN});
    }
    return wr_len(w);
}

static uint8_t code_of(int err, bool v4)
{
    switch (err) {
    case ECONNREFUSED: return v4 ? ICMP4_PORT : ICMP6_PORT;
    case ENETUNREACH:  return v4 ? ICMP4_NET : ICMP6_NO_ROUTE;
    case EACCES:
    case EPERM:        return v4 ? ICMP4_ADMIN : ICMP6_ADMIN;
    }
    return v4 ? ICMP4_HOST : ICMP6_ADDR;
}

static void send_error(struct gateway *g, const struct oriel_endpoint *guest,
                       const struct oriel_endpoint *asked, int err, bool echo)
{
    bool v4 = addr_is_v4(&asked->addr);
    uint8_t message[ECHO_LEN + QUOTE_MAX];
    struct wr w = wr_of(message, sizeof(message));
    wr_u8(&w, v4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE);
    wr_u8(&w, code_of(err, v4));
    wr_u16(&w, 0);              /* the stack fills in the checksum */
    wr_u32(&w, 0);
    size_t n = quote(&w, guest, asked, echo);
    const struct oriel_msg m = {.peer = {.addr = guest->addr}, .local = asked->addr};
    best_effort(oriel_send(g->s, v4 ? g->icmp4 : g->icmp6, message, n, &m));
}

void gw_unreachable(struct gateway *g, const struct oriel_endpoint *guest,
                    const struct oriel_endpoint *asked, int err)
{
    send_error(g, guest, asked, err, false);
}

/* ---- echo ---- */

void gw_ping_host_ready(void *flow, uint32_t events)
{
    struct gw_flow *f = flow;
    struct gateway *g = f->g;
    bool v4 = addr_is_v4(&f->asked.addr);
    (void)events;
    gw_enter(g);
    for (unsigned i = 0; i < GW_DATAGRAMS; i++) {
        ssize_t n = recv(f->source.fd, g->buffer, GW_BUFFER, 0);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            f->error = errno;
            send_error(g, &f->guest, &f->asked, errno, true);
            continue;
        }
        if (n < ECHO_LEN || g->buffer[0] != (v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY))
            continue;
        struct wr id = wr_of(g->buffer + 4, 2);
        wr_u16(&id, f->guest.port);
        const struct oriel_msg m = {.peer = {.addr = f->guest.addr}, .local = f->asked.addr};
        f->bytes_in += (uint64_t)n;
        best_effort(oriel_send(g->s, v4 ? g->icmp4 : g->icmp6, g->buffer, (size_t)n, &m));
    }
    gw_flow_again(f);
}

/* A socket of the host for that identifier and destination; NULL, and *err says why. */
static struct gw_flow *ping_flow(struct gateway *g, const struct oriel_endpoint *guest,
                                 const struct oriel_endpoint *asked, int *err)
{
    struct gw_flow *f = gw_flow_find(g, GW_PING, guest, asked);
    struct oriel_endpoint host;
    struct sockaddr_storage to;
    *err = g->no_ping ? EACCES : EHOSTUNREACH;
    if (f || g->no_ping || !gw_has_room(g) || !gw_to_host(g, asked, &host))
        return f;
    int fd = ping_socket(addr_is_v4(&host.addr));
    socklen_t len = gw_sockaddr(&host, &to);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, len) < 0) {
        *err = errno;
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    f = gw_flow_new(g, GW_PING, fd, GW_AGE_PING, guest, asked);
    if (f) {
        f->host = host;
        gw_flow_begins(f);
    }
    return f;
}

static void ask(struct gateway *g, const struct oriel_msg *m, size_t n)
{
    bool v4 = addr_is_v4(&m->local);
    struct rd r = rd_of(span_of(g->buffer, n));
    uint8_t type = rd_u8(&r);
    rd_skip(&r, 3);
    const struct oriel_endpoint guest = {.addr = m->peer.addr, .port = rd_u16(&r)};
    const struct oriel_endpoint asked = {.addr = m->local};
    int err;
    if (r.bad || n < ECHO_LEN || type != (v4 ? ICMP4_ECHO : ICMP6_ECHO))
        return;
    struct gw_flow *f = ping_flow(g, &guest, &asked, &err);
    if (f && send(f->source.fd, g->buffer, n, MSG_NOSIGNAL) < 0)
        err = errno;
    else if (f)
        err = 0;
    if (f) {
        f->bytes_out += n;
        gw_flow_used(f, GW_AGE_PING);
    }
    if (err && err != EAGAIN)
        send_error(g, &guest, &asked, err, true);
}

void gw_ping_guest_ready(struct gateway *g, oriel_handle h)
{
    struct oriel_msg m;
    for (int n; (n = oriel_recv(g->s, h, g->buffer, GW_BUFFER, &m)) != ORIEL_EAGAIN;)
        if (n >= 0)
            ask(g, &m, (size_t)n);
}
