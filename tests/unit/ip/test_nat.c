#include "ip/nat.h"

#include "ip/fx_nat.h"

/* The same with a table of that many translations. */
static struct fx *start_small(struct nat *whole, uint32_t sessions)
{
    static _Alignas(64) uint8_t memory[64 << 10];
    struct arena arena;
    struct fx *f = fx_nat_new();
    arena_init(&arena, memory, sizeof(memory));
    *whole = f->s->ip.nat;
    EXPECT(nat_init(&f->s->ip.nat, &f->s->env, &arena, sessions));
    return f;
}

static void stop_small(struct fx *f, const struct nat *whole)
{
    nat_drop_nif(&f->s->ip, OUTSIDE);
    env_cancel(&f->s->env, &f->s->ip.nat.timer);
    f->s->ip.nat = *whole;
    for (unsigned i = 0; i < NAT_LIVES; i++)
        list_init(&f->s->ip.nat.by_use[i]);
    fx_free(f);
}

/* ---- UDP ---- */

TEST("what leaves has the outside address, what answers finds its way back")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"question\"");
    EXPECT_LEFT(f, OUTSIDE, GOOD "ip.src == 203.0.113.1 && ip.dst == 198.51.100.7 && "
                "ip.ttl == 63 && udp.srcport == 4000 && udp.dstport == 53 && "
                "udp.checksum.status == 1 && why == \"FORWARD_NAT\"");
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / udp 53>4000 / \"answer\"");
    EXPECT_LEFT(f, INSIDE, GOOD "ip.src == 198.51.100.7 && ip.dst == 10.0.0.2 && ip.ttl == 63 && "
                "udp.srcport == 53 && udp.dstport == 4000 && udp.checksum.status == 1 && "
                "why == \"FORWARD_NAT_BACK\"");
    EXPECT_WHY(&f->s->env, WHY_FORWARD_NAT);
    EXPECT_WHY(&f->s->env, WHY_FORWARD_NAT_BACK);
    EXPECT_EQ(fx_nat_live(f), 1);
    fx_free(f);
}

TEST("a datagram without a checksum stays without one, both ways")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 csum=0 / \"question\"");
    EXPECT_LEFT(f, OUTSIDE, GOOD "ip.src == 203.0.113.1 && udp.checksum == 0");
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / udp 53>4000 csum=0 / \"answer\"");
    EXPECT_LEFT(f, INSIDE, GOOD "ip.dst == 10.0.0.2 && udp.checksum == 0");
    fx_free(f);
}

TEST("a wrong checksum stays wrong")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 badcsum / \"question\"");
    EXPECT_LEFT(f, OUTSIDE, GOOD "ip.src == 203.0.113.1 && udp.checksum.status == 0");
    fx_free(f);
}

TEST("one inside endpoint has one outside port, whoever it talks to")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.9 / udp 4000>1 / \"x\"");    /* takes the port */
    EXPECT_LEFT(f, OUTSIDE, "udp.srcport == 4000");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    EXPECT_LEFT(f, OUTSIDE, "udp.srcport != 4000");
    char same[40];
    struct txt t = txt_of(same, sizeof(same));
    txt_s(&t, "udp.srcport == ");
    txt_u(&t, dissection_first(&f->d, F_UDP_SRCPORT)->value.u);
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.8 / udp 4000>5353 / \"x\"");
    EXPECT_LEFT(f, OUTSIDE, same);
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.8 / tcp 4000>80 flags=S");
    EXPECT_LEFT(f, OUTSIDE, "tcp.srcport == 4000");     /* TCP has ports of its own */
    EXPECT_EQ(fx_nat_live(f), 3);
    fx_free(f);
}

