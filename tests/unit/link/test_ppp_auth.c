#include "fx_ppp.h"

static struct fx_ppp fx;

/* a asks; b says. */
static void begin(enum ppp_auth_kind kind, const char *name, const char *word)
{
    fx_init(&fx);
    fx.end[0].cfg.auth = kind;
    fx_secret(&fx.end[0].cfg.peer, "bob", "open sesame");
    if (name)
        fx_secret(&fx.end[1].cfg.own, name, word);
    fx_begin(&fx);
    fx_run(&fx, 3 * NS_PER_S);
}

TEST("the right name and password open the link, with PAP and with CHAP")
{
    for (unsigned kind = PPP_AUTH_PAP; kind <= PPP_AUTH_CHAP; kind++) {
        begin(kind, "bob", "open sesame");
        EXPECT_EQ(fx.end[0].l.phase, PPP_NETWORK);
        EXPECT_EQ(fx.end[1].l.phase, PPP_NETWORK);
        EXPECT(ppp_has_ip4(&fx.end[0].l));
    }
    EXPECT(fx_said(&fx, "b: CHAP Response"));
    EXPECT(fx_said(&fx, "a: CHAP Success"));
}

TEST("a wrong password, a wrong name, and half of one are refused; both ends know why")
{
    static const char *const wrong[][2] = {{"bob", "open"}, {"bob", "open sesamE"}, {"bob", "open sesame!"},
                                           {"Bob", "open sesame"}, {"bob", ""}};
    for (unsigned kind = PPP_AUTH_PAP; kind <= PPP_AUTH_CHAP; kind++)
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
            begin(kind, wrong[i][0], wrong[i][1]);
            EXPECT_EQ(fx.end[0].l.end, PPP_END_NOT_PROVEN);
            EXPECT_EQ(fx.end[1].l.end, PPP_END_REFUSED);
            EXPECT(!fx_said(&fx, "IPCP"));
        }
}

TEST("a peer that has no name does not get in, and knows what is asked for")
{
    begin(PPP_AUTH_CHAP, NULL, NULL);
    EXPECT_EQ(fx.end[0].l.end, PPP_END_NOT_PROVEN);
    EXPECT_EQ(fx.end[1].l.end, PPP_END_NO_SECRET);
}

TEST("who says no password as it is offers CHAP instead")
{
    fx_init(&fx);
    fx.end[0].cfg.auth = PPP_AUTH_PAP;
    fx_secret(&fx.end[0].cfg.peer, "bob", "open sesame");
    fx_secret(&fx.end[1].cfg.own, "bob", "open sesame");
    fx.end[1].cfg.no_pap = true;
    fx_begin(&fx);
    fx_run(&fx, 3 * NS_PER_S);
    EXPECT(fx_said(&fx, "b: LCP Configuration Nak"));
    EXPECT(!fx_said(&fx, "PAP Authenticate-Request"));
    EXPECT_EQ(fx.end[0].l.end, PPP_END_NOT_PROVEN);
}

TEST("a response is the digest of number, password and challenge")
{
    begin(PPP_AUTH_CHAP, "bob", "open sesame");
    static const uint8_t challenge[] = {1, 0x21, 0, 13, 4, 1, 2, 3, 4, 'i', 's', 'p', '1'};
    /* md5(0x21 "open sesame" 01 02 03 04) */
    static const uint8_t want[] = {0xf6, 0xb9, 0xa9, 0x8e, 0xe4, 0xb5, 0x68, 0xe9,
                                   0x43, 0x42, 0x43, 0x6b, 0x89, 0xa0, 0xfc, 0x84};
    fx_inject(&fx, 1, PPP_CHAP, challenge, sizeof challenge);
    EXPECT_MEM(fx.end[1].l.us.value, want, sizeof want);
    EXPECT(fx_said(&fx, "b: CHAP Response id 33 name \"bob\""));
}

TEST("our own challenge that comes back is not answered")
{
    COVERS("S39");
    fx_init(&fx);
    fx_secret(&fx.end[0].cfg.peer, "bob", "open sesame");
    fx_secret(&fx.end[0].cfg.own, "bob", "open sesame");
    fx_secret(&fx.end[1].cfg.own, "bob", "wrong");
    fx_secret(&fx.end[1].cfg.peer, "bob", "wrong");
    fx.end[0].cfg.auth = fx.end[1].cfg.auth = PPP_AUTH_CHAP;
    fx_begin(&fx);
    while (!fx.end[0].l.them.begun)
        fx_step(&fx, false);
    uint8_t mirror[4 + 1 + PPP_CHALLENGE_LEN] = {1, 9, 0, sizeof mirror, PPP_CHALLENGE_LEN};
    memcpy(mirror + 5, fx.end[0].l.them.value, PPP_CHALLENGE_LEN);
    unsigned dropped = fx.end[0].l.dropped;
    fx_forget(&fx);
    fx_inject(&fx, 0, PPP_CHAP, mirror, sizeof mirror);
    EXPECT(!fx_said(&fx, "a: CHAP Response"));
    EXPECT_EQ(fx.end[0].l.dropped, dropped + 1);
}

TEST("packets of authentication with lengths that lie are dropped")
{
    COVERS("S39");
    static const uint8_t pap[] = {1, 1, 0, 10, 200, 'b', 'o', 'b', 1, 'x'};
    static const uint8_t chap[] = {2, 1, 0, 8, 16, 1, 2, 3};
    fx_init(&fx);
    fx.end[0].cfg.auth = PPP_AUTH_CHAP;
    fx_secret(&fx.end[0].cfg.peer, "bob", "open sesame");
    fx_secret(&fx.end[1].cfg.own, "bob", "open sesame");
    fx_begin(&fx);
    while (fx.end[0].l.phase != PPP_AUTHENTICATE)
        fx_step(&fx, false);
    uint8_t mine[sizeof chap];
    memcpy(mine, chap, sizeof chap);
    mine[1] = fx.end[0].l.them.id;
    fx_inject(&fx, 0, PPP_PAP, pap, sizeof pap);
    fx_inject(&fx, 0, PPP_CHAP, mine, sizeof mine);
    EXPECT_EQ(fx.end[0].l.dropped, 2);
    EXPECT_EQ(fx.end[0].l.phase, PPP_AUTHENTICATE);
    fx_run(&fx, NS_PER_S);
    EXPECT_EQ(fx.end[0].l.phase, PPP_NETWORK);
}
