/*
 * What is learned about packets of ours from below: ICMP errors (RFC 9293, 3.9.2.2; 5927), unresolved
 * neighbours, path MTUs (1191, 8201).
 *
 * An error is believed when it quotes a sequence number that is under way. While a connection is
 * being made a hard error ends it; once it stands all errors are soft: they are told to the
 * application that asks, and become the reason when the user timeout strikes.
 */
#include "tcp/tcp.h"

static struct tcp_tuple tuple_of(const struct fact *f)
{
    return (struct tcp_tuple){
        .local_hi = f->local.addr.hi,
        .local_lo = f->local.addr.lo,
        .remote_hi = f->remote.addr.hi,
        .remote_lo = f->remote.addr.lo,
        .zone = tcp_zone(&f->remote.addr, &f->local.addr),
        .local_port = f->local.port,
        .remote_port = f->remote.port,
    };
}

/* RFC 5927, 4.1: SND.UNA =< SEG.SEQ < SND.NXT; what we found out ourselves is not in doubt. */
static bool under_way(const struct tcp_conn *c, const struct fact *f)
{
    seq_t seq = seq_of(f->seq);
    return !f->from_net || (seq_leq(c->snd.una, seq) && seq_lt(seq, c->snd.nxt));
}

bool tcp_owns(const struct tcp *t, const struct fact *f)
{
    if (f->proto != IP_TCP)
        return false;
    struct tcp_tuple k = tuple_of(f);
    const struct tcp_conn *c = tcp_find(t, &k);
    return c && under_way(c, f);
}

/* The path takes less: whatever is under way and too big goes again, in smaller segments. */
static void on_mtu(struct tcp *t, struct tcp_conn *c)
{
    uint16_t was = c->snd.mss;
    tcp_mss_update(t, c);
    if (c->snd.mss < was && c->flight)
        tcp_recovery_on_mtu(t, c, c->snd.mss);
    tcp_ready_to_send(t, c);
}

static bool ends_opening(const struct tcp_conn *c, const struct fact *f)
{
    bool opening = c->state == TCP_SYN_SENT || (c->state == TCP_SYN_RCVD && !(c->is & TCP_IS_PASSIVE));
    if (!opening)
        return false;
    /* RFC 9293, 3.9.2.2: protocol and port unreachable are hard, of ICMPv6 what is prohibited, too.
     * Parameter problems are soft, and what was found out here (no neighbour, no way): it may pass. */
    return f->from_net && (f->err == ORIEL_ECONNREFUSED || f->err == ORIEL_EACCES);
}

void tcp_on_error(struct tcp *t, const struct fact *f)
{
    struct tcp_tuple k = tuple_of(f);
    struct tcp_conn *c = tcp_find(t, &k);
    if (!c || !under_way(c, f))
        return;
    if (f->kind == FACT_PMTU) {
        on_mtu(t, c);
        return;
    }
    TRACE(t->env, EV_SOCK_ERROR, c->sock, -f->err);
    if (ends_opening(c, f)) {
        tcp_end(t, c, f->err);
        return;
    }
    c->soft_error = f->err;     /* SHLD-25, SHLD-26 with 5927: soft */
    if (c->prof->soft_errors)
        tcp_mark_dirty(t, c);
}
