/*
 * Limits from two numbers: bytes of memory, and connections. Each row says how; oriel_limit_each
 * shows the result.
 */
#include "stack/stack.h"

static uint32_t clamp(uint64_t v, uint32_t lo, uint32_t hi)
{
    return v < lo ? lo : v > hi ? hi : (uint32_t)v;
}

/*
 * Connections without a socket (closed by the application and not by the peer yet, or not accepted)
 * come on top of those with one. Whoever has data under way takes a flight block from a pool that
 * only the busy share.
 */
static struct tcp_limits tcp_limits_from(uint64_t m, uint32_t sockets,
                                         const struct oriel_tcp_config *cfg)
{
    uint32_t conns = clamp((uint64_t)sockets + sockets / 8 + 16, 16, SOCKS_MAX);
    return (struct tcp_limits){
        .conns = conns,
        .flights = clamp(m >> 15, 32, conns),
        .records = clamp(m >> 12, 256, 1u << 26),
        .ranges = clamp(m >> 13, 64, 1u << 24),
        .profiles = clamp(m >> 15, 32, 65536),
        .listeners = clamp(sockets / 8, 16, UINT16_MAX),
        .half_open = cfg->half_open ? clamp(cfg->half_open, 1, 1u << 26)
                                    : clamp(m >> 14, 64, 1u << 24),
        .time_wait = cfg->time_wait ? clamp(cfg->time_wait, 1, 1u << 26)
                                    : clamp(m >> 13, 64, 1u << 24),
    };
}

/* Few hosts have as many datagram sockets as connections. */
#define UDP_ALL 65536

struct limits limits_from(size_t memory_bytes, uint32_t connections, bool shared_packets,
                          const struct oriel_tcp_config *tcp)
{
    uint64_t m = memory_bytes;
    uint32_t sockets = clamp(connections, 16, SOCKS_MAX - 1);
    return (struct limits){
        .netifs = clamp(m >> 18, 8, 256),
        .addrs = clamp(m >> 16, 32, 4096),
        .routes = clamp(m >> 11, 64, 1u << 20),
        .neighs = clamp(m >> 13, 64, 65536),
        .frags = clamp(m >> 16, 8, 4096),
        .pmtus = clamp(m >> 14, 32, 16384),
        .groups = clamp(m >> 16, 24, 1024),
        .nat_sessions = clamp(m >> 13, 32, 65536),
        .sockets = sockets,
        .udp = sockets <= UDP_ALL ? sockets : UDP_ALL + (sockets - UDP_ALL) / 16,
        .tcp = tcp_limits_from(m, sockets, tcp),
        .frag_bytes = m >> 3,
        .packet_bytes = shared_packets ? m : m / 2,
    };
}
