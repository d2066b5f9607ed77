#include "fx_stack.h"

/*
 * One stack that talks to itself: a loopback interface beside the one that fx_new makes. What a
 * socket does, not what TCP does, is tested here.
 */
static struct fx *fx_alone(const struct oriel_config *cfg)
{
    struct fx *f = fx_new(.stack = *cfg, .netif = {.no_dad = true});
    EXPECT(oriel_netif_add(f->s, &(struct oriel_netif_config){.name = "lo",
                                                              .kind = ORIEL_NETIF_LOOPBACK}) > 0);
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    return f;
}

#define ALONE(...) fx_alone(&(struct oriel_config){__VA_ARGS__})

static void settle(struct fx *f)
{
    fx_run(f, 0);
}

static struct oriel_endpoint at(const char *addr, uint16_t port)
{
    return (struct oriel_endpoint){.addr = addr ? fx_addr(addr) : (struct oriel_addr){0, 0, 0},
                                   .port = port};
}

static oriel_handle stream(struct fx *f)
{
    oriel_handle h;
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &h), 0);
    return h;
}

static int bind_to(struct fx *f, oriel_handle h, const char *addr, uint16_t port)
{
    struct oriel_endpoint e = at(addr, port);
    return oriel_bind(f->s, h, &e);
}

static int connect_to(struct fx *f, oriel_handle h, const char *addr, uint16_t port)
{
    struct oriel_endpoint e = at(addr, port);
    return oriel_connect(f->s, h, &e);
}

static oriel_handle listener(struct fx *f, uint16_t port)
{
    oriel_handle h = stream(f);
    EXPECT_EQ(bind_to(f, h, NULL, port), 0);
    EXPECT_EQ(oriel_listen(f->s, h, NULL), 0);
    return h;
}

struct ends {
    oriel_handle l, c, s;       /* listener, client, server */
};

static struct ends talk(struct fx *f)
{
    struct ends e = {.l = listener(f, 80), .c = stream(f)};
    EXPECT_EQ(connect_to(f, e.c, "127.0.0.1", 80), 0);
    settle(f);
    EXPECT_EQ(oriel_accept(f->s, e.l, &e.s, NULL), 0);
    return e;
}

/* The events of the next socket that is named, which must be h; 0 where none is. */
static uint32_t told(struct fx *f, oriel_handle h)
{
    struct oriel_readiness r;
    if (oriel_ready_take(f->s, &r, 1) == 0)
        return 0;
    EXPECT(r.handle == h);
    return r.events;
}

static void hear_all(struct fx *f)
{
    struct oriel_readiness r[16];
    while (oriel_ready_take(f->s, r, 16) > 0)
        ;
}

static int64_t opt(struct fx *f, oriel_handle h, enum oriel_opt o)
{
    int64_t v = -99;
    EXPECT_EQ(oriel_getopt(f->s, h, o, &v), 0);
    return v;
}

/* ---- opening ---- */

TEST("two sockets connect, talk and close, and each hears what concerns it, once")
{
    struct fx *f = ALONE(0);
    char buf[32];
    struct oriel_endpoint peer, e;
    struct ends k = {.l = listener(f, 80), .c = stream(f)};
    COVERS("MUST-12");
    EXPECT_EQ(connect_to(f, k.c, "127.0.0.1", 80), 0);
    EXPECT_EQ(told(f, k.c), 0);
    EXPECT_EQ(oriel_send(f->s, k.c, "x", 1, NULL), ORIEL_EAGAIN);
    settle(f);
    hear_all(f);
    EXPECT_EQ(oriel_ready(f->s, k.l), ORIEL_ACCEPTABLE);
    EXPECT_EQ(oriel_accept(f->s, k.l, &k.s, &peer), 0);
    EXPECT_EQ(oriel_accept(f->s, k.l, &k.s, &peer), ORIEL_EAGAIN);
    EXPECT_EQ(oriel_local(f->s, k.c, &e), 0);
    EXPECT(addr_eq(&e.addr, &peer.addr) && e.port == peer.port && e.port >= 32768);
    EXPECT_EQ(oriel_remote(f->s, k.c, &e), 0);
    EXPECT_EQ(e.port, 80);
    settle(f);
    EXPECT_EQ(told(f, k.s), ORIEL_WRITABLE);    /* it has a socket now */
    EXPECT_EQ(told(f, k.s), 0);
    EXPECT_EQ(oriel_send(f->s, k.c, "hello", 5, NULL), 5);
    settle(f);
    EXPECT_EQ(told(f, k.s), ORIEL_READABLE | ORIEL_WRITABLE);
    EXPECT_EQ(told(f, k.s), 0);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, sizeof(buf), NULL), 5);
    EXPECT_MEM(buf, "hello", 5);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, sizeof(buf), NULL), ORIEL_EAGAIN);
    EXPECT_EQ(oriel_close(f->s, k.c), 0);
    settle(f);
    EXPECT(told(f, k.s) & ORIEL_PEER_CLOSED);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, sizeof(buf), NULL), 0);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, sizeof(buf), NULL), 0);
    EXPECT_EQ(oriel_close(f->s, k.s), 0);
    EXPECT_EQ(oriel_ready(f->s, k.s), 0);
    fx_free(f);
}

