#include "wire/dns.h"

#include "wire/props.h"

/* ---- the header ---- */

static struct span gen_dns(struct prop_gen *g, struct dns_hdr *h)
{
    *h = (struct dns_hdr){
        .id = prop_u16(g),
        .is_response = prop_bool(g),
        .opcode = (uint8_t)prop_upto(g, 15),
        .aa = prop_bool(g),
        .tc = prop_bool(g),
        .rd = prop_bool(g),
        .ra = prop_bool(g),
        .ad = prop_bool(g),
        .cd = prop_bool(g),
        .rcode = (uint8_t)prop_upto(g, 15),
        .questions_n = prop_u16(g),
        .answers_n = prop_u16(g),
        .authority_n = prop_u16(g),
        .additional_n = prop_u16(g),
    };
    return prop_bytes(g, prop_upto(g, 40));
}

static void print_hdr(struct txt *t, const struct dns_hdr *h)
{
    txt_u(t, h->id);
}

PROP_FORMAT(dns, struct dns_hdr, gen_dns(g, h), dns_parse(r, h), dns_emit(w, h), print_hdr(t, h),
            PROP_EQ(id) && PROP_EQ(is_response) && PROP_EQ(opcode) && PROP_EQ(aa) && PROP_EQ(tc) &&
                PROP_EQ(rd) && PROP_EQ(ra) && PROP_EQ(ad) && PROP_EQ(cd) && PROP_EQ(rcode) &&
                PROP_EQ(questions_n) && PROP_EQ(answers_n) && PROP_EQ(authority_n) &&
                PROP_EQ(additional_n),
            .faults = BIT(FAULT_SHORT));

TEST("a type is known by the name that it is shown with")
{
    static const uint16_t known[] = {DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX,
                                     DNS_TXT, DNS_AAAA, DNS_SRV, DNS_OPT, DNS_ANY};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        char text[16];
        struct txt t = txt_of(text, sizeof text);
        uint16_t type = 0;
        dns_type_print(&t, known[i]);
        EXPECT(dns_type_named(span_of(t.p, t.n), &type) && type == known[i]);
    }
    uint16_t type = 7;
    EXPECT(!dns_type_named(span_str("TYPE257"), &type) && !dns_type_named(span_str("a"), &type));
}

TEST("a header that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&dns_format);
    prop_damage(&dns_format);
}

TEST("a header cut anywhere is refused")
{
    prop_cuts(&dns_format);
}

/* ---- whole messages ---- */

#define RECORDS 6

struct answer {
    struct dns_rr rr;
    struct dns_data data;
};

struct message {                /* one question and some records, as a resolver would keep them */
    struct dns_hdr h;
    struct dns_question q;
    struct answer records[RECORDS];
    bool compressed;
};

static bool parse_message(struct rd *r, struct message *m)
{
    struct span all = span_of(r->p, rd_left(r));
    memset(m, 0, sizeof(*m));
    if (!dns_parse(r, &m->h))
        return false;
    struct dns_walk k = dns_walk_of(all, &m->h);
    struct answer *a = m->records;
    (void)dns_question_next(&k, &m->q);
    struct answer extra;
    for (unsigned n = 0; dns_rr_next(&k, &a->rr); n++) {
        struct rd d = rd_of(a->rr.data);
        if (!dns_data_parse(&d, all, a->rr.type, &a->data))
            rd_join(&k.r, &d);
        a = n + 1 < RECORDS ? a + 1 : &extra;
    }
    *r = k.r;
    return r->bad == 0;
}

/* Records beyond what struct message holds, or a second question, are not emitted again. */
static bool is_emittable(const struct message *m)
{
    unsigned n = (unsigned)m->h.answers_n + m->h.authority_n + m->h.additional_n;
    return n <= RECORDS && m->h.questions_n == 1;
}

static void emit_message(struct wr *w, const struct message *m)
{
    unsigned n = (unsigned)m->h.answers_n + m->h.authority_n + m->h.additional_n;
    dns_emit(w, &m->h);
    dns_question_emit(w, &m->q);
    for (unsigned i = 0; i < n; i++)
        dns_rr_emit(w, &m->records[i].rr, &m->records[i].data, m->compressed ? &m->q.name : NULL);
}

static bool names_same(const struct dns_name *a, const struct dns_name *b)
{
    return span_eq(span_of(a->b, a->n), span_of(b->b, b->n));
}

