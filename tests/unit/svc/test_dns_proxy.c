/* A proxy on b, a client on a, and we are the world outside. */
#include "svc/fx_svc.h"

#include "svc/dns_proxy.h"

#define CLIENT_ID 0x4242

struct fx {
    struct fx_svc *net;
    struct dns_proxy p;
    struct dns_proxy_config cfg;
    oriel_handle udp;           /* the client's */
    uint8_t reply[8192];
    size_t reply_n;
};

static oriel_time step(void *ctx, oriel_time now)
{
    struct fx *f = ctx;
    return dns_proxy_step(&f->p, now);
}

static struct fx *fx_new(uint32_t asks, uint32_t cache)
{
    struct fx *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->net = fx_svc_new();
    f->cfg = (struct dns_proxy_config){.stack = f->net->b->stack, .asks = asks, .seed = {3},
                                       .cache_entries = cache,
                                       .memory_bytes = dns_proxy_memory(asks, cache),
                                       .listen = {{.addr = fx_svc_ip("10.0.0.2")},
                                                  {.addr = fx_svc_ip("fd00::2")}}, .listen_n = 2};
    f->cfg.memory = malloc(f->cfg.memory_bytes);
    memset(f->cfg.memory, 0xa5, f->cfg.memory_bytes);
    EXPECT_EQ(dns_proxy_start(&f->p, &f->cfg), 0);
    f->net->step = step;
    f->net->ctx = f;
    EXPECT_EQ(oriel_udp_open(f->net->a->stack, ORIEL_DUAL, &f->udp), 0);
    return f;
}

static void fx_free(struct fx *f)
{
    struct arena a;
    dns_proxy_stop(&f->p);
    arena_init(&a, f->cfg.memory, f->cfg.memory_bytes);         /* unpoisoned */
    free(f->cfg.memory);
    fx_svc_free(f->net);
    free(f);
}

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    assert_true(dns_name_of(span_str(text), &n));
    return n;
}

/* A question as a client writes it; edns: the size that it takes, 0 without. */
static size_t question(uint8_t *buf, size_t cap, const char *name, uint16_t type, uint16_t edns)
{
    struct wr w = wr_of(buf, cap);
    struct dns_hdr h = {.id = CLIENT_ID, .rd = true, .questions_n = 1, .additional_n = edns > 0};
    struct dns_question q = {.name = name_of(name), .qtype = type, .qclass = DNS_IN};
    struct dns_rr opt = {.name = {.n = 1, .b = {0}}, .type = DNS_OPT, .rclass = edns};
    struct dns_data nothing = {.raw = {buf, 0}};
    dns_emit(&w, &h);
    dns_question_emit(&w, &q);
    if (edns > 0)
        dns_rr_emit(&w, &opt, &nothing, NULL);
    assert_false(w.bad);
    return wr_len(&w);
}

static void ask_edns(struct fx *f, const char *to, const char *name, uint16_t type, uint16_t edns)
{
    uint8_t buf[512];
    struct oriel_msg m = {.peer = {.addr = fx_svc_ip(to), .port = 53}};
    size_t n = question(buf, sizeof(buf), name, type, edns);
    EXPECT_EQ(oriel_send(f->net->a->stack, f->udp, buf, n, &m), (int)n);
    fx_svc_run(f->net, 10 * NS_PER_MS);
}

static void ask(struct fx *f, const char *name)
{
    ask_edns(f, "10.0.0.2", name, DNS_A, 0);
}

/* Of that message the header, and its question's first address. */
static struct dns_hdr header_of(struct span msg)
{
    struct rd r = rd_of(msg);
    struct dns_hdr h;
    EXPECT(dns_parse(&r, &h));
    return h;
}

/* The next question outside: its id. */
static struct dns_hdr outside(struct fx *f, struct dns_proxy_out *out)
{
    EXPECT(dns_proxy_next(&f->p, out));
    return header_of(out->msg);
}

