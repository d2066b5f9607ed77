/*
 * sendmsg and recvmsg of datagrams, one and many, with what is told beside the bytes: where it came in, how
 * long it had to live, when, and what ICMP said (the error queue).
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <string.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#define IOV_MOST     1024
#define CONTROL_MOST 1024
#define BATCH_MOST   1024
#define IFINDEX      2              /* of the program's one interface, as it is told: loopback is 1 */

struct message {
    struct msghdr h;                /* as the program has it: pointers are its own */
    struct iovec v[IOV_MOST];
};

static int read_message(struct run_request *r, uint64_t from, struct message *m)
{
    if (!r->asker->read(r, from, &m->h, sizeof(m->h)))
        return -EFAULT;
    if (m->h.msg_iovlen > IOV_MOST)
        return -EMSGSIZE;
    if (!r->asker->read(r, (uint64_t)(uintptr_t)m->h.msg_iov, m->v, m->h.msg_iovlen * sizeof(m->v[0])))
        return -EFAULT;
    return 0;
}

static uint64_t address(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* ---- sending ---- */

/* The source to use; loopback is not an address of the way out. */
static void use_source(struct oriel_msg *m, struct oriel_addr a)
{
    if (!addr_is_loopback(&a) && !addr_is_unspecified(&a))
        m->local = a;
}

static void take_control(const struct cmsghdr *c, struct oriel_msg *m)
{
    const void *data = CMSG_DATA(c);
    size_t len = c->cmsg_len - CMSG_LEN(0);
    int value = 0;
    memcpy(&value, data, len < sizeof(value) ? len : sizeof(value));
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && len >= sizeof(struct in_pktinfo)) {
        struct in_pktinfo i;
        memcpy(&i, data, sizeof(i));
        use_source(m, addr_v4(ntohl(i.ipi_spec_dst.s_addr)));
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
               len >= sizeof(struct in6_pktinfo)) {
        struct in6_pktinfo i;
        memcpy(&i, data, sizeof(i));
        use_source(m, raddr_of_in6(&i.ipi6_addr));
    } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
               (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT)) {
        m->ttl = (uint8_t)value;
    } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
               (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
        m->tos = (uint8_t)value;
    }
}

static int read_control(struct run_request *r, const struct msghdr *h, struct oriel_msg *m)
{
    _Alignas(struct cmsghdr) uint8_t buf[CONTROL_MOST];
    struct msghdr own = {.msg_control = buf, .msg_controllen = h->msg_controllen};
    if (h->msg_controllen > sizeof(buf))
        return -ENOBUFS;
    if (!r->asker->read(r, address(h->msg_control), buf, h->msg_controllen))
        return -EFAULT;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&own); c; c = CMSG_NXTHDR(&own, c))
        if (c->cmsg_len >= CMSG_LEN(0) && c->cmsg_len <= h->msg_controllen)
            take_control(c, m);
    return 0;
}

static int send_one(struct rsock *s, struct run_request *r, uint64_t at)
{
    struct message m;
    struct oriel_endpoint to;
    struct oriel_msg more = {0};
    bool unspec = true;
    size_t n = 0;
    int err = read_message(r, at, &m);
    if (!err && m.h.msg_name)
        err = raddr_read(r, s, address(m.h.msg_name), m.h.msg_namelen, &to, &unspec);
    if (!err && m.h.msg_controllen)
        err = read_control(r, &m.h, &more);
    for (size_t i = 0; i < m.h.msg_iovlen && !err; i++) {
        if (m.v[i].iov_len > RSOCK_BUFFER - n)
            err = -EMSGSIZE;
        else if (!r->asker->read(r, address(m.v[i].iov_base), s->run->buf + n, m.v[i].iov_len))
            err = -EFAULT;
        n += m.v[i].iov_len;
    }
    if (err)
        return err;
    bool has_to = !unspec || (s->peer_set && m.h.msg_controllen);
    if (unspec && has_to)
        to = s->asked;
    return rudp_send_now(s, s->run->buf, n, has_to ? &to : NULL, &more);
}

void rmsg_call_sendmsg(struct rsock *s, struct run_request *r)
{
    rudp_drain(s);
    r->asker->answer(r, send_one(s, r, r->arg[1]));
}

