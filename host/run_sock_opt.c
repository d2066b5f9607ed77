/*
 * Options, as Linux numbers them: a row each. What the program set is kept and shown again; what the stack
 * has is set there as well; what only the descriptor can do (timeouts, where urgent data is) is set on it.
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/time.h>

#define NONE (-1)
#define FOREVER_S 1000000000        /* longer is no limit of time */

enum {
    TCP_ONLY = 1,
    UDP_ONLY = 2,
    V6_ONLY = 4,
    IS_FLAG = 8,                    /* 0 or 1, whatever was given */
    IS_SECONDS = 16,                /* the stack has milliseconds */
    ON_DESCRIPTOR = 32,             /* the kernel's socket keeps it too */
    DOUBLED = 64,                   /* the kernel shows twice what was set */
    READ_ONLY = 128,
    MORE = 256,                     /* wants to be told more about each datagram */
};

static const struct row {
    int level, name;
    int oriel;                      /* enum oriel_opt, or NONE: only kept */
    int flags;
    int def;
    int min, max;                   /* max 0: any */
} rows[] = {
    {SOL_SOCKET, SO_REUSEADDR, ORIEL_OPT_REUSEADDR, IS_FLAG, 0, 0, 0},
    {SOL_SOCKET, SO_REUSEPORT, ORIEL_OPT_REUSEPORT, IS_FLAG | TCP_ONLY, 0, 0, 0},
    {SOL_SOCKET, SO_REUSEPORT, ORIEL_OPT_REUSEADDR, IS_FLAG | UDP_ONLY, 0, 0, 0},
    {SOL_SOCKET, SO_KEEPALIVE, ORIEL_OPT_KEEPALIVE, IS_FLAG | TCP_ONLY, 0, 0, 0},
    {SOL_SOCKET, SO_KEEPALIVE, NONE, IS_FLAG | UDP_ONLY, 0, 0, 0},
    {SOL_SOCKET, SO_BROADCAST, ORIEL_OPT_BROADCAST, IS_FLAG | UDP_ONLY, 0, 0, 0},
    {SOL_SOCKET, SO_BROADCAST, NONE, IS_FLAG | TCP_ONLY, 0, 0, 0},
    {SOL_SOCKET, SO_OOBINLINE, NONE, IS_FLAG | ON_DESCRIPTOR, 0, 0, 0},
    {SOL_SOCKET, SO_RCVBUF, ORIEL_OPT_RCVBUF, DOUBLED, 131072, 0, 0},
    {SOL_SOCKET, SO_SNDBUF, ORIEL_OPT_SNDBUF, DOUBLED | TCP_ONLY, 16384, 0, 0},
    {SOL_SOCKET, SO_SNDBUF, NONE, DOUBLED | UDP_ONLY, 212992, 0, 0},
    {SOL_SOCKET, SO_RCVLOWAT, NONE, ON_DESCRIPTOR, 1, 0, 0},
    {SOL_SOCKET, SO_SNDLOWAT, NONE, READ_ONLY, 1, 0, 0},
    {SOL_SOCKET, SO_PRIORITY, NONE, 0, 0, 0, 6},
    {SOL_SOCKET, SO_DONTROUTE, NONE, IS_FLAG, 0, 0, 0},
    {SOL_SOCKET, SO_TIMESTAMP, NONE, IS_FLAG | MORE, 0, 0, 0},
    {SOL_SOCKET, SO_TIMESTAMPNS, NONE, IS_FLAG | MORE, 0, 0, 0},
    {SOL_SOCKET, SO_NO_CHECK, ORIEL_OPT_NO_CSUM, IS_FLAG | UDP_ONLY, 0, 0, 0},
    {SOL_SOCKET, SO_RXQ_OVFL, NONE, IS_FLAG, 0, 0, 0},
    {SOL_SOCKET, SO_BUSY_POLL, NONE, 0, 0, 0, 0},
    {SOL_SOCKET, SO_INCOMING_CPU, NONE, 0, -1, 0, 0},
    {IPPROTO_TCP, TCP_NODELAY, ORIEL_OPT_NODELAY, IS_FLAG | TCP_ONLY, 0, 0, 0},
    {IPPROTO_TCP, TCP_CORK, ORIEL_OPT_CORK, IS_FLAG | TCP_ONLY, 0, 0, 0},
    {IPPROTO_TCP, TCP_MAXSEG, ORIEL_OPT_MAXSEG, TCP_ONLY, 536, 88, 32767},
    {IPPROTO_TCP, TCP_KEEPIDLE, ORIEL_OPT_KEEPIDLE_MS, TCP_ONLY | IS_SECONDS, 7200, 1, 32767},
    {IPPROTO_TCP, TCP_KEEPINTVL, ORIEL_OPT_KEEPINTVL_MS, TCP_ONLY | IS_SECONDS, 75, 1, 32767},
    {IPPROTO_TCP, TCP_KEEPCNT, ORIEL_OPT_KEEPCNT, TCP_ONLY, 9, 1, 127},
    {IPPROTO_TCP, TCP_SYNCNT, ORIEL_OPT_SYNCNT, TCP_ONLY, 6, 1, 127},
    {IPPROTO_TCP, TCP_LINGER2, NONE, TCP_ONLY, 60, 0, 0},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, ORIEL_OPT_DEFER_ACCEPT_MS, TCP_ONLY | IS_SECONDS, 0, 0, 32767},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, ORIEL_OPT_WINDOW_CLAMP, TCP_ONLY, 0, 0, 0},
    {IPPROTO_TCP, TCP_QUICKACK, ORIEL_OPT_QUICKACK, IS_FLAG | TCP_ONLY, 1, 0, 0},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, ORIEL_OPT_USER_TIMEOUT_MS, TCP_ONLY, 0, 0, 0},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, ORIEL_OPT_NOTSENT_LOWAT, TCP_ONLY, 0, 0, 0},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, NONE, IS_FLAG | TCP_ONLY, 0, 0, 0},
    {IPPROTO_TCP, TCP_SAVE_SYN, NONE, TCP_ONLY, 0, 0, 0},
    {IPPROTO_IP, IP_TOS, ORIEL_OPT_TOS, 0, 0, 0, 255},
    {IPPROTO_IP, IP_TTL, ORIEL_OPT_TTL, 0, 64, 1, 255},
    {IPPROTO_IP, IP_MTU_DISCOVER, NONE, 0, IP_PMTUDISC_WANT, 0, 5},
    {IPPROTO_IP, IP_RECVERR, NONE, IS_FLAG | MORE, 0, 0, 0},
    {IPPROTO_IP, IP_PKTINFO, NONE, IS_FLAG | MORE, 0, 0, 0},
    {IPPROTO_IP, IP_RECVTTL, NONE, IS_FLAG | MORE, 0, 0, 0},
    {IPPROTO_IP, IP_RECVTOS, NONE, IS_FLAG | MORE, 0, 0, 0},
    {IPPROTO_IP, IP_RECVOPTS, NONE, IS_FLAG, 0, 0, 0},
    {IPPROTO_IP, IP_RETOPTS, NONE, IS_FLAG, 0, 0, 0},
    {IPPROTO_IP, IP_FREEBIND, NONE, IS_FLAG, 0, 0, 0},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, NONE, IS_FLAG, 0, 0, 0},
    {IPPROTO_IP, IP_MULTICAST_TTL, ORIEL_OPT_MCAST_TTL, UDP_ONLY, 1, 0, 255},
    {IPPROTO_IP, IP_MULTICAST_LOOP, ORIEL_OPT_MCAST_LOOP, IS_FLAG | UDP_ONLY, 1, 0, 0},
    {IPPROTO_IP, IP_MULTICAST_ALL, NONE, IS_FLAG, 1, 0, 0},
    {IPPROTO_IP, IP_MINTTL, NONE, 0, 0, 0, 255},
    {IPPROTO_IPV6, IPV6_V6ONLY, ORIEL_OPT_V6ONLY, IS_FLAG | V6_ONLY, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, ORIEL_OPT_TTL, V6_ONLY, 64, -1, 255},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, ORIEL_OPT_MCAST_TTL, V6_ONLY | UDP_ONLY, 1, -1, 255},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, ORIEL_OPT_MCAST_LOOP, IS_FLAG | V6_ONLY | UDP_ONLY, 1, 0, 0},
    {IPPROTO_IPV6, IPV6_TCLASS, ORIEL_OPT_TOS, V6_ONLY, 0, -1, 255},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, NONE, V6_ONLY, IPV6_PMTUDISC_WANT, 0, 5},
    {IPPROTO_IPV6, IPV6_RECVERR, NONE, IS_FLAG | V6_ONLY | MORE, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, NONE, IS_FLAG | V6_ONLY | MORE, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, NONE, IS_FLAG | V6_ONLY | MORE, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, NONE, IS_FLAG | V6_ONLY | MORE, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, NONE, V6_ONLY, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, NONE, IS_FLAG | V6_ONLY, 1, 0, 0},
    {IPPROTO_IPV6, IPV6_DONTFRAG, NONE, IS_FLAG | V6_ONLY, 0, 0, 0},
    {IPPROTO_IPV6, IPV6_FREEBIND, NONE, IS_FLAG | V6_ONLY, 0, 0, 0},
};

