/*
 * The proxy. A question is read only so far as it must be understood to be given back to the right
 * client; the rest of it, and of the answer, goes through as it is.
 */
#include "svc/dns_proxy.h"

#define BUFFER_BYTES  (65535 + 2)
#define ASKS_MAX      4096
#define STREAM_BUFFER (128 * 1024)      /* so that a whole answer goes into the socket */
#define OPT_DO        0x8000u           /* in the TTL of OPT: signatures are wanted (RFC 3225) */
#define ID_TRIES      64

size_t dns_proxy_memory(uint32_t asks, uint32_t cache_entries)
{
    uint32_t n = asks ? asks : DNS_PROXY_ASKS;
    return BUFFER_BYTES + n * (sizeof(struct dns_proxy_ask) + 16 + 1) +
           dns_cache_memory(cache_entries) + 1024;
}

/* ---- life ---- */

static int open_one(struct dns_proxy *p, unsigned i)
{
    struct oriel_stack *s = p->cfg.stack;
    struct oriel_endpoint at = p->cfg.listen[i];
    enum oriel_family family = addr_is_unspecified(&at.addr) ? ORIEL_DUAL
                               : addr_is_v4(&at.addr) ? ORIEL_IP4 : ORIEL_IP6;
    if (at.port == 0)
        at.port = DNS_PORT;
    int err = oriel_udp_open(s, family, &p->udp[i]);
    if (!err)
        err = oriel_bind(s, p->udp[i], &at);
    if (!err)
        err = oriel_tcp_open(s, family, &p->listener[i]);
    if (!err)
        err = oriel_setopt(s, p->listener[i], ORIEL_OPT_SNDBUF, STREAM_BUFFER);
    if (!err)
        err = oriel_bind(s, p->listener[i], &at);
    return err ? err : oriel_listen(s, p->listener[i], NULL);
}

int dns_proxy_start(struct dns_proxy *p, const struct dns_proxy_config *cfg)
{
    struct arena a;
    struct siphash_key cache_key = siphash_derive(cfg->seed, "dns cache");
    int err = 0;
    ORIEL_ASSERT(cfg->listen_n > 0 && cfg->listen_n <= DNS_PROXY_LISTEN);
    ORIEL_ASSERT(cfg->asks <= ASKS_MAX);
    *p = (struct dns_proxy){.cfg = *cfg, .id_key = siphash_derive(cfg->seed, "dns id")};
    if (p->cfg.asks == 0)
        p->cfg.asks = DNS_PROXY_ASKS;
    if (p->cfg.timeout == 0)
        p->cfg.timeout = DNS_PROXY_TIMEOUT;
    list_init(&p->waiting);
    arena_init(&a, cfg->memory, cfg->memory_bytes);
    p->buffer = arena_take(&a, BUFFER_BYTES);
    if (!p->buffer ||
        !pool_init(&p->asks, "asks", &a, sizeof(struct dns_proxy_ask), p->cfg.asks) ||
        !dns_cache_init(&p->cache, &a, cfg->cache_entries, &cache_key))
        return ORIEL_ENOBUFS;
    for (unsigned i = 0; i < cfg->listen_n && !err; i++)
        err = open_one(p, i);
    if (err)
        dns_proxy_stop(p);
    return err;
}

static void close_if_open(struct dns_proxy *p, oriel_handle *h)
{
    if (*h)
        best_effort(oriel_close(p->cfg.stack, *h));
    *h = 0;
}

static void forget(struct dns_proxy *p, struct dns_proxy_ask *a)
{
    if (a->stream < DNS_PROXY_STREAMS)
        p->stream[a->stream].waiting--;
    list_remove(&a->node);
    pool_put(&p->asks, a);
}

static struct dns_proxy_ask *ask_of(struct list *n)
{
    return CONTAINER_OF(n, struct dns_proxy_ask, node);
}

