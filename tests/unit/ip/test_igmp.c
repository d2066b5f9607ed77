#include "ip/fx_group.h"

#define G "239.1.2.3"
#define FROM "ip src=10.0.0.254 dst=224.0.0.1 ra / "
#define COMMON "ip.ttl == 1 && ip.hdr_len == 24 && ip.opt.ra == 0 && ip.dsfield == 0xc0 && " \
               "ip.proto == 2 && ip.checksum.status == 1 && igmp.checksum.status == 1"

static struct fx *start(uint8_t version)
{
    struct fx *f = fx_new(.reports = true, .netif = {.igmp_version = version});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_settle(f);
    return f;
}

/* ---- what leaves ---- */

TEST("a version 3 report goes to 224.0.0.22 with TTL 1 and a router alert")
{
    COVERS("2236-1 3376-2");
    struct fx *f = start(0);
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.1 10.9.0.2"), 0);
    EXPECT_OUT(f, COMMON " && eth.dst == 01:00:5e:00:00:16 && ip.src == 10.0.0.1 && "
                  "ip.dst == 224.0.0.22 && igmp.type == 0x22 && igmp.num_grp_recs == 1 && "
                  "igmp.record_type == 5 && igmp.aux_data_len == 0 && igmp.num_src == 2 && "
                  "igmp.maddr == " G " && igmp.saddr == 10.9.0.1 && igmp.saddr == 10.9.0.2");
    EXPECT_EQ(f->frame_n, 14 + 24 + 8 + 16);
    fx_free(f);
}

TEST("a version 2 report goes to its group, a leave to 224.0.0.2")
{
    COVERS("2236-1 2236-2");
    struct fx *f = start(2);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, COMMON " && eth.dst == 01:00:5e:01:02:03 && ip.src == 10.0.0.1 && ip.dst == " G
                  " && ip.len == 32 && igmp.type == 0x16 && igmp.max_resp == 0 && "
                  "igmp.maddr == " G);
    fx_settle(f);
    fx_leave(f, G, 1);
    EXPECT_OUT(f, COMMON " && eth.dst == 01:00:5e:00:00:02 && ip.dst == 224.0.0.2 && "
                  "ip.len == 32 && igmp.type == 0x17 && igmp.maddr == " G);
    fx_free(f);
}

TEST("a version 1 report goes to its group")
{
    COVERS("2236-1");
    struct fx *f = start(1);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, COMMON " && ip.dst == " G " && ip.len == 32 && igmp.type == 0x12 && "
                  "igmp.maddr == " G);
    fx_free(f);
}

TEST("a host without an address reports from 0.0.0.0")
{
    struct fx *f = fx_new(.reports = true);
    fx_settle(f);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, COMMON " && ip.src == 0.0.0.0 && ip.dst == 224.0.0.22");
    fx_free(f);
}

TEST("without memory a report is lost like any other packet, and repeated")
{
    struct fx *f = start(0);
    uint64_t max = f->s->env.budget->max;
    f->s->env.budget->max = 0;
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_QUIET(f);
    f->s->env.budget->max = max;
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.type == 0x22 && igmp.maddr == " G);
    fx_free(f);
}

/* ---- what arrives ---- */

/* A message of any bytes, its checksum made right, to all hosts. */
static void message_in(struct fx *f, uint8_t *m, size_t n)
{
    char line[400];
    struct txt t = txt_of(line, sizeof(line));
    if (n >= 4) {
        m[2] = m[3] = 0;
        uint16_t csum = csum_finish(csum_small(m, n));
        m[2] = (uint8_t)(csum >> 8);
        m[3] = (uint8_t)csum;
    }
    txt_s(&t, "ip src=10.0.0.254 dst=224.0.0.1 ra proto=2 / hex ");
    txt_hex_bytes(&t, span_of(m, n), 0);
    fx_in(f, line);
}

/* A general query whose message is n bytes long, code in its second byte: how it was taken. */
static const char *query_of(unsigned n, unsigned code)
{
    struct fx *f = start(0);
    uint8_t m[64] = {0x11, (uint8_t)code};
    EXPECT_EQ(fx_join(f, G, 1), 0);
    fx_settle(f);
    message_in(f, m, n);
    fx_run(f, 11 * NS_PER_S);
    const char *as = "nothing";
    if (fx_out(f))
        as = fx_is(f, "igmp.type == 0x12") ? "v1" : fx_is(f, "igmp.type == 0x16") ? "v2" : "v3";
    if (fx_drops(f, DROP_IGMP_SHORT) > 0) {
        EXPECT_DROPPED(&f->s->env, DROP_IGMP_SHORT);
        as = "short";
    } else if (fx_drops(f, DROP_IGMP_TYPE) > 0) {
        EXPECT_DROPPED(&f->s->env, DROP_IGMP_TYPE);
        as = "type";
    }
    fx_free(f);
    return as;
}

TEST("the version of a query is told by its length and code")
{
    COVERS("3376-1");
    for (unsigned n = 1; n < 8; n++)
        EXPECT_STR(query_of(n, 100), "short");
    EXPECT_STR(query_of(8, 0), "v1");
    EXPECT_STR(query_of(8, 1), "v2");
    EXPECT_STR(query_of(8, 100), "v2");
    for (unsigned n = 9; n < 12; n++)
        EXPECT_STR(query_of(n, 100), "type");
    EXPECT_STR(query_of(12, 100), "v3");
    EXPECT_STR(query_of(12, 0), "v3");
    EXPECT_STR(query_of(13, 10), "v3");         /* what follows the format is ignored */
    EXPECT_STR(query_of(60, 10), "v3");
}

