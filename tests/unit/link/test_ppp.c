#include "fx_ppp.h"

static struct fx_ppp fx;

static void expect_open(const struct fx_ppp *f)
{
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_STR(ppp_end_text(f->end[i].l.end), ppp_end_text(PPP_END_NONE));
        EXPECT_EQ(f->end[i].l.phase, PPP_NETWORK);
        EXPECT(ppp_is_settled(&f->end[i].l));
    }
}

static void expect_packets_pass(struct fx_ppp *f, bool v6)
{
    static const uint8_t packet[] = {0x45, 0x7e, 0x7d, 0, 1, 0x11, 0x13};
    for (unsigned i = 0; i < 2; i++) {
        unsigned before = f->end[!i].packets;
        EXPECT_EQ(ppp_send(&f->end[i].l, (struct ppp_packet){v6, span_of(packet, sizeof packet)}), PPP_SENT);
        fx_write(f, i);
        fx_run(f, 2 * LINE_DELAY);
        EXPECT_EQ(f->end[!i].packets, before + 1);
        EXPECT_EQ(f->end[!i].last_n, sizeof packet);
        EXPECT_MEM(f->end[!i].last, packet, sizeof packet);
    }
}

TEST("two ends agree, and packets of both families pass")
{
    fx_init(&fx);
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    expect_open(&fx);
    EXPECT(ppp_has_ip4(&fx.end[0].l) && ppp_has_ip6(&fx.end[0].l));
    EXPECT_EQ(fx.end[0].l.peer4, 0x0a000002);
    EXPECT_EQ(fx.end[1].l.peer4, 0x0a000001);
    EXPECT_EQ(fx.end[0].l.peer_ifid, ppp_ifid(&fx.end[1].l));
    EXPECT(fx.end[0].l.tx.pfc && fx.end[0].l.tx.acfc);
    EXPECT_EQ(fx.end[0].l.tx.accm, 0);
    expect_packets_pass(&fx, false);
    expect_packets_pass(&fx, true);
}

TEST("an end without an address is given one, and name servers")
{
    COVERS("1332-1");
    fx_init(&fx);
    fx.end[0].cfg.peer4 = 0x0a000042;
    fx.end[0].cfg.dns4[0] = 0x08080808;
    fx.end[1].cfg.addr4 = 0;
    fx.end[1].cfg.want_dns = true;
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    expect_open(&fx);
    EXPECT_EQ(ppp_addr4(&fx.end[1].l), 0x0a000042);
    EXPECT_EQ(fx.end[0].l.peer4, 0x0a000042);
    EXPECT_EQ(ppp_dns4(&fx.end[1].l, 0), 0x08080808);
    EXPECT_EQ(ppp_dns4(&fx.end[1].l, 1), 0);
    EXPECT(fx_said(&fx, "a: IPCP Configuration Reject id 1 <DNS2 0.0.0.0>"));
    EXPECT(fx_said(&fx, "a: IPCP Configuration Nak id 2 <Address 10.0.0.66,DNS1 8.8.8.8>"));
}

TEST("a peer that says no address is told the one that it should have")
{
    COVERS("1332-1");
    static const uint8_t empty[] = {1, 5, 0, 4};
    fx_init(&fx);
    fx.end[0].cfg.peer4 = 0x0a000002;
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_IPCP, empty, sizeof empty);
    EXPECT(fx_said(&fx, "a: IPCP Configuration Nak id 5 <Address 10.0.0.2>"));
    fx_inject(&fx, 0, PPP_IPCP, empty, sizeof empty);
    EXPECT(fx_said(&fx, "a: IPCP Configuration Ack id 5"));
}

TEST("an address that no host can have is refused")
{
    COVERS("1332-1");
    static const uint32_t bad[] = {0xffffffff, 0xe0000001, 0x7f000001, 0x00000005};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        fx_init(&fx);
        fx.end[1].cfg.addr4 = bad[i];
        fx_begin(&fx);
        fx_run(&fx, NS_PER_S);
        EXPECT(fx_said(&fx, "a: IPCP Configuration Reject"));
        EXPECT_EQ(fx.end[0].l.peer4, 0);
        fx_init(&fx);
        fx.end[1].cfg.addr4 = bad[i];
        fx.end[0].cfg.peer4 = 0x0a000002;
        fx_begin(&fx);
        fx_run(&fx, NS_PER_S);
        EXPECT(fx_said(&fx, "a: IPCP Configuration Nak id 1 <Address 10.0.0.2>"));
    }
}

