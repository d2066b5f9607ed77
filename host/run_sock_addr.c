/*
 * Addresses: as the program writes them, and where they lead.
 *
 * Loopback is the program's own world first: what it listens to itself is reached inside its node. Anything
 * else there is the host's loopback, which the gateway has at an address of its own; the program is shown
 * what it asked for. A socket bound to loopback is therefore bound to any address in the stack: only
 * what is published leads there from outside.
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <errno.h>
#include <string.h>

#define DNS_PORT 53
#define SIN6_LEN_MIN 24             /* RFC 2133: without the scope */

struct oriel_addr raddr_of_in6(const struct in6_addr *a)
{
    struct rd r = rd_of(span_of(a, sizeof(*a)));
    struct oriel_addr out = rd_addr6(&r);
    if (addr_is_link_local(&out) && !addr_is_v4(&out))
        out.zone = 1;               /* the node's one interface with neighbours */
    return out;
}

int raddr_from(const struct rsock *s, const struct sockaddr_storage *sa, socklen_t len,
              struct oriel_endpoint *out, bool *unspec)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
    *unspec = len >= sizeof(sa_family_t) && sa->ss_family == AF_UNSPEC;
    *out = (struct oriel_endpoint){0};
    if (len < sizeof(sa_family_t))
        return -EINVAL;
    if (*unspec)
        return 0;
    if (s->v6 && len < SIN6_LEN_MIN && (sa->ss_family == AF_INET6 || s->state != RSOCK_DATAGRAM))
        return -EINVAL;
    if (sa->ss_family == AF_INET6 && s->v6) {
        *out = (struct oriel_endpoint){.addr = raddr_of_in6(&in6->sin6_addr), .port = ntohs(in6->sin6_port)};
        return 0;
    }
    if (sa->ss_family != AF_INET || (s->v6 && s->state != RSOCK_DATAGRAM))
        return len < sizeof(*in) ? -EINVAL : -EAFNOSUPPORT;
    if (len < sizeof(*in))
        return -EINVAL;
    *out = (struct oriel_endpoint){.addr = addr_v4(ntohl(in->sin_addr.s_addr)), .port = ntohs(in->sin_port)};
    return 0;
}

int raddr_read(struct run_request *r, const struct rsock *s, uint64_t from, uint64_t len,
              struct oriel_endpoint *out, bool *unspec)
{
    struct sockaddr_storage sa = {0};
    if ((int)len < 0 || len > sizeof(sa))
        return -EINVAL;
    if (!r->asker->read(r, from, &sa, (size_t)len))
        return -EFAULT;
    return raddr_from(s, &sa, (socklen_t)len, out, unspec);
}

socklen_t raddr_to(const struct rsock *s, const struct oriel_endpoint *e, struct sockaddr_storage *sa)
{
    uint8_t bytes[PX_SOCKADDR_MAX];
    struct oriel_endpoint as = *e;
    if (addr_is_unspecified(&e->addr) || (!s->v6 && !addr_is_v4(&e->addr)))
        as.addr = s->v6 ? ADDR_NONE : ADDR_V4_ANY;
    size_t n = px_sockaddr_emit(&as, s->v6, bytes);
    memset(sa, 0, sizeof(*sa));
    memcpy(sa, bytes, n);
    if (s->v6)
        ((struct sockaddr_in6 *)sa)->sin6_scope_id = e->addr.zone;
    return (socklen_t)n;
}

int raddr_write(struct run_request *r, const struct rsock *s, const struct oriel_endpoint *e, uint64_t to,
               uint64_t len_at)
{
    struct sockaddr_storage sa;
    int len, has = (int)raddr_to(s, e, &sa);
    if (!r->asker->read(r, len_at, &len, sizeof(len)))
        return -EFAULT;
    if (len < 0)
        return -EINVAL;
    bool ok = r->asker->write(r, to, &sa, (size_t)(len < has ? len : has)) &&
              r->asker->write(r, len_at, &has, sizeof(has));
    return ok ? 0 : -EFAULT;
}

/* ---- where it leads ---- */

static struct oriel_addr loopback_of(bool v4)
{
    return v4 ? addr_v4(INADDR_LOOPBACK) : addr_v6(0, 1);
}

static bool addr_is_zero(const struct oriel_addr *a)
{
    return a->hi == 0 && a->lo == 0;
}

