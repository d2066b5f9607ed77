/*
 * Responses, read from the question on. Records stand in any order, so each step of the chain walks
 * the answer section again; both are bounded.
 */
#include "svc/dns_answer.h"

#define TTL_SIGN 0x80000000u            /* RFC 2181, 8: such a lifetime is zero */

bool dns_answer_holds(uint16_t type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_NS || type == DNS_CNAME ||
           type == DNS_PTR;
}

static uint32_t less_ttl(uint32_t so_far, uint32_t ttl_s)
{
    uint32_t t = (ttl_s & TTL_SIGN) != 0 ? 0 : ttl_s;
    return t < so_far ? t : so_far;
}

/* The question as it was asked, and nothing else. */
static bool echoes(struct span msg, const struct dns_hdr *h, const struct dns_question *q)
{
    struct dns_walk k = dns_walk_of(msg, h);
    struct dns_question got;
    return h->questions_n == 1 && dns_question_next(&k, &got) && got.qtype == q->qtype &&
           got.qclass == q->qclass && dns_name_eq(&got.name, &q->name);
}

/* What the header alone decides; DNS_FOUND: read on. */
static enum dns_verdict judge_header(struct span msg, const struct dns_hdr *h, uint16_t id,
                                     const struct dns_question *q)
{
    bool puzzled = h->rcode == DNS_FORMERR || h->rcode == DNS_NOTIMP;
    if (!h->is_response || h->id != id || h->opcode != 0)
        return DNS_NOT_OURS;
    if (puzzled && h->questions_n == 0)
        return DNS_NOT_UNDERSTOOD;      /* who cannot read a question cannot repeat it */
    if (!echoes(msg, h, q))
        return DNS_NOT_OURS;
    if (puzzled)
        return DNS_NOT_UNDERSTOOD;
    if (h->tc)
        return DNS_CUT;
    return h->rcode == DNS_NOERROR || h->rcode == DNS_NXDOMAIN ? DNS_FOUND : DNS_SERVER_FAILED;
}

/* The data of a record, whole. */
static bool data_of(const struct dns_walk *k, const struct dns_rr *rr, struct dns_data *d)
{
    struct rd r = rd_of(rr->data);
    return dns_data_parse(&r, k->msg, rr->type, d);
}

static bool is_at(const struct dns_rr *rr, uint8_t section, uint16_t type,
                  const struct dns_name *owner)
{
    return rr->section == section && rr->type == type && rr->rclass == DNS_IN &&
           dns_name_eq(&rr->name, owner);
}

/*
 * One step along the chain: out->name becomes what it is an alias of. `*good` is cleared when the
 * message is malformed.
 */
static bool follow_alias(struct span msg, const struct dns_hdr *h, struct dns_answer *out,
                         bool *good)
{
    struct dns_walk k = dns_walk_of(msg, h);
    struct dns_rr rr;
    struct dns_data d;
    while (dns_rr_next(&k, &rr)) {
        if (!is_at(&rr, DNS_ANSWER, DNS_CNAME, &out->name))
            continue;
        *good = data_of(&k, &rr, &d);
        out->name = d.name;
        out->ttl_s = less_ttl(out->ttl_s, rr.ttl_s);
        return *good;
    }
    *good = k.r.bad == 0;
    return false;
}

/* The records of the type at the end of the chain. False: malformed. */
static bool collect(struct span msg, const struct dns_hdr *h, uint16_t type,
                    struct dns_answer *out, bool *found)
{
    struct dns_walk k = dns_walk_of(msg, h);
    const struct dns_name owner = out->name;
    struct dns_rr rr;
    struct dns_data d;
    while (dns_rr_next(&k, &rr)) {
        if (!is_at(&rr, DNS_ANSWER, type, &owner))
            continue;
        if (!data_of(&k, &rr, &d))
            return false;
        if (type != DNS_A && type != DNS_AAAA) {
            if (!*found)
                out->name = d.name;
        } else if (out->addrs_n < DNS_ANSWER_ADDRS) {
            out->addrs[out->addrs_n++] = d.addr;
        }
        out->ttl_s = less_ttl(out->ttl_s, rr.ttl_s);
        *found = true;
    }
    return k.r.bad == 0;
}

/* RFC 2308, 5: how long "there is none" may be believed. False: no SOA above the name says. */
static bool negative_ttl(struct span msg, const struct dns_hdr *h, struct dns_answer *out)
{
    struct dns_walk k = dns_walk_of(msg, h);
    struct dns_rr rr;
    struct dns_data d;
    while (dns_rr_next(&k, &rr)) {
        if (rr.section != DNS_AUTHORITY || rr.type != DNS_SOA || rr.rclass != DNS_IN ||
            !dns_name_within(&out->name, &rr.name) || !data_of(&k, &rr, &d))
            continue;
        out->ttl_s = less_ttl(less_ttl(out->ttl_s, rr.ttl_s), d.minimum_s);
        return true;
    }
    return false;
}

enum dns_verdict dns_answer_read(struct span msg, uint16_t id, const struct dns_question *q,
                                 struct dns_answer *out)
{
    struct rd r = rd_of(msg);
    struct dns_hdr h;
    bool good = true, found = false;
    unsigned steps = 0;
    ORIEL_ASSERT(dns_answer_holds(q->qtype));
    *out = (struct dns_answer){.name = q->name, .ttl_s = DNS_TTL_MAX_S};
    if (!dns_parse(&r, &h))
        return DNS_NOT_OURS;
    enum dns_verdict v = judge_header(msg, &h, id, q);
    if (v != DNS_FOUND)
        return v;
    while (q->qtype != DNS_CNAME && follow_alias(msg, &h, out, &good)) {
        if (++steps > DNS_CHAIN_MAX)
            return DNS_SERVER_FAILED;
    }
    if (!good || !collect(msg, &h, q->qtype, out, &found))
        return DNS_SERVER_FAILED;
    if (found)
        return DNS_FOUND;
    out->no_name = h.rcode == DNS_NXDOMAIN;
    bool vouched = negative_ttl(msg, &h, out);
    if (!vouched && steps > 0 && !out->no_name)
        return DNS_ELSEWHERE;
    out->ttl_s = vouched ? less_ttl(out->ttl_s, DNS_NEGATIVE_MAX_S) : 0;
    return DNS_NOTHING;
}
