/* Scenarios that run: every statement does what it says, every expectation holds and fails. */
#include "fx_lab.h"

#define PING "at 0 a ping 10.0.0.2\n"

/* ---- the world ---- */

TEST("hosts, routers, switches, peers, ports and VLANs are built as they are written")
{
    struct fx_lab fx;
    fx_lab_run(&fx,
               "host a eth0 10.0.0.1/24 fd00::1/64 mtu 1400 mac 02:00:00:00:00:aa\n"
               "router r eth0 10.0.0.254/24 | eth1 10.0.1.254/24 nodad\n"
               "switch s ports p1 p2 access p3 vlan 20 trunk p4 vlan 10,20 native 30\n"
               "peer x eth0 mac 02:00:00:00:00:99 | eth1\n"
               "port a eth1 10.0.5.1/24\n"
               "vlan a eth1.7 id 7 10.0.7.1/24\n"
               "link a.eth0 s.p1 rate 10mbit delay 5ms queue 50\n"
               "link r.eth0 s.p2 nofcs\n");
    const struct world *w = fx.lab->w;
    EXPECT_EQ(w->nodes_n, 4);
    EXPECT_EQ(w->nodes[1].kind, NODE_ROUTER);
    EXPECT_EQ(w->nodes[2].kind, NODE_SWITCH);
    EXPECT_EQ(w->nodes[2].ports[2].pvid, 20);
    EXPECT_EQ(w->nodes[2].ports[3].vlans_n, 2);
    EXPECT_EQ(w->nodes[2].ports[3].pvid, 30);
    EXPECT_EQ(w->nodes[3].ports[0].mac.b[5], 0x99);
    EXPECT_EQ(w->nodes[0].ports[0].mac.b[5], 0xaa);
    EXPECT_EQ(w->nodes[0].ports_n, 2);
    EXPECT_EQ(w->wires[0].dir[0].p.rate_bps, 10000000);
    EXPECT(w->wires[0].dir[0].p.fcs);
    EXPECT(!w->wires[1].dir[0].p.fcs);
    struct oriel_netif_info n;
    unsigned found = 0;
    for (uint32_t at = 0; oriel_netif_each(w->nodes[0].stack, &at, &n);) {
        found++;
        if (strcmp(n.name, "eth0") == 0)
            EXPECT_EQ(n.mtu, 1400);
        if (strcmp(n.name, "eth1.7") == 0)
            EXPECT_EQ(n.vlan_id, 7);
    }
    EXPECT_EQ(found, 4);        /* lo, eth0, eth1, eth1.7 */
    fx_lab_fini(&fx);
}

TEST("what the stack refuses is an error at its line, before time begins")
{
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"host a eth0 10.0.0.1/24\nroute a default via 10.9.9.9\n", "t.lab:2:1: found a statement"},
        {"host a eth0 10.0.0.1/24 10.0.0.1/24\n", "t.lab:1:8: found `10.0.0.1`"},
        {"host a eth0 10.0.0.1/24\nvlan a eth0.1 id 5\nvlan a eth0.2 id 5\n", "t.lab:3:8:"},
        {"host a eth0 10.0.0.1/24\nconfig a memory 4k\n", "t.lab:1:6: found `a`"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct fx_lab fx;
        EXPECT(fx_lab_parse(&fx, bad[i].text, NULL, 0));
        EXPECT(!fx_lab_build(&fx));
        if (!strstr(fx.error, bad[i].error))
            fail_msg("expected: %s\nsaid: %s", bad[i].error, fx.error);
        fx_lab_fini(&fx);
    }
}

TEST("settings reach the stack")
{
    fx_lab_holds(TWO_HOSTS "config a ttl 9\nconfig b icmp-rate 2 connections 8 memory 2M "
                           "strong-host\n"
                 PING "expect b.eth0 sees \"icmp && ip.ttl == 9\" count 1\n"
                 "at 1s a udp-send 10.0.0.2:99 \"x\" count 6 every 1ms\n"
                 "expect why ICMP_UNREACHABLE from b count 2\n");
}

TEST("routes and neighbours of the text are there from the start")
{
    fx_lab_holds("host a eth0 10.0.0.1/24\n"
                 "route a default via 10.0.0.254 metric 7\n"
                 "route a 10.9.0.0/16 dev eth0\n"
                 "neigh a 10.0.0.254 02:00:00:00:00:fe\n"
                 "expect a route default via 10.0.0.254 static metric 7 dev eth0\n"
                 "expect a route 10.9.0.0/16 dev eth0\n"
                 "expect a neigh 10.0.0.254 static mac 02:00:00:00:00:fe\n");
}

