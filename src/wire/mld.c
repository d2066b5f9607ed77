/*
 * Multicast listener discovery (RFC 2710, 3810): IGMP's messages in ICMPv6, with 16-byte addresses
 * and times in milliseconds. What is said of reports in igmp.c holds here.
 */
#include "wire/mld.h"

#include "wire/fault.h"

#define FIXED_LEN      20       /* code, reserved, group: after the first 4 bytes */
#define V2_QUERY_LEN   24
#define COUNT_AT       6        /* number of records in a report */
#define RECORD_HEAD    20
#define SOURCE_LEN     16
#define AUX_WORD       4
#define QRV_MASK       0x07u
#define SUPPRESS_BIT   0x08u
#define PRINT_RECORDS  4        /* records shown on one line */

/* ---- codes ---- */

uint32_t mcast_code16_decode(uint16_t code)
{
    if (code < 0x8000)
        return code;
    uint32_t mant = code & 0x0fffu;
    unsigned exp = (code >> 12) & 0x07u;
    return (mant | 0x1000u) << (exp + 3);
}

uint16_t mcast_code16_encode(uint32_t v)
{
    if (v < 0x8000)
        return (uint16_t)v;
    unsigned exp = bit_highest(v) - 15;
    if (exp > 7)
        return 0xffff;
    return (uint16_t)(0x8000u | exp << 12 | ((v >> (exp + 3)) & 0x0fffu));
}

/* ---- reading ---- */

bool mld_record_next(struct rd *r, struct mcast_rec *out)
{
    *out = (struct mcast_rec){0};
    if (r->bad != 0 || rd_done(r))
        return false;
    struct rd h = rd_sub(r, RECORD_HEAD);
    out->type = rd_u8(&h);
    size_t aux_bytes = (size_t)rd_u8(&h) * AUX_WORD;
    out->sources_n = rd_u16(&h);
    out->group = rd_addr6(&h);
    if (!rd_join(r, &h))
        return false;
    size_t sources_bytes = (size_t)out->sources_n * SOURCE_LEN;
    if (sources_bytes + aux_bytes > rd_left(r))
        return rd_fail(r, FAULT_COUNT);
    out->sources = rd_bytes(r, sources_bytes);
    rd_skip(r, aux_bytes);
    return true;
}

