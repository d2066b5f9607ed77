#include "fx_tcp.h"

static struct tcp_listener *deferring(struct fx_tcp *f)
{
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    struct oriel_listen how = {.defer = true, .any_addr = true, .port_last = 65535};
    return fx_listen_as(f, NULL, 1, &how, &p);
}

static void syn(struct fx_tcp *f, uint16_t port)
{
    fx_seg(f, .flags = TCP_SYN, .port = port, .seq = FX_ISS, .mss = 1460, .wscale = 8, .sack = true,
           .ts = true, .ts_val = 5000);
    EXPECT_NO_SEG(f);
}

TEST("a SYN is held, told once, and answered when the application says so")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f);
    struct oriel_held h;
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &h), ORIEL_EAGAIN);
    syn(f, 4000);
    EXPECT(tcp_acceptable(l) && list_on(&l->dirty));
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &h), 0);
    EXPECT_EQ(h.remote.port, 4000);
    EXPECT_EQ(h.local.port, 80);
    struct oriel_addr peer = fx_addr("10.0.0.2"), mine = fx_addr("10.0.0.1");
    EXPECT(addr_eq(&h.remote.addr, &peer) && addr_eq(&h.local.addr, &mine));
    EXPECT_EQ(h.netif, f->nif->index);
    struct oriel_held again;
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &again), ORIEL_EAGAIN);
    EXPECT(!tcp_acceptable(l));
    fx_tcp_pass(f, 3 * NS_PER_S);
    EXPECT_NO_SEG(f);
    EXPECT_EQ(tcp_admit(&f->tcp, l, h.id, ORIEL_ADMIT), 0);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    fx_tcp_pass(f, 50 * NS_PER_MS);
    fx_ack(f, 4000);
    struct tcp_conn *c = tcp_accept(&f->tcp, l);
    EXPECT_EQ(c->state, TCP_ESTABLISHED);
    EXPECT_EQ(tcp_srtt_ns(c), 50 * NS_PER_MS);  /* of the answer, not of the application */
    EXPECT_EQ(tcp_admit(&f->tcp, l, h.id, ORIEL_ADMIT), ORIEL_ENOENT);
    tcp_abort(&f->tcp, c);
    fx_tcp_drain(f);
    fx_tcp_free(f);
}

TEST("several wait in the order in which they came and are answered in any")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f);
    struct oriel_held h[3];
    for (uint16_t i = 0; i < 3; i++)
        syn(f, (uint16_t)(4000 + i));
    for (uint16_t i = 0; i < 3; i++) {
        EXPECT_EQ(tcp_held_next(&f->tcp, l, &h[i]), 0);
        EXPECT_EQ(h[i].remote.port, 4000 + i);
    }
    static const unsigned order[] = {2, 0, 1};
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_EQ(tcp_admit(&f->tcp, l, h[order[i]].id, ORIEL_ADMIT), 0);
        EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
        EXPECT_EQ(f->out.h.dst_port, 4000 + order[i]);
    }
    fx_tcp_free(f);
}

TEST("refused with a reset, the peer learns it at once, and the SYN is forgotten")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f);
    struct oriel_held h;
    syn(f, 4000);
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &h), 0);
    EXPECT_SEG_DROP(f, TCP_REFUSED, EXPECT_EQ(tcp_admit(&f->tcp, l, h.id, ORIEL_ADMIT_RESET), 0));
    EXPECT_SEG(f, TCP_RST | TCP_ACK, WHY_RST_REFUSED);
    EXPECT_EQ(f->out.h.seq.v, 0);
    EXPECT_EQ(f->out.h.ack.v, FX_ISS + 1);
    EXPECT_EQ(l->half_open, 0);
    EXPECT_EQ(tcp_admit(&f->tcp, l, h.id, ORIEL_ADMIT), ORIEL_ENOENT);
    fx_tcp_free(f);
}

TEST("refused as unreachable, ICMP of either family quotes the SYN")
{
    static const char *const ends[2][2] = {{"10.0.0.2", "10.0.0.1"},
                                           {"2001:db8::2", "2001:db8::1"}};
    for (unsigned v = 0; v < 2; v++) {
        struct fx_tcp *f = fx_tcp();
        struct tcp_listener *l = deferring(f);
        struct oriel_held h;
        fx_seg(f, .from = ends[v][0], .to = ends[v][1], .flags = TCP_SYN, .seq = 0xfeedbeef);
        EXPECT_EQ(tcp_held_next(&f->tcp, l, &h), 0);
        EXPECT_EQ(tcp_admit(&f->tcp, l, h.id, ORIEL_ADMIT_UNREACHABLE), 0);
        EXPECT(fx_sent_next(f));
        EXPECT_EQ(f->out.why, WHY_ICMP_UNREACHABLE);
        EXPECT_EQ(f->out.proto, v == 0 ? IP_ICMP : IP_ICMP6);
        struct oriel_addr peer = fx_addr(ends[v][0]);
        EXPECT(addr_eq(&f->out.dst, &peer));
        size_t at = v == 0 ? 20 + 8 + 20 : 40 + 8 + 40;
        static const uint8_t quote[] = {0x0f, 0xa0, 0, 80, 0xfe, 0xed, 0xbe, 0xef};
        EXPECT(f->out.n >= at + sizeof(quote));
        EXPECT_MEM(f->out.bytes + at, quote, sizeof(quote));
        EXPECT_EQ(f->out.bytes[v == 0 ? 21 : 41], v == 0 ? 1 : 3);      /* host, address */
        EXPECT_EQ(l->half_open, 0);
        fx_tcp_free(f);
    }
}

