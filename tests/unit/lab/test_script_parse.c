#include "fx_script.h"

/* ---- options ---- */

TEST("options stand at the top and say how the stack is made")
{
    const struct script *s = script_of("--ip_version=ipv6\n--mtu=1280\n--tolerance_usecs=1000\n"
                                       "--tcp_ts_tick_usecs=10000\n--bind_port=80\n"
                                       "--connect_port=443\n--local_ip=2001:db8::5/64\n"
                                       "--remote_ip=2001:db8::6\n--personality=linux\n--cc=reno\n"
                                       "--iw=4\n--rcvbuf=64k\n--wscale=7\n--rto_min_ms=200\n"
                                       "--sack=0\n--leftovers\n--verbose --wire_client_dev=eth0\n"
                                       "0 close(3) = 0\n");
    const struct script_setup *c = &s->setup;
    EXPECT_EQ(c->ip, SCRIPT_IP6);
    EXPECT_EQ(c->mtu, 1280);
    EXPECT_EQ(c->tolerance, NS_PER_MS);
    EXPECT_EQ(c->ts_tick_us, 10000);
    EXPECT_EQ(c->bind_port, 80);
    EXPECT_EQ(c->connect_port, 443);
    EXPECT_EQ(c->local.lo, 5);
    EXPECT_EQ(c->remote.lo, 6);
    EXPECT_EQ(c->tcp.personality, ORIEL_AS_LINUX);
    EXPECT_STR(c->congestion, "newreno");
    EXPECT_EQ(c->tcp.initial_window, 4);
    EXPECT_EQ(c->tcp.rcvbuf, 65536);
    EXPECT_EQ(c->tcp.window_scale, 7);
    EXPECT_EQ(c->tcp.rto_min_ms, 200);
    EXPECT(c->tcp.no_sack);
    EXPECT(c->leftovers);
}

TEST("--so_flags has the same settings, separated by commas")
{
    const struct script *s = script_of("--so_flags=personality=freebsd,wscale=off,ecn=accurate\n"
                                       "0 close(3) = 0\n");
    EXPECT_EQ(s->setup.tcp.personality, ORIEL_AS_FREEBSD);
    EXPECT_EQ(s->setup.tcp.window_scale, -1);
    EXPECT_EQ(s->setup.tcp.ecn, ORIEL_ECN_ACCURATE);
}

TEST("options that are not known, or have a value that they cannot have, are shown")
{
    EXPECT_WRONG("--personalty=linux\n0 close(3) = 0", 1, 3, "`personalty`",
                 "an option; docs/script-format.md lists them");
    EXPECT_STR(wrong.at.hint, "personality");
    EXPECT_WRONG("--personality=windows\n0 close(3) = 0", 1, 15, "`windows`",
                 "oriel, rfc, linux or freebsd");
    EXPECT_WRONG("--mtu=10\n0 close(3) = 0", 1, 7, "`10`", "a number, 68 to 65535");
    EXPECT_WRONG("--mtu\n0 close(3) = 0", 1, 6, "the end", "a number, 68 to 65535");
    EXPECT_WRONG("--wscale=15\n0 close(3) = 0", 1, 10, "`15`", "a number, 1 to 14, or off");
    EXPECT_WRONG("--ip_version=5\n0 close(3) = 0", 1, 14, "`5`", "ipv4, ipv6 or ipv4-mapped-ipv6");
    EXPECT_WRONG("--ecn=maybe\n0 close(3) = 0", 1, 7, "`maybe`", "off, passive, on or accurate");
    EXPECT_WRONG("--cookies=no\n0 close(3) = 0", 1, 11, "`no`", "when_full, never or always");
    EXPECT_WRONG("--sack=2\n0 close(3) = 0", 1, 8, "`2`", "0 or 1");
    EXPECT_WRONG("--local_ip=1.2.3\n0 close(3) = 0", 1, 12, "`1.2.3`", "an IPv4 or IPv6 address");
    EXPECT_WRONG("--tfo_key=12\n0 close(3) = 0", 1, 11, "`12`", "32 hexadecimal digits");
    EXPECT_WRONG("--cc=vegas\n0 close(3) = 0", 1, 6, "`vegas`", "cubic, newreno (reno) or bbr");
    EXPECT_WRONG("--so_flags=iw=10,mtv=9\n0 close(3) = 0", 1, 18, "`mtv`",
                 "an option; docs/script-format.md lists them");
    EXPECT_WRONG("-- \n0 close(3) = 0", 1, 1, "`--`", "an option, such as --ip_version=ipv4");
    EXPECT_WRONG("0 close(3) = 0\n--mtu=1500\n", 2, 1, "`-`",
                 "an event: options stand before the first one");
}

