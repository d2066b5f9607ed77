/* The name server of worlds. */
#include "lab/app_names.h"

#define ANSWER_MAX 4096

/* ---- rows ---- */

static bool at_space(const struct rd *r)
{
    struct rd peek = *r;
    return rd_u8(&peek) == ' ';
}

static struct span next_word(struct rd *r)
{
    size_t n = 0;
    while (at_space(r))
        rd_skip(r, 1);
    struct rd end = *r;
    for (; !rd_done(&end) && !at_space(&end); n++)
        rd_skip(&end, 1);
    return rd_bytes(r, n);
}

static bool data_of(uint16_t type, struct span text, struct dns_data *d)
{
    *d = (struct dns_data){.addr = ADDR_NONE};
    if (type == DNS_A || type == DNS_AAAA)
        return addr_parse(text, &d->addr) && addr_is_v4(&d->addr) == (type == DNS_A);
    return dns_name_of(text, &d->name);
}

bool name_row_parse(struct span text, struct name_row *out)
{
    struct rd r = rd_of(text);
    struct span name = next_word(&r), type = next_word(&r), data = next_word(&r);
    struct span ttl = next_word(&r);
    uint64_t ttl_s = NAMES_TTL_S;
    *out = (struct name_row){.type = 0};
    if (!dns_type_named(type, &out->type) || !dns_answer_holds(out->type) ||
        !dns_name_of(name, &out->name) || !data_of(out->type, data, &out->data) ||
        (ttl.n > 0 && !txt_parse_u(ttl, UINT32_MAX, &ttl_s)) || next_word(&r).n > 0)
        return false;
    out->ttl_s = (uint32_t)ttl_s;
    return true;
}

/* ---- one answer ---- */

struct asked {
    struct dns_hdr h;
    struct dns_question q;
    bool edns;
    uint16_t size_max;          /* of an answer over UDP */
};

static bool read_question(struct span msg, struct asked *a)
{
    struct rd r = rd_of(msg);
    struct dns_rr rr;
    if (!dns_parse(&r, &a->h) || a->h.is_response)
        return false;
    struct dns_walk k = dns_walk_of(msg, &a->h);
    a->edns = false;
    a->size_max = DNS_UDP_MAX;
    if (!dns_question_next(&k, &a->q))
        return false;
    while (dns_rr_next(&k, &rr)) {
        if (rr.type != DNS_OPT)
            continue;
        a->edns = true;
        if (rr.rclass > a->size_max)
            a->size_max = rr.rclass;
    }
    return k.r.bad == 0;
}

static void emit_row(struct wr *w, const struct name_row *row, const struct dns_name *first)
{
    struct dns_rr rr = {.name = row->name, .type = row->type, .rclass = DNS_IN,
                        .ttl_s = row->ttl_s};
    dns_rr_emit(w, &rr, &row->data, first);
}

/* Rows of a name and type (0: any type) into w, if there is one; their number. */
static uint16_t emit_rows(const struct names *n, const struct dns_name *name, uint16_t type,
                          struct wr *w, const struct dns_name *first, const struct name_row **seen)
{
    uint16_t found = 0;
    for (uint16_t i = 0; i < n->p.rows_n; i++) {
        const struct name_row *row = &n->p.rows[i];
        if ((type != 0 && row->type != type) || !dns_name_eq(&row->name, name))
            continue;
        *seen = row;
        found++;
        if (w)
            emit_row(w, row, first);
    }
    return found;
}

static void emit_soa(struct wr *w)
{
    struct dns_rr rr = {.name = {.n = 1, .b = {0}}, .type = DNS_SOA, .rclass = DNS_IN,
                        .ttl_s = NAMES_TTL_S};
    struct dns_data d = {.name = {.n = 1, .b = {0}}, .mailbox = {.n = 1, .b = {0}},
                         .minimum_s = NAMES_TTL_S};
    dns_rr_emit(w, &rr, &d, NULL);
}

/* Question and sections after a header that is filled in at the end. */
static void emit_answer(const struct names *n, const struct asked *a, struct wr *w)
{
    const struct name_row *row = NULL;
    struct dns_name name = a->q.name;
    struct dns_hdr h = {.id = a->h.id, .is_response = true, .rd = a->h.rd, .ra = true, .aa = true,
                        .questions_n = 1};
    struct wr head = *w;
    dns_emit(w, &h);
    dns_question_emit(w, &a->q);
    for (unsigned step = 0; step < NAMES_ROWS_MAX && a->q.qtype != DNS_CNAME; step++) {
        if (emit_rows(n, &name, DNS_CNAME, w, &a->q.name, &row) == 0)
            break;
        h.answers_n++;
        name = row->data.name;
        if (n->p.no_chase)
            break;
    }
    uint16_t found = n->p.no_chase && h.answers_n > 0
                         ? 1 : emit_rows(n, &name, a->q.qtype, w, &a->q.name, &row);
    if (!(n->p.no_chase && h.answers_n > 0))
        h.answers_n = (uint16_t)(h.answers_n + found);
    if (found == 0) {
        h.rcode = emit_rows(n, &name, 0, NULL, NULL, &row) > 0 ? DNS_NOERROR : DNS_NXDOMAIN;
        h.authority_n = 1;
        emit_soa(w);
    }
    dns_emit(&head, &h);
}

