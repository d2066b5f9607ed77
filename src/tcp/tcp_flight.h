/*
 * What a connection keeps while data is under way or lies out of order: the flight block. It comes
 * from a pool with the first byte written or the first gap received. It goes back lazily: when the
 * connection's timer wakes and finds nothing written, under way or out of order
 * (tcp_flight_maybe_free), so that who asks and answers all the time keeps it.
 *
 *   tcp_sent.c      one record a transmission: the scoreboard (RFC 6675, 4), delivery rate
 *   tcp_rack.c      what is lost by time (RFC 8985), tail loss probes
 *   tcp_recovery.c  recovery, RTO, marks; tcp_plain.c: its short way
 *   tcp_prr.c       how much may leave (9937)
 *   tcp_undo.c      was it for nothing: F-RTO (5682), Eifel (3522, 4015), D-SACK (2883)
 *   tcp_reasm.c     what lies out of order
 *   tcp_plpmtud.c   the search for the path's MTU (4821)
 *
 * An acknowledgement takes one way through them: tcp_ack.c judges it and calls tcp_recovery_on_ack,
 * which tells the scoreboard, takes a round trip, asks RACK what is lost, moves recovery, tells
 * congestion control and says what is wanted (TCP_WANT_RTX ...). Sending asks tcp_quota.
 */
#ifndef ORIEL_TCP_TCP_FLIGHT_H
#define ORIEL_TCP_TCP_FLIGHT_H

#ifndef ORIEL_TCP_TCP_H
#error "include tcp/tcp.h"
#endif

struct tcp;
struct tcp_conn;
struct tcp_flight;
struct tcp_seg;

/* ---- the scoreboard: tcp_sent.c ---- */

enum tcp_sent_flag {
    SENT_SACKED = 1,
    SENT_LOST = 2,              /* and not sent again yet: in `lost` */
    SENT_RESENT = 4,            /* under way again after it was lost or probed */
    SENT_EVER_RESENT = 8,       /* Karn: no plain round-trip sample */
    SENT_APP_LIMITED = 16,
    SENT_FIN = 32,              /* the last unit of len is the FIN */
    SENT_PROBE = 64,            /* a probe of the path's MTU */
    SENT_ECT = 128,
    SENT_TWICE = 256,           /* sent again though not lost (a tail probe): two are under way */
};

/*
 * Bytes that left together, as one super-segment or one segment. Records are disjoint and cover
 * [snd.una, snd.nxt) without the SYN. A selective acknowledgement of a part splits the record, at
 * whole segments of it only: a peer cannot make more records than there are segments. Neighbours
 * that are SACKED become one record. Each is in one of sent.by_time, sent.lost and sent.sacked.
 */
struct tcp_sent {
    struct seqnode node;        /* node.key is the first sequence number */
    uint32_t len;               /* units: bytes, and 1 for a FIN */
    uint16_t flags;             /* enum tcp_sent_flag */
    uint8_t times;              /* how often it was sent */
    uint8_t why;                /* enum why of the resend that it waits for */
    uint16_t seg;               /* payload bytes of one segment of it */
    uint16_t skew;              /* of its first segment, so many are acknowledged or cut off */
    uint32_t ts_val;            /* SENT_EVER_RESENT: our timestamp when it was sent again (Eifel) */
    oriel_time sent_at;         /* last transmission */
    union {
        struct list by_time;    /* neither SACKED nor LOST: of sent.by_time */
        struct seqnode alt;     /* LOST: of sent.lost; SACKED: of sent.sacked; the same key */
    };
    uint64_t delivered;         /* sent.delivered when it left (rate sample) */
    oriel_time delivered_at;
    oriel_time first_sent_at;
    uint32_t tx_flight;         /* pipe when it left, with it */
    uint32_t tx_lost;           /* sent.lost_total when it left */
    uint32_t segs;              /* SACKED: how many segments it was */
};

struct tcp_scoreboard {
    struct seqtree tree;        /* all records */
    struct list by_time;        /* neither SACKED nor LOST: oldest transmission first (RACK) */
    struct seqtree lost;        /* SENT_LOST, in order of sequence */
    struct seqtree sacked;      /* SENT_SACKED: no two touch */
    uint32_t out_bytes;         /* of all records */
    uint32_t sacked_bytes;
    uint32_t sacked_segs;
    uint32_t lost_bytes;        /* of SENT_LOST */
    uint32_t resent_bytes;      /* of SENT_RESENT */
    uint32_t twice_bytes;       /* of SENT_TWICE */
    uint32_t emulated;          /* without SACK: bytes that duplicate ACKs say have left (6582) */
    seq_t fack;                 /* end of the highest that was ever SACKed or acknowledged */
    uint64_t delivered;         /* bytes, in all */
    oriel_time delivered_at;
    oriel_time first_sent_at;   /* of the newest delivered: start of a send interval */
    oriel_time lost_sent_at;    /* when the newest of what was lost by congestion had left; 0: none */
    uint64_t app_limited;       /* delivered + pipe when the application ran dry; 0: not */
    uint64_t lost_total;
};

