/* The parts of the language that speak of TCP. */
#include "fx_lab.h"

static const struct {
    const char *line;           /* the fourth of a scenario with two hosts */
    const char *error;
} mistakes[] = {
    {"at 1s a tcp",
     "4:12: found the end, expected listen, connect, say, send, read, pause, close, shutdown, "
     "abort, set, mark or unlisten"},
    {"at 1s a tcp lisen 80",
     "4:13: found `lisen`, expected listen, connect, say, send, read, pause, close, shutdown, "
     "abort, set, mark or unlisten; did you mean listen?"},
    {"at 1s a tcp listen",
     "4:19: found the end, expected a whole number"},
    {"at 1s a tcp listen 80 say",
     "4:26: found the end, expected text in quotes"},
    {"at 1s a tcp listen 80 sya \"x\"",
     "4:23: found `sya`, expected say, send, write, read, close, backlog, nodelay, ...; did yo"
     "u mean say?"},
    {"at 1s a tcp listen 80 backlog 0",
     "4:31: found `0`, expected a whole number from 1 to 65535"},
    {"at 1s a tcp listen 80 close after soon",
     "4:35: found `soon`, expected a time such as 0, 100ms, 1.5s or 2m"},
    {"at 1s a tcp listen 80 keepalive 1s 1s",
     "4:38: found the end, expected a whole number"},
    {"at 1s a tcp listen 80 to 70",
     "4:26: found `70`, expected a whole number from 80 to 65535"},
    {"at 1s a tcp connect 10.0.0.2",
     "4:21: found `10.0.0.2`, expected an address and a port, such as 10.0.0.1:7 or [fd00::1]:"
     "7"},
    {"at 1s a tcp connect 10.0.0.2:80 write",
     "4:38: found the end, expected a size such as 64k"},
    {"at 1s a tcp connect 10.0.0.2:80 cc vegas",
     "4:36: found `vegas`, expected newreno, cubic or bbr"},
    {"at 1s a tcp connect 10.0.0.2:80 ecn maybe",
     "4:37: found `maybe`, expected off, passive, on or accurate"},
    {"at 1s a tcp connect 10.0.0.2:80 linger 1us",
     "4:40: found `1us`, expected whole milliseconds in the bounds of this"},
    {"at 1s a tcp connect 10.0.0.2:80 pacing fast",
     "4:40: found `fast`, expected a rate such as 10mbit"},
    {"at 1s a tcp connect 10.0.0.2:80 nodeley",
     "4:33: found `nodeley`, expected say, send, write, read, close, from, nodelay, ...; did y"
     "ou mean nodelay?"},
    {"at 1s a tcp connect 10.0.0.2:80 send much",
     "4:38: found `much`, expected a size such as 1500, 64k or 2M"},
    {"at 1s a tcp say hello",
     "4:17: found `hello`, expected text in quotes"},
    {"at 1s a tcp say @0 \"x\"",
     "4:17: found `@0`, expected a number such as @2, for the second connection"},
    {"at 1s a tcp send @1 100",
     "4:21: found `100`, expected bytes"},
    {"at 1s a tcp set",
     "4:16: found the end, expected an option: nodelay, cork, cc, sndbuf, rcvbuf, linger, ..."},
    {"at 1s a tcp set keepalive 1s 1s 3",
     "4:33: found `3`, expected an option with one value"},
    {"at 1s a tcp unlisten",
     "4:21: found the end, expected the port of a listener"},
    {"at 1s a tcp close 80 now",
     "4:22: found `now`, expected the end of the line"},
    {"config a tcp personality bsd",
     "4:26: found `bsd`, expected oriel, rfc, linux or freebsd"},
    {"config a tcp msl 1us",
     "4:18: found `1us`, expected whole milliseconds in the bounds of this"},
    {"config a tcp window-scale 15",
     "4:27: found `15`, expected a shift from 1 to 14"},
    {"config a tcp no-sak",
     "4:14: found `no-sak`, expected personality, msl, cc, ecn, no-sack, window-scale, ...; di"
     "d you mean no-sack?"},
    {"config a tcp cc reno",
     "4:17: found `reno`, expected newreno, cubic or bbr"},
    {"expect a tcp",
     "4:13: found the end, expected state, states, sent, received, text, intact, error, info, "
     "..."},
    {"expect a tcp 80 state ESTABLISHD",
     "4:23: found `ESTABLISHD`, expected a state such as ESTABLISHED or FIN_WAIT_1; did you me"
     "an ESTABLISHED?"},
    {"expect a tcp states SYN_SENT ESTAB",
     "4:30: found `ESTAB`, expected a state such as ESTABLISHED or FIN_WAIT_1"},
    {"expect a tcp info snd_cwd == 10",
     "4:19: found `snd_cwd`, expected a field of the connection's numbers, such as snd_cwnd; d"
     "id you mean snd_cwnd?"},
    {"expect a tcp info snd_cwnd",
     "4:27: found the end, expected a whole number"},
    {"expect a tcp recieved 3",
     "4:14: found `recieved`, expected state, states, sent, received, text, intact, error, inf"
     "o, ...; did you mean received?"},
    {"expect a tcp error ECONRESET",
     "4:20: found `ECONRESET`, expected an error such as ECONNRESET, ECONNREFUSED, ETIMEDOUT o"
     "r EPIPE, or none"},
    {"expect a tcp all b tcp",
     "4:18: found `b`, expected from"},
    {"expect a tcp all from b udp",
     "4:25: found `udp`, expected tcp; did you mean tcp?"},
    {"expect a tcp rate >= fast",
     "4:22: found `fast`, expected a rate such as 10mbit"},
    {"expect a tcp done between 1s",
     "4:29: found the end, expected a time such as 100ms"},
    {"expect ratio a tcp @1 of b tcp",
     "4:23: found `of`, expected to"},
    {"expect ratio a tcp @1 to b tcp near 1",
     "4:32: found `near`, expected a ratio such as 0.8 or 80%"},
    {"expect ratio a tcp @1 to b tcp >= x",
     "4:35: found `x`, expected a ratio such as 0.8 or 80%"},
};

