/*
 * One TCP on one bare IP interface, without sockets: for tests of what happens before a connection
 * has a socket and after it has none. Addresses 10.0.0.1/24, 2001:db8::1/64 and fe80::1/64 are
 * ours.
 *
 *     struct fx_tcp *f = fx_tcp(.cookies = ORIEL_COOKIES_ALWAYS);     fields of oriel_tcp_config
 *     struct tcp_listener *l = fx_listener(f, 80);
 *     fx_seg(f, .flags = TCP_SYN, .seq = 1000, .mss = 1460);  from 10.0.0.2, port 4000, to port 80
 *     EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);          the next segment that left, in f->out
 *     fx_seg(f, .flags = TCP_ACK, .seq = 1001, .ack = f->out.h.seq.v + 1);
 *     EXPECT_NO_SEG(f);
 *     fx_tcp_free(f);                                         nothing may be alive
 *
 * Segments come in through the IP layer and leave through it. fx_tcp_pass lets time go by: timers
 * fire at their own nanosecond.
 */
#ifndef ORIEL_TESTS_TCP_FX_TCP_H
#define ORIEL_TESTS_TCP_FX_TCP_H

#include "fixture.h"

#include "tcp/tcp.h"
#include "wire/ip6.h"

#define FX_ISS 1000u            /* of peers, where a test does not care */

struct fx_sent {                /* a packet that left */
    struct oriel_addr src, dst;
    struct tcp_hdr h;           /* its options stand in `bytes` */
    struct tcp_opts o;
    uint32_t len;               /* payload */
    uint8_t proto, tos;
    enum why why;
    uint8_t bytes[2048];
    size_t n;
};

struct fx_tcp {
    struct fx_env fx;
    struct link link;
    struct ip ip;
    struct tcp tcp;
    struct netif *nif;
    struct fx_sent out;
    uint32_t half_open, time_wait;      /* capacities */
};

/* A segment that comes in; what is not said is as below. */
struct fx_segment {
    const char *from, *to;      /* "10.0.0.2", "10.0.0.1" */
    uint16_t port, to_port;     /* 4000, 80 */
    uint16_t flags;
    uint32_t seq, ack;
    uint16_t wnd;               /* 65535; UINT16_MAX - 1 for others: none is special */
    uint8_t tos;
    uint16_t mss;               /* 0: no such option; MSS 0 is 0xffff here */
    int wscale;                 /* 0: no such option; else the shift + 1 */
    bool sack;
    bool ts;
    uint32_t ts_val, ts_ecr;
    bool tfo;
    struct span cookie;
    uint16_t len;
    uint16_t nif;
};

/* ---- made, and taken down ---- */

static inline struct oriel_addr fx_addr(const char *text)
{
    struct oriel_addr a;
    if (!addr_parse(span_str(text), &a))
        fail_msg("not an address: %s", text);
    return a;
}

static inline void fx_own(struct fx_tcp *f, const char *text, uint8_t len)
{
    struct oriel_addr a = fx_addr(text);
    struct ifaddr *made;
    EXPECT_EQ(ifaddr_add(&f->ip, f->nif->index, &a, len, ADDR_STATIC, &made), 0);
}

static inline void fx_tcp_drain(struct fx_tcp *f)
{
    struct pkt *p;
    while (link_take(&f->link, f->nif, &p, 1) == 1)
        pkt_free(p);
    pkt_queue_free(&f->link.loop);
}

