/*
 * The network layer as a whole under frames that nobody meant: every one is delivered, queued,
 * answered or dropped for a reason; nothing leaks; nothing grows on the way out.
 */
#include "ip/fx_host.h"

#include "base/rng.h"
#include "fx_seal.h"

#define GROUP_FRAME "eth src=" FX_PEER " dst=33:33:00:00:00:01 / "

static const char *const seeds[] = {
    "arp op=request sha=02:00:00:00:00:07 spa=10.0.0.7 tpa=10.0.0.1",
    "arp op=reply sha=02:00:00:00:00:07 spa=10.0.0.7 tpa=10.0.0.1",
    "arp op=request sha=02:00:00:00:00:07 spa=0.0.0.0 tpa=10.0.0.1",
    "eth src=" FX_PEER
    " dst=02:00:00:00:00:01 type=0x8035 / arp op=rarp-reply spa=10.0.0.2 tpa=10.0.0.9",
    "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo id=1 seq=2 / fill 40",
    "ip src=10.0.0.7 dst=10.0.0.1 / icmp echo id=1 seq=2 / fill 400",
    "ip src=10.0.0.2 dst=10.0.0.1 opt=070b0400000000000000000001 / icmp echo / fill 3",
    "ip src=10.0.0.2 dst=10.0.0.1 opt=8307040a000003 / udp 1>7",
    "ip src=10.0.0.2 dst=10.0.0.255 / icmp echo / fill 100",
    "ip src=10.0.0.2 dst=255.255.255.255 / udp 68>67 / fill 100",
    "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7 / fill 60",
    "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>99 / fill 60",
    "ip src=10.0.0.2 dst=10.0.0.1 / tcp 1>80 flags=S mss=1460 sackok ts=1,0 wscale=7",
    "ip src=10.0.0.2 dst=10.0.0.1 proto=47 / fill 30",
    "ip src=10.0.0.2 dst=10.0.0.1 / ip src=10.0.0.2 dst=10.0.0.1 / udp 1>7",
    "ip src=10.0.0.2 dst=10.0.0.1 id=1 part=0..64 / udp 1>7 / fill 120",
    "ip src=10.0.0.2 dst=10.0.0.1 id=1 part=64..128 / udp 1>7 / fill 120",
    "ip src=10.0.0.9 dst=10.0.0.1 / icmp unreachable code=port / "
    "ip src=10.0.0.1 dst=10.0.0.2 / udp 5>9",
    "ip src=10.0.0.9 dst=10.0.0.1 / icmp unreachable code=frag-needed mtu=900 / "
    "ip src=10.0.0.1 dst=10.0.0.2 / udp 5>9 / fill 1000",
    "ip src=10.0.0.2 dst=10.0.0.1 / icmp redirect code=1 gateway=10.0.0.3 / "
    "ip src=10.0.0.1 dst=192.0.2.1 / udp 5>9",
    "ip src=10.0.0.9 dst=10.0.0.1 / icmp time-exceeded / ip src=10.0.0.1 dst=10.0.0.2 / icmp echo",
    "ip src=10.0.0.2 dst=10.0.1.2 / udp 1>2 / fill 70",
    "ip src=10.0.0.2 dst=10.0.1.2 ttl=1 / udp 1>2 / fill 70",
    "ip src=10.0.0.2 dst=10.0.1.77 / udp 1>2 / fill 70",
    "ip src=10.0.0.2 dst=192.0.2.1 / udp 1>2 / fill 70",
    "ip src=10.0.0.2 dst=224.0.0.1 ra / igmp query v3 group=0.0.0.0 max=10",
    "ip src=10.0.0.2 dst=224.0.0.1 ra / igmp query v2 group=0.0.0.0 max=10",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 echo id=1 seq=2 / fill 40",
    "ip6 src=2001:db8::7 dst=2001:db8::1 / icmp6 echo id=1 seq=2 / fill 400",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>7 / fill 60",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / udp 1>99 / fill 60",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / tcp 1>80 flags=S",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / hopopts opt=9e00 / udp 1>7",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / dstopts opt=1e0401020304 / routing segleft=0 / udp 1>7",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / routing segleft=1 via=2001:db8::9 / udp 1>7",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / frag id=1 part=0..64 / udp 1>7 / fill 120",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / frag id=1 part=64..128 / udp 1>7 / fill 120",
    "ip6 src=2001:db8::2 dst=2001:db8::1 / frag id=2 / icmp6 echo",
    "ip6 src=2001:db8::9 dst=2001:db8::1 / icmp6 toobig mtu=1300 / "
    "ip6 src=2001:db8::1 dst=2001:db8::2 / udp 5>9 / fill 1300",
    "ip6 src=2001:db8::9 dst=2001:db8::1 / icmp6 unreachable code=port / "
    "ip6 src=2001:db8::1 dst=2001:db8::2 / udp 5>9",
    "ip6 src=2001:db8::7 dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1 slla=02:00:00:00:00:07",
    "ip6 src=2001:db8::7 dst=2001:db8::1 / icmp6 na target=2001:db8::7 solicited override "
    "tlla=02:00:00:00:00:07",
    "ip6 src=fe80::9 dst=ff02::1 / icmp6 ra lifetime=1800 slla=02:00:00:00:00:09 "
    "prefix=2001:db8:5::/64,valid=1000,preferred=500,L,A mtu=1400",
    "ip6 src=fe80::9 dst=2001:db8::1 / icmp6 redirect target=fe80::8 dest=2600::1",
    "ip6 src=fe80::9 dst=ff02::1 / hopopts ra / icmp6 mld2-query group=:: max=1000",
    "ip6 src=2001:db8::2 dst=2001:db8:1::2 / udp 1>2 / fill 70",
    "ip6 src=2001:db8::2 dst=2001:db8:1::2 hlim=1 / udp 1>2 / fill 70",
    "ip6 src=2001:db8::2 dst=2001:db8:1::77 / udp 1>2 / fill 70",
    "eth src=" FX_PEER
    " dst=02:00:00:00:00:01 / vlan id=5 / ip src=10.0.5.2 dst=10.0.5.1 / icmp echo",
    "eth src=" FX_PEER " dst=02:00:00:00:00:01 / snap / ip src=10.0.0.2 dst=10.0.0.1 / icmp echo",
};