/* A stream is gone, and with it whoever asked there. */
static void hang_up(struct dns_proxy *p, unsigned i)
{
    LIST_EACH(n, &p->waiting)
        if (ask_of(n)->stream == i)
            forget(p, ask_of(n));
    close_if_open(p, &p->stream[i].sock);
}

void dns_proxy_stop(struct dns_proxy *p)
{
    for (unsigned i = 0; i < DNS_PROXY_STREAMS; i++)
        hang_up(p, i);
    while (!list_empty(&p->waiting))
        forget(p, ask_of(p->waiting.next));
    for (unsigned i = 0; i < DNS_PROXY_LISTEN; i++) {
        close_if_open(p, &p->udp[i]);
        close_if_open(p, &p->listener[i]);
    }
}

/* ---- answers to clients ---- */

/* What stands in the buffer behind its length, to who asked. */
static void reply(struct dns_proxy *p, const struct dns_proxy_ask *a, size_t n)
{
    struct oriel_stack *s = p->cfg.stack;
    struct wr w = wr_of(p->buffer, n + 2);
    if (a->stream == DNS_PROXY_STREAMS) {
        struct oriel_msg how = {.peer = a->client, .local = a->local};
        best_effort(oriel_send(s, p->udp[a->socket], p->buffer + 2, n, &how));
        return;
    }
    (void)wr_room(&w, n + 2);
    wr_patch_u16(&w, 0, (uint16_t)n);
    int sent = oriel_send(s, p->stream[a->stream].sock, p->buffer, n + 2, NULL);
    if (sent != (int)(n + 2))           /* it does not read what it asks for */
        p->stream[a->stream].until = 0;
}

/* Header and question alone. */
static void reply_bare(struct dns_proxy *p, const struct dns_proxy_ask *a, uint8_t rcode, bool tc)
{
    struct wr w = wr_of(p->buffer + 2, BUFFER_BYTES - 2);
    struct dns_hdr h = {.id = a->client_id, .is_response = true, .rd = true, .ra = true, .tc = tc,
                        .rcode = rcode, .questions_n = 1};
    dns_emit(&w, &h);
    dns_question_emit(&w, &a->question);
    reply(p, a, wr_len(&w));
}

/* An answer as it came, under the client's own id; cut if its datagram is too small. */
static void reply_with(struct dns_proxy *p, const struct dns_proxy_ask *a, struct span msg)
{
    struct wr w = wr_of(p->buffer + 2, BUFFER_BYTES - 2);
    if (a->stream == DNS_PROXY_STREAMS && msg.n > a->size_max) {
        reply_bare(p, a, DNS_NOERROR, true);
        return;
    }
    wr_bytes(&w, msg);
    wr_patch_u16(&w, 0, a->client_id);
    if (!w.bad)
        reply(p, a, msg.n);
}

/* ---- the cache ---- */

static void emit_addr(struct wr *w, const struct dns_proxy_ask *a, const struct dns_answer *c,
                      const struct oriel_addr *addr)
{
    struct dns_rr rr = {.name = c->name, .type = a->question.qtype, .rclass = DNS_IN,
                        .ttl_s = c->ttl_s};
    struct dns_data d = {.addr = *addr};
    dns_rr_emit(w, &rr, &d, &a->question.name);
}

static void emit_name(struct wr *w, const struct dns_proxy_ask *a, uint16_t type,
                      const struct dns_answer *c)
{
    struct dns_rr rr = {.name = a->question.name, .type = type, .rclass = DNS_IN,
                        .ttl_s = c->ttl_s};
    struct dns_data d = {.name = c->name};
    dns_rr_emit(w, &rr, &d, &a->question.name);
}

