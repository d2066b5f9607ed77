#include "fx_tcp.h"

static struct tcp_listener *on(struct fx_tcp *f, const char *addr, uint16_t port, uint16_t nif,
                               bool reuseport)
{
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    p.bind_nif = nif;
    p.reuseport = reuseport;
    return fx_listen_as(f, addr, port, NULL, &p);
}

static struct tcp_listener *found(struct fx_tcp *f, const char *local, uint16_t port,
                                  const char *remote, uint16_t nif)
{
    struct tcp_tuple k = fx_tuple(local, port, remote, 4000);
    return tcp_listener_find(&f->tcp, &k, nif);
}

static int start_as(struct fx_tcp *f, const char *addr, uint16_t port,
                    const struct oriel_listen *how, uint8_t family)
{
    struct oriel_endpoint at = {.addr = addr ? fx_addr(addr) : ADDR_NONE, .port = port};
    struct tcp_profile p = tcp_profile_default(&f->tcp), *prof = tcp_profile_get(&f->tcp, &p);
    struct tcp_listener *l;
    int err = tcp_listen_start(&f->tcp, &at, how, family, 1, prof, &l);
    tcp_profile_put(&f->tcp, prof);
    return err;
}

/* ---- who listens where ---- */

TEST("the most specific listener has it: address before any, interface before none")
{
    struct fx_tcp *f = fx_tcp();
    struct oriel_listen range = {.port_last = 90}, all = {.any_addr = true, .port_last = 65535};
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    struct tcp_listener *gate = fx_listen_as(f, NULL, 1, &all, &p);
    EXPECT(gate != NULL);
    EXPECT(found(f, "10.0.0.1", 80, "10.0.0.2", 1) == gate);
    struct tcp_listener *some = fx_listen_as(f, NULL, 79, &range, &p);
    EXPECT(some != NULL);
    EXPECT(found(f, "10.0.0.1", 80, "10.0.0.2", 1) == some);
    EXPECT(found(f, "10.0.0.1", 91, "10.0.0.2", 1) == gate);
    tcp_listen_stop(&f->tcp, some);
    struct tcp_listener *nif = on(f, NULL, 80, 1, false);
    EXPECT(found(f, "10.0.0.1", 80, "10.0.0.2", 1) == nif);
    EXPECT(found(f, "10.0.0.1", 80, "10.0.0.2", 2) == gate);
    tcp_listen_stop(&f->tcp, nif);
    struct tcp_listener *addr = on(f, "10.0.0.1", 80, 0, false);
    EXPECT(found(f, "10.0.0.1", 80, "10.0.0.2", 1) == addr);
    EXPECT(found(f, "2001:db8::1", 80, "2001:db8::2", 1) == gate);
    fx_tcp_free(f);
}

TEST("a plain listener takes our own addresses only; one for any address takes others too")
{
    struct fx_tcp *f = fx_tcp();
    struct oriel_listen any = {.any_addr = true};
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    struct tcp_listener *plain = fx_listener(f, 80);
    EXPECT(found(f, "10.0.0.1", 80, "10.0.0.2", 1) == plain);
    EXPECT(found(f, "127.0.0.1", 80, "127.0.0.1", 1) == plain);
    EXPECT(found(f, "192.0.2.7", 80, "10.0.0.2", 1) == NULL);
    EXPECT(found(f, "2001:db8::77", 80, "2001:db8::2", 1) == NULL);
    struct tcp_listener *gate = fx_listen_as(f, NULL, 80, &any, &p);
    EXPECT(gate != NULL);
    EXPECT(found(f, "192.0.2.7", 80, "10.0.0.2", 1) == gate);
    EXPECT(found(f, "10.0.0.1", 80, "10.0.0.2", 1) == plain);
    fx_tcp_free(f);
}

