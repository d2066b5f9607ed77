#include "ip/fx_host.h"

#define US     "2001:db8::1"
#define TO     "ip6 src=2001:db8::2 dst=2001:db8::1 "
#define OVER   "ip6 src=2001:db8::2 dst=2001:db8:1::2 "
#define ECHO   "icmp6 echo id=1 seq=1"
#define PONG   "icmpv6.type == 129 && ipv6.src == 2001:db8::1 && ipv6.dst == 2001:db8::2"

/* ---- the header ---- */

TEST("a version other than 6 is dropped in silence")
{
    COVERS("8200-1");
    struct fx *f = fx_host();
    for (unsigned v = 0; v < 16; v++)
        if (v != 6)
            EXPECT_DROP(f, IP6_VERSION, fx_in(f, fx_line(TO "version=%u / " ECHO, v)));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a payload longer than the frame is dropped, and what is beyond it ignored")
{
    COVERS("8200-1 S1 S5");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
    for (unsigned cut = 14; cut < 54; cut++)
        EXPECT_DROP(f, IP6_SHORT, fx_in(f, fx_line(TO "/ " ECHO " ; cut %u", cut)));
    for (unsigned cut = 54; cut < 62; cut++)
        EXPECT_DROP(f, IP6_PAYLOAD_LEN, fx_in(f, fx_line(TO "/ " ECHO " ; cut %u", cut)));
    EXPECT_DROP(f, IP6_PAYLOAD_LEN, fx_in(f, TO "len=9 / " ECHO));
    EXPECT_DROP(f, IP6_PAYLOAD_LEN, fx_in(f, TO "len=65535 / " ECHO));
    EXPECT_DROP(f, ICMP_SHORT, fx_in(f, TO "len=0 / " ECHO));
    fx_in(f, TO "/ udp 1>7 / \"abc\" ; pad 300");
    EXPECT_EQ(fx_recv(f, h), 3);
    EXPECT_DROP(f, UDP_LEN, fx_in(f, TO "len=10 / udp 1>7 / \"abc\""));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- addresses ---- */

TEST("addresses that may not stand in a packet are dropped, whoever they are for")
{
    COVERS("4291-1 S22");
    struct fx *f = fx_router();
    static const char *const dsts[] = {US, "2001:db8:1::2"};
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_DROP(f, IP6_SOURCE, fx_in(f, fx_line("ip6 src=ff02::1 dst=%s / " ECHO, dsts[i])));
        EXPECT_DROP(f, IP6_SOURCE, fx_in(f, fx_line("ip6 src=ff0e::1 dst=%s / udp 1>2", dsts[i])));
        EXPECT_DROP(f, IP_LOOP, fx_in(f, fx_line("ip6 src=::1 dst=%s / " ECHO, dsts[i])));
        EXPECT_DROP(f, IP6_SOURCE,
                    fx_in(f, fx_line("ip6 src=2001:db8::1 dst=%s / " ECHO, dsts[i])));
        EXPECT_DROP(f, IP6_SOURCE,
                    fx_in(f, fx_line("ip6 src=2001:db8:1::1 dst=%s / udp 1>2", dsts[i])));
        EXPECT_DROP(f, IP6_MAPPED,              /* ::ffff:10.0.0.2 */
                    fx_in(f, fx_line("ip6 src=2001:db8::2 dst=%s / " ECHO
                                     " ; patch 22=00000000000000000000ffff0a000002", dsts[i])));
    }
    EXPECT_DROP(f, IP_LOOP, fx_in(f, "ip6 src=2001:db8::2 dst=::1 / " ECHO));
    EXPECT_DROP(f, IP6_DEST, fx_in(f, "ip6 src=2001:db8::2 dst=:: / " ECHO));
    EXPECT_DROP(f, IP6_DEST, fx_in(f, "ip6 src=2001:db8::2 dst=ff01::1 / " ECHO));
    EXPECT_DROP(f, IP6_DEST, fx_in(f, "ip6 src=2001:db8::2 dst=ff00::1 / " ECHO));
    EXPECT_DROP(f, IP6_MAPPED,
                fx_in(f, TO "/ " ECHO " ; patch 38=00000000000000000000ffff0a000001"));
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->link.loop.n, 0);
    fx_free(f);
}