TEST("a script runs over both families unless it shows that it does not")
{
    static const struct {
        const char *text;
        bool v4, v6;
    } rows[] = {
        {"0 close(3) = 0", true, true},
        {"--ip_version=ipv4\n0 close(3) = 0", true, false},
        {"--ip_version=ipv6\n0 close(3) = 0", false, true},
        {"--ip_version=ipv4-mapped-ipv6\n0 close(3) = 0", true, false},
        {"--local_ip=10.0.0.1\n0 close(3) = 0", true, false},
        {"--local_ip=2001:db8::1\n0 close(3) = 0", false, true},
        {"0 socket(AF_INET, SOCK_DGRAM, 0) = 3", true, false},
        {"0 socket(AF_INET6, SOCK_DGRAM, 0) = 3", false, true},
        {"0 socket(..., SOCK_DGRAM, 0) = 3", true, true},
        {"0 < 192.0.2.1:80 > 192.168.0.1:81 udp (1)", true, false},
        {"0 < [2001:db8::1]:80 > [2001:db8::2]:81 udp (1)", false, true},
        {"0 < icmpv6 packet_too_big mtu 1280", false, true},
        {"0 < icmp unreachable frag_needed mtu 1280", true, true},
        {"0 < icmp source_quench", true, false},
        {"0 > (flowlabel 0x1) . 1:1(0)", false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct script *s = script_of(rows[i].text);
        EXPECT_EQ(script_runs_over(s, false), rows[i].v4);
        EXPECT_EQ(script_runs_over(s, true), rows[i].v6);
    }
}

/* ---- commands ---- */

TEST("sysctl commands set what Oriel has, several in one command")
{
    const struct script *s = script_of(
        "`sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_timestamps=1\n"
        " sysctl -q -w net.ipv4.tcp_ecn=1; sysctl net.ipv4.tcp_syncookies=2 &&\n"
        " /sbin/sysctl -q net.ipv4.tcp_rmem=\"4096 131072 6291456\"\n"
        " sysctl -q net.ipv4.tcp_wmem='4096 65536 4194304' net.ipv4.tcp_congestion_control=bbr`\n"
        "`sysctl -q net.ipv4.tcp_window_scaling=1 net.ipv4.tcp_recovery=0 "
        "net.ipv4.tcp_mtu_probing=2`\n"
        "`sysctl -q net.ipv4.tcp_fastopen=0x602 net.ipv4.tcp_rto_min_us=100500`\n"
        "0 `sysctl -q net.ipv4.tcp_fastopen_key=a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4`\n"
        "0 close(3) = 0\n");
    const struct oriel_tcp_config *t = &s->setup.tcp;
    EXPECT(t->no_sack);
    EXPECT(!t->no_timestamps);
    EXPECT_EQ(t->ecn, ORIEL_ECN_ON);
    EXPECT_EQ(t->cookies, ORIEL_COOKIES_ALWAYS);
    EXPECT_EQ(t->rcvbuf, 65536);
    EXPECT_EQ(t->rcvbuf_max, 3145728);
    EXPECT_EQ(t->window_scale, 7);
    EXPECT_EQ(t->sndbuf, 65536);
    EXPECT_EQ(t->sndbuf_max, 4194304);
    EXPECT_STR(s->setup.congestion, "bbr");
    EXPECT(t->no_rack);
    EXPECT(t->mtu_probing);
    EXPECT_EQ(s->setup.tcp_fastopen, 0x602);
    EXPECT_EQ(t->rto_min_ms, 101);
    EXPECT_EQ(t->fastopen_key[0], 0xa1);
    EXPECT_EQ(t->fastopen_key[15], 0xd4);
}

TEST("commands that change nothing here are passed over")
{
    const struct script *s = script_of(
        "`./defaults.sh\n ../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0\n"
        " ip tcp_metrics flush all > /dev/null 2>&1\n true`\n"
        "0 close(3) = 0\n");
    EXPECT(s->setup.tcp.no_sack);
    script_of("`sysctl -q net.ipv4.tcp_no_metrics_save=1 net.core.default_qdisc=fq`\n"
              "0 close(3) = 0\n");
}

TEST("all other commands are mistakes, at their word")
{
    const char *other = "sysctl: no other command means anything here";
    const char *knob = "a sysctl that means something here; docs/script-format.md lists them";
    EXPECT_WRONG("`rm -rf x`\n0 close(3) = 0", 1, 2, "`rm`", other);
    EXPECT_WRONG("`sysctl -q net.ipv4.tcp_sack=0\n  tc qdisc`\n0 close(3) = 0", 2, 3, "`tc`",
                 other);
    EXPECT_WRONG("`ip link`\n0 close(3) = 0", 1, 2, "`ip`", other);
    EXPECT_WRONG("`sysctl -q net.ipv4.tcp_whatever=0`\n0 close(3) = 0", 1, 12,
                 "`net.ipv4.tcp_whatever`", knob);
    EXPECT_WRONG("`sysctl kernel.hostname=0`\n0 close(3) = 0", 1, 9, "`kernel.hostname`", knob);
    EXPECT_WRONG("`sysctl net.ipv4.tcp_sack`\n0 close(3) = 0", 1, 9, "`net.ipv4.tcp_sack`",
                 "NAME=VALUE, as sysctl has it");
    EXPECT_WRONG("`sysctl net.ipv4.tcp_ecn=9`\n0 close(3) = 0", 1, 26, "`9`",
                 "a value that this sysctl can have");
    EXPECT_WRONG("`sysctl net.ipv4.tcp_rmem=\"1 2\"`\n0 close(3) = 0", 1, 27, "`1 2`",
                 "a value that this sysctl can have");
    EXPECT_WRONG("`sysctl\n0 close(3) = 0", 1, 2, "`sysctl`",
                 "a command that ends with a backtick");
    EXPECT_WRONG("0 close(3) = 0\n+0 `sysctl net.ipv4.tcp_sack=0`", 2, 4, "```",
                 "no command here: what it sets, the stack is made with");
}

/* ---- calls ---- */

TEST("calls have arguments, a result and an error with a note")
{
    const struct script_call *c =
        call_of("0 read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)\n");
    EXPECT_EQ(c->fn, SCRIPT_READ);
    EXPECT_EQ(c->n, 3);
    EXPECT_EQ(c->args[0].i, 4);
    EXPECT_EQ(c->args[1].kind, SCRIPT_DOTS);
    EXPECT_EQ(c->args[2].i, 1000);
    EXPECT_EQ(c->result.i, -1);
    EXPECT_EQ(c->err, 11);
    EXPECT(!c->has_end);
    EXPECT_EQ(call_of("0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)\n")->result.i, 2);
    EXPECT_EQ(call_of("0 accept(3, ..., ...) = ...\n")->result.kind, SCRIPT_DOTS);
    EXPECT_EQ(call_of("0 close(3) = -1\n")->err, 0);
}

TEST("a call that blocks says when it ends")
{
    const struct script *s = script_of("+0...0.200 read(4, ..., 1000) = 1000\n"
                                       "1.0...1.5 close(4) = 0\n+.1...+.3 close(4) = 0\n");
    const struct script_event *v = s->first;
    EXPECT(v->is.call->has_end);
    EXPECT_EQ(v->is.call->end, 200 * NS_PER_MS);
    EXPECT_EQ(v->next->is.call->end, 1500 * NS_PER_MS);
    EXPECT_EQ(v->next->from, NS_PER_S);
    EXPECT_EQ(v->next->next->from, 100 * NS_PER_MS);
    EXPECT_EQ(v->next->next->is.call->end, 300 * NS_PER_MS);
}

TEST("constants have Linux's values and are joined by |")
{
    EXPECT_EQ(call_of("0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n")->args[2].i, 0x802);
    const struct script_call *c = call_of("0 setsockopt(3, SOL_TCP, TCP_CORK, [1], 4) = 0\n");
    EXPECT_EQ(c->args[1].i, 6);
    EXPECT_EQ(c->args[2].i, 3);
    EXPECT_EQ(c->args[3].kind, SCRIPT_LIST);
    EXPECT_EQ(c->args[3].items[0].i, 1);
    c = call_of("0 socket(..., SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP) = 3\n");
    EXPECT_EQ(c->args[1].i, 0x801);
    EXPECT_EQ(call_of("0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0")
                  ->args[3].items[0].i, 0x80000001);
    c = call_of("0 setsockopt(3, SOL_SOCKET, SO_MARK, [-5], 4) = 0\n");
    EXPECT_EQ(c->args[3].items[0].i, -5);
    EXPECT_EQ(call_of("0 ioctl(3, SIOCINQ, [0x10]) = 0\n")->args[2].items[0].i, 16);
}

TEST("structures have fields with names, and lists hold structures")
{
    const struct script_call *c = call_of(
        "0 connect(3, {sa_family=AF_INET, sin_port=htons(8080), "
        "sin_addr=inet_addr(\"192.0.2.1\")}, 16) = 0\n");
    const struct script_value *v = &c->args[1];
    EXPECT_EQ(v->kind, SCRIPT_STRUCT);
    EXPECT_EQ(v->n, 3);
    expect_span(v->names[1], "sin_port");
    EXPECT_EQ(v->items[1].i, 8080);
    EXPECT_EQ(v->items[2].kind, SCRIPT_ADDR);
    EXPECT_EQ((uint32_t)v->items[2].addr.lo, 0xc0000201);
    c = call_of("0 sendmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {\"ab\", 2}], "
                "msg_flags=0}, MSG_DONTWAIT) = 12\n");
    v = &c->args[1];
    expect_span(v->names[0], "msg_name");
    expect_span(v->names[1], "msg_iov");
    EXPECT_EQ(v->items[1].n, 2);
    EXPECT_EQ(v->items[1].items[0].items[1].i, 10);
    EXPECT_EQ(v->items[1].items[1].items[0].kind, SCRIPT_TEXT);
    c = call_of("0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1\n");
    EXPECT_EQ(c->args[0].items[0].items[1].i, 5);
    c = call_of("0 setsockopt(3, SOL_TCP, TCP_CONGESTION, \"cubic\", 5) = 0\n");
    EXPECT_EQ(c->args[3].kind, SCRIPT_TEXT);
}

TEST("every call is known")
{
    static const char *const lines[] = {
        "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3", "bind(3, ..., ...) = 0", "listen(3, 1) = 0",
        "accept(3, ..., ...) = 4", "accept4(3, NULL, NULL, SOCK_NONBLOCK) = 4",
        "connect(3, ..., ...) = 0", "read(3, ..., 1) = 1", "readv(3, [{..., 1}], 1) = 1",
        "recv(3, ..., 1, MSG_PEEK) = 1", "recvfrom(3, ..., 1, 0, ..., ...) = 1",
        "recvmsg(3, {msg_iov(1)=[{..., 1}]}, 0) = 1", "write(3, ..., 1) = 1",
        "writev(3, [{..., 1}], 1) = 1", "send(3, ..., 1, MSG_OOB) = 1",
        "sendto(3, ..., 1, MSG_FASTOPEN, ..., ...) = 1",
        "sendmsg(3, {msg_iov(1)=[{..., 1}]}, 0) = 1",
        "fcntl(3, F_GETFL) = 2", "ioctl(3, SIOCATMARK, [0]) = 0", "close(3) = 0",
        "shutdown(3, SHUT_WR) = 0", "getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0",
        "setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0",
        "poll([{fd=3, events=POLLIN, revents=0}], 1, 0) = 0", "epoll_create(1) = 5",
        "epoll_create1(0) = 5", "epoll_ctl(5, EPOLL_CTL_DEL, 3, NULL) = 0",
        "epoll_wait(5, {events=EPOLLIN, fd=3}, 1, 0) = 1", "pipe([6, 7]) = 0",
        "splice(3, NULL, 7, NULL, 100, SPLICE_F_NONBLOCK) = 100",
    };
    EXPECT_EQ(ARRAY_LEN(lines), SCRIPT_FNS);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        char line[200];
        struct txt t = txt_of(line, sizeof(line));
        txt_s(&t, "0 ");
        txt_s(&t, lines[i]);
        EXPECT_EQ(call_of(line)->fn, i);
        EXPECT_EQ(strncmp(lines[i], script_fn_name((enum script_fn)i),
                          strlen(script_fn_name((enum script_fn)i))), 0);
    }
}

