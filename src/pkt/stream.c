/*
 * What an application wrote, in blocks.
 *
 * A block begins with what is known of it (struct stream_blk), so that whoever holds a slice of it
 * finds the kept sums without the stream, which may be gone by then. Behind that stand the bytes.
 *
 * Each block notes the pieces it was filled in: where a piece begins, how long it is, and the sum
 * that came out of the copy. A piece is one presumed segment, but shorter where it ends with its
 * block, where a segment that was not full ended the stream (stream_close_chunk), or where bytes
 * were written without a copy behind it. Pieces that found no place to be noted, and bytes that were
 * committed, have no sum; they are summed where it is asked for. So is whatever does not begin and
 * end with pieces.
 *
 * Where the next whole piece does not fit into what is left of a block, a new one is begun and the
 * rest left empty: a segment that lies in one block is one slice. Only what is written in one go and
 * fits, or is a segment of more than CHUNK_UNCUT bytes, is laid across the border; then the first
 * piece of the new block is the rest of the segment, and those behind it are whole again.
 */
#include "pkt/stream.h"

static const uint8_t pieces_max[BLK_CLASSES] = {
    [BLK_STREAM_S] = STREAM_PIECES_S,
    [BLK_STREAM_M] = 16,
    [BLK_STREAM_L] = STREAM_CHUNKS_MAX,
};

#define CHUNK_UNCUT 4096        /* larger ones lie across blocks: too much would be left empty */

static_assert(STREAM_CHUNKS_MAX <= UINT8_MAX, "pieces are counted in 8 bits");
static_assert(offsetof(struct blk, bytes) % _Alignof(struct stream_blk) == 0,
              "what is known of a block lies at its beginning");

static const struct stream_blk *stream_blk_of(const struct blk *b)
{
    return (const void *)b->bytes;
}

static uint8_t *bytes_at(struct stream_blk *b, uint32_t at)
{
    return stream_blk_in(b)->bytes + at;
}

static uint64_t true_size(const struct blk *b)
{
    return sizeof(struct blk) + blk_class_bytes[b->class];
}

static uint32_t held(const struct stream_blk *b)
{
    return b->end - b->start;
}

static seq_t end_of(const struct stream_blk *b)
{
    return seq_add(b->seq, held(b));
}

/* ---- blocks ---- */

void stream_init(struct stream *s, seq_t base)
{
    *s = (struct stream){.base = base};
}

static struct blk *blk_charged(struct env *env, enum blk_class class)
{
    uint64_t bytes = sizeof(struct blk) + blk_class_bytes[class];
    if (!budget_take(env->budget, bytes))
        return NULL;
    struct blk *b = blk_get(env->mem, class);
    if (!b)
        budget_give(env->budget, bytes);
    return b;
}

/* A block fit for that many bytes; where there is none, a smaller one, then a larger one. */
static struct blk *blk_for(struct env *env, uint64_t bytes)
{
    static const enum blk_class order[3][3] = {
        {BLK_STREAM_S, BLK_STREAM_M, BLK_STREAM_L},
        {BLK_STREAM_M, BLK_STREAM_S, BLK_STREAM_L},
        {BLK_STREAM_L, BLK_STREAM_M, BLK_STREAM_S},
    };
    unsigned fit = bytes > 2u * blk_class_bytes[BLK_STREAM_M]     ? 2
                   : bytes > blk_class_bytes[BLK_STREAM_S] * 3u / 4 ? 1
                                                                  : 0;
    struct blk *b = NULL;
    for (unsigned i = 0; i < 3 && !b; i++)
        b = blk_charged(env, order[fit][i]);
    return b;
}

static uint32_t data_start(unsigned class)
{
    return stream_data_start(pieces_max[class]);
}

