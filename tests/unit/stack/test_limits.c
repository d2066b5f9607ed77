#include "fx_stack.h"

#include "stack/limits.c"

#define GIB ((size_t)1 << 30)
#define MIB ((size_t)1 << 20)

static struct limits of(size_t memory, uint32_t connections, bool shared)
{
    static const struct oriel_tcp_config defaults;
    return limits_from(memory, connections, shared, &defaults);
}

/* Bytes that the tables of TCP and the sockets take of the arena. */
static uint64_t tables(const struct limits *l)
{
    uint64_t slots = 2;
    while (slots / 2 < l->tcp.conns)
        slots *= 2;
    return (uint64_t)l->tcp.conns * (sizeof(struct tcp_conn) + 5) +
           slots * sizeof(struct hmap_slot) +
           (uint64_t)l->tcp.flights * (sizeof(struct tcp_flight) + 1) +
           (uint64_t)l->tcp.records * (sizeof(struct tcp_sent) + 1) +
           (uint64_t)l->tcp.ranges * (sizeof(struct tcp_range) + 1) +
           (uint64_t)l->tcp.half_open * (sizeof(struct tcp_half) + 8) +
           (uint64_t)l->tcp.time_wait * (sizeof(struct tcp_tw) + 8) +
           (uint64_t)l->sockets * (sizeof(struct sock) + 1) +
           (uint64_t)l->udp * (sizeof(struct udp_pcb) + 64);
}

TEST("a stack of 24 GiB holds five million connections, and so does one of 12")
{
    static const size_t sizes[] = {24 * GIB, 12 * GIB};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        struct limits l = of(sizes[i], 5000000, false);
        EXPECT_EQ(l.sockets, 5000000);
        EXPECT(l.tcp.conns >= 5000000);
        EXPECT(l.tcp.half_open >= 500000 && l.tcp.time_wait >= 1000000);
        EXPECT(tables(&l) < sizes[i] / 2);      /* the other half is for packets */
    }
}

TEST("a host of two megabytes has what it needs to open connections and to talk")
{
    COVERS("S36");
    struct limits l = of(2 * MIB, 256, false);
    EXPECT(l.tcp.conns > 256 && l.tcp.flights >= 64 && l.tcp.records >= 512);
    EXPECT(l.tcp.listeners >= 16 && l.tcp.half_open >= 64 && l.tcp.time_wait >= 64);
    EXPECT(tables(&l) < MIB);
    struct fx *f = fx_new(.stack = {.memory_bytes = 2 * MIB, .trace_events = 64});
    oriel_handle h;
    EXPECT_EQ(oriel_tcp_open(f->s, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_listen(f->s, h, NULL), 0);
    fx_free(f);
}

TEST("no limit is below its least or above what its index can name, whatever the two numbers are")
{
    static const size_t memory[] = {0, 1, MIB, 100 * MIB, GIB << 10, SIZE_MAX};
    static const uint32_t connections[] = {0, 1, 16, 65536, 1u << 24, UINT32_MAX};
    for (unsigned m = 0; m < ARRAY_LEN(memory); m++) {
        for (unsigned c = 0; c < ARRAY_LEN(connections); c++) {
            struct limits l = of(memory[m], connections[c], false);
            EXPECT(l.sockets >= 16 && l.sockets < SOCKS_MAX);
            EXPECT(l.udp >= 16 && l.udp <= l.sockets);
            EXPECT(l.tcp.conns >= l.sockets && l.tcp.conns <= SOCKS_MAX);
            EXPECT(l.tcp.flights >= 32 && l.tcp.flights <= l.tcp.conns);
            EXPECT(l.tcp.records >= 256 && l.tcp.ranges >= 64 && l.tcp.profiles >= 32);
            EXPECT(l.tcp.listeners >= 16 && l.tcp.listeners <= UINT16_MAX);
            EXPECT(l.tcp.half_open >= 64 && l.tcp.time_wait >= 64);
        }
    }
}

TEST("half-open and ended connections are as many as the configuration says, where it does")
{
    struct oriel_tcp_config cfg = {.half_open = 5, .time_wait = 3000000};
    struct limits l = limits_from(16 * MIB, 256, false, &cfg);
    EXPECT_EQ(l.tcp.half_open, 5);
    EXPECT_EQ(l.tcp.time_wait, 3000000);
}

TEST("packets have half of the memory, or all of it where others own their pools")
{
    EXPECT_EQ(of(16 * MIB, 256, false).packet_bytes, 8 * MIB);
    EXPECT_EQ(of(16 * MIB, 256, true).packet_bytes, 16 * MIB);
}
