/*
 * struct tcp_info: written in Linux's layout, and read back by the names of its members.
 *
 * One table (posix_info.def) says for each member where it stands and what of Oriel's knowledge
 * goes there. Three bit-fields share bytes with others (tcpi_snd_wscale and its like); they are
 * read as members of their own. Words are in the machine's byte order, as a program on it reads
 * them.
 */
#include "lab/posix.h"

struct place {
    const char *name;
    uint16_t at;
    uint8_t bytes;
    uint8_t shift, bits;        /* of a bit-field; bits 0: the whole */
};

static const struct place places[] = {
#define TCPI(member, at, bytes, value) {#member, at, bytes, 0, 0},
#include "lab/posix_info.def"
#undef TCPI
    {"tcpi_snd_wscale", 6, 1, 0, 4},
    {"tcpi_rcv_wscale", 6, 1, 4, 4},
    {"tcpi_delivery_rate_app_limited", 7, 1, 0, 1},
    {"tcpi_fastopen_client_fail", 7, 1, 1, 2},
};

/* include/net/tcp_states.h: not in the order of RFC 9293. */
static uint64_t state_of(enum oriel_tcp_state st)
{
    static const uint8_t linux_state[ORIEL_TCP_STATES] = {
        [ORIEL_TCP_CLOSED] = 7,     [ORIEL_TCP_LISTEN] = 10,    [ORIEL_TCP_SYN_SENT] = 2,
        [ORIEL_TCP_SYN_RCVD] = 3,   [ORIEL_TCP_ESTABLISHED] = 1, [ORIEL_TCP_FIN_WAIT_1] = 4,
        [ORIEL_TCP_FIN_WAIT_2] = 5, [ORIEL_TCP_CLOSE_WAIT] = 8, [ORIEL_TCP_CLOSING] = 11,
        [ORIEL_TCP_LAST_ACK] = 9,   [ORIEL_TCP_TIME_WAIT] = 6,
    };
    return st < ORIEL_TCP_STATES ? linux_state[st] : 0;
}

static uint64_t options_of(const struct oriel_tcp_info *i)
{
    return (i->timestamps ? 1u : 0) | (i->sack ? 2u : 0) | (i->wscale ? 4u : 0) |
           (i->ecn ? 8u : 0) | (i->ecn_seen ? 16u : 0) | (i->syn_data ? 32u : 0);
}

static uint64_t shifts_of(const struct oriel_tcp_info *i)
{
    return (i->snd_wscale & 15u) | (i->rcv_wscale & 15u) << 4;
}

static uint64_t flags_of(const struct oriel_tcp_info *i)
{
    return (i->delivery_app_limited ? 1u : 0) | (i->fastopen_client_fail & 3u) << 1;
}

static void put(uint8_t *out, size_t cap, const struct place *at, uint64_t value)
{
    if ((size_t)at->at + at->bytes > cap)
        return;
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;
    const void *from = at->bytes == 1 ? (void *)&u8 : at->bytes == 2 ? (void *)&u16
                       : at->bytes == 4 ? (void *)&u32 : (void *)&value;
    memcpy(out + at->at, from, at->bytes);
}

size_t px_tcp_info(const struct oriel_tcp_info *in, uint8_t *out, size_t cap)
{
    const struct oriel_tcp_info *i = in;
    const uint64_t values[] = {
#define TCPI(member, at, bytes, value) value,
#include "lab/posix_info.def"
#undef TCPI
    };
    size_t n = cap < PX_TCP_INFO_BYTES ? cap : PX_TCP_INFO_BYTES;
    uint8_t whole[PX_TCP_INFO_BYTES] = {0};
    for (size_t k = 0; k < ARRAY_LEN(values); k++)
        put(whole, sizeof(whole), &places[k], values[k]);
    if (n > 0)
        memcpy(out, whole, n);
    return n;
}

int px_tcp_member_named(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (span_is(name, places[i].name))
            return (int)i;
    return -1;
}

const char *px_tcp_member_name(int member)
{
    return member >= 0 && (size_t)member < ARRAY_LEN(places) ? places[member].name : NULL;
}

int64_t px_tcp_member(const uint8_t info[PX_TCP_INFO_BYTES], int member)
{
    ORIEL_ASSERT(member >= 0);
    ORIEL_ASSERT((size_t)member < ARRAY_LEN(places));
    const struct place *at = &places[member];
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t value;
    if (at->bytes == 1) {
        memcpy(&u8, info + at->at, 1);
        value = u8;
    } else if (at->bytes == 2) {
        memcpy(&u16, info + at->at, 2);
        value = u16;
    } else if (at->bytes == 4) {
        memcpy(&u32, info + at->at, 4);
        value = u32;
    } else {
        memcpy(&value, info + at->at, 8);
    }
    if (at->bits > 0)
        value = (value >> at->shift) & (BIT64(at->bits) - 1);
    return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}
