/*
 * What tcp_reasm.c (what arrives) and tcp_rcvq.c (what waits to be read) share: packets that are
 * nothing but payload, what they cost, and how much they may cost.
 *
 * Memory. rcv.buf counts bytes of the stream: so many may wait to be read. What they take in memory
 * is another matter: one byte may come in a block of two kilobytes. So every promise (the right
 * edge that we advertise) has memory set aside for it:
 *
 *     memory of what waits, in order or not + 2 * bytes promised and not here yet <= 3 * rcv.buf
 *
 * tcp_window moves the edge only as far as this holds, and what arrives keeps it: a packet that
 * takes at most twice its bytes lowers the sum, and one that takes more is copied together with its
 * neighbour as soon as the sum would exceed the bound (squeeze). So a promise can always be kept,
 * whatever sizes the peer chooses, within a block or two more than three times the buffer. The
 * common case, full segments in blocks of a frame, takes 1.6 bytes of memory a byte and is never
 * copied.
 *
 * All connections together share the stack's budget. It cannot be set aside for each (nobody reads
 * from five million connections at once), but nobody is promised more than a quarter of what is
 * free, and data out of order, which we may refuse, leaves an eighth of the budget alone.
 */
#ifndef ORIEL_TCP_TCP_RCV_H
#define ORIEL_TCP_TCP_RCV_H

#include "tcp/tcp.h"

#define RCV_MEMORY   3          /* times rcv.buf: memory for what was received */
#define RCV_PER_BYTE 2          /* bytes of memory set aside for a byte that was promised */

/* Memory that p takes as long as it is queued. */
static inline uint32_t rcv_cost(const struct pkt *p)
{
    return (uint32_t)p->charge * PKT_CHARGE_UNIT;
}

/* Sequence numbers that the peer may still use. */
static inline uint32_t rcv_promised(const struct tcp_conn *c)
{
    int32_t n = seq_diff(c->rcv.nxt, c->rcv.adv);
    return n > 0 ? (uint32_t)n : 0;
}

/* The left side of the rule above, in bytes. */
static inline uint64_t rcv_memory(const struct tcp_conn *c)
{
    uint64_t held = c->rcv.charge, promised = rcv_promised(c);
    if (oriel_unlikely(c->flight && c->flight->ooo.tree.n > 0)) {
        held += c->flight->ooo.charge;
        promised -= c->flight->ooo.bytes;
    }
    return held + RCV_PER_BYTE * promised;
}

/* Sequence number of the next byte to be read. */
static inline seq_t rcv_read_at(const struct tcp_conn *c)
{
    uint32_t fin = (c->is & TCP_IS_FIN_RCVD) != 0;
    return seq_add(c->rcv.nxt, 0 - c->rcv.unread - fin);
}

/* tcp_rcvq.c */

/* A chain of packets joins what waits to be read. */
static inline void rcvq_link(struct tcp_conn *c, struct pkt *first, struct pkt *last, uint32_t cost)
{
    c->rcv.charge += cost;
    if (oriel_likely(c->rcvq_last != NULL)) {
        c->rcvq_last->next = first;
    } else {
        c->rcvq = first;
        c->rcvq_off = 0;
    }
    c->rcvq_last = last;
}

/* Is it to be squeezed where memory is short? */
static inline bool rcv_costly(const struct pkt *p, uint32_t len)
{
    return rcv_cost(p) > RCV_PER_BYTE * len;
}

/* The same of a packet that takes much memory for its bytes: perhaps squeezed. */
void tcp_rcvq_append_costly(struct tcp *t, struct tcp_conn *c, struct pkt *p, uint32_t len);

/* len bytes of payload, the next in order, join the queue: rcv.nxt moves. Consumes p. */
static inline void tcp_rcvq_append(struct tcp *t, struct tcp_conn *c, struct pkt *p, uint32_t len)
{
    c->rcv.nxt = seq_add(c->rcv.nxt, len);
    c->rcv.unread += len;
    c->stat.bytes_in += len;
    if (oriel_unlikely(rcv_costly(p, len)))
        tcp_rcvq_append_costly(t, c, p, len);
    else
        rcvq_link(c, p, p, rcv_cost(p));
}
/* rcv.nxt moved from there, and an urgent byte is expected. */
void tcp_urgent_on_arrived(struct tcp *t, struct tcp_conn *c, seq_t from);
/*
 * p's len bytes take more memory than they are worth: copied into the room behind those of `last`
 * (NULL: none) as far as it goes, what is left to the start of a block of a frame, for more to
 * follow. p, or another in its place, or NULL when nothing is left; *len is what it holds. Copies
 * len bytes.
 */
struct pkt *tcp_rcv_squeeze(struct env *env, struct pkt *last, struct pkt *p, uint32_t *len);

/* tcp_reasm.c: n bytes off the front of p; they may reach beyond its head. */
void tcp_rcv_strip_slow(struct pkt *p, uint32_t n);

static inline void tcp_rcv_strip(struct pkt *p, uint32_t n)
{
    if (oriel_unlikely(n > p->head.len)) {
        tcp_rcv_strip_slow(p, n);
        return;
    }
    p->head.off += n;
    p->head.len -= n;
    p->l3 = 0;
    p->l4 = 0;
}

/* All n bytes of its head. */
static inline void tcp_rcv_strip_head(struct pkt *p, uint32_t n)
{
    p->head.off += n;
    p->head.len = 0;
    p->l3 = 0;
    p->l4 = 0;
}

#endif