/* Another block at the end, for `want` bytes more. Its first piece ends what the last one began. */
static ORIEL_NEVER_INLINE struct stream_blk *block_add(struct env *env, struct stream *s,
                                                       size_t want)
{
    struct blk *b = blk_for(env, (uint64_t)s->len + want);
    if (!b)
        return NULL;
    struct stream_blk *k = (void *)b->bytes;
    uint32_t start = data_start(b->class);
    uint16_t left = s->last ? s->last->left : 0;
    *k = (struct stream_blk){.prev = s->last, .seq = seq_add(s->base, s->len), .start = start,
                             .end = start, .limit = blk_class_bytes[b->class], .left = left,
                             .longest = 1, .max = pieces_max[b->class]};
    if (s->last) {
        s->last->lent = false;
        s->last->next = k;
    } else {
        s->first = s->cursor = k;
    }
    s->last = k;
    s->charged += (uint32_t)true_size(b);
    return k;
}

static void block_free(struct env *env, struct stream *s, struct stream_blk *k)
{
    struct blk *b = stream_blk_in(k);
    ORIEL_ASSERT(s->first == k);
    s->first = k->next;
    if (k->next)
        k->next->prev = NULL;
    else
        s->last = NULL;
    if (s->cursor == k)
        s->cursor = s->first;
    s->charged -= (uint32_t)true_size(b);
    budget_give(env->budget, true_size(b));
    blk_put(b);
}

void stream_free(struct env *env, struct stream *s)
{
    while (s->first)
        block_free(env, s, s->first);
    s->len = 0;
}

void stream_ack(struct env *env, struct stream *s, seq_t una)
{
    int32_t n = seq_diff(s->base, una);
    ORIEL_ASSERT(n >= 0 && (uint32_t)n <= s->len);
    s->base = una;
    s->len -= (uint32_t)n;
    if (s->len == 0 && stream_is_small(s)) {
        stream_rewind(s, una);
        return;
    }
    while (s->first && !s->first->lent && seq_leq(end_of(s->first), una))
        block_free(env, s, s->first);
}

/* ---- writing ---- */

/* May something that begins now go into this block? Not a part of a segment, if that can be. */
static inline bool has_room(const struct stream_blk *b, size_t want, uint32_t chunk)
{
    uint32_t room = b->limit - b->end;
    if (oriel_likely(room >= chunk))
        return true;
    return room > 0 && (b->left > 0 || room >= want || chunk > CHUNK_UNCUT || b->end == b->start);
}

/* Note a piece that was begun; false: there is no place. */
static inline bool piece_begin(struct stream_blk *b, uint32_t chunk)
{
    if (oriel_unlikely(b->n == b->max))
        return false;
    b->pieces[b->n++] = (struct stream_piece){.at = (uint16_t)b->end};
    if (b->left == 0)
        b->left = (uint16_t)chunk;
    if (b->left > b->longest)
        b->longest = b->left;
    return true;
}

/* `n` bytes whose sum is `sum` go to the end of the last piece. */
static inline void piece_grow(struct stream_blk *b, uint32_t n, uint32_t sum)
{
    struct stream_piece *g = &b->pieces[b->n - 1];
    if (oriel_unlikely(g->len > 0))
        sum = csum_fold(g->len % 2 ? csum_add_odd(g->sum, sum) : csum_add(g->sum, sum));
    g->sum = (uint16_t)sum;
    g->len = (uint16_t)(g->len + n);
    b->left = (uint16_t)(b->left - n);
    b->end += n;
}

/* Is the last piece one that is noted here and not yet whole? */
static inline bool piece_open(const struct stream_blk *b)
{
    if (b->left == 0 || b->n == 0)
        return false;
    const struct stream_piece *g = &b->pieces[b->n - 1];
    return (uint32_t)g->at + g->len == b->end;
}

/* Where there is no place to note a piece: the bytes alone. */
static size_t fill_plain(struct stream_blk *b, struct span data)
{
    size_t room = b->limit - b->end;
    size_t n = data.n < room ? data.n : room;
    memcpy(bytes_at(b, b->end), data.p, n);
    b->end += (uint32_t)n;
    b->left = 0;
    return n;
}

