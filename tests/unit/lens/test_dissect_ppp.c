#include "fx_dissect.h"

static void see(const char *hex)
{
    static uint8_t bytes[200];
    size_t n = 0;
    for (const char *at = hex; *at; at += at[0] == ' ' ? 1 : 2) {
        unsigned v;
        if (*at == ' ')
            continue;
        EXPECT_EQ(sscanf(at, "%2x", &v), 1);
        bytes[n++] = (uint8_t)v;
    }
    struct lens_frame f = {.link = LENS_PPP, .bytes = span_of(bytes, n)};
    dissect(&f, &fx_seen);
}

TEST("LCP: the protocol, the packet, and the options that one would filter by")
{
    see("ff03 c021 01 07 001d 0104 05dc 0206 000a0000 0305 c22305 0506 1a2b3c4d 0702 0802");
    EXPECT_STR(fx_values("ppp.address"), "0xff");
    EXPECT_STR(fx_values("ppp.protocol"), "0xc021");
    EXPECT_STR(fx_values("ppp.code"), "1");
    EXPECT_STR(fx_values("ppp.identifier"), "7");
    EXPECT_STR(fx_values("lcp.opt.mru"), "1500");
    EXPECT_STR(fx_values("lcp.opt.asyncmap"), "0x000a0000");
    EXPECT_STR(fx_values("lcp.opt.auth_protocol"), "0xc223");
    EXPECT_STR(fx_values("lcp.opt.magic_number"), "0x1a2b3c4d");
    EXPECT_STR(fx_seen.proto, "PPP LCP");
    EXPECT(strncmp(fx_seen.info, "Configuration Request id 7 <MRU 1500,", 37) == 0);
    EXPECT_STR(fx_values("frame.protocols"), "ppp:lcp");
}

TEST("what LCP lets one leave out is left out: a packet behind one byte of protocol")
{
    see("21 4500 0021 0000 4000 4011 26ca 0a000001 0a000002 0001 0002 000d 0000 68656c6c6f");
    EXPECT_STR(fx_values("ppp.protocol"), "0x0021");
    EXPECT(!fx_has("ppp.address"));
    EXPECT_STR(fx_values("ip.dst"), "10.0.0.2");
    EXPECT_STR(fx_seen.proto, "UDP");
}

TEST("addresses, identifiers, echoes and rejects have fields")
{
    see("8021 03 01 0016 0306 0a400001 8106 08080808 8306 08080404");
    EXPECT_STR(fx_values("ipcp.opt.ip_address"), "10.64.0.1");
    EXPECT_STR(fx_values("ipcp.opt.sec_dns_address"), "8.8.4.4");
    EXPECT_STR(fx_seen.proto, "PPP IPCP");
    see("8057 02 01 000e 010a 0000000000000001");
    EXPECT(fx_has("ipv6cp.interface_identifier"));
    see("ff03 c021 09 02 0008 1a2b3c4d");
    EXPECT_STR(fx_values("lcp.magic_number"), "0x1a2b3c4d");
    EXPECT_STR(fx_seen.info, "Echo Request id 2");
    see("ff03 c021 08 02 0008 80fd 0101");
    EXPECT_STR(fx_values("lcp.rej_proto"), "0x80fd");
}

TEST("a name is shown, a password is not")
{
    see("c023 01 05 0010 05 616c696365 05 7365637265");
    EXPECT_STR(fx_values("pap.peer_id"), "alice");
    EXPECT_STR(fx_seen.info, "Authenticate-Request id 5 name \"alice\"");
    for (uint32_t i = 0; i < fx_seen.n; i++)
        EXPECT(fx_seen.fields[i].off < 14 || fx_seen.fields[i].len == 0);
    see("c223 01 09 000d 04 a1b2c3d4 69737031");
    EXPECT_STR(fx_values("chap.name"), "isp1");
    EXPECT_STR(fx_values("chap.code"), "1");
}

TEST("lengths that lie are malformed, wherever they stand")
{
    static const char *const bad[] = {
        "c021 01 07 0003 0104", "c021 01 07 0010 0104 05dc", "c021 01 07 0008 0109 05dc",
        "c021 01 07 0006 0100", "c223 01 09 0006 05 61", "c023 01 09 0006 05 61", "c021 01", "c0", "ff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        see(bad[i]);
        EXPECT(fx_has("_ws.malformed"));
    }
}
