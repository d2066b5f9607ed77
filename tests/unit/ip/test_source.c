#include "ip/fx_host.h"

/* One question to source selection: our addresses, a destination, and who speaks. */
struct row {
    const char *dst;
    const char *ours[4];        /* with prefix lengths; a leading '-' makes one deprecated */
    const char *chosen;         /* NULL: nobody */
};

static void add(struct fx *f, int nif, const char *text)
{
    bool old = text[0] == '-';
    char addr[ADDR_TEXT_MAX];
    fx_add_addr(f, nif, text + old);
    if (!old)
        return;
    snprintf(addr, sizeof(addr), "%.*s", (int)strcspn(text + 1, "/"), text + 1);
    ifaddr_set_lifetimes(&f->s->ip, fx_find_addr(f, addr), f->s->env.now, ORIEL_NEVER);
    assert_string_equal(fx_addr_state(f, addr), "deprecated");
}

static void expect_source(const struct fx *f, const char *dst, int nif, const char *chosen)
{
    struct oriel_addr d = fx_addr(dst), got = ADDR_NONE;
    char text[ADDR_TEXT_MAX] = "";
    bool any = ip_source_for(&f->s->ip, &d, (uint16_t)nif, &got);
    (void)oriel_addr_print(&got, text, sizeof(text));
    text[strcspn(text, "%")] = 0;
    if (any != (chosen != NULL) || (any && strcmp(text, chosen) != 0))
        fail_msg("to %s: %s, not %s", dst, any ? text : "nobody", chosen ? chosen : "nobody");
}

static void expect_rows(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (unsigned turn = 0; turn < 2; turn++) { /* the order of configuration is no reason */
            struct fx *f = fx_new(.stack = {.memory_bytes = (size_t)4 << 20},
                                  .netif = {.no_dad = true});
            unsigned m = 0;
            while (m < 4 && rows[i].ours[m])
                m++;
            for (unsigned k = 0; k < m; k++)
                add(f, f->nif, rows[i].ours[turn ? m - 1 - k : k]);
            expect_source(f, rows[i].dst, f->nif, rows[i].chosen);
            fx_free(f);
        }
    }
}

TEST("the examples of RFC 6724, 10.1 come out as they stand there")
{
    static const struct row rows[] = {
        {"2001:db8:1::1", {"2001:db8:3::1/64", "fe80::1/64"}, "2001:db8:3::1"},
        {"ff05::1", {"2001:db8:3::1/64", "fe80::1/64"}, "2001:db8:3::1"},
        {"2001:db8:1::1", {"-2001:db8:1::1/64", "2001:db8:2::1/64"}, "2001:db8:1::1"},
        {"fe80::1", {"-fe80::2/64", "2001:db8:1::1/64"}, "fe80::2"},
        {"2001:db8:1::1", {"2001:db8:1::2/64", "2001:db8:3::2/64"}, "2001:db8:1::2"},
        {"2002:c633:6401::1", {"2002:c633:6401::d5e3:7953:13eb:22e8/64", "2001:db8:1::2/64"},
         "2002:c633:6401:0:d5e3:7953:13eb:22e8"},
    };
    expect_rows(rows, ARRAY_LEN(rows));
}

