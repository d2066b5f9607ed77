/* The resolver against name servers that answer, lie, refuse and are silent. */
#include "svc/fx_svc.h"

#include "lab/app_names.h"
#include "svc/resolve.h"

#define SERVERS 2

struct fx {
    struct fx_svc *net;
    struct resolver r;
    void *memory;
    struct names server[SERVERS];
    struct name_row rows[NAMES_ROWS_MAX];
    uint16_t rows_n;
    struct names_params params[SERVERS];
};

static oriel_time step(void *ctx, oriel_time now)
{
    struct fx *f = ctx;
    for (unsigned i = 0; i < SERVERS; i++)
        names_step(&f->server[i]);
    return resolver_step(&f->r, now);
}

static void row(struct fx *f, const char *text)
{
    if (!name_row_parse(span_str(text), &f->rows[f->rows_n++]))
        fail_msg("not a row: %s", text);
}

/* Server 0 is 10.0.0.2, server 1 is port 5353 of fd00::2. */
static struct fx *fx_make(const struct resolver_config *given)
{
    struct fx *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->net = fx_svc_new();
    struct resolver_config c = *given;
    c.stack = f->net->a->stack;
    if (c.cache_entries == 0)
        c.cache_entries = 16;
    c.memory_bytes = resolver_memory(c.cache_entries);
    c.memory = f->memory = malloc(c.memory_bytes);
    memset(f->memory, 0xa5, c.memory_bytes);
    memset(c.seed, 0x11, sizeof(c.seed));
    c.servers[0] = (struct oriel_endpoint){.addr = fx_svc_ip("10.0.0.2")};
    c.servers[1] = (struct oriel_endpoint){.addr = fx_svc_ip("fd00::2"), .port = 5353};
    c.servers_n = 2;
    EXPECT_EQ(resolver_init(&f->r, &c), 0);
    row(f, "www.example A 10.0.0.80 60");
    row(f, "www.example AAAA fd00::80 60");
    f->net->step = step;
    f->net->ctx = f;
    return f;
}

#define fx_new(...) fx_make(&(struct resolver_config){__VA_ARGS__})

/* The servers begin, with what is set in f->params. */
static void serve(struct fx *f)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        struct app_host host = {.stack = f->net->b->stack, .buffer = f->net->buffer};
        f->params[i].rows = f->rows;
        f->params[i].rows_n = f->rows_n;
        f->params[i].port = i == 0 ? 0 : 5353;
        EXPECT_EQ(names_start(&f->server[i], &host, &f->params[i]), 0);
    }
}

static void fx_free(struct fx *f)
{
    for (unsigned i = 0; i < SERVERS; i++)
        names_stop(&f->server[i]);
    resolver_fini(&f->r);
    free(f->memory);
    fx_svc_free(f->net);
    free(f);
}

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    assert_true(dns_name_of(span_str(text), &n));
    return n;
}

static uint32_t start(struct fx *f, const char *name, uint16_t type)
{
    struct dns_name n = name_of(name);
    uint32_t ticket;
    EXPECT_EQ(resolve_start(&f->r, fx_svc_now(f->net), &n, type, &ticket), 0);
    return ticket;
}

/* The answer to a question, after at most a minute. */
static int ask(struct fx *f, const char *name, uint16_t type, struct dns_answer *out)
{
    uint32_t ticket = start(f, name, type);
    int err;
    fx_svc_poke(f->net);
    for (unsigned i = 0; (err = resolve_take(&f->r, ticket, out)) == ORIEL_EAGAIN; i++) {
        if (i == 60000)
            fail_msg("no answer within a minute");
        fx_svc_run(f->net, NS_PER_MS);
    }
    return err;
}

static void expect_addr(const struct dns_answer *a, unsigned i, const char *text)
{
    char buf[ADDR_TEXT_MAX];
    assert_true(i < a->addrs_n);
    (void)oriel_addr_print(&a->addrs[i], buf, sizeof(buf));
    EXPECT_STR(buf, text);
}

static void expect_name(const struct dns_name *n, const char *text)
{
    char buf[DNS_NAME_MAX * 4];
    struct txt t = txt_of(buf, sizeof(buf));
    dns_name_print(&t, n);
    EXPECT_STR(buf, text);
}

/* ---- answers ---- */

