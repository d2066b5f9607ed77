/*
 * The sender of one connection without a network: what is under way, what is told of it, what follows.
 *
 *     struct fx_loss *f = fx_loss(.mss = 1000, .cwnd = 10);   windows in segments
 *     fx_write(f, 100);                       100 segments wait to be sent
 *     fx_run(f);                              what may leave leaves; f->log says "N0 N1 N2 ..."
 *     fx_at_ms(f, 100);                       time since the beginning
 *     fx_ack(f, 1, 3, 5);                     segments before 1 are acknowledged, 3 and 4 SACKed
 *     fx_loss_free(f);                        nothing may be alive
 *
 * Segments are counted from 0 and have mss bytes; sequence numbers begin just below 2^32. What is
 * sent again is "R" in the log. Records, timers and congestion control are the real ones; only
 * packets are not made.
 */
#ifndef ORIEL_TESTS_TCP_FX_LOSS_H
#define ORIEL_TESTS_TCP_FX_LOSS_H

#include "fixture.h"

#include "tcp/tcp.h"

#define FX_BASE 0xfffff000u             /* the first byte's number */

struct fx_loss {
    struct fx_env fx;
    struct tcp t;
    struct tcp_conn *c;
    struct tcp_profile prof;
    struct tcp_sack sack[TCP_SACK_MAX]; /* of the next acknowledgement */
    uint8_t sack_n;
    oriel_time start;
    uint32_t mss;
    bool super;                         /* as much as may leave goes in one record */
    char log[4096];
    size_t log_n;
    enum why why;                       /* of the resend that was last */
};

struct fx_loss_opts {
    uint32_t mss, cwnd, records;        /* 1000; 10 segments; 4096 */
    bool no_sack, no_rack, ts, ecn, super;
    enum cc_kind cc;                    /* NewReno */
    uint32_t rtt_ms;                    /* a first sample; 0: none */
    bool linux_rto, long_way;
};

static inline void fx_loss_settings(struct fx_loss *f, const struct fx_loss_opts *o)
{
    f->t.set = (struct tcp_settings){
        .rack = !o->no_rack,
        .fast_path = !o->long_way,
        .initial_window = 10,
        .dupthresh = 3,
        .rto_min = o->linux_rto ? 200 * NS_PER_MS : NS_PER_S,
        .rto_max = 120 * NS_PER_S,
        .rto_init = NS_PER_S,
        .delack = 40 * NS_PER_MS,
        .user_timeout = 1000000 * NS_PER_S,
    };
}

/* As tcp_flight_of makes it, but for what asks the path. */
static inline void fx_loss_flight(struct fx_loss *f, const struct fx_loss_opts *o)
{
    struct tcp_conn *c = f->c;
    struct tcp_flight *fl = c->flight = pool_get_zeroed(&f->t.flights);
    tcp_sent_init(&f->t, c);
    tcp_rack_init(c);
    tcp_recovery_init(c);
    timer_init(&fl->pace, TIMER_TCP_PACE);
    fl->cc = (struct cc){.cwnd = (o->cwnd ? o->cwnd : 10) * f->mss, .mss = c->snd.mss,
                         .kind = (uint8_t)o->cc, .priv = &fl->priv};
    cc_ops_of(o->cc)->init(&fl->cc);
    cc_ops_of(o->cc)->begin(&fl->cc, f->t.env->now);
}