TEST("families: one, both, or both but for IPv4")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile only6 = tcp_profile_default(&f->tcp);
    only6.v6only = true;
    EXPECT_EQ(start_as(f, NULL, 81, NULL, ORIEL_IP4), 0);
    EXPECT_EQ(start_as(f, NULL, 82, NULL, ORIEL_IP6), 0);
    EXPECT_EQ(start_as(f, NULL, 83, NULL, ORIEL_DUAL), 0);
    EXPECT(fx_listen_as(f, NULL, 84, NULL, &only6) != NULL);
    static const bool v4[] = {true, false, true, false}, v6[] = {false, true, true, true};
    for (uint16_t i = 0; i < 4; i++) {
        EXPECT_EQ(found(f, "10.0.0.1", (uint16_t)(81 + i), "10.0.0.2", 1) != NULL, v4[i]);
        EXPECT_EQ(found(f, "2001:db8::1", (uint16_t)(81 + i), "2001:db8::2", 1) != NULL, v6[i]);
    }
    EXPECT_EQ(start_as(f, NULL, 84, NULL, ORIEL_IP4), 0);       /* beside the one for IPv6 */
    EXPECT_EQ(start_as(f, "10.0.0.1", 85, NULL, ORIEL_IP6), ORIEL_EAFNOSUPPORT);
    fx_tcp_free(f);
}

TEST("where somebody listens nobody else does, unless both say REUSEPORT")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    struct oriel_endpoint at = {.addr = fx_addr("10.0.0.1"), .port = 80};
    struct oriel_listen range = {.port_last = 100};
    EXPECT(on(f, NULL, 80, 0, false) != NULL);
    EXPECT(on(f, NULL, 80, 0, false) == NULL);
    EXPECT(on(f, "10.0.0.1", 80, 0, false) == NULL);
    EXPECT(on(f, NULL, 80, 1, false) == NULL);
    EXPECT(on(f, NULL, 80, 0, true) == NULL);
    EXPECT(fx_listen_as(f, NULL, 70, &range, &p) == NULL);
    EXPECT(tcp_port_taken(&f->tcp, &at, ORIEL_IP4, &p));
    at.port = 81;
    EXPECT(!tcp_port_taken(&f->tcp, &at, ORIEL_IP4, &p));
    EXPECT(on(f, "10.0.0.1", 81, 0, false) != NULL);
    EXPECT(on(f, "2001:db8::1", 81, 0, false) != NULL);         /* addresses that do not meet */
    EXPECT(on(f, NULL, 82, 1, false) != NULL);
    EXPECT(on(f, NULL, 82, 2, false) != NULL);                  /* interfaces neither */
    EXPECT(on(f, NULL, 83, 0, true) != NULL);
    EXPECT(on(f, NULL, 83, 0, true) != NULL);
    EXPECT_EQ(start_as(f, NULL, 80, NULL, ORIEL_IP4), ORIEL_EADDRINUSE);
    fx_tcp_free(f);
}

TEST("where to listen is checked: the address is ours, the range runs forwards, port 0 is chosen")
{
    struct fx_tcp *f = fx_tcp();
    struct oriel_listen back = {.port_last = 79}, any = {.any_addr = true};
    EXPECT_EQ(start_as(f, "192.0.2.1", 80, NULL, ORIEL_IP4), ORIEL_EADDRNOTAVAIL);
    EXPECT_EQ(start_as(f, "192.0.2.1", 80, &any, ORIEL_IP4), 0);
    EXPECT_EQ(start_as(f, NULL, 80, &back, ORIEL_IP4), ORIEL_EINVAL);
    EXPECT_EQ(start_as(f, NULL, 0, &back, ORIEL_IP4), ORIEL_EINVAL);
    struct tcp_listener *l = fx_listener(f, 0);
    EXPECT(l->local.port >= TCP_PORT_EPHEMERAL_MIN);
    EXPECT_EQ(l->port_last, l->local.port);
    while (f->tcp.listeners.live < f->tcp.listeners.cap)
        EXPECT(fx_listener(f, 0) != NULL);
    EXPECT_EQ(start_as(f, NULL, 7, NULL, ORIEL_IP4), ORIEL_ENOBUFS);
    fx_tcp_free(f);
}

TEST("listeners that share a port each get their share of tuples, and a tuple always the same one")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l[4];
    unsigned n[4] = {0};
    for (unsigned i = 0; i < 4; i++)
        l[i] = on(f, NULL, 80, 0, true);
    for (unsigned i = 0; i < 4096; i++) {
        struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", (uint16_t)(1024 + i));
        struct tcp_listener *to = tcp_listener_find(&f->tcp, &k, 1);
        EXPECT(to == tcp_listener_find(&f->tcp, &k, 1));
        for (unsigned j = 0; j < 4; j++)
            n[j] += to == l[j];
    }
    for (unsigned j = 0; j < 4; j++)
        EXPECT(n[j] > 900 && n[j] < 1150);
    fx_tcp_free(f);
}

