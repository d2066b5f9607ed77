#include "fx_tcp.h"

/* ---- initial sequence numbers ---- */

TEST("the initial number moves by one every four microseconds and keeps its keyed part")
{
    COVERS("MUST-8");
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    struct tcp_secret a = tcp_isn(&f->tcp, &k);
    fx_pass(&f->fx, 4 * NS_PER_US);
    EXPECT_EQ(tcp_isn(&f->tcp, &k).iss.v, a.iss.v + 1);
    fx_pass(&f->fx, 3600 * NS_PER_S - 4 * NS_PER_US);
    EXPECT_EQ(tcp_isn(&f->tcp, &k).iss.v, a.iss.v + 900000000u);
    EXPECT_EQ(tcp_isn(&f->tcp, &k).ts_off, a.ts_off);
    fx_tcp_free(f);
}

TEST("a known key and tuple give known numbers")
{
    COVERS("MUST-9 6528-1 SHLD-1");
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple v4 = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    struct tcp_tuple v6 = fx_tuple("2001:db8::1", 80, "2001:db8::2", 4000);
    f->tcp.isn_key = (struct siphash_key){.k0 = 0x0706050403020100, .k1 = 0x0f0e0d0c0b0a0908};
    f->fx.env.now = 0;
    /* SipHash-2-4, computed elsewhere, of the addresses and the ports */
    const uint64_t h4 = 0x150783d1befdfe79, h6 = 0xf64341b4d0c958fa;
    EXPECT_EQ(tcp_isn(&f->tcp, &v4).iss.v, (uint32_t)h4);
    EXPECT_EQ(tcp_isn(&f->tcp, &v4).ts_off, h4 >> 32);
    EXPECT_EQ(tcp_isn(&f->tcp, &v6).iss.v, (uint32_t)h6);
    EXPECT_EQ(tcp_isn(&f->tcp, &v6).ts_off, h6 >> 32);
    f->fx.env.now = FX_START;
    fx_tcp_free(f);
}

TEST("two stacks with different seeds, and two tuples of one stack, share nothing")
{
    COVERS("MUST-9 S2 S38");
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    uint32_t mine = tcp_isn(&f->tcp, &k).iss.v;
    uint8_t other[32] = {1};
    f->tcp.isn_key = siphash_derive(other, "tcp isn");
    EXPECT(tcp_isn(&f->tcp, &k).iss.v != mine);
    fx_tcp_free(f);
}

/* 3.9 sigma of a binomial: each bit of the difference between neighbours is as often 0 as 1. */
static void expect_fair(unsigned ones, unsigned of)
{
    unsigned half = of / 2, d = ones > half ? ones - half : half - ones;
    EXPECT((uint64_t)d * d * 4 < (uint64_t)of * 16);
}

TEST("numbers of neighbouring tuples look like chance: every bit, and one after the other")
{
    COVERS("S2 MUST-9");
    enum { N = 65536 };
    struct fx_tcp *f = fx_tcp();
    unsigned ones[64] = {0}, flips[32] = {0}, bucket[256] = {0};
    uint32_t last = 0;
    for (unsigned i = 0; i < N; i++) {
        struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
        k.remote_port = (uint16_t)i;
        struct tcp_secret s = tcp_isn(&f->tcp, &k);
        uint64_t both = (uint64_t)s.ts_off << 32 | s.iss.v;
        for (unsigned b = 0; b < 64; b++)
            ones[b] += (unsigned)(both >> b & 1);
        for (unsigned b = 0; b < 32; b++)
            flips[b] += (s.iss.v ^ last) >> b & 1;
        bucket[(s.iss.v - last) >> 24]++;
        last = s.iss.v;
    }
    for (unsigned b = 0; b < 64; b++)
        expect_fair(ones[b], N);
    for (unsigned b = 0; b < 32; b++)
        expect_fair(flips[b], N);
    int64_t chi = 0;            /* of the differences: 255 degrees of freedom */
    for (unsigned b = 0; b < 256; b++)
        chi += ((int64_t)bucket[b] - N / 256) * ((int64_t)bucket[b] - N / 256);
    chi /= N / 256;
    EXPECT(chi > 170 && chi < 360);
    fx_tcp_free(f);
}