TEST("a switch of the text keeps VLANs apart")
{
    fx_lab_holds("host a eth0 10.0.0.1/24\nhost b eth0 10.0.0.2/24\nhost c eth0 10.0.0.3/24\n"
                 "switch s ports p1 p2 p3 access p1 vlan 10 access p2 10\n"
                 "link a.eth0 s.p1\nlink b.eth0 s.p2\nlink c.eth0 s.p3\n"
                 "at 0 a ping 10.0.0.2\nat 0 a ping 10.0.0.3 wait 100ms\n"
                 "expect a ping 10.0.0.2 received 1\n"
                 "expect a ping 10.0.0.3 received 0\n"
                 "expect c.eth0 sees \"arp\" none\n");
}

/* ---- chance ---- */

/* Everything that was on the wires, as one number. */
static void fold(void *ctx, const struct world_frame *f)
{
    uint64_t *h = ctx;
    for (size_t i = 0; i < f->bytes.n; i++)
        *h = (*h ^ f->bytes.p[i]) * 0x100000001b3;
    *h = (*h ^ f->time ^ (uint64_t)f->fate << 60) * 0x100000001b3;
}

static uint64_t history(const char *text, bool has_seed, uint64_t seed)
{
    struct fx_lab fx;
    uint64_t h = 0xcbf29ce484222325;
    EXPECT(fx_lab_parse(&fx, text, NULL, 0));
    fx.opt.has_seed = has_seed;
    fx.opt.seed = seed;
    fx.opt.on_frame = fold;
    fx.opt.on_frame_ctx = &h;
    EXPECT(fx_lab_build(&fx));
    fx_lab_go(&fx);
    fx_lab_fini(&fx);
    return h;
}

TEST("one seed makes the same bytes twice; another one does not, where there is chance")
{
    static const char lossy[] = "seed 5\n" TWO_HOSTS "at 0 a ping 10.0.0.2 count 40 interval 10ms\n"
                                "at 0 link a.eth0 loss 20% jitter 1ms\n";
    EXPECT(history(lossy, false, 0) == history(lossy, false, 0));
    EXPECT(history(lossy, false, 0) == history(lossy, true, 5));
    EXPECT(history(lossy, false, 0) != history(lossy, true, 6));
}

TEST("impairments from outside change every link, and a mistake in them is reported")
{
    struct fx_lab fx;
    EXPECT(fx_lab_parse(&fx, TWO_HOSTS PING, NULL, 0));
    fx.opt.impair = span_str("loss 100%");
    EXPECT(fx_lab_build(&fx));
    fx_lab_go(&fx);
    EXPECT_EQ(fx.lab->apps[0].is.ping->received, 0);
    fx_lab_fini(&fx);
    EXPECT(fx_lab_parse(&fx, TWO_HOSTS, NULL, 0));
    fx.opt.impair = span_str("lss 3%");
    EXPECT(!fx_lab_build(&fx));
    EXPECT(strstr(fx.error, "impairments:1:1: found `lss`"));
    fx_lab_fini(&fx);
}

/* ---- what happens ---- */

TEST("addresses, routes and neighbours come and go at their time")
{
    fx_lab_holds(TWO_HOSTS
                 "at 1s a addr add 10.5.0.1/16 dev eth0\n"
                 "at 2s expect a addr 10.5.0.1 preferred static dev eth0\n"
                 "at 2s expect a route 10.5.0.0/16 connected\n"
                 "at 3s a addr del 10.5.0.1 dev eth0\n"
                 "at 4s expect no a addr 10.5.0.1\n"
                 "at 5s a route add 10.7.0.0/16 via 10.0.0.2\n"
                 "at 6s expect a route 10.7.0.0/16 via 10.0.0.2\n"
                 "at 7s a route del 10.7.0.0/16 via 10.0.0.2\n"
                 "at 8s expect no a route 10.7.0.0/16\n"
                 "at 9s a neigh add 10.0.0.77 02:00:00:00:00:77\n"
                 "at 10s expect a neigh 10.0.0.77 static\n"
                 "at 11s a neigh del 10.0.0.77\n"
                 "at 12s expect no a neigh 10.0.0.77\n");
}