/* Whole pieces into the room behind those that are whole. How many bytes that were. */
static inline size_t fill_whole(const struct env *env, struct stream_blk *b, struct span data,
                                uint32_t chunk)
{
    uint32_t (*const copy)(uint8_t *, const uint8_t *, size_t) = env->csum->copy;
    size_t room = b->limit - b->end < data.n ? b->limit - b->end : data.n;
    uint32_t n = (uint32_t)(room / chunk), places = (uint32_t)b->max - b->n;
    n = n < places ? n : places;
    if (oriel_unlikely(n == 0))
        return 0;
    uint8_t *const bytes = stream_blk_in(b)->bytes;
    const uint8_t *from = data.p;
    uint32_t end = b->end;
    for (struct stream_piece *g = b->pieces + b->n, *last = g + n; g < last; g++) {
        g->sum = (uint16_t)copy(bytes + end, from, chunk);
        g->at = (uint16_t)end;
        g->len = (uint16_t)chunk;
        end += chunk;
        from += chunk;
    }
    b->n = (uint8_t)(b->n + n);
    b->end = end;
    b->longest = (uint16_t)(chunk > b->longest ? chunk : b->longest);
    return n * (size_t)chunk;
}

/* A piece, or as much of one as there is. 0: there is no place to note it. */
static size_t fill_piece(const struct env *env, struct stream_blk *b, struct span data,
                         uint32_t chunk)
{
    if (!piece_open(b) && !piece_begin(b, chunk))
        return 0;
    uint32_t room = b->limit - b->end;
    uint32_t n = b->left < room ? b->left : room;
    n = data.n < n ? (uint32_t)data.n : n;
    piece_grow(b, n, env->csum->copy(bytes_at(b, b->end), data.p, n));
    return n;
}

/* As much as is to go into this block, piece by piece. What is little is summed again where it leaves. */
static size_t fill(const struct env *env, struct stream_blk *b, struct span data, uint32_t chunk)
{
    if (data.n <= CSUM_SMALL && b->left == 0 && stream_blk_in(b)->class == BLK_STREAM_S)
        return fill_plain(b, data);
    struct span rest = data;
    while (rest.n > 0) {
        size_t n = b->left == 0 ? fill_whole(env, b, rest, chunk) : 0;
        if (n == 0 && has_room(b, rest.n, chunk)) {
            n = fill_piece(env, b, rest, chunk);
            n = n > 0 ? n : fill_plain(b, rest);
        }
        if (n == 0)
            break;
        rest = span_of(rest.p + n, rest.n - n);
    }
    return data.n - rest.n;
}

/* The same without sums. The block ends with a whole piece, if it can. */
static size_t fill_unsummed(struct stream_blk *b, struct span data, uint32_t chunk)
{
    size_t room = b->limit - b->end;
    if (data.n > room && room > chunk)
        data.n = room - room % chunk;
    return fill_plain(b, data);
}

static uint32_t chunk_within(uint32_t chunk)
{
    ORIEL_ASSERT(chunk > 0);
    return chunk < UINT16_MAX ? chunk : UINT16_MAX;
}

static ORIEL_ALWAYS_INLINE size_t write_any(struct env *env, struct stream *s, struct span data,
                                            uint32_t chunk, bool summed)
{
    size_t done = 0;
    chunk = chunk_within(chunk);
    while (done < data.n) {
        size_t want = data.n - done;
        struct stream_blk *b = s->last;
        if ((!b || !has_room(b, want, chunk)) && !(b = block_add(env, s, want)))
            break;
        b->lent = false;
        struct span rest = span_of(data.p + done, want);
        size_t n = summed ? fill(env, b, rest, chunk) : fill_unsummed(b, rest, chunk);
        s->len += (uint32_t)n;
        done += n;
    }
    return done;
}

size_t stream_write(struct env *env, struct stream *s, struct span data, uint32_t chunk)
{
    return write_any(env, s, data, chunk, true);
}

