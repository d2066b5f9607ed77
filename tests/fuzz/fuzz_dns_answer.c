#include "fuzz.h"

#include "svc/dns_answer.h"

/* The question is the message's own first one, so that the records are always looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span msg = span_of(data, size);
    struct rd r = rd_of(msg);
    struct dns_hdr h;
    struct dns_question q;
    struct dns_answer a;
    if (!dns_parse(&r, &h))
        return 0;
    struct dns_walk k = dns_walk_of(msg, &h);
    if (!dns_question_next(&k, &q) || !dns_answer_holds(q.qtype))
        return 0;
    enum dns_verdict v = dns_answer_read(msg, h.id, &q, &a);
    if (v == DNS_FOUND || v == DNS_NOTHING || v == DNS_ELSEWHERE)
        FUZZ_CHECK(a.ttl_s <= DNS_TTL_MAX_S && a.addrs_n <= DNS_ANSWER_ADDRS && a.name.n >= 1);
    return 0;
}