TEST("only those that the inside wrote to get in, from whatever port")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    EXPECT_LEFT(f, OUTSIDE, "udp.srcport == 4000");
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / udp 999>4000 / \"x\"");
    EXPECT_LEFT(f, INSIDE, "udp.srcport == 999 && udp.dstport == 4000");
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_outside(f, "ip src=198.51.100.8 dst=203.0.113.1 / udp 53>4000 / \"x\""));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("what nobody inside has a port for is for the router itself")
{
    struct fx *f = fx_nat_new();
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / udp 53>4000 / \"x\"");
    EXPECT_LEFT(f, OUTSIDE, "icmp.type == 3 && icmp.code == 3 && ip.src == 203.0.113.1");
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / icmp echo id=1 seq=1");
    EXPECT_LEFT(f, OUTSIDE, "icmp.type == 0");
    fx_free(f);
}

TEST("a port that is taken is replaced by one of the same range and parity")
{
    static const struct {
        uint16_t port;
        uint16_t lo, hi;
    } cases[] = {{53, 1, 1023}, {1022, 1, 1023}, {1, 1, 1023}, {1024, 1024, 65535},
                 {65535, 1024, 65535}, {0, 1, 1023}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct fx *f = fx_nat_new();
        for (unsigned host = 2; host < 40; host++) {
            char line[120];
            struct txt t = txt_of(line, sizeof(line));
            txt_s(&t, "ip src=10.0.0.");
            txt_u(&t, host);
            txt_s(&t, " dst=198.51.100.7 / udp ");
            txt_u(&t, cases[i].port);
            txt_s(&t, ">53 / \"x\"");
            fx_inside(f, line);
            EXPECT_LEFT(f, OUTSIDE, "udp.checksum.status == 1");
            uint64_t port = dissection_first(&f->d, F_UDP_SRCPORT)->value.u;
            EXPECT(port >= cases[i].lo && port <= cases[i].hi);
            EXPECT_EQ(port & 1, cases[i].port & 1);
            EXPECT(host > 2 || port == cases[i].port || cases[i].port == 0);
        }
        EXPECT_EQ(fx_nat_live(f), 38);     /* all of them different, then */
        fx_free(f);
    }
}

TEST("a datagram in fragments is put together before it is translated")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 id=7 part=0..400 / udp 4000>53 / fill 700");
    EXPECT_QUIET(f);
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 id=7 part=400..708 / udp 4000>53 / fill 700");
    EXPECT_LEFT(f, OUTSIDE, GOOD "ip.len == 728 && ip.flags.mf == 0 && ip.src == 203.0.113.1 && "
                "udp.checksum.status == 1");
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 id=9 part=400..708 / udp 53>4000 / "
                    "fill 700");
    EXPECT_QUIET(f);
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 id=9 part=0..400 / udp 53>4000 / fill 700");
    EXPECT_LEFT(f, INSIDE, GOOD "ip.len == 728 && ip.dst == 10.0.0.2 && udp.checksum.status == 1");
    fx_free(f);
}

TEST("a mapping that is not used for five minutes is forgotten")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    EXPECT_EQ(fx_nat_life_s(f), 300);
    fx_run(f, 299 * NS_PER_S);
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.1 / udp 53>4000 / \"x\"");
    EXPECT_EQ(fx_nat_life_s(f), 300);                  /* both directions keep it */
    fx_run(f, 300 * NS_PER_S - 1);
    EXPECT_EQ(fx_nat_live(f), 1);
    fx_run(f, 1);
    EXPECT_EQ(fx_nat_live(f), 0);
    (void)fx_skip(f);
    fx_free(f);
}

TEST("a stranger does not keep a mapping")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    fx_run(f, 200 * NS_PER_S);
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_outside(f, "ip src=198.51.100.8 dst=203.0.113.1 / udp 53>4000 / \"x\""));
    EXPECT_EQ(fx_nat_life_s(f), 100);
    fx_free(f);
}

