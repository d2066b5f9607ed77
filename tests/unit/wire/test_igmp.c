#include "wire/igmp.h"

#include "base/csum.h"
#include "wire/props.h"

/* What follows the format is ignored; the canonical message has nothing there. */
static bool parse_whole(struct rd *r, struct igmp_msg *h)
{
    bool ok = igmp_parse(r, h);
    if (ok)
        rd_skip(r, rd_left(r));
    return ok;
}

static void emit_record(struct wr *w, const struct mcast_rec *rec)
{
    struct oriel_addr sources[2048];
    struct rd r = rd_of(rec->sources);
    assert_true(rec->sources_n <= ARRAY_LEN(sources));
    for (unsigned i = 0; i < rec->sources_n; i++)
        sources[i] = rd_addr4(&r);
    igmp_report_record(w, rec->type, &rec->group, sources, rec->sources_n);
}

static void emit_whole(struct wr *w, const struct igmp_msg *h)
{
    if (h->type != IGMP_V3_REPORT) {
        igmp_emit(w, h);
        return;
    }
    struct rd r = rd_of(h->records);
    struct mcast_rec rec;
    uint16_t n = 0;
    igmp_report_begin(w);
    for (; igmp_record_next(&r, &rec); n++)
        emit_record(w, &rec);
    igmp_report_seal(w, n);
}

static bool records_equal(struct span a, struct span b)
{
    struct rd ra = rd_of(a);
    struct rd rb = rd_of(b);
    struct mcast_rec x, y;
    for (;;) {
        bool more = igmp_record_next(&ra, &x);
        if (more != igmp_record_next(&rb, &y))
            return false;
        if (!more)
            return true;
        if (x.type != y.type || !addr_same_bits(&x.group, &y.group) ||
            x.sources_n != y.sources_n || !span_eq(x.sources, y.sources))
            return false;
    }
}

static struct span gen_records(struct prop_gen *g, uint16_t n)
{
    uint8_t *b = prop_room(g, 600);
    struct wr w = wr_of(b, 600);
    for (unsigned i = 0; i < n; i++) {
        struct oriel_addr group = prop_addr4(g);
        struct oriel_addr sources[6];
        uint16_t sources_n = (uint16_t)prop_upto(g, ARRAY_LEN(sources));
        for (unsigned k = 0; k < sources_n; k++)
            sources[k] = prop_addr4(g);
        igmp_report_record(&w, prop_u8(g), &group, sources, sources_n);
    }
    return wr_span(&w);
}

static struct span gen_igmp(struct prop_gen *g, struct igmp_msg *h)
{
    static const uint8_t version[] = {0, 1, 2, 2, 3};
    static const uint8_t type[] = {IGMP_QUERY, IGMP_V1_REPORT, IGMP_V2_REPORT, IGMP_V2_LEAVE,
                                   IGMP_V3_REPORT};
    uint64_t i = prop_upto(g, 4);
    h->type = type[i];
    h->version = i == 0 ? (uint8_t)(1 + prop_upto(g, 2)) : version[i];
    h->group = h->type == IGMP_V3_REPORT ? ADDR_V4_ANY : prop_addr4(g);
    if (h->type == IGMP_V3_REPORT) {
        h->records_n = (uint16_t)prop_upto(g, 10);
        h->records = gen_records(g, h->records_n);
    }
    if (h->type != IGMP_QUERY || h->version == 1)
        return span_of(h, 0);
    h->max_resp_ds = 1 + (uint32_t)prop_upto(g, 254);
    if (h->version == 3) {
        h->max_resp_ds = mcast_code8_decode(prop_u8(g));
        h->suppress = prop_bool(g);
        h->robustness = (uint8_t)prop_upto(g, 7);
        h->interval_s = mcast_code8_decode(prop_u8(g));
        h->sources_n = (uint16_t)prop_upto(g, 40);
        h->sources = prop_bytes(g, h->sources_n * 4u);
    }
    return span_of(h, 0);
}

static void seal(uint8_t *b, size_t n)
{
    if (n < 4)
        return;
    struct wr w = wr_of(b, n);
    (void)wr_room(&w, n);
    wr_patch_u16(&w, 2, 0);
    wr_patch_u16(&w, 2, csum_finish(csum_small(b, n)));
}

PROP_FORMAT(igmp, struct igmp_msg, gen_igmp(g, h), parse_whole(r, h), emit_whole(w, h),
            igmp_print(t, h),
            PROP_EQ(type) && PROP_EQ(version) && PROP_EQ(max_resp_ds) && PROP_EQ_ADDR(group) &&
                PROP_EQ(suppress) && PROP_EQ(robustness) && PROP_EQ(interval_s) &&
                PROP_EQ(sources_n) && PROP_EQ_SPAN(sources) && PROP_EQ(records_n) &&
                records_equal(a->records, b->records),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_CSUM) | BIT(FAULT_TYPE) | BIT(FAULT_COUNT),
            .lens = PROP_LENS({.at = 6, .width = 2}, {.at = 10, .width = 2}, {.at = 9, .width = 1},
                              {.at = 18, .width = 2}),
            .seal = seal);

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&igmp_format);
}