TEST("the connecting side is told once that it may write")
{
    struct fx *f = ALONE(0);
    struct ends k = {.l = listener(f, 80), .c = stream(f)};
    unsigned named = 0;
    struct oriel_readiness r;
    EXPECT_EQ(connect_to(f, k.c, "127.0.0.1", 80), 0);
    settle(f);
    while (oriel_ready_take(f->s, &r, 1) == 1)
        named += r.handle == k.c && r.events == ORIEL_WRITABLE;
    EXPECT_EQ(named, 1);
    fx_free(f);
}

TEST("over IPv6 as well, and each family where the other is refused")
{
    struct fx *f = ALONE(0);
    oriel_handle four, six, c, s;
    struct oriel_endpoint e = at(NULL, 81);
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_IP6, &six), 0);
    EXPECT_EQ(bind_to(f, six, "10.0.0.1", 81), ORIEL_EAFNOSUPPORT);
    EXPECT_EQ(oriel_bind(f->s, six, &e), 0);
    EXPECT_EQ(oriel_listen(f->s, six, NULL), 0);
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_IP4, &four), 0);
    EXPECT_EQ(connect_to(f, four, "2001:db8::1", 81), ORIEL_EAFNOSUPPORT);
    EXPECT_EQ(bind_to(f, four, "2001:db8::1", 9), ORIEL_EAFNOSUPPORT);
    EXPECT_EQ(oriel_bind(f->s, four, &e), 0);   /* the same port, the other family */
    EXPECT_EQ(oriel_listen(f->s, four, NULL), 0);
    c = stream(f);
    EXPECT_EQ(connect_to(f, c, "::1", 81), 0);
    settle(f);
    EXPECT_EQ(oriel_accept(f->s, four, &s, NULL), ORIEL_EAGAIN);
    EXPECT_EQ(oriel_accept(f->s, six, &s, NULL), 0);
    fx_free(f);
}

