#include "ip/fx_host.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"

#define TO4    "ip src=10.0.0.2 dst=10.0.0.1 "
#define TO6    "ip6 src=2001:db8::2 dst=2001:db8::1 "
#define ERR4   "ip src=10.0.0.9 dst=10.0.0.1 / icmp "
#define ERR6   "ip6 src=2001:db8::9 dst=2001:db8::1 / icmp6 "
/* What our socket of port 5 sent to port 9 of its peer, as a router quotes it. */
#define OURS4  " / ip src=10.0.0.1 dst=10.0.0.2 / udp 5>9 / fill 20"
#define OURS6  " / ip6 src=2001:db8::1 dst=2001:db8::2 / udp 5>9 / fill 20"

static oriel_handle raw(struct fx *f, enum oriel_family family)
{
    oriel_handle h;
    assert_int_equal(oriel_icmp_open(f->s, family, &h), 0);
    return h;
}

static struct oriel_error_info last_error(struct fx *f, oriel_handle h)
{
    struct oriel_error_info e;
    assert_int_equal(oriel_last_error(f->s, h, &e), 0);
    return e;
}

/* ---- what arrives ---- */

TEST("every type is answered, handed up, or dropped under its name; most are dropped")
{
    COVERS("1122-3.2.2a 1122-3.2.2.9 6633-1");
    struct fx *f = fx_host();
    for (unsigned type = 0; type < 256; type++) {
        const char *gateway = type == 5 ? "gateway=10.0.0.3" : "";
        const char *line = fx_line(TO4 "/ icmp type=%u %s / fill 28", type, gateway);
        switch (type) {
        case 8:
            fx_in(f, line);
            EXPECT_OUT(f, "icmp.type == 0");
            break;
        case 0:
            EXPECT_DROP(f, RAW_NO_SOCKET, fx_in(f, line));
            break;
        case 3:
        case 11:
        case 12:
            EXPECT_DROP(f, ICMP_QUOTE, fx_in(f, line));
            break;
        case 5:
            EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, line));
            break;
        default:
            EXPECT_DROP(f, ICMP_TYPE, fx_in(f, line));
        }
        EXPECT_QUIET(f);
    }
    fx_free(f);
}

TEST("unknown errors of ICMPv6 go up to who listens, unknown questions are dropped")
{
    COVERS("4443-1");
    struct fx *f = fx_host();
    oriel_handle h = raw(f, ORIEL_IP6);
    for (unsigned type = 5; type < 128; type++) {
        fx_in(f, fx_line(TO6 "/ icmp6 type=%u / fill 20", type));
        EXPECT_EQ(fx_recv(f, h), 28);
    }
    for (unsigned type = 138; type < 256; type++) {
        if (type == 143)
            continue;
        EXPECT_DROP(f, ICMP_TYPE, fx_in(f, fx_line(TO6 "/ icmp6 type=%u / fill 20", type)));
    }
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    EXPECT_QUIET(f);
    EXPECT_EQ(oriel_close(f->s, h), 0);
    EXPECT_DROP(f, RAW_NO_SOCKET, fx_in(f, TO6 "/ icmp6 type=100 / fill 20"));
    fx_free(f);
}