static void emit_error(const struct asked *a, uint8_t rcode, bool tc, struct wr *w)
{
    struct dns_hdr h = {.id = a->h.id, .is_response = true, .rd = a->h.rd, .ra = true, .tc = tc,
                        .rcode = rcode, .questions_n = 1};
    dns_emit(w, &h);
    dns_question_emit(w, &a->q);
}

/* What to say to that question; empty: nothing. */
static struct span answer(struct names *n, struct span msg, bool stream, struct wr *w)
{
    struct asked a;
    struct wr all = *w;
    if (!read_question(msg, &a) || (n->p.silent && !stream))
        return wr_span(w);
    n->last_id = a.h.id;
    n->last = a.q;
    n->last_edns = a.edns;
    if (a.edns && n->p.no_edns)
        emit_error(&a, DNS_FORMERR, false, w);
    else if (n->p.refuse)
        emit_error(&a, DNS_REFUSED, false, w);
    else
        emit_answer(n, &a, w);
    if (!stream && (n->p.cut || wr_len(w) > a.size_max)) {
        *w = all;
        emit_error(&a, DNS_NOERROR, true, w);
    }
    return wr_span(w);
}

/* ---- the application ---- */

static int open_udp(struct names *n, const struct oriel_endpoint *at)
{
    int err = oriel_udp_open(n->host.stack, ORIEL_DUAL, &n->udp);
    return err ? err : oriel_bind(n->host.stack, n->udp, at);
}

static int open_stream(struct names *n, const struct oriel_endpoint *at)
{
    int err = oriel_tcp_open(n->host.stack, ORIEL_DUAL, &n->listener);
    if (!err)
        err = oriel_bind(n->host.stack, n->listener, at);
    return err ? err : oriel_listen(n->host.stack, n->listener, NULL);
}

int names_start(struct names *n, const struct app_host *host, const struct names_params *p)
{
    *n = (struct names){.host = *host, .p = *p};
    struct oriel_endpoint at = {.addr = ADDR_NONE, .port = p->port ? p->port : DNS_PORT};
    n->failed = open_udp(n, &at);
    if (!n->failed && !p->no_stream)
        n->failed = open_stream(n, &at);
    if (n->failed)
        names_stop(n);
    return n->failed;
}

static void step_udp(struct names *n)
{
    uint8_t reply[ANSWER_MAX];
    struct oriel_msg m;
    for (;;) {
        int got = oriel_recv(n->host.stack, n->udp, n->host.buffer, APP_BUFFER, &m);
        if (got == ORIEL_EAGAIN)
            return;
        if (got < 0)
            continue;
        struct wr w = wr_of(reply, sizeof(reply));
        n->over_udp++;
        n->last_peer = m.peer;
        struct span say = answer(n, span_of(n->host.buffer, (size_t)got), false, &w);
        struct oriel_msg back = {.peer = m.peer, .local = m.local};
        if (say.n > 0 && !w.bad)
            best_effort(oriel_send(n->host.stack, n->udp, say.p, say.n, &back));
    }
}

/* One question on a stream, when all of it is there; then the stream is closed. */
static void step_stream(struct names *n, oriel_handle *h)
{
    uint8_t reply[ANSWER_MAX];
    struct oriel_msg peek = {.flags = ORIEL_MSG_PEEK};
    struct oriel_stack *s = n->host.stack;
    int got = oriel_recv(s, *h, n->host.buffer, NAMES_QUERY_MAX, &peek);
    if (got == ORIEL_EAGAIN)
        return;
    struct rd r = rd_of(span_of(n->host.buffer, got > 0 ? (size_t)got : 0));
    size_t len = rd_u16(&r);
    if (got > 0 && (r.bad || rd_left(&r) < len))
        return;
    if (got > 0) {
        struct wr w = wr_of(reply, sizeof(reply));
        struct wr body;
        n->over_tcp++;
        wr_u16(&w, 0);
        body = wr_of(w.p, wr_left(&w));
        struct span say = answer(n, rd_bytes(&r, len), true, &body);
        wr_patch_u16(&w, 0, (uint16_t)say.n);
        if (say.n > 0)
            best_effort(oriel_send(s, *h, reply, say.n + 2, NULL));
        best_effort(oriel_recv_release(s, *h, (size_t)got));
    }
    best_effort(oriel_close(s, *h));
    *h = 0;
}

void names_step(struct names *n)
{
    if (n->udp)
        step_udp(n);
    for (unsigned i = 0; i < NAMES_STREAMS_MAX; i++) {
        if (n->listener && !n->stream[i] &&
            oriel_accept(n->host.stack, n->listener, &n->stream[i], NULL) != 0)
            n->stream[i] = 0;
        if (n->stream[i])
            step_stream(n, &n->stream[i]);
    }
}

void names_stop(struct names *n)
{
    oriel_handle all[2 + NAMES_STREAMS_MAX] = {n->udp, n->listener};
    memcpy(all + 2, n->stream, sizeof(n->stream));
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        if (all[i])
            best_effort(oriel_close(n->host.stack, all[i]));
    n->udp = n->listener = 0;
    memset(n->stream, 0, sizeof(n->stream));
}