/* ---- LISTEN: 3.10.7.2 ---- */

TEST("a LISTEN ignores RST, resets ACK, opens for SYN and drops the rest: all flags")
{
    COVERS("9293-LISTEN");
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    for (uint16_t flags = 0; flags < 64; flags++) {
        struct fx_segment s = {.flags = flags, .seq = 500, .ack = 700, .mss = 1460,
                               .port = (uint16_t)(3000 + flags)};
        if (flags & TCP_RST)
            EXPECT_SEG_DROP(f, TCP_LISTEN_RST, fx_segment_in(f, &s));
        else if (flags & TCP_ACK) {
            EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_segment_in(f, &s));
            EXPECT_SEG(f, TCP_RST, WHY_RST_LISTEN);
            EXPECT_EQ(f->out.h.seq.v, 700);
        } else if ((flags & (TCP_SYN | TCP_FIN)) == TCP_SYN) {
            fx_segment_in(f, &s);
            EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
            EXPECT_EQ(f->out.h.ack.v, 501);
        } else {
            EXPECT_SEG_DROP(f, TCP_LISTEN_FLAGS, fx_segment_in(f, &s));
        }
        EXPECT_NO_SEG(f);
    }
    fx_tcp_free(f);
}

TEST("nobody there: everything but a reset is reset")
{
    struct fx_tcp *f = fx_tcp();
    EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_seg(f, .flags = TCP_SYN, .seq = 500, .len = 10));
    EXPECT_SEG(f, TCP_RST | TCP_ACK, WHY_RST_CLOSED);
    EXPECT_EQ(f->out.h.seq.v, 0);
    EXPECT_EQ(f->out.h.ack.v, 511);
    EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_seg(f, .flags = TCP_ACK, .seq = 500, .ack = 600));
    EXPECT_SEG(f, TCP_RST, WHY_RST_CLOSED);
    EXPECT_EQ(f->out.h.seq.v, 600);
    EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_seg(f, .flags = TCP_RST, .seq = 500));
    EXPECT_NO_SEG(f);
    fx_tcp_free(f);
}

TEST("SYNs to groups and broadcast addresses, and from sources that are none, are not heard of")
{
    COVERS("MUST-57 MUST-63 S22");
    struct fx_tcp *f = fx_tcp();
    EXPECT(fx_listener(f, 80) != NULL);
    static const char *const to[] = {"10.0.0.255", "255.255.255.255", "224.0.0.1"};
    for (unsigned i = 0; i < ARRAY_LEN(to); i++)
        EXPECT_SEG_DROP(f, TCP_GROUP, fx_seg(f, .flags = TCP_SYN, .to = to[i]));
    static const char *const from[] = {"10.0.0.255", "255.255.255.255", "224.0.0.1", "10.0.0.1",
                                       "0.0.0.0", "127.0.0.1"};
    for (unsigned i = 0; i < ARRAY_LEN(from); i++)
        fx_seg(f, .flags = TCP_SYN, .from = from[i]);
    static const char *const from6[] = {"ff02::1", "2001:db8::1", "::", "::1"};
    for (unsigned i = 0; i < ARRAY_LEN(from6); i++)
        fx_seg(f, .flags = TCP_SYN, .from = from6[i], .to = "2001:db8::1");
    fx_seg(f, .flags = TCP_SYN, .from = "2001:db8::2", .to = "ff02::1");
    EXPECT_NO_SEG(f);
    EXPECT_EQ(f->tcp.half.pool.live, 0);
    fx_tcp_free(f);
}

/* ---- the accept queue ---- */