static_assert(ARRAY_LEN(rows) <= RSOCK_OPTS_MAX, "struct rsock has room for each row");

static const struct row *row_of(const struct rsock *s, int level, int name)
{
    int other = s->state == RSOCK_DATAGRAM ? TCP_ONLY : UDP_ONLY;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].level == level && rows[i].name == name && !(rows[i].flags & other) &&
            (s->v6 || !(rows[i].flags & V6_ONLY)))
            return &rows[i];
    return NULL;
}

static size_t at(const struct row *o)
{
    return (size_t)(o - rows);
}

static bool is_set(const struct rsock *s, const struct row *o)
{
    return s->opt_set[at(o) / 8] >> at(o) % 8 & 1;
}

static int value_of(const struct rsock *s, const struct row *o)
{
    return is_set(s, o) ? s->opt[at(o)] : o->def;
}

bool ropt_is_on(const struct rsock *s, int level, int name)
{
    const struct row *o = row_of(s, level, name);
    return o && value_of(s, o) != 0;
}

bool ropt_wants_more(const struct rsock *s)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if ((rows[i].flags & MORE) && value_of(s, &rows[i]))
            return true;
    return false;
}

static int to_stack(struct rsock *s, const struct row *o, int value)
{
    int64_t v = o->flags & IS_SECONDS ? (int64_t)value * 1000 : value;
    if (o->oriel == ORIEL_OPT_TTL || o->oriel == ORIEL_OPT_TOS || o->oriel == ORIEL_OPT_MCAST_TTL)
        v = v < 0 ? 0 : v;
    return oriel_setopt(s->run->stack, s->h, (enum oriel_opt)o->oriel, v);
}

