#include "fx_loss.h"

#include "base/rng.h"
#include "base/seqtree.h"

/* Steps through the tree by what the scoreboard does, counted. */
static uint64_t steps;
static struct seqnode *counted_next(const struct seqnode *n)
{
    steps++;
    return seqtree_next(n);
}
#define seqtree_next counted_next
#include "tcp/tcp_sent.c"
#undef seqtree_next

static struct tcp_delivered told;

static void ack(struct fx_loss *f, uint32_t bytes)
{
    struct tcp_acked a = fx_acked(f, seq_of(FX_BASE + bytes));
    f->c->snd.una = a.ack;
    told = (struct tcp_delivered){0};
    tcp_sent_on_ack(&f->t, f->c, &a, &told);
}

/* SACK of bytes [left, right) from the first byte on, without anything new acknowledged. */
static void sack(struct fx_loss *f, uint32_t left, uint32_t right)
{
    fx_add_sack(f, seq_of(FX_BASE + left), seq_of(FX_BASE + right));
    ack(f, f->c->snd.una.v - FX_BASE);
}

static struct tcp_sent *at(struct fx_loss *f, uint32_t byte)
{
    struct seqnode *n = seqtree_floor(&f->c->flight->sent.tree, seq_of(FX_BASE + byte));
    struct tcp_sent *r = n ? CONTAINER_OF(n, struct tcp_sent, node) : NULL;
    return r && seq_lt(seq_of(FX_BASE + byte), sent_end(r)) ? r : NULL;
}

/* ---- one thing at a time ---- */

TEST("what left is under way until it is acknowledged, a super-segment in one record")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send(f, 10000);
    fx_send(f, 700);
    EXPECT_EQ(f->t.records.live, 2);
    EXPECT_EQ(tcp_pipe(f->c), 10700);
    ack(f, 4000);
    EXPECT_EQ(told.acked_bytes, 4000);
    EXPECT_EQ(told.bytes, 4000);
    EXPECT_EQ(tcp_pipe(f->c), 6700);
    EXPECT_EQ(f->t.records.live, 2);
    ack(f, 10700);
    EXPECT_EQ(told.bytes, 6700);
    EXPECT_EQ(tcp_pipe(f->c), 0);
    EXPECT_EQ(f->t.records.live, 0);
    fx_loss_free(f);
}

TEST("a SACK block counts whole segments only, rounded inwards")
{
    COVERS("6675-2");
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send(f, 10000);
    sack(f, 2500, 5999);
    EXPECT_EQ(told.sacked_bytes, 2000);         /* segments 3 and 4 */
    EXPECT(at(f, 3000)->flags & SENT_SACKED);
    EXPECT_EQ(at(f, 3000)->len, 2000);
    EXPECT(!(at(f, 2999)->flags & SENT_SACKED));
    EXPECT(!(at(f, 5000)->flags & SENT_SACKED));
    sack(f, 6001, 6999);
    EXPECT_EQ(told.sacked_bytes, 0);
    sack(f, 5000, 6000);
    EXPECT_EQ(told.sacked_bytes, 1000);
    EXPECT_EQ(at(f, 3000)->len, 3000);          /* they melt */
    EXPECT_EQ(tcp_pipe(f->c), 7000);
    EXPECT_EQ(f->t.records.live, 3);
    fx_loss_free(f);
}

TEST("the short segment at the end of a record is a whole one, and the FIN is part of it")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    EXPECT(tcp_sent_add(&f->t, f->c, 2301, 1000, SENT_FIN) != NULL);
    f->c->snd.nxt = seq_add(f->c->snd.nxt, 2301);
    sack(f, 2000, 2300);
    EXPECT_EQ(told.sacked_bytes, 0);
    sack(f, 2000, 2301);
    EXPECT_EQ(told.sacked_bytes, 301);
    EXPECT(at(f, 2300)->flags & SENT_FIN);
    EXPECT(!(at(f, 0)->flags & SENT_FIN));
    fx_loss_free(f);
}

TEST("an acknowledgement in the middle of a segment leaves the others where they were")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send(f, 5000);
    ack(f, 1300);
    EXPECT_EQ(at(f, 1300)->skew, 300);
    sack(f, 1300, 2000);                        /* what is left of segment 1 */
    EXPECT_EQ(told.sacked_bytes, 700);
    sack(f, 2300, 3000);
    EXPECT_EQ(told.sacked_bytes, 0);
    sack(f, 3000, 4000);
    EXPECT_EQ(told.sacked_bytes, 1000);
    fx_loss_free(f);
}