size_t stream_write_unsummed(struct env *env, struct stream *s, struct span data, uint32_t chunk)
{
    return write_any(env, s, data, chunk, false);
}

uint8_t *stream_room(struct env *env, struct stream *s, size_t want, uint32_t chunk, size_t *n)
{
    struct stream_blk *b = s->last;
    if (!b || !has_room(b, want, chunk_within(chunk))) {
        struct stream_blk *fresh = block_add(env, s, want);
        b = fresh ? fresh : b;
    }
    *n = b ? b->limit - b->end : 0;
    if (*n == 0)
        return NULL;
    b->lent = true;
    return bytes_at(b, b->end);
}

void stream_commit(struct stream *s, size_t n)
{
    struct stream_blk *b = s->last;
    ORIEL_ASSERT(b != NULL && b->lent);
    ORIEL_ASSERT(n <= b->limit - b->end);
    b->lent = false;
    if (n == 0)
        return;
    b->left = 0;                /* the piece before it ends here, and these bytes are in none */
    b->end += (uint32_t)n;
    s->len += (uint32_t)n;
}

/* ---- reading ---- */

static uint32_t distance(seq_t a, seq_t b)
{
    int32_t d = seq_diff(a, b);
    return d < 0 ? 0u - (uint32_t)d : (uint32_t)d;
}

/*
 * The block that holds a byte, looked for from the nearest of three: what is sent anew is near the
 * end, what is sent again near the beginning, and either goes on where it was.
 */
static struct stream_blk *find(const struct stream *s, seq_t seq)
{
    struct stream_blk *b = s->cursor;
    if (oriel_unlikely(distance(b->seq, seq) > distance(s->last->seq, seq)))
        b = s->last;
    if (oriel_unlikely(distance(b->seq, seq) > distance(s->first->seq, seq)))
        b = s->first;
    while (seq_lt(seq, b->seq))
        b = b->prev;
    while (seq_leq(end_of(b), seq))
        b = b->next;
    return b;
}

/* Take n bytes off the end of what was attached. */
static void detach(struct pkt *p, uint32_t n)
{
    while (n > 0) {
        struct slice *last = &p->more[p->more_n - 1u];
        uint32_t part = n < last->len ? n : last->len;
        last->len -= part;
        n -= part;
        if (last->len == 0) {
            blk_put(last->blk);
            p->more_n--;
        }
    }
}

uint32_t stream_attach(struct stream *s, struct pkt *p, seq_t seq, uint32_t len, uint32_t whole)
{
    int32_t ahead = seq_diff(s->base, seq);
    ORIEL_ASSERT(ahead >= 0);
    ORIEL_ASSERT(len <= s->len && (uint32_t)ahead <= s->len - len);
    uint32_t n = 0;
    struct stream_blk *b = len > 0 ? find(s, seq) : NULL;
    while (n < len && p->more_n < PKT_SLICES_MAX) {
        uint32_t at = b->start + (uint32_t)seq_diff(b->seq, seq_add(seq, n));
        uint32_t part = b->end - at < len - n ? b->end - at : len - n;
        s->cursor = b;
        p->more[p->more_n++] = slice_share((struct slice){stream_blk_in(b), at, part});
        n += part;
        b = b->next;
    }
    if (oriel_unlikely(n < len && n > whole && whole > 0)) {
        detach(p, n % whole);
        n -= n % whole;
    }
    return n;
}

uint32_t stream_fits(const struct stream *s, seq_t seq, uint32_t len, uint32_t whole)
{
    uint32_t n = 0;
    const struct stream_blk *b = len > 0 ? find(s, seq) : NULL;
    for (unsigned i = 0; n < len && i < PKT_SLICES_MAX && b; i++, b = b->next) {
        uint32_t at = b->start + (uint32_t)seq_diff(b->seq, seq_add(seq, n));
        n += b->end - at < len - n ? b->end - at : len - n;
    }
    return n < len ? n / whole * whole : len;
}