static struct seed {
    uint8_t bytes[1600];
    size_t n;
} crafted[ARRAY_LEN(seeds)];

/* What may happen to a frame without a trace outside the stack: it was news. */
#define IS_NEWS "arp || igmp || icmp.type in {3, 5, 11, 12} || icmpv6.type in {1..4, 130..137, 143}"

struct tally {
    struct fx *f;
    oriel_handle app, talker;
    uint64_t bytes_in, bytes_out, frames_in, answered, queued, dropped, news;
    struct filter is_news;
};

static struct tally *tally_new(bool router)
{
    struct tally *t = calloc(1, sizeof(*t));
    assert_non_null(t);
    struct fx *f = t->f = fx_router_with(.forward4 = router, .forward6 = router,
                                         .accept_redirects = !router);
    int vlan = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_VLAN, .vlan_id = 5,
                                                        .vlan_parent = f->nif});
    fx_add_addr(f, vlan, "10.0.5.1/24");
    fx_add_addr(f, f->nif, "fe80::1/64");
    t->app = fx_listen(f, 7);
    t->talker = fx_connected(f, 5, "10.0.0.2", 9);
    assert_true(filter_compile(span_str(IS_NEWS), &t->is_news, NULL));
    for (unsigned i = 0; i < ARRAY_LEN(seeds); i++) {
        fx_craft(f, f->nif, seeds[i]);
        assert_true(f->frame_n <= sizeof(crafted[i].bytes));
        memcpy(crafted[i].bytes, f->frame, f->frame_n);
        crafted[i].n = f->frame_n;
    }
    fx_run(f, 60 * NS_PER_S);
    (void)fx_skip(f);
    return t;
}

static void tally_free(struct tally *t)
{
    fx_free(t->f);
    free(t);
}

/* INV-8: nothing stale in what leaves. Memory begins as a5, and no seed holds a run of that. */
static void check_clean(const struct fx *f)
{
    const uint8_t *p = f->frame;
    size_t at = 14;
    while (seal_u16(p + at - 2) == ETH_VLAN)
        at += ETH_TAG_LEN;
    unsigned type = seal_u16(p + at - 2);
    size_t end = at + (type == ETH_IP4   ? seal_u16(p + at + 2)
                       : type == ETH_IP6 ? IP6_HDR_LEN + seal_u16(p + at + 4) : 28);
    for (size_t i = end; i < f->frame_n; i++)
        if (p[i] != 0)
            fail_msg("padding byte %zu of %s %s is %02x", i, f->d.proto, f->d.info, p[i]);
    for (size_t i = 0; i + 4 <= f->frame_n; i++)
        if (p[i] == 0xa5 && p[i + 1] == 0xa5 && p[i + 2] == 0xa5 && p[i + 3] == 0xa5)
            fail_msg("memory that nobody wrote in %s %s", f->d.proto, f->d.info);
}