TEST("connections are accepted in the order in which their handshakes ended")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    uint32_t iss[3];
    for (uint16_t i = 0; i < 3; i++) {
        fx_syn(f, (uint16_t)(4000 + i));
        iss[i] = f->out.h.seq.v;
        EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    }
    EXPECT(!tcp_acceptable(l));
    static const uint16_t order[] = {1, 2, 0};
    for (unsigned i = 0; i < 3; i++) {
        fx_seg(f, .flags = TCP_ACK, .port = (uint16_t)(4000 + order[i]), .seq = FX_ISS + 1,
               .ack = iss[order[i]] + 1, .ts = true, .ts_val = 5001);
        EXPECT(tcp_acceptable(l));
        EXPECT(list_on(&l->dirty));
    }
    EXPECT_EQ(l->half_open, 0);
    for (unsigned i = 0; i < 3; i++) {
        struct tcp_conn *c = tcp_accept(&f->tcp, l);
        EXPECT_EQ(c->tuple.remote_port, 4000 + order[i]);
        EXPECT_EQ(c->state, TCP_ESTABLISHED);
        EXPECT_EQ(c->listener, TCP_NONE);
        tcp_abort(&f->tcp, c);
    }
    EXPECT(tcp_accept(&f->tcp, l) == NULL);
    fx_tcp_free(f);
}

TEST("a full accept queue drops SYNs and last ACKs; the SYN-ACK is sent again and then it fits")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    tcp_listen_set_backlog(l, 1);
    fx_syn(f, 4000);
    uint32_t first = f->out.h.seq.v;
    fx_syn(f, 4001);
    struct fx_sent second = f->out;
    f->out.h.seq = seq_of(first);
    fx_ack(f, 4000);
    EXPECT_EQ(l->waiting, 1);
    EXPECT_SEG_DROP(f, TCP_ACCEPT_BACKLOG, fx_seg(f, .flags = TCP_SYN, .port = 4002, .seq = 5));
    f->out = second;
    EXPECT_SEG_DROP(f, TCP_ACCEPT_BACKLOG, fx_ack(f, 4001));
    EXPECT_EQ(l->overflows, 2);
    EXPECT_NO_SEG(f);
    tcp_abort(&f->tcp, tcp_accept(&f->tcp, l));
    fx_tcp_drain(f);
    fx_tcp_pass(f, NS_PER_S);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_RTX_SYN_ACK);
    fx_ack(f, 4001);
    EXPECT_EQ(l->waiting, 1);
    fx_tcp_free(f);
}

TEST("one that is reset before it is accepted still takes its place, and tells when it is")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    fx_syn(f, 4000);
    fx_ack(f, 4000);
    EXPECT_SEG_DROP(f, TCP_RST_TAKEN, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 1));
    EXPECT_EQ(l->waiting, 1);
    EXPECT_EQ(f->tcp.table.used, 0);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(c->state, TCP_CLOSED);
    EXPECT_EQ(c->error, ORIEL_ECONNRESET);
    tcp_close(&f->tcp, c);
    EXPECT_EQ(f->tcp.conns.live, 0);
    fx_tcp_free(f);
}

TEST("when listening stops, what waits is reset and what is half open is forgotten")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80), *other = fx_listener(f, 81);
    fx_syn(f, 4000);
    fx_ack(f, 4000);
    fx_syn(f, 4001);
    fx_seg(f, .flags = TCP_SYN, .to_port = 81, .port = 4002, .seq = 7, .mss = 1460);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    tcp_listen_stop(&f->tcp, l);
    EXPECT_SEG(f, TCP_RST | TCP_ACK, WHY_RST_ABORT);
    EXPECT_EQ(f->tcp.conns.live, 0);
    EXPECT_EQ(f->tcp.half.pool.live, 1);
    EXPECT_EQ(other->half_open, 1);
    EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_seg(f, .flags = TCP_ACK, .port = 4001, .seq = FX_ISS + 1,
                                           .ack = 9));
    EXPECT_SEG(f, TCP_RST, WHY_RST_CLOSED);
    fx_tcp_free(f);
}

