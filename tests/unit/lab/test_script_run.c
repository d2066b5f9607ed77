#include "fx_script.h"

/* ---- playing ---- */

static void *memory;
static struct script_run *playing;
static char failure[4000];

static bool play_over(const char *text, bool v6)
{
    struct arena arena;
    struct script_options o = {.v6 = v6};
    if (!memory)
        memory = malloc(SCRIPT_MEMORY);
    assert_non_null(memory);
    arena_init(&arena, memory, SCRIPT_MEMORY);
    const struct script *s = script_parse(&arena, span_str("t.pkt"), span_str(text), &wrong);
    playing = s ? script_open(&arena, s, &o, &wrong) : NULL;
    if (!playing) {
        struct txt t = txt_of(failure, sizeof(failure));
        script_error_print(&t, &wrong);
        fail_msg("%s\nin: %s", failure, text);
    }
    bool passed = script_play(playing);
    struct txt t = txt_of(failure, sizeof(failure));
    script_print_failure(&t, playing);
    return passed;
}

static bool play_once(const char *text, bool v6)
{
    bool passed = play_over(text, v6);
    script_close(playing);
    return passed;
}

/* Over both families, where it can. */
static void passes(const char *text)
{
    const struct script *s = script_of(text);
    for (int v6 = 0; v6 < 2; v6++)
        if (script_runs_over(s, v6 != 0) && !play_once(text, v6 != 0))
            fail_msg("over IPv%d: %s", v6 ? 6 : 4, failure);
}

static void fails(const char *text, uint32_t line, const char *because)
{
    EXPECT(!play_over(text, false));
    EXPECT_EQ(script_failed_at(playing), line);
    script_close(playing);
    if (!strstr(failure, because))
        fail_msg("expected: %s\nfound: %s", because, failure);
}

#define UDP                                                                                        \
    "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n"                                                 \
    "+0 bind(3, ..., ...) = 0\n"

#define LISTEN                                                                                     \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"                                                \
    "+0 bind(3, ..., ...) = 0\n"                                                                   \
    "+0 listen(3, 1) = 0\n"

/* Four lines more; the connection is 4. */
#define ACCEPT                                                                                     \
    LISTEN                                                                                         \
    "+0 < S 0:0(0) win 32792 <mss 1000,sackOK>\n"                                                  \
    "+0 > S. 0:0(0) ack 1 <...>\n"                                                                 \
    "+.1 < . 1:1(0) ack 1 win 32792\n"                                                             \
    "+0 accept(3, ..., ...) = 4\n"

/* ---- time ---- */

TEST("events happen at their times, absolute and relative to the one before")
{
    passes(UDP "1.5 < udp (10)\n"
           "+.25 < udp (20)\n"
           "2 < udp (30)\n");
    EXPECT(play_over(UDP "1.5 < udp (10)\n+.25 < udp (20)\n2 < udp (30)\n", false));
    static const oriel_time times[] = {1500 * NS_PER_MS, 1750 * NS_PER_MS, 2000 * NS_PER_MS};
    struct script_seen s;
    uint32_t cursor = 0;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        EXPECT(script_each_packet(playing, &cursor, &s));
        EXPECT(s.in);
        EXPECT_EQ(s.time, times[i]);
        EXPECT_EQ(s.line, 3 + i);
    }
    EXPECT(!script_each_packet(playing, &cursor, &s));
    script_close(playing);
}

TEST("a time that has passed cannot be kept")
{
    fails(UDP "1 < udp (10)\n.5 < udp (10)\n", 4, "but it is 1.000000 s already");
}

TEST("a packet that comes too early or too late is shown with its time and its reason")
{
    const char *early = UDP "+0 sendto(3, ..., 10, 0, ..., ...) = 10\n+.5 > udp (10)\n";
    fails(early, 4, "    came:     > udp (10)\n"
                    "    at:       0.000000 s\n"
                    "    because:  the application sent a datagram (UDP_DATA)\n"
                    "    differs:  it is too early, expected at 0.500000 s\n");
    fails(UDP "+0 > udp (10)\n", 3, "    came:     nothing by 0.004000 s; expected at 0.000000 s\n");
    fails(UDP "* > udp (10)\n", 3, "    came:     nothing by 86400.000000 s\n");
    fails(UDP "+.1~+.3 > udp (10)\n", 3, "expected at 0.100000 to 0.300000 s");
}

