#include "wire/mld.h"

#include "wire/props.h"

/* The message as icmp6_parse leaves it; what follows the format is ignored. */
static bool parse_whole(struct rd *r, struct mld_msg *h)
{
    uint8_t type = rd_u8(r);
    rd_skip(r, 3);
    bool ok = mld_parse(r, type, h);
    if (ok)
        rd_skip(r, rd_left(r));
    return ok;
}

static void emit_record(struct wr *w, const struct mcast_rec *rec)
{
    struct oriel_addr sources[512];
    struct rd r = rd_of(rec->sources);
    assert_true(rec->sources_n <= ARRAY_LEN(sources));
    for (unsigned i = 0; i < rec->sources_n; i++)
        sources[i] = rd_addr6(&r);
    mld_report_record(w, rec->type, &rec->group, sources, rec->sources_n);
}

static void emit_whole(struct wr *w, const struct mld_msg *h)
{
    if (h->type != ICMP6_MLD2_REPORT) {
        mld_emit(w, h);
        return;
    }
    struct rd r = rd_of(h->records);
    struct mcast_rec rec;
    uint16_t n = 0;
    mld_report_begin(w);
    for (; mld_record_next(&r, &rec); n++)
        emit_record(w, &rec);
    mld_report_count(w, n);
}

static bool records_equal(struct span a, struct span b)
{
    struct rd ra = rd_of(a);
    struct rd rb = rd_of(b);
    struct mcast_rec x, y;
    for (;;) {
        bool more = mld_record_next(&ra, &x);
        if (more != mld_record_next(&rb, &y))
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
    uint8_t *b = prop_room(g, 1200);
    struct wr w = wr_of(b, 1200);
    for (unsigned i = 0; i < n; i++) {
        struct oriel_addr group = prop_addr6(g);
        struct oriel_addr sources[5];
        uint16_t sources_n = (uint16_t)prop_upto(g, ARRAY_LEN(sources));
        for (unsigned k = 0; k < sources_n; k++)
            sources[k] = prop_addr6(g);
        mld_report_record(&w, prop_u8(g), &group, sources, sources_n);
    }
    return wr_span(&w);
}

static struct span gen_mld(struct prop_gen *g, struct mld_msg *h)
{
    h->type = (uint8_t)PROP_ONE_OF(g, ICMP6_MLD_QUERY, ICMP6_MLD_REPORT, ICMP6_MLD_DONE,
                                   ICMP6_MLD2_REPORT);
    h->version = h->type == ICMP6_MLD2_REPORT ? 2 : 1;
    if (h->type == ICMP6_MLD2_REPORT) {
        h->records_n = (uint16_t)prop_upto(g, 10);
        h->records = gen_records(g, h->records_n);
        return span_of(h, 0);
    }
    h->group = prop_addr6(g);
    if (h->type != ICMP6_MLD_QUERY)
        return span_of(h, 0);
    h->version = (uint8_t)(1 + prop_upto(g, 1));
    h->max_resp_ms = prop_u16(g);
    if (h->version == 2) {
        h->max_resp_ms = mcast_code16_decode(prop_u16(g));
        h->suppress = prop_bool(g);
        h->robustness = (uint8_t)prop_upto(g, 7);
        h->interval_s = mcast_code8_decode(prop_u8(g));
        h->sources_n = (uint16_t)prop_upto(g, 40);
        h->sources = prop_bytes(g, h->sources_n * 16u);
    }
    return span_of(h, 0);
}

PROP_FORMAT(mld, struct mld_msg, gen_mld(g, h), parse_whole(r, h), emit_whole(w, h),
            mld_print(t, h),
            PROP_EQ(type) && PROP_EQ(version) && PROP_EQ(max_resp_ms) && PROP_EQ_ADDR(group) &&
                PROP_EQ(suppress) && PROP_EQ(robustness) && PROP_EQ(interval_s) &&
                PROP_EQ(sources_n) && PROP_EQ_SPAN(sources) && PROP_EQ(records_n) &&
                records_equal(a->records, b->records),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_TYPE) | BIT(FAULT_TOTAL_LEN) | BIT(FAULT_COUNT),
            .lens = PROP_LENS({.at = 6, .width = 2}, {.at = 9, .width = 1}, {.at = 10, .width = 2},
                              {.at = 26, .width = 2}));

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&mld_format);
}

TEST("a message cut anywhere is refused or whole as it is")
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    struct mld_msg h;
    for (unsigned i = 0; i < PROP_RUNS / 8; i++) {
        struct span rest;
        struct prop_block b = prop_next(&mld_format, &g, &h, &rest);
        size_t min = h.type == ICMP6_MLD_QUERY && h.version == 2 ? 24 : b.n;
        prop_cuts_of(&mld_format, span_of(b.p, b.n), min);
        free(b.base);
    }
}

TEST("no count leads outside the message")
{
    prop_lengths(&mld_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&mld_format);
}

#define GROUP "ff020000 00000000 00000001 ff000002"

TEST("the version of a query is its length")
{
    for (size_t n = 0; n < 80; n++) {
        uint8_t b[80] = {ICMP6_MLD_QUERY};
        struct rd r = rd_of(span_of(b, n));
        struct mld_msg m;
        bool ok = parse_whole(&r, &m);
        EXPECT_EQ(ok, n == 24 || n >= 28);
        if (ok)
            EXPECT_EQ(m.version, n == 24 ? 1 : 2);
        else
            EXPECT_EQ(r.bad, n < 4 ? FAULT_SHORT : FAULT_TOTAL_LEN);
    }
}