/* An answer with so many addresses, under that id. */
static bool answer(struct fx *f, uint16_t id, const char *name, unsigned addrs, uint32_t ttl_s)
{
    uint8_t buf[4096];
    struct wr w = wr_of(buf, sizeof(buf));
    struct dns_hdr h = {.id = id, .is_response = true, .rd = true, .ra = true, .questions_n = 1,
                        .answers_n = (uint16_t)addrs};
    struct dns_question q = {.name = name_of(name), .qtype = DNS_A, .qclass = DNS_IN};
    struct dns_rr rr = {.name = q.name, .type = DNS_A, .rclass = DNS_IN, .ttl_s = ttl_s};
    dns_emit(&w, &h);
    dns_question_emit(&w, &q);
    for (unsigned i = 0; i < addrs; i++) {
        struct dns_data d = {.addr = addr_v4(0x0a090000 + i)};
        dns_rr_emit(&w, &rr, &d, &q.name);
    }
    assert_false(w.bad);
    bool taken = dns_proxy_answer(&f->p, fx_svc_now(f->net), wr_span(&w));
    fx_svc_run(f->net, 10 * NS_PER_MS);
    return taken;
}

/* What the client got; its header. */
static struct dns_hdr heard(struct fx *f)
{
    int n = oriel_recv(f->net->a->stack, f->udp, f->reply, sizeof(f->reply), NULL);
    EXPECT(n > 0);
    f->reply_n = (size_t)n;
    struct dns_hdr h = header_of(span_of(f->reply, f->reply_n));
    EXPECT(h.id == CLIENT_ID && h.is_response && h.questions_n == 1);
    return h;
}

static bool silent(struct fx *f)
{
    return oriel_recv(f->net->a->stack, f->udp, f->reply, sizeof(f->reply), NULL) == ORIEL_EAGAIN;
}

TEST("a question goes out under another id, and its answer comes back under the client's own")
{
    struct fx *f = fx_new(0, 0);
    struct dns_proxy_out out;
    const char *const to[] = {"10.0.0.2", "fd00::2"};
    COVERS("5452-1");
    for (unsigned i = 0; i < 2; i++) {
        ask_edns(f, to[i], "www.example", DNS_A, 1232);
        struct dns_hdr h = outside(f, &out);
        EXPECT(h.id != CLIENT_ID && h.rd && !out.stream && h.additional_n == 1);
        EXPECT(!dns_proxy_next(&f->p, &out));
        EXPECT(!answer(f, CLIENT_ID, "www.example", 1, 60));    /* not that id */
        EXPECT(!answer(f, h.id, "ww.example", 1, 60));          /* not that name */
        EXPECT(silent(f));
        EXPECT(answer(f, h.id, "WWW.example", 1, 60));
        EXPECT_EQ(heard(f).answers_n, 1);
        EXPECT(!answer(f, h.id, "www.example", 1, 60));         /* once */
        EXPECT(silent(f));
    }
    EXPECT(f->p.asks.live == 0);
    fx_free(f);
}

TEST("what is known is answered without asking, with what is left of its time; not for ever")
{
    struct fx *f = fx_new(0, 8);
    struct dns_proxy_out out;
    struct dns_rr rr;
    ask(f, "www.example");
    EXPECT(answer(f, outside(f, &out).id, "www.example", 2, 60));
    EXPECT_EQ(heard(f).answers_n, 2);
    fx_svc_run(f->net, 20 * NS_PER_S);
    ask(f, "www.EXAMPLE");
    struct dns_hdr h = heard(f);
    EXPECT(!dns_proxy_next(&f->p, &out) && h.answers_n == 2 && f->p.from_cache == 1);
    struct dns_walk k = dns_walk_of(span_of(f->reply, f->reply_n), &h);
    EXPECT(dns_rr_next(&k, &rr) && rr.ttl_s >= 38 && rr.ttl_s <= 40);
    fx_svc_run(f->net, 41 * NS_PER_S);
    ask(f, "www.example");
    EXPECT(dns_proxy_next(&f->p, &out));
    fx_free(f);
}