static bool data_same(const struct dns_data *a, const struct dns_data *b)
{
    return PROP_EQ_ADDR(addr) && names_same(&a->name, &b->name) &&
           names_same(&a->mailbox, &b->mailbox) && PROP_EQ(preference) && PROP_EQ(weight) &&
           PROP_EQ(port) && PROP_EQ(serial) && PROP_EQ(refresh_s) && PROP_EQ(retry_s) &&
           PROP_EQ(expire_s) && PROP_EQ(minimum_s) && PROP_EQ_SPAN(raw);
}

static bool messages_same(const struct message *a, const struct message *b)
{
    unsigned n = (unsigned)a->h.answers_n + a->h.authority_n + a->h.additional_n;
    if (!dns_prop_equal(&a->h, &b->h) || !names_same(&a->q.name, &b->q.name) ||
        !PROP_EQ(q.qtype) || !PROP_EQ(q.qclass))
        return false;
    for (unsigned i = 0; i < n; i++) {
        if (!names_same(&a->records[i].rr.name, &b->records[i].rr.name) ||
            !PROP_EQ(records[i].rr.type) || !PROP_EQ(records[i].rr.rclass) ||
            !PROP_EQ(records[i].rr.ttl_s) || !PROP_EQ(records[i].rr.section) ||
            !data_same(&a->records[i].data, &b->records[i].data))
            return false;
    }
    return true;
}

static struct dns_name gen_name(struct prop_gen *g)
{
    struct dns_name name = {0};
    size_t labels = prop_upto(g, 4);
    for (size_t i = 0; i < labels; i++) {
        uint8_t len = (uint8_t)(1 + prop_upto(g, DNS_LABEL_MAX - 1));
        if (name.n + 1u + len + 1u > DNS_NAME_MAX)
            break;
        name.b[name.n] = len;
        memcpy(name.b + name.n + 1, prop_bytes(g, len).p, len);
        name.n = (uint8_t)(name.n + 1 + len);
    }
    name.b[name.n++] = 0;
    return name;
}

static void gen_data(struct prop_gen *g, uint16_t type, struct dns_data *d)
{
    *d = (struct dns_data){.addr = ADDR_NONE};
    if (type == DNS_A)
        d->addr = prop_addr4(g);
    else if (type == DNS_AAAA)
        d->addr = prop_addr6(g);
    else if (type == DNS_TXT)
        d->raw = span_of("\3abc\0\1x", 7);
    else if (type == DNS_OPT || type == 257)
        d->raw = prop_bytes(g, prop_upto(g, 12));
    else
        d->name = gen_name(g);
    if (type == DNS_MX || type == DNS_SRV)
        d->preference = prop_u16(g);
    if (type == DNS_SRV) {
        d->weight = prop_u16(g);
        d->port = prop_u16(g);
    }
    if (type == DNS_SOA) {
        d->mailbox = gen_name(g);
        d->serial = prop_u32(g);
        d->refresh_s = prop_u32(g);
        d->retry_s = prop_u32(g);
        d->expire_s = prop_u32(g);
        d->minimum_s = prop_u32(g);
    }
}

static struct span gen_message(struct prop_gen *g, struct message *m)
{
    gen_dns(g, &m->h);
    m->h.questions_n = 1;
    m->h.answers_n = (uint16_t)prop_upto(g, 2);
    m->h.authority_n = (uint16_t)prop_upto(g, 2);
    m->h.additional_n = (uint16_t)prop_upto(g, 2);
    m->q.name = gen_name(g);
    m->q.qtype = prop_u16(g);
    m->q.qclass = DNS_IN;
    unsigned n = (unsigned)m->h.answers_n + m->h.authority_n + m->h.additional_n;
    for (unsigned i = 0; i < n; i++) {
        struct dns_rr *rr = &m->records[i].rr;
        rr->name = prop_bool(g) ? gen_name(g) : m->q.name;
        rr->section = (uint8_t)(i < m->h.answers_n ? DNS_ANSWER
                                : i < (unsigned)m->h.answers_n + m->h.authority_n ? DNS_AUTHORITY
                                                                                  : DNS_ADDITIONAL);
        rr->type = (uint16_t)PROP_ONE_OF(g, DNS_A, DNS_NS, DNS_CNAME, DNS_SOA, DNS_PTR, DNS_MX,
                                         DNS_TXT, DNS_AAAA, DNS_SRV, DNS_OPT, 257);
        rr->rclass = prop_u16(g);
        rr->ttl_s = prop_u32(g);
        gen_data(g, rr->type, &m->records[i].data);
    }
    return span_of(m, 0);
}