TEST("the tolerance is the script's; a range and * take what comes")
{
    passes("--tolerance_usecs=600000\n" UDP
           "+0 sendto(3, ..., 10, 0, ..., ...) = 10\n+.5 > udp (10)\n");
    passes(UDP "+.2 sendto(3, ..., 10, 0, ..., ...) = 10\n+0~+.3 > udp (10)\n");
    passes(UDP "+.2 sendto(3, ..., 10, 0, ..., ...) = 10\n* > udp (10)\n+.1 < udp (1)\n");
}

TEST("what follows a packet is relative to when it came")
{
    EXPECT(play_over("--rto_init_ms=1000\n"
                     "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                     "+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                     "+0 connect(3, ..., ...) = -1 EINPROGRESS\n"
                     "+0 > S 0:0(0) <...>\n"
                     "+.5~+5 > S 0:0(0) <...>\n"
                     "+.25 < R. 0:0(0) ack 1 win 0\n", false));
    struct script_seen s = {0};
    uint32_t cursor = 0;
    while (script_each_packet(playing, &cursor, &s))
        ;
    EXPECT(s.in);
    EXPECT_EQ(s.time, 1250 * NS_PER_MS);
    script_close(playing);
}

/* ---- calls ---- */

TEST("a result that is another one is shown beside what was expected")
{
    fails(UDP "+0 close(4) = 0\n", 3, "    expected: 0\n"
                                      "    returned: -1 EBADF (Bad file descriptor)\n");
    fails(UDP "+0 close(3) = -1 EBADF (Bad file descriptor)\n", 3,
          "    expected: -1 EBADF\n    returned: 0\n");
    fails(UDP "+0 socket(..., SOCK_STREAM, 99) = -1 EINVAL\n", 3, "returned: -1 EPROTONOSUPPORT");
    passes(UDP "+0 close(3) = ...\n+0 close(3) = -1\n");
}

TEST("a call that blocks returns when its time has come, while packets flow")
{
    passes(UDP "+0...0.3 read(3, ..., 100) = 10\n"
           "+.1 < icmp echo_request\n"
           "+0 > icmp echo_reply\n"
           "+.2 < udp (10)\n");
    fails(UDP "+0...0.3 read(3, ..., 100) = 10\n+.1 < udp (10)\n", 3,
          "but it returned at 0.100000 s, not at 0.300000 s");
    fails(UDP "+0...0.3 read(3, ..., 100) = 10\n", 3, "but it still blocks at 0.304000 s");
    fails(UDP "+0 read(3, ..., 100) = 10\n", 3,
          "but it blocks, and the line does not say until when");
    fails(UDP "+0...0.3 read(3, ..., 100) = 20\n+.3 < udp (10)\n", 3, "returned: 10");
}

TEST("a call waits for the one before; a limit on receiving ends it")
{
    passes(UDP "+0 setsockopt(3, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=200000}, 16) = 0\n"
           "+0...0.2 read(3, ..., 100) = -1 EAGAIN\n"
           "+.2 getsockopt(3, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=0, tv_usec=200000}, [16]) = 0\n");
    passes(UDP "+0...0.2 poll([{fd=3, events=POLLIN, revents=0}], 1, 200) = 0\n");
    fails(UDP "+0...0.2 poll([{fd=3, events=POLLIN, revents=0}], 1, 200) = 0\n+.1 close(3) = 0\n",
          4, "already");
}