TEST("a message cut anywhere is refused or whole as it is")
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    struct igmp_msg h;
    for (unsigned i = 0; i < PROP_RUNS / 8; i++) {
        struct span rest;
        struct prop_block b = prop_next(&igmp_format, &g, &h, &rest);
        prop_cuts_of(&igmp_format, span_of(b.p, b.n), IGMP_MIN_LEN);
        for (size_t n = 4; n < b.n; n++) {
            seal(b.p, n);
            prop_cuts_of(&igmp_format, span_of(b.p, n), IGMP_MIN_LEN);
        }
        free(b.base);
    }
}

TEST("no count leads outside the message")
{
    prop_lengths(&igmp_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&igmp_format);
}

TEST("every bit is under the checksum")
{
    HEX(query, "1164 ee9b 00000000");
    prop_flips_refused(&igmp_format, query);
    EXPECT_EQ(prop_fault_hex(&igmp_format, "1164 ee9c 00000000"), FAULT_CSUM);
}

TEST("the version of a query is its length and its code")
{
    COVERS("3376-1");
    for (size_t n = 0; n < 40; n++) {
        for (unsigned code = 0; code < 256; code++) {
            uint8_t b[40] = {IGMP_QUERY, (uint8_t)code};
            seal(b, n);
            struct rd r = rd_of(span_of(b, n));
            struct igmp_msg m;
            bool ok = igmp_parse(&r, &m);
            EXPECT_EQ(ok, n == 8 || n >= 12);
            if (!ok)
                EXPECT_EQ(r.bad, n < 8 ? FAULT_SHORT : FAULT_TYPE);
            else if (n == 8)
                EXPECT_EQ(m.version, code == 0 ? 1 : 2);
            else
                EXPECT_EQ(m.version, 3);
        }
    }
}

TEST("general queries of versions 2 and 3 read as they were sent")
{
    HEX(v2, "1164 ee9b 00000000");
    HEX(v3, "1164 ec1e 00000000 02 7d 0000");
    struct rd r = rd_of(v2);
    struct igmp_msg m;
    EXPECT(igmp_parse(&r, &m));
    EXPECT_EQ(m.version, 2);
    EXPECT_EQ(m.max_resp_ds, 100);
    EXPECT(addr_is_unspecified(&m.group));
    prop_exact(&igmp_format, v2);
    prop_prints(&igmp_format, &m, "Membership Query, general");
    r = rd_of(v3);
    EXPECT(igmp_parse(&r, &m));
    EXPECT_EQ(m.version, 3);
    EXPECT_EQ(m.robustness, 2);
    EXPECT_EQ(m.interval_s, 125);
    EXPECT(!m.suppress);
    prop_exact(&igmp_format, v3);
}

TEST("reports and leaves of versions 1 and 2 name one group")
{
    HEX(v2, "1600 fa04 effffffa");
    struct rd r = rd_of(v2);
    struct igmp_msg m;
    EXPECT(igmp_parse(&r, &m));
    EXPECT_EQ(m.version, 2);
    EXPECT_EQ(addr_to_v4(&m.group), 0xeffffffa);
    prop_exact(&igmp_format, v2);
    prop_prints(&igmp_format, &m, "Membership Report group 239.255.255.250");
    m.type = IGMP_V2_LEAVE;
    prop_prints(&igmp_format, &m, "Leave Group 239.255.255.250");
}

TEST("the code of a version 1 or 2 report means nothing")
{
    uint8_t b[8] = {IGMP_V2_REPORT, 77, 0, 0, 239, 1, 1, 1};
    seal(b, sizeof(b));
    struct rd r = rd_of(span_of(b, sizeof(b)));
    struct igmp_msg m;
    EXPECT(igmp_parse(&r, &m));
    EXPECT_EQ(m.max_resp_ds, 0);
}

TEST("a version 3 report is walked record by record")
{
    HEX(report, "2200 f902 0000 0001 04 00 0000 e00000fb");
    struct rd r = rd_of(report);
    struct igmp_msg m;
    struct mcast_rec rec;
    EXPECT(igmp_parse(&r, &m));
    EXPECT_EQ(m.version, 3);
    EXPECT_EQ(m.records_n, 1);
    struct rd recs = rd_of(m.records);
    EXPECT(igmp_record_next(&recs, &rec));
    EXPECT_EQ(rec.type, MCAST_TO_EXCLUDE);
    EXPECT_EQ(addr_to_v4(&rec.group), 0xe00000fb);
    EXPECT_EQ(rec.sources_n, 0);
    EXPECT(!igmp_record_next(&recs, &rec));
    EXPECT_EQ(recs.bad, 0);
    prop_exact(&igmp_format, report);
    prop_prints(&igmp_format, &m, "Membership Report / Join group 224.0.0.251 for any sources");
}