static inline struct fx_tcp *fx_tcp_make(const struct oriel_tcp_config *cfg, uint32_t half_open,
                                         uint32_t time_wait, uint32_t conns)
{
    struct fx_tcp *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    fx_env_init_sized(&f->fx, (size_t)8 << 20, (size_t)2 << 20);
    const struct ip_limits ipl = {.addrs = 32, .routes = 64, .neighs = 64, .frags = 8, .pmtus = 32,
                                  .groups = 24, .nat_sessions = 32, .frag_bytes = 1u << 20};
    const struct tcp_limits l = {.conns = conns, .flights = conns, .records = 4096, .ranges = 1024,
                                 .profiles = 64, .listeners = 64, .half_open = half_open,
                                 .time_wait = time_wait};
    const struct oriel_netif_config nc = {.name = "tun", .kind = ORIEL_NETIF_RAW, .mtu = 1500,
                                          .no_dad = true};
    EXPECT(link_init(&f->link, &f->fx.env, &f->fx.arena, 8));
    EXPECT(ip_init(&f->ip, &f->fx.env, &f->link, &f->fx.arena, &ipl));
    f->ip.set.ttl = IP_TTL_DEFAULT;
    f->ip.set.icmp_per_s = 1000;
    EXPECT_EQ(netif_add(&f->link, &nc, &f->nif), 0);
    ip_if_attach(&f->ip, f->nif, &nc);
    fx_own(f, "10.0.0.1", 120);
    fx_own(f, "2001:db8::1", 64);
    fx_own(f, "fe80::1", 64);
    EXPECT(tcp_init(&f->tcp, &f->fx.env, &f->ip, &f->fx.arena, &l, cfg));
    fx_tcp_drain(f);            /* reports of groups that our addresses are in */
    return f;
}

#define fx_tcp(...) fx_tcp_make(&(struct oriel_tcp_config){__VA_ARGS__}, 64, 64, 64)

static inline void fx_tcp_free(struct fx_tcp *f)
{
    struct list *node;
    while ((node = list_first(&f->tcp.listen.all)) != NULL)
        tcp_listen_stop(&f->tcp, CONTAINER_OF(node, struct tcp_listener, node));
    tcp_fini(&f->tcp);
    assert_int_equal(f->tcp.conns.live, 0);
    assert_int_equal(f->tcp.half.pool.live, 0);
    assert_int_equal(f->tcp.profiles.live, 0);
    ip_fini(&f->ip);
    fx_tcp_drain(f);
    fx_env_fini(&f->fx);
    free(f);
}

/* ---- listeners ---- */

static inline struct tcp_listener *fx_listen_as(struct fx_tcp *f, const char *addr, uint16_t port,
                                                const struct oriel_listen *how,
                                                const struct tcp_profile *as)
{
    struct oriel_endpoint at = {.addr = addr ? fx_addr(addr) : ADDR_NONE, .port = port};
    struct tcp_profile *prof = tcp_profile_get(&f->tcp, as);
    struct tcp_listener *l = NULL;
    int err = tcp_listen_start(&f->tcp, &at, how, ORIEL_DUAL, 1, prof, &l);
    tcp_profile_put(&f->tcp, prof);
    return err == 0 ? l : NULL;
}

static inline struct tcp_listener *fx_listener(struct fx_tcp *f, uint16_t port)
{
    struct tcp_profile p = tcp_profile_default(&f->tcp);
    return fx_listen_as(f, NULL, port, NULL, &p);
}

/* ---- in ---- */

static inline struct span fx_segment_opts(const struct fx_segment *s, uint8_t *buf)
{
    struct tcp_opts o = {.mss = s->mss == 0xffff ? 0 : s->mss, .sack_perm = s->sack,
                         .wscale = (uint8_t)(s->wscale - 1), .ts_val = s->ts_val,
                         .ts_ecr = s->ts_ecr, .fastopen = s->cookie};
    uint8_t kinds[8], n = 0;
    struct wr w = wr_of(buf, TCP_OPTS_MAX);
    if (s->mss)
        kinds[n++] = TCP_OPT_MSS;
    if (s->wscale)
        kinds[n++] = TCP_OPT_WSCALE;
    if (s->sack)
        kinds[n++] = TCP_OPT_SACK_PERM;
    if (s->ts)
        kinds[n++] = TCP_OPT_TS;
    if (s->tfo)
        kinds[n++] = TCP_OPT_FASTOPEN;
    tcp_opts_emit(&w, &o, kinds, n);
    EXPECT(!w.bad);
    return wr_span(&w);
}

