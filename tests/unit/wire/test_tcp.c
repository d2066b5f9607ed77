#include "wire/tcp.h"

#include "base/csum.h"
#include "wire/props.h"

/* ---- the header ---- */

static struct span gen_opts(struct prop_gen *g)
{
    return prop_bytes(g, 4 * prop_upto(g, 10));
}

static struct span gen_tcp(struct prop_gen *g, struct tcp_hdr *h)
{
    h->src_port = prop_u16(g);
    h->dst_port = prop_u16(g);
    h->seq = seq_of(prop_u32(g));
    h->ack = seq_of(prop_u32(g));
    h->flags = (uint16_t)prop_upto(g, 0x1ff);
    h->wnd = prop_u16(g);
    h->csum = prop_u16(g);
    h->urg = prop_u16(g);
    h->opts = gen_opts(g);
    h->hdr_len = (uint8_t)(TCP_HDR_LEN + h->opts.n);
    return prop_bytes(g, prop_upto(g, 60));
}

PROP_FORMAT(tcp, struct tcp_hdr, gen_tcp(g, h), tcp_parse(r, h), tcp_emit(w, h), tcp_print(t, h),
            PROP_EQ(src_port) && PROP_EQ(dst_port) && PROP_EQ(seq.v) && PROP_EQ(ack.v) &&
                PROP_EQ(hdr_len) && PROP_EQ(flags) && PROP_EQ(wnd) && PROP_EQ(csum) &&
                PROP_EQ(urg) && PROP_EQ_SPAN(opts),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_HDR_LEN),
            .lens = PROP_LENS({.at = 12, .width = 1, .mask = 0xf0}));

TEST("a header that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&tcp_format);
}

TEST("a segment cut in its header is refused")
{
    prop_cuts(&tcp_format);
}

TEST("no data offset leads outside the segment")
{
    prop_lengths(&tcp_format);
}

TEST("damaged segments are refused or stay stable")
{
    prop_damage(&tcp_format);
}

/* A SYN of Linux. */
#define SYN                                                                                        \
    "a4c5 0050 3d4f1a2b 00000000 a002 faf0 fe30 0000"                                              \
    "020405b4 0402 080a9c27bd5e00000000 01 030307"

TEST("a SYN reads as it was sent")
{
    HEX(syn, SYN "6869");
    struct rd r = rd_of(syn);
    struct tcp_hdr h;
    EXPECT(tcp_parse(&r, &h));
    EXPECT_EQ(h.src_port, 42181);
    EXPECT_EQ(h.dst_port, 80);
    EXPECT_EQ(h.seq.v, 0x3d4f1a2b);
    EXPECT_EQ(h.hdr_len, 40);
    EXPECT_EQ(h.flags, TCP_SYN);
    EXPECT_EQ(h.wnd, 64240);
    EXPECT_EQ(h.opts.n, 20);
    EXPECT_EQ(rd_left(&r), 2);
    prop_exact(&tcp_format, syn);
    prop_prints(&tcp_format, &h,
                "42181 -> 80 [S] seq 1028594219 win 64240 "
                "<mss 1460,sackOK,TS val 2619850078 ecr 0,nop,wscale 7>");
}

TEST("the data offset is at least five words and at most what there is")
{
    for (unsigned words = 0; words < 16; words++) {
        for (size_t n = 0; n <= 64; n++) {
            uint8_t b[64] = {0};
            b[12] = (uint8_t)(words << 4);
            uint8_t want = n < 20 ? FAULT_SHORT : words < 5 || words * 4 > n ? FAULT_HDR_LEN : 0;
            EXPECT_EQ(prop_fault(&tcp_format, span_of(b, n)), want);
        }
    }
}