TEST("interfaces go down and up, change their MTU, are made and removed")
{
    fx_lab_holds(TWO_HOSTS
                 "at 1s a down eth0\n"
                 "at 2s expect a netif eth0 down mtu 1500\n"
                 "at 3s a up eth0\n"
                 "at 4s expect a netif eth0 up\n"
                 "at 5s a mtu eth0 1280\n"
                 "at 6s expect a netif eth0 mtu 1280\n"
                 "at 7s a vlan eth0.9 id 9 10.9.0.1/24\n"
                 "at 8s expect a addr 10.9.0.1\n"
                 "at 9s a remove eth0.9\n"
                 "at 10s expect no a netif eth0.9\n");
}

TEST("links go down and up and change while the scenario runs, one way or both")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 a ping 10.0.0.2\n"
                 "at 1s link a.eth0 down\n"
                 "at 1500ms expect b netif eth0 down\n"
                 "at 2s link a.eth0 up\n"
                 "at 3s link a.eth0 -> b.eth0 loss 100%\n"
                 "at 4s a ping 10.0.0.2 wait 100ms\n"
                 "at 5s link a.eth0 loss 0% delay 7ms\n"
                 "at 6s a ping 10.0.0.2\n"
                 "expect a ping @1 received 1\n"
                 "expect a ping @2 received 0\n"
                 "expect a ping @3 received 1\n"
                 "expect drop WIRE_LOSS at link a.eth0 count >= 1\n"
                 "expect drop WIRE_LOSS at link b.eth0 none\n");
}

TEST("groups are joined and left, and a listener is closed")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b udp-listen 9 sink group 239.1.1.1 on eth0\n"
                 "at 1s expect b group 239.1.1.1 on eth0 exclude members 1\n"
                 "at 2s b udp-join 9 239.1.1.1 on eth0 only 10.0.0.1\n"
                 "at 3s expect b group 239.1.1.1 include sources 1\n"
                 "at 4s a udp-send 239.1.1.1:9 \"hi\"\n"
                 "at 5s b udp-leave 9 239.1.1.1 on eth0\n"
                 "at 6s expect no b group 239.1.1.1\n"
                 "at 7s expect b socket 9 count 1\n"
                 "at 8s b udp-close 9\n"
                 "at 9s expect b socket 9 none\n"
                 "expect b udp 9 received 1 text \"hi\"\n");
}

TEST("RARP is asked for and answered")
{
    fx_lab_holds("host a eth0\nhost r eth0 10.0.0.254/24\nlink a.eth0 r.eth0\n"
                 "rarp r $a.eth0 10.0.0.7\n"
                 "at 0 a rarp eth0\nstop 5s\n"
                 "expect a addr 10.0.0.7 rarp\n");
}

TEST("what cannot be done is a trouble with its line")
{
    struct fx_lab fx;
    fx_lab_run(&fx, TWO_HOSTS "at 1s a route add default via 10.9.9.9\nat 2s a udp-close 7\n");
    EXPECT(!fx.good);
    EXPECT_EQ(fx.lab->troubles_n, 2);
    EXPECT_EQ(fx.lab->troubles[0].line, 4);
    EXPECT(strstr(fx.lab->troubles[0].text, "at 1s a route add default via 10.9.9.9: no route"));
    EXPECT(strstr(fx.lab->troubles[1].text, "there is no such thing"));
    fx_lab_fini(&fx);
}

/* ---- the end ---- */

static oriel_time end_of(const char *text)
{
    struct fx_lab fx;
    fx_lab_run(&fx, text);
    oriel_time end = fx.lab->w->env.now;
    fx_lab_fini(&fx);
    return end;
}

TEST("a scenario ends when nothing is left to do, or when it says so")
{
    EXPECT(end_of(TWO_HOSTS PING) == 4 * NS_PER_MS);    /* ARP and echo, there and back */
    EXPECT(end_of(TWO_HOSTS PING "stop 3ms\n") == 3 * NS_PER_MS);
    EXPECT(end_of(TWO_HOSTS "stop 9s\n") == 9 * NS_PER_S);
    EXPECT(end_of(TWO_HOSTS) == 0);
    EXPECT(end_of(TWO_HOSTS "at 2s expect quiet\n") == 2 * NS_PER_S);
}

