/*
 * IGMP (RFC 1112, 2236, 3376). One type byte serves three versions of the query, told apart by
 * length and code (RFC 3376, 7.1); the other messages carry their version in the type.
 *
 * The records of a version 3 report are walked once while parsing, so that a report whose third
 * record lies is refused before its first has changed anything; beyond MCAST_RECORDS_MAX they are
 * cut off. Auxiliary data is passed over (RFC 3376, 4.2.6) and never written.
 *
 * The record walk, its text and the 8-bit code are the same in MLD, which uses them from here.
 */
#include "wire/igmp.h"

#include "base/csum.h"
#include "wire/fault.h"

#define V3_QUERY_LEN   12
#define CSUM_AT        2
#define COUNT_AT       6        /* number of records in a report */
#define RECORD_HEAD    8
#define SOURCE_LEN     4
#define AUX_WORD       4
#define QRV_MASK       0x07u
#define SUPPRESS_BIT   0x08u
#define PRINT_RECORDS  4        /* records shown on one line */

/* ---- codes ---- */

uint32_t mcast_code8_decode(uint8_t code)
{
    if (code < 0x80)
        return code;
    uint32_t mant = code & 0x0fu;
    unsigned exp = (code >> 4) & 0x07u;
    return (mant | 0x10u) << (exp + 3);
}

uint8_t mcast_code8_encode(uint32_t v)
{
    if (v < 0x80)
        return (uint8_t)v;
    unsigned exp = bit_highest(v) - 7;
    if (exp > 7)
        return 0xff;
    return (uint8_t)(0x80u | exp << 4 | ((v >> (exp + 3)) & 0x0fu));
}

/* ---- reading ---- */

bool igmp_record_next(struct rd *r, struct mcast_rec *out)
{
    *out = (struct mcast_rec){0};
    if (r->bad != 0 || rd_done(r))
        return false;
    struct rd h = rd_sub(r, RECORD_HEAD);
    out->type = rd_u8(&h);
    size_t aux_bytes = (size_t)rd_u8(&h) * AUX_WORD;
    out->sources_n = rd_u16(&h);
    out->group = rd_addr4(&h);
    if (!rd_join(r, &h))
        return false;
    size_t sources_bytes = (size_t)out->sources_n * SOURCE_LEN;
    if (sources_bytes + aux_bytes > rd_left(r))
        return rd_fail(r, FAULT_COUNT);
    out->sources = rd_bytes(r, sources_bytes);
    rd_skip(r, aux_bytes);
    return true;
}

/* Every record that will be looked at must be whole. */
static bool parse_records(struct rd *r, struct igmp_msg *out)
{
    unsigned n = out->records_n < MCAST_RECORDS_MAX ? out->records_n : MCAST_RECORDS_MAX;
    const uint8_t *first = r->p;
    for (unsigned i = 0; i < n; i++) {
        struct mcast_rec rec;
        if (rd_left(r) < RECORD_HEAD)
            return rd_fail(r, FAULT_COUNT);
        if (!igmp_record_next(r, &rec))
            return false;
    }
    out->records = span_of(first, (size_t)(r->p - first));
    return true;
}

static bool parse_v3_query(struct rd *r, uint8_t code, struct igmp_msg *out)
{
    out->version = 3;
    out->max_resp_ds = mcast_code8_decode(code);
    uint8_t flags = rd_u8(r);
    out->suppress = (flags & SUPPRESS_BIT) != 0;
    out->robustness = (uint8_t)(flags & QRV_MASK);
    out->interval_s = mcast_code8_decode(rd_u8(r));
    out->sources_n = rd_u16(r);
    size_t bytes = (size_t)out->sources_n * SOURCE_LEN;
    if (bytes > rd_left(r))
        return rd_fail(r, FAULT_COUNT);
    out->sources = rd_bytes(r, bytes);
    return true;
}

/* RFC 3376, 7.1. r stands after the group address. */
static bool parse_query(struct rd *r, size_t len, uint8_t code, struct igmp_msg *out)
{
    if (len >= V3_QUERY_LEN)
        return parse_v3_query(r, code, out);
    if (len != IGMP_MIN_LEN)
        return rd_fail(r, FAULT_TYPE);
    out->version = code == 0 ? 1 : 2;
    out->max_resp_ds = code;
    return true;
}

static bool parse_v3_report(struct rd *r, uint32_t word, struct igmp_msg *out)
{
    out->version = 3;
    out->records_n = (uint16_t)word;
    return parse_records(r, out);
}

bool igmp_parse(struct rd *r, struct igmp_msg *out)
{
    *out = (struct igmp_msg){.group = ADDR_V4_ANY};
    struct span all = span_of(r->p, rd_left(r));
    struct rd h = rd_sub(r, IGMP_MIN_LEN);
    out->type = rd_u8(&h);
    uint8_t code = rd_u8(&h);
    rd_skip(&h, 2);
    uint32_t word = rd_u32(&h);
    if (!rd_join(r, &h))
        return false;
    if (csum_finish(csum_span(&csum_portable, all)) != 0)
        return rd_fail(r, FAULT_CSUM);
    if (out->type == IGMP_V3_REPORT)
        return parse_v3_report(r, word, out);
    out->group = addr_v4(word);
    switch (out->type) {
    case IGMP_QUERY:
        return parse_query(r, all.n, code, out);
    case IGMP_V1_REPORT:
        out->version = 1;
        return true;
    case IGMP_V2_REPORT:
    case IGMP_V2_LEAVE:
        out->version = 2;
        return true;
    default:
        return rd_fail(r, FAULT_TYPE);
    }
}

