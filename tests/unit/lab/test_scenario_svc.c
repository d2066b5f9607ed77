/* Services in scenarios: what is said of them, and what is seen when it is not so. */
#include "fx_lab.h"

#define SERVED                                                                                     \
    "host a eth0\nhost b eth0 10.0.0.2/24\nlink a.eth0 b.eth0 delay 1ms\n"                         \
    "at 0 b dhcp-serve eth0 pool 10.0.0.100-10.0.0.100 dns 10.0.0.2 mtu 1400 domain lan\n"         \
    "at 0 b dns-serve \"www.lan A 10.0.0.9\"\n"

static const struct {
    const char *line;           /* the fourth of a scenario with two hosts */
    const char *error;
} mistakes[] = {
    {"at 1s a resolve", "4:16: found the end, expected a name such as www.example"},
    {"at 1s a resolve a..b", "4:17: found `a..b`, expected a name such as www.example"},
    {"at 1s a resolve www.lan MX",
     "4:25: found `MX`, expected A, AAAA, CNAME, PTR, NS or server"},
    {"at 1s a resolve www.lan server", "4:31: found the end, expected an address and a port, such "
                                       "as 10.0.0.1:7 or [fd00::1]:7"},
    {"at 1s a dns-serve \"www.lan\"",
     "4:20: found `www.lan`, expected a row such as \"www.example A 10.0.0.9 60\""},
    {"at 1s a dns-serve \"www.lan A fd00::1\"",
     "4:20: found `www.lan A fd00::1`, expected a row such as \"www.example A 10.0.0.9 60\""},
    {"at 1s a dhcp", "4:13: found the end, expected the name of a port"},
    {"at 1s a dhcp eth0 rebot 10.0.0.1",
     "4:19: found `rebot`, expected reboot or host-name; did you mean reboot?"},
    {"at 1s a dhcp-serve eth0", "4:24: found the end, expected pool"},
    {"at 1s a dhcp-serve eth0 pool 10.0.0.9-10.0.0.3",
     "4:30: found `10.0.0.9-10.0.0.3`, expected a range such as 10.0.0.100-10.0.0.199"},
    {"at 1s a dhcp-serve eth0 pool 10.0.0.9-10.0.0.9 lease 500ms",
     "4:54: found `500ms`, expected a lease of whole seconds, such as 10m"},
    {"at 1s a dhcp-serve eth0 pool 10.0.0.9-10.0.0.9 lease 1500ms",
     "4:54: found `1500ms`, expected a lease of whole seconds, such as 10m"},
    {"at 1s a dhcp-serve eth0 pool 10.0.0.9-10.0.0.9 dns 1.1.1.1 dns 1.1.1.2 dns 1.1.1.3 dns "
     "1.1.1.4 dns 1.1.1.5",
     "4:100: found `1.1.1.5`, expected at most 4 name servers"},
    {"at 1s a ra eth0 dns fd00::1 dns fd00::2 dns fd00::3 dns fd00::4 dns fd00::5",
     "4:69: found `fd00::5`, expected at most 4 name servers"},
    {"at 1s a ra eth0 interval 2s", "4:26: found `2s`, expected an interval between 4s and 30m"},
    {"at 1s a ra eth0 prefx fd00::/64",
     "4:17: found `prefx`, expected prefix, dns, mtu, interval or no-default; did you mean "
     "prefix?"},
    {"expect a dhcp eth0 state HAPPY",
     "4:26: found `HAPPY`, expected INIT, SELECTING, REQUESTING, REBOOTING, CHECKING, BOUND, "
     "RENEWING, REBINDING or STOPPED"},
    {"expect a resolve www.lan error EWHAT",
     "4:32: found `EWHAT`, expected an error such as ENOENT, ETIMEDOUT, EPROTO"},
};

TEST("mistakes about services name their place and what could stand there")
{
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
        struct fx_lab fx;
        char text[512];
        snprintf(text, sizeof(text), TWO_HOSTS "%s\n", mistakes[i].line);
        if (fx_lab_parse(&fx, text, NULL, 0))
            fail_msg("nothing is wrong with: %s", mistakes[i].line);
        assert_memory_equal(fx.error, "t.lab:", 6);
        EXPECT_STR(fx.error + 6, mistakes[i].error);
        fx_lab_fini(&fx);
    }
}

TEST("a host whose link was away asks whether it has its address still")
{
    fx_lab_holds(SERVED "at 1s a dhcp eth0\nat 10s link a.eth0 down\n"
                 "at 20s link a.eth0 up\nstop 30s\n"
                 "expect a dhcp eth0 state BOUND address 10.0.0.100/32 naks 0\n"
                 "expect a.eth0 sends \"dhcp.option.dhcp == 1\" count 1\n"
                 "expect a.eth0 sends \"dhcp.option.dhcp == 3 && frame.time_relative >= 20\" count 1\n");
}

TEST("a host that gets its address asks the name server that it was told of")
{
    fx_lab_holds(SERVED "at 1s a dhcp eth0 host-name box\nat 2s a resolve www.lan\n"
                 "expect a dhcp eth0 state BOUND address 10.0.0.100/32 server 10.0.0.2 "
                 "dns 10.0.0.2 naks 0 declines 0\n"
                 "expect a resolve www.lan address 10.0.0.9 name www.lan\n"
                 "expect a netif eth0 mtu 1400\n"
                 "expect a.eth0 sends \"dhcp.option.hostname == \\\"box\\\"\" count 2\n");
}

TEST("what is there instead of what was expected is shown")
{
    fx_lab_fails(SERVED "at 1s a dhcp eth0\nexpect a dhcp eth0 state RENEWING\n",
                 "BOUND 10.0.0.100 dns 10.0.0.2 naks 0 declines 0");
    fx_lab_fails(SERVED "at 1s a dhcp eth0\nat 2s a resolve www.lan\n"
                 "expect a resolve www.lan address 10.0.0.8\n", "OK 10.0.0.9 name www.lan");
    fx_lab_fails(SERVED "expect a resolve www.lan\n", "nothing of that kind was started there");
    fx_lab_fails(SERVED "at 1s b dhcp-serve eth0 pool 10.0.0.7-10.0.0.9\nat 1s a dhcp eth0\n"
                 "expect a dhcp eth0 address 10.0.0.7/32\n",
                 "BOUND 10.0.0.100 dns 10.0.0.2 naks 0 declines 0");
}

TEST("a service that stops is silent, and another one may take its place")
{
    fx_lab_holds(SERVED "at 0 a addr add 10.0.0.1/24 dev eth0\n"
                 "at 1s b dns-stop\nat 2s a resolve www.lan server 10.0.0.2\n"
                 "at 3s b dns-serve \"www.lan A 10.0.0.7\"\n"
                 "at 4s a resolve www.lan server 10.0.0.2\n"
                 "expect a resolve www.lan error ECONNREFUSED\n"
                 "expect a resolve www.lan address 10.0.0.7\n");
    fx_lab_holds(SERVED "at 1s a dhcp eth0\nat 2s a dhcp-release eth0\nat 3s a ping 10.0.0.2\n"
                 "expect a dhcp eth0 state STOPPED\nexpect no a addr 10.0.0.100\n"
                 "expect a ping errors 1\n");
}