TEST("what is acknowledged after it was SACKed is delivered once")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send(f, 3000);
    sack(f, 1000, 2000);
    EXPECT_EQ(told.bytes, 1000);
    sack(f, 1000, 3000);
    EXPECT_EQ(told.bytes, 1000);
    ack(f, 3000);
    EXPECT_EQ(told.bytes, 1000);
    EXPECT_EQ(told.acked_bytes, 3000);
    EXPECT_EQ(f->c->flight->sent.delivered, 3000);
    fx_loss_free(f);
}

TEST("what is lost leaves the pipe, and is in it again when it was sent again")
{
    COVERS("6675-2");
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send_segs(f, 4);
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 2), WHY_RTX_RACK);
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 0), WHY_RTX_DUPACK);
    EXPECT_EQ(tcp_pipe(f->c), 2000);
    struct tcp_sent *r = tcp_sent_next_lost(f->c);
    EXPECT(r == fx_record(f, 0));               /* in order of sequence */
    EXPECT_EQ(r->why, WHY_RTX_DUPACK);
    tcp_sent_again(&f->t, f->c, r);
    EXPECT_EQ(tcp_pipe(f->c), 3000);
    EXPECT(tcp_sent_next_lost(f->c) == fx_record(f, 2));
    tcp_sent_again(&f->t, f->c, fx_record(f, 2));
    EXPECT(tcp_sent_next_lost(f->c) == NULL);
    EXPECT_EQ(tcp_pipe(f->c), 4000);
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 0), WHY_RTX_RACK);     /* lost once more */
    EXPECT_EQ(tcp_pipe(f->c), 3000);
    fx_loss_free(f);
}

TEST("what was sent again without being lost is under way twice")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send_segs(f, 2);
    tcp_sent_again(&f->t, f->c, fx_record(f, 1));
    EXPECT_EQ(tcp_pipe(f->c), 3000);
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 1), WHY_RTX_RACK);
    EXPECT_EQ(tcp_pipe(f->c), 1000);
    fx_loss_free(f);
}

TEST("only a part is sent again: the record is split there and the rest stays lost")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    struct tcp_sent *r = fx_send(f, 5000);
    tcp_sent_mark_lost(&f->t, f->c, r, WHY_RTX_RTO);
    EXPECT(tcp_sent_split(&f->t, f->c, r, 2000));
    tcp_sent_again(&f->t, f->c, r);
    EXPECT_EQ(r->len, 2000);
    EXPECT_EQ(tcp_pipe(f->c), 2000);
    EXPECT_EQ(tcp_sent_next_lost(f->c)->len, 3000);
    EXPECT_EQ(tcp_sent_next_lost(f->c)->why, WHY_RTX_LOSS);     /* the timer sends one segment */
    fx_loss_free(f);
}

TEST("reneging: what was SACKED is not, and is under way in its place of time")
{
    COVERS("2018-5 2018-6");
    struct fx_loss *f = fx_loss(.mss = 1000);
    for (uint32_t i = 0; i < 6; i++) {
        fx_at_ms(f, i);
        fx_send(f, 1000);
    }
    sack(f, 1000, 3000);
    sack(f, 4000, 5000);
    EXPECT_EQ(tcp_pipe(f->c), 3000);
    tcp_sent_reneged(f->c);
    EXPECT_EQ(tcp_pipe(f->c), 6000);
    EXPECT_EQ(f->c->flight->sent.sacked_segs, 0);
    oriel_time last = 0;
    LIST_EACH(n, &f->c->flight->sent.by_time) {
        EXPECT(of_time(n)->sent_at >= last);
        last = of_time(n)->sent_at;
    }
    ack(f, 6000);
    EXPECT_EQ(f->t.records.live, 0);
    fx_loss_free(f);
}

TEST("without records nothing is sent; and splitting leaves an eighth of them for sending")
{
    struct fx_loss *f = fx_loss(.mss = 1000, .records = 16);
    fx_send(f, 60000);
    for (uint32_t i = 1; i < 60; i += 2)
        sack(f, i * 1000, (i + 1) * 1000);
    EXPECT_EQ(f->t.records.live, 14);
    EXPECT_EQ(tcp_pipe(f->c), 60000 - f->c->flight->sent.sacked_bytes);
    EXPECT(fx_send(f, 1000) != NULL);
    EXPECT(fx_send(f, 1000) != NULL);
    EXPECT(fx_send(f, 1000) == NULL);
    EXPECT(!tcp_sent_split(&f->t, f->c, tcp_sent_last(f->c), 500));
    sack(f, 1000, 60000);                       /* whole records need none */
    EXPECT_EQ(tcp_pipe(f->c), 3000);
    ack(f, 62000);
    EXPECT_EQ(f->t.records.live, 0);
    fx_loss_free(f);
}

