/* Applications over TCP, in worlds: what they count is what passed. */
#include "fx_lab.h"

TEST("the pattern depends on nothing but the number of the byte")
{
    unsigned same = 0;
    for (uint64_t n = 0; n < 4096; n++)
        same += tcp_pattern(n) == tcp_pattern(n + 8);
    EXPECT(same < 100);                 /* it does not repeat: a block out of place is noticed */
    EXPECT_EQ(tcp_pattern(77), tcp_pattern(77));
}

TEST("the hash of a stream does not depend on how it was cut")
{
    uint64_t whole = tcp_hash(TCP_HASH_SEED, span_str("hello world"));
    uint64_t parts = tcp_hash(tcp_hash(TCP_HASH_SEED, span_str("hello")), span_str(" world"));
    EXPECT(whole == parts);
    EXPECT(whole != tcp_hash(TCP_HASH_SEED, span_str("hello_world")));
}

TEST("a listener says its text to whoever connects, and closes")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7 say \"hi!\" close\n"
                 "at 1s a tcp connect 10.0.0.2:7\n"
                 "at 2s a tcp connect 10.0.0.2:7\n"
                 "expect a tcp @1 text \"hi!\" eof error none closed\n"
                 "expect a tcp @2 received 3 sent 0\n"
                 "expect b tcp 7 accepted 2 sent 3\n");
}

TEST("an echo returns every byte, more than fits a buffer")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7 echo rcvbuf 8k sndbuf 8k\n"
                 "at 1s a tcp connect 10.0.0.2:7 send 300k shutdown\n"
                 "expect a tcp sent 300k received 300k intact eof\n"
                 "expect b tcp 7 received 300k sent 300k intact\n"
                 "expect b tcp 7 all from a tcp\n");
}

TEST("writes have a size and a pace")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7\n"
                 "at 1s a tcp connect 10.0.0.2:7 send 1000 write 100 every 10ms nodelay\n"
                 "expect b.eth0 sees \"tcp.len == 100\" count 10\n"
                 "expect b tcp 7 received 1000 intact done between 1090ms 1110ms\n");
}

TEST("reads have a size and a pace")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7 read 1000 every 100ms\n"
                 "at 1s a tcp connect 10.0.0.2:7 send 5000\n"
                 "at 1250ms expect b tcp 7 received between 2000 3000\n"
                 "expect b tcp 7 received 5000 intact done between 1400ms 1510ms\n");
}

TEST("reading waits until it is told, as far as it is told")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7 unread\n"
                 "at 1s a tcp connect 10.0.0.2:7 send 5000\n"
                 "at 2s expect b tcp 7 received 0\n"
                 "at 2s b tcp read 7 bytes 1234\n"
                 "at 3s expect b tcp 7 received 1234\n"
                 "at 3s b tcp read 7\n"
                 "at 4s expect b tcp 7 received 5000 intact\n");
}

TEST("an answer may wait for the other side's end")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7 late say \"done\" close\n"
                 "at 1s a tcp connect 10.0.0.2:7 say \"one\"\n"
                 "at 2s expect a tcp received 0\n"
                 "at 2s a tcp say \" two\"\n"
                 "at 3s a tcp shutdown\n"
                 "expect b tcp 7 text \"one two\" eof\n"
                 "expect a tcp text \"done\" eof error none\n");
}

TEST("an abort is a reset for the other side")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7\n"
                 "at 1s a tcp connect 10.0.0.2:7 say \"x\"\n"
                 "at 2s a tcp abort\n"
                 "expect b tcp 7 text \"x\" error ECONNRESET closed\n"
                 "expect no b tcp 7 eof\n");
}

TEST("nobody listens: refused, and said so")
{
    struct fx_lab fx;
    fx_lab_run(&fx, TWO_HOSTS "at 1s a tcp connect 10.0.0.2:7\n"
                              "expect a tcp error ECONNREFUSED closed sent 0\n");
    EXPECT(fx.good);
    EXPECT(strstr(fx.out.p, "tcp 10.0.0.2:7: 0 bytes heard, 0 sent; Connection refused") != NULL);
    fx_lab_fini(&fx);
}

TEST("what is accepted beyond the number that is served is closed at once")
{
    static char text[16384];
    struct txt t = txt_of(text, sizeof(text));
    txt_s(&t, TWO_HOSTS "at 0 b tcp listen 7 say \"in\" backlog 100\n");
    for (unsigned i = 0; i < TCP_TALKS_MAX + 3; i++)
        txt_s(&t, "at 1s a tcp connect 10.0.0.2:7\n");
    txt_s(&t, "expect b tcp 7 accepted 67\n"
              "expect a tcp @1 text \"in\"\n"
              "expect a tcp received 0 eof\n");
    EXPECT(!t.cut);
    fx_lab_holds(text);
}

TEST("a listener that stops leaves its connections alone")
{
    fx_lab_holds(TWO_HOSTS
                 "at 0 b tcp listen 7 echo\n"
                 "at 1s a tcp connect 10.0.0.2:7\n"
                 "at 2s b tcp unlisten 7\n"
                 "at 3s a tcp say \"still\"\n"
                 "at 4s a tcp connect 10.0.0.2:7\n"
                 "expect a tcp @1 text \"still\"\n"
                 "expect a tcp @2 error ECONNREFUSED\n");
}

TEST("everything works over IPv6 and over the loopback interface")
{
    fx_lab_holds("host a eth0 2001:db8::1/64 nodad\nhost b eth0 2001:db8::2/64 nodad\n"
                 "link a.eth0 b.eth0 delay 1ms\n"
                 "at 0 b tcp listen 7 echo\n"
                 "at 1s a tcp connect [2001:db8::2]:7 send 50k shutdown\n"
                 "expect a tcp received 50k intact eof\n");
}