TEST("addresses of both families are found, and are known for as long as they say")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    COVERS("5452-2");
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    expect_addr(&a, 0, "10.0.0.80");
    EXPECT(a.addrs_n == 1 && a.ttl_s == 60);
    EXPECT_EQ(ask(f, "WWW.Example.", DNS_AAAA, &a), 0);
    expect_addr(&a, 0, "fd00::80");
    EXPECT_EQ(f->server[0].over_udp, 2);
    EXPECT_EQ(ask(f, "wWw.eXample", DNS_A, &a), 0);     /* without asking */
    EXPECT(a.ttl_s >= 58 && a.ttl_s <= 60);
    EXPECT_EQ(f->server[0].over_udp, 2);
    fx_svc_run(f->net, 60 * NS_PER_S);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT_EQ(f->server[0].over_udp, 3);
    fx_free(f);
}

TEST("a name that does not exist is not asked for again, of whatever type")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    COVERS("5452-2");
    serve(f);
    EXPECT_EQ(ask(f, "nobody.example", DNS_A, &a), ORIEL_ENOENT);
    EXPECT(a.no_name);
    EXPECT_EQ(ask(f, "nobody.example", DNS_AAAA, &a), ORIEL_ENOENT);
    EXPECT(a.no_name);
    EXPECT_EQ(f->server[0].over_udp, 1);
    EXPECT_EQ(ask(f, "www.example", DNS_PTR, &a), ORIEL_ENOENT);        /* the type is not there */
    EXPECT(!a.no_name);
    EXPECT_EQ(ask(f, "www.example", DNS_PTR, &a), ORIEL_ENOENT);
    EXPECT_EQ(f->server[0].over_udp, 2);
    fx_svc_run(f->net, (NAMES_TTL_S + 1) * NS_PER_S);
    EXPECT_EQ(ask(f, "nobody.example", DNS_A, &a), ORIEL_ENOENT);
    EXPECT_EQ(f->server[0].over_udp, 3);
    fx_free(f);
}

TEST("aliases are followed, in one answer or by further questions; the end of the chain is told")
{
    struct dns_answer a;
    for (unsigned chase = 0; chase < 2; chase++) {
        struct fx *f = fx_new();
        row(f, "a.example CNAME b.example 30");
        row(f, "b.example CNAME www.example 90");
        f->params[0].no_chase = f->params[1].no_chase = chase == 0;
        serve(f);
        EXPECT_EQ(ask(f, "a.example", DNS_A, &a), 0);
        expect_addr(&a, 0, "10.0.0.80");
        expect_name(&a.name, "www.example");
        EXPECT_EQ(a.ttl_s, 30);
        EXPECT_EQ(f->server[0].over_udp, chase == 0 ? 3 : 1);
        EXPECT_EQ(ask(f, "a.example", DNS_CNAME, &a), 0);
        expect_name(&a.name, "b.example");
        fx_free(f);
    }
}

TEST("a chain of aliases has an end, whether it is long or a circle")
{
    struct dns_answer a;
    COVERS("5452-3");
    for (unsigned chase = 0; chase < 2; chase++) {
        struct fx *f = fx_new();
        row(f, "x.example CNAME y.example");
        row(f, "y.example CNAME x.example");
        f->params[0].no_chase = f->params[1].no_chase = chase == 0;
        serve(f);
        EXPECT_EQ(ask(f, "x.example", DNS_A, &a), ORIEL_EPROTO);
        EXPECT(f->server[0].over_udp + f->server[1].over_udp <= RESOLVE_ALIASES_MAX + 2);
        fx_free(f);
    }
}

TEST("the name of an address is found, of either family")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    struct dns_name back;
    char text[300];
    row(f, "80.0.0.10.in-addr.arpa PTR www.example");
    row(f, "0.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa PTR "
           "www.example");
    serve(f);
    const char *const addrs[] = {"10.0.0.80", "fd00::80"};
    for (unsigned i = 0; i < 2; i++) {
        struct oriel_addr ip = fx_svc_ip(addrs[i]);
        struct txt t = txt_of(text, sizeof(text));
        resolve_reverse(&ip, &back);
        dns_name_print(&t, &back);
        EXPECT_EQ(ask(f, text, DNS_PTR, &a), 0);
        expect_name(&a.name, "www.example");
    }
    fx_free(f);
}