static void show_message(struct txt *t, const struct message *m)
{
    uint8_t b[4096];
    struct wr w = wr_of(b, sizeof(b));
    emit_message(&w, m);
    dns_print(t, wr_span(&w));
}

#define MESSAGE_FAULTS                                                                             \
    (BIT(FAULT_SHORT) | BIT(FAULT_NAME) | BIT(FAULT_COUNT) | BIT(FAULT_TOTAL_LEN) |                \
     BIT(FAULT_OPT_COUNT))

/* A message that struct message cannot hold is refused with a fault that walks may have. */
static bool parse_emittable(struct rd *r, struct message *m)
{
    if (!parse_message(r, m))
        return false;
    return is_emittable(m) || rd_fail(r, FAULT_OPT_COUNT);
}

PROP_FORMAT(message, struct message, gen_message(g, h), parse_emittable(r, h), emit_message(w, h),
            show_message(t, h), messages_same(a, b), .faults = MESSAGE_FAULTS,
            .lens = PROP_LENS({.at = 4, .width = 2}, {.at = 6, .width = 2}, {.at = 8, .width = 2},
                              {.at = 10, .width = 2}, {.at = 12, .width = 1},
                              {.at = 22, .width = 2}, {.at = 27, .width = 2}));

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&message_format);
}

TEST("a message cut anywhere is refused")
{
    COVERS("1035-3");
    prop_cuts(&message_format);
}

TEST("no count and no length leads outside the message")
{
    COVERS("1035-3");
    prop_lengths(&message_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&message_format);
}

#define QUERY                                                                                      \
    "1a2b 0100 0001 0000 0000 0000"                                                                \
    "07 6578616d706c65 03 636f6d 00 0001 0001"

#define RESPONSE                                                                                   \
    "1a2b 8180 0001 0002 0000 0001"                                                                \
    "03 777777 07 6578616d706c65 03 636f6d 00 0001 0001"                                           \
    "c00c 0005 0001 00000e10 0002 c010"                                                            \
    "c010 0001 0001 0000012c 0004 5db8d822"                                                        \
    "00 0029 1000 00000000 0000"

static const char *shown(struct span msg)
{
    static char buf[300];
    struct txt t = txt_of(buf, sizeof(buf));
    dns_print(&t, msg);
    return buf;
}

TEST("a query reads as it was sent")
{
    HEX(query, QUERY);
    struct rd r = rd_of(query);
    struct message m;
    EXPECT(parse_message(&r, &m));
    EXPECT_EQ(m.h.id, 0x1a2b);
    EXPECT(m.h.rd && !m.h.is_response);
    EXPECT_EQ(m.q.qtype, DNS_A);
    prop_exact(&message_format, query);
    EXPECT_STR(shown(query), "Standard query 0x1a2b A example.com");
}

TEST("a response with compressed names reads as it was sent")
{
    HEX(response, RESPONSE);
    struct rd r = rd_of(response);
    struct message m;
    EXPECT(parse_message(&r, &m));
    EXPECT(m.h.is_response && m.h.ra);
    EXPECT(dns_name_eq(&m.records[0].rr.name, &m.q.name));
    EXPECT_EQ(m.records[0].rr.type, DNS_CNAME);
    EXPECT(dns_name_eq(&m.records[0].data.name, &m.records[1].rr.name));
    EXPECT_EQ(m.records[1].rr.ttl_s, 300);
    EXPECT_EQ(addr_to_v4(&m.records[1].data.addr), 0x5db8d822);
    EXPECT_EQ(m.records[2].rr.section, DNS_ADDITIONAL);
    EXPECT_EQ(m.records[2].rr.type, DNS_OPT);
    EXPECT_EQ(m.records[2].rr.rclass, 4096);
    EXPECT_STR(shown(response), "Standard query response 0x1a2b A www.example.com "
                                "CNAME example.com A 93.184.216.34");
}