static bool parse_v2_query(struct rd *r, uint16_t code, struct mld_msg *out)
{
    out->version = 2;
    out->max_resp_ms = mcast_code16_decode(code);
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

/* RFC 3810, 8.1: the version of a query is its length. */
static bool parse_query(struct rd *r, struct mld_msg *out)
{
    size_t len = rd_left(r);
    if (len != FIXED_LEN && len < V2_QUERY_LEN)
        return rd_fail(r, FAULT_TOTAL_LEN);
    uint16_t code = rd_u16(r);
    rd_skip(r, 2);
    out->group = rd_addr6(r);
    if (len != FIXED_LEN)
        return parse_v2_query(r, code, out);
    out->version = 1;
    out->max_resp_ms = code;
    return r->bad == 0;
}

static bool parse_v1_report(struct rd *r, struct mld_msg *out)
{
    struct rd h = rd_sub(r, FIXED_LEN);
    out->version = 1;
    rd_skip(&h, 4);
    out->group = rd_addr6(&h);
    return rd_join(r, &h);
}

/* Every record that will be looked at must be whole. */
static bool parse_v2_report(struct rd *r, struct mld_msg *out)
{
    out->version = 2;
    rd_skip(r, 2);
    out->records_n = rd_u16(r);
    if (r->bad != 0)
        return false;
    unsigned n = out->records_n < MCAST_RECORDS_MAX ? out->records_n : MCAST_RECORDS_MAX;
    const uint8_t *first = r->p;
    for (unsigned i = 0; i < n; i++) {
        struct mcast_rec rec;
        if (rd_left(r) < RECORD_HEAD)
            return rd_fail(r, FAULT_COUNT);
        if (!mld_record_next(r, &rec))
            return false;
    }
    out->records = span_of(first, (size_t)(r->p - first));
    return true;
}

bool mld_parse(struct rd *r, uint8_t type, struct mld_msg *out)
{
    *out = (struct mld_msg){.type = type};
    switch (type) {
    case ICMP6_MLD_QUERY:
        return parse_query(r, out);
    case ICMP6_MLD_REPORT:
    case ICMP6_MLD_DONE:
        return parse_v1_report(r, out);
    case ICMP6_MLD2_REPORT:
        return parse_v2_report(r, out);
    default:
        return rd_fail(r, FAULT_TYPE);
    }
}

/* ---- writing ---- */

static uint16_t resp_code(const struct mld_msg *m)
{
    if (m->type != ICMP6_MLD_QUERY)
        return 0;
    if (m->version == 2)
        return mcast_code16_encode(m->max_resp_ms);
    return m->max_resp_ms > UINT16_MAX ? UINT16_MAX : (uint16_t)m->max_resp_ms;
}

void mld_emit(struct wr *w, const struct mld_msg *m)
{
    ORIEL_ASSERT(m->type != ICMP6_MLD2_REPORT);
    wr_u8(w, m->type);
    wr_zeros(w, 3);             /* code and checksum */
    wr_u16(w, resp_code(m));
    wr_u16(w, 0);
    wr_addr6(w, &m->group);
    if (m->type == ICMP6_MLD_QUERY && m->version == 2) {
        ORIEL_ASSERT(m->sources.n == (size_t)m->sources_n * SOURCE_LEN);
        /* RFC 3810, 5.1.8: a variable that does not fit is sent as 0. */
        uint8_t qrv = m->robustness > QRV_MASK ? 0 : m->robustness;
        wr_u8(w, (uint8_t)((m->suppress ? SUPPRESS_BIT : 0) | qrv));
        wr_u8(w, mcast_code8_encode(m->interval_s));
        wr_u16(w, m->sources_n);
        wr_bytes(w, m->sources);
    }
}

void mld_report_begin(struct wr *w)
{
    ORIEL_ASSERT(wr_len(w) == 0);
    wr_u8(w, ICMP6_MLD2_REPORT);
    wr_zeros(w, 7);
}

void mld_report_record(struct wr *w, uint8_t type, const struct oriel_addr *group,
                       const struct oriel_addr *sources, uint16_t n)
{
    wr_u8(w, type);
    wr_u8(w, 0);
    wr_u16(w, n);
    wr_addr6(w, group);
    for (unsigned i = 0; i < n; i++)
        wr_addr6(w, &sources[i]);
}

void mld_report_count(struct wr *w, uint16_t records)
{
    wr_patch_u16(w, COUNT_AT, records);
}

/* ---- showing ---- */

static void print_v2_report(struct txt *t, const struct mld_msg *m)
{
    struct rd r = rd_of(m->records);
    struct mcast_rec rec;
    unsigned shown = 0;
    txt_s(t, "Multicast Listener Report v2");
    while (shown < PRINT_RECORDS && mld_record_next(&r, &rec)) {
        txt_s(t, " / ");
        mcast_rec_print(t, &rec);
        shown++;
    }
    if (m->records_n > shown)
        txt_s(t, " / ...");
}

void mld_print(struct txt *t, const struct mld_msg *m)
{
    switch (m->type) {
    case ICMP6_MLD_QUERY:
        txt_s(t, "Multicast Listener Query");
        if (addr_is_unspecified(&m->group)) {
            txt_s(t, ", general");
        } else {
            txt_s(t, " for ");
            txt_addr(t, &m->group);
        }
        break;
    case ICMP6_MLD_REPORT:
        txt_s(t, "Multicast Listener Report for ");
        txt_addr(t, &m->group);
        break;
    case ICMP6_MLD_DONE:
        txt_s(t, "Multicast Listener Done for ");
        txt_addr(t, &m->group);
        break;
    case ICMP6_MLD2_REPORT:
        print_v2_report(t, m);
        break;
    default:
        txt_s(t, "MLD type ");
        txt_u(t, m->type);
        break;
    }
}
