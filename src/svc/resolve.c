/*
 * The resolver: one small machine a question.
 *
 *     start --> (hosts, cache) --> DONE
 *       |
 *       +--> UDP --answer--> DONE          a cut answer: TCP_CONNECT --> TCP --> DONE
 *             |  ^
 *             +--+ silence or refusal: the next server, until all rounds are over
 *
 * An alias whose target the server did not add is a new question within the same query. What an
 * attacker would have to guess is 16 bits of id and the port, per attempt; asking the same question
 * several times at once would make that easier (the birthday attack), so it is asked once.
 */
#include "svc/resolve.h"

#define BUFFER_BYTES  (65535 + 2)       /* the longest message behind its length */
#define QUESTION_MAX  512               /* of ours: one name, one OPT */
#define SLOT_BITS     8                 /* of a ticket */
#define STREAM_BUFFER (128 * 1024)      /* so that a whole answer waits in the socket */

static_assert(RESOLVE_QUERIES_MAX <= BIT(SLOT_BITS), "a slot fits a ticket");
static_assert(RESOLVE_SERVERS_MAX <= 8, "servers are bits of a byte");

size_t resolver_memory(uint32_t cache_entries)
{
    return BUFFER_BYTES + RESOLVE_QUERIES_MAX * sizeof(struct resolve_query) +
           dns_cache_memory(cache_entries) + 1024;
}

int resolver_init(struct resolver *r, const struct resolver_config *cfg)
{
    struct arena a;
    struct siphash_key cache_key = siphash_derive(cfg->seed, "dns cache");
    ORIEL_ASSERT(cfg->servers_n <= RESOLVE_SERVERS_MAX);
    *r = (struct resolver){.cfg = *cfg, .id_key = siphash_derive(cfg->seed, "dns id")};
    arena_init(&a, cfg->memory, cfg->memory_bytes);
    r->buffer = arena_take(&a, BUFFER_BYTES);
    r->query = arena_take_zeroed(&a, RESOLVE_QUERIES_MAX * sizeof(r->query[0]));
    bool room = r->buffer && r->query && dns_cache_init(&r->cache, &a, cfg->cache_entries,
                                                        &cache_key);
    return room ? 0 : ORIEL_ENOBUFS;
}

/* ---- a query's life ---- */

static const uint8_t legal_next[RESOLVE_PHASES] = {
    [RESOLVE_FREE] = BIT(RESOLVE_UDP) | BIT(RESOLVE_FOLLOWS) | BIT(RESOLVE_DONE),
    [RESOLVE_UDP] = BIT(RESOLVE_UDP) | BIT(RESOLVE_TCP_CONNECT) | BIT(RESOLVE_DONE) |
                    BIT(RESOLVE_FREE),
    [RESOLVE_TCP_CONNECT] = BIT(RESOLVE_UDP) | BIT(RESOLVE_TCP) | BIT(RESOLVE_DONE) |
                            BIT(RESOLVE_FREE),
    [RESOLVE_TCP] = BIT(RESOLVE_UDP) | BIT(RESOLVE_DONE) | BIT(RESOLVE_FREE),
    [RESOLVE_FOLLOWS] = BIT(RESOLVE_UDP) | BIT(RESOLVE_DONE) | BIT(RESOLVE_FREE),
    [RESOLVE_DONE] = BIT(RESOLVE_FREE),
};

static void set_phase(struct resolve_query *q, enum resolve_phase to)
{
    ORIEL_ASSERT(legal_next[q->phase] & BIT(to));
    q->phase = (uint8_t)to;
}

static bool is_asking(const struct resolve_query *q)
{
    return q->phase == RESOLVE_UDP || q->phase == RESOLVE_TCP_CONNECT || q->phase == RESOLVE_TCP;
}

static void hang_up(struct resolver *r, struct resolve_query *q)
{
    if (q->sock)
        best_effort(oriel_close(r->cfg.stack, q->sock));
    q->sock = 0;
    q->deadline = ORIEL_NEVER;
}

static bool same_question(const struct resolve_query *a, const struct resolve_query *b)
{
    return a->asked.qtype == b->asked.qtype && dns_name_eq(&a->name, &b->name);
}

/* The result, for the query and for all that wait for the same. */
static void finish(struct resolver *r, struct resolve_query *q, int err)
{
    hang_up(r, q);
    set_phase(q, RESOLVE_DONE);
    q->err = err;
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++) {
        struct resolve_query *o = &r->query[i];
        if (o->phase != RESOLVE_FOLLOWS || !same_question(o, q))
            continue;
        set_phase(o, RESOLVE_DONE);
        o->err = err;
        o->answer = q->answer;
    }
}

