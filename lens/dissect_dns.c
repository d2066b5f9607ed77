/*
 * DNS: the header's bits, the questions, and the records whose data we can show. Names are put
 * together (pointers followed) in the dissection's own text.
 */
#include "lens/layer.h"
#include "wire/dns.h"

#define DNS_FIXED_RR 10     /* type, class, time to live, length */

struct dns_seen {
    struct span msg;
    bool is_response;
    uint16_t rcode;
    uint16_t counts[4];
};

static const struct lens_name rcodes[] = {
    {DNS_FORMERR, "Format error"},
    {DNS_SERVFAIL, "Server failure"},
    {DNS_NXDOMAIN, "No such name"},
    {DNS_NOTIMP, "Not implemented"},
    {DNS_REFUSED, "Refused"},
    {0, NULL},
};

static const struct lens_name opcodes[] = {
    {0, "Standard query"},
    {1, "Inverse query"},
    {2, "Server status request"},
    {4, "Zone change notification"},
    {5, "Dynamic update"},
    {0, NULL},
};

static void add_dns_flags(struct lens *l, struct rd *r, struct dns_seen *s)
{
    const uint8_t *at = r->p;
    uint64_t v = lens_uint(l, r, F_DNS_FLAGS, 2);
    if (r->bad)
        return;
    s->is_response = v >> 15 != 0;
    s->rcode = (uint16_t)(v & 15);
    lens_put_u(l, F_DNS_FLAGS_RESPONSE, at, 2, v >> 15);
    lens_put_u(l, F_DNS_FLAGS_OPCODE, at, 2, (v >> 11) & 15);
    if (s->is_response)
        lens_put_u(l, F_DNS_FLAGS_AUTHORITATIVE, at, 2, (v >> 10) & 1);
    lens_put_u(l, F_DNS_FLAGS_TRUNCATED, at, 2, (v >> 9) & 1);
    lens_put_u(l, F_DNS_FLAGS_RECDESIRED, at, 2, (v >> 8) & 1);
    if (s->is_response)
        lens_put_u(l, F_DNS_FLAGS_RECAVAIL, at, 2, (v >> 7) & 1);
    lens_put_u(l, F_DNS_FLAGS_Z, at, 2, (v >> 6) & 1);
    if (s->is_response)
        lens_put_u(l, F_DNS_FLAGS_AUTHENTICATED, at, 2, (v >> 5) & 1);
    lens_put_u(l, F_DNS_FLAGS_CHECKDISABLE, at, 2, (v >> 4) & 1);
    if (s->is_response)
        lens_put_u(l, F_DNS_FLAGS_RCODE, at, 2, v & 15);
}

static void dns_info(struct txt *t, uint64_t id, const struct dns_seen *s, uint64_t opcode)
{
    const char *name = lens_name_of(opcodes, (uint32_t)opcode);
    txt_s(t, name ? name : "Unknown operation");
    if (s->is_response)
        txt_s(t, " response");
    txt_s(t, " 0x");
    txt_hex(t, id, 4);
    const char *error = s->is_response ? lens_name_of(rcodes, s->rcode) : NULL;
    if (error) {
        txt_c(t, ' ');
        txt_s(t, error);
    }
}

static void add_dns_header(struct lens *l, struct rd *r, struct dns_seen *s)
{
    static const enum field_id counts[4] = {F_DNS_COUNT_QUERIES, F_DNS_COUNT_ANSWERS,
                                            F_DNS_COUNT_AUTH_RR, F_DNS_COUNT_ADD_RR};
    uint64_t id = lens_uint(l, r, F_DNS_ID, 2);
    struct rd peek = *r;
    uint64_t opcode = (rd_u16(&peek) >> 11) & 15;
    add_dns_flags(l, r, s);
    for (unsigned i = 0; i < 4; i++)
        s->counts[i] = (uint16_t)lens_uint(l, r, counts[i], 2);
    if (!r->bad)
        dns_info(lens_info(l), id, s, opcode);
}

