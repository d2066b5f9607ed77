#include "ip/fx_host.h"

#define PING  "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo id=1 seq=1 / fill 8"
#define PONG  "icmp.type == 0 && ip.src == 10.0.0.1 && ip.dst == 10.0.0.2"
#define TO    "ip src=10.0.0.2 dst=10.0.0.1 "

static int setopt(struct fx *f, oriel_handle h, enum oriel_opt opt, int64_t value)
{
    return oriel_setopt(f->s, h, opt, value);
}

/* ---- the header ---- */

TEST("a version other than 4 is dropped in silence")
{
    COVERS("1122-3.2.1.1");
    struct fx *f = fx_host();
    for (unsigned v = 0; v < 16; v++)
        if (v != 4)
            EXPECT_DROP(f, IP4_VERSION, fx_in(f, fx_line(TO "version=%u / icmp echo", v)));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("one wrong bit anywhere in the header, and nothing happens")
{
    COVERS("1122-3.2.1.2");
    struct fx *f = fx_host();
    uint8_t frame[64];
    fx_craft(f, f->nif, PING);
    size_t n = f->frame_n;
    memcpy(frame, f->frame, n);
    for (unsigned bit = 14 * 8; bit < 34 * 8; bit++) {
        uint64_t before = fx_drops_all(f);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        fx_in_bytes(f, f->nif, frame, n);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_EQ(fx_drops_all(f), before + 1);
    }
    EXPECT_QUIET(f);
    EXPECT_DROP(f, IP4_CSUM, fx_in(f, TO "badcsum / icmp echo"));
    EXPECT_DROP(f, IP4_CSUM, fx_in(f, TO "csum=0 / icmp echo"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a header that is too short, or longer than the packet, is dropped")
{
    COVERS("791-IHL S1 S4");
    struct fx *f = fx_host();
    for (unsigned ihl = 0; ihl < 5; ihl++)
        EXPECT_DROP(f, IP4_HDR_LEN, fx_in(f, fx_line(TO "ihl=%u / icmp echo / fill 40", ihl)));
    EXPECT_DROP(f, IP4_HDR_LEN, fx_in(f, TO "ihl=15 / icmp echo"));
    EXPECT_DROP(f, IP4_HDR_LEN, fx_in(f, TO "opt=01010101 len=23 / icmp echo / fill 40"));
    EXPECT_DROP(f, IP4_HDR_LEN, fx_in(f, TO "len=19 / icmp echo"));
    EXPECT_DROP(f, IP4_HDR_LEN, fx_in(f, TO "len=0 / icmp echo"));
    EXPECT_DROP(f, IP4_TOTAL_LEN, fx_in(f, TO "len=29 / icmp echo"));
    EXPECT_DROP(f, IP4_TOTAL_LEN, fx_in(f, TO "len=65535 / icmp echo"));
    for (unsigned n = 14; n < 34; n++)
        EXPECT_DROP(f, IP4_SHORT, fx_in(f, fx_line(PING " ; cut %u", n)));
    for (unsigned n = 34; n < 50; n++)
        EXPECT_DROP(f, IP4_TOTAL_LEN, fx_in(f, fx_line(PING " ; cut %u", n)));
    for (unsigned n = 34; n < 38; n++)
        EXPECT_DROP(f, IP4_HDR_LEN, fx_in(f, fx_line(TO "opt=01010101 / icmp echo ; cut %u", n)));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("every header length with every total length is answered once or dropped once")
{
    COVERS("791-IHL INV-1 INV-2");
    static const unsigned lens[] = {0,  1,  19, 20, 21, 23, 24,  27,  28,   29,   36,
                                    59, 60, 61, 67, 68, 69, 100, 101, 1500, 32768, 65535};
    struct fx *f = fx_host();
    for (unsigned ihl = 0; ihl < 16; ihl++) {
        for (unsigned i = 0; i < ARRAY_LEN(lens); i++) {
            for (unsigned words = 0; words <= 10; words += 5) {
                char opts[90];
                snprintf(
                    opts, sizeof(opts), "%s%.*s", words ? "opt=" : "", (int)words * 8,
                    "01010101010101010101010101010101010101010101010101010101010101010101010101"
                    "010101");
                uint64_t before = fx_drops_all(f);
                fx_in(f, fx_line(TO "ihl=%u len=%u %s / icmp echo id=1 seq=1 / fill 40", ihl,
                                 lens[i], opts));
                uint64_t drops = fx_drops_all(f) - before;
                bool answered = fx_out(f);
                EXPECT_EQ(drops + answered, 1);
                EXPECT(!answered || ihl == 5 + words);
            }
        }
    }
    fx_free(f);
}

TEST("the identification of a whole datagram means nothing: ours is zero, theirs is ignored")
{
    COVERS("6864-1 S16");
    struct fx *f = fx_host();
    for (unsigned i = 0; i < 3; i++) {
        fx_in(f, fx_line(TO "id=%u %s / icmp echo", i * 30000, i ? "df" : ""));
        EXPECT_OUT(f,
                   "icmp.type == 0 && ip.id == 0 && ip.flags.df == 1 && ip.checksum.status == 1");
        EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), 1);
        EXPECT_OUT(f, "udp && ip.id == 0 && ip.flags.df == 1");
    }
    fx_free(f);
}

/* ---- addresses ---- */

TEST("what is not addressed to us is dropped, and nothing is said")
{
    COVERS("1122-3.2.1.3b 1122-3.1");
    struct fx *f = fx_router_with(.forward4 = false);   /* two interfaces do not make a router */
    static const char *const others[] = {"10.0.0.3", "10.0.1.3", "192.0.2.1", "10.255.255.255",
                                         "8.8.8.8"};
    for (unsigned i = 0; i < ARRAY_LEN(others); i++)
        EXPECT_DROP(f, IP_NOT_OURS,
                    fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / icmp echo", others[i])));
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip src=10.0.0.2 dst=224.1.2.3 / udp 1>2"));
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip src=10.0.0.2 dst=239.255.255.255 / icmp echo"));
    EXPECT_DROP(f, IP4_DEST, fx_in(f, "ip src=10.0.0.2 dst=0.0.0.0 / icmp echo"));
    EXPECT_DROP(f, IP4_DEST, fx_in(f, "ip src=10.0.0.2 dst=240.0.0.1 / icmp echo"));
    EXPECT_DROP(f, IP4_DEST, fx_in(f, "ip src=10.0.0.2 dst=255.255.255.254 / icmp echo"));
    EXPECT_DROP(f, IP_LOOP, fx_in(f, "ip src=10.0.0.2 dst=127.0.0.1 / icmp echo"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a source that can be nobody's gets no answer of any kind")
{
    COVERS("1122-3.2.1.3c S22");
    static const char *const nobody[] = {"255.255.255.255", "10.0.0.255", "10.0.0.0", "224.0.0.1",
                                         "239.1.2.3", "240.0.0.1", "254.1.2.3", "0.0.0.0",
                                         "10.0.0.1"};
    static const char *const what[] = {"icmp echo", "udp 1>2", "tcp 1>2 flags=S"};
    struct fx *f = fx_host_with(.echo_group = true);
    for (unsigned i = 0; i < ARRAY_LEN(nobody); i++)
        for (unsigned k = 0; k < ARRAY_LEN(what); k++)
            EXPECT_DROP(f, IP4_SOURCE,
                        fx_in(f, fx_line("ip src=%s dst=10.0.0.1 / %s", nobody[i], what[k])));
    EXPECT_DROP(f, IP_LOOP, fx_in(f, "ip src=127.0.0.1 dst=10.0.0.1 / icmp echo"));
    EXPECT_DROP(f, IP_LOOP, fx_in(f, "ip src=127.1.2.3 dst=255.255.255.255 / icmp echo"));
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=10.0.0.1 dst=10.0.0.1 / udp 7>7"));     /* LAND */
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->link.loop.n, 0);
    fx_free(f);
}

TEST("any of our addresses as source is refused on every interface")
{
    COVERS("1122-3.2.1.3c S22");
    struct fx *f = fx_router();
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=10.0.1.1 dst=10.0.0.1 / icmp echo"));
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=10.0.1.1 dst=10.0.1.2 / icmp echo"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("who has no address yet may speak to the link, and to nobody else")
{
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 67);
    fx_in(f, "ip src=0.0.0.0 dst=255.255.255.255 / udp 68>67 / \"x\"");
    EXPECT_EQ(fx_recv(f, h), 1);
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=0.0.0.0 dst=10.0.0.1 / udp 68>67"));
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=0.0.0.0 dst=10.0.0.255 / udp 68>67"));
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, "ip src=0.0.0.0 dst=224.0.0.1 ra / igmp report-v3"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("what we send has one of our own addresses as source, and never a broadcast or group")
{
    COVERS("1122-3.2.1.3a 1122-3.3.6");
    struct fx *f = fx_router();
    oriel_handle h = fx_listen(f, 7);
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_BROADCAST, 1), 0);
    static const char *const to[] = {"10.0.0.2", "10.0.1.2", "10.0.0.255", "255.255.255.255",
                                     "224.0.0.251"};
    for (unsigned i = 0; i < ARRAY_LEN(to); i++) {
        struct oriel_msg m = {.peer = {.addr = fx_addr(to[i]), .port = 9}};
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), 1);
        EXPECT_OUT(f, fx_line("ip.dst == %s && (ip.src == 10.0.0.1 || ip.src == 10.0.1.1)", to[i]));
        static const char *const bad[] = {"10.0.0.255", "255.255.255.255", "224.0.0.1",
                                          "10.0.0.77"};
        for (unsigned k = 0; k < ARRAY_LEN(bad); k++) {
            m.local = fx_addr(bad[k]);
            EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), ORIEL_EADDRNOTAVAIL);
        }
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- broadcasts ---- */

TEST("every form of broadcast is heard, old and new, and leaves in a broadcast frame")
{
    COVERS("1122-3.3.6");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
    static const char *const forms[] = {"255.255.255.255", "10.0.0.255", "10.0.0.0"};
    for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
        fx_in(f, fx_line("eth src=" FX_PEER " dst=ff:ff:ff:ff:ff:ff / "
                         "ip src=10.0.0.2 dst=%s / udp 1>7 / \"x\"", forms[i]));
        EXPECT_EQ(fx_recv(f, h), 1);
        fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / udp 1>7 / \"x\"", forms[i])); /* in any frame */
        EXPECT_EQ(fx_recv(f, h), 1);
        EXPECT_DROP(f, UDP_GROUP_UNJOINED,      /* and a port that is closed stays silent */
                    fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / udp 1>8", forms[i])));
        struct oriel_msg m = {.peer = {.addr = fx_addr(forms[i]), .port = 9}};
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), ORIEL_EACCES);
        EXPECT_EQ(setopt(f, h, ORIEL_OPT_BROADCAST, 1), 0);
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), 1);
        EXPECT_EQ(setopt(f, h, ORIEL_OPT_BROADCAST, 0), 0);
        EXPECT_OUT(f, fx_line("ip.dst == %s && eth.dst == ff:ff:ff:ff:ff:ff && ip.src == 10.0.0.1",
                              forms[i]));
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a packet to one host inside a broadcast frame is dropped; to all or a group it is not")
{
    COVERS("1122-3.3.6L 1122-2.4a");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
#define ALL "eth src=" FX_PEER " dst=ff:ff:ff:ff:ff:ff / "
    EXPECT_DROP(f, IP4_L2_BROADCAST, fx_in(f, ALL TO "/ udp 1>7 / \"x\""));
    EXPECT_DROP(f, IP4_L2_BROADCAST, fx_in(f, ALL TO "/ tcp 1>7 flags=S"));
    EXPECT_DROP(f, IP4_L2_BROADCAST, fx_in(f, ALL "ip src=10.0.0.2 dst=10.0.0.3 / udp 1>7"));
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    EXPECT_DROP(f, UDP_GROUP_UNJOINED, fx_in(f, ALL "ip src=10.0.0.2 dst=224.0.0.1 / udp 1>7"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- time to live, service ---- */

TEST("a TTL of one or zero is enough to be heard by us")
{
    COVERS("1122-3.2.1.7");
    struct fx *f = fx_host();
    for (unsigned ttl = 0; ttl < 3; ttl++) {
        fx_in(f, fx_line(TO "ttl=%u / icmp echo", ttl));
        EXPECT_OUT(f, PONG " && ip.ttl == 64");
    }
    fx_free(f);
}

TEST("the TTL we send is configured, set by sockets and given with a datagram, and never zero")
{
    COVERS("1122-3.2.1.7");
    struct fx *f = fx_host_with(.ttl = 99);
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    EXPECT_EQ(fx_send_n(f, h, 1), 1);
    EXPECT_OUT(f, "ip.ttl == 99");
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_TTL, 1), 0);
    EXPECT_EQ(fx_send_n(f, h, 1), 1);
    EXPECT_OUT(f, "ip.ttl == 1");
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_TTL, 0), 0);       /* the default again */
    EXPECT_EQ(fx_send_n(f, h, 1), 1);
    EXPECT_OUT(f, "ip.ttl == 99");
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_TTL, 256), ORIEL_EINVAL);
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_TTL, -1), ORIEL_EINVAL);
    struct oriel_msg m = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}, .ttl = 7};
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), 1);
    EXPECT_OUT(f, "ip.ttl == 7");
    fx_free(f);
}