/* What is known, as an answer; a chain of aliases is told as one. */
static size_t emit_known(struct dns_proxy *p, const struct dns_proxy_ask *a, enum dns_verdict v,
                         const struct dns_answer *c)
{
    bool addrs = a->question.qtype == DNS_A || a->question.qtype == DNS_AAAA;
    bool alias = addrs && !dns_name_eq(&c->name, &a->question.name);
    struct wr w = wr_of(p->buffer + 2, BUFFER_BYTES - 2);
    struct dns_hdr h = {.id = a->client_id, .is_response = true, .rd = true, .ra = true,
                        .questions_n = 1,
                        .rcode = v == DNS_NOTHING && c->no_name ? DNS_NXDOMAIN : DNS_NOERROR};
    if (v == DNS_FOUND)
        h.answers_n = addrs ? (uint16_t)(c->addrs_n + alias) : 1;
    dns_emit(&w, &h);
    dns_question_emit(&w, &a->question);
    if (v == DNS_FOUND && (alias || !addrs))
        emit_name(&w, a, addrs ? DNS_CNAME : a->question.qtype, c);
    for (unsigned i = 0; v == DNS_FOUND && addrs && i < c->addrs_n; i++)
        emit_addr(&w, a, c, &c->addrs[i]);
    ORIEL_ASSERT(!w.bad);
    return wr_len(&w);
}

static bool answer_from_cache(struct dns_proxy *p, const struct dns_proxy_ask *a, oriel_time now)
{
    struct dns_answer c;
    enum dns_verdict v = DNS_NOT_OURS;
    if (a->plain)
        v = dns_cache_find(&p->cache, now, &a->question.name, a->question.qtype, &c);
    if (v == DNS_NOT_OURS)
        return false;
    size_t n = emit_known(p, a, v, &c);
    p->from_cache++;
    if (a->stream == DNS_PROXY_STREAMS && n > a->size_max)
        reply_bare(p, a, DNS_NOERROR, true);
    else
        reply(p, a, n);
    return true;
}

/* More addresses than the cache holds, or more records than it knows, would be lost in it. */
static void keep(struct dns_proxy *p, const struct dns_proxy_ask *a, struct span msg,
                 oriel_time now)
{
    struct dns_answer c;
    if (!a->plain)
        return;
    enum dns_verdict v = dns_answer_read(msg, a->id, &a->question, &c);
    bool whole = c.addrs_n < DNS_ANSWER_ADDRS &&
                 (a->question.qtype == DNS_A || a->question.qtype == DNS_AAAA);
    if (v == DNS_NOTHING || (v == DNS_FOUND && whole))
        dns_cache_put(&p->cache, now, &a->question.name, a->question.qtype, v, &c);
}

/* ---- questions ---- */

/* The client's question; what is to be said of it at once, or DNS_NOERROR: it goes on. */
static uint8_t read_question(struct span msg, struct dns_proxy_ask *a, bool *ours)
{
    struct rd r = rd_of(msg);
    struct dns_hdr h;
    struct dns_rr rr;
    *ours = dns_parse(&r, &h) && !h.is_response;
    if (!*ours)
        return DNS_NOERROR;
    a->client_id = h.id;
    a->size_max = DNS_UDP_MAX;
    struct dns_walk k = dns_walk_of(msg, &h);
    *ours = dns_question_next(&k, &a->question);
    a->plain = h.rd && !h.cd && !h.ad && a->question.qclass == DNS_IN &&
               dns_answer_holds(a->question.qtype);
    while (dns_rr_next(&k, &rr)) {
        if (rr.type != DNS_OPT)
            continue;
        if (rr.rclass > a->size_max)
            a->size_max = rr.rclass;
        if ((rr.ttl_s & OPT_DO) != 0)
            a->plain = false;
    }
    if (h.opcode != 0)
        return DNS_NOTIMP;
    return k.r.bad != 0 || h.questions_n != 1 || msg.n > DNS_PROXY_QUERY_MAX ? DNS_FORMERR
                                                                             : DNS_NOERROR;
}

static struct dns_proxy_ask *find_id(struct dns_proxy *p, uint16_t id)
{
    LIST_EACH(n, &p->waiting)
        if (ask_of(n)->id == id)
            return ask_of(n);
    return NULL;
}