void rmsg_call_sendmmsg(struct rsock *s, struct run_request *r)
{
    unsigned most = (unsigned)r->arg[2] < BATCH_MOST ? (unsigned)r->arg[2] : BATCH_MOST, i = 0;
    int k = 0;
    rudp_drain(s);
    for (; i < most; i++) {
        uint64_t at = r->arg[1] + i * sizeof(struct mmsghdr);
        k = send_one(s, r, at);
        unsigned len = k > 0 ? (unsigned)k : 0;
        if (k < 0 || !r->asker->write(r, at + offsetof(struct mmsghdr, msg_len), &len, sizeof(len)))
            break;
    }
    r->asker->answer(r, i > 0 ? (int64_t)i : k);
}

/* ---- receiving ---- */

struct control {
    _Alignas(struct cmsghdr) uint8_t buf[CONTROL_MOST];
    size_t n, room;
    bool cut;
};

static void put(struct control *c, int level, int type, const void *data, size_t len)
{
    size_t left = c->room - c->n;
    if (left < CMSG_LEN(len) || c->n + CMSG_SPACE(len) > sizeof(c->buf)) {
        c->cut = true;
        return;
    }
    struct cmsghdr h = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};
    memset(c->buf + c->n, 0, CMSG_SPACE(len));
    memcpy(c->buf + c->n, &h, sizeof(h));
    memcpy(c->buf + c->n + CMSG_LEN(0), data, len);
    c->n += CMSG_SPACE(len) < left ? CMSG_SPACE(len) : left;
}

static void put_times(const struct rsock *s, struct control *c)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    struct timeval v = {.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
    if (ropt_is_on(s, SOL_SOCKET, SO_TIMESTAMPNS))
        put(c, SOL_SOCKET, SO_TIMESTAMPNS, &t, sizeof(t));
    else if (ropt_is_on(s, SOL_SOCKET, SO_TIMESTAMP))
        put(c, SOL_SOCKET, SO_TIMESTAMP, &v, sizeof(v));
}

static struct oriel_addr local_of(const struct rsock *s, const struct rsock_meta *m)
{
    struct oriel_endpoint own = rsock_local(s);
    return s->loops && !addr_is_unspecified(&own.addr) ? own.addr : m->local;
}

static void put_v4(const struct rsock *s, const struct rsock_meta *m, struct control *c)
{
    int ttl = m->ttl;
    struct oriel_addr local = local_of(s, m);
    if (ropt_is_on(s, IPPROTO_IP, IP_PKTINFO)) {
        struct in_pktinfo i = {.ipi_ifindex = addr_is_loopback(&local) ? 1 : IFINDEX,
                               .ipi_spec_dst.s_addr = htonl(addr_to_v4(&local)),
                               .ipi_addr.s_addr = htonl(addr_to_v4(&local))};
        put(c, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i));
    }
    if (ropt_is_on(s, IPPROTO_IP, IP_RECVTTL))
        put(c, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
    if (ropt_is_on(s, IPPROTO_IP, IP_RECVTOS))
        put(c, IPPROTO_IP, IP_TOS, &m->tos, sizeof(m->tos));
}