TEST("options, ioctls and events are compared")
{
    passes(UDP "+0 getsockopt(3, SOL_SOCKET, SO_TYPE, [2], [4]) = 0\n"
           "+0 setsockopt(3, SOL_SOCKET, SO_RCVBUF, [5000], 4) = 0\n"
           "+0 getsockopt(3, SOL_SOCKET, SO_RCVBUF, [10000], [4]) = 0\n"
           "+0 getsockopt(3, SOL_SOCKET, SO_ERROR, ..., ...) = 0\n"
           "+0 setsockopt(3, SOL_SOCKET, 9999, [1], 4) = -1 ENOPROTOOPT\n"
           "+0 < udp (33)\n"
           "+0 ioctl(3, SIOCINQ, [33]) = 0\n");
    fails(UDP "+0 getsockopt(3, SOL_SOCKET, SO_TYPE, [1], [4]) = 0\n", 3,
          "but the value is 2, not 1");
    fails(UDP "+0 ioctl(3, SIOCINQ, [1]) = 0\n", 3, "but the value is 0, not 1");
    fails(UDP "+0 poll([{fd=3, events=POLLOUT, revents=POLLIN}], 1, 0) = 1\n", 3,
          "but revents is 4, not 1");
    passes(UDP "+0 epoll_create(1) = 5\n"
           "+0 epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLIN, fd=3}) = 0\n"
           "+0 epoll_wait(5, ..., 1, 0) = 0\n"
           "+0...0.1 epoll_wait(5, {events=EPOLLIN, fd=3}, 1, 1000) = 1\n"
           "+.1 < udp (1)\n");
    fails(UDP "+0 epoll_create(1) = 5\n"
          "+0 epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLOUT, fd=3}) = 0\n"
          "+0 epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1\n", 5,
          "but the file is 3, not 4");
}

TEST("messages say flags, names and control messages")
{
    const char *text =
        UDP "+0 setsockopt(3, SOL_IP, IP_RECVTTL, [1], 4) = 0\n"
        "+0 setsockopt(3, SOL_IP, IP_RECVTOS, [1], 4) = 0\n"
        "+0 < [tos 0x10, ttl 9] udp (10)\n"
        "+0 recvmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 4}, {..., 2}], msg_flags=MSG_TRUNC,\n"
        "    msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_TTL, cmsg_data=9},\n"
        "                 {cmsg_level=SOL_IP, cmsg_type=IP_TOS, cmsg_data=%s}]}, 0) = 6\n"
        "+0 sendmsg(3, {msg_name(...)={sa_family=AF_INET, sin_port=htons(9),\n"
        "    sin_addr=inet_addr(\"192.0.2.9\")}, msg_iov(1)=[{..., 5}], msg_flags=0,\n"
        "    msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_TOS, cmsg_data=32}]}, 0) = 5\n"
        "+0 > [tos 32] udp 8080 > 9 (5)\n";
    char line[1200];
    snprintf(line, sizeof line, text, "0x10");
    line[strlen(line) - 1] = '\0';
    EXPECT(!play_once(line, false));            /* of another address than the script's */
    snprintf(line, sizeof line, text, "0x11");
    EXPECT(!play_once(line, false));
    EXPECT(strstr(failure, "the control message says 16, not 17") != NULL);
}

TEST("errors of ICMP stand in the queue of errors")
{
    passes("0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n"
           "+0 connect(3, ..., ...) = 0\n"
           "+0 setsockopt(3, SOL_IP, IP_RECVERR, [1], 4) = 0\n"
           "+0 recvmsg(3, {msg_iov(1)=[{..., 10}]}, MSG_ERRQUEUE) = -1 EAGAIN\n"
           "+0 write(3, ..., 100) = 100\n"
           "+0 > udp (100)\n"
           "+.1 < [udp (100)] icmp unreachable port_unreachable\n"
           "+0 recvmsg(3, {msg_iov(1)=[{..., 10}], msg_flags=MSG_ERRQUEUE}, MSG_ERRQUEUE) = 0\n"
           "+0 read(3, ..., 10) = -1 ECONNREFUSED (Connection refused)\n");
}

/* ---- bytes ---- */

TEST("what is read is the pattern that was sent, and texts are compared")
{
    passes(UDP "+0 < udp (1000)\n+0 read(3, ..., 2000) = 1000\n");
    fails(UDP "+0 < udp (10)\n+0 read(3, \"hello\", 10) = 10\n", 4,
          "the bytes are others than those");
    passes("0 pipe([5, 6]) = 0\n+0 write(6, \"hello\", 5) = 5\n+0 read(5, \"hello\", 10) = 5\n");
    passes("0 pipe([5, 6]) = 0\n+0 write(6, ..., 5) = 5\n+0 read(5, ..., 10) = 5\n"
           "+0 close(6) = 0\n+0 read(5, ..., 10) = 0\n");
}

/* ---- packets ---- */