/* ---- what needs no server ---- */

static bool is_localhost(const struct dns_name *name)
{
    struct dns_name localhost;
    bool good = dns_name_of(span_str("localhost"), &localhost);
    ORIEL_ASSERT(good);
    return dns_name_within(name, &localhost);
}

static bool wanted(uint16_t type, const struct oriel_addr *a)
{
    return type == (addr_is_v4(a) ? DNS_A : DNS_AAAA);
}

/* Is that line about the question's name? Then *found when it also answers it. */
static bool host_knows(const struct resolve_query *q, const struct resolve_host *h,
                       struct dns_answer *out, bool *found)
{
    struct dns_name back;
    if (q->asked.qtype == DNS_PTR) {
        resolve_reverse(&h->addr, &back);
        if (*found || !dns_name_eq(&back, &q->name))
            return false;
        out->name = h->name;            /* the first one of several */
        return *found = true;
    }
    if (!dns_name_eq(&h->name, &q->name))
        return false;
    if (wanted(q->asked.qtype, &h->addr) && out->addrs_n < DNS_ANSWER_ADDRS) {
        out->addrs[out->addrs_n++] = h->addr;
        *found = true;
    }
    return true;
}

/* The hosts table and the names of this host itself (RFC 6761, 6.3). True: q is done. */
static bool answer_from_hosts(struct resolver *r, struct resolve_query *q)
{
    const struct resolve_host self[] = {{q->name, addr_v4(0x7f000001)}, {q->name, addr_v6(0, 1)}};
    bool known = false, found = false;
    q->answer = (struct dns_answer){.name = q->name};
    for (uint32_t i = 0; i < r->cfg.hosts_n; i++)
        if (host_knows(q, &r->cfg.hosts[i], &q->answer, &found))
            known = true;
    if (!known && is_localhost(&q->name) && q->asked.qtype != DNS_PTR) {
        known = true;
        for (unsigned i = 0; i < ARRAY_LEN(self); i++)
            (void)host_knows(q, &self[i], &q->answer, &found);
    }
    if (known)
        finish(r, q, found ? 0 : ORIEL_ENOENT);
    return known;
}

static bool answer_from_cache(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    enum dns_verdict v = dns_cache_find(&r->cache, now, &q->asked.name, q->asked.qtype, &q->answer);
    if (v == DNS_NOT_OURS)
        return false;
    if (q->ttl_s < q->answer.ttl_s)
        q->answer.ttl_s = q->ttl_s;
    finish(r, q, v == DNS_FOUND ? 0 : ORIEL_ENOENT);
    return true;
}

/* ---- asking ---- */

static unsigned server_of(const struct resolver *r, const struct resolve_query *q)
{
    return ((unsigned)q->first + q->attempt) % r->cfg.servers_n;
}

static uint16_t draw_id(struct resolver *r, oriel_time now)
{
    uint64_t words[2] = {r->ids++, now};
    return (uint16_t)siphash_words(&r->id_key, words, 2);
}

/* The question as a message; `framed`: behind its length, for TCP. */
static struct span write_question(struct resolver *r, struct resolve_query *q, bool framed,
                                  oriel_time now)
{
    struct wr w = wr_of(r->buffer, QUESTION_MAX);
    q->id = draw_id(r, now);
    q->edns = (r->no_edns & BIT(server_of(r, q))) == 0;
    struct dns_hdr h = {.id = q->id, .rd = true, .questions_n = 1, .additional_n = q->edns};
    if (framed)
        wr_u16(&w, 0);
    dns_emit(&w, &h);
    dns_question_emit(&w, &q->asked);
    if (q->edns) {
        struct dns_rr opt = {.name = {.n = 1, .b = {0}}, .type = DNS_OPT,
                             .rclass = RESOLVE_EDNS_SIZE};
        struct dns_data nothing = {.raw = span_of(r->buffer, 0)};
        dns_rr_emit(&w, &opt, &nothing, NULL);
    }
    ORIEL_ASSERT(!w.bad);
    if (framed)
        wr_patch_u16(&w, 0, (uint16_t)(wr_len(&w) - 2));
    return wr_span(&w);
}

static oriel_time patience(const struct resolver *r, const struct resolve_query *q)
{
    return RESOLVE_TIMEOUT << (q->attempt / r->cfg.servers_n);
}