static void put_v6(const struct rsock *s, const struct rsock_meta *m, struct control *c)
{
    int hops = m->ttl, class = m->tos;
    struct sockaddr_storage sa;
    struct oriel_endpoint local = {.addr = local_of(s, m)};
    (void)raddr_to(s, &local, &sa);
    if (ropt_is_on(s, IPPROTO_IPV6, IPV6_RECVPKTINFO)) {
        struct in6_pktinfo i = {.ipi6_addr = ((struct sockaddr_in6 *)&sa)->sin6_addr,
                                .ipi6_ifindex = addr_is_loopback(&local.addr) ? 1 : IFINDEX};
        put(c, IPPROTO_IPV6, IPV6_PKTINFO, &i, sizeof(i));
    }
    if (ropt_is_on(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT))
        put(c, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
    if (ropt_is_on(s, IPPROTO_IPV6, IPV6_RECVTCLASS))
        put(c, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
}

/* Name, control and flags go back; the bytes were written. */
static int write_message(struct rsock *s, struct run_request *r, uint64_t at, struct message *m,
                         const struct oriel_endpoint *from, const struct control *c, int flags)
{
    struct sockaddr_storage sa;
    socklen_t len = 0;
    if (m->h.msg_name) {
        len = raddr_to(s, from, &sa);
        socklen_t fits = len < m->h.msg_namelen ? len : m->h.msg_namelen;
        if (!r->asker->write(r, address(m->h.msg_name), &sa, fits))
            return -EFAULT;
    }
    if (!r->asker->write(r, address(m->h.msg_control), c->buf, c->n))
        return -EFAULT;
    m->h.msg_namelen = len;
    m->h.msg_controllen = c->n;
    m->h.msg_flags = flags | (c->cut ? MSG_CTRUNC : 0);
    return r->asker->write(r, at, &m->h, sizeof(m->h)) ? 0 : -EFAULT;
}

/* n bytes of run->buf into its pieces: how many fitted, or -EFAULT. */
static int64_t scatter(struct rsock *s, struct run_request *r, const struct message *m, size_t n)
{
    size_t done = 0;
    for (size_t i = 0; i < m->h.msg_iovlen && done < n; i++) {
        size_t part = m->v[i].iov_len < n - done ? m->v[i].iov_len : n - done;
        if (!r->asker->write(r, address(m->v[i].iov_base), s->run->buf + done, part))
            return -EFAULT;
        done += part;
    }
    return (int64_t)done;
}

static int64_t take_error_queue(struct rsock *s, struct run_request *r, uint64_t at, struct message *m)
{
    struct oriel_error_info e;
    struct control c = {.room = m->h.msg_control ? m->h.msg_controllen : 0};
    if (oriel_last_error(s->run->stack, s->h, &e) != 0 || e.count <= s->errors_told)
        return -EAGAIN;
    s->errors_told = e.count;
    bool v4 = addr_is_v4(&e.to.addr);
    struct {
        struct sock_extended_err err;
        struct sockaddr_storage offender;
    } x = {.err = {.ee_errno = (uint32_t)-rsock_errno(e.err), .ee_info = e.mtu, .ee_type = e.icmp_type,
                   .ee_code = e.icmp_code,
                   .ee_origin = !e.from_net ? SO_EE_ORIGIN_LOCAL
                                : v4        ? SO_EE_ORIGIN_ICMP
                                            : SO_EE_ORIGIN_ICMP6}};
    struct oriel_endpoint offender = {.addr = e.from}, to = raddr_unroute(s, &e.to);
    socklen_t len = raddr_to(s, &offender, &x.offender);
    put(&c, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &x, sizeof(x.err) + len);
    return write_message(s, r, at, m, &to, &c, MSG_ERRQUEUE);
}

/* -EAGAIN: nothing is there. */
static int64_t recv_one(struct rsock *s, struct run_request *r, uint64_t at, int flags)
{
    struct message m;
    struct rsock_meta meta;
    int err = read_message(r, at, &m);
    if (err)
        return err;
    if (flags & MSG_ERRQUEUE)
        return take_error_queue(s, r, at, &m);
    int k = rudp_take(s, r->dup, flags, &meta);
    if (k < 0)
        return k;
    struct control c = {.room = m.h.msg_control ? m.h.msg_controllen : 0};
    int64_t fits = scatter(s, r, &m, (size_t)k);
    if (fits < 0)
        return fits;
    put_times(s, &c);
    if (addr_is_v4(&meta.from.addr))
        put_v4(s, &meta, &c);
    if (s->v6)
        put_v6(s, &meta, &c);
    err = write_message(s, r, at, &m, &meta.from, &c, fits < k ? MSG_TRUNC : 0);
    return err ? err : flags & MSG_TRUNC ? k : fits;
}

static void restage(struct rsock *s)
{
    if (!s->restage)
        return;
    s->restage = false;
    rudp_stage(s);
}

void rmsg_call_recvmsg(struct rsock *s, struct run_request *r)
{
    int flags = (int)r->arg[2];
    int64_t k = recv_one(s, r, r->arg[1], flags);
    if (k == -EAGAIN && !(flags & MSG_ERRQUEUE))
        return rudp_wait(s, r, flags);
    r->asker->answer(r, k);
    restage(s);
}

void rmsg_call_recvmmsg(struct rsock *s, struct run_request *r)
{
    unsigned most = (unsigned)r->arg[2] < BATCH_MOST ? (unsigned)r->arg[2] : BATCH_MOST, i = 0;
    int flags = (int)r->arg[3] & ~MSG_WAITFORONE;
    int64_t k = 0;
    for (; i < most; i++) {
        uint64_t at = r->arg[1] + i * sizeof(struct mmsghdr);
        k = recv_one(s, r, at, flags);
        unsigned len = k > 0 ? (unsigned)k : 0;
        if (k < 0 || !r->asker->write(r, at + offsetof(struct mmsghdr, msg_len), &len, sizeof(len)))
            break;
        restage(s);
    }
    if (i == 0 && k == -EAGAIN && !(flags & MSG_ERRQUEUE))
        return rudp_wait(s, r, flags);
    r->asker->answer(r, i > 0 ? (int64_t)i : k);
}
