#include "fx_stack.h"

TEST("a handle that was closed is never mistaken for a later one")
{
    struct fx *f = fx_new(.stack = {.connections = 16});
    oriel_handle old[64], h;
    for (unsigned i = 0; i < 64; i++) {
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &old[i]), 0);
        EXPECT_EQ(oriel_close(f->s, old[i]), 0);
    }
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    for (unsigned i = 0; i < 64; i++)
        EXPECT(old[i] != h && oriel_close(f->s, old[i]) == ORIEL_EBADF);
    EXPECT_EQ(oriel_close(f->s, 0), ORIEL_EBADF);
    EXPECT_EQ(oriel_close(f->s, UINT32_MAX), ORIEL_EBADF);
    EXPECT_EQ(oriel_ready(f->s, old[0]), 0);
    fx_free(f);
}

TEST("when all sockets are taken the next is refused, and one that closes makes room")
{
    struct fx *f = fx_new(.stack = {.connections = 16});
    oriel_handle h[17];
    COVERS("INV-6 S42");
    for (unsigned i = 0; i < 16; i++)
        EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h[i]), 0);
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h[16]), ORIEL_ENOBUFS);
    EXPECT_EQ(oriel_close(f->s, h[3]), 0);
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h[16]), 0);
    fx_free(f);
}

TEST("a call with a handle that is none is refused and changes nothing")
{
    struct fx *f = fx_new();
    struct oriel_endpoint e = {.port = 7};
    struct oriel_error_info info;
    int64_t v;
    char buf[4];
    EXPECT_EQ(oriel_bind(f->s, 99, &e), ORIEL_EBADF);
    EXPECT_EQ(oriel_connect(f->s, 99, &e), ORIEL_EBADF);
    EXPECT_EQ(oriel_send(f->s, 99, "x", 1, NULL), ORIEL_EBADF);
    EXPECT_EQ(oriel_recv(f->s, 99, buf, 4, NULL), ORIEL_EBADF);
    EXPECT_EQ(oriel_setopt(f->s, 99, ORIEL_OPT_TTL, 1), ORIEL_EBADF);
    EXPECT_EQ(oriel_getopt(f->s, 99, ORIEL_OPT_TTL, &v), ORIEL_EBADF);
    EXPECT_EQ(oriel_local(f->s, 99, &e), ORIEL_EBADF);
    EXPECT_EQ(oriel_remote(f->s, 99, &e), ORIEL_EBADF);
    EXPECT_EQ(oriel_last_error(f->s, 99, &info), ORIEL_EBADF);
    EXPECT_EQ(oriel_group_join(f->s, 99, 1, &e.addr, true, NULL, 0), ORIEL_EBADF);
    fx_free(f);
}

TEST("an unknown family is refused")
{
    struct fx *f = fx_new();
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(f->s, (enum oriel_family)5, &h), ORIEL_EAFNOSUPPORT);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_DUAL, &h), ORIEL_EAFNOSUPPORT);
    fx_free(f);
}

TEST("readiness is told once, when it begins, and again after the socket was read")
{
    struct fx *f = fx_new();
    oriel_handle h;
    struct oriel_readiness r[4];
    char buf[8];
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &(struct oriel_endpoint){.port = 7}), 0);
    EXPECT_EQ(oriel_ready_take(f->s, r, 4), 0);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"a\"");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"b\"");
    EXPECT_EQ(oriel_ready_take(f->s, r, 4), 1);
    EXPECT(r[0].handle == h && (r[0].events & ORIEL_READABLE));
    EXPECT_EQ(oriel_ready_take(f->s, r, 4), 0);
    EXPECT_EQ(oriel_recv(f->s, h, buf, 8, NULL), 1);
    EXPECT_EQ(oriel_recv(f->s, h, buf, 8, NULL), 1);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"c\"");
    EXPECT_EQ(oriel_recv(f->s, h, buf, 8, NULL), 1);
    EXPECT_EQ(oriel_ready_take(f->s, r, 4), 0);         /* read before anybody asked */
    fx_free(f);
}

TEST("a socket that is closed while it is ready is not named any more")
{
    struct fx *f = fx_new();
    oriel_handle h;
    struct oriel_readiness r[4];
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &(struct oriel_endpoint){.port = 7}), 0);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"a\"");
    EXPECT_EQ(oriel_close(f->s, h), 0);
    EXPECT_EQ(oriel_ready_take(f->s, r, 4), 0);
    fx_free(f);
}