TEST("the hosts table and localhost are answered by nobody else, both ways")
{
    struct resolve_host hosts[] = {{name_of("box.lan"), fx_svc_ip("10.9.9.9")},
                                   {name_of("box.lan"), fx_svc_ip("10.9.9.10")},
                                   {name_of("www.example"), fx_svc_ip("10.1.1.1")}};
    struct fx *f = fx_new(.hosts = hosts, .hosts_n = 3);
    struct dns_answer a;
    serve(f);
    EXPECT_EQ(ask(f, "BOX.lan", DNS_A, &a), 0);
    expect_addr(&a, 0, "10.9.9.9");
    expect_addr(&a, 1, "10.9.9.10");
    EXPECT_EQ(ask(f, "box.lan", DNS_AAAA, &a), ORIEL_ENOENT);
    EXPECT(!a.no_name);
    EXPECT_EQ(ask(f, "9.9.9.10.in-addr.arpa", DNS_PTR, &a), 0);
    expect_name(&a.name, "box.lan");
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    expect_addr(&a, 0, "10.1.1.1");
    EXPECT_EQ(ask(f, "localhost", DNS_A, &a), 0);
    expect_addr(&a, 0, "127.0.0.1");
    EXPECT_EQ(ask(f, "db.localhost", DNS_AAAA, &a), 0);
    expect_addr(&a, 0, "::1");
    EXPECT_EQ(ask(f, "localhost", DNS_NS, &a), ORIEL_ENOENT);
    EXPECT_EQ(f->server[0].over_udp + f->server[1].over_udp, 0);
    fx_free(f);
}

/* ---- how it asks ---- */

TEST("a cut answer is asked for again over TCP, behind its length")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    COVERS("1035-4");
    f->params[0].cut = true;
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    expect_addr(&a, 0, "10.0.0.80");
    EXPECT(f->server[0].over_udp == 1 && f->server[0].over_tcp == 1 && f->r.over_tcp == 1);
    fx_free(f);
}

TEST("an answer larger than a datagram may be comes over TCP, however many bytes it has")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    COVERS("1035-4");
    for (unsigned i = 0; i < 60; i++) {
        char line[100];
        (void)snprintf(line, sizeof(line), "many.example AAAA fd00::%u", i + 1);
        row(f, line);
    }
    serve(f);
    EXPECT_EQ(ask(f, "many.example", DNS_AAAA, &a), 0);
    EXPECT_EQ(a.addrs_n, DNS_ANSWER_ADDRS);     /* what is beyond is not kept */
    EXPECT(f->server[0].over_udp == 1 && f->server[0].over_tcp == 1);
    fx_free(f);
}

TEST("where nobody listens on TCP, or the stream ends early, the next server is asked")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    f->params[0].cut = f->params[0].no_stream = true;
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT(f->server[0].over_udp == 1 && f->server[1].over_udp == 1);
    fx_free(f);
}

TEST("a server that does not understand EDNS is asked without, from then on")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    f->params[0].no_edns = true;
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT(f->server[0].over_udp == 2 && !f->server[0].last_edns);
    EXPECT_EQ(ask(f, "www.example", DNS_AAAA, &a), 0);
    EXPECT(f->server[0].over_udp == 3 && f->server[1].over_udp == 0);
    fx_free(f);
}

TEST("a silent server is passed over when its time is up, and the one that answered is asked first")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    f->params[0].silent = true;
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT(fx_svc_now(f->net) >= RESOLVE_TIMEOUT);
    EXPECT(fx_svc_now(f->net) < RESOLVE_TIMEOUT + NS_PER_S);
    EXPECT(f->server[0].over_udp == 1 && f->server[1].over_udp == 1);
    EXPECT_EQ(ask(f, "www.example", DNS_AAAA, &a), 0);
    EXPECT(f->server[0].over_udp == 1 && f->server[1].over_udp == 2);
    fx_free(f);
}

TEST("servers that refuse, or whose port is closed, are passed over at once and only once")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    f->params[0].refuse = f->params[1].refuse = true;
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), ORIEL_EPROTO);
    EXPECT(f->server[0].over_udp == 1 && f->server[1].over_udp == 1);
    EXPECT(fx_svc_now(f->net) < NS_PER_S);
    for (unsigned i = 0; i < SERVERS; i++)
        names_stop(&f->server[i]);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), ORIEL_ECONNREFUSED);
    EXPECT(fx_svc_now(f->net) < NS_PER_S);
    fx_free(f);
}

TEST("where all are silent it ends after three rounds, each twice as patient")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    COVERS("5452-3");
    f->params[0].silent = f->params[1].silent = true;
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), ORIEL_ETIMEDOUT);
    EXPECT(f->server[0].over_udp == 3 && f->server[1].over_udp == 3);
    EXPECT(fx_svc_now(f->net) >= 28 * NS_PER_S && fx_svc_now(f->net) < 29 * NS_PER_S);
    fx_free(f);
}