struct tcp_acked;

/* What one acknowledgement said, as far as the scoreboard knows. Filled by tcp_sent.c. */
struct tcp_delivered {
    uint32_t acked_bytes;       /* cumulatively */
    uint32_t sacked_bytes;      /* newly SACKed */
    uint32_t bytes;             /* newly delivered: either, each byte once */
    uint32_t spurious_bytes;    /* of them: were marked lost and not sent again */
    bool has_newest;            /* the newest transmission among the delivered, but for those sent
                                   again of which the first may be what arrived (8985, 6.2): */
    bool newest_resent;
    bool newest_app_limited;
    bool has_lowest;
    bool resent_acked;          /* cumulatively, also of what was sent again: others waited for it */
    bool reordered;             /* lowest is below what was delivered before (8985, 6.2 step 3) */
    bool probe_delivered;       /* a SENT_PROBE record: the path takes that size */
    seq_t newest_end;
    oriel_time newest_sent_at;
    uint64_t newest_delivered;
    oriel_time newest_delivered_at, newest_first_sent_at;
    uint32_t newest_tx_flight, newest_tx_lost;
    oriel_time rtt_sent_at;     /* newest of those never sent twice (Karn); valid with has_lowest */
    oriel_time rtt_first_at;    /* oldest of them: what a delayed ACK waited for is in it */
    seq_t lowest_never_resent;  /* start of the lowest delivered that was sent once; has_lowest */
};

void tcp_sent_init(struct tcp *t, struct tcp_conn *c);
void tcp_sent_free(struct tcp *t, struct tcp_conn *c);

/* A record for units that are about to leave, from snd.nxt on; NULL: no more records, do not send. */
struct tcp_sent *tcp_sent_add(struct tcp *t, struct tcp_conn *c, uint32_t len, uint16_t seg,
                              uint8_t flags);
/* r left once more, in segments of snd.mss. */
void tcp_sent_again(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r);
/* Only the first n units of r leave again: split there first; r is the first part then. False: no record. */
bool tcp_sent_split(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r, uint32_t n);

/* Acknowledgement and SACK blocks; adds to *d, which is zero. Fewer splits than asked for where
 * records run short: what is not marked SACKED will be acknowledged or sent again. */
void tcp_sent_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a,
                     struct tcp_delivered *d);
/*
 * The same where nothing is SACKED, lost, sent again or a probe: all was sent once, and in order. ack
 * acknowledges something. Fills of *s what the scoreboard knows (acked_bytes, delivered_*, flight,
 * rtt_ns, and the rate).
 */
void tcp_sent_on_plain_ack(struct tcp *t, struct tcp_conn *c, seq_t ack, struct cc_sample *s);
/* The delivery rate that an acknowledgement shows: fills those fields of *s. */
void tcp_sent_rate(const struct tcp_conn *c, const struct tcp_delivered *d, struct cc_sample *s);
/* Without SACK: another segment has left the network, says a duplicate. Adds to d->bytes. */
void tcp_sent_on_duplicate(struct tcp *t, struct tcp_conn *c, struct tcp_delivered *d);
void tcp_sent_no_emulation(struct tcp_conn *c);
/* What was marked lost and not sent again is under way after all (undo). */
void tcp_sent_unmark_lost(struct tcp_conn *c);
/* The receiver threw away what it had SACKed (RFC 2018, 8): all of that is under way again, for whoever
 * marks it lost. */
void tcp_sent_reneged(struct tcp_conn *c);
/* The application has no more to send: if there is room, rate samples are marked. */
void tcp_sent_on_dry(struct tcp_conn *c);

/* Bytes under way (RFC 6675, 4 SetPipe): neither SACKed, nor lost and not sent again. */
static inline uint32_t scoreboard_pipe(const struct tcp_scoreboard *s)
{
    uint32_t left = s->sacked_bytes + s->lost_bytes + s->emulated;
    uint32_t sent = s->out_bytes + s->twice_bytes;
    return sent > left ? sent - left : 0;
}
uint32_t tcp_pipe(const struct tcp_conn *c);

