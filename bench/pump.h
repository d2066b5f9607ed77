/*
 * Bytes from side 0 of a pair to side 1 as fast as it goes: the application writes as much as there
 * is room for, frames move in batches, the application reads what there is, acknowledgements move.
 *
 * Both applications use buffers of 256 KiB, from front to back and again. As both are used in step,
 * each byte must come out where it went in: that is how a run is checked.
 */
#ifndef ORIEL_BENCH_PUMP_H
#define ORIEL_BENCH_PUMP_H

#include "bench/pair.h"

#define PUMP_APP   ((size_t)256 << 10)
#define PUMP_CHUNK ((size_t)64 << 10)

struct pump {
    struct pair *x;
    oriel_handle a, b;
    uint8_t *from, *to;
    bool zero_copy;
    uint64_t sent, received;
};

static inline size_t pump_len(uint64_t at)
{
    size_t left = PUMP_APP - at % PUMP_APP;
    return left < PUMP_CHUNK ? left : PUMP_CHUNK;
}

static inline int pump_write(struct pump *t)
{
    struct oriel_stack *s = t->x->s[0];
    if (!t->zero_copy)
        return oriel_send(s, t->a, t->from + t->sent % PUMP_APP, pump_len(t->sent), NULL);
    struct oriel_room room = oriel_send_window(s, t->a);
    if (room.n == 0)
        return ORIEL_EAGAIN;
    pair_must(oriel_send_commit(s, t->a, room.n), "commit");
    return (int)room.n;
}

static inline int pump_read(struct pump *t)
{
    struct oriel_stack *s = t->x->s[1];
    if (!t->zero_copy)
        return oriel_recv(s, t->b, t->to + t->received % PUMP_APP, pump_len(t->received), NULL);
    struct oriel_bytes v[16];
    size_t n = 0;
    int got = oriel_recv_view(s, t->b, v, ARRAY_LEN(v));
    for (int i = 0; i < got; i++)
        n += v[i].n;
    if (got <= 0)
        return got;
    pair_must(oriel_recv_release(s, t->b, n), "release");
    return (int)n;
}

static inline void pump_round(struct pump *t)
{
    int n;
    while ((n = pump_write(t)) > 0)
        t->sent += (uint64_t)n;
    if (n != ORIEL_EAGAIN)
        pair_must(n, "send");
    unsigned moved = pair_move(t->x, 0);
    while ((n = pump_read(t)) > 0)
        t->received += (uint64_t)n;
    if (n != ORIEL_EAGAIN)
        pair_must(n, "receive");
    if (moved + pair_move(t->x, 1) == 0 && !pair_skip(t->x))
        pair_must(ORIEL_ETIMEDOUT, "bulk transfer stands still");
}

static inline void pump_bytes(struct pump *t, uint64_t bytes)
{
    for (uint64_t goal = t->received + bytes; t->received < goal;)
        pump_round(t);
}

/* Until the congestion window does not matter any more. */
static inline void pump_warm(struct pump *t, size_t window)
{
    struct oriel_tcp_info info = {0};
    for (int i = 0; i < 256 && info.cwnd_bytes < 2 * window; i++) {
        pump_bytes(t, window > PUMP_APP ? window : PUMP_APP);
        pair_must(oriel_tcp_info(t->x->s[0], t->a, &info), "info");
        if (info.total_retrans > 0)
            pair_must(ORIEL_EPROTO, "something was sent again on a cable that loses nothing");
    }
    pump_bytes(t, 4 * PUMP_APP);
    if (!t->zero_copy && memcmp(t->from, t->to, PUMP_APP) != 0)
        pair_must(ORIEL_EPROTO, "what arrived is not what was sent");
}

/* Windows of that many bytes at both ends, and no others. */
static inline struct pair_config pump_config(size_t window)
{
    struct pair_config c = {.connections = 64, .stack_bytes = (size_t)256 << 20,
                            .packet_bytes = (size_t)192 << 20};
    uint32_t w = (uint32_t)window;
    c.tcp = (struct oriel_tcp_config){.no_timestamps = true, .sndbuf = w, .rcvbuf = w,
                                      .sndbuf_max = w, .rcvbuf_max = w};
    return c;
}

static inline void pump_make(struct pump *t, struct pair *x, bool zero_copy, uint8_t *from,
                             uint8_t *to)
{
    *t = (struct pump){.x = x, .zero_copy = zero_copy, .from = from, .to = to};
    pair_listen(x, 0);
    t->a = pair_connect(x, 0);
    pair_settle(x);
    t->b = pair_accept(x, 0, NULL);
    for (size_t i = 0; i < PUMP_APP; i++)
        from[i] = (uint8_t)(i * 2654435761u >> 13);
}

#endif