TEST("without servers, or without a way there, the answer comes at once")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    serve(f);
    struct oriel_endpoint far = {.addr = fx_svc_ip("192.0.2.1")};
    resolver_set_servers(&f->r, 0, NULL, 0);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), ORIEL_ENETUNREACH);
    resolver_set_servers(&f->r, 0, &far, 1);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), ORIEL_ENETUNREACH);
    EXPECT_EQ(fx_svc_now(f->net), 0);
    fx_free(f);
}

TEST("other servers are asked what is under way, and what the former said is forgotten")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    struct oriel_endpoint second = {.addr = fx_svc_ip("fd00::2"), .port = 5353};
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    names_stop(&f->server[0]);
    f->server[0].p.silent = true;
    uint32_t ticket = start(f, "www.example", DNS_AAAA);
    resolver_set_servers(&f->r, fx_svc_now(f->net), &second, 1);
    fx_svc_run(f->net, 100 * NS_PER_MS);
    EXPECT_EQ(resolve_take(&f->r, ticket, &a), 0);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT_EQ(f->server[1].over_udp, 2);
    resolver_set_servers(&f->r, fx_svc_now(f->net), &second, 1);        /* they are the same */
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT_EQ(f->server[1].over_udp, 2);
    fx_free(f);
}

/* ---- what an attacker has to guess ---- */

TEST("ids and ports of questions have no pattern that one sees")
{
    struct fx *f = fx_new(.cache_entries = 1);
    uint16_t ids[64], ports[64];
    unsigned same_id = 0, next_id = 0, same_port = 0, next_port = 0;
    struct dns_answer a;
    char name[] = "a0.example";
    COVERS("5452-1 S29");
    serve(f);
    for (unsigned i = 0; i < 64; i++) {
        name[0] = (char)('a' + i / 8);
        name[1] = (char)('0' + i % 8);
        EXPECT_EQ(ask(f, name, DNS_A, &a), ORIEL_ENOENT);
        ids[i] = f->server[0].last_id;
        ports[i] = f->server[0].last_peer.port;
    }
    for (unsigned i = 1; i < 64; i++) {
        same_id += ids[i] == ids[i - 1];
        next_id += (uint16_t)(ids[i] - ids[i - 1]) <= 16;
        same_port += ports[i] == ports[i - 1];
        next_port += (uint16_t)(ports[i] - ports[i - 1]) <= 16;
    }
    EXPECT(same_id == 0 && next_id <= 2 && same_port == 0 && next_port <= 2);
    fx_free(f);
}

typedef void spoil_fn(struct dns_hdr *h, struct name_row *lie);

/* A response to the question that is out, changed by `spoil`, from b's address and that port. */
static void forge(struct fx *f, uint16_t from_port, spoil_fn *spoil)
{
    const struct resolve_query *q = NULL;
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++)
        if (f->r.query[i].phase == RESOLVE_UDP)
            q = &f->r.query[i];
    assert_non_null(q);
    struct oriel_endpoint to;
    EXPECT_EQ(oriel_local(f->net->a->stack, q->sock, &to), 0);
    to.addr = fx_svc_ip("10.0.0.1");
    uint8_t buf[512];
    struct wr w = wr_of(buf, sizeof(buf));
    struct name_row lie = {.name = q->asked.name, .type = DNS_A, .ttl_s = 60,
                           .data = {.addr = fx_svc_ip("6.6.6.6")}};
    struct dns_hdr h = {.id = q->id, .is_response = true, .ra = true, .questions_n = 1,
                        .answers_n = 1};
    spoil(&h, &lie);
    struct dns_question said = {.name = lie.name, .qtype = q->asked.qtype, .qclass = DNS_IN};
    struct dns_rr rr = {.name = lie.name, .type = lie.type, .rclass = DNS_IN, .ttl_s = lie.ttl_s};
    dns_emit(&w, &h);
    dns_question_emit(&w, &said);
    dns_rr_emit(&w, &rr, &lie.data, NULL);
    oriel_handle s;
    struct oriel_endpoint at = {.addr = fx_svc_ip("10.0.0.2"), .port = from_port};
    EXPECT_EQ(oriel_udp_open(f->net->b->stack, ORIEL_IP4, &s), 0);
    EXPECT_EQ(oriel_setopt(f->net->b->stack, s, ORIEL_OPT_REUSEADDR, 1), 0);
    EXPECT_EQ(oriel_bind(f->net->b->stack, s, &at), 0);
    EXPECT_EQ(oriel_send(f->net->b->stack, s, buf, wr_len(&w), &(struct oriel_msg){.peer = to}),
              (int)wr_len(&w));
    EXPECT_EQ(oriel_close(f->net->b->stack, s), 0);
}

