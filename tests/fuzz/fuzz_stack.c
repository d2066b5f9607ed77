/*
 * A whole stack and everything that a link may do to it. The first byte says what it is: a host, a
 * router, one that translates. What follows are orders: a frame in (as it is, or with its checksums
 * put right, for no fuzzer guesses them), time, a datagram out, an interface that goes and comes. In
 * the end nothing may be alive.
 */
#include "fuzz.h"

#include "stack/stack.h"
#include "wire/ip6.h"

#define MEMORY ((size_t)2 << 20)
#define LOOKS  64               /* steps at one moment before it counts as going round in circles */

enum mode {
    MODE_FORWARD = 1,
    MODE_NAT = 2,
    MODE_LOOPBACK = 4,
    MODE_VLAN = 8,
    MODE_RAW = 16,
    MODE_AUTO = 32,             /* addresses from routers, probed */
    MODE_REDIRECTS = 64,
    MODE_STRONG = 128,
};

enum order {
    ORDER_FRAME,
    ORDER_SEALED,
    ORDER_TIME,
    ORDER_SEND,
    ORDER_JOIN,
    ORDER_IF_DOWN,
    ORDER_IF_UP,
    ORDER_IF_AGAIN,             /* removed, and added again */
    ORDER_ADDR,
    ORDER_NEIGH,
    ORDER_N,
};

struct target {
    struct oriel_stack *s;
    oriel_handle udp, six, raw;
    unsigned mode;
};

static struct oriel_addr addr_of(const char *text)
{
    struct oriel_addr a;
    FUZZ_CHECK(oriel_addr_parse(text, &a) == 0);
    return a;
}

static void add(struct target *t, int nif, const char *text)
{
    struct oriel_addr a;
    uint8_t len;
    FUZZ_CHECK(oriel_prefix_parse(text, &a, &len) == 0);
    int err = oriel_addr_add(t->s, nif, &a, len);
    FUZZ_CHECK(err == 0 || err == ORIEL_EEXIST || err == ORIEL_ENOBUFS);
}

static void add_first(struct target *t)
{
    struct oriel_netif_config c = {.name = "a", .mac = {2, 0, 0, 0, 0, 1}, .ip6 = true,
                                   .accept_ra = t->mode & MODE_AUTO, .probe4 = t->mode & MODE_AUTO,
                                   .no_dad = !(t->mode & MODE_AUTO)};
    int nif = oriel_netif_add(t->s, &c);
    FUZZ_CHECK(nif == 1);
    add(t, nif, "10.0.0.1/24");
    add(t, nif, "fe80::1/64");
    add(t, nif, "2001:db8::1/64");
}

static void add_others(struct target *t)
{
    struct oriel_netif_config c = {.name = "b", .mac = {2, 0, 0, 0, 0, 2}, .no_dad = true,
                                   .nat = t->mode & MODE_NAT, .mtu = 576,
                                   .kind = t->mode & MODE_RAW ? ORIEL_NETIF_RAW : ORIEL_NETIF_ETHER};
    struct oriel_netif_config lo = {.name = "lo", .kind = ORIEL_NETIF_LOOPBACK};
    struct oriel_netif_config v = {.name = "v", .kind = ORIEL_NETIF_VLAN, .vlan_parent = 2,
                                   .vlan_id = 7, .ip6 = true};
    FUZZ_CHECK(oriel_netif_add(t->s, &c) == 2);
    add(t, 2, "10.0.1.1/24");
    add(t, 2, "2001:db8:1::1/64");
    if (t->mode & MODE_LOOPBACK)
        FUZZ_CHECK(oriel_netif_add(t->s, &lo) > 0);
    if ((t->mode & MODE_VLAN) && !(t->mode & MODE_RAW)) {
        int nif = oriel_netif_add(t->s, &v);
        FUZZ_CHECK(nif > 0);
        add(t, nif, "10.0.2.1/24");
    }
}

static void add_routes(struct target *t)
{
    struct oriel_addr none4 = addr_of("0.0.0.0"), none6 = addr_of("::");
    struct oriel_addr gw4 = addr_of("10.0.1.2"), gw6 = addr_of("2001:db8::2");
    int err = oriel_route_add(t->s, &none4, 96, &gw4, 2, 0);
    FUZZ_CHECK(err == 0);
    err = oriel_route_add(t->s, &none6, 0, &gw6, 1, 0);
    FUZZ_CHECK(err == 0);
}

static void open_sockets(struct target *t)
{
    struct oriel_endpoint any = {.port = 5000};
    FUZZ_CHECK(oriel_udp_open(t->s, ORIEL_DUAL, &t->udp) == 0);
    FUZZ_CHECK(oriel_bind(t->s, t->udp, &any) == 0);
    FUZZ_CHECK(oriel_setopt(t->s, t->udp, ORIEL_OPT_BROADCAST, 1) == 0);
    FUZZ_CHECK(oriel_icmp_open(t->s, ORIEL_IP4, &t->raw) == 0);
    FUZZ_CHECK(oriel_icmp_open(t->s, ORIEL_IP6, &t->six) == 0);
}