TEST("the SYN again waits too, and keeps what is held alive; without it it is forgotten")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f);
    struct oriel_held h;
    syn(f, 4000);
    fx_tcp_pass(f, 60 * NS_PER_S);
    EXPECT_SEG_DROP(f, TCP_SYN_HELD, syn(f, 4000));
    fx_tcp_pass(f, 60 * NS_PER_S);
    EXPECT_EQ(l->half_open, 1);
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &h), 0);
    fx_tcp_pass(f, 74 * NS_PER_S);
    EXPECT_EQ(l->half_open, 1);
    fx_tcp_pass(f, 2 * NS_PER_S);
    EXPECT_EQ(l->half_open, 0);
    EXPECT_EQ(tcp_admit(&f->tcp, l, h.id, ORIEL_ADMIT), ORIEL_ENOENT);
    EXPECT_NO_SEG(f);
    fx_tcp_free(f);
}

TEST("a new attempt of the same tuple takes the place of the old one")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f);
    struct oriel_held h;
    syn(f, 4000);
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &h), 0);
    fx_seg(f, .flags = TCP_SYN, .seq = 777, .mss = 500);
    EXPECT_EQ(tcp_admit(&f->tcp, l, h.id, ORIEL_ADMIT), 0);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
    EXPECT_EQ(f->out.h.ack.v, 778);
    EXPECT(!f->out.o.has_ts);
    fx_tcp_free(f);
}

TEST("a peer that gives up is heard; an acknowledgement of nothing is reset")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f);
    syn(f, 4000);
    EXPECT_SEG_DROP(f, TCP_NO_CONN, fx_seg(f, .flags = TCP_ACK, .seq = FX_ISS + 1, .ack = 99));
    EXPECT_SEG(f, TCP_RST, WHY_RST_LISTEN);
    EXPECT_SEG_DROP(f, TCP_RST_OUTSIDE, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 2));
    EXPECT_EQ(l->half_open, 1);
    EXPECT_SEG_DROP(f, TCP_RST_TAKEN, fx_seg(f, .flags = TCP_RST, .seq = FX_ISS + 1));
    EXPECT_EQ(l->half_open, 0);
    EXPECT_EQ(l->unnamed, 0);
    fx_tcp_free(f);
}

TEST("an id is for one SYN of one listener")
{
    struct fx_tcp *f = fx_tcp();
    struct tcp_listener *l = deferring(f), *other = fx_listener(f, 80);
    struct oriel_held first, second;
    fx_seg(f, .flags = TCP_SYN, .to_port = 81, .port = 4000, .seq = 1);
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &first), 0);
    EXPECT_EQ(tcp_admit(&f->tcp, other, first.id, ORIEL_ADMIT), ORIEL_ENOENT);
    EXPECT_EQ(tcp_admit(&f->tcp, l, first.id + 1, ORIEL_ADMIT), ORIEL_ENOENT);
    EXPECT_EQ(tcp_admit(&f->tcp, l, 0, ORIEL_ADMIT), ORIEL_ENOENT);
    EXPECT_EQ(tcp_admit(&f->tcp, l, first.id, ORIEL_ADMIT_RESET), 0);
    fx_tcp_drain(f);
    fx_seg(f, .flags = TCP_SYN, .to_port = 81, .port = 4000, .seq = 1); /* takes the same record */
    EXPECT_EQ(tcp_held_next(&f->tcp, l, &second), 0);
    EXPECT((uint32_t)second.id == (uint32_t)first.id && second.id != first.id);
    EXPECT_EQ(tcp_admit(&f->tcp, l, first.id, ORIEL_ADMIT), ORIEL_ENOENT);
    EXPECT_EQ(l->half_open, 1);
    fx_tcp_free(f);
}

TEST("a full table holds no more SYNs, and cookies are no way to defer")
{
    struct fx_tcp *f = fx_tcp_make(&(struct oriel_tcp_config){.cookies = ORIEL_COOKIES_ALWAYS}, 2,
                                   4, 16);
    struct tcp_listener *l = deferring(f);
    syn(f, 4000);
    syn(f, 4001);
    EXPECT_SEG_DROP(f, TCP_SYN_BACKLOG, syn(f, 4002));
    EXPECT_EQ(l->unnamed, 2);
    tcp_listen_stop(&f->tcp, l);
    EXPECT_EQ(f->tcp.half.pool.live, 0);
    fx_tcp_free(f);
}