TEST("one wrong bit anywhere in the message, and nothing happens")
{
    COVERS("792-CK 4443-7");
    struct fx *f = fx_host();
    static const char *const lines[] = {TO4 "/ icmp echo id=1 seq=2 / fill 9",
                                        TO6 "/ icmp6 echo id=1 seq=2 / fill 9"};
    for (unsigned i = 0; i < 2; i++) {
        uint8_t frame[100];
        fx_craft(f, f->nif, lines[i]);
        size_t n = f->frame_n;
        memcpy(frame, f->frame, n);
        for (size_t bit = (n - 17) * 8; bit < n * 8; bit++) {
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
            EXPECT_DROP(f, ICMP_CSUM, fx_in_bytes(f, f->nif, frame, n));
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    EXPECT_DROP(f, ICMP_CSUM,                   /* the pseudo-header is part of the sum */
                fx_in(f, TO6 "/ icmp6 echo ; patch 37=03"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a message that is cut short is dropped")
{
    COVERS("S1 S7");
    struct fx *f = fx_host();
    for (unsigned n = 0; n < 8; n++) {
        EXPECT_DROP(f, ICMP_SHORT, fx_in(f, fx_line(TO4 "proto=1 / fill %u", n)));
        EXPECT_EQ(fx_drops(f, DROP_ICMP_SHORT), n + 1);
    }
    for (unsigned n = 0; n < 4; n++)
        EXPECT_DROP(f, ICMP_SHORT, fx_in(f, fx_line(TO6 "next=58 / fill %u", n)));
    EXPECT_DROP(f, ICMP_SHORT, fx_in(f, TO6 "next=58 / hex 800000000000"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- echo ---- */

/* The payload of an answer, put together from its fragments; its length. */
static size_t gather(struct fx *f, uint8_t *out, bool v4)
{
    size_t n = 0;
    while (fx_out(f)) {
        const uint8_t *p = fx_l3(f);
        size_t off = 0, hdr = 20, len;
        if (v4) {
            len = (size_t)(p[2] << 8 | p[3]);
            off = (size_t)((p[6] & 0x1f) << 8 | p[7]) * 8;
        } else {
            len = 40 + (size_t)(p[4] << 8 | p[5]);
            hdr = 40;
            if (p[6] == 44) {
                off = (size_t)((p[42] << 8 | p[43]) & 0xfff8);
                hdr = 48;
            }
        }
        memcpy(out + off, p + hdr, len - hdr);
        n = off + len - hdr > n ? off + len - hdr : n;
    }
    return n;
}

static void expect_echo(struct fx *f, unsigned size, bool v4)
{
    static uint8_t got[65536 + 64];
    unsigned whole = size + 8;
    if (whole <= (v4 ? 1480 : 1460)) {
        fx_in(f, fx_line(v4 ? TO4 "/ icmp echo id=7 seq=9 / fill %u"
                            : TO6 "/ icmp6 echo id=7 seq=9 / fill %u", size));
    } else {
        for (unsigned at = 0; at < whole; at += 1448) {
            unsigned end = at + 1448 < whole ? at + 1448 : whole;
            fx_in(f, fx_line(v4 ? TO4 "id=3 part=%u..%u / icmp echo id=7 seq=9 / fill %u"
                                : TO6 "/ frag id=3 part=%u..%u / icmp6 echo id=7 seq=9 / fill %u",
                             at, end, size));
        }
    }
    memset(got, 0xee, sizeof(got));
    assert_int_equal(gather(f, got, v4), whole);
    assert_int_equal(got[0], v4 ? 0 : 129);
    const uint8_t ids[4] = {0, 7, 0, 9};
    assert_memory_equal(got + 4, ids, 4);
    for (unsigned i = 0; i < size; i++)
        assert_int_equal(got[8 + i], i & 0xff);
    if (v4)
        assert_int_equal(csum_finish(csum_span(&csum_portable, span_of(got, whole))), 0);
}

TEST("an echo of any size comes back with the same bytes, in fragments where it must be")
{
    COVERS("1122-3.2.2.6 4443-6 1122-3.2.1.4");
    struct fx *f = fx_host();
    static const unsigned sizes[] = {0, 1, 2, 3, 7, 8, 9, 18, 19, 55, 56, 57, 255, 256, 257, 512,
                                     1451, 1452, 1453, 1471, 1472, 1473, 2960, 8000, 20001, 65506};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        expect_echo(f, sizes[i], true);
        expect_echo(f, sizes[i], false);
    }
    expect_echo(f, 65507, true);
    expect_echo(f, 65527, false);
    EXPECT_EQ(fx_drops_all(f), 0);
    EXPECT_WHY(&f->s->env, WHY_ECHO_REPLY);
    fx_free(f);
}

TEST("an echo to everybody or a group is answered by nobody")
{
    COVERS("1122-3.2.2.6 S28 INV-7");
    struct fx *f = fx_host();
    static const char *const all[] = {"255.255.255.255", "10.0.0.255", "10.0.0.0", "224.0.0.1"};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        EXPECT_DROP(f, ICMP_ECHO_GROUP,
                    fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / icmp echo / fill 500", all[i])));
    EXPECT_DROP(f, ICMP_ECHO_GROUP, fx_in(f, "ip6 src=2001:db8::2 dst=ff02::1 / icmp6 echo"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("where it is configured they are answered, from an address that is ours alone")
{
    COVERS("1122-3.2.2.6 4443-6");
    struct fx *f = fx_host_with(.echo_group = true);
    static const char *const all[] = {"255.255.255.255", "10.0.0.255", "10.0.0.0", "224.0.0.1"};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        fx_in(f, fx_line("ip src=10.0.0.2 dst=%s / icmp echo / fill 5", all[i]));
        EXPECT_OUT(f, "icmp.type == 0 && ip.src == 10.0.0.1 && ip.dst == 10.0.0.2");
    }
    fx_in(f, "ip6 src=2001:db8::2 dst=ff02::1 / icmp6 echo");
    EXPECT_OUT(f, "icmpv6.type == 129 && ipv6.src == 2001:db8::1");
    EXPECT_DROP(f, IP_NO_ROUTE, fx_in(f, "ip6 src=:: dst=ff02::1 / icmp6 echo"));   /* to nobody */
    EXPECT_DROP(f, IP4_SOURCE, fx_in(f, "ip src=10.0.0.255 dst=255.255.255.255 / icmp echo"));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("who cannot be reached gets no answer, and the reason is counted")
{
    struct fx *f = fx_host();
    EXPECT_DROP(f, IP_NO_ROUTE, fx_in(f, "ip src=192.0.2.1 dst=10.0.0.1 / icmp echo"));
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, "ip src=192.0.2.1 dst=10.0.0.1 / udp 1>2"));
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- errors that we send ---- */

TEST("an error quotes the offender unmodified, as much as fits into 576 bytes")
{
    COVERS("1122-3.2.2b");
    struct fx *f = fx_router();
    uint8_t sent[1600];
    static const unsigned sizes[] = {0, 1, 8, 100, 519, 520, 521, 1472};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        static const char *const lines[] = {
            TO4 "tos=8 id=77 / udp 1>99 / fill %u",                         /* port unreachable */
            "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 id=77 / udp 1>99 / fill %u" /* hops used up */
        };
        for (unsigned k = 0; k < 2; k++) {
            size_t whole = 28 + sizes[i], quoted = whole < 548 ? whole : 548;
            char line[200];
            snprintf(line, sizeof(line), lines[k], sizes[i]);
            fx_craft(f, f->nif, line);
            memcpy(sent, f->frame + 14, whole);
            fx_in(f, line);
            EXPECT_OUT(f, "icmp.checksum.status == 1 && ip.dsfield == 0xc0 && ip.ttl == 64");
            EXPECT_EQ(fx_l3(f)[2] << 8 | fx_l3(f)[3], 28 + quoted);
            EXPECT_MEM(fx_l3(f) + 28, sent, quoted);
        }
    }
    fx_free(f);
}

TEST("an error of ICMPv6 quotes as much as fits into 1,280 bytes")
{
    COVERS("4443-2");
    struct fx *f = fx_router();
    uint8_t sent[1600];
    static const unsigned sizes[] = {0, 1, 8, 1183, 1184, 1185, 1452};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t whole = 48 + sizes[i], quoted = whole < 1232 ? whole : 1232;
        const char *line = fx_line(TO6 "flow=0x12345 / udp 1>99 / fill %u", sizes[i]);
        fx_craft(f, f->nif, line);
        memcpy(sent, f->frame + 14, whole);
        fx_in(f, line);
        EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 4 && icmpv6.checksum.status == 1");
        EXPECT_EQ(fx_l3(f)[4] << 8 | fx_l3(f)[5], 8 + quoted);
        EXPECT_MEM(fx_l3(f) + 48, sent, quoted);
    }
    fx_free(f);
}

TEST("a closed port is answered with port unreachable, from the address that was asked")
{
    COVERS("1122-3.2.2.1 4443-5 1122-4.1.3.1");
    struct fx *f = fx_host();
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, TO4 "/ udp 1>99"));
    EXPECT_OUT(f, "icmp.type == 3 && icmp.code == 3 && ip.src == 10.0.0.1 && ip.dst == 10.0.0.2");
    EXPECT_DROP(f, UDP_NO_PORT, fx_in(f, TO6 "/ udp 1>99"));
    EXPECT_OUT(f, "icmpv6.type == 1 && icmpv6.code == 4 && ipv6.src == 2001:db8::1");
    EXPECT_WHY(&f->s->env, WHY_ICMP_UNREACHABLE);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("about some packets no error is ever sent")
{
    COVERS("1122-3.2.2c S22 S28");
    static const char *const silent[] = {
        /* what was sent to many */
        "ip src=10.0.0.2 dst=10.0.0.255 / udp 1>99",
        "ip src=10.0.0.2 dst=10.0.0.0 / udp 1>99",
        "ip src=10.0.0.2 dst=255.255.255.255 proto=99 / fill 20",
        "ip src=10.0.0.2 dst=224.0.0.1 / udp 1>99",
        "ip src=10.0.0.2 dst=224.0.0.1 proto=99 / fill 20",
        /* in a frame to many */
        "eth src=" FX_PEER " dst=ff:ff:ff:ff:ff:ff / " TO4 "/ udp 1>99",
        "eth src=" FX_PEER " dst=01:00:5e:00:00:01 / " TO4 "/ udp 1>99",
        "eth src=" FX_PEER " dst=01:00:5e:00:00:01 / " TO4 "proto=99 / fill 20",
        /* about an error */
        "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 / icmp unreachable code=port" OURS4,
        "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 / icmp time-exceeded" OURS4,
        "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 / icmp parameter" OURS4,
        "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 / icmp quench" OURS4,
        "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 / icmp redirect gateway=10.0.0.3" OURS4,
        "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 opt=01010101 / icmp unreachable" OURS4,
        /* about a later fragment */
        "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 off=8 / fill 20",
        "ip src=10.0.0.2 dst=192.0.2.1 off=8 mf / fill 24",
        /* to who is not one host */
        "ip src=0.0.0.0 dst=255.255.255.255 / udp 1>99",
        "ip src=10.0.0.255 dst=10.0.0.1 / udp 1>99",
        "ip src=255.255.255.255 dst=10.0.0.1 / udp 1>99",
        "ip src=224.0.0.1 dst=10.0.0.1 / udp 1>99",
        "ip src=127.0.0.1 dst=10.0.0.1 / udp 1>99",
        "ip src=240.0.0.1 dst=10.0.0.1 / udp 1>99",
        "ip src=10.0.0.1 dst=10.0.0.1 / udp 1>99",
    };
    struct fx *f = fx_router();
    for (unsigned i = 0; i < ARRAY_LEN(silent); i++) {
        uint64_t before = fx_drops_all(f);
        fx_in(f, silent[i]);
        if (fx_out(f))
            fail_msg("%s: %s", silent[i], f->d.info);
        EXPECT_EQ(fx_drops_all(f), before + 1);
    }
    EXPECT_EQ(f->s->link.loop.n, 0);
    fx_in(f, "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 / icmp echo"); /* while of these there are */
    EXPECT_OUT(f, "icmp.type == 11");
    fx_in(f, "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 mf / udp 1>2");
    EXPECT_OUT(f, "icmp.type == 11");
    fx_free(f);
}

TEST("about some packets of IPv6 no error is ever sent, and about some to groups one is")
{
    COVERS("4443-3 S28");
    static const char *const silent[] = {
        "ip6 src=2001:db8::2 dst=ff02::1 / udp 1>99",
        "ip6 src=2001:db8::2 dst=ff02::1 next=99 / fill 20",
        "ip6 src=2001:db8::2 dst=ff02::1 / routing segleft=1 / udp 1>99",
        "eth src=" FX_PEER " dst=33:33:00:00:00:01 / " TO6 "/ udp 1>99",
        "eth src=" FX_PEER " dst=ff:ff:ff:ff:ff:ff / " TO6 "next=99 / fill 20",
        "ip6 src=2001:db8::2 dst=2001:db8:1::2 hlim=1 / icmp6 unreachable code=port" OURS6,
        "ip6 src=2001:db8::2 dst=2001:db8:1::2 hlim=1 / icmp6 type=100 / fill 20",
        "ip6 src=2001:db8::2 dst=2001:db8:1::2 hlim=1 / dstopts / icmp6 toobig mtu=1280" OURS6,
        "ip6 src=2001:db8::2 dst=2001:db8:1::2 hlim=1 / icmp6 redirect target=fe80::1 "
        "dest=2001:db8::7",
        "ip6 src=2001:db8::2 dst=2001:db8:1::2 hlim=1 / frag id=1 off=8 next=icmp6 / fill 20",
        "ip6 src=:: dst=2001:db8::1 / udp 1>99",
        "ip6 src=ff02::1 dst=2001:db8::1 / udp 1>99",
    };
    struct fx *f = fx_router();
    for (unsigned i = 0; i < ARRAY_LEN(silent); i++) {
        uint64_t before = fx_drops_all(f);
        fx_in(f, silent[i]);
        if (fx_out(f))
            fail_msg("%s: %s", silent[i], f->d.info);
        EXPECT_EQ(fx_drops_all(f), before + 1);
    }
    fx_in(f, "ip6 src=2001:db8::2 dst=ff02::1 / dstopts opt=9e00 / udp 1>99");
    EXPECT_OUT(f, "icmpv6.type == 4 && icmpv6.code == 2");
    fx_in(f, "ip6 src=2001:db8::2 dst=2001:db8:1::2 hlim=1 / frag id=1 off=8 next=udp / fill 20");
    EXPECT_OUT(f, "icmpv6.type == 3");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a datagram whose rest does not come is reported when its first fragment did, and only then")
{
    COVERS("1122-3.3.2T 8200-8");
    struct fx *f = fx_host();
    fx_in(f, TO4 "id=7 part=0..64 / udp 1>7 / fill 200");
    fx_in(f, TO6 "/ frag id=7 part=0..64 / udp 1>7 / fill 200");
    fx_in(f, TO4 "id=8 part=64..128 / udp 1>7 / fill 200");
    fx_in(f, TO6 "/ frag id=8 part=64..128 / udp 1>7 / fill 200");
    fx_run(f, 60 * NS_PER_S - 1);
    EXPECT_QUIET(f);
    fx_run(f, 60 * NS_PER_S);
    EXPECT_OUT(f, "icmp.type == 11 && icmp.code == 1 && why == \"ICMP_REASM_TIMEOUT\"");
    EXPECT(f->out_at >= 60 * NS_PER_S && f->out_at <= 120 * NS_PER_S);
    EXPECT_EQ(fx_l3(f)[2] << 8 | fx_l3(f)[3], 28 + 84);
    EXPECT_OUT(f, "icmpv6.type == 3 && icmpv6.code == 1");
    EXPECT(f->out_at == 60 * NS_PER_S);
    EXPECT_WHY(&f->s->env, WHY_ICMP_REASM_TIMEOUT);
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_drops(f, DROP_FRAG_TIMEOUT), 4);
    fx_free(f);
}

/* ---- the rate ---- */

/* Errors that come back for so many probes of closed ports. */
static unsigned probe(struct fx *f, const char *src, unsigned n)
{
    unsigned answered = 0;
    for (unsigned i = 0; i < n; i++) {
        fx_in(f, fx_line("ip src=%s dst=10.0.0.1 / udp 1>99", src));
        while (fx_out(f))
            answered += fx_is(f, fx_line("icmp.type == 3 && ip.dst == %s", src));
    }
    return answered;
}

TEST("a flood of packets to closed ports is answered ten times a second")
{
    COVERS("ICMP-RL 4443-4 INV-7");
    struct fx *f = fx_host_with(.icmp_per_s = 10);
    EXPECT_EQ(probe(f, "10.0.0.2", 10000), 10);
    fx_run(f, NS_PER_S / 2);
    EXPECT_EQ(probe(f, "10.0.0.2", 1000), 5);
    fx_run(f, 100 * NS_PER_S);
    EXPECT_EQ(probe(f, "10.0.0.2", 1000), 10);          /* what is not used is not saved up */
    unsigned n = 0;
    for (unsigned i = 0; i < 100; i++) {                /* the other family, the same rule */
        fx_in(f, TO6 "/ udp 1>99");
        n += fx_skip(f);
    }
    EXPECT_EQ(n, 10);
    fx_free(f);
}

TEST("what one peer used up is not missing for another, and he cannot see it")
{
    COVERS("ICMP-RL S17");
    struct fx *f = fx_host_with(.icmp_per_s = 10);
    fx_know(f, f->nif, "10.0.0.3", 3);
    for (unsigned round = 0; round < 20; round++) {
        fx_run(f, 10 * NS_PER_S);
        /* an attacker probes in the name of .3, with closed ports and open ones, then in his own */
        unsigned spoofed = round % 2 ? probe(f, "10.0.0.3", 200) : 0;
        EXPECT_EQ(spoofed, round % 2 ? 10 : 0);
        EXPECT_EQ(probe(f, "10.0.0.2", 200), 10);
    }
    fx_free(f);
}

TEST("all peers together get no more than a thousand errors a second, in bursts of no fixed size")
{
    COVERS("ICMP-RL S17 INV-7");
    unsigned sizes[128] = {0}, different = 0;
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW});
    fx_add_addr(f, f->nif, "10.0.0.1/8");
    for (unsigned round = 0; round < 20; round++) {
        unsigned n = 0;
        fx_run(f, 10 * NS_PER_S);
        for (unsigned i = 0; i < 200; i++) {
            fx_in(f, fx_line("ip src=10.1.%u.%u dst=10.0.0.1 / udp 1>99", round, i + 1));
            n += fx_skip(f);
        }
        EXPECT(n >= 30 && n <= 100);
        different += sizes[n]++ == 0;
    }
    EXPECT(different >= 4);
    fx_run(f, 10 * NS_PER_S);
    unsigned n = 0;
    for (unsigned i = 0; i < 4000; i++) {               /* four a millisecond */
        fx_run(f, NS_PER_S / 4000);
        fx_in(f, fx_line("ip src=10.2.%u.%u dst=10.0.0.1 / udp 1>99", i / 250, i % 250 + 1));
        n += fx_skip(f);
    }
    EXPECT(n >= 900 && n <= 1150);
    fx_free(f);
}

TEST("any configured rate is safe, and so is the first moment of time")
{
    COVERS("4443-4 INV-1");
    static const uint32_t rates[] = {1, 10, 1000, 65535, 65536, 1000000000, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_LEN(rates); i++) {
        struct fx *f = fx_host_with(.icmp_per_s = rates[i]);
        EXPECT(probe(f, "10.0.0.2", 100) >= 1);
        fx_free(f);
    }
    size_t bytes = (size_t)4 << 20;
    struct oriel_config c = {.version = ORIEL_CONFIG_VERSION, .memory_bytes = bytes, .now = 0};
    c.memory = malloc(bytes);
    struct oriel_stack *s = oriel_create(&c);
    EXPECT(s != NULL);
    int nif = oriel_netif_add(s,
                              &(struct oriel_netif_config){.name = "a", .kind = ORIEL_NETIF_RAW});
    struct oriel_addr a = fx_addr("10.0.0.1");
    EXPECT_EQ(oriel_addr_add(s, nif, &a, 104), 0);
    uint8_t bytes_in[100];
    struct wr w = wr_of(bytes_in, sizeof(bytes_in));
    EXPECT(craft(span_str(TO4 "/ udp 1>99"), &w, NULL));
    struct pkt *p = oriel_pkt_new(s, nif, bytes_in, wr_len(&w));
    oriel_step(s, 0, &(struct pkt_batch){.pkts = &p, .n = 1});
    unsigned errors = 0;
    while (oriel_netif_take(s, nif, &p, 1) == 1) {
        errors += strcmp(oriel_pkt_why_name(p), "ICMP_UNREACHABLE") == 0;
        oriel_pkt_free(p);
    }
    EXPECT_EQ(errors, 1);
    oriel_destroy(s);
    struct arena whole;
    arena_init(&whole, c.memory, bytes);        /* the heap gets it back unpoisoned */
    free(c.memory);
}

/* ---- errors that we receive ---- */

TEST("an error reaches the socket whose packet it quotes, and no other")
{
    COVERS("1122-3.2.2d 1122-3.2.2.1 1122-3.2.2.4 4443-5");
    static const struct {
        const char *what;
        int err;
    } four[] = {
        {"unreachable code=net", ORIEL_ENETUNREACH},
        {"unreachable code=host", ORIEL_EHOSTUNREACH},
        {"unreachable code=proto", ORIEL_ECONNREFUSED},
        {"unreachable code=port", ORIEL_ECONNREFUSED},
        {"unreachable code=src-route", ORIEL_EHOSTUNREACH},
        {"unreachable code=6", ORIEL_ENETUNREACH},
        {"unreachable code=7", ORIEL_EHOSTUNREACH},
        {"unreachable code=9", ORIEL_ENETUNREACH},
        {"unreachable code=10", ORIEL_EHOSTUNREACH},
        {"unreachable code=11", ORIEL_ENETUNREACH},
        {"unreachable code=13", ORIEL_EHOSTUNREACH},
        {"unreachable code=255", ORIEL_EHOSTUNREACH},
        {"time-exceeded code=ttl", ORIEL_EHOSTUNREACH},
        {"time-exceeded code=reasm", ORIEL_EHOSTUNREACH},
        {"parameter pointer=20", ORIEL_EPROTO},
    }, six[] = {
        {"unreachable code=no-route", ORIEL_ENETUNREACH},
        {"unreachable code=admin", ORIEL_EACCES},
        {"unreachable code=scope", ORIEL_EHOSTUNREACH},
        {"unreachable code=addr", ORIEL_EHOSTUNREACH},
        {"unreachable code=port", ORIEL_ECONNREFUSED},
        {"unreachable code=255", ORIEL_EHOSTUNREACH},
        {"time-exceeded code=hlim", ORIEL_EHOSTUNREACH},
        {"time-exceeded code=reasm", ORIEL_EHOSTUNREACH},
        {"parameter code=field pointer=6", ORIEL_EPROTO},
        {"parameter code=next-header pointer=6", ORIEL_EPROTO},
    };
    struct fx *f = fx_host();
    oriel_handle a = fx_connected(f, 5, "10.0.0.2", 9), b = fx_connected(f, 6, "10.0.0.2", 9);
    oriel_handle c = fx_listen(f, 8);
    for (unsigned i = 0; i < ARRAY_LEN(four); i++) {
        fx_in(f, fx_line(ERR4 "%s" OURS4, four[i].what));
        EXPECT_EQ(fx_recv(f, a), four[i].err);
        EXPECT_EQ(fx_recv(f, a), ORIEL_EAGAIN);
        struct oriel_error_info e = last_error(f, a);
        EXPECT_EQ(e.count, i + 1);
        EXPECT(e.from_net);
        struct oriel_addr router = fx_addr("10.0.0.9");
        EXPECT(addr_same_bits(&e.from, &router));
        EXPECT_EQ(e.to.port, 9);
    }
    EXPECT_EQ(fx_recv(f, b), ORIEL_EAGAIN);
    EXPECT_EQ(fx_recv(f, c), ORIEL_EAGAIN);
    EXPECT_EQ(oriel_close(f->s, a), 0);
    a = fx_connected(f, 5, "2001:db8::2", 9);
    for (unsigned i = 0; i < ARRAY_LEN(six); i++) {
        fx_in(f, fx_line(ERR6 "%s" OURS6, six[i].what));
        EXPECT_EQ(fx_recv(f, a), six[i].err);
        EXPECT_EQ(fx_recv(f, a), ORIEL_EAGAIN);
    }
    EXPECT_EQ(fx_recv(f, b), ORIEL_EAGAIN);
    EXPECT_EQ(fx_drops_all(f), 0);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("eight bytes behind the quoted header are enough, and extension headers are no obstacle")
{
    COVERS("1122-3.2.2b 1122-3.2.2d");
    struct fx *f = fx_host();
    oriel_handle a = fx_connected(f, 5, "10.0.0.2", 9);
    fx_in(f, ERR4 "unreachable code=port keep=28" OURS4);
    EXPECT_EQ(fx_recv(f, a), ORIEL_ECONNREFUSED);
    fx_in(f, ERR4 "unreachable code=port / ip src=10.0.0.1 dst=10.0.0.2 opt=01010101 / udp 5>9");
    EXPECT_EQ(fx_recv(f, a), ORIEL_ECONNREFUSED);
    EXPECT_EQ(oriel_close(f->s, a), 0);
    a = fx_connected(f, 5, "2001:db8::2", 9);
    fx_in(f, ERR6 "unreachable code=port keep=48" OURS6);
    EXPECT_EQ(fx_recv(f, a), ORIEL_ECONNREFUSED);
    fx_in(f,
          ERR6 "unreachable code=port / ip6 src=2001:db8::1 dst=2001:db8::2 / hopopts / dstopts / "
               "frag id=1 / udp 5>9");
    EXPECT_EQ(fx_recv(f, a), ORIEL_ECONNREFUSED);
    fx_free(f);
}

TEST("a socket that is not connected is not disturbed, but can ask what happened")
{
    struct fx *f = fx_host();
    oriel_handle h = fx_listen(f, 5);
    fx_in(f, ERR4 "unreachable code=port" OURS4);
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    EXPECT_EQ(last_error(f, h).err, ORIEL_ECONNREFUSED);
    EXPECT_EQ(last_error(f, h).icmp_type, 3);
    EXPECT_EQ(last_error(f, h).icmp_code, 3);
    fx_free(f);
}

TEST("a quote that cannot be read is dropped, at every length and with every lie")
{
    COVERS("1122-3.2.2b S7 S26");
    struct fx *f = fx_host();
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    for (unsigned n = 0; n < 28; n++)
        EXPECT_DROP(f, ICMP_QUOTE,
                    fx_in(f, fx_line(ERR4 "unreachable code=port keep=%u" OURS4, n)));
    for (unsigned n = 0; n < 48; n++)
        EXPECT_DROP(f, ICMP_QUOTE,
                    fx_in(f, fx_line(ERR6 "unreachable code=port keep=%u" OURS6, n)));
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_in(f, ERR4 "unreachable / ip src=10.0.0.1 dst=10.0.0.2 ihl=4 / udp 5>9"));
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_in(f, ERR4 "unreachable / ip src=10.0.0.1 dst=10.0.0.2 ihl=15 / udp 5>9"));
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_in(f, ERR4 "unreachable / ip src=10.0.0.1 dst=10.0.0.2 version=5 / udp 5>9"));
    EXPECT_DROP(f, ICMP_QUOTE,
                fx_in(f, ERR4 "unreachable / ip src=10.0.0.1 dst=10.0.0.2 off=8 / udp 5>9"));
    EXPECT_DROP(f, ICMP_QUOTE, fx_in(f, ERR6 "unreachable / ip6 src=2001:db8::1 dst=2001:db8::2 / "
                                             "dstopts len=9 / udp 5>9"));
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("an error about a packet that we did not send is dropped")
{
    COVERS("S26 1122-3.2.2d");
    struct fx *f = fx_host();
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    static const char *const not_ours[] = {
        "ip src=10.0.0.3 dst=10.0.0.2 / udp 5>9",       /* from another address */
        "ip src=10.0.0.1 dst=10.0.0.2 / udp 6>9",       /* from another port */
        "ip src=10.0.0.1 dst=10.0.0.2 / udp 5>10",      /* to another port */
        "ip src=10.0.0.1 dst=10.0.0.3 / udp 5>9",       /* to another host */
        "ip src=10.0.0.1 dst=10.0.0.2 / tcp 5>9",       /* of another protocol */
        "ip src=10.0.0.1 dst=10.0.0.2 proto=99 / fill 8",
        "ip src=10.0.0.1 dst=10.0.0.2 / icmp echo id=5",        /* nobody here pings */
    };
    static const char *const kinds[] = {"unreachable code=port",
                                        "unreachable code=frag-needed mtu=600", "time-exceeded",
                                        "parameter"};
    for (unsigned i = 0; i < ARRAY_LEN(not_ours); i++)
        for (unsigned k = 0; k < ARRAY_LEN(kinds); k++)
            EXPECT_DROP(f, ICMP_NOT_OURS, fx_in(f, fx_line(ERR4 "%s / %s", kinds[k], not_ours[i])));
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    uint32_t at = 0;
    EXPECT(pmtu_each(&f->s->ip.pmtu, &at) == NULL);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("who pings hears the answers and the errors about them")
{
    COVERS("1122-3.2.2d 1122-3.2.2.4");
    struct fx *f = fx_host();
    oriel_handle four = raw(f, ORIEL_IP4), six = raw(f, ORIEL_IP6);
    fx_in(f, TO4 "/ icmp echo-reply id=1 seq=2 / fill 4");
    EXPECT_EQ(fx_recv(f, four), 12);
    fx_in(f, ERR4 "time-exceeded / ip src=10.0.0.1 dst=10.0.0.2 / icmp echo id=1 seq=2");
    EXPECT_EQ(fx_recv(f, four), 8 + 28);
    EXPECT_EQ(last_error(f, four).err, ORIEL_EHOSTUNREACH);
    fx_in(f, TO6 "/ icmp6 echo-reply id=1 seq=2 / fill 4");
    EXPECT_EQ(fx_recv(f, six), 12);
    fx_in(f, ERR6
          "unreachable code=addr / ip6 src=2001:db8::1 dst=2001:db8::2 / icmp6 echo id=1 seq=2");
    EXPECT_EQ(fx_recv(f, six), 8 + 48);
    EXPECT_EQ(fx_recv(f, four), ORIEL_EAGAIN);
    EXPECT_EQ(fx_drops_all(f), 0);
    fx_free(f);
}

TEST("source quench changes nothing, however often it comes")
{
    COVERS("6633-1");
    struct fx *f = fx_host();
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    for (unsigned i = 0; i < 100; i++)
        EXPECT_DROP(f, ICMP_TYPE, fx_in(f, ERR4 "quench" OURS4));
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
    EXPECT_EQ(fx_send_n(f, h, 1), 1);
    EXPECT_OUT(f, "udp");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a closed port of our own is reported to us through ourselves")
{
    struct fx *f = fx_host();
    static const char *const ours[] = {"10.0.0.1", "2001:db8::1"};
    for (unsigned i = 0; i < 2; i++) {
        oriel_handle h = fx_connected(f, 5, ours[i], 99);
        EXPECT_EQ(fx_send_n(f, h, 1), 1);
        fx_step(f, f->s->env.now, NULL);
        fx_step(f, f->s->env.now, NULL);
        EXPECT_EQ(fx_recv(f, h), ORIEL_ECONNREFUSED);
        EXPECT_EQ(oriel_close(f->s, h), 0);
    }
    EXPECT_QUIET(f);
    fx_free(f);
}

/* ---- path MTU ---- */

static int64_t mtu_after(const char *line, const char *peer)
{
    struct fx *f = fx_host();
    int64_t mtu = 0;
    oriel_handle h = fx_connected(f, 5, peer, 9);
    fx_in(f, line);
    EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);             /* it is no error of the connection */
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &mtu), 0);
    fx_free(f);
    return mtu;
}

TEST("the MTU that a report gives is believed between the floor and what was sent")
{
    COVERS("1191-1 1191-2 8201-1 S5 S26");
    static const struct {
        unsigned told, then;
    } four[] = {{0, 1492}, {1, 1500}, {67, 1500}, {68, 552}, {551, 552}, {552, 552}, {576, 576},
                {1400, 1400}, {1499, 1499}, {1500, 1500}, {9000, 1500}, {65535, 1500}},
      six[] = {{0, 1500}, {68, 1500}, {1279, 1500}, {1280, 1280}, {1400, 1400}, {1499, 1499},
               {1500, 1500}, {9000, 1500}, {65536, 1500}, {UINT32_MAX, 1500}};
    for (unsigned i = 0; i < ARRAY_LEN(four); i++)
        EXPECT_EQ(mtu_after(fx_line(ERR4 "unreachable code=frag-needed mtu=%u keep=28 / "
                                         "ip src=10.0.0.1 dst=10.0.0.2 / udp 5>9 / fill 1472",
                                    four[i].told), "10.0.0.2"), four[i].then);
    for (unsigned i = 0; i < ARRAY_LEN(six); i++)
        EXPECT_EQ(
            mtu_after(fx_line(ERR6 "toobig mtu=%u keep=1000 / "
                                   "ip6 src=2001:db8::1 dst=2001:db8::2 / udp 5>9 / fill 1452",
                              six[i].told),
                      "2001:db8::2"),
            six[i].then);
}

TEST("a report never raises, is forgotten after ten minutes, and makes packets smaller until then")
{
    COVERS("1191-1 8201-1");
    struct fx *f = fx_host();
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    int64_t mtu;
#define SMALLER(n) ERR4 "unreachable code=frag-needed mtu=" #n " keep=28 / " \
                   "ip src=10.0.0.1 dst=10.0.0.2 / udp 5>9 / fill 1472"
    fx_in(f, SMALLER(1000));
    fx_in(f, SMALLER(1400));
    EXPECT_EQ(oriel_getopt(f->s, h, ORIEL_OPT_MTU, &mtu), 0);
    EXPECT_EQ(mtu, 1000);
    EXPECT_EQ(fx_send_n(f, h, 1472), 1472);
    EXPECT_OUT(f, "ip.len <= 1000 && ip.flags.mf == 1 && ip.flags.df == 0");
    EXPECT_OUT(f, "ip.len <= 1000 && ip.flags.mf == 0");
    fx_in(f, TO4 "id=1 part=0..1480 / icmp echo / fill 1500");  /* for every sender to that host */
    fx_in(f, TO4 "id=1 part=1480..1508 / icmp echo / fill 1500");
    EXPECT_OUT(f, "ip.len <= 1000");
    (void)fx_skip(f);
    fx_run(f, 599 * NS_PER_S);
    EXPECT_EQ(fx_send_n(f, h, 1472), 1472);
    EXPECT_EQ(fx_skip(f), 2);
    fx_run(f, 2 * NS_PER_S);
    EXPECT_EQ(fx_send_n(f, h, 1472), 1472);
    EXPECT_EQ(fx_skip(f), 1);
    fx_free(f);
}

/* ---- redirects ---- */

#define NEWS "ip src=10.0.0.2 dst=10.0.0.1 / icmp redirect code=1 gateway=10.0.0.3 / " \
             "ip src=10.0.0.1 dst=192.0.2.1 / udp 5>9"

static struct fx *redirectable(bool accept, bool forward)
{
    struct fx *f = fx_router_with(.accept_redirects = accept, .forward4 = forward);
    fx_add_route(f, f->nif, "0.0.0.0/0", "10.0.0.2");
    fx_know(f, f->nif, "10.0.0.4", 4);
    return f;
}

TEST("redirects are ignored by default, and by routers always")
{
    COVERS("1122-3.2.2.2R S27");
    struct fx *f = redirectable(false, false);
    EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, NEWS));
    fx_free(f);
    f = redirectable(true, true);
    EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, NEWS));
    fx_free(f);
}