TEST("without SACK each duplicate takes a segment out of the pipe, and never the first one")
{
    struct fx_loss *f = fx_loss(.mss = 1000, .no_sack = true);
    fx_send(f, 4000);
    for (int i = 0; i < 10; i++)
        tcp_sent_on_duplicate(&f->t, f->c, &told);
    EXPECT_EQ(f->c->flight->sent.emulated, 3000);
    EXPECT_EQ(tcp_pipe(f->c), 1000);
    ack(f, 2000);                               /* the hole, and one that a duplicate told of */
    EXPECT_EQ(told.bytes, 1000);
    EXPECT_EQ(f->c->flight->sent.emulated, 2000);
    ack(f, 4000);
    EXPECT_EQ(f->c->flight->sent.emulated, 0);
    fx_loss_free(f);
}

TEST("reordering is a segment sent once that arrives after a later one")
{
    COVERS("8985-3");
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send_segs(f, 8);
    sack(f, 3000, 4000);
    EXPECT(!told.reordered);
    sack(f, 5000, 6000);
    EXPECT(!told.reordered);
    sack(f, 4000, 5000);                        /* between: it came later than 5 */
    EXPECT(told.reordered);
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 0), WHY_RTX_RACK);
    tcp_sent_again(&f->t, f->c, fx_record(f, 0));
    fx_at_ms(f, 100);
    ack(f, 1000);
    EXPECT(!told.reordered);                    /* sent again: it says nothing */
    ack(f, 2000);
    EXPECT(told.reordered);
    fx_loss_free(f);
}

TEST("an acknowledgement that tells of two segments at once says nothing of their order")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send_segs(f, 8);
    fx_add_sack(f, seq_of(FX_BASE + 5000), seq_of(FX_BASE + 6000));
    fx_add_sack(f, seq_of(FX_BASE + 3000), seq_of(FX_BASE + 4000));
    ack(f, 1000);
    EXPECT_EQ(told.bytes, 3000);
    EXPECT(!told.reordered);
    fx_loss_free(f);
}

TEST("a retransmission that may be the first transmission is no newest delivery")
{
    COVERS("8985-2");
    struct fx_loss *f = fx_loss(.mss = 1000, .rtt_ms = 100, .ts = true);
    fx_send_segs(f, 2);
    fx_at_ms(f, 100);
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 0), WHY_RTX_RACK);
    tcp_sent_again(&f->t, f->c, fx_record(f, 0));
    fx_at_ms(f, 150);
    ack(f, 1000);
    EXPECT(!told.has_newest);                   /* after half of the least round trip */
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 1), WHY_RTX_RACK);
    tcp_sent_again(&f->t, f->c, fx_record(f, 1));
    fx_at_ms(f, 300);
    struct tcp_acked a = fx_acked(f, seq_of(FX_BASE + 2000));
    a.has_ts = true;
    a.ts_ecr = at(f, 1000)->ts_val - 1;         /* of something that left before */
    told = (struct tcp_delivered){0};
    tcp_sent_on_ack(&f->t, f->c, &a, &told);
    EXPECT(!told.has_newest);
    fx_loss_free(f);
}

TEST("round trips are taken of what was sent once: the newest, and the oldest")
{
    COVERS("6298-6 MUST-18");
    struct fx_loss *f = fx_loss(.mss = 1000);
    for (uint32_t i = 0; i < 4; i++) {
        fx_at_ms(f, 10 * i);
        fx_send(f, 1000);
    }
    tcp_sent_mark_lost(&f->t, f->c, fx_record(f, 0), WHY_RTX_RTO);
    tcp_sent_again(&f->t, f->c, fx_record(f, 0));
    fx_at_ms(f, 100);
    ack(f, 1000);
    EXPECT(told.rtt_sent_at == 0);
    ack(f, 4000);
    EXPECT_EQ(told.rtt_first_at, f->start + 10 * NS_PER_MS);
    EXPECT_EQ(told.rtt_sent_at, f->start + 30 * NS_PER_MS);
    fx_loss_free(f);
}