TEST("mistakes in calls are shown where they are")
{
    EXPECT_WRONG("0 colse(3) = 0", 1, 3, "`colse`", "a call, such as socket or read");
    EXPECT_STR(wrong.at.hint, "close");
    EXPECT_WRONG("0 ) = 0", 1, 3, "`)`", "a packet (< or >), a call, %{ or a backtick");
    EXPECT_WRONG("0 close 3 = 0", 1, 9, "`3`", "`(`");
    EXPECT_WRONG("0 close(3 = 0", 1, 11, "`=`", "`)`");
    EXPECT_WRONG("0 close(3) 0", 1, 12, "`0`", "`=`");
    EXPECT_WRONG("0 bind(3 ...) = 0", 1, 10, "`...`", "`,`");
    EXPECT_WRONG("0 listen(3) = 0", 1, 11, "`)`", "`,`");
    EXPECT_WRONG("0 socket(..., SOCK_STREM, 0) = 3", 1, 15, "`SOCK_STREM`",
                 "a number or a constant, such as SOCK_STREAM");
    EXPECT_STR(wrong.at.hint, "SOCK_STREAM");
    EXPECT_WRONG("0 close(3) = -1 EAGAN", 1, 17, "`EAGAN`", "an error, such as EAGAIN");
    EXPECT_STR(wrong.at.hint, "EAGAIN");
    EXPECT_WRONG("0 close(3) = 0 EAGAIN", 1, 16, "`EAGAIN`",
                 "no error: only a result of -1 has one");
    EXPECT_WRONG("0 close(3) = -1 EAGAIN (not", 1, 24, "`(`",
                 "a note that ends with ) on the same line");
    EXPECT_WRONG("0 close(3) = [1]", 1, 14, "`[1]`", "a number, or ... for any");
    EXPECT_WRONG("0 connect(3, {sa_family=AF_INET, sin_port=htons(1), "
                 "sin_addr=inet_addr(\"1.2.3\")}, 16) = 0", 1, 72, "`\"1.2.3\"`",
                 "an IPv4 or IPv6 address in quotes");
}

