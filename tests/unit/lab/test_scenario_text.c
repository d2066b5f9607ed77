/*
 * Mistakes in scenarios: for each kind, where it is, what stands there, what could stand there. The
 * messages are compared in full: they are what people see.
 */
#include "fx_lab.h"

#define HOSTS                                                                                      \
    "host a eth0 10.0.0.1/24\n"                                                                    \
    "host b eth0 10.0.0.2/24\n"
#define LINKED HOSTS "link a.eth0 b.eth0\n"
#define PEER                                                                                       \
    "peer x eth0\n"                                                                                \
    "host b eth0 10.0.0.1/24\n"                                                                    \
    "link x.eth0 b.eth0\n"

static const struct {
    const char *text;
    const char *error;          /* behind "t.lab:" */
} mistakes[] = {
    {"hots a\n",
     "1:1: found `hots`, expected a statement: host, router, switch, peer, port, vlan, link, con"
     "fig, route, at, on, expect, ...; did you mean host?"},
    {"\n\n   {\n",
     "3:5: found the end, expected a closing }"},
    {"title Hello\n",
     "1:7: found `Hello`, expected a title in quotes"},
    {"title \"a\" b\n",
     "1:11: found `b`, expected nothing behind the title"},
    {"title \"never closed\n",
     "1:7: found `\"never closed`, expected a closing \" somewhere"},
    {"about\n",
     "1:6: found the end, expected text in quotes"},
    {"covers\n",
     "1:7: found the end, expected the id of a requirement, such as 1122-3.2.2.6"},
    {"seed x\n",
     "1:6: found `x`, expected a whole number"},
    {"seed 1 2\n",
     "1:8: found `2`, expected nothing behind the number"},
    {"stop soon\n",
     "1:6: found `soon`, expected a time such as 0, 100ms, 1.5s or 2m"},
    {"stop 5\n",
     "1:6: found `5`, expected a time such as 0, 100ms, 1.5s or 2m"},
    {"set\n",
     "1:4: found the end, expected the name of a parameter"},
    {"set x\n",
     "1:6: found the end, expected a value"},
    {"set x 1\nset x 2\n",
     "2:5: found `x`, expected a name that is not taken yet"},
    {"set x 1 2\n",
     "1:9: found `2`, expected one value; quotes hold several words together"},
    {"host\n",
     "1:5: found the end, expected a name for the node"},
    {"host a.b\n",
     "1:6: found `a.b`, expected a name of at most 23 characters without a dot"},
    {"host abcdefghijklmnopqrstuvwxyz\n",
     "1:6: found `abcdefghijklmnopqrstuvwxyz`, expected a name of at most 23 characters without "
     "a dot"},
    {HOSTS "host a\n",
     "3:6: found `a`, expected a name that no other node has"},
    {"host a eth0 10.0.0.1\n",
     "1:13: found `10.0.0.1`, expected an address with its prefix length, such as 10.0.0.1/24"},
    {"host a eth0 10.0.0.1/33\n",
     "1:13: found `10.0.0.1/33`, expected an address with its prefix length, such as 10.0.0.1/24"},
    {"host a eth0 nodat\n",
     "1:13: found `nodat`, expected an address, mtu, mac, ip6, ra, probe, nodad, nat, any, igmp, mld,"
     " queue or | and another port; did you mean nodad?"},
    {"host a eth0 mtu\n",
     "1:16: found the end, expected a whole number"},
    {"host a eth0 mtu 10\n",
     "1:17: found `10`, expected a whole number from 68 to 65535"},
    {"host a eth0 igmp 4\n",
     "1:18: found `4`, expected a whole number from 1 to 3"},
    {"host a eth0 mac 1:2\n",
     "1:17: found `1:2`, expected a link address such as 02:00:00:00:00:01"},
    {"host a eth0 | eth0\n",
     "1:15: found `eth0`, expected a name that no other port of the node has"},
    {"host a eth0 |\n",
     "1:14: found the end, expected the name of a port, such as eth0"},
    {"host a lo 10.0.0.1/8\n",
     "1:8: found `lo`, expected a name that no other port of the node has"},
    {"host a averyveryverylongport\n",
     "1:8: found `averyveryverylongport`, expected a name of at most 15 characters"},
    {"peer x\npeer x eth0 10.0.0.1/24\n",
     "2:6: found `x`, expected a name that no other node has"},
    {"peer y eth0 10.0.0.1/24\n",
     "1:13: found `10.0.0.1/24`, expected mac, or | and another port"},
    {"switch s\n",
     "1:9: found the end, expected ports, access PORT vlan N, trunk PORT vlan N,N native N"},
    {"switch s prots p1\n",
     "1:10: found `prots`, expected ports, access PORT vlan N, trunk PORT vlan N,N native N; did"
     " you mean ports?"},
    {"switch s ports\n",
     "1:15: found the end, expected the name of a port"},
    {"switch s ports p1 access p1 vlan 5000\n",
     "1:34: found `5000`, expected a whole number from 1 to 4094"},
    {"switch s trunk p1 vlan 1,x\n",
     "1:24: found `1,x`, expected VLANs such as 10,20: at most 8, from 1 to 4094"},
    {"switch s ports p1\nport s p2\n",
     "2:6: found `s`, expected a host, a router or a peer; a switch names its ports on its own l"
     "ine"},
    {"port q eth0\n",
     "1:6: found `q`, expected the name of a node that stands above"},
    {HOSTS "port a\n",
     "3:7: found the end, expected the name of a port, such as eth0"},
    {HOSTS "vlan a eth0\n",
     "3:8: found `eth0`, expected a name such as eth0.5: the port below, a dot, anything"},
    {HOSTS "vlan a eth1.5 id 5\n",
     "3:8: found `eth1.5`, expected a name such as eth0.5: the port below, a dot, anything"},
    {HOSTS "vlan a eth0.5\n",
     "3:14: found the end, expected id and the number of the VLAN"},
    {HOSTS "vlan a eth0.5 id 0\n",
     "3:18: found `0`, expected a whole number from 1 to 4094"},
    {HOSTS "link a.eth0\n",
     "3:12: found the end, expected a port such as a.eth0"},
    {HOSTS "link a.eth0 c.eth0\n",
     "3:13: found `c.eth0`, expected a port such as a.eth0, of a node that stands above"},
    {HOSTS "link a.eth0 b.eth1\n",
     "3:13: found `b.eth1`, expected a port of b: lo eth0; did you mean eth0?"},
    {HOSTS "link a.eth0 b\n",
     "3:13: found `b`, expected a port such as a.eth0: node, dot, port"},
    {HOSTS "link a.lo b.eth0\n",
     "3:6: found `a.lo`, expected a port that a wire can be plugged into"},
    {LINKED "link a.eth0 b.eth0\n",
     "4:6: found `a.eth0`, expected a port that nothing is plugged into yet"},
    {HOSTS "link a.eth0 b.eth0 los 5%\n",
     "3:20: found `los`, expected loss, delay, jitter, rate, queue, mtu, reorder, gap, dup, corr"
     "upt, cut, burst, lose N, damage N, double N or hold N; did you mean loss?"},
    {HOSTS "link a.eth0 b.eth0 loss 5% delay\n",
     "3:33: found the end, expected a time such as 40ms"},
    {HOSTS "link a.eth0 b.eth0 loss 5% delay fast rate 1mbit\n",
     "3:34: found `fast`, expected a time such as 40ms"},
    {HOSTS "link a.eth0 b.eth0 loss $lost\n",
     "3:26: found `lost`, expected the name of a parameter (set) or a port (node.port)"},
    {"set loss 0%\n" HOSTS "link a.eth0 b.eth0 loss $los\n",
     "4:26: found `los`, expected the name of a parameter (set) or a port (node.port); did you m"
     "ean loss?"},
    {HOSTS "config a strong-hots\n",
     "3:10: found `strong-hots`, expected strong-host, send-redirects, accept-redirects, echo-gr"
     "oup, ttl, memory, connections, icmp-rate or tcp; did you mean strong-host?"},
    {HOSTS "config a ttl 0\n",
     "3:14: found `0`, expected a whole number from 1 to 255"},
    {"peer x eth0\nconfig x ttl 3\n",
     "2:8: found `x`, expected a host or a router, not a scripted peer"},
    {"switch s ports p\nconfig s ttl 3\n",
     "2:8: found `s`, expected a host or a router, not a switch"},
    {HOSTS "config a memory lots\n",
     "3:17: found `lots`, expected a size such as 1500, 64k or 2M"},
    {HOSTS "route c default via 10.0.0.2\n",
     "3:7: found `c`, expected the name of a node that stands above"},
    {HOSTS "route a\n",
     "3:8: found the end, expected an address with its prefix length"},
    {HOSTS "route a default\n",
     "3:16: found the end, expected via and a gateway, or dev and a port"},
    {HOSTS "route a default via\n",
     "3:20: found the end, expected an address"},
    {HOSTS "route a default by 10.0.0.1\n",
     "3:17: found `by`, expected via, dev or metric"},
    {HOSTS "route a 10.0.0.0 via 10.0.0.1\n",
     "3:9: found `10.0.0.0`, expected an address with its prefix length, such as 10.0.0.1/24"},
    {HOSTS "route a default dev eth9\n",
     "3:21: found `eth9`, expected a port of a: lo eth0; did you mean eth0?"},
    {HOSTS "neigh a 10.0.0.9\n",
     "3:17: found the end, expected a link address"},
    {"host a eth0 | eth1\nneigh a 10.0.0.9 02:00:00:00:00:01\n",
     "2:35: found the end, expected dev and a port"},
    {HOSTS "rarp a 02:00:00:00:00:01 x\n",
     "3:26: found `x`, expected an IPv4 or IPv6 address"},
    {HOSTS "at\n",
     "3:3: found the end, expected a time such as 100ms"},
    {HOSTS "at x\n",
     "3:4: found `x`, expected a time such as 0, 100ms, 1.5s or 2m"},
    {HOSTS "at 1s\n",
     "3:6: found the end, expected the name of a node"},
    {HOSTS "at 1s c ping 10.0.0.1\n",
     "3:7: found `c`, expected the name of a node that stands above"},
    {HOSTS "at 1s a pign 10.0.0.2\n",
     "3:9: found `pign`, expected an action: ping, traceroute, udp-listen, udp-send, tcp, addr, "
     "route, neigh, up, down, mtu, vlan, ...; did you mean ping?"},
    {HOSTS "at 1s a ping\n",
     "3:13: found the end, expected an address"},
    {HOSTS "at 1s a ping 10.0.0.2 cuont 3\n",
     "3:23: found `cuont`, expected count, size, interval, wait, ttl, tos, df, df-probe, id, dev"
     ", broadcast or quiet; did you mean count?"},
    {HOSTS "at 1s a ping 10.0.0.2 count 0\n",
     "3:29: found `0`, expected a whole number from 1 to 1000000"},
    {HOSTS "at 1s a traceroute 10.0.0.2 hops 3\n",
     "3:29: found `hops`, expected max-hops, probes, wait, size or icmp"},
    {HOSTS "at 1s a udp-listen\n",
     "3:19: found the end, expected a whole number"},
    {HOSTS "at 1s a udp-listen 7 ehco\n",
     "3:22: found `ehco`, expected echo, sink, unread, reuse, rcvbuf, bind, dev, broadcast, v6on"
     "ly, any, ttl or group; did you mean echo?"},
    {HOSTS "at 1s a udp-listen 7 group 10.0.0.1 on eth0\n",
     "3:28: found `10.0.0.1`, expected a multicast address"},
    {HOSTS "at 1s a udp-listen 7 group 239.0.0.1\n",
     "3:37: found the end, expected on"},
    {HOSTS "at 1s a udp-listen 7 group 239.0.0.1 on eth0 only 1,2\n",
     "3:51: found `1,2`, expected addresses such as 10.0.0.1,10.0.0.2: at most 16"},
    {HOSTS "at 1s a udp-send 10.0.0.2 \"x\"\n",
     "3:18: found `10.0.0.2`, expected an address and a port, such as 10.0.0.1:7 or [fd00::1]:7"},
    {HOSTS "at 1s a udp-send fd00::1:7 \"x\"\n",
     "3:18: found `fd00::1:7`, expected an address and a port, such as 10.0.0.1:7 or [fd00::1]:7"},
    {HOSTS "at 1s a udp-send 10.0.0.2:7\n",
     "3:28: found the end, expected text in quotes, or size and a number of bytes"},
    {HOSTS "at 1s a udp-send 10.0.0.2:7 \"\\q\"\n",
     "3:30: found `\\q`, expected text with \\n \\r \\t \\0 \\\\ \\\" or \\xNN"},
    {HOSTS "at 1s a udp-send 10.0.0.2:7 \"x\" count 3\n",
     "3:40: found the end, expected every TIME"},
    {HOSTS "at 1s a udp-send 10.0.0.2:7 \"x\" form 7\n",
     "3:33: found `form`, expected from, source, count, connected, df, df-probe, ttl, tos, nocsu"
     "m, dev or broadcast; did you mean from?"},
    {HOSTS "at 1s a addr 10.0.0.3/24\n",
     "3:14: found `10.0.0.3/24`, expected add or del"},
    {HOSTS "at 1s a addr add 10.0.0.3/24\n",
     "3:29: found the end, expected dev"},
    {HOSTS "at 1s a route add\n",
     "3:18: found the end, expected an address with its prefix length"},
    {HOSTS "at 1s a mtu eth0 3\n",
     "3:18: found `3`, expected a whole number from 68 to 65535"},
    {HOSTS "at 1s a up\n",
     "3:11: found the end, expected the name of a port"},
    {HOSTS "at 1s a remove eth7\n",
     "3:16: found `eth7`, expected a port of a: lo eth0; did you mean eth0?"},
    {HOSTS "at 1s a send \"eth\"\n",
     "3:9: found `send`, expected another verb: only a scripted peer sends frames"},
    {HOSTS "at 1s link a.eth0 down\n",
     "3:12: found `a.eth0`, expected a port that is plugged in"},
    {LINKED "at 1s link a.eth0\n",
     "4:18: found the end, expected up, down, or what changes, such as loss 10%"},
    {LINKED "at 1s link a.eth0 loss x\n",
     "4:24: found `x`, expected a share such as 2% or 0.02"},
    {LINKED "at 1s link a.eth0 -> a.eth0 loss 1%\n",
     "4:22: found `a.eth0`, expected the port at the other end of that link"},
    {LINKED "at 1s link a.eth0 down now\n",
     "4:24: found `now`, expected the end of the line"},
    {PEER "at 1s x ping 10.0.0.1\n",
     "4:9: found `ping`, expected send"},
    {PEER "at 1s x send\n",
     "4:13: found the end, expected a frame in quotes, such as \"eth dst=... / arp op=reply ..."
     "\""},
    {PEER "at 1s x send \"ip dst=10.0.0.1\"\n",
     "4:15: found `ip dst=10.0.`, expected a frame that begins with eth (or hex)"},
    {PEER "at 1s x send \"eth dst=$b.eth0 / arp opp=reply\"\n",
     "4:46: found the end, expected spa= in this layer"},
    {PEER "at 1s x send \"eth dst=$b.eth0 / arp op={arp.opcod}\"\n",
     "4:41: found `arp.opcod`, expected the name of a field; did you mean arp.opcode?"},
    {PEER "at 1s x send \"eth / fill 10\" count 3\n",
     "4:37: found the end, expected every TIME"},
    {PEER "at 1s x send \"eth / fill 10\" by eth3\n",
     "4:33: found `eth3`, expected a port of x: eth0; did you mean eth0?"},
    {PEER "on b \"arp\" send \"eth\"\n",
     "4:4: found `b`, expected a scripted peer"},
    {PEER "on x arp send \"eth\"\n",
     "4:6: found `arp`, expected a filter in quotes"},
    {PEER "on x \"arpp\" send \"eth\"\n",
     "4:7: found `arpp`, expected a field name; did you mean arp?"},
    {PEER "on x \"arp\" sned \"eth\"\n",
     "4:12: found `sned`, expected send; did you mean send?"},
    {PEER "on x \"arp\" send \"eth / fill 9\" twice\n",
     "4:32: found `twice`, expected once, times or after"},
    {LINKED "expect\n",
     "4:7: found the end, expected quiet, drop NAME at ..., why NAME from ..., ratio NODE tcp ...,"
     " NODE.PORT sees or sends, or a node that stands above"},
    {LINKED "expect something\n",
     "4:8: found `something`, expected quiet, drop NAME at ..., why NAME from ..., ratio NODE tcp"
     " ..., NODE.PORT sees or sends, or a node that stands above"},
    {LINKED "expect c ping received 1\n",
     "4:8: found `c`, expected quiet, drop NAME at ..., why NAME from ..., ratio NODE tcp ..., NO"
     "DE.PORT sees or sends, or a node that stands above"},
    {LINKED "expect a pong received 1\n",
     "4:10: found `pong`, expected ping, trace, udp, udp-send, tcp, resolve, dhcp, neigh, addr, route, group, "
     "pmtu, socket, nat, reasm or netif; did you mean ping?"},
    {LINKED "expect a ping got 1\n",
     "4:15: found `got`, expected received, sent, errors or duplicates"},
    {LINKED "expect a ping received x\n",
     "4:24: found `x`, expected a whole number"},
    {LINKED "expect a ping @0 received 1\n",
     "4:15: found `@0`, expected a number such as @2, for the second one"},
    {LINKED "expect quiet now\n",
     "4:14: found `now`, expected the end of the line"},
    {LINKED "expect drop IP_TLL at a\n",
     "4:13: found `IP_TLL`, expected the name of a reason to drop (drop.def); did you mean IP_TT"
     "L?"},
    {LINKED "expect drop IP_TTL\n",
     "4:19: found the end, expected at"},
    {LINKED "expect drop IP_TTL at x\n",
     "4:23: found `x`, expected the name of a node that stands above"},
    {LINKED "expect drop IP_TTL at a cuont 1\n",
     "4:25: found `cuont`, expected count or none; did you mean count?"},
    {HOSTS "expect drop WIRE_LOSS at link a.eth0\n",
     "3:31: found `a.eth0`, expected a port that is plugged in"},
    {LINKED "expect why ARP_REQEST from a\n",
     "4:12: found `ARP_REQEST`, expected the name of a reason to send (why.def); did you mean AR"
     "P_REQUEST?"},
    {LINKED "expect why ARP_REQUEST\n",
     "4:23: found the end, expected from"},
    {LINKED "expect a.eth0 hears \"arp\"\n",
     "4:15: found `hears`, expected sees or sends"},
    {LINKED "expect a.eth0 sees arp\n",
     "4:20: found `arp`, expected a filter in quotes, or why and a reason"},
    {LINKED "expect a.eth0 sees \"ip.scr == 10.0.0.1\"\n",
     "4:21: found `ip.scr`, expected a field name; did you mean ip.src?"},
    {LINKED "set port 7\nexpect a.eth0 sees \"udp.dstport == $port && ip.scr == 10.0.0.1\"\n",
     "5:45: found `ip.scr`, expected a field name; did you mean ip.src?"},
    {LINKED "expect a.eth0 sees \"arp\" between 1s\n",
     "4:36: found the end, expected a time such as 100ms"},
    {LINKED "expect a.eth0 sees \"arp\" cuont 1\n",
     "4:26: found `cuont`, expected why, lost, count, none, between, after or before; did you me"
     "an count?"},
    {LINKED "expect a.eth0 sends in odrer { \"arp\" }\n",
     "4:24: found `odrer`, expected order; did you mean order?"},
    {LINKED "expect a.eth0 sends in order \"arp\"\n",
     "4:31: found `arp`, expected { and filters in quotes, one for each frame"},
    {LINKED "expect a.eth0 sends in order {\n \"arp\"\n",
     "5:7: found the end, expected a closing }"},
    {LINKED "expect a.eth0 sends in order { arp }\n",
     "4:32: found `arp`, expected a filter in quotes, or }"},
    {LINKED "expect a.lo sees \"arp\"\n",
     "4:8: found `a.lo`, expected a port that a wire is plugged into"},
    {LINKED "at 1s expect a.eth0 sees \"arp\"\n",
     "4:14: found `a.eth0`, expected an expectation about a state; frames have between, after an"
     "d before"},
    {LINKED "expect a trace 10.0.0.2\n",
     "4:24: found the end, expected hops"},
    {LINKED "expect a trace hops x\n",
     "4:21: found `x`, expected an IPv4 or IPv6 address"},
    {LINKED "expect a udp 7\n",
     "4:15: found the end, expected received, bytes, echoed, text or error"},
    {LINKED "expect a udp 7 recieved 1\n",
     "4:16: found `recieved`, expected received, bytes, echoed, text or error; did you mean rece"
     "ived?"},
    {LINKED "expect a udp error ECONREFUSED\n",
     "4:20: found `ECONREFUSED`, expected an error such as ECONNREFUSED, EHOSTUNREACH, ENETUNREA"
     "CH, EMSGSIZE, EACCES"},
    {LINKED "expect a neigh\n",
     "4:15: found the end, expected an address"},
    {LINKED "expect a neigh 10.0.0.2 reachabel\n",
     "4:25: found `reachabel`, expected reachable, stale, delay, probe, incomplete, failed, stat"
     "ic, router, dev or mac; did you mean reachable?"},
    {LINKED "expect a addr 10.0.0.1 prefered\n",
     "4:24: found `prefered`, expected tentative, preferred, deprecated, duplicate, static, auto"
     ", link-local, rarp or dev; did you mean preferred?"},
    {LINKED "expect a route default vai 10.0.0.1\n",
     "4:24: found `vai`, expected via, dev, metric, static, connected, ra or redirect; did you m"
     "ean via?"},
    {LINKED "expect a group 239.0.0.1 inclued\n",
     "4:26: found `inclued`, expected on, include, exclude, sources or members; did you mean inc"
     "lude?"},
    {LINKED "expect a pmtu x\n",
     "4:15: found `x`, expected an IPv4 or IPv6 address"},
    {LINKED "expect a socket x\n",
     "4:17: found `x`, expected a whole number from 0 to 65535"},
    {LINKED "expect a nat 3\n",
     "4:14: found `3`, expected sessions"},
    {LINKED "expect a reasm\n",
     "4:15: found the end, expected none or count"},
    {LINKED "expect a netif eth0 upp\n",
     "4:21: found `upp`, expected up, down or mtu; did you mean up?"},
};