TEST("an expectation whose moment never comes does not hold")
{
    fx_lab_fails(TWO_HOSTS "stop 1s\nat 2s expect quiet\n", "before its moment came");
}

TEST("a lab can be run a piece at a time, and comes to the same")
{
    static const char text[] = TWO_HOSTS "at 0 a ping 10.0.0.2 count 3\nexpect a ping received 3\n";
    struct fx_lab fx;
    EXPECT(fx_lab_parse(&fx, text, NULL, 0));
    EXPECT(fx_lab_build(&fx));
    lab_start(fx.lab);
    for (oriel_time t = 0; t < 5 * NS_PER_S; t += 100 * NS_PER_MS) {
        lab_run(fx.lab, t);
        EXPECT(fx.lab->w->env.now == t);
    }
    EXPECT(lab_over(fx.lab));
    EXPECT(lab_finish(fx.lab));
    fx_lab_fini(&fx);
}

/* ---- peers ---- */

TEST("a peer sends frames, padded and with a check sequence, once or again and again")
{
    fx_lab_holds(PEER_AND_HOST
                 "at 1s x send \"eth dst=ff:ff:ff:ff:ff:ff src=$x.eth0 / arp op=request "
                 "sha=$x.eth0 spa=10.0.0.9 tpa=10.0.0.1\" count 3 every 1s\n"
                 "expect b.eth0 sees \"arp && frame.len == 64 && eth.fcs.status == 1\" count 3\n"
                 "expect b.eth0 sees \"arp\" count 2 after 1500ms\n"
                 "expect x.eth0 sees \"arp.opcode == 2\" count 3\n");
}

TEST("modifiers of a frame are the author's own")
{
    fx_lab_holds(PEER_AND_HOST
                 "at 1s x send \"eth dst=$b.eth0 src=$x.eth0 / fill 100 ; badfcs\"\n"
                 "at 2s x send \"eth dst=$b.eth0 src=$x.eth0 type=0x9999 / fill 100 ; cut 40\"\n"
                 "at 3s x send \"hex 02 00\"\n"
                 "expect drop ETH_FCS at b count 1\n"
                 "expect drop ETH_SHORT at b count >= 1\n"
                 "expect b.eth0 sees \"frame.len == 44\" count 1\n");
}

TEST("a peer answers what it hears, with fields of what it heard")
{
    fx_lab_holds(PEER_AND_HOST
                 "on x \"arp.opcode == 1 && arp.dst.proto_ipv4 == 10.0.0.9\" send \"eth "
                 "dst={eth.src} "
                 "src=$x.eth0 / arp op=reply sha=$x.eth0 spa={arp.dst.proto_ipv4} tha={eth.src} "
                 "tpa={arp.src.proto_ipv4}\"\n"
                 "on x \"icmp.type == 8\" send \"eth dst={eth.src} src=$x.eth0 / ip src={ip.dst} "
                 "dst={ip.src} / icmp echo-reply id={icmp.ident} seq={icmp.seq}\" after 5ms "
                 "times 2\n"
                 "at 0 b ping 10.0.0.9 count 3 interval 1s wait 1s size 0\n"
                 "expect b ping sent 3 received 2\n"
                 "expect b.eth0 sees \"icmp.type == 0\" between 8ms 10ms\n");
}

TEST("an answer that needs a field which the frame has not is a trouble")
{
    struct fx_lab fx;
    fx_lab_run(&fx, PEER_AND_HOST "on x \"arp\" send \"eth dst={eth.src} / ip src={ip.dst} "
                                  "dst=10.0.0.1 / udp 1>2\" once\nat 0 b ping 10.0.0.9 wait 1s\n");
    EXPECT(!fx.good);
    EXPECT_EQ(fx.lab->troubles[0].line, 4);
    EXPECT(strstr(fx.lab->troubles[0].text, "found `ip.dst`"));
    fx_lab_fini(&fx);
}

/* ---- expectations ---- */

