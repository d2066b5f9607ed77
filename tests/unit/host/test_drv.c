#include "test.h"

#include "host/drv.h"

static char error[DRV_ERROR_MAX];

static void expect_addr(const struct oriel_addr *a, const char *text)
{
    char buf[64];
    (void)oriel_addr_print(a, buf, sizeof(buf));
    EXPECT_STR(buf, text);
}

static const char *spec(const char *rest)
{
    static char text[600];
    (void)snprintf(text, sizeof(text), "tap%s", rest);
    return text;
}

TEST("a link's description gives addresses, gateways, servers, and keeps the kind's own words")
{
    struct drv_spec s;
    char buf[32];
    EXPECT(drv_spec_parse(&s, spec(":oriel0,addr=192.0.2.2/24,addr=2001:db8::2/64,gw=192.0.2.1,"
                                   "gw=2001:db8::1,dns=192.0.2.53,mtu=9000,mac=02:00:00:00:00:07,"
                                   "queues=2,dhcp,plain"), error));
    EXPECT(s.kind == drv_kinds[0]);
    EXPECT_STR(s.where, "oriel0");
    EXPECT_EQ(s.addrs_n, 2);
    expect_addr(&s.addrs[0].addr, "192.0.2.2");
    EXPECT_EQ(s.addrs[0].prefix_len, 120);
    EXPECT_EQ(s.addrs[1].prefix_len, 64);
    EXPECT_EQ(s.gateways_n, 2);
    expect_addr(&s.gateways[1], "2001:db8::1");
    EXPECT_EQ(s.dns_n, 1);
    EXPECT_EQ(s.mtu, 9000);
    EXPECT_EQ(s.mac[5], 7);
    EXPECT(s.dhcp && s.plain);
    EXPECT_STR(drv_spec_key(&s, "queues", buf, sizeof(buf)), "2");
    EXPECT(drv_spec_key(&s, "txq", buf, sizeof(buf)) == NULL);
    EXPECT(drv_spec_key(&s, "queue", buf, sizeof(buf)) == NULL);
    EXPECT(drv_spec_parse(&s, "pcap:run.pcap,fast", error));
    EXPECT_STR(drv_spec_key(&s, "fast", buf, sizeof(buf)), "");
}

TEST("a link without more is its kind alone; an address without a length is a host's")
{
    struct drv_spec s;
    EXPECT(drv_spec_parse(&s, spec(""), error));
    EXPECT_STR(s.where, "");
    EXPECT(drv_spec_parse(&s, spec(",addr=192.0.2.2"), error));
    EXPECT_EQ(s.addrs[0].prefix_len, 128);
    EXPECT_STR(s.where, "");
}

TEST("what makes no sense is named with what was expected")
{
    static const struct {
        const char *rest, *says;
    } bad[] = {
        {",addr=192.0.2.300/24", "addr '192.0.2.300/24': expected an address with its prefix"},
        {",gw=", "gw '': expected an address"},
        {",mtu=67", "mtu '67': expected 68 to 65535"},
        {",mtu=1500x", "mtu '1500x'"},
        {",mac=01:00:00:00:00:00", "expected a unicast link address"},
        {",mac=02:00:00:00:00", "expected a unicast link address"},
        {",mtu", "link option 'mtu': expected mtu=N"},
        {",plain=yes", "link option 'plain=yes': expected plain"},
        {",queues", "link option 'queues': expected queues=N"},
        {",ad=1", "link option 'ad=1': expected one of addr="},
        {",=1", "link option '=1': expected one of addr="},
    };
    struct drv_spec s;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        EXPECT(!drv_spec_parse(&s, spec(bad[i].rest), error));
        EXPECT(strstr(error, bad[i].says) != NULL);
    }
    EXPECT(!drv_spec_parse(&s, "carrier-pigeon:coo", error));
    EXPECT(strstr(error, "link 'carrier-pigeon:coo': expected one of ") == error);
}

TEST("a key that nobody knows is refused by every kind, and those that it knows are named")
{
    for (unsigned i = 0; drv_kinds[i]; i++) {
        struct drv_spec s;
        char text[64];
        (void)snprintf(text, sizeof(text), "%s:x,adr=192.0.2.1", drv_kinds[i]->name);
        EXPECT(!drv_spec_parse(&s, text, error));
        EXPECT(strstr(error, "link option 'adr=192.0.2.1': expected one of addr= gw= dns= mac= mtu= plain dhcp") == error);
        for (const struct drv_key *k = drv_kinds[i]->keys; k && k->name; k++)
            EXPECT(strstr(error, k->name) != NULL && k->help != NULL);
    }
}

TEST("a link address is the one that was named, or one of a single station, administered here")
{
    struct drv_spec s = {.mac = {2, 0, 0, 0, 0, 7}};
    struct drv *d = calloc(2, sizeof(*d));
    drv_choose_mac(d, &s);
    EXPECT_MEM(d->caps.mac, s.mac, 6);
    s.mac[0] = s.mac[5] = 0;
    drv_choose_mac(&d[0], &s);
    drv_choose_mac(&d[1], &s);
    EXPECT_EQ(d->caps.mac[0] & 3, 2);
    EXPECT(memcmp(d[0].caps.mac, d[1].caps.mac, 6) != 0);
    free(d);
}

TEST("notes are cut and counted, never overrun")
{
    struct drv *d = calloc(1, sizeof(*d));
    for (unsigned i = 0; i < 2 * DRV_NOTES_MAX; i++)
        drv_note(d, "%0300u", i);
    EXPECT_EQ(d->notes_n, DRV_NOTES_MAX);
    EXPECT_EQ(strlen(d->notes[0]), DRV_NOTE_MAX - 1);
    free(d);
}