static struct oriel_endpoint endpoint_of(const struct resolver *r, const struct resolve_query *q)
{
    struct oriel_endpoint e = r->cfg.servers[server_of(r, q)];
    if (e.port == 0)
        e.port = DNS_PORT;
    return e;
}

static int ask_udp(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    struct oriel_stack *s = r->cfg.stack;
    struct oriel_endpoint to = endpoint_of(r, q);
    hang_up(r, q);
    int err = oriel_udp_open(s, addr_is_v4(&to.addr) ? ORIEL_IP4 : ORIEL_IP6, &q->sock);
    if (!err)
        err = oriel_connect(s, q->sock, &to);
    if (err)
        return err;
    struct span msg = write_question(r, q, false, now);
    int n = oriel_send(s, q->sock, msg.p, msg.n, NULL);
    if (n < 0)
        return n;
    r->sent++;
    set_phase(q, RESOLVE_UDP);
    q->deadline = time_after(now, patience(r, q));
    return 0;
}

/* The answer was cut: the same server again, over a stream (RFC 7766). */
static int ask_tcp(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    struct oriel_stack *s = r->cfg.stack;
    struct oriel_endpoint to = endpoint_of(r, q);
    hang_up(r, q);
    int err = oriel_tcp_open(s, addr_is_v4(&to.addr) ? ORIEL_IP4 : ORIEL_IP6, &q->sock);
    if (!err)
        err = oriel_setopt(s, q->sock, ORIEL_OPT_RCVBUF, STREAM_BUFFER);
    if (!err)
        err = oriel_connect(s, q->sock, &to);
    if (err)
        return err;
    r->over_tcp++;
    set_phase(q, RESOLVE_TCP_CONNECT);
    q->deadline = time_after(now, patience(r, q));
    return 0;
}

/* The server of this attempt, or the first after it that may be asked. */
static void ask(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    for (; q->attempt < RESOLVE_ROUNDS * r->cfg.servers_n; q->attempt++) {
        if ((q->refused & BIT(server_of(r, q))) != 0)
            continue;
        int err = ask_udp(r, q, now);
        if (!err)
            return;
        q->err = err;
        q->refused = (uint8_t)(q->refused | BIT(server_of(r, q)));
    }
    finish(r, q, r->cfg.servers_n == 0 ? ORIEL_ENETUNREACH : q->err ? q->err : ORIEL_ETIMEDOUT);
}

/* This server is of no use for the question; err says why. */
static void pass_over(struct resolver *r, struct resolve_query *q, oriel_time now, int err)
{
    q->err = err;
    q->refused = (uint8_t)(q->refused | BIT(server_of(r, q)));
    q->attempt++;
    r->retried++;
    ask(r, q, now);
}

static void begin(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    q->attempt = q->refused = 0;
    q->err = 0;
    q->first = r->current;
    ask(r, q, now);
}

/* ---- answers ---- */

static void on_alias(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    if (q->answer.ttl_s < q->ttl_s)
        q->ttl_s = q->answer.ttl_s;
    if (++q->aliases > RESOLVE_ALIASES_MAX) {
        finish(r, q, ORIEL_EPROTO);
        return;
    }
    q->asked.name = q->answer.name;
    if (!answer_from_cache(r, q, now))
        begin(r, q, now);
}

static void on_answer(struct resolver *r, struct resolve_query *q, oriel_time now,
                      enum dns_verdict v)
{
    struct dns_answer *a = &q->answer;
    r->current = (uint8_t)server_of(r, q);
    if (q->aliases > 0)
        dns_cache_put(&r->cache, now, &q->asked.name, q->asked.qtype, v, a);
    if (q->ttl_s < a->ttl_s)
        a->ttl_s = q->ttl_s;
    dns_cache_put(&r->cache, now, &q->name, q->asked.qtype, v, a);
    finish(r, q, v == DNS_FOUND ? 0 : ORIEL_ENOENT);
}