TEST("every mistake is reported with its line and column, what was found and what was expected")
{
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct fx_lab fx;
        bool read = fx_lab_parse(&fx, mistakes[i].text, NULL, 0);
        if (read)
            fail_msg("nothing is wrong with: %s", mistakes[i].text);
        assert_memory_equal(fx.error, "t.lab:", 6);
        EXPECT_STR(fx.error + 6, mistakes[i].error);
        fx_lab_fini(&fx);
    }
}

/* The text, cut anywhere, is read or refused, and nothing else happens. */
TEST("every beginning of a scenario is read or refused")
{
    static const char text[] =
        "title \"t\"\nset d 1ms\n" LINKED "switch s ports p q trunk r vlan 1,2\n"
        "at 0 a ping 10.0.0.2 count 2 every 1s\n";
    char part[sizeof(text)];
    for (size_t n = 0; n < sizeof(text); n++) {
        struct fx_lab fx;
        memcpy(part, text, n);
        part[n] = '\0';
        if (!fx_lab_parse(&fx, part, NULL, 0)) {
            EXPECT(fx.err.line > 0);
            EXPECT(fx.err.at.column > 0);
        }
        fx_lab_fini(&fx);
    }
}

TEST("bytes that are no text are refused with a place")
{
    static const uint8_t raw[] = {'h', 'o', 's', 't', ' ', 0xff, 0x00, 0x80, '\n', '{', '}', 0xc3};
    struct scenario_error err = {.line = 0};
    void *memory = malloc(FX_LAB_BYTES);
    struct arena a;
    arena_init(&a, memory, FX_LAB_BYTES);
    EXPECT(!scenario_parse(&a, span_str("raw"), span_of(raw, sizeof(raw)), NULL, 0, &err));
    EXPECT_EQ(err.line, 2);
    EXPECT_EQ(err.at.column, 1);
    arena_init(&a, memory, FX_LAB_BYTES);
    free(memory);
}

