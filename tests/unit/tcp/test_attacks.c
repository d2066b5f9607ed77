/*
 * Attacks by single segments (docs/attacks.md): headers and options that lie, resets, SYNs and data
 * that somebody else made, urgent pointers, old timestamps, replays. Each time two connections of one
 * stack to another go on as if nothing had been.
 */
#include "fx_attack.h"

/* ---- headers ---- */

TEST("a segment cut at any byte, or whose IP length says more than came, changes nothing")
{
    COVERS("S1 S7");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o = fx_info(f, 0, true);
    for (uint16_t cut = 1; cut < 32 + 20 + 40; cut++)
        fx_forge(f, 0, .seq = o.rcv_nxt, .ack = o.snd_una, .flags = TCP_ACK, .wnd = 1000,
                 .timestamps = true, .len = 40, .cut = cut);
    for (int16_t more = 1; more < 200; more += 7)
        fx_forge(f, 0, .seq = o.rcv_nxt, .ack = o.snd_una, .flags = TCP_ACK, .wnd = 1000,
                 .timestamps = true, .len = 100, .longer = more);
    for (int16_t less = 1; less < 140; less++)  /* then the checksum does not hold */
        fx_forge(f, 0, .seq = o.rcv_nxt, .ack = o.snd_una, .flags = TCP_ACK, .wnd = 1000,
                 .timestamps = true, .len = 100, .longer = (int16_t)-less);
    fx_arrive(f);
    EXPECT_EQ(fx_info(f, 0, true).rcv_nxt, o.rcv_nxt);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("a data offset of any value stays within the segment")
{
    COVERS("S4");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o = fx_info(f, 0, true);
    for (uint16_t len = 0; len < 64; len++)
        for (uint8_t words = 1; words < 16; words++)    /* the checksum tells that it was altered */
            fx_forge(f, 0, .seq = o.rcv_nxt, .ack = o.snd_una, .flags = TCP_ACK, .len = len,
                     .data_offset = words);
    fx_arrive(f);
    EXPECT_EQ(fx_info(f, 0, true).rcv_nxt, o.rcv_nxt);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("a SYN with an MSS of 0, or of nearly nothing, is answered in segments of a decent size")
{
    COVERS("S1 S10");
    struct fx_attack *f = fx_attack();
    const uint16_t mss[] = {0, 1, 8, 48, 87};
    fx_peer_known(f);
    for (unsigned i = 0; i < ARRAY_LEN(mss); i++) {
        const uint8_t opts[] = {TCP_OPT_MSS, 4, (uint8_t)(mss[i] >> 8), (uint8_t)mss[i]};
        struct fx_peer p;
        fx_peer_open(f, &p, (uint16_t)(2000 + i), opts, sizeof(opts));
        uint8_t data[4096] = {0};
        EXPECT_EQ(oriel_send(f->b->stack, p.h, data, sizeof(data), NULL), (int)sizeof(data));
        fx_watch(f);
        world_poke(&f->w, f->b);
        fx_arrive(f);
        EXPECT_EQ(f->last_len, TCP_MSS_FLOOR);
        EXPECT(f->out_frames <= 10);            /* and the window is in segments */
        fx_peer_abort(f, &p);
    }
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- options ---- */

TEST("options of every kind and length, and forty bytes of anything, are parsed in no time")
{
    COVERS("S31");
    struct fx_attack *f = fx_attack();
    struct rng g;
    uint8_t opts[40];
    rng_seed(&g, 31, 0);
    struct oriel_tcp_info o = fx_info(f, 0, true);
    for (unsigned kind = 0; kind < 256; kind++)
        for (unsigned len = 0; len < 42; len += kind < 35 ? 1 : 7) {
            memset(opts, TCP_OPT_NOP, sizeof(opts));
            opts[0] = (uint8_t)kind;
            opts[1] = (uint8_t)len;
            fx_forge(f, 0, .seq = o.rcv_nxt - 100, .ack = o.snd_una, .flags = TCP_ACK, .opts = opts,
                     .opts_n = 40, .len = 10);
            if (kind % 8 == 0)
                fx_arrive(f);
        }
    for (unsigned i = 0; i < 20000; i++) {
        for (unsigned k = 0; k < sizeof(opts); k++)
            opts[k] = (uint8_t)(i % 2 ? rng_below(&g, 12) : rng_below(&g, 256));
        fx_forge(f, i % 2, .seq = o.rcv_nxt - 100, .ack = o.snd_una, .flags = i % 5 ? TCP_ACK : TCP_SYN,
                 .opts = opts, .opts_n = (uint8_t)(4 * rng_below(&g, 11)), .len = (uint16_t)(i % 3));
        if (i % 64 == 0)
            fx_arrive(f);
    }
    fx_arrive(f);
    EXPECT(fx_drops(f->b, DROP_TCP_OPTIONS) > 1000);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- urgent ---- */

TEST("urgent pointers of all values, with data and without, never lead outside")
{
    COVERS("S4 S6");
    struct fx_attack *f = fx_attack();
    for (unsigned i = 0; i < 2 * FX_CONNS; i++) {       /* or one byte would be kept apart */
        struct fx_end *e = &(&f->end[0][0])[i];
        EXPECT_EQ(oriel_setopt(e->node->stack, e->h, ORIEL_OPT_OOBINLINE, 1), 0);
    }
    struct oriel_tcp_info o = fx_info(f, 0, true);
    for (uint32_t up = 0; up < 65536; up++) {
        uint16_t len = (uint16_t)(up % 3 * 50);         /* what was received before, or nothing */
        fx_forge(f, up % 2, .seq = up % 2 ? fx_info(f, 1, true).rcv_nxt : o.rcv_nxt - len,
                 .ack = up % 2 ? fx_info(f, 1, true).snd_una : o.snd_una,
                 .flags = TCP_ACK | TCP_URG, .urg = (uint16_t)up, .timestamps = true, .wnd = 1000,
                 .len = up % 2 ? 0 : len);
        if (up % 64 == 0)
            fx_arrive(f);
        if (up % 4096 == 0)
            fx_still_good(f);
        if (up % 4096 == 0)
            o = fx_info(f, 0, true);
    }
    fx_arrive(f);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- resets, SYNs, data (RFC 5961) ---- */

TEST("no reset but that of exactly the next number ends a connection")
{
    COVERS("S14");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o = fx_info(f, 0, true);
    for (uint32_t off = 1; off < o.rcv_wnd + 1000; off = off < 3 ? off + 1 : off + 997) {
        fx_forge(f, 0, .seq = o.rcv_nxt + off, .flags = TCP_RST);
        fx_forge(f, 0, .seq = o.rcv_nxt - off, .flags = TCP_RST | TCP_ACK, .ack = o.snd_nxt);
        fx_arrive(f);
    }
    EXPECT(fx_drops(f->b, DROP_TCP_RST_CHALLENGED) > 50);
    EXPECT(fx_drops(f->b, DROP_TCP_RST_OUTSIDE) > 50);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("no SYN, wherever it stands, ends a connection")
{
    COVERS("S14");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o = fx_info(f, 0, true);
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t seq = i < 10 ? o.rcv_nxt - 5 + i : o.rcv_nxt + (i - 500) * 4000037u;
        fx_forge(f, 0, .seq = seq, .flags = i % 2 ? TCP_SYN : TCP_SYN | TCP_ACK, .ack = o.snd_nxt,
                 .wnd = 100, .timestamps = i % 3 == 0);
        if (i % 32 == 0)
            fx_arrive(f);
    }
    fx_arrive(f);
    EXPECT(fx_drops(f->b, DROP_TCP_SYN_CHALLENGED) > 100);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("data whose acknowledgement is of what was never sent, or far too old, is not taken")
{
    COVERS("S14 S25");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o = fx_info(f, 0, true);
    for (uint32_t i = 1; i < 2000; i++) {
        fx_forge(f, 0, .seq = o.rcv_nxt, .ack = o.snd_nxt + i * 65537u % 0x7fffffffu, .len = 100,
                 .flags = TCP_ACK | TCP_PSH, .timestamps = true, .wnd = 1000);
        fx_forge(f, 0, .seq = o.rcv_nxt, .ack = o.snd_una - (1u << 20) - i * 100003u % 0x3fffffffu,
                 .len = 100, .flags = TCP_ACK | TCP_PSH, .timestamps = true, .wnd = 1000);
        if (i % 32 == 0)
            fx_arrive(f);
    }
    fx_arrive(f);
    EXPECT_EQ(fx_info(f, 0, true).rcv_nxt, o.rcv_nxt);
    EXPECT(fx_drops(f->b, DROP_TCP_ACK_UNSENT) > 1000);
    EXPECT(fx_drops(f->b, DROP_TCP_ACK_OLD) > 1000);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("challenges to one connection tell nothing about another, and are few")
{
    COVERS("S13");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o0 = fx_info(f, 0, true), o1 = fx_info(f, 1, true);
    fx_pass(f, 2 * NS_PER_S);
    fx_watch(f);
    for (uint32_t i = 0; i < 1000; i++) {       /* a second's worth of probing for the numbers */
        fx_forge(f, 0, .seq = o0.rcv_nxt + 1 + i, .flags = TCP_RST);
        fx_pass(f, NS_PER_MS);
    }
    uint64_t spent = f->out_frames;
    EXPECT(spent >= 1 && spent <= 4);
    fx_watch(f);
    fx_forge(f, 1, .seq = o1.rcv_nxt + 1, .flags = TCP_RST);
    fx_pass(f, 10 * NS_PER_MS);
    EXPECT(f->out_frames >= 1);         /* the other one's challenge is its own */
    EXPECT_EQ(f->last_why, WHY_ACK_CHALLENGE);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- timestamps ---- */

TEST("segments outside of the window set no timestamp, and old ones do no harm")
{
    COVERS("S33");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o = fx_info(f, 0, true);
    uint8_t opts[12] = {TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_TS, 10, 0xff, 0xff, 0xff, 0xff};
    for (uint32_t i = 0; i < 256; i++) {
        opts[4] = (uint8_t)i;           /* of all ages */
        fx_forge(f, 0, .seq = o.rcv_nxt + o.rcv_wnd + 1 + i, .ack = o.snd_una, .flags = TCP_ACK,
                 .opts = opts, .opts_n = 12, .len = 10);
        fx_forge(f, 0, .seq = o.rcv_nxt - 500, .ack = o.snd_una, .flags = TCP_ACK, .opts = opts,
                 .opts_n = 12, .len = 10);
        fx_forge(f, 0, .seq = o.rcv_nxt, .ack = o.snd_una, .flags = TCP_ACK, .len = 10);
        if (i % 16 == 0)
            fx_arrive(f);
    }
    fx_arrive(f);
    EXPECT_EQ(fx_info(f, 0, true).rcv_nxt, o.rcv_nxt);
    EXPECT(fx_drops(f->b, DROP_TCP_PAWS) > 50);
    EXPECT(fx_drops(f->b, DROP_TCP_NO_TIMESTAMP) > 200);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- numbers that go round ---- */

TEST("connections cross 2^32 and 2^31 as any other numbers, under fire")
{
    COVERS("S34");
    const uint32_t at[] = {0xffffffff, 0xffffff00, 0xfffffff0, 0u - 70000, 0x7fffffff, 0x7fffff00,
                           0x80000000u - 70000, 1};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++) {
        struct fx_attack *f = fx_attack_at(at[i], .no_timestamps = i % 2 == 1);
        for (unsigned round = 0; round < 3; round++) {
            struct oriel_tcp_info o = fx_info(f, 0, true);
            for (uint32_t k = 1; k < 200; k++) {
                fx_forge(f, 0, .seq = o.rcv_nxt + k * 50000, .flags = TCP_RST);
                fx_forge(f, 0, .seq = o.rcv_nxt ^ 0x80000000u, .ack = o.snd_nxt ^ 0x80000000u,
                         .flags = TCP_ACK, .len = 20);
                fx_forge(f, 0, .seq = o.rcv_nxt - k * 300, .ack = o.snd_nxt + k, .flags = TCP_ACK,
                         .len = 20);
                if (k % 20 == 0)
                    fx_arrive(f);
            }
            fx_still_good(f);
        }
        fx_attack_free(f);
    }
}

/* ---- who talks to himself ---- */

TEST("a SYN from a host's own address and port is answered by nothing and leaves nothing")
{
    COVERS("S22");
    struct fx_attack *f = fx_attack();
    fx_watch(f);
    for (unsigned i = 0; i < 100; i++) {
        fx_forge(f, 0, .from = FX_B, .to = FX_B, .from_port = FX_PORT, .to_port = FX_PORT,
                 .flags = TCP_SYN, .seq = i);
        fx_forge(f, 0, .from = 0x7f000001, .to = FX_B, .from_port = 5, .to_port = FX_PORT,
                 .flags = TCP_SYN, .seq = i);
        fx_forge(f, 0, .from = 0xe0000001, .to = FX_B, .from_port = 5, .to_port = FX_PORT,
                 .flags = TCP_SYN, .seq = i);
        fx_forge(f, 0, .from = 0xffffffff, .to = FX_B, .from_port = 5, .to_port = FX_PORT,
                 .flags = TCP_SYN, .seq = i);
        fx_arrive(f);
    }
    EXPECT_EQ(f->out_frames, 0);
    EXPECT_EQ(f->b->stack->tcp.half.pool.live, 0);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- frames ---- */

TEST("no frame carries anything but zeros behind its packet")
{
    COVERS("S37");
    struct fx_attack *f = fx_attack();
    struct oriel_tcp_info o = fx_info(f, 0, true);
    fx_peer_known(f);
    for (unsigned i = 0; i < 200; i++) {        /* answers of all kinds, most of them short */
        fx_forge(f, 0, .seq = o.rcv_nxt + 1 + i, .flags = TCP_RST);
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = (uint16_t)(100 + i), .to_port = 81,
                 .flags = i % 2 ? TCP_SYN : TCP_ACK, .seq = i);
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = (uint16_t)(100 + i), .to_port = 80,
                 .flags = i % 2 ? TCP_SYN : TCP_ACK, .seq = i);
        fx_arrive(f);
    }
    fx_still_good(f);
    EXPECT_EQ(f->dirty_padding, 0);
    fx_attack_free(f);
}
