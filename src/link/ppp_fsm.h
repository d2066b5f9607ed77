/*
 * The automaton of PPP's control protocols (RFC 1661, section 4): LCP, IPCP and IPV6CP each run one.
 *
 * The table says what an event does in a state: actions, and the state that follows. It decides nothing
 * else: whoever owns an automaton performs the actions, in the order of enum ppp_action.
 */
#ifndef ORIEL_LINK_PPP_FSM_H
#define ORIEL_LINK_PPP_FSM_H

#include "base/bytes.h"

enum ppp_state {
    PPP_INITIAL,                /* the layer below is down, and nobody wants to open */
    PPP_STARTING,               /* the same, and somebody does */
    PPP_CLOSED,
    PPP_STOPPED,
    PPP_CLOSING,
    PPP_STOPPING,
    PPP_REQ_SENT,
    PPP_ACK_RCVD,
    PPP_ACK_SENT,
    PPP_OPENED,
    PPP_STATES,
    PPP_NOT_POSSIBLE = PPP_STATES       /* the event cannot happen in that state */
};

enum ppp_event {
    PPP_EV_UP,
    PPP_EV_DOWN,
    PPP_EV_OPEN,
    PPP_EV_CLOSE,
    PPP_EV_TIMEOUT_MORE,        /* TO+: the restart counter is above zero */
    PPP_EV_TIMEOUT_LAST,        /* TO- */
    PPP_EV_REQUEST_GOOD,        /* RCR+ */
    PPP_EV_REQUEST_BAD,         /* RCR- */
    PPP_EV_ACK,                 /* RCA */
    PPP_EV_NAK,                 /* RCN: Nak or Reject */
    PPP_EV_TERM_REQUEST,        /* RTR */
    PPP_EV_TERM_ACK,            /* RTA */
    PPP_EV_UNKNOWN_CODE,        /* RUC */
    PPP_EV_REJECT_MILD,         /* RXJ+: of something that one can do without */
    PPP_EV_REJECT_FATAL,        /* RXJ- */
    PPP_EV_ECHO,                /* RXR: Echo-Request, Echo-Reply, Discard-Request */
    PPP_EVENTS
};

enum ppp_action {               /* in this order */
    PPP_TLD = 1 << 0,           /* this layer goes down */
    PPP_IRC = 1 << 1,           /* the restart counter begins anew */
    PPP_ZRC = 1 << 2,           /* ... at zero: wait for one timeout */
    PPP_SCR = 1 << 3,           /* send Configure-Request */
    PPP_SCA = 1 << 4,           /* ... -Ack */
    PPP_SCN = 1 << 5,           /* ... -Nak or -Reject */
    PPP_STR = 1 << 6,           /* Terminate-Request */
    PPP_STA = 1 << 7,           /* Terminate-Ack */
    PPP_SCJ = 1 << 8,           /* Code-Reject */
    PPP_SER = 1 << 9,           /* Echo-Reply */
    PPP_TLU = 1 << 10,          /* this layer is up */
    PPP_TLS = 1 << 11,          /* the layer below is needed */
    PPP_TLF = 1 << 12,          /* the layer below is not needed any more */
};

struct ppp_step {
    uint16_t actions;           /* enum ppp_action */
    uint8_t next;               /* enum ppp_state; PPP_NOT_POSSIBLE: nothing happens */
};

struct ppp_step ppp_fsm_step(enum ppp_state state, enum ppp_event event);

/* The restart timer runs: RFC 1661, 4.2. */
static inline bool ppp_fsm_is_timed(enum ppp_state s)
{
    return s >= PPP_CLOSING && s <= PPP_ACK_SENT;
}

const char *ppp_state_name(enum ppp_state s);   /* "Req-Sent" */

#endif
