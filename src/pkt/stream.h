/*
 * Bytes that an application wrote and the peer has not acknowledged, addressed by sequence number.
 *
 * They stand in blocks of three sizes whose class follows use: one unsent byte does not pin 32 KiB,
 * and bulk takes few blocks. True sizes are charged to the stack's budget. A block is filled in
 * pieces of one presumed segment (`chunk` bytes, the MSS when the block was begun), and for each whole
 * piece the Internet sum of its bytes is kept from the copy: where a segment is cut just there, its
 * payload is never read again. Otherwise it is summed anew.
 *
 * Segments refer to these blocks; a block lives until its bytes are acknowledged here and the last
 * packet that refers to it is gone. So a block that was referred to may be filled further (nobody
 * looks beyond their slices) but what was written never changes.
 *
 *      base (SND.UNA)                                          end
 *        |-- block --|---- block ----|------------ block -------|- room -|
 */
#ifndef ORIEL_PKT_STREAM_H
#define ORIEL_PKT_STREAM_H

#include "base/seq.h"
#include "pkt/pkt.h"

#define STREAM_CHUNKS_MAX 64    /* sums kept in one block; further pieces are summed anew */
#define STREAM_PIECES_S   8     /* and in one of the smallest */

/* A piece of a block, its place counted as slices count, and its sum. */
struct stream_piece {
    uint16_t at;
    uint16_t len;
    uint16_t sum;
};

/* Invariant: start <= end <= limit; pieces stand in order of `at`, disjoint, before `end`. */
struct stream_blk {
    struct stream_blk *next;
    struct stream_blk *prev;
    seq_t seq;                  /* of the byte at `start` */
    uint32_t start;             /* the first byte, counted in the block as slices count */
    uint32_t end;               /* where the next byte goes */
    uint32_t limit;             /* the end of the block */
    uint16_t left;              /* bytes that the last piece wants to be whole; 0: it is closed */
    uint16_t longest;           /* longest piece so far or wanted: where to look for one */
    uint8_t n;                  /* pieces noted */
    uint8_t max;
    bool lent;                  /* somebody may be writing beyond `end` */
    struct stream_piece pieces[];
};

/* The block of the packets' kind that it is in. */
static inline struct blk *stream_blk_in(struct stream_blk *b)
{
    return CONTAINER_OF(b, struct blk, bytes);
}

struct stream {
    struct stream_blk *first;
    struct stream_blk *last;
    struct stream_blk *cursor;  /* where the last look-up ended: sending goes on from there */
    seq_t base;                 /* sequence number of the first byte that is held */
    uint32_t len;               /* bytes held; base + len is the next byte to be written */
    uint32_t charged;           /* bytes of memory, true sizes */
};

/* Empty; nothing is held of memory. */
void stream_init(struct stream *s, seq_t base);
void stream_free(struct env *env, struct stream *s);

/*
 * Copy bytes behind the end; chunk: payload bytes of a full segment now (at least 1). Returns how
 * many were taken: less than n where pools or the budget ran out.
 */
size_t stream_write(struct env *env, struct stream *s, struct span data, uint32_t chunk);
/*
 * The same of little that fits behind what is there and begins no segment of its own: it is summed where it
 * leaves. False: write it by stream_write.
 */
static inline bool stream_put(struct stream *s, struct span data)
{
    struct stream_blk *b = s->last;
    if (!b || data.n > CSUM_SMALL || b->left != 0 || stream_blk_in(b)->class != BLK_STREAM_S ||
        b->limit - b->end < data.n)
        return false;
    (void)csum_wide_copy(stream_blk_in(b)->bytes + b->end, data.p, data.n);
    b->lent = false;
    b->end += (uint32_t)data.n;
    s->len += (uint32_t)data.n;
    return true;
}

/* As stream_write, and no sums are kept: for a link that makes them. Where they are wanted after all, they are
 * made then. */
size_t stream_write_unsummed(struct env *env, struct stream *s, struct span data, uint32_t chunk);

/* Room to write into without a copy, at least 1 byte or NULL; stream_commit makes n of it part of
 * the stream (summed later, where they are sent). `want` is a hint of how much will come. The room
 * stays until it is committed, something else is written, or the stream ends. */