/* False: it was not for us, and the query waits as before. */
static bool take_message(struct resolver *r, struct resolve_query *q, oriel_time now,
                         struct span msg)
{
    bool stream = q->phase == RESOLVE_TCP;
    enum dns_verdict v = dns_answer_read(msg, q->id, &q->asked, &q->answer);
    switch (v) {
    case DNS_NOT_OURS:
        return false;
    case DNS_CUT: {
        int err = stream ? ORIEL_EPROTO : ask_tcp(r, q, now);
        if (err)
            pass_over(r, q, now, err);
        break;
    }
    case DNS_NOT_UNDERSTOOD:
        if (q->edns) {
            r->no_edns = (uint8_t)(r->no_edns | BIT(server_of(r, q)));
            ask(r, q, now);
            break;
        }
        pass_over(r, q, now, ORIEL_EPROTO);
        break;
    case DNS_SERVER_FAILED:
        pass_over(r, q, now, ORIEL_EPROTO);
        break;
    case DNS_ELSEWHERE:
        on_alias(r, q, now);
        break;
    case DNS_FOUND:
    case DNS_NOTHING:
        on_answer(r, q, now, v);
        break;
    }
    return true;
}

static void step_udp(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    for (;;) {
        int n = oriel_recv(r->cfg.stack, q->sock, r->buffer, BUFFER_BYTES, NULL);
        if (n == ORIEL_EAGAIN)
            return;
        if (n < 0) {
            pass_over(r, q, now, n);
            return;
        }
        if (take_message(r, q, now, span_of(r->buffer, (size_t)n)))
            return;
    }
}

static void step_connect(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    struct oriel_stack *s = r->cfg.stack;
    uint32_t ready = oriel_ready(s, q->sock);
    int64_t err = ORIEL_ECONNRESET;
    if ((ready & (ORIEL_FAILED | ORIEL_HUNG_UP)) != 0) {
        best_effort(oriel_getopt(s, q->sock, ORIEL_OPT_ERROR, &err));
        pass_over(r, q, now, err < 0 ? (int)err : ORIEL_ECONNRESET);
        return;
    }
    if ((ready & ORIEL_WRITABLE) == 0)
        return;
    struct span msg = write_question(r, q, true, now);
    int n = oriel_send(s, q->sock, msg.p, msg.n, NULL);
    if (n != (int)msg.n) {              /* a new stream has room for that */
        pass_over(r, q, now, n < 0 ? n : ORIEL_ENOBUFS);
        return;
    }
    set_phase(q, RESOLVE_TCP);
}

/* The answer stays in the socket until it is whole. */
static void step_tcp(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    struct oriel_msg peek = {.flags = ORIEL_MSG_PEEK};
    bool over = (oriel_ready(r->cfg.stack, q->sock) & ORIEL_PEER_CLOSED) != 0;
    int n = oriel_recv(r->cfg.stack, q->sock, r->buffer, BUFFER_BYTES, &peek);
    if (n == ORIEL_EAGAIN)
        return;
    if (n <= 0) {
        pass_over(r, q, now, n < 0 ? n : ORIEL_ECONNRESET);
        return;
    }
    struct rd rd = rd_of(span_of(r->buffer, (size_t)n));
    size_t len = rd_u16(&rd);
    bool whole = !rd.bad && rd_left(&rd) >= len;
    if (whole ? !take_message(r, q, now, rd_bytes(&rd, len)) : over)
        pass_over(r, q, now, ORIEL_EPROTO);     /* one stream, one answer */
}

static void step_query(struct resolver *r, struct resolve_query *q, oriel_time now)
{
    if (q->phase == RESOLVE_UDP)
        step_udp(r, q, now);
    if (q->phase == RESOLVE_TCP_CONNECT)
        step_connect(r, q, now);
    if (q->phase == RESOLVE_TCP)
        step_tcp(r, q, now);
    if (is_asking(q) && now >= q->deadline) {
        q->attempt++;
        r->retried++;
        ask(r, q, now);
    }
}

oriel_time resolver_step(struct resolver *r, oriel_time now)
{
    oriel_time next = ORIEL_NEVER;
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++) {
        struct resolve_query *q = &r->query[i];
        if (!is_asking(q))
            continue;
        step_query(r, q, now);
        if (is_asking(q) && q->deadline < next)
            next = q->deadline;
    }
    return next;
}

/* ---- calls ---- */

static uint32_t ticket_of(const struct resolver *r, const struct resolve_query *q)
{
    return (uint32_t)q->generation << SLOT_BITS | (uint32_t)(q - r->query);
}

static struct resolve_query *query_of(struct resolver *r, uint32_t ticket)
{
    uint32_t slot = ticket & (BIT(SLOT_BITS) - 1);
    struct resolve_query *q = slot < RESOLVE_QUERIES_MAX ? &r->query[slot] : NULL;
    return q && q->phase != RESOLVE_FREE && ticket_of(r, q) == ticket ? q : NULL;
}