TEST("of many peers the latest eight are remembered")
{
    struct fx *f = fx_nat_new();
    char line[120];
    for (unsigned peer = 1; peer <= 9; peer++) {
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "ip src=10.0.0.2 dst=198.51.100.");
        txt_u(&t, peer);
        txt_s(&t, " / udp 4000>53 / \"x\"");
        fx_inside(f, line);
        if (peer == 5)
            fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.1 / udp 4000>53 / \"x\"");
    }
    (void)fx_skip(f);
    fx_outside(f, "ip src=198.51.100.1 dst=203.0.113.1 / udp 53>4000 / \"x\"");
    EXPECT_LEFT(f, INSIDE, "ip.src == 198.51.100.1");
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_outside(f, "ip src=198.51.100.2 dst=203.0.113.1 / udp 53>4000 / \"x\""));
    fx_outside(f, "ip src=198.51.100.3 dst=203.0.113.1 / udp 53>4000 / \"x\"");
    EXPECT_LEFT(f, INSIDE, "ip.src == 198.51.100.3");
    fx_free(f);
}

TEST("one peer with many ports is one peer")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.1 / udp 4000>53 / \"x\"");
    for (unsigned port = 1; port <= 20; port++) {
        char line[120];
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "ip src=10.0.0.2 dst=198.51.100.2 / udp 4000>");
        txt_u(&t, port);
        txt_s(&t, " / \"x\"");
        fx_inside(f, line);
    }
    (void)fx_skip(f);
    fx_outside(f, "ip src=198.51.100.1 dst=203.0.113.1 / udp 53>4000 / \"x\"");
    EXPECT_LEFT(f, INSIDE, "ip.src == 198.51.100.1");
    fx_free(f);
}

/* The port that stands for 4000, which another host has, in a stack of that seed. */
static uint64_t drawn_port(uint8_t seed)
{
    struct fx *f = fx_new(.stack = {.forward4 = true, .seed = {seed}},
                          .netif = {.kind = ORIEL_NETIF_RAW});
    (void)fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_RAW, .nat = true});
    fx_add_addr(f, INSIDE, "10.0.0.1/24");
    fx_add_addr(f, OUTSIDE, "203.0.113.1/24");
    fx_add_route(f, OUTSIDE, "0.0.0.0/0", NULL);
    (void)fx_skip(f);
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    EXPECT(fx_out(f) && fx_out(f));
    uint64_t port = dissection_first(&f->d, F_UDP_SRCPORT)->value.u;
    fx_free(f);
    return port;
}

TEST("a port that is drawn depends on the stack's seed")
{
    EXPECT_EQ(drawn_port(1), drawn_port(1));
    EXPECT(drawn_port(1) != drawn_port(2));
    EXPECT(drawn_port(2) != drawn_port(3));
}

TEST("a translation that is made is an event")
{
    struct fx *f = fx_nat_new();
    uint64_t before = f->s->env.trace->next;
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    const struct trace_rec *made = NULL;
    for (uint64_t id = before; id < f->s->env.trace->next; id++)
        if (trace_at(f->s->env.trace, id)->event == EV_NAT_NEW)
            made = trace_at(f->s->env.trace, id);
    EXPECT(made && made->a == 4000 && made->b == 4000 && made->c == IP_UDP);
    fx_free(f);
}

TEST("a packet in several pieces of memory is translated like any other")
{
    static const char *const lines[] = {
        "ip src=10.0.0.2 dst=198.51.100.7 / tcp 4000>80 flags=S mss=1460 / fill 300",
        "ip src=10.0.0.2 dst=198.51.100.7 / icmp echo id=1 seq=1 / fill 300",
    };
    struct fx *f = fx_nat_new();
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        for (size_t cut = IP4_HDR_LEN; cut < 320; cut += 50) {
            fx_craft(f, INSIDE, lines[i]);
            struct span frame = span_of(f->frame, f->frame_n);
            struct pkt *p = pkt_new_copy(&f->s->env, 64, span_of(frame.p, cut));
            struct span tail = span_of(frame.p + cut, frame.n - cut);
            struct pkt *rest = pkt_new_copy(&f->s->env, 0, tail);
            p->more[p->more_n++] = rest->head;
            rest->head.blk->refs++;
            pkt_free(rest);
            EXPECT_EQ(nat_out(&f->s->ip, p, OUTSIDE), NAT_DONE);
            pkt_read(p, 0, f->frame, f->frame_n);
            dissect(&(struct lens_frame){.link = LENS_RAW, .bytes = frame}, &f->d);
            EXPECT_FRAME(f, GOOD "ip.src == 203.0.113.1 && "
                            "(tcp.checksum.status == 1 || icmp.checksum.status == 1)");
            pkt_free(p);
        }
    }
    fx_free(f);
}