TEST("a mistake about TCP is reported with line and column, and what should stand there")
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

/* A line that is right; the first action, or the first expectation, of the scenario. */
static struct fx_lab fx;

static const struct sc_act *act_of(const char *line)
{
    char text[512];
    snprintf(text, sizeof(text), TWO_HOSTS "%s\n", line);
    if (!fx_lab_parse(&fx, text, NULL, 0))
        fail_msg("%s", fx.error);
    return &fx.s->acts[0];
}

static const struct ex_tcp *expect_of(const char *line)
{
    (void)act_of(line);
    return fx.s->expects[0].tcp;
}

TEST("a client has where to, what it says, how fast, and its options")
{
    const struct sc_act *a = act_of("at 1s a tcp connect 10.0.0.2:80 from 4000 send 2k write 100 "
                                    "every 5ms shutdown after 1s nodelay cc bbr linger off "
                                    "mss 500");
    const struct tcp_connect_params *c = a->u.tcp_connect;
    EXPECT_EQ(a->kind, ACT_TCP_CONNECT);
    EXPECT_EQ(c->to.port, 80);
    EXPECT_EQ(c->from_port, 4000);
    EXPECT_EQ(c->plan.size, 2048);
    EXPECT_EQ(c->plan.write, 100);
    EXPECT_EQ(c->plan.every, 5 * NS_PER_MS);
    EXPECT_EQ(c->plan.then, TCP_THEN_SHUTDOWN);
    EXPECT_EQ(c->plan.then_after, NS_PER_S);
    EXPECT_EQ(c->plan.settings_n, 4);
    EXPECT_EQ(c->plan.settings[0].opt, ORIEL_OPT_NODELAY);
    EXPECT_EQ(c->plan.settings[1].value, oriel_congestion_named("bbr"));
    EXPECT_EQ(c->plan.settings[2].value, -1);
    EXPECT_EQ(c->plan.settings[3].value, 500);
    fx_lab_fini(&fx);
}

TEST("a listener has what it says to each client")
{
    const struct sc_act *a = act_of("at 0 b tcp listen 42181 say \"Hello\\n\" close after 20ms "
                                    "backlog 3 unread keepalive 10s 1s 5 fastopen");
    const struct tcp_listen_params *l = a->u.tcp_listen;
    EXPECT_EQ(l->local.port, 42181);
    EXPECT_EQ(l->plan.text.n, 6);
    EXPECT_EQ(l->plan.text.p[5], '\n');
    EXPECT_EQ(l->plan.then, TCP_THEN_CLOSE);
    EXPECT_EQ(l->backlog, 3);
    EXPECT(l->plan.unread);
    EXPECT_EQ(l->plan.settings_n, 5);
    EXPECT_EQ(l->plan.settings[0].value, 10000);
    EXPECT_EQ(l->plan.settings[4].opt, ORIEL_OPT_FASTOPEN);
    fx_lab_fini(&fx);
}