TEST("each rule of RFC 6724, 5 decides where the ones before it do not")
{
    static const struct row rows[] = {
        /* 1: the destination itself, whatever else speaks against it */
        {"2001:db8:9::9", {"-2001:db8:9::9/128", "2001:db8:9::8/64"}, "2001:db8:9::9"},
        {"10.0.0.9", {"10.0.0.8/24", "10.0.0.9/24"}, "10.0.0.9"},
        /* 2: the scope that is wide enough, and no wider */
        {"fe80::9", {"2001:db8::1/64", "fe80::1/64"}, "fe80::1"},
        {"ff02::1", {"2001:db8::1/64", "fe80::1/64"}, "fe80::1"},
        {"2001:db8::9", {"fe80::1/64", "fd00::1/64"}, "fd00::1"},
        {"2001:db8::9", {"fe80::1/64"}, "fe80::1"},
        {"192.0.2.1", {"169.254.0.1/16", "10.0.0.1/8"}, "10.0.0.1"},
        {"169.254.0.9", {"169.254.0.1/16", "10.0.0.1/8"}, "169.254.0.1"},
        /* 3: not a deprecated one */
        {"2001:db8::9", {"-2001:db8::1/64", "2001:db8:ffff::1/64"}, "2001:db8:ffff::1"},
        {"2001:db8::9", {"-2001:db8::1/64"}, "2001:db8::1"},
        /* 6: the same label */
        {"fd00:1::9", {"2001:db8::1/64", "fd00:2::1/64"}, "fd00:2::1"},
        {"2001:db8::9", {"fd00:2::1/64", "2600::1/64"}, "2600::1"},
        {"2002::9", {"2001:db8::1/64", "2002:1::1/64"}, "2002:1::1"},
        {"2001::9", {"2001:db8::1/64", "2001:0:1::1/64"}, "2001:0:1::1"},
        {"3ffe::9", {"3ffe:1::1/64", "3000::1/64"}, "3ffe:1::1"},
        /* 8: the longest common prefix, but not beyond the address's own */
        {"2001:db8:1:2::9", {"2001:db8:1:3::1/64", "2001:db8:8::1/64"}, "2001:db8:1:3::1"},
        {"10.1.2.3", {"10.1.9.1/24", "10.200.0.1/24"}, "10.1.9.1"},
        /* families do not mix */
        {"10.0.0.9", {"2001:db8::1/64"}, NULL},
        {"2001:db8::9", {"10.0.0.1/24"}, NULL},
        {"224.0.0.1", {"10.0.0.1/24"}, "10.0.0.1"},
    };
    expect_rows(rows, ARRAY_LEN(rows));
}

TEST("beyond the length of their prefixes addresses are equally close, and the first one speaks")
{
    struct fx *f = fx_new(.netif = {.no_dad = true});
    add(f, f->nif, "2001:db8:1::2/64");
    add(f, f->nif, "2001:db8:1::d5e3:7953:13eb:22e8/64");
    expect_source(f, "2001:db8:1::d5e3:0:0:1", f->nif, "2001:db8:1::2");
    fx_free(f);
}

TEST("the address of the interface that a packet leaves by comes before those of others")
{
    struct fx *f = fx_router();
    expect_source(f, "192.0.2.1", f->nif, "10.0.0.1");
    expect_source(f, "192.0.2.1", f->nif + 1, "10.0.1.1");
    expect_source(f, "2600::1", f->nif, "2001:db8::1");
    expect_source(f, "2600::1", f->nif + 1, "2001:db8:1::1");
    EXPECT_EQ(
        oriel_addr_remove(f->s, f->nif, &(struct oriel_addr){.hi = 0x20010db800000000, .lo = 1}),
        0);
    expect_source(f, "2600::1", f->nif, "2001:db8:1::1");       /* better than none */
    fx_free(f);
}

TEST("addresses of one link never speak on another, nor loopback addresses on any")
{
    COVERS("4291-1 1122-3.2.1.3a");
    struct fx *f = fx_new(.netif = {.no_dad = true});
    int other = fx_netif(f, &(struct oriel_netif_config){.no_dad = true});
    int lo = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_LOOPBACK});
    add(f, f->nif, "fe80::1/64");
    add(f, f->nif, "169.254.0.1/16");
    expect_source(f, "fe80::9", f->nif, "fe80::1");
    expect_source(f, "fe80::9", other, NULL);
    expect_source(f, "2001:db8::9", other, NULL);
    expect_source(f, "ff02::1", other, NULL);
    expect_source(f, "192.0.2.1", other, NULL);
    expect_source(f, "127.0.0.1", lo, "127.0.0.1");
    expect_source(f, "::1", lo, "::1");
    fx_free(f);
}

TEST("an address that is being probed, or is somebody else's, does not speak")
{
    struct fx *f = fx_new(.netif = {.probe4 = true});
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    expect_source(f, "10.0.0.9", f->nif, NULL);
    expect_source(f, "2001:db8::9", f->nif, NULL);
    fx_in(f, "arp op=request sha=02:00:00:00:00:66 spa=10.0.0.1 tpa=10.0.0.1");
    EXPECT_STR(fx_addr_state(f, "10.0.0.1"), "duplicate");
    expect_source(f, "10.0.0.9", f->nif, NULL);
    fx_at(f, 5 * NS_PER_S);
    expect_source(f, "2001:db8::9", f->nif, "2001:db8::1");
    fx_free(f);
}