static void make(struct target *t, unsigned mode, void *memory)
{
    struct oriel_config c;
    oriel_config_init(&c);
    bool router = mode & MODE_FORWARD;
    c.memory = memory;
    c.memory_bytes = MEMORY;
    c.connections = 16;
    c.now = NS_PER_S;
    c.icmp_per_s = 1000;
    c.trace_events = 64;
    c.forward4 = c.forward6 = router;
    c.strong_host = mode & MODE_STRONG;
    c.send_redirects = router && (mode & MODE_REDIRECTS);
    c.accept_redirects = !router && (mode & MODE_REDIRECTS);
    c.echo_group = true;
    *t = (struct target){.s = oriel_create(&c), .mode = mode};
    FUZZ_CHECK(t->s != NULL);
    add_first(t);
    add_others(t);
    add_routes(t);
    open_sockets(t);
}

/* Everything that left is thrown away, everything to be read is read. */
static void drain(struct target *t)
{
    static uint8_t buf[2048];
    const oriel_handle all[] = {t->udp, t->six, t->raw};
    struct oriel_msg m;
    struct pkt *p;
    for (int nif = 1; nif <= 4; nif++)
        while (oriel_netif_take(t->s, nif, &p, 1) == 1)
            oriel_pkt_free(p);
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        for (int n = 0; n != ORIEL_EAGAIN;)
            n = oriel_recv(t->s, all[i], buf, sizeof(buf), &m);
}

static void step(struct target *t, struct pkt *p)
{
    struct pkt_batch batch = {.pkts = &p, .n = p ? 1 : 0};
    oriel_step(t->s, t->s->env.now, &batch);
    drain(t);
    for (unsigned i = 0; t->s->link.loop.n > 0; i++) {
        FUZZ_CHECK(i < LOOKS);
        oriel_step(t->s, t->s->env.now, NULL);
        drain(t);
    }
}

static void pass(struct target *t, oriel_time d)
{
    oriel_time end = t->s->env.now + d;
    for (unsigned i = 0; i < 1000 && oriel_next_deadline(t->s) < end; i++) {
        oriel_time next = oriel_next_deadline(t->s);
        oriel_step(t->s, next > t->s->env.now ? next : t->s->env.now, NULL);
        drain(t);
    }
    oriel_step(t->s, end, NULL);
    drain(t);
}

/* ---- checksums ---- */

static void put16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

/* The sum of a transport's message, whose field is at that offset. */
static void seal_transport(uint8_t *b, size_t n, unsigned proto, const struct oriel_addr *src,
                           const struct oriel_addr *dst)
{
    size_t at = proto == IP_UDP ? 6 : proto == IP_TCP ? 16 : 2;
    bool known = proto == IP_UDP || proto == IP_TCP || proto == IP_ICMP || proto == IP_ICMP6 ||
                 proto == IP_IGMP;
    if (!known || n < at + 2)
        return;
    put16(b + at, 0);
    uint32_t sum = csum_span(csum_ops_for(0), span_of(b, n));
    if (proto != IP_ICMP && proto != IP_IGMP)
        sum = csum_add(sum, csum_pseudo(src, dst, (uint8_t)proto, (uint32_t)n));
    uint16_t c = csum_finish(sum);
    put16(b + at, c == 0 && proto == IP_UDP ? 0xffff : c);
}

static void seal4(uint8_t *b, size_t n)
{
    size_t hdr = (size_t)(b[0] & 15) * 4;
    if (hdr < IP4_HDR_LEN || hdr > n)
        return;
    size_t total = (size_t)b[2] << 8 | b[3];
    if (total < hdr || total > n) {
        total = n;
        put16(b + 2, (uint16_t)n);
    }
    struct rd r = rd_of(span_of(b + 12, 8));
    struct oriel_addr src = rd_addr4(&r), dst = rd_addr4(&r);
    if (((b[6] & 0x3f) | b[7]) == 0)
        seal_transport(b + hdr, total - hdr, b[9], &src, &dst);
    put16(b + 10, 0);
    put16(b + 10, csum_finish(csum_span(csum_ops_for(0), span_of(b, hdr))));
}

static void seal6(uint8_t *b, size_t n)
{
    size_t len = (size_t)b[4] << 8 | b[5];
    if (len > n - IP6_HDR_LEN) {
        len = n - IP6_HDR_LEN;
        put16(b + 4, (uint16_t)len);
    }
    struct rd r = rd_of(span_of(b + 8, 32));
    struct oriel_addr src = rd_addr6(&r), dst = rd_addr6(&r);
    struct rd body = rd_of(span_of(b + IP6_HDR_LEN, len));
    uint8_t next = b[6];
    struct ip6_ext e;
    for (unsigned i = 0; i < 8 && ip6_is_ext(next) && next != IP_FRAGMENT; i++) {
        if (!ip6_ext_parse(&body, next, &e))
            return;
        next = e.next;
    }
    seal_transport(b + IP6_HDR_LEN + len - rd_left(&body), rd_left(&body), next, &src, &dst);
}