TEST("nobody at the other end: ten requests, three seconds apart")
{
    COVERS("1661-1");
    fx_init(&fx);
    fx_begin_end(&fx, 0);
    fx_run(&fx, 29 * NS_PER_S);
    EXPECT_EQ(fx_times(&fx, "Configuration Request id 1 "), 10);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_NONE);
    fx_run(&fx, 2 * NS_PER_S);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_NO_ANSWER);
    EXPECT_EQ(fx_times(&fx, "\n"), 10);
}

TEST("a passive end waits, and opens when the peer comes")
{
    fx_init(&fx);
    fx.end[0].cfg.passive = true;
    fx_begin_end(&fx, 0);
    fx_run(&fx, 100 * NS_PER_S);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_NONE);
    EXPECT_EQ(fx.end[0].l.lcp.state, PPP_STOPPED);
    fx.end[0].wire_n = 0;
    fx_begin_end(&fx, 1);
    fx_run(&fx, NS_PER_S);
    expect_open(&fx);
}

TEST("whatever the line loses, the two ends agree in the end")
{
    for (unsigned seed = 0; seed < 200; seed++) {
        fx_init(&fx);
        rng_seed(&fx.rng, seed, 1);
        fx.lose_pct = 20;
        for (unsigned i = 0; i < 2; i++) {
            fx.end[i].cfg.echo = 0;
            fx.end[i].cfg.passive = true;
            fx.end[i].cfg.auth = i ? PPP_AUTH_CHAP : PPP_AUTH_PAP;
            fx_secret(&fx.end[i].cfg.own, i ? "bob" : "alice", i ? "first" : "second");
            fx_secret(&fx.end[i].cfg.peer, i ? "alice" : "bob", i ? "second" : "first");
        }
        fx_begin(&fx);
        fx_run(&fx, 60 * NS_PER_S);
        fx.lose_pct = 0;
        fx_run(&fx, 40 * NS_PER_S);
        expect_open(&fx);
        expect_packets_pass(&fx, false);
    }
}

/* ---- packets out of order, of the wrong number, of no use ---- */

TEST("before LCP is open nothing else is heard, and before the peer is known no network")
{
    COVERS("1661-4");
    static const uint8_t ipcp[] = {1, 9, 0, 10, 3, 6, 10, 0, 0, 9};
    fx_init(&fx);
    fx.end[0].cfg.auth = PPP_AUTH_CHAP;
    fx_secret(&fx.end[0].cfg.peer, "bob", "first");
    fx_secret(&fx.end[1].cfg.own, "bob", "first");
    fx_begin_end(&fx, 0);
    fx_write(&fx, 0);
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_IPCP, ipcp, sizeof ipcp);
    fx_inject(&fx, 0, PPP_IP4, ipcp, sizeof ipcp);
    fx_inject(&fx, 0, PPP_CHAP, ipcp, sizeof ipcp);
    EXPECT_STR(fx.text, "");
    EXPECT_EQ(fx.end[0].l.dropped, 3);
    fx_begin_end(&fx, 1);
    while (fx.end[0].l.phase != PPP_AUTHENTICATE)
        fx_step(&fx, false);
    fx_inject(&fx, 0, PPP_IPCP, ipcp, sizeof ipcp);
    EXPECT(!fx_said(&fx, "a: IPCP"));
    EXPECT(!fx_said(&fx, "a: LCP Protocol Reject"));
    fx_run(&fx, NS_PER_S);
    expect_open(&fx);
}