TEST("a socket is bound once, to an address of ours, to a port that is free")
{
    struct fx *f = ALONE(0);
    oriel_handle a = stream(f), b = stream(f);
    struct oriel_endpoint e;
    COVERS("MUST-43");
    EXPECT_EQ(bind_to(f, a, "10.9.9.9", 7), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(bind_to(f, a, "224.0.0.1", 7), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(bind_to(f, a, "10.0.0.1", 0), 0);
    EXPECT_EQ(oriel_local(f->s, a, &e), 0);
    EXPECT(e.port >= TCP_PORT_EPHEMERAL_MIN && e.port <= TCP_PORT_EPHEMERAL_MAX);
    EXPECT_EQ(bind_to(f, a, "10.0.0.1", 8), ORIEL_EINVAL);
    EXPECT_EQ(bind_to(f, b, "10.0.0.1", e.port), ORIEL_EADDRINUSE);
    EXPECT_EQ(bind_to(f, b, NULL, e.port), ORIEL_EADDRINUSE);
    EXPECT_EQ(bind_to(f, b, "127.0.0.1", e.port), 0);           /* another address */
    EXPECT_EQ(oriel_close(f->s, a), 0);
    a = stream(f);
    EXPECT_EQ(bind_to(f, a, "10.0.0.1", e.port), 0);            /* free again */
    fx_free(f);
}

TEST("ports are shared by who says so on both sides")
{
    struct fx *f = ALONE(0);
    oriel_handle a = stream(f), b = stream(f), c = stream(f);
    EXPECT_EQ(oriel_setopt(f->s, a, ORIEL_OPT_REUSEPORT, 1), 0);
    EXPECT_EQ(oriel_setopt(f->s, b, ORIEL_OPT_REUSEPORT, 1), 0);
    EXPECT_EQ(bind_to(f, a, NULL, 80), 0);
    EXPECT_EQ(bind_to(f, b, NULL, 80), 0);
    EXPECT_EQ(bind_to(f, c, NULL, 80), ORIEL_EADDRINUSE);
    EXPECT_EQ(oriel_listen(f->s, a, NULL), 0);
    EXPECT_EQ(oriel_listen(f->s, b, NULL), 0);
    EXPECT_EQ(bind_to(f, c, NULL, 80), ORIEL_EADDRINUSE);
    EXPECT_EQ(oriel_setopt(f->s, a, ORIEL_OPT_REUSEPORT, 0), ORIEL_EINVAL);
    fx_free(f);
}

TEST("a port of a listener is taken for others, and for connections that leave it is not")
{
    struct fx *f = ALONE(0);
    oriel_handle l = listener(f, 80), a = stream(f);
    COVERS("MUST-41");
    EXPECT_EQ(bind_to(f, a, NULL, 80), ORIEL_EADDRINUSE);
    EXPECT_EQ(bind_to(f, a, NULL, 90), 0);
    EXPECT_EQ(connect_to(f, a, "127.0.0.1", 80), 0);
    settle(f);
    oriel_handle l2 = stream(f);
    EXPECT_EQ(bind_to(f, l2, NULL, 90), 0);     /* a connection from there stands in no one's way */
    EXPECT_EQ(oriel_listen(f->s, l2, NULL), 0);
    EXPECT_EQ(oriel_ready(f->s, a), ORIEL_WRITABLE);
    EXPECT_EQ(oriel_ready(f->s, l), ORIEL_ACCEPTABLE);
    fx_free(f);
}

TEST("a connection to nowhere, to a group, twice, or on a listener is refused")
{
    static const char *const bad[] = {"224.0.0.1", "255.255.255.255", "ff02::1", "0.0.0.0"};
    struct fx *f = ALONE(0);
    oriel_handle l = listener(f, 80), c = stream(f);
    COVERS("MUST-46");
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT(connect_to(f, c, bad[i], 80) < 0);
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 0), ORIEL_EINVAL);
    EXPECT_EQ(connect_to(f, c, "192.0.2.1", 80), ORIEL_ENETUNREACH);
    EXPECT_EQ(connect_to(f, l, "127.0.0.1", 80), ORIEL_EINVAL);
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 80), 0);
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 80), ORIEL_EINPROGRESS);
    settle(f);
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 80), ORIEL_EISCONN);
    fx_free(f);
}

TEST("a socket that was bound stays so when connecting is refused, and keeps its port when not")
{
    struct fx *f = ALONE(0);
    oriel_handle l = listener(f, 80), c = stream(f), d = stream(f);
    struct oriel_endpoint e;
    EXPECT_EQ(bind_to(f, c, NULL, 1234), 0);
    EXPECT_EQ(connect_to(f, c, "192.0.2.1", 80), ORIEL_ENETUNREACH);
    EXPECT_EQ(bind_to(f, d, NULL, 1234), ORIEL_EADDRINUSE);
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 80), 0);
    EXPECT_EQ(oriel_local(f->s, c, &e), 0);
    EXPECT_EQ(e.port, 1234);
    EXPECT_EQ(bind_to(f, d, NULL, 1234), 0);
    EXPECT_EQ(connect_to(f, d, "127.0.0.1", 80), ORIEL_EADDRINUSE);     /* that tuple is taken */
    (void)l;
    fx_free(f);
}