/* ---- names ---- */

/* A name as a field, and as text. Empty and bad when it cannot be read. */
static struct span add_name(struct lens *l, struct rd *r, const struct dns_seen *s,
                            enum field_id id, struct dns_name *name)
{
    const uint8_t *at = r->p;
    if (!dns_name_parse(r, s->msg, name))
        return span_of(NULL, 0);
    struct txt t = lens_text_begin(l);
    if (name->n == 1)
        txt_s(&t, "<Root>");
    else
        dns_name_print(&t, name);
    struct span text = lens_text_end(l, &t);
    lens_put_text(l, id, at, (size_t)(r->p - at), text);
    return text;
}

static unsigned labels(const struct dns_name *name)
{
    unsigned n = 0;
    for (size_t i = 0; i < name->n && name->b[i] != 0; i += (size_t)name->b[i] + 1)
        n++;
    return n;
}

static void note_text(struct lens *l, struct span text)
{
    txt_c(lens_info(l), ' ');
    txt_span(lens_info(l), text);
}

static void note_type(struct lens *l, uint64_t type)
{
    txt_c(lens_info(l), ' ');
    dns_type_print(lens_info(l), (uint16_t)type);
}

static void add_question(struct lens *l, struct rd *r, const struct dns_seen *s)
{
    struct dns_name name;
    const uint8_t *at = r->p;
    struct span text = add_name(l, r, s, F_DNS_QRY_NAME, &name);
    if (r->bad)
        return;
    lens_put_u(l, F_DNS_QRY_NAME_LEN, at, (size_t)(r->p - at), text.n);
    lens_put_u(l, F_DNS_COUNT_LABELS, at, (size_t)(r->p - at), labels(&name));
    uint64_t type = lens_uint(l, r, F_DNS_QRY_TYPE, 2);
    lens_uint(l, r, F_DNS_QRY_CLASS, 2);
    note_type(l, type);
    note_text(l, text);
}

/* ---- records ---- */

static void add_soa(struct lens *l, struct rd *r, const struct dns_seen *s)
{
    struct dns_name name;
    struct span primary = add_name(l, r, s, F_DNS_SOA_MNAME, &name);
    note_text(l, primary);
    add_name(l, r, s, F_DNS_SOA_RNAME, &name);
    lens_uint(l, r, F_DNS_SOA_SERIAL_NUMBER, 4);
    lens_uint(l, r, F_DNS_SOA_REFRESH_INTERVAL, 4);
    lens_uint(l, r, F_DNS_SOA_RETRY_INTERVAL, 4);
    lens_uint(l, r, F_DNS_SOA_EXPIRE_LIMIT, 4);
    lens_uint(l, r, F_DNS_SOA_MINIMUM_TTL, 4);
}

static void add_srv(struct lens *l, struct rd *r, const struct dns_seen *s)
{
    struct dns_name name;
    static const enum field_id ids[] = {F_DNS_SRV_PRIORITY, F_DNS_SRV_WEIGHT, F_DNS_SRV_PORT};
    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        txt_c(lens_info(l), ' ');
        txt_u(lens_info(l), lens_uint(l, r, ids[i], 2));
    }
    note_text(l, add_name(l, r, s, F_DNS_SRV_TARGET, &name));
}

static void add_txt(struct lens *l, struct rd *r)
{
    while (!r->bad && !rd_done(r)) {
        uint64_t n = lens_uint(l, r, F_DNS_TXT_LENGTH, 1);
        const uint8_t *at = r->p;
        struct span text = rd_bytes(r, (size_t)n);
        if (!r->bad)
            lens_put_text(l, F_DNS_TXT, at, text.n, text);
    }
}

