/*
 * Attacks by numbers and by others' voices (docs/attacks.md): floods, forged errors, reflection, what
 * can be guessed, memory that runs out, time that goes round. Each time two connections of one stack
 * to another go on.
 */
#include "fx_attack.h"

#ifdef __SANITIZE_ADDRESS__
#define FLOOD 20000u
#else
#define FLOOD 300000u
#endif

#define DAY (86400 * NS_PER_S)

/* ---- floods ---- */

/* An honest client among them: does it come through? */
static bool connects(struct fx_attack *f, unsigned *flood, unsigned each)
{
    const struct oriel_endpoint to = {.addr = addr_v4(FX_B), .port = FX_PORT};
    oriel_handle h, in;
    EXPECT_EQ(oriel_tcp_open(f->a->stack, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_connect(f->a->stack, h, &to), 0);
    world_poke(&f->w, f->a);
    for (unsigned i = 0; i < each; i++, ++*flood) {
        fx_forge(f, 0, .from = 0x0b000000u + *flood * 7919u % 0xffffffu, .to = FX_B,
                 .from_port = (uint16_t)(*flood | 1), .to_port = FX_PORT, .flags = TCP_SYN,
                 .seq = *flood * 31337u, .wnd = 1000);
        if (i % 32 == 0)
            fx_pass(f, NS_PER_MS);
    }
    fx_pass(f, 3 * NS_PER_S);           /* its SYN may have to be sent again */
    bool good = oriel_ready(f->a->stack, h) & ORIEL_WRITABLE &&
                oriel_accept(f->b->stack, f->listener, &in, NULL) == 0;
    EXPECT_EQ(oriel_abort(f->a->stack, h), 0);
    if (good)
        EXPECT_EQ(oriel_abort(f->b->stack, in), 0);
    world_poke(&f->w, f->a);
    world_poke(&f->w, f->b);
    fx_arrive(f);
    return good;
}

TEST("a flood of SYNs takes no more memory than its table, and honest clients get through")
{
    COVERS("S23 4987-1");
    struct fx_attack *f = fx_attack(.half_open = 64);
    unsigned flood = 0, through = 0, rounds = 100;
    for (unsigned i = 0; i < rounds; i++)
        through += connects(f, &flood, FLOOD / rounds);
    EXPECT(through * 100 >= rounds * 99);
    EXPECT(f->b->stack->tcp.half.pool.live <= 64);
    EXPECT(f->b->stack->budget.used < f->b->stack->budget.max / 4);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("all sockets taken, all ports scanned: nobody is harmed, and all of it comes back")
{
    COVERS("S42");
    struct fx_attack *f = fx_attack();
    oriel_handle h[400];
    unsigned n = 0;
    const struct oriel_endpoint to = {.addr = addr_v4(FX_B), .port = FX_PORT};
    while (n < ARRAY_LEN(h) && oriel_tcp_open(f->a->stack, ORIEL_IP4, &h[n]) == 0) {
        EXPECT_EQ(oriel_connect(f->a->stack, h[n], &to), 0);
        n++;
    }
    EXPECT(n > 200 && n < ARRAY_LEN(h));        /* then there is no handle left, and it says so */
    world_poke(&f->w, f->a);
    fx_pass(f, 5 * NS_PER_S);
    for (uint32_t port = 1; port < 65536; port += 3) {
        fx_forge(f, 0, .from = FX_A, .to = FX_B, .from_port = 9, .to_port = (uint16_t)port,
                 .flags = TCP_SYN, .seq = port);
        if (port % 32 == 0)
            fx_pass(f, NS_PER_MS);
    }
    fx_still_good(f);
    while (n > 0)
        EXPECT_EQ(oriel_abort(f->a->stack, h[--n]), 0);
    world_poke(&f->w, f->a);
    fx_pass(f, 200 * NS_PER_S);
    for (oriel_handle in; oriel_accept(f->b->stack, f->listener, &in, NULL) == 0;)
        EXPECT_EQ(oriel_abort(f->b->stack, in), 0);
    fx_pass(f, 200 * NS_PER_S);
    unsigned none = 0;
    EXPECT(connects(f, &none, 0));
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- reflection ---- */

TEST("what is not for a connection is answered with no more than it was, and resets with nothing")
{
    COVERS("S28");
    struct fx_attack *f = fx_attack();
    fx_peer_known(f);
    fx_pass(f, 10 * NS_PER_S);
    fx_watch(f);
    uint64_t sent = 0;
    for (uint16_t i = 0; i < 1000; i++) {
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = 5, .to_port = 81, .flags = TCP_RST,
                 .seq = i);
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = 5, .to_port = 80,
                 .flags = TCP_RST | TCP_ACK, .ack = i);
        if (i % 32 == 0)
            fx_pass(f, NS_PER_MS);
    }
    fx_arrive(f);
    EXPECT_EQ(f->out_frames, 0);        /* no reset is answered */
    for (uint16_t i = 0; i < 1000; i++) {
        struct fx_peer p = {.port = (uint16_t)(1000 + i)};
        fx_forge_in(f, 0, (struct fx_forged){.from = FX_X, .to = FX_B, .from_port = p.port,
                                             .to_port = 81, .flags = i % 2 ? TCP_SYN : TCP_ACK,
                                             .len = i % 100});
        sent += 60 + i % 100u;
        if (i % 32 == 0)
            fx_pass(f, NS_PER_MS);
    }
    fx_arrive(f);
    EXPECT(f->out_rst > 0);
    EXPECT(f->out_bytes <= sent);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("a spoofed SYN makes its victim hear a handful of small SYN-ACKs at most")
{
    COVERS("S28");
    struct fx_attack *f = fx_attack();
    fx_peer_known(f);
    fx_watch(f);
    fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = 7, .to_port = FX_PORT, .flags = TCP_SYN,
             .seq = 1, .wnd = 1000);
    fx_pass(f, 600 * NS_PER_S);
    EXPECT(f->out_frames >= 2);
    EXPECT(f->out_frames <= 10);
    EXPECT(f->out_bytes <= 10 * 80);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- what can be guessed ---- */

TEST("initial numbers and ports of one peer tell nothing about the next")
{
    COVERS("S2 S15");
    struct fx_attack *f = fx_attack();
    enum { N = 300 };
    uint32_t iss[N], deltas = 0, small = 0;
    uint16_t port[N];
    fx_peer_known(f);
    for (unsigned i = 0; i < N; i++) {
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = (uint16_t)(1000 + i),
                 .to_port = FX_PORT, .flags = TCP_SYN, .seq = 1, .wnd = 1000);
        fx_pass(f, 5 * NS_PER_MS);
        iss[i] = f->syn_ack.seq.v;
    }
    for (unsigned i = 2; i < N; i++) {
        int32_t d1 = (int32_t)(iss[i] - iss[i - 1]), d0 = (int32_t)(iss[i - 1] - iss[i - 2]);
        deltas += d1 == d0;
        small += d1 > -100000000 && d1 < 100000000;
    }
    EXPECT_EQ(deltas, 0);
    EXPECT(small < N / 5);              /* a twentieth by chance */
    for (unsigned i = 0; i < N; i++) {
        const struct oriel_endpoint to = {.addr = addr_v4(FX_X + i % 100),
                                          .port = (uint16_t)(1 + i / 100)};
        struct oriel_endpoint us;
        oriel_handle h;
        EXPECT_EQ(oriel_tcp_open(f->a->stack, ORIEL_IP4, &h), 0);
        EXPECT_EQ(oriel_connect(f->a->stack, h, &to), 0);
        EXPECT_EQ(oriel_local(f->a->stack, h, &us), 0);
        EXPECT_EQ(oriel_abort(f->a->stack, h), 0);
        port[i] = us.port;
    }
    small = 0;
    for (unsigned i = 1; i < N; i++)    /* another destination: unrelated */
        small += port[i] - port[i - 1] > -300 && port[i] - port[i - 1] < 300;
    EXPECT(small < N / 10);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("two stacks, and one stack with another seed, choose other numbers for the same four-tuple")
{
    COVERS("S38");
    struct fx_attack *f = fx_attack();
    const struct tcp *a = &f->a->stack->tcp, *b = &f->b->stack->tcp;
    unsigned same = 0;
    for (uint16_t i = 0; i < 100; i++) {
        const struct tcp_tuple k = {.local_lo = addr_v4(FX_A).lo, .remote_lo = addr_v4(FX_B).lo,
                                    .local_port = i, .remote_port = 80};
        same += seq_eq(tcp_isn(a, &k).iss, tcp_isn(b, &k).iss);
        same += tcp_isn(a, &k).ts_off == tcp_isn(b, &k).ts_off;
    }
    EXPECT_EQ(same, 0);
    EXPECT(memcmp(&a->half.cookie_key, &b->half.cookie_key, sizeof(a->half.cookie_key)) != 0);
    EXPECT(memcmp(&a->tfo.key[0], &b->tfo.key[0], sizeof(a->tfo.key[0])) != 0);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("packets of TCP have no numbers that count what a host sends to others")
{
    COVERS("S16");
    struct fx_attack *f = fx_attack();
    fx_peer_known(f);
    uint16_t last = 0;
    unsigned successive = 0;
    for (unsigned i = 0; i < 200; i++) {
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = (uint16_t)(1000 + i), .to_port = 81,
                 .flags = TCP_SYN, .seq = i);
        fx_pass(f, 5 * NS_PER_MS);
        successive += i > 0 && (uint16_t)(f->last_ip_id - last) == 1;
        last = f->last_ip_id;
        if (i % 50 == 0)
            fx_still_good(f);
    }
    EXPECT(successive < 5);
    fx_attack_free(f);
}

/* ---- errors that somebody made up ---- */

/* An ICMP error that quotes a segment of b's connection to a. */
static void forge_error(struct fx_attack *f, unsigned i, uint8_t type, uint8_t code, uint16_t mtu,
                        uint32_t seq, size_t quote)
{
    const struct oriel_addr a = addr_v4(FX_A), b = addr_v4(FX_B);
    const struct eth_hdr e = {.dst = f->b->ports[0].mac, .src = f->x->mac, .type = ETH_IP4};
    const struct ip4_hdr q = {.total_len = 1500, .df = true, .ttl = 60, .proto = IP_TCP, .src = b,
                              .dst = a};
    const struct ip4_hdr h = {.total_len = (uint16_t)(20 + 8 + quote), .ttl = 64, .proto = IP_ICMP,
                              .src = a, .dst = b};
    struct wr w = wr_of(f->frame, sizeof(f->frame));
    eth_emit(&w, &e);
    ip4_emit(&w, &h);
    size_t at = wr_len(&w);
    wr_u8(&w, type);
    wr_u8(&w, code);
    wr_u16(&w, 0);
    wr_u16(&w, 0);
    wr_u16(&w, mtu);
    ip4_emit(&w, &q);
    wr_u16(&w, FX_PORT);
    wr_u16(&w, fx_port(f, i));
    wr_u32(&w, seq);
    size_t n = at + 8 + quote;
    uint16_t sum = csum_wide_finish(csum_portable.sum(f->frame + at, 8 + quote));
    f->frame[at + 2] = (uint8_t)(sum >> 8);
    f->frame[at + 3] = (uint8_t)sum;
    while (n < ETH_MIN)
        f->frame[n++] = 0;
    (void)world_send(&f->w, f->x, span_of(f->frame, n));
}

TEST("forged ICMP errors end no connection, and one that cannot know a number changes nothing")
{
    COVERS("S26");
    struct fx_attack *f = fx_attack();
    uint32_t mss = fx_info(f, 0, true).snd_mss;
    for (uint32_t i = 0; i < 2000; i++) {       /* guesses, none of what is under way (5927, 4.1) */
        struct oriel_tcp_info o = fx_info(f, i % 2, true);
        forge_error(f, i % 2, 3, (uint8_t)(i % 16), (uint16_t)(i % 1500),
                    o.snd_nxt + 1 + i * 1000003u % 0x7ffffff0u, 28);
        if (i % 32 == 0)
            fx_arrive(f);
    }
    fx_arrive(f);
    EXPECT_EQ(fx_info(f, 0, true).snd_mss, mss);
    EXPECT(fx_drops(f->b, DROP_ICMP_NOT_OURS) > 1000);
    for (uint8_t code = 0; code < 16; code++) { /* and one that does know can be a nuisance at most */
        f->end[0][1].goal += 20000;
        world_poke(&f->w, f->b);
        forge_error(f, 0, 3, code, code == 4 ? 68 : 0, fx_info(f, 0, true).snd_una, 28);
        fx_pass(f, 5 * NS_PER_S);
    }
    EXPECT(fx_info(f, 0, true).snd_mss >= 500);
    f->end[0][1].goal = f->end[0][1].written;
    f->end[0][0].goal = f->end[0][0].written;
    f->end[1][0].goal = f->end[1][0].written;
    f->end[1][1].goal = f->end[1][1].written;
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("a quotation of any length leads nowhere outside")
{
    COVERS("S7");
    struct fx_attack *f = fx_attack();
    for (size_t quote = 0; quote < 200; quote++)
        forge_error(f, quote % 2, 3, quote % 3 ? 4 : 1, 576, fx_info(f, 0, true).snd_una, quote);
    fx_arrive(f);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- fast open ---- */

TEST("data with a SYN is nobody's without a cookie, and only so many may be pending with one")
{
    COVERS("S40");
    struct fx_attack *f = fx_attack();
    fx_peer_known(f);
    EXPECT_EQ(oriel_setopt(f->b->stack, f->listener, ORIEL_OPT_FASTOPEN, 3), 0);
    uint8_t opts[12] = {TCP_OPT_FASTOPEN, 10, 1, 2, 3, 4, 5, 6, 7, 8, TCP_OPT_NOP, TCP_OPT_NOP};
    for (uint16_t i = 0; i < 200; i++) {        /* guessing */
        opts[2] = (uint8_t)i;
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = (uint16_t)(1000 + i),
                 .to_port = FX_PORT, .flags = TCP_SYN, .seq = 1, .wnd = 1000, .opts = opts,
                 .opts_n = 12, .len = 100);
        if (i % 32 == 0)
            fx_arrive(f);
    }
    fx_arrive(f);
    EXPECT_EQ(f->b->stack->tcp.conns.live, FX_CONNS);
    const struct tcp_tuple k = {.local_lo = addr_v4(FX_B).lo, .remote_lo = addr_v4(FX_X).lo,
                                .local_port = FX_PORT, .remote_port = 1};
    tcp_tfo_cookie(&f->b->stack->tcp, &k, opts + 2);    /* it has asked for one before, honestly */
    for (uint16_t i = 0; i < 200; i++) {
        fx_forge(f, 0, .from = FX_X, .to = FX_B, .from_port = (uint16_t)(3000 + i),
                 .to_port = FX_PORT, .flags = TCP_SYN, .seq = 1, .wnd = 1000, .opts = opts,
                 .opts_n = 12, .len = 100);
        if (i % 32 == 0)
            fx_arrive(f);
    }
    fx_arrive(f);
    EXPECT_EQ(f->b->stack->tcp.conns.live, FX_CONNS + 3);
    fx_still_good(f);
    for (oriel_handle in; oriel_accept(f->b->stack, f->listener, &in, NULL) == 0;)
        EXPECT_EQ(oriel_abort(f->b->stack, in), 0);
    fx_attack_free(f);
}

/* ---- memory that runs out ---- */

/* Somebody holds all of a pool but so many. */
static unsigned hoard(struct pool *p, void **held, unsigned cap, unsigned leave)
{
    unsigned n = 0;
    while (n < cap && p->cap - p->live > leave && (held[n] = pool_get(p)) != NULL)
        n++;
    return n;
}

TEST("whatever pool has nothing left, or next to nothing, the connections go on when it has again")
{
    COVERS("S36");
    static void *held[70000];
    struct fx_attack *f = fx_attack();
    struct tcp *t = &f->b->stack->tcp;
    struct pkt_mem *m = &f->w.mem;
    struct pool *const pools[] = {&t->flights, &t->records, &t->ranges, &t->profiles, &m->pkts,
                                  &m->blks[0], &m->blks[1], &m->blks[4], &m->blks[5], &m->blks[6]};
    for (unsigned i = 0; i < ARRAY_LEN(pools); i++)
        for (unsigned leave = 0; leave < 12; leave += 1 + leave / 3) {
            pkt_mem_settle(m);
            unsigned n = hoard(pools[i], held, ARRAY_LEN(held), leave);
            for (unsigned k = 0; k < FX_CONNS; k++) {
                f->end[k][0].goal += 5000;
                f->end[k][1].goal += 5000;
            }
            for (unsigned k = 0; k < 20; k++) {
                world_poke(&f->w, f->a);
                world_poke(&f->w, f->b);
                fx_pass(f, 200 * NS_PER_MS);
            }
            while (n > 0)
                pool_put(pools[i], held[--n]);
            for (unsigned k = 0; k < 10; k++) {
                world_poke(&f->w, f->a);        /* who was refused tries again */
                world_poke(&f->w, f->b);
                fx_pass(f, 10 * NS_PER_S);
            }
        }
    for (unsigned k = 0; k < FX_CONNS; k++)
        EXPECT_EQ(f->end[k][0].written, f->end[k][0].goal);
    fx_still_good(f);
    fx_attack_free(f);
}

TEST("a budget that is used up to the last byte harms no connection that stands")
{
    COVERS("S36");
    struct fx_attack *f = fx_attack();
    struct budget *b = &f->b->stack->budget;
    uint64_t max = b->max;
    for (uint64_t left = 0; left < 20000; left += 500) {
        b->max = b->used + left;
        for (unsigned k = 0; k < FX_CONNS; k++)
            f->end[k][0].goal += 3000;
        world_poke(&f->w, f->a);
        fx_pass(f, 2 * NS_PER_S);
        b->max = max;
        fx_pass(f, 5 * NS_PER_S);
    }
    fx_pass(f, 120 * NS_PER_S);
    fx_still_good(f);
    fx_attack_free(f);
}

/* ---- time ---- */

TEST("a hundred days pass, counters of milliseconds and seconds go round, and bytes still flow")
{
    COVERS("S41");
    struct fx_attack *f = fx_attack();
    for (unsigned day = 0; day < 100; day += 5) {
        fx_pass(f, 5 * DAY - 600 * NS_PER_S);
        fx_still_good(f);
    }
    EXPECT(f->w.env.now / NS_PER_MS > (uint64_t)UINT32_MAX);
    EXPECT_EQ(oriel_setopt(f->a->stack, f->end[0][0].h, ORIEL_OPT_KEEPALIVE, 1), 0);
    fx_pass(f, 30 * DAY);               /* beyond what PAWS trusts; and kept alive all the time */
    fx_still_good(f);
    fx_attack_free(f);
}