TEST("frames are counted at a port, by filter, reason, time and fate")
{
    fx_lab_holds(TWO_HOSTS PING
                 "expect a.eth0 sends \"arp.opcode == 1\"\n"
                 "expect a.eth0 sends \"arp.opcode == 1\" why ARP_REQUEST count 1 between 0 1ms\n"
                 "expect a.eth0 sends why RAW_DATA count >= 1 after 1ms before 3ms\n"
                 "expect b.eth0 sees \"why == \\\"RAW_DATA\\\" && icmp\" count <= 1\n"
                 "expect b.eth0 sends \"tcp\" none\n"
                 "expect no b.eth0 sends \"tcp\"\n"
                 "expect a.eth0 sends \"arp\" lost none\n");
    fx_lab_holds(TWO_HOSTS "at 0 link a.eth0 lose 1\nat 1s a ping 10.0.0.2\n"
                 "expect a.eth0 sends \"arp && drop == \\\"WIRE_LOSS\\\"\" lost count 1\n"
                 "expect a ping received 1\n");
}

TEST("a count that is not met says what came, when, and what else there was")
{
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends \"icmp\" count 2\n",
                 "1 frame matches, the first at 0.002000 s, the last at 0.002000 s; of 2 frames "
                 "sent "
                 "there the last: 0.000000 s ARP Who has 10.0.0.2? Tell 10.0.0.1 | 0.002000 s "
                 "ICMP");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends \"tcp\"\n", "0 frames match");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends \"icmp\" none\n", "1 frame matches");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends \"icmp\" why ECHO_REPLY\n", "0 frames match");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends \"icmp\" after 1s\n", "0 frames match");
    fx_lab_fails(TWO_HOSTS "expect a.eth0 sees \"icmp\"\n", "nothing arrived there at all");
    fx_lab_fails(TWO_HOSTS PING "expect no a.eth0 sends \"icmp\"\n", "1 frame matches");
}

TEST("a sequence lets other frames stand between, unless it is exact")
{
    fx_lab_holds(TWO_HOSTS PING
                 "expect a.eth0 sends in order { \"arp\" \"icmp\" }\n"
                 "expect a.eth0 sends in order exactly { \"arp\" why ARP_REQUEST \"icmp\" }\n"
                 "expect a.eth0 sees in order {\n    \"icmp.type == 0\"   # its answer\n}\n");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends in order { \"icmp\" \"arp\" }\n",
                 "1 frame of 2 came in that order, the last at 0.002000 s");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends in order exactly { \"icmp\" }\n",
                 "0 frames of 1 came in that order; then came something else at 0.000000 s: ARP "
                 "Who");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends in order exactly { \"arp\" }\n",
                 "all 1 of 1 came in that order, the last at 0.002000 s; then came something else");
    fx_lab_fails(TWO_HOSTS PING "expect a.eth0 sends in order { \"arp\" why ARP_REPLY }\n",
                 "0 frames of 1");
}

TEST("reasons are counted at nodes, links and in the world")
{
    static const char text[] =
        TWO_HOSTS "at 0 a udp-send 10.0.0.2:99 \"x\"\nat 1s link a.eth0 lose 4\n"
        "at 2s a udp-send 10.0.0.2:99 \"x\"\n"      /* frame 3; the next is lost */
        "at 3s a udp-send 10.0.0.2:99 \"x\"\n"
        "expect drop UDP_NO_PORT at b count 2\nexpect drop WIRE_LOSS at link a.eth0 count 1\n"
        "expect drop WIRE_LOSS at world count 1\nexpect drop IP_TTL at b none\n"
        "expect why UDP_DATA from a count 3\nexpect why ARP_REPLY from b\n"
        "expect no why ARP_REPLY from a\n";
    struct fx_lab fx;
    fx_lab_run(&fx, text);
    EXPECT(fx.good);
    EXPECT_EQ(fx.lab->results[0].drop, DROP_UDP_NO_PORT);
    EXPECT_EQ(fx.lab->results[3].drop, DROP_NONE);      /* shown to be absent, not to happen */
    EXPECT_EQ(fx.lab->results[4].why, WHY_UDP_DATA);
    EXPECT_EQ(fx.lab->results[6].why, WHY_NONE);
    fx_lab_fini(&fx);
    fx_lab_fails(TWO_HOSTS "at 0 a udp-send 10.0.0.2:99 \"x\"\nexpect drop IP_TTL at b\n",
                 "it happened 0 times; dropped there: 1 UDP_NO_PORT");
    fx_lab_fails(TWO_HOSTS "expect drop WIRE_LOSS at link a.eth0\n", "it happened 0 times");
    fx_lab_fails(TWO_HOSTS PING "expect why ARP_REQUEST from a count 2\n", "it happened 1 time");
}