/* What left: bytes that went back to somebody, or on; questions of our own do not count. */
static unsigned take_output(struct tally *t)
{
    struct fx *f = t->f;
    unsigned n = 0;
    for (; fx_out(f); n++) {
        check_clean(f);
        if (!fx_is(f, "why in {\"ARP_REQUEST\", \"ARP_VERIFY\", \"ND_SOLICIT\", \"ND_VERIFY\"}"))
            t->bytes_out += f->frame_n > 60 ? f->frame_n : 0;
        if (fx_is(f, "ip && !(why in {\"FORWARD\", \"FRAGMENT\"})"))
            EXPECT(fx_is(f, "ip.checksum.status == 1 && ip.src in {10.0.0.0/8, 0.0.0.0}"));
    }
    return n;
}

/* Fragments that wait are copies: they are no packets any more. */
static uint64_t held(const struct fx *f)
{
    struct frag_info i;
    uint64_t n = 0;
    for (uint32_t at = 0; frag_each(&f->s->ip.frag, &at, &i);)
        n += i.held_bytes;
    return n;
}

static void feed(struct tally *t, const uint8_t *bytes, size_t n, int nif)
{
    struct fx *f = t->f;
    const struct pkt_mem *mem = f->s->env.mem;
    struct lens_frame lf = {.link = LENS_ETHERNET, .bytes = span_of(bytes, n), .number = 1};
    static struct dissection d;
    uint64_t drops = fx_drops_all(f), kept = held(f);
    uint32_t live = pkt_mem_live(mem);
    fx_in_bytes(f, nif, bytes, n);
    bool queued = pkt_mem_live(mem) > live || f->s->link.loop.n > 0 || held(f) != kept;
    bool dropped = fx_drops_all(f) > drops;
    bool answered = take_output(t) > 0;
    dissect(&lf, &d);
    bool news = !queued && !dropped && !answered;
    if (news && !filter_match(&t->is_news, &d))
        fail_msg("what became of %s > %s %s %s?", d.src, d.dst, d.proto, d.info);
    t->frames_in++;
    t->bytes_in += n;
    t->dropped += dropped;
    t->queued += queued;
    t->answered += answered;
    t->news += news;
    assert_true(t->bytes_out <= t->bytes_in + t->frames_in * 64);
    while (fx_recv(f, t->app) >= 0)
        continue;
    (void)fx_recv(f, t->talker);
}

static size_t mutate(struct rng *g, uint8_t *b, size_t n, size_t cap)
{
    for (uint64_t k = rng_below(g, 4); k > 0 && n > 0; k--) {
        size_t at = (size_t)rng_below(g, n);
        switch (rng_below(g, 7)) {
        case 0: b[at] ^= (uint8_t)(1u << rng_below(g, 8)); break;
        case 1: b[at] = (uint8_t)rng_u64(g); break;
        case 2: b[at] = 0; break;
        case 3: b[at] = 0xff; break;
        case 4: n = at; break;
        case 5:
            for (; n < cap && rng_below(g, 20) != 0; n++)
                b[n] = (uint8_t)(rng_u64(g) & 0x7f);
            break;
        case 6: b[at] = (uint8_t)(b[at] + 1); break;
        }
    }
    return n;
}

static void storm(bool router, unsigned frames, uint64_t seed)
{
    struct tally *t = tally_new(router);
    struct fx *f = t->f;
    struct rng g;
    rng_seed(&g, seed, router);
    for (unsigned i = 0; i < frames; i++) {
        const struct seed *s = &crafted[rng_below(&g, ARRAY_LEN(seeds))];
        uint8_t b[1600];
        memcpy(b, s->bytes, s->n);
        size_t n = mutate(&g, b, s->n, 1500);
        if (rng_below(&g, 2))
            seal_frame(b, n, true);
        feed(t, b, n, f->nif + (rng_below(&g, 8) == 0));
        if (rng_below(&g, 50) == 0) {
            fx_run(f, rng_below(&g, 3 * NS_PER_S));
            (void)fx_skip(f);                   /* what timers send answers nobody */
        }
    }
    EXPECT(t->answered > frames / 20);
    EXPECT(t->dropped > frames / 10);
    EXPECT(t->queued > 0);
    EXPECT(t->news > 0);
    /* in time everything that was parked is given up, and nothing is left */
    fx_run(f, 200 * NS_PER_S);
    (void)fx_skip(f);
    EXPECT_EQ(f->s->ip.frag.recs.live, 0);
    EXPECT_EQ(pkt_mem_live(f->s->env.mem), 0);
    EXPECT_EQ(f->s->budget.used, 0);
    tally_free(t);
}

