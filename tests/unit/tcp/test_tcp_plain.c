/*
 * A sender and a network in between that loses, delays, doubles: everything arrives, all sums are right
 * at every step, and the short way of an acknowledgement comes to what the long one does.
 */
#include "fx_loss.h"

#include "base/rng.h"

/* ---- a network: loss, reordering, duplicates, lost acknowledgements ---- */

enum { NET_SEGS = 400, NET_MAX = 4096 };

struct flying {
    oriel_time at;
    bool is_ack;
    uint32_t first, n;          /* data: segments */
    struct tcp_acked a;
    uint32_t ts;
};

struct net {
    struct fx_loss *f;
    struct rng dice;
    struct flying q[NET_MAX];
    uint32_t n;
    unsigned loss, reorder, dup, ack_loss;      /* percent */
    bool has[NET_SEGS];
    uint32_t next;              /* the receiver's */
    uint32_t recent;
    uint32_t ts_recent;
    uint64_t sent;
    uint64_t digest;            /* of what left, when, and with which window */
};

static struct net net;

static bool chance(unsigned percent)
{
    return rng_below(&net.dice, 100) < percent;
}

static void launch(const struct flying *p)
{
    EXPECT(net.n < NET_MAX);
    net.q[net.n] = *p;
    net.q[net.n].at = net.f->fx.env.now + 20 * NS_PER_MS + rng_below(&net.dice, NS_PER_MS);
    if (chance(net.reorder))
        net.q[net.n].at += rng_below(&net.dice, 30 * NS_PER_MS);
    net.n++;
}

static void add_to_digest(uint64_t v)
{
    net.digest = (net.digest ^ v) * 0x100000001b3u;
}

static void note_in_digest(void)
{
    const struct tcp_flight *fl = net.f->c->flight;
    for (const char *p = net.f->log; *p; p++)
        add_to_digest((uint64_t)*p);
    add_to_digest(net.f->fx.env.now);
    add_to_digest(fl->cc.cwnd);
    add_to_digest(fl->cc.ssthresh);
    add_to_digest(fl->sent.delivered);
    add_to_digest(fl->rack.rtt_ns);
    add_to_digest(fl->rack.tlp_at);
    add_to_digest(net.f->c->timer.rtx_at);
    add_to_digest(net.f->c->stat.delivered);
}

/* What left just now, by the fixture's log. */
static void launch_log(void)
{
    struct fx_loss *f = net.f;
    char *at = f->log;
    note_in_digest();
    while (*at) {
        uint32_t seg = (uint32_t)strtoul(at + 1, &at, 10);
        struct flying p = {.first = seg, .n = 1, .ts = tcp_ts_now(&f->t, f->c)};
        net.sent++;
        if (!chance(net.loss))
            launch(&p);
        if (chance(net.dup))
            launch(&p);
        if (*at == ' ')
            at++;
    }
    fx_clear(f);
}

static void add_block(struct tcp_acked *a, uint32_t inside)
{
    uint32_t l = inside, r = inside + 1;
    while (l > net.next && net.has[l - 1])
        l--;
    while (r < NET_SEGS && net.has[r])
        r++;
    for (unsigned i = 0; i < a->sack_n; i++)
        if (seq_eq(a->sack[i].left, fx_seq(net.f, l)))
            return;
    a->sack[a->sack_n++] = (struct tcp_sack){fx_seq(net.f, l), fx_seq(net.f, r)};
}

static void receive(const struct flying *p)
{
    struct flying out = {.is_ack = true};
    struct tcp_acked *a = &out.a;
    bool sack = (net.f->c->is & TCP_IS_SACK) != 0;
    if (p->first <= net.next)
        net.ts_recent = p->ts;
    if (net.has[p->first] && sack) {
        a->has_dsack = true;
        a->dsack = (struct tcp_sack){fx_seq(net.f, p->first), fx_seq(net.f, p->first + 1)};
    }
    net.has[p->first] = true;
    net.recent = p->first;
    while (net.next < NET_SEGS && net.has[net.next])
        net.next++;
    a->ack = fx_seq(net.f, net.next);
    a->has_ts = (net.f->c->is & TCP_IS_TS) != 0;
    a->ts_ecr = net.ts_recent;
    if (sack && net.recent > net.next)
        add_block(a, net.recent);
    for (uint32_t i = NET_SEGS; sack && i-- > net.next + 1 && a->sack_n < 3;)
        if (net.has[i])
            add_block(a, i);
    if (!chance(net.ack_loss))
        launch(&out);
}

static void acknowledge(const struct flying *p)
{
    struct tcp_conn *c = net.f->c;
    struct tcp_acked a = p->a;
    if (seq_lt(a.ack, c->snd.una)) {            /* an old one: its SACKs count, as in tcp_ack.c */
        a.ack = c->snd.una;
        unsigned n = 0;
        for (unsigned i = 0; i < a.sack_n; i++)
            if (seq_leq(a.ack, a.sack[i].left))
                a.sack[n++] = a.sack[i];
        a.sack_n = (uint8_t)n;
        if (n == 0 && !a.has_dsack)
            return;
    } else {
        a.dup = seq_eq(a.ack, c->snd.una) && tcp_outstanding(c);
    }
    a.una_was = c->snd.una;
    fx_tell(net.f, &a);
}

