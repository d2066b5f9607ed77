#include "fuzz.h"

#include "wire/dns.h"

struct message {
    struct dns_hdr h;
    struct span all;
};

/* Walks everything; a record whose data is at fault spoils the message, as for a resolver. */
static bool parse(struct rd *r, struct message *m)
{
    m->all = span_of(r->p, rd_left(r));
    if (!dns_parse(r, &m->h))
        return false;
    struct dns_walk k = dns_walk_of(m->all, &m->h);
    struct dns_question q;
    struct dns_rr rr;
    struct dns_data d;
    while (dns_question_next(&k, &q))
        FUZZ_CHECK(q.name.n >= 1);
    while (dns_rr_next(&k, &rr)) {
        struct rd data = rd_of(rr.data);
        FUZZ_CHECK(rr.section <= DNS_ADDITIONAL);
        if (!dns_data_parse(&data, m->all, rr.type, &d))
            rd_join(&k.r, &data);
    }
    *r = k.r;
    return r->bad == FAULT_NONE;
}

static void emit_record(struct wr *w, struct span all, const struct dns_rr *rr,
                        const struct dns_name *first)
{
    struct rd data = rd_of(rr->data);
    struct dns_data d;
    FUZZ_CHECK(dns_data_parse(&data, all, rr->type, &d));
    dns_rr_emit(w, rr, &d, first);
}

/*
 * Emitted again with the names in the data written out: a message can grow beyond any room that its
 * length would suggest, and then it is only read.
 */
static void emit(struct wr *w, const struct message *m)
{
    struct dns_walk k = dns_walk_of(m->all, &m->h);
    struct dns_question q;
    struct dns_rr rr;
    struct dns_name first;
    bool has_first = false;
    dns_emit(w, &m->h);
    while (dns_question_next(&k, &q)) {
        first = has_first ? first : q.name;
        has_first = true;
        dns_question_emit(w, &q);
    }
    while (dns_rr_next(&k, &rr))
        emit_record(w, m->all, &rr, has_first ? &first : NULL);
    FUZZ_CHECK(k.r.bad == FAULT_NONE);
    if (w->bad)
        *w = wr_of(w->start, 0);
}

FUZZ_FORMAT(dns, struct message, parse(r, h), emit(w, h), dns_print(t, h->all))