TEST("flags are written in the letters of tcpdump")
{
    char buf[20];
    static const struct {
        uint16_t flags;
        const char *text;
    } cases[] = {
        {0, "none"}, {TCP_SYN, "S"}, {TCP_SYN | TCP_ACK, "S."}, {TCP_RST, "R"},
        {TCP_FIN | TCP_PSH | TCP_ACK, "FP."}, {TCP_SYN | TCP_ECE | TCP_CWR, "SEW"}, {TCP_ACK | TCP_URG, ".U"},
        {0x1ff, "FSRP.UEWe"}, {0xe00, "none"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct txt t = txt_of(buf, sizeof(buf));
        tcp_flags_print(&t, cases[i].flags);
        EXPECT_STR(buf, cases[i].text);
    }
}

TEST("acknowledgement and urgent pointer are shown where their flags are set")
{
    struct tcp_hdr h = {.src_port = 1, .dst_port = 2, .flags = TCP_ACK | TCP_URG, .urg = 5};
    h.ack = seq_of(7);
    prop_prints(&tcp_format, &h, "1 -> 2 [.U] seq 0 ack 7 win 0 urg 5");
}

/* ---- options ---- */

struct listed {                 /* options, and the order in which they are to be written */
    struct tcp_opts o;
    uint8_t kinds[8];
    uint8_t n;
};

static void list_kinds(struct listed *l)
{
    l->n = 0;
    if (l->o.has_mss)
        l->kinds[l->n++] = TCP_OPT_MSS;
    if (l->o.sack_perm)
        l->kinds[l->n++] = TCP_OPT_SACK_PERM;
    if (l->o.has_ts)
        l->kinds[l->n++] = TCP_OPT_TS;
    if (l->o.has_wscale)
        l->kinds[l->n++] = TCP_OPT_WSCALE;
    if (l->o.has_fastopen)
        l->kinds[l->n++] = TCP_OPT_FASTOPEN;
    if (l->o.sack_n > 0)
        l->kinds[l->n++] = TCP_OPT_SACK;
    if (l->o.md5.n > 0)
        l->kinds[l->n++] = TCP_OPT_MD5;
    if (l->o.ao.n > 0)
        l->kinds[l->n++] = TCP_OPT_AO;
}

static bool parse_listed(struct rd *r, struct listed *l)
{
    bool ok = tcp_opts_parse(r, &l->o);
    if (ok)
        rd_skip(r, rd_left(r));         /* what stands after EOL is not read */
    list_kinds(l);
    l->o.ignored_n = 0;                 /* they are not written again */
    return ok;
}

static void print_listed(struct txt *t, const struct listed *l)
{
    uint8_t b[200];
    struct wr w = wr_of(b, sizeof(b));
    tcp_opts_emit(&w, &l->o, l->kinds, l->n);
    txt_c(t, '<');
    tcp_opts_print(t, wr_span(&w));
}

static struct span gen_listed(struct prop_gen *g, struct listed *l)
{
    struct tcp_opts *o = &l->o;
    o->has_mss = prop_bool(g);
    o->mss = o->has_mss ? prop_u16(g) : 0;
    o->sack_perm = prop_bool(g);
    o->has_ts = prop_bool(g);
    o->ts_val = o->has_ts ? prop_u32(g) : 0;
    o->ts_ecr = o->has_ts ? prop_u32(g) : 0;
    o->has_wscale = prop_bool(g);
    o->wscale = o->has_wscale ? prop_u8(g) : 0;
    o->has_fastopen = prop_bool(g);
    if (o->has_fastopen)
        o->fastopen = prop_bytes(g, PROP_ONE_OF(g, 0, 4, 6, 8, 16));
    o->sack_n = (uint8_t)prop_upto(g, TCP_SACK_MAX);
    for (unsigned i = 0; i < o->sack_n; i++)
        o->sack[i] = (struct tcp_sack){seq_of(prop_u32(g)), seq_of(prop_u32(g))};
    if (prop_bool(g))
        o->md5 = prop_bytes(g, 16);
    if (prop_bool(g))
        o->ao = prop_bytes(g, 2 + prop_upto(g, 20));
    list_kinds(l);
    return span_of(l, 0);
}

static bool sacks_equal(const struct tcp_opts *a, const struct tcp_opts *b)
{
    for (unsigned i = 0; i < a->sack_n; i++) {
        if (!seq_eq(a->sack[i].left, b->sack[i].left) ||
            !seq_eq(a->sack[i].right, b->sack[i].right))
            return false;
    }
    return a->sack_n == b->sack_n;
}

PROP_FORMAT(tcp_opts, struct listed, gen_listed(g, h), parse_listed(r, h),
            tcp_opts_emit(w, &h->o, h->kinds, h->n), print_listed(t, h),
            PROP_EQ(o.has_mss) && PROP_EQ(o.mss) && PROP_EQ(o.has_wscale) && PROP_EQ(o.wscale) &&
                PROP_EQ(o.sack_perm) && PROP_EQ(o.has_ts) && PROP_EQ(o.ts_val) &&
                PROP_EQ(o.ts_ecr) && PROP_EQ(o.has_fastopen) && PROP_EQ_SPAN(o.fastopen) &&
                PROP_EQ_SPAN(o.md5) && PROP_EQ_SPAN(o.ao) && sacks_equal(&a->o, &b->o),
            .faults = BIT(FAULT_OPT_LEN) | BIT(FAULT_OPT_COUNT),
            .lens = PROP_LENS({.at = 1, .width = 1}, {.at = 5, .width = 1}, {.at = 7, .width = 1},
                              {.at = 17, .width = 1}));

TEST("options that are emitted parse back, and emit the same bytes")
{
    COVERS("MUST-68");
    prop_round_trip(&tcp_opts_format);
}

TEST("options cut anywhere are never read beyond")
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    struct listed h;
    for (unsigned i = 0; i < PROP_RUNS / 8; i++) {
        struct span rest;
        struct prop_block b = prop_next(&tcp_opts_format, &g, &h, &rest);
        prop_cuts_of(&tcp_opts_format, span_of(b.p, b.n), 0);
        free(b.base);
    }
}