uint8_t *stream_room(struct env *env, struct stream *s, size_t want, uint32_t chunk, size_t *n);
void stream_commit(struct stream *s, size_t n);

/* Where the bytes begin in a block that notes so many pieces. */
static inline uint32_t stream_data_start(unsigned pieces)
{
    size_t head = sizeof(struct stream_blk) + pieces * sizeof(struct stream_piece);
    return (uint32_t)((head + 15) & ~(size_t)15);
}

/* Is all of it in a small block that nobody else refers to? */
static inline bool stream_is_small(const struct stream *s)
{
    struct stream_blk *k = s->first;
    return k && k == s->last && !k->lent && stream_blk_in(k)->class == BLK_STREAM_S &&
           stream_blk_in(k)->refs == 1;
}

/* Nothing is held any more from `base` on: that block begins again, so that who asks and answers keeps it. */
static inline void stream_rewind(struct stream *s, seq_t base)
{
    struct stream_blk *k = s->first;
    s->base = k->seq = base;
    s->len = 0;
    k->start = k->end = stream_data_start(STREAM_PIECES_S);
    k->left = 0;
    k->n = 0;
}

/* Bytes before `una` are acknowledged: let go of them. A small block that is empty then is kept. */
void stream_ack(struct env *env, struct stream *s, seq_t una);

/* The same of all that is held, where nothing needs to be let go of. False: by stream_ack, nothing changed. */
static inline bool stream_ack_all(struct stream *s, seq_t una)
{
    if (oriel_unlikely((uint32_t)seq_diff(s->base, una) != s->len || !stream_is_small(s)))
        return false;
    stream_rewind(s, una);
    return true;
}

/*
 * Refer to bytes [seq, seq + len) as payload of p behind its head. Puts as many as fit into the
 * packet's slices and returns that number; where that is not all of them, a multiple of `whole` (a
 * super-segment; 0: any) unless it is less than one. Never crosses more than PKT_SLICES_MAX blocks.
 */
uint32_t stream_attach(struct stream *s, struct pkt *p, seq_t seq, uint32_t len, uint32_t whole);

/* How many of those bytes stream_attach would put into a packet without slices: less than len where
 * they lie in more than PKT_SLICES_MAX blocks, a multiple of `whole` then (perhaps 0). */
uint32_t stream_fits(const struct stream *s, seq_t seq, uint32_t len, uint32_t whole);

/* Copy bytes [seq, seq + len), which are held. */
void stream_copy(struct stream *s, seq_t seq, uint8_t *to, uint32_t len);

/* A segment that is not full was sent and ends at the end of the stream: what is written next begins
 * a new block, so that its pieces are segments again. */
static inline void stream_close_chunk(struct stream *s)
{
    if (s->last)
        s->last->left = 0;
}

/* All that is held, where it lies in one block (of which more was held before, perhaps); NULL. */
static inline const uint8_t *stream_whole(const struct stream *s)
{
    struct stream_blk *b = s->first;
    if (!b || b != s->last)
        return NULL;
    return stream_blk_in(b)->bytes + b->start + (uint32_t)seq_diff(b->seq, s->base);
}

/* ---- for whoever finishes checksums: the sum of a slice, kept or computed ---- */

/* Internet sum (folded, as csum_ops.sum gives it) of those bytes of a block that a slice refers to. */
uint32_t slice_sum(const struct env *env, const struct blk *b, uint32_t off, uint32_t len);

/* The same for slices of one block one behind the other, where it is a stream's. */
struct stream_sums {
    const struct stream_piece *next;
    const struct stream_piece *end;
};

struct stream_sums stream_sums_from(const struct blk *b, uint32_t off);

static inline bool stream_piece_is(const struct stream_piece *g, uint32_t off, uint32_t len)
{
    return ((uint32_t)g->at | (uint32_t)g->len << 16) == (off | len << 16);
}

/*
 * Internet sum of n bytes of a packet from `from` on, folded; of what lies in blocks of a stream, the
 * sums kept there where they fit. For what this stack sends: what arrived is summed by pkt_sum, which
 * reads it.
 */
uint32_t pkt_sum_kept(const struct env *env, const struct pkt *p, size_t from, size_t n);

#endif
