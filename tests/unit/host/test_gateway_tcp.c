#include "fx_gateway.h"

#include "host/gateway_flow.h"

#define MEMORY ((size_t)64 << 20)

#define USUAL(...) fx_open(&(struct gateway_config){FX_USUAL, __VA_ARGS__}, MEMORY, 1024)

#define NEEDS_NET()                                                                                \
    if (!fx_own_net())                                                                             \
        skip()

/* One connection: the guest's end and the host's. */
struct pair {
    oriel_handle h;
    int fd;
};

static struct pair connected(struct fx *f, const char *to, const char *at)
{
    uint16_t port = 0;
    int l = fx_host(SOCK_STREAM, at, &port);
    struct pair p = {.h = fx_connect(f, to, port)};
    p.fd = fx_accept(f, l);
    UNTIL(f, fx_ready(f, p.h) & ORIEL_WRITABLE);
    close(l);
    return p;
}

static void finish(struct fx *f, struct pair *p)
{
    close(p->fd);
    fx_close_handle(f, p->h, false);
    UNTIL(f, gateway_flows(f->g) == 0);
}

/* What a stream carries each way. */
struct flow {
    struct pair p;
    unsigned number;
    uint64_t want, sent, echoed, got, out;
};

static void guest_side(struct fx *f, struct flow *w)
{
    uint8_t data[32768];
    while (w->sent < w->want && (fx_ready(f, w->p.h) & ORIEL_WRITABLE)) {
        size_t n = w->want - w->sent < sizeof(data) ? (size_t)(w->want - w->sent) : sizeof(data);
        fx_fill(data, n, w->number, w->sent);
        int took = fx_send(f, w->p.h, data, n);
        if (took <= 0)
            break;
        w->sent += (uint64_t)took;
    }
    for (int n; (n = fx_recv(f, w->p.h, data, sizeof(data))) > 0; w->got += (uint64_t)n)
        EXPECT(fx_right(data, (size_t)n, w->number, w->got));
}

/* Sends back what came; checks it. */
static void host_side(struct flow *w)
{
    uint8_t data[32768];
    for (;;) {
        ssize_t n = recv(w->p.fd, data, sizeof(data), MSG_PEEK);
        ssize_t back = n > 0 ? send(w->p.fd, data, (size_t)n, MSG_NOSIGNAL) : 0;
        if (back <= 0)
            return;
        EXPECT_EQ(recv(w->p.fd, data, (size_t)back, 0), back);
        EXPECT(fx_right(data, (size_t)back, w->number, w->echoed));
        w->echoed += (uint64_t)back;
    }
}

static bool exchange(struct fx *f, struct flow *w)
{
    guest_side(f, w);
    host_side(w);
    return w->got == w->want;
}

TEST("what a guest sends to the host's loopback comes back whole, in both families")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    struct flow four = {.p = connected(f, "10.0.2.2", "127.0.0.1"), .want = 4u << 20};
    struct flow six = {.p = connected(f, "fd00::2", "::1"), .number = 1, .want = 4u << 20};
    UNTIL(f, exchange(f, &four));
    UNTIL(f, exchange(f, &six));
    EXPECT_EQ(gateway_flows(f->g), 2);
    EXPECT_EQ(f->begun, 2);
    close(four.p.fd);
    fx_close_handle(f, four.p.h, false);
    finish(f, &six.p);
    fx_close(f);
}

TEST("an address of the host's own is the same on both sides")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    struct flow w = {.p = connected(f, FX_ALIAS, FX_ALIAS), .want = 100000};
    UNTIL(f, exchange(f, &w));
    finish(f, &w.p);
    EXPECT(f->last.bytes_in == 100000 && f->last.bytes_out == 100000 && f->last.error == 0);
    fx_close(f);
}

TEST("who ends first still hears the other, whichever side it is")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    char data[16];
    struct pair p = connected(f, "10.0.2.2", "127.0.0.1");
    EXPECT_EQ(fx_send(f, p.h, "last", 4), 4);
    fx_shutdown(f, p.h);
    UNTIL(f, recv(p.fd, data, sizeof(data), MSG_PEEK) == 4);
    EXPECT_EQ(recv(p.fd, data, sizeof(data), 0), 4);
    UNTIL(f, recv(p.fd, data, sizeof(data), 0) == 0);
    EXPECT_EQ(gateway_flows(f->g), 1);
    EXPECT_EQ(send(p.fd, "answer", 6, 0), 6);
    UNTIL(f, fx_recv(f, p.h, data, sizeof(data)) == 6);
    finish(f, &p);
    p = connected(f, "10.0.2.2", "127.0.0.1");
    EXPECT_EQ(send(p.fd, "last", 4, 0), 4);
    EXPECT_EQ(shutdown(p.fd, SHUT_WR), 0);
    UNTIL(f, fx_recv(f, p.h, data, sizeof(data)) == 4);
    UNTIL(f, fx_recv(f, p.h, data, sizeof(data)) == 0);
    EXPECT_EQ(fx_send(f, p.h, "answer", 6), 6);
    UNTIL(f, recv(p.fd, data, sizeof(data), 0) == 6);
    finish(f, &p);
    fx_close(f);
}