TEST("no length of an option leads outside the header")
{
    prop_lengths(&tcp_opts_format);
}

TEST("damaged options are refused or stay stable")
{
    prop_damage(&tcp_opts_format);
}

static uint8_t opts_of(const char *text, struct tcp_opts *o)
{
    static uint8_t bytes[256];
    struct rd r = rd_of(prop_hex_into(text, bytes));
    bool ok = tcp_opts_parse(&r, o);
    EXPECT_EQ(ok, r.bad == FAULT_NONE);
    return r.bad;
}

TEST("the options of a SYN are found")
{
    struct tcp_opts o;
    EXPECT_EQ(opts_of("020405b4 0402 080a9c27bd5e00000001 01 030307", &o), 0);
    EXPECT(o.has_mss && o.mss == 1460);
    EXPECT(o.sack_perm);
    EXPECT(o.has_ts && o.ts_val == 0x9c27bd5e && o.ts_ecr == 1);
    EXPECT(o.has_wscale && o.wscale == 7);
    EXPECT_EQ(o.ignored_n, 0);
    EXPECT_EQ(opts_of("", &o), 0);
    EXPECT(!o.has_mss);
}

TEST("the layout of nearly all segments gives the same as the walk")
{
    struct tcp_opts fast, slow;
    EXPECT_EQ(opts_of("0101 080a 11223344 55667788", &fast), 0);
    EXPECT_EQ(opts_of("080a 11223344 55667788 0101", &slow), 0);
    EXPECT(fast.has_ts && slow.has_ts);
    EXPECT_EQ(fast.ts_val, slow.ts_val);
    EXPECT_EQ(fast.ts_ecr, slow.ts_ecr);
    EXPECT_EQ(fast.ts_ecr, 0x55667788);
}

TEST("an option of length 0, 1 or beyond the end is a fault, whatever its kind")
{
    COVERS("MUST-7");
    for (unsigned kind = 2; kind < 256; kind++) {
        for (size_t before = 0; before < 8; before++) {
            for (size_t room = 1; room < 40; room++) {
                uint8_t b[48];
                memset(b, TCP_OPT_NOP, before);
                memset(b + before, 0, sizeof(b) - before);
                b[before] = (uint8_t)kind;
                struct prop_block cut = prop_block_of(span_of(b, before + room));
                for (unsigned len = 0; room > 1 && len < 256; len++) {
                    cut.p[before + 1] = (uint8_t)len;
                    struct rd r = rd_of(span_of(cut.p, cut.n));
                    struct tcp_opts o;
                    bool ok = tcp_opts_parse(&r, &o);
                    EXPECT(ok == (len >= 2 && len <= room));
                    EXPECT(ok || r.bad == FAULT_OPT_LEN);
                }
                struct rd r = rd_of(span_of(cut.p, before + 1));
                struct tcp_opts o;
                EXPECT(!tcp_opts_parse(&r, &o) && r.bad == FAULT_OPT_LEN);
                free(cut.base);
            }
        }
    }
}