TEST("where nobody listens the connection fails, and the error is told once")
{
    struct fx *f = ALONE(0);
    oriel_handle c = stream(f);
    char buf[4];
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 81), 0);
    settle(f);
    EXPECT(told(f, c) & ORIEL_FAILED);
    EXPECT_EQ(oriel_recv(f->s, c, buf, 4, NULL), ORIEL_ECONNREFUSED);
    EXPECT_EQ(opt(f, c, ORIEL_OPT_ERROR), 0);
    EXPECT_EQ(oriel_send(f->s, c, "x", 1, NULL), ORIEL_EPIPE);
    EXPECT_EQ(oriel_close(f->s, c), 0);
    c = stream(f);
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 81), 0);
    settle(f);
    struct oriel_error_info info;
    EXPECT_EQ(oriel_last_error(f->s, c, &info), 0);
    EXPECT(info.err == ORIEL_ECONNREFUSED && info.to.port == 81);
    EXPECT_EQ(opt(f, c, ORIEL_OPT_ERROR), ORIEL_ECONNREFUSED);
    EXPECT_EQ(opt(f, c, ORIEL_OPT_ERROR), 0);
    EXPECT_EQ(oriel_last_error(f->s, c, &info), ORIEL_ENOENT);
    fx_free(f);
}

/* ---- listening ---- */

TEST("listening needs a stream that is not used; again it changes the backlog")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    oriel_handle u;
    struct oriel_tcp_info info;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &u), 0);
    EXPECT_EQ(oriel_listen(f->s, u, NULL), ORIEL_EOPNOTSUPP);
    EXPECT_EQ(oriel_listen(f->s, 99, NULL), ORIEL_EBADF);
    EXPECT_EQ(oriel_listen(f->s, k.c, NULL), ORIEL_EISCONN);
    EXPECT_EQ(oriel_listen(f->s, k.l, &(struct oriel_listen){.backlog = 7}), 0);
    EXPECT_EQ(oriel_tcp_info(f->s, k.l, &info), 0);
    EXPECT(info.state == ORIEL_TCP_LISTEN && info.sacked == 7 && info.unacked == 0);
    oriel_handle l = stream(f);
    EXPECT_EQ(oriel_listen(f->s, l, NULL), 0);  /* not bound: a port is chosen */
    struct oriel_endpoint e;
    EXPECT_EQ(oriel_local(f->s, l, &e), 0);
    EXPECT(e.port != 0);
    fx_free(f);
}

TEST("who is no listener accepts nothing, and a listener is no connection")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    struct oriel_held held;
    struct oriel_bytes v[1];
    oriel_handle h, u;
    char buf[4];
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &u), 0);
    EXPECT_EQ(oriel_accept(f->s, k.c, &h, NULL), ORIEL_EINVAL);
    EXPECT_EQ(oriel_accept(f->s, u, &h, NULL), ORIEL_EOPNOTSUPP);
    EXPECT_EQ(oriel_held_next(f->s, k.c, &held), ORIEL_EINVAL);
    EXPECT_EQ(oriel_held_next(f->s, k.l, &held), ORIEL_EAGAIN);
    EXPECT_EQ(oriel_admit(f->s, k.l, 1, ORIEL_ADMIT), ORIEL_ENOENT);
    EXPECT_EQ(oriel_admit(f->s, k.l, 1, (enum oriel_admission)9), ORIEL_EINVAL);
    EXPECT_EQ(oriel_send(f->s, k.l, "x", 1, NULL), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_recv(f->s, k.l, buf, 4, NULL), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_shutdown(f->s, k.l, ORIEL_SHUT_WRITE), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_send_window(f->s, k.l).n, 0);
    EXPECT_EQ(oriel_send_commit(f->s, k.l, 1), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_recv_view(f->s, k.l, v, 1), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_recv_release(f->s, k.l, 1), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_shutdown(f->s, u, ORIEL_SHUT_WRITE), ORIEL_EOPNOTSUPP);
    EXPECT_EQ(oriel_abort(f->s, u), ORIEL_EOPNOTSUPP);
    fx_free(f);
}

