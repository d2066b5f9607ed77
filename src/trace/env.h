/*
 * What every module of one stack stands on: the time, randomness, timers, secrets, counters, the
 * trace, and the queue of facts that belong to nobody on the way. One per stack; each module keeps
 * a pointer to it.
 */
#ifndef ORIEL_TRACE_ENV_H
#define ORIEL_TRACE_ENV_H

#include "base/csum.h"
#include "base/hmap.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "base/wheel.h"
#include "trace/trace.h"

/* Who acts when a timer fires; the stack dispatches by it (stack/timers.c). */
enum timer_kind {
    TIMER_NONE,
    TIMER_NEIGH,
    TIMER_FRAG,
    TIMER_ADDR,         /* one address: DAD, lifetimes, conflict probes */
    TIMER_IF,           /* one interface: router solicitation, multicast reports */
    TIMER_ROUTER,       /* default routers and prefixes learned */
    TIMER_PMTU,
    TIMER_NAT,
    TIMER_MCAST,
    TIMER_RARP,
    TIMER_TCP,          /* one connection: the earliest of its deadlines */
    TIMER_TCP_PACE,     /* one connection's departure; in a wheel of its own */
    TIMER_TCP_HALF_OPEN, /* the table of half-open connections */
    TIMER_TCP_TIME_WAIT, /* the table of connections that have ended */
    TIMER_TCP_SHORTAGE, /* connections that were refused for want of memory */
};

/*
 * A fact for a transport that was learned below it. Errors carry the flow as we sent it: `local` is
 * our side.
 */
enum fact_kind {
    FACT_ERROR,         /* a packet of that flow was reported undeliverable */
    FACT_PMTU,          /* the same, because it was too big: mtu is what the report says */
};

struct fact {
    uint8_t kind;
    uint8_t proto;
    bool from_net;      /* an ICMP message said so; otherwise this host found out itself */
    int16_t err;        /* enum oriel_err */
    uint8_t icmp_type;  /* as received (of its own family), 0 when we found out ourselves */
    uint8_t icmp_code;
    struct oriel_endpoint local;
    struct oriel_endpoint remote;   /* echo: port holds the identifier in local */
    struct oriel_addr from;         /* who reported */
    uint32_t mtu;       /* as told; 0 from old routers */
    uint32_t quoted_len;        /* of the packet that did not arrive */
    uint32_t seq;       /* TCP: the quoted sequence number */
    uint64_t cause;     /* event */
};

#define FACTS_MAX 64

struct fact_queue {
    struct fact f[FACTS_MAX];
    uint32_t n;
    uint64_t lost;      /* facts that found the queue full; a transport's timer will find out */
};

struct pkt_mem;
struct budget;

struct env {
    oriel_time now;
    uint32_t trace_mask;            /* topics that are on */
    uint16_t node;
    uint64_t cause;                 /* event that is being acted upon */
    struct trace *trace;
    struct pkt_mem *mem;            /* pools of packets; may be shared with other stacks */
    struct budget *budget;          /* what this stack may hold of them */
    const struct csum_ops *csum;
    uint64_t hash_seed;             /* of every table */
    uint8_t seed[32];               /* keys are derived from it (siphash_derive) */
    struct rng rng;
    struct fact_queue facts;
    uint64_t why_count[WHY_N];
    uint64_t drop_count[DROP_N];
    struct wheel wheel;
};

/* Append an event; its id. `what` is the event, its reasons beside it: no more than registers can hold. */
uint64_t trace_write(struct env *env, uint32_t what, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* The same in words. Use through TRACE. */
static inline uint64_t trace_put(struct env *env, enum event ev, enum why why, enum drop drop,
                                 uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint32_t what = (uint32_t)ev | (uint32_t)why << 16 | (uint32_t)drop << 24;
    return trace_write(env, what, a, b, c, d);
}

#define TRACE_ON(env, ev) (ORIEL_TRACE && oriel_unlikely((env)->trace_mask & event_topic_bit(ev)))

/* Trace an event: up to four numbers. Arguments are not evaluated when the topic is off. */
#define TRACE(env, ev, ...)   TRACE_4(env, ev, WHY_NONE, DROP_NONE, __VA_ARGS__, 0, 0, 0, 0)
/* The same with a reason to send. */
#define TRACE_WHY(env, ev, why, ...) TRACE_4(env, ev, why, DROP_NONE, __VA_ARGS__, 0, 0, 0, 0)
#define TRACE_4(env, ev, why, drop, a, b, c, d, ...)                                               \
    do {                                                                                           \
        if (TRACE_ON(env, ev))                                                                     \
            (void)trace_put(env, ev, why, drop, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c),       \
                            (uint64_t)(d));                                                        \
    } while (0)

/* Queue a fact for the transports; drained by the stack in the same step. */
void env_fact(struct env *env, const struct fact *f);

void env_arm(struct env *env, struct timer *t, oriel_time deadline);
void env_arm_in(struct env *env, struct timer *t, oriel_time delay);

static inline void env_cancel(struct env *env, struct timer *t)
{
    if (timer_armed(t))
        wheel_cancel(&env->wheel, t);
}

#endif
