/*
 * The states of RFC 9293, 3.3.2, through one door. The table below is the figure of that section with
 * the transitions that its text adds: it is asserted here, enumerated by a test and drawn by others.
 *
 * LISTEN, SYN-RECEIVED of a passive open and TIME-WAIT are records of their own kinds most of the
 * time (tcp_listen.h); here they appear where a connection is born from one or becomes one.
 */
#include "tcp/tcp.h"

static const uint16_t legal_next[TCP_STATES] = {
    [TCP_CLOSED] = BIT(TCP_SYN_SENT) | BIT(TCP_SYN_RCVD),
    [TCP_SYN_SENT] = BIT(TCP_SYN_RCVD) | BIT(TCP_ESTABLISHED) | BIT(TCP_CLOSED),
    [TCP_SYN_RCVD] = BIT(TCP_ESTABLISHED) | BIT(TCP_FIN_WAIT_1) | BIT(TCP_CLOSE_WAIT) |
                     BIT(TCP_CLOSED),
    [TCP_ESTABLISHED] = BIT(TCP_FIN_WAIT_1) | BIT(TCP_CLOSE_WAIT) | BIT(TCP_CLOSED),
    [TCP_FIN_WAIT_1] = BIT(TCP_FIN_WAIT_2) | BIT(TCP_CLOSING) | BIT(TCP_TIME_WAIT) |
                       BIT(TCP_CLOSED),
    [TCP_FIN_WAIT_2] = BIT(TCP_TIME_WAIT) | BIT(TCP_CLOSED),
    [TCP_CLOSE_WAIT] = BIT(TCP_LAST_ACK) | BIT(TCP_CLOSED),
    [TCP_CLOSING] = BIT(TCP_TIME_WAIT) | BIT(TCP_CLOSED),
    [TCP_LAST_ACK] = BIT(TCP_CLOSED),
    [TCP_TIME_WAIT] = BIT(TCP_CLOSED),
};

bool tcp_state_legal(unsigned from, unsigned to)
{
    return from < TCP_STATES && to < TCP_STATES && (legal_next[from] & BIT(to)) != 0;
}

void tcp_set_state(struct tcp *t, struct tcp_conn *c, unsigned to)
{
    ORIEL_ASSERT(tcp_state_legal(c->state, to));
    TRACE(t->env, EV_TCP_STATE, tcp_conn_id(t, c), c->state, to);
    c->state = (uint8_t)to;
    tcp_timer_on_state(t, c);
    tcp_mark_dirty(t, c);
}

const char *oriel_tcp_state_name(enum oriel_tcp_state st)
{
    static const char *const names[TCP_STATES] = {
        [TCP_CLOSED] = "CLOSED",           [TCP_LISTEN] = "LISTEN",
        [TCP_SYN_SENT] = "SYN_SENT",       [TCP_SYN_RCVD] = "SYN_RCVD",
        [TCP_ESTABLISHED] = "ESTABLISHED", [TCP_FIN_WAIT_1] = "FIN_WAIT_1",
        [TCP_FIN_WAIT_2] = "FIN_WAIT_2",   [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [TCP_CLOSING] = "CLOSING",         [TCP_LAST_ACK] = "LAST_ACK",
        [TCP_TIME_WAIT] = "TIME_WAIT",
    };
    return (unsigned)st < TCP_STATES ? names[st] : "?";
}
