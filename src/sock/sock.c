/* Handles, their life, and readiness. What a call does is the endpoint's. */
#include "sock/sock.h"

#define RAWS_MAX 4096

bool socks_init(struct socks *ss, struct env *env, struct ip *ip, struct udp *udp, struct tcp *tcp,
                struct arena *a, uint32_t max)
{
    *ss = (struct socks){.env = env, .ip = ip, .udp = udp, .tcp = tcp};
    list_init(&ss->raws);
    list_init(&ss->ready);
    for (unsigned i = 0; i < SOCK_BOUND_BUCKETS; i++)
        ss->bound[i] = TCP_NONE;
    if (max > SOCKS_MAX - 1)
        max = SOCKS_MAX - 1;
    uint32_t raws = max / 16 + 4 < RAWS_MAX ? max / 16 + 4 : RAWS_MAX;
    if (!pool_init(&ss->pool, "sockets", a, sizeof(struct sock), max) ||
        !pool_init(&ss->raw_pool, "raw", a, sizeof(struct raw_pcb), raws))
        return false;
    return true;
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

/* Counted over all slots: one that is used again has another for the next 65,534 sockets. */
static uint16_t next_generation(struct socks *ss)
{
    ss->generation = (uint16_t)(ss->generation % UINT16_MAX + 1);
    return ss->generation;
}

struct sock *sock_take(struct socks *ss, enum sock_kind kind, enum oriel_family family)
{
    struct sock *s = pool_get_zeroed(&ss->pool);
    if (!s)
        return NULL;
    s->kind = (uint8_t)kind;
    s->family = (uint8_t)family;
    s->generation = next_generation(ss);
    return s;
}

void sock_give_back(struct socks *ss, struct sock *s)
{
    if (list_on(&s->ready))
        list_remove(&s->ready);
    s->kind = SOCK_FREE;
    pool_put(&ss->pool, s);
}

static int open_endpoint(struct socks *ss, struct sock *s)
{
    uint32_t name = sock_name(ss, s);
    if (sock_is_stream(s))
        return stream_open(ss, s);
    if (s->kind == SOCK_UDP)
        s->udp = udp_new(ss->udp, s->family, name);
    else
        s->raw = raw_new(ss, s->family, name);
    return s->udp ? 0 : ORIEL_ENOBUFS;
}

int sock_open(struct socks *ss, enum sock_kind kind, enum oriel_family family, oriel_handle *out)
{
    if (family != ORIEL_IP4 && family != ORIEL_IP6 && family != ORIEL_DUAL)
        return ORIEL_EAFNOSUPPORT;
    if (kind == SOCK_ICMP && family == ORIEL_DUAL)
        return ORIEL_EAFNOSUPPORT;
    struct sock *s = sock_take(ss, kind, family);
    if (!s)
        return ORIEL_ENOBUFS;
    int err = open_endpoint(ss, s);
    if (err)
        sock_give_back(ss, s);
    else
        *out = sock_handle(ss, s);
    return err;
}

int sock_close(struct socks *ss, oriel_handle h)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (s->kind == SOCK_UDP)
        udp_free(ss->udp, s->udp);
    else if (s->kind == SOCK_ICMP)
        raw_free(ss, s->raw);
    else
        stream_close(ss, s, false);
    sock_give_back(ss, s);
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
    if (sock_is_stream(s))
        return stream_bind(ss, s, local);
    if (!addr_is_unspecified(&local->addr) && !s->raw->any_addr && !ip_is_own(ss->ip, &local->addr))
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
    if (sock_is_stream(s))
        return stream_connect(ss, s, remote);
    bool v4 = addr_is_v4(&remote->addr), undo = addr_is_unspecified(&remote->addr);
    if (!undo && v4 != (s->raw->family == ORIEL_IP4))
        return ORIEL_EAFNOSUPPORT;
    s->raw->remote = undo ? ADDR_NONE : remote->addr;
    return 0;
}

int sock_local(const struct socks *ss, oriel_handle h, struct oriel_endpoint *out)
{
    const struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (sock_is_stream(s))
        *out = stream_local(s);
    else
        *out = s->kind == SOCK_UDP ? udp_local(ss->udp, s->udp) : (struct oriel_endpoint){.addr = s->raw->local};
    return 0;
}

int sock_remote(const struct socks *ss, oriel_handle h, struct oriel_endpoint *out)
{
    const struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (sock_is_stream(s))
        *out = stream_remote(s);
    else
        *out = s->kind == SOCK_UDP ? s->udp->remote
                                   : (struct oriel_endpoint){.addr = s->raw->remote};
    return 0;
}

