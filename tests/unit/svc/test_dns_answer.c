/* What is believed of a response, record by record. */
#include "test.h"

#include "svc/dns_answer.h"

#define ID 0x1234

struct msg {
    uint8_t b[4096];
    struct wr w;
    struct dns_hdr h;
    struct dns_question q;
};

static struct dns_name name_of(const char *text)
{
    struct dns_name n;
    assert_true(dns_name_of(span_str(text), &n));
    return n;
}

static void begin(struct msg *m, const char *name, uint16_t type)
{
    m->h = (struct dns_hdr){.id = ID, .is_response = true, .questions_n = 1};
    m->q = (struct dns_question){.name = name_of(name), .qtype = type, .qclass = DNS_IN};
    m->w = wr_of(m->b, sizeof(m->b));
    dns_emit(&m->w, &m->h);
    dns_question_emit(&m->w, &m->q);
}

/* A record; its section must not be before that of the last one. */
static void add(struct msg *m, enum dns_section section, const char *owner, uint16_t type,
                const char *data, uint32_t ttl_s)
{
    struct dns_rr rr = {.name = name_of(owner), .type = type, .rclass = DNS_IN, .ttl_s = ttl_s};
    struct dns_data d = {.minimum_s = 77};
    if (type == DNS_A || type == DNS_AAAA)
        assert_true(addr_parse(span_str(data), &d.addr));
    else
        d.name = d.mailbox = name_of(data);
    dns_rr_emit(&m->w, &rr, &d, &m->q.name);
    uint16_t *const n[] = {&m->h.answers_n, &m->h.authority_n, &m->h.additional_n};
    ++*n[section];
}

static enum dns_verdict read_as(struct msg *m, const struct dns_question *q, struct dns_answer *a)
{
    struct wr head = wr_of(m->b, sizeof(m->b));
    dns_emit(&head, &m->h);
    return dns_answer_read(wr_span(&m->w), ID, q, a);
}

static enum dns_verdict read_it(struct msg *m, struct dns_answer *a)
{
    return read_as(m, &m->q, a);
}

TEST("of an answer the records are kept that the question leads to, in any order, and no others")
{
    struct msg m;
    struct dns_answer a;
    COVERS("5452-2");
    begin(&m, "www.example", DNS_A);
    add(&m, DNS_ANSWER, "host.example", DNS_A, "10.0.0.1", 50);
    add(&m, DNS_ANSWER, "bank.example", DNS_A, "6.6.6.6", 60);          /* nobody asked */
    add(&m, DNS_ANSWER, "www.example", DNS_CNAME, "host.example", 40);
    add(&m, DNS_ANSWER, "www.example", DNS_A, "6.6.6.7", 60);           /* that is an alias */
    add(&m, DNS_ANSWER, "host.example", DNS_AAAA, "fd00::1", 1);
    add(&m, DNS_ANSWER, "HOST.example", DNS_A, "10.0.0.2", 70);
    add(&m, DNS_ADDITIONAL, "host.example", DNS_A, "6.6.6.8", 60);      /* not an answer */
    EXPECT_EQ(read_it(&m, &a), DNS_FOUND);
    EXPECT_EQ(a.addrs_n, 2);
    EXPECT_EQ(addr_to_v4(&a.addrs[0]), 0x0a000001);
    EXPECT_EQ(addr_to_v4(&a.addrs[1]), 0x0a000002);
    EXPECT_EQ(a.ttl_s, 40);
    struct dns_name host = name_of("host.example");
    EXPECT(dns_name_eq(&a.name, &host));
}

TEST("a response to something else is none, whatever it says")
{
    struct msg m;
    struct dns_answer a;
    COVERS("5452-1");
    begin(&m, "www.example", DNS_A);
    add(&m, DNS_ANSWER, "www.example", DNS_A, "10.0.0.1", 50);
    struct dns_question q = m.q;
    EXPECT_EQ(read_it(&m, &a), DNS_FOUND);
    q.qtype = DNS_AAAA;
    EXPECT_EQ(read_as(&m, &q, &a), DNS_NOT_OURS);
    q = (struct dns_question){.name = name_of("ww.example"), .qtype = DNS_A, .qclass = DNS_IN};
    EXPECT_EQ(read_as(&m, &q, &a), DNS_NOT_OURS);
    q = m.q;
    q.qclass = 3;
    EXPECT_EQ(read_as(&m, &q, &a), DNS_NOT_OURS);
    m.h.id++;
    EXPECT_EQ(read_it(&m, &a), DNS_NOT_OURS);
    m.h.id = ID;
    m.h.is_response = false;
    EXPECT_EQ(read_it(&m, &a), DNS_NOT_OURS);
    m.h.is_response = true;
    m.h.opcode = 5;
    EXPECT_EQ(read_it(&m, &a), DNS_NOT_OURS);
    EXPECT_EQ(dns_answer_read(span_of(m.b, 11), ID, &m.q, &a), DNS_NOT_OURS);
}

TEST("that there is nothing is believed as long as a SOA above the name says, and no longer")
{
    struct msg m;
    struct dns_answer a;
    COVERS("5452-2");
    begin(&m, "a.b.example", DNS_A);
    m.h.rcode = DNS_NXDOMAIN;
    EXPECT_EQ(read_it(&m, &a), DNS_NOTHING);
    EXPECT(a.no_name && a.ttl_s == 0);
    add(&m, DNS_AUTHORITY, "c.example", DNS_SOA, "x", 50);              /* of another zone */
    add(&m, DNS_AUTHORITY, "ab.example", DNS_SOA, "x", 50);
    EXPECT_EQ(read_it(&m, &a), DNS_NOTHING);
    EXPECT_EQ(a.ttl_s, 0);
    add(&m, DNS_AUTHORITY, "B.example", DNS_SOA, "x", 80);
    EXPECT_EQ(read_it(&m, &a), DNS_NOTHING);
    EXPECT_EQ(a.ttl_s, 77);                                             /* its minimum is less */
    m.h.rcode = DNS_NOERROR;
    EXPECT_EQ(read_it(&m, &a), DNS_NOTHING);
    EXPECT(!a.no_name && a.ttl_s == 77);
}

