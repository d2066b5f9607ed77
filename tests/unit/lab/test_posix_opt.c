#include "fx_posix.h"

#define SOCKET PX_SOL_SOCKET
#define TCP    PX_IPPROTO_TCP
#define IP     0
#define IP6    PX_IPPROTO_IPV6

static int64_t set(struct fx_px *f, int fd, int level, int opt, int32_t v)
{
    return px_setsockopt(&f->px, fd, level, opt, &v, sizeof v);
}

static int64_t get(struct fx_px *f, int fd, int level, int opt)
{
    int32_t v = 0x7eadbeef;
    uint32_t len = sizeof v;
    int64_t err = px_getsockopt(&f->px, fd, level, opt, &v, &len);
    return err ? err : v;
}

TEST("options that are numbers come back as they were set, in Linux's units")
{
    static const struct {
        int level, opt;
        int32_t set, get;
    } rows[] = {
        {SOCKET, 2, 1, 1},      /* SO_REUSEADDR */
        {SOCKET, 7, 10000, 20000},      /* SO_SNDBUF: Linux doubles */
        {SOCKET, 8, 10000, 20000},      /* SO_RCVBUF */
        {SOCKET, 9, 1, 1},      /* SO_KEEPALIVE */
        {SOCKET, 10, 1, 1},     /* SO_OOBINLINE */
        {SOCKET, 12, 5, 5},     /* SO_PRIORITY */
        {SOCKET, 15, 1, 1},     /* SO_REUSEPORT */
        {SOCKET, 18, 100, 100}, /* SO_RCVLOWAT */
        {SOCKET, 36, 9, 9},     /* SO_MARK */
        {SOCKET, 47, 100000, 100000},   /* SO_MAX_PACING_RATE */
        {SOCKET, 47, -1, -1},
        {TCP, 1, 1, 1},         /* TCP_NODELAY */
        {TCP, 3, 1, 1},         /* TCP_CORK */
        {TCP, 4, 60, 60},       /* TCP_KEEPIDLE: seconds */
        {TCP, 5, 7, 7},         /* TCP_KEEPINTVL */
        {TCP, 6, 3, 3},         /* TCP_KEEPCNT */
        {TCP, 7, 4, 4},         /* TCP_SYNCNT */
        {TCP, 18, 5000, 5000},  /* TCP_USER_TIMEOUT: milliseconds */
        {TCP, 25, 4096, 4096},  /* TCP_NOTSENT_LOWAT */
        {TCP, 36, 1, 1},        /* TCP_INQ */
        {IP, 1, 0x10, 0x10},    /* IP_TOS */
        {IP, 2, 9, 9},          /* IP_TTL */
        {IP, 2, -1, 64},
        {IP, 10, 2, 2},         /* IP_MTU_DISCOVER: DO */
        {IP, 10, 3, 3},
        {IP, 11, 1, 1},         /* IP_RECVERR */
        {IP, 12, 1, 1},         /* IP_RECVTTL */
        {IP6, 66, 1, 1},        /* IPV6_RECVTCLASS */
        {IP6, 16, 7, 7},        /* IPV6_UNICAST_HOPS */
        {IP6, 67, 8, 8},        /* IPV6_TCLASS */
    };
    struct fx_px f;
    fx_px_open(&f);
    EXPECT_EQ(px_socket(&f.px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), 3);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (set(&f, 3, rows[i].level, rows[i].opt, rows[i].set) != 0 ||
            get(&f, 3, rows[i].level, rows[i].opt) != rows[i].get)
            fail_msg("level %d option %d: set %lld, got %lld", rows[i].level, rows[i].opt,
                     (long long)set(&f, 3, rows[i].level, rows[i].opt, rows[i].set),
                     (long long)get(&f, 3, rows[i].level, rows[i].opt));
    }
    fx_px_close(&f);
}

TEST("what a socket is can be asked")
{
    struct fx_px f;
    fx_px_open(&f);
    EXPECT_EQ(px_socket(&f.px, 3, PX_AF_INET6, PX_SOCK_STREAM, 0), 3);
    EXPECT_EQ(get(&f, 3, SOCKET, 3), PX_SOCK_STREAM);
    EXPECT_EQ(get(&f, 3, SOCKET, 39), PX_AF_INET6);
    EXPECT_EQ(get(&f, 3, SOCKET, 38), PX_IPPROTO_TCP);
    EXPECT_EQ(get(&f, 3, SOCKET, 30), 0);
    EXPECT_EQ(px_listen(&f.px, 3, 1), 0);
    EXPECT_EQ(get(&f, 3, SOCKET, 30), 1);
    EXPECT_EQ(px_socket(&f.px, 4, PX_AF_INET, PX_SOCK_DGRAM, 0), 4);
    EXPECT_EQ(get(&f, 4, SOCKET, 3), PX_SOCK_DGRAM);
    EXPECT_EQ(get(&f, 4, SOCKET, 38), PX_IPPROTO_UDP);
    fx_px_close(&f);
}

