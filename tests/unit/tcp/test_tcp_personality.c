#include "test.h"

#include "tcp/tcp_personality.c"

static struct tcp_settings as(const struct oriel_tcp_config *cfg)
{
    struct tcp_settings s;
    tcp_settings_from(&s, cfg);
    return s;
}

#define AS(...) as(&(struct oriel_tcp_config){__VA_ARGS__})

TEST("each personality has the times that it is known for")
{
    struct row {
        enum oriel_personality who;
        uint32_t rto_min_ms, delack_ms, time_wait_s, syn_s, first_window, shift;
    };
    static const struct row rows[] = {
        {ORIEL_AS_ORIEL, 200, 40, 120, 180, 65535, 7},
        {ORIEL_AS_RFC, 1000, 200, 240, 180, 65535, 7},
        {ORIEL_AS_LINUX, 200, 40, 60, 127, 64240, 7},
        {ORIEL_AS_FREEBSD, 230, 100, 60, 75, 65535, 6},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct tcp_settings s = AS(.personality = rows[i].who);
        EXPECT_EQ(s.personality, rows[i].who);
        EXPECT_EQ(s.rto_min, rows[i].rto_min_ms * NS_PER_MS);
        EXPECT_EQ(s.delack, rows[i].delack_ms * NS_PER_MS);
        EXPECT_EQ(2 * s.msl, rows[i].time_wait_s * NS_PER_S);
        EXPECT_EQ(s.syn_timeout, rows[i].syn_s * NS_PER_S);
        EXPECT_EQ(s.wnd_initial_max, rows[i].first_window);
        EXPECT_EQ(s.wscale, rows[i].shift);
        EXPECT_EQ(s.initial_window, 10);
        EXPECT_EQ(s.rto_init, NS_PER_S);
        EXPECT_EQ(s.ecn, ORIEL_ECN_PASSIVE);
    }
}

TEST("SYNs carry their options in the order of the personality")
{
    static const uint8_t linux_order[] = {TCP_OPT_MSS, TCP_OPT_SACK_PERM, TCP_OPT_TS,
                                          TCP_OPT_WSCALE};
    static const uint8_t bsd_order[] = {TCP_OPT_MSS, TCP_OPT_WSCALE, TCP_OPT_SACK_PERM, TCP_OPT_TS};
    struct tcp_settings l = AS(.personality = ORIEL_AS_LINUX);
    struct tcp_settings b = AS(.personality = ORIEL_AS_FREEBSD);
    EXPECT(l.syn_opts_n == 4 && b.syn_opts_n == 4);
    EXPECT_MEM(l.syn_opts, linux_order, 4);
    EXPECT_MEM(b.syn_opts, bsd_order, 4);
}

TEST("personalities answer the same strange segments differently")
{
    EXPECT(!AS(.personality = ORIEL_AS_ORIEL).ack_unsent_silent);
    EXPECT(AS(.personality = ORIEL_AS_LINUX).ack_unsent_silent);
    EXPECT(!AS(.personality = ORIEL_AS_ORIEL).rst_in_time_wait);
    EXPECT(AS(.personality = ORIEL_AS_RFC).rst_in_time_wait);
    EXPECT(!AS(.personality = ORIEL_AS_FREEBSD).rst_in_time_wait);
    EXPECT(AS(.personality = ORIEL_AS_LINUX).linux_syn_rto);
    EXPECT_EQ(AS(.personality = ORIEL_AS_RFC).fin_wait_2, 0);
}

TEST("defaults keep what RFC 9293 asks of them")
{
    COVERS("MUST-23 MUST-40 SHLD-11");
    static const enum oriel_personality rfc_like[] = {ORIEL_AS_ORIEL, ORIEL_AS_RFC};
    for (unsigned i = 0; i < ARRAY_LEN(rfc_like); i++) {
        struct tcp_settings s = AS(.personality = rfc_like[i]);
        EXPECT(s.syn_timeout >= 180 * NS_PER_S);
        EXPECT(s.user_timeout >= 100 * NS_PER_S);
        EXPECT(s.delack < 500 * NS_PER_MS);
        EXPECT(s.rto_max >= 60 * NS_PER_S);
    }
}

TEST("what the configuration says goes before the personality")
{
    struct tcp_settings s = AS(.personality = ORIEL_AS_LINUX, .msl_ms = 1000, .rto_min_ms = 50,
                               .rto_max_ms = 5000, .rto_init_ms = 300, .delack_ms = 10,
                               .initial_window = 3, .ecn = ORIEL_ECN_ACCURATE,
                               .cookies = ORIEL_COOKIES_ALWAYS, .congestion = "newreno",
                               .sndbuf = 4096, .rcvbuf = 8192, .no_timestamps = true,
                               .no_rack = true, .no_fast_path = true, .mtu_probing = true);
    EXPECT_EQ(s.msl, NS_PER_S);
    EXPECT_EQ(s.rto_min, 50 * NS_PER_MS);
    EXPECT_EQ(s.rto_max, 5 * NS_PER_S);
    EXPECT_EQ(s.rto_init, 300 * NS_PER_MS);
    EXPECT_EQ(s.delack, 10 * NS_PER_MS);
    EXPECT(s.delack_min <= s.delack);
    EXPECT_EQ(s.initial_window, 3);
    EXPECT_EQ(s.ecn, ORIEL_ECN_ACCURATE);
    EXPECT_EQ(s.cookies, ORIEL_COOKIES_ALWAYS);
    EXPECT_EQ(s.cc, CC_NEWRENO);
    EXPECT_EQ(s.sndbuf, 4096);
    EXPECT_EQ(s.rcvbuf, 8192);
    EXPECT(!s.timestamps && s.sack && !s.rack && !s.fast_path && s.mtu_probing);
}

TEST("impossible wishes are made possible")
{
    EXPECT(AS(.delack_ms = 10000).delack < 500 * NS_PER_MS);
    EXPECT_EQ(AS(.rto_min_ms = 500000).rto_max, 500 * NS_PER_S);
    EXPECT_EQ(AS(.rto_init_ms = 500000).rto_init, 120 * NS_PER_S);
    EXPECT_EQ(AS(.rcvbuf = 1).rcvbuf, 2048);
    EXPECT_EQ(AS(.rcvbuf = UINT32_MAX).rcvbuf, 1u << 30);
    EXPECT(AS(.rcvbuf = 1u << 30).rcvbuf_max >= 1u << 30);
    EXPECT_EQ(AS(.congestion = "no such thing").cc, CC_CUBIC);
    EXPECT(!AS(.no_sack = true).rack);          /* RACK lives on SACK */
}

TEST("the window's shift is that of the largest buffer, or as configured")
{
    static const uint32_t max[] = {65535, 65536, 131070, 131071, 6 << 20, 1 << 30};
    static const uint8_t shift[] = {0, 1, 1, 2, 7, 14};
    for (unsigned i = 0; i < ARRAY_LEN(max); i++)
        EXPECT_EQ(AS(.rcvbuf = 65535, .rcvbuf_max = max[i]).wscale, shift[i]);
    EXPECT_EQ(AS(.window_scale = 3).wscale, 3);
    EXPECT_EQ(AS(.window_scale = 100).wscale, TCP_WSCALE_MAX);
    EXPECT_EQ(AS(.window_scale = -1).wscale, WSCALE_UNUSED);
}
