/*
 * One stack: every layer, aggregated. Only this directory sees them all.
 *
 *   stack.c     made from a budget, taken down       rx.c      what arrives, top to bottom
 *   limits.c    every limit and where it came from   tx.c      what leaves
 *   timers.c    which module a timer belongs to      api.c     the surface (oriel.h)
 *   snapshot.c  a consistent picture between steps
 */
#ifndef ORIEL_STACK_STACK_H
#define ORIEL_STACK_STACK_H

#include "sock/sock.h"
#include "tcp/tcp.h"

struct limits {
    uint32_t netifs, addrs, routes, neighs, frags, pmtus, groups, nat_sessions, sockets, udp;
    struct tcp_limits tcp;
    uint64_t frag_bytes, packet_bytes;
};

struct oriel_stack {
    struct env env;
    struct trace own_trace;
    struct pkt_mem own_mem;
    struct budget budget;
    struct arena arena;
    struct limits limits;
    struct link link;
    struct ip ip;
    struct udp udp;
    struct tcp tcp;
    struct socks socks;
};

/* Every limit from the two numbers, and the few that a configuration may set itself. */
struct limits limits_from(size_t memory_bytes, uint32_t connections, bool shared_packets,
                          const struct oriel_tcp_config *tcp);

/* rx.c */
void stack_rx(struct oriel_stack *s, struct pkt_batch *rx);
void stack_facts(struct oriel_stack *s);        /* drain what lower layers found out */

/* timers.c */
void stack_timers(struct oriel_stack *s);

/* tx.c */
bool stack_has_output(const struct oriel_stack *s);
bool stack_has_looped(const struct oriel_stack *s);     /* to this host itself: a step will take it */
oriel_time stack_next_own(const struct oriel_stack *s); /* the deadline, whatever waits to be taken */
void stack_loop(struct oriel_stack *s);         /* what connections send to this host itself */
unsigned stack_take(struct oriel_stack *s, struct netif *nif, struct pkt *out[], unsigned max);

#endif