TEST("delivery rate: what was delivered since the newest delivered left")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send_segs(f, 2);                         /* 0 ms */
    fx_at_ms(f, 10);
    fx_send_segs(f, 2);
    fx_at_ms(f, 100);
    ack(f, 2000);
    EXPECT_EQ(told.newest_delivered, 0);
    EXPECT_EQ(told.newest_tx_flight, 2000);
    fx_send_segs(f, 1);
    fx_at_ms(f, 110);
    ack(f, 4000);
    EXPECT_EQ(told.newest_delivered, 0);
    EXPECT_EQ(told.newest_delivered_at, f->start);
    EXPECT_EQ(told.newest_sent_at, f->start + 10 * NS_PER_MS);
    EXPECT_EQ(told.newest_first_sent_at, f->start);
    fx_at_ms(f, 200);
    ack(f, 5000);
    EXPECT_EQ(told.newest_delivered, 2000);
    EXPECT_EQ(told.newest_delivered_at, f->start + 100 * NS_PER_MS);
    EXPECT_EQ(told.newest_tx_flight, 3000);
    EXPECT_EQ(f->c->flight->sent.delivered, 5000);
    fx_loss_free(f);
}

TEST("samples of what left when the application ran dry are marked, until that was delivered")
{
    struct fx_loss *f = fx_loss(.mss = 1000);
    fx_send_segs(f, 1);
    tcp_sent_on_dry(f->c);
    fx_send_segs(f, 1);
    ack(f, 1000);
    EXPECT(!told.newest_app_limited);
    ack(f, 2000);
    EXPECT(told.newest_app_limited);
    EXPECT(f->c->flight->sent.app_limited == 0);
    fx_send_segs(f, 10);                        /* not the application: the window */
    tcp_sent_on_dry(f->c);
    EXPECT(f->c->flight->sent.app_limited == 0);
    ack(f, 12000);
    EXPECT(!told.newest_app_limited);
    fx_loss_free(f);
}

/* ---- against a model of bytes ---- */

#define BYTES 4000
#define MSS   7

struct model {
    uint8_t flags[BYTES];       /* SENT_* but for FIN */
    uint32_t piece[BYTES];      /* bytes that a SACK takes together */
    uint32_t pieces;
    uint32_t una, nxt;
    bool reneged;               /* then records may say resent of more than was */
    struct rng dice;
};

static struct model m;

static uint32_t draw(uint32_t n)
{
    return (uint32_t)rng_below(&m.dice, n);
}

static void cut_into_pieces(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        if ((i - from) % MSS == 0)
            m.pieces++;
        m.piece[i] = m.pieces;
    }
}

static void model_sack(uint32_t left, uint32_t right)
{
    for (uint32_t i = m.una, end; i < m.nxt; i = end) {
        for (end = i; end < m.nxt && m.piece[end] == m.piece[i]; end++)
            ;
        if (i >= left && end <= right && !(m.flags[i] & SENT_SACKED))
            for (uint32_t k = i; k < end; k++)
                m.flags[k] = SENT_SACKED | (m.flags[k] & SENT_EVER_RESENT);
    }
}

static void model_again(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        m.flags[i] = (m.flags[i] & SENT_LOST) ? SENT_RESENT | SENT_EVER_RESENT
                                              : (uint8_t)(SENT_RESENT | SENT_EVER_RESENT | 128);
    }
    cut_into_pieces(from, to);
}

/* What melted knows only whether any of it was sent again. */
static void model_reneged(struct fx_loss *f)
{
    m.reneged = true;
    for (uint32_t i = m.una; i < m.nxt; i++)
        if ((m.flags[i] & SENT_SACKED) && (at(f, i)->flags & SENT_EVER_RESENT))
            m.flags[i] |= SENT_RESENT | SENT_EVER_RESENT;
    for (uint32_t i = m.una, end; i < m.nxt; i = end) {
        for (end = i + 1; end < m.nxt && (m.flags[end] & m.flags[i] & SENT_SACKED); end++)
            ;
        if (m.flags[i] & SENT_SACKED)
            cut_into_pieces(i, end);
    }
    for (uint32_t i = m.una; i < m.nxt; i++)
        m.flags[i] &= (uint8_t)~SENT_SACKED;
}

