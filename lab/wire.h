/*
 * A wire of a world: two directions, each with rate, delay, queue and impairments.
 *
 * Each impairment decision is a draw of that direction's own generator, numbered from 1; a draw is
 * made only for impairments that are switched on, in the order in which they stand in struct impair.
 */
#ifndef ORIEL_LAB_WIRE_H
#define ORIEL_LAB_WIRE_H

#include "link/netif.h"
#include "lens/syntax.h"

#define WIRE_NTH_MAX 16         /* single frames that can be named for loss, damage, duplication */

/* Chances are in millionths. */
struct impair {
    uint32_t loss;              /* each frame by itself */
    uint32_t burst_enter;       /* Gilbert model: from the good state to the bad one, a frame */
    uint32_t burst_leave;
    uint32_t burst_loss;        /* in the bad state */
    uint32_t corrupt;           /* one bit is flipped */
    uint32_t truncate;          /* cut to a length drawn */
    uint32_t dup;
    uint32_t reorder;           /* held back by reorder_ns */
    oriel_time reorder_ns;      /* 0: one delay, at least 1 ms */
    oriel_time jitter_ns;       /* added to the delay: 0..2 * jitter - jitter, order is kept */
    uint32_t lose_nth[WIRE_NTH_MAX];    /* frames of this direction, counted from 1 */
    uint8_t lose_n;
    uint32_t corrupt_nth[WIRE_NTH_MAX];
    uint8_t corrupt_n;
    uint32_t dup_nth[WIRE_NTH_MAX];
    uint8_t dup_n;
    uint32_t hold_nth[WIRE_NTH_MAX];    /* held back by reorder_ns */
    uint8_t hold_n;
};

struct wire_params {
    uint64_t rate_bps;          /* 0: frames take no time */
    oriel_time delay_ns;
    uint32_t queue_pkts;        /* 0: 1,000 */
    uint32_t mtu;               /* largest network packet carried; 0: no limit of its own */
    bool fcs;                   /* frames carry their check sequence (set by the ports) */
    bool direct;                /* only hands over: no time, no chance, no events, nobody looks; frames
                                 * keep what is known of them, super-segments cross whole */
    struct impair impair;
};

struct wire_dir {
    struct wire_params p;
    struct rng rng;
    uint32_t draws;             /* so far */
    uint32_t frames;            /* put on it so far */
    bool burst;                 /* Gilbert: in the bad state */
    oriel_time busy_until;      /* the transmitter */
    oriel_time last_arrival;
    oriel_time leaves[1024];    /* ring: when queued frames will have left */
    uint32_t leaves_head, leaves_tail;
    uint64_t lost, changed, full;
};

struct port;

struct wire {
    uint16_t id;
    char name[64];              /* "a.eth0-b.eth0" */
    bool up;
    struct port *end[2];
    struct wire_dir dir[2];     /* dir[0] from end[0] to end[1] */
};

/* What a direction does to a frame. */
struct wire_verdict {
    bool lost, full, corrupt, truncate, dup, held;
    uint32_t draw;              /* the one that decided; 0: none */
    uint64_t chance;            /* which bit, which length */
    oriel_time arrival;
    oriel_time dup_arrival;
};

void wire_dir_init(struct wire_dir *d, const struct wire_params *p, uint64_t seed, uint64_t stream);

/* A frame of that length is put on the direction now. */
struct wire_verdict wire_pass(struct wire_dir *d, oriel_time now, size_t len);

/*
 * "loss 2%, delay 40ms±5, rate 10mbit, queue 50, reorder 1%, dup .1%, corrupt .01%, burst 1%/20%,
 * mtu 1420, jitter 5ms, lose 3, lose 7, hold 2, cut 1%" (commas or blanks between) changes *p.
 * False: *err says what was found where and what was expected.
 */
bool wire_params_parse(struct span text, struct wire_params *p, struct syntax_error *err);

/* "2.5 Mbit" -> 2500000 (millionths of one), with what follows the digits. False: there is none. */
bool wire_decimal(struct span s, uint64_t *micros, struct span *unit);

#endif