TEST("a question that nobody answers fails in the end, or when it is said so; asked again, it waits on")
{
    struct fx *f = fx_new(0, 0);
    struct dns_proxy_out out;
    ask(f, "www.example");
    uint16_t id = outside(f, &out).id;
    ask(f, "www.example");
    EXPECT(!dns_proxy_next(&f->p, &out));       /* it is the same question */
    EXPECT_EQ(f->p.asks.live, 1);
    fx_svc_run(f->net, DNS_PROXY_TIMEOUT);
    EXPECT_EQ(heard(f).rcode, DNS_SERVFAIL);
    EXPECT(!answer(f, id, "www.example", 1, 60) && silent(f) && f->p.asks.live == 0);
    ask(f, "www.example");
    id = outside(f, &out).id;
    EXPECT_EQ(out.id, id);
    dns_proxy_fail(&f->p, (uint16_t)(id + 1));
    EXPECT_EQ(f->p.asks.live, 1);
    dns_proxy_fail(&f->p, id);
    fx_svc_run(f->net, 10 * NS_PER_MS);
    EXPECT_EQ(heard(f).rcode, DNS_SERVFAIL);
    fx_free(f);
}

TEST("questions at a time have a limit, and one beyond it fails at once")
{
    struct fx *f = fx_new(2, 0);
    struct dns_proxy_out out;
    ask(f, "a.example");
    ask(f, "b.example");
    EXPECT(silent(f));
    ask(f, "c.example");
    EXPECT_EQ(heard(f).rcode, DNS_SERVFAIL);
    EXPECT(answer(f, outside(f, &out).id, "a.example", 1, 60));
    EXPECT_EQ(heard(f).answers_n, 1);
    ask(f, "c.example");
    EXPECT(silent(f));
    fx_free(f);
}

TEST("an answer too long for a client's datagram is cut, and not where it said that it takes more")
{
    struct fx *f = fx_new(0, 0);
    struct dns_proxy_out out;
    ask(f, "many.example");
    EXPECT(answer(f, outside(f, &out).id, "many.example", 60, 60));
    struct dns_hdr h = heard(f);
    EXPECT(h.tc && h.answers_n == 0);
    ask_edns(f, "10.0.0.2", "many.example", DNS_A, 1232);
    EXPECT(answer(f, outside(f, &out).id, "many.example", 60, 60));
    h = heard(f);
    EXPECT(!h.tc && h.answers_n == 60);
    fx_free(f);
}