TEST("structures and texts have Linux's layout")
{
    struct fx_px f;
    fx_px_open(&f);
    int32_t linger[2] = {1, 5}, got[2] = {0, 0};
    int64_t tv[2] = {2, 500000}, back[2];
    char name[16];
    uint32_t len = sizeof got;
    EXPECT_EQ(px_socket(&f.px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), 3);
    EXPECT_EQ(px_getsockopt(&f.px, 3, SOCKET, 13, got, &len), 0);
    EXPECT(got[0] == 0);
    EXPECT_EQ(px_setsockopt(&f.px, 3, SOCKET, 13, linger, sizeof linger), 0);
    EXPECT_EQ(px_getsockopt(&f.px, 3, SOCKET, 13, got, &len), 0);
    EXPECT(got[0] == 1 && got[1] == 5);
    EXPECT_EQ(px_setsockopt(&f.px, 3, SOCKET, 13, linger, 4), -PX_EINVAL);
    EXPECT_EQ(px_setsockopt(&f.px, 3, SOCKET, 21, tv, sizeof tv), 0);
    len = sizeof back;
    EXPECT_EQ(px_getsockopt(&f.px, 3, SOCKET, 21, back, &len), 0);
    EXPECT_MEM(back, tv, sizeof tv);
    tv[1] = 1000000;
    EXPECT_EQ(px_setsockopt(&f.px, 3, SOCKET, 21, tv, sizeof tv), -PX_EDOM);
    EXPECT_EQ(px_setsockopt(&f.px, 3, TCP, 13, "reno", 4), 0);
    len = sizeof name;
    EXPECT_EQ(px_getsockopt(&f.px, 3, TCP, 13, name, &len), 0);
    EXPECT_STR(name, "reno");
    EXPECT_EQ(px_setsockopt(&f.px, 3, TCP, 13, "vegas", 5), -PX_ENOENT);
    fx_px_close(&f);
}

TEST("TCP_INFO is given in part where less room is")
{
    struct fx_px f;
    fx_px_open(&f);
    fx_px_pair(&f);
    uint8_t info[400];
    uint32_t len = sizeof info;
    EXPECT_EQ(px_getsockopt(&f.px, 4, TCP, 11, info, &len), 0);
    EXPECT_EQ(len, PX_TCP_INFO_BYTES);
    EXPECT_EQ(info[0], 1);
    len = 104;
    EXPECT_EQ(px_getsockopt(&f.px, 4, TCP, 11, info, &len), 0);
    EXPECT_EQ(len, 104);
    len = 100;
    EXPECT_EQ(px_getsockopt(&f.px, 4, TCP, 26, info, &len), 0);
    EXPECT_EQ(len, 0);
    EXPECT(get(&f, 4, TCP, 2) > 500);           /* TCP_MAXSEG: of the connection */
    fx_px_close(&f);
}

TEST("what does not exist, or is too short, is refused")
{
    struct fx_px f;
    fx_px_open(&f);
    uint16_t two = 1;
    EXPECT_EQ(px_socket(&f.px, 3, PX_AF_INET, PX_SOCK_STREAM, 0), 3);
    EXPECT_EQ(set(&f, 3, SOCKET, 9999, 1), -PX_ENOPROTOOPT);
    EXPECT_EQ(get(&f, 3, SOCKET, 9999), -PX_ENOPROTOOPT);
    EXPECT_EQ(set(&f, 99, SOCKET, 2, 1), -PX_EBADF);
    EXPECT_EQ(get(&f, 99, SOCKET, 2), -PX_EBADF);
    EXPECT_EQ(px_setsockopt(&f.px, 3, SOCKET, 2, &two, sizeof two), -PX_EINVAL);
    EXPECT_EQ(set(&f, 3, IP, 10, 77), -PX_EINVAL);
    EXPECT_EQ(set(&f, 3, TCP, 14, 1), -PX_EOPNOTSUPP);  /* TCP_MD5SIG */
    EXPECT_EQ(px_pipe(&f.px, 5, 6), 0);
    EXPECT_EQ(set(&f, 5, SOCKET, 2, 1), -PX_ENOTSOCK);
    fx_px_close(&f);
}
