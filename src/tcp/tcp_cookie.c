/*
 * SYN cookies (RFC 4987, 3.6): a SYN is answered and forgotten; what must be known when its
 * acknowledgement comes is in the sequence number that it acknowledges.
 *
 * The cookie is 32 bits of a SipHash of the tuple, the peer's initial number and the minute, with
 * the index of an MSS laid over the top three. What comes back is right when the other 29 bits are
 * those of this period of 64 seconds or of the one before: a guess is right once in 2^28. Who
 * changes the three bits changes the MSS that he told us himself.
 *
 * Where the peer has timestamps, six bits of ours say the rest: its window shift, SACK, ECN. They
 * are taken back from time, never forward: the next segment's timestamp must not be older (7323,
 * 4.1). Without timestamps there is nowhere to keep these, and the connection does without them.
 */
#include "tcp/tcp.h"

#define PERIOD_NS     (64 * NS_PER_S)
#define MSS_SHIFT     29
#define MAC_MASK      ((1u << MSS_SHIFT) - 1)
#define TS_BITS       0x3fu
#define TS_WSCALE     0x0fu                     /* 15: no shift */
#define TS_SACK       0x10u
#define TS_ECN        0x20u

/* Rounded down to: a segment that is too large may never arrive, one that is small does. */
static const uint16_t mss_table[] = {TCP_MSS_FLOOR, 536, 1220, 1360, 1440, 1460, 4312, 8960};

static_assert(ARRAY_LEN(mss_table) == 1u << (32 - MSS_SHIFT), "the index has three bits");

static uint32_t mss_index(uint16_t mss)
{
    uint32_t i = ARRAY_LEN(mss_table) - 1;
    while (i > 0 && mss_table[i] > mss)
        i--;
    return i;
}

static uint32_t hash(const struct tcp *t, const struct tcp_tuple *k, seq_t irs, uint64_t period)
{
    uint64_t words[TCP_TUPLE_WORDS + 1];
    unsigned n = tcp_tuple_words(k, words);
    words[n] = (uint64_t)irs.v << 32 | (uint32_t)period;
    return (uint32_t)siphash_words(&t->half.cookie_key, words, n + 1);
}

static uint16_t peer_mss(const struct tcp_tuple *k, const struct tcp_opts *o)
{
    if (o->has_mss)
        return o->mss;
    return tuple_is_v4(k) ? TCP_MSS_DEFAULT4 : TCP_MSS_DEFAULT6;
}

/* Our timestamp with these bits, not later than it is. */
static uint32_t ts_with(uint32_t ts, uint32_t bits)
{
    uint32_t with = (ts & ~TS_BITS) | bits;
    return (ts & TS_BITS) < bits ? with - (TS_BITS + 1) : with;
}

static uint32_t ts_bits(const struct tcp *t, const struct tcp_opts *o, bool ecn)
{
    uint32_t bits = TS_WSCALE;
    if (o->has_wscale && t->set.wscale <= TCP_WSCALE_MAX)
        bits = o->wscale < TCP_WSCALE_MAX ? o->wscale : TCP_WSCALE_MAX;
    if (o->sack_perm && t->set.sack)
        bits |= TS_SACK;
    return bits | (ecn ? TS_ECN : 0);
}

seq_t tcp_cookie_make(struct tcp *t, const struct tcp_tuple *k, seq_t irs,
                      const struct tcp_opts *o, bool ecn, uint32_t *ts_val)
{
    uint64_t period = t->env->now / PERIOD_NS;
    t->half.cookies_until = (period + 2) * PERIOD_NS;
    if (o->has_ts)
        *ts_val = ts_with(*ts_val, ts_bits(t, o, ecn));
    return seq_of(hash(t, k, irs, period) ^ mss_index(peer_mss(k, o)) << MSS_SHIFT);
}

bool tcp_cookie_check(struct tcp *t, const struct tcp_tuple *k, seq_t irs, seq_t cookie,
                      bool has_ts, uint32_t ts_ecr, struct tcp_cookie *out)
{
    uint64_t period = t->env->now / PERIOD_NS;
    if (t->env->now >= t->half.cookies_until)
        return false;                           /* none is out: nothing to be guessed at */
    uint32_t x = cookie.v ^ hash(t, k, irs, period);
    if ((x & MAC_MASK) != 0)
        x = cookie.v ^ hash(t, k, irs, period - 1);
    if ((x & MAC_MASK) != 0)
        return false;
    uint32_t bits = has_ts ? ts_ecr & TS_BITS : TS_WSCALE;
    *out = (struct tcp_cookie){
        .mss = mss_table[x >> MSS_SHIFT],
        .wscale = (bits & TS_WSCALE) <= TCP_WSCALE_MAX ? (uint8_t)(bits & TS_WSCALE) : 0xff,
        .sack = (bits & TS_SACK) != 0,
        .ecn = (bits & TS_ECN) != 0,
    };
    return true;
}