TEST("an arena that is too small is said to be, at every size")
{
    void *memory = malloc(FX_LAB_BYTES);
    for (size_t n = 0; n < (size_t)3 << 20; n += 65521) {
        struct scenario_error err = {.line = 0};
        struct arena a;
        arena_init(&a, memory, n);
        struct scenario *s = scenario_parse(&a, span_str("t"), span_str(LINKED), NULL, 0, &err);
        const struct lab_options none = {.check = true};
        if (s)
            EXPECT(!lab_build(&a, s, &none, &err));
        EXPECT(err.at.column > 0);
        EXPECT(err.at.expected[0] != '\0');
    }
    struct arena whole;
    arena_init(&whole, memory, FX_LAB_BYTES);
    free(memory);
}

TEST("a statement goes on behind a backslash, inside quotes and braces, and on a line of text")
{
    struct fx_lab fx;
    EXPECT(fx_lab_parse(&fx, "about \"one\"\n    'two'  # and a comment\n"
                             "host a \\\n   eth0 \\  \n 10.0.0.1/24 # with one address\n"
                             "covers 826-1 \\\n 791-2\n", NULL, 0));
    EXPECT_EQ(fx.s->about_n, 2);
    EXPECT(span_is(fx.s->about[1], "two"));
    EXPECT_EQ(fx.s->covers_n, 2);
    EXPECT_EQ(fx.s->ports[1].addrs_n, 1);
    fx_lab_fini(&fx);
}

