#include "test.h"

#include "base/text.h"
#include "link/ppp_fsm.h"

/* The table as RFC 1661, 4.1 prints it; the letters of its footnotes left out. */
static const struct {
    enum ppp_event event;
    const char *cells[PPP_STATES];
} rfc[] = {
    {PPP_EV_UP, {"2", "irc,scr/6", "-", "-", "-", "-", "-", "-", "-", "-"}},
    {PPP_EV_DOWN, {"-", "-", "0", "tls/1", "0", "1", "1", "1", "1", "tld/1"}},
    {PPP_EV_OPEN, {"tls/1", "1", "irc,scr/6", "3", "5", "5", "6", "7", "8", "9"}},
    {PPP_EV_CLOSE, {"0", "tlf/0", "2", "2", "4", "4", "irc,str/4", "irc,str/4", "irc,str/4",
                    "tld,irc,str/4"}},
    {PPP_EV_TIMEOUT_MORE, {"-", "-", "-", "-", "str/4", "str/5", "scr/6", "scr/6", "scr/8", "-"}},
    {PPP_EV_TIMEOUT_LAST, {"-", "-", "-", "-", "tlf/2", "tlf/3", "tlf/3", "tlf/3", "tlf/3", "-"}},
    {PPP_EV_REQUEST_GOOD, {"-", "-", "sta/2", "irc,scr,sca/8", "4", "5", "sca/8", "sca,tlu/9", "sca/8",
                           "tld,scr,sca/8"}},
    {PPP_EV_REQUEST_BAD, {"-", "-", "sta/2", "irc,scr,scn/6", "4", "5", "scn/6", "scn/7", "scn/6",
                          "tld,scr,scn/6"}},
    {PPP_EV_ACK, {"-", "-", "sta/2", "sta/3", "4", "5", "irc/7", "scr/6", "irc,tlu/9", "tld,scr/6"}},
    {PPP_EV_NAK, {"-", "-", "sta/2", "sta/3", "4", "5", "irc,scr/6", "scr/6", "irc,scr/8", "tld,scr/6"}},
    {PPP_EV_TERM_REQUEST, {"-", "-", "sta/2", "sta/3", "sta/4", "sta/5", "sta/6", "sta/6", "sta/6",
                           "tld,zrc,sta/5"}},
    {PPP_EV_TERM_ACK, {"-", "-", "2", "3", "tlf/2", "tlf/3", "6", "6", "8", "tld,scr/6"}},
    {PPP_EV_UNKNOWN_CODE, {"-", "-", "scj/2", "scj/3", "scj/4", "scj/5", "scj/6", "scj/7", "scj/8", "scj/9"}},
    {PPP_EV_REJECT_MILD, {"-", "-", "2", "3", "4", "5", "6", "6", "8", "9"}},
    {PPP_EV_REJECT_FATAL, {"-", "-", "tlf/2", "tlf/3", "tlf/2", "tlf/3", "tlf/3", "tlf/3", "tlf/3",
                           "tld,irc,str/5"}},
    {PPP_EV_ECHO, {"-", "-", "2", "3", "4", "5", "6", "7", "8", "ser/9"}},
};

/* A step as the RFC writes it. */
static const char *written(struct ppp_step s)
{
    static const char *const names[] = {"tld", "irc", "zrc", "scr", "sca", "scn", "str", "sta", "scj", "ser",
                                        "tlu", "tls", "tlf"};
    static char buf[80];
    struct txt t = txt_of(buf, sizeof(buf));
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (s.actions & BIT(i)) {
            txt_s(&t, t.n > 0 ? "," : "");
            txt_s(&t, names[i]);
        }
    if (s.next == PPP_NOT_POSSIBLE) {
        txt_s(&t, "-");
    } else {
        txt_s(&t, t.n > 0 ? "/" : "");
        txt_u(&t, s.next);
    }
    return buf;
}

TEST("every cell of the table is the RFC's")
{
    COVERS("1661-1");
    EXPECT_EQ(ARRAY_LEN(rfc), PPP_EVENTS);
    for (size_t e = 0; e < ARRAY_LEN(rfc); e++)
        for (unsigned s = 0; s < PPP_STATES; s++)
            EXPECT_STR(written(ppp_fsm_step(s, rfc[e].event)), rfc[e].cells[s]);
}

TEST("a state that lasts has no timer: every other one ends by itself")
{
    COVERS("1661-1");
    for (unsigned s = 0; s < PPP_STATES; s++) {
        bool ends = ppp_fsm_step(s, PPP_EV_TIMEOUT_LAST).next != PPP_NOT_POSSIBLE;
        EXPECT_EQ(ppp_fsm_is_timed(s), ends);
    }
    EXPECT_STR(ppp_state_name(PPP_ACK_RCVD), "Ack-Rcvd");
}