static void compare_sums(const struct tcp_scoreboard *s)
{
    uint32_t out = m.nxt - m.una, sacked = 0, lost = 0, resent = 0, twice = 0;
    for (uint32_t i = m.una; i < m.nxt; i++) {
        sacked += (m.flags[i] & SENT_SACKED) != 0;
        lost += (m.flags[i] & SENT_LOST) != 0;
        resent += (m.flags[i] & SENT_RESENT) != 0;
        twice += (m.flags[i] & 128) != 0;
    }
    EXPECT_EQ(s->out_bytes, out);
    EXPECT_EQ(s->sacked_bytes, sacked);
    EXPECT_EQ(s->lost_bytes, lost);
    EXPECT_EQ(s->resent_bytes, resent);
    EXPECT_EQ(s->twice_bytes, twice);
    EXPECT_EQ(scoreboard_pipe(s), out - sacked - lost + twice);
}

/* Records cover what is outstanding, with the flags of the model. */
static void compare_records(struct fx_loss *f)
{
    uint32_t next = m.una, n = 0, in_time = 0, segs = 0;
    bool sacked_before = false;
    for (struct tcp_sent *r = tcp_sent_first(f->c); r; r = tcp_sent_after(r), n++) {
        EXPECT_EQ(r->node.key.v, FX_BASE + next);
        for (uint32_t i = next; i < next + r->len; i++) {
            EXPECT_EQ(r->flags & 7u, m.flags[i] & 7u);
            EXPECT_EQ((r->flags & SENT_TWICE) != 0, (m.flags[i] & 128) != 0);
            bool ever = (r->flags & SENT_EVER_RESENT) != 0;
            if ((m.flags[i] & SENT_EVER_RESENT) || !(m.reneged || (r->flags & SENT_SACKED)))
                EXPECT_EQ(ever, (m.flags[i] & SENT_EVER_RESENT) != 0);
        }
        next += r->len;
        bool sacked = (r->flags & SENT_SACKED) != 0;
        EXPECT(!(sacked && sacked_before));
        sacked_before = sacked;
        segs += sacked ? r->segs : 0;
        if (r->flags & (SENT_SACKED | SENT_LOST))
            EXPECT_EQ(r->alt.key.v, r->node.key.v);
        else
            in_time++;
    }
    EXPECT_EQ(next, m.nxt);
    const struct tcp_scoreboard *s = &f->c->flight->sent;
    EXPECT_EQ(n, s->tree.n);
    EXPECT_EQ(n, in_time + s->lost.n + s->sacked.n);
    EXPECT_EQ(segs, s->sacked_segs);
    EXPECT_EQ(f->t.records.live, n);
}

static void compare_time(const struct fx_loss *f)
{
    const struct tcp_sent *before = NULL;
    const struct tcp_scoreboard *s = &f->c->flight->sent;
    uint32_t n = 0;
    LIST_EACH(i, (struct list *)(uintptr_t)&s->by_time) {
        const struct tcp_sent *r = of_time(i);
        EXPECT(!before || before->sent_at <= r->sent_at);
        EXPECT(!(r->flags & (SENT_SACKED | SENT_LOST)));
        before = r;
        n++;
    }
    EXPECT_EQ(n, s->tree.n - s->lost.n - s->sacked.n);
}

static void model_send(struct fx_loss *f)
{
    uint32_t len = 1 + draw(5 * MSS);
    if (m.nxt + len > BYTES)
        return;
    EXPECT(tcp_sent_add(&f->t, f->c, len, MSS, 0) != NULL);
    f->c->snd.nxt = seq_add(f->c->snd.nxt, len);
    memset(m.flags + m.nxt, 0, len);
    cut_into_pieces(m.nxt, m.nxt + len);
    m.nxt += len;
}

static void model_ack(struct fx_loss *f)
{
    uint32_t n = m.nxt - m.una, to = m.una + (draw(2) ? 0 : draw(n < 40 ? n + 1 : 40));
    uint32_t was = 0, is = 0;
    for (uint32_t i = m.una; i < m.nxt; i++)
        was += !(m.flags[i] & SENT_SACKED);
    m.una = to;
    for (unsigned b = draw(4); b > 0 && to < m.nxt; b--) {
        uint32_t left = to + draw(m.nxt - to), right = left + 1 + draw(m.nxt - left);
        if (draw(3) == 0 && right > left + 3 * MSS)
            right = left + 3 * MSS;
        if (right > m.nxt)
            right = m.nxt;
        fx_add_sack(f, seq_of(FX_BASE + left), seq_of(FX_BASE + right));
    }
    for (unsigned b = 0; b < f->sack_n; b++)
        model_sack(f->sack[b].left.v - FX_BASE, f->sack[b].right.v - FX_BASE);
    ack(f, to);
    for (uint32_t i = m.una; i < m.nxt; i++)
        is += !(m.flags[i] & SENT_SACKED);
    EXPECT_EQ(told.bytes, was - is);
}