TEST("a connection is told by port and number")
{
    const struct sc_act *a = act_of("at 1s b tcp send 80 @2 bytes 64k");
    EXPECT_EQ(a->u.tell.what, TELL_SEND);
    EXPECT_EQ(a->u.tell.who.port, 80);
    EXPECT_EQ(a->u.tell.who.nth, 2);
    EXPECT_EQ(a->u.tell.size, 65536);
    fx_lab_fini(&fx);
    a = act_of("at 1s a tcp set ecn on");
    EXPECT_EQ(a->u.tell.what, TELL_SET);
    EXPECT_EQ(a->u.tell.setting.opt, ORIEL_OPT_ECN);
    EXPECT_EQ(a->u.tell.setting.value, ORIEL_ECN_ON);
    fx_lab_fini(&fx);
}

TEST("settings of a stack are those of the surface")
{
    (void)act_of("config a tcp personality linux msl 30s rto-min 200ms initial-window 4 cc newreno "
                 "ecn accurate half-open 16 no-sack window-scale 7 rcvbuf 64k cookies always");
    const struct oriel_tcp_config *c = &fx.s->nodes[0].cfg.tcp;
    EXPECT_EQ(c->personality, ORIEL_AS_LINUX);
    EXPECT_EQ(c->msl_ms, 30000);
    EXPECT_EQ(c->rto_min_ms, 200);
    EXPECT_EQ(c->initial_window, 4);
    EXPECT_STR(c->congestion, "newreno");
    EXPECT_EQ(c->ecn, ORIEL_ECN_ACCURATE);
    EXPECT_EQ(c->half_open, 16);
    EXPECT(c->no_sack);
    EXPECT_EQ(c->window_scale, 7);
    EXPECT_EQ(c->rcvbuf, 65536);
    EXPECT_EQ(c->cookies, ORIEL_COOKIES_ALWAYS);
    fx_lab_fini(&fx);
    (void)act_of("config a tcp no-window-scale");
    EXPECT_EQ(fx.s->nodes[0].cfg.tcp.window_scale, -1);
    fx_lab_fini(&fx);
}

TEST("expectations take bounds, moments, rates and states")
{
    const struct ex_tcp *x = expect_of("expect a tcp 80 @3 received between 1k 2k rate >= 5mbit "
                                       "done <= 2s intact error none states SYN_SENT ...");
    EXPECT_EQ(x->who.port, 80);
    EXPECT_EQ(x->who.nth, 3);
    EXPECT_EQ(x->received.how, HOW_BETWEEN);
    EXPECT_EQ(x->received.n, 1024);
    EXPECT_EQ(x->received.to, 2048);
    EXPECT_EQ(x->rate.n, 5000000);
    EXPECT_EQ(x->done.n, 2 * NS_PER_S);
    EXPECT(x->intact && x->has_err && x->err == 0);
    EXPECT_EQ(x->states_n, 1);
    EXPECT(x->states_open);
    fx_lab_fini(&fx);
}

/* The text, cut anywhere, is read or refused, and nothing else happens. */
TEST("every beginning of a scenario with TCP is read or refused")
{
    static const char text[] =
        TWO_HOSTS
        "config a tcp msl 1s cc bbr no-sack window-scale 7\n"
        "at 0 b tcp listen 7 say \"x\\n\" write 10 every 1ms keepalive 1s 1s 3 linger off to 9\n"
        "at 1s a tcp connect 10.0.0.2:7 send 64k read 9 ecn accurate pacing 1mbit fastopen\n"
        "at 2s a tcp set @1 mss 500\n"
        "at 2s a tcp send 7 @2 bytes 1M\n"
        "expect a tcp 7 @1 received between 1k 2k all from b tcp 7 info snd_cwnd >= 1\n"
        "expect a tcp states SYN_SENT ...\n"
        "expect ratio a tcp to b tcp 7 between 0.5 200%\n";
    char part[sizeof(text)];
    for (size_t n = 0; n < sizeof(text); n++) {
        memcpy(part, text, n);
        part[n] = '\0';
        if (!fx_lab_parse(&fx, part, NULL, 0))
            EXPECT(fx.error[0] != '\0');
        fx_lab_fini(&fx);
    }
}

TEST("a ratio is a share or a number")
{
    const struct ex_tcp *x = expect_of("expect ratio a tcp @1 to b tcp 80 between 80% 1.25");
    EXPECT_EQ(x->who.nth, 1);
    EXPECT_EQ(x->other.port, 80);
    EXPECT_EQ(x->ratio.n, 800000);
    EXPECT_EQ(x->ratio.to, 1250000);
    fx_lab_fini(&fx);
}

TEST("a number of the connection is found by the name that Linux gave it")
{
    const struct ex_tcp *x = expect_of("expect a tcp info snd_cwnd == 10");
    EXPECT(x->field != NULL);
    EXPECT_EQ(x->info.how, HOW_EXACTLY);
    EXPECT_EQ(x->info.n, 10);
    fx_lab_fini(&fx);
}