void ropt_apply(struct rsock *s)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (is_set(s, &rows[i]) && rows[i].oriel != NONE)
            (void)!to_stack(s, &rows[i], s->opt[i]);
    int kind = s->congestion[0] ? oriel_congestion_named(s->congestion) : -1;
    if (kind >= 0)
        (void)!oriel_setopt(s->run->stack, s->h, ORIEL_OPT_CONGESTION, kind);
}

void ropt_inherit(struct rsock *s, const struct rsock *listener)
{
    memcpy(s->opt, listener->opt, sizeof(s->opt));
    memcpy(s->opt_set, listener->opt_set, sizeof(s->opt_set));
    memcpy(s->congestion, listener->congestion, sizeof(s->congestion));
    s->linger_s = listener->linger_s;
}

/* ---- setting ---- */

static int set_row(struct rsock *s, struct run_request *r, const struct row *o, int value)
{
    if (o->flags & READ_ONLY)
        return -ENOPROTOOPT;
    if (o->max && (value < o->min || value > o->max))
        return -EINVAL;
    if (o->flags & IS_FLAG)
        value = value != 0;
    if (o->name == IPV6_V6ONLY && o->level == IPPROTO_IPV6 && s->bound)
        return -EINVAL;
    if (o->name == TCP_SYNCNT && o->level == IPPROTO_TCP && value < 1)
        return -EINVAL;
    int err = s->h ? 0 : rsock_open(s);
    if (err)
        return err;
    if (o->oriel != NONE && (err = to_stack(s, o, value)) < 0 && err != ORIEL_EINVAL)
        return rsock_errno(err);
    if ((o->flags & ON_DESCRIPTOR) && setsockopt(r->dup, o->level, o->name, &value, sizeof(value)) != 0)
        return -errno;
    if (o->flags & DOUBLED)
        value = value < 1152 ? 2304 : value > 1 << 29 ? 1 << 30 : 2 * value;
    s->opt[at(o)] = value;
    s->opt_set[at(o) / 8] |= (uint8_t)(1u << at(o) % 8);
    return 0;
}