static inline struct fx_loss *fx_loss_new(struct fx_loss_opts o)
{
    static struct fx_loss made;
    struct fx_loss *f = &made;
    memset(f, 0, sizeof(*f));
    fx_env_init(&f->fx);
    struct tcp *t = &f->t;
    t->env = &f->fx.env;
    fx_loss_settings(f, &o);
    uint32_t records = o.records ? o.records : 4096;
    struct arena *a = &f->fx.arena;
    EXPECT(pool_init(&t->conns, "tcp", a, sizeof(struct tcp_conn), 1));
    EXPECT(pool_init(&t->flights, "tcp.flights", a, sizeof(struct tcp_flight), 1));
    EXPECT(pool_init(&t->records, "tcp.records", a, sizeof(struct tcp_sent), records));
    t->ready = arena_take_zeroed(a, sizeof(t->ready[0]));
    t->ready[0].first = t->ready[0].last = TCP_NONE;
    wheel_init(&t->departures, t->env->now);
    f->start = t->env->now;
    f->mss = o.mss ? o.mss : 1000;
    f->super = o.super;
    f->prof.cc = (uint8_t)o.cc;
    struct tcp_conn *c = f->c = pool_get_zeroed(&t->conns);
    c->prof = &f->prof;
    c->state = TCP_ESTABLISHED;
    c->snd.una = c->snd.nxt = c->snd.end = seq_of(FX_BASE);
    c->snd.mss = (uint16_t)f->mss;
    c->snd.wnd = c->snd.wnd_max = 1u << 30;
    c->is = (o.no_sack ? 0u : (uint32_t)TCP_IS_SACK) | (o.ts ? (uint32_t)TCP_IS_TS : 0u) |
            (o.ecn ? (uint32_t)TCP_IS_ECN : 0u);
    tcp_timer_init(t, c);
    tcp_rtt_init(t, c);
    fx_loss_flight(f, &o);
    if (o.rtt_ms)
        tcp_rtt_sample(t, c, o.rtt_ms * NS_PER_MS);
    return f;
}

#define fx_loss(...) fx_loss_new((struct fx_loss_opts){__VA_ARGS__})

static inline void fx_loss_free(struct fx_loss *f)
{
    struct tcp *t = &f->t;
    struct tcp_conn *c = f->c;
    tcp_sent_free(t, c);
    EXPECT_EQ(t->records.live, 0);
    env_cancel(t->env, &c->timer.wake);
    pool_put(&t->flights, c->flight);
    pool_put(&t->conns, c);
    fx_env_fini(&f->fx);
}

/* ---- time ---- */

static inline void fx_at_ms(struct fx_loss *f, uint64_t ms)
{
    oriel_time at = f->start + ms * NS_PER_MS;
    EXPECT(at >= f->fx.env.now);
    f->fx.env.now = at;
}

/* The connection's entry in the wheel has come. */
static inline void fx_wake(struct fx_loss *f)
{
    f->c->is |= TCP_IS_R1;              /* there is no network layer to be asked */
    if (wheel_pop(&f->fx.env.wheel, f->fx.env.now))
        tcp_on_timer(&f->t, f->c);
}

/* Deadlines of the connection that have come, at their own nanosecond, until then. */
static inline void fx_timers_until_ms(struct fx_loss *f, uint64_t ms)
{
    oriel_time until = f->start + ms * NS_PER_MS;
    struct wheel *w = &f->fx.env.wheel;
    while (wheel_next(w) <= until) {
        oriel_time at = wheel_next(w);
        f->fx.env.now = at > f->fx.env.now ? at : f->fx.env.now;
        fx_wake(f);
    }
    f->fx.env.now = until;
}

static inline uint64_t fx_ms(const struct fx_loss *f, oriel_time at)
{
    return at == ORIEL_NEVER ? UINT64_MAX : (at - f->start) / NS_PER_MS;
}

/* ---- sending ---- */

static inline seq_t fx_seq(const struct fx_loss *f, uint32_t seg)
{
    return seq_of(FX_BASE + seg * f->mss);
}

static inline uint32_t fx_seg(const struct fx_loss *f, seq_t s)
{
    return (s.v - FX_BASE) / f->mss;
}

static inline void fx_note(struct fx_loss *f, char what, seq_t from, uint32_t len)
{
    for (uint32_t n = 0; n < len; n += f->mss) {
        if (f->log_n + 16 >= sizeof(f->log))
            f->log_n = 0;
        f->log_n += (size_t)snprintf(f->log + f->log_n, 16, "%s%c%u", f->log_n ? " " : "", what,
                                     fx_seg(f, seq_add(from, n)));
    }
}