/* The lowest record that is to be sent again; NULL (also while F-RTO waits: RFC 5682). */
struct tcp_sent *tcp_sent_next_lost(const struct tcp_conn *c);
struct tcp_sent *tcp_sent_first(const struct tcp_conn *c);
struct tcp_sent *tcp_sent_last(const struct tcp_conn *c);
struct tcp_sent *tcp_sent_after(const struct tcp_sent *r);      /* the next one by sequence; NULL */
/* r is neither SACKED nor LOST. */
void tcp_sent_mark_lost(struct tcp *t, struct tcp_conn *c, struct tcp_sent *r, enum why why);

static inline seq_t sent_end(const struct tcp_sent *r)
{
    return seq_add(r->node.key, r->len);
}

/* ---- RACK-TLP: tcp_rack.c ---- */

struct tcp_rack {
    oriel_time xmit_at;         /* RACK.xmit_ts, end_seq, rtt */
    seq_t end_seq;
    uint64_t rtt_ns;
    uint64_t reo_wnd;
    seq_t dsack_round;          /* RACK.dsack_round: end of it; valid with has_dsack_round */
    uint8_t reo_mult;           /* RACK.reo_wnd_mult */
    uint8_t reo_persist;
    bool reordering_seen;
    bool has_dsack_round;
    oriel_time reo_at;          /* the reordering timer; ORIEL_NEVER */
    /* TLP */
    oriel_time tlp_at;          /* PTO; ORIEL_NEVER */
    seq_t tlp_end;              /* TLP.end_seq; valid with tlp_out */
    bool tlp_out;               /* a probe is under way */
    bool tlp_is_rtx;
    bool tlp_fresh;             /* a round-trip sample came since the last probe */
};

void tcp_rack_init(struct tcp_conn *c);
/* The newest delivered, reordering, D-SACK: before tcp_rack_detect. */
void tcp_rack_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a,
                     const struct tcp_delivered *d);
/* The same where all was sent once and in order, up to ack; rtt_ns: of the last. */
static inline void rack_on_plain_ack(struct tcp_rack *k, oriel_time now, uint64_t rtt_ns, seq_t ack)
{
    k->rtt_ns = rtt_ns;
    k->xmit_at = now - rtt_ns;
    k->end_seq = ack;
    k->tlp_fresh = true;
}
/* Marks what is lost by time, or by RFC 6675 or 6582 where there is no RACK or no SACK; bytes that it
 * marked. Arms reo_at. */
uint32_t tcp_rack_detect(struct tcp *t, struct tcp_conn *c, const struct tcp_delivered *d);
#define tcp_rack_in_use(t, c) ((t)->set.rack && ((c)->is & TCP_IS_SACK) != 0)    /* it needs SACK */
/* The timeout of r: might it still arrive in order? Not lost by a retransmission timeout then (6.3). */
bool tcp_rack_is_recent(const struct tcp *t, const struct tcp_conn *c, const struct tcp_sent *r);
void tcp_rack_on_recovered(struct tcp_conn *c);         /* fast or RTO recovery ended */
void tcp_rack_on_spurious(struct tcp_conn *c);          /* what was thought lost was late */
void tcp_rack_on_congestion(struct tcp_conn *c);        /* recovery begins: no probes in it */
enum tcp_tlp_verdict {
    TLP_NOTHING,
    TLP_REPAIRED,               /* the probe repaired a loss: congestion (8985, 7.4.2) */
};
enum tcp_tlp_verdict tcp_tlp_on_ack(struct tcp_conn *c, const struct tcp_acked *a,
                                    const struct tcp_delivered *d);
/* When a probe is due if nothing is heard (8985, 7.2); ORIEL_NEVER. Called where data left or was
 * acknowledged, with the RTO's deadline set. */
oriel_time tcp_tlp_deadline(const struct tcp *t, const struct tcp_conn *c);
/* The record that a tail loss probe sends again (new data first: tcp_output.c); NULL. */
struct tcp_sent *tcp_tlp_record(const struct tcp_conn *c);
void tcp_tlp_on_sent(struct tcp *t, struct tcp_conn *c, bool resent);
void tcp_rack_on_timer(struct tcp *t, struct tcp_conn *c);      /* reo_at came */

/* ---- recovery: tcp_recovery.c ---- */

enum tcp_frto {                 /* RFC 5682 */
    FRTO_OFF,
    FRTO_SENT,                  /* the first segment was sent again; what does the next ACK say? */
    FRTO_NEW_DATA,              /* two new segments are out: nothing old is sent until they are answered */
};