static void seal(uint8_t *b, size_t n)
{
    if (n >= IP4_HDR_LEN && b[0] >> 4 == 4)
        seal4(b, n);
    else if (n >= IP6_HDR_LEN && b[0] >> 4 == 6)
        seal6(b, n);
}

static void frame(struct target *t, int nif, uint8_t *b, size_t n, bool sealed)
{
    const struct netif *at = netif_at(&t->s->link, (uint32_t)nif);
    size_t skip = at && at->kind == NETIF_RAW ? 0 : ETH_HDR_LEN;
    if (sealed && n >= skip)
        seal(b + skip, n - skip);
    struct pkt *p = oriel_pkt_new(t->s, nif, b, n);
    if (p)
        step(t, p);
}

/* ---- orders ---- */

static void again(struct target *t)
{
    FUZZ_CHECK(oriel_netif_remove(t->s, 1) == 0);
    step(t, NULL);
    add_first(t);
}

static void talk(struct target *t, unsigned n)
{
    static const char *const to[] = {"10.0.0.2", "2001:db8::2", "10.0.0.1", "fe80::1%1",
                                     "224.1.1.1", "ff02::99%1", "10.0.1.255", "127.0.0.1", "::1", "10.0.1.2",
                                     "2001:db8:1::9", "192.0.2.1"};
    static const uint8_t data[3000];
    struct oriel_msg m = {.peer = {.addr = addr_of(to[n % ARRAY_LEN(to)]), .port = 5000}};
    int err = oriel_send(t->s, t->udp, data, n * 12 % sizeof(data), &m);
    (void)err;
    step(t, NULL);
}

static void join(struct target *t, unsigned n)
{
    struct oriel_addr g = addr_of(n & 1 ? "ff02::99" : "224.1.1.1");
    struct oriel_addr src = addr_of(n & 1 ? "2001:db8::2" : "10.0.0.2");
    int nif = 1 + (n >> 1 & 1);
    int err = n & 4 ? oriel_group_leave(t->s, t->udp, nif, &g)
                    : oriel_group_join(t->s, t->udp, nif, &g, n & 8, &src, n & 16 ? 1 : 0);
    (void)err;
    step(t, NULL);
}

static void change(struct target *t, enum order o, unsigned n)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
    struct oriel_addr a = addr_of(n & 1 ? "10.0.0.77" : "2001:db8::77");
    int err = 0;
    if (o == ORDER_ADDR)
        err = n & 2 ? oriel_addr_remove(t->s, 1, &a)
                    : oriel_addr_add(t->s, 1, &a, n & 1 ? 120 : 64);
    else
        err = n & 2 ? oriel_neigh_remove(t->s, 1, &a) : oriel_neigh_add(t->s, 1, &a, mac);
    (void)err;
    step(t, NULL);
}

static void obey(struct target *t, enum order o, unsigned arg, uint8_t *b, size_t n)
{
    int nif = 1 + (int)(arg % 2), err;
    switch (o) {
    case ORDER_FRAME:    frame(t, nif, b, n, false); return;
    case ORDER_SEALED:   frame(t, nif, b, n, true); return;
    case ORDER_TIME:     pass(t, (oriel_time)arg * arg * 10 * NS_PER_MS); return;
    case ORDER_SEND:     talk(t, arg); return;
    case ORDER_JOIN:     join(t, arg); return;
    case ORDER_IF_DOWN:
    case ORDER_IF_UP:
        err = oriel_netif_set_up(t->s, nif, o == ORDER_IF_UP);
        FUZZ_CHECK(err == 0);
        step(t, NULL);
        return;
    case ORDER_IF_AGAIN: again(t); return;
    case ORDER_ADDR:
    case ORDER_NEIGH:    change(t, o, arg); return;
    case ORDER_N:        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t memory[MEMORY];
    static uint8_t b[4096];
    struct target t;
    struct rd r = rd_of(span_of(data, size));
    make(&t, rd_u8(&r), memory);
    for (unsigned i = 0; i < 64 && rd_left(&r) >= 2; i++) {
        enum order o = (enum order)(rd_u8(&r) % ORDER_N);
        unsigned arg = rd_u8(&r);
        size_t n = 0;
        if (o <= ORDER_SEALED) {
            n = rd_u16(&r);
            n = n < rd_left(&r) ? n : rd_left(&r);
            n = n < sizeof(b) ? n : sizeof(b);
            rd_copy(&r, b, n);
        }
        obey(&t, o, arg, b, n);
    }
    oriel_destroy(t.s);                 /* asserts that nothing leaked */
    struct arena a;
    arena_init(&a, memory, MEMORY);     /* what pools poisoned is good again */
    return 0;
}
