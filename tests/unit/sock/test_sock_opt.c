#include "fx_stack.h"

struct row {
    enum oriel_opt opt;
    int64_t low, high;          /* both accepted; one beyond each is not */
    bool on_icmp;
};

static const struct row rows[] = {
    {ORIEL_OPT_TTL, 0, 255, true},         {ORIEL_OPT_MCAST_TTL, 1, 255, true},
    {ORIEL_OPT_MCAST_LOOP, 0, 1, false},   {ORIEL_OPT_TOS, 0, 255, true},
    {ORIEL_OPT_BROADCAST, 0, 1, true},     {ORIEL_OPT_REUSEADDR, 0, 1, false},
    {ORIEL_OPT_V6ONLY, 0, 1, false},       {ORIEL_OPT_NO_CSUM, 0, 1, false},
    {ORIEL_OPT_DF, 0, 2, true},            {ORIEL_OPT_RCVBUF, 2048, (int64_t)1 << 40, true},
};

static void expect_round_trip(struct fx *f, oriel_handle h, const struct row *r, int64_t v)
{
    int64_t back = -1;
    EXPECT_EQ(oriel_setopt(f->s, h, r->opt, v), 0);
    EXPECT_EQ(oriel_getopt(f->s, h, r->opt, &back), 0);
    EXPECT_EQ(back, v);
}

TEST("each option keeps what it is given within its bounds, and refuses what is beyond them")
{
    struct fx *f = fx_new();
    oriel_handle udp, icmp;
    int64_t v;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &udp), 0);
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &icmp), 0);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        expect_round_trip(f, udp, r, r->low);
        expect_round_trip(f, udp, r, r->high);
        EXPECT_EQ(oriel_setopt(f->s, udp, r->opt, r->low - 1), ORIEL_EINVAL);
        EXPECT_EQ(oriel_setopt(f->s, udp, r->opt, r->high + 1), ORIEL_EINVAL);
        if (r->on_icmp)
            expect_round_trip(f, icmp, r, r->high);
        else
            EXPECT_EQ(oriel_setopt(f->s, icmp, r->opt, r->low), ORIEL_ENOPROTOOPT);
    }
    EXPECT_EQ(oriel_setopt(f->s, udp, ORIEL_OPT_N, 0), ORIEL_ENOPROTOOPT);
    EXPECT_EQ(oriel_getopt(f->s, udp, ORIEL_OPT_N, &v), ORIEL_ENOPROTOOPT);
    EXPECT_EQ(oriel_setopt(f->s, udp, ORIEL_OPT_ERROR, 0), ORIEL_ENOPROTOOPT);
    EXPECT_EQ(oriel_setopt(f->s, udp, ORIEL_OPT_MTU, 0), ORIEL_ENOPROTOOPT);
    fx_free(f);
}

TEST("an interface that does not exist cannot be chosen")
{
    struct fx *f = fx_new();
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_BIND_NETIF, f->nif), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_BIND_NETIF, 7), ORIEL_EINVAL);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_MCAST_NETIF, 7), ORIEL_EINVAL);
    fx_free(f);
}

TEST("the path's MTU is asked of a connected socket")
{
    struct fx *f = fx_new();
    oriel_handle h;
    int64_t v;
    struct oriel_endpoint peer = {.addr = fx_addr("10.0.0.2"), .port = 9};
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &v), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_connect(f->s, h, &peer), 0);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &v), 0);
    EXPECT_EQ(v, 1500);
    fx_free(f);
}

TEST("a socket for IPv6 only neither sends nor binds to IPv4")
{
    struct fx *f = fx_new();
    oriel_handle h;
    struct oriel_endpoint v4 = {.addr = fx_addr("10.0.0.1"), .port = 9};
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_V6ONLY, 1), 0);
    EXPECT_EQ(oriel_bind(f->s, h, &v4), ORIEL_EAFNOSUPPORT);
    EXPECT_EQ(oriel_connect(f->s, h, &v4), ORIEL_EAFNOSUPPORT);
    fx_free(f);
}

/* ---- streams ---- */

