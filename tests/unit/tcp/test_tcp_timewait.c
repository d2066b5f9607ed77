#include "fx_tcp.h"

#define RCV_NXT 50001u
#define SND_NXT 90001u

/* A record as a connection to that port of the peer leaves it. */
static struct tcp_tw *rest(struct fx_tcp *f, uint16_t port, bool ts)
{
    struct tcp_conn c = {.tuple = fx_tuple("10.0.0.1", 80, "10.0.0.2", port)};
    c.is = ts ? TCP_IS_TS : 0;
    c.rcv.nxt = seq_of(RCV_NXT);
    c.rcv.ts_recent = 7000;
    c.snd.nxt = seq_of(SND_NXT);
    tcp_timewait_enter(&f->tcp, &c);
    return tcp_tw_find(&f->tcp, &c.tuple, tcp_tuple_hash(&f->tcp, &c.tuple));
}

static bool has(struct fx_tcp *f, uint16_t port)
{
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", port);
    return tcp_timewait_has(&f->tcp, &k);
}

/* ---- how long ---- */

TEST("a record lives for 2 MSL, not less, and a few ticks more at most")
{
    COVERS("MUST-13");
    static const uint32_t msl_ms[] = {1, 7, 1000, 30000, 60000, 120000, 3600000};
    for (unsigned i = 0; i < ARRAY_LEN(msl_ms); i++) {
        struct fx_tcp *f = fx_tcp(.msl_ms = msl_ms[i]);
        oriel_time life = 2 * (oriel_time)msl_ms[i] * NS_PER_MS;
        fx_tcp_pass(f, 123457);
        EXPECT(rest(f, 4000, false) != NULL);
        fx_tcp_pass(f, life - 1);
        EXPECT(has(f, 4000));
        fx_tcp_pass(f, 2 + life / 8192);
        EXPECT(!has(f, 4000));
        EXPECT_EQ(f->tcp.tw.pool.live, 0);
        EXPECT(!timer_armed(&f->tcp.tw.timer));
        fx_tcp_free(f);
    }
}

TEST("records end in the order in which they began, each at its own time")
{
    struct fx_tcp *f = fx_tcp(.msl_ms = 30000);
    for (uint16_t i = 0; i < 10; i++) {
        EXPECT(rest(f, (uint16_t)(4000 + i), false) != NULL);
        fx_tcp_pass(f, NS_PER_S);
    }
    fx_tcp_pass(f, 49 * NS_PER_S + 10 * NS_PER_MS);
    for (uint16_t i = 0; i < 10; i++) {         /* 59 s after the first; one more each second */
        EXPECT_EQ(f->tcp.tw.pool.live, 10 - i);
        fx_tcp_pass(f, NS_PER_S);
        EXPECT(!has(f, (uint16_t)(4000 + i)));
    }
    fx_tcp_free(f);
}

TEST("the table holds as many as it may: the oldest make way, and that is counted")
{
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 4, 4, 16);
    for (uint16_t i = 0; i < 6; i++)
        EXPECT(rest(f, (uint16_t)(4000 + i), false) != NULL);
    EXPECT_EQ(f->tcp.tw.pool.live, 4);
    EXPECT_EQ(f->tcp.tw.shed, 2);
    EXPECT(!has(f, 4000) && !has(f, 4001) && has(f, 4002) && has(f, 4005));
    fx_tcp_free(f);
}

TEST("where there are to be none, nothing is kept and nothing breaks")
{
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 4, 0, 16);
    EXPECT(rest(f, 4000, false) == NULL);
    EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_seg(f, .flags = TCP_ACK, .seq = 1, .ack = 2));
    EXPECT_SEG(f, TCP_RST, WHY_RST_CLOSED);
    fx_tcp_free(f);
}