TEST("where they are accepted, a redirect is believed only when everything about it fits")
{
    COVERS("1122-3.2.2.2R S27");
    struct fx *f = redirectable(true, false);
#define R(src, code, gw, quote) "ip src=" src " dst=10.0.0.1 / icmp redirect code=" code \
                                " gateway=" gw " / " quote
#define Q "ip src=10.0.0.1 dst=192.0.2.1 / udp 5>9"
    static const char *const false_news[] = {
        R("10.0.0.4", "1", "10.0.0.3", Q),   /* not from the first hop */
        R("10.0.0.2", "1", "10.7.0.3", Q),   /* to a gateway off the link */
        R("10.0.0.2", "1", "10.0.1.3", Q),   /* on another link of ours */
        R("10.0.0.2", "1", "10.0.0.1", Q),   /* to ourselves */
        R("10.0.0.2", "1", "10.0.0.255", Q), /* to everybody */
        R("10.0.0.2", "1", "10.0.0.0", Q),
        R("10.0.0.2", "1", "224.0.0.1", Q),
        R("10.0.0.2", "1", "0.0.0.0", Q),
        R("10.0.0.2", "4", "10.0.0.3", Q),                                         /* of no kind */
        R("10.0.0.2", "1", "10.0.0.3", "ip src=10.0.0.9 dst=192.0.2.1 / udp 5>9"), /* not of ours */
        R("10.0.0.2", "1", "10.0.0.3", "ip src=10.0.0.1 dst=224.0.0.5 / udp 5>9"),
        R("10.0.0.2", "1", "10.0.0.3",
          "ip src=10.0.0.1 dst=10.0.1.7 / udp 5>9"), /* goes elsewhere */
        R("10.0.0.2", "1", "10.0.0.3", "ip src=10.0.0.1 dst=192.0.2.1 off=8 / udp 5>9"),
        R("10.0.0.2", "1", "10.0.0.3", "hex 45"),
    };
    for (unsigned i = 0; i < ARRAY_LEN(false_news); i++)
        EXPECT_DROP(f, ICMP_REDIRECT, fx_in(f, false_news[i]));
    EXPECT_DROP(f, ICMP_REDIRECT, fx_in_on(f, f->nif + 1, NEWS));       /* by another link */
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a believed redirect moves one destination, until its gateway does not answer")
{
    COVERS("1122-3.2.2.2R 1122-3.3.1");
    struct fx *f = redirectable(true, false);
    uint64_t dropped = fx_drops_all(f);
    fx_in(f, NEWS);
    EXPECT_EQ(fx_drops_all(f), dropped);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 1);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    EXPECT_OUT(f, "arp.dst.proto_ipv4 == 10.0.0.3");
    EXPECT_EQ(fx_send(f, "192.0.2.2", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02");
    fx_run(f, 3 * NS_PER_S);
    EXPECT_EQ(fx_routes(f, ROUTE_REDIRECT), 0);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02");
    fx_free(f);
}
