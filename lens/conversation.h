/*
 * What is remembered of TCP connections between the frames of one capture: enough for numbers
 * relative to the start, for scaled windows, and to say what a segment is for whoever saw those
 * before it: a retransmission, a duplicate acknowledgement, a probe.
 *
 * The table is the caller's, one for each place that frames are watched at: what is seen at two
 * places are different histories. Frames are shown to it in the order of time; it only learns from
 * whole TCP headers that no ICMP error quotes. At most CONVERSATIONS_MAX connections are known; the
 * one that was silent longest gives way, and what it sends later begins a new one.
 *
 * Names and meanings are those of tshark 4.0's sequence analysis (Wireshark User's Guide, "TCP
 * Analysis"), so that both say the same of one capture. It judges by what passed the place where
 * the frames were captured; what the sender meant stands in `why`.
 */
#ifndef ORIEL_LENS_CONVERSATION_H
#define ORIEL_LENS_CONVERSATION_H

#include "base/addr.h"

#define CONVERSATIONS_MAX 256

/* What is worth a remark about a segment: bits. */
enum tcp_note {
    TCP_NOTE_RETRANSMISSION = 0x0001,
    TCP_NOTE_FAST_RETRANSMISSION = 0x0002,      /* ... right behind two duplicates */
    TCP_NOTE_SPURIOUS = 0x0004,                 /* ... of what was acknowledged already */
    TCP_NOTE_OUT_OF_ORDER = 0x0008,             /* too soon behind later ones to be sent again */
    TCP_NOTE_REUSED_PORTS = 0x0010,
    TCP_NOTE_LOST_SEGMENT = 0x0020,             /* something before it did not pass here */
    TCP_NOTE_ACK_LOST_SEGMENT = 0x0040,         /* acknowledges what did not pass here */
    TCP_NOTE_WINDOW_UPDATE = 0x0080,
    TCP_NOTE_WINDOW_FULL = 0x0100,
    TCP_NOTE_KEEP_ALIVE = 0x0200,
    TCP_NOTE_KEEP_ALIVE_ACK = 0x0400,
    TCP_NOTE_DUPLICATE_ACK = 0x0800,
    TCP_NOTE_ZERO_WINDOW_PROBE = 0x1000,
    TCP_NOTE_ZERO_WINDOW = 0x2000,
    TCP_NOTE_ZERO_WINDOW_PROBE_ACK = 0x4000,
};

#define TCP_SCALE_UNKNOWN (-1)      /* the beginning was not seen */
#define TCP_SCALE_OFF     (-2)      /* not both ends offered it */

/* One direction. */
struct tcp_side {
    bool has_base, has_next, has_top, has_ack, has_syn_time;
    int8_t scale;                   /* 0..14, or one of the two above */
    uint32_t base;                  /* its initial number */
    uint32_t next;                  /* behind the highest byte seen */
    uint32_t top;                   /* what may be acknowledged: up to the first gap */
    uint32_t ack;                   /* the last acknowledgement that it sent */
    uint32_t window;                /* the last that it offered, not scaled */
    uint32_t notes;                 /* of its last segment */
    uint32_t duplicates;            /* acknowledgements like the one before, so far */
    uint64_t original;              /* number of the frame that said it first */
    oriel_time next_time, ack_time, syn_time;
};

struct conversation {
    struct oriel_endpoint end[2];   /* end[0] was the first that was heard */
    uint32_t stream;
    uint64_t used;
    bool has_rtt;
    oriel_time rtt;                 /* from the first SYN to the ACK of its answer */
    oriel_time first, last;
    struct tcp_side side[2];        /* side[0] is what end[0] sends */
};

struct conversations {
    uint32_t n;                     /* entries in use */
    uint32_t streams;               /* numbers given so far */
    uint64_t clock;                 /* segments so far */
    uint32_t hash[CONVERSATIONS_MAX];
    struct conversation entry[CONVERSATIONS_MAX];
};

/* A segment as it stands on the wire. */
struct tcp_sighting {
    struct oriel_endpoint src, dst;
    uint32_t seq, ack;
    uint32_t len;                   /* bytes of payload */
    uint16_t flags;                 /* enum tcp_flag */
    uint16_t window;
    int8_t scale;                   /* that it offers; TCP_SCALE_UNKNOWN: it does not */
    oriel_time time;
    uint64_t number;                /* of the frame */
};

/* The same in relation to what came before. */
struct tcp_view {
    uint32_t stream;
    uint32_t seq_base, ack_base;    /* what relative numbers count from */
    uint32_t window;                /* scaled where the scale is known */
    int8_t scale;
    uint32_t notes;                 /* enum tcp_note */
    uint32_t duplicate;             /* TCP_NOTE_DUPLICATE_ACK: which one, from 1 ... */
    uint64_t original;              /* ... and the frame that it repeats */
    oriel_time since_first, since_last;
};

void conversations_init(struct conversations *c);

/* Where the numbers of a connection count from, for what src would send to dst. */
struct conversation_bases {
    bool has_seq, has_ack;
    uint32_t seq, ack;
};

struct conversation_bases conversation_bases(const struct conversations *c,
                                             const struct oriel_endpoint *src,
                                             const struct oriel_endpoint *dst);

/* Learn from a segment, and say what it is. */
struct tcp_view conversation_see(struct conversations *c, const struct tcp_sighting *s);

#endif
