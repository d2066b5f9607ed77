/*
 * Ping sockets, datagram sockets of IPPROTO_ICMP, as the kernel has them: a datagram is a message from its type on.
 * They send echo requests and hear the answers to their own; the port of the socket is the identifier, put into what it
 * sends. Who may have one is not asked: what leaves the host is sent by the gateway, and that is asked there.
 */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"

#include <errno.h>
#include <sys/random.h>

#define ECHO_LEN    8               /* of type, code, checksum, identifier, number */
#define ID_AT       4
#define TRIES_MAX   64

static bool is_taken(const struct run *n, uint16_t id)
{
    for (unsigned i = 0; i < RUN_SOCKS_MAX; i++)
        if (n->slots[i] && n->slots[i]->ping && n->slots[i]->port == id)
            return true;
    return false;
}

int rping_bind(struct rsock *s, uint16_t id)
{
    for (unsigned i = 0; id == 0 && i < TRIES_MAX; i++)
        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id) || is_taken(s->run, id))
            id = 0;
    if (id == 0 || is_taken(s->run, id))
        return -EADDRINUSE;
    s->port = id;
    return 0;
}

int rping_send(struct rsock *s, uint8_t *data, size_t len, const struct oriel_endpoint *to,
               const struct oriel_msg *more)
{
    struct oriel_msg m = more ? *more : (struct oriel_msg){0};
    struct rd r = rd_of(span_of(data, len));
    uint8_t type = rd_u8(&r), code = rd_u8(&r);
    if (len < ECHO_LEN || code != 0 || type != (s->v6 ? ICMP6_ECHO : ICMP4_ECHO))
        return -EINVAL;
    int err = s->port ? 0 : rping_bind(s, 0);
    if (err)
        return err;
    struct wr w = wr_of(data, len);
    (void)wr_room(&w, len);
    wr_patch_u16(&w, ID_AT, s->port);
    if (to) {
        m.peer.addr = to->addr;
        s->asked = *to;
    }
    int k = oriel_send(s->run->stack, s->h, data, len, &m);
    s->run->dirty = true;
    return k == ORIEL_EAGAIN || k == ORIEL_ENOBUFS ? (int)len : k < 0 ? rsock_errno(k) : k;
}

bool rping_is_answer(const struct rsock *s, const uint8_t *data, size_t len)
{
    struct rd r = rd_of(span_of(data, len));
    uint8_t type = rd_u8(&r);
    rd_skip(&r, ID_AT - 1);
    return rd_u16(&r) == s->port && !r.bad && type == (s->v6 ? ICMP6_ECHO_REPLY : ICMP4_ECHO_REPLY);
}

int rping_error(struct rsock *s)
{
    struct oriel_error_info e;
    if (oriel_last_error(s->run->stack, s->h, &e) != 0 || e.count <= s->errors_told ||
        !addr_same_bits(&e.to.addr, &s->asked.addr))
        return 0;
    s->errors_told = e.count;
    return -rsock_errno(e.err);
}