TEST("the first thing that differs is told")
{
    const char *sent = UDP "+0 sendto(3, ..., 10, 0, ..., ...) = 10\n";
    char line[300];
    snprintf(line, sizeof line, "%s+0 > udp (11)\n", sent);
    fails(line, 4, "differs:  its length is 10, not 11");
    snprintf(line, sizeof line, "%s+0 > . 1:1(0) ack 1\n", sent);
    fails(line, 4, "differs:  it is UDP, not TCP");
    snprintf(line, sizeof line, "%s+0 > [ttl 3] udp (10)\n", sent);
    fails(line, 4, "differs:  the hop limit is 64, not 3");
    snprintf(line, sizeof line, "%s+0 > [ect0] udp (10)\n", sent);
    fails(line, 4, "differs:  the bits of ECN are 0, not 2");
    snprintf(line, sizeof line, "%s+0 > [tos 8] udp (10)\n", sent);
    fails(line, 4, "differs:  the traffic class is 0, not 8");
    snprintf(line, sizeof line, "%s+0 > udp (10) why ECHO_REPLY\n", sent);
    fails(line, 4, "differs:  the reason is UDP_DATA, not ECHO_REPLY");
    snprintf(line, sizeof line, "%s+0 > udp 8080 > 9 (10)\n", sent);
    fails(line, 4, "nothing by");
}

TEST("a reason to drop is counted, or the failure says what happened instead")
{
    passes(UDP "+0 < [badcsum] udp (10) drop UDP_CSUM\n");
    fails(UDP "+0 < udp (10) drop UDP_CSUM\n", 3, "but it was not dropped");
    fails(UDP "+0 < [badcsum] udp (10) drop UDP_LEN\n", 3,
          "but it was dropped because: UDP checksum is wrong (UDP_CSUM)");
}

TEST("packets that no line expects are a failure in the end, unless the script says so")
{
    fails(UDP "+0 sendto(3, ..., 10, 0, ..., ...) = 10\n", 0,
          "t.pkt: the end\n    expected: nothing more\n    came:     > udp (10)\n");
    passes("--leftovers\n" UDP "+0 sendto(3, ..., 10, 0, ..., ...) = 10\n");
}

TEST("a message that a family does not have is a failure of its line")
{
    fails("0 < icmp source_quench\n+0 < icmp 200 1\n+0 > icmp 1 2\n", 3, "nothing by");
}

/* ---- numbers of TCP ---- */

TEST("sequence numbers of the stack begin at what the script writes in its SYN")
{
    passes(LISTEN "+0 < S 100:100(0) win 32792 <mss 1000>\n"
           "+0 > S. 7000:7000(0) ack 101 <...>\n"
           "+.1 < . 101:101(0) ack 7001 win 32792\n"
           "+0 accept(3, ..., ...) = 4\n"
           "+0 write(4, ..., 500) = 500\n"
           "+0 > P. 7001:7501(500) ack 101\n"
           "+.1 < . 101:101(0) ack 7501 win 32792\n");
    fails(ACCEPT "+0 write(4, ..., 500) = 500\n+0 > P. 2:502(500) ack 1\n", 9,
          "differs:  its sequence number is 1, not 2");
    fails(ACCEPT "+0 write(4, ..., 500) = 500\n+0 > P. 1:501(500) ack 2\n", 9,
          "differs:  it acknowledges 1, not 2");
    fails(ACCEPT "+0 write(4, ..., 500) = 500\n+0 > . 1:501(500) ack 1\n", 9,
          "differs:  its flags are P., not .");
    fails(ACCEPT "+0 write(4, ..., 500) = 500\n+0 > P. 1:501(500) ack 1 win 3\n", 9,
          "differs:  its window is");
    fails(ACCEPT "+0 write(4, ..., 500) = 500\n+0 > P. 1:501(500) ack 1 <nop,nop,sackOK>\n", 9,
          "differs:  its options are <>");
}