static int set_linger(struct rsock *s, struct run_request *r)
{
    struct linger l;
    if (r->arg[4] < sizeof(l))
        return -EINVAL;
    if (!r->asker->read(r, r->arg[3], &l, sizeof(l)))
        return -EFAULT;
    s->linger_s = l.l_onoff ? (int64_t)(unsigned)l.l_linger : -1;
    return 0;
}

static int set_timeout(struct rsock *s, struct run_request *r)
{
    struct timeval t;
    int name = (int)r->arg[2];
    if (r->arg[4] < sizeof(t))
        return -EINVAL;
    if (!r->asker->read(r, r->arg[3], &t, sizeof(t)))
        return -EFAULT;
    if (setsockopt(r->dup, SOL_SOCKET, name, &t, sizeof(t)) != 0)
        return -errno;
    oriel_time ns = (oriel_time)t.tv_sec * NS_PER_S + (oriel_time)t.tv_usec * NS_PER_US;
    if (t.tv_sec < 0)
        ns = 1;                         /* as the kernel has it: no waiting */
    else if (t.tv_sec > FOREVER_S)
        ns = 0;
    *(name == SO_RCVTIMEO ? &s->rcv_timeout : &s->snd_timeout) = ns;
    return 0;
}

static int set_congestion(struct rsock *s, struct run_request *r)
{
    char name[sizeof(s->congestion)] = {0};
    size_t n = r->arg[4] < sizeof(name) - 1 ? (size_t)r->arg[4] : sizeof(name) - 1;
    if (!r->asker->read(r, r->arg[3], name, n))
        return -EFAULT;
    if (strcmp(name, "reno") == 0)
        memcpy(name, "newreno", sizeof("newreno"));
    int kind = oriel_congestion_named(name);
    if (kind < 0)
        return -ENOENT;
    int err = rsock_open(s);
    if (err)
        return err;
    memcpy(s->congestion, name, sizeof(name));
    return rsock_errno(oriel_setopt(s->run->stack, s->h, ORIEL_OPT_CONGESTION, kind));
}

static int group4(struct rsock *s, struct run_request *r, bool join)
{
    struct ip_mreqn m = {0};
    size_t n = r->arg[4] < sizeof(m) ? (size_t)r->arg[4] : sizeof(m);
    if (n < sizeof(struct in_addr) * 2)
        return -EINVAL;
    if (!r->asker->read(r, r->arg[3], &m, n))
        return -EFAULT;
    struct oriel_addr group = addr_v4(ntohl(m.imr_multiaddr.s_addr));
    int err = join ? oriel_group_join(s->run->stack, s->h, 1, &group, true, NULL, 0)
                   : oriel_group_leave(s->run->stack, s->h, 1, &group);
    return err == ORIEL_ENOENT ? -EADDRNOTAVAIL : rsock_errno(err);
}

static int group6(struct rsock *s, struct run_request *r, bool join)
{
    struct ipv6_mreq m;
    if (r->arg[4] < sizeof(m))
        return -EINVAL;
    if (!r->asker->read(r, r->arg[3], &m, sizeof(m)))
        return -EFAULT;
    struct sockaddr_storage sa = {0};
    ((struct sockaddr_in6 *)&sa)->sin6_family = AF_INET6;
    ((struct sockaddr_in6 *)&sa)->sin6_addr = m.ipv6mr_multiaddr;
    struct oriel_endpoint e;
    bool unspec;
    int err = raddr_from(s, &sa, sizeof(struct sockaddr_in6), &e, &unspec);
    if (err)
        return err;
    err = join ? oriel_group_join(s->run->stack, s->h, 1, &e.addr, true, NULL, 0)
               : oriel_group_leave(s->run->stack, s->h, 1, &e.addr);
    return err == ORIEL_ENOENT ? -EADDRNOTAVAIL : rsock_errno(err);
}

