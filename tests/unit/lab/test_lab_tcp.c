/* What a lab knows of connections, and what it says when an expectation does not hold. */
#include "fx_lab.h"

#define HELLO                                                                                      \
    TWO_HOSTS                                                                                      \
    "config b tcp msl 1s\n"                                                                        \
    "stop 5s\n"                                                                                    \
    "at 0 b tcp listen 7 say \"hello\" close after 50ms\n"                                         \
    "at 1s a tcp connect 10.0.0.2:7 from 1000 pause 5ms\n"

TEST("states are gone through, from the first to none, on both ends")
{
    fx_lab_holds(HELLO
                 "expect a tcp states SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED\n"
                 "expect b tcp 7 states SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT "
                 "CLOSED\n"
                 "expect a tcp states SYN_SENT ...\n");
    fx_lab_fails(HELLO "expect a tcp states SYN_SENT ESTABLISHED\n",
                 "the states were SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED");
    fx_lab_fails(HELLO "expect b tcp 9 states SYN_RCVD\n", "no connection was there");
}

TEST("a state is asked for at a moment: of listeners, connections, and what is left of them")
{
    fx_lab_holds(HELLO
                 "at 500ms expect b tcp 7 state LISTEN\n"
                 "at 500ms expect b tcp 7 state CLOSED\n"
                 "at 1020ms expect b tcp 7 state ESTABLISHED\n"
                 "at 2s expect b tcp 7 state TIME_WAIT conns 1\n"
                 "at 4s expect b tcp 7 state CLOSED conns 0\n");
    fx_lab_fails(HELLO "at 1020ms expect a tcp state FIN_WAIT_1\n", "ESTABLISHED");
    fx_lab_fails(HELLO "at 1020ms expect a tcp 7 state LISTEN\n", "nobody listens");
}

TEST("numbers, text and errors that are not as expected are shown")
{
    fx_lab_fails(HELLO "expect a tcp received 6\n", "0 bytes sent, 5 received up to the end");
    fx_lab_fails(HELLO "expect a tcp text \"hallo\"\n", "text \"hello\"");
    fx_lab_fails(HELLO "expect a tcp error ECONNRESET\n", "5 received");
    fx_lab_fails(HELLO "expect a tcp intact\n", "not the pattern");
    fx_lab_fails(HELLO "expect a tcp @2 received 5\n", "no connection of an application was there");
    fx_lab_fails(HELLO "expect b tcp 7 accepted 2\n", "1 were accepted");
    fx_lab_fails(HELLO "expect a tcp connected <= 1ms\n", "connected at 1.00");
    fx_lab_fails(HELLO "expect b tcp 8 accepted 1\n", "0 were accepted");
}

TEST("the stack's own numbers are asked for while the connection is open")
{
    fx_lab_holds(HELLO "at 1020ms expect a tcp info bytes_received == 5\n");
    fx_lab_fails(HELLO "at 1020ms expect a tcp info snd_cwnd >= 5000\n", "snd_cwnd ");
    fx_lab_fails(HELLO "at 4s expect a tcp info snd_cwnd >= 1\n", "it is closed");
}

TEST("what one end heard is all that the other one said, or not")
{
    fx_lab_holds(HELLO "expect a tcp all from b tcp 7\n");
    fx_lab_fails(TWO_HOSTS
                 "at 0 b tcp listen 7 say \"hello\"\nat 0 b tcp listen 8 say \"hallo\"\n"
                 "at 1s a tcp connect 10.0.0.2:7\nat 1s a tcp connect 10.0.0.2:8\n"
                 "expect a tcp 8 all from b tcp 7\n",
                 "the other one sent 5 bytes, and not these");
}

