/*
 * DNS messages.
 *
 * The danger in this format is the name: it is a linked list drawn by the peer. We follow a pointer
 * only when it leads to before the piece of name that it ends, so every step goes towards the start
 * of the message and no loop can be drawn; steps and length have limits besides. Everything else
 * is bounded by a reader over the field it stands in (RFC 9267 lists what goes wrong otherwise).
 *
 * Names are kept as on the wire, because that is how they are compared, hashed and sent again; text
 * is for people. We compress what we send in one place only, the owner of an answer, which is
 * nearly always the name asked for.
 */
#include "wire/dns.h"

#include "wire/fault.h"

#define POINTER      0xc0u
#define QUESTION_AT  DNS_HDR_LEN        /* where the name of the first question stands */
#define SOA_NUMBERS  20
#define PRINT_MAX    4                  /* answers shown on one line */

#define FLAG_QR 0x8000u
#define FLAG_AA 0x0400u
#define FLAG_TC 0x0200u
#define FLAG_RD 0x0100u
#define FLAG_RA 0x0080u
#define FLAG_AD 0x0020u
#define FLAG_CD 0x0010u

/* ---- names ---- */

/* One label, whose length byte has been read. */
static bool parse_label(struct rd *at, uint8_t len, struct dns_name *out)
{
    if (len > DNS_LABEL_MAX)
        return rd_fail(at, FAULT_NAME);         /* 01 and 10 were never given a meaning */
    if (out->n + 1u + len + 1u > DNS_NAME_MAX)
        return rd_fail(at, FAULT_NAME);         /* the root must still fit */
    out->b[out->n] = len;
    rd_copy(at, out->b + out->n + 1, len);
    out->n = (uint8_t)(out->n + 1 + len);
    return at->bad == 0;
}

/* A reader at the target of a pointer whose first byte was `hi`, read from `at`. */
static struct rd follow(struct rd *at, uint8_t hi, struct span msg, size_t *piece)
{
    size_t to = (size_t)(hi & ~POINTER) << 8 | rd_u8(at);
    struct rd there = rd_of(span_of(msg.p, 0));
    if (rd_join(&there, at) && (to < DNS_HDR_LEN || to >= *piece)) {
        rd_fail(&there, FAULT_NAME);
    } else if (there.bad == 0) {
        there = rd_of(msg);
        rd_skip(&there, to);
        *piece = to;
    }
    return there;
}

bool dns_name_parse(struct rd *r, struct span msg, struct dns_name *out)
{
    ORIEL_ASSERT(r->p >= msg.p);
    ORIEL_ASSERT(r->end <= msg.p + msg.n);
    size_t piece = (size_t)(r->p - msg.p);      /* where the piece being read began */
    struct rd there;
    struct rd *at = r;
    out->n = 0;
    for (unsigned hops = 0;;) {
        uint8_t len = rd_u8(at);
        if (at->bad != 0 || len == 0)
            break;
        if ((len & POINTER) != POINTER) {
            if (!parse_label(at, len, out))
                break;
            continue;
        }
        there = follow(at, len, msg, &piece);
        at = &there;
        if (++hops > DNS_POINTERS_MAX)
            rd_fail(at, FAULT_NAME);
    }
    out->b[out->n++] = 0;
    return rd_join(r, at);
}

void dns_name_emit(struct wr *w, const struct dns_name *name)
{
    ORIEL_ASSERT(name->n >= 1);
    wr_bytes(w, span_of(name->b, name->n));
}

static bool same_letters(const uint8_t *a, const uint8_t *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {          /* lengths are below 'A' */
        if (dns_lower(a[i]) != dns_lower(b[i]))
            return false;
    }
    return true;
}

bool dns_name_eq(const struct dns_name *a, const struct dns_name *b)
{
    return a->n == b->n && same_letters(a->b, b->b, a->n);
}

