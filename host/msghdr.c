/* Pieces, addresses and control messages, between the system's layout and lab/posix.h. */
#define _GNU_SOURCE
#include "host/msghdr.h"

#include <netinet/in.h>

/* ---- pieces ---- */

size_t iov_total(const struct iovec *iov, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count && n <= IOV_TOTAL_MAX; i++)
        n += iov[i].iov_len < IOV_TOTAL_MAX ? iov[i].iov_len : IOV_TOTAL_MAX + 1;
    return n;
}

void iov_gather(uint8_t *to, const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > 0)
            memcpy(to, iov[i].iov_base, iov[i].iov_len);
        to += iov[i].iov_len;
    }
}

void iov_scatter(const uint8_t *from, size_t n, const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count && n > 0; i++) {
        size_t k = iov[i].iov_len < n ? iov[i].iov_len : n;
        if (k > 0 && iov[i].iov_base)
            memcpy(iov[i].iov_base, from, k);
        from += k;
        n -= k;
    }
}

/* ---- addresses ---- */

void sockaddr_give(const struct oriel_endpoint *e, bool v6, struct sockaddr *addr, socklen_t *len)
{
    uint8_t bytes[PX_SOCKADDR_MAX];
    if (!addr || !len)
        return;
    size_t n = px_sockaddr_emit(e, v6, bytes);
    memcpy(addr, bytes, *len < n ? *len : n);
    *len = (socklen_t)n;
}

/* ---- control messages ---- */

static bool put_cmsg(struct msghdr *m, struct cmsghdr **at, int level, int type, const void *data,
                     size_t n)
{
    if (!*at || (size_t)((uint8_t *)m->msg_control + m->msg_controllen - (uint8_t *)*at) <
                    CMSG_SPACE(n)) {
        m->msg_flags |= MSG_CTRUNC;
        return false;
    }
    (*at)->cmsg_level = level;
    (*at)->cmsg_type = type;
    (*at)->cmsg_len = CMSG_LEN(n);
    memcpy(CMSG_DATA(*at), data, n);
    *at = (struct cmsghdr *)((uint8_t *)*at + CMSG_SPACE(n));
    return true;
}

/* struct sock_extended_err and the address of who complained. */
static void put_error(struct msghdr *m, struct cmsghdr **at, const struct px_io *io, bool six)
{
    uint8_t bytes[16 + PX_SOCKADDR_MAX] = {0};
    uint32_t number = (uint32_t)px_errno_of(io->error.err), info = io->error.mtu;
    struct oriel_endpoint from = {.addr = io->error.from};
    memcpy(bytes, &number, 4);
    bytes[4] = !io->error.from_net ? 1 : six ? 3 : 2;
    bytes[5] = io->error.icmp_type;
    bytes[6] = io->error.icmp_code;
    memcpy(bytes + 8, &info, 4);
    size_t n = 16 + px_sockaddr_emit(&from, six, bytes + 16);
    (void)put_cmsg(m, at, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, bytes,
                   n);
}

void msghdr_give(struct msghdr *m, const struct px_io *io, const struct px_file *file)
{
    uint32_t want = file->cmsg;
    bool six = file->v6 && !addr_is_v4(&io->peer.addr), stream = file->kind == PX_TCP;
    struct cmsghdr *at = m->msg_control && m->msg_controllen > 0 ? m->msg_control : NULL;
    int32_t ttl = io->ttl, inq = (int32_t)io->inq, tos = io->tos;
    uint8_t tos4 = io->tos;
    m->msg_flags = (int)io->out_flags;
    if ((want & PX_CMSG_INQ) && stream)
        (void)put_cmsg(m, &at, IPPROTO_TCP, 36, &inq, sizeof inq);
    if ((want & PX_CMSG_TTL) && !stream)
        (void)put_cmsg(m, &at, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_HOPLIMIT : IP_TTL, &ttl,
                       sizeof ttl);
    if ((want & PX_CMSG_TOS) && !stream && six)
        (void)put_cmsg(m, &at, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    if ((want & PX_CMSG_TOS) && !stream && !six)
        (void)put_cmsg(m, &at, IPPROTO_IP, IP_TOS, &tos4, sizeof tos4);
    if (io->out_flags & PX_MSG_ERRQUEUE)
        put_error(m, &at, io, six);
    m->msg_controllen = at ? (size_t)((uint8_t *)at - (uint8_t *)m->msg_control) : 0;
}

static uint8_t cmsg_byte(const struct cmsghdr *c)
{
    int32_t word = 0;
    memcpy(&word, CMSG_DATA(c), c->cmsg_len >= CMSG_LEN(sizeof word) ? sizeof word : 1);
    return (uint8_t)word;
}

void msghdr_take(const struct msghdr *msg, struct px_io *io)
{
    struct msghdr m = *msg;
    for (struct cmsghdr *c = m.msg_control ? CMSG_FIRSTHDR(&m) : NULL; c; c = CMSG_NXTHDR(&m, c)) {
        bool six = c->cmsg_level == IPPROTO_IPV6;
        bool tos = c->cmsg_type == (six ? IPV6_TCLASS : IP_TOS);
        bool ttl = c->cmsg_type == (six ? IPV6_HOPLIMIT : IP_TTL);
        if (c->cmsg_level != IPPROTO_IP && !six)
            continue;
        io->has_tos = io->has_tos || tos;
        io->has_ttl = io->has_ttl || ttl;
        io->tos = tos ? cmsg_byte(c) : io->tos;
        io->ttl = ttl ? cmsg_byte(c) : io->ttl;
    }
}