TEST("what is not for us is dropped in silence, and two interfaces do not make a router")
{
    COVERS("8200-1 4443-3");
    struct fx *f = fx_router_with(.forward4 = true);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8::3 / udp 1>2"));
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, OVER "/ udp 1>2"));
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip6 src=2001:db8::2 dst=ff02::99 / " ECHO));
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip6 src=2001:db8::2 dst=ff02::2 / " ECHO));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a link-local address belongs to one link: on another it is not ours")
{
    COVERS("4291-1");
    struct fx *f = fx_router_with(.node = 0);
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif + 1, "fe80::2/64");
    fx_know(f, f->nif, fx_line("fe80::9%%%d", f->nif), 9);
    fx_in(f, "ip6 src=fe80::9 dst=fe80::1 / " ECHO);
    EXPECT_OUT(f, "icmpv6.type == 129 && ipv6.src == fe80::1 && ipv6.dst == fe80::9");
    EXPECT_EQ(f->out_nif, f->nif);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip6 src=fe80::9 dst=fe80::2 / " ECHO));
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:1::1 / " ECHO);  /* a global one is (weak host) */
    EXPECT_OUT(f, "icmpv6.type == 129 && ipv6.src == 2001:db8:1::1");
    EXPECT_QUIET(f);
    fx_free(f);
    f = fx_router_with(.strong_host = true);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:1::1 / " ECHO));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- extension headers ---- */

TEST("hop-by-hop options stand first or not at all")
{
    COVERS("8200-2");
    struct fx *f = fx_host();
    fx_in(f, TO "/ hopopts / " ECHO);
    EXPECT_OUT(f, PONG);
    EXPECT_DROP(f, IP6_HOPOPTS_PLACE, fx_in(f, TO "/ dstopts / hopopts / " ECHO));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 1 && icmpv6.pointer == 40");
    EXPECT_DROP(f, IP6_HOPOPTS_PLACE, fx_in(f, TO "/ hopopts / hopopts / " ECHO));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 1 && icmpv6.pointer == 40");
    EXPECT_DROP(f, IP6_HOPOPTS_PLACE, fx_in(f, TO "/ dstopts padn=6 / routing / hopopts / " ECHO));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 1 && icmpv6.pointer == 48");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("other headers come in any order and any number up to eight")
{
    COVERS("8200-2 8200-3 S21");
    static const char *const chains[] = {
        "dstopts / routing / frag / dstopts", "routing / dstopts / dstopts / routing",
        "frag / frag / frag", "hopopts / dstopts / frag / routing / dstopts",
        "dstopts / dstopts / dstopts / dstopts / dstopts / dstopts / dstopts / dstopts",
        "hopopts / frag / frag / frag / frag / frag / frag / frag",
    };
    struct fx *f = fx_host();
    for (unsigned i = 0; i < ARRAY_LEN(chains); i++) {
        fx_in(f, fx_line(TO "/ %s / " ECHO, chains[i]));
        EXPECT_OUT(f, PONG);
    }
    EXPECT_DROP(f, IP6_EXT_COUNT,
                fx_in(f,
                      TO "/ dstopts / dstopts / dstopts / dstopts / dstopts / dstopts / dstopts / "
                         "dstopts / dstopts / " ECHO));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 3");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a thousand chained headers cost no more than eight")
{
    COVERS("8200-3 INV-1");
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW, .no_dad = true, .mtu = 9000});
    static uint8_t b[40 + 1000 * 8] = {0x60, 0, 0, 0, (1000 * 8) >> 8, (1000 * 8) & 0xff, 60, 64};
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    static const uint8_t src[16] = {0x20, 1, 0xd, 0xb8, [15] = 2},
                         dst[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    memcpy(b + 8, src, 16);
    memcpy(b + 24, dst, 16);
    for (unsigned i = 0; i < 1000; i++) {
        b[40 + i * 8] = 60;
        b[40 + i * 8 + 2] = 1;
        b[40 + i * 8 + 3] = 4;
    }
    EXPECT_DROP(f, IP6_EXT_COUNT, fx_in_bytes(f, f->nif, b, sizeof(b)));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 3");
    fx_free(f);
}