/* One that nobody waits for: by chance, so that it cannot be guessed. */
static uint16_t draw_id(struct dns_proxy *p, oriel_time now)
{
    uint16_t id = 0;
    for (unsigned i = 0; i < ID_TRIES; i++) {
        uint64_t words[2] = {p->ids++, now};
        id = (uint16_t)siphash_words(&p->id_key, words, 2);
        if (!find_id(p, id))
            break;
    }
    return id;
}

/* By the same client, in the same words: it has not heard from us. */
static bool is_asked(const struct dns_proxy *p, const struct dns_proxy_ask *a)
{
    LIST_EACH(n, &p->waiting) {
        const struct dns_proxy_ask *o = ask_of(n);
        if (o->stream == a->stream && o->socket == a->socket && o->client_id == a->client_id &&
            o->client.port == a->client.port && addr_eq(&o->client.addr, &a->client.addr) &&
            o->question.qtype == a->question.qtype &&
            dns_name_eq(&o->question.name, &a->question.name))
            return true;
    }
    return false;
}

/* The question waits for somebody outside. False: there is no place. */
static bool let_wait(struct dns_proxy *p, oriel_time now, struct span msg,
                     const struct dns_proxy_ask *a)
{
    struct dns_proxy_ask *kept = pool_get(&p->asks);
    if (!kept)
        return false;
    *kept = *a;
    kept->id = draw_id(p, now);
    kept->n = (uint16_t)msg.n;
    kept->until = time_after(now, p->cfg.timeout);
    struct wr w = wr_of(kept->msg, sizeof(kept->msg));
    wr_bytes(&w, msg);
    wr_patch_u16(&w, 0, kept->id);
    list_push_back(&p->waiting, &kept->node);
    if (kept->stream < DNS_PROXY_STREAMS)
        p->stream[kept->stream].waiting++;
    return true;
}

static void take_question(struct dns_proxy *p, oriel_time now, struct span msg,
                          struct dns_proxy_ask *a)
{
    bool ours;
    uint8_t rcode = read_question(msg, a, &ours);
    if (!ours)
        return;
    p->asked++;
    if (rcode != DNS_NOERROR) {
        reply_bare(p, a, rcode, false);
        return;
    }
    if (!is_asked(p, a) && !answer_from_cache(p, a, now) && !let_wait(p, now, msg, a))
        reply_bare(p, a, DNS_SERVFAIL, false);
}

static void step_udp(struct dns_proxy *p, unsigned i, oriel_time now)
{
    struct oriel_msg m;
    struct dns_proxy_ask a;
    int n;
    while (p->udp[i] && (n = oriel_recv(p->cfg.stack, p->udp[i], p->buffer, BUFFER_BYTES, &m)) !=
                            ORIEL_EAGAIN) {
        if (n < 0)
            continue;
        a = (struct dns_proxy_ask){.socket = (uint8_t)i, .stream = DNS_PROXY_STREAMS,
                                   .client = m.peer, .local = m.local};
        take_question(p, now, span_of(p->buffer, (size_t)n), &a);
    }
}

static void accept_some(struct dns_proxy *p, unsigned i, oriel_time now)
{
    for (unsigned k = 0; k < DNS_PROXY_STREAMS && p->listener[i]; k++) {
        struct dns_proxy_stream *t = &p->stream[k];
        if (t->sock)
            continue;
        oriel_handle h;
        if (oriel_accept(p->cfg.stack, p->listener[i], &h, NULL) != 0)
            return;
        *t = (struct dns_proxy_stream){.sock = h, .until = time_after(now, DNS_PROXY_IDLE)};
    }
}