TEST("an owner that was asked for is written as a pointer to the question")
{
    HEX(query, QUERY);
    struct rd r = rd_of(query);
    struct message m;
    EXPECT(parse_message(&r, &m));
    m.h.is_response = true;
    m.h.answers_n = 1;
    m.records[0].rr = (struct dns_rr){.name = m.q.name, .type = DNS_A, .rclass = DNS_IN};
    m.records[0].data.addr = addr_v4(0x01020304);
    uint8_t b[100];
    size_t long_len, short_len;
    struct wr w = wr_of(b, sizeof(b));
    emit_message(&w, &m);
    long_len = wr_len(&w);
    m.compressed = true;
    w = wr_of(b, sizeof(b));
    emit_message(&w, &m);
    short_len = wr_len(&w);
    EXPECT_EQ(long_len - short_len, 13 - 2);
    HEX(rr, "c00c 0001 0001 00000000 0004 01020304");
    EXPECT_MEM(b + query.n, rr.p, rr.n);
    r = rd_of(wr_span(&w));
    struct message back;
    EXPECT(parse_message(&r, &back));
    EXPECT(messages_same(&m, &back));
}

TEST("what a response failed with is shown")
{
    HEX(nx, "1a2b 8183 0001 0000 0000 0000 01 78 00 001c 0001");
    EXPECT_STR(shown(nx), "Standard query response 0x1a2b No such name AAAA x");
    HEX(odd, "1a2b a88b 0001 0000 0000 0000 00 0101 0001");
    EXPECT_STR(shown(odd), "Opcode 5 response 0x1a2b rcode 11 TYPE257 .");
    HEX(cut, "1a2b 0100 0001 0000 0000 0000 05 61");
    EXPECT_STR(shown(cut), "Standard query 0x1a2b (malformed)");
    EXPECT_STR(shown(span_of("ab", 2)), "DNS, short");
}

/* ---- names ---- */

/* A name in a message of 12 bytes of header and then these bytes, read from `at`. */
static uint8_t name_fault(const char *hex, size_t at, struct dns_name *out)
{
    uint8_t bytes[2048] = {0};
    struct span body = prop_hex_into(hex, bytes + DNS_HDR_LEN);
    struct prop_block b = prop_block_of(span_of(bytes, DNS_HDR_LEN + body.n));
    struct span msg = span_of(b.p, b.n);
    struct rd r = rd_of(msg);
    rd_skip(&r, at);
    bool ok = dns_name_parse(&r, msg, out);
    EXPECT_EQ(ok, r.bad == 0);
    EXPECT(!ok || (out->n >= 1 && out->b[out->n - 1] == 0));
    free(b.base);
    return r.bad;
}

TEST("a label has at most 63 bytes; other label types are refused")
{
    COVERS("1035-1 1035-2");
    for (unsigned len = 0; len < 256; len++) {
        uint8_t msg[300] = {0};
        struct dns_name name;
        memset(msg + 13, 'a', len);
        msg[12] = (uint8_t)len;
        struct rd r = rd_of(span_of(msg, sizeof(msg)));
        rd_skip(&r, 12);
        bool ok = dns_name_parse(&r, span_of(msg, sizeof(msg)), &name);
        EXPECT_EQ(ok, len <= 63);
        EXPECT(ok || r.bad == FAULT_NAME);
    }
}

TEST("a name has at most 255 bytes, with its lengths and the root")
{
    COVERS("1035-1");
    for (unsigned last = 55; last <= 63; last++) {
        uint8_t msg[300] = {0};
        struct wr w = wr_of(msg, sizeof(msg));
        wr_zeros(&w, 12);
        for (unsigned i = 0; i < 4; i++) {
            unsigned len = i < 3 ? 63 : last;
            wr_u8(&w, (uint8_t)len);
            wr_zeros(&w, len);
        }
        wr_u8(&w, 0);
        struct rd r = rd_of(wr_span(&w));
        struct dns_name name;
        rd_skip(&r, 12);
        bool ok = dns_name_parse(&r, wr_span(&w), &name);
        EXPECT_EQ(ok, 3 * 64 + 1 + last + 1 <= 255);
        if (ok)
            EXPECT_EQ(name.n, 3 * 64 + 1 + last + 1);
        else
            EXPECT_EQ(r.bad, FAULT_NAME);
    }
}