static inline struct pkt *fx_segment_build(struct fx_tcp *f, const struct fx_segment *s)
{
    uint8_t opts[TCP_OPTS_MAX];
    struct oriel_addr src = fx_addr(s->from ? s->from : "10.0.0.2");
    struct oriel_addr dst = fx_addr(s->to ? s->to : "10.0.0.1");
    struct tcp_hdr h = {.src_port = s->port ? s->port : 4000,
                        .dst_port = s->to_port ? s->to_port : 80,
                        .seq = seq_of(s->seq), .ack = seq_of(s->ack), .flags = s->flags,
                        .wnd = s->wnd ? s->wnd : 65535, .opts = fx_segment_opts(s, opts)};
    bool v4 = addr_is_v4(&src);
    size_t ip_len = v4 ? IP4_HDR_LEN : IP6_HDR_LEN, tcp_len = TCP_HDR_LEN + h.opts.n + s->len;
    struct pkt *p = pkt_new(&f->fx.env, PKT_HEADROOM, ip_len + tcp_len);
    assert_non_null(p);
    struct wr w = wr_of(pkt_data(p), ip_len + tcp_len);
    if (v4)
        ip4_emit(&w, &(struct ip4_hdr){.total_len = (uint16_t)(ip_len + tcp_len), .ttl = 64,
                                       .tos = s->tos, .proto = IP_TCP, .src = src, .dst = dst});
    else
        ip6_emit(&w, &(struct ip6_hdr){.payload_len = (uint16_t)tcp_len, .next = IP_TCP,
                                       .tclass = s->tos, .hop_limit = 64, .src = src, .dst = dst});
    tcp_emit(&w, &h);
    for (unsigned i = 0; i < s->len; i++)
        wr_u8(&w, (uint8_t)('a' + i % 26));
    EXPECT(!w.bad);
    uint64_t sum = csum_wide_add(csum_wide_pseudo(&src, &dst, IP_TCP, 0), tcp_len);
    sum = csum_wide_add(sum, pkt_sum(&f->fx.env, p, ip_len, tcp_len));
    tcp_patch_csum(pkt_data(p) + ip_len, csum_wide_finish(sum));
    p->nif = s->nif ? s->nif : f->nif->index;
    return p;
}

static inline void fx_segment_in(struct fx_tcp *f, const struct fx_segment *s)
{
    struct pkt *p = fx_segment_build(f, s);
    struct ip_rx rx;
    enum link_verdict to = link_input(&f->link, p);
    enum ip_verdict v = to == LINK_TO_IP4 ? ip4_input(&f->ip, &p, &rx) : ip6_input(&f->ip, &p, &rx);
    if (v == IP_TO_TCP)
        tcp_input(&f->tcp, p, &rx);
    else
        assert_null(p);
}

#define fx_seg(f, ...) fx_segment_in(f, &(struct fx_segment){__VA_ARGS__})

/* ---- time ---- */

static inline void fx_tcp_fire(struct fx_tcp *f, struct timer *t)
{
    if (t->kind == TIMER_TCP)
        tcp_on_timer(&f->tcp, CONTAINER_OF(t, struct tcp_conn, timer.wake));
    else if (t->kind == TIMER_TCP_HALF_OPEN)
        tcp_halfopen_on_timer(&f->tcp);
    else if (t->kind == TIMER_TCP_TIME_WAIT)
        tcp_timewait_on_timer(&f->tcp);
    else if (t->kind == TIMER_TCP_SHORTAGE)
        tcp_shortage_on_timer(&f->tcp);
}

static inline void fx_tcp_until(struct fx_tcp *f, oriel_time end)
{
    struct env *env = &f->fx.env;
    while (wheel_next(&env->wheel) <= end) {
        struct timer *t;
        oriel_time next = wheel_next(&env->wheel);
        env->now = next > env->now ? next : env->now;
        while ((t = wheel_pop(&env->wheel, env->now)) != NULL)
            fx_tcp_fire(f, t);
    }
    env->now = end;
}

static inline void fx_tcp_pass(struct fx_tcp *f, oriel_time d)
{
    fx_tcp_until(f, f->fx.env.now + d);
}

/* ---- out ---- */

static inline void fx_sent_parse(struct fx_sent *o)
{
    struct rd r = rd_of(span_of(o->bytes, o->n));
    if (o->bytes[0] >> 4 == 4) {
        struct ip4_hdr h;
        EXPECT(ip4_parse(&r, &h));
        o->src = h.src, o->dst = h.dst, o->proto = h.proto, o->tos = h.tos;
    } else {
        struct ip6_hdr h;
        EXPECT(ip6_parse(&r, &h));
        o->src = h.src, o->dst = h.dst, o->proto = h.next, o->tos = h.tclass;
    }
    if (o->proto != IP_TCP)
        return;
    size_t len = rd_left(&r);
    const uint8_t *tcp = r.p;
    uint64_t sum = csum_wide_add(csum_wide_pseudo(&o->src, &o->dst, IP_TCP, 0), len);
    EXPECT(csum_wide_good(csum_wide_add(sum, csum_portable.sum(tcp, len))));
    EXPECT(tcp_parse(&r, &o->h));
    struct rd opts = rd_of(o->h.opts);
    o->o = (struct tcp_opts){0};
    EXPECT(tcp_opts_parse(&opts, &o->o));
    o->len = (uint32_t)rd_left(&r);
}

