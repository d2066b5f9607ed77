/*
 * What keeps a connection from sending, and for how long it was each.
 *
 * tcp_output.c knows the reason whenever it decides not to send; here it is written down with the
 * time. One moment is kept, that of the beginning (lim.since): a limit that begins at T subtracts
 * the age of the connection from its sum and one that ends at T adds it, so a sum is right while
 * its limit does not hold, and lacks exactly the age while it does. The time without a limit, when
 * the application had nothing to send, is what is left of the age.
 *
 * Times are in units of 65.5 us in 32 bits: they go round after 78 hours.
 */
#include "tcp/tcp.h"

#define UNIT_SHIFT 16           /* 2^16 ns */

static uint32_t age_of(const struct tcp *t, const struct tcp_conn *c)
{
    return (uint32_t)(t->env->now >> UNIT_SHIFT) - c->lim.since;
}

void tcp_limit_init(struct tcp *t, struct tcp_conn *c)
{
    memset(&c->lim, 0, sizeof(c->lim));
    c->lim.since = (uint32_t)(t->env->now >> UNIT_SHIFT);
    c->stat.limit = ORIEL_LIMIT_APPLICATION;
}

void tcp_limit_change(struct tcp *t, struct tcp_conn *c, enum oriel_tcp_limit now)
{
    enum oriel_tcp_limit was = (enum oriel_tcp_limit)c->stat.limit;
    uint32_t age = age_of(t, c);
    if (was != ORIEL_LIMIT_APPLICATION)
        c->lim.spent[was - 1] += age;
    if (now != ORIEL_LIMIT_APPLICATION)
        c->lim.spent[now - 1] -= age;
    c->stat.limit = (uint8_t)now;
    TRACE(t->env, EV_TCP_LIMIT, tcp_conn_id(t, c), now, was);
}

static uint32_t spent(const struct tcp *t, const struct tcp_conn *c, enum oriel_tcp_limit l)
{
    uint32_t units = c->lim.spent[l - 1];
    return c->stat.limit == l ? units + age_of(t, c) : units;
}

uint64_t tcp_limit_ns(const struct tcp *t, const struct tcp_conn *c, enum oriel_tcp_limit l)
{
    if (l != ORIEL_LIMIT_APPLICATION)
        return (uint64_t)spent(t, c, l) << UNIT_SHIFT;
    uint32_t left = age_of(t, c);
    for (int other = ORIEL_LIMIT_APPLICATION + 1; other < ORIEL_LIMIT_N; other++)
        left -= spent(t, c, (enum oriel_tcp_limit)other);
    return (uint64_t)left << UNIT_SHIFT;
}

const char *oriel_tcp_limit_name(enum oriel_tcp_limit l)
{
    static const char *const name[ORIEL_LIMIT_N] = {
        [ORIEL_LIMIT_APPLICATION] = "application",
        [ORIEL_LIMIT_CWND] = "congestion window",
        [ORIEL_LIMIT_PEER_WINDOW] = "peer's window",
        [ORIEL_LIMIT_NAGLE] = "Nagle",
        [ORIEL_LIMIT_CORK] = "cork",
        [ORIEL_LIMIT_PACING] = "pacing",
        [ORIEL_LIMIT_SEND_BUFFER] = "send buffer",
        [ORIEL_LIMIT_HANDSHAKE] = "handshake",
    };
    return (unsigned)l < ORIEL_LIMIT_N ? name[l] : "?";
}