TEST("an argument of the wrong kind is shown with the right one")
{
    EXPECT_WRONG("0 close(...) = 0", 1, 9, "`...`", "a number or constants joined by |");
    EXPECT_WRONG("0 socket([1], 1, 1) = 3", 1, 10, "`[1]`", "a number, or ... for the usual one");
    EXPECT_WRONG("0 bind(3, 7, ...) = 0", 1, 11, "`7`",
                 "an address: ..., NULL or {sa_family=AF_INET, sin_port=..., sin_addr=...}");
    EXPECT_WRONG("0 bind(3, ..., {a=1}) = 0", 1, 16, "`{a=1}`", "a length: ..., NULL, N or [N]");
    EXPECT_WRONG("0 read(3, 7, 7) = 0", 1, 11, "`7`", "bytes: ... or a text in quotes");
    EXPECT_WRONG("0 readv(3, ..., 7) = 0", 1, 12, "`...`",
                 "a list of structures, such as [{..., 1000}]");
    EXPECT_WRONG("0 recvmsg(3, ..., 7) = 0", 1, 14, "`...`",
                 "a message, such as {msg_iov(1)=[{..., 1000}], msg_flags=0}");
    EXPECT_WRONG("0 pipe(7) = 0", 1, 8, "`7`", "a list of numbers, such as [5, 6]");
    EXPECT_WRONG("0 epoll_wait(5, 7, 1, 0) = 0", 1, 17, "`7`",
                 "events: {events=EPOLLIN, fd=4}, a list of them, or ...");
}