TEST("an accepted socket is set as its listener was")
{
    struct fx *f = ALONE(0);
    struct ends k = {.l = listener(f, 80), .c = stream(f)};
    COVERS("MUST-48 MUST-49");
    EXPECT_EQ(oriel_setopt(f->s, k.l, ORIEL_OPT_NODELAY, 1), 0);
    EXPECT_EQ(oriel_setopt(f->s, k.l, ORIEL_OPT_TTL, 9), 0);
    EXPECT_EQ(oriel_setopt(f->s, k.l, ORIEL_OPT_TOS, 0x48), 0);
    EXPECT_EQ(connect_to(f, k.c, "127.0.0.1", 80), 0);
    settle(f);
    EXPECT_EQ(oriel_accept(f->s, k.l, &k.s, NULL), 0);
    EXPECT_EQ(opt(f, k.s, ORIEL_OPT_NODELAY), 1);
    EXPECT_EQ(opt(f, k.s, ORIEL_OPT_TTL), 9);
    EXPECT_EQ(opt(f, k.s, ORIEL_OPT_TOS), 0x48);
    EXPECT_EQ(opt(f, k.c, ORIEL_OPT_NODELAY), 0);
    fx_free(f);
}

TEST("when there is no socket for it an accepted connection waits on")
{
    struct fx *f = ALONE(.connections = 16);
    struct ends k = {.l = listener(f, 80), .c = stream(f)};
    oriel_handle h[16];
    COVERS("INV-6");
    EXPECT_EQ(connect_to(f, k.c, "127.0.0.1", 80), 0);
    settle(f);
    for (unsigned i = 0; i < 14; i++)
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h[i]), 0);
    EXPECT_EQ(oriel_accept(f->s, k.l, &k.s, NULL), ORIEL_ENOBUFS);
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_IP4, &h[15]), ORIEL_ENOBUFS);
    EXPECT_EQ(oriel_close(f->s, h[3]), 0);
    EXPECT_EQ(oriel_accept(f->s, k.l, &k.s, NULL), 0);
    fx_free(f);
}

TEST("a listener that is closed resets who waits, and those that were accepted live on")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    oriel_handle d = stream(f);
    char buf[4];
    EXPECT_EQ(connect_to(f, d, "127.0.0.1", 80), 0);
    settle(f);
    EXPECT_EQ(oriel_close(f->s, k.l), 0);
    settle(f);
    EXPECT_EQ(oriel_recv(f->s, d, buf, 4, NULL), ORIEL_ECONNRESET);
    EXPECT_EQ(oriel_send(f->s, k.c, "hi", 2, NULL), 2);
    settle(f);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 4, NULL), 2);
    fx_free(f);
}

TEST("a held SYN is named once, and is admitted or refused")
{
    struct fx *f = ALONE(0);
    oriel_handle l = stream(f), c = stream(f), d = stream(f), s;
    struct oriel_held held;
    char buf[4];
    EXPECT_EQ(bind_to(f, l, NULL, 80), 0);
    EXPECT_EQ(oriel_listen(f->s, l, &(struct oriel_listen){.defer = true}), 0);
    EXPECT_EQ(connect_to(f, c, "127.0.0.1", 80), 0);
    EXPECT_EQ(connect_to(f, d, "127.0.0.1", 80), 0);
    settle(f);
    EXPECT_EQ(told(f, l), ORIEL_ACCEPTABLE);
    EXPECT_EQ(oriel_held_next(f->s, l, &held), 0);
    EXPECT_EQ(held.local.port, 80);
    EXPECT_EQ(oriel_admit(f->s, l, held.id, ORIEL_ADMIT), 0);
    EXPECT_EQ(oriel_admit(f->s, l, held.id, ORIEL_ADMIT), ORIEL_ENOENT);
    EXPECT_EQ(oriel_held_next(f->s, l, &held), 0);
    EXPECT_EQ(oriel_admit(f->s, l, held.id, ORIEL_ADMIT_RESET), 0);
    EXPECT_EQ(oriel_held_next(f->s, l, &held), ORIEL_EAGAIN);
    settle(f);
    EXPECT_EQ(oriel_accept(f->s, l, &s, NULL), 0);
    EXPECT_EQ(oriel_recv(f->s, d, buf, 4, NULL), ORIEL_ECONNREFUSED);
    EXPECT_EQ(oriel_send(f->s, c, "x", 1, NULL), 1);
    fx_free(f);
}

/* ---- bytes ---- */