TEST("options are read at any alignment")
{
    COVERS("MUST-64");
    static const char *const pads[] = {"", "01", "0101", "010101"};
    for (size_t i = 0; i < 4; i++) {
        for (size_t k = 0; k < 4; k++) {
            char text[200];
            snprintf(text, sizeof(text), "%s020405b4%s080a0000000700000009%s030307", pads[i], pads[k],
                     pads[i]);
            struct tcp_opts o;
            EXPECT_EQ(opts_of(text, &o), 0);
            EXPECT_EQ(o.mss, 1460);
            EXPECT_EQ(o.ts_val, 7);
            EXPECT_EQ(o.ts_ecr, 9);
            EXPECT_EQ(o.wscale, 7);
        }
    }
}

TEST("options of unknown kinds are passed over by their length")
{
    COVERS("MUST-6");
    for (unsigned kind = 2; kind < 256; kind++) {
        bool known = kind <= 5 || kind == 8 || kind == 19 || kind == 29 || kind == 34;
        for (unsigned len = 2; !known && len <= 34; len++) {
            uint8_t b[40] = {(uint8_t)kind, (uint8_t)len};
            struct wr w = wr_of(b + len, 4);
            wr_u32(&w, 0x020405b4);
            struct rd r = rd_of(span_of(b, len + 4));
            struct tcp_opts o;
            EXPECT(tcp_opts_parse(&r, &o));
            EXPECT_EQ(o.mss, 1460);
            EXPECT_EQ(o.ignored_n, 1);
        }
    }
}

TEST("known options of a length that is not theirs are passed over")
{
    struct tcp_opts o;
    EXPECT_EQ(opts_of("020301 0302 040300 0803 00 030307", &o), 0);
    EXPECT(!o.has_mss && !o.sack_perm && !o.has_ts);
    EXPECT(o.has_wscale);
    EXPECT_EQ(o.ignored_n, 4);
    EXPECT_EQ(opts_of("0502 050900000000000000 050b000000000000000000", &o), 0);
    EXPECT_EQ(o.sack_n, 0);
    EXPECT_EQ(o.ignored_n, 3);
    EXPECT_EQ(opts_of("1303ff 1d03ff 2203ff", &o), 0);
    EXPECT(o.md5.n == 0 && o.ao.n == 0 && !o.has_fastopen);
}

TEST("one to four blocks of SACK are kept in order")
{
    struct tcp_opts o;
    EXPECT_EQ(opts_of("0101 0512 00000001 00000002 00000003 00000004", &o), 0);
    EXPECT_EQ(o.sack_n, 2);
    EXPECT_EQ(o.sack[0].left.v, 1);
    EXPECT_EQ(o.sack[1].right.v, 4);
    EXPECT_EQ(opts_of("0522 0000000100000002 0000000300000004 0000000500000006 0000000700000008",
                      &o), 0);
    EXPECT_EQ(o.sack_n, 4);
    EXPECT_EQ(opts_of("052a 0000000100000002 0000000300000004 0000000500000006 0000000700000008"
                      "0000000900000010", &o), 0);
    EXPECT_EQ(o.sack_n, 0);
}

TEST("a Fast Open request has no cookie, an answer has 4 to 16 bytes of one")
{
    struct tcp_opts o;
    EXPECT_EQ(opts_of("2202 0101", &o), 0);
    EXPECT(o.has_fastopen);
    EXPECT_EQ(o.fastopen.n, 0);
    EXPECT_EQ(opts_of("220a 0102030405060708", &o), 0);
    EXPECT_EQ(o.fastopen.n, 8);
    EXPECT_EQ(opts_of("2205 010203", &o), 0);
    EXPECT(!o.has_fastopen);
    EXPECT_EQ(opts_of("2207 0102030405", &o), 0);
    EXPECT(!o.has_fastopen);
}

TEST("authentication options are recognised and left as they are")
{
    struct tcp_opts o;
    EXPECT_EQ(opts_of("1312 000102030405060708090a0b0c0d0e0f 1d06 01020304", &o), 0);
    EXPECT_EQ(o.md5.n, 16);
    EXPECT_EQ(o.ao.n, 4);
    EXPECT_EQ(o.ignored_n, 0);
}

TEST("nothing after the end of the list is read")
{
    struct tcp_opts o;
    EXPECT_EQ(opts_of("00 020405b4 0200", &o), 0);
    EXPECT(!o.has_mss);
}

