/*
 * More accurate ECN feedback (RFC 9768). Three header flags, AE, CWR and ECE, form a counter (ACE):
 * how many packets with a congestion mark arrived, modulo 8, beginning at 5. The sender takes the
 * difference to what it heard last; where more than seven marks may have come between two
 * acknowledgements it assumes the most that the acknowledged packets allow.
 *
 * The option that counts bytes is not sent (it is a SHOULD where header space allows): ACE alone is
 * the feedback, and bytes are estimated as packets times the MSS.
 */
#include "tcp/tcp.h"

#define ACE_START 5

static uint16_t flags_of(uint32_t ace)
{
    return (uint16_t)(((ace & 4) ? TCP_AE : 0) | ((ace & 2) ? TCP_CWR : 0) |
                      ((ace & 1) ? TCP_ECE : 0));
}

static uint32_t ace_of(uint16_t flags)
{
    return ((flags & TCP_AE) ? 4u : 0u) | ((flags & TCP_CWR) ? 2u : 0u) |
           ((flags & TCP_ECE) ? 1u : 0u);
}

uint16_t tcp_accecn_flags(struct tcp_conn *c)
{
    if (!c->flight)
        return flags_of(ACE_START);
    uint32_t ace = c->flight->ecn.syn_ack ? c->flight->ecn.syn_ack : c->flight->ecn.ce_pkts + ACE_START;
    c->flight->ecn.syn_ack = 0;
    return flags_of(ace);
}

void tcp_accecn_on_syn_ack(struct tcp_conn *c, uint8_t tos)
{
    static const uint8_t code[] = {2, 3, 4, 6};         /* 3.2.2.1: not ECT, ECT(1), ECT(0), CE */
    c->flight->ecn.syn_ack = code[tos & 3];
    c->flight->ecn.ce_pkts = (tos & 3) == 3;
}

void tcp_accecn_on_segment(struct tcp *t, struct tcp_conn *c, const struct tcp_seg *g)
{
    if ((g->tos & 3) != 3 || !c->flight)
        return;
    c->flight->ecn.ce_pkts++;
    tcp_ack_now(t, c, WHY_ACK_ECN);
}

/* Packets that the acknowledgement covers at most, so that a wrapped counter is bounded. */
static uint32_t packets_covered(const struct tcp_conn *c, const struct tcp_seg *g)
{
    int32_t bytes = seq_diff(c->snd.una, g->ack);
    return bytes > 0 ? ((uint32_t)bytes + c->snd.mss - 1) / c->snd.mss : 1;
}

uint32_t tcp_accecn_ce_bytes(struct tcp_conn *c, const struct tcp_seg *g)
{
    if (!c->flight)
        return 0;
    uint32_t heard = c->flight->ecn.peer_ce_pkts + ACE_START;
    uint32_t delta = (ace_of(g->flags) - heard) & 7;
    uint32_t most = packets_covered(c, g);
    if (delta > most)
        return 0;               /* from before the one that was heard last, or nonsense */
    c->flight->ecn.peer_ce_pkts += delta;
    return delta * c->snd.mss;
}