void stream_copy(struct stream *s, seq_t seq, uint8_t *to, uint32_t len)
{
    int32_t ahead = seq_diff(s->base, seq);
    ORIEL_ASSERT(ahead >= 0);
    ORIEL_ASSERT(len <= s->len && (uint32_t)ahead <= s->len - len);
    struct stream_blk *b = len > 0 ? find(s, seq) : NULL;
    for (uint32_t n = 0; n < len; b = b->next) {
        uint32_t at = b->start + (uint32_t)seq_diff(b->seq, seq_add(seq, n));
        uint32_t part = b->end - at < len - n ? b->end - at : len - n;
        s->cursor = b;
        memcpy(to + n, stream_blk_in(b)->bytes + at, part);
        n += part;
    }
}

/* ---- sums ---- */

/* The first noted piece that begins at that place or behind it; NULL: none does. */
static inline const struct stream_piece *piece_from(const struct stream_blk *k, uint32_t at)
{
    uint32_t i = (at - k->start) / k->longest;
    if (oriel_unlikely(i >= k->n)) {
        if (k->n == 0)
            return NULL;
        i = k->n - 1u;
    }
    while (oriel_unlikely(k->pieces[i].at > at) && i > 0)
        i--;
    while (i < k->n && k->pieces[i].at < at)
        i++;
    return i < k->n ? &k->pieces[i] : NULL;
}

struct stream_sums stream_sums_from(const struct blk *b, uint32_t off)
{
    struct stream_sums none = {NULL, NULL};
    const struct stream_blk *k = stream_blk_of(b);
    const struct stream_piece *g = b->class < BLK_STREAM ? NULL : piece_from(k, off);
    return g ? (struct stream_sums){g, k->pieces + k->n} : none;
}

/* Over several pieces, and what stands before, between and behind them. */
static ORIEL_NEVER_INLINE uint32_t sum_parts(const struct env *env, const struct blk *b,
                                             uint32_t at, uint32_t len)
{
    uint32_t sum = 0;
    bool odd = false;
    while (len > 0) {
        const struct stream_piece *g = piece_from(stream_blk_of(b), at);
        uint32_t n = g && g->at > at && g->at - at < len ? g->at - at : len;
        uint32_t add;
        if (g && g->at == at && g->len <= len && g->len > 0) {
            n = g->len;
            add = g->sum;
        } else {
            add = csum_span(env->csum, span_of(b->bytes + at, n));
        }
        sum = odd ? csum_add_odd(sum, add) : csum_add(sum, add);
        odd ^= n % 2 != 0;
        at += n;
        len -= n;
    }
    return csum_fold(sum);
}

uint32_t slice_sum(const struct env *env, const struct blk *b, uint32_t off, uint32_t len)
{
    if (oriel_unlikely(b->class < BLK_STREAM))
        return csum_span(env->csum, span_of(b->bytes + off, len));
    const struct stream_piece *g = piece_from(stream_blk_of(b), off);
    if (oriel_likely(g && g->at == off && g->len == len))
        return g->sum;
    return sum_parts(env, b, off, len);
}

uint32_t pkt_sum_kept(const struct env *env, const struct pkt *p, size_t from, size_t n)
{
    ORIEL_ASSERT(from + n <= pkt_len(p));
    uint32_t sum = 0;
    bool odd = false;
    const struct slice *s = &p->head;
    for (unsigned i = 0; n > 0; s = &p->more[i++]) {
        if (from >= s->len) {
            from -= s->len;
            continue;
        }
        size_t part = s->len - from < n ? s->len - from : n;
        uint32_t add = slice_sum(env, s->blk, s->off + (uint32_t)from, (uint32_t)part);
        sum = odd ? csum_add_odd(sum, add) : csum_add(sum, add);
        odd ^= part % 2 != 0;
        n -= part;
        from = 0;
    }
    return csum_fold(sum);
}
