/* Handles, their life, and readiness. What a call does is the endpoint's. */
#include "sock/sock.h"

#define GENERATION_MASK ((1u << (32 - SOCK_SLOT_BITS)) - 1)

bool socks_init(struct socks *ss, struct env *env, struct ip *ip, struct udp *udp, struct arena *a,
                uint32_t max)
{
    *ss = (struct socks){.env = env, .ip = ip, .udp = udp};
    list_init(&ss->raws);
    list_init(&ss->ready);
    if (max > SOCKS_MAX - 1)
        max = SOCKS_MAX - 1;
    uint32_t raws = max / 16 + 4;
    if (!pool_init(&ss->pool, "sockets", a, sizeof(struct sock), max) ||
        !pool_init(&ss->raw_pool, "raw", a, sizeof(struct raw_pcb), raws))
        return false;
    return true;
}

oriel_handle sock_handle(const struct socks *ss, const struct sock *s)
{
    return ((uint32_t)s->generation << SOCK_SLOT_BITS) | (pool_index(&ss->pool, s) + 1);
}

static struct raw_pcb *raw_new(struct socks *ss, uint8_t family, uint32_t member)
{
    struct raw_pcb *c = pool_get_zeroed(&ss->raw_pool);
    if (!c)
        return NULL;
    c->family = family;
    c->member = member;
    c->remote = c->local = ADDR_NONE;
    c->mcast_ttl = 1;
    c->rcv_max = UDP_RCVBUF_DEFAULT;
    list_push_back(&ss->raws, &c->node);
    return c;
}

/* Counted over all slots: one that is used again has another for the next 4,094 sockets. */
static uint16_t next_generation(struct socks *ss)
{
    ss->generation = (uint16_t)(ss->generation % GENERATION_MASK + 1);
    return ss->generation;
}

int sock_open(struct socks *ss, enum sock_kind kind, enum oriel_family family, oriel_handle *out)
{
    if (family != ORIEL_IP4 && family != ORIEL_IP6 && family != ORIEL_DUAL)
        return ORIEL_EAFNOSUPPORT;
    if (kind == SOCK_ICMP && family == ORIEL_DUAL)
        return ORIEL_EAFNOSUPPORT;
    struct sock *s = pool_get_zeroed(&ss->pool);
    if (!s)
        return ORIEL_ENOBUFS;
    s->kind = (uint8_t)kind;
    s->generation = next_generation(ss);
    oriel_handle h = sock_handle(ss, s);
    if (kind == SOCK_UDP)
        s->udp = udp_new(ss->udp, (uint8_t)family, h);
    else
        s->raw = raw_new(ss, (uint8_t)family, h);
    if (!s->udp) {
        pool_put(&ss->pool, s);
        return ORIEL_ENOBUFS;
    }
    *out = h;
    return 0;
}

int sock_close(struct socks *ss, oriel_handle h)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (s->kind == SOCK_UDP)
        udp_free(ss->udp, s->udp);
    else
        raw_free(ss, s->raw);
    if (list_on(&s->ready))
        list_remove(&s->ready);
    s->kind = SOCK_FREE;
    pool_put(&ss->pool, s);
    return 0;
}

void socks_fini(struct socks *ss)
{
    for (uint32_t i = 0; i < ss->pool.fresh; i++) {
        if (!pool_is_live(&ss->pool, i))
            continue;
        struct sock *s = pool_at(&ss->pool, i);
        int err = sock_close(ss, sock_handle(ss, s));
        ORIEL_ASSERT(err == 0);
    }
}

int sock_bind(struct socks *ss, oriel_handle h, const struct oriel_endpoint *local)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (s->kind == SOCK_UDP)
        return udp_bind(ss->udp, s->udp, local);
    const struct ifaddr *a = ifaddr_find(ss->ip, &local->addr, 0);
    if (!addr_is_unspecified(&local->addr) && (!a || !ifaddr_usable(a)))
        return ORIEL_EADDRNOTAVAIL;
    s->raw->local = addr_is_unspecified(&local->addr) ? ADDR_NONE : local->addr;
    return 0;
}

int sock_connect(struct socks *ss, oriel_handle h, const struct oriel_endpoint *remote)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (s->kind == SOCK_UDP)
        return udp_connect(ss->udp, s->udp, remote);
    bool v4 = addr_is_v4(&remote->addr), undo = addr_is_unspecified(&remote->addr);
    if (!undo && v4 != (s->raw->family == ORIEL_IP4))
        return ORIEL_EAFNOSUPPORT;
    s->raw->remote = undo ? ADDR_NONE : remote->addr;
    return 0;
}

int sock_recv(struct socks *ss, oriel_handle h, void *buf, size_t cap, struct oriel_msg *msg)
{
    struct sock *s = sock_of(ss, h);
    if (oriel_unlikely(!s))
        return ORIEL_EBADF;
    return s->kind == SOCK_UDP ? udp_recv(ss->udp, s->udp, buf, cap, msg)
                               : raw_recv(ss, s->raw, buf, cap, msg);
}

uint32_t sock_ready(const struct sock *s)
{
    if (s->kind == SOCK_UDP)
        return udp_ready(s->udp);
    return (s->raw->rcv.n > 0 ? ORIEL_READABLE : 0u) | ORIEL_WRITABLE |
           (s->raw->error ? ORIEL_FAILED : 0u);
}

/* ---- readiness ---- */

static void news(struct socks *ss, struct sock *s)
{
    uint32_t now = sock_ready(s) & ~(uint32_t)ORIEL_WRITABLE;
    if (now == 0)
        return;
    TRACE(ss->env, EV_READY, sock_handle(ss, s), now);
    if (!list_on(&s->ready))
        list_push_back(&ss->ready, &s->ready);
}

void socks_publish(struct socks *ss)
{
    for (struct udp_pcb *c; (c = udp_dirty_pop(ss->udp)) != NULL;) {
        struct sock *s = sock_of(ss, c->member);
        ORIEL_ASSERT(s != NULL);
        news(ss, s);
    }
    LIST_EACH(node, &ss->raws) {
        struct raw_pcb *c = CONTAINER_OF(node, struct raw_pcb, node);
        if (!c->dirty)
            continue;
        c->dirty = false;
        news(ss, sock_of(ss, c->member));
    }
}

unsigned socks_ready_take(struct socks *ss, struct oriel_readiness out[], unsigned max)
{
    unsigned n = 0;
    while (n < max && !list_empty(&ss->ready)) {
        struct sock *s = CONTAINER_OF(list_first(&ss->ready), struct sock, ready);
        list_remove(&s->ready);
        uint32_t events = sock_ready(s);
        if (!(events & ~(uint32_t)ORIEL_WRITABLE))
            continue;           /* read in the meantime */
        out[n++] = (struct oriel_readiness){.handle = sock_handle(ss, s), .events = events};
    }
    return n;
}