TEST("parameters are replaced in words and in quotes, and not in single quotes")
{
    struct fx_lab fx;
    EXPECT(fx_lab_parse(&fx, "set n 10.0.0\nset who \"you and me\"\nhost a eth0 $n.1/24\n"
                             "title \"a is ${who}, $a.eth0, $ 5\"\nabout '$n \\\"'\n", NULL, 0));
    EXPECT(span_is(fx.s->title, "a is you and me, 02:00:00:00:01:01, $ 5"));
    EXPECT(span_is(fx.s->about[0], "$n \\\""));
    EXPECT_EQ(addr_to_v4(&fx.s->ports[1].addrs[0].addr), 0x0a000001);
    fx_lab_fini(&fx);
}

TEST("a parameter can be set from outside, but only one that there is")
{
    const struct sc_param good = {span_str("loss"), span_str("7%")};
    const struct sc_param bad = {span_str("lsos"), span_str("7%")};
    static const char text[] = "set loss 1%\n" HOSTS "link a.eth0 b.eth0 loss $loss\n";
    struct fx_lab fx;
    EXPECT(fx_lab_parse(&fx, text, &good, 1));
    EXPECT_EQ(fx.s->links[0].params.impair.loss, 70000);
    fx_lab_fini(&fx);
    EXPECT(!fx_lab_parse(&fx, text, &bad, 1));
    EXPECT_STR(fx.error, "t.lab: found `lsos`, expected a parameter that the scenario sets; did "
                         "you "
                         "mean loss?");
    fx_lab_fini(&fx);
}

TEST("times have units")
{
    static const struct {
        const char *text;
        oriel_time ns;
    } good[] = {
        {"0", 0}, {"1ns", 1}, {"250us", 250000}, {"1.5ms", 1500000}, {"2s", 2 * NS_PER_S},
        {"1.000000001s", NS_PER_S + 1}, {"2m", 120 * NS_PER_S}, {"1h", 3600 * NS_PER_S},
    };
    static const char *const bad[] = {"", "5", "s", "1 s", "1x", "-1s", "1.s5",
                                     "99999999999999999999s"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        char text[80];
        struct txt t = txt_of(text, sizeof(text));
        struct fx_lab fx;
        txt_s(&t, "stop ");
        txt_s(&t, good[i].text);
        EXPECT(fx_lab_parse(&fx, text, NULL, 0));
        EXPECT(fx.s->stop == good[i].ns);
        fx_lab_fini(&fx);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[80];
        struct txt t = txt_of(text, sizeof(text));
        struct fx_lab fx;
        txt_s(&t, "stop ");
        txt_s(&t, bad[i]);
        EXPECT(!fx_lab_parse(&fx, text, NULL, 0));
        fx_lab_fini(&fx);
    }
}