bool dns_name_within(const struct dns_name *name, const struct dns_name *zone)
{
    unsigned at = 0;
    while (name->n - at > zone->n)
        at += name->b[at] + 1u;                 /* a label is taken off */
    return name->n - at == zone->n && same_letters(name->b + at, zone->b, zone->n);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* One character of a label; r stands after a backslash. */
static uint8_t parse_escape(struct rd *r)
{
    uint8_t c = rd_u8(r);
    if (!is_digit(c))
        return c;
    uint8_t tens = rd_u8(r);
    uint8_t ones = rd_u8(r);
    int v = (c - '0') * 100 + (tens - '0') * 10 + (ones - '0');
    if (!is_digit(tens) || !is_digit(ones) || v > 255)
        rd_fail(r, FAULT_NAME);
    return (uint8_t)v;
}

/* One label of text and the dot after it. */
static bool label_of(struct rd *r, struct dns_name *out)
{
    unsigned at = out->n;
    unsigned len = 0;
    while (!rd_done(r)) {
        uint8_t c = rd_u8(r);
        if (c == '.')
            break;
        if (c == '\\')
            c = parse_escape(r);
        if (r->bad != 0 || len == DNS_LABEL_MAX || at + 1 + len + 1 >= DNS_NAME_MAX)
            return false;
        out->b[at + 1 + len++] = c;
    }
    if (len == 0)
        return false;
    out->b[at] = (uint8_t)len;
    out->n = (uint8_t)(at + 1 + len);
    return true;
}

bool dns_name_of(struct span text, struct dns_name *out)
{
    struct rd r = rd_of(text);
    out->n = 0;
    if (text.n == 0)
        return false;
    if (span_is(text, "."))
        rd_skip(&r, 1);
    while (!rd_done(&r)) {
        if (!label_of(&r, out))
            return false;
    }
    out->b[out->n++] = 0;
    return true;
}

static void print_char(struct txt *t, uint8_t c)
{
    if (c == '.' || c == '\\') {
        txt_c(t, '\\');
        txt_c(t, (char)c);
    } else if (c > ' ' && c < 0x7f) {
        txt_c(t, (char)c);
    } else {
        txt_c(t, '\\');
        txt_u_pad(t, c, 3, '0');
    }
}

void dns_name_print(struct txt *t, const struct dns_name *name)
{
    struct rd r = rd_of(span_of(name->b, name->n));
    const char *sep = "";
    if (name->n <= 1)
        txt_c(t, '.');
    for (;;) {
        uint8_t len = rd_u8(&r);
        struct rd label = rd_sub(&r, len);
        if (r.bad != 0 || len == 0)
            return;
        txt_s(t, sep);
        while (!rd_done(&label))
            print_char(t, rd_u8(&label));
        sep = ".";
    }
}

/* ---- header ---- */

bool dns_parse(struct rd *r, struct dns_hdr *out)
{
    struct rd h = rd_sub(r, DNS_HDR_LEN);
    *out = (struct dns_hdr){.id = rd_u16(&h)};
    uint16_t bits = rd_u16(&h);
    out->is_response = (bits & FLAG_QR) != 0;
    out->opcode = (uint8_t)(bits >> 11 & 0x0f);
    out->aa = (bits & FLAG_AA) != 0;
    out->tc = (bits & FLAG_TC) != 0;
    out->rd = (bits & FLAG_RD) != 0;
    out->ra = (bits & FLAG_RA) != 0;
    out->ad = (bits & FLAG_AD) != 0;
    out->cd = (bits & FLAG_CD) != 0;
    out->rcode = (uint8_t)(bits & 0x0f);
    out->questions_n = rd_u16(&h);
    out->answers_n = rd_u16(&h);
    out->authority_n = rd_u16(&h);
    out->additional_n = rd_u16(&h);
    return rd_join(r, &h);
}

void dns_emit(struct wr *w, const struct dns_hdr *h)
{
    ORIEL_ASSERT(h->opcode <= 0x0f);
    ORIEL_ASSERT(h->rcode <= 0x0f);
    wr_u16(w, h->id);
    wr_u16(w, (uint16_t)((h->is_response ? FLAG_QR : 0) | (unsigned)h->opcode << 11 |
                         (h->aa ? FLAG_AA : 0) | (h->tc ? FLAG_TC : 0) | (h->rd ? FLAG_RD : 0) |
                         (h->ra ? FLAG_RA : 0) | (h->ad ? FLAG_AD : 0) | (h->cd ? FLAG_CD : 0) |
                         h->rcode));
    wr_u16(w, h->questions_n);
    wr_u16(w, h->answers_n);
    wr_u16(w, h->authority_n);
    wr_u16(w, h->additional_n);
}

/* ---- the walk ---- */

struct dns_walk dns_walk_of(struct span msg, const struct dns_hdr *h)
{
    struct dns_walk k = {
        .msg = msg,
        .r = rd_of(msg),
        .questions_left = h->questions_n,
        .left = {h->answers_n, h->authority_n, h->additional_n},
    };
    rd_skip(&k.r, DNS_HDR_LEN);
    return k;
}

bool dns_question_next(struct dns_walk *k, struct dns_question *out)
{
    if (k->r.bad != 0 || k->questions_left == 0)
        return false;
    if (rd_done(&k->r))
        return rd_fail(&k->r, FAULT_COUNT);
    if (k->questions_n++ == DNS_QUESTIONS_MAX)
        return rd_fail(&k->r, FAULT_OPT_COUNT);
    k->questions_left--;
    dns_name_parse(&k->r, k->msg, &out->name);
    out->qtype = rd_u16(&k->r);
    out->qclass = rd_u16(&k->r);
    return k->r.bad == 0;
}

static bool parse_rr(struct dns_walk *k, struct dns_rr *out)
{
    dns_name_parse(&k->r, k->msg, &out->name);
    struct rd h = rd_sub(&k->r, 10);
    out->type = rd_u16(&h);
    out->rclass = rd_u16(&h);
    out->ttl_s = rd_u32(&h);
    size_t len = rd_u16(&h);
    out->data = span_of(k->r.p, 0);
    if (!rd_join(&k->r, &h))
        return false;
    if (len > rd_left(&k->r))
        return rd_fail(&k->r, FAULT_TOTAL_LEN);
    out->data = rd_bytes(&k->r, len);
    return true;
}

bool dns_rr_next(struct dns_walk *k, struct dns_rr *out)
{
    struct dns_question q;
    while (dns_question_next(k, &q))
        continue;
    unsigned section = DNS_ANSWER;
    while (section <= DNS_ADDITIONAL && k->left[section] == 0)
        section++;
    if (k->r.bad != 0 || section > DNS_ADDITIONAL)
        return false;
    if (rd_done(&k->r))
        return rd_fail(&k->r, FAULT_COUNT);
    if (k->records_n++ == DNS_RECORDS_MAX)
        return rd_fail(&k->r, FAULT_OPT_COUNT);
    k->left[section]--;
    out->section = (uint8_t)section;
    return parse_rr(k, out);
}

/* ---- the data of records ---- */

bool dns_txt_next(struct rd *r, struct span *out)
{
    *out = span_of(r->p, 0);
    if (r->bad != 0 || rd_done(r))
        return false;
    *out = rd_bytes(r, rd_u8(r));
    return r->bad == 0;
}

static void parse_txt(struct rd *r, struct dns_data *out)
{
    struct rd all = *r;
    struct span s;
    out->raw = rd_rest(r);
    if (out->raw.n == 0)
        rd_fail(r, FAULT_SHORT);
    while (dns_txt_next(&all, &s))
        continue;
    if (all.bad != 0)
        rd_fail(r, FAULT_COUNT);
}

static void parse_soa(struct rd *r, struct span msg, struct dns_data *out)
{
    dns_name_parse(r, msg, &out->name);
    dns_name_parse(r, msg, &out->mailbox);
    struct rd h = rd_sub(r, SOA_NUMBERS);
    out->serial = rd_u32(&h);
    out->refresh_s = rd_u32(&h);
    out->retry_s = rd_u32(&h);
    out->expire_s = rd_u32(&h);
    out->minimum_s = rd_u32(&h);
    rd_join(r, &h);
}

static void parse_srv(struct rd *r, struct span msg, struct dns_data *out)
{
    out->preference = rd_u16(r);
    out->weight = rd_u16(r);
    out->port = rd_u16(r);
    dns_name_parse(r, msg, &out->name);
}

bool dns_data_parse(struct rd *r, struct span msg, uint16_t type, struct dns_data *out)
{
    *out = (struct dns_data){.addr = ADDR_NONE};
    switch (type) {
    case DNS_A:
        out->addr = rd_addr4(r);
        break;
    case DNS_AAAA:
        out->addr = rd_addr6(r);
        break;
    case DNS_NS:
    case DNS_CNAME:
    case DNS_PTR:
        dns_name_parse(r, msg, &out->name);
        break;
    case DNS_MX:
        out->preference = rd_u16(r);
        dns_name_parse(r, msg, &out->name);
        break;
    case DNS_SOA:
        parse_soa(r, msg, out);
        break;
    case DNS_SRV:
        parse_srv(r, msg, out);
        break;
    case DNS_TXT:
        parse_txt(r, out);
        break;
    default:
        out->raw = rd_rest(r);
        break;
    }
    if (r->bad == 0 && !rd_done(r))
        rd_fail(r, FAULT_TOTAL_LEN);
    return r->bad == 0;
}

static void emit_soa(struct wr *w, const struct dns_data *d)
{
    dns_name_emit(w, &d->name);
    dns_name_emit(w, &d->mailbox);
    wr_u32(w, d->serial);
    wr_u32(w, d->refresh_s);
    wr_u32(w, d->retry_s);
    wr_u32(w, d->expire_s);
    wr_u32(w, d->minimum_s);
}

static void emit_data(struct wr *w, uint16_t type, const struct dns_data *d)
{
    switch (type) {
    case DNS_A:
        wr_addr4(w, &d->addr);
        break;
    case DNS_AAAA:
        wr_addr6(w, &d->addr);
        break;
    case DNS_MX:
        wr_u16(w, d->preference);
        dns_name_emit(w, &d->name);
        break;
    case DNS_SRV:
        wr_u16(w, d->preference);
        wr_u16(w, d->weight);
        wr_u16(w, d->port);
        dns_name_emit(w, &d->name);
        break;
    case DNS_NS:
    case DNS_CNAME:
    case DNS_PTR:
        dns_name_emit(w, &d->name);
        break;
    case DNS_SOA:
        emit_soa(w, d);
        break;
    default:
        wr_bytes(w, d->raw);
        break;
    }
}

void dns_question_emit(struct wr *w, const struct dns_question *q)
{
    dns_name_emit(w, &q->name);
    wr_u16(w, q->qtype);
    wr_u16(w, q->qclass);
}

void dns_rr_emit(struct wr *w, const struct dns_rr *rr, const struct dns_data *d,
                 const struct dns_name *first)
{
    if (first && rr->name.n > 2 && dns_name_eq(&rr->name, first))
        wr_u16(w, POINTER << 8 | QUESTION_AT);
    else
        dns_name_emit(w, &rr->name);
    wr_u16(w, rr->type);
    wr_u16(w, rr->rclass);
    wr_u32(w, rr->ttl_s);
    size_t len_at = wr_len(w);
    wr_u16(w, 0);
    emit_data(w, rr->type, d);
    if (w->bad)
        return;
    size_t len = wr_len(w) - len_at - 2;
    ORIEL_ASSERT(len <= UINT16_MAX);
    wr_patch_u16(w, len_at, (uint16_t)len);
}

/* ---- showing ---- */

static const struct {
    uint16_t type;
    const char *name;
} type_names[] = {
    {DNS_A, "A"},     {DNS_NS, "NS"},   {DNS_CNAME, "CNAME"}, {DNS_SOA, "SOA"},
    {DNS_PTR, "PTR"}, {DNS_MX, "MX"},   {DNS_TXT, "TXT"},     {DNS_AAAA, "AAAA"},
    {DNS_SRV, "SRV"}, {DNS_OPT, "OPT"}, {DNS_ANY, "ANY"},
};

bool dns_type_named(struct span name, uint16_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
        if (span_is(name, type_names[i].name)) {
            *out = type_names[i].type;
            return true;
        }
    }
    return false;
}