/* The next packet that leaves, into f->out. */
static inline bool fx_sent_next(struct fx_tcp *f)
{
    struct pkt *p;
    if (f->nif->tx.n == 0)
        tcp_take(&f->tcp, f->nif->index, 16);
    if (link_take(&f->link, f->nif, &p, 1) != 1)
        return false;
    f->out = (struct fx_sent){.why = (enum why)p->why, .n = pkt_len(p)};
    assert_true(f->out.n <= sizeof(f->out.bytes));
    pkt_read(p, 0, f->out.bytes, f->out.n);
    pkt_free(p);
    fx_sent_parse(&f->out);
    return true;
}

#define EXPECT_SEG(f, flags_, why_)                                                                \
    do {                                                                                           \
        if (!fx_sent_next(f))                                                                      \
            fail_msg("nothing was sent: %s", #why_);                                               \
        if ((f)->out.proto != IP_TCP || (f)->out.h.flags != (flags_) || (f)->out.why != (why_))    \
            fail_msg("not %s %s but flags %x %s", #flags_, #why_, (f)->out.h.flags,                \
                     why_of((f)->out.why)->name);                                                  \
        EXPECT_WHY(&(f)->fx.env, why_);                                                            \
    } while (0)

#define EXPECT_NO_SEG(f)                                                                           \
    do {                                                                                           \
        if (fx_sent_next(f))                                                                       \
            fail_msg("sent: flags %x %s", (f)->out.h.flags, why_of((f)->out.why)->name);           \
    } while (0)

static inline uint64_t fx_tcp_drops(const struct fx_tcp *f)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < DROP_N; i++)
        n += f->fx.env.drop_count[i];
    return n;
}

/* The statement makes one drop, for that reason. */
#define EXPECT_SEG_DROP(f, reason, statement)                                                      \
    do {                                                                                           \
        uint64_t fx_before = (f)->fx.env.drop_count[DROP_##reason], fx_all = fx_tcp_drops(f);      \
        statement;                                                                                 \
        if ((f)->fx.env.drop_count[DROP_##reason] != fx_before + 1 ||                              \
            fx_tcp_drops(f) != fx_all + 1)                                                         \
            fail_msg("not one drop by %s: %s", #reason, #statement);                               \
        EXPECT_DROPPED(&(f)->fx.env, DROP_##reason);                                               \
    } while (0)

/* ---- handshakes ---- */

/* A SYN of a peer that can everything, from that port; the SYN-ACK is then in f->out. */
static inline void fx_syn(struct fx_tcp *f, uint16_t port)
{
    fx_seg(f, .flags = TCP_SYN, .port = port, .seq = FX_ISS, .mss = 1460, .wscale = 8, .sack = true,
           .ts = true, .ts_val = 5000);
    EXPECT_SEG(f, TCP_SYN | TCP_ACK, WHY_SYN_ACK);
}

/* Its acknowledgement of what is in f->out. */
static inline void fx_ack(struct fx_tcp *f, uint16_t port)
{
    fx_seg(f, .flags = TCP_ACK, .port = port, .seq = FX_ISS + 1, .ack = f->out.h.seq.v + 1,
           .ts = f->out.o.has_ts, .ts_val = 5001, .ts_ecr = f->out.o.ts_val);
}

static inline struct tcp_tuple fx_tuple(const char *local, uint16_t local_port, const char *remote,
                                        uint16_t remote_port)
{
    struct oriel_addr a = fx_addr(local), b = fx_addr(remote);
    return (struct tcp_tuple){.local_hi = a.hi, .local_lo = a.lo, .remote_hi = b.hi,
                              .remote_lo = b.lo, .zone = a.zone | b.zone,
                              .local_port = local_port, .remote_port = remote_port};
}

#endif