TEST("a query of version 2 reads as it was sent")
{
    HEX(query, "82 00 0000 2710 0000 00000000 00000000 00000000 00000000 02 7d 0000");
    struct rd r = rd_of(query);
    struct mld_msg m;
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.version, 2);
    EXPECT_EQ(m.max_resp_ms, 10000);
    EXPECT_EQ(m.robustness, 2);
    EXPECT_EQ(m.interval_s, 125);
    prop_exact(&mld_format, query);
    prop_prints(&mld_format, &m, "Multicast Listener Query, general");
}

TEST("messages of version 1 name one group")
{
    HEX(report, "83 00 0000 0000 0000" GROUP);
    HEX(done, "84 00 0000 0000 0000" GROUP);
    struct rd r = rd_of(report);
    struct mld_msg m;
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.version, 1);
    prop_exact(&mld_format, report);
    prop_prints(&mld_format, &m, "Multicast Listener Report for ff02::1:ff00:2");
    r = rd_of(done);
    EXPECT(parse_whole(&r, &m));
    prop_exact(&mld_format, done);
    prop_prints(&mld_format, &m, "Multicast Listener Done for ff02::1:ff00:2");
    EXPECT_EQ(prop_fault_hex(&mld_format, "83 00 0000 0000 0000 ff02"), FAULT_SHORT);
}

TEST("a report of version 2 is walked record by record")
{
    HEX(report, "8f 00 0000 0000 0002 04 00 0000" GROUP
                "05 00 0001" GROUP "20010db8 00000000 00000000 00000001");
    struct rd r = rd_of(report);
    struct mld_msg m;
    struct mcast_rec rec;
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.version, 2);
    EXPECT_EQ(m.records_n, 2);
    r = rd_of(m.records);
    EXPECT(mld_record_next(&r, &rec));
    EXPECT_EQ(rec.type, MCAST_TO_EXCLUDE);
    EXPECT(mld_record_next(&r, &rec));
    EXPECT_EQ(rec.sources.n, 16);
    EXPECT(!mld_record_next(&r, &rec));
    EXPECT_EQ(r.bad, 0);
    prop_exact(&mld_format, report);
    prop_prints(&mld_format, &m,
                "Multicast Listener Report v2 / Join group ff02::1:ff00:2 for any sources / "
                "Allow new sources of group ff02::1:ff00:2 for 1 source");
}

TEST("counts of sources and records beyond the bytes are a fault")
{
    EXPECT_EQ(prop_fault_hex(&mld_format, "82 00 0000 0001 0000" GROUP "02 7d 0001"),
              FAULT_COUNT);
    EXPECT_EQ(prop_fault_hex(&mld_format, "8f 00 0000 0000 0001"), FAULT_COUNT);
    EXPECT_EQ(prop_fault_hex(&mld_format, "8f 00 0000 0000 0001 04 00 ffff" GROUP), FAULT_COUNT);
    EXPECT_EQ(prop_fault_hex(&mld_format, "8f 00 0000 0000 0001 04 01 0000" GROUP), FAULT_COUNT);
    EXPECT_EQ(prop_fault_hex(&mld_format, "8f 00 0000 0000"), FAULT_SHORT);
}

TEST("a record cut in its head is a fault of the walk")
{
    HEX(cut, "04 00 0000 ff02");
    struct rd r = rd_of(cut);
    struct mcast_rec rec;
    EXPECT(!mld_record_next(&r, &rec));
    EXPECT_EQ(r.bad, FAULT_SHORT);
}

TEST("of more records than the limit the first are kept")
{
    static uint8_t b[8 + 20 * (MCAST_RECORDS_MAX + 1)];
    struct wr w = wr_of(b, sizeof(b));
    struct oriel_addr group = addr_v6(0xff02000000000000, 7);
    mld_report_begin(&w);
    for (unsigned i = 0; i < MCAST_RECORDS_MAX + 1; i++)
        mld_report_record(&w, MCAST_IS_EXCLUDE, &group, NULL, 0);
    mld_report_count(&w, MCAST_RECORDS_MAX + 1);
    struct rd r = rd_of(wr_span(&w));
    struct mld_msg m;
    EXPECT(parse_whole(&r, &m));
    EXPECT_EQ(m.records.n, 20 * MCAST_RECORDS_MAX);
}

TEST("other types are not MLD")
{
    EXPECT_EQ(prop_fault_hex(&mld_format, "85 00 0000 0000 0000" GROUP), FAULT_TYPE);
}

TEST("sixteen-bit codes: exact below 32768, then twelve bits of precision, rounded down")
{
    EXPECT_EQ(mcast_code16_decode(0x7fff), 0x7fff);
    EXPECT_EQ(mcast_code16_decode(0x8000), 0x8000);
    EXPECT_EQ(mcast_code16_decode(0xffff), 8387584);
    for (unsigned code = 0; code < 65536; code++)
        EXPECT_EQ(mcast_code16_encode(mcast_code16_decode((uint16_t)code)), code);
    for (uint32_t v = 0; v < 8387584; v += 37) {
        uint16_t code = mcast_code16_encode(v);
        EXPECT(mcast_code16_decode(code) <= v);
        EXPECT(mcast_code16_decode((uint16_t)(code + 1)) > v);
    }
    EXPECT_EQ(mcast_code16_encode(UINT32_MAX), 0xffff);
}