TEST("pieces joined by pointers are not longer than a name either")
{
    COVERS("1035-1");
    uint8_t msg[600] = {0};
    struct wr w = wr_of(msg, sizeof(msg));
    wr_zeros(&w, 12);
    unsigned at = 0;
    for (unsigned i = 0; i < 5; i++) {
        unsigned here = (unsigned)wr_len(&w);
        wr_u8(&w, 63);
        wr_zeros(&w, 63);
        if (i == 0)
            wr_u8(&w, 0);
        else
            wr_u16(&w, (uint16_t)(0xc000 | at));
        at = here;
    }
    struct rd r = rd_of(wr_span(&w));
    struct dns_name name;
    rd_skip(&r, at);
    EXPECT(!dns_name_parse(&r, wr_span(&w), &name));
    EXPECT_EQ(r.bad, FAULT_NAME);
}

TEST("a pointer goes strictly backwards and not into the header")
{
    COVERS("1035-2");
    struct dns_name name;
    EXPECT_EQ(name_fault("0161 00 c00c", 15, &name), 0);
    EXPECT_EQ(name.n, 3);
    EXPECT_EQ(name_fault("c00c", 12, &name), FAULT_NAME);               /* itself */
    EXPECT_EQ(name_fault("c00e c00c", 12, &name), FAULT_NAME);          /* forwards, a loop */
    EXPECT_EQ(name_fault("c00e c00c", 14, &name), FAULT_NAME);          /* back, then forwards */
    EXPECT_EQ(name_fault("c00e 0161 00", 12, &name), FAULT_NAME);       /* forwards */
    EXPECT_EQ(name_fault("0161 c00c", 12, &name), FAULT_NAME);          /* its own beginning */
    EXPECT_EQ(name_fault("0161 c00d", 12, &name), FAULT_NAME);          /* its own middle */
    EXPECT_EQ(name_fault("0161 0162 c00e", 12, &name), FAULT_NAME);
    EXPECT_EQ(name_fault("c000", 12, &name), FAULT_NAME);               /* the header */
    EXPECT_EQ(name_fault("00 c00b", 13, &name), FAULT_NAME);
    EXPECT_EQ(name_fault("ffff", 12, &name), FAULT_NAME);
    EXPECT_EQ(name_fault("c0", 12, &name), FAULT_SHORT);
}

TEST("a pointer into the middle of a label is read as what it finds there")
{
    COVERS("1035-2");
    struct dns_name name;
    EXPECT_EQ(name_fault("03 026162 00 c00d", 17, &name), 0);
    EXPECT_EQ(name.n, 4);
    EXPECT_EQ(name_fault("03 414243 00 c00d", 17, &name), FAULT_NAME);
}

TEST("a chain of pointers has a limit")
{
    COVERS("1035-2");
    for (unsigned hops = DNS_POINTERS_MAX - 1; hops <= DNS_POINTERS_MAX + 1; hops++) {
        uint8_t msg[200] = {0};
        struct wr w = wr_of(msg, sizeof(msg));
        wr_zeros(&w, 14);
        for (unsigned i = 0; i < hops; i++)
            wr_u16(&w, (uint16_t)(0xc000 | (12 + 2 * i)));
        struct rd r = rd_of(wr_span(&w));
        struct dns_name name;
        rd_skip(&r, 12 + 2 * hops);
        EXPECT_EQ(dns_name_parse(&r, wr_span(&w), &name), hops <= DNS_POINTERS_MAX);
        EXPECT_EQ(r.bad, hops <= DNS_POINTERS_MAX ? 0 : FAULT_NAME);
    }
}

TEST("after a compressed name the reader stands behind the pointer")
{
    HEX(msg, "000000000000000000000000 0161 00 0162 c00c 2a");
    struct rd r = rd_of(msg);
    struct dns_name name;
    rd_skip(&r, 15);
    EXPECT(dns_name_parse(&r, msg, &name));
    EXPECT_EQ(rd_u8(&r), 0x2a);
    HEX(want, "0162 0161 00");
    EXPECT(span_eq(span_of(name.b, name.n), want));
}

static bool name_of(const char *text, struct dns_name *out)
{
    return dns_name_of(span_str(text), out);
}

static const char *name_shown(const struct dns_name *name)
{
    static char buf[1100];
    struct txt t = txt_of(buf, sizeof(buf));
    dns_name_print(&t, name);
    return buf;
}

