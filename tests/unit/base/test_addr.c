/* Addresses: kinds, prefixes, bytes and text; inet_pton and inet_ntop are the second opinion. */
#define _POSIX_C_SOURCE 200809L

#include "test.h"

#include "base/addr.h"

#include <arpa/inet.h>

/* ---- helpers ---- */

static uint64_t lcg = 0x2545f4914f6cdd1d;

static uint32_t random32(void)
{
    lcg = lcg * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(lcg >> 32);
}

static uint64_t random64(void)
{
    uint64_t hi = random32();
    return hi << 32 | random32();
}

/* Zero groups are frequent, so that every shape of `::` comes up. */
static struct oriel_addr random_v6(void)
{
    uint64_t half[2] = {random64(), random64()};
    for (unsigned i = 0; i < 8; i++) {
        uint64_t group = (uint64_t)0xffff << (48 - 16 * (i & 3));
        uint32_t choice = random32() % 4;
        if (choice < 2)
            half[i / 4] &= ~group;
        else if (choice == 2)
            half[i / 4] &= ~(group & (group << (random32() % 16)));     /* fewer digits */
    }
    return addr_v6(half[0], half[1]);
}

static struct oriel_addr A(const char *text)
{
    struct oriel_addr a = ADDR_NONE;
    if (!addr_parse(span_str(text), &a))
        fail_msg("does not parse: %s", text);
    return a;
}

static struct prefix P(const char *text)
{
    struct prefix p = {.addr = ADDR_NONE, .len = 0};
    if (!prefix_parse(span_str(text), &p))
        fail_msg("does not parse: %s", text);
    return p;
}

static const char *text_of(struct oriel_addr a)
{
    static char buf[ADDR_TEXT_MAX];
    struct txt t = txt_of(buf, sizeof buf);
    txt_addr(&t, &a);
    EXPECT(!t.cut);
    return buf;
}

static const char *prefix_text(struct prefix p)
{
    static char buf[ADDR_TEXT_MAX + 4];
    struct txt t = txt_of(buf, sizeof buf);
    txt_prefix(&t, &p);
    EXPECT(!t.cut);
    return buf;
}

static const char *mac_text(struct mac m)
{
    static char buf[18];
    struct txt t = txt_of(buf, sizeof buf);
    txt_mac(&t, &m);
    EXPECT(!t.cut);
    return buf;
}

static void bytes_of(struct oriel_addr a, uint8_t out[16])
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(a.hi >> (56 - 8 * i));
        out[8 + i] = (uint8_t)(a.lo >> (56 - 8 * i));
    }
}

static bool refused(const char *text)
{
    struct oriel_addr a = {.hi = 1, .lo = 2, .zone = 3};
    bool ok = addr_parse(span_str(text), &a);
    EXPECT(ok || (a.hi == 1 && a.lo == 2 && a.zone == 3));
    if (ok)
        print_error("accepted: %s\n", text);
    return !ok;
}

static bool prefix_refused(const char *text)
{
    struct prefix p = {.addr = {.hi = 1, .lo = 2, .zone = 3}, .len = 4};
    struct oriel_addr a = {.hi = 1, .lo = 2, .zone = 3};
    uint8_t len = 4;
    bool ok = prefix_parse(span_str(text), &p);
    EXPECT(ok == addr_and_len_parse(span_str(text), &a, &len));
    EXPECT(ok || (p.addr.hi == 1 && p.addr.lo == 2 && p.addr.zone == 3 && p.len == 4));
    EXPECT(ok || (a.hi == 1 && a.lo == 2 && a.zone == 3 && len == 4));
    return !ok;
}

static bool eq(const char *a, const char *b)
{
    struct oriel_addr x = A(a);
    struct oriel_addr y = A(b);
    bool ab = addr_eq(&x, &y);
    EXPECT(ab == addr_eq(&y, &x));
    return ab;
}

/* ---- kinds ---- */

TEST("the two families never mix: ::1.2.3.4 is not 1.2.3.4, ::ffff:1.2.3.4 is")
{
    struct oriel_addr v4 = A("1.2.3.4");
    struct oriel_addr compatible = A("::1.2.3.4");
    struct oriel_addr mapped = A("::ffff:1.2.3.4");
    EXPECT(addr_is_v4(&v4));
    EXPECT(!addr_is_v4(&compatible));
    EXPECT(addr_is_v4(&mapped));
    EXPECT(addr_eq(&v4, &mapped));
    EXPECT(!addr_eq(&v4, &compatible));
    EXPECT_EQ(addr_to_v4(&v4), 0x01020304);
}