void dns_type_print(struct txt *t, uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
        if (type_names[i].type == type) {
            txt_s(t, type_names[i].name);
            return;
        }
    }
    txt_s(t, "TYPE");           /* RFC 3597, 5 */
    txt_u(t, type);
}

static void print_head(struct txt *t, const struct dns_hdr *h)
{
    static const char *const rcodes[] = {
        NULL, "Format error", "Server failure", "No such name", "Not implemented", "Refused",
    };
    if (h->opcode == 0) {
        txt_s(t, "Standard query");
    } else {
        txt_s(t, "Opcode ");
        txt_u(t, h->opcode);
    }
    txt_s(t, h->is_response ? " response 0x" : " 0x");
    txt_hex(t, h->id, 4);
    if (h->rcode == 0)
        return;
    txt_c(t, ' ');
    if (h->rcode < ARRAY_LEN(rcodes)) {
        txt_s(t, rcodes[h->rcode]);
    } else {
        txt_s(t, "rcode ");
        txt_u(t, h->rcode);
    }
}

static void print_rr(struct txt *t, struct span msg, const struct dns_rr *rr)
{
    struct rd r = rd_of(rr->data);
    struct dns_data d;
    txt_c(t, ' ');
    dns_type_print(t, rr->type);
    if (!dns_data_parse(&r, msg, rr->type, &d))
        return;
    if (rr->type == DNS_A || rr->type == DNS_AAAA) {
        txt_c(t, ' ');
        txt_addr(t, &d.addr);
    } else if (d.name.n > 0) {
        txt_c(t, ' ');
        dns_name_print(t, &d.name);
    }
}

void dns_print(struct txt *t, struct span msg)
{
    struct rd r = rd_of(msg);
    struct dns_hdr h;
    if (!dns_parse(&r, &h)) {
        txt_s(t, "DNS, short");
        return;
    }
    print_head(t, &h);
    struct dns_walk k = dns_walk_of(msg, &h);
    struct dns_question q;
    struct dns_rr rr;
    while (dns_question_next(&k, &q)) {
        txt_c(t, ' ');
        dns_type_print(t, q.qtype);
        txt_c(t, ' ');
        dns_name_print(t, &q.name);
    }
    for (unsigned n = 0; n < PRINT_MAX && dns_rr_next(&k, &rr); n++) {
        if (rr.section != DNS_ANSWER)
            break;
        print_rr(t, msg, &rr);
    }
    if (k.r.bad != 0)
        txt_s(t, " (malformed)");
}
