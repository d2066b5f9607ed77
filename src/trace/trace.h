/*
 * What happened and why: reasons (why.def, drop.def), events (event.def), the ring they go to.
 *
 * An event is one 64-byte record with the id of the event that caused it, so that any record can be
 * followed back to where it began. Records go to a ring that never blocks: when the reader is too
 * slow the oldest are overwritten and counted as lost. Off, a hook costs one test of a hot word.
 *
 * One ring may be shared by all the stacks of a world: ids are then unique in the world.
 */
#ifndef ORIEL_TRACE_TRACE_H
#define ORIEL_TRACE_TRACE_H

#include "base/clock.h"
#include "base/pool.h"
#include "base/text.h"

#ifndef ORIEL_TRACE
#define ORIEL_TRACE 1
#endif

enum why {
    WHY_NONE = 0,
#define WHY(name, rfc, text) WHY_##name,
#include "trace/why.def"
#undef WHY
    WHY_N
};

enum drop {
    DROP_NONE = 0,
#define DROP(name, rfc, text) DROP_##name,
#include "trace/drop.def"
#undef DROP
    DROP_N
};

enum event {
    EV_NONE = 0,
#define EVENT(name, topic, a, b, c, d, text) EV_##name,
#include "trace/event.def"
#undef EVENT
    EV_N
};

enum topic {
    TOPIC_LINK,
    TOPIC_IP,
    TOPIC_NEIGH,
    TOPIC_SOCK,
    TOPIC_TIMER,
    TOPIC_DROP,
    TOPIC_WIRE,
    TOPIC_TCP_SEG,
    TOPIC_TCP_STATE,
    TOPIC_TCP_CC,
    TOPIC_TCP_LOSS,
    TOPIC_TCP_TIMER,
    TOPIC_N
};

/* The calls of the surface, as EV_CALL numbers them. */
enum oriel_call {
    ORIEL_CALL_NETIF_ADD,
    ORIEL_CALL_NETIF_REMOVE,
    ORIEL_CALL_NETIF_UP,
    ORIEL_CALL_NETIF_CARRIER,
    ORIEL_CALL_NETIF_MTU,
    ORIEL_CALL_RARP,
    ORIEL_CALL_ADDR_ADD,
    ORIEL_CALL_ADDR_REMOVE,
    ORIEL_CALL_ROUTE_ADD,
    ORIEL_CALL_ROUTE_REMOVE,
    ORIEL_CALL_NEIGH_ADD,
    ORIEL_CALL_NEIGH_REMOVE,
    ORIEL_CALL_OPEN,
    ORIEL_CALL_CLOSE,
    ORIEL_CALL_BIND,
    ORIEL_CALL_CONNECT,
    ORIEL_CALL_SEND,
    ORIEL_CALL_SETOPT,
    ORIEL_CALL_JOIN,
    ORIEL_CALL_LEAVE,
    ORIEL_CALL_LISTEN,
    ORIEL_CALL_ACCEPT,
    ORIEL_CALL_ADMIT,
    ORIEL_CALL_SHUTDOWN,
    ORIEL_CALL_ABORT,
};

#define TOPICS_ALL (BIT(TOPIC_N) - 1)

static_assert(WHY_N <= UINT8_MAX + 1 && DROP_N <= UINT8_MAX + 1, "a reason is one byte");

struct reason {
    const char *name;   /* "UDP_DATA" */
    const char *rfc;    /* "768", "826 p.5"; "" where no standard speaks of it */
    const char *text;   /* a sentence for people */
};

const struct reason *why_of(enum why why);          /* never NULL; WHY_NONE is {"NONE", ...} */
const struct reason *drop_of(enum drop drop);
enum why why_named(struct span name);               /* WHY_NONE when there is none */
enum drop drop_named(struct span name);

struct event_desc {
    const char *name;
    enum topic topic;
    const char *field[4];
    const char *text;
};

const struct event_desc *event_of(enum event ev);

/* Bits of the topics, for the hot test of TRACE; folded when the event is a constant. */
static inline uint32_t event_topic_bit(enum event ev)
{
    static const uint8_t topic[EV_N] = {
#define EVENT(name, topic, a, b, c, d, text) [EV_##name] = TOPIC_##topic,
#include "trace/event.def"
#undef EVENT
    };
    return BIT(topic[ev]);
}

struct trace_rec {
    uint64_t id;        /* 1, 2, 3 ... */
    oriel_time t;
    uint64_t cause;     /* id of the event that led here; 0: it began here */
    uint16_t event;     /* enum event */
    uint8_t why;
    uint8_t drop;
    uint16_t node;      /* which stack, in a world */
    uint16_t reserved;
    uint64_t a, b, c, d;
};

static_assert(sizeof(struct trace_rec) == 64, "an event is 64 bytes");

struct trace {
    struct trace_rec *ring;     /* NULL: events are numbered and thrown away */
    uint32_t mask;
    uint64_t next;              /* id of the next event */
};

/* size_n: records, rounded down to a power of two; 0: no ring. */
void trace_init(struct trace *t, struct trace_rec *ring, uint32_t size_n);

/* The event with that id, or NULL when it was overwritten or never was. */
const struct trace_rec *trace_at(const struct trace *t, uint64_t id);

/* Oldest id still held. */
uint64_t trace_oldest(const struct trace *t);

/* The event in words: "neighbour went from 1 to 2". */
void trace_print(struct txt *out, const struct trace_rec *r);

/* The schema of the stream (names, fields, reasons) as text lines, for readers of stored traces. */
void trace_schema(struct txt *out);

#endif