static void other_id(struct dns_hdr *h, struct name_row *lie)
{
    (void)lie;
    h->id ^= 1;
}

static void no_response(struct dns_hdr *h, struct name_row *lie)
{
    (void)lie;
    h->is_response = false;
}

static void other_name(struct dns_hdr *h, struct name_row *lie)
{
    (void)h;
    lie->name = name_of("x.example");
}

static void two_questions(struct dns_hdr *h, struct name_row *lie)
{
    (void)lie;
    h->questions_n = 2;
}

static void as_it_is(struct dns_hdr *h, struct name_row *lie)
{
    (void)h;
    (void)lie;
}

TEST("a response that differs in id, question, port or direction is passed over")
{
    spoil_fn *const spoils[] = {other_id, no_response, other_name, two_questions};
    struct fx *f = fx_new();
    struct dns_answer a;
    COVERS("5452-1");
    f->params[1].silent = true;
    serve(f);
    names_stop(&f->server[0]);                  /* its port is ours to send from */
    uint32_t ticket = start(f, "www.example", DNS_A);
    for (unsigned i = 0; i < ARRAY_LEN(spoils); i++)
        forge(f, 53, spoils[i]);
    forge(f, 5300, as_it_is);                    /* right, but from another port */
    fx_svc_run(f->net, 100 * NS_PER_MS);
    EXPECT_EQ(resolve_take(&f->r, ticket, &a), ORIEL_EAGAIN);
    EXPECT_EQ(f->r.retried, 1);                 /* b said then that its port 53 is closed */
    fx_free(f);
}

TEST("who asks what is being asked waits for that answer; nobody asks twice")
{
    struct fx *f = fx_new();
    struct dns_answer a;
    COVERS("5452-1");
    serve(f);
    uint32_t first = start(f, "www.example", DNS_A), second = start(f, "www.EXAMPLE", DNS_A);
    uint32_t third = start(f, "www.example", DNS_A);
    resolve_cancel(&f->r, fx_svc_now(f->net), first);   /* another one takes its place */
    fx_svc_run(f->net, 100 * NS_PER_MS);
    EXPECT_EQ(resolve_take(&f->r, first, &a), ORIEL_EBADF);
    EXPECT_EQ(resolve_take(&f->r, second, &a), 0);
    expect_addr(&a, 0, "10.0.0.80");
    EXPECT_EQ(resolve_take(&f->r, third, &a), 0);
    expect_addr(&a, 0, "10.0.0.80");
    EXPECT_EQ(resolve_take(&f->r, third, &a), ORIEL_EBADF);
    EXPECT_EQ(f->server[0].over_udp, 2);        /* the first question, and the one that took over */
    fx_free(f);
}

TEST("questions at a time have a limit; the cache too, and the least used gives way")
{
    struct fx *f = fx_new(.cache_entries = 2);
    struct dns_answer a;
    struct dns_name n = name_of("www.example");
    uint32_t ticket;
    row(f, "b.example A 10.0.0.3");
    row(f, "c.example A 10.0.0.4");
    serve(f);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT_EQ(ask(f, "b.example", DNS_A, &a), 0);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);     /* used: b is the oldest now */
    EXPECT_EQ(ask(f, "c.example", DNS_A, &a), 0);
    EXPECT_EQ(f->server[0].over_udp, 3);
    EXPECT_EQ(ask(f, "www.example", DNS_A, &a), 0);
    EXPECT_EQ(f->server[0].over_udp, 3);
    EXPECT_EQ(ask(f, "b.example", DNS_A, &a), 0);
    EXPECT_EQ(f->server[0].over_udp, 4);
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++)
        (void)start(f, "www.example", DNS_AAAA);
    EXPECT_EQ(resolve_start(&f->r, 0, &n, DNS_AAAA, &ticket), ORIEL_ENOBUFS);
    EXPECT_EQ(resolve_start(&f->r, 0, &n, DNS_TXT, &ticket), ORIEL_EINVAL);
    fx_free(f);
}