TEST("timestamps are compared by how far they are from the first one")
{
    const char *text =
        LISTEN "+0 < S 0:0(0) win 32792 <mss 1460,sackOK,TS val 1000 ecr 0>\n"
        "+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 77 ecr 1000>\n"
        "+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,TS val 1100 ecr 77>\n"
        "+0 accept(3, ..., ...) = 4\n"
        "+0 write(4, ..., 500) = 500\n"
        "+0 > P. 1:501(500) ack 1 <nop,nop,TS val %d ecr %d>\n"
        "+.1 < . 1:1(0) ack 501 win 32792 <nop,nop,TS val 1200 ecr %d>\n"
        "+0 %%{ assert abs(tcpi_rtt - 100000) < 1000 }%%\n";
    char line[1000];
    snprintf(line, sizeof line, text, 177, 1100, 177);
    passes(line);
    snprintf(line, sizeof line, text, 182, 1100, 182);
    passes(line);
    snprintf(line, sizeof line, text, 190, 1100, 190);
    fails(line, 9, "its options are <nop,nop,TS val 177 ecr 1100>");
    snprintf(line, sizeof line, text, 177, 1101, 177);
    fails(line, 9, "its options are");
    snprintf(line, sizeof line, "--tcp_ts_tick_usecs=0\n%s", text);
    char whole[1100];
    snprintf(whole, sizeof whole, line, 5000, 1100, 5000);
    passes(whole);
}

TEST("SACK blocks that arrive are mapped, those that leave are the script's own")
{
    passes(ACCEPT "+0 write(4, ..., 3000) = 3000\n"
           "+0 > . 1:1001(1000) ack 1\n"
           "+0 > . 1001:2001(1000) ack 1\n"
           "+0 > P. 2001:3001(1000) ack 1\n"
           "+.1 < . 1:1(0) ack 1 win 32792 <nop,nop,sack 1001:2001>\n"
           "+0 %{ assert tcpi_sacked == 1, tcpi_sacked }%\n"
           "+0 < . 1001:2001(1000) ack 1 win 32792 <nop,nop,sack 1001:2001>\n"
           "+0 > . 3001:3001(0) ack 1 <nop,nop,sack 1001:2001>\n"
           "+0 < . 1:1(0) ack 3001 win 32792\n");
}

TEST("a second connection on the same ports has numbers of its own")
{
    passes("--msl_ms=100\n" LISTEN
           "+0 < 5000 > 8080 S 0:0(0) win 1000 <mss 1000>\n"
           "+0 > 8080 > 5000 S. 0:0(0) ack 1 <...>\n"
           "+0 < 5000 > 8080 R 1:1(0) win 0\n"
           "+1 < 5000 > 8080 S 500:500(0) win 1000 <mss 1000>\n"
           "+0 > 8080 > 5000 S. 0:0(0) ack 501 <...>\n"
           "+0 < 5000 > 8080 . 501:501(0) ack 1 win 1000\n"
           "+0 accept(3, {sa_family=..., sin_port=htons(5000), sin_addr=...}, ...) = 4\n");
}

TEST("a SYN that is only challenged changes nothing about the connection's numbers")
{
    passes(ACCEPT "+0 < S 5000:5000(0) win 1000 <mss 1000> drop TCP_SYN_CHALLENGED\n"
           "+0 > . 1:1(0) ack 1\n"
           "+0 < P. 1:101(100) ack 1 win 32792\n+0~+.2 > . 1:1(0) ack 101\n"
           "+0 read(4, ..., 1000) = 100\n");
}

TEST("bytes that leave are those that were written there")
{
    passes(ACCEPT "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n"
           "+.1 < P. 1:101(100) ack 11 win 32792\n+0 > . 11:11(0) ack 101\n"
           "+0 read(4, ..., 40) = 40\n+0 recv(4, ..., 50, MSG_PEEK) = 50\n"
           "+0 read(4, ..., 100) = 60\n");
    passes(ACCEPT "+0 write(4, \"hello\", 5) = 5\n+0 > P. 1:6(5) ack 1\n");
}

TEST("assertions are about the connection in hand; without one they fail")
{
    passes(ACCEPT "+0 %{ assert tcpi_state == TCP_ESTABLISHED and tcpi_snd_mss == 1000 }%\n");
    fails(ACCEPT "+0 %{\n assert tcpi_snd_mss == 1000\n assert tcpi_unacked == 5 }%\n", 10,
          "t.pkt:10: tcpi_unacked == 5\n    but tcpi_unacked is 0\n");
    fails(UDP "+0 %{ assert tcpi_state == 1 }%\n", 3, "but there is no stream to ask");
}

/* ---- settings ---- */

