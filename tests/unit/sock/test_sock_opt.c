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