TEST("lifetimes have a limit, and one with the sign bit is none")
{
    struct msg m;
    struct dns_answer a;
    COVERS("5452-2");
    begin(&m, "www.example", DNS_A);
    add(&m, DNS_ANSWER, "www.example", DNS_A, "10.0.0.1", 0x7fffffff);
    EXPECT_EQ(read_it(&m, &a), DNS_FOUND);
    EXPECT_EQ(a.ttl_s, DNS_TTL_MAX_S);
    add(&m, DNS_ANSWER, "www.example", DNS_A, "10.0.0.2", 0x80000001);
    EXPECT_EQ(read_it(&m, &a), DNS_FOUND);
    EXPECT_EQ(a.ttl_s, 0);
}

TEST("what the header says decides before the records do")
{
    struct msg m;
    struct dns_answer a;
    begin(&m, "www.example", DNS_A);
    m.h.tc = true;
    EXPECT_EQ(read_it(&m, &a), DNS_CUT);
    m.h.tc = false;
    m.h.rcode = DNS_SERVFAIL;
    EXPECT_EQ(read_it(&m, &a), DNS_SERVER_FAILED);
    m.h.rcode = DNS_REFUSED;
    EXPECT_EQ(read_it(&m, &a), DNS_SERVER_FAILED);
    m.h.rcode = DNS_FORMERR;
    EXPECT_EQ(read_it(&m, &a), DNS_NOT_UNDERSTOOD);
    m.h.questions_n = 0;                        /* some cannot even repeat the question */
    EXPECT_EQ(read_it(&m, &a), DNS_NOT_UNDERSTOOD);
    m.h.rcode = DNS_NOERROR;
    EXPECT_EQ(read_it(&m, &a), DNS_NOT_OURS);
}

TEST("a chain of aliases is followed so far, and a circle is a failure of the server")
{
    struct msg m;
    struct dns_answer a;
    char from[] = "0.example", to[] = "1.example";
    COVERS("5452-3");
    begin(&m, "0.example", DNS_A);
    for (unsigned i = 0; i < DNS_CHAIN_MAX; i++) {
        from[0] = (char)('0' + i);
        to[0] = (char)('1' + i);
        add(&m, DNS_ANSWER, from, DNS_CNAME, to, 60);
    }
    EXPECT_EQ(read_it(&m, &a), DNS_ELSEWHERE);
    struct dns_name end = name_of(to);
    EXPECT(dns_name_eq(&a.name, &end) && a.ttl_s == 60);
    add(&m, DNS_ANSWER, to, DNS_CNAME, "0.example", 60);
    EXPECT_EQ(read_it(&m, &a), DNS_SERVER_FAILED);
}

TEST("a message cut anywhere, or with counts that are too large, is not believed")
{
    struct msg m;
    struct dns_answer a;
    COVERS("1035-3 S3");
    begin(&m, "www.example", DNS_A);
    add(&m, DNS_ANSWER, "www.example", DNS_CNAME, "host.example", 40);
    add(&m, DNS_ANSWER, "host.example", DNS_A, "10.0.0.1", 50);
    EXPECT_EQ(read_it(&m, &a), DNS_FOUND);
    for (size_t n = DNS_HDR_LEN; n < wr_len(&m.w); n++) {
        enum dns_verdict v = dns_answer_read(span_of(m.b, n), ID, &m.q, &a);
        EXPECT(v == DNS_NOT_OURS || v == DNS_SERVER_FAILED);
    }
    m.h.answers_n = 3;
    EXPECT_EQ(read_it(&m, &a), DNS_SERVER_FAILED);
    m.h.answers_n = 2;
    m.b[wr_len(&m.w) - 5] = 9;                  /* RDLENGTH beyond the message */
    EXPECT_EQ(read_it(&m, &a), DNS_SERVER_FAILED);
}

TEST("of names the first record is the answer, and more addresses than are kept are passed over")
{
    struct msg m;
    struct dns_answer a;
    begin(&m, "1.0.0.10.in-addr.arpa", DNS_PTR);
    add(&m, DNS_ANSWER, "1.0.0.10.in-addr.arpa", DNS_PTR, "one.example", 60);
    add(&m, DNS_ANSWER, "1.0.0.10.in-addr.arpa", DNS_PTR, "two.example", 60);
    EXPECT_EQ(read_it(&m, &a), DNS_FOUND);
    struct dns_name one = name_of("one.example");
    EXPECT(dns_name_eq(&a.name, &one));
    begin(&m, "many.example", DNS_A);
    for (unsigned i = 0; i < DNS_ANSWER_ADDRS + 4; i++)
        add(&m, DNS_ANSWER, "many.example", DNS_A, "10.0.0.1", 60);
    EXPECT_EQ(read_it(&m, &a), DNS_FOUND);
    EXPECT_EQ(a.addrs_n, DNS_ANSWER_ADDRS);
}

TEST("types whose data is addresses or one name are held, others not")
{
    EXPECT(dns_answer_holds(DNS_A) && dns_answer_holds(DNS_AAAA) && dns_answer_holds(DNS_PTR));
    EXPECT(dns_answer_holds(DNS_CNAME) && dns_answer_holds(DNS_NS));
    EXPECT(!dns_answer_holds(DNS_TXT) && !dns_answer_holds(DNS_ANY) && !dns_answer_holds(0));
}