static bool asked_already(struct resolver *r, const struct resolve_query *q)
{
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++)
        if (is_asking(&r->query[i]) && same_question(&r->query[i], q))
            return true;
    return false;
}

int resolve_start(struct resolver *r, oriel_time now, const struct dns_name *name, uint16_t type,
                  uint32_t *ticket)
{
    struct resolve_query *q = r->query;
    if (!dns_answer_holds(type) || name->n <= 1)
        return ORIEL_EINVAL;
    while (q < r->query + RESOLVE_QUERIES_MAX && q->phase != RESOLVE_FREE)
        q++;
    if (q == r->query + RESOLVE_QUERIES_MAX)
        return ORIEL_ENOBUFS;
    *q = (struct resolve_query){.generation = (uint16_t)(q->generation + 1), .name = *name,
                                .asked = {.name = *name, .qtype = type, .qclass = DNS_IN},
                                .ttl_s = DNS_TTL_MAX_S, .deadline = ORIEL_NEVER};
    *ticket = ticket_of(r, q);
    if (answer_from_hosts(r, q) || answer_from_cache(r, q, now))
        return 0;
    if (asked_already(r, q))
        set_phase(q, RESOLVE_FOLLOWS);
    else
        begin(r, q, now);
    return 0;
}

int resolve_take(struct resolver *r, uint32_t ticket, struct dns_answer *out)
{
    struct resolve_query *q = query_of(r, ticket);
    if (!q)
        return ORIEL_EBADF;
    if (q->phase != RESOLVE_DONE)
        return ORIEL_EAGAIN;
    *out = q->answer;
    set_phase(q, RESOLVE_FREE);
    return q->err;
}

/* Who was asked for by one that is gone is asked for by the next who waits. */
static void promote(struct resolver *r, const struct resolve_query *gone, oriel_time now)
{
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++) {
        struct resolve_query *q = &r->query[i];
        if (q->phase == RESOLVE_FOLLOWS && same_question(q, gone)) {
            begin(r, q, now);
            return;
        }
    }
}

void resolve_cancel(struct resolver *r, oriel_time now, uint32_t ticket)
{
    struct resolve_query *q = query_of(r, ticket);
    if (!q)
        return;
    bool led = is_asking(q);
    hang_up(r, q);
    set_phase(q, RESOLVE_FREE);
    if (led)
        promote(r, q, now);
}

void resolver_fini(struct resolver *r)
{
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++)
        hang_up(r, &r->query[i]);
}

static bool same_servers(const struct resolver *r, const struct oriel_endpoint *list, unsigned n)
{
    if (r->cfg.servers_n != n)
        return false;
    for (unsigned i = 0; i < n; i++)
        if (!addr_identical(&r->cfg.servers[i].addr, &list[i].addr) ||
            r->cfg.servers[i].port != list[i].port)
            return false;
    return true;
}

void resolver_set_servers(struct resolver *r, oriel_time now, const struct oriel_endpoint *list,
                          unsigned n)
{
    if (n > RESOLVE_SERVERS_MAX)
        n = RESOLVE_SERVERS_MAX;
    if (same_servers(r, list, n))
        return;
    for (unsigned i = 0; i < n; i++)
        r->cfg.servers[i] = list[i];
    r->cfg.servers_n = (uint8_t)n;
    r->current = r->no_edns = 0;
    dns_cache_clear(&r->cache);
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++)
        if (is_asking(&r->query[i]))
            begin(r, &r->query[i], now);
}

/* ---- names of addresses ---- */

void resolve_reverse(const struct oriel_addr *a, struct dns_name *out)
{
    char text[DNS_NAME_MAX];
    struct txt t = txt_of(text, sizeof(text));
    if (addr_is_v4(a)) {
        for (unsigned shift = 0; shift < 32; shift += 8) {
            txt_u(&t, addr_to_v4(a) >> shift & 0xff);
            txt_c(&t, '.');
        }
        txt_s(&t, "in-addr.arpa");
    } else {
        for (unsigned shift = 0; shift < 128; shift += 4) {
            txt_hex(&t, (shift < 64 ? a->lo : a->hi) >> (shift % 64) & 0xf, 1);
            txt_c(&t, '.');
        }
        txt_s(&t, "ip6.arpa");
    }
    bool good = dns_name_of(span_of(text, t.n), out);
    ORIEL_ASSERT(good);
}