static void check_sums(void)
{
    const struct tcp_flight *fl = net.f->c->flight;
    const struct tcp_scoreboard *s = &fl->sent;
    uint32_t out = 0, sacked = 0, lost = 0;
    for (struct tcp_sent *r = tcp_sent_first(net.f->c); r; r = tcp_sent_after(r)) {
        out += r->len;
        sacked += (r->flags & SENT_SACKED) ? r->len : 0;
        lost += (r->flags & SENT_LOST) ? r->len : 0;
    }
    EXPECT_EQ(s->out_bytes, out);
    EXPECT_EQ(s->sacked_bytes, sacked);
    EXPECT_EQ(s->lost_bytes, lost);
    EXPECT_EQ(out, (uint32_t)seq_diff(net.f->c->snd.una, net.f->c->snd.nxt));
    EXPECT(fl->cc.cwnd >= net.f->mss && fl->cc.ssthresh >= 2 * net.f->mss);
    if (out > 0)
        EXPECT(net.f->c->timer.rtx_at != ORIEL_NEVER);
    if (fl->recov.ca == ORIEL_CA_OPEN)
        EXPECT_EQ(sacked, 0);
}

static bool net_event(void)
{
    struct fx_loss *f = net.f;
    uint32_t first = net.n;
    for (uint32_t i = 0; i < net.n; i++)
        if (first == net.n || net.q[i].at < net.q[first].at)
            first = i;
    oriel_time timer = wheel_next(&f->fx.env.wheel);
    if (first == net.n && timer == ORIEL_NEVER)
        return false;
    if (first == net.n || timer < net.q[first].at) {
        f->fx.env.now = timer > f->fx.env.now ? timer : f->fx.env.now;
        fx_wake(f);
        if (f->c->out.want & TCP_WANT_TAIL) {
            struct tcp_sent *r = tcp_tlp_record(f->c);
            f->c->out.want &= (uint8_t)~TCP_WANT_TAIL;
            if (r)
                fx_resend(f, r, r->len);
            if (r)
                tcp_tlp_on_sent(&f->t, f->c, true);
        }
        return true;
    }
    struct flying p = net.q[first];
    net.q[first] = net.q[--net.n];
    f->fx.env.now = p.at;
    if (p.is_ack)
        acknowledge(&p);
    else
        receive(&p);
    return true;
}

static uint64_t transfer(struct fx_loss_opts o, unsigned loss, unsigned reorder, uint64_t seed)
{
    net = (struct net){.f = fx_loss_new(o), .loss = loss, .reorder = reorder, .dup = loss / 3,
                       .ack_loss = loss};
    struct fx_loss *f = net.f;
    rng_seed(&net.dice, seed, 3);
    f->fx.env.trace_mask = 0;
    fx_write(f, NET_SEGS);
    int events = 0;
    while (seq_lt(f->c->snd.una, f->c->snd.end)) {
        fx_run(f);
        launch_log();
        check_sums();
        EXPECT(net_event());
        EXPECT(++events < 100000);
    }
    EXPECT_EQ(net.next, NET_SEGS);
    EXPECT_EQ(f->t.records.live, 0);
    EXPECT(fx_ca(f) == ORIEL_CA_OPEN);
    EXPECT_EQ(tcp_pipe(f->c), 0);
    fx_loss_free(f);
    return net.digest;
}

static struct fx_loss_opts kind_of_sender(uint64_t seed)
{
    return (struct fx_loss_opts){
        .no_sack = seed % 5 == 0,
        .no_rack = seed % 3 == 0,
        .ts = seed % 2 == 0,
        .linux_rto = seed % 7 < 4,
        .super = seed % 4 == 1,
        .cc = seed % 8 < 3 ? CC_CUBIC : seed % 8 == 3 ? CC_BBR : CC_NEWRENO,
    };
}

TEST("through any network everything arrives, and the sums are right at every step")
{
    COVERS("2018-5 6675-2");
    for (uint64_t seed = 0; seed < 60; seed++) {
        static const unsigned losses[] = {0, 1, 5, 20};
        for (size_t l = 0; l < ARRAY_LEN(losses); l++) {
            transfer(kind_of_sender(seed), losses[l], seed % 3 == 1 ? 20 : 0, seed * 10 + l);
        }
    }
}

TEST("the short way of an acknowledgement and the long one come to the same")
{
    for (uint64_t seed = 100; seed < 160; seed++) {
        struct fx_loss_opts o = kind_of_sender(seed);
        unsigned loss = seed % 4 == 0 ? 0 : seed % 4, reorder = seed % 7 == 0 ? 10 : 0;
        uint64_t by_short = transfer(o, loss, reorder, seed);
        o.long_way = true;
        EXPECT_EQ(by_short, transfer(o, loss, reorder, seed));
    }
}