TEST("an Ack says the peer's options as they were; one of ours counts only if it does the same")
{
    COVERS("1661-2");
    static const uint8_t request[] = {1, 77, 0, 24, 7, 2, 1, 4, 2, 0, 5, 6,
                                      1, 2, 3, 4, 8, 2, 2, 6, 0, 0, 0, 1};
    fx_init(&fx);
    fx_begin_end(&fx, 0);
    fx_write(&fx, 0);
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_LCP, request, sizeof request);
    EXPECT_STR(fx.text,
               "a: LCP Configuration Ack id 77 <PFC,MRU 512,Magic 0x01020304,ACFC,ACCM 0x00000001>\n");
    EXPECT_EQ(fx.end[0].l.lcp.state, PPP_ACK_SENT);

    struct ppp_neg *g = &fx.end[0].l.lcp;
    uint8_t ack[100] = {2, g->id, 0, (uint8_t)(4 + g->sent_n)};
    memcpy(ack + 4, g->sent, g->sent_n);
    ack[1]++;
    fx_inject(&fx, 0, PPP_LCP, ack, 4u + g->sent_n);
    EXPECT_EQ(g->state, PPP_ACK_SENT);
    ack[1]--;
    ack[9] ^= 1;
    fx_inject(&fx, 0, PPP_LCP, ack, 4u + g->sent_n);
    EXPECT_EQ(g->state, PPP_ACK_SENT);
    ack[9] ^= 1;
    fx_inject(&fx, 0, PPP_LCP, ack, 4u + g->sent_n);
    EXPECT_EQ(g->state, PPP_OPENED);
    fx_inject(&fx, 0, PPP_LCP, ack, 4u + g->sent_n);
    EXPECT_EQ(g->state, PPP_OPENED);            /* the same once more is no news */
    EXPECT_EQ(ppp_mtu(&fx.end[0].l), 512);
}

TEST("a Nak or a Reject of another number, or of what was not sent, changes nothing")
{
    COVERS("1661-2");
    fx_init(&fx);
    fx_begin_end(&fx, 0);
    struct ppp_neg *g = &fx.end[0].l.lcp;
    uint8_t nak[] = {3, (uint8_t)(g->id + 1), 0, 10, 2, 6, 0, 0, 0xff, 0};
    fx_inject(&fx, 0, PPP_LCP, nak, sizeof nak);
    EXPECT_EQ(ppp_neg_own(g, LCP_OPT_ACCM)->v, 0);
    uint8_t reject[] = {4, g->id, 0, 10, 2, 6, 0, 0, 0xff, 0};
    fx_inject(&fx, 0, PPP_LCP, reject, sizeof reject);
    EXPECT(ppp_neg_own(g, LCP_OPT_ACCM) != NULL);
    nak[1] = g->id;
    fx_inject(&fx, 0, PPP_LCP, nak, sizeof nak);
    EXPECT_EQ(ppp_neg_own(g, LCP_OPT_ACCM)->v, 0xff00);
    uint8_t fair[] = {4, g->id, 0, 10, 2, 6, 0, 0, 0xff, 0};
    fx_inject(&fx, 0, PPP_LCP, fair, sizeof fair);
    EXPECT(ppp_neg_own(g, LCP_OPT_ACCM) == NULL);
}

TEST("options that are not known are rejected, all in one packet; after five Naks nothing is proposed")
{
    COVERS("1661-1 1661-2");
    static const uint8_t odd[] = {1, 5, 0, 17, 99, 3, 0, 1, 4, 2, 0, 4, 4, 0xc0, 0x25, 13, 2};
    static const uint8_t zero[] = {1, 6, 0, 10, 5, 6, 0, 0, 0, 0};
    fx_init(&fx);
    fx_begin_end(&fx, 0);
    fx_write(&fx, 0);
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_LCP, odd, sizeof odd);
    EXPECT_STR(fx.text, "a: LCP Configuration Reject id 5 <option 99 0x00,Quality 0xc025,option 13>\n");
    for (unsigned i = 0; i < PPP_FAILURES_MAX; i++) {
        fx_forget(&fx);
        fx_inject(&fx, 0, PPP_LCP, zero, sizeof zero);
        EXPECT(fx_said(&fx, "a: LCP Configuration Nak id 6 <Magic"));
    }
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_LCP, zero, sizeof zero);
    EXPECT_STR(fx.text, "a: LCP Configuration Reject id 6 <Magic 0x00000000>\n");
}

TEST("a code or a protocol that is not known is rejected, and a reject is not")
{
    COVERS("1661-3");
    static const uint8_t code[] = {42, 7, 0, 6, 1, 2}, data[] = {1, 2, 3, 4};
    static const uint8_t reject[] = {8, 1, 0, 8, 0x12, 0x35, 1, 2}, code_reject[] = {7, 1, 0, 8, 42, 7, 0, 4};
    fx_init(&fx);
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_LCP, code, sizeof code);
    EXPECT(fx_said(&fx, "a: LCP Code Reject"));
    fx_forget(&fx);
    fx_inject(&fx, 0, 0x1235, data, sizeof data);
    EXPECT(fx_said(&fx, "a: LCP Protocol Reject"));
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_LCP, reject, sizeof reject);
    fx_inject(&fx, 0, PPP_LCP, code_reject, sizeof code_reject);
    EXPECT_STR(fx.text, "");
    expect_open(&fx);
}