TEST("each kind of address is told from its neighbours on either side")
{
    static const struct {
        bool (*is)(const struct oriel_addr *a);
        const char *first;
        const char *last;
        const char *before;
        const char *after;
    } kinds[] = {
        {addr_is_multicast, "224.0.0.0", "239.255.255.255", "223.255.255.255", "240.0.0.0"},
        {addr_is_multicast, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"},
        {addr_is_loopback, "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
        {addr_is_loopback, "::1", "::1", "::", "::2"},
        {addr_is_link_local, "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
        {addr_is_link_local, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::"},
        {addr_is_limited_broadcast, "255.255.255.255", "255.255.255.255", "255.255.255.254",
         "::1:0:0:0"},
        {addr_is_class_e, "240.0.0.0", "255.255.255.254", "239.255.255.255", "255.255.255.255"},
        {addr_is_unspecified, "0.0.0.0", "0.0.0.0", "::fffe:ffff:ffff", "0.0.0.1"},
        {addr_is_unspecified, "::", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct oriel_addr first = A(kinds[i].first);
        struct oriel_addr last = A(kinds[i].last);
        struct oriel_addr before = A(kinds[i].before);
        struct oriel_addr after = A(kinds[i].after);
        EXPECT(kinds[i].is(&first));
        EXPECT(kinds[i].is(&last));
        EXPECT(!kinds[i].is(&before));
        EXPECT(!kinds[i].is(&after));
    }
}

TEST("an IPv6 number that merely ends like an IPv4 address is none of its kinds")
{
    static const char *const texts[] = {"::7f00:1", "::a9fe:1", "::e000:1", "::ffff:ffff",
                                        "1::ffff:7f00:1", "::1:ffff:7f00:1"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct oriel_addr a = A(texts[i]);
        EXPECT(!addr_is_v4(&a));
        EXPECT(!addr_is_multicast(&a));
        EXPECT(!addr_is_loopback(&a));
        EXPECT(!addr_is_link_local(&a));
        EXPECT(!addr_is_limited_broadcast(&a));
        EXPECT(!addr_is_class_e(&a));
    }
}

TEST("the scope of an address is that of RFC 6724, and of a group the one it carries")
{
    static const struct {
        const char *text;
        int scope;
    } scopes[] = {
        {"10.1.2.3", SCOPE_GLOBAL},        {"192.0.2.1", SCOPE_GLOBAL},
        {"169.254.3.4", SCOPE_LINK},       {"127.0.0.1", SCOPE_LINK},
        {"::1", SCOPE_LINK},               {"fe80::1", SCOPE_LINK},
        {"febf::1", SCOPE_LINK},           {"fec0::1", SCOPE_SITE},
        {"feff::1", SCOPE_SITE},           {"fd00::1", SCOPE_GLOBAL},
        {"2001:db8::1", SCOPE_GLOBAL},     {"::", SCOPE_GLOBAL},
        {"224.0.0.0", SCOPE_LINK},         {"224.0.0.255", SCOPE_LINK},
        {"224.0.1.0", SCOPE_GLOBAL},       {"238.255.255.255", SCOPE_GLOBAL},
        {"239.191.255.255", SCOPE_GLOBAL}, {"239.192.0.0", SCOPE_ORG},
        {"239.195.255.255", SCOPE_ORG},    {"239.196.0.0", SCOPE_GLOBAL},
        {"239.254.255.255", SCOPE_GLOBAL}, {"239.255.0.0", SCOPE_REALM},
        {"ff00::1", 0},                    {"ff01::1", SCOPE_INTERFACE},
        {"ff02::1", SCOPE_LINK},           {"ff03::1", SCOPE_REALM},
        {"ff04::1", SCOPE_ADMIN},          {"ff05::1", SCOPE_SITE},
        {"ff36::1", 6},                    {"ff08::1", SCOPE_ORG},
        {"ff0e::1", SCOPE_GLOBAL},         {"ff0f::1", SCOPE_GLOBAL},
        {"ffe2::1", SCOPE_LINK},
    };
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        struct oriel_addr a = A(scopes[i].text);
        if ((int)addr_scope(&a) != scopes[i].scope)
            fail_msg("scope of %s is %d", scopes[i].text, (int)addr_scope(&a));
    }
}

/* ---- equality and order ---- */

TEST("zones tell link-local addresses apart only when both are given")
{
    EXPECT(eq("fe80::1%2", "fe80::1%2"));
    EXPECT(!eq("fe80::1%2", "fe80::1%3"));
    EXPECT(eq("fe80::1%2", "fe80::1"));
    EXPECT(!eq("ff02::1%2", "ff02::1%3"));
    EXPECT(!eq("169.254.0.1%2", "169.254.0.1%3"));
    EXPECT(!eq("224.0.0.1%2", "224.0.0.1%3"));
    EXPECT(!eq("fe80::1%2", "fe80::2%2"));
    EXPECT(!eq("fe80::1", "fe81::1"));
}

TEST("a zone has no meaning outside link-local scope, so it does not tell addresses apart")
{
    static const char *const texts[] = {"2001:db8::1", "10.0.0.1", "::1", "127.0.0.1", "fec0::1",
                                        "ff05::2", "::", "0.0.0.0", "255.255.255.255"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct oriel_addr a = A(texts[i]);
        struct oriel_addr b = a;
        a.zone = 1;
        b.zone = 2;
        EXPECT(addr_eq(&a, &b));
        b.lo ^= 1;
        EXPECT(!addr_eq(&a, &b));
        b.lo ^= 1;
        b.hi ^= 1;
        EXPECT(!addr_eq(&a, &b));
    }
}

TEST("the order of addresses is by number, then by zone")
{
    static const char *const rising[] = {"::",      "::1",         "1.2.3.4",     "1.2.3.5",
                                         "1::",     "2001:db8::1", "2001:db8::2", "fe80::1",
                                         "fe80::1%1", "fe80::1%2", "fe80::2",     "ff02::1"};
    for (size_t i = 0; i < ARRAY_LEN(rising); i++) {
        for (size_t j = 0; j < ARRAY_LEN(rising); j++) {
            struct oriel_addr a = A(rising[i]);
            struct oriel_addr b = A(rising[j]);
            EXPECT_EQ(addr_cmp(&a, &b), (i > j) - (i < j));
        }
    }
}

/* ---- groups ---- */

TEST("a solicited-node group keeps the last 24 bits and the zone")
{
    struct oriel_addr a = A("4037::01:800:200e:8c6c");      /* the example of RFC 4291, 2.7.1 */
    EXPECT_STR(text_of(addr_solicited_node(&a)), "ff02::1:ff0e:8c6c");
    a = A("fe80::12:3456%7");
    EXPECT_STR(text_of(addr_solicited_node(&a)), "ff02::1:ff12:3456%7");
    a = A("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
    EXPECT_STR(text_of(addr_solicited_node(&a)), "ff02::1:ffff:ffff");
    a = A("2001:db8::");
    EXPECT_STR(text_of(addr_solicited_node(&a)), "ff02::1:ff00:0");
    EXPECT_ASSERTS(addr_solicited_node(&(struct oriel_addr){.lo = ADDR_V4_MAPPED}));
}

TEST("a group maps onto 23 bits of a link-layer address in IPv4 and 32 in IPv6")
{
    struct oriel_addr g = A("224.0.0.251");
    EXPECT_STR(mac_text(addr_multicast_mac(&g)), "01:00:5e:00:00:fb");
    g = A("239.255.129.3");
    EXPECT_STR(mac_text(addr_multicast_mac(&g)), "01:00:5e:7f:81:03");
    g = A("ff02::1:ff12:3456");
    EXPECT_STR(mac_text(addr_multicast_mac(&g)), "33:33:ff:12:34:56");
    g = A("ff05::89ab:cdef");
    EXPECT_STR(mac_text(addr_multicast_mac(&g)), "33:33:89:ab:cd:ef");
    struct mac m = addr_multicast_mac(&g);
    EXPECT(mac_is_group(&m));
    g = A("10.0.0.1");
    EXPECT_ASSERTS(addr_multicast_mac(&g));
}

TEST("the well-known addresses are what they are called")
{
    EXPECT_STR(text_of(ADDR_NONE), "::");
    EXPECT_STR(text_of(ADDR_V4_ANY), "0.0.0.0");
    EXPECT_STR(text_of(ADDR_V4_BCAST), "255.255.255.255");
    EXPECT_STR(text_of(ADDR_V6_ALL_NODES), "ff02::1");
    EXPECT_STR(text_of(ADDR_V6_ALL_ROUTERS), "ff02::2");
    EXPECT_STR(mac_text(MAC_BROADCAST), "ff:ff:ff:ff:ff:ff");
    EXPECT_STR(mac_text(MAC_NONE), "00:00:00:00:00:00");
}

/* ---- prefixes ---- */

TEST("the common prefix of two addresses ends at the first bit in which they differ")
{
    for (unsigned bit = 0; bit < 128; bit++) {
        struct oriel_addr a = random_v6();
        struct oriel_addr b = a;
        uint64_t noise = random64();
        if (bit < 64) {
            b.hi ^= (uint64_t)1 << (63 - bit);
            b.lo ^= noise;
        } else {
            b.lo ^= (uint64_t)1 << (127 - bit);
            b.lo ^= noise & (((uint64_t)1 << (127 - bit)) - 1);
        }
        EXPECT_EQ(addr_common_bits(&a, &b), bit);
        EXPECT_EQ(addr_common_bits(&b, &a), bit);
        EXPECT_EQ(addr_common_bits(&a, &a), 128);
    }
}

TEST("a prefix of every length clears exactly the bits beyond it")
{
    for (unsigned len = 0; len <= 128; len++) {
        struct oriel_addr a = addr_v6(UINT64_MAX, UINT64_MAX);
        struct prefix p = prefix_of(a, len);
        EXPECT_EQ(p.len, len);
        EXPECT_EQ(addr_common_bits(&a, &p.addr), len);
        if (len < 128) {
            struct oriel_addr zero = ADDR_NONE;
            EXPECT_EQ(len == 0 ? 128 : addr_common_bits(&p.addr, &zero), len == 0 ? 128 : 0);
            EXPECT((p.addr.lo & 1) == 0);
        }
    }
    EXPECT_ASSERTS(prefix_of(ADDR_NONE, 129));
}

TEST("an address is in a prefix exactly when they have its length of bits in common")
{
    for (unsigned i = 0; i < 20000; i++) {
        struct oriel_addr a = random_v6();
        struct oriel_addr b = a;
        unsigned flip = random32() % 130;
        if (flip < 64)
            b.hi ^= (uint64_t)1 << (63 - flip);
        else if (flip < 128)
            b.lo ^= (uint64_t)1 << (127 - flip);
        struct prefix p = prefix_of(a, random32() % 129);
        EXPECT(prefix_has(&p, &b) == (addr_common_bits(&a, &b) >= p.len));
    }
}

TEST("an IPv4 prefix holds its own and nothing else")
{
    struct prefix p = prefix_v4(0x0a0b0cff, 23);
    EXPECT_EQ(p.len, 119);
    EXPECT_STR(prefix_text(p), "10.11.12.0/23");
    static const struct {
        const char *text;
        bool in;
    } cases[] = {{"10.11.12.0", true},   {"10.11.13.255", true},      {"10.11.11.255", false},
                 {"10.11.14.0", false},  {"::ffff:10.11.12.1", true}, {"::10.11.12.1", false},
                 {"0.0.0.0", false},     {"::", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct oriel_addr a = A(cases[i].text);
        EXPECT(prefix_has(&p, &a) == cases[i].in);
    }
    struct prefix all = prefix_v4(0x01020304, 0);
    struct oriel_addr v4 = A("203.0.113.9");
    struct oriel_addr v6 = A("2001:db8::9");
    EXPECT(prefix_has(&all, &v4));
    EXPECT(!prefix_has(&all, &v6));
    EXPECT_ASSERTS(prefix_v4(0, 33));
}

TEST("a prefix keeps its zone where it is link-local and drops it elsewhere")
{
    struct prefix p = P("fe80::1%2/64");
    EXPECT_STR(prefix_text(p), "fe80::%2/64");
    struct oriel_addr here = A("fe80::9%2");
    struct oriel_addr there = A("fe80::9%3");
    struct oriel_addr anywhere = A("fe80::9");
    EXPECT(prefix_has(&p, &here));
    EXPECT(!prefix_has(&p, &there));
    EXPECT(prefix_has(&p, &anywhere));
    EXPECT_EQ(prefix_of(here, 0).addr.zone, 0);
    struct prefix everything = prefix_of(here, 0);
    EXPECT(prefix_has(&everything, &there));
}

TEST("prefixes are equal when the length and the address are")
{
    struct prefix a = P("10.0.0.0/8");
    struct prefix b = P("10.9.9.9/8");
    struct prefix c = P("10.0.0.0/9");
    struct prefix d = P("11.0.0.0/8");
    EXPECT(prefix_eq(&a, &b));
    EXPECT(!prefix_eq(&a, &c));
    EXPECT(!prefix_eq(&a, &d));
}

TEST("the directed broadcast is all ones, and a /31 and a /32 have none")
{
    static const struct {
        const char *prefix;
        const char *broadcast;
    } cases[] = {{"192.0.2.0/24", "192.0.2.255"}, {"10.0.0.0/8", "10.255.255.255"},
                 {"192.0.2.4/30", "192.0.2.7"},   {"0.0.0.0/0", "255.255.255.255"},
                 {"192.0.2.4/31", "::"},          {"192.0.2.4/32", "::"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct prefix p = P(cases[i].prefix);
        EXPECT_STR(text_of(prefix_v4_broadcast(&p)), cases[i].broadcast);
    }
    struct prefix v6 = P("2001:db8::/96");
    EXPECT_ASSERTS(prefix_v4_broadcast(&v6));
    struct prefix wide = P("::/0");
    EXPECT_ASSERTS(prefix_v4_broadcast(&wide));
}

/* ---- link-layer addresses ---- */

TEST("the lowest bit of the first byte makes a link-layer address a group's")
{
    struct mac unicast = {{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}};
    struct mac group = {{0x01, 0, 0, 0, 0, 0}};
    struct mac broadcast = MAC_BROADCAST;
    struct mac none = MAC_NONE;
    EXPECT(!mac_is_group(&unicast));
    EXPECT(mac_is_group(&group));
    EXPECT(mac_is_group(&broadcast));
    EXPECT(mac_is_broadcast(&broadcast));
    EXPECT(!mac_is_broadcast(&unicast));
    EXPECT(mac_is_zero(&none));
    EXPECT(!mac_is_zero(&group));
    EXPECT(mac_eq(&group, &group));
    EXPECT(!mac_eq(&group, &none));
}

TEST("a link-layer address reads back from its text")
{
    struct mac m = MAC_NONE;
    EXPECT(mac_parse(span_str("02:00:5E:10:af:09"), &m));
    EXPECT_MEM(m.b, ((uint8_t[]){0x02, 0x00, 0x5e, 0x10, 0xaf, 0x09}), 6);
    EXPECT_STR(mac_text(m), "02:00:5e:10:af:09");
}

TEST("a link-layer address that is not six pairs of digits is refused")
{
    static const char *const bad[] = {
        "",                   "0",                  "02:00:5e:10:af",      "02:00:5e:10:af:",
        "02:00:5e:10:af:0",   "2:00:5e:10:af:09",   "02:00:5e:10:af:09:",  "02:00:5e:10:af:09:01",
        "02:00:5e:10:af:009", "02:00:5e:10:af:0g",  "02-00-5e-10-af-09",   "02:00:5e:10:af:09 ",
        " 02:00:5e:10:af:09", "02:00:5e:10::09",    ":02:00:5e:10:af:09",  "02005e10af09",
        "02:00:5e:10:af:@9",  "02:00:5e:10:af:`9",  "+2:00:5e:10:af:09",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct mac m = {{1, 2, 3, 4, 5, 6}};
        EXPECT(!mac_parse(span_str(bad[i]), &m));
        EXPECT_MEM(m.b, ((uint8_t[]){1, 2, 3, 4, 5, 6}), 6);
    }
}

/* ---- bytes ---- */

TEST("addresses go to the wire most significant byte first and come back")
{
    uint8_t buf[4 + 16 + 6];
    struct oriel_addr v4 = A("192.0.2.33");
    struct oriel_addr v6 = A("2001:db8:102:304:506:708:90a:b0c");
    struct mac m = {{1, 2, 3, 4, 5, 6}};
    struct wr w = wr_of(buf, sizeof buf);
    wr_addr4(&w, &v4);
    wr_addr6(&w, &v6);
    wr_mac(&w, &m);
    EXPECT(!w.bad);
    EXPECT_EQ(wr_left(&w), 0);
    EXPECT_MEM(buf,
               "\xc0\x00\x02\x21"
               "\x20\x01\x0d\xb8\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"
               "\x01\x02\x03\x04\x05\x06", sizeof buf);

    struct rd r = rd_of(wr_span(&w));
    struct oriel_addr got4 = rd_addr4(&r);
    struct oriel_addr got6 = rd_addr6(&r);
    struct mac got_mac = rd_mac(&r);
    EXPECT_EQ(r.bad, 0);
    EXPECT(rd_done(&r));
    EXPECT_EQ(addr_cmp(&got4, &v4), 0);
    EXPECT_EQ(addr_cmp(&got6, &v6), 0);
    EXPECT(mac_eq(&got_mac, &m));
}

TEST("an address cut short on the wire reads as zero and marks the reader")
{
    uint8_t ones[16];
    memset(ones, 0xff, sizeof ones);
    for (size_t n = 0; n < 16; n++) {
        struct rd r = rd_of(span_of(ones, n));
        struct oriel_addr a = rd_addr6(&r);
        EXPECT_EQ(r.bad, RD_SHORT);
        EXPECT(a.hi == 0 && a.lo == 0 && a.zone == 0);
    }
    for (size_t n = 0; n < 4; n++) {
        struct rd r = rd_of(span_of(ones, n));
        struct oriel_addr a = rd_addr4(&r);
        EXPECT_EQ(r.bad, RD_SHORT);
        EXPECT(addr_is_v4(&a) && addr_to_v4(&a) == 0);
    }
    for (size_t n = 0; n < 6; n++) {
        struct rd r = rd_of(span_of(ones, n));
        struct mac m = rd_mac(&r);
        EXPECT_EQ(r.bad, RD_SHORT);
        EXPECT(mac_is_zero(&m));
    }
}

TEST("an address that does not fit is not written at all")
{
    struct oriel_addr v6 = addr_v6(UINT64_MAX, UINT64_MAX);
    struct oriel_addr v4 = ADDR_V4_BCAST;
    for (size_t n = 0; n < 16; n++) {
        uint8_t buf[16] = {0};
        static const uint8_t zeros[16];
        struct wr w = wr_of(buf, n);
        wr_addr6(&w, &v6);
        EXPECT(w.bad);
        EXPECT_EQ(wr_len(&w), 0);
        if (n < 4) {
            w = wr_of(buf, n);
            wr_addr4(&w, &v4);
            EXPECT(w.bad);
        }
        if (n < 6) {
            w = wr_of(buf, n);
            wr_mac(&w, &MAC_BROADCAST);
            EXPECT(w.bad);
        }
        EXPECT_MEM(buf, zeros, sizeof buf);
    }
    uint8_t four[4];
    struct wr w = wr_of(four, sizeof four);
    EXPECT_ASSERTS(wr_addr4(&w, &v6));
}

/* ---- to text ---- */

TEST("IPv6 text is that of RFC 5952")
{
    static const struct {
        const char *in;
        const char *out;
    } cases[] = {
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:0", "::"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},      /* 4.2.3: the first of equals */
        {"2001:0db8::0001", "2001:db8::1"},                 /* 4.1: no leading zeros */
        {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},          /* 4.2.1: as short as can be */
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},    /* 4.2.2: never one group */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},            /* 4.2.3: the longest */
        {"2001:DB8::ABCD", "2001:db8::abcd"},               /* 4.3: lower case */
        {"0:1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
        {"1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"},
        {"0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"},
        {"1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"},
        {"0:0:1:0:0:1:0:0", "::1:0:0:1:0:0"},
        {"1:0:0:1:0:0:0:0", "1:0:0:1::"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:0:0:0", "::ffff:0:0:0"},
        {"::1.2.3.4", "::102:304"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"::ffff:0:0", "0.0.0.0"},
        {"::fffe:1.2.3.4", "::fffe:102:304"},
        {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
        {"10:100:1000::", "10:100:1000::"},
        {"fe80::1%4294967295", "fe80::1%4294967295"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        EXPECT_STR(text_of(A(cases[i].in)), cases[i].out);
}

TEST("IPv4 text is a dotted quad, with a zone where there is one")
{
    EXPECT_STR(text_of(ADDR_V4_ANY), "0.0.0.0");
    EXPECT_STR(text_of(ADDR_V4_BCAST), "255.255.255.255");
    EXPECT_STR(text_of(addr_v4(0xc0000201)), "192.0.2.1");
    EXPECT_STR(text_of(addr_v4(0x01000a64)), "1.0.10.100");
    EXPECT_STR(text_of(A("169.254.1.2%3")), "169.254.1.2%3");
}

TEST("the longest address fits ADDR_TEXT_MAX")
{
    struct oriel_addr a = addr_v6(0xfe80ffffffffffff, UINT64_MAX);
    a.zone = UINT32_MAX;
    EXPECT_STR(text_of(a), "fe80:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295");
}

TEST("what we print, inet_ntop prints, and both read back as the same number")
{
    for (unsigned i = 0; i < 100000; i++) {
        struct oriel_addr a = random_v6();
        struct oriel_addr back = ADDR_NONE;
        uint8_t bytes[16];
        char theirs[INET6_ADDRSTRLEN];
        const char *ours = text_of(a);
        EXPECT(addr_parse(span_str(ours), &back));
        EXPECT_EQ(addr_cmp(&a, &back), 0);
        if (addr_is_v4(&a) || (a.hi == 0 && a.lo >> 32 == 0))
            continue;       /* inet_ntop writes a quad into these */
        bytes_of(a, bytes);
        EXPECT(inet_ntop(AF_INET6, bytes, theirs, sizeof theirs));
        EXPECT_STR(ours, theirs);
    }
    for (unsigned i = 0; i < 20000; i++) {
        struct oriel_addr a = addr_v4(random32() & random32());
        uint32_t wire = htonl(addr_to_v4(&a));
        char theirs[INET_ADDRSTRLEN];
        EXPECT(inet_ntop(AF_INET, &wire, theirs, sizeof theirs));
        EXPECT_STR(text_of(a), theirs);
        struct oriel_addr back = A(theirs);
        EXPECT_EQ(addr_cmp(&a, &back), 0);
    }
}

/* ---- from text ---- */

static void damage(char *s, size_t cap)
{
    static const char alphabet[] = "0123456789abcdefABCDEFg::::....";
    size_t n = strlen(s);
    size_t at = random32() % (n + 1);
    char c = alphabet[random32() % (sizeof alphabet - 1)];
    switch (random32() % 3) {
    case 0:
        if (at < n)
            s[at] = c;
        break;
    case 1:
        if (at < n)
            memmove(s + at, s + at + 1, n - at);
        break;
    case 2:
        if (n + 2 <= cap) {
            memmove(s + at + 1, s + at, n - at + 1);
            s[at] = c;
        }
        break;
    }
}

TEST("what we accept, inet_pton accepts, with the same value, however damaged the text")
{
    static const char *const seeds[] = {
        "1.2.3.4",     "255.0.10.249", "::",  "::1", "1::", "fe80::1:2",
        "2001:db8::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
        "1::1.2.3.4",  "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "abcd:EF01::9:0:0:a",
    };
    unsigned accepted = 0;
    unsigned refusals = 0;
    for (unsigned i = 0; i < 300000; i++) {
        char text[64];
        snprintf(text, sizeof(text), "%s", seeds[random32() % ARRAY_LEN(seeds)]);
        for (uint32_t left = random32() % 4; left > 0; left--)
            damage(text, sizeof text);

        uint8_t theirs[16] = {0};
        uint8_t quad[4];
        uint8_t ours[16];
        int theirs_ok = inet_pton(AF_INET6, text, theirs);
        if (!theirs_ok && inet_pton(AF_INET, text, quad)) {
            theirs_ok = 1;
            memcpy(theirs, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
            memcpy(theirs + 12, quad, 4);
        }
        struct oriel_addr a;
        bool ours_ok = addr_parse(span_str(text), &a);
        if (ours_ok != (theirs_ok == 1))
            fail_msg("%s: we say %d, inet_pton %d", text, ours_ok, theirs_ok);
        if (!ours_ok) {
            refusals++;
            continue;
        }
        accepted++;
        bytes_of(a, ours);
        EXPECT_MEM(ours, theirs, 16);
    }
    EXPECT(accepted > 50000);
    EXPECT(refusals > 50000);
}

TEST("text that is not an address is refused and the result left alone")
{
    static const char *const bad[] = {
        "", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4", "1..2.3", "256.1.1.1",
        "1.2.3.999", "01.2.3.4", "1.2.3.00", "1.2.3.010", "0x1.2.3.4", "1.2.3.4 ", " 1.2.3.4",
        "1.2.3.-4", "1.2.3.+4", "1.2.3.4294967297", "a.b.c.d", ":", ":::", "::::", "1:", ":1",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8:9",
        ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2:3:4:5:6:7:8",
        "1::2::3", "::1::", "1:::2", "12345::", "00001::", "g::", "::g", "::1 ", "1::2:", "::1.2.3",
        "::1.2.3.4.5", "::1.2.3.4:5", "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4",
        "::01.2.3.4", "::256.2.3.4", "[::1]", "::1/128", "-1::", "localhost", "0x1::", "%1", "%",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT(refused(bad[i]));
    struct oriel_addr a;
    EXPECT(!addr_parse(span_of(NULL, 0), &a));
    EXPECT(!addr_parse(span_of("1.2.3.4\0", 8), &a));
    EXPECT(!addr_parse(span_of("::1\0", 4), &a));
}

TEST("only as much text as the span holds is read")
{
    struct oriel_addr a = ADDR_NONE;
    EXPECT(addr_parse(span_of("1.2.3.456", 7), &a));
    EXPECT_STR(text_of(a), "1.2.3.4");
    EXPECT(addr_parse(span_of("fe80::12345", 7), &a));
    EXPECT_STR(text_of(a), "fe80::1");
    EXPECT(addr_parse(span_of("fe80::1%22", 9), &a));
    EXPECT_STR(text_of(a), "fe80::1%2");
}

TEST("a zone is a decimal number from 1, where the scope is link-local")
{
    EXPECT_EQ(A("fe80::1%1").zone, 1);
    EXPECT_EQ(A("fe80::1%4294967295").zone, UINT32_MAX);
    EXPECT_EQ(A("ff02::1%10").zone, 10);
    EXPECT_EQ(A("169.254.0.1%2").zone, 2);
    EXPECT_EQ(A("fe80::1").zone, 0);
    static const char *const bad[] = {
        "fe80::1%",           "fe80::1%0",     "fe80::1%01",   "fe80::1%eth0", "fe80::1%1 ",
        "fe80::1%4294967296", "fe80::1%-1",    "fe80::1%1%1",  "fe80::1%%1",   "fe80::1%0x1",
        "2001:db8::1%1",      "10.0.0.1%1",    "::1%1",        "127.0.0.1%1",  "::%1",
        "ff05::1%1",          "fe80::1%18446744073709551617",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT(refused(bad[i]));
}

TEST("a prefix is read without its host bits, an address with a length keeps them")
{
    static const struct {
        const char *in;
        const char *prefix;
        const char *addr;
        unsigned len;
    } cases[] = {
        {"192.0.2.77/24", "192.0.2.0/24", "192.0.2.77", 120},
        {"10.0.0.1/32", "10.0.0.1/32", "10.0.0.1", 128},
        {"10.0.0.1/0", "0.0.0.0/0", "10.0.0.1", 96},
        {"2001:db8::77/64", "2001:db8::/64", "2001:db8::77", 64},
        {"2001:db8:8000::1/33", "2001:db8:8000::/33", "2001:db8:8000::1", 33},
        {"2001:db8:8000::1/32", "2001:db8::/32", "2001:db8:8000::1", 32},
        {"::1/128", "::1/128", "::1", 128},
        {"ffff::/0", "::/0", "ffff::", 0},
        {"fe80::1%5/10", "fe80::%5/10", "fe80::1%5", 10},
        {"::ffff:10.1.2.3/104", "10.0.0.0/8", "10.1.2.3", 104},
        {"::ffff:10.1.2.3/90", "::ffc0:0:0/90", "10.1.2.3", 90},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct oriel_addr a = ADDR_NONE;
        uint8_t len = 255;
        EXPECT_STR(prefix_text(P(cases[i].in)), cases[i].prefix);
        EXPECT(addr_and_len_parse(span_str(cases[i].in), &a, &len));
        EXPECT_STR(text_of(a), cases[i].addr);
        EXPECT_EQ(len, cases[i].len);
    }
}

TEST("a prefix without a proper length is refused and the results left alone")
{
    static const char *const bad[] = {
        "",         "/",         "/24",       "10.0.0.0",    "10.0.0.0/",   "10.0.0.0/33",
        "::/129",   "::/",       "::/-1",     "10.0.0.0/08", "10.0.0.0/8 ", "10.0.0.0/8/8",
        "10.0.0/8", "::/64%1",   "::/0x40",   "::/00",       "::/256",      "::/4294967360",
        "10.0.0.0/255.0.0.0",    "fe80::/64%2", "::1",       "10.0.0.0 /8",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (!prefix_refused(bad[i]))
            fail_msg("accepted: %s", bad[i]);
    }
}

TEST("every prefix reads back from its text")
{
    for (unsigned i = 0; i < 20000; i++) {
        struct prefix p = random32() % 2 ? prefix_v4(random32(), random32() % 33)
                                         : prefix_of(random_v6(), random32() % 129);
        struct prefix back = P(prefix_text(p));
        EXPECT(prefix_eq(&p, &back));
    }
}
