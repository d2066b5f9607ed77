/*
 * Numbers that a peer sees and nobody else may guess: initial sequence numbers, the offset of our
 * timestamps, ephemeral ports.
 *
 * Initial sequence number (RFC 6528): M + F(tuple, secret). M is a clock of one tick every 4 us, so
 * that a tuple that is used again begins beyond where it was; F is half of a SipHash of the tuple.
 * The other half is the offset of our timestamps (RFC 7323, 5.4): the same for a tuple whenever it
 * is used, so that timestamps of a later connection are later (6191), and none for all tuples
 * together, which would tell how long this host has been up.
 *
 * Port (RFC 6056, 3.3.4, "double hash"): one SipHash of both addresses and the remote port says
 * where the search begins and which of 256 counters moves it on. So each destination sees a
 * sequence of its own, ports are not used again soon, and nobody learns from his sequence how
 * others fare. A counter moves by a small random step (as 3.3.5 has it) where the RFC has 1: who
 * sees one port does not know the next.
 */
#include "tcp/tcp.h"

#define ISN_TICK_NS    (4 * NS_PER_US)          /* MUST-8 */
#define PORT_STEP_MASK 3u                       /* a counter moves by 1..4 */

unsigned tcp_tuple_words(const struct tcp_tuple *k, uint64_t words[TCP_TUPLE_WORDS])
{
    uint64_t ports = (uint64_t)k->local_port << 48 | (uint64_t)k->remote_port << 32 | k->zone;
    if (tuple_is_v4(k)) {                       /* both ends are of one family */
        words[0] = k->local_lo << 32 | (uint32_t)k->remote_lo;
        words[1] = ports;
        return 2;
    }
    words[0] = k->local_hi;
    words[1] = k->local_lo;
    words[2] = k->remote_hi;
    words[3] = k->remote_lo;
    words[4] = ports;
    return 5;
}

struct tcp_secret tcp_isn(const struct tcp *t, const struct tcp_tuple *k)
{
    uint64_t words[TCP_TUPLE_WORDS];
    unsigned n = tcp_tuple_words(k, words);
    uint64_t f = siphash_words(&t->isn_key, words, n);
    uint32_t clock = (uint32_t)(t->env->now / ISN_TICK_NS);
    uint32_t off = (uint32_t)(f >> 32);
    return (struct tcp_secret){
        .iss = seq_of(t->isn_range.from + (((uint32_t)f + clock) & t->isn_range.mask)),
        .ts_off = t->set.ts_random ? off | (off == 0) : 0,
    };
}

/* ---- ports ---- */

void tcp_port_init(struct tcp *t)
{
    for (uint64_t i = 0; i < TCP_PORT_CLOCKS; i++)
        t->port_clock[i] = (uint32_t)siphash_words(&t->port_key, &i, 1);
}

static bool is_suitable(struct tcp *t, const struct tcp_tuple *k, const struct tcp_profile *p)
{
    const struct oriel_endpoint local = {.addr = tuple_local(k), .port = k->local_port};
    uint8_t family = addr_is_unspecified(&local.addr) ? ORIEL_DUAL
                     : addr_is_v4(&local.addr) ? ORIEL_IP4 : ORIEL_IP6;
    if (tcp_port_taken(t, &local, family, p) || tcp_find(t, k) || tcp_halfopen_has(t, k))
        return false;
    return !tcp_timewait_has(t, k) || tcp_timewait_yield(t, k);
}

uint16_t tcp_port_choose(struct tcp *t, const struct tcp_tuple *k, const struct tcp_profile *p)
{
    const uint32_t span = TCP_PORT_EPHEMERAL_MAX - TCP_PORT_EPHEMERAL_MIN + 1;
    const uint64_t words[] = {k->local_hi, k->local_lo, k->remote_hi, k->remote_lo,
                              (uint64_t)k->zone << 32 | k->remote_port};
    uint64_t h = siphash_words(&t->port_key, words, ARRAY_LEN(words));
    uint32_t *clock = &t->port_clock[(h >> 32) % TCP_PORT_CLOCKS];
    struct tcp_tuple at = *k;
    *clock += 1 + ((uint32_t)rng_u64(&t->env->rng) & PORT_STEP_MASK);
    for (uint32_t i = 0; i < span; i++) {
        uint32_t offset = (uint32_t)(((h & UINT32_MAX) + *clock) % span);
        at.local_port = (uint16_t)(TCP_PORT_EPHEMERAL_MIN + offset);
        if (is_suitable(t, &at, p))
            return at.local_port;
        ++*clock;
    }
    return 0;
}