TEST("names are made of text and shown as text")
{
    struct dns_name name;
    EXPECT(name_of("www.Example.com", &name));
    HEX(want, "03 777777 07 4578616d706c65 03 636f6d 00");
    EXPECT(span_eq(span_of(name.b, name.n), want));
    EXPECT_STR(name_shown(&name), "www.Example.com");
    EXPECT(name_of("www.example.com.", &name));
    EXPECT_STR(name_shown(&name), "www.example.com");
    EXPECT(name_of(".", &name));
    EXPECT_EQ(name.n, 1);
    EXPECT_STR(name_shown(&name), ".");
    EXPECT(name_of("a\\.b\\\\.c\\000\\255", &name));
    EXPECT_EQ(name.b[0], 4);
    EXPECT_STR(name_shown(&name), "a\\.b\\\\.c\\000\\255");
}

TEST("text that is no name is refused")
{
    struct dns_name name;
    static const char *const bad[] = {"", "..", ".a", "a..b", "a.b..", "\\", "a\\25", "a\\256",
                                      "a\\2x5"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT(!name_of(bad[i], &name));
}

TEST("text makes labels up to 63 and names up to 255 bytes")
{
    COVERS("1035-1");
    char text[300];
    struct dns_name name;
    memset(text, 'a', 64);
    EXPECT(dns_name_of(span_of(text, 63), &name));
    EXPECT(!dns_name_of(span_of(text, 64), &name));
    memset(text, 'a', sizeof(text));
    text[63] = text[127] = text[191] = '.';
    for (size_t n = 192; n < 260; n++) {
        bool ok = dns_name_of(span_of(text, n), &name);
        EXPECT_EQ(ok, n <= 253);
        EXPECT(!ok || name.n == (n == 192 ? 193 : n + 2));
    }
}

TEST("names are equal whatever the case of their letters")
{
    struct dns_name a, b;
    EXPECT(name_of("Www.EXAMPLE.com", &a));
    EXPECT(name_of("wWw.example.COM", &b));
    EXPECT(dns_name_eq(&a, &b));
    EXPECT(name_of("wwx.example.com", &b));
    EXPECT(!dns_name_eq(&a, &b));
    EXPECT(name_of("example.com", &b));
    EXPECT(!dns_name_eq(&a, &b));
    EXPECT(name_of("w[w", &a));
    EXPECT(name_of("w{w", &b));
    EXPECT(!dns_name_eq(&a, &b));
}

/* ---- records ---- */

static uint8_t walk_fault(const char *hex)
{
    uint8_t bytes[1024];
    struct prop_block b = prop_block_of(prop_hex_into(hex, bytes));
    struct rd r = rd_of(span_of(b.p, b.n));
    static struct message m;
    bool ok = parse_message(&r, &m);
    EXPECT_EQ(ok, r.bad == 0);
    free(b.base);
    return r.bad;
}

#define ONE_ANSWER "1a2b 8180 0000 0001 0000 0000"

TEST("counts that promise more than there is are a fault")
{
    COVERS("1035-3");
    EXPECT_EQ(walk_fault("1a2b 8180 0001 0000 0000 0000"), FAULT_COUNT);
    EXPECT_EQ(walk_fault(ONE_ANSWER), FAULT_COUNT);
    EXPECT_EQ(walk_fault("1a2b 8180 0000 ffff ffff ffff 00 0001 0001 00000000 0000"),
              FAULT_SHORT);
    EXPECT_EQ(walk_fault("1a2b 8180 0000 0000 0000 0000"), 0);
}

TEST("the data of a record ends inside the message and where its type says")
{
    COVERS("1035-3");
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0001 0001 00000000 0005 01020304"), FAULT_TOTAL_LEN);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0001 0001 00000000 0003 010203"), FAULT_SHORT);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0001 0001 00000000 0005 0102030405"), FAULT_TOTAL_LEN);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 001c 0001 00000000 0004 01020304"), FAULT_SHORT);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0001 0001 00000000"), FAULT_SHORT);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0005 0001 00000000 0002 0161 00"), FAULT_SHORT);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0005 0001 00000000 0004 0161 00 00"), FAULT_TOTAL_LEN);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0006 0001 00000000 0002 00 00"), FAULT_SHORT);
}