TEST("a reset is a reset on the other side, whichever side it comes from")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    const struct linger now = {.l_onoff = 1};
    char data[16];
    struct pair p = connected(f, "10.0.2.2", "127.0.0.1");
    fx_close_handle(f, p.h, true);
    UNTIL(f, recv(p.fd, data, sizeof(data), 0) < 0 && errno == ECONNRESET);
    close(p.fd);
    EXPECT_EQ(f->last.error, ECONNRESET);
    p = connected(f, "10.0.2.2", "127.0.0.1");
    EXPECT_EQ(setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(p.fd);
    UNTIL(f, fx_ready(f, p.h) & ORIEL_FAILED);
    EXPECT_EQ(fx_error(f, p.h), ORIEL_ECONNRESET);
    EXPECT_EQ(gateway_flows(f->g), 0);
    fx_close_handle(f, p.h, false);
    fx_close(f);
}

TEST("what the host's side wrote before it reset reaches the guest before the reset")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    const struct linger now = {.l_onoff = 1};
    char data[16];
    struct pair p = connected(f, "10.0.2.2", "127.0.0.1");
    EXPECT_EQ(setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    EXPECT_EQ(send(p.fd, "last", 4, 0), 4);
    close(p.fd);
    UNTIL(f, fx_recv(f, p.h, data, sizeof(data)) == 4);
    UNTIL(f, fx_ready(f, p.h) & ORIEL_FAILED);
    EXPECT_EQ(fx_error(f, p.h), ORIEL_ECONNRESET);
    EXPECT_EQ(gateway_flows(f->g), 0);
    EXPECT_EQ(f->last.error, ECONNRESET);
    fx_close_handle(f, p.h, false);
    fx_close(f);
}

TEST("a reset after the host's side had ended reaches the guest too")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    const struct linger now = {.l_onoff = 1};
    char data[16];
    struct pair p = connected(f, "10.0.2.2", "127.0.0.1");
    EXPECT_EQ(shutdown(p.fd, SHUT_WR), 0);
    UNTIL(f, fx_recv(f, p.h, data, sizeof(data)) == 0);
    EXPECT_EQ(setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(p.fd);
    UNTIL(f, fx_ready(f, p.h) & ORIEL_FAILED);
    EXPECT_EQ(gateway_flows(f->g), 0);
    fx_close_handle(f, p.h, false);
    fx_close(f);
}

TEST("what a server says before the guest's side is open is not left lying")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    uint16_t port = 0;
    char text[10];
    int l = fx_host(SOCK_STREAM, "127.0.0.1", &port);
    struct pair p = {.h = fx_connect(f, "10.0.2.2", port)};
    p.fd = fx_accept(f, l);
    EXPECT_EQ(send(p.fd, "hello", 5, 0), 5);    /* before the gateway has seen that it is connected */
    UNTIL(f, fx_recv(f, p.h, text, sizeof(text)) == 5);
    close(l);
    finish(f, &p);
    fx_close(f);
}

TEST("refused by the host is refused for the guest, without a route is unreachable")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    uint16_t port = 0;
    close(fx_host(SOCK_STREAM, "127.0.0.1", &port));
    oriel_handle h = fx_connect(f, "10.0.2.2", port);
    UNTIL(f, fx_ready(f, h) & ORIEL_FAILED);
    EXPECT_EQ(fx_error(f, h), ORIEL_ECONNREFUSED);
    fx_close_handle(f, h, false);
    h = fx_connect(f, "198.51.100.1", 80);
    struct oriel_error_info e = {0};
    UNTIL(f, oriel_last_error(f->guest->stack, h, &e) == 0);
    EXPECT_EQ(e.err, ORIEL_EHOSTUNREACH);
    fx_close_handle(f, h, false);
    h = fx_connect(f, "10.0.2.3", 80);                  /* of the gateway, and nothing of the host */
    UNTIL(f, fx_ready(f, h) & ORIEL_FAILED);
    EXPECT_EQ(fx_error(f, h), ORIEL_ECONNREFUSED);
    fx_close_handle(f, h, false);
    EXPECT_EQ(gateway_flows(f->g), 0);
    fx_close(f);
}