/* Every question that has come whole and finds a place; false: the stream is over. */
static bool step_stream(struct dns_proxy *p, unsigned i, oriel_time now)
{
    struct dns_proxy_stream *t = &p->stream[i];
    while (t->waiting == 0 || t->waiting < p->cfg.asks / 4) {
        struct oriel_msg peek = {.flags = ORIEL_MSG_PEEK};
        struct dns_proxy_ask a = {.stream = (uint8_t)i};
        int n = oriel_recv(p->cfg.stack, t->sock, p->buffer, 2 + DNS_PROXY_QUERY_MAX, &peek);
        if (n == ORIEL_EAGAIN)
            return true;
        if (n <= 0)
            return n == 0 && t->waiting > 0;    /* it said all that it wants to ask */
        struct rd r = rd_of(span_of(p->buffer, (size_t)n));
        size_t len = rd_u16(&r);
        if (len > DNS_PROXY_QUERY_MAX)
            return false;
        if (r.bad || rd_left(&r) < len)
            return true;
        best_effort(oriel_recv_release(p->cfg.stack, t->sock, len + 2));
        t->until = time_after(now, DNS_PROXY_IDLE);
        take_question(p, now, rd_bytes(&r, len), &a);
    }
    return true;
}

/* ---- time ---- */

static oriel_time step_streams(struct dns_proxy *p, oriel_time now)
{
    oriel_time next = ORIEL_NEVER;
    for (unsigned i = 0; i < DNS_PROXY_STREAMS; i++) {
        struct dns_proxy_stream *t = &p->stream[i];
        if (!t->sock)
            continue;
        bool over = !step_stream(p, i, now) || t->until == 0;
        if (over || (t->waiting == 0 && now >= t->until))
            hang_up(p, i);
        else if (t->waiting == 0 && t->until < next)
            next = t->until;
    }
    return next;
}

static void fail(struct dns_proxy *p, struct dns_proxy_ask *a)
{
    p->failed++;
    reply_bare(p, a, DNS_SERVFAIL, false);
    forget(p, a);
}

/* Questions wait in the order in which they came, and all equally long. */
static oriel_time give_up(struct dns_proxy *p, oriel_time now)
{
    while (!list_empty(&p->waiting) && ask_of(p->waiting.next)->until <= now)
        fail(p, ask_of(p->waiting.next));
    return list_empty(&p->waiting) ? ORIEL_NEVER : ask_of(p->waiting.next)->until;
}

oriel_time dns_proxy_step(struct dns_proxy *p, oriel_time now)
{
    for (unsigned i = 0; i < p->cfg.listen_n; i++) {
        step_udp(p, i, now);
        accept_some(p, i, now);
    }
    oriel_time next = step_streams(p, now);
    oriel_time until = give_up(p, now);
    return until < next ? until : next;
}

/* ---- the world outside ---- */

bool dns_proxy_next(struct dns_proxy *p, struct dns_proxy_out *out)
{
    LIST_EACH(n, &p->waiting) {
        struct dns_proxy_ask *a = ask_of(n);
        if (a->handed_out)
            continue;
        a->handed_out = true;
        *out = (struct dns_proxy_out){.id = a->id, .msg = span_of(a->msg, a->n),
                                      .stream = a->stream < DNS_PROXY_STREAMS};
        return true;
    }
    return false;
}

void dns_proxy_fail(struct dns_proxy *p, uint16_t id)
{
    struct dns_proxy_ask *a = find_id(p, id);
    if (a)
        fail(p, a);
}

bool dns_proxy_answer(struct dns_proxy *p, oriel_time now, struct span msg)
{
    struct rd r = rd_of(msg);
    struct dns_hdr h;
    struct dns_question q;
    if (!dns_parse(&r, &h) || !h.is_response || msg.n > BUFFER_BYTES - 2)
        return false;
    struct dns_proxy_ask *a = find_id(p, h.id);
    struct dns_walk k = dns_walk_of(msg, &h);
    if (!a || !dns_question_next(&k, &q) || q.qtype != a->question.qtype ||
        q.qclass != a->question.qclass || !dns_name_eq(&q.name, &a->question.name))
        return false;
    p->answered++;
    keep(p, a, msg, now);
    reply_with(p, a, msg);
    forget(p, a);
    return true;
}