/* ---- what is not translated ---- */

TEST("protocols without ports, and messages that are cut short, do not pass")
{
    static const char *const lines[] = {
        "ip src=10.0.0.2 dst=198.51.100.7 proto=47 / fill 40",
        "ip src=10.0.0.2 dst=198.51.100.7 proto=50 / fill 40",
        "ip src=10.0.0.2 dst=198.51.100.7 proto=17 / hex 0fa00035",
        "ip src=10.0.0.2 dst=198.51.100.7 proto=6 / hex 0fa0005000000001000000004002",
        "ip src=10.0.0.2 dst=198.51.100.7 / tcp 4000>80 off=15",
        "ip src=10.0.0.2 dst=198.51.100.7 proto=1 / hex 0800",
        "ip src=10.0.0.2 dst=198.51.100.7 / icmp echo id=1 seq=1 badcsum",
        "ip src=10.0.0.2 dst=198.51.100.7 / icmp echo-reply id=1 seq=1",
        "ip src=10.0.0.2 dst=198.51.100.7 / icmp timestamp id=1 seq=1",
        "ip src=10.0.0.2 dst=198.51.100.7 / icmp redirect gateway=10.0.0.9 / fill 28",
    };
    struct fx *f = fx_nat_new();
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++)
        EXPECT_DROP(f, NAT_PROTOCOL, fx_inside(f, lines[i]));
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_nat_live(f), 0);
    fx_free(f);
}

TEST("what stays inside is not translated")
{
    struct fx *f = fx_nat_new();
    fx_add_route(f, INSIDE, "10.1.0.0/16", NULL);
    fx_inside(f, "ip src=10.0.0.2 dst=10.1.0.9 / udp 4000>53 / \"x\"");
    EXPECT_LEFT(f, INSIDE, "ip.src == 10.0.0.2 && why == \"FORWARD\"");
    EXPECT_EQ(fx_nat_live(f), 0);
    fx_free(f);
}

TEST("an inside host does not reach another one by its outside endpoint")
{
    struct fx *f = fx_nat_new();
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    (void)fx_skip(f);
    fx_inside(f, "ip src=10.0.0.3 dst=203.0.113.1 / udp 5000>4000 / \"x\"");
    EXPECT_LEFT(f, INSIDE, "icmp.type == 3 && icmp.code == 3");     /* it is the router's address */
    fx_free(f);
}

/* ---- limits ---- */

static void ping_from(struct fx *f, unsigned host)
{
    char line[120];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "ip src=10.0.0.");
    txt_u(&t, host);
    txt_s(&t, " dst=198.51.100.7 / icmp echo id=5 seq=1");
    fx_inside(f, line);
}

static void tcp_open_from(struct fx *f, unsigned host)
{
    char line[120];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "ip src=10.0.0.");
    txt_u(&t, host);
    txt_s(&t, " dst=198.51.100.7 / tcp 4000>80 flags=SA seq=1 ack=1");
    fx_inside(f, line);
}

