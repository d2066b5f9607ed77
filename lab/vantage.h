/*
 * What can be watched of a running world: captures, a ladder, the event log.
 *
 * A vantage is one port of one node: everything that leaves or arrives there goes to one pcapng
 * file. Two ends of a wire are two files, tied by packet ids: both in one would look like
 * retransmissions. Every packet has two comments: a sentence for people (why it was sent, and what
 * the wire will do to it) and a line of key=value words for programs: ev, why, cause, node, state
 * (of the node's end of a TCP connection, as the segment left or before it was looked at), fate,
 * drop, draw.
 *
 * All of them are fed by the world's on_frame; whoever owns several calls each. vantage_lab.h opens
 * them for a lab.
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
    const struct world *world;
    const struct port *port;
    struct dissection *d;
    uint32_t link;              /* enum linktype, as struct lens_frame has it */
    oriel_time epoch;
    uint32_t interface;
    uint64_t frames;
};

struct vantage_config {
    const struct world *world;
    const struct port *port;
    struct dissection *d;       /* may be shared: used within a call */
    const char *hardware;       /* what was run, where the machine's model would stand */
    const char *os;             /* the clock and the seed, where the system would stand */
    struct span about;          /* the file's comment */
    const char *description;    /* of the port */
    enum linktype link;
    const struct pcapng_addr *addrs;    /* of the port, as far as they are known */
    size_t addrs_n;
    uint64_t speed_bps;         /* 0: not told */
    bool fcs;                   /* frames carry their check sequence */
    oriel_time epoch;           /* what is added to the world's times: since 1970; 0: virtual time */
};

/*
 * Begin a capture at a port. scratch: PCAPNG_SCRATCH bytes that live as long. False: the sink
 * failed. Names of addresses may follow (pcapng_add_names).
 */
bool vantage_open(struct vantage *v, const struct vantage_config *c, struct sink out,
                  void *scratch);

/* A frame of the world; those at other ports are passed over. */
void vantage_frame(struct vantage *v, const struct world_frame *f);

/* Statistics at the end. False: something did not reach the sink. */
bool vantage_close(struct vantage *v);

/* "somebody asked for an echo, but it will be LOST on wire a.eth0-b.eth0 (draw 6)" */
void vantage_sentence(struct txt *t, const struct world_frame *f);

/* "ev=12 why=ECHO_REPLY cause=11 node=b fate=lost drop=WIRE_LOSS draw=6" */
void vantage_keys(struct txt *t, const struct world_frame *f, const char *state);

/* ---- the ladder ---- */

/*
 * A line for every node in their order, an arrow for every frame on every wire. With style.states the
 * states of both ends of a connection stand beside the arrows, as they are when the segment leaves.
 */
struct world_talks {            /* so that numbers are relative; about 9 MB, touched as used */
    struct dissection d;
    uint64_t frames;
    struct conversations talks[WORLD_WIRES_MAX];
};

struct world_ladder {
    struct ladder ladder;
    int lines[WORLD_NODES_MAX];
    struct world_talks talks;
};

void world_ladder_open(struct world_ladder *g, const struct world *w, struct sink out,
                       struct ladder_style style);
void world_ladder_frame(struct world_ladder *g, const struct world_frame *f);
bool world_ladder_close(struct world_ladder *g);

/* ---- a line a frame ---- */

/*
 *   0.041000  a > b      PSH,ACK Seq=1 Ack=1 Len=13   the application wrote; LOST (draw 6)
 *
 * As it is put on a wire; for a page that is watched while things happen.
 */
struct world_lines {
    struct sink out;
    bool ascii;
    struct world_talks talks;
};

void world_lines_open(struct world_lines *g, struct sink out, bool ascii);
void world_lines_frame(struct world_lines *g, const struct world_frame *f);

/* What a frame says; the dissection behind it stays in g->d. */
void world_talks_init(struct world_talks *g);
void world_talks_label(struct world_talks *g, const struct world_frame *f, struct txt *label);

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

#define EVENT_LOG_SCRATCH 66000

/* scratch: EVENT_LOG_SCRATCH bytes, for the time of the call. */
void event_log_open(struct event_log *g, const struct world *w, void *scratch, struct sink out);
void event_log_drain(struct event_log *g, const struct world *world);   /* after every step */

#endif