TEST("thousands of records are found and forgotten in any order")
{
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 4, 5000, 16);
    for (uint16_t i = 0; i < 5000; i++)
        EXPECT(rest(f, (uint16_t)(1000 + i), false) != NULL);
    for (uint32_t i = 0; i < 5000; i++) {
        uint16_t port = (uint16_t)(1000 + i * 2503u % 5000);
        struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", port);
        struct tcp_tw *w = tcp_tw_find(&f->tcp, &k, tcp_tuple_hash(&f->tcp, &k));
        EXPECT(w != NULL);
        struct tcp_tuple back = tcp_tw_tuple(w);
        EXPECT(tcp_tuple_eq(&back, &k));
        tcp_tw_forget(&f->tcp, w);
        EXPECT(!has(f, port));
    }
    EXPECT_EQ(f->tcp.tw.first, 0);
    EXPECT_EQ(f->tcp.tw.last, 0);
    fx_tcp_free(f);
}

/* ---- segments ---- */

TEST("the FIN again is acknowledged again, and 2 MSL begin anew")
{
    COVERS("MUST-13");
    struct fx_tcp *f = fx_tcp(.msl_ms = 30000);
    EXPECT(rest(f, 4000, false) != NULL);
    EXPECT(rest(f, 4001, false) != NULL);
    fx_tcp_pass(f, 40 * NS_PER_S);
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT, fx_seg(f, .flags = TCP_FIN | TCP_ACK, .seq = RCV_NXT - 1,
                                             .ack = SND_NXT));
    EXPECT_SEG(f, TCP_ACK, WHY_TIME_WAIT_ACK);
    EXPECT_EQ(f->out.h.seq.v, SND_NXT);
    EXPECT_EQ(f->out.h.ack.v, RCV_NXT);
    fx_tcp_pass(f, 59 * NS_PER_S);
    EXPECT(has(f, 4000) && !has(f, 4001));
    fx_tcp_pass(f, 1100 * NS_PER_MS);
    EXPECT(!has(f, 4000));
    fx_tcp_free(f);
}

TEST("a FIN that comes again behind its data is the same FIN")
{
    struct fx_tcp *f = fx_tcp();
    EXPECT(rest(f, 4000, false) != NULL);
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT, fx_seg(f, .flags = TCP_FIN | TCP_ACK, .seq = RCV_NXT - 101,
                                             .ack = SND_NXT, .len = 100));
    EXPECT_SEG(f, TCP_ACK, WHY_TIME_WAIT_ACK);
    fx_tcp_free(f);
}

TEST("timestamps go on: ours from the tuple's offset, the peer's echoed")
{
    struct fx_tcp *f = fx_tcp();
    EXPECT(rest(f, 4000, true) != NULL);
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    fx_seg(f, .flags = TCP_FIN | TCP_ACK, .seq = RCV_NXT - 1, .ack = SND_NXT, .ts = true,
           .ts_val = 7010);
    EXPECT_SEG(f, TCP_ACK, WHY_TIME_WAIT_ACK);
    uint32_t clock = (uint32_t)(f->fx.env.now / TCP_TS_TICK_NS);
    EXPECT(f->out.o.has_ts);
    EXPECT_EQ(f->out.o.ts_val, clock + tcp_isn(&f->tcp, &k).ts_off);
    EXPECT_EQ(f->out.o.ts_ecr, 7010);
    fx_tcp_free(f);
}

TEST("a reset does not end it, wherever it stands")
{
    COVERS("1337-1 S35");
    struct fx_tcp *f = fx_tcp();
    EXPECT(rest(f, 4000, false) != NULL);
    for (int32_t at = -2; at <= 2; at++)
        EXPECT_SEG_DROP(f, TCP_TIME_WAIT_RST,
                        fx_seg(f, .flags = TCP_RST, .seq = RCV_NXT + (uint32_t)at));
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT_RST,
                    fx_seg(f, .flags = TCP_RST | TCP_ACK, .seq = RCV_NXT, .ack = SND_NXT));
    EXPECT_NO_SEG(f);
    EXPECT(has(f, 4000));
    fx_tcp_free(f);
}