TEST("a full table gives up the transitory translation that was silent longest")
{
    struct nat whole;
    struct fx *f = start_small(&whole, 4);
    tcp_open_from(f, 2);
    fx_run(f, NS_PER_S);
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    fx_run(f, NS_PER_S);
    ping_from(f, 4);
    fx_run(f, NS_PER_S);
    fx_inside(f, "ip src=10.0.0.5 dst=198.51.100.7 / tcp 4001>80 flags=S");
    fx_run(f, NS_PER_S);
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    (void)fx_skip(f);
    ping_from(f, 6);                    /* instead of the ping of host 4 */
    EXPECT_LEFT(f, OUTSIDE, "icmp.type == 8");
    ping_from(f, 7);                    /* instead of the half-open connection of host 5 */
    EXPECT_LEFT(f, OUTSIDE, "icmp.type == 8");
    static const char *const left[] = {"10.0.0.6", "10.0.0.7", "10.0.0.3", "10.0.0.2"};
    uint32_t cursor = 0;
    struct nat_info info;
    for (unsigned i = 0; i < 4; i++) {
        struct oriel_addr a = fx_addr(left[i]);
        EXPECT(nat_each(&f->s->ip, &cursor, &info));
        EXPECT(addr_same_bits(&info.inside.addr, &a));
        EXPECT_EQ(info.nif, OUTSIDE);
        EXPECT_EQ(info.peers, 1);
    }
    EXPECT(!nat_each(&f->s->ip, &cursor, &info));
    stop_small(f, &whole);
}

TEST("a table full of open connections refuses new ones")
{
    struct nat whole;
    struct fx *f = start_small(&whole, 4);
    for (unsigned host = 2; host < 6; host++)
        tcp_open_from(f, host);
    (void)fx_skip(f);
    EXPECT_DROP(f, NAT_FULL, ping_from(f, 6));
    EXPECT_DROP(f, NAT_FULL, tcp_open_from(f, 7));
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_nat_live(f), 4);
    stop_small(f, &whole);
}

TEST("when a whole range of ports is taken, new translations are refused")
{
    struct fx *f = fx_nat_new();
    char line[120];
    for (unsigned port = 2; port < 1024; port += 2) {
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "ip src=10.0.0.2 dst=198.51.100.7 / udp ");
        txt_u(&t, port);
        txt_s(&t, ">53 / \"x\"");
        fx_inside(f, line);
    }
    EXPECT_EQ(fx_skip(f), 511);
    for (unsigned host = 3; host < 100; host++) {
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "ip src=10.0.0.");
        txt_u(&t, host);
        txt_s(&t, " dst=198.51.100.7 / udp 500>53 / \"x\"");
        EXPECT_DROP(f, NAT_FULL, fx_inside(f, line));
    }
    fx_inside(f, "ip src=10.0.0.3 dst=198.51.100.7 / udp 501>53 / \"x\"");
    EXPECT_LEFT(f, OUTSIDE, "udp.srcport == 501");
    fx_free(f);
}

/* ---- addresses and interfaces come and go ---- */

TEST("an interface without an address translates nothing")
{
    struct fx *f = fx_nat_new();
    struct oriel_addr a = fx_addr("203.0.113.1");
    EXPECT_EQ(oriel_addr_remove(f->s, OUTSIDE, &a), 0);
    (void)fx_skip(f);
    EXPECT_DROP(f, NAT_UNKNOWN,
                fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\""));
    fx_free(f);
}

