/*
 * Limits from two numbers: bytes of memory, and connections. Each row says how; oriel_limit_each
 * shows the result.
 */
#include "stack/stack.h"

static uint32_t clamp(uint64_t v, uint32_t lo, uint32_t hi)
{
    return v < lo ? lo : v > hi ? hi : (uint32_t)v;
}

struct limits limits_from(size_t memory_bytes, uint32_t connections, bool shared_packets)
{
    uint64_t m = memory_bytes;
    return (struct limits){
        .netifs = clamp(m >> 18, 8, 256),
        .addrs = clamp(m >> 16, 32, 4096),
        .routes = clamp(m >> 11, 64, 1u << 20),
        .neighs = clamp(m >> 13, 64, 65536),
        .frags = clamp(m >> 16, 8, 4096),
        .pmtus = clamp(m >> 14, 32, 16384),
        .groups = clamp(m >> 16, 24, 1024),
        .nat_sessions = clamp(m >> 13, 32, 65536),
        .sockets = clamp(connections, 16, SOCKS_MAX - 1),
        .frag_bytes = m >> 3,
        .packet_bytes = shared_packets ? m : m / 2,
    };
}