TEST("a peer without IPv6 says so, and IPv4 works")
{
    COVERS("1661-3");
    fx_init(&fx);
    fx.end[1].cfg.no_ip6 = true;
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    EXPECT(fx_said(&fx, "b: LCP Protocol Reject"));
    expect_open(&fx);
    EXPECT(ppp_has_ip4(&fx.end[0].l) && !ppp_has_ip6(&fx.end[0].l));
    EXPECT_EQ(ppp_send(&fx.end[0].l, (struct ppp_packet){true, span_of("x", 1)}), PPP_NEVER);
    expect_packets_pass(&fx, false);
}

TEST("nothing in common: said, and closed")
{
    fx_init(&fx);
    fx.end[0].cfg.no_ip6 = true;
    fx.end[1].cfg.no_ip4 = true;
    fx_begin(&fx);
    fx_run(&fx, 10 * NS_PER_S);
    for (unsigned i = 0; i < 2; i++)
        EXPECT(fx.end[i].l.end == PPP_END_NO_NETWORK || fx.end[i].l.end == PPP_END_BY_PEER);
}

TEST("lengths that are wrong are dropped, and what follows a packet is padding")
{
    COVERS("1661-5 S39");
    static const uint8_t low[] = {1, 1, 0, 3, 1, 4, 5, 0xdc}, high[] = {1, 1, 0, 99, 1, 4, 5, 0xdc};
    static const uint8_t option[] = {1, 1, 0, 8, 1, 9, 5, 0xdc}, padded[] = {1, 1, 0, 8, 1, 4, 5, 0xdc, 1, 4};
    static const uint8_t kept[] = {1, 1, 0, 8, 1, 4, 5, 0xdc};
    static const struct span bad[] = {{low, sizeof low}, {high, sizeof high}, {option, sizeof option}};
    fx_init(&fx);
    fx_begin_end(&fx, 0);
    fx_write(&fx, 0);
    fx_forget(&fx);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        fx_inject(&fx, 0, PPP_LCP, bad[i].p, bad[i].n);
    for (size_t n = 0; n < sizeof kept; n++)
        fx_inject(&fx, 0, PPP_LCP, kept, n);
    EXPECT_STR(fx.text, "");
    fx_inject(&fx, 0, PPP_LCP, padded, sizeof padded);
    EXPECT_STR(fx.text, "a: LCP Configuration Ack id 1 <MRU 1500>\n");
}

/* ---- echoes, loops, silence ---- */

TEST("an echo is answered once LCP is open, with our own magic number")
{
    COVERS("1661-7");
    static const uint8_t echo[] = {9, 33, 0, 11, 9, 9, 9, 9, 'a', 'b', 'c'};
    fx_init(&fx);
    fx_begin_end(&fx, 0);
    fx_write(&fx, 0);
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_LCP, echo, sizeof echo);
    EXPECT_STR(fx.text, "");
    fx_begin_end(&fx, 1);
    fx_run(&fx, NS_PER_S);
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_LCP, echo, sizeof echo);
    EXPECT_STR(fx.text, "a: LCP Echo Reply id 33\n");
    struct rd r = rd_of(span_of(fx.end[0].wire, fx.end[0].wire_n));
    struct ppp_rx rx;
    uint8_t buf[100];
    struct span frame;
    ppp_rx_init(&rx, buf, sizeof buf);
    EXPECT(ppp_rx_next(&rx, &r, &frame));
    EXPECT_EQ(frame.n, 4 + sizeof echo);
    r = rd_of(frame);
    rd_skip(&r, 8);
    EXPECT_EQ(rd_u32(&r), ppp_neg_own(&fx.end[0].l.lcp, LCP_OPT_MAGIC)->v);
    EXPECT_MEM(frame.p + 12, "abc", 3);
}

TEST("a line that is looped back is noticed while the link is being agreed on")
{
    COVERS("1661-6 S39");
    fx_init(&fx);
    fx_begin_end(&fx, 0);
    for (unsigned i = 0; i < 200; i++)
        fx_step(&fx, true);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_LOOPED);
    EXPECT_EQ(fx.end[0].packets, 0);
}

TEST("a line that is looped back later is noticed by the next echo")
{
    COVERS("1661-6");
    fx_init(&fx);
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    expect_open(&fx);
    for (unsigned i = 0; i < 1200; i++)
        fx_step(&fx, true);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_LOOPED);
    EXPECT_EQ(fx.end[1].l.end, PPP_END_LOOPED);
}