TEST("by the letter of RFC 9293 a reset ends it, exactly where the next byte would be")
{
    COVERS("1337-1");
    struct fx_tcp *f = fx_tcp();
    f->tcp.set.rst_in_time_wait = true;
    EXPECT(rest(f, 4000, false) != NULL);
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT_RST, fx_seg(f, .flags = TCP_RST, .seq = RCV_NXT + 1));
    EXPECT(has(f, 4000));
    EXPECT_SEG_DROP(f, TCP_RST_TAKEN, fx_seg(f, .flags = TCP_RST, .seq = RCV_NXT));
    EXPECT(!has(f, 4000));
    fx_tcp_free(f);
}

TEST("what lies outside is answered, what lies inside is not, and neither lengthens it")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_tw *w = rest(f, 4000, false);
    uint16_t until = w->until;
    fx_tcp_pass(f, NS_PER_S);
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT, fx_seg(f, .flags = TCP_ACK, .seq = RCV_NXT - 1, .len = 1,
                                             .ack = SND_NXT));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_OUTSIDE);
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT, fx_seg(f, .flags = TCP_ACK, .seq = RCV_NXT + 65535,
                                             .ack = SND_NXT));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_OUTSIDE);
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT, fx_seg(f, .flags = TCP_ACK, .seq = RCV_NXT, .ack = SND_NXT));
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT, fx_seg(f, .flags = TCP_ACK, .seq = RCV_NXT, .ack = SND_NXT,
                                             .len = 10));
    EXPECT_SEG_DROP(f, TCP_NO_ACK, fx_seg(f, .flags = 0, .seq = RCV_NXT));
    EXPECT_NO_SEG(f);
    EXPECT_SEG_DROP(f, TCP_TIME_WAIT, fx_seg(f, .flags = TCP_FIN, .seq = RCV_NXT - 1));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_OUTSIDE);    /* whoever says no ACK has not heard our FIN */
    EXPECT_EQ(w->until, until);
    fx_tcp_free(f);
}

TEST("an old duplicate by its timestamp is answered and changes nothing")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_tw *w = rest(f, 4000, true);
    uint16_t until = w->until;
    fx_tcp_pass(f, NS_PER_S);
    EXPECT_SEG_DROP(f, TCP_PAWS, fx_seg(f, .flags = TCP_FIN | TCP_ACK, .seq = RCV_NXT - 1,
                                        .ack = SND_NXT, .ts = true, .ts_val = 6999));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_PAWS);
    EXPECT_EQ(f->out.o.ts_ecr, 7000);
    EXPECT_EQ(w->until, until);
    fx_tcp_free(f);
}

/* ---- used again ---- */

TEST("a SYN opens it anew when its timestamp or its number says that it is later")
{
    COVERS("6191-1 MAY-2");
    static const struct {
        bool had, has;          /* timestamps: the old connection, the SYN */
        int32_t ts, seq;        /* of the SYN, against what was seen last */
        bool opens;
    } rows[] = {
        {true, true, 1, -100, true},    {true, true, 0, 1, true},
        {true, true, 0, 0, false},      {true, true, -1, 100000, false},
        {true, false, 0, 1, true},      {true, false, 0, 0, false},
        {true, false, 0, -1, false},    {false, true, -1, -100, true},
        {false, false, 0, 1, true},     {false, false, 0, 0, false},
        {false, false, 0, -1, false},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct fx_tcp *f = fx_tcp();
        EXPECT(fx_listener(f, 80) != NULL);
        EXPECT(rest(f, 4000, rows[i].had) != NULL);
        fx_seg(f, .flags = TCP_SYN, .seq = RCV_NXT + (uint32_t)rows[i].seq, .mss = 1460,
               .ts = rows[i].has, .ts_val = 7000 + (uint32_t)rows[i].ts);
        if (rows[i].opens)
            EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
        else
            EXPECT_SEG(f, TCP_ACK, WHY_ACK_CHALLENGE);
        EXPECT_EQ(has(f, 4000), !rows[i].opens);
        EXPECT_EQ(f->tcp.half.pool.live, rows[i].opens);
        fx_tcp_free(f);
    }
}