TEST("pings are asked for what they sent and heard")
{
    fx_lab_holds(TWO_HOSTS "at 0 a ping 10.0.0.2 count 2\nat 5s a ping 10.0.0.77 wait 5s\n"
                 "expect a ping received 2\nexpect a ping 10.0.0.77 errors 1 received 0 sent 1\n"
                 "expect a ping @2 received 0\nexpect a ping duplicates 0 received >= 1\n");
    fx_lab_fails(TWO_HOSTS PING "expect a ping received 2\n",
                 "1 sent, 1 received, 0 errors, 0 duplicates");
    fx_lab_fails(TWO_HOSTS "expect a ping received 2\n", "nothing of that kind was started there");
    fx_lab_fails(TWO_HOSTS PING "expect a ping @2 received 1\n", "nothing of that kind");
}

TEST("traceroutes are asked for their hops")
{
    static const char net[] = "host a eth0 10.0.1.1/24\n"
                              "router r eth0 10.0.1.254/24 | eth1 10.0.2.254/24\n"
                              "host b eth0 10.0.2.1/24\n"
                              "link a.eth0 r.eth0\nlink r.eth1 b.eth0\n"
                              "route a default via 10.0.1.254\nroute b default via 10.0.2.254\n";
    char text[1024];
    snprintf(text, sizeof(text), "%sat 0 a traceroute 10.0.2.1\n"
             "expect a trace hops 10.0.1.254 10.0.2.1\nexpect no a trace hops 10.0.2.1\n", net);
    fx_lab_holds(text);
    snprintf(text, sizeof(text), "%sat 0 a traceroute 10.0.2.77 max-hops 2 wait 1s probes 1\n"
             "expect a trace hops 10.0.1.254 10.0.1.254\n", net);
    fx_lab_fails(text, "the hops were 10.0.1.254 *");
    snprintf(text, sizeof(text), "%sat 0 a traceroute 10.0.2.1\nexpect a trace hops "
                                 "10.0.1.254\n", net);
    fx_lab_fails(text, "the hops were 10.0.1.254 10.0.2.1");
}

TEST("UDP is asked for what came, its text, and errors")
{
    fx_lab_holds(TWO_HOSTS "at 0 b udp-listen 7 echo\n"
                 "at 1s a udp-send 10.0.0.2:7 \"a\\x41\\n\" count 2 every 1s\n"
                 "at 5s a udp-send 10.0.0.2:99 size 3 connected count 2 every 1s\n"
                 "expect b udp 7 received 2 bytes 6 echoed 2\n"
                 "expect a udp-send 10.0.0.2:7 sent 2 received 2 bytes 6 errors 0\n"
                 "expect a udp-send 10.0.0.2:99 error ECONNREFUSED from 10.0.0.2 errors >= 1\n"
                 "expect a udp error ECONNREFUSED\nexpect no b udp 8 received 1\n");
    fx_lab_fails(TWO_HOSTS "at 0 b udp-listen 7\nat 1s a udp-send 10.0.0.2:7 \"x\"\n"
                 "expect b udp 7 received 1 text \"y\"\n", "1 received, 1 bytes, 0 echoed, text "
                 "\"x\"");
    fx_lab_fails(TWO_HOSTS "at 0 b udp-listen 7 bind 10.0.0.9\nexpect b udp 7 received 1\n",
                 "it could not be opened: 0 received, 0 bytes, 0 echoed, EADDRNOTAVAIL");
    fx_lab_holds(TWO_HOSTS "at 0 b udp-listen 7\nat 0 b udp-listen 7\nexpect b udp 7 error "
                           "EADDRINUSE\n");
}

TEST("a listener that does not read fills its socket")
{
    fx_lab_holds(TWO_HOSTS "at 0 b udp-listen 7 unread rcvbuf 4096\n"
                 "at 1s a udp-send 10.0.0.2:7 size 1000 count 20 every 1ms\n"
                 "at 2s expect b socket 7 waiting >= 1 dropped >= 1\n"
                 "at 3s b udp-close 7\n"
                 "expect drop SOCK_RCVBUF at b\nexpect drop SOCK_CLOSED at b\nexpect quiet\n");
}