TEST("when the outside address changes, what leaves next has the new one")
{
    struct fx *f = fx_nat_new();
    struct oriel_addr a = fx_addr("203.0.113.1");
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    EXPECT_EQ(oriel_addr_remove(f->s, OUTSIDE, &a), 0);
    fx_add_addr(f, OUTSIDE, "203.0.113.77/24");
    (void)fx_skip(f);
    fx_inside(f, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    EXPECT_LEFT(f, OUTSIDE, "ip.src == 203.0.113.77");
    EXPECT_EQ(fx_nat_live(f), 1);
    fx_outside(f, "ip src=198.51.100.7 dst=203.0.113.77 / udp 53>4000 / \"x\"");
    EXPECT_LEFT(f, INSIDE, "ip.dst == 10.0.0.2");
    fx_free(f);
}

TEST("an interface that goes away takes its translations with it")
{
    struct fx *f = fx_nat_new();
    fx_nat_handshake(f);
    ping_from(f, 2);
    (void)fx_skip(f);
    EXPECT_EQ(fx_nat_live(f), 2);
    EXPECT_EQ(oriel_netif_remove(f->s, OUTSIDE), 0);
    EXPECT_EQ(fx_nat_live(f), 0);
    fx_run(f, 8000 * NS_PER_S);
    fx_free(f);
}

TEST("without memory for a copy a packet is dropped, not changed in place")
{
    struct fx *f = fx_nat_new();
    struct env *env = &f->s->env;
    fx_craft(f, INSIDE, "ip src=10.0.0.2 dst=198.51.100.7 / udp 4000>53 / \"x\"");
    struct pkt *other = pkt_new_copy(env, PKT_HEADROOM, span_of(f->frame, f->frame_n));
    struct pkt *p = pkt_share(env, other);
    uint64_t max = env->budget->max;
    struct pkt_queue all = {0};
    env->budget->max = UINT64_MAX / 2;
    for (struct pkt *q; (q = pkt_new(env, 0, 1)) != NULL;)
        pkt_enqueue(&all, q);
    EXPECT_DROP(f, NO_MEMORY, EXPECT_EQ(nat_out(&f->s->ip, p, OUTSIDE), NAT_CONSUMED));
    EXPECT_MEM(pkt_data(other), f->frame, f->frame_n);
    pkt_queue_free(&all);
    env->budget->max = max;
    pkt_free(other);
    fx_free(f);
}

/* ---- everything together ---- */

/* One random flow: its packet out, an answer to what left back in. */
static void there_and_back(struct fx *f, struct rng *g)
{
    char line[200], back[300];
    uint64_t host = 2 + rng_below(g, 200), port = rng_below(g, 65536), len = rng_below(g, 200);
    bool tcp = rng_below(g, 2) != 0;
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "ip src=10.0.0.");
    txt_u(&t, host);
    txt_s(&t, " dst=198.51.100.");
    txt_u(&t, host);
    txt_s(&t, tcp ? " / tcp " : " / udp ");
    txt_u(&t, port);
    txt_s(&t, tcp ? ">80 flags=S / fill " : ">80 / fill ");
    txt_u(&t, len);
    fx_inside(f, line);
    if (!fx_out(f))
        return;                         /* no port was left in its range */
    EXPECT_FRAME(f, tcp ? GOOD "tcp.checksum.status == 1" : GOOD "udp.checksum.status == 1");
    t = txt_of(back, sizeof(back));
    txt_s(&t, "ip src=198.51.100.");
    txt_u(&t, host);
    txt_s(&t, tcp ? " dst=203.0.113.1 / tcp 80>" : " dst=203.0.113.1 / udp 80>");
    txt_u(&t, dissection_first(&f->d, tcp ? F_TCP_SRCPORT : F_UDP_SRCPORT)->value.u);
    txt_s(&t, tcp ? " flags=SA / \"answer\"" : " / \"answer\"");
    fx_outside(f, back);
    EXPECT_LEFT(f, INSIDE, tcp ? GOOD "tcp.checksum.status == 1"
                               : GOOD "udp.checksum.status == 1");
    struct oriel_addr a = addr_v4(0x0a000000 + (uint32_t)host);
    EXPECT(addr_same_bits(&dissection_first(&f->d, F_IP_DST)->value.addr, &a));
    EXPECT_EQ(dissection_first(&f->d, tcp ? F_TCP_DSTPORT : F_UDP_DSTPORT)->value.u, port);
}

TEST("whatever leaves, its answer arrives where it came from")
{
    struct fx *f = fx_nat_new();
    struct rng g;
    rng_seed(&g, 11, 1);
    for (unsigned i = 0; i < 4000; i++) {
        there_and_back(f, &g);
        if (i % 50 == 0)
            fx_run(f, rng_below(&g, 100) * NS_PER_S);
    }
    fx_free(f);
}