static inline void fx_clear(struct fx_loss *f)
{
    f->log_n = 0;
    f->log[0] = 0;
}

static inline void fx_write(struct fx_loss *f, uint32_t segs)
{
    f->c->snd.end = seq_add(f->c->snd.end, segs * f->mss);
}

/* New data of that length, whatever the window says. */
static inline struct tcp_sent *fx_send(struct fx_loss *f, uint32_t len)
{
    struct tcp_conn *c = f->c;
    if (seq_lt(c->snd.end, seq_add(c->snd.nxt, len)))
        c->snd.end = seq_add(c->snd.nxt, len);
    struct tcp_sent *r = tcp_sent_add(&f->t, c, len, c->snd.mss, 0);
    if (!r)
        return NULL;
    fx_note(f, 'N', c->snd.nxt, len);
    c->snd.nxt = seq_add(c->snd.nxt, len);
    tcp_recovery_on_sent(&f->t, c, len);
    tcp_timer_on_sent(&f->t, c);
    return r;
}

/* Segments of a record each. */
static inline void fx_send_segs(struct fx_loss *f, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        EXPECT(fx_send(f, f->mss) != NULL);
}

static inline void fx_resend(struct fx_loss *f, struct tcp_sent *r, uint32_t len)
{
    struct tcp_conn *c = f->c;
    if (len < r->len)
        EXPECT(tcp_sent_split(&f->t, c, r, len));
    f->why = (enum why)r->why;
    fx_note(f, 'R', r->node.key, r->len);
    tcp_sent_again(&f->t, c, r);
    if (!tcp_sent_next_lost(c))
        c->out.want &= (uint8_t)~TCP_WANT_RTX;
    tcp_recovery_on_sent(&f->t, c, r->len);
    tcp_timer_on_sent(&f->t, c);
}

/* Is there one thing that may leave? It does: what is lost first, as tcp_output.c does it. */
static inline bool fx_step(struct fx_loss *f)
{
    struct tcp_conn *c = f->c;
    uint32_t quota = tcp_quota(c);
    struct tcp_sent *r = (c->out.want & TCP_WANT_RTX) ? tcp_sent_next_lost(c) : NULL;
    if (r) {
        if (quota < f->mss && quota < r->len)
            return false;
        uint32_t len = f->super ? quota / f->mss * f->mss : f->mss;
        fx_resend(f, r, len < r->len && len > 0 ? len : r->len);
        return true;
    }
    bool limited = (c->out.want & TCP_WANT_LIMITED) != 0;
    c->out.want &= (uint8_t)~TCP_WANT_LIMITED;
    uint32_t unsent = tcp_unsent(c), may = limited && quota < f->mss ? f->mss : quota;
    uint32_t len = unsent < f->mss ? unsent : f->super ? may / f->mss * f->mss : f->mss;
    if (len > unsent)
        len = unsent;
    return len > 0 && len <= may && len <= tcp_usable(c) && fx_send(f, len) != NULL;
}

static inline void fx_run(struct fx_loss *f)
{
    while (fx_step(f))
        ;
}

/* ---- being acknowledged ---- */

static inline void fx_add_sack(struct fx_loss *f, seq_t left, seq_t right)
{
    f->sack[f->sack_n++] = (struct tcp_sack){left, right};
}

static inline struct tcp_acked fx_acked(struct fx_loss *f, seq_t ack)
{
    struct tcp_conn *c = f->c;
    struct tcp_acked a = {.ack = ack, .una_was = c->snd.una, .sack_n = f->sack_n};
    memcpy(a.sack, f->sack, sizeof(a.sack));
    a.dup = seq_eq(ack, c->snd.una) && tcp_outstanding(c);
    f->sack_n = 0;
    return a;
}

/* What tcp_ack.c does with it once it is judged. */
static inline void fx_tell(struct fx_loss *f, const struct tcp_acked *a)
{
    f->c->snd.una = a->ack;
    tcp_recovery_on_ack(&f->t, f->c, a);
}