static const struct row stream_rows[] = {
    {ORIEL_OPT_SNDBUF, 2048, 1 << 30, false},
    {ORIEL_OPT_RCVBUF, 2048, 1 << 30, false},
    {ORIEL_OPT_RCVLOWAT, 1, 1 << 30, false},
    {ORIEL_OPT_TTL, 0, 255, false},
    {ORIEL_OPT_TOS, 0, 252, false},
    {ORIEL_OPT_DF, 0, 2, false},
    {ORIEL_OPT_REUSEADDR, 0, 1, false},
    {ORIEL_OPT_REUSEPORT, 0, 1, false},
    {ORIEL_OPT_ANY_ADDR, 0, 1, false},
    {ORIEL_OPT_V6ONLY, 0, 1, false},
    {ORIEL_OPT_LINGER, -1, INT32_MAX, false},
    {ORIEL_OPT_KEEPALIVE, 0, 1, false},
    {ORIEL_OPT_KEEPIDLE_MS, 1, INT32_MAX, false},
    {ORIEL_OPT_KEEPINTVL_MS, 1, INT32_MAX, false},
    {ORIEL_OPT_KEEPCNT, 1, 127, false},
    {ORIEL_OPT_USER_TIMEOUT_MS, 0, INT32_MAX, false},
    {ORIEL_OPT_NODELAY, 0, 1, false},
    {ORIEL_OPT_CORK, 0, 1, false},
    {ORIEL_OPT_QUICKACK, 0, 1, false},
    {ORIEL_OPT_MAXSEG, 0, 65495, false},
    {ORIEL_OPT_CONGESTION, 0, 2, false},
    {ORIEL_OPT_NOTSENT_LOWAT, 0, UINT32_MAX, false},
    {ORIEL_OPT_DEFER_ACCEPT_MS, 0, INT32_MAX, false},
    {ORIEL_OPT_MAX_PACING_RATE, 0, INT64_MAX, false},
    {ORIEL_OPT_FASTOPEN, 0, 65535, false},
    {ORIEL_OPT_FASTOPEN_CONNECT, 0, 1, false},
    {ORIEL_OPT_WINDOW_CLAMP, 0, 1 << 30, false},
    {ORIEL_OPT_OOBINLINE, 0, 1, false},
    {ORIEL_OPT_SYNCNT, 0, 127, false},
    {ORIEL_OPT_SOFT_ERRORS, 0, 1, false},
    {ORIEL_OPT_ECN, ORIEL_ECN_OFF, ORIEL_ECN_ACCURATE, false},
};

/* Options that a stream has and whose bounds are not tried by the rows above. */
static const enum oriel_opt stream_others[] = {
    ORIEL_OPT_ERROR,   ORIEL_OPT_MTU,    ORIEL_OPT_AT_MARK,    ORIEL_OPT_UNREAD,
    ORIEL_OPT_UNSENT,  ORIEL_OPT_PKTINFO, ORIEL_OPT_BIND_NETIF, ORIEL_OPT_MD5SIG,
    ORIEL_OPT_AUTHENTICATION, ORIEL_OPT_TEMPORARY_ADDRS,
};

static bool is_of_streams(enum oriel_opt opt)
{
    for (unsigned i = 0; i < ARRAY_LEN(stream_rows); i++)
        if (stream_rows[i].opt == opt)
            return true;
    for (unsigned i = 0; i < ARRAY_LEN(stream_others); i++)
        if (stream_others[i] == opt)
            return true;
    return false;
}

TEST("each option of a stream keeps what it is given within its bounds, listening or not")
{
    struct fx *f = fx_new();
    COVERS("MUST-17 MUST-21 MUST-24 MUST-27 MUST-48 MUST-49 SHLD-20 SHLD-21");
    for (unsigned listening = 0; listening < 2; listening++) {
        oriel_handle h;
        EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &h), 0);
        if (listening)
            EXPECT_EQ(oriel_listen(f->s, h, NULL), 0);
        for (unsigned i = 0; i < ARRAY_LEN(stream_rows); i++) {
            const struct row *r = &stream_rows[i];
            bool before = r->opt == ORIEL_OPT_V6ONLY || r->opt == ORIEL_OPT_REUSEPORT;
            if (r->high < INT64_MAX && r->opt != ORIEL_OPT_TOS)
                EXPECT_EQ(oriel_setopt(f->s, h, r->opt, r->high + 1), ORIEL_EINVAL);
            EXPECT_EQ(oriel_setopt(f->s, h, r->opt, r->opt == ORIEL_OPT_ECN ? -1 : r->low - 1),
                      ORIEL_EINVAL);
            if (before && listening) {
                EXPECT_EQ(oriel_setopt(f->s, h, r->opt, 1), ORIEL_EINVAL);
                continue;
            }
            expect_round_trip(f, h, r, r->high);
            expect_round_trip(f, h, r, r->low);
        }
    }
    fx_free(f);
}