TEST("an unconnected stream neither sends nor receives")
{
    struct fx *f = ALONE(0);
    oriel_handle c = stream(f);
    char buf[4];
    EXPECT_EQ(oriel_send(f->s, c, "x", 1, NULL), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_recv(f->s, c, buf, 4, NULL), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_shutdown(f->s, c, ORIEL_SHUT_READ), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_ready(f->s, c) & (ORIEL_READABLE | ORIEL_WRITABLE), 0);
    fx_free(f);
}

TEST("who was refused for want of room is told when there is room again, once")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    static char block[65536], sink[65536];
    int n;
    size_t sent = 0, got = 0;
    hear_all(f);
    while ((n = oriel_send(f->s, k.c, block, sizeof(block), NULL)) > 0) {
        sent += (size_t)n;
        settle(f);
    }
    EXPECT_EQ(n, ORIEL_EAGAIN);
    EXPECT(!(oriel_ready(f->s, k.c) & ORIEL_WRITABLE));
    hear_all(f);
    while (got < sent) {
        fx_run(f, NS_PER_S);
        while ((n = oriel_recv(f->s, k.s, sink, sizeof(sink), NULL)) > 0)
            got += (size_t)n;
        settle(f);
    }
    fx_run(f, NS_PER_S);
    struct oriel_readiness r;
    unsigned writable = 0;
    while (oriel_ready_take(f->s, &r, 1) == 1)
        writable += r.handle == k.c && (r.events & ORIEL_WRITABLE);
    EXPECT_EQ(writable, 1);
    EXPECT_EQ(oriel_send(f->s, k.c, "x", 1, NULL), 1);
    settle(f);
    EXPECT_EQ(told(f, k.s) & ORIEL_READABLE, ORIEL_READABLE);
    EXPECT_EQ(told(f, k.c), 0);                 /* it can write still: no news */
    fx_free(f);
}

TEST("without copying: bytes are written where they leave from, and read where they came")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    struct oriel_bytes v[4];
    struct oriel_room room = oriel_send_window(f->s, k.c);
    EXPECT(room.n > 100);
    memcpy(room.p, "zero copies", 11);
    EXPECT_EQ(oriel_send_commit(f->s, k.c, 1 << 30), ORIEL_EINVAL);
    EXPECT_EQ(oriel_send_commit(f->s, k.c, 11), 0);
    settle(f);
    EXPECT_EQ(oriel_recv_view(f->s, k.s, v, 0), ORIEL_EINVAL);
    EXPECT_EQ(oriel_recv_view(f->s, k.s, v, 4), 1);
    EXPECT_EQ(v[0].n, 11);
    EXPECT_MEM(v[0].p, "zero copies", 11);
    EXPECT_EQ(oriel_recv_release(f->s, k.s, 12), ORIEL_EINVAL);
    EXPECT_EQ(oriel_recv_release(f->s, k.s, 5), 0);
    EXPECT_EQ(oriel_recv_view(f->s, k.s, v, 4), 1);
    EXPECT_MEM(v[0].p, "copies", 6);
    EXPECT_EQ(oriel_recv_release(f->s, k.s, 6), 0);
    EXPECT_EQ(oriel_recv_view(f->s, k.s, v, 4), ORIEL_EAGAIN);
    EXPECT_EQ(oriel_shutdown(f->s, k.c, ORIEL_SHUT_WRITE), 0);
    settle(f);
    EXPECT_EQ(oriel_recv_view(f->s, k.s, v, 4), 0);
    fx_free(f);
}

TEST("peeking, urgent bytes and their mark, through the socket")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    char buf[16];
    struct oriel_msg peek = {.flags = ORIEL_MSG_PEEK}, urgent = {.flags = ORIEL_MSG_URGENT};
    COVERS("MUST-30 MUST-33");
    settle(f);
    hear_all(f);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, &urgent), ORIEL_EINVAL);
    EXPECT_EQ(oriel_send(f->s, k.c, "ab!", 3, &urgent), 3);
    EXPECT_EQ(oriel_send(f->s, k.c, "cd", 2, NULL), 2);
    settle(f);
    EXPECT(told(f, k.s) & ORIEL_URGENT);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, &peek), 2);
    EXPECT_EQ(opt(f, k.s, ORIEL_OPT_AT_MARK), 0);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, NULL), 2);
    EXPECT_MEM(buf, "ab", 2);
    EXPECT_EQ(opt(f, k.s, ORIEL_OPT_AT_MARK), 1);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, &urgent), 1);
    EXPECT_EQ(buf[0], '!');
    fx_run(f, NS_PER_S);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, NULL), 2);
    EXPECT_MEM(buf, "cd", 2);
    fx_free(f);
}