TEST("lists have a limit in length and in depth")
{
    char line[2000];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "0 ioctl(3, SIOCINQ, [");
    for (int i = 0; i < SCRIPT_LIST_MAX + 1; i++)
        txt_s(&t, i > 0 ? ", 1" : "1");
    txt_s(&t, "]) = 0");
    EXPECT_WRONG(line, 1, 22 + 3 * SCRIPT_LIST_MAX, "`1`", "at most 64 values in one list");
    EXPECT_WRONG("0 ioctl(3, SIOCINQ, [[[[[[[[[1]]]]]]]]]) = 0", 1, 30, "`1`",
                 "fewer brackets in brackets");
}

/* ---- code ---- */

TEST("code is taken as a whole, with its lines counted on")
{
    const struct script *s = script_of("0 close(3) = 0\n+0 %{\nassert tcpi_state == 1\n\n"
                                       "assert tcpi_lost == 0, tcpi_lost }%\n+0 close(4) = 0\n");
    EXPECT_EQ(s->events, 3);
    EXPECT_EQ(s->first->next->kind, SCRIPT_CODE);
    EXPECT_WRONG("0 close(3) = 0\n+0 %{\nassert tcpi_stat == 1\n}%", 3, 8, "`tcpi_stat`",
                 "a member of struct tcp_info, a constant or a number");
    EXPECT_STR(wrong.at.hint, "tcpi_state");
    EXPECT_WRONG("0 %{ assert 1", 1, 6, "`assert`", "code that ends with }%");
}