TEST("auxiliary data is passed over")
{
    uint8_t b[] = {IGMP_V3_REPORT, 0, 0, 0, 0, 0, 0, 2,
                   3, 2, 0, 1, 239, 0, 0, 1, 10, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9,
                   6, 0, 0, 0, 239, 0, 0, 2};
    seal(b, sizeof(b));
    struct rd r = rd_of(span_of(b, sizeof(b)));
    struct igmp_msg m;
    struct mcast_rec rec;
    EXPECT(igmp_parse(&r, &m));
    r = rd_of(m.records);
    EXPECT(igmp_record_next(&r, &rec));
    EXPECT_EQ(rec.sources.n, 4);
    EXPECT(igmp_record_next(&r, &rec));
    EXPECT_EQ(rec.type, MCAST_BLOCK);
    prop_prints(&igmp_format, &m,
                "Membership Report / Join group 239.0.0.1 for 1 source / "
                "Block old sources of group 239.0.0.2");
}

TEST("counts of sources and records beyond the bytes are a fault")
{
    uint8_t query[16] = {IGMP_QUERY, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    seal(query, sizeof(query));
    EXPECT_EQ(prop_fault(&igmp_format, span_of(query, sizeof(query))), FAULT_COUNT);
    uint8_t many[8] = {IGMP_V3_REPORT, 0, 0, 0, 0, 0, 0, 1};
    seal(many, sizeof(many));
    EXPECT_EQ(prop_fault(&igmp_format, span_of(many, sizeof(many))), FAULT_COUNT);
    uint8_t sources[16] = {IGMP_V3_REPORT, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0xff, 0xff, 239, 0, 0, 1};
    seal(sources, sizeof(sources));
    EXPECT_EQ(prop_fault(&igmp_format, span_of(sources, sizeof(sources))), FAULT_COUNT);
    uint8_t aux[16] = {IGMP_V3_REPORT, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 239, 0, 0, 1};
    seal(aux, sizeof(aux));
    EXPECT_EQ(prop_fault(&igmp_format, span_of(aux, sizeof(aux))), FAULT_COUNT);
}

TEST("a record cut in its head is a fault of the walk")
{
    HEX(cut, "04 00 0000 e00000");
    struct rd r = rd_of(cut);
    struct mcast_rec rec;
    EXPECT(!igmp_record_next(&r, &rec));
    EXPECT_EQ(r.bad, FAULT_SHORT);
    EXPECT(!igmp_record_next(&r, &rec));
}

TEST("of more records than the limit the first are kept")
{
    uint8_t b[8 + 8 * (MCAST_RECORDS_MAX + 1)];
    struct wr w = wr_of(b, sizeof(b));
    struct oriel_addr group = addr_v4(0xef000001);
    igmp_report_begin(&w);
    for (unsigned i = 0; i < MCAST_RECORDS_MAX + 1; i++)
        igmp_report_record(&w, MCAST_IS_EXCLUDE, &group, NULL, 0);
    igmp_report_seal(&w, MCAST_RECORDS_MAX + 1);
    struct rd r = rd_of(wr_span(&w));
    struct igmp_msg m;
    EXPECT(igmp_parse(&r, &m));
    EXPECT_EQ(m.records_n, MCAST_RECORDS_MAX + 1);
    EXPECT_EQ(m.records.n, 8 * MCAST_RECORDS_MAX);
}

TEST("unknown types are refused")
{
    for (unsigned type = 0; type < 256; type++) {
        uint8_t b[8] = {(uint8_t)type};
        seal(b, sizeof(b));
        bool known = type == 0x11 || type == 0x12 || type == 0x16 || type == 0x17 || type == 0x22;
        EXPECT_EQ(prop_fault(&igmp_format, span_of(b, sizeof(b))), known ? FAULT_NONE : FAULT_TYPE);
    }
}

TEST("eight-bit codes: exact below 128, then four bits of precision, rounded down")
{
    EXPECT_EQ(mcast_code8_decode(127), 127);
    EXPECT_EQ(mcast_code8_decode(0x80), 128);
    EXPECT_EQ(mcast_code8_decode(0xff), 31744);
    for (unsigned code = 0; code < 256; code++)
        EXPECT_EQ(mcast_code8_encode(mcast_code8_decode((uint8_t)code)), code);
    for (uint32_t v = 0; v < 31744; v++) {
        uint8_t code = mcast_code8_encode(v);
        EXPECT(mcast_code8_decode(code) <= v);
        EXPECT(mcast_code8_decode((uint8_t)(code + 1)) > v);
    }
    EXPECT_EQ(mcast_code8_encode(32768), 0xff);
    EXPECT_EQ(mcast_code8_encode(UINT32_MAX), 0xff);
}

TEST("a robustness that does not fit is sent as 0")
{
    uint8_t b[12];
    struct wr w = wr_of(b, sizeof(b));
    igmp_emit(&w, &(struct igmp_msg){.type = IGMP_QUERY, .version = 3, .robustness = 9,
                                     .group = ADDR_V4_ANY});
    EXPECT_EQ(b[8], 0);
}