TEST("an unknown next header is answered with a pointer to the byte that names it")
{
    COVERS("8200-4");
    struct fx *f = fx_host();
    fx_run(f, 60 * NS_PER_S);
    (void)fx_skip(f);
    f->reports = true;                          /* an error may quote one */
    for (unsigned next = 0; next < 256; next++) {
        if (next == 0 || next == 4 || next == 6 || next == 17 || next == 41 || next == 43 ||
            next == 44 || next == 58 || next == 59 || next == 60)
            continue;
        fx_run(f, NS_PER_S);
        EXPECT_DROP(f, IP_PROTOCOL, fx_in(f, fx_line(TO "next=%u / fill 20", next)));
        EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 1 && icmpv6.pointer == 6");
    }
    EXPECT_DROP(f, IP_PROTOCOL, fx_in(f, TO "/ dstopts next=253 / fill 20"));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 1 && icmpv6.pointer == 40");
    EXPECT_DROP(f, IP_PROTOCOL, fx_in(f, TO "/ dstopts padn=14 / frag next=99 / fill 20"));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 1 && icmpv6.pointer == 56");
    EXPECT_DROP(f, IP_PROTOCOL, fx_in(f, TO "next=1 / icmp echo")); /* ICMP of the other family */
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 1");
    EXPECT_WHY(&f->s->env, WHY_ICMP_PARAM_PROBLEM);
    EXPECT_DROP(f, IP_PROTOCOL, fx_in(f, TO "next=59 / fill 20")); /* nothing follows: no error */
    EXPECT_DROP(f, IP_TUNNEL, fx_in(f, TO "/ ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>2"));
    EXPECT_DROP(f, IP_TUNNEL, fx_in(f, TO "/ ip src=10.0.0.2 dst=10.0.0.1 / udp 1>2"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* What an unknown option asks for, in either header, to one host or to a group. */
TEST("an unknown option says itself what is to be done, in its first two bits")
{
    COVERS("8200-5");
    static const struct {
        unsigned type;
        bool taken, error, error_to_group;
    } acts[] = {
        {0x1e, true, false, false},
        {0x5e, false, false, false},
        {0x9e, false, true, true},
        {0xde, false, true, false},
    };
    struct fx *f = fx_host_with(.echo_group = true);
    for (unsigned i = 0; i < ARRAY_LEN(acts); i++) {
        for (unsigned k = 0; k < 4; k++) {
            bool group = k & 1;
            const char *header = k & 2 ? "dstopts" : "hopopts";
            bool error = group ? acts[i].error_to_group : acts[i].error;
            const char *line = fx_line("ip6 src=2001:db8::2 dst=%s / %s padn=3 opt=%02x00 / " ECHO,
                                       group ? "ff02::1" : US, header, acts[i].type);
            if (acts[i].taken)
                fx_in(f, line);
            else
                EXPECT_DROP(f, IP6_OPTION, fx_in(f, line));
            if (acts[i].taken)
                EXPECT_OUT(f, "icmpv6.type == 129");
            else if (error)
                EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 2 && icmpv6.pointer == 45");
            EXPECT_QUIET(f);
        }
    }
    fx_free(f);
}

TEST("every option number is treated by its first two bits")
{
    COVERS("8200-5");
    struct fx *f = fx_host();
    for (unsigned type = 2; type < 256; type++) {
        if (type == 5)
            continue;
        fx_run(f, NS_PER_S);
        uint64_t before = fx_drops(f, DROP_IP6_OPTION);
        fx_in(f, fx_line(TO "/ dstopts opt=%02x0401020304 / " ECHO, type));
        EXPECT_EQ(fx_drops(f, DROP_IP6_OPTION) - before, type >> 6 != 0);
        if (type >> 6 == 0)
            EXPECT_OUT(f, PONG);
        else if (type >> 6 != 1)
            EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 2 && icmpv6.pointer == 42");
        EXPECT_QUIET(f);
    }
    fx_in(f, TO "/ hopopts ra / " ECHO);                /* a router alert is known */
    EXPECT_OUT(f, PONG);
    EXPECT_DROP(f, IP6_OPTION,
                fx_in(f, TO "/ hopopts jumbo=70000 / " ECHO)); /* a jumbogram is not */
    fx_free(f);
}

TEST("pads of any length are skipped, and an option may not be longer than its header")
{
    COVERS("8200-6 S1");
    struct fx *f = fx_host();
    fx_in(f, TO "/ dstopts pad1 pad1 pad1 pad1 pad1 pad1 / " ECHO);
    EXPECT_OUT(f, PONG);
    for (unsigned n = 2; n < 100; n += 7) {
        fx_in(f, fx_line(TO "/ hopopts padn=%u / " ECHO, n));
        EXPECT_OUT(f, PONG);
    }
    for (unsigned len = 5; len < 256; len += 50) {
        fx_run(f, NS_PER_S);
        EXPECT_DROP(f, IP6_OPTION_LEN,
                    fx_in(f, fx_line(TO "/ dstopts opt=1e%02x00000000 / " ECHO, len)));
        EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0");
        EXPECT_DROP(f, IP6_OPTION_LEN,
                    fx_in(f, fx_line(TO "/ dstopts opt=01%02x00000000 / " ECHO, len)));
        EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0");
    }
    EXPECT_DROP(f, IP6_OPTION_LEN,
                fx_in(f, TO "/ dstopts opt=00000000001e / " ECHO)); /* no length */
    EXPECT_OUT(f, "icmpv6.type == 4");
    EXPECT_DROP(f, IP6_EXT_COUNT,               /* seventeen pads of one byte */
                fx_in(f, TO "/ dstopts opt=00000000000000000000000000000000000000000000 / " ECHO));
    EXPECT_OUT(f, "icmpv6.type == 4");
    EXPECT_DROP(f, IP6_SHORT, fx_in(f, TO "len=8 / dstopts len=1 / " ECHO));
    EXPECT_DROP(f, IP6_SHORT, fx_in(f, TO "/ dstopts len=255 / " ECHO));
    EXPECT_DROP(f, IP6_SHORT, fx_in(f, TO "len=1 next=60 / fill 1"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a routing header is skipped when it is used up, and refused otherwise, type 0 like any other")
{
    COVERS("8200-7");
    struct fx *f = fx_router();
    for (unsigned type = 0; type < 6; type++) {
        fx_in(f, fx_line(TO "/ routing type=%u segleft=0 via=2001:db8:1::2 / " ECHO, type));
        EXPECT_OUT(f, PONG);
        EXPECT_DROP(
            f, IP6_ROUTING,
            fx_in(f, fx_line(TO "/ routing type=%u segleft=1 via=2001:db8:1::2 / " ECHO, type)));
        EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0 && icmpv6.pointer == 42");
        EXPECT_DROP(f, IP6_ROUTING,
                    fx_in(f, fx_line(TO "/ routing type=%u segleft=255 / " ECHO, type)));
        EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0 && icmpv6.pointer == 42");
    }
    EXPECT_QUIET(f);                            /* and nothing was sent along the route */
    fx_free(f);
}

/* ---- fragments, as far as their errors go ---- */

#define FRAG(first, second) TO "/ frag id=7 " first " / " second

TEST("a fragment that cannot be one is refused, and its sender told which field is wrong")
{
    COVERS("8200-9 8200-10 S20");
    struct fx *f = fx_host();
    EXPECT_DROP(f, FRAG_LEN, fx_in(f, FRAG("mf next=udp", "fill 17")));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0 && icmpv6.pointer == 4");
    EXPECT_DROP(f, FRAG_LEN, fx_in(f, FRAG("mf off=800 next=udp", "fill 17")));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0 && icmpv6.pointer == 4");
    EXPECT_DROP(f, FRAG_BEYOND, fx_in(f, FRAG("off=65528 next=udp", "fill 8")));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0 && icmpv6.pointer == 42");
    EXPECT_DROP(f, FRAG_BEYOND,                 /* headers before it count, too */
                fx_in(f, TO "/ dstopts / frag id=8 off=65528 next=udp / fill 7"));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0 && icmpv6.pointer == 50");
    EXPECT_DROP(f, FRAG_LEN, fx_in(f, FRAG("off=800 next=udp", "fill 0"))); /* empty: no field */
    EXPECT_DROP(f, FRAG_LEN,
                fx_in(f, FRAG("mf off=800 next=icmp6", "fill 17"))); /* an error, perhaps */
    EXPECT_DROP(f, IP6_SHORT, fx_in(f, TO "/ frag mf / fill 8 ; cut 61 ; patch 18=0007"));
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->ip.frag.recs.live, 0);
    fx_free(f);
}

TEST("the first fragment holds every header, or the datagram ends there")
{
    COVERS("7112-1 S21");
    struct fx *f = fx_host();
    EXPECT_DROP(f, IP6_FRAG_CHAIN, fx_in(f, FRAG("mf next=60", "hex 3c00010400000000")));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 3 && icmpv6.pointer == 0");
    EXPECT_DROP(f, IP6_FRAG_CHAIN, fx_in(f, FRAG("mf next=60", "hex 1101010400000000")));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 3");
    EXPECT_DROP(f, IP6_FRAG_CHAIN, fx_in(f, FRAG("mf next=tcp", "fill 16")));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 3");
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->ip.frag.recs.live, 0);
    fx_in(f, FRAG("mf next=udp", "fill 8"));            /* eight bytes are all of UDP's */
    fx_in(f, TO "/ frag id=8 mf next=60 / hex 1100010400000000 0102030405060708");
    fx_in(f, TO "/ frag id=9 off=8 mf next=60 / hex 3c00010400000000");     /* not the first */
    EXPECT_EQ(f->s->ip.frag.recs.live, 3);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("an atomic fragment is a datagram of its own, and meets no other with its number")
{
    COVERS("6946-1 S21");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
    fx_in(f, TO "/ frag id=7 part=0..16 / udp 1>7 / fill 24");
    EXPECT_EQ(f->s->ip.frag.recs.live, 1);
    fx_in(f, TO "/ frag id=7 / udp 1>7 / \"whole\"");
    EXPECT_EQ(fx_recv(f, h), 5);
    EXPECT_EQ(f->s->ip.frag.recs.live, 1);
    fx_in(f, TO "/ frag id=7 part=16..32 / udp 1>7 / fill 24");
    EXPECT_EQ(fx_recv(f, h), 24);
    fx_in(f, TO "/ frag id=7 / " ECHO);
    EXPECT_OUT(f, PONG);
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

TEST("headers inside a reassembled datagram are walked like those before it")
{
    COVERS("8200-2 8200-12");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
#define WHOLE "/ dstopts / udp 1>7 / fill 1452"
    fx_in(f, TO "/ hopopts / frag id=7 part=0..800 " WHOLE);
    fx_in(f, TO "/ hopopts / frag id=7 part=800..1468 " WHOLE);
    EXPECT_EQ(fx_recv(f, h), 1452);
    fx_in(f, TO "/ frag id=8 part=0..40 / dstopts opt=9e0401020304 / udp 1>7 / fill 64");
    EXPECT_DROP(f, IP6_OPTION, fx_in(f, TO "/ frag id=8 part=40..80 / dstopts opt=9e0401020304 / "
                                           "udp 1>7 / fill 64"));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 2 && icmpv6.pointer == 42");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("what is larger than the path leaves in fragments with a header between")
{
    COVERS("8200-12");
    struct fx *f = fx_host();
    oriel_handle h = fx_connected(f, 5, "2001:db8::2", 9);
    EXPECT_EQ(fx_send_n(f, h, 1452), 1452);
    EXPECT_OUT(f, "udp && ipv6.plen == 1460 && !ipv6.fraghdr");
    EXPECT_EQ(fx_send_n(f, h, 1453), 1453);
    EXPECT_OUT(f, "ipv6.fraghdr && ipv6.fraghdr.more == 1 && ipv6.nxt == 44 && frame.len <= 1514");
    EXPECT_OUT(f, "ipv6.fraghdr && ipv6.fraghdr.more == 0");
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_DF, 1), 0);
    EXPECT_EQ(fx_send_n(f, h, 1453), ORIEL_EMSGSIZE);
    EXPECT_EQ(oriel_setopt(f->s, h, ORIEL_OPT_DF, 0), 0);
    EXPECT_EQ(fx_send_n(f, h, 65527), 65527);
    EXPECT(fx_skip(f) > 44);
    EXPECT_EQ(fx_send_n(f, h, 65528), ORIEL_EMSGSIZE);
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- forwarding ---- */

TEST("a router passes packets on with one hop less, and nothing else changed")
{
    struct fx *f = fx_router();
    fx_in(f, OVER "hlim=64 tclass=0xb8 flow=0x12345 / udp 1>2 / \"through\"");
    EXPECT_OUT(f, "ipv6.hlim == 63 && ipv6.tclass == 0xb8 && ipv6.flow == 0x12345 && "
                  "udp.checksum.status == 1 && eth.dst == 02:00:00:00:00:22 && "
                  "frame contains \"through\" && why == \"FORWARD\"");
    EXPECT_EQ(f->out_nif, f->nif + 1);
    fx_in(f, OVER "/ routing segleft=3 via=2001:db8:1::9 / udp 1>2");   /* not ours to look at */
    EXPECT_OUT(f, "ipv6.routing.segleft == 3");
    fx_in(f, OVER "/ frag id=1 off=800 / fill 8");
    EXPECT_OUT(f, "ipv6.fraghdr");
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

TEST("hop-by-hop options are looked at on the way, and others are not")
{
    COVERS("8200-5");
    struct fx *f = fx_router();
    fx_in(f, OVER "/ hopopts opt=1e00 / udp 1>2");
    EXPECT_OUT(f, "ipv6.dst == 2001:db8:1::2 && ipv6.hopopts");
    EXPECT_DROP(f, IP6_OPTION, fx_in(f, OVER "/ hopopts opt=9e00 / udp 1>2"));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 2 && icmpv6.pointer == 42");
    EXPECT_DROP(f, IP6_OPTION, fx_in(f, OVER "/ hopopts opt=5e00 / udp 1>2"));
    EXPECT_DROP(f, IP6_OPTION_LEN, fx_in(f, OVER "/ hopopts opt=1eff00000000 / udp 1>2"));
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 0");
    fx_in(f, OVER "/ dstopts opt=9e00 / udp 1>2");
    EXPECT_OUT(f, "ipv6.dst == 2001:db8:1::2 && ipv6.dstopts");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("why a packet cannot be forwarded is told to its sender")
{
    struct fx *f = fx_router();
    for (unsigned hlim = 0; hlim < 2; hlim++) {
        EXPECT_DROP(f, IP_TTL, fx_in(f, fx_line(OVER "hlim=%u / udp 1>2", hlim)));
        EXPECT_OUT(f, "icmpv6.type == 3 && icmpv6.code == 0 && ipv6.src == 2001:db8::1");
    }
    EXPECT_DROP(f, IP_NO_ROUTE, fx_in(f, "ip6 src=2001:db8::2 dst=2600::1 / udp 1>2"));
    EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 0");
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif + 1, 1280), 0);
    EXPECT_DROP(f, IP_TOO_BIG, fx_in(f, OVER "/ udp 1>2 / fill 1233"));
    EXPECT_OUT(f, "icmpv6.type == 2 && icmpv6.mtu == 1280 && why == \"ICMP_TOO_BIG\"");
    fx_in(f, OVER "/ udp 1>2 / fill 1232");
    EXPECT_OUT(f, "ipv6.dst == 2001:db8:1::2");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("no address leaves its scope through a router")
{
    COVERS("4291-1");
    struct fx *f = fx_router();
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_know(f, f->nif, fx_line("fe80::9%%%d", f->nif), 9);
    EXPECT_DROP(f, IP6_SCOPE, fx_in(f, "ip6 src=fe80::9 dst=2001:db8:1::2 / udp 1>2"));
    EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 2 && ipv6.dst == fe80::9");
    EXPECT_DROP(f, IP6_SCOPE, fx_in(f, "ip6 src=2001:db8::2 dst=fe80::77 / udp 1>2"));
    (void)fx_skip(f);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip6 src=:: dst=2001:db8:1::2 / udp 1>2"));
    EXPECT_DROP(f, IP_NOT_OURS,
                fx_in(f, "eth src=" FX_PEER " dst=33:33:00:00:00:01 / " OVER "/ udp 1>2"));
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip6 src=2001:db8::2 dst=ff0e::99 / udp 1>2"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- packets whose payload stands in slices ---- */

static struct pkt *in_two(struct fx *f, size_t head)
{
    struct env *env = &f->s->env;
    struct pkt *p = pkt_new_copy(env, PKT_HEADROOM, span_of(f->frame + 14, head));
    struct pkt *q = pkt_new_copy(env, 0, span_of(f->frame + 14 + head, f->frame_n - 14 - head));
    if (q->head.len > 0)
        p->more[p->more_n++] = slice_share(q->head);
    pkt_free(q);
    p->nif = (uint16_t)f->nif;
    return p;
}

TEST("a packet in two slices is what it is in one piece, wherever it is cut")
{
    static const char *const lines[] = {
        "ip6 src=2001:db8::2 dst=2001:db8::1 / tcp 1>2 / fill 40",
        "ip6 src=2001:db8::2 dst=2001:db8::1 len=30 / tcp 1>2 / fill 40",
        "ip6 src=2001:db8::2 dst=2001:db8::1 len=90 / tcp 1>2 / fill 40",
        "ip6 src=2001:db8::2 dst=2001:db8::1 / dstopts opt=1e0401020304 / tcp 1>2 / fill 40",
        "ip6 src=2001:db8::2 dst=2001:db8::1 / frag id=2 / tcp 1>2 / fill 40",
        "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>2 / fill 40",
        "ip6 src=2001:db8::2 dst=2001:db8::9 / tcp 1>2 / fill 40",
    };
    struct fx *f = fx_host();
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        fx_craft(f, f->nif, lines[i]);
        for (size_t head = 0; head <= f->frame_n - 14; head++) {
            struct ip_rx a, b;
            struct pkt *p = in_two(f, f->frame_n - 14), *q = in_two(f, head);
            uint64_t before = fx_drops_all(f);
            enum ip_verdict v = ip6_input(&f->s->ip, &p, &a);
            uint64_t dropped = fx_drops_all(f) - before;
            EXPECT_EQ(ip6_input(&f->s->ip, &q, &b), v);
            EXPECT_EQ(fx_drops_all(f) - before, 2 * dropped);
            if (v == IP_CONSUMED)
                continue;
            EXPECT(addr_identical(&a.src, &b.src) && addr_identical(&a.dst, &b.dst));
            EXPECT(a.proto == b.proto && a.payload_len == b.payload_len && a.next_at == b.next_at);
            EXPECT(a.addrs_sum == b.addrs_sum && a.fragmented == b.fragmented);
            EXPECT_EQ(p->l4, q->l4);
            EXPECT_EQ(pkt_len(p), pkt_len(q));
            EXPECT(q->more_n == 0 || a.proto == IP_TCP);
            EXPECT(i != 0 || head < 40 || head == pkt_len(p) || q->more_n == 1);
            pkt_free(p);
            pkt_free(q);
        }
    }
    fx_free(f);
}