struct tcp_recov {
    /* All zero while nothing is the matter (OPEN): tcp_plain.c looks at these eight bytes as one. */
    uint8_t ca;                 /* enum oriel_tcp_ca */
    uint8_t frto;               /* enum tcp_frto */
    bool undo;
    bool has_point;
    bool has_cwr_end;
    uint8_t nothing;
    uint16_t dups;              /* duplicate ACKs in a row */

    bool has_partial;           /* a partial ACK came in this recovery (6582: only it resets the RTO) */
    bool has_rescued;           /* 6675, 4 NextSeg (4): once a recovery */
    bool has_full;
    bool undo_any;              /* something was sent again since undo_mark */
    bool undo_by_ts;            /* rtx_ts is valid */
    seq_t point;                /* RecoveryPoint: snd.nxt when it began; valid with has_point */
    seq_t judged;               /* 6675: IsLost was asked of all below it in this recovery */
    /* PRR */
    uint32_t prr_delivered, prr_out, recover_fs;
    uint32_t quota;             /* SndCnt: bytes that may leave now */
    uint32_t forced;            /* bytes that leave whatever the window says: timeout, partial ACK */
    /* undo */
    seq_t undo_mark;            /* snd.una when the reduction was made; valid with undo */
    seq_t undo_end;             /* recovery over: what is D-SACKed later does not count */
    uint32_t undo_resent;       /* segments sent again since then and not D-SACKed */
    uint32_t rtx_ts;            /* timestamp of the first of them (Eifel) */
    oriel_time reduced_at;      /* what left after it and was lost: congestion again */
    seq_t rto_una;              /* in LOSS: snd.una at the last timeout */
    seq_t frto_mark;            /* snd.nxt at the timeout */
    seq_t cwr_end;              /* one reaction to marks a round trip */
    seq_t full_end;             /* snd.nxt when the window was full last, while not acknowledged */
};

/* One acknowledgement, judged by tcp_ack.c. */
struct tcp_acked {
    seq_t ack;
    seq_t una_was;
    struct tcp_sack sack[TCP_SACK_MAX];         /* valid: in (ack, snd.nxt], left < right */
    uint8_t sack_n;
    bool has_dsack;             /* the first block was a duplicate's (RFC 2883) */
    struct tcp_sack dsack;
    bool dup;                   /* a duplicate acknowledgement (RFC 5681, 2) */
    bool ece;                   /* RFC 3168 */
    uint32_t ce_bytes;          /* RFC 9768 */
    bool has_ts;
    uint32_t ts_ecr;
    bool wnd_grew;
};

void tcp_recovery_init(struct tcp_conn *c);
/* The one way of an acknowledgement: the short one of tcp_plain.c, or the long one; the result is equal. */
void tcp_recovery_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a);
/* All that is under way, one record, is acknowledged by a segment of which header prediction had no more to
 * say. False: it must be looked at more closely, nothing changed. */
bool tcp_recovery_on_all_acked(struct tcp *t, struct tcp_conn *c);
void tcp_recovery_long_way(struct tcp *t, struct tcp_conn *c, const struct tcp_acked *a);
/* The retransmission timer expired with data under way: all that is not SACKed is lost, window 1. */
void tcp_recovery_on_rto(struct tcp *t, struct tcp_conn *c);
/* The path's MTU fell: what is under way and too big is to be sent again, without blame. */
void tcp_recovery_on_mtu(struct tcp *t, struct tcp_conn *c, uint16_t mss);
/* Bytes that may leave now by congestion control and recovery; new: of new data. */
uint32_t tcp_quota(const struct tcp_conn *c);
void tcp_recovery_on_sent(struct tcp *t, struct tcp_conn *c, uint32_t len);     /* PRR: prr_out */
/* RACK's timer marked something; lost: bytes of it that mean congestion. */
void tcp_recovery_on_late(struct tcp *t, struct tcp_conn *c, uint32_t lost);
/* RFC 6675: of what is below it, IsLost was asked. */
seq_t tcp_recovery_judged(const struct tcp_conn *c);
void tcp_recovery_on_judged(struct tcp_conn *c, seq_t to);
/* Nothing left for longer than an RTO, and something is about to (RFC 5681, 4.1). */
void tcp_recovery_on_idle(struct tcp *t, struct tcp_conn *c);
unsigned tcp_recovery_state(const struct tcp_conn *c);          /* enum oriel_tcp_ca */