/* Segments before `to` are acknowledged, [left, right) is SACKed where they differ. */
static inline void fx_ack(struct fx_loss *f, uint32_t to, uint32_t left, uint32_t right)
{
    if (left < right)
        fx_add_sack(f, fx_seq(f, left), fx_seq(f, right));
    struct tcp_acked a = fx_acked(f, fx_seq(f, to));
    fx_tell(f, &a);
}

/* The same with a timestamp that comes back, in milliseconds since the beginning. */
static inline void fx_ack_ts(struct fx_loss *f, uint32_t to, uint32_t left, uint32_t right,
                             uint64_t ts_ms)
{
    if (left < right)
        fx_add_sack(f, fx_seq(f, left), fx_seq(f, right));
    struct tcp_acked a = fx_acked(f, fx_seq(f, to));
    a.has_ts = true;
    a.ts_ecr = (uint32_t)((f->start + ts_ms * NS_PER_MS) / TCP_TS_TICK_NS) + f->c->ts_off;
    fx_tell(f, &a);
}

/* With a D-SACK of segments [left, right). */
static inline void fx_dsack(struct fx_loss *f, uint32_t to, uint32_t left, uint32_t right)
{
    struct tcp_acked a = fx_acked(f, fx_seq(f, to));
    a.has_dsack = true;
    a.dsack = (struct tcp_sack){fx_seq(f, left), fx_seq(f, right)};
    fx_tell(f, &a);
}

/* The retransmission timer, now. */
static inline void fx_rto(struct fx_loss *f)
{
    tcp_recovery_on_rto(&f->t, f->c);
    tcp_rtt_on_timeout(&f->t, f->c);
    f->c->timer.rtx_at = f->fx.env.now + tcp_rto(&f->t, f->c);
}

/* ---- looking ---- */

static inline struct tcp_sent *fx_record(const struct fx_loss *f, uint32_t seg)
{
    struct seqnode *n = seqtree_floor(&f->c->flight->sent.tree, fx_seq(f, seg));
    struct tcp_sent *r = n ? CONTAINER_OF(n, struct tcp_sent, node) : NULL;
    return r && seq_lt(fx_seq(f, seg), sent_end(r)) ? r : NULL;
}

static inline bool fx_is(const struct fx_loss *f, uint32_t seg, unsigned flag)
{
    const struct tcp_sent *r = fx_record(f, seg);
    return r && (r->flags & flag);
}

static inline uint32_t fx_cwnd(const struct fx_loss *f)
{
    return f->c->flight->cc.cwnd / f->mss;
}

static inline uint32_t fx_pipe(const struct fx_loss *f)
{
    return tcp_pipe(f->c) / f->mss;
}

static inline unsigned fx_ca(const struct fx_loss *f)
{
    return tcp_recovery_state(f->c);
}

static inline uint32_t fx_ssthresh(const struct fx_loss *f)
{
    return f->c->flight->cc.ssthresh / f->mss;
}

/* So many segments leave at 0 ms and there is more to send; the window is just full. */
static inline struct fx_loss *fx_flying_new(struct fx_loss_opts o, uint32_t segs)
{
    o.cwnd = segs;
    struct fx_loss *f = fx_loss_new(o);
    fx_write(f, 10 * segs);
    fx_run(f);
    fx_clear(f);
    EXPECT_EQ(fx_pipe(f), segs);
    return f;
}

#define fx_flying(segs, ...) fx_flying_new((struct fx_loss_opts){__VA_ARGS__}, segs)

static inline bool fx_traced(const struct fx_loss *f, enum event ev)
{
    const struct trace *tr = &f->fx.trace;
    for (uint64_t id = trace_oldest(tr); id < tr->next; id++) {
        const struct trace_rec *r = trace_at(tr, id);
        if (r && r->event == ev)
            return true;
    }
    return false;
}

#define EXPECT_LOG(f, text)                                                                        \
    do {                                                                                           \
        EXPECT_STR((f)->log, text);                                                                \
        fx_clear(f);                                                                               \
    } while (0)

#endif