static void add_mx(struct lens *l, struct rd *r, const struct dns_seen *s)
{
    struct dns_name name;
    txt_c(lens_info(l), ' ');
    txt_u(lens_info(l), lens_uint(l, r, F_DNS_MX_PREFERENCE, 2));
    note_text(l, add_name(l, r, s, F_DNS_MX_MAIL_EXCHANGE, &name));
}

static void note_addr(struct lens *l, const struct rd *r, const struct oriel_addr *a)
{
    if (r->bad)
        return;
    txt_c(lens_info(l), ' ');
    txt_addr(lens_info(l), a);
}

static void add_rdata(struct lens *l, struct rd *r, const struct dns_seen *s, uint64_t type)
{
    struct dns_name name;
    struct oriel_addr a;
    switch (type) {
    case DNS_A:
        a = lens_addr4(l, r, F_DNS_A);
        note_addr(l, r, &a);
        break;
    case DNS_AAAA:
        a = lens_addr6(l, r, F_DNS_AAAA);
        note_addr(l, r, &a);
        break;
    case DNS_NS:    note_text(l, add_name(l, r, s, F_DNS_NS, &name)); break;
    case DNS_CNAME: note_text(l, add_name(l, r, s, F_DNS_CNAME, &name)); break;
    case DNS_PTR:   note_text(l, add_name(l, r, s, F_DNS_PTR_DOMAIN_NAME, &name)); break;
    case DNS_SOA:   add_soa(l, r, s); break;
    case DNS_MX:    add_mx(l, r, s); break;
    case DNS_TXT:   add_txt(l, r); break;
    case DNS_SRV:   add_srv(l, r, s); break;
    default:        break;
    }
}

/* RFC 6891, 6.1.2: class and time to live of an OPT record mean other things. */
static void add_opt_fixed(struct lens *l, struct rd *r)
{
    lens_uint(l, r, F_DNS_RR_UDP_PAYLOAD_SIZE, 2);
    lens_uint(l, r, F_DNS_RESP_EXT_RCODE, 1);
    lens_uint(l, r, F_DNS_RESP_EDNS0_VERSION, 1);
    const uint8_t *at = r->p;
    uint64_t z = lens_uint(l, r, F_DNS_RESP_Z, 2);
    if (!r->bad)
        lens_put_u(l, F_DNS_RESP_Z_DO, at, 2, z >> 15);
}

static void add_record(struct lens *l, struct rd *r, const struct dns_seen *s)
{
    struct dns_name name;
    add_name(l, r, s, F_DNS_RESP_NAME, &name);
    if (r->bad)
        return;
    uint64_t type = lens_uint(l, r, F_DNS_RESP_TYPE, 2);
    if (type == DNS_OPT) {
        add_opt_fixed(l, r);
    } else {
        lens_uint(l, r, F_DNS_RESP_CLASS, 2);
        lens_uint(l, r, F_DNS_RESP_TTL, 4);
    }
    uint64_t len = lens_uint(l, r, F_DNS_RESP_LEN, 2);
    if (!r->bad && len > rd_left(r))
        rd_fail(r, FAULT_TOTAL_LEN);
    if (r->bad)
        return;
    note_type(l, type);
    struct rd data = rd_sub(r, (size_t)len);
    add_rdata(l, &data, s, type);
    rd_join(r, &data);
}

/* What is in the information column ends with the answers; the rest is shown as fields only. */
void dissect_dns(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_DNS, &r);
    lens_columns(l, "DNS");
    if (!layer)
        return;
    struct dns_seen s = {.msg = lens_peek(&r)};
    add_dns_header(l, &r, &s);
    unsigned questions = s.counts[0];
    unsigned records = 0u + s.counts[1] + s.counts[2] + s.counts[3];
    for (unsigned i = 0; i < questions && i < DNS_QUESTIONS_MAX && !r.bad; i++)
        add_question(l, &r, &s);
    for (unsigned i = 0; i < records && i < DNS_RECORDS_MAX && !r.bad; i++)
        add_record(l, &r, &s);
    (void)lens_is_bad(l, &r);
}
