/*
 * Many connections between the stacks of a pair: opened in batches and left alone, or opened, used
 * once and closed.
 *
 * Ports are chosen by the connecting stack, as for any client; there are enough listeners for that.
 */
#ifndef ORIEL_BENCH_CROWD_H
#define ORIEL_BENCH_CROWD_H

#include "bench/pair.h"

#define CROWD_BATCH  32
#define CROWD_FRAMES 7          /* batches of frames that one visit takes */

struct crowd {
    oriel_handle *a, *b;        /* both ends of each */
    uint32_t n;
};

/* The connections of a batch are accepted in any order: find each by its port. */
static inline void crowd_accept(struct pair *x, uint64_t at, const oriel_handle *a,
                                oriel_handle *b, unsigned n)
{
    struct oriel_endpoint from, ours[CROWD_BATCH];
    for (unsigned i = 0; i < n; i++) {
        pair_must(oriel_local(x->s[0], a[i], &ours[i]), "local");
        b[i] = 0;
    }
    for (unsigned i = 0; i < n; i++) {
        oriel_handle h = pair_accept(x, at, &from);
        unsigned k = i;
        for (unsigned tried = 0; tried < n && (b[k] || ours[k].port != from.port); tried++)
            k = (k + 1) % n;
        b[k] = h;
    }
}

static inline void crowd_make(struct crowd *c, uint32_t max)
{
    *c = (struct crowd){.a = malloc(max * sizeof(*c->a)), .b = malloc(max * sizeof(*c->b))};
    if (!c->a || !c->b)
        bench_skip("not enough memory");
}

/* One batch more, or as many as are missing to `max`. */
static inline void crowd_more(struct crowd *c, struct pair *x, uint32_t max)
{
    unsigned batch = max - c->n < CROWD_BATCH ? max - c->n : CROWD_BATCH;
    for (unsigned i = 0; i < batch; i++)
        c->a[c->n + i] = pair_connect(x, c->n / CROWD_BATCH);
    pair_settle(x);
    crowd_accept(x, c->n / CROWD_BATCH, c->a + c->n, c->b + c->n, batch);
    c->n += batch;
}

static inline void crowd_open(struct crowd *c, struct pair *x, uint32_t n)
{
    for (crowd_make(c, n); c->n < n;)
        crowd_more(c, x, n);
}

static inline void crowd_free(struct crowd *c)
{
    free(c->a);
    free(c->b);
}

/*
 * Open, one byte each way, close, by applications that act as soon as they are told. Seven frames:
 * SYN, SYN-ACK, a byte, a byte, FIN, FIN, ACK; every other acknowledgement rides on one of them.
 * The connecting end stays in TIME-WAIT.
 */
static inline void crowd_visit(struct pair *x, uint64_t i)
{
    uint8_t byte = 1;
    oriel_handle a = pair_connect(x, i);
    (void)pair_move(x, 0);
    (void)pair_move(x, 1);
    pair_must(oriel_send(x->s[0], a, &byte, 1, NULL), "send");
    (void)pair_move(x, 0);
    oriel_handle b = pair_accept(x, i, NULL);
    pair_must(oriel_recv(x->s[1], b, &byte, 1, NULL), "receive");
    pair_byte(x, 1, b, a);
    pair_must(oriel_close(x->s[0], a), "close");
    (void)pair_move(x, 0);
    if (pair_must(oriel_recv(x->s[1], b, &byte, 1, NULL), "the end of the stream") != 0)
        pair_must(ORIEL_EPROTO, "the end of the stream");
    pair_must(oriel_close(x->s[1], b), "close");
    (void)pair_move(x, 1);
    (void)pair_move(x, 0);
}

/* How many connections of that side are in a state. */
static inline uint32_t crowd_in(const struct pair *x, int side, enum oriel_tcp_state state)
{
    struct oriel_conn_info info;
    uint32_t n = 0;
    for (uint32_t at = 0; oriel_conn_each(x->s[side], &at, &info);)
        n += info.state == state;
    return n;
}

#endif