TEST("the type of service is set by sockets, and passed up")
{
    COVERS("1122-3.2.1.6");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
    struct oriel_msg m = {.peer = {.addr = fx_addr("10.0.0.2"), .port = 9}};
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_TOS, 0xb8), 0);
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), 1);
    EXPECT_OUT(f, "ip.dsfield == 0xb8");
    m.tos = 0x20;
    EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), 1);
    EXPECT_OUT(f, "ip.dsfield == 0x20");
    fx_in(f, TO "tos=0x2e ttl=33 / udp 1>7");
    EXPECT_EQ(fx_recv_msg(f, h, &m), 0);
    EXPECT_EQ(m.tos, 0x2e);
    EXPECT_EQ(m.ttl, 33);
    fx_in(f, TO "tos=0x2e / icmp echo");
    EXPECT_OUT(f, PONG " && ip.dsfield == 0x2e");
    fx_free(f);
}

/* ---- options ---- */

TEST("options that nobody here knows are ignored, all of them")
{
    COVERS("1122-3.2.1.8a S32 MUST-50");
    struct fx *f = fx_host();
    for (unsigned type = 2; type < 256; type++) {
        if (type == 131 || type == 137)
            continue;
        fx_in(f, fx_line(TO "opt=01%02x0400000001 / icmp echo", type));
        EXPECT_OUT(f, PONG " && ip.hdr_len == 20");
    }
    fx_in(f, TO "opt=00ffffff / icmp echo");            /* what follows the end is no option */
    EXPECT_OUT(f, PONG);
    fx_in(f, TO "opt=01010101 / icmp echo");
    EXPECT_OUT(f, PONG);
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

TEST("the pointer of a record-route or timestamp option may say anything: nothing is written")
{
    COVERS("791-OPT S32");
    struct fx *f = fx_router();
    for (unsigned pointer = 0; pointer < 256; pointer++) {
        fx_in(f, fx_line(TO "opt=070b%02x0000000000000000 / icmp echo", pointer));
        EXPECT_OUT(f, PONG);
        fx_in(f, fx_line(TO "opt=440c%02x010000000000000000 / icmp echo", pointer));
        EXPECT_OUT(f, PONG);
        fx_in(f, fx_line("ip src=10.0.0.2 dst=10.0.1.2 opt=070b%02x0000000000000000 / udp 1>2",
                         pointer));
        EXPECT_OUT(f, "ip.dst == 10.0.1.2 && ip.ttl == 63");
        static const uint8_t zeros[8];
        EXPECT_EQ(fx_l3(f)[22], pointer);
        EXPECT_MEM(fx_l3(f) + 23, zeros, 8);
    }
    fx_free(f);
}

TEST("an option whose length is impossible is dropped, and its sender told where it stands")
{
    COVERS("791-OPT S6 S32");
    static const unsigned lens[] = {0, 1, 255, 7};
    struct fx *f = fx_host();
    for (unsigned type = 2; type < 256; type++) {
        for (unsigned i = 0; i < ARRAY_LEN(lens); i++) {
            fx_run(f, NS_PER_S);
            EXPECT_DROP(
                f, IP4_OPTIONS,
                fx_in(f, fx_line(TO "opt=0101%02x%02x00000000 / icmp echo", type, lens[i])));
            EXPECT_OUT(f, "icmp.type == 12 && icmp.code == 0 && icmp.pointer == 22");
        }
    }
    EXPECT_DROP(f, IP4_OPTIONS, fx_in(f, TO "opt=01010144 / icmp echo"));       /* a type alone */
    EXPECT_OUT(f, "icmp.type == 12 && icmp.pointer == 23");
    EXPECT_WHY(&f->s->env, WHY_ICMP_PARAM_PROBLEM);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("about options of packets that are not for us nothing is said")
{
    struct fx *f = fx_host();
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.3 opt=44000000 / udp 1>2"));
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=10.0.0.1 dst=10.0.0.1 opt=44000000 / udp 1>2"));
    EXPECT_DROP(f, IP4_OPTIONS, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.255 opt=44000000 / udp 1>2"));
    EXPECT_QUIET(f);
    EXPECT_EQ(f->s->link.loop.n, 0);
    fx_free(f);
}

TEST("source-routed packets are refused, whatever their route says, here and on the way")
{
    COVERS("1122-3.2.1.8b S6");
    struct fx *f = fx_router();
    static const unsigned types[] = {131, 137};
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned pointer = 0; pointer < 256; pointer++) {
            EXPECT_DROP(
                f, IP4_SOURCE_ROUTE,
                fx_in(f, fx_line(TO "opt=%02x07%02x0a000102 / icmp echo", types[i], pointer)));
            EXPECT_DROP(f, IP4_SOURCE_ROUTE,
                        fx_in(f, fx_line("ip src=10.0.0.2 dst=10.0.1.2 opt=%02x07%02x0a000102 / "
                                         "icmp echo", types[i], pointer)));
        }
        for (unsigned len = 2; len <= 4; len++)
            EXPECT_DROP(f, IP4_SOURCE_ROUTE,
                        fx_in(f, fx_line(TO "opt=%02x%02x0000 / icmp echo", types[i], len)));
    }
    EXPECT_DROP(f, IP4_SOURCE_ROUTE,            /* two of them, behind something harmless */
                fx_in(f, TO "opt=07070400000000830704010203048907040102030400 / icmp echo"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- protocols ---- */

TEST("a protocol that nobody here speaks is answered with protocol unreachable")
{
    COVERS("1122-3.2.2.1");
    struct fx *f = fx_host();
    for (unsigned proto = 0; proto < 256; proto++) {
        if (proto == 1 || proto == 2 || proto == 4 || proto == 6 || proto == 17 || proto == 41)
            continue;
        fx_run(f, NS_PER_S);
        EXPECT_DROP(f, IP_PROTOCOL, fx_in(f, fx_line(TO "proto=%u / fill 20", proto)));
        EXPECT_OUT(f, "icmp.type == 3 && icmp.code == 2 && ip.dst == 10.0.0.2");
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("tunnels end nowhere here, and nothing inside them is looked at")
{
    COVERS("S5");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
    EXPECT_DROP(f, IP_TUNNEL, fx_in(f, TO "/ ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / \"x\""));
    EXPECT_DROP(f, IP_TUNNEL, fx_in(f, TO "/ ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>7"));
    EXPECT_DROP(f, IP_TUNNEL,
                fx_in(f, TO "/ ip src=10.0.0.2 dst=10.0.0.1 len=9000 ihl=15 / udp 1>7"));
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("frame, IP and inner lengths may all differ, also in fragments: the least one counts")
{
    COVERS("S5");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
    fx_in(f, TO "/ udp 1>7 / fill 16 ; pad 500");
    EXPECT_EQ(fx_recv(f, h), 16);
    fx_in(f, TO "/ udp 1>7 len=16 csum=0 / fill 16 ; pad 500");
    EXPECT_EQ(fx_recv(f, h), 8);
    fx_in(f, TO "id=5 part=0..16 / udp 1>7 len=24 csum=0 / fill 40 ; pad 500");
    fx_in(f, TO "id=5 off=16 proto=udp / hex 0102030405060708090a ; pad 500");
    EXPECT_EQ(fx_recv(f, h), 16);
    EXPECT_DROP(f, UDP_LEN, fx_in(f, TO "/ udp 1>7 len=25 csum=0 / fill 16 ; pad 500"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- sending ---- */

TEST("what is larger than the path is cut, unless the sender forbids it")
{
    COVERS("1122-3.3.3 1122-3.3.2M");
    struct fx *f = fx_host();
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    int64_t mtu;
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &mtu), 0);   /* what can be sent whole */
    EXPECT_EQ(mtu, 1500);
    EXPECT_EQ(fx_send_n(f, h, 1472), 1472);
    EXPECT_OUT(f, "udp && ip.len == 1500 && ip.flags.df == 1");
    EXPECT_EQ(fx_send_n(f, h, 1473), 1473);
    EXPECT_OUT(f,
               "ip.flags.mf == 1 && ip.flags.df == 0 && ip.frag_offset == 0 && ip.len == 1500 && "
               "why == \"FRAGMENT\"");
    EXPECT_OUT(f, "ip.flags.mf == 0 && ip.frag_offset == 185 && ip.len == 21");
    EXPECT_WHY(&f->s->env, WHY_FRAGMENT);
    EXPECT_QUIET(f);
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_DF, 1), 0);
    EXPECT_EQ(fx_send_n(f, h, 1473), ORIEL_EMSGSIZE);
    EXPECT_EQ(fx_send_n(f, h, 1472), 1472);
    EXPECT_OUT(f, "ip.len == 1500 && ip.flags.df == 1");
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_DF, 0), 0);
    EXPECT_EQ(fx_send_n(f, h, 65507), 65507);
    EXPECT_EQ(fx_skip(f), 45);
    EXPECT_EQ(fx_send_n(f, h, 65508), ORIEL_EMSGSIZE);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a raw message that may not be cut and does not fit is dropped, and its sender told at once")
{
    COVERS("1122-3.3.3");
    struct fx *f = fx_host();
    oriel_handle h;
    static uint8_t message[2000] = {8};
    struct oriel_msg m = {.peer = {.addr = fx_addr("10.0.0.2")}};
    EXPECT_EQ(oriel_icmp_open(f->s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(setopt(f, h, ORIEL_OPT_DF, 1), 0);
    EXPECT_DROP(f, IP_TOO_BIG, EXPECT_EQ(oriel_send(f->s, h, message, 1481, &m), ORIEL_EMSGSIZE));
    EXPECT_EQ(oriel_send(f->s, h, message, 1480, &m), 1480);
    EXPECT_OUT(f, "icmp.type == 8 && ip.len == 1500");
    EXPECT_WHY(&f->s->env, WHY_RAW_DATA);
    fx_free(f);
}

TEST("a datagram of any size up to 65,535 bytes is received")
{
    COVERS("1122-3.2.1.4 1122-3.3.2M");
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 7);
    static const unsigned sizes[] = {576 - 28, 1500 - 28, 8000, 65507};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        unsigned whole = sizes[i] + 8;
        for (unsigned at = 0; at < whole; at += 1480) {
            unsigned to = at + 1480 < whole ? at + 1480 : whole;
            fx_in(f, fx_line(TO "id=%u part=%u..%u / udp 1>7 / fill %u", i, at, to, sizes[i]));
        }
        EXPECT_EQ(fx_recv(f, h), sizes[i]);
    }
    fx_free(f);
}

/* ---- forwarding ---- */

#define OVER "ip src=10.0.0.2 dst=10.0.1.2 "

TEST("a router passes packets on with one hop less, and nothing else changed")
{
    COVERS("1122-3.1");
    struct fx *f = fx_router();
    fx_in(f, OVER "ttl=64 id=0x1234 tos=0x10 / udp 1>2 / \"through\"");
    EXPECT_OUT(f, "ip.ttl == 63 && ip.id == 0x1234 && ip.dsfield == 0x10 && ip.src == 10.0.0.2 && "
                  "ip.checksum.status == 1 && udp.checksum.status == 1 && "
                  "eth.src == 02:00:00:00:00:11 && eth.dst == 02:00:00:00:00:22 && "
                  "frame contains \"through\" && why == \"FORWARD\"");
    EXPECT_EQ(f->out_nif, f->nif + 1);
    EXPECT_WHY(&f->s->env, WHY_FORWARD);
    fx_in(f, OVER "ttl=2 opt=94040000 / udp 1>2");      /* options go along */
    EXPECT_OUT(f, "ip.ttl == 1 && ip.hdr_len == 24 && ip.opt.ra == 0");
    fx_in(f, OVER "id=9 part=0..16 / udp 1>2 / fill 100");      /* and fragments as they are */
    EXPECT_OUT(f, "ip.id == 9 && ip.flags.mf == 1 && ip.len == 36");
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

TEST("a packet whose hops are used up is dropped, and its sender told")
{
    struct fx *f = fx_router();
    for (unsigned ttl = 0; ttl < 2; ttl++) {
        EXPECT_DROP(f, IP_TTL, fx_in(f, fx_line(OVER "ttl=%u / udp 1>2", ttl)));
        EXPECT_OUT(f, "icmp.type == 11 && icmp.code == 0 && ip.src == 10.0.0.1 && "
                      "eth.dst == 02:00:00:00:00:02 && why == \"ICMP_TIME_EXCEEDED\"");
    }
    EXPECT_WHY(&f->s->env, WHY_ICMP_TIME_EXCEEDED);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("without a route a packet is dropped, and its sender told")
{
    struct fx *f = fx_router();
    EXPECT_DROP(f, IP_NO_ROUTE, fx_in(f, "ip src=10.0.0.2 dst=192.0.2.1 / udp 1>2"));
    EXPECT_OUT(f, "icmp.type == 3 && icmp.code == 0 && why == \"ICMP_UNREACHABLE\"");
    EXPECT_WHY(&f->s->env, WHY_ICMP_UNREACHABLE);
    fx_free(f);
}

TEST(
    "too large for the next link: cut, or where that is forbidden dropped, with the size that fits")
{
    COVERS("1191-1 1122-3.3.3");
    struct fx *f = fx_router();
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif + 1, 1000), 0);
    EXPECT_DROP(f, IP_TOO_BIG, fx_in(f, OVER "df / udp 1>2 / fill 973"));
    EXPECT_OUT(f,
               "icmp.type == 3 && icmp.code == 4 && icmp.mtu == 1000 && why == \"ICMP_TOO_BIG\"");
    EXPECT_WHY(&f->s->env, WHY_ICMP_TOO_BIG);
    fx_in(f, OVER "df / udp 1>2 / fill 972");
    EXPECT_OUT(f, "ip.len == 1000 && ip.flags.df == 1");
    fx_in(f, OVER "id=77 / udp 1>2 / fill 973");
    EXPECT_OUT(f, "ip.len == 996 && ip.flags.mf == 1 && ip.id == 77");
    EXPECT_OUT(f, "ip.flags.mf == 0 && ip.id == 77 && ip.frag_offset == 122");
    EXPECT_QUIET(f);
    struct oriel_addr to = fx_addr("10.0.1.2");         /* a path's MTU is the sender's business */
    EXPECT_EQ(oriel_netif_set_mtu(f->s, f->nif + 1, 1500), 0);
    EXPECT_EQ(pmtu_lower(&f->s->ip.pmtu, &to, 600, 1500), 600);
    fx_in(f, OVER "df / udp 1>2 / fill 1472");
    EXPECT_OUT(f, "ip.len == 1500");
    fx_free(f);
}

TEST("what may not cross a router does not")
{
    struct fx *f = fx_router();
    static const char *const not_forwarded[] = {
        "ip src=169.254.1.1 dst=10.0.1.2 / udp 1>2",
        "ip src=10.0.0.2 dst=169.254.1.1 / udp 1>2",
        "eth src=" FX_PEER " dst=01:00:5e:00:00:01 / ip src=10.0.0.2 dst=10.0.1.2 / udp 1>2",
    };
    for (unsigned i = 0; i < ARRAY_LEN(not_forwarded); i++)
        EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, not_forwarded[i]));
    EXPECT_DROP(f, IP4_L2_BROADCAST, fx_in(f, ALL OVER "/ udp 1>2"));
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=0.0.0.0 dst=10.0.1.2 / udp 1>2"));
    EXPECT_DROP(f, IP_GROUP, fx_in(f, "ip src=10.0.0.2 dst=239.1.2.3 ttl=9 / udp 1>2"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a directed broadcast for the next link ends here, without a word")
{
    COVERS("1122-3.2.2c S28");
    struct fx *f = fx_router();
    EXPECT_DROP(f, IP_NO_ROUTE, fx_in(f, "ip src=10.0.0.2 dst=10.0.1.255 / icmp echo"));
    EXPECT_DROP(f, IP_NO_ROUTE, fx_in(f, "ip src=10.0.0.2 dst=10.0.1.0 / udp 1>2"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("the broadcast address of another link as source is answered by nobody")
{
    COVERS("1122-3.2.2c S28");
    struct fx *f = fx_router();
    fx_listen(f, 7);
    fx_in(f, "ip src=10.0.1.255 dst=10.0.0.1 / icmp echo id=1 seq=1 / fill 500");
    fx_in(f, "ip src=10.0.1.255 dst=10.0.0.1 / udp 1>99");
    fx_in(f, "ip src=10.0.1.255 dst=192.0.2.1 / udp 1>99");
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_drops_all(f), 3);
    fx_free(f);
}

/* ---- redirects out ---- */

TEST("a router tells nobody of a better first hop unless it is configured to")
{
    struct fx *f = fx_router();
    fx_add_route(f, f->nif, "192.0.2.0/24", "10.0.0.3");
    fx_know(f, f->nif, "10.0.0.3", 3);
    fx_in(f, "ip src=10.0.0.2 dst=192.0.2.1 / udp 1>2");
    EXPECT_OUT(f, "ip.dst == 192.0.2.1 && eth.dst == 02:00:00:00:00:03");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("configured to, it passes the packet on and names the better hop to a sender on its network")
{
    struct fx *f = fx_router_with(.forward4 = true, .send_redirects = true);
    fx_add_route(f, f->nif, "192.0.2.0/24", "10.0.0.3");
    fx_add_route(f, f->nif, "198.51.100.0/24", "10.7.0.3");
    fx_add_addr(f, f->nif, "10.7.0.1/24");
    fx_know(f, f->nif, "10.0.0.3", 3);
    fx_know(f, f->nif, "10.7.0.3", 4);
    fx_know(f, f->nif, "10.7.0.2", 5);
    fx_in(f, "ip src=10.0.0.2 dst=192.0.2.1 / udp 1>2 / \"data\"");
    EXPECT_OUT(f, "icmp.type == 5 && icmp.code == 1 && icmp.redir_gw == 10.0.0.3 && "
                  "ip.src == 10.0.0.1 && ip.dst == 10.0.0.2 && why == \"ICMP_REDIRECT\"");
    EXPECT_WHY(&f->s->env, WHY_ICMP_REDIRECT);
    EXPECT_EQ(fx_l3(f)[28 + 8], 64);            /* it quotes the packet as it came */
    EXPECT_OUT(f, "ip.dst == 192.0.2.1 && ip.ttl == 63");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.3 / udp 1>2"); /* the destination itself is nearer */
    EXPECT_OUT(f, "icmp.type == 5 && icmp.redir_gw == 10.0.0.3");
    EXPECT_OUT(f, "ip.dst == 10.0.0.3");
    fx_in(f, "ip src=10.0.0.2 dst=198.51.100.1 / udp 1>2");     /* a hop on another network */
    EXPECT_OUT(f, "ip.dst == 198.51.100.1");
    fx_in(f, "ip src=10.7.0.2 dst=198.51.100.1 / udp 1>2");     /* and one on the second of ours */
    EXPECT_OUT(f, "icmp.type == 5 && icmp.redir_gw == 10.7.0.3");
    EXPECT_OUT(f, "ip.dst == 198.51.100.1");
    fx_in(f, "ip src=172.16.0.1 dst=192.0.2.1 / udp 1>2");      /* a sender from elsewhere */
    EXPECT_OUT(f, "ip.dst == 192.0.2.1");
    fx_in(f, OVER "/ udp 1>2");                                 /* another link is no detour */
    EXPECT_OUT(f, "ip.dst == 10.0.1.2");
    fx_in(f, "ip src=10.0.0.2 dst=192.0.2.1 / icmp unreachable code=port / "
             "ip src=192.0.2.1 dst=10.0.0.2 / udp 1>2");        /* never about an error */
    EXPECT_OUT(f, "ip.dst == 192.0.2.1");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a redirect that would be needed for every packet is sent at the rate of errors")
{
    COVERS("ICMP-RL");
    struct fx *f = fx_router_with(.forward4 = true, .send_redirects = true, .icmp_per_s = 5);
    fx_add_route(f, f->nif, "192.0.2.0/24", "10.0.0.3");
    fx_know(f, f->nif, "10.0.0.3", 3);
    unsigned redirects = 0;
    for (unsigned i = 0; i < 1000; i++) {
        fx_in(f, "ip src=10.0.0.2 dst=192.0.2.1 / udp 1>2");
        while (fx_out(f))
            redirects += fx_is(f, "icmp.type == 5");
    }
    EXPECT_EQ(redirects, 5);
    fx_free(f);
}

/* ---- several addresses ---- */

TEST("the answer comes from the address that was asked, on one interface or another")
{
    COVERS("1122-3.3.4.2 1122-3.2.2.6");
    struct fx *f = fx_router_with(.forward4 = false);
    fx_add_addr(f, f->nif, "10.0.0.5/24");
    static const char *const ours[] = {"10.0.0.1", "10.0.0.5", "10.0.1.1"};
    oriel_handle h = fx_listen(f, 7);
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
        fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / icmp echo", ours[i]));
        EXPECT_OUT(f, fx_line("icmp.type == 0 && ip.src == %s", ours[i]));
        fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / udp 1>99", ours[i]));
        EXPECT_OUT(f, fx_line("icmp.type == 3 && icmp.code == 3 && ip.src == %s", ours[i]));
        fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / udp 1>7 / \"q\"", ours[i]));
        struct oriel_msg m;
        EXPECT_EQ(fx_recv_msg(f, h, &m), 1);
        EXPECT_EQ(oriel_send(f->s, h, "a", 1, &m), 1);          /* back as it came */
        EXPECT_OUT(f, fx_line("udp && ip.src == %s && ip.dst == 10.0.0.2", ours[i]));
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a strong host takes only what is addressed to the interface it came by")
{
    struct fx *f = fx_router_with(.strong_host = true);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip src=10.0.0.2 dst=10.0.1.1 / icmp echo"));
    fx_in(f, PING);
    EXPECT_OUT(f, PONG);
    EXPECT_EQ(fx_send(f, "10.0.1.1", "x"), 1);          /* among ourselves it makes no difference */
    fx_step(f, f->s->env.now, NULL);
    EXPECT_EQ(fx_drops(f, DROP_IP_NOT_OURS), 1);
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- counting ---- */

TEST("every datagram that is discarded is counted under its reason, where everyone can see it")
{
    COVERS("1122-3.1L");
    struct fx *f = fx_host();
    fx_in(f, TO "badcsum / icmp echo");
    fx_in(f, TO "badcsum / icmp echo");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.0.3 / icmp echo");
    struct oriel_counter_info c;
    uint64_t csum = 0, ours = 0, all = 0;
    for (uint32_t at = 0; oriel_counter_each(f->s, &at, &c);) {
        if (strcmp(c.group, "drop") != 0)
            continue;
        all += c.value;
        csum += strcmp(c.name, "IP4_CSUM") == 0 ? c.value : 0;
        ours += strcmp(c.name, "IP_NOT_OURS") == 0 ? c.value : 0;
    }
    EXPECT_EQ(csum, 2);
    EXPECT_EQ(ours, 1);
    EXPECT_EQ(all, 3);
    fx_free(f);
}

/* ---- what is remembered of addresses ---- */

TEST("two addresses that were found right are looked at again when one of ours comes or goes")
{
    struct fx *f = fx_host();
    struct oriel_addr us = fx_addr("10.0.0.1"), other = fx_addr("10.0.0.9");
    for (unsigned i = 0; i < 3; i++) {
        fx_in(f, PING);
        EXPECT_OUT(f, PONG);
    }
    fx_add_addr(f, f->nif, "10.0.0.9/24");
    fx_in(f, PING);
    EXPECT_OUT(f, PONG);
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &us), 0);
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, PING));
    fx_add_addr(f, f->nif, "10.0.0.2/32");              /* who spoke to us is one of us now */
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, PING));
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &other), 0);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("addresses that were found right on one interface are not so on another")
{
    struct fx *f = fx_router_with(.strong_host = true);
    for (unsigned i = 0; i < 2; i++) {
        fx_in(f, PING);
        EXPECT_OUT(f, PONG);
        EXPECT_DROP(f, IP_NOT_OURS, fx_in_on(f, f->nif + 1, PING));
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("what is remembered of a packet to one host does not excuse a broadcast frame or a wrong header")
{
    struct fx *f = fx_host();
    fx_in(f, PING);
    EXPECT_OUT(f, PONG);
    EXPECT_DROP(f, IP4_L2_BROADCAST, fx_in(f, "eth dst=ff:ff:ff:ff:ff:ff / " PING));
    EXPECT_DROP(f, IP4_CSUM, fx_in(f, TO "badcsum / icmp echo"));
    EXPECT_DROP(f, IP4_TOTAL_LEN, fx_in(f, TO "len=65535 / icmp echo"));
    EXPECT_DROP(f, IP4_VERSION, fx_in(f, TO "version=6 / icmp echo"));
    fx_in(f, TO "opt=01010101 / icmp echo id=1 seq=1 / fill 8");
    EXPECT_OUT(f, PONG);
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- packets whose payload stands in slices ---- */

/* Bytes of a frame behind the link's header, cut at random into a head and slices. */
static struct pkt *in_slices(struct fx *f, struct rng *g, size_t head)
{
    struct env *env = &f->s->env;
    size_t at = 14 + head, n = f->frame_n;
    struct pkt *p = pkt_new_copy(env, PKT_HEADROOM, span_of(f->frame + 14, head));
    while (at < n) {
        size_t part = p->more_n == PKT_SLICES_MAX - 1 ? n - at : 1 + rng_below(g, n - at);
        struct pkt *q = pkt_new_copy(env, 0, span_of(f->frame + at, part));
        p->more[p->more_n++] = slice_share(q->head);
        pkt_free(q);
        at += part;
    }
    p->nif = (uint16_t)f->nif;
    return p;
}

static bool same_rx(const struct ip_rx *a, const struct ip_rx *b)
{
    return addr_identical(&a->src, &b->src) && addr_identical(&a->dst, &b->dst) &&
           a->addrs_sum == b->addrs_sum && a->nif == b->nif && a->payload_len == b->payload_len &&
           a->next_at == b->next_at && a->proto == b->proto && a->ttl == b->ttl &&
           a->tos == b->tos && a->to_group == b->to_group && a->fragmented == b->fragmented;
}

static void same_bytes(const struct pkt *a, const struct pkt *b)
{
    static uint8_t x[2048], y[2048];
    EXPECT_EQ(pkt_len(a), pkt_len(b));
    pkt_read(a, 0, x, pkt_len(a));
    pkt_read(b, 0, y, pkt_len(b));
    EXPECT_MEM(x, y, pkt_len(a));
}

TEST("a packet in slices is what it is in one piece, wherever it is cut")
{
    static const char *const lines[] = {
        TO "/ tcp 1000>80 flags=A / fill 300",
        TO "/ tcp 1000>80 flags=A ts=1,2 / fill 3",
        TO "opt=01010101 / tcp 1000>80 flags=A / fill 20",
        TO "/ tcp 1000>80 flags=A ; cut 70",
        TO "badcsum / tcp 1000>80 flags=A / fill 20",
        TO "len=100 / tcp 1000>80 flags=A / fill 200",
        TO "len=400 / tcp 1000>80 flags=A / fill 200",
        TO "ihl=9 / tcp 1000>80 flags=A / fill 4",
        TO "/ udp 1>2 / fill 100",
        "ip src=10.0.0.2 dst=10.0.0.9 / tcp 1>2 / fill 30",
    };
    struct fx *f = fx_host();
    struct rng g;
    rng_seed(&g, 1, 2);
    for (unsigned i = 0; i < ARRAY_LEN(lines) * 200; i++) {
        struct ip_rx a, b;
        fx_craft(f, f->nif, lines[i % ARRAY_LEN(lines)]);
        size_t whole = f->frame_n - 14;
        struct pkt *p = in_slices(f, &g, whole), *q = in_slices(f, &g, rng_below(&g, whole + 1));
        uint64_t drops[2][DROP_N];
        memcpy(drops[0], f->s->env.drop_count, sizeof(drops[0]));
        enum ip_verdict v = ip4_input(&f->s->ip, &p, &a);
        memcpy(drops[1], f->s->env.drop_count, sizeof(drops[1]));
        EXPECT_EQ(ip4_input(&f->s->ip, &q, &b), v);
        for (unsigned k = 0; k < DROP_N; k++)
            EXPECT_EQ(drops[1][k] - drops[0][k], f->s->env.drop_count[k] - drops[1][k]);
        if (v == IP_CONSUMED)
            continue;
        EXPECT(same_rx(&a, &b));
        EXPECT_EQ(p->l4, q->l4);
        same_bytes(p, q);
        pkt_free(p);
        pkt_free(q);
    }
    fx_free(f);
}

TEST("TCP's payload stays where it is, from the first packet on")
{
    struct fx *f = fx_host();
    struct rng g;
    rng_seed(&g, 1, 2);
    for (unsigned i = 0; i < 4; i++) {
        struct ip_rx rx;
        fx_craft(f, f->nif, i % 2 ? TO "/ tcp 1000>80 flags=A / fill 1000"
                                  : TO "opt=01010101 / tcp 1000>80 flags=A / fill 1000");
        struct pkt *p = in_slices(f, &g, i % 2 ? 40 : 44);
        const struct blk *payload = p->more[0].blk;
        EXPECT_EQ(ip4_input(&f->s->ip, &p, &rx), IP_TO_TCP);
        EXPECT(p->more_n > 0 && p->more[0].blk == payload);
        EXPECT_EQ(rx.payload_len, 1020);
        pkt_free(p);
    }
    fx_free(f);
}