/* tcp_prr.c (and tcp_quota, tcp_recovery_on_sent): an episode begins; an ACK of it, safe if it moved
 * snd.una and told of no loss. It sets recov.quota and cc.cwnd. */
bool tcp_prr_rules(const struct tcp_flight *f);         /* in recovery, and cwnd is not the algorithm's */
void tcp_prr_start(struct tcp_conn *c, uint32_t delivered);
void tcp_prr_on_ack(struct tcp_conn *c, uint32_t delivered, bool safe);

/* tcp_undo.c: was it for nothing? */
enum tcp_undo {                 /* as EV_TCP_UNDO calls them */
    UNDO_NOTHING,
    UNDO_EIFEL,
    UNDO_DSACK,
    UNDO_FRTO,
};
void tcp_undo_allow(struct tcp_conn *c, seq_t una);     /* a reduction is made that may be wrong */
void tcp_undo_on_resent(struct tcp_conn *c, const struct tcp_sent *s);
void tcp_undo_on_dsack(struct tcp_conn *c, const struct tcp_acked *a);
/* Moves F-RTO on. */
enum tcp_undo tcp_undo_judge(struct tcp_conn *c, const struct tcp_acked *a,
                             const struct tcp_delivered *d);

/* ---- out of order: tcp_reasm.c ---- */

/* Packets that follow each other without a gap. */
struct tcp_range {
    struct seqnode node;        /* node.key is the first sequence number */
    seq_t end;
    struct pkt *first;
    struct pkt *last;
};

#define TCP_RANGES_MAX 1024     /* gaps of one connection */

struct tcp_ooo {
    struct seqtree tree;        /* ranges: disjoint, not touching, beyond rcv.nxt */
    uint32_t bytes;
    uint32_t charge;
    seq_t recent[TCP_SACK_MAX]; /* a number inside each of the ranges changed last (RFC 2018, 4) */
    uint8_t recent_n;
    bool has_fin;
    seq_t fin;                  /* where the peer's FIN stands */
};

/* ---- the search for the path's MTU (RFC 4821): tcp_plpmtud.c ---- */

void tcp_mtu_on_open(struct tcp *t, struct tcp_conn *c);        /* a flight block is new */
void tcp_mtu_on_timeout(struct tcp *t, struct tcp_conn *c);     /* before the RTO's consequences */
void tcp_mtu_on_ack(struct tcp *t, struct tcp_conn *c, const struct tcp_delivered *d);
/* Payload bytes of a probe that is due, one segment; 0: none. It may have to wait until so many bytes
 * may leave at once: nothing else is sent meanwhile. */
uint32_t tcp_mtu_probe_len(const struct tcp *t, const struct tcp_conn *c);
void tcp_mtu_on_probe_sent(struct tcp_conn *c, seq_t end, uint32_t len);

/* ---- all of it ---- */

struct tcp_flight {
    uint32_t conn;              /* whose: index in the pool */
    struct stream sndq;         /* written and not acknowledged; base is snd.una after the SYN */
    struct cc cc;               /* cc.priv is `priv` below */
    struct tcp_scoreboard sent;
    struct tcp_rack rack;
    struct tcp_recov recov;
    struct tcp_ooo ooo;
    struct tcp_sack dsack;      /* to be told with the next ACK (out.dsack) */
    struct timer pace;          /* in t->departures */
    oriel_time depart_at;       /* pacing: the next segment leaves then */
    struct {
        uint16_t low, high;     /* works; does not, or is not known to. 0: no search */
        uint16_t probe;         /* under way: its size; 0: none */
        uint8_t tries;          /* probes of that size that were lost */
        bool suspect;           /* `low` is tried, and not confirmed yet */
        seq_t end;              /* of the probe */
        oriel_time again_at;
    } mtu;                      /* tcp_plpmtud.c */
    struct {
        uint32_t ce_pkts;       /* AccECN: marked ones that came */
        uint32_t peer_ce_pkts;  /* as the peer tells */
        uint8_t syn_ack;        /* ACE of our first segment: how the SYN-ACK came; 0: that has been told */
    } ecn;
    struct cc_priv priv;
};

/* RFC 7661, 4.3: in slow start half of the window is enough for it to have been tested. */
static inline bool tcp_window_is_full(const struct tcp_flight *f, uint32_t pipe, uint32_t mss)
{
    if (pipe + mss > f->cc.cwnd)
        return true;
    return cc_in_slow_start(&f->cc) && pipe >= f->cc.cwnd / 2;
}


#endif