TEST("what is no option of a socket's kind is refused, for streams and for datagrams")
{
    struct fx *f = fx_new();
    oriel_handle h, u;
    int64_t v;
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_udp_open(f->s, ORIEL_DUAL, &u), 0);
    for (int o = 0; o < ORIEL_OPT_N; o++) {
        if (is_of_streams((enum oriel_opt)o))
            continue;
        EXPECT_EQ(oriel_setopt(f->s, h, (enum oriel_opt)o, 1), ORIEL_ENOPROTOOPT);
        EXPECT_EQ(oriel_getopt(f->s, h, (enum oriel_opt)o, &v), ORIEL_ENOPROTOOPT);
    }
    for (int o = ORIEL_OPT_SNDBUF; o < ORIEL_OPT_MD5SIG; o++) {
        EXPECT_EQ(oriel_setopt(f->s, u, (enum oriel_opt)o, 0), ORIEL_ENOPROTOOPT);
        EXPECT_EQ(oriel_getopt(f->s, u, (enum oriel_opt)o, &v), ORIEL_ENOPROTOOPT);
    }
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_N, 0), ORIEL_ENOPROTOOPT);
    EXPECT_EQ(oriel_setopt(f->s, h, (enum oriel_opt)-1, 0), ORIEL_ENOPROTOOPT);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_N, &v), ORIEL_ENOPROTOOPT);
    for (enum oriel_opt o = ORIEL_OPT_AT_MARK; o <= ORIEL_OPT_UNSENT; o++)
        EXPECT_EQ(oriel_setopt(f->s, h, o, 0), ORIEL_ENOPROTOOPT);      /* read only */
    fx_free(f);
}

TEST("what is left for later is refused by its name")
{
    static const enum oriel_opt later[] = {ORIEL_OPT_MD5SIG, ORIEL_OPT_AUTHENTICATION,
                                           ORIEL_OPT_TEMPORARY_ADDRS};
    struct fx *f = fx_new();
    oriel_handle h;
    int64_t v;
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &h), 0);
    for (unsigned i = 0; i < ARRAY_LEN(later); i++) {
        EXPECT_EQ(oriel_setopt(f->s, h, later[i], 1), ORIEL_EOPNOTSUPP);
        EXPECT_EQ(oriel_getopt(f->s, h, later[i], &v), ORIEL_EOPNOTSUPP);
    }
    fx_free(f);
}

TEST("values that make no sense for streams are refused, and defaults are told as they are")
{
    struct fx *f = fx_new();
    oriel_handle h;
    int64_t v;
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_MAXSEG, TCP_MSS_FLOOR - 1), ORIEL_EINVAL);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_BIND_NETIF, 7), ORIEL_EINVAL);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_BIND_NETIF, f->nif), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_TOS, 0xff), 0);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_TOS, &v), 0);
    EXPECT_EQ(v, 0xfc);                         /* two bits of it are ECN's */
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_TOS, 256), ORIEL_EINVAL);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_ECN, ORIEL_ECN_DEFAULT), 0);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_ECN, &v), 0);
    EXPECT_EQ(v, ORIEL_ECN_PASSIVE);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_RCVBUF, &v), 0);
    EXPECT_EQ(v, f->s->tcp.set.rcvbuf);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_SNDBUF, &v), 0);
    EXPECT_EQ(v, f->s->tcp.set.sndbuf);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &v), ORIEL_ENOTCONN);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_PKTINFO, 1), 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_PKTINFO, 2), ORIEL_EINVAL);
    fx_free(f);
}

TEST("when no more sets of options are left setting one is refused and changes nothing")
{
    struct fx *f = fx_new();
    oriel_handle h, other[200];
    int64_t v;
    int err = 0;
    unsigned n = 0;
    COVERS("INV-6");
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &h), 0);
    f->s->tcp.profiles.cap = 20;                /* as with less memory */
    for (; !err && n < 200; n++) {
        EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &other[n]), 0);
        err = oriel_setopt(f->s, other[n], ORIEL_OPT_RCVLOWAT, n + 2);
    }
    EXPECT_EQ(err, ORIEL_ENOBUFS);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_NODELAY, 1), ORIEL_ENOBUFS);
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_NODELAY, &v), 0);
    EXPECT_EQ(v, 0);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_RCVLOWAT, 3), 0); /* one that others have */
    fx_free(f);
}