TEST("over TCP several questions wait on one stream, and each answer comes behind its length")
{
    struct fx *f = fx_new(0, 0);
    struct oriel_stack *s = f->net->a->stack;
    struct dns_proxy_out out[2];
    uint8_t buf[1024];
    oriel_handle h;
    struct oriel_endpoint to = {.addr = fx_svc_ip("10.0.0.2"), .port = 53};
    EXPECT_EQ(oriel_tcp_open(s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_connect(s, h, &to), 0);
    fx_svc_run(f->net, 50 * NS_PER_MS);
    struct wr w = wr_of(buf, sizeof(buf));
    for (unsigned i = 0; i < 2; i++) {
        size_t at = wr_len(&w);
        wr_u16(&w, 0);
        size_t n = question(w.p, wr_left(&w), i == 0 ? "a.example" : "b.example", DNS_A, 0);
        (void)wr_room(&w, n);
        wr_patch_u16(&w, at, (uint16_t)n);
    }
    for (size_t i = 0; i < wr_len(&w); i++) {   /* a byte at a time: it waits for the whole */
        EXPECT_EQ(oriel_send(s, h, buf + i, 1, NULL), 1);
        fx_svc_run(f->net, NS_PER_MS);
    }
    fx_svc_run(f->net, 100 * NS_PER_MS);
    uint16_t first = outside(f, &out[0]).id, second = outside(f, &out[1]).id;
    EXPECT(out[0].stream && out[1].stream && first != second);
    EXPECT(answer(f, second, "b.example", 60, 60));     /* the later one is answered first */
    EXPECT(answer(f, first, "a.example", 1, 60));
    fx_svc_run(f->net, 100 * NS_PER_MS);
    int n = oriel_recv(s, h, f->reply, sizeof(f->reply), NULL);
    struct rd r = rd_of(span_of(f->reply, n > 0 ? (size_t)n : 0));
    struct span one = rd_bytes(&r, rd_u16(&r)), two = rd_bytes(&r, rd_u16(&r));
    EXPECT(!r.bad && rd_done(&r));
    EXPECT(header_of(one).answers_n == 60 && header_of(two).answers_n == 1);
    EXPECT(header_of(one).id == CLIENT_ID);
    fx_svc_run(f->net, DNS_PROXY_IDLE + NS_PER_S);
    EXPECT((oriel_ready(s, h) & ORIEL_PEER_CLOSED) != 0);       /* nothing is asked any more */
    fx_free(f);
}

TEST("a stream that ends takes its questions with it; more streams than there is room for wait")
{
    struct fx *f = fx_new(0, 0);
    struct oriel_stack *s = f->net->a->stack;
    struct dns_proxy_out out;
    struct oriel_endpoint to = {.addr = fx_svc_ip("10.0.0.2"), .port = 53};
    oriel_handle h[DNS_PROXY_STREAMS + 1];
    uint8_t buf[600];
    struct wr w = wr_of(buf, sizeof(buf));
    wr_u16(&w, 0);
    size_t n = question(buf + 2, sizeof(buf) - 2, "a.example", DNS_A, 0);
    wr_patch_u16(&w, 0, (uint16_t)n);
    for (unsigned i = 0; i < ARRAY_LEN(h); i++) {
        EXPECT_EQ(oriel_tcp_open(s, ORIEL_IP4, &h[i]), 0);
        EXPECT_EQ(oriel_connect(s, h[i], &to), 0);
        fx_svc_run(f->net, 20 * NS_PER_MS);
        EXPECT_EQ(oriel_send(s, h[i], buf, n + 2, NULL), (int)(n + 2));
    }
    fx_svc_run(f->net, 50 * NS_PER_MS);
    EXPECT_EQ(f->p.asks.live, DNS_PROXY_STREAMS);
    uint16_t id = outside(f, &out).id;
    EXPECT_EQ(oriel_abort(s, h[0]), 0);
    fx_svc_run(f->net, 50 * NS_PER_MS);
    EXPECT_EQ(f->p.asks.live, DNS_PROXY_STREAMS);       /* one went, and the one that waited came */
    EXPECT(!answer(f, id, "a.example", 1, 60));
    fx_free(f);
}

TEST("a stream has a quarter of the places at most, and the rest of what it asks is read later")
{
    struct fx *f = fx_new(8, 0);
    struct oriel_stack *s = f->net->a->stack;
    struct dns_proxy_out out;
    struct oriel_endpoint to = {.addr = fx_svc_ip("10.0.0.2"), .port = 53};
    char name[] = "0.example";
    uint8_t buf[600];
    oriel_handle h;
    EXPECT_EQ(oriel_tcp_open(s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_connect(s, h, &to), 0);
    fx_svc_run(f->net, 50 * NS_PER_MS);
    for (unsigned i = 0; i < 5; i++) {
        name[0] = (char)('0' + i);
        size_t n = question(buf + 2, sizeof(buf) - 2, name, DNS_A, 0);
        struct wr w = wr_of(buf, 2);
        wr_u16(&w, (uint16_t)n);
        EXPECT_EQ(oriel_send(s, h, buf, n + 2, NULL), (int)(n + 2));
    }
    fx_svc_run(f->net, 100 * NS_PER_MS);
    EXPECT_EQ(f->p.asks.live, 2);
    EXPECT(answer(f, outside(f, &out).id, "0.example", 1, 60));
    EXPECT_EQ(f->p.asks.live, 2);
    EXPECT(answer(f, outside(f, &out).id, "1.example", 1, 60));
    EXPECT(answer(f, outside(f, &out).id, "2.example", 1, 60));
    EXPECT(answer(f, outside(f, &out).id, "3.example", 1, 60));
    EXPECT(answer(f, outside(f, &out).id, "4.example", 1, 60));
    EXPECT_EQ(f->p.asks.live, 0);
    static const uint8_t endless[] = {0xff, 0xff, 1, 2, 3};
    EXPECT_EQ(oriel_send(s, h, endless, sizeof(endless), NULL), (int)sizeof(endless));
    fx_svc_run(f->net, 100 * NS_PER_MS);        /* no question is as long as that */
    EXPECT((oriel_ready(s, h) & (ORIEL_PEER_CLOSED | ORIEL_HUNG_UP)) != 0);
    fx_free(f);
}

TEST("what is no question is passed over; one that cannot be understood is told so")
{
    struct fx *f = fx_new(0, 0);
    struct oriel_msg m = {.peer = {.addr = fx_svc_ip("10.0.0.2"), .port = 53}};
    struct dns_proxy_out out;
    uint8_t buf[512];
    size_t n = question(buf, sizeof(buf), "a.example", DNS_A, 0);
    struct dns_hdr h = {.id = CLIENT_ID, .is_response = true, .questions_n = 1};
    const struct {
        struct dns_hdr h;
        int rcode;              /* -1: silence */
    } rows[] = {{{.id = CLIENT_ID, .is_response = true, .questions_n = 1}, -1},
                {{.id = CLIENT_ID, .questions_n = 0}, -1},
                {{.id = CLIENT_ID, .opcode = 5, .questions_n = 1}, DNS_NOTIMP},
                {{.id = CLIENT_ID, .questions_n = 1, .additional_n = 9}, DNS_FORMERR}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct wr w = wr_of(buf, sizeof(buf));
        h = rows[i].h;
        dns_emit(&w, &h);
        EXPECT_EQ(oriel_send(f->net->a->stack, f->udp, buf, n, &m), (int)n);
        fx_svc_run(f->net, 10 * NS_PER_MS);
        if (rows[i].rcode < 0)
            EXPECT(silent(f));
        else
            EXPECT_EQ(heard(f).rcode, rows[i].rcode);
    }
    EXPECT_EQ(oriel_send(f->net->a->stack, f->udp, buf, 5, &m), 5);
    fx_svc_run(f->net, 10 * NS_PER_MS);
    EXPECT(silent(f) && !dns_proxy_next(&f->p, &out));
    fx_free(f);
}

TEST("an alias that is known is told with its end, and a name that does not exist as such")
{
    struct fx *f = fx_new(0, 8);
    struct dns_proxy_out out;
    uint8_t buf[512];
    for (unsigned none = 0; none < 2; none++) {
        ask(f, none ? "no.example" : "alias.example");
        struct wr w = wr_of(buf, sizeof(buf));
        struct dns_hdr h = {.id = outside(f, &out).id, .is_response = true, .questions_n = 1,
                            .rcode = none ? DNS_NXDOMAIN : DNS_NOERROR,
                            .answers_n = none ? 0 : 2, .authority_n = none ? 1 : 0};
        struct dns_question q = {.name = name_of(none ? "no.example" : "alias.example"),
                                 .qtype = DNS_A, .qclass = DNS_IN};
        struct dns_rr rr = {.name = none ? name_of("example") : q.name, .rclass = DNS_IN,
                            .type = none ? DNS_SOA : DNS_CNAME, .ttl_s = 60};
        struct dns_data d = {.name = name_of("www.example"), .mailbox = name_of("x"),
                             .minimum_s = 60, .addr = addr_v4(0x0a000009)};
        dns_emit(&w, &h);
        dns_question_emit(&w, &q);
        dns_rr_emit(&w, &rr, &d, &q.name);
        if (!none) {
            rr = (struct dns_rr){.name = d.name, .type = DNS_A, .rclass = DNS_IN, .ttl_s = 60};
            dns_rr_emit(&w, &rr, &d, &q.name);
        }
        EXPECT(dns_proxy_answer(&f->p, fx_svc_now(f->net), wr_span(&w)));
        fx_svc_run(f->net, 10 * NS_PER_MS);
        (void)heard(f);
        ask(f, none ? "no.example" : "alias.example");
        EXPECT(!dns_proxy_next(&f->p, &out));
        struct dns_hdr got = heard(f);
        struct dns_answer a;
        EXPECT_EQ(got.rcode, none ? DNS_NXDOMAIN : DNS_NOERROR);
        EXPECT_EQ(dns_answer_read(span_of(f->reply, f->reply_n), CLIENT_ID, &q, &a),
                  none ? DNS_NOTHING : DNS_FOUND);
        EXPECT(none || (dns_name_eq(&a.name, &d.name) && addr_to_v4(&a.addrs[0]) == 0x0a000009));
    }
    EXPECT_EQ(f->p.from_cache, 2);
    fx_free(f);
}