TEST("our number is then beyond all that the old connection sent")
{
    COVERS("MAY-2");
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    struct tcp_tw *w = rest(f, 4000, false);
    struct tcp_tuple k = tcp_tw_tuple(w);
    w->snd_nxt = seq_add(tcp_isn(&f->tcp, &k).iss, 1000000);    /* it sent faster than the clock */
    seq_t old = w->snd_nxt;
    fx_seg(f, .flags = TCP_SYN, .seq = RCV_NXT + 1, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT(seq_lt(old, f->out.h.seq));
    fx_tcp_free(f);
}

TEST("it does not make way when nobody listens, the queue is full, or the SYN is not plain")
{
    struct fx_tcp *f = fx_tcp();
    EXPECT(rest(f, 4000, false) != NULL);
    EXPECT_SEG_DROP(f, TCP_SYN_CHALLENGED, fx_seg(f, .flags = TCP_SYN, .seq = RCV_NXT + 1));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_CHALLENGE);
    struct tcp_listener *l = fx_listener(f, 80);
    EXPECT_SEG_DROP(f, TCP_SYN_CHALLENGED,
                    fx_seg(f, .flags = TCP_SYN | TCP_ACK, .seq = RCV_NXT + 1, .ack = 5));
    EXPECT_SEG(f, TCP_ACK, WHY_ACK_CHALLENGE);
    tcp_listen_set_backlog(l, 1);
    l->waiting = 1;
    EXPECT_SEG_DROP(f, TCP_ACCEPT_BACKLOG, fx_seg(f, .flags = TCP_SYN, .seq = RCV_NXT + 1));
    l->waiting = 0;
    EXPECT(has(f, 4000));
    fx_tcp_free(f);
}

TEST("a cookie that would begin below the old connection's end is not sent")
{
    struct fx_tcp *f = fx_tcp(.cookies = ORIEL_COOKIES_ALWAYS);
    EXPECT(fx_listener(f, 80) != NULL);
    unsigned sent = 0;
    for (uint16_t i = 0; i < 64; i++) {
        EXPECT(rest(f, (uint16_t)(4000 + i), false) != NULL);
        fx_seg(f, .flags = TCP_SYN, .port = (uint16_t)(4000 + i), .seq = RCV_NXT + 1, .mss = 1460);
        if (!fx_sent_next(f)) {
            EXPECT(has(f, (uint16_t)(4000 + i)));
            continue;
        }
        EXPECT(seq_lt(seq_of(SND_NXT), f->out.h.seq));
        EXPECT(!has(f, (uint16_t)(4000 + i)));
        sent++;
    }
    EXPECT(sent > 16 && sent < 48);             /* half of all numbers are beyond */
    fx_tcp_free(f);
}

TEST("a connection of ours may take the tuple after a second, and only where timestamps protect it")
{
    COVERS("6191-1");
    struct fx_tcp *f = fx_tcp();
    struct tcp_tuple with = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    struct tcp_tuple without = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4001);
    EXPECT(rest(f, 4000, true) != NULL);
    EXPECT(rest(f, 4001, false) != NULL);
    EXPECT(!tcp_timewait_yield(&f->tcp, &with));
    fx_tcp_pass(f, NS_PER_S - 1);
    EXPECT(!tcp_timewait_yield(&f->tcp, &with));
    fx_tcp_pass(f, 10 * NS_PER_MS);
    EXPECT(tcp_timewait_yield(&f->tcp, &with));
    EXPECT(!tcp_timewait_yield(&f->tcp, &without));
    EXPECT(!has(f, 4000) && has(f, 4001));
    EXPECT(tcp_timewait_owns(&f->tcp, &without));
    fx_tcp_free(f);
}

TEST("a record is 64 bytes, and its place in the table four")
{
    EXPECT_EQ(sizeof(struct tcp_tw), 64);
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 4, 1000, 16);
    EXPECT((f->tcp.tw.mask + 1) * sizeof(uint32_t) <= 1000 * 4);
    fx_tcp_free(f);
}