TEST("the last of a kind counts")
{
    struct tcp_opts o;
    EXPECT_EQ(opts_of("020405b4 02040218", &o), 0);
    EXPECT_EQ(o.mss, 536);
}

TEST("more options than any header holds are a fault")
{
    uint8_t b[TCP_OPTIONS_MAX + 1];
    memset(b, TCP_OPT_NOP, sizeof(b));
    EXPECT_EQ(prop_fault(&tcp_opts_format, span_of(b, TCP_OPTIONS_MAX)), 0);
    EXPECT_EQ(prop_fault(&tcp_opts_format, span_of(b, sizeof(b))), FAULT_OPT_COUNT);
}

TEST("options are written in the order given, then filled to a word")
{
    static const uint8_t kinds[] = {TCP_OPT_NOP, TCP_OPT_WSCALE, TCP_OPT_MSS, TCP_OPT_SACK_PERM};
    uint8_t b[TCP_OPTS_MAX];
    struct wr w = wr_of(b, sizeof(b));
    tcp_opts_emit(&w, &(struct tcp_opts){.mss = 1460, .wscale = 7}, kinds, ARRAY_LEN(kinds));
    HEX(want, "01 030307 020405b4 0402 0000");
    EXPECT(span_eq(wr_span(&w), want));
}

TEST("options that do not fit mark the writer; ones we do not have are our mistake")
{
    static const uint8_t kinds[] = {TCP_OPT_TS, TCP_OPT_SACK};
    uint8_t b[TCP_OPTS_MAX];
    struct wr w = wr_of(b, sizeof(b));
    struct tcp_opts o = {.sack_n = 4};
    tcp_opts_emit(&w, &o, kinds, 2);
    EXPECT(w.bad);
    static const uint8_t unknown[] = {77};
    w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(tcp_opts_emit(&w, &o, unknown, 1));
    o.sack_n = 0;
    EXPECT_ASSERTS(tcp_opts_emit(&w, &o, kinds, 2));
}

TEST("options are shown one after the other")
{
    char buf[200];
    HEX(opts, "0101 050a0000000100000009 2206aabbccdd fd04f989 1d04abcd 0300");
    struct txt t = txt_of(buf, sizeof(buf));
    tcp_opts_print(&t, opts);
    EXPECT_STR(buf, "nop,nop,sack 1:9,FO aabbccdd,option 253,ao,bad option length");
}

TEST("after a translation the checksum is what a fresh sum would be")
{
    for (unsigned i = 0; i < 2000; i++) {
        uint32_t src = 0x0a000001 + i * 0x01030507, dst = 0xcb007100 ^ i * 0x9e3779b9;
        uint16_t port = (uint16_t)(i * 40503);
        uint8_t b[TCP_HDR_LEN + 3] = {0x12, 0x34, 0x00, 0x50, (uint8_t)i, [12] = 0x50, 2,
                                      [20] = 'x', 'y', 'z'};
        struct oriel_addr s = addr_v4(src), d = addr_v4(dst), to = addr_v4(~src);
        uint32_t pseudo = csum_pseudo(&s, &d, 6, sizeof(b));
        uint16_t csum = csum_finish(csum_add(pseudo, csum_small(b, sizeof(b))));
        b[16] = (uint8_t)(csum >> 8);
        b[17] = (uint8_t)csum;
        if (i & 1)
            tcp_patch_src(b, sizeof(b), port, src, ~src);
        else
            tcp_patch_dst(b, sizeof(b), port, dst, ~src);
        pseudo = i & 1 ? csum_pseudo(&to, &d, 6, sizeof(b)) : csum_pseudo(&s, &to, 6, sizeof(b));
        EXPECT_EQ(csum_finish(csum_add(pseudo, csum_small(b, sizeof(b)))), 0);
        EXPECT_EQ(b[i & 1 ? 0 : 2] << 8 | b[i & 1 ? 1 : 3], port);
    }
}

TEST("a quote that ends before the checksum has its port changed and nothing else")
{
    for (size_t held = 4; held < 18; held++) {
        uint8_t b[18] = {0x12, 0x34, 0x00, 0x50, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
        uint8_t want[18];
        memcpy(want, b, sizeof(b));
        want[2] = 0xab;
        want[3] = 0xcd;
        tcp_patch_dst(b, held, 0xabcd, 0x0a000001, 0x0a000002);
        EXPECT_MEM(b, want, sizeof(b));
    }
}