TEST("what waits on both sides can be asked for")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    struct oriel_msg m;
    char buf[16];
    EXPECT_EQ(oriel_send(f->s, k.c, "12345", 5, NULL), 5);
    EXPECT_EQ(opt(f, k.c, ORIEL_OPT_UNSENT), 5);
    settle(f);
    EXPECT_EQ(opt(f, k.s, ORIEL_OPT_UNREAD), 5);
    m = (struct oriel_msg){0};
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, &m), 5);
    EXPECT(m.len == 5 && m.peer.port != 0);
    EXPECT_EQ(opt(f, k.s, ORIEL_OPT_UNREAD), 0);
    fx_run(f, NS_PER_S);
    EXPECT_EQ(opt(f, k.c, ORIEL_OPT_UNSENT), 0);
    fx_free(f);
}

/* ---- ends ---- */

TEST("one side closed for writing reads on; the other may write on")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    char buf[16];
    EXPECT_EQ(oriel_shutdown(f->s, k.c, 9), ORIEL_EINVAL);
    EXPECT_EQ(oriel_send(f->s, k.c, "q", 1, NULL), 1);
    EXPECT_EQ(oriel_shutdown(f->s, k.c, ORIEL_SHUT_WRITE), 0);
    EXPECT_EQ(oriel_send(f->s, k.c, "x", 1, NULL), ORIEL_EPIPE);
    settle(f);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, NULL), 1);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, NULL), 0);
    EXPECT_EQ(oriel_send(f->s, k.s, "answer", 6, NULL), 6);
    settle(f);
    EXPECT_EQ(oriel_recv(f->s, k.c, buf, 16, NULL), 6);
    fx_free(f);
}

TEST("a reset is told after what came before it, and a closed end is not taken for one")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    char buf[16];
    COVERS("MUST-12");
    EXPECT_EQ(oriel_send(f->s, k.c, "last words", 10, NULL), 10);
    settle(f);
    EXPECT_EQ(oriel_abort(f->s, k.c), 0);
    EXPECT_EQ(oriel_abort(f->s, k.c), ORIEL_EBADF);
    settle(f);
    EXPECT(oriel_ready(f->s, k.s) & ORIEL_HUNG_UP);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, NULL), 10);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, NULL), ORIEL_ECONNRESET);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 16, NULL), 0);
    fx_free(f);
}

TEST("with a linger time of zero closing is aborting")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    char buf[4];
    EXPECT_EQ(oriel_setopt(f->s, k.c, ORIEL_OPT_LINGER, 0), 0);
    EXPECT_EQ(oriel_close(f->s, k.c), 0);
    settle(f);
    EXPECT_EQ(oriel_recv(f->s, k.s, buf, 4, NULL), ORIEL_ECONNRESET);
    fx_free(f);
}

TEST("a handle of a stream is not taken for a later one, and closed ones are named no more")
{
    struct fx *f = ALONE(.connections = 16);
    struct ends k = talk(f);
    EXPECT_EQ(oriel_send(f->s, k.c, "x", 1, NULL), 1);
    settle(f);
    EXPECT_EQ(oriel_close(f->s, k.s), 0);       /* with data unread, and readiness not told */
    settle(f);
    struct oriel_readiness r[8];
    unsigned n = oriel_ready_take(f->s, r, 8);
    for (unsigned i = 0; i < n; i++)
        EXPECT(r[i].handle != k.s);
    for (unsigned i = 0; i < 40; i++) {
        oriel_handle h = stream(f);
        EXPECT(h != k.s && h != k.c);
        EXPECT_EQ(oriel_close(f->s, h), 0);
    }
    EXPECT_EQ(oriel_close(f->s, k.s), ORIEL_EBADF);
    EXPECT_EQ(oriel_send(f->s, k.s | (uint64_t)1 << 50, "x", 1, NULL), ORIEL_EBADF);
    fx_free(f);
}

