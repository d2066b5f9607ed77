/* The table of RFC 1661, 4.1, cell by cell: a row an event, a column a state. */
#include "link/ppp_fsm.h"

#define TLD PPP_TLD
#define IRC PPP_IRC
#define ZRC PPP_ZRC
#define SCR PPP_SCR
#define SCA PPP_SCA
#define SCN PPP_SCN
#define STR PPP_STR
#define STA PPP_STA
#define SCJ PPP_SCJ
#define SER PPP_SER
#define TLU PPP_TLU
#define TLS PPP_TLS
#define TLF PPP_TLF
#define NO  {0, PPP_NOT_POSSIBLE}

static const struct ppp_step table[PPP_EVENTS][PPP_STATES] = {
    /*  Initial  Starting  Closed  Stopped  Closing  Stopping  Req-Sent  Ack-Rcvd  Ack-Sent  Opened */
    [PPP_EV_UP] = {{0, 2}, {IRC | SCR, 6}, NO, NO, NO, NO, NO, NO, NO, NO},
    [PPP_EV_DOWN] = {NO, NO, {0, 0}, {TLS, 1}, {0, 0}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {TLD, 1}},
    [PPP_EV_OPEN] = {{TLS, 1}, {0, 1}, {IRC | SCR, 6}, {0, 3}, {0, 5}, {0, 5}, {0, 6}, {0, 7}, {0, 8},
                     {0, 9}},
    [PPP_EV_CLOSE] = {{0, 0}, {TLF, 0}, {0, 2}, {0, 2}, {0, 4}, {0, 4}, {IRC | STR, 4}, {IRC | STR, 4},
                      {IRC | STR, 4}, {TLD | IRC | STR, 4}},

    [PPP_EV_TIMEOUT_MORE] = {NO, NO, NO, NO, {STR, 4}, {STR, 5}, {SCR, 6}, {SCR, 6}, {SCR, 8}, NO},
    [PPP_EV_TIMEOUT_LAST] = {NO, NO, NO, NO, {TLF, 2}, {TLF, 3}, {TLF, 3}, {TLF, 3}, {TLF, 3}, NO},

    [PPP_EV_REQUEST_GOOD] = {NO, NO, {STA, 2}, {IRC | SCR | SCA, 8}, {0, 4}, {0, 5}, {SCA, 8}, {SCA | TLU, 9},
                             {SCA, 8}, {TLD | SCR | SCA, 8}},
    [PPP_EV_REQUEST_BAD] = {NO, NO, {STA, 2}, {IRC | SCR | SCN, 6}, {0, 4}, {0, 5}, {SCN, 6}, {SCN, 7},
                            {SCN, 6}, {TLD | SCR | SCN, 6}},
    [PPP_EV_ACK] = {NO, NO, {STA, 2}, {STA, 3}, {0, 4}, {0, 5}, {IRC, 7}, {SCR, 6}, {IRC | TLU, 9},
                    {TLD | SCR, 6}},
    [PPP_EV_NAK] = {NO, NO, {STA, 2}, {STA, 3}, {0, 4}, {0, 5}, {IRC | SCR, 6}, {SCR, 6}, {IRC | SCR, 8},
                    {TLD | SCR, 6}},

    [PPP_EV_TERM_REQUEST] = {NO, NO, {STA, 2}, {STA, 3}, {STA, 4}, {STA, 5}, {STA, 6}, {STA, 6}, {STA, 6},
                             {TLD | ZRC | STA, 5}},
    [PPP_EV_TERM_ACK] = {NO, NO, {0, 2}, {0, 3}, {TLF, 2}, {TLF, 3}, {0, 6}, {0, 6}, {0, 8}, {TLD | SCR, 6}},

    [PPP_EV_UNKNOWN_CODE] = {NO, NO, {SCJ, 2}, {SCJ, 3}, {SCJ, 4}, {SCJ, 5}, {SCJ, 6}, {SCJ, 7}, {SCJ, 8},
                             {SCJ, 9}},
    [PPP_EV_REJECT_MILD] = {NO, NO, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 6}, {0, 6}, {0, 8}, {0, 9}},
    [PPP_EV_REJECT_FATAL] = {NO, NO, {TLF, 2}, {TLF, 3}, {TLF, 2}, {TLF, 3}, {TLF, 3}, {TLF, 3}, {TLF, 3},
                             {TLD | IRC | STR, 5}},

    [PPP_EV_ECHO] = {NO, NO, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {0, 6}, {0, 7}, {0, 8}, {SER, 9}},
};

struct ppp_step ppp_fsm_step(enum ppp_state state, enum ppp_event event)
{
    ORIEL_ASSERT(state < PPP_STATES);
    ORIEL_ASSERT(event < PPP_EVENTS);
    return table[event][state];
}

const char *ppp_state_name(enum ppp_state s)
{
    static const char *const names[PPP_STATES] = {
        "Initial", "Starting", "Closed", "Stopped", "Closing",
        "Stopping", "Req-Sent", "Ack-Rcvd", "Ack-Sent", "Opened",
    };
    ORIEL_ASSERT(s < PPP_STATES);
    return names[s];
}