TEST("the strings of a TXT fill it exactly")
{
    COVERS("1035-3");
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0010 0001 00000000 0004 03616263"), 0);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0010 0001 00000000 0004 04616263"), FAULT_COUNT);
    EXPECT_EQ(walk_fault(ONE_ANSWER "00 0010 0001 00000000 0000"), FAULT_SHORT);
    HEX(strings, "03616263 00 0178");
    struct rd r = rd_of(strings);
    struct span s;
    EXPECT(dns_txt_next(&r, &s) && span_is(s, "abc"));
    EXPECT(dns_txt_next(&r, &s) && s.n == 0);
    EXPECT(dns_txt_next(&r, &s) && span_is(s, "x"));
    EXPECT(!dns_txt_next(&r, &s));
    EXPECT_EQ(r.bad, 0);
}

TEST("more questions or records than the limits are a fault")
{
    COVERS("1035-3");
    static uint8_t b[DNS_HDR_LEN + 11 * (DNS_RECORDS_MAX + 1)];
    static struct message m;
    struct wr w = wr_of(b, sizeof(b));
    dns_emit(&w, &(struct dns_hdr){.answers_n = DNS_RECORDS_MAX});
    struct rd r = rd_of(span_of(b, sizeof(b)));
    for (size_t at = DNS_HDR_LEN; at < sizeof(b); at += 11)
        b[at + 2] = 77;
    EXPECT(parse_message(&r, &m));
    w = wr_of(b, sizeof(b));
    dns_emit(&w, &(struct dns_hdr){.answers_n = 1, .additional_n = DNS_RECORDS_MAX});
    r = rd_of(span_of(b, sizeof(b)));
    EXPECT(!parse_message(&r, &m));
    EXPECT_EQ(r.bad, FAULT_OPT_COUNT);
    memset(b, 0, sizeof(b));
    w = wr_of(b, sizeof(b));
    dns_emit(&w, &(struct dns_hdr){.questions_n = DNS_QUESTIONS_MAX + 1});
    r = rd_of(span_of(b, sizeof(b)));
    EXPECT(!parse_message(&r, &m));
    EXPECT_EQ(r.bad, FAULT_OPT_COUNT);
}

TEST("records that name a host by number, and their order, are understood")
{
    HEX(srv, "0000 0005 13c4 03736970 00");
    struct rd r = rd_of(srv);
    struct dns_data d;
    EXPECT(dns_data_parse(&r, srv, DNS_SRV, &d));
    EXPECT_EQ(d.weight, 5);
    EXPECT_EQ(d.port, 5060);
    EXPECT_STR(name_shown(&d.name), "sip");
    HEX(mx, "000a 026d78 00");
    r = rd_of(mx);
    EXPECT(dns_data_parse(&r, mx, DNS_MX, &d));
    EXPECT_EQ(d.preference, 10);
    HEX(soa, "026e73 00 0461646d6e 00 00000001 00000002 00000003 00000004 00000005");
    r = rd_of(soa);
    EXPECT(dns_data_parse(&r, soa, DNS_SOA, &d));
    EXPECT_STR(name_shown(&d.mailbox), "admn");
    EXPECT_EQ(d.serial, 1);
    EXPECT_EQ(d.minimum_s, 5);
}

TEST("a message that does not fit marks the writer")
{
    uint8_t b[20];
    struct wr w = wr_of(b, sizeof(b));
    struct dns_rr rr = {.type = DNS_A, .rclass = DNS_IN};
    EXPECT(name_of("example.com", &rr.name));
    dns_rr_emit(&w, &rr, &(struct dns_data){.addr = addr_v4(1)}, NULL);
    EXPECT(w.bad);
}

TEST("a name is within its own zone, those above it, and the root; not within what only ends alike")
{
    struct dns_name www, zone, other, root, longer;
    EXPECT(dns_name_of(span_str("www.Example.org"), &www));
    EXPECT(dns_name_of(span_str("example.ORG"), &zone));
    EXPECT(dns_name_of(span_str("ample.org"), &other));
    EXPECT(dns_name_of(span_str("."), &root));
    EXPECT(dns_name_of(span_str("a.www.example.org"), &longer));
    EXPECT(dns_name_within(&www, &zone) && dns_name_within(&zone, &zone));
    EXPECT(dns_name_within(&www, &root) && dns_name_within(&root, &root));
    EXPECT(!dns_name_within(&www, &other) && !dns_name_within(&www, &longer));
    EXPECT(!dns_name_within(&root, &zone));
}