/* ---- writing ---- */

static void seal(struct wr *w, size_t at)
{
    if (w->bad)
        return;
    uint32_t sum = csum_span(&csum_portable, span_of(w->start + at, wr_len(w) - at));
    wr_patch_u16(w, at + CSUM_AT, csum_finish(sum));
}

static uint8_t resp_code(const struct igmp_msg *m)
{
    if (m->type != IGMP_QUERY || m->version == 1)
        return 0;
    if (m->version == 3)
        return mcast_code8_encode(m->max_resp_ds);
    return m->max_resp_ds > UINT8_MAX ? UINT8_MAX : (uint8_t)m->max_resp_ds;
}

void igmp_emit(struct wr *w, const struct igmp_msg *m)
{
    ORIEL_ASSERT(m->type != IGMP_V3_REPORT);
    size_t at = wr_len(w);
    wr_u8(w, m->type);
    wr_u8(w, resp_code(m));
    wr_u16(w, 0);
    wr_addr4(w, &m->group);
    if (m->type == IGMP_QUERY && m->version == 3) {
        ORIEL_ASSERT(m->sources.n == (size_t)m->sources_n * SOURCE_LEN);
        /* RFC 3376, 4.1.6: a variable that does not fit is sent as 0. */
        uint8_t qrv = m->robustness > QRV_MASK ? 0 : m->robustness;
        wr_u8(w, (uint8_t)((m->suppress ? SUPPRESS_BIT : 0) | qrv));
        wr_u8(w, mcast_code8_encode(m->interval_s));
        wr_u16(w, m->sources_n);
        wr_bytes(w, m->sources);
    }
    seal(w, at);
}

void igmp_report_begin(struct wr *w)
{
    ORIEL_ASSERT(wr_len(w) == 0);
    wr_u8(w, IGMP_V3_REPORT);
    wr_zeros(w, IGMP_MIN_LEN - 1);
}

void igmp_report_record(struct wr *w, uint8_t type, const struct oriel_addr *group,
                        const struct oriel_addr *sources, uint16_t n)
{
    wr_u8(w, type);
    wr_u8(w, 0);
    wr_u16(w, n);
    wr_addr4(w, group);
    for (unsigned i = 0; i < n; i++)
        wr_addr4(w, &sources[i]);
}

void igmp_report_seal(struct wr *w, uint16_t records)
{
    wr_patch_u16(w, COUNT_AT, records);
    seal(w, 0);
}

/* ---- showing ---- */

void mcast_rec_print(struct txt *t, const struct mcast_rec *rec)
{
    bool exclude = rec->type == MCAST_IS_EXCLUDE || rec->type == MCAST_TO_EXCLUDE;
    bool include = rec->type == MCAST_IS_INCLUDE || rec->type == MCAST_TO_INCLUDE;
    if (include && rec->sources_n == 0)
        txt_s(t, "Leave group ");
    else if (include || exclude)
        txt_s(t, "Join group ");
    else if (rec->type == MCAST_ALLOW)
        txt_s(t, "Allow new sources of group ");
    else if (rec->type == MCAST_BLOCK)
        txt_s(t, "Block old sources of group ");
    else
        txt_s(t, "Unknown record for group ");
    txt_addr(t, &rec->group);
    if (exclude && rec->sources_n == 0) {
        txt_s(t, " for any sources");
    } else if (rec->sources_n > 0) {
        txt_s(t, exclude ? " but for " : " for ");
        txt_u(t, rec->sources_n);
        txt_s(t, rec->sources_n == 1 ? " source" : " sources");
    }
}

static void print_report(struct txt *t, const struct igmp_msg *m)
{
    struct rd r = rd_of(m->records);
    struct mcast_rec rec;
    unsigned shown = 0;
    txt_s(t, "Membership Report");
    while (shown < PRINT_RECORDS && igmp_record_next(&r, &rec)) {
        txt_s(t, " / ");
        mcast_rec_print(t, &rec);
        shown++;
    }
    if (m->records_n > shown)
        txt_s(t, " / ...");
}

static void print_query(struct txt *t, const struct igmp_msg *m)
{
    txt_s(t, "Membership Query");
    if (addr_is_unspecified(&m->group)) {
        txt_s(t, ", general");
        return;
    }
    txt_s(t, ", specific for group ");
    txt_addr(t, &m->group);
    if (m->sources_n > 0) {
        txt_s(t, ", ");
        txt_u(t, m->sources_n);
        txt_s(t, m->sources_n == 1 ? " source" : " sources");
    }
}

void igmp_print(struct txt *t, const struct igmp_msg *m)
{
    switch (m->type) {
    case IGMP_QUERY:
        print_query(t, m);
        break;
    case IGMP_V1_REPORT:
    case IGMP_V2_REPORT:
        txt_s(t, "Membership Report group ");
        txt_addr(t, &m->group);
        break;
    case IGMP_V2_LEAVE:
        txt_s(t, "Leave Group ");
        txt_addr(t, &m->group);
        break;
    case IGMP_V3_REPORT:
        print_report(t, m);
        break;
    default:
        txt_s(t, "IGMP type 0x");
        txt_hex(t, m->type, 2);
        break;
    }
}