TEST("a listener begins beside connections of its port, half-open ones and those that have ended")
{
    COVERS("MUST-41 MUST-42");
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = fx_listener(f, 80);
    fx_syn(f, 4000);
    fx_ack(f, 4000);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    tcp_listen_stop(&f->tcp, l);
    EXPECT_EQ(c->state, TCP_ESTABLISHED);
    l = fx_listener(f, 80);
    EXPECT(l != NULL);
    EXPECT_EQ(c->state, TCP_ESTABLISHED);
    fx_syn(f, 4001);                            /* half open */
    tcp_listen_stop(&f->tcp, l);
    tcp_timewait_enter(&f->tcp, c);
    EXPECT(fx_listener(f, 80) != NULL);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("when there is no memory for another connection a SYN is not answered, an ACK not heard")
{
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){0}, 8, 8, 2);
    struct tcp_listener *l = fx_listener(f, 80);
    for (uint16_t i = 0; i < 3; i++)
        fx_syn(f, (uint16_t)(4000 + i));
    fx_ack(f, 4002);
    struct tcp_half *h;
    for (uint16_t i = 0; i < 2; i++) {
        struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", (uint16_t)(4000 + i));
        h = tcp_half_find(&f->tcp, &k, tcp_tuple_hash(&f->tcp, &k));
        f->out.h.seq = h->iss;
        if (i == 0)
            fx_ack(f, 4000);
        else
            EXPECT_SEG_DROP(f, TCP_FULL, fx_ack(f, 4001));
    }
    EXPECT_EQ(l->waiting, 2);
    EXPECT_EQ(l->half_open, 1);
    EXPECT_SEG_DROP(f, TCP_FULL, fx_seg(f, .flags = TCP_SYN, .port = 4005, .seq = 1));
    fx_tcp_free(f);
}

/* ---- everything at once ---- */

struct riot {
    struct fx_tcp *f;
    struct rng dice;
    struct tcp_listener *l[4];
    uint32_t last_seq[16], last_ack[16];        /* of what was sent to a port of the peer */
};

static uint32_t below(struct riot *r, uint32_t n)
{
    return (uint32_t)rng_below(&r->dice, n);
}

static void open_one(struct riot *r, unsigned i)
{
    struct tcp_profile p = tcp_profile_default(&r->f->tcp);
    struct oriel_listen how = {.backlog = 3, .defer = i == 1};
    p.fastopen = i == 2 ? 2 : 0;
    p.defer_accept_ms = i == 3 ? 3000 : 0;
    r->l[i] = fx_listen_as(r->f, NULL, (uint16_t)(80 + i), &how, &p);
    EXPECT(r->l[i] != NULL);
}

static void send_one(struct riot *r)
{
    static const uint16_t flags[] = {TCP_SYN, TCP_SYN, TCP_SYN, TCP_ACK, TCP_ACK, TCP_ACK, TCP_RST,
                                     TCP_RST | TCP_ACK, TCP_FIN | TCP_ACK, TCP_SYN | TCP_ACK,
                                     TCP_SYN | TCP_FIN, 0};
    uint32_t i = below(r, 16);
    uint8_t cookie[8];
    struct tcp_tuple k = fx_tuple("10.0.0.1", 80, "10.0.0.2", 4000);
    tcp_tfo_cookie(&r->f->tcp, &k, cookie);
    struct fx_segment s = {
        .port = (uint16_t)(4000 + i), .to_port = (uint16_t)(80 + i % 4),
        .flags = flags[below(r, ARRAY_LEN(flags))], .mss = (uint16_t)below(r, 2000),
        .seq = below(r, 4) ? r->last_ack[i] : below(r, 4) ? FX_ISS : (uint32_t)rng_u64(&r->dice),
        .ack = below(r, 4) ? r->last_seq[i] + 1 : (uint32_t)rng_u64(&r->dice),
        .ts = below(r, 2), .ts_val = 5000 + below(r, 3), .wscale = (int)below(r, 3),
        .sack = below(r, 2), .len = (uint16_t)(below(r, 2) ? 0 : below(r, 100)),
        .tfo = i % 4 == 2 && below(r, 2), .cookie = span_of(cookie, below(r, 3) ? 8 : 0)};
    fx_segment_in(r->f, &s);
    while (fx_sent_next(r->f)) {
        if (r->f->out.proto != IP_TCP)
            continue;
        uint32_t to = (r->f->out.h.dst_port - 4000u) % 16;
        r->last_seq[to] = r->f->out.h.seq.v;
        r->last_ack[to] = r->f->out.h.ack.v;
    }
}