TEST("a guest that is gone in the middle of a handshake leaves one that can be told from a connection")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    uint16_t port = 0;
    int l = fx_host(SOCK_STREAM, "127.0.0.1", &port);
    struct pair p = {.h = fx_connect(f, "10.0.2.2", port)};
    UNTIL(f, gateway_streams(f->g) == 1);
    EXPECT_EQ(gateway_handshakes(f->g), 0);
    fx_close_handle(f, p.h, true);
    UNTIL(f, gateway_handshakes(f->g) == 1);
    EXPECT_EQ(gateway_streams(f->g), 1);
    p = connected(f, "10.0.2.2", "127.0.0.1");
    EXPECT_EQ(gateway_streams(f->g), 2);
    EXPECT_EQ(gateway_handshakes(f->g), 1);
    close(p.fd);
    close(l);
    fx_close(f);
}

TEST("without an address for it the host's loopback is out of reach")
{
    NEEDS_NET();
    struct fx *f = fx_open(&(struct gateway_config){.flows = 16}, MEMORY, 64);
    uint16_t port = 0;
    int l = fx_host(SOCK_STREAM, "127.0.0.1", &port);
    oriel_handle h = fx_connect(f, "10.0.2.2", port);
    UNTIL(f, fx_ready(f, h) & ORIEL_FAILED);
    EXPECT_EQ(fx_error(f, h), ORIEL_ECONNREFUSED);
    close(l);
    fx_close(f);
}

/* All of them to their end, within 20 seconds. */
static void exchange_all(struct fx *f, struct flow w[], unsigned n)
{
    bool done = false;
    for (oriel_time end = host_now() + 20 * NS_PER_S; !done && host_now() < end; fx_turn(f)) {
        done = true;
        for (unsigned i = 0; i < n; i++)
            done = exchange(f, &w[i]) && done;
    }
    EXPECT(done);
}

static void close_all(struct fx *f, const struct flow w[], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        close(w[i].p.fd);
        fx_close_handle(f, w[i].p.h, false);
    }
}

TEST("two hundred flows at once, each with its own bytes")
{
    NEEDS_NET();
    enum { N = 200 };
    struct fx *f = USUAL();
    struct flow *w = calloc(N, sizeof(*w));
    for (unsigned i = 0; i < N; i++)
        w[i] = (struct flow){.p = connected(f, i % 2 ? "10.0.2.2" : "fd00::2", i % 2 ? "127.0.0.1" : "::1"),
                             .number = i, .want = 20000 + 997 * i};
    EXPECT_EQ(gateway_flows(f->g), N);
    exchange_all(f, w, N);
    close_all(f, w, N);
    UNTIL(f, gateway_flows(f->g) == 0);
    free(w);
    fx_close(f);
}

/* What the host may keep of all streams one way, as its kernel counts. They are alike. */
static uint64_t host_keeps(const struct gateway *g, int option)
{
    uint64_t all = 0, first = 0;
    for (struct list *l = g->ages[GW_AGE_TCP].next; l != &g->ages[GW_AGE_TCP]; l = l->next) {
        int bytes = 0;
        socklen_t n = sizeof(bytes);
        EXPECT_EQ(getsockopt(CONTAINER_OF(l, struct gw_flow, aged)->source.fd, SOL_SOCKET, option, &bytes, &n), 0);
        first = first ? first : (uint64_t)bytes;
        EXPECT_EQ(bytes, first);
        all += (uint64_t)bytes;
    }
    return all;
}

TEST("many flows share what the host has for them, and a few have what they had")
{
    NEEDS_NET();
    enum { N = 60, SHARED = 6 << 20 };
    struct fx *f = USUAL();
    struct flow w[N];
    EXPECT(f->g->host_memory > 0);
    f->g->host_memory = SHARED;
    for (unsigned i = 0; i < N; i++) {
        w[i] = (struct flow){.p = connected(f, "10.0.2.2", "127.0.0.1"), .number = i, .want = 300000};
        UNTIL(f, gateway_streams(f->g) == i + 1);
        EXPECT_EQ(f->g->share < GW_SHARE_ENOUGH, i >= 13);       /* the 14th makes it be divided by 17 */
        if (f->g->share < GW_SHARE_ENOUGH) {
            uint64_t keeps = host_keeps(f->g, SO_RCVBUF);
            EXPECT(keeps <= SHARED && keeps >= SHARED / 2);
            EXPECT_EQ(host_keeps(f->g, SO_SNDBUF), keeps);
        }
    }
    exchange_all(f, w, N);
    close_all(f, w + 3, N - 3);
    UNTIL(f, gateway_flows(f->g) == 3);
    EXPECT_EQ(f->g->share, GW_SHARE_ENOUGH);
    EXPECT(host_keeps(f->g, SO_RCVBUF) >= 3 * (uint64_t)200000);
    close_all(f, w, 3);
    fx_close(f);
}