TEST("settings reach the stack")
{
    passes("--mtu=1300\n" LISTEN "+0 < S 0:0(0) win 1000 <mss 1460>\n+0 > S. 0:0(0) ack 1 <...>\n"
           "+0 < . 1:1(0) ack 1 win 1000\n+0 accept(3, ..., ...) = 4\n"
           "+0 %{ assert tcpi_pmtu == 1300 }%\n");
    passes("`sysctl -q net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0`\n"
           LISTEN "+0 < S 0:0(0) win 1000 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7>\n"
           "+0 > S. 0:0(0) ack 1 <mss 1460>\n");
    passes("--local_ip=10.0.0.1\n--remote_ip=10.0.0.2\n--bind_port=99\n--ip_version=ipv4\n"
           UDP "+0 < 10.0.0.2:7 > 10.0.0.1:99 udp (10)\n+0 read(3, ..., 100) = 10\n"
           );
}

TEST("with tso segments leave that are larger than frames")
{
    passes("--tso=1\n" ACCEPT "+0 write(4, ..., 5000) = 5000\n+0 > P. 1:5001(5000) ack 1\n");
}

TEST("sockets of IPv6 carry IPv4, too")
{
    EXPECT(play_once("--ip_version=ipv4-mapped-ipv6\n" LISTEN
                     "+0 getsockopt(3, SOL_SOCKET, SO_DOMAIN, [10], [4]) = 0\n"
                     "+0 < S 0:0(0) win 1000 <mss 1000>\n+0 > S. 0:0(0) ack 1 <...>\n"
                     "+.1 < . 1:1(0) ack 1 win 1000\n+0 accept(3, ..., ...) = 4\n", false));
}

TEST("a script that a family cannot have is not begun")
{
    struct arena arena;
    struct script_options o = {.v6 = true};
    arena_init(&arena, script_memory, sizeof(script_memory));
    const struct script *s = script_parse(&arena, span_str("t.pkt"),
                                          span_str("--ip_version=ipv4\n" UDP), &wrong);
    EXPECT(s != NULL);
    EXPECT(!script_open(&arena, s, &o, &wrong));
    EXPECT_STR(wrong.at.expected, "a script that runs over IPv6");
    o.v6 = false;
    EXPECT(!script_open(&arena, s, &o, &wrong));
    EXPECT_STR(wrong.at.expected, "more memory for the run");
}

/* ---- what can be seen ---- */

static bool put_text(void *ctx, struct span bytes)
{
    struct txt *t = ctx;
    txt_span(t, bytes);
    return true;
}

TEST("the ladder shows calls, packets with their reasons, and what was dropped")
{
    static char drawn[8000];
    struct txt t = txt_of(drawn, sizeof(drawn));
    EXPECT(play_over(UDP "+0 < [badcsum] udp (10) drop UDP_CSUM\n"
                     "+0 sendto(3, ..., 10, 0, ..., ...) = 10\n+0 > udp (10) why UDP_DATA\n",
                     false));
    EXPECT(script_ladder(playing, (struct sink){.put = put_text, .ctx = &t},
                         ladder_style_of(120, true, false)));
    EXPECT(strstr(drawn, "bind(3, ..., ...) = 0") != NULL);
    EXPECT(strstr(drawn, "UDP_CSUM") != NULL);
    EXPECT(strstr(drawn, "the application sent a datagram") != NULL);
    uint32_t cursor = 0;
    enum why why;
    enum drop drop;
    EXPECT(script_each_reason(playing, &cursor, &why, &drop));
    EXPECT_EQ(drop, DROP_UDP_CSUM);
    EXPECT(script_each_reason(playing, &cursor, &why, &drop));
    EXPECT_EQ(why, WHY_UDP_DATA);
    EXPECT(!script_each_reason(playing, &cursor, &why, &drop));
    script_close(playing);
}

TEST("the same script gives the same packets")
{
    uint8_t first[4000];
    size_t n[2] = {0, 0};
    for (int run = 0; run < 2; run++) {
        struct script_seen s;
        uint32_t cursor = 0;
        EXPECT(play_over(ACCEPT "+0 write(4, ..., 700) = 700\n+0 > P. 1:701(700) ack 1\n", false));
        while (script_each_packet(playing, &cursor, &s)) {
            if (run == 0)
                memcpy(first + n[0], s.bytes.p, s.bytes.n);
            else
                EXPECT_MEM(first + n[1], s.bytes.p, s.bytes.n);
            n[run] += s.bytes.n;
        }
        script_close(playing);
    }
    EXPECT_EQ(n[0], n[1]);
    EXPECT(n[0] > 700);
}