int raddr_route(struct run *n, bool udp, const struct oriel_endpoint *asked, struct oriel_endpoint *real)
{
    bool v4 = addr_is_v4(&asked->addr), any = addr_is_unspecified(&asked->addr);
    *real = *asked;
    if (!any && !addr_is_loopback(&asked->addr))
        return 0;
    if (n->ports[udp][!v4][asked->port] > 0) {
        real->addr = loopback_of(v4);
        return 0;
    }
    bool resolver = v4 && !any && addr_to_v4(&asked->addr) != INADDR_LOOPBACK && asked->port == DNS_PORT;
    if (resolver && !addr_is_zero(&n->cfg.dns4))
        real->addr = n->cfg.dns4;
    else
        real->addr = v4 ? n->cfg.self4 : n->cfg.self6;
    return addr_is_zero(&real->addr) ? -ECONNREFUSED : 0;
}

int raddr_route_via(struct rsock *s, const struct oriel_endpoint *asked, struct oriel_endpoint *real)
{
    int err = raddr_route(s->run, true, asked, real);
    if (err || addr_same_bits(&asked->addr, &real->addr))
        return err;
    s->loops = true;
    for (unsigned i = 0; i < RSOCK_VIA_MAX; i++)
        if (addr_same_bits(&s->via[i].real.addr, &real->addr) && s->via[i].real.port == real->port) {
            s->via[i].asked = *asked;
            return 0;
        }
    s->via[s->via_at].asked = *asked;
    s->via[s->via_at].real = *real;
    s->via_at = (uint8_t)((s->via_at + 1) % RSOCK_VIA_MAX);
    return 0;
}

struct oriel_endpoint raddr_unroute(const struct rsock *s, const struct oriel_endpoint *real)
{
    for (unsigned i = 0; i < RSOCK_VIA_MAX; i++)
        if (addr_same_bits(&s->via[i].real.addr, &real->addr) && s->via[i].real.port == real->port &&
            !addr_is_unspecified(&s->via[i].asked.addr))
            return s->via[i].asked;
    return *real;
}

/* ---- names of sockets ---- */

struct oriel_endpoint rsock_local(const struct rsock *s)
{
    struct oriel_endpoint e = {.addr = s->v6 ? ADDR_NONE : ADDR_V4_ANY};
    bool connected = s->state == RSOCK_CONNECTED || s->state == RSOCK_CONNECTING || s->peer_set;
    if (s->h && oriel_local(s->run->stack, s->h, &e) < 0)
        e = (struct oriel_endpoint){.addr = s->v6 ? ADDR_NONE : ADDR_V4_ANY};
    if (s->loops && connected)
        e.addr = s->bound && addr_is_loopback(&s->shown.addr) ? s->shown.addr
                                                              : loopback_of(addr_is_v4(&s->asked.addr));
    else if (s->bound && (!connected || addr_is_loopback(&s->shown.addr)))
        e.addr = s->shown.addr;
    if (e.port == 0)
        e.port = s->port;
    return e;
}

int rsock_remote(const struct rsock *s, struct oriel_endpoint *out)
{
    if (s->state == RSOCK_CONNECTED && s->name == 's') {
        *out = s->asked;
        return 0;
    }
    if (s->state == RSOCK_CONNECTED && s->h && oriel_remote(s->run->stack, s->h, out) == 0)
        return 0;
    if (s->state == RSOCK_DATAGRAM && s->peer_set) {
        *out = s->asked;
        return 0;
    }
    return -ENOTCONN;
}

void rsock_count_port(struct rsock *s, bool udp)
{
    struct oriel_endpoint e;
    if (s->counted || oriel_local(s->run->stack, s->h, &e) < 0 || e.port == 0)
        return;
    bool any = !s->bound || addr_is_unspecified(&s->shown.addr);
    s->counted = true;
    s->port = e.port;
    s->counts_4 = !s->v6 || (any && !ropt_is_on(s, IPPROTO_IPV6, IPV6_V6ONLY)) || addr_is_v4(&s->shown.addr);
    s->counts_6 = s->v6 && !(s->bound && addr_is_v4(&s->shown.addr));
    s->run->ports[udp][0][s->port] += s->counts_4;
    s->run->ports[udp][1][s->port] += s->counts_6;
}

void rsock_uncount_port(struct rsock *s)
{
    bool udp = s->state == RSOCK_DATAGRAM;
    if (!s->counted)
        return;
    s->counted = false;
    s->run->ports[udp][0][s->port] -= s->counts_4;
    s->run->ports[udp][1][s->port] -= s->counts_6;
}