TEST("a host that does not read stops the guest, and loses nothing")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    struct flow w = {.p = connected(f, "10.0.2.2", "127.0.0.1"), .want = 256u << 20};
    uint8_t data[65536];
    uint64_t before = 1, got = 0;
    for (unsigned still = 0; still < 100; still = w.sent == before ? still + 1 : 0) {
        before = w.sent;
        guest_side(f, &w);
        fx_turn(f);
    }
    EXPECT(w.sent > 100000 && w.sent < 32u << 20);      /* buffers of two kernels and two stacks */
    EXPECT(gateway_owes(f->g));
    w.want = w.sent;
    fx_shutdown(f, w.p.h);
    while (got < w.want) {
        ssize_t n = 0;
        UNTIL(f, (n = recv(w.p.fd, data, sizeof(data), 0)) > 0);
        EXPECT(fx_right(data, (size_t)n, 0, got));
        got += (uint64_t)n;
    }
    EXPECT(!gateway_owes(f->g));
    finish(f, &w.p);
    fx_close(f);
}

TEST("a guest that does not read stops the host, and loses nothing")
{
    NEEDS_NET();
    struct fx *f = USUAL();
    struct flow w = {.p = connected(f, "10.0.2.2", "127.0.0.1")};
    uint8_t data[65536];
    uint64_t sent = 0;
    for (unsigned still = 0; still < 100 && sent < 64u << 20; still++, fx_turn(f)) {
        fx_fill(data, sizeof(data), 0, sent);
        ssize_t n = send(w.p.fd, data, sizeof(data), MSG_NOSIGNAL);
        sent += n > 0 ? (uint64_t)n : 0;
        still = n > 0 ? 0 : still;
    }
    EXPECT(sent > 100000 && sent < 32u << 20);
    EXPECT_EQ(shutdown(w.p.fd, SHUT_WR), 0);
    for (oriel_time end = host_now() + 10 * NS_PER_S; w.got < sent && host_now() < end; fx_turn(f))
        guest_side(f, &w);
    EXPECT_EQ(w.got, sent);
    finish(f, &w.p);
    fx_close(f);
}

TEST("where the stack has no memory for all that hosts send flows wait, and none is forgotten")
{
    NEEDS_NET();
    enum { N = 40, EACH = 400000 };
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL}, (size_t)3 << 20, 64);
    struct flow *w = calloc(N, sizeof(*w));
    uint8_t data[16384];
    bool done = false;
    for (unsigned i = 0; i < N; i++)
        w[i] = (struct flow){.p = connected(f, "10.0.2.2", "127.0.0.1"), .number = i};
    for (oriel_time end = host_now() + 20 * NS_PER_S, quiet = host_now() + NS_PER_S / 2;
         !done && host_now() < end; fx_turn(f)) {
        done = true;
        for (unsigned i = 0; i < N; i++) {
            size_t n = EACH - w[i].out < sizeof(data) ? (size_t)(EACH - w[i].out) : sizeof(data);
            fx_fill(data, n, i, w[i].out);
            ssize_t sent = n > 0 ? send(w[i].p.fd, data, n, MSG_NOSIGNAL) : 0;
            w[i].out += sent > 0 ? (uint64_t)sent : 0;
            if (host_now() > quiet)             /* until then nobody takes what comes */
                guest_side(f, &w[i]);
            done = done && w[i].got == EACH;
        }
    }
    EXPECT(done);
    close_all(f, w, N);
    UNTIL(f, gateway_flows(f->g) == 0);
    free(w);
    fx_close(f);
}

TEST("when all flows are taken another is refused, and the next has the place of one that ends")
{
    NEEDS_NET();
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .flows = 2}, MEMORY, 64);
    struct pair a = connected(f, "10.0.2.2", "127.0.0.1"), b = connected(f, "10.0.2.2", "127.0.0.1");
    uint16_t port = 0;
    int l = fx_host(SOCK_STREAM, "127.0.0.1", &port);
    oriel_handle h = fx_connect(f, "10.0.2.2", port);
    UNTIL(f, fx_ready(f, h) & ORIEL_FAILED);
    EXPECT_EQ(fx_error(f, h), ORIEL_ECONNREFUSED);
    fx_close_handle(f, a.h, true);
    UNTIL(f, gateway_flows(f->g) == 1);
    close(a.fd);
    a = connected(f, "10.0.2.2", "127.0.0.1");
    close(l);
    close(a.fd);
    fx_close_handle(f, a.h, false);
    finish(f, &b);
    fx_close(f);
}