/* Any record is lost, split or sent again. */
static void model_touch(struct fx_loss *f)
{
    if (m.una == m.nxt)
        return;
    struct tcp_sent *r = at(f, m.una + draw(m.nxt - m.una));
    uint32_t from = r->node.key.v - FX_BASE, len = r->len;
    if (r->flags & SENT_SACKED)
        return;
    if (len > 1 && draw(2)) {
        uint32_t n = 1 + draw(len - 1);
        EXPECT(tcp_sent_split(&f->t, f->c, r, n));
        for (uint32_t i = from + n, old = m.piece[i]; i < m.nxt && m.piece[i] == old; i++)
            m.piece[i] = m.pieces + 1;
        m.pieces++;
        len = n;
    }
    if (draw(2) && !(r->flags & SENT_LOST)) {
        tcp_sent_mark_lost(&f->t, f->c, r, WHY_RTX_RACK);
        for (uint32_t i = from; i < from + len; i++)
            m.flags[i] = SENT_LOST | (m.flags[i] & SENT_EVER_RESENT);
    } else {
        tcp_sent_again(&f->t, f->c, r);
        model_again(from, from + len);
    }
}

static void model_unmark(struct fx_loss *f)
{
    tcp_sent_unmark_lost(f->c);
    for (uint32_t i = m.una; i < m.nxt; i++) {
        if ((m.flags[i] & SENT_LOST) && (m.flags[i] & SENT_EVER_RESENT))
            m.flags[i] |= SENT_RESENT;
        m.flags[i] &= (uint8_t)~SENT_LOST;
    }
}

static void compare_with_bytes(uint64_t seed, int rounds)
{
    struct fx_loss *f = fx_loss(.mss = MSS);
    m = (struct model){0};
    rng_seed(&m.dice, seed, 0);
    for (int i = 0; i < rounds; i++) {
        uint32_t what = draw(100);
        f->fx.env.now += draw(2) * NS_PER_US;
        if (what < 30)
            model_send(f);
        else if (what < 60)
            model_ack(f);
        else if (what < 97)
            model_touch(f);
        else if (what < 99)
            model_unmark(f);
        else if (draw(4) == 0) {
            model_reneged(f);
            tcp_sent_reneged(f->c);
        }
        compare_sums(&f->c->flight->sent);
        if (i % 8 == 0) {
            compare_records(f);
            compare_time(f);
        }
    }
    fx_loss_free(f);
}

TEST("random use matches a model of bytes")
{
    COVERS("6675-2");
    for (uint64_t seed = 0; seed < 60; seed++)
        compare_with_bytes(seed, 600);
}

/* ---- hostile peers ---- */

/* Every second segment of a great window is SACKed, then all is SACKed again and again. */
TEST("whatever a peer SACKs costs a look-up and what it newly tells")
{
    COVERS("S8 S9");
    enum { SEGS = 100100, RECORD = 44 };
    struct fx_loss *f = fx_loss_new((struct fx_loss_opts){.mss = 48, .records = 120000});
    for (uint32_t i = 0; i < SEGS / RECORD; i++)
        EXPECT(tcp_sent_add(&f->t, f->c, RECORD * 48, 48, 0) != NULL &&
               (f->c->snd.nxt = seq_add(f->c->snd.nxt, RECORD * 48), true));
    uint32_t segs = SEGS / RECORD * RECORD;
    uint64_t most = 0;
    for (uint32_t i = 1; i < segs; i += 2) {
        steps = 0;
        uint32_t k = (uint32_t)((uint64_t)i * 7919 % segs) | 1;
        sack(f, k * 48, (k + 1) * 48);
        most = steps > most ? steps : most;
    }
    EXPECT(most <= 4);
    EXPECT(f->c->flight->sent.sacked.n > 45000);
    steps = 0;
    sack(f, 0, segs * 48);                      /* tells much: pays for it once */
    EXPECT(steps <= 3 * (uint64_t)segs);
    for (int i = 0; i < 1000; i++) {
        steps = 0;
        for (int b = 0; b < TCP_SACK_MAX; b++)
            fx_add_sack(f, seq_of(FX_BASE + 48), seq_of(FX_BASE + segs * 48));
        ack(f, 0);
        EXPECT(steps <= 2 * TCP_SACK_MAX);
    }
    fx_loss_free(f);
}