/* ---- seeing ---- */

static unsigned rows_in(struct fx *f, enum oriel_tcp_state state, bool with_socket)
{
    struct oriel_conn_info i;
    unsigned n = 0;
    for (uint32_t cursor = 0; oriel_conn_each(f->s, &cursor, &i);)
        n += i.state == state && (i.handle != 0) == with_socket;
    return n;
}

TEST("every connection is a row, with a socket or without, half-open, and after its end")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    struct oriel_conn_info i;
    fx_in(f, "ip src=10.0.0.9 dst=10.0.0.1 / tcp 5000>80 flags=S seq=1");
    EXPECT_EQ(rows_in(f, ORIEL_TCP_ESTABLISHED, true), 2);
    EXPECT_EQ(rows_in(f, ORIEL_TCP_SYN_RCVD, false), 1);
    for (uint32_t cursor = 0; oriel_conn_each(f->s, &cursor, &i);)
        if (i.state == ORIEL_TCP_SYN_RCVD)
            EXPECT(i.remote.port == 5000 && i.until > f->s->env.now && i.until != ORIEL_NEVER);
    EXPECT_EQ(oriel_close(f->s, k.c), 0);
    settle(f);
    EXPECT_EQ(rows_in(f, ORIEL_TCP_FIN_WAIT_2, false), 1);
    EXPECT_EQ(rows_in(f, ORIEL_TCP_CLOSE_WAIT, true), 1);
    EXPECT_EQ(oriel_close(f->s, k.s), 0);
    settle(f);
    EXPECT_EQ(rows_in(f, ORIEL_TCP_TIME_WAIT, false), 1);
    for (uint32_t cursor = 0; oriel_conn_each(f->s, &cursor, &i);)
        if (i.state == ORIEL_TCP_TIME_WAIT)
            EXPECT(i.until >= f->s->env.now + 119 * NS_PER_S &&
                   i.until <= f->s->env.now + 121 * NS_PER_S);
    fx_run(f, 125 * NS_PER_S);
    EXPECT(!oriel_conn_each(f->s, &(uint32_t){0}, &i));
    fx_free(f);
}

TEST("sockets are rows as well, and tell of themselves")
{
    struct fx *f = ALONE(0);
    struct ends k = talk(f);
    struct oriel_socket_info i;
    struct oriel_tcp_info t;
    unsigned listening = 0, standing = 0;
    EXPECT_EQ(oriel_send(f->s, k.c, "abc", 3, NULL), 3);
    settle(f);
    for (uint32_t cursor = 0; oriel_socket_each(f->s, &cursor, &i);) {
        EXPECT_STR(i.kind, "tcp");
        listening += i.state == ORIEL_TCP_LISTEN && i.local.port == 80;
        standing += i.state == ORIEL_TCP_ESTABLISHED;
        if (i.handle == k.s)
            EXPECT(i.rcv_bytes == 3 && i.rcv_pkts == 1 && (i.ready & ORIEL_READABLE));
    }
    EXPECT(listening == 1 && standing == 2);
    EXPECT_EQ(oriel_tcp_info(f->s, k.s, &t), 0);
    EXPECT(t.state == ORIEL_TCP_ESTABLISHED && t.recv_queue == 3 && t.bytes_received == 3);
    EXPECT_STR(t.congestion, "cubic");
    oriel_handle u;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &u), 0);
    EXPECT_EQ(oriel_tcp_info(f->s, u, &t), ORIEL_EOPNOTSUPP);
    EXPECT_EQ(oriel_tcp_info(f->s, 99, &t), ORIEL_EBADF);
    fx_free(f);
}

TEST("congestion controls have names and numbers")
{
    EXPECT_EQ(oriel_congestion_named("newreno"), 0);
    EXPECT_EQ(oriel_congestion_named("cubic"), 1);
    EXPECT_EQ(oriel_congestion_named("vegas"), ORIEL_ENOENT);
    EXPECT_STR(oriel_congestion_name(1), "cubic");
    EXPECT(oriel_congestion_name(-1) == NULL);
    EXPECT(oriel_congestion_name(99) == NULL);
}
