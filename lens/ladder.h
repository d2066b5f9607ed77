/*
 * Draws who said what to whom, and why, as text: a vertical line per endpoint, an arrow per packet.
 *
 *        time   10.0.0.1                                 10.0.0.2
 *                   │                                        │
 *     0.000000      │─ UDP 40000 > 7 Len=32 ────────────────▶│
 *                   │  the application sent a datagram       │
 *     0.021000      │─ UDP 40000 > 7 Len=32 ───────× lost    │
 *        1.0 s      ┊                                        ┊
 *     1.021000      │◀──────────────── UDP 7 > 40000 Len=32 ─│
 *
 * The states of both ends of a connection may stand beside an arrow, away from it:
 *
 *     0.100000      SYN_SENT │─ SYN Seq=0 Win=64240 ─────────▶│ LISTEN
 *
 * A step is drawn as it comes, so that a running simulation can be watched; the endpoints are known
 * from the start. The reason stands to the right where the page is wide, underneath where not.
 * Text from packets may hold anything: control characters do not reach the sink.
 */
#ifndef ORIEL_LENS_LADDER_H
#define ORIEL_LENS_LADDER_H

#include "base/sink.h"

#define LADDER_LINES_MAX 16
#define LADDER_NAME_MAX  64         /* bytes of a name that are kept */
#define LADDER_WIDTH_MIN 60         /* narrower pages are drawn as wide as this */
#define LADDER_WIDTH_MAX 400
#define LADDER_EVERYONE  (-1)       /* `to` of a broadcast or multicast */

enum ladder_fate {
    LADDER_ARRIVES,
    LADDER_LOST,        /* dies on the way: the arrow ends in a cross before its end */
    LADDER_REFUSED,     /* gets there and is dropped: the arrow ends in a cross at its end */
};

struct ladder_style {
    unsigned width;     /* columns of the page; 0: 80 */
    bool ascii;         /* only ASCII is drawn */
    bool color;         /* with the escape sequences of a terminal */
    bool reasons;       /* draw them */
    bool states;        /* leave room for them outside the outer lifelines */
    unsigned decimals;  /* of the times, 0..9 */
    oriel_time gap_ns;  /* longer silences are drawn as a gap; 0: never */
};

struct ladder_step {
    oriel_time time;
    int from;                   /* number of a lifeline */
    int to;                     /* the same as from: a note on that lifeline; or LADDER_EVERYONE */
    struct span label;          /* what was said: UDP 40000 > 7 Len=32 */
    struct span reason;         /* why; may be empty */
    struct span from_state;     /* of the ends of a connection, as it is sent; may be empty */
    struct span to_state;
    enum ladder_fate fate;
    struct span fate_text;      /* beside the cross: `lost (draw 6)`; empty: `lost` */
};

struct ladder {
    struct sink out;
    struct ladder_style style;
    int lines_n;
    char names[LADDER_LINES_MAX][LADDER_NAME_MAX];
    oriel_time last;
    uint64_t steps;
    bool bad;                   /* the sink failed */
    /* The layout, in columns from 0; made by ladder_begin. */
    unsigned width;
    unsigned time_w;            /* of the time */
    unsigned col[LADDER_LINES_MAX];
    unsigned reason_col;        /* where reasons start; 0: underneath */
};

/* The style for a page: 6 decimals, gaps from 500 ms on, reasons. */
struct ladder_style ladder_style_of(unsigned width, bool ascii, bool color);

void ladder_init(struct ladder *l, struct sink out, struct ladder_style style);

/* The number of the new lifeline, or -1: there are LADDER_LINES_MAX. Before ladder_begin. */
int ladder_add(struct ladder *l, struct span name);

bool ladder_begin(struct ladder *l);                            /* the names, over their lines */
bool ladder_put(struct ladder *l, const struct ladder_step *s); /* in the order of time */
bool ladder_end(struct ladder *l);

#endif