TEST("a peer that answers no echoes is gone after so many")
{
    fx_init(&fx);
    fx_begin(&fx);
    fx_run(&fx, 100 * NS_PER_S);
    expect_open(&fx);
    fx.cut = true;
    fx_run(&fx, 29 * NS_PER_S);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_NONE);
    fx_run(&fx, 12 * NS_PER_S);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_SILENT);
    fx_run(&fx, 10 * NS_PER_S);
    EXPECT_EQ(fx.end[0].l.phase, PPP_DEAD);
}

/* ---- again, and the end ---- */

TEST("who says goodbye is believed, and both ends close")
{
    fx_init(&fx);
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    ppp_close(&fx.end[0].l, fx.now);
    fx_run(&fx, 5 * NS_PER_S);
    EXPECT(fx_said(&fx, "a: LCP Termination Request"));
    EXPECT(fx_said(&fx, "b: LCP Termination Ack"));
    EXPECT_EQ(fx.end[0].l.end, PPP_END_BY_US);
    EXPECT_EQ(fx.end[1].l.end, PPP_END_BY_PEER);
    EXPECT_EQ(fx.end[0].l.phase, PPP_DEAD);
    EXPECT_EQ(fx.end[1].l.phase, PPP_DEAD);
    EXPECT_EQ(ppp_send(&fx.end[0].l, (struct ppp_packet){false, span_of("x", 1)}), PPP_LATER);
}

TEST("a peer that begins anew is followed, and keeps the address it was given")
{
    fx_init(&fx);
    fx.end[0].cfg.peer4 = 0x0a000042;
    fx.end[1].cfg.addr4 = 0;
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    expect_open(&fx);
    uint64_t ifid = ppp_ifid(&fx.end[1].l);
    ppp_down(&fx.end[1].l, fx.now);
    ppp_up(&fx.end[1].l, fx.now);
    fx_forget(&fx);
    fx_run(&fx, NS_PER_S);
    expect_open(&fx);
    EXPECT_EQ(ppp_addr4(&fx.end[1].l), 0x0a000042);
    EXPECT_EQ(ppp_ifid(&fx.end[1].l), ifid);
    EXPECT(!fx_said(&fx, "a: IPCP Configuration Nak"));
    expect_packets_pass(&fx, false);
}

TEST("while an address is agreed on anew, its packets wait and those of the other family pass")
{
    static const uint8_t request[] = {1, 99, 0, 10, 3, 6, 10, 0, 0, 2};
    const struct ppp_packet v4 = {false, span_of("4", 1)}, v6 = {true, span_of("6", 1)};
    fx_init(&fx);
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    fx_inject(&fx, 0, PPP_IPCP, request, sizeof request);
    EXPECT_EQ(fx.end[0].l.ipcp.state, PPP_ACK_SENT);
    EXPECT_EQ(ppp_send(&fx.end[0].l, v4), PPP_LATER);
    EXPECT_EQ(ppp_send(&fx.end[0].l, v6), PPP_SENT);
    fx_run(&fx, 10 * NS_PER_S);
    expect_open(&fx);
    EXPECT_EQ(ppp_send(&fx.end[0].l, v4), PPP_SENT);
}

TEST("a packet that the peer does not take is never sent, and one without room later")
{
    uint8_t packet[PPP_MRU] = {0x45};
    fx_init(&fx);
    fx.end[1].cfg.mru = 600;
    fx_begin(&fx);
    fx_run(&fx, NS_PER_S);
    EXPECT_EQ(ppp_mtu(&fx.end[0].l), 600);
    EXPECT_EQ(ppp_mtu(&fx.end[1].l), 1500);
    EXPECT_EQ(ppp_send(&fx.end[0].l, (struct ppp_packet){false, span_of(packet, 601)}), PPP_NEVER);
    unsigned sent = 0;
    memset(packet, 0x7e, sizeof packet);
    while (ppp_send(&fx.end[1].l, (struct ppp_packet){false, span_of(packet, 1500)}) == PPP_SENT)
        sent++;
    EXPECT(sent >= 1 && !ppp_can_send(&fx.end[1].l));
    ppp_written(&fx.end[1].l, fx.end[1].l.out.n);
    EXPECT(ppp_can_send(&fx.end[1].l));
    EXPECT_EQ(fx.end[1].l.lost, 0);
}
