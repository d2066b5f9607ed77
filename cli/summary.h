/*
 * What happened in a world, for people at its end: connections and their bytes, what the wires lost and
 * by which draw, what was sent again and why, and what kept connections from sending.
 *
 *     summary_init(&s, world);
 *     ... world.on_frame calls summary_frame ...
 *     summary_conn(&s, stack, handle);         before a connection's handle is closed
 *     summary_print(&s, as_json, sink);
 *
 * A retransmission is joined with the loss that it repairs where the loss happened on a wire of this
 * world. Where nobody shows frames (direct wires) only counts are known. Lists are bounded; what does
 * not fit is counted.
 */
#ifndef ORIEL_CLI_SUMMARY_H
#define ORIEL_CLI_SUMMARY_H

#include "lab/vantage.h"

#define SUMMARY_LOST_MAX  1024
#define SUMMARY_AGAIN_MAX 64
#define SUMMARY_TEXT_MAX  72

struct summary_lost {
    const struct wire *wire;
    uint8_t side;
    enum frame_fate fate;
    uint32_t draw;              /* 0: none decided */
    bool repaired;
    struct oriel_endpoint src, dst;
    uint32_t seq, end;          /* of TCP; equal where it is none */
    uint32_t ack;
    bool acks;                  /* `ack` says something */
    oriel_time time;
    char text[SUMMARY_TEXT_MAX];
};

struct summary_again {
    oriel_time time;
    enum why why;
    struct summary_lost lost;   /* wire NULL: lost elsewhere, or not lost at all */
    bool ack_lost;              /* `lost` is not the segment, but what acknowledged it */
    char text[SUMMARY_TEXT_MAX];
};

struct summary_wire {
    uint64_t frames, fates[FATE_CHANGED + 1];
};

struct summary {
    const struct world *world;
    struct world_talks *talks;  /* made with the first frame */
    struct summary_wire wires[WORLD_WIRES_MAX][2];
    struct summary_lost *lost;  /* ring */
    uint32_t lost_n;            /* in all */
    struct summary_again again[SUMMARY_AGAIN_MAX];
    uint32_t again_n, again_more;
    uint32_t conns, failed;     /* connections that ended; those with an error */
    uint64_t bytes_sent, bytes_received, bytes_again;
    uint64_t limit_ns[ORIEL_LIMIT_N];
};

void summary_init(struct summary *s, const struct world *w);
void summary_fini(struct summary *s);

void summary_frame(struct summary *s, const struct world_frame *f);

/* Add a connection as it is now. error: an enum oriel_err that ended it, or 0. */
void summary_conn(struct summary *s, const struct oriel_stack *stack, oriel_handle h, int error);
void summary_info(struct summary *s, const struct oriel_tcp_info *i, int error);

/* Text of several lines, or one JSON object on a line. */
void summary_print(const struct summary *s, bool as_json, struct sink out);

/* "cwnd 40%, application 60%": shares of the whole, `before` the first one; nothing where it is nothing. */
void summary_put_limits(struct txt *t, const uint64_t limit_ns[ORIEL_LIMIT_N], const char *before,
                        const char *between);

/* What limits a connection, as a key of JSON: "cwnd". */
const char *summary_limit_key(enum oriel_tcp_limit l);

#endif
