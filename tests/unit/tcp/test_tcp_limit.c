#include "fx_rcv.h"

#include "tcp/tcp_limit.c"

static uint64_t ms_of(const struct fx_rcv *f, enum oriel_tcp_limit l)
{
    return (tcp_limit_ns(f->t, f->c, l) + NS_PER_MS / 2) / NS_PER_MS;
}

#define NEAR(a, b) EXPECT((a) + 1 >= (b) && (a) <= (b) + 1)     /* of units of 65.5 us */

TEST("time is spent under the limit that holds, and without one when the application has nothing")
{
    struct fx_rcv *f = fx_rcv();
    tcp_limit_init(f->t, f->c);
    tcp_limit_note(f->t, f->c, ORIEL_LIMIT_HANDSHAKE);
    fx_tcp_pass(f->f, 30 * NS_PER_MS);
    NEAR(ms_of(f, ORIEL_LIMIT_HANDSHAKE), 30);
    tcp_limit_note(f->t, f->c, ORIEL_LIMIT_CWND);
    fx_tcp_pass(f->f, 500 * NS_PER_MS);
    tcp_limit_note(f->t, f->c, ORIEL_LIMIT_CWND);       /* no change */
    tcp_limit_note(f->t, f->c, ORIEL_LIMIT_APPLICATION);
    fx_tcp_pass(f->f, 70 * NS_PER_MS);
    NEAR(ms_of(f, ORIEL_LIMIT_APPLICATION), 70);
    tcp_limit_note(f->t, f->c, ORIEL_LIMIT_CWND);
    fx_tcp_pass(f->f, 100 * NS_PER_MS);
    NEAR(ms_of(f, ORIEL_LIMIT_CWND), 600);
    NEAR(ms_of(f, ORIEL_LIMIT_HANDSHAKE), 30);
    NEAR(ms_of(f, ORIEL_LIMIT_APPLICATION), 70);
    EXPECT_EQ(ms_of(f, ORIEL_LIMIT_NAGLE), 0);
    fx_rcv_free(f);
}

TEST("all limits together are the age of the connection, at any moment")
{
    struct fx_rcv *f = fx_rcv();
    struct rng g;
    uint64_t birth;
    rng_seed(&g, 5, 5);
    fx_tcp_pass(f->f, 12345678);
    tcp_limit_init(f->t, f->c);
    birth = f->f->fx.env.now >> 16;
    for (unsigned i = 0; i < 500; i++) {
        uint64_t sum = 0;
        tcp_limit_note(f->t, f->c, (enum oriel_tcp_limit)(rng_u64(&g) % ORIEL_LIMIT_N));
        fx_tcp_pass(f->f, rng_u64(&g) % NS_PER_S);
        for (int l = 0; l < ORIEL_LIMIT_N; l++)
            sum += tcp_limit_ns(f->t, f->c, (enum oriel_tcp_limit)l) >> 16;
        EXPECT_EQ(sum, (f->f->fx.env.now >> 16) - birth);
    }
    fx_rcv_free(f);
}

TEST("a change of the limit is an event, its staying so is none")
{
    struct fx_rcv *f = fx_rcv();
    tcp_limit_init(f->t, f->c);
    uint64_t next = f->f->fx.trace.next;
    tcp_limit_note(f->t, f->c, ORIEL_LIMIT_PACING);
    EXPECT_EQ(f->f->fx.trace.next, next + 1);
    const struct trace_rec *r = trace_at(&f->f->fx.trace, next);
    EXPECT(r && r->event == EV_TCP_LIMIT && r->b == ORIEL_LIMIT_PACING &&
           r->c == ORIEL_LIMIT_APPLICATION);
    tcp_limit_note(f->t, f->c, ORIEL_LIMIT_PACING);
    EXPECT_EQ(f->f->fx.trace.next, next + 1);
    fx_rcv_free(f);
}

TEST("every limit has a name")
{
    for (int l = 0; l < ORIEL_LIMIT_N; l++)
        EXPECT(strlen(oriel_tcp_limit_name((enum oriel_tcp_limit)l)) > 3);
    EXPECT_STR(oriel_tcp_limit_name(ORIEL_LIMIT_N), "?");
}