TEST("timestamps have an offset for each tuple, never 0, and none where scripts compare")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple a = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    struct tcp_tuple b = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4001);
    EXPECT(tcp_isn(&f->tcp, &a).ts_off != tcp_isn(&f->tcp, &b).ts_off);
    EXPECT(tcp_isn(&f->tcp, &a).ts_off != 0);
    f->tcp.set.ts_random = false;
    EXPECT_EQ(tcp_isn(&f->tcp, &a).ts_off, 0);
    fx_tcp_free(f);
}

/* ---- ports ---- */

TEST("ports come from the ephemeral range, differ, and do not tell what comes next")
{
    COVERS("6056-1");
    enum { N = 10000 };
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    static bool seen[65536];
    memset(seen, 0, sizeof(seen));
    unsigned steps[5] = {0}, again = 0;
    uint16_t last = 0;
    for (unsigned i = 0; i < N; i++) {
        struct tcp_tuple k = fx_tuple("10.0.0.1", 0, "10.0.0.2", 443);
        uint16_t port = tcp_port_choose(&f->tcp, &k, &p);
        EXPECT(port >= TCP_PORT_EPHEMERAL_MIN && port <= TCP_PORT_EPHEMERAL_MAX);
        unsigned step = (uint16_t)(port - last);
        if (i > 0 && port > last) {
            EXPECT(step >= 1 && step <= 4);
            steps[step]++;
        }
        if (i < 6000)           /* 28232 ports, 2.5 a time: round once by then */
            again += seen[port];
        seen[port] = true;
        last = port;
    }
    EXPECT_EQ(again, 0);
    for (unsigned s = 1; s <= 4; s++)
        EXPECT(steps[s] > N / 4 - N / 20 && steps[s] < N / 4 + N / 20);
    fx_tcp_free(f);
}

TEST("sequences of ports to two destinations have nothing to do with each other")
{
    COVERS("6056-1");
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    static const char *const peers[] = {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"};
    int32_t distance[6];
    unsigned n = 0;
    uint16_t port[4];
    for (unsigned i = 0; i < 4; i++) {
        struct tcp_tuple k = fx_tuple("10.0.0.1", 0, peers[i], 443);
        port[i] = tcp_port_choose(&f->tcp, &k, &p);
    }
    for (unsigned i = 0; i < 4; i++)
        for (unsigned j = i + 1; j < 4; j++)
            distance[n++] = port[i] - port[j];
    for (unsigned i = 0; i < n; i++)
        EXPECT(distance[i] > 64 || distance[i] < -64);
    /* with another key the same destination begins elsewhere */
    struct tcp_tuple k = fx_tuple("10.0.0.1", 0, peers[0], 443);
    f->tcp.port_key.k0 ^= 1;
    int32_t d = tcp_port_choose(&f->tcp, &k, &p) - port[0];
    EXPECT(d > 64 || d < -64);
    fx_tcp_free(f);
}

TEST("a port that somebody listens on or whose tuple is taken is passed over")
{
    COVERS("6056-1");
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    struct tcp_tuple k = fx_tuple("10.0.0.1", 0, "10.0.0.2", 443);
    uint32_t clocks[TCP_PORT_CLOCKS];
    memcpy(clocks, f->tcp.port_clock, sizeof(clocks));
    struct rng dice = f->fx.env.rng;
    uint16_t first = tcp_port_choose(&f->tcp, &k, &p);
    memcpy(f->tcp.port_clock, clocks, sizeof(clocks));
    f->fx.env.rng = dice;
    EXPECT(fx_listener(f, first) != NULL);
    EXPECT_EQ(tcp_port_choose(&f->tcp, &k, &p), first + 1);
    fx_tcp_free(f);
}

TEST("when every port is somebody's there is none")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    struct oriel_listen all = {.port_last = TCP_PORT_EPHEMERAL_MAX};
    struct tcp_tuple k = fx_tuple("10.0.0.1", 0, "10.0.0.2", 443);
    EXPECT(fx_listen_as(f, NULL, TCP_PORT_EPHEMERAL_MIN, &all, &p) != NULL);
    EXPECT_EQ(tcp_port_choose(&f->tcp, &k, &p), 0);
    fx_tcp_free(f);
}