TEST("a host accounts for every frame of thirty thousand that were changed at random")
{
    COVERS("INV-1 INV-2 INV-7 INV-8 S1 S37");
    storm(false, 30000, 1);
}

TEST("a router accounts for every frame of thirty thousand that were changed at random")
{
    COVERS("INV-1 INV-2 INV-7 INV-8 S1 S37");
    storm(true, 30000, 2);
}

TEST("every truncation of every seed is accounted for, with and without right checksums")
{
    COVERS("INV-1 INV-2 S1 S4 S5 S7");
    struct tally *t = tally_new(true);
    for (unsigned i = 0; i < ARRAY_LEN(seeds); i++) {
        for (size_t n = 0; n < crafted[i].n; n++) {
            uint8_t b[1600];
            memcpy(b, crafted[i].bytes, n);
            feed(t, b, n, t->f->nif);
            seal_frame(b, n, true);
            feed(t, b, n, t->f->nif);
        }
        fx_run(t->f, 10 * NS_PER_S);
        (void)fx_skip(t->f);
    }
    tally_free(t);
}

TEST("every byte of every seed set to nothing, one and everything is accounted for")
{
    COVERS("INV-1 INV-2 S1 S4 S31 S32");
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (unsigned router = 0; router < 2; router++) {
        struct tally *t = tally_new(router);
        for (unsigned i = 0; i < ARRAY_LEN(seeds); i++) {
            size_t n = crafted[i].n < 140 ? crafted[i].n : 140;
            for (size_t at = 12; at < n; at++) {
                for (unsigned k = 0; k < ARRAY_LEN(values); k++) {
                    uint8_t b[1600];
                    memcpy(b, crafted[i].bytes, crafted[i].n);
                    b[at] = values[k];
                    seal_frame(b, crafted[i].n, true);
                    feed(t, b, crafted[i].n, t->f->nif);
                }
            }
            fx_run(t->f, 10 * NS_PER_S);
            (void)fx_skip(t->f);
        }
        tally_free(t);
    }
}

TEST("memory that runs out at any moment costs packets and nothing else")
{
    COVERS("INV-1 S36");
    for (unsigned router = 0; router < 2; router++) {
        struct tally *t = tally_new(router);
        struct fx *f = t->f;
        struct rng g;
        rng_seed(&g, 3, router);
        for (unsigned i = 0; i < 20000; i++) {
            const struct seed *s = &crafted[rng_below(&g, ARRAY_LEN(seeds))];
            struct pkt *p = oriel_pkt_new(f->s, f->nif, s->bytes, s->n);
            f->s->budget.max = f->s->budget.used + 256 * rng_below(&g, 24);
            if (p)
                oriel_step(f->s, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1});
            (void)fx_send(f, rng_below(&g, 2) ? "10.0.0.33" : "2001:db8::33", "x");
            if (rng_below(&g, 20) == 0)
                fx_run(f, rng_below(&g, NS_PER_S));
            (void)fx_skip(f);
            while (fx_recv(f, t->app) >= 0)
                continue;
            f->s->budget.max = f->s->limits.packet_bytes;
        }
        EXPECT(f->s->budget.refused > 1000);
        fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / icmp echo");
        EXPECT(fx_out_until(f, "icmp.type == 0"));
        tally_free(t);
    }
}

TEST("the same seed and the same frames make the same bytes at the same times")
{
    COVERS("INV-5");
    uint64_t sum[2] = {0};
    for (unsigned run = 0; run < 2; run++) {
        struct tally *t = tally_new(true);
        struct fx *f = t->f;
        struct rng g;
        rng_seed(&g, 4, 4);
        for (unsigned i = 0; i < 3000; i++) {
            const struct seed *s = &crafted[rng_below(&g, ARRAY_LEN(seeds))];
            fx_in_bytes(f, f->nif, s->bytes, s->n);
            if (rng_below(&g, 10) == 0)
                fx_run(f, rng_below(&g, NS_PER_S));
            while (fx_out(f))
                for (size_t k = 0; k < f->frame_n; k++)
                    sum[run] = hash_2(sum[run], f->frame[k], f->out_at);
            while (fx_recv(f, t->app) >= 0)
                continue;
        }
        tally_free(t);
    }
    EXPECT(sum[0] == sum[1]);
}
