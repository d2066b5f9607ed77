/*
 * What can be watched of a running lab: captures, a ladder, the event log.
 *
 * A vantage is one port of one node: everything that leaves or arrives there goes to one pcapng
 * file. Two ends of a wire are two files, tied by packet ids: both in one would look like
 * retransmissions. Every packet has two comments: a sentence for people (why it was sent, and what
 * the wire will do to it) and a line of key=value words for programs: ev, why, cause, node, state
 * (of the node's end of a TCP connection, as the segment left or before it was looked at), fate,
 * drop, draw.
 *
 * All of them are fed by the lab's on_frame; whoever owns several calls each.
 */
#ifndef ORIEL_LAB_VANTAGE_H
#define ORIEL_LAB_VANTAGE_H

#include "lab/lab.h"
#include "lens/ladder.h"
#include "trace/pcapng.h"

#define VANTAGE_COMMENT_MAX 512

/* ---- captures ---- */

struct vantage {
    struct pcapng file;
    const struct lab *lab;
    const struct port *port;
    uint32_t interface;
    uint64_t frames;
};

/*
 * Begin a capture at a scenario's port, one that a wire is plugged into; between lab_build and
 * lab_start. scratch: PCAPNG_SCRATCH bytes that live as long. False: the sink failed.
 */
bool vantage_open(struct vantage *v, const struct lab *l, uint16_t port, struct sink out,
                  void *scratch);

/* A frame of the lab; those at other ports are passed over. */
void vantage_frame(struct vantage *v, const struct world_frame *f);

/* Statistics at the end. False: something did not reach the sink. */
bool vantage_close(struct vantage *v);

/* "somebody asked for an echo, but it will be LOST on wire a.eth0-b.eth0 (draw 6)" */
void vantage_sentence(struct txt *t, const struct world_frame *f);

/* "ev=12 why=ECHO_REPLY cause=11 node=b fate=lost drop=WIRE_LOSS draw=6" */
void vantage_keys(struct txt *t, const struct world_frame *f, const char *state);

/* ---- the ladder ---- */

/*
 * A line for every node in the order of the scenario, an arrow for every frame on every wire. Where
 * a scenario speaks TCP, the states of both ends stand beside the arrows, as they are when the
 * segment leaves. About 9 MB, touched as used.
 */
struct lab_ladder {
    struct ladder ladder;
    int lines[WORLD_NODES_MAX];
    struct dissection d;
    uint64_t frames;
    struct conversations talks[WORLD_WIRES_MAX];
};

void lab_ladder_open(struct lab_ladder *g, const struct lab *l, struct sink out,
                     struct ladder_style style);
void lab_ladder_frame(struct lab_ladder *g, const struct world_frame *f);
bool lab_ladder_close(struct lab_ladder *g);

/* ---- the event log ---- */

/*
 * Text lines: the schema of trace_schema, `node NUMBER NAME` for every node, and `records` as the
 * last. Behind it records of 64 bytes, little-endian, in the order of struct trace_rec, to the end
 * of the file. Where the ring was overrun between two drains, ids are missing.
 */
struct event_log {
    struct sink out;
    uint64_t next;              /* id of the next record to write */
    uint64_t lost;
    bool bad;
};

void event_log_open(struct event_log *g, struct lab *l, struct sink out);
void event_log_drain(struct event_log *g, const struct lab *l);         /* after every step */

#endif