static void act(struct riot *r)
{
    struct oriel_held held;
    unsigned i = below(r, 4);
    struct tcp_conn *c;
    switch (below(r, 12)) {
    case 0:
        if ((c = tcp_accept(&r->f->tcp, r->l[i])) != NULL) {
            if (c->state != TCP_CLOSED && below(r, 2))
                tcp_timewait_enter(&r->f->tcp, c);
            tcp_abort(&r->f->tcp, c);
        }
        return;
    case 1:
        if (tcp_held_next(&r->f->tcp, r->l[1], &held) == 0 && below(r, 4))
            EXPECT_EQ(tcp_admit(&r->f->tcp, r->l[1], held.id, (enum oriel_admission)below(r, 3)),
                      0);
        return;
    case 2:
        fx_tcp_pass(r->f, below(r, 3) ? below(r, 1000) * NS_PER_MS : below(r, 100) * NS_PER_S);
        return;
    case 3:
        if (below(r, 20) == 0) {
            tcp_listen_stop(&r->f->tcp, r->l[i]);
            open_one(r, i);
        }
        return;
    default:
        send_one(r);
    }
}

static uint32_t count_accept_queue(struct riot *r, const struct tcp_listener *l)
{
    uint32_t n = 0;
    for (uint32_t i = l->first; i != TCP_NONE; i = tcp_conn_at(&r->f->tcp, i)->accept_next, n++)
        EXPECT(tcp_conn_at(&r->f->tcp, i)->is & TCP_IS_ACCEPTQ);
    return n;
}

static void check_sums(struct riot *r)
{
    struct tcp *t = &r->f->tcp;
    uint32_t half[4] = {0}, unnamed[4] = {0}, queued = 0, resting = 0;
    const struct tcp_half *h;
    for (uint32_t cursor = 0; (h = tcp_half_each(t, &cursor)) != NULL;) {
        unsigned i = h->tuple.local_port - 80u;
        EXPECT(tcp_half_listener(t, h) == r->l[i]);
        EXPECT(tcp_half_find(t, &h->tuple, tcp_tuple_hash(t, &h->tuple)) == h);
        half[i]++;
        unnamed[i] += (h->flags & (HALF_HELD | HALF_NAMED)) == HALF_HELD;
    }
    for (unsigned q = 0; q < TCP_HALF_QUEUES; q++)
        for (uint32_t i = t->half.queue[q].first; i; queued++)
            i = ((const struct tcp_half *)pool_at(&t->half.pool, i - 1))->q_next;
    for (uint32_t i = t->tw.first; i; resting++)
        i = ((const struct tcp_tw *)pool_at(&t->tw.pool, i - 1))->q_next;
    EXPECT_EQ(queued, t->half.pool.live);
    EXPECT_EQ(resting, t->tw.pool.live);
    for (unsigned i = 0; i < 4; i++) {
        EXPECT_EQ(r->l[i]->half_open, half[i]);
        EXPECT_EQ(r->l[i]->unnamed, unnamed[i]);
        EXPECT_EQ(r->l[i]->waiting, count_accept_queue(r, r->l[i]));
        EXPECT(r->l[i]->waiting <= r->l[i]->backlog);
        EXPECT(r->l[i]->fastopen_pending <= 2);
    }
    EXPECT(timer_armed(&t->half.timer) || queued == 0);
    EXPECT(timer_armed(&t->tw.timer) || resting == 0);
}

TEST("whatever comes in whatever order, records, queues and counts agree")
{
    static const enum why whys[] = {WHY_SYN_ACK, WHY_SYN_COOKIE, WHY_RTX_SYN_ACK,
                                    WHY_SYN_ACK_AGAIN, WHY_RST_HALF_OPEN, WHY_RST_REFUSED,
                                    WHY_ICMP_UNREACHABLE, WHY_TIME_WAIT_ACK};
    uint64_t seen[ARRAY_LEN(whys)] = {0}, shed = 0;
    for (unsigned seed = 0; seed < 20; seed++) {
        struct riot r = {.f = fx_tcp_make(&(struct oriel_tcp_config){.msl_ms = 30000}, 8, 1, 24)};
        rng_seed(&r.dice, seed, 7);
        for (unsigned i = 0; i < 4; i++)
            open_one(&r, i);
        for (unsigned n = 0; n < 5000; n++) {
            act(&r);
            check_sums(&r);
        }
        for (unsigned i = 0; i < ARRAY_LEN(whys); i++)
            seen[i] += r.f->fx.env.why_count[whys[i]];
        shed += r.f->tcp.tw.shed;
        fx_tcp_free(r.f);
    }
    for (unsigned i = 0; i < ARRAY_LEN(whys); i++)
        EXPECT(seen[i] > 0);                    /* it went everywhere */
    EXPECT(shed > 0);
}