int sock_recv(struct socks *ss, oriel_handle h, void *buf, size_t cap, struct oriel_msg *msg)
{
    struct sock *s = sock_of(ss, h);
    if (oriel_unlikely(!s))
        return ORIEL_EBADF;
    if (s->kind == SOCK_UDP)
        return udp_recv(ss->udp, s->udp, buf, cap, msg);
    return s->kind == SOCK_ICMP ? raw_recv(ss, s->raw, buf, cap, msg)
                                : stream_recv(ss, s, buf, cap, msg);
}

/* Of a stream only the number is kept. */
static int stream_last_error(const struct sock *s, struct oriel_error_info *out)
{
    int err = s->kind == SOCK_TCP ? s->conn->soft_error : 0;
    if (err == 0 && s->kind == SOCK_TCP)
        err = s->conn->error;
    if (err == 0)
        return ORIEL_ENOENT;
    *out = (struct oriel_error_info){.err = err, .from_net = s->conn->soft_error != 0,
                                     .to = stream_remote(s), .count = 1};
    return 0;
}

int sock_last_error(const struct socks *ss, oriel_handle h, struct oriel_error_info *out)
{
    const struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (sock_is_stream(s))
        return stream_last_error(s, out);
    const struct udp_error *e = s->kind == SOCK_UDP ? &s->udp->last : &s->raw->last;
    if (e->count == 0)
        return ORIEL_ENOENT;
    *out = (struct oriel_error_info){.err = e->err, .icmp_type = e->icmp_type,
                                     .icmp_code = e->icmp_code, .from_net = e->from_net,
                                     .from = e->from, .to = e->to, .mtu = e->mtu,
                                     .count = e->count};
    return 0;
}

/* ---- readiness ---- */

uint32_t sock_ready(const struct socks *ss, const struct sock *s)
{
    if (s->kind == SOCK_UDP)
        return udp_ready(s->udp);
    if (sock_is_stream(s))
        return stream_ready(ss, s);
    return (s->raw->rcv.n > 0 ? ORIEL_READABLE : 0u) | ORIEL_WRITABLE |
           (s->raw->error ? ORIEL_FAILED : 0u);
}

/*
 * Datagrams can always be written; that is no news. Of a stream it is when it was not so before: it
 * just connected, or was refused for want of room.
 */
static uint32_t worth_telling(struct sock *s, uint32_t events)
{
    uint32_t tell = events & ~(uint32_t)ORIEL_WRITABLE;
    if (!sock_is_stream(s))
        return tell;
    if (!(events & ORIEL_WRITABLE))
        s->told_writable = s->writable_news = false;
    else if (!s->told_writable)
        s->writable_news = true;
    return s->writable_news ? tell | ORIEL_WRITABLE : tell;
}

/* It joins those that are to be named, if there is something to tell. */
static void news(struct socks *ss, struct sock *s)
{
    uint32_t now = worth_telling(s, sock_ready(ss, s));
    if (now == 0 && s->kind == SOCK_TCP)
        tcp_told(s->conn);
    if (now == 0)
        return;
    TRACE(ss->env, EV_READY, sock_handle(ss, s), now);
    if (!list_on(&s->ready))
        list_push_back(&ss->ready, &s->ready);
}

static void publish_streams(struct socks *ss)
{
    for (struct tcp_conn *c; (c = tcp_dirty_pop(ss->tcp)) != NULL;)
        news(ss, sock_named(ss, c->sock));
    for (struct list *n; (n = list_first(&ss->tcp->dirty_listeners)) != NULL;) {
        list_remove(n);
        news(ss, sock_named(ss, CONTAINER_OF(n, struct tcp_listener, dirty)->sock));
    }
}

void socks_publish(struct socks *ss)
{
    for (struct udp_pcb *c; (c = udp_dirty_pop(ss->udp)) != NULL;)
        news(ss, sock_named(ss, c->member));
    publish_streams(ss);
    LIST_EACH(node, &ss->raws) {
        struct raw_pcb *c = CONTAINER_OF(node, struct raw_pcb, node);
        if (!c->dirty)
            continue;
        c->dirty = false;
        news(ss, sock_named(ss, c->member));
    }
}

unsigned socks_ready_take(struct socks *ss, struct oriel_readiness out[], unsigned max)
{
    unsigned n = 0;
    while (n < max && !list_empty(&ss->ready)) {
        struct sock *s = CONTAINER_OF(list_first(&ss->ready), struct sock, ready);
        list_remove(&s->ready);
        if (s->kind == SOCK_TCP)
            tcp_told(s->conn);
        uint32_t events = sock_ready(ss, s);
        bool news_left = worth_telling(s, events) != 0;
        s->writable_news = false;
        s->told_writable = (events & ORIEL_WRITABLE) != 0;
        if (s->kind == SOCK_TCP && s->told_writable)
            tcp_told_room(s->conn);
        if (!news_left)
            continue;           /* read in the meantime */
        out[n++] = (struct oriel_readiness){.handle = sock_handle(ss, s), .events = events};
    }
    return n;
}