/* What is no row. 1: nor here. */
static int set_special(struct rsock *s, struct run_request *r)
{
    int level = (int)r->arg[1], name = (int)r->arg[2];
    bool datagram = s->state == RSOCK_DATAGRAM;
    if (level == SOL_SOCKET && name == SO_LINGER)
        return set_linger(s, r);
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
        return set_timeout(s, r);
    if (level == SOL_SOCKET && (name == SO_MARK || name == SO_RCVBUFFORCE || name == SO_SNDBUFFORCE ||
                                name == SO_BINDTODEVICE))
        return -EPERM;
    if (level == SOL_SOCKET && (name == SO_TYPE || name == SO_DOMAIN || name == SO_PROTOCOL ||
                                name == SO_ERROR || name == SO_ACCEPTCONN))
        return -ENOPROTOOPT;
    if (level == IPPROTO_TCP && name == TCP_CONGESTION && !datagram)
        return set_congestion(s, r);
    if (level == IPPROTO_TCP && name == TCP_ULP && !datagram)
        return -ENOENT;
    if (level == IPPROTO_TCP && name == TCP_REPAIR && !datagram)
        return -EPERM;
    if (level == IPPROTO_IP && name == IP_TRANSPARENT)
        return -EPERM;
    if (level == IPPROTO_IP && (name == IP_MULTICAST_IF || name == IP_UNICAST_IF))
        return 0;                       /* there is one interface */
    if (level == IPPROTO_IPV6 && s->v6 && name == IPV6_MULTICAST_IF)
        return 0;
    if (datagram && level == IPPROTO_IP && (name == IP_ADD_MEMBERSHIP || name == IP_DROP_MEMBERSHIP))
        return group4(s, r, name == IP_ADD_MEMBERSHIP);
    if (datagram && s->v6 && level == IPPROTO_IPV6 && (name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP))
        return group6(s, r, name == IPV6_JOIN_GROUP);
    return 1;
}

void ropt_call_set(struct rsock *s, struct run_request *r)
{
    int value = 0, len = (int)r->arg[4];
    if (s == &s->run->ghost)
        return r->asker->answer(r, len < 0 ? -EINVAL : 0);
    int err = len < 0 ? -EINVAL : set_special(s, r);
    if (err <= 0)
        return r->asker->answer(r, err);
    const struct row *o = row_of(s, (int)r->arg[1], (int)r->arg[2]);
    bool one_byte = o && o->level == IPPROTO_IP && len >= 1 && len < (int)sizeof(int);
    if (!o)
        err = -ENOPROTOOPT;
    else if (!one_byte && len < (int)sizeof(int))
        err = -EINVAL;
    else if (!r->asker->read(r, r->arg[3], &value, one_byte ? 1 : sizeof(value)))
        err = -EFAULT;
    else
        err = set_row(s, r, o, value);
    r->asker->answer(r, err);
}

/* ---- getting ---- */

static int take_error(struct rsock *s, struct run_request *r)
{
    int error = 0;
    socklen_t len = sizeof(error);
    int64_t soft = 0;
    (void)getsockopt(r->dup, SOL_SOCKET, SO_ERROR, &error, &len);
    if (s->error) {
        error = s->error;
        s->error = 0;
        rudp_clear_alarm(s, r->dup);
    }
    if (error == 0 && s->h && oriel_getopt(s->run->stack, s->h, ORIEL_OPT_ERROR, &soft) == 0 && soft < 0)
        error = -rsock_errno((int)soft);
    return error;
}

static int mtu_of(struct rsock *s)
{
    int64_t v = 0;
    int err = s->h ? oriel_getopt(s->run->stack, s->h, ORIEL_OPT_MTU, &v) : ORIEL_ENOTCONN;
    return err < 0 ? rsock_errno(err) : (int)v;
}

static int get_row(struct rsock *s, const struct row *o)
{
    int64_t v = 0;
    if (o->name == TCP_MAXSEG && o->level == IPPROTO_TCP && s->h && s->state == RSOCK_CONNECTED &&
        oriel_getopt(s->run->stack, s->h, ORIEL_OPT_MAXSEG, &v) == 0)
        return (int)v;
    int value = value_of(s, o);
    return value < 0 && o->oriel != NONE ? o->def : value;
}