TEST("tables are asked for, and show what they hold when it is something else")
{
    static const char net[] = TWO_HOSTS "at 0 a ping 10.0.0.2\n";
    static const struct {
        const char *good, *bad, *seen;
    } asked[] = {
        {"expect a neigh 10.0.0.2 reachable mac $b.eth0 dev eth0\n",
         "expect a neigh 10.0.0.2 stale\n", "there is reachable 02:00:00:00:02:01"},
        {"expect no a neigh 10.0.0.3\n", "expect a neigh 10.0.0.3\n", "there is no entry for it"},
        {"expect a addr 10.0.0.1 preferred static\n", "expect a addr 10.0.0.1 tentative\n",
         "10.0.0.1 preferred static"},
        {"expect a addr 10.0.0.0/8\n", "expect a addr 11.0.0.0/8\n", "there is 10.0.0.1 preferred"},
        {"expect a route 10.0.0.0/24 connected\n", "expect a route default via 10.0.0.2\n",
         "10.0.0.0/24 connected"},
        {"expect no a group 239.0.0.1\n", "expect a group 239.0.0.1\n", "there is no member of it"},
        {"expect no a pmtu 10.0.0.2\n", "expect a pmtu 10.0.0.2 1400\n", "no path MTU known"},
        {"expect a socket 9 none\n", "expect a socket 9\n", "there is no socket on it"},
        {"expect a nat sessions 0\n", "expect a nat sessions 1\n", "there are 0"},
        {"expect a reasm none\n", "expect a reasm count 1\n", "0 datagrams are being put together"},
        {"expect a netif eth0 up mtu 1500\n", "expect a netif eth0 down\n", "it is up, mtu 1500"},
        {"expect quiet\n", "expect no quiet\n", "0 frames are under way"},
    };
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        char text[512];
        snprintf(text, sizeof(text), "%s%s", net, asked[i].good);
        fx_lab_holds(text);
        snprintf(text, sizeof(text), "%s%s", net, asked[i].bad);
        fx_lab_fails(text, asked[i].seen);
    }
}

TEST("a fragment that waits, and a path MTU that was learned, are seen")
{
    fx_lab_holds(PEER_AND_HOST "neigh b 10.0.0.9 02:00:00:00:00:99\n"
                 "at 1s x send \"eth dst=$b.eth0 src=$x.eth0 / ip src=10.0.0.9 dst=10.0.0.1 id=1 "
                 "part=0..800 / udp 1>9 / fill 1600\"\n"
                 "at 2s expect b reasm count 1\nat 2s expect no quiet\nstop 3s\n");
    fx_lab_holds("host a eth0 10.0.1.1/24\nrouter r eth0 10.0.1.254/24 | eth1 10.0.2.254/24 mtu "
                 "1400\n"
                 "host b eth0 10.0.2.1/24 mtu 1400\nlink a.eth0 r.eth0\nlink r.eth1 b.eth0\n"
                 "route a default via 10.0.1.254\nroute b default via 10.0.2.254\n"
                 "at 0 a udp-send 10.0.2.1:9 size 1450 df connected count 2 every 1s\n"
                 "expect a pmtu 10.0.2.1 1400\nexpect a udp-send error EMSGSIZE\n");
}

TEST("a checker that speaks ends the lab")
{
    struct fx_lab fx;
    EXPECT(fx_lab_parse(&fx, TWO_HOSTS PING, NULL, 0));
    EXPECT(fx_lab_build(&fx));
    lab_start(fx.lab);
    fx.lab->w->sent++;                          /* as if a packet had got lost without a reason */
    lab_run(fx.lab, ORIEL_NEVER);
    EXPECT(!lab_finish(fx.lab));
    EXPECT(strstr(fx.lab->troubles[0].text, "packets are not conserved"));
    EXPECT(lab_over(fx.lab));
    fx.lab->w->sent--;
    fx_lab_fini(&fx);
}

TEST("results and troubles are printed with file, line and statement")
{
    struct fx_lab fx;
    char buf[512];
    fx_lab_run(&fx, TWO_HOSTS "expect a ping received 1   # a comment\nat 0 a udp-close 3\n");
    struct txt t = txt_of(buf, sizeof(buf));
    lab_print_result(&t, fx.lab, &fx.lab->results[0]);
    EXPECT_STR(buf, "t.lab:4: expect a ping received 1\n"
                    "    but nothing of that kind was started there");
    t = txt_of(buf, sizeof(buf));
    lab_print_trouble(&t, fx.lab, &fx.lab->troubles[0]);
    EXPECT_STR(buf, "t.lab:5: at 0 a udp-close 3: there is no such thing");
    fx_lab_fini(&fx);
}
