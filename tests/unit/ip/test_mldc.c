#include "ip/fx_group.h"
#include "wire/icmp6.h"

#define G "ff05::1:3"
#define FROM "ip6 src=fe80::ff dst=ff02::1 hlim=1 / hopopts ra / icmp6 "
#define COMMON "ipv6.hlim == 1 && ipv6.nxt == 0 && ipv6.opt.router_alert == 0 && " \
               "icmpv6.checksum.status == 1"

static struct fx *start(uint8_t version)
{
    struct fx *f = fx_new(.reports = true,
                          .netif = {.ip6 = true, .no_dad = true, .mld_version = version});
    fx_settle(f);
    return f;
}

/* ---- what leaves ---- */

TEST("a version 2 report goes to ff02::16 with hop limit 1 and a router alert")
{
    struct fx *f = start(0);
    EXPECT_EQ(fx_set(f, G, 1, "ex 2001:db8::1"), 0);
    EXPECT_OUT(f, COMMON " && eth.dst == 33:33:00:00:00:16 && ipv6.src == fe80::/10 && "
                  "ipv6.dst == ff02::16 && icmpv6.type == 143 && icmpv6.mldr.mar.record_type == 4 "
                  "&& icmpv6.mldr.mar.aux_data_len == 0 && "
                  "icmpv6.mldr.mar.multicast_address == " G
                  " && icmpv6.mldr.mar.source_address == 2001:db8::1");
    fx_free(f);
}

TEST("a version 1 report goes to its group, a done to ff02::2")
{
    struct fx *f = start(1);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, COMMON " && eth.dst == 33:33:00:01:00:03 && ipv6.src == fe80::/10 && "
                  "ipv6.dst == " G " && icmpv6.type == 131 && "
                  "icmpv6.mld.multicast_address == " G);
    fx_settle(f);
    fx_leave(f, G, 1);
    EXPECT_OUT(f, COMMON " && eth.dst == 33:33:00:00:00:02 && ipv6.dst == ff02::2 && "
                  "icmpv6.type == 132 && icmpv6.mld.multicast_address == " G);
    fx_free(f);
}

TEST("while there is no link-local address reports come from the unspecified one")
{
    struct fx *f = fx_new(.reports = true, .netif = {.ip6 = true});
    EXPECT(fx_out_until(f, "icmpv6.type == 143"));      /* for the address that is being probed */
    EXPECT_FRAME(f, COMMON " && ipv6.src == :: && ipv6.dst == ff02::16");
    fx_settle(f);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, COMMON " && ipv6.src == fe80::/10");
    fx_free(f);
}

TEST("a global address is no source of reports")
{
    struct fx *f = fx_new(.reports = true, .netif = {.no_dad = true});
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    fx_settle(f);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    EXPECT_OUT(f, COMMON " && ipv6.src == :: && icmpv6.type == 143");
    fx_free(f);
}

/* ---- what arrives ---- */

/* A message of any bytes, its checksum made right, to all nodes. */
static void message_in(struct fx *f, uint8_t *m, size_t n)
{
    char line[300];
    struct txt t = txt_of(line, sizeof(line));
    struct oriel_addr src = fx_addr("fe80::ff"), dst = fx_addr("ff02::1");
    struct wr w = wr_of(m, n);
    w.p = w.end;
    m[2] = m[3] = 0;
    icmp6_seal(&w, &src, &dst);
    txt_s(&t, "ip6 src=fe80::ff dst=ff02::1 hlim=1 next=58 / hex ");
    txt_hex_bytes(&t, span_of(m, n), 0);
    fx_in(f, line);
}

TEST("what does not come from a neighbour's link-local address with hop limit 1 is dropped")
{
    struct fx *f = start(0);
    EXPECT_DROP(f, MLD_SOURCE, fx_in(f, "ip6 src=2001:db8::9 dst=ff02::1 hlim=1 / hopopts ra / "
                                        "icmp6 mld2-query max=1000"));
    EXPECT_DROP(f, MLD_SOURCE, fx_in(f, "ip6 src=fe80::ff dst=ff02::1 hlim=2 / hopopts ra / "
                                        "icmp6 mld2-query max=1000"));
    EXPECT_DROP(f, MLD_SOURCE, fx_in(f, "ip6 src=fe80::ff dst=ff02::1 hlim=64 / hopopts ra / "
                                        "icmp6 mld-query max=1000"));
    EXPECT_DROP(f, MLD_SOURCE, fx_in(f, "ip6 src=:: dst=ff02::1 hlim=1 / hopopts ra / "
                                        "icmp6 mld-report group=ff02::1"));
    fx_run(f, 5 * NS_PER_S);
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a message that no version has, or that counts more than it has, is dropped")
{
    struct fx *f = start(0);
    uint8_t query[28] = {130};
    uint8_t report[8] = {143};
    for (unsigned n = 4; n < 28; n++)
        if (n != 24)
            EXPECT_DROP(f, MLD_SHORT, message_in(f, query, n));
    for (unsigned n = 4; n < 8; n++)
        EXPECT_DROP(f, MLD_SHORT, message_in(f, report, n));
    query[27] = 1;
    EXPECT_DROP(f, MLD_COUNT, message_in(f, query, sizeof(query)));     /* 0 of 1 source */
    report[7] = 1;
    EXPECT_DROP(f, MLD_COUNT, message_in(f, report, sizeof(report)));   /* 0 of 1 record */
    fx_free(f);
}

TEST("what routers hear is nothing for a host")
{
    struct fx *f = start(0);
    EXPECT_DROP(f, MLD_UNWANTED, fx_in(f, FROM "mld-done group=" G));
    EXPECT_DROP(f, MLD_UNWANTED, fx_in(f, FROM "mld2-report rec=to-ex," G));
    EXPECT_DROP(f, MLD_UNWANTED, fx_in(f, FROM "mld-report group=ff05::77"));
    EXPECT_DROP(f, MLD_UNWANTED, fx_in(f, FROM "mld2-query group=ff05::77"));
    fx_free(f);
}

TEST("a delay that needs the long form of the code is taken as it is meant")
{
    struct fx *f = start(0);
    EXPECT_EQ(fx_join(f, G, 1), 0);
    fx_settle(f);
    unsigned late = 0;
    for (unsigned i = 0; i < 20; i++) {
        fx_in(f, FROM "mld2-query max=0x8000");     /* 32768 ms */
        late += fx_wait_ms(f, 32768) > 10000;
        EXPECT_OUT(f, "icmpv6.mldr.mar.record_type == 2");
        EXPECT_QUIET(f);
    }
    EXPECT(late > 5);
    fx_free(f);
}