/* A number; false: this option is none. */
static bool get_number(struct rsock *s, struct run_request *r, int *value)
{
    int level = (int)r->arg[1], name = (int)r->arg[2];
    bool datagram = s->state == RSOCK_DATAGRAM;
    const struct row *o = row_of(s, level, name);
    if (level == SOL_SOCKET && name == SO_TYPE)
        *value = datagram ? SOCK_DGRAM : SOCK_STREAM;
    else if (level == SOL_SOCKET && name == SO_DOMAIN)
        *value = s->v6 ? AF_INET6 : AF_INET;
    else if (level == SOL_SOCKET && name == SO_PROTOCOL)
        *value = s->ping ? (s->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) : datagram ? IPPROTO_UDP : IPPROTO_TCP;
    else if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
        *value = s->state == RSOCK_LISTENING;
    else if (level == SOL_SOCKET && name == SO_ERROR)
        *value = take_error(s, r);
    else if ((level == IPPROTO_IP && name == IP_MTU) || (level == IPPROTO_IPV6 && name == IPV6_MTU))
        *value = mtu_of(s);
    else if (o)
        *value = get_row(s, o);
    else
        return false;
    return true;
}

static int get_info(struct rsock *s)
{
    struct oriel_tcp_info i = {.state = ORIEL_TCP_CLOSED};
    if (s->h && oriel_tcp_info(s->run->stack, s->h, &i) < 0)
        i = (struct oriel_tcp_info){.state = ORIEL_TCP_CLOSED};
    return (int)px_tcp_info(&i, s->run->buf, RSOCK_BUFFER);
}

/* The value's bytes into n->buf: their number, or a negative errno. */
static int get_bytes(struct rsock *s, struct run_request *r)
{
    struct run *n = s->run;
    int level = (int)r->arg[1], name = (int)r->arg[2];
    bool stream = s->state != RSOCK_DATAGRAM;
    if (level == SOL_SOCKET && name == SO_LINGER) {
        bool on = s->linger_s >= 0;
        struct linger l = {.l_onoff = on, .l_linger = on ? (int)s->linger_s : 0};
        memcpy(n->buf, &l, sizeof(l));
        return (int)sizeof(l);
    }
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO)) {
        socklen_t len = sizeof(struct timeval);
        return getsockopt(r->dup, level, name, n->buf, &len) != 0 ? -errno : (int)len;
    }
    if (level == SOL_SOCKET && name == SO_PEERCRED) {
        struct ucred nobody = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};
        memcpy(n->buf, &nobody, sizeof(nobody));
        return (int)sizeof(nobody);
    }
    if (level == SOL_SOCKET && name == SO_BINDTODEVICE)
        return 0;                       /* to none */
    if (stream && level == IPPROTO_TCP && name == TCP_INFO)
        return get_info(s);
    if (stream && level == IPPROTO_TCP && name == TCP_CONGESTION) {
        int64_t kind = 1;
        if (s->h)
            (void)!oriel_getopt(n->stack, s->h, ORIEL_OPT_CONGESTION, &kind);
        const char *is = oriel_congestion_name((int)kind);
        memset(n->buf, 0, sizeof(s->congestion));
        if (is)
            memcpy(n->buf, is, strlen(is));
        return (int)sizeof(s->congestion);
    }
    if (stream && level == IPPROTO_TCP && name == TCP_ULP)
        return 0;
    bool known = level == SOL_SOCKET || level == (stream ? IPPROTO_TCP : IPPROTO_UDP) ||
                 level == IPPROTO_IP || (s->v6 && level == IPPROTO_IPV6);
    return known ? -ENOPROTOOPT : -EOPNOTSUPP;
}

void ropt_call_get(struct rsock *s, struct run_request *r)
{
    int value, len = 0, has = (int)sizeof(value);
    const void *from = &value;
    if ((int)r->arg[1] == SOL_SOCKET && (int)r->arg[2] == SO_COOKIE)
        return r->asker->native(r);
    if (!r->asker->read(r, r->arg[4], &len, sizeof(len)))
        return r->asker->answer(r, -EFAULT);
    if (len < 0)
        return r->asker->answer(r, -EINVAL);
    if (!get_number(s, r, &value)) {
        has = get_bytes(s, r);
        from = s->run->buf;
        value = 0;
    }
    bool mtu = (int)r->arg[1] == IPPROTO_IP ? (int)r->arg[2] == IP_MTU
                                            : (int)r->arg[1] == IPPROTO_IPV6 && (int)r->arg[2] == IPV6_MTU;
    if (has < 0 || (mtu && value < 0))
        return r->asker->answer(r, has < 0 ? has : value);
    has = len < has ? len : has;
    bool ok = r->asker->write(r, r->arg[3], from, (size_t)has) &&
              r->asker->write(r, r->arg[4], &has, sizeof(has));
    r->asker->answer(r, ok ? 0 : -EFAULT);
}