TEST("two connections are compared by what they received in their time")
{
    static const char flows[] =
        "host a eth0 10.0.0.1/24\nhost b eth0 10.0.0.2/24\nhost c eth0 10.0.1.1/24\n"
        "host d eth0 10.0.1.2/24\n"
        "link a.eth0 b.eth0 rate 10mbit delay 1ms\nlink c.eth0 d.eth0 rate 1mbit delay 1ms\n"
        "at 0 b tcp listen 7\nat 0 d tcp listen 7\n"
        "at 1s a tcp connect 10.0.0.2:7 send 1M\nat 1s c tcp connect 10.0.1.2:7 send 100k\n";
    char text[1024];
    snprintf(text, sizeof(text), "%s%s", flows,
             "expect ratio b tcp to d tcp between 8 12\nexpect b tcp rate >= 8mbit\n");
    fx_lab_holds(text);
    struct fx_lab fx;
    char said[200];
    struct txt t = txt_of(said, sizeof(said));
    snprintf(text, sizeof(text), "%s%s", flows, "expect ratio b tcp to d tcp >= 2\n");
    fx_lab_run(&fx, text);
    lab_print_result(&t, fx.lab, &fx.lab->results[0]);
    EXPECT(fx.good && strstr(said, "they received ") != NULL);      /* the figure is of interest */
    fx_lab_fini(&fx);
    snprintf(text, sizeof(text), "%s%s", flows, "expect ratio b tcp to d tcp <= 2\n");
    fx_lab_fails(text, "they received ");
}

TEST("a rate counts from the mark")
{
    fx_lab_holds("host a eth0 10.0.0.1/24\nhost b eth0 10.0.0.2/24\n"
                 "link a.eth0 b.eth0 rate 8mbit delay 1ms\n"
                 "at 0 b tcp listen 7\nat 1s a tcp connect 10.0.0.2:7\n"
                 "at 10s b tcp mark 7\nat 10s a tcp send bytes 1M\n"
                 "expect b tcp 7 rate >= 7mbit\n");
}

TEST("telling a connection that is not there is a trouble of the scenario")
{
    struct fx_lab fx;
    char buf[1024];
    fx_lab_run(&fx, TWO_HOSTS "at 1s a tcp say \"x\"\n");
    EXPECT(!fx.good);
    EXPECT(strstr(fx_lab_why(&fx, buf, sizeof(buf)), "at 1s a tcp say") != NULL);
    fx_lab_fini(&fx);
}

TEST("a lab goes on while something is under way that no wire shows")
{
    /* The SYN is lost: nothing moves until its timer runs out. */
    fx_lab_holds(TWO_HOSTS "at 0 b tcp listen 7 say \"hello\" close\n"
                           "at 0 link a.eth0 -> b.eth0 lose 2\n"
                           "at 1s a tcp connect 10.0.0.2:7\n"
                           "expect a tcp text \"hello\"\n"
                           "expect a.eth0 sends \"tcp\" why RTX_SYN count 1\n");
}

TEST("filters of expectations count from the start of each connection, at each port")
{
    fx_lab_holds(HELLO
                 "expect a.eth0 sees \"tcp.seq == 1 && tcp.ack == 1 && tcp.len == 5\" count 1\n"
                 "expect b.eth0 sends \"tcp.seq == 1 && tcp.ack == 1 && tcp.len == 5\" count 1\n"
                 "expect a.eth0 sends \"tcp.analysis.flags\" none\n");
}

TEST("a scripted peer counts from the numbers that the stack chose")
{
    fx_lab_holds(PEER_AND_HOST
                 "neigh b 10.0.0.9 $x.eth0\n"
                 "set head \"eth dst=$b.eth0 src=$x.eth0 / ip src=10.0.0.9 dst=10.0.0.1 / "
                 "tcp 9>1000\"\n"
                 "on x \"tcp.flags == 0x002\" send "
                 "\"$head flags=SA seq=4294967295 ack=@1 win=9000\"\n"
                 "on x \"tcp.len == 4\" send \"$head flags=A seq=@1 ack=@1+4 win=9000\"\n"
                 "at 1s b tcp connect 10.0.0.9:9 from 1000 say \"ping\"\n"
                 "at 2s x send \"$head flags=PA seq=@1 ack=@5 / \\\"pong\\\"\"\n"
                 "at 3s expect b tcp info bytes_acked == 4\n"
                 "expect b tcp text \"pong\" error none\n");
}

TEST("a peer's frames are numbered")
{
    fx_lab_holds(PEER_AND_HOST
                 "neigh b 10.0.0.9 $x.eth0\n"
                 "at 1s x send \"eth dst=$b.eth0 src=$x.eth0 / ip src=10.0.0.9 dst=10.0.0.1 / "
                 "tcp 1{n}>7 flags=S seq=5\" count 12 every 1ms\n"
                 "expect b.eth0 sees \"tcp.srcport == 10\" count 1\n"
                 "expect b.eth0 sees \"tcp.srcport == 111\" count 1\n"
                 "expect drop TCP_NO_CONN at b count 12\n");
}