TEST("a message whose checksum is wrong is dropped")
{
    COVERS("2236-1");
    struct fx *f = start(0);
    EXPECT_DROP(f, IGMP_CSUM, fx_in(f, FROM "igmp query v2 badcsum"));
    EXPECT_DROP(f, IGMP_CSUM, fx_in(f, FROM "igmp query v3 badcsum"));
    fx_free(f);
}

TEST("types that nobody knows are ignored")
{
    COVERS("3376-3");
    struct fx *f = start(0);
    EXPECT_DROP(f, IGMP_TYPE, fx_in(f, FROM "igmp type=0x13 group=" G));
    EXPECT_DROP(f, IGMP_TYPE, fx_in(f, FROM "igmp type=0xff group=" G));
    fx_free(f);
}

TEST("a message that counts more than it has is dropped whole")
{
    COVERS("3376-2");
    struct fx *f = start(0);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    fx_settle(f);
    uint8_t query[] = {0x11, 10, 0, 0, 239, 1, 2, 3, 2, 0, 0, 2, 10, 9, 0, 1};
    EXPECT_DROP(f, IGMP_COUNT, message_in(f, query, sizeof(query)));        /* 1 of 2 sources */
    uint8_t record[] = {0x22, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 1, 239, 1, 2, 3};
    EXPECT_DROP(f, IGMP_COUNT, message_in(f, record, sizeof(record)));      /* 0 of 1 source */
    uint8_t report[] = {0x22, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 239, 1, 2, 3};
    EXPECT_DROP(f, IGMP_COUNT, message_in(f, report, sizeof(report)));      /* 1 of 2 records */
    fx_run(f, 5 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("what routers hear is nothing for a host; auxiliary data and odd records do no harm")
{
    COVERS("3376-2");
    struct fx *f = start(0);
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, FROM "igmp leave group=" G));
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, FROM "igmp report-v3 rec=to-ex," G));
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, FROM "igmp report-v3 rec=77," G ",10.9.0.1"));
    uint8_t aux[] = {0x22, 0, 0, 0, 0, 0, 0, 1, 4, 1, 0, 0, 239, 1, 2, 3, 10, 11, 12, 13};
    EXPECT_DROP(f, IGMP_UNWANTED, message_in(f, aux, sizeof(aux)));
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, FROM "igmp report-v2 group=239.7.7.7"));
    EXPECT_DROP(f, IGMP_UNWANTED, fx_in(f, FROM "igmp query v3 group=10.0.0.1"));
    fx_free(f);
}

TEST("the TTL of a query is not looked at, nor whether it carries a router alert")
{
    struct fx *f = start(0);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    fx_settle(f);
    fx_in(f, "ip src=10.0.0.254 dst=224.0.0.1 ttl=64 / igmp query v3 max=10");
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 2 && igmp.maddr == " G);
    fx_free(f);
}

TEST("a query to our own address is answered like one to all hosts")
{
    struct fx *f = start(0);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    fx_settle(f);
    fx_in(f, "ip src=10.0.0.254 dst=10.0.0.1 / igmp query v3 max=10 group=" G);
    (void)fx_wait_ms(f, 1000);
    EXPECT_OUT(f, "igmp.record_type == 2 && igmp.maddr == " G);
    fx_free(f);
}

TEST("no message, however damaged, does more than be dropped or answered")
{
    COVERS("3376-2");
    struct fx *f = start(0);
    struct rng g;
    rng_seed(&g, 7, 7);
    EXPECT_EQ(fx_set(f, G, 1, "in 10.9.0.1"), 0);
    for (unsigned i = 0; i < 20000; i++) {
        static const uint8_t types[] = {0x11, 0x11, 0x11, 0x12, 0x16, 0x17, 0x22, 0x22};
        uint8_t m[80];
        size_t n = 24 + (size_t)rng_below(&g, sizeof(m) - 24);
        for (size_t k = 0; k < n; k++)
            m[k] = rng_below(&g, 3) ? 0 : (uint8_t)rng_u64(&g);
        struct wr w = wr_of(m, 24);
        struct oriel_addr src = fx_addr("10.0.0.254");
        struct oriel_addr dst = fx_addr(rng_below(&g, 2) ? G : "224.0.0.1");
        static const uint8_t alert[4] = {IP4_OPT_RA, 4, 0, 0};
        ip4_emit(&w, &(struct ip4_hdr){.total_len = (uint16_t)n, .ttl = 1, .proto = IP_IGMP,
                                       .src = src, .dst = dst, .opts = span_of(alert, 4)});
        if (n >= 28) {
            m[24] = types[rng_below(&g, 8)];
            m[26] = m[27] = 0;
            uint16_t csum = csum_finish(csum_small(m + 24, n - 24));
            m[26] = (uint8_t)(csum >> 8);
            m[27] = (uint8_t)csum;
        }
        uint8_t frame[96] = {0x01, 0x00, 0x5e, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00};
        memcpy(frame + 14, m, n);
        fx_in_bytes(f, f->nif, frame, 14 + n);
        if (i % 100 == 0)
            fx_run(f, rng_below(&g, 2) * NS_PER_S);
        (void)fx_skip(f);
    }
    fx_free(f);
}
